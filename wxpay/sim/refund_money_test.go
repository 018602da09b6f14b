package sim

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// till is a simulator under a random history of money.
type till struct {
	w       *world
	o       Options
	start   int64 // in all wallets
	orders  []string
	desks   []string
	refunds map[string]string // out_refund_no to out_trade_no
	n       int
}

func (m *till) next(prefix string) string {
	m.n++
	return fmt.Sprintf("%s%06d", prefix, m.n)
}

func wallets(w *world) int64 {
	var sum int64
	for _, u := range w.sim.people() {
		sum += u.Balance
	}
	return sum
}

// Whatever happens, in whatever order, with restarts in between: no order
// gives back more than was paid, and the money of payers and merchant together
// stays what it was.
func TestMoneyIsConserved(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp("", "sim")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		o := Options{Data: dir}
		m := &till{w: newWorld(t, o), o: o, refunds: map[string]string{}}
		defer func() { m.w.sim.Close() }()
		m.start = wallets(m.w)
		r.Repeat(map[string]func(*rapid.T){
			"order":   m.order,
			"pay":     m.pay,
			"desk":    m.desk,
			"answer":  m.answer,
			"refund":  m.refund,
			"again":   m.again,
			"decide":  m.decide,
			"reverse": m.reverse,
			"close":   m.close,
			"wait":    m.wait,
			"restart": func(*rapid.T) { m.w = m.w.reopen(o) },
			"":        m.check,
		})
	})
}

func (m *till) order(r *rapid.T) {
	no := m.next("order")
	m.w.call("/pay/unifiedorder", m.w.orderFields(no, "total_fee", strconv.Itoa(rapid.IntRange(1, 200_000).Draw(r, "fen")), "trade_type", "NATIVE", "openid", "-"), "")
	m.orders = append(m.orders, no)
}

func (m *till) one(r *rapid.T, of []string) string {
	if len(of) == 0 {
		r.Skip("nothing yet")
	}
	return rapid.SampledFrom(of).Draw(r, "which")
}

func (m *till) pay(r *rapid.T) {
	no := m.one(r, m.orders)
	m.w.do("POST", "/_sim/api/transactions/"+no+"/pay", `{"openid":"`+m.w.openID(rapid.IntRange(1, 3).Draw(r, "who"))+`"}`)
}

func (m *till) desk(r *rapid.T) {
	no := m.next("desk0")
	fen := rapid.SampledFrom([]string{"1", "888", "100000", "100001", "999999"}).Draw(r, "fen")
	m.w.call("/pay/micropay", m.w.deskFields(no, m.w.code(rapid.IntRange(1, 3).Draw(r, "who")).Paycode, "total_fee", fen), "")
	m.desks = append(m.desks, no)
}

func (m *till) answer(r *rapid.T) {
	outcome := rapid.SampledFrom(outcomeNames()).Draw(r, "outcome")
	m.w.do("POST", "/_sim/api/transactions/"+m.one(r, m.desks)+"/pay", `{"outcome":"`+outcome+`"}`)
}

func (m *till) refund(r *rapid.T) {
	no := m.one(r, append(append([]string{}, m.orders...), m.desks...))
	total := m.w.sim.ledger.orders[no]
	if total == nil {
		r.Skip("was never placed")
	}
	refund := m.next("R")
	fen := rapid.Int64Range(1, total.Total+1).Draw(r, "fen")
	if rapid.Bool().Draw(r, "the rest") && total.Total > total.refunded() {
		fen = total.Total - total.refunded()
	}
	m.call(refund, no, fen)
	m.refunds[refund] = no
}

func (m *till) call(refund, no string, fen int64) string {
	o := m.w.sim.ledger.orders[no]
	return m.w.call("/secapi/pay/refund", m.w.refundFields(no, refund, strconv.FormatInt(fen, 10), "total_fee", strconv.FormatInt(o.Total, 10)), "")
}

// again repeats a refund: the same answer, no second effect.
func (m *till) again(r *rapid.T) {
	no := m.oneRefund(r)
	known := m.w.sim.ledger.refunds[no]
	if known == nil {
		r.Skip("was refused")
	}
	if got := m.call(no, m.refunds[no], known.Amount); !strings.Contains(got, known.RefundID) {
		r.Fatalf("refund %s again: %s", no, got)
	}
}

func (m *till) oneRefund(r *rapid.T) string {
	var all []string
	for i := range m.n {
		if no := fmt.Sprintf("R%06d", i+1); m.refunds[no] != "" {
			all = append(all, no)
		}
	}
	return m.one(r, all)
}

func (m *till) decide(r *rapid.T) {
	no := m.oneRefund(r)
	outcome := rapid.SampledFrom([]string{"success", "fail", "abnormal"}).Draw(r, "outcome")
	m.w.do("POST", "/_sim/api/transactions/"+m.refunds[no]+"/refunds/"+no, `{"outcome":"`+outcome+`"}`)
}

func (m *till) reverse(r *rapid.T) {
	m.w.call("/secapi/pay/reverse", map[string]string{"out_trade_no": m.one(r, m.desks)}, "")
}

func (m *till) close(r *rapid.T) {
	m.w.call("/pay/closeorder", map[string]string{"out_trade_no": m.one(r, append(append([]string{}, m.orders...), m.desks...))}, "")
}

func (m *till) wait(r *rapid.T) {
	d := time.Duration(rapid.IntRange(1, 60).Draw(r, "seconds")) * time.Second
	m.w.api("POST", "clock", `{"advance":"`+d.String()+`"}`, 200, nil)
}

func (m *till) check(r *rapid.T) {
	var merchant, fees, under int64 // under: accepted, not yet in a wallet
	for _, tx := range m.w.sim.transactionViews(10_000) {
		var given, arrived int64
		for _, f := range tx.Refunds {
			if f.State != refundClosed {
				given += f.Amount
			}
			if f.State == refundSuccess {
				arrived += f.Amount
			}
		}
		paid := tx.TransactionID != nil
		if given > tx.Total || !paid && given > 0 {
			r.Fatalf("%s of %d gives back %d", tx.OutTradeNo, tx.Total, given)
		}
		o := m.w.sim.ledger.orders[tx.OutTradeNo]
		if paid && tx.State != stateRevoked {
			merchant += tx.Total - given
			under += given - arrived
			fees += fee(o.Total)
			for _, f := range o.refunds {
				if f.State != refundClosed {
					fees -= f.Fee
				}
			}
		}
	}
	if got := wallets(m.w); got != m.start-merchant-under {
		r.Fatalf("wallets hold %d, began with %d, the merchant has %d, %d are under way", got, m.start, merchant, under)
	}
	var booked int64
	for _, f := range m.w.sim.funds() {
		booked += f.fen
	}
	if booked != merchant-fees {
		r.Fatalf("the fund flow ends at %d, want %d less %d of fees", booked, merchant, fees)
	}
}
