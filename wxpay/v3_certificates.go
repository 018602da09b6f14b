package wxpay

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// maxCertificates of one list; two are usual at most.
const maxCertificates = 16

// downloadCertificates asks for the platform certificates (WeChat Pay v3,
// downloading platform certificates). Two things vouch for them: only WeChat
// can encrypt with the APIv3 key, and the list itself is signed, by a key that
// is known or one that it brings. The second keeps out an old list.
func (g *V3Gateway) downloadCertificates(ctx context.Context, known map[string]*trustedKey) ([]*trustedKey, error) {
	serial := ""
	if g.keys.fixed != nil {
		serial = g.keys.fixed.serial
	} else if k := g.keys.newest(); k != nil {
		serial = k.serial
	}
	c := callV3{op: opCertificates, method: http.MethodGet, path: "/v3/certificates"}
	a := g.net.send(ctx, g.outgoing(c, serial), g.recorder(ctx, c))
	if a.err != nil {
		return nil, &Error{Op: c.op, HTTPStatus: a.status, Unknown: true, Err: a.err}
	}
	if a.status != http.StatusOK {
		return nil, refusedV3(c.op, a)
	}
	list, err := g.readCertificates(a.body)
	if err != nil {
		return nil, &Error{Op: c.op, HTTPStatus: a.status, Unknown: true, RequestID: requestID(a), Err: err}
	}
	for _, k := range list {
		known[k.serial] = k
	}
	if err := vouchedBy(known, a, g.keys); err != nil {
		return nil, &Error{Op: c.op, HTTPStatus: a.status, Unknown: true, RequestID: requestID(a), Err: err}
	}
	return list, nil
}

func vouchedBy(known map[string]*trustedKey, a answer, t *trust) error {
	var v voucher
	if err := v.read(a.header, t.now()); err != nil {
		return err
	}
	if k := known[v.serial]; k.over(t.now()) || !v.verify(k.key, []byte(a.body)) {
		return fmt.Errorf("%w: the list of certificates", ErrSignature)
	}
	return nil
}

// readCertificates opens what can be opened and is in force or about to be.
func (g *V3Gateway) readCertificates(body string) ([]*trustedKey, error) {
	t, err := parseJSON(body, nil)
	if err != nil {
		return nil, err
	}
	var list []*trustedKey
	var errs []error
	n := 0
	for i := range t.list(0, "data") {
		if n++; n > maxCertificates {
			return nil, errors.New("the list of certificates is too long")
		}
		k, err := g.readCertificate(&t, i)
		if err == nil && k.over(g.cfg.Now()) {
			err = fmt.Errorf("certificate %s is over", k.serial)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, k)
	}
	if len(list) == 0 {
		return nil, errors.Join(append(errs, errors.New("no certificate in the list is good"))...)
	}
	for _, err := range errs {
		g.cfg.Log.Warn("platform certificate left out", "op", opCertificates, "err", err)
	}
	return list, nil
}

// readCertificate believes what is inside of the certificate, which nobody
// else could encrypt, rather than what stands beside it.
func (g *V3Gateway) readCertificate(t *jsonTree, in int) (*trustedKey, error) {
	plain, err := g.seal.open(t, t.object(in, "encrypt_certificate"))
	if err != nil {
		return nil, fmt.Errorf("platform certificate: %w", err)
	}
	cert, err := parseCertificate(plain)
	if err != nil {
		return nil, fmt.Errorf("platform certificate: %w", err)
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < minRSABits {
		return nil, fmt.Errorf("platform certificate: not for an RSA key of %d bits or more", minRSABits)
	}
	serial := t.text(in, "serial_no")
	if len(serial) > maxSerial || !sameSerial(serial, cert.SerialNumber.Text(16)) {
		return nil, errors.New("platform certificate: it has another serial number than is said of it")
	}
	return &trustedKey{serial: serial, key: key, from: cert.NotBefore, until: cert.NotAfter}, nil
}

// sameSerial: tools differ on zeros in front.
func sameSerial(a, b string) bool {
	return strings.EqualFold(strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0"))
}
