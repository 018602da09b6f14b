//go:build bench && linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/securecookie"

	"wxshop/models"
)

// growthSizes are how many orders a shop has; the first is the floor.
var growthSizes = []int{1_000, 100_000, 1_000_000}

const (
	growthAsks   = 300 // requests of one kind in one run
	growthPeople = 40  // who ask
)

// grown is a running shop with many orders, and what is asked of it.
type grown struct {
	r       *running
	s       *models.Store
	cookies []string // of people with orders, and one order number of each
	orders  []string
	ids     []string // transaction ids, for the search
	admin   string
	sent    int
}

// growthRows: the same questions with 1,000 orders and with a million. What is
// compared is the median time of an answer.
func (b *bench) growthRows() {
	gateway := b.m.role(b.t, "gateway", "1")
	defer gateway.stop()
	var shops []*grown
	for _, n := range growthSizes {
		b.progress("a shop with %d orders", n)
		g := b.grow(n, "http://"+gateway.addr)
		defer g.r.stop()
		defer g.s.Close()
		shops = append(shops, g)
	}
	for _, kind := range []struct {
		what string
		ask  func(g *grown, n int) func(*benchLine, int64) error
	}{
		{"order page", b.askOrder}, {"order list", b.askOrders}, {"search by any id", b.askSearch}, {"notification", b.tellPaid},
	} {
		b.progress("growth: %s", kind.what)
		runs := make([]func() sample, len(shops))
		for i, g := range shops {
			runs[i] = func() sample { return b.median(g, gateway.pid(), kind.ask(g, growthAsks)) }
			runs[i]() // warm
		}
		rounds, disturbed := inTurn(runs...)
		for i, n := range growthSizes[1:] {
			b.table.add(growth(fmt.Sprintf("%s, %d orders against %d", kind.what, n, growthSizes[0]), pairs(rounds, 0, 1+i), disturbed))
		}
	}
}

// median times every request of one connection and keeps the median, in µs.
func (b *bench) median(g *grown, gateway int, ask func(*benchLine, int64) error) sample {
	took := make([]float64, 0, growthAsks)
	s := g.r.run(1, growthAsks, payTime, func(l *benchLine, i int64) error {
		start := time.Now()
		err := ask(l, i)
		took = append(took, float64(time.Since(start).Nanoseconds())/1e3)
		return err
	}, gateway)
	slices.Sort(took)
	s.more = map[string]float64{"p50": took[len(took)/2]}
	return s
}

func growth(what string, ps []pair, disturbed int) row {
	p50 := func(s sample) float64 { return s.more["p50"] }
	times := of(ps, func(p pair) float64 { return p50(p.ours) / p50(p.floor) })
	return row{
		what: what + ": p50", floor: fmt.Sprintf("%.0f µs", of(ps, func(p pair) float64 { return p50(p.floor) })),
		ours: fmt.Sprintf("%.0f µs", of(ps, func(p pair) float64 { return p50(p.ours) })), ratio: fmt.Sprintf("%.2f ×", times),
		goal: "≤ 1.3 ×", ok: times <= 1.3, note: note(disturbed),
	}
}

func (b *bench) askOrder(g *grown, _ int) func(*benchLine, int64) error {
	return func(l *benchLine, i int64) error {
		k := int(i) % len(g.orders)
		_, err := l.want(http.StatusOK, g.r.get("/orders/"+g.orders[k], g.cookies[k], ""))
		return err
	}
}

func (b *bench) askOrders(g *grown, _ int) func(*benchLine, int64) error {
	return func(l *benchLine, i int64) error {
		_, err := l.want(http.StatusOK, g.r.get("/orders", g.cookies[int(i)%len(g.cookies)], ""))
		return err
	}
}

func (b *bench) askSearch(g *grown, _ int) func(*benchLine, int64) error {
	return func(l *benchLine, i int64) error {
		k := int(i) % len(g.orders)
		_, err := l.want(http.StatusOK, g.r.get("/admin/orders?q="+g.ids[k], g.admin, ""))
		if err == nil && !bytes.Contains(l.body, []byte(g.orders[k])) {
			err = fmt.Errorf("the search for %s did not find order %s", g.ids[k], g.orders[k])
		}
		return err
	}
}

func (b *bench) tellPaid(g *grown, n int) func(*benchLine, int64) error {
	requests := b.notifications(g.s, g.r, 5_000_000+g.sent, n)
	g.sent += n
	return func(l *benchLine, i int64) error {
		_, err := l.want(http.StatusOK, requests[i])
		if err == nil && !bytes.Contains(l.body, []byte("SUCCESS")) {
			err = fmt.Errorf("acknowledged with %s", l.body)
		}
		return err
	}
}

// grow makes a shop with n orders and starts it.
func (b *bench) grow(n int, gateway string) *grown {
	b.t.Helper()
	small := &benchShop{t: b.t, m: b.m, exe: b.shop.exe, dir: b.t.TempDir(), keys: b.shop.keys, now: b.shop.now}
	b.shop.copyKeys(small.dir)
	s := small.open(small.dir)
	small.fill(s)
	small.sell(s, growthSizes[0])
	if err := s.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.multiply(filepath.Join(small.dir, "data", "shop.db"), n/growthSizes[0])
	g := &grown{s: small.open(small.dir)}
	b.visitors(g, small)
	g.r = small.serve(small.dir, gateway)
	return g
}

// visitors gives sessions to shoppers from all over the table, and one to a
// merchant.
func (b *bench) visitors(g *grown, shop *benchShop) {
	b.t.Helper()
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(shop.dir, "data", "shop.db")+"?mode=ro")
	if err != nil {
		b.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT o.user_id, o.no, p.transaction_id FROM orders o JOIN payments p ON p.order_id = o.id
		WHERE o.id % (SELECT max(id) / ? FROM orders) = 0 LIMIT ?`, growthPeople, growthPeople)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var u models.User
		var no, id string
		if err := rows.Scan(&u.ID, &no, &id); err != nil {
			b.t.Fatal(err)
		}
		cookie, err := shop.session(g.s, &u)
		if err != nil {
			b.t.Fatal(err)
		}
		g.cookies, g.orders, g.ids = append(g.cookies, cookie), append(g.orders, no), append(g.ids, id)
	}
	if err := rows.Err(); err != nil || len(g.orders) < growthPeople/2 {
		b.t.Fatalf("%d people: %v", len(g.orders), err)
	}
	if err := g.s.CreateStaff(ctx, models.Staff{Name: "bench", Role: "owner", Password: "-"}); err != nil {
		b.t.Fatal(err)
	}
	who, err := g.s.Staff(ctx, "bench")
	if err != nil {
		b.t.Fatal(err)
	}
	g.admin = b.adminSession(g.s, shop, who.ID)
}

// adminSession signs the merchant in without the tenth of a second that a
// password takes.
func (b *bench) adminSession(s *models.Store, shop *benchShop, staff int64) string {
	b.t.Helper()
	id := rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(id))
	now := models.At(time.Now())
	err := s.SaveSession(context.Background(), models.Session{
		Hash: hex.EncodeToString(sum[:]), Kind: "admin", StaffID: staff, Data: `{}`, CreatedAt: now, SeenAt: now, ExpiresAt: models.At(now.Add(12 * time.Hour)),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	value, err := securecookie.EncodeMulti("admin_sess", []byte(id), shop.keys...)
	if err != nil {
		b.t.Fatal(err)
	}
	return "admin_sess=" + value
}

// multiply copies every order, with its lines, payment, history and shopper,
// until there are times as many. Numbers and ids of the copies are new, and
// each copy is an hour older.
func (b *bench) multiply(file string, times int) {
	b.t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=synchronous(OFF)&_pragma=cache_size(-200000)")
	if err != nil {
		b.t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	digits := `printf('%022d', abs(random()))`
	tables := []struct {
		name string
		with map[string]string // columns that are not copied as they are
	}{
		{"users", map[string]string{"open_id": `'oGrown' || ` + digits}},
		{"orders", map[string]string{"no": `'2' || substr(` + digits + `, 2)`, "form_token": digits, "user_id": "user_id + :users", "created_at": "created_at - :k * 3600000"}},
		{"order_items", map[string]string{"order_id": "order_id + :orders"}},
		{"payments", map[string]string{
			"order_id": "order_id + :orders", "live_order_id": "NULL", "out_trade_no": `'P' || ` + digits, "transaction_id": `'43' || printf('%026d', abs(random()))`,
		}},
		{"events", map[string]string{"order_id": "order_id + :orders"}},
	}
	most := map[string]int64{}
	for _, t := range tables {
		var id int64
		if err := db.QueryRow(`SELECT max(id) FROM ` + t.name).Scan(&id); err != nil {
			b.t.Fatal(err)
		}
		most[t.name] = id
	}
	for k := 1; k < times; k++ {
		tx, err := db.Begin()
		if err != nil {
			b.t.Fatal(err)
		}
		for _, t := range tables {
			q := b.copyOf(tx, t.name, t.with)
			_, err := tx.Exec(q, sql.Named("k", k), sql.Named("own", int64(k)*most[t.name]), sql.Named("orders", int64(k)*most["orders"]),
				sql.Named("users", int64(k)*most["users"]), sql.Named("most", most[t.name]))
			if err != nil {
				b.t.Fatalf("%s: %v", q, err)
			}
		}
		if err := tx.Commit(); err != nil {
			b.t.Fatal(err)
		}
	}
	for _, q := range []string{fmt.Sprintf(`UPDATE order_counts SET n = n * %d`, times), `ANALYZE`, `PRAGMA wal_checkpoint(TRUNCATE)`} {
		if _, err := db.Exec(q); err != nil {
			b.t.Fatal(err)
		}
	}
}

// copyOf is INSERT … SELECT of the first rows of a table.
func (b *bench) copyOf(tx *sql.Tx, table string, with map[string]string) string {
	b.t.Helper()
	rows, err := tx.Query(`SELECT name FROM pragma_table_info(?)`, table)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	var into, from []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			b.t.Fatal(err)
		}
		value, ok := with[name]
		switch {
		case name == "id":
			value = "id + :own"
		case !ok:
			value = name
		}
		into, from = append(into, name), append(from, value)
	}
	return `INSERT INTO ` + table + `(` + strings.Join(into, ", ") + `) SELECT ` + strings.Join(from, ", ") + ` FROM ` + table + ` WHERE id <= :most`
}
