package models

import (
	"database/sql"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Orders of one commit are placed together: a statement costs the driver more
// to parse than a row costs to store, so the reads and the inserts are made
// for all of them at once. Each is judged alone, in turn, against what the
// ones before it left.

// placing is one caller's order on its way in, and what became of it.
type placing struct {
	n        NewOrder
	lines    []Line // none: the cart
	o        *Order
	p        *Payment
	repeated bool
}

// submit is what makes two submits the same one (security P14).
type submit struct {
	user int64
	form string
}

// offer is a SKU as it can be bought now.
type offer struct {
	item OrderItem
	left int64
	sold int64 // by this convoy
}

// convoy is the orders of one commit.
type convoy struct {
	s      *Store
	tx     *Tx
	now    time.Time
	known  map[submit]int64   // orders of before
	here   map[submit]*member // orders of this convoy
	carts  map[int64][]Line   // what the orders before have left
	gone   []CartLine         // what they took out
	offers map[int64]*offer
	placed []*placing
}

// placeAll places the orders of ms. A refusal is the order's own and comes
// before anything is written; the error returned means that none was placed.
func (s *Store) placeAll(tx *Tx, ms []*member) error {
	c := &convoy{s: s, tx: tx, now: s.now(), here: make(map[submit]*member, len(ms))}
	if err := c.look(ms); err != nil {
		return err
	}
	for _, m := range ms {
		m.err = nil
		m.order.o, m.order.p, m.order.repeated = nil, nil, false
		if err := c.judge(m); err != nil {
			return err
		}
	}
	if len(c.placed) > 0 {
		if err := c.store(); err != nil {
			return err
		}
	}
	for _, m := range ms {
		c.share(m)
	}
	return nil
}

// look reads what the judging of all needs. The carts come first: on a server
// somebody else may be ordering the same one, and is waited for here, so that
// the tokens show what became of it.
func (c *convoy) look(ms []*member) error {
	var err error
	if c.carts, err = c.cartsOf(ms); err != nil {
		return err
	}
	if c.known, err = c.tokens(ms); err != nil {
		return err
	}
	var ids []any
	for _, m := range ms {
		for _, l := range c.wanted(m.order) {
			ids = append(ids, l.SKUID)
		}
	}
	c.offers, err = c.offersOf(ids)
	return err
}

// wanted is what is ordered: the lines of the request, or else of the cart.
func (c *convoy) wanted(x *placing) []Line {
	if len(x.lines) > 0 {
		return x.lines
	}
	return c.carts[x.n.UserID]
}

const knownTokens = `SELECT user_id, form_token, id FROM orders WHERE (user_id, form_token) IN `

// tokens finds orders that were made with the same tokens before.
func (c *convoy) tokens(ms []*member) (map[submit]int64, error) {
	args := make([]any, 0, 2*len(ms))
	for _, m := range ms {
		args = append(args, m.order.n.UserID, m.order.n.FormToken)
	}
	known := make(map[submit]int64)
	q := knownTokens + `(VALUES ` + places("(?,?)", len(ms)) + `)`
	if c.tx.words != nil {
		q = knownTokens + `(` + places("(?,?)", len(ms)) + `)`
	}
	err := c.each(q, args, func(r *sql.Rows) error {
		var t submit
		var id int64
		err := r.Scan(&t.user, &t.form, &id)
		known[t] = id
		return err
	})
	return known, err
}

func (c *convoy) cartsOf(ms []*member) (map[int64][]Line, error) {
	users := make([]any, len(ms))
	for i, m := range ms {
		users[i] = m.order.n.UserID
	}
	q := `SELECT user_id, sku_id, qty FROM cart_lines WHERE user_id IN (` + places("?", len(users)) + `) ORDER BY user_id, added_at, sku_id`
	if c.tx.words != nil {
		q += ` FOR UPDATE`
	}
	carts := make(map[int64][]Line)
	err := c.each(q, users, func(r *sql.Rows) error {
		var user int64
		var l Line
		err := r.Scan(&user, &l.SKUID, &l.Qty)
		carts[user] = append(carts[user], l)
		return err
	})
	return carts, err
}

// offersOf reads SKUs with price and stock as they are now (security P11).
func (c *convoy) offersOf(ids []any) (map[int64]*offer, error) {
	offers := make(map[int64]*offer)
	if len(ids) == 0 {
		return offers, nil
	}
	slices.SortFunc(ids, func(a, b any) int { return int(a.(int64) - b.(int64)) })
	ids = slices.Compact(ids)
	err := c.each(`SELECT s.id, s.price, s.stock, s."values", p.active, p.slug, p.name_zh, p.name_en, p.options, p.pictures
		FROM skus s JOIN products p ON p.id = s.product_id WHERE s.id IN (`+places("?", len(ids))+`)`,
		ids, func(r *sql.Rows) error {
			i, left, err := scanOffer(r, &c.s.looks)
			offers[i.SKUID] = &offer{item: i, left: left}
			return err
		})
	return offers, err
}

// each runs a read that is made for this convoy.
func (c *convoy) each(q string, args []any, scan func(*sql.Rows) error) error {
	rows, err := c.tx.many(q, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// judge decides about one order. What refuses it becomes the member's error.
func (c *convoy) judge(m *member) error {
	x := m.order
	t := submit{x.n.UserID, x.n.FormToken}
	if id, ok := c.known[t]; ok {
		x.repeated = true
		var err error
		x.o, x.p, err = c.tx.placedBefore(id)
		return err
	}
	if first := c.here[t]; first != nil {
		x.repeated = true
		return nil
	}
	if m.err = c.build(x); m.err == nil {
		c.here[t] = m
		c.placed = append(c.placed, x)
	}
	return nil
}

// share gives the submits that repeated an order of this very convoy a copy of it.
func (c *convoy) share(m *member) {
	x := m.order
	if !x.repeated || x.o != nil {
		return
	}
	first := c.here[submit{x.n.UserID, x.n.FormToken}].order
	o := *first.o
	o.Items = slices.Clone(o.Items)
	x.o = &o
	if first.p != nil {
		p := *first.p
		x.p = &p
	}
}

// placedBefore is an order with its live attempt, if it has one.
func (tx *Tx) placedBefore(id int64) (*Order, *Payment, error) {
	o, err := tx.orderForWrite(`id = ?`, id)
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

// build makes the rows of one order, or says why not. A panic, which only the
// caller's text for the payer can cause, is a refusal of this order alone.
func (c *convoy) build(x *placing) (err error) {
	defer func() {
		if r := recover(); r != nil {
			c.s.log.Error("order panicked", "user", x.n.UserID, "cause", fmt.Sprintf("%v\n%s", r, debug.Stack()))
			err = fmt.Errorf("order panicked: %v", r)
		}
	}()
	lines := c.wanted(x)
	if len(x.lines) == 0 {
		if lines, err = mergeLines(lines); err != nil {
			return err
		}
	}
	o := &Order{
		No: c.tx.number("", c.now), UserID: x.n.UserID, FormToken: x.n.FormToken, State: Unpaid, Receiver: x.n.Receiver, Note: x.n.Note,
		CreatedAt: At(c.now), ExpiresAt: At(c.now.Add(x.n.Expire)), Source: x.n.Source,
	}
	if o.Items, err = c.pick(lines); err != nil {
		return err
	}
	if err := o.total(x.n); err != nil {
		return err
	}
	if x.n.Payment != nil {
		x.p = x.n.Payment.freeze(o, c.now)
		x.p.OutTradeNo = c.tx.number("P", c.now)
	}
	for _, i := range o.Items { // nothing refuses any more
		c.offers[i.SKUID].sold += i.Qty
	}
	x.o = o
	c.takeOut(o)
	return nil
}

// takeOut takes what was ordered out of the cart, for the next order too: two
// windows with one cart do not order it twice.
func (c *convoy) takeOut(o *Order) {
	c.carts[o.UserID] = slices.DeleteFunc(c.carts[o.UserID], func(l Line) bool {
		ordered := slices.ContainsFunc(o.Items, func(i OrderItem) bool { return i.SKUID == l.SKUID })
		if ordered {
			c.gone = append(c.gone, CartLine{UserID: o.UserID, SKUID: l.SKUID})
		}
		return ordered
	})
}

// pick makes order items of lines. It refuses what is not sold or not there.
func (c *convoy) pick(lines []Line) ([]OrderItem, error) {
	items := make([]OrderItem, len(lines))
	for k, l := range lines {
		f := c.offers[l.SKUID]
		if f == nil {
			return nil, fmt.Errorf("sku %d: %w", l.SKUID, ErrNotFound)
		}
		if left := f.left - f.sold; l.Qty > left {
			return nil, &StockError{SKUID: l.SKUID, Name: strings.TrimSpace(f.item.NameZH + " " + f.item.OptionZH), Left: left}
		}
		items[k] = f.item
		items[k].Qty = l.Qty
	}
	return items, nil
}
