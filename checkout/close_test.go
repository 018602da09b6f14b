package checkout_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"wxshop/checkout"
	"wxshop/models"
	"wxshop/wxpay"
)

func TestCancel(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		o, p := w.buys()
		if err := w.svc.Cancel(t.Context(), w.user.ID, o.No); err != nil {
			t.Fatal(err)
		}
		got := w.wantState(o.No, models.Closed)
		if got.CloseReason != models.ByShopper || w.sku("LJ").Stock != 5 {
			t.Errorf("closed by %q with stock %d, want shopper and 5", got.CloseReason, w.sku("LJ").Stock)
		}
		if at := w.atWeChat(p.OutTradeNo); at.State != "CLOSED" {
			t.Errorf("at WeChat it is %s, want CLOSED", at.State)
		}
		if code := w.pays(p.OutTradeNo); code != 409 {
			t.Errorf("paying a cancelled order = %d, want 409", code)
		}
		if err := w.svc.Cancel(t.Context(), w.user.ID, o.No); !errors.Is(err, models.ErrBadMove) {
			t.Errorf("cancel again = %v, want ErrBadMove", err)
		}
	})
}

// P16: cancel asks WeChat first. Paid a moment ago, not yet notified: the
// order is paid, not cancelled.
func TestCancelLosesToPayment(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		w.setNotify(func(http.Handler) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		})
		o, p := w.buys()
		w.pays(p.OutTradeNo)
		if err := w.svc.Cancel(t.Context(), w.user.ID, o.No); !errors.Is(err, models.ErrBadMove) {
			t.Errorf("Cancel = %v, want ErrBadMove", err)
		}
		w.wantState(o.No, models.Paid)
	})
}

// Paid between our question and our close: WeChat refuses to close.
func TestPaidBetweenQueryAndClose(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		o, p := w.buys()
		real := w.sim.Gateway()
		w.setNotify(func(http.Handler) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		})
		w.setFault(func(path string) http.HandlerFunc {
			if !isCall(path, callClose) {
				return nil
			}
			return func(rw http.ResponseWriter, r *http.Request) {
				w.pays(p.OutTradeNo)
				real.ServeHTTP(rw, r)
			}
		})
		if err := w.svc.Cancel(t.Context(), w.user.ID, o.No); !errors.Is(err, models.ErrBadMove) {
			t.Errorf("Cancel = %v, want ErrBadMove", err)
		}
		w.wantState(o.No, models.Paid)
	})
}

func TestExpire(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		o, p := w.buys()
		later(29 * time.Minute)
		w.wantState(o.No, models.Unpaid)
		later(70 * time.Second) // the deadline; closed at WeChat, waiting out the grace
		if at := w.atWeChat(p.OutTradeNo); at.State != "CLOSED" {
			t.Errorf("at WeChat it is %s, want CLOSED", at.State)
		}
		w.wantState(o.No, models.Unpaid)
		later(checkout.Grace)
		got := w.wantState(o.No, models.Closed)
		if got.CloseReason != models.ByTimeout || w.sku("LJ").Stock != 5 {
			t.Errorf("closed by %q with stock %d, want timeout and 5", got.CloseReason, w.sku("LJ").Stock)
		}
		w.wantEvents(o.No, "closed", 1)
	})
}

// Every notification lost and paid in the last second: the loop's question
// before the close finds it.
func TestPaidAtTheDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.setNotify(func(http.Handler) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		})
		o, p := w.buys()
		later(30*time.Minute - time.Second)
		w.pays(p.OutTradeNo)
		later(2 * time.Minute)
		w.wantState(o.No, models.Paid)
	})
}

// product 7h: money for an order that is closed. With stock it comes back to
// life, once; without, all of it is marked for refund.
func TestLatePayment(t *testing.T) {
	tests := []struct {
		name  string
		by    func(w *world, o *models.Order)
		rival bool // someone bought the rest meanwhile
		want  models.Outcome
	}{
		{"timeout, stock there", expireIt, false, models.OutcomeRevived},
		{"timeout, stock gone", expireIt, true, models.OutcomeLate},
		{"cancelled by the shopper", cancelIt, false, models.OutcomeLate},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				o, p := w.buys(models.Line{SKUID: w.sku("ML").ID, Qty: 2})
				tt.by(w, o)
				w.wantState(o.No, models.Closed)
				if tt.rival {
					w.buys(models.Line{SKUID: w.sku("ML").ID, Qty: 1})
				}
				stock := w.sku("ML").Stock
				x := w.honest(p)
				for range 3 { // told three times
					out, err := w.svc.Settle(t.Context(), x, "notify", nil)
					if err != nil {
						t.Fatal(err)
					}
					if out != tt.want && out != models.OutcomeRepeated {
						t.Errorf("Settle = %q, want %q", out, tt.want)
					}
				}
				d := w.dossier(o.No)
				if tt.want == models.OutcomeRevived {
					if d.Order.State != models.Paid || !d.Order.Revived || len(d.Refunds) != 0 {
						t.Errorf("order %s revived=%v with %d refunds", d.Order.State, d.Order.Revived, len(d.Refunds))
					}
					if got := w.sku("ML").Stock; got != stock-2 {
						t.Errorf("stock = %d, want %d", got, stock-2)
					}
					return
				}
				if d.Order.State != models.Closed || w.sku("ML").Stock != stock {
					t.Errorf("order is %s, stock %d, want closed and %d", d.Order.State, w.sku("ML").Stock, stock)
				}
				if len(d.Refunds) != 1 || d.Refunds[0].Amount != o.Total || d.Refunds[0].State != models.RefundPending {
					t.Errorf("refunds = %+v, want one of %s", d.Refunds, o.Total)
				}
			})
		})
	}
}

func expireIt(w *world, o *models.Order) { later(32 * time.Minute) }
func cancelIt(w *world, o *models.Order) {
	if err := w.svc.Cancel(w.t.Context(), w.user.ID, o.No); err != nil {
		w.t.Fatal(err)
	}
}

// A close that WeChat answers with SUCCESS and does not do (it happens within
// five minutes of the order) is noticed before the order is closed here.
func TestCloseWithoutEffect(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o, p := w.buys()
		real := w.sim.Gateway()
		lies := 2
		id := w.sim.Identity()
		w.setFault(func(path string) http.HandlerFunc {
			if !isCall(path, callClose) || lies == 0 {
				return nil
			}
			return func(rw http.ResponseWriter, r *http.Request) {
				lies--
				io.WriteString(rw, signedOK(id.AppID, id.MchID, id.APIKey))
			}
		})
		_ = real
		later(30*time.Minute + 20*time.Second)
		w.wantState(o.No, models.Unpaid)
		later(5 * time.Minute)
		w.wantState(o.No, models.Closed)
		if at := w.atWeChat(p.OutTradeNo); at.State != "CLOSED" {
			t.Errorf("at WeChat it is %s, want CLOSED", at.State)
		}
		if lies != 0 {
			t.Errorf("%d lies were not told", lies)
		}
	})
}

// WeChat does not answer at the deadline: the order waits, and ends when it
// answers again.
func TestExpireWaitsForWeChat(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		o, _ := w.buys()
		w.setFault(func(string) http.HandlerFunc {
			return func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		})
		later(time.Hour)
		w.wantState(o.No, models.Unpaid)
		w.setFault(nil)
		later(12 * time.Minute)
		w.wantState(o.No, models.Closed)
	})
}

// Product 7i: two attempts, both paid: one payment, one refund, one event.
func TestPaidTwice(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o, first := w.buys()
		// The payer changes, so the attempt no longer fits; WeChat loses the close.
		id := w.sim.Identity()
		w.setFault(func(path string) http.HandlerFunc {
			if !isCall(path, callClose) {
				return nil
			}
			return func(rw http.ResponseWriter, r *http.Request) {
				io.WriteString(rw, signedOK(id.AppID, id.MchID, id.APIKey))
			}
		})
		second := w.simUsers()[1].OpenID
		u := *w.user
		u.OpenID = &second
		if err := w.svc.Pay(t.Context(), &u, o.No, wxpay.JSAPI, "127.0.0.1"); err != nil {
			t.Fatal(err)
		}
		ps := w.payments(o)
		if len(ps) != 2 {
			t.Fatalf("%d attempts, want 2", len(ps))
		}
		w.pays(first.OutTradeNo)
		later(time.Second)
		w.wantState(o.No, models.Paid)
		if code := w.api("POST", "transactions/"+ps[1].OutTradeNo+"/pay", map[string]string{"openid": second}, nil); code != 200 {
			t.Fatalf("paying the second = %d", code)
		}
		later(time.Minute)
		d := w.dossier(o.No)
		if len(d.Refunds) != 1 || d.Refunds[0].Amount != o.Total || d.Refunds[0].Reason != "double" {
			t.Errorf("refunds = %+v, want one, double, of %s", d.Refunds, o.Total)
		}
		w.wantEvents(o.No, "paid", 1)
	})
}

// An attempt that is still open when its order was paid through another is
// closed at WeChat by the chase loop.
func TestOpenAttemptOfPaidOrderIsClosed(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o, p := w.buys()
		x := w.honest(p)
		x.TransactionID = "4200000000202611190000000001"
		if err := w.store.EndPayment(t.Context(), p.ID, models.PayClosed, "test", "", nil); err != nil {
			t.Fatal(err)
		}
		if err := w.svc.Pay(t.Context(), w.user, o.No, wxpay.JSAPI, "127.0.0.1"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.svc.Settle(t.Context(), x, "notify", nil); err != nil {
			t.Fatal(err)
		}
		w.wantState(o.No, models.Paid)
		later(2 * time.Minute)
		ps := w.payments(o)
		if got := w.atWeChat(ps[1].OutTradeNo).State; got != "CLOSED" || ps[1].State != models.PayClosed {
			t.Errorf("the other attempt is %s at WeChat and %s here, want closed", got, ps[1].State)
		}
	})
}

// D3, product 7g: the shop is killed before or after any commit; after the
// start every order converges, and paid stays paid.
func TestCrashAtEachCommit(t *testing.T) {
	for _, point := range []string{"before-commit", "after-commit"} {
		for n := 1; n <= 6; n++ {
			t.Run(point+" "+string(rune('0'+n)), func(t *testing.T) {
				inBubble(t, func(t *testing.T, w *world) {
					w.stop()
					w.store.Close()
					left, crashed := n, false
					w.crash = func(p string) error {
						if p != point {
							return nil
						}
						if left--; left == 0 {
							crashed = true
							return errors.New("killed")
						}
						return nil
					}
					w.open()
					w.run()
					placed, err := w.svc.Place(t.Context(), w.form("crash"))
					if err == nil {
						if p, err := w.store.LivePayment(t.Context(), placed.Order.ID); err == nil {
							w.pays(p.OutTradeNo)
						}
					}
					later(20 * time.Second)
					w.crash = nil
					w.restart()
					placed, err = w.svc.Place(t.Context(), w.form("crash")) // the shopper sends the form again
					if err != nil {
						t.Fatal(err)
					}
					w.svc.Pay(t.Context(), w.user, placed.Order.No, wxpay.JSAPI, "127.0.0.1")
					if w.order(placed.Order.No).State == models.Unpaid {
						p, err := w.store.LivePayment(t.Context(), placed.Order.ID)
						if err != nil {
							t.Fatal(err)
						}
						w.pays(p.OutTradeNo)
					}
					later(2 * time.Minute)
					w.wantState(placed.Order.No, models.Paid)
					w.wantEvents(placed.Order.No, "paid", 1)
					if got := w.sku("LJ").Stock; got != 4 {
						t.Errorf("stock = %d, want 4: one order, however often it crashed (crashed: %v)", got, crashed)
					}
				})
			})
		}
	}
}

func (w *world) form(token string) checkout.PlaceRequest {
	w.t.Helper()
	return checkout.PlaceRequest{
		User: w.user, FormToken: token, Lines: []models.Line{{SKUID: w.sku("LJ").ID, Qty: 1}}, Channel: wxpay.JSAPI, ClientIP: "127.0.0.1",
		Receiver: models.Receiver{Name: "林晓溪", Phone: "13800001234", Province: "浙江省", City: "杭州市", District: "西湖区", Street: "文三路 90 号"},
	}
}

// V6: however often a page polls, WeChat is asked once in five seconds.
func TestPollAsksSeldom(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o, _ := w.buys()
		asked := 0
		w.setFault(func(path string) http.HandlerFunc {
			if strings.HasSuffix(path, "orderquery") {
				asked++
			}
			return nil
		})
		for range 100 {
			if _, err := w.svc.Status(t.Context(), w.user.ID, o.No); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if asked < 2 || asked > 3 {
			t.Errorf("100 polls in 10 s asked WeChat %d times, want 2 or 3", asked)
		}
	})
}
