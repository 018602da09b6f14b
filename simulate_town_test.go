package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wxshop/models"
	"wxshop/models/modelstest"
	"wxshop/wxpay/sim"
)

// The hosts of a simulated world: the shop, and WeChat by two names.
const (
	shopHost  = "localhost:8080"
	gateHost  = "127.0.0.1:8081"
	spareHost = "localhost:8081"
)

// street is a world of one seed: WeChat, which lives through everything, and a
// shop, which is killed and started again on the same file.
type street struct {
	t        testing.TB
	seed     uint64
	rnd      *rand.Rand // of the director; each actor has its own
	stage    *stage
	book     *book
	dir      string
	cfg      Config
	sim      *sim.Sim
	shop     atomic.Pointer[shopRun] // nil: nobody is there
	runs     int
	wires    sync.WaitGroup // calls under way, also those whose caller left
	cut      atomic.Bool    // nothing gets through between shop and WeChat
	lag      float64        // how often a message between them takes long
	switches bool           // it speaks v3 as well
	tick     time.Duration  // of the shop's loops
	acts     int64          // that this history may have
	tally    tally

	failures int
}

// tally is what a history adds to the sums at the end.
type tally struct {
	Histories, Acts, Crashes, Orders, Choices int64
	Simulated                                 time.Duration
	Fired                                     map[string]int64
	Events                                    map[string]int64 // lines in the histories of orders
	Hash                                      uint64           // of all logs
}

func (a *tally) add(b tally) {
	a.Histories += b.Histories
	a.Acts += b.Acts
	a.Crashes += b.Crashes
	a.Orders += b.Orders
	a.Choices += b.Choices
	a.Simulated += b.Simulated
	a.Hash = a.Hash*31 + b.Hash
	addUp(&a.Fired, b.Fired)
	addUp(&a.Events, b.Events)
}

func addUp(to *map[string]int64, from map[string]int64) {
	if *to == nil {
		*to = map[string]int64{}
	}
	for name, n := range from {
		(*to)[name] += n
	}
}

// shopRun is one life of the shop, from its start to its end.
type shopRun struct {
	name    string
	shop    *Shop
	dead    atomic.Bool // it says and hears nothing any more
	kill    atomic.Pointer[killing]
	stop    context.CancelFunc
	done    chan struct{}
	calls   sync.WaitGroup
	crashed chan struct{} // closed when the committer has refused
}

// killing says at which commit a life ends.
type killing struct {
	point string
	left  atomic.Int64
}

var errKilled = errors.New("killed by the seed")

// crash is models.Options.Crash.
func (r *shopRun) crash(point string) error {
	if r.dead.Load() {
		return errKilled
	}
	k := r.kill.Load()
	if k == nil || k.point != point || k.left.Add(-1) >= 0 {
		return nil
	}
	if !r.dead.Swap(true) {
		close(r.crashed)
	}
	return errKilled
}

// newStreet opens WeChat and the shop. It runs in the bubble.
func newStreet(t testing.TB, seed uint64, dir string, db models.Config) *street {
	t.Helper()
	w := &street{t: t, seed: seed, dir: dir, book: &book{start: time.Now()}, rnd: rand.New(rand.NewPCG(seed, 'd'))}
	w.lag = []float64{0, 0.05, 0.25}[w.rnd.IntN(3)]
	w.tick, w.acts = []time.Duration{15 * time.Second, 40 * time.Second, time.Minute}[w.rnd.IntN(3)], acts()
	if raceDetector {
		w.tick = time.Minute // looking costs most
	}
	w.stage = newStage(seed, []float64{0, 0.002, 0.01}[w.rnd.IntN(3)], w.book)
	var err error
	w.sim, err = sim.New(sim.Options{
		Keys: &rsaKeys, BaseURL: "http://" + spareHost, BrowserURL: "http://127.0.0.1:8082", AppURL: "http://" + shopHost,
		Seed: int64(seed)<<1 | 1, Transport: &wire{w, "wechat", nil}, Log: silent, Step: w.wechatStep,
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.cfg, err = w.config(); err == nil && speaksV3(seed) {
		err = w.speakV3()
	}
	w.cfg.Database = db
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// rsaKeys are made once for all histories, outside them: making keys takes
// long, and uses up chance.
var rsaKeys sim.Keys

// makeKeys makes as many as a history may need.
var makeKeys = sync.OnceValue(func() error {
	s, err := sim.New(sim.Options{Keys: &rsaKeys})
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.IdentityWithKeys(); err != nil {
		return err
	}
	for range 3 {
		for _, call := range []struct{ method, path, body string }{
			{"PUT", "account", `{"key_mode":"certificate"}`}, {"POST", "keys", `{"rotate":"now"}`}, {"POST", "clock", `{"advance":"48h"}`},
		} {
			r := httptest.NewRequest(call.method, "http://"+gateHost+"/_sim/api/"+call.path, strings.NewReader(call.body))
			r.Header.Set("Content-Type", "application/json")
			rec := httptest.NewRecorder()
			s.Gateway().ServeHTTP(rec, r)
			if rec.Code != http.StatusOK {
				return fmt.Errorf("%s %s = %d %s", call.path, call.body, rec.Code, rec.Body)
			}
		}
	}
	return nil
})

// speaksV3: every fifth history, because RSA makes them slow.
func speaksV3(seed uint64) bool { return seed%5 == 0 }

// speakV3 gives the shop the keys of v3: it begins with it or with v2, and
// changes over at some of its starts.
func (w *street) speakV3() error {
	mode := []string{"public_key", "certificate"}[w.rnd.IntN(2)]
	if code := w.api("", "PUT", "account", map[string]string{"key_mode": mode}, nil); code != http.StatusOK {
		return fmt.Errorf("key mode %s = %d", mode, code)
	}
	id, err := w.sim.IdentityWithKeys()
	if err != nil {
		return err
	}
	pay := &w.cfg.Pay
	pay.APIv3Key, pay.SerialNo = id.APIv3Key, id.MerchantSerialNo
	pay.PlatformKeyMode, pay.PlatformPublicKeyID = id.KeyMode, id.PlatformPublicKeyID
	w.cfg.simulated = keysPEM{[]byte(id.MerchantPrivateKey), []byte(id.PlatformPublicKey)}
	w.switches = true
	w.changeOver()
	return nil
}

// changeOver makes the next life of the shop speak v2 or v3.
func (w *street) changeOver() {
	if w.switches {
		w.cfg.Pay.API = []string{"v2", "v3", "v3"}[w.rnd.IntN(3)]
		w.book.note("owner", "writes pay.api: %s", w.cfg.Pay.API)
	}
}

func (w *street) wechatStep(op string) { w.stage.choose("wechat "+op, "goes on") }

// config is the shop's, with the simulator's ids but without one of its own.
func (w *street) config() (Config, error) {
	c := defaultConfig()
	if err := useSimulator(&c, w.sim.Identity(), "http://"+gateHost); err != nil {
		return c, err
	}
	c.Simulator.Enabled = false
	c.Pay.Hosts = []string{"http://" + gateHost, "http://" + spareHost}
	c.Session.KeysFile = filepath.Join(w.dir, "session.keys")
	c.Limits.OrdersPerMinute, c.Limits.PagesPerSecond = 0, 0
	c.Orders.Expire = []time.Duration{6 * time.Minute, 10 * time.Minute, 30 * time.Minute}[w.rnd.IntN(3)]
	return c, nil
}

// open starts a life of the shop.
func (w *street) open() {
	w.runs++
	r := &shopRun{name: fmt.Sprintf("shop%d", w.runs), done: make(chan struct{}), crashed: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	shop, err := build(context.WithValue(ctx, actorKey{}, ""), w.cfg, parts{
		Log: silent, Transport: &wire{w, r.name, r}, Crash: r.crash, Tick: w.tick,
		Step: func(ctx context.Context) {
			if who := actor(ctx, r.name); who != "" {
				w.stage.choose(who, storeCall())
			}
		},
	})
	if err != nil {
		w.fail("the shop does not open: %v", err)
		return
	}
	r.shop = shop
	w.shop.Store(r)
	w.book.note(r.name, "opens")
	go func() {
		defer close(r.done)
		if err := shop.Run(ctx); err != nil && !r.dead.Load() && ctx.Err() == nil {
			w.fail("%s ended with %v", r.name, err)
		}
	}()
}

// close ends a life of the shop: its loops, then what visitors still wait for.
func (w *street) close(r *shopRun) {
	w.shop.CompareAndSwap(r, nil)
	r.stop()
	<-r.done
	r.calls.Wait()
	if err := r.shop.Close(); err != nil {
		w.fail("%s closes with %v", r.name, err)
	}
	w.book.note(r.name, "is closed")
}

func (w *street) fail(format string, args ...any) {
	w.failures++
	w.book.note("FAILED", format, args...)
	w.t.Errorf(format, args...)
}

// wire carries requests from somebody to a host, without a socket. Arriving
// and coming back are choices, and either may take long: what a caller no
// longer waits for arrives all the same.
type wire struct {
	w    *street
	home string
	run  *shopRun // whose life it is, when the shop's
}

var errRefused = errors.New("connection refused")

func (n *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w := n.w
	c := &call{wire: n, done: make(chan struct{})}
	if r.Body != nil {
		c.body, _ = io.ReadAll(r.Body)
		r.Body.Close()
	}
	who := actor(r.Context(), n.home)
	if who == "wechat" { // a notification: its own actor, named by what it says
		h := fnv.New64a()
		h.Write(c.body)
		who = fmt.Sprintf("wechat tells %x", h.Sum64())
	}
	c.me, c.what = w.stage.call(who), r.Method+" "+r.URL.Path
	if n.run != nil && n.run.dead.Load() {
		return nil, errKilled
	}
	ctx, left := context.WithCancel(as(c.me))
	w.wires.Go(func() {
		defer close(c.done)
		defer left()
		c.travel(ctx, r)
	})
	select {
	case <-c.done:
	case <-r.Context().Done():
		left() // the other side may see that the caller is gone, and may finish
		w.stage.choose(c.me, "is not waited for: "+c.what)
		c.err = r.Context().Err()
	}
	if n.run != nil && n.run.dead.Load() {
		return nil, errKilled
	}
	if c.err != nil {
		w.book.note(c.me, "%s: %v", c.what, c.err)
		return nil, c.err
	}
	w.book.note(c.me, "%s = %d", c.what, c.res.StatusCode)
	c.res.Request = r
	return c.res, nil
}

// call is one request on its way.
type call struct {
	*wire
	me, what string
	body     []byte
	done     chan struct{}
	res      *http.Response
	err      error
}

// travel goes there, is answered, and comes back.
func (c *call) travel(ctx context.Context, r *http.Request) {
	w := c.w
	late := w.chanceOf(c.me)
	between := c.run != nil || c.home == "wechat"
	c.transit(late, between)
	w.stage.choose(c.me, c.what)
	if between && w.cut.Load() {
		c.err = errRefused
		return
	}
	rec, err := c.arrive(ctx, r)
	if err == nil && between {
		c.transit(late, between)
		if w.cut.Load() {
			err = errReset
		}
	}
	w.stage.choose(c.me, "back from "+c.what)
	if c.err = err; err == nil {
		c.res = rec.Result()
	}
}

// transit takes no time mostly, and sometimes longer than anybody waits.
func (c *call) transit(r *rand.Rand, between bool) {
	if between && r.Float64() < c.w.lag {
		time.Sleep(time.Duration(r.Int64N(int64(20 * time.Second))))
	}
}

var errReset = errors.New("connection reset")

// arrive lets the other side answer, unless its life ends.
func (c *call) arrive(ctx context.Context, r *http.Request) (*httptest.ResponseRecorder, error) {
	h, to := c.w.sim.Gateway(), (*shopRun)(nil)
	if r.URL.Host == shopHost {
		if to = c.w.shop.Load(); to == nil || to.dead.Load() {
			return nil, errRefused
		}
		h = to.shop.Handler
		to.calls.Add(1)
		defer to.calls.Done()
	}
	in := httptest.NewRequestWithContext(ctx, r.Method, r.URL.String(), bytes.NewReader(c.body))
	in.Header, in.RemoteAddr = r.Header.Clone(), "127.0.0.1:40000"
	rec := httptest.NewRecorder()
	if aborted := serve(h, rec, in); aborted || to != nil && to.dead.Load() {
		return nil, errReset
	}
	return rec, nil
}

// serve reports whether the handler cut the connection.
func serve(h http.Handler, w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() {
		switch e := recover(); e {
		case nil:
		case http.ErrAbortHandler:
			aborted = true
		default:
			panic(e)
		}
	}()
	h.ServeHTTP(w, r)
	return false
}

// api calls the simulator's control API, for a person or ("") for the director.
func (w *street) api(who, method, path string, in, out any) int {
	var body []byte
	if in != nil {
		body, _ = json.Marshal(in)
	}
	ctx := as(who)
	if who != "" {
		me := w.stage.call(who)
		w.stage.choose(me, method+" /_sim/api/"+path)
		ctx = as(me)
	}
	r := httptest.NewRequestWithContext(ctx, method, "http://"+gateHost+"/_sim/api/"+path, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	w.sim.Gateway().ServeHTTP(rec, r)
	if out != nil && rec.Code == http.StatusOK {
		if err := json.Unmarshal(rec.Body.Bytes(), out); err != nil {
			w.fail("%s %s = %d %s: %v", method, path, rec.Code, rec.Body, err)
		}
	}
	return rec.Code
}

// template is the bytes of a migrated database with goods, made once.
var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp(memoryDir(), "wxshop-simulate-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "shop.db")
	if err := stock("sqlite", file); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

// stock migrates a database and puts goods on the shelf.
func stock(driver, dsn string) error {
	ctx := context.Background()
	s, err := models.Open(ctx, models.Config{Driver: driver, DSN: dsn}, models.Options{Log: silent})
	if err != nil {
		return err
	}
	_, err = s.SeedIfEmpty(ctx, shelf)
	return errors.Join(err, s.Close())
}

// database is one for a history, in dir or on a server.
func database(t *testing.T, dir string) models.Config {
	t.Helper()
	if modelstest.Driver() != "sqlite" {
		driver, dsn := modelstest.Database(t, stock)
		return models.Config{Driver: driver, DSN: dsn}
	}
	db, err := template()
	file := filepath.Join(dir, "shop.db")
	if err == nil {
		err = os.WriteFile(file, db, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return models.Config{Driver: "sqlite", DSN: file}
}

// shelf is what is sold: enough of one thing, little of another, and one piece.
var shelf = models.Seed{
	Categories: []models.Category{{ID: "green", NameZH: "绿茶", NameEN: "Green"}},
	Products: []models.Product{
		{Slug: "longjing", CategoryID: "green", NameZH: "明前龙井", NameEN: "Longjing", Active: true,
			SKUs: []models.SKU{{Code: "LJ", Price: 16800, Stock: 40}}},
		{Slug: "jasmine", CategoryID: "green", NameZH: "茉莉飘雪", NameEN: "Jasmine", Active: true,
			SKUs: []models.SKU{{Code: "ML", Price: 5800, Stock: 3}}},
		{Slug: "teapot", CategoryID: "green", NameZH: "紫砂小壶", NameEN: "Teapot", Active: true,
			SKUs: []models.SKU{{Code: "ZS", Price: 39800, Stock: 1}}},
	},
}

// memoryDir is a file system without a disk, so that a commit that is made
// durable costs nothing; "" is the usual one.
func memoryDir() string {
	if f, err := os.Stat("/dev/shm"); err == nil && f.IsDir() {
		if p, err := os.MkdirTemp("/dev/shm", "wxshop-try-"); err == nil {
			os.Remove(p)
			return "/dev/shm"
		}
	}
	return ""
}

func pathOf(location string) string {
	if i := strings.Index(location, "://"); i >= 0 {
		location = location[i+3:]
		if j := strings.IndexByte(location, '/'); j >= 0 {
			return location[j:]
		}
		return "/"
	}
	return location
}
