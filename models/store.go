// Package models is the shop's memory: what there is, which changes are
// allowed, and the one database that keeps it. Each exported method of Store
// that writes is one transaction and is named for what happened in the shop;
// nothing outside this package sees SQL, GORM or a transaction.
package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// Config says where the database is.
type Config struct {
	Driver string `yaml:"driver"`            // sqlite, postgres or mysql
	DSN    string `yaml:"dsn" secret:"true"` // a file, or where the server is and who we are there
}

// Check finds what Open would refuse without looking at the database. A driver
// that there is not is left to Open.
func (c Config) Check() error {
	switch c.Driver {
	case "sqlite":
		_, err := parseDSN(c.DSN)
		return err
	case "postgres", "mysql":
		_, err := newServer(c)
		return err
	}
	return nil
}

// Options are what Open needs beyond the configuration.
type Options struct {
	Log *slog.Logger
	Now func() time.Time
	// Crash, when set, is asked at the named points of every group commit
	// ("before-commit", "after-commit"); an error stops the committer for
	// good, as a killed process would. For tests of recovery.
	Crash func(point string) error
	// Serves: this is the shop, not a command beside it. The file is looked
	// through after a crash, and marked as open until Close.
	Serves bool
	// Step, when set, is called with the caller's context before every read and
	// write. A test that waits in it chooses who comes next.
	Step func(ctx context.Context)
}

// discard is the log of a store that was given none.
var discard = slog.New(slog.DiscardHandler)

// Store is the only door to the database. On SQLite it writes through one
// connection that belongs to the committer, on a server through a few; it
// reads through a pool of its own, so that a page never waits behind a commit.
type Store struct {
	log     *slog.Logger
	now     func() time.Time
	step    func(context.Context)
	numbers func(prefix string, now time.Time) string
	writer  *sql.DB    // of SQLite one connection
	readers *sql.DB    // of SQLite query_only
	g       *gorm.DB   // over readers
	c       *committer // SQLite's
	far     *far       // of a server
	words   *words     // likewise
	tally   tally
	glanced glanced
	catalog atomic.Uint64
	looks   looks
	closed  atomic.Bool
	file    file   // SQLite's
	marked  string // the file that says that we are open, "" without one
	unclean bool
	woken   atomic.Bool // what an unclean end asks for was done
}

// Open migrates (under a lock) and opens the database.
func Open(ctx context.Context, c Config, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = discard
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Step == nil {
		o.Step = func(context.Context) {}
	}
	if o.Crash == nil {
		o.Crash = func(string) error { return nil }
	}
	s := &Store{log: o.Log, now: o.Now, step: o.Step, numbers: number}
	// Pages kept from before a restart must not match by accident.
	s.catalog.Store(uint64(o.Now().UnixMilli()) << 10)
	if c.Driver != "sqlite" {
		return s.openServer(ctx, c, o)
	}
	path, err := prepareFile(c.DSN)
	if err != nil {
		return nil, err
	}
	if o.Serves {
		if err := s.guard(ctx, path); err != nil {
			return nil, fmt.Errorf("open database %s: %w", path.name, told(err))
		}
	}
	if err := s.open(ctx, path, o); err != nil {
		s.closePools()
		return nil, fmt.Errorf("open database %s: %w", path.name, told(err))
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, f file, o Options) error {
	s.file = f
	var err error
	if s.writer, err = openDB(f.dsn(writerPragmas, "immediate")); err != nil {
		return err
	}
	s.writer.SetMaxOpenConns(1)
	if err := migrate(ctx, s.writer, sqlite.Dialector{Conn: s.writer}, s.log); err != nil {
		return err
	}
	n := max(4, 2*runtime.GOMAXPROCS(0))
	if s.readers, err = openDB(f.dsn(readerPragmas, "")); err != nil {
		return err
	}
	s.readers.SetMaxOpenConns(n)
	s.readers.SetMaxIdleConns(n)
	if err := assertAll(ctx, s.readers, n, readerPragmas); err != nil {
		return err
	}
	if err := assertAll(ctx, s.writer, 1, writerPragmas); err != nil {
		return err
	}
	if s.g, err = openGorm(sqlite.Dialector{Conn: s.readers}, s.log); err != nil {
		return err
	}
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return err
	}
	s.c = newCommitter(conn, newTx(conn, s.g, s.numbers), s.log, o.Crash, &s.tally)
	s.c.changed = func() { s.catalog.Add(1) }
	s.c.place = s.placeAll
	go s.c.loop()
	return nil
}

func openGorm(d gorm.Dialector, log *slog.Logger) (*gorm.DB, error) {
	return gorm.Open(d, &gorm.Config{
		SkipDefaultTransaction: true, // that of write is the only one
		DisableAutomaticPing:   true,
		Logger: logger.NewSlogLogger(log, logger.Config{
			LogLevel:                  logger.Warn,
			SlowThreshold:             200 * time.Millisecond,
			IgnoreRecordNotFoundError: true,
			ParameterizedQueries:      true, // keeps people's data out of the log
		}),
	})
}

// Close lets the writes that wait finish, refuses later ones and closes the
// files. Closing twice is fine.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	if s.far != nil {
		s.far.stop()
		return s.closePools()
	}
	s.c.stop()
	crashed := s.c.crashed != nil
	if err := s.closePools(); err != nil || crashed {
		return err // the mark stays, as after any crash
	}
	return s.unmark()
}

func (s *Store) closePools() error {
	var errs []error
	for _, db := range []*sql.DB{s.readers, s.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// time is now as it is stored.
func (s *Store) time() Time { return At(s.now()) }

// Ping writes and reads, for /readyz.
func (s *Store) Ping(ctx context.Context) error {
	now := s.time()
	err := s.write(ctx, func(tx *Tx) error {
		_, err := tx.lease("ping", "", now, now)
		return err
	})
	if err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	var got Time
	err = s.row(ctx, `SELECT until FROM leases WHERE name = 'ping'`).Scan(&got)
	if err != nil {
		return fmt.Errorf("ping: %w", toldRead(ctx, err))
	}
	return nil
}

// Stats are counters of the group commit and of open work, for /metrics.
type Stats struct {
	Commits, Calls, Rollbacks int64
	QueueLength               int64
}

// Stats tells how the group commit is doing since Open.
func (s *Store) Stats() Stats {
	return Stats{
		Commits:     s.tally.commits.Load(),
		Calls:       s.tally.calls.Load(),
		Rollbacks:   s.tally.rollbacks.Load(),
		QueueLength: s.waiting(),
	}
}

// waiting is how many writes have not begun.
func (s *Store) waiting() int64 {
	if s.far != nil {
		return max(0, s.far.under.Load()-farWriters)
	}
	return int64(len(s.c.queue))
}

// read is GORM over the readers. What it returns goes through toldRead.
//
// All reads look at ctx before and not during the read: with a context that
// can end, the driver starts a goroutine for each statement, whose interrupt
// may hit the next statement of the connection; and no read is long.
func (s *Store) read(ctx context.Context) *gorm.DB {
	s.step(ctx)
	g := s.g.WithContext(context.WithoutCancel(ctx))
	if err := ctx.Err(); err != nil {
		g.AddError(err)
	}
	return g
}

// row and rows are the raw reads of the hot paths.
func (s *Store) row(ctx context.Context, q string, args ...any) scanner {
	s.step(ctx)
	if err := ctx.Err(); err != nil {
		return failed{err}
	}
	return s.readers.QueryRowContext(hot, s.words.say(q), s.words.args(args)...)
}

func (s *Store) rows(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	s.step(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.readers.QueryContext(hot, s.words.say(q), s.words.args(args)...)
}

// scanner is a row that can be read: *sql.Row, *sql.Rows, or one that failed.
type scanner interface{ Scan(...any) error }

type failed struct{ err error }

func (f failed) Scan(...any) error { return f.err }
