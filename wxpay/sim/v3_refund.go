package sim

import (
	"encoding/json"
	"net/http"
)

// The refusals of refunds (WeChat Pay v3, "申请退款", "查询单笔退款").
var (
	errRefundOrderV3    = &v3Fail{status: http.StatusNotFound, code: "RESOURCE_NOT_EXISTS", message: "订单不存在", number: 268512771}
	errNoRefundV3       = &v3Fail{status: http.StatusNotFound, code: "RESOURCE_NOT_EXISTS", message: "退款单不存在"}
	errNoRefundMchV3    = &v3Fail{status: http.StatusNotFound, code: "MCH_NOT_EXISTS", message: "商户号不存在"}
	errRefundTotalV3    = invalidRequest("您的请求参数与订单信息不一致", 0)
	errRefundMismatchV3 = invalidRequest("订单金额或退款金额与之前请求不一致，请核实后再试", 0)
	errRefundTooMuchV3  = invalidRequest("申请退款金额超过订单可退金额", 0)
	errRefundedWholeV3  = invalidRequest("订单已全额退款", 0)
	errRefundTooOftenV3 = invalidRequest("单笔订单最多可发起50次部分退款", 0)
	errRefundFromV3     = invalidRequest("invalid sum from amount", 0)
	errRefundOverdueV3  = &v3Fail{status: http.StatusBadRequest, code: "TRADE_OVERDUE", message: "订单已经超过退款期限"}
	errRefundFundsV3    = &v3Fail{status: http.StatusForbidden, code: "NOT_ENOUGH", message: "基本账户余额不足，请充值后重新发起"}
	errRefundNumberV3   = paramError("transaction_id和out_trade_no必须传一个")
)

// refundPart is money of a refund that one of the merchant's accounts gives.
type refundPart struct {
	Account string `json:"account"`
	Amount  int64  `json:"amount"` // fen
}

// refundJSONV3 is a refund as it comes.
type refundJSONV3 struct {
	TransactionID string `json:"transaction_id"`
	OutTradeNo    string `json:"out_trade_no"`
	OutRefundNo   string `json:"out_refund_no"`
	Reason        string `json:"reason"`
	NotifyURL     string `json:"notify_url"`
	FundsAccount  string `json:"funds_account"`
	Amount        struct {
		Refund int64        `json:"refund"`
		Total  int64        `json:"total"`
		From   []refundPart `json:"from"`
	} `json:"amount"`
	GoodsDetail json.RawMessage `json:"goods_detail"`
}

// fundsAccounts are the names of one account in API v3 and in v2.
var fundsAccounts = map[string]string{"AVAILABLE": "REFUND_SOURCE_RECHARGE_FUNDS", "UNSETTLED": "REFUND_SOURCE_UNSETTLED_FUNDS"}

// refundV3 accepts a refund, or the same refund again. A yes means accepted,
// not given back (WeChat Pay v3, "申请退款").
func (s *Sim) refundV3(q v3Request) (v3Answer, error) {
	var in refundJSONV3
	if err := q.read(&in); err != nil {
		return v3Answer{}, err
	}
	if err := s.checkRefundV3(q, in); err != nil {
		return v3Answer{}, err
	}
	r := &refund{
		API: apiV3, OutRefundNo: in.OutRefundNo, Amount: in.Amount.Refund, Desc: in.Reason, NotifyURL: in.NotifyURL,
		Account: fundsAccounts[in.FundsAccount], From: in.Amount.From, Source: sourceAPI,
	}
	s.mu.Lock()
	a, err := s.refundLockedV3(q, in, r)
	s.mu.Unlock()
	if err != nil {
		return a, err
	}
	return a, s.journal.sync()
}

// checkRefundV3 checks what the form of single fields does not say.
func (s *Sim) checkRefundV3(q v3Request, in refundJSONV3) error {
	var sum int64
	for _, part := range in.Amount.From {
		sum += part.Amount
	}
	switch {
	case in.TransactionID == "" && in.OutTradeNo == "":
		return errRefundNumberV3
	case in.TransactionID != "" && !transactionForm.MatchString(in.TransactionID):
		return errTxnV3
	case in.NotifyURL != "" && !plainURL(in.NotifyURL):
		return (&fieldCheck{source: "body"}).fail(numberIllegal, in.NotifyURL, "输入源“/body/notify_url”映射到值字段“退款结果回调url”字符串规则校验失败，格式不正确")
	case len(in.Amount.From) > 0 && sum != in.Amount.Refund:
		return errRefundFromV3
	}
	return s.knownSubV3(q)
}

// knownSubV3 checks the merchant for whom a provider asks for a refund.
func (s *Sim) knownSubV3(q v3Request) error {
	if sub := q.subMchID(); sub != "" && sub != s.ids.view().SubMchID {
		return errNoRefundMchV3
	}
	return nil
}

func (s *Sim) refundLockedV3(q v3Request, in refundJSONV3, r *refund) (v3Answer, error) {
	o := s.ledger.orders[in.OutTradeNo]
	if in.TransactionID != "" {
		o = s.ledger.byTxn[in.TransactionID]
	}
	switch {
	case o == nil || o.payment == nil:
		return v3Answer{}, errRefundOrderV3
	case o.SubMchID != q.subMchID():
		return v3Answer{}, errStrangerV3
	case in.OutTradeNo != "" && o.No != in.OutTradeNo:
		return v3Answer{no: o.No}, errRefundTotalV3
	}
	a := v3Answer{no: o.No}
	s.ripen(o, s.clock.Now())
	if known := s.ledger.refunds[r.OutRefundNo]; known != nil {
		if known.order != o || known.Amount != r.Amount || in.Amount.Total != o.Total {
			return a, errRefundMismatchV3
		}
		a.body = refundViewV3(known)
		return a, nil
	}
	if in.Amount.Total != o.Total {
		return a, errRefundTotalV3
	}
	if err := s.refundable(o, r.Amount); err != nil {
		return a, err
	}
	if s.faultFires(faultNotEnough, o.No) {
		return a, errRefundFundsV3
	}
	kept, err := s.acceptRefund(o, r)
	if err != nil {
		return a, err
	}
	a.body = refundViewV3(kept)
	return a, nil
}

// queryRefundV3 tells of one refund, of whichever API.
func (s *Sim) queryRefundV3(q v3Request) (v3Answer, error) {
	if err := s.knownSubV3(q); err != nil {
		return v3Answer{}, err
	}
	s.mu.Lock()
	r := s.ledger.refunds[q.path["out_refund_no"]]
	if r == nil || r.order.SubMchID != q.subMchID() {
		s.mu.Unlock()
		return v3Answer{}, errNoRefundV3
	}
	s.ripen(r.order, s.clock.Now())
	a := v3Answer{body: refundViewV3(r), no: r.order.No}
	s.mu.Unlock()
	return a, s.journal.sync()
}

// refundViewV3 is a refund as API v3 answers it; JSON sorts the keys. What is
// not known is left out, times above all. s.mu is held.
func refundViewV3(r *refund) map[string]any {
	o := r.order
	account := "AVAILABLE"
	if r.Account == fundsAccounts["UNSETTLED"] {
		account = "UNSETTLED"
	}
	from := r.From
	if from == nil {
		from = []refundPart{}
	}
	m := map[string]any{
		"refund_id": r.RefundID, "out_refund_no": r.OutRefundNo, "transaction_id": o.payment.TransactionID, "out_trade_no": o.No,
		"channel": "ORIGINAL", "user_received_account": refundRecipient, "create_time": timeV3(r.Created), "status": r.State,
		"funds_account": account, "promotion_detail": []any{},
		"amount": map[string]any{
			"total": o.Total, "refund": r.Amount, "from": from, "payer_total": o.Total, "payer_refund": r.Amount,
			"settlement_refund": r.Amount, "settlement_total": o.Total, "discount_refund": 0, "currency": "CNY", "refund_fee": 0,
		},
	}
	if !r.Success.IsZero() {
		m["success_time"] = timeV3(r.Success)
	}
	return m
}
