package models

import (
	"fmt"
	"strconv"
)

// maxArgs is how many values one statement may carry (SQLite's limit is 32766).
const maxArgs = 30_000

// store writes all orders of the convoy. The statements that bear random
// numbers come before the others, so that a number that is taken can be drawn
// again: a statement that failed left nothing behind.
func (c *convoy) store() error {
	for _, step := range []func() error{
		c.storeOrders, c.storePayments, c.storeItems, c.takeStock, c.storeEvents, c.storeAddresses, c.emptyCarts,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// values inserts rows: head VALUES row, row, … tail. args are width values for
// each row. Plain int64 and string go through database/sql fastest.
func (c *convoy) values(head, row, tail string, width int, args []any) error {
	for len(args) > 0 {
		n := min(len(args)/width, maxArgs/width)
		if _, err := c.tx.bulk(head+places(row, n)+tail, args[:n*width]...); err != nil {
			return err
		}
		args = args[n*width:]
	}
	return nil
}

func (c *convoy) storeOrders() error {
	now := strconv.FormatInt(At(c.now).UnixMilli(), 10)
	again := false
	return fresh(func() error {
		args := make([]any, 0, 15*len(c.placed))
		for _, x := range c.placed {
			o := x.o
			if again {
				o.No = c.tx.number("", c.now)
			}
			args = append(args, o.ID, o.No, o.UserID, o.FormToken, int64(o.GoodsTotal), int64(o.DeliveryFee), int64(o.Total),
				o.Name, o.Phone, o.Province, o.City, o.District, o.Street, o.Note, o.ExpiresAt.UnixMilli())
		}
		again = true
		return c.values(`INSERT INTO orders(id, no, user_id, form_token, goods_total, delivery_fee, total,
			name, phone, province, city, district, street, note, expires_at, created_at, state,
			extended, close_reason, revived, carrier, tracking_no) VALUES `,
			`(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,`+now+`,'unpaid',0,'',0,'','')`, "", 15, args)
	})
}

func (c *convoy) storePayments() error {
	now := strconv.FormatInt(At(c.now).UnixMilli(), 10)
	return fresh(func() error {
		var args []any
		for _, x := range c.placed {
			if p := x.p; p != nil {
				p.OutTradeNo = c.tx.number("P", c.now)
				args = append(args, p.ID, p.OrderID, p.OrderID, p.OutTradeNo, p.API, p.Channel, p.SignType, p.AppID, p.MchID, p.OpenID,
					p.Description, p.NotifyURL, p.ClientIP, int64(p.Total), p.Currency, p.ExpireAt.UnixMilli(), p.NextQueryAt.UnixMilli())
			}
		}
		return c.values(`INSERT INTO payments(id, order_id, live_order_id, out_trade_no, api, channel, sign_type, app_id, mch_id, open_id,
			description, notify_url, client_ip, total, currency, expire_at, next_query_at, start_at, created_at, state,
			prepay_id, cash, bank_type, queries, last_error) VALUES `,
			`(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,`+now+`,`+now+`,'created','',0,'',0,'')`, "", 17, args)
	})
}

func (c *convoy) storeItems() error {
	var args []any
	for _, x := range c.placed {
		for _, i := range x.o.Items {
			args = append(args, i.ID, i.OrderID, i.SKUID, i.Slug, i.NameZH, i.NameEN, i.OptionZH, i.OptionEN, i.Picture, int64(i.Price), i.Qty)
		}
	}
	return c.values(`INSERT INTO order_items(id, order_id, sku_id, slug, name_zh, name_en, option_zh, option_en, picture, price, qty) VALUES `,
		`(?,?,?,?,?,?,?,?,?,?,?)`, "", 11, args)
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
	res, err := c.tx.bulk(`WITH sold(id, n) AS (VALUES `+places("(?,?)", len(args)/2)+`)
		UPDATE skus SET stock = stock - sold.n FROM sold WHERE skus.id = sold.id AND skus.stock >= sold.n`, args...)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n != int64(len(args)/2) {
		err = fmt.Errorf("take stock of %d skus, got %d: %w", len(args)/2, n, ErrStale)
	}
	return err
}

// storeEvents makes the first line of each history out of the orders themselves.
func (c *convoy) storeEvents() error {
	first, last := c.placed[0].o.ID, c.placed[len(c.placed)-1].o.ID
	_, err := c.tx.exec(`INSERT INTO events(order_id, at, actor, kind, from_state, to_state, amount, out_trade_no, transaction_id, note)
		SELECT id, created_at, 'shopper', 'placed', '', 'unpaid', total, '', '', '' FROM orders WHERE id BETWEEN ? AND ?`, first, last)
	return err
}

// storeAddresses keeps the addresses for the next orders.
func (c *convoy) storeAddresses() error {
	now := strconv.FormatInt(At(c.now).UnixMilli(), 10)
	args := make([]any, 0, 7*len(c.placed))
	for _, x := range c.placed {
		r := x.n.Receiver
		args = append(args, x.n.UserID, r.Street, r.District, r.City, r.Province, r.Name, r.Phone)
	}
	return c.values(`INSERT INTO addresses(user_id, street, district, city, province, name, phone, used_at) VALUES `,
		`(?,?,?,?,?,?,?,`+now+`)`,
		` ON CONFLICT(user_id, street, district, city, province, name, phone) DO UPDATE SET used_at = excluded.used_at`, 7, args)
}

// emptyCarts takes out of the carts what was ordered.
func (c *convoy) emptyCarts() error {
	var args []any
	for _, x := range c.placed {
		for _, l := range c.carts[x.n.UserID] {
			for _, i := range x.o.Items {
				if i.SKUID == l.SKUID {
					args = append(args, x.n.UserID, l.SKUID)
				}
			}
		}
	}
	return c.values(`DELETE FROM cart_lines WHERE (user_id, sku_id) IN (VALUES `, `(?,?)`, `)`, 2, args)
}
