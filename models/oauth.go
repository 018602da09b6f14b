package models

import (
	"context"
	"fmt"
	"time"
)

const maxTrips = 5 // open trips to WeChat's authorize page per session

// PutOAuthState stores one trip; at most five are open per session, the oldest goes.
func (s *Store) PutOAuthState(ctx context.Context, x OAuthState) error {
	err := s.write(ctx, func(tx *Tx) error {
		created := x.CreatedAt
		before, newest, err := tx.trips(x.SessionHash)
		if err != nil {
			return err
		}
		if !created.After(newest.Time) { // in the same millisecond: still the newest
			created = At(newest.Add(time.Millisecond))
		}
		for _, hash := range before[min(len(before), maxTrips-1):] {
			if _, err := tx.exec(`DELETE FROM oauth_states WHERE hash = ?`, hash); err != nil {
				return err
			}
		}
		_, err = tx.exec(`INSERT INTO oauth_states(hash, session_hash, return_path, created_at, expires_at) VALUES(?, ?, ?, ?, ?)`,
			x.Hash, x.SessionHash, x.ReturnPath, created, x.ExpiresAt)
		return err
	})
	if err != nil {
		return fmt.Errorf("put oauth state: %w", err)
	}
	return nil
}

// trips are the open trips of a session, the newest first, and when that one
// began.
func (tx *Tx) trips(sessionHash string) (hashes []string, newest Time, err error) {
	rows, err := tx.rows(`SELECT hash, created_at FROM oauth_states WHERE session_hash = ? ORDER BY created_at DESC`, sessionHash)
	if err != nil {
		return nil, Time{}, err
	}
	defer rows.Close()
	for rows.Next() {
		var hash string
		var created Time
		if err := rows.Scan(&hash, &created); err != nil {
			return nil, Time{}, err
		}
		if hashes = append(hashes, hash); len(hashes) == 1 {
			newest = created
		}
	}
	return hashes, newest, rows.Err()
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
