package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// A bill may have millions of lines, and none may be believed before its last
// one. So its lines are taken into a table under the name of the run, some
// hundred at a time, and compared from there; nothing holds them all.

// BillBatch is how many lines are taken in or compared at once.
const BillBatch = 200

// StageBill takes lines of a bill in for run. What the run has a line about
// already, and what comes twice in lines, is not stored and comes back.
func (s *Store) StageBill(ctx context.Context, run string, lines []BillLine) (twice []BillLine, err error) {
	err = s.write(ctx, func(tx *Tx) error {
		twice = nil // this may be the second run
		known, err := tx.staged(run, lines)
		if err != nil {
			return err
		}
		now := s.time()
		var args []any
		for _, l := range lines {
			key := string(l.Kind) + l.Number
			if known[key] {
				twice = append(twice, l)
				continue
			}
			known[key] = true
			args = append(args, run, l.Kind, l.Number, l.OutTradeNo, l.TransactionID, l.RefundID, l.Amount, l.State, l.At, now)
		}
		if len(args) == 0 {
			return nil
		}
		_, err = tx.bulk(`INSERT INTO bill_lines(run, kind, number, out_trade_no, transaction_id, refund_id, amount, state, at, staged_at) VALUES `+
			places(`(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, len(args)/10), args...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("stage bill: %w", err)
	}
	return twice, nil
}

// staged are those of lines, by kind and number, that the run has already.
// Each kind is asked for by itself, as the key is: without its kind a number
// would be looked for through the whole run.
func (tx *Tx) staged(run string, lines []BillLine) (map[string]bool, error) {
	numbers := map[LineKind][]any{}
	for _, l := range lines {
		numbers[l.Kind] = append(numbers[l.Kind], l.Number)
	}
	known := map[string]bool{}
	for kind, list := range numbers {
		rows, err := tx.many(stagedOf+places("?", len(list))+`)`, append([]any{run, kind}, list...)...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var number string
			if err := rows.Scan(&number); err != nil {
				rows.Close()
				return nil, err
			}
			known[string(kind)+number] = true
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
	}
	return known, nil
}

const stagedOf = `SELECT number FROM bill_lines WHERE run = ? AND kind = ? AND number IN (`

const lineCols = `run, kind, number, out_trade_no, transaction_id, refund_id, amount, state, at, staged_at`

func scanLines(rows *sql.Rows, err error) ([]BillLine, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ls []BillLine
	for rows.Next() {
		var l BillLine
		err := rows.Scan(&l.Run, &l.Kind, &l.Number, &l.OutTradeNo, &l.TransactionID, &l.RefundID, &l.Amount, &l.State, &l.At, &l.StagedAt)
		if err != nil {
			return nil, err
		}
		ls = append(ls, l)
	}
	return ls, rows.Err()
}

const billLines = `SELECT ` + lineCols + ` FROM bill_lines WHERE run = ? AND kind = ? AND number > ? ORDER BY number LIMIT ?`

// BillLines are the lines of one kind that a run took in, by number, from the
// one after a number on.
func (s *Store) BillLines(ctx context.Context, run string, kind LineKind, after string) ([]BillLine, error) {
	ls, err := scanLines(s.rows(ctx, billLines, run, kind, after, BillBatch))
	if err != nil {
		return nil, fmt.Errorf("bill lines: %w", toldRead(ctx, err))
	}
	return ls, nil
}

// DropBill forgets the lines of a run.
func (s *Store) DropBill(ctx context.Context, run string) error {
	for _, kind := range []LineKind{LinePaid, LineRefund, LineReversed} {
		if err := s.dropLines(ctx, run, kind); err != nil {
			return fmt.Errorf("drop bill: %w", err)
		}
	}
	return nil
}

const dropStep = 2000

// dropLines deletes in steps, so that no shopper's write waits long.
func (s *Store) dropLines(ctx context.Context, run string, kind LineKind) error {
	for {
		var upTo string
		err := s.row(ctx, `SELECT number FROM bill_lines WHERE run = ? AND kind = ? ORDER BY number LIMIT 1 OFFSET ?`, run, kind, dropStep).Scan(&upTo)
		last := told(err) == ErrNotFound
		if err != nil && !last {
			return toldRead(ctx, err)
		}
		err = s.write(ctx, func(tx *Tx) error {
			if last {
				_, err := tx.exec(`DELETE FROM bill_lines WHERE run = ? AND kind = ?`, run, kind)
				return err
			}
			_, err := tx.exec(`DELETE FROM bill_lines WHERE run = ? AND kind = ? AND number < ?`, run, kind, upTo)
			return err
		})
		if err != nil || last {
			return err
		}
	}
}

// SweepBills forgets the lines of runs that never ended, as of a process that
// was killed: those that took lines in before a moment.
func (s *Store) SweepBills(ctx context.Context, before time.Time) error {
	for {
		var run string
		err := s.row(ctx, `SELECT run FROM bill_lines WHERE staged_at < ? LIMIT 1`, At(before)).Scan(&run)
		if told(err) == ErrNotFound {
			return nil
		}
		if err == nil {
			err = s.DropBill(ctx, run)
		}
		if err != nil {
			return fmt.Errorf("sweep bills: %w", toldRead(ctx, err))
		}
	}
}
