package models

import (
	"context"
	"errors"
	"fmt"
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
			return time.Until(until.Time)
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
