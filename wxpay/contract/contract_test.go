package contract

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wxshop/wxpay"
	"wxshop/wxpay/sim"
)

// simKeys are made once: making RSA keys is slow.
var simKeys sim.Keys

// wechatWorld is the simulated WeChat without sockets, and what it told us.
type wechatWorld struct {
	t   *testing.T
	sim *sim.Sim
	id  sim.Identity
	mu  sync.Mutex
	got []told
}

type told struct {
	path   string
	header http.Header
	body   []byte
}

// ServeHTTP takes notifications in.
func (w *wechatWorld) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	w.got = append(w.got, told{r.URL.Path, r.Header.Clone(), body})
	w.mu.Unlock()
	if strings.Contains(r.URL.Path, "v2") {
		io.WriteString(rw, "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>")
		return
	}
	rw.WriteHeader(http.StatusNoContent)
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

// newWeChat starts a simulator; the returned func ends it.
func newWeChat(t *testing.T) (w *wechatWorld, end func()) {
	t.Helper()
	w = &wechatWorld{t: t}
	s, err := sim.New(sim.Options{Seed: 7, Keys: &simKeys, Transport: handed{w}})
	if err != nil {
		t.Fatal(err)
	}
	w.sim = s
	if w.id, err = s.IdentityWithKeys(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	return w, func() { cancel(); <-done; s.Close() }
}

// api calls the control API.
func (w *wechatWorld) api(method, path, body string, into any) {
	w.t.Helper()
	r := httptest.NewRequest(method, "http://localhost:8081/_sim/api/"+path, strings.NewReader(body))
	rec := httptest.NewRecorder()
	w.sim.Gateway().ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		w.t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
	}
	if into != nil {
		if err := json.Unmarshal(rec.Body.Bytes(), into); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *wechatWorld) pay(no string) {
	w.t.Helper()
	w.api("POST", "transactions/"+url.PathEscape(no)+"/pay", `{"outcome":"success"}`, nil)
}

func (w *wechatWorld) openID() string {
	w.t.Helper()
	var users []struct {
		OpenID string `json:"openid"`
	}
	w.api("GET", "users", "", &users)
	return users[0].OpenID
}

// last is the last notification on a path. It waits for the first one, and no
// longer: signatures grow old.
func (w *wechatWorld) last(path string) told {
	w.t.Helper()
	for range 600 {
		synctest.Wait()
		w.mu.Lock()
		for _, n := range slices.Backward(w.got) {
			if n.path == path {
				w.mu.Unlock()
				return n
			}
		}
		w.mu.Unlock()
		time.Sleep(time.Second)
	}
	w.t.Fatalf("nothing was notified on %s", path)
	return told{}
}

// config is the merchant's account at w.
func (w *wechatWorld) config(mode wxpay.KeyMode, partner bool) wxpay.Config {
	w.t.Helper()
	private, err := wxpay.LoadPrivateKey([]byte(w.id.MerchantPrivateKey))
	if err != nil {
		w.t.Fatal(err)
	}
	public, err := wxpay.LoadPublicKey([]byte(w.id.PlatformPublicKey))
	if err != nil {
		w.t.Fatal(err)
	}
	c := wxpay.Config{
		AppID: w.id.AppID, MchID: w.id.MchID, APIKey: w.id.APIKey, APIv3Key: w.id.APIv3Key, SerialNo: w.id.MerchantSerialNo,
		PrivateKey: private, KeyMode: mode, PlatformKeyID: w.id.PlatformPublicKeyID, PlatformKey: public,
		Hosts: []string{"http://localhost:8081"}, Transport: handed{w.sim.Gateway()},
	}
	if mode == wxpay.CertificateMode {
		c.PlatformKeyID, c.PlatformKey = "", nil
	}
	if partner {
		c.SubMchID = w.id.SubMchID
	}
	if mode != "" {
		w.api("PUT", "account", `{"key_mode":"`+string(mode)+`"}`, nil)
	}
	return c
}

func (w *wechatWorld) order(v wxpay.Version, no string) wxpay.Order {
	return wxpay.Order{
		OutTradeNo: no, TradeType: wxpay.JSAPI, Description: "测试店-图书 & <茶> 🍵", Attach: "a=1&b=2", Total: 888, OpenID: w.openID(),
		ClientIP: "::ffff:123.12.12.123", NotifyURL: "http://localhost:8080/notify/" + string(v) + "/pay",
		Start: time.Now(), Expire: time.Now().Add(30 * time.Minute),
	}
}

// The same questions to both versions of the API, in every key mode, as a
// merchant and as a service provider: what a caller relies on is one.
func TestGatewayContract(t *testing.T) {
	for _, tt := range []struct {
		name    string
		version wxpay.Version
		mode    wxpay.KeyMode
		partner bool
	}{
		{"v2", wxpay.V2, "", false},
		{"v2 service provider", wxpay.V2, "", true},
		{"v3 public key", wxpay.V3, wxpay.PublicKeyMode, false},
		{"v3 certificate", wxpay.V3, wxpay.CertificateMode, false},
		{"v3 mixed", wxpay.V3, wxpay.MixedMode, false},
		{"v3 service provider", wxpay.V3, wxpay.PublicKeyMode, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, end := newWeChat(t)
				defer end()
				cfg := w.config(tt.mode, tt.partner)
				var g wxpay.Gateway
				var err error
				if tt.version == wxpay.V3 {
					g, err = wxpay.NewV3(cfg)
				} else {
					g, err = wxpay.NewV2(cfg)
				}
				if err != nil {
					t.Fatal(err)
				}
				c := contract{t, w, g, cfg}
				c.paid()
				c.closed()
				c.products()
				c.refunded()
				c.billed()
			})
		})
	}
}

type contract struct {
	*testing.T
	w   *wechatWorld
	g   wxpay.Gateway
	cfg wxpay.Config
}

func (c contract) want(what string, err, want error) {
	c.Helper()
	if !errors.Is(err, want) || want == nil && err != nil {
		c.Errorf("%s: %v, want %v", what, err, want)
	}
	if want != nil && wxpay.IsUnknown(err) {
		c.Errorf("%s: %v is called unknown", what, err)
	}
}

// paid: an order from prepay to its notification.
func (c contract) paid() {
	o := c.w.order(c.g.Version(), "contract|paid*1")
	_, err := c.g.Query(c.Context(), o.Ref())
	c.want("query before", err, wxpay.ErrNoSuchOrder)
	for range 2 { // the same order twice is one order
		if p, err := c.g.Prepay(c.Context(), o); err != nil || p.PrepayID == "" {
			c.Fatalf("prepay: %+v, %v", p, err)
		}
	}
	other := o
	other.Total++
	_, err = c.g.Prepay(c.Context(), other)
	c.want("another total", err, wxpay.ErrNumberUsed)
	if t, err := c.g.Query(c.Context(), o.Ref()); err != nil || t.State != wxpay.NotPay || t.State.Paid() {
		c.Fatalf("query of an unpaid order: %+v, %v", t, err)
	}
	c.w.pay(o.OutTradeNo)
	n := c.w.last("/notify/" + string(c.g.Version()) + "/pay")
	told, err := c.g.ParseNotify(n.header, n.body)
	if err != nil {
		c.Fatal(err)
	}
	asked, err := c.g.Query(c.Context(), o.Ref())
	if err != nil {
		c.Fatal(err)
	}
	for from, t := range map[string]wxpay.Transaction{"notification": told, "query": asked} {
		if t.Version != c.g.Version() || t.State != wxpay.Success || t.AppID != c.cfg.AppID || t.MchID != c.cfg.MchID || t.SubMchID != c.cfg.SubMchID ||
			t.OutTradeNo != o.OutTradeNo || t.TransactionID == "" || t.TransactionID != asked.TransactionID || t.TradeType != wxpay.JSAPI ||
			t.OpenID != o.OpenID || t.Total != 888 || t.Cash != 888 || t.Currency != "CNY" || t.BankType == "" || t.Attach != o.Attach ||
			!t.PaidAt.Equal(asked.PaidAt) || time.Since(t.PaidAt).Abs() > time.Minute {
			c.Errorf("%s: %+v", from, t)
		}
		for k, v := range t.Raw() {
			if strings.Contains(v, o.OpenID) || strings.Contains(k, "sign") && v != "" && k != "sign_type" {
				c.Errorf("%s: Raw has %s = %s", from, k, v)
			}
		}
	}
	_, err = c.g.Prepay(c.Context(), o)
	c.want("prepay of a paid order", err, wxpay.ErrAlreadyPaid)
	c.want("close of a paid order", c.g.Close(c.Context(), o.Ref()), wxpay.ErrAlreadyPaid)
	n.body[len(n.body)/2] ^= 1
	if _, err := c.g.ParseNotify(n.header, n.body); err == nil {
		c.Error("a changed notification is taken")
	}
}

func (c contract) closed() {
	o := c.w.order(c.g.Version(), "contract_closed")
	if _, err := c.g.Prepay(c.Context(), o); err != nil {
		c.Fatal(err)
	}
	time.Sleep(6 * time.Minute) // v2: not within five minutes of the order
	for range 2 {
		c.want("close", c.g.Close(c.Context(), o.Ref()), nil)
	}
	_, err := c.g.Prepay(c.Context(), o)
	c.want("prepay of a closed order", err, wxpay.ErrClosed)
	if t, err := c.g.Query(c.Context(), o.Ref()); err != nil || t.State != wxpay.Closed {
		c.Errorf("query of a closed order: %+v, %v", t, err)
	}
}

func (c contract) products() {
	for _, tt := range []wxpay.TradeType{wxpay.Native, wxpay.H5, wxpay.App} {
		o := c.w.order(c.g.Version(), "contract_"+string(tt))
		o.TradeType, o.OpenID = tt, ""
		p, err := c.g.Prepay(c.Context(), o)
		if err != nil || (tt == wxpay.Native) != (p.CodeURL != "") || (tt == wxpay.H5) != (p.H5URL != "") || tt == wxpay.App && p.PrepayID == "" {
			c.Errorf("%s: %+v, %v", tt, p, err)
		}
	}
	o := c.w.order(c.g.Version(), "contract_mini")
	if c.cfg.SubMchID != "" {
		return // another merchant's mini program is not simulated
	}
	o.AppID = c.w.id.MiniAppID
	p, err := c.g.Prepay(c.Context(), o)
	if err != nil && !strings.Contains(err.Error(), "openid") {
		c.Errorf("mini program: %+v, %v", p, err)
	}
}

func (c contract) refunded() {
	o := c.w.order(c.g.Version(), "contract_refund")
	r := wxpay.RefundOrder{
		OutTradeNo: o.OutTradeNo, OutRefundNo: "contract|R*1@x", Total: 888, Amount: 300, Reason: "不要了 🍵",
		NotifyURL: "http://localhost:8080/notify/" + string(c.g.Version()) + "/refund",
	}
	_, err := c.g.Refund(c.Context(), r)
	c.want("refund of nothing", err, wxpay.ErrNoSuchOrder)
	_, err = c.g.QueryRefund(c.Context(), r.Ref())
	c.want("query of nothing", err, wxpay.ErrNoSuchRefund)
	if _, err := c.g.Prepay(c.Context(), o); err != nil {
		c.Fatal(err)
	}
	c.w.pay(o.OutTradeNo)
	time.Sleep(time.Minute)
	for range 2 { // the same refund twice is one refund
		got, err := c.g.Refund(c.Context(), r)
		if err != nil || got.OutRefundNo != r.OutRefundNo || got.Amount != 300 || got.Total != 888 || got.RefundID == "" {
			c.Fatalf("refund: %+v, %v", got, err)
		}
	}
	other := r
	other.Amount++
	_, err = c.g.Refund(c.Context(), other)
	c.want("another amount", err, wxpay.ErrRefundMismatch)
	other.OutRefundNo, other.Amount = "contract_R2", 888
	_, err = c.g.Refund(c.Context(), other)
	c.want("too much", err, wxpay.ErrRefundTooMuch)
	other.Amount, other.Total = 10, 900
	_, err = c.g.Refund(c.Context(), other)
	c.want("another total", err, wxpay.ErrRefundMismatch)
	path := "/notify/" + string(c.g.Version()) + "/refund"
	n := c.w.last(path)
	told, toldErr := c.g.ParseRefundNotify(n.header, n.body)
	got, err := c.g.QueryRefund(c.Context(), r.Ref())
	if err != nil || got.State != wxpay.RefundSuccess || got.Amount != 300 || got.Total != 888 || got.Account == "" || got.OutTradeNo != o.OutTradeNo ||
		time.Since(got.SucceededAt).Abs() > 11*time.Minute || got.Version != c.g.Version() {
		c.Fatalf("query of the refund: %+v, %v", got, err)
	}
	if toldErr != nil || told.State != wxpay.RefundSuccess || told.OutRefundNo != r.OutRefundNo || told.RefundID != got.RefundID || told.Amount != 300 ||
		told.Total != 888 || told.MchID != c.cfg.MchID || !told.SucceededAt.Equal(got.SucceededAt) {
		c.Errorf("refund notification: %+v, %v", told, toldErr)
	}
	if t, err := c.g.Query(c.Context(), o.Ref()); err != nil || t.State != wxpay.Refunded || !t.State.Paid() || t.Total != 888 {
		c.Errorf("query of the refunded order: %+v, %v", t, err)
	}
	pay := c.w.last("/notify/" + string(c.g.Version()) + "/pay") // within five minutes still
	if _, err := c.g.ParseRefundNotify(pay.header, pay.body); err == nil {
		c.Error("a payment is taken for a refund")
	}
	if _, err := c.g.ParseNotify(n.header, n.body); err == nil {
		c.Error("a refund is taken for a payment")
	}
}

func (c contract) billed() {
	today := time.Now()
	_, err := c.g.Bill(c.Context(), wxpay.BillRequest{Day: today})
	c.want("today's bill", err, wxpay.ErrBillNotReady)
	_, err = c.g.Bill(c.Context(), wxpay.BillRequest{Day: today.AddDate(0, 0, -7)})
	c.want("a day without anything", err, wxpay.ErrNoBill)
	time.Sleep(36 * time.Hour)
	for _, gzip := range []bool{false, true} {
		c.tradeBill(wxpay.BillRequest{Day: today, Gzip: gzip})
		if c.g.Version() == wxpay.V2 {
			continue // has no fund flows before 2017, and a bubble begins in 2000
		}
		c.fundFlow(wxpay.FundFlowRequest{Day: today, Gzip: gzip})
	}
}

func (c contract) tradeBill(r wxpay.BillRequest) {
	bill, err := c.g.Bill(c.Context(), r)
	if err != nil {
		c.Fatal(err)
	}
	defer bill.Close()
	b := wxpay.NewBillReader(bill)
	var total, refunded int64
	for {
		row, err := b.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			c.Fatal(err)
		}
		if row.MchID != c.cfg.MchID || row.SubMchID != c.cfg.SubMchID {
			c.Errorf("row of merchant %s, %s", row.MchID, row.SubMchID)
		}
		total, refunded = total+row.Total, refunded+row.RefundAmount
	}
	if s := b.Summary(); s.Count != 3 || total != 2*888 || refunded != 300 || s.Total != total {
		c.Errorf("bill: %+v, total %d, refunded %d", s, total, refunded)
	}
}

func (c contract) fundFlow(r wxpay.FundFlowRequest) {
	flow, err := c.g.FundFlow(c.Context(), r)
	if err != nil {
		c.Fatal(err)
	}
	defer flow.Close()
	f := wxpay.NewFundReader(flow)
	for err == nil {
		_, err = f.Next()
	}
	if s := f.Summary(); err != io.EOF || s.In != 2*888 || s.Out < 300 {
		c.Errorf("fund flow: %+v, %v", s, err)
	}
}
