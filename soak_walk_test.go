package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"wxshop/models/modelstest"
)

const (
	soakTime     = 40 * time.Second // of load in make test, a minute in all; SOAK=10m is another
	soakShoppers = 6
)

// soak is a town under load whose shop is killed all the time.
type soak struct {
	*town
	payer                         string // a user with enough money
	placed, refused, cancelled    atomic.Int64
	paid, kills, unlucky, retried atomic.Int64
	stock                         int64 // of everything, at first
	mu                            sync.Mutex
	people                        []*customer
	driver, dsn                   string
	replicas                      []*replica
}

// replica is one of the shops that share a database.
type replica struct {
	shop *process
	ops  string
}

// Real processes, real sockets, WeChat at its rudest, and the shop killed
// every few seconds while people buy. Afterwards every order has ended, our
// books and WeChat's ledger agree to the fen, and no page has lied (security
// V9, X40; product 7 g and l).
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute of load")
	}
	newSoak(t, "sqlite", "data/shop.db", 1).run()
}

// The same with three shops on one database server behind a proxy that asks
// each in turn; one of them is killed at random.
func TestSoakReplicas(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute of load")
	}
	for _, driver := range []string{"postgres", "mysql"} {
		t.Run(driver, func(t *testing.T) {
			t.Setenv("WXSHOP_TEST_DRIVER", driver)
			_, dsn := modelstest.Database(t, func(string, string) error { return nil })
			newSoak(t, driver, dsn, 3).run()
		})
	}
}

func (s *soak) run() {
	t := s.t
	t.Helper()
	s.faults("harsh")
	ctx, stop := context.WithTimeout(t.Context(), soakLength(t))
	defer stop()
	var people sync.WaitGroup
	for i := range soakShoppers {
		people.Go(func() { s.shops(ctx, rand.New(rand.NewPCG(uint64(i), 's'))) })
	}
	people.Go(func() { s.pays(ctx, rand.New(rand.NewPCG(0, 'p'))) })
	s.killsUntil(ctx)
	people.Wait()
	s.faults("none")
	s.calmDown()
	for _, r := range s.replicas {
		r.shop.end(os.Interrupt)
	}
	s.judge()
	t.Logf("%v: %d orders placed, %d cancelled, %d paid at WeChat, %d times refused by stock or limits, %d forms sent again; the shop was killed %d times and not there for %d requests",
		soakLength(t), s.placed.Load(), s.cancelled.Load(), s.paid.Load(), s.refused.Load(), s.retried.Load(), s.kills.Load(), s.unlucky.Load())
	if s.placed.Load() < 20 || s.paid.Load() < 10 || s.kills.Load() < int64(soakLength(t)/(8*time.Second)) {
		t.Error("that was no load")
	}
}

func soakLength(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("SOAK")
	if text == "" {
		return soakTime
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("SOAK=%q is not a time such as 10m", text)
	}
	return d
}

// newSoak has no limits of rate: all shoppers come from one address.
func newSoak(t *testing.T, driver, dsn string, replicas int) *soak {
	t.Helper()
	dir := t.TempDir()
	if driver == "sqlite" {
		dsn = filepath.Join(dir, dsn)
	}
	env := []string{"WXSHOP_DATABASE_DRIVER=" + driver, "WXSHOP_DATABASE_DSN=" + dsn, "WXSHOP_LIMITS_ORDERS_PER_MINUTE=0", "WXSHOP_LIMITS_PAGES_PER_SECOND=0", "WXSHOP_LOG_LEVEL=warn"}
	s := &soak{town: newDividedIn(t, dir, env...), driver: driver, dsn: dsn}
	var u struct{ OpenID string }
	if code := s.api("POST", "users", map[string]any{"nickname": "小茶", "balance": 1_000_000_000}, &u); code != 200 {
		t.Fatalf("new user = %d", code)
	}
	s.payer = u.OpenID
	db := s.books()
	defer db.Close()
	if _, err := db.Exec(`UPDATE skus SET stock = 400 WHERE stock > 0`); err != nil { // enough for a long run, and one that is sold out
		t.Fatal(err)
	}
	s.restart()
	s.stock = s.number(`SELECT sum(stock) FROM skus`)
	s.replicas = []*replica{{shop: s.shop, ops: s.ops}}
	for len(s.replicas) < replicas {
		s.another()
	}
	if replicas > 1 {
		s.balance()
	}
	return s
}

// another starts one more shop on the same database.
func (s *soak) another() {
	s.t.Helper()
	port, ops := freePort(s.t), freePort(s.t)
	p := &process{t: s.t, args: []string{"serve"}, dir: s.shop.dir,
		env: append(slices.Clone(s.shop.env), "WXSHOP_SITE_LISTEN=127.0.0.1:"+port, "WXSHOP_OPS_LISTEN=127.0.0.1:"+ops)}
	r := &replica{shop: p, ops: "http://127.0.0.1:" + ops}
	s.replicas = append(s.replicas, r)
	p.start()
	s.t.Cleanup(func() {
		p.end(os.Interrupt)
		if s.t.Failed() {
			s.t.Logf("a replica said:\n%s", p.output())
		}
	})
	s.await(p, r.ops+"/readyz")
}

// balance puts a proxy in front that asks the shops in turn, and the next one
// when nobody listens, as any balancer does. What was cut in the middle is the
// visitor's to send again.
func (s *soak) balance() {
	turns := &inTurn{}
	for _, r := range s.replicas {
		turns.hosts = append(turns.hosts, r.listens())
	}
	proxy := &httputil.ReverseProxy{Transport: turns, Rewrite: func(p *httputil.ProxyRequest) {
		p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = "http", "shop", p.In.Host
	}, ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, _ error) { rw.WriteHeader(http.StatusBadGateway) }}
	s.on(&s.routeNotify, "/", func(l *lazy) { proxy.ServeHTTP(l.ResponseWriter, l.r) })
}

func (r *replica) listens() (addr string) {
	for _, kv := range r.shop.env { // the last one counts
		if v, ok := strings.CutPrefix(kv, "WXSHOP_SITE_LISTEN="); ok {
			addr = v
		}
	}
	return addr
}

type inTurn struct {
	hosts []string
	next  atomic.Uint64
}

func (b *inTurn) RoundTrip(r *http.Request) (res *http.Response, err error) {
	var body []byte
	if r.Body != nil {
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	for range b.hosts {
		try := r.Clone(r.Context())
		try.URL.Host = b.hosts[b.next.Add(1)%uint64(len(b.hosts))]
		try.Body = io.NopCloser(bytes.NewReader(body))
		res, err = http.DefaultTransport.RoundTrip(try)
		if dial, ok := errors.AsType[*net.OpError](err); !ok || dial.Op != "dial" {
			return res, err
		}
	}
	return nil, err
}

func (s *soak) faults(preset string) {
	s.t.Helper()
	if code := s.api("PUT", "faults", map[string]any{"preset": preset}, nil); code != 200 {
		s.t.Fatalf("faults %s = %d", preset, code)
	}
}

// killsUntil kills the shop and starts it again, and waits for nothing.
func (s *soak) killsUntil(ctx context.Context) {
	s.t.Helper()
	r := rand.New(rand.NewPCG(1, 'k'))
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(2*time.Second + time.Duration(r.Int64N(int64(4*time.Second)))):
		}
		x := s.replicas[r.IntN(len(s.replicas))]
		x.shop.end(syscall.SIGKILL)
		s.kills.Add(1)
		x.shop.start()
		s.await(x.shop, x.ops+"/readyz")
	}
}

// customer is a visitor who expects nothing.
type customer struct {
	s    *soak
	http *http.Client
}

func (s *soak) customer() *customer {
	jar, _ := cookiejar.New(nil)
	c := &customer{s, &http.Client{Jar: jar, Timeout: 10 * time.Second}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people = append(s.people, c)
	return c
}

// ask sends a form, or reads a page without one. Code 0: the shop was
// not there.
func (c *customer) ask(ctx context.Context, path string, form url.Values) (page string, at *url.URL, code int) {
	method, body := "GET", io.Reader(nil)
	if form != nil {
		method, body = "POST", strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(ctx, method, c.s.shopURL+path, body)
	if err != nil {
		c.s.t.Error(err)
		return "", nil, 0
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", c.s.shopURL)
	res, err := c.http.Do(r)
	if err != nil {
		c.s.unlucky.Add(1)
		return "", nil, 0
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode == http.StatusBadGateway && len(b) == 0 { // the wire's: nobody listens
		c.s.unlucky.Add(1)
		return "", nil, 0
	}
	switch page = string(b); {
	case res.StatusCode == http.StatusInternalServerError:
		c.s.t.Errorf("%s %s = 500\n%.600s", method, path, page)
	case res.StatusCode == http.StatusConflict || res.StatusCode == http.StatusTooManyRequests:
		c.s.refused.Add(1)
	}
	return page, res.Request.URL, res.StatusCode
}

var (
	anyGoods = regexp.MustCompile(`"/p/([a-z0-9-]+)"`)
	anySKU   = regexp.MustCompile(`name="sku"[^>]*value="(\d+)"`)
	anyOrder = regexp.MustCompile(`/orders/([0-9A-Z]{20,32})`)
)

// shops lets one person after another buy until ctx ends. Forms whose answer
// never came are sent again, as people do.
func (s *soak) shops(ctx context.Context, r *rand.Rand) {
	for ctx.Err() == nil {
		c := s.customer()
		no, ok := c.buys(ctx, r)
		if !ok {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		s.placed.Add(1)
		c.ask(ctx, "/pay/"+no, nil)
		for range r.IntN(4) {
			s.looks(ctx, c, no)
		}
		if r.IntN(6) == 0 {
			if _, _, code := c.ask(ctx, "/orders/"+no+"/cancel", url.Values{}); code == 200 {
				s.cancelled.Add(1)
			}
		}
	}
}

func (c *customer) buys(ctx context.Context, r *rand.Rand) (no string, ok bool) {
	page, _, _ := c.ask(ctx, "/", nil)
	goods := anyGoods.FindAllStringSubmatch(page, -1)
	if goods == nil {
		return "", false
	}
	page, _, _ = c.ask(ctx, "/p/"+goods[r.IntN(len(goods))][1], nil)
	skus := anySKU.FindAllStringSubmatch(page, -1)
	if skus == nil {
		return "", false
	}
	page, _, code := c.ask(ctx, "/cart/add", url.Values{"sku": {skus[r.IntN(len(skus))][1]}, "qty": {fmt.Sprint(1 + r.IntN(2))}, "to": {"checkout"}})
	if code != 200 {
		return "", false
	}
	form := url.Values{"name": {"林晓溪"}, "phone": {"13800001234"}, "province": {"浙江省"}, "city": {"杭州市"}, "district": {"西湖区"}, "detail": {"文三路 90 号"}, "note": {""}}
	for _, m := range inputs.FindAllStringSubmatch(page, -1) {
		if m[1] == "token" || m[1] == "expected_total" {
			form.Set(m[1], m[2])
		}
	}
	for range 40 {
		_, at, code := c.ask(ctx, "/checkout", form)
		if at != nil {
			if m := orderInPath.FindStringSubmatch(at.Path); m != nil {
				return m[1], true
			}
		}
		if ctx.Err() != nil || code != 0 && code < 500 {
			return "", false
		}
		c.s.retried.Add(1)
		time.Sleep(250 * time.Millisecond)
	}
	return "", false
}

// looks reads what the page's poll says: "paid" must be true at WeChat.
func (s *soak) looks(ctx context.Context, c *customer, no string) {
	page, _, _ := c.ask(ctx, "/orders/"+no+"/status", nil)
	if strings.Contains(page, `"state":"paid"`) {
		s.retriedLook(ctx, c, no)
	}
	select {
	case <-ctx.Done():
	case <-time.After(200 * time.Millisecond):
	}
}

// retriedLook: what was paid once stays so, whoever was killed in between.
func (s *soak) retriedLook(ctx context.Context, c *customer, no string) {
	time.Sleep(100 * time.Millisecond)
	page, _, _ := c.ask(ctx, "/orders/"+no+"/status", nil)
	if strings.Contains(page, `"state":"unpaid"`) {
		s.t.Errorf("order %s was paid and is unpaid again: %s", no, page)
	}
}

type open struct {
	OutTradeNo string `json:"out_trade_no"`
	State      string `json:"state"`
	OpenID     string `json:"openid"`
}

// pays is everybody's phone: most of what can be paid is paid, at any moment.
func (s *soak) pays(ctx context.Context, r *rand.Rand) {
	skipped := map[string]bool{}
	for ctx.Err() == nil {
		var all []open
		s.api("GET", "transactions?limit=100", nil, &all)
		for _, x := range all {
			if x.State != "NOTPAY" || skipped[x.OutTradeNo] {
				continue
			}
			if r.IntN(4) == 0 {
				skipped[x.OutTradeNo] = true
				continue
			}
			if s.api("POST", "transactions/"+x.OutTradeNo+"/pay", map[string]any{"openid": s.payer}, nil) == 200 {
				s.paid.Add(1)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// calmDown ends what is open, as people do in the end: half of what can be paid
// is paid, the rest cancelled, and the loops bring everything home.
func (s *soak) calmDown() {
	s.t.Helper()
	var all []open
	s.api("GET", "transactions?limit=10000", nil, &all)
	for i, x := range all {
		if x.State == "NOTPAY" && i%2 == 0 {
			s.api("POST", "transactions/"+x.OutTradeNo+"/pay", map[string]any{"openid": s.payer}, nil)
		}
	}
	for _, c := range s.people {
		page, _, _ := c.ask(s.t.Context(), "/orders", nil)
		seen := map[string]bool{}
		for _, m := range anyOrder.FindAllStringSubmatch(page, -1) {
			if !seen[m[1]] {
				seen[m[1]] = true
				c.ask(s.t.Context(), "/orders/"+m[1]+"/cancel", url.Values{})
			}
		}
	}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Second) {
		s.api("POST", "clock", map[string]any{"advance": "6h"}, nil) // slow refunds and late notifications
		s.settleAtWeChat()
		open := s.number(`SELECT (SELECT count(*) FROM orders WHERE state = 'unpaid') +
			(SELECT count(*) FROM payments WHERE live_order_id IS NOT NULL) +
			(SELECT count(*) FROM refunds WHERE state IN ('pending', 'processing', 'abnormal'))`)
		if open == 0 {
			return
		}
		if time.Now().After(end) {
			s.t.Errorf("2 minutes after the last fault, %d things are still open", open)
			return
		}
	}
}

// settleAtWeChat pays refunds out by hand that no card takes.
func (s *soak) settleAtWeChat() {
	for no, e := range s.ledger() {
		for _, r := range e.Refunds {
			if r.State == "ABNORMAL" {
				s.api("POST", "transactions/"+no+"/refunds/"+r.OutRefundNo, map[string]string{"outcome": "success"}, nil)
			}
		}
	}
}

func (s *soak) ledger() map[string]ledgerEntry {
	var all []ledgerEntry
	s.api("GET", "transactions?limit=10000", nil, &all)
	m := map[string]ledgerEntry{}
	for _, e := range all {
		m[e.OutTradeNo] = e
	}
	return m
}

// books opens the shop's database as any other program may.
func (s *soak) books() *sql.DB {
	s.t.Helper()
	name, dsn := map[string]string{"sqlite": "sqlite", "postgres": "pgx", "mysql": "mysql"}[s.driver], s.dsn
	if s.driver == "sqlite" {
		dsn = "file:" + dsn + "?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(name, dsn)
	if err != nil {
		s.t.Fatal(err)
	}
	return db
}

func (s *soak) number(q string) (n int64) {
	s.t.Helper()
	db := s.books()
	defer db.Close()
	if err := db.QueryRow(q).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// judge compares the books with WeChat's ledger: every payment there is the one
// of a paid order here, or went back whole; no fen is anywhere else.
func (s *soak) judge() {
	s.t.Helper()
	ledger := s.ledger()
	db := s.books()
	defer db.Close()
	rows, err := db.Query(`SELECT p.out_trade_no, p.state, p.total, coalesce(p.transaction_id, ''), o.no, o.state, o.total,
		(SELECT count(*) FROM payments x WHERE x.order_id = o.id AND x.state = 'paid' AND NOT EXISTS
			(SELECT 1 FROM refunds r WHERE r.out_trade_no = x.out_trade_no AND r.reason IN ('late', 'double'))),
		(SELECT coalesce(sum(amount), 0) FROM refunds r WHERE r.out_trade_no = p.out_trade_no AND r.state = 'succeeded'),
		(SELECT count(*) FROM misfits m WHERE m.out_trade_no = p.out_trade_no AND m.transaction_id = coalesce(p.transaction_id, ''))
		FROM payments p JOIN orders o ON o.id = p.order_id`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	var kept, theirs int64
	for rows.Next() {
		var no, state, txn, order, orderState string
		var total, orderTotal, good, returned, misfits int64
		if err := rows.Scan(&no, &state, &total, &txn, &order, &orderState, &orderTotal, &good, &returned, &misfits); err != nil {
			s.t.Fatal(err)
		}
		e := ledger[no]
		delete(ledger, no)
		paid, back := e.money()
		kept, theirs = kept-returned, theirs+paid-back
		if state == "paid" {
			kept += total
		}
		if (state == "paid") != (paid > 0) || returned != back || paid > 0 && (paid != total || e.TransactionID == nil || *e.TransactionID != txn) {
			s.t.Errorf("order %s: %s is %s of %d here (%d went back), %+v at WeChat", order, no, state, total, returned, e)
		}
		if is := orderState == "paid"; is != (good == 1) || orderState != "paid" && orderState != "closed" || is && orderTotal != total && paid > back {
			s.t.Errorf("order %s is %s with %d good payments; %s is %s", order, orderState, good, no, state)
		}
		if misfits > 0 && state != "paid" {
			s.t.Errorf("order %s: %s waits in payments to check", order, no)
		}
	}
	if rows.Err() != nil || kept != theirs {
		s.t.Errorf("%d fen here, %d at WeChat (%v)", kept, theirs, rows.Err())
	}
	for no, e := range ledger {
		if paid, back := e.money(); paid != back {
			s.t.Errorf("WeChat has money that nobody here knows: %s %+v", no, e)
		}
	}
	sold := s.number(`SELECT coalesce(sum(i.qty), 0) FROM order_items i JOIN orders o ON o.id = i.order_id WHERE o.state <> 'closed'`)
	if left := s.number(`SELECT sum(stock) FROM skus`); left != s.stock-sold {
		s.t.Errorf("%d in stock, want %d - %d sold", left, s.stock, sold)
	}
	if n := s.number(`SELECT count(*) FROM orders o WHERE 1 <> (SELECT count(*) FROM events e WHERE e.order_id = o.id AND e.to_state = 'paid') AND o.state = 'paid'`); n != 0 {
		s.t.Errorf("%d orders became paid more than once, or never", n)
	}
}
