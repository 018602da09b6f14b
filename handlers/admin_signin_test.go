package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"wxshop/models"
)

// A3: whatever is wrong, the answer is the same.
func TestAdminSignIn(t *testing.T) {
	w := newWorld(t)
	w.hire("小满", "owner")
	refusals := map[string]bool{}
	for _, test := range []struct {
		name, user, password string
		want                 int
	}{
		{"right", "小满", adminPassword, http.StatusSeeOther},
		{"wrong password", "小满", "seven cups on a dry table", http.StatusUnprocessableEntity},
		{"unknown user", "大满", adminPassword, http.StatusUnprocessableEntity},
		{"nobody", "", "", http.StatusUnprocessableEntity},
		{"space around", "小满", " " + adminPassword, http.StatusUnprocessableEntity},
		{"5000 bytes", "小满", strings.Repeat("x", 5000), http.StatusUnprocessableEntity}, // X29
		{"control character", "小满\x00", adminPassword, http.StatusUnprocessableEntity},
		{"injection", "' OR 1=1--", adminPassword, http.StatusUnprocessableEntity}, // X20
	} {
		t.Run(test.name, func(t *testing.T) {
			c := w.outside()
			res := c.do("POST", "/admin/signin", signInForm(test.user, test.password))
			if res.StatusCode != test.want {
				t.Fatalf("sign-in = %d, want %d", res.StatusCode, test.want)
			}
			if res.StatusCode != http.StatusSeeOther {
				typed := strings.ReplaceAll(test.user, "'", "&#39;")
				refusals[strings.ReplaceAll(res.body, `value="`+typed+`"`, `value=""`)] = true
			}
			if in := c.cookies["admin_sess"] != ""; in != (test.want == http.StatusSeeOther) {
				t.Errorf("session cookie given: %v", in)
			}
		})
	}
	if len(refusals) != 1 { // but for the name that was typed
		t.Errorf("%d different refusals, want the same for all", len(refusals))
	}
	if strings.Contains(w.log.String(), "seven cups") || strings.Contains(w.log.String(), "大满") {
		t.Errorf("the log tells what was typed:\n%s", w.log)
	}
}

// A3: an unknown name costs the same work as a known one.
func TestAdminDummyHash(t *testing.T) {
	real, err := HashPassword(adminPassword)
	if err != nil {
		t.Fatal(err)
	}
	want, err := parsePHC(real)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parsePHC(dummyHash)
	if err != nil {
		t.Fatal(err)
	}
	if got.memory != want.memory || got.time != want.time || got.lanes != want.lanes || len(got.tag) != len(want.tag) || len(got.salt) != len(want.salt) {
		t.Errorf("dummy hash is m=%d t=%d p=%d, a real one m=%d t=%d p=%d", got.memory, got.time, got.lanes, want.memory, want.time, want.lanes)
	}
}

// S5, S6: names and flags of the cookies.
func TestAdminCookies(t *testing.T) {
	for _, test := range []struct {
		base, session, device string
		secure                bool
	}{
		{shopURL, "admin_sess", "admin_device", false},
		{"https://shop.example", "__Host-admin_sess", "__Host-admin_device", true},
	} {
		w := newWorld(t, func(c *Config) { c.Site.BaseURL = test.base })
		w.hire("owner", "owner")
		res := w.outside().do("POST", "/admin/signin", signInForm("owner", adminPassword))
		seen := map[string]bool{}
		for _, k := range res.Cookies() {
			seen[k.Name] = true
			if k.Path != "/" || k.Domain != "" || !k.HttpOnly || k.Secure != test.secure || k.SameSite != http.SameSiteStrictMode {
				t.Errorf("%s: cookie %s", test.base, k.Raw)
			}
		}
		if !seen[test.session] || !seen[test.device] || len(seen) != 2 {
			t.Errorf("%s: cookies %v", test.base, seen)
		}
	}
}

// S3, X27: an id from before the sign-in is worth nothing after it.
func TestAdminFixation(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	c := w.outside()
	c.cookies["admin_sess"] = "planted"
	c.enters("owner")
	if c.cookies["admin_sess"] == "planted" {
		t.Fatal("a planted id was adopted")
	}
	before := c.twin()
	c.enters("owner")
	if res := before.do("GET", "/admin", nil); res.StatusCode != http.StatusSeeOther {
		t.Errorf("the session from before the second sign-in = %d, want the door", res.StatusCode)
	}
	if res := c.do("GET", "/admin", nil); res.StatusCode != http.StatusOK {
		t.Errorf("the new session = %d", res.StatusCode)
	}
}

// A4, X29: tries are slowed down per account and network, then per account.
func TestAdminThrottle(t *testing.T) {
	w := newWorld(t)
	move := w.stop()
	w.hire("owner", "owner")
	c := w.outside()
	wrong := signInForm("owner", "not the right one")
	for i := range 6 {
		if res := c.do("POST", "/admin/signin", wrong); res.StatusCode != http.StatusUnprocessableEntity {
			t.Fatalf("try %d = %d", i+1, res.StatusCode)
		}
	}
	res := c.do("POST", "/admin/signin", signInForm("owner", adminPassword))
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") != "10" || !strings.Contains(res.body, "10 秒") {
		t.Fatalf("the seventh try = %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
	}
	if res := c.from("192.0.2.200", "/admin/signin", wrong); res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a neighbour in the same network = %d", res.StatusCode)
	}
	move(11 * time.Second)
	c.enters("owner") // and that forgives
	if res := w.outside().do("POST", "/admin/signin", wrong); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a try after a right one = %d", res.StatusCode)
	}
}

// A4: strangers from everywhere slow an account down, but not its owner on a
// device that was here before; names that do not exist behave the same.
func TestAdminThrottleStrangers(t *testing.T) {
	w := newWorld(t)
	w.stop()
	w.hire("owner", "owner")
	known := w.outside().enters("owner")
	delete(known.cookies, "admin_sess")
	for _, name := range []string{"owner", "ghost"} {
		refused := 0
		for i := range 40 {
			res := w.outside().from(fmt.Sprintf("203.0.%d.7", i), "/admin/signin", signInForm(name, "a guess"))
			if res.StatusCode == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused < 40-4*6 {
			t.Errorf("%s: %d of 40 strangers were slowed down", name, refused)
		}
	}
	known.enters("owner")
	w.hire("other", "staff")
	for range 6 {
		w.outside().do("POST", "/admin/signin", signInForm("other", "a guess"))
	}
	stolen := w.outside()
	stolen.cookies["admin_device"] = known.cookies["admin_device"]
	if res := stolen.do("POST", "/admin/signin", signInForm("other", adminPassword)); res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a device of somebody else = %d, want it to count as none", res.StatusCode)
	}
}

// A4: guesses at the same moment do not slip through between look and count.
func TestAdminThrottleParallel(t *testing.T) {
	w := newWorld(t)
	w.stop()
	w.hire("owner", "owner")
	var looked int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			res := w.outside().do("POST", "/admin/signin", signInForm("owner", "a guess"))
			mu.Lock()
			defer mu.Unlock()
			if res.StatusCode != http.StatusTooManyRequests {
				looked++
			}
		})
	}
	all.Wait()
	if looked > 6 {
		t.Errorf("%d of 20 parallel guesses were looked at, want at most 6", looked)
	}
}

// A1: an old hash is made anew by the next right sign-in.
func TestAdminRehash(t *testing.T) {
	w := newWorld(t)
	// m=65536, t=2, p=1 over the 8 bytes of "somesalt": the salt is short.
	w.hireWith(models.Staff{Name: "owner", Role: "owner", Password: "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"})
	if res := w.outside().do("POST", "/admin/signin", signInForm("owner", "password")); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("sign-in = %d", res.StatusCode)
	}
	who, err := w.store.Staff(t.Context(), "owner")
	if err != nil {
		t.Fatal(err)
	}
	if ok, weak, err := VerifyPassword(who.Password, "password"); !ok || weak || err != nil {
		t.Errorf("the stored hash is now %s: ok %v, weak %v, %v", who.Password, ok, weak, err)
	}
}

// A1: with all turns taken the door says so and when to come again.
func TestAdminBusy(t *testing.T) {
	w := newWorld(t)
	for range hashesAtOnce {
		if _, err := w.srv.desk.hasher.take(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	res := w.outside().do("POST", "/admin/signin", signInForm("owner", adminPassword))
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("sign-in = %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
	}
}

// After signing in people land where they wanted to go, and nowhere else.
func TestAdminReturn(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	for _, test := range []struct{ next, want string }{
		{"", "/admin"},
		{"/admin/orders?state=paid", "/admin/orders?state=paid"},
		{"/admin/check", "/admin/check"},
		{"/", "/admin"},
		{"/orders", "/admin"},
		{"/administrator", "/admin"},
		{"/admin/signin", "/admin"},
		{"//evil", "/admin"},
		{`/admin/\evil`, "/admin"},
		{"https://evil/admin/", "/admin"},
		{"/admin/%0d%0aSet-Cookie:a=b", "/admin"},
		{"javascript:alert(1)", "/admin"},
	} {
		form := signInForm("owner", adminPassword)
		form.Set("next", test.next)
		if got := w.outside().do("POST", "/admin/signin", form).Header.Get("Location"); got != test.want { // X25
			t.Errorf("next=%q leads to %q, want %q", test.next, got, test.want)
		}
	}
	res := w.outside().do("GET", "/admin/orders?state=paid", nil)
	if got := res.Header.Get("Location"); got != "/admin/signin?next="+url.QueryEscape("/admin/orders?state=paid") {
		t.Errorf("a page without a session leads to %q", got)
	}
}
