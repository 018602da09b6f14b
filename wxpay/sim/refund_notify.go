package sim

import (
	"crypto/aes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// refundTime is the form of times in refunds and bills, in Beijing.
const refundTime = "2006-01-02 15:04:05"

// refundRecipient is refund_recv_accout: every simulated payer pays from the wallet.
const refundRecipient = "支付用户零钱"

// refundMessage are the fields of a refund notification, outside and sealed
// inside (WeChat Pay v2, "退款结果通知").
func refundMessage(r *refund) (outer, inner map[string]string) {
	o := r.order
	outer = map[string]string{"return_code": "SUCCESS", "appid": o.AppID, "mch_id": o.MchID}
	for name, value := range map[string]string{"sub_mch_id": o.SubMchID, "sub_appid": o.SubAppID} {
		if value != "" {
			outer[name] = value
		}
	}
	amount, total := strconv.FormatInt(r.Amount, 10), strconv.FormatInt(o.Total, 10)
	inner = map[string]string{
		"transaction_id": o.payment.TransactionID, "out_trade_no": o.No,
		"refund_id": r.RefundID, "out_refund_no": r.OutRefundNo,
		"total_fee": total, "settlement_total_fee": total,
		"refund_fee": amount, "settlement_refund_fee": amount,
		"refund_status": v2RefundState(r.State), "refund_recv_accout": refundRecipient,
		"refund_account": r.account(), "refund_request_source": r.Source,
	}
	if !r.Success.IsZero() {
		inner["success_time"] = r.Success.In(beijing).Format(refundTime)
	}
	return outer, inner
}

func (r *refund) account() string {
	if r.Account == "" {
		return "REFUND_SOURCE_RECHARGE_FUNDS"
	}
	return r.Account
}

// sealedMessage writes a refund notification: unsigned, the fields that matter
// encrypted in req_info.
func (s *Sim) sealedMessage(outer, inner map[string]string) (message, error) {
	return s.sealedMessageWith(outer, inner, s.ids.view().APIKey)
}

func (s *Sim) sealedMessageWith(outer, inner map[string]string, apiKey string) (message, error) {
	r := s.draw("refund notification")
	outer["nonce_str"] = pick(r, alphanum, 32)
	inner[newFieldNames[r.IntN(len(newFieldNames))]] = pick(r, alphanum, 8)
	sealed, err := seal(rootDocument(inner), apiKey)
	if err != nil {
		return message{}, err
	}
	outer["req_info"] = sealed
	list := make([]field, 0, len(outer))
	for _, name := range slices.Sorted(maps.Keys(outer)) {
		list = append(list, field{name, outer[name]})
	}
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return newMessage(writeXML(list, nil), r), nil
}

// rootDocument is the plain text of req_info: sorted, one element to a line,
// every value in CDATA, no line feed at the end.
func rootDocument(fields map[string]string) []byte {
	var b strings.Builder
	b.WriteString("<root>\n")
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		b.WriteString("<" + name + "><![CDATA[" + fields[name] + "]]></" + name + ">\n")
	}
	b.WriteString("</root>")
	return []byte(b.String())
}

// seal encrypts with AES-256-ECB and PKCS#7. The AES key is the text of the
// lower-case hexadecimal MD5 of the API key (WeChat Pay v2, "退款结果通知").
func seal(plain []byte, apiKey string) (string, error) {
	sum := md5.Sum([]byte(apiKey))
	return sealWith(plain, []byte(hex.EncodeToString(sum[:])))
}

func sealWith(plain, key []byte) (string, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	text := append(slices.Clone(plain), slices.Repeat([]byte{byte(pad)}, pad)...)
	for at := 0; at < len(text); at += aes.BlockSize {
		block.Encrypt(text[at:at+aes.BlockSize], text[at:at+aes.BlockSize])
	}
	return base64.StdEncoding.EncodeToString(text), nil
}
