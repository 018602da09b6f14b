package wxpay

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// gateway is the other side: a server that answers what a test tells it to,
// and keeps what it was sent.
type gateway struct {
	*httptest.Server
	mu     sync.Mutex
	got    []message
	bodies []string
	answer func(w http.ResponseWriter, r *http.Request, m message)
}

func newGateway(t *testing.T, answer func(http.ResponseWriter, *http.Request, message)) *gateway {
	t.Helper()
	g := &gateway{answer: answer}
	g.Server = httptest.NewUnstartedServer(g)
	g.Config.ErrorLog = quiet()
	g.Start()
	t.Cleanup(g.Close)
	return g
}

// sent are the bodies of the requests so far.
func (g *gateway) sent() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.bodies...)
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m, _ := decode(string(body), maxAnswer, nil)
	g.mu.Lock()
	g.got, g.bodies = append(g.got, m), append(g.bodies, string(body))
	g.mu.Unlock()
	g.answer(w, r, m)
}

func (g *gateway) requests() []message {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]message(nil), g.got...)
}

const (
	testApp = "wx8888888888888888"
	testMch = "1900000109"
	testNo  = "20250806125346_01"
)

func testConfig(hosts ...string) Config {
	return Config{AppID: testApp, MchID: testMch, APIKey: vectorKey, Hosts: hosts, Timeout: 10 * time.Second}
}

func newTestClient(t testing.TB, c Config) *V2Client {
	t.Helper()
	client, err := NewV2(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func testOrder() Order {
	return Order{
		OutTradeNo: testNo, TradeType: JSAPI, Description: "测试店-图书 & <茶> 🍵", Attach: "a=1&b=2", Total: 888,
		OpenID: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", ClientIP: "::ffff:123.12.12.123",
		NotifyURL: "https://shop.example.com/wxpay/notify",
		Start:     time.Date(2025, 8, 6, 4, 53, 46, 0, time.UTC),
		Expire:    time.Date(2025, 8, 6, 5, 23, 46, 0, time.UTC),
	}
}

// signedAnswer is an answer of the gateway, signed by the request's algorithm.
func signedAnswer(m message, t SignType, key string) string {
	m = append(m, field{"return_code", "SUCCESS"}, field{"appid", testApp}, field{"mch_id", testMch}, field{"nonce_str", "IITRi8Iabbblz1Jc"})
	return string(encode(signed(m, t, key)))
}

func business(code, text string) string {
	return signedAnswer(message{{"result_code", "FAIL"}, {"err_code", code}, {"err_code_des", text}}, HMACSHA256, vectorKey)
}

func placed() string {
	return signedAnswer(message{{"result_code", "SUCCESS"}, {"prepay_id", "wx0612534600"}, {"trade_type", "JSAPI"}}, HMACSHA256, vectorKey)
}

func always(body string) func(http.ResponseWriter, *http.Request, message) {
	return func(w http.ResponseWriter, _ *http.Request, _ message) { io.WriteString(w, body) }
}

func TestPrepaySends(t *testing.T) {
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request, m message) {
		if r.Method != http.MethodPost || r.URL.Path != "/odd/pay/unifiedorder" {
			t.Errorf("%s %s, want POST /odd/pay/unifiedorder", r.Method, r.URL.Path)
		}
		if v, ok := r.Header["Idempotency-Key"]; ok {
			t.Errorf("Idempotency-Key %q was sent", v)
		}
		io.WriteString(w, placed())
	})
	c := newTestClient(t, testConfig(g.URL+"/odd/"))
	p, err := c.Prepay(t.Context(), testOrder())
	if err != nil || p.PrepayID != "wx0612534600" {
		t.Fatalf("Prepay = %+v, %v", p, err)
	}
	m := g.requests()[0]
	if err := c.keys.verify(m, HMACSHA256); err != nil {
		t.Errorf("our own request does not verify: %v", err)
	}
	want := map[string]string{
		"appid": testApp, "mch_id": testMch, "sign_type": "HMAC-SHA256", "body": "测试店-图书 & <茶>", "attach": "a=1&b=2",
		"out_trade_no": testNo, "total_fee": "888", "fee_type": "CNY", "spbill_create_ip": "123.12.12.123",
		"time_start": "20250806125346", "time_expire": "20250806132346", "trade_type": "JSAPI",
		"notify_url": "https://shop.example.com/wxpay/notify", "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
	}
	for name, value := range want {
		if got := m.get(name); got != value {
			t.Errorf("%s = %q, want %q", name, got, value)
		}
	}
	if n := len(m.get("nonce_str")); n < 16 || n > 32 || len(m) != len(want)+2 {
		t.Errorf("nonce of %d characters, %d fields: %v", n, len(m), m)
	}
}

func TestPrepaySaysTheSameAgain(t *testing.T) {
	g := newGateway(t, always(placed()))
	c := newTestClient(t, testConfig(g.URL))
	for range 2 {
		if _, err := c.Prepay(t.Context(), testOrder()); err != nil {
			t.Fatal(err)
		}
	}
	got := g.requests()
	for i, f := range got[0] {
		if again := got[1][i]; again != f && f.name != "nonce_str" && f.name != "sign" {
			t.Errorf("%s was %q, then %q: another order to WeChat", f.name, f.value, again.value)
		}
	}
	if got[0].get("nonce_str") == got[1].get("nonce_str") {
		t.Error("the nonce repeats")
	}
}

func TestBridge(t *testing.T) {
	c := newTestClient(t, testConfig())
	for _, sign := range []SignType{"", HMACSHA256, MD5} {
		p, err := c.Bridge("wx06125346000000a1b2c3d4e5f6a7b80000", sign, time.Unix(1754456027, 999))
		if err != nil {
			t.Fatal(err)
		}
		want := c.signType(sign)
		if p.AppID != testApp || p.TimeStamp != "1754456027" || p.Package != "prepay_id=wx06125346000000a1b2c3d4e5f6a7b80000" || p.SignType != string(want) {
			t.Errorf("Bridge = %+v", p)
		}
		if p.PaySign != bridgeSign(p, want, vectorKey) || len(p.PaySign) != want.hexLen() {
			t.Errorf("paySign %s does not fit", p.PaySign)
		}
	}
}

func TestPrepayWithoutPrepayID(t *testing.T) {
	g := newGateway(t, always(signedAnswer(message{{"result_code", "SUCCESS"}}, HMACSHA256, vectorKey)))
	if p, err := newTestClient(t, testConfig(g.URL)).Prepay(t.Context(), testOrder()); !IsUnknown(err) {
		t.Errorf("Prepay = %+v, %v, want an unknown outcome", p, err)
	}
}

func TestQuery(t *testing.T) {
	paid := fieldsOf(t, v7Text, strings.Fields(v7Fields)...)
	unpaid := message{{"device_info", ""}, {"result_code", "SUCCESS"}, {"out_trade_no", testNo}, {"total_fee", "888"}, {"trade_state_desc", "订单未支付"}}
	tests := []struct {
		name    string
		fields  message
		state   TradeState
		unknown bool
		total   int64
	}{
		{name: "paid", fields: paid, state: Success, total: 888},
		{name: "refunded, so it was paid", fields: paid, state: Refunded, total: 888},
		{name: "unpaid", fields: unpaid, state: NotPay, total: 888},
		{name: "closed", fields: unpaid, state: Closed, total: 888},
		{name: "a state of tomorrow", fields: unpaid, state: "ACCEPT", total: 888},
		{name: "no state", fields: paid, unknown: true},
		{name: "another order", fields: replaced(paid, "out_trade_no", "20250806125346_02"), state: Success, unknown: true},
		{name: "paid without a transaction", fields: replaced(paid, "transaction_id", ""), state: Success, unknown: true},
		{name: "paid without an amount", fields: replaced(paid, "total_fee", ""), state: Success, total: -1},
		{name: "paid with a strange amount", fields: replaced(paid, "total_fee", "8.88"), state: Success, total: -1},
	}
	for _, tt := range tests {
		for _, sign := range []SignType{MD5, HMACSHA256} {
			m := replaced(tt.fields, "return_code", "SUCCESS")
			m = replaced(m, "trade_state", string(tt.state))
			m = replaced(replaced(m, "appid", testApp), "mch_id", testMch)
			c := newTestClient(t, testConfig(newGateway(t, always(string(encode(signed(m, sign, vectorKey))))).URL))
			x, err := c.Query(t.Context(), Ref{OutTradeNo: testNo, SignType: sign})
			if IsUnknown(err) != tt.unknown || err != nil && !tt.unknown {
				t.Errorf("%s: %v, want unknown %t", tt.name, err, tt.unknown)
				continue
			}
			if err == nil && (x.State != tt.state || x.Total != tt.total || x.SignType != sign || x.OutTradeNo != testNo) {
				t.Errorf("%s: %+v", tt.name, x)
			}
		}
	}
}

// The answer of the protocol notes, byte for byte, with its HMAC of vector V5.
func TestPrepayReadsTheSample(t *testing.T) {
	const sample = `<xml><return_code><![CDATA[SUCCESS]]></return_code>
<return_msg><![CDATA[OK]]></return_msg>
<result_code><![CDATA[SUCCESS]]></result_code>
<mch_id><![CDATA[1900000109]]></mch_id>
<appid><![CDATA[wx8888888888888888]]></appid>
<nonce_str><![CDATA[IITRi8Iabbblz1Jc]]></nonce_str>
<sign><![CDATA[3B38C9F4A99D1794F90CCE6F05CBFBD29053EF2B9A7672FDD894EB67B5D599FD]]></sign>
<prepay_id><![CDATA[wx06125346000000a1b2c3d4e5f6a7b80000]]></prepay_id>
<trade_type><![CDATA[JSAPI]]></trade_type>
</xml>
`
	c := newTestClient(t, testConfig(newGateway(t, always(sample)).URL))
	p, err := c.Prepay(t.Context(), testOrder())
	if err != nil || p.PrepayID != "wx06125346000000a1b2c3d4e5f6a7b80000" {
		t.Errorf("Prepay = %+v, %v", p, err)
	}
}

// While the API key is replaced, the gateway knows only the new one.
func TestKeyIsReplaced(t *testing.T) {
	next := strings.Repeat("n", 32)
	g := newGateway(t, func(w http.ResponseWriter, _ *http.Request, m message) {
		if newKeyring(next, "").verify(m, HMACSHA256) != nil {
			io.WriteString(w, protocolFail("签名错误"))
			return
		}
		io.WriteString(w, signedAnswer(message{{"result_code", "SUCCESS"}, {"prepay_id", "wx06"}}, HMACSHA256, next))
	})
	cfg := testConfig(g.URL)
	cfg.NextAPIKey = next
	c := newTestClient(t, cfg)
	for range 2 {
		if _, err := c.Prepay(t.Context(), testOrder()); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(g.requests()); n != 3 { // refused, again with the next key, at once with the next key
		t.Errorf("%d requests, want 3", n)
	}
	if p, _ := c.Bridge("wx06", "", time.Now()); p.PaySign != bridgeSign(p, HMACSHA256, next) {
		t.Error("the bridge still signs with the old key")
	}
	both := newTestClient(t, func() Config { c := testConfig(g.URL); c.NextAPIKey = strings.Repeat("m", 32); return c }())
	if _, err := both.Prepay(t.Context(), testOrder()); err == nil || IsUnknown(err) {
		t.Errorf("with two wrong keys: %v, want a definite refusal", err)
	}
}

// A next key that nobody has confirmed yet is not moved to.
func TestKeyIsKeptWhenNothingIsKnown(t *testing.T) {
	next := strings.Repeat("n", 32)
	g := newGateway(t, func(w http.ResponseWriter, _ *http.Request, m message) {
		if newKeyring(next, "").verify(m, HMACSHA256) == nil {
			io.WriteString(w, "<html>busy")
			return
		}
		io.WriteString(w, protocolFail("签名错误"))
	})
	cfg := testConfig(g.URL)
	cfg.NextAPIKey = next
	c := newTestClient(t, cfg)
	if _, err := c.Prepay(t.Context(), testOrder()); !IsUnknown(err) {
		t.Errorf("Prepay = %v, want an unknown outcome", err)
	}
	if _, key := c.keys.current(); key != vectorKey {
		t.Error("moved to a key on the word of an error page")
	}
}

func TestContextIsHonoured(t *testing.T) {
	release := make(chan struct{})
	g := newGateway(t, func(http.ResponseWriter, *http.Request, message) { <-release })
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := newTestClient(t, testConfig(g.URL)).Query(ctx, Ref{OutTradeNo: testNo})
	if !IsUnknown(err) || !errors.Is(err, context.Canceled) {
		t.Errorf("Query = %v, want unknown and context.Canceled", err)
	}
}
