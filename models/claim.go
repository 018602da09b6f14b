package models

import (
	"context"
	"fmt"
)

// CreateClaim stores a claim on an order.
func (s *Store) CreateClaim(ctx context.Context, c Claim) error {
	err := s.write(ctx, func(tx *Tx) error {
		_, err := tx.exec(`INSERT INTO claims(hash, order_id, expires_at) VALUES(?, ?, ?)`, c.Hash, c.OrderID, c.ExpiresAt)
		return err
	})
	if err != nil {
		return fmt.Errorf("create claim: %w", err)
	}
	return nil
}

// ClaimedOrder looks at what a claim is for, without using it. ErrNotFound
// when it is unknown, used or expired.
func (s *Store) ClaimedOrder(ctx context.Context, hash string) (*Order, error) {
	var id int64
	err := s.row(ctx, `SELECT order_id FROM claims WHERE hash = ? AND used_at IS NULL AND expires_at > ?`, hash, s.time()).Scan(&id)
	if err != nil {
		return nil, fmt.Errorf("claimed order: %w", toldRead(ctx, err))
	}
	return s.OrderByID(ctx, id)
}

// UseClaim moves the order of a claim from its guest to the user, once,
// whoever is first, and gives its number. ErrNotFound when the claim is
// unknown, used or expired, or the order is already somebody else's.
func (s *Store) UseClaim(ctx context.Context, hash string, user int64) (no string, err error) {
	err = s.write(ctx, func(tx *Tx) error {
		now := s.time()
		var o Order
		if err := tx.lockOrder(`id = (SELECT order_id FROM claims WHERE hash = ?)`, hash); err != nil {
			return err
		}
		err := tx.rowForUpdate(`SELECT o.id, o.no, o.user_id, o.state FROM claims c JOIN orders o ON o.id = c.order_id
			WHERE c.hash = ? AND c.used_at IS NULL AND c.expires_at > ?`, hash, now).Scan(&o.ID, &o.No, &o.UserID, &o.State)
		if err != nil {
			return err
		}
		guest, err := tx.isGuest(o.UserID)
		if err != nil {
			return err
		}
		if !guest && o.UserID != user || o.State != Unpaid { // a paid order shows an address
			return ErrNotFound
		}
		no = o.No
		return s.claim(tx, o, hash, user, now)
	})
	if err != nil {
		return "", fmt.Errorf("use claim: %w", err)
	}
	return no, nil
}

func (s *Store) claim(tx *Tx, o Order, hash string, user int64, now Time) error {
	if _, err := tx.exec(`UPDATE claims SET used_at = ? WHERE hash = ?`, now, hash); err != nil {
		return err
	}
	if o.UserID == user {
		return nil
	}
	// The form token stays behind: it was the guest's.
	_, err := tx.exec(`UPDATE orders SET user_id = ?, form_token = substr(form_token, 1, 40) || ':' || id WHERE id = ?`, user, o.ID)
	if err != nil {
		return err
	}
	return tx.event(Event{OrderID: o.ID, At: now, Actor: "shopper", Kind: "claimed", From: string(o.State), To: string(o.State)})
}
