package checkout_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wxshop/checkout"
	"wxshop/models"
	"wxshop/wxpay"
)

// only is the one open difference of a day.
func (w *world) only(day string, kind models.DiffKind) models.BillDifference {
	w.t.Helper()
	ds := w.diffRows(day, false)
	if len(ds) != 1 || ds[0].Kind != kind {
		w.t.Fatalf("differences of %s: %+v, want one of %s", day, ds, kind)
	}
	return ds[0]
}

// foreign is a payment to our merchant account that another system took.
func (w *world) foreign(fen int64) (outTradeNo string) {
	w.t.Helper()
	forms++
	no := fmt.Sprintf("OTHERSYSTEM%08d", forms)
	_, err := w.gw.(wxpay.CashDesk).Micropay(w.t.Context(), wxpay.Order{
		OutTradeNo: no, TradeType: wxpay.Micropay, Description: "别家", Total: fen, ClientIP: "127.0.0.1",
	}, w.paycode())
	if err != nil {
		w.t.Fatal(err)
	}
	return no
}

// backAtWeChat is a refund that the merchant makes on WeChat's own pages.
func (w *world) backAtWeChat(no, yuan string) {
	w.t.Helper()
	r := httptest.NewRequest("POST", "http://127.0.0.1:8081/_sim/transactions/"+no+"/refund", strings.NewReader("yuan="+yuan))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	w.sim.Gateway().ServeHTTP(rec, r)
	if rec.Code != http.StatusSeeOther {
		w.t.Fatalf("refund at WeChat = %d %s", rec.Code, rec.Body)
	}
}

// replica is another process on the same database.
func (w *world) replica() *checkout.Service {
	id := w.sim.Identity()
	return checkout.New(checkout.Config{API: wxpay.V2, AppID: id.AppID, MchID: id.MchID, SignType: wxpay.HMACSHA256}, checkout.Options{
		Store: w.store, Gateways: map[wxpay.Version]wxpay.Gateway{wxpay.V2: w.gw}, Log: slog.New(slog.DiscardHandler),
	})
}

// unsettled is an order that WeChat has as paid and we do not, with its
// difference, on the morning after.
func (w *world) unsettled() (*models.Order, models.BillDifference) {
	w.t.Helper()
	o, p := w.buysAndPays(false)
	at(1, 10, 0, 0)
	w.reconciles("2026-11-19")
	d := w.only("2026-11-19", models.DiffUnsettled)
	if d.Number != p.OutTradeNo || d.Theirs != 16800 || d.OrderID != o.ID || d.OurState != "prepaid" {
		w.t.Fatalf("difference = %+v", d)
	}
	return o, d
}

// Paid there and not here: asking settles it through the one door, the row is
// resolved, and the next run finds nothing.
func TestMendUnsettled(t *testing.T) {
	stillBoth(t, func(t *testing.T, w *world) {
		o, d := w.unsettled()
		m, err := w.svc.AskDifference(t.Context(), d.ID, "staff:mei")
		if err != nil || !m.Resolved || m.Found != checkout.FoundPaid || m.Day != "2026-11-19" {
			t.Fatalf("AskDifference = %+v, %v", m, err)
		}
		w.wantState(o.No, models.Paid)
		w.wantEvents(o.No, "paid", 1)
		got, err := w.store.Difference(t.Context(), d.ID)
		if err != nil || got.State != models.DiffResolved || got.ClosedBy != "staff:mei" || got.Note != models.NoteAgrees {
			t.Errorf("difference = %+v, %v", got, err)
		}
		if _, err := w.svc.AskDifference(t.Context(), d.ID, "staff:mei"); !errors.Is(err, models.ErrStale) {
			t.Errorf("asking twice = %v, want ErrStale", err)
		}
		time.Sleep(time.Second)
		w.reconciles("2026-11-19")
		w.wantDiffs("2026-11-19")
	})
}

// Mended in another way, the next run resolves it with the reason.
func TestResolvedByNextRun(t *testing.T) {
	stillBubble(t, func(t *testing.T, w *world) {
		o, d := w.unsettled()
		w.asks(o.No)
		time.Sleep(time.Second)
		w.reconciles("2026-11-19")
		got, err := w.store.Difference(t.Context(), d.ID)
		if err != nil || got.State != models.DiffResolved || got.ClosedBy != "system" || got.Note != models.NoteAgrees {
			t.Errorf("difference = %+v, %v", got, err)
		}
	})
}

// Paid there and not wanted here: settled, and given back in full, once; more
// than a person may is refused before anything happens.
func TestMendByRefund(t *testing.T) {
	stillBoth(t, func(t *testing.T, w *world) {
		o, d := w.unsettled()
		if _, err := w.svc.RefundDifference(t.Context(), d.ID, "staff:mei", "买家不要了", 16799); !errors.Is(err, checkout.ErrOverLimit) {
			t.Errorf("beyond the limit = %v", err)
		}
		w.wantState(o.No, models.Unpaid)
		r, err := w.svc.RefundDifference(t.Context(), d.ID, "staff:mei", "买家不要了", 16800)
		if err != nil || r.Amount != 16800 {
			t.Fatalf("RefundDifference = %+v, %v", r, err)
		}
		time.Sleep(time.Minute)
		w.svc.RefundOnce(t.Context())
		if x := w.atWeChat(d.Number); x.refunded() != 16800 {
			t.Errorf("WeChat gave back %d", x.refunded())
		}
		if _, err := w.svc.RefundDifference(t.Context(), d.ID, "staff:mei", "again", 0); !errors.Is(err, models.ErrStale) {
			t.Errorf("twice = %v, want ErrStale", err)
		}
	})
}

// A payment to check is known: its line is no difference. One that we lost is,
// and asking makes it a payment to check that goes back in full.
func TestReconcileMisfit(t *testing.T) {
	stillBoth(t, func(t *testing.T, w *world) {
		w.sold(500)
		foreign := w.foreign(4321)
		at(1, 10, 0, 0)
		w.reconciles("2026-11-19")
		d := w.only("2026-11-19", models.DiffUnknown)
		m, err := w.svc.AskDifference(t.Context(), d.ID, "staff:mei")
		if err != nil || m.Found != checkout.FoundMisfit || !m.Resolved {
			t.Fatalf("AskDifference = %+v, %v", m, err)
		}
		time.Sleep(time.Second)
		if x := w.reconciles("2026-11-19"); x.Known != 1 {
			t.Errorf("%d lines are known, want 1", x.Known)
		}
		w.wantDiffs("2026-11-19")
		ms, err := w.store.Misfits(t.Context(), true, 0, 10)
		if err != nil || len(ms) != 1 || ms[0].OutTradeNo != foreign {
			t.Fatalf("payments to check = %+v, %v", ms, err)
		}
		if _, err := w.svc.RefundMisfit(t.Context(), ms[0].ID, "staff:mei", "别家的单"); err != nil {
			t.Fatal(err)
		}
	})
}

// What a planted difference offers: WeChat does not know the order that it
// lists, so nothing can be given back and a person explains it; that stays.
func TestMendExtra(t *testing.T) {
	stillBoth(t, func(t *testing.T, w *world) {
		w.sold(500)
		at(1, 10, 0, 0)
		w.next("bill-extra")
		w.reconciles("2026-11-19")
		d := w.only("2026-11-19", models.DiffUnknown)
		m, err := w.svc.AskDifference(t.Context(), d.ID, "staff:mei")
		if err != nil || m.Resolved || m.Found != checkout.FoundMissing {
			t.Fatalf("AskDifference = %+v, %v", m, err)
		}
		if _, err := w.svc.RefundDifference(t.Context(), d.ID, "staff:mei", "?", 0); !errors.Is(err, models.ErrBadMove) {
			t.Errorf("RefundDifference = %v, want ErrBadMove", err)
		}
		if err := w.store.ExplainDifference(t.Context(), d.ID, "staff:mei", "微信客服确认是他们的错"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		w.reconciles("2026-11-19")
		w.wantDiffs("2026-11-19")
		got, _ := w.store.Difference(t.Context(), d.ID)
		if got.State != models.DiffExplained || got.Note != "微信客服确认是他们的错" || got.ClosedBy != "staff:mei" || got.ClosedAt.IsZero() {
			t.Errorf("after another run: %+v", got)
		}
	})
}

// Refunds that somebody made on WeChat's own pages, and a refund whose end we
// have not heard of: asking mends the second.
func TestMendRefunds(t *testing.T) {
	stillBubble(t, func(t *testing.T, w *world) {
		o := w.sold(9000)
		r, err := w.refunds(o, 1000, "ours") // accepted; nobody asks how it ended
		if err != nil {
			t.Fatal(err)
		}
		p := w.payments(o)[0]
		time.Sleep(time.Minute)
		w.backAtWeChat(p.OutTradeNo, "3.00")
		at(1, 10, 0, 0)
		w.reconciles("2026-11-19")
		ds := w.diffRows("2026-11-19", false)
		kinds := []models.DiffKind{}
		for _, d := range ds {
			kinds = append(kinds, d.Kind)
		}
		if !slices.Equal(kinds, []models.DiffKind{models.DiffRefundUnknown, models.DiffRefundState}) || ds[1].Number != r.OutRefundNo {
			t.Fatalf("differences = %+v", ds)
		}
		m, err := w.svc.AskDifference(t.Context(), ds[0].ID, "staff:mei")
		if err != nil || m.Resolved || m.Refund != models.RefundSucceeded || ds[0].OrderID != o.ID || ds[0].Theirs != 300 {
			t.Errorf("theirs: %+v, %v", m, err)
		}
		m, err = w.svc.AskDifference(t.Context(), ds[1].ID, "staff:mei")
		if err != nil || !m.Resolved || m.Refund != models.RefundSucceeded {
			t.Errorf("ours: %+v, %v", m, err)
		}
		w.wantRefund(r.OutRefundNo, models.RefundSucceeded)
	})
}

// A fen planted on a payment that we also told wrong is not excused by that
// payment to check.
func TestMisfitOfAnotherAmountExcusesNothing(t *testing.T) {
	stillBubble(t, func(t *testing.T, w *world) {
		_, p := w.buysAndPays(true)
		got, err := w.store.Payment(t.Context(), p.OutTradeNo)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.RecordMisfit(t.Context(), models.Misfit{TransactionID: *got.TransactionID, Reason: "amount",
			OutTradeNo: p.OutTradeNo, OrderID: p.OrderID, Total: 16801}, nil); err != nil {
			t.Fatal(err)
		}
		at(1, 10, 0, 0)
		w.next("bill-amount")
		w.reconciles("2026-11-19")
		w.wantDiffs("2026-11-19", "amount "+p.OutTradeNo)
	})
}

// The job: nothing before ten; while WeChat is still making the bill it asks
// again each half hour; a day without money counts as done; days during which
// the shop was off are caught up, a week at most; no day is done twice.
func TestReconcileJob(t *testing.T) {
	stillBoth(t, func(t *testing.T, w *world) {
		w.sold(500)
		turn := func() {
			t.Helper()
			if err := w.svc.ReconcileOnce(t.Context()); err != nil {
				t.Error(err)
			}
		}
		state := func(day string, want models.BillStep) {
			t.Helper()
			d, err := w.store.BillDay(t.Context(), day)
			if err != nil {
				d = &models.BillDay{}
			}
			if d.State != want {
				t.Errorf("%s at %s is %q, want %q (%v)", day, time.Now().In(cst).Format(time.Kitchen), d.State, want, err)
			}
		}
		at(1, 9, 59, 0)
		turn()
		state("2026-11-19", "")
		w.next("bill-not-ready")
		at(0, 10, 0, 0)
		turn()
		state("2026-11-19", models.BillWaits)
		at(0, 10, 29, 0)
		turn()
		state("2026-11-19", models.BillWaits)
		at(0, 10, 30, 0)
		turn()
		state("2026-11-19", models.BillDone)
		at(1, 10, 0, 0)
		turn()
		state("2026-11-20", models.BillNone)
		at(9, 11, 0, 0) // the 30th; the shop was off
		turn()
		state("2026-11-22", "")
		for _, day := range []string{"2026-11-23", "2026-11-29"} {
			state(day, models.BillNone)
		}
		state("2026-11-30", "")
		if n := w.counted("bill.compared"); n != 9 {
			t.Errorf("%d days were compared, want 9", n)
		}
		turn()
		if n := w.counted("bill.compared"); n != 9 {
			t.Errorf("%d days were compared after another turn, want 9", n)
		}
	})
}

// A shop that has sold nothing yet looks at no bill: what its account took
// before is another shop's.
func TestReconcileJobOfNewShop(t *testing.T) {
	stillBubble(t, func(t *testing.T, w *world) {
		w.foreign(100)
		at(1, 11, 0, 0)
		w.sold(100)
		at(1, 11, 0, 0)
		if err := w.svc.ReconcileOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.BillDay(t.Context(), "2026-11-19"); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("the day before the first sale: %v", err)
		}
		if d, err := w.store.BillDay(t.Context(), "2026-11-20"); err != nil || d.State != models.BillDone {
			t.Errorf("the day of the first sale: %+v, %v", d, err)
		}
	})
}

// Two replicas at once: one compares, the other hears that it is being done,
// and the rows are those of one run.
func TestReconcileTwoReplicas(t *testing.T) {
	stillBubble(t, func(t *testing.T, w *world) {
		_, p := w.buysAndPays(true)
		w.sold(700)
		at(1, 10, 0, 0)
		w.next("bill-missing", "bill-extra")
		var wg sync.WaitGroup
		var mu sync.Mutex
		done, busy := 0, 0
		day, _ := checkout.ParseDay("2026-11-19")
		for _, svc := range []*checkout.Service{w.svc, w.replica()} {
			wg.Go(func() {
				_, err := svc.Reconcile(context.WithoutCancel(t.Context()), day)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					done++
				case errors.Is(err, checkout.ErrBillBusy):
					busy++
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if done < 1 || done+busy != 2 {
			t.Errorf("%d done, %d busy", done, busy)
		}
		if n := len(w.diffRows("2026-11-19", false)); n != 2 {
			t.Errorf("%d differences, want the two that were planted (%s)", n, p.OutTradeNo)
		}
	})
}
