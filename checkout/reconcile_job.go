package checkout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wxshop/models"
)

const (
	billTick = 5 * time.Minute // how often the job looks whether a bill is due
	catchUp  = 7               // days back that a shop compares which was off
)

// ReconcileOnce compares every day of the last week whose bill is there and
// that has no answer yet, the oldest first. What WeChat has not made yet is
// asked for again each half hour.
func (s *Service) ReconcileOnce(ctx context.Context) error {
	first, err := s.store.FirstAttempt(ctx)
	if err != nil || first.IsZero() { // before it sold anything, an account's money is another shop's
		return err
	}
	var errs []error
	for back := catchUp; back >= 1 && ctx.Err() == nil; back-- {
		day := dayOf(s.now()).AddDate(0, 0, -back)
		if day.Before(dayOf(first)) {
			continue
		}
		due, err := s.billDue(ctx, day)
		if err == nil && due {
			err = s.guarded(ctx, "reconcile", func(ctx context.Context) error { return s.reconcileDue(ctx, day) })
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// billDue reports whether a day is to be compared now.
func (s *Service) billDue(ctx context.Context, day time.Time) (bool, error) {
	if s.now().Before(day.Add(billReady)) {
		return false, nil
	}
	d, err := s.store.BillDay(ctx, DayName(day))
	switch {
	case errors.Is(err, models.ErrNotFound):
		return true, nil
	case err != nil:
		return false, err
	case d.State.Compared() && d.Waiting == 0:
		return false, nil
	}
	return !s.now().Before(d.NextAt.Time), nil
}

// reconcileDue tells what keeps a day from its answer: a bill that is not made
// is no error for hours, one that cannot be read is.
func (s *Service) reconcileDue(ctx context.Context, day time.Time) error {
	_, err := s.Reconcile(ctx, day)
	switch {
	case err == nil, errors.Is(err, ErrBillBusy):
		return nil
	case errors.Is(err, ErrBillWaits):
		s.count("bill.waits")
		s.log.Info("WeChat has not made the bill yet; it is asked for again in half an hour", "op", "reconcile", "to", DayName(day))
		return nil
	}
	s.count("bill.error")
	return fmt.Errorf("bill of %s: %w", DayName(day), err)
}
