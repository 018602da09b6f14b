package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"wxshop/models"
)

// limited lets staff give back up to 50 yuan at once.
func limited(c *Config) { c.Admin.StaffRefundLimit = 5000 }

// refundForm is the refund page as somebody would submit it.
func (c *client) refundForm(no, amount string) url.Values {
	c.t.Helper()
	res := c.do("GET", "/admin/orders/"+no+"/refund", nil)
	token := between(res.body, `name="token" value="`, `"`)
	if res.StatusCode != http.StatusOK || !isToken(token) {
		c.t.Fatalf("GET refund = %d, token %q\n%s", res.StatusCode, token, res.body)
	}
	return url.Values{"amount": {amount}, "reason": {"茶罐压瘪了"}, "token": {token}}
}

// given is what was promised back of an order, and in how many parts.
func (w *world) given(no string) (models.Fen, int) {
	w.t.Helper()
	rs, err := w.store.RefundsOf(w.t.Context(), w.order(no).ID)
	if err != nil {
		w.t.Fatal(err)
	}
	var sum models.Fen
	for _, r := range rs {
		sum += r.Amount
	}
	return sum, len(rs)
}

// P17, X31: a part, then more than is left, then the rest, and the shelf.
func TestAdminRefund(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	no := w.settledOrder(w.inside("1").signIn(), "LJ-50g") // 98.00 + 8.00
	c := w.outside().enters("owner")
	if page := c.do("GET", "/admin/orders/"+no, nil); !strings.Contains(page.body, "/admin/orders/"+no+`/refund"`) {
		t.Error("the order does not offer a refund")
	}
	stock := w.skuRow("LJ-50g").Stock
	item := formatID(w.order(no).Items[0].ID)
	form := c.refundForm(no, "58")
	form.Set("l"+item, "1")
	form.Set("s"+item, "1")
	res := c.submit("/admin/orders/"+no+"/refund", form)
	if res.StatusCode != http.StatusOK || !strings.Contains(res.body, "退款 ¥58.00 已交给微信") || !strings.Contains(res.body, "茶罐压瘪了") {
		t.Fatalf("refund = %d\n%s", res.StatusCode, res.body)
	}
	if got := w.skuRow("LJ-50g").Stock; got != stock+1 {
		t.Errorf("stock is %d, want %d: one came back", got, stock+1)
	}
	if res := c.do("POST", "/admin/orders/"+no+"/refund", form); res.StatusCode != http.StatusSeeOther {
		t.Errorf("the same form again = %d", res.StatusCode) // a double tap is one refund
	}
	form.Set("amount", "48") // X31: changed amount with the old token
	if res := c.do("POST", "/admin/orders/"+no+"/refund", form); res.StatusCode != http.StatusConflict {
		t.Errorf("another amount with a used form = %d, want 409", res.StatusCode)
	}
	if sum, n := w.given(no); sum != 5800 || n != 1 {
		t.Fatalf("given back %s in %d parts, want 58.00 in one", sum, n)
	}
	again := c.refundForm(no, "1")
	again.Set("l"+item, "1")
	if res := c.do("POST", "/admin/orders/"+no+"/refund", again); res.StatusCode != http.StatusConflict || !strings.Contains(res.body, "选的件数比还没退的多") {
		t.Errorf("the same piece again = %d", res.StatusCode)
	}
	res = c.do("POST", "/admin/orders/"+no+"/refund", c.refundForm(no, "48.01"))
	if res.StatusCode != http.StatusConflict || !strings.Contains(res.body, "只剩 ¥48.00 可以退") || !strings.Contains(res.body, `value="48.01"`) {
		t.Errorf("a fen too much = %d\n%s", res.StatusCode, res.body)
	}
	if res := c.do("POST", "/admin/orders/"+no+"/refund", c.refundForm(no, "48")); res.StatusCode != http.StatusSeeOther {
		t.Errorf("the rest = %d", res.StatusCode)
	}
	if res := c.do("GET", "/admin/orders/"+no+"/refund", nil); !strings.Contains(res.body, "没有可退的了") {
		t.Error("the form of an order that was given back whole is still open")
	}
	if list := c.do("GET", "/admin/refunds", nil); strings.Count(list.body, "林晓溪") != 2 || !strings.Contains(list.body, `没完的 2`) {
		t.Errorf("the list of refunds\n%s", list.body)
	}
	if today := c.do("GET", "/admin", nil); !strings.Contains(today.body, `退款没完</span><b>2</b><span class="s">共 ¥106.00</span>`) {
		t.Error("today does not count them")
	}
	if err := w.srv.Checkout.RefundOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// X31: amounts and words that are none change nothing.
func TestAdminRefundRefuses(t *testing.T) {
	w := newWorld(t, limited)
	w.hire("owner", "owner")
	w.hire("clerk", "staff")
	w.hire("viewer", "viewer")
	buyer := w.inside("1").signIn()
	no, unpaid := w.settledOrder(buyer, "LJ-50g"), buyer.buy("LJ-50g")
	c := w.outside().enters("owner")
	for _, test := range []struct {
		name, field, value string
		want               int
	}{
		{"minus", "amount", "-1", 422}, {"nothing", "amount", "0", 422}, {"empty", "amount", "", 422}, {"half a fen", "amount", "0.015", 422},
		{"exponent", "amount", "1e3", 422}, {"comma", "amount", "1,00", 422}, {"huge", "amount", "99999999999999999999", 422},
		{"a fen too much", "amount", "106.01", 409}, {"no reason", "reason", " ", 422}, {"long reason", "reason", strings.Repeat("茶", 27), 422},
		{"control", "reason", "a\x01", 422}, {"no token", "token", "", 400}, {"token of the program", "token", "late P1", 400},
		{"line of another order", "l999", "1", 409}, {"minus pieces", "l1", "-1", 400}, {"odd line", "lx", "1", 400}, {"odd shelf", "s0", "1", 400},
		{"unknown field", "total", "1", 400},
	} {
		form := c.refundForm(no, "1")
		form.Set(test.field, test.value)
		if res := c.do("POST", "/admin/orders/"+no+"/refund", form); res.StatusCode != test.want {
			t.Errorf("%s = %d, want %d", test.name, res.StatusCode, test.want)
		}
	}
	if res := c.do("POST", "/admin/orders/"+unpaid+"/refund", c.refundForm(no, "1")); res.StatusCode != http.StatusConflict {
		t.Errorf("an unpaid order = %d, want 409", res.StatusCode)
	}
	clerk := w.outside().enters("clerk")
	form := clerk.refundForm(no, "50.01")
	if res := clerk.do("POST", "/admin/orders/"+no+"/refund", form); res.StatusCode != http.StatusForbidden || !strings.Contains(res.body, "你一次最多能退 ¥50.00") { // A8
		t.Errorf("staff over the limit = %d", res.StatusCode)
	}
	if res := w.outside().enters("viewer").do("POST", "/admin/orders/"+no+"/refund", form); res.StatusCode != http.StatusForbidden {
		t.Errorf("a viewer = %d, want 403", res.StatusCode)
	}
	if sum, n := w.given(no); n != 0 {
		t.Fatalf("given back %s in %d parts, want nothing", sum, n)
	}
	form.Set("amount", "50")
	if res := clerk.do("POST", "/admin/orders/"+no+"/refund", form); res.StatusCode != http.StatusSeeOther {
		t.Errorf("staff at the limit = %d", res.StatusCode)
	}
}

// P17: twenty refunds of 60 % at once, from twenty forms: exactly one.
func TestAdminRefundParallel(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	no := w.settledOrder(w.inside("1").signIn(), "LJ-50g")
	c := w.outside().enters("owner")
	forms := make([]url.Values, 20)
	for i := range forms {
		forms[i] = c.refundForm(no, "63.60")
	}
	var wg sync.WaitGroup
	codes := make([]int, len(forms))
	for i := range forms {
		twin := c.twin()
		wg.Go(func() { codes[i] = twin.do("POST", "/admin/orders/"+no+"/refund", forms[i]).StatusCode })
	}
	wg.Wait()
	if got := fmt.Sprint(countOf(codes, 303), countOf(codes, 409)); got != "1 19" {
		t.Errorf("accepted and refused = %s, want 1 19: %v", got, codes)
	}
	if sum, n := w.given(no); sum != 6360 || n != 1 {
		t.Errorf("given back %s in %d parts", sum, n)
	}
}

func countOf(codes []int, want int) (n int) {
	for _, c := range codes {
		if c == want {
			n++
		}
	}
	return n
}

// Decision 43: a payment to check goes back in full, once, with a reason.
func TestAdminRefundMisfit(t *testing.T) {
	w := newWorld(t, limited)
	w.hire("owner", "owner")
	w.hire("clerk", "staff")
	no := w.paidOrder(w.inside("1").signIn(), "LJ-50g")
	out := w.attempt(no).OutTradeNo
	for _, m := range []models.Misfit{
		{TransactionID: "4200000000000000000000000001", Reason: "amount", OutTradeNo: out, OrderID: w.order(no).ID, Got: "10600", Want: "9800", Total: 10600},
		{TransactionID: "4200000000000000000000000002", Reason: "amount", OutTradeNo: "P2", Got: "x", Want: "1", Total: -1},
	} {
		if _, err := w.store.RecordMisfit(t.Context(), m, nil); err != nil {
			t.Fatal(err)
		}
	}
	note := url.Values{"note": {"单号不是我们的，退回"}}
	clerk, boss := w.outside().enters("clerk"), w.outside().enters("owner")
	if res := clerk.do("GET", "/admin/check", nil); strings.Contains(res.body, `/refund"`) {
		t.Error("staff are offered more than they may give back")
	}
	if res := clerk.do("POST", "/admin/check/1/refund", note); res.StatusCode != http.StatusForbidden {
		t.Errorf("staff over the limit = %d, want 403", res.StatusCode) // A8
	}
	if res := boss.do("POST", "/admin/check/1/refund", url.Values{"note": {""}}); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("without a reason = %d", res.StatusCode)
	}
	if res := boss.do("POST", "/admin/check/2/refund", note); res.StatusCode != http.StatusBadRequest {
		t.Errorf("an amount that nobody can read = %d, want 400", res.StatusCode)
	}
	res := boss.submit("/admin/check/1/refund", note)
	if res.StatusCode != http.StatusOK || !strings.Contains(res.body, "退款 ¥106.00 已交给微信") || !strings.Contains(res.body, "1 笔等你决定") {
		t.Errorf("refund = %d\n%s", res.StatusCode, res.body)
	}
	if res := boss.do("POST", "/admin/check/1/refund", note); res.StatusCode != http.StatusConflict {
		t.Errorf("a second time = %d, want 409", res.StatusCode)
	}
	if sum, n := w.given(no); sum != 10600 || n != 1 {
		t.Errorf("given back %s in %d parts", sum, n)
	}
}

// A refund that WeChat did not answer is kept, shown and tried again.
func TestAdminRefundWithoutAnswer(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	no := w.settledOrder(w.inside("1").signIn(), "LJ-50g")
	c := w.outside().enters("owner")
	w.gateway = func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/refund") {
			rw.WriteHeader(http.StatusBadGateway)
			return true
		}
		return false
	}
	res := c.submit("/admin/orders/"+no+"/refund", c.refundForm(no, "10"))
	if res.StatusCode != http.StatusOK || !strings.Contains(res.body, "退款 ¥10.00 已记下") || !strings.Contains(res.body, "待退") {
		t.Errorf("refund = %d\n%s", res.StatusCode, res.body)
	}
}
