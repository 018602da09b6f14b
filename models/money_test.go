package models

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFenString(t *testing.T) {
	for _, tt := range []struct {
		fen  Fen
		want string
	}{
		{0, "0.00"}, {5, "0.05"}, {28400, "284.00"}, {-1, "-0.01"}, {-12345, "-123.45"},
		{math.MaxInt64, "92233720368547758.07"}, {math.MinInt64, "-92233720368547758.08"},
	} {
		if got := tt.fen.String(); got != tt.want {
			t.Errorf("%d: %q, want %q", int64(tt.fen), got, tt.want)
		}
	}
}

// P12: what does not fit is told, never wrapped around.
func TestFenArithmetic(t *testing.T) {
	edges := []int64{0, 1, -1, 2, 99, math.MaxInt64, math.MinInt64, math.MaxInt64 / 2, math.MinInt64 / 2, math.MaxInt32, 1 << 62}
	check := func(t interface{ Errorf(string, ...any) }, a, b int64) {
		sum := new(big.Int).Add(big.NewInt(a), big.NewInt(b))
		if got, ok := Fen(a).Plus(Fen(b)); ok != sum.IsInt64() || ok && int64(got) != sum.Int64() {
			t.Errorf("%d + %d: %d %v, want %s", a, b, int64(got), ok, sum)
		}
		product := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
		if got, ok := Fen(a).Times(b); ok != product.IsInt64() || ok && int64(got) != product.Int64() {
			t.Errorf("%d × %d: %d %v, want %s", a, b, int64(got), ok, product)
		}
	}
	for _, a := range edges {
		for _, b := range edges {
			check(t, a, b)
		}
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")) })
}

func TestParseFen(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Fen
		ok   bool
	}{
		{"12", 1200, true}, {"12.3", 1230, true}, {"12.34", 1234, true}, {" 0.01 ", 1, true}, {"0", 0, true}, {"007", 700, true},
		{"9999999999999.99", 999999999999999, true},
		{"", 0, false}, {".", 0, false}, {".5", 0, false}, {"5.", 0, false}, {"1.234", 0, false}, {"1,5", 0, false}, {"1,000", 0, false},
		{"-1", 0, false}, {"+1", 0, false}, {"1e3", 0, false}, {"0x1F", 0, false}, {"１２", 0, false}, {"1_000", 0, false},
		{"1 2", 0, false}, {"1.2.3", 0, false}, {"NaN", 0, false}, {"¥5", 0, false}, {"12345678901234", 0, false}, {"1.-1", 0, false},
	} {
		got, err := ParseFen(tt.text)
		if (err == nil) != tt.ok || got != tt.want {
			t.Errorf("%q: %d, %v; want %d, ok %v", tt.text, int64(got), err, int64(tt.want), tt.ok)
		}
		if err != nil && !strings.Contains(err.Error(), "write 12 or 12.34") {
			t.Errorf("%q: %v does not say what to type", tt.text, err)
		}
	}
}

func FuzzParseFen(f *testing.F) {
	for _, s := range []string{"12", "12.3", "12.34", "-1", "1e3", "9999999999999.99", "１２", "1.\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fen, err := ParseFen(s)
		if err != nil {
			return
		}
		if fen < 0 {
			t.Fatalf("%q is %d fen", s, int64(fen))
		}
		if again, err := ParseFen(fen.String()); err != nil || again != fen {
			t.Fatalf("%q is %s, which reads as %s (%v)", s, fen, again, err)
		}
	})
}
