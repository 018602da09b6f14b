package handlers

import (
	"net/http"
	"strings"
	"testing"

	"wxshop/static"
	"wxshop/views"
)

const wantPolicy = "default-src 'none'; script-src 'self'; style-src 'self' %s; img-src 'self'; connect-src 'self'; " +
	"font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"

func secure(c *Config) { c.Site.BaseURL = "https://shop.example" }

// H1–H11 on every kind of answer, with https.
func TestHeaders(t *testing.T) {
	w := newWorld(t, secure)
	c := w.inside("1").signIn()
	no := c.buy("LJ-50g")
	page := strings.Replace(wantPolicy, "%s", views.StyleHash(), 1)
	cashier := page + "; frame-src weixin: weixinping:"
	const data, media = "default-src 'none'; frame-ancestors 'none'", "default-src 'none'; frame-ancestors 'none'; sandbox"
	tests := []struct {
		name, method, path  string
		status              int
		policy, cache, coep string
		html                bool
	}{
		{name: "home", path: "/", status: 200, policy: page, cache: "private, no-cache", coep: "require-corp", html: true},
		{name: "product", path: "/p/longjing", status: 200, policy: page, cache: "private, no-cache", coep: "require-corp", html: true},
		{name: "search", path: "/?q=longjing", status: 200, policy: page, cache: "no-store", coep: "require-corp", html: true},
		{name: "cart", path: "/cart", status: 200, policy: page, cache: "no-store", coep: "require-corp", html: true},
		{name: "pay", path: "/pay/" + no, status: 200, policy: cashier, cache: "no-store", html: true},
		{name: "open", path: "/pay/" + no + "?open=1", status: 200, policy: cashier, cache: "no-store", html: true},
		{name: "order", path: "/orders/" + no, status: 200, policy: cashier, cache: "no-store", html: true},
		{name: "orders", path: "/orders", status: 200, policy: page, cache: "no-store", coep: "require-corp", html: true},
		{name: "status", path: "/orders/" + no + "/status", status: 200, policy: data, cache: "no-store"},
		{name: "code", path: "/pay/" + no + "/qr.svg", status: 200, policy: media, cache: "no-store"},
		{name: "question after paying", path: "/pay/" + no + "/back", status: 200, policy: cashier, cache: "no-store", html: true},
		{name: "goods of the API", path: "/api/mini/goods", status: 200, policy: data, cache: "no-store"},
		{name: "API without a token", path: "/api/mini/orders", status: 401, policy: data, cache: "no-store"},
		{name: "refund notify", method: "POST", path: "/notify/v2/refund", status: 200, policy: data, cache: "no-store"},
		{name: "static", path: static.URL("app.css"), status: 200, policy: media, cache: "public, max-age=31536000, immutable"},
		{name: "old static", path: "/static/app.0000000000.css", status: 404, policy: page, cache: "no-store", coep: "require-corp", html: true},
		{name: "no page", path: "/nothing", status: 404, policy: page, cache: "no-store", coep: "require-corp", html: true},
		{name: "redirect", path: "/auth/wechat?return=/me", status: 302, policy: data, cache: "no-store"},
		{name: "method", method: "DELETE", path: "/cart", status: 405, policy: page, cache: "no-store", coep: "require-corp", html: true},
		{name: "robots", path: "/robots.txt", status: 200, policy: data, cache: "private, no-cache"},
		{name: "notify", method: "POST", path: "/notify/v2/pay", status: 200, policy: data, cache: "no-store"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			method := tt.method
			if method == "" {
				method = "GET"
			}
			res := c.do(method, tt.path, nil)
			if res.StatusCode != tt.status {
				t.Fatalf("%s %s = %d, want %d", method, tt.path, res.StatusCode, tt.status)
			}
			want := map[string]string{
				"Content-Security-Policy":      tt.policy,
				"Cache-Control":                tt.cache,
				"Strict-Transport-Security":    "max-age=63072000; includeSubDomains; preload",
				"X-Content-Type-Options":       "nosniff",
				"Cross-Origin-Resource-Policy": "same-origin",
				"Referrer-Policy":              "strict-origin-when-cross-origin",
				"Cross-Origin-Embedder-Policy": tt.coep,
				"X-Frame-Options":              "",
				"Cross-Origin-Opener-Policy":   "",
				"Permissions-Policy":           "",
				"Server":                       "",
				"X-Powered-By":                 "",
				"X-Xss-Protection":             "",
				"Access-Control-Allow-Origin":  "",
			}
			if tt.html {
				want["X-Frame-Options"], want["Cross-Origin-Opener-Policy"], want["Permissions-Policy"] = "DENY", "same-origin", permissions
				want["Content-Type"] = "text/html; charset=utf-8"
			}
			for key, value := range want {
				if got := strings.Join(res.Header.Values(key), " + "); got != value {
					t.Errorf("%s: %q, want %q", key, got, value)
				}
			}
			if strings.HasPrefix(tt.path, "/static") && len(res.Cookies()) > 0 {
				t.Errorf("cookie on a file that is kept for ever: %v", res.Cookies())
			}
		})
	}
}

// No plain-http shop asks browsers for https.
func TestNoHSTSOnHTTP(t *testing.T) {
	res := newWorld(t).outside().do("GET", "/", nil)
	if got := res.Header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("HSTS on http: %q", got)
	}
}

// The inline style of a page is the one that the policy allows, and nothing
// else in it needs an exception (H13, H16).
func TestPagesKeepToThePolicy(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	no := c.buy("LJ-50g")
	for _, path := range []string{"/", "/p/longjing", "/cart", "/orders", "/orders/" + no, "/pay/" + no, "/me", "/nothing", "/rules"} {
		body := c.do("GET", path, nil).body
		if n := strings.Count(body, "<style"); n != 1 {
			t.Errorf("%s has %d style blocks", path, n)
		}
		if style := between(body, "<style>", "</style>"); style != static.AppCSS {
			t.Errorf("%s: the style block differs from the one in the policy", path)
		}
		for _, bad := range []string{` style="`, `javascript:`, ` onclick=`, ` onload=`, `src="data:`, `http://www`} {
			if strings.Contains(body, bad) {
				t.Errorf("%s contains %q", path, bad)
			}
		}
	}
}

func TestConditionalGet(t *testing.T) {
	w := newWorld(t)
	c := w.outside()
	first := c.do("GET", "/", nil)
	c.header.Set("If-None-Match", first.Header.Get("Etag"))
	again := c.do("GET", "/", nil)
	if again.StatusCode != http.StatusNotModified || again.body != "" || again.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("same page again = %d with %d bytes", again.StatusCode, len(again.body))
	}
	buyer := w.outside()
	buyer.add("JS", "2") // all there is
	buyer.orderNo(buyer.do("POST", "/checkout", buyer.checkoutForm()))
	if res := c.do("GET", "/", nil); res.StatusCode != 200 || strings.Count(res.body, "已售完") != strings.Count(first.body, "已售完")+1 {
		t.Errorf("changed page with the old tag = %d", res.StatusCode)
	}
}

func TestCompression(t *testing.T) {
	w := newWorld(t)
	c := w.outside()
	plain := c.do("GET", "/", nil)
	if plain.Header.Get("Content-Encoding") != "" {
		t.Fatalf("compressed without being asked")
	}
	for _, path := range []string{"/", "/cart", static.URL("app.css")} {
		c.header.Set("Accept-Encoding", "gzip, br")
		res := c.do("GET", path, nil)
		if res.Header.Get("Content-Encoding") != "gzip" || !strings.Contains(res.Header.Get("Vary"), "Accept-Encoding") {
			t.Errorf("%s not compressed: %v", path, res.Header)
		}
		if got := res.ContentLength; got >= 0 && int(got) != len(res.body) {
			t.Errorf("%s: Content-Length %d, body %d", path, got, len(res.body))
		}
	}
	c.header.Set("Accept-Encoding", "gzip;q=0, identity")
	if res := c.do("GET", "/", nil); res.Header.Get("Content-Encoding") != "" || res.body != plain.body {
		t.Errorf("compressed although refused")
	}
	c.header.Set("Accept-Encoding", "gzip")
	if res := c.do("POST", "/notify/v2/pay", nil); res.Header.Get("Content-Encoding") != "" { // P25
		t.Errorf("acknowledgement compressed")
	}
}

// A page from the cache never carries one reader's things to another.
func TestCacheIsPerReader(t *testing.T) {
	w := newWorld(t)
	a := w.outside()
	a.add("LJ-50g", "3")
	a.visit("/p/longjing") // takes the flash
	if res := a.do("GET", "/", nil); !strings.Contains(res.body, `<span class="pip">3</span>`) {
		t.Errorf("no number in the cart of its owner")
	}
	if res := w.outside().do("GET", "/", nil); strings.Contains(res.body, `class="pip"`) {
		t.Errorf("somebody's cart in everybody's page")
	}
	for _, name := range []string{"x", "y"} { // equal carts, equal keys; one has a word waiting
		b := w.outside()
		b.add("LJ-50g", "2")
		if name == "y" {
			b.visit("/cart") // takes it
		}
		res := b.do("GET", "/", nil)
		if got := strings.Contains(res.body, "class=\"flash"); got != (name == "x") {
			t.Errorf("reader %s sees a flash: %v", name, got)
		}
	}
	en := w.outside()
	en.header.Set("Accept-Language", "en-GB,en;q=0.9,zh;q=0.5")
	if res := en.do("GET", "/", nil); !strings.Contains(res.body, `lang="en"`) || !strings.Contains(res.body, "Longjing") {
		t.Errorf("no English page")
	}
	if res := w.outside().do("GET", "/", nil); !strings.Contains(res.body, "明前龙井") {
		t.Errorf("English page for a Chinese reader")
	}
}

func TestTaste(t *testing.T) {
	w := newWorld(t)
	c := w.outside()
	res := c.do("POST", "/lang", map[string][]string{"lang": {"en"}, "back": {"/p/longjing"}})
	if res.StatusCode != 303 || res.Header.Get("Location") != "/p/longjing" {
		t.Fatalf("language switch = %d %q", res.StatusCode, res.Header.Get("Location"))
	}
	if res := c.do("POST", "/lang", map[string][]string{"lang": {"en"}, "back": {"//evil"}}); res.Header.Get("Location") != "/" {
		t.Errorf("language switch leads to %q", res.Header.Get("Location"))
	}
	res = c.do("POST", "/care", map[string][]string{"care": {"1"}, "back": {"//evil"}})
	if res.Header.Get("Location") != "/" {
		t.Errorf("care switch leads to %q", res.Header.Get("Location"))
	}
	if res := c.do("GET", "/", nil); !strings.Contains(res.body, `lang="en" data-mode="care"`) {
		t.Errorf("choice not kept: %.200s", res.body)
	}
}

// P25: nothing that goes to WeChat is compressed, however long.
func TestNotifyClassIsPlain(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("a", 4096)
	w.srv.engine.GET("/long", func(c *ginContext) {
		w.srv.send(c, answer{class: classNotify, status: 200, ctype: typeText, body: []byte(long)})
	})
	c := w.outside()
	c.header.Set("Accept-Encoding", "gzip")
	if res := c.do("GET", "/long", nil); res.body != long || res.Header.Get("Content-Encoding") != "" {
		t.Errorf("compressed: %v", res.Header)
	}
}
