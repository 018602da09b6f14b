package models

import (
	"context"
	"fmt"
)

// Violation is a row that no allowed change makes (security D8): the file or
// a program beside this one has changed it, or this program has a fault.
type Violation struct {
	Rule string // of the table auditRules, or "stock" or "counts"
	What string // the order's number, the SKU's code, the state
}

// AuditBatch is how many orders one look goes through.
const AuditBatch = 500

// maxViolations bounds what one rule tells of one batch.
const maxViolations = 20

// auditRules say which orders are wrong. Each is one statement, so that it
// sees one moment: a change under way is seen whole or not at all. Every
// table beside the orders is entered by an index.
var auditRules = []struct{ name, wrong string }{
	{"total", `o.total <> o.goods_total + o.delivery_fee`},
	{"lines", `o.goods_total <> (SELECT coalesce(sum(i.price * i.qty), 0) FROM order_items i WHERE i.order_id = o.id)`},
	// One payment is the order's when it is paid, none when it is not; any
	// other one is owed back.
	{"paid", `CASE WHEN o.state IN ('paid', 'shipped', 'done') THEN 1 ELSE 0 END <>
		(SELECT count(*) FROM payments p WHERE p.order_id = o.id AND p.state = 'paid' AND NOT EXISTS(
			SELECT 1 FROM refunds r WHERE r.payment_id = p.id AND r.reason IN ('late', 'double')))`},
	{"attempt", `EXISTS(SELECT 1 FROM payments p WHERE p.order_id = o.id AND (p.total <> o.total
		OR (p.state = 'paid') <> (p.transaction_id IS NOT NULL)))`},
	// The index lets one attempt of an order be live; these are the ways past it.
	{"live", `EXISTS(SELECT 1 FROM payments p WHERE p.order_id = o.id AND (p.live_order_id <> o.id
		OR (p.live_order_id IS NULL) <> (p.state IN ('paid', 'closed', 'failed'))))`},
	// What settles a payment to check has WeChat's amount, not ours.
	{"refunds", `EXISTS(SELECT 1 FROM payments p WHERE p.order_id = o.id AND
		CASE WHEN p.state = 'paid' THEN p.total ELSE 0 END < (SELECT coalesce(sum(r.amount), 0) FROM refunds r
			WHERE r.out_trade_no = p.out_trade_no AND r.state <> 'closed' AND r.misfit_id = 0))`},
	{"history", `o.state <> coalesce((SELECT e.to_state FROM events e WHERE e.order_id = o.id
		AND e.kind IN ('placed', 'paid', 'revived', 'shipped', 'handed-over', 'done', 'closed')
		ORDER BY e.id DESC LIMIT 1), '')`},
}

const (
	auditNext = `SELECT count(*), coalesce(max(id), 0) FROM (SELECT id FROM orders WHERE id > ? ORDER BY id LIMIT ?) b`
	auditOf   = `SELECT o.no FROM orders o WHERE o.id > ? AND o.id <= ? AND `
	// auditCount goes through one state in the index, not through the table.
	auditCount = `SELECT (SELECT count(*) FROM orders WHERE state = ?) -
		(SELECT coalesce(sum(n), 0) FROM order_counts WHERE state = ? OR state LIKE ?)`
	auditStock = `SELECT code FROM skus WHERE stock < 0 OR price <= 0 ORDER BY id LIMIT ?`
)

// AuditOrders looks through the next orders above the id after, and gives the
// id to go on from; 0: those were the last.
func (s *Store) AuditOrders(ctx context.Context, after int64) (found []Violation, next int64, err error) {
	var n, last int64
	if err := s.row(ctx, auditNext, after, AuditBatch).Scan(&n, &last); err != nil {
		return nil, 0, fmt.Errorf("audit orders: %w", toldRead(ctx, err))
	}
	for _, rule := range auditRules {
		q := auditOf + rule.wrong + ` ORDER BY o.id LIMIT ?`
		if found, err = s.violations(ctx, found, rule.name, q, after, last, maxViolations); err != nil {
			return nil, 0, fmt.Errorf("audit %s: %w", rule.name, toldRead(ctx, err))
		}
	}
	if n < AuditBatch {
		last = 0
	}
	return found, last, nil
}

// AuditSums looks at what is kept beside the orders: stock, and how many
// orders are in each state.
func (s *Store) AuditSums(ctx context.Context) ([]Violation, error) {
	found, err := s.violations(ctx, nil, "stock", auditStock, maxViolations)
	if err != nil {
		return nil, fmt.Errorf("audit stock: %w", toldRead(ctx, err))
	}
	for _, state := range []State{Unpaid, Paid, Shipped, Done, Closed} {
		var off int64
		if err := s.row(ctx, auditCount, string(state), string(state), string(state)+"#%").Scan(&off); err != nil {
			return nil, fmt.Errorf("audit counts: %w", toldRead(ctx, err))
		}
		if off != 0 {
			found = append(found, Violation{"counts", string(state)})
		}
	}
	return found, nil
}

func (s *Store) violations(ctx context.Context, to []Violation, rule, q string, args ...any) ([]Violation, error) {
	rows, err := s.rows(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		v := Violation{Rule: rule}
		if err := rows.Scan(&v.What); err != nil {
			return nil, err
		}
		to = append(to, v)
	}
	return to, rows.Err()
}

// CheckFile looks through the file of an SQLite database while it is in use,
// by a connection of its own: quick_check, or thoroughly integrity_check and
// that no row points nowhere (security D7). Servers look after their own.
// A damaged file is [ErrDamaged].
func (s *Store) CheckFile(ctx context.Context, thorough bool) error {
	if s.far != nil {
		return nil
	}
	db, err := openDB(s.file.dsn(readerPragmas, ""))
	if err != nil {
		return fmt.Errorf("check the file: %w", err)
	}
	defer db.Close()
	check := map[bool]string{false: "quick_check", true: "integrity_check"}[thorough]
	if err := whole(ctx, db, check); err != nil {
		return fmt.Errorf("check the file: %w", err)
	}
	return nil
}
