package models

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wxshop/models/modelstest"
)

// replicas are three programs on one server; on SQLite, which has one program,
// three names of it.
func replicas(t testing.TB, stock int64) [3]*Store {
	t.Helper()
	c := prepared(t)
	var all [3]*Store
	for i := range all {
		if i > 0 && c.Driver == "sqlite" {
			all[i] = all[0]
			continue
		}
		all[i] = openWith(t, c, Options{})
	}
	seed(t, all[0], stock)
	return all
}

// Product.md 7a on many machines: 400 orders at once, 50 things.
func TestReplicasNeverOversell(t *testing.T) {
	all := replicas(t, 50)
	var sold, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 400 {
		wg.Go(func() {
			_, _, _, err := all[i%3].CreateOrder(t.Context(), checkout(int64(i+1), "crowd", Line{1, 1}, Line{2 + int64(i%2), 1}))
			var e *StockError
			switch {
			case err == nil:
				sold.Add(1)
			case errors.As(err, &e):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if sold.Load() != 50 || refused.Load() != 350 || stockOf(t, all[0], 1) != 0 {
		t.Errorf("%d sold, %d refused, %d left", sold.Load(), refused.Load(), stockOf(t, all[0], 1))
	}
	if n := stockOf(t, all[1], 2) + stockOf(t, all[1], 3); n != 50 {
		t.Errorf("%d left of the others: what a refused order wanted must stay", n)
	}
	counts, err := all[2].StateCounts(t.Context())
	if err != nil || counts[Unpaid] != 50 || len(counts) != 1 {
		t.Errorf("counts %v %v", counts, err)
	}
}

// 7b: 40 submits of one form, through all replicas: one order.
func TestReplicasTakeOneSubmit(t *testing.T) {
	all := replicas(t, 50)
	var fresh atomic.Int64
	numbers := make([]string, 40)
	var wg sync.WaitGroup
	for i := range numbers {
		wg.Go(func() {
			o, _, repeated, err := all[i%3].CreateOrder(t.Context(), checkout(7, "once", Line{1, 1}))
			if err != nil {
				t.Error(err)
				return
			}
			if numbers[i] = o.No; !repeated {
				fresh.Add(1)
			}
		})
	}
	wg.Wait()
	for _, no := range numbers {
		if no != numbers[0] {
			t.Errorf("two orders: %s and %s", no, numbers[0])
		}
	}
	if fresh.Load() != 1 || stockOf(t, all[0], 1) != 49 {
		t.Errorf("%d first submits, stock %d", fresh.Load(), stockOf(t, all[0], 1))
	}
}

// 7c: one payment told a hundred times by all replicas, while others close the
// order: one event of payment, and money where the order says it is.
func TestReplicasSettleOnce(t *testing.T) {
	all := replicas(t, 50)
	_, p := place(t, all[0], checkout(7, "told", Line{1, 2}))
	outcomes := map[Outcome]*atomic.Int64{OutcomePaid: {}, OutcomeRepeated: {}, OutcomeRevived: {}}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			out, _, err := all[i%3].ApplyPaid(t.Context(), pays(p, "4200000001202611200000000001"))
			if err != nil || outcomes[out] == nil {
				t.Errorf("told: %v %v", out, err)
				return
			}
			outcomes[out].Add(1)
		})
		if i%10 == 0 {
			wg.Go(func() {
				err := all[(i+1)%3].CloseOrder(t.Context(), p.OrderID, ByTimeout, "loop", "")
				if err != nil && !errors.Is(err, ErrStale) && !errors.Is(err, ErrBadMove) {
					t.Errorf("close: %v", err)
				}
			})
		}
	}
	wg.Wait()
	first := outcomes[OutcomePaid].Load() + outcomes[OutcomeRevived].Load()
	if first != 1 || outcomes[OutcomeRepeated].Load() != 99 {
		t.Errorf("%d first, %d repeated", first, outcomes[OutcomeRepeated].Load())
	}
	if n := count(t, all[0], `SELECT count(*) FROM events WHERE kind IN ('paid', 'revived')`); n != 1 {
		t.Errorf("%d events", n)
	}
	if left := stockOf(t, all[0], 1); left != 48 {
		t.Errorf("stock %d", left)
	}
}

// Refunds asked for through all replicas never add up to more than was paid.
func TestReplicasCapRefunds(t *testing.T) {
	all := replicas(t, 50)
	_, p := place(t, all[0], checkout(7, "back", Line{1, 1}))
	if _, _, err := all[0].ApplyPaid(t.Context(), pays(p, "4200000001202611200000000002")); err != nil {
		t.Fatal(err)
	}
	var made atomic.Int64
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			_, _, err := all[i%3].CreateRefund(t.Context(), NewRefund{OutTradeNo: p.OutTradeNo, Amount: p.Total / 4, Token: fmt.Sprint("r", i), Actor: "staff:a"})
			var limit *CapError
			if err == nil {
				made.Add(1)
			} else if !errors.As(err, &limit) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if sum := count(t, all[0], `SELECT sum(amount) FROM refunds`); made.Load() != 4 || sum > int64(p.Total) {
		t.Errorf("%d refunds, %d of %d", made.Load(), sum, p.Total)
	}
}

// Whoever is first: a lease, a trip to WeChat, a claim, an attempt to pay.
func TestReplicasShareTurns(t *testing.T) {
	all := replicas(t, 50)
	ctx := t.Context()
	guest, err := all[0].CreateGuest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	n := checkout(guest.ID, "claimed", Line{1, 1})
	n.Payment = nil
	o, _ := place(t, all[0], n)
	soon := At(time.Now().Add(time.Hour))
	if err := all[0].PutOAuthState(ctx, OAuthState{Hash: "state", SessionHash: "s", CreatedAt: At(time.Now()), ExpiresAt: soon}); err != nil {
		t.Fatal(err)
	}
	if err := all[0].CreateClaim(ctx, Claim{Hash: "claim", OrderID: o.ID, ExpiresAt: soon}); err != nil {
		t.Fatal(err)
	}
	var leases, trips, claims atomic.Int64
	attempts := sync.Map{}
	var wg sync.WaitGroup
	for i := range 12 {
		s := all[i%3]
		wg.Go(func() {
			if ok, err := s.Lease(ctx, "expire", fmt.Sprint(i), time.Minute); err != nil {
				t.Error(err)
			} else if ok {
				leases.Add(1)
			}
		})
		wg.Go(func() {
			if _, err := s.TakeOAuthState(ctx, "state", "s"); err == nil {
				trips.Add(1)
			} else if !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if _, err := s.UseClaim(ctx, "claim", int64(1000+i)); err == nil {
				claims.Add(1)
			} else if !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
		})
		wg.Go(func() {
			p, err := s.OpenPayment(ctx, o.ID, *wechatPay())
			if err != nil {
				t.Error(err)
				return
			}
			attempts.Store(p.OutTradeNo, true)
		})
	}
	wg.Wait()
	different := 0
	attempts.Range(func(any, any) bool { different++; return true })
	if leases.Load() != 1 || trips.Load() != 1 || claims.Load() != 1 || different != 1 {
		t.Errorf("%d leases, %d trips, %d claims, %d attempts; want one of each", leases.Load(), trips.Load(), claims.Load(), different)
	}
}

// What another program sold shows here within about a second.
func TestReplicasSeeTheCatalogue(t *testing.T) {
	if modelstest.Driver() == "sqlite" {
		t.Skip("one program has one counter")
	}
	all := replicas(t, 50)
	before := all[1].CatalogVersion()
	place(t, all[0], checkout(7, "sold", Line{1, 1}))
	time.Sleep(glances + 100*time.Millisecond)
	if all[1].CatalogVersion() == before {
		t.Error("the other program does not know")
	}
	before = all[1].CatalogVersion()
	time.Sleep(glances + 100*time.Millisecond)
	if all[1].CatalogVersion() != before {
		t.Error("nothing changed, and the pages are drawn anew")
	}
}
