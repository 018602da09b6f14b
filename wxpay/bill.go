package wxpay

import "time"

// BillKind chooses what a trade bill lists.
type BillKind string

const (
	BillAll            BillKind = "ALL"     // payments and refunds
	BillSuccess        BillKind = "SUCCESS" // payments
	BillRefund         BillKind = "REFUND"
	BillRechargeRefund BillKind = "RECHARGE_REFUND"
)

// BillRequest asks for the trade bill of one day in Beijing. WeChat keeps
// three months; yesterday's is there from 10:00.
type BillRequest struct {
	Day  time.Time // any moment of it, any zone; its day in Beijing counts
	Kind BillKind  // empty = ALL
	Gzip bool      // packed on the way; what is read is text either way
}

// FundAccount is one of the merchant's accounts at WeChat Pay.
type FundAccount string

const (
	FundBasic     FundAccount = "Basic"
	FundOperation FundAccount = "Operation"
	FundFees      FundAccount = "Fees"
)

// FundFlowRequest asks for the movements of one account on one day in Beijing.
type FundFlowRequest struct {
	Day     time.Time
	Account FundAccount // empty = Basic
	Gzip    bool
}

// BillRow is one line of a trade bill, of any kind and style: what a bill has
// no column for is zero. Amounts are fen unless they say otherwise.
type BillRow struct {
	At                      time.Time // payment, or acceptance of the refund; UTC
	AppID, MchID, SubMchID  string
	Device                  string
	TransactionID           string
	OutTradeNo              string
	OpenID                  string
	TradeType               TradeType
	State                   string // SUCCESS, REFUND, REVOKED
	Bank, Currency          string
	Settled                 int64     // 应结订单金额; old style 总金额
	Coupon                  int64     // 代金券金额
	RefundAskedAt, RefundAt time.Time // REFUND bills only; UTC
	RefundID, OutRefundNo   string
	RefundAmount            int64 // 退款金额
	RefundCoupon            int64 // 充值券退款金额
	RefundKind, RefundState string
	Description, Attach     string
	Fee                     int64 // 手续费 in 1/1000 fen: bills give five decimals; may be negative
	Rate, RateNote          string
	Total                   int64 // 订单金额, as ordered
	RefundAsked             int64 // 申请退款金额, as asked for
}

// BillSummary is the last line of a trade bill, or of what was read before it.
type BillSummary struct {
	Count        int64
	Settled      int64
	RefundAmount int64
	RefundCoupon int64
	Fee          int64 // 1/1000 fen; WeChat rounds it to fen
	Total        int64
	RefundAsked  int64
}

// FundRow is one line of a fund flow bill. Amounts are fen.
type FundRow struct {
	At         time.Time // UTC
	BusinessNo string    // 微信支付业务单号
	FlowNo     string    // 资金流水单号
	Business   string    // 业务名称
	Kind       string    // 业务类型
	Income     bool      // 收入, else 支出
	Amount     int64
	Balance    int64
	Applicant  string
	Remark     string
	VoucherNo  string // 业务凭证号: the out_refund_no of a refund
}

// FundSummary is the last line of a fund flow bill.
type FundSummary struct {
	Count, Ins, Outs int64
	In, Out          int64 // fen
}
