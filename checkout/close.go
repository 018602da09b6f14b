package checkout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wxshop/models"
	"wxshop/wxpay"
)

// Grace is how long an order whose attempts are closed at WeChat still waits
// before it is closed here: a payer inside the cashier may just have won.
const Grace = 30 * time.Second

// patience is how long past its deadline an order may wait for a WeChat that
// keeps contradicting itself. After that it is closed; money that still comes
// revives it or is refunded.
const patience = 15 * time.Minute

// Cancel closes an unpaid order for its owner, at WeChat first.
// models.ErrBadMove: it is paid, or was closed before; wxpay.IsUnknown:
// WeChat did not answer and the order stays as it is.
func (s *Service) Cancel(ctx context.Context, user int64, no string) error {
	o, err := s.store.Order(ctx, user, no)
	if err != nil {
		return err
	}
	return s.closeNow(ctx, o, models.ByShopper, "shopper", "")
}

// CloseByMerchant does the same for staff.
func (s *Service) CloseByMerchant(ctx context.Context, no, actor, note string) error {
	o, err := s.store.AnyOrder(ctx, no)
	if err != nil {
		return err
	}
	return s.closeNow(ctx, o, models.ByMerchant, actor, note)
}

func (s *Service) closeNow(ctx context.Context, o *models.Order, why models.CloseReason, actor, note string) error {
	ctx, cancel := outlive(ctx, placing)
	defer cancel()
	if o.State != models.Unpaid {
		return fmt.Errorf("close order %s: it is %s: %w", o.No, o.State, models.ErrBadMove)
	}
	if o.Source == models.FromCounter { // closeorder is not for payment codes
		return s.Reverse(ctx, o.No, actor)
	}
	p, err := s.store.LivePayment(ctx, o.ID)
	if err == nil {
		err = s.endAttempt(ctx, p, actor)
	}
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		return err
	}
	if err := s.store.CloseOrder(ctx, o.ID, why, actor, note); err != nil {
		return err
	}
	s.count("order.closed")
	s.log.Info("order closed", "order", o.No, "cause", string(why))
	return nil
}

// ExpireOnce takes every order past its deadline one step on: end its open
// attempt at WeChat; after the grace ask once more; then close it here.
func (s *Service) ExpireOnce(ctx context.Context) error {
	var errs []error
	for after := int64(0); ; {
		due, err := s.store.DueOrders(ctx, s.now(), after, batch)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		errs = append(errs, forEach(ctx, s, "expire", due, func(o *models.Order) string { return o.No }, s.expire))
		if len(due) < batch || ctx.Err() != nil { // all of them: none waits behind others that are stuck
			return errors.Join(errs...)
		}
		after = due[len(due)-1].ID
	}
}

func (s *Service) expire(ctx context.Context, o *models.Order) error {
	late := s.now().Sub(o.ExpiresAt.Time)
	p, err := s.store.LivePayment(ctx, o.ID)
	switch {
	case err == nil && o.Source == models.FromCounter: // being taken back, by its own rules
		return nil
	case err == nil && p.LastError != "" && s.now().Before(p.NextQueryAt.Time): // WeChat did not answer; its turn will come
		return nil
	case err == nil:
		err = s.endAttempt(ctx, p, "loop")
		if errors.Is(err, models.ErrBadMove) { // paid: settled already
			return nil
		}
		return err
	case !errors.Is(err, models.ErrNotFound):
		return err
	case late < Grace:
		return nil
	}
	open, err := s.stillOpen(ctx, o)
	if err != nil || open && late < patience {
		return err
	}
	err = s.store.CloseOrder(ctx, o.ID, models.ByTimeout, "loop", "")
	if errors.Is(err, models.ErrStale) { // paid between question and close
		return nil
	}
	if err == nil {
		s.count("order.expired")
		s.log.Info("order closed", "order", o.No, "cause", string(models.ByTimeout))
	}
	return err
}

// stillOpen asks about the attempts that were closed at WeChat: a close that
// came within five minutes of the order may be answered SUCCESS without effect
// (WeChat Pay v2, closeorder). Such an attempt is closed again.
func (s *Service) stillOpen(ctx context.Context, o *models.Order) (bool, error) {
	ps, err := s.store.Payments(ctx, o.ID)
	if err != nil {
		return false, err
	}
	open := false
	for i := range ps {
		if ps[i].State == models.PayFailed {
			continue
		}
		found, err := s.sync(ctx, &ps[i], "loop")
		if err != nil {
			return false, err
		}
		if found == FoundOpen {
			open = true
			if err := s.closeAtWeChat(ctx, &ps[i], "loop"); err != nil && !errors.Is(err, wxpay.ErrAlreadyPaid) {
				return true, err
			}
		}
	}
	return open, nil
}
