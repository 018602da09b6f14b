package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// moved are the tables that Move carries over, each after those that it refers
// to; left are those that belong to the programs that run.
var (
	moved = []string{"categories", "products", "skus", "users", "sessions", "cart_lines", "orders", "order_counts", "order_items",
		"payments", "refunds", "events", "messages", "misfits", "claims", "oauth_states", "staff", "throttles",
		"bill_days", "bill_differences", "bill_lines"}
	left = []string{"leases", "migrations"}
)

// movedSums are what must be the same on both sides beside the count of rows.
var movedSums = map[string][]string{"orders": {"total"}, "order_counts": {"n"}, "order_items": {"price", "qty"},
	"payments": {"total", "cash"}, "refunds": {"amount"}, "skus": {"price", "stock"}}

// MovedTable is one table of a move. Sums are of the columns named, in fen or
// pieces, the same on both sides.
type MovedTable struct {
	Name string
	Rows int64
	Sums map[string]int64
}

// Move copies a whole shop, which must be stopped, into an empty database of
// any kind, keeping all ids. It is one transaction there, compared with the
// source before it is committed: a move that fails leaves tables without rows.
// The source is only read.
func Move(ctx context.Context, from, to Config, now time.Time) ([]MovedTable, error) {
	src, err := openSource(ctx, from, now)
	if err != nil {
		return nil, fmt.Errorf("the source: %w", told(err))
	}
	defer src.db.Close()
	// Makes the tables. A target that is the source is locked, or not empty.
	s, err := Open(ctx, to, Options{})
	if err != nil {
		return nil, fmt.Errorf("the target: %w", err)
	}
	if err := s.Close(); err != nil {
		return nil, fmt.Errorf("the target: %w", err)
	}
	dst, err := openSide(to)
	if err != nil {
		return nil, fmt.Errorf("the target: %w", told(err))
	}
	defer dst.db.Close()
	report, err := carry(ctx, src, dst)
	if err != nil {
		return nil, told(err)
	}
	return report, nil
}

func carry(ctx context.Context, src, dst side) ([]MovedTable, error) {
	// One view of everything, also on a server where something still writes.
	in, err := src.begin(ctx, &sql.TxOptions{Isolation: src.isolation, ReadOnly: src.words != nil})
	if err != nil {
		return nil, fmt.Errorf("read the source: %w", err)
	}
	defer in.Rollback()
	out, err := dst.begin(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("write the target: %w", err)
	}
	defer out.Rollback()
	for _, table := range moved {
		var some int64
		if err := out.QueryRowContext(ctx, `SELECT count(*) FROM `+table).Scan(&some); err != nil {
			return nil, fmt.Errorf("look into %s of the target: %w", table, err)
		}
		if some > 0 {
			return nil, fmt.Errorf("the target is not empty (%d rows in %s): give it a new, empty database", some, table)
		}
	}
	for _, table := range moved {
		if err := copyTable(ctx, in, out, dst, table); err != nil {
			return nil, fmt.Errorf("copy %s: %w", table, err)
		}
	}
	report, err := compare(ctx, in, out)
	if err != nil {
		return nil, err
	}
	if err := dst.nextIDs(ctx, out); err != nil {
		return nil, fmt.Errorf("set the next ids: %w", err)
	}
	if err := out.Commit(); err != nil {
		return nil, fmt.Errorf("commit: %w; look whether the target is empty before you try again", err)
	}
	return report, nil
}

// side is one of the two databases.
type side struct {
	driver    string
	db        *sql.DB
	words     *words
	isolation sql.IsolationLevel
	held      bool // db is one connection in a transaction that keeps others out
}

func openSide(c Config) (side, error) {
	d := side{driver: c.Driver}
	if c.Driver == "sqlite" {
		f, err := parseDSN(c.DSN)
		if err == nil {
			d.db, err = openDB(f.dsn(writerPragmas, "immediate"))
		}
		return d, err
	}
	srv, err := newServer(c)
	if err != nil {
		return d, err
	}
	d.words, d.isolation = &words{server: srv}, sql.LevelRepeatableRead
	d.db, err = srv.open(true)
	return d, err
}

// begin is a transaction; of a source that is held, the one that it is in.
func (d side) begin(ctx context.Context, o *sql.TxOptions) (transaction, error) {
	if d.held {
		return heldFile{d.db}, nil
	}
	return d.db.BeginTx(ctx, o)
}

type transaction interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	Commit() error
	Rollback() error
}

type heldFile struct{ *sql.DB }

func (heldFile) Commit() error   { return nil }
func (heldFile) Rollback() error { return nil }

// openSource opens a database that nobody serves and whose schema is ours.
func openSource(ctx context.Context, c Config, now time.Time) (d side, err error) {
	if c.Driver == "sqlite" {
		d, err = holdFile(ctx, c)
	} else {
		d, err = openSide(c)
	}
	if err != nil {
		return d, err
	}
	if err := ready(ctx, d, now); err != nil {
		d.db.Close()
		return d, err
	}
	return d, nil
}

func holdFile(ctx context.Context, c Config) (side, error) {
	d := side{driver: c.Driver, held: true}
	f, err := existing(c, "backup", "")
	if err != nil {
		return d, err
	}
	if d.db, err = grab(ctx, f); err != nil {
		return d, err
	}
	if err := whole(ctx, d.db, "quick_check"); err != nil {
		d.db.Close()
		return d, err
	}
	return d, nil
}

func ready(ctx context.Context, d side, now time.Time) error {
	ids, err := applied(ctx, d.db)
	if err != nil {
		return err
	}
	for _, m := range migrations {
		if !slices.Contains(ids, m.ID) {
			return errors.New("its schema is older than this program: run  wxshop migrate  on it first")
		}
	}
	for _, id := range ids {
		if !known(id) && id != "SCHEMA_INIT" {
			return errors.New("it was written by a newer version of this program: move it with that one")
		}
	}
	if d.held {
		return nil
	}
	var turns int64
	err = d.db.QueryRowContext(ctx, d.words.say(`SELECT count(*) FROM leases WHERE until > ?`), now.UnixMilli()).Scan(&turns)
	if err == nil && turns > 0 {
		err = errors.New("a shop serves it, or did a minute ago: stop all of them, wait a minute and try again")
	}
	return err
}

// Rows and bytes of one INSERT: within what every server takes.
const (
	moveRows  = 100
	moveBytes = 1 << 20
)

// copyTable streams one table; a few rows are in memory at a time.
func copyTable(ctx context.Context, in, out transaction, dst side, table string) error {
	if table == "order_counts" {
		return copyCounts(ctx, in, out, dst)
	}
	rows, err := in.QueryContext(ctx, `SELECT * FROM `+table)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	bools, err := boolColumns(ctx, out, table, names)
	if err != nil {
		return err
	}
	b := batch{out: out, words: dst.words, table: table, names: names}
	for rows.Next() {
		row, places := make([]any, len(names)), make([]any, len(names))
		for i := range row {
			places[i] = &row[i]
		}
		if err := rows.Scan(places...); err != nil {
			return err
		}
		if err := b.add(ctx, plain(row, bools)); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return b.flush(ctx)
}

// copyCounts adds up the counters that a server has many rows for.
func copyCounts(ctx context.Context, in, out transaction, dst side) error {
	rows, err := in.QueryContext(ctx, `SELECT state, n FROM order_counts`)
	if err != nil {
		return err
	}
	defer rows.Close()
	counts := map[string]int64{}
	for rows.Next() {
		var state string
		var n int64
		if err := rows.Scan(&state, &n); err != nil {
			return err
		}
		state, _, _ = strings.Cut(state, "#")
		counts[state] += n
	}
	if err := rows.Err(); err != nil {
		return err
	}
	b := batch{out: out, words: dst.words, table: "order_counts", names: []string{"state", "n"}}
	for state, n := range counts {
		if err := b.add(ctx, []any{state, n}); err != nil {
			return err
		}
	}
	return b.flush(ctx)
}

// boolColumns says which columns of the target take true and false only.
func boolColumns(ctx context.Context, out transaction, table string, names []string) ([]bool, error) {
	rows, err := out.QueryContext(ctx, `SELECT `+quoted(names)+` FROM `+table+` WHERE 1 = 0`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	bools := make([]bool, len(types))
	for i, t := range types {
		bools[i] = t.DatabaseTypeName() == "BOOL"
	}
	return bools, rows.Err()
}

// plain makes values such as every driver takes.
func plain(row []any, bools []bool) []any {
	for i, v := range row {
		switch v := v.(type) {
		case []byte:
			row[i] = string(v)
		case bool:
			if !bools[i] {
				row[i] = int64(0)
				if v {
					row[i] = int64(1)
				}
			}
		case int64:
			if bools[i] {
				row[i] = v != 0
			}
		}
	}
	return row
}

func quoted(names []string) string { return `"` + strings.Join(names, `", "`) + `"` }

// batch gathers rows for one INSERT.
type batch struct {
	out     transaction
	words   *words
	table   string
	names   []string
	args    []any
	n, size int
}

func (b *batch) add(ctx context.Context, row []any) error {
	for _, v := range row {
		if text, ok := v.(string); ok {
			b.size += len(text)
		}
	}
	b.args = append(b.args, row...)
	if b.n++; b.n < moveRows && b.size < moveBytes {
		return nil
	}
	return b.flush(ctx)
}

func (b *batch) flush(ctx context.Context) error {
	if b.n == 0 {
		return nil
	}
	one := "(?" + strings.Repeat(", ?", len(b.names)-1) + ")"
	q := `INSERT INTO ` + b.table + `(` + quoted(b.names) + `) VALUES ` + one + strings.Repeat(", "+one, b.n-1)
	_, err := b.out.ExecContext(ctx, b.words.say(q), b.words.args(b.args)...)
	b.args, b.n, b.size = b.args[:0], 0, 0
	return err
}

// compare is the proof: the same rows and the same money on both sides.
func compare(ctx context.Context, in, out transaction) ([]MovedTable, error) {
	var all []MovedTable
	for _, table := range moved {
		a, err := measure(ctx, in, table)
		if err != nil {
			return nil, fmt.Errorf("count %s of the source: %w", table, err)
		}
		b, err := measure(ctx, out, table)
		if err != nil {
			return nil, fmt.Errorf("count %s of the target: %w", table, err)
		}
		for i := range a {
			if a[i] != b[i] && !(table == "order_counts" && i == 0) { // its rows were added up
				return nil, fmt.Errorf("%s differs: %v in the source, %v in the target; nothing was kept", table, a, b)
			}
		}
		m := MovedTable{Name: table, Rows: b[0], Sums: map[string]int64{}}
		for i, column := range movedSums[table] {
			m.Sums[column] = b[i+1]
		}
		all = append(all, m)
	}
	return all, nil
}

// measure is the count of rows and then the sums.
func measure(ctx context.Context, t transaction, table string) ([]int64, error) {
	q := `SELECT count(*)`
	for _, column := range movedSums[table] {
		q += `, coalesce(sum(` + column + `), 0)`
	}
	got := make([]int64, 1+len(movedSums[table]))
	places := make([]any, len(got))
	for i := range got {
		places[i] = &got[i]
	}
	return got, t.QueryRowContext(ctx, q+` FROM `+table).Scan(places...)
}

// nextIDs lets PostgreSQL count on from the greatest id; the others do so by
// themselves.
func (d side) nextIDs(ctx context.Context, out transaction) error {
	if d.driver != "postgres" {
		return nil
	}
	for _, table := range moved {
		var sequence sql.NullString
		err := out.QueryRowContext(ctx, `SELECT pg_get_serial_sequence(table_name, column_name) FROM information_schema.columns
			WHERE table_schema = current_schema() AND table_name = $1 AND column_name = 'id'`, table).Scan(&sequence)
		if errors.Is(err, sql.ErrNoRows) || err == nil && !sequence.Valid {
			continue
		}
		if err == nil {
			_, err = out.ExecContext(ctx, `SELECT setval($1::regclass, greatest((SELECT max(id) FROM `+table+`), 1), EXISTS(SELECT 1 FROM `+table+`))`, sequence.String)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
	}
	return nil
}
