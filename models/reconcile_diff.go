package models

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

const diffCols = `id, day, kind, number, out_trade_no, transaction_id, refund_id, order_id, theirs, ours, their_state, our_state, at,
	state, note, run, found_at, seen_at, closed_at, closed_by`

func scanDiffs(rows *sql.Rows, err error) ([]BillDifference, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ds []BillDifference
	for rows.Next() {
		d, err := scanDiff(rows)
		if err != nil {
			return nil, err
		}
		ds = append(ds, *d)
	}
	return ds, rows.Err()
}

func scanDiff(r scanner) (*BillDifference, error) {
	d := &BillDifference{}
	return d, r.Scan(&d.ID, &d.Day, &d.Kind, &d.Number, &d.OutTradeNo, &d.TransactionID, &d.RefundID, &d.OrderID, &d.Theirs, &d.Ours,
		&d.TheirState, &d.OurState, &d.At, &d.State, &d.Note, &d.Run, &d.FoundAt, &d.SeenAt, &d.ClosedAt, &d.ClosedBy)
}

// KeepDifferences stores what a run found. What was found before stays one
// row; it is opened again if it had gone, or if somebody explained other
// values. fresh are those that nobody knew.
func (s *Store) KeepDifferences(ctx context.Context, found []BillDifference) (fresh []BillDifference, err error) {
	keep := func(tx *Tx) error {
		fresh = nil // this may be the second run
		for i := range found {
			news, err := tx.keepDifference(found[i], s.time())
			if err != nil {
				return err
			}
			if news {
				fresh = append(fresh, found[i])
			}
		}
		return nil
	}
	if err = s.write(ctx, keep); clash(err) { // somebody else found the same just now
		err = s.write(ctx, keep)
	}
	if err != nil {
		return nil, fmt.Errorf("keep differences: %w", err)
	}
	return fresh, nil
}

func (tx *Tx) keepDifference(d BillDifference, now Time) (fresh bool, err error) {
	was, err := scanDiff(tx.rowForUpdate(`SELECT `+diffCols+` FROM bill_differences WHERE day = ? AND kind = ? AND number = ?`, d.Day, d.Kind, d.Number))
	if told(err) == ErrNotFound {
		_, err = tx.insert(`INSERT INTO bill_differences(day, kind, number, out_trade_no, transaction_id, refund_id, order_id, theirs, ours,
			their_state, our_state, at, state, note, run, found_at, seen_at, closed_by) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', '', ?, ?, ?, '')`,
			d.Day, d.Kind, d.Number, d.OutTradeNo, d.TransactionID, d.RefundID, d.OrderID, d.Theirs, d.Ours, d.TheirState, d.OurState, d.At,
			d.Run, now, now)
		return true, err
	}
	if err != nil {
		return false, err
	}
	if was.State == DiffExplained && was.Theirs == d.Theirs && was.Ours == d.Ours && was.TransactionID == d.TransactionID {
		_, err := tx.exec(`UPDATE bill_differences SET run = ?, seen_at = ? WHERE id = ?`, d.Run, now, was.ID)
		return false, err
	}
	_, err = tx.exec(`UPDATE bill_differences SET transaction_id = ?, refund_id = ?, order_id = ?, theirs = ?, ours = ?, their_state = ?, our_state = ?,
		at = ?, state = 'open', note = '', closed_at = NULL, closed_by = '', run = ?, seen_at = ? WHERE id = ?`,
		d.TransactionID, d.RefundID, d.OrderID, d.Theirs, d.Ours, d.TheirState, d.OurState, d.At, d.Run, now, was.ID)
	return was.State != DiffOpen, err
}

const closeDiffs = `UPDATE bill_differences SET state = 'resolved', note = ?, closed_at = ?, closed_by = 'system' WHERE state = 'open' AND `

// CloseBill ends the run that compared d: open differences of the day that it
// did not find again are resolved, as are those of other days whose number is
// a line of this bill after all; and d is stored.
func (s *Store) CloseBill(ctx context.Context, d BillDay, run string, began time.Time) error {
	err := s.write(ctx, func(tx *Tx) error {
		now := s.time()
		_, err := tx.exec(closeDiffs+`day = ? AND run <> ? AND seen_at <= ?`, NoteAgrees, now, d.Day, run, At(began))
		if err != nil {
			return err
		}
		for kind, line := range map[DiffKind]LineKind{DiffMissing: LinePaid, DiffRefundMissing: LineRefund} {
			_, err := tx.exec(closeDiffs+`day <> ? AND kind = ? AND EXISTS(SELECT 1 FROM bill_lines l
				WHERE l.run = ? AND l.kind = ? AND l.number = bill_differences.number)`, NoteNeighbour, now, d.Day, kind, run, line)
			if err != nil {
				return err
			}
		}
		return tx.saveBillDay(d, now)
	})
	if err != nil {
		return fmt.Errorf("close bill: %w", err)
	}
	return nil
}

const billDayCols = `id, day, state, api, checked_at, next_at, tries, problem, payments, paid, refunds, refunded, reversed,
	our_payments, our_paid, our_refunds, our_refunded, known, waiting`

func scanBillDay(r scanner) (*BillDay, error) {
	d := &BillDay{}
	return d, r.Scan(&d.ID, &d.Day, &d.State, &d.API, &d.CheckedAt, &d.NextAt, &d.Tries, &d.Problem, &d.Payments, &d.Paid, &d.Refunds, &d.Refunded,
		&d.Reversed, &d.OurPayments, &d.OurPaid, &d.OurRefunds, &d.OurRefunded, &d.Known, &d.Waiting)
}

func (tx *Tx) saveBillDay(d BillDay, now Time) error {
	was, err := scanBillDay(tx.rowForUpdate(`SELECT `+billDayCols+` FROM bill_days WHERE day = ?`, d.Day))
	if told(err) == ErrNotFound {
		_, err = tx.insert(`INSERT INTO bill_days(day, state, api, checked_at, next_at, tries, problem, payments, paid, refunds, refunded, reversed,
			our_payments, our_paid, our_refunds, our_refunded, known, waiting) VALUES(?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			d.Day, d.State, d.API, now, d.NextAt, d.Problem, d.Payments, d.Paid, d.Refunds, d.Refunded, d.Reversed,
			d.OurPayments, d.OurPaid, d.OurRefunds, d.OurRefunded, d.Known, d.Waiting)
		return err
	}
	if err != nil {
		return err
	}
	_, err = tx.exec(`UPDATE bill_days SET state = ?, api = ?, checked_at = ?, next_at = ?, tries = tries + 1, problem = ?, payments = ?, paid = ?,
		refunds = ?, refunded = ?, reversed = ?, our_payments = ?, our_paid = ?, our_refunds = ?, our_refunded = ?, known = ?, waiting = ? WHERE id = ?`,
		d.State, d.API, now, d.NextAt, d.Problem, d.Payments, d.Paid, d.Refunds, d.Refunded, d.Reversed,
		d.OurPayments, d.OurPaid, d.OurRefunds, d.OurRefunded, d.Known, d.Waiting, was.ID)
	return err
}

// PostponeBill notes that a day could not be compared now, and why. A day that
// was compared before keeps its answer.
func (s *Store) PostponeBill(ctx context.Context, day string, state BillStep, problem string, next time.Time) error {
	err := s.write(ctx, func(tx *Tx) error {
		now := s.time()
		was, err := scanBillDay(tx.rowForUpdate(`SELECT `+billDayCols+` FROM bill_days WHERE day = ?`, day))
		if told(err) == ErrNotFound {
			return tx.saveBillDay(BillDay{Day: day, State: state, Problem: problem, NextAt: At(next)}, now)
		}
		if err != nil {
			return err
		}
		if was.State.Compared() {
			state = was.State
		}
		_, err = tx.exec(`UPDATE bill_days SET state = ?, problem = ?, next_at = ?, tries = tries + 1, checked_at = ? WHERE id = ?`,
			state, problem, At(next), now, was.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("postpone bill: %w", err)
	}
	return nil
}

// closeDifference ends one that is open: else ErrStale.
func (s *Store) closeDifference(ctx context.Context, id int64, to DiffState, actor, note string) error {
	return s.write(ctx, func(tx *Tx) error {
		ok, err := tx.execOne(`UPDATE bill_differences SET state = ?, note = ?, closed_at = ?, closed_by = ? WHERE id = ? AND state = 'open'`,
			to, clip(note, 1000), s.time(), clip(actor, 64), id)
		if err != nil || ok {
			return err
		}
		if _, err := scanDiff(tx.row(`SELECT `+diffCols+` FROM bill_differences WHERE id = ?`, id)); err != nil {
			return err
		}
		return ErrStale
	})
}

// ExplainDifference closes one with a person's note. One that is closed
// already: ErrStale.
func (s *Store) ExplainDifference(ctx context.Context, id int64, actor, note string) error {
	if err := s.closeDifference(ctx, id, DiffExplained, actor, note); err != nil {
		return fmt.Errorf("explain difference: %w", err)
	}
	return nil
}

// ResolveDifference closes one that is gone.
func (s *Store) ResolveDifference(ctx context.Context, id int64, actor, note string) error {
	if err := s.closeDifference(ctx, id, DiffResolved, actor, note); err != nil {
		return fmt.Errorf("resolve difference: %w", err)
	}
	return nil
}
