package sim

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
)

// The two algorithms of WeChat Pay v2 (sign_type).
const (
	algMD5  = "MD5"
	algHMAC = "HMAC-SHA256"
)

// stringToSign is the text that is signed: every non-empty field but sign, in
// byte order, joined as in a query but never escaped, and the key last
// (WeChat Pay v2, "安全规范").
func stringToSign(fields map[string]string, key string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if value := fields[name]; name != "sign" && value != "" {
			b.WriteString(name)
			b.WriteByte('=')
			b.WriteString(value)
			b.WriteByte('&')
		}
	}
	b.WriteString("key=")
	b.WriteString(key)
	return b.String()
}

// signature is the upper-case digest of the fields; "" is MD5.
func signature(fields map[string]string, key, alg string) string {
	text := []byte(stringToSign(fields, key))
	var sum []byte
	if alg == algHMAC {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(text)
		sum = mac.Sum(nil)
	} else {
		md := md5.Sum(text)
		sum = md[:]
	}
	return strings.ToUpper(hex.EncodeToString(sum))
}

// signedBy reports whether sign is the signature of the fields.
func signedBy(fields map[string]string, sign, key, alg string) bool {
	want := signature(fields, key, alg)
	return subtle.ConstantTimeCompare([]byte(sign), []byte(want)) == 1
}
