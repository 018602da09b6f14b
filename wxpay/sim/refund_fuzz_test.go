package sim

import (
	"strings"
	"testing"
)

// FuzzMoneyCalls sends well-signed calls with any fields to every endpoint of
// money: nothing breaks, every answer is a document, and an order never gives
// back more than was paid.
func FuzzMoneyCalls(f *testing.F) {
	paths := []string{
		"/secapi/pay/refund", "/pay/refundquery", "/pay/micropay", "/pay/facepay", "/secapi/pay/reverse", "/pay/downloadbill",
		"/pay/downloadfundflow", "/face/get_wxpayface_authinfo", "/tools/authcodetoopenid", "/tools/shorturl", "/payitil/report",
	}
	f.Add(0, "out_trade_no=fuzz000001&out_refund_no=R1&total_fee=888&refund_fee=600")
	f.Add(0, "out_trade_no=fuzz000001&out_refund_no=R2&total_fee=888&refund_fee=9223372036854775807")
	f.Add(1, "out_trade_no=fuzz000001&offset=999999999")
	f.Add(2, "body=x&out_trade_no=fuzz000002&total_fee=1&spbill_create_ip=::1&auth_code=130000000000000000")
	f.Add(3, "body=x&out_trade_no=fuzz000002&total_fee=1&spbill_create_ip=::1&face_code=x")
	f.Add(4, "out_trade_no=fuzz000001")
	f.Add(5, "bill_date=20260101&bill_type=ALL&tar_type=GZIP")
	f.Add(6, "bill_date=00000000&account_type=Basic")
	f.Add(7, "store_id=1&store_name=1&device_id=1&rawdata=1&now=1&version=1&sign_type=MD5")
	f.Add(9, "long_url=weixin://wxpay/bizpayurl?x")
	f.Add(10, "interface_url=x&user_ip=x&trades=[]")
	f.Fuzz(func(t *testing.T, path int, query string) {
		if path < 0 || path >= len(paths) || len(query) > 4096 {
			t.Skip()
		}
		w := newWorld(t, Options{})
		w.paid("fuzz000001")
		fields := map[string]string{}
		for _, pair := range strings.Split(query, "&") {
			name, value, _ := strings.Cut(pair, "=")
			if name == "" || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz_") != "" || strings.Contains("sign appid mch_id nonce_str", name) || !legalXML(value) {
				continue
			}
			fields[name] = value
		}
		for range 2 { // the same again must be the same
			body := w.do("POST", paths[path], toXML(w.signed(fields, fields["sign_type"]))).Body.Bytes()
			if _, err := readXML(body); err != nil && !strings.HasPrefix(string(body), bom) && !strings.HasPrefix(string(body), "\x1f\x8b") {
				t.Fatalf("%s answers %q", paths[path], body)
			}
		}
		for _, tx := range w.sim.transactionViews(10) {
			var given int64
			for _, r := range tx.Refunds {
				given += r.Amount
			}
			if given > tx.Total || len(tx.Refunds) > 1 {
				t.Fatalf("%s of %d gives back %d", tx.OutTradeNo, tx.Total, given)
			}
		}
	})
}
