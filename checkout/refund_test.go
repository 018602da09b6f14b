package checkout_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"wxshop/checkout"
	"wxshop/models"
	"wxshop/wxpay"
)

// paidOrder is an order that was paid a moment ago.
func (w *world) paidOrder(lines ...models.Line) *models.Order {
	w.t.Helper()
	o, p := w.buys(lines...)
	if code := w.pays(p.OutTradeNo); code != 200 {
		w.t.Fatalf("paying = %d", code)
	}
	later(time.Second)
	return w.wantState(o.No, models.Paid)
}

func (w *world) refunds(o *models.Order, amount models.Fen, token string) (*models.Refund, error) {
	r, _, err := w.svc.Refund(w.t.Context(), checkout.RefundRequest{
		No: o.No, Amount: amount, Note: "茶罐压瘪了", Token: token, Actor: "staff:owner",
	})
	return r, err
}

func (w *world) wantRefund(no string, want models.RefundState) {
	w.t.Helper()
	r, err := w.store.Refund(w.t.Context(), no)
	if err != nil || r.State != want {
		w.t.Fatalf("refund %s is %+v, %v, want %s", no, r, err, want)
	}
}

func TestRefundPartAndRest(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		o := w.paidOrder()
		r, err := w.refunds(o, 5800, "f1")
		if err != nil || r.Amount != 5800 {
			t.Fatalf("Refund = %+v, %v", r, err)
		}
		if r.State != models.RefundProcessing {
			t.Errorf("state = %s, want processing: WeChat accepted it", r.State)
		}
		later(time.Minute)
		w.wantRefund(r.OutRefundNo, models.RefundSucceeded)
		var left *models.CapError
		if _, err := w.refunds(o, 11001, "f2"); !errors.As(err, &left) || left.Left != 11000 {
			t.Errorf("a fen too much = %v, want CapError of 110.00", err)
		}
		if _, err := w.refunds(o, 11000, "f3"); err != nil {
			t.Fatal(err)
		}
		later(time.Minute)
		x := w.atWeChat(w.payments(o)[0].OutTradeNo)
		if x.State != "REFUND" || x.refunded() != 16800 {
			t.Errorf("at WeChat %s, refunded %d, want REFUND and 16800", x.State, x.refunded())
		}
		w.wantState(o.No, models.Paid)
		w.wantEvents(o.No, "refund-succeeded", 2)
	})
}

// P17: twenty refunds of 60 % at once: exactly one.
func TestRefundsInParallel(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o := w.paidOrder()
		var wg sync.WaitGroup
		var mu sync.Mutex
		ok := 0
		for i := range 20 {
			wg.Go(func() {
				_, err := w.refunds(o, 16800*6/10, "p"+string(rune('a'+i)))
				mu.Lock()
				defer mu.Unlock()
				var left *models.CapError
				if err == nil {
					ok++
				} else if !errors.As(err, &left) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		later(time.Minute)
		if ok != 1 {
			t.Errorf("%d of 20 refunds were accepted, want 1", ok)
		}
	})
}

// The same form twice is one refund.
func TestRefundTwice(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		o := w.paidOrder()
		a, err := w.refunds(o, 100, "same")
		if err != nil {
			t.Fatal(err)
		}
		b, err := w.refunds(o, 100, "same")
		if err != nil || a.OutRefundNo != b.OutRefundNo {
			t.Errorf("second = %+v, %v, want %s again", b, err, a.OutRefundNo)
		}
		later(time.Minute)
		if x := w.atWeChat(w.payments(o)[0].OutTradeNo); x.refunded() != 100 {
			t.Errorf("WeChat gave back %d, want 100", x.refunded())
		}
	})
}

// P17, decision on numbers: whatever becomes of the answer, the retry uses the
// same out_refund_no and money goes back once.
func TestRefundAnswersLost(t *testing.T) {
	for _, api := range []wxpay.Version{wxpay.V2, wxpay.V3} {
		for _, f := range faultsOf(api) {
			t.Run(string(api)+" "+f.name, func(t *testing.T) {
				inBubbleOf(t, api, func(t *testing.T, w *world) { w.refundsOnce(f) })
			})
		}
	}
}

// refundsOnce spoils the first three answers to a refund.
func (w *world) refundsOnce(f fault) {
	t := w.t
	t.Helper()
	o := w.paidOrder()
	h := f.make(w.sim.Gateway())
	left := 3
	w.setFault(func(path string) http.HandlerFunc {
		if isCall(path, callRefund) && left > 0 {
			left--
			return h
		}
		return nil
	})
	r, err := w.refunds(o, 6800, "f")
	if err != nil {
		t.Fatal(err)
	}
	later(20 * time.Minute)
	w.wantRefund(r.OutRefundNo, models.RefundSucceeded)
	if x := w.atWeChat(w.payments(o)[0].OutTradeNo); x.refunded() != 6800 || len(x.Refunds) != 1 {
		t.Errorf("WeChat has %+v, want one refund of 6800", x.Refunds)
	}
}

// Killed between the promise and the call: the loop asks after the start.
func TestRefundAfterCrash(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		o := w.paidOrder()
		w.setFault(func(string) http.HandlerFunc {
			return func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		})
		r, err := w.refunds(o, 16800, "f")
		if err != nil {
			t.Fatal(err)
		}
		w.wantRefund(r.OutRefundNo, models.RefundPending)
		w.setFault(nil)
		w.restart()
		later(10 * time.Minute)
		w.wantRefund(r.OutRefundNo, models.RefundSucceeded)
	})
}

// P18: a refund notification proves nothing; it only makes us ask.
func TestRefundNotifyIsAHint(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, body := range []string{"", "<xml></xml>", "<xml><return_code>SUCCESS</return_code><req_info>AAAA</req_info></xml>"} {
			reply := w.svc.RefundNotify(t.Context(), wxpay.V2, nil, []byte(body))
			if !strings.Contains(string(reply.Body), "FAIL") {
				t.Errorf("%q was acknowledged: %s", body, reply.Body)
			}
		}
	})
}

// product: late and double payments go back by themselves, in full, once.
func TestAutomaticRefunds(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		// A close without effect leaves the order payable at WeChat.
		id := w.sim.Identity()
		w.setFault(func(path string) http.HandlerFunc {
			if !isCall(path, callClose) {
				return nil
			}
			return func(rw http.ResponseWriter, r *http.Request) {
				rw.Write([]byte(signedOK(id.AppID, id.MchID, id.APIKey)))
			}
		})
		o, p := w.buys()
		if err := w.svc.Cancel(t.Context(), w.user.ID, o.No); err != nil {
			t.Fatal(err)
		}
		w.setFault(nil)
		if code := w.pays(p.OutTradeNo); code != 200 {
			t.Fatalf("paying = %d", code)
		}
		later(10 * time.Minute)
		d := w.dossier(o.No)
		if len(d.Refunds) != 1 || d.Refunds[0].State != models.RefundSucceeded || d.Refunds[0].Amount != o.Total || d.Refunds[0].Reason != models.RefundLate {
			t.Fatalf("refunds = %+v\n%s", d.Refunds, w.story(o.No))
		}
		w.wantState(o.No, models.Closed)
		if x := w.atWeChat(p.OutTradeNo); x.refunded() != int64(o.Total) {
			t.Errorf("WeChat gave back %d, want %d", x.refunded(), o.Total)
		}
	})
}

// A payment to check goes back in full, once, also of an unknown number.
func TestRefundMisfit(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		_, p := w.buys()
		w.pays(p.OutTradeNo)
		later(time.Second)
		x := w.honest(p)
		x.OutTradeNo, x.TransactionID, x.Total = "P261119NOTOURSNOTOURS1", "4200000000202611190000009999", 1
		if _, err := w.svc.Settle(t.Context(), x, "notify", nil); err != nil {
			t.Fatal(err)
		}
		ms, err := w.store.Misfits(t.Context(), true, 0, 10)
		if err != nil || len(ms) != 1 {
			t.Fatalf("misfits = %+v, %v", ms, err)
		}
		r, err := w.svc.RefundMisfit(t.Context(), ms[0].ID, "staff:owner", "不是我们的")
		if err != nil || r.Amount != 1 {
			t.Fatalf("RefundMisfit = %+v, %v", r, err)
		}
		if _, err := w.svc.RefundMisfit(t.Context(), ms[0].ID, "staff:owner", "again"); !errors.Is(err, models.ErrStale) {
			t.Errorf("a second time = %v, want ErrStale", err)
		}
		if n, err := w.store.OpenMisfits(t.Context()); err != nil || n != 0 {
			t.Errorf("%d open misfits, %v, want none", n, err)
		}
	})
}

func TestRefundNeedsPayment(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o, _ := w.buys()
		if _, err := w.refunds(o, 1, "f"); !errors.Is(err, models.ErrBadMove) {
			t.Errorf("refund of an unpaid order = %v, want ErrBadMove", err)
		}
		paid := w.paidOrder()
		_, _, err := w.svc.Refund(t.Context(), checkout.RefundRequest{No: paid.No, Amount: 5001, Limit: 5000, Token: "x", Actor: "staff:small"})
		if !errors.Is(err, checkout.ErrOverLimit) {
			t.Errorf("over the limit = %v, want ErrOverLimit", err)
		}
	})
}

// Goods that come back go on the shelf once, in the transaction of the refund.
func TestRefundRestocks(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o := w.paidOrder(models.Line{SKUID: w.sku("ML").ID, Qty: 2})
		q := checkout.RefundRequest{No: o.No, Amount: 5800, Token: "a", Actor: "staff:owner",
			Lines: []models.RefundLine{{ItemID: o.Items[0].ID, Qty: 1, Restock: true}}}
		for range 2 {
			if _, _, err := w.svc.Refund(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.sku("ML").Stock; got != 1 {
			t.Errorf("stock = %d, want 1", got)
		}
		q.Token, q.Lines[0].Qty = "b", 2
		var bad *models.InputError
		if _, _, err := w.svc.Refund(t.Context(), q); !errors.As(err, &bad) {
			t.Errorf("two more pieces of two = %v, want InputError", err)
		}
	})
}
