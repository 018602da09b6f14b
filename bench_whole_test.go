//go:build bench && linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wxshop/models"
	"wxshop/models/modelstest"
	"wxshop/wxpay/sim"
)

const wholeRun = 1200 // orders of one run

// wechatRole is the simulator, with a payer who pays every order as soon as it
// is placed. /bench/acknowledged says how many payments the shop has taken in.
func wechatRole(t *testing.T) http.Handler {
	var taken atomic.Int64
	s, err := sim.New(sim.Options{Seed: 1, Transport: counting{&taken}})
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("BENCH_API") == "v3" {
		if _, err := s.IdentityWithKeys(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done; s.Close() })
	gateway := s.Gateway()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bench/acknowledged" {
			fmt.Fprint(w, taken.Load())
			return
		}
		if r.URL.Path != "/pay/unifiedorder" && r.URL.Path != "/v3/pay/transactions/jsapi" {
			gateway.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		gateway.ServeHTTP(w, r)
		no := outTradeNoIn(body)
		pay, _ := http.NewRequest(http.MethodPost, "http://localhost/_sim/api/transactions/"+no+"/pay", strings.NewReader("{}"))
		pay.Header.Set("Content-Type", "application/json")
		go gateway.ServeHTTP(nowhere{http.Header{}}, pay)
	})
}

// outTradeNoIn finds the number in a request of either API.
func outTradeNoIn(body []byte) string {
	for _, c := range [][2]string{{"<out_trade_no>", "</out_trade_no>"}, {`"out_trade_no":"`, `"`}} {
		if _, rest, ok := strings.Cut(string(body), c[0]); ok {
			no, _, _ := strings.Cut(rest, c[1])
			return strings.TrimSuffix(strings.TrimPrefix(no, "<![CDATA["), "]]>")
		}
	}
	return ""
}

// counting carries notifications and counts those that were acknowledged.
type counting struct{ taken *atomic.Int64 }

var notifyTransport = &http.Transport{MaxIdleConnsPerHost: 64}

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := notifyTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	if err == nil && (res.StatusCode == http.StatusNoContent || res.StatusCode == http.StatusOK && !bytes.Contains(body, []byte("FAIL"))) {
		c.taken.Add(1)
	}
	return res, nil
}

type nowhere struct{ h http.Header }

func (n nowhere) Header() http.Header         { return n.h }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

// wholeRows: form → committed → prepay answered by the simulator in another
// process → notification → paid, committed. 64 shoppers.
func (b *bench) wholeRows() {
	const what = "whole orders, form to paid, simulator in another process: "
	dir := b.shop.copied()
	b.wholeRow(what+"v2, SQLite", "v2", b.shop, dir, "FloorGroupCommit")
	b.wholeRow(what+"v3, SQLite", "v3", b.shop, b.shop.copied(), "FloorGroupCommit")
	for driver, name := range map[string]string{"postgres": "PostgreSQL", "mysql": "MariaDB"} {
		where := "WXSHOP_TEST_" + strings.ToUpper(driver)
		if os.Getenv(where) == "" {
			b.progress("SKIP %s: no server; make bench starts one where it is installed", name)
			continue
		}
		shop := b.shop.on(driver)
		b.wholeRow(what+"v2, "+name, "v2", shop, shop.dir, "FloorServer", "WXSHOP_TEST_DRIVER="+driver, where+"="+os.Getenv(where))
	}
}

// on is a shop with the same goods and no orders on a database server.
func (b *benchShop) on(driver string) *benchShop {
	b.t.Helper()
	b.t.Setenv("WXSHOP_TEST_DRIVER", driver)
	s := &benchShop{t: b.t, m: b.m, exe: b.exe, dir: b.t.TempDir(), keys: b.keys, secret: b.secret, now: b.now}
	s.copyKeys(s.dir)
	s.database.Driver, s.database.DSN = modelstest.Database(b.t, func(driver, dsn string) error {
		x, err := models.Open(b.t.Context(), models.Config{Driver: driver, DSN: dsn}, models.Options{})
		if err != nil {
			return err
		}
		return x.Close()
	})
	x := s.open(s.dir)
	defer x.Close()
	s.fill(x)
	return s
}

func (b *bench) wholeRow(what, api string, shop *benchShop, dir, floor string, env ...string) {
	b.progress("%s", what)
	wechat := b.m.role(b.t, "wechat", "1", "BENCH_API="+api)
	defer wechat.stop()
	id := b.identity(wechat)
	shoppers := b.shoppersOf(shop, dir, id.AppID, b.people(wechat, payWarmUp+(roundsWanted+3)*wholeRun))
	r := shop.serveWith(dir, b.merchant(dir, id, api, "http://"+wechat.addr)...)
	defer r.stop()
	next, sent := int64(0), int64(0)
	once := func(n int64) sample {
		from, cpu := next, cpuOf(r.pid())
		next, sent = next+n, sent+n
		start := time.Now()
		s := r.run(payLines, n, 4*payTime, func(l *benchLine, i int64) error {
			placed, err := l.want(http.StatusSeeOther, r.post("/checkout", shoppers[from+i].cookie, "", shoppers[from+i].form))
			if err == nil && !strings.HasPrefix(placed.location, "/pay/") {
				err = fmt.Errorf("the checkout led to %s", placed.location)
			}
			return err
		}, wechat.pid())
		b.allTaken(wechat, sent)
		s.rate = float64(n) / time.Since(start).Seconds()
		s.cpu = float64((cpuOf(r.pid()) - cpu).Microseconds()) / float64(n)
		return s
	}
	once(payWarmUp)
	bare := func() sample { return b.benchmark(b.programs.models, floor, orderTimes, env...) }
	rounds, disturbed := inTurn(bare, func() sample { return once(wholeRun) })
	ps := pairs(rounds, 0, 1)
	ratio := of(ps, func(p pair) float64 { return p.ours.rate / p.floor.rate })
	b.table.add(row{
		what: what + ", against bare orders in that store", floor: rate(ps, func(p pair) sample { return p.floor }),
		ours:  fmt.Sprintf("%s, %.0f µs", rate(ps, func(p pair) sample { return p.ours }), of(ps, func(p pair) float64 { return p.ours.cpu })),
		ratio: percent(ratio), goal: "–", ok: true, note: note(disturbed),
	})
}

// allTaken waits until the shop has acknowledged n payments.
func (b *bench) allTaken(wechat *benchServer, n int64) {
	b.t.Helper()
	for range 20_000 {
		res, err := http.Get("http://" + wechat.addr + "/bench/acknowledged")
		if err != nil {
			b.t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if got, _ := strconv.ParseInt(string(text), 10, 64); got >= n {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	b.t.Fatalf("the shop did not take in %d payments\n%s", n, wechat.said())
}

func (b *bench) identity(wechat *benchServer) sim.Identity {
	b.t.Helper()
	res, err := http.Get("http://" + wechat.addr + "/_sim/api/identity")
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	var id sim.Identity
	if err := json.NewDecoder(res.Body).Decode(&id); err != nil {
		b.t.Fatal(err)
	}
	return id
}

// merchant is the configuration of a shop at the simulator, as a client of
// somebody else's would have it.
func (b *bench) merchant(dir string, id sim.Identity, api, gateway string) []string {
	b.t.Helper()
	env := []string{
		"WXSHOP_WECHAT_APP_ID=" + id.AppID, "WXSHOP_WECHAT_APP_SECRET=" + id.AppSecret, "WXSHOP_PAY_API=" + api,
		"WXSHOP_PAY_MCH_ID=" + id.MchID, "WXSHOP_PAY_API_KEY=" + id.APIKey, "WXSHOP_PAY_HOSTS=" + gateway,
	}
	if api == "v2" {
		return env
	}
	for name, text := range map[string]string{"apiclient_key.pem": id.MerchantPrivateKey, "pub_key.pem": id.PlatformPublicKey} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	return append(env, "WXSHOP_PAY_API_V3_KEY="+id.APIv3Key, "WXSHOP_PAY_SERIAL_NO="+id.MerchantSerialNo, "WXSHOP_PAY_PRIVATE_KEY_FILE="+dir+"/apiclient_key.pem",
		"WXSHOP_PAY_PLATFORM_PUBLIC_KEY_ID="+id.PlatformPublicKeyID, "WXSHOP_PAY_PLATFORM_PUBLIC_KEY_FILE="+dir+"/pub_key.pem")
}

// people makes users at the simulator and gives their openids.
func (b *bench) people(wechat *benchServer, n int) []string {
	b.t.Helper()
	openIDs := make([]string, n)
	b.shop.atOnce(n, func(i int) error {
		res, err := http.Post("http://"+wechat.addr+"/_sim/api/users", "application/json", strings.NewReader(`{"nickname":"客","balance":100000000}`))
		if err != nil {
			return err
		}
		defer res.Body.Close()
		var u struct {
			OpenID string `json:"openid"`
		}
		if err := json.NewDecoder(res.Body).Decode(&u); err != nil || u.OpenID == "" {
			return fmt.Errorf("make a user: %d, %v", res.StatusCode, err)
		}
		openIDs[i] = u.OpenID
		return nil
	})
	return openIDs
}
