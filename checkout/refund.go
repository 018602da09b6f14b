package checkout

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"wxshop/models"
	"wxshop/wxpay"
)

// ErrOverLimit says that somebody may not give back this much at once.
var ErrOverLimit = errors.New("more than this person may give back at once")

// RefundRequest is a person's decision to give money back.
type RefundRequest struct {
	No     string     // of the order
	Amount models.Fen // part or all of what is left
	Note   string     // the payer sees it
	Token  string     // of the form: two taps are one refund
	Actor  string
	Limit  models.Fen // of the actor; 0: none
	Lines  []models.RefundLine
}

// Refund promises money of an order back and asks WeChat for it at once. What
// WeChat does not answer is asked again by the loop, with the same number.
// More than is left: *models.CapError; more than the actor may: ErrOverLimit;
// nothing paid: models.ErrBadMove.
func (s *Service) Refund(ctx context.Context, q RefundRequest) (r *models.Refund, repeated bool, err error) {
	if q.Limit > 0 && q.Amount > q.Limit {
		return nil, false, fmt.Errorf("refund %s: %s: %w", q.No, q.Amount, ErrOverLimit)
	}
	ctx, cancel := outlive(ctx, placing)
	defer cancel()
	p, err := s.paidWith(ctx, q.No)
	if err != nil {
		return nil, false, err
	}
	if _, err := s.gateway(p); err != nil { // better no promise than one that nobody keeps
		return nil, false, fmt.Errorf("refund %s: %w", q.No, err)
	}
	r, repeated, err = s.store.CreateRefund(ctx, models.NewRefund{
		OutTradeNo: p.OutTradeNo, Amount: q.Amount, Note: q.Note, Token: q.Token, Actor: q.Actor, Lines: q.Lines,
	})
	if err != nil || repeated {
		return r, repeated, err
	}
	s.count("refund.asked")
	s.log.Info("refund promised", "order", q.No, "txn", r.TransactionID, "refund", r.OutRefundNo, "fen", int64(r.Amount), "cause", q.Actor)
	if err := s.follow(ctx, r); err != nil {
		s.log.Warn("refund not taken on yet", "order", q.No, "refund", r.OutRefundNo, "err", err)
	}
	r, err = s.store.Refund(ctx, r.OutRefundNo) // as it stands after the first step
	return r, false, err
}

// Refundable is what was paid for an order and what of it is left to give
// back, in fen. Nothing paid: models.ErrBadMove.
func (s *Service) Refundable(ctx context.Context, no string) (paid, left models.Fen, err error) {
	p, err := s.paidWith(ctx, no)
	if err != nil {
		return 0, 0, err
	}
	rs, err := s.store.RefundsOf(ctx, p.OrderID)
	if err != nil {
		return 0, 0, err
	}
	left = p.Total
	for i := range rs {
		if rs[i].OutTradeNo == p.OutTradeNo && rs[i].State != models.RefundClosed {
			left -= rs[i].Amount
		}
	}
	return p.Total, left, nil
}

// paidWith is the attempt that paid an order. A second, doubled payment goes
// back by itself and is not the one.
func (s *Service) paidWith(ctx context.Context, no string) (*models.Payment, error) {
	o, err := s.store.AnyOrder(ctx, no)
	if err != nil {
		return nil, err
	}
	ps, err := s.store.Payments(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	rs, err := s.store.RefundsOf(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	given := map[int64]bool{}
	for _, r := range rs {
		if r.State != models.RefundClosed && (r.Reason == models.RefundDouble || r.Reason == models.RefundLate) {
			given[r.PaymentID] = true
		}
	}
	for i := range ps {
		if ps[i].State == models.PayPaid && !given[ps[i].ID] {
			return &ps[i], nil
		}
	}
	return nil, fmt.Errorf("refund %s: no payment of it: %w", no, models.ErrBadMove)
}

// RefundMisfit gives a payment to check back in full.
func (s *Service) RefundMisfit(ctx context.Context, id int64, actor, note string) (*models.Refund, error) {
	ctx, cancel := outlive(ctx, placing)
	defer cancel()
	if err := s.misfitHasGateway(ctx, id); err != nil {
		return nil, err
	}
	by := models.Account{API: string(s.cfg.API), SignType: s.signType(s.cfg.API), AppID: s.cfg.AppID}
	r, err := s.store.RefundMisfit(ctx, id, by, actor, note)
	if err != nil {
		return nil, err
	}
	s.count("refund.asked")
	s.log.Info("refund promised", "txn", r.TransactionID, "refund", r.OutRefundNo, "fen", int64(r.Amount), "cause", actor)
	if err := s.follow(ctx, r); err != nil {
		s.log.Warn("refund not taken on yet", "refund", r.OutRefundNo, "err", err)
	}
	return r, nil
}

// misfitHasGateway: money under a number of ours goes back by the keys that the
// number was made with. Without them there would be a promise that nobody keeps,
// and that keeps the shop from starting again.
func (s *Service) misfitHasGateway(ctx context.Context, id int64) error {
	ms, err := s.store.Misfits(ctx, false, id+1, 1)
	if err != nil || len(ms) == 0 || ms[0].ID != id {
		return err // that there is none, the store says
	}
	p, err := s.store.Payment(ctx, ms[0].OutTradeNo)
	if errors.Is(err, models.ErrNotFound) { // not ours: by what new ones go by
		return nil
	}
	if err == nil {
		_, err = s.gateway(p)
	}
	if err != nil {
		return fmt.Errorf("refund misfit %d: %w", id, err)
	}
	return nil
}

// RefundOnce takes every refund whose time has come one step on.
func (s *Service) RefundOnce(ctx context.Context) error {
	due, err := s.store.DueRefunds(ctx, batch)
	if err != nil {
		return err
	}
	return forEach(ctx, s, "refund", due, func(r *models.Refund) string { return r.OutRefundNo }, s.follow)
}

// follow takes one refund one step on: ask for it, or ask what became of it.
func (s *Service) follow(ctx context.Context, r *models.Refund) error {
	g, ok := s.gates[wxpay.Version(r.API)]
	if !ok { // it must not stand in the way of the others
		err := fmt.Errorf("refund %s: %w", r.OutRefundNo, noGateway("made with "+r.API))
		return s.step(ctx, r, models.RefundStep{OutRefundNo: r.OutRefundNo, Actor: "system", Err: err.Error(), Next: s.nextRefund(r)}, err)
	}
	if r.State == models.RefundPending {
		return s.askRefund(ctx, g, r)
	}
	err := s.queryRefund(ctx, g, r)
	if r.State == models.RefundAbnormal && errors.Is(err, wxpay.ErrNoSuchRefund) {
		// It was refused for a reason that a person may have mended; WeChat has
		// none under this number, so the number is asked for again.
		return s.askRefund(ctx, g, r)
	}
	return err
}

// askRefund asks WeChat to give money back, always with the number and the
// amounts that were stored first: a new number after a timeout would be a
// second refund (WeChat Pay v2, refund).
func (s *Service) askRefund(ctx context.Context, g wxpay.Gateway, r *models.Refund) error {
	call, trail := withTrail(ctx)
	got, err := g.Refund(call, wxpay.RefundOrder{
		OutTradeNo: r.OutTradeNo, OutRefundNo: r.OutRefundNo, Total: int64(r.Total), Amount: int64(r.Amount), Reason: reasonOf(r),
		NotifyURL: s.cfg.NotifyBase + "/notify/" + r.API + "/refund", AppID: r.AppID, SignType: wxpay.SignType(r.SignType),
	})
	step := models.RefundStep{OutRefundNo: r.OutRefundNo, Actor: "system", Msgs: trail.take()}
	switch {
	case err == nil:
		step.RefundID, step.Next = got.RefundID, s.now().Add(refundGaps[0])
		if r.State == models.RefundPending { // an abnormal one stays so until its end
			step.To = models.RefundProcessing
		}
		return s.step(ctx, r, step, nil)
	case wxpay.Retryable(err), errors.Is(err, wxpay.ErrNoCertificate), errors.Is(err, wxpay.ErrAccount):
		step.Err, step.Next = err.Error(), s.nextRefund(r)
		return s.step(ctx, r, step, err)
	}
	// A definite no to a number that an earlier, unanswered try may have used:
	// only the query tells.
	if keep := s.store.RecordMessages(ctx, step.Msgs); keep != nil {
		return keep
	}
	q := s.queryRefund(ctx, g, r)
	if !errors.Is(q, wxpay.ErrNoSuchRefund) {
		return q
	}
	step.Msgs, step.To, step.Err, step.Next = nil, models.RefundAbnormal, err.Error(), s.now().Add(abnormalGap)
	if errors.Is(err, wxpay.ErrPayerGone) || errors.Is(err, wxpay.ErrTooOld) {
		// WeChat leaves it to the merchant to give the money back another way.
		// Whoever did so must not see it go a second time, months later.
		step.Next = time.Time{}
	}
	return s.step(ctx, r, step, err)
}

// reasonOf is what the payer reads beside the refund.
func reasonOf(r *models.Refund) string {
	switch {
	case r.Note != "":
		return r.Note
	case r.Reason == models.RefundLate:
		return "订单已关闭，款项退回"
	case r.Reason == models.RefundDouble:
		return "重复付款，多付的退回"
	}
	return ""
}

// queryRefund asks what became of a refund; only this changes its state.
func (s *Service) queryRefund(ctx context.Context, g wxpay.Gateway, r *models.Refund) error {
	call, trail := withTrail(ctx)
	got, err := g.QueryRefund(call, wxpay.RefundRef{OutRefundNo: r.OutRefundNo, AppID: r.AppID, SignType: wxpay.SignType(r.SignType)})
	step := models.RefundStep{OutRefundNo: r.OutRefundNo, Actor: "query", Msgs: trail.take(), Next: s.nextRefund(r)}
	if err == nil && (got.OutRefundNo != r.OutRefundNo || got.Amount != int64(r.Amount)) {
		err = fmt.Errorf("WeChat has %s of %d fen", got.OutRefundNo, got.Amount)
	}
	if err != nil {
		step.Err = err.Error()
		return s.step(ctx, r, step, fmt.Errorf("query refund %s: %w", r.OutRefundNo, err))
	}
	step.RefundID, step.Account, step.SucceededAt = got.RefundID, got.Account, got.SucceededAt
	switch got.State {
	case wxpay.RefundSuccess:
		step.To, step.Next = models.RefundSucceeded, time.Time{}
	case wxpay.RefundClosed:
		step.To, step.Next = models.RefundClosed, time.Time{}
	case wxpay.RefundAbnormal:
		step.To, step.Next = models.RefundAbnormal, s.now().Add(abnormalGap)
	case wxpay.RefundProcessing:
		if r.State == models.RefundPending {
			step.To = models.RefundProcessing
		}
	}
	return s.step(ctx, r, step, nil)
}

// step stores what WeChat said and tells the log of what changed.
func (s *Service) step(ctx context.Context, r *models.Refund, x models.RefundStep, cause error) error {
	changed, err := s.store.StepRefund(ctx, x)
	if err != nil {
		return errors.Join(cause, err)
	}
	if changed {
		s.count("refund." + string(x.To))
		log := s.log.With("txn", r.TransactionID, "refund", r.OutRefundNo, "fen", int64(r.Amount), "from", string(r.State), "to", string(x.To))
		if x.To == models.RefundAbnormal || x.To == models.RefundClosed {
			log.Error("refund needs a person", "cause", x.Err)
		} else {
			log.Info("refund went on")
		}
	}
	return cause
}

// refundGaps are the waits between the steps of one refund: a balance is
// credited in seconds, a bank card in days.
var refundGaps = []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, time.Hour}

// abnormalGap is how often WeChat is asked about a refund that a person has to
// settle there.
const abnormalGap = 6 * time.Hour

func (s *Service) nextRefund(r *models.Refund) time.Time {
	return s.now().Add(refundGaps[min(int(r.Tries), len(refundGaps)-1)])
}

// RefundNotify takes a refund notification in. In v2 it proves nothing (security
// P18); in v3 it is signed, and still only a reason to ask at once: the query is
// the one door to a refund's state, its answer is newer than any notification
// that was on its way, and a replay or one that came in the other version's form
// (as refunds made on WeChat's own pages do) then needs no rules of its own.
func (s *Service) RefundNotify(ctx context.Context, v wxpay.Version, h http.Header, body []byte) wxpay.Reply {
	return s.notified(ctx, v, func(ctx context.Context, g wxpay.Gateway) error {
		hint, err := g.ParseRefundNotify(h, body)
		if err != nil {
			return fmt.Errorf("refund notify: %w: %w", errRefused, err)
		}
		err = s.store.WakeRefund(ctx, hint.OutRefundNo)
		if errors.Is(err, models.ErrNotFound) {
			s.log.Warn("refund notify for a number that is not ours", "op", "notify")
			return nil
		}
		if err == nil {
			s.count("notify.refund")
		}
		return err
	})
}
