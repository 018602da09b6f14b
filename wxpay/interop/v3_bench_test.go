package interop

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/verifiers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/notify"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments"

	"wxshop/wxpay"
)

// v3Note is a payment notification of API v3, signed and sealed by somebody else.
func v3Note(b *testing.B) (o *official, h http.Header, body []byte) {
	b.Helper()
	o, _ = newOfficial(b)
	const nonce = "fdasflkja484"
	body = []byte(`{"id":"EV-2018022511223320873","create_time":"2026-11-20T15:34:46+08:00","resource_type":"encrypt-resource","event_type":"TRANSACTION.SUCCESS","summary":"支付成功",` +
		`"resource":{"original_type":"transaction","algorithm":"AEAD_AES_256_GCM","ciphertext":"` + o.seal(oursTransaction, nonce, "transaction") +
		`","associated_data":"transaction","nonce":"` + nonce + `"}}`)
	h = http.Header{}
	o.sign(h, oursPubID, body)
	return o, h, body
}

func BenchmarkV3NotifyOurs(b *testing.B) {
	o, h, body := v3Note(b)
	g := o.client(wxpay.PublicKeyMode, "http://127.0.0.1:1")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.ParseNotify(h, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkV3NotifyTencent(b *testing.B) {
	o, h, body := v3Note(b)
	theirs, err := notify.NewRSANotifyHandler(oursV3Key, verifiers.NewSHA256WithRSAPubkeyVerifier(oursPubID, o.keys.platform.PublicKey))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/notify/v3/pay", strings.NewReader(string(body)))
		r.Header = h
		var paid payments.Transaction
		if _, err := theirs.ParseNotifyRequest(ctx, r, &paid); err != nil {
			b.Fatal(err)
		}
	}
}
