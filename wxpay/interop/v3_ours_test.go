package interop

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/signers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/verifiers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/notify"
	"github.com/wechatpay-apiv3/wechatpay-go/utils"

	"wxshop/wxpay"
)

const (
	oursMchID  = "1900000109"
	oursAppID  = "wx8888888888888888"
	oursV3Key  = "0123456789abcdef0123456789ABCDEF"
	oursSerial = "7132D72A03E93CDDF8C03BBD1F37EEDF5B0C1F66"
	oursPubID  = "PUB_KEY_ID_0119000001092026112000000000000001"
)

// pair is the RSA keys of a merchant and of WeChat, made once.
type pair struct{ merchant, platform *rsa.PrivateKey }

var pairOnce = sync.OnceValues(func() (pair, error) {
	m, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return pair{}, err
	}
	p, err := rsa.GenerateKey(rand.Reader, 2048)
	return pair{m, p}, err
})

// official is a server whose signatures Tencent's library checks and makes.
// It knows what it was told to answer, and nothing of our code.
type official struct {
	t      testing.TB
	keys   pair
	serial string // of the certificate of the platform key
	pem    string
	seen   []string
	spoil  func(h http.Header, body []byte) []byte
}

func newOfficial(t testing.TB) (*official, string) {
	t.Helper()
	keys, err := pairOnce()
	if err != nil {
		t.Fatal(err)
	}
	o := &official{t: t, keys: keys}
	number, _ := new(big.Int).SetString("5157F09EFDC096DE15EBE81A47057A7232F1B8E1", 16)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: number, Subject: pkix.Name{CommonName: "Tenpay.com sign"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(5, 0, 0),
	}, &x509.Certificate{SerialNumber: number}, &keys.platform.PublicKey, keys.platform)
	if err != nil {
		t.Fatal(err)
	}
	o.pem = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	cert, err := utils.LoadCertificate(o.pem)
	if err != nil {
		t.Fatal(err)
	}
	o.serial = utils.GetCertificateSerialNumber(*cert)
	server := httptest.NewServer(o)
	t.Cleanup(server.Close)
	return o, server.URL
}

var authorization = regexp.MustCompile(`^WECHATPAY2-SHA256-RSA2048 (.*)$`)

func (o *official) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = o.check(r, body)
	}
	if err != nil {
		o.t.Errorf("%s %s: %v", r.Method, r.RequestURI, err)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	o.seen = append(o.seen, r.Method+" "+r.URL.Path)
	status, answer := o.answer(r)
	serial := r.Header.Get("Wechatpay-Serial")
	if serial != oursPubID {
		serial = o.serial
	}
	o.sign(w.Header(), serial, answer)
	if o.spoil != nil {
		answer = o.spoil(w.Header(), answer)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(answer)
}

// check verifies a request with the library's verifier.
func (o *official) check(r *http.Request, body []byte) error {
	m := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return fmt.Errorf("Authorization %q", r.Header.Get("Authorization"))
	}
	f := map[string]string{}
	for _, part := range strings.Split(m[1], ",") {
		k, v, _ := strings.Cut(part, "=")
		f[k] = strings.Trim(v, `"`)
	}
	if f["mchid"] != oursMchID || r.Header.Get("Accept") == "" || r.Header.Get("User-Agent") == "" {
		return fmt.Errorf("headers %v", r.Header)
	}
	if at, err := strconv.ParseInt(f["timestamp"], 10, 64); err != nil || time.Since(time.Unix(at, 0)).Abs() > 5*time.Minute {
		return fmt.Errorf("timestamp %s", f["timestamp"])
	}
	message := strings.Join([]string{r.Method, r.RequestURI, f["timestamp"], f["nonce_str"], string(body), ""}, "\n")
	return verifiers.NewSHA256WithRSAPubkeyVerifier(oursSerial, o.keys.merchant.PublicKey).Verify(context.Background(), f["serial_no"], message, f["signature"])
}

// sign makes the headers of an answer or a notification with the library's signer.
func (o *official) sign(h http.Header, serial string, body []byte) {
	at, nonce := strconv.FormatInt(time.Now().Unix(), 10), "d824f2e086d3c1df967785d13fcd22ef"
	s := signers.SHA256WithRSASigner{MchID: "wechatpay", CertificateSerialNo: serial, PrivateKey: o.keys.platform}
	signed, err := s.Sign(context.Background(), at+"\n"+nonce+"\n"+string(body)+"\n")
	if err != nil {
		o.t.Error(err)
		return
	}
	for k, v := range map[string]string{
		"Timestamp": at, "Nonce": nonce, "Serial": serial, "Signature": signed.Signature, "Signature-Type": "WECHATPAY2-SHA256-RSA2048",
	} {
		h.Set("Wechatpay-"+k, v)
	}
}

// seal encrypts as WeChat does, and lets the library open it again.
func (o *official) seal(plain, nonce, extra string) string {
	o.t.Helper()
	block, err := aes.NewCipher([]byte(oursV3Key))
	if err != nil {
		o.t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		o.t.Fatal(err)
	}
	sealed := base64.StdEncoding.EncodeToString(gcm.Seal(nil, []byte(nonce), []byte(plain), []byte(extra)))
	if opened, err := utils.DecryptAES256GCM(oursV3Key, extra, nonce, sealed); err != nil || opened != plain {
		o.t.Fatalf("the library opens %q, %v", opened, err)
	}
	return sealed
}

const (
	oursTransaction = `{"amount":{"currency":"CNY","payer_currency":"CNY","payer_total":888,"total":888},"appid":"wx8888888888888888","attach":"","bank_type":"OTHERS",` +
		`"mchid":"1900000109","out_trade_no":"P261120AAAA","payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},"promotion_detail":[],"success_time":"2026-11-20T15:34:45+08:00",` +
		`"trade_state":"SUCCESS","trade_state_desc":"支付成功","trade_type":"JSAPI","transaction_id":"4200001460202611207148197935"}`
	oursRefund = `{"amount":{"currency":"CNY","discount_refund":0,"from":[],"payer_refund":300,"payer_total":888,"refund":300,"settlement_refund":300,"settlement_total":888,"total":888},` +
		`"channel":"ORIGINAL","create_time":"2026-11-20T16:00:00+08:00","funds_account":"AVAILABLE","out_refund_no":"R261120AAAA","out_trade_no":"P261120AAAA","promotion_detail":[],` +
		`"refund_id":"50300806962026112010597899496","status":"PROCESSING","transaction_id":"4200001460202611207148197935","user_received_account":"支付用户零钱"}`
)

func (o *official) answer(r *http.Request) (int, []byte) {
	switch p := r.URL.Path; {
	case p == "/v3/certificates":
		const nonce = "61f9c719728a"
		return http.StatusOK, []byte(`{"data":[{"effective_time":"2026-01-01T00:00:00+08:00","encrypt_certificate":{"algorithm":"AEAD_AES_256_GCM","associated_data":"certificate",` +
			`"ciphertext":"` + o.seal(o.pem, nonce, "certificate") + `","nonce":"` + nonce + `"},"expire_time":"2031-01-01T00:00:00+08:00","serial_no":"` + o.serial + `"}]}`)
	case strings.HasSuffix(p, "/close"):
		return http.StatusNoContent, nil
	case strings.HasPrefix(p, "/v3/pay/transactions/out-trade-no/"):
		return http.StatusOK, []byte(oursTransaction)
	case strings.HasPrefix(p, "/v3/refund/"):
		return http.StatusOK, []byte(oursRefund)
	case p == "/v3/pay/transactions/native":
		return http.StatusOK, []byte(`{"code_url":"weixin://wxpay/bizpayurl?pr=JyC91EIz1"}`)
	case p == "/v3/pay/transactions/h5":
		return http.StatusOK, []byte(`{"h5_url":"https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx1&package=2"}`)
	}
	return http.StatusOK, []byte(`{"prepay_id":"wx15234337156985c7708abc64fd7e610000"}`)
}

func (o *official) client(mode wxpay.KeyMode, host string) *wxpay.V3Gateway {
	o.t.Helper()
	c := wxpay.Config{
		AppID: oursAppID, MchID: oursMchID, SerialNo: oursSerial, PrivateKey: o.keys.merchant, APIv3Key: oursV3Key, KeyMode: mode, Hosts: []string{host},
	}
	if mode != wxpay.CertificateMode {
		c.PlatformKeyID, c.PlatformKey = oursPubID, &o.keys.platform.PublicKey
	}
	g, err := wxpay.NewV3(c)
	if err != nil {
		o.t.Fatal(err)
	}
	return g
}

// V3: our client against a server that Tencent's own verifier and signer guard.
func TestV3Ours(t *testing.T) {
	for _, mode := range []wxpay.KeyMode{wxpay.PublicKeyMode, wxpay.CertificateMode, wxpay.MixedMode} {
		t.Run(string(mode), func(t *testing.T) {
			o, host := newOfficial(t)
			g := o.client(mode, host)
			for _, trade := range []wxpay.TradeType{wxpay.JSAPI, wxpay.Native, wxpay.H5, wxpay.App} {
				p, err := g.Prepay(ctx, oursOrder(trade))
				if err != nil || p.PrepayID+p.CodeURL+p.H5URL == "" {
					t.Errorf("%s = %+v, %v", trade, p, err)
				}
			}
			q, err := g.Query(ctx, wxpay.Ref{OutTradeNo: "P261120AAAA"})
			if err != nil || q.Total != 888 || q.TransactionID != "4200001460202611207148197935" {
				t.Errorf("query = %+v, %v", q, err)
			}
			if err := g.Close(ctx, wxpay.Ref{OutTradeNo: "P261120AAAB"}); err != nil {
				t.Errorf("close: %v", err)
			}
			r, err := g.Refund(ctx, wxpay.RefundOrder{
				OutTradeNo: "P261120AAAA", OutRefundNo: "R261120AAAA", Total: 888, Amount: 300, Reason: "不想要了", NotifyURL: "https://shop.example/notify/v3/refund",
			})
			if err != nil || r.OutRefundNo != "R261120AAAA" {
				t.Errorf("refund = %+v, %v", r, err)
			}
			o.notifies(g, mode)
			o.forges(g)
		})
	}
}

func oursOrder(trade wxpay.TradeType) wxpay.Order {
	o := wxpay.Order{
		OutTradeNo: "P261120AAAA", TradeType: trade, Description: "云间茶铺 & <杯> +", Total: 888, NotifyURL: "https://shop.example/notify/v3/pay",
		ClientIP: "203.0.113.7", Start: time.Now(), Expire: time.Now().Add(30 * time.Minute),
	}
	if trade == wxpay.JSAPI {
		o.OpenID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
	}
	return o
}

// notifies: what the library signs and can read, we believe.
func (o *official) notifies(g *wxpay.V3Gateway, mode wxpay.KeyMode) {
	o.t.Helper()
	const nonce = "fdasflkja484"
	body := []byte(`{"id":"EV-2018022511223320873","create_time":"2026-11-20T15:34:46+08:00","resource_type":"encrypt-resource","event_type":"TRANSACTION.SUCCESS","summary":"支付成功",` +
		`"resource":{"original_type":"transaction","algorithm":"AEAD_AES_256_GCM","ciphertext":"` + o.seal(oursTransaction, nonce, "transaction") +
		`","associated_data":"transaction","nonce":"` + nonce + `"}}`)
	serial := oursPubID
	verifier := verifiers.NewSHA256WithRSAPubkeyVerifier(oursPubID, o.keys.platform.PublicKey)
	if err := g.Close(ctx, wxpay.Ref{OutTradeNo: "P261120AAAC"}); err != nil { // so that certificates are there
		o.t.Fatal(err)
	}
	if mode == wxpay.CertificateMode {
		serial = o.serial
		verifier = verifiers.NewSHA256WithRSAPubkeyVerifier(serial, o.keys.platform.PublicKey)
	}
	h := http.Header{}
	o.sign(h, serial, body)
	n, err := g.ParseNotify(h, body)
	if err != nil || n.Total != 888 || n.OutTradeNo != "P261120AAAA" {
		o.t.Errorf("notification = %+v, %v", n, err)
	}
	theirs, err := notify.NewRSANotifyHandler(oursV3Key, verifier)
	if err != nil {
		o.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/notify/v3/pay", strings.NewReader(string(body)))
	r.Header = h.Clone()
	var content map[string]any
	if _, err := theirs.ParseNotifyRequest(ctx, r, &content); err != nil {
		o.t.Errorf("the library refuses its own: %v", err)
	}
	for name, spoil := range map[string]func(h http.Header, b []byte) []byte{
		"byte":   func(_ http.Header, b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"nonce":  func(h http.Header, b []byte) []byte { h.Set("Wechatpay-Nonce", "x"); return b },
		"serial": func(h http.Header, b []byte) []byte { h.Set("Wechatpay-Serial", strings.Repeat("7", 40)); return b },
		"probe": func(h http.Header, b []byte) []byte {
			h.Set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/"+h.Get("Wechatpay-Signature"))
			return b
		},
		"unsigned": func(h http.Header, b []byte) []byte { h.Del("Wechatpay-Signature"); return b },
	} {
		head := h.Clone()
		bad := spoil(head, []byte(string(body)))
		if _, err := g.ParseNotify(head, bad); err == nil {
			o.t.Errorf("%s: believed", name)
		}
		r := httptest.NewRequest(http.MethodPost, "/notify/v3/pay", strings.NewReader(string(bad)))
		r.Header = head
		if _, err := theirs.ParseNotifyRequest(ctx, r, &content); err == nil {
			o.t.Errorf("%s: the library believes it", name)
		}
	}
}

// forges: an answer that the library did not sign is no answer.
func (o *official) forges(g *wxpay.V3Gateway) {
	o.t.Helper()
	for name, spoil := range map[string]func(h http.Header, b []byte) []byte{
		"changed":  func(_ http.Header, b []byte) []byte { return []byte(strings.Replace(string(b), "888", "889", 1)) },
		"unsigned": func(h http.Header, b []byte) []byte { h.Del("Wechatpay-Signature"); return b },
		"stale":    func(h http.Header, b []byte) []byte { h.Set("Wechatpay-Timestamp", "1554208460"); return b },
	} {
		o.spoil = spoil
		_, err := g.Query(ctx, wxpay.Ref{OutTradeNo: "P261120AAAA"})
		var e *wxpay.Error
		if !errors.As(err, &e) || !e.Unknown {
			o.t.Errorf("%s: query = %v, want an error that says unknown", name, err)
		}
	}
	o.spoil = nil
}

// V3: the page parameters of our client, as the library judges them.
func TestV3BridgeAgrees(t *testing.T) {
	o, host := newOfficial(t)
	g := o.client(wxpay.PublicKeyMode, host)
	p, err := g.Bridge("wx201410272009395522657a690389285100", "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	v := verifiers.NewSHA256WithRSAPubkeyVerifier("m", o.keys.merchant.PublicKey)
	if err := v.Verify(ctx, "m", strings.Join([]string{p.AppID, p.TimeStamp, p.NonceStr, p.Package, ""}, "\n"), p.PaySign); err != nil || p.SignType != "RSA" {
		t.Errorf("paySign %+v: %v", p, err)
	}
	a, err := g.App("", "wx201410272009395522657a690389285100", "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Verify(ctx, "m", strings.Join([]string{a.AppID, a.Timestamp, a.NonceStr, a.PrepayID, ""}, "\n"), a.Sign); err != nil {
		t.Errorf("app sign %+v: %v", a, err)
	}
	if b, err := json.Marshal(p); err != nil || !strings.Contains(string(b), `"paySign"`) {
		t.Errorf("bridge = %s, %v", b, err)
	}
}
