package checkout_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"wxshop/wxpay"
)

// signedOK is a minimal signed SUCCESS of WeChat, written from the document
// (WeChat Pay v2, signing), for answers that lie.
func signedOK(appID, mchID, key string) string {
	text := "appid=" + appID + "&mch_id=" + mchID + "&nonce_str=n&result_code=SUCCESS&return_code=SUCCESS&return_msg=OK&key=" + key
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return fmt.Sprintf("<xml><return_code>SUCCESS</return_code><return_msg>OK</return_msg><result_code>SUCCESS</result_code>"+
		"<appid>%s</appid><mch_id>%s</mch_id><nonce_str>n</nonce_str><sign>%s</sign></xml>",
		appID, mchID, strings.ToUpper(hex.EncodeToString(h.Sum(nil))))
}

// signedPaid is the answer to a query about a payment, for amounts that WeChat
// would not have.
func signedPaid(key string, x wxpay.Transaction) string {
	m := map[string]string{"return_code": "SUCCESS", "return_msg": "OK", "result_code": "SUCCESS", "appid": x.AppID, "mch_id": x.MchID,
		"nonce_str": "n", "trade_state": "SUCCESS", "out_trade_no": x.OutTradeNo, "transaction_id": x.TransactionID, "openid": x.OpenID,
		"trade_type": string(x.TradeType), "bank_type": "OTHERS", "total_fee": fmt.Sprint(x.Total), "cash_fee": fmt.Sprint(x.Total), "time_end": "20261119200000"}
	var names []string
	for k := range m {
		names = append(names, k)
	}
	slices.Sort(names)
	var text, out strings.Builder
	out.WriteString("<xml>")
	for _, k := range names {
		fmt.Fprintf(&text, "%s=%s&", k, m[k])
		fmt.Fprintf(&out, "<%s>%s</%s>", k, m[k], k)
	}
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text.String() + "key=" + key))
	fmt.Fprintf(&out, "<sign>%s</sign></xml>", strings.ToUpper(hex.EncodeToString(h.Sum(nil))))
	return out.String()
}
