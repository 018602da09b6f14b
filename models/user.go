package models

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// CreateGuest makes a user without an identity at WeChat.
func (s *Store) CreateGuest(ctx context.Context) (*User, error) {
	var u *User
	err := s.write(ctx, func(tx *Tx) error {
		u = &User{CreatedAt: s.time()}
		var err error
		u.ID, err = tx.insert(`INSERT INTO users(created_at) VALUES(?)`, u.CreatedAt)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create guest: %w", err)
	}
	return u, nil
}

// User is the user with this id.
func (s *Store) User(ctx context.Context, id int64) (*User, error) {
	u, err := scanUser(s.row(ctx, `SELECT id, app_id, open_id, created_at FROM users WHERE id = ?`, id))
	if err != nil {
		return nil, fmt.Errorf("user: %w", toldRead(ctx, err))
	}
	return u, nil
}

// UserOf is the user of an identity who signed in before. ErrNotFound: never.
func (s *Store) UserOf(ctx context.Context, appID, openID string) (*User, error) {
	u, err := scanUser(s.row(ctx, `SELECT id, app_id, open_id, created_at FROM users WHERE app_id = ? AND open_id = ?`, appID, openID))
	if err != nil {
		return nil, fmt.Errorf("user of an identity: %w", toldRead(ctx, err))
	}
	return u, nil
}

func scanUser(r scanner) (*User, error) {
	var u User
	if err := r.Scan(&u.ID, &u.AppID, &u.OpenID, &u.CreatedAt); err != nil {
		return nil, err
	}
	return &u, nil
}

// SignIn finds or makes the user of (appID, openID). A guest's cart and orders
// (guestID > 0 and really a guest) move to that user in the same transaction.
func (s *Store) SignIn(ctx context.Context, appID, openID string, guestID int64) (*User, error) {
	if appID == "" || openID == "" {
		return nil, fmt.Errorf("sign in: %w", &InputError{"openid", "WeChat named nobody"})
	}
	var u *User
	err := s.write(ctx, func(tx *Tx) error {
		var err error
		if u, err = s.identify(tx, appID, openID); err != nil {
			return err
		}
		guest, err := tx.isGuest(guestID)
		if err != nil || !guest {
			return err
		}
		return s.adopt(tx, guestID, u.ID)
	})
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	return u, nil
}

// identify finds or makes the user of an identity.
func (s *Store) identify(tx *Tx, appID, openID string) (*User, error) {
	u, err := scanUser(tx.row(`SELECT id, app_id, open_id, created_at FROM users WHERE app_id = ? AND open_id = ?`, appID, openID))
	if err == nil || told(err) != ErrNotFound {
		return u, err
	}
	u = &User{AppID: &appID, OpenID: &openID, CreatedAt: s.time()}
	u.ID, err = tx.insert(`INSERT INTO users(app_id, open_id, created_at) VALUES(?, ?, ?)`, appID, openID, u.CreatedAt)
	return u, err
}

func (tx *Tx) isGuest(id int64) (bool, error) {
	if id <= 0 {
		return false, nil
	}
	var n int64
	err := tx.row(`SELECT count(*) FROM users WHERE id = ? AND open_id IS NULL`, id).Scan(&n)
	return n == 1, err
}

// adopt moves what a guest has to the user that the guest turned out to be.
func (s *Store) adopt(tx *Tx, guest, user int64) error {
	if err := tx.adoptOrders(guest, user, s.time()); err != nil {
		return err
	}
	for _, id := range []int64{min(guest, user), max(guest, user)} {
		if err := tx.lockCart(id); err != nil {
			return err
		}
	}
	lines, err := tx.cartLines(user)
	if err != nil {
		return err
	}
	more, err := tx.cartLines(guest)
	if err != nil {
		return err
	}
	if _, err := tx.exec(`DELETE FROM cart_lines WHERE user_id = ?`, guest); err != nil {
		return err
	}
	return tx.mergeCart(user, lines, more)
}

// adoptOrders moves the orders of a guest, one by one as they were found.
func (tx *Tx) adoptOrders(guest, user int64, now Time) error {
	q := `SELECT id, state, form_token FROM orders WHERE user_id = ? ORDER BY id`
	if tx.words != nil {
		q += " FOR UPDATE"
	}
	rows, err := tx.rows(q, guest)
	if err != nil {
		return err
	}
	defer rows.Close()
	var os []Order
	for rows.Next() {
		var o Order
		if err := rows.Scan(&o.ID, &o.State, &o.FormToken); err != nil {
			return err
		}
		os = append(os, o)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, o := range os {
		if err := tx.adoptOrder(o, user, now); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) adoptOrder(o Order, user int64, now Time) error {
	// A token that both used stays the user's own; the guest's order keeps a variant of it.
	var used int64
	if err := tx.row(`SELECT count(*) FROM orders WHERE user_id = ? AND form_token = ?`, user, o.FormToken).Scan(&used); err != nil {
		return err
	}
	token := o.FormToken
	if used > 0 {
		token = fmt.Sprintf("%.40s:%d", token, o.ID)
	}
	if _, err := tx.exec(`UPDATE orders SET user_id = ?, form_token = ? WHERE id = ?`, user, token, o.ID); err != nil {
		return err
	}
	return tx.event(Event{OrderID: o.ID, At: now, Actor: "shopper", Kind: "claimed", From: string(o.State), To: string(o.State), Note: "the guest signed in"})
}

func (tx *Tx) cartLines(user int64) ([]CartLine, error) {
	rows, err := tx.rows(`SELECT sku_id, qty, seen_price, added_at FROM cart_lines WHERE user_id = ?`, user)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var lines []CartLine
	for rows.Next() {
		var l CartLine
		if err := rows.Scan(&l.SKUID, &l.Qty, &l.SeenPrice, &l.AddedAt); err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	return lines, rows.Err()
}

// mergeCart puts more into a cart. When it holds too much then, the oldest
// lines go.
func (tx *Tx) mergeCart(user int64, lines, more []CartLine) error {
	if len(more) == 0 {
		return nil
	}
	for _, l := range more {
		i := slices.IndexFunc(lines, func(x CartLine) bool { return x.SKUID == l.SKUID })
		if i < 0 {
			lines = append(lines, l)
			continue
		}
		lines[i].Qty = min(MaxQty, lines[i].Qty+l.Qty)
	}
	slices.SortStableFunc(lines, func(a, b CartLine) int {
		return cmp.Or(b.AddedAt.Compare(a.AddedAt.Time), cmp.Compare(a.SKUID, b.SKUID))
	})
	if _, err := tx.exec(`DELETE FROM cart_lines WHERE user_id = ?`, user); err != nil {
		return err
	}
	for _, l := range lines[:min(len(lines), MaxLines)] {
		_, err := tx.exec(`INSERT INTO cart_lines(user_id, sku_id, qty, seen_price, added_at) VALUES(?, ?, ?, ?, ?)`, user, l.SKUID, l.Qty, l.SeenPrice, l.AddedAt)
		if err != nil {
			return err
		}
	}
	return nil
}
