package sim

import "time"

// order is a payment that a merchant asked for. Its state is computed from
// what happened to it, never stored.
type order struct {
	No          string    `json:"no"` // out_trade_no
	AppID       string    `json:"appid"`
	MchID       string    `json:"mch_id"`
	SubMchID    string    `json:"sub_mch_id,omitempty"`
	SubAppID    string    `json:"sub_appid,omitempty"`
	TradeType   string    `json:"trade_type"`
	OpenID      string    `json:"openid,omitempty"` // who must pay (JSAPI, payment code)
	SubOpenID   string    `json:"sub_openid,omitempty"`
	Body        string    `json:"body"`
	Detail      string    `json:"detail,omitempty"`
	Attach      string    `json:"attach,omitempty"`
	DeviceInfo  string    `json:"device_info,omitempty"`
	Total       int64     `json:"total"` // fen
	NotifyURL   string    `json:"notify_url"`
	API         string    `json:"api,omitempty"` // apiV3; empty: v2
	SignType    string    `json:"sign_type"`     // of the latest unifiedorder
	Created     time.Time `json:"created"`
	Expire      string    `json:"time_expire,omitempty"` // as the client sent it
	Expires     time.Time `json:"expires"`               // business time
	CodeURL     string    `json:"code_url,omitempty"`
	MWebPackage string    `json:"mweb_package,omitempty"`
	IP          string    `json:"ip,omitempty"`   // spbill_create_ip
	Code        string    `json:"code,omitempty"` // payment code or face code that it was taken with
	Asks        bool      `json:"asks,omitempty"` // the payer had to enter a password
	Fails       string    `json:"fails,omitempty"`
	Sandbox     bool      `json:"sandbox,omitempty"`

	prepays  []prepay
	payment  *payment
	closed   time.Time
	failed   string    // why a payment code was not good for it
	recalled bool      // a reversal was asked for while the payer typed
	reversed time.Time // the merchant, or the 45 seconds, took it back
	returned string    // refund_id of the money that a reversal gave back
	refunds  []*refund
	notes    []*notification
}

// prepay is one prepay_id of an order; several may be alive at once.
type prepay struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	SignType string    `json:"sign_type"`          // algRSA: of API v3
	CodeURL  string    `json:"code_url,omitempty"` // which takes the place of the one before (API v3)
}

// prepayLife is how long a prepay_id can be paid with (WeChat Pay v2, unifiedorder).
const prepayLife = 2 * time.Hour

// payment is the fact that an order was paid.
type payment struct {
	TransactionID string    `json:"transaction_id"`
	OpenID        string    `json:"openid"` // the payer, under the order's appid
	SubOpenID     string    `json:"sub_openid,omitempty"`
	User          string    `json:"user"`
	BankType      string    `json:"bank_type"`
	At            time.Time `json:"at"`
}

// The states of an order (trade_state).
const (
	stateNotPay     = "NOTPAY"
	stateUserPaying = "USERPAYING" // payment codes: the payer is typing a password
	stateSuccess    = "SUCCESS"
	stateRefund     = "REFUND"
	stateClosed     = "CLOSED"
	stateRevoked    = "REVOKED"  // payment codes: reversed
	statePayError   = "PAYERROR" // payment codes: the payment failed
)

func (o *order) state() string {
	switch {
	case !o.reversed.IsZero():
		return stateRevoked
	case len(o.refunds) > 0:
		return stateRefund
	case o.payment != nil:
		return stateSuccess
	case !o.closed.IsZero():
		return stateClosed
	case o.failed != "":
		return statePayError
	case o.Asks:
		return stateUserPaying
	default:
		return stateNotPay
	}
}

// stateDesc is trade_state_desc.
func (o *order) stateDesc() string {
	return map[string]string{
		stateNotPay:     "订单未支付",
		stateUserPaying: "需要用户输入支付密码",
		stateSuccess:    "支付成功",
		stateRefund:     "订单发生过退款，退款详情请查询退款单",
		stateClosed:     "订单已关闭",
		stateRevoked:    "订单已撤销",
		statePayError:   "支付失败，请撤销订单",
	}[o.state()]
}

// prepay finds a prepay_id of the order.
func (o *order) prepay(id string) (prepay, bool) {
	for _, p := range o.prepays {
		if p.ID == id {
			return p, true
		}
	}
	return prepay{}, false
}

// latest is the newest prepay_id; orders taken with a payment code have none.
func (o *order) latest() prepay {
	if len(o.prepays) == 0 {
		return prepay{}
	}
	return o.prepays[len(o.prepays)-1]
}

// mayPay reports whether a person is the payer whom the order names, if it
// names one.
func (o *order) mayPay(u *user) bool {
	return (o.OpenID == "" || u.openIDFor(o.AppID) == o.OpenID) &&
		(o.SubOpenID == "" || u.openIDFor(o.SubAppID) == o.SubOpenID)
}
