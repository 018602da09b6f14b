package models

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"wxshop/models/modelstest"
)

func TestPlaceAndPay(t *testing.T) {
	s, u := shop(t, 5, Options{})
	ctx := t.Context()
	n := checkout(u.ID, "token", Line{1, 2}, Line{3, 1})
	o, p := place(t, s, n)
	if o.GoodsTotal != 25400 || o.DeliveryFee != 0 || o.Total != 25400 {
		t.Errorf("totals: %+v", o)
	}
	if o.Items[0].OptionZH != "50 克" || o.Items[0].Picture != "longjing.svg" || o.Items[1].OptionZH != "" {
		t.Errorf("items: %+v", o.Items)
	}
	got, err := s.Order(ctx, u.ID, o.No)
	if err != nil || len(got.Items) != 2 || got.Items[1].ID != o.Items[1].ID {
		t.Errorf("order: %+v %v", got, err)
	}
	if stockOf(t, s, 1) != 3 || stockOf(t, s, 3) != 4 {
		t.Error("stock was not taken")
	}
	if err := s.MarkPrepaid(ctx, p.ID, Prepay{ID: "wx123", Until: s.now()}, nil); err != nil {
		t.Fatal(err)
	}
	st, err := s.Status(ctx, u.ID, o.No)
	if err != nil || !st.Live || !st.Prepaid || st.State != Unpaid {
		t.Errorf("status: %+v %v", st, err)
	}
	out, paid, err := s.ApplyPaid(ctx, pays(p, "420001"))
	if err != nil || out != OutcomePaid || paid.State != Paid {
		t.Fatalf("paid: %v %+v %v", out, paid, err)
	}
	d, err := s.Dossier(ctx, o.No)
	if err != nil || len(d.Events) != 3 || len(d.Payments) != 1 || d.Payments[0].State != PayPaid || d.Payments[0].LiveOrderID != nil {
		t.Errorf("dossier: %+v %v", d, err)
	}
	if err := s.Ship(ctx, o.No, "顺丰速运", "SF123", "staff:owner"); err != nil {
		t.Fatal(err)
	}
	if err := s.Confirm(ctx, u.ID, o.No, "shopper"); err != nil {
		t.Fatal(err)
	}
	rows, err := s.FindOrders(ctx, OrderFilter{Query: "sf123"})
	if err != nil || len(rows) != 1 || rows[0].State != Done || len(rows[0].Items) != 2 {
		t.Errorf("find: %+v %v", rows, err)
	}
}

func TestCreateOrderRefuses(t *testing.T) {
	s, u := shop(t, 5, Options{})
	force(t, s, `UPDATE products SET active = FALSE WHERE slug = 'jasmine'`)
	var many []Line
	for range MaxLines + 1 {
		many = append(many, Line{1, 1})
	}
	with := func(change func(*NewOrder)) NewOrder {
		n := checkout(u.ID, "refused", Line{1, 1})
		change(&n)
		return n
	}
	input := func(err error) bool { var e *InputError; return errors.As(err, &e) }
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	stock := func(left int64) func(error) bool {
		return func(err error) bool { var e *StockError; return errors.As(err, &e) && e.Left == left }
	}
	for _, tt := range []struct {
		name string
		n    NewOrder
		want func(error) bool
	}{
		{"no lines, empty cart", with(func(n *NewOrder) { n.Lines = nil }), is(ErrEmptyCart)},
		{"no token", with(func(n *NewOrder) { n.FormToken = "" }), input},
		{"token too long", with(func(n *NewOrder) { n.FormToken = strings.Repeat("x", 65) }), input},
		{"nobody", with(func(n *NewOrder) { n.UserID = 0 }), input},
		{"no time to pay", with(func(n *NewOrder) { n.Expire = 0 }), input},
		{"zero", with(func(n *NewOrder) { n.Lines[0].Qty = 0 }), input},      // P12
		{"negative", with(func(n *NewOrder) { n.Lines[0].Qty = -1 }), input}, // P12
		{"100", with(func(n *NewOrder) { n.Lines[0].Qty = 100 }), input},
		{"2^63-1", with(func(n *NewOrder) { n.Lines[0].Qty = math.MaxInt64 }), input},
		{"same SKU twice, too much together", with(func(n *NewOrder) { n.Lines = []Line{{1, 60}, {1, 60}} }), input},
		{"same SKU twice, more than there is", with(func(n *NewOrder) { n.Lines = []Line{{1, 3}, {1, 3}} }), stock(5)},
		{"51 lines", with(func(n *NewOrder) { n.Lines = many }), input},
		{"more than there is", with(func(n *NewOrder) { n.Lines[0].Qty = 6 }), stock(5)},
		{"not sold any more", with(func(n *NewOrder) { n.Lines[0].SKUID = 3 }), stock(0)},
		{"unknown SKU", with(func(n *NewOrder) { n.Lines[0].SKUID = 99 }), is(ErrNotFound)},
		{"negative fee", with(func(n *NewOrder) { n.DeliveryFee = -9801; n.FreeFrom = 0 }), input},
		{"fee that overflows", with(func(n *NewOrder) { n.DeliveryFee = math.MaxInt64; n.FreeFrom = 0 }), input},
		{"too dear", with(func(n *NewOrder) { n.DeliveryFee = maxTotal; n.FreeFrom = 0 }), input},
		{"price changed", with(func(n *NewOrder) { n.Expected = 1 }), func(err error) bool { // P11
			var e *PriceError
			return errors.As(err, &e) && *e == PriceError{Expected: 1, Now: 10600}
		}},
		{"panic in the description", with(func(n *NewOrder) { n.Payment.Describe = func(*Order) string { panic("no") } }),
			func(err error) bool { return strings.Contains(err.Error(), "panicked") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := dump(t, s)
			o, p, _, err := s.CreateOrder(t.Context(), tt.n)
			if err == nil || !tt.want(err) || o != nil || p != nil {
				t.Errorf("got %v, %v, %v", o, p, err)
			}
			if dump(t, s) != before {
				t.Error("a refused order changed the database")
			}
		})
	}
	if s.c != nil && s.Stats().Rollbacks != 0 {
		t.Error("refusals came after the first write")
	}
}

// dump is what orders can change, to compare.
func dump(t testing.TB, s *Store) string {
	t.Helper()
	var all []string
	for _, q := range []string{
		`SELECT id, stock FROM skus ORDER BY id`, `SELECT sku_id, qty FROM cart_lines ORDER BY user_id, sku_id`,
		`SELECT 0, count(*) FROM orders`, `SELECT 0, count(*) FROM order_items`, `SELECT 0, count(*) FROM events`, `SELECT 0, count(*) FROM payments`,
	} {
		rows, err := s.rows(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var id, n int64
			if err := rows.Scan(&id, &n); err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("%d:%d", id, n))
		}
	}
	return strings.Join(all, " ")
}

func TestDeliveryFee(t *testing.T) {
	s, u := shop(t, 50, Options{})
	for _, tt := range []struct {
		name            string
		qty             int64
		fee, free, want Fen
	}{
		{"below the limit", 1, 800, 9900, 10600},
		{"at the limit", 1, 800, 9800, 9800},
		{"above the limit", 2, 800, 9900, 19600},
		{"never free", 2, 800, 0, 20400},
		{"no fee", 1, 0, 9900, 9800},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := checkout(u.ID, tt.name, Line{1, tt.qty})
			n.DeliveryFee, n.FreeFrom, n.Expected = tt.fee, tt.free, tt.want
			o, p := place(t, s, n)
			if o.Total != tt.want || o.GoodsTotal+o.DeliveryFee != o.Total || p.Total != o.Total {
				t.Errorf("total %s (goods %s, fee %s), attempt %s", o.Total, o.GoodsTotal, o.DeliveryFee, p.Total)
			}
		})
	}
}

// P14: forty taps at once are one order, whoever of them comes first.
func TestOneTokenOneOrder(t *testing.T) {
	s, u := shop(t, 100, Options{})
	var fresh atomic.Int64
	numbers := make([]string, 40)
	payments := make([]string, 40)
	var wg sync.WaitGroup
	for i := range numbers {
		wg.Go(func() {
			o, p, repeated, err := s.CreateOrder(t.Context(), checkout(u.ID, "same", Line{1, 2}))
			if err != nil {
				t.Error(err)
				return
			}
			if !repeated {
				fresh.Add(1)
			}
			numbers[i], payments[i] = o.No, p.OutTradeNo
			o.Items[0].Qty = int64(i) // every caller has a copy of its own
		})
	}
	wg.Wait()
	slices.Sort(numbers)
	slices.Sort(payments)
	if fresh.Load() != 1 || numbers[0] != numbers[39] || payments[0] != payments[39] {
		t.Errorf("%d orders, numbers %v", fresh.Load(), slices.Compact(numbers))
	}
	if left := stockOf(t, s, 1); left != 98 || count(t, s, `SELECT count(*) FROM orders`) != 1 || count(t, s, `SELECT count(*) FROM events`) != 1 {
		t.Errorf("stock %d", left)
	}
	// Much later, also when there is nothing left to buy.
	force(t, s, `UPDATE skus SET stock = 0`)
	o, _, repeated, err := s.CreateOrder(t.Context(), checkout(u.ID, "same", Line{1, 2}))
	if err != nil || !repeated || o.No != numbers[0] || len(o.Items) != 1 || o.Items[0].Qty != 2 {
		t.Errorf("later: %+v %v %v", o, repeated, err)
	}
	// A token is its user's own.
	other, err := s.CreateGuest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	force(t, s, `UPDATE skus SET stock = 9`)
	if o, _, repeated, err := s.CreateOrder(t.Context(), checkout(other.ID, "same", Line{1, 2})); err != nil || repeated || o.No == numbers[0] {
		t.Errorf("another user's: %v %v", repeated, err)
	}
}

// P13: 400 buyers at once, 50 things.
func TestStockNeverOversold(t *testing.T) {
	s, _ := shop(t, 50, Options{})
	var sold, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 400 {
		wg.Go(func() {
			_, _, _, err := s.CreateOrder(t.Context(), checkout(int64(i+1), "crowd", Line{1, 1}))
			var e *StockError
			switch {
			case err == nil:
				sold.Add(1)
			case errors.As(err, &e) && e.SKUID == 1 && e.Name == "明前龙井 50 克":
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if sold.Load() != 50 || refused.Load() != 350 || stockOf(t, s, 1) != 0 {
		t.Errorf("%d sold, %d refused, %d left", sold.Load(), refused.Load(), stockOf(t, s, 1))
	}
	if n := count(t, s, `SELECT sum(qty) FROM order_items WHERE sku_id = 1`); n != 50 {
		t.Errorf("items add up to %d", n)
	}
	if s.c != nil && s.Stats().Rollbacks != 0 {
		t.Error("a sold-out product rolled its neighbours back")
	}
}

// In one commit each order sees what the ones before it took.
func TestOrdersOfOneCommit(t *testing.T) {
	modelstest.SQLiteOnly(t, "it is about the group commit")
	s, u := shop(t, 3, Options{})
	type result struct {
		o   *Order
		err error
	}
	results := make([]result, 4)
	order := func(i int, token string, lines ...Line) func() {
		return func() {
			o, _, _, err := s.CreateOrder(t.Context(), checkout(u.ID, token, lines...))
			results[i] = result{o, err}
		}
	}
	oneBatch(t, s, order(0, "a", Line{1, 2}), order(1, "b", Line{3, 1}, Line{1, 2}), order(2, "c", Line{1, 1}), order(3, "d", Line{1, 1}, Line{3, 3}))
	var e *StockError
	if results[0].err != nil || results[2].err != nil {
		t.Errorf("the first and the third fit: %v, %v", results[0].err, results[2].err)
	}
	if !errors.As(results[1].err, &e) || e.Left != 1 || !errors.As(results[3].err, &e) || e.Left != 0 {
		t.Errorf("the second and the fourth do not: %v, %v", results[1].err, results[3].err)
	}
	if stockOf(t, s, 1) != 0 || stockOf(t, s, 3) != 3 {
		t.Errorf("stock %d and %d: what a refused order wanted must stay", stockOf(t, s, 1), stockOf(t, s, 3))
	}
	for _, r := range []result{results[0], results[2]} {
		got, err := s.Order(t.Context(), u.ID, r.o.No)
		if err != nil || got.ID != r.o.ID || len(got.Items) != 1 || got.Items[0] != r.o.Items[0] {
			t.Errorf("stored %+v, told %+v (%v)", got, r.o, err)
		}
	}
}

// The neighbours of an order in one commit may be of any kind, and one that
// fails after it wrote does not cost the order.
func TestOrderBesideAFailure(t *testing.T) {
	s, u := shop(t, 3, Options{})
	oneBatch(t, s, func() { place(t, s, checkout(u.ID, "a", Line{1, 1})) }, func() {
		s.write(t.Context(), func(tx *Tx) error { note(s, "bad")(tx); return errors.New("no") })
	}, func() { place(t, s, checkout(u.ID, "b", Line{1, 1})) })
	if s.c != nil && s.Stats().Rollbacks != 1 || stockOf(t, s, 1) != 1 || count(t, s, `SELECT count(*) FROM orders`) != 2 || notes(t, s) != 0 {
		t.Errorf("%d rollbacks, stock %d", s.Stats().Rollbacks, stockOf(t, s, 1))
	}
}

func TestCartBecomesOrder(t *testing.T) {
	s, u := shop(t, 9, Options{})
	ctx := t.Context()
	for _, l := range []Line{{1, 2}, {2, 1}, {3, 4}} {
		if err := s.AddToCart(ctx, u.ID, l.SKUID, l.Qty); err != nil {
			t.Fatal(err)
		}
	}
	o, _ := place(t, s, checkout(u.ID, "some", Line{2, 1})) // chosen out of the cart
	if n, _ := s.CartCount(ctx, u.ID); n != 6 || len(o.Items) != 1 {
		t.Errorf("%d things are left in the cart, %d items ordered", n, len(o.Items))
	}
	o, _ = place(t, s, checkout(u.ID, "all"))
	if n, _ := s.CartCount(ctx, u.ID); n != 0 || len(o.Items) != 2 || o.GoodsTotal != 2*9800+4*5800 {
		t.Errorf("%d things are left in the cart, ordered %+v", n, o.Items)
	}
}

func TestAddressIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, u := shop(t, 9, Options{})
		if _, err := s.LastAddress(t.Context(), u.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v", err)
		}
		home, work := receiver, receiver
		work.Street = "文三路 9 号"
		for i, r := range []Receiver{home, work, home} {
			n := checkout(u.ID, fmt.Sprint(i), Line{1, 1})
			n.Receiver = r
			place(t, s, n)
			time.Sleep(time.Minute)
			if a, err := s.LastAddress(t.Context(), u.ID); err != nil || a.Receiver != r {
				t.Errorf("order %d: %+v %v", i, a, err)
			}
		}
	})
}

// A number that is taken is drawn again.
func TestNumberClash(t *testing.T) {
	s, u := shop(t, 9, Options{})
	o1, p1 := place(t, s, checkout(u.ID, "1", Line{1, 1}))
	taken := map[string]int{"": 2, "P": 4} // that many draws of each kind give the numbers of the first order
	setNumbers(s, func(prefix string, now time.Time) string {
		if taken[prefix]--; taken[prefix] < 0 {
			return number(prefix, now)
		}
		return map[string]string{"": o1.No, "P": p1.OutTradeNo}[prefix]
	})
	o2, p2 := place(t, s, checkout(u.ID, "2", Line{1, 1}))
	if o2.No == o1.No || p2.OutTradeNo == p1.OutTradeNo || stockOf(t, s, 1) != 7 {
		t.Errorf("%s %s", o2.No, p2.OutTradeNo)
	}
	if got, err := s.Order(t.Context(), u.ID, o2.No); err != nil || got.ID != o2.ID {
		t.Errorf("stored %+v %v", got, err)
	}
	setNumbers(s, func(string, time.Time) string { return o1.No }) // no chance left in the world
	if _, _, _, err := s.CreateOrder(t.Context(), checkout(u.ID, "3", Line{1, 1})); err == nil {
		t.Error("no error")
	}
	if stockOf(t, s, 1) != 7 {
		t.Error("the failed order took stock")
	}
}

func TestNumbers(t *testing.T) {
	at := time.Date(2026, 11, 19, 16, 0, 0, 0, time.UTC) // midnight in Beijing
	seen := make(map[string]bool)
	form := regexp.MustCompile(`^P261120[0-9A-HJKMNP-TV-Z]{16}$`)
	for range 1000 {
		n := number("P", at)
		if !form.MatchString(n) || seen[n] {
			t.Fatalf("%q", n)
		}
		seen[n] = true
	}
}

// P12: whatever is asked for, a total is at least its dearest line.
func TestTotalsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var lines []OrderItem
		for range rapid.IntRange(1, MaxLines).Draw(t, "lines") {
			lines = append(lines, OrderItem{
				Price: Fen(rapid.Int64().Draw(t, "price")),
				Qty:   rapid.Int64Range(1, MaxQty).Draw(t, "qty"),
			})
		}
		o := Order{Items: lines}
		n := NewOrder{DeliveryFee: Fen(rapid.Int64().Draw(t, "fee")), FreeFrom: Fen(rapid.Int64Range(0, 100000).Draw(t, "free"))}
		if o.total(n) != nil {
			return
		}
		if o.Total < 1 || o.Total > maxTotal {
			t.Fatalf("total %d was accepted", o.Total)
		}
		sum := new(big.Int)
		for _, i := range lines {
			sum.Add(sum, new(big.Int).Mul(big.NewInt(int64(i.Price)), big.NewInt(i.Qty)))
		}
		if sum.Add(sum, big.NewInt(int64(o.DeliveryFee))); !sum.IsInt64() || sum.Int64() != int64(o.Total) {
			t.Fatalf("total %d, must be %s", o.Total, sum)
		}
	})
}
