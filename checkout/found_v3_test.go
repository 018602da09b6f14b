package checkout_test

import (
	"context"
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

// service is another process on the same database, with gateways of its own.
func (w *world) service(c checkout.Config, gates map[wxpay.Version]wxpay.Gateway) *checkout.Service {
	id := w.sim.Identity()
	if c.MchID == "" {
		c.MchID = id.MchID
	}
	c.AppID, c.SignType, c.NotifyBase = id.AppID, wxpay.HMACSHA256, "http://shop"
	return checkout.New(c, checkout.Options{Store: w.store, Gateways: gates, Log: discard})
}

// A payment to check under a number of v2 is not promised back when v2 is gone:
// nobody would keep the promise, and the shop would not start again.
func TestFoundMisfitWithoutKeys(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		_, p := w.buys()
		x := w.honest(p)
		x.Total++
		if out, err := w.svc.Settle(t.Context(), x, "query", nil); err != nil || out != models.OutcomeMisfit {
			t.Fatalf("Settle = %q, %v", out, err)
		}
		w.onto(wxpay.V3)
		w.stop()
		if err := w.store.EndPayment(t.Context(), p.ID, models.PayClosed, "query", "", nil); err != nil {
			t.Fatal(err)
		}
		gates := w.gateways(discard)
		delete(gates, wxpay.V2)
		svc := w.service(checkout.Config{API: wxpay.V3}, gates)
		ms, err := w.store.Misfits(t.Context(), true, 0, 10)
		if err != nil || len(ms) != 1 {
			t.Fatalf("misfits = %+v, %v", ms, err)
		}
		if _, err := svc.RefundMisfit(t.Context(), ms[0].ID, "staff:owner", "不对"); !errors.Is(err, checkout.ErrNoGateway) {
			t.Errorf("RefundMisfit = %v, want ErrNoGateway", err)
		}
		if n, err := w.store.OpenMisfits(t.Context()); err != nil || n != 1 {
			t.Errorf("%d payments to check, %v, want 1", n, err)
		}
		if rs, err := w.store.Refunds(t.Context(), false, 0, 10); err != nil || len(rs) != 0 {
			t.Errorf("a promise that nobody can keep: %+v, %v", rs, err)
		}
	})
}

// The shop moved to another merchant: that one's "no such order" says nothing
// about a payment to the merchant of before, and must not close it.
func TestFoundAnotherMerchant(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.stop()
		paid := w.paidOrderAsked()
		o, _ := w.buys()
		svc := w.service(checkout.Config{API: wxpay.V2, MchID: "1900009999"}, map[wxpay.Version]wxpay.Gateway{wxpay.V2: forgetful{w.gw}})
		if err := svc.Cancel(t.Context(), w.user.ID, o.No); !errors.Is(err, checkout.ErrNoGateway) || !wxpay.IsUnknown(err) {
			t.Errorf("Cancel = %v, want ErrNoGateway and unknown", err)
		}
		time.Sleep(2 * time.Hour)
		svc.ChaseOnce(t.Context())
		svc.ExpireOnce(t.Context())
		w.wantState(o.No, models.Unpaid)
		_, _, err := svc.Refund(t.Context(), checkout.RefundRequest{No: paid.No, Amount: 100, Token: "r", Actor: "staff:owner"})
		if !errors.Is(err, checkout.ErrNoGateway) {
			t.Errorf("Refund = %v, want ErrNoGateway", err)
		}
		for range 3 { // and the goods do not wait for it for ever
			time.Sleep(12 * time.Hour)
			svc.ChaseOnce(t.Context())
			svc.ExpireOnce(t.Context())
		}
		w.wantState(o.No, models.Closed)
		w.wantState(paid.No, models.Paid)
	})
}

func (w *world) paidOrderAsked() *models.Order {
	w.t.Helper()
	o, _ := w.buysAndPays(true)
	return w.wantState(o.No, models.Paid)
}

// forgetful is a merchant that has none of our orders.
type forgetful struct{ wxpay.Gateway }

func (forgetful) Query(context.Context, wxpay.Ref) (wxpay.Transaction, error) {
	return wxpay.Transaction{}, &wxpay.Error{Op: "orderquery", HTTPStatus: 200, Code: "ORDERNOTEXIST"}
}

func (forgetful) Close(context.Context, wxpay.Ref) error {
	return &wxpay.Error{Op: "closeorder", HTTPStatus: 200, Code: "ORDERNOTEXIST"}
}

// billed gives bills of its own.
type billed struct {
	wxpay.Gateway
	text string
	err  error
}

func (b billed) Bill(context.Context, wxpay.BillRequest) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(b.text)), b.err
}

// "No bill" before there can be one means "not yet": believed, the day would
// count as compared, and be compared no more.
func TestFoundNoBillTooEarly(t *testing.T) {
	stillBubble(t, func(t *testing.T, w *world) {
		_, p := w.buysAndPays(true)
		none := billed{w.gw, "", &wxpay.Error{Op: "downloadbill", HTTPStatus: 200, Code: "20002", Message: "No Bill Exist"}}
		svc := w.service(checkout.Config{API: wxpay.V2}, map[wxpay.Version]wxpay.Gateway{wxpay.V2: none})
		for _, hour := range []int{0, 9} { // the same day, and the next morning
			if hour > 0 {
				at(1, hour, 59, 59)
			}
			day, _ := checkout.ParseDay("2026-11-19")
			if _, err := svc.Reconcile(t.Context(), day); !errors.Is(err, checkout.ErrBillWaits) {
				t.Errorf("at %s: %v, want ErrBillWaits", time.Now().In(cst), err)
			}
			w.wantDiffs("2026-11-19")
		}
		time.Sleep(time.Hour)
		if err := w.svc.ReconcileOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d, err := w.store.BillDay(t.Context(), "2026-11-19"); err != nil || d.State != models.BillDone || d.Payments != 1 {
			t.Errorf("after ten, with %s: %+v, %v", p.OutTradeNo, d, err)
		}
	})
}

// Money without a number of the merchant's is money all the same: each line of
// it is a difference, and none is "twice".
func TestFoundLinesWithoutNumber(t *testing.T) {
	stillBubble(t, func(t *testing.T, w *world) {
		const bill = "交易时间,微信订单号,商户订单号,交易状态,微信退款单号,商户退款单号,退款金额,退款状态,订单金额,申请退款金额\r\n" +
			"`2026-11-18 14:00:00,`4200000001202611180000000001,`,`SUCCESS,`0,`0,`0.00,`,`1.00,`0.00\r\n" +
			"`2026-11-18 14:00:01,`4200000001202611180000000002,`,`SUCCESS,`0,`0,`0.00,`,`2.00,`0.00\r\n" +
			"总交易单数,退款总金额,订单总金额\r\n`2,`0.00,`3.00\r\n"
		svc := w.service(checkout.Config{API: wxpay.V2}, map[wxpay.Version]wxpay.Gateway{wxpay.V2: billed{w.gw, bill, nil}})
		day, _ := checkout.ParseDay("2026-11-18")
		at(0, 23, 0, 0)
		if _, err := svc.Reconcile(t.Context(), day); err != nil {
			t.Fatal(err)
		}
		w.wantDiffs("2026-11-18", "unknown 4200000001202611180000000001", "unknown 4200000001202611180000000002")
	})
}

// Who decides to give back what a bill says does not decide about another
// amount, which may be beyond what this person may.
func TestFoundRefundOfAnotherAmount(t *testing.T) {
	stillBubble(t, func(t *testing.T, w *world) {
		o, p := w.buysAndPays(false)
		foreign := w.foreign(50000)
		const head = "交易时间,微信订单号,商户订单号,交易状态,微信退款单号,商户退款单号,退款金额,退款状态,订单金额,申请退款金额\r\n"
		line := func(no string) string {
			return "`2026-11-19 21:00:00,`" + *w.atWeChat(no).TransactionID + ",`" + no + ",`SUCCESS,`0,`0,`0.00,`,`1.00,`0.00\r\n"
		}
		bill := head + line(p.OutTradeNo) + line(foreign) + "总交易单数\r\n`2\r\n"
		svc := w.service(checkout.Config{API: wxpay.V2}, map[wxpay.Version]wxpay.Gateway{wxpay.V2: billed{w.gw, bill, nil}})
		at(1, 10, 0, 0)
		day, _ := checkout.ParseDay("2026-11-19")
		if _, err := svc.Reconcile(t.Context(), day); err != nil {
			t.Fatal(err)
		}
		ds := w.diffRows("2026-11-19", false)
		if len(ds) != 2 {
			t.Fatalf("differences = %+v", ds)
		}
		for _, d := range ds {
			if r, err := svc.RefundDifference(t.Context(), d.ID, "staff:mei", "退", 100); !errors.Is(err, models.ErrStale) {
				t.Errorf("%s: RefundDifference = %+v, %v, want ErrStale", d.Kind, r, err)
			}
		}
		w.wantState(o.No, models.Paid) // it was settled all the same
		if rs, err := w.store.Refunds(t.Context(), false, 0, 10); err != nil || len(rs) != 0 {
			t.Errorf("given back: %+v, %v", rs, err)
		}
	})
}

// A refund that WeChat refused, and takes on when it is asked again: what it
// said is kept at once, and no step fails.
func TestFoundRefusedRefundTakenOn(t *testing.T) {
	inBubbleOf(t, wxpay.V3, func(t *testing.T, w *world) {
		o := w.paidOrder()
		w.stop()
		w.setFault(func(path string) http.HandlerFunc {
			if !isCall(path, callRefund) {
				return nil
			}
			return func(rw http.ResponseWriter, _ *http.Request) {
				rw.WriteHeader(http.StatusForbidden)
				rw.Write([]byte(`{"code":"RULE_LIMIT","message":"业务规则限制"}`))
			}
		})
		r, err := w.refunds(o, o.Total, "back")
		if err != nil || r.State != models.RefundAbnormal {
			t.Fatalf("refused: %+v, %v", r, err)
		}
		w.setFault(nil)
		time.Sleep(7 * time.Hour)
		if err := w.svc.RefundOnce(t.Context()); err != nil {
			t.Errorf("asked again: %v", err)
		}
		if r, err = w.store.Refund(t.Context(), r.OutRefundNo); err != nil || r.RefundID == "" || r.LastError != "" {
			t.Errorf("what WeChat said is not kept: %+v, %v", r, err)
		}
		time.Sleep(time.Hour)
		if err := w.svc.RefundOnce(t.Context()); err != nil {
			t.Errorf("asked how it went: %v", err)
		}
		w.wantRefund(r.OutRefundNo, models.RefundSucceeded)
		if got := w.atWeChat(r.OutTradeNo).refunded(); got != int64(o.Total) {
			t.Errorf("WeChat gave back %d, want %d", got, o.Total)
		}
	})
}

// A refund that WeChat leaves to the merchant to make another way is not asked
// for again: the money would go twice.
func TestFoundRefundAnotherWay(t *testing.T) {
	for _, code := range []string{"USER_ACCOUNT_ABNORMAL", "TRADE_OVERDUE"} {
		inBubbleOf(t, wxpay.V3, func(t *testing.T, w *world) {
			o := w.paidOrder()
			w.stop()
			w.setFault(func(path string) http.HandlerFunc {
				if !isCall(path, callRefund) {
					return nil
				}
				return func(rw http.ResponseWriter, _ *http.Request) {
					rw.WriteHeader(http.StatusForbidden)
					rw.Write([]byte(`{"code":"` + code + `","message":"退款请求失败"}`))
				}
			})
			r, err := w.refunds(o, o.Total, "back")
			if err != nil || r.State != models.RefundAbnormal {
				t.Fatalf("%s: %+v, %v", code, r, err)
			}
			w.setFault(nil) // the payer's account is back; the merchant has paid by bank meanwhile
			for range 5 {
				time.Sleep(day)
				if err := w.svc.RefundOnce(t.Context()); err != nil {
					t.Error(err)
				}
			}
			w.wantRefund(r.OutRefundNo, models.RefundAbnormal)
			if got := w.atWeChat(r.OutTradeNo).refunded(); got != 0 {
				t.Errorf("%s: WeChat gave back %d as well", code, got)
			}
		})
	}
}

// A refund whose keys are gone is one that WeChat has not answered about, for
// whoever asks; not an error of the shop.
func TestFoundRefundWithoutKeys(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o := w.paidOrder()
		w.stop()
		w.setFault(func(path string) http.HandlerFunc {
			if !isCall(path, callRefund) {
				return nil
			}
			return func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		})
		r, err := w.refunds(o, o.Total, "back")
		if err != nil || r.State != models.RefundPending {
			t.Fatalf("unanswered: %+v, %v", r, err)
		}
		time.Sleep(time.Hour)
		svc := w.service(checkout.Config{API: wxpay.V3}, map[wxpay.Version]wxpay.Gateway{})
		if err := svc.RefundOnce(t.Context()); !errors.Is(err, checkout.ErrNoGateway) || !wxpay.IsUnknown(err) {
			t.Errorf("RefundOnce = %v, want ErrNoGateway and unknown", err)
		}
		w.wantRefund(r.OutRefundNo, models.RefundPending)
	})
}

// Money that was given back on WeChat's own pages before we ever heard of it
// hands no goods over: it is looked at, and the order ends unpaid.
func TestFoundRefundedBeforeHeardOf(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.stop()
		o, p := w.buys()
		w.setNotify(func(http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) })
		})
		if code := w.pays(p.OutTradeNo); code != http.StatusOK {
			t.Fatalf("paying = %d", code)
		}
		if _, err := w.gw.Refund(t.Context(), wxpay.RefundOrder{
			OutTradeNo: p.OutTradeNo, OutRefundNo: "BYHAND0001", Total: int64(p.Total), Amount: int64(p.Total), NotifyURL: "http://shop/notify/v2/refund",
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour)
		for range 3 {
			w.svc.ChaseOnce(t.Context())
			w.svc.ExpireOnce(t.Context())
			time.Sleep(12 * time.Hour)
		}
		w.wantEvents(o.No, "paid", 0)
		w.wantState(o.No, models.Closed)
		if d := w.dossier(o.No); len(d.Misfits) != 1 || d.Misfits[0].Reason != "refunded" {
			t.Errorf("payments to check: %+v", d.Misfits)
		}
	})
}
