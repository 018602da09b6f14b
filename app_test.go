package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"wxshop/handlers"
	"wxshop/models"
)

// freeConfig is the shop on free ports with everything in a folder of the test.
func freeConfig(t *testing.T) Config {
	t.Helper()
	dir, c := t.TempDir(), defaultConfig()
	c.Site.Listen, c.Site.BaseURL, c.Ops.Listen = "127.0.0.1:0", "http://localhost:0", "127.0.0.1:0"
	c.Simulator.Listen, c.Simulator.Browser, c.Simulator.Data = "127.0.0.1:0", "127.0.0.1:0", filepath.Join(dir, "sim")
	c.Database.DSN, c.Session.KeysFile = filepath.Join(dir, "shop.db"), filepath.Join(dir, "session.keys")
	return c
}

// begin starts a shop that the test ends with stop, or its end does.
func begin(t *testing.T, c Config, p parts, stdout io.Writer) (a *App, stop func() error) {
	t.Helper()
	if p.Log == nil {
		p.Log = silent
	}
	ctx, cancel := context.WithCancel(context.Background())
	a, err := start(ctx, c, p, stdout)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	stop = func() error { cancel(); return a.Wait() }
	t.Cleanup(func() { _ = stop() })
	return a, stop
}

// fetch is one request without a connection that outlives it.
func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	c := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestStartAndStop(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	var out bytes.Buffer
	a, stop := begin(t, freeConfig(t), parts{}, &out)
	for _, url := range []string{a.ShopURL + "/", a.BrowserURL + "/", a.GatewayURL + "/_sim/", a.GatewayURL + "/_sim/healthz", a.OpsURL + "/readyz"} {
		if code, body := fetch(t, url); code != 200 {
			t.Errorf("%s = %d %.300s", url, code, body)
		}
	}
	for _, url := range []string{a.ShopURL, a.BrowserURL, a.GatewayURL + "/_sim/", a.ShopURL + "/admin"} {
		if !strings.Contains(out.String(), url) {
			t.Errorf("%s is not printed in\n%s", url, out.String())
		}
	}
	if _, body := fetch(t, a.ShopURL+"/"); !strings.Contains(body, "明前龙井") {
		t.Error("the sample goods are not in the window")
	}
	if err := stop(); err != nil {
		t.Errorf("stopped with %v", err)
	}
	if _, err := http.Get(a.ShopURL); err == nil {
		t.Error("the shop still answers")
	}
	http.DefaultClient.CloseIdleConnections()
	goleak.VerifyNone(t, ignore)
}

// A stream that never ends does not hold up the stop.
func TestStopWithOpenStream(t *testing.T) {
	a, stop := begin(t, freeConfig(t), parts{}, io.Discard)
	res, err := http.Get(a.GatewayURL + "/_sim/api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	done := make(chan error, 1)
	go func() { done <- stop() }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("still not stopped")
	}
}

// A request that is under way when the stop comes is answered (V9).
func TestStopFinishesRequests(t *testing.T) {
	c := freeConfig(t)
	p := parts{Log: silent}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	open, err := listenAll(&c)
	if err != nil {
		t.Fatal(err)
	}
	shop, err := build(ctx, c, p)
	if err != nil {
		t.Fatal(err)
	}
	entered, leave := make(chan struct{}), make(chan struct{})
	shop.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-leave
		if err := shop.Store.Ping(r.Context()); err != nil { // the database is still there
			t.Error(err)
		}
		io.WriteString(w, "done")
	})
	a := &App{Shop: shop, log: silent, done: make(chan struct{})}
	if err := a.prepare(open); err != nil {
		t.Fatal(err)
	}
	go func() { a.err = a.run(ctx); close(a.done) }()
	type reply struct {
		code int
		body string
	}
	got := make(chan reply, 1)
	go func() {
		code, body := fetch(t, a.ShopURL)
		got <- reply{code, body}
	}()
	<-entered
	cancel()
	for { // the operator's machines are told first, while the request goes on
		if code, body := fetch(t, a.OpsURL+"/readyz"); code == 503 {
			if !strings.Contains(body, "stopping") {
				t.Errorf("readyz says %s", body)
			}
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	close(leave)
	if r := <-got; r.code != 200 || r.body != "done" {
		t.Errorf("the request under way got %+v", r)
	}
	if err := a.Wait(); err != nil {
		t.Error(err)
	}
}

// When one part dies, the whole stops and says why.
func TestPartDies(t *testing.T) {
	a, _ := begin(t, freeConfig(t), parts{}, io.Discard)
	a.browser.Listener.Close()
	if err := a.Wait(); err == nil || !strings.Contains(err.Error(), "serve 127.0.0.1:") {
		t.Errorf("ended with %v", err)
	}
}

func TestReadyz(t *testing.T) {
	a, stop := begin(t, freeConfig(t), parts{}, io.Discard)
	tests := []struct {
		name, check string
		broken      func()
	}{
		{"all well", "", func() {}},
		{"loops ended", "loops", func() { a.alive.Store(false) }},
		{"stopping", "serving", func() { a.alive.Store(true); a.stopping.Store(true) }},
		{"clock off", "clock", func() { a.stopping.Store(false); a.Shop.clock.seen(5 * time.Minute) }}, // V12
		{"database closed", "database", func() { a.Shop.clock.seen(0); a.Shop.Store.Close() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.broken()
			code, body := fetch(t, a.OpsURL+"/readyz")
			var checks map[string]string
			if err := json.Unmarshal([]byte(body), &checks); err != nil || len(checks) != 4 {
				t.Fatalf("%s: %v", body, err)
			}
			want := http.StatusOK
			if tt.check != "" {
				want = http.StatusServiceUnavailable
			}
			if code != want {
				t.Errorf("%d, want %d: %s", code, want, body)
			}
			for name, said := range checks {
				if ok := said == "ok"; ok == (name == tt.check) {
					t.Errorf("%s says %q", name, said)
				}
			}
		})
	}
	_ = stop() // the loops ran on a closed database
}

func TestOps(t *testing.T) {
	a, _ := begin(t, freeConfig(t), parts{}, io.Discard)
	fetch(t, a.ShopURL+"/")
	tests := []struct {
		path string
		want []string
	}{
		{"/healthz", []string{"ok"}},
		{"/metrics", []string{"go_goroutines", "process_open_fds", "shop_payments_to_check 0", "shop_payments_due 0", "shop_refunds_pending 0", "shop_db_commits_total", "shop_http_requests_total{"}},
		{"/debug/pprof/", []string{"goroutine"}},
		{"/debug/pprof/heap?debug=1", []string{"heap profile"}},
	}
	for _, tt := range tests {
		code, body := fetch(t, a.OpsURL+tt.path)
		if code != 200 {
			t.Errorf("%s = %d", tt.path, code)
		}
		for _, want := range tt.want {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %q", tt.path, want)
			}
		}
	}
	for _, path := range []string{"/metrics", "/debug/pprof/", "/readyz"} { // O1: on the operator's listener only
		if code, _ := fetch(t, a.ShopURL+path); code != 404 {
			t.Errorf("the shop answers %s with %d", path, code)
		}
	}
	r, _ := http.NewRequestWithContext(t.Context(), "GET", a.OpsURL+"/metrics", nil)
	r.Host = "evil.example:8083" // DNS rebinding
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("a foreign Host got %d", res.StatusCode)
	}
}

var printedPassword = regexp.MustCompile(`(?m)password  (\S+)$`)

// The first owner's password is printed once, not logged, and has to be changed.
func TestFirstOwner(t *testing.T) {
	c := freeConfig(t)
	var out bytes.Buffer
	log := &lockedBuffer{}
	p := parts{Log: newLogger(log, LogConfig{Format: "json", Level: "debug"})}
	a, stop := begin(t, c, p, &out)
	m := printedPassword.FindStringSubmatch(out.String())
	if m == nil {
		t.Fatalf("no password in\n%s", out.String())
	}
	staff, err := a.Shop.Store.Staff(t.Context(), "owner")
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := handlers.VerifyPassword(staff.Password, m[1]); !ok || !staff.MustChange || staff.Role != "owner" {
		t.Errorf("the printed password fits: %v (%v), role %s, must change: %v", ok, err, staff.Role, staff.MustChange)
	}
	if strings.Contains(log.String(), m[1]) { // P20
		t.Error("the password is in the log")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	begin(t, c, p, &out)
	if strings.Contains(out.String(), "password") {
		t.Errorf("the second start printed a password:\n%s", out.String())
	}
}

// Without the simulator nobody gets in by starting the program.
func TestNoOwnerWithoutSimulator(t *testing.T) {
	c := freeConfig(t)
	useAccount(&c)
	var out bytes.Buffer
	a, _ := begin(t, c, parts{}, &out)
	if n, err := a.Shop.Store.StaffCount(t.Context()); n != 0 || err != nil {
		t.Errorf("%d people, %v", n, err)
	}
	if !strings.Contains(out.String(), "wxshop user add") || a.GatewayURL != "" {
		t.Errorf("printed\n%s", out.String())
	}
	if goods, err := a.Shop.Store.Products(t.Context(), models.Find{}); len(goods) != 0 || err != nil {
		t.Errorf("%d sample goods in a real shop, %v", len(goods), err)
	}
}

// useAccount fills in an account, at a gateway of this machine where nobody is.
func useAccount(c *Config) {
	c.Simulator.Enabled = false
	c.WeChat.AppID, c.WeChat.AppSecret = "wx0123456789abcdef", strings.Repeat("0", 32)
	c.Pay.MchID, c.Pay.APIKey = "1234567890", strings.Repeat("A", 32)
	c.Pay.Hosts, c.WeChat.APIBase = []string{"http://127.0.0.1:9"}, "http://127.0.0.1:9"
}

// S17: a real account beside a simulator is a mistake.
func TestSimulatorRefusesAccounts(t *testing.T) {
	tests := []struct {
		key string
		set func(*Config)
	}{
		{"wechat.app_id", func(c *Config) { c.WeChat.AppID = "wx0123456789abcdef" }},
		{"wechat.app_secret", func(c *Config) { c.WeChat.AppSecret = "secret-0123456789" }},
		{"pay.mch_id", func(c *Config) { c.Pay.MchID = "1234567890" }},
		{"pay.api_key", func(c *Config) { c.Pay.APIKey = "secret-0123456789" }},
		{"pay.api_v3_key", func(c *Config) { c.Pay.APIv3Key = "secret-0123456789" }},
		{"wechat.mini.app_secret", func(c *Config) { c.WeChat.Mini.AppSecret = "secret-0123456789" }},
	}
	for _, tt := range tests {
		t.Run(tt.key, func(t *testing.T) {
			c := freeConfig(t)
			tt.set(&c)
			_, err := start(t.Context(), c, parts{Log: silent}, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tt.key) || !strings.Contains(err.Error(), "simulator.enabled: false") {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "secret-") {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

// The simulator's own ids may stand in the configuration.
func TestSimulatorAcceptsItself(t *testing.T) {
	c := freeConfig(t)
	a, stop := begin(t, c, parts{}, io.Discard)
	c.WeChat, c.Pay = a.Shop.Config.WeChat, a.Shop.Config.Pay
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	begin(t, c, parts{}, io.Discard)
}

// lockedBuffer takes what several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestLogger(t *testing.T) {
	var b bytes.Buffer
	log := newLogger(&b, LogConfig{Format: "auto", Level: "warn"})
	log.Info("not wanted")
	log.Warn("asked", "took", 1234567*time.Nanosecond, "err", errors.New("x"))
	var line map[string]any
	if err := json.Unmarshal(b.Bytes(), &line); err != nil { // not a terminal: JSON
		t.Fatalf("%v in %s", err, b.String())
	}
	if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`).MatchString(line["time"].(string)) {
		t.Errorf("time is %v, want UTC with milliseconds", line["time"])
	}
	if line["took"] != "1.235ms" || line["msg"] != "asked" {
		t.Errorf("%v", line)
	}
	b.Reset()
	newLogger(&b, LogConfig{Format: "text", Level: "info"}).Info("hello")
	if !strings.Contains(b.String(), "level=INFO msg=hello") {
		t.Errorf("text: %s", b.String())
	}
}
