package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Summary is what a database holds, so that a person can tell a good backup
// from an old or an empty one.
type Summary struct {
	Bytes                          int64
	Orders, Paid, Refunds, ToCheck int64
	Users, Sessions                int64
	Newest                         Time // the last line of any order's history; zero without one
	Migration                      string
	PaidTotal, RefundedTotal       Fen
}

// Backup copies the database of c into the new file dst while the shop runs
// (VACUUM INTO, one moment's state), checks the copy, makes it durable and only
// then gives it its name, readable by its owner only. It never replaces a file.
func Backup(ctx context.Context, c Config, dst string) (*Summary, error) {
	f, err := existing(c, "backup", dst)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(dst); err == nil {
		return nil, fmt.Errorf("%s exists: a backup never replaces a file, choose another name", dst)
	}
	part := dst + ".part"
	h, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // VACUUM INTO takes an empty file
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s exists: another backup runs, or one was interrupted; delete it if none runs", part)
	} else if err != nil {
		return nil, fmt.Errorf("make the backup file: %w", err)
	}
	defer os.Remove(part) // gone already when all went well
	if err := h.Close(); err != nil {
		return nil, err
	}
	if err := copyInto(ctx, f, part); err != nil {
		return nil, fmt.Errorf("copy %s: %w", f.name, damaged(err))
	}
	sum, err := Inspect(ctx, part)
	if err != nil {
		return nil, fmt.Errorf("check the copy: %w", err)
	}
	if err := durable(part); err != nil {
		return nil, fmt.Errorf("make the backup durable: %w", err)
	}
	return sum, finish(part, dst)
}

// copyInto writes the state of one moment into part. The shop goes on writing.
func copyInto(ctx context.Context, f file, part string) error {
	db, err := openDB(f.dsn([]pragma{{"busy_timeout", "10000", ""}}, ""))
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, part)
	return err
}

// finish gives part its name, unless somebody took that meanwhile.
func finish(part, dst string) error {
	err := os.Link(part, dst)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: a backup never replaces a file, choose another name", dst)
	}
	if err != nil { // a file system without links
		err = os.Rename(part, dst)
	}
	if err != nil {
		return fmt.Errorf("name the backup: %w", err)
	}
	return durable(filepath.Dir(dst))
}

// durable syncs a file, or a folder with the names in it.
func durable(name string) error {
	h, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(h.Sync(), h.Close())
}

// existing is the file that c names, which must be there.
func existing(c Config, command, other string) (file, error) {
	if c.Driver != "sqlite" {
		return file{}, elsewhere(c, command, other)
	}
	f, err := parseDSN(c.DSN)
	if err != nil {
		return f, err
	}
	if _, err := os.Stat(f.name); err != nil && command == "backup" {
		return f, fmt.Errorf("there is no database to back up: %w", err)
	}
	return f, nil
}

// Inspect checks that a file, which nobody writes, is a whole database of this
// shop with a schema that this program knows, and says what is in it.
func Inspect(ctx context.Context, name string) (*Summary, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if st.Size() == 0 {
		return nil, fmt.Errorf("%s is empty", name)
	}
	f, err := parseDSN(name)
	if err != nil {
		return nil, err
	}
	// immutable: reading makes no -wal and -shm beside a backup.
	db, err := openDB(f.uri + "?mode=ro&immutable=1")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if err := whole(ctx, db, "integrity_check"); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	sum := &Summary{Bytes: st.Size()}
	if err := sum.read(ctx, db); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return sum, nil
}

func (m *Summary) read(ctx context.Context, db *sql.DB) error {
	ids, err := applied(ctx, db)
	if err != nil {
		return fmt.Errorf("it is no database of this shop: %w", damaged(err))
	}
	for _, id := range ids {
		if !known(id) {
			return fmt.Errorf("it was written by a newer version of this program (%s): install that one", id)
		}
	}
	m.Migration = slices.Max(ids)
	for _, q := range []struct {
		sql string
		to  []any
	}{
		{`SELECT count(*) FROM orders`, []any{&m.Orders}},
		{`SELECT count(*), coalesce(sum(total), 0) FROM payments WHERE state = 'paid'`, []any{&m.Paid, &m.PaidTotal}},
		{`SELECT count(*), coalesce(sum(amount), 0) FROM refunds WHERE state = 'succeeded'`, []any{&m.Refunds, &m.RefundedTotal}},
		{`SELECT count(*) FROM misfits WHERE state = 'open'`, []any{&m.ToCheck}},
		{`SELECT count(*) FROM users`, []any{&m.Users}},
		{`SELECT count(*) FROM sessions`, []any{&m.Sessions}},
		{`SELECT max(at) FROM events`, []any{&m.Newest}},
	} {
		if err := db.QueryRowContext(ctx, q.sql).Scan(q.to...); err != nil {
			return fmt.Errorf("count: %w", damaged(err))
		}
	}
	return nil
}

// applied are the ids of the migrations that a database has had.
func applied(ctx context.Context, db *sql.DB) (ids []string, err error) {
	rows, err := db.QueryContext(ctx, `SELECT id FROM migrations`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	if rows.Err() == nil && len(ids) == 0 {
		return nil, errors.New("nothing was ever set up in it")
	}
	return ids, rows.Err()
}

func known(id string) bool {
	for _, m := range migrations {
		if m.ID == id {
			return true
		}
	}
	return id == "SCHEMA_INIT"
}

// ErrDamaged is a file that SQLite cannot trust.
var ErrDamaged = errors.New("the database is damaged")

// damaged names what SQLite says about a file that is broken or none of its own.
func damaged(err error) error {
	switch code(err) & 0xff {
	case sqliteCorrupt, sqliteNotADB:
		return fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	return told(err)
}

// whole runs quick_check or integrity_check, and that no row points nowhere.
func whole(ctx context.Context, db *sql.DB, check string) error {
	var said string
	if err := db.QueryRowContext(ctx, `PRAGMA `+check+`(3)`).Scan(&said); err != nil {
		return damaged(err)
	}
	if said != "ok" {
		return fmt.Errorf("%w: %s", ErrDamaged, strings.ReplaceAll(said, "\n", "; "))
	}
	if check == "quick_check" {
		return nil
	}
	var table string
	err := db.QueryRowContext(ctx, `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`).Scan(&table)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return damaged(err)
	}
	return fmt.Errorf("%w: rows of %s point to rows that are gone", ErrDamaged, table)
}
