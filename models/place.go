package models

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// maxTotal is the dearest order: 100,000 yuan (security P12).
const maxTotal Fen = 10_000_000

// maxToken is the longest token of a form.
const maxToken = 64

// Line is what to buy.
type Line struct{ SKUID, Qty int64 }

// NewOrder is one submitted checkout.
type NewOrder struct {
	UserID      int64
	FormToken   string
	Lines       []Line // empty: the cart
	Receiver    Receiver
	Note        string
	Expected    Fen // the total that the shopper saw; 0: not shown
	DeliveryFee Fen
	FreeFrom    Fen // goods from here on are delivered free; 0: never
	Expire      time.Duration
	Source      Source
	Payment     *NewPayment // the first attempt, made in the same transaction; nil: later
}

// CreateOrder is TX1 of the checkout: order, items, stock, event, attempt, and
// the ordered lines leave the cart. The address is remembered by the order. A FormToken that this user
// used before gives the first order and repeated = true. It refuses with
// *StockError, *PriceError, *InputError, ErrEmptyCart before it writes
// anything.
func (s *Store) CreateOrder(ctx context.Context, n NewOrder) (o *Order, p *Payment, repeated bool, err error) {
	x := &placing{n: n}
	if x.lines, err = n.check(); err == nil {
		s.step(ctx)
		err = fresh(func() error { return s.do(ctx, &member{order: x}) })
	}
	if err != nil {
		return nil, nil, false, fmt.Errorf("create order: %w", told(err))
	}
	return x.o, x.p, x.repeated, nil
}

// check looks at what can be judged without the database, and gives the lines
// added up; none: the cart is meant.
func (n NewOrder) check() ([]Line, error) {
	if n.UserID <= 0 || n.FormToken == "" || len(n.FormToken) > maxToken || n.Expire <= 0 {
		return nil, &InputError{"form", "is not complete"}
	}
	if len(n.Lines) == 0 {
		return nil, nil
	}
	return mergeLines(n.Lines)
}

// mergeLines adds up lines of the same SKU and checks the quantities.
func mergeLines(lines []Line) ([]Line, error) {
	if len(lines) == 0 {
		return nil, ErrEmptyCart
	}
	if len(lines) > MaxLines {
		return nil, &InputError{"lines", fmt.Sprintf("an order has %d lines at most", MaxLines)}
	}
	merged := make([]Line, 0, len(lines))
	for _, l := range lines {
		if l.Qty < 1 || l.Qty > MaxQty {
			return nil, &InputError{"qty", fmt.Sprintf("must be between 1 and %d", MaxQty)}
		}
		i := slices.IndexFunc(merged, func(m Line) bool { return m.SKUID == l.SKUID })
		if i < 0 {
			merged = append(merged, l)
			continue
		}
		if merged[i].Qty += l.Qty; merged[i].Qty > MaxQty {
			return nil, &InputError{"qty", fmt.Sprintf("must be %d at most for one thing", MaxQty)}
		}
	}
	return merged, nil
}

// total adds up the order and compares it with what the shopper saw.
func (o *Order) total(n NewOrder) error {
	fits := true
	for _, i := range o.Items {
		sum, ok := i.Price.Times(i.Qty)
		fits = fits && ok
		o.GoodsTotal, ok = o.GoodsTotal.Plus(sum)
		fits = fits && ok
	}
	o.DeliveryFee = n.DeliveryFee
	if n.FreeFrom > 0 && o.GoodsTotal >= n.FreeFrom {
		o.DeliveryFee = 0
	}
	var ok bool
	o.Total, ok = o.GoodsTotal.Plus(o.DeliveryFee)
	if !fits || !ok || o.DeliveryFee < 0 || o.Total < 1 || o.Total > maxTotal {
		return &InputError{"total", fmt.Sprintf("must be between 0.01 and %s yuan", maxTotal)}
	}
	if n.Expected != 0 && n.Expected != o.Total {
		return &PriceError{Expected: n.Expected, Now: o.Total}
	}
	return nil
}
