package wxpay

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"sort"
	"strings"
	"testing"
)

const vectorKey = "192006250b4c09247ec02edce69f6a2d"

// fieldsOf reads the "a=1&b=2" form in which vectors are written. It is given
// the names, because a value may hold & and = itself.
func fieldsOf(t testing.TB, text string, names ...string) message {
	t.Helper()
	var m message
	for i, name := range names {
		rest, ok := strings.CutPrefix(text, name+"=")
		if !ok {
			t.Fatalf("vector does not go on with %s=: %q", name, text)
		}
		end := len(rest)
		if i+1 < len(names) {
			end = strings.Index(rest, "&"+names[i+1]+"=")
		}
		m = append(m, field{name, rest[:end]})
		text = strings.TrimPrefix(rest[end:], "&")
	}
	return m.sorted()
}

// Vectors V1 to V12 of the protocol notes; V1 and V2 are WeChat's own samples.
var signVectors = []struct {
	name, key, text, md5, hmac string
	fields                     string // names in the order of text
}{
	{
		name: "V1 official sample", key: vectorKey,
		text:   "appid=wxd930ea5d5a258f4f&body=test&device_info=1000&mch_id=10000100&nonce_str=ibuaiVcKdpRxkhJA",
		fields: "appid body device_info mch_id nonce_str",
		md5:    "9A0A8659F005D6984697E2CA0A9CF3B7",
		hmac:   "6A9AE1657590FD6257D693A078E1C3E4BB6BA4DC30B23E0EE2496E54170DACD6",
	}, {
		name: "V2 official paySign, MD5", key: "qazwsxedcrfvtgbyhnujmikolp111111",
		text:   "appId=wx619a931576afe069&nonceStr=RIPb5Upk3ku7knU6&package=prepay_id=wx2611334392677180ea59742b3744840000&signType=MD5&timeStamp=1774495197",
		fields: "appId nonceStr package signType timeStamp",
		md5:    "1F2E9533D7D483FBCDBD0B9BCA76F97D",
		hmac:   "3F49B7365CCEE85AD29AC5E76076BFF6BCF52849010F18DED6DECB4FE1937B65", // wrong signType inside, but this value
	}, {
		name: "V2 official paySign, HMAC", key: "qazwsxedcrfvtgbyhnujmikolp111111",
		text:   "appId=wx619a931576afe069&nonceStr=RIPb5Upk3ku7knU6&package=prepay_id=wx2611334392677180ea59742b3744840000&signType=HMAC-SHA256&timeStamp=1774495197",
		fields: "appId nonceStr package signType timeStamp",
		hmac:   "4A04CF5B979A4920409A9DEF2322C33C96DE8E9A96830E648719C60EF991700E",
	}, {
		name: "V3 JSAPI", key: vectorKey,
		text:   "appId=appId_value&nonceStr=nonceStr_value&package=prepay_id=asdfasdfasdf&signType=MD5&timeStamp=123456789",
		fields: "appId nonceStr package signType timeStamp",
		md5:    "D0A2E335DBAC08C785FBED6DD0506271",
	}, {
		name: "V4 unifiedorder with Chinese, markup and JSON", key: vectorKey,
		text:   `appid=wx8888888888888888&attach=a=1&b=2&body=测试店-图书 & <茶>&detail={"goods_detail":[{"goods_id":"sku-1","goods_name":"龙井 50g","quantity":1,"price":888}]}&mch_id=1900000109&nonce_str=5K8264ILTKCH16CQ2502SI8ZNMTM67VS&notify_url=https://shop.example.com/wxpay/notify&openid=oUpF8uMuAJO_M2pxb1Q9zNjWeS6o&out_trade_no=20250806125346_01&sign_type=HMAC-SHA256&spbill_create_ip=123.12.12.123&time_expire=20250806132346&time_start=20250806125346&total_fee=888&trade_type=JSAPI`,
		fields: "appid attach body detail mch_id nonce_str notify_url openid out_trade_no sign_type spbill_create_ip time_expire time_start total_fee trade_type",
		hmac:   "DB9E64E7683ADC5B2497647999C58C7046D66D3E4621466E38AB9CFFFEC3875B",
	}, {
		name: "V5 the answer to V4", key: vectorKey,
		text:   "appid=wx8888888888888888&mch_id=1900000109&nonce_str=IITRi8Iabbblz1Jc&prepay_id=wx06125346000000a1b2c3d4e5f6a7b80000&result_code=SUCCESS&return_code=SUCCESS&return_msg=OK&trade_type=JSAPI",
		fields: "appid mch_id nonce_str prepay_id result_code return_code return_msg trade_type",
		md5:    "A8CAAC24F96989FE95461971ADD260AB",
		hmac:   "3B38C9F4A99D1794F90CCE6F05CBFBD29053EF2B9A7672FDD894EB67B5D599FD",
	}, {
		name: "V7 notification with two coupons", key: vectorKey,
		text: v7Text, fields: v7Fields,
		md5:  "2A55C316E2A658D3155489C2E6B5BDA9",
		hmac: "4F685866264588D9772E91D894CA11415A0FAFB4860C16A7A634A9BBF79FB546",
	}, {
		name: "V8 APP second signature", key: vectorKey,
		text:   "appid=wxd930ea5d5a258f4f&noncestr=5K8264ILTKCH16CQ2502SI8ZNMTM67VS&package=Sign=WXPay&partnerid=1900000109&prepayid=wx201410272009395522657a690389285100&timestamp=1412000000",
		fields: "appid noncestr package partnerid prepayid timestamp",
		md5:    "AF7380DC006669AD5B56E746C9DC7C49",
		hmac:   "F62D9A1A6AEE827E892DD191283499C916491F995EFBF298B9610AC1BA9315C1",
	}, {
		name: "V9 Native mode 1", key: vectorKey,
		text:   "appid=wx8888888888888888&mch_id=1900000109&nonce_str=5K8264ILTKCH16CQ2502SI8ZNMTM67VS&product_id=88888&time_stamp=1414488825",
		fields: "appid mch_id nonce_str product_id time_stamp",
		md5:    "CEF9EA3ECAF7850979516BB09EB863FC",
	}, {
		name: "V10 ORDERPAID", key: vectorKey,
		text:   "appid=wx8888888888888888&err_code=ORDERPAID&err_code_des=该订单已支付&mch_id=1900000109&nonce_str=IITRi8Iabbblz1Jc&result_code=FAIL&return_code=SUCCESS&return_msg=OK",
		fields: "appid err_code err_code_des mch_id nonce_str result_code return_code return_msg",
		md5:    "DFBE48291CE19760395E10714C0C9EF0",
		hmac:   "73EEDBE25ADB556CA824FA6F9AA0D5A3EF07C298A4E5A457E41D76158CC57B35",
	}, {
		name: "V11 sandbox key request", key: vectorKey,
		text:   "mch_id=1900000109&nonce_str=5K8264ILTKCH16CQ2502SI8ZNMTM67VS",
		fields: "mch_id nonce_str",
		md5:    "831EB27AB0FD6B7A2F9F4080572C2B26",
	}, {
		name: "V12 refund request", key: vectorKey,
		text:   "appid=wx8888888888888888&mch_id=1900000109&nonce_str=5K8264ILTKCH16CQ2502SI8ZNMTM67VS&notify_url=https://shop.example.com/wxpay/refund-notify&out_refund_no=R20250806000001&out_trade_no=20250806125346_01&refund_desc=不想要了&refund_fee=300&total_fee=888",
		fields: "appid mch_id nonce_str notify_url out_refund_no out_trade_no refund_desc refund_fee total_fee",
		md5:    "0215A1928E56132571EE182EEE5837D6",
		hmac:   "76A693A5869F2CA10AA09D26EF34B4E5290093A9A11DCB03C3739682BDB3BDFC",
	},
}

const (
	v7Text   = "appid=wx8888888888888888&attach=a=1&b=2&bank_type=OTHERS&cash_fee=788&cash_fee_type=CNY&coupon_count=2&coupon_fee=100&coupon_fee_0=60&coupon_fee_1=40&coupon_id_0=10000&coupon_id_1=10001&coupon_type_0=CASH&coupon_type_1=NO_CASH&fee_type=CNY&is_subscribe=Y&mch_id=1900000109&nonce_str=N0nceN0nceN0nce1&openid=oUpF8uMuAJO_M2pxb1Q9zNjWeS6o&out_trade_no=20250806125346_01&result_code=SUCCESS&return_code=SUCCESS&settlement_total_fee=848&time_end=20250806125400&total_fee=888&trade_type=JSAPI&transaction_id=4200000001202508061234567890"
	v7Fields = "appid attach bank_type cash_fee cash_fee_type coupon_count coupon_fee coupon_fee_0 coupon_fee_1 coupon_id_0 coupon_id_1 coupon_type_0 coupon_type_1 fee_type is_subscribe mch_id nonce_str openid out_trade_no result_code return_code settlement_total_fee time_end total_fee trade_type transaction_id"
)

func TestSignVectors(t *testing.T) {
	for _, v := range signVectors {
		m := fieldsOf(t, v.text, strings.Fields(v.fields)...)
		if got, want := string(appendStringToSign(nil, m, v.key)), v.text+"&key="+v.key; got != want {
			t.Errorf("%s: string to sign\n got %s\nwant %s", v.name, got, want)
		}
		for algorithm, want := range map[SignType]string{MD5: v.md5, HMACSHA256: v.hmac} {
			if want == "" {
				continue
			}
			if got := signature(m, algorithm, v.key); got != want {
				t.Errorf("%s: %s = %s, want %s", v.name, algorithm, got, want)
			}
			wantVerified(t, v.name, m, algorithm, v.key, want)
		}
	}
}

// wantVerified checks that sign fits m, and that nothing near it does.
func wantVerified(t *testing.T, name string, m message, a SignType, key, sign string) {
	t.Helper()
	with := append(m.sorted(), field{"sign", sign}).sorted()
	if m.get("sign_type") != "" && m.get("sign_type") != string(a) {
		return
	}
	if err := newKeyring(key, "").verify(with, a); err != nil {
		t.Errorf("%s: %s of the vector does not verify: %v", name, a, err)
	}
	if err := newKeyring(strings.Repeat("x", 32), "").verify(with, a); err != ErrSignature {
		t.Errorf("%s: %s verifies with a wrong key: %v", name, a, err)
	}
	for i := range m {
		flipped := with.sorted()
		for j := range flipped {
			if flipped[j].name == m[i].name {
				flipped[j].value += "0"
			}
		}
		if err := newKeyring(key, "").verify(flipped, a); err != ErrSignature {
			t.Errorf("%s: %s verifies with another %s: %v", name, a, m[i].name, err)
		}
	}
}

func TestSignIgnoresEmptyAndSign(t *testing.T) {
	v := signVectors[0]
	m := fieldsOf(t, v.text, strings.Fields(v.fields)...)
	m = append(m, field{"attach", ""}, field{"sign", "whatever"}).sorted()
	if got := signature(m, MD5, v.key); got != v.md5 {
		t.Errorf("signature with an empty attach and a sign = %s, want %s", got, v.md5)
	}
	m = append(m, field{"zero", "0"}).sorted()
	if got := signature(m, MD5, v.key); got == v.md5 {
		t.Error(`a field of value "0" is not signed; "0" is not empty`)
	}
}

func TestBridgeVector(t *testing.T) { // V6
	for algorithm, want := range map[SignType]string{
		HMACSHA256: "EF4C96A54F6A64822CA7FDF3680671C913697AC7E292EAE00FD870DC3EBC8853",
		MD5:        "4629AE307A04330FB1DDBF12D60565A3",
	} {
		got := bridgeSign(BridgeParams{
			AppID: "wx8888888888888888", TimeStamp: "1754456027", NonceStr: "aB3dE5fG7hJ9kL1m",
			Package: "prepay_id=wx06125346000000a1b2c3d4e5f6a7b80000", SignType: string(algorithm),
		}, algorithm, vectorKey)
		if got != want {
			t.Errorf("%s paySign = %s, want %s", algorithm, got, want)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	base := fieldsOf(t, v7Text, strings.Fields(v7Fields)...)
	good := signature(base, HMACSHA256, vectorKey)
	tests := []struct {
		name string
		sign string
		and  field // added after signing
	}{
		{name: "no sign"},
		{name: "lower case", sign: strings.ToLower(good)},
		{name: "one digit short", sign: good[1:]},
		{name: "one digit long", sign: good + "0"},
		{name: "MD5 where HMAC is asked", sign: signature(base, MD5, vectorKey)},
		{name: "HMAC cut to the length of MD5", sign: good[:32]},
		{name: "key with a line break", sign: signature(base, HMACSHA256, vectorKey+"\n")},
		{name: "unsorted", sign: signature(append(base[1:len(base):len(base)], base[0]), HMACSHA256, vectorKey)},
		{name: "values URL-encoded", sign: signature(replaced(base, "attach", "a%3D1%26b%3D2"), HMACSHA256, vectorKey)},
		{name: "values trimmed", sign: signature(replaced(base, "attach", " a=1&b=2"), HMACSHA256, vectorKey)},
		{name: "an unknown field left out", sign: good, and: field{"new_field", "1"}},
		{name: "sign_type says otherwise", sign: signature(replaced(base, "sign_type", "MD5"), HMACSHA256, vectorKey), and: field{"sign_type", "MD5"}},
		{name: "sign_type unknown", sign: signature(replaced(base, "sign_type", "SHA1"), HMACSHA256, vectorKey), and: field{"sign_type", "SHA1"}},
	}
	for _, tt := range tests {
		m := append(base.sorted(), field{"sign", tt.sign})
		if tt.and.name != "" {
			m = append(m, tt.and)
		}
		if err := newKeyring(vectorKey, "").verify(m.sorted(), HMACSHA256); err != ErrSignature {
			t.Errorf("%s: verify = %v, want ErrSignature", tt.name, err)
		}
	}
	m := append(base.sorted(), field{"sign", good}).sorted()
	if err := newKeyring("another0another0another0another0", vectorKey).verify(m, HMACSHA256); err != nil {
		t.Errorf("verify with the next key: %v", err)
	}
	if err := newKeyring(vectorKey, "").verify(m, "SHA1"); err != ErrSignature {
		t.Errorf("verify by an unknown algorithm = %v, want ErrSignature", err)
	}
}

// replaced is m with one field set to another value, or added.
func replaced(m message, name, value string) message {
	m = m.sorted()
	for i := range m {
		if m[i].name == name {
			m[i].value = value
			return m
		}
	}
	return append(m, field{name, value}).sorted()
}

// naive signs as the document says it, step by step.
func naive(fields map[string]string, t SignType, key string) string {
	var pairs []string
	for name, value := range fields {
		if name != "sign" && value != "" {
			pairs = append(pairs, name)
		}
	}
	sort.Strings(pairs)
	for i, name := range pairs {
		pairs[i] = name + "=" + fields[name]
	}
	text := strings.Join(append(pairs, "key="+key), "&")
	if t == MD5 {
		return fmt.Sprintf("%X", md5.Sum([]byte(text)))
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return fmt.Sprintf("%X", mac.Sum(nil))
}

// FuzzSign: whatever is in the fields, we sign like the naive reading of the
// document, what we send reads back as it was, verifies with its algorithm and
// key, and with no other.
func FuzzSign(f *testing.F) {
	f.Add("body", "测试店-图书 & <茶>", "attach", "a=1&b=2]]>\r")
	f.Add("coupon_fee", "", "coupon_fee_0", "0")
	f.Add("a", "1&key=", "B", " ")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2 string) {
		plainName := func(s string) bool {
			return s != "" && s != "sign" && s != "sign_type" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool { return r > 127 || !nameByte[r] })
		}
		if !plainName(n1) || !plainName(n2) || n1 == n2 || !legalText(v1) || !legalText(v2) || len(v1) > maxValue || len(v2) > maxValue {
			t.Skip()
		}
		for _, a := range []SignType{MD5, HMACSHA256} {
			m := signed(message{{n1, v1}, {n2, v2}}, a, vectorKey)
			if want := naive(map[string]string{n1: v1, n2: v2}, a, vectorKey); m.get("sign") != want {
				t.Fatalf("%v: signed %s, want %s", m, m.get("sign"), want)
			}
			got, err := decode(string(encode(m)), maxAnswer, nil)
			if err != nil || got.get(n1) != v1 || got.get(n2) != v2 {
				t.Fatalf("%q came back as %q, %v", m, got, err)
			}
			k := newKeyring(vectorKey, "")
			if k.verify(got, a) != nil || newKeyring(a4Key, "").verify(got, a) == nil || k.verify(replaced(got, n1, v1+"1"), a) == nil {
				t.Fatalf("%v verifies wrongly", got)
			}
		}
	})
}
