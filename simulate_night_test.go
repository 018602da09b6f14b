package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"wxshop/wxpay"
)

// accountant fetches the bills of the days, when they are made, and holds them
// against what happened.
type accountant struct {
	w   *street
	gw  *wxpay.V2Client
	day time.Time
}

const accountantName = "accountant"

// night lets WeChat's clock run to the day after, and looks at the bills.
func (w *street) night() {
	a := accountant{w: w, day: w.book.start}
	id := w.sim.Identity()
	var err error
	a.gw, err = wxpay.NewV2(wxpay.Config{
		AppID: id.AppID, MchID: id.MchID, APIKey: id.APIKey, SignType: wxpay.HMACSHA256, Hosts: []string{"http://" + gateHost},
		Timeout: 5 * time.Second, Transport: &wire{w, accountantName, nil}, Log: silent,
	})
	if err != nil {
		w.fail("accountant: %v", err)
		return
	}
	done := make(chan struct{})
	go func() {
		defer w.stage.ring()
		defer close(done)
		w.stage.choose(accountantName, "comes in")
		a.works()
	}()
	over := func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
	if !w.stage.run(12*time.Hour, over) {
		w.fail("the accountant does not end")
	}
}

func (a *accountant) works() {
	w := a.w
	end := time.Now()
	r := w.chanceOf(accountantName)
	rates := map[string]float64{}
	for _, name := range []string{"bill-not-ready", "bill-missing", "bill-extra", "bill-amount", "bill-refund-missing"} {
		rates[name] = []float64{0, 0, 0.5}[r.IntN(3)]
	}
	if code := w.api(accountantName, "PUT", "faults", map[string]any{"rates": rates}, nil); code != http.StatusOK {
		w.fail("faults of bills = %d", code)
	}
	w.api(accountantName, "POST", "clock", map[string]string{"advance": "48h"}, nil)
	before := w.fired()
	want := w.moves()
	for day := a.day; day.Before(end.Add(8 * time.Hour)); day = day.Add(24 * time.Hour) {
		a.reads(day, want)
	}
	after := w.fired()
	planted := map[string]int64{}
	for name := range rates {
		planted[name] = after[name] - before[name]
	}
	found := map[string]int64{"bill-not-ready": planted["bill-not-ready"]}
	for _, m := range want {
		found[m.problem()]++
	}
	delete(found, "")
	for name, n := range planted {
		if found[name] != n {
			w.fail("%d times %s was planted in the bills, %d were found", n, name, found[name])
		}
	}
	w.api(accountantName, "PUT", "faults", map[string]any{"preset": "none"}, nil)
}

// moved is one movement of money: as it happened, and as a bill has it.
type moved struct {
	real, billed, refund bool
	fen, said            int64
}

// problem is what a bill has wrong, by the name of the fault.
func (m *moved) problem() string {
	switch {
	case m.real && !m.billed && m.refund:
		return "bill-refund-missing"
	case m.real && !m.billed:
		return "bill-missing"
	case m.billed && !m.real:
		return "bill-extra"
	case m.fen != m.said:
		return "bill-amount"
	}
	return ""
}

// moves is all money that moved at WeChat.
func (w *street) moves() map[string]*moved {
	all := map[string]*moved{}
	for no, e := range w.ledger() {
		if e.TransactionID == nil {
			continue
		}
		all["paid "+no] = &moved{real: true, fen: e.Total}
		if e.State == "REVOKED" {
			all["back "+no] = &moved{real: true, refund: true, fen: e.Total}
		}
		for _, r := range e.Refunds {
			if r.State != "CLOSED" {
				all["back "+r.OutRefundNo] = &moved{real: true, refund: true, fen: r.Amount}
			}
		}
	}
	return all
}

// reads takes one bill in.
func (a *accountant) reads(day time.Time, all map[string]*moved) {
	w, ctx := a.w, as(accountantName)
	bill, err := a.bill(ctx, day)
	for try := 0; errors.Is(err, wxpay.ErrBillNotReady) && try < 30; try++ {
		w.sleep(accountantName, 10*time.Minute)
		bill, err = a.bill(ctx, day)
	}
	if errors.Is(err, wxpay.ErrNoBill) {
		return
	}
	if err != nil {
		w.fail("bill of %s: %v", day.Format("2006-01-02"), err)
		return
	}
	defer bill.Close()
	rows := wxpay.NewBillReader(bill)
	for {
		row, err := rows.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			w.fail("bill of %s: %v", day.Format("2006-01-02"), err)
			return
		}
		key, fen := "paid "+row.OutTradeNo, row.Total
		if row.State != "SUCCESS" {
			key, fen = "back "+row.OutRefundNo, row.RefundAmount
		}
		m := all[key]
		if m == nil {
			m = &moved{}
			all[key] = m
		}
		m.billed, m.said = true, fen
	}
}

func (a *accountant) bill(ctx context.Context, day time.Time) (io.ReadCloser, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return a.gw.Bill(ctx, wxpay.BillRequest{Day: day})
}
