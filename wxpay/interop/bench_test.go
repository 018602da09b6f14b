package interop

import (
	"bytes"
	"net/http"
	"strconv"
	"testing"

	"github.com/go-pay/gopay"
	"github.com/go-pay/gopay/wechat"

	"wxshop/wxpay"
)

const benchKey = "192006250b4c09247ec02edce69f6a2d"

// notification is one of 28 fields as WeChat sends them, signed with MD5 by
// the stranger.
func notification(b *testing.B) []byte {
	b.Helper()
	bm := gopay.BodyMap{}
	for k, v := range map[string]string{
		"appid": "wx8888888888888888", "mch_id": "1900000109", "device_info": "WEB", "nonce_str": "N0nceN0nceN0nce1N0nceN0nceN0nce1",
		"return_code": "SUCCESS", "result_code": "SUCCESS", "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "is_subscribe": "Y",
		"trade_type": "JSAPI", "bank_type": "OTHERS", "total_fee": "888", "settlement_total_fee": "848", "fee_type": "CNY",
		"cash_fee": "788", "cash_fee_type": "CNY", "coupon_fee": "100", "coupon_count": "2", "coupon_type_0": "CASH", "coupon_id_0": "10000",
		"coupon_fee_0": "60", "coupon_type_1": "NO_CASH", "coupon_id_1": "10001", "coupon_fee_1": "40",
		"transaction_id": "4200000001202508061234567890", "out_trade_no": "P261119H4WB6YK2N8FJ3TSV", "attach": "a=1&b=2", "time_end": "20250806125400",
	} {
		bm.Set(k, v)
	}
	bm.Set("sign", wechat.GetReleaseSign(benchKey, wechat.SignType_MD5, bm))
	return []byte(wechat.GenerateXml(bm))
}

func BenchmarkV2NotifyOurs(b *testing.B) {
	body := notification(b)
	c, err := wxpay.NewV2(wxpay.Config{AppID: "wx8888888888888888", MchID: "1900000109", APIKey: benchKey, SignType: wxpay.MD5})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.ParseNotify(nil, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkV2NotifyGopay(b *testing.B) {
	body := notification(b)
	head := http.Header{"Content-Type": {"text/xml"}, "Content-Length": {strconv.Itoa(len(body))}}
	b.ReportAllocs()
	for b.Loop() {
		r := &http.Request{Method: http.MethodPost, Header: head, Body: readCloser{bytes.NewReader(body)}}
		bm, err := wechat.ParseNotifyToBodyMap(r)
		if err != nil {
			b.Fatal(err)
		}
		if ok, err := wechat.VerifySign(benchKey, wechat.SignType_MD5, bm); err != nil || !ok {
			b.Fatal(ok, err)
		}
	}
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }
