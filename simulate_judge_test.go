package main

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"wxshop/models"
)

// people starts everybody; the counter is how many still act.
func (w *street) people() *atomic.Int64 {
	var left atomic.Int64
	begin := func(live func()) {
		left.Add(1)
		go func() {
			live()
			left.Add(-1)
			w.stage.ring()
		}()
	}
	ids := w.users()
	for i := range 1 + w.rnd.IntN(4) {
		s := w.newShopper(i, ids)
		begin(s.live)
	}
	begin((&operator{w: w, rnd: w.chanceOf(operatorName)}).live)
	begin((&fate{w, w.chanceOf(fateName)}).live)
	return &left
}

// ledgerEntry is what WeChat knows of an attempt.
type ledgerEntry struct {
	OutTradeNo    string  `json:"out_trade_no"`
	TransactionID *string `json:"transaction_id"`
	State         string  `json:"state"`
	Total         int64   `json:"total"`
	Refunds       []struct {
		OutRefundNo string `json:"out_refund_no"`
		Amount      int64  `json:"amount"`
		State       string `json:"state"`
	} `json:"refunds"`
}

// money reports whether WeChat took it, and how much of it went back.
func (e ledgerEntry) money() (paid, back int64) {
	if e.State == "SUCCESS" || e.State == "REFUND" {
		paid = e.Total
	}
	for _, r := range e.Refunds {
		if r.State == "SUCCESS" {
			back += r.Amount
		}
	}
	return paid, back
}

func (w *street) ledger() map[string]ledgerEntry {
	var all []ledgerEntry
	w.api("", "GET", "transactions?limit=1000", nil, &all)
	m := map[string]ledgerEntry{}
	for _, e := range all {
		m[e.OutTradeNo] = e
	}
	return m
}

// books is everything that the shop knows.
func (w *street) books() (ds []*models.Dossier) {
	r := w.shop.Load()
	if r == nil {
		w.fail("there is no shop")
		return nil
	}
	for _, no := range w.placed(as("")) {
		d, err := r.shop.Store.Dossier(as(""), no)
		if err != nil {
			w.fail("reading order %s: %v", no, err)
			return nil
		}
		ds = append(ds, d)
	}
	return ds
}

// busy says what keeps the loops at work.
func (w *street) busy() error {
	for _, d := range w.books() {
		if d.Order.State == models.Unpaid {
			return fmt.Errorf("%w: order %s is unpaid", errBusy, d.Order.No)
		}
		for _, p := range d.Payments {
			if p.LiveOrderID != nil {
				return fmt.Errorf("%w: attempt %s is %s: %s", errBusy, p.OutTradeNo, p.State, p.LastError)
			}
		}
	}
	n, _, err := w.shop.Load().shop.Store.OpenRefunds(as(""))
	if err == nil && n > 0 {
		err = fmt.Errorf("%w: %d refunds", errBusy, n)
	}
	return err
}

// settleAtWeChat is the merchant's person at WeChat's own desk: refunds that
// no card takes are paid out by hand, and those that take days are not waited for.
func (w *street) settleAtWeChat() {
	for no, e := range w.ledger() {
		for _, r := range e.Refunds {
			if r.State == "ABNORMAL" {
				w.api("", "POST", "transactions/"+no+"/refunds/"+r.OutRefundNo, map[string]string{"outcome": "success"}, nil)
			}
		}
	}
}

// judge compares our books with WeChat's ledger, to the fen.
func (w *street) judge() {
	ledger, sold, back := w.ledger(), map[int64]int64{}, map[int64]int64{}
	ds := w.books()
	w.tally.Orders, w.tally.Events = int64(len(ds)), map[string]int64{}
	misfits, err := w.shop.Load().shop.Store.Misfits(as(""), false, 0, 500)
	if err != nil {
		w.fail("payments to check: %v", err)
	}
	known := map[string]bool{}
	for _, d := range ds {
		before := w.failures
		w.judgeOrder(d, ledger)
		w.judgeEvents(d)
		if w.failures > before {
			w.tell(d)
		}
		for _, p := range d.Payments {
			known[p.OutTradeNo] = true
		}
		if d.Order.State != models.Closed {
			for _, i := range d.Order.Items {
				sold[i.SKUID] += i.Qty
			}
		}
		for _, r := range d.Refunds {
			for _, l := range r.Lines {
				if l.Restock {
					back[skuOf(d, l.ItemID)] += l.Qty
				}
			}
		}
	}
	for no, e := range ledger {
		if paid, back := e.money(); !known[no] && paid != back && !toCheck(misfits, e) {
			w.fail("WeChat has %d fen of %s, which we do not know", paid-back, no)
		}
	}
	w.judgeStock(sold, back)
	w.judgeCounts(ds)
	w.judgeAudit()
}

// judgeAudit: what the shop looks for in its own books is not there (D8).
func (w *street) judgeAudit() {
	store := w.shop.Load().shop.Store
	found, _, err := store.AuditOrders(as(""), 0)
	if err != nil {
		w.fail("audit: %v", err)
	}
	sums, err := store.AuditSums(as(""))
	if err != nil {
		w.fail("audit: %v", err)
	}
	for _, v := range append(found, sums...) {
		w.fail("the audit finds %s at %s", v.Rule, v.What)
	}
}

func skuOf(d *models.Dossier, item int64) int64 {
	for _, i := range d.Order.Items {
		if i.ID == item {
			return i.SKUID
		}
	}
	return 0
}

// toCheck reports whether somebody was told of a payment that fits nothing.
func toCheck(ms []models.Misfit, e ledgerEntry) bool {
	return e.TransactionID != nil && slices.ContainsFunc(ms, func(m models.Misfit) bool {
		return m.OutTradeNo == e.OutTradeNo && m.TransactionID == *e.TransactionID
	})
}

// judgeOrder: each payment at WeChat is of exactly one paid order, or went
// back, or waits for a person.
func (w *street) judgeOrder(d *models.Dossier, ledger map[string]ledgerEntry) {
	o := d.Order
	var kept, owed int64
	returned := map[string]int64{}
	for _, r := range d.Refunds {
		if r.State == models.RefundSucceeded {
			returned[r.OutTradeNo] += int64(r.Amount)
		}
		if r.State == models.RefundPending || r.State == models.RefundProcessing || r.State == models.RefundAbnormal {
			w.fail("order %s: refund %s is still %s: %s", o.No, r.OutRefundNo, r.State, r.LastError)
		}
	}
	good := 0
	for _, p := range d.Payments {
		e := ledger[p.OutTradeNo]
		paid, back := e.money()
		checked := toCheck(d.Misfits, e)
		if p.LiveOrderID != nil {
			w.fail("order %s: attempt %s is still %s", o.No, p.OutTradeNo, p.State)
		}
		if ours := p.State == models.PayPaid; ours != (paid > 0) && !checked {
			w.fail("order %s: attempt %s is %s here, %s at WeChat", o.No, p.OutTradeNo, p.State, e.State)
		}
		if p.State == models.PayPaid && paid > 0 && (p.TransactionID == nil || *p.TransactionID != *e.TransactionID) {
			w.fail("order %s: attempt %s has another transaction here", o.No, p.OutTradeNo)
		}
		if paid > 0 && paid != int64(p.Total) && !checked {
			w.fail("order %s: attempt %s is of %d here, %d at WeChat", o.No, p.OutTradeNo, p.Total, paid)
		}
		if returned[p.OutTradeNo] != back || back > e.Total {
			w.fail("order %s: of %s went back %d here, %d of %d at WeChat", o.No, p.OutTradeNo, returned[p.OutTradeNo], back, paid)
		}
		if p.State == models.PayPaid && paid > 0 {
			if double(d, p.OutTradeNo) {
				if back != paid && !checked {
					w.fail("order %s: of the needless payment %s only %d of %d went back", o.No, p.OutTradeNo, back, paid)
				}
				continue
			}
			good++
			kept += paid
		}
		_ = owed
	}
	switch o.State {
	case models.Paid, models.Shipped, models.Done:
		if (good != 1 || kept != int64(o.Total)) && len(d.Misfits) == 0 {
			w.fail("order %s is %s with %d good payments of %d fen, its total is %d", o.No, o.State, good, kept, o.Total)
		}
		if o.PaidAt.IsZero() {
			w.fail("order %s is %s and was never paid", o.No, o.State)
		}
	case models.Closed:
		if good > 0 {
			w.fail("order %s is closed and keeps %d fen", o.No, kept)
		}
	default:
		w.fail("order %s is still %s", o.No, o.State)
	}
}

// double reports whether a payment had to go back by itself.
func double(d *models.Dossier, outTradeNo string) bool {
	return slices.ContainsFunc(d.Refunds, func(r models.Refund) bool {
		return r.OutTradeNo == outTradeNo && (r.Reason == models.RefundLate || r.Reason == models.RefundDouble)
	})
}

// judgeEvents replays the history of an order: it leads, without a gap, to
// where the order, its attempts and its refunds stand.
func (w *street) judgeEvents(d *models.Dossier) {
	o := d.Order
	at := models.State("")
	attempts, refunds := map[string]string{}, map[string]int{}
	for _, e := range d.Events {
		w.tally.Events[strings.TrimSpace(e.Kind+" "+kindOfNote(e))]++
		switch e.Kind {
		case "placed", "paid", "revived", "handed-over", "shipped", "done", "closed":
			if models.State(e.From) != at {
				w.fail("order %s: the event %q begins at %q, the order was %q", o.No, e.Kind, e.From, at)
			}
			at = models.State(e.To)
			if at == models.Paid {
				attempts[e.OutTradeNo] = string(models.PayPaid)
			}
		case "prepay", "attempt", "reversing":
			attempts[e.OutTradeNo] = e.To
		case "refund-due":
			attempts[e.OutTradeNo] = string(models.PayPaid)
			refunds["asked"]++
		case "refund-asked":
			refunds["asked"]++
		case "refund-succeeded", "refund-closed":
			refunds[strings.TrimPrefix(e.Kind, "refund-")]++
		}
	}
	if at != o.State {
		w.fail("order %s is %s, its history ends at %s", o.No, o.State, at)
	}
	for _, p := range d.Payments {
		if got := attempts[p.OutTradeNo]; got != string(p.State) && !(got == "" && p.State == models.PayCreated) {
			w.fail("order %s: attempt %s is %s, its history ends at %q", o.No, p.OutTradeNo, p.State, got)
		}
	}
	have := map[string]int{"asked": len(d.Refunds)}
	for _, r := range d.Refunds {
		have[string(r.State)]++
	}
	for _, kind := range []string{"asked", "succeeded", "closed"} {
		if have[kind] != refunds[kind] {
			w.fail("order %s has %d refunds %s and %d events of them", o.No, have[kind], kind, refunds[kind])
		}
	}
}

// tell writes the history of an order into the log.
func (w *street) tell(d *models.Dossier) {
	for _, e := range d.Events {
		w.book.note("history of "+d.Order.No, "%.3f %s %s %s→%s %d %s %s", e.At.Sub(w.book.start).Seconds(), e.Actor, e.Kind, e.From, e.To, e.Amount, e.OutTradeNo, e.Note)
	}
	for _, m := range d.Messages {
		w.book.note("history of "+d.Order.No, "%.3f %s %s %s %s %s", m.At.Sub(w.book.start).Seconds(), m.OutTradeNo, m.Op, m.Request, m.Answer, m.Err)
	}
}

// kindOfNote is what a note adds to the kind of an event.
func kindOfNote(e models.Event) string {
	switch e.Kind {
	case "refund-due", "misfit":
		return e.Note
	case "attempt":
		return e.To
	}
	return ""
}

// judgeStock: what is there, was sold or came back is what there was.
func (w *street) judgeStock(sold, back map[int64]int64) {
	start := map[string]int64{}
	for _, p := range shelf.Products {
		for _, k := range p.SKUs {
			start[k.Code] = k.Stock
		}
	}
	goods, err := w.shop.Load().shop.Store.Products(as(""), models.Find{})
	if err != nil {
		w.fail("goods: %v", err)
	}
	for _, p := range goods {
		for _, k := range p.SKUs {
			if want := start[k.Code] - sold[k.ID] + back[k.ID]; k.Stock != want {
				w.fail("%s: %d in stock, want %d: %d at first, %d sold, %d came back", k.Code, k.Stock, want, start[k.Code], sold[k.ID], back[k.ID])
			}
		}
	}
}

// judgeCounts: the counters of states are the numbers of rows.
func (w *street) judgeCounts(ds []*models.Dossier) {
	have := map[models.State]int64{}
	for _, d := range ds {
		have[d.Order.State]++
	}
	counts, err := w.shop.Load().shop.Store.StateCounts(as(""))
	if err != nil {
		w.fail("counts: %v", err)
	}
	for state, n := range counts {
		if n != have[state] {
			w.fail("%d orders are counted as %s, there are %d", n, state, have[state])
		}
		delete(have, state)
	}
	for state, n := range have {
		if n != 0 {
			w.fail("%d orders are %s and not counted", n, state)
		}
	}
}
