package models

import (
	"context"
	"errors"
	"fmt"
)

const maxTrips = 5 // open trips to WeChat's authorize page per session

// PutOAuthState stores one trip; at most five are open per session, the oldest goes.
func (s *Store) PutOAuthState(ctx context.Context, x OAuthState) error {
	err := s.write(ctx, func(tx *Tx) error {
		_, err := tx.exec(`INSERT INTO oauth_states(hash, session_hash, return_path, created_at, expires_at) VALUES(?, ?, ?, ?, ?)`,
			x.Hash, x.SessionHash, x.ReturnPath, x.CreatedAt, x.ExpiresAt)
		if err != nil {
			return err
		}
		return tx.dropTrips(x)
	})
	if err != nil {
		return fmt.Errorf("put oauth state: %w", err)
	}
	return nil
}

// dropTrips removes the oldest trips of a session beside x.
func (tx *Tx) dropTrips(x OAuthState) error {
	rows, err := tx.rows(`SELECT hash FROM oauth_states WHERE session_hash = ? AND hash <> ? ORDER BY created_at DESC, hash`, x.SessionHash, x.Hash)
	if err != nil {
		return err
	}
	defer rows.Close()
	var old []string
	for n := 1; rows.Next(); n++ {
		var hash string
		if err := rows.Scan(&hash); err != nil {
			return err
		}
		if n >= maxTrips {
			old = append(old, hash)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, hash := range old {
		if _, err := tx.exec(`DELETE FROM oauth_states WHERE hash = ?`, hash); err != nil {
			return err
		}
	}
	return nil
}

// TakeOAuthState uses a state up, once, whoever is first; ErrNotFound when it
// is unknown, used, expired or of another session (security S1).
func (s *Store) TakeOAuthState(ctx context.Context, hash, sessionHash string) (returnPath string, err error) {
	err = s.write(ctx, func(tx *Tx) error {
		err := tx.row(`SELECT return_path FROM oauth_states WHERE hash = ? AND session_hash = ? AND expires_at > ?`,
			hash, sessionHash, s.time()).Scan(&returnPath)
		if err != nil {
			return err
		}
		first, err := tx.execOne(`DELETE FROM oauth_states WHERE hash = ?`, hash)
		if err == nil && !first {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("take oauth state: %w", err)
	}
	return returnPath, nil
}
