package handlers

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// trip begins a sign-in and comes back with the callback's address, not yet
// asked for.
func (c *client) trip(back string) string {
	c.t.Helper()
	res := c.do("GET", tripPath(back), nil)
	if res.StatusCode != http.StatusFound {
		c.t.Fatalf("start of the trip = %d", res.StatusCode)
	}
	return c.authorize(res.Header.Get("Location"))
}

// S1, S2, X27: a callback whose state is not good exchanges no code.
func TestOAuthState(t *testing.T) {
	start := time.Now()
	tests := []struct {
		name string
		// spoil turns a good callback into a bad one.
		spoil func(w *world, c *client, callback string) string
	}{
		{"reused", func(w *world, c *client, cb string) string { c.do("GET", cb, nil); return cb }},
		{"expired", func(w *world, c *client, cb string) string {
			w.clock = func() time.Time { return start.Add(11 * time.Minute) }
			return cb
		}},
		{"foreign", func(w *world, c *client, cb string) string {
			victim := w.inside("2")
			victim.trip("/")
			c.cookies = victim.cookies
			return cb
		}},
		{"no session", func(w *world, c *client, cb string) string { c.cookies = map[string]string{}; return cb }},
		{"missing", func(_ *world, _ *client, cb string) string { return strings.Replace(cb, "state=", "stat=", 1) }},
		{"code only", func(_ *world, _ *client, cb string) string { before, _, _ := strings.Cut(cb, "&state"); return before }},
		{"made up", func(_ *world, _ *client, cb string) string {
			u, _ := url.Parse(cb)
			q := u.Query()
			q.Set("state", strings.Repeat("0", 32))
			return "/auth/wechat/callback?" + q.Encode()
		}},
		{"twice in the address", func(_ *world, _ *client, cb string) string { return cb + "&state=" + strings.Repeat("0", 32) }},
		{"sixth trip drops the first", func(_ *world, c *client, cb string) string {
			for range 5 {
				c.trip("/")
			}
			return cb
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.clock = func() time.Time { return start }
			c := w.inside("1")
			callback := tt.spoil(w, c, c.trip("/orders"))
			before := w.exchanges
			res := c.do("GET", callback, nil)
			if res.StatusCode != 400 || w.exchanges != before {
				t.Errorf("status %d, %d codes tried", res.StatusCode, w.exchanges-before)
			}
			if len(res.Cookies()) != 0 {
				t.Errorf("cookies %v", res.Cookies())
			}
			if strings.Contains(res.body, "code=") {
				t.Errorf("the page repeats the code")
			}
		})
	}
}

// S14: the callback answers with a redirect to a clean address.
func TestOAuthReturn(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1")
	res := c.do("GET", c.trip("/p/longjing?sku=1"), nil)
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/p/longjing?sku=1" || res.body != "" {
		t.Errorf("callback = %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
	if res := c.do("GET", tripPath("/me"), nil); res.Header.Get("Location") != "/me" {
		t.Errorf("a second sign-in leads to %q", res.Header.Get("Location"))
	}
}

// Two callbacks at the same moment are one exchange, and both arrive.
func TestOAuthParallelCallbacks(t *testing.T) {
	w := newWorld(t)
	var started sync.WaitGroup
	started.Add(2)
	w.gateway = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/sns/oauth2/access_token" {
			return false
		}
		started.Wait()
		time.Sleep(200 * time.Millisecond) // so that the second comes while the first is on its way
		return false
	}
	c := w.inside("1")
	callback := c.trip("/me")
	before := w.exchanges
	results := make([]result, 2)
	var wg sync.WaitGroup
	for i := range results {
		twin := *c
		twin.cookies = map[string]string{"shop_sess": c.cookies["shop_sess"]}
		wg.Go(func() {
			started.Done()
			results[i] = twin.do("GET", callback, nil)
		})
	}
	wg.Wait()
	if got := w.exchanges - before; got != 1 {
		t.Errorf("%d exchanges", got)
	}
	for _, r := range results {
		if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/me" {
			t.Errorf("callback = %d to %q", r.StatusCode, r.Header.Get("Location"))
		}
	}
}

// answer makes the exchange answer a fixed text.
func (w *world) answer(body string) {
	w.gateway = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/sns/oauth2/access_token" {
			return false
		}
		rw.Header().Set("Content-Type", "text/plain")
		io.WriteString(rw, body)
		return true
	}
}

// S12: a made-up person of the page preview becomes nobody here.
func TestOAuthSnapshotUser(t *testing.T) {
	w := newWorld(t)
	w.answer(`{"access_token":"t","openid":"oSnapshot0000000000000000000","scope":"snsapi_base","is_snapshotuser":1}`)
	c := w.inside("1")
	c.add("LJ-50g", "1")
	before := w.dump()
	res := c.do("GET", c.trip("/checkout"), nil)
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("callback = %d", res.StatusCode)
	}
	unchanged(t, before, w.dump(), "sessions", "oauth_states")
}

// S14: a code that is no good is fetched again once, then a page says so.
func TestOAuthBadCode(t *testing.T) {
	for _, code := range []string{"40029", "40163"} {
		w := newWorld(t)
		w.answer(`{"errcode":` + code + `,"errmsg":"invalid code"}`)
		c := w.inside("1")
		res := c.do("GET", c.trip("/orders"), nil)
		if res.StatusCode != http.StatusFound || res.Header.Get("Location") != "/auth/wechat?return=%2Forders" {
			t.Fatalf("first bad code %s = %d to %q", code, res.StatusCode, res.Header.Get("Location"))
		}
		res = c.do("GET", c.trip("/orders"), nil)
		if res.StatusCode != http.StatusForbidden || !strings.Contains(res.body, "/auth/wechat?return=%2Forders") {
			t.Errorf("second bad code %s = %d", code, res.StatusCode)
		}
	}
}

func TestOAuthRefused(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1")
	u, _ := url.Parse(c.trip("/me"))
	res := c.do("GET", "/auth/wechat/callback?state="+u.Query().Get("state"), nil)
	if res.StatusCode != http.StatusForbidden || w.exchanges != 0 {
		t.Errorf("without a code = %d, %d exchanges", res.StatusCode, w.exchanges)
	}
}

// A WeChat that does not answer is no refusal and no sign-in.
func TestOAuthUnknown(t *testing.T) {
	for name, body := range map[string]string{"html": "<html>", "empty": "", "busy": `{"errcode":-1,"errmsg":"system error"}`} {
		w := newWorld(t)
		w.answer(body)
		c := w.inside("1")
		if res := c.do("GET", c.trip("/me"), nil); res.StatusCode/100 == 3 || res.StatusCode == 400 {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
		if res := c.do("GET", "/me", nil); res.StatusCode != http.StatusFound {
			t.Errorf("%s: signed in", name)
		}
	}
}

// S9, X25.
var returnPaths = map[string]string{
	"/":                              "/",
	"/orders":                        "/orders",
	"/p/longjing?sku=1&qty=2":        "/p/longjing?sku=1&qty=2",
	"/?q=%E8%8C%B6":                  "/?q=%E8%8C%B6",
	"":                               "/",
	"orders":                         "/",
	"//evil":                         "/",
	`/\evil`:                         "/",
	`\\evil`:                         "/",
	"https:evil":                     "/",
	"https://evil/":                  "/",
	"/%0d%0aSet-Cookie:a=b":          "/",
	"/\r\nSet-Cookie:a=b":            "/",
	"javascript:alert(1)":            "/",
	"/\t/evil":                       "/",
	"/%09/evil":                      "/",
	"/..//evil":                      "/",
	"/%2fevil":                       "/",
	"/%2Fevil":                       "/",
	"/%5cevil":                       "/",
	"/x#y":                           "/",
	"/auth/wechat":                   "/",
	"/%zz":                           "/",
	"/\x00":                          "/",
	"/\u202e":                        "/",
	"/" + strings.Repeat("a", 512):   "/",
	"/" + strings.Repeat("a", 10240): "/",
	"@evil":                          "/",
	"/@evil":                         "/@evil",
}

func TestSafeReturn(t *testing.T) {
	for in, want := range returnPaths {
		if got := safeReturn(in); got != want {
			t.Errorf("safeReturn(%q) = %q, want %q", in, got, want)
		}
	}
}

// The same through the whole trip: one Location, no new header.
func TestReturnPathAfterOAuth(t *testing.T) {
	w := newWorld(t)
	for in, want := range returnPaths {
		c := w.inside("1")
		res := c.do("GET", c.trip(in), nil)
		if got := res.Header.Values("Location"); res.StatusCode != 303 || len(got) != 1 || got[0] != want {
			t.Errorf("return %q leads to %d %q", in, res.StatusCode, got)
		}
		for _, k := range res.Cookies() {
			if k.Name != "shop_sess" {
				t.Errorf("return %q sets %v", in, k)
			}
		}
	}
}

func FuzzSafeReturn(f *testing.F) {
	for in := range returnPaths {
		f.Add(in)
	}
	base, _ := url.Parse("https://shop.example/auth/wechat/callback")
	f.Fuzz(func(t *testing.T, in string) {
		got := safeReturn(in)
		if !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") || len(got) > 512 || strings.ContainsAny(got, "\r\n\t\\\x00") {
			t.Errorf("safeReturn(%q) = %q", in, got)
		}
		u, err := base.Parse(got)
		if err != nil || u.Host != "shop.example" || u.Scheme != "https" {
			t.Errorf("safeReturn(%q) = %q leads to %v, %v", in, got, u, err)
		}
	})
}
