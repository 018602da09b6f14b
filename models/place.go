package models

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxTotal is the dearest order: 100,000 yuan (security P12).
const maxTotal Fen = 10_000_000

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
	Payment     *NewPayment // the first attempt, made in the same transaction; nil: later
}

// CreateOrder is TX1 of the checkout: order, items, stock, event, attempt,
// address, and the ordered lines leave the cart. A FormToken that this user
// used before gives the first order and repeated = true. It refuses with
// *StockError, *PriceError, *InputError, ErrEmptyCart before it writes
// anything.
func (s *Store) CreateOrder(ctx context.Context, n NewOrder) (o *Order, p *Payment, repeated bool, err error) {
	if n.UserID <= 0 || n.FormToken == "" || len(n.FormToken) > 64 || n.Expire <= 0 {
		return nil, nil, false, fmt.Errorf("create order: %w", &InputError{"form", "is not complete"})
	}
	err = s.write(ctx, func(tx *Tx) error {
		var err error
		if o, p, err = tx.repeated(n); err != nil || o != nil {
			repeated = true
			return err
		}
		repeated = false
		o, p, err = s.place(tx, n)
		return err
	})
	if err != nil {
		return nil, nil, false, fmt.Errorf("create order: %w", err)
	}
	return o, p, repeated, nil
}

// repeated is the order that this token made before, nil if none, with its
// live attempt.
func (tx *Tx) repeated(n NewOrder) (*Order, *Payment, error) {
	o, err := tx.orderForWrite(`user_id = ? AND form_token = ?`, n.UserID, n.FormToken)
	if told(err) == ErrNotFound {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if o.Items, err = scanItems(tx.rows(itemsOf, o.ID)); err != nil {
		return nil, nil, err
	}
	p, err := tx.livePayment(o.ID)
	if told(err) == ErrNotFound {
		return o, nil, nil
	}
	return o, p, err
}

// place makes the order. Everything that can refuse comes before the first write.
func (s *Store) place(tx *Tx, n NewOrder) (*Order, *Payment, error) {
	lines, err := tx.wanted(n)
	if err != nil {
		return nil, nil, err
	}
	now := s.now()
	o := &Order{
		UserID: n.UserID, FormToken: n.FormToken, State: Unpaid, Receiver: n.Receiver, Note: n.Note,
		CreatedAt: At(now), ExpiresAt: At(now.Add(n.Expire)),
	}
	if o.Items, err = tx.price(&s.looks, lines); err != nil {
		return nil, nil, err
	}
	if err := o.total(n); err != nil {
		return nil, nil, err
	}
	if err := tx.store(o, now); err != nil {
		return nil, nil, err
	}
	if err := tx.remember(n, lines, At(now)); err != nil {
		return nil, nil, err
	}
	if n.Payment == nil {
		return o, nil, nil
	}
	p, err := tx.attempt(o, *n.Payment, now)
	return o, p, err
}

// wanted is what is ordered, one line for each SKU: the lines of the request,
// or else of the cart.
func (tx *Tx) wanted(n NewOrder) ([]Line, error) {
	lines := n.Lines
	if len(lines) == 0 {
		var err error
		if lines, err = tx.cartLines(n.UserID); err != nil {
			return nil, err
		}
	}
	return mergeLines(lines)
}

func (tx *Tx) cartLines(user int64) ([]Line, error) {
	rows, err := tx.rows(`SELECT sku_id, qty FROM cart_lines WHERE user_id = ? ORDER BY added_at, sku_id`, user)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var lines []Line
	for rows.Next() {
		var l Line
		if err := rows.Scan(&l.SKUID, &l.Qty); err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	return lines, rows.Err()
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

// store writes the order, its items, its first event, and takes the stock.
func (tx *Tx) store(o *Order, now time.Time) error {
	if err := tx.takeStock(o.Items); err != nil {
		return err
	}
	err := unique(func() string { return orderNo(now) }, func(no string) (err error) {
		o.No = no
		o.ID, err = tx.insert(`INSERT INTO orders(no, user_id, form_token, state, goods_total, delivery_fee, total,
			name, phone, province, city, district, street, note, created_at, expires_at, extended, close_reason, revived, carrier, tracking_no)
			VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', 0, '', '')`,
			o.No, o.UserID, o.FormToken, o.State, o.GoodsTotal, o.DeliveryFee, o.Total,
			o.Name, o.Phone, o.Province, o.City, o.District, o.Street, o.Note, o.CreatedAt, o.ExpiresAt)
		return err
	})
	if err != nil {
		return err
	}
	if err := tx.storeItems(o); err != nil {
		return err
	}
	return tx.event(Event{OrderID: o.ID, At: o.CreatedAt, Actor: "shopper", Kind: "placed", To: string(Unpaid), Amount: o.Total})
}

// takeStock reserves by a conditional update (security P13). price has looked
// in this same transaction, so a miss is a fault of this program.
func (tx *Tx) takeStock(items []OrderItem) error {
	tx.catalog = true
	for _, i := range items {
		ok, err := tx.execOne(`UPDATE skus SET stock = stock - ? WHERE id = ? AND stock >= ?`, i.Qty, i.SKUID, i.Qty)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("take %d of sku %d: %w", i.Qty, i.SKUID, ErrStale)
		}
	}
	return nil
}

const (
	itemsInto = `INSERT INTO order_items(order_id, sku_id, slug, name_zh, name_en, option_zh, option_en, picture, price, qty) VALUES`
	itemRow   = `(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

func (tx *Tx) storeItems(o *Order) error {
	args := make([]any, 0, 10*len(o.Items))
	for k := range o.Items {
		i := &o.Items[k]
		i.OrderID = o.ID
		args = append(args, i.OrderID, i.SKUID, i.Slug, i.NameZH, i.NameEN, i.OptionZH, i.OptionEN, i.Picture, i.Price, i.Qty)
	}
	last, err := tx.insert(itemsInto+strings.Repeat(itemRow+",", len(o.Items)-1)+itemRow, args...)
	for k := range o.Items { // one statement numbers its rows in order
		o.Items[k].ID = last - int64(len(o.Items)-1-k)
	}
	return err
}

// remember keeps the address for the next order and takes what was ordered
// out of the cart.
func (tx *Tx) remember(n NewOrder, lines []Line, now Time) error {
	r := n.Receiver
	used, err := tx.exec(`UPDATE addresses SET used_at = ? WHERE user_id = ? AND name = ? AND phone = ? AND province = ?
		AND city = ? AND district = ? AND street = ?`, now, n.UserID, r.Name, r.Phone, r.Province, r.City, r.District, r.Street)
	if err != nil {
		return err
	}
	if rows, err := used.RowsAffected(); err != nil {
		return err
	} else if rows == 0 {
		_, err := tx.exec(`INSERT INTO addresses(user_id, name, phone, province, city, district, street, used_at) VALUES(?, ?, ?, ?, ?, ?, ?, ?)`,
			n.UserID, r.Name, r.Phone, r.Province, r.City, r.District, r.Street, now)
		if err != nil {
			return err
		}
	}
	for _, l := range lines {
		if _, err := tx.exec(`DELETE FROM cart_lines WHERE user_id = ? AND sku_id = ?`, n.UserID, l.SKUID); err != nil {
			return err
		}
	}
	return nil
}
