package models

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

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
	force(t, s, `UPDATE products SET active = FALSE WHERE slug = 'longjing'`)
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
