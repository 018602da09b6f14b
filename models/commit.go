package models

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	maxBatch   = 256             // callers of one commit
	maxQueue   = 4096            // callers that may wait; more wait to wait
	longWait   = 8 * time.Second // the most a caller waits for its turn
	shortWait  = time.Second     // and the least, whatever its own deadline says
	slowCommit = 200 * time.Millisecond
)

var (
	errStopped = fmt.Errorf("%w: the store is closed", ErrBusy)
	errTurn    = fmt.Errorf("%w: no turn to write came in time", ErrBusy)
)

// A member is one caller's part of a commit: something to do, or an order to
// place together with the other orders of the same commit.
type member struct {
	fn    func(*Tx) error
	order *placing
	done  chan error // holds one
	state atomic.Int32
	err   error
}

// The states of a member. Whoever moves it out of waiting decides: the
// committer to run it, or its caller to give up.
const (
	waiting int32 = iota
	running
	withdrawn
)

func (m *member) take() bool {
	return m.state.CompareAndSwap(waiting, running) || m.state.Load() == running
}
func (m *member) giveUp() bool { return m.state.CompareAndSwap(waiting, withdrawn) }

// write runs fn in a transaction and returns when that is durable. It shares
// the transaction with whoever else waits, so fn
//   - may run twice (when a neighbour's failure undid the first time): it
//     builds its rows afresh and touches nothing outside before it returns;
//   - refuses by reads before its first write: then only fn fails, and
//     nothing has to be rolled back.
//
// A caller whose request was cancelled still waits, because the outcome must
// be known. Only while fn has not begun may it give up, when its deadline (at
// least a second, at most eight) passes: that is ErrBusy, and nothing was
// written.
func (s *Store) write(ctx context.Context, fn func(*Tx) error) error {
	s.step(ctx)
	return told(s.do(ctx, &member{fn: fn}))
}

// do runs m where this database writes.
func (s *Store) do(ctx context.Context, m *member) error {
	if s.far != nil {
		return s.far.do(ctx, m)
	}
	return s.c.do(ctx, m)
}

func (c *committer) do(ctx context.Context, m *member) error {
	m.done = make(chan error, 1)
	turn := time.NewTimer(patience(ctx))
	defer turn.Stop()
	select {
	case c.queue <- m:
	case <-c.stopped:
		return c.cause()
	case <-turn.C:
		return errTurn
	}
	select {
	case err := <-m.done:
		return err
	case <-c.stopped:
		return c.last(m)
	case <-turn.C:
		if m.giveUp() {
			return errTurn
		}
	}
	select {
	case err := <-m.done:
		return err
	case <-c.stopped:
		return c.last(m)
	}
}

// patience is how long a caller waits for its turn.
func patience(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return longWait
	}
	return min(max(time.Until(end), shortWait), longWait)
}

// last is the answer to a caller that found the committer gone.
func (c *committer) last(m *member) error {
	select {
	case err := <-m.done:
		return err
	default:
		return c.cause()
	}
}

// committer owns the one connection that writes. It takes all callers that
// wait into one transaction and answers them after the commit.
type committer struct {
	conn    *sql.Conn
	log     *slog.Logger
	crash   func(point string) error
	changed func() // the catalogue did
	place   func(*Tx, []*member) error
	queue   chan *member
	quit    chan struct{} // closed: finish what waits
	stopped chan struct{} // closed: nobody takes from queue any more
	crashed error         // set before stopped closes
	tx      *Tx
	batch   []*member
	orders  []*member
	tally   *tally
}

// tally counts what writes did.
type tally struct{ commits, calls, rollbacks atomic.Int64 }

func newCommitter(conn *sql.Conn, tx *Tx, log *slog.Logger, crash func(string) error, count *tally) *committer {
	return &committer{
		conn: conn, log: log, crash: crash,
		queue:   make(chan *member, maxQueue),
		quit:    make(chan struct{}),
		stopped: make(chan struct{}),
		tx:      tx,
		tally:   count,
	}
}

// stop lets the queue drain and gives the connection back.
func (c *committer) stop() {
	close(c.quit)
	<-c.stopped
	c.conn.Close()
}

// cause says why nobody writes any more.
func (c *committer) cause() error {
	if c.crashed != nil {
		return c.crashed
	}
	return errStopped
}

func (c *committer) loop() {
	defer close(c.stopped)
	for {
		var first *member
		select {
		case first = <-c.queue:
		case <-c.quit:
			select {
			case first = <-c.queue:
			default:
				return
			}
		}
		if err := c.turn(first); err != nil {
			c.crashed = err
			return
		}
	}
}

// turn runs one batch: the first caller and all that wait by the time the
// transaction has begun. Its error is a crash that a test ordered.
func (c *committer) turn(first *member) error {
	c.gather()
	err := c.begin()
	batch := c.drain(first)
	defer clear(batch)
	if err != nil {
		c.refuse(batch, err)
		return nil
	}
	start := time.Now()
	if err := c.commitAll(batch); err != nil {
		for _, m := range batch {
			m.err = err
		}
		c.answer(batch)
		return err
	}
	if took := time.Since(start); took > slowCommit {
		c.log.Warn("commit was slow", "took", took)
	}
	c.answer(batch)
	return nil
}

// gather lets callers that are about to write do so first. With one processor
// the committer would otherwise run at the first arrival and hold that
// processor in fdatasync: batches of one.
func (c *committer) gather() {
	for i, n := 0, -1; i < 8 && len(c.queue) != n; i++ {
		n = len(c.queue)
		runtime.Gosched()
	}
}

func (c *committer) drain(first *member) []*member {
	c.batch = append(c.batch[:0], first)
	for len(c.batch) < maxBatch {
		select {
		case m := <-c.queue:
			c.batch = append(c.batch, m)
		default:
			return c.batch
		}
	}
	return c.batch
}

// answer tells every caller. One that gave up no longer listens, which the
// room for one answer in done makes harmless.
func (c *committer) answer(batch []*member) {
	for _, m := range batch {
		m.done <- m.err
	}
}

// refuse answers a batch and everyone who waits behind it with err: whoever
// came while the lock could not be had is not made to wait for it again.
func (c *committer) refuse(batch []*member, err error) {
	c.log.Error("writes were refused", "op", "begin", "err", err)
	for _, m := range batch {
		m.done <- err
	}
	for range len(c.queue) {
		m := <-c.queue
		m.done <- err
	}
}

// begin opens the transaction, trying a second time when another process
// holds the lock.
func (c *committer) begin() error {
	err := c.tx.begin()
	if code(err)&0xff == sqliteBusy {
		err = c.tx.begin()
	}
	return err
}

// commitAll runs the members of a begun transaction and commits it. There are
// no savepoints: when one fails after it wrote, the batch is rolled back and
// its members run one by one.
func (c *committer) commitAll(batch []*member) error {
	c.orders = c.orders[:0]
	for _, m := range batch {
		if !m.take() {
			continue
		}
		if m.order != nil {
			c.orders = append(c.orders, m)
			continue
		}
		m.err = c.call(m.fn)
		if m.err != nil && c.tx.wrote || c.tx.broken != nil {
			return c.apart(batch)
		}
	}
	if c.callOrders(c.orders) != nil || c.tx.broken != nil {
		return c.apart(batch)
	}
	failed, crash := c.commit(len(batch))
	if crash != nil {
		return crash
	}
	if failed != nil {
		return c.apart(batch)
	}
	return nil
}

// apart undoes a batch and runs its members each in a transaction of its own.
func (c *committer) apart(batch []*member) error {
	c.tx.rollback()
	c.tally.rollbacks.Add(1)
	for _, m := range batch {
		if !m.take() {
			continue
		}
		if m.err = c.begin(); m.err != nil {
			continue
		}
		if m.err = c.callOne(m); m.err != nil || c.tx.broken != nil {
			if m.err == nil {
				m.err = c.tx.broken
			}
			c.tx.rollback()
			continue
		}
		failed, crash := c.commit(1)
		if crash != nil {
			return crash
		}
		if m.err = failed; failed != nil {
			c.tx.rollback()
		}
	}
	return nil
}

// commit makes the transaction durable. crash is an ordered one.
func (c *committer) commit(callers int) (failed, crash error) {
	if err := c.tx.flush(); err != nil {
		return err, nil
	}
	if crash := c.crash("before-commit"); crash != nil {
		c.tx.rollback()
		return nil, crash
	}
	if err := c.tx.commit(); err != nil {
		return err, nil
	}
	c.tally.commits.Add(1)
	c.tally.calls.Add(int64(callers))
	if c.tx.catalog {
		c.changed()
	}
	return nil, c.crash("after-commit")
}

// callOrders places orders together. Its error is one of the whole; an order
// that is refused has its own.
func (c *committer) callOrders(ms []*member) error {
	if len(ms) == 0 {
		return nil
	}
	return c.call(func(tx *Tx) error { return c.place(tx, ms) })
}

// callOne runs one member by itself.
func (c *committer) callOne(m *member) error {
	if m.order == nil {
		return c.call(m.fn)
	}
	if err := c.callOrders([]*member{m}); err != nil {
		return err
	}
	return m.err
}

// call runs a part of the transaction and confines its panic to it.
func (c *committer) call(fn func(*Tx) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			c.log.Error("write panicked", "cause", fmt.Sprintf("%v\n%s", r, debug.Stack()))
			err = fmt.Errorf("write panicked: %v", r)
		}
	}()
	c.tx.wrote = false
	return fn(c.tx)
}
