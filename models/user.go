package models

import (
	"context"
	"fmt"
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
	now := s.time()
	steps := []struct {
		q    string
		args []any
	}{
		// A token that both used stays the user's own; the guest's order keeps a variant of it.
		{`UPDATE orders SET form_token = form_token || ':' || id WHERE user_id = ?
			AND form_token IN (SELECT form_token FROM orders WHERE user_id = ?)`, []any{guest, user}},
		{`INSERT INTO events(order_id, at, actor, kind, from_state, to_state, amount, out_trade_no, transaction_id, note)
			SELECT id, ?, 'shopper', 'claimed', state, state, 0, '', '', 'the guest signed in' FROM orders WHERE user_id = ?`, []any{now, guest}},
		{`UPDATE orders SET user_id = ? WHERE user_id = ?`, []any{user, guest}},
		{`INSERT INTO cart_lines(user_id, sku_id, qty, seen_price, added_at)
			SELECT ?, sku_id, qty, seen_price, added_at FROM cart_lines WHERE user_id = ?
			ON CONFLICT(user_id, sku_id) DO UPDATE SET qty = min(?, qty + excluded.qty)`, []any{user, guest, MaxQty}},
		{`DELETE FROM cart_lines WHERE user_id = ?`, []any{guest}},
		{`DELETE FROM cart_lines WHERE user_id = ? AND sku_id NOT IN
			(SELECT sku_id FROM cart_lines WHERE user_id = ? ORDER BY added_at DESC, sku_id LIMIT ?)`, []any{user, user, MaxLines}},
	}
	for _, step := range steps {
		if _, err := tx.exec(step.q, step.args...); err != nil {
			return err
		}
	}
	return nil
}
