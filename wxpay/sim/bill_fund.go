package sim

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"time"
)

// The refusals of downloadfundflow: on the second layer, but unsigned
// (WeChat Pay v2, "下载资金账单").
var (
	errFundSign     = businessFail{"PARAM_ERROR", "签名类型目前仅支持HMAC-SHA256"}
	errFundDate     = businessFail{"PARAM_ERROR", "bill_date参数格式错误"}
	errFundAccount  = businessFail{"PARAM_ERROR", "account_type参数格式错误"}
	errFundTar      = businessFail{"PARAM_ERROR", "tar_type参数格式错误"}
	errFundNone     = businessFail{"NO_BILL_EXIST", "流水账单不存在"}
	errFundCreating = businessFail{"BILL_CREATING", "流水账单生成中"}
)

// fundStart is the first day that has fund-flow bills.
var fundStart = time.Date(2017, 6, 1, 0, 0, 0, 0, beijing)

// downloadFundFlow is the statement of the merchant's account of a day.
func (s *Sim) downloadFundFlow(w http.ResponseWriter, r *http.Request) {
	q, err := s.readV2(w, r)
	var text []byte
	if err == nil {
		text, err = s.fundBill(q)
	}
	var protocol protocolFail
	var no businessFail
	switch {
	case err == nil:
		if q.in["tar_type"] == "GZIP" {
			text = zipped(text)
		}
		sum := sha1.Sum(text)
		w.Header().Set("Digest", "SHA="+hex.EncodeToString(sum[:]))
		sendBill(w, text, "")
		return
	case errors.As(err, &no):
		text = writeXML([]field{{"return_code", "SUCCESS"}, {"return_msg", "OK"}, {"result_code", "FAIL"}, {"err_code", no.code}, {"err_code_des", no.text}}, nil)
	case errors.As(err, &protocol):
		text = v2Fail(protocol)
	default:
		s.log.Error("fund flow not made", "err", err)
		err, text = failSystem, v2Fail(failSystem)
	}
	say(r, s.refusal(q, err, err.Error()))
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write(text)
}

func (s *Sim) fundBill(q v2Request) ([]byte, error) {
	in := q.in
	day, err := time.ParseInLocation("20060102", in["bill_date"], beijing)
	switch {
	case in["bill_date"] == "" || in["account_type"] == "":
		return nil, failMissing
	case q.alg != algHMAC:
		return nil, errFundSign
	case err != nil:
		return nil, errFundDate
	case !slices.Contains([]string{"Basic", "Operation", "Fees"}, in["account_type"]):
		return nil, errFundAccount
	case in["tar_type"] != "" && in["tar_type"] != "GZIP":
		return nil, errFundTar
	case s.clock.Now().Before(billReady(day)), s.faultFires(faultBillNotReady, ""):
		return nil, errFundCreating
	case in["account_type"] != "Basic", day.Before(fundStart): // everything goes through the basic account
		return nil, errFundNone
	}
	return s.writeFlows(day, billV2)
}

// writeFlows is the fund-flow bill of a day; errFundNone when nothing happened.
func (s *Sim) writeFlows(day time.Time, style billStyle) ([]byte, error) {
	s.mu.Lock()
	s.ripenAll()
	text := writeFunds(s.funds(), day, style)
	s.mu.Unlock()
	if text == nil {
		return nil, errFundNone
	}
	return text, s.journal.sync()
}

// flow is one booking on the merchant's account.
type flow struct {
	at               time.Time
	business, kind   string // 微信支付业务单号, 业务名称
	fen              int64  // negative: out
	remark, document string
	gross            int64 // fen of a refund before the fee that comes back
}

// The names of bookings.
const (
	flowTrade  = "交易"
	flowFee    = "扣除交易手续费"
	flowRefund = "退款"
	flowReturn = "退款退回"
)

// funds are all bookings since the beginning, in order of time: a refund goes
// out, less the fee that comes back, when it is accepted. s.mu is held.
func (s *Sim) funds() []flow {
	var out []flow
	for _, o := range s.ledger.recent {
		p := o.payment
		if p == nil || o.Sandbox {
			continue
		}
		out = append(out, flow{p.At, p.TransactionID, flowTrade, o.Total, "", o.No, 0})
		if f := fee(o.Total); f > 0 {
			out = append(out, flow{p.At, p.TransactionID, flowFee, -f, "", o.No, 0})
		}
		for _, r := range o.refunds {
			out = append(out, flow{r.Created, r.RefundID, flowRefund, r.Fee - r.Amount, r.Desc, r.OutRefundNo, r.Amount})
			if r.State == refundClosed {
				out = append(out, flow{r.Ended, r.RefundID, flowReturn, r.Amount - r.Fee, r.Desc, r.OutRefundNo, 0})
			}
		}
		if o.returned != "" {
			out = append(out, flow{o.reversed, o.returned, flowRefund, fee(o.Total) - o.Total, "", o.No, o.Total})
		}
	}
	slices.SortStableFunc(out, func(a, b flow) int { return a.at.Compare(b.at) })
	return out
}

const (
	fundHead   = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额（元）,账户结余（元）,资金变更提交申请人,备注,业务凭证号"
	fundHeadV3 = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号"
	fundSums   = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
)

// writeFunds writes the bookings of a day; nil: there are none.
func writeFunds(all []flow, day time.Time, style billStyle) []byte {
	var b bytes.Buffer
	b.WriteString(bom + style.fundHead + "\r\n")
	var balance, ins, outs, in, out int64
	end := day.AddDate(0, 0, 1)
	for _, f := range all {
		balance += f.fen
		if f.at.Before(day) || !f.at.Before(end) {
			continue
		}
		direction, fen := "收入", f.fen
		if f.fen < 0 {
			direction, fen = "支出", -f.fen
			outs, out = outs+1, out+fen
		} else {
			ins, in = ins+1, in+fen
		}
		who, remark := style.describe(f)
		style.row(&b, billTime(f.at), f.business, f.number(), f.kind, f.kind, direction, cents(fen), cents(balance), who, remark, f.document)
	}
	if ins+outs == 0 {
		return nil
	}
	b.WriteString(fundSums + "\r\n")
	style.row(&b, style.count(ins+outs), style.count(ins), style.sum(in), style.count(outs), style.sum(out))
	return b.Bytes()
}

// number is 资金流水单号: 28 digits that follow from the booking, so that it is
// the same in every bill.
func (f flow) number() string {
	return mchID1 + f.at.In(beijing).Format("20060102") + pick(chance(0, f.kind+f.business, 0), digits, 10)
}
