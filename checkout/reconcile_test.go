package checkout_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"wxshop/checkout"
	"wxshop/models"
	"wxshop/wxpay"
)

var cst = time.FixedZone("CST", 8*3600)

// stillBubble is a bubble in which no loop runs: what happens, the test does.
func stillBubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	inBubble(t, func(t *testing.T, w *world) {
		w.stop()
		f(t, w)
	})
}

// stillBoth is one for each version of the API: with v3 the shop's orders go by
// it, its cash desk stays with v2, and one bill has both.
func stillBoth(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	inBoth(t, func(t *testing.T, w *world) {
		w.stop()
		f(t, w)
	})
}

// at sleeps until a time of a day in Beijing, n days from today.
func at(n, hour, minute, second int) {
	now := time.Now().In(cst)
	time.Sleep(time.Until(time.Date(now.Year(), now.Month(), now.Day()+n, hour, minute, second, 0, cst)))
}

// buysAndPays is an order that is paid at WeChat and, when told, here.
func (w *world) buysAndPays(told bool) (*models.Order, *models.Payment) {
	w.t.Helper()
	o, p := w.buys()
	if code := w.pays(p.OutTradeNo); code != 200 {
		w.t.Fatalf("paying = %d", code)
	}
	if told {
		w.asks(o.No)
	}
	return o, p
}

func (w *world) asks(no string) {
	w.t.Helper()
	if _, err := w.svc.Ask(w.t.Context(), no, "query"); err != nil {
		w.t.Fatal(err)
	}
}

// givesBack refunds and follows the refund to its end.
func (w *world) givesBack(o *models.Order, amount models.Fen) *models.Refund {
	w.t.Helper()
	forms++
	r, err := w.refunds(o, amount, fmt.Sprintf("back-%d", forms))
	if err != nil {
		w.t.Fatal(err)
	}
	time.Sleep(15 * time.Second)
	if err := w.svc.RefundOnce(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) sold(amount models.Fen) *models.Order {
	w.t.Helper()
	o, err := w.sells(amount, w.paycode())
	if err != nil {
		w.t.Fatal(err)
	}
	return w.wantState(o.No, models.Done)
}

func (w *world) next(faults ...string) {
	w.t.Helper()
	n := map[string]int{}
	for _, f := range faults {
		n[f] = 1
	}
	if code := w.api("PUT", "faults", map[string]any{"next": n}, nil); code != 200 {
		w.t.Fatalf("faults = %d", code)
	}
}

func (w *world) reconciles(day string) *models.BillDay {
	w.t.Helper()
	when, err := checkout.ParseDay(day)
	if err != nil {
		w.t.Fatal(err)
	}
	d, err := w.svc.Reconcile(w.t.Context(), when)
	if err != nil {
		w.t.Fatalf("reconcile %s: %v", day, err)
	}
	return d
}

// differences of a day as "kind number", sorted.
func (w *world) differences(day string, closed bool) []string {
	w.t.Helper()
	found := []string{}
	for _, d := range w.diffRows(day, closed) {
		found = append(found, string(d.Kind)+" "+d.Number)
	}
	slices.Sort(found)
	return found
}

func (w *world) diffRows(day string, closed bool) []models.BillDifference {
	w.t.Helper()
	var all []models.BillDifference
	for _, kind := range models.DiffKinds {
		ds, err := w.store.Differences(w.t.Context(), day, kind, closed, 0, 0)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, ds...)
	}
	return all
}

func (w *world) wantDiffs(day string, want ...string) {
	w.t.Helper()
	slices.Sort(want)
	if got := w.differences(day, false); !slices.Equal(got, want) {
		w.t.Errorf("differences of %s: %q, want %q", day, got, want)
	}
}

// A full day of every kind of money, and both sides agree.
func TestReconcileAgrees(t *testing.T) {
	stillBoth(t, func(t *testing.T, w *world) {
		o, _ := w.buysAndPays(true)
		w.givesBack(o, 5800)
		w.givesBack(o, 11000)
		w.sold(4200)
		late, p := w.buys() // closed, then paid: goes back by itself
		if err := w.svc.Cancel(t.Context(), w.user.ID, late.No); err == nil {
			w.pays(p.OutTradeNo)
		}
		w.buysAndPays(true)
		silent, err := w.sells(200_000, w.paycode()) // asks for the password; taken back
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := w.svc.Attend(t.Context(), silent.No); err != nil {
			t.Fatal(err)
		}
		at(1, 10, 0, 0)
		d := w.reconciles("2026-11-19")
		if d.State != models.BillDone || d.Payments != 3 || d.Paid != d.OurPaid || d.Payments != d.OurPayments ||
			d.Refunds != 2 || d.Refunded != 16800 || d.OurRefunded != 16800 || d.OurRefunds != 2 || d.Waiting != 0 {
			t.Errorf("day = %+v", d)
		}
		w.wantDiffs("2026-11-19")
		if d.API != string(w.speaks) || w.counted("bill.compared") != 1 {
			t.Errorf("the bill came by %q, %d days are counted", d.API, w.counted("bill.compared"))
		}
	})
}

// Refusals: a bill that is not made, a day without money, a day too long ago.
func TestReconcileWithoutBill(t *testing.T) {
	stillBoth(t, func(t *testing.T, w *world) {
		o, p := w.buysAndPays(true)
		if _, err := w.svc.Reconcile(t.Context(), time.Now()); !errors.Is(err, checkout.ErrBillWaits) {
			t.Errorf("today = %v, want ErrBillWaits", err)
		}
		if d, err := w.store.BillDay(t.Context(), "2026-11-19"); err != nil || d.State != models.BillWaits {
			t.Errorf("today = %+v, %v", d, err)
		}
		if d := w.reconciles("2026-11-18"); d.State != models.BillNone {
			t.Errorf("a day without money is %q", d.State)
		}
		if _, err := w.svc.Reconcile(t.Context(), time.Now().AddDate(0, -4, 0)); !errors.Is(err, checkout.ErrBillGone) {
			t.Errorf("four months ago = %v, want ErrBillGone", err)
		}
		at(1, 10, 0, 0)
		w.next("bill-missing") // the only line: WeChat says that nothing happened
		if d := w.reconciles("2026-11-19"); d.State != models.BillNone {
			t.Errorf("a bill without lines is %q", d.State)
		}
		w.wantDiffs("2026-11-19", "missing "+p.OutTradeNo)
		w.wantState(o.No, models.Paid)
	})
}

// Recall and precision: random days, each kind planted at random; exactly what
// an independent reading of the bill tells apart is found, and found again.
func TestReconcilePlanted(t *testing.T) {
	kinds := []string{"bill-missing", "bill-extra", "bill-amount", "bill-refund-missing"}
	stillBoth(t, func(t *testing.T, w *world) {
		planted := 0
		rounds := uint64(min(24, 3*seeds)) // few under the race detector
		for seed := range rounds {
			r := rand.New(rand.NewPCG(seed, 7))
			at(1, 8+r.IntN(12), r.IntN(60), r.IntN(60))
			day := checkout.DayName(time.Now())
			var paid, back []string
			for range 3 + r.IntN(5) {
				o := w.sold(models.Fen(100 + r.IntN(5_000)))
				paid = append(paid, w.payments(o)[0].OutTradeNo)
				if r.IntN(2) == 0 {
					back = append(back, w.givesBack(o, models.Fen(1+r.IntN(50))).OutRefundNo)
				}
				time.Sleep(time.Duration(r.IntN(300)) * time.Second)
			}
			at(1, 10, 0, 0)
			var faults []string
			for _, k := range kinds {
				if r.IntN(2) == 0 && (k != "bill-refund-missing" || len(back) > 0) {
					faults = append(faults, k)
				}
			}
			w.next(faults...)
			first := w.reconciles(day)
			want := w.independently(day, paid, back)
			if len(want) != len(faults) {
				t.Fatalf("day %s: %q planted, the bill has %q", day, faults, want)
			}
			planted += len(want)
			w.wantDiffs(day, want...)
			time.Sleep(time.Second)
			rows := w.diffRows(day, false)
			again := w.reconciles(day)
			w.wantDiffs(day, want...)
			if again.Paid != first.Paid || again.OurPaid != first.OurPaid || again.ID != first.ID {
				t.Errorf("a second run of %s says %+v, the first %+v", day, again, first)
			}
			for i, d := range w.diffRows(day, false) {
				if d.ID != rows[i].ID || d.FoundAt != rows[i].FoundAt {
					t.Errorf("a second run made another row of %s %s", d.Kind, d.Number)
				}
			}
		}
		if n, err := w.store.OpenDifferences(t.Context()); err != nil || n != int64(planted) || uint64(planted) < rounds {
			t.Errorf("%d planted in all, %d open, %v", planted, n, err)
		}
	})
}

// independently reads the day's bill by hand and says what is wrong with it.
func (w *world) independently(day string, paid, back []string) []string {
	w.t.Helper()
	when, _ := checkout.ParseDay(day)
	bill, err := w.gw.Bill(w.t.Context(), wxpay.BillRequest{Day: when})
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := io.ReadAll(bill)
	if err != nil {
		w.t.Fatal(err)
	}
	there := map[string]string{} // number → amount in yuan
	for line := range strings.SplitSeq(string(text), "\r\n") {
		f := strings.Split(strings.TrimPrefix(line, "`"), ",`")
		switch {
		case len(f) == 27 && f[9] == "SUCCESS":
			there[f[6]] = f[24]
		case len(f) == 27 && f[9] == "REFUND":
			there[f[15]] = f[25]
		}
	}
	var want []string
	for _, no := range paid {
		p, err := w.store.Payment(w.t.Context(), no)
		if err != nil {
			w.t.Fatal(err)
		}
		if yuan, ok := there[no]; !ok {
			want = append(want, "missing "+no)
		} else if yuan != p.Total.String() {
			want = append(want, "amount "+no)
		}
	}
	for _, no := range back {
		if there[no] == "" {
			want = append(want, "refund-missing "+no)
		}
	}
	for _, no := range slices.Concat(paid, back) {
		delete(there, no)
	}
	for no := range maps.Keys(there) {
		want = append(want, "unknown "+no)
	}
	return want
}

// Payments and refunds all through midnight: nothing is called missing, on
// either day, though a refund may stand in the bill of the day before we knew.
func TestReconcileMidnight(t *testing.T) {
	stillBubble(t, func(t *testing.T, w *world) {
		at(0, 23, 50, 0)
		for i := range 40 {
			o := w.sold(models.Fen(1000 + i))
			if i%3 == 0 {
				w.givesBack(o, 500)
			}
			time.Sleep(17 * time.Second)
		}
		if now := time.Now().In(cst); now.Day() != 20 {
			t.Fatalf("it is %s: not past midnight", now)
		}
		at(0, 0, 30, 0)
		at(0, 10, 0, 0)
		a := w.reconciles("2026-11-19")
		if a.Waiting != 0 {
			t.Errorf("%d rows wait", a.Waiting)
		}
		at(1, 10, 0, 0)
		b := w.reconciles("2026-11-20")
		w.wantDiffs("2026-11-19")
		w.wantDiffs("2026-11-20")
		if a.Payments+b.Payments != 40 || a.OurPayments != a.Payments || b.OurPayments != b.Payments || a.Payments == 0 || b.Payments == 0 {
			t.Errorf("%d and %d payments there, %d and %d here", a.Payments, b.Payments, a.OurPayments, b.OurPayments)
		}
	})
}

// A payment at 23:59:59 of which we hear after midnight belongs to the day on
// which WeChat took it; a refund whose answer was lost until the next day to
// the day of its line.
func TestReconcileAcrossMidnight(t *testing.T) {
	stillBoth(t, func(t *testing.T, w *world) {
		at(0, 23, 58, 0)
		o, p := w.buys()
		sale := w.sold(7000)
		at(0, 23, 59, 59)
		w.pays(p.OutTradeNo)
		lost := true
		w.setFault(func(path string) http.HandlerFunc {
			if !strings.HasSuffix(path, "/refund") && !strings.HasSuffix(path, "/refundquery") || !lost {
				return nil
			}
			return func(rw http.ResponseWriter, r *http.Request) { // done, and the answer lost
				w.sim.Gateway().ServeHTTP(&nothing{}, r)
				panic(http.ErrAbortHandler)
			}
		})
		r, err := w.refunds(sale, 7000, "lost")
		if err != nil {
			t.Fatal(err)
		}
		at(1, 0, 20, 10)
		w.asks(o.No)
		lost = false
		if err := w.svc.RefundOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		r, _ = w.store.Refund(t.Context(), r.OutRefundNo)
		if checkout.DayName(r.AcceptedAt.Time) != "2026-11-20" {
			t.Fatalf("taken on at %s, as far as we know", r.AcceptedAt)
		}
		time.Sleep(time.Minute)
		if err := w.svc.RefundOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.buysAndPays(true) // so that the second day has a bill
		at(0, 10, 0, 0)
		d := w.reconciles("2026-11-19")
		w.wantDiffs("2026-11-19")
		if d.Payments != 2 || d.OurPayments != 2 || d.Refunds != 1 {
			t.Errorf("day = %+v", d)
		}
		at(1, 10, 0, 0)
		w.reconciles("2026-11-20")
		w.wantDiffs("2026-11-20")
	})
}

// nothing is an answer that nobody reads.
type nothing struct{ h http.Header }

func (n *nothing) Header() http.Header {
	if n.h == nil {
		n.h = http.Header{}
	}
	return n.h
}
func (n *nothing) Write(p []byte) (int, error) { return len(p), nil }
func (n *nothing) WriteHeader(int)             {}

// A sale that was paid before midnight and taken back after it: while only the
// first bill is there it waits, and then the second one explains it.
func TestReconcileReversedAfterMidnight(t *testing.T) {
	stillBoth(t, func(t *testing.T, w *world) {
		at(0, 23, 59, 30)
		w.sold(300)
		w.setFault(func(path string) http.HandlerFunc { // paid, and neither answer nor query comes back
			if !strings.HasSuffix(path, "/micropay") && !strings.HasSuffix(path, "/orderquery") {
				return nil
			}
			return func(rw http.ResponseWriter, r *http.Request) {
				w.sim.Gateway().ServeHTTP(&nothing{}, r)
				panic(http.ErrAbortHandler)
			}
		})
		o, err := w.sells(5000, w.paycode())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := w.svc.Attend(t.Context(), o.No); err != nil {
			t.Fatal(err)
		}
		w.wantState(o.No, models.Closed)
		w.setFault(nil)
		at(0, 10, 0, 0)
		d := w.reconciles("2026-11-19")
		w.wantDiffs("2026-11-19")
		if d.Waiting != 1 {
			t.Errorf("%d rows wait, want 1", d.Waiting)
		}
		at(1, 10, 0, 0)
		if d = w.reconciles("2026-11-20"); d.Reversed != 1 {
			t.Errorf("%d reversed, want 1", d.Reversed)
		}
		w.wantDiffs("2026-11-20")
		if d = w.reconciles("2026-11-19"); d.Waiting != 0 || d.Known != 1 {
			t.Errorf("%d wait and %d are known, want 0 and 1", d.Waiting, d.Known)
		}
		w.wantDiffs("2026-11-19")
	})
}
