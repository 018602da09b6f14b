//go:build bench && linux

package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/securecookie"

	"wxshop/models"
)

const (
	benchOrders = 10_000 // that the shop has already
	benchGoods  = 20     // in its window
)

// benchShop is a shop on disk, to be copied for each row, and what is needed
// to knock at its door.
type benchShop struct {
	t        *testing.T
	m        *machine
	exe      string
	dir      string        // data/ with the database and the keys
	database models.Config // empty: the file in dir
	keys     []securecookie.Codec
	secret   string       // what keys are made from
	skus     []models.SKU // the first one of each product
	now      time.Time
}

// newBenchShop makes a shop with goods and paid orders, by the shop's own Store.
func newBenchShop(t *testing.T, m *machine, exe string) *benchShop {
	t.Helper()
	b := &benchShop{t: t, m: m, exe: exe, dir: t.TempDir(), now: time.Now()}
	key := make([]byte, sessionKeyBytes)
	rand.Read(key)
	b.secret = hex.EncodeToString(key) + "\n"
	b.copyKeys(b.dir)
	b.keys = securecookie.CodecsFromPairs(key, nil)
	for _, c := range b.keys {
		c.(*securecookie.SecureCookie).SetSerializer(securecookie.NopEncoder{})
	}
	s := b.open(b.dir)
	defer s.Close()
	b.fill(s)
	b.sell(s, benchOrders)
	return b
}

// copyKeys gives a folder the keys of the sessions.
func (b *benchShop) copyKeys(dir string) {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "session.keys"), []byte(b.secret), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// open opens the database of a copy of the shop.
func (b *benchShop) open(dir string) *models.Store {
	b.t.Helper()
	c := b.database
	if c.DSN == "" {
		c = models.Config{Driver: "sqlite", DSN: filepath.Join(dir, "data", "shop.db")}
	}
	s, err := models.Open(b.t.Context(), c, models.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// fill stores the sample goods, and some of them twice.
func (b *benchShop) fill(s *models.Store) {
	b.t.Helper()
	goods, err := sampleGoods()
	if err != nil {
		b.t.Fatal(err)
	}
	for i := range benchGoods - len(goods.Products) {
		p := goods.Products[i]
		p.Slug += "-again"
		p.SKUs = append([]models.SKU(nil), p.SKUs...)
		for k := range p.SKUs {
			p.SKUs[k].Code += "-AGAIN"
		}
		goods.Products = append(goods.Products, p)
	}
	for i := range goods.Products {
		for k := range goods.Products[i].SKUs {
			goods.Products[i].SKUs[k].Stock = 1 << 40
		}
	}
	if _, err := s.SeedIfEmpty(b.t.Context(), goods); err != nil {
		b.t.Fatal(err)
	}
	ps, err := s.Products(b.t.Context(), models.Find{})
	if err != nil || len(ps) != benchGoods {
		b.t.Fatalf("%d goods: %v", len(ps), err)
	}
	for _, p := range ps {
		b.skus = append(b.skus, p.SKUs[0])
	}
}

// sell makes the n orders that are there already, all of them paid.
func (b *benchShop) sell(s *models.Store, n int) {
	b.t.Helper()
	users := make([]*models.User, 200)
	for i := range users {
		users[i] = b.user(s, "Old", i)
	}
	b.atOnce(n, func(i int) error {
		o, p, err := b.order(s, users[i%len(users)])
		if err != nil {
			return err
		}
		_, _, err = s.ApplyPaid(b.t.Context(), models.PaidFact{
			OutTradeNo: p.OutTradeNo, TransactionID: fmt.Sprintf("41%026d", i), PaidAt: b.now, OpenID: p.OpenID, Cash: o.Total, Actor: "notify",
		})
		return err
	})
}

// atOnce does n things, 64 at a time.
func (b *benchShop) atOnce(n int, do func(i int) error) {
	b.t.Helper()
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 64 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					b.t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if b.t.Failed() {
		b.t.FailNow()
	}
}

func (b *benchShop) user(s *models.Store, kind string, i int) *models.User {
	b.t.Helper()
	u, err := s.SignIn(b.t.Context(), benchAccount.app, fmt.Sprintf("oBench%s%020d", kind, i), 0)
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

// order places an order of two goods with its attempt to pay.
func (b *benchShop) order(s *models.Store, u *models.User) (*models.Order, *models.Payment, error) {
	o, p, _, err := s.CreateOrder(context.Background(), models.NewOrder{
		UserID: u.ID, FormToken: rand.Text(), Lines: []models.Line{{SKUID: b.skus[0].ID, Qty: 1}, {SKUID: b.skus[1].ID, Qty: 1}},
		Receiver: models.Receiver{Name: "林晓溪", Phone: "13800001234", Province: "浙江省", City: "杭州市", District: "西湖区", Street: "文三路 90 号 3 幢 502"},
		Expire:   30 * time.Minute,
		Payment: &models.NewPayment{
			API: "v2", Channel: "JSAPI", SignType: "HMAC-SHA256", AppID: benchAccount.app, MchID: benchAccount.merchant, OpenID: *u.OpenID,
			NotifyURL: "http://localhost/notify/v2/pay", ClientIP: "127.0.0.1", Currency: "CNY",
			Describe: func(*models.Order) string { return "云间茶铺-明前龙井 等 2 件" },
		},
	})
	return o, p, err
}

// session gives a user a session and the cookie for it.
func (b *benchShop) session(s *models.Store, u *models.User) (string, error) {
	id := rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(id))
	now := models.At(time.Now())
	err := s.SaveSession(context.Background(), models.Session{
		Hash: hex.EncodeToString(sum[:]), Kind: "shop", UserID: u.ID, Data: `{"wx":true}`,
		CreatedAt: now, SeenAt: now, ExpiresAt: models.At(now.Add(720 * time.Hour)),
	})
	if err != nil {
		return "", err
	}
	value, err := securecookie.EncodeMulti("shop_sess", []byte(id), b.keys...)
	return "shop_sess=" + value, err
}

// copied is a shop of its own for one row.
func (b *benchShop) copied() string {
	b.t.Helper()
	dir := b.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(b.dir)); err != nil {
		b.t.Fatal(err)
	}
	for _, name := range []string{"session.keys", "shop.db"} {
		if err := os.Chmod(filepath.Join(dir, "data", name), 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	return dir
}

// running is the real program, serving a copy of the shop on one core.
type running struct {
	*benchServer
	dir, host, ops string
}

// serve starts the shop of dir with the settings it ships with, except the
// rate limits and WeChat, which is the gateway of the bench.
func (b *benchShop) serve(dir, gateway string) *running {
	b.t.Helper()
	return b.serveWith(dir, "WXSHOP_WECHAT_APP_ID="+benchAccount.app, "WXSHOP_WECHAT_APP_SECRET="+benchAccount.appSecret,
		"WXSHOP_PAY_MCH_ID="+benchAccount.merchant, "WXSHOP_PAY_API_KEY="+benchAccount.key, "WXSHOP_PAY_HOSTS="+gateway)
}

// serveWith is serve with settings that say which account the shop has.
func (b *benchShop) serveWith(dir string, account ...string) *running {
	b.t.Helper()
	if b.database.DSN != "" {
		account = append(account, "WXSHOP_DATABASE_DRIVER="+b.database.Driver, "WXSHOP_DATABASE_DSN="+b.database.DSN)
	}
	port, ops := freePort(b.t), freePort(b.t)
	s := b.m.launch(b.t, b.m.on("0", b.exe, "serve"), dir, append(account,
		"WXSHOP_SITE_BASE_URL=http://localhost:"+port, "WXSHOP_SITE_LISTEN=127.0.0.1:"+port, "WXSHOP_OPS_LISTEN=127.0.0.1:"+ops,
		"WXSHOP_SIMULATOR_ENABLED=false", "WXSHOP_LIMITS_ORDERS_PER_MINUTE=0", "WXSHOP_LIMITS_PAGES_PER_SECOND=0")...)
	s.addr = net.JoinHostPort("127.0.0.1", ops)
	s.answers("/readyz")
	s.addr = net.JoinHostPort("127.0.0.1", port)
	return &running{s, dir, "localhost:" + port, "127.0.0.1:" + ops}
}

// benchBrowser is the phone of the bench: inside WeChat, on gzip, in Chinese.
const benchBrowser = "User-Agent: Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Mobile Safari/537.36 MicroMessenger/8.0.50\r\n" +
	"Accept: text/html\r\nAccept-Language: zh-CN,zh;q=0.9\r\nSec-Fetch-Site: same-origin\r\n"

const gzipped = "Accept-Encoding: gzip\r\n"

// get is a whole request for a page.
func (r *running) get(path, cookie, more string) []byte {
	if cookie != "" {
		more += "Cookie: " + cookie + "\r\n"
	}
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + r.host + "\r\n" + benchBrowser + more + "\r\n")
}

// post is a whole request with a form.
func (r *running) post(path, cookie, more string, form url.Values) []byte {
	body := form.Encode()
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\n%s%sCookie: %s\r\nOrigin: http://%s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
		path, r.host, benchBrowser, more, cookie, r.host, len(body), body)
}

// profile writes a CPU profile of the shop for five seconds of something, into
// the folder that BENCH_PROFILES names.
func (r *running) profile(name string, during func()) {
	dir := os.Getenv("BENCH_PROFILES")
	if dir == "" {
		return
	}
	done := make(chan error, 1)
	go func() {
		res, err := http.Get("http://" + r.ops + "/debug/pprof/profile?seconds=5")
		if err == nil {
			defer res.Body.Close()
			var f *os.File
			if f, err = os.Create(filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".pprof")); err == nil {
				defer f.Close()
				_, err = f.ReadFrom(res.Body)
			}
		}
		done <- err
	}()
	during()
	if err := <-done; err != nil {
		r.t.Error(err)
	}
}
