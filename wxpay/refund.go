package wxpay

import "time"

// RefundState is where a refund stands, in the words that v3 uses and v2's are
// translated to.
type RefundState string

const (
	RefundProcessing RefundState = "PROCESSING" // accepted, running
	RefundSuccess    RefundState = "SUCCESS"    // the payer has the money; final
	RefundClosed     RefundState = "CLOSED"     // nothing given back; to try again takes a new number (v2: REFUNDCLOSE); final
	RefundAbnormal   RefundState = "ABNORMAL"   // the payer's card takes nothing: a person must act on pay.weixin.qq.com (v2: CHANGE)
)

// Final reports whether s never changes again. ABNORMAL may: the merchant
// settles it by hand.
func (s RefundState) Final() bool { return s == RefundSuccess || s == RefundClosed }

// RefundOrder asks for money to be given back. All of it must be stored before
// it is sent: only the same number with the same amounts is the same refund.
type RefundOrder struct {
	OutTradeNo  string   // of the paid order
	OutRefundNo string   // the merchant's number of this refund: 1–64 of [0-9A-Za-z_-|*@]
	Total       int64    // fen; of the whole order, as it was placed
	Amount      int64    // fen; of this refund, 1 to Total
	Reason      string   // what the payer sees; cleaned and cut to 80 bytes; may be empty
	NotifyURL   string   // absolute, without a query; empty: as set on pay.weixin.qq.com; v3 refuses empty
	AppID       string   // of the order, as in Order
	SignType    SignType // of the order, as in Order
}

// Ref is how to ask for o later.
func (o RefundOrder) Ref() RefundRef {
	return RefundRef{OutRefundNo: o.OutRefundNo, AppID: o.AppID, SignType: o.SignType}
}

// RefundRef names one refund at WeChat.
type RefundRef struct {
	OutRefundNo string
	AppID       string   // of the order, as in Order
	SignType    SignType // of the order, as in Order
}

// Refund is what WeChat knows of one refund. Fields that WeChat did not send
// are zero; an amount that was not a number is -1.
type Refund struct {
	Version       Version
	State         RefundState // PROCESSING in the answer to Refund: accepted, not done
	AppID, MchID  string
	SubMchID      string
	OutRefundNo   string
	RefundID      string // WeChat's own number
	OutTradeNo    string
	TransactionID string
	Total         int64             // fen; of the order
	Amount        int64             // fen; of this refund (refund_fee)
	SucceededAt   time.Time         // UTC, whole seconds
	Account       string            // where the money went, for people: 支付用户零钱
	Raw           map[string]string // redacted, for people to read
}
