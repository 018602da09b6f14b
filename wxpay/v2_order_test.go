package wxpay

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

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
	if _, err := c.Query(t.Context(), Ref{OutTradeNo: "no"}); err == nil || IsUnknown(err) {
		t.Errorf("Query of a bad number: %v", err)
	}
	if err := c.Close(t.Context(), Ref{OutTradeNo: "no"}); err == nil || IsUnknown(err) {
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
