package models

import (
	"context"
	"fmt"
)

// BillDay is one day; ErrNotFound when nobody has looked at it.
func (s *Store) BillDay(ctx context.Context, day string) (*BillDay, error) {
	d, err := scanBillDay(s.row(ctx, `SELECT `+billDayCols+` FROM bill_days WHERE day = ?`, day))
	if err != nil {
		return nil, fmt.Errorf("bill day: %w", toldRead(ctx, err))
	}
	return d, nil
}

// BillDayRow is a day with how many of its differences wait for a person.
type BillDayRow struct {
	BillDay
	Open, Closed int64
}

// BillDays are the days before one ("" is the newest on), newest first.
func (s *Store) BillDays(ctx context.Context, before string, limit int) ([]BillDayRow, error) {
	if before == "" {
		before = "9999-99-99"
	}
	rows, err := s.rows(ctx, `SELECT `+billDayCols+` FROM bill_days WHERE day < ? ORDER BY day DESC LIMIT ?`, before, page(limit))
	if err != nil {
		return nil, fmt.Errorf("bill days: %w", toldRead(ctx, err))
	}
	defer rows.Close()
	var ds []BillDayRow
	for rows.Next() {
		d, err := scanBillDay(rows)
		if err != nil {
			return nil, fmt.Errorf("bill days: %w", err)
		}
		ds = append(ds, BillDayRow{BillDay: *d})
	}
	if err := rows.Err(); err != nil || len(ds) == 0 {
		return ds, toldRead(ctx, err)
	}
	if err := s.countDiffs(ctx, ds); err != nil {
		return nil, fmt.Errorf("bill days: %w", toldRead(ctx, err))
	}
	return ds, nil
}

// countDiffs fills in the counts of days, which go from new to old.
func (s *Store) countDiffs(ctx context.Context, ds []BillDayRow) error {
	at := map[string]*BillDayRow{}
	for i := range ds {
		at[ds[i].Day] = &ds[i]
	}
	rows, err := s.rows(ctx, `SELECT day, state, count(*) FROM bill_differences WHERE day >= ? AND day <= ? GROUP BY day, state`,
		ds[len(ds)-1].Day, ds[0].Day)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var day string
		var state DiffState
		var n int64
		if err := rows.Scan(&day, &state, &n); err != nil {
			return err
		}
		switch d := at[day]; {
		case d == nil:
		case state == DiffOpen:
			d.Open += n
		default:
			d.Closed += n
		}
	}
	return rows.Err()
}

// DiffCount is how many differences of one kind and state a day has.
type DiffCount struct {
	Kind  DiffKind
	State DiffState
	N     int64
}

// CountDifferences counts a day's differences by kind and state.
func (s *Store) CountDifferences(ctx context.Context, day string) ([]DiffCount, error) {
	rows, err := s.rows(ctx, `SELECT kind, state, count(*) FROM bill_differences WHERE day = ? GROUP BY kind, state ORDER BY kind, state`, day)
	if err != nil {
		return nil, fmt.Errorf("count differences: %w", toldRead(ctx, err))
	}
	defer rows.Close()
	var cs []DiffCount
	for rows.Next() {
		var c DiffCount
		if err := rows.Scan(&c.Kind, &c.State, &c.N); err != nil {
			return nil, fmt.Errorf("count differences: %w", err)
		}
		cs = append(cs, c)
	}
	return cs, toldRead(ctx, rows.Err())
}

// OpenDifferences says how many differences of all days wait for a person.
func (s *Store) OpenDifferences(ctx context.Context) (int64, error) {
	var n int64
	if err := s.row(ctx, `SELECT count(*) FROM bill_differences WHERE state = 'open'`).Scan(&n); err != nil {
		return 0, fmt.Errorf("count differences: %w", toldRead(ctx, err))
	}
	return n, nil
}

// Differences are those of a day and a kind, open ones or closed ones, after
// an id.
func (s *Store) Differences(ctx context.Context, day string, kind DiffKind, closed bool, after int64, limit int) ([]BillDifference, error) {
	state := `state = 'open'`
	if closed {
		state = `state <> 'open'`
	}
	ds, err := scanDiffs(s.rows(ctx, `SELECT `+diffCols+` FROM bill_differences WHERE day = ? AND kind = ? AND `+state+` AND id > ? ORDER BY id LIMIT ?`,
		day, kind, after, page(limit)))
	if err != nil {
		return nil, fmt.Errorf("differences: %w", toldRead(ctx, err))
	}
	return ds, nil
}

// Difference is one of them; ErrNotFound when there is none.
func (s *Store) Difference(ctx context.Context, id int64) (*BillDifference, error) {
	d, err := scanDiff(s.row(ctx, `SELECT `+diffCols+` FROM bill_differences WHERE id = ?`, id))
	if err != nil {
		return nil, fmt.Errorf("difference: %w", toldRead(ctx, err))
	}
	return d, nil
}

// LastBill is when a day was last compared to the end; zero: never.
func (s *Store) LastBill(ctx context.Context) (Time, error) {
	var t Time
	if err := s.row(ctx, `SELECT max(checked_at) FROM bill_days WHERE state IN ('done', 'none')`).Scan(&t); err != nil {
		return t, fmt.Errorf("last bill: %w", toldRead(ctx, err))
	}
	return t, nil
}
