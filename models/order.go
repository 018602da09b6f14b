package models

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"strings"
	"time"

	"gorm.io/gorm"
)

const orderColumns = `id, no, user_id, form_token, state, goods_total, delivery_fee, total,
	name, phone, province, city, district, street, note, created_at, expires_at, extended,
	paid_at, shipped_at, done_at, closed_at, close_reason, revived, carrier, tracking_no, source`

func scanOrder(r scanner) (*Order, error) {
	var o Order
	err := r.Scan(&o.ID, &o.No, &o.UserID, &o.FormToken, &o.State, &o.GoodsTotal, &o.DeliveryFee, &o.Total,
		&o.Name, &o.Phone, &o.Province, &o.City, &o.District, &o.Street, &o.Note, &o.CreatedAt, &o.ExpiresAt, &o.Extended,
		&o.PaidAt, &o.ShippedAt, &o.DoneAt, &o.ClosedAt, &o.CloseReason, &o.Revived, &o.Carrier, &o.TrackingNo, &o.Source)
	if err != nil {
		return nil, err
	}
	return &o, nil
}

const itemsOf = `SELECT id, order_id, sku_id, slug, name_zh, name_en, option_zh, option_en, picture, price, qty
	FROM order_items WHERE order_id = ? ORDER BY id`

func scanItems(rows *sql.Rows, err error) ([]OrderItem, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var items []OrderItem
	for rows.Next() {
		var i OrderItem
		err := rows.Scan(&i.ID, &i.OrderID, &i.SKUID, &i.Slug, &i.NameZH, &i.NameEN, &i.OptionZH, &i.OptionEN, &i.Picture, &i.Price, &i.Qty)
		if err != nil {
			return nil, err
		}
		items = append(items, i)
	}
	return items, rows.Err()
}

// Order is the user's order of this number, with its items. Somebody else's
// is ErrNotFound, as an unknown one is (security P15).
func (s *Store) Order(ctx context.Context, user int64, no string) (*Order, error) {
	return s.order(ctx, `SELECT `+orderColumns+` FROM orders WHERE no = ? AND user_id = ?`, no, user)
}

// AnyOrder is the order of this number, whoever's it is: for staff and loops.
func (s *Store) AnyOrder(ctx context.Context, no string) (*Order, error) {
	return s.order(ctx, `SELECT `+orderColumns+` FROM orders WHERE no = ?`, no)
}

// OrderByID is AnyOrder by id.
func (s *Store) OrderByID(ctx context.Context, id int64) (*Order, error) {
	return s.order(ctx, `SELECT `+orderColumns+` FROM orders WHERE id = ?`, id)
}

func (s *Store) order(ctx context.Context, q string, args ...any) (*Order, error) {
	o, err := scanOrder(s.row(ctx, q, args...))
	if err == nil {
		o.Items, err = scanItems(s.rows(ctx, itemsOf, o.ID))
	}
	if err != nil {
		return nil, fmt.Errorf("order: %w", toldRead(ctx, err))
	}
	return o, nil
}

// orderForWrite is an order without its items, inside a transaction.
func (tx *Tx) orderForWrite(where string, args ...any) (*Order, error) {
	return scanOrder(tx.rowForUpdate(`SELECT `+orderColumns+` FROM orders WHERE `+where, args...))
}

// Status is the little that the poll needs, in one raw read.
type Status struct {
	OrderID     int64
	State       State
	CloseReason CloseReason
	Total       Fen
	ExpiresAt   Time
	Live        bool // an attempt is open
	Prepaid     bool // and WeChat gave it a prepay id
	Misfit      bool // money for it waits in payments to check
	Refunding   Fen  // refunds not ended
}

const statusOf = `SELECT o.id, o.state, o.close_reason, o.total, o.expires_at,
		(SELECT p.state FROM payments p WHERE p.live_order_id = o.id),
		EXISTS(SELECT 1 FROM misfits m WHERE m.order_id = o.id AND m.state = 'open'),
		(SELECT coalesce(sum(r.amount), 0) FROM refunds r WHERE r.order_id = o.id AND r.state NOT IN ('succeeded', 'closed'))
	FROM orders o WHERE o.no = ? AND o.user_id = ?`

// Status is where the user's order stands.
func (s *Store) Status(ctx context.Context, user int64, no string) (*Status, error) {
	var (
		x    Status
		live sql.NullString
	)
	err := s.row(ctx, statusOf, no, user).
		Scan(&x.OrderID, &x.State, &x.CloseReason, &x.Total, &x.ExpiresAt, &live, &x.Misfit, &x.Refunding)
	if err != nil {
		return nil, fmt.Errorf("status: %w", toldRead(ctx, err))
	}
	x.Live, x.Prepaid = live.Valid, live.String == string(PayPrepaid)
	return &x, nil
}

const maxPage = 100 // rows of any list (security I14)

func page(limit int) int {
	if limit <= 0 || limit > maxPage {
		return maxPage
	}
	return limit
}

// Orders of a shopper with items, newest first; state "" = all; before = id
// cursor, 0 = start.
func (s *Store) Orders(ctx context.Context, user int64, state State, before int64, limit int) ([]Order, error) {
	q := s.read(ctx).Preload("Items", itemsInOrder).Where("user_id = ?", user)
	if state != "" {
		q = q.Where("state = ?", state)
	}
	if before > 0 {
		q = q.Where("id < ?", before)
	}
	var os []Order
	if err := q.Order("id DESC").Limit(page(limit)).Find(&os).Error; err != nil {
		return nil, fmt.Errorf("orders: %w", toldRead(ctx, err))
	}
	return os, nil
}

func itemsInOrder(g *gorm.DB) *gorm.DB { return g.Order("id") }

// OrderCounts is how many orders a shopper has in each state.
func (s *Store) OrderCounts(ctx context.Context, user int64) (map[State]int64, error) {
	return s.counts(ctx, `SELECT state, count(*) FROM orders WHERE user_id = ? GROUP BY state`, user)
}

// StateCounts is how many orders there are in each state.
func (s *Store) StateCounts(ctx context.Context) (map[State]int64, error) {
	rows, err := s.counts(ctx, stateCounts)
	if err != nil {
		return nil, err
	}
	counts := make(map[State]int64)
	for row, n := range rows {
		state, _, _ := strings.Cut(string(row), "#")
		counts[State(state)] += n
	}
	maps.DeleteFunc(counts, func(state State, n int64) bool { return n <= 0 || state == catalogChanges })
	return counts, nil
}

const stateCounts = `SELECT state, n FROM order_counts`

func (s *Store) counts(ctx context.Context, q string, args ...any) (map[State]int64, error) {
	rows, err := s.rows(ctx, q, args...)
	if err != nil {
		return nil, fmt.Errorf("count orders: %w", toldRead(ctx, err))
	}
	defer rows.Close()
	counts := make(map[State]int64)
	for rows.Next() {
		var state State
		var n int64
		if err := rows.Scan(&state, &n); err != nil {
			return nil, fmt.Errorf("count orders: %w", toldRead(ctx, err))
		}
		counts[state] = n
	}
	return counts, toldRead(ctx, rows.Err())
}

// CloseOrder ends an unpaid order: state, stock back, event. The caller has asked WeChat first. Not unpaid any more: ErrStale.
func (s *Store) CloseOrder(ctx context.Context, orderID int64, why CloseReason, actor, note string) error {
	err := s.write(ctx, func(tx *Tx) error {
		o, err := tx.orderForWrite(`id = ?`, orderID)
		if err != nil {
			return err
		}
		if o.State != Unpaid {
			return fmt.Errorf("order %s is %s: %w", o.No, o.State, ErrStale)
		}
		now := s.time()
		o.ClosedAt, o.CloseReason = now, why
		if err := tx.transition(o, Closed, Event{At: now, Actor: actor, Kind: "closed", Amount: o.Total, Note: note}); err != nil {
			return err
		}
		if err := tx.restock(o.ID); err != nil {
			return err
		}
		// WeChat may still take money for an attempt that another tab opened
		// meanwhile: it stays open here, and is ended there by whoever looks for
		// attempts of orders that need none.
		_, err = tx.exec(`UPDATE payments SET next_query_at = ? WHERE live_order_id = ?`, now, o.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("close order: %w", err)
	}
	return nil
}

// restock gives back what an order took.
func (tx *Tx) restock(orderID int64) error {
	tx.catalog = true
	took, err := tx.tookOf(orderID)
	if err != nil {
		return err
	}
	for _, l := range took {
		if _, err := tx.exec(`UPDATE skus SET stock = stock + ? WHERE id = ?`, l.Qty, l.SKUID); err != nil {
			return err
		}
	}
	return nil
}

// tookOf is how many of each SKU an order takes, by SKU: the order in which
// everybody takes their rows.
func (tx *Tx) tookOf(orderID int64) ([]Line, error) {
	rows, err := tx.rows(`SELECT sku_id, sum(qty) FROM order_items WHERE order_id = ? GROUP BY sku_id ORDER BY sku_id`, orderID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var took []Line
	for rows.Next() {
		var l Line
		if err := rows.Scan(&l.SKUID, &l.Qty); err != nil {
			return nil, err
		}
		took = append(took, l)
	}
	return took, rows.Err()
}

// Ship records that the parcel left: paid → shipped.
func (s *Store) Ship(ctx context.Context, no, carrier, trackingNo, actor string) error {
	err := s.write(ctx, func(tx *Tx) error {
		o, err := tx.orderForWrite(`no = ?`, no)
		if err != nil {
			return err
		}
		var back Fen
		err = tx.row(`SELECT coalesce(sum(amount), 0) FROM refunds WHERE order_id = ? AND state <> 'closed' AND reason = 'merchant'`, o.ID).Scan(&back)
		if err != nil {
			return err
		}
		if o.State == Paid && back >= o.Total {
			return fmt.Errorf("order %s was given back in full: %w", o.No, ErrBadMove)
		}
		o.ShippedAt, o.Carrier, o.TrackingNo = s.time(), carrier, trackingNo
		return tx.transition(o, Shipped, Event{At: o.ShippedAt, Actor: actor, Kind: "shipped", Note: carrier + " " + trackingNo})
	})
	if err != nil {
		return fmt.Errorf("ship: %w", err)
	}
	return nil
}

// Confirm ends an order whose parcel arrived: shipped → done. user 0 = staff
// or loop.
func (s *Store) Confirm(ctx context.Context, user int64, no, actor string) error {
	err := s.write(ctx, func(tx *Tx) error {
		o, err := tx.orderForWrite(`no = ?`, no)
		if err != nil {
			return err
		}
		if user != 0 && o.UserID != user {
			return ErrNotFound
		}
		o.DoneAt = s.time()
		return tx.transition(o, Done, Event{At: o.DoneAt, Actor: actor, Kind: "done"})
	})
	if err != nil {
		return fmt.Errorf("confirm: %w", err)
	}
	return nil
}

// AddNote writes a line into an order's history.
func (s *Store) AddNote(ctx context.Context, no, actor, text string) error {
	err := s.write(ctx, func(tx *Tx) error {
		var id int64
		if err := tx.row(`SELECT id FROM orders WHERE no = ?`, no).Scan(&id); err != nil {
			return err
		}
		return tx.event(Event{OrderID: id, At: s.time(), Actor: actor, Kind: "note", Note: text})
	})
	if err != nil {
		return fmt.Errorf("add note: %w", err)
	}
	return nil
}

// DueToConfirm are orders that were shipped before t and not confirmed.
func (s *Store) DueToConfirm(ctx context.Context, shippedBefore time.Time, limit int) ([]Order, error) {
	var os []Order
	err := s.read(ctx).Where("state = ? AND shipped_at < ?", Shipped, At(shippedBefore)).Order("id").Limit(page(limit)).Find(&os).Error
	if err != nil {
		return nil, fmt.Errorf("orders to confirm: %w", toldRead(ctx, err))
	}
	return os, nil
}

// DueOrders are unpaid orders whose deadline lies before t, by id; after = id
// cursor, 0 = start.
func (s *Store) DueOrders(ctx context.Context, t time.Time, after int64, limit int) ([]Order, error) {
	var os []Order
	err := s.read(ctx).Where("state = ? AND expires_at < ? AND id > ?", Unpaid, At(t), after).Order("id").Limit(page(limit)).Find(&os).Error
	if err != nil {
		return nil, fmt.Errorf("orders past their deadline: %w", toldRead(ctx, err))
	}
	return os, nil
}
