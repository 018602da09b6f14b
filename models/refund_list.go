package models

import (
	"context"
	"fmt"
)

// openRefunds are the states in which a refund has not ended.
var openRefunds = []RefundState{RefundPending, RefundProcessing, RefundAbnormal}

// OpenRefunds says how many refunds have not ended, and how much they are.
func (s *Store) OpenRefunds(ctx context.Context) (n int64, sum Fen, err error) {
	err = s.row(ctx, `SELECT count(*), coalesce(sum(amount), 0) FROM refunds WHERE state IN ('pending', 'processing', 'abnormal')`).Scan(&n, &sum)
	if err != nil {
		return 0, 0, fmt.Errorf("open refunds: %w", toldRead(ctx, err))
	}
	return n, sum, nil
}

// RefundFilter narrows the merchant's list of refunds.
type RefundFilter struct {
	States []RefundState // none: all
	Before int64         // id; 0: from the newest
	Limit  int
}

// RefundRow is a refund with what people know of its order.
type RefundRow struct {
	Refund
	OrderNo string // "": money of an unknown order
	Name    string // of the receiver
	Source  Source
}

// FindRefunds is a page of the list, newest first.
func (s *Store) FindRefunds(ctx context.Context, f RefundFilter) ([]RefundRow, error) {
	g := s.read(ctx)
	if len(f.States) > 0 {
		g = g.Where("state IN ?", f.States)
	}
	if f.Before > 0 {
		g = g.Where("id < ?", f.Before)
	}
	var rs []Refund
	if err := g.Order("id DESC").Limit(page(f.Limit)).Find(&rs).Error; err != nil {
		return nil, fmt.Errorf("find refunds: %w", toldRead(ctx, err))
	}
	return s.withOrders(ctx, rs)
}

// withOrders adds whose refunds these are.
func (s *Store) withOrders(ctx context.Context, rs []Refund) ([]RefundRow, error) {
	ids := make([]int64, len(rs))
	for i := range rs {
		ids[i] = rs[i].OrderID
	}
	var os []Order
	if err := s.read(ctx).Where("id IN ?", ids).Find(&os).Error; err != nil {
		return nil, fmt.Errorf("orders of refunds: %w", toldRead(ctx, err))
	}
	by := map[int64]*Order{}
	for i := range os {
		by[os[i].ID] = &os[i]
	}
	rows := make([]RefundRow, len(rs))
	for i := range rs {
		rows[i].Refund = rs[i]
		if o := by[rs[i].OrderID]; o != nil {
			rows[i].OrderNo, rows[i].Name, rows[i].Source = o.No, o.Receiver.Name, o.Source
		}
	}
	return rows, nil
}
