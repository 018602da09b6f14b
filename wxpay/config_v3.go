package wxpay

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// KeyMode says by which of WeChat's keys we know its voice in API v3.
type KeyMode string

const (
	// PublicKeyMode: WeChat Pay's public key, which has no end. Merchants of
	// late 2024 and later have nothing else.
	PublicKeyMode KeyMode = "public_key"
	// CertificateMode: platform certificates, downloaded when they are needed
	// and again when they change.
	CertificateMode KeyMode = "certificate"
	// MixedMode: both, while a merchant moves from certificates to the public
	// key: notifications come signed by either.
	MixedMode KeyMode = "mixed"
)

// publicKeyPrefix is part of the id of a public key.
const publicKeyPrefix = "PUB_KEY_ID_"

// apiV3KeyLen is the size of an APIv3 key: AES-256 and nothing shorter.
const apiV3KeyLen = 32

// ValidateV3 names every mistake in c as an account at API v3, one sentence each.
func (c Config) ValidateV3() error {
	errs := []error{
		c.validateAccount(),
		checkSerial(c.SerialNo),
		checkRSA("merchant's private key", c.PrivateKey != nil, c.privateBits()),
		checkAPIKey("APIv3 key", c.APIv3Key),
	}
	if c.NextAPIv3Key != "" {
		errs = append(errs, checkAPIKey("next APIv3 key", c.NextAPIv3Key))
	}
	for _, h := range c.Hosts {
		if u, err := url.Parse(h); err == nil && strings.Trim(u.Path, "/") != "" {
			errs = append(errs, fmt.Errorf("the host %q has a path, over which signatures of API v3 would be made", h))
		}
	}
	return errors.Join(append(errs, c.validateKeyMode())...)
}

func (c Config) privateBits() int {
	if c.PrivateKey == nil || c.PrivateKey.N == nil {
		return 0
	}
	return c.PrivateKey.N.BitLen()
}

func (c Config) validateKeyMode() error {
	switch c.KeyMode {
	case CertificateMode:
		return nil
	case "", PublicKeyMode, MixedMode:
	default:
		return fmt.Errorf("the key mode %q is none of public_key, certificate, mixed", c.KeyMode)
	}
	bits := 0
	if c.PlatformKey != nil && c.PlatformKey.N != nil {
		bits = c.PlatformKey.N.BitLen()
	}
	return errors.Join(checkKeyID(c.PlatformKeyID), checkRSA("WeChat Pay public key", c.PlatformKey != nil, bits), c.checkOthersKey())
}

// checkOthersKey catches the merchant's own key in the place of WeChat's.
func (c Config) checkOthersKey() error {
	if c.PrivateKey == nil || c.PlatformKey == nil || c.PrivateKey.N == nil || c.PlatformKey.N == nil || !c.PrivateKey.PublicKey.Equal(c.PlatformKey) {
		return nil
	}
	return errors.New("the WeChat Pay public key is the merchant's own, not the pub_key.pem of WeChat Pay")
}

func checkKeyID(id string) error {
	digits, ok := strings.CutPrefix(id, publicKeyPrefix)
	switch {
	case id == "":
		return errors.New("the id of the WeChat Pay public key is missing")
	case !ok || digits == "" || len(id) > 64 || strings.Trim(digits, "0123456789") != "":
		return fmt.Errorf("the id of the WeChat Pay public key %q is not %s and digits", id, publicKeyPrefix)
	}
	return nil
}

func checkSerial(s string) error {
	switch {
	case s == "":
		return errors.New("the serial number of the merchant's certificate is missing")
	case len(s) != 40 || strings.Trim(s, "0123456789abcdefABCDEF") != "":
		return fmt.Errorf("the serial number of the merchant's certificate %q is not 40 hex digits", s)
	}
	return nil
}

func checkRSA(what string, there bool, bits int) error {
	switch {
	case !there:
		return fmt.Errorf("the %s is missing", what)
	case bits < minRSABits:
		return fmt.Errorf("the %s has %d bits instead of %d", what, bits, minRSABits)
	}
	return nil
}

// LoadPrivateKey reads the merchant's private key as it comes from WeChat Pay:
// PEM of type PRIVATE KEY (PKCS#8), or RSA PRIVATE KEY as older tools write it.
// No error repeats any of it.
func LoadPrivateKey(text []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("private key: it is not PEM; apiclient_key.pem is wanted")
	}
	switch block.Type {
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("private key: it is damaged")
		}
		if own, ok := key.(*rsa.PrivateKey); ok {
			return own, nil
		}
		return nil, errors.New("private key: it is not an RSA key")
	case "RSA PRIVATE KEY":
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("private key: it is damaged")
		}
		return key, nil
	}
	return nil, fmt.Errorf("private key: it is PEM with a %s; apiclient_key.pem is wanted", excerpt(block.Type))
}

// LoadPublicKey reads WeChat Pay's public key (pub_key.pem): PEM of type PUBLIC
// KEY. A certificate is refused: its key has another id.
func LoadPublicKey(text []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("public key: it is not PEM; pub_key.pem is wanted")
	}
	if block.Type != "PUBLIC KEY" {
		return nil, fmt.Errorf("public key: it is PEM with a %s; pub_key.pem is wanted", excerpt(block.Type))
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	if wechat, ok := key.(*rsa.PublicKey); ok {
		return wechat, nil
	}
	return nil, errors.New("public key: it is not an RSA key")
}
