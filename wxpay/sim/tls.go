package sim

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// The files of the authority that signs the gateway's own certificate.
const (
	fileCA    = "tls_ca.pem"
	fileCAKey = "tls_ca_key.pem"
)

// TLSConfig serves the gateway over TLS: with a certificate for localhost and
// the hosts of the configured URLs, signed by an authority of its own (tls_ca
// in the identity, kept in Options.Data). Callers are asked for a certificate;
// the endpoints that need the merchant's refuse whoever does not show it.
func (s *Sim) TLSConfig() (*tls.Config, error) {
	ca, err := s.ids.authority()
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	own, err := ca.serverCertificate(s.ownNames(), s.opts.Now())
	if err != nil {
		return nil, fmt.Errorf("sim: make certificate: %w", err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12,
		ClientAuth: tls.RequestClientCert, // whose it is, the endpoints look at
	}, nil
}

// ownNames are the hosts that the certificate is for.
func (s *Sim) ownNames() []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	for _, base := range []string{s.opts.BaseURL, s.opts.TLSURL} {
		if u, err := url.Parse(base); err == nil && u.Hostname() != "" && !slices.Contains(names, u.Hostname()) {
			names = append(names, u.Hostname())
		}
	}
	return names
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// authority reads the authority of a former run or makes one.
func (ids *identity) authority() (*authority, error) {
	ids.making.Lock()
	defer ids.making.Unlock()
	ids.mu.Lock()
	known := ids.ca
	ids.mu.Unlock()
	if known != nil {
		return known, nil
	}
	certText, err := ids.readFile(fileCA)
	if err != nil {
		return nil, err
	}
	keyText, err := ids.readFile(fileCAKey)
	if err != nil {
		return nil, err
	}
	ca, err := readAuthority(certText, keyText)
	if err != nil || ids.now().After(ca.cert.NotAfter) {
		if ca, certText, err = ids.newAuthority(); err != nil {
			return nil, err
		}
	}
	ids.mu.Lock()
	defer ids.mu.Unlock()
	ids.ca, ids.id.TLSCA = ca, certText
	return ca, nil
}

var errNoAuthority = errors.New("no authority")

func readAuthority(certText, keyText string) (*authority, error) {
	certBlock, _ := pem.Decode([]byte(certText))
	keyBlock, _ := pem.Decode([]byte(keyText))
	if certBlock == nil || keyBlock == nil {
		return nil, errNoAuthority
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, err
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok || !ec.PublicKey.Equal(cert.PublicKey) {
		return nil, errNoAuthority
	}
	return &authority{cert, ec}, nil
}

func (ids *identity) newAuthority() (*authority, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	now := ids.now()
	template := &x509.Certificate{
		SerialNumber: serialNumber(), Subject: pkix.Name{CommonName: "wxshop simulator, not WeChat", Organization: []string{"wxshop simulator"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(5, 0, 0), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, "", err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, "", err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, "", err
	}
	text := pemText("CERTIFICATE", der)
	if err := ids.writeFile(fileCAKey, pemText("PRIVATE KEY", private)); err != nil {
		return nil, "", err
	}
	return &authority{cert, key}, text, ids.writeFile(fileCA, text)
}

func serialNumber() *big.Int {
	n, _ := new(big.Int).SetString("7"+secret(lowerHex, 31), 16) // always hexadecimal
	return n
}

// serverCertificate is made anew at every start; only the authority is kept.
func (ca *authority) serverCertificate(names []string, now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serialNumber(), Subject: pkix.Name{CommonName: names[0]}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der, ca.cert.Raw}, PrivateKey: key}, nil
}

// merchantShown reports whether a caller showed the merchant's certificate;
// the handshake has proved that its key is there.
func (s *Sim) merchantShown(r *http.Request) bool {
	block, _ := pem.Decode([]byte(s.ids.view().MerchantCertificate))
	return block != nil && len(r.TLS.PeerCertificates) > 0 && bytes.Equal(block.Bytes, r.TLS.PeerCertificates[0].Raw)
}
