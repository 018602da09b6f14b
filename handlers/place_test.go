package handlers

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"wxshop/models"
)

// P14, product 7b: forty taps are one order and thirty-nine ways to it, also
// with the shipped limit on orders (decision 10).
func TestFortySubmitsAreOneOrder(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.OrdersPerMinute = 6 })
	c := w.inside("1").signIn()
	c.add("LJ-50g", "1")
	form := c.checkoutForm()
	var wg sync.WaitGroup
	places := make([]string, 40)
	for i := range places {
		twin := *c
		twin.cookies = map[string]string{"shop_sess": c.cookies["shop_sess"]}
		wg.Go(func() {
			res := twin.do("POST", "/checkout", form)
			places[i] = res.Header.Get("Location")
			if res.StatusCode != http.StatusSeeOther {
				t.Errorf("submit %d = %d", i, res.StatusCode)
			}
		})
	}
	wg.Wait()
	for _, p := range places {
		if p != places[0] || !payPath.MatchString(p) {
			t.Errorf("led to %q and %q", places[0], p)
		}
	}
	if n := strings.Count(w.dump()["orders"], "\n"); n != 1 {
		t.Errorf("%d orders", n)
	}
	if res := c.submit("/checkout", form); res.StatusCode != 200 {
		t.Errorf("the same form later = %d", res.StatusCode)
	}
}

// V4: the seventh order in a minute waits; a repeat does not.
func TestOrderLimit(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.OrdersPerMinute = 2 })
	c := w.inside("1").signIn()
	c.add("LJ-50g", "1")
	first := c.checkoutForm()
	if res := c.do("POST", "/checkout", first); res.StatusCode != 303 {
		t.Fatalf("first order = %d", res.StatusCode)
	}
	c.add("LJ-50g", "1")
	res := c.do("POST", "/checkout", c.checkoutForm())
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("second order = %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
	}
	if res := c.do("POST", "/checkout", first); res.StatusCode != 303 {
		t.Errorf("the first form again = %d", res.StatusCode)
	}
}

func TestPageLimit(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.PagesPerSecond = 1 })
	c := w.outside()
	codes := map[int]int{}
	for range 10 {
		codes[c.do("GET", "/", nil).StatusCode]++
	}
	if codes[200] < 4 || codes[429] == 0 {
		t.Errorf("answers %v", codes)
	}
	if res := c.do("POST", "/notify/v2/pay", nil); res.StatusCode != 200 {
		t.Errorf("a notification was limited: %d", res.StatusCode)
	}
}

// X17, P11: a total that is not ours is refused, with the right one.
func TestPriceChanged(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	c.add("LJ-50g", "1")
	form := c.checkoutForm()
	before := w.dump()
	form.Set("expected_total", "1")
	res := c.do("POST", "/checkout", form)
	if res.StatusCode != http.StatusConflict || !strings.Contains(res.body, "¥0.01") || !strings.Contains(res.body, `name="expected_total" value="10600"`) {
		t.Errorf("wrong total = %d\n%s", res.StatusCode, res.body)
	}
	if !strings.Contains(res.body, `value="`+form.Get("token")+`"`) || !strings.Contains(res.body, "林晓溪") {
		t.Errorf("what was typed is lost")
	}
	unchanged(t, before, w.dump())
	form.Set("expected_total", "10600")
	c.orderNo(c.do("POST", "/checkout", form))
}

// What is no longer there is said, and the cart is corrected.
func TestStockGone(t *testing.T) {
	w := newWorld(t)
	a, b := w.inside("1").signIn(), w.inside("2").signIn()
	a.add("JS", "2")
	form := a.checkoutForm()
	b.buy("JS")
	res := a.do("POST", "/checkout", form)
	if res.StatusCode != http.StatusConflict || !strings.Contains(res.body, "茉莉飘雪") || !strings.Contains(res.body, "× 1") {
		t.Errorf("one left of two = %d\n%s", res.StatusCode, res.body)
	}
	form = a.checkoutForm()
	b.add("JS", "1")
	b.orderNo(b.do("POST", "/checkout", b.checkoutForm()))
	res = a.do("POST", "/checkout", form)
	if res.StatusCode != http.StatusConflict || !strings.Contains(res.body, "茉莉飘雪") {
		t.Errorf("none left = %d\n%s", res.StatusCode, res.body)
	}
	if k := w.skuRow("JS"); k.Stock != 0 {
		t.Errorf("stock %d", k.Stock)
	}
	if res := a.do("GET", "/checkout", nil); res.StatusCode != 303 {
		t.Errorf("checkout of an empty cart = %d", res.StatusCode)
	}
}

// I5, I6: each field that is not right is named, and what was typed stays.
func TestAddressErrors(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	c.add("LJ-50g", "1")
	good := c.checkoutForm()
	tests := []struct {
		name, field, value string
		ok                 bool
	}{
		{"short phone", "phone", "1381234567", false},
		{"landline", "phone", "05711234567", false},
		{"letters", "phone", "1380000123x", false},
		{"no name", "name", "", false},
		{"spaces", "name", "  ", false},
		{"long name", "name", strings.Repeat("林", 33), false},
		{"no street", "detail", "", false},
		{"long street", "detail", strings.Repeat("路", 121), false},
		{"long note", "note", strings.Repeat("好", 201), false},
		{"no province", "province", "", false},
		{"bidi", "name", "林\u202e溪", false},
		{"isolate", "detail", "路\u2066 90", false},
		{"control", "name", "林\x07", false},
		{"newline in a name", "name", "林\n溪", false},
		{"null", "name", "林\x00", false},
		{"bad utf-8", "name", "林\xff", false},
		{"lone surrogate", "name", "\xed\xa0\x80", false},
	}
	before := w.dump()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			form := url.Values{}
			for k, v := range good {
				form[k] = v
			}
			form.Set(tt.field, tt.value)
			res := c.do("POST", "/checkout", form)
			if res.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("status %d", res.StatusCode)
			}
			if !strings.Contains(res.body, `aria-describedby="`+tt.field+`-e"`) {
				t.Errorf("the field is not marked")
			}
			if tt.field != "detail" && !strings.Contains(res.body, "文三路 90 号 3 幢 502") {
				t.Errorf("what was typed is lost")
			}
		})
	}
	unchanged(t, before, w.dump())
}

// X39: emoji, families, combining marks are kept as they are meant.
func TestTextIsKept(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	c.add("LJ-50g", "1")
	form := c.checkoutForm()
	form.Set("name", " 林😀溪 ")
	form.Set("phone", "+86 138 0000-1234")
	form.Set("detail", "Cafe\u0301 👨\u200d👩\u200d👧 90 号 <b>")
	form.Set("note", "一\r\n二")
	no := c.orderNo(c.do("POST", "/checkout", form))
	o := w.order(no)
	want := models.Receiver{Name: "林😀溪", Phone: "13800001234", Province: "浙江省", City: "杭州市", District: "西湖区", Street: "Café 👨\u200d👩\u200d👧 90 号 <b>"}
	if o.Receiver != want || o.Note != "一\n二" {
		t.Errorf("stored %+v, note %q", o.Receiver, o.Note)
	}
	if res := c.do("GET", "/orders/"+no, nil); strings.Contains(res.body, "号 <b>") || !strings.Contains(res.body, "号 &lt;b&gt;") {
		t.Errorf("address not escaped")
	}
	if w.attempt(no).State != models.PayPrepaid {
		t.Errorf("WeChat did not take the order: %s", w.attempt(no).LastError)
	}
}

// A gateway that does not answer leaves the order as it is, to be paid later
// under the same number; the page says that we are asking.
func TestWeChatSilentWhilePaying(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	c.add("LJ-50g", "1")
	form := c.checkoutForm()
	w.gateway = func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/pay/") {
			return false
		}
		rw.WriteHeader(http.StatusBadGateway)
		return true
	}
	no := c.orderNo(c.do("POST", "/checkout", form))
	res := c.visit("/pay/" + no)
	if res.StatusCode != 200 || strings.Contains(res.body, "prepay_id") {
		t.Fatalf("pay page = %d", res.StatusCode)
	}
	number := w.attempt(no).OutTradeNo
	res = c.submit("/pay/"+no, url.Values{})
	if res.StatusCode != 200 || w.order(no).State != models.Unpaid {
		t.Errorf("pay again = %d, order %s", res.StatusCode, w.order(no).State)
	}
	w.gateway = nil
	res = c.submit("/pay/"+no, url.Values{})
	if !strings.Contains(res.body, "prepay_id=") || w.attempt(no).OutTradeNo != number {
		t.Errorf("after WeChat is back: %d, number %s, was %s", res.StatusCode, w.attempt(no).OutTradeNo, number)
	}
}

// Cancelling while WeChat is silent leaves the order open and says so.
func TestCancelWhileWeChatIsSilent(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	no := c.buy("LJ-50g")
	w.gateway = func(rw http.ResponseWriter, r *http.Request) bool {
		rw.WriteHeader(http.StatusBadGateway)
		return true
	}
	res := c.submit("/orders/"+no+"/cancel", url.Values{})
	if res.StatusCode != 200 || w.order(no).State != models.Unpaid || !strings.Contains(res.body, "flash") {
		t.Errorf("cancel = %d, order %s", res.StatusCode, w.order(no).State)
	}
}

// What we do not know is said, the same by the page and by every poll, and
// never as a "no".
func TestWeChatSilentAfterPaying(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	no := c.buy("LJ-50g")
	w.api("POST", "transactions/"+w.attempt(no).OutTradeNo+"/pay", map[string]any{}, nil)
	w.gateway = func(rw http.ResponseWriter, r *http.Request) bool {
		rw.WriteHeader(http.StatusBadGateway)
		return true
	}
	for range 3 {
		if res := c.do("GET", "/orders/"+no+"/status", nil); !strings.Contains(res.body, `"state":"checking"`) {
			t.Errorf("poll = %d %s", res.StatusCode, res.body)
		}
	}
	if res := c.visit("/orders/" + no); !strings.Contains(res.body, `data-state="checking"`) {
		t.Errorf("order page does not say that we are checking")
	}
	if o := w.order(no); o.State != models.Unpaid {
		t.Errorf("order is %s", o.State)
	}
}

// Product 7e, V14: a client that goes away leaves nothing half done: once
// begun, the order is finished and has its prepay id.
func TestClientGoesAway(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	c.add("LJ-50g", "1")
	r := c.request("POST", "/checkout", c.checkoutForm())
	ctx, leave := context.WithCancel(r.Context())
	w.gateway = func(http.ResponseWriter, *http.Request) bool {
		leave() // while WeChat is being asked
		return false
	}
	no := c.orderNo(c.send(r.WithContext(ctx)))
	if p := w.attempt(no); p.State != models.PayPrepaid || w.order(no).State != models.Unpaid {
		t.Errorf("attempt %s, order %s", p.State, w.order(no).State)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	res := c.send(c.request("GET", "/orders/"+no, nil).WithContext(gone))
	if res.StatusCode >= 500 || strings.Contains(w.log.String(), "level=ERROR") {
		t.Errorf("a reader who left = %d\n%s", res.StatusCode, w.log)
	}
	if res := c.do("GET", "/orders/"+no, nil); res.StatusCode != 200 {
		t.Errorf("afterwards: %d", res.StatusCode)
	}
}

// WeChat on a computer cannot open its window: it shows a code for a phone, or
// takes the order to the same person's phone.
func TestDesktopWeChat(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	c.ua = strings.Replace(wechatUA, "NetType", "WindowsWechat(0x63090a13) NetType", 1)
	no := c.buy("LJ-50g")
	if res := c.visit("/pay/" + no); res.StatusCode != 200 || strings.Contains(res.body, "prepay_id") || !strings.Contains(res.body, "/pay/"+no+"/code.svg") {
		t.Errorf("pay page on a computer = %d\n%s", res.StatusCode, res.body)
	}
	res := c.submit("/pay/"+no, url.Values{"via": {"wechat"}})
	if res.StatusCode != 200 || strings.Contains(res.body, "prepay_id") || !strings.Contains(res.body, shopURL+"/pay/"+no) {
		t.Errorf("way into WeChat on a computer = %d\n%s", res.StatusCode, res.body)
	}
	if res := c.do("GET", "/pay/"+no+"/qr.svg", nil); res.StatusCode != 200 {
		t.Errorf("code = %d", res.StatusCode)
	}
}
