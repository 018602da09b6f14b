package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	gosqlite "github.com/glebarez/go-sqlite"
	"gorm.io/gorm"
)

// What callers branch on. Errors of gorm and of the driver never leave this
// package.
var (
	ErrNotFound    = errors.New("no such record, or not yours")
	ErrStale       = errors.New("changed by someone else meanwhile")
	ErrBadMove     = errors.New("not allowed in this state")
	ErrLive        = errors.New("another attempt to pay is still open")
	ErrBusy        = errors.New("the database is busy or cannot be written")
	ErrEmptyCart   = errors.New("nothing to order")
	ErrTokenReused = errors.New("this token was used before")
	ErrExpired     = errors.New("too late")
	// ErrUnknown: a write may have happened or not. Doing the same again is
	// safe wherever a token or a number says that it is the same.
	ErrUnknown = errors.New("whether it was written is not known")
)

// StockError says which line asked for more than there is.
type StockError struct {
	SKUID int64
	Name  string // of product and option, Chinese
	Left  int64
}

func (e *StockError) Error() string { return fmt.Sprintf("only %d left of %s", e.Left, e.Name) }

// PriceError says that the total differs from the one the shopper was shown.
type PriceError struct{ Expected, Now Fen }

func (e *PriceError) Error() string { return fmt.Sprintf("the total is %s, not %s", e.Now, e.Expected) }

// InputError says what in a request cannot be accepted, in a sentence that a
// person may read.
type InputError struct{ Field, Problem string }

func (e *InputError) Error() string { return e.Field + ": " + e.Problem }

// Result codes of SQLite that callers need to tell apart (sqlite.org/rescode.html).
const (
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteNoMem      = 7
	sqliteReadOnly   = 8
	sqliteInterrupt  = 9
	sqliteIOErr      = 10
	sqliteCorrupt    = 11
	sqliteFull       = 13
	sqliteCantOpen   = 14
	sqliteConstraint = 19
	sqliteNotADB     = 26

	sqliteUnique     = 19 | 8<<8
	sqlitePrimaryKey = 19 | 6<<8
)

// code is the extended result code in err, 0 if it is not SQLite's.
func code(err error) int {
	var e *gosqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	var k *sqliteError
	if errors.As(err, &k) {
		return k.code
	}
	return 0
}

// clash reports whether err is a broken uniqueness.
func clash(err error) bool {
	c := code(err)
	return c == sqliteUnique || c == sqlitePrimaryKey || faultOf(err) == taken
}

// told turns an error of the driver or of gorm into one of ours.
func told(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) || errors.Is(err, gorm.ErrRecordNotFound) {
		return ErrNotFound
	}
	c := code(err)
	switch c & 0xff {
	case 0:
		return toldFault(err)
	case sqliteBusy, sqliteLocked:
		return fmt.Errorf("%w: another process holds its lock", ErrBusy)
	case sqliteFull:
		return fmt.Errorf("%w: the disk is full", ErrBusy)
	case sqliteReadOnly, sqliteCantOpen:
		return fmt.Errorf("%w: its file cannot be written", ErrBusy)
	case sqliteIOErr:
		return fmt.Errorf("%w: the disk is full or reports an error (SQLite %d)", ErrBusy, c)
	}
	return fmt.Errorf("database: %v", err)
}

// toldRead is told for a read: when ctx has ended, that is what happened.
func toldRead(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return told(err)
}
