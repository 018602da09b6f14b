package sim

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// listed downloads the platform certificates as a client does and returns
// their keys by serial number.
func (w *world) listed(header ...string) (map[string]*rsa.PublicKey, http.Header, []byte) {
	w.t.Helper()
	rec := w.v3("GET", "/v3/certificates", "", header...)
	if rec.Code != http.StatusOK {
		w.t.Fatalf("certificates: %d %s", rec.Code, rec.Body)
	}
	var list struct {
		Data []struct {
			SerialNo  string    `json:"serial_no"`
			Effective time.Time `json:"effective_time"`
			Expire    time.Time `json:"expire_time"`
			Sealed    struct {
				Algorithm  string  `json:"algorithm"`
				Nonce      string  `json:"nonce"`
				Associated *string `json:"associated_data"`
				Ciphertext string  `json:"ciphertext"`
			} `json:"encrypt_certificate"`
		} `json:"data"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &list); err != nil {
		w.t.Fatal(err)
	}
	keys := map[string]*rsa.PublicKey{}
	for _, c := range list.Data {
		if c.Sealed.Algorithm != "AEAD_AES_256_GCM" || c.Sealed.Associated == nil || !c.Expire.After(c.Effective) {
			w.t.Errorf("certificate %+v", c)
		}
		plain, err := unseal(w.identity().APIv3Key, c.Sealed.Nonce, *c.Sealed.Associated, c.Sealed.Ciphertext)
		if err != nil {
			w.t.Fatal(err)
		}
		cert := certificate(w.t, plain)
		if fmt.Sprintf("%X", cert.SerialNumber.Bytes()) != c.SerialNo {
			w.t.Errorf("serial number %s", c.SerialNo)
		}
		keys[c.SerialNo] = cert.PublicKey.(*rsa.PublicKey)
	}
	return keys, rec.Header(), bytes.Clone(rec.Body.Bytes())
}

// setMode switches the key mode.
func (w *world) setMode(mode string) {
	w.t.Helper()
	w.api("PUT", "account", `{"key_mode":"`+mode+`"}`, 200, nil)
}

// The list of certificates, and the key that an answer is signed with, follow
// the key mode and the request's Wechatpay-Serial.
func TestKeyModes(t *testing.T) {
	w := newWorld(t, Options{})
	id := w.identity()
	rec := w.v3("GET", "/v3/certificates", "")
	if want := `{"code":"RESOURCE_NOT_EXISTS","message":"无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。可查看指引https://pay.weixin.qq.com/docs/merchant/products/platform-certificate/wxp-pub-key-guide.html"}`; rec.Code != 404 || rec.Body.String() != want {
		t.Errorf("public_key: %d %s", rec.Code, rec.Body)
	}
	w.mustVerify(rec.Header(), rec.Body.Bytes())
	for _, tt := range []struct{ mode, asked, want string }{
		{"certificate", "", id.PlatformSerialNo},
		{"certificate", id.PlatformSerialNo, id.PlatformSerialNo},
		{"certificate", id.PlatformPublicKeyID, id.PlatformSerialNo},
		{"mixed", "", id.PlatformSerialNo},
		{"mixed", id.PlatformSerialNo, id.PlatformSerialNo},
		{"mixed", id.PlatformPublicKeyID, id.PlatformPublicKeyID},
	} {
		w.setMode(tt.mode)
		keys, h, body := w.listed("Wechatpay-Serial", tt.asked)
		if got := h.Get("Wechatpay-Serial"); got != tt.want || len(keys) != 1 || keys[id.PlatformSerialNo] == nil {
			t.Errorf("%s, asked for %q: signed by %s", tt.mode, tt.asked, got)
		}
		w.mustVerify(h, body)
		if h.Get("Wechatpay-Signature-Type") != "WECHATPAY2-SHA256-RSA2048" || !strings.HasSuffix(h.Get("Request-Id"), "-0") || len(h.Get("Wechatpay-Nonce")) != 32 {
			t.Errorf("headers %v", h)
		}
	}
	w.setMode("public_key")
	rec = w.v3("GET", "/v3/certificates", "", "Wechatpay-Serial", id.PlatformSerialNo)
	if got := rec.Header().Get("Wechatpay-Serial"); got != id.PlatformPublicKeyID {
		t.Errorf("a merchant without certificate gets answers signed by %s", got)
	}
}

func TestCertificatesRefused(t *testing.T) {
	w := newWorld(t, Options{})
	w.setMode("certificate")
	for _, tt := range []struct {
		name, target string
		header       []string
		status       int
		want         string
	}{
		{"no user agent", "/v3/certificates", []string{"User-Agent", ""}, 400, `{"code":"INVALID_REQUEST","message":"Http头缺少Accept或User-Agent"}`},
		{"no accept", "/v3/certificates", []string{"Accept", ""}, 400, `{"code":"INVALID_REQUEST","message":"Http头缺少Accept或User-Agent"}`},
		{"no signature", "/v3/certificates", []string{"Authorization", ""}, 401, `{"code":"SIGN_ERROR","message":"Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》"}`},
		{"Chinese algorithm", "/v3/certificates?algorithm_type=SM2", nil, 404, ""},
		{"all", "/v3/certificates?algorithm_type=ALL", nil, 200, ""},
		{"unknown algorithm", "/v3/certificates?algorithm_type=X", nil, 400, ""},
	} {
		rec := w.v3("GET", tt.target, "", tt.header...)
		if rec.Code != tt.status || tt.want != "" && rec.Body.String() != tt.want {
			t.Errorf("%s: %d %s", tt.name, rec.Code, rec.Body)
		}
		if signed := rec.Header().Get("Wechatpay-Signature") != ""; signed == (tt.want != "") {
			t.Errorf("%s: signed %v", tt.name, signed)
		}
	}
}

type keysReply struct {
	KeyMode  string `json:"key_mode"`
	APIv3Key string `json:"api_v3_key"`
	Platform []struct {
		SerialNo    string `json:"serial_no"`
		State       string `json:"state"`
		Certificate string `json:"certificate"`
	} `json:"platform"`
}

func (w *world) keys(body string, want int) (states string, r keysReply) {
	w.t.Helper()
	method := "POST"
	if body == "" {
		method = "GET"
	}
	w.api(method, "keys", body, want, &r)
	for _, c := range r.Platform {
		states += c.State + " "
	}
	return strings.TrimSpace(states), r
}

// A second certificate is listed first, signs a day later, and a day after
// that the old one is gone; by itself, or step by step.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, Options{Data: dir})
	w.keys(`{"rotate":"start"}`, 409) // there is nothing to rotate
	w.setMode("certificate")
	old := w.identity().PlatformSerialNo
	signer := func() string {
		t.Helper()
		keys, h, body := w.listed()
		if keys[h.Get("Wechatpay-Serial")] == nil {
			t.Fatalf("signed by %s, which is not listed", h.Get("Wechatpay-Serial"))
		}
		w.mustVerify(h, body)
		return h.Get("Wechatpay-Serial")
	}
	if states, _ := w.keys(`{"rotate":"start"}`, 200); states != "next signing" || signer() != old {
		t.Errorf("after the start: %s, signed by %s", states, signer())
	}
	w.keys(`{"rotate":"start"}`, 409)
	w.keys(`{"rotate":"finish"}`, 409)
	w.keys(`{"rotate":"odd"}`, 400)
	w.keys(`{}`, 400)
	w = w.reopen(Options{Data: dir})
	w.api("POST", "clock", `{"advance":"24h"}`, 200, nil)
	states, keys := w.keys("", 200)
	second := keys.Platform[0].SerialNo
	if states != "signing old" || signer() != second || second == old || w.identity().PlatformSerialNo != second {
		t.Errorf("a day later: %s, signed by %s", states, signer())
	}
	w.api("POST", "clock", `{"advance":"24h"}`, 200, nil)
	if states, _ := w.keys("", 200); states != "signing" || signer() != second {
		t.Errorf("two days later: %s, signed by %s", states, signer())
	}
	for _, tt := range []struct{ step, want string }{{"start", "next signing"}, {"switch", "signing old"}, {"finish", "signing"}, {"now", "signing old"}} {
		if states, _ := w.keys(`{"rotate":"`+tt.step+`"}`, 200); states != tt.want {
			t.Errorf("%s: %s", tt.step, states)
		}
	}
	third := signer()
	w.api("POST", "reset", "", 200, nil)
	w = w.reopen(Options{Data: dir})
	w.setMode("certificate")
	if got := signer(); got != third || third == second {
		t.Errorf("after reset and restart %s signs, before it was %s", got, third)
	}
}

// A reset in the middle of a rotation ends it: the certificate that signs
// stays, however long.
func TestResetEndsRotation(t *testing.T) {
	w := newWorld(t, Options{})
	w.setMode("certificate")
	old := w.identity().PlatformSerialNo
	w.keys(`{"rotate":"start"}`, 200)
	w.api("POST", "reset", "", 200, nil)
	w.setMode("certificate")
	w.api("POST", "clock", `{"advance":"72h"}`, 200, nil)
	if keys, h, _ := w.listed(); len(keys) != 1 || keys[old] == nil || h.Get("Wechatpay-Serial") != old {
		t.Errorf("%d certificates are listed, signed by %s", len(keys), h.Get("Wechatpay-Serial"))
	}
	w.keys(`{"rotate":"start"}`, 200)
}

// The fault rotates in the middle of a run: notifications and answers are
// signed by the new certificate at once.
func TestFaultKeyRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.shop.answerWith(noContent)
		defer w.run()()
		w.next("key-rotation", 1)
		w.listed404()
		if f := w.sim.faults.view(); f.Fired["key-rotation"] != 0 {
			t.Error("it struck where it would not show")
		}
		w.setMode("certificate")
		old := w.identity().PlatformSerialNo
		w.placeV3("rotate0001")
		w.pay("rotate0001")
		time.Sleep(time.Second)
		n := w.shop.notifications()[0]
		w.delivered(n)
		if n.header.Get("Wechatpay-Serial") == old {
			t.Error("the old certificate signed")
		}
		if keys, h, _ := w.listed(); len(keys) != 2 || h.Get("Wechatpay-Serial") == old {
			t.Errorf("%d certificates are listed", len(keys))
		}
		wantFired(t, w, "key-rotation", 1)
		w.next("key-rotation", 1)
		w.listed()
		if f := w.sim.faults.view(); f.Fired["key-rotation"] != 1 {
			t.Error("it struck before the last rotation was over")
		}
	})
}

func (w *world) listed404() {
	w.t.Helper()
	if rec := w.v3("GET", "/v3/certificates", ""); rec.Code != 404 {
		w.t.Errorf("certificates: %d", rec.Code)
	}
}

// A new APIv3 key seals from then on, retries too, and is kept.
func TestAPIv3KeyChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		w := newWorld(t, Options{Data: dir})
		stop := w.run()
		w.shop.answerWith(refusal)
		w.placeV3("change0001")
		w.pay("change0001")
		time.Sleep(time.Second)
		first := w.identity().APIv3Key
		for _, bad := range []string{"short", strings.Repeat("-", 32)} {
			w.keys(`{"api_v3_key":"`+bad+`"}`, 400)
		}
		own := strings.Repeat("k3Y9", 8)
		if _, got := w.keys(`{"api_v3_key":"`+own+`"}`, 200); got.APIv3Key != own {
			t.Errorf("key %q", got.APIv3Key)
		}
		time.Sleep(20 * time.Second)
		got := w.shop.notifications()
		if _, _, err := w.open(got[0].body); err == nil {
			t.Error("the first delivery opens with the new key")
		}
		w.opened(got[1].body)
		_, next := w.keys(`{"api_v3_key":"next"}`, 200)
		if len(next.APIv3Key) != 32 || next.APIv3Key == own || next.APIv3Key == first {
			t.Errorf("next key %q", next.APIv3Key)
		}
		stop()
		w = w.reopen(Options{Data: dir})
		if w.identity().APIv3Key != next.APIv3Key || w.id.APIKey == "" {
			t.Error("the new key was forgotten at a restart")
		}
	})
}
