package checkout_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"wxshop/checkout"
	"wxshop/models"
)

// paycode is a fresh payment code of the first user.
func (w *world) paycode() string {
	w.t.Helper()
	var x struct{ Paycode string }
	if code := w.api("GET", "users/"+w.openid+"/paycode", nil, &x); code != 200 || len(x.Paycode) != 18 {
		w.t.Fatalf("paycode = %d %q", code, x.Paycode)
	}
	return x.Paycode
}

func (w *world) sells(amount models.Fen, code string) (*models.Order, error) {
	forms++
	return w.svc.Sell(w.t.Context(), checkout.SaleRequest{
		StaffID: 1, Token: fmt.Sprintf("sale-%d", forms), Amount: amount, Code: code, ClientIP: "127.0.0.1",
	})
}

func TestSellByCode(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o, err := w.sells(5800, w.paycode())
		if err != nil {
			t.Fatal(err)
		}
		got := w.wantState(o.No, models.Done)
		if got.PaidAt.IsZero() || got.Source != models.FromCounter {
			t.Errorf("sale = %+v", got)
		}
		w.wantEvents(o.No, "paid", 1)
		sales, err := w.store.Sales(t.Context(), time.Now().Add(-time.Hour), 10)
		if err != nil || len(sales) != 1 || len(sales[0].Payment.CodeTail) != 4 {
			t.Errorf("sales = %+v, %v", sales, err)
		}
	})
}

func TestSellRefuses(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, code := range []string{"", "123", "990000000000000000", "13000000000000000x", "1300000000000000000"} {
			if _, err := w.sells(1, code); !errors.Is(err, checkout.ErrNoPaymentCode) {
				t.Errorf("code %q = %v, want ErrNoPaymentCode", code, err)
			}
		}
		o, err := w.sells(100, "130000000000000001") // never issued
		if err != nil {
			t.Fatal(err)
		}
		w.wantState(o.No, models.Closed)
		if p := w.payments(o)[0]; p.State != models.PayFailed {
			t.Errorf("attempt is %s, want failed", p.State)
		}
	})
}

// Over 1000 yuan WeChat asks for the password: confirmed in time it is paid,
// otherwise taken back after 45 s.
func TestSellWaitsForPassword(t *testing.T) {
	for _, typed := range []bool{true, false} {
		inBubble(t, func(t *testing.T, w *world) {
			o, err := w.sells(100100, w.paycode())
			if err != nil {
				t.Fatal(err)
			}
			w.wantState(o.No, models.Unpaid)
			later(12 * time.Second)
			p := w.payments(o)[0]
			if typed {
				if code := w.pays(p.OutTradeNo); code != 200 {
					t.Fatalf("typing the password = %d", code)
				}
				later(30 * time.Second)
				w.wantState(o.No, models.Done)
				return
			}
			later(70 * time.Second)
			w.wantState(o.No, models.Closed)
			if p := w.payments(o)[0]; p.State != models.PayClosed {
				t.Errorf("attempt is %s, want closed\n%s", p.State, w.story(o.No))
			}
		})
	}
}

// Decision 25: paid, reversed, or visibly reversing until WeChat has confirmed.
func TestSellWithoutAnswer(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				h := f.make(w.sim.Gateway())
				w.setFault(func(path string) http.HandlerFunc {
					if strings.HasSuffix(path, "/micropay") || strings.HasSuffix(path, "/orderquery") || strings.HasSuffix(path, "/reverse") {
						return h
					}
					return nil
				})
				o, err := w.sells(5800, w.paycode())
				if err != nil {
					t.Fatal(err)
				}
				later(3 * time.Minute)
				got := w.order(o.No)
				p := w.payments(o)[0]
				if got.State != models.Unpaid || p.State != models.PayReversing {
					t.Fatalf("without an answer: order %s, attempt %s, want unpaid and reversing\n%s", got.State, p.State, w.story(o.No))
				}
				w.setFault(nil)
				later(time.Minute)
				w.wantState(o.No, models.Closed)
			})
		})
	}
}
