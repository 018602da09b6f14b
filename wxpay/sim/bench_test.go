package sim

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkUnifiedOrder is what one order costs at the gateway.
func BenchmarkUnifiedOrder(b *testing.B) {
	for _, kept := range []bool{false, true} {
		b.Run(fmt.Sprintf("journal %v", kept), func(b *testing.B) {
			o := Options{Seed: 1}
			if kept {
				o.Data = b.TempDir()
			}
			s, err := New(o)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			id, openID := s.Identity(), s.userViews(1)[0].OpenID
			i := 0
			for b.Loop() {
				i++
				f := map[string]string{
					"appid": id.AppID, "mch_id": id.MchID, "nonce_str": "abc", "body": "茶", "out_trade_no": fmt.Sprintf("bench%09d", i),
					"total_fee": "1", "spbill_create_ip": "127.0.0.1", "notify_url": "http://localhost:8080/n", "trade_type": "JSAPI", "openid": openID,
				}
				f["sign"] = signFields(f, id.APIKey, "")
				rec := httptest.NewRecorder()
				s.Gateway().ServeHTTP(rec, httptest.NewRequest("POST", "/pay/unifiedorder", strings.NewReader(toXML(f))))
				if !strings.Contains(rec.Body.String(), "prepay_id") {
					b.Fatal(rec.Body)
				}
			}
		})
	}
}

// BenchmarkStart is how long a simulator takes to be there.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := New(Options{AppURL: "http://localhost:8080"})
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
