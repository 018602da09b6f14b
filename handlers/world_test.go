package handlers

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"wxshop/checkout"
	"wxshop/models"
	"wxshop/models/modelstest"
	"wxshop/wxpay"
	"wxshop/wxpay/sim"
	"wxshop/wxpay/sim/browser"
)

const (
	shopURL = "http://localhost:8080"
	// canaries stand for secrets; none may ever be seen outside (P19, P20).
	accountToken = "demoToken2026"
	canaryKey    = "canary-session-key-0123456789abcdef"
	wechatUA     = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.49(0x18003137) NetType/WIFI Language/zh_CN"
	phoneUA      = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
	desktopUA    = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36"
)

// wires answers requests by host, without sockets.
type wires struct {
	mu    sync.Mutex
	hosts map[string]http.Handler
}

func (l *wires) set(host string, h http.Handler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hosts == nil {
		l.hosts = map[string]http.Handler{}
	}
	l.hosts[host] = h
}

func (l *wires) RoundTrip(r *http.Request) (*http.Response, error) {
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
	in := httptest.NewRequest(r.Method, r.URL.String(), bytes.NewReader(body)).WithContext(r.Context())
	in.Header = r.Header.Clone()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	res := w.Result()
	res.Request = r
	return res, nil
}

// world is a shop with its real database and a whole WeChat, without sockets.
type world struct {
	t     testing.TB
	net   *wires
	db    models.Config // of the database
	store *models.Store
	sim   *sim.Sim
	shop  http.Handler
	srv   *Server
	log   *safeBuffer
	// gateway, when set, is asked first; it answers and says so, or does not.
	gateway   func(w http.ResponseWriter, r *http.Request) bool
	aesKey    string // of the messages of the official account; "" is plain
	speaks    wxpay.Version
	withoutV2 bool   // a merchant who has no APIv2 key
	simData   string // where the simulator keeps its keys; "" keeps nothing
	exchanges int    // codes that were tried at WeChat
	mu        sync.Mutex
	clock     func() time.Time
}

// safeBuffer takes log lines from any goroutine.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// newWorld opens a shop; change may alter its configuration.
func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	return newWorldWith(t, "", change...)
}

// newWorldWith also has a key for the messages of the official account.
func newWorldWith(t testing.TB, aesKey string, change ...func(*Config)) *world {
	t.Helper()
	return startWorld(&world{t: t, aesKey: aesKey, speaks: wxpay.V2}, change...)
}

// rsaKeys are shared by all simulators of this program: they take long to make.
var rsaKeys sim.Keys

// newWorldV3 is a shop that speaks v3 and, for what is older, v2. The
// simulator's keys are on disk, so that a test can be WeChat itself.
func newWorldV3(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	return startWorld(&world{t: t, speaks: wxpay.V3, simData: t.TempDir()}, change...)
}

// inBothWorlds runs a test on v2 and on v3.
func inBothWorlds(t *testing.T, f func(*testing.T, *world), change ...func(*Config)) {
	t.Helper()
	t.Run("v2", func(t *testing.T) { f(t, newWorld(t, change...)) })
	t.Run("v3", func(t *testing.T) { f(t, newWorldV3(t, change...)) })
}

func startWorld(w *world, change ...func(*Config)) *world {
	t := w.t
	t.Helper()
	w.net, w.log, w.clock = &wires{}, &safeBuffer{}, time.Now
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := Config{
		Site:    Site{Name: "云间茶铺", BaseURL: shopURL},
		Session: Session{Keys: [][]byte{[]byte(canaryKey)[:32], nil}, Idle: 7 * 24 * time.Hour},
		Orders:  Orders{FreeFrom: 9900, Fee: 800, PayWithin: 30 * time.Minute},
	}
	for _, f := range change {
		f(&c)
	}
	base, _ := url.Parse(c.Site.BaseURL)
	var err error
	w.sim, err = sim.New(sim.Options{
		BaseURL: "http://gateway", BrowserURL: "http://face", AppURL: c.Site.BaseURL, Seed: 1, Keys: &rsaKeys, Data: w.simData,
		NotifyAllow: []string{base.Host, base.Hostname()}, Transport: w.net,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.net.set("gateway", http.HandlerFunc(w.serveGateway))
	w.db.Driver, w.db.DSN = modelstest.Database(t, migrated)
	w.store, err = models.Open(t.Context(), w.db,
		models.Options{Log: log, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.store.Close()
		w.sim.Close()
	})
	w.seed()
	w.open(c, log)
	w.net.set(base.Host, w.shop)
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

func (w *world) now() time.Time { return w.clock() }

// open makes the server on top of the store and the simulator.
func (w *world) open(c Config, log *slog.Logger) {
	w.t.Helper()
	id := w.sim.Identity()
	c.AppID = id.AppID
	gates := w.gateways(log)
	mp, err := wxpay.NewMP(wxpay.MPConfig{
		AppID: id.AppID, AppSecret: id.AppSecret, APIBase: "http://gateway",
		AuthorizeURL: "http://gateway/connect/oauth2/authorize", Transport: w.net, Timeout: 5 * time.Second,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	mini, err := wxpay.NewMP(wxpay.MPConfig{
		AppID: id.MiniAppID, AppSecret: id.MiniAppSecret, APIBase: "http://gateway", Transport: w.net, Timeout: 5 * time.Second,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	c.MiniAppID = id.MiniAppID
	account, err := wxpay.NewMPServer(wxpay.MPServerConfig{AppID: id.AppID, Token: accountToken, EncodingAESKey: w.aesKey})
	if err != nil {
		w.t.Fatal(err)
	}
	service := checkout.New(checkout.Config{
		API: w.speaks, AppID: id.AppID, MchID: id.MchID, SignType: wxpay.HMACSHA256, NotifyBase: c.Site.BaseURL,
		ShopName: "云间茶铺", Expire: 30 * time.Minute, ChaseAfter: time.Minute, ConfirmAfter: 240 * time.Hour,
		DeliveryFee: 800, FreeFrom: 9900,
	}, checkout.Options{Store: w.store, Gateways: gates, Log: log, Now: w.now})
	w.srv, err = New(Deps{Store: w.store, Checkout: service, MP: mp, Mini: mini, Account: account, Log: log, Now: w.now, Config: c})
	if err != nil {
		w.t.Fatal(err)
	}
	w.shop = w.srv.Routes()
}

// gateways are v2, and v3 if the shop speaks it.
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
	gates := map[wxpay.Version]wxpay.Gateway{wxpay.V2: v2}
	if w.speaks != wxpay.V3 {
		return gates
	}
	if id, err = w.sim.IdentityWithKeys(); err != nil {
		w.t.Fatal(err)
	}
	v3, err := wxpay.NewV3(withKeysV3(w.t, c, id))
	if err != nil {
		w.t.Fatal(err)
	}
	gates[wxpay.V3] = v3
	if w.withoutV2 {
		delete(gates, wxpay.V2)
	}
	return gates
}

// withKeysV3 adds the simulator's keys of v3.
func withKeysV3(t testing.TB, c wxpay.Config, id sim.Identity) wxpay.Config {
	t.Helper()
	c.SerialNo, c.APIv3Key, c.KeyMode, c.PlatformKeyID = id.MerchantSerialNo, id.APIv3Key, wxpay.KeyMode(id.KeyMode), id.PlatformPublicKeyID
	var err error
	if c.PrivateKey, err = wxpay.LoadPrivateKey([]byte(id.MerchantPrivateKey)); err != nil {
		t.Fatal(err)
	}
	if c.PlatformKey, err = wxpay.LoadPublicKey([]byte(id.PlatformPublicKey)); err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) serveGateway(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/sns/oauth2/access_token" {
		w.mu.Lock()
		w.exchanges++
		w.mu.Unlock()
	}
	if w.gateway != nil && w.gateway(rw, r) {
		return
	}
	w.sim.Gateway().ServeHTTP(rw, r)
}

func (w *world) seed() {
	w.t.Helper()
	_, err := w.store.SeedIfEmpty(w.t.Context(), models.Seed{
		Categories: []models.Category{{ID: "green", NameZH: "绿茶", NameEN: "Green"}, {ID: "ware", NameZH: "茶器", NameEN: "Teaware"}},
		Products: []models.Product{
			{Slug: "longjing", CategoryID: "green", NameZH: "明前龙井", NameEN: "Longjing", LineZH: "豆香", Active: true, Position: 1,
				Pictures: []string{"longjing.svg", "longjing-2.svg"},
				Options:  []models.Option{{ID: "weight", ZH: "净含量", EN: "Net weight", Values: []models.OptionValue{{ID: "50g", ZH: "50 克", EN: "50 g"}, {ID: "100g", ZH: "100 克", EN: "100 g"}}}},
				SKUs: []models.SKU{
					{Code: "LJ-50g", Values: []string{"50g"}, Price: 9800, Stock: 60, Position: 1},
					{Code: "LJ-100g", Values: []string{"100g"}, Price: 16800, Stock: 32, Position: 2},
				}},
			{Slug: "jasmine", CategoryID: "green", NameZH: "茉莉飘雪", NameEN: "Jasmine", Active: true, Position: 2,
				Pictures: []string{"jasmine.svg"}, SKUs: []models.SKU{{Code: "JS", Price: 5800, Stock: 2}}},
			{Slug: "zisha", CategoryID: "ware", NameZH: "紫砂小壶", NameEN: "Teapot", Active: true, Position: 3,
				Pictures: []string{"zisha.svg"}, SKUs: []models.SKU{{Code: "ZS", Price: 39800, Stock: 0}}},
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// sku is the id of a SKU in a form.
func (w *world) sku(code string) string {
	w.t.Helper()
	return formatID(w.skuRow(code).ID)
}

func (w *world) skuRow(code string) models.SKU {
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

// client is a browser: cookies, a User-Agent, and inside WeChat a user of the
// simulator.
type client struct {
	t       testing.TB
	w       *world
	ua      string
	me      string // user of the simulator
	cookies map[string]string
	header  http.Header // added to every request
}

func (w *world) outside() *client {
	return &client{t: w.t, w: w, ua: desktopUA, cookies: map[string]string{}, header: http.Header{}}
}

func (w *world) inside(me string) *client {
	return &client{t: w.t, w: w, ua: wechatUA, me: me, cookies: map[string]string{}, header: http.Header{}}
}

// result is an answer with its body.
type result struct {
	*http.Response
	body string
}

// do sends one request to the shop and keeps its cookies.
func (c *client) do(method, target string, form url.Values) result {
	c.t.Helper()
	return c.send(c.request(method, target, form))
}

func (c *client) request(method, target string, form url.Values) *http.Request {
	if strings.HasPrefix(target, "/") {
		target = c.w.srv.base.String() + target
	}
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, target, body)
	r.Header.Set("User-Agent", c.ua)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, v := range c.header {
		r.Header[k] = v
	}
	for name, value := range c.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

func (c *client) send(r *http.Request) result {
	c.t.Helper()
	rec := httptest.NewRecorder()
	c.w.shop.ServeHTTP(rec, r)
	res := rec.Result()
	for _, k := range res.Cookies() {
		if k.MaxAge < 0 {
			delete(c.cookies, k.Name)
			continue
		}
		c.cookies[k.Name] = k.Value
	}
	return result{res, rec.Body.String()}
}

// go_ follows redirects, also to WeChat's authorize page and back, as a
// browser does for a GET.
func (c *client) visit(target string) result {
	c.t.Helper()
	res := c.do("GET", target, nil)
	for range 10 {
		to := res.Header.Get("Location")
		if res.StatusCode/100 != 3 || to == "" {
			return res
		}
		if strings.HasPrefix(to, "http://gateway/") {
			to = c.authorize(to)
		}
		res = c.do("GET", to, nil)
	}
	c.t.Fatalf("GET %s redirects without end", target)
	return res
}

// submit posts a form and follows where it leads.
func (c *client) submit(target string, form url.Values) result {
	c.t.Helper()
	res := c.do("POST", target, form)
	if res.StatusCode == http.StatusSeeOther {
		return c.visit(res.Header.Get("Location"))
	}
	return res
}

// authorize is the trip to WeChat: where it sends the browser back to.
func (c *client) authorize(target string) string {
	c.t.Helper()
	target, _, _ = strings.Cut(target, "#")
	r := httptest.NewRequest("GET", target+"&"+browser.MarkMe+"="+c.me, nil)
	r.Header.Set("User-Agent", c.ua)
	rec := httptest.NewRecorder()
	c.w.serveGateway(rec, r)
	to := rec.Header().Get("Location")
	if to == "" {
		c.t.Fatalf("authorize page answered %d %s", rec.Code, rec.Body)
	}
	return to
}

// signIn makes the client a user known to the shop.
func (c *client) signIn() *client {
	c.t.Helper()
	res := c.visit("/me")
	if res.StatusCode != 200 {
		c.t.Fatalf("sign in ended with %d", res.StatusCode)
	}
	return c
}

var hidden = regexp.MustCompile(`name="(token|expected_total)" value="([^"]*)"`)

// addressForm is a good address.
func addressForm() url.Values {
	return url.Values{
		"name": {"林晓溪"}, "phone": {"13800001234"}, "province": {"浙江省"}, "city": {"杭州市"},
		"district": {"西湖区"}, "detail": {"文三路 90 号 3 幢 502"}, "note": {""},
	}
}

// checkoutForm is the checkout page as the client would submit it.
func (c *client) checkoutForm() url.Values {
	c.t.Helper()
	res := c.visit("/checkout")
	if res.StatusCode != 200 {
		c.t.Fatalf("GET /checkout ended with %d", res.StatusCode)
	}
	form := addressForm()
	for _, m := range hidden.FindAllStringSubmatch(res.body, -1) {
		form.Set(m[1], m[2])
	}
	if form.Get("token") == "" || form.Get("expected_total") == "" {
		c.t.Fatalf("no token or total in the checkout page:\n%s", res.body)
	}
	return form
}

// buy puts one thing into the cart and orders it; it gives the order's number.
func (c *client) buy(code string) string {
	c.t.Helper()
	c.add(code, "1")
	res := c.do("POST", "/checkout", c.checkoutForm())
	return c.orderNo(res)
}

func (c *client) add(code, qty string) {
	c.t.Helper()
	res := c.do("POST", "/cart/add", url.Values{"sku": {c.w.sku(code)}, "qty": {qty}, "to": {"cart"}})
	if res.StatusCode != http.StatusSeeOther {
		c.t.Fatalf("POST /cart/add = %d %s", res.StatusCode, res.body)
	}
}

var payPath = regexp.MustCompile(`^/pay/([0-9A-Z]{20,32})`)

func (c *client) orderNo(res result) string {
	c.t.Helper()
	m := payPath.FindStringSubmatch(res.Header.Get("Location"))
	if res.StatusCode != http.StatusSeeOther || m == nil {
		c.t.Fatalf("order not placed: %d %q\n%s", res.StatusCode, res.Header.Get("Location"), res.body)
	}
	return m[1]
}

// claimLink asks for the link that takes an order into WeChat; it gives the
// secret part.
func (c *client) claimLink(no string) string {
	c.t.Helper()
	res := c.submit("/pay/"+no, url.Values{"via": {"wechat"}})
	token := between(res.body, shopURL+"/c/", "<")
	if res.StatusCode != 200 || !isToken(token) {
		c.t.Fatalf("asking for a link = %d, token %q\n%s", res.StatusCode, token, res.body)
	}
	return token
}

// order is the row of an order.
func (w *world) order(no string) *models.Order {
	w.t.Helper()
	o, err := w.store.AnyOrder(w.t.Context(), no)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// attempt is the latest payment of an order.
func (w *world) attempt(no string) *models.Payment {
	w.t.Helper()
	ps, err := w.store.Payments(w.t.Context(), w.order(no).ID)
	if err != nil || len(ps) == 0 {
		w.t.Fatalf("payments of %s: %d, %v", no, len(ps), err)
	}
	return &ps[len(ps)-1]
}

// dump is the content of the database, table by table, for comparisons.
func (w *world) dump() map[string]string {
	w.t.Helper()
	db := modelstest.Reach(w.t, w.db.Driver, w.db.DSN)
	defer db.Close()
	out := map[string]string{}
	for _, table := range texts(w.t, db, modelstest.Tables(w.db.Driver)) {
		out[table[0]] = ""
		for _, row := range texts(w.t, db, `SELECT * FROM "`+table[0]+`" ORDER BY 1`) {
			out[table[0]] += strings.Join(row, "|") + "\n"
		}
	}
	return out
}

// exec changes the database behind everybody's back; it gives the rows.
func (w *world) exec(q string, args ...any) int64 {
	w.t.Helper()
	return modelstest.Exec(w.t, w.db.Driver, w.db.DSN, q, args...)
}

// texts reads a query with every value as text.
func texts(t testing.TB, db *sql.DB, q string) [][]string {
	t.Helper()
	rows, err := db.Query(q)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for rows.Next() {
		values, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			to[i] = &values[i]
		}
		if err := rows.Scan(to...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(columns))
		for i, v := range values {
			row[i] = fmt.Sprint(v)
		}
		out = append(out, row)
	}
	return out
}

// unchanged compares two dumps, except the named tables.
func unchanged(t *testing.T, before, after map[string]string, except ...string) {
	t.Helper()
	for table, rows := range after {
		if !slices.Contains(except, table) && rows != before[table] {
			t.Errorf("table %s changed from\n%s\nto\n%s", table, before[table], rows)
		}
	}
}

// ginContext keeps gin's name out of the tests that make a route.
type ginContext = gin.Context
