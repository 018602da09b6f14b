package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"wxshop/models"
)

// The walk of the main job: a shopper inside WeChat buys, pays, and sees it.
func TestWalkInsideWeChat(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1")
	if res := c.visit("/p/longjing"); res.StatusCode != 200 || len(c.cookies) != 0 {
		t.Fatalf("product page: %d, cookies %v", res.StatusCode, c.cookies)
	}
	res := c.do("POST", "/cart/add", url.Values{"sku": {w.sku("LJ-100g")}, "qty": {"2"}, "to": {"checkout"}})
	ask := res.Header.Get("Location")
	if res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(ask, "/auth/wechat?") {
		t.Fatalf("anonymous POST inside WeChat = %d to %q", res.StatusCode, ask) // H15
	}
	res = c.do("GET", ask, nil)
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Refresh"), "0; url=/auth/wechat?") {
		t.Fatalf("asking page = %d, refresh %q", res.StatusCode, res.Header.Get("Refresh"))
	}
	form := c.checkoutForm() // the guest's cart came along through OAuth
	if got := form.Get("expected_total"); got != "33600" {
		t.Fatalf("total = %s, want 33600", got)
	}
	no := c.orderNo(c.do("POST", "/checkout", form))
	res = c.visit("/pay/" + no)
	if res.StatusCode != 200 || !strings.Contains(res.body, "prepay_id=") {
		t.Fatalf("pay page = %d without bridge parameters\n%s", res.StatusCode, res.body)
	}
	if code := w.api("POST", "transactions/"+w.attempt(no).OutTradeNo+"/pay", map[string]any{}, nil); code != 200 {
		t.Fatalf("paying = %d", code)
	}
	res = c.visit("/orders/" + no + "/status")
	if res.StatusCode != 200 || !strings.Contains(res.body, `"state":"paid"`) || !strings.Contains(res.body, `"next_ms":0`) {
		t.Fatalf("status = %d %s", res.StatusCode, res.body)
	}
	if o := w.order(no); o.State != models.Paid {
		t.Fatalf("order is %s", o.State)
	}
	res = c.do("GET", "/pay/"+no, nil)
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/orders/"+no {
		t.Errorf("pay page of a paid order = %d %q", res.StatusCode, res.Header.Get("Location"))
	}
	for _, path := range []string{"/orders/" + no, "/orders", "/me", "/cart"} {
		if res := c.visit(path); res.StatusCode != 200 || strings.Contains(path, "order") && !strings.Contains(res.body, "明前龙井") {
			t.Errorf("GET %s = %d\n%s", path, res.StatusCode, res.body)
		}
	}
}

// A guest outside WeChat orders, and the link takes the order into WeChat.
func TestWalkOutside(t *testing.T) {
	w := newWorld(t)
	c := w.outside()
	no := c.buy("LJ-50g")
	link := c.claimLink(no)
	if res := c.do("GET", "/pay/"+no+"/qr.svg", nil); res.StatusCode != 200 || res.Header.Get("Content-Type") != "image/svg+xml" {
		t.Errorf("QR code = %d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	if res := w.outside().visit("/c/" + link); res.StatusCode != http.StatusForbidden {
		t.Errorf("link in another ordinary browser = %d", res.StatusCode)
	}
	phone := w.inside("2")
	before := w.order(no).UserID
	for range 2 {
		if res := phone.visit("/c/" + link); res.StatusCode != 200 || w.order(no).UserID != before {
			t.Fatalf("opening the link = %d, owner %d, was %d", res.StatusCode, w.order(no).UserID, before)
		}
	}
	res := phone.submit("/c/"+link, url.Values{})
	if res.StatusCode != 200 || w.order(no).UserID == before {
		t.Fatalf("taking over = %d, owner still %d\n%s", res.StatusCode, w.order(no).UserID, res.body)
	}
	if res := phone.submit("/pay/"+no, url.Values{}); !strings.Contains(res.body, "prepay_id=") {
		t.Fatalf("no payment in the page after taking over: %d\n%s", res.StatusCode, res.body)
	}
	if res := w.inside("3").signIn().submit("/c/"+link, url.Values{}); res.StatusCode != http.StatusNotFound {
		t.Errorf("the link a second time = %d", res.StatusCode)
	}
	if res := c.visit("/orders/" + no); res.StatusCode != http.StatusNotFound {
		t.Errorf("the guest still sees the order: %d", res.StatusCode)
	}
}

// An expired link leads to the order, whose button makes another one.
func TestClaimExpires(t *testing.T) {
	w := newWorld(t)
	start := time.Now()
	w.clock = func() time.Time { return start }
	c := w.outside()
	no := c.buy("LJ-50g")
	first := c.claimLink(no)
	w.clock = func() time.Time { return start.Add(31 * time.Minute) }
	if res := w.inside("1").visit("/c/" + first); res.StatusCode != http.StatusNotFound {
		t.Errorf("expired link = %d", res.StatusCode)
	}
	if res := c.do("GET", "/pay/"+no+"?open=1", nil); res.StatusCode != http.StatusSeeOther {
		t.Errorf("open page without a link = %d", res.StatusCode)
	}
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

func TestCancelConfirmAgain(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	no := c.buy("LJ-50g")
	if res := c.visit("/orders/" + no + "/cancel"); res.StatusCode != 200 {
		t.Fatalf("cancel page = %d", res.StatusCode)
	}
	res := c.submit("/orders/"+no+"/cancel", url.Values{})
	if res.StatusCode != 200 || w.order(no).State != models.Closed || w.order(no).CloseReason != models.ByShopper {
		t.Fatalf("cancel = %d, order %s\n%s", res.StatusCode, w.order(no).State, w.log)
	}
	if res := c.submit("/orders/"+no+"/cancel", url.Values{}); res.StatusCode != 200 {
		t.Errorf("cancel again = %d", res.StatusCode)
	}
	if res := c.submit("/orders/"+no+"/again", url.Values{}); res.StatusCode != 200 || !strings.Contains(res.body, "明前龙井") {
		t.Errorf("again = %d\n%s", res.StatusCode, res.body)
	}
	no = c.orderNo(c.do("POST", "/checkout", c.checkoutForm()))
	w.api("POST", "transactions/"+w.attempt(no).OutTradeNo+"/pay", map[string]any{}, nil)
	c.visit("/orders/" + no + "/status")
	if err := w.store.Ship(t.Context(), no, "顺丰速运", "SF123", "staff:mei"); err != nil {
		t.Fatal(err)
	}
	if res := c.submit("/orders/"+no+"/confirm", url.Values{}); res.StatusCode != 200 || w.order(no).State != models.Done {
		t.Errorf("confirm = %d, order %s", res.StatusCode, w.order(no).State)
	}
}
