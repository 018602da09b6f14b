package models

import (
	"fmt"
	"strconv"
	"strings"
)

// Fen is an amount of money in fen, the hundredth of a yuan. It is the only
// type of money in the shop: prices, totals and refunds are whole numbers
// from config.yaml to the database, never floats.
type Fen int64

// String is the amount in yuan with two decimals and no sign of currency,
// "284.00"; what people read is made in views.
func (f Fen) String() string {
	sign := ""
	n := uint64(f)
	if f < 0 {
		sign, n = "-", -n // two's complement: right for the smallest int64 too
	}
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}

// Times is f × n. It reports false when the product does not fit, so that a
// hostile quantity cannot wrap a total around (security P12).
func (f Fen) Times(n int64) (Fen, bool) {
	if f == 0 || n == 0 {
		return 0, true
	}
	p := int64(f) * n
	if p/n != int64(f) || (n == -1 && int64(f) == p) {
		return 0, false
	}
	return Fen(p), true
}

// Plus is f + g, and false when the sum does not fit.
func (f Fen) Plus(g Fen) (Fen, bool) {
	s := f + g
	if (s > f) != (g > 0) && g != 0 {
		return 0, false
	}
	return s, true
}

// ParseFen reads an amount that a person typed in yuan ("12", "12.3",
// "12.34"). It works on the digits, never on a float. Errors say what to type.
func ParseFen(s string) (Fen, error) {
	bad := fmt.Errorf("%q is not an amount in yuan: write 12 or 12.34", s)
	whole, frac, dot := strings.Cut(strings.TrimSpace(s), ".")
	if whole == "" || len(whole) > 13 || len(frac) > 2 || dot && frac == "" {
		return 0, bad
	}
	for len(frac) < 2 {
		frac += "0"
	}
	for _, c := range whole + frac {
		if c < '0' || c > '9' {
			return 0, bad
		}
	}
	n, err := strconv.ParseInt(whole+frac, 10, 64)
	if err != nil {
		return 0, bad
	}
	return Fen(n), nil
}
