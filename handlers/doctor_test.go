package handlers

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"wxshop/wxpay"
	"wxshop/wxpay/sim"
)

// wireTo answers requests with a handler, without a socket.
type wireTo struct{ h http.Handler }

func (w wireTo) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	in := httptest.NewRequest(r.Method, r.URL.String(), bytes.NewReader(body))
	in.Header, in.RemoteAddr = r.Header.Clone(), "127.0.0.1:1"
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, in)
	res := rec.Result()
	res.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat)) // a real server says it
	return res, nil
}

// rightCheckup is a shop in which everything is as it should be, with the
// simulator in WeChat's place.
func rightCheckup(t *testing.T) Checkup {
	t.Helper()
	c, _ := rightCheckupWith(t)
	return c
}

func rightCheckupWith(t *testing.T) (Checkup, *sim.Sim) {
	t.Helper()
	s, err := sim.New(sim.Options{BaseURL: "http://gateway", Seed: 1, Keys: &rsaKeys, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	id, err := s.IdentityWithKeys()
	if err != nil {
		t.Fatal(err)
	}
	wechat := wireTo{s.Gateway()}
	keys := filepath.Join(t.TempDir(), "session.keys")
	if err := os.WriteFile(keys, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	refuses := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "<xml><return_code><![CDATA[FAIL]]></return_code></xml>")
	})
	return Checkup{
		BaseURL: "https://shop.example.com",
		Pay: wxpay.Config{AppID: id.AppID, MchID: id.MchID, APIKey: id.APIKey, SignType: wxpay.HMACSHA256,
			Hosts: []string{"http://gateway"}, FaceHost: "http://gateway", Transport: wechat},
		Account: wxpay.MPConfig{AppID: id.AppID, AppSecret: id.AppSecret, APIBase: "http://gateway", Transport: wechat},
		CertPEM: []byte(id.MerchantCertificate), KeyPEM: []byte(id.MerchantPrivateKey), Serial: id.MerchantSerialNo,
		VerifyFiles: fstest.MapFS{"MP_verify_0123456789abcdef.txt": {Data: []byte("0123456789abcdef")}},
		KeysFile:    keys, Self: wireTo{refuses}, Now: time.Now, Online: true, Certificate: true, API: wxpay.V2,
	}, s
}

func TestDoctorFindsNothingWrong(t *testing.T) {
	for _, f := range Examine(t.Context(), rightCheckup(t)) {
		if f.Verdict == wxpay.VerdictWrong {
			t.Errorf("%s: %s", f.Name, f.What)
		}
		if f.Verdict == wxpay.VerdictUnknown && f.Do == "" && f.Name != "v2.cert" { // plain http has no certificates
			t.Errorf("%s does not say what to do: %s", f.Name, f.What)
		}
	}
}

// Each planted mistake is found by the line that it belongs to.
func TestDoctorFinds(t *testing.T) {
	tests := []struct {
		name  string
		plant func(*Checkup)
		line  string
	}{
		{"app id misspelt", func(c *Checkup) { c.Pay.AppID = "wxf00000000000000" }, "cfg.appid"},
		{"merchant number too short", func(c *Checkup) { c.Pay.MchID = "1900" }, "cfg.mchid"},
		{"API key of another merchant", func(c *Checkup) { c.Pay.APIKey = strings.Repeat("a1", 16) }, "v2.query"},
		{"API key with a line break", func(c *Checkup) { c.Pay.APIKey += "\n" }, "cfg.keyv2"},
		{"AppSecret as API key", func(c *Checkup) { c.Pay.APIKey = c.Account.AppSecret }, "cfg.secret"},
		{"AppSecret reset", func(c *Checkup) { c.Account.AppSecret = strings.Repeat("0f", 16) }, "oa.secret"},
		{"app id of somebody else", func(c *Checkup) { c.Pay.AppID = "wxf00000000000dead" }, "v2.query"},
		{"http address", func(c *Checkup) { c.BaseURL = "http://shop.example.com" }, "url.base"},
		{"address with a port", func(c *Checkup) { c.BaseURL = "https://shop.example.com:8443" }, "url.base"},
		{"an IP address", func(c *Checkup) { c.BaseURL = "https://203.0.113.7" }, "url.base"},
		{"key of another certificate", func(c *Checkup) {
			other, err := sim.New(sim.Options{Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				panic(err)
			}
			defer other.Close()
			id, err := other.IdentityWithKeys()
			if err != nil {
				panic(err)
			}
			c.KeyPEM = []byte(id.MerchantPrivateKey)
		}, "cert.parse"},
		{"serial number of an old certificate", func(c *Checkup) { c.Serial = strings.Repeat("A", 40) }, "cert.serial"},
		{"certificate run out", func(c *Checkup) { c.Now = func() time.Time { return time.Now().AddDate(30, 0, 0) } }, "cert.dates"},
		{"verify file edited", func(c *Checkup) {
			c.VerifyFiles = fstest.MapFS{"MP_verify_0123456789abcdef.txt": {Data: []byte("hello")}}
		}, "verify.files"},
		{"session keys readable by all", func(c *Checkup) {
			if err := os.Chmod(c.KeysFile, 0o644); err != nil {
				panic(err)
			}
		}, "sess.secret"},
		{"a login page in front", func(c *Checkup) { c.Self = wireTo{http.RedirectHandler("/login", http.StatusFound)} }, "self.notify"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := rightCheckup(t)
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
				if strings.HasPrefix(f.Name, tt.line) {
					return
				}
			}
			t.Errorf("found %q, want a line %s", found, tt.line)
		})
	}
}

// P20: the doctor's words hold no secret.
func TestDoctorKeepsSecrets(t *testing.T) {
	c := rightCheckup(t)
	c.Pay.APIKey, c.Account.AppSecret = "canary0key0canary0key0canary0key", "canary0secret0canary0secret0cana"
	for _, f := range Examine(t.Context(), c) {
		if strings.Contains(f.What+f.Do, "canary") {
			t.Errorf("%s tells a secret: %s", f.Name, f.What)
		}
	}
}

func TestDoctorWithSimulator(t *testing.T) {
	got := Examine(t.Context(), Checkup{Simulator: true})
	if len(got) != 1 || got[0].Name != "sim.off" {
		t.Errorf("findings = %+v, want sim.off alone", got)
	}
}
