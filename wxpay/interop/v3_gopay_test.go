package interop

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-pay/gopay"
	gopayv3 "github.com/go-pay/gopay/wechat/v3"
)

// newGopay is gopay's v3 client, unchanged but for the host.
func newGopay(t *testing.T, mode string) (*stranger, *gopayv3.ClientV3) {
	t.Helper()
	s := newV3Stranger(t, mode)
	c, err := gopayv3.NewClientV3(s.id.MchID, s.id.MerchantSerialNo, s.id.APIv3Key, s.id.MerchantPrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	c.SetProxyHost(s.base)
	if mode == "public_key" {
		err = c.AutoVerifySignByPublicKey([]byte(s.id.PlatformPublicKey), s.id.PlatformPublicKeyID)
	} else {
		err = c.AutoVerifySign(false)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func (s *stranger) v3Order(no string, total int) gopay.BodyMap {
	bm := gopay.BodyMap{}
	bm.Set("appid", s.id.AppID).Set("mchid", s.id.MchID).Set("description", "茶 & <杯>").Set("out_trade_no", no).
		Set("notify_url", s.shop+"/paid").SetBodyMap("amount", func(a gopay.BodyMap) { a.Set("total", total).Set("currency", "CNY") })
	return bm
}

// V3: gopay through everything, with the public key and with certificates.
// It has no mode that takes both.
func TestV3Gopay(t *testing.T) {
	for _, mode := range []string{"public_key", "certificate"} {
		t.Run(mode, func(t *testing.T) {
			s, c := newGopay(t, mode)
			const no = "GOPAY-JSAPI"
			j, err := c.V3TransactionJsapi(ctx, s.v3Order(no, 888).SetBodyMap("payer", func(p gopay.BodyMap) { p.Set("openid", s.openid()) }))
			if err != nil || j.Code != 0 || len(j.Response.PrepayId) != 36 {
				t.Fatalf("jsapi = %+v, %v", j, err)
			}
			n, err := c.V3TransactionNative(ctx, s.v3Order("GOPAY-NATIVE", 1))
			if err != nil || n.Code != 0 || !strings.HasPrefix(n.Response.CodeUrl, "weixin://") {
				t.Fatalf("native = %+v, %v", n, err)
			}
			h, err := c.V3TransactionH5(ctx, s.v3Order("GOPAY-H5", 1).SetBodyMap("scene_info", func(i gopay.BodyMap) {
				i.Set("payer_client_ip", "127.0.0.1").SetBodyMap("h5_info", func(f gopay.BodyMap) { f.Set("type", "Wap") })
			}))
			if err != nil || h.Code != 0 || !strings.Contains(h.Response.H5Url, "prepay_id=") {
				t.Fatalf("h5 = %+v, %v", h, err)
			}
			a, err := c.V3TransactionApp(ctx, s.v3Order("GOPAY-APP", 1))
			if err != nil || a.Code != 0 || len(a.Response.PrepayId) != 36 {
				t.Fatalf("app = %+v, %v", a, err)
			}
			s.gopayPays(c, no)
			closed, err := c.V3TransactionCloseOrder(ctx, "GOPAY-NATIVE")
			if err != nil || closed.Code != 0 {
				t.Errorf("close = %+v, %v", closed, err)
			}
			s.gopayRefunds(c, no)
			s.gopayBill(c, no)
		})
	}
}

func (s *stranger) gopayNext(c *gopayv3.ClientV3) *gopayv3.V3NotifyReq {
	s.t.Helper()
	select {
	case r := <-s.heard:
		n, err := gopayv3.V3ParseNotify(r)
		if err != nil {
			s.t.Fatal(err)
		}
		if err := n.VerifySignByPKMap(c.WxPublicKeyMap()); err != nil {
			s.t.Errorf("notification: the stranger does not accept our signature: %v", err)
		}
		return n
	case <-time.After(10 * time.Second):
		s.t.Fatal("no notification came")
		return nil
	}
}

func (s *stranger) gopayPays(c *gopayv3.ClientV3, no string) {
	s.t.Helper()
	if code := s.post("transactions/"+no+"/pay", `{}`); code != http.StatusOK {
		s.t.Fatalf("paying = %d", code)
	}
	paid, err := s.gopayNext(c).DecryptPayCipherText(s.id.APIv3Key)
	if err != nil || paid.OutTradeNo != no || paid.Amount.Total != 888 || paid.TradeState != "SUCCESS" {
		s.t.Fatalf("notification = %+v, %v", paid, err)
	}
	for kind, ref := range map[gopayv3.OrderNoType]string{gopayv3.OutTradeNo: no, gopayv3.TransactionId: paid.TransactionId} {
		q, err := c.V3TransactionQueryOrder(ctx, kind, ref)
		if err != nil || q.Code != 0 || q.Response.TradeState != "SUCCESS" || q.Response.OutTradeNo != no {
			s.t.Errorf("query %s = %+v, %v", ref, q, err)
		}
	}
}

func (s *stranger) gopayRefunds(c *gopayv3.ClientV3, no string) {
	s.t.Helper()
	bm := gopay.BodyMap{}
	bm.Set("out_trade_no", no).Set("out_refund_no", no+"-R").Set("reason", "不想要了").Set("notify_url", s.shop+"/refunded").
		SetBodyMap("amount", func(a gopay.BodyMap) { a.Set("refund", 300).Set("total", 888).Set("currency", "CNY") })
	r, err := c.V3Refund(ctx, bm)
	if err != nil || r.Code != 0 || r.Response.OutRefundNo != no+"-R" {
		s.t.Fatalf("refund = %+v, %v", r, err)
	}
	s.post("clock", `{"advance":"1h"}`)
	done, err := s.gopayNext(c).DecryptRefundCipherText(s.id.APIv3Key)
	if err != nil || done.RefundStatus != "SUCCESS" || done.OutRefundNo != no+"-R" || done.Amount.Refund != 300 {
		s.t.Errorf("refund notification = %+v, %v", done, err)
	}
	q, err := c.V3RefundQuery(ctx, no+"-R", nil)
	if err != nil || q.Code != 0 || q.Response.Status != "SUCCESS" {
		s.t.Errorf("refund query = %+v, %v", q, err)
	}
}

// gopayBill asks for links with WeChat's own host in them, because gopay takes
// a link apart at ".com".
func (s *stranger) gopayBill(c *gopayv3.ClientV3, no string) {
	s.t.Helper()
	s.put("account", `{"bill_host":"canonical"}`)
	day := time.Now().In(time.FixedZone("CST", 8*3600)).Format(time.DateOnly)
	s.post("clock", `{"advance":"48h"}`)
	link, err := c.V3BillTradeBill(ctx, gopay.BodyMap{"bill_date": day, "bill_type": "ALL"})
	if err != nil || link.Code != 0 {
		s.t.Fatalf("trade bill = %+v, %v", link, err)
	}
	text, err := c.V3BillDownLoadBill(ctx, link.Response.DownloadUrl)
	if err != nil || !strings.Contains(string(text), "`"+no+",`") {
		s.t.Errorf("bill = %.300q, %v", text, err)
	}
}
