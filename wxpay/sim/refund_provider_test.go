package sim

import (
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// provider adds what a service provider sends.
func (w *world) provider(fields map[string]string) map[string]string {
	fields["sub_mch_id"], fields["sub_appid"] = w.id.SubMchID, w.id.MiniAppID
	return fields
}

// A service provider's payment: the sub-merchant is echoed everywhere, and its
// orders are nobody else's.
func TestServiceProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		subOpenID := w.sim.people()[1].MiniOpenID
		place := w.provider(w.orderFields("provider01", "openid", "-", "sub_openid", subOpenID))
		got := w.ok("/pay/unifiedorder", place, "")
		echoes := func(what string, got map[string]string) {
			t.Helper()
			if got["sub_mch_id"] != w.id.SubMchID || got["sub_appid"] != w.id.MiniAppID {
				t.Errorf("%s: sub_mch_id %q, sub_appid %q", what, got["sub_mch_id"], got["sub_appid"])
			}
		}
		echoes("unifiedorder", got)
		p := w.bridge(got["prepay_id"], "")
		for _, appID := range []string{w.id.AppID, w.id.MiniAppID} {
			p.appID = appID
			p.paySign = signFields(map[string]string{"appId": p.appID, "timeStamp": p.timeStamp, "nonceStr": p.nonceStr, "package": p.pkg, "signType": p.signType}, w.id.APIKey, p.signType)
			if _, err := w.sim.openSheet(p, "2"); err != nil {
				t.Errorf("sheet with %s: %v", appID, err)
			}
		}
		if _, err := w.sim.openSheet(p, "1"); err == nil {
			t.Error("another payer may pay")
		}
		tx := w.pay("provider01")
		synctest.Wait()
		note := fromXML(t, w.shop.notifications()[0].body)
		echoes("notification", note)
		if note["sub_openid"] != subOpenID || note["openid"] != w.openID(2) || note["sub_is_subscribe"] != "N" {
			t.Errorf("notification %v", note)
		}
		query := w.ok("/pay/orderquery", w.provider(map[string]string{"out_trade_no": "provider01"}), "")
		echoes("orderquery", query)
		if query["sub_openid"] != subOpenID {
			t.Errorf("sub_openid %q", query["sub_openid"])
		}
		echoes("refund", w.ok("/secapi/pay/refund", w.provider(w.refundFields("provider01", "R1", "100")), ""))
		echoes("refundquery", w.ok("/pay/refundquery", w.provider(map[string]string{"out_refund_no": "R1"}), ""))
		time.Sleep(time.Minute)
		synctest.Wait()
		all := w.shop.notifications()
		echoes("refund notification", fromXML(t, all[len(all)-1].body))

		desk := w.ok("/pay/micropay", w.provider(w.deskFields("provider02", w.code(2).Paycode)), "")
		echoes("micropay", desk)
		if desk["sub_openid"] != subOpenID {
			t.Errorf("sub_openid at the desk %q", desk["sub_openid"])
		}
		refusal := fromXML(t, w.call("/secapi/pay/reverse", w.provider(map[string]string{"out_trade_no": "nothing000"}), ""))
		echoes("refusal", refusal)

		for path, fields := range map[string]map[string]string{
			"/pay/orderquery":     {"out_trade_no": "provider01"},
			"/pay/orderquery ":    {"transaction_id": tx.TransactionID},
			"/pay/closeorder":     {"out_trade_no": "provider01"},
			"/secapi/pay/refund":  w.refundFields("provider01", "R2", "1"),
			"/secapi/pay/reverse": {"out_trade_no": "provider02"},
		} {
			checkBusiness(t, w, w.call(strings.TrimSpace(path), fields, ""), "", "ORDERNOTEXIST", "订单不存在")
		}
		checkBusiness(t, w, w.call("/pay/refundquery", map[string]string{"out_refund_no": "R1"}, ""), "", "REFUNDNOTEXIST", "not exist")

		untilTheNextMorning()
		both, sub := w.bill("20000101", "ALL").Body.String(), w.bill("20000101", "ALL", "sub_mch_id", w.id.SubMchID).Body.String()
		if both != sub || !strings.Contains(sub, ",`1900000001,`1900000002,`") {
			t.Errorf("bills:\n%s\n%s", both, sub)
		}
	})
}

func TestServiceProviderRefusals(t *testing.T) {
	w := newWorld(t, Options{})
	for want, fields := range map[string]map[string]string{
		"sub_mch_id与sub_appid不匹配": w.orderFields("provider01", "sub_mch_id", w.id.SubMchID, "sub_appid", "wx8888888888888888"),
		"缺少参数":                    w.orderFields("provider01", "openid", "-", "sub_mch_id", w.id.SubMchID, "sub_openid", "x"),
		"sub_mch_id参数格式错误":        w.orderFields("provider01", "sub_mch_id", "1900000777"),
	} {
		if got := w.call("/pay/unifiedorder", fields, ""); got != protocolBody(want) {
			t.Errorf("got %q, want %q", got, protocolBody(want))
		}
	}
	got := fromXML(t, w.call("/pay/unifiedorder", w.provider(w.orderFields("provider01", "openid", "-", "sub_openid", w.openID(1))), ""))
	if got["err_code"] != "PARAM_ERROR" || got["err_code_des"] != "sub_appid和sub_openid不匹配" {
		t.Errorf("openid of the other account: %v", got)
	}
}

// Over TLS the calls that move money back ask for the merchant's certificate.
func TestCertificateIsAskedFor(t *testing.T) {
	w := newWorld(t, Options{})
	id, err := w.sim.IdentityWithKeys()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/secapi/pay/refund", "/secapi/pay/refundv2", "/secapi/pay/reverse", "/secapi/pay/facepayreverse", "/pay/downloadfundflow"} {
		for name, tt := range map[string]struct {
			state *tls.ConnectionState
			want  int
		}{"plain": {nil, 200}, "none": {&tls.ConnectionState{}, 400}, "shown": {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate(t, id.MerchantCertificate)}}, 200}} {
			r := httptest.NewRequest("POST", "http://localhost:8081"+path, strings.NewReader(toXML(w.signed(nil, ""))))
			r.TLS = tt.state
			rec := httptest.NewRecorder()
			w.sim.Gateway().ServeHTTP(rec, r)
			if rec.Code != tt.want || (tt.want == 400) != strings.Contains(rec.Body.String(), "No required SSL certificate was sent") {
				t.Errorf("%s %s: status %d, want %d: %s", path, name, rec.Code, tt.want, rec.Body)
			}
		}
	}
}
