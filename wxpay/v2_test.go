package wxpay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
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
	return Config{AppID: testApp, MchID: testMch, APIKey: vectorKey, Hosts: hosts, Timeout: 2 * time.Second}
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

func TestTradeTypes(t *testing.T) {
	tests := []struct {
		trade  TradeType
		answer field
		wants  field
	}{
		{Native, field{"code_url", "weixin://wxpay/bizpayurl?pr=NwY5Mz9"}, field{"product_id", testNo}},
		{H5, field{"mweb_url", "https://wx.tenpay.com/x?a=1&b=2"}, field{"scene_info", `{"h5_info":{"type":"Wap","wap_url":"https://shop.example.com","wap_name":"shop.example.com"}}`}},
		{App, field{"x", "1"}, field{"trade_type", "APP"}},
	}
	for _, tt := range tests {
		g := newGateway(t, always(signedAnswer(message{{"result_code", "SUCCESS"}, {"prepay_id", "wx06"}, tt.answer}, HMACSHA256, vectorKey)))
		o := testOrder()
		o.TradeType, o.OpenID = tt.trade, ""
		p, err := newTestClient(t, testConfig(g.URL)).Prepay(t.Context(), o)
		if err != nil {
			t.Errorf("%s: %v", tt.trade, err)
			continue
		}
		if got := p.CodeURL + p.H5URL; tt.trade != App && got != tt.answer.value {
			t.Errorf("%s: pay with %q, want %q", tt.trade, got, tt.answer.value)
		}
		if got := g.requests()[0].get(tt.wants.name); got != tt.wants.value {
			t.Errorf("%s: %s = %q, want %q", tt.trade, tt.wants.name, got, tt.wants.value)
		}
		lacking := newGateway(t, always(placed()))
		if _, err := newTestClient(t, testConfig(lacking.URL)).Prepay(t.Context(), o); tt.trade != App && !IsUnknown(err) {
			t.Errorf("%s without its URL = %v, want an unknown outcome", tt.trade, err)
		}
	}
}

// A service provider orders for a sub merchant under the sub merchant's app.
func TestServiceProvider(t *testing.T) {
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request, m message) {
		a := message{{"result_code", "SUCCESS"}, {"prepay_id", "wx06"}, {"sub_mch_id", "1900000002"}}
		io.WriteString(w, signedAnswer(a, HMACSHA256, vectorKey))
	})
	cfg := testConfig(g.URL)
	cfg.SubMchID, cfg.SubAppID = "1900000002", "wxf000000000000009"
	c := newTestClient(t, cfg)
	if _, err := c.Prepay(t.Context(), testOrder()); err != nil {
		t.Fatal(err)
	}
	m := g.requests()[0]
	if m.get("sub_mch_id") != cfg.SubMchID || m.get("sub_appid") != cfg.SubAppID || m.get("sub_openid") != testOrder().OpenID || m.get("openid") != "" {
		t.Errorf("request %v", m)
	}
	if p, err := c.Bridge("wx06", "", time.Now()); err != nil || p.AppID != cfg.SubAppID {
		t.Errorf("Bridge = %+v, %v; want the sub app id", p, err)
	}
	cfg.SubMchID = "1900000003"
	if _, err := newTestClient(t, cfg).Prepay(t.Context(), testOrder()); !IsUnknown(err) {
		t.Errorf("an answer for another sub merchant = %v, want unknown", err)
	}
}

func TestOrderIsCheckedHere(t *testing.T) {
	c := newTestClient(t, Config{AppID: testApp, MchID: testMch, APIKey: vectorKey, Transport: noNetwork{t}})
	tests := []struct {
		name   string
		change func(*Order)
	}{
		{"number too short", func(o *Order) { o.OutTradeNo = "P2345" }},
		{"number too long", func(o *Order) { o.OutTradeNo = strings.Repeat("1", 33) }},
		{"number with @", func(o *Order) { o.OutTradeNo = "P23456@" }},
		{"nothing to pay", func(o *Order) { o.Total = 0 }},
		{"less than nothing", func(o *Order) { o.Total = -1 }},
		{"JSAPI without a payer", func(o *Order) { o.OpenID = "" }},
		{"no address", func(o *Order) { o.ClientIP = "" }},
		{"forwarded list", func(o *Order) { o.ClientIP = "1.2.3.4, 5.6.7.8" }},
		{"notify URL relative", func(o *Order) { o.NotifyURL = "/notify" }},
		{"notify URL with a query", func(o *Order) { o.NotifyURL += "?a=1" }},
		{"attach too long", func(o *Order) { o.Attach = strings.Repeat("茶", 43) }},
		{"attach with a control character", func(o *Order) { o.Attach = "a\x01" }},
		{"attach not UTF-8", func(o *Order) { o.Attach = "\xff" }},
		{"expires before it starts", func(o *Order) { o.Expire = o.Start }},
		{"micropay", func(o *Order) { o.TradeType = Micropay }},
		{"no trade type", func(o *Order) { o.TradeType = "" }},
		{"unknown sign type", func(o *Order) { o.SignType = "SHA1" }},
	}
	for _, tt := range tests {
		o := testOrder()
		tt.change(&o)
		if _, err := c.Prepay(t.Context(), o); err == nil || IsUnknown(err) {
			t.Errorf("%s: %v, want a definite refusal", tt.name, err)
		}
	}
	if _, err := c.Query(t.Context(), "no", ""); err == nil || IsUnknown(err) {
		t.Errorf("Query of a bad number: %v", err)
	}
	if err := c.Close(t.Context(), "no", ""); err == nil || IsUnknown(err) {
		t.Errorf("Close of a bad number: %v", err)
	}
	if _, err := c.Bridge("", "", time.Now()); err == nil {
		t.Error("Bridge without a prepay id")
	}
	if _, err := c.Bridge("wx06", "SHA1", time.Now()); err == nil {
		t.Error("Bridge with an unknown sign type")
	}
}

// noNetwork fails the test that uses it.
type noNetwork struct{ t testing.TB }

func (n noNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("unexpected request to %s", r.URL)
	return nil, errors.New("no network")
}

func TestDescription(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "腾讯充值中心-QQ会员充值", "腾讯充值中心-QQ会员充值"},
		{"emoji, joiner, selector", "茶\u200d🍵\ufe0f叶👨‍👩‍👧", "茶叶"},
		{"control characters", "a\x00b\nc\x7fd\u0085e", "abcde"},
		{"not UTF-8", "a\xffb", "ab"},
		{"only emoji", "🍵", "商品"},
		{"empty", "", "商品"},
		{"cut on a character", strings.Repeat("茶", 43), strings.Repeat("茶", 42)},
		{"cut to 127", strings.Repeat("a", 200), strings.Repeat("a", 127)},
		{"blanks around", " 茶 ", "茶"},
	}
	for _, tt := range tests {
		if got := cleanDescription(tt.in); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
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

// Error tables of WeChat Pay v2: unifiedorder, orderquery, closeorder, and the
// bodies seen in practice.
func TestAnswersThatRefuse(t *testing.T) {
	sentinelsOf := []error{ErrSignature, ErrNoSuchOrder, ErrAlreadyPaid, ErrClosed, ErrNumberUsed, ErrFrequency, ErrBadNotify}
	tests := []struct {
		name, body string
		code       string
		is         error // the only sentinel that matches
		unknown    bool
	}{
		{name: "INVALID_REQUEST", body: business("INVALID_REQUEST", "参数错误"), code: "INVALID_REQUEST"},
		{name: "INVALID_REQUEST, re-entry", body: business("INVALID_REQUEST", "请求重入时，参数与首次请求时不一致"), code: "INVALID_REQUEST", is: ErrNumberUsed},
		{name: "PARAM_ERROR", body: business("PARAM_ERROR", "appid和openid不匹配"), code: "PARAM_ERROR"},
		{name: "NOAUTH", body: business("NOAUTH", "商户无此接口权限"), code: "NOAUTH"},
		{name: "NOTENOUGH", body: business("NOTENOUGH", "余额不足"), code: "NOTENOUGH"},
		{name: "ORDERPAID", body: business("ORDERPAID", "该订单已支付"), code: "ORDERPAID", is: ErrAlreadyPaid},
		{name: "ORDERCLOSED", body: business("ORDERCLOSED", "订单已关闭"), code: "ORDERCLOSED", is: ErrClosed},
		{name: "SYSTEMERROR", body: business("SYSTEMERROR", "system error"), code: "SYSTEMERROR", unknown: true},
		{name: "BIZERR_NEED_RETRY", body: business("BIZERR_NEED_RETRY", "retry"), code: "BIZERR_NEED_RETRY", unknown: true},
		{name: "APPID_NOT_EXIST", body: business("APPID_NOT_EXIST", "-"), code: "APPID_NOT_EXIST"},
		{name: "MCHID_NOT_EXIST", body: business("MCHID_NOT_EXIST", "-"), code: "MCHID_NOT_EXIST"},
		{name: "APPID_MCHID_NOT_MATCH", body: business("APPID_MCHID_NOT_MATCH", "-"), code: "APPID_MCHID_NOT_MATCH"},
		{name: "LACK_PARAMS", body: business("LACK_PARAMS", "缺少参数"), code: "LACK_PARAMS"},
		{name: "OUT_TRADE_NO_USED", body: business("OUT_TRADE_NO_USED", "201 商户订单号重复"), code: "OUT_TRADE_NO_USED", is: ErrNumberUsed},
		{name: "SIGNERROR", body: business("SIGNERROR", "签名错误"), code: "SIGNERROR"},
		{name: "XML_FORMAT_ERROR", body: business("XML_FORMAT_ERROR", "-"), code: "XML_FORMAT_ERROR"},
		{name: "REQUIRE_POST_METHOD", body: business("REQUIRE_POST_METHOD", "-"), code: "REQUIRE_POST_METHOD"},
		{name: "POST_DATA_EMPTY", body: business("POST_DATA_EMPTY", "-"), code: "POST_DATA_EMPTY"},
		{name: "NOT_UTF8", body: business("NOT_UTF8", "-"), code: "NOT_UTF8"},
		{name: "ORDERNOTEXIST", body: business("ORDERNOTEXIST", "订单不存在"), code: "ORDERNOTEXIST", is: ErrNoSuchOrder},
		{name: "TRADE_STATE_ERROR", body: business("TRADE_STATE_ERROR", "-"), code: "TRADE_STATE_ERROR"},
		{name: "FREQUENCY_LIMITED", body: business("FREQUENCY_LIMITED", "频率限制"), code: "FREQUENCY_LIMITED", is: ErrFrequency},
		{name: "a code of tomorrow", body: business("BRAND_NEW", "?"), code: "BRAND_NEW"},
		{name: "no code", body: business("", ""), unknown: true},

		{name: "bad sign", body: protocolFail("签名错误")},
		{name: "bad sign, later text", body: protocolFail("签名错误，请检查后再试")},
		{name: "missing parameter", body: protocolFail("缺少参数")},
		{name: "malformed value", body: protocolFail("mch_id参数格式错误")},
		{name: "app and merchant", body: protocolFail("appid和mch_id不匹配")},
		{name: "XML format", body: protocolFail("XML格式错误")},
		{name: "expiry too short", body: protocolFail("time_expire时间过短，刷卡至少1分钟，其他5分钟")},
		{name: "payer's address", body: protocolFail("invalid spbill_create_ip")},
		{name: "not POST", body: protocolFail("请使用post方法")},
		{name: "system error, form 1", body: protocolFail("system error"), unknown: true},
		{name: "busy", body: protocolFail("系统繁忙，请稍后再试"), unknown: true},
		{name: "refusal without a word", body: protocolFail(""), unknown: true},

		{name: "system error, form 2, unsigned", body: unsigned("FAIL", "SYSTEMERROR"), code: "SYSTEMERROR", is: ErrSignature, unknown: true},
		{name: "paid, unsigned", body: unsigned("FAIL", "ORDERPAID"), code: "ORDERPAID", is: ErrSignature, unknown: true},
		{name: "no such order, unsigned", body: unsigned("FAIL", "ORDERNOTEXIST"), code: "ORDERNOTEXIST", is: ErrSignature, unknown: true},
		{name: "closed, unsigned", body: unsigned("FAIL", "ORDERCLOSED"), code: "ORDERCLOSED", is: ErrSignature, unknown: true},
	}
	for _, tt := range tests {
		c := newTestClient(t, testConfig(newGateway(t, always(tt.body)).URL))
		_, prepay := c.Prepay(t.Context(), testOrder())
		_, query := c.Query(t.Context(), testNo, "")
		shut := c.Close(t.Context(), testNo, "")
		for op, err := range map[string]error{opPlace: prepay, opQuery: query, opClose: shut} {
			if op == opClose && tt.is == ErrClosed {
				if err != nil {
					t.Errorf("%s: closing a closed order: %v", tt.name, err)
				}
				continue
			}
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Op != op || e.Code != tt.code || e.Unknown != tt.unknown || IsUnknown(fmt.Errorf("order: %w", err)) != tt.unknown {
				t.Errorf("%s: %s: %#v, want code %q, unknown %t", tt.name, op, err, tt.code, tt.unknown)
			}
			for _, s := range sentinelsOf {
				if got := errors.Is(err, s); got != (s == tt.is) {
					t.Errorf("%s: %s: errors.Is(%v, %v) = %t", tt.name, op, err, s, got)
				}
			}
		}
	}
}

func protocolFail(text string) string {
	return "<xml><return_code><![CDATA[FAIL]]></return_code>\n<return_msg><![CDATA[" + text + "]]></return_msg>\n</xml>"
}

func unsigned(result, code string) string {
	return "<xml><return_code><![CDATA[SUCCESS]]></return_code>\n<return_msg><![CDATA[OK]]></return_msg>\n<result_code><![CDATA[" +
		result + "]]></result_code>\n<err_code><![CDATA[" + code + "]]></err_code>\n</xml>"
}

// P22, and "never failed": whatever is wrong with an answer, the outcome is
// unknown and the next try carries the same number.
func TestAnswersThatSayNothing(t *testing.T) {
	ok := placed()
	paid := message{{"result_code", "SUCCESS"}, {"prepay_id", "wx06"}, {"out_trade_no", testNo}, {"trade_state", "SUCCESS"}, {"transaction_id", "42"}, {"total_fee", "888"}}
	tests := []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request, message)
	}{
		{"unsigned success", always(unsigned("SUCCESS", ""))},
		{"success with an empty sign", always(string(encode(append(paid, field{"return_code", "SUCCESS"}, field{"sign", ""}))))},
		{"MD5 where HMAC was asked", always(signedAnswer(paid, MD5, vectorKey))}, // X7
		{"another key", always(signedAnswer(paid, HMACSHA256, strings.Repeat("k", 32)))},
		{"one flipped digit", always(strings.Replace(ok, "wx06", "wx07", 1))},
		{"sign_type that disagrees", always(signedAnswer(append(paid, field{"sign_type", "MD5"}), HMACSHA256, vectorKey))},
		{"no result_code", always(signedAnswer(message{{"prepay_id", "wx06"}}, HMACSHA256, vectorKey))},
		{"no return_code", always("<xml><prepay_id>wx06</prepay_id></xml>")},
		{"sandbox retmsg", always("<xml><retmsg>x</retmsg><retcode>1</retcode></xml>")},
		{"HTML", always("<html><body>502 Bad Gateway</body></html>")},
		{"empty", always("")},
		{"JSON", always(`{"code":"SUCCESS"}`)},
		{"cut", always(ok[:len(ok)-20])},
		{"cut by the connection", func(w http.ResponseWriter, _ *http.Request, _ message) {
			w.Header().Set("Content-Length", fmt.Sprint(len(ok)))
			io.WriteString(w, ok[:40])
		}},
		{"reset", func(http.ResponseWriter, *http.Request, message) { panic(http.ErrAbortHandler) }},
		{"500", func(w http.ResponseWriter, _ *http.Request, _ message) {
			w.WriteHeader(500)
			io.WriteString(w, ok)
		}},
		{"404", func(w http.ResponseWriter, _ *http.Request, _ message) {
			w.WriteHeader(404)
			io.WriteString(w, ok)
		}},
		{"redirect", func(w http.ResponseWriter, r *http.Request, _ message) {
			http.Redirect(w, r, "/pay/elsewhere", http.StatusTemporaryRedirect)
		}},
		{"too long", always(strings.Replace(ok, "</xml>", strings.Repeat("\n", maxAnswer)+"</xml>", 1))},
		{"for another app", always(string(encode(signed(message{{"return_code", "SUCCESS"}, {"result_code", "SUCCESS"}, {"prepay_id", "wx06"},
			{"appid", "wx9999999999999999"}, {"mch_id", testMch}}, HMACSHA256, vectorKey))))},
		{"for another merchant", always(string(encode(signed(message{{"return_code", "SUCCESS"}, {"result_code", "SUCCESS"}, {"prepay_id", "wx06"},
			{"appid", testApp}, {"mch_id", "1900000110"}}, HMACSHA256, vectorKey))))},
		{"for nobody", always(string(encode(signed(message{{"return_code", "SUCCESS"}, {"result_code", "SUCCESS"}, {"prepay_id", "wx06"}}, HMACSHA256, vectorKey))))},
		{"timeout", func(w http.ResponseWriter, r *http.Request, _ message) { <-r.Context().Done() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, tt.answer)
			g.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
			cfg := testConfig(g.URL)
			cfg.Timeout = 200 * time.Millisecond
			c := newTestClient(t, cfg)
			_, prepay := c.Prepay(t.Context(), testOrder())
			_, again := c.Prepay(t.Context(), testOrder())
			_, query := c.Query(t.Context(), testNo, "")
			shut := c.Close(t.Context(), testNo, "")
			for op, err := range map[string]error{"prepay": prepay, "again": again, "query": query, "close": shut} {
				if !IsUnknown(err) {
					t.Errorf("%s: %v, want an unknown outcome", op, err)
				}
			}
			for _, m := range g.requests() {
				if m.get("out_trade_no") != testNo {
					t.Errorf("asked with number %q, want %q", m.get("out_trade_no"), testNo)
				}
			}
			if n := len(g.requests()); n != 4 {
				t.Errorf("%d requests, want 4", n)
			}
		})
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
			x, err := c.Query(t.Context(), testNo, sign)
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

func TestContextIsHonoured(t *testing.T) {
	release := make(chan struct{})
	g := newGateway(t, func(http.ResponseWriter, *http.Request, message) { <-release })
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := newTestClient(t, testConfig(g.URL)).Query(ctx, testNo, "")
	if !IsUnknown(err) || !errors.Is(err, context.Canceled) {
		t.Errorf("Query = %v, want unknown and context.Canceled", err)
	}
}
