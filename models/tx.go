package models

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"gorm.io/gorm"
)

// Tx is the transaction that a write runs in, possibly with others. It is the
// committer's and is used on its goroutine only.
type Tx struct {
	conn    *sql.Conn
	g       *gorm.DB
	number  func(prefix string, now time.Time) string
	wrote   bool // by the member that runs now
	catalog bool // a product, price or stock changed in this transaction
	history history
	broken  error // SQLite may have ended the transaction by itself
}

// The writer's statements run without a context that can end: the driver would
// start a goroutine for each, and a write is never interrupted.
var background = context.Background()

func newTx(conn *sql.Conn, g *gorm.DB) *Tx {
	tx := &Tx{conn: conn, number: number}
	tx.g = g.Session(&gorm.Session{NewDB: true, Context: background, SkipDefaultTransaction: true})
	tx.g.Statement.ConnPool = pool{tx}
	return tx
}

func (tx *Tx) begin() error {
	tx.wrote, tx.catalog, tx.broken = false, false, nil
	tx.forget()
	return tx.plain("BEGIN IMMEDIATE")
}

func (tx *Tx) commit() error { return tx.plain("COMMIT") }

// rollback is also right when SQLite has rolled back by itself: then there is
// nothing to do, and its complaint says just that.
func (tx *Tx) rollback() { _ = tx.plain("ROLLBACK") }

func (tx *Tx) plain(q string) error {
	_, err := tx.conn.ExecContext(hot, q)
	return err
}

// exec runs a statement that writes. q is a constant of the code, never built
// from what people send: the connection keeps it.
func (tx *Tx) exec(q string, args ...any) (sql.Result, error) {
	if tx.broken != nil {
		return nil, tx.broken
	}
	tx.wrote = true
	res, err := tx.conn.ExecContext(hot, q, args...)
	return res, tx.check(err)
}

// bulk is exec for a statement that is made for one occasion and not kept.
func (tx *Tx) bulk(q string, args ...any) (sql.Result, error) {
	if tx.broken != nil {
		return nil, tx.broken
	}
	tx.wrote = true
	res, err := tx.conn.ExecContext(background, q, args...)
	return res, tx.check(err)
}

// insertRows stores many rows and tells the id of each, if that is asked for.
// into and row, "(?,…)" of one, are constants; args are the values of all rows.
// Plain int64 and string go through database/sql fastest.
//
// The inserts say OR ROLLBACK. When one fails, the batch is rolled back anyway
// and its members run one by one; saying so spares SQLite the copy of every
// page that it would need to undo one statement alone.
func (tx *Tx) insertRows(into, row string, args []any, id func(i int, id int64)) error {
	q := "INSERT OR ROLLBACK INTO " + into + " VALUES " + row
	width := strings.Count(row, "?")
	for i := 0; len(args) > 0; i++ {
		last, err := tx.insert(q, args[:width]...)
		if err != nil {
			tx.broken = err
			return err
		}
		if id != nil {
			id(i, last)
		}
		args = args[width:]
	}
	return nil
}

// places is n times p with commas between.
func places(p string, n int) string { return strings.Repeat(p+",", n-1) + p }

// many is rows for such a statement.
func (tx *Tx) many(q string, args ...any) (*sql.Rows, error) {
	if tx.broken != nil {
		return nil, tx.broken
	}
	return tx.conn.QueryContext(background, q, args...)
}

// execOne is exec for a conditional update: was there a row that fitted?
func (tx *Tx) execOne(q string, args ...any) (bool, error) {
	res, err := tx.exec(q, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// insert is exec for one new row and gives its id.
func (tx *Tx) insert(q string, args ...any) (int64, error) {
	res, err := tx.exec(q, args...)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

func (tx *Tx) row(q string, args ...any) scanner {
	if tx.broken != nil {
		return failed{tx.broken}
	}
	return tx.conn.QueryRowContext(hot, q, args...)
}

func (tx *Tx) rows(q string, args ...any) (*sql.Rows, error) {
	if tx.broken != nil {
		return nil, tx.broken
	}
	return tx.conn.QueryContext(hot, q, args...)
}

// check remembers errors after which SQLite may have rolled back by itself
// (sqlite.org/lang_transaction.html): whatever ran then would commit alone.
func (tx *Tx) check(err error) error {
	switch code(err) & 0xff {
	case sqliteFull, sqliteIOErr, sqliteNoMem, sqliteBusy, sqliteInterrupt, sqliteReadOnly:
		tx.broken = err
	}
	return err
}

// gorm is GORM on this transaction.
func (tx *Tx) gorm() *gorm.DB { return tx.g }

// pool lets GORM run on the transaction and notices its writes.
type pool struct{ tx *Tx }

func (p pool) PrepareContext(ctx context.Context, q string) (*sql.Stmt, error) {
	return p.tx.conn.PrepareContext(background, q)
}

func (p pool) ExecContext(_ context.Context, q string, args ...any) (sql.Result, error) {
	if p.tx.broken != nil {
		return nil, p.tx.broken
	}
	p.tx.wrote = true
	res, err := p.tx.conn.ExecContext(background, q, args...)
	return res, p.tx.check(err)
}

// QueryContext may write too: INSERT … RETURNING is a query.
func (p pool) QueryContext(_ context.Context, q string, args ...any) (*sql.Rows, error) {
	if p.tx.broken != nil {
		return nil, p.tx.broken
	}
	p.note(q)
	rows, err := p.tx.conn.QueryContext(background, q, args...)
	return rows, p.tx.check(err)
}

func (p pool) QueryRowContext(_ context.Context, q string, args ...any) *sql.Row {
	p.note(q)
	return p.tx.conn.QueryRowContext(background, q, args...)
}

func (p pool) note(q string) {
	if !strings.HasPrefix(q, "SELECT") {
		p.tx.wrote = true
	}
}
