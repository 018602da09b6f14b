package models

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Books are our rows behind some lines of a bill.
type Books struct {
	Payments map[string]*Payment // by out_trade_no
	Refunds  map[string]*Refund  // by out_refund_no
	Misfits  []Misfit            // with a transaction or number of the lines
	Reversed map[string]bool     // out_trade_no: the same bill has a line that takes it back
}

// BooksOf reads what we have about lines: a few statements for all of them.
func (s *Store) BooksOf(ctx context.Context, run string, lines []BillLine) (*Books, error) {
	b := &Books{Payments: map[string]*Payment{}, Refunds: map[string]*Refund{}, Reversed: map[string]bool{}}
	if len(lines) == 0 {
		return b, nil
	}
	var trades, numbers, txns []any
	for _, l := range lines {
		trades, numbers = append(trades, l.OutTradeNo), append(numbers, l.Number)
		if l.TransactionID != "" {
			txns = append(txns, l.TransactionID)
		}
	}
	err := s.booksInto(ctx, b, run, trades, numbers, txns)
	if err != nil {
		return nil, fmt.Errorf("books of a bill: %w", toldRead(ctx, err))
	}
	return b, nil
}

func (s *Store) booksInto(ctx context.Context, b *Books, run string, trades, numbers, txns []any) error {
	in := ` IN (` + places("?", len(trades)) + `)`
	ps, err := scanPayments(s.rows(ctx, `SELECT `+paymentCols+` FROM payments WHERE out_trade_no`+in, trades...))
	if err != nil {
		return err
	}
	for i := range ps {
		b.Payments[ps[i].OutTradeNo] = &ps[i]
	}
	rs, err := scanRefunds(s.rows(ctx, `SELECT `+refundCols+` FROM refunds WHERE out_refund_no`+in, numbers...))
	if err != nil {
		return err
	}
	for i := range rs {
		b.Refunds[rs[i].OutRefundNo] = &rs[i]
	}
	taken, err := scanLines(s.rows(ctx, `SELECT `+lineCols+` FROM bill_lines WHERE run = ? AND kind = 'reversed' AND number`+in,
		append([]any{run}, trades...)...))
	if err != nil {
		return err
	}
	for _, l := range taken {
		b.Reversed[l.OutTradeNo] = true
	}
	if err := s.read(ctx).Where("out_trade_no IN ?", trades).Find(&b.Misfits).Error; err != nil || len(txns) == 0 {
		return err
	}
	var more []Misfit
	err = s.read(ctx).Where("transaction_id IN ?", txns).Find(&more).Error
	b.Misfits = append(b.Misfits, more...)
	return err
}

func scanRefunds(rows *sql.Rows, err error) ([]Refund, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var rs []Refund
	for rows.Next() {
		r, err := scanRefund(rows)
		if err != nil {
			return nil, err
		}
		rs = append(rs, *r)
	}
	return rs, rows.Err()
}

// unbilledPaid and unbilledBack go through a day's money by its time and leave
// out what the run has a line about.
const (
	unbilledPaid = `SELECT ` + paymentCols + ` FROM payments WHERE paid_at >= ? AND paid_at < ? AND (paid_at > ? OR id > ?)
		AND mch_id = ?
		AND NOT EXISTS(SELECT 1 FROM bill_lines l WHERE l.run = ? AND l.kind = 'paid' AND l.number = payments.out_trade_no)
		ORDER BY paid_at, id LIMIT ?`
	unbilledBack = `SELECT ` + refundCols + ` FROM refunds WHERE accepted_at >= ? AND accepted_at < ? AND (accepted_at > ? OR id > ?)
		AND state <> 'closed' AND refund_id <> ''
		AND NOT EXISTS(SELECT 1 FROM bill_lines l WHERE l.run = ? AND l.kind = 'refund' AND l.number = refunds.out_refund_no)
		ORDER BY accepted_at, id LIMIT ?`
)

// UnbilledPayments are payments to a merchant from the moment from to before
// to, by WeChat's time, that a run has no line about; after is the last one of
// the page before, nil at first.
func (s *Store) UnbilledPayments(ctx context.Context, run, mchID string, from, to time.Time, after *Payment) ([]Payment, error) {
	begin, id := At(from), int64(0)
	if after != nil {
		begin, id = after.PaidAt, after.ID
	}
	ps, err := scanPayments(s.rows(ctx, unbilledPaid, begin, At(to), begin, id, mchID, run, BillBatch))
	if err != nil {
		return nil, fmt.Errorf("unbilled payments: %w", toldRead(ctx, err))
	}
	return ps, nil
}

// UnbilledRefunds are likewise the refunds that WeChat took on.
func (s *Store) UnbilledRefunds(ctx context.Context, run string, from, to time.Time, after *Refund) ([]Refund, error) {
	begin, id := At(from), int64(0)
	if after != nil {
		begin, id = after.AcceptedAt, after.ID
	}
	rs, err := scanRefunds(s.rows(ctx, unbilledBack, begin, At(to), begin, id, run, BillBatch))
	if err != nil {
		return nil, fmt.Errorf("unbilled refunds: %w", toldRead(ctx, err))
	}
	return rs, nil
}

const (
	sumPaid = `SELECT count(*), coalesce(sum(total), 0) FROM payments WHERE paid_at >= ? AND paid_at < ? AND mch_id = ?`
	sumBack = `SELECT count(*), coalesce(sum(amount), 0) FROM refunds WHERE accepted_at >= ? AND accepted_at < ? AND state <> 'closed' AND refund_id <> ''`
	sumBill = `SELECT kind, count(*), coalesce(sum(amount), 0) FROM bill_lines WHERE run = ? GROUP BY kind`
)

// SumDay fills in the sums of both sides: the lines of run, and our rows of
// the time from from to before to.
func (s *Store) SumDay(ctx context.Context, d *BillDay, run, mchID string, from, to time.Time) error {
	err := s.row(ctx, sumPaid, At(from), At(to), mchID).Scan(&d.OurPayments, &d.OurPaid)
	if err == nil {
		err = s.row(ctx, sumBack, At(from), At(to)).Scan(&d.OurRefunds, &d.OurRefunded)
	}
	if err == nil {
		err = s.sumBill(ctx, d, run)
	}
	if err != nil {
		return fmt.Errorf("sum day: %w", toldRead(ctx, err))
	}
	return nil
}

func (s *Store) sumBill(ctx context.Context, d *BillDay, run string) error {
	rows, err := s.rows(ctx, sumBill, run)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var kind LineKind
		var n int64
		var sum Fen
		if err := rows.Scan(&kind, &n, &sum); err != nil {
			return err
		}
		switch kind {
		case LinePaid:
			d.Payments, d.Paid = n, sum
		case LineRefund:
			d.Refunds, d.Refunded = n, sum
		case LineReversed:
			d.Reversed = n
		}
	}
	return rows.Err()
}

// FirstAttempt is when somebody first began to pay here; zero: nobody has.
func (s *Store) FirstAttempt(ctx context.Context) (time.Time, error) {
	var t Time
	err := s.row(ctx, `SELECT created_at FROM payments ORDER BY id LIMIT 1`).Scan(&t)
	if err != nil && told(err) != ErrNotFound {
		return time.Time{}, fmt.Errorf("first attempt: %w", toldRead(ctx, err))
	}
	return t.Time, nil
}
