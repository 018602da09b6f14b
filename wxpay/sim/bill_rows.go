package sim

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
)

// move is one line of a bill: a payment, or money that went back.
type move struct {
	at     time.Time
	o      *order
	p      *payment
	status string // 交易状态: SUCCESS, REFUND, REVOKED
	total  int64  // fen, of a payment
	back   *refund
}

// moves are a day's lines, the latest first. s.mu is held.
func (s *Sim) moves(day time.Time, subMchID string) []move {
	s.ripenAll()
	var out []move
	end := day.AddDate(0, 0, 1)
	within := func(t time.Time) bool { return !t.Before(day) && t.Before(end) }
	for _, o := range s.ledger.recent {
		if o.payment == nil || o.Sandbox || subMchID != "" && o.SubMchID != subMchID {
			continue
		}
		if within(o.payment.At) {
			out = append(out, move{at: o.payment.At, o: o, p: o.payment, status: stateSuccess, total: o.Total})
		}
		for _, r := range o.refunds {
			if within(r.Created) && !(r.State == refundClosed && r.Ended.Before(billMade(day))) {
				out = append(out, move{at: r.Created, o: o, p: o.payment, status: stateRefund, back: r})
			}
		}
		if o.returned != "" && within(o.reversed) {
			out = append(out, move{at: o.reversed, o: o, p: o.payment, status: stateRevoked, back: o.reversal()})
		}
	}
	slices.SortStableFunc(out, func(a, b move) int { return b.at.Compare(a.at) })
	return out
}

// reversal is what a reversed order gave back, as a refund. The documents do
// not say what number of the merchant it carries; it has the order's.
func (o *order) reversal() *refund {
	return &refund{
		OutRefundNo: o.No, RefundID: o.returned, Amount: o.Total, Fee: fee(o.Total), State: refundSuccess,
		Created: o.reversed, Success: o.reversed, order: o,
	}
}

// The merchant's rate is 0.60 %.
const feeRate = "0.60%"

// fee is what WeChat keeps of an amount, in fen, rounded half up.
func fee(fen int64) int64 { return (fen*6 + 500) / 1000 }

// The header rows of the trade bills (WeChat Pay v2, "下载交易账单").
const (
	billHead        = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额"
	billHeadAll     = billHead + ",微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
	billHeadSuccess = billHead + ",商品名称,商户数据包,手续费,费率,订单金额,费率备注"
	billHeadRefund  = billHead + ",退款申请时间,退款成功时间,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
	billSums        = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
)

// bom starts every bill.
const bom = "\xEF\xBB\xBF"

// writeBill writes a bill, to the byte: byte order mark, CRLF, a back-tick in
// front of every value, two rows of sums. nil: there is nothing in it.
func writeBill(kind string, day time.Time, moves []move, style billStyle) []byte {
	head := map[string]string{billAll: billHeadAll, billSuccess: billHeadSuccess, billRefund: billHeadRefund}[kind]
	var b bytes.Buffer
	b.WriteString(bom + head + "\r\n")
	var rows, paid, returned, fees int64
	for _, m := range moves {
		if kind == billSuccess && m.back != nil || kind == billRefund && m.back == nil {
			continue
		}
		rows++
		paid += m.total
		fees += m.fee()
		if m.back != nil {
			returned += m.back.Amount
		}
		style.row(&b, m.values(kind, day)...)
	}
	if rows == 0 {
		return nil
	}
	b.WriteString(billSums + "\r\n")
	style.row(&b, style.count(rows), style.sum(paid), style.sum(returned), style.sum(0), style.fees(fees), style.sum(paid), style.sum(returned))
	return b.Bytes()
}

// billStyle is in what the files of v2 and v3 differ.
type billStyle struct {
	line             *strings.Replacer // keeps a value in its place
	count, sum, fees func(int64) string
	fundHead         string
	describe         func(flow) (who, remark string)
}

var (
	billV2 = billStyle{
		line: strings.NewReplacer("\r", " ", "\n", " "), sum: loose, fees: loose, fundHead: fundHead,
		count:    func(n int64) string { return strconv.FormatInt(n, 10) + ".0" },
		describe: func(f flow) (string, string) { return "system", f.remark },
	}
	billV3 = billStyle{
		line: strings.NewReplacer("\r\n", `\n`, "\r", `\n`, "\n", `\n`, ",", `\ `), sum: cents, fundHead: fundHeadV3,
		count: func(n int64) string { return strconv.FormatInt(n, 10) },
		fees:  func(fen int64) string { return cents(fen) + "000" },
		describe: func(f flow) (string, string) {
			if f.kind != flowRefund {
				return "system", f.remark
			}
			return mchID1 + "API", "退款总金额" + cents(f.gross) + "元;含手续费" + cents(f.gross+f.fen) + "元"
		},
	}
)

// row writes one row of values.
func (style billStyle) row(b *bytes.Buffer, values ...string) {
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('`')
		b.WriteString(style.line.Replace(v))
	}
	b.WriteString("\r\n")
}

// fee is the fee of a line, negative when it is given back.
func (m move) fee() int64 {
	if m.back != nil {
		return -m.back.Fee
	}
	return fee(m.total)
}

// values are a line's columns.
func (m move) values(kind string, day time.Time) []string {
	o, sub := m.o, m.o.SubMchID
	if sub == "" {
		sub = "0"
	}
	at := m.at
	if kind == billRefund {
		at = m.p.At
	}
	tradeType := o.TradeType
	if tradeType == tradeFacepay {
		tradeType = "FACE"
	}
	v := []string{
		billTime(at), o.AppID, o.MchID, sub, o.DeviceInfo, m.p.TransactionID, o.No, m.p.OpenID, tradeType, m.status,
		m.p.BankType, "CNY", cents(m.total), "0.00",
	}
	charge := cents(m.fee()) + "000"
	switch kind {
	case billSuccess:
		return append(v, o.Body, o.Attach, charge, feeRate, cents(m.total), "")
	case billRefund:
		v = append(v, billTime(m.back.Created), m.back.doneBy(billMade(day)))
	}
	return append(append(v, m.refundValues(day)...), o.Body, o.Attach, charge, feeRate, cents(m.total), cents(m.asked()), "")
}

// refundValues are the six columns about money that went back.
func (m move) refundValues(day time.Time) []string {
	if m.back == nil {
		return []string{"0", "0", "0.00", "0.00", "", ""}
	}
	state := refundProcessing
	if m.back.doneBy(billMade(day)) != "" {
		state = refundSuccess
	}
	return []string{m.back.RefundID, m.back.OutRefundNo, cents(m.back.Amount), "0.00", "ORIGINAL", state}
}

func (m move) asked() int64 {
	if m.back == nil {
		return 0
	}
	return m.back.Amount
}

// doneBy is when a refund succeeded, if it had by then.
func (r *refund) doneBy(t time.Time) string {
	if r.Success.IsZero() || !r.Success.Before(t) {
		return ""
	}
	return billTime(r.Success)
}

func billTime(t time.Time) string { return t.In(beijing).Format(refundTime) }

// cents writes fen as yuan with two decimals.
func cents(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	tail := strconv.FormatInt(fen%100, 10)
	return sign + strconv.FormatInt(fen/100, 10) + "." + "00"[len(tail):] + tail
}

// loose writes fen as the rows of sums do: without zeros at the end, but with
// one decimal at least.
func loose(fen int64) string { return strings.TrimSuffix(cents(fen), "0") }
