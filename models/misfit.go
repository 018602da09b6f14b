package models

import (
	"context"
	"errors"
	"fmt"
)

// RecordMisfit stores money that fits nothing; the second time it is the same
// row and fresh = false.
func (s *Store) RecordMisfit(ctx context.Context, m Misfit, msgs []Message) (fresh bool, err error) {
	err = s.write(ctx, func(tx *Tx) error {
		var err error
		now := s.time()
		if fresh, err = tx.misfit(m, now); err != nil {
			return err
		}
		return tx.messages(msgs, now)
	})
	if err != nil {
		return false, fmt.Errorf("record misfit: %w", err)
	}
	return fresh, nil
}

// misfit stores m unless it is known, with a line in the order's history.
func (tx *Tx) misfit(m Misfit, now Time) (fresh bool, err error) {
	var known int64
	err = tx.row(`SELECT count(*) FROM misfits WHERE transaction_id = ? AND reason = ?`, m.TransactionID, m.Reason).Scan(&known)
	if err != nil || known > 0 {
		return false, err
	}
	_, err = tx.exec(`INSERT INTO misfits(transaction_id, reason, out_trade_no, order_id, got, want, total, raw, state, note, created_at, closed_by)
		VALUES(?, ?, ?, ?, ?, ?, ?, ?, 'open', ?, ?, '')`,
		m.TransactionID, m.Reason, m.OutTradeNo, m.OrderID, m.Got, m.Want, m.Total, m.Raw, m.Note, now)
	if err != nil || m.OrderID == 0 {
		return err == nil, err
	}
	return true, tx.event(Event{OrderID: m.OrderID, At: now, Actor: "system", Kind: "misfit", Amount: max(m.Total, 0),
		OutTradeNo: m.OutTradeNo, TransactionID: m.TransactionID, Note: m.Reason})
}

// Misfits are payments to check, newest first.
func (s *Store) Misfits(ctx context.Context, openOnly bool, before int64, limit int) ([]Misfit, error) {
	g := s.read(ctx)
	if openOnly {
		g = g.Where("state = 'open'")
	}
	if before > 0 {
		g = g.Where("id < ?", before)
	}
	var ms []Misfit
	if err := g.Order("id DESC").Limit(page(limit)).Find(&ms).Error; err != nil {
		return nil, fmt.Errorf("misfits: %w", toldRead(ctx, err))
	}
	return ms, nil
}

// OpenMisfits says how many payments wait for a person.
func (s *Store) OpenMisfits(ctx context.Context) (int64, error) {
	var n int64
	if err := s.row(ctx, `SELECT count(*) FROM misfits WHERE state = 'open'`).Scan(&n); err != nil {
		return 0, fmt.Errorf("count misfits: %w", toldRead(ctx, err))
	}
	return n, nil
}

// openMisfit is a payment to check that nobody has decided on: else ErrStale.
func (tx *Tx) openMisfit(id int64) (*Misfit, error) {
	m := &Misfit{ID: id}
	if err := tx.lockMisfit(id); err != nil {
		return m, err
	}
	err := tx.row(`SELECT order_id, out_trade_no, transaction_id, state, total, reason FROM misfits WHERE id = ?`, id).
		Scan(&m.OrderID, &m.OutTradeNo, &m.TransactionID, &m.State, &m.Total, &m.Reason)
	if err == nil && m.State != "open" {
		err = ErrStale
	}
	return m, err
}

// lockMisfit takes, on a server, the order of a payment to check and all rows
// of its number: what is left of that number is decided by them together.
func (tx *Tx) lockMisfit(id int64) error {
	if tx.words == nil {
		return nil
	}
	if err := tx.lockOrder(`id = (SELECT order_id FROM misfits WHERE id = ?)`, id); err != nil {
		return err
	}
	rows, err := tx.rows(`SELECT id FROM misfits WHERE out_trade_no = (SELECT m.out_trade_no FROM misfits m WHERE m.id = ?) ORDER BY id FOR UPDATE`, id)
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return errors.Join(rows.Err(), rows.Close())
}

// closeMisfit records a person's decision, with a line in the order's history.
func (tx *Tx) closeMisfit(m *Misfit, state, actor, note string, now Time) error {
	_, err := tx.exec(`UPDATE misfits SET state = ?, note = ?, closed_at = ?, closed_by = ? WHERE id = ?`, state, note, now, actor, m.ID)
	if err != nil || m.OrderID == 0 {
		return err
	}
	return tx.event(Event{OrderID: m.OrderID, At: now, Actor: actor, Kind: state,
		OutTradeNo: m.OutTradeNo, TransactionID: m.TransactionID, Note: note})
}

// ExplainMisfit closes one with a note. One that is closed already: ErrStale.
func (s *Store) ExplainMisfit(ctx context.Context, id int64, actor, note string) error {
	err := s.write(ctx, func(tx *Tx) error {
		m, err := tx.openMisfit(id)
		if err != nil {
			return err
		}
		return tx.closeMisfit(m, "explained", actor, note, s.time())
	})
	if err != nil {
		return fmt.Errorf("explain misfit: %w", err)
	}
	return nil
}

// PendingRefunds are refunds that were promised and not asked of WeChat yet.
func (s *Store) PendingRefunds(ctx context.Context, limit int) ([]Refund, error) {
	var rs []Refund
	if err := s.read(ctx).Where("state = ?", RefundPending).Order("next_at").Limit(page(limit)).Find(&rs).Error; err != nil {
		return nil, fmt.Errorf("pending refunds: %w", toldRead(ctx, err))
	}
	return rs, nil
}
