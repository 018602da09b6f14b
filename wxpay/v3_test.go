package wxpay

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The other side of API v3, written anew from the document: what is wrong in
// the client does not hide itself here.

const (
	v3Key     = "0123456789abcdef0123456789ABCDEF" // of the vectors
	v3NextKey = "fedcba9876543210FEDCBA9876543210"
	v3Serial  = "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB"
	v3KeyID   = "PUB_KEY_ID_0114232134912410000000000000"
)

// v3Now is the time of all tests without a bubble.
var v3Now = time.Unix(1722850421, 0)

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/v3/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// merchantKey is the key that WeChat Pay publishes for testing.
func merchantKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := LoadPrivateKey(bytes.ReplaceAll(testdata(t, "merchant_testing_key.pem"), []byte("TESTING KEY"), []byte("PRIVATE KEY")))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rsaKeys are WeChat's: made once.
var rsaKeys = sync.OnceValue(func() (keys [3]*rsa.PrivateKey) {
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

// wechatKey signs as WeChat does.
type wechatKey struct {
	serial string
	key    *rsa.PrivateKey
}

func publicKeyOfWeChat() wechatKey { return wechatKey{v3KeyID, rsaKeys()[0]} }

// headers are those of an answer or a notification.
func (k wechatKey) headers(body string, at time.Time) http.Header {
	ts, nonce := strconv.FormatInt(at.Unix(), 10), "d824f2e086d3c1df967785d13fcd22ef"
	sum := sha256.Sum256([]byte(ts + "\n" + nonce + "\n" + body + "\n"))
	sign, err := rsa.SignPKCS1v15(nil, k.key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return http.Header{
		"Wechatpay-Timestamp": {ts}, "Wechatpay-Nonce": {nonce}, "Wechatpay-Serial": {k.serial},
		"Wechatpay-Signature": {base64.StdEncoding.EncodeToString(sign)}, "Wechatpay-Signature-Type": {"WECHATPAY2-SHA256-RSA2048"},
		"Request-Id": {"08F5B8C2B506-0"},
	}
}

// sealedText is a resource, encrypted.
func sealedText(key, nonce, data, plain string) string {
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCMWithNonceSize(block, len(nonce))
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(gcm.Seal(nil, []byte(nonce), []byte(plain), []byte(data)))
}

// paidJSON is what WeChat says of a paid order.
const paidJSON = `{"mchid":"1900000109","appid":"wx8888888888888888","out_trade_no":"20250806125346_01","transaction_id":"4200001460202207148197935963","trade_type":"JSAPI","trade_state":"SUCCESS","trade_state_desc":"支付成功","bank_type":"OTHERS","attach":"a=1\u0026b=2","success_time":"2018-06-08T10:34:56+08:00","payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},"amount":{"total":888,"payer_total":788,"currency":"CNY","payer_currency":"CNY"},"promotion_detail":[]}`

const refundedJSON = `{"mchid":"1900000109","transaction_id":"1008450740201411110005820873","out_trade_no":"20250806125346_01","refund_id":"50200207182018070300011301001","out_refund_no":"R7752501201407033233368018","refund_status":"SUCCESS","success_time":"2018-06-08T10:34:56+08:00","user_received_account":"招商银行信用卡0403","amount":{"total":999,"refund":998,"payer_total":999,"payer_refund":999}}`

// note is the body of a notification of a payment.
func note(plain string) string { return noteOf("TRANSACTION.SUCCESS", "transaction", v3Key, plain) }

func noteOf(event, original, key, plain string) string {
	return `{"id":"EV-2018022511223320873","create_time":"2015-05-20T13:29:35+08:00","resource_type":"encrypt-resource","event_type":"` + event +
		`","summary":"支付成功","resource":{"original_type":"` + original + `","algorithm":"AEAD_AES_256_GCM","ciphertext":"` +
		sealedText(key, "fdasflkja484", original, plain) + `","associated_data":"` + original + `","nonce":"fdasflkja484"}}`
}

func testConfigV3(t testing.TB, h http.HandlerFunc) Config {
	t.Helper()
	return Config{
		AppID: testApp, MchID: testMch, SerialNo: v3Serial, PrivateKey: merchantKey(t), APIv3Key: v3Key,
		PlatformKeyID: v3KeyID, PlatformKey: &publicKeyOfWeChat().key.PublicKey,
		Hosts: []string{"http://localhost:8081"}, Now: func() time.Time { return v3Now }, Transport: handed{h},
	}
}

func newTestV3(t testing.TB, c Config) *V3Gateway {
	t.Helper()
	g, err := NewV3(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// saysV3 answers each request with body, signed.
func saysV3(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { replyV3(w, publicKeyOfWeChat(), status, body, v3Now) }
}

func replyV3(w http.ResponseWriter, k wechatKey, status int, body string, at time.Time) {
	for name, values := range k.headers(body, at) {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
	io.WriteString(w, body)
}

// The vectors that WeChat Pay publishes, and some more (V1–V8).
func TestSignaturesV3(t *testing.T) {
	var vectors []struct{ Name, Text, Sign string }
	if err := json.Unmarshal(testdata(t, "signatures.json"), &vectors); err != nil {
		t.Fatal(err)
	}
	merchant := merchantKey(t)
	wechat, err := LoadPublicKey(testdata(t, "platform_public_key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		lines := strings.Split(strings.TrimSuffix(v.Text, "\n"), "\n")
		if v.Name < "V7" || v.Name == "V8" {
			if got, err := signLines(merchant, lines...); err != nil || got != v.Sign {
				t.Errorf("%s: %s, %v", v.Name, got, err)
			}
		}
		if v.Name < "V7" {
			continue
		}
		key := wechat
		if v.Name == "V8" {
			key = &merchant.PublicKey
		}
		var x voucher
		h := http.Header{"Wechatpay-Timestamp": {lines[0]}, "Wechatpay-Nonce": {lines[1]}, "Wechatpay-Serial": {v3KeyID}, "Wechatpay-Signature": {v.Sign}}
		if err := x.read(h, v3Now); err != nil || !x.verify(key, []byte(lines[2])) {
			t.Errorf("%s does not verify: %v", v.Name, err)
		}
		if x.verify(key, []byte(lines[2]+" ")) {
			t.Errorf("%s verifies another body", v.Name)
		}
	}
	if len(vectors) != 8 {
		t.Errorf("%d vectors", len(vectors))
	}
}

// A1–A4: A1 has a key of 16 bytes, which is none of ours.
func TestSealedV3(t *testing.T) {
	var vectors []struct {
		Name, Key, Nonce, Plain, Ciphertext string
		Data                                string `json:"associated_data"`
	}
	if err := json.Unmarshal(testdata(t, "sealed.json"), &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		if got := sealedText(v.Key, v.Nonce, v.Data, v.Plain); got != v.Ciphertext {
			t.Errorf("%s: the test itself seals %s", v.Name, got)
		}
		s, err := newSealer(v.Key, v3NextKey)
		if len(v.Key) != 32 {
			if err == nil {
				t.Errorf("%s: a key of %d bytes is taken", v.Name, len(v.Key))
			}
			continue
		}
		if got, err := openText(s, v.Nonce, v.Data, v.Ciphertext); err != nil || got != v.Plain {
			t.Errorf("%s: %q, %v", v.Name, got, err)
		}
		for _, bad := range []struct{ nonce, data, text string }{
			{v.Nonce, v.Data + "x", v.Ciphertext},
			{v.Nonce, v.Data, v.Ciphertext[:len(v.Ciphertext)-4]},
			{v.Nonce, v.Data, "AAAA" + v.Ciphertext[4:]},
			{v.Nonce, v.Data, v.Ciphertext + "="},
			{v.Nonce, v.Data, "AAAA"},
			{v.Nonce, v.Data, ""},
			{v.Nonce[:11], v.Data, v.Ciphertext},
			{v.Nonce + "x", v.Data, v.Ciphertext},
			{"", v.Data, v.Ciphertext},
		} {
			if got, err := openText(s, bad.nonce, bad.data, bad.text); err == nil {
				t.Errorf("%s: %q opens as %q", v.Name, bad, got)
			}
		}
	}
	if len(vectors) != 4 {
		t.Errorf("%d vectors", len(vectors))
	}
}

func openText(s *sealer, nonce, data, text string) (string, error) {
	b, _ := json.Marshal(map[string]string{"algorithm": "AEAD_AES_256_GCM", "nonce": nonce, "associated_data": data, "ciphertext": text})
	tree, err := parseJSON(string(b), nil)
	if err != nil {
		return "", err
	}
	plain, err := s.open(&tree, 0)
	return string(plain), err
}

// checkedRequest verifies a request of ours like a gateway: over the raw target
// and the raw bytes.
func checkedRequest(t *testing.T, r *http.Request, body []byte) map[string]string {
	t.Helper()
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), "WECHATPAY2-SHA256-RSA2048 ")
	if !ok {
		t.Fatalf("Authorization is %q", r.Header.Get("Authorization"))
	}
	m := make(map[string]string)
	for pair := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(pair, "=")
		m[name] = strings.Trim(value, `"`)
	}
	text := strings.Join([]string{r.Method, r.RequestURI, m["timestamp"], m["nonce_str"], string(body), ""}, "\n")
	sum := sha256.Sum256([]byte(text))
	sign, _ := base64.StdEncoding.DecodeString(m["signature"])
	if err := rsa.VerifyPKCS1v15(&merchantKey(t).PublicKey, crypto.SHA256, sum[:], sign); err != nil {
		t.Errorf("the request is not signed: %v\n%s", err, text)
	}
	if m["mchid"] != testMch || m["serial_no"] != v3Serial || m["timestamp"] != "1722850421" || len(m["nonce_str"]) < 16 || len(m["nonce_str"]) > 32 || len(m) != 5 {
		t.Errorf("Authorization is %v", m)
	}
	for name, want := range map[string]string{"Accept": "application/json", "User-Agent": "wxshop", "Wechatpay-Serial": v3KeyID} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if len(body) > 0 != (r.Header.Get("Content-Type") == "application/json") {
		t.Errorf("%d bytes of %q", len(body), r.Header.Get("Content-Type"))
	}
	return m
}

// sentV3 makes one call and gives what was sent.
func sentV3(t *testing.T, change func(*Config), call func(g *V3Gateway) error) (method, target, body string) {
	t.Helper()
	cfg := testConfigV3(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		checkedRequest(t, r, b)
		method, target, body = r.Method, r.RequestURI, string(b)
		saysV3(http.StatusTooManyRequests, `{"code":"FREQUENCY_LIMITED","message":"x"}`)(w, r)
	})
	if change != nil {
		change(&cfg)
	}
	if err := call(newTestV3(t, cfg)); err == nil {
		t.Error("no error")
	}
	return method, target, body
}

// Every call, word for word.
func TestRequestsV3(t *testing.T) {
	partner := func(c *Config) { c.SubMchID = "1900000200" }
	both := func(c *Config) { c.SubMchID, c.SubAppID = "1900000200", "wx1111111111111111" }
	place := func(change func(*Order)) func(*V3Gateway) error {
		return func(g *V3Gateway) error {
			o := testOrder()
			if change != nil {
				change(&o)
			}
			_, err := g.Prepay(t.Context(), o)
			return err
		}
	}
	ref := Ref{OutTradeNo: "a|b*c-1"}
	refund := RefundOrder{OutTradeNo: testNo, OutRefundNo: "R|1*@", Total: 888, Amount: 300, Reason: "不要<了>🍵", NotifyURL: "https://shop.example.com/r"}
	const tail = `"description":"测试店-图书 \u0026 \u003c茶\u003e","out_trade_no":"20250806125346_01","time_expire":"2025-08-06T13:23:46+08:00","attach":"a=1\u0026b=2","notify_url":"https://shop.example.com/wxpay/notify","amount":{"total":888,"currency":"CNY"},`
	const scene = `"scene_info":{"payer_client_ip":"123.12.12.123"}}`
	day := time.Date(2026, 1, 1, 16, 30, 0, 0, time.UTC) // the second in Beijing
	tests := []struct {
		name   string
		change func(*Config)
		call   func(g *V3Gateway) error
		want   string
	}{
		{"JSAPI", nil, place(nil), "POST /v3/pay/transactions/jsapi " + `{"appid":"wx8888888888888888","mchid":"1900000109",` + tail + `"payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},` + scene},
		{"mini program", nil, place(func(o *Order) { o.AppID, o.ClientIP, o.Expire, o.Attach = "wx2222222222222222", "", time.Time{}, "" }),
			"POST /v3/pay/transactions/jsapi " + `{"appid":"wx2222222222222222","mchid":"1900000109","description":"测试店-图书 \u0026 \u003c茶\u003e","out_trade_no":"20250806125346_01","notify_url":"https://shop.example.com/wxpay/notify","amount":{"total":888,"currency":"CNY"},"payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}}`},
		{"Native", nil, place(func(o *Order) { o.TradeType = Native }), "POST /v3/pay/transactions/native " + `{"appid":"wx8888888888888888","mchid":"1900000109",` + tail + scene},
		{"App", nil, place(func(o *Order) { o.TradeType = App }), "POST /v3/pay/transactions/app " + `{"appid":"wx8888888888888888","mchid":"1900000109",` + tail + scene},
		{"H5", nil, place(func(o *Order) { o.TradeType = H5 }), "POST /v3/pay/transactions/h5 " + `{"appid":"wx8888888888888888","mchid":"1900000109",` + tail + `"scene_info":{"payer_client_ip":"123.12.12.123","h5_info":{"type":"Wap","app_name":"shop.example.com","app_url":"https://shop.example.com"}}}`},
		{"provider's payer", partner, place(nil), "POST /v3/pay/partner/transactions/jsapi " + `{"sp_appid":"wx8888888888888888","sp_mchid":"1900000109","sub_mchid":"1900000200",` + tail + `"payer":{"sp_openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},` + scene},
		{"merchant's payer", both, place(nil), "POST /v3/pay/partner/transactions/jsapi " + `{"sp_appid":"wx8888888888888888","sp_mchid":"1900000109","sub_appid":"wx1111111111111111","sub_mchid":"1900000200",` + tail + `"payer":{"sub_openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},` + scene},
		{"query", nil, func(g *V3Gateway) error { _, err := g.Query(t.Context(), ref); return err }, "GET /v3/pay/transactions/out-trade-no/a%7Cb%2Ac-1?mchid=1900000109 "},
		{"query of a provider", both, func(g *V3Gateway) error { _, err := g.Query(t.Context(), ref); return err }, "GET /v3/pay/partner/transactions/out-trade-no/a%7Cb%2Ac-1?sp_mchid=1900000109&sub_mchid=1900000200 "},
		{"query by id", nil, func(g *V3Gateway) error { _, err := g.QueryByID(t.Context(), "4200001"); return err }, "GET /v3/pay/transactions/id/4200001?mchid=1900000109 "},
		{"query by id of a provider", both, func(g *V3Gateway) error { _, err := g.QueryByID(t.Context(), "4200001"); return err }, "GET /v3/pay/partner/transactions/id/4200001?sp_mchid=1900000109&sub_mchid=1900000200 "},
		{"close", nil, func(g *V3Gateway) error { return g.Close(t.Context(), ref) }, `POST /v3/pay/transactions/out-trade-no/a%7Cb%2Ac-1/close {"mchid":"1900000109"}`},
		{"close of a provider", both, func(g *V3Gateway) error { return g.Close(t.Context(), ref) }, `POST /v3/pay/partner/transactions/out-trade-no/a%7Cb%2Ac-1/close {"sp_mchid":"1900000109","sub_mchid":"1900000200"}`},
		{"refund", nil, func(g *V3Gateway) error { _, err := g.Refund(t.Context(), refund); return err }, `POST /v3/refund/domestic/refunds {"out_trade_no":"20250806125346_01","out_refund_no":"R|1*@","reason":"不要\u003c了\u003e","notify_url":"https://shop.example.com/r","amount":{"refund":300,"total":888,"currency":"CNY"}}`},
		{"refund of a provider", both, func(g *V3Gateway) error { _, err := g.Refund(t.Context(), refund); return err }, `POST /v3/refund/domestic/refunds {"sub_mchid":"1900000200","out_trade_no":"20250806125346_01","out_refund_no":"R|1*@","reason":"不要\u003c了\u003e","notify_url":"https://shop.example.com/r","amount":{"refund":300,"total":888,"currency":"CNY"}}`},
		{"refund query", nil, func(g *V3Gateway) error { _, err := g.QueryRefund(t.Context(), refund.Ref()); return err }, "GET /v3/refund/domestic/refunds/R%7C1%2A@ "},
		{"refund query of a provider", both, func(g *V3Gateway) error { _, err := g.QueryRefund(t.Context(), refund.Ref()); return err }, "GET /v3/refund/domestic/refunds/R%7C1%2A@?sub_mchid=1900000200 "},
		{"bill", nil, func(g *V3Gateway) error { _, err := g.Bill(t.Context(), BillRequest{Day: day}); return err }, "GET /v3/bill/tradebill?bill_date=2026-01-02&bill_type=ALL "},
		{"bill of a provider", both, func(g *V3Gateway) error {
			_, err := g.Bill(t.Context(), BillRequest{Day: day, Kind: BillRefund, Gzip: true})
			return err
		}, "GET /v3/bill/tradebill?bill_date=2026-01-02&bill_type=REFUND&sub_mchid=1900000200&tar_type=GZIP "},
		{"fund flow", both, func(g *V3Gateway) error {
			_, err := g.FundFlow(t.Context(), FundFlowRequest{Day: day, Gzip: true})
			return err
		}, "GET /v3/bill/fundflowbill?account_type=BASIC&bill_date=2026-01-02&tar_type=GZIP "},
	}
	for _, tt := range tests {
		method, target, body := sentV3(t, tt.change, tt.call)
		if got := method + " " + target + " " + body; got != tt.want {
			t.Errorf("%s: sent\n%s, want\n%s", tt.name, got, tt.want)
		}
	}
}

// What is wrong here is not sent at all.
func TestRefusedLocallyV3(t *testing.T) {
	g := newTestV3(t, testConfigV3(t, func(http.ResponseWriter, *http.Request) { t.Error("something was sent") }))
	place := func(change func(*Order)) error {
		o := testOrder()
		change(&o)
		_, err := g.Prepay(t.Context(), o)
		return err
	}
	_, noNotify := g.Refund(t.Context(), RefundOrder{OutTradeNo: testNo, OutRefundNo: "R1", Total: 2, Amount: 1})
	_, tooMuch := g.Refund(t.Context(), RefundOrder{OutTradeNo: testNo, OutRefundNo: "R1", Total: 2, Amount: 3, NotifyURL: "https://x.test/"})
	_, badAsk := g.QueryRefund(t.Context(), RefundRef{OutRefundNo: "a/b"})
	_, badQuery := g.Query(t.Context(), Ref{OutTradeNo: "../../x"})
	_, badID := g.QueryByID(t.Context(), "x?y")
	_, badBill := g.Bill(t.Context(), BillRequest{Kind: BillRechargeRefund})
	_, badFund := g.FundFlow(t.Context(), FundFlowRequest{Account: "x"})
	_, badBridge := g.Bridge("", "", v3Now)
	for says, err := range map[string]error{
		"needs the payer's openid": place(func(o *Order) { o.OpenID = "" }),
		"not placed with API v3":   place(func(o *Order) { o.TradeType = Micropay }),
		"is not an address":        place(func(o *Order) { o.TradeType, o.ClientIP = H5, "" }),
		"less than 1":              place(func(o *Order) { o.Total = 0 }),
		"out_trade_no":             place(func(o *Order) { o.OutTradeNo = "a b" }),
		"more than 255":            place(func(o *Order) { o.NotifyURL += strings.Repeat("x", 256-len(o.NotifyURL)) }),
		"has a query":              place(func(o *Order) { o.NotifyURL += "?x=1" }),
		"needs a notify URL":       noNotify,
		"not between 1 and":        tooMuch,
		"out_refund_no":            badAsk,
		"out_trade_no ":            badQuery,
		"transaction_id":           badID,
		"no bill of kind":          badBill,
		"no account":               badFund,
		"no prepay id":             badBridge,
		"6 to 32":                  g.Close(t.Context(), Ref{OutTradeNo: "x"}),
	} {
		if err == nil || !strings.Contains(err.Error(), says) || IsUnknown(err) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

// X39: characters of four bytes never reach WeChat.
func TestTextsV3(t *testing.T) {
	for in, want := range map[string]string{"a🍵b": "a□b", "a\x00b": "a□b", "茶": "茶", strings.Repeat("茶", 60): strings.Repeat("茶", 42)} {
		if got := cleanAttach(in); got != want {
			t.Errorf("attach %q becomes %q, want %q", in, got, want)
		}
	}
	_, _, body := sentV3(t, nil, func(g *V3Gateway) error {
		o := testOrder()
		o.Description, o.Attach = strings.Repeat("🍵茶", 99), strings.Repeat("🍵", 99)
		_, err := g.Prepay(t.Context(), o)
		return err
	})
	for _, r := range body {
		if r > 0xFFFF {
			t.Fatalf("%q was sent", r)
		}
	}
}

// P: the parameters of the front end, verified like a cashier does.
func TestInvokeV3(t *testing.T) {
	cfg := testConfigV3(t, saysV3(500, ""))
	g := newTestV3(t, cfg)
	verify := func(sign string, lines ...string) {
		t.Helper()
		sum := sha256.Sum256([]byte(strings.Join(lines, "\n") + "\n"))
		raw, _ := base64.StdEncoding.DecodeString(sign)
		if err := rsa.VerifyPKCS1v15(&cfg.PrivateKey.PublicKey, crypto.SHA256, sum[:], raw); err != nil {
			t.Errorf("%q: %v", lines, err)
		}
	}
	b, err := g.Bridge("wx1", MD5, v3Now)
	if err != nil || b.AppID != testApp || b.Package != "prepay_id=wx1" || b.SignType != "RSA" || b.TimeStamp != "1722850421" {
		t.Errorf("%+v, %v", b, err)
	}
	verify(b.PaySign, b.AppID, b.TimeStamp, b.NonceStr, "prepay_id=wx1")
	if b, err = g.BridgeFor("wx2222222222222222", "wx1", "", v3Now); err != nil || b.AppID != "wx2222222222222222" {
		t.Errorf("%+v, %v", b, err)
	}
	verify(b.PaySign, "wx2222222222222222", b.TimeStamp, b.NonceStr, "prepay_id=wx1")
	a, err := g.App("", "wx1", "", v3Now)
	if err != nil || a.PartnerID != testMch || a.Package != "Sign=WXPay" || a.PrepayID != "wx1" || a.AppID != testApp {
		t.Errorf("%+v, %v", a, err)
	}
	verify(a.Sign, a.AppID, a.Timestamp, a.NonceStr, "wx1")
	cfg.SubMchID = "1900000200"
	if a, err = newTestV3(t, cfg).App("", "wx1", "", v3Now); err != nil || a.PartnerID != "1900000200" {
		t.Errorf("%+v, %v", a, err)
	}
}

func certificatePEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func privatePEM(t testing.TB, kind string, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if k, ok := key.(*rsa.PrivateKey); ok && kind == "RSA PRIVATE KEY" {
		der = x509.MarshalPKCS1PrivateKey(k)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestLoadKeys(t *testing.T) {
	merchant := merchantKey(t)
	for kind, text := range map[string][]byte{
		"PKCS#8": privatePEM(t, "PRIVATE KEY", merchant), "PKCS#1": privatePEM(t, "RSA PRIVATE KEY", merchant),
	} {
		if key, err := LoadPrivateKey(text); err != nil || !key.Equal(merchant) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	public := testdata(t, "platform_public_key.pem")
	for says, text := range map[string][]byte{
		"not PEM":           []byte("x"),
		"with a PUBLIC KEY": public,
		"damaged":           []byte("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"),
		"is damaged":        []byte("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n"),
		"not an RSA key":    privatePEM(t, "PRIVATE KEY", ecKey(t)),
	} {
		if _, err := LoadPrivateKey(text); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "MII") {
			t.Errorf("%v, want %q", err, says)
		}
	}
	der, _ := x509.MarshalPKIXPublicKey(ecKey(t).Public())
	for says, text := range map[string][]byte{
		"not PEM":            nil,
		"with a PRIVATE KEY": privatePEM(t, "PRIVATE KEY", merchant),
		"public key: ":       []byte("-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----\n"),
		"not an RSA key":     pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
	} {
		if _, err := LoadPublicKey(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

func TestValidateV3(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]func(*Config){
		"the app id is missing":              func(c *Config) { c.AppID = "" },
		"the merchant id is missing":         func(c *Config) { c.MchID = "" },
		"certificate is missing":             func(c *Config) { c.SerialNo = "" },
		"is not 40 hex digits":               func(c *Config) { c.SerialNo = "PUB_KEY_ID_1" },
		"private key is missing":             func(c *Config) { c.PrivateKey = nil },
		"private key has 1024 bits":          func(c *Config) { c.PrivateKey = small },
		"the APIv3 key is missing":           func(c *Config) { c.APIv3Key = "" },
		"APIv3 key has 31 characters":        func(c *Config) { c.APIv3Key = v3Key[1:] },
		"next APIv3 key has 1 characters":    func(c *Config) { c.NextAPIv3Key = "x" },
		"the key mode \"x\" is none":         func(c *Config) { c.KeyMode = "x" },
		"public key is missing":              func(c *Config) { c.PlatformKey = nil },
		"id of the WeChat Pay public key is": func(c *Config) { c.KeyMode, c.PlatformKeyID = MixedMode, "" },
		"is not PUB_KEY_ID_ and digits":      func(c *Config) { c.PlatformKeyID = v3Serial },
		"is the merchant's own":              func(c *Config) { c.PlatformKey = &c.PrivateKey.PublicKey },
		"neither WeChat's":                   func(c *Config) { c.Hosts = []string{"https://evil.com"} },
		"has a path":                         func(c *Config) { c.Hosts = []string{"http://localhost/x"} },
	} {
		c := testConfigV3(t, nil)
		change(&c)
		_, err := NewV3(c)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), v3Key[1:]) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	c := testConfigV3(t, nil)
	c.KeyMode, c.PlatformKey, c.PlatformKeyID = CertificateMode, nil, ""
	if err := c.ValidateV3(); err != nil { // and no APIv2 key
		t.Error(err)
	}
	if err := (Config{}).ValidateV3(); strings.Count(fmt.Sprint(err), "\n") != 6 {
		t.Errorf("an empty config: %v, want seven sentences", err)
	}
}

// handed is a transport to one handler.
type handed struct{ h http.Handler }

func (l handed) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI, in.Host, in.RemoteAddr = r.URL.RequestURI(), r.URL.Host, "127.0.0.1:40000"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w, done, ended := httptest.NewRecorder(), make(chan struct{}), false
	go func() {
		defer close(done)
		defer func() { ended = recover() == nil }() // http.ErrAbortHandler cuts the connection
		l.h.ServeHTTP(w, in)
	}()
	select {
	case <-done:
		if !ended {
			return nil, io.ErrUnexpectedEOF
		}
		return w.Result(), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}
