package wxpay

import (
	"io"
	"time"
)

// The columns of a fund flow bill (WeChat Pay v2, downloadfundflow), without
// the unit that some bills put behind a name.
const (
	flowAt = iota
	flowBusinessNo
	flowNo
	flowBusiness
	flowKind
	flowDirection
	flowAmount
	flowBalance
	flowApplicant
	flowRemark
	flowVoucher
)

var flowColumns = map[string]int{
	"记账时间":      flowAt,
	"微信支付业务单号":  flowBusinessNo,
	"资金流水单号":    flowNo,
	"业务名称":      flowBusiness,
	"业务类型":      flowKind,
	"收支类型":      flowDirection,
	"收支金额":      flowAmount,
	"账户结余":      flowBalance,
	"资金变更提交申请人": flowApplicant,
	"备注":        flowRemark,
	"业务凭证号":     flowVoucher,
}

// The columns of its sums.
const (
	flowCount = iota
	flowIns
	flowIn
	flowOuts
	flowOut
)

var flowSums = map[string]int{
	"资金流水总笔数": flowCount,
	"收入笔数":    flowIns,
	"收入金额":    flowIn,
	"支出笔数":    flowOuts,
	"支出金额":    flowOut,
}

// FundReader reads a fund flow bill as BillReader reads a trade bill.
type FundReader struct {
	s    sheet
	cols []int
	err  error
	sum  FundSummary
	said FundSummary
}

// NewFundReader reads a bill as [Gateway.FundFlow] gives it.
func NewFundReader(r io.Reader) *FundReader { return &FundReader{s: newSheet(r)} }

// Next gives the next line, and io.EOF after the last one of a good bill. Any
// other error says that the lines given so far may not be kept either.
func (b *FundReader) Next() (FundRow, error) {
	var row FundRow
	if b.err == nil {
		b.err = b.next(&row)
	}
	if b.err != nil {
		return FundRow{}, b.err
	}
	return row, nil
}

// Summary is the bill's last line after io.EOF, and zero before.
func (b *FundReader) Summary() FundSummary {
	if b.err != io.EOF {
		return FundSummary{}
	}
	return b.said
}

func (b *FundReader) next(row *FundRow) (err error) {
	if b.cols == nil {
		if b.cols, err = b.s.header(flowColumns, "记账时间", "资金流水单号", "收支类型", "收支金额"); err != nil {
			return err
		}
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
	if err := b.s.fields(b.cols, row.set); err != nil {
		return err
	}
	b.sum.add(row)
	return nil
}

func (r *FundRow) set(place int, s string) (ok bool) {
	ok = true
	switch place {
	case flowAt:
		r.At, ok = billTime(s)
	case flowBusinessNo:
		r.BusinessNo = s
	case flowNo:
		r.FlowNo = s
	case flowBusiness:
		r.Business = s
	case flowKind:
		r.Kind = s
	case flowDirection:
		r.Income, ok = s == "收入", s == "收入" || s == "支出"
	case flowAmount:
		r.Amount, ok = decimal(s, 2)
	case flowBalance:
		r.Balance, ok = decimal(s, 2)
	case flowApplicant:
		r.Applicant = s
	case flowRemark:
		r.Remark = s
	case flowVoucher:
		r.VoucherNo = s
	}
	return ok
}

func (sum *FundSummary) add(r *FundRow) {
	sum.Count++
	if r.Income {
		sum.Ins, sum.In = sum.Ins+1, sum.In+r.Amount
		return
	}
	sum.Outs, sum.Out = sum.Outs+1, sum.Out+r.Amount
}

func (b *FundReader) finish() error {
	places, err := b.s.columns(flowSums, "资金流水总笔数", "收入笔数", "收入金额", "支出笔数", "支出金额")
	if err != nil {
		return err
	}
	if err := b.s.sums(places, b.said.set); err != nil {
		return err
	}
	if b.said != b.sum {
		return b.s.bad("the sums are not those of the lines")
	}
	return b.s.end()
}

func (sum *FundSummary) set(place int, s string) (ok bool) {
	switch place {
	case flowCount:
		sum.Count, ok = decimal(s, 0)
	case flowIns:
		sum.Ins, ok = decimal(s, 0)
	case flowIn:
		sum.In, ok = decimal(s, 2)
	case flowOuts:
		sum.Outs, ok = decimal(s, 0)
	case flowOut:
		sum.Out, ok = decimal(s, 2)
	}
	return ok
}

// optionalTime is billTime where a bill may leave the field empty.
func optionalTime(s string) (time.Time, bool) {
	if s == "" || s == "0" {
		return time.Time{}, true
	}
	return billTime(s)
}
