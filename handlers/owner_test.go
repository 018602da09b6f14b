package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"wxshop/models"
)

// orderRoutes are all routes about one order.
var orderRoutes = []struct{ method, path string }{
	{"GET", "/orders/{no}"},
	{"HEAD", "/orders/{no}"},
	{"GET", "/orders/{no}/status"},
	{"GET", "/orders/{no}/cancel"},
	{"POST", "/orders/{no}/cancel"},
	{"POST", "/orders/{no}/confirm"},
	{"POST", "/orders/{no}/again"},
	{"GET", "/pay/{no}"},
	{"GET", "/pay/{no}?open=1"},
	{"GET", "/pay/{no}/qr.svg"},
	{"GET", "/pay/{no}/code.svg"},
	{"GET", "/pay/{no}/back"},
	{"POST", "/pay/{no}/back"},
	{"POST", "/pay/{no}"},
}

// P15, I14, X18, product 7d: another's order and an order that does not exist
// are the same to whoever asks.
func TestOthersOrdersDoNotExist(t *testing.T) {
	w := newWorld(t)
	a := w.inside("1").signIn()
	unpaid, paid := a.buy("LJ-50g"), a.buy("LJ-50g")
	w.api("POST", "transactions/"+w.attempt(paid).OutTradeNo+"/pay", map[string]any{}, nil)
	a.visit("/orders/" + paid + "/status")
	guest := w.outside()
	guests := guest.buy("LJ-50g")

	b := w.inside("2").signIn()
	b.add("JS", "1")
	other := w.outside()
	other.add("JS", "1")
	const unknown = "261119K7M3QX9T4HRV7056"
	before := w.dump()
	for _, who := range []struct {
		name string
		*client
	}{{"user B", b}, {"other guest", other}, {"nobody", w.outside()}} {
		for _, route := range orderRoutes {
			var form url.Values
			if route.method == "POST" {
				form = url.Values{}
			}
			want := who.do(route.method, strings.Replace(route.path, "{no}", unknown, 1), form)
			if want.StatusCode != http.StatusNotFound {
				t.Errorf("%s: %s %s of nobody's order = %d", who.name, route.method, route.path, want.StatusCode)
			}
			for _, no := range []string{unpaid, paid, guests, "short", "261119K7M3QX9T4HRV7056x"} {
				got := who.do(route.method, strings.Replace(route.path, "{no}", no, 1), form)
				if got.StatusCode != want.StatusCode || got.body != want.body {
					t.Errorf("%s: %s %s of %s = %d, differs from an unknown order", who.name, route.method, route.path, no, got.StatusCode)
				}
				if strings.Contains(got.body, no) && len(no) > 6 {
					t.Errorf("%s: the answer repeats the number", who.name)
				}
			}
		}
		if res := who.visit("/orders"); strings.Contains(res.body, unpaid) || strings.Contains(res.body, paid) {
			t.Errorf("%s sees A's orders in the list", who.name)
		}
	}
	unchanged(t, before, w.dump(), "sessions")
	if o := w.order(unpaid); o.State != models.Unpaid {
		t.Errorf("A's order is %s", o.State)
	}
	if res := a.do("GET", "/orders/"+unpaid, nil); res.StatusCode != 200 {
		t.Errorf("A's own order = %d", res.StatusCode)
	}
}

// The link takes an order to whoever opens it, once; two at the same time are
// one owner.
func TestClaimOnce(t *testing.T) {
	w := newWorld(t)
	guest := w.outside()
	no := guest.buy("LJ-50g")
	link := "/c/" + guest.claimLink(no)
	users := []*client{w.inside("1").signIn(), w.inside("2").signIn(), w.inside("3").signIn()}
	done := make(chan int, len(users))
	for _, u := range users {
		go func() { done <- u.do("POST", link, url.Values{}).StatusCode }()
	}
	won := 0
	for range users {
		switch code := <-done; code {
		case http.StatusSeeOther:
			won++
		case http.StatusNotFound:
		default:
			t.Errorf("claim = %d", code)
		}
	}
	if won != 1 {
		t.Errorf("%d owners", won)
	}
}

// P10: reading changes nothing, twice. Only sessions may move; the poll asks
// WeChat by design and is tested with a paid order.
func TestReadingChangesNothing(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	unpaid, paid := c.buy("LJ-50g"), c.buy("LJ-50g")
	w.api("POST", "transactions/"+w.attempt(paid).OutTradeNo+"/pay", map[string]any{}, nil)
	c.visit("/orders/" + paid + "/status")
	c.add("JS", "1")
	guest := w.outside()
	no := guest.buy("LJ-100g")
	guest.add("JS", "1")
	link := guest.claimLink(no)

	params := strings.NewReplacer(":slug", "longjing", ":token", link, "*path", "app.css", ":view", "home")
	for _, who := range []struct {
		name, order string
		*client
	}{{"user", unpaid, c}, {"user, paid", paid, c}, {"guest", no, guest}, {"anonymous", unpaid, w.outside()}} {
		for _, route := range w.srv.engine.Routes() {
			if route.Method != "GET" || strings.HasPrefix(route.Path, "/auth/") {
				continue // signing in is about sessions and tested apart
			}
			if route.Path == "/orders/:no/status" && who.order != paid {
				continue
			}
			path := strings.Replace(params.Replace(route.Path), ":no", who.order, 1)
			before := w.dump()
			for range 2 {
				if res := who.do("GET", path, nil); res.StatusCode >= 500 {
					t.Errorf("%s: GET %s = %d", who.name, path, res.StatusCode)
				}
			}
			unchanged(t, before, w.dump(), "sessions")
		}
	}
}

// P10: no route is named like a way to be paid without WeChat.
func TestNoRouteMakesPaid(t *testing.T) {
	w := newWorld(t)
	for _, r := range w.srv.engine.Routes() {
		path := strings.ToLower(r.Path)
		for _, bad := range []string{"success", "cron", "task", "job", "paid"} {
			if strings.Contains(path, bad) {
				t.Errorf("route %s %s", r.Method, r.Path)
			}
		}
	}
}

// P19: the six parameters go to the owner with that openid, in one page, and
// no secret goes anywhere. P20: nor into the log.
func TestSecretsStayInside(t *testing.T) {
	w := newWorld(t)
	id := w.sim.Identity()
	secrets := map[string]string{"API key": id.APIKey, "app secret": id.AppSecret, "session key": canaryKey[:32], "v3 key": id.APIv3Key}
	c := w.inside("1")
	callback := c.trip("/me")
	u, _ := url.Parse(callback)
	c.do("GET", callback, nil)
	secrets["OAuth code"], secrets["OAuth state"] = u.Query().Get("code"), u.Query().Get("state")
	no := c.buy("LJ-50g")
	secrets["openid"] = w.attempt(no).OpenID
	secrets["session"] = c.cookies["shop_sess"]
	var seen strings.Builder
	for _, path := range []string{
		"/", "/p/longjing", "/cart", "/checkout", "/orders", "/orders/" + no, "/orders/" + no + "/status", "/orders/" + no + "/cancel",
		"/pay/" + no, "/pay/" + no + "?open=1", "/pay/" + no + "/qr.svg", "/me", "/nothing", "/rules",
	} {
		res := c.do("GET", path, nil)
		seen.WriteString(res.body)
		if err := res.Header.Write(&seen); err != nil {
			t.Fatal(err)
		}
		if path != "/pay/"+no && strings.Contains(res.body, "prepay_id") {
			t.Errorf("GET %s carries pay parameters", path)
		}
	}
	if !strings.Contains(seen.String(), "prepay_id=") || !strings.Contains(seen.String(), "paySign") {
		t.Errorf("the pay page has no parameters")
	}
	for name, value := range secrets {
		if value == "" {
			t.Fatalf("no %s to look for", name)
		}
		if strings.Contains(seen.String(), value) {
			t.Errorf("%s in a page or header", name)
		}
		if strings.Contains(w.log.String(), value) {
			t.Errorf("%s in the log", name)
		}
	}
	sign := between(seen.String(), `"paySign":"`, `"`)
	for name, value := range map[string]string{"paySign": sign, "phone": "13800001234", "street": "文三路", "name": "林晓溪"} {
		if value == "" || strings.Contains(w.log.String(), value) {
			t.Errorf("%s %q in the log", name, value)
		}
	}
}

// A WeChat account that came by another way gets no parameters of this one's
// payment: the attempt is bound to its openid.
func TestPayParametersAreForThePayer(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	no := c.buy("LJ-50g")
	c.ua = desktopUA
	if res := c.visit("/pay/" + no); strings.Contains(res.body, "paySign") {
		t.Errorf("pay parameters outside WeChat")
	}
}
