package checkout_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"wxshop/checkout"
	"wxshop/models"
	"wxshop/models/modelstest"
	"wxshop/wxpay"
	"wxshop/wxpay/sim"
)

// local answers requests by host without a socket, so that a synctest bubble
// can hold shop and WeChat. A caller that gives up leaves the handler running,
// as a real timeout does.
type local struct {
	mu      sync.Mutex
	hosts   map[string]http.Handler
	running sync.WaitGroup // handlers whose caller may be gone
}

func (l *local) set(host string, h http.Handler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hosts == nil {
		l.hosts = map[string]http.Handler{}
	}
	l.hosts[host] = h
}

func (l *local) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	h, ok := l.hosts[r.URL.Host]
	l.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("no route to %s", r.URL.Host)
	}
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body.Close()
	}
	in := httptest.NewRequest(r.Method, r.URL.String(), bytes.NewReader(body))
	in.Header = r.Header.Clone()
	in.RemoteAddr = "127.0.0.1:40000"
	w, done := httptest.NewRecorder(), make(chan struct{})
	var aborted bool
	l.running.Go(func() {
		defer close(done)
		defer func() {
			if e := recover(); e != nil {
				aborted = true // http.ErrAbortHandler: the connection is cut
			}
		}()
		h.ServeHTTP(w, in)
	})
	select {
	case <-done:
		if aborted {
			return nil, errors.New("connection reset")
		}
		res := w.Result()
		res.Request = r
		return res, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// world is a shop's workflows and a whole WeChat, joined without sockets.
type world struct {
	t       *testing.T
	speaks  wxpay.Version       // pay.api
	change  func(*wxpay.Config) // how the keys of v3 differ from the simulator's, if they do
	net     *local
	db      models.Config
	store   *models.Store
	sim     *sim.Sim
	svc     *checkout.Service
	gw      wxpay.Gateway
	mu      sync.Mutex                         // fault and notify change while loops run
	fault   func(path string) http.HandlerFunc // what the gateway does instead; nil: itself
	notify  func(next http.Handler) http.Handler
	counts  map[string]int
	countMu sync.Mutex
	stops   []func()
	crash   func(string) error
	shift   atomic.Int64 // how far the shop's clock is from WeChat's
	user    *models.User
	openid  string
}

const day = 24 * time.Hour

// inBubble runs f in a synctest bubble that starts in the year 2026, with a
// world on v2 whose loops run.
func inBubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	inBubbleOf(t, wxpay.V2, f)
}

// besideOthers lets a whole test run beside others, once, however many bubbles
// it has. Parts of tests keep their order.
func besideOthers(t *testing.T) {
	if _, again := parallel.LoadOrStore(t, true); !again && !strings.Contains(t.Name(), "/") {
		t.Parallel()
	}
}

var parallel sync.Map // *testing.T → true

func inBubbleOf(t *testing.T, api wxpay.Version, f func(t *testing.T, w *world)) {
	t.Helper()
	besideOthers(t)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 19, 12, 0, 0, 0, time.UTC)))
		w := newWorldOf(t, api)
		defer w.close()
		w.run()
		f(t, w)
	})
}

// inBoth does it for each version of the API.
func inBoth(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	for _, api := range []wxpay.Version{wxpay.V2, wxpay.V3} {
		t.Run(string(api), func(t *testing.T) { inBubbleOf(t, api, f) })
	}
}

// rsaKeys are shared by all simulators of this program: they take long to make.
var rsaKeys sim.Keys

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, wxpay.V2)
}

func newWorldOf(t *testing.T, api wxpay.Version) *world {
	t.Helper()
	w := &world{t: t, speaks: api, net: &local{}, counts: map[string]int{}}
	w.db.Driver, w.db.DSN = modelstest.Database(t, migrated)
	var err error
	w.sim, err = sim.New(sim.Options{
		BaseURL: "http://gateway", BrowserURL: "http://face", AppURL: "http://shop", Seed: 1, Keys: &rsaKeys,
		NotifyAllow: []string{"shop"}, Transport: w.net, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.net.set("gateway", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if h := w.faulty(r.URL.Path); h != nil {
			h(rw, r)
			return
		}
		w.sim.Gateway().ServeHTTP(rw, r)
	}))
	w.open()
	w.seed()
	return w
}

// migrated makes the tables of an empty database.
func migrated(driver, dsn string) error {
	s, err := models.Open(context.Background(), models.Config{Driver: driver, DSN: dsn}, models.Options{})
	if err != nil {
		return err
	}
	return s.Close()
}

// open starts the shop's side on the database; restart calls it again.
func (w *world) open() {
	w.t.Helper()
	log := slog.New(slog.DiscardHandler)
	var err error
	w.store, err = models.Open(w.t.Context(), w.db,
		models.Options{Log: log, Crash: w.crash, Now: w.now})
	if err != nil {
		w.t.Fatal(err)
	}
	id := w.sim.Identity()
	w.svc = checkout.New(checkout.Config{
		API: w.speaks, AppID: id.AppID, MchID: id.MchID, SignType: wxpay.HMACSHA256, NotifyBase: "http://shop",
		ShopName: "云间茶铺", Expire: 30 * time.Minute, ChaseAfter: time.Minute, ConfirmAfter: 10 * day,
		DeliveryFee: 800, FreeFrom: 9900,
	}, checkout.Options{Store: w.store, Gateways: w.gateways(log), Log: log, Now: w.now, Count: w.count})
	notify := w.notifications()
	w.net.set("shop", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		h := notify
		if w.notify != nil {
			h = w.notify(notify)
		}
		w.mu.Unlock()
		h.ServeHTTP(rw, r)
	}))
}

// now is the shop's clock.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.shift.Load())) }

// gateways are v2, and v3 as soon as it was spoken once, as in the shop.
func (w *world) gateways(log *slog.Logger) map[wxpay.Version]wxpay.Gateway {
	w.t.Helper()
	id := w.sim.Identity()
	c := wxpay.Config{
		AppID: id.AppID, MchID: id.MchID, APIKey: id.APIKey, SignType: wxpay.HMACSHA256,
		Hosts: []string{"http://gateway"}, Timeout: 5 * time.Second, Transport: w.net, Record: checkout.Record, Log: log,
	}
	v2, err := wxpay.NewV2(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.gw = v2
	gates := map[wxpay.Version]wxpay.Gateway{wxpay.V2: v2}
	if w.speaks != wxpay.V3 && id.MerchantPrivateKey == "" {
		return gates
	}
	if id, err = w.sim.IdentityWithKeys(); err != nil {
		w.t.Fatal(err)
	}
	c.SerialNo, c.APIv3Key, c.KeyMode, c.PlatformKeyID = id.MerchantSerialNo, id.APIv3Key, wxpay.KeyMode(id.KeyMode), id.PlatformPublicKeyID
	if c.PrivateKey, err = wxpay.LoadPrivateKey([]byte(id.MerchantPrivateKey)); err != nil {
		w.t.Fatal(err)
	}
	if c.PlatformKey, err = wxpay.LoadPublicKey([]byte(id.PlatformPublicKey)); err != nil {
		w.t.Fatal(err)
	}
	if w.change != nil {
		w.change(&c)
	}
	v3, err := wxpay.NewV3(c)
	if err != nil {
		w.t.Fatal(err)
	}
	gates[wxpay.V3] = v3
	return gates
}

// notifications are the shop's routes for WeChat.
func (w *world) notifications() http.Handler {
	svc, m := w.svc, http.NewServeMux()
	for _, v := range []wxpay.Version{wxpay.V2, wxpay.V3} {
		take := func(f func(context.Context, wxpay.Version, http.Header, []byte) wxpay.Reply) http.HandlerFunc {
			return func(rw http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				reply := f(r.Context(), v, r.Header, body)
				if reply.ContentType != "" {
					rw.Header().Set("Content-Type", reply.ContentType)
				}
				rw.WriteHeader(reply.Status)
				rw.Write(reply.Body)
			}
		}
		m.HandleFunc("/notify/"+string(v)+"/pay", take(svc.Notify))
		m.HandleFunc("/notify/"+string(v)+"/refund", take(svc.RefundNotify))
	}
	return m
}

// onto restarts the shop with another pay.api.
func (w *world) onto(api wxpay.Version) {
	w.t.Helper()
	w.speaks = api
	w.restart()
}

// The calls to WeChat, whatever version they are made with.
const (
	callPrepay = "prepay"
	callQuery  = "query"
	callClose  = "close"
	callRefund = "refund"
)

// isCall tells what a path of the gateway is for.
func isCall(path, call string) bool {
	name, v3 := strings.CutPrefix(path, "/v3/pay/transactions/")
	switch call {
	case callPrepay:
		return path == "/pay/unifiedorder" || v3 && !strings.Contains(name, "/")
	case callQuery:
		return path == "/pay/orderquery" || v3 && strings.HasPrefix(name, "out-trade-no/") && !strings.HasSuffix(name, "/close")
	case callClose:
		return path == "/pay/closeorder" || v3 && strings.HasSuffix(name, "/close")
	}
	return path == "/secapi/pay/refund" || path == "/v3/refund/domestic/refunds"
}

func (w *world) setFault(f func(path string) http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

func (w *world) setNotify(f func(next http.Handler) http.Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notify = f
}

// faulty is what the gateway does instead of answering path, if anything.
func (w *world) faulty(path string) http.HandlerFunc {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault == nil {
		return nil
	}
	return w.fault(path)
}

func (w *world) seed() {
	w.t.Helper()
	_, err := w.store.SeedIfEmpty(w.t.Context(), models.Seed{
		Categories: []models.Category{{ID: "green", NameZH: "绿茶", NameEN: "Green"}},
		Products: []models.Product{
			{Slug: "longjing", CategoryID: "green", NameZH: "明前龙井", NameEN: "Longjing", Active: true,
				SKUs: []models.SKU{{Code: "LJ", Price: 16800, Stock: 5}}},
			{Slug: "jasmine", CategoryID: "green", NameZH: "茉莉飘雪", NameEN: "Jasmine", Active: true,
				SKUs: []models.SKU{{Code: "ML", Price: 5800, Stock: 2}}},
			{Slug: "tieguanyin", CategoryID: "green", NameZH: "铁观音", NameEN: "Tieguanyin", Active: true,
				SKUs: []models.SKU{{Code: "TG", Price: 16800, Stock: 50}}},
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.openid = w.simUsers()[0].OpenID
	w.user, err = w.store.SignIn(w.t.Context(), w.sim.Identity().AppID, w.openid, 0)
	if err != nil {
		w.t.Fatal(err)
	}
}

// run starts the shop's loops and the simulator's deliveries.
func (w *world) run() {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{}, 2)
	svc := w.svc
	go func() { svc.Run(ctx); done <- struct{}{} }()
	go func() { w.sim.Run(ctx); done <- struct{}{} }()
	w.stops = append(w.stops, func() { cancel(); <-done; <-done })
}

func (w *world) stop() {
	for _, f := range w.stops {
		f()
	}
	w.stops = nil
}

func (w *world) close() {
	w.stop()
	w.net.running.Wait()
	w.store.Close()
	w.sim.Close()
}

// restart ends the shop and starts it on the same database; WeChat lives on.
func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.store.Close()
	w.open()
	w.run()
}

func (w *world) count(event string) {
	w.countMu.Lock()
	defer w.countMu.Unlock()
	w.counts[event]++
}

func (w *world) counted(event string) int {
	w.countMu.Lock()
	defer w.countMu.Unlock()
	return w.counts[event]
}

// api calls the simulator's control API.
func (w *world) api(method, path string, in, out any) int {
	w.t.Helper()
	var body []byte
	if in != nil {
		body, _ = json.Marshal(in)
	}
	r := httptest.NewRequest(method, "http://127.0.0.1:8081/_sim/api/"+path, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	w.sim.Gateway().ServeHTTP(rec, r)
	if out != nil {
		if err := json.Unmarshal(rec.Body.Bytes(), out); err != nil {
			w.t.Fatalf("%s %s = %d %s: %v", method, path, rec.Code, rec.Body, err)
		}
	}
	return rec.Code
}

type simUser struct {
	OpenID   string `json:"openid"`
	Nickname string `json:"nickname"`
}

func (w *world) simUsers() []simUser {
	w.t.Helper()
	var us []simUser
	w.api("GET", "users", nil, &us)
	if len(us) == 0 {
		w.t.Fatal("the simulator has no users")
	}
	return us
}

type simTransaction struct {
	OutTradeNo    string   `json:"out_trade_no"`
	TransactionID *string  `json:"transaction_id"`
	State         string   `json:"state"`
	Total         int64    `json:"total"`
	Notifications []string `json:"notifications"`
	Refunds       []struct {
		OutRefundNo string `json:"out_refund_no"`
		Amount      int64  `json:"amount"`
		State       string `json:"state"`
	} `json:"refunds"`
}

// refunded is how much WeChat gave back.
func (x simTransaction) refunded() int64 {
	var sum int64
	for _, r := range x.Refunds {
		sum += r.Amount
	}
	return sum
}

func (w *world) atWeChat(outTradeNo string) simTransaction {
	w.t.Helper()
	var x simTransaction
	if code := w.api("GET", "transactions/"+outTradeNo, nil, &x); code != 200 {
		w.t.Fatalf("transaction %s at WeChat = %d", outTradeNo, code)
	}
	return x
}

// pays lets the simulated user pay an attempt; it reports the status.
func (w *world) pays(outTradeNo string) int {
	w.t.Helper()
	return w.api("POST", "transactions/"+outTradeNo+"/pay", map[string]any{}, nil)
}

var forms int

// buys places an order of one longjing inside WeChat.
func (w *world) buys(lines ...models.Line) (*models.Order, *models.Payment) {
	w.t.Helper()
	forms++
	if len(lines) == 0 {
		lines = []models.Line{{SKUID: w.sku("LJ").ID, Qty: 1}}
	}
	placed, err := w.svc.Place(w.t.Context(), checkout.PlaceRequest{
		User: w.user, FormToken: fmt.Sprintf("form-%d", forms), Lines: lines, Channel: wxpay.JSAPI, ClientIP: "127.0.0.1",
		Receiver: models.Receiver{Name: "林晓溪", Phone: "13800001234", Province: "浙江省", City: "杭州市", District: "西湖区", Street: "文三路 90 号"},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ps := w.payments(placed.Order)
	return placed.Order, &ps[len(ps)-1]
}

func (w *world) payments(o *models.Order) []models.Payment {
	w.t.Helper()
	ps, err := w.store.Payments(w.t.Context(), o.ID)
	if err != nil || len(ps) == 0 {
		w.t.Fatalf("payments of %s = %d, %v", o.No, len(ps), err)
	}
	return ps
}

func (w *world) sku(code string) models.SKU {
	w.t.Helper()
	ps, err := w.store.Products(w.t.Context(), models.Find{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range ps {
		for _, k := range p.SKUs {
			if k.Code == code {
				return k
			}
		}
	}
	w.t.Fatalf("no SKU %s", code)
	return models.SKU{}
}

func (w *world) order(no string) *models.Order {
	w.t.Helper()
	o, err := w.store.AnyOrder(w.t.Context(), no)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

func (w *world) dossier(no string) *models.Dossier {
	w.t.Helper()
	d, err := w.store.Dossier(w.t.Context(), no)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) wantState(no string, want models.State) *models.Order {
	w.t.Helper()
	o := w.order(no)
	if o.State != want {
		w.t.Fatalf("order %s is %s, want %s\n%s", no, o.State, want, w.story(no))
	}
	return o
}

// wantEvents checks how often an order's history has an event of a kind.
func (w *world) wantEvents(no, kind string, want int) {
	w.t.Helper()
	n := 0
	for _, e := range w.dossier(no).Events {
		if e.Kind == kind {
			n++
		}
	}
	if n != want {
		w.t.Errorf("order %s has %d %q events, want %d\n%s", no, n, kind, want, w.story(no))
	}
}

// story is the order's history in lines, for failures.
func (w *world) story(no string) string {
	var b strings.Builder
	d := w.dossier(no)
	for _, e := range d.Events {
		fmt.Fprintf(&b, "  %s %s %s %s→%s %s %s\n", e.At.Format(time.RFC3339), e.Actor, e.Kind, e.From, e.To, e.OutTradeNo, e.Note)
	}
	for _, p := range d.Payments {
		fmt.Fprintf(&b, "  payment %s %s live=%v err=%q\n", p.OutTradeNo, p.State, p.LiveOrderID != nil, p.LastError)
	}
	return b.String()
}

func later(d time.Duration) { time.Sleep(d); synctest.Wait() }
