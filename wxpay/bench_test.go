package wxpay

import (
	"crypto"
	"crypto/md5"
	"crypto/rsa"
	"crypto/sha256"
	"net/http"
	"testing"
)

// benchNotice is a notification of 28 fields and 1,365 bytes with two coupons,
// its fields in WeChat's usual order, and the string that its sign is over.
func benchNotice(b testing.TB) (body []byte, text []byte) {
	b.Helper()
	m := notice(b)
	m = replaced(m, "attach", "order=20250806125346_01&from=singlemessage")
	m = signed(replaced(m, "device_info", "WEB"), MD5, vectorKey)
	body = []byte("<xml>")
	for _, f := range m {
		body = append(body, "<"+f.name+"><![CDATA["+f.value+"]]></"+f.name+">\n"...)
	}
	return append(body, "</xml>"...), appendStringToSign(nil, m, vectorKey)
}

var benchSum [md5.Size]byte

// BenchmarkMD5StringToSign is the floor: what the protocol itself costs.
func BenchmarkMD5StringToSign(b *testing.B) {
	_, text := benchNotice(b)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		benchSum = md5.Sum(text)
	}
}

// BenchmarkV2ParseVerify reads a notification and checks its signature.
func BenchmarkV2ParseVerify(b *testing.B) {
	body, _ := benchNotice(b)
	k := newKeyring(vectorKey, "")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var usual [48]field
		m, err := decode(string(body), maxNotify, usual[:0])
		if err != nil || k.verify(m, MD5) != nil {
			b.Fatal("refused")
		}
	}
}

// BenchmarkV2ParseVerifyUnsorted is the same with the fields in another order.
func BenchmarkV2ParseVerifyUnsorted(b *testing.B) {
	m := signed(replaced(notice(b), "device_info", "WEB"), MD5, vectorKey)
	for i := range m {
		j := i * 11 % len(m)
		m[i], m[j] = m[j], m[i]
	}
	body := notifyBody(m)
	k := newKeyring(vectorKey, "")
	b.ReportAllocs()
	for b.Loop() {
		var usual [48]field
		m, err := decode(string(body), maxNotify, usual[:0])
		if err != nil || k.verify(m, MD5) != nil {
			b.Fatal("refused")
		}
	}
}

// BenchmarkV2ParseNotify is the same up to a Transaction, with the map of all
// fields for people.
func BenchmarkV2ParseNotify(b *testing.B) {
	body, _ := benchNotice(b)
	cfg := testConfig()
	cfg.SignType = MD5
	c := newTestClient(b, cfg)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.ParseNotify(http.Header{}, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkV2PrepayRequest(b *testing.B) {
	c := newTestClient(b, testConfig())
	b.ReportAllocs()
	for b.Loop() {
		m, err := c.orderFields(testOrder())
		if err != nil {
			b.Fatal(err)
		}
		encode(signed(c.withCommon(opPlace, m, HMACSHA256, ""), HMACSHA256, vectorKey))
	}
}

// BenchmarkV3Verify is the floor of v3: one RSA-2048 verification.
func BenchmarkV3Verify(b *testing.B) {
	key := &rsaKeys()[0].PublicKey
	sum := sha256.Sum256([]byte("x"))
	sign, err := rsa.SignPKCS1v15(nil, rsaKeys()[0], crypto.SHA256, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sign) != nil {
			b.Fatal("refused")
		}
	}
}

// BenchmarkV3ParseNotify is a whole notification: headers, signature, opening
// and reading.
func BenchmarkV3ParseNotify(b *testing.B) {
	g := newTestV3(b, testConfigV3(b, nil))
	body := note(paidJSON)
	h := publicKeyOfWeChat().headers(body, v3Now)
	raw := []byte(body)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.ParseNotify(h, raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkV3Prepay is an order from its values to its Authorization.
func BenchmarkV3Prepay(b *testing.B) {
	g := newTestV3(b, testConfigV3(b, nil))
	b.ReportAllocs()
	for b.Loop() {
		path, body, err := g.orderBody(testOrder())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := g.authorization("POST", path, body); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkV3Sign is the floor of BenchmarkV3Prepay.
func BenchmarkV3Sign(b *testing.B) {
	key := merchantKey(b)
	sum := sha256.Sum256([]byte("x"))
	for b.Loop() {
		if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:]); err != nil {
			b.Fatal(err)
		}
	}
}
