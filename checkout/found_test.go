package checkout_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"wxshop/checkout"
	"wxshop/models"
	"wxshop/wxpay"
)

// Each of these was a way to lose money or goods once.

// deaf loses every notification.
func deaf(http.Handler) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

// lying answers closeorder with SUCCESS and does nothing.
func (w *world) lying() func(string) http.HandlerFunc {
	id := w.sim.Identity()
	return func(path string) http.HandlerFunc {
		if path != "/pay/closeorder" {
			return nil
		}
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Write([]byte(signedOK(id.AppID, id.MchID, id.APIKey)))
		}
	}
}

// another is a second service with settings of its own on the same world.
func (w *world) another(sign wxpay.SignType, hosts ...string) *checkout.Service {
	w.t.Helper()
	id, log := w.sim.Identity(), slog.New(slog.DiscardHandler)
	v2, err := wxpay.NewV2(wxpay.Config{AppID: id.AppID, MchID: id.MchID, APIKey: id.APIKey, SignType: sign,
		Hosts: hosts, Timeout: 5 * time.Second, Transport: w.net, Record: checkout.Record, Log: log})
	if err != nil {
		w.t.Fatal(err)
	}
	return checkout.New(checkout.Config{
		API: wxpay.V2, AppID: id.AppID, MchID: id.MchID, SignType: sign, NotifyBase: "http://shop", ShopName: "x",
		Expire: 30 * time.Minute, ChaseAfter: time.Minute, ConfirmAfter: 10 * day,
	}, checkout.Options{Store: w.store, Gateways: map[wxpay.Version]wxpay.Gateway{wxpay.V2: v2}, Log: log})
}

// A payment code that the first host charged is "used" at the second: that is
// no "no".
func TestFoundChargeAtTheFirstHost(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.net.set("backup", w.sim.Gateway())
		svc := w.another(wxpay.HMACSHA256, "http://gateway", "http://backup")
		w.setFault(func(path string) http.HandlerFunc {
			if !strings.HasSuffix(path, "/micropay") {
				return nil
			}
			return func(rw http.ResponseWriter, r *http.Request) {
				w.sim.Gateway().ServeHTTP(httptest.NewRecorder(), r)
				rw.WriteHeader(502)
			}
		})
		o, err := svc.Sell(t.Context(), checkout.SaleRequest{StaffID: 1, Token: "two hosts", Amount: 5800, Code: w.paycode(), ClientIP: "127.0.0.1"})
		if err != nil {
			t.Fatal(err)
		}
		later(time.Minute)
		w.wantState(o.No, models.Done)
	})
}

// A sale that was paid while it was about to be taken back is not taken back.
func TestFoundReverseOfPaidSale(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o, err := w.sells(100100, w.paycode())
		if err != nil {
			t.Fatal(err)
		}
		p := w.payments(o)[0]
		later(41 * time.Second)
		w.pays(p.OutTradeNo)
		fired := false
		w.setFault(func(path string) http.HandlerFunc {
			if fired || !strings.HasSuffix(path, "/orderquery") || time.Since(p.CreatedAt.Time) < 45*time.Second {
				return nil
			}
			return func(rw http.ResponseWriter, _ *http.Request) {
				fired = true
				w.svc.Ask(t.Context(), o.No, "staff:x") // somebody else looks at the same moment
				rw.WriteHeader(502)
			}
		})
		later(time.Minute)
		w.wantState(o.No, models.Done)
		if at := w.atWeChat(p.OutTradeNo).State; !fired || at != "SUCCESS" {
			t.Errorf("at WeChat %s (raced: %v), want SUCCESS", at, fired)
		}
		if err := w.svc.Reverse(t.Context(), o.No, "staff:x"); !errors.Is(err, models.ErrBadMove) {
			t.Errorf("reverse of a paid sale = %v, want ErrBadMove", err)
		}
	})
}

// An order whose money does not fit ends, gives its goods back and stops
// asking; the money waits for a person.
func TestFoundMisfitEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o, p := w.buys()
		// WeChat has another amount for the number than our row says.
		x := w.honest(p)
		x.Total++
		if out, err := w.svc.Settle(t.Context(), x, "query", nil); err != nil || out != models.OutcomeMisfit {
			t.Fatalf("Settle = %q, %v", out, err)
		}
		w.setFault(func(path string) http.HandlerFunc {
			if path != "/pay/orderquery" {
				return nil
			}
			return func(rw http.ResponseWriter, _ *http.Request) {
				rw.Write([]byte(signedPaid(w.sim.Identity().APIKey, x)))
			}
		})
		later(time.Hour)
		w.wantState(o.No, models.Closed)
		if got := w.sku("LJ").Stock; got != 5 {
			t.Errorf("stock = %d, want 5", got)
		}
		if n := len(w.dossier(o.No).Messages); n > 12 {
			t.Errorf("%d messages in an hour: it never stopped asking", n)
		}
		if n, err := w.store.OpenMisfits(t.Context()); err != nil || n != 1 {
			t.Errorf("%d payments to check, %v, want 1", n, err)
		}
	})
}

// A refund that WeChat closed can be made again, under a new number; goods go
// back on the shelf once.
func TestFoundRefundAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o := w.paidOrder(models.Line{SKUID: w.sku("ML").ID, Qty: 1})
		lines := []models.RefundLine{{ItemID: o.Items[0].ID, Qty: 1, Restock: true}}
		q := checkout.RefundRequest{No: o.No, Amount: o.Total, Token: "a1", Actor: "staff:owner", Lines: lines}
		r, _, err := w.svc.Refund(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		w.closesRefund(r.OutRefundNo)
		q.Token = "a2"
		var bad *models.InputError
		if _, _, err := w.svc.Refund(t.Context(), q); !errors.As(err, &bad) {
			t.Errorf("the same piece on the shelf twice = %v, want InputError", err)
		}
		q.Lines = nil
		if _, _, err := w.svc.Refund(t.Context(), q); err != nil {
			t.Errorf("again = %v", err)
		}
		if got := w.sku("ML").Stock; got != 2 {
			t.Errorf("stock = %d, want 2", got)
		}
	})
}

func (w *world) closesRefund(no string) {
	w.t.Helper()
	if _, err := w.store.StepRefund(w.t.Context(), models.RefundStep{OutRefundNo: no, To: models.RefundClosed, Actor: "query"}); err != nil {
		w.t.Fatal(err)
	}
}

// The same for money that came too late: a person can give it back.
func TestFoundLateRefundAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.setFault(w.lying())
		o, p := w.buys()
		if err := w.svc.Cancel(t.Context(), w.user.ID, o.No); err != nil {
			t.Fatal(err)
		}
		w.setFault(nil)
		w.pays(p.OutTradeNo)
		later(time.Second)
		w.closesRefund(w.dossier(o.No).Refunds[0].OutRefundNo)
		if _, err := w.refunds(o, o.Total, "by hand"); err != nil {
			t.Errorf("by hand = %v", err)
		}
	})
}

// A form's token means one refund of one amount of one order.
func TestFoundTokenOfAnotherRefund(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.paidOrder(), w.paidOrder()
		if _, err := w.refunds(a, 100, "t"); err != nil {
			t.Fatal(err)
		}
		for _, try := range []func() error{
			func() error { _, err := w.refunds(b, 100, "t"); return err },
			func() error { _, err := w.refunds(a, 101, "t"); return err },
		} {
			if err := try(); !errors.Is(err, models.ErrTokenReused) {
				t.Errorf("= %v, want ErrTokenReused", err)
			}
		}
		q := checkout.SaleRequest{StaffID: 1, Token: "s", Amount: 100, Code: w.paycode(), ClientIP: "127.0.0.1"}
		if _, err := w.svc.Sell(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		q.Amount, q.Code = 9900, w.paycode()
		if _, err := w.svc.Sell(t.Context(), q); !errors.Is(err, models.ErrTokenReused) {
			t.Errorf("another sale with the token = %v, want ErrTokenReused", err)
		}
	})
}

// WeChat refuses to take a sale back: then it may be paid.
func TestFoundReverseRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o, err := w.sells(100100, w.paycode())
		if err != nil {
			t.Fatal(err)
		}
		p := w.payments(o)[0]
		w.setFault(func(path string) http.HandlerFunc {
			if !strings.HasSuffix(path, "/reverse") {
				return nil
			}
			return func(rw http.ResponseWriter, _ *http.Request) {
				rw.WriteHeader(400)
				rw.Write([]byte("<html>400 No required SSL certificate was sent"))
			}
		})
		later(20 * time.Second)
		if err := w.svc.Reverse(t.Context(), o.No, "staff:x"); err == nil {
			t.Error("a refused reverse is no success")
		}
		w.pays(p.OutTradeNo)
		later(time.Minute)
		w.wantState(o.No, models.Done)
	})
}

// facepay signs with HMAC-SHA256 whatever is configured.
func TestFoundFaceWithMD5(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		svc := w.another(wxpay.MD5, "http://gateway")
		var x struct{ Facecode string }
		w.api("GET", "users/"+w.openid+"/paycode", nil, &x)
		o, err := svc.Sell(t.Context(), checkout.SaleRequest{StaffID: 1, Token: "face", Amount: 5800, Code: x.Facecode, Face: true, OpenID: w.openid, ClientIP: "127.0.0.1"})
		if err != nil {
			t.Fatal(err)
		}
		w.wantState(o.No, models.Done)
	})
}

// What was given back in full does not leave the house.
func TestFoundShipAfterFullRefund(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o := w.paidOrder()
		if _, err := w.refunds(o, o.Total, "full"); err != nil {
			t.Fatal(err)
		}
		if err := w.store.Ship(t.Context(), o.No, "SF", "SF123456", "staff:x"); !errors.Is(err, models.ErrBadMove) {
			t.Errorf("Ship = %v, want ErrBadMove", err)
		}
	})
}

// Another tab opened an attempt between the two halves of a cancel, and every
// notification is lost: the money is found and goes back.
func TestFoundAttemptOfClosedOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.setNotify(deaf)
		o, _ := w.buys()
		if err := w.svc.Pay(t.Context(), w.user, o.No, wxpay.Native, "127.0.0.1"); err != nil {
			t.Fatal(err)
		}
		ps := w.payments(o)
		p := ps[len(ps)-1]
		if err := w.store.CloseOrder(t.Context(), o.ID, models.ByShopper, "shopper", ""); err != nil {
			t.Fatal(err)
		}
		w.pays(p.OutTradeNo)
		later(10 * time.Minute)
		w.wantMoneyBack(o, &p)
	})
}

// A cancel whose close had no effect at WeChat, and no notification: found
// after the last moment to pay.
func TestFoundCancelWithoutEffect(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.setNotify(deaf)
		w.setFault(w.lying())
		o, p := w.buys()
		if err := w.svc.Cancel(t.Context(), w.user.ID, o.No); err != nil {
			t.Fatal(err)
		}
		w.setFault(nil)
		later(3 * time.Minute)
		w.pays(p.OutTradeNo)
		later(time.Hour)
		w.wantMoneyBack(o, p)
	})
}

func (w *world) wantMoneyBack(o *models.Order, p *models.Payment) {
	w.t.Helper()
	if x := w.atWeChat(p.OutTradeNo); x.State != "REFUND" || x.refunded() != int64(o.Total) {
		w.t.Errorf("at WeChat %s, %d given back, want all of %d\n%s", x.State, x.refunded(), o.Total, w.story(o.No))
	}
	w.wantState(o.No, models.Closed)
}

// A sale is never closed by closeorder.
func TestFoundCloseOfSale(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o, err := w.sells(100100, w.paycode())
		if err != nil {
			t.Fatal(err)
		}
		later(8 * time.Second)
		if err := w.svc.CloseByMerchant(t.Context(), o.No, "staff:x", "changed their mind"); err != nil {
			t.Fatal(err)
		}
		later(15 * time.Second) // WeChat wants to be asked twice
		w.wantState(o.No, models.Closed)
		if at := w.atWeChat(w.payments(o)[0].OutTradeNo).State; at != "REVOKED" {
			t.Errorf("at WeChat %s, want REVOKED", at)
		}
	})
}
