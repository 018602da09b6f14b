package wxpay

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
)

// refundV3 is the body of a refund (WeChat Pay v3, applying for a refund).
type refundV3 struct {
	SubMchID    string         `json:"sub_mchid,omitempty"`
	OutTradeNo  string         `json:"out_trade_no"`
	OutRefundNo string         `json:"out_refund_no"`
	Reason      string         `json:"reason,omitempty"`
	NotifyURL   string         `json:"notify_url"`
	Amount      refundAmountV3 `json:"amount"`
}

type refundAmountV3 struct {
	Refund   int64  `json:"refund"` // fen
	Total    int64  `json:"total"`  // fen, of the order
	Currency string `json:"currency"`
}

const refundsPath = "/v3/refund/domestic/refunds"

// Refund asks for money to be given back (WeChat Pay v3, applying for a
// refund). The answer says that WeChat took the order to do so; its State may
// be further already. o needs a NotifyURL: without one, WeChat tells of the
// refund in v2's form, or not at all.
func (g *V3Gateway) Refund(ctx context.Context, o RefundOrder) (Refund, error) {
	err := checkRefund(o)
	if err == nil && o.NotifyURL == "" {
		err = errors.New("a refund needs a notify URL")
	}
	if err != nil {
		return Refund{}, &Error{Op: opRefund, Message: err.Error()}
	}
	body, err := json.Marshal(refundV3{
		SubMchID: g.cfg.SubMchID, OutTradeNo: o.OutTradeNo, OutRefundNo: o.OutRefundNo, Reason: cleanText(o.Reason, maxReason),
		NotifyURL: o.NotifyURL, Amount: refundAmountV3{o.Amount, o.Total, "CNY"},
	})
	if err != nil {
		return Refund{}, &Error{Op: opRefund, Err: err}
	}
	r, err := g.askRefund(ctx, callV3{
		op: opRefund, method: http.MethodPost, path: refundsPath, body: body, no: o.OutTradeNo, refundNo: o.OutRefundNo,
	})
	switch {
	case err != nil:
		return Refund{}, err
	case r.OutRefundNo != o.OutRefundNo, r.OutTradeNo != o.OutTradeNo, r.Amount != o.Amount:
		return Refund{}, incomplete(opRefund, "the answer is about another refund")
	}
	return r, nil
}

// QueryRefund asks what became of one refund (WeChat Pay v3, query of one
// refund).
func (g *V3Gateway) QueryRefund(ctx context.Context, r RefundRef) (Refund, error) {
	if !goodRefundNo(r.OutRefundNo) {
		return Refund{}, &Error{Op: opRefundAsk, Message: badRefundNo(r.OutRefundNo).Error()}
	}
	path := refundsPath + "/" + url.PathEscape(r.OutRefundNo)
	if g.partner() {
		path += "?sub_mchid=" + g.cfg.SubMchID
	}
	x, err := g.askRefund(ctx, callV3{op: opRefundAsk, method: http.MethodGet, path: path, refundNo: r.OutRefundNo})
	if err == nil && x.OutRefundNo != r.OutRefundNo {
		return Refund{}, incomplete(opRefundAsk, "the answer is about another refund")
	}
	return x, err
}

func (g *V3Gateway) askRefund(ctx context.Context, c callV3) (Refund, error) {
	t, err := g.ask(ctx, c)
	if err != nil {
		return Refund{}, err
	}
	r := g.refund(t, "status")
	r.MchID, r.SubMchID = g.cfg.MchID, g.cfg.SubMchID // the answer names neither
	switch {
	case t.odd != "":
		return Refund{}, incomplete(c.op, "the answer has "+excerpt(t.odd)+" of another kind")
	case r.State == "" || r.OutRefundNo == "" || r.RefundID == "":
		return Refund{}, incomplete(c.op, "the answer is incomplete")
	}
	return r, nil
}

// refund reads one refund, whose state stands in a field of that name.
func (g *V3Gateway) refund(t *jsonTree, state string) Refund {
	amount := t.object(0, "amount")
	return Refund{
		Version:       V3,
		State:         RefundState(t.text(0, state)),
		OutRefundNo:   t.text(0, "out_refund_no"),
		RefundID:      t.text(0, "refund_id"),
		OutTradeNo:    t.text(0, "out_trade_no"),
		TransactionID: t.text(0, "transaction_id"),
		Total:         t.presentFen(amount, "total"),
		Amount:        t.presentFen(amount, "refund"),
		SucceededAt:   parseTimeV3(t.text(0, "success_time")),
		Account:       t.text(0, "user_received_account"),
		Raw:           t.flat(),
	}
}
