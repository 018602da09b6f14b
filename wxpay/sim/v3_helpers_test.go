package sim

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Signing and verifying as the document of API v3 describes them, written anew
// here so that a mistake in the simulator does not hide itself.

// identity is what a client of API v3 is configured with.
func (w *world) identity() Identity {
	w.t.Helper()
	id, err := w.sim.IdentityWithKeys()
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func privateKey(t testing.TB, text string) *rsa.PrivateKey {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "PRIVATE KEY" {
		t.Fatalf("not a PKCS#8 key: %.40q", text)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

func publicKey(t testing.TB, text string) *rsa.PublicKey {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	switch {
	case block == nil:
		t.Fatalf("not PEM: %.40q", text)
	case block.Type == "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return cert.PublicKey.(*rsa.PublicKey)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PublicKey)
}

func signText(t testing.TB, key *rsa.PrivateKey, text string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	sign, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(sign)
}

const testNonce = "593BEC0C930BF1AFEB40B4A08C8FB242"

// authorization is the header of a request, signed at a time.
func (w *world) authorization(method, target, body string, at time.Time) string {
	w.t.Helper()
	id := w.identity()
	ts := fmt.Sprint(at.Unix())
	sign := signText(w.t, privateKey(w.t, id.MerchantPrivateKey), strings.Join([]string{method, target, ts, testNonce, body, ""}, "\n"))
	return fmt.Sprintf(`WECHATPAY2-SHA256-RSA2048 mchid="%s",nonce_str="%s",timestamp="%s",serial_no="%s",signature="%s"`,
		id.MchID, testNonce, ts, id.MerchantSerialNo, sign)
}

// v3 makes a signed call; header are pairs that change the usual headers.
func (w *world) v3(method, target, body string, header ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	all := append([]string{
		"Authorization", w.authorization(method, target, body, time.Now()),
		"Accept", "application/json", "User-Agent", "test", "Content-Type", "application/json",
	}, header...)
	return w.do(method, target, body, all...)
}

// v3OK makes a call that must succeed and verifies the answer, by whichever
// key the answer names.
func (w *world) v3OK(method, target, body string, header ...string) []byte {
	w.t.Helper()
	rec := w.v3(method, target, body, header...)
	if rec.Code/100 != 2 {
		w.t.Fatalf("%s %s: %d %s", method, target, rec.Code, rec.Body)
	}
	w.mustVerify(rec.Header(), rec.Body.Bytes())
	return rec.Body.Bytes()
}

// mustVerify checks the signature of an answer or a notification.
func (w *world) mustVerify(h http.Header, body []byte) {
	w.t.Helper()
	if err := w.verify(h, body); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) verify(h http.Header, body []byte) error {
	w.t.Helper()
	return w.verifyAt(h, body, time.Now())
}

// verifyAt verifies what came at a time.
func (w *world) verifyAt(h http.Header, body []byte, at time.Time) error {
	w.t.Helper()
	id := w.identity()
	keys := map[string]*rsa.PublicKey{
		id.PlatformPublicKeyID: publicKey(w.t, id.PlatformPublicKey),
		id.PlatformSerialNo:    publicKey(w.t, id.PlatformCertificate),
	}
	key := keys[h.Get("Wechatpay-Serial")]
	if key == nil {
		return fmt.Errorf("signed with unknown serial %q", h.Get("Wechatpay-Serial"))
	}
	var ts int64
	if _, err := fmt.Sscan(h.Get("Wechatpay-Timestamp"), &ts); err != nil || at.Sub(time.Unix(ts, 0)).Abs() >= 5*time.Minute {
		return fmt.Errorf("Wechatpay-Timestamp is %q", h.Get("Wechatpay-Timestamp"))
	}
	sign, err := base64.StdEncoding.DecodeString(h.Get("Wechatpay-Signature"))
	if err != nil {
		return err
	}
	text := bytes.Join([][]byte{[]byte(h.Get("Wechatpay-Timestamp")), []byte(h.Get("Wechatpay-Nonce")), body, nil}, []byte("\n"))
	sum := sha256.Sum256(text)
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sign)
}

// oaep seals a field for WeChat's eyes.
func oaep(t testing.TB, key *rsa.PublicKey, text string) string {
	t.Helper()
	sealed, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, key, []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(sealed)
}
