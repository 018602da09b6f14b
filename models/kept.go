package models

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// The driver parses a statement each time it runs, also a prepared one, and
// parsing takes most of the time of the short statements that a shop lives
// on. So its connections are wrapped: a statement that is run with the context
// hot is parsed once for each connection and kept. Everything else, and
// whatever the wrapper does not know how to do, goes to the driver.

type hotKey struct{}

// hot marks statements to keep: constants of the code that run often. It never
// ends, as all contexts of the hot paths do not.
var hot = context.WithValue(context.Background(), hotKey{}, true)

// maxKept bounds what a connection keeps, in case some text is not constant.
const maxKept = 500

// openDB is sql.Open("sqlite", dsn) with connections that keep statements.
func openDB(dsn string) (*sql.DB, error) {
	plain, err := sql.Open("sqlite", dsn) // has no connection yet
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	return sql.OpenDB(connector{plain.Driver(), dsn}), nil
}

// connector makes wrapped connections.
type connector struct {
	driver driver.Driver
	dsn    string
}

func (c connector) Driver() driver.Driver { return c.driver }

func (c connector) Connect(context.Context) (driver.Conn, error) {
	inner, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	return wrap(inner), nil
}

// plainConn is what a connection of the driver can do.
type plainConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
}

// conn is a connection of the driver that keeps statements. Like the driver's,
// it serves one goroutine at a time.
type conn struct {
	plainConn
	tls  *libc.TLS // of the calls from here into SQLite
	db   uintptr   // the driver's handle
	kept map[string]*keptStmt
}

// wrap finds the driver's handle of a connection. When the driver has changed
// and hides it elsewhere, the connection is given back as it is: all works,
// only slower, and a test says so.
func wrap(inner driver.Conn) driver.Conn {
	plain, ok := inner.(plainConn)
	if !ok {
		return inner
	}
	db := reflect.Indirect(reflect.ValueOf(inner)).FieldByName("db")
	if db.Kind() != reflect.Uintptr || db.Uint() == 0 {
		return inner
	}
	return &conn{plainConn: plain, tls: libc.NewTLS(), db: uintptr(db.Uint()), kept: make(map[string]*keptStmt)}
}

func (c *conn) Close() error {
	for _, s := range c.kept {
		if s != nil {
			sqlite3.Xsqlite3_finalize(c.tls, s.p) // repeats only the error of the last run
		}
	}
	clear(c.kept)
	c.tls.Close()
	return c.plainConn.Close()
}

func (c *conn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	if s := c.statement(ctx, q, args); s != nil {
		return s.exec(args)
	}
	return c.plainConn.ExecContext(ctx, q, args)
}

func (c *conn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	if s := c.statement(ctx, q, args); s != nil {
		return s.query(args)
	}
	return c.plainConn.QueryContext(ctx, q, args)
}

// statement is the kept statement of q, free and fit for args; nil: the driver
// has to run it.
func (c *conn) statement(ctx context.Context, q string, args []driver.NamedValue) *keptStmt {
	if ctx != hot || !plainArgs(args) {
		return nil
	}
	s, known := c.kept[q]
	if !known && len(c.kept) < maxKept {
		s = c.parse(q)
		c.kept[q] = s
	}
	if s == nil || s.busy || s.params != len(args) {
		return nil
	}
	return s
}

// plainArgs reports whether args are of the types that bind knows.
func plainArgs(args []driver.NamedValue) bool {
	for i := range args {
		switch args[i].Value.(type) {
		case int64, string, bool, nil:
		default:
			return false
		}
		if args[i].Name != "" {
			return false
		}
	}
	return true
}

// parse prepares q, which must be one statement. nil is the answer to
// everything that the driver does otherwise or has to refuse itself.
func (c *conn) parse(q string) *keptStmt {
	text, err := libc.CString(q)
	if err != nil {
		return nil
	}
	defer libc.Xfree(c.tls, text)
	out := libc.Xcalloc(c.tls, 2, 8) // two pointers: the statement, the rest of the text
	if out == 0 {
		return nil
	}
	defer libc.Xfree(c.tls, out)
	if sqlite3.Xsqlite3_prepare_v3(c.tls, c.db, text, -1, sqlite3.SQLITE_PREPARE_PERSISTENT, out, out+8) != sqlite3.SQLITE_OK {
		return nil
	}
	s := &keptStmt{c: c, p: libc.AtomicLoadPUintptr(out)}
	if s.p == 0 {
		return nil
	}
	if libc.GoString(libc.AtomicLoadPUintptr(out+8)) != "" || !s.describe() {
		sqlite3.Xsqlite3_finalize(c.tls, s.p)
		return nil
	}
	return s
}

// describe reads names and sizes once. It refuses columns declared as times,
// which the driver converts.
func (s *keptStmt) describe() bool {
	s.params = int(sqlite3.Xsqlite3_bind_parameter_count(s.c.tls, s.p))
	s.columns = make([]string, sqlite3.Xsqlite3_column_count(s.c.tls, s.p))
	for i := range s.columns {
		s.columns[i] = libc.GoString(sqlite3.Xsqlite3_column_name(s.c.tls, s.p, int32(i)))
		declared := libc.GoString(sqlite3.Xsqlite3_column_decltype(s.c.tls, s.p, int32(i)))
		if slices.Contains([]string{"date", "datetime", "timestamp"}, strings.ToLower(declared)) {
			return false
		}
	}
	return true
}

// keptStmt is a parsed statement of one connection.
type keptStmt struct {
	c       *conn
	p       uintptr // sqlite3_stmt
	params  int
	columns []string
	busy    bool      // rows of it are being read
	texts   []uintptr // bound, to be freed
}

func (s *keptStmt) exec(args []driver.NamedValue) (driver.Result, error) {
	defer s.reset()
	if err := s.bind(args); err != nil {
		return nil, err
	}
	if rc := sqlite3.Xsqlite3_step(s.c.tls, s.p); rc != sqlite3.SQLITE_DONE && rc != sqlite3.SQLITE_ROW {
		return nil, s.c.failure(rc)
	}
	return result{
		id:      int64(sqlite3.Xsqlite3_last_insert_rowid(s.c.tls, s.c.db)),
		changed: int64(sqlite3.Xsqlite3_changes(s.c.tls, s.c.db)),
	}, nil
}

func (s *keptStmt) query(args []driver.NamedValue) (driver.Rows, error) {
	if err := s.bind(args); err != nil {
		s.reset()
		return nil, err
	}
	s.busy = true
	return &keptRows{s: s}, nil
}

func (s *keptStmt) bind(args []driver.NamedValue) error {
	for i := range args {
		var rc int32
		at := int32(i + 1)
		switch x := args[i].Value.(type) {
		case int64:
			rc = sqlite3.Xsqlite3_bind_int64(s.c.tls, s.p, at, x)
		case bool:
			var n int64
			if x {
				n = 1
			}
			rc = sqlite3.Xsqlite3_bind_int64(s.c.tls, s.p, at, n)
		case string:
			text, err := libc.CString(x)
			if err != nil {
				return fmt.Errorf("bind a text: %w", err)
			}
			s.texts = append(s.texts, text)
			rc = sqlite3.Xsqlite3_bind_text(s.c.tls, s.p, at, text, int32(len(x)), 0)
		default: // nil; reset has cleared what was bound
		}
		if rc != sqlite3.SQLITE_OK {
			return s.c.failure(rc)
		}
	}
	return nil
}

// reset makes the statement ready for the next time and lets go of what it
// holds: bound texts, and its part in a transaction.
func (s *keptStmt) reset() {
	sqlite3.Xsqlite3_reset(s.c.tls, s.p) // repeats only the error of the last step
	sqlite3.Xsqlite3_clear_bindings(s.c.tls, s.p)
	for _, p := range s.texts {
		libc.Xfree(s.c.tls, p)
	}
	s.texts, s.busy = s.texts[:0], false
}

// keptRows are the rows of a kept statement.
type keptRows struct{ s *keptStmt }

func (r *keptRows) Columns() []string { return r.s.columns }

func (r *keptRows) Close() error {
	r.s.reset()
	return nil
}

func (r *keptRows) Next(dest []driver.Value) error {
	s := r.s
	switch rc := sqlite3.Xsqlite3_step(s.c.tls, s.p); rc {
	case sqlite3.SQLITE_ROW:
	case sqlite3.SQLITE_DONE:
		return io.EOF
	default:
		return s.c.failure(rc)
	}
	for i := range dest {
		dest[i] = s.column(int32(i))
	}
	return nil
}

func (s *keptStmt) column(i int32) driver.Value {
	switch sqlite3.Xsqlite3_column_type(s.c.tls, s.p, i) {
	case sqlite3.SQLITE_INTEGER:
		return int64(sqlite3.Xsqlite3_column_int64(s.c.tls, s.p, i))
	case sqlite3.SQLITE_FLOAT:
		return sqlite3.Xsqlite3_column_double(s.c.tls, s.p, i)
	case sqlite3.SQLITE_TEXT:
		return string(s.bytes(sqlite3.Xsqlite3_column_text(s.c.tls, s.p, i), i))
	case sqlite3.SQLITE_BLOB:
		return append([]byte{}, s.bytes(sqlite3.Xsqlite3_column_blob(s.c.tls, s.p, i), i)...)
	}
	return nil
}

// bytes are those of a text or blob; they belong to SQLite.
func (s *keptStmt) bytes(p uintptr, i int32) []byte {
	if n := sqlite3.Xsqlite3_column_bytes(s.c.tls, s.p, i); n > 0 {
		return libc.GoBytes(p, int(n))
	}
	return nil
}

// failure is what SQLite says about the last call.
func (c *conn) failure(rc int32) error {
	return &sqliteError{code: int(rc), text: libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db))}
}

// sqliteError is an error of SQLite met here and not in the driver.
type sqliteError struct {
	code int // extended result code
	text string
}

func (e *sqliteError) Error() string { return fmt.Sprintf("%s (%d)", e.text, e.code) }

type result struct{ id, changed int64 }

func (r result) LastInsertId() (int64, error) { return r.id, nil }
func (r result) RowsAffected() (int64, error) { return r.changed, nil }
