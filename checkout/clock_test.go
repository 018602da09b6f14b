package checkout_test

import (
	"testing"
	"time"

	"wxshop/models"
)

// V12: the shop's clock jumps an hour, and later back. Whoever pays meanwhile
// has the order or the money back, deadlines pass, the loops turn, and goods are
// neither lost nor sold twice.
func TestClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				start := w.sku("LJ").Stock
				idle, _ := w.buys()
				paying, p := w.buys()
				unheard, q := w.buys()
				w.shift.Store(int64(jump))
				w.pays(p.OutTradeNo) // a second after the jump, its phone was in the cashier
				w.setNotify(deaf)
				w.pays(q.OutTradeNo)
				later(time.Minute)
				w.setNotify(nil)
				later(10 * time.Minute)
				w.wantState(paying.No, models.Paid)
				w.shift.Store(0)
				later(10 * time.Minute)
				fresh, r := w.buys()
				w.pays(r.OutTradeNo)
				later(2 * time.Hour)
				w.wantState(paying.No, models.Paid)
				w.wantState(unheard.No, models.Paid)
				w.wantState(fresh.No, models.Paid)
				w.wantState(idle.No, models.Closed)
				for _, no := range []string{paying.No, unheard.No, fresh.No} {
					if d := w.dossier(no); len(d.Refunds) != 0 || len(d.Misfits) != 0 {
						t.Errorf("order %s has %d refunds and %d payments to check\n%s", no, len(d.Refunds), len(d.Misfits), w.story(no))
					}
				}
				if left := w.sku("LJ").Stock; left != start-3 {
					t.Errorf("%d left of %d after three were sold", left, start)
				}
				if stuck := w.svc.Stuck(); len(stuck) > 0 {
					t.Errorf("stuck: %v", stuck)
				}
			})
		})
	}
}
