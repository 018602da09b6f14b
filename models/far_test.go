package models

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"wxshop/models/modelstest"
)

func serverOnly(t testing.TB) {
	t.Helper()
	if modelstest.Driver() == "sqlite" {
		t.Skip("only on a server: make databases")
	}
}

func TestNumbered(t *testing.T) {
	for q, want := range map[string]string{
		`SELECT 1`: `SELECT 1`,
		`SELECT a FROM b WHERE c = ? AND d IN (?,?)`: `SELECT a FROM b WHERE c = $1 AND d IN ($2,$3)`,
		`SELECT '?', "a?" FROM b WHERE c = ?`:        `SELECT '?', "a?" FROM b WHERE c = $1`,
		`SELECT 'it''s ?' || ?`:                      `SELECT 'it''s ?' || $1`,
	} {
		if got := numbered(q); got != want {
			t.Errorf("%s: %s, want %s", q, got, want)
		}
	}
}

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want fault
		told error // nil: not one of ours
	}{
		{nil, noFault, nil},
		{sql.ErrNoRows, noFault, ErrNotFound},
		{&pgconn.PgError{Code: "23505"}, taken, nil},
		{&pgconn.PgError{Code: "40P01"}, conflict, ErrBusy},
		{&pgconn.PgError{Code: "55P03"}, conflict, ErrBusy},
		{&pgconn.PgError{Code: "53100"}, refused, ErrBusy},
		{&pgconn.PgError{Code: "57P01"}, lost, ErrBusy},
		{&pgconn.PgError{Code: "23514"}, otherwise, nil},
		{&mysql.MySQLError{Number: 1062, Message: "Duplicate entry 'secret'"}, taken, nil},
		{&mysql.MySQLError{Number: 1213}, conflict, ErrBusy},
		{&mysql.MySQLError{Number: 1205}, conflict, ErrBusy},
		{&mysql.MySQLError{Number: 1290}, refused, ErrBusy},
		{driver.ErrBadConn, lost, ErrBusy},
		{io.ErrUnexpectedEOF, lost, ErrBusy},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, lost, ErrBusy},
		{errAgain, conflict, ErrBusy},
	} {
		if got := faultOf(tt.err); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.err, got, tt.want)
		}
		got := told(tt.err)
		if tt.told != nil && !errors.Is(got, tt.told) || got != nil && strings.Contains(got.Error(), "secret") {
			t.Errorf("%v is told as %v", tt.err, got)
		}
	}
}

// A transaction that lost against another is run again, a few times; one that
// met a taken value sees it in its second run.
func TestFarRunsAgain(t *testing.T) {
	serverOnly(t)
	s := openStore(t, Options{})
	runs := 0
	err := s.write(t.Context(), func(tx *Tx) error {
		if runs++; runs < 4 {
			if err := note(s, "lost")(tx); err != nil {
				return err
			}
			return errAgain
		}
		return note(s, "done")(tx)
	})
	if err != nil || runs != 4 || notes(t, s) != 1 {
		t.Errorf("%v after %d runs, %d rows", err, runs, notes(t, s))
	}
	runs = 0
	err = s.write(t.Context(), func(tx *Tx) error {
		runs++
		for range 2 {
			_, _ = tx.exec(`INSERT INTO leases(name, holder) VALUES('a', 'b')`) // whose error nobody looks at
		}
		return nil
	})
	if err == nil || runs != takenTries || count(t, s, `SELECT count(*) FROM leases`) != 0 {
		t.Errorf("%v after %d runs", err, runs)
	}
}

// Texts from outside that are no UTF-8 are kept all the same.
func TestFarKeepsOddTexts(t *testing.T) {
	serverOnly(t)
	s := openStore(t, Options{})
	if err := s.RecordMessages(t.Context(), []Message{{OutTradeNo: "P1", Request: "a\x00b\xffc 茶 🍵"}}); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := s.row(t.Context(), `SELECT request FROM messages`).Scan(&got); err != nil || got != "a\uFFFDb\uFFFDc 茶 🍵" {
		t.Errorf("%q %v", got, err)
	}
}

// Two texts that differ only in case are two texts.
func TestFarTellsCasesApart(t *testing.T) {
	s, u := shop(t, 5, Options{})
	a, _ := place(t, s, checkout(u.ID, "token", Line{1, 1}))
	b, _ := place(t, s, checkout(u.ID, "TOKEN", Line{1, 1}))
	if a.No == b.No {
		t.Error("one order for two tokens")
	}
	if _, err := s.Order(t.Context(), u.ID, strings.ToLower(a.No)); !errors.Is(err, ErrNotFound) {
		t.Errorf("found by another number: %v", err)
	}
}

// A connection that breaks in a commit leaves the outcome unknown, and says so;
// doing the same again finds out.
func TestFarCommitBroken(t *testing.T) {
	serverOnly(t)
	c := prepared(t)
	var cut, armed atomic.Bool
	s := openWith(t, Config{Driver: c.Driver, DSN: through(t, c, &cut)}, Options{Log: discard, Crash: func(point string) error {
		if point == "before-commit" && armed.Swap(false) {
			cut.Store(true)
		}
		return nil
	}})
	seed(t, s, 5)
	armed.Store(true)
	_, _, _, err := s.CreateOrder(t.Context(), checkout(7, "cut", Line{1, 1}))
	if !errors.Is(err, ErrUnknown) || errors.Is(err, ErrBusy) { // ErrBusy promises that nothing was written
		t.Errorf("got %v, want ErrUnknown", err)
	}
	cut.Store(false)
	_, _, repeated, err := s.CreateOrder(t.Context(), checkout(7, "cut", Line{1, 1}))
	if err != nil || !repeated {
		t.Errorf("again: repeated %v, %v", repeated, err)
	}
	if n := count(t, s, `SELECT count(*) FROM orders`); n != 1 || stockOf(t, s, 1) != 4 {
		t.Errorf("%d orders, stock %d", n, stockOf(t, s, 1))
	}
}

// through is the DSN of the same database by way of a wire that swallows the
// server's answers, and breaks, while cut is set.
func through(t testing.TB, c Config, cut *atomic.Bool) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "wire")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var dsn, target string
	name := filepath.Join(dir, ".s.PGSQL.5432")
	if c.Driver == "mysql" {
		m, err := mysql.ParseDSN(c.DSN)
		if err != nil {
			t.Fatal(err)
		}
		target, m.Addr = m.Addr, name
		dsn = m.FormatDSN()
	} else {
		u, err := url.Parse(c.DSN)
		if err != nil {
			t.Fatal(err)
		}
		target = filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432")
		u.RawQuery = url.Values{"host": {dir}}.Encode()
		dsn = u.String()
	}
	l, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go wire(near, target, cut)
		}
	}()
	return dsn
}

func wire(near net.Conn, target string, cut *atomic.Bool) {
	defer near.Close()
	away, err := net.Dial("unix", target)
	if err != nil {
		return
	}
	defer away.Close()
	go io.Copy(away, near)
	b := make([]byte, 64<<10)
	for {
		n, err := away.Read(b)
		if err != nil || cut.Load() {
			return
		}
		if _, err := near.Write(b[:n]); err != nil {
			return
		}
	}
}

// A server that is not there is said to be, and nothing hangs.
func TestFarNobodyThere(t *testing.T) {
	for driver, dsn := range map[string]string{
		"postgres": "postgres://shop:secret@127.0.0.1:1/shop", "mysql": "shop:secret@tcp(127.0.0.1:1)/shop",
	} {
		_, err := Open(t.Context(), Config{Driver: driver, DSN: dsn}, Options{})
		if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "cannot be reached") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", driver, err)
		}
	}
}
