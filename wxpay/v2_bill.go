package wxpay

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// What a downloaded bill may be (I12).
const (
	billStall   = 30 * time.Second // without a byte
	packedShare = 8                // of MaxBill may come over the network packed: 32 MiB of 256
	maxRatio    = 200              // unpacked to packed
	ratioFrom   = 1 << 20          // bytes unpacked from which the ratio counts
)

// Bill streams a trade bill (WeChat Pay v2, downloadbill).
func (c *V2Client) Bill(ctx context.Context, r BillRequest) (io.ReadCloser, error) {
	if r.Kind == "" {
		r.Kind = BillAll
	}
	if !slices.Contains([]BillKind{BillAll, BillSuccess, BillRefund, BillRechargeRefund}, r.Kind) {
		return nil, &Error{Op: opBill, Message: fmt.Sprintf("there is no bill of kind %q", r.Kind)}
	}
	m := message{{"bill_date", billDay(r.Day)}, {"bill_type", string(r.Kind)}}
	return c.download(ctx, request{op: opBill, fields: packed(m, r.Gzip)})
}

// FundFlow streams a fund flow bill (WeChat Pay v2, downloadfundflow), which
// needs the certificate and HMAC-SHA256.
func (c *V2Client) FundFlow(ctx context.Context, r FundFlowRequest) (io.ReadCloser, error) {
	if r.Account == "" {
		r.Account = FundBasic
	}
	if !slices.Contains([]FundAccount{FundBasic, FundOperation, FundFees}, r.Account) {
		return nil, &Error{Op: opFundFlow, Message: fmt.Sprintf("there is no account %q", r.Account)}
	}
	m := message{{"account_type", string(r.Account)}, {"bill_date", billDay(r.Day)}}
	return c.download(ctx, request{op: opFundFlow, sign: HMACSHA256, fields: packed(m, r.Gzip)})
}

func billDay(t time.Time) string { return t.In(beijing).Format("20060102") }

func packed(m message, gzip bool) message {
	if gzip {
		return append(m, field{"tar_type", "GZIP"})
	}
	return m
}

// download opens the stream of a bill.
func (c *V2Client) download(ctx context.Context, r request) (io.ReadCloser, error) {
	r, err := c.prepared(r)
	if err != nil {
		return nil, err
	}
	var bill io.ReadCloser
	err = c.withKeys(r.op, func(key string) (err error) {
		sent := r
		sent.fields = signed(r.fields, r.sign, key)
		bill, err = c.openBill(ctx, sent)
		return err
	})
	if err != nil {
		return nil, err
	}
	return bill, nil
}

// openBill asks for a bill and looks at its first bytes: a refusal comes with
// the same status as a bill.
func (c *V2Client) openBill(ctx context.Context, r request) (io.ReadCloser, error) {
	b, err := c.net.open(ctx, posted(r.op, pathOf(r.op), encode(r.fields)), c.recorder(ctx, r))
	if err != nil {
		return nil, &Error{Op: r.op, Unknown: true, Err: err}
	}
	keep := false
	defer func() {
		if !keep {
			b.Close()
		}
	}()
	if b.res.StatusCode != http.StatusOK {
		return nil, &Error{Op: r.op, HTTPStatus: b.res.StatusCode, Unknown: true}
	}
	in := bufio.NewReaderSize(b, 32<<10)
	head, err := in.Peek(2)
	if err != nil {
		return nil, &Error{Op: r.op, HTTPStatus: http.StatusOK, Unknown: true, Err: badBill("it is empty")}
	}
	if head[0] == '<' {
		return nil, billRefused(r.op, in)
	}
	text := &billText{op: r.op, stream: b, in: in, limit: c.cfg.MaxBill, digest: digestOf(b.res.Header)}
	if head[0] == 0x1f && head[1] == 0x8b {
		if err := text.unpack(in, c.cfg.MaxBill/packedShare); err != nil {
			return nil, err
		}
	}
	keep = true
	return text, nil
}

// digestOf reads "Digest: SHA=<hex>"; empty when there is none.
func digestOf(h http.Header) string {
	name, sum, _ := strings.Cut(h.Get("Digest"), "=")
	if !strings.EqualFold(name, "SHA") {
		return ""
	}
	return strings.ToLower(sum)
}

// billRefused reads a refusal. None is signed; a bill is only read, so nothing
// depends on believing it. Trade bills say error_code, the fund flow err_code.
func billRefused(op string, in io.Reader) error {
	e := &Error{Op: op, HTTPStatus: http.StatusOK, Unknown: true}
	text, err := io.ReadAll(io.LimitReader(in, maxAnswer))
	if err != nil {
		e.Err = err
		return e
	}
	m, err := decode(string(text), maxAnswer, nil)
	switch {
	case err != nil:
		e.Err = err
	case m.get("return_code") == "FAIL":
		e.Code = excerpt(m.get("error_code"))
		return refused(e, m)
	case m.get("result_code") == "FAIL":
		e.Code, e.Message = excerpt(m.get("err_code")), excerpt(m.get("err_code_des"))
		e.Unknown = unsure[bare(e.Code)]
	}
	return e
}

func badBill(why string) error { return fmt.Errorf("%w: %s", ErrBadBill, why) }

// billText reads a bill, counts, and vouches for it at its end.
type billText struct {
	op     string
	stream *stream
	in     io.Reader // the text
	pack   *counter  // nil when it came as text
	limit  int64     // bytes of text
	read   int64
	sum    hash.Hash // of the text
	digest string    // what its SHA-1, or the packed bytes', must be; empty: not said
	err    error     // once there was one, there is no more
}

// counter is the packed side of a bill.
type counter struct {
	in   io.Reader
	n    int64
	left int64
	sum  hash.Hash
}

var errTooLong = badBill("it is longer than allowed")

func (c *counter) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooLong
	}
	n, err := c.in.Read(p[:min(int64(len(p)), c.left)])
	c.n, c.left = c.n+int64(n), c.left-int64(n)
	c.sum.Write(p[:n])
	return n, err
}

// unpack reads b's text out of the packed in.
func (b *billText) unpack(in io.Reader, limit int64) error {
	b.pack = &counter{in: in, left: limit, sum: sha1.New()}
	z, err := gzip.NewReader(b.pack)
	if err != nil {
		return &Error{Op: b.op, HTTPStatus: http.StatusOK, Unknown: true, Err: errors.Join(badBill("not packed as gzip"), err)}
	}
	b.in = z
	return nil
}

// Read gives the bill's text. Instead of io.EOF it gives an error when the
// bill is not what its digest says.
func (b *billText) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.sum == nil {
		b.sum = sha1.New()
	}
	n, err := b.in.Read(p)
	b.read += int64(n)
	b.sum.Write(p[:n])
	switch {
	case b.read > b.limit:
		err = errTooLong
	case b.pack != nil && b.read > ratioFrom && b.read > maxRatio*b.pack.n:
		err = badBill("it unpacks to more than 200 times its size")
	case err == io.EOF && !b.vouched():
		err = badBill("its digest is another")
	}
	if err != nil && err != io.EOF {
		b.err = &Error{Op: b.op, HTTPStatus: http.StatusOK, Unknown: true, Err: err}
		return 0, b.err
	}
	b.err = err
	return n, err
}

// vouched compares the digest. Which side of a packed bill it is made over is
// not documented, so either will do.
func (b *billText) vouched() bool {
	sums := []hash.Hash{b.sum}
	if b.pack != nil {
		sums = append(sums, b.pack.sum)
	}
	return b.digest == "" || slices.ContainsFunc(sums, func(h hash.Hash) bool {
		return hex.EncodeToString(h.Sum(nil)) == b.digest
	})
}

// Close ends the download.
func (b *billText) Close() error { return b.stream.Close() }
