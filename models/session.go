package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ended is the Kind of a session that was deleted. Its row stays for a while,
// so that a request still under way cannot bring the session back by saving it.
const (
	ended     = "ended"
	endedKept = 24 * time.Hour
)

const sessionOf = `SELECT hash, kind, user_id, staff_id, data, created_at, seen_at, expires_at
	FROM sessions WHERE hash = ? AND kind <> 'ended' AND expires_at > ?`

// Session is the row of a session that lives. ErrNotFound also when expired.
func (s *Store) Session(ctx context.Context, hash string) (*Session, error) {
	var x Session
	err := s.row(ctx, sessionOf, hash, s.time()).
		Scan(&x.Hash, &x.Kind, &x.UserID, &x.StaffID, &x.Data, &x.CreatedAt, &x.SeenAt, &x.ExpiresAt)
	if err != nil {
		return nil, fmt.Errorf("session: %w", toldRead(ctx, err))
	}
	return &x, nil
}

// SaveSession inserts or updates by Hash. A session that was deleted stays
// deleted: ErrNotFound.
func (s *Store) SaveSession(ctx context.Context, x Session) error {
	err := s.write(ctx, func(tx *Tx) error { return tx.putSession(x) })
	if err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	return nil
}

func (tx *Tx) putSession(x Session) error {
	var (
		kind string
		user int64
	)
	err := tx.rowForUpdate(`SELECT kind, user_id FROM sessions WHERE hash = ?`, x.Hash).Scan(&kind, &user)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		_, err = tx.exec(`INSERT INTO sessions(hash, kind, user_id, staff_id, data, created_at, seen_at, expires_at)
			VALUES(?, ?, ?, ?, ?, ?, ?, ?)`, x.Hash, x.Kind, x.UserID, x.StaffID, x.Data, x.CreatedAt, x.SeenAt, x.ExpiresAt)
		return err
	case err != nil:
		return err
	case kind == ended:
		return ErrNotFound
	}
	if x.UserID != 0 {
		user = x.UserID
	}
	_, err = tx.exec(`UPDATE sessions SET kind = ?, user_id = ?, staff_id = ?, data = ?, seen_at = ?, expires_at = ? WHERE hash = ?`,
		x.Kind, user, x.StaffID, x.Data, x.SeenAt, x.ExpiresAt, x.Hash)
	return err
}

const endSession = `UPDATE sessions SET kind = 'ended', user_id = 0, staff_id = 0, data = '', expires_at = ?
	WHERE kind <> 'ended' AND `

// DeleteSession ends one session. An unknown one is already ended.
func (s *Store) DeleteSession(ctx context.Context, hash string) error {
	err := s.write(ctx, func(tx *Tx) error {
		_, err := tx.exec(endSession+`hash = ?`, At(s.now().Add(endedKept)), hash)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}

// DeleteSessionsOf ends all sessions of a member of staff but one.
func (s *Store) DeleteSessionsOf(ctx context.Context, staffID int64, except string) error {
	if staffID <= 0 {
		return nil // 0 is "nobody": every shopper's session has it
	}
	err := s.write(ctx, func(tx *Tx) error {
		_, err := tx.exec(endSession+`staff_id = ? AND hash <> ?`, At(s.now().Add(endedKept)), staffID, except)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete sessions: %w", err)
	}
	return nil
}

// ReplaceSession stores x and ends the session of the old hash in one
// transaction (security S3).
func (s *Store) ReplaceSession(ctx context.Context, old string, x Session) error {
	err := s.write(ctx, func(tx *Tx) error {
		if err := tx.putSession(x); err != nil {
			return err
		}
		_, err := tx.exec(endSession+`hash = ? AND hash <> ?`, At(s.now().Add(endedKept)), old, x.Hash)
		return err
	})
	if err != nil {
		return fmt.Errorf("replace session: %w", err)
	}
	return nil
}

// SweepSessions removes what has expired: sessions, trips to WeChat, claims
// and failures that no longer count. It says how many rows went.
func (s *Store) SweepSessions(ctx context.Context) (int64, error) {
	var n int64
	err := s.write(ctx, func(tx *Tx) error {
		n = 0
		now := s.now()
		for _, old := range []struct {
			rows string
			args []any
		}{
			{`DELETE FROM sessions WHERE expires_at <= ?`, []any{At(now)}},
			{`DELETE FROM oauth_states WHERE expires_at <= ?`, []any{At(now)}},
			{`DELETE FROM claims WHERE expires_at <= ?`, []any{At(now)}},
			{`DELETE FROM throttles WHERE since <= ? AND coalesce(until, 0) <= ?`, []any{At(now.Add(-failWindow)), At(now)}},
		} {
			res, err := tx.exec(old.rows, old.args...)
			if err != nil {
				return err
			}
			gone, err := res.RowsAffected()
			if err != nil {
				return err
			}
			n += gone
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("sweep sessions: %w", err)
	}
	return n, nil
}
