package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// pragma is a setting of a connection, as it is asked for and as it reads back.
type pragma struct{ name, set, want string }

// FULL: an acknowledged payment survives a power cut. 2 s: a deadline does not
// cut SQLite's wait for a lock, and WeChat waits 5 s in all. recursive_triggers:
// otherwise INSERT OR REPLACE slips past the append-only triggers.
var (
	writerPragmas = []pragma{
		{"busy_timeout", "2000", "2000"},
		{"journal_mode", "WAL", "wal"},
		{"synchronous", "FULL", "2"},
		{"foreign_keys", "1", "1"},
		{"recursive_triggers", "1", "1"},
		{"cache_size", "-16000", "-16000"},
		{"wal_autocheckpoint", "4000", "4000"}, // pages: many commits touch the same ones
	}
	readerPragmas = append(writerPragmas[:len(writerPragmas):len(writerPragmas)],
		pragma{"query_only", "1", "1"})
)

// file is where an SQLite database lies.
type file struct {
	name  string // as people know it
	uri   string // file:… without a query
	query url.Values
}

// prepareFile reads a DSN, which is a plain path or a file: URI, and makes the
// folder and the file, readable by nobody else.
func prepareFile(dsn string) (file, error) {
	f, err := parseDSN(dsn)
	if err != nil {
		return f, err
	}
	if err := os.MkdirAll(filepath.Dir(f.name), 0o700); err != nil {
		return f, fmt.Errorf("make the folder of the database: %w", unwritable(err))
	}
	h, err := os.OpenFile(f.name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return f, fmt.Errorf("open the database file: %w", unwritable(err))
	}
	return f, h.Close()
}

// unwritable adds what to do to an error of the file system.
func unwritable(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: the user that runs this program must be able to write the file and its folder", err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: the disk is full, make room", err)
	}
	return err
}

func parseDSN(dsn string) (file, error) {
	if dsn == "" || strings.Contains(dsn, ":memory:") || strings.Contains(dsn, "mode=memory") {
		return file{}, errors.New("database.dsn must name a file, such as data/shop.db: a database in memory forgets paid orders")
	}
	if !strings.HasPrefix(dsn, "file:") {
		return file{name: dsn, uri: "file:" + (&url.URL{Path: dsn}).EscapedPath(), query: url.Values{}}, nil
	}
	uri, query, _ := strings.Cut(dsn, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return file{}, fmt.Errorf("read database.dsn: %w", err)
	}
	name, err := url.PathUnescape(strings.TrimPrefix(strings.TrimPrefix(uri, "file:"), "//"))
	if err != nil {
		return file{}, fmt.Errorf("read database.dsn: %w", err)
	}
	return file{name: name, uri: uri, query: q}, nil
}

// dsn is what the driver gets. Our pragmas come last and win.
func (f file) dsn(ps []pragma, txlock string) string {
	q := url.Values{}
	for k, v := range f.query {
		q[k] = append([]string(nil), v...)
	}
	for _, p := range ps {
		q.Add("_pragma", p.name+"("+p.set+")")
	}
	q.Del("_txlock")
	if txlock != "" {
		q.Set("_txlock", txlock)
	}
	return f.uri + "?" + q.Encode()
}

// assertAll opens n connections at once and reads the settings back on each.
func assertAll(ctx context.Context, db *sql.DB, n int, ps []pragma) error {
	for range n {
		c, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer c.Close() // all stay open until the last is checked
		if err := assertPragmas(ctx, c, ps); err != nil {
			return err
		}
	}
	return nil
}

func assertPragmas(ctx context.Context, c *sql.Conn, ps []pragma) error {
	for _, p := range ps {
		var got string
		if err := c.QueryRowContext(ctx, "PRAGMA "+p.name).Scan(&got); err != nil {
			return fmt.Errorf("read pragma %s: %w", p.name, err)
		}
		if got != p.want {
			return fmt.Errorf("pragma %s is %q, must be %q: the database would not be safe", p.name, got, p.want)
		}
	}
	return nil
}
