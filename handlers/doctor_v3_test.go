package handlers

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"wxshop/wxpay"
)

// rightCheckupV3 is a shop on v3 with its v2 keys still there, in which
// everything is as it should be.
func rightCheckupV3(t *testing.T, mode wxpay.KeyMode) Checkup {
	t.Helper()
	c, s := rightCheckupWith(t)
	id, err := s.IdentityWithKeys()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, sim: s}
	if code := w.api("PUT", "account", map[string]string{"key_mode": string(mode)}, nil); code != 200 {
		t.Fatalf("key mode %s = %d", mode, code)
	}
	c.API, c.Pay = wxpay.V3, withKeysV3(t, c.Pay, id)
	c.Pay.KeyMode = mode
	c.Self = wireTo{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != payV3 {
			io.WriteString(w, "<xml><return_code><![CDATA[FAIL]]></return_code></xml>")
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"code":"FAIL"}`)
	})}
	return c
}

func TestDoctorV3FindsNothingWrong(t *testing.T) {
	for _, mode := range []wxpay.KeyMode{wxpay.PublicKeyMode, wxpay.CertificateMode, wxpay.MixedMode} {
		t.Run(string(mode), func(t *testing.T) {
			c := rightCheckupV3(t, mode)
			c.Open = map[wxpay.Version]int64{wxpay.V2: 3}
			seen := map[string]wxpay.Verdict{}
			for _, f := range Examine(t.Context(), c) {
				seen[f.Name] = f.Verdict
				if f.Verdict == wxpay.VerdictWrong {
					t.Errorf("%s: %s", f.Name, f.What)
				}
				if f.Verdict == wxpay.VerdictUnknown && f.Do == "" && f.Name != "v2.cert" {
					t.Errorf("%s does not say what to do: %s", f.Name, f.What)
				}
			}
			key := wxpay.VerdictOK // only a certificate can be opened by it
			if mode == wxpay.PublicKeyMode {
				key = wxpay.VerdictUnknown
			}
			for name, want := range map[string]wxpay.Verdict{
				"v3.query": wxpay.VerdictOK, "v3.platform": wxpay.VerdictOK, "v3.apikey": key,
				"v2.query": wxpay.VerdictOK, "cfg.open": wxpay.VerdictOK, "net.time": wxpay.VerdictOK, "self.notify": wxpay.VerdictOK,
			} {
				if seen[name] != want {
					t.Errorf("%s is %q, want %q", name, seen[name], want)
				}
			}
		})
	}
}

// Each planted mistake about v3 is found by the line that it belongs to.
func TestDoctorV3Finds(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		mode  wxpay.KeyMode
		plant func(*Checkup)
		line  string
	}{
		{"private key of another certificate", wxpay.PublicKeyMode, func(c *Checkup) { c.Pay.PrivateKey = other }, "v3.query"},
		{"serial number of another certificate", wxpay.PublicKeyMode, func(c *Checkup) { c.Pay.SerialNo = strings.Repeat("7A", 20) }, "v3.query"},
		{"serial number misspelt", wxpay.PublicKeyMode, func(c *Checkup) { c.Pay.SerialNo = "7A" }, "cfg.serial"},
		{"no private key", wxpay.PublicKeyMode, func(c *Checkup) { c.Pay.PrivateKey = nil }, "cfg.private"},
		{"merchant number of somebody else", wxpay.PublicKeyMode, func(c *Checkup) { c.Pay.MchID = "1900009999" }, "v3.query"},
		{"another public key", wxpay.PublicKeyMode, func(c *Checkup) { c.Pay.PlatformKey = &other.PublicKey }, "v3.platform"},
		{"our own public key for WeChat's", wxpay.PublicKeyMode, func(c *Checkup) { c.Pay.PlatformKey = &c.Pay.PrivateKey.PublicKey }, "cfg.platform"},
		{"id without its letters", wxpay.PublicKeyMode, func(c *Checkup) { c.Pay.PlatformKeyID = "0114232134912410000000000000" }, "cfg.platform"},
		{"APIv3 key of 31", wxpay.PublicKeyMode, func(c *Checkup) { c.Pay.APIv3Key = c.Pay.APIv3Key[:31] }, "cfg.keyv3"},
		{"APIv3 key of another merchant", wxpay.CertificateMode, func(c *Checkup) { c.Pay.APIv3Key = strings.Repeat("a1", 16) }, "v3.apikey"},
		{"next key that is the same", wxpay.PublicKeyMode, func(c *Checkup) { c.Pay.NextAPIv3Key = c.Pay.APIv3Key }, "cfg.keyv3.next"},
		{"clock ten minutes fast", wxpay.PublicKeyMode, func(c *Checkup) { c.Pay.Now = func() time.Time { return time.Now().Add(10 * time.Minute) } }, "net.time"},
		{"keys of open payments gone", wxpay.PublicKeyMode, func(c *Checkup) { c.Pay.APIKey, c.Open = "", map[wxpay.Version]int64{wxpay.V2: 1} }, "cfg.open"},
		{"file of a key not PEM", wxpay.PublicKeyMode, func(c *Checkup) { c.Keys = errors.New("pay.private_key_file: it is not PEM") }, "cfg.keys"},
		{"a proxy that says yes to everything", wxpay.PublicKeyMode, func(c *Checkup) {
			c.Self = wireTo{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<xml>FAIL</xml>") })}
		}, "self.notify"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := rightCheckupV3(t, tt.mode)
			tt.plant(&c)
			var found []string
			for _, f := range Examine(t.Context(), c) {
				if f.Verdict != wxpay.VerdictWrong {
					continue
				}
				found = append(found, f.Name+": "+f.What)
				if f.Do == "" {
					t.Errorf("%s does not say what to do: %s", f.Name, f.What)
				}
				if strings.Contains(f.What+f.Do, c.Pay.APIv3Key) || strings.Contains(f.What+f.Do, "PRIVATE KEY") { // P20
					t.Errorf("%s tells a secret: %s", f.Name, f.What)
				}
				if strings.HasPrefix(f.Name, tt.line) {
					return
				}
			}
			t.Errorf("found %q, want a line %s", found, tt.line)
		})
	}
}

// A merchant of late 2024 has no platform certificates: the doctor says which
// setting that needs.
func TestDoctorV3WithoutCertificates(t *testing.T) {
	c := rightCheckupV3(t, wxpay.PublicKeyMode)
	c.Pay.KeyMode = wxpay.CertificateMode
	for _, f := range Examine(t.Context(), c) {
		if f.Name == "v3.platform" && f.Verdict == wxpay.VerdictWrong && strings.Contains(f.Do, "public_key") {
			return
		}
	}
	t.Error("nothing says that platform_key_mode must be public_key")
}

// A shop on v3 alone has no v2 key, and nobody misses it.
func TestDoctorV3Alone(t *testing.T) {
	c := rightCheckupV3(t, wxpay.PublicKeyMode)
	c.Pay.APIKey = ""
	for _, f := range Examine(t.Context(), c) {
		if f.Verdict == wxpay.VerdictWrong || strings.HasPrefix(f.Name, "v2.") || f.Name == "cfg.keyv2" {
			t.Errorf("%s: %s", f.Name, f.What)
		}
	}
}
