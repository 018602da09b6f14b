package sim

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	_ "crypto/sha1" // what the doctor recognises
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The causes that only messages of API v3 have.
const (
	causeReserialised = "body-reserialised"
	causeLines        = "line-endings"
	causeURL          = "wrong-url"
	causeSerial       = "wrong-serial"
	causeMerchant     = "wrong-mchid"
	causeProbe        = "signature-probe" // WeChat's own wrong signature
)

// digestForms are what stands before the digest in a signature of PKCS #1 v1.5.
var digestForms = []struct {
	hash crypto.Hash
	head string // hexadecimal
}{
	{crypto.SHA256, "3031300d060960864801650304020105000420"},
	{crypto.SHA1, "3021300906052b0e03021a05000414"},
	{crypto.MD5, "3020300c06082a864886f70d020505000410"},
	{crypto.SHA384, "3041300d060960864801650304020205000430"},
	{crypto.SHA512, "3051300d060960864801650304020305000440"},
	{crypto.SHA256, ""}, // encrypted bare, as some libraries do
}

// openedSign is what the maker of an RSA signature put into it.
type openedSign struct {
	hash crypto.Hash
	sum  []byte
	bare bool // without the name of the digest
}

// openSign turns a signature back into the digest that was signed. It works
// only with the public half of the key that signed, which tells a wrong key
// from a wrong message.
func openSign(key *rsa.PublicKey, raw []byte) (openedSign, bool) {
	if len(raw) != key.Size() {
		return openedSign{}, false
	}
	plain := new(big.Int).Exp(new(big.Int).SetBytes(raw), big.NewInt(int64(key.E)), key.N)
	text := plain.FillBytes(make([]byte, key.Size()))
	padding, rest, ok := bytes.Cut(text[1:], []byte{0})
	if !ok || text[0] != 0 || len(padding) < 9 || padding[0] != 1 || len(bytes.Trim(padding[1:], "\xff")) > 0 {
		return openedSign{}, false
	}
	for _, f := range digestForms {
		head, err := hex.DecodeString(f.head)
		if err == nil && len(rest) == len(head)+f.hash.Size() && bytes.HasPrefix(rest, head) {
			return openedSign{f.hash, rest[len(head):], f.head == ""}, true
		}
	}
	return openedSign{}, false
}

// over reports whether a text is what was signed.
func (o openedSign) over(text string) bool {
	h := o.hash.New()
	h.Write([]byte(text))
	return bytes.Equal(h.Sum(nil), o.sum)
}

// patientV3 is one message of API v3 before the doctor.
type patientV3 struct {
	parts   []partV3   // of the string to sign, in order
	layouts []layoutV3 // ways to join them, the right one first
	text    string     // the right string
	sign    string     // as it came
	brief   bool       // do not try two mistakes at once
}

// treat finds out what was signed instead of the right string. key is whose
// signature it should be; noKey says what it means that it is not.
func (s *Sim) treat(p patientV3, key *rsa.PublicKey, noKey string) (f finding) {
	raw, words := decodeSign(p.sign)
	if raw == nil {
		f.blame(causeAlgorithm, words)
		return f
	}
	if words != "" {
		f.blame(causeEscaped, words)
	}
	opened, ok := openSign(key, raw)
	switch {
	case !ok && s.usesPSS(p, key, raw):
		f.blame(causeAlgorithm, "用的是 RSA-PSS 填充，要 PKCS#1 v1.5。Signed with PSS padding; WeChat Pay wants RSASSA-PKCS1-v1_5.")
		return f
	case !ok:
		f.blame(causeKey, noKey)
		return f
	case opened.bare:
		f.blame(causeAlgorithm, "摘要是直接加密的，少了算法标识。The digest was encrypted bare; sign with the library's SHA256withRSA instead of encrypting a hash.")
	case opened.hash != crypto.SHA256:
		f.blame(causeAlgorithm, "摘要用的是 "+opened.hash.String()+"，要 SHA-256（PHP 的 openssl_sign 不写算法就是 SHA-1）。Signed with another digest than SHA-256; the default of PHP's openssl_sign is SHA-1.")
	}
	if opened.over(p.text) {
		return f
	}
	if !p.search(opened, &f) {
		f.blame(causeReserialised, "密钥对，签的串不对，也不是常见的错法：多半签的正文不是发的那一份，或随机串、时间戳取了两次。The key is right, the string is not, in no usual way: "+
			"most likely another body was signed than sent, or nonce and timestamp were made twice. 对一遍下面这个串。")
	}
	return f
}

// usesPSS reports whether a signature over the right string has PSS padding.
func (s *Sim) usesPSS(p patientV3, key *rsa.PublicKey, raw []byte) bool {
	h := crypto.SHA256.New()
	h.Write([]byte(p.text))
	return rsa.VerifyPSS(key, crypto.SHA256, h.Sum(nil), raw, nil) == nil
}

// decodeSign reads a signature in Base64; nil: it is none, and words say what
// it looks like. Other words: it was spoilt on its way.
func decodeSign(sign string) (raw []byte, words string) {
	if raw, err := hex.DecodeString(sign); err == nil && len(raw) > 0 { // before Base64, to which hexadecimal digits belong
		if len(raw) <= 32 {
			return nil, "这是 v2 的签名（MD5 或 HMAC-SHA256 的十六进制），v3 要 RSA。This is a signature of v2; API v3 signs with RSA and the merchant's private key."
		}
		return nil, "签名要写成 Base64，不是十六进制。The signature must be in Base64, not hexadecimal."
	}
	if raw, err := base64.StdEncoding.DecodeString(sign); err == nil && len(raw) >= 64 {
		return raw, ""
	}
	plain := sign
	if unescaped, err := url.PathUnescape(sign); err == nil {
		plain = unescaped
	}
	plain = strings.NewReplacer("-", "+", "_", "/", " ", "+", "\r", "", "\n", "").Replace(plain)
	if raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(plain, "=")); err == nil && len(raw) >= 64 {
		return raw, "签名被转义过：要标准的 Base64，一行，不做 URL 编码，带 = 结尾。The signature was escaped or folded; it must be standard Base64 on one line, with its padding, not URL-encoded."
	}
	return nil, "签名不是 Base64。The signature is not Base64."
}

// diagnosisOf is a finding about a patient as people read it.
func (s *Sim) diagnosisOf(p patientV3, f finding) diagnosisJSON {
	d := diagnosisJSON{StringToSign: s.masked(p.text), Received: p.sign, FirstDifference: -1}
	if len(f.causes) > 0 {
		d.Cause, d.Explanation = f.causes[0], sentence(f.words)
	}
	if f.text != "" && f.text != p.text {
		d.FirstDifference = firstDifference(p.text, f.text, len(p.text))
		d.Signed = s.masked(visible.Replace(f.text))
	}
	return d
}

// visible shows what cannot be seen, but for the line feeds of every text.
var visible = strings.NewReplacer("\r", "␍", "\t", "⇥", "\ufeff", "（BOM）")

// skewSaid says how far a timestamp is off, as far as it is.
func skewSaid(at string, now time.Time) string {
	if len(at) == 13 {
		return "timestamp 是毫秒，要秒，10 位。The timestamp is in milliseconds; it must be in seconds, ten digits."
	}
	n, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return "timestamp 不是整数秒。The timestamp is not a whole number of seconds."
	}
	off := now.Sub(time.Unix(n, 0)).Round(time.Second)
	if off.Abs() <= clockSkew {
		return ""
	}
	words := "timestamp 差了 " + off.String() + "，最多差 5 分钟；对一下本机的钟。The timestamp is more than 5 minutes off (" + off.String() + "): set the clock by NTP."
	if rest := off.Abs() % time.Hour; off.Abs() > time.Hour && (rest < clockSkew || rest > time.Hour-clockSkew) {
		words += " 差的是整小时，像是时区算错了：Unix 秒与时区无关。Whole hours: a time zone was added; Unix seconds have none."
	}
	return words
}
