package wxpay

import (
	"errors"
	"fmt"
	"strings"
)

// What a caller branches on. WeChat's own code decides which of them an
// [Error] is, so errors.Is(err, ErrClosed) works however deep it is wrapped.
var (
	ErrSignature   = errors.New("signature missing or wrong")
	ErrNoSuchOrder = errors.New("no such order at WeChat")
	ErrAlreadyPaid = errors.New("order is already paid")
	ErrClosed      = errors.New("order is closed")
	ErrNumberUsed  = errors.New("out_trade_no was used for another order")
	ErrFrequency   = errors.New("asked too often")
	ErrBadNotify   = errors.New("not a notification for us")
	ErrReversed    = errors.New("order was taken back")
	// ErrAccount: the merchant's account is not set up for this call, or not
	// bound to the app id. A person has to act.
	ErrAccount = errors.New("the merchant's account does not allow it")
)

// Refunds.
var (
	ErrNoSuchRefund   = errors.New("no such refund at WeChat")
	ErrRefundTooMuch  = errors.New("more would be refunded than was paid")
	ErrRefundMismatch = errors.New("the refund or its order has other amounts at WeChat")
	ErrNotEnough      = errors.New("the merchant's balance is too low; retry with the same number")
	ErrTooOld         = errors.New("the order is too old for it")
	ErrPayerGone      = errors.New("the payer's account is closed; refund another way")
	ErrNoCertificate  = errors.New("the call needs the merchant's certificate, and none is configured")
)

// The cash desk.
var (
	ErrUserPaying = errors.New("the payer is entering the password")   // outcome unknown: query
	ErrAuthCode   = errors.New("the payment code is not valid")        // new code and new number
	ErrDeclined   = errors.New("the payment was declined or given up") // new number
)

// Bills.
var (
	ErrNoBill       = errors.New("no bill: nothing happened that day")
	ErrBillNotReady = errors.New("the bill is not made yet; ask after 10:00 in Beijing")
	ErrBadBill      = errors.New("not a whole bill")
)

// Error is what went wrong between us and WeChat.
type Error struct {
	Op         string // the call: unifiedorder, orderquery, closeorder, ...; v3: prepay, query, close, ...
	HTTPStatus int    // 0 when there was no answer
	Code       string // err_code, v3: code, verbatim; empty when there was none
	Message    string // err_code_des or return_msg, v3: message, for people
	RequestID  string // v3: what WeChat's support asks for
	// Unknown: we cannot tell whether WeChat did it. Ask with Query, or repeat
	// with the same number. It is never a "no".
	Unknown bool
	Err     error // the cause, when it is not WeChat's own word

	signed bool // WeChat's own word beyond doubt; v3: a refusal, over verified TLS
}

// Error gives one line for the log.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.HTTPStatus != 0 && e.HTTPStatus != 200 {
		fmt.Fprintf(&b, ": HTTP %d", e.HTTPStatus)
	}
	for _, part := range []string{e.Code, e.Message} {
		if part != "" {
			b.WriteString(": ")
			b.WriteString(part)
		}
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	if e.RequestID != "" {
		b.WriteString(" [request ")
		b.WriteString(e.RequestID)
		b.WriteString("]")
	}
	if e.Unknown {
		b.WriteString(" (outcome unknown)")
	}
	return b.String()
}

// Unwrap gives the cause, for instance [ErrSignature] or context.DeadlineExceeded.
func (e *Error) Unwrap() error { return e.Err }

// Is matches the sentinel that WeChat's code stands for. A code that was not
// signed is an unknown outcome and matches nothing: "already paid" from an
// answer that anybody could have written is no reason to believe it.
func (e *Error) Is(target error) bool {
	return (!e.Unknown || e.signed) && target != nil && e.sentinel() == target
}

// after tells what a refusal by a second host is worth, when the first may have
// done it: "asked too often" and the like say nothing about what the first did.
func (a answer) after(err error) error {
	var e *Error
	if a.second && errors.As(err, &e) {
		switch e.sentinel() {
		case nil, ErrFrequency, ErrAccount:
			e.Unknown = true
		}
	}
	return err
}

// sentinels maps err_code and code (WeChat Pay v2 and v3, the error tables of
// all calls), underscores taken out, to what callers branch on. Codes that say
// that we made a mistake have none.
var sentinels = map[string]error{
	"ORDERNOTEXIST":     ErrNoSuchOrder,
	"RESOURCENOTEXISTS": ErrNoSuchOrder, // in the query of a refund see below
	"ORDERPAID":         ErrAlreadyPaid,
	"ORDERCLOSED":       ErrClosed,
	"ORDERREVERSED":     ErrReversed,
	"OUTTRADENOUSED":    ErrNumberUsed,
	"FREQUENCYLIMITED":  ErrFrequency,
	"RATELIMITEXCEEDED": ErrFrequency,

	"NOAUTH":             ErrAccount,
	"APPIDNOTEXIST":      ErrAccount,
	"MCHIDNOTEXIST":      ErrAccount,
	"APPIDMCHIDNOTMATCH": ErrAccount,
	"MCHNOTEXISTS":       ErrAccount,
	"REQUESTBLOCKED":     ErrAccount,

	"REFUNDNOTEXIST":      ErrNoSuchRefund,
	"REFUNDFEEMISMATCH":   ErrRefundMismatch,
	"TRADEOVERDUE":        ErrTooOld,
	"REVERSEEXPIRE":       ErrTooOld,
	"USERACCOUNTABNORMAL": ErrPayerGone,
	"INVALIDREQTOOMUCH":   ErrFrequency,
	"NOTENOUGH":           ErrDeclined, // of the payer; in a refund see below

	"USERPAYING":      ErrUserPaying,
	"AUTHCODEINVALID": ErrAuthCode,
	"AUTHCODEEXPIRE":  ErrAuthCode,
	"AUTHCODEERROR":   ErrAuthCode,
	"TRADEERROR":      ErrDeclined,
	"NOTSUPORTCARD":   ErrDeclined, // sic
	"BUYERMISMATCH":   ErrDeclined,
}

// sentinel reads the code, and the words where one code means several things.
func (e *Error) sentinel() error {
	code := bare(e.Code)
	switch e.Op {
	case opRefund:
		return e.refundSentinel(code)
	case opRefundAsk:
		if code == "RESOURCENOTEXISTS" {
			return ErrNoSuchRefund
		}
	case opCertificates:
		if code == "RESOURCENOTEXISTS" {
			return ErrAccount
		}
	case opBill, opFundFlow, opTradeBill, opFundBill, opBillFile:
		return e.billSentinel(code)
	}
	if code == "INVALIDREQUEST" && mentions(e.Message, "重入", "不一致", "重复") || code == "PARAMERROR" && mentions(e.Message, "重入") {
		return ErrNumberUsed // first placed with other values, not merely malformed
	}
	return sentinels[code]
}

// refundSentinel knows that a refund's NOTENOUGH is the merchant's, and reads
// the words of ERROR and INVALID_REQUEST, which changed places over the years.
func (e *Error) refundSentinel(code string) error {
	switch code {
	case "NOTENOUGH":
		return ErrNotEnough
	case "ERROR", "INVALIDREQUEST":
		switch {
		case mentions(e.Message, "不一致"):
			return ErrRefundMismatch
		case mentions(e.Message, "累计退款", "全额退款", "大于", "超过"):
			return ErrRefundTooMuch
		}
	}
	return sentinels[code]
}

// billSentinel goes by the words in v2: the numbers of trade bills are
// documented only in part, and the fund flow has codes instead.
func (e *Error) billSentinel(code string) error {
	words := strings.ToLower(e.Message)
	switch {
	case code == "BILLCREATING", code == "STATEMENTCREATING", mentions(words, "bill creating", "生成中"):
		return ErrBillNotReady
	case code == "NOBILLEXIST", code == "NOSTATEMENTEXIST", code == "20002", mentions(words, "no bill exist"):
		return ErrNoBill
	}
	return sentinels[code]
}

func mentions(text string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// unsure are the codes by which WeChat itself says that it does not know,
// underscores taken out.
var unsure = map[string]bool{
	"":                true, // a refusal without a reason
	"SYSTEMERROR":     true,
	"BIZERRNEEDRETRY": true,
	"USERPAYING":      true,
	"BANKERROR":       true,
}

// IsUnknown reports whether err leaves open what happened at WeChat.
func IsUnknown(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Unknown
	}
	if e, ok := errors.AsType[*MPError](err); ok {
		return e.Code == mpSystemError
	}
	return false
}

// Retryable reports whether the same call with the same number may do better
// later: the outcome is unknown, or WeChat refused only for now.
func Retryable(err error) bool {
	return IsUnknown(err) || errors.Is(err, ErrFrequency) || errors.Is(err, ErrNotEnough)
}
