package checkout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wxshop/models"
	"wxshop/wxpay"
)

// ask bounds one question to WeChat with what is done about the answer.
const asking = 10 * time.Second

// Finding is what asking WeChat about one attempt came to.
type Finding string

// Findings. Only FoundOpen and FoundMissing are not final.
const (
	FoundPaid    Finding = "paid"    // and settled here
	FoundOpen    Finding = "open"    // WeChat waits for the payer
	FoundDead    Finding = "dead"    // closed, revoked or failed at WeChat, ended here
	FoundMissing Finding = "missing" // WeChat never got the order
	FoundMisfit  Finding = "misfit"  // paid, but not what we asked for: ended here, in payments to check
)

// sync asks WeChat about one attempt and applies the answer. An error means
// that we do not know.
func (s *Service) sync(ctx context.Context, p *models.Payment, actor string) (Finding, error) {
	g, err := s.gateway(p)
	if err != nil && s.forsaken(p) {
		s.log.Error("attempt for another merchant given up; look for its money there", "op", "query", "cause", p.MchID)
		return FoundDead, s.store.EndPayment(ctx, p.ID, models.PayClosed, actor, "made for merchant "+p.MchID+", which is not configured", nil)
	}
	if err != nil { // it must not stand in the way of the others
		return "", errors.Join(err, s.store.Postpone(ctx, p.ID, s.nextQuery(p), err.Error(), nil))
	}
	call, trail := withTrail(ctx)
	t, err := g.Query(call, ref(p))
	msgs := trail.take()
	if errors.Is(err, wxpay.ErrNoSuchOrder) {
		return FoundMissing, s.store.Postpone(ctx, p.ID, s.nextQuery(p), "", msgs)
	}
	if err != nil {
		s.count("query.error")
		keep := s.store.Postpone(ctx, p.ID, s.nextQuery(p), err.Error(), msgs)
		return "", errors.Join(fmt.Errorf("query %s: %w", p.OutTradeNo, err), keep)
	}
	if t.OutTradeNo != p.OutTradeNo {
		return "", fmt.Errorf("query %s: WeChat answered about %q", p.OutTradeNo, t.OutTradeNo)
	}
	return s.found(ctx, p, t, actor, msgs)
}

// forsakenAfter is how long after its last moment to be paid an attempt for a
// merchant that is not configured any more keeps its order and its goods.
const forsakenAfter = 24 * time.Hour

func (s *Service) forsaken(p *models.Payment) bool {
	return p.MchID != s.cfg.MchID && p.State != models.PayPaid && s.now().Sub(p.ExpireAt.Time) > forsakenAfter
}

// ref names the attempt as it was placed, whatever is configured now.
func ref(p *models.Payment) wxpay.Ref {
	return wxpay.Ref{OutTradeNo: p.OutTradeNo, AppID: p.AppID, SignType: wxpay.SignType(p.SignType)}
}

func (s *Service) found(ctx context.Context, p *models.Payment, t wxpay.Transaction, actor string, msgs []models.Message) (Finding, error) {
	switch {
	case t.State.Paid():
		out, err := s.Settle(ctx, t, actor, msgs)
		if err == nil && out == models.OutcomeReversing {
			return FoundOpen, nil
		}
		if err != nil || out != models.OutcomeMisfit {
			return FoundPaid, err
		}
		// Its money waits for a person; the attempt can be paid no more, and
		// must not keep the order's goods for ever.
		return FoundMisfit, s.store.EndPayment(ctx, p.ID, models.PayClosed, actor, "see payments to check", nil)
	case t.State == wxpay.Closed, t.State == wxpay.Revoked:
		return FoundDead, s.store.EndPayment(ctx, p.ID, models.PayClosed, actor, string(t.State), msgs)
	case t.State == wxpay.PayError:
		return FoundDead, s.store.EndPayment(ctx, p.ID, models.PayFailed, actor, string(t.State), msgs)
	default:
		return FoundOpen, s.store.Postpone(ctx, p.ID, s.nextQuery(p), "", msgs)
	}
}

// gaps between the queries of one open attempt: dense while the shopper may be
// looking, then patient.
var gaps = []time.Duration{time.Minute, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute}

func (s *Service) nextQuery(p *models.Payment) time.Time {
	if c := wxpay.TradeType(p.Channel); c == wxpay.Micropay || c == wxpay.Facepay {
		return s.now().Add(askEvery) // somebody stands at the counter
	}
	i := min(int(p.Queries), len(gaps)-1)
	return s.now().Add(gaps[max(i, 0)])
}

// endAttempt makes sure that an attempt can never be paid any more: it asks
// first (it may be paid), closes at WeChat, and only then closes here. It
// gives models.ErrBadMove when the attempt turned out to be paid; an error
// for which wxpay.IsUnknown holds leaves it open.
func (s *Service) endAttempt(ctx context.Context, p *models.Payment, actor string) error {
	for range 2 { // once more when it was paid between question and close
		found, err := s.sync(ctx, p, actor)
		switch {
		case err != nil:
			return err
		case found == FoundPaid:
			return fmt.Errorf("close attempt %s: it is paid: %w", p.OutTradeNo, models.ErrBadMove)
		case found == FoundDead, found == FoundMisfit:
			return nil
		}
		err = s.closeAtWeChat(ctx, p, actor)
		if !errors.Is(err, wxpay.ErrAlreadyPaid) {
			return err
		}
	}
	return fmt.Errorf("close attempt %s: WeChat says both paid and not: %w", p.OutTradeNo, models.ErrStale)
}

func (s *Service) closeAtWeChat(ctx context.Context, p *models.Payment, actor string) error {
	g, err := s.gateway(p)
	if err != nil {
		return err
	}
	call, trail := withTrail(ctx)
	err = g.Close(call, ref(p))
	msgs := trail.take()
	if err == nil || errors.Is(err, wxpay.ErrNoSuchOrder) || errors.Is(err, wxpay.ErrClosed) {
		return s.store.EndPayment(ctx, p.ID, models.PayClosed, actor, "", msgs)
	}
	if errors.Is(err, wxpay.ErrAlreadyPaid) {
		return errors.Join(err, s.store.RecordMessages(ctx, msgs))
	}
	keep := s.store.Postpone(ctx, p.ID, s.nextQuery(p), err.Error(), msgs)
	return errors.Join(fmt.Errorf("close %s: %w", p.OutTradeNo, err), keep)
}

// Ask is the merchant's button: it asks WeChat about every attempt of an
// order, ended ones included, since money may have come through any of them.
// The findings go by out_trade_no.
func (s *Service) Ask(ctx context.Context, no, actor string) (map[string]Finding, error) {
	ctx, cancel := outlive(ctx, 3*asking)
	defer cancel()
	o, err := s.store.AnyOrder(ctx, no)
	if err != nil {
		return nil, err
	}
	ps, err := s.store.Payments(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	found := map[string]Finding{}
	var errs []error
	for i := range ps {
		f, err := s.sync(ctx, &ps[i], actor)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found[ps[i].OutTradeNo] = f
	}
	return found, errors.Join(errs...)
}
