package sim

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// checked verifies a request that the test builds.
func (w *world) checked(method, target, body, authorization string) *v3Fail {
	w.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Accept", "*/*")
	r.Header.Set("User-Agent", "test")
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return w.sim.verifyV3(r, []byte(body))
}

// The refusals of the live gateway, to the byte.
func TestRequestsAreVerified(t *testing.T) {
	w := newWorld(t, Options{})
	const target, body = "/v3/pay/transactions/jsapi?a|b*c", `{"amount":1}`
	now := time.Now()
	good := w.authorization("POST", target, body, now)
	parts := strings.Split(strings.TrimPrefix(good, schemeV3+" "), ",")
	turned := schemeV3 + " " + strings.Join([]string{parts[4], parts[2], parts[0], parts[3], parts[1]}, ",")
	detail := func(message string) string {
		ts := strings.Trim(strings.TrimPrefix(parts[2], "timestamp="), `"`)
		return `{"code":"SIGN_ERROR","detail":{"detail":{"issue":"sign not match"},"field":"signature","location":"authorization","sign_information":` +
			`{"method":"POST","sign_message_length":95,"truncated_sign_message":"POST\n/v3/pay/transactions/jsapi?a|b*c\n` + ts + `\n` + testNonce + `\n{\"amount\n","url":"/v3/pay/transactions/jsapi?a|b*c"}},"message":"` + message + `"}`
	}
	const refund = "/v3/refund/domestic/refunds"
	for _, tt := range []struct{ name, target, auth, want string }{
		{"good", target, good, ""},
		{"another order", target, turned, ""},
		{"none", target, "", `{"code":"SIGN_ERROR","message":"签名信息错误，验签失败"}`},
		{"none at refunds", refund, "", `{"code":"SIGN_ERROR","message":"Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》"}`},
		{"another scheme", refund, strings.Replace(good, "RSA2048", "RSA4096", 1), `{"code":"SIGN_ERROR","message":"Http头Authorization认证类型不正确"}`},
		{"late", target, w.authorization("POST", target, body, now.Add(-302*time.Second)), `{"code":"SIGN_ERROR","message":"Http头Authorization中的timestamp与发起请求的时间不得超过5分钟"}`},
		{"early", target, w.authorization("POST", target, body, now.Add(302*time.Second)), `{"code":"SIGN_ERROR","message":"Http头Authorization中的timestamp与发起请求的时间不得超过5分钟"}`},
		{"just in time", target, w.authorization("POST", target, body, now.Add(-298*time.Second)), ""},
		{"stranger", target, strings.Replace(good, w.id.MchID, "1900009999", 1), `{"code":"SIGN_ERROR","message":"签名错误"}`},
		{"serial", target, strings.Replace(good, w.id.MerchantSerialNo, strings.Repeat("7", 40), 1), detail("商户证书序列号有误。")},
		{"other bytes", target, w.authorization("POST", target, body+"\n", now), detail("签名错误")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if e := w.checked("POST", tt.target, body, tt.auth); e != nil {
				if got = string(e.body()); e.status != http.StatusUnauthorized || e.finding == nil {
					t.Errorf("status %d, diagnosis %v", e.status, e.finding)
				}
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
