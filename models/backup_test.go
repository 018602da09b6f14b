package models

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func sqliteAt(path string) Config { return Config{Driver: "sqlite", DSN: path} }

// fileShop is a shop whose file has a known place.
func fileShop(t *testing.T, stock int64) (string, *Store, *User) {
	t.Helper()
	path := emptyFile(t)
	s := openAt(t, path, Options{})
	seed(t, s, stock)
	u, err := s.SignIn(t.Context(), "wxf000000000000001", "o-first", 0)
	if err != nil {
		t.Fatal(err)
	}
	return path, s, u
}

// D4: a backup under write load is one whole moment of the shop: it opens, is
// sound, and holds no more than the shop does; nobody else can read it.
func TestBackupWhileOrdersCome(t *testing.T) {
	path, s, u := fileShop(t, 10_000)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, _, _, err := s.CreateOrder(t.Context(), checkout(u.ID, number("t", time.Now()), Line{1, 1})); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	orders := func() (n int64) {
		t.Helper()
		if err := s.row(t.Context(), `SELECT count(*) FROM orders`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for orders() == 0 {
		time.Sleep(time.Millisecond)
	}
	dir := t.TempDir()
	for _, name := range []string{"a.db", "b.db", "c.db"} {
		before := orders()
		sum, err := Backup(t.Context(), sqliteAt(path), filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if after := orders(); sum.Orders < before || sum.Orders > after || sum.Newest.IsZero() {
			t.Errorf("%s has %d orders, the shop had %d before and %d after; newest %v", name, sum.Orders, before, after, sum.Newest)
		}
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, st, err)
		}
	}
	close(stop)
	wg.Wait()
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 3 {
		t.Errorf("left behind: %v", left)
	}
	copied := openAt(t, filepath.Join(dir, "c.db"), Options{})
	var lines, stock int64
	copied.row(t.Context(), `SELECT sum(qty) FROM order_items`).Scan(&lines)
	copied.row(t.Context(), `SELECT stock FROM skus WHERE id = 1`).Scan(&stock)
	if lines+stock != 10_000 {
		t.Errorf("sold %d + stock %d in the copy, want 10000 together", lines, stock)
	}
}

func TestBackupRefuses(t *testing.T) {
	path, _, _ := fileShop(t, 5)
	db, dir := sqliteAt(path), t.TempDir()
	there := filepath.Join(dir, "there.db")
	os.WriteFile(there, []byte("precious"), 0o600)
	if _, err := Backup(t.Context(), db, there); err == nil || !strings.Contains(err.Error(), "never replaces") {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(there); string(b) != "precious" {
		t.Error("the file was touched")
	}
	if _, err := Backup(t.Context(), sqliteAt(filepath.Join(dir, "none.db")), filepath.Join(dir, "x.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no database: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "none.db")); err == nil {
		t.Error("a backup made an empty database")
	}
}

// On a server, its own tool does it: the line to type, without the password.
func TestBackupOfAServer(t *testing.T) {
	for _, c := range []struct{ driver, dsn, copy, back string }{
		{"postgres", "postgres://shop:secret@db.lan:5433/tea", "pg_dump --format=custom --file=x.dump --host=db.lan --port=5433 --username=shop tea",
			"pg_restore --clean --if-exists --single-transaction --exit-on-error --host=db.lan --port=5433 --username=shop --dbname=tea x.dump"},
		{"mysql", "shop:secret@tcp(db.lan:3307)/tea?parseTime=true", "mariadb-dump --single-transaction --routines --triggers --hex-blob --host=db.lan --port=3307 --user=shop --password --result-file=x.dump tea",
			"mariadb --host=db.lan --port=3307 --user=shop --password tea < x.dump"},
	} {
		_, err := Backup(t.Context(), Config{c.driver, c.dsn}, "x.dump")
		if err == nil || !strings.HasSuffix(err.Error(), "\n  "+c.copy) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", c.driver, err)
		}
		_, err = Restore(t.Context(), Config{c.driver, c.dsn}, "x.dump", time.Now())
		if err == nil || !strings.HasSuffix(err.Error(), "\n  "+c.back) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", c.driver, err)
		}
	}
}

// D6: the old file is kept, stale -wal and -shm do not touch the new one, and
// the next start knows that time is missing.
func TestRestore(t *testing.T) {
	path, s, u := fileShop(t, 50)
	place := func(s *Store, token string) string {
		t.Helper()
		o, _, _, err := s.CreateOrder(t.Context(), checkout(u.ID, token, Line{1, 1}))
		if err != nil {
			t.Fatal(err)
		}
		return o.No
	}
	before := place(s, "before")
	backup := filepath.Join(t.TempDir(), "b.db")
	if _, err := Backup(t.Context(), sqliteAt(path), backup); err != nil {
		t.Fatal(err)
	}
	after := place(s, "after")
	if _, err := Restore(t.Context(), sqliteAt(path), backup, time.Now()); err == nil || !strings.Contains(err.Error(), "stop the shop first") {
		t.Fatalf("while the shop has it open: %v", err)
	}
	if _, err := s.Order(t.Context(), u.ID, after); err != nil {
		t.Fatalf("the refusal harmed the shop: %v", err)
	}
	s.Close()
	os.WriteFile(path+"-wal", []byte("rubbish of a crash"), 0o600)
	r, err := Restore(t.Context(), sqliteAt(path), backup, time.Now())
	if err != nil || r.Orders != 1 || r.Kept == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	if old, err := Inspect(t.Context(), r.Kept); err != nil || old.Orders != 2 {
		t.Errorf("kept: %+v, %v", old, err)
	}
	s = openAt(t, path, Options{Serves: true})
	if _, err := s.Order(t.Context(), u.ID, before); err != nil {
		t.Error(err)
	}
	if _, err := s.Order(t.Context(), u.ID, after); !errors.Is(err, ErrNotFound) {
		t.Errorf("the order after the backup: %v", err)
	}
	if !s.Unclean() {
		t.Error("the start after a restore does not know that time is missing")
	}
}

func TestRestoreRefuses(t *testing.T) {
	path, s, _ := fileShop(t, 5)
	good := filepath.Join(t.TempDir(), "good.db")
	if _, err := Backup(t.Context(), sqliteAt(path), good); err != nil {
		t.Fatal(err)
	}
	s.Close()
	file := func(change func(name string)) string {
		name := filepath.Join(t.TempDir(), "bad.db")
		if err := copyFile(name, good); err != nil {
			t.Fatal(err)
		}
		change(name)
		return name
	}
	run := func(q string) func(string) {
		return func(name string) {
			db, err := sql.Open("sqlite", name)
			if err == nil {
				_, err = db.Exec(q)
			}
			if err != nil {
				t.Fatal(err)
			}
			db.Close()
		}
	}
	now, _ := os.ReadFile(path)
	for _, c := range []struct{ what, file, want string }{
		{"a newer schema", file(run(`INSERT INTO migrations(id) VALUES('9999-future')`)), "newer version"},
		{"rows that point nowhere", file(run(`INSERT INTO skus(id, product_id, code, price, stock) VALUES(999, 4711, 'x', 1, 1)`)), "rows that are gone"},
		{"a broken page", file(func(n string) { spoil(t, n) }), "damaged"},
		{"cut short", file(func(n string) { os.Truncate(n, 9000) }), "damaged"},
		{"empty", file(func(n string) { os.Truncate(n, 0) }), "empty"},
		{"a text", file(func(n string) { os.WriteFile(n, bytes.Repeat([]byte("tea "), 5000), 0o600) }), "damaged"},
		{"a database of something else", file(run(`DROP TABLE migrations`)), "no database of this shop"},
		{"the database itself", path, "itself"},
		{"nothing", filepath.Join(t.TempDir(), "none"), "no such file"},
	} {
		if _, err := Restore(t.Context(), sqliteAt(path), c.file, time.Now()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.what, err, c.want)
		}
	}
	if b, _ := os.ReadFile(path); !bytes.Equal(b, now) {
		t.Error("a refused restore changed the database")
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A damaged database does not stand in the way of the backup.
func TestRestoreOverADamagedFile(t *testing.T) {
	path, s, _ := fileShop(t, 5)
	good := filepath.Join(t.TempDir(), "good.db")
	if _, err := Backup(t.Context(), sqliteAt(path), good); err != nil {
		t.Fatal(err)
	}
	s.Close()
	os.WriteFile(path, []byte("this is no database any more, and much too short"), 0o600)
	r, err := Restore(t.Context(), sqliteAt(path), good, time.Now())
	if err != nil || r.Kept == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	openAt(t, path, Options{Serves: true})
}

// spoil overwrites pages in the middle of a file.
func spoil(t *testing.T, name string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096 * 2; i < len(b)-4096; i += 4096 {
		copy(b[i:], "\x0d spoilt by the test, as a dying disk does it")
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// D3, D7: the mark is there while a shop serves and after a crash; then the
// start looks through the file, and a damaged one is refused, unchanged, with
// what to do.
func TestStartAfterACrash(t *testing.T) {
	path := emptyFile(t)
	marked := func() bool { _, err := os.Stat(path + ".open"); return err == nil }
	s := openAt(t, path, Options{Serves: true})
	seed(t, s, 5)
	if s.Unclean() || !marked() {
		t.Fatalf("first start: unclean %v, marked %v", s.Unclean(), marked())
	}
	s.Close()
	if marked() {
		t.Error("an orderly stop leaves the mark")
	}
	crash := errors.New("killed")
	s = openAt(t, path, Options{Serves: true, Crash: func(string) error { return crash }})
	s.write(t.Context(), note(s, "never"))
	s.Close()
	if !marked() {
		t.Fatal("a crash takes the mark away")
	}
	openAt(t, path, Options{}).Close() // a command beside the shop
	if !marked() {
		t.Error("a command takes the mark away")
	}
	s = openAt(t, path, Options{Serves: true})
	if !s.Unclean() {
		t.Error("the start after the crash does not know")
	}
	s.Close()

	spoil(t, path)
	os.WriteFile(path+".open", nil, 0o600)
	was, _ := os.ReadFile(path)
	_, err := Open(t.Context(), sqliteAt(path), Options{Serves: true})
	if err == nil || !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), "wxshop restore FILE") {
		t.Errorf("a damaged database: %v", err)
	}
	if b, _ := os.ReadFile(path); !bytes.Equal(b, was) {
		t.Error("the refused start changed the file")
	}
}

// D3: after a crash or a restore WeChat is asked also about attempts that this
// database believes closed; after an orderly stop it is not.
func TestWakeAfterRestore(t *testing.T) {
	for _, crash := range []bool{false, true} {
		path, s, u := fileShop(t, 5)
		o, p := place(t, s, checkout(u.ID, "closed", Line{1, 1}))
		if err := s.EndPayment(t.Context(), p.ID, PayClosed, "shopper", "", nil); err != nil {
			t.Fatal(err)
		}
		if err := s.CheckAgain(t.Context(), p.ID, time.Time{}); err != nil {
			t.Fatal(err)
		}
		s.Close()
		if crash {
			os.WriteFile(path+".open", nil, 0o600)
		}
		s = openAt(t, path, Options{Serves: true})
		n, err := s.WakeQueries(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		due, err := s.DueQueries(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: 1}[crash]; len(due) != want || n != int64(want) {
			t.Errorf("crash %v: %d attempts of %s are asked about, %d woken; want %d", crash, len(due), o.No, n, want)
		}
	}
}
