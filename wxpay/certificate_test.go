package wxpay

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// issuer makes certificates.
type issuer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newIssuer(t *testing.T) issuer {
	t.Helper()
	i := issuer{key: ecKey(t)}
	i.cert = i.issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, i.key.Public())
	return i
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (i issuer) issue(t *testing.T, c *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	t.Helper()
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent := i.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, public, i.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (i issuer) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(i.cert)
	return p
}

// secureGateway is a gateway behind TLS that takes certificates of ca, and
// demands one where WeChat does.
func secureGateway(t *testing.T, ca issuer, seen *atomic.Int32) *httptest.Server {
	t.Helper()
	key := ecKey(t)
	cert := ca.issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, key.Public())
	answer := &gateway{answer: func(w http.ResponseWriter, r *http.Request, m message) {
		secret := strings.HasPrefix(r.URL.Path, "/secapi/") || r.URL.Path == "/pay/downloadfundflow"
		switch shown := len(r.TLS.PeerCertificates) > 0; {
		case shown != secret:
			t.Errorf("%s: certificate shown: %t", r.URL.Path, shown)
		case shown:
			seen.Add(1)
		}
		if r.URL.Path == "/pay/downloadfundflow" {
			w.Write([]byte(byteOrderMark))
			return
		}
		echoing(append(accepted.sorted(), field{"recall", "N"}, field{"prepay_id", "wx06"}))(w, r, m)
	}}
	s := httptest.NewUnstartedServer(answer)
	s.Config.ErrorLog = quiet()
	s.TLS = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}},
		ClientAuth:   tls.VerifyClientCertIfGiven, ClientCAs: ca.pool(),
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// certificateOf is a merchant's certificate.
func certificateOf(t *testing.T, ca issuer, key *ecdsa.PrivateKey) *tls.Certificate {
	t.Helper()
	own := ca.issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: testMch}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key.Public())
	return &tls.Certificate{Certificate: [][]byte{own.Raw}, PrivateKey: key}
}

// The merchant's certificate is shown to the calls that need it and to no
// other, over TLS that is verified like any other (P21).
func TestCertificate(t *testing.T) {
	ca := newIssuer(t)
	var seen atomic.Int32
	g := secureGateway(t, ca, &seen)
	key := ecKey(t)
	cfg := testConfig(g.URL)
	cfg.RootCAs, cfg.Certificate = ca.pool(), certificateOf(t, ca, key)
	c := newTestClient(t, cfg)
	if _, err := c.Prepay(t.Context(), testOrder()); err != nil {
		t.Error(err)
	}
	if _, err := c.Refund(t.Context(), testRefund()); err != nil {
		t.Error(err)
	}
	if _, err := c.Reverse(t.Context(), testOrder().Ref()); err != nil {
		t.Error(err)
	}
	if _, err := c.Prepay(t.Context(), testOrder()); err != nil {
		t.Error(err)
	}
	if bill, err := c.FundFlow(t.Context(), FundFlowRequest{Day: time.Now()}); err != nil {
		t.Error(err)
	} else {
		bill.Close()
	}
	if seen.Load() != 3 {
		t.Errorf("the certificate was shown %d times, want 3", seen.Load())
	}

	cfg.RootCAs = nil
	if _, err := newTestClient(t, cfg).Refund(t.Context(), testRefund()); !IsUnknown(err) || seen.Load() != 3 {
		t.Errorf("a gateway that nobody vouches for: %v", err)
	}
	cfg.RootCAs, cfg.Certificate = ca.pool(), certificateOf(t, newIssuer(t), key)
	if _, err := newTestClient(t, cfg).Refund(t.Context(), testRefund()); !IsUnknown(err) || seen.Load() != 3 {
		t.Errorf("a certificate of somebody: %v", err)
	}
}

// Without a certificate nothing is sent that needs one, except to a simulator
// on plain http, which cannot ask for it.
func TestNoCertificate(t *testing.T) {
	c := newTestClient(t, Config{AppID: testApp, MchID: testMch, APIKey: vectorKey, Transport: noNetwork{t}})
	_, refund := c.Refund(t.Context(), testRefund())
	_, reverse := c.Reverse(t.Context(), testOrder().Ref())
	_, flow := c.FundFlow(t.Context(), FundFlowRequest{Day: time.Now()})
	for _, err := range []error{refund, reverse, flow} {
		if !errors.Is(err, ErrNoCertificate) || IsUnknown(err) {
			t.Errorf("%v", err)
		}
	}
	for _, hosts := range [][]string{{"http://pay.test", MainHost}, {MainHost, "http://pay.test"}} {
		mixed := newTestClient(t, Config{AppID: testApp, MchID: testMch, APIKey: vectorKey, Transport: noNetwork{t}, Hosts: hosts})
		if _, err := mixed.Refund(t.Context(), testRefund()); !errors.Is(err, ErrNoCertificate) {
			t.Errorf("one of two hosts speaks TLS: %v", err)
		}
	}
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func rsaKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestCheckCertificate(t *testing.T) {
	ca, key, other, ec := newIssuer(t), rsaKey(t, 2048), rsaKey(t, 2048), ecKey(t)
	serial, _ := new(big.Int).SetString("157F09EFDC096DE15EBE81A47057A7232F1B8E1A", 16)
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	issue := func(from, to time.Time, public crypto.PublicKey) []byte {
		return pemOf("CERTIFICATE", ca.issue(t, &x509.Certificate{
			SerialNumber: serial, Subject: pkix.Name{CommonName: testMch}, NotBefore: from, NotAfter: to,
		}, public).Raw)
	}
	good := issue(now.AddDate(-1, 0, 0), now.AddDate(4, 0, 0), key.Public())
	pkcs8, _ := x509.MarshalPKCS8PrivateKey(key)
	keyPEM := pemOf("PRIVATE KEY", pkcs8)
	const right = "157F09EFDC096DE15EBE81A47057A7232F1B8E1A"
	tests := []struct {
		name               string
		cert, key          []byte
		mch, serial, finds string // the one that is wrong; empty: none
	}{
		{"right", good, keyPEM, testMch, right, ""},
		{"right, small serial, old form of key", good, pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), testMch, strings.ToLower(right), ""},
		{"right, no serial configured", good, keyPEM, testMch, "", ""},
		{"no PEM", []byte("x"), keyPEM, testMch, right, "cert.parse"},
		{"key instead of certificate", keyPEM, keyPEM, testMch, right, "cert.parse"},
		{"another key", good, pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(other)), testMch, right, "cert.parse"},
		{"no key", good, nil, testMch, right, "cert.parse"},
		{"broken key", good, pemOf("PRIVATE KEY", pkcs8[1:]), testMch, right, "cert.parse"},
		{"not RSA", issue(now, now.AddDate(1, 0, 0), ec.Public()), keyPEM, testMch, right, "cert.parse"},
		{"another merchant", good, keyPEM, "1900000110", right, "cert.subject"},
		{"another serial", good, keyPEM, testMch, "257F09EFDC096DE15EBE81A47057A7232F1B8E1A", "cert.serial"},
		{"expired", issue(now.AddDate(-6, 0, 0), now.AddDate(-1, 0, 0), key.Public()), keyPEM, testMch, right, "cert.dates"},
		{"not yet", issue(now.AddDate(0, 0, 1), now.AddDate(5, 0, 0), key.Public()), keyPEM, testMch, right, "cert.dates"},
	}
	for _, tt := range tests {
		wantFindings(t, tt.name, CheckCertificate(tt.cert, tt.key, tt.mch, tt.serial, now), VerdictWrong, tt.finds)
	}
	soon := CheckCertificate(issue(now.AddDate(-4, 0, 0), now.AddDate(0, 0, 20), key.Public()), keyPEM, testMch, right, now)
	if last := soon[len(soon)-1]; last.Verdict != VerdictOK || last.Do == "" {
		t.Errorf("soon over: %+v", last)
	}
}
