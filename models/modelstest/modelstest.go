// Package modelstest gives each test a database of its own, on SQLite or on
// whatever server .ci/databases has started: WXSHOP_TEST_DRIVER says which
// (sqlite, postgres, mysql; none: sqlite). It knows nothing of the schema, so
// that the tests of package models can use it too.
package modelstest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// Prepare migrates a database by opening and closing it. It may be called more
// than once for one database.
type Prepare func(driver, dsn string) error

// Driver is the kind of database that the tests run on.
func Driver() string {
	if d := os.Getenv("WXSHOP_TEST_DRIVER"); d != "" {
		return d
	}
	return "sqlite"
}

// SQLiteOnly skips a test of something that servers do not have.
func SQLiteOnly(t testing.TB, why string) {
	t.Helper()
	if Driver() != "sqlite" {
		t.Skip("only on SQLite: " + why)
	}
}

// Database makes an empty, migrated database that the test has for itself, and
// removes it after the test. It may be called inside a synctest bubble.
func Database(t testing.TB, prepare Prepare) (driver, dsn string) {
	t.Helper()
	driver, dsn, err := database(t, prepare)
	if err != nil {
		t.Fatalf("make a database of %s: %v", Driver(), err)
	}
	return driver, dsn
}

func database(t testing.TB, prepare Prepare) (driver, dsn string, err error) {
	driver = Driver()
	switch driver {
	case "sqlite":
		dsn, err = file(t, prepare)
	case "postgres":
		dsn, err = onPostgres(t, prepare)
	case "mysql":
		dsn, err = onMySQL(t, prepare)
	default:
		err = fmt.Errorf("WXSHOP_TEST_DRIVER is %q: write sqlite, postgres or mysql", driver)
	}
	return driver, dsn, err
}

// template is a migrated, empty database that tests copy: migrating costs more
// than most of them do.
var template struct {
	once  sync.Once
	bytes []byte // SQLite's
	err   error
}

func file(t testing.TB, prepare Prepare) (string, error) {
	template.once.Do(func() { template.bytes, template.err = migrated(prepare) })
	if template.err != nil {
		return "", template.err
	}
	path := filepath.Join(t.TempDir(), "shop.db")
	return path, os.WriteFile(path, template.bytes, 0o600)
}

func migrated(prepare Prepare) ([]byte, error) {
	dir, err := os.MkdirTemp("", "wxshop-models")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "shop.db")
	if err := prepare("sqlite", path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// names are those of the databases of this process.
var names struct {
	mu sync.Mutex
	n  int
}

func newName() string {
	names.mu.Lock()
	defer names.mu.Unlock()
	names.n++
	return fmt.Sprintf("wxshop_%d_%d", os.Getpid(), names.n)
}

func onPostgres(t testing.TB, prepare Prepare) (string, error) {
	base, err := url.Parse(need(t, "WXSHOP_TEST_POSTGRES"))
	if err != nil {
		return "", err
	}
	named := func(name string) string {
		u := *base
		u.Path = "/" + name
		return u.String()
	}
	original := fmt.Sprintf("wxshop_%d", os.Getpid())
	template.once.Do(func() {
		if template.err = run("pgx", base.String(), `CREATE DATABASE `+original); template.err == nil {
			template.err = prepare("postgres", named(original))
		}
	})
	if template.err != nil {
		return "", template.err
	}
	name := newName()
	t.Cleanup(func() {
		if err := run("pgx", base.String(), `DROP DATABASE `+name+` WITH (FORCE)`); err != nil {
			t.Errorf("drop the database: %v", err)
		}
	})
	return named(name), run("pgx", base.String(), `CREATE DATABASE `+name+` TEMPLATE `+original)
}

// MySQL copies no databases and makes tables slowly. So a database that a test
// has left is emptied and given to the next.
var left struct {
	mu    sync.Mutex
	names []string
}

func onMySQL(t testing.TB, prepare Prepare) (string, error) {
	base, err := mysql.ParseDSN(need(t, "WXSHOP_TEST_MYSQL"))
	if err != nil {
		return "", err
	}
	named := func(name string) string {
		c := base.Clone()
		c.DBName = name
		return c.FormatDSN()
	}
	name, err := reuse(named)
	if err != nil {
		return "", err
	}
	if name == "" {
		name = newName()
		if err := run("mysql", base.FormatDSN(), `CREATE DATABASE `+name); err != nil {
			return "", err
		}
	}
	t.Cleanup(func() {
		left.mu.Lock()
		defer left.mu.Unlock()
		left.names = append(left.names, name)
	})
	return named(name), prepare("mysql", named(name))
}

// reuse is the name of a database that is free and empty again; "": none is.
func reuse(named func(string) string) (string, error) {
	left.mu.Lock()
	defer left.mu.Unlock()
	for len(left.names) > 0 {
		name := left.names[len(left.names)-1]
		left.names = left.names[:len(left.names)-1]
		db, err := sql.Open("mysql", named(name))
		if err != nil {
			return "", err
		}
		err = empty(db)
		db.Close()
		if err == nil {
			return name, nil
		}
		if !errors.Is(err, errSpoiled) {
			return "", fmt.Errorf("empty %s: %w", name, err)
		}
	}
	return "", nil
}

// errSpoiled: a test changed more than rows.
var errSpoiled = errors.New("the schema is not that of the migrations")

func empty(db *sql.DB) error {
	var odd int
	err := db.QueryRow(`SELECT count(*) FROM migrations WHERE id NOT LIKE '0%' AND id <> 'SCHEMA_INIT'`).Scan(&odd)
	if err != nil || odd > 0 {
		return errSpoiled
	}
	conn, err := db.Conn(context.Background())
	if err != nil {
		return err
	}
	defer conn.Close()
	rows, err := conn.QueryContext(context.Background(), Tables("mysql"))
	if err != nil {
		return err
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			return err
		}
		tables = append(tables, table)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	return emptyTables(conn, tables)
}

// emptyTables also makes ids begin at 1 again. Triggers do not see it.
func emptyTables(conn *sql.Conn, tables []string) error {
	ctx := context.Background()
	if _, err := conn.ExecContext(ctx, `SET foreign_key_checks = 0`); err != nil {
		return err
	}
	for _, table := range tables {
		if table == "migrations" {
			continue
		}
		var next sql.NullInt64
		var some bool
		err := conn.QueryRowContext(ctx, `SELECT EXISTS(SELECT 1 FROM `+table+`), (SELECT auto_increment FROM information_schema.tables
			WHERE table_schema = database() AND table_name = ?)`, table).Scan(&some, &next)
		if err == nil && (some || next.Int64 > 1) {
			_, err = conn.ExecContext(ctx, `TRUNCATE `+table)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// need is a setting without which the test cannot run here.
func need(t testing.TB, name string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		t.Skipf("SKIP: %s is not set: run the tests by .ci/databases", name)
	}
	return v
}

// run does one thing on a connection of its own, so that it may be called in
// and out of bubbles.
func run(driver, dsn, q string) error {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	for try := 1; ; try++ {
		_, err = db.Exec(q)
		// PostgreSQL copies no database that somebody is just leaving.
		if err == nil || try == 50 || !strings.Contains(err.Error(), "being accessed by other users") {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
