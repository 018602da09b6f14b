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
		ok, err = tx.lease(name, holder, At(now.Add(ttl)), At(now))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("lease %s: %w", name, err)
	}
	return ok, nil
}

// lease takes a turn that is free, over or the holder's own.
func (tx *Tx) lease(name, holder string, until, now Time) (bool, error) {
	ok, err := tx.execOne(`UPDATE leases SET holder = ?, until = ? WHERE name = ? AND (holder = ? OR until <= ?)`, holder, until, name, holder, now)
	if err != nil || ok {
		return ok, err
	}
	var known int64
	if err := tx.row(`SELECT count(*) FROM leases WHERE name = ?`, name).Scan(&known); err != nil || known > 0 {
		return false, err
	}
	_, err = tx.exec(`INSERT INTO leases(name, holder, until) VALUES(?, ?, ?)`, name, holder, until)
	return err == nil, err
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
