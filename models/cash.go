package models

import (
	"context"
	"fmt"
	"time"
)

// NewSale is money taken at the cash desk, for goods that are handed over.
type NewSale struct {
	StaffID  int64
	Token    string // of the form: a scanner that fires twice sells once
	Amount   Fen
	Title    string // what the payer reads
	CodeTail string // the end of the payment code, for people
	Expire   time.Duration
	Payment  NewPayment
}

// counterUser owns the orders of a cash desk. It is below zero, so that no
// shopper and no visitor without a sign-in has it.
func counterUser(staffID int64) int64 { return -staffID }

// CreateSale makes an order and its attempt before WeChat is asked. A Token
// that was used gives the first sale and repeated = true.
func (s *Store) CreateSale(ctx context.Context, n NewSale) (o *Order, p *Payment, repeated bool, err error) {
	if n.StaffID <= 0 || n.Token == "" || n.Amount <= 0 || n.Amount > maxTotal {
		return nil, nil, false, &InputError{"amount", "must be between 0.01 and 100000.00"}
	}
	if len(n.Token) > maxToken {
		return nil, nil, false, &InputError{"form", "is not complete"}
	}
	err = s.write(ctx, func(tx *Tx) error {
		repeated = false // this may be the second run
		now := s.now()
		var id int64
		err := tx.row(`SELECT id FROM orders WHERE user_id = ? AND form_token = ?`, counterUser(n.StaffID), n.Token).Scan(&id)
		if err == nil {
			repeated = true
			if o, p, err = tx.placedBefore(id); err == nil && o.Total != n.Amount {
				err = fmt.Errorf("sale %s: %w", o.No, ErrTokenReused)
			}
			return err
		}
		if told(err) != ErrNotFound {
			return err
		}
		o, p, err = tx.sell(n, now)
		return err
	})
	if err != nil {
		return nil, nil, false, fmt.Errorf("create sale: %w", err)
	}
	return o, p, repeated, nil
}

func (tx *Tx) sell(n NewSale, now time.Time) (*Order, *Payment, error) {
	o := &Order{UserID: counterUser(n.StaffID), FormToken: n.Token, State: Unpaid, GoodsTotal: n.Amount, Total: n.Amount,
		CreatedAt: At(now), ExpiresAt: At(now.Add(n.Expire)), Source: FromCounter}
	err := tx.fresh(func() (err error) {
		o.No = tx.number("", now)
		o.ID, err = tx.insert(`INSERT INTO orders(no, user_id, form_token, state, goods_total, delivery_fee, total, name, phone, province, city, district, street,
			note, created_at, expires_at, extended, close_reason, revived, carrier, tracking_no, source)
			VALUES(?, ?, ?, 'unpaid', ?, 0, ?, '', '', '', '', '', '', '', ?, ?, FALSE, '', FALSE, '', '', ?)`,
			o.No, o.UserID, o.FormToken, o.GoodsTotal, o.Total, o.CreatedAt, o.ExpiresAt, o.Source)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	tx.count(Unpaid, 1)
	_, err = tx.exec(`INSERT INTO order_items(order_id, sku_id, slug, name_zh, name_en, option_zh, option_en, picture, price, qty)
		VALUES(?, 0, '', ?, ?, '', '', '', ?, 1)`, o.ID, n.Title, n.Title, o.Total)
	if err != nil {
		return nil, nil, err
	}
	if err := tx.event(Event{OrderID: o.ID, At: o.CreatedAt, Actor: "staff", Kind: "placed", To: string(Unpaid), Amount: o.Total}); err != nil {
		return nil, nil, err
	}
	p, err := tx.attempt(o, n.Payment, now)
	if err != nil {
		return nil, nil, err
	}
	p.CodeTail = n.CodeTail
	_, err = tx.exec(`UPDATE payments SET code_tail = ? WHERE id = ?`, p.CodeTail, p.ID)
	return o, p, err
}

// handOver finishes an order of the cash desk in the transaction that paid it:
// the goods changed hands at the counter.
func (tx *Tx) handOver(o *Order, now Time) error {
	o.ShippedAt, o.Carrier = now, "counter"
	if err := tx.transition(o, Shipped, Event{At: now, Actor: "system", Kind: "handed-over"}); err != nil {
		return err
	}
	o.DoneAt = now
	return tx.transition(o, Done, Event{At: now, Actor: "system", Kind: "done"})
}

// Reversing marks an attempt of the cash desk that got no answer in time and
// is being taken back; it stays live and is looked at by the loop until WeChat
// has confirmed. Marked already: nil; ended already: ErrStale.
func (s *Store) Reversing(ctx context.Context, paymentID int64, actor, note string) error {
	err := s.write(ctx, func(tx *Tx) error {
		p, err := tx.paymentForWrite(`id = ?`, paymentID)
		switch {
		case err != nil, p.State == PayReversing:
			return err
		case p.State != PayCreated:
			return fmt.Errorf("payment %s is %s: %w", p.OutTradeNo, p.State, ErrStale)
		}
		now := s.time()
		p.NextQueryAt = now
		return tx.move(p, PayReversing, &Event{At: now, Actor: actor, Kind: "reversing", Amount: p.Total, Note: note})
	})
	if err != nil {
		return fmt.Errorf("reversing: %w", err)
	}
	return nil
}

// NotReversed makes an attempt that WeChat refuses to take back an open one
// again, to be asked about. One that has ended: nil.
func (s *Store) NotReversed(ctx context.Context, paymentID int64, note string) error {
	err := s.write(ctx, func(tx *Tx) error {
		p, err := tx.paymentForWrite(`id = ?`, paymentID)
		if err != nil || p.State != PayReversing {
			return err
		}
		now := s.time()
		p.NextQueryAt = now
		return tx.move(p, PayCreated, &Event{At: now, Actor: "query", Kind: "reversing", Amount: p.Total, Note: note})
	})
	if err != nil {
		return fmt.Errorf("not reversed: %w", err)
	}
	return nil
}

// Reversed ends an attempt that WeChat took back. One that was marked as paid
// meanwhile is not ended: WeChat gave its money back all the same, so it
// becomes a payment to check and paid = true.
func (s *Store) Reversed(ctx context.Context, paymentID int64, msgs []Message) (paid bool, err error) {
	err = s.write(ctx, func(tx *Tx) error {
		paid = false // this may be the second run
		p, err := tx.paymentForWrite(`id = ?`, paymentID)
		if err != nil {
			return err
		}
		now := s.time()
		switch p.State {
		case PayPaid:
			paid = true
			_, err = tx.misfit(Misfit{TransactionID: *p.TransactionID, Reason: "reversed", OutTradeNo: p.OutTradeNo, OrderID: p.OrderID,
				Got: "reversed", Want: "paid", Total: p.Total}, now)
		case PayReversing, PayCreated:
			err = tx.move(p, PayClosed, &Event{At: now, Actor: "query", Kind: "attempt", Amount: p.Total, Note: "reversed"})
		}
		if err != nil {
			return err
		}
		return tx.messages(msgs, now)
	})
	if err != nil {
		return false, fmt.Errorf("reversed: %w", err)
	}
	return paid, nil
}

// Sales are the cash desk's orders since a moment, newest first, each with its
// attempt.
func (s *Store) Sales(ctx context.Context, since time.Time, limit int) ([]Sale, error) {
	var os []Order
	err := s.read(ctx).Where("user_id < 0 AND created_at >= ?", At(since)).Order("id DESC").Limit(page(limit)).Find(&os).Error
	if err != nil {
		return nil, fmt.Errorf("sales: %w", toldRead(ctx, err))
	}
	out := make([]Sale, len(os))
	for i := range os {
		ps, err := s.Payments(ctx, os[i].ID)
		if err != nil {
			return nil, err
		}
		out[i] = Sale{os[i], ps[len(ps)-1]}
	}
	return out, nil
}

// Sale is an order of the cash desk with its one attempt.
type Sale struct {
	Order   Order
	Payment Payment
}

// SalesSum is what a cash desk took since a moment.
type SalesSum struct {
	Paid  int64
	Sum   Fen
	Ended int64 // taken back or refused
}

// SalesSum counts all sales since a moment, whatever Sales lists of them.
func (s *Store) SalesSum(ctx context.Context, since time.Time) (SalesSum, error) {
	var x SalesSum
	err := s.row(ctx, `SELECT coalesce(sum(CASE WHEN state IN ('paid', 'shipped', 'done') THEN 1 ELSE 0 END), 0),
		coalesce(sum(CASE WHEN state IN ('paid', 'shipped', 'done') THEN total ELSE 0 END), 0),
		coalesce(sum(CASE WHEN state = 'closed' THEN 1 ELSE 0 END), 0) FROM orders WHERE user_id < 0 AND created_at >= ?`,
		At(since)).Scan(&x.Paid, &x.Sum, &x.Ended)
	if err != nil {
		return x, fmt.Errorf("sum of sales: %w", toldRead(ctx, err))
	}
	return x, nil
}
