package wxpay

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// signScheme is the one algorithm that we sign and verify with.
const signScheme = "WECHATPAY2-SHA256-RSA2048"

// signLines is the signature over lines, each of which ends in a line feed
// (WeChat Pay v3, generating the signature).
func signLines(key *rsa.PrivateKey, lines ...string) (string, error) {
	p := scratch.Get().(*[]byte)
	defer scratch.Put(p)
	text := (*p)[:0]
	for _, line := range lines {
		text = append(append(text, line...), '\n')
	}
	sum := sha256.Sum256(text)
	*p = text[:0]
	sign, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return base64.StdEncoding.EncodeToString(sign), nil
}

// authorization signs a request over the target and the bytes that will be on
// the wire.
func (g *V3Gateway) authorization(method, target string, body []byte) (string, error) {
	at, nonce := strconv.FormatInt(g.cfg.Now().Unix(), 10), rand.Text()
	sign, err := signLines(g.cfg.PrivateKey, method, target, at, nonce, string(body))
	if err != nil {
		return "", err
	}
	return signScheme + ` mchid="` + g.cfg.MchID + `",nonce_str="` + nonce + `",timestamp="` + at +
		`",serial_no="` + g.cfg.SerialNo + `",signature="` + sign + `"`, nil
}

// voucher is what the headers of an answer or a notification say about who
// wrote it.
type voucher struct {
	at, nonce, serial string
	sign              [maxSign]byte
	signLen           int
}

const (
	maxSign   = 512 // bytes: RSA-4096
	maxNonce  = 128
	maxSerial = 64
	// maxAge is how far WeChat's clock and ours may be apart, to either side:
	// 299 s are taken, 300 s are not.
	maxAge = 300
	// probePrefix marks a signature that WeChat made wrong on purpose.
	probePrefix = "WECHATPAY/SIGNTEST/"
)

// ErrProbe is a signature that WeChat made wrong on purpose, to see whether it
// is verified. It comes with ErrSignature and is no reason to worry: refuse,
// and the right one follows.
var ErrProbe = errors.New("a signature test by WeChat")

// read takes the headers apart. Everything is refused that could be read in
// two ways: a header that is missing or there twice, a time that is not digits.
func (v *voucher) read(h http.Header, now time.Time) error {
	if kinds := h["Wechatpay-Signature-Type"]; len(kinds) > 1 || len(kinds) == 1 && kinds[0] != signScheme {
		return fmt.Errorf("%w: another algorithm than %s", ErrSignature, signScheme)
	}
	var sign string
	for _, x := range []struct {
		to   *string
		name string
		max  int
	}{
		{&v.at, "Wechatpay-Timestamp", 12}, {&v.nonce, "Wechatpay-Nonce", maxNonce}, {&v.serial, "Wechatpay-Serial", maxSerial},
		{&sign, "Wechatpay-Signature", maxSign/3*4 + 8},
	} {
		values := h[x.name]
		if len(values) != 1 || values[0] == "" || len(values[0]) > x.max {
			return fmt.Errorf("%w: no good %s", ErrSignature, x.name)
		}
		*x.to = values[0]
	}
	if len(sign) >= len(probePrefix) && sign[:len(probePrefix)] == probePrefix {
		return fmt.Errorf("%w: %w", ErrSignature, ErrProbe)
	}
	at := fen(v.at)
	if apart := now.Unix() - at; at <= 0 || apart >= maxAge || apart <= -maxAge {
		return fmt.Errorf("%w: Wechatpay-Timestamp is not within five minutes of %d", ErrSignature, now.Unix())
	}
	return v.decode(sign)
}

func (v *voucher) decode(sign string) (err error) {
	text := [maxSign/3*4 + 8]byte{}
	v.signLen, err = strictBase64.Decode(v.sign[:], text[:copy(text[:], sign)])
	if err != nil || v.signLen == 0 {
		return fmt.Errorf("%w: Wechatpay-Signature is not base64", ErrSignature)
	}
	return nil
}

var strictBase64 = base64.StdEncoding.Strict()

// verify reports whether the owner of key wrote body under v.
func (v *voucher) verify(key *rsa.PublicKey, body []byte) bool {
	p := scratch.Get().(*[]byte)
	defer scratch.Put(p)
	text := append(append((*p)[:0], v.at...), '\n')
	text = append(append(text, v.nonce...), '\n')
	text = append(append(text, body...), '\n')
	sum := sha256.Sum256(text)
	*p = text[:0]
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], v.sign[:v.signLen]) == nil
}

// sealAlgorithm is the one by which WeChat encrypts for us.
const sealAlgorithm = "AEAD_AES_256_GCM"

// sealer opens what WeChat encrypted with our APIv3 key or, while it is being
// replaced, the next one.
type sealer struct {
	keys []cipher.AEAD
	last atomic.Int32 // index of the one that fitted last
}

func newSealer(keys ...string) (*sealer, error) {
	s := &sealer{}
	for _, key := range keys {
		if key == "" {
			continue
		}
		if len(key) != apiV3KeyLen {
			return nil, fmt.Errorf("an APIv3 key has %d bytes instead of %d", len(key), apiV3KeyLen)
		}
		block, err := aes.NewCipher([]byte(key))
		if err != nil {
			return nil, err
		}
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, gcm)
	}
	return s, nil
}

var errAPIv3Key = errors.New("does not open with our APIv3 key")

// open decrypts a resource (WeChat Pay v3, decrypting notifications and
// platform certificates). Lengths are looked at first: GCM panics over a nonce
// of any other.
func (s *sealer) open(t *jsonTree, in int) ([]byte, error) {
	if in < 0 {
		return nil, errors.New("there is nothing encrypted")
	}
	algorithm, nonce, text := t.text(in, "algorithm"), t.text(in, "nonce"), t.text(in, "ciphertext")
	data := []byte(t.text(in, "associated_data"))
	switch {
	case t.odd != "":
		return nil, fmt.Errorf("%s is of another kind", excerpt(t.odd))
	case algorithm != sealAlgorithm:
		return nil, fmt.Errorf("encrypted with something else than %s", sealAlgorithm)
	case len(nonce) != s.keys[0].NonceSize():
		return nil, fmt.Errorf("the nonce has %d bytes", len(nonce))
	}
	sealed, err := strictBase64.DecodeString(text)
	if err != nil || len(sealed) < s.keys[0].Overhead() {
		return nil, errors.New("the ciphertext is cut or not base64")
	}
	first := int(s.last.Load())
	for i := range s.keys {
		n := (first + i) % len(s.keys)
		if plain, err := s.keys[n].Open(nil, []byte(nonce), sealed, data); err == nil {
			if i > 0 {
				s.last.Store(int32(n))
			}
			return plain, nil
		}
	}
	return nil, errAPIv3Key
}
