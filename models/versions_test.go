package models

import (
	"maps"
	"testing"
	"time"
)

// What WeChat still has to be asked about counts for the version it was made
// with; what has ended, or waits for a person, does not.
func TestOpenVersions(t *testing.T) {
	s, u := shop(t, 50, Options{})
	ctx := t.Context()
	want := func(what string, want map[string]int64) {
		t.Helper()
		if got, err := s.OpenVersions(ctx); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", what, got, err, want)
		}
	}
	step := func(r *Refund, to RefundState) {
		t.Helper()
		if _, err := s.StepRefund(ctx, RefundStep{OutRefundNo: r.OutRefundNo, To: to, Actor: "query"}); err != nil {
			t.Fatal(err)
		}
	}
	want("an empty shop", map[string]int64{})
	_, p2 := place(t, s, checkout(u.ID, "a", Line{1, 1}))
	n := checkout(u.ID, "b", Line{1, 1})
	n.Payment.API = "v3"
	_, p3 := place(t, s, n)
	want("one of each", map[string]int64{"v2": 1, "v3": 1})
	if _, _, err := s.ApplyPaid(ctx, pays(p2, "4200000000000000000000000001")); err != nil {
		t.Fatal(err)
	}
	want("v2 is paid", map[string]int64{"v3": 1})
	r, _, err := s.CreateRefund(ctx, NewRefund{OutTradeNo: p2.OutTradeNo, Amount: 100, Token: "t", Actor: "staff:mei"})
	if err != nil || r.API != "v2" {
		t.Fatal(r, err)
	}
	want("and goes back", map[string]int64{"v2": 1, "v3": 1})
	step(r, RefundProcessing)
	want("is under way", map[string]int64{"v2": 1, "v3": 1})
	step(r, RefundAbnormal)
	want("waits for a person", map[string]int64{"v3": 1})
	if err := s.EndPayment(ctx, p3.ID, PayClosed, "shopper", "", nil); err != nil {
		t.Fatal(err)
	}
	want("v3 is closed, and looked at once more", map[string]int64{"v3": 1})
	if err := s.CheckAgain(ctx, p3.ID, time.Time{}); err != nil {
		t.Fatal(err)
	}
	want("and never again", map[string]int64{})
}

// A payment to check goes back by the version of its own payment, one of an
// unknown number by the one that is configured.
func TestMisfitGoesBackByItsVersion(t *testing.T) {
	s, u := shop(t, 50, Options{})
	ctx := t.Context()
	o, p := place(t, s, checkout(u.ID, "a", Line{1, 1}))
	by := Account{API: "v3", AppID: "wxf00000000000beef"}
	for _, m := range []struct {
		no   string
		want Account
	}{
		{p.OutTradeNo, Account{API: "v2", SignType: "HMAC-SHA256", AppID: p.AppID}},
		{"X0001", by},
	} {
		if _, err := s.RecordMisfit(ctx, Misfit{TransactionID: "4200" + m.no, Reason: "amount", OutTradeNo: m.no, OrderID: o.ID, Total: 5}, nil); err != nil {
			t.Fatal(err)
		}
		ms, err := s.Misfits(ctx, true, 0, 1)
		if err != nil || len(ms) != 1 {
			t.Fatal(ms, err)
		}
		r, err := s.RefundMisfit(ctx, ms[0].ID, by, "staff:mei", "")
		if err != nil {
			t.Fatal(err)
		}
		if got := (Account{r.API, r.SignType, r.AppID}); got != m.want {
			t.Errorf("%s goes back by %+v, want %+v", m.no, got, m.want)
		}
	}
}
