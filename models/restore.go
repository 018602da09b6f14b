package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Restored is what Restore did.
type Restored struct {
	Summary
	Kept string // where the replaced database lies now; "" when there was none
}

// Restore puts a checked copy of the backup src in the place of the database
// of c and keeps what was there. It refuses while any program has that
// database open. The next start treats the file as one that was not closed in
// order: it is checked once more, and WeChat is asked about every attempt that
// may have been paid since.
func Restore(ctx context.Context, c Config, src string, now time.Time) (*Restored, error) {
	f, err := existing(c, "restore", src)
	if err != nil {
		return nil, err
	}
	if same(src, f.name) {
		return nil, fmt.Errorf("%s is the database itself", src)
	}
	if log, err := os.Stat(src + "-wal"); err == nil && log.Size() > 0 {
		return nil, fmt.Errorf("%s is not all: %s-wal holds what came last. Make one whole file of both:  WXSHOP_DATABASE_DSN=%s wxshop backup NEW.db", src, src, src)
	}
	if err := os.MkdirAll(filepath.Dir(f.name), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the database: %w", err)
	}
	fresh := f.name + ".restoring"
	defer os.Remove(fresh) // gone already when all went well
	if err := copyFile(fresh, src); err != nil {
		return nil, fmt.Errorf("copy %s: %w", src, err)
	}
	sum, err := Inspect(ctx, fresh)
	if err != nil {
		return nil, fmt.Errorf("the backup is not used: %w", err)
	}
	r := &Restored{Summary: *sum}
	return r, r.swap(ctx, f, fresh, now)
}

// swap replaces the file while it keeps everybody else out of it.
func (r *Restored) swap(ctx context.Context, f file, fresh string, now time.Time) error {
	release, err := seize(ctx, f)
	if err != nil {
		return err
	}
	defer release()
	if err := f.mark(); err != nil {
		return err
	}
	kept := f.name + ".replaced-" + now.UTC().Format("20060102-150405.000")
	// -wal and -shm belong to the old file: beside the new one they would ruin it.
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.Rename(f.name+end, kept+end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("put the old database aside: %w", err)
		}
	}
	switch err := keepAs(kept, f.name); {
	case err == nil:
		r.Kept = kept
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("put the old database aside: %w", err)
	}
	if err := os.Rename(fresh, f.name); err != nil {
		if same(kept, f.name) { // two names of the one that stays
			return errors.Join(fmt.Errorf("put the backup in its place: %w", err), os.Remove(kept))
		}
		return fmt.Errorf("the old database is at %s; put the backup in its place: %w", kept, err)
	}
	return durable(filepath.Dir(f.name))
}

// keepAs gives a file a second name, so that there is one under the first at
// every moment: a shop that was started without would begin an empty one.
func keepAs(kept, name string) error {
	err := os.Link(name, kept)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(name, kept) // a file system without links
}

// seize gets the database for us alone. A file that is not there is free; one
// that is broken has no locks to ask for.
func seize(ctx context.Context, f file) (release func(), err error) {
	if _, err := os.Stat(f.name); errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	db, err := grab(ctx, f)
	if err != nil {
		return nil, err
	}
	return func() { db.Close() }, nil
}

// grab is one connection in a transaction that keeps every other program out.
func grab(ctx context.Context, f file) (*sql.DB, error) {
	db, err := openDB(f.dsn([]pragma{{"busy_timeout", "1000", ""}}, ""))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	// Leaving WAL needs the file for oneself: every program that has it open
	// holds a share. It also brings what the log holds into the file.
	var mode string
	err = db.QueryRowContext(ctx, `PRAGMA journal_mode = DELETE`).Scan(&mode)
	if err == nil && mode == "delete" {
		_, err = db.ExecContext(ctx, `BEGIN EXCLUSIVE`)
	}
	switch {
	case code(err)&0xff == sqliteBusy, err == nil && mode != "delete":
		db.Close()
		return nil, fmt.Errorf("a program has %s open: stop the shop first", f.name)
	case err != nil && !errors.Is(damaged(err), ErrDamaged):
		db.Close()
		return nil, fmt.Errorf("lock %s: %w", f.name, told(err))
	}
	return db, nil
}

func copyFile(dst, src string) (err error) {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

func same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// A shop that serves leaves a mark beside its database for as long as it has
// it open. One that is found at a start tells of a crash (security D3).
const markEnd = ".open"

func (f file) mark() error {
	h, err := os.OpenFile(f.name+markEnd, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("mark the database as open: %w", unwritable(err))
	}
	if err := errors.Join(h.Sync(), h.Close()); err != nil {
		return fmt.Errorf("mark the database as open: %w", unwritable(err))
	}
	return durable(filepath.Dir(f.name))
}

// guard looks at a database before a shop relies on it: after a crash by
// quick_check, before a change of its schema in full (security D7). Then it
// marks it as open.
func (s *Store) guard(ctx context.Context, f file) error {
	_, err := os.Stat(f.name + markEnd)
	s.unclean = err == nil
	if err := s.examine(ctx, f); err != nil {
		if errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("%w. Nothing was changed. Keep this file, then put the newest backup in its place:  wxshop restore FILE  "+
				"(payments since that backup are found again by asking WeChat and in its bill)", err)
		}
		return err
	}
	s.marked = f.name + markEnd
	return f.mark()
}

func (s *Store) examine(ctx context.Context, f file) error {
	if st, err := os.Stat(f.name); err != nil || st.Size() == 0 {
		return err
	}
	db, err := openDB(f.dsn([]pragma{{"busy_timeout", "2000", ""}}, ""))
	if err != nil {
		return err
	}
	defer db.Close()
	check, err := s.checkFor(ctx, db)
	if err != nil || check == "" {
		return err
	}
	start := time.Now()
	if err := whole(ctx, db, check); err != nil {
		return err
	}
	s.log.Info("the database was looked through", "op", check, "cause", s.why(), "took", time.Since(start))
	return nil
}

func (s *Store) why() string {
	if s.unclean {
		return "it was not closed in order"
	}
	return "its schema is about to change"
}

func (s *Store) checkFor(ctx context.Context, db *sql.DB) (string, error) {
	ids, err := applied(ctx, db)
	if errors.Is(damaged(err), ErrDamaged) {
		return "", damaged(err)
	}
	switch {
	case err == nil && len(ids) < len(migrations):
		return "integrity_check", nil
	case s.unclean:
		return "quick_check", nil
	}
	return "", nil
}

// unmark is the last act of an orderly stop. A start that came to nothing
// before it woke the queries leaves the mark to the next one.
func (s *Store) unmark() error {
	if s.marked == "" || s.unclean && !s.woken.Load() {
		return nil
	}
	return os.Remove(s.marked)
}

// Unclean reports whether the database had not been closed in order when this
// shop opened it, or was restored: what happened since must be asked for.
func (s *Store) Unclean() bool { return s.unclean }
