package models

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	minPayTime  = 5 * time.Minute // WeChat refuses a nearer time_expire (WeChat Pay v2, unifiedorder)
	moreTime    = 6 * time.Minute // what a late attempt extends the order to
	paymentCols = `id, order_id, live_order_id, out_trade_no, api, channel, sign_type, app_id, mch_id, open_id,
	description, notify_url, client_ip, total, currency, start_at, expire_at, state, prepay_id, prepay_until,
	transaction_id, paid_at, cash, bank_type, next_query_at, queries, last_error, created_at, code_url, h5_url, h5_until, code_tail`
)

func scanPayment(r scanner) (*Payment, error) {
	var p Payment
	err := r.Scan(&p.ID, &p.OrderID, &p.LiveOrderID, &p.OutTradeNo, &p.API, &p.Channel, &p.SignType, &p.AppID, &p.MchID, &p.OpenID,
		&p.Description, &p.NotifyURL, &p.ClientIP, &p.Total, &p.Currency, &p.StartAt, &p.ExpireAt, &p.State, &p.PrepayID, &p.PrepayUntil,
		&p.TransactionID, &p.PaidAt, &p.Cash, &p.BankType, &p.NextQueryAt, &p.Queries, &p.LastError, &p.CreatedAt,
		&p.CodeURL, &p.H5URL, &p.H5Until, &p.CodeTail)
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// Payment is the attempt of this number.
func (s *Store) Payment(ctx context.Context, outTradeNo string) (*Payment, error) {
	p, err := scanPayment(s.row(ctx, `SELECT `+paymentCols+` FROM payments WHERE out_trade_no = ?`, outTradeNo))
	if err != nil {
		return nil, fmt.Errorf("payment: %w", toldRead(ctx, err))
	}
	return p, nil
}

// LivePayment is the attempt of an order that is open; ErrNotFound: none.
func (s *Store) LivePayment(ctx context.Context, orderID int64) (*Payment, error) {
	p, err := scanPayment(s.row(ctx, liveOf, orderID))
	if err != nil {
		return nil, fmt.Errorf("live payment: %w", toldRead(ctx, err))
	}
	return p, nil
}

const liveOf = `SELECT ` + paymentCols + ` FROM payments WHERE live_order_id = ?`

func (tx *Tx) livePayment(orderID int64) (*Payment, error) {
	return scanPayment(tx.row(liveOf, orderID))
}

// attemptForWrite is as much of an attempt as a change of its state needs:
// every column that is read costs as much as a comparison of the row.
func (tx *Tx) attemptForWrite(id int64) (*Payment, error) {
	p := &Payment{ID: id}
	err := tx.rowForUpdate(`SELECT order_id, out_trade_no, state, total FROM payments WHERE id = ?`, id).
		Scan(&p.OrderID, &p.OutTradeNo, &p.State, &p.Total)
	return p, err
}

func (tx *Tx) paymentForWrite(where string, arg any) (*Payment, error) {
	return scanPayment(tx.rowForUpdate(`SELECT `+paymentCols+` FROM payments WHERE `+where, arg))
}

// Payments are the attempts of an order, oldest first.
func (s *Store) Payments(ctx context.Context, orderID int64) ([]Payment, error) {
	ps, err := scanPayments(s.rows(ctx, `SELECT `+paymentCols+` FROM payments WHERE order_id = ? ORDER BY id`, orderID))
	if err != nil {
		return nil, fmt.Errorf("payments: %w", toldRead(ctx, err))
	}
	return ps, nil
}

func scanPayments(rows *sql.Rows, err error) ([]Payment, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ps []Payment
	for rows.Next() {
		p, err := scanPayment(rows)
		if err != nil {
			return nil, err
		}
		ps = append(ps, *p)
	}
	return ps, rows.Err()
}

// NewPayment is the frozen part of an attempt. The Store adds its number,
// the total and the times.
type NewPayment struct {
	API, Channel, SignType, AppID, MchID, OpenID string
	NotifyURL, ClientIP, Currency                string
	QueryAfter                                   time.Duration       // of silence, before WeChat is asked first
	Describe                                     func(*Order) string // the text the payer sees
}

// same reports whether p is an attempt that n would make again.
func (n NewPayment) same(p *Payment, total Fen) bool {
	return p.API == n.API && p.Channel == n.Channel && p.AppID == n.AppID && p.MchID == n.MchID &&
		p.OpenID == n.OpenID && p.Total == total
}

// freeze makes the row of an attempt to pay o: what WeChat will be sent, the
// same at every retry, or WeChat refuses it as a different order.
func (n NewPayment) freeze(o *Order, now time.Time) *Payment {
	p := &Payment{
		OrderID: o.ID, LiveOrderID: &o.ID,
		API: n.API, Channel: n.Channel, SignType: n.SignType, AppID: n.AppID, MchID: n.MchID, OpenID: n.OpenID,
		NotifyURL: n.NotifyURL, ClientIP: n.ClientIP, Currency: n.Currency,
		Total: o.Total, State: PayCreated,
		StartAt: At(now), CreatedAt: At(now), NextQueryAt: At(now.Add(n.QueryAfter)), ExpireAt: o.ExpiresAt,
	}
	if soonest := At(now.Add(minPayTime)); p.ExpireAt.Before(soonest.Time) {
		p.ExpireAt = soonest
	}
	if n.Describe != nil {
		p.Description = n.Describe(o)
	}
	return p
}

// attempt stores a new live attempt of o. The event is the caller's.
func (tx *Tx) attempt(o *Order, n NewPayment, now time.Time) (*Payment, error) {
	p := n.freeze(o, now)
	err := tx.fresh(func() (err error) {
		p.OutTradeNo = tx.number("P", now)
		p.ID, err = tx.insert(`INSERT INTO payments(order_id, live_order_id, out_trade_no, api, channel, sign_type, app_id, mch_id, open_id,
			description, notify_url, client_ip, total, currency, start_at, expire_at, state, prepay_id, cash, bank_type, next_query_at, queries, last_error, created_at)
			VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0, '', ?, 0, '', ?)`,
			p.OrderID, p.LiveOrderID, p.OutTradeNo, p.API, p.Channel, p.SignType, p.AppID, p.MchID, p.OpenID,
			p.Description, p.NotifyURL, p.ClientIP, p.Total, p.Currency, p.StartAt, p.ExpireAt, p.State, p.NextQueryAt, p.CreatedAt)
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// OpenPayment returns the order's live attempt if it is of the same API,
// channel, app, merchant, payer and total; makes one if there is none; and
// gives ErrLive with the other attempt if that has to be closed at WeChat
// first. With less than 5 minutes left a new attempt moves the order's
// deadline to now + 6 minutes, once. Order not unpaid: ErrBadMove; past its
// deadline: ErrExpired.
func (s *Store) OpenPayment(ctx context.Context, orderID int64, n NewPayment) (*Payment, error) {
	var p *Payment
	err := s.write(ctx, func(tx *Tx) error {
		p = nil
		now := s.now()
		o, err := tx.orderForWrite(`id = ?`, orderID)
		if err != nil {
			return err
		}
		if o.State != Unpaid {
			return fmt.Errorf("order %s is %s: %w", o.No, o.State, ErrBadMove)
		}
		if !now.Before(o.ExpiresAt.Time) {
			return fmt.Errorf("order %s: %w", o.No, ErrExpired)
		}
		live, err := tx.livePayment(o.ID)
		if err == nil {
			p = live
			if !n.same(live, o.Total) || !now.Before(live.ExpireAt.Time) {
				return fmt.Errorf("order %s: %w", o.No, ErrLive)
			}
			return nil
		}
		if told(err) != ErrNotFound {
			return err
		}
		p, err = tx.openAttempt(o, n, now)
		return err
	})
	if err != nil {
		return p, fmt.Errorf("open payment: %w", err)
	}
	return p, nil
}

// openAttempt makes an attempt of an unpaid order that has none, extending its
// deadline when too little time is left.
func (tx *Tx) openAttempt(o *Order, n NewPayment, now time.Time) (*Payment, error) {
	if o.ExpiresAt.Sub(now) < minPayTime {
		if o.Extended {
			return nil, fmt.Errorf("order %s was extended before: %w", o.No, ErrExpired)
		}
		o.ExpiresAt, o.Extended = At(now.Add(moreTime)), true
		if _, err := tx.exec(`UPDATE orders SET expires_at = ?, extended = TRUE WHERE id = ?`, o.ExpiresAt, o.ID); err != nil {
			return nil, err
		}
	}
	var err error
	if o.Items, err = scanItems(tx.rows(itemsOf, o.ID)); err != nil {
		return nil, err
	}
	p, err := tx.attempt(o, n, now)
	if err != nil {
		return nil, err
	}
	return p, tx.event(Event{OrderID: o.ID, At: At(now), Actor: "shopper", Kind: "attempt", To: string(PayCreated),
		Amount: p.Total, OutTradeNo: p.OutTradeNo})
}

const renewPrepay = `UPDATE payments SET prepay_id = ?, prepay_until = ?, last_error = '', code_url = ?, h5_url = ?, h5_until = ? WHERE id = ?`

// Prepay is what WeChat gave to pay with.
type Prepay struct {
	ID      string
	Until   time.Time // of ID and CodeURL
	CodeURL string    // NATIVE
	H5URL   string    // MWEB
	H5Until time.Time
}

// MarkPrepaid is TX2: WeChat's prepay id of an attempt that is still open.
// Repeating it with a newer prepay id is fine. An attempt that ended
// meanwhile: ErrStale.
func (s *Store) MarkPrepaid(ctx context.Context, paymentID int64, x Prepay, msgs []Message) error {
	err := s.write(ctx, func(tx *Tx) error {
		p, err := tx.attemptForWrite(paymentID)
		if err != nil {
			return err
		}
		now := s.time()
		switch p.State {
		case PayCreated:
			p.PrepayID, p.PrepayUntil = x.ID, At(x.Until)
			err = tx.move(p, PayPrepaid, &Event{At: now, Actor: "system", Kind: "prepay", Amount: p.Total})
			if err == nil && (x.CodeURL != "" || x.H5URL != "") {
				_, err = tx.exec(renewPrepay, x.ID, At(x.Until), x.CodeURL, x.H5URL, At(x.H5Until), p.ID)
			}
		case PayPrepaid:
			_, err = tx.exec(renewPrepay, x.ID, At(x.Until), x.CodeURL, x.H5URL, At(x.H5Until), p.ID)
		default:
			err = fmt.Errorf("payment %s is %s: %w", p.OutTradeNo, p.State, ErrStale)
		}
		if err != nil {
			return err
		}
		return tx.messages(msgs, now)
	})
	if err != nil {
		return fmt.Errorf("mark prepaid: %w", err)
	}
	return nil
}

// EndPayment closes or fails an attempt that WeChat confirmed dead (to =
// PayClosed | PayFailed). Already ended: nil.
func (s *Store) EndPayment(ctx context.Context, paymentID int64, to PayState, actor, note string, msgs []Message) error {
	err := s.write(ctx, func(tx *Tx) error {
		if to != PayClosed && to != PayFailed {
			return fmt.Errorf("%s is no end: %w", to, ErrBadMove)
		}
		p, err := tx.paymentForWrite(`id = ?`, paymentID)
		if err != nil {
			return err
		}
		now := s.time()
		if slices.Contains(payMoves[p.State], to) {
			if to == PayFailed {
				p.LastError = shortError(note)
			}
			err := tx.move(p, to, &Event{At: now, Actor: actor, Kind: "attempt", Amount: p.Total, Note: note})
			if err != nil {
				return err
			}
		}
		return tx.messages(msgs, now)
	})
	if err != nil {
		return fmt.Errorf("end payment: %w", err)
	}
	return nil
}

// maxError is how many bytes of an error the column of an attempt holds.
const maxError = 1024

// shortError cuts an error to what its column holds: a server refuses a longer
// text and the whole step with it, and some errors list every name of somebody
// else's certificate.
func shortError(s string) string {
	if len(s) <= maxError {
		return s
	}
	return strings.ToValidUTF8(s[:maxError], "")
}

// Postpone sets the next query of an open attempt and remembers why. For an
// attempt that ended meanwhile only the messages are kept.
func (s *Store) Postpone(ctx context.Context, paymentID int64, next time.Time, lastError string, msgs []Message) error {
	err := s.write(ctx, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE payments SET next_query_at = ?, queries = queries + 1, last_error = ?
			WHERE id = ? AND state IN ('created', 'prepaid', 'reversing')`, At(next), shortError(lastError), paymentID)
		if err != nil {
			return err
		}
		return tx.messages(msgs, s.time())
	})
	if err != nil {
		return fmt.Errorf("postpone: %w", err)
	}
	return nil
}

// Each state for itself, as the index is; what is being taken back comes first
// and what was closed last, so that none waits behind the others.
const (
	dueOf      = `SELECT * FROM (SELECT ` + paymentCols + ` FROM payments WHERE state = '`
	dueThen    = `' AND next_query_at <= ? ORDER BY next_query_at LIMIT ?) AS due`
	dueQueries = dueOf + `reversing` + dueThen + ` UNION ALL ` + dueOf + `created` + dueThen + ` UNION ALL ` +
		dueOf + `prepaid` + dueThen + ` UNION ALL ` + dueOf + `closed` + dueThen
)

// DueQueries are open attempts whose next query has come, the longest due
// first; also those of an order that was paid by another attempt, because
// they must still be closed at WeChat.
func (s *Store) DueQueries(ctx context.Context, limit int) ([]Payment, error) {
	now, n := s.time(), page(limit)
	ps, err := scanPayments(s.rows(ctx, dueQueries, now, n, now, n, now, n, now, n))
	if err != nil {
		return nil, fmt.Errorf("due queries: %w", toldRead(ctx, err))
	}
	return ps, nil
}

// CheckAgain sets when an attempt that was closed is looked at once more,
// because a close within five minutes of the order may have had no effect
// (WeChat Pay v2, closeorder); zero: never.
func (s *Store) CheckAgain(ctx context.Context, paymentID int64, at time.Time) error {
	err := s.write(ctx, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE payments SET next_query_at = ? WHERE id = ? AND state = 'closed'`, At(at), paymentID)
		return err
	})
	if err != nil {
		return fmt.Errorf("check again: %w", err)
	}
	return nil
}

// WakeQueries makes every open attempt due now (after a start). After a crash
// or a restore, so are the attempts that were closed in the last day that the
// database knows of: what came after may be lost here, and not at WeChat
// (security D3).
func (s *Store) WakeQueries(ctx context.Context) (int64, error) {
	var n int64
	err := s.write(ctx, func(tx *Tx) error {
		now := s.time()
		res, err := tx.exec(`UPDATE payments SET next_query_at = ? WHERE state IN ('created', 'prepaid', 'reversing') AND next_query_at > ?`, now, now)
		if err != nil {
			return err
		}
		if n, err = res.RowsAffected(); err != nil || !s.unclean {
			return err
		}
		res, err = tx.exec(`UPDATE payments SET next_query_at = ? WHERE state = 'closed' AND created_at >=
			(SELECT max(at) FROM events) - ?`, now, (24 * time.Hour).Milliseconds())
		if err != nil {
			return err
		}
		again, err := res.RowsAffected()
		n += again
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("wake queries: %w", err)
	}
	s.woken.Store(true)
	return n, nil
}
