package models

import (
	"context"
	"fmt"
	"strings"
)

// OrderFilter narrows the merchant's list. Query is any number that people
// know: order, out_trade_no, transaction id, phone, tracking number.
type OrderFilter struct {
	State  State
	Query  string
	Before int64
	Limit  int
}

// OrderRow is a line of the merchant's list.
type OrderRow struct {
	Order
	Misfits, Refunds int64
}

// anyNumber finds orders by whatever number somebody has in hand, each arm
// through an index of its own.
const anyNumber = `id IN (SELECT found.id FROM (
	SELECT id FROM orders WHERE no = @n
	UNION SELECT id FROM orders WHERE phone = @n
	UNION SELECT id FROM orders WHERE tracking_no IN (@n, @typed) AND tracking_no <> ''
	UNION SELECT order_id FROM payments WHERE out_trade_no = @n
	UNION SELECT order_id FROM payments WHERE transaction_id = @n
	UNION SELECT order_id FROM refunds WHERE out_refund_no = @n
	UNION SELECT order_id FROM misfits WHERE transaction_id = @n) AS found)`

// FindOrders is a page of the merchant's list with items, newest first.
func (s *Store) FindOrders(ctx context.Context, f OrderFilter) ([]OrderRow, error) {
	g := s.read(ctx).Preload("Items", itemsInOrder)
	if typed := strings.TrimSpace(f.Query); typed != "" {
		g = g.Where(anyNumber, map[string]any{"n": strings.ToUpper(typed), "typed": typed})
	}
	if f.State != "" {
		g = g.Where("state = ?", f.State)
	}
	if f.Before > 0 {
		g = g.Where("id < ?", f.Before)
	}
	var os []Order
	if err := g.Order("id DESC").Limit(page(f.Limit)).Find(&os).Error; err != nil {
		return nil, fmt.Errorf("find orders: %w", toldRead(ctx, err))
	}
	rows, err := s.badges(ctx, os)
	if err != nil {
		return nil, fmt.Errorf("find orders: %w", toldRead(ctx, err))
	}
	return rows, nil
}

// badges adds how many misfits are open and how many refunds are under way.
func (s *Store) badges(ctx context.Context, os []Order) ([]OrderRow, error) {
	rows, at := make([]OrderRow, len(os)), make(map[int64]int, len(os))
	ids := make([]int64, len(os))
	for i, o := range os {
		rows[i].Order, ids[i], at[o.ID] = o, o.ID, i
	}
	type count struct{ OrderID, N int64 }
	var misfits, refunds []count
	err := s.read(ctx).Model(&Misfit{}).Select("order_id, count(*) AS n").
		Where("order_id IN ? AND state = 'open'", ids).Group("order_id").Scan(&misfits).Error
	if err != nil {
		return nil, err
	}
	err = s.read(ctx).Model(&Refund{}).Select("order_id, count(*) AS n").
		Where("order_id IN ? AND state IN ?", ids, openRefunds).Group("order_id").Scan(&refunds).Error
	if err != nil {
		return nil, err
	}
	for _, c := range misfits {
		rows[at[c.OrderID]].Misfits = c.N
	}
	for _, c := range refunds {
		rows[at[c.OrderID]].Refunds = c.N
	}
	return rows, nil
}

// Dossier is an order with all its history, for the merchant.
type Dossier struct {
	Order    *Order
	User     *User
	Payments []Payment
	Refunds  []Refund
	Events   []Event   // oldest first
	Messages []Message // oldest first
	Misfits  []Misfit
}

// Dossier is everything about an order.
func (s *Store) Dossier(ctx context.Context, no string) (*Dossier, error) {
	o, err := s.AnyOrder(ctx, no)
	if err != nil {
		return nil, err
	}
	d := &Dossier{Order: o}
	if o.Source == FromCounter {
		d.User = &User{ID: o.UserID}
	} else if d.User, err = s.User(ctx, o.UserID); err != nil {
		return nil, err
	}
	for _, list := range []any{&d.Payments, &d.Refunds, &d.Events, &d.Misfits} {
		if err := s.read(ctx).Where("order_id = ?", o.ID).Order("id").Find(list).Error; err != nil {
			return nil, fmt.Errorf("dossier of %s: %w", no, toldRead(ctx, err))
		}
	}
	numbers := make([]string, len(d.Payments))
	for i, p := range d.Payments {
		numbers[i] = p.OutTradeNo
	}
	if err := s.read(ctx).Where("out_trade_no IN ?", numbers).Order("id").Find(&d.Messages).Error; err != nil {
		return nil, fmt.Errorf("dossier of %s: %w", no, toldRead(ctx, err))
	}
	return d, nil
}
