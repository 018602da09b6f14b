package sim

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// keyBits is the size of every RSA key of API v3.
const keyBits = 2048

// Keys hands out RSA keys, each made when it is first asked for, because that
// takes long. Simulators that are given the same Keys share them: for programs
// that start many. The zero value is ready.
type Keys struct {
	mu   sync.Mutex
	made []*rsa.PrivateKey
}

// The keys by number; those of further platform certificates follow.
const (
	keyMerchant = iota
	keyPublic
	keyPlatform
)

func (k *Keys) key(n int) (*rsa.PrivateKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.made) <= n {
		key, err := rsa.GenerateKey(rand.Reader, keyBits)
		if err != nil {
			return nil, err
		}
		k.made = append(k.made, key)
	}
	return k.made[n], nil
}

// wechatKey is a key of WeChat's that signs answers and notifications.
type wechatKey struct {
	serial string // Wechatpay-Serial
	key    *rsa.PrivateKey
}

// platformCert is one platform certificate. Times are business time, since
// rotating is business and not part of a signature.
type platformCert struct {
	Number      int       `json:"number"` // how many there were before
	Serial      string    `json:"serial_no"`
	PrivateKey  string    `json:"private_key"` // PEM
	Certificate string    `json:"certificate"` // PEM
	Signs       time.Time `json:"signs"`       // from when on; zero: from the beginning
	Gone        time.Time `json:"gone"`        // when it is no longer listed; zero: not foreseen

	key  *rsa.PrivateKey
	cert *x509.Certificate
}

// keyring are the keys of API v3, ready for use. It is never changed in place.
type keyring struct {
	merchant *rsa.PrivateKey
	public   wechatKey
	platform []platformCert // oldest first
}

// listed are the platform certificates that hold at a time.
func (k *keyring) listed(now time.Time) []platformCert {
	return slices.DeleteFunc(slices.Clone(k.platform), func(c platformCert) bool {
		return !c.Gone.IsZero() && !c.Gone.After(now)
	})
}

// signing is the platform certificate that signs at a time: the newest whose
// turn has come.
func (k *keyring) signing(now time.Time) platformCert { return signing(k.platform, now) }

func signing(certs []platformCert, now time.Time) platformCert {
	at := certs[0]
	for _, c := range certs[1:] {
		if !c.Signs.After(now) {
			at = c
		}
	}
	return at
}

// keyring returns the keys, made at first use and kept in Options.Data.
func (ids *identity) keyring() (*keyring, error) {
	ids.mu.Lock()
	ring := ids.ring
	ids.mu.Unlock()
	if ring != nil {
		return ring, nil
	}
	if err := ids.makeKeys(); err != nil {
		return nil, fmt.Errorf("make RSA keys: %w", err)
	}
	ids.mu.Lock()
	defer ids.mu.Unlock()
	if ids.ring == nil {
		ring, err := ids.readRing()
		if err != nil {
			return nil, fmt.Errorf("read RSA keys: %w", err)
		}
		ids.ring = ring
	}
	return ids.ring, nil
}

// readRing parses the PEM texts. ids.mu is held.
func (ids *identity) readRing() (*keyring, error) {
	merchant, err := readPrivateKey(ids.id.MerchantPrivateKey)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fileMerchantKey, err)
	}
	public, err := readPrivateKey(ids.publicKey)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filePlatformPubKey, err)
	}
	ring := &keyring{merchant: merchant, public: wechatKey{ids.id.PlatformPublicKeyID, public}}
	certs := ids.rotated
	if certs == nil {
		certs = []platformCert{{Serial: ids.id.PlatformSerialNo, PrivateKey: ids.platformKey, Certificate: ids.id.PlatformCertificate}}
	}
	for _, c := range certs {
		if err := c.parse(); err != nil {
			return nil, fmt.Errorf("platform certificate %s: %w", c.Serial, err)
		}
		ring.platform = append(ring.platform, c)
	}
	return ring, nil
}

func (c *platformCert) parse() (err error) {
	if c.key, err = readPrivateKey(c.PrivateKey); err != nil {
		return err
	}
	block, _ := pem.Decode([]byte(c.Certificate))
	if block == nil {
		return fmt.Errorf("the certificate is not PEM")
	}
	c.cert, err = x509.ParseCertificate(block.Bytes)
	return err
}

func readPrivateKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("the key is not PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	if own, ok := key.(*rsa.PrivateKey); ok {
		return own, nil
	}
	return nil, fmt.Errorf("the key is not RSA")
}

// isPublicKeyID reports whether a Wechatpay-Serial names a public key and not
// a certificate.
func isPublicKeyID(serial string) bool { return strings.HasPrefix(serial, "PUB_KEY_ID_") }

// answerKey is the key that signs an answer: a client of a merchant that has
// both kinds chooses by the Wechatpay-Serial of its request (WeChat Pay v3,
// switching from platform certificate to public key).
func (s *Sim) answerKey(wanted string) (wechatKey, error) {
	ring, err := s.ids.keyring()
	if err != nil {
		return wechatKey{}, err
	}
	mode := s.ids.view().KeyMode
	if mode == modePublicKey || mode == modeMixed && isPublicKeyID(wanted) {
		return ring.public, nil
	}
	return s.platformKey()
}

// platformKey is the platform certificate that signs now; a fault may have
// rotated it this very moment.
func (s *Sim) platformKey() (wechatKey, error) {
	ring, err := s.ids.keyring()
	if err != nil {
		return wechatKey{}, err
	}
	s.rotateByFault(ring)
	if ring, err = s.ids.keyring(); err != nil {
		return wechatKey{}, err
	}
	c := ring.signing(s.clock.Now())
	return wechatKey{c.Serial, c.key}, nil
}
