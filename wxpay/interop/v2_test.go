package interop

import (
	"context"
	"encoding/xml"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-pay/gopay"
	"github.com/go-pay/gopay/wechat"

	"wxshop/wxpay"
	"wxshop/wxpay/sim"
)

// stranger is gopay's v2 client, unchanged but for the address, at a simulator
// that runs on real sockets; and a shop of its own that hears notifications.
type stranger struct {
	t       *testing.T
	sim     *sim.Sim
	id      sim.Identity
	base    string
	shop    string
	gopay   *wechat.Client
	heard   chan *http.Request
	control *http.Client
	answer  []byte // the gateway's last, as it came
}

func newStranger(t *testing.T) *stranger {
	t.Helper()
	return newStrangerIn(t, "")
}

// newStrangerIn has the simulator's keys in the folder data; "" is memory.
func newStrangerIn(t *testing.T, data string) *stranger {
	t.Helper()
	s := &stranger{t: t, heard: make(chan *http.Request, 16), control: http.DefaultClient}
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		c := r.Clone(context.Background())
		c.Body = io.NopCloser(strings.NewReader(string(b)))
		s.heard <- c
		rsp := &wechat.NotifyResponse{ReturnCode: "SUCCESS", ReturnMsg: "OK"}
		io.WriteString(w, rsp.ToXmlString())
	}))
	t.Cleanup(shop.Close)
	var gateway http.Handler
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		gateway.ServeHTTP(rec, r)
		if r.Method == http.MethodPost && !strings.HasPrefix(r.URL.Path, "/_sim/") {
			s.answer = rec.Body.Bytes()
		}
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
	}))
	t.Cleanup(front.Close)
	var err error
	s.sim, err = sim.New(sim.Options{Data: data, BaseURL: front.URL,
		AppURL: shop.URL, Seed: 7, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	gateway = s.sim.Gateway()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.sim.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; s.sim.Close() })
	s.id, s.base, s.shop = s.sim.Identity(), front.URL, shop.URL
	s.gopay = wechat.NewClient(s.id.AppID, s.id.MchID, s.id.APIKey, true).SetProxyUrl(front.URL + "/")
	return s
}

// post calls the simulator's control API and gives the status.
func (s *stranger) post(path, body string) int {
	s.t.Helper()
	res, err := s.control.Post(s.base+"/_sim/api/"+path, "application/json", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

func (s *stranger) get(path string) string {
	s.t.Helper()
	res, err := s.control.Get(s.base + "/_sim/api/" + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return string(b)
}

func (s *stranger) openid() string {
	s.t.Helper()
	_, rest, _ := strings.Cut(s.get("users"), `"openid":"`)
	openid, _, _ := strings.Cut(rest, `"`)
	return openid
}

func (s *stranger) fields(alg string, kv ...any) gopay.BodyMap {
	bm := gopay.BodyMap{}
	bm.Set("nonce_str", "5K8264ILTKCH16CQ2502SI8ZNMTM67VS").Set("sign_type", alg)
	for i := 0; i < len(kv); i += 2 {
		bm.Set(kv[i].(string), kv[i+1])
	}
	return bm
}

func (s *stranger) order(alg, no, kind string, total int) gopay.BodyMap {
	bm := s.fields(alg, "body", "茶 & <杯>", "out_trade_no", no, "total_fee", total, "spbill_create_ip", "127.0.0.1",
		"notify_url", s.shop+"/paid", "trade_type", kind, "attach", "a=1&b=2")
	if kind == "JSAPI" {
		bm.Set("openid", s.openid())
	}
	return bm
}

// answered checks the gateway's last answer, over all its fields, with the
// stranger's own reader and verifier. The stranger's structs lose fields that
// they do not know, which WeChat adds at will and the simulator always does.
func (s *stranger) answered(what, alg string, err error) {
	s.t.Helper()
	bm := gopay.BodyMap{}
	if err == nil {
		err = xml.Unmarshal(s.answer, &bm)
	}
	s.verified(what, alg, bm, err)
}

// verified checks a message with the stranger's own verifier.
func (s *stranger) verified(what, alg string, message gopay.BodyMap, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
	ok, err := wechat.VerifySign(s.id.APIKey, alg, message)
	if err != nil || !ok {
		s.t.Errorf("%s: the stranger does not accept our signature: %v, %v\n%+v", what, ok, err, message)
	}
}

// next is the next notification, read and verified by the stranger.
func (s *stranger) next(alg string) gopay.BodyMap {
	s.t.Helper()
	select {
	case r := <-s.heard:
		bm, err := wechat.ParseNotifyToBodyMap(r)
		s.verified("notification", alg, bm, err)
		return bm
	case <-time.After(10 * time.Second):
		s.t.Fatal("no notification came")
		return nil
	}
}

var ctx = context.Background()

// V2: place, query, pay, hear, refund, close, by a library that nobody here
// wrote, with both algorithms.
func TestV2Stranger(t *testing.T) {
	for _, alg := range []string{wechat.SignType_MD5, wechat.SignType_HMAC_SHA256} {
		t.Run(alg, func(t *testing.T) {
			s := newStranger(t)
			no := "STRANGER-" + strconv.Itoa(len(alg))
			placed, err := s.gopay.UnifiedOrder(ctx, s.order(alg, no, "JSAPI", 888))
			s.answered("unifiedorder", alg, err)
			if placed.ResultCode != "SUCCESS" || placed.PrepayId == "" {
				t.Fatalf("unifiedorder = %+v", placed)
			}
			q, _, err := s.gopay.QueryOrder(ctx, s.fields(alg, "out_trade_no", no))
			s.answered("orderquery", alg, err)
			if q.TradeState != "NOTPAY" {
				t.Errorf("before paying: %+v", q)
			}
			if code := s.post("transactions/"+no+"/pay", `{}`); code != 200 {
				t.Fatalf("paying = %d", code)
			}
			n := s.next(alg)
			if n.GetString("out_trade_no") != no || n.GetString("total_fee") != "888" || n.GetString("attach") != "a=1&b=2" {
				t.Errorf("notification = %v", n)
			}
			q, _, err = s.gopay.QueryOrder(ctx, s.fields(alg, "out_trade_no", no))
			s.answered("orderquery", alg, err)
			if q.TradeState != "SUCCESS" || q.TotalFee != "888" || len(q.TransactionId) != 28 {
				t.Errorf("after paying: %+v", q)
			}
			s.refunds(alg, no)
			s.closes(alg, no+"-C")
		})
	}
}

func (s *stranger) refunds(alg, no string) {
	s.t.Helper()
	ask := s.fields(alg, "out_trade_no", no, "out_refund_no", no+"-R", "total_fee", 888, "refund_fee", 300, "refund_desc", "不想要了",
		"notify_url", s.shop+"/refunded")
	r, _, err := s.gopay.Refund(ctx, ask)
	s.answered("refund", alg, err)
	if r.ResultCode != "SUCCESS" || r.RefundFee != "300" || r.RefundId == "" {
		s.t.Fatalf("refund = %+v", r)
	}
	again, _, err := s.gopay.Refund(ctx, s.fields(alg, "out_trade_no", no, "out_refund_no", no+"-R", "total_fee", 888, "refund_fee", 300,
		"refund_desc", "不想要了", "notify_url", s.shop+"/refunded"))
	if err != nil || again.RefundId != r.RefundId {
		s.t.Errorf("the same refund again = %+v, %v, want %s", again, err, r.RefundId)
	}
	s.post("clock", `{"advance":"1h"}`)
	select {
	case req := <-s.heard:
		hint, err := wechat.ParseRefundNotify(req)
		if err != nil {
			s.t.Fatal(err)
		}
		x, err := wechat.DecryptRefundNotifyReqInfo(hint.ReqInfo, s.id.APIKey)
		if err != nil || x.OutRefundNo != no+"-R" || x.RefundStatus != "SUCCESS" || x.RefundFee != "300" {
			s.t.Errorf("refund notification = %+v, %v", x, err)
		}
	case <-time.After(10 * time.Second):
		s.t.Error("no refund notification came")
	}
	q, raw, err := s.gopay.QueryRefund(ctx, s.fields(alg, "out_refund_no", no+"-R"))
	s.answered("refundquery", alg, err)
	if q.RefundCount != "1" || raw.GetString("refund_status_0") != "SUCCESS" || raw.GetString("refund_fee_0") != "300" {
		s.t.Errorf("refundquery = %v", raw)
	}
}

func (s *stranger) closes(alg, no string) {
	s.t.Helper()
	placed, err := s.gopay.UnifiedOrder(ctx, s.order(alg, no, "NATIVE", 100).Set("product_id", "p1"))
	s.answered("unifiedorder NATIVE", alg, err)
	if placed.CodeUrl == "" {
		s.t.Errorf("NATIVE = %+v, want a code_url", placed)
	}
	c, err := s.gopay.CloseOrder(ctx, s.fields(alg, "out_trade_no", no))
	s.answered("closeorder", alg, err)
	if c.ResultCode != "SUCCESS" {
		s.t.Errorf("closeorder = %+v", c)
	}
}

// V2: the cash desk and the bills.
func TestV2StrangerDeskAndBills(t *testing.T) {
	s := newStranger(t)
	const alg = wechat.SignType_HMAC_SHA256
	_, rest, _ := strings.Cut(s.get("users/"+s.openid()+"/paycode"), `"paycode":"`)
	code, _, _ := strings.Cut(rest, `"`)
	m, err := s.gopay.Micropay(ctx, s.fields(alg, "body", "店内", "out_trade_no", "DESK-000001", "total_fee", 500,
		"spbill_create_ip", "127.0.0.1", "auth_code", code))
	s.answered("micropay", alg, err)
	if m.ResultCode != "SUCCESS" || m.TradeType != "MICROPAY" {
		t.Fatalf("micropay = %+v", m)
	}
	v, err := s.gopay.Reverse(ctx, s.fields(alg, "out_trade_no", "DESK-000001"))
	s.answered("reverse", alg, err)
	if v.ResultCode != "SUCCESS" || v.Recall != "N" {
		t.Errorf("reverse = %+v", v)
	}
	day := time.Now().In(time.FixedZone("CST", 8*3600))
	s.post("clock", `{"advance":"48h"}`)
	bill, err := s.gopay.DownloadBill(ctx, s.fields(alg, "bill_date", day.Format("20060102"), "bill_type", "ALL"))
	if err != nil || !strings.HasPrefix(bill, "\ufeff交易时间,") || !strings.Contains(bill, "`DESK-000001,`") {
		t.Errorf("bill = %.300q, %v", bill, err)
	}
	flow, err := s.gopay.DownloadFundFlow(ctx, s.fields(alg, "bill_date", day.Format("20060102"), "account_type", "Basic"))
	if err != nil || !strings.Contains(flow, "资金流水总笔数") {
		t.Errorf("fund flow = %.300q, %v", flow, err)
	}
}

// V2: a stranger with a wrong key is refused as WeChat refuses it.
func TestV2StrangerWrongKey(t *testing.T) {
	s := newStranger(t)
	wrong := wechat.NewClient(s.id.AppID, s.id.MchID, strings.Repeat("x", 32), true).SetProxyUrl(s.base + "/")
	r, err := wrong.UnifiedOrder(ctx, s.order(wechat.SignType_MD5, "WRONG-KEY-1", "JSAPI", 1))
	if err != nil || r.ReturnCode != "FAIL" || !strings.HasPrefix(r.ReturnMsg, "签名错误") {
		t.Errorf("with a wrong key = %+v, %v", r, err)
	}
}

// V2: the page parameters of our client, as the stranger would sign them.
func TestV2BridgeAgrees(t *testing.T) {
	const key = "192006250b4c09247ec02edce69f6a2d"
	for _, alg := range []string{wechat.SignType_MD5, wechat.SignType_HMAC_SHA256} {
		c, err := wxpay.NewV2(wxpay.Config{AppID: "wx8888888888888888", MchID: "1900000109", APIKey: key, SignType: wxpay.SignType(alg)})
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Bridge("wx06125346000000a1b2c3d4e5f6a7b80000", wxpay.SignType(alg), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if want := wechat.GetJsapiPaySign(p.AppID, p.NonceStr, p.Package, p.SignType, p.TimeStamp, key); p.PaySign != want {
			t.Errorf("paySign with %s = %s, the stranger says %s", alg, p.PaySign, want)
		}
		a, err := c.App("", "wx201410272009395522657a690389285100", wxpay.SignType(alg), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if want := wechat.GetAppPaySign(a.AppID, a.PartnerID, a.NonceStr, a.PrepayID, alg, a.Timestamp, key); a.Sign != want {
			t.Errorf("app sign with %s = %s, the stranger says %s", alg, a.Sign, want)
		}
	}
}
