package models

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestOpenPayment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, u := shop(t, 50, Options{})
		ctx := t.Context()
		n := checkout(u.ID, "a", Line{1, 1})
		n.Payment = nil
		o, p := place(t, s, n)
		if p != nil {
			t.Errorf("attempt %+v", p)
		}
		if _, err := s.LivePayment(ctx, o.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("live: %v", err)
		}
		p, err := s.OpenPayment(ctx, o.ID, *wechatPay())
		if err != nil || p.State != PayCreated || p.Total != o.Total || p.ExpireAt != o.ExpiresAt || p.Description != "云间茶铺 1 件" {
			t.Fatalf("%+v %v", p, err)
		}
		again, err := s.OpenPayment(ctx, o.ID, *wechatPay())
		if err != nil || again.ID != p.ID || again.Description != p.Description {
			t.Errorf("the same: %+v %v", again, err)
		}
		for _, change := range []func(*NewPayment){
			func(n *NewPayment) { n.API = "v3" }, func(n *NewPayment) { n.Channel = "NATIVE" }, func(n *NewPayment) { n.AppID = "wx2" },
			func(n *NewPayment) { n.MchID = "2" }, func(n *NewPayment) { n.OpenID = "o-other" },
		} {
			n := wechatPay()
			change(n)
			if live, err := s.OpenPayment(ctx, o.ID, *n); !errors.Is(err, ErrLive) || live == nil || live.ID != p.ID {
				t.Errorf("another kind: %+v %v", live, err)
			}
		}
		if n := count(t, s, `SELECT count(*) FROM payments`); n != 1 {
			t.Errorf("%d attempts", n)
		}
		if _, err := s.OpenPayment(ctx, 99, *wechatPay()); !errors.Is(err, ErrNotFound) {
			t.Errorf("unknown order: %v", err)
		}
	})
}

// A new attempt with little time left extends the deadline, once: WeChat wants
// five minutes.
func TestOpenPaymentExtendsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, u := shop(t, 50, Options{})
		ctx := t.Context()
		o, p := place(t, s, checkout(u.ID, "a", Line{1, 1}))
		end := func(p *Payment) {
			t.Helper()
			if err := s.EndPayment(ctx, p.ID, PayClosed, "shopper", "", nil); err != nil {
				t.Fatal(err)
			}
		}
		end(p)
		time.Sleep(26 * time.Minute)
		p, err := s.OpenPayment(ctx, o.ID, *wechatPay())
		want := At(time.Now().Add(6 * time.Minute))
		if err != nil || p.ExpireAt != want {
			t.Fatalf("expires %v, want %v (%v)", p.ExpireAt, want, err)
		}
		if o, _ = s.OrderByID(ctx, o.ID); o.ExpiresAt != want || !o.Extended {
			t.Errorf("order %+v", o)
		}
		end(p)
		time.Sleep(2 * time.Minute)
		if _, err := s.OpenPayment(ctx, o.ID, *wechatPay()); !errors.Is(err, ErrExpired) {
			t.Errorf("a second extension: %v", err)
		}
		time.Sleep(4 * time.Minute)
		if _, err := s.OpenPayment(ctx, o.ID, *wechatPay()); !errors.Is(err, ErrExpired) {
			t.Errorf("past the deadline: %v", err)
		}
		due, err := s.DueOrders(ctx, time.Now().Add(time.Millisecond), 0, 10)
		if err != nil || len(due) != 1 || due[0].ID != o.ID {
			t.Errorf("due %+v %v", due, err)
		}
		if err := s.CloseOrder(ctx, o.ID, ByTimeout, "loop", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := s.OpenPayment(ctx, o.ID, *wechatPay()); !errors.Is(err, ErrBadMove) {
			t.Errorf("closed order: %v", err)
		}
	})
}

func TestMarkPrepaid(t *testing.T) {
	s, u := shop(t, 50, Options{})
	ctx := t.Context()
	_, p := place(t, s, checkout(u.ID, "a", Line{1, 1}))
	until := time.Now().Add(2 * time.Hour)
	msg := []Message{{OutTradeNo: p.OutTradeNo, Op: "prepay", Direction: "out"}}
	for _, id := range []string{"wx1", "wx2"} {
		if err := s.MarkPrepaid(ctx, p.ID, Prepay{ID: id, Until: until}, msg); err != nil {
			t.Fatal(err)
		}
		if got, _ := s.Payment(ctx, p.OutTradeNo); got.State != PayPrepaid || got.PrepayID != id || got.PrepayUntil != At(until) || got.LiveOrderID == nil {
			t.Errorf("%+v", got)
		}
	}
	if n := count(t, s, `SELECT count(*) FROM events WHERE kind = 'prepay'`); n != 1 {
		t.Errorf("%d events", n)
	}
	if err := s.EndPayment(ctx, p.ID, PayClosed, "loop", "", msg); err != nil {
		t.Fatal(err)
	}
	if err := s.EndPayment(ctx, p.ID, PayFailed, "loop", "", nil); err != nil {
		t.Errorf("ended already: %v", err)
	}
	if err := s.EndPayment(ctx, p.ID, PayPaid, "loop", "", nil); !errors.Is(err, ErrBadMove) {
		t.Errorf("paid through the back door: %v", err)
	}
	if err := s.MarkPrepaid(ctx, p.ID, Prepay{ID: "wx3", Until: until}, msg); !errors.Is(err, ErrStale) {
		t.Errorf("after the end: %v", err)
	}
	if err := s.MarkPrepaid(ctx, 99, Prepay{ID: "wx3", Until: until}, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	if n := count(t, s, `SELECT count(*) FROM messages`); n != 3 {
		t.Errorf("%d messages", n)
	}
}

// P28, D3: which attempts are asked about, and when.
func TestDueQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, u := shop(t, 50, Options{})
		ctx := t.Context()
		var ps []*Payment
		for i := range 4 {
			_, p := place(t, s, checkout(u.ID, fmt.Sprint(i), Line{1, 1}))
			ps = append(ps, p)
		}
		due := func() int {
			t.Helper()
			ps, err := s.DueQueries(ctx, 10)
			if err != nil {
				t.Fatal(err)
			}
			return len(ps)
		}
		if n := due(); n != 0 {
			t.Errorf("%d due at once", n)
		}
		time.Sleep(time.Minute)
		if n := due(); n != 4 {
			t.Errorf("%d due after a minute", n)
		}
		apply(t, s, pays(ps[0], "1"), OutcomePaid)
		if err := s.EndPayment(ctx, ps[1].ID, PayClosed, "loop", "", nil); err != nil {
			t.Fatal(err)
		}
		msg := []Message{{OutTradeNo: ps[2].OutTradeNo, Op: "query"}}
		if err := s.Postpone(ctx, ps[2].ID, time.Now().Add(time.Hour), "NOTPAY", msg); err != nil {
			t.Fatal(err)
		}
		if err := s.Postpone(ctx, ps[1].ID, time.Now(), "late word", nil); err != nil {
			t.Errorf("an ended attempt: %v", err)
		}
		if n := due(); n != 1 {
			t.Errorf("%d due", n)
		}
		if p, _ := s.Payment(ctx, ps[2].OutTradeNo); p.Queries != 1 || p.LastError != "NOTPAY" {
			t.Errorf("%+v", p)
		}
		if n, err := s.WakeQueries(ctx); err != nil || n != 1 {
			t.Errorf("%d woken, %v", n, err)
		}
		if n := due(); n != 2 {
			t.Errorf("%d due after waking", n)
		}
	})
}

// A long error does not keep an attempt from being asked about or ended: a
// server would refuse the text, and the step with it.
func TestLongErrorIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, u := shop(t, 50, Options{})
		_, p := place(t, s, checkout(u.ID, "a", Line{1, 1}))
		long := strings.Repeat("证书", 500)
		if err := s.Postpone(t.Context(), p.ID, time.Now().Add(time.Hour), long, nil); err != nil {
			t.Fatal(err)
		}
		got, err := s.Payment(t.Context(), p.OutTradeNo)
		if err != nil || len(got.LastError) > 1024 || !strings.HasPrefix(long, got.LastError) || len(got.LastError) < 1000 {
			t.Errorf("%d bytes of the error are kept, %v", len(got.LastError), err)
		}
		if err := s.EndPayment(t.Context(), p.ID, PayFailed, "system", long, nil); err != nil {
			t.Fatal(err)
		}
		if got, err = s.Payment(t.Context(), p.OutTradeNo); err != nil || got.State != PayFailed || len(got.LastError) > 1024 {
			t.Errorf("%s with %d bytes of the error, %v", got.State, len(got.LastError), err)
		}
	})
}
