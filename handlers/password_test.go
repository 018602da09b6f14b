package handlers

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/crypto/argon2"
)

// A1: the parameters are in the string, each hash has its own salt, and only
// the same password fits.
func TestAdminPasswordHash(t *testing.T) {
	const typed = " 云间 tea, pot & cup "
	a, err := HashPassword(typed)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := HashPassword(typed)
	if !strings.HasPrefix(a, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("HashPassword = %q, want the parameters of A1", a)
	}
	if a == b {
		t.Error("two hashes of one password are equal: no salt")
	}
	for _, test := range []struct {
		name, password string
		want           bool
	}{
		{"as typed", typed, true},
		{"trimmed", strings.TrimSpace(typed), false},
		{"other case", strings.ToUpper(typed), false},
		{"empty", "", false},
	} {
		ok, weak, err := VerifyPassword(a, test.password)
		if ok != test.want || weak || err != nil {
			t.Errorf("%s: VerifyPassword = %v, weak %v, %v; want %v, false, nil", test.name, ok, weak, err, test.want)
		}
	}
}

// A hash made by another program: version 1.3, t=2, m=64 MiB, p=1, "password"
// with "somesalt", a vector of the reference implementation of argon2id.
func TestAdminPasswordForeignHash(t *testing.T) {
	const phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	ok, weak, err := VerifyPassword(phc, "password")
	if !ok || err != nil {
		t.Errorf("VerifyPassword = %v, %v; want true, nil", ok, err)
	}
	if !weak {
		t.Error("a salt of 8 bytes is not reported as weak")
	}
}

func TestAdminPasswordBrokenHash(t *testing.T) {
	good, err := HashPassword("a good long password")
	if err != nil {
		t.Fatal(err)
	}
	for _, phc := range []string{
		"", "$", "plain text", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=19456", "m=4294967295", 1), strings.Replace(good, "t=2", "t=0", 1),
		strings.Replace(good, "p=1", "p=0", 1), strings.Replace(good, "m=19456", "m=x", 1), good[:len(good)-20], good + "$",
	} {
		if ok, _, err := VerifyPassword(phc, "a good long password"); ok || err == nil {
			t.Errorf("VerifyPassword(%q) = %v, %v; want an error", phc, ok, err)
		}
	}
}

// A1: parameters below ours are made anew at the next sign-in.
func TestAdminPasswordWeakHash(t *testing.T) {
	tag := argon2.IDKey([]byte("a good long password"), []byte("0123456789abcdef"), 1, 8192, 1, 32)
	phc := "$argon2id$v=19$m=8192,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + b64(tag)
	if ok, weak, err := VerifyPassword(phc, "a good long password"); !ok || !weak || err != nil {
		t.Errorf("VerifyPassword = %v, weak %v, %v; want true, true, nil", ok, weak, err)
	}
}

// A1: four at once, the fifth waits two seconds and is sent away.
func TestAdminPasswordQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher()
		for range hashesAtOnce {
			if _, err := h.take(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.take(t.Context()); !errors.Is(err, errBusyHashing) {
			t.Errorf("fifth take = %v, want %v", err, errBusyHashing)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := h.take(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("take of a client that left = %v, want %v", err, context.Canceled)
		}
	})
}

// A2
func TestAdminPasswordPolicy(t *testing.T) {
	for _, test := range []struct {
		name, password string
		want           error
	}{
		{"passphrase", "seven cups on a wet table", nil},
		{"no rule of composition", "mrvlkteopwsahzb", nil},
		{"Chinese", "水已经烧好了，挑一款茶吧。", nil},
		{"random figures", "839205718264", nil},
		{"128 characters", strings.Repeat("茶e9#", 32), ErrPasswordCommon},
		{"128 different", strings.Repeat("茶", 1) + longPassword(127), nil},
		{"129 characters", longPassword(129), ErrPasswordLong},
		{"5000 bytes", strings.Repeat("x", 5000), ErrPasswordLong}, // X29
		{"11 characters", "kz8Qm2wTr9L", ErrPasswordShort},
		{"11 wide characters", "水已经烧好了挑一款茶", ErrPasswordShort},
		{"not UTF-8", "kz8Qm2wTr9L\xff\xfe", ErrPasswordLong},
		{"word", "password1234", ErrPasswordCommon},
		{"words", "AdminAdmin2026!", ErrPasswordCommon},
		{"leet", "P@ssw0rd!2026", ErrPasswordCommon},
		{"pinyin", "woaini1314520", ErrPasswordCommon},
		{"figures", "123456789012", ErrPasswordCommon},
		{"one piece", "abcabcabcabc", ErrPasswordCommon},
		{"one key", "aaaaaaaaaaaaaa", ErrPasswordCommon},
		{"walk", "1q2w3e4r5t6y", ErrPasswordCommon},
		{"two walks", "qwertyasdfgh123", ErrPasswordCommon},
		{"shop", "the 云间茶铺 kettle", ErrPasswordNamed},
		{"user", "I am XiaoMan of the shop", ErrPasswordNamed},
	} {
		if got := CheckPassword(test.password, "云间茶铺", "xiaoman", ""); !errors.Is(got, test.want) {
			t.Errorf("%s: CheckPassword(%q) = %v, want %v", test.name, test.password, got, test.want)
		}
	}
}

// longPassword is n characters without a pattern.
func longPassword(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteByte('a' + byte(i*i*7+i*3)%26)
	}
	return b.String()[:n]
}

func b64(p []byte) string { return base64.RawStdEncoding.EncodeToString(p) }
