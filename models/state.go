package models

import (
	"fmt"
	"slices"
	"time"
)

// State is where an order stands.
type State string

// The states of an order. How much was refunded is a sum, not a state.
const (
	Unpaid  State = "unpaid"
	Paid    State = "paid"
	Shipped State = "shipped"
	Done    State = "done"
	Closed  State = "closed"
)

// PayState is where one attempt to pay stands.
type PayState string

// The states of a payment.
const (
	PayCreated   PayState = "created"   // frozen here; WeChat may or may not know it
	PayPrepaid   PayState = "prepaid"   // WeChat gave a prepay id
	PayReversing PayState = "reversing" // cash desk: no answer in time, being taken back
	PayPaid      PayState = "paid"
	PayClosed    PayState = "closed"
	PayFailed    PayState = "failed" // WeChat refused it for good
)

// RefundState is where a refund stands.
type RefundState string

// The states of a refund.
const (
	RefundPending    RefundState = "pending" // promised here, not yet asked of WeChat
	RefundProcessing RefundState = "processing"
	RefundSucceeded  RefundState = "succeeded"
	RefundAbnormal   RefundState = "abnormal"
	RefundClosed     RefundState = "closed"
)

// moves are the allowed changes of an order. Closed to paid is the revival of
// an order whose payment came after the deadline; see ApplyPaid.
var moves = map[State][]State{
	Unpaid:  {Paid, Closed},
	Paid:    {Shipped},
	Shipped: {Done},
	Closed:  {Paid},
}

// payMoves are the allowed changes of a payment. Closed and failed to paid:
// WeChat's word that money moved outweighs what we concluded.
var payMoves = map[PayState][]PayState{
	PayCreated:   {PayPrepaid, PayPaid, PayClosed, PayFailed, PayReversing},
	PayReversing: {PayCreated, PayClosed},
	PayPrepaid:   {PayPaid, PayClosed, PayFailed},
	PayClosed:    {PayPaid},
	PayFailed:    {PayPaid},
}

// refundMoves are the allowed changes of a refund. An abnormal one (the card
// cannot take it) may still end well, by hand at WeChat.
var refundMoves = map[RefundState][]RefundState{
	RefundPending:    {RefundProcessing, RefundSucceeded, RefundAbnormal, RefundClosed},
	RefundProcessing: {RefundSucceeded, RefundAbnormal, RefundClosed},
	RefundAbnormal:   {RefundSucceeded, RefundClosed},
}

// stamps are what a change of an order writes besides its state. They are
// whole statements because SQLite parses each one anew.
var stamps = map[State]string{
	Paid:    `UPDATE orders SET state = ?, paid_at = ?, revived = ? WHERE id = ? AND state = ?`,
	Shipped: `UPDATE orders SET state = ?, shipped_at = ?, carrier = ?, tracking_no = ? WHERE id = ? AND state = ?`,
	Done:    `UPDATE orders SET state = ?, done_at = ? WHERE id = ? AND state = ?`,
	Closed:  `UPDATE orders SET state = ?, closed_at = ?, close_reason = ? WHERE id = ? AND state = ?`,
}

// transition moves o to another state, with the times and names that the
// caller has set in o, and records e in its history. It is the only code that
// writes Order.State.
func (tx *Tx) transition(o *Order, to State, e Event) error {
	from := o.State
	if !slices.Contains(moves[from], to) {
		return fmt.Errorf("order %s: %s to %s: %w", o.No, from, to, ErrBadMove)
	}
	var args []any
	switch to {
	case Paid:
		args = []any{to, o.PaidAt, o.Revived, o.ID, from}
	case Shipped:
		args = []any{to, o.ShippedAt, o.Carrier, o.TrackingNo, o.ID, from}
	case Done:
		args = []any{to, o.DoneAt, o.ID, from}
	case Closed:
		args = []any{to, o.ClosedAt, o.CloseReason, o.ID, from}
	}
	ok, err := tx.execOne(stamps[to], args...)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("order %s left %s: %w", o.No, from, ErrStale)
	}
	tx.count(from, -1)
	tx.count(to, 1)
	o.State = to
	e.OrderID, e.From, e.To = o.ID, string(from), string(to)
	return tx.event(e)
}

// payStamps are what a change of an attempt writes besides its state. What
// ended is not live any more and is not asked about again.
var payStamps = map[PayState]string{
	PayPrepaid:   `UPDATE payments SET state = ?, prepay_id = ?, prepay_until = ?, last_error = '' WHERE id = ? AND state = ?`,
	PayCreated:   `UPDATE payments SET state = ?, next_query_at = ? WHERE id = ? AND state = ?`, // not taken back after all
	PayReversing: `UPDATE payments SET state = ?, next_query_at = ? WHERE id = ? AND state = ?`,
	PayPaid: `UPDATE payments SET state = ?, live_order_id = NULL, next_query_at = NULL,
		transaction_id = ?, paid_at = ?, cash = ?, bank_type = ? WHERE id = ? AND state = ?`,
	PayClosed: `UPDATE payments SET state = ?, live_order_id = NULL, next_query_at = ?, last_error = ? WHERE id = ? AND state = ?`,
	PayFailed: endPayment,
}

const endPayment = `UPDATE payments SET state = ?, live_order_id = NULL, next_query_at = NULL, last_error = ? WHERE id = ? AND state = ?`

// move moves p to another state, with what the caller has set in p, and
// records e in the history of its order; nil when a transition of the order in
// the same transaction tells it. It is the only code that writes
// Payment.State.
func (tx *Tx) move(p *Payment, to PayState, e *Event) error {
	from := p.State
	if !slices.Contains(payMoves[from], to) {
		return fmt.Errorf("payment %s: %s to %s: %w", p.OutTradeNo, from, to, ErrBadMove)
	}
	var args []any
	switch to {
	case PayPrepaid:
		args = []any{to, p.PrepayID, p.PrepayUntil, p.ID, from}
	case PayReversing, PayCreated:
		args = []any{to, p.NextQueryAt, p.ID, from}
	case PayPaid:
		args = []any{to, p.TransactionID, p.PaidAt, p.Cash, p.BankType, p.ID, from}
	case PayClosed:
		args = []any{to, p.checkAgain(), p.LastError, p.ID, from}
	default:
		args = []any{to, p.LastError, p.ID, from}
	}
	ok, err := tx.execOne(payStamps[to], args...)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("payment %s left %s: %w", p.OutTradeNo, from, ErrStale)
	}
	p.State = to
	if to == PayPaid || to == PayClosed || to == PayFailed {
		p.LiveOrderID, p.NextQueryAt = nil, Time{}
	}
	if to == PayClosed {
		p.NextQueryAt = p.checkAgain()
	}
	if e == nil {
		return nil
	}
	e.OrderID, e.OutTradeNo, e.From, e.To = p.OrderID, p.OutTradeNo, string(from), string(to)
	return tx.event(*e)
}

// checkAgain is when a closed attempt is looked at once more: after its last
// moment to be paid; see CheckAgain. What the cash desk took back stays back.
func (p *Payment) checkAgain() Time {
	if p.Channel == "MICROPAY" || p.Channel == "FACEPAY" {
		return Time{}
	}
	return At(p.ExpireAt.Add(time.Minute))
}
