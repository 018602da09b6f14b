package wxpay

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// ParseNotify verifies a payment notification (WeChat Pay v2, payment result
// notification). What it returns was said by WeChat; whether it fits an order
// of ours (app id, merchant, payer, amount) is for the caller to compare. An
// amount that is not a number comes back as Total -1, its text in Raw.
func (c *V2Client) ParseNotify(_ http.Header, body []byte) (Transaction, error) {
	var usual [48]field // room on the stack for what WeChat sends in practice
	text := string(body)
	m, err := decode(text, maxNotify, usual[:0])
	if err != nil {
		return Transaction{}, fmt.Errorf("%w: %w", ErrBadNotify, err)
	}
	t, err := c.verifyNotify(m)
	if err != nil {
		return Transaction{}, err
	}
	x, err := c.notified(m, t)
	if err == nil {
		x.said = func() map[string]string { return readAgain(text) }
	}
	return x, err
}

// readAgain is a text that decoded before, for people.
func readAgain(text string) map[string]string {
	m, err := decode(text, maxNotify, nil)
	if err != nil {
		return nil
	}
	return redactedMap(m)
}

// verifyNotify returns the algorithm by which m is signed. A merchant who
// orders with HMAC-SHA256 gets no MD5 back: that would be somebody's downgrade.
// The reverse is stronger than asked for and happens while settings change.
func (c *V2Client) verifyNotify(m message) (SignType, error) {
	if m.get("return_code") != "SUCCESS" {
		return "", fmt.Errorf("%w: return_code is not SUCCESS", ErrBadNotify)
	}
	t := signTypeOf(m.get("sign"))
	if t == MD5 && c.cfg.SignType != MD5 {
		return "", fmt.Errorf("%w: MD5 where HMAC-SHA256 was agreed", ErrSignature)
	}
	return t, c.keys.verify(m, t)
}

// notified reads a verified notification.
func (c *V2Client) notified(m message, t SignType) (Transaction, error) {
	if m.get("result_code") != "SUCCESS" {
		return Transaction{}, fmt.Errorf("%w: result_code is not SUCCESS", ErrBadNotify)
	}
	// An answer to a query is signed with the same key and looks much alike,
	// also when it says NOTPAY. Only a query has a trade_state.
	if m.get("trade_state") != "" {
		return Transaction{}, fmt.Errorf("%w: it is the answer to a query", ErrBadNotify)
	}
	// A service provider has one key for all the merchants it acts for, so a
	// good signature does not yet say whose money it is.
	if m.get("sub_mch_id") != c.cfg.SubMchID {
		return Transaction{}, errAnothers
	}
	for _, name := range []string{"out_trade_no", "transaction_id"} {
		if m.get(name) == "" {
			return Transaction{}, fmt.Errorf("%w: no %s", ErrBadNotify, name)
		}
	}
	x := c.transaction(m, Success)
	x.SignType = t
	return x, nil
}

// transaction reads the fields that a notification and a query share.
func (c *V2Client) transaction(m message, state TradeState) Transaction {
	x := Transaction{
		Version:       V2,
		State:         state,
		AppID:         m.get("appid"),
		MchID:         m.get("mch_id"),
		SubMchID:      m.get("sub_mch_id"),
		OutTradeNo:    m.get("out_trade_no"),
		TransactionID: m.get("transaction_id"),
		TradeType:     TradeType(m.get("trade_type")),
		OpenID:        m.get("openid"),
		Total:         fen(m.get("total_fee")),
		Cash:          fen(m.get("cash_fee")),
		Currency:      m.get("fee_type"),
		BankType:      m.get("bank_type"),
		Attach:        m.get("attach"),
		PaidAt:        parseTime(m.get("time_end")),
	}
	if sub := m.get("sub_appid"); sub != "" && c.cfg.SubMchID != "" {
		x.AppID, x.OpenID = sub, m.get("sub_openid")
	}
	if x.Currency == "" {
		x.Currency = "CNY"
	}
	if state.Paid() && m.get("total_fee") == "" {
		x.Total = unreadable // a payment without an amount is not one of nothing
	}
	return x
}

// unreadable stands for an amount that is not a number. No order has it.
const unreadable = -1

// fen reads an amount: digits only, no sign, no point, no leading zero. Absent
// is 0.
func fen(s string) int64 {
	if s == "" {
		return 0
	}
	if len(s) > 15 || s[0] == '0' && len(s) > 1 {
		return unreadable
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return unreadable
		}
		n = 10*n + int64(s[i]-'0')
	}
	return n
}

// parseTime reads yyyyMMddHHmmss of Beijing; zero when it is not one.
func parseTime(s string) time.Time {
	t, err := time.ParseInLocation(wireTime, s, beijing)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// The exact bytes of an acknowledgement. Anything around them, and WeChat
// sends again (WeChat Pay v2, payment result notification).
const (
	ackSuccess = "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"
	ackFail    = "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[%s]]></return_msg></xml>"
)

// Accept says that the notification is stored.
func (c *V2Client) Accept() Reply { return xmlReply(ackSuccess) }

// Reject asks for it again. reason is for WeChat's log: a few words.
func (c *V2Client) Reject(reason string) Reply {
	reason = strings.ReplaceAll(cleanText(reason, maxBody), "]", "") // nothing may end the CDATA
	if reason == "" {
		reason = "失败"
	}
	return xmlReply(fmt.Sprintf(ackFail, reason))
}

func xmlReply(body string) Reply {
	return Reply{Status: http.StatusOK, ContentType: "text/xml; charset=utf-8", Body: []byte(body)}
}
