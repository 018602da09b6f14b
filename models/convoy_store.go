package models

import (
	"fmt"
	"slices"
	"strings"
)

// maxArgs is about how many values one insert carries. The driver looks for
// each of them among all, so that long lists cost by their square.
const maxArgs = 256

// store writes all orders of the convoy.
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

// insert stores rows of width values each, which the statement finds as
// column1, column2, … of r. What rows share is said once, in the statement and
// in shared, its leading values; plain int64 and string go through database/sql
// fastest.
//
// The inserts say OR ROLLBACK. When one fails, the batch is rolled back anyway
// and its orders are placed one by one; saying so spares SQLite the copy of
// every page that it would need to undo one statement alone.
func (c *convoy) insert(with, into string, shared, rows []any, width int) error {
	for len(rows) > 0 {
		n := min(len(rows)/width, max(1, maxArgs/width))
		q := with + `r AS (VALUES ` + places("(?"+strings.Repeat(",?", width-1)+")", n) + `) ` + into
		if _, err := c.tx.bulk(q, append(shared[:len(shared):len(shared)], rows[:n*width]...)...); err != nil {
			return err
		}
		rows = rows[n*width:]
	}
	return nil
}

func (c *convoy) storeOrders() error {
	rows := make([]any, 0, 14*len(c.placed))
	for _, x := range c.placed {
		o := x.o
		rows = append(rows, o.ID, o.No, o.UserID, o.FormToken, int64(o.GoodsTotal), int64(o.DeliveryFee),
			o.Name, o.Phone, o.Province, o.City, o.District, o.Street, o.Note, o.ExpiresAt.UnixMilli())
	}
	return c.insert(`WITH n(now) AS (VALUES (?)), `, `INSERT OR ROLLBACK INTO orders(id, no, user_id, form_token, goods_total, delivery_fee, total,
		name, phone, province, city, district, street, note, expires_at, created_at, state,
		extended, close_reason, revived, carrier, tracking_no)
		SELECT column1, column2, column3, column4, column5, column6, column5 + column6,
		column7, column8, column9, column10, column11, column12, column13, column14, now, 'unpaid', 0, '', 0, '', ''
		FROM r CROSS JOIN n`, []any{At(c.now).UnixMilli()}, rows, 14)
}

// storePayments takes what the attempts of most callers share out of the rows.
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
	var kinds, shared, rows []any
	for _, x := range c.placed {
		p := x.p
		if p == nil {
			continue
		}
		k := payKind{p.API, p.Channel, p.SignType, p.AppID, p.MchID, p.NotifyURL, p.Currency, p.NextQueryAt.UnixMilli()}
		i := slices.Index(kinds, any(k))
		if i < 0 {
			i = len(kinds)
			kinds = append(kinds, k)
			shared = append(shared, int64(i), k.api, k.channel, k.signType, k.appID, k.mchID, k.notifyURL, k.currency, k.next)
		}
		rows = append(rows, p.ID, p.OrderID, p.OutTradeNo, int64(i), p.OpenID, p.Description, p.ClientIP, p.ExpireAt.UnixMilli())
	}
	return c.insert(`WITH k(k, api, channel, sign_type, app_id, mch_id, notify_url, currency, next) AS (VALUES `+
		places(`(?,?,?,?,?,?,?,?,?)`, max(1, len(kinds)))+`), `, `INSERT OR ROLLBACK INTO payments(id, order_id, live_order_id, out_trade_no,
		api, channel, sign_type, app_id, mch_id, open_id, description, notify_url, client_ip, total, currency,
		expire_at, next_query_at, start_at, created_at, state, prepay_id, cash, bank_type, queries, last_error)
		SELECT column1, column2, column2, column3, api, channel, sign_type, app_id, mch_id, column5, column6, notify_url, column7, o.total, currency,
		column8, next, o.created_at, o.created_at, 'created', '', 0, '', 0, ''
		FROM r CROSS JOIN k ON k = column4 CROSS JOIN orders o ON o.id = column2`, shared, rows, 8)
}

// payKind is what the attempts of most callers share.
type payKind struct {
	api, channel, signType, appID, mchID, notifyURL, currency string
	next                                                      int64
}

// storeItems takes what is the same in every order of a SKU out of the rows.
func (c *convoy) storeItems() error {
	var shared, rows []any
	for _, f := range c.offers {
		if i := f.item; f.sold > 0 {
			shared = append(shared, i.SKUID, i.Slug, i.NameZH, i.NameEN, i.OptionZH, i.OptionEN, i.Picture, int64(i.Price))
		}
	}
	for _, x := range c.placed {
		for _, i := range x.o.Items {
			rows = append(rows, i.ID, i.OrderID, i.SKUID, i.Qty)
		}
	}
	return c.insert(`WITH g(sku, slug, name_zh, name_en, option_zh, option_en, picture, price) AS (VALUES `+
		places(`(?,?,?,?,?,?,?,?)`, len(shared)/8)+`), `, `INSERT OR ROLLBACK INTO order_items(id, order_id, sku_id,
		slug, name_zh, name_en, option_zh, option_en, picture, price, qty)
		SELECT column1, column2, column3, slug, name_zh, name_en, option_zh, option_en, picture, price, column4
		FROM r CROSS JOIN g ON sku = column3`, shared, rows, 4)
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
	for len(args) > 0 {
		n := min(len(args), maxArgs)
		if _, err := c.tx.bulk(`DELETE FROM cart_lines WHERE (user_id, sku_id) IN (VALUES `+places("(?,?)", n/2)+`)`, args[:n]...); err != nil {
			return err
		}
		args = args[n:]
	}
	return nil
}
