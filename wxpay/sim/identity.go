package sim

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// The ids have WeChat's form and are plainly fake.
const (
	appID1     = "wxf000000000000001"
	miniAppID1 = "wxf000000000000002"
	mchID1     = "1900000001"
	subMchID1  = "1900000002"

	merchantName = "云间茶铺" // 商户简称, on the pay sheet and the consent page
)

// Identity is everything a client of the simulator is configured with: the
// fields of GET /_sim/api/identity.
type Identity struct {
	BaseURL             string `json:"base_url"`
	BrowserURL          string `json:"browser_url"`
	AppID               string `json:"app_id"`
	AppSecret           string `json:"app_secret"`
	MiniAppID           string `json:"mini_app_id"`
	MiniAppSecret       string `json:"mini_app_secret"`
	MchID               string `json:"mch_id"`
	SubMchID            string `json:"sub_mch_id"`
	APIKey              string `json:"api_key"`    // v2
	APIv3Key            string `json:"api_v3_key"` // v3
	MerchantSerialNo    string `json:"merchant_serial_no"`
	MerchantPrivateKey  string `json:"merchant_private_key"` // PEM
	MerchantCertificate string `json:"merchant_certificate"` // PEM
	PlatformSerialNo    string `json:"platform_serial_no"`
	PlatformCertificate string `json:"platform_certificate"` // PEM
	PlatformPublicKeyID string `json:"platform_public_key_id"`
	PlatformPublicKey   string `json:"platform_public_key"` // PEM
	KeyMode             string `json:"key_mode"`
	TLSBaseURL          string `json:"tls_base_url"` // empty: no TLS listener
	TLSCA               string `json:"tls_ca"`
}

// Identity is what a client is configured with. Its PEM fields are empty until
// IdentityWithKeys made the keys once, because that takes long.
func (s *Sim) Identity() Identity { return s.ids.viewAt(s.clock.Now()) }

// IdentityWithKeys is Identity with RSA keys and certificates. They are made
// at the first call and kept in Options.Data.
func (s *Sim) IdentityWithKeys() (Identity, error) {
	if err := s.ids.makeKeys(); err != nil {
		return Identity{}, fmt.Errorf("make RSA keys: %w", err)
	}
	if s.opts.TLSURL != "" {
		if _, err := s.ids.authority(); err != nil {
			return Identity{}, fmt.Errorf("make TLS authority: %w", err)
		}
	}
	return s.Identity(), nil
}

// withoutSecrets is what a public demo may show.
func (id Identity) withoutSecrets() Identity {
	for _, secret := range []*string{&id.AppSecret, &id.MiniAppSecret, &id.APIKey, &id.APIv3Key, &id.MerchantPrivateKey} {
		*secret = ""
	}
	return id
}

// identity keeps the credentials of the merchant and of WeChat.
type identity struct {
	folder string
	now    func() time.Time

	making sync.Mutex // one maker of keys at a time
	mu     sync.Mutex
	id     Identity
	// platformKey and publicKey are WeChat's own; they never leave the simulator.
	platformKey, publicKey string
	rotated                []platformCert // nil: the platform certificate was never rotated
	ring                   *keyring       // nil: not asked for yet
	keys                   *Keys          // where new ones come from
	ca                     *authority     // nil: TLS was not asked for yet
}

// openIdentity reads the credentials of a former run or makes new ones.
func openIdentity(opts Options) (*identity, error) {
	ids := &identity{folder: opts.Data, now: opts.Now, keys: opts.Keys}
	stored, err := ids.readFile("identity.json")
	switch {
	case err != nil:
		return nil, err
	case stored != "":
		if err := json.Unmarshal([]byte(stored), &ids.id); err != nil {
			return nil, fmt.Errorf("read identity.json: %w; delete it to get new keys", err)
		}
	default:
		ids.id = newCredentials()
		if err := ids.writeCredentials(ids.id); err != nil {
			return nil, err
		}
	}
	ids.id.BaseURL, ids.id.BrowserURL, ids.id.TLSBaseURL, ids.id.TLSCA = opts.BaseURL, opts.BrowserURL, opts.TLSURL, ""
	return ids, ids.readKeys()
}

// writeCredentials keeps everything that is not an address and has no file of
// its own.
func (ids *identity) writeCredentials(id Identity) error {
	for _, not := range []*string{
		&id.BaseURL, &id.BrowserURL, &id.TLSBaseURL, &id.TLSCA,
		&id.MerchantPrivateKey, &id.MerchantCertificate, &id.PlatformCertificate, &id.PlatformPublicKey,
	} {
		*not = ""
	}
	text, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return fmt.Errorf("write identity.json: %w", err)
	}
	return ids.writeFile("identity.json", string(text)+"\n")
}

func newCredentials() Identity {
	return Identity{
		AppID: appID1, AppSecret: secret(lowerHex, 32),
		MiniAppID: miniAppID1, MiniAppSecret: secret(lowerHex, 32),
		MchID: mchID1, SubMchID: subMchID1,
		APIKey: secret(alphanum, 32), APIv3Key: secret(alphanum, 32),
		MerchantSerialNo: newSerial(), PlatformSerialNo: newSerial(),
		PlatformPublicKeyID: "PUB_KEY_ID_01" + mchID1 + secret(digits, 20),
		KeyMode:             "public_key",
	}
}

func (ids *identity) view() Identity {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	return ids.id
}

// viewAt is view with the platform certificate that signs at a time.
func (ids *identity) viewAt(now time.Time) Identity {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	id := ids.id
	if len(ids.rotated) > 0 {
		c := signing(ids.rotated, now)
		id.PlatformSerialNo, id.PlatformCertificate = c.Serial, c.Certificate
	}
	return id
}

// setKeyMode says how answers of API v3 are verified.
func (ids *identity) setKeyMode(mode string) {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	ids.id.KeyMode = mode
}

// The files of the keys; merchant keys carry the names that WeChat gives them.
const (
	fileMerchantKey    = "apiclient_key.pem"
	fileMerchantCert   = "apiclient_cert.pem"
	filePlatformKey    = "platform_key.pem"
	filePlatformCert   = "platform_cert.pem"
	filePlatformPub    = "pub_key.pem"
	filePlatformPubKey = "pub_key_private.pem" // simulators before API v3 have none
)

func (ids *identity) keyFiles() map[string]*string {
	return map[string]*string{
		fileMerchantKey: &ids.id.MerchantPrivateKey, fileMerchantCert: &ids.id.MerchantCertificate,
		filePlatformKey: &ids.platformKey, filePlatformCert: &ids.id.PlatformCertificate,
		filePlatformPub: &ids.id.PlatformPublicKey,
	}
}

// readKeys loads the PEM files, all or none.
func (ids *identity) readKeys() error {
	files := ids.keyFiles()
	found := 0
	for name, to := range files {
		text, err := ids.readFile(name)
		if err != nil {
			return err
		}
		if *to = text; text != "" {
			found++
		}
	}
	if found < len(files) { // a crash while they were being made: make them again
		for _, to := range files {
			*to = ""
		}
		return nil
	}
	if err := ids.readRotated(); err != nil {
		return err
	}
	var err error
	if ids.publicKey, err = ids.readFile(filePlatformPubKey); ids.publicKey == "" {
		ids.publicKey = ids.platformKey // as pub_key.pem was made of it then
	}
	return err
}

// makeKeys makes the RSA keys and certificates unless they are there.
func (ids *identity) makeKeys() error {
	ids.making.Lock()
	defer ids.making.Unlock()
	id := ids.view()
	if id.MerchantPrivateKey != "" {
		return nil
	}
	merchant, err := ids.makePair(keyMerchant, id.MerchantSerialNo, pkix.Name{CommonName: id.MchID, Organization: []string{"微信商户系统"}, OrganizationalUnit: []string{merchantName}})
	if err != nil {
		return err
	}
	platform, err := ids.makePair(keyPlatform, id.PlatformSerialNo, platformName)
	if err != nil {
		return err
	}
	public, err := ids.makePair(keyPublic, id.PlatformSerialNo, platformName) // whose certificate nobody sees
	if err != nil {
		return err
	}
	texts := map[string]string{
		fileMerchantKey: merchant.key, fileMerchantCert: merchant.cert,
		filePlatformKey: platform.key, filePlatformCert: platform.cert, filePlatformPub: public.pub,
	}
	if err := ids.writeFile(filePlatformPubKey, public.key); err != nil {
		return err
	}
	for name, text := range texts {
		if err := ids.writeFile(name, text); err != nil {
			return err
		}
	}
	ids.mu.Lock()
	defer ids.mu.Unlock()
	ids.publicKey = public.key
	for name, to := range ids.keyFiles() {
		*to = texts[name]
	}
	return nil
}

// platformName is whose the platform certificates are.
var platformName = pkix.Name{CommonName: "Tenpay.com sign (simulated)", Organization: []string{"wxshop simulator"}}

// pair is an RSA key with its certificate, in PEM.
type pair struct{ key, pub, cert string }

// makePair takes the n-th key and certifies it.
func (ids *identity) makePair(n int, serial string, name pkix.Name) (pair, error) {
	key, err := ids.keys.key(n)
	if err != nil {
		return pair{}, err
	}
	now := ids.now()
	number, ok := new(big.Int).SetString(serial, 16)
	if !ok {
		return pair{}, fmt.Errorf("serial number %q is not hexadecimal", serial)
	}
	template := &x509.Certificate{
		SerialNumber: number, Subject: name,
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(5, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return pair{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return pair{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return pair{}, err
	}
	return pair{key: pemText("PRIVATE KEY", private), pub: pemText("PUBLIC KEY", public), cert: pemText("CERTIFICATE", cert)}, nil
}

func pemText(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// readFile returns "" when the file, or the whole folder, does not exist.
func (ids *identity) readFile(name string) (string, error) {
	if ids.folder == "" {
		return "", nil
	}
	b, err := os.ReadFile(filepath.Join(ids.folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read keys: %w", err)
	}
	return string(b), nil
}

// writeFile replaces a file in one step, readable by its owner only.
func (ids *identity) writeFile(name, text string) error {
	if ids.folder == "" {
		return nil
	}
	path := filepath.Join(ids.folder, name)
	temp := path + ".new-" + hex.EncodeToString([]byte(secret(digits, 4)))
	if err := os.WriteFile(temp, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write keys: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("write keys: %w", err)
	}
	return nil
}
