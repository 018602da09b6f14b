package wxpay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// ParseNotify verifies a payment notification and opens it (WeChat Pay v3,
// payment notification). What it returns was said by WeChat within the last
// five minutes; whether it fits an order of ours (app id, merchant, payer,
// amount) is for the caller to compare. An amount that is not a whole number
// comes back as Total -1, its text in Raw.
func (g *V3Gateway) ParseNotify(h http.Header, body []byte) (Transaction, error) {
	plain, err := g.opened(h, body, "transaction", "TRANSACTION.")
	if err != nil {
		return Transaction{}, err
	}
	var room [48]jsonNode
	t, err := parseJSON(plain, room[:])
	if err != nil {
		return Transaction{}, fmt.Errorf("%w: the transaction: %w", ErrBadNotify, err)
	}
	x := g.transaction(&t)
	x.said = func() map[string]string { return flatAgain(plain) }
	switch {
	case t.odd != "":
		return Transaction{}, fmt.Errorf("%w: %s is of another kind", ErrBadNotify, excerpt(t.odd))
	case !x.State.Paid():
		return Transaction{}, fmt.Errorf("%w: trade_state is not SUCCESS", ErrBadNotify)
	case x.SubMchID != g.cfg.SubMchID:
		// A service provider has one key for all the merchants it acts for.
		return Transaction{}, errAnothers
	case x.OutTradeNo == "" || x.TransactionID == "":
		return Transaction{}, fmt.Errorf("%w: no out_trade_no or no transaction_id", ErrBadNotify)
	}
	return x, nil
}

// flatAgain is a text that parsed before, for people.
func flatAgain(text string) map[string]string {
	t, err := parseJSON(text, nil)
	if err != nil {
		return nil
	}
	return t.flat()
}

// ParseRefundNotify verifies a refund notification and opens it (WeChat Pay v3,
// refund notification). Unlike v2's it is signed and may be believed, though a
// query tells what is so now. It names no app id. A merchant's refunds on
// pay.weixin.qq.com, and those without a notify URL, are told of in v2's form,
// which is refused here: see [V2Client.ParseRefundNotify].
func (g *V3Gateway) ParseRefundNotify(h http.Header, body []byte) (Refund, error) {
	plain, err := g.opened(h, body, "refund", "REFUND.")
	if err != nil {
		return Refund{}, err
	}
	t, err := parseJSON(plain, nil)
	if err != nil {
		return Refund{}, fmt.Errorf("%w: the refund: %w", ErrBadNotify, err)
	}
	r := g.refund(&t, "refund_status")
	r.MchID, r.SubMchID = ownName(&t, "mchid"), t.text(0, "sub_mchid")
	switch {
	case t.odd != "":
		return Refund{}, fmt.Errorf("%w: %s is of another kind", ErrBadNotify, excerpt(t.odd))
	case r.MchID != g.cfg.MchID || r.SubMchID != g.cfg.SubMchID:
		return Refund{}, errAnothers
	case r.OutRefundNo == "" || r.RefundID == "" || r.OutTradeNo == "" || r.TransactionID == "" || r.State == "":
		return Refund{}, fmt.Errorf("%w: the refund is incomplete", ErrBadNotify)
	}
	return r, nil
}

// opened verifies a notification over its raw bytes and gives what it seals:
// something of that type, and of events of that kind.
func (g *V3Gateway) opened(h http.Header, body []byte, original, events string) (string, error) {
	if len(body) > maxNotify {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrBadNotify, maxNotify)
	}
	if err := g.keys.verify(context.Background(), h, body); err != nil {
		if errors.Is(err, ErrProbe) {
			g.cfg.Log.Info("notification with a signature test refused; the right one follows", "op", "notify")
		}
		return "", err
	}
	var room [24]jsonNode
	t, err := parseJSON(string(body), room[:])
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrBadNotify, err)
	}
	resource := t.object(0, "resource")
	event, kind := t.text(0, "event_type"), t.text(resource, "original_type")
	if t.odd != "" || kind != original || !strings.HasPrefix(event, events) {
		return "", fmt.Errorf("%w: it is about %q, a %q", ErrBadNotify, excerpt(event), excerpt(kind))
	}
	plain, err := g.seal.open(&t, resource)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrBadNotify, err)
	}
	return string(plain), nil
}

// ownName is the field of a merchant's name, or with a service provider that of its own.
func ownName(t *jsonTree, name string) string {
	if v := t.text(0, name); v != "" {
		return v
	}
	return t.text(0, "sp_"+name)
}

// transaction reads what a notification and a query share.
func (g *V3Gateway) transaction(t *jsonTree) Transaction {
	amount, payer := t.object(0, "amount"), t.object(0, "payer")
	x := Transaction{
		Version:       V3,
		State:         TradeState(t.text(0, "trade_state")),
		AppID:         t.text(0, "appid"),
		MchID:         t.text(0, "mchid"),
		SubMchID:      t.text(0, "sub_mchid"),
		OutTradeNo:    t.text(0, "out_trade_no"),
		TransactionID: t.text(0, "transaction_id"),
		TradeType:     TradeType(t.text(0, "trade_type")),
		OpenID:        t.text(payer, "openid"),
		Total:         t.fen(amount, "total"),
		Cash:          t.fen(amount, "payer_total"),
		Currency:      t.text(amount, "currency"),
		BankType:      t.text(0, "bank_type"),
		Attach:        t.text(0, "attach"),
		PaidAt:        parseTimeV3(t.text(0, "success_time")),
	}
	if g.partner() {
		x.AppID, x.MchID, x.OpenID = t.text(0, "sp_appid"), t.text(0, "sp_mchid"), t.text(payer, "sp_openid")
		if sub := t.text(0, "sub_appid"); sub != "" {
			x.AppID, x.OpenID = sub, t.text(payer, "sub_openid")
		}
	}
	if x.Currency == "" {
		x.Currency = "CNY"
	}
	if x.State.Paid() && t.at(amount, "total") < 0 {
		x.Total = unreadable // a payment without an amount is not one of nothing
	}
	return x
}

// Accept says that the notification is stored: 204, and nothing more.
func (g *V3Gateway) Accept() Reply { return Reply{Status: http.StatusNoContent} }

// Reject asks for it again, with a status that says so: 401 when the reason is
// the signature (签名), 500 otherwise. reason is for WeChat's log: a few words.
func (g *V3Gateway) Reject(reason string) Reply {
	status := http.StatusInternalServerError
	if strings.Contains(reason, "签名") {
		status = http.StatusUnauthorized
	}
	reason = strings.Map(func(r rune) rune {
		if r == '"' || r == '\\' || r == '<' || r == '>' || r == '&' {
			return -1
		}
		return r
	}, cleanText(reason, maxBody))
	if reason == "" {
		reason = "失败"
	}
	return Reply{Status: status, ContentType: "application/json; charset=utf-8", Body: []byte(`{"code":"FAIL","message":"` + reason + `"}`)}
}
