package checkout

import (
	"wxshop/models"
)

// judge holds one line of a bill against our rows. known: it differs, and a
// payment to check or a reversal explains it.
func judge(l *models.BillLine, b *models.Books) (d *models.BillDifference, known bool) {
	switch l.Kind {
	case models.LineRefund:
		return judgeRefund(l, b), false
	case models.LineReversed:
		return judgeReversed(l, b)
	default:
		return judgePaid(l, b)
	}
}

func judgePaid(l *models.BillLine, b *models.Books) (d *models.BillDifference, known bool) {
	p := b.Payments[l.OutTradeNo]
	switch {
	case p == nil:
		d = differ(l, models.DiffUnknown)
	case p.State != models.PayPaid:
		if b.Reversed[l.OutTradeNo] {
			return nil, true
		}
		d = differ(l, models.DiffUnsettled)
	case p.Total != l.Amount:
		d = differ(l, models.DiffAmount)
	case p.TransactionID != nil && *p.TransactionID != l.TransactionID:
		d = differ(l, models.DiffTransaction)
	default:
		return nil, false
	}
	withPayment(d, p)
	if misfit(l, p, b.Misfits) {
		return nil, true
	}
	return d, false
}

// misfit reports whether a payment to check stands for the line: the same
// transaction with the same amount. One about another amount explains nothing.
func misfit(l *models.BillLine, p *models.Payment, ms []models.Misfit) bool {
	for i := range ms {
		m := &ms[i]
		same := m.TransactionID == l.TransactionID || m.TransactionID == "" && m.OutTradeNo == l.OutTradeNo
		if same && m.Total == l.Amount && (p == nil || p.State != models.PayPaid || p.Total == l.Amount) {
			return true
		}
	}
	return false
}

// judgeReversed: what WeChat took back must not count as paid here, unless
// somebody is at it.
func judgeReversed(l *models.BillLine, b *models.Books) (d *models.BillDifference, known bool) {
	p := b.Payments[l.OutTradeNo]
	if p == nil || p.State != models.PayPaid {
		return nil, false // the line of the payment tells what is to be told
	}
	for i := range b.Misfits {
		if b.Misfits[i].Reason == "reversed" && b.Misfits[i].OutTradeNo == l.OutTradeNo {
			return nil, true
		}
	}
	d = differ(l, models.DiffReversed)
	withPayment(d, p)
	return d, false
}

// judgeRefund goes by what a bill can know: it shows a refund as it stood on
// the next morning, and never again (WeChat Pay v2, downloadbill).
func judgeRefund(l *models.BillLine, b *models.Books) *models.BillDifference {
	r := b.Refunds[l.Number]
	var d *models.BillDifference
	switch {
	case r == nil:
		d = differ(l, models.DiffRefundUnknown)
		if p := b.Payments[l.OutTradeNo]; p != nil {
			d.OrderID = p.OrderID
		}
		return d
	case r.Amount != l.Amount:
		d = differ(l, models.DiffRefundAmount)
	case !agree(l.State, r):
		d = differ(l, models.DiffRefundState)
	default:
		return nil
	}
	withRefund(d, r)
	return d
}

// agree reports whether a refund that stood so in the bill can stand so here.
func agree(bill string, r *models.Refund) bool {
	switch bill {
	case "SUCCESS":
		return r.State == models.RefundSucceeded
	case "FAIL", "CHANGE":
		return r.State == models.RefundAbnormal || r.State == models.RefundClosed || r.State == models.RefundSucceeded
	default: // PROCESSING, or a word of tomorrow: it was taken on
		return r.RefundID != "" || r.State == models.RefundSucceeded
	}
}

// differ is a difference on WeChat's side of which nothing is known here yet.
func differ(l *models.BillLine, kind models.DiffKind) *models.BillDifference {
	return &models.BillDifference{
		Kind: kind, Number: l.Number, OutTradeNo: l.OutTradeNo, TransactionID: l.TransactionID, RefundID: l.RefundID,
		Theirs: l.Amount, Ours: -1, TheirState: l.State, At: l.At,
	}
}

func withPayment(d *models.BillDifference, p *models.Payment) {
	if p != nil {
		d.OrderID, d.Ours, d.OurState = p.OrderID, p.Total, string(p.State)
	}
}

func withRefund(d *models.BillDifference, r *models.Refund) {
	d.OrderID, d.Ours, d.OurState = r.OrderID, r.Amount, string(r.State)
}

// missingPayment and missingRefund are ours that no bill has.
func missingPayment(p *models.Payment) models.BillDifference {
	d := models.BillDifference{Kind: models.DiffMissing, Number: p.OutTradeNo, OutTradeNo: p.OutTradeNo, Theirs: -1, At: p.PaidAt}
	if p.TransactionID != nil {
		d.TransactionID = *p.TransactionID
	}
	withPayment(&d, p)
	return d
}

func missingRefund(r *models.Refund) models.BillDifference {
	d := models.BillDifference{Kind: models.DiffRefundMissing, Number: r.OutRefundNo, OutTradeNo: r.OutTradeNo,
		TransactionID: r.TransactionID, RefundID: r.RefundID, Theirs: -1, At: r.AcceptedAt}
	withRefund(&d, r)
	return d
}
