package models

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/glebarez/sqlite"
	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"

	"wxshop/models/modelstest"
)

// D1: on every connection of both pools.
func TestPragmas(t *testing.T) {
	modelstest.SQLiteOnly(t, "pragmas")
	s := openStore(t, Options{})
	want := map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "recursive_triggers": "1", "busy_timeout": "2000"}
	check := func(conn *sql.Conn, queryOnly string) {
		t.Helper()
		want["query_only"] = queryOnly
		for name, want := range want {
			var got string
			if err := conn.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&got); err != nil || got != want {
				t.Errorf("%s is %q, want %q (%v)", name, got, want, err)
			}
		}
	}
	for range s.readers.Stats().MaxOpenConnections {
		conn, err := s.readers.Conn(t.Context()) // all at once, so that each is another
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		check(conn, "1")
		if _, err := conn.ExecContext(t.Context(), `INSERT INTO leases(name) VALUES('x')`); err == nil {
			t.Error("a reader can write")
		}
	}
	if n := s.writer.Stats().MaxOpenConnections; n != 1 {
		t.Errorf("%d writing connections", n)
	}
	s.write(t.Context(), func(tx *Tx) error { check(tx.conn.(*sql.Conn), "0"); return nil })
}

func TestOpenRefusesUnsafePragmas(t *testing.T) {
	db, err := sql.Open("sqlite", "file:"+emptyFile(t)+"?_pragma=synchronous(NORMAL)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = assertAll(t.Context(), db, 1, []pragma{{"synchronous", "FULL", "2"}})
	if err == nil || !strings.Contains(err.Error(), "would not be safe") {
		t.Errorf("got %v", err)
	}
}

func TestDSN(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ name, dsn, file string }{
		{"plain path", filepath.Join(dir, "a", "b", "shop.db"), "a/b/shop.db"},
		{"odd characters", filepath.Join(dir, "100% tea?#1", "茶.db"), "100% tea?#1/茶.db"},
		{"URI", "file:" + filepath.Join(dir, "uri.db"), "uri.db"},
		{"URI with pragmas of its own", "file:" + filepath.Join(dir, "weak.db") + "?_pragma=synchronous(OFF)&_txlock=deferred", "weak.db"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := openAt(t, tt.dsn, Options{})
			if err := s.Ping(t.Context()); err != nil {
				t.Error(err)
			}
			info, err := os.Stat(filepath.Join(dir, tt.file))
			if err != nil {
				t.Fatal(err)
			}
			if mode := info.Mode().Perm(); mode != 0o600 {
				t.Errorf("mode %o: others can read who bought what", mode)
			}
		})
	}
}

// The schema that the migrations make is the one that the entities describe.
func TestMigrationsMatchEntities(t *testing.T) {
	modelstest.SQLiteOnly(t, "it reads how SQLite keeps its schema")
	migrated := openStore(t, Options{})
	path := filepath.Join(t.TempDir(), "auto.db")
	g, err := gorm.Open(sqlite.Open(path), &gorm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	auto, err := g.DB()
	if err != nil {
		t.Fatal(err)
	}
	defer auto.Close()
	err = g.AutoMigrate(&Category{}, &Product{}, &SKU{}, &User{}, &Session{}, &CartLine{}, &Order{}, &OrderCount{}, &OrderItem{},
		&Payment{}, &Refund{}, &Event{}, &Message{}, &Misfit{}, &Claim{}, &OAuthState{}, &Staff{}, &Throttle{}, &Lease{}, &BillDay{}, &BillDifference{}, &BillLine{})
	if err != nil {
		t.Fatal(err)
	}
	got, want := schema(t, migrated.readers), schema(t, auto)
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%s\n  migrated: %s\n  entities: %s", name, got[name], w)
		}
	}
	own := []string{"migrations", "order_phone", "order_tracking", "payment_paid", "refund_accepted"}
	for name, g := range got {
		if _, ok := want[name]; !ok && !strings.HasPrefix(g, "CREATE TRIGGER") && !slices.Contains(own, name) {
			t.Errorf("%s is in the database only: %s", name, g)
		}
	}
}

// schema is what each table and index was made with; white space, the order of
// constraints and that of columns (later ones are added at the end) carry no
// meaning.
func schema(t testing.TB, db *sql.DB) map[string]string {
	t.Helper()
	rows, err := db.Query(`SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := make(map[string]string)
	constraint := regexp.MustCompile(`,(PRIMARY KEY|CONSTRAINT)`)
	for rows.Next() {
		var name, q string
		if err := rows.Scan(&name, &q); err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(constraint.ReplaceAllString(strings.TrimSuffix(strings.ReplaceAll(q, "`", ""), ")"), "\n,$1"), "\n")
		slices.Sort(parts[1:])
		head, columns, _ := strings.Cut(parts[0], "(")
		names := strings.Split(columns, ",")
		for i := range names {
			names[i] = strings.TrimSpace(names[i])
		}
		slices.Sort(names)
		all[name] = head + "(" + strings.Join(names, ",") + strings.Join(parts[1:], "")
	}
	return all
}

func TestMigrateTwiceAndTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop.db")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := Open(t.Context(), Config{Driver: "sqlite", DSN: path}, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if n := count(t, s, `SELECT count(*) FROM migrations`); n != int64(len(migrations)) {
				t.Errorf("%d migrations are recorded", n)
			}
		})
	}
	wg.Wait()
}

// An older program must not write into a schema that it does not know.
func TestNewerSchemaIsRefused(t *testing.T) {
	path := emptyFile(t)
	s := openAt(t, path, Options{})
	force(t, s, `INSERT INTO migrations(id) VALUES('9999-of-the-future')`)
	s.Close()
	_, err := Open(t.Context(), Config{Driver: "sqlite", DSN: path}, Options{})
	if err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("got %v", err)
	}
}

// A migration that fails leaves nothing behind.
func TestFailedMigrationIsUndone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop.db")
	db, err := sql.Open("sqlite", file{uri: "file:" + path}.dsn(writerPragmas, "immediate"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	g, err := openGorm(sqlite.Dialector{Conn: db}, discard)
	if err != nil {
		t.Fatal(err)
	}
	o := *gormigrate.DefaultOptions
	o.UseTransaction = true
	err = gormigrate.New(g, &o, []*gormigrate.Migration{{ID: "1", Migrate: func(tx *gorm.DB) error {
		if err := migrateV1(tx); err != nil {
			return err
		}
		return errors.New("no power")
	}}}).Migrate()
	if err == nil {
		t.Error("no error")
	}
	if n := len(schema(t, db)); n != 0 {
		t.Errorf("%d tables and indexes stayed", n)
	}
}

// History cannot be changed, not even by us.
func TestHistoryIsAppendOnly(t *testing.T) {
	s, u := shop(t, 5, Options{})
	place(t, s, checkout(u.ID, "history", Line{1, 1}))
	if err := s.RecordMessages(t.Context(), []Message{{OutTradeNo: "P1", Op: "query", Request: "a"}}); err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{"sqlite": `INSERT OR REPLACE INTO %s(id) VALUES(1)`, "mysql": `REPLACE INTO %s(id) VALUES(1)`, "postgres": `TRUNCATE %s`}[modelstest.Driver()]
	for _, q := range []string{
		`UPDATE events SET note = 'x'`, `DELETE FROM events`, fmt.Sprintf(replace, "events"),
		`UPDATE messages SET answer = 'x'`, `DELETE FROM messages`, fmt.Sprintf(replace, "messages"),
	} {
		err := s.write(t.Context(), func(tx *Tx) error { _, err := tx.exec(q); return err })
		if err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: got %v", q, err)
		}
	}
}

func TestChecks(t *testing.T) {
	s, u := shop(t, 5, Options{})
	place(t, s, checkout(u.ID, "checks", Line{1, 1}))
	for _, q := range []string{
		`UPDATE skus SET stock = -1`, `UPDATE skus SET price = 0`, `UPDATE orders SET total = 0`, `UPDATE payments SET total = -5`,
		`INSERT INTO refunds(order_id, payment_id, amount) VALUES(1, 1, 0)`, `INSERT INTO cart_lines(user_id, sku_id, qty) VALUES(1, 1, 0)`,
		`INSERT INTO skus(product_id, code, price, stock) VALUES(999, 'x', 1, 1)`, // foreign key
	} {
		err := s.write(t.Context(), func(tx *Tx) error { _, err := tx.exec(q); return err })
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), "constraint") {
			t.Errorf("%s: got %v", q, err)
		}
	}
}

// Times are whole milliseconds of UTC from the injected clock.
func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 19, 20, 30, 15, 123_456_789, time.UTC)))
		zone := time.FixedZone("CST", 8*3600)
		s := openStore(t, Options{Now: func() time.Time { return time.Now().In(zone) }})
		seed(t, s, 5)
		u, err := s.CreateGuest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		o, p := place(t, s, checkout(u.ID, "time", Line{1, 1}))
		want := time.Date(2026, 11, 19, 20, 30, 15, 123_000_000, time.UTC)
		if !strings.HasPrefix(o.No, "261120") { // already tomorrow in Beijing
			t.Errorf("number %s", o.No)
		}
		read, err := s.Order(t.Context(), u.ID, o.No)
		if err != nil || read.CreatedAt != (Time{want}) || read.ExpiresAt != (Time{want.Add(30 * time.Minute)}) {
			t.Errorf("raw: %v, expires %v, %v", read.CreatedAt, read.ExpiresAt, err)
		}
		list, err := s.Orders(t.Context(), u.ID, "", 0, 1)
		if err != nil || list[0].CreatedAt != (Time{want}) || !list[0].PaidAt.IsZero() {
			t.Errorf("GORM: %+v %v", list, err)
		}
		if n := count(t, s, `SELECT created_at FROM orders`); n != want.UnixMilli() {
			t.Errorf("stored as %d", n)
		}
		if p.StartAt != (Time{want}) || p.NextQueryAt != (Time{want.Add(time.Minute)}) || p.ExpireAt != o.ExpiresAt {
			t.Errorf("attempt: %+v", p)
		}
		if n := count(t, s, `SELECT count(*) FROM orders WHERE paid_at IS NULL`); n != 1 {
			t.Error("no time is not NULL")
		}
	})
}

func TestTimeRefusesText(t *testing.T) {
	var x Time
	if err := x.Scan("2026-11-19"); err == nil {
		t.Error("no error")
	}
}
