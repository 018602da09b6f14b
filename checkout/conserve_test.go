package checkout_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"wxshop/checkout"
	"wxshop/models"
	"wxshop/wxpay"
)

// Any sequence of buying, paying, giving back, cancelling, waiting, lost
// answers and restarts keeps refunded ≤ paid, and our sums equal to WeChat's
// ledger. A failure prints the seed and the acts.
func TestMoneyIsConserved(t *testing.T) {
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				h := &history{w: w, t: t, rnd: rand.New(rand.NewPCG(seed, 1)), faults: slices.Concat(faults, faultsV2, faultsV3)}
				for range 30 {
					h.act()
				}
				w.setFault(nil)
				w.setNotify(nil)
				later(100 * time.Minute)
				h.check()
			})
		})
	}
}

type history struct {
	w      *world
	t      *testing.T
	rnd    *rand.Rand
	orders []*models.Order
	log    []string
	faults []fault // of both versions; one of the other does no more than garble
}

func (h *history) did(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf(format, args...))
}

func (h *history) any() *models.Order {
	if len(h.orders) == 0 {
		return nil
	}
	return h.orders[h.rnd.IntN(len(h.orders))]
}

func (h *history) act() {
	w := h.w
	switch n := h.rnd.IntN(12); n {
	case 0, 1:
		q := w.form(fmt.Sprintf("h%d", len(h.log)))
		p, err := w.svc.Place(h.t.Context(), q)
		var short *models.StockError
		if errors.As(err, &short) {
			h.did("sold out")
			return
		}
		if err != nil {
			h.t.Fatal(err, h.log)
		}
		h.orders = append(h.orders, p.Order)
		h.did("placed %s", p.Order.No)
	case 2, 3, 4:
		if o := h.any(); o != nil {
			for _, p := range w.payments(o) {
				h.did("pays %s = %d", p.OutTradeNo, w.pays(p.OutTradeNo))
			}
		}
	case 5, 6:
		if o := h.any(); o != nil {
			amount := models.Fen(1 + h.rnd.Int64N(int64(o.Total)))
			_, _, err := w.svc.Refund(h.t.Context(), checkout.RefundRequest{No: o.No, Amount: amount, Token: fmt.Sprint("r", len(h.log)), Actor: "staff:owner"})
			h.did("refund %s of %s: %v", amount, o.No, err)
		}
	case 7:
		if o := h.any(); o != nil {
			h.did("cancel %s: %v", o.No, w.svc.Cancel(h.t.Context(), w.user.ID, o.No))
		}
	case 8:
		if o := h.any(); o != nil {
			h.did("pay again %s: %v", o.No, w.svc.Pay(h.t.Context(), w.user, o.No, wxpay.Native, "127.0.0.1"))
		}
	case 9:
		h.weather()
	case 10:
		if h.rnd.IntN(2) == 0 { // the shop moves between v2 and v3, whatever is open
			w.speaks = map[wxpay.Version]wxpay.Version{wxpay.V2: wxpay.V3, wxpay.V3: wxpay.V2}[w.speaks]
		}
		h.did("restart on %s", w.speaks)
		w.restart()
	case 11:
		d := time.Duration(h.rnd.IntN(20)) * time.Minute
		h.did("later %s", d)
		later(d)
	}
}

// weather makes some answers and notifications get lost, or none.
func (h *history) weather() {
	f := h.faults[h.rnd.IntN(len(h.faults))]
	hd := f.make(h.w.sim.Gateway())
	left := h.rnd.IntN(4)
	h.did("%d answers: %s", left, f.name)
	h.w.setFault(func(string) http.HandlerFunc {
		if left--; left < 0 {
			return nil
		}
		return hd
	})
	h.w.setNotify(nil)
	if h.rnd.IntN(2) == 0 {
		h.w.setNotify(func(http.Handler) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		})
	}
}

// check compares every order with WeChat's ledger, to the fen.
func (h *history) check() {
	h.t.Helper()
	var sold int64
	for _, o := range h.orders {
		d := h.w.dossier(o.No)
		var paid, back models.Fen
		var theirsPaid, theirsBack int64
		for _, p := range d.Payments {
			if p.State == models.PayPaid {
				paid += p.Total
			}
			if p.LiveOrderID != nil {
				h.fail(o, "attempt %s is still open", p.OutTradeNo)
			}
			var x simTransaction
			if h.w.api("GET", "transactions/"+p.OutTradeNo, nil, &x) != 200 {
				continue // WeChat never got it
			}
			if x.State == "SUCCESS" || x.State == "REFUND" {
				theirsPaid += x.Total
			}
			theirsBack += x.refunded()
		}
		for _, r := range d.Refunds {
			switch r.State {
			case models.RefundSucceeded:
				back += r.Amount
			case models.RefundClosed:
			default:
				h.fail(o, "refund %s is still %s: %s", r.OutRefundNo, r.State, r.LastError)
			}
		}
		if int64(paid) != theirsPaid || int64(back) != theirsBack || back > paid {
			h.fail(o, "we have paid %s, back %s; WeChat has %d and %d", paid, back, theirsPaid, theirsBack)
		}
		switch d.Order.State {
		case models.Paid:
			sold++
		case models.Closed:
			if paid != back {
				h.fail(o, "closed, and kept %s of %s", paid-back, paid)
			}
		default:
			h.fail(o, "is %s after a hundred minutes", d.Order.State)
		}
	}
	if left := h.w.sku("LJ").Stock; left+sold != 5 {
		h.t.Errorf("stock %d and %d sold, want 5 together\n%v", left, sold, h.log)
	}
}

func (h *history) fail(o *models.Order, format string, args ...any) {
	h.t.Helper()
	h.t.Errorf("order %s: "+format+"\n%s\nacts: %q", append(append([]any{o.No}, args...), h.w.story(o.No), h.log)...)
}
