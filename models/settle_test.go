package models

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func apply(t testing.TB, s *Store, f PaidFact, want Outcome) *Order {
	t.Helper()
	got, o, err := s.ApplyPaid(t.Context(), f)
	if err != nil || got != want {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
	return o
}

// P9: the same payment told a hundred times at once is one event.
func TestPaidOnce(t *testing.T) {
	s, u := shop(t, 10, Options{})
	o, p := place(t, s, checkout(u.ID, "paid", Line{1, 1}))
	var paid, repeated atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			out, _, err := s.ApplyPaid(t.Context(), pays(p, "4200001"))
			switch {
			case err == nil && out == OutcomePaid:
				paid.Add(1)
			case err == nil && out == OutcomeRepeated:
				repeated.Add(1)
			default:
				t.Errorf("%q %v", out, err)
			}
		})
	}
	wg.Wait()
	if paid.Load() != 1 || repeated.Load() != 99 {
		t.Errorf("%d paid, %d repeated", paid.Load(), repeated.Load())
	}
	if n := count(t, s, `SELECT count(*) FROM events WHERE order_id = ? AND kind = 'paid'`, o.ID); n != 1 {
		t.Errorf("%d events", n)
	}
	if n := count(t, s, `SELECT count(*) FROM events WHERE order_id = ? AND to_state = 'paid'`, o.ID); n != 1 {
		t.Errorf("%d events lead to paid", n)
	}
	if stockOf(t, s, 1) != 9 || count(t, s, `SELECT count(*) FROM refunds`) != 0 {
		t.Error("a repetition had an effect")
	}
}

func TestPaidIsWhatWeChatSaid(t *testing.T) {
	s, u := shop(t, 10, Options{})
	o, p := place(t, s, checkout(u.ID, "paid", Line{1, 1}))
	f := pays(p, "4200001")
	f.PaidAt, f.Cash = time.Date(2026, 11, 19, 10, 0, 0, 0, time.UTC), 9000
	f.Msgs = []Message{{OutTradeNo: p.OutTradeNo, Op: "notify", Direction: "in", Request: "<xml/>"}}
	apply(t, s, f, OutcomePaid)
	f.PaidAt, f.Cash = f.PaidAt.Add(time.Hour), 1 // a repetition that says something else changes nothing
	apply(t, s, f, OutcomeRepeated)
	d, err := s.Dossier(t.Context(), o.No)
	if err != nil {
		t.Fatal(err)
	}
	q, at := d.Payments[0], At(time.Date(2026, 11, 19, 10, 0, 0, 0, time.UTC))
	if q.PaidAt != at || d.Order.PaidAt != at || q.Cash != 9000 || *q.TransactionID != "4200001" || q.BankType != "CMB_DEBIT" {
		t.Errorf("attempt %+v, order paid at %v", q, d.Order.PaidAt)
	}
	if !q.NextQueryAt.IsZero() || q.LiveOrderID != nil {
		t.Error("it will still be asked about")
	}
	e := d.Events[len(d.Events)-1]
	if e.Actor != "notify" || e.TransactionID != "4200001" || e.OutTradeNo != p.OutTradeNo || e.Amount != p.Total || e.From != "unpaid" || e.To != "paid" {
		t.Errorf("event %+v", e)
	}
	if len(d.Messages) != 2 {
		t.Errorf("%d messages: what WeChat says twice is kept twice", len(d.Messages))
	}
}

func TestPaidUnknown(t *testing.T) {
	s, _ := shop(t, 1, Options{})
	_, _, err := s.ApplyPaid(t.Context(), PaidFact{OutTradeNo: "P-nobody", TransactionID: "1"})
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, _, err := s.ApplyPaid(t.Context(), PaidFact{OutTradeNo: "P-nobody"}); err == nil {
		t.Error("paid without a transaction id")
	}
}

// The other arms of settling: what each does to order, stock, refunds.
func TestLateMoney(t *testing.T) {
	close := func(why CloseReason) func(testing.TB, *Store, *Order) {
		return func(t testing.TB, s *Store, o *Order) {
			t.Helper()
			if err := s.CloseOrder(t.Context(), o.ID, why, "loop", ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name    string
		happens func(testing.TB, *Store, *Order)
		stock   int64 // set before the money comes; -1: as it is
		want    Outcome
		state   State
		left    int64
		reason  string // of the refund
	}{
		{"closed by timeout, goods are there", close(ByTimeout), -1, OutcomeRevived, Paid, 3, ""},
		{"closed by timeout, exactly enough is there", close(ByTimeout), 2, OutcomeRevived, Paid, 0, ""},
		{"closed by timeout, too little is there", close(ByTimeout), 1, OutcomeLate, Closed, 1, "late"},
		{"closed by the shopper", close(ByShopper), -1, OutcomeLate, Closed, 5, "late"},
		{"closed by the merchant", close(ByMerchant), -1, OutcomeLate, Closed, 5, "late"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, u := shop(t, 5, Options{})
			o, p := place(t, s, checkout(u.ID, "late", Line{1, 2}))
			tt.happens(t, s, o)
			if stockOf(t, s, 1) != 5 {
				t.Error("closing gives the stock back")
			}
			if tt.stock >= 0 {
				force(t, s, `UPDATE skus SET stock = ? WHERE id = 1`, tt.stock)
			}
			got := apply(t, s, pays(p, "4200001"), tt.want)
			apply(t, s, pays(p, "4200001"), OutcomeRepeated)
			if got.State != tt.state || got.Revived != (tt.want == OutcomeRevived) || stockOf(t, s, 1) != tt.left {
				t.Errorf("order %s, revived %v, stock %d", got.State, got.Revived, stockOf(t, s, 1))
			}
			d, err := s.Dossier(t.Context(), o.No)
			if err != nil || d.Order.State != tt.state || d.Payments[0].State != PayPaid {
				t.Errorf("%+v %v", d, err)
			}
			wantRefund(t, s, d, tt.reason, p.Total)
		})
	}
}

// wantRefund wants exactly one promise of amount, or none for reason "".
func wantRefund(t testing.TB, s *Store, d *Dossier, reason string, amount Fen) {
	t.Helper()
	if reason == "" {
		if len(d.Refunds) != 0 {
			t.Errorf("refunds %+v", d.Refunds)
		}
		return
	}
	if len(d.Refunds) != 1 || string(d.Refunds[0].Reason) != reason || d.Refunds[0].Amount != amount || d.Refunds[0].State != RefundPending {
		t.Errorf("refunds %+v, want %s of %s", d.Refunds, reason, amount)
	}
	if n := count(t, s, `SELECT count(*) FROM events WHERE order_id = ? AND kind = 'refund-due'`, d.Order.ID); n != 1 {
		t.Errorf("%d events", n)
	}
	st, err := s.Status(t.Context(), d.Order.UserID, d.Order.No)
	if err != nil || st.Refunding != amount {
		t.Errorf("status %+v %v", st, err)
	}
	due, err := s.PendingRefunds(t.Context(), 10)
	if err != nil || len(due) != 1 {
		t.Errorf("pending %+v %v", due, err)
	}
}

// Half of an order is no revival: all of it must be there.
func TestReviveNeedsEverything(t *testing.T) {
	s, u := shop(t, 5, Options{})
	o, p := place(t, s, checkout(u.ID, "late", Line{1, 2}, Line{3, 1}))
	if err := s.CloseOrder(t.Context(), o.ID, ByTimeout, "loop", ""); err != nil {
		t.Fatal(err)
	}
	force(t, s, `UPDATE skus SET stock = 0 WHERE id = 3`)
	apply(t, s, pays(p, "1"), OutcomeLate)
	if stockOf(t, s, 1) != 5 {
		t.Errorf("stock %d was touched", stockOf(t, s, 1))
	}
}

// Paid twice through two attempts is one refund.
func TestPaidTwice(t *testing.T) {
	s, u := shop(t, 5, Options{})
	ctx := t.Context()
	o, first := place(t, s, checkout(u.ID, "twice", Line{1, 1}))
	if err := s.EndPayment(ctx, first.ID, PayClosed, "shopper", "other channel", nil); err != nil {
		t.Fatal(err)
	}
	n := wechatPay()
	n.Channel = "NATIVE"
	second, err := s.OpenPayment(ctx, o.ID, *n)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, pays(first, "1"), OutcomePaid) // closed here, paid all the same

	// The other attempt is still open at WeChat: it stays live, so that the loop closes it there.
	if live, err := s.LivePayment(ctx, o.ID); err != nil || live.ID != second.ID {
		t.Errorf("live: %+v %v", live, err)
	}
	if _, err := s.WakeQueries(ctx); err != nil {
		t.Fatal(err)
	}
	if due, err := s.DueQueries(ctx, 10); err != nil || len(due) != 1 || due[0].ID != second.ID {
		t.Errorf("due: %+v %v", due, err)
	}
	apply(t, s, pays(second, "2"), OutcomeDouble)
	apply(t, s, pays(second, "2"), OutcomeRepeated)
	apply(t, s, pays(first, "1"), OutcomeRepeated)
	d, err := s.Dossier(ctx, o.No)
	if err != nil || d.Order.State != Paid || len(d.Refunds) != 1 || d.Refunds[0].PaymentID != second.ID {
		t.Errorf("%+v %v", d, err)
	}
	wantRefund(t, s, d, "double", second.Total)
}

func TestSecondTransactionIsMisfit(t *testing.T) {
	s, u := shop(t, 5, Options{})
	ctx := t.Context()
	o, p := place(t, s, checkout(u.ID, "a", Line{1, 1}))
	o2, p2 := place(t, s, checkout(u.ID, "b", Line{1, 1}))
	apply(t, s, pays(p, "1"), OutcomePaid)
	apply(t, s, pays(p, "2"), OutcomeMisfit)  // the attempt was paid as 1
	apply(t, s, pays(p, "2"), OutcomeMisfit)  // told again: the same row
	apply(t, s, pays(p2, "1"), OutcomeMisfit) // 1 paid another attempt
	if o2, _ = s.OrderByID(ctx, o2.ID); o2.State != Unpaid {
		t.Errorf("one transaction paid two orders: %s", o2.State)
	}
	ms, err := s.Misfits(ctx, true, 0, 10)
	if err != nil || len(ms) != 2 {
		t.Fatalf("misfits %+v %v", ms, err)
	}
	if ms[1].Reason != "second" || ms[1].Want != "1" || ms[1].Got != "2" || ms[1].OrderID != o.ID {
		t.Errorf("%+v", ms[1])
	}
}

func TestFailedAttemptPaid(t *testing.T) {
	s, u := shop(t, 5, Options{})
	_, p := place(t, s, checkout(u.ID, "a", Line{1, 1}))
	if err := s.EndPayment(t.Context(), p.ID, PayFailed, "system", "PARAM_ERROR", nil); err != nil {
		t.Fatal(err)
	}
	apply(t, s, pays(p, "1"), OutcomePaid)
}

// Paying against closing: whoever is first, stock and money agree.
func TestPayAgainstClose(t *testing.T) {
	s, u := shop(t, 1000, Options{})
	var wg sync.WaitGroup
	for i := range 40 {
		o, p := place(t, s, checkout(u.ID, fmt.Sprint(i), Line{1, 1}))
		wg.Go(func() { s.CloseOrder(t.Context(), o.ID, ByShopper, "shopper", "") })
		wg.Go(func() {
			if _, _, err := s.ApplyPaid(t.Context(), pays(p, p.OutTradeNo)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	paid := count(t, s, `SELECT count(*) FROM orders WHERE state = 'paid'`)
	late := count(t, s, `SELECT count(*) FROM orders o JOIN refunds r ON r.order_id = o.id WHERE o.state = 'closed' AND r.amount = o.total`)
	if paid+late != 40 || stockOf(t, s, 1) != 1000-paid {
		t.Errorf("%d paid, %d late, stock %d", paid, late, stockOf(t, s, 1))
	}
}

func TestCloseOrder(t *testing.T) {
	s, u := shop(t, 5, Options{})
	ctx := t.Context()
	o, p := place(t, s, checkout(u.ID, "a", Line{1, 2}, Line{3, 1}))
	if err := s.CloseOrder(ctx, o.ID, ByShopper, "shopper", "changed my mind"); err != nil {
		t.Fatal(err)
	}
	if stockOf(t, s, 1) != 5 || stockOf(t, s, 3) != 5 {
		t.Error("stock did not come back")
	}
	got, _ := s.OrderByID(ctx, o.ID)
	if got.State != Closed || got.CloseReason != ByShopper || got.ClosedAt.IsZero() {
		t.Errorf("%+v", got)
	}
	// WeChat was not asked about it here: it stays open until it was.
	if p, _ = s.Payment(ctx, p.OutTradeNo); p.State != PayCreated || p.LiveOrderID == nil {
		t.Errorf("%+v", p)
	}
	if due, err := s.DueQueries(ctx, 10); err != nil || len(due) != 1 || due[0].ID != p.ID {
		t.Errorf("due = %+v, %v, want the open attempt at once", due, err)
	}
	if err := s.CloseOrder(ctx, o.ID, ByTimeout, "loop", ""); !errors.Is(err, ErrStale) {
		t.Errorf("twice: %v", err)
	}
	if stockOf(t, s, 1) != 5 {
		t.Error("stock came back twice")
	}
	if err := s.CloseOrder(ctx, 999, ByTimeout, "loop", ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

func TestMisfits(t *testing.T) {
	s, u := shop(t, 5, Options{})
	ctx := t.Context()
	o, p := place(t, s, checkout(u.ID, "a", Line{1, 1}))
	m := Misfit{TransactionID: "7", Reason: "amount", OutTradeNo: p.OutTradeNo, OrderID: o.ID, Got: "1", Want: "106.00", Total: 1}
	for i, want := range []bool{true, false} {
		if fresh, err := s.RecordMisfit(ctx, m, []Message{{OutTradeNo: p.OutTradeNo, Op: "notify"}}); err != nil || fresh != want {
			t.Errorf("time %d: fresh %v, %v", i, fresh, err)
		}
	}
	if fresh, err := s.RecordMisfit(ctx, Misfit{TransactionID: "8", Reason: "unknown", OutTradeNo: "x", Total: -1}, nil); err != nil || !fresh {
		t.Errorf("unknown order: %v %v", fresh, err)
	}
	if n, err := s.OpenMisfits(ctx); err != nil || n != 2 {
		t.Errorf("%d open, %v", n, err)
	}
	if st, err := s.Status(ctx, u.ID, o.No); err != nil || !st.Misfit || st.State != Unpaid {
		t.Errorf("%+v %v", st, err)
	}
	rows, err := s.FindOrders(ctx, OrderFilter{Query: "7"})
	if err != nil || len(rows) != 1 || rows[0].Misfits != 1 {
		t.Errorf("%+v %v", rows, err)
	}
	ms, err := s.Misfits(ctx, true, 0, 1)
	if err != nil || len(ms) != 1 || ms[0].TransactionID != "8" {
		t.Errorf("newest first: %+v %v", ms, err)
	}
	if ms, err = s.Misfits(ctx, true, ms[0].ID, 1); err != nil || len(ms) != 1 || ms[0].TransactionID != "7" {
		t.Fatalf("next page: %+v %v", ms, err)
	}
	if err := s.ExplainMisfit(ctx, ms[0].ID, "staff:owner", "a test"); err != nil {
		t.Error(err)
	}
	if err := s.ExplainMisfit(ctx, ms[0].ID, "staff:owner", "a test"); !errors.Is(err, ErrStale) {
		t.Errorf("twice: %v", err)
	}
	if n, _ := s.OpenMisfits(ctx); n != 1 {
		t.Errorf("%d open", n)
	}
	if n := count(t, s, `SELECT count(*) FROM events WHERE kind IN ('misfit', 'explained') AND order_id = ?`, o.ID); n != 2 {
		t.Errorf("%d events", n)
	}
}
