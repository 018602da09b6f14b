package sim

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

// What parses is exactly the five pairs, and can be written down again.
func FuzzAuthorization(f *testing.F) {
	const good = `WECHATPAY2-SHA256-RSA2048 mchid="1900000001",nonce_str="n",timestamp="1554208460",serial_no="7A",signature="s+/="`
	f.Add(good)
	f.Add(strings.ReplaceAll(good, ",", ", "))
	f.Add(strings.Replace(good, `"n"`, `""`, 1))
	f.Add(good + `,mchid="2"`)
	f.Add("Bearer x")
	f.Add(schemeV3)
	f.Add(`WECHATPAY2-SHA256-RSA2048 mchid="1",nonce_str="2",timestamp="3",serial_no="4",signature="5"`)
	f.Add(`WECHATPAY2-SHA256-RSA2048 signature="a==",mchid="1",timestamp="3",serial_no="4",nonce_str="\"`)
	f.Add(`WECHATPAY2-SHA256-RSA2048 mchid="1",mchid="2"`)
	f.Add(`WECHATPAY2-SHA256-RSA2048  mchid="1", nonce_str="2",timestamp="3",serial_no="4",signature="5",`)
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseAuthorization(text)
		if err != nil {
			if a != (authV3{}) {
				t.Errorf("%q: an error and %+v", text, a)
			}
			return
		}
		rest := strings.TrimPrefix(text, schemeV3+" ")
		for name, value := range map[string]string{"mchid": a.mchID, "nonce_str": a.nonce, "timestamp": a.timestamp, "serial_no": a.serial, "signature": a.signature} {
			pair := name + `="` + value + `"`
			if value == "" || !strings.Contains(","+rest+",", ","+pair+",") {
				t.Errorf("%q: %s is %q", text, name, value)
			}
			rest = strings.Trim(strings.Replace(","+rest+",", ","+pair+",", ",", 1), ",")
		}
		if rest != "" {
			t.Errorf("%q: %q is left", text, rest)
		}
	})
}

// The doctor neither panics nor shows a secret, whatever is pasted, and calls
// nothing right that nobody signed; the gateway refuses the same.
func FuzzExamineV3(f *testing.F) {
	key := privateKey(f, printedKey) // making keys would eat the time of a fuzzer
	s, err := New(Options{Keys: &Keys{made: []*rsa.PrivateKey{key, key, key}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	id, err := s.IdentityWithKeys()
	if err != nil {
		f.Fatal(err)
	}
	auth := func(sign string) string {
		return fmt.Sprintf(`%s mchid="%s",nonce_str="n",timestamp="1554208460",serial_no="%s",signature="%s"`, schemeV3, id.MchID, id.MerchantSerialNo, sign)
	}
	random := strings.Repeat("QUFB", 85) + "QQ=="
	f.Add("request", "POST", "/v3/pay/transactions/jsapi", auth(random), "", "", "", `{"a":[1,{"b":"c"}],"a":null}`)
	f.Add("request", "GET", "https://api.mch.weixin.qq.com/v3/certificates?x=%zz", auth("00"), "", "", "", "")
	f.Add("answer", "", "", "", "1554208460", id.PlatformPublicKeyID, random, `{"id":"EV"}`)
	f.Add("notification", "", "", "", "x", id.PlatformSerialNo, probePrefix+random, `{"resource":{"nonce":"1"}}`)
	f.Add("request", "POST", "/v3/", "", "", "", "", `{"appId":"wx","timeStamp":"1700000000","nonceStr":"n","package":"prepay_id=1","signType":"RSA","paySign":"x"}`)
	f.Fuzz(func(t *testing.T, direction, method, target, authorization, at, serial, sign, body string) {
		headers := map[string]string{"Authorization": authorization, "Wechatpay-Timestamp": at, "Wechatpay-Nonce": "n", "wechatpay-serial": serial, "Wechatpay-Signature": sign}
		found, err := s.examine(diagnoseJSON{API: "v3", Direction: direction, Method: method, URL: target, Headers: headers, Body: body})
		if err == nil {
			text, err := json.Marshal(found)
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{id.APIKey, id.APIv3Key, id.AppSecret, "PRIVATE KEY"} {
				if strings.Contains(string(text), secret) && !strings.Contains(body+authorization+sign+target, secret) {
					t.Errorf("a secret is in %s", text)
				}
			}
			if found.Valid || found.Cause == "" {
				t.Errorf("nobody here has the key, and it is called right: %s", text)
			}
		}
		r := httptest.NewRequest("POST", "/v3/pay/transactions/jsapi", nil)
		r.RequestURI, r.Header["Authorization"] = target, []string{authorization}
		if e := s.verifyV3(r, []byte(body)); e == nil || e.finding == nil || e.finding.Cause == "" {
			t.Errorf("%q: refused as %v", authorization, e)
		}
	})
}

// A signature that is opened is the one that was made, and nothing panics.
func FuzzOpenSign(f *testing.F) {
	key := privateKey(f, printedKey)
	f.Add([]byte{1}, "text")
	f.Add(make([]byte, 256), "")
	f.Fuzz(func(t *testing.T, raw []byte, text string) {
		if _, ok := openSign(&key.PublicKey, raw); ok {
			t.Errorf("%x is called a signature", raw)
		}
		sign, err := rsaSign(key, text)
		if err != nil {
			t.Fatal(err)
		}
		good, _ := decodeSign(sign)
		o, ok := openSign(&key.PublicKey, good)
		if !ok || o.bare || !o.over(text) || o.over(text+"x") {
			t.Errorf("%q: %v %+v", text, ok, o)
		}
		if _, ok := openSign(&rsa.PublicKey{N: key.N, E: 3}, good); ok {
			t.Error("opened with another key")
		}
	})
}
