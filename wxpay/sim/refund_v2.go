package sim

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"
)

// The refusals of refund and refundquery (WeChat Pay v2, "申请退款", "查询退款").
var (
	errRefundMismatch = businessFail{"INVALID_REQUEST", "订单金额或退款金额与之前请求不一致，请核实后再试"}
	errRefundTooMuch  = businessFail{"ERROR", "累计退款金额大于支付金额"}
	errRefundedWhole  = businessFail{"ERROR", "订单已全额退款"}
	errRefundTooOften = businessFail{"ERROR", "单笔订单最多可发起50次部分退款"}
	errRefundOverdue  = businessFail{"TRADE_OVERDUE", "订单已经超过退款期限"}
	errRefundFunds    = businessFail{"NOTENOUGH", "基本账户余额不足，请充值后重新发起"}
	errRefundTxn      = businessFail{"INVALID_TRANSACTIONID", "无效transaction_id"}
	errNoRefund       = businessFail{"REFUNDNOTEXIST", "not exist"}
	errOffset         = businessFail{"PARAM_ERROR", "offset超过退款总笔数"}
)

// refundNames are the only parameters that refund knows; another one is
// refused by name.
var refundNames = []string{
	"appid", "mch_id", "sub_appid", "sub_mch_id", "nonce_str", "sign", "sign_type", "device_info",
	"transaction_id", "out_trade_no", "out_refund_no", "total_fee", "refund_fee", "refund_fee_type",
	"refund_desc", "refund_account", "notify_url", "op_user_id", "detail", "version",
}

var refundForms = map[string]*regexp.Regexp{
	"out_refund_no":   regexp.MustCompile(`^[0-9A-Za-z_\-|*@]{1,64}$`),
	"total_fee":       forms["total_fee"],
	"refund_fee":      forms["total_fee"],
	"refund_fee_type": forms["fee_type"],
	"refund_account":  regexp.MustCompile(`^REFUND_SOURCE_(UNSETTLED|RECHARGE)_FUNDS$`),
}

// refundOrder accepts a refund, or the same refund again. A yes means
// accepted, not given back (WeChat Pay v2, "申请退款").
func (s *Sim) refundOrder(q v2Request) (map[string]string, string, error) {
	r, total, err := readRefund(q.in)
	if err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	fields, no, err := s.refundLocked(q, r, total)
	s.mu.Unlock()
	if err != nil {
		return nil, no, err
	}
	return fields, no, s.journal.sync()
}

// readRefund checks names, presence and form; total is total_fee.
func readRefund(in map[string]string) (r *refund, total int64, err error) {
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if !slices.Contains(refundNames, name) {
			return nil, 0, protocolFail("不识别的参数" + name)
		}
	}
	if in["transaction_id"] == "" && in["out_trade_no"] == "" || in["out_refund_no"] == "" || in["total_fee"] == "" || in["refund_fee"] == "" {
		return nil, 0, failMissing
	}
	for _, name := range slices.Sorted(maps.Keys(refundForms)) {
		if in[name] != "" && !refundForms[name].MatchString(in[name]) {
			return nil, 0, failFormat(name)
		}
	}
	if utf8.RuneCountInString(in["refund_desc"]) > 80 {
		return nil, 0, failFormat("refund_desc")
	}
	if url := in["notify_url"]; url != "" && (len(url) > 256 || !plainURL(url)) {
		return nil, 0, failFormat("notify_url")
	}
	if txn := in["transaction_id"]; txn != "" && !transactionForm.MatchString(txn) {
		return nil, 0, errRefundTxn
	}
	r = &refund{
		OutRefundNo: in["out_refund_no"], Desc: in["refund_desc"], Account: in["refund_account"],
		NotifyURL: in["notify_url"], Source: sourceAPI,
	}
	if total, err = strconv.ParseInt(in["total_fee"], 10, 64); err != nil {
		return nil, 0, failFormat("total_fee")
	}
	if r.Amount, err = strconv.ParseInt(in["refund_fee"], 10, 64); err != nil {
		return nil, 0, failFormat("refund_fee")
	}
	return r, total, nil
}

func (s *Sim) refundLocked(q v2Request, r *refund, total int64) (map[string]string, string, error) {
	o := s.paidOrder(q)
	if o == nil {
		return nil, "", errNoOrder
	}
	s.ripen(o, s.clock.Now())
	if known := s.ledger.refunds[r.OutRefundNo]; known != nil {
		if known.order != o || known.Amount != r.Amount || total != o.Total {
			return nil, o.No, errRefundMismatch
		}
		return refundFields(known), o.No, nil
	}
	if total != o.Total {
		return nil, o.No, errRefundMismatch
	}
	if err := s.refundable(o, r.Amount); err != nil {
		return nil, o.No, err
	}
	if s.faultFires(faultNotEnough, o.No) {
		return nil, o.No, errRefundFunds
	}
	kept, err := s.acceptRefund(o, r)
	if err != nil {
		return nil, o.No, err
	}
	return refundFields(kept), o.No, nil
}

// paidOrder finds the order that a request is about: transaction_id wins, and
// only a paid order of the same merchant counts. s.mu is held.
func (s *Sim) paidOrder(q v2Request) *order {
	if o := s.askedOrder(q); o != nil && o.payment != nil {
		return o
	}
	return nil
}

// askedOrder finds the order that a request names: transaction_id wins, and
// another sub-merchant's orders do not exist. s.mu is held.
func (s *Sim) askedOrder(q v2Request) *order {
	o := s.ledger.orders[q.in["out_trade_no"]]
	if txn := q.in["transaction_id"]; txn != "" {
		o = s.ledger.byTxn[txn]
	}
	if o == nil || o.SubMchID != q.in["sub_mch_id"] {
		return nil
	}
	return o
}

// refundable checks what is left of a paid order. s.mu is held.
func (s *Sim) refundable(o *order, amount int64) error {
	given := o.refunded()
	switch {
	case !o.reversed.IsZero() || given == o.Total:
		return errRefundedWhole
	case s.clock.Now().Sub(o.payment.At) > refundableFor:
		return errRefundOverdue
	case len(o.refunds) >= maxRefunds:
		return errRefundTooOften
	case amount > o.Total-given:
		return errRefundTooMuch
	}
	return nil
}

// refundFields is the answer to refund.
func refundFields(r *refund) map[string]string {
	o := r.order
	amount, total := strconv.FormatInt(r.Amount, 10), strconv.FormatInt(o.Total, 10)
	return map[string]string{
		"transaction_id": o.payment.TransactionID, "out_trade_no": o.No, "out_refund_no": r.OutRefundNo,
		"refund_id": r.RefundID, "refund_channel": "", "refund_fee": amount, "cash_refund_fee": amount,
		"coupon_refund_fee": "0", "coupon_refund_count": "0", "total_fee": total, "cash_fee": total,
	}
}

// refundPage is how many refunds one answer of refundquery holds.
const refundPage = 10

var offsetForm = regexp.MustCompile(`^[0-9]{1,9}$`)

// refundQuery tells of one refund, or of the refunds of an order: refund_id
// wins over out_refund_no, transaction_id and out_trade_no.
func (s *Sim) refundQuery(q v2Request) (map[string]string, string, error) {
	in := q.in
	offset := 0
	switch {
	case in["refund_id"] == "" && in["out_refund_no"] == "" && in["transaction_id"] == "" && in["out_trade_no"] == "":
		return nil, "", failMissing
	case in["offset"] != "" && !offsetForm.MatchString(in["offset"]):
		return nil, "", failFormat("offset")
	case in["refund_id"] == "" && in["out_refund_no"] == "" && in["transaction_id"] != "" && !transactionForm.MatchString(in["transaction_id"]):
		return nil, "", errRefundTxn
	}
	if in["offset"] != "" {
		offset, _ = strconv.Atoi(in["offset"]) // nine digits at most
	}
	s.mu.Lock()
	fields, no, err := s.refundQueryLocked(q, offset)
	s.mu.Unlock()
	if err != nil {
		return nil, no, err
	}
	return fields, no, s.journal.sync()
}

func (s *Sim) refundQueryLocked(q v2Request, offset int) (map[string]string, string, error) {
	o, one := s.askedRefunds(q)
	if o == nil || o.payment == nil || len(o.refunds) == 0 {
		return nil, "", errNoRefund
	}
	s.ripen(o, s.clock.Now())
	list, total := o.refunds, len(o.refunds)
	switch {
	case one != nil:
		list = []*refund{one}
	case offset > total:
		return nil, o.No, errOffset
	default:
		list = list[offset:min(total, offset+refundPage)]
	}
	fee := strconv.FormatInt(o.Total, 10)
	f := map[string]string{
		"transaction_id": o.payment.TransactionID, "out_trade_no": o.No, "total_fee": fee, "cash_fee": fee, "fee_type": "CNY",
		"total_refund_count": strconv.Itoa(total), "refund_count": strconv.Itoa(len(list)),
	}
	var sum int64
	for n, r := range list {
		sum += r.Amount
		r.queryFields(f, "_"+strconv.Itoa(n))
	}
	f["refund_fee"] = strconv.FormatInt(sum, 10)
	return f, o.No, nil
}

// askedRefunds finds what a refundquery is about: an order and, when it was
// asked for by its own number, one refund. s.mu is held.
func (s *Sim) askedRefunds(q v2Request) (*order, *refund) {
	id, no := q.in["refund_id"], q.in["out_refund_no"]
	if id == "" && no == "" {
		return s.askedOrder(q), nil
	}
	r := s.ledger.refunds[no]
	if id != "" {
		r = s.ledger.byRefundID[id]
	}
	if r == nil || r.order.SubMchID != q.in["sub_mch_id"] {
		return nil, nil
	}
	return r.order, r
}

// queryFields adds a refund with its index.
func (r *refund) queryFields(f map[string]string, n string) {
	f["out_refund_no"+n], f["refund_id"+n] = r.OutRefundNo, r.RefundID
	f["refund_channel"+n], f["refund_status"+n] = "ORIGINAL", v2RefundState(r.State)
	f["refund_fee"+n] = strconv.FormatInt(r.Amount, 10)
	f["refund_account"+n], f["refund_recv_accout"+n] = r.account(), refundRecipient
	if !r.Success.IsZero() {
		f["refund_success_time"+n] = r.Success.In(beijing).Format(refundTime)
	}
}
