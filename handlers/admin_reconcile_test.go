package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"wxshop/checkout"
	"wxshop/models"
)

// theNextDay lets WeChat's clock run, so that it has a bill of today.
func (w *world) theNextDay(faults ...string) {
	w.t.Helper()
	next := map[string]int{}
	for _, f := range faults {
		next[f] = 1
	}
	if w.api("POST", "clock", map[string]any{"advance": "48h"}, nil) != http.StatusOK ||
		w.api("PUT", "faults", map[string]any{"next": next}, nil) != http.StatusOK {
		w.t.Fatal("the simulator refuses")
	}
}

// one is the only open difference of a kind.
func (w *world) one(day string, kind models.DiffKind) models.BillDifference {
	w.t.Helper()
	ds, err := w.store.Differences(w.t.Context(), day, kind, false, 0, 0)
	if err != nil || len(ds) != 1 {
		w.t.Fatalf("%s on %s: %+v, %v, want one", kind, day, ds, err)
	}
	return ds[0]
}

func (c *client) says(page, words string) {
	c.t.Helper()
	if res := c.do("GET", page, nil); res.StatusCode != http.StatusOK || !strings.Contains(res.body, words) {
		c.t.Errorf("%s = %d and does not say %q", page, res.StatusCode, words)
	}
}

func (c *client) posts(page string, form url.Values, want int) result {
	c.t.Helper()
	if form == nil {
		form = url.Values{}
	}
	res := c.do("POST", page, form)
	if res.StatusCode != want {
		c.t.Errorf("POST %s = %d, want %d", page, res.StatusCode, want)
	}
	return res
}

// product 7j through the door: a day is compared, everything planted is there,
// and each difference is dealt with by a form.
func TestAdminReconcile(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Admin.StaffRefundLimit = 100 })
	for _, role := range []string{"owner", "staff", "viewer"} {
		w.hire(role, role)
	}
	owner, staff, viewer := w.outside().enters("owner"), w.outside().enters("staff"), w.outside().enters("viewer")
	buyer := w.inside("1").signIn()
	paid := w.settledOrder(buyer, "LJ-50g")
	silent := w.paidOrder(buyer, "LJ-50g") // we have not heard of it
	p, err := w.store.Payment(t.Context(), w.attempt(paid).OutTradeNo)
	if err != nil {
		t.Fatal(err)
	}
	day := checkout.DayName(p.PaidAt.Time)
	owner.says("/admin/reconcile", "还没有对过账")
	owner.posts("/admin/reconcile", url.Values{"day": {day}}, http.StatusSeeOther)
	owner.says("/admin/reconcile/"+day, "还没有出这一天的账单")
	owner.posts("/admin/reconcile", url.Values{"day": {"tomorrow"}}, http.StatusUnprocessableEntity)
	w.theNextDay("bill-extra")
	page := "/admin/reconcile/" + day
	viewer.posts(page+"/run", nil, http.StatusForbidden)
	staff.posts(page+"/run", nil, http.StatusSeeOther)
	staff.says(page, "2 处不一致")
	viewer.says(page, "微信已收款，我们没有")
	if body := viewer.do("GET", page, nil).body; strings.Contains(body, "/explain") || strings.Contains(body, "/run") {
		t.Error("a viewer is offered actions")
	}
	owner.says("/admin", `href="/admin/reconcile"`)
	owner.says("/admin", `<span class="pip">2</span>`)

	unsettled, extra := w.one(day, models.DiffUnsettled), w.one(day, models.DiffUnknown)
	at := func(d models.BillDifference, act string) string { return fmt.Sprintf("%s/%d/%s", page, d.ID, act) }
	for _, act := range []string{"settle", "ask", "refund", "explain"} {
		viewer.posts(at(unsettled, act), url.Values{"note": {"x"}}, http.StatusForbidden)
	}
	staff.posts(at(unsettled, "refund"), url.Values{"note": {"太多"}}, http.StatusForbidden) // beyond the limit
	w.wantState(t, silent, models.Unpaid)
	staff.posts(at(unsettled, "settle"), nil, http.StatusSeeOther)
	w.wantState(t, silent, models.Paid)
	staff.says(page, "两边一致了")
	staff.posts(at(unsettled, "settle"), nil, http.StatusConflict)

	staff.posts(at(extra, "settle"), nil, http.StatusSeeOther)
	staff.says(page, "没有这个单号")
	owner.posts(at(extra, "refund"), url.Values{"note": {"退掉"}}, http.StatusSeeOther)
	owner.says(page, "没有可退的")
	res := staff.posts(at(extra, "explain"), url.Values{"note": {""}}, http.StatusUnprocessableEntity)
	if !strings.Contains(res.body, "请写几个字") {
		t.Error("the form does not say what is missing")
	}
	staff.posts(at(extra, "explain"), url.Values{"note": {"微信客服：账单有错"}}, http.StatusSeeOther)
	staff.says(page, "微信客服：账单有错")
	got, err := w.store.Difference(t.Context(), extra.ID)
	if err != nil || got.State != models.DiffExplained || got.ClosedBy != "staff:staff" {
		t.Errorf("difference = %+v, %v", got, err)
	}
	staff.posts(page+"/run", nil, http.StatusSeeOther)
	staff.says(page, "微信账单和我们的记录一致")
	if !strings.Contains(w.log.String(), "level=ERROR") || !strings.Contains(w.log.String(), "see reconciliation") {
		t.Error("differences are no error in the log")
	}
	english := owner
	english.posts("/admin/lang", url.Values{"lang": {"en"}, "back": {page}}, http.StatusSeeOther)
	english.says(page, "Our books")
}

// Money that only the bill knows goes back through one form.
func TestAdminReconcileRefund(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	owner := w.outside().enters("owner")
	no := w.paidOrder(w.inside("1").signIn(), "LJ-50g")
	out := w.attempt(no).OutTradeNo
	w.theNextDay()
	day := checkout.DayName(w.now())
	owner.posts("/admin/reconcile/"+day+"/run", nil, http.StatusSeeOther)
	d := w.one(day, models.DiffUnsettled)
	owner.posts(fmt.Sprintf("/admin/reconcile/%s/%d/refund", day, d.ID), url.Values{"note": {"买家不要了"}}, http.StatusSeeOther)
	rs, err := w.store.RefundsOf(t.Context(), w.order(no).ID)
	if err != nil || len(rs) != 1 || rs[0].OutTradeNo != out || rs[0].Amount != d.Theirs || rs[0].Actor != "staff:owner" {
		t.Errorf("refunds = %+v, %v", rs, err)
	}
}

// I4: odd days and numbers are refused.
func TestAdminReconcileOddRequests(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	c := w.outside().enters("owner")
	for path, want := range map[string]int{
		"/admin/reconcile?before=x":                                  400,
		"/admin/reconcile?before=2026-11-19":                         200,
		"/admin/reconcile/2026-13-01":                                404,
		"/admin/reconcile/2026-11-19":                                404,
		"/admin/reconcile/9999999999-11-19":                          404,
		"/admin/reconcile/..%2forders":                               404,
		"/admin/reconcile/2026-11-19?day=" + strings.Repeat("x", 99): 404,
	} {
		if res := c.do("GET", path, nil); res.StatusCode != want {
			t.Errorf("GET %s = %d, want %d", path, res.StatusCode, want)
		}
	}
	c.posts("/admin/reconcile/2026-11-19/7/explain", url.Values{"note": {"x"}}, http.StatusNotFound)
	c.posts("/admin/reconcile/2026-11-19/x/ask", nil, http.StatusNotFound)
	c.posts("/admin/reconcile/nothing/run", nil, http.StatusNotFound)
	c.posts("/admin/reconcile", url.Values{"day": {"2999-01-01"}}, http.StatusUnprocessableEntity)
}
