package models

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestSessionLifecycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, Options{})
		ctx := t.Context()
		x := Session{Hash: "h1", Kind: "shop", UserID: 7, Data: "{}", CreatedAt: s.time(), SeenAt: s.time(), ExpiresAt: At(time.Now().Add(time.Hour))}
		if _, err := s.Session(ctx, "h1"); !errors.Is(err, ErrNotFound) {
			t.Errorf("unknown: %v", err)
		}
		for _, user := range []int64{7, 8} {
			x.UserID = user
			if err := s.SaveSession(ctx, x); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Session(ctx, "h1"); err != nil || *got != x {
				t.Errorf("%+v %v", got, err)
			}
		}
		y := x
		y.Hash = "h2" // S3
		if err := s.ReplaceSession(ctx, "h1", y); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Session(ctx, "h1"); !errors.Is(err, ErrNotFound) {
			t.Errorf("the old id still works: %v", err)
		}
		if err := s.SaveSession(ctx, x); !errors.Is(err, ErrNotFound) {
			t.Errorf("a request under way brought the old session back: %v", err)
		}
		if err := s.ReplaceSession(ctx, "", Session{Hash: "h3", ExpiresAt: x.ExpiresAt}); err != nil {
			t.Errorf("no old session: %v", err)
		}
		if err := s.DeleteSession(ctx, "h2"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Session(ctx, "h2"); !errors.Is(err, ErrNotFound) {
			t.Errorf("deleted: %v", err)
		}
		time.Sleep(time.Hour)
		if _, err := s.Session(ctx, "h3"); !errors.Is(err, ErrNotFound) {
			t.Errorf("expired: %v", err)
		}
	})
}

func TestDeleteSessionsOf(t *testing.T) {
	s := openStore(t, Options{})
	ctx := t.Context()
	end := At(s.now().Add(time.Hour))
	for hash, staff := range map[string]int64{"a1": 1, "a2": 1, "b": 2, "shopper": 0} {
		if err := s.SaveSession(ctx, Session{Hash: hash, StaffID: staff, ExpiresAt: end}); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []int64{1, 0} {
		if err := s.DeleteSessionsOf(ctx, id, "a2"); err != nil {
			t.Fatal(err)
		}
	}
	for hash, want := range map[string]bool{"a1": false, "a2": true, "b": true, "shopper": true} {
		if _, err := s.Session(ctx, hash); (err == nil) != want {
			t.Errorf("%s: %v", hash, err)
		}
	}
}

func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, u := shop(t, 5, Options{})
		ctx := t.Context()
		o, _ := place(t, s, checkout(u.ID, "a", Line{1, 1}))
		soon, later := At(time.Now().Add(time.Minute)), At(time.Now().Add(48*time.Hour))
		for _, x := range []struct {
			hash string
			end  Time
		}{{"old", soon}, {"new", later}} {
			err := errors.Join(
				s.SaveSession(ctx, Session{Hash: x.hash, ExpiresAt: x.end}),
				s.PutOAuthState(ctx, OAuthState{Hash: x.hash, SessionHash: "s", ExpiresAt: x.end}),
				s.CreateClaim(ctx, Claim{Hash: x.hash, OrderID: o.ID, ExpiresAt: x.end}))
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Fail(ctx, "key"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if n, err := s.SweepSessions(ctx); err != nil || n != 4 {
			t.Errorf("%d swept, %v", n, err)
		}
		for _, table := range []string{"sessions", "oauth_states", "claims"} {
			if n := count(t, s, `SELECT count(*) FROM `+table); n != 1 {
				t.Errorf("%d %s", n, table)
			}
		}
	})
}

// S1: a state is used once, by its own session, in time.
func TestOAuthState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, Options{})
		ctx := t.Context()
		put := func(hash, session string) {
			t.Helper()
			err := s.PutOAuthState(ctx, OAuthState{Hash: hash, SessionHash: session, ReturnPath: "/p/" + hash, CreatedAt: s.time(), ExpiresAt: At(time.Now().Add(10 * time.Minute))})
			if err != nil {
				t.Fatal(err)
			}
		}
		put("a", "s1")
		if _, err := s.TakeOAuthState(ctx, "a", "s2"); !errors.Is(err, ErrNotFound) {
			t.Errorf("another session's: %v", err)
		}
		var won atomic.Int64
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				path, err := s.TakeOAuthState(ctx, "a", "s1")
				if err == nil && path == "/p/a" {
					won.Add(1)
				} else if !errors.Is(err, ErrNotFound) {
					t.Errorf("%q %v", path, err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d used it", won.Load())
		}
		for i := range 7 {
			put(fmt.Sprint(i), "s1")
			time.Sleep(time.Second)
		}
		put("other", "s2")
		for i := range 7 {
			_, err := s.TakeOAuthState(ctx, fmt.Sprint(i), "s1")
			if want := i >= 2; (err == nil) != want {
				t.Errorf("state %d of 7: %v", i, err)
			}
		}
		time.Sleep(10 * time.Minute)
		if _, err := s.TakeOAuthState(ctx, "other", "s2"); !errors.Is(err, ErrNotFound) {
			t.Errorf("expired: %v", err)
		}
	})
}

// S13: one user for each (app, openid), also when many sign in at once.
func TestSignInIsOneUser(t *testing.T) {
	s := openStore(t, Options{})
	ids := make([]int64, 20)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			u, err := s.SignIn(t.Context(), "wx1", "o1", 0)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = u.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] || id == 0 {
			t.Fatalf("users %v", ids)
		}
	}
	if u, err := s.SignIn(t.Context(), "wx2", "o1", 0); err != nil || u.ID == ids[0] || u.Guest() {
		t.Errorf("the openid of another app: %+v %v", u, err)
	}
	if _, err := s.SignIn(t.Context(), "wx1", "", 0); err == nil {
		t.Error("nobody signed in")
	}
	if u, err := s.User(t.Context(), ids[0]); err != nil || *u.OpenID != "o1" {
		t.Errorf("%+v %v", u, err)
	}
}

func TestSignInTakesTheGuestAlong(t *testing.T) {
	s, u := shop(t, 200, Options{})
	ctx := t.Context()
	guest, err := s.CreateGuest(ctx)
	if err != nil || !guest.Guest() {
		t.Fatalf("%+v %v", guest, err)
	}
	mine, _ := place(t, s, checkout(u.ID, "same token", Line{1, 1}))
	theirs, _ := place(t, s, checkout(guest.ID, "same token", Line{1, 1}))
	for _, x := range []struct{ user, sku, qty int64 }{{u.ID, 1, 60}, {u.ID, 2, 1}, {guest.ID, 1, 60}, {guest.ID, 3, 5}} {
		if err := s.AddToCart(ctx, x.user, x.sku, x.qty); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time there is nothing left to take
		if got, err := s.SignIn(ctx, *u.AppID, *u.OpenID, guest.ID); err != nil || got.ID != u.ID {
			t.Fatalf("%+v %v", got, err)
		}
	}
	cart, err := s.Cart(ctx, u.ID)
	if err != nil || len(cart) != 3 {
		t.Fatalf("%+v %v", cart, err)
	}
	for _, e := range cart {
		if want := map[int64]int64{1: 99, 2: 1, 3: 5}[e.SKU.ID]; e.Qty != want {
			t.Errorf("sku %d: %d", e.SKU.ID, e.Qty)
		}
	}
	if n, _ := s.CartCount(ctx, guest.ID); n != 0 {
		t.Errorf("the guest keeps %d", n)
	}
	if os, err := s.Orders(ctx, u.ID, "", 0, 10); err != nil || len(os) != 2 || os[0].No != theirs.No || os[1].No != mine.No {
		t.Errorf("%+v %v", os, err)
	}
	if _, err := s.Order(ctx, guest.ID, theirs.No); !errors.Is(err, ErrNotFound) {
		t.Errorf("the guest still sees it: %v", err)
	}
	if n := count(t, s, `SELECT count(*) FROM events WHERE kind = 'claimed' AND order_id = ?`, theirs.ID); n != 1 {
		t.Errorf("%d events", n)
	}
}

// Whoever names another shopper's id as the guest gets nothing.
func TestSignInRobsNobody(t *testing.T) {
	s, u := shop(t, 20, Options{})
	ctx := t.Context()
	place(t, s, checkout(u.ID, "a", Line{1, 1}))
	thief, err := s.SignIn(ctx, "wx1", "thief", u.ID)
	if err != nil {
		t.Fatal(err)
	}
	if os, _ := s.Orders(ctx, thief.ID, "", 0, 10); len(os) != 0 {
		t.Error("took the orders of a user who is no guest")
	}
}

func TestCartOfGuestIsCapped(t *testing.T) {
	s, u := shop(t, 20, Options{})
	ctx := t.Context()
	guest, err := s.CreateGuest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	force(t, s, `INSERT INTO cart_lines(user_id, sku_id, qty, seen_price, added_at)
		WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 139) SELECT ?, i, 1, 1, i FROM n`, u.ID)
	force(t, s, `INSERT INTO cart_lines(user_id, sku_id, qty, seen_price, added_at)
		WITH RECURSIVE n(i) AS (SELECT 200 UNION ALL SELECT i + 1 FROM n WHERE i < 239) SELECT ?, i, 1, 1, i FROM n`, guest.ID)
	if _, err := s.SignIn(ctx, *u.AppID, *u.OpenID, guest.ID); err != nil {
		t.Fatal(err)
	}
	if n, oldest := count(t, s, `SELECT count(*) FROM cart_lines`), count(t, s, `SELECT min(sku_id) FROM cart_lines`); n != MaxLines || oldest != 130 {
		t.Errorf("%d lines, oldest %d", n, oldest)
	}
}

func TestClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, u := shop(t, 20, Options{})
		ctx := t.Context()
		guest, err := s.CreateGuest(ctx)
		if err != nil {
			t.Fatal(err)
		}
		o, _ := place(t, s, checkout(guest.ID, "a", Line{1, 1}))
		place(t, s, checkout(guest.ID, "b", Line{1, 1}))
		claim := func(hash string, order int64) {
			t.Helper()
			if err := s.CreateClaim(ctx, Claim{Hash: hash, OrderID: order, ExpiresAt: At(time.Now().Add(30 * time.Minute))}); err != nil {
				t.Fatal(err)
			}
		}
		claim("c1", o.ID)
		if got, err := s.ClaimedOrder(ctx, "c1"); err != nil || got.No != o.No || len(got.Items) != 1 {
			t.Errorf("%+v %v", got, err)
		}
		var won atomic.Int64
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				no, err := s.UseClaim(ctx, "c1", u.ID)
				if err == nil && no == o.No {
					won.Add(1)
				} else if !errors.Is(err, ErrNotFound) {
					t.Errorf("%q %v", no, err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("used %d times", won.Load())
		}
		if os, _ := s.Orders(ctx, u.ID, "", 0, 10); len(os) != 1 || os[0].No != o.No {
			t.Errorf("%+v", os)
		}
		if _, err := s.ClaimedOrder(ctx, "c1"); !errors.Is(err, ErrNotFound) {
			t.Errorf("used: %v", err)
		}
		claim("c2", o.ID)
		if _, err := s.UseClaim(ctx, "c2", u.ID); err != nil {
			t.Errorf("one's own order: %v", err)
		}
		claim("c3", o.ID)
		if _, err := s.UseClaim(ctx, "c3", guest.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("took the order of a user: %v", err)
		}
		time.Sleep(30 * time.Minute)
		if _, err := s.UseClaim(ctx, "c3", u.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("expired: %v", err)
		}
		if n := count(t, s, `SELECT count(*) FROM events WHERE kind = 'claimed'`); n != 1 {
			t.Errorf("%d events", n)
		}
	})
}

func TestCart(t *testing.T) {
	s, u := shop(t, 20, Options{})
	ctx := t.Context()
	for _, tt := range []struct {
		name     string
		call     func(context.Context, int64, int64, int64) error
		sku, qty int64
		want     int64 // of that SKU afterwards; -1: refused
	}{
		{"add", s.AddToCart, 1, 2, 2},
		{"add more", s.AddToCart, 1, 3, 5},
		{"add too much", s.AddToCart, 1, 98, 99},
		{"add a huge number", s.AddToCart, 1, 1 << 62, 99},
		{"set", s.SetCart, 1, 4, 4},
		{"set too much", s.SetCart, 1, 500, 99},
		{"set another", s.SetCart, 2, 1, 1},
		{"add nothing", s.AddToCart, 1, 0, -1},
		{"add less than nothing", s.AddToCart, 1, -1, -1},
		{"set less than nothing", s.SetCart, 1, -1, -1},
		{"remove", s.SetCart, 1, 0, 0},
		{"remove what is not there", s.SetCart, 3, 0, 0},
		{"unknown", s.AddToCart, 99, 1, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.call(ctx, u.ID, tt.sku, tt.qty)
			if (err != nil) != (tt.want < 0) {
				t.Fatalf("got %v", err)
			}
			if tt.want < 0 {
				return
			}
			if got := count(t, s, `SELECT coalesce(sum(qty), 0) FROM cart_lines WHERE user_id = ? AND sku_id = ?`, u.ID, tt.sku); got != tt.want {
				t.Errorf("%d in the cart", got)
			}
		})
	}
	cart, err := s.Cart(ctx, u.ID)
	if err != nil || len(cart) != 1 || cart[0].SeenPrice != 16800 || cart[0].Product.Slug != "longjing" || cart[0].SKU.Code != "LJ-100" {
		t.Errorf("%+v %v", cart, err)
	}
	force(t, s, `INSERT INTO cart_lines(user_id, sku_id, qty, seen_price, added_at)
		WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 148) SELECT ?, i, 1, 1, i FROM n`, u.ID)
	var e *InputError
	if err := s.AddToCart(ctx, u.ID, 1, 1); !errors.As(err, &e) {
		t.Errorf("line 51: %v", err)
	}
	if err := s.AddToCart(ctx, u.ID, 2, 1); err != nil {
		t.Errorf("more of line 50: %v", err)
	}
}

func TestStaff(t *testing.T) {
	s := openStore(t, Options{})
	ctx := t.Context()
	if n, err := s.StaffCount(ctx); err != nil || n != 0 {
		t.Errorf("%d %v", n, err)
	}
	if err := s.CreateStaff(ctx, Staff{Name: "owner", Role: "owner", Password: "phc", MustChange: true}); err != nil {
		t.Fatal(err)
	}
	var e *InputError
	if err := s.CreateStaff(ctx, Staff{Name: "owner"}); !errors.As(err, &e) {
		t.Errorf("the same name: %v", err)
	}
	x, err := s.Staff(ctx, "owner")
	if err != nil || x.Role != "owner" || !x.MustChange || x.CreatedAt.IsZero() {
		t.Fatalf("%+v %v", x, err)
	}
	if err := s.SetPassword(ctx, x.ID, "new", false); err != nil {
		t.Fatal(err)
	}
	if x, err = s.StaffByID(ctx, x.ID); err != nil || x.Password != "new" || x.MustChange {
		t.Errorf("%+v %v", x, err)
	}
	for _, err := range []error{s.SetPassword(ctx, 99, "x", false), second(s.Staff(ctx, "nobody")), second(s.StaffByID(ctx, 99))} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("unknown: %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, Options{})
		ctx := t.Context()
		wait := func() time.Duration {
			t.Helper()
			until, err := s.Throttled(ctx, "key")
			if err != nil {
				t.Fatal(err)
			}
			if until.IsZero() {
				return 0
			}
			return until.Sub(time.Now())
		}
		for i, want := range []time.Duration{0, 0, 0, 0, 0, 10, 20, 40, 60, 60, 60} {
			if err := s.Fail(ctx, "key"); err != nil {
				t.Fatal(err)
			}
			if got := wait(); got != want*time.Second {
				t.Errorf("after failure %d: %v", i+1, got)
			}
			time.Sleep(wait())
		}
		if wait() != 0 {
			t.Error("the wait does not end")
		}
		time.Sleep(15 * time.Minute)
		if err := s.Fail(ctx, "key"); err != nil || wait() != 0 {
			t.Errorf("a quarter of an hour later: %v %v", wait(), err)
		}
		for range 6 {
			s.Fail(ctx, "key")
		}
		if wait() == 0 {
			t.Error("no wait")
		}
		if err := s.Forgive(ctx, "key"); err != nil || wait() != 0 {
			t.Errorf("forgiven: %v %v", wait(), err)
		}
	})
}

func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, Options{})
		ctx := t.Context()
		try := func(holder string, want bool) {
			t.Helper()
			if ok, err := s.Lease(ctx, "chase", holder, time.Minute); err != nil || ok != want {
				t.Errorf("%s: %v %v", holder, ok, err)
			}
		}
		try("a", true)
		try("b", false)
		time.Sleep(40 * time.Second)
		try("a", true)
		time.Sleep(40 * time.Second)
		try("b", false)
		time.Sleep(20 * time.Second)
		try("b", true)
		if err := s.Release(ctx, "chase", "a"); err != nil {
			t.Error(err)
		}
		try("a", false)
		if err := s.Release(ctx, "chase", "b"); err != nil {
			t.Error(err)
		}
		try("a", true)
	})
}

func TestCatalogue(t *testing.T) {
	s := openStore(t, Options{})
	ctx := t.Context()
	v := s.CatalogVersion()
	seed(t, s, 5)
	if s.CatalogVersion() == v {
		t.Error("the version did not change with the products")
	}
	if ok, err := s.SeedIfEmpty(ctx, sampleSeed(9)); err != nil || ok {
		t.Errorf("seeded twice: %v", err)
	}
	if cs, err := s.Categories(ctx); err != nil || len(cs) != 1 || cs[0].NameZH != "绿茶" {
		t.Errorf("%+v %v", cs, err)
	}
	p, err := s.Product(ctx, "longjing")
	if err != nil || len(p.SKUs) != 2 || p.SKUs[1].Values[0] != "100g" || p.Options[0].Values[1].ZH != "100 克" || p.Pictures[0] != "longjing.svg" {
		t.Errorf("%+v %v", p, err)
	}
	for _, tt := range []struct {
		name string
		find Find
		want string
	}{
		{"all", Find{}, "longjing jasmine"},
		{"category", Find{Category: "green"}, "longjing jasmine"},
		{"no such category", Find{Category: "x"}, ""},
		{"Chinese", Find{Query: "龙井"}, "longjing"},
		{"English, two words", Find{Query: " bud LONG "}, "longjing"},
		{"percent is a character", Find{Query: "%"}, ""}, // I13
		{"underscore is a character", Find{Query: "_"}, ""},
		{"backslash is a character", Find{Query: `\`}, ""},
		{"quotes", Find{Query: `' OR 1=1--`}, ""}, // X20
		{"category in quotes", Find{Category: `' OR '1'='1`}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ps, err := s.Products(ctx, tt.find)
			var got []string
			for _, p := range ps {
				got = append(got, p.Slug)
			}
			if err != nil || strings.Join(got, " ") != tt.want {
				t.Errorf("%v %v", got, err)
			}
		})
	}
	v = s.CatalogVersion()
	o, _ := place(t, s, checkout(1, "a", Line{1, 1}))
	if s.CatalogVersion() == v {
		t.Error("the version did not change with the stock")
	}
	v = s.CatalogVersion()
	if err := s.AddNote(ctx, o.No, "staff:owner", "hello"); err != nil || s.CatalogVersion() != v {
		t.Errorf("a note changes no product: %v", err)
	}
	force(t, s, `UPDATE products SET active = 0 WHERE slug = 'longjing'`)
	if _, err := s.Product(ctx, "longjing"); !errors.Is(err, ErrNotFound) {
		t.Errorf("inactive: %v", err)
	}
}

// P15: an order is its owner's; another's is like an unknown one.
func TestOrdersHaveOwners(t *testing.T) {
	s, u := shop(t, 20, Options{})
	ctx := t.Context()
	o, _ := place(t, s, checkout(u.ID, "a", Line{1, 1}))
	b, err := s.SignIn(ctx, "wx1", "b", 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"read":            second(s.Order(ctx, b.ID, o.No)),
		"status":          second(s.Status(ctx, b.ID, o.No)),
		"confirm":         s.Confirm(ctx, b.ID, o.No, "shopper"),
		"read unknown":    second(s.Order(ctx, b.ID, "26112000000000000000")),
		"status unknown":  second(s.Status(ctx, b.ID, "26112000000000000000")),
		"confirm unknown": s.Confirm(ctx, b.ID, "26112000000000000000", "shopper"),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if os, err := s.Orders(ctx, b.ID, "", 0, 10); err != nil || len(os) != 0 {
		t.Errorf("%+v %v", os, err)
	}
	if _, err := s.AnyOrder(ctx, o.No); err != nil {
		t.Error(err)
	}
}

func TestOrderListsAndSearch(t *testing.T) {
	s, u := shop(t, 500, Options{})
	ctx := t.Context()
	var os []*Order
	var ps []*Payment
	for i := range 7 {
		n := checkout(u.ID, fmt.Sprint(i), Line{1, 1}, Line{3, 1})
		n.Receiver.Phone = fmt.Sprintf("1380000000%d", i)
		o, p := place(t, s, n)
		os, ps = append(os, o), append(ps, p)
	}
	apply(t, s, pays(ps[6], "4200006"), OutcomePaid)
	apply(t, s, pays(ps[5], "4200005"), OutcomePaid)
	if err := s.Ship(ctx, os[5].No, "顺丰", "SF5", "staff:owner"); err != nil {
		t.Fatal(err)
	}
	force(t, s, `UPDATE orders SET tracking_no = 'zto-5a' WHERE id = ?`, os[4].ID)
	if err := s.CloseOrder(ctx, os[0].ID, ByShopper, "shopper", ""); err != nil {
		t.Fatal(err)
	}
	apply(t, s, pays(ps[0], "4200000"), OutcomeLate)
	refund, err := s.PendingRefunds(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		f    OrderFilter
		want []int
	}{
		{"all", OrderFilter{}, []int{6, 5, 4, 3, 2, 1, 0}},
		{"first page", OrderFilter{Limit: 2}, []int{6, 5}},
		{"next page", OrderFilter{Limit: 2, Before: os[5].ID}, []int{4, 3}},
		{"state", OrderFilter{State: Unpaid}, []int{4, 3, 2, 1}},
		{"state, next page", OrderFilter{State: Unpaid, Before: os[3].ID, Limit: 1}, []int{2}},
		{"order number", OrderFilter{Query: os[2].No}, []int{2}},
		{"order number in small letters", OrderFilter{Query: " " + strings.ToLower(os[2].No)}, []int{2}},
		{"out_trade_no", OrderFilter{Query: ps[3].OutTradeNo}, []int{3}},
		{"transaction", OrderFilter{Query: "4200006"}, []int{6}},
		{"phone", OrderFilter{Query: "13800000004"}, []int{4}},
		{"tracking number", OrderFilter{Query: "SF5"}, []int{5}},
		{"tracking number as it was typed", OrderFilter{Query: "zto-5a"}, []int{4}},
		{"refund", OrderFilter{Query: refund[0].OutRefundNo}, []int{0}},
		{"another state", OrderFilter{Query: "SF5", State: Paid}, nil},
		{"nothing", OrderFilter{Query: "x"}, nil},
		{"hostile", OrderFilter{Query: `' OR 1=1--`}, nil}, // X20
	} {
		t.Run(tt.name, func(t *testing.T) {
			rows, err := s.FindOrders(ctx, tt.f)
			if err != nil || len(rows) != len(tt.want) {
				t.Fatalf("%d rows, want %v (%v)", len(rows), tt.want, err)
			}
			for i, w := range tt.want {
				if rows[i].No != os[w].No || len(rows[i].Items) != 2 || rows[i].Items[0].SKUID != 1 {
					t.Errorf("row %d is %+v", i, rows[i])
				}
				if want := int64(0); w == 0 && rows[i].Refunds != 1 || w != 0 && rows[i].Refunds != want {
					t.Errorf("row %d has %d refunds", i, rows[i].Refunds)
				}
			}
		})
	}
	want := fmt.Sprint(map[State]int64{Unpaid: 4, Paid: 1, Shipped: 1, Closed: 1})
	if got, err := s.StateCounts(ctx); err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v %v", got, err)
	}
	if got, err := s.OrderCounts(ctx, u.ID); err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v %v", got, err)
	}
	mine, err := s.Orders(ctx, u.ID, Unpaid, os[4].ID, 2)
	if err != nil || len(mine) != 2 || mine[0].No != os[3].No || mine[1].No != os[2].No || len(mine[0].Items) != 2 {
		t.Errorf("%+v %v", mine, err)
	}
	due, err := s.DueToConfirm(ctx, time.Now().Add(time.Hour), 10)
	if err != nil || len(due) != 1 || due[0].No != os[5].No {
		t.Errorf("%+v %v", due, err)
	}
	if err := s.Confirm(ctx, 0, os[5].No, "loop"); err != nil {
		t.Error(err)
	}
	if err := s.Confirm(ctx, 0, os[5].No, "loop"); !errors.Is(err, ErrBadMove) {
		t.Errorf("twice: %v", err)
	}
	if err := s.Ship(ctx, os[4].No, "x", "y", "staff:owner"); !errors.Is(err, ErrBadMove) {
		t.Errorf("shipped unpaid: %v", err)
	}
}

func TestNote(t *testing.T) {
	s, u := shop(t, 20, Options{})
	o, _ := place(t, s, checkout(u.ID, "a", Line{1, 1}))
	if err := s.AddNote(t.Context(), o.No, "staff:owner", "call first 📞"); err != nil {
		t.Fatal(err)
	}
	d, err := s.Dossier(t.Context(), o.No)
	if err != nil || d.Events[1].Note != "call first 📞" || d.User.ID != u.ID {
		t.Errorf("%+v %v", d, err)
	}
	if err := s.AddNote(t.Context(), "x", "staff:owner", ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}
