package modelstest

import (
	"database/sql"
	"strconv"
	"strings"
	"testing"

	_ "github.com/glebarez/go-sqlite" // the driver "sqlite"
	"github.com/go-sql-driver/mysql"
)

// Reach opens a database behind the back of its store, until the test ends.
func Reach(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	switch driver {
	case "postgres":
		driver = "pgx"
	case "mysql":
		c, err := mysql.ParseDSN(dsn)
		if err != nil {
			t.Fatal(err)
		}
		c.ClientFoundRows = true
		c.Params = map[string]string{"sql_mode": `'ANSI_QUOTES,PIPES_AS_CONCAT,STRICT_ALL_TABLES'`}
		dsn = c.FormatDSN()
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Exec changes a database behind the back of its store and tells how many rows
// fitted. The places of args are question marks, and q has no others.
func Exec(t testing.TB, driver, dsn, q string, args ...any) int64 {
	t.Helper()
	if driver == "postgres" {
		parts := strings.Split(q, "?")
		for i := range parts[1:] {
			parts[i] += "$" + strconv.Itoa(i+1)
		}
		q = strings.Join(parts, "")
	}
	db := Reach(t, driver, dsn)
	defer db.Close()
	res, err := db.Exec(q, args...)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Tables are the names of all tables, in no certain order.
func Tables(driver string) string {
	switch driver {
	case "postgres":
		return `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()`
	case "mysql":
		return `SELECT table_name FROM information_schema.tables WHERE table_schema = database()`
	}
	return `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'`
}
