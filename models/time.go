package models

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// Time is an instant in UTC with whole milliseconds. It is stored as an
// integer of Unix milliseconds, so that every database orders and compares it
// alike; the zero Time is NULL.
type Time struct{ time.Time }

// At is t in UTC, cut to whole milliseconds.
func At(t time.Time) Time {
	if t.IsZero() {
		return Time{}
	}
	return Time{t.UTC().Truncate(time.Millisecond)}
}

// Value implements driver.Valuer.
func (t Time) Value() (driver.Value, error) {
	if t.IsZero() {
		return nil, nil
	}
	return t.UnixMilli(), nil
}

// Scan implements sql.Scanner.
func (t *Time) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*t = Time{}
	case int64:
		*t = Time{time.UnixMilli(v).UTC()}
	default:
		return fmt.Errorf("a time is stored as %T, not as milliseconds", v)
	}
	return nil
}

// GormDataType makes the column an integer.
func (Time) GormDataType() string { return "bigint" }
