package wxpay

import (
	"io"
	"net/http"
	"testing"
	"time"
)

// V8: the second signature of an app.
func TestAppVector(t *testing.T) {
	p := AppParams{
		AppID: "wxd930ea5d5a258f4f", PartnerID: "1900000109", PrepayID: "wx201410272009395522657a690389285100",
		Package: "Sign=WXPay", NonceStr: "5K8264ILTKCH16CQ2502SI8ZNMTM67VS", Timestamp: "1412000000",
	}
	if got := appSign(p, MD5, vectorKey); got != "AF7380DC006669AD5B56E746C9DC7C49" {
		t.Errorf("MD5 %s", got)
	}
	if got := appSign(p, HMACSHA256, vectorKey); got != "F62D9A1A6AEE827E892DD191283499C916491F995EFBF298B9610AC1BA9315C1" {
		t.Errorf("HMAC %s", got)
	}
}

func TestApp(t *testing.T) {
	cfg := testConfig()
	own := newTestClient(t, cfg)
	cfg.SubMchID, cfg.SubAppID = "1900000002", "wxf000000000000009"
	provider := newTestClient(t, cfg)
	for _, tt := range []struct {
		name     string
		c        *V2Client
		app      string
		sign     SignType
		wantApp  string
		wantMch  string
		wantSign SignType
	}{
		{"own", own, "", "", testApp, testMch, HMACSHA256},
		{"an app's", own, "wxf000000000000001", MD5, "wxf000000000000001", testMch, MD5},
		{"provider", provider, "", "", "wxf000000000000009", "1900000002", HMACSHA256},
	} {
		p, err := tt.c.App(tt.app, "wx06", tt.sign, time.Unix(1754456027, 999))
		if err != nil || p.AppID != tt.wantApp || p.PartnerID != tt.wantMch || p.PrepayID != "wx06" || p.Package != "Sign=WXPay" ||
			p.Timestamp != "1754456027" || len(p.NonceStr) < 16 || p.Sign != appSign(p, tt.wantSign, vectorKey) {
			t.Errorf("%s: %+v, %v", tt.name, p, err)
		}
	}
	if _, err := own.App("", "", "", time.Now()); err == nil {
		t.Error("App without a prepay id")
	}
	if _, err := own.App("", "wx06", "SHA1", time.Now()); err == nil {
		t.Error("App with an unknown sign type")
	}
}

// echoing answers as the gateway does: for the app id and the merchant that
// asked, unless change says otherwise.
func echoing(m message, change ...field) func(http.ResponseWriter, *http.Request, message) {
	return func(w http.ResponseWriter, _ *http.Request, sent message) {
		a := replaced(m, "return_code", "SUCCESS")
		if a.get("result_code") == "" {
			a = replaced(a, "result_code", "SUCCESS")
		}
		for _, name := range []string{"appid", "mch_id", "sub_appid", "sub_mch_id", "out_trade_no"} {
			if v := sent.get(name); v != "" && m.get(name) == "" {
				a = replaced(a, name, v)
			}
		}
		for _, f := range change {
			a = replaced(a, f.name, f.value)
		}
		w.Write(encode(signed(a, signTypeOf(sent.get("sign")), vectorKey)))
	}
}

const miniApp = "wxf0000000000000aa"

// A mini program's payment is placed, signed, asked for and closed under its
// own app id, and an answer for another app id is no answer.
func TestMiniProgram(t *testing.T) {
	answer := message{{"prepay_id", "wx06"}, {"trade_state", "NOTPAY"}}
	g := newGateway(t, echoing(answer))
	c := newTestClient(t, testConfig(g.URL))
	o := testOrder()
	o.AppID = miniApp
	if _, err := c.Prepay(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Query(t.Context(), o.Ref()); err != nil {
		t.Error(err)
	}
	if err := c.Close(t.Context(), o.Ref()); err != nil {
		t.Error(err)
	}
	for _, m := range g.requests() {
		if m.get("appid") != miniApp || m.get("sub_appid") != "" {
			t.Errorf("asked as %s", m.get("appid"))
		}
	}
	p, err := c.BridgeFor(miniApp, "wx06", "", time.Now())
	if err != nil || p.AppID != miniApp || p.PaySign != bridgeSign(p, HMACSHA256, vectorKey) {
		t.Errorf("BridgeFor = %+v, %v", p, err)
	}
	other := newTestClient(t, testConfig(newGateway(t, echoing(answer, field{"appid", testApp})).URL))
	if _, err := other.Prepay(t.Context(), o); !IsUnknown(err) {
		t.Errorf("an answer for the gateway's own app id: %v", err)
	}
	o.AppID = "gh_1"
	if _, err := c.Prepay(t.Context(), o); err == nil || IsUnknown(err) {
		t.Errorf("an app id that is none: %v", err)
	}
}

// A service provider's own app id goes with every order; the payer's is beside
// it, and the sub merchant must come back in every answer that says yes.
func TestServiceProviderAnswers(t *testing.T) {
	cfg := testConfig()
	cfg.SubMchID, cfg.SubAppID = "1900000002", "wxf000000000000009"
	tests := []struct {
		name            string
		app             string
		subApp, idField string
		change          []field
		unknown         bool
	}{
		{name: "sub app", subApp: "wxf000000000000009", idField: "sub_openid"},
		{name: "mini program", app: miniApp, subApp: miniApp, idField: "sub_openid"},
		{name: "the provider's own", app: testApp, idField: "openid"},
		{name: "another sub merchant", subApp: "wxf000000000000009", idField: "sub_openid", change: []field{{"sub_mch_id", "1900000003"}}, unknown: true},
		{name: "no sub merchant", subApp: "wxf000000000000009", idField: "sub_openid", change: []field{{"sub_mch_id", ""}}, unknown: true},
		{name: "another sub app", subApp: "wxf000000000000009", idField: "sub_openid", change: []field{{"sub_appid", miniApp}}, unknown: true},
	}
	for _, tt := range tests {
		g := newGateway(t, echoing(message{{"prepay_id", "wx06"}}, tt.change...))
		cfg.Hosts = []string{g.URL}
		o := testOrder()
		o.AppID = tt.app
		_, err := newTestClient(t, cfg).Prepay(t.Context(), o)
		if IsUnknown(err) != tt.unknown || err != nil && !tt.unknown {
			t.Errorf("%s: %v", tt.name, err)
		}
		m := g.requests()[0]
		if m.get("appid") != testApp || m.get("sub_mch_id") != cfg.SubMchID || m.get("sub_appid") != tt.subApp || m.get(tt.idField) != o.OpenID {
			t.Errorf("%s: asked %v", tt.name, m)
		}
	}
	refused := newGateway(t, func(w http.ResponseWriter, _ *http.Request, _ message) {
		io.WriteString(w, business("ORDERPAID", "该订单已支付"))
	})
	cfg.Hosts = []string{refused.URL}
	if _, err := newTestClient(t, cfg).Prepay(t.Context(), testOrder()); IsUnknown(err) {
		t.Errorf("a refusal without the sub merchant: %v", err)
	}
}

// A provider has one key for all its merchants: a good signature does not say
// whose money it is.
func TestServiceProviderNotify(t *testing.T) {
	cfg := testConfig()
	cfg.SubMchID, cfg.SubAppID = "1900000002", "wxf000000000000009"
	provider, own := newTestClient(t, cfg), newTestClient(t, testConfig())
	m := replaced(replaced(replaced(notice(t), "sub_mch_id", "1900000002"), "sub_appid", "wxf000000000000009"), "sub_openid", "oSub")
	x, err := provider.ParseNotify(nil, signedNotice(m, HMACSHA256))
	if err != nil || x.SubMchID != "1900000002" || x.AppID != "wxf000000000000009" || x.OpenID != "oSub" {
		t.Errorf("%+v, %v", x, err)
	}
	for name, tt := range map[string]struct {
		c *V2Client
		m message
	}{
		"another sub merchant":           {provider, replaced(m, "sub_mch_id", "1900000003")},
		"no sub merchant":                {provider, notice(t)},
		"a sub merchant, and we are one": {own, m},
	} {
		if x, err := tt.c.ParseNotify(nil, signedNotice(tt.m, HMACSHA256)); err == nil {
			t.Errorf("%s: %+v", name, x)
		}
	}
}
