package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"wxshop/checkout"
	"wxshop/models"
)

// operator is the merchant's person. Acts go through the workflows that the
// admin's pages call, not through the pages: signing in costs more than all
// the rest of a history.
type operator struct {
	w   *street
	rnd *rand.Rand
	n   int
}

const operatorName = "operator"

func (p *operator) live() {
	acts := []func(*shopRun, context.Context, string){
		p.ships, p.ships, p.ships, p.refunds, p.refunds, p.closes, p.asks, p.decides, p.notes, p.sells, p.sells,
	}
	for {
		p.w.sleep(operatorName, 2*pause(p.rnd))
		r := p.w.shop.Load()
		if r == nil || r.dead.Load() {
			if p.w.act() {
				continue
			}
			return
		}
		if !p.w.act() {
			return
		}
		act := acts[p.rnd.IntN(len(acts))]
		nos := p.w.placed(as(operatorName))
		no := ""
		if len(nos) > 0 {
			no = nos[p.rnd.IntN(len(nos))]
		}
		r.calls.Add(1)
		act(r, as(operatorName), no)
		r.calls.Done()
	}
}

func (p *operator) did(what, no string, err error) {
	p.w.book.note(operatorName, "%s %s: %v", what, no, err)
}

func (p *operator) ships(r *shopRun, ctx context.Context, no string) {
	p.did("ships", no, r.shop.Store.Ship(ctx, no, "顺丰", "SF1", "staff:boss"))
}

// refunds gives back a part or all, with or without the goods.
func (p *operator) refunds(r *shopRun, ctx context.Context, no string) {
	_, left, err := r.shop.Checkout.Refundable(ctx, no)
	if err != nil || left <= 0 {
		return
	}
	p.n++
	q := checkout.RefundRequest{No: no, Amount: left, Note: "退", Token: fmt.Sprint("refund ", p.n), Actor: "staff:boss"}
	if p.rnd.IntN(2) == 0 {
		q.Amount = 1 + models.Fen(p.rnd.Int64N(int64(left)))
	}
	if p.rnd.IntN(5) == 0 {
		q.Amount = left + 1 // more than there is
	}
	o, err := r.shop.Store.AnyOrder(ctx, no)
	if err == nil && p.rnd.IntN(2) == 0 && o.Source != models.FromCounter {
		q.Lines = []models.RefundLine{{ItemID: o.Items[0].ID, Qty: 1, Restock: p.rnd.IntN(2) == 0}}
	}
	_, _, err = r.shop.Checkout.Refund(ctx, q)
	p.did(fmt.Sprintf("refunds %d of", q.Amount), no, err)
	if p.rnd.IntN(3) == 0 { // the button again
		_, _, err = r.shop.Checkout.Refund(ctx, q)
		p.did("refunds again", no, err)
	}
}

func (p *operator) closes(r *shopRun, ctx context.Context, no string) {
	p.did("closes", no, r.shop.Checkout.CloseByMerchant(ctx, no, "staff:boss", ""))
}

func (p *operator) asks(r *shopRun, ctx context.Context, no string) {
	_, err := r.shop.Checkout.Ask(ctx, no, "staff:boss")
	p.did("asks about", no, err)
}

func (p *operator) notes(r *shopRun, ctx context.Context, no string) {
	p.did("notes on", no, r.shop.Store.AddNote(ctx, no, "staff:boss", "客人打过电话"))
}

// decides about a payment to check.
func (p *operator) decides(r *shopRun, ctx context.Context, _ string) {
	ms, err := r.shop.Store.Misfits(ctx, true, 0, 10)
	if err != nil || len(ms) == 0 {
		return
	}
	m := ms[p.rnd.IntN(len(ms))]
	if p.rnd.IntN(2) == 0 {
		_, err = r.shop.Checkout.RefundMisfit(ctx, m.ID, "staff:boss", "退回")
	} else {
		err = r.shop.Store.ExplainMisfit(ctx, m.ID, "staff:boss", "查过了")
	}
	p.did("decides about", m.OutTradeNo+" "+m.Reason, err)
}

// sells takes a payment code at the cash desk, and waits as its page does.
func (p *operator) sells(r *shopRun, ctx context.Context, _ string) {
	var code struct{ Paycode, Facecode string }
	w := p.w
	users := w.users()
	openID := users[p.rnd.IntN(len(users))]
	w.api(operatorName, "GET", "users/"+openID+"/paycode", nil, &code)
	p.n++
	q := checkout.SaleRequest{
		StaffID: 1, Token: fmt.Sprint("sale ", p.n), Amount: 100 + models.Fen(p.rnd.Int64N(20000)), Code: code.Paycode, ClientIP: "127.0.0.1",
	}
	if p.rnd.IntN(4) == 0 {
		q.Face, q.Code, q.OpenID = true, code.Facecode, openID
	}
	o, err := r.shop.Checkout.Sell(ctx, q)
	if o == nil {
		p.did("sells", "nothing", err)
		return
	}
	p.did("sells", o.No, err)
	if p.rnd.IntN(4) == 0 { // the scanner fires twice
		_, err = r.shop.Checkout.Sell(ctx, q)
		p.did("sells again", o.No, err)
	}
	for range p.rnd.IntN(6) {
		w.sleep(operatorName, 5*time.Second)
		if r.dead.Load() || w.shop.Load() != r {
			return
		}
		if p.rnd.IntN(5) == 0 {
			p.did("takes back", o.No, r.shop.Checkout.Reverse(ctx, o.No, "staff:boss"))
			continue
		}
		if err := r.shop.Checkout.Attend(ctx, o.No); err != nil {
			p.did("attends", o.No, err)
		}
	}
}

// placed are the numbers of all orders, the oldest first.
func (w *street) placed(ctx context.Context) []string {
	r := w.shop.Load()
	if r == nil {
		return nil
	}
	rows, err := r.shop.Store.FindOrders(ctx, models.OrderFilter{Limit: 200})
	if err != nil {
		return nil
	}
	var nos []string
	for i := len(rows) - 1; i >= 0; i-- {
		nos = append(nos, rows[i].No)
	}
	return nos
}

// users are the openids of the simulated users.
func (w *street) users() []string {
	var us []struct {
		OpenID string `json:"openid"`
	}
	w.api("", "GET", "users", nil, &us)
	var ids []string
	for _, u := range us {
		ids = append(ids, u.OpenID)
	}
	return ids
}
