package models

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// ledger is a plain model of the shop, to be compared with the database after
// every act of a random history.
type ledger struct {
	s      *Store
	user   int64
	start  int64
	orders []*entry
	txn    int
}

type entry struct {
	id     int64
	qty    int64
	total  Fen
	state  State
	why    CloseReason
	pays   []*Payment
	taken  map[string]string // out_trade_no → transaction
	refund Fen
}

const ledgerStock = 6

// P13: stock = start − sold through any history of ordering, closing, paying,
// late paying and reviving; and every fen that came in is goods or a refund.
func TestStockAndMoneyAreConserved(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		path := emptyFile(t)
		s, err := Open(t.Context(), Config{Driver: "sqlite", DSN: path}, Options{})
		if err != nil {
			r.Fatal(err)
		}
		defer s.Close()
		if _, err := s.SeedIfEmpty(t.Context(), sampleSeed(ledgerStock)); err != nil {
			r.Fatal(err)
		}
		l := &ledger{s: s, user: 1, start: ledgerStock}
		r.Repeat(map[string]func(*rapid.T){
			"order":   func(r *rapid.T) { l.order(t, r) },
			"close":   func(r *rapid.T) { l.close(t, r) },
			"pay":     func(r *rapid.T) { l.pay(t, r) },
			"attempt": func(r *rapid.T) { l.attempt(t, r) },
			"":        func(r *rapid.T) { l.check(t, r) },
		})
	})
}

func (l *ledger) left() int64 {
	left := l.start
	for _, e := range l.orders {
		if e.state != Closed {
			left -= e.qty
		}
	}
	return left
}

func (l *ledger) order(t *testing.T, r *rapid.T) {
	qty := rapid.Int64Range(1, 4).Draw(r, "qty")
	o, p, _, err := l.s.CreateOrder(t.Context(), checkout(l.user, fmt.Sprint("t", len(l.orders), l.txn), Line{1, qty}))
	if fits := qty <= l.left(); (err == nil) != fits {
		r.Fatalf("order of %d with %d left: %v", qty, l.left(), err)
	}
	if err == nil {
		l.orders = append(l.orders, &entry{id: o.ID, qty: qty, total: o.Total, state: Unpaid, pays: []*Payment{p}, taken: map[string]string{}})
	}
	l.txn++
}

func (l *ledger) draw(r *rapid.T) *entry {
	if len(l.orders) == 0 {
		r.Skip("no order yet")
	}
	return l.orders[rapid.IntRange(0, len(l.orders)-1).Draw(r, "order")]
}

func (l *ledger) close(t *testing.T, r *rapid.T) {
	e := l.draw(r)
	why := rapid.SampledFrom([]CloseReason{ByTimeout, ByShopper, ByMerchant}).Draw(r, "why")
	err := l.s.CloseOrder(t.Context(), e.id, why, "test", "")
	if (err == nil) != (e.state == Unpaid) {
		r.Fatalf("close of an order that is %s: %v", e.state, err)
	}
	if err == nil {
		e.state, e.why = Closed, why
	}
}

// attempt ends the open attempt and makes another, as a change of channel does.
func (l *ledger) attempt(t *testing.T, r *rapid.T) {
	e := l.draw(r)
	if e.state != Unpaid {
		r.Skip("not unpaid")
	}
	last := e.pays[len(e.pays)-1]
	if err := l.s.EndPayment(t.Context(), last.ID, PayClosed, "test", "", nil); err != nil {
		r.Fatal(err)
	}
	p, err := l.s.OpenPayment(t.Context(), e.id, *wechatPay())
	if err != nil {
		r.Fatal(err)
	}
	e.pays = append(e.pays, p)
}

func (l *ledger) pay(t *testing.T, r *rapid.T) {
	e := l.draw(r)
	p := e.pays[rapid.IntRange(0, len(e.pays)-1).Draw(r, "attempt")]
	id, want := e.taken[p.OutTradeNo], OutcomeRepeated
	if id == "" {
		l.txn++
		id = fmt.Sprint("42", l.txn)
		switch {
		case e.state == Unpaid:
			want = OutcomePaid
		case e.state == Closed && e.why == ByTimeout && e.qty <= l.left():
			want = OutcomeRevived
		case e.state == Closed:
			want = OutcomeLate
		default:
			want = OutcomeDouble
		}
	}
	got, _, err := l.s.ApplyPaid(t.Context(), pays(p, id))
	if err != nil || got != want {
		r.Fatalf("paying an order that is %s (%s): %s, want %s (%v)", e.state, e.why, got, want, err)
	}
	e.taken[p.OutTradeNo] = id
	switch want {
	case OutcomePaid, OutcomeRevived:
		e.state = Paid
	case OutcomeLate, OutcomeDouble:
		e.refund += e.total
	}
}

func (l *ledger) check(t *testing.T, r *rapid.T) {
	if got := stockOf(t, l.s, 1); got != l.left() || got < 0 {
		r.Fatalf("stock %d, want %d", got, l.left())
	}
	sold := count(t, l.s, `SELECT coalesce(sum(i.qty), 0) FROM order_items i JOIN orders o ON o.id = i.order_id WHERE o.state <> 'closed'`)
	if sold != l.start-l.left() {
		r.Fatalf("sold %d, stock taken %d", sold, l.start-l.left())
	}
	in := count(t, l.s, `SELECT coalesce(sum(total), 0) FROM payments WHERE state = 'paid'`)
	goods := count(t, l.s, `SELECT coalesce(sum(total), 0) FROM orders WHERE state IN ('paid', 'shipped', 'done')`)
	back := count(t, l.s, `SELECT coalesce(sum(amount), 0) FROM refunds`)
	var want Fen
	for _, e := range l.orders {
		want += e.refund
	}
	if in != goods+back || back != int64(want) {
		r.Fatalf("%d came in, %d is for goods, %d goes back (model: %d)", in, goods, back, want)
	}
	if n := count(t, l.s, `SELECT count(*) FROM (SELECT state, count(*) AS n FROM orders GROUP BY state EXCEPT SELECT state, n FROM order_counts)`); n != 0 {
		r.Fatal("the kept counts of states are wrong")
	}
	if n := count(t, l.s, `SELECT count(*) FROM (SELECT order_id FROM payments WHERE live_order_id IS NOT NULL GROUP BY order_id HAVING count(*) > 1)`); n != 0 {
		r.Fatal("two attempts of one order are live")
	}
	if found := audited(t, l.s); len(found) != 0 { // D8: what the shop does by itself is no violation
		r.Fatalf("the audit finds %v", found)
	}
}
