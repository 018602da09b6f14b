package models

import (
	"errors"
	"fmt"
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
