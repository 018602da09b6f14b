package wxpay

import (
	"io"
	"slices"
)

// The columns of trade bills of every kind (WeChat Pay v2, downloadbill). Two
// names for one place are the old and the new style.
const (
	colAt = iota
	colAppID
	colMchID
	colSubMchID
	colDevice
	colTransactionID
	colOutTradeNo
	colOpenID
	colTradeType
	colState
	colBank
	colCurrency
	colSettled
	colCoupon
	colRefundAskedAt
	colRefundAt
	colRefundID
	colOutRefundNo
	colRefundAmount
	colRefundCoupon
	colRefundKind
	colRefundState
	colDescription
	colAttach
	colFee
	colRate
	colTotal
	colRefundAsked
	colRateNote
)

var billColumns = map[string]int{
	"交易时间":         colAt,
	"公众账号ID":       colAppID,
	"商户号":          colMchID,
	"特约商户号":        colSubMchID,
	"子商户号":         colSubMchID,
	"设备号":          colDevice,
	"微信订单号":        colTransactionID,
	"商户订单号":        colOutTradeNo,
	"用户标识":         colOpenID,
	"交易类型":         colTradeType,
	"交易状态":         colState,
	"付款银行":         colBank,
	"货币种类":         colCurrency,
	"应结订单金额":       colSettled,
	"总金额":          colSettled,
	"代金券金额":        colCoupon,
	"代金券或立减优惠金额":   colCoupon,
	"企业红包金额":       colCoupon,
	"退款申请时间":       colRefundAskedAt,
	"退款成功时间":       colRefundAt,
	"微信退款单号":       colRefundID,
	"商户退款单号":       colOutRefundNo,
	"退款金额":         colRefundAmount,
	"充值券退款金额":      colRefundCoupon,
	"代金券或立减优惠退款金额": colRefundCoupon,
	"企业红包退款金额":     colRefundCoupon,
	"退款类型":         colRefundKind,
	"退款状态":         colRefundState,
	"商品名称":         colDescription,
	"商户数据包":        colAttach,
	"手续费":          colFee,
	"返还手续费":        colFee,
	"费率":           colRate,
	"订单金额":         colTotal,
	"申请退款金额":       colRefundAsked,
	"费率备注":         colRateNote,
}

// The columns of the sums.
const (
	sumCount = iota
	sumSettled
	sumRefundAmount
	sumRefundCoupon
	sumFee
	sumTotal
	sumRefundAsked
)

var billSums = map[string]int{
	"总交易单数":         sumCount,
	"应结订单总金额":       sumSettled,
	"总交易额":          sumSettled,
	"退款总金额":         sumRefundAmount,
	"总退款金额":         sumRefundAmount,
	"充值券退款总金额":      sumRefundCoupon,
	"总代金券或立减优惠退款金额": sumRefundCoupon,
	"总企业红包退款金额":     sumRefundCoupon,
	"手续费总金额":        sumFee,
	"返还手续费总金额":      sumFee,
	"订单总金额":         sumTotal,
	"申请退款总金额":       sumRefundAsked,
}

// BillReader reads a trade bill line by line, going by the names of its
// columns, in memory that does not grow with the bill. It believes no bill
// before its end: only io.EOF says that the count and the sums in the last
// line were those of the lines before.
type BillReader struct {
	s        sheet
	cols     []int // place of each column, -1 for names that we do not know
	oldStyle bool  // has one amount for what was ordered and what is settled
	err      error // sticky
	sum      BillSummary
	said     BillSummary
}

// NewBillReader reads a bill as [Gateway.Bill] gives it.
func NewBillReader(r io.Reader) *BillReader { return &BillReader{s: newSheet(r)} }

// Next gives the next line, and io.EOF after the last one of a good bill. Any
// other error says that the lines given so far may not be kept either.
func (b *BillReader) Next() (BillRow, error) {
	var row BillRow
	if b.err == nil {
		b.err = b.next(&row)
	}
	if b.err != nil {
		return BillRow{}, b.err
	}
	return row, nil
}

// Summary is the bill's last line after io.EOF, and zero before.
func (b *BillReader) Summary() BillSummary {
	if b.err != io.EOF {
		return BillSummary{}
	}
	return b.said
}

func (b *BillReader) next(row *BillRow) (err error) {
	if b.cols == nil {
		if b.cols, err = b.s.header(billColumns, "交易时间", "微信订单号", "商户订单号", "交易状态"); err != nil {
			return err
		}
		b.oldStyle = !b.has(colTotal)
	}
	names, err := b.s.line()
	switch {
	case err == io.EOF:
		return b.s.bad("the bill is cut short: no sums")
	case err != nil:
		return err
	case names:
		return b.finish()
	}
	if err := b.read(row); err != nil {
		return err
	}
	if b.oldStyle {
		row.Total = row.Settled
	}
	b.sum.add(row)
	return nil
}

// read is sheet.fields without the detour by a function value: there are
// millions of these.
func (b *BillReader) read(row *BillRow) error {
	rest, more := b.s.text, true
	for i, place := range b.cols {
		if !more {
			return b.s.bad("%d fields under %d names", i, len(b.cols))
		}
		var f string
		f, rest, more = cutTicked(rest)
		if place >= 0 && !row.set(place, f) {
			return b.s.bad("field %d is not what its name says", i+1)
		}
	}
	if more {
		return b.s.bad("more fields than the %d names", len(b.cols))
	}
	return nil
}

func (b *BillReader) has(place int) bool { return slices.Contains(b.cols, place) }

// set stores one field; false if it cannot be read.
func (r *BillRow) set(place int, s string) (ok bool) {
	ok = true
	switch place {
	case colAt:
		r.At, ok = billTime(s)
	case colRefundAskedAt:
		r.RefundAskedAt, ok = optionalTime(s)
	case colRefundAt:
		r.RefundAt, ok = optionalTime(s)
	case colSettled:
		r.Settled, ok = decimal(s, 2)
	case colCoupon:
		r.Coupon, ok = decimal(s, 2)
	case colRefundAmount:
		r.RefundAmount, ok = decimal(s, 2)
	case colRefundCoupon:
		r.RefundCoupon, ok = decimal(s, 2)
	case colTotal:
		r.Total, ok = decimal(s, 2)
	case colRefundAsked:
		r.RefundAsked, ok = decimal(s, 2)
	case colFee:
		r.Fee, ok = decimal(s, 5)
	case colAppID:
		r.AppID = s
	case colMchID:
		r.MchID = s
	case colSubMchID:
		r.SubMchID = unlessZero(s)
	case colDevice:
		r.Device = s
	case colTransactionID:
		r.TransactionID = s
	case colOutTradeNo:
		r.OutTradeNo = s
	case colOpenID:
		r.OpenID = s
	case colTradeType:
		r.TradeType = TradeType(s)
	case colState:
		r.State = s
	case colBank:
		r.Bank = s
	case colCurrency:
		r.Currency = s
	case colRefundID:
		r.RefundID = unlessZero(s)
	case colOutRefundNo:
		r.OutRefundNo = unlessZero(s)
	case colRefundKind:
		r.RefundKind = s
	case colRefundState:
		r.RefundState = s
	case colDescription:
		r.Description = s
	case colAttach:
		r.Attach = s
	case colRate:
		r.Rate = s
	case colRateNote:
		r.RateNote = s
	}
	return ok
}

// unlessZero: a bill says 0 for a number that there is not.
func unlessZero(s string) string {
	if s == "0" {
		return ""
	}
	return s
}

func (sum *BillSummary) add(r *BillRow) {
	sum.Count++
	sum.Settled += r.Settled
	sum.RefundAmount += r.RefundAmount
	sum.RefundCoupon += r.RefundCoupon
	sum.Fee += r.Fee
	sum.Total += r.Total
	sum.RefundAsked += r.RefundAsked
}

// finish reads the sums, whose names have just been read, and compares.
func (b *BillReader) finish() error {
	places, err := b.s.columns(billSums, "总交易单数")
	if err != nil {
		return err
	}
	if err := b.s.sums(places, b.said.set); err != nil {
		return err
	}
	for _, place := range places {
		if !b.agrees(place) {
			return b.s.bad("the sums are not those of the lines")
		}
	}
	return b.s.end()
}

func (sum *BillSummary) set(place int, s string) (ok bool) {
	switch place {
	case sumCount:
		sum.Count, ok = decimal(s, 0) // 48, and 45.0 as well
	case sumSettled:
		sum.Settled, ok = decimal(s, 2)
	case sumRefundAmount:
		sum.RefundAmount, ok = decimal(s, 2)
	case sumRefundCoupon:
		sum.RefundCoupon, ok = decimal(s, 2)
	case sumFee:
		sum.Fee, ok = decimal(s, 5)
	case sumTotal:
		sum.Total, ok = decimal(s, 2)
	case sumRefundAsked:
		sum.RefundAsked, ok = decimal(s, 2)
	}
	return ok
}

// agrees compares one sum with the lines. Only what the lines have a column
// for; the fee is rounded in a way of WeChat's own; and a bill of refunds alone
// repeats amounts of orders that its sums do not count.
func (b *BillReader) agrees(place int) bool {
	refundsOnly := b.has(colRefundAskedAt)
	switch place {
	case sumCount:
		return b.sum.Count == b.said.Count
	case sumSettled:
		return refundsOnly || !b.has(colSettled) || b.sum.Settled == b.said.Settled
	case sumTotal:
		return refundsOnly || !b.has(colTotal) || b.sum.Total == b.said.Total
	case sumRefundAmount:
		return !b.has(colRefundAmount) || b.sum.RefundAmount == b.said.RefundAmount
	case sumRefundCoupon:
		return !b.has(colRefundCoupon) || b.sum.RefundCoupon == b.said.RefundCoupon
	case sumRefundAsked:
		return !b.has(colRefundAsked) || b.sum.RefundAsked == b.said.RefundAsked
	}
	return true
}
