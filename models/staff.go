package models

import (
	"context"
	"fmt"
	"time"
)

// Staff is the member of staff of this name.
func (s *Store) Staff(ctx context.Context, name string) (*Staff, error) {
	return s.staff(ctx, "name = ?", name)
}

// StaffByID is the member of staff with this id.
func (s *Store) StaffByID(ctx context.Context, id int64) (*Staff, error) {
	return s.staff(ctx, "id = ?", id)
}

func (s *Store) staff(ctx context.Context, where string, arg any) (*Staff, error) {
	var x Staff
	if err := s.read(ctx).Where(where, arg).Take(&x).Error; err != nil {
		return nil, fmt.Errorf("staff: %w", toldRead(ctx, err))
	}
	return &x, nil
}

// StaffCount says how many people may sign in.
func (s *Store) StaffCount(ctx context.Context) (int64, error) {
	var n int64
	if err := s.row(ctx, `SELECT count(*) FROM staff`).Scan(&n); err != nil {
		return 0, fmt.Errorf("count staff: %w", toldRead(ctx, err))
	}
	return n, nil
}

// CreateStaff adds a person. A name that is taken is an *InputError.
func (s *Store) CreateStaff(ctx context.Context, x Staff) error {
	err := s.write(ctx, func(tx *Tx) error {
		var n int64
		if err := tx.row(`SELECT count(*) FROM staff WHERE name = ?`, x.Name).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return &InputError{"name", "somebody has this name already"}
		}
		y := x
		if y.CreatedAt.IsZero() {
			y.CreatedAt = s.time()
		}
		return tx.gorm().Create(&y).Error
	})
	if err != nil {
		return fmt.Errorf("create staff: %w", err)
	}
	return nil
}

// SetPassword stores a new PHC string of a person.
func (s *Store) SetPassword(ctx context.Context, id int64, phc string, mustChange bool) error {
	err := s.write(ctx, func(tx *Tx) error {
		ok, err := tx.execOne(`UPDATE staff SET password = ?, must_change = ? WHERE id = ?`, phc, mustChange, id)
		if err == nil && !ok {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	return nil
}

// SawStaff keeps when a person signed in last.
func (s *Store) SawStaff(ctx context.Context, id int64) error {
	err := s.write(ctx, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE staff SET seen_at = ? WHERE id = ?`, s.time(), id)
		return err
	})
	if err != nil {
		return fmt.Errorf("saw staff: %w", err)
	}
	return nil
}

const (
	freeFails  = 5
	failWindow = 15 * time.Minute
	minWait    = 10 * time.Second
	maxWait    = time.Minute
)

// Throttled says until when a key must wait; zero: it may try.
func (s *Store) Throttled(ctx context.Context, key string) (Time, error) {
	var until Time
	err := s.row(ctx, `SELECT until FROM throttles WHERE "key" = ? AND until > ?`, key, s.time()).Scan(&until)
	if err = toldRead(ctx, err); err != nil && err != ErrNotFound {
		return Time{}, fmt.Errorf("throttled: %w", err)
	}
	return until, nil
}

// Fail counts a failure: five in fifteen minutes are free, then the wait
// doubles from ten to sixty seconds. Forgive forgets them.
func (s *Store) Fail(ctx context.Context, key string) error {
	err := s.write(ctx, func(tx *Tx) error {
		t, now := Throttle{Key: key}, s.now()
		err := tx.rowForUpdate(`SELECT failures, since, until FROM throttles WHERE "key" = ?`, key).Scan(&t.Failures, &t.Since, &t.Until)
		if err != nil && told(err) != ErrNotFound {
			return err
		}
		first := err != nil
		t.fail(now)
		if first {
			_, err = tx.exec(`INSERT INTO throttles("key", failures, since, until) VALUES(?, ?, ?, ?)`, t.Key, t.Failures, t.Since, t.Until)
			return err
		}
		_, err = tx.exec(`UPDATE throttles SET failures = ?, since = ?, until = ? WHERE "key" = ?`, t.Failures, t.Since, t.Until, t.Key)
		return err
	})
	if err != nil {
		return fmt.Errorf("count a failure: %w", err)
	}
	return nil
}

// fail counts one more failure at now.
func (t *Throttle) fail(now time.Time) {
	if now.Sub(t.Since.Time) >= failWindow && !t.Until.After(now) {
		*t = Throttle{Key: t.Key, Since: At(now)}
	}
	t.Failures++
	if over := t.Failures - freeFails; over > 0 {
		t.Until = At(now.Add(min(minWait<<min(over-1, 3), maxWait)))
	}
}

// Forgive forgets the failures of a key.
func (s *Store) Forgive(ctx context.Context, key string) error {
	err := s.write(ctx, func(tx *Tx) error {
		_, err := tx.exec(`DELETE FROM throttles WHERE "key" = ?`, key)
		return err
	})
	if err != nil {
		return fmt.Errorf("forgive: %w", err)
	}
	return nil
}
