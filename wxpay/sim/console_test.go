package sim

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

var formType = []string{"Content-Type", "application/x-www-form-urlencoded"}

// Every page can be drawn, empty and full.
func TestConsolePages(t *testing.T) {
	w := newWorld(t, Options{AppURL: "http://localhost:8080"})
	pages := []string{"/_sim/", "/_sim/transactions", "/_sim/scan", "/_sim/users", "/_sim/clock", "/_sim/faults", "/_sim/identity", "/_sim/doctor", "/_sim/account", "/_sim/messages"}
	check := func() {
		t.Helper()
		for _, page := range pages {
			rec := w.do("GET", page, "")
			h := rec.Header()
			if rec.Code != 200 || !strings.HasPrefix(h.Get("Content-Type"), "text/html") || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("%s: status %d, %v", page, rec.Code, h)
			}
			if !strings.Contains(rec.Body.String(), "</html>") {
				t.Errorf("%s is cut", page)
			}
		}
	}
	check()
	w.order("console001")
	id := w.pay("console001").Notifications[0]
	w.api("POST", "notifications/"+id+"/resend", "", 200, nil)
	w.call("/pay/unifiedorder", w.orderFields("console002", "sign", "00"), "")
	w.order("console003")
	pages = append(pages, "/_sim/transactions/console001", "/_sim/transactions/console003", "/_sim/?f=console001", "/_sim/?e=1", "/_sim/?e=3",
		"/_sim/?after=2", "/_sim/?before=3", "/_sim/transactions?f=console003", "/_sim/?said=paid")
	check()
	live := w.do("GET", "/_sim/", "").Body.String()
	for _, want := range []string{"签名错误", "林晓溪付了 ¥8.88", "付款通知，第 1 次", "POST /pay/unifiedorder", "收下"} {
		if !strings.Contains(live, want) {
			t.Errorf("the timeline lacks %q", want)
		}
	}
	if one := w.do("GET", "/_sim/?f=console003", "").Body.String(); strings.Contains(one, "林晓溪付了") {
		t.Error("the filter does not filter")
	}
	if rec := w.do("GET", "/_sim/transactions/none", ""); rec.Code != 404 && rec.Code != 200 {
		t.Errorf("unknown transaction: %d", rec.Code)
	}
}

// Every form does what it says and goes back, or shows its page with a reason.
func TestConsoleForms(t *testing.T) {
	w := newWorld(t, Options{})
	w.order("form000001")
	w.order("form000002")
	w.pay("form000002")
	openID := w.openID(1)
	tests := []struct {
		path, form string
		status     int
		location   string
	}{
		{"transactions/form000001/pay", "outcome=cancel&back=/_sim/transactions/form000001", 303, "/_sim/transactions/form000001?said=cancelled"},
		{"transactions/form000001/pay", "outcome=success&openid=" + openID, 303, "/_sim/?said=paid"},
		{"transactions/form000001/pay", "outcome=success", 409, ""},
		{"transactions/none/pay", "outcome=success", 404, ""},
		{"notifications/n1/resend", "back=/_sim/transactions/form000002", 303, "/_sim/transactions/form000002?said=resent"},
		{"notifications/n2/drop", "", 303, "/_sim/?said=dropped"},
		{"notifications/n2/drop", "", 409, ""},
		{"notifications/n9/resend", "", 404, ""},
		{"notifications/forge", "out_trade_no=form000001&kind=xxe", 303, "/_sim/?said=forged"},
		{"notifications/forge", "out_trade_no=form000001&kind=stale", 501, ""},
		{"users", "nickname=" + url.QueryEscape("小茶") + "&yuan=236.00&back=/_sim/users", 303, "/_sim/users?said=user"},
		{"users", "nickname=&yuan=1", 400, ""},
		{"users", "nickname=x&yuan=1.234", 400, ""},
		{"users/" + openID + "/balance", "yuan=1.05", 303, "/_sim/?said=balance"},
		{"users/nobody/balance", "yuan=1", 404, ""},
		{"clock", "advance=15s", 303, "/_sim/?said=clock"},
		{"clock", "advance=", 400, ""},
		{"clock", "rate=2", 303, "/_sim/?said=clock"},
		{"clock", "rate=x", 400, ""},
		{"faults", "preset=gentle", 303, "/_sim/?said=faults"},
		{"faults", "seed=99&rate.notify-drop=50&next.notify-delay=2", 303, "/_sim/?said=faults"},
		{"faults", "rate.notify-drop=500", 400, ""},
		{"reset", "back=//evil.example", 303, "/_sim/?said=reset"},
	}
	for _, tt := range tests {
		rec := w.do("POST", "/_sim/"+tt.path, tt.form, formType...)
		if rec.Code != tt.status || rec.Header().Get("Location") != tt.location {
			t.Errorf("%s %s: status %d to %q, want %d to %q", tt.path, tt.form, rec.Code, rec.Header().Get("Location"), tt.status, tt.location)
		}
		switch tt.path {
		case "faults":
			if f := w.sim.faults.view(); tt.form[0] == 's' && (f.Seed != 99 || f.Rates["notify-drop"] != 0.5 || f.Next["notify-delay"] != 2) {
				t.Errorf("faults %+v", f)
			}
		case "users/" + openID + "/balance":
			if got := w.sim.people()[0].Balance; got != 105 {
				t.Errorf("balance %d, want 105", got)
			}
		}
	}
}

// The whole way of a user in the WeChat browser: the shop sends to authorize,
// the gateway sends back to the face, which forwards to the shop.
func TestFaceAndGateway(t *testing.T) {
	var callback string
	shop := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cb" {
			callback = r.URL.String()
			return
		}
		http.Redirect(rw, r, "https://open.weixin.qq.com"+strings.Replace(authorizeURL("snsapi_base", ""), "auth%2Fwechat%2Fcallback%3Fx%3D1", "cb", 1)+"#wechat_redirect", http.StatusFound)
	})
	w := newWorld(t, Options{AppURL: "http://localhost:8080", Transport: local{shop}})
	face := func(target string) *url.URL {
		t.Helper()
		r, err := http.NewRequest("GET", target, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: "wxsim_me", Value: "2"})
		res, err := local{w.sim.Browser()}.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		to, err := res.Location()
		if err != nil && res.StatusCode != 200 {
			t.Fatalf("%s: %d, %v", target, res.StatusCode, err)
		}
		return to
	}
	authorize := face("http://127.0.0.1:8082/")
	if authorize == nil || authorize.Host != "localhost:8081" {
		t.Fatalf("sent to %v, want the gateway", authorize)
	}
	back := sentBack(t, w, authorize.RequestURI())
	if back.Host != "127.0.0.1:8082" || back.Path != "/cb" {
		t.Fatalf("sent back to %v, want the face", back)
	}
	face(back.String())
	code := back.Query().Get("code")
	if !strings.Contains(callback, code) || w.exchange(code).OpenID != w.openID(2) {
		t.Errorf("the shop was called with %q", callback)
	}
}

func TestNoFaceWithoutShop(t *testing.T) {
	w := newWorld(t, Options{})
	res, err := local{w.sim.Browser()}.RoundTrip(mustRequest(t, "http://127.0.0.1:8082/"))
	if err != nil || res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%v %v", res, err)
	}
}

func mustRequest(t *testing.T, target string) *http.Request {
	t.Helper()
	r, err := http.NewRequest("GET", target, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
