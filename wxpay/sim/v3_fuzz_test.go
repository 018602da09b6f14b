package sim

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzCallsV3 sends well-signed calls with any path and body: nothing breaks,
// every refusal is WeChat's JSON, every yes is signed, the same call again
// changes nothing more, and no order gives back more than was paid.
func FuzzCallsV3(f *testing.F) {
	const close = "/v3/pay/transactions/out-trade-no/fuzz000001/close"
	f.Add("POST", jsapiV3, `{"appid":"wxf000000000000001","mchid":"1900000001","description":"x","out_trade_no":"fuzz000002","notify_url":"http://localhost/n","amount":{"total":1},"payer":{"openid":"o"}}`)
	f.Add("POST", "/v3/pay/transactions/native", `{"appid":"wxf000000000000001","mchid":"1900000001","description":"x","out_trade_no":"fuzz000002","notify_url":"http://localhost/n","amount":{"total":9999999999},"detail":{"goods_detail":[{"merchant_goods_id":"1","quantity":1,"unit_price":0}]}}`)
	f.Add("POST", "/v3/pay/partner/transactions/h5", `{"sp_appid":"","scene_info":{"h5_info":{"type":"Wap"}}}`)
	f.Add("POST", refundsV3, `{"out_trade_no":"fuzz000001","out_refund_no":"R1","amount":{"refund":600,"total":888,"currency":"CNY","from":[{"account":"AVAILABLE","amount":600}]}}`)
	f.Add("POST", refundsV3, `{"out_trade_no":"fuzz000001","out_refund_no":"R1","amount":{"refund":9223372036854775807,"total":888,"currency":"CNY"}}`)
	f.Add("POST", refundsV3+"/50000/apply-abnormal-refund", `{"out_refund_no":"R1","type":"USER_BANK_CARD","bank_type":"x","bank_account":"eA==","real_name":"eA=="}`)
	f.Add("POST", close, `{"mchid":"1900000001"}`)
	f.Add("POST", close, `{"mchid":"1900000001","mchid":null}`)
	f.Add("POST", close, `{"x":`+strings.Repeat(`{"a":`, 40)+"1"+strings.Repeat("}", 41))
	f.Add("GET", "/v3/pay/transactions/id/4200000000202601010000000000?mchid=1900000001", "")
	f.Add("GET", "/v3/bill/tradebill?bill_date=2026-01-01&tar_type=GZIP", "")
	f.Add("GET", "/v3/bill/fundflowbill?bill_date=0000-00-00", "")
	f.Add("GET", "/v3/billdownload/file?token=%zz", "")
	f.Fuzz(func(t *testing.T, method, target, body string) {
		if method != "GET" && method != "POST" || !strings.HasPrefix(target, "/v3/") || len(target)+len(body) > 4096 ||
			strings.Trim(target, "/?=&%abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_|*@.") != "" || strings.Contains(target, "/.") || strings.Contains(target, "//") {
			t.Skip()
		}
		w := newWorld(t, Options{})
		w.orderV3("fuzz000001")
		w.pay("fuzz000001")
		for range 2 {
			rec := w.v3(method, target, body)
			signed := rec.Header().Get("Wechatpay-Signature") != ""
			switch {
			case rec.Code/100 == 2:
				w.mustVerify(rec.Header(), rec.Body.Bytes())
			case (rec.Code == 404 || rec.Code == 405) && rec.Body.Len() == 0 && !signed:
			case rec.Code == 500, !utf8.Valid(rec.Body.Bytes()):
				t.Fatalf("%d %q", rec.Code, rec.Body)
			default:
				var no struct{ Code, Message string }
				if err := json.Unmarshal(rec.Body.Bytes(), &no); err != nil || no.Code == "" || no.Message == "" {
					t.Fatalf("%d %q: %v", rec.Code, rec.Body, err)
				}
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

// FuzzFieldsV3 reads any body beside the documentation of an order: what
// passes has every parameter that must be there, and nothing else.
func FuzzFieldsV3(f *testing.F) {
	for _, body := range []string{
		`{"appid":"a","mchid":"b","description":"c","out_trade_no":"123456","notify_url":"d","amount":{"total":1}}`,
		` { "amount" : { "total" : -0 } } `, `{"amount":{"total":1e2}}`, `{"payer":{"openid":"\ud83d\ude00"}}`, `{"limit_pay":["no_credit",1]}`,
		`{"detail":{"goods_detail":[{}]}}`, `{"a~/b":{"":[]}}`, `{"appid":null}`,
	} {
		f.Add([]byte(body))
	}
	fields := prepayFields("JSAPI", false)
	f.Fuzz(func(t *testing.T, body []byte) {
		if !utf8.Valid(body) || !json.Valid(body) || firstByte(body) != '{' {
			t.Skip()
		}
		if e := checkFields("body", fields, body); e != nil {
			if !json.Valid(e.body()) {
				t.Fatalf("the refusal is %s", e.body())
			}
			return
		}
		var in prepayJSON
		if err := json.Unmarshal(body, &in); err != nil {
			t.Fatalf("passed, but: %v", err)
		}
		if in.AppID == "" || in.OutTradeNo == "" || in.NotifyURL == "" || in.Amount.Total < 1 || len(in.Description) > 127 {
			t.Fatalf("passed: %+v", in)
		}
	})
}
