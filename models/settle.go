package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// PaidFact is WeChat's verified word that an attempt was paid, already
// compared with our row by the caller.
type PaidFact struct {
	OutTradeNo    string
	TransactionID string
	PaidAt        time.Time
	OpenID        string
	Cash          Fen
	BankType      string
	Actor         string // notify | query
	Msgs          []Message
}

// Outcome says what ApplyPaid did.
type Outcome string

// What can become of a payment.
const (
	OutcomePaid     Outcome = "paid"     // unpaid → paid, now
	OutcomeRevived  Outcome = "revived"  // closed by timeout, stock taken again, now paid
	OutcomeRepeated Outcome = "repeated" // knew it; nothing changed
	OutcomeLate     Outcome = "late"     // order closed: a full refund is due
	OutcomeDouble   Outcome = "double"   // order paid by another attempt: a full refund is due
	OutcomeMisfit   Outcome = "misfit"   // this attempt already has another transaction id
	// OutcomeReversing: a sale that is being taken back; nothing changed. The
	// reversal may be on its way, and would give back what counted as paid.
	OutcomeReversing Outcome = "reversing"
)

// ApplyPaid is TX3, the only writer of "paid": attempt, order, stock on
// revival, refund row when one is due, event; once, whoever comes first. An
// unknown number is ErrNotFound. An attempt that we had closed may be paid all
// the same: WeChat's word that money moved outweighs what we concluded. Of the
// order only what names it and says where it stands is certain to be filled.
func (s *Store) ApplyPaid(ctx context.Context, f PaidFact) (Outcome, *Order, error) {
	if f.TransactionID == "" {
		return "", nil, fmt.Errorf("apply paid: %w", &InputError{"transaction_id", "is missing"})
	}
	var (
		out Outcome
		o   *Order
	)
	err := s.write(ctx, func(tx *Tx) error {
		now := s.time()
		var err error
		if out, o, err = tx.settle(f, now); err != nil {
			return err
		}
		return tx.messages(f.Msgs, now)
	})
	if err != nil {
		return "", nil, fmt.Errorf("apply paid: %w", err)
	}
	return out, o, nil
}

// settle decides what a payment does to its order, and does it.
func (tx *Tx) settle(f PaidFact, now Time) (Outcome, *Order, error) {
	p, o, taken, err := tx.paying(f)
	switch {
	case err != nil:
		return "", nil, err
	case p.TransactionID != nil && *p.TransactionID == f.TransactionID:
		return OutcomeRepeated, o, nil
	case p.TransactionID != nil || taken:
		return OutcomeMisfit, o, tx.second(o, p, f, now)
	case p.State == PayReversing:
		return OutcomeReversing, o, nil
	case p.State == PayClosed && o.Source == FromCounter:
		return OutcomeMisfit, o, tx.tookBack(o, p, f, now)
	case o.State == Unpaid:
		f.into(p, now)
		return OutcomePaid, o, tx.pay(o, p, f, now, "paid")
	}
	if p, err = tx.paymentForWrite(`id = ?`, p.ID); err != nil {
		return "", nil, err
	}
	if o, err = tx.orderForWrite(`id = ?`, p.OrderID); err != nil {
		return "", nil, err
	}
	f.into(p, now)
	out, err := tx.settleLate(o, p, f, now)
	return out, o, err
}

// paying reads what most payments need, in one statement: as much of the
// attempt and its order as settling looks at, and whether another attempt has
// this transaction id.
func (tx *Tx) paying(f PaidFact) (p *Payment, o *Order, taken bool, err error) {
	p, o = &Payment{OutTradeNo: f.OutTradeNo}, new(Order)
	if err := tx.lockOrder(`id = (SELECT order_id FROM payments WHERE out_trade_no = ?)`, f.OutTradeNo); err != nil {
		return nil, nil, false, err
	}
	err = tx.rowForUpdate(`SELECT p.id, p.total, p.state, p.transaction_id, EXISTS(SELECT 1 FROM payments WHERE transaction_id = ?),
			o.id, o.no, o.user_id, o.state, o.total, o.source
		FROM payments p JOIN orders o ON o.id = p.order_id WHERE p.out_trade_no = ?`, f.TransactionID, f.OutTradeNo).
		Scan(&p.ID, &p.Total, &p.State, &p.TransactionID, &taken, &o.ID, &o.No, &o.UserID, &o.State, &o.Total, &o.Source)
	p.OrderID = o.ID
	return p, o, taken, err
}

// into writes what WeChat said into the attempt.
func (f PaidFact) into(p *Payment, now Time) {
	p.TransactionID, p.PaidAt, p.Cash, p.BankType = &f.TransactionID, At(f.PaidAt), f.Cash, clip(f.BankType, 64)
	if p.PaidAt.IsZero() {
		p.PaidAt = now
	}
}

// settleLate decides about money for an order that is not unpaid any more.
func (tx *Tx) settleLate(o *Order, p *Payment, f PaidFact, now Time) (Outcome, error) {
	switch o.State {
	case Closed:
		back := false
		if o.CloseReason == ByTimeout {
			var err error
			if back, err = tx.retake(o.ID); err != nil {
				return "", err
			}
		}
		if back {
			o.Revived = true
			return OutcomeRevived, tx.pay(o, p, f, now, "revived")
		}
		return OutcomeLate, tx.owe(o, p, f, now, RefundLate)
	default:
		return OutcomeDouble, tx.owe(o, p, f, now, RefundDouble)
	}
}

// second records money for an attempt that was paid before, or a transaction
// that paid another attempt.
func (tx *Tx) second(o *Order, p *Payment, f PaidFact, now Time) error {
	want := "no other attempt with this transaction"
	if p.TransactionID != nil {
		want = *p.TransactionID
	}
	_, err := tx.misfit(Misfit{TransactionID: f.TransactionID, Reason: "second", OutTradeNo: p.OutTradeNo, OrderID: o.ID,
		Got: f.TransactionID, Want: want, Total: p.Total}, now)
	return err
}

// tookBack records word of money for a sale that WeChat took back. It is old
// news mostly: the answer to a question that was asked before the reversal.
func (tx *Tx) tookBack(o *Order, p *Payment, f PaidFact, now Time) error {
	_, err := tx.misfit(Misfit{TransactionID: f.TransactionID, Reason: "reversed", OutTradeNo: p.OutTradeNo, OrderID: o.ID,
		Got: "paid", Want: "reversed", Total: p.Total}, now)
	return err
}

// pay marks attempt and order as paid.
func (tx *Tx) pay(o *Order, p *Payment, f PaidFact, now Time, kind string) error {
	if err := tx.move(p, PayPaid, nil); err != nil {
		return err
	}
	o.PaidAt = p.PaidAt
	err := tx.transition(o, Paid, Event{At: now, Actor: f.Actor, Kind: kind, Amount: p.Total,
		OutTradeNo: p.OutTradeNo, TransactionID: f.TransactionID})
	if err == nil && o.Source == FromCounter {
		err = tx.handOver(o, now)
	}
	return err
}

// owe marks the attempt as paid and promises its money back.
func (tx *Tx) owe(o *Order, p *Payment, f PaidFact, now Time, reason RefundReason) error {
	if err := tx.move(p, PayPaid, nil); err != nil {
		return err
	}
	r := refundOf(p, reason, p.Total)
	r.Token, r.Actor = string(reason)+" "+p.OutTradeNo, f.Actor
	if err := tx.promise(r, now); err != nil {
		return err
	}
	return tx.event(Event{OrderID: o.ID, At: now, Actor: f.Actor, Kind: "refund-due", From: string(o.State), To: string(o.State),
		Amount: p.Total, OutTradeNo: p.OutTradeNo, TransactionID: f.TransactionID, Note: string(reason)})
}

// retake takes the stock of an order again if there is enough of everything,
// and says whether it did. It looks before it takes.
func (tx *Tx) retake(orderID int64) (bool, error) {
	took, err := tx.tookOf(orderID)
	if err != nil {
		return false, err
	}
	for _, l := range took {
		var left int64
		err := tx.rowForUpdate(`SELECT stock FROM skus WHERE id = ?`, l.SKUID).Scan(&left)
		if errors.Is(err, sql.ErrNoRows) || err == nil && left < l.Qty {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	tx.catalog = true
	for _, l := range took {
		if _, err := tx.exec(`UPDATE skus SET stock = stock - ? WHERE id = ?`, l.Qty, l.SKUID); err != nil {
			return false, err
		}
	}
	return true, nil
}
