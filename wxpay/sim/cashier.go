package sim

import (
	"slices"
	"strings"
	"time"
)

// What a payer can do.
const (
	outcomeSuccess       = "success"
	outcomeCancel        = "cancel"
	outcomeFail          = "fail"
	outcomeNotEnough     = "notenough"
	outcomeWrongPassword = "wrong_password"
	outcomeSilent        = "silent" // pays, and the notification is lost; on the H5 page only
)

func outcomeNames() []string {
	return []string{outcomeSuccess, outcomeCancel, outcomeFail, outcomeNotEnough, outcomeWrongPassword}
}

// payRefusal is the cashier saying no: the words that WeChat shows, and what
// a developer can do.
type payRefusal struct{ text, advice string }

func (e *payRefusal) Error() string {
	if e.advice == "" {
		return e.text
	}
	return e.text + " (" + e.advice + ")"
}

// The refusals of the cashier (JSAPI, "常见问题").
var (
	payPaid       = &payRefusal{"该订单已支付", "the order is paid; place another one"}
	payClosed     = &payRefusal{"订单已关闭", "the order is closed for good; place one with another out_trade_no"}
	payExpired    = &payRefusal{"该订单已过期，请重新下单", "time_expire has passed; close the order and place one with another out_trade_no"}
	payStale      = &payRefusal{"调用支付JSAPI缺少参数：total_fee", "the prepay_id is unknown, older than 2 hours, or of another appid; call unifiedorder again with the same parameters"}
	payOtherUser  = &payRefusal{"下单账号与支付账号不一致", "only the openid of the order can pay it"}
	payUnverified = &payRefusal{"支付验证签名失败", "paySign is not the signature of appId, nonceStr, package, signType and timeStamp with the order's key and algorithm"}
	payRevoked    = &payRefusal{"订单已撤销", "the order was reversed, or nobody entered the password within 45 seconds; charge a new code with a new out_trade_no"}
	payFailed     = &payRefusal{"支付失败", "the payment code was refused; charge a new code with a new out_trade_no"}
	payNotEnough  = &payRefusal{"余额不足", "give the user more money or choose another one"}
)

// bridgeParams are the six strings of getBrandWCPayRequest.
type bridgeParams struct {
	appID, timeStamp, nonceStr, pkg, signType, paySign string
	page                                               string // whose script asks; not signed
}

// sheet is what the pay sheet shows.
type sheet struct {
	prepayID, merchant, description, nickname string
	total, balance                            int64 // fen
}

// openSheet checks a getBrandWCPayRequest of a user as WeChat does: presence,
// prepay_id, order, appId, paySign, payer.
func (s *Sim) openSheet(p bridgeParams, userID string) (sheet, error) {
	for _, need := range []struct{ name, value string }{
		{"appId", p.appID}, {"timeStamp", p.timeStamp}, {"nonceStr", p.nonceStr},
		{"package", p.pkg}, {"signType", p.signType}, {"paySign", p.paySign},
	} {
		if need.value == "" {
			return sheet{}, &payRefusal{"调用支付JSAPI缺少参数：" + need.name, "all six parameters must be there, as strings"}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.appID != miniAppID1 { // a mini program is no page
		if err := s.pageRegistered(s.accountLocked(), p.page); err != nil {
			return sheet{}, err
		}
	}
	id, ok := strings.CutPrefix(p.pkg, "prepay_id=")
	if !ok {
		return sheet{}, payStale
	}
	now := s.clock.Now()
	o := s.ledger.prepays[id]
	if o == nil {
		return sheet{}, payStale
	}
	if err := payable(o, id, now, false); err != nil {
		return sheet{}, err
	}
	if p.appID != o.AppID && (o.SubAppID == "" || p.appID != o.SubAppID) {
		return sheet{}, payStale
	}
	if err := s.checkPaySign(p, o, id); err != nil {
		return sheet{}, err
	}
	u := s.ledger.userByID(userID)
	if u == nil || !o.mayPay(u) {
		return sheet{}, payOtherUser
	}
	s.opened(id, now)
	return sheet{
		prepayID: id, merchant: merchantName, description: o.Body, nickname: u.Nickname,
		total: o.Total, balance: u.Balance,
	}, nil
}

// checkPaySign checks paySign with the algorithm of the unifiedorder that gave
// the prepay_id; the names are signed in their mixed case (JSAPI, "调起支付").
func (s *Sim) checkPaySign(p bridgeParams, o *order, prepayID string) error {
	pre, _ := o.prepay(prepayID)
	if pre.SignType == algRSA {
		return s.checkPaySignV3(p)
	}
	key := s.sandboxKeyOf(o)
	if p.signType == pre.SignType && signedBy(bridgeFields(bridgeMessage(p, "", "")), p.paySign, key, pre.SignType) {
		return nil
	}
	return &unverifiedSheet{payUnverified, s.diagnoseSheet(p, pre.SignType, key)}
}

// unverifiedSheet is payUnverified with the reason.
type unverifiedSheet struct {
	*payRefusal
	finding *diagnosisJSON
}

func (e *unverifiedSheet) Unwrap() error { return e.payRefusal }

// payable reports why an order cannot be paid with a prepay_id. A payer whose
// sheet was open in time may finish.
func payable(o *order, prepayID string, now time.Time, inTime bool) error {
	pre, ok := o.prepay(prepayID)
	switch {
	case !o.reversed.IsZero():
		return payRevoked
	case o.payment != nil:
		return payPaid
	case !o.closed.IsZero():
		return payClosed
	case o.failed != "":
		return payFailed
	case o.byCode():
		return nil
	case !inTime && now.After(o.Expires):
		return payExpired
	case !ok || !inTime && now.After(pre.At.Add(prepayLife)):
		return payStale
	}
	return nil
}

// sheetLife is how long a payer may think in front of an open pay sheet.
const sheetLife = 10 * time.Minute

// opened remembers that a sheet was opened in time. s.mu is held.
func (s *Sim) opened(prepayID string, now time.Time) {
	for id, at := range s.sheets {
		if now.Sub(at) > sheetLife {
			delete(s.sheets, id)
		}
	}
	s.sheets[prepayID] = now
}

func (s *Sim) forgetSheets() { s.sheets = map[string]time.Time{} }

// actOnSheet does what a user chose on an opened sheet. The token is the
// prepay_id, so that a sheet outlives a restart of the simulator.
func (s *Sim) actOnSheet(prepayID, userID, outcome string) error {
	s.mu.Lock()
	o := s.ledger.prepays[prepayID]
	u := s.ledger.userByID(userID)
	var err error
	switch {
	case o == nil:
		err = payStale
	case u == nil:
		err = payOtherUser
	default:
		if outcome == outcomeSuccess {
			outcome = s.scenarios.outcome(o.No)
		}
		at, open := s.sheets[prepayID]
		err = s.act(o, prepayID, u, outcome, open && s.clock.Now().Sub(at) <= sheetLife)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if err := s.journal.sync(); err != nil {
		return err
	}
	s.early(o.No)
	return nil
}

// pay makes a user act on an order by its number: the payer of the order
// unless openid names another.
func (s *Sim) pay(no, openID, outcome string) (transactionJSON, error) {
	if outcome == "" {
		outcome = s.scenarios.outcome(no)
	}
	if !slices.Contains(outcomeNames(), outcome) {
		return transactionJSON{}, badRequest("unknown outcome %q; choose %s", outcome, strings.Join(outcomeNames(), ", "))
	}
	s.mu.Lock()
	view, err := s.payLocked(no, openID, outcome)
	s.mu.Unlock()
	if err != nil {
		return transactionJSON{}, err
	}
	if err := s.journal.sync(); err != nil {
		return transactionJSON{}, err
	}
	s.early(no)
	return view, nil
}

func (s *Sim) payLocked(no, openID, outcome string) (transactionJSON, error) {
	o := s.ledger.orders[no]
	if o == nil {
		return transactionJSON{}, noTransaction(no)
	}
	u := s.ledger.payer(o)
	if u == nil {
		u = s.ledger.users[0]
	}
	if openID != "" {
		if u = s.ledger.person(openID); u == nil {
			return transactionJSON{}, badRequest("there is no user with openid %q; GET /_sim/api/users lists them", openID)
		}
	}
	if err := s.act(o, o.latest().ID, u, outcome, false); err != nil {
		return transactionJSON{}, err
	}
	return s.transactionView(o), nil
}

func noTransaction(no string) error {
	return notFound("there is no transaction %q; place it with unifiedorder first", no)
}

// act is one thing that a payer does. s.mu is held, so that of a payment and a
// close that come together one is first.
func (s *Sim) act(o *order, prepayID string, u *user, outcome string, inTime bool) error {
	now := s.clock.Now()
	s.ripen(o, now)
	if err := payable(o, prepayID, now, inTime); err != nil {
		return err
	}
	if !o.mayPay(u) {
		return payOtherUser
	}
	if outcome != outcomeSuccess && outcome != outcomeSilent {
		if o.byCode() {
			return s.refusePassword(o, u, outcome)
		}
		s.timelineAct(o, u, outcome)
		return nil
	}
	if u.Balance < o.Total || s.faultFires(faultNotEnough, o.No) {
		return payNotEnough
	}
	p, n := s.newPayment(o, u, now), s.paymentNote(o, now)
	if n != nil && outcome == outcomeSilent {
		n.State = noteDropped
	}
	if err := s.commitOrder(&record{Kind: recPay, No: o.No, At: now, Payment: p, Note: n}); err != nil {
		return err
	}
	s.log.Info("order paid", "order", o.No, "txn", p.TransactionID, "fen", o.Total)
	if n != nil && n.State == notePending {
		s.schedule(s.ledger.notes[n.ID])
	}
	return nil
}

// paymentNote is the notification of a payment; cash desks get none.
func (s *Sim) paymentNote(o *order, now time.Time) *notification {
	if o.byCode() {
		return nil
	}
	return s.newNotification("payment", o.API, o.No, o.NotifyURL, now)
}

// newPayment is the fact that a person pays an order. s.mu is held.
func (s *Sim) newPayment(o *order, u *user, now time.Time) *payment {
	bank := []string{"OTHERS", "OTHERS", "OTHERS", "CMB_DEBIT", "ICBC_DEBIT"}
	p := &payment{
		TransactionID: s.newTransactionID(now), OpenID: u.openIDFor(o.AppID), User: u.ID, At: now,
		BankType: bank[s.idChance("bank", now).IntN(len(bank))],
	}
	if o.SubAppID != "" {
		p.SubOpenID = u.openIDFor(o.SubAppID)
	}
	return p
}
