package checkout_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wxshop/models"
	"wxshop/wxpay"
)

func TestBuyPayPaid(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		o, p := w.buys()
		if p.State != models.PayPrepaid || o.Total != 16800 {
			t.Fatalf("attempt is %s of %s, want prepaid of 168.00", p.State, o.Total)
		}
		page, err := w.svc.PayPage(t.Context(), w.user, o.No)
		if err != nil || page.Bridge == nil || page.Bridge.Package != "prepay_id="+p.PrepayID {
			t.Fatalf("PayPage = %+v, %v, want the parameters of %s", page, err, p.PrepayID)
		}
		if code := w.pays(p.OutTradeNo); code != 200 {
			t.Fatalf("paying = %d", code)
		}
		later(time.Second)
		o = w.wantState(o.No, models.Paid)
		if o.PaidAt.IsZero() {
			t.Error("a paid order has no time of payment")
		}
		w.wantEvents(o.No, "paid", 1)
		if left := w.sku("LJ").Stock; left != 4 {
			t.Errorf("stock = %d, want 4", left)
		}
		d := w.dossier(o.No)
		if len(d.Messages) < 2 {
			t.Errorf("the timeline has %d messages of WeChat, want prepay and notify", len(d.Messages))
		}
		for _, m := range d.Messages { // P20
			if text := m.Request + m.Answer; strings.Contains(text, w.sim.Identity().APIKey) || strings.Contains(text, w.sim.Identity().APIv3Key) || strings.Contains(text, "<sign>") || strings.Contains(text, w.openid) {
				t.Errorf("message %s keeps a secret: %s", m.Op, text)
			}
		}
		if page, err = w.svc.PayPage(t.Context(), w.user, o.No); err != nil || page.Bridge != nil {
			t.Errorf("PayPage of a paid order = %+v, %v, want no parameters", page, err)
		}
	})
}

// P9, product 7c: a hundred notifications, the poll, the loop and the merchant
// at once are one event.
func TestPaidOnce(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		var seen []byte
		var head http.Header
		hold := true
		w.setNotify(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				if hold {
					seen, head = readAll(r), r.Header.Clone()
					rw.WriteHeader(500)
					return
				}
				next.ServeHTTP(rw, r)
			})
		})
		o, p := w.buys()
		w.pays(p.OutTradeNo)
		later(time.Second)
		mu.Lock()
		hold = false
		mu.Unlock()
		if seen == nil {
			t.Fatal("no notification came")
		}
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				r := w.svc.Notify(t.Context(), w.speaks, head, seen)
				if !acknowledged(w.speaks, r) {
					t.Errorf("Notify = %d %s", r.Status, r.Body)
				}
			})
		}
		for range 5 {
			wg.Go(func() { w.svc.Status(t.Context(), w.user.ID, o.No) })
			wg.Go(func() { w.svc.Ask(t.Context(), o.No, "staff:owner") })
			wg.Go(func() { w.svc.ChaseOnce(t.Context()) })
		}
		wg.Wait()
		w.wantState(o.No, models.Paid)
		w.wantEvents(o.No, "paid", 1)
		if n := w.counted("settle.paid"); n != 1 {
			t.Errorf("settled %d times", n)
		}
	})
}

// product 7f: every notification lost, settled by query; P28.
func TestNotificationsLost(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		w.setNotify(func(http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
		})
		o, p := w.buys()
		w.pays(p.OutTradeNo)
		later(30 * time.Second)
		w.wantState(o.No, models.Unpaid)
		later(40 * time.Second) // chase_after is one minute
		w.wantState(o.No, models.Paid)
		w.wantEvents(o.No, "paid", 1)
	})
}

// product 7f, other half: all queries failing, settled by notification.
func TestQueriesFail(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		o, p := w.buys()
		w.setFault(func(string) http.HandlerFunc {
			return func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		})
		later(5 * time.Minute)
		w.wantState(o.No, models.Unpaid)
		w.pays(p.OutTradeNo)
		later(time.Second)
		w.wantState(o.No, models.Paid)
	})
}

// The notification comes doubled, at the same moment, and late once more.
func TestNotificationsDoubledAndLate(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		var kept []byte
		w.setNotify(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				kept = readAll(r)
				var wg sync.WaitGroup
				for range 3 {
					wg.Go(func() { w.svc.Notify(r.Context(), w.speaks, r.Header, kept) })
				}
				wg.Wait()
				rw.WriteHeader(500) // WeChat hears nothing and sends again
			})
		})
		o, p := w.buys()
		w.pays(p.OutTradeNo)
		later(2 * time.Hour)
		w.wantState(o.No, models.Paid)
		w.wantEvents(o.No, "paid", 1)
	})
}

// P2, P6, P7, product 7k: what the simulator forges is refused, or recorded
// and acknowledged; nothing else changes.
func TestForged(t *testing.T) {
	tests := []struct {
		kind   string
		ack    bool
		misfit string
	}{
		{"unsigned", false, ""}, {"wrong_key", false, ""}, {"xxe", false, ""}, {"truncated", false, ""},
		{"wrong_amount", true, "amount"}, {"wrong_appid", true, "appid"}, {"wrong_mchid", true, "mchid"},
		{"unknown_order", true, "unknown"},
		{"stale", false, ""}, {"wrong_serial", false, ""}, {"short_nonce", false, ""}, {"signtest", false, ""}, // of v3 only
	}
	for i, tt := range tests {
		for _, api := range []wxpay.Version{wxpay.V2, wxpay.V3} {
			if api == wxpay.V2 && i >= 8 {
				continue
			}
			t.Run(string(api)+" "+tt.kind, func(t *testing.T) {
				inBubbleOf(t, api, func(t *testing.T, w *world) { w.isForged(tt.kind, tt.ack, tt.misfit) })
			})
		}
	}
}

// isForged lets the simulator forge a notification, twice, and then the honest
// payment come.
func (w *world) isForged(kind string, ack bool, misfit string) {
	t := w.t
	t.Helper()
	o, p := w.buys()
	var got struct {
		Acknowledged bool   `json:"acknowledged"`
		Body         string `json:"body"`
	}
	for range 2 { // the second time it must not become a second row
		code := w.api("POST", "notifications/forge", map[string]string{"out_trade_no": p.OutTradeNo, "kind": kind}, &got)
		if code != 200 || got.Acknowledged != ack {
			t.Fatalf("forge = %d, acknowledged %v, want %v (%s)", code, got.Acknowledged, ack, got.Body)
		}
	}
	w.wantState(o.No, models.Unpaid)
	ms, err := w.store.Misfits(t.Context(), true, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if misfit == "" && len(ms) != 0 {
		t.Errorf("a refused message left %+v", ms)
	}
	if misfit != "" && (len(ms) == 0 || ms[0].Reason != misfit) {
		t.Errorf("misfits = %+v, want one for %s", ms, misfit)
	}
	if w.sku("LJ").Stock != 4 {
		t.Error("a forged message moved stock")
	}
	w.pays(p.OutTradeNo) // the honest one still counts
	later(time.Second)
	w.wantState(o.No, models.Paid)
	code := w.api("POST", "notifications/forge", map[string]string{"out_trade_no": p.OutTradeNo, "kind": "replayed"}, &got)
	if code != 200 || !got.Acknowledged {
		t.Errorf("a replay = %d, acknowledged %v, want true", code, got.Acknowledged)
	}
	w.wantEvents(o.No, "paid", 1)
}

// P6, P7: one field wrong at a time, through the one door. Deleting a line of
// compare turns its row red.
func TestSettleCompares(t *testing.T) {
	tests := []struct {
		name   string
		change func(*wxpay.Transaction)
		reason string
	}{
		{"one fen less", func(x *wxpay.Transaction) { x.Total-- }, "amount"},
		{"one fen more", func(x *wxpay.Transaction) { x.Total++ }, "amount"},
		{"a hundred times", func(x *wxpay.Transaction) { x.Total *= 100 }, "amount"},
		{"unreadable", func(x *wxpay.Transaction) { x.Total = -1 }, "amount"},
		{"dollars", func(x *wxpay.Transaction) { x.Currency = "USD" }, "currency"},
		{"another app", func(x *wxpay.Transaction) { x.AppID = "wx0000000000000009" }, "appid"},
		{"another merchant", func(x *wxpay.Transaction) { x.MchID = "1900000009" }, "mchid"},
		{"another payer", func(x *wxpay.Transaction) { x.OpenID = "oSomebodyElse" }, "openid"},
		{"another channel", func(x *wxpay.Transaction) { x.TradeType = wxpay.Native }, "trade_type"},
		{"no transaction", func(x *wxpay.Transaction) { x.TransactionID = "" }, "transaction"},
		{"a number that is not ours", func(x *wxpay.Transaction) { x.OutTradeNo = "P261119XXXXXXXXXXXXXXXX" }, "unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				o, p := w.buys()
				x := w.honest(p)
				tt.change(&x)
				out, err := w.svc.Settle(t.Context(), x, "notify", nil)
				if err != nil || out != models.OutcomeMisfit {
					t.Fatalf("Settle = %q, %v, want misfit", out, err)
				}
				w.wantState(o.No, models.Unpaid)
				ms, err := w.store.Misfits(t.Context(), true, 0, 10)
				if err != nil || len(ms) != 1 || ms[0].Reason != tt.reason {
					t.Errorf("misfits = %+v, %v, want one for %s", ms, err, tt.reason)
				}
				if w.counted("misfit."+tt.reason) != 1 {
					t.Error("no alert was counted")
				}
			})
		})
	}
}

// P3: an order placed with HMAC-SHA256 is not settled by MD5.
func TestSettleRefusesWeakerSignature(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o, p := w.buys()
		x := w.honest(p)
		x.SignType = wxpay.MD5
		if out, err := w.svc.Settle(t.Context(), x, "notify", nil); err == nil {
			t.Fatalf("Settle = %q, want an error", out)
		}
		w.wantState(o.No, models.Unpaid)
	})
}

// A state that is not "paid" never settles, whoever says it.
func TestSettleNeedsPaid(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o, p := w.buys()
		for _, st := range []wxpay.TradeState{"", wxpay.NotPay, wxpay.Closed, wxpay.UserPaying, wxpay.PayError, "success"} {
			x := w.honest(p)
			x.State = st
			if out, err := w.svc.Settle(t.Context(), x, "query", nil); err == nil {
				t.Errorf("Settle of %q = %q, want an error", st, out)
			}
		}
		w.wantState(o.No, models.Unpaid)
	})
}

// P8: attach chooses nothing.
func TestAttachChoosesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, _ := w.buys()
		b, pb := w.buys(models.Line{SKUID: w.sku("ML").ID, Qty: 1})
		x := w.honest(pb)
		x.Attach = a.No
		if _, err := w.svc.Settle(t.Context(), x, "notify", nil); err != nil {
			t.Fatal(err)
		}
		w.wantState(a.No, models.Unpaid)
		w.wantState(b.No, models.Paid)
	})
}

// One attempt, two transactions: the first counts, the second is for a person.
func TestSecondTransaction(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o, p := w.buys()
		x := w.honest(p)
		if _, err := w.svc.Settle(t.Context(), x, "notify", nil); err != nil {
			t.Fatal(err)
		}
		x.TransactionID = "4200000000202611190000000002"
		out, err := w.svc.Settle(t.Context(), x, "notify", nil)
		if err != nil || out != models.OutcomeMisfit {
			t.Errorf("Settle of another transaction = %q, %v, want misfit", out, err)
		}
		w.wantState(o.No, models.Paid)
		w.wantEvents(o.No, "paid", 1)
	})
}

// P26: when the database cannot store it, WeChat is asked to send it again.
func TestNotifyNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 19, 12, 0, 0, 0, time.UTC)))
		w := newWorld(t)
		defer w.close()
		o, p := w.buys()
		var mu sync.Mutex
		var body []byte
		w.setNotify(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				body = readAll(r)
				w.store.Close()
				reply := w.svc.Notify(r.Context(), wxpay.V2, r.Header, body)
				if strings.Contains(string(reply.Body), "SUCCESS") {
					t.Errorf("acknowledged what was not stored: %s", reply.Body)
				}
				rw.WriteHeader(reply.Status)
				rw.Write(reply.Body)
			})
		})
		w.run()
		w.pays(p.OutTradeNo)
		later(time.Second)
		if body == nil {
			t.Fatal("no notification came")
		}
		w.setNotify(nil)
		w.restart()
		later(20 * time.Second) // the first retry
		w.wantState(o.No, models.Paid)
		w.wantEvents(o.No, "paid", 1)
	})
}

// acknowledged reads an answer as WeChat does: in v2 the words count, in v3 the
// status.
func acknowledged(v wxpay.Version, r wxpay.Reply) bool {
	if v == wxpay.V3 {
		return r.Status >= 200 && r.Status < 300
	}
	return r.Status == 200 && strings.Contains(string(r.Body), "SUCCESS")
}

// honest is the payment of p as WeChat would tell it.
func (w *world) honest(p *models.Payment) wxpay.Transaction {
	return wxpay.Transaction{
		Version: wxpay.Version(p.API), State: wxpay.Success, AppID: p.AppID, MchID: p.MchID, OutTradeNo: p.OutTradeNo,
		TransactionID: fmt.Sprintf("42000000002026111900000%05d", p.ID), TradeType: wxpay.JSAPI, OpenID: p.OpenID,
		Total: int64(p.Total), Cash: int64(p.Total), Currency: "CNY", PaidAt: time.Now(), SignType: wxpay.SignType(p.SignType),
	}
}
