package checkout

import (
	"context"
	"errors"
	"time"

	"wxshop/models"
)

// ChaseOnce asks WeChat about every open attempt whose time has come: the
// notification may have been lost (security P28). An attempt whose order is
// not unpaid any more is ended at WeChat, so that nobody pays it twice.
func (s *Service) ChaseOnce(ctx context.Context) error {
	due, err := s.store.DueQueries(ctx, batch)
	if err != nil {
		return err
	}
	return forEach(ctx, s, "chase", due, func(p *models.Payment) string { return p.OutTradeNo }, s.chase)
}

func (s *Service) chase(ctx context.Context, p *models.Payment) error {
	if p.State == models.PayClosed {
		return s.lookAgain(ctx, p)
	}
	o, err := s.store.OrderByID(ctx, p.OrderID)
	if err != nil {
		return err
	}
	if o.Source == models.FromCounter {
		return s.attend(ctx, o, p)
	}
	if o.State != models.Unpaid {
		err := s.endAttempt(ctx, p, "loop")
		if errors.Is(err, models.ErrBadMove) { // paid too: its refund is due now
			return nil
		}
		return err
	}
	_, err = s.sync(ctx, p, "loop")
	return err
}

// lookAgain asks about an attempt that was closed, after its last moment to be
// paid: money that came all the same is settled (and so refunded), and a close
// that had no effect is repeated until it has.
func (s *Service) lookAgain(ctx context.Context, p *models.Payment) error {
	found, err := s.sync(ctx, p, "loop")
	var next time.Time
	switch {
	case err != nil:
		next = s.nextQuery(p)
	case found == FoundOpen:
		next = s.now().Add(time.Minute)
		err = s.closeAtWeChat(ctx, p, "loop")
	}
	return errors.Join(err, s.store.CheckAgain(ctx, p.ID, next))
}

// Confirm is the shopper's "received": shipped becomes done.
func (s *Service) Confirm(ctx context.Context, user int64, no string) error {
	return s.store.Confirm(ctx, user, no, "shopper")
}

// ConfirmOnce finishes orders that were shipped long ago.
func (s *Service) ConfirmOnce(ctx context.Context) error {
	due, err := s.store.DueToConfirm(ctx, s.now().Add(-s.cfg.ConfirmAfter), batch)
	if err != nil {
		return err
	}
	return forEach(ctx, s, "confirm", due, func(o *models.Order) string { return o.No },
		func(ctx context.Context, o *models.Order) error { return s.store.Confirm(ctx, 0, o.No, "loop") })
}

// SweepOnce deletes what has expired and means nothing: sessions, OAuth
// states, claims.
func (s *Service) SweepOnce(ctx context.Context) error {
	n, err := s.store.SweepSessions(ctx)
	if n > 0 {
		s.log.Info("expired sessions swept", "op", "sweep", "count", n)
	}
	return err
}
