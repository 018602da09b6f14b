package wxpay

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// platform is WeChat with certificates: which it lists, and which signs.
type platform struct {
	t       *testing.T
	mu      sync.Mutex
	now     time.Time
	key     string // APIv3
	listed  []platformCert
	signs   wechatKey
	lists   int // how often they were downloaded
	asked   []string
	refuses bool
	bend    func(entry map[string]any)
}

type platformCert struct {
	wechatKey
	pem         string
	from, until time.Time
}

// cert makes a certificate for the n-th key.
func (p *platform) cert(n int, serial string, from, until time.Time) platformCert {
	p.t.Helper()
	number, _ := new(big.Int).SetString(serial, 16)
	key := rsaKeys()[n]
	c := &x509.Certificate{SerialNumber: number, Subject: pkix.Name{CommonName: "Tenpay.com sign"}, NotBefore: from, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		p.t.Fatal(err)
	}
	return platformCert{wechatKey{serial, key}, certificatePEM(der), from, until}
}

func newPlatform(t *testing.T) *platform {
	p := &platform{t: t, now: v3Now, key: v3Key}
	p.listed = []platformCert{p.cert(1, serialA, v3Now.AddDate(-1, 0, 0), v3Now.AddDate(0, 0, 30))}
	p.signs = p.listed[0].wechatKey
	return p
}

const (
	serialA = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
	serialB = "7157F09EFDC096DE15EBE81A47057A7232F1B8E2"
)

func (p *platform) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *platform) later(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func (p *platform) downloads() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lists
}

func (p *platform) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	body := paidJSON
	k := p.signs
	if r.URL.Path == "/v3/certificates" {
		p.lists++
		if p.refuses {
			w.WriteHeader(404)
			io.WriteString(w, `{"code":"RESOURCE_NOT_EXISTS","message":"无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。"}`)
			return
		}
		body = p.list()
	} else {
		p.asked = append(p.asked, r.Header.Get("Wechatpay-Serial"))
	}
	replyV3(w, k, 200, body, p.now)
}

func (p *platform) list() string {
	data := []map[string]any{}
	for _, c := range p.listed {
		entry := map[string]any{
			"serial_no": c.serial, "effective_time": c.from.Format(time.RFC3339), "expire_time": c.until.Format(time.RFC3339),
			"encrypt_certificate": map[string]any{
				"algorithm": "AEAD_AES_256_GCM", "nonce": "61f9c719728a", "associated_data": "certificate",
				"ciphertext": sealedText(p.key, "61f9c719728a", "certificate", c.pem),
			},
		}
		if p.bend != nil {
			p.bend(entry)
		}
		data = append(data, entry)
	}
	b, _ := json.Marshal(map[string]any{"data": data})
	return string(b)
}

func (p *platform) client(change func(*Config)) *V3Gateway {
	cfg := testConfigV3(p.t, nil)
	cfg.KeyMode, cfg.Now, cfg.Transport = CertificateMode, p.clock, handed{p}
	if change != nil {
		change(&cfg)
	}
	return newTestV3(p.t, cfg)
}

func (p *platform) query(g *V3Gateway) error {
	_, err := g.Query(p.t.Context(), Ref{OutTradeNo: testNo})
	return err
}

// notify makes a notification by a key and gives it to g.
func (p *platform) notify(g *V3Gateway, k wechatKey) error {
	body := note(paidJSON)
	_, err := g.ParseNotify(k.headers(body, p.clock()), []byte(body))
	return err
}

// Nothing is downloaded before it is needed, and then once for all who wait.
func TestCertificatesAreLazy(t *testing.T) {
	p := newPlatform(t)
	g := p.client(nil)
	if p.downloads() != 0 {
		t.Error("the constructor calls")
	}
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			var err error
			if i%2 == 0 {
				err = p.query(g)
			} else {
				err = p.notify(g, p.signs)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if p.downloads() != 1 {
		t.Errorf("%d downloads", p.downloads())
	}
	for _, serial := range p.asked {
		if serial != serialA {
			t.Errorf("asked to be signed with %q", serial)
		}
	}
}

// A rotation in the middle of a run: first both are listed and the old one
// signs, then the new one, then the old one is gone. Nothing is lost.
func TestCertificateRotation(t *testing.T) {
	p := newPlatform(t)
	g := p.client(nil)
	must := func(step string) {
		t.Helper()
		if err := errors.Join(p.query(g), p.notify(g, p.signs)); err != nil {
			t.Errorf("%s: %v", step, err)
		}
	}
	must("before")
	old := p.signs
	p.set(func() {
		p.listed = append(p.listed, p.cert(2, serialB, p.now.Add(24*time.Hour), p.now.AddDate(5, 0, 0)))
	})
	p.later(7 * time.Hour)
	must("both listed")
	if last := p.asked[len(p.asked)-1]; last != serialA {
		t.Errorf("before it begins, %s is asked for", last)
	}
	if p.downloads() != 2 {
		t.Errorf("%d downloads, want one more after seven hours", p.downloads())
	}
	p.later(24 * time.Hour)
	p.set(func() { p.signs = p.listed[1].wechatKey })
	must("the new one signs")
	if err := p.notify(g, old); err != nil {
		t.Errorf("one that the old one signed: %v", err)
	}
	if last := p.asked[len(p.asked)-1]; last != serialB {
		t.Errorf("after it began, %s is asked for", last)
	}
	p.set(func() { p.listed = p.listed[1:] })
	p.later(7 * time.Hour)
	must("the old one is gone")
	if err := p.notify(g, old); !errors.Is(err, ErrSignature) {
		t.Errorf("by a certificate that is listed no more: %v", err)
	}
}

// A rotation without notice: the first unknown serial number fetches it.
func TestSuddenRotation(t *testing.T) {
	for _, ask := range []bool{true, false} {
		p := newPlatform(t)
		g := p.client(nil)
		if err := p.query(g); err != nil {
			t.Fatal(err)
		}
		p.later(time.Hour)
		p.set(func() {
			p.listed = append(p.listed, p.cert(2, serialB, p.now, p.now.AddDate(5, 0, 0)))
			p.signs = p.listed[1].wechatKey
		})
		err := p.notify(g, p.signs)
		if ask {
			err = p.query(g)
		}
		if err != nil || p.downloads() != 2 {
			t.Errorf("ask %t: %v after %d downloads", ask, err, p.downloads())
		}
	}
}

// X3: anybody can write a serial number into a header. It costs WeChat a call
// now and then, not one for each.
func TestUnknownSerialIsBounded(t *testing.T) {
	p := newPlatform(t)
	g := p.client(nil)
	if err := p.query(g); err != nil {
		t.Fatal(err)
	}
	p.later(time.Hour)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			forger := wechatKey{fmt.Sprintf("7%039d", i), rsaKeys()[0]}
			if err := p.notify(g, forger); !errors.Is(err, ErrSignature) {
				t.Errorf("forged: %v", err)
			}
		})
	}
	all.Wait()
	if n := p.downloads(); n > 2 {
		t.Errorf("%d downloads", n)
	}
	p.later(refetchAfter + time.Second)
	p.notify(g, wechatKey{serialB, rsaKeys()[0]})
	if n := p.downloads(); n > 3 {
		t.Errorf("%d downloads half a minute later", n)
	}
	if err := p.notify(g, p.signs); err != nil {
		t.Errorf("the genuine one: %v", err)
	}
	public := newTestV3(t, testConfigV3(t, func(http.ResponseWriter, *http.Request) { t.Error("in public-key mode something was asked") }))
	p.later(-p.clock().Sub(v3Now))
	if err := p.notify(public, p.signs); !errors.Is(err, ErrSignature) {
		t.Errorf("a certificate in public-key mode: %v", err)
	}
}

// What is in the list but not good is left out; what is wrong as a whole is
// refused, and the certificates at hand stay.
func TestBadCertificateLists(t *testing.T) {
	sealed := func(e map[string]any) map[string]any { return e["encrypt_certificate"].(map[string]any) }
	for name, change := range map[string]func(p *platform){
		"another APIv3 key": func(p *platform) { p.key = v3NextKey },
		"not listed":        func(p *platform) { p.signs = p.cert(2, serialB, p.now, p.now.AddDate(1, 0, 0)).wechatKey },
		"signed by another": func(p *platform) { p.signs = wechatKey{serialA, rsaKeys()[2]} },
		"empty":             func(p *platform) { p.listed = nil },
		"refused":           func(p *platform) { p.refuses = true },
		"over": func(p *platform) {
			p.listed[0] = p.cert(1, serialA, p.now.AddDate(-5, 0, 0), p.now.Add(-time.Second))
		},
		"nonce of 13":    func(p *platform) { p.bend = func(e map[string]any) { sealed(e)["nonce"] = "61f9c719728ab" } },
		"nonce gone":     func(p *platform) { p.bend = func(e map[string]any) { delete(sealed(e), "nonce") } },
		"other data":     func(p *platform) { p.bend = func(e map[string]any) { sealed(e)["associated_data"] = "x" } },
		"algorithm":      func(p *platform) { p.bend = func(e map[string]any) { sealed(e)["algorithm"] = "AEAD_SM4_GCM" } },
		"nothing inside": func(p *platform) { p.bend = func(e map[string]any) { delete(e, "encrypt_certificate") } },
		"other serial":   func(p *platform) { p.bend = func(e map[string]any) { e["serial_no"] = serialB } },
		"serial of another": func(p *platform) {
			p.bend = func(e map[string]any) { e["serial_no"] = serialB }
			p.signs.serial = serialB
		},
		"not PEM":  func(p *platform) { p.listed[0].pem = "x" },
		"too many": func(p *platform) { p.listed = append(make([]platformCert, 0), repeat(p.listed[0], 17)...) },
		"an EC key": func(p *platform) {
			p.listed[0].pem = certificatePEM(newIssuer(t).issue(t, &x509.Certificate{SerialNumber: serialNumber(serialA)}, ecKey(t).Public()).Raw)
		},
	} {
		p := newPlatform(t)
		change(p)
		g := p.client(nil)
		err := p.query(g)
		if err == nil || !IsUnknown(err) && name != "refused" {
			t.Errorf("%s: %v", name, err)
		}
		if name == "refused" && !strings.Contains(err.Error(), "微信支付公钥") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "over" && !strings.Contains(err.Error(), "is over") {
			t.Errorf("%s: %v", name, err)
		}
		if len(p.asked) > 0 {
			t.Errorf("%s: an order was asked for all the same", name)
		}
		if err := p.notify(g, wechatKey{serialA, rsaKeys()[1]}); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: a notification: %v", name, err)
		}
	}
}

func repeat(c platformCert, n int) (out []platformCert) {
	for range n {
		out = append(out, c)
	}
	return out
}

func serialNumber(s string) *big.Int {
	n, _ := new(big.Int).SetString(s, 16)
	return n
}

// A refresh that fails leaves what is at hand, until that is over.
func TestCertificatesOutlast(t *testing.T) {
	p := newPlatform(t)
	g := p.client(nil)
	if err := p.query(g); err != nil {
		t.Fatal(err)
	}
	p.set(func() { p.refuses = true })
	p.later(24 * time.Hour)
	for range 5 {
		if err := errors.Join(p.query(g), p.notify(g, p.signs)); err != nil {
			t.Fatal(err)
		}
	}
	if n := p.downloads(); n != 2 {
		t.Errorf("%d downloads, want one try", n)
	}
	p.later(30 * 24 * time.Hour)
	if err := p.notify(g, p.signs); !errors.Is(err, ErrSignature) {
		t.Errorf("by a certificate that is over: %v", err)
	}
	if err := p.query(g); err == nil {
		t.Error("asked with a certificate that is over")
	}
	p.set(func() {
		p.refuses = false
		p.listed[0] = p.cert(1, serialA, p.now, p.now.AddDate(1, 0, 0))
	})
	if err := p.query(g); err != nil {
		t.Errorf("after a new one came: %v", err)
	}
}

// One that is broken does not spoil its neighbour.
func TestOneBadCertificate(t *testing.T) {
	p := newPlatform(t)
	p.listed = append(p.listed, p.cert(2, serialB, p.now, p.now.AddDate(1, 0, 0)))
	p.listed[1].pem = "x"
	if err := p.query(p.client(nil)); err != nil {
		t.Error(err)
	}
	p = newPlatform(t)
	p.key = v3NextKey // the list is sealed with the next key already
	if err := p.query(p.client(func(c *Config) { c.NextAPIv3Key = v3NextKey })); err != nil {
		t.Error(err)
	}
}

// While a merchant moves to the public key, notifications come by either, and
// answers by the one that we ask for.
func TestMixedMode(t *testing.T) {
	p := newPlatform(t)
	certificate := p.signs
	p.signs = publicKeyOfWeChat()
	g := p.client(func(c *Config) { c.KeyMode = MixedMode })
	if err := p.query(g); err != nil || p.asked[0] != v3KeyID || p.downloads() != 0 {
		t.Errorf("%v, asked for %q, %d downloads", err, p.asked, p.downloads())
	}
	for _, k := range []wechatKey{publicKeyOfWeChat(), certificate, publicKeyOfWeChat(), certificate} {
		if err := p.notify(g, k); err != nil {
			t.Errorf("by %s: %v", k.serial, err)
		}
	}
	if p.downloads() != 1 {
		t.Errorf("%d downloads", p.downloads())
	}
	// P: a serial number says which key, never that it may be believed.
	if err := p.notify(g, wechatKey{"PUB_KEY_ID_9", publicKeyOfWeChat().key}); !errors.Is(err, ErrSignature) {
		t.Errorf("by an unknown public key: %v", err)
	}
	if err := p.notify(g, wechatKey{certificate.serial, publicKeyOfWeChat().key}); !errors.Is(err, ErrSignature) {
		t.Errorf("by the public key under a certificate's number: %v", err)
	}
}
