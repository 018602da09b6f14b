package models

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// benchCallers is how many people order at once.
const benchCallers = 64

// benchBefore is how many orders there are before the clock starts.
const benchBefore = 10_000

// fill runs op for them.
func fill(b *testing.B, op func(i int64) error) {
	b.Helper()
	if b.N == 1 { // the trial that go test makes first
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range benchCallers {
		wg.Go(func() {
			for i := next.Add(1); i <= benchBefore; i = next.Add(1) {
				if err := op(1<<40 + i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// drive runs op b.N times from 64 goroutines and reports rate, p99 and, when
// batches counts commits, the mean batch.
func drive(b *testing.B, batches func() int64, op func(i int64) error) {
	b.Helper()
	var next atomic.Int64
	took := make([][]time.Duration, benchCallers)
	before, used := batches(), cpu(b)
	var wg sync.WaitGroup
	b.ResetTimer()
	start := time.Now()
	for w := range benchCallers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				t := time.Now()
				if err := op(i); err != nil {
					b.Error(err)
					return
				}
				took[w] = append(took[w], time.Since(t))
			}
		})
	}
	wg.Wait()
	wall := time.Since(start)
	b.StopTimer()
	used = cpu(b) - used
	all := slices.Concat(took...)
	slices.Sort(all)
	if len(all) == 0 {
		return
	}
	b.ReportMetric(float64(len(all))/wall.Seconds(), "orders/s")
	b.ReportMetric(float64(used.Microseconds())/float64(len(all)), "cpu-µs/order")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	if n := batches() - before; n > 0 {
		b.ReportMetric(float64(len(all))/float64(n), "batch")
	}
}

// cpu is the processor time that this process has used: it says more than the
// clock on a machine that others use too.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkOrders places whole orders (two goods, with the first attempt to
// pay) through the Store.
func BenchmarkOrders(b *testing.B) {
	s, users := benchShop(b)
	op := func(i int64) error {
		n := checkout(users[i%int64(len(users))], fmt.Sprintf("token-%020d", i), Line{1, 1}, Line{3, 1})
		_, _, _, err := s.CreateOrder(context.Background(), n)
		return err
	}
	fill(b, op)
	drive(b, s.tally.commits.Load, op)
}

// BenchmarkOrdersAlone is BenchmarkOrders without the attempt to pay, which
// the floors do not have either.
func BenchmarkOrdersAlone(b *testing.B) {
	s, users := benchShop(b)
	op := func(i int64) error {
		n := checkout(users[i%int64(len(users))], fmt.Sprintf("token-%020d", i), Line{1, 1}, Line{3, 1})
		n.Payment = nil
		_, _, _, err := s.CreateOrder(context.Background(), n)
		return err
	}
	fill(b, op)
	drive(b, s.tally.commits.Load, op)
}

func benchShop(b *testing.B) (*Store, []int64) {
	b.Helper()
	s := openStore(b, Options{})
	seed(b, s, 1<<40)
	users := make([]int64, 256)
	for i := range users {
		u, err := s.CreateGuest(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		users[i] = u.ID
	}
	return s, users
}

// The floors are the least that a durable order can be: one row, two items,
// one event, nothing checked, statements prepared once.

// BenchmarkFloorGroupCommit shares commits between callers.
func BenchmarkFloorGroupCommit(b *testing.B) {
	db, st := floorDB(b)
	type member struct {
		i    int64
		done chan error
	}
	queue := make(chan member, 4096)
	var commits atomic.Int64
	go func() {
		for m := range queue {
			for i, n := 0, -1; i < 8 && len(queue) != n; i++ {
				n = len(queue)
				runtime.Gosched()
			}
			batch := []member{m}
		fill:
			for len(batch) < 256 {
				select {
				case m := <-queue:
					batch = append(batch, m)
				default:
					break fill
				}
			}
			commits.Add(1)
			err := floorTx(db, st, len(batch), func(i int) int64 { return batch[i].i })
			for _, m := range batch {
				m.done <- err
			}
		}
	}()
	defer close(queue)
	op := func(i int64) error {
		m := member{i, make(chan error, 1)}
		queue <- m
		return <-m.done
	}
	fill(b, op)
	drive(b, commits.Load, op)
}

// BenchmarkFloorOneTx gives every order a commit of its own.
func BenchmarkFloorOneTx(b *testing.B) {
	db, st := floorDB(b)
	op := func(i int64) error {
		return floorTx(db, st, 1, func(int) int64 { return i })
	}
	fill(b, op)
	drive(b, func() int64 { return 0 }, op)
}

type floorStmts struct{ order, item, event *sql.Stmt }

func floorDB(b *testing.B) (*sql.DB, floorStmts) {
	b.Helper()
	f := file{uri: "file:" + filepath.Join(b.TempDir(), "floor.db")}
	db, err := sql.Open("sqlite", f.dsn(writerPragmas, "immediate"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	for _, q := range []string{
		`CREATE TABLE orders(id INTEGER PRIMARY KEY, out_trade_no TEXT UNIQUE, openid TEXT, status TEXT, total_fee INTEGER, created_at INTEGER)`,
		`CREATE INDEX orders_openid ON orders(openid)`,
		`CREATE TABLE order_items(id INTEGER PRIMARY KEY, order_id INTEGER, product_id INTEGER, title TEXT, qty INTEGER, price INTEGER)`,
		`CREATE INDEX items_order ON order_items(order_id)`,
		`CREATE TABLE order_events(id INTEGER PRIMARY KEY, order_id INTEGER, kind TEXT, data TEXT, created_at INTEGER)`,
		`CREATE INDEX events_order ON order_events(order_id)`,
	} {
		if _, err := db.Exec(q); err != nil {
			b.Fatal(err)
		}
	}
	prepare := func(q string) *sql.Stmt {
		st, err := db.Prepare(q)
		if err != nil {
			b.Fatal(err)
		}
		return st
	}
	return db, floorStmts{
		order: prepare(`INSERT INTO orders(out_trade_no, openid, status, total_fee, created_at) VALUES(?, ?, ?, ?, ?)`),
		item:  prepare(`INSERT INTO order_items(order_id, product_id, title, qty, price) VALUES(?, ?, ?, ?, ?)`),
		event: prepare(`INSERT INTO order_events(order_id, kind, data, created_at) VALUES(?, ?, ?, ?)`),
	}
}

func floorTx(db *sql.DB, st floorStmts, n int, no func(int) int64) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	for i := range n {
		if err := floorOrder(tx, st, no(i)); err != nil {
			tx.Rollback()
			return err
		}
	}
	return tx.Commit()
}

func floorOrder(tx *sql.Tx, st floorStmts, i int64) error {
	now := time.Now().UnixMilli()
	res, err := tx.Stmt(st.order).Exec(fmt.Sprintf("20240101%016d", i), "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "created", 1999, now)
	if err != nil {
		return err
	}
	id, err := res.LastInsertId()
	if err != nil {
		return err
	}
	item := tx.Stmt(st.item)
	for k := range 2 {
		if _, err := item.Exec(id, 7+k, "Spring tea 50 g", 1, 999); err != nil {
			return err
		}
	}
	_, err = tx.Stmt(st.event).Exec(id, "created", `{"from":"","to":"created"}`, now)
	return err
}

// BenchmarkPaid settles orders that were placed before, as a notification does.
func BenchmarkPaid(b *testing.B) {
	s, users := benchShop(b)
	facts := make([]PaidFact, b.N+1)
	for i := range facts {
		_, p := place(b, s, checkout(users[i%len(users)], fmt.Sprintf("token-%020d", i), Line{1, 1}, Line{3, 1}))
		facts[i] = pays(p, fmt.Sprintf("4200%024d", i))
		facts[i].Msgs = []Message{{OutTradeNo: p.OutTradeNo, Op: "notify", Direction: "in", Request: "<xml>…</xml>"}}
	}
	drive(b, s.tally.commits.Load, func(i int64) error {
		_, _, err := s.ApplyPaid(context.Background(), facts[i])
		return err
	})
}
