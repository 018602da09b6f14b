package models

import (
	"fmt"
	"strconv"
)

// maxArgs is about how many values one insert carries. The driver looks for
// each of them among all, so that long lists cost by their square.
const maxArgs = 256

// store writes all orders of the convoy.
func (c *convoy) store() error {
	for _, step := range []func() error{
		c.storeOrders, c.storePayments, c.storeItems, c.takeStock, c.storeEvents, c.emptyCarts,
	} {
		if err := step(); err != nil {
			c.tx.broken = err
			return err
		}
	}
	return nil
}

// values inserts rows: head VALUES row, row, … tail. args are width values for
// each row; plain int64 and string go through database/sql fastest.
//
// The inserts say OR ROLLBACK. When one fails, the batch is rolled back anyway
// and its orders are placed one by one; saying so spares SQLite the copy of
// every page that it would need to undo one statement alone.
func (c *convoy) values(head, row, tail string, width int, args []any) error {
	for len(args) > 0 {
		n := min(len(args)/width, max(1, maxArgs/width))
		if _, err := c.tx.bulk(head+places(row, n)+tail, args[:n*width]...); err != nil {
			return err
		}
		args = args[n*width:]
	}
	return nil
}

func (c *convoy) storeOrders() error {
	now := strconv.FormatInt(At(c.now).UnixMilli(), 10)
	args := make([]any, 0, 15*len(c.placed))
	for _, x := range c.placed {
		o := x.o
		args = append(args, o.ID, o.No, o.UserID, o.FormToken, int64(o.GoodsTotal), int64(o.DeliveryFee), int64(o.Total),
			o.Name, o.Phone, o.Province, o.City, o.District, o.Street, o.Note, o.ExpiresAt.UnixMilli())
	}
	return c.values(`INSERT OR ROLLBACK INTO orders(id, no, user_id, form_token, goods_total, delivery_fee, total,
		name, phone, province, city, district, street, note, expires_at, created_at, state,
		extended, close_reason, revived, carrier, tracking_no) VALUES `,
		`(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,`+now+`,'unpaid',0,'',0,'','')`, "", 15, args)
}

func (c *convoy) storePayments() error {
	now := strconv.FormatInt(At(c.now).UnixMilli(), 10)
	var args []any
	for _, x := range c.placed {
		if p := x.p; p != nil {
			args = append(args, p.ID, p.OrderID, p.OrderID, p.OutTradeNo, p.API, p.Channel, p.SignType, p.AppID, p.MchID, p.OpenID,
				p.Description, p.NotifyURL, p.ClientIP, int64(p.Total), p.Currency, p.ExpireAt.UnixMilli(), p.NextQueryAt.UnixMilli())
		}
	}
	return c.values(`INSERT OR ROLLBACK INTO payments(id, order_id, live_order_id, out_trade_no, api, channel, sign_type, app_id, mch_id, open_id,
		description, notify_url, client_ip, total, currency, expire_at, next_query_at, start_at, created_at, state,
		prepay_id, cash, bank_type, queries, last_error) VALUES `,
		`(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,`+now+`,`+now+`,'created','',0,'',0,'')`, "", 17, args)
}

// storeItems says once what is the same in every order of a SKU.
func (c *convoy) storeItems() error {
	var goods, args []any
	for _, f := range c.offers {
		if i := f.item; f.sold > 0 {
			goods = append(goods, i.SKUID, i.Slug, i.NameZH, i.NameEN, i.OptionZH, i.OptionEN, i.Picture, int64(i.Price))
		}
	}
	for _, x := range c.placed {
		for _, i := range x.o.Items {
			args = append(args, i.ID, i.OrderID, i.SKUID, i.Qty)
		}
	}
	head := `WITH g(sku_id, slug, name_zh, name_en, option_zh, option_en, picture, price) AS (VALUES ` +
		places(`(?,?,?,?,?,?,?,?)`, len(goods)/8) + `), i(id, order_id, sku_id, qty) AS (VALUES `
	for len(args) > 0 {
		n := min(len(args), maxArgs)
		_, err := c.tx.bulk(head+places(`(?,?,?,?)`, n/4)+`)
			INSERT OR ROLLBACK INTO order_items(id, order_id, sku_id, slug, name_zh, name_en, option_zh, option_en, picture, price, qty)
			SELECT i.id, i.order_id, i.sku_id, g.slug, g.name_zh, g.name_en, g.option_zh, g.option_en, g.picture, g.price, i.qty
			FROM i CROSS JOIN g ON g.sku_id = i.sku_id`, append(goods[:len(goods):len(goods)], args[:n]...)...)
		if err != nil {
			return err
		}
		args = args[n:]
	}
	return nil
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

// storeEvents makes the first line of each history out of the orders themselves.
func (c *convoy) storeEvents() error {
	first, last := c.placed[0].o.ID, c.placed[len(c.placed)-1].o.ID
	_, err := c.tx.exec(`INSERT INTO events(order_id, at, actor, kind, from_state, to_state, amount, out_trade_no, transaction_id, note)
		SELECT id, created_at, 'shopper', 'placed', '', 'unpaid', total, '', '', '' FROM orders WHERE id BETWEEN ? AND ?`, first, last)
	return err
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
