package handlers

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"wxshop/models"
)

// teller is WeChat as it tells of things by v3, written from the document and
// not with wxpay (WeChat Pay v3, notifications): what is sealed, then what is
// signed. Every part can be bent.
type teller struct {
	w       *world
	key     *rsa.PrivateKey // WeChat Pay's own
	apiKey  string
	nonce   string // of the seal
	aad     string
	content map[string]any
	plain   []byte // instead of content
	outer   map[string]any
	res     map[string]any // resource
}

// tells is the true notification about an attempt.
func (w *world) tells(p *models.Payment) *teller {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.simData, "pub_key_private.pem"))
	if err != nil {
		w.t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		w.t.Fatal(err)
	}
	at := time.Now().Format(time.RFC3339)
	return &teller{
		w: w, key: key.(*rsa.PrivateKey), apiKey: w.sim.Identity().APIv3Key, nonce: "fdasflkja484", aad: "transaction",
		content: map[string]any{
			"appid": p.AppID, "mchid": p.MchID, "out_trade_no": p.OutTradeNo, "transaction_id": "4200002468202611195730281946",
			"trade_type": "JSAPI", "trade_state": "SUCCESS", "trade_state_desc": "支付成功", "bank_type": "OTHERS", "attach": "",
			"success_time": at, "payer": map[string]any{"openid": p.OpenID}, "promotion_detail": []any{},
			"amount": map[string]any{"total": int64(p.Total), "payer_total": int64(p.Total), "currency": "CNY", "payer_currency": "CNY"},
		},
		outer: map[string]any{"id": "EV-2018022511223320873", "create_time": at, "resource_type": "encrypt-resource",
			"event_type": "TRANSACTION.SUCCESS", "summary": "支付成功"},
		res: map[string]any{"original_type": "transaction", "algorithm": "AEAD_AES_256_GCM"},
	}
}

// body seals the content.
func (x *teller) body() []byte {
	x.w.t.Helper()
	plain := x.plain
	if plain == nil {
		plain, _ = json.Marshal(x.content)
	}
	block, err := aes.NewCipher([]byte(x.apiKey))
	if err != nil {
		x.w.t.Fatal(err)
	}
	gcm, err := cipher.NewGCMWithNonceSize(block, max(len(x.nonce), 1))
	if err != nil {
		x.w.t.Fatal(err)
	}
	nonce := []byte(x.nonce)
	if len(nonce) == 0 {
		nonce = []byte{0}
	}
	r := map[string]any{"associated_data": x.aad, "nonce": x.nonce, "ciphertext": base64.StdEncoding.EncodeToString(gcm.Seal(nil, nonce, plain, []byte(x.aad)))}
	maps.Copy(r, x.res)
	out := maps.Clone(x.outer)
	if _, bent := out["resource"]; !bent {
		out["resource"] = r
	}
	b, err := json.Marshal(out)
	if err != nil {
		x.w.t.Fatal(err)
	}
	return b
}

// headers sign a body.
func (x *teller) headers(body []byte, at time.Time) http.Header {
	x.w.t.Helper()
	stamp, nonce := strconv.FormatInt(at.Unix(), 10), "d824f2e086d3c1df967785d13fcd22ef"
	sum := sha256.Sum256([]byte(stamp + "\n" + nonce + "\n" + string(body) + "\n"))
	sig, err := rsa.SignPKCS1v15(rand.Reader, x.key, crypto.SHA256, sum[:])
	if err != nil {
		x.w.t.Fatal(err)
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("Wechatpay-Timestamp", stamp)
	h.Set("Wechatpay-Nonce", nonce)
	h.Set("Wechatpay-Serial", x.w.sim.Identity().PlatformPublicKeyID)
	h.Set("Wechatpay-Signature", base64.StdEncoding.EncodeToString(sig))
	h.Set("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048")
	return h
}

// postV3 sends a body with headers to a route.
func (w *world) postV3(route string, h http.Header, body []byte) result {
	w.t.Helper()
	c := w.outside()
	r := c.request("POST", route, nil)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Accept-Encoding", "gzip")
	maps.Copy(r.Header, h)
	if host := h.Get("Host"); host != "" {
		r.Host = host
		r.Header.Del("Host")
	}
	return c.send(r)
}

const payV3, refundV3 = "/notify/v3/pay", "/notify/v3/refund"

func (x *teller) sent() result {
	x.w.t.Helper()
	b := x.body()
	return x.w.postV3(payV3, x.headers(b, time.Now()), b)
}

// An acknowledgement of v3 has a status and nothing else that matters: no
// cookie, no compression, no session (P25).
func TestNotifyV3Answer(t *testing.T) {
	w := newWorldV3(t)
	no := w.inside("1").signIn().buy("LJ-50g")
	if p := w.attempt(no); p.API != "v3" || !strings.HasSuffix(p.NotifyURL, payV3) || p.SignType != "" {
		t.Fatalf("attempt by %s, notified at %s, sign type %q", p.API, p.NotifyURL, p.SignType)
	}
	res := w.tells(w.attempt(no)).sent()
	if res.StatusCode != 200 && res.StatusCode != 204 {
		t.Fatalf("true notification = %d %s\n%s", res.StatusCode, res.body, w.log)
	}
	for _, key := range []string{"Set-Cookie", "Content-Encoding", "Location", "Etag"} {
		if v := res.Header.Get(key); v != "" {
			t.Errorf("%s: %s", key, v)
		}
	}
	if res.StatusCode == 204 && res.body != "" {
		t.Errorf("204 with a body: %s", res.body)
	}
	if w.order(no).State != models.Paid {
		t.Errorf("order is %s", w.order(no).State)
	}
}

// forgery bends one thing about a true notification.
type forgery struct {
	name  string
	bend  func(x *teller)                                     // before it is sealed and signed
	after func(h http.Header, b []byte) (http.Header, []byte) // after
}

func withHeader(name, value string) func(http.Header, []byte) (http.Header, []byte) {
	return func(h http.Header, b []byte) (http.Header, []byte) {
		if h.Set(name, value); value == "" {
			h.Del(name)
		}
		return h, b
	}
}

func shifted(by time.Duration) func(x *teller) http.Header {
	return func(x *teller) http.Header { return x.headers(x.body(), time.Now().Add(by)) }
}

// forgeries are refused, X2–X4, X8, P2, P5: nothing in them may be believed.
func forgeries() []forgery {
	again := func(f func(b []byte) []byte) func(http.Header, []byte) (http.Header, []byte) {
		return func(h http.Header, b []byte) (http.Header, []byte) { return h, f(b) }
	}
	res := func(k string, v any) func(*teller) { return func(x *teller) { x.res[k] = v } }
	out := func(k string, v any) func(*teller) { return func(x *teller) { x.outer[k] = v } }
	content := func(k string, v any) func(*teller) { return func(x *teller) { x.content[k] = v } }
	plain := func(s string) func(*teller) { return func(x *teller) { x.plain = []byte(s) } }
	return []forgery{
		{name: "no headers", after: func(h http.Header, b []byte) (http.Header, []byte) { return http.Header{}, b }},
		{name: "from localhost", after: func(h http.Header, b []byte) (http.Header, []byte) {
			return http.Header{"X-Forwarded-For": {"101.226.103.14"}, "Content-Type": {"application/json"}}, b
		}},
		{name: "no timestamp", after: withHeader("Wechatpay-Timestamp", "")},
		{name: "timestamp abc", after: withHeader("Wechatpay-Timestamp", "abc")},
		{name: "another timestamp", after: withHeader("Wechatpay-Timestamp", strconv.FormatInt(time.Now().Unix()-7, 10))},
		{name: "timestamp of 30 digits", after: withHeader("Wechatpay-Timestamp", strings.Repeat("1", 30))},
		{name: "no nonce", after: withHeader("Wechatpay-Nonce", "")},
		{name: "another nonce", after: withHeader("Wechatpay-Nonce", "x")},
		{name: "no serial", after: withHeader("Wechatpay-Serial", "")},
		{name: "unknown serial", after: withHeader("Wechatpay-Serial", strings.Repeat("7A", 20))},
		{name: "unknown public key", after: withHeader("Wechatpay-Serial", "PUB_KEY_ID_0199999999999999")},
		{name: "no signature", after: withHeader("Wechatpay-Signature", "")},
		{name: "signature not base64", after: withHeader("Wechatpay-Signature", "!!!")},
		{name: "signature cut", after: withHeader("Wechatpay-Signature", "AAAA")},
		{name: "signature of nothing", after: withHeader("Wechatpay-Signature", strings.Repeat("A", 342)+"==")},
		{name: "signature probe", after: func(h http.Header, b []byte) (http.Header, []byte) {
			h.Set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/"+h.Get("Wechatpay-Signature"))
			return h, b
		}},
		{name: "another algorithm", after: withHeader("Wechatpay-Signature-Type", "WECHATPAY2-SM2-WITH-SM3")},
		{name: "two signatures", after: func(h http.Header, b []byte) (http.Header, []byte) {
			h.Add("Wechatpay-Signature", h.Get("Wechatpay-Signature"))
			return h, b
		}},
		{name: "one byte flipped", after: again(func(b []byte) []byte { b[len(b)/2] ^= 1; return b })},
		{name: "indented anew", after: again(func(b []byte) []byte {
			var out bytes.Buffer
			_ = json.Indent(&out, b, "", " ")
			return out.Bytes()
		})},
		{name: "cut", after: again(func(b []byte) []byte { return b[:len(b)-1] })},
		{name: "line break after", after: again(func(b []byte) []byte { return append(b, '\n') })},
		{name: "nothing", after: again(func([]byte) []byte { return nil })},
		// From here on the signature holds.
		{name: "nonce of 11", bend: func(x *teller) { x.nonce = "fdasflkja48" }},
		{name: "nonce of 13", bend: func(x *teller) { x.nonce = "fdasflkja4844" }},
		{name: "nonce of none", bend: func(x *teller) { x.nonce = "" }},
		{name: "nonce that is a number", bend: res("nonce", 123456789012)},
		{name: "no resource", bend: out("resource", nil)},
		{name: "resource a text", bend: out("resource", "x")},
		{name: "resource empty", bend: out("resource", map[string]any{})},
		{name: "another cipher", bend: res("algorithm", "AEAD_AES_128_GCM")},
		{name: "no cipher", bend: res("algorithm", "")},
		{name: "ciphertext not base64", bend: res("ciphertext", "***")},
		{name: "ciphertext shorter than its tag", bend: res("ciphertext", "AAAA")},
		{name: "ciphertext empty", bend: res("ciphertext", "")},
		{name: "sealed by another key", bend: func(x *teller) { x.apiKey = strings.Repeat("k", 32) }},
		{name: "sealed by a short key", bend: func(x *teller) { x.apiKey = strings.Repeat("k", 16) }},
		{name: "other associated data", bend: res("associated_data", "refund")},
		{name: "content not JSON", bend: plain("<xml></xml>")},
		{name: "content empty", bend: plain("")},
		{name: "content a list", bend: plain("[]")},
		{name: "content null", bend: plain("null")},
		{name: "content of two", bend: func(x *teller) {
			one, _ := json.Marshal(x.content)
			x.plain = append(one, one...)
		}},
		{name: "content deep", bend: plain(strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000))},
		{name: "not paid", bend: content("trade_state", "NOTPAY")},
		{name: "no state", bend: content("trade_state", "")},
		{name: "no number", bend: content("out_trade_no", "")},
		{name: "no transaction", bend: content("transaction_id", "")},
		{name: "word of a refund", bend: out("event_type", "REFUND.SUCCESS")},
		{name: "of a refund", bend: func(x *teller) {
			x.outer["event_type"] = "REFUND.SUCCESS"
			x.res["original_type"] = "refund"
			x.aad = "refund"
		}},
		{name: "of something else", bend: out("event_type", "PROFITSHARING.SUCCESS")},
	}
}

// A forged notification is refused by its status, with JSON and not a word
// about the inside; nothing changes and nothing panics.
func TestNotifyV3Refused(t *testing.T) {
	w := newWorldV3(t)
	no := w.inside("1").signIn().buy("LJ-50g")
	p, before := w.attempt(no), w.dump()
	check := func(name string, res result) {
		t.Helper()
		if res.StatusCode < 400 || !strings.Contains(res.body, `"FAIL"`) || strings.Contains(res.body, "SUCCESS") {
			t.Errorf("%s = %d %s", name, res.StatusCode, res.body)
		}
		if !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: answered in %s", name, res.Header.Get("Content-Type"))
		}
		if after := w.dump(); !maps.Equal(before, after) {
			t.Fatalf("%s changed something:\n%v\n%v", name, before, after)
		}
	}
	for _, f := range forgeries() {
		for _, route := range []string{payV3, refundV3} {
			x := w.tells(p)
			if f.bend != nil {
				f.bend(x)
			}
			b := x.body()
			h := x.headers(b, time.Now())
			if f.after != nil {
				h, b = f.after(h, b)
			}
			if route == refundV3 && strings.Contains(f.name, "refund") {
				continue
			}
			check(f.name+" at "+route, w.postV3(route, h, b))
		}
	}
	for _, by := range []time.Duration{-300 * time.Second, -301 * time.Second, 301 * time.Second, -24 * time.Hour, 24 * time.Hour} { // X3
		x := w.tells(p)
		check(fmt.Sprint("signed ", by, " from now"), w.postV3(payV3, shifted(by)(x), x.body()))
	}
	check("a payment at the refund route", func() result {
		x := w.tells(p)
		b := x.body()
		return w.postV3(refundV3, x.headers(b, time.Now()), b)
	}())
	check("v2 at the v3 route", w.postV3(payV3, http.Header{"Content-Type": {"text/xml"}}, []byte(w.signed(w.paidFields(p), nil)))) // X8
	if strings.Contains(w.log.String(), "panicked") {
		t.Errorf("something panicked:\n%s", w.log)
	}
	if res := w.tells(p).sent(); res.StatusCode/100 != 2 || w.order(no).State != models.Paid {
		t.Errorf("the true one afterwards = %d %s, order %s", res.StatusCode, res.body, w.order(no).State)
	}
}

// X2, X8, X12: what is refused at the door, before anybody reads it.
func TestNotifyV3Door(t *testing.T) {
	w := newWorldV3(t)
	no := w.inside("1").signIn().buy("LJ-50g")
	p, before := w.attempt(no), w.dump()
	x := w.tells(p)
	b := x.body()
	h := x.headers(b, time.Now())
	with := func(k, v string) http.Header { c := h.Clone(); c.Set(k, v); return c }
	for name, tt := range map[string]struct {
		res    result
		status int
	}{
		"Host of this machine": {w.postV3(payV3, with("Host", "127.0.0.1"), b), 421},
		"Host of evil":         {w.postV3(payV3, with("Host", "evil"), b), 421},
		"compressed":           {w.postV3(payV3, with("Content-Encoding", "gzip"), b), 415},
		"too large":            {w.postV3(payV3, h, append(b, bytes.Repeat([]byte(" "), 1<<20)...)), 413},
		"GET":                  {w.outside().do("GET", payV3, nil), 405},
		"unknown route":        {w.postV3("/notify/v3/transfer", h, b), 404},
	} {
		if tt.res.StatusCode != tt.status {
			t.Errorf("%s = %d %s, want %d", name, tt.res.StatusCode, tt.res.body, tt.status)
		}
	}
	if res := w.post(string(b)); res.StatusCode != 200 || !strings.Contains(res.body, "FAIL") { // X8
		t.Errorf("v3 at the v2 route = %d %s", res.StatusCode, res.body)
	}
	if after := w.dump(); !maps.Equal(before, after) {
		t.Errorf("something changed:\n%v\n%v", before, after)
	}
}

// X5, P6, P7: what verifies but does not fit is kept for a person and
// acknowledged; the order stays unpaid.
func TestNotifyV3DoesNotFit(t *testing.T) {
	amount := func(k string, v any) func(*teller) {
		return func(x *teller) { x.content["amount"].(map[string]any)[k] = v }
	}
	for name, tt := range map[string]struct {
		bend   func(*teller)
		reason string
	}{
		"one fen more":     {amount("total", 10601), "amount"},
		"one fen less":     {amount("total", 10599), "amount"},
		"a hundred times":  {amount("total", 1060000), "amount"},
		"negative":         {amount("total", -10600), "amount"},
		"with a point":     {amount("total", json.RawMessage("10600.0")), "amount"},
		"as a text":        {amount("total", "10600"), "amount"},
		"dollars":          {amount("currency", "USD"), "currency"},
		"another app":      {func(x *teller) { x.content["appid"] = "wxf00000000000beef" }, "appid"},
		"another merchant": {func(x *teller) { x.content["mchid"] = "1900009999" }, "mchid"},
		"another payer":    {func(x *teller) { x.content["payer"] = map[string]any{"openid": "oSomebodyElse"} }, "openid"},
		"another channel":  {func(x *teller) { x.content["trade_type"] = "NATIVE" }, "trade_type"},
		"unknown number":   {func(x *teller) { x.content["out_trade_no"] = "P261119NOTOURSNOTOURS1" }, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorldV3(t)
			no := w.inside("1").signIn().buy("LJ-50g")
			for range 2 {
				x := w.tells(w.attempt(no))
				tt.bend(x)
				if res := x.sent(); res.StatusCode/100 != 2 {
					t.Fatalf("answer %d %s\n%s", res.StatusCode, res.body, w.log)
				}
			}
			ms, err := w.store.Misfits(t.Context(), true, 0, 10)
			if err != nil || len(ms) != 1 || ms[0].Reason != tt.reason {
				t.Errorf("payments to check: %+v, %v, want one for %s", ms, err, tt.reason)
			}
			if s := w.order(no).State; s != models.Unpaid {
				t.Errorf("order is %s", s)
			}
			if strings.Contains(w.log.String(), w.attempt(no).OpenID) { // P20
				t.Error("the log has a whole openid")
			}
		})
	}
}

// P9, X6: the same notification a hundred times at once is one event.
func TestNotifyV3Hundred(t *testing.T) {
	w := newWorldV3(t)
	no := w.inside("1").signIn().buy("LJ-50g")
	x := w.tells(w.attempt(no))
	b := x.body()
	h := x.headers(b, time.Now())
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if res := w.postV3(payV3, h, b); res.StatusCode/100 != 2 {
				t.Errorf("answer %d %s", res.StatusCode, res.body)
			}
		})
	}
	wg.Wait()
	if d, err := w.store.Dossier(t.Context(), no); err != nil || events(d, "paid") != 1 {
		t.Errorf("%d events paid, %v, want 1", events(d, "paid"), err)
	}
}

func events(d *models.Dossier, kind string) int {
	n := 0
	for _, e := range d.Events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// A notification in the other version's form than its payment was made with
// settles nothing by itself: WeChat is asked by the payment's own version.
func TestNotifyCrossed(t *testing.T) {
	w := newWorldV3(t)
	no := w.inside("1").signIn().buy("LJ-50g")
	p := w.attempt(no)
	before := w.dump()
	if res := w.post(w.signed(w.paidFields(p), nil)); !strings.Contains(res.body, "FAIL") || w.order(no).State != models.Unpaid {
		t.Errorf("v2 word of an unpaid v3 order = %s, order %s", res.body, w.order(no).State) // an old v2 key pays nothing
	}
	for _, table := range []string{"misfits", "refunds", "skus"} {
		if after := w.dump(); after[table] != before[table] {
			t.Errorf("%s changed", table)
		}
	}
	w.net.set("localhost:8080", http.NotFoundHandler()) // WeChat's own notification is lost
	if code := w.api("POST", "transactions/"+p.OutTradeNo+"/pay", map[string]string{}, nil); code != 200 {
		t.Fatalf("paying = %d", code)
	}
	if res := w.post(w.signed(w.paidFields(p), nil)); res.body != accepted {
		t.Errorf("v2 word of a paid v3 order = %s", res.body)
	}
	if d, err := w.store.Dossier(t.Context(), no); err != nil || d.Order.State != models.Paid || events(d, "paid") != 1 || *d.Payments[0].TransactionID == "4200002468202611195730281946" {
		t.Errorf("order %s with %d events, paid as %s, %v: want what WeChat said when asked", d.Order.State, events(d, "paid"), *d.Payments[0].TransactionID, err)
	}
}
