package sim

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const phoneBrowser = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1"

// h5Order places an order of a phone's browser and returns its mweb_url.
func (w *world) h5Order(no string) *url.URL {
	w.t.Helper()
	got := w.ok("/pay/unifiedorder", w.orderFields(no, "trade_type", "MWEB", "openid", "-", "scene_info", `{"h5_info":{"type":"Wap"}}`), "")
	u, err := url.Parse(got["mweb_url"])
	if err != nil || !strings.HasPrefix(got["mweb_url"], "http://localhost:8081/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx") {
		w.t.Fatalf("mweb_url %q", got["mweb_url"])
	}
	return u
}

// visit opens an mweb_url, or posts its form.
func (w *world) visit(method, target, form string, change func(r *http.Request)) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(method, "http://localhost:8081"+target, strings.NewReader(form))
	r.RemoteAddr = "123.12.12.123:50000" // of orderFields
	r.Header.Set("User-Agent", phoneBrowser)
	r.Header.Set("Referer", "http://localhost:8080/pay/1")
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Del("Referer")
	}
	if change != nil {
		change(r)
	}
	rec := httptest.NewRecorder()
	w.sim.Gateway().ServeHTTP(rec, r)
	return rec
}

// The four checks of the real page, each with WeChat's words.
func TestH5Checks(t *testing.T) {
	for _, tt := range []struct {
		name    string
		enforce bool
		wait    time.Duration
		query   string
		change  func(r *http.Request)
		want    string // empty: the page opens
	}{
		{name: "good"},
		{name: "just in time", wait: 5*time.Minute - time.Second},
		{name: "late", wait: 5 * time.Minute, want: "支付请求已失效，请重新发起支付"},
		{name: "inside WeChat", change: func(r *http.Request) { r.Header.Set("User-Agent", "X MicroMessenger/8.0") }, want: "请在微信外打开订单，进行支付"},
		{name: "no Referer", change: func(r *http.Request) { r.Header.Del("Referer") }, want: "商家参数格式有误，请联系商家解决"},
		{name: "any Referer without enforcement", change: func(r *http.Request) { r.Header.Set("Referer", "https://elsewhere.example/") }},
		{name: "own Referer with enforcement", enforce: true},
		{name: "sub domain with enforcement", enforce: true, change: func(r *http.Request) { r.Header.Set("Referer", "http://m.localhost:8080/") }},
		{name: "another Referer with enforcement", enforce: true, change: func(r *http.Request) { r.Header.Set("Referer", "https://elsewhere.example/") }, want: "商家存在未配置的参数，请联系商家解决"},
		{name: "another redirect_url with enforcement", enforce: true, query: "&redirect_url=https%3A%2F%2Felsewhere.example%2F", want: "商家存在未配置的参数，请联系商家解决"},
		{name: "redirect_url without scheme", query: "&redirect_url=%2Fback", want: "商家存在未配置的参数，请联系商家解决"},
		{name: "another network", change: func(r *http.Request) { r.RemoteAddr = "9.9.9.9:1" }, want: "网络环境未能通过安全验证，请稍后再试"},
		{name: "another package", query: "&package=1", want: ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Options{})
				u := w.h5Order("checks0001")
				if tt.enforce {
					w.api("PUT", "account", `{"enforce":true}`, 200, nil)
				}
				time.Sleep(tt.wait)
				rec := w.visit("GET", u.RequestURI()+tt.query, "", tt.change)
				body := rec.Body.String()
				if rec.Code != 200 || strings.Contains(rec.Header().Get("Content-Security-Policy"), "form-action") {
					t.Errorf("status %d, %v", rec.Code, rec.Header())
				}
				if tt.want == "" {
					if !strings.Contains(body, "打开微信付 ¥8.88") || strings.Contains(body, "不行") {
						t.Errorf("the page does not open: %s", body)
					}
					return
				}
				if !strings.Contains(body, ">"+tt.want+"<") || strings.Contains(body, "<form") || strings.Count(body, "不行") != 1 {
					t.Errorf("want %q: %s", tt.want, body)
				}
				if call := w.sim.calls.latest(1)[0]; call.Verdict != "refused" || call.Error != tt.want {
					t.Errorf("logged %s %q", call.Verdict, call.Error)
				}
			})
		})
	}
}

// Whatever the payer does, the browser is back in the shop.
func TestH5Endings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		for i, tt := range []struct {
			op, state string
			notes     int
		}{
			{"success", "SUCCESS", 1}, {"cancel", "NOTPAY", 0}, {"fail", "NOTPAY", 0}, {"notenough", "NOTPAY", 0},
			{"wrong_password", "NOTPAY", 0}, {"silent", "SUCCESS", 0},
		} {
			no := "ending000" + string(rune('1'+i))
			u := w.h5Order(no)
			target := u.RequestURI()
			want := "http://localhost:8080/pay/1"
			if i%2 == 0 {
				want = "http://localhost:8080/orders/7?from=h5&x=1"
				target += "&redirect_url=" + url.QueryEscape(want)
			}
			before := len(w.shop.notifications())
			if body := w.visit("GET", target, "", nil).Body.String(); !strings.Contains(body, `value="http://localhost:8080/pay/1"`) {
				t.Fatalf("no way back: %s", body)
			}
			rec := w.visit("POST", target, "op="+tt.op+"&u=2&from=http://localhost:8080/pay/1", nil)
			if rec.Code != http.StatusSeeOther || rec.Header().Get("Location") != want {
				t.Errorf("%s: status %d to %q, want %q", tt.op, rec.Code, rec.Header().Get("Location"), want)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := w.state(no); got != tt.state {
				t.Errorf("%s: %s, want %s", tt.op, got, tt.state)
			}
			if n := len(w.shop.notifications()) - before; n != tt.notes {
				t.Errorf("%s: %d notifications, want %d", tt.op, n, tt.notes)
			}
		}
		if got := w.sim.people()[1].Balance; got != newLedger().users[1].Balance-2*888 {
			t.Errorf("wallet of the second person %d", got)
		}
	})
}

func TestH5Refusals(t *testing.T) {
	w := newWorld(t, Options{})
	u := w.h5Order("refuse0001")
	w.order("jsapi00001")
	jsapi := w.sim.transactionViews(1)[0].PrepayID
	for name, target := range map[string]string{
		"unknown prepay_id": h5Path + "?prepay_id=wx0&package=1", "another package": strings.Replace(u.RequestURI(), "package=", "package=1", 1),
		"JSAPI order": h5Path + "?prepay_id=" + jsapi + "&package=",
	} {
		if body := w.visit("GET", target, "", nil).Body.String(); !strings.Contains(body, "支付请求已失效，请重新发起支付") || strings.Contains(body, "<form") {
			t.Errorf("%s: %s", name, body)
		}
	}
	from := "&from=http://localhost:8080/"
	for name, tt := range map[string]struct {
		form   string
		change func(r *http.Request)
		want   int
	}{
		"no ending":         {"op=maybe" + from, nil, 400},
		"nowhere to go":     {"op=cancel", nil, 400},
		"script as address": {"op=cancel&from=javascript:alert(1)", nil, 400},
		"from another site": {"op=success" + from, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
	} {
		if rec := w.visit("POST", u.RequestURI(), tt.form, tt.change); rec.Code != tt.want {
			t.Errorf("%s: status %d, want %d", name, rec.Code, tt.want)
		}
	}
	w.pay("refuse0001")
	if body := w.visit("GET", u.RequestURI(), "", nil).Body.String(); !strings.Contains(body, "该订单已支付") {
		t.Errorf("paid order: %s", body)
	}
	if rec := w.visit("POST", u.RequestURI(), "op=success"+from, nil); rec.Code != 303 {
		t.Errorf("a second payment: status %d", rec.Code)
	}
	if got := w.sim.people()[0].Balance; got != newLedger().users[0].Balance-888 {
		t.Errorf("wallet %d", got)
	}
}

// Who opened the page before time_expire may finish after it.
func TestH5OpenedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		f := w.orderFields("intime0001", "trade_type", "MWEB", "openid", "-", "scene_info", "{}", "time_expire", time.Now().Add(2*time.Minute).In(beijing).Format(v2Time))
		u, err := url.Parse(w.ok("/pay/unifiedorder", f, "")["mweb_url"])
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(110 * time.Second)
		w.visit("GET", u.RequestURI(), "", nil)
		time.Sleep(time.Minute)
		if body := w.visit("GET", u.RequestURI(), "", nil).Body.String(); !strings.Contains(body, "该订单已过期，请重新下单") {
			t.Errorf("too late to open: %s", body)
		}
		w.visit("POST", u.RequestURI(), "op=success&from=http://localhost:8080/", nil)
		if got := w.state("intime0001"); got != "SUCCESS" {
			t.Errorf("state %s", got)
		}
	})
}
