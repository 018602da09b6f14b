package models

import (
	"context"
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
		_, err = tx.exec(`DELETE FROM oauth_states WHERE session_hash = ? AND hash NOT IN
			(SELECT hash FROM oauth_states WHERE session_hash = ? ORDER BY created_at DESC, rowid DESC LIMIT ?)`,
			x.SessionHash, x.SessionHash, maxTrips)
		return err
	})
	if err != nil {
		return fmt.Errorf("put oauth state: %w", err)
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
		_, err = tx.exec(`DELETE FROM oauth_states WHERE hash = ?`, hash)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("take oauth state: %w", err)
	}
	return returnPath, nil
}
