package handlers

import (
	"maps"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"wxshop/models"
)

const adminPassword = "seven cups on a wet table"

// adminHash is made once: hashing is meant to be slow.
var adminHash = sync.OnceValues(func() (string, error) { return HashPassword(adminPassword) })

// hire adds a person with adminPassword.
func (w *world) hire(name, role string) *models.Staff {
	w.t.Helper()
	return w.hireWith(models.Staff{Name: name, Role: role})
}

func (w *world) hireWith(x models.Staff) *models.Staff {
	w.t.Helper()
	if x.Password == "" {
		phc, err := adminHash()
		if err != nil {
			w.t.Fatal(err)
		}
		x.Password = phc
	}
	if err := w.store.CreateStaff(w.t.Context(), x); err != nil {
		w.t.Fatal(err)
	}
	who, err := w.store.Staff(w.t.Context(), x.Name)
	if err != nil {
		w.t.Fatal(err)
	}
	return who
}

func signInForm(name, password string) url.Values {
	return url.Values{"user": {name}, "password": {password}}
}

// enters signs in with adminPassword and must succeed.
func (c *client) enters(name string) *client {
	c.t.Helper()
	res := c.do("POST", "/admin/signin", signInForm(name, adminPassword))
	if res.StatusCode != http.StatusSeeOther {
		c.t.Fatalf("sign-in of %s = %d\n%s", name, res.StatusCode, res.body)
	}
	return c
}

// from is one request from another address.
func (c *client) from(ip, target string, form url.Values) result {
	c.t.Helper()
	r := c.request("POST", target, form)
	r.RemoteAddr = ip + ":40000"
	return c.send(r)
}

// twin is another browser with the same cookies.
func (c *client) twin() *client {
	x := *c
	x.cookies = maps.Clone(c.cookies)
	return &x
}

// stop sets the clock to a moment and gives a function that moves it.
func (w *world) stop() func(time.Duration) {
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	w.clock = func() time.Time { return now }
	return func(d time.Duration) { now = now.Add(d) }
}

// paidOrder is an order that WeChat knows as paid; nobody has asked yet.
func (w *world) paidOrder(c *client, code string) string {
	w.t.Helper()
	no := c.buy(code)
	c.visit("/pay/" + no)
	if status := w.api("POST", "transactions/"+w.attempt(no).OutTradeNo+"/pay", map[string]any{}, nil); status != http.StatusOK {
		w.t.Fatalf("paying at the simulator = %d", status)
	}
	return no
}

// settledOrder is an order that is paid here too.
func (w *world) settledOrder(c *client, code string) string {
	w.t.Helper()
	no := w.paidOrder(c, code)
	if _, err := w.srv.Checkout.Ask(w.t.Context(), no, "query"); err != nil {
		w.t.Fatal(err)
	}
	if o := w.order(no); o.State != models.Paid {
		w.t.Fatalf("order is %s, want paid", o.State)
	}
	return no
}

// wantState fails when an order stands elsewhere.
func (w *world) wantState(t *testing.T, no string, want models.State) {
	t.Helper()
	if o := w.order(no); o.State != want {
		t.Errorf("order is %s, want %s", o.State, want)
	}
}
