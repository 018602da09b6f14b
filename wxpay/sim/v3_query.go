package sim

import (
	"net/http"
	"time"
)

// errTxnV3 is for numbers that WeChat never gives out.
var errTxnV3 = paramError("微信订单号非法")

// queryV3 says what became of an order; by WeChat's number only of a paid one
// (WeChat Pay v3, "微信支付订单号查询订单", "商户订单号查询订单").
func (s *Sim) queryV3(q v3Request) (v3Answer, error) {
	txn := q.path["transaction_id"]
	if txn != "" && !transactionForm.MatchString(txn) {
		return v3Answer{}, errTxnV3
	}
	s.mu.Lock()
	o := s.ledger.orders[q.path["out_trade_no"]]
	if txn != "" {
		o = s.ledger.byTxn[txn]
	}
	if o == nil || o.SubMchID != q.subMchID() {
		defer s.mu.Unlock()
		return v3Answer{}, missingOrderV3(o)
	}
	s.ripen(o, s.clock.Now())
	a := v3Answer{body: transactionV3(o), no: o.No}
	s.mu.Unlock()
	// What we say must still be so after a crash.
	return a, s.journal.sync()
}

// missingOrderV3 tells a number that nobody used from one of somebody else.
func missingOrderV3(o *order) *v3Fail {
	if o == nil {
		return errNoOrderV3
	}
	return errStrangerV3
}

// closeV3 ends an unpaid order for good, as often as one likes. A number that
// was never used cannot be used after that (WeChat Pay v3, "关闭订单").
func (s *Sim) closeV3(q v3Request) (v3Answer, error) {
	no := q.path["out_trade_no"]
	s.race(faultClosePayRace, no)
	s.mu.Lock()
	a, err := s.closeLockedV3(no, q.subMchID())
	s.mu.Unlock()
	if err != nil {
		return a, err
	}
	return a, s.journal.sync()
}

func (s *Sim) closeLockedV3(no, subMchID string) (v3Answer, error) {
	a := v3Answer{no: no}
	o := s.ledger.orders[no]
	switch {
	case o == nil && s.accountLocked().CloseUnknown == closeUnknownRefused:
		return a, errNoOrderV3
	case o == nil:
		a.advice = "没有这个订单号，它从此不能再用了。There is no such order, and from now on the number cannot be used: close only what was ordered."
		if s.ledger.burned[no] {
			return a, nil
		}
		return a, s.commit(&record{Kind: recBurn, No: no})
	case o.SubMchID != subMchID:
		return a, errStrangerV3
	}
	s.ripen(o, s.clock.Now())
	switch {
	case o.payment != nil && o.reversed.IsZero():
		return a, errClosePaidV3
	case !o.closed.IsZero(), !o.reversed.IsZero():
		return a, nil
	}
	if err := s.commitOrder(&record{Kind: recClose, No: no}); err != nil {
		return a, err
	}
	s.log.Info("order closed", "order", no)
	return a, nil
}

// errClosePaidV3 has another number than errPaidV3.
var errClosePaidV3 = &v3Fail{status: http.StatusBadRequest, code: "ORDERPAID", message: "该订单已支付", number: 268498689}

// openFor is how long WeChat keeps an order of API v3 open that nobody pays or
// closes (WeChat Pay v3, "关闭订单").
const openFor = 7 * 24 * time.Hour

// closeForgotten closes an order of API v3 that stood open too long. Nobody
// waits for that: it is done when somebody looks. s.mu is held.
func (s *Sim) closeForgotten(o *order, now time.Time) {
	at := o.Created.Add(openFor)
	if o.API != apiV3 || o.state() != stateNotPay || now.Before(at) {
		return
	}
	if err := s.commitOrder(&record{Kind: recClose, No: o.No, At: at}); err != nil {
		s.log.Error("order not closed", "order", o.No, "err", err)
	}
}
