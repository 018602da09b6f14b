package sim

import (
	"errors"
	"time"

	"wxshop/wxpay/sim/console"
)

// The trade types of cash desks.
const (
	tradeMicropay = "MICROPAY"
	tradeFacepay  = "FACEPAY"
)

// The refusals of micropay, facepay and their reversal (WeChat Pay v2,
// "付款码支付", "撤销订单").
var (
	errUserPaying   = businessFail{"USERPAYING", "需要用户输入支付密码"}
	errNoPassword   = businessFail{"TRADE_ERROR", "用户没有输入支付密码"}
	errPayFailed    = businessFail{"TRADE_ERROR", "支付失败"}
	errPayerFunds   = businessFail{"NOTENOUGH", "余额不足"}
	errReversed     = businessFail{"ORDERREVERSED", "订单已撤销"}
	errReverseKind  = businessFail{"INVALID_REQUEST", "该订单不支持撤销"}
	errReverseLate  = businessFail{"REVERSE_EXPIRE", "订单撤销超时"}
	errReverseAfter = businessFail{"TRADE_ERROR", "订单已发生退款，不能撤销"}
)

const reversableFor = 7 * 24 * time.Hour

// micropay charges the person whose payment code was read.
func (s *Sim) micropay(q v2Request) (map[string]string, string, error) {
	return s.charge(q, tradeMicropay, "auth_code")
}

// facepay charges the person whose face was recognised.
func (s *Sim) facepay(q v2Request) (map[string]string, string, error) {
	return s.charge(q, tradeFacepay, "face_code")
}

func (s *Sim) charge(q v2Request, tradeType, codeName string) (map[string]string, string, error) {
	for _, name := range []string{"body", "out_trade_no", "total_fee", "spbill_create_ip", codeName} {
		if q.in[name] == "" {
			return nil, "", failMissing
		}
	}
	o, expires, err := readOrder(q)
	if err != nil {
		return nil, "", err
	}
	o.TradeType, o.Code = tradeType, q.in[codeName]
	s.mu.Lock()
	fields, err := s.chargeLocked(o, expires)
	s.mu.Unlock()
	// A refusal changes the ledger too: it must be durable before it is heard.
	if broken := s.journal.sync(); broken != nil {
		return nil, o.No, broken
	}
	return fields, o.No, err
}

func (s *Sim) chargeLocked(o *order, expires time.Time) (map[string]string, error) {
	now := s.clock.Now()
	if known := s.ledger.orders[o.No]; known != nil {
		s.ripen(known, now)
		return nil, chargedBefore(known, o)
	}
	if !expires.IsZero() && expires.Sub(s.opts.Now()) < minExpiry {
		return nil, failExpire
	}
	c, err := s.goodCode(o.Code)
	if err != nil {
		return nil, err
	}
	if o.TradeType == tradeFacepay && !c.Face {
		return nil, errCodeUnknown
	}
	u := s.ledger.userByID(c.User)
	if o.OpenID != "" && o.OpenID != u.openIDFor(o.AppID) {
		return nil, errOpenID
	}
	o.OpenID = u.openIDFor(o.AppID)
	s.completeOrder(o, expires, now)
	return s.takeCode(o, u, s.codeVerdict(o, u, c))
}

// chargedBefore is the answer when an order number comes again.
func chargedBefore(known, o *order) error {
	if o.OpenID == "" {
		o.OpenID = known.OpenID
	}
	switch {
	case !known.reversed.IsZero():
		return errReversed
	case known.payment != nil:
		return errOrderPaid
	case !known.closed.IsZero():
		return errOrderClosed
	case !sameOrder(known, o):
		return errNoUsed
	case known.failed == errPayerFunds.text:
		return errPayerFunds
	case known.failed == errPayFailed.text:
		return errPayFailed
	case known.failed != "":
		return errNoPassword
	default:
		return errUserPaying
	}
}

// codeVerdict is what becomes of a payment with a good code; nil: it is paid.
func (s *Sim) codeVerdict(o *order, u *user, c *paycode) error {
	switch s.scenarios.outcome(o.No) {
	case outcomeNotEnough:
		return errPayerFunds
	case outcomeCancel:
		return errNoPassword
	case outcomeFail:
		return errPayFailed
	case outcomeWrongPassword:
		return errUserPaying
	}
	switch {
	case s.faultFires(faultNotEnough, o.No), u.Balance < o.Total:
		return errPayerFunds
	case s.faultFires(faultUserPaying, o.No), o.Total > freeOfCheck, c.Asks:
		return errUserPaying
	}
	return nil
}

// takeCode keeps an order with what became of it. s.mu is held.
func (s *Sim) takeCode(o *order, u *user, verdict error) (map[string]string, error) {
	rec := &record{Kind: recOrder, At: o.Created, Order: o}
	var no businessFail
	switch {
	case verdict == nil:
		rec.Payment = s.newPayment(o, u, o.Created)
	case errors.Is(verdict, errUserPaying):
		o.Asks = true
	case errors.As(verdict, &no):
		o.Fails = no.text
	}
	if err := s.commitOrder(rec); err != nil {
		return nil, err
	}
	kept := s.ledger.orders[o.No]
	s.planRipe(kept)
	if verdict != nil {
		return nil, verdict
	}
	s.log.Info("order paid", "order", o.No, "txn", rec.Payment.TransactionID, "fen", o.Total)
	return paymentFields(kept, kept.payment), nil
}

// refusePassword is a payer who does not enter the password, or in vain. s.mu
// is held.
func (s *Sim) refusePassword(o *order, u *user, outcome string) error {
	why := map[string]string{
		outcomeCancel: errNoPassword.text, outcomeFail: errPayFailed.text, outcomeNotEnough: errPayerFunds.text,
	}[outcome]
	if why == "" { // a wrong password can be entered again
		s.timelineAct(o, u, outcome)
		return nil
	}
	if err := s.commit(&record{Kind: recFail, No: o.No, Why: why}); err != nil {
		return err
	}
	s.timelineAct(o, u, outcome)
	return nil
}

// reverseOrder takes an order by payment code back: paid, the money returns;
// unpaid, it can never be paid. While the payer types, it must be asked for
// again (recall).
func (s *Sim) reverseOrder(q v2Request) (map[string]string, string, error) {
	in := q.in
	switch {
	case in["transaction_id"] == "" && in["out_trade_no"] == "":
		return nil, "", failMissing
	case in["transaction_id"] != "" && !transactionForm.MatchString(in["transaction_id"]):
		return nil, "", errRefundTxn
	}
	s.mu.Lock()
	recall, no, err := s.reverseLocked(q)
	s.mu.Unlock()
	if err != nil {
		return nil, no, err
	}
	return map[string]string{"recall": recall}, no, s.journal.sync()
}

func (s *Sim) reverseLocked(q v2Request) (recall, no string, err error) {
	o := s.askedOrder(q)
	if o == nil {
		return "", "", errNoOrder
	}
	now := s.clock.Now()
	s.ripen(o, now)
	switch {
	case !o.byCode():
		return "", o.No, errReverseKind
	case !o.reversed.IsZero():
		return "N", o.No, nil
	case now.Sub(o.Created) > reversableFor:
		return "", o.No, errReverseLate
	case len(o.refunds) > 0:
		return "", o.No, errReverseAfter
	case o.state() == stateUserPaying && !o.recalled:
		return "Y", o.No, s.commit(&record{Kind: recRecall, No: o.No})
	}
	return "N", o.No, s.revoke(o, now)
}

// revoke makes an order REVOKED. s.mu is held.
func (s *Sim) revoke(o *order, at time.Time) error {
	rec := &record{Kind: recReverse, At: at, No: o.No}
	if o.payment != nil {
		rec.Refund = &refund{RefundID: s.newRefundID(at)}
	}
	if err := s.commit(rec); err != nil {
		return err
	}
	s.timelineRevoked(o, at)
	s.log.Info("order reversed", "order", o.No, "fen", o.Total)
	return nil
}

// reverse gives the money of a reversed order back.
func (l *ledger) reverse(o *order, r *record) {
	o.reversed = r.At
	if o.payment == nil || r.Refund == nil {
		return
	}
	o.returned = r.Refund.RefundID
	l.userByID(o.payment.User).Balance += o.Total
}

func (s *Sim) timelineRevoked(o *order, at time.Time) {
	e := console.Entry{At: at, Direction: console.Actor, Title: "订单撤销了", Hint: tail(o.No) + " · " + o.Body, Verdict: stateRevoked, Tone: console.Bad, Words: o.No}
	if o.payment != nil {
		e.Title = "订单撤销了，退回 " + yuan(o.Total)
	}
	s.events.add(happening{kind: "transaction", data: s.transactionView(o), entry: e, detail: orderDetail(o, "微信退款单号", o.returned)})
}
