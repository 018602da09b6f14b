package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"wxshop/models"
)

// "Ask WeChat" says what WeChat said, and the order follows.
func TestAdminAskWeChat(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	buyer, c := w.inside("1").signIn(), w.outside().enters("owner")
	ask := func(no string) string {
		t.Helper()
		res := c.submit("/admin/orders/"+no+"/ask", url.Values{})
		if res.StatusCode != http.StatusOK {
			t.Fatalf("ask = %d\n%s", res.StatusCode, res.body)
		}
		return res.body
	}

	no := buyer.buy("LJ-50g")
	if got := ask(no); !strings.Contains(got, "还没付") && !strings.Contains(got, "没有这个单号") && !strings.Contains(got, "还没有发起过付款") {
		t.Errorf("asking about an order that nobody paid:\n%s", got)
	}
	buyer.visit("/pay/" + no)
	if got := ask(no); !strings.Contains(got, "微信说还没付") {
		t.Errorf("asking about an open payment:\n%s", got)
	}
	w.api("POST", "transactions/"+w.attempt(no).OutTradeNo+"/pay", map[string]any{}, nil)
	if got := ask(no); !strings.Contains(got, "微信说已付，订单已经更新") || !strings.Contains(got, "已付款 ¥106.00") {
		t.Errorf("asking about a paid order:\n%s", got)
	}
	w.wantState(t, no, models.Paid)
	if got := ask(no); !strings.Contains(got, "微信说已付，订单已经更新") {
		t.Errorf("asking once more:\n%s", got)
	}

	guest := w.outside().buy("LJ-50g")
	if got := ask(guest); !strings.Contains(got, "微信说还没付") {
		t.Errorf("asking about a guest's order:\n%s", got)
	}
}

// WeChat says paid, but another sum than we asked for: the button must not
// say that all is well.
func TestAdminAskFindsAMisfit(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	no := w.paidOrder(w.inside("1").signIn(), "LJ-50g")
	w.exec(`UPDATE payments SET total = total + 1`)
	res := w.outside().enters("owner").submit("/admin/orders/"+no+"/ask", url.Values{})
	if !strings.Contains(res.body, "微信说已付，但和订单对不上") || !strings.Contains(res.body, `<span class="pip">1</span>`) {
		t.Errorf("asking about a payment that does not fit\n%s", res.body)
	}
	w.wantState(t, no, models.Unpaid)
}

// An answer that is none decides nothing, and neither does a refusal.
func TestAdminAskGetsNoAnswer(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	buyer, c := w.inside("1").signIn(), w.outside().enters("owner")
	no := w.paidOrder(buyer, "LJ-50g")
	for name, answer := range map[string]func(http.ResponseWriter){
		"500":  func(rw http.ResponseWriter) { rw.WriteHeader(http.StatusInternalServerError) },
		"HTML": func(rw http.ResponseWriter) { fmt.Fprint(rw, "<html><h1>busy</h1></html>") },
		"cut":  func(rw http.ResponseWriter) { fmt.Fprint(rw, "<xml><return_code>SUCC") },
		"unsigned": func(rw http.ResponseWriter) {
			fmt.Fprint(rw, "<xml><return_code>SUCCESS</return_code><result_code>SUCCESS</result_code><trade_state>CLOSED</trade_state></xml>")
		},
	} {
		w.gateway = func(rw http.ResponseWriter, r *http.Request) bool {
			if !strings.HasPrefix(r.URL.Path, "/pay/") {
				return false
			}
			answer(rw)
			return true
		}
		for _, action := range []string{"ask", "close"} {
			res := c.submit("/admin/orders/"+no+"/"+action, url.Values{"note": {"买家不要了"}})
			if res.StatusCode != http.StatusOK || !strings.Contains(res.body, "什么都没有改变") {
				t.Errorf("%s with %s = %d\n%s", action, name, res.StatusCode, res.body)
			}
			w.wantState(t, no, models.Unpaid)
		}
	}
	w.gateway = nil
	c.submit("/admin/orders/"+no+"/ask", url.Values{})
	w.wantState(t, no, models.Paid)
}

// Closing asks WeChat first: an order that was paid meanwhile is not closed,
// and the page says what changed.
func TestAdminClose(t *testing.T) {
	w := newWorld(t)
	w.hire("小满", "staff")
	buyer, c := w.inside("1").signIn(), w.outside().enters("小满")
	stock := w.skuRow("LJ-50g").Stock

	no := buyer.buy("LJ-50g")
	buyer.visit("/pay/" + no)
	for name, note := range map[string]string{"no reason": "  ", "long": strings.Repeat("长", 201), "control": "a\x02"} {
		res := c.do("POST", "/admin/orders/"+no+"/close", url.Values{"note": {note}})
		if res.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s = %d", name, res.StatusCode)
		}
	}
	w.wantState(t, no, models.Unpaid)
	res := c.submit("/admin/orders/"+no+"/close", url.Values{"note": {"买家打电话说不要了"}})
	if res.StatusCode != http.StatusOK || !strings.Contains(res.body, "订单关闭了") || !strings.Contains(res.body, "小满 · 待付款 → 已关闭 · 买家打电话说不要了") {
		t.Errorf("close = %d\n%s", res.StatusCode, res.body)
	}
	if o := w.order(no); o.State != models.Closed || o.CloseReason != models.ByMerchant || w.skuRow("LJ-50g").Stock != stock {
		t.Errorf("order is %s by %s, stock %d, was %d", o.State, o.CloseReason, w.skuRow("LJ-50g").Stock, stock)
	}
	var at struct{ State string }
	if w.api("GET", "transactions/"+w.attempt(no).OutTradeNo, nil, &at); !strings.EqualFold(at.State, "CLOSED") {
		t.Errorf("at WeChat the order is %s", at.State)
	}

	paid := w.paidOrder(buyer, "LJ-100g") // and nobody told us yet
	res = c.do("POST", "/admin/orders/"+paid+"/close", url.Values{"note": {"太久没付"}})
	if res.StatusCode != http.StatusConflict || !strings.Contains(res.body, "情况变了") || !strings.Contains(res.body, "待发货") {
		t.Errorf("closing a paid order = %d\n%s", res.StatusCode, res.body)
	}
	w.wantState(t, paid, models.Paid)
}

func TestAdminNote(t *testing.T) {
	w := newWorld(t)
	w.hire("小满", "staff")
	no := w.inside("1").signIn().buy("LJ-50g")
	c := w.outside().enters("小满")
	for name, test := range map[string]struct{ note, want string }{
		"none":     {"", "请写几个字"},
		"too long": {strings.Repeat("长", 201), "最多 200 个字"},
		"bidi":     {"a\u202eb", "最多 200 个字"},
	} {
		res := c.do("POST", "/admin/orders/"+no+"/note", url.Values{"note": {test.note}})
		if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(res.body, test.want) || !strings.Contains(res.body, "aria-invalid") {
			t.Errorf("%s = %d, want 422 with %q", name, res.StatusCode, test.want)
		}
	}
	note := "🍵 下午一起寄"
	res := c.do("POST", "/admin/orders/"+no+"/note", url.Values{"note": {note}})
	if res.Header.Get("Location") != "/admin/orders/"+no+"#log" {
		t.Fatalf("note leads to %q", res.Header.Get("Location"))
	}
	first := c.visit("/admin/orders/" + no)
	if !strings.Contains(first.body, note) || !strings.Contains(first.body, "备注存好了") {
		t.Errorf("the note or its flash is missing\n%s", first.body)
	}
	if second := c.visit("/admin/orders/" + no); strings.Contains(second.body, "备注存好了") {
		t.Error("the flash is shown twice")
	}
	if res := w.inside("1").signIn().visit("/orders/" + no); strings.Contains(res.body, "下午一起寄") {
		t.Error("the buyer reads the note")
	}
}

// Money that does not fit: it is on the list with a badge until somebody
// explains it, once.
func TestAdminCheck(t *testing.T) {
	w := newWorld(t)
	w.hire("陆掌柜", "owner")
	w.hire("小满", "staff")
	no := w.inside("1").signIn().buy("LJ-50g")
	o := w.order(no)
	for _, m := range []models.Misfit{
		{TransactionID: "4200000000000000000000000001", Reason: "amount", OutTradeNo: "P1", OrderID: o.ID, Got: "9800", Want: "10600", Total: 9800, Raw: `{"total_fee":"9800","x":"<script>"}`},
		{TransactionID: "4200000000000000000000000002", Reason: "unknown", OutTradeNo: "Z<i>1", Got: "Z<i>1", Want: "one of our numbers", Total: 100},
	} {
		if fresh, err := w.store.RecordMisfit(t.Context(), m, nil); err != nil || !fresh {
			t.Fatalf("record: %v, %v", fresh, err)
		}
	}
	boss, clerk := w.outside().enters("陆掌柜"), w.outside().enters("小满")
	page := boss.do("GET", "/admin/check", nil)
	for _, want := range []string{"2 笔等你决定", `<span class="pip">2</span>`, "少收 ¥8.00", "106.00", "98.00", "单号不是我们的", "Z&lt;i&gt;1", "/admin/orders/" + no, "&lt;script&gt;"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the list does not show %q", want)
		}
	}
	if n := strings.Count(page.body, "4200000000000000000000000001"); n != 1 {
		t.Errorf("an open payment is on the page %d times", n)
	}
	if !strings.Contains(page.body, "全额退款 ¥98.00") {
		t.Error("there is no button to give the money back")
	}
	if res := boss.do("GET", "/admin/orders/"+no, nil); !strings.Contains(res.body, "和这个订单有关的待核对付款") || !strings.Contains(res.body, "有一笔钱对不上，放进待核对 ¥98.00") {
		t.Error("the order does not tell of the payment")
	}
	if res := boss.do("GET", "/admin/orders", nil); !strings.Contains(res.body, `<span class="tag bad">待核对</span>`) {
		t.Error("the list of orders has no mark")
	}
	if res := boss.do("POST", "/admin/check/1/explain", url.Values{"note": {" "}}); res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(res.body, "请写几个字") {
		t.Errorf("no explanation = %d", res.StatusCode)
	}
	res := boss.submit("/admin/check/1/explain", url.Values{"note": {"改价前的付款，电话确认过"}})
	if res.StatusCode != http.StatusOK || !strings.Contains(res.body, "1 笔等你决定") || !strings.Contains(res.body, "改价前的付款，电话确认过") {
		t.Errorf("explain = %d\n%s", res.StatusCode, res.body)
	}
	res = clerk.do("POST", "/admin/check/1/explain", url.Values{"note": {"我也看过"}})
	if res.StatusCode != http.StatusConflict || !strings.Contains(res.body, `href="/admin/check"`) {
		t.Errorf("explaining it again = %d\n%s", res.StatusCode, res.body)
	}
	if res := boss.do("GET", "/admin/orders/"+no, nil); !strings.Contains(res.body, "陆掌柜 · 改价前的付款，电话确认过") {
		t.Error("the history of the order does not tell of the explanation")
	}
	clerk.submit("/admin/check/2/explain", url.Values{"note": {"另一套系统"}})
	if res := boss.do("GET", "/admin/check", nil); !strings.Contains(res.body, "没有要核对的付款") || strings.Contains(res.body, "pip") {
		t.Error("the list is not empty, or the badge is still there")
	}
	w.wantState(t, no, models.Unpaid) // nothing was settled by explaining
}

// The numbers of the first page are real.
func TestAdminToday(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	c := w.outside().enters("owner")
	if res := c.do("GET", "/admin", nil); !strings.Contains(res.body, "还没有订单") {
		t.Error("an empty shop does not say so")
	}
	buyer := w.inside("1").signIn()
	buyer.buy("LJ-50g")
	w.settledOrder(buyer, "LJ-100g")
	closed := w.paidOrder(buyer, "JS")
	if err := w.store.CloseOrder(t.Context(), w.order(closed).ID, models.ByShopper, "shopper", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.srv.Checkout.Ask(t.Context(), closed, "query"); err != nil { // paid too late: a refund is due
		t.Fatal(err)
	}
	res := c.do("GET", "/admin", nil)
	for _, want := range []string{
		`待发货</span><b>1</b>`, `待付款</span><b>1</b>`, `待核对</span><b>0</b>`, `退款没完</span><b>1</b><span class="s">共 ¥66.00</span>`,
	} {
		if !strings.Contains(res.body, want) {
			t.Errorf("today does not show %s\n%s", want, res.body)
		}
	}
	res = c.submit("/admin/orders/"+closed+"/ask", url.Values{})
	if !strings.Contains(res.body, "这笔钱正在退回") || !strings.Contains(res.body, "订单关闭后才付款") {
		t.Errorf("asking about money that came too late\n%s", res.body)
	}
}

// English by the cookie, and back.
func TestAdminLanguage(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	c := w.outside().enters("owner")
	res := c.do("POST", "/admin/lang", url.Values{"lang": {"en"}, "back": {"/admin/orders?state=paid"}})
	if res.Header.Get("Location") != "/admin/orders?state=paid" {
		t.Errorf("language leads to %q", res.Header.Get("Location"))
	}
	if res := c.visit("/admin/orders?state=paid"); !strings.Contains(res.body, `<html lang="en">`) || !strings.Contains(res.body, "No orders here yet.") {
		t.Errorf("not English:\n%s", res.body)
	}
}
