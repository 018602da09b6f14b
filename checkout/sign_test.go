package checkout_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
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
