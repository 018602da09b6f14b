package sim

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// overTLS serves the gateway with TLS on a socket.
func overTLS(t *testing.T, w *world) *httptest.Server {
	t.Helper()
	config, err := w.sim.TLSConfig()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(w.sim.Gateway())
	server.TLS = config
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// caller trusts the simulator's authority and shows a certificate, if any.
func caller(t *testing.T, ca string, certs ...tls.Certificate) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(ca)) {
		t.Fatal("no authority in the identity")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certs}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func post(t *testing.T, c *http.Client, target, body string) (int, string) {
	t.Helper()
	res, err := c.Post(target, "text/xml", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// The endpoints that move money back want the merchant's certificate; the
// others do not; without TLS nobody is asked. // decision 32
func TestClientCertificates(t *testing.T) {
	w := newWorld(t, Options{TLSURL: "https://localhost:8443"})
	var id Identity
	w.api("GET", "identity", "", 200, &id)
	if id.TLSBaseURL != "https://localhost:8443" || !strings.HasPrefix(id.TLSCA, "-----BEGIN CERTIFICATE") {
		t.Fatalf("identity: %q %.30q", id.TLSBaseURL, id.TLSCA)
	}
	server := overTLS(t, w)
	merchant, err := tls.X509KeyPair([]byte(id.MerchantCertificate), []byte(id.MerchantPrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := (&identity{now: time.Now, keys: &Keys{}}).makePair(0, "7"+strings.Repeat("A", 39), pkix.Name{CommonName: id.MchID})
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := tls.X509KeyPair([]byte(pair.cert), []byte(pair.key))
	if err != nil {
		t.Fatal(err)
	}
	w.order("certs00001")
	w.pay("certs00001")
	refund := toXML(w.signed(map[string]string{"out_trade_no": "certs00001", "out_refund_no": "R1", "total_fee": "888", "refund_fee": "1"}, ""))
	query := toXML(w.signed(map[string]string{"out_trade_no": "certs00001"}, ""))
	tests := []struct {
		name, path, body string
		certs            []tls.Certificate
		status           int
		want             string
	}{
		{"no certificate", "/secapi/pay/refund", refund, nil, 400, "No required SSL certificate was sent"},
		{"a stranger's", "/secapi/pay/refund", refund, []tls.Certificate{stranger}, 400, "The SSL certificate error"},
		{"the merchant's", "/secapi/pay/refund", refund, []tls.Certificate{merchant}, 200, "refund_id"},
		{"reverse without", "/secapi/pay/reverse", query, nil, 400, "<html>"},
		{"query without", "/pay/orderquery", query, nil, 200, "trade_state"},
		{"sandbox without", "/sandboxnew/pay/refund", refund, nil, 200, "签名错误"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := post(t, caller(t, id.TLSCA, tt.certs...), server.URL+tt.path, tt.body)
			if status != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("%d %s, want %d with %q", status, body, tt.status, tt.want)
			}
		})
	}
	if rec := w.do("POST", "/secapi/pay/refund", refund); rec.Code != 200 || !strings.Contains(rec.Body.String(), "refund_id") {
		t.Errorf("plain HTTP: %d %s", rec.Code, rec.Body)
	}
	if _, err := http.Get(server.URL + "/sns/auth"); err == nil {
		t.Error("who does not know the authority trusts it")
	}
}

// The authority is kept, so that a configured client goes on trusting it; its
// key is for nobody else.
func TestAuthorityIsKept(t *testing.T) {
	o := Options{Data: t.TempDir(), TLSURL: "https://localhost:8443"}
	w := newWorld(t, o)
	if _, err := w.sim.TLSConfig(); err != nil {
		t.Fatal(err)
	}
	first := w.sim.Identity().TLSCA
	w = w.reopen(o)
	server := overTLS(t, w)
	if got := w.sim.Identity().TLSCA; got != first || first == "" {
		t.Error("another authority after a restart")
	}
	if status, _ := post(t, caller(t, first), server.URL+"/sns/auth", ""); status != 200 {
		t.Errorf("status %d", status)
	}
	info, err := os.Stat(filepath.Join(o.Data, fileCAKey))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v %v", info, err)
	}
	if err := os.WriteFile(filepath.Join(o.Data, fileCA), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	w = w.reopen(o)
	if _, err := w.sim.TLSConfig(); err != nil || w.sim.Identity().TLSCA == first {
		t.Errorf("a broken file: %v", err)
	}
}
