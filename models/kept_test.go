package models

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
)

// keptDB is one wrapped connection to a fresh database.
func keptDB(t *testing.T) *sql.Conn {
	t.Helper()
	f := file{uri: "file:" + filepath.Join(t.TempDir(), "kept.db")}
	db, err := openDB(f.dsn(writerPragmas, "immediate"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	mustExec(t, c, `CREATE TABLE t(id INTEGER PRIMARY KEY, a, b TEXT UNIQUE)`)
	return c
}

func mustExec(t *testing.T, c *sql.Conn, q string, args ...any) {
	t.Helper()
	if _, err := c.ExecContext(context.Background(), q, args...); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
}

// keeps is how many statements the connection keeps. Where it is not ours, the
// driver has changed and everything runs without keeping.
func keeps(t *testing.T, c *sql.Conn) (n int) {
	t.Helper()
	err := c.Raw(func(inner any) error {
		k, ok := inner.(*conn)
		if !ok {
			return fmt.Errorf("the driver's connection is a %T that is not wrapped", inner)
		}
		for _, s := range k.kept {
			if s != nil {
				n++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestHotStatementsAreKept(t *testing.T) {
	c := keptDB(t)
	for i := range 3 {
		if _, err := c.ExecContext(hot, `INSERT INTO t(a) VALUES(?)`, i); err != nil {
			t.Fatal(err)
		}
		mustExec(t, c, `UPDATE t SET a = a + 1 WHERE id = ?`, i)
	}
	if n := keeps(t, c); n != 1 {
		t.Errorf("%d statements kept, want the one that is hot", n)
	}
}

// What a kept statement stores and reads is what the driver stores and reads.
func TestKeptValues(t *testing.T) {
	values := []any{
		int64(0), int64(math.MinInt64), int64(math.MaxInt64), true, false, nil, "", "茶 & 'x'", "a\x00b", strings.Repeat("long", 5000), "\xff\xfe",
	}
	c := keptDB(t)
	for _, v := range values {
		t.Run(fmt.Sprintf("%.20v", v), func(t *testing.T) {
			var got [4]any
			for i, ctx := range []context.Context{hot, context.Background()} {
				res, err := c.ExecContext(ctx, `INSERT INTO t(a) VALUES(?)`, v)
				if err != nil {
					t.Fatal(err)
				}
				id, _ := res.LastInsertId()
				if n, _ := res.RowsAffected(); n != 1 || id < 1 {
					t.Errorf("id %d, %d rows", id, n)
				}
				for k, ctx := range []context.Context{hot, context.Background()} {
					if err := c.QueryRowContext(ctx, `SELECT a FROM t WHERE id = ?`, id).Scan(&got[2*i+k]); err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, x := range got {
				if x != got[3] {
					t.Errorf("read %#v, the driver %#v", x, got[3])
				}
			}
		})
	}
}

// Floats and blobs are read too, though no hot statement binds one.
func TestKeptReadsEverything(t *testing.T) {
	c := keptDB(t)
	var f, empty, b any
	err := c.QueryRowContext(hot, `SELECT 1.5, x'', x'00ff'`).Scan(&f, &empty, &b)
	if err != nil || f != 1.5 || len(empty.([]byte)) != 0 || string(b.([]byte)) != "\x00\xff" {
		t.Errorf("read %v %v %v, %v", f, empty, b, err)
	}
}

func TestKeptErrors(t *testing.T) {
	c := keptDB(t)
	insert := func(ctx context.Context) error {
		_, err := c.ExecContext(ctx, `INSERT INTO t(b) VALUES(?)`, "same")
		return err
	}
	if err := insert(hot); err != nil {
		t.Fatal(err)
	}
	kept, plain := insert(hot), insert(context.Background())
	if code(kept) != sqliteUnique || code(kept) != code(plain) || !clash(kept) {
		t.Errorf("twice the same: %v, the driver says %v", kept, plain)
	}
	if !strings.Contains(kept.Error(), "UNIQUE") {
		t.Errorf("error without its reason: %v", kept)
	}
	var n int64
	if err := c.QueryRowContext(hot, `SELECT count(*) FROM t`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows after the refusals, %v", n, err)
	}
}

// What a kept statement cannot do is the driver's to do or to refuse.
func TestNotKept(t *testing.T) {
	c := keptDB(t)
	if _, err := c.ExecContext(hot, `INSERT INTO t(a) VALUES(1); INSERT INTO t(a) VALUES(2)`); err != nil {
		t.Errorf("two statements: %v", err)
	}
	var n int64
	if err := c.QueryRowContext(context.Background(), `SELECT count(*) FROM t`).Scan(&n); err != nil || n != 2 {
		t.Errorf("%d rows, %v", n, err)
	}
	if _, err := c.ExecContext(hot, `INSERT INTO nowhere VALUES(1)`); err == nil {
		t.Error("a table that is not there was accepted")
	}
	if _, err := c.ExecContext(hot, `INSERT INTO t(a) VALUES(?)`); err == nil {
		t.Error("a missing argument was accepted")
	}
	if n := keeps(t, c); n > 1 {
		t.Errorf("%d statements kept", n)
	}
}

// The same statement again while its rows are being read.
func TestKeptWithinItself(t *testing.T) {
	c := keptDB(t)
	for i := range 5 {
		mustExec(t, c, `INSERT INTO t(a) VALUES(?)`, i)
	}
	const after = `SELECT id FROM t WHERE id > ? ORDER BY id`
	outer, err := c.QueryContext(hot, after, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer outer.Close()
	seen := 0
	for outer.Next() {
		var id, next int64
		if err := outer.Scan(&id); err != nil {
			t.Fatal(err)
		}
		seen++
		if err := c.QueryRowContext(hot, after, id).Scan(&next); err != nil && id < 5 || err == nil && next != id+1 {
			t.Errorf("after %d comes %d, %v", id, next, err)
		}
	}
	if seen != 5 {
		t.Errorf("%d rows seen", seen)
	}
}

// A reader's statement that was read half-way holds no snapshot afterwards.
func TestKeptLetsGo(t *testing.T) {
	c := keptDB(t)
	mustExec(t, c, `INSERT INTO t(a) VALUES(1), (2), (3)`)
	rows, err := c.QueryContext(hot, `SELECT id FROM t`)
	if err != nil {
		t.Fatal(err)
	}
	rows.Next()
	rows.Close()
	var busy, log, done int
	if err := c.QueryRowContext(context.Background(), `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &log, &done); err != nil || busy != 0 {
		t.Errorf("checkpoint: busy %d, %v", busy, err)
	}
}

func TestKeptSurvivesTheSchema(t *testing.T) {
	c := keptDB(t)
	q := `SELECT count(*) FROM t WHERE a IS ?`
	for i := range 3 {
		var n int
		if err := c.QueryRowContext(hot, q, nil).Scan(&n); err != nil || n != 0 {
			t.Errorf("round %d: %d, %v", i, n, err)
		}
		mustExec(t, c, fmt.Sprintf(`ALTER TABLE t ADD COLUMN c%d TEXT`, i))
	}
}
