package wxpay

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// billFilePath is the only place that bills are fetched from.
const billFilePath = "/v3/billdownload/file"

// Bill streams a trade bill (WeChat Pay v3, applying for a trade bill, and
// downloading a bill).
func (g *V3Gateway) Bill(ctx context.Context, r BillRequest) (io.ReadCloser, error) {
	if r.Kind == "" {
		r.Kind = BillAll
	}
	if !slices.Contains([]BillKind{BillAll, BillSuccess, BillRefund}, r.Kind) {
		return nil, &Error{Op: opTradeBill, Message: fmt.Sprintf("there is no bill of kind %q", r.Kind)}
	}
	query := "bill_date=" + billDayV3(r.Day) + "&bill_type=" + string(r.Kind)
	if g.partner() {
		query += "&sub_mchid=" + g.cfg.SubMchID
	}
	return g.fetchBill(ctx, opTradeBill, "/v3/bill/tradebill?"+withGzip(query, r.Gzip))
}

// FundFlow streams a fund flow bill (WeChat Pay v3, applying for a fund flow
// bill). It is of the merchant's own accounts, also for a service provider.
func (g *V3Gateway) FundFlow(ctx context.Context, r FundFlowRequest) (io.ReadCloser, error) {
	if r.Account == "" {
		r.Account = FundBasic
	}
	if !slices.Contains([]FundAccount{FundBasic, FundOperation, FundFees}, r.Account) {
		return nil, &Error{Op: opFundBill, Message: fmt.Sprintf("there is no account %q", r.Account)}
	}
	query := "account_type=" + strings.ToUpper(string(r.Account)) + "&bill_date=" + billDayV3(r.Day)
	return g.fetchBill(ctx, opFundBill, "/v3/bill/fundflowbill?"+withGzip(query, r.Gzip))
}

func billDayV3(t time.Time) string { return t.In(beijing).Format(time.DateOnly) }

func withGzip(query string, gzip bool) string {
	if gzip {
		return query + "&tar_type=GZIP"
	}
	return query
}

// fetchBill asks where the bill is and opens it. The first answer is signed and
// says what the file's SHA-1 is; the file is not, so that sum vouches for it.
func (g *V3Gateway) fetchBill(ctx context.Context, op, path string) (io.ReadCloser, error) {
	t, err := g.ask(ctx, callV3{op: op, method: http.MethodGet, path: path})
	if err != nil {
		return nil, err
	}
	target, sum, err := billLink(t)
	if err != nil {
		return nil, &Error{Op: op, HTTPStatus: http.StatusOK, Unknown: true, Err: err}
	}
	return g.openBill(ctx, target, sum)
}

// billLink reads the first answer. Of the address only path and query count:
// the host is one of ours, whatever it says, and the path is that of bills, so
// that nothing else gets a signed request out of us.
func billLink(t *jsonTree) (target, sum string, err error) {
	kind, sum, link := t.text(0, "hash_type"), strings.ToLower(t.text(0, "hash_value")), t.text(0, "download_url")
	if raw, err := hex.DecodeString(sum); kind != "SHA1" || err != nil || len(raw) != 20 {
		return "", "", badBill("there is no SHA1 to check it by")
	}
	u, err := url.Parse(link)
	switch {
	case err != nil || len(link) > maxBillLink || strings.ContainsFunc(link, unsafeInTarget):
		return "", "", badBill("its address is not a URL")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.EscapedPath() != billFilePath || u.RawQuery == "":
		return "", "", badBill("its address is not where bills are")
	}
	return billFilePath + "?" + u.RawQuery, sum, nil
}

const maxBillLink = 2 << 10

// unsafeInTarget: what a request line cannot carry as it is.
func unsafeInTarget(r rune) bool { return r <= ' ' || r > '~' }

func (g *V3Gateway) openBill(ctx context.Context, target, sum string) (io.ReadCloser, error) {
	c := callV3{op: opBillFile, method: http.MethodGet, path: target}
	serial, err := g.keys.serial(ctx)
	if err != nil {
		return nil, &Error{Op: c.op, Unknown: true, Err: err}
	}
	b, err := g.net.open(ctx, g.outgoing(c, serial), g.fileRecorder(ctx, c))
	if err != nil {
		return nil, &Error{Op: c.op, Unknown: true, Err: err}
	}
	text, err := g.billText(b, sum)
	if err != nil {
		b.Close()
		return nil, err
	}
	return text, nil
}

// fileRecorder leaves out the body: it is too long for a timeline.
func (g *V3Gateway) fileRecorder(ctx context.Context, c callV3) func(answer, Direction) {
	if g.cfg.Record == nil {
		return func(answer, Direction) {}
	}
	ctx = context.WithoutCancel(ctx)
	return func(a answer, d Direction) {
		m := Message{Op: c.op, Direction: d, URL: withoutToken(a.url), Status: a.status, Took: a.took, At: g.cfg.Now()}
		if a.err != nil {
			m.Err = a.err.Error()
		}
		g.cfg.Record(ctx, m)
	}
}

// billText is what b holds, to be vouched for at its end.
func (g *V3Gateway) billText(b *stream, sum string) (*billText, error) {
	if b.res.StatusCode != http.StatusOK {
		refusal, err := io.ReadAll(io.LimitReader(b, maxAnswer))
		if err != nil {
			return nil, &Error{Op: opBillFile, HTTPStatus: b.res.StatusCode, Unknown: true, Err: err}
		}
		return nil, refusedV3(opBillFile, answer{fetched: fetched{status: b.res.StatusCode, header: b.res.Header, body: string(refusal)}})
	}
	in := bufio.NewReaderSize(b, 32<<10)
	head, err := in.Peek(2)
	if err != nil {
		return nil, &Error{Op: opBillFile, HTTPStatus: http.StatusOK, Unknown: true, Err: badBill("it is empty")}
	}
	text := &billText{op: opBillFile, stream: b, in: in, limit: g.cfg.MaxBill, digest: sum}
	if head[0] == 0x1f && head[1] == 0x8b {
		if err := text.unpack(in, g.cfg.MaxBill/packedShare); err != nil {
			return nil, err
		}
	}
	return text, nil
}
