package models

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
)

// Connections to a server: more would not make it faster.
const (
	farWriters = 8
	farReaders = 8
)

// Tries of one write on a server.
const (
	takenTries = 3  // after a unique value was there already: the second run sees it
	lostTries  = 2  // after a connection broke
	mostTries  = 50 // against others; patience ends first
)

// far writes to a server. Each write is a transaction of its own there, on a
// connection of its own: the server gathers commits by itself. What the one
// writer of SQLite gives for nothing, row locks and conditional updates give
// here, and a transaction that lost against another is run again.
type far struct {
	s     *Store
	pool  *sql.DB
	g     *gorm.DB // over readers; sessions of it run on a transaction
	crash func(point string) error
	turn  atomic.Uint64
	calls sync.WaitGroup
	under atomic.Int64 // writes under way, those that wait included

	mu    sync.Mutex
	ended error // why nobody writes any more
}

// openServer opens a database that runs by itself, and migrates it while no
// other program does.
func (s *Store) openServer(ctx context.Context, c Config, o Options) (*Store, error) {
	srv, err := newServer(c)
	if err != nil {
		return nil, err
	}
	s.words = &words{server: srv}
	if err := s.openPools(ctx, srv, o); err != nil {
		s.closePools()
		return nil, fmt.Errorf("open database (%s): %w", c.Driver, told(err))
	}
	return s, nil
}

func (s *Store) openPools(ctx context.Context, srv server, o Options) error {
	if err := migrateServer(ctx, srv, s.log); err != nil {
		return err
	}
	for pool, n := range map[**sql.DB]int{&s.writer: farWriters, &s.readers: farReaders} {
		db, err := srv.open(false)
		if err != nil {
			return err
		}
		db.SetMaxOpenConns(n)
		db.SetMaxIdleConns(n)
		*pool = db
	}
	why, err := srv.frail(ctx, s.writer)
	if err != nil {
		return err
	}
	if why != "" {
		s.log.Warn("the database server may forget paid orders when the power fails", "cause", why)
	}
	if s.g, err = openGorm(srv.dialector(s.readers), s.log); err != nil {
		return err
	}
	s.far = &far{s: s, pool: s.writer, g: s.g, crash: o.Crash}
	return nil
}

// enter admits a write, unless the store is closed.
func (f *far) enter() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended == nil {
		f.calls.Add(1)
	}
	return f.ended
}

func (f *far) end(why error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended == nil {
		f.ended = why
	}
}

// stop waits for the writes under way and refuses later ones.
func (f *far) stop() {
	f.end(errStopped)
	f.calls.Wait()
}

// do runs m, as often as it takes: see write for what m may rely on.
func (f *far) do(ctx context.Context, m *member) error {
	if err := f.enter(); err != nil {
		return err
	}
	defer f.calls.Done()
	f.under.Add(1)
	defer f.under.Add(-1)
	until := time.Now().Add(patience(ctx))
	for try := 1; ; try++ {
		err := f.once(m, until)
		tries := 0
		switch faultOf(err) {
		case taken:
			tries = takenTries
		case lost:
			tries = lostTries
		case conflict:
			tries = mostTries
		}
		if try >= tries || !time.Now().Before(until) {
			return err
		}
		f.s.tally.rollbacks.Add(1)
		if try > 1 {
			time.Sleep(time.Duration(min(try, 10)) * time.Millisecond)
		}
	}
}

// once runs m in one transaction. An error means that nothing of it stays,
// ErrUnknown excepted.
func (f *far) once(m *member, until time.Time) error {
	ctx, cancel := context.WithDeadline(background, until)
	defer cancel()
	conn, err := f.pool.Conn(ctx)
	if ctx.Err() != nil {
		err = errTurn
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	t, err := conn.BeginTx(background, nil)
	if err != nil {
		return err
	}
	start := time.Now()
	tx := f.newTx(t)
	if err = f.run(tx, m); err == nil && tx.broken != nil {
		err = tx.broken
	}
	if err == nil {
		err = tx.flush()
	}
	if err != nil {
		if t.Rollback() != nil {
			scrap(conn)
		}
		return err
	}
	if err := f.commit(t, tx); err != nil {
		scrap(conn)
		return err
	}
	if took := time.Since(start); took > slowCommit {
		f.s.log.Warn("write was slow", "took", took)
	}
	return nil
}

// scrap ends a connection of which nobody knows in what state it is.
func scrap(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
}

func (f *far) newTx(t *sql.Tx) *Tx {
	tx := newTx(t, f.g, f.s.numbers)
	tx.words, tx.shard = f.s.words, f.turn.Add(1)%shards
	return tx
}

// run calls what m has to do and confines its panic to it.
func (f *far) run(tx *Tx, m *member) (err error) {
	defer func() {
		if r := recover(); r != nil {
			f.s.log.Error("write panicked", "cause", fmt.Sprintf("%v\n%s", r, debug.Stack()))
			err = fmt.Errorf("write panicked: %v", r)
		}
	}()
	if m.order == nil {
		return m.fn(tx)
	}
	if err := f.s.placeAll(tx, []*member{m}); err != nil {
		return err
	}
	return m.err
}

// commit makes the transaction durable. When the connection breaks before the
// server has answered, nobody knows whether it is: ErrUnknown.
func (f *far) commit(t *sql.Tx, tx *Tx) error {
	if crash := f.crash("before-commit"); crash != nil {
		_ = t.Rollback()
		f.end(crash)
		return crash
	}
	if err := t.Commit(); err != nil {
		if unknown(err) {
			f.s.log.Error("the connection broke in a commit", "err", err)
			return fmt.Errorf("%w: %v", ErrUnknown, err)
		}
		return err
	}
	f.s.tally.commits.Add(1)
	f.s.tally.calls.Add(1)
	if tx.catalog {
		f.s.catalog.Add(1)
	}
	if crash := f.crash("after-commit"); crash != nil {
		f.end(crash)
		return crash
	}
	return nil
}
