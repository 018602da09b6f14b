package sim

import (
	"strings"
	"testing"
)

// The throw-away key that WeChat Pay prints in its signing pages, and the
// signatures of them (WeChat Pay v3, "签名生成", "签名验证"); V3, V4 and V8 are
// made with it by OpenSSL.
const (
	printedKey = "-----BEGIN PRIVATE KEY-----\n" + `MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCm2mb6q8gMKH/3
CNTbpJAIrbqiBiQGEOtjGcBrDYltsGynWgNscqT7WvfzU14FQbYcQUC5T4Wvva7m
i3fIp3OgX8VqMDNA0qebnr38Pe6kqiLyZgFpJPXlSKDyPyqhRbVTbXssvSMQeVKc
dXeVxoNNeoOlNFHgF/P0io6AmAVnz+hN8SiZKuOsth5/zUTLGvtkgxBcQooQrtXh
RcpLT798OyIb9xeJ2HO3xRtMv2+perEzb4gMibI74UBz+2QEbnkubPE+2jU2rRZu
dnNEz/BPOt3Qj/w2V6/G0VumGDh6+UeMU0jv4aupHztWITC4Akn0l7lBCNy3lgl8
VFaJnkIxAgMBAAECggEAYGL8aESB7NwciDWW2UdoWUsa7GxFtSdjAz2mFXGdeTsY
mVh7b9OOkRGM+Qio4LqEHDBp1mMk5E/cUJwy1zw8pGGO5nfvs7u9TT3XnHaefIs4
YvUgTYAneIuLRkXNN5rQU+CD7mVYczTSz0Vgjqo9wa1LjUz7G0xbBmJgTdMEFGJs
eJjy6AbJo0CGIwp6HJbTm4CmOUgXnnDAIbEGTIRImkZFH/rzneIeR7oZ77FVwxr1
CZB2gfRCov/yRPbw8vnryYkmvQ7D/ze3j5097vRg/MoDGBSdoOwcmo75vyofr0AS
zytMjmHYyifqkf5slPropSiJeGf4p/7gtKyF6dE/XQKBgQDVAlJ+4U5ZVGOuDc3+
sAhz8CTzgFNlq9vKuSoFK6hOz2L+cwj+E7NXGkOe2DsHHZNy2Xqxk7caKhPEp1z9
hhpMpyLVMoFt6CKemyoRBWDCQwLLwem9SZF/IAyovBkLiH36P42Jm26gUkNMKC/5
Zhtqxf6RZgRQzbVudJi47vIRCwKBgQDIh0+v27Oo+DM3fhObH4I1NrXpWOEGH7OQ
G1dEsMuFYF4hjGhg0kBEP3w9vVdl2+mRllZKTsx9oqjb8OibPLLIH8xsdbAB0WLf
JvjLu4wl/ILUzN1RI03dWnnv2EnEeQn6c3hizvrJ9wR5U4ue9RPVnQooJ0hZF1PU
uCL5fWK3MwKBgElReU/PAYbh80WP3t3Rfbdaa32dKBeQ5iCLR5lsA4zM+YgX1HqQ
EWTj126vgvHaDkyz6vWAoL/Sx+cirHFfXWIRDX5Q2hgYlQH+6qXdMgbrxeSYpHnQ
/tHBGFpkFELSAnrGsVMyOwvYBO4LzyeLK9i+ufcWJFoj1FVmsMLHDG8tAoGARdbi
iQQCoYG4DMarO2aQ6cmhN6EN1h0qY7EyBqlwaIZ0okiNfdMcMOjPc41DKCWcRmlO
qlihXcxN9TQFPzO3rH1urAOdBjUPs1qWYhZyrDQyuLyVBBJApyxAtajloDjrob+f
mQIvVDHk7ACN6xG+E7K6+9salnTKbJapD618uQMCgYBNy6XUvzLkP/A1U/UZdtcx
l8GwU/dturLxz4CyGbqDw4ubaYY2e13lnqHUqQgPtiSyH51nq3tdo8G0YAJdfkSv
KvnfslW91fyEBUKnkdW1o3/1UFU/wprZ7ixVL/F42A4xDu7OFE8EnweJOZ0jWceE
OdhCkaIGBCfRnlECRK8UyQ==
` + "-----END PRIVATE KEY-----\n"
	printedPub = "-----BEGIN PUBLIC KEY-----\n" + `MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwXNI6sdlknHBnK8Fu2U6
Cwor9qY747jP8KAfeBMeveEt1TqaHkLfaSD07trZLhGpfs8/AHqjhgSMO1O10YQW
OrrJ4hjIWPKqxbgrYMkBQc+mwdiWp4W3ByCqxBRagCveCXRWCmuJYovl9H/bsDI0
iGbpVtEOghJtfciisYSgxcLufUDTRkvwxjIBK1pCRjk33jJ5YTBWTHMRtMAOcFLN
F6hdEYdX8SPsgHHeLZ5Lv2T/686w1xtgCHef/sd4uSfWmyzsalQdHG/e4IyYmrhx
+O3VBoNDzE3nx23bFeV/RVNCG7cV6VhmYokJNHa/erIPkEmEFID6A5wQOXuxUkmJ
WwIDAQAB
` + "-----END PUBLIC KEY-----\n"

	printedAt    = "1554208460"
	printedNonce = "593BEC0C930BF1AFEB40B4A08C8FB242"
	printedBody  = `{"appid":"wxd678efh567hg6787","mchid":"1900007291","description":"Image形象店-深圳腾大-QQ公仔","out_trade_no":"1217752501201407033233368018","notify_url":"https://www.weixin.qq.com/wxpay/pay.php","amount":{"total":100,"currency":"CNY"},"payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}}`
)

func TestPrintedSignatures(t *testing.T) {
	key := privateKey(t, printedKey)
	request := func(method, target, body string) string {
		return requestText(method, target, printedAt, printedNonce, []byte(body))
	}
	sheet := func(pkg string) string {
		return paySignText(bridgeParams{appID: "wx2421b1c4370ec43b", timeStamp: printedAt, nonceStr: printedNonce, pkg: pkg})
	}
	for name, tt := range map[string]struct{ text, want string }{
		"V1": {request("POST", "/v3/pay/transactions/jsapi", printedBody), "jnks4dlrPw3ZX+ozVvSK39oa0t7OMBsg83BHAwd8BRdUFiVaQNTLTvci+wURgP1OQBbKYhFGvt7iqYpDSTQkp7Uq1sltaQKyncCyrA1g88m5bsKERQfPyT0ahSwKTYJ1CAn9QiJuSJRq1QsQs07eehbU/k9BCS51jTyc1Jpsi2H77HF9f/BnjXAOP3/sPObg6V5Ee4EzwLox684hhuMuIwHo7D8KFk3LIHOKDcNI4It1aCXydFWNpNK+SG86VUDe5kwoDpw4Ulqfu9z8OFDGbDs9TCxEv8iqQzbpxOlEVoOe2kalSYM5kApQb3nZcxdUtoE0liJGW3RGUNE0t4v01A=="},
		"V2": {request("GET", "/v3/refund/domestic/refunds/1217752501201407033233368018", ""), "UBeGZnKene8AU1koQowdSqeWz+YUlAQMhXR2MCfbLwRkkCYSitmKYBvlhSdLZ8p4pS1jEI6488p8byuH/k+A/c/gZ4jEoVlQpqIdtsqBB0dUX7oOJbVHU/t1kbjtPT/xTlxPE0dtMp3ZFNYBDvW6F1Hmj7ohGqiuITSNdXNem9b1g8DhUl3HGqVoEjGvSvaeqsPDsulKJ5100IhiaCWsMDUV9asnX8zgsmQ03DM8PVkqVJKvs+ytcdD/jbznMeGk9KCikUEO2kRkpaYlaylIrfpD85dz6tMgP/OcTMrYLNTv5+0A9k0RadOSbhVNrTo3zqMaFtpW0uHfX5Lg0pEXmQ=="},
		"V3": {request("GET", "/v3/pay/transactions/out-trade-no/1217752501201407033233368018?mchid=1900007291", ""), "cVvdVujlEmASmAYpcmKXmIrlQualKxd87f8XZtnTeLCw3V7kZ1ST6YwX0kSLsqJeecZqmKJfd6ieRl/hRLZUodxXU1NzoTz1OXNh6TzBfcxU8xRNFbmPiEHwMJM7Jo52TYGk71MaCbvkPlUpUL6WhpmAgfC7jg/3IcA/UILbby4Nro0Nbq0An/DYEEp8vZMaags/5ed52JpGqxEOcTLIuqihy+Amy5z+t8m3a93YTRNDRi0W5b332UQBtrWRSwJOMU96Nof7hJC2MM71Y1bHB8YP8kBKaoDW7vEoNsEMVzkyp0pyjUHFWc6yaRVHE054z79S2koj3jSRbCiY+CaJzg=="},
		"V4": {request("POST", "/v3/pay/transactions/out-trade-no/1217752501201407033233368018/close", `{"mchid":"1900007291"}`), "P07HGWiMaJOltVF73HduLS9BRHZgDNu9vz6W34MvVxtX6wF7x4DukPqSYsKm1rcJ0ZGbdNZnYy4uFR/ghWB2Jr+m4wHI61IkZMKLZSO6mTycv9hrr/GSGhNgCqme+yGjonosG6p5RN9dgn2O/1SL7k3uP6639dWs2mGwBDSd/TfGI1250II3UFxdH1wUTUyJx0nIaJKnsS8JcFkv/yL1HJlM7bg+xoMLQU500RB4DPn6hG3luz4XDobPc49gT6jBxNCviFaPEanGXhW3NKe3dKBvDAsAcSTbEwI1kF2BOx8B0QTtS7FKRZ246KHDjsy5t4GWXztLdAZWIVVVVZDZEQ=="},
		"V5": {sheet("prepay_id=wx201410272009395522657a690389285100"), "mI35pfNEQV6777ke/1T+LJLQDNTm7yeoUJH+j/adPGhmCCi0PbgkvYQTRcXH0uibcLVtvFLdGLpmoYO9FV6lBBsTAjuhh5YOvQi0e2g3e0yytitiNET9FEuqM0pjnKfRW4K6LIZDdbWJv9KhZUx3DrJa5TL7OJ7VdADVivxVySIlPVKjGwuCXzuXSJes0UcILgWQUMyha5/3nYofuHtS7r+KYyMuxD+oJ9VM1Qdxk4UIG59CP5Y3wtYIFybyF3bdu1caHTRRX+DLyMXyYA/IrTmiW01c4RPjpHBX5Dk1sZyY1zVsWNsvMHr2e1NTWtBxKJ+qk5N61J7caYoepHFaxw=="},
		"V6": {sheet("wx201410272009395522657a690389285100"), "gXx9KhTP6IooKV1SuG3OCGlBIgZbKtubCZvnau6khw1iffvNT28IzLbKmztq2xA/RCNbZa1XOsoiuVmAEeTZQicWfhv4P+O4oBRIrx0X9f3cnWFkMBU9alTWs0nyQ1N9fcILOTe0f4kxOhVh+/Xhn5hOiUK7Sz3XA1mcpa3R2NCWf/e+0ow/RDf15iTymOHgDrEkT/gedg/3E0iXfDX3mFicSZhrHESZDOTXcl9RzELREBUFznd/o2NQM99WcL86m23HY0cTy+QGWU4QDmNrbQ9ihmLW71qPb0Cx/d7EQvw/Kyx0A6s64ZQp3hHdcmiRcLnjVXrKCk7LShaCK+lS3Q=="},
		"V8": {answerText("1722850421", "d824f2e086d3c1df967785d13fcd22ef", nil), "O2T6nIhV7mK/MESxdqrFFx4L/L/vopEc5cm1qe7snMJMMEL8sAtL7GfzS+oMLk5cdLCJAteRFLfviiT/JGuSJGa6g7JCKzFviLwq+8htR5vFn8ft0a8mDYIm/GvIZ+u5G9RJwsiCTQSE+O+8pgbxpP9vSS/25TOE3fEnnNP98TsSy/mcVvXmbglq8rITJ9SrJtAfKLh21fohbCwKw7LpLjRoQ+iIRHpsue5NUsdZaOKEp1XsMKONr+Ww7iTgmbhNT84HvYyiZNSbhFiM1YrhusDzY7AQO9svoY7Szk6a5qpH/z6Web7Hsp1/m0CR5P7nBTuDZXOaZMHRz8iiVNhOuw=="},
	} {
		got, err := rsaSign(key, tt.text)
		if err != nil || got != tt.want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
		if !rsaHolds(&key.PublicKey, tt.text, tt.want) || rsaHolds(&key.PublicKey, tt.text+"x", tt.want) {
			t.Errorf("%s does not verify", name)
		}
		raw, _ := decodeSign(tt.want)
		if o, ok := openSign(&key.PublicKey, raw); !ok || !o.over(tt.text) {
			t.Errorf("%s is not opened", name)
		}
	}
	answer := answerText("1722850421", "d824f2e086d3c1df967785d13fcd22ef", []byte(`{"code_url":"weixin://wxpay/bizpayurl?pr=JyC91EIz1"}`))
	if !rsaHolds(publicKey(t, printedPub), answer, "mfI1CPqvBrgcXfgXMFjdNIhBf27ACE2YyeWsWV9ZI7T7RU0vHvbQpu9Z32ogzc+k8ZC5n3kz7h70eWKjgqNdKQF0eRp8mVKlmfzMLBVHbssB9jEZEDXThOX1XFqX7s7ymia1hoHQxQagPGzkdWxtlZPZ4ZPvr1RiqkgAu6Is8MZgXXrRoBKqjmSdrP1N7uxzJ/cjfSiis9FiLjuADoqmQ1P7p2N876YPAol7Rn0+GswwAwxldbdLrmVSjfytfSBJFqTMHn4itojgxSWWN1byuckQt8hSTEv/Lg97QoeGniYP17T80pJeQyL3b+295FPHSO2AtvCgyIbKMZ0BALilAA==") {
		t.Error("V7 does not verify")
	}
}

// AES-GCM with the APIv3 key; A1 is Tencent's own and has a short key.
func TestPrintedSeals(t *testing.T) {
	const key, nonce = "0123456789abcdef0123456789ABCDEF", "0123456789ab"
	for name, tt := range map[string]struct{ key, nonce, associated, plain, want string }{
		"A1": {"testAPIv3Key0000", "wCq51qZv4Yfg", "Dl56FrqWQJF1t9LtC3vEUsniZKvbqdR8", "Hello World", "FsdXzxryWfKwvLJKf8LG/ToRPTRh8RN9wROC"},
		"A2": {key, nonce, "certificate", "Hello World", "fcJf/OLS/2n6kVgr/9rWT+gzLoS75tz9wfMV"},
		"A3": {key, nonce, "", "{}", "Ttp251dicHOw6pm1FTGeZHEB"},
		"A4": {key, "fdasflkja484", "transaction", printedPaid, printedSealed},
	} {
		got, err := sealGCM(tt.key, tt.nonce, tt.associated, []byte(tt.plain))
		if err != nil || got != tt.want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
		if plain, err := unseal(tt.key, tt.nonce, tt.associated, tt.want); err != nil || plain != tt.plain {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
	}
	if _, err := sealGCM(strings.Repeat("k", 31), nonce, "", nil); err == nil {
		t.Error("a key of 31 bytes seals")
	}
}

const (
	printedPaid   = `{"mchid":"1900000109","appid":"wxd678efh567hg6787","out_trade_no":"1217752501201407033233368018","transaction_id":"1217752501201407033233368018","trade_type":"JSAPI","trade_state":"SUCCESS","trade_state_desc":"支付成功","bank_type":"OTHERS","attach":"","success_time":"2018-06-08T10:34:56+08:00","payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},"amount":{"total":100,"payer_total":100,"currency":"CNY","payer_currency":"CNY"}}`
	printedSealed = "bz1kVndYkCFlgKSe7VZeuBxDb6Dr2XsCUhw9dEHzO9M653wGxG2i4fVCms/wOqKZjUsbFiP7HsHKfJhCIMNmvF5niGdfHgmwqgTmiJ3lBeUTfoGOlG3K3icBM/pUkZEzP04Ffb6NY+WYtew6hEuotjED9cUrQ5QsY9fBLks0/IXaMAU/EeYTw9OeCPDDadj0RKrG1uRrYfJwk+GzK3K2S1ZbKu/RVU64nXR7RjESkYPo3kYFNrUiVeUOywoOYRzc96/ofjD4Z84XhbkTfiiXZGQMgQRAgio8P1T3PElgbaARMATfTq9VzDEDhWiLhlu2GGq4kWlisi92HWU2xiAnlOUjPOfXB9oumI07RKcIdp2jk8yjY5hRwtLd1H5XdsHgYh54pj/SEnOAXutT2Fc1MsB0ubDQTV1zQLGaeo8BIIiHmQ0z7gMbNKSN1DunsNeNYPiUCGjGqMDY5r7EHiVZ6TS4gmRO+617ea19VWZSmTZLlYEN2WVGsp9qh5JvWVft8E0H+iBI0UgEvR7EH+ces+RSSv2lSiqG+WtSP98dU+lW7ljZG1mPixqt+uE/6vJY3zCYcIRURI3J4v3s+ljD"
)
