package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"wxshop/models"
)

// A given password opens nothing but its own change.
func TestAdminMustChange(t *testing.T) {
	w := newWorld(t)
	w.hireWith(models.Staff{Name: "owner", Role: "owner", MustChange: true})
	c := w.outside()
	res := c.do("POST", "/admin/signin", signInForm("owner", adminPassword))
	if got := res.Header.Get("Location"); got != "/admin/password" {
		t.Fatalf("first sign-in leads to %q", got)
	}
	for _, path := range []string{"/admin", "/admin/orders", "/admin/check"} {
		if got := c.do("GET", path, nil).Header.Get("Location"); got != "/admin/password" {
			t.Errorf("GET %s leads to %q, want the change of password", path, got)
		}
	}
	if res := c.do("POST", "/admin/check/1/explain", url.Values{"note": {"x"}}); res.Header.Get("Location") != "/admin/password" {
		t.Errorf("POST before the change = %d", res.StatusCode)
	}
	page := c.visit("/admin/password")
	if page.StatusCode != http.StatusOK || strings.Contains(page.body, `class="side"`) {
		t.Errorf("password page = %d, with a menu that leads nowhere: %v", page.StatusCode, strings.Contains(page.body, `class="side"`))
	}
	const own = "a kettle sings at dawn"
	res = c.submit("/admin/password", url.Values{"current": {adminPassword}, "new": {own}, "again": {own}})
	if res.StatusCode != http.StatusOK || !strings.Contains(res.body, "密码换好了") {
		t.Fatalf("change = %d\n%s", res.StatusCode, res.body)
	}
	if res := w.outside().do("POST", "/admin/signin", signInForm("owner", adminPassword)); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("the old password = %d", res.StatusCode)
	}
	if res := w.outside().do("POST", "/admin/signin", signInForm("owner", own)); res.Header.Get("Location") != "/admin" {
		t.Errorf("the new password leads to %q", res.Header.Get("Location"))
	}
}

// A2, S11: what is refused, and that a change ends every other session.
func TestAdminChangePassword(t *testing.T) {
	w := newWorld(t)
	w.hire("xiaoman", "staff")
	c, other := w.outside().enters("xiaoman"), w.outside().enters("xiaoman")
	const good = "a kettle sings at dawn"
	for _, test := range []struct{ name, current, new, again, want string }{
		{"short", adminPassword, "elevenchars", "elevenchars", "不到 12 个字符"},
		{"long", adminPassword, strings.Repeat("kettle ", 20), strings.Repeat("kettle ", 20), "超过 128"},
		{"common", adminPassword, "password1234", "password1234", "太常见"},
		{"own name", adminPassword, "xiaoman likes tea", "xiaoman likes tea", "用户名"},
		{"name of the shop", adminPassword, "云间茶铺的茶很好喝呀", "x", "不到 12"},
		{"name of the shop, long", adminPassword, "云间茶铺的茶很好喝很好喝呀", "x", "店名"},
		{"differ", adminPassword, good, good + ".", "不一样"},
		{"same", adminPassword, adminPassword, adminPassword, "和现在的一样"},
		{"wrong", "some other password", good, good, "现在的密码不对"},
	} {
		t.Run(test.name, func(t *testing.T) {
			res := c.do("POST", "/admin/password", url.Values{"current": {test.current}, "new": {test.new}, "again": {test.again}})
			if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(res.body, test.want) {
				t.Errorf("change = %d, want 422 with %q", res.StatusCode, test.want)
			}
			if strings.Contains(res.body, good) {
				t.Error("the page repeats a password")
			}
		})
	}
	old := c.twin()
	if res := c.do("POST", "/admin/password", url.Values{"user": {"xiaoman"}, "current": {adminPassword}, "new": {good}, "again": {good}}); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("change = %d\n%s", res.StatusCode, res.body)
	}
	for name, x := range map[string]*client{"another browser": other, "the old id": old} {
		if res := x.do("GET", "/admin", nil); res.StatusCode != http.StatusSeeOther {
			t.Errorf("%s after the change = %d, want the door", name, res.StatusCode)
		}
	}
	if res := c.do("GET", "/admin", nil); res.StatusCode != http.StatusOK {
		t.Errorf("the browser that changed it = %d", res.StatusCode)
	}
}

// A session that was taken over cannot guess the present password for ever.
func TestAdminChangePasswordThrottle(t *testing.T) {
	w := newWorld(t)
	w.stop()
	w.hire("owner", "owner")
	c := w.outside().enters("owner")
	form := url.Values{"current": {"a guess"}, "new": {"a kettle sings at dawn"}, "again": {"a kettle sings at dawn"}}
	for range 6 {
		c.do("POST", "/admin/password", form)
	}
	if res := c.do("POST", "/admin/password", form); res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("the seventh guess = %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
	}
}

// S11
func TestAdminSignOut(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	c := w.outside().enters("owner")
	old := c.twin()
	res := c.do("POST", "/admin/signout", url.Values{"back": {"/admin"}})
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Clear-Site-Data") != `"cache", "storage"` {
		t.Errorf("sign-out = %d, Clear-Site-Data %q", res.StatusCode, res.Header.Get("Clear-Site-Data"))
	}
	if c.cookies["admin_sess"] != "" {
		t.Error("the cookie is still there")
	}
	if res := old.do("GET", "/admin", nil); res.StatusCode != http.StatusSeeOther {
		t.Errorf("the old cookie = %d, want the door", res.StatusCode)
	}
	if res := w.outside().do("GET", "/admin/signout", nil); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET of sign-out = %d", res.StatusCode)
	}
}

// A person who was removed is out with the next request.
func TestAdminRemovedPerson(t *testing.T) {
	w := newWorld(t)
	w.hire("gone", "owner")
	c := w.outside().enters("gone")
	w.exec(`DELETE FROM staff WHERE name = 'gone'`)
	res := c.do("GET", "/admin/orders", nil)
	if res.StatusCode != http.StatusSeeOther || c.cookies["admin_sess"] != "" {
		t.Errorf("the session of a removed person = %d, cookie %q", res.StatusCode, c.cookies["admin_sess"])
	}
}

// S10: idle and absolute end by the server's clock.
func TestAdminSessionEnds(t *testing.T) {
	for _, test := range []struct {
		name    string
		session time.Duration
		step    time.Duration
		last    int // steps after which it still opens
	}{
		{"idle", 0, 31 * time.Minute, 0},
		{"used all day", 0, 20 * time.Minute, 35},
		{"configured", time.Hour, 20 * time.Minute, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.Admin.Session = test.session })
			move := w.stop()
			w.hire("owner", "owner")
			c := w.outside().enters("owner")
			for i := range test.last {
				move(test.step)
				if res := c.do("GET", "/admin", nil); res.StatusCode != http.StatusOK {
					t.Fatalf("after %d steps = %d", i+1, res.StatusCode)
				}
			}
			move(test.step)
			if res := c.do("GET", "/admin", nil); res.StatusCode != http.StatusSeeOther {
				t.Errorf("after %d steps = %d, want the door", test.last+1, res.StatusCode)
			}
		})
	}
}

// X28: neither cookie opens the other side, and no cookie breaks a page.
func TestAdminCookiesApart(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	staff, shopper := w.outside().enters("owner"), w.inside("1").signIn()
	no := shopper.buy("LJ-50g")
	x := w.outside()
	x.cookies["shop_sess"] = staff.cookies["admin_sess"]
	if res := x.do("GET", "/orders/"+no, nil); res.StatusCode == http.StatusOK {
		t.Error("a staff cookie opens an order of a shopper")
	}
	for name, value := range map[string]string{
		"shopper": shopper.cookies["shop_sess"], "garbage": "x", "long": strings.Repeat("a", 8000), "empty": "",
		"flipped": staff.cookies["admin_sess"][:20] + "A" + staff.cookies["admin_sess"][21:], "cut": staff.cookies["admin_sess"][:30],
	} {
		x := w.outside()
		x.cookies["admin_sess"] = value
		if res := x.do("GET", "/admin", nil); res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(res.Header.Get("Location"), "/admin/signin") {
			t.Errorf("%s as a staff cookie = %d", name, res.StatusCode)
		}
	}
	// The row of a shopper under the name of the other kind: the MAC has the
	// name in it, and the row its kind.
	if res := shopper.do("GET", "/admin", nil); res.StatusCode != http.StatusSeeOther {
		t.Errorf("a signed-in shopper at /admin = %d", res.StatusCode)
	}
}
