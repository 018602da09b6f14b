package models

import (
	"fmt"
	"maps"
	"slices"
)

// store writes all orders of the convoy. Their ids are known once the first
// statement has run.
func (c *convoy) store() error {
	for _, step := range []func() error{
		c.storeOrders, c.storeSources, c.storePayments, c.storeItems, c.takeStock, c.storeEvents, c.emptyCarts,
	} {
		if err := step(); err != nil {
			c.tx.broken = err
			return err
		}
	}
	return nil
}

func (c *convoy) millis() int64 { return At(c.now).UnixMilli() }

func (c *convoy) storeOrders() error {
	args := make([]any, 0, 15*len(c.placed))
	now := c.millis()
	for _, x := range c.placed {
		o := x.o
		args = append(args, o.No, o.UserID, o.FormToken, int64(o.GoodsTotal), int64(o.DeliveryFee), int64(o.Total),
			o.Name, o.Phone, o.Province, o.City, o.District, o.Street, o.Note, o.ExpiresAt.UnixMilli(), now)
	}
	c.tx.count(Unpaid, int64(len(c.placed)))
	return c.tx.insertRows(`orders(no, user_id, form_token, goods_total, delivery_fee, total,
		name, phone, province, city, district, street, note, expires_at, created_at, state)`,
		`(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,'unpaid')`, args, func(i int, id int64) { c.placed[i].o.ID = id })
}

// storeSources marks the few orders that do not come from the shop's pages.
func (c *convoy) storeSources() error {
	for _, x := range c.placed {
		if x.o.Source == FromWeb {
			continue
		}
		if _, err := c.tx.exec(`UPDATE orders SET source = ? WHERE id = ?`, x.o.Source, x.o.ID); err != nil {
			return err
		}
	}
	return nil
}

func (c *convoy) storePayments() error {
	var ps []*Payment
	var args []any
	now := c.millis()
	for _, x := range c.placed {
		p := x.p
		if p == nil {
			continue
		}
		p.OrderID, p.LiveOrderID = x.o.ID, &x.o.ID
		ps = append(ps, p)
		args = append(args, p.OrderID, p.OrderID, p.OutTradeNo, p.API, p.Channel, p.SignType, p.AppID, p.MchID, p.OpenID,
			p.Description, p.NotifyURL, p.ClientIP, int64(p.Total), p.Currency, p.ExpireAt.UnixMilli(), p.NextQueryAt.UnixMilli(), now, now)
	}
	return c.tx.insertRows(`payments(order_id, live_order_id, out_trade_no, api, channel, sign_type, app_id, mch_id, open_id,
		description, notify_url, client_ip, total, currency, expire_at, next_query_at, start_at, created_at, state)`,
		`(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,'created')`, args, func(i int, id int64) { ps[i].ID = id })
}

func (c *convoy) storeItems() error {
	var items []*OrderItem
	var args []any
	for _, x := range c.placed {
		for k := range x.o.Items {
			i := &x.o.Items[k]
			i.OrderID = x.o.ID
			items = append(items, i)
			args = append(args, i.OrderID, i.SKUID, i.Slug, i.NameZH, i.NameEN, i.OptionZH, i.OptionEN, i.Picture, int64(i.Price), i.Qty)
		}
	}
	return c.tx.insertRows(`order_items(order_id, sku_id, slug, name_zh, name_en, option_zh, option_en, picture, price, qty)`,
		`(?,?,?,?,?,?,?,?,?,?)`, args, func(i int, id int64) { items[i].ID = id })
}

// takeStock reserves by a conditional update (security P13). pick has looked
// in this same transaction, so a miss is a fault of this program.
func (c *convoy) takeStock() error {
	c.tx.catalog = true
	var args []any
	for id, f := range c.offers {
		if f.sold > 0 {
			args = append(args, id, f.sold)
		}
	}
	if c.tx.words != nil {
		return c.takeEach()
	}
	res, err := c.tx.bulk(`WITH sold(id, n) AS (VALUES `+places("(?,?)", len(args)/2)+`)
		UPDATE OR ROLLBACK skus SET stock = stock - sold.n FROM sold WHERE skus.id = sold.id AND skus.stock >= sold.n`, args...)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n != int64(len(args)/2) {
		err = fmt.Errorf("take stock of %d skus, got %d: %w", len(args)/2, n, ErrStale)
	}
	return err
}

// takeEach is takeStock on a server, SKU by SKU in the order of their ids.
// Somebody else may have taken what look has seen: then everything is looked
// at again.
func (c *convoy) takeEach() error {
	for _, id := range slices.Sorted(maps.Keys(c.offers)) {
		n := c.offers[id].sold
		if n == 0 {
			continue
		}
		ok, err := c.tx.execOne(`UPDATE skus SET stock = stock - ? WHERE id = ? AND stock >= ?`, n, id, n)
		if err == nil && !ok {
			err = errAgain
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// storeEvents makes the first line of each history out of the orders themselves.
func (c *convoy) storeEvents() error {
	first, last := c.placed[0].o.ID, c.placed[len(c.placed)-1].o.ID
	_, err := c.tx.exec(`INSERT INTO events(order_id, at, actor, kind, from_state, to_state, amount, out_trade_no, transaction_id, note)
		SELECT id, created_at, 'shopper', 'placed', '', 'unpaid', total, '', '', '' FROM orders WHERE id BETWEEN ? AND ?`, first, last)
	return err
}

// emptyCarts takes out of the carts what was ordered.
func (c *convoy) emptyCarts() error {
	for _, l := range c.gone {
		if _, err := c.tx.exec(`DELETE FROM cart_lines WHERE user_id = ? AND sku_id = ?`, l.UserID, l.SKUID); err != nil {
			return err
		}
	}
	return nil
}
