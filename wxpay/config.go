package wxpay

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// The hosts of WeChat Pay for merchants in the mainland: the main one and the
// one for disasters, with the same paths and the same keys.
const (
	MainHost   = "https://api.mch.weixin.qq.com"
	BackupHost = "https://api2.mch.weixin.qq.com"
)

// FaceHost gives face devices their credentials.
const FaceHost = "https://payapp.weixin.qq.com"

// DefaultMaxBill is the limit of an unpacked bill, some 700,000 lines.
const DefaultMaxBill = 256 << 20

// DefaultTimeout is how long one host may take to answer one call.
const DefaultTimeout = 5 * time.Second

// Config is one merchant's account at WeChat Pay.
type Config struct {
	AppID string // of the official account or mini program bound to MchID
	MchID string // 8 to 10 digits

	// For a service provider: the merchant it acts for, empty otherwise.
	SubMchID string
	SubAppID string // only if the payers' openids live under it

	SignType   SignType // of new orders; default HMAC-SHA256
	APIKey     string   // the APIv2 key, 32 letters and digits
	NextAPIKey string   // optional: the key that APIKey is about to be replaced by
	// Certificate is the merchant's own (apiclient_cert.pem with its key, see
	// tls.LoadX509KeyPair), which refunds, reversals and fund flow bills need.
	// It is shown to no other call.
	Certificate *tls.Certificate

	// What API v3 needs, and v2 does not look at.
	SerialNo      string          // of the merchant's API certificate: 40 hex digits
	PrivateKey    *rsa.PrivateKey // the merchant's (apiclient_key.pem, see LoadPrivateKey)
	APIv3Key      string          // 32 bytes
	NextAPIv3Key  string          // optional: the key that APIv3Key is about to be replaced by
	KeyMode       KeyMode         // default PublicKeyMode
	PlatformKeyID string          // PUB_KEY_ID_…, of PlatformKey
	PlatformKey   *rsa.PublicKey  // WeChat Pay's public key (pub_key.pem, see LoadPublicKey)

	// Hosts are base URLs, tried in order; default MainHost, BackupHost.
	Hosts []string
	// FaceHost is where face devices get their credentials; default
	// FaceHost for WeChat's own Hosts, the first of Hosts otherwise.
	FaceHost string
	// Timeout limits one attempt at one host; a call that fails over takes at
	// most twice as long. Default DefaultTimeout.
	Timeout time.Duration
	// RootCAs are whom the hosts' certificates must come from; default: the
	// system's. For a simulator that speaks TLS.
	RootCAs *x509.CertPool
	// MaxBill limits an unpacked bill in bytes; default DefaultMaxBill.
	MaxBill int64
	// Transport replaces the network, in tests, Certificate and RootCAs with
	// it. Default: verified TLS 1.2 or later over a pool of its own.
	Transport http.RoundTripper

	Log *slog.Logger     // default: silent
	Now func() time.Time // default: time.Now
	// Record, when set, is told of each request and each answer, for the
	// order's timeline. It is called before the call returns, with a context
	// that outlives the caller's.
	Record func(ctx context.Context, m Message)
	// Clock, when set, is told by each answer with a Date how far Now is ahead
	// of the answering clock. WeChat refuses signatures of API v3 whose time is
	// more than 5 minutes off (WeChat Pay v3, signatures).
	Clock func(ahead time.Duration)
}

// Direction says which way a Message went.
type Direction string

const (
	Sent     Direction = "sent"
	Received Direction = "received"
)

// Message is one request or one answer as a person may read it: without
// signatures and keys, with openids shortened.
type Message struct {
	Op          string
	OutTradeNo  string
	OutRefundNo string // of calls about a refund
	Direction   Direction
	URL         string
	Status      int    // of an answer; 0 when none came
	Body        string // redacted
	Err         string // why there was no usable answer
	Took        time.Duration
	At          time.Time
}

// Validate names every mistake in c as an account at API v2, one sentence each.
func (c Config) Validate() error {
	errs := []error{c.validateAccount(), checkAPIKey("API key", c.APIKey)}
	if c.NextAPIKey != "" {
		errs = append(errs, checkAPIKey("next API key", c.NextAPIKey))
	}
	if c.SignType != "" && !c.SignType.known() {
		errs = append(errs, fmt.Errorf("sign type %q is neither MD5 nor HMAC-SHA256", c.SignType))
	}
	if c.FaceHost != "" {
		errs = append(errs, checkHost(c.FaceHost, ".weixin.qq.com"))
	}
	return errors.Join(errs...)
}

// validateAccount is about what both versions of the API need.
func (c Config) validateAccount() error {
	errs := []error{checkAppID("app id", c.AppID), checkMchID("merchant id", c.MchID)}
	if c.SubMchID != "" {
		errs = append(errs, checkMchID("sub merchant id", c.SubMchID))
	}
	if c.SubAppID != "" {
		errs = append(errs, checkAppID("sub app id", c.SubAppID))
		if c.SubMchID == "" {
			errs = append(errs, errors.New("a sub app id needs a sub merchant id"))
		}
	}
	if c.Timeout < 0 {
		errs = append(errs, fmt.Errorf("timeout %v is negative", c.Timeout))
	}
	if c.MaxBill < 0 {
		errs = append(errs, fmt.Errorf("bill limit %d is negative", c.MaxBill))
	}
	for _, h := range c.Hosts {
		errs = append(errs, checkHost(h, ".mch.weixin.qq.com"))
	}
	return errors.Join(errs...)
}

// PayAppID is the app id under which payers' openids live, and which
// notifications name, unless an Order says another.
func (c Config) PayAppID() string {
	if c.SubAppID != "" {
		return c.SubAppID
	}
	return c.AppID
}

// withDefaults fills what was left empty.
func (c Config) withDefaults() Config {
	if c.SignType == "" {
		c.SignType = HMACSHA256
	}
	if len(c.Hosts) == 0 {
		c.Hosts = []string{MainHost, BackupHost}
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.FaceHost == "" {
		c.FaceHost = FaceHost
		if u, err := url.Parse(c.Hosts[0]); err == nil && private(strings.ToLower(u.Hostname())) {
			c.FaceHost = c.Hosts[0]
		}
	}
	if c.MaxBill == 0 {
		c.MaxBill = DefaultMaxBill
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func checkAppID(what, id string) error {
	switch {
	case id == "":
		return fmt.Errorf("the %s is missing", what)
	case !strings.HasPrefix(id, "wx"), len(id) > 32, !alphanumeric(id):
		return fmt.Errorf("the %s %q is not of the form wx + 16 letters or digits", what, id)
	}
	return nil
}

func checkMchID(what, id string) error {
	if id == "" {
		return fmt.Errorf("the %s is missing", what)
	}
	if len(id) < 8 || len(id) > 10 || strings.Trim(id, "0123456789") != "" {
		return fmt.Errorf("the %s %q is not 8 to 10 digits", what, id)
	}
	return nil
}

// checkAPIKey never repeats the key: its sentences end up on terminals.
func checkAPIKey(what, key string) error {
	switch {
	case key == "":
		return fmt.Errorf("the %s is missing", what)
	case strings.ContainsAny(key, " \t\r\n\ufeff"):
		return fmt.Errorf("the %s has a blank or a line break in it", what)
	case len(key) != 32:
		return fmt.Errorf("the %s has %d characters instead of 32", what, len(key))
	case !alphanumeric(key):
		return fmt.Errorf("the %s has characters other than letters and digits", what)
	}
	return nil
}

func alphanumeric(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != ""
}

// checkHost lets through WeChat's own names over https, and names that cannot
// be somebody else's: this machine, private addresses, names without a dot and
// the reserved .test, .localhost and .internal, for the simulator.
func checkHost(base, suffix string) error {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return fmt.Errorf("the host %q is not a URL such as %s", base, MainHost)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("the host %q has more in it than scheme, name and path", base)
	}
	name := strings.ToLower(u.Hostname())
	if private(name) {
		return nil
	}
	if !strings.HasSuffix(name, suffix) {
		return fmt.Errorf("the host %q is neither WeChat's (*%s) nor a local one", base, suffix)
	}
	if u.Scheme != "https" {
		return fmt.Errorf("the host %q must be reached by https", base)
	}
	return nil
}

func private(name string) bool {
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.IsLoopback() || ip.IsPrivate()
	}
	for _, suffix := range []string{".test", ".localhost", ".internal"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return !strings.Contains(name, ".")
}
