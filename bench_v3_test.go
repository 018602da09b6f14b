//go:build bench && linux

package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The account of the bench at API v3, beside its keys for v2.
const (
	benchSerial      = "7132D72A03E93CDDF8C03BBD1F37EEDF5B0C1F66"
	benchPublicKeyID = "PUB_KEY_ID_0119000000992026112000000000000001"
	benchMerchantKey = "apiclient_key.pem"
	benchPlatformKey = "platform_key.pem" // WeChat's own
	benchPublicKey   = "pub_key.pem"
)

// v3Keys makes the keys of merchant and WeChat in a folder.
func (b *bench) v3Keys() (dir string, merchant *rsa.PrivateKey) {
	b.t.Helper()
	dir = b.t.TempDir()
	keep := func(name, kind string, der []byte, err error) {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	keys := make([]*rsa.PrivateKey, 2)
	for i, name := range []string{benchMerchantKey, benchPlatformKey} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			b.t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		keep(name, "PRIVATE KEY", der, err)
		keys[i] = key
	}
	der, err := x509.MarshalPKIXPublicKey(&keys[1].PublicKey)
	keep(benchPublicKey, "PUBLIC KEY", der, err)
	return dir, keys[0]
}

// gatewayV3Role answers every prepay with the same bytes, signed once, which
// costs the least that a gateway can. It must not live for five minutes.
func gatewayV3Role(t *testing.T) http.Handler {
	text, err := os.ReadFile(os.Getenv("BENCH_KEY"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	const answer = `{"prepay_id":"wx00000000000000000000000000000000be"}`
	at, nonce := strconv.FormatInt(time.Now().Unix()+150, 10), strings.Repeat("be", 16)
	sum := sha256.Sum256([]byte(at + "\n" + nonce + "\n" + answer + "\n"))
	signature, err := rsa.SignPKCS1v15(nil, key.(*rsa.PrivateKey), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	head := map[string]string{
		"Wechatpay-Timestamp": at, "Wechatpay-Nonce": nonce, "Wechatpay-Serial": benchPublicKeyID, "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
		"Wechatpay-Signature": base64.StdEncoding.EncodeToString(signature), "Content-Type": "application/json; charset=utf-8",
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		for name, value := range head {
			w.Header()[name] = []string{value}
		}
		io.WriteString(w, answer)
	})
}

// v3CheckoutRow: form → order → gateway → redirect → pay page, with API v3.
// RSA is its whole cost: the request and the parameters of the page are
// signed, and that is the floor.
func (b *bench) v3CheckoutRow() {
	keys, merchant := b.v3Keys()
	dir := b.shop.copied()
	shoppers := b.shoppers(dir, payWarmUp+(roundsWanted+3)*payRun+payProfile)
	gateway := b.m.role(b.t, "gatewayV3", "1", "BENCH_KEY="+filepath.Join(keys, benchPlatformKey))
	defer gateway.stop()
	r := b.shop.serveWith(dir, "WXSHOP_WECHAT_APP_ID="+benchAccount.app, "WXSHOP_WECHAT_APP_SECRET="+benchAccount.appSecret,
		"WXSHOP_PAY_API=v3", "WXSHOP_PAY_MCH_ID="+benchAccount.merchant, "WXSHOP_PAY_HOSTS=http://"+gateway.addr,
		"WXSHOP_PAY_API_V3_KEY="+benchAccount.key, "WXSHOP_PAY_SERIAL_NO="+benchSerial, "WXSHOP_PAY_PRIVATE_KEY_FILE="+filepath.Join(keys, benchMerchantKey),
		"WXSHOP_PAY_PLATFORM_PUBLIC_KEY_ID="+benchPublicKeyID, "WXSHOP_PAY_PLATFORM_PUBLIC_KEY_FILE="+filepath.Join(keys, benchPublicKey))
	defer r.stop()
	next := int64(0)
	once := func(n int64) func() sample {
		return func() sample {
			from := next
			next += n
			return r.run(payLines, n, payTime, func(l *benchLine, i int64) error { return b.buys(r, l, shoppers[from+i], "") }, gateway.pid())
		}
	}
	once(payWarmUp)()
	b.served("whole v3 checkout on one core, against two RSA signatures", 0.80, r, b.twoSignatures(merchant), once(payRun), once(payProfile))
}

// twoSignatures is what the arithmetic alone would take.
func (b *bench) twoSignatures(key *rsa.PrivateKey) func() sample {
	return func() sample {
		b.m.quiet()
		foreign, start, cpu := benchWatch(), time.Now(), cpuOfSelf()
		const n = 300
		for i := range n {
			sum := sha256.Sum256([]byte(strconv.Itoa(i)))
			for range 2 {
				if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:]); err != nil {
					b.t.Fatal(err)
				}
			}
		}
		used := cpuOfSelf() - cpu
		return sample{rate: n / time.Since(start).Seconds(), cpu: float64(used.Microseconds()) / n, others: foreign()}
	}
}
