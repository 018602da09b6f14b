package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// newDivided starts shop and WeChat as two processes, with a wire between them
// that the test holds: whatever the shop asks and whatever WeChat tells goes
// through it.
func newDivided(t *testing.T) *town {
	t.Helper()
	return newDividedIn(t, t.TempDir())
}

// newDividedIn is newDivided with the shop's files in a folder of the test's.
func newDividedIn(t *testing.T, dir string, env ...string) *town {
	t.Helper()
	w := &town{t: t}
	shop, ops, gate, face, toGate, toShop := freePort(t), freePort(t), freePort(t), freePort(t), freePort(t), freePort(t)
	w.gateway, w.face, w.ops = "http://127.0.0.1:"+gate, "http://127.0.0.1:"+face, "http://127.0.0.1:"+ops
	// Seen from outside, the shop is the wire's end: notifications come that way.
	w.shopURL = "http://localhost:" + toShop
	w.sim = &process{t: t, dir: t.TempDir(), env: baseEnv(),
		args: []string{"sim", "--listen", "127.0.0.1:" + gate, "--browser", "127.0.0.1:" + face, "--app", w.shopURL}}
	w.sim.start()
	t.Cleanup(func() { w.sim.end(os.Interrupt) })
	w.await(w.sim, w.gateway+"/_sim/healthz")
	w.wire(toGate, w.gateway, &w.routeGateway)
	w.wire(toShop, "http://localhost:"+shop, &w.routeNotify)
	var id map[string]string
	w.api("GET", "identity", nil, &id)
	w.identity = id
	w.shop = &process{t: t, args: []string{"serve"}, dir: dir, env: append(append(baseEnv(),
		"WXSHOP_SITE_BASE_URL="+w.shopURL, "WXSHOP_SITE_LISTEN=127.0.0.1:"+shop, "WXSHOP_OPS_LISTEN=127.0.0.1:"+ops,
		"WXSHOP_SIMULATOR_ENABLED=false", "WXSHOP_WECHAT_APP_ID="+id["app_id"], "WXSHOP_WECHAT_APP_SECRET="+id["app_secret"],
		"WXSHOP_WECHAT_API_BASE=http://127.0.0.1:"+toGate,
		"WXSHOP_PAY_MCH_ID="+id["mch_id"], "WXSHOP_PAY_API_KEY="+id["api_key"], "WXSHOP_PAY_HOSTS=http://127.0.0.1:"+toGate,
		"WXSHOP_PAY_TIMEOUT=2s", "WXSHOP_ORDERS_CHASE_AFTER=2s"), env...)}
	t.Cleanup(func() {
		w.shop.end(os.Interrupt)
		if t.Failed() {
			t.Logf("the shop said:\n%s", w.shop.output())
		}
	})
	w.seedDatabase(env...)
	w.up()
	return w
}

// seedDatabase lets the shop start once with its own simulator, which fills an
// empty catalogue with the sample goods.
func (w *town) seedDatabase(more ...string) {
	w.t.Helper()
	env := w.shop.env
	w.shop.env = append(append(baseEnv(), more...), "WXSHOP_SITE_LISTEN=127.0.0.1:0", "WXSHOP_SITE_BASE_URL=http://localhost:0",
		"WXSHOP_SIMULATOR_LISTEN=127.0.0.1:0", "WXSHOP_SIMULATOR_BROWSER=127.0.0.1:0", "WXSHOP_SIMULATOR_DATA=sim",
		"WXSHOP_OPS_LISTEN="+strings.TrimPrefix(w.ops, "http://"))
	w.up()
	w.shop.end(os.Interrupt)
	w.shop.env = env
}

// wire forwards a port; *route, when set, decides what happens instead.
func (w *town) wire(port, target string, route *http.Handler) {
	w.t.Helper()
	u, _ := url.Parse(target)
	straight := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(u)
		p.Out.Host = p.In.Host
	}, ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, _ error) { rw.WriteHeader(502) }}
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		w.t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.RLock()
		h := *route
		w.mu.RUnlock()
		if h != nil {
			r = r.Clone(r.Context())
			h.ServeHTTP(&lazy{rw, straight, r}, r)
			return
		}
		straight.ServeHTTP(rw, r)
	})}
	go srv.Serve(l)
	w.t.Cleanup(func() { srv.Close() })
}

// lazy lets a route pass the request on when it wants to.
type lazy struct {
	http.ResponseWriter
	straight http.Handler
	r        *http.Request
}

func (l *lazy) pass() { l.straight.ServeHTTP(l.ResponseWriter, l.r) }

// on sets what happens to requests of a path; nil passes everything on.
func (w *town) on(route *http.Handler, path string, do func(l *lazy)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if do == nil {
		*route = nil
		return
	}
	*route = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		l := rw.(*lazy)
		if strings.HasPrefix(r.URL.Path, path) {
			do(l)
			return
		}
		l.pass()
	})
}

// swallow passes a request on and keeps the answer.
func swallow(l *lazy) {
	rec := &sink{h: http.Header{}}
	l.straight.ServeHTTP(rec, l.r)
}

type sink struct{ h http.Header }

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) Write(b []byte) (int, error) { return io.Discard.Write(b) }
func (s *sink) WriteHeader(int)             {}

// SIGKILL at marked steps. After each, the same order goes on, is paid once,
// and both sides agree (security X40, P26; product: kill -9 converges).
func TestKill(t *testing.T) {
	steps := []struct {
		name string
		arm  func(w *town, dead chan<- struct{})
	}{
		{"WeChat has the order, the shop never read the answer", func(w *town, dead chan<- struct{}) {
			w.on(&w.routeGateway, "/pay/unifiedorder", func(l *lazy) { swallow(l); w.die(dead) })
		}},
		{"the order is committed, WeChat was never asked", func(w *town, dead chan<- struct{}) {
			w.on(&w.routeGateway, "/pay/unifiedorder", func(*lazy) { w.die(dead) })
		}},
		{"the notification arrives", func(w *town, dead chan<- struct{}) {
			w.on(&w.routeNotify, "/notify/", func(*lazy) { w.die(dead) })
		}},
		{"between COMMIT and the answer to WeChat", func(w *town, dead chan<- struct{}) {
			w.on(&w.routeNotify, "/notify/", func(l *lazy) { swallow(l); w.die(dead) })
		}},
		{"while WeChat answers a query", func(w *town, dead chan<- struct{}) {
			w.on(&w.routeNotify, "/notify/", func(l *lazy) { l.WriteHeader(500) })
			w.on(&w.routeGateway, "/pay/orderquery", func(l *lazy) { swallow(l); w.die(dead) })
		}},
	}
	w := newDivided(t)
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			v := w.visitor(w.face)
			v.t = t
			dead := make(chan struct{}, 8)
			early := strings.Contains(s.name, "order")
			if early {
				s.arm(w, dead)
			}
			no := v.triesToOrder()
			if early {
				await(v, dead)
				w.revive()
				no = v.findsOrder()
				v.post("/pay/"+no, nil)
			} else {
				s.arm(w, dead)
			}
			w.paysOf(t, no)
			if !early {
				await(v, dead)
				w.revive()
			}
			v.becomes(no, "paid", 40*time.Second) // the first retry comes after 15 s
			time.Sleep(200 * time.Millisecond)
			w.paidOnce(t, no)
		})
	}
}

// await waits until a step was reached.
func await(v *visitor, dead <-chan struct{}) {
	v.t.Helper()
	select {
	case <-dead:
	case <-time.After(20 * time.Second):
		v.t.Fatalf("the step was never reached; the shopper is at %s (%d):\n%.2000s", v.url, v.code, v.page)
	}
}

// die kills the shop once.
func (w *town) die(dead chan<- struct{}) {
	if w.killed.CompareAndSwap(false, true) {
		w.shop.cmd.Process.Signal(os.Kill)
		dead <- struct{}{}
	}
}

// revive waits for the dead and starts the shop again, on a healthy wire.
func (w *town) revive() {
	w.t.Helper()
	<-w.shop.done
	w.shop.cmd = nil
	w.on(&w.routeGateway, "", nil)
	w.on(&w.routeNotify, "", nil)
	w.killed.Store(false)
	w.up()
}

// triesToOrder submits the checkout; the shop may die meanwhile.
func (v *visitor) triesToOrder() string {
	v.t.Helper()
	v.takes("longjing", "100 克")
	f := v.form()
	if f.Get("token") == "" {
		v.t.Fatalf("no checkout at %s (%d):\n%.600s", v.url, v.code, v.page[strings.Index(v.page+"<main", "<main"):])
	}
	form := url.Values{
		"token": f["token"], "expected_total": f["expected_total"], "name": {"林晓溪"}, "phone": {"13800001234"},
		"province": {"浙江省"}, "city": {"杭州市"}, "district": {"西湖区"}, "detail": {"文三路 90 号"}, "note": {""},
	}
	v.post("/checkout", form)
	if m := orderInPath.FindStringSubmatch(v.url.Path); m != nil {
		return m[1]
	}
	return ""
}

// findsOrder reads the newest order from the shopper's list.
func (v *visitor) findsOrder() string {
	v.t.Helper()
	v.get("/orders")
	m := orderInPath.FindStringSubmatch(v.page)
	if m == nil {
		v.t.Fatalf("the order is gone: %s %d\n%.1500s", v.url, v.code, v.page)
	}
	return m[1]
}

// paysOf lets the user pay the newest open transaction at WeChat.
func (w *town) paysOf(t *testing.T, no string) {
	t.Helper()
	var all []struct {
		OutTradeNo string `json:"out_trade_no"`
		State      string `json:"state"`
	}
	for range 100 {
		w.api("GET", "transactions", nil, &all)
		for _, x := range all {
			if x.State == "NOTPAY" {
				if code := w.api("POST", "transactions/"+x.OutTradeNo+"/pay", map[string]any{}, nil); code != 200 {
					t.Fatalf("paying %s = %d", x.OutTradeNo, code)
				}
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("WeChat has nothing to pay for order %s: %+v", no, all)
}

// paidOnce reads the order's timeline with the command for it.
func (w *town) paidOnce(t *testing.T, no string) {
	t.Helper()
	p := &process{t: t, args: []string{"order", no}, dir: w.shop.dir, env: w.shop.env}
	p.start()
	<-p.done
	if n := strings.Count(p.output(), "unpaid → paid"); n != 1 {
		t.Errorf("order %s became paid %d times:\n%s", no, n, p.output())
	}
}
