//go:build bench && linux

package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// account is the merchant of the bench, at a WeChat that always says yes.
type account struct{ app, appSecret, merchant, key string }

var benchAccount = account{
	app: "wxbe0000000000be01", appSecret: strings.Repeat("b", 32), merchant: "1900000099", key: strings.Repeat("K3y0", 8),
}

// signedXML is fields as a message of WeChat Pay v2, signed with HMAC-SHA256,
// the algorithm that the shop ships with.
func (a account) signedXML(fields map[string]string) []byte {
	var text strings.Builder
	var xml bytes.Buffer
	xml.WriteString("<xml>")
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		fmt.Fprintf(&text, "%s=%s&", name, fields[name])
		fmt.Fprintf(&xml, "<%s><![CDATA[%s]]></%s>\n", name, fields[name], name)
	}
	text.WriteString("key=" + a.key)
	mac := hmac.New(sha256.New, []byte(a.key))
	mac.Write([]byte(text.String()))
	fmt.Fprintf(&xml, "<sign><![CDATA[%X]]></sign></xml>", mac.Sum(nil))
	return xml.Bytes()
}

// placed is the answer to unifiedorder: it names no order, so it is always right.
func (a account) placed() []byte {
	return a.signedXML(map[string]string{
		"return_code": "SUCCESS", "return_msg": "OK", "appid": a.app, "mch_id": a.merchant, "nonce_str": "bench",
		"result_code": "SUCCESS", "prepay_id": "wx00000000000000000000000000000000be", "trade_type": "JSAPI",
	})
}

// paid is the notification that an order was paid.
func (a account) paid(n int64, outTradeNo, openID string, total int64) []byte {
	return a.signedXML(map[string]string{
		"appid": a.app, "bank_type": "OTHERS", "cash_fee": fmt.Sprint(total), "device_info": "WEB", "fee_type": "CNY", "is_subscribe": "N",
		"mch_id": a.merchant, "nonce_str": fmt.Sprintf("%032d", n), "openid": openID, "out_trade_no": outTradeNo,
		"result_code": "SUCCESS", "return_code": "SUCCESS", "time_end": "20261130120000", "total_fee": fmt.Sprint(total),
		"trade_type": "JSAPI", "transaction_id": fmt.Sprintf("42%026d", n),
	})
}
