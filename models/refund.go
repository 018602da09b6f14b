package models

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// maxRefunds is how many parts one payment may be given back in (WeChat Pay
// v2, refund).
const maxRefunds = 50

// CapError says that a refund is more than what is left of its payment.
type CapError struct{ Left Fen }

func (e *CapError) Error() string { return "only " + e.Left.String() + " is left to give back" }

// NewRefund is a refund that a person decided.
type NewRefund struct {
	OutTradeNo string // of the payment
	Amount     Fen
	Note       string // the payer sees it
	Token      string // of the form: the second time is the first refund
	Actor      string
	Lines      []RefundLine
}

const refundCols = `id, order_id, payment_id, misfit_id, token, reason, note, actor, "lines", api, sign_type, app_id, out_trade_no, transaction_id,
	total, out_refund_no, refund_id, amount, state, account, created_at, accepted_at, succeeded_at, next_at, tries, last_error`

func scanRefund(r scanner) (*Refund, error) {
	var (
		x     Refund
		lines []byte
	)
	err := r.Scan(&x.ID, &x.OrderID, &x.PaymentID, &x.MisfitID, &x.Token, &x.Reason, &x.Note, &x.Actor, &lines, &x.API, &x.SignType,
		&x.AppID, &x.OutTradeNo, &x.TransactionID, &x.Total, &x.OutRefundNo, &x.RefundID, &x.Amount, &x.State, &x.Account,
		&x.CreatedAt, &x.AcceptedAt, &x.SucceededAt, &x.NextAt, &x.Tries, &x.LastError)
	if err == nil && len(lines) > 0 {
		err = json.Unmarshal(lines, &x.Lines)
	}
	return &x, err
}

// refundOf begins a refund of p.
func refundOf(p *Payment, why RefundReason, amount Fen) *Refund {
	r := &Refund{OrderID: p.OrderID, PaymentID: p.ID, Reason: why, API: p.API, SignType: p.SignType, AppID: p.AppID,
		OutTradeNo: p.OutTradeNo, Total: p.Total, Amount: amount, State: RefundPending}
	if p.TransactionID != nil {
		r.TransactionID = *p.TransactionID
	}
	return r
}

// promise stores a refund before WeChat is asked for it, with the number that
// all tries will use (security P17, D2).
func (tx *Tx) promise(r *Refund, now Time) error {
	lines, err := json.Marshal(r.Lines)
	if err != nil {
		return err
	}
	r.CreatedAt, r.NextAt = now, now
	return tx.fresh(func() (err error) {
		r.OutRefundNo = tx.number("R", now.Time)
		r.ID, err = tx.insert(`INSERT INTO refunds(order_id, payment_id, misfit_id, token, reason, note, actor, "lines", api, sign_type, app_id,
			out_trade_no, transaction_id, total, out_refund_no, refund_id, amount, state, account, created_at, next_at, tries, last_error)
			VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, '', ?, ?, 0, '')`,
			r.OrderID, r.PaymentID, r.MisfitID, r.Token, r.Reason, r.Note, clip(r.Actor, 64), string(lines), r.API, r.SignType, r.AppID,
			r.OutTradeNo, r.TransactionID, r.Total, r.OutRefundNo, r.Amount, r.State, r.CreatedAt, r.NextAt)
		return err
	})
}

// refundByToken is a refund that was asked for before; nil when it was not.
func (tx *Tx) refundByToken(token string) (*Refund, error) {
	r, err := scanRefund(tx.row(`SELECT `+refundCols+` FROM refunds WHERE token = ?`, token))
	if told(err) == ErrNotFound {
		return nil, nil
	}
	return r, err
}

// refundable is what is left of a payment: what was paid less every refund
// that has not failed. Too many parts: nothing.
func (tx *Tx) refundable(outTradeNo string, total Fen) (Fen, error) {
	var sum Fen
	var n int64
	err := tx.row(`SELECT coalesce(sum(amount), 0), count(*) FROM refunds WHERE out_trade_no = ? AND state <> 'closed'`, outTradeNo).Scan(&sum, &n)
	if n >= maxRefunds {
		return 0, err
	}
	return total - sum, err
}

// CreateRefund promises money back: in one transaction the sum of all refunds
// that have not failed stays within what was paid. A Token that was used gives
// the first refund and repeated = true. More than is left: *CapError. Goods
// that come back to the shelf are counted in the same transaction.
func (s *Store) CreateRefund(ctx context.Context, n NewRefund) (r *Refund, repeated bool, err error) {
	if n.Amount <= 0 || n.Token == "" {
		return nil, false, &InputError{"amount", "must be more than nothing"}
	}
	if len(n.Token) > maxToken {
		return nil, false, &InputError{"form", "is not complete"}
	}
	err = s.write(ctx, func(tx *Tx) error {
		var err error
		repeated = false // this may be the second run
		// The order first: the same form may be under way elsewhere, and would
		// leave nothing to give back before its token can be seen.
		if err := tx.lockOrder(`id = (SELECT order_id FROM payments WHERE out_trade_no = ?)`, n.OutTradeNo); err != nil {
			return err
		}
		if r, err = tx.refundByToken(n.Token); r != nil || err != nil {
			repeated = r != nil
			if repeated && (r.OutTradeNo != n.OutTradeNo || r.Amount != n.Amount) {
				err = fmt.Errorf("refund %s: %w", r.OutRefundNo, ErrTokenReused)
			}
			return err
		}
		p, err := tx.paymentForWrite(`out_trade_no = ?`, n.OutTradeNo)
		if err != nil {
			return err
		}
		if p.State != PayPaid {
			return fmt.Errorf("payment %s is %s: %w", p.OutTradeNo, p.State, ErrBadMove)
		}
		left, err := tx.refundable(p.OutTradeNo, p.Total)
		if err != nil {
			return err
		}
		if n.Amount > left {
			return &CapError{left}
		}
		if err := tx.checkLines(p.OrderID, n.Lines); err != nil {
			return err
		}
		r = refundOf(p, RefundMerchant, n.Amount)
		r.Note, r.Token, r.Actor, r.Lines = n.Note, n.Token, n.Actor, n.Lines
		return tx.promiseWithGoods(r, s.time())
	})
	if err != nil {
		return nil, false, fmt.Errorf("create refund: %w", err)
	}
	return r, repeated, nil
}

// promiseWithGoods stores a refund, its line in the history, and puts goods
// back on the shelf.
func (tx *Tx) promiseWithGoods(r *Refund, now Time) error {
	if err := tx.promise(r, now); err != nil {
		return err
	}
	for _, l := range r.Lines {
		if !l.Restock {
			continue
		}
		tx.catalog = true
		_, err := tx.exec(`UPDATE skus SET stock = stock + ? WHERE id = (SELECT sku_id FROM order_items WHERE id = ? AND order_id = ?)`, l.Qty, l.ItemID, r.OrderID)
		if err != nil {
			return err
		}
	}
	return tx.refundEvent(r, now, "refund-asked", r.Actor, r.Note)
}

// checkLines refuses lines that are not of the order, or more pieces than it
// has and were not given back before.
func (tx *Tx) checkLines(orderID int64, lines []RefundLine) error {
	if len(lines) == 0 {
		return nil
	}
	items, err := scanItems(tx.rows(itemsOf, orderID))
	if err != nil {
		return err
	}
	left := map[int64]int64{}
	for _, i := range items {
		left[i.ID] = i.Qty
	}
	before, err := tx.refundsOf(orderID)
	if err != nil {
		return err
	}
	for _, r := range before {
		for _, l := range r.Lines {
			if r.State != RefundClosed || l.Restock { // goods that came back stay back
				left[l.ItemID] -= l.Qty
			}
		}
	}
	for _, l := range lines {
		if left[l.ItemID] -= l.Qty; l.Qty <= 0 || left[l.ItemID] < 0 {
			return &InputError{"lines", "give back more pieces than the order has"}
		}
	}
	return nil
}

func (tx *Tx) refundsOf(orderID int64) ([]Refund, error) {
	rows, err := tx.rows(`SELECT `+refundCols+` FROM refunds WHERE order_id = ? ORDER BY id`, orderID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var rs []Refund
	for rows.Next() {
		r, err := scanRefund(rows)
		if err != nil {
			return nil, err
		}
		rs = append(rs, *r)
	}
	return rs, rows.Err()
}

// refundEvent is a line in the order's history; money of an unknown order has
// none.
func (tx *Tx) refundEvent(r *Refund, now Time, kind, actor, note string) error {
	if r.OrderID == 0 {
		return nil
	}
	return tx.event(Event{OrderID: r.OrderID, At: now, Actor: actor, Kind: kind, To: string(r.State), Amount: r.Amount,
		OutTradeNo: r.OutTradeNo, TransactionID: r.TransactionID, Note: note})
}

// Account says under which contract with WeChat a payment was made, for
// refunds of payments that have no row here.
type Account struct{ API, SignType, AppID string }

// account is the contract of the payment of this number; by when it is not ours.
func (tx *Tx) account(outTradeNo string, by Account) (Account, error) {
	a := Account{}
	err := tx.row(`SELECT api, sign_type, app_id FROM payments WHERE out_trade_no = ?`, outTradeNo).Scan(&a.API, &a.SignType, &a.AppID)
	if told(err) == ErrNotFound {
		return by, nil
	}
	return a, err
}

// RefundMisfit gives a payment to check back in full, as WeChat told its
// amount, and closes its row, in one transaction.
func (s *Store) RefundMisfit(ctx context.Context, id int64, by Account, actor, note string) (*Refund, error) {
	var made *Refund
	err := s.write(ctx, func(tx *Tx) error {
		now := s.time()
		m, err := tx.openMisfit(id)
		if err != nil {
			return err
		}
		if m.Total <= 0 || m.OutTradeNo == "" {
			return &InputError{"amount", "is not known: give it back on WeChat's merchant platform and explain it here"}
		}
		if err := tx.notOurs(m); err != nil {
			return err
		}
		by, err := tx.account(m.OutTradeNo, by)
		if err != nil {
			return err
		}
		made = &Refund{
			MisfitID: id, OrderID: m.OrderID, OutTradeNo: m.OutTradeNo, TransactionID: m.TransactionID, Reason: RefundMisfit,
			Total: m.Total, Amount: m.Total, Note: note, Token: fmt.Sprintf("misfit %d", id), Actor: actor, State: RefundPending,
			API: by.API, SignType: by.SignType, AppID: by.AppID,
		}
		left, err := tx.refundable(m.OutTradeNo, m.Total)
		if err != nil {
			return err
		}
		if made.Amount > left {
			return &CapError{left}
		}
		if err := tx.closeMisfit(m, "misfit-refunded", actor, note, now); err != nil {
			return err
		}
		if err := tx.promise(made, now); err != nil {
			return err
		}
		return tx.refundEvent(made, now, "refund-asked", actor, note)
	})
	if err != nil {
		return nil, fmt.Errorf("refund misfit: %w", err)
	}
	return made, nil
}

// RefundsOf are the refunds of an order, oldest first.
func (s *Store) RefundsOf(ctx context.Context, orderID int64) ([]Refund, error) {
	var rs []Refund
	if err := s.read(ctx).Where("order_id = ?", orderID).Order("id").Find(&rs).Error; err != nil {
		return nil, fmt.Errorf("refunds of order: %w", toldRead(ctx, err))
	}
	return rs, nil
}

// notOurs refuses to give a payment to check back under a number by which we
// were paid rightly: WeChat would take the good payment.
func (tx *Tx) notOurs(m *Misfit) error {
	var n int64
	err := tx.row(`SELECT count(*) FROM payments WHERE out_trade_no = ? AND state = 'paid'`, m.OutTradeNo).Scan(&n)
	if err == nil && n > 0 {
		err = &InputError{"payment", "has the number of a good one: give it back on WeChat's merchant platform and explain it here"}
	}
	return err
}

// Refund is one refund by its number; ErrNotFound when there is none.
func (s *Store) Refund(ctx context.Context, outRefundNo string) (*Refund, error) {
	r, err := scanRefund(s.row(ctx, `SELECT `+refundCols+` FROM refunds WHERE out_refund_no = ?`, outRefundNo))
	if err != nil {
		return nil, fmt.Errorf("refund: %w", toldRead(ctx, err))
	}
	return r, nil
}

// Refunds are the newest ones; openOnly leaves out what has ended.
func (s *Store) Refunds(ctx context.Context, openOnly bool, before int64, limit int) ([]Refund, error) {
	g := s.read(ctx)
	if openOnly {
		g = g.Where("state IN ?", openRefunds)
	}
	if before > 0 {
		g = g.Where("id < ?", before)
	}
	var rs []Refund
	if err := g.Order("id DESC").Limit(page(limit)).Find(&rs).Error; err != nil {
		return nil, fmt.Errorf("refunds: %w", toldRead(ctx, err))
	}
	return rs, nil
}

const dueRefunds = `SELECT ` + refundCols + ` FROM refunds
	WHERE state IN ('pending', 'processing', 'abnormal') AND next_at <= ? ORDER BY state, next_at LIMIT ?`

// DueRefunds are refunds that wait for the next step.
func (s *Store) DueRefunds(ctx context.Context, limit int) ([]Refund, error) {
	rows, err := s.rows(ctx, dueRefunds, s.time(), page(limit))
	if err != nil {
		return nil, fmt.Errorf("due refunds: %w", toldRead(ctx, err))
	}
	defer rows.Close()
	var rs []Refund
	for rows.Next() {
		r, err := scanRefund(rows)
		if err != nil {
			return nil, fmt.Errorf("due refunds: %w", toldRead(ctx, err))
		}
		rs = append(rs, *r)
	}
	return rs, toldRead(ctx, rows.Err())
}

// RefundStep is what WeChat said of a refund.
type RefundStep struct {
	OutRefundNo string
	To          RefundState // may be the state it has: then only the rest is kept
	RefundID    string
	Account     string
	SucceededAt time.Time
	Next        time.Time // when to ask again; zero when it has ended
	Err         string    // why there is no answer yet
	Actor       string
	Msgs        []Message
}

// StepRefund applies what WeChat said, once: what is known already changes
// nothing more. A move that is not allowed is ErrBadMove.
func (s *Store) StepRefund(ctx context.Context, x RefundStep) (changed bool, err error) {
	err = s.write(ctx, func(tx *Tx) error {
		changed = false
		r, err := scanRefund(tx.rowForUpdate(`SELECT `+refundCols+` FROM refunds WHERE out_refund_no = ?`, x.OutRefundNo))
		if err != nil {
			return err
		}
		now := s.time()
		x := x // this may run twice
		if x.To == "" {
			x.To = r.State
		}
		if x.RefundID != "" {
			r.RefundID = x.RefundID
		}
		if x.Account != "" {
			r.Account = x.Account
		}
		r.NextAt, r.LastError = At(x.Next), x.Err
		if x.To == RefundSucceeded && r.State != RefundSucceeded {
			if r.SucceededAt = At(x.SucceededAt); r.SucceededAt.IsZero() {
				r.SucceededAt = now
			}
		}
		r.accepted(now)
		from := r.State
		if err := tx.turn(r, x.To); err != nil {
			return err
		}
		if from != x.To {
			changed = true
			if err := tx.refundEvent(r, now, "refund-"+string(x.To), x.Actor, x.Err); err != nil {
				return err
			}
		}
		return tx.messages(x.Msgs, now)
	})
	if err != nil {
		return false, fmt.Errorf("step refund: %w", err)
	}
	return changed, nil
}

// accepted notes when WeChat took r on, which is when its bill has it. A
// WeChat whose clock is ahead of ours, as a simulated one may be, says so by
// the time of its success.
func (r *Refund) accepted(now Time) {
	if r.AcceptedAt.IsZero() && r.RefundID != "" {
		r.AcceptedAt = now
	}
	if r.SucceededAt.After(now.Time) {
		r.AcceptedAt = r.SucceededAt
	}
}

// turn moves r to another state, or keeps it, with what the caller has set in
// r. It is the only code that writes Refund.State after promise.
func (tx *Tx) turn(r *Refund, to RefundState) error {
	from := r.State
	if from != to && !slices.Contains(refundMoves[from], to) {
		return fmt.Errorf("refund %s: %s to %s: %w", r.OutRefundNo, from, to, ErrBadMove)
	}
	ok, err := tx.execOne(`UPDATE refunds SET state = ?, refund_id = ?, account = ?, accepted_at = ?, succeeded_at = ?, next_at = ?, tries = tries + 1, last_error = ?
		WHERE id = ? AND state = ?`, to, r.RefundID, r.Account, r.AcceptedAt, r.SucceededAt, r.NextAt, r.LastError, r.ID, from)
	if err == nil && !ok {
		err = fmt.Errorf("refund %s left %s: %w", r.OutRefundNo, from, ErrStale)
	}
	r.State = to
	return err
}

// WakeRefund makes the loop look at a refund now: WeChat hinted at news. An
// unknown number is ErrNotFound.
func (s *Store) WakeRefund(ctx context.Context, outRefundNo string) error {
	err := s.write(ctx, func(tx *Tx) error {
		now := s.time()
		ok, err := tx.execOne(`UPDATE refunds SET next_at = ? WHERE out_refund_no = ? AND state IN ('pending', 'processing', 'abnormal')`, now, outRefundNo)
		if err != nil || ok {
			return err
		}
		_, err = scanRefund(tx.row(`SELECT `+refundCols+` FROM refunds WHERE out_refund_no = ?`, outRefundNo))
		return err
	})
	if err != nil {
		return fmt.Errorf("wake refund: %w", err)
	}
	return nil
}
