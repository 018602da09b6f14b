package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/securecookie"

	"wxshop/static"
)

// S5, S6: the cookie's attributes, on https and on this machine.
func TestSessionCookie(t *testing.T) {
	for _, tt := range []struct {
		name, cookie string
		change       []func(*Config)
		secure       bool
	}{
		{"https", "__Host-shop_sess", []func(*Config){secure}, true},
		{"localhost", "shop_sess", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.change...)
			c := w.outside()
			res := c.do("POST", "/cart/add", url.Values{"sku": {w.sku("JS")}, "qty": {"1"}, "to": {"cart"}})
			k := res.Cookies()[0]
			if len(res.Cookies()) != 1 || k.Name != tt.cookie || k.Secure != tt.secure || !k.HttpOnly ||
				k.SameSite != http.SameSiteLaxMode || k.Path != "/" || k.Domain != "" || k.MaxAge != 30*24*3600 {
				t.Errorf("cookie %+v", k)
			}
			if strings.Contains(w.dump()["sessions"], k.Value) {
				t.Errorf("the database holds the cookie's value") // S4
			}
		})
	}
}

// S16: who only reads gets no cookie and no row.
func TestReadersLeaveNoTrace(t *testing.T) {
	w := newWorld(t)
	before := w.dump()
	for _, ua := range []string{desktopUA, wechatUA} {
		for _, path := range []string{
			"/", "/?c=green", "/?q=tea", "/p/longjing", "/p/none", "/cart", "/rules", "/privacy", "/licence",
			"/nothing", "/robots.txt", static.URL("shop.js"), "/auth/wechat?return=/me&ask=1",
		} {
			c := w.outside()
			c.ua = ua
			if res := c.do("GET", path, nil); len(res.Cookies()) != 0 {
				t.Errorf("GET %s sets %v", path, res.Cookies())
			}
		}
	}
	c := w.outside()
	for _, path := range []string{"/checkout", "/orders", "/me", "/orders/261119K7M3QX9T4HRV7056", "/pay/261119K7M3QX9T4HRV7056"} {
		if res := c.do("GET", path, nil); len(res.Cookies()) != 0 {
			t.Errorf("GET %s outside WeChat sets %v", path, res.Cookies())
		}
	}
	unchanged(t, before, w.dump())
}

// X28, S15: whatever the cookie is, it is ours or the visitor is anonymous.
func TestForgedCookies(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	c.buy("LJ-50g")
	genuine := c.cookies["shop_sess"]
	other := securecookie.CodecsFromPairs([]byte("another-key-another-key-another-k"), nil)
	other[0].(*securecookie.SecureCookie).SetSerializer(securecookie.NopEncoder{})
	foreign, err := securecookie.EncodeMulti("shop_sess", []byte(newSecret()), other...)
	if err != nil {
		t.Fatal(err)
	}
	planted, err := securecookie.EncodeMulti("shop_sess", []byte(newSecret()), w.srv.shoppers.codecs...)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"flipped":   genuine[:20] + flip(genuine[20]) + genuine[21:],
		"truncated": genuine[:len(genuine)/2],
		"long":      strings.Repeat("A", 8192),
		"other key": foreign,
		"no row":    planted,
		"empty":     "",
		"text":      "admin",
	}
	before := w.dump()
	for name, value := range tests {
		c := w.outside()
		c.cookies["shop_sess"] = value
		res := c.do("GET", "/orders", nil)
		if res.StatusCode != 200 || strings.Contains(res.body, "明前龙井") {
			t.Errorf("%s cookie: %d, somebody's orders", name, res.StatusCode)
		}
		if len(res.Cookies()) != 0 {
			t.Errorf("%s cookie: answered with %v", name, res.Cookies())
		}
	}
	unchanged(t, before, w.dump())

	many := w.outside()
	for i := range 4000 {
		many.cookies["shop_sess"+formatID(int64(i))] = "x"
	}
	if res := many.do("GET", "/cart", nil); res.StatusCode != 200 {
		t.Errorf("4000 cookies: %d", res.StatusCode)
	}
	var id []byte
	if err := securecookie.DecodeMulti("shop_sess", genuine, &id, w.srv.shoppers.codecs...); err != nil {
		t.Fatal(err)
	}
	renamed, err := securecookie.EncodeMulti("admin_sess", id, w.srv.staff.codecs...)
	if err != nil {
		t.Fatal(err)
	}
	r := w.outside().request("GET", "/admin", nil)
	r.AddCookie(&http.Cookie{Name: "admin_sess", Value: renamed})
	if sess, err := w.srv.staff.New(r, "admin_sess"); err != nil || !sess.IsNew {
		t.Errorf("a shopper's session is one of the staff: %v", err)
	}
	crossed := w.outside()
	crossed.cookies["admin_sess"] = genuine
	if res := crossed.do("GET", "/admin", nil); res.StatusCode == 200 && strings.Contains(res.body, "/admin/orders") {
		t.Errorf("a shopper's cookie opens the admin")
	}
}

func flip(b byte) string {
	if b == 'A' {
		return "B"
	}
	return "A"
}

// S4: an id that a browser brings is never taken over, not even a well-signed one.
func TestPlantedIDIsNotAdopted(t *testing.T) {
	w := newWorld(t)
	planted, err := securecookie.EncodeMulti("shop_sess", []byte(newSecret()), w.srv.shoppers.codecs...)
	if err != nil {
		t.Fatal(err)
	}
	c := w.outside()
	c.cookies["shop_sess"] = planted
	c.add("JS", "1")
	if got := c.cookies["shop_sess"]; got == planted {
		t.Errorf("the planted id became a session")
	}
}

// S3: signing in gives a new id; the old one opens nothing, the cart comes along.
func TestSignInRenewsTheID(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1")
	c.add("LJ-50g", "1")
	old := c.cookies["shop_sess"]
	c.signIn()
	if c.cookies["shop_sess"] == old {
		t.Fatalf("same id after signing in")
	}
	if res := c.visit("/cart"); !strings.Contains(res.body, "明前龙井") {
		t.Errorf("the guest's cart did not come along")
	}
	thief := w.outside()
	thief.cookies["shop_sess"] = old
	if res := thief.do("GET", "/cart", nil); strings.Contains(res.body, "明前龙井") {
		t.Errorf("the old id still opens the session")
	}
}

// S10, S11: idle and absolute lifetimes by the server's clock; signing out.
func TestSessionEnds(t *testing.T) {
	w := newWorld(t)
	start := time.Now()
	now := start
	w.clock = func() time.Time { return now }
	c := w.inside("1").signIn()
	alive := func() bool { return c.do("GET", "/me", nil).StatusCode == 200 }
	for now.Before(start.Add(29 * 24 * time.Hour)) { // used every five days
		if !alive() {
			t.Fatalf("session ended after %s in use", now.Sub(start))
		}
		now = now.Add(5 * 24 * time.Hour)
	}
	now = start.Add(30*24*time.Hour + time.Minute)
	if alive() {
		t.Errorf("session lives after 30 days")
	}
	c = w.inside("1").signIn()
	now = now.Add(8 * 24 * time.Hour)
	if alive() {
		t.Errorf("session lives after 8 days of silence")
	}
	c = w.inside("1").signIn()
	old := c.cookies["shop_sess"]
	if res := c.do("POST", "/signout", url.Values{}); res.StatusCode != 303 || c.cookies["shop_sess"] != "" {
		t.Errorf("sign out = %d, cookie %q", res.StatusCode, c.cookies["shop_sess"])
	}
	c.cookies["shop_sess"] = old
	if alive() {
		t.Errorf("session lives after signing out")
	}
}

// Rotating keys: a cookie made with the older key still counts.
func TestKeyRotation(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	d := w.srv.Deps
	d.Metrics = nil
	d.Config.Session.Keys = append([][]byte{[]byte("a-new-key-a-new-key-a-new-key-32"), nil}, d.Config.Session.Keys...)
	srv, err := New(d)
	if err != nil {
		t.Fatal(err)
	}
	w.srv, w.shop = srv, srv.Routes()
	if res := c.do("GET", "/me", nil); res.StatusCode != 200 {
		t.Errorf("cookie of the older key: %d", res.StatusCode)
	}
}

func FuzzSessionCookie(f *testing.F) {
	f.Add("")
	f.Add("MTc2NDAwMDAwMHxBQkNE|x")
	f.Add(strings.Repeat("A", 5000))
	codecs := securecookie.CodecsFromPairs([]byte(canaryKey)[:32], nil)
	codecs[0].(*securecookie.SecureCookie).SetSerializer(securecookie.NopEncoder{})
	f.Fuzz(func(t *testing.T, value string) {
		s := &sessionStore{name: "shop_sess", codecs: codecs, bad: func() {}}
		r := &http.Request{Header: http.Header{"Cookie": {"shop_sess=" + value}}}
		if id, ok := s.cookieID(r, "shop_sess"); ok {
			t.Errorf("cookie %q gave the id %q", value, id)
		}
	})
}
