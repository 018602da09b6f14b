// Package wxpay speaks WeChat Pay. It knows nothing of the shop that uses it:
// money is int64 fen, times are time.Time, numbers are the merchant's own.
//
// A payment in JSAPI (an official-account page inside WeChat) takes four steps:
//
//	p, err := gw.Prepay(ctx, order)          // place the order at WeChat
//	params, err := gw.Bridge(p.PrepayID, …)  // hand to WeixinJSBridge
//	t, err := gw.ParseNotify(header, body)   // WeChat calls back; verified
//	w.Write(gw.Accept())                     // only once t is stored durably
//
// and Query asks when the notification does not come. [NewV2] and [NewV3] make
// the gateways of the two versions of the API, which differ in nothing else
// that a caller sees: a merchant may use both at once, and the order space is
// one, but an order stays with the version that placed it. Other products differ in
// the second step only: show the QR code of [Prepaid].CodeURL (Native), send
// the browser to H5URL (H5), or hand [Gateway.App]'s parameters to an app. A
// mini program's orders carry its app id and are signed with BridgeFor; a
// [CashDesk], of v2 only, charges a payment code at once. Refund gives money back and
// QueryRefund says when it has arrived; Bill and FundFlow stream what WeChat
// counted that day. An error for which
// [IsUnknown] holds says that WeChat may or may not have done it: ask with
// Query, or repeat with the same OutTradeNo; it is never a "no".
package wxpay

import (
	"context"
	"io"
	"net/http"
	"time"
)

// Version is a generation of the WeChat Pay API.
type Version string

// The two generations. An order placed with one is queried with the same.
const (
	V2 Version = "v2" // XML, one shared key, MD5 or HMAC-SHA256
	V3 Version = "v3" // JSON, RSA-SHA256
)

// TradeType says where the payer confirms (trade_type of unifiedorder).
type TradeType string

const (
	JSAPI    TradeType = "JSAPI"    // inside WeChat, also mini programs
	Native   TradeType = "NATIVE"   // a QR code on another screen
	H5       TradeType = "MWEB"     // a phone's browser outside WeChat
	App      TradeType = "APP"      // WeChat's SDK in an app
	Micropay TradeType = "MICROPAY" // the payer's payment code, read by a scanner
	Facepay  TradeType = "FACEPAY"  // the payer's face
)

// SignType is the algorithm of a v2 signature.
type SignType string

const (
	MD5        SignType = "MD5"
	HMACSHA256 SignType = "HMAC-SHA256"
)

// TradeState is WeChat's word for where a payment stands (trade_state).
type TradeState string

const (
	Success    TradeState = "SUCCESS"
	Refunded   TradeState = "REFUND" // was paid; something, perhaps not all, was given back
	NotPay     TradeState = "NOTPAY"
	Closed     TradeState = "CLOSED"
	Revoked    TradeState = "REVOKED"
	UserPaying TradeState = "USERPAYING"
	PayError   TradeState = "PAYERROR"
)

// Paid reports whether money moved: an order in REFUND was paid first.
func (s TradeState) Paid() bool { return s == Success || s == Refunded }

// Order is what Prepay places. The same Order may be sent any number of
// times: with an equal OutTradeNo and equal contents it is one order.
type Order struct {
	OutTradeNo  string    // the merchant's number of this attempt: 6–32 of [0-9A-Za-z_-|*]
	TradeType   TradeType // JSAPI needs OpenID
	Description string    // what the payer sees; cleaned and cut to 127 bytes
	Attach      string    // returned verbatim (v3: without emoji, cut to 127 bytes); never trust it to choose an order
	Total       int64     // fen, ≥ 1
	OpenID      string    // of the payer under AppID
	AppID       string    // the payer's side: a mini program's, an app's; empty = the gateway's own
	ClientIP    string    // the payer's, or this machine's for Native; v3 needs it for H5 only
	NotifyURL   string    // absolute, without a query
	Start       time.Time // any zone; sent in Beijing time; v2 only
	Expire      time.Time // last moment to pay; at least a minute ahead
	SignType    SignType  // v2 only; empty = the gateway's own
}

// Prepaid is WeChat's answer to Prepay.
type Prepaid struct {
	PrepayID string // for Bridge; lives 2 hours
	CodeURL  string // Native: the text of the QR code; 2 hours
	H5URL    string // H5: where to send the browser; 5 minutes
}

// Transaction is what WeChat knows of one payment, from a verified
// notification or a verified query. Fields that WeChat did not send are zero.
type Transaction struct {
	Version       Version
	State         TradeState
	AppID, MchID  string // AppID: the one that OpenID belongs to
	SubMchID      string // for a service provider: whose money it is
	OutTradeNo    string
	TransactionID string // WeChat's own number, empty until paid
	TradeType     TradeType
	OpenID        string
	Total         int64  // fen; what was ordered (total_fee), not what the payer's card paid
	Cash          int64  // fen; after coupons (cash_fee)
	Currency      string // "CNY" when absent on the wire
	BankType      string
	Attach        string
	PaidAt        time.Time // UTC, whole seconds
	SignType      SignType  // v2: the algorithm that verified
	said          func() map[string]string
}

// Raw is everything that WeChat said, for people to read: without the
// signature, openids shortened. It is made when it is asked for.
func (t Transaction) Raw() map[string]string {
	if t.said == nil {
		return nil
	}
	return t.said()
}

// BridgeParams are the six strings of getBrandWCPayRequest. In v3 SignType is RSA.
type BridgeParams struct {
	AppID     string `json:"appId"`
	TimeStamp string `json:"timeStamp"`
	NonceStr  string `json:"nonceStr"`
	Package   string `json:"package"`
	SignType  string `json:"signType"`
	PaySign   string `json:"paySign"`
}

// AppParams are what an app hands to WeChat's SDK (PayReq), in its own letters.
type AppParams struct {
	AppID     string `json:"appid"`
	PartnerID string `json:"partnerid"` // the merchant
	PrepayID  string `json:"prepayid"`
	Package   string `json:"package"`
	NonceStr  string `json:"noncestr"`
	Timestamp string `json:"timestamp"`
	Sign      string `json:"sign"`
}

// Ref names one order at WeChat: its number and how it was placed.
type Ref struct {
	OutTradeNo string
	AppID      string   // as in Order
	SignType   SignType // as in Order
}

// Ref is how to ask for o later.
func (o Order) Ref() Ref {
	return Ref{OutTradeNo: o.OutTradeNo, AppID: o.AppID, SignType: o.SignType}
}

// Gateway is one generation of WeChat Pay for one merchant.
type Gateway interface {
	// Version tells v2 from v3.
	Version() Version
	// Prepay places an order, or the same order again.
	Prepay(ctx context.Context, o Order) (Prepaid, error)
	// Query asks what became of an order. ErrNoSuchOrder: WeChat never got it.
	Query(ctx context.Context, r Ref) (Transaction, error)
	// Close ends an unpaid order for good. Closing a closed order is no error;
	// ErrAlreadyPaid means: query it.
	Close(ctx context.Context, r Ref) error

	// Bridge signs the parameters that a page of the gateway's own app id hands
	// to WeixinJSBridge; BridgeFor those of another app id, such as a mini
	// program's for wx.requestPayment.
	Bridge(prepayID string, sign SignType, now time.Time) (BridgeParams, error)
	BridgeFor(appID, prepayID string, sign SignType, now time.Time) (BridgeParams, error)
	// App signs the parameters of the SDK in an app. appID as in Order.
	App(appID, prepayID string, sign SignType, now time.Time) (AppParams, error)

	// Refund asks for money to be given back, or asks again: an equal number
	// with equal amounts is one refund. What comes back is accepted, not done;
	// QueryRefund says when it is. An error for which [Retryable] holds is
	// repeated with the same number, never with another.
	Refund(ctx context.Context, o RefundOrder) (Refund, error)
	// QueryRefund asks what became of one refund. ErrNoSuchRefund: WeChat
	// never got it.
	QueryRefund(ctx context.Context, r RefundRef) (Refund, error)
	// ParseRefundNotify reads a refund notification. In v2 it is only a HINT:
	// it carries no signature and its cipher (AES-ECB under the key's MD5) does
	// not keep anybody from repeating or reassembling it. Nothing may change
	// because of it; ask QueryRefund. In v3 it is signed like a payment's, and
	// still older than what QueryRefund says.
	ParseRefundNotify(h http.Header, body []byte) (Refund, error)

	// Bill and FundFlow stream a day's bill as text, unpacked, for
	// NewBillReader and NewFundReader. ErrNoBill: nothing happened that day;
	// ErrBillNotReady: ask again after 10:00. The reader must be closed; an
	// error while reading means that nothing read so far may be kept.
	Bill(ctx context.Context, r BillRequest) (io.ReadCloser, error)
	FundFlow(ctx context.Context, r FundFlowRequest) (io.ReadCloser, error)

	// ParseNotify verifies a payment notification over its raw bytes. An error
	// means that nothing in it may be believed.
	ParseNotify(h http.Header, body []byte) (Transaction, error)
	// Accept and Reject are the exact bytes that acknowledge a notification,
	// or ask WeChat to send it again, with their HTTP status and content type.
	Accept() Reply
	Reject(reason string) Reply
}

// Reply is an answer to a notification.
type Reply struct {
	Status      int
	ContentType string
	Body        []byte
}
