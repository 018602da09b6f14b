package interop

import (
	"bytes"
	"compress/gzip"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/verifiers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/consts"
	"github.com/wechatpay-apiv3/wechatpay-go/core/downloader"
	"github.com/wechatpay-apiv3/wechatpay-go/core/notify"
	"github.com/wechatpay-apiv3/wechatpay-go/core/option"
	"github.com/wechatpay-apiv3/wechatpay-go/services/partnerpayments"
	partner "github.com/wechatpay-apiv3/wechatpay-go/services/partnerpayments/jsapi"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/app"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/h5"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/jsapi"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/native"
	"github.com/wechatpay-apiv3/wechatpay-go/services/refunddomestic"
	"github.com/wechatpay-apiv3/wechatpay-go/utils"

	"wxshop/wxpay/sim"
)

// The key modes of a merchant account.
var keyModes = []string{"public_key", "certificate", "mixed"}

// keysFolder is a simulator's folder with keys in it, made once: RSA keys take
// long to make.
var keysFolder = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "wxshop-interop-")
	if err != nil {
		return "", err
	}
	s, err := sim.New(sim.Options{Data: dir})
	if err != nil {
		return "", err
	}
	if _, err := s.IdentityWithKeys(); err != nil {
		return "", err
	}
	return dir, s.Close()
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := keysFolder(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// newV3Stranger is a stranger whose simulator has RSA keys and is in the given
// key mode.
func newV3Stranger(t *testing.T, mode string) *stranger {
	t.Helper()
	from, err := keysFolder()
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	files, err := filepath.Glob(filepath.Join(from, "*"))
	if err != nil || len(files) < 5 {
		t.Fatalf("keys of the simulator: %v, %v", files, err)
	}
	for _, f := range files {
		if ext := filepath.Ext(f); ext != ".pem" && ext != ".json" {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(data, filepath.Base(f)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := newStrangerIn(t, data)
	if s.id, err = s.sim.IdentityWithKeys(); err != nil {
		t.Fatal(err)
	}
	s.put("account", `{"key_mode":"`+mode+`"}`)
	return s
}

// put calls the simulator's control API and wants success.
func (s *stranger) put(path, body string) {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodPut, s.base+"/_sim/api/"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := s.control.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		s.t.Fatalf("PUT %s %s = %d %s", path, body, res.StatusCode, b)
	}
}

// toSim takes what a library addresses to WeChat, after it has signed it, to
// the simulator. Nothing else of the library is changed.
type toSim struct{ base *url.URL }

func (t toSim) RoundTrip(r *http.Request) (*http.Response, error) {
	c := r.Clone(r.Context())
	if c.URL.Host == "api.mch.weixin.qq.com" {
		c.URL.Scheme, c.URL.Host, c.Host = t.base.Scheme, t.base.Host, ""
	}
	return http.DefaultTransport.RoundTrip(c)
}

// tencent is Tencent's own library at a simulator.
type tencent struct {
	*stranger
	client *core.Client
	files  *core.Client // for what WeChat does not sign
	notes  *notify.Handler
}

func newTencent(t *testing.T, mode string) *tencent {
	t.Helper()
	s := &tencent{stranger: newV3Stranger(t, mode)}
	base, err := url.Parse(s.base)
	if err != nil {
		t.Fatal(err)
	}
	http := option.WithHTTPClient(&http.Client{Transport: toSim{base}, Timeout: 10 * time.Second})
	key := s.privateKey()
	merchant := option.WithMerchantCredential(s.id.MchID, s.id.MerchantSerialNo, key)
	s.files = s.newClient(merchant, option.WithoutValidator(), http)
	verifier := s.verifier(mode)
	if mode == "public_key" { // as its documentation says
		public, err := utils.LoadPublicKey(s.id.PlatformPublicKey)
		if err != nil {
			t.Fatal(err)
		}
		s.client = s.newClient(option.WithWechatPayPublicKeyAuthCipher(s.id.MchID, s.id.MerchantSerialNo, key, s.id.PlatformPublicKeyID, public), http)
	} else {
		s.client = s.newClient(merchant, option.WithVerifier(verifier), http)
	}
	if s.notes, err = notify.NewRSANotifyHandler(s.id.APIv3Key, verifier); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *tencent) newClient(opts ...core.ClientOption) *core.Client {
	s.t.Helper()
	c, err := core.NewClient(ctx, opts...)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *stranger) privateKey() *rsa.PrivateKey {
	s.t.Helper()
	key, err := utils.LoadPrivateKey(s.id.MerchantPrivateKey)
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

// verifier is the library's own for a key mode, with certificates that its
// own downloader fetched.
func (s *tencent) verifier(mode string) auth.Verifier {
	s.t.Helper()
	public, err := utils.LoadPublicKey(s.id.PlatformPublicKey)
	if err != nil {
		s.t.Fatal(err)
	}
	if mode == "public_key" {
		return verifiers.NewSHA256WithRSAPubkeyVerifier(s.id.PlatformPublicKeyID, *public)
	}
	manager := downloader.NewCertificateDownloaderMgrWithInterval(ctx, time.Hour)
	s.t.Cleanup(manager.Stop)
	if err := manager.RegisterDownloaderWithClient(ctx, s.files, s.id.MchID, s.id.APIv3Key); err != nil {
		s.t.Fatalf("certificates: %v", err)
	}
	if n := manager.GetNewestCertificateSerial(ctx, s.id.MchID); n != s.id.PlatformSerialNo {
		s.t.Errorf("newest certificate is %s, want %s", n, s.id.PlatformSerialNo)
	}
	if visitor := manager.GetCertificateVisitor(s.id.MchID); mode == "certificate" {
		return verifiers.NewSHA256WithRSAVerifier(visitor)
	} else {
		return verifiers.NewSHA256WithRSACombinedVerifier(visitor, s.id.PlatformPublicKeyID, *public)
	}
}

func (s *tencent) ok(what string, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

// V3: Tencent's library through everything, in each key mode.
func TestV3Tencent(t *testing.T) {
	for _, mode := range keyModes {
		t.Run(mode, func(t *testing.T) {
			s := newTencent(t, mode)
			s.prepays()
			s.paysAndHears("TENCENT-JSAPI")
			s.closes("TENCENT-NATIVE")
			s.refunds("TENCENT-JSAPI")
			s.bills("TENCENT-JSAPI")
			if mode == "public_key" {
				s.hasNoCertificates()
			}
		})
	}
}

func (s *tencent) prepays() {
	s.t.Helper()
	note, until := s.shop+"/paid", time.Now().Add(30*time.Minute)
	j, _, err := (&jsapi.JsapiApiService{Client: s.client}).PrepayWithRequestPayment(ctx, jsapi.PrepayRequest{
		Appid: &s.id.AppID, Mchid: &s.id.MchID, Description: core.String("茶 & <杯>"), OutTradeNo: core.String("TENCENT-JSAPI"), Attach: core.String("a=1&b=2"),
		TimeExpire: &until, NotifyUrl: &note, Amount: &jsapi.Amount{Total: core.Int64(888), Currency: core.String("CNY")}, Payer: &jsapi.Payer{Openid: core.String(s.openid())},
		Detail:    &jsapi.Detail{GoodsDetail: []jsapi.GoodsDetail{{MerchantGoodsId: core.String("g1"), Quantity: core.Int64(1), UnitPrice: core.Int64(888)}}},
		SceneInfo: &jsapi.SceneInfo{PayerClientIp: core.String("127.0.0.1")},
	})
	s.ok("jsapi", err)
	if len(*j.PrepayId) != 36 || *j.Package != "prepay_id="+*j.PrepayId {
		s.t.Errorf("jsapi = %+v", j)
	}
	n, _, err := (&native.NativeApiService{Client: s.client}).Prepay(ctx, native.PrepayRequest{
		Appid: &s.id.AppID, Mchid: &s.id.MchID, Description: core.String("茶"), OutTradeNo: core.String("TENCENT-NATIVE"), NotifyUrl: &note,
		Amount: &native.Amount{Total: core.Int64(1)},
	})
	s.ok("native", err)
	if !strings.HasPrefix(*n.CodeUrl, "weixin://wxpay/bizpayurl") {
		s.t.Errorf("native = %+v", n)
	}
	h, _, err := (&h5.H5ApiService{Client: s.client}).Prepay(ctx, h5.PrepayRequest{
		Appid: &s.id.AppID, Mchid: &s.id.MchID, Description: core.String("茶"), OutTradeNo: core.String("TENCENT-H5"), NotifyUrl: &note,
		Amount: &h5.Amount{Total: core.Int64(1)}, SceneInfo: &h5.SceneInfo{PayerClientIp: core.String("127.0.0.1"), H5Info: &h5.H5Info{Type: core.String("Wap")}},
	})
	s.ok("h5", err)
	if !strings.Contains(*h.H5Url, "prepay_id=wx") {
		s.t.Errorf("h5 = %+v", h)
	}
	a, _, err := (&app.AppApiService{Client: s.client}).PrepayWithRequestPayment(ctx, app.PrepayRequest{
		Appid: &s.id.AppID, Mchid: &s.id.MchID, Description: core.String("茶"), OutTradeNo: core.String("TENCENT-APP"), NotifyUrl: &note, Amount: &app.Amount{Total: core.Int64(1)},
	})
	s.ok("app", err)
	if len(*a.PrepayId) != 36 {
		s.t.Errorf("app = %+v", a)
	}
	_, _, err = (&jsapi.JsapiApiService{Client: s.client}).Prepay(ctx, jsapi.PrepayRequest{
		Appid: &s.id.AppID, Mchid: &s.id.MchID, Description: core.String("别的"), OutTradeNo: core.String("TENCENT-JSAPI"), NotifyUrl: &note,
		Amount: &jsapi.Amount{Total: core.Int64(889)}, Payer: &jsapi.Payer{Openid: core.String(s.openid())},
	})
	if !core.IsAPIError(err, "INVALID_REQUEST") {
		s.t.Errorf("the same number with another amount = %v, want INVALID_REQUEST", err)
	}
}

// hear is the next notification, verified and opened by the library.
func (s *tencent) hear(into any) *notify.Request {
	s.t.Helper()
	select {
	case r := <-s.heard:
		n, err := s.notes.ParseNotifyRequest(ctx, r, into)
		if err != nil {
			s.t.Fatalf("notification: %v", err)
		}
		return n
	case <-time.After(10 * time.Second):
		s.t.Fatal("no notification came")
		return nil
	}
}

func (s *tencent) paysAndHears(no string) {
	s.t.Helper()
	if code := s.post("transactions/"+no+"/pay", `{}`); code != http.StatusOK {
		s.t.Fatalf("paying = %d", code)
	}
	var heard payments.Transaction
	n := s.hear(&heard)
	if n.EventType != "TRANSACTION.SUCCESS" || *heard.OutTradeNo != no || *heard.Amount.Total != 888 || *heard.Attach != "a=1&b=2" {
		s.t.Errorf("notification = %v with %v", n, heard)
	}
	service := &jsapi.JsapiApiService{Client: s.client}
	q, _, err := service.QueryOrderByOutTradeNo(ctx, jsapi.QueryOrderByOutTradeNoRequest{OutTradeNo: &no, Mchid: &s.id.MchID})
	s.ok("query by number", err)
	if *q.TradeState != "SUCCESS" || *q.TransactionId != *heard.TransactionId || *q.SuccessTime != *heard.SuccessTime {
		s.t.Errorf("query = %v, the notification said %v", q, heard)
	}
	q, _, err = service.QueryOrderById(ctx, jsapi.QueryOrderByIdRequest{TransactionId: heard.TransactionId, Mchid: &s.id.MchID})
	s.ok("query by id", err)
	if *q.OutTradeNo != no {
		s.t.Errorf("query by id = %v", q)
	}
	_, _, err = service.QueryOrderByOutTradeNo(ctx, jsapi.QueryOrderByOutTradeNoRequest{OutTradeNo: core.String("NEVER-SEEN"), Mchid: &s.id.MchID})
	if !core.IsAPIError(err, "ORDER_NOT_EXIST") {
		s.t.Errorf("an unknown order = %v, want ORDER_NOT_EXIST", err)
	}
}

func (s *tencent) closes(no string) {
	s.t.Helper()
	service := &native.NativeApiService{Client: s.client}
	for range 2 { // again is fine
		r, err := service.CloseOrder(ctx, native.CloseOrderRequest{OutTradeNo: &no, Mchid: &s.id.MchID})
		s.ok("close", err)
		if r.Response.StatusCode != http.StatusNoContent {
			s.t.Errorf("close = %d, want 204", r.Response.StatusCode)
		}
	}
	q, _, err := service.QueryOrderByOutTradeNo(ctx, native.QueryOrderByOutTradeNoRequest{OutTradeNo: &no, Mchid: &s.id.MchID})
	s.ok("query", err)
	if *q.TradeState != "CLOSED" {
		s.t.Errorf("after closing: %v", q)
	}
}

func (s *tencent) refunds(no string) {
	s.t.Helper()
	service := &refunddomestic.RefundsApiService{Client: s.client}
	ask := refunddomestic.CreateRequest{
		OutTradeNo: &no, OutRefundNo: core.String(no + "-R"), Reason: core.String("不想要了"), NotifyUrl: core.String(s.shop + "/refunded"),
		Amount: &refunddomestic.AmountReq{Refund: core.Int64(300), Total: core.Int64(888), Currency: core.String("CNY")},
	}
	r, _, err := service.Create(ctx, ask)
	s.ok("refund", err)
	again, _, err := service.Create(ctx, ask)
	s.ok("refund again", err)
	if *again.RefundId != *r.RefundId || *r.Amount.Refund != 300 {
		s.t.Errorf("refund = %v, again %v", r, again)
	}
	ask.Amount.Refund, ask.OutRefundNo = core.Int64(600), core.String(no+"-R2")
	if _, _, err := service.Create(ctx, ask); !core.IsAPIError(err, "INVALID_REQUEST") {
		s.t.Errorf("refunding more than is left = %v, want INVALID_REQUEST", err)
	}
	s.post("clock", `{"advance":"1h"}`)
	var heard struct {
		RefundStatus string    `json:"refund_status"`
		OutRefundNo  string    `json:"out_refund_no"`
		SuccessTime  time.Time `json:"success_time"`
		Amount       struct{ Refund, Total int64 }
	}
	n := s.hear(&heard)
	if n.EventType != "REFUND.SUCCESS" || heard.RefundStatus != "SUCCESS" || heard.OutRefundNo != no+"-R" || heard.Amount.Refund != 300 || heard.SuccessTime.IsZero() {
		s.t.Errorf("refund notification = %v with %+v", n, heard)
	}
	q, _, err := service.QueryByOutRefundNo(ctx, refunddomestic.QueryByOutRefundNoRequest{OutRefundNo: core.String(no + "-R")})
	s.ok("refund query", err)
	if *q.Status != refunddomestic.STATUS_SUCCESS || q.SuccessTime == nil {
		s.t.Errorf("refund query = %v", q)
	}
	if _, _, err = service.QueryByOutRefundNo(ctx, refunddomestic.QueryByOutRefundNoRequest{OutRefundNo: core.String("NEVER")}); !core.IsAPIError(err, "RESOURCE_NOT_EXISTS") {
		s.t.Errorf("an unknown refund = %v, want RESOURCE_NOT_EXISTS", err)
	}
}

// bills fetches both bills of the day, packed, through the two steps.
func (s *tencent) bills(no string) {
	s.t.Helper()
	day := time.Now().In(time.FixedZone("CST", 8*3600)).Format(time.DateOnly)
	s.post("clock", `{"advance":"48h"}`)
	for path, word := range map[string]string{"tradebill?bill_type=ALL": "`" + no + ",`", "fundflowbill?account_type=BASIC": "资金流水总笔数"} {
		res, err := s.client.Get(ctx, consts.WechatPayAPIServer+"/v3/bill/"+path+"&tar_type=GZIP&bill_date="+day)
		s.ok("ask for "+path, err)
		var link struct {
			HashType    string `json:"hash_type"`
			HashValue   string `json:"hash_value"`
			DownloadURL string `json:"download_url"`
		}
		s.ok("read the link", json.NewDecoder(res.Response.Body).Decode(&link))
		file, err := s.files.Get(ctx, link.DownloadURL)
		s.ok("download "+path, err)
		if h := file.Response.Header.Get("Wechatpay-Signature"); h != "" {
			s.t.Errorf("the file of %s is signed", path)
		}
		packed, err := io.ReadAll(file.Response.Body)
		s.ok("read the file", err)
		unzip, err := gzip.NewReader(bytes.NewReader(packed))
		s.ok("unpack", err)
		text, err := io.ReadAll(unzip)
		s.ok("unpack", err)
		sum := sha1.Sum(text)
		if got := hex.EncodeToString(sum[:]); link.HashType != "SHA1" || !strings.EqualFold(got, link.HashValue) {
			s.t.Errorf("%s: hash %s %s, the file has %s", path, link.HashType, link.HashValue, got)
		}
		if !strings.Contains(string(text), word) {
			s.t.Errorf("%s has no %q: %.300s", path, word, text)
		}
	}
}

// hasNoCertificates: a new merchant is told so.
func (s *tencent) hasNoCertificates() {
	s.t.Helper()
	if _, err := s.files.Get(ctx, consts.WechatPayAPIServer+"/v3/certificates"); !core.IsAPIError(err, "RESOURCE_NOT_EXISTS") {
		s.t.Errorf("certificates = %v, want RESOURCE_NOT_EXISTS", err)
	}
}

// V3: a service provider.
func TestV3TencentPartner(t *testing.T) {
	s := newTencent(t, "public_key")
	service := &partner.JsapiApiService{Client: s.client}
	no := "TENCENT-PARTNER"
	p, _, err := service.Prepay(ctx, partner.PrepayRequest{
		SpAppid: &s.id.AppID, SpMchid: &s.id.MchID, SubMchid: &s.id.SubMchID, Description: core.String("茶"), OutTradeNo: &no,
		NotifyUrl: core.String(s.shop + "/paid"), Amount: &partner.Amount{Total: core.Int64(5)}, Payer: &partner.Payer{SpOpenid: core.String(s.openid())},
	})
	s.ok("prepay", err)
	if len(*p.PrepayId) != 36 {
		t.Errorf("prepay = %v", p)
	}
	if code := s.post("transactions/"+no+"/pay", `{}`); code != http.StatusOK {
		t.Fatalf("paying = %d", code)
	}
	var heard partnerpayments.Transaction
	s.hear(&heard)
	q, _, err := service.QueryOrderByOutTradeNo(ctx, partner.QueryOrderByOutTradeNoRequest{OutTradeNo: &no, SpMchid: &s.id.MchID, SubMchid: &s.id.SubMchID})
	s.ok("query", err)
	if *heard.SubMchid != s.id.SubMchID || *q.SpMchid != s.id.MchID || *q.TradeState != "SUCCESS" || *q.TransactionId != *heard.TransactionId {
		t.Errorf("query = %v, notification %v", q, heard)
	}
}

// V3: a stranger with a wrong key is refused as WeChat refuses it.
func TestV3TencentWrongKey(t *testing.T) {
	s := newTencent(t, "public_key")
	wrong := s.newClient(option.WithMerchantCredential(s.id.MchID, strings.Repeat("A", 40), s.privateKey()), option.WithoutValidator(),
		option.WithHTTPClient(&http.Client{Transport: toSim{mustParse(t, s.base)}}))
	_, _, err := (&native.NativeApiService{Client: wrong}).Prepay(ctx, native.PrepayRequest{
		Appid: &s.id.AppID, Mchid: &s.id.MchID, Description: core.String("茶"), OutTradeNo: core.String("WRONG-KEY"), NotifyUrl: core.String(s.shop + "/paid"),
		Amount: &native.Amount{Total: core.Int64(1)},
	})
	if !core.IsAPIError(err, "SIGN_ERROR") {
		t.Errorf("with a wrong serial = %v, want SIGN_ERROR", err)
	}
}

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
