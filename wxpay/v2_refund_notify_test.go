package wxpay

import (
	"crypto/aes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	a1Sealed = "WBzGpzQuNpcFxIlFjUUD9BZv+lpBMzd2SHiKCkwfALWid5G8ZvfOussfMIHLbKJmcnxPKdb1ZJEqTAp8ysQv+xa1fj+Eorgndx3fNxf3KAYa3LPgsjvZgxaeYyrhV05Kbjkj6ywg27cEyTTaPZFYNg=="
	a1Plain  = "<root><out_refund_no><![CDATA[R1]]></out_refund_no><refund_status><![CDATA[SUCCESS]]></refund_status></root>"
	a4Key    = "ziR0QKsTUfMOuochC9RfCdmfHECorQAP"
	a4Sealed = "YYwp8C48th0wnQzTqeI+41pflB26v+smFj9z6h9RPBgxTyZyxc+4YNEz7QEgZNWj/6rIb2MfyWMZmCc41CfjKSssoSZPXxOhUayb6KvNSZ1p6frOX1PDWzhyruXK7ouNND+gDsG4yZ0XXzsL4/pYNwLLba/71QrnkJ/BHcByk4EXnglju5DLup9pJQSnTxjomI9Rxu57m9jg5lLQFxMWXyeASZJNvof0ulnHlWJswS4OxKOkmW7VEyKyLGV6npoOm03Qsx2wkRxLsSa9gPpg4hdaReeUqh1FMbm7aWjyrVYT/MEZWg98p4GomEIYvz34XfDncTezX4bf/ZiSLXt79aE1/YTZrYfymXeCrGjlbe0rg/T2ezJHAC870u2vsVbY1/KcE2A443N+DEnAziXlBQ1AeWq3Rqk/O6/TMM0lomzgctAOiAMg+bh5+Gu1ubA9O3E+vehULydD5qx2o6i3+qA9ORbH415NyRrQdeFq5vmCiRikp5xYptWiGZA0tkoaLKMPQ4ndE5gWHqiBbGPfULZWokI+QjjhhBmwgbd6J0VqpRorwOuzC/BHdkP72DCdNcm7IDUpggnzBIy0+seWIkcHEryKjge3YDHpJeQCqrAH0CgxXHDt1xtbQbST1VqFyuhPhUjDXMXrknrGPN/oE1t0rLRq+78cI+k8xe5E6seeUXQsEe8r3358mpcDYSmXWSXVZxK6er9EF98APqHwcndyEJD2YyCh/mMVhERuX+7kjlRXSiNUWa/Cv/XAKFQuvUYA5ea2eYWtPRHa4DpyuF1SNsaqVKfgqKXZrJHfAgslVpSVqUpX4zkKszHF4kwMZO3M7J1P94Mxa7Tm9mTOJePOoHPXeEB+m9rX6pSfoi3mJDQ5inJ+Vc4gOkg/Wd/lqiy6TTyP/dHDN6/v+AuJx5AXBo/2NDD3fWhHjkqEKIuARr2ClZt9ZRQO4HkXdZo7CN06sGCHk48Tg8PmxnxKcMZm7Aoquv5yMIM2gWSWIRJhwJ8cUpafIHc+GesDlbF6Zbt+/KXkafJAQq2RklEN+WvZ/zFz113EPgWPjp16TwBoziq96MMekvWKY/vdhjol8VFtGH9F61Oy1Xwf6DJtPw=="
)

// Vectors A1 to A3, and the MD5 that begins with A4's key.
func TestOpenECB(t *testing.T) {
	for _, tt := range []struct{ name, key, plain, sealed string }{
		{"A1", "d96eb16afdd491fa1e705096edbc2205", a1Plain, a1Sealed},
		{"A2, a full block of padding", "d96eb16afdd491fa1e705096edbc2205", "<root>123</root>", "ZN8P2fA9Z/tiSL2bHXvSx/wXAd2fVvyZUPuCqJRycuk="},
		{"A3", "0123456789abcdef0123456789abcdef", "hello", "pZwJZBLuy3mDACEQT4YTBw=="},
	} {
		sealed, err := base64.StdEncoding.DecodeString(tt.sealed)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := openECB(sealed, []byte(tt.key)); err != nil || string(plain) != tt.plain {
			t.Errorf("%s: %q, %v", tt.name, plain, err)
		}
	}
	for key, want := range map[string]string{
		vectorKey: "d96eb16afdd491fa1e705096edbc2205", a4Key: "a1fdc4d1da9fb443b1091d34bcee9493",
		"exposed_your_key_here_have_risks": "4ad14ac334ab13540eb6c5479512a8e8",
	} {
		if got := string(refundKey(key)); got != want {
			t.Errorf("key %s, want %s", got, want)
		}
	}
}

func TestUnpad(t *testing.T) {
	for _, tt := range []struct {
		in   string
		size int
		want string
		ok   bool
	}{
		{"abc\x01", 16, "abc", true}, {"ab\x02\x02", 16, "ab", true}, {"\x01", 16, "", true},
		{"ab\x03\x02", 16, "", false}, {"abc\x00", 16, "", false}, {"\x02", 16, "", false}, {"", 16, "", false}, {"abc", 16, "", false},
		{strings.Repeat("\x11", 17), 16, "", false}, {strings.Repeat("\x11", 17), 32, "", true}, {"a\x02\x01\x02", 16, "", false},
	} {
		if got, err := unpad([]byte(tt.in), tt.size); string(got) != tt.want || (err == nil) != tt.ok {
			t.Errorf("unpad(%q, %d) = %q, %v", tt.in, tt.size, got, err)
		}
	}
}

func TestRefundNumbers(t *testing.T) {
	for no, ok := range map[string]bool{"R": true, "r_-|*@9": true, strings.Repeat("1", 64): true, strings.Repeat("1", 65): false, "": false, "R 1": false, "退": false, "R/1": false} {
		if goodRefundNo(no) != ok {
			t.Errorf("out_refund_no %q: %t", no, !ok)
		}
	}
	for state, final := range map[RefundState]bool{RefundProcessing: false, RefundSuccess: true, RefundClosed: true, RefundAbnormal: false, "?": false} {
		if state.Final() != final {
			t.Errorf("%s.Final() = %t", state, !final)
		}
	}
}

// refundNotice is a refund notification as WeChat sends them: without a sign.
func refundNotice(sealed string, change ...field) []byte {
	m := message{{"appid", testApp}, {"mch_id", testMch}, {"nonce_str", "n"}, {"req_info", sealed}, {"return_code", "SUCCESS"}}
	for _, f := range change {
		m = replaced(m, f.name, f.value)
	}
	return notifyBody(m)
}

// A4: a message that the real gateway sent.
func TestRefundNotify(t *testing.T) {
	cfg := testConfig()
	cfg.APIKey = a4Key
	want := Refund{
		Version: V2, State: RefundSuccess, AppID: testApp, MchID: testMch, OutRefundNo: "50fd012ed1b311e7af7800163e32c503",
		RefundID: "50000404922017112502468056157", OutTradeNo: "4893e76d8c8b434cb64e9cd536338e33", TransactionID: "4200000015201711256947025404",
		Total: 6, Amount: 6, SucceededAt: time.Date(2017, 11, 25, 7, 36, 17, 0, time.UTC), Account: "支付用户零钱",
	}
	check := func(name string, c *V2Client, body []byte) {
		t.Helper()
		r, err := c.ParseRefundNotify(http.Header{}, body)
		if r.Raw["refund_account"] != "REFUND_SOURCE_RECHARGE_FUNDS" {
			t.Errorf("%s: Raw = %v", name, r.Raw)
		}
		r.Raw = nil
		if err != nil || fmt.Sprint(r) != fmt.Sprint(want) {
			t.Errorf("%s\n got %+v, %v\nwant %+v", name, r, err, want)
		}
	}
	check("A4", newTestClient(t, cfg), refundNotice(a4Sealed))
	cfg.APIKey, cfg.NextAPIKey = vectorKey, a4Key
	check("A4 with the next key", newTestClient(t, cfg), refundNotice(a4Sealed))
	cfg.SubMchID = "1900000002"
	check("A4 of a sub merchant", newTestClient(t, cfg), func() []byte {
		want.SubMchID, want.AppID = "1900000002", miniApp
		return refundNotice(a4Sealed, field{"sub_mch_id", "1900000002"}, field{"sub_appid", miniApp})
	}())
}

// X8: random, cut, swapped, and what is meant for somebody else.
func TestRefundNotifyRefused(t *testing.T) {
	cfg := testConfig()
	cfg.APIKey = a4Key
	c := newTestClient(t, cfg)
	raw, err := base64.StdEncoding.DecodeString(a4Sealed)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.StdEncoding.EncodeToString
	swapped := slices.Clone(raw)
	copy(swapped, raw[16:32])
	copy(swapped[16:], raw[:16])
	for name, body := range map[string][]byte{
		"empty":                  nil,
		"not XML":                []byte(`{"id":"EV-1"}`),
		"FAIL":                   refundNotice(a4Sealed, field{"return_code", "FAIL"}),
		"no return_code":         refundNotice(a4Sealed, field{"return_code", ""}),
		"another merchant":       refundNotice(a4Sealed, field{"mch_id", "1900000110"}),
		"a sub merchant":         refundNotice(a4Sealed, field{"sub_mch_id", "1900000110"}),
		"no req_info":            refundNotice(""),
		"not base64":             refundNotice("*" + a4Sealed[1:]),
		"not whole blocks":       refundNotice(text(raw[:len(raw)-1])),
		"cut":                    refundNotice(text(raw[:len(raw)-16])),
		"first blocks swapped":   refundNotice(text(swapped)),
		"a block of noise":       refundNotice(text(append([]byte("0123456789abcdef"), raw...))),
		"another key's":          refundNotice(a1Sealed),
		"too long":               refundNotice(strings.Repeat("A", maxNotify)),
		"a payment notification": signedNotice(notice(t), HMACSHA256),
	} {
		if r, err := c.ParseRefundNotify(nil, body); !errors.Is(err, ErrBadNotify) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	short := newTestClient(t, testConfig())
	if r, err := short.ParseRefundNotify(nil, refundNotice(a1Sealed)); !errors.Is(err, ErrBadNotify) {
		t.Errorf("A1 lacks most fields: %+v, %v", r, err)
	}
}

func FuzzRefundNotify(f *testing.F) {
	f.Add([]byte(a4Sealed), true)
	f.Add([]byte(a1Plain), false)
	f.Fuzz(func(t *testing.T, info []byte, sealed bool) {
		cfg := testConfig()
		cfg.APIKey = a4Key
		c := newTestClient(t, cfg)
		text := string(info)
		if !sealed { // as one who knows the key would send it
			text = base64.StdEncoding.EncodeToString(sealECB(t, info, refundKey(a4Key)))
		}
		r, err := c.ParseRefundNotify(nil, refundNotice(text))
		if err == nil && (r.OutRefundNo == "" || r.State == "" || r.OutTradeNo == "") {
			t.Errorf("took %+v", r)
		}
	})
}

// sealECB is the other side of openECB.
func sealECB(t testing.TB, plain, key []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	b := pad(slices.Clone(plain), aes.BlockSize)
	for i := 0; i < len(b); i += aes.BlockSize {
		block.Encrypt(b[i:], b[i:])
	}
	return b
}
