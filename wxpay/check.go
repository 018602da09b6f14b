package wxpay

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Verdict is what a check found.
type Verdict string

const (
	VerdictOK      Verdict = "ok"
	VerdictWrong   Verdict = "wrong"
	VerdictUnknown Verdict = "unknown" // cannot be told from here
)

// Finding is one line of a doctor's report. None of its words is a secret.
type Finding struct {
	Name    string // cfg.appid, v2.query, oa.token, ...
	Verdict Verdict
	What    string // what was found, with WeChat's own words
	Do      string // what to do about it; empty when there is nothing to do
}

func fine(name, format string, args ...any) Finding {
	return Finding{Name: name, Verdict: VerdictOK, What: fmt.Sprintf(format, args...)}
}

func wrong(name, do, format string, args ...any) Finding {
	return Finding{Name: name, Verdict: VerdictWrong, What: fmt.Sprintf(format, args...), Do: do}
}

func unclear(name, do, format string, args ...any) Finding {
	return Finding{Name: name, Verdict: VerdictUnknown, What: fmt.Sprintf(format, args...), Do: do}
}

// Where a merchant finds things.
const (
	doAccount = "copy it from mp.weixin.qq.com: 设置与开发 → 基本配置"
	doMerch   = "copy it from pay.weixin.qq.com: 账户中心 → 商户信息"
	doKey     = "set 32 letters and digits at pay.weixin.qq.com: 账户中心 → API安全 → APIv2密钥, and the same here"
	doCert    = "get it from pay.weixin.qq.com: 账户中心 → API安全 → 商户API证书 (apiclient_cert.pem and apiclient_key.pem of one download)"
)

// CheckConfig looks at a merchant's settings without asking anybody.
func CheckConfig(c Config) []Finding {
	out := []Finding{
		checkID("cfg.appid", c.AppID),
		verdictOf("cfg.mchid", checkMchID("merchant number", c.MchID), doMerch, "merchant number %s", c.MchID),
	}
	if c.APIKey != "" || c.APIv3Key == "" { // a shop on v3 alone has none
		out = append(out, checkKey("cfg.keyv2", c.APIKey))
	}
	if c.NextAPIKey != "" {
		out = append(out, checkKey("cfg.keyv2.next", c.NextAPIKey))
	}
	if c.SubMchID != "" {
		out = append(out, verdictOf("cfg.submchid", checkMchID("sub merchant number", c.SubMchID), doMerch, "sub merchant number %s", c.SubMchID))
	}
	if c.SubAppID != "" {
		out = append(out, checkID("cfg.subappid", c.SubAppID))
		if c.SubMchID == "" {
			out = append(out, wrong("cfg.submchid", "set sub_mch_id as well", "a sub app id without a sub merchant"))
		}
	}
	if c.APIv3Key != "" {
		out = append(out, checkV3(c)...)
	}
	return append(out, checkHosts(c)...)
}

func verdictOf(name string, err error, do, format string, args ...any) Finding {
	if err != nil {
		return wrong(name, do, "%v", err)
	}
	return fine(name, format, args...)
}

// checkID is stricter than NewV2: wx and 16 small hex digits.
func checkID(name, id string) Finding {
	digits, ok := strings.CutPrefix(id, "wx")
	if !ok || len(digits) != 16 || !smallHex(digits) {
		return wrong(name, doAccount, "the app id %q is not wx and 16 of 0-9 a-f", id)
	}
	return fine(name, "app id %s", id)
}

func smallHex(s string) bool { return s != "" && strings.Trim(s, "0123456789abcdef") == "" }

// checkKey says how a key looks, never what it is.
func checkKey(name, key string) Finding {
	if err := checkAPIKey("APIv2 key", key); err != nil {
		return wrong(name, doKey, "%v", err)
	}
	f := fine(name, "32 letters and digits")
	if smallHex(key) {
		f.What += ", all of 0-9 a-f as in an AppSecret; v2.query tells whether it is the right one"
	}
	return f
}

func checkHosts(c Config) []Finding {
	c = c.withDefaults()
	var out []Finding
	for _, h := range append(c.Hosts, c.FaceHost) {
		f := verdictOf("cfg.hosts", checkHost(h, ".weixin.qq.com"), "leave hosts empty for WeChat's own", "%s", h)
		if u, err := url.Parse(h); f.Verdict == VerdictOK && err == nil && private(strings.ToLower(u.Hostname())) {
			f = unclear("cfg.hosts", "leave hosts empty to take real money", "%s is not WeChat: a simulator", h)
		}
		if len(out) == 0 || out[len(out)-1] != f {
			out = append(out, f)
		}
	}
	return out
}

// CheckAccount looks at an official account's or mini program's settings, and
// for the confusion of its secret with the merchant's keys.
func CheckAccount(m MPConfig, pay Config) []Finding {
	out := []Finding{checkID("cfg.appid", m.AppID)}
	switch {
	case len(m.AppSecret) != 32 || !smallHex(m.AppSecret):
		out = append(out, wrong("cfg.secret", doAccount, "the AppSecret is not 32 of 0-9 a-f but %d characters", len(m.AppSecret)))
	case m.AppSecret == pay.APIKey || m.AppSecret == pay.NextAPIKey:
		out = append(out, wrong("cfg.secret", doKey, "the AppSecret and the APIv2 key are the same text; they are different things"))
	default:
		out = append(out, fine("cfg.secret", "32 of 0-9 a-f"))
	}
	return out
}

// CheckServer looks at the settings of the account's server endpoint.
func CheckServer(c MPServerConfig) Finding {
	f := verdictOf("oa.server", c.Validate(), "copy them from mp.weixin.qq.com: 设置与开发 → 基本配置 → 服务器配置", "token and AES key have their forms")
	if f.Verdict == VerdictOK && c.EncodingAESKey == "" {
		f.What = "the token has its form; there is no AES key, so choose 明文模式"
	}
	return f
}

// certificateSoon is how long before its end a certificate is worth a word.
const certificateSoon = 30 * 24 * time.Hour

// minRSABits is the size of WeChat's merchant keys.
const minRSABits = 2048

// CheckCertificate looks at the merchant's certificate and its key, both PEM.
// serial is the configured serial number; empty if none is.
func CheckCertificate(certPEM, keyPEM []byte, mchID, serial string, now time.Time) []Finding {
	cert, err := parseCertificate(certPEM)
	if err != nil {
		return []Finding{wrong("cert.parse", doCert, "the certificate cannot be read: %v", err)}
	}
	out := []Finding{checkPair(cert, keyPEM)}
	out = append(out, verdictIf(cert.Subject.CommonName == mchID, "cert.subject", doCert,
		"issued to %s", "issued to %s, not to the merchant "+mchID, cert.Subject.CommonName))
	own := strings.ToUpper(cert.SerialNumber.Text(16))
	if serial != "" {
		out = append(out, verdictIf(strings.TrimLeft(strings.ToUpper(serial), "0") == own, "cert.serial", "set serial_no to "+own,
			"serial number %s", "serial number %s, not the configured "+serial, own))
	}
	return append(out, checkDates(cert, now))
}

func verdictIf(ok bool, name, do, good, bad string, args ...any) Finding {
	if ok {
		return fine(name, good, args...)
	}
	return wrong(name, do, bad, args...)
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("it is not PEM with a CERTIFICATE")
	}
	return x509.ParseCertificate(block.Bytes)
}

// checkPair never repeats what a parser says of the key.
func checkPair(cert *x509.Certificate, keyPEM []byte) Finding {
	public, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok || public.N.BitLen() < minRSABits {
		return wrong("cert.parse", doCert, "the certificate is not for an RSA key of %d bits or more", minRSABits)
	}
	block, _ := pem.Decode(keyPEM)
	if block == nil {
		return wrong("cert.parse", doCert, "the private key is not PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if key, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			return wrong("cert.parse", doCert, "the private key cannot be read")
		}
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok || !private.PublicKey.Equal(public) {
		return wrong("cert.parse", doCert, "certificate and private key do not belong together")
	}
	return fine("cert.parse", "certificate and private key belong together, RSA %d", public.N.BitLen())
}

func checkDates(cert *x509.Certificate, now time.Time) Finding {
	until := cert.NotAfter.Format(time.DateOnly)
	switch {
	case now.Before(cert.NotBefore):
		return wrong("cert.dates", "check this machine's clock", "valid only from %s", cert.NotBefore.Format(time.DateOnly))
	case !now.Before(cert.NotAfter):
		return wrong("cert.dates", doCert, "expired on %s", until)
	case now.Add(certificateSoon).After(cert.NotAfter):
		f := fine("cert.dates", "valid until %s, soon over", until)
		f.Do = "renew it: pay.weixin.qq.com, 账户中心 → API安全 → 更换证书"
		return f
	}
	return fine("cert.dates", "valid until %s", until)
}

// CheckURLs looks at the shop's public address and at where WeChat is to
// notify it.
func CheckURLs(base, notify string) []Finding {
	return []Finding{checkURL("url.base", base), checkURL("url.notify", notify)}
}

func checkURL(name, text string) Finding {
	const do = "use an https address with a registered (ICP) domain name, without port, ? and #"
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return wrong(name, do, "%q is not an absolute address", text)
	}
	host := strings.ToLower(u.Hostname())
	if private(host) {
		return unclear(name, do, "%s: only this machine or network reaches it, WeChat does not", text)
	}
	_, isAddress := netip.ParseAddr(host)
	switch {
	case u.Scheme != "https":
		return wrong(name, do, "%s is not https", text)
	case isAddress == nil:
		return wrong(name, do, "%s has an address instead of a name", text)
	case u.Port() != "":
		return wrong(name, do, "%s has a port", text)
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return wrong(name, do, "%s has a query or a fragment", text)
	case len(text) > 255:
		return wrong(name, do, "it has %d characters, more than 255", len(text))
	}
	return fine(name, "%s", text)
}

// CheckVerifyFile looks at a file by which WeChat checks who owns a domain.
func CheckVerifyFile(name string, content []byte) Finding {
	const do = "download it again: mp.weixin.qq.com, 设置与开发 → 账号设置 → 功能设置"
	code, ok := strings.CutPrefix(strings.TrimSuffix(name, ".txt"), "MP_verify_")
	switch {
	case !ok || !strings.HasSuffix(name, ".txt") || len(code) != 16 || !alphanumeric(code):
		return wrong("verify.files", do, "%q is not named MP_verify_ and 16 letters and digits .txt", name)
	case strings.TrimSpace(string(content)) != code:
		return wrong("verify.files", do, "%s does not hold the 16 letters and digits of its name", name)
	}
	return fine("verify.files", "%s", name)
}
