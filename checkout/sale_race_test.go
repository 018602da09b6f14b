package checkout_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wxshop/models"
)

// Found by the simulation: calls of the cash desk that overtake each other.

// slow makes the first call of a path take long: on the way there, or back.
func (w *world) slow(path string, there, back time.Duration) {
	var once atomic.Bool
	gateway := w.sim.Gateway()
	w.setFault(func(p string) http.HandlerFunc {
		if !strings.HasSuffix(p, path) || once.Swap(true) {
			return nil
		}
		return func(rw http.ResponseWriter, r *http.Request) {
			time.Sleep(there)
			rec := httptest.NewRecorder()
			gateway.ServeHTTP(rec, r)
			time.Sleep(back)
			rw.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
			rw.WriteHeader(rec.Code)
			rw.Write(rec.Body.Bytes())
		}
	})
}

// A charge that arrives after "no such order" was the answer to its reversal
// is taken back too.
func TestSaleArrivesAfterReversal(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.slow("/micropay", 20*time.Second, 0)
		o, err := w.sells(5800, w.paycode())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.svc.Reverse(t.Context(), o.No, "staff:x"); err != nil {
			t.Fatal(err)
		}
		later(3 * time.Minute)
		w.wantState(o.No, models.Closed)
		if x := w.atWeChat(w.payments(o)[0].OutTradeNo); x.State != "REVOKED" {
			t.Errorf("WeChat keeps it: %s", x.State)
		}
	})
}

// A reversal without an answer may still be on its way: the sale does not end
// paid meanwhile, whoever tells of the money.
func TestSalePaidBeforeReversalArrives(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o, err := w.sells(100100, w.paycode()) // needs a password
		if err != nil {
			t.Fatal(err)
		}
		p := w.payments(o)[0]
		w.slow("/reverse", 12*time.Second, 0)
		later(20 * time.Second)
		if code := w.pays(p.OutTradeNo); code != 200 {
			t.Fatalf("paying = %d", code)
		}
		if err := w.svc.Reverse(t.Context(), o.No, "staff:x"); err == nil {
			t.Error("no answer is no success")
		}
		if _, err := w.svc.Ask(t.Context(), o.No, "staff:x"); err != nil {
			t.Fatal(err)
		}
		later(2 * time.Minute)
		w.wantState(o.No, models.Closed)
		w.wantEvents(o.No, "paid", 0)
		if x := w.atWeChat(p.OutTradeNo); x.State != "REVOKED" {
			t.Errorf("at WeChat it is %s", x.State)
		}
	})
}

// "Paid", said before the reversal and heard after it, does not hand goods
// over; somebody looks at it.
func TestSaleOldNewsAfterReversal(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.setFault(func(p string) http.HandlerFunc {
			if strings.HasSuffix(p, "/micropay") { // charged, and no answer
				return func(rw http.ResponseWriter, r *http.Request) {
					w.sim.Gateway().ServeHTTP(httptest.NewRecorder(), r)
					panic(http.ErrAbortHandler)
				}
			}
			return nil
		})
		o, err := w.sells(5800, w.paycode())
		if err != nil {
			t.Fatal(err)
		}
		w.slow("/orderquery", 0, 3*time.Second)
		done := make(chan error)
		go func() { _, err := w.svc.Ask(t.Context(), o.No, "staff:x"); done <- err }()
		later(time.Second)
		if err := w.svc.Reverse(t.Context(), o.No, "staff:x"); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		w.wantState(o.No, models.Closed)
		if d := w.dossier(o.No); len(d.Misfits) != 1 || d.Misfits[0].Reason != "reversed" {
			t.Errorf("payments to check: %+v", d.Misfits)
		}
	})
}
