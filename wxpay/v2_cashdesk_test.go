package wxpay

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const testCode18 = "134567890123456789"

// charged is the answer to a micropay that worked.
func charged(t *testing.T) message {
	t.Helper()
	m := without(notice(t), "nonce_str")
	return replaced(m, "trade_type", "MICROPAY")
}

func TestMicropay(t *testing.T) {
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request, m message) {
		if r.URL.Path != "/pay/micropay" {
			t.Errorf("asked %s", r.URL.Path)
		}
		echoing(charged(t))(w, r, m)
	})
	o := testOrder()
	o.OpenID, o.NotifyURL, o.ClientIP, o.TradeType = "", "", "", ""
	x, err := newTestClient(t, testConfig(g.URL)).Micropay(t.Context(), o, testCode18)
	if err != nil || x.State != Success || x.TradeType != Micropay || x.Total != 888 || x.Cash != 788 || x.OutTradeNo != testNo ||
		x.TransactionID != "4200000001202508061234567890" || x.OpenID != "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" || x.SignType != HMACSHA256 {
		t.Errorf("Micropay = %+v, %v", x, err)
	}
	want := map[string]string{
		"appid": testApp, "mch_id": testMch, "auth_code": testCode18, "body": "测试店-图书 & <茶>", "attach": "a=1&b=2", "fee_type": "CNY",
		"out_trade_no": testNo, "spbill_create_ip": "127.0.0.1", "time_start": "20250806125346", "time_expire": "20250806132346",
		"total_fee": "888", "sign_type": "HMAC-SHA256",
	}
	m := g.requests()[0]
	for name, value := range want {
		if m.get(name) != value {
			t.Errorf("%s = %q, want %q", name, m.get(name), value)
		}
	}
	if len(m) != len(want)+2 {
		t.Errorf("%d fields: %v", len(m), m)
	}
}

// The classes of micropay's error table: unknown (poll), new code, declined,
// state of the order, settings, mistakes of ours.
func TestMicropayRefused(t *testing.T) {
	all := []error{ErrUserPaying, ErrAuthCode, ErrDeclined, ErrAlreadyPaid, ErrClosed, ErrReversed, ErrNumberUsed, ErrAccount, ErrNotEnough, ErrSignature}
	tests := []struct {
		code, text string
		is         error
		unknown    bool
	}{
		{"USERPAYING", "需要用户输入支付密码", ErrUserPaying, true},
		{"SYSTEMERROR", "-", nil, true},
		{"BANKERROR", "-", nil, true},
		{"AUTH_CODE_INVALID", "101 付款码无效，请重新扫码", ErrAuthCode, false},
		{"AUTH_CODE_INVALID", "101 付款码已过期，请退出重试", ErrAuthCode, false},
		{"AUTH_CODE_INVALID", "101 每个二维码仅限使用一次，请刷新再试", ErrAuthCode, false},
		{"AUTHCODEEXPIRE", "-", ErrAuthCode, false},
		{"AUTH_CODE_ERROR", "-", ErrAuthCode, false},
		{"TRADE_ERROR", "用户没有输入支付密码", ErrDeclined, false},
		{"NOTENOUGH", "余额不足", ErrDeclined, false},
		{"NOTSUPORTCARD", "-", ErrDeclined, false},
		{"BUYER_MISMATCH", "-", ErrDeclined, false},
		{"ORDERPAID", "-", ErrAlreadyPaid, false},
		{"ORDERCLOSED", "-", ErrClosed, false},
		{"ORDERREVERSED", "-", ErrReversed, false},
		{"OUT_TRADE_NO_USED", "201 商户订单号重复", ErrNumberUsed, false},
		{"NOAUTH", "商户无权限使用该付款码", ErrAccount, false},
		{"APPID_MCHID_NOT_MATCH", "商户无权限使用该付款码", ErrAccount, false},
		{"APPID_NOT_EXIST", "-", ErrAccount, false},
		{"MCHID_NOT_EXIST", "-", ErrAccount, false},
		{"PARAM_ERROR", "-", nil, false},
		{"LACK_PARAMS", "-", nil, false},
		{"SIGNERROR", "-", nil, false},
		{"XML_FORMAT_ERROR", "-", nil, false},
		{"REQUIRE_POST_METHOD", "-", nil, false},
		{"NOT_UTF8", "-", nil, false},
		{"INVALID_REQUEST", "-", nil, false},
		{"BRAND_NEW", "?", nil, false},
	}
	for _, tt := range tests {
		c := newTestClient(t, testConfig(newGateway(t, always(business(tt.code, tt.text))).URL))
		_, micro := c.Micropay(t.Context(), testOrder(), testCode18)
		_, face := c.Facepay(t.Context(), testOrder(), "face-code")
		for _, err := range []error{micro, face} {
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Code != tt.code || e.Message != tt.text || IsUnknown(err) != tt.unknown {
				t.Errorf("%s: %v", tt.code, err)
			}
			for _, s := range all {
				if errors.Is(err, s) != (s == tt.is) {
					t.Errorf("%s: errors.Is(%v) = %t", tt.code, s, s != tt.is)
				}
			}
		}
	}
}

// An answer that is not beyond doubt says neither "paid" nor "enter the
// password".
func TestMicropayAnswersThatSayNothing(t *testing.T) {
	paid := charged(t)
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request, message){
		"unsigned success":    always(unsigned("SUCCESS", "")),
		"unsigned USERPAYING": always(unsigned("FAIL", "USERPAYING")),
		"another order":       echoing(replaced(paid, "out_trade_no", "20250806125346_02")),
		"no transaction":      echoing(replaced(paid, "transaction_id", "")),
		"another algorithm":   always(signedAnswer(message{{"result_code", "SUCCESS"}, {"out_trade_no", testNo}, {"transaction_id", "42"}}, MD5, vectorKey)),
		"HTML":                always("<html>404"),
		"500":                 func(w http.ResponseWriter, _ *http.Request, _ message) { w.WriteHeader(500) },
	} {
		x, err := newTestClient(t, testConfig(newGateway(t, answer).URL)).Micropay(t.Context(), testOrder(), testCode18)
		if !IsUnknown(err) || errors.Is(err, ErrUserPaying) || x.TransactionID != "" {
			t.Errorf("%s: %+v, %v", name, x, err)
		}
	}
	amount := echoing(replaced(paid, "total_fee", ""))
	if x, err := newTestClient(t, testConfig(newGateway(t, amount).URL)).Micropay(t.Context(), testOrder(), testCode18); err != nil || x.Total != -1 {
		t.Errorf("no amount: %+v, %v", x, err) // the caller compares; no order has -1
	}
}

func TestCashDeskIsCheckedHere(t *testing.T) {
	c := newTestClient(t, Config{AppID: testApp, MchID: testMch, APIKey: vectorKey, Transport: noNetwork{t}})
	for _, code := range []string{"", "13456789012345678", "1345678901234567890", "164567890123456789", "234567890123456789", "13456789012345678x", "１34567890123456"} {
		if _, err := c.Micropay(t.Context(), testOrder(), code); !errors.Is(err, ErrAuthCode) || IsUnknown(err) {
			t.Errorf("code %q: %v", code, err)
		}
		if _, err := c.AuthCodeToOpenID(t.Context(), code); !errors.Is(err, ErrAuthCode) || IsUnknown(err) {
			t.Errorf("whose %q: %v", code, err)
		}
	}
	bad := testOrder()
	bad.Total = 0
	nobody := testOrder()
	nobody.OpenID = ""
	_, free := c.Micropay(t.Context(), bad, testCode18)
	_, face := c.Facepay(t.Context(), testOrder(), "")
	_, long := c.Facepay(t.Context(), testOrder(), strings.Repeat("x", 129))
	_, noOne := c.Facepay(t.Context(), nobody, "x")
	_, device := c.AuthInfo(t.Context(), FaceDevice{StoreID: "s", StoreName: "n", DeviceID: "d"})
	_, attach := c.AuthInfo(t.Context(), FaceDevice{StoreID: "s", StoreName: "n", DeviceID: "d", RawData: "r", Attach: "\x01"})
	_, reverse := c.Reverse(t.Context(), Ref{})
	for i, err := range []error{free, face, long, noOne, device, attach, reverse} {
		if err == nil || IsUnknown(err) {
			t.Errorf("%d: %v, want a definite refusal", i, err)
		}
	}
}

func TestFacepay(t *testing.T) {
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request, m message) {
		if r.URL.Path != "/pay/facepay" || m.get("sign_type") != "HMAC-SHA256" || m.get("face_code") != "face-code" || m.get("openid") != testOrder().OpenID {
			t.Errorf("asked %s %v", r.URL.Path, m)
		}
		echoing(replaced(charged(t), "trade_type", "FACEPAY"))(w, r, m)
	})
	cfg := testConfig(g.URL)
	cfg.SignType = MD5
	x, err := newTestClient(t, cfg).Facepay(t.Context(), testOrder(), "face-code")
	if err != nil || x.TradeType != Facepay || x.SignType != HMACSHA256 {
		t.Errorf("Facepay = %+v, %v", x, err)
	}
}

func TestAuthInfo(t *testing.T) {
	device := FaceDevice{StoreID: "s1", StoreName: "茶店", DeviceID: "d1", RawData: "raw+/=", Attach: `{"a":1}`}
	at := time.Unix(1754456027, 0)
	ask := func(answer func(http.ResponseWriter, *http.Request, message)) (FaceAuth, *gateway, error) {
		g := newGateway(t, answer)
		cfg := testConfig()
		cfg.Hosts, cfg.FaceHost, cfg.Now = []string{"http://127.0.0.1:1"}, g.URL, func() time.Time { return at }
		auth, err := newTestClient(t, cfg).AuthInfo(t.Context(), device)
		return auth, g, err
	}
	// Its answers have no result_code.
	answer := func(m message) func(http.ResponseWriter, *http.Request, message) {
		return func(w http.ResponseWriter, r *http.Request, _ message) {
			if r.URL.Path != "/face/get_wxpayface_authinfo" {
				t.Errorf("asked %s", r.URL.Path)
			}
			io.WriteString(w, signedAnswer(m, HMACSHA256, vectorKey))
		}
	}
	auth, g, err := ask(answer(message{{"authinfo", "credential"}, {"expires_in", "3600"}}))
	if err != nil || auth.Info != "credential" || auth.ExpiresIn != 3600 {
		t.Errorf("AuthInfo = %+v, %v", auth, err)
	}
	m := g.requests()[0]
	for name, want := range map[string]string{"store_id": "s1", "store_name": "茶店", "device_id": "d1", "rawdata": "raw+/=", "now": "1754456027", "version": "1", "attach": `{"a":1}`} {
		if m.get(name) != want {
			t.Errorf("%s = %q, want %q", name, m.get(name), want)
		}
	}
	if _, _, err := ask(answer(message{{"expires_in", "3600"}})); !IsUnknown(err) {
		t.Errorf("no credential: %v", err)
	}
	// The code stands in return_code there, and nothing is signed.
	for code, unknown := range map[string]bool{"PARAM_ERROR": false, "SYSTEMERROR": true} {
		_, _, err := ask(always("<xml><return_code>" + code + "</return_code><return_msg>请求报文格式错误</return_msg></xml>"))
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != code || IsUnknown(err) != unknown {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestReverse(t *testing.T) {
	tests := []struct {
		name    string
		answer  func(http.ResponseWriter, *http.Request, message)
		again   bool
		unknown bool
		is      error
		ok      bool
	}{
		{name: "done", answer: echoing(message{{"recall", "N"}}), ok: true},
		{name: "call again", answer: echoing(message{{"recall", "Y"}}), again: true, ok: true},
		{name: "does not say", answer: echoing(message{}), unknown: true},
		{name: "refused, call again", answer: echoing(message{{"result_code", "FAIL"}, {"err_code", "SYSTEMERROR"}, {"recall", "Y"}}), again: true, unknown: true},
		{name: "unsigned", answer: always("<xml><return_code>SUCCESS</return_code><result_code>SUCCESS</result_code><recall>N</recall></xml>"), unknown: true},
		{name: "too old", answer: always(business("REVERSE_EXPIRE", "-")), is: ErrTooOld},
		{name: "a code of tomorrow", answer: always(business("BRAND_NEW", "-"))},
		{name: "INVALID_TRANSACTIONID", answer: always(business("INVALID_TRANSACTIONID", "-"))},
		{name: "TRADE_ERROR", answer: always(business("TRADE_ERROR", "-")), is: ErrDeclined},
		{name: "paying", answer: always(business("USERPAYING", "-")), is: ErrUserPaying, unknown: true},
	}
	for _, tt := range tests {
		g := newGateway(t, tt.answer)
		again, err := newTestClient(t, testConfig(g.URL)).Reverse(t.Context(), testOrder().Ref())
		if again != tt.again || (err == nil) != tt.ok || IsUnknown(err) != tt.unknown || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: %t, %v", tt.name, again, err)
		}
	}
}

func TestAuthCodeToOpenID(t *testing.T) {
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request, m message) {
		if r.URL.Path != "/tools/authcodetoopenid" || m.get("sign_type") != "" || len(m.get("sign")) != 32 || m.get("auth_code") != testCode18 {
			t.Errorf("asked %s %v", r.URL.Path, m)
		}
		echoing(message{{"openid", "oUser"}})(w, r, m)
	})
	if id, err := newTestClient(t, testConfig(g.URL)).AuthCodeToOpenID(t.Context(), testCode18); err != nil || id != "oUser" {
		t.Errorf("%q, %v", id, err)
	}
	cfg := testConfig(newGateway(t, echoing(message{{"openid", "oProvider"}, {"sub_openid", "oSub"}})).URL)
	cfg.SubMchID, cfg.SubAppID = "1900000002", miniApp
	if id, err := newTestClient(t, cfg).AuthCodeToOpenID(t.Context(), testCode18); err != nil || id != "oSub" {
		t.Errorf("for a sub merchant %q, %v", id, err)
	}
	for name, tt := range map[string]struct {
		answer  func(http.ResponseWriter, *http.Request, message)
		is      error
		unknown bool
	}{
		"bare FAIL":         {always("<xml><return_code>FAIL</return_code></xml>"), nil, true},
		"system error":      {always(protocolFail("system error")), nil, true},
		"nobody":            {echoing(message{}), nil, true},
		"AUTH_CODE_INVALID": {echoing(message{{"result_code", "FAIL"}, {"err_code", "AUTH_CODE_INVALID"}}), ErrAuthCode, false},
		"AUTHCODEEXPIRE":    {echoing(message{{"result_code", "FAIL"}, {"err_code", "AUTHCODEEXPIRE"}}), ErrAuthCode, false},
	} {
		_, err := newTestClient(t, testConfig(newGateway(t, tt.answer).URL)).AuthCodeToOpenID(t.Context(), testCode18)
		if err == nil || IsUnknown(err) != tt.unknown || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
