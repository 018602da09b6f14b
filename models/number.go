package models

import (
	"crypto/rand"
	"encoding/base32"
	"time"
)

// beijing needs no time zone database: China keeps one offset all year.
var beijing = time.FixedZone("CST", 8*3600)

// crockford has no I, L, O and U: a number can be read out on the phone.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// number is prefix + yyMMdd (the day in Beijing) + 16 characters of chance: 80
// bits, so that nobody guesses somebody else's (security P15).
func number(prefix string, now time.Time) string {
	var b [10]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program first
	n := make([]byte, 0, len(prefix)+6+16)
	n = append(n, prefix...)
	n = now.In(beijing).AppendFormat(n, "060102")
	return string(crockford.AppendEncode(n, b[:]))
}

// fresh is the function fresh inside a transaction. A server has undone that
// transaction at the first clash, so there it is run again as a whole.
func (tx *Tx) fresh(insert func() error) error {
	if tx.words != nil {
		return insert()
	}
	return fresh(insert)
}

// fresh calls insert until the numbers that it draws are not taken. More than
// one round needs a miracle or a broken source of chance, so three are enough.
func fresh(insert func() error) error {
	for try := 1; ; try++ {
		err := insert()
		if !clash(err) || try == 3 {
			return err
		}
	}
}
