package models

import (
	"context"
	"fmt"
	"time"
)

// Lease takes or renews a turn by compare-and-set; false: another holder's.
func (s *Store) Lease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	var ok bool
	err := s.write(ctx, func(tx *Tx) error {
		now := s.now()
		var err error
		ok, err = tx.execOne(`INSERT INTO leases(name, holder, until) VALUES(?, ?, ?)
			ON CONFLICT(name) DO UPDATE SET holder = excluded.holder, until = excluded.until
			WHERE holder = excluded.holder OR until <= ?`,
			name, holder, At(now.Add(ttl)), At(now))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("lease %s: %w", name, err)
	}
	return ok, nil
}

// Release gives a turn back. One that is another holder's stays.
func (s *Store) Release(ctx context.Context, name, holder string) error {
	err := s.write(ctx, func(tx *Tx) error {
		_, err := tx.exec(`DELETE FROM leases WHERE name = ? AND holder = ?`, name, holder)
		return err
	})
	if err != nil {
		return fmt.Errorf("release %s: %w", name, err)
	}
	return nil
}
