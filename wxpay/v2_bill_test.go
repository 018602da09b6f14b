package wxpay

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func zipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(text)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sends(body []byte, headers ...string) func(http.ResponseWriter, *http.Request, message) {
	return func(w http.ResponseWriter, _ *http.Request, _ message) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Write(body)
	}
}

func digest(b []byte) string { return fmt.Sprintf("SHA=%x", sha1.Sum(b)) }

func TestBillDownload(t *testing.T) {
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request, m message) {
		if r.URL.Path != "/pay/downloadbill" {
			t.Errorf("asked %s", r.URL.Path)
		}
		if m.get("tar_type") == "GZIP" {
			w.Write(zipped(t, []byte(sampleBill)))
			return
		}
		io.WriteString(w, sampleBill)
	})
	c := newTestClient(t, testConfig(g.URL))
	day := time.Date(2025, 8, 6, 17, 0, 0, 0, time.UTC) // already the 7th in Beijing
	for _, r := range []BillRequest{{Day: day}, {Day: day, Kind: BillRefund, Gzip: true}} {
		bill, err := c.Bill(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		rows, sum, err := readBill(bill)
		if err != io.EOF || len(rows) != 2 || sum.Count != 2 {
			t.Errorf("%d rows, %+v, %v", len(rows), sum, err)
		}
		if err := bill.Close(); err != nil {
			t.Error(err)
		}
	}
	for i, want := range []message{{{"bill_date", "20250807"}, {"bill_type", "ALL"}, {"tar_type", ""}}, {{"bill_date", "20250807"}, {"bill_type", "REFUND"}, {"tar_type", "GZIP"}}} {
		for _, f := range want {
			if got := g.requests()[i].get(f.name); got != f.value {
				t.Errorf("%s = %q, want %q", f.name, got, f.value)
			}
		}
	}
	if _, err := c.Bill(t.Context(), BillRequest{Day: day, Kind: "ODD"}); err == nil || IsUnknown(err) {
		t.Errorf("an odd kind: %v", err)
	}
	if _, err := c.FundFlow(t.Context(), FundFlowRequest{Day: day, Account: "Odd"}); err == nil || IsUnknown(err) {
		t.Errorf("an odd account: %v", err)
	}
}

func TestFundFlowDownload(t *testing.T) {
	text := []byte(byteOrderMark + "资金\r\n")
	for name, tt := range map[string]struct {
		body   []byte
		digest string
		ok     bool
	}{
		"text":                    {text, digest(text), true},
		"no digest":               {text, "", true},
		"packed, digest of text":  {zipped(t, text), digest(text), true},
		"packed, digest of bytes": {zipped(t, text), digest(zipped(t, text)), true},
		"capital digest":          {text, strings.ToUpper(digest(text)), true},
		"another digest":          {text, digest(text[1:]), false},
		"packed, another digest":  {zipped(t, text), digest(text[1:]), false},
	} {
		g := newGateway(t, func(w http.ResponseWriter, r *http.Request, m message) {
			if r.URL.Path != "/pay/downloadfundflow" || m.get("sign_type") != "HMAC-SHA256" || m.get("account_type") != "Basic" {
				t.Errorf("asked %s %v", r.URL.Path, m)
			}
			sends(tt.body, "Digest", tt.digest)(w, r, m)
		})
		cfg := testConfig(g.URL)
		cfg.SignType = MD5
		bill, err := newTestClient(t, cfg).FundFlow(t.Context(), FundFlowRequest{Day: time.Now(), Gzip: true})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(bill)
		if tt.ok && (err != nil || !bytes.Equal(got, text)) || !tt.ok && !errors.Is(err, ErrBadBill) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		bill.Close()
	}
}

// The refusals of both bills, none of them signed.
func TestBillIsRefused(t *testing.T) {
	trade := func(code, text string) string {
		return "<xml><return_code><![CDATA[FAIL]]></return_code>\n<return_msg><![CDATA[" + text + "]]></return_msg>\n<error_code><![CDATA[" + code + "]]></error_code>\n</xml>"
	}
	flow := func(code, text string) string {
		return strings.Replace(unsigned("FAIL", code), "</xml>", "<err_code_des>"+text+"</err_code_des></xml>", 1)
	}
	tests := []struct {
		name, body, code string
		is               error
		unknown          bool
	}{
		{"no bill", trade("20002", "No Bill Exist"), "20002", ErrNoBill, false},
		{"no bill, as documented", trade("20002", "NO Bill Exist"), "20002", ErrNoBill, false},
		{"not made yet", trade("20002", "Bill Creating"), "20002", ErrBillNotReady, false},
		{"not made yet, another number", trade("20100", "Bill Creating"), "20100", ErrBillNotReady, false},
		{"sign", trade("20001", "sign error"), "20001", errSignRefused, false},
		{"type", trade("20001", "invalid bill_type"), "20001", nil, false},
		{"form", trade("20001", "data format error"), "20001", nil, false},
		{"missing", trade("20001", "missing parameter"), "20001", nil, false},
		{"system", trade("100", "SYSTEMERROR"), "100", nil, true},
		{"bad sign, as elsewhere", protocolFail("签名错误"), "", errSignRefused, false},
		{"flow: none", flow("NO_BILL_EXIST", "流水账单不存在"), "NO_BILL_EXIST", ErrNoBill, false},
		{"flow: not made yet", flow("BILL_CREATING", "-"), "BILL_CREATING", ErrBillNotReady, false},
		{"flow: parameter", flow("PARAM_ERROR", "-"), "PARAM_ERROR", nil, false},
		{"flow: system", flow("SYSTEMERROR", "-"), "SYSTEMERROR", nil, true},
		{"a code of tomorrow", flow("BRAND_NEW", "-"), "BRAND_NEW", nil, false},
		{"HTML", "<html>busy</html>", "", nil, true},
		{"empty", "", "", ErrBadBill, true},
		{"no result", "<xml><return_code>SUCCESS</return_code></xml>", "", nil, true},
		{"not gzip after all", "\x1f\x8bx", "", ErrBadBill, true},
	}
	for _, tt := range tests {
		c := newTestClient(t, testConfig(newGateway(t, always(tt.body)).URL))
		_, bill := c.Bill(t.Context(), BillRequest{Day: time.Now()})
		_, fund := c.FundFlow(t.Context(), FundFlowRequest{Day: time.Now()})
		for _, err := range []error{bill, fund} {
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Code != tt.code || IsUnknown(err) != tt.unknown {
				t.Errorf("%s: %v", tt.name, err)
			}
			for _, s := range []error{ErrNoBill, ErrBillNotReady, ErrBadBill, errSignRefused} {
				if errors.Is(err, s) != (s == tt.is) {
					t.Errorf("%s: errors.Is(%v) = %t", tt.name, s, s != tt.is)
				}
			}
		}
	}
}

// A bill is asked for with the next key when the old one is refused.
func TestBillKeyIsReplaced(t *testing.T) {
	next := strings.Repeat("n", 32)
	g := newGateway(t, func(w http.ResponseWriter, _ *http.Request, m message) {
		if newKeyring(next, "").verify(m, HMACSHA256) != nil {
			io.WriteString(w, protocolFail("签名错误"))
			return
		}
		io.WriteString(w, sampleBill)
	})
	cfg := testConfig(g.URL)
	cfg.NextAPIKey = next
	bill, err := newTestClient(t, cfg).Bill(t.Context(), BillRequest{Day: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	bill.Close()
}

// X35, I12: bombs, cut files and files without an end.
func TestBillLimits(t *testing.T) {
	zeros := make([]byte, 20<<20)
	whole := zipped(t, []byte(strings.Repeat(sampleBill, 50)))
	tests := []struct {
		name   string
		max    int64
		answer func(http.ResponseWriter, *http.Request, message)
		says   string
	}{
		{"20 MiB of zeros in 20 KiB", 0, sends(zipped(t, zeros)), "200 times"},
		{"longer than allowed", 1 << 10, sends([]byte(sampleBill + sampleBill)), "longer than allowed"},
		{"longer than allowed unpacked", 1 << 14, sends(whole), "longer than allowed"},
		{"longer than allowed packed", 1 << 10, sends(whole), "longer than allowed"},
		{"cut gzip", 0, sends(whole[:len(whole)/2]), "EOF"},
		{"gzip with another checksum", 0, sends(append(bytes.Clone(whole[:len(whole)-8]), "12345678"...)), "checksum"},
		{"something behind gzip", 0, sends(append(bytes.Clone(whole), sampleBill...)), "header"},
		{"cut by the connection", 0, func(w http.ResponseWriter, _ *http.Request, _ message) {
			w.Header().Set("Content-Length", "5000")
			io.WriteString(w, sampleBill)
		}, "EOF"},
		{"reset", 0, func(w http.ResponseWriter, _ *http.Request, _ message) {
			io.WriteString(w, sampleBill)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "EOF"},
	}
	for _, tt := range tests {
		cfg := testConfig(newGateway(t, tt.answer).URL)
		cfg.MaxBill = tt.max
		bill, err := newTestClient(t, cfg).Bill(t.Context(), BillRequest{Day: time.Now()})
		if err == nil {
			_, err = io.Copy(io.Discard, bill)
			if _, again := bill.Read(make([]byte, 1)); again != err {
				t.Errorf("%s: after %v came %v", tt.name, err, again)
			}
			bill.Close()
		}
		if err == nil || !IsUnknown(err) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
	}
}

func TestBillFailsOver(t *testing.T) {
	sick := newGateway(t, func(w http.ResponseWriter, _ *http.Request, _ message) { w.WriteHeader(502) })
	well := newGateway(t, always(sampleBill))
	bill, err := newTestClient(t, testConfig(sick.URL, "http://127.0.0.1:1", well.URL)).Bill(t.Context(), BillRequest{Day: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	bill.Close()
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request, message){
		"sick": sick.answer, "404": func(w http.ResponseWriter, _ *http.Request, _ message) {
			w.WriteHeader(404)
			io.WriteString(w, sampleBill)
		},
		"moved": func(w http.ResponseWriter, r *http.Request, _ message) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
	} {
		if _, err := newTestClient(t, testConfig(newGateway(t, answer).URL)).Bill(t.Context(), BillRequest{Day: time.Now()}); !IsUnknown(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// endlessly is a body that stops coming in the middle.
type endlessly struct {
	ctx  <-chan struct{}
	text io.Reader
}

func (e endlessly) Read(p []byte) (int, error) {
	if n, err := e.text.Read(p); err == nil {
		return n, nil
	}
	<-e.ctx
	return 0, errors.New("connection closed")
}
func (endlessly) Close() error { return nil }

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A bill may take as long as it likes, but not without a byte.
func TestBillIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig("http://pay.test")
		cfg.Transport = tripper(func(r *http.Request) (*http.Response, error) {
			time.Sleep(billStall - time.Second)
			return &http.Response{StatusCode: 200, Body: &trickle{r.Context(), sampleBill}, Request: r}, nil
		})
		bill, err := newTestClient(t, cfg).Bill(t.Context(), BillRequest{Day: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		defer bill.Close()
		if _, sum, err := readBill(bill); err != io.EOF || sum.Count != 2 {
			t.Errorf("%+v, %v", sum, err)
		}
	})
}

// trickle sends a little now and then.
type trickle struct {
	ctx  context.Context
	text string
}

func (e *trickle) Read(p []byte) (int, error) {
	select {
	case <-time.After(billStall - time.Second):
	case <-e.ctx.Done():
		return 0, e.ctx.Err()
	}
	if e.text == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 100)], e.text)
	e.text = e.text[n:]
	return n, nil
}

func (*trickle) Close() error { return nil }

func TestBillStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig("http://pay.test")
		cfg.Transport = tripper(func(r *http.Request) (*http.Response, error) {
			body := endlessly{r.Context().Done(), strings.NewReader(sampleBill[:300])}
			return &http.Response{StatusCode: 200, Body: body, Request: r}, nil
		})
		bill, err := newTestClient(t, cfg).Bill(t.Context(), BillRequest{Day: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err = io.Copy(io.Discard, bill)
		if !errors.Is(err, errStalled) || time.Since(start) != billStall {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		bill.Close()
		cfg.Transport = tripper(func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() })
		if _, err := newTestClient(t, cfg).Bill(t.Context(), BillRequest{Day: time.Now()}); !IsUnknown(err) {
			t.Errorf("no answer at all: %v", err)
		}
	})
}
