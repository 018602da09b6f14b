package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// Limits of a cart and of an order (security P12).
const (
	MaxQty   = 99 // of one SKU
	MaxLines = 50
)

// CartEntry is a cart line with what it stands for now.
type CartEntry struct {
	CartLine
	SKU     SKU
	Product Product
}

// Cart is what the user put in, newest first. A product that is no longer
// sold is still there, inactive, so that the page can say so.
func (s *Store) Cart(ctx context.Context, user int64) ([]CartEntry, error) {
	es, err := s.cart(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("cart: %w", toldRead(ctx, err))
	}
	return es, nil
}

func (s *Store) cart(ctx context.Context, user int64) ([]CartEntry, error) {
	var lines []CartLine
	err := s.read(ctx).Where("user_id = ?", user).Order("added_at DESC, sku_id").Find(&lines).Error
	if err != nil || len(lines) == 0 {
		return nil, err
	}
	ids := make([]int64, len(lines))
	for i, l := range lines {
		ids[i] = l.SKUID
	}
	var skus []SKU
	if err := s.read(ctx).Where("id IN ?", ids).Find(&skus).Error; err != nil {
		return nil, err
	}
	var products []Product
	err = s.read(ctx).Where("id IN (SELECT product_id FROM skus WHERE id IN ?)", ids).Find(&products).Error
	if err != nil {
		return nil, err
	}
	return joinCart(lines, skus, products), nil
}

func joinCart(lines []CartLine, skus []SKU, products []Product) []CartEntry {
	var es []CartEntry
	for _, l := range lines {
		i := slices.IndexFunc(skus, func(k SKU) bool { return k.ID == l.SKUID })
		if i < 0 {
			continue
		}
		j := slices.IndexFunc(products, func(p Product) bool { return p.ID == skus[i].ProductID })
		if j < 0 {
			continue
		}
		es = append(es, CartEntry{CartLine: l, SKU: skus[i], Product: products[j]})
	}
	return es
}

// CartCount is how many things lie in the cart.
func (s *Store) CartCount(ctx context.Context, user int64) (int64, error) {
	var n int64
	err := s.row(ctx, `SELECT coalesce(sum(qty), 0) FROM cart_lines WHERE user_id = ?`, user).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count cart: %w", toldRead(ctx, err))
	}
	return n, nil
}

// AddToCart puts qty more of a SKU in, capped at 99. A 51st line is an
// *InputError; a SKU that is not sold is ErrNotFound.
func (s *Store) AddToCart(ctx context.Context, user, sku, qty int64) error {
	return s.putInCart(ctx, user, sku, qty, true)
}

// SetCart sets how many of a SKU are wanted, capped at 99; 0 removes the line.
func (s *Store) SetCart(ctx context.Context, user, sku, qty int64) error {
	if qty != 0 {
		return s.putInCart(ctx, user, sku, qty, false)
	}
	err := s.write(ctx, func(tx *Tx) error {
		_, err := tx.exec(`DELETE FROM cart_lines WHERE user_id = ? AND sku_id = ?`, user, sku)
		return err
	})
	if err != nil {
		return fmt.Errorf("take out of the cart: %w", err)
	}
	return nil
}

func (s *Store) putInCart(ctx context.Context, user, sku, qty int64, more bool) error {
	err := s.write(ctx, func(tx *Tx) error {
		if user <= 0 || qty < 1 {
			return &InputError{"qty", "must be between 1 and 99"}
		}
		if err := tx.lockCart(user); err != nil {
			return err
		}
		var price Fen
		err := tx.row(`SELECT s.price FROM skus s JOIN products p ON p.id = s.product_id WHERE s.id = ? AND p.active`, sku).Scan(&price)
		if err != nil {
			return err
		}
		var lines, has int64
		err = tx.row(`SELECT count(*), coalesce(sum(CASE sku_id WHEN ? THEN qty ELSE 0 END), 0) FROM cart_lines WHERE user_id = ?`,
			sku, user).Scan(&lines, &has)
		if err != nil {
			return err
		}
		if has == 0 && lines >= MaxLines {
			return &InputError{"cart", "holds 50 different things at most"}
		}
		want := min(qty, MaxQty)
		if more {
			want = min(want+has, MaxQty)
		}
		if has > 0 {
			ok, err := tx.execOne(`UPDATE cart_lines SET qty = ?, seen_price = ? WHERE user_id = ? AND sku_id = ?`, want, price, user, sku)
			if err == nil && !ok { // it was ordered just now, on a server
				err = errAgain
			}
			return err
		}
		_, err = tx.exec(`INSERT INTO cart_lines(user_id, sku_id, qty, seen_price, added_at) VALUES(?, ?, ?, ?, ?)`,
			user, sku, want, price, s.time())
		return err
	})
	if err != nil {
		return fmt.Errorf("put into the cart: %w", err)
	}
	return nil
}

// lockCart lets one transaction at a time fill a cart, on a server: the row of
// its owner stands for it.
func (tx *Tx) lockCart(user int64) error {
	if tx.words == nil {
		return nil
	}
	var id int64
	err := tx.rowForUpdate(`SELECT id FROM users WHERE id = ?`, user).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

const lastAddress = `SELECT name, phone, province, city, district, street, created_at
	FROM orders WHERE user_id = ? ORDER BY id DESC LIMIT 1`

// LastAddress is where the user's last order went. Orders remember it by
// themselves: a row more for each would be written for nothing.
func (s *Store) LastAddress(ctx context.Context, user int64) (*Address, error) {
	a := Address{UserID: user}
	err := s.row(ctx, lastAddress, user).Scan(&a.Name, &a.Phone, &a.Province, &a.City, &a.District, &a.Street, &a.UsedAt)
	if err != nil {
		return nil, fmt.Errorf("last address: %w", toldRead(ctx, err))
	}
	return &a, nil
}
