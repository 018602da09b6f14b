package sim

import (
	"regexp"
	"strconv"
	"time"
)

// The refusals of orderquery and closeorder (WeChat Pay v2, "查询订单", "关闭订单").
var (
	errNoOrder     = businessFail{"ORDERNOTEXIST", "订单不存在"}
	errBadTxn      = businessFail{"PARAM_ERROR", "微信订单号非法"}
	errClosePaid   = businessFail{"ORDERPAID", "订单已支付"}
	errCloseClosed = businessFail{"ORDERCLOSED", "订单已关闭"}
)

var transactionForm = regexp.MustCompile(`^[0-9]{28}$`)

// orderQuery says what became of an order; transaction_id wins over out_trade_no.
func (s *Sim) orderQuery(q v2Request) (map[string]string, string, error) {
	txn, no := q.in["transaction_id"], q.in["out_trade_no"]
	switch {
	case txn == "" && no == "":
		return nil, "", failMissing
	case txn != "" && !transactionForm.MatchString(txn):
		return nil, "", errBadTxn
	}
	s.mu.Lock()
	o := s.askedOrder(q)
	var fields map[string]string
	if o != nil {
		s.ripen(o, s.clock.Now())
		fields = queryFields(o)
	}
	s.mu.Unlock()
	if fields == nil {
		return nil, "", errNoOrder
	}
	// What we say must still be so after a crash.
	return fields, fields["out_trade_no"], s.journal.sync()
}

// queryFields has few fields for an order that nobody paid.
func queryFields(o *order) map[string]string {
	f := map[string]string{"total_fee": strconv.FormatInt(o.Total, 10), "out_trade_no": o.No, "device_info": o.DeviceInfo}
	if o.payment != nil {
		f = paymentFields(o, o.payment)
		sandboxFields(o, f, false)
		f["device_info"], f["attach"] = o.DeviceInfo, o.Attach // empty elements, as in real answers
	} else if o.byCode() {
		f["attach"] = ""
	}
	if o.SubAppID != "" {
		f["sub_appid"] = o.SubAppID
	}
	f["trade_state"], f["trade_state_desc"] = o.state(), o.stateDesc()
	return f
}

// closeFrom is how old an order has to be to be closed for certain; before,
// the answer may be SUCCESS without effect (WeChat Pay v2, "关闭订单").
const closeFrom = 5 * time.Minute

// closeOrder ends an unpaid order for good.
func (s *Sim) closeOrder(q v2Request) (map[string]string, string, error) {
	no := q.in["out_trade_no"]
	if no == "" {
		return nil, "", failMissing
	}
	s.mu.Lock()
	err := s.closeLocked(q)
	s.mu.Unlock()
	if err != nil {
		return nil, "", err
	}
	return map[string]string{"result_msg": "OK", "sub_mch_id": q.in["sub_mch_id"]}, no, s.journal.sync()
}

func (s *Sim) closeLocked(q v2Request) error {
	no := q.in["out_trade_no"]
	o := s.ledger.orders[no]
	if o == nil || o.SubMchID != q.in["sub_mch_id"] {
		return errNoOrder
	}
	s.ripen(o, s.clock.Now())
	switch {
	case !o.closed.IsZero(), !o.reversed.IsZero():
		return errCloseClosed
	case o.payment != nil:
		return errClosePaid
	case s.clock.Now().Sub(o.Created) < closeFrom && s.faultFires(faultCloseIgnored, no):
		return nil
	}
	if err := s.commitOrder(&record{Kind: recClose, No: no}); err != nil {
		return err
	}
	s.log.Info("order closed", "order", no)
	return nil
}
