package handlers

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// S8, X23: only our own host, also for requests that spell it oddly.
func TestHost(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Site.Aliases = []string{"www.shop.example:8080"} })
	srv := httptest.NewServer(w.shop)
	defer srv.Close()
	tests := []struct {
		name, request string
		status        int
	}{
		{"ours", "GET / HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", 200},
		{"ours in capitals", "GET / HTTP/1.1\r\nHost: LOCALHOST:8080\r\n\r\n", 200},
		{"alias", "GET / HTTP/1.1\r\nHost: www.shop.example:8080\r\n\r\n", 200},
		{"ours, absolute form", "GET http://localhost:8080/ HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", 200},
		{"evil", "GET / HTTP/1.1\r\nHost: evil\r\n\r\n", 421},
		{"ours without port", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 421},
		{"other port", "GET / HTTP/1.1\r\nHost: localhost:80\r\n\r\n", 421},
		{"two hosts", "GET / HTTP/1.1\r\nHost: localhost:8080\r\nHost: evil\r\n\r\n", 400},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"1.0 without host", "GET / HTTP/1.0\r\n\r\n", 421},
		{"evil absolute form", "GET http://evil/ HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", 421},
		{"forwarded host", "GET /auth/wechat?return=/ HTTP/1.1\r\nHost: localhost:8080\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\nForwarded: host=evil\r\n\r\n", 302},
		{"notify of evil", "POST /notify/v2/pay HTTP/1.1\r\nHost: evil\r\nContent-Length: 0\r\n\r\n", 421},
		{"static of evil", "GET /static/app.css HTTP/1.1\r\nHost: evil\r\n\r\n", 421},
		{"unknown path of evil", "GET /nothing HTTP/1.1\r\nHost: evil\r\n\r\n", 421},
		{"connect", "CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n", 421},
		{"connect to us", "CONNECT localhost:8080 HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", 404},
		{"trace", "TRACE /cart HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", 405},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, body := raw(t, srv.Listener.Addr().String(), tt.request)
			if res.StatusCode != tt.status {
				t.Errorf("status %d, want %d", res.StatusCode, tt.status)
			}
			if strings.Contains(body, "evil") || strings.Contains(fmt.Sprint(res.Header), "evil") {
				t.Errorf("the answer repeats the other host: %v %s", res.Header, body)
			}
		})
	}
}

// raw sends bytes and reads one answer.
func raw(t *testing.T, addr, request string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body bytes.Buffer
	io.CopyN(&body, res.Body, 1<<20)
	return res, body.String()
}

// X15: methods.
func TestMethods(t *testing.T) {
	c := newWorld(t).outside()
	tests := []struct {
		method, path, allow string
	}{
		{"TRACE", "/cart", "GET, HEAD"},
		{"PUT", "/", "GET, HEAD"},
		{"FOO", "/checkout", "GET, HEAD, POST"},
		{"GET", "/cart/add", "POST"},
		{"GET", "/signout", "POST"},
		{"GET", "/notify/v2/pay", "POST"},
		{"POST", "/orders", "GET, HEAD"},
		{"DELETE", "/orders/261119K7M3QX9T4HRV7056", "GET, HEAD"},
	}
	for _, tt := range tests {
		res := c.do(tt.method, tt.path, nil)
		if got := sorted(res.Header.Get("Allow")); res.StatusCode != 405 || got != tt.allow {
			t.Errorf("%s %s = %d, Allow %q, want 405 %q", tt.method, tt.path, res.StatusCode, got, tt.allow)
		}
	}
	c.header.Set("X-HTTP-Method-Override", "DELETE")
	if res := c.do("GET", "/cart", nil); res.StatusCode != 200 {
		t.Errorf("override: %d", res.StatusCode)
	}
	if res := c.do("HEAD", "/", nil); res.StatusCode != 200 || res.body != "" || res.Header.Get("Content-Length") == "0" {
		t.Errorf("HEAD / = %d with %d bytes, length %s", res.StatusCode, len(res.body), res.Header.Get("Content-Length"))
	}
}

func sorted(list string) string {
	parts := strings.Split(list, ", ")
	for i := range parts {
		for j := i + 1; j < len(parts); j++ {
			if parts[j] < parts[i] {
				parts[i], parts[j] = parts[j], parts[i]
			}
		}
	}
	return strings.Join(parts, ", ")
}

// X26: another site's page cannot make a browser act here.
func TestCrossSite(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	no := c.buy("LJ-50g")
	before := w.dump()
	headers := []map[string]string{
		{"Sec-Fetch-Site": "cross-site"},
		{"Sec-Fetch-Site": "same-site"},
		{"Origin": "https://evil"},
		{"Origin": "null"},
		{"Origin": "http://localhost:8081"},
	}
	for _, path := range []string{"/checkout", "/orders/" + no + "/cancel", "/pay/" + no, "/signout", "/cart/add", "/c/ABCDEFGHIJKLMNOPQRST", "/lang"} {
		for _, h := range headers {
			c.header = http.Header{}
			for k, v := range h {
				c.header.Set(k, v)
			}
			if res := c.do("POST", path, url.Values{}); res.StatusCode != 403 || len(res.Cookies()) > 0 {
				t.Errorf("POST %s with %v = %d", path, h, res.StatusCode)
			}
		}
	}
	unchanged(t, before, w.dump())
	for _, h := range []map[string]string{{"Sec-Fetch-Site": "same-origin", "Origin": shopURL}, {"Origin": shopURL}, {}} {
		c.header = http.Header{}
		for k, v := range h {
			c.header.Set(k, v)
		}
		if res := c.do("POST", "/lang", url.Values{"lang": {"zh"}, "back": {"/"}}); res.StatusCode != 303 {
			t.Errorf("own POST with %v = %d", h, res.StatusCode)
		}
	}
	c.header = http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil"}}
	if res := c.do("POST", "/notify/v2/pay", nil); res.StatusCode != 200 {
		t.Errorf("notification with browser headers = %d: it proves itself by signature", res.StatusCode)
	}
}

// X12, X14, I1, V2: bodies.
func TestBodies(t *testing.T) {
	w := newWorld(t)
	c := w.outside()
	c.add("LJ-50g", "1")
	before := w.dump()
	form := "sku=" + w.sku("LJ-50g") + "&qty=1&to=cart"
	const formType = "application/x-www-form-urlencoded"
	tests := []struct {
		name, path, ctype, encoding, body string
		status                            int
	}{
		{"plain text", "/cart/add", "text/plain", "", form, 415},
		{"json", "/cart/add", "application/json", "", `{"sku":1}`, 415},
		{"multipart without boundary", "/cart/add", "multipart/form-data", "", form, 415},
		{"no type", "/cart/add", "", "", form, 415},
		{"broken type", "/cart/add", "a/b; c", "", form, 415},
		{"gzip", "/cart/add", formType, "gzip", form, 415},
		{"gzip notify", "/notify/v2/pay", "text/xml", "gzip", "x", 415},
		{"too large", "/cart/add", formType, "", "sku=" + strings.Repeat("1", 70_000), 413},
		{"too large notify", "/notify/v2/pay", "text/xml", "", strings.Repeat("1", 70_000), 413},
		{"huge", "/checkout", formType, "", strings.Repeat("a", 10<<20), 413},
		{"many fields", "/cart/add", formType, "", strings.Repeat("a&", 20_000), 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := c.request("POST", tt.path, nil)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(tt.body)), int64(len(tt.body))
			if tt.ctype != "" {
				r.Header.Set("Content-Type", tt.ctype)
			}
			if tt.encoding != "" {
				r.Header.Set("Content-Encoding", tt.encoding)
			}
			if res := c.send(r); res.StatusCode != tt.status {
				t.Errorf("status %d, want %d", res.StatusCode, tt.status)
			}
		})
	}
	t.Run("endless", func(t *testing.T) {
		r := c.request("POST", "/cart/add", url.Values{})
		r.Body, r.ContentLength = io.NopCloser(io.LimitReader(endless{}, 4<<20)), -1 // as good as endless
		if res := c.send(r); res.StatusCode != 413 || res.Header.Get("Connection") != "close" {
			t.Errorf("endless body = %d, connection %q", res.StatusCode, res.Header.Get("Connection"))
		}
	})
	t.Run("cut short", func(t *testing.T) { // V2: a part is never used
		r := c.request("POST", "/cart/add", url.Values{})
		r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(form), broken{})), int64(len(form)+10)
		if res := c.send(r); res.StatusCode != 408 {
			t.Errorf("cut body = %d", res.StatusCode)
		}
	})
	unchanged(t, before, w.dump())
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// X16, X17, X19: forms are taken whole and strictly, or not at all.
func TestStrictForms(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	c.add("LJ-50g", "1")
	good := c.checkoutForm()
	sku := w.sku("LJ-50g")
	before := w.dump()
	add := func(more string) string { return "sku=" + sku + "&to=cart" + more }
	check := func(more string) string { return good.Encode() + more }
	tests := []struct {
		name, target, body string
		status             int
	}{
		{"key twice", "/cart/add", add("&qty=1&qty=2"), 400},
		{"key in address and body", "/cart/add?qty=9", add("&qty=1"), 400},
		{"semicolon", "/cart/add", "sku=" + sku + ";qty=1", 400},
		{"unknown key", "/cart/add", add("&qty=1&x=1"), 400},
		{"unknown key in address", "/cart/add?x=1", add("&qty=1"), 400},
		{"bad escape", "/cart/add", add("&qty=%zz"), 400},
		{"price", "/checkout", check("&price=1"), 400},
		{"total", "/checkout", check("&total=1"), 400},
		{"amount", "/checkout", check("&amount=1"), 400},
		{"user", "/checkout", check("&user_id=1"), 400},
		{"openid", "/checkout", check("&openid=x"), 400}, // S13
		{"status", "/checkout", check("&status=paid"), 400},
		{"discount", "/checkout", check("&discount=9999"), 400},
		{"two totals", "/checkout", check("&expected_total=1"), 400},
		{"qty minus", "/cart/add", add("&qty=-1"), 400},
		{"qty zero", "/cart/add", add("&qty=0"), 400},
		{"qty fraction", "/cart/add", add("&qty=1.5"), 400},
		{"qty exponent", "/cart/add", add("&qty=1e3"), 400},
		{"qty plus", "/cart/add", add("&qty=%2B5"), 400},
		{"qty full width", "/cart/add", add("&qty=０５"), 400},
		{"qty leading zero", "/cart/add", add("&qty=05"), 400},
		{"qty hundred", "/cart/add", add("&qty=100"), 400},
		{"qty 2^31", "/cart/add", add("&qty=2147483648"), 400},
		{"qty 2^63", "/cart/add", add("&qty=9223372036854775808"), 400},
		{"no qty", "/cart/add", add(""), 400},
		{"unknown sku", "/cart/add", "sku=999999&qty=1&to=cart", 404},
		{"sku injection", "/cart/add", "sku=1+or+1%3D1&qty=1&to=cart", 400},
		{"sku overflow", "/cart/add", "sku=99999999999999999999&qty=1&to=cart", 400},
		{"cart op", "/cart/set", "sku=" + sku + "&qty=1&op=drop", 400},
		{"token missing", "/checkout", "expected_total=1", 400},
		{"token strange", "/checkout", "token=%27+or+1&expected_total=1", 400},
		{"care", "/care", "care=2&back=/", 400},
		{"lang", "/lang", "lang=xx&back=/", 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := c.request("POST", tt.target, nil)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(tt.body)), int64(len(tt.body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if res := c.send(r); res.StatusCode != tt.status {
				t.Errorf("status %d, want %d", res.StatusCode, tt.status)
			}
		})
	}
	unchanged(t, before, w.dump(), "sessions")
}

// X20, X21, X36: odd paths and queries are refused or harmless; one log line each.
func TestOddAddresses(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	before := w.dump()
	tests := []struct {
		target string
		status int
	}{
		{"/static/../x", 404}, {"/static/..%2fconfig.yaml", 404}, {"/static/%2e%2e/x", 404}, {"/static/..%5cx", 404},
		{"//etc/passwd", 404}, {"/static/app.css%00.png", 404}, {"/media/../../shop.db", 404}, {"/.git/config", 404}, {"/shop.yaml", 404},
		{"/static/", 404}, {"/static", 404}, {"/cart/", 404}, {"/CART", 404},
		{"/orders/%00", 404}, {"/orders/%ff", 404}, {"/orders/..%2f..%2fadmin", 404},
		{"/orders/" + strings.Repeat("A", 1000), 404}, {"/orders/%E2%80%AE", 404}, {"/orders/😀", 404},
		{"/orders/261119K7M3QX9T4HRV7056/paySuccess", 404}, {"/cron", 404}, {"/api/notify", 404}, {"/task", 404},
		{"/p/%00", 404}, {"/p/%ff", 404}, {"/p/none", 404}, {"/p/" + strings.Repeat("a", 1000), 404},
		{"/?q=%00", 400}, {"/?q=%ff", 400}, {"/?q=%zz", 400}, {"/?q=a;b=c", 400}, {"/?q=%E2%80%AE", 400}, {"/?q=" + strings.Repeat("a", 65), 400},
		{"/?q=1&q=2", 400}, {"/?q=%27+OR+1%3D1--", 200}, {"/?q=%25", 200}, {"/?q=_", 200}, {"/?q=%5C", 200}, {"/?q=😀", 200}, {"/?q=%3Cscript%3E", 200},
		{"/?c=none", 404}, {"/?c=%27", 404}, {"/?from=singlemessage&isappinstalled=0&from=timeline", 200},
		{"/orders?s=none", 404}, {"/orders?before=-1", 400}, {"/orders?before=1%20or%201", 400},
		{"/c/%00", 404}, {"/c/short", 404}, {"/c/ABCDEFGHIJKLMNOPQRSTUVWXYZ", 404},
		{"/p/longjing?sku=%27&qty=-5&op=plus", 200}, {"/p/longjing?qty=99&op=plus", 200},
	}
	for _, tt := range tests {
		lines := strings.Count(w.log.String(), "request answered")
		r, err := http.NewRequest("GET", shopURL+strings.ReplaceAll(tt.target, "😀", "%F0%9F%98%80"), nil)
		if err != nil {
			if _, ok := err.(*url.Error); ok && strings.Contains(tt.target, "%zz") && !strings.Contains(tt.target, "?") {
				continue
			}
			t.Fatal(err)
		}
		full := c.request("GET", "/", nil)
		full.URL, full.RequestURI = r.URL, r.URL.RequestURI()
		res := c.send(full)
		if res.StatusCode != tt.status {
			t.Errorf("GET %s = %d, want %d", tt.target, res.StatusCode, tt.status)
		}
		if strings.Contains(res.body, "<script>") || strings.Contains(res.body, "\u202e") {
			t.Errorf("GET %s: text not escaped", tt.target)
		}
		if n := strings.Count(w.log.String(), "request answered") - lines; n != 1 {
			t.Errorf("GET %s wrote %d log lines", tt.target, n)
		}
	}
	unchanged(t, before, w.dump(), "sessions")
}

// A search for what means something to SQL finds it as text only.
func TestSearchIsText(t *testing.T) {
	c := newWorld(t).outside()
	for q, want := range map[string]int{"龙井": 1, "longjing": 1, "%": 0, "_": 0, "' OR 1=1--": 0, `\`: 0} {
		res := c.do("GET", "/?q="+url.QueryEscape(q), nil)
		hits, _, _ := strings.Cut(between(res.body, `<ul class="goods">`, "</ul>"), "</ul>")
		if got := strings.Count(hits, "<li>"); want > 0 && got != want {
			t.Errorf("search %q: %d hits, want %d", q, got, want)
		}
	}
}

// X24: no forwarded address is believed.
func TestClientIP(t *testing.T) {
	for _, tt := range []struct {
		name    string
		proxies []string
		want    string
	}{
		{"no proxy", nil, "192.0.2.1"},
		{"trusted proxy", []string{"192.0.2.0/24"}, "198.51.100.7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.Site.TrustedProxies = tt.proxies })
			c := w.inside("1").signIn()
			c.header.Set("X-Forwarded-For", "198.51.100.7")
			c.header.Set("X-Real-IP", "203.0.113.9")
			c.header.Set("Forwarded", "for=203.0.113.9")
			no := c.buy("LJ-50g")
			if got := w.attempt(no).ClientIP; got != tt.want {
				t.Errorf("payment made from %s, want %s", got, tt.want)
			}
		})
	}
}

// V13: a panic is a 500 with a reference and nothing of the inside.
func TestPanic(t *testing.T) {
	w := newWorld(t)
	w.srv.engine.GET("/boom", w.srv.page(func(*ginContext) error { panic("canary-secret of the inside") }))
	res := w.outside().do("GET", "/boom", nil)
	if res.StatusCode != 500 || strings.Contains(res.body, "canary") || strings.Contains(res.body, "goroutine") {
		t.Errorf("panic = %d\n%s", res.StatusCode, res.body)
	}
	ref := between(res.body, `class="mono">`, "<")
	if len(ref) != 9 || !strings.Contains(w.log.String(), "req="+ref) {
		t.Errorf("reference %q is not in the log\n%s", ref, w.log)
	}
	if res := w.outside().do("GET", "/", nil); res.StatusCode != 200 {
		t.Errorf("after the panic: %d", res.StatusCode)
	}
}

func TestNewRefuses(t *testing.T) {
	good := newWorld(t).srv.Deps
	good.Metrics = nil
	tests := []struct {
		name   string
		change func(*Deps)
	}{
		{"no store", func(d *Deps) { d.Store = nil }},
		{"no address", func(d *Deps) { d.Config.Site.BaseURL = "" }},
		{"address with a path", func(d *Deps) { d.Config.Site.BaseURL = "https://shop.example/tea" }},
		{"plain http in public", func(d *Deps) { d.Config.Site.BaseURL = "http://shop.example" }}, // S6
		{"no keys", func(d *Deps) { d.Config.Session.Keys = nil }},
		{"short key", func(d *Deps) { d.Config.Session.Keys = [][]byte{[]byte("short"), nil} }},
		{"dev in public", func(d *Deps) { d.Config.Site.BaseURL, d.Config.Dev = "https://shop.example", true }}, // S17
		{"bad proxy", func(d *Deps) { d.Config.Site.TrustedProxies = []string{"nowhere"} }},
	}
	for _, tt := range tests {
		d := good
		tt.change(&d)
		if _, err := New(d); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
	}
	if _, err := New(good); err != nil {
		t.Errorf("good dependencies: %v", err)
	}
}
