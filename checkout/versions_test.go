package checkout_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"wxshop/checkout"
	"wxshop/models"
	"wxshop/wxpay"
)

// calls keeps which version of the API was used for which number.
type calls struct {
	mu   sync.Mutex
	seen []string // "v2 P2611…"
}

// watch notes every call to WeChat that names one of our numbers.
func (c *calls) watch(w *world) {
	real := w.sim.Gateway()
	w.setFault(func(path string) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			body := readAll(r)
			r.Body = http.NoBody
			if len(body) > 0 {
				r.Body = readCloser(body)
			}
			v := "v2 "
			if strings.HasPrefix(path, "/v3/") {
				v = "v3 "
			}
			c.mu.Lock()
			c.seen = append(c.seen, v+r.URL.Path+" "+string(body))
			c.mu.Unlock()
			real.ServeHTTP(rw, r)
		}
	})
}

// only checks that a number was spoken of in one version alone, and at all.
func (c *calls) only(t *testing.T, v, no string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, s := range c.seen {
		if !strings.Contains(s, no) {
			continue
		}
		if n++; !strings.HasPrefix(s, v+" ") {
			t.Errorf("%s was made with %s, and asked about by %.200s", no, v, s)
		}
	}
	if n == 0 {
		t.Errorf("WeChat was never asked about %s", no)
	}
}

// wantLive checks that an order has exactly one open attempt, of a version.
func (w *world) wantLive(o *models.Order, v wxpay.Version) *models.Payment {
	w.t.Helper()
	var live *models.Payment
	for _, p := range w.payments(o) {
		if p.LiveOrderID == nil {
			continue
		}
		if live != nil {
			w.t.Errorf("order %s has two open attempts", o.No)
		}
		live = &p
	}
	if live == nil || live.API != string(v) {
		w.t.Fatalf("open attempt of %s is %+v, want one by %s\n%s", o.No, live, v, w.story(o.No))
	}
	return live
}

// A shop moves from one version to the other, and back, in the middle of open
// orders: all of them are settled, closed, refunded and asked about by the
// version that they were made with, and the books agree with the bill.
func TestMoveInTheMiddle(t *testing.T) {
	for _, from := range []wxpay.Version{wxpay.V2, wxpay.V3} {
		if from == wxpay.V3 && !thorough {
			continue
		}
		to := map[wxpay.Version]wxpay.Version{wxpay.V2: wxpay.V3, wxpay.V3: wxpay.V2}[from]
		t.Run(string(from)+" to "+string(to), func(t *testing.T) {
			inBubbleOf(t, from, func(t *testing.T, w *world) { w.moves(from, to) })
		})
	}
}

func (w *world) moves(from, to wxpay.Version) {
	t := w.t
	t.Helper()
	var seen calls
	seen.watch(w)
	tea := models.Line{SKUID: w.sku("TG").ID, Qty: 1}
	open, openPay := w.buys()     // is paid after the move
	silent, silentPay := w.buys() // is paid after the move, and nobody tells us
	again, againPay := w.buys()   // is taken up again after the move
	paid := w.paidOrder()         // is refunded after the move
	half := w.paidOrder(tea)      // is being refunded during the move
	left, leftPay := w.buys(tea)  // is never paid
	w.api("PUT", "faults", map[string]any{"next": map[string]int{"refund-processing": 1}}, nil)
	r1, err := w.refunds(half, 2000, "half")
	if err != nil || r1.State != models.RefundProcessing {
		t.Fatalf("refund = %+v, %v", r1, err)
	}

	w.onto(to)
	page, err := w.svc.PayPage(t.Context(), w.user, open.No)
	if err != nil || page.Bridge == nil || (page.Bridge.SignType == "RSA") != (from == wxpay.V3) {
		t.Fatalf("the open attempt goes on with %+v, %v", page.Bridge, err)
	}
	w.pays(openPay.OutTradeNo)
	w.setNotify(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	})
	w.pays(silentPay.OutTradeNo)
	later(time.Second)
	w.setNotify(nil)
	if err := w.svc.Pay(t.Context(), w.user, again.No, wxpay.JSAPI, "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	live := w.wantLive(again, to)
	if at := w.atWeChat(againPay.OutTradeNo); at.State != "CLOSED" {
		t.Errorf("the attempt of before is %s at WeChat, want CLOSED", at.State)
	}
	w.pays(live.OutTradeNo)
	r2, err := w.refunds(paid, 16800, "whole")
	if err != nil {
		t.Fatal(err)
	}
	fresh := w.paidOrder(tea)
	r3, err := w.refunds(fresh, 800, "fresh")
	if err != nil {
		t.Fatal(err)
	}
	later(40 * time.Minute)
	w.api("POST", "transactions/"+r1.OutTradeNo+"/refunds/"+r1.OutRefundNo, map[string]string{"outcome": "success"}, nil)
	later(time.Minute)

	for o, v := range map[*models.Order]wxpay.Version{open: from, silent: from, again: to, paid: from, half: from, fresh: to} {
		w.wantState(o.No, models.Paid)
		w.wantEvents(o.No, "paid", 1)
		for _, p := range w.payments(o) {
			if p.State == models.PayPaid {
				if p.API != string(v) {
					t.Errorf("order %s was paid by %s, want %s", o.No, p.API, v)
				}
				seen.only(t, string(v), p.OutTradeNo)
			}
		}
	}
	for r, v := range map[*models.Refund]wxpay.Version{r1: from, r2: from, r3: to} {
		w.wantRefund(r.OutRefundNo, models.RefundSucceeded)
		seen.only(t, string(v), r.OutRefundNo)
		if got := w.atWeChat(r.OutTradeNo).refunded(); got != int64(r.Amount) {
			t.Errorf("WeChat gave back %d of %s, want %d", got, r.OutTradeNo, r.Amount)
		}
	}
	w.wantState(left.No, models.Closed)
	seen.only(t, string(from), leftPay.OutTradeNo)
	if at := w.atWeChat(leftPay.OutTradeNo); at.State != "CLOSED" {
		t.Errorf("what nobody paid is %s at WeChat, want CLOSED", at.State)
	}
	if n := w.counted("notify.badsig"); n != 0 {
		t.Errorf("%d notifications were refused", n)
	}
	rest, err := w.store.OpenVersions(t.Context())
	if err != nil || len(rest) != 0 {
		t.Errorf("still open: %v, %v", rest, err)
	}
	w.stop()                                                              // nothing is left to do for the loops
	time.Sleep(time.Until(time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC))) // both bills are made
	for _, day := range []string{"2026-11-19", "2026-11-20"} {
		w.reconciles(day)
		w.wantDiffs(day)
	}
}

// A taken-up attempt whose version cannot be asked stays as it is: two open
// ones would be two payments.
func TestMoveWithoutAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o, p := w.buys()
		w.onto(wxpay.V3)
		w.setFault(func(path string) http.HandlerFunc {
			if strings.HasPrefix(path, "/v3/") {
				return nil
			}
			return func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		})
		if err := w.svc.Pay(t.Context(), w.user, o.No, wxpay.JSAPI, "127.0.0.1"); !wxpay.IsUnknown(err) {
			t.Errorf("Pay = %v, want unknown", err)
		}
		if live := w.wantLive(o, wxpay.V2); live.OutTradeNo != p.OutTradeNo {
			t.Errorf("open attempt = %s, want %s", live.OutTradeNo, p.OutTradeNo)
		}
	})
}

// byNotification pays an order while no question is answered, and wants it
// settled.
func (w *world) byNotification(what string) {
	w.t.Helper()
	o, p := w.buys(models.Line{SKUID: w.sku("TG").ID, Qty: 1})
	w.setFault(func(path string) http.HandlerFunc {
		if !isCall(path, callQuery) {
			return nil
		}
		return func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	})
	defer w.setFault(nil)
	w.pays(p.OutTradeNo)
	later(time.Second)
	if got := w.order(o.No).State; got != models.Paid {
		w.t.Errorf("%s: the notification did not settle: order is %s", what, got)
	}
}

// The APIv3 key changes while notifications are on their way: none is lost and
// none refused, because the next key is known before it counts.
func TestAPIv3KeyChanges(t *testing.T) {
	next := strings.Repeat("N", 32)
	inBubbleOf(t, wxpay.V3, func(t *testing.T, w *world) {
		w.change = func(c *wxpay.Config) { c.NextAPIv3Key = next }
		w.restart()
		o, p := w.buys()
		lost := 2
		w.setNotify(func(real http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if lost--; lost >= 0 {
					rw.WriteHeader(503)
					return
				}
				real.ServeHTTP(rw, r)
			})
		})
		w.setFault(func(path string) http.HandlerFunc {
			if !isCall(path, callQuery) {
				return nil
			}
			return func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		})
		w.pays(p.OutTradeNo)
		later(time.Second)
		if code := w.api("POST", "keys", map[string]string{"api_v3_key": next}, nil); code != 200 {
			t.Fatalf("changing the key = %d", code)
		}
		later(time.Minute) // it comes again
		w.wantState(o.No, models.Paid)
		w.setFault(nil)
		w.setNotify(nil)
		w.byNotification("under the new key")
		w.change = nil // the operator has moved the new key to its place
		w.restart()
		w.byNotification("after the old key is gone")
		if n := w.counted("notify.badsig"); n != 0 {
			t.Errorf("%d notifications were refused", n)
		}
	})
}

// WeChat's keys change while the shop runs, in each key mode: no notification
// is lost or refused.
func TestPlatformKeysRotate(t *testing.T) {
	for _, mode := range []wxpay.KeyMode{wxpay.CertificateMode, wxpay.MixedMode} {
		t.Run(string(mode), func(t *testing.T) {
			inBubbleOf(t, wxpay.V3, func(t *testing.T, w *world) {
				w.change = func(c *wxpay.Config) { c.KeyMode = mode }
				if code := w.api("PUT", "account", map[string]string{"key_mode": string(mode)}, nil); code != 200 {
					t.Fatalf("key mode = %d", code)
				}
				w.restart()
				w.byNotification("before")
				for _, step := range []string{"start", "switch", "finish", "now"} {
					if code := w.api("POST", "keys", map[string]string{"rotate": step}, nil); code != 200 {
						t.Fatalf("rotate %s = %d", step, code)
					}
					later(time.Minute) // unknown serial numbers do not make it ask more often than that
					w.byNotification(step)
				}
				if n := w.counted("notify.badsig"); n != 0 {
					t.Errorf("%d notifications were refused", n)
				}
			})
		})
	}
}

// The cash desk goes by v2 whatever new payments go by, and says so when it
// cannot; a refund needs the keys that its payment was made with.
func TestWithoutTheOtherKeys(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		old := w.paidOrder()
		w.onto(wxpay.V3)
		if !w.svc.HasCashDesk() {
			t.Error("no cash desk although v2 is configured")
		}
		id := w.sim.Identity()
		gates := w.gateways(discard)
		delete(gates, wxpay.V2)
		svc := checkout.New(checkout.Config{API: wxpay.V3, AppID: id.AppID, MchID: id.MchID, NotifyBase: "http://shop"},
			checkout.Options{Store: w.store, Gateways: gates, Log: discard})
		if svc.HasCashDesk() {
			t.Error("a cash desk without v2")
		}
		_, err := svc.Sell(t.Context(), checkout.SaleRequest{StaffID: 1, Token: "s", Amount: 100, Code: "130000000000000000"})
		if !errors.Is(err, checkout.ErrNoCashDesk) {
			t.Errorf("Sell = %v, want ErrNoCashDesk", err)
		}
		_, _, err = svc.Refund(t.Context(), checkout.RefundRequest{No: old.No, Amount: 100, Token: "r", Actor: "staff:owner"})
		if !errors.Is(err, checkout.ErrNoGateway) {
			t.Errorf("Refund = %v, want ErrNoGateway", err)
		}
		if rs, err := w.store.RefundsOf(t.Context(), old.ID); err != nil || len(rs) != 0 {
			t.Errorf("a promise that nobody can keep: %+v, %v", rs, err)
		}
	})
}

var discard = slog.New(slog.DiscardHandler)

func readCloser(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }

// A refund notification only makes the shop ask, in both versions: a true one
// at once, and one that was forged to say "succeeded" changes nothing (P18).
func TestRefundNotifyMakesUsAsk(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		o := w.paidOrder()
		w.api("PUT", "faults", map[string]any{"next": map[string]int{"refund-processing": 1}}, nil)
		r, err := w.refunds(o, 800, "r")
		if err != nil {
			t.Fatal(err)
		}
		later(3 * time.Minute) // by now it asks every five minutes
		w.wantRefund(r.OutRefundNo, models.RefundProcessing)
		kinds := []string{"unsigned", "wrong_key", "xxe", "truncated"}
		if w.speaks == wxpay.V3 {
			kinds = append(kinds, "stale", "wrong_serial", "short_nonce", "signtest")
		}
		var got struct {
			Acknowledged bool   `json:"acknowledged"`
			Body         string `json:"body"`
		}
		forge := func(kind string) {
			t.Helper()
			in := map[string]string{"out_trade_no": r.OutTradeNo, "out_refund_no": r.OutRefundNo, "kind": kind}
			if code := w.api("POST", "notifications/forge", in, &got); code != 200 {
				t.Fatalf("forge %s = %d", kind, code)
			}
		}
		for _, kind := range kinds {
			if forge(kind); got.Acknowledged {
				t.Errorf("%s was acknowledged: %s", kind, got.Body)
			}
		}
		for _, kind := range []string{"wrong_amount", "unknown_order"} { // signed, and still only a reason to ask
			if forge(kind); !got.Acknowledged {
				t.Errorf("%s = %s", kind, got.Body)
			}
		}
		later(10 * time.Second)
		w.wantRefund(r.OutRefundNo, models.RefundProcessing)
		if code := w.api("POST", "transactions/"+r.OutTradeNo+"/refunds/"+r.OutRefundNo, map[string]string{"outcome": "success"}, nil); code != 200 {
			t.Fatalf("ending the refund = %d", code)
		}
		later(6 * time.Second) // the notification, and one turn of the loop
		w.wantRefund(r.OutRefundNo, models.RefundSucceeded)
	})
}

// A shop that knows both kinds of keys goes on while WeChat moves its merchant
// from one kind to the other, and so does the shop beside its own simulator.
func TestKeyModeChanges(t *testing.T) {
	inBubbleOf(t, wxpay.V3, func(t *testing.T, w *world) {
		w.change = func(c *wxpay.Config) { c.KeyMode = wxpay.MixedMode }
		w.restart()
		for _, mode := range []string{"public_key", "certificate", "mixed", "public_key"} {
			if code := w.api("PUT", "account", map[string]string{"key_mode": mode}, nil); code != 200 {
				t.Fatalf("key mode %s = %d", mode, code)
			}
			later(time.Minute)
			w.byNotification(mode)
		}
		if n := w.counted("notify.badsig"); n != 0 {
			t.Errorf("%d notifications were refused", n)
		}
	})
}
