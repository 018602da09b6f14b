package wxpay

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"sync"
	"sync/atomic"
)

// known reports whether t is an algorithm that we can do.
func (t SignType) known() bool { return t == MD5 || t == HMACSHA256 }

// hexLen is the length of a signature made with t.
func (t SignType) hexLen() int {
	if t == MD5 {
		return 2 * md5.Size
	}
	return 2 * sha256.Size
}

// signTypeOf tells the algorithm by the length of a signature; "" for neither.
// The message itself usually does not say (WeChat Pay v2, payment notification).
func signTypeOf(sign string) SignType {
	for _, t := range []SignType{MD5, HMACSHA256} {
		if len(sign) == t.hexLen() {
			return t
		}
	}
	return ""
}

// appendStringToSign writes name=value&...&key=KEY over all fields of m but
// sign and empty ones, values raw (WeChat Pay v2, signature algorithm).
func appendStringToSign(b []byte, m message, key string) []byte {
	for i := range m {
		f := &m[i]
		if f.value == "" || f.name == "sign" {
			continue
		}
		b = append(b, f.name...)
		b = append(b, '=')
		b = append(b, f.value...)
		b = append(b, '&')
	}
	b = append(b, "key="...)
	return append(b, key...)
}

// appendDigest appends the upper-case hex digest of text.
func appendDigest(b, text []byte, t SignType, key string) []byte {
	if t == MD5 {
		sum := md5.Sum(text)
		return appendHex(b, sum[:])
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(text)
	var sum [sha256.Size]byte
	return appendHex(b, mac.Sum(sum[:0]))
}

func appendHex(b, sum []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, c := range sum {
		b = append(b, digits[c>>4], digits[c&15])
	}
	return b
}

// scratch holds the texts that are built only to be hashed.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// signature is the sign of m, which must be sorted.
func signature(m message, t SignType, key string) string {
	p := scratch.Get().(*[]byte)
	defer scratch.Put(p)
	text := appendStringToSign((*p)[:0], m, key)
	n := len(text)
	text = appendDigest(text, text, t, key)
	*p = text[:0]
	return string(text[n:])
}

// signed is m, sorted, with its sign.
func signed(m message, t SignType, key string) message {
	m = m.sorted()
	return append(m, field{"sign", signature(m, t, key)}).sorted()
}

// keyring is the merchant's key and, while it is being replaced, the next one.
type keyring struct {
	keys []string     // one or two
	used atomic.Int32 // index of the one we sign with
}

func newKeyring(key, next string) *keyring {
	k := &keyring{keys: []string{key}}
	if next != "" && next != key {
		k.keys = append(k.keys, next)
	}
	return k
}

// current is the index of the key to sign with, and the key.
func (k *keyring) current() (int, string) {
	i := int(k.used.Load())
	return i, k.keys[i]
}

// verify reports whether m carries the sign that t and one of our keys make.
// The sign must be there, of t's length and in upper case.
func (k *keyring) verify(m message, t SignType) error {
	got := m.get("sign")
	if !t.known() || got == "" {
		return ErrSignature
	}
	if said := m.get("sign_type"); said != "" && said != string(t) {
		return ErrSignature
	}
	p := scratch.Get().(*[]byte)
	defer scratch.Put(p)
	for _, key := range k.keys {
		text := appendStringToSign((*p)[:0], m, key)
		n := len(text)
		text = appendDigest(text, text, t, key)
		*p = text[:0]
		if subtle.ConstantTimeCompare(text[n:], []byte(got)) == 1 {
			return nil
		}
	}
	return ErrSignature
}
