package checkout

import (
	"context"
	"errors"
	"fmt"

	"wxshop/models"
	"wxshop/wxpay"
)

// Mended is what came of asking WeChat about a difference.
type Mended struct {
	Day      string
	Found    Finding            // of a payment
	Refund   models.RefundState // of a refund: how it stands now
	Resolved bool               // both sides agree now
}

// AskDifference asks WeChat about an open difference and applies the answer
// through the doors that all money uses: what is paid there is settled here
// (a number that is not ours becomes a payment to check), and a refund is taken
// on by a step. One that is closed: models.ErrStale.
func (s *Service) AskDifference(ctx context.Context, id int64, actor string) (Mended, error) {
	ctx, cancel := outlive(ctx, 3*asking)
	defer cancel()
	d, err := s.openDifference(ctx, id)
	if err != nil {
		return Mended{}, err
	}
	m := Mended{Day: d.Day}
	switch d.Kind {
	case models.DiffRefundUnknown, models.DiffRefundMissing, models.DiffRefundAmount, models.DiffRefundState:
		m.Refund, err = s.askRefundOf(ctx, d)
	default:
		m.Found, err = s.askPaymentOf(ctx, d, actor)
	}
	if err != nil {
		return m, fmt.Errorf("ask about %s: %w", d.Number, err)
	}
	m.Resolved, err = s.resolved(ctx, d, actor)
	return m, err
}

func (s *Service) openDifference(ctx context.Context, id int64) (*models.BillDifference, error) {
	d, err := s.store.Difference(ctx, id)
	if err == nil && d.State != models.DiffOpen {
		err = fmt.Errorf("difference %s: %w", d.Number, models.ErrStale)
	}
	return d, err
}

func (s *Service) askPaymentOf(ctx context.Context, d *models.BillDifference, actor string) (Finding, error) {
	p, err := s.store.Payment(ctx, d.OutTradeNo)
	if errors.Is(err, models.ErrNotFound) {
		return s.askForeign(ctx, d.OutTradeNo, actor)
	}
	if err != nil {
		return "", err
	}
	found, err := s.sync(ctx, p, actor)
	if err == nil && found == FoundDead && p.State == models.PayPaid { // taken back after it was paid here
		_, err = s.store.Reversed(ctx, p.ID, nil)
	}
	return found, err
}

// askForeign asks about a number that is not ours. Money under it becomes a
// payment to check.
func (s *Service) askForeign(ctx context.Context, outTradeNo, actor string) (Finding, error) {
	g, ok := s.gates[s.cfg.API]
	if !ok {
		return "", ErrNoGateway
	}
	call, trail := withTrail(ctx)
	t, err := g.Query(call, wxpay.Ref{OutTradeNo: outTradeNo, AppID: s.cfg.AppID, SignType: s.cfg.SignType})
	msgs := trail.take()
	switch {
	case errors.Is(err, wxpay.ErrNoSuchOrder):
		return FoundMissing, s.store.RecordMessages(ctx, msgs)
	case err != nil:
		return "", errors.Join(err, s.store.RecordMessages(ctx, msgs))
	case !t.State.Paid():
		return FoundDead, s.store.RecordMessages(ctx, msgs)
	}
	_, err = s.Settle(ctx, t, actor, msgs)
	return FoundMisfit, err
}

// askRefundOf takes a refund of ours one step on, or looks at one that somebody
// made on WeChat's own pages.
func (s *Service) askRefundOf(ctx context.Context, d *models.BillDifference) (models.RefundState, error) {
	r, err := s.store.Refund(ctx, d.Number)
	if err == nil {
		if err := s.follow(ctx, r); err != nil {
			return "", err
		}
		if r, err = s.store.Refund(ctx, d.Number); err != nil {
			return "", err
		}
		return r.State, nil
	}
	if !errors.Is(err, models.ErrNotFound) {
		return "", err
	}
	g, ok := s.gates[s.cfg.API]
	if !ok {
		return "", ErrNoGateway
	}
	got, err := g.QueryRefund(ctx, wxpay.RefundRef{OutRefundNo: d.Number, AppID: s.cfg.AppID, SignType: s.cfg.SignType})
	switch {
	case errors.Is(err, wxpay.ErrNoSuchRefund):
		return "", nil
	case err != nil:
		return "", err
	case got.State == wxpay.RefundSuccess:
		return models.RefundSucceeded, nil
	case got.State == wxpay.RefundClosed:
		return models.RefundClosed, nil
	case got.State == wxpay.RefundAbnormal:
		return models.RefundAbnormal, nil
	}
	return models.RefundProcessing, nil
}

// resolved looks at our rows once more and closes d if they agree now with
// what the bill said.
func (s *Service) resolved(ctx context.Context, d *models.BillDifference, actor string) (bool, error) {
	if d.Theirs < 0 || d.Kind == models.DiffTwice {
		return false, nil // the bill lacks it, and stays as it is
	}
	l := models.BillLine{Kind: models.LinePaid, Number: d.Number, OutTradeNo: d.OutTradeNo, TransactionID: d.TransactionID,
		RefundID: d.RefundID, Amount: d.Theirs, State: d.TheirState, At: d.At}
	switch d.Kind {
	case models.DiffReversed:
		l.Kind = models.LineReversed
	case models.DiffRefundUnknown, models.DiffRefundAmount, models.DiffRefundState:
		l.Kind = models.LineRefund
	}
	books, err := s.store.BooksOf(ctx, "", []models.BillLine{l})
	if err != nil {
		return false, err
	}
	if still, known := judge(&l, books); still != nil && !known {
		return false, nil
	}
	err = s.store.ResolveDifference(ctx, d.ID, actor, models.NoteAgrees)
	if errors.Is(err, models.ErrStale) { // by somebody else, this moment
		err = nil
	}
	if err == nil {
		s.count("bill.mended")
		s.log.Info("difference mended", "op", "reconcile", "txn", d.TransactionID, "fen", int64(d.Theirs), "cause", actor)
	}
	return err == nil, err
}

// RefundDifference gives money back in full that the bill has and we did not
// count as paid: it is settled first, and what then does not go back by itself
// is refunded. limit as in RefundRequest. models.ErrBadMove: WeChat has no such
// payment, so there is nothing to give back; models.ErrStale: its amount is not
// the one that the bill had, so that the person decided about something else.
func (s *Service) RefundDifference(ctx context.Context, id int64, actor, note string, limit models.Fen) (*models.Refund, error) {
	d, err := s.openDifference(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case !Refundable(d.Kind):
		return nil, fmt.Errorf("refund a difference of %s: %w", d.Kind, models.ErrBadMove)
	case limit > 0 && d.Theirs > limit:
		return nil, fmt.Errorf("refund %s: %w", d.Theirs, ErrOverLimit)
	}
	if _, err := s.AskDifference(ctx, id, actor); err != nil {
		return nil, err
	}
	books, err := s.store.BooksOf(ctx, "", []models.BillLine{{Number: d.Number, OutTradeNo: d.OutTradeNo, TransactionID: d.TransactionID}})
	if err != nil {
		return nil, err
	}
	for i := range books.Misfits {
		if m := &books.Misfits[i]; m.State == "open" && m.TransactionID == d.TransactionID {
			if m.Total != d.Theirs {
				return nil, fmt.Errorf("refund %s: WeChat says %s now: %w", d.Theirs, m.Total, models.ErrStale)
			}
			return s.RefundMisfit(ctx, m.ID, actor, note)
		}
	}
	p := books.Payments[d.OutTradeNo]
	if p == nil || p.State != models.PayPaid {
		return nil, fmt.Errorf("refund %s: WeChat has no such payment: %w", d.Number, models.ErrBadMove)
	}
	if p.Total != d.Theirs {
		return nil, fmt.Errorf("refund %s: we were paid %s: %w", d.Theirs, p.Total, models.ErrStale)
	}
	return s.refundWhole(ctx, p, d, actor, note, limit)
}

// refundWhole gives a payment back that was settled just now, unless it goes
// back by itself already.
func (s *Service) refundWhole(ctx context.Context, p *models.Payment, d *models.BillDifference, actor, note string, limit models.Fen) (*models.Refund, error) {
	rs, err := s.store.RefundsOf(ctx, p.OrderID)
	if err != nil {
		return nil, err
	}
	for i := range rs {
		if rs[i].OutTradeNo == p.OutTradeNo && rs[i].State != models.RefundClosed {
			return &rs[i], nil
		}
	}
	o, err := s.store.OrderByID(ctx, p.OrderID)
	if err != nil {
		return nil, err
	}
	r, _, err := s.Refund(ctx, RefundRequest{No: o.No, Amount: p.Total, Note: note, Token: fmt.Sprintf("bill %d", d.ID), Actor: actor, Limit: limit})
	return r, err
}

// Refundable reports whether money of such a difference can be given back from
// here.
func Refundable(k models.DiffKind) bool {
	return k == models.DiffUnknown || k == models.DiffUnsettled
}
