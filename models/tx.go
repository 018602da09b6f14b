package models

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"gorm.io/gorm"
)

// Tx is the transaction that a write runs in, possibly with others. It is the
// committer's and is used on its goroutine only.
type Tx struct {
	conn    runner
	g       *gorm.DB
	number  func(prefix string, now time.Time) string
	words   *words // of the server; nil: SQLite
	shard   uint64 // which of a server's counters this transaction adds to
	wrote   bool   // by the member that runs now
	catalog bool   // a product, price or stock changed in this transaction
	history history
	broken  error // the database may have ended the transaction by itself
}

// runner is the connection of SQLite's writer, or a transaction on a server.
type runner interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
	PrepareContext(context.Context, string) (*sql.Stmt, error)
}

// The writer's statements run without a context that can end: the driver would
// start a goroutine for each, and a write is never interrupted.
var background = context.Background()

func newTx(conn runner, g *gorm.DB, number func(string, time.Time) string) *Tx {
	return &Tx{conn: conn, g: g, number: number}
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
	res, err := tx.conn.ExecContext(hot, tx.words.say(q), tx.words.args(args)...)
	return res, tx.check(err)
}

// bulk is exec for a statement that is made for one occasion and not kept.
func (tx *Tx) bulk(q string, args ...any) (sql.Result, error) {
	if tx.broken != nil {
		return nil, tx.broken
	}
	tx.wrote = true
	res, err := tx.conn.ExecContext(background, tx.words.say(q), tx.words.args(args)...)
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
	if tx.words != nil {
		q = "INSERT INTO " + into + " VALUES " + row
	}
	width := strings.Count(row, "?")
	if tx.words != nil && id == nil && len(args) > 0 {
		_, err := tx.exec(q+strings.Repeat(","+row, len(args)/width-1), args...)
		return err
	}
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
	rows, err := tx.conn.QueryContext(background, tx.words.say(q), tx.words.args(args)...)
	return rows, tx.noted(err)
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
func (tx *Tx) insert(q string, args ...any) (id int64, err error) {
	if tx.words != nil && tx.words.server.returning() != "" {
		tx.wrote = true
		err := tx.row(q+tx.words.server.returning(), args...).Scan(&id)
		return id, err
	}
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
	if tx.words != nil {
		return noting{tx, tx.conn.QueryRowContext(hot, tx.words.say(q), tx.words.args(args)...)}
	}
	return tx.conn.QueryRowContext(hot, q, args...)
}

// rowForUpdate is row for a row that this transaction decides by: on a server
// nobody else changes it until the end. What decides by several rows takes
// the order first, then payment, refund, payment to check, and SKUs by id.
func (tx *Tx) rowForUpdate(q string, args ...any) scanner {
	if tx.words != nil {
		q += " FOR UPDATE"
	}
	return tx.row(q, args...)
}

// lockOrder takes the row of an order, on a server, before anything of that
// order is looked at. No such order: nothing to take.
func (tx *Tx) lockOrder(where string, args ...any) error {
	if tx.words == nil {
		return nil
	}
	var id int64
	err := tx.rowForUpdate(`SELECT id FROM orders WHERE `+where, args...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// noting is a row of a server; see Tx.noted.
type noting struct {
	tx *Tx
	r  *sql.Row
}

func (n noting) Scan(to ...any) error {
	err := n.r.Scan(to...)
	if errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return n.tx.noted(err)
}

// noted remembers any error of a server: it has undone the transaction, or
// refuses to go on with it.
func (tx *Tx) noted(err error) error {
	if err != nil && tx.words != nil {
		tx.broken = err
	}
	return err
}

func (tx *Tx) rows(q string, args ...any) (*sql.Rows, error) {
	if tx.broken != nil {
		return nil, tx.broken
	}
	rows, err := tx.conn.QueryContext(hot, tx.words.say(q), tx.words.args(args)...)
	return rows, tx.noted(err)
}

// check remembers errors after which SQLite may have rolled back by itself
// (sqlite.org/lang_transaction.html): whatever ran then would commit alone.
func (tx *Tx) check(err error) error {
	if tx.words != nil {
		return tx.noted(err)
	}
	switch code(err) & 0xff {
	case sqliteFull, sqliteIOErr, sqliteNoMem, sqliteBusy, sqliteInterrupt, sqliteReadOnly:
		tx.broken = err
	}
	return err
}

// gorm is GORM on this transaction.
func (tx *Tx) gorm() *gorm.DB {
	g := tx.g.Session(&gorm.Session{NewDB: true, Context: background, SkipDefaultTransaction: true})
	g.Statement.ConnPool = pool{tx}
	return g
}

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
	res, err := p.tx.conn.ExecContext(background, q, p.tx.words.args(args)...)
	return res, p.tx.check(err)
}

// QueryContext may write too: INSERT … RETURNING is a query.
func (p pool) QueryContext(_ context.Context, q string, args ...any) (*sql.Rows, error) {
	if p.tx.broken != nil {
		return nil, p.tx.broken
	}
	p.note(q)
	rows, err := p.tx.conn.QueryContext(background, q, p.tx.words.args(args)...)
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
