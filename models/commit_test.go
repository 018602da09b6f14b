package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"wxshop/models/modelstest"
)

// hold keeps the committer busy until the returned function is called.
func hold(t testing.TB, s *Store) (release func()) {
	t.Helper()
	modelstest.SQLiteOnly(t, "a server has no one writer")
	begun, end, done := make(chan bool), make(chan bool), make(chan error)
	go func() {
		done <- s.write(context.Background(), func(*Tx) error {
			begun <- true
			<-end
			return nil
		})
	}()
	<-begun
	return func() {
		close(end)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// oneBatch makes calls, in this order, the members of one commit. On a server
// they just run at once.
func oneBatch(t testing.TB, s *Store, calls ...func()) {
	t.Helper()
	var wg sync.WaitGroup
	if s.far != nil {
		for _, call := range calls {
			wg.Go(call)
		}
		wg.Wait()
		return
	}
	release := hold(t, s)
	for i, call := range calls {
		wg.Go(call)
		for len(s.c.queue) <= i {
			runtime.Gosched()
		}
	}
	release()
	wg.Wait()
}

func note(s *Store, text string) func(*Tx) error {
	return func(tx *Tx) error {
		return tx.event(Event{OrderID: 1, At: s.time(), Actor: "system", Kind: "note", Note: text})
	}
}

func notes(t testing.TB, s *Store) int64 {
	t.Helper()
	return count(t, s, `SELECT count(*) FROM events WHERE kind = 'note'`)
}

func TestBatchSharesOneCommit(t *testing.T) {
	modelstest.SQLiteOnly(t, "it is about the group commit")
	s := openStore(t, Options{})
	before := s.Stats()
	var calls []func()
	for i := range 100 {
		calls = append(calls, func() {
			if err := s.write(t.Context(), note(s, fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	oneBatch(t, s, calls...)
	after := s.Stats()
	if after.Commits-before.Commits != 2 || after.Calls-before.Calls != 101 { // the one that held, and ours
		t.Errorf("stats %+v, before %+v", after, before)
	}
	if n := notes(t, s); n != 100 {
		t.Errorf("%d rows", n)
	}
}

func TestRefusalLeavesNeighboursAlone(t *testing.T) {
	modelstest.SQLiteOnly(t, "it is about the group commit")
	s := openStore(t, Options{})
	ran := 0
	neighbour := func(tx *Tx) error { ran++; return note(s, "neighbour")(tx) }
	refused := errors.New("sold out")
	oneBatch(t, s,
		func() { s.write(t.Context(), neighbour) },
		func() {
			if err := s.write(t.Context(), func(*Tx) error { return refused }); !errors.Is(err, refused) {
				t.Errorf("got %v", err)
			}
		},
		func() { s.write(t.Context(), neighbour) },
	)
	if st := s.Stats(); st.Rollbacks != 0 || ran != 2 || notes(t, s) != 2 {
		t.Errorf("%d rollbacks, %d runs, %d rows", st.Rollbacks, ran, notes(t, s))
	}
}

func TestFailureAfterWritingRunsMembersApart(t *testing.T) {
	for _, tt := range []struct {
		name string
		fail func(*Tx) error
	}{
		{"error", func(*Tx) error { return errors.New("second thoughts") }},
		{"panic", func(*Tx) error { panic("second thoughts") }}, // V13
		{"bad statement", func(tx *Tx) error { _, err := tx.exec(`INSERT INTO events(id) VALUES(1), (1)`); return err }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := openStore(t, Options{})
			var runs atomic.Int64
			good := func() {
				err := s.write(t.Context(), func(tx *Tx) error { runs.Add(1); return note(s, "good")(tx) })
				if err != nil {
					t.Errorf("neighbour: %v", err)
				}
			}
			oneBatch(t, s, good, func() {
				err := s.write(t.Context(), func(tx *Tx) error {
					if err := note(s, "bad")(tx); err != nil {
						return err
					}
					return tt.fail(tx)
				})
				if err == nil {
					t.Error("the failure was not told")
				}
			}, good)
			if n := notes(t, s); n != 2 {
				t.Errorf("%d rows, want those of the two good ones", n)
			}
			if n := count(t, s, `SELECT count(*) FROM events WHERE note = 'bad'`); n != 0 {
				t.Error("the failed member left rows")
			}
			if st := s.Stats(); s.c != nil && (st.Rollbacks != 1 || runs.Load() != 3) {
				t.Errorf("%d rollbacks, %d runs; want 1 and 3 (the last had not run yet)", st.Rollbacks, runs.Load())
			}
			if err := s.write(t.Context(), note(s, "after")); err != nil {
				t.Errorf("the store does not live on: %v", err)
			}
		})
	}
}

func TestPanicBeforeWritingIsConfined(t *testing.T) {
	s := openStore(t, Options{})
	oneBatch(t, s, func() {
		err := s.write(t.Context(), func(*Tx) error { panic("oops") })
		if err == nil || !strings.Contains(err.Error(), "oops") {
			t.Errorf("got %v", err)
		}
	}, func() {
		if err := s.write(t.Context(), note(s, "fine")); err != nil {
			t.Error(err)
		}
	})
	if s.Stats().Rollbacks != 0 {
		t.Error("nothing had to be rolled back")
	}
}

// Nothing of a transaction that SQLite ended by itself may commit alone, even
// when the member does not look at its error.
func TestBrokenTransactionWritesNothingMore(t *testing.T) {
	modelstest.SQLiteOnly(t, "it is about the group commit")
	s := openStore(t, Options{})
	err := s.write(t.Context(), func(tx *Tx) error {
		if err := note(s, "before")(tx); err != nil {
			return err
		}
		tx.check(breakIt(t, s, tx))
		_ = note(s, "stray")(tx)
		return nil
	})
	if err == nil {
		t.Error("success was told")
	}
	if n := notes(t, s); n != 0 {
		t.Errorf("%d rows survived", n)
	}
}

// breakIt ends the transaction behind the back of tx, as a full disk does.
func breakIt(t testing.TB, s *Store, tx *Tx) error {
	t.Helper()
	tx.plain("ROLLBACK")
	tx.plain("PRAGMA max_page_count = 1") // cannot go below what is there
	_, err := tx.bulk(`INSERT INTO messages(request) VALUES(hex(zeroblob(3000000)))`)
	tx.plain("PRAGMA max_page_count = 1000000")
	if code(err)&0xff != sqliteFull {
		t.Errorf("got %v, want a full disk", err)
	}
	return err
}

// V10: a full disk refuses writes, reads go on, and space brings writes back.
func TestFullDisk(t *testing.T) {
	modelstest.SQLiteOnly(t, "it is about the group commit")
	s, u := shop(t, 100, Options{})
	limit := func(n int) {
		t.Helper()
		err := s.write(t.Context(), func(tx *Tx) error { return tx.plain(fmt.Sprintf("PRAGMA max_page_count = %d", n)) })
		if err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // SQLite raises it to what the file has
	big := strings.Repeat("x", 1<<20)
	err := s.RecordMessages(t.Context(), []Message{{OutTradeNo: "P1", Request: big}})
	if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("got %v", err)
	}
	if _, err := s.User(t.Context(), u.ID); err != nil {
		t.Errorf("read: %v", err)
	}
	limit(1 << 20)
	if err := s.RecordMessages(t.Context(), []Message{{OutTradeNo: "P1", Request: big}}); err != nil {
		t.Errorf("after making room: %v", err)
	}
}

// V14: the outcome of a write that began is known, whatever the client does.
func TestCancelledRequestStillWrites(t *testing.T) {
	s, u := shop(t, 10, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o, _, _, err := s.CreateOrder(ctx, checkout(u.ID, "gone", Line{1, 1}))
	if err != nil {
		t.Fatalf("write with a cancelled request: %v", err)
	}
	if _, err := s.Order(t.Context(), u.ID, o.No); err != nil {
		t.Errorf("the order is not there: %v", err)
	}
	if _, err := s.Order(ctx, u.ID, o.No); !errors.Is(err, context.Canceled) {
		t.Errorf("raw read with a cancelled request: %v", err)
	}
	if _, err := s.Orders(ctx, u.ID, "", 0, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("GORM read with a cancelled request: %v", err)
	}
}

// A caller whose time passes before its turn gives up, and then nothing of it
// is written; one whose turn has come waits for the outcome.
func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, Options{})
		release := hold(t, s)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		err := s.write(ctx, note(s, "too late"))
		if took := time.Since(start); !errors.Is(err, ErrBusy) || took != 3*time.Second {
			t.Errorf("got %v after %v, want ErrBusy after its 3 s", err, took)
		}
		start = time.Now()
		err = s.write(t.Context(), note(s, "too late"))
		if took := time.Since(start); !errors.Is(err, ErrBusy) || took != longWait {
			t.Errorf("got %v after %v, want ErrBusy after %v", err, took, longWait)
		}
		release()
		if err := s.write(t.Context(), note(s, "in time")); err != nil {
			t.Error(err)
		}
		if n := notes(t, s); n != 1 {
			t.Errorf("%d rows: who gave up must not write", n)
		}
	})
}

func TestBegunWriteIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := s.write(ctx, func(tx *Tx) error {
			time.Sleep(20 * time.Second)
			return note(s, "slow")(tx)
		})
		if err != nil || notes(t, s) != 1 {
			t.Errorf("got %v with %d rows", err, notes(t, s))
		}
	})
}

// V11: while another process holds the lock, writes answer soon that they
// could not, and reads go on.
func TestLockedDatabase(t *testing.T) {
	path := emptyFile(t)
	s := openAt(t, path, Options{})
	seed(t, s, 5)
	other, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	lock, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			start := time.Now()
			err := s.write(t.Context(), note(s, "locked out"))
			if !errors.Is(err, ErrBusy) {
				t.Errorf("got %v, want ErrBusy", err)
			}
			if took := time.Since(start); took > 7*time.Second { // 2 × 2 s, and a busy machine
				t.Errorf("took %v", took)
			}
		})
	}
	wg.Go(func() { // P27: a notification cannot wait that long
		ctx, cancel := context.WithTimeout(t.Context(), shortWait)
		defer cancel()
		start := time.Now()
		if err := s.write(ctx, note(s, "in a hurry")); !errors.Is(err, ErrBusy) || time.Since(start) > 3*time.Second {
			t.Errorf("got %v after %v, want ErrBusy after %v", err, time.Since(start), shortWait)
		}
	})
	if _, err := s.Products(t.Context(), Find{}); err != nil {
		t.Errorf("read: %v", err)
	}
	wg.Wait()
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.write(t.Context(), note(s, "free again")); err != nil {
		t.Error(err)
	}
	if n := notes(t, s); n != 1 {
		t.Errorf("%d rows", n)
	}
}

func TestCloseDrains(t *testing.T) {
	path := emptyFile(t)
	s := openAt(t, path, Options{})
	release := hold(t, s)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if err := s.write(t.Context(), note(s, fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	for len(s.c.queue) < 50 {
		runtime.Gosched()
	}
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	release()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	wg.Wait()
	if err := s.write(t.Context(), note(s, "late")); !errors.Is(err, ErrBusy) {
		t.Errorf("write after Close: %v", err)
	}
	if n := notes(t, openAt(t, path, Options{})); n != 50 {
		t.Errorf("%d rows", n)
	}
}

// A crash before the commit leaves nothing, one after it everything, and in
// neither case does anybody hear of success.
func TestCrash(t *testing.T) {
	dead := errors.New("killed")
	for _, tt := range []struct {
		point  string
		orders int64
	}{{"before-commit", 0}, {"after-commit", 1}} {
		t.Run(tt.point, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := emptyFile(t)
				var armed atomic.Bool
				s := openAt(t, path, Options{Crash: func(point string) error {
					if armed.Load() && point == tt.point {
						return dead
					}
					return nil
				}})
				seed(t, s, 5)
				u, err := s.CreateGuest(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				armed.Store(true)
				n := checkout(u.ID, "crash", Line{1, 2})
				if _, _, _, err := s.CreateOrder(t.Context(), n); !errors.Is(err, dead) {
					t.Errorf("got %v", err)
				}
				if _, _, _, err := s.CreateOrder(t.Context(), n); !errors.Is(err, dead) {
					t.Errorf("a dead committer works: %v", err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				s = openAt(t, path, Options{})
				if n := count(t, s, `SELECT count(*) FROM orders`); n != tt.orders {
					t.Errorf("%d orders after the crash, want %d", n, tt.orders)
				}
				if left := stockOf(t, s, 1); left != 5-2*tt.orders {
					t.Errorf("stock %d", left)
				}
				_, _, repeated, err := s.CreateOrder(t.Context(), n)
				if err != nil || repeated != (tt.orders == 1) {
					t.Errorf("submitted again: repeated %v, %v", repeated, err)
				}
			})
		})
	}
}

// With one processor a naive committer would take batches of one.
func TestBatchesWithOneProcessor(t *testing.T) {
	modelstest.SQLiteOnly(t, "it is about the group commit")
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s, u := shop(t, 1<<30, Options{})
	before := s.Stats()
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := range 10 {
				if _, _, _, err := s.CreateOrder(t.Context(), checkout(u.ID, fmt.Sprintf("%d-%d", w, i), Line{1, 1})); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	after := s.Stats()
	if mean := float64(after.Calls-before.Calls) / float64(after.Commits-before.Commits); mean < 16 {
		t.Errorf("mean batch %.1f, want 16", mean)
	}
}

func TestPing(t *testing.T) {
	path := emptyFile(t)
	s := openAt(t, path, Options{})
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	s.Close()
	if err := s.Ping(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("closed: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "plain"), []byte("not a folder"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, driver, dsn, want string }{
		{"driver", "oracle", "x", `database driver "oracle" is not supported: write sqlite, postgres or mysql`},
		{"memory", "sqlite", ":memory:", "must name a file"},
		{"empty", "sqlite", "", "must name a file"},
		{"folder is a file", "sqlite", filepath.Join(dir, "plain", "shop.db"), "folder"},
		{"not a database", "sqlite", filepath.Join(dir, "plain"), "not a database"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Open(t.Context(), Config{Driver: tt.driver, DSN: tt.dsn}, Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want a sentence with %q", err, tt.want)
			}
		})
	}
}

// A store that was closed leaves no goroutine behind.
func TestCloseLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s, err := Open(t.Context(), Config{Driver: "sqlite", DSN: emptyFile(t)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := s.Products(t.Context(), Find{}); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
