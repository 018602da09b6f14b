//go:build !race

package checkout_test

import (
	"net/http"
	"testing"
	"time"

	"wxshop/models"
)

// Whole days and many histories are too long for the race detector; they run
// without it (make histories).

// A day: every query fails and the notification is lost until its 15th retry,
// 24 h 4 m after the payment; the order is never closed meanwhile and ends paid.
func TestLostUntilTheLastRetry(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		tries := 0
		w.setNotify(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if tries++; tries < 16 {
					panic(http.ErrAbortHandler)
				}
				next.ServeHTTP(rw, r)
			})
		})
		o, p := w.buys()
		w.pays(p.OutTradeNo)
		w.setFault(func(path string) http.HandlerFunc {
			return func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(502) }
		})
		for range 24 {
			later(time.Hour)
			w.wantState(o.No, models.Unpaid)
		}
		later(5 * time.Minute)
		w.wantState(o.No, models.Paid)
		w.wantEvents(o.No, "paid", 1)
		if tries != 16 {
			t.Errorf("WeChat tried %d times, want 1 + 15 retries", tries)
		}
	})
}
