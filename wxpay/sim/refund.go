package sim

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"wxshop/wxpay/sim/console"
)

// refund is money that goes back to a payer, from the moment it was accepted.
type refund struct {
	API         string    `json:"api,omitempty"` // apiV3; empty: v2
	OutRefundNo string    `json:"out_refund_no"`
	RefundID    string    `json:"refund_id,omitempty"`
	Amount      int64     `json:"amount,omitempty"` // fen
	Fee         int64     `json:"fee,omitempty"`    // fen of the fee that the merchant gets back
	State       string    `json:"state"`
	Created     time.Time `json:"created"`
	Success     time.Time `json:"success"`
	Ended       time.Time `json:"ended"`          // when it was last decided; zero: not yet
	Due         time.Time `json:"due"`            // when it is decided by itself
	Ends        string    `json:"ends,omitempty"` // how
	Desc        string    `json:"desc,omitempty"`
	Account     string    `json:"account,omitempty"` // refund_account
	NotifyURL   string    `json:"notify_url,omitempty"`
	Source      string    `json:"source,omitempty"` // refund_request_source

	From  []refundPart `json:"from,omitempty"` // whose money it is, if the merchant said so (API v3)
	order *order
}

// The states of a refund in the control API, and what v2 calls them
// (WeChat Pay v2, "查询退款").
const (
	refundProcessing = "PROCESSING"
	refundSuccess    = "SUCCESS"
	refundClosed     = "CLOSED"
	refundAbnormal   = "ABNORMAL"
)

func v2RefundState(state string) string {
	switch state {
	case refundClosed:
		return "REFUNDCLOSE"
	case refundAbnormal:
		return "CHANGE"
	default:
		return state
	}
}

const (
	refundTakes   = 3 * time.Second // from acceptance to the payer's wallet
	refundTarries = 3 * time.Hour   // the same under the fault refund-processing
	refundableFor = 365 * 24 * time.Hour
	maxRefunds    = 50 // of one order
)

// Who asked for a refund (refund_request_source).
const (
	sourceAPI      = "API"
	sourcePlatform = "VENDOR_PLATFORM"
)

// ripeAt is when something happens to an order by itself; zero: never.
func (o *order) ripeAt() time.Time {
	var at time.Time
	for _, r := range o.refunds {
		if r.State == refundProcessing && (at.IsZero() || r.Due.Before(at)) {
			at = r.Due
		}
	}
	if o.state() == stateUserPaying {
		at = o.Created.Add(codePatience)
	}
	return at
}

// ripen lets happen what fell due on an order: refunds end, payment codes
// whose payer never answered are revoked. s.mu is held.
func (s *Sim) ripen(o *order, now time.Time) {
	for at := o.ripeAt(); !at.IsZero() && !at.After(now); at = o.ripeAt() {
		if err := s.ripenOnce(o, at); err != nil {
			s.log.Error("order not ripened", "order", o.No, "err", err)
			return
		}
	}
	s.closeForgotten(o, now)
}

func (s *Sim) ripenOnce(o *order, at time.Time) error {
	for _, r := range o.refunds {
		if r.State == refundProcessing && r.Due.Equal(at) {
			return s.endRefund(r, r.Ends, at)
		}
	}
	return s.revoke(o, at)
}

// ripenAll does so for every order. s.mu is held.
func (s *Sim) ripenAll() {
	now := s.clock.Now()
	var due []*order
	for _, o := range s.ledger.unripe {
		if at := o.ripeAt(); !at.After(now) {
			due = append(due, o)
		}
	}
	slices.SortFunc(due, func(a, b *order) int { return cmp.Or(a.ripeAt().Compare(b.ripeAt()), cmp.Compare(a.No, b.No)) })
	for _, o := range due {
		s.ripen(o, now)
	}
}

// planRipe wakes the loop when something falls due on an order. s.mu is held.
func (s *Sim) planRipe(o *order) {
	if at := o.ripeAt(); !at.IsZero() {
		s.plan.add(planned{at: at, ripe: o})
		s.nudge()
	}
}

// ripenPlanned is the loop's turn.
func (s *Sim) ripenPlanned(o *order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ledger.orders[o.No] != o {
		return // forgotten by a reset
	}
	now := s.clock.Now()
	s.ripen(o, now)
	if o.ripeAt().After(now) { // else the journal is broken: no use in trying on
		s.planRipe(o)
	}
}

func (l *ledger) addRefund(o *order, r *record) {
	f := *r.Refund
	f.order = o
	o.refunds = append(o.refunds, &f)
	l.refunds[f.OutRefundNo], l.byRefundID[f.RefundID] = &f, &f
}

// endRefund moves the money of a refund that ended.
func (l *ledger) endRefund(o *order, r *record) error {
	f := l.refunds[r.Refund.OutRefundNo]
	if f == nil || f.order != o || o.payment == nil {
		return fmt.Errorf("record %d: no refund %q of %q", r.Seq, r.Refund.OutRefundNo, o.No)
	}
	f.State, f.Success, f.Ended = r.Refund.State, r.Refund.Success, r.At
	if f.State == refundSuccess {
		l.userByID(o.payment.User).Balance += f.Amount
	}
	l.addNote(o, r.Note)
	return nil
}

// refunded is what was given back or will be: all refunds but closed ones.
func (o *order) refunded() int64 {
	var sum int64
	for _, r := range o.refunds {
		if r.State != refundClosed {
			sum += r.Amount
		}
	}
	return sum
}

// endRefund decides a refund and tells the merchant. s.mu is held.
func (s *Sim) endRefund(r *refund, state string, at time.Time) error {
	end := &refund{OutRefundNo: r.OutRefundNo, State: state}
	if state == refundSuccess {
		end.Success = at
	}
	o := r.order
	rec := &record{Kind: recRefundEnd, At: at, No: o.No, Refund: end}
	if r.NotifyURL != "" {
		rec.Note = s.newNotification("refund", r.API, o.No, r.NotifyURL, at)
		rec.Note.Refund = r.OutRefundNo
	}
	if err := s.commit(rec); err != nil {
		return err
	}
	s.timelineRefund(r, at)
	s.log.Info("refund ended", "order", o.No, "refund", r.OutRefundNo, "state", state, "fen", r.Amount)
	if rec.Note != nil {
		s.schedule(s.ledger.notes[rec.Note.ID])
	}
	return nil
}

// newRefundID makes WeChat's number of a refund: 29 digits, 50 in front.
func (s *Sim) newRefundID(now time.Time) string {
	r := s.idChance("refund", now)
	return "50000" + pick(r, digits, 3) + now.In(beijing).Format("20060102") + pick(r, digits, 13)
}

// acceptRefund takes a refund that passed every check. s.mu is held.
func (s *Sim) acceptRefund(o *order, r *refund) (*refund, error) {
	now := s.clock.Now()
	r.RefundID, r.State, r.Created = s.newRefundID(now), refundProcessing, now
	left := o.Total - o.refunded()
	r.Fee = fee(left) - fee(left-r.Amount)
	r.Due, r.Ends = now.Add(refundTakes), refundSuccess
	if s.faultFires(faultRefundProcessing, o.No) {
		r.Due = now.Add(refundTarries)
	}
	if s.faultFires(faultRefundAbnormal, o.No) {
		r.Ends = refundAbnormal
	}
	if err := s.commit(&record{Kind: recRefund, At: now, No: o.No, Refund: r}); err != nil {
		return nil, err
	}
	kept := s.ledger.refunds[r.OutRefundNo]
	s.timelineRefund(kept, now)
	s.log.Info("refund accepted", "order", o.No, "refund", r.OutRefundNo, "fen", r.Amount)
	s.planRipe(o)
	return kept, nil
}

// timelineRefund tells of a refund's state. s.mu is held.
func (s *Sim) timelineRefund(r *refund, at time.Time) {
	what := map[string]struct {
		verdict string
		tone    console.Tone
	}{
		refundProcessing: {"受理了", console.Busy}, refundSuccess: {"退款成功", console.Good},
		refundClosed: {"退款关闭", console.Bad}, refundAbnormal: {"退款异常", console.Bad},
	}[r.State]
	o := r.order
	s.events.add(happening{kind: "refund", data: refundView(r), entry: console.Entry{
		At: at, Direction: console.Actor, Title: "退款 " + yuan(r.Amount), Hint: tail(o.No) + " · " + r.OutRefundNo,
		Verdict: what.verdict, Tone: what.tone, Words: o.No + " " + r.OutRefundNo + " " + r.RefundID,
	}, detail: orderDetail(o, "商户退款单号", r.OutRefundNo, "微信退款单号", r.RefundID, "退款金额", yuan(r.Amount))})
	s.events.add(happening{kind: "transaction", data: s.transactionView(o)})
}

func refundView(r *refund) refundJSON {
	return refundJSON{r.OutRefundNo, r.RefundID, r.Amount, r.State, stamp(r.Created), stamp(r.Success)}
}
