package handlers

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"wxshop/models"
	"wxshop/wxpay"
)

// phone is the browser of a phone, outside WeChat.
func (w *world) phone() *client {
	c := w.outside()
	c.ua = phoneUA
	return c
}

// atWeChat is what the simulator says of an attempt.
func (w *world) atWeChat(p *models.Payment) (v struct {
	State     string
	TradeType string `json:"trade_type"`
	CodeURL   string `json:"code_url"`
	MWebURL   string `json:"mweb_url"`
	AppID     string `json:"app_id"`
},
) {
	w.t.Helper()
	if code := w.api("GET", "transactions/"+p.OutTradeNo, nil, &v); code != 200 {
		w.t.Fatalf("WeChat knows nothing of %s: %d", p.OutTradeNo, code)
	}
	return v
}

// scanned pays an attempt as a phone that scans it.
func (w *world) scanned(p *models.Payment) {
	w.t.Helper()
	if code := w.api("POST", "transactions/"+p.OutTradeNo+"/pay", map[string]any{}, nil); code != 200 {
		w.t.Fatalf("paying = %d", code)
	}
}

// A desktop pays by a code: a guest without an openid is enough.
func TestPayByCode(t *testing.T) {
	inBothWorlds(t, isPayByCode)
}

func isPayByCode(t *testing.T, w *world) {
	t.Helper()
	c := w.outside()
	no := c.buy("LJ-50g")
	p := w.attempt(no)
	if p.Channel != string(wxpay.Native) || p.OpenID != "" || p.CodeURL == "" {
		t.Fatalf("attempt %+v", p)
	}
	res := c.visit("/pay/" + no)
	if res.StatusCode != 200 || !strings.Contains(res.body, `src="/pay/`+no+`/code.svg"`) || !strings.Contains(res.body, `data-poll="/orders/`+no+`/status"`) {
		t.Fatalf("pay page = %d\n%s", res.StatusCode, res.body)
	}
	if strings.Contains(res.body, p.CodeURL) || p.PrepayID != "" && strings.Contains(res.body, p.PrepayID) {
		t.Error("the page says what only the picture is to say")
	}
	svg := c.do("GET", "/pay/"+no+"/code.svg", nil)
	want, err := codePicture(p.CodeURL)
	if err != nil {
		t.Fatal(err)
	}
	if svg.StatusCode != 200 || svg.body != string(want) || svg.Header.Get("Cache-Control") != "no-store" || svg.Header.Get("Content-Type") != "image/svg+xml" {
		t.Errorf("code = %d %v", svg.StatusCode, svg.Header)
	}
	if w.atWeChat(p).CodeURL != p.CodeURL {
		t.Error("the code is not WeChat's")
	}
	w.scanned(p)
	if res := c.visit("/orders/" + no + "/status"); !strings.Contains(res.body, `"state":"paid"`) {
		t.Errorf("status = %s", res.body)
	}
	if res := c.do("GET", "/pay/"+no, nil); res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/orders/"+no {
		t.Errorf("pay page of a paid order = %d", res.StatusCode)
	}
	if res := c.do("GET", "/pay/"+no+"/code.svg", nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("code of a paid order = %d", res.StatusCode)
	}
}

// A code that is about to end is covered by a button for another one, of the
// same attempt.
func TestCodeEnds(t *testing.T) {
	w := newWorld(t)
	start := time.Now()
	w.clock = func() time.Time { return start }
	c := w.outside()
	no := c.buy("LJ-50g")
	first := w.attempt(no)
	db := w.exec(`UPDATE payments SET prepay_until = ? WHERE id = ?`, models.At(start.Add(12*time.Minute)), first.ID)
	if db != 1 {
		t.Fatalf("%d rows", db)
	}
	res := c.visit("/pay/" + no)
	if got := res.Header.Get("Refresh"); got != "120" { // two minutes, then it could end while being paid
		t.Errorf("Refresh %q", got)
	}
	w.clock = func() time.Time { return start.Add(3 * time.Minute) }
	res = c.visit("/pay/" + no)
	if strings.Contains(res.body, "code.svg") || !strings.Contains(res.body, "换一个码") {
		t.Errorf("an ended code is shown\n%s", res.body)
	}
	res = c.submit("/pay/"+no, url.Values{"via": {"native"}})
	if now := w.attempt(no); !strings.Contains(res.body, "code.svg") || now.ID != first.ID {
		t.Errorf("attempt %d after %d\n%s", now.ID, first.ID, res.body)
	}
}

// A phone's browser leaves by a link, never by a redirect of a form, and comes
// back to a question that believes nobody. // H5, H15
func TestPayByH5(t *testing.T) {
	inBothWorlds(t, isPayByH5)
}

func isPayByH5(t *testing.T, w *world) {
	t.Helper()
	c := w.phone()
	c.add("LJ-50g", "1")
	res := c.do("POST", "/checkout", c.checkoutForm())
	no := c.orderNo(res)
	p := w.attempt(no)
	if p.Channel != string(wxpay.H5) || p.H5URL == "" {
		t.Fatalf("attempt %+v", p)
	}
	res = c.visit("/pay/" + no)
	link := strings.ReplaceAll(between(res.body, `id="go" href="`, `"`), "&amp;", "&")
	back := shopURL + "/pay/" + no + "/back"
	if want := p.H5URL + "&redirect_url=" + url.QueryEscape(back); link != want {
		t.Fatalf("link %q, want %q\n%s", link, want, res.body)
	}
	if got := res.Header.Get("Referrer-Policy"); got != "strict-origin-when-cross-origin" {
		t.Errorf("Referrer-Policy %q: WeChat would not see our domain", got)
	}
	if res.Header.Get("Refresh") != "240" {
		t.Errorf("Refresh %q", res.Header.Get("Refresh"))
	}
	question := c.visit("/pay/" + no + "/back")
	if question.StatusCode != 200 || !strings.Contains(question.body, "我已付款") || !strings.Contains(question.body, "重新付款") || !strings.Contains(question.body, "data-poll") {
		t.Fatalf("question = %d\n%s", question.StatusCode, question.body)
	}
	if res := c.submit("/pay/"+no+"/back", url.Values{}); !strings.Contains(res.body, "微信那边还没有这笔付款") || w.order(no).State != models.Unpaid {
		t.Errorf("saying that it is paid = %d, order %s", res.StatusCode, w.order(no).State)
	}
	if to := w.cashier(c, link, "success"); to != back {
		t.Fatalf("WeChat sent the browser to %q", to)
	}
	w.clock = func() time.Time { return time.Now().Add(6 * time.Second) } // the poll asks once in five seconds
	if res := c.submit("/pay/"+no+"/back", url.Values{}); !strings.Contains(res.body, "付款成功") || w.order(no).State != models.Paid {
		t.Errorf("after paying = %d, order %s\n%s", res.StatusCode, w.order(no).State, res.body)
	}
	if res := c.do("GET", "/pay/"+no+"/back", nil); res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/orders/"+no {
		t.Errorf("question about a paid order = %d", res.StatusCode)
	}
}

// cashier opens WeChat's H5 page from ours, chooses an ending, and gives where
// the browser is sent.
func (w *world) cashier(c *client, link, op string) string {
	w.t.Helper()
	visit := func(method, form string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, link, strings.NewReader(form))
		r.Header.Set("User-Agent", c.ua)
		if method == "GET" {
			r.Header.Set("Referer", shopURL+"/")
		} else {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		rec := httptest.NewRecorder()
		w.serveGateway(rec, r)
		return rec
	}
	if page := visit("GET", ""); page.Code != 200 || !strings.Contains(page.Body.String(), "<form") {
		w.t.Fatalf("cashier = %d\n%s", page.Code, page.Body)
	}
	return visit("POST", "op="+op+"&u=1&from="+url.QueryEscape(shopURL+"/")).Header().Get("Location")
}

// The link lives five minutes: then the page has a button, and the button gets
// another link of the same attempt.
func TestH5LinkEnds(t *testing.T) {
	w := newWorld(t)
	start := time.Now()
	w.clock = func() time.Time { return start }
	c := w.phone()
	no := c.buy("LJ-50g")
	first := w.attempt(no)
	w.clock = func() time.Time { return start.Add(4*time.Minute + time.Second) }
	if res := c.visit("/pay/" + no); strings.Contains(res.body, "checkmweb") || !strings.Contains(res.body, `name="via" value="h5"`) {
		t.Fatalf("an ended link is offered\n%s", res.body)
	}
	res := c.do("POST", "/pay/"+no, url.Values{"via": {"h5"}})
	if to := res.Header.Get("Location"); res.StatusCode != http.StatusSeeOther || to != "/pay/"+no {
		t.Fatalf("asking again = %d to %q", res.StatusCode, to) // H15: never to WeChat
	}
	if res := c.visit("/pay/" + no); !strings.Contains(res.body, "checkmweb") || w.attempt(no).OutTradeNo != first.OutTradeNo {
		t.Errorf("no new link of the same attempt\n%s", res.body)
	}
}

// What WeChat calls a link is looked at before people are sent there.
func TestH5Link(t *testing.T) {
	w := newWorld(t)
	const no = "261119K7M3QX9T4HRV7056"
	for _, tt := range []struct{ name, link, want string }{
		{"WeChat's", "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx1&package=2",
			"https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx1&package=2&redirect_url=http%3A%2F%2Flocalhost%3A8080%2Fpay%2F" + no + "%2Fback"},
		{"script", "javascript:alert(1)?a=b", ""},
		{"no host", "https:///x?a=b", ""},
		{"a name in it", "https://wx.tenpay.com@evil.example/?a=b", ""},
		{"no query to add to", "https://wx.tenpay.com/x", ""},
		{"a fragment", "https://wx.tenpay.com/x?a=b#c", ""},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := w.srv.h5Link(tt.link, no)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("h5Link = %q, %v", got, err)
			}
		})
	}
}

// Another way to pay closes the old one at WeChat first.
func TestChangeOfChannel(t *testing.T) {
	inBothWorlds(t, isChangeOfChannel)
}

func isChangeOfChannel(t *testing.T, w *world) {
	t.Helper()
	c := w.outside()
	no := c.buy("LJ-50g")
	native := w.attempt(no)

	link := c.claimLink(no) // no payment yet: the code lives on
	if s := w.atWeChat(native).State; s != "NOTPAY" {
		t.Errorf("asking for a link made the code %s", s)
	}
	if res := c.visit("/pay/" + no); !strings.Contains(res.body, "code.svg") {
		t.Error("no way back to the code")
	}
	me := w.inside("2").signIn()
	me.submit("/c/"+link, url.Values{})
	res := me.submit("/pay/"+no, url.Values{})
	if !strings.Contains(res.body, "paySign") {
		t.Fatalf("no payment inside WeChat = %d\n%s", res.StatusCode, res.body)
	}
	jsapi := w.attempt(no)
	if s := w.atWeChat(native).State; s != "CLOSED" || jsapi.Channel != string(wxpay.JSAPI) {
		t.Errorf("the code is %s at WeChat, the attempt %s", s, jsapi.Channel)
	}
	if code := w.api("POST", "transactions/"+native.OutTradeNo+"/pay", map[string]any{}, nil); code == 200 {
		t.Error("the old code can still be paid")
	}

	phone := w.phone()
	other := phone.buy("LJ-50g")
	h5 := w.attempt(other)
	res = phone.submit("/pay/"+other, url.Values{"via": {"native"}})
	if !strings.Contains(res.body, "code.svg") || w.atWeChat(h5).State != "CLOSED" {
		t.Errorf("a phone that wants a code = %d, the link is %s", res.StatusCode, w.atWeChat(h5).State)
	}
}

// Who paid by the old way in that moment has paid: no second payment is made.
func TestChangeOfChannelTooLate(t *testing.T) {
	w := newWorld(t)
	c := w.phone()
	no := c.buy("LJ-50g")
	w.scanned(w.attempt(no))
	res := c.submit("/pay/"+no, url.Values{"via": {"native"}})
	ps, err := w.store.Payments(t.Context(), w.order(no).ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(ps) != 1 || w.order(no).State != models.Paid || !strings.Contains(res.body, "付款成功") {
		t.Errorf("%d attempts, order %s\n%s", len(ps), w.order(no).State, res.body)
	}
}

func TestChannelOf(t *testing.T) {
	for _, tt := range []struct {
		via  string
		at   place
		want wxpay.TradeType
		ok   bool
	}{
		{"", placeWeChat, wxpay.JSAPI, true},
		{"", placeDesktop, wxpay.Native, true},
		{"", placePhone, wxpay.H5, true},
		{"", placeWeChatElsewhere, wxpay.Native, true},
		{"native", placeWeChat, wxpay.Native, true},
		{"native", placePhone, wxpay.Native, true},
		{"h5", placeDesktop, wxpay.H5, true},
		{"h5", placeWeChat, wxpay.JSAPI, true}, // WeChat refuses the link inside itself
		{"h5", placeWeChatElsewhere, wxpay.Native, true},
		{"jsapi", placeWeChat, wxpay.JSAPI, true},
		{"jsapi", placeDesktop, "", true}, // into WeChat first
		{"wechat", placePhone, "", true},
		{"cash", placePhone, "", false},
		{"NATIVE", placePhone, "", false},
	} {
		if got, ok := channelOf(tt.via, tt.at); got != tt.want || ok != tt.ok {
			t.Errorf("channelOf(%q, %d) = %q, %v", tt.via, tt.at, got, ok)
		}
	}
	w := newWorld(t)
	c := w.outside()
	if res := c.do("POST", "/pay/"+c.buy("LJ-50g"), url.Values{"via": {"cash"}}); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a channel that does not exist = %d", res.StatusCode)
	}
}

// A way to pay that WeChat does not answer about is asked for again under the
// same number; one that the shop may not use is said to be the shop's fault,
// and leaves the way into WeChat.
func TestChannelNotReady(t *testing.T) {
	w := newWorld(t)
	w.gateway = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/pay/unifiedorder" {
			return false
		}
		rw.WriteHeader(http.StatusBadGateway)
		return true
	}
	c := w.outside()
	no := c.buy("LJ-50g")
	first := w.attempt(no).OutTradeNo
	for _, res := range []result{c.visit("/pay/" + no), c.submit("/pay/"+no, url.Values{"via": {"native"}})} {
		if res.StatusCode != 200 || strings.Contains(res.body, "code.svg") || !strings.Contains(res.body, "微信还没有答复") || strings.Contains(res.body, "我们在确认") {
			t.Errorf("no answer of WeChat = %d\n%s", res.StatusCode, res.body)
		}
	}
	if res := c.do("GET", "/pay/"+no+"/code.svg", nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("a code that is not there = %d", res.StatusCode)
	}
	w.gateway = nil
	res := c.submit("/pay/"+no, url.Values{"via": {"native"}})
	if p := w.attempt(no); !strings.Contains(res.body, "code.svg") || p.OutTradeNo != first {
		t.Errorf("asked again under %s, was %s\n%s", p.OutTradeNo, first, res.body)
	}

	if code := w.api("PUT", "account", map[string]any{"enforce": true, "products": []string{"JSAPI"}}, nil); code != 200 {
		t.Fatalf("closing products = %d", code)
	}
	other := c.buy("LJ-50g")
	res = c.submit("/pay/"+other, url.Values{"via": {"native"}})
	if res.StatusCode != 200 || !strings.Contains(res.body, "店家的付款设置有问题") || !strings.Contains(res.body, `value="wechat"`) {
		t.Errorf("a product that is not opened = %d\n%s", res.StatusCode, res.body)
	}
	if token := c.claimLink(other); token == "" {
		t.Error("no way into WeChat")
	}
}
