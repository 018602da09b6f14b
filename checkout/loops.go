package checkout

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"time"
)

const (
	batch    = 100              // rows a tick takes on
	tick     = 5 * time.Second  // chase, expire and refund
	slowTick = 10 * time.Minute // confirm and sweep
	leaseFor = 60 * time.Second
)

func newHolder() string { return rand.Text()[:12] }

// Run starts the loops and returns when ctx ends and all of them have stopped.
// They find their work in the database, so a crash loses none. Each turn is a
// lease, so that replicas share the work; every step is safe without it.
func (s *Service) Run(ctx context.Context) error {
	if n, err := s.store.WakeQueries(ctx); err != nil {
		return fmt.Errorf("wake open payments: %w", err)
	} else if n > 0 {
		s.log.Info("open payments are asked about after the start", "op", "chase", "count", n)
	}
	loops := []struct {
		name  string
		every time.Duration
		once  func(context.Context) error
	}{
		{"chase", s.tick, s.ChaseOnce},
		{"expire", s.tick, s.ExpireOnce},
		{"refund", s.tick, s.RefundOnce},
		{"confirm", slowTick, s.ConfirmOnce},
		{"sweep", slowTick, s.SweepOnce},
		{"reconcile", billTick, s.ReconcileOnce},
		{"audit", auditTick, s.AuditOnce},
		{"file", slowTick, s.CheckFileOnce},
	}
	var wg sync.WaitGroup
	for _, l := range loops {
		wg.Go(func() { s.loop(ctx, l.name, l.every, l.once) })
	}
	wg.Wait()
	return nil
}

// loop is ticker → lease → one plain method → log.
func (s *Service) loop(ctx context.Context, name string, every time.Duration, once func(context.Context) error) {
	ctx = pprof.WithLabels(ctx, pprof.Labels("loop", name))
	pprof.SetGoroutineLabels(ctx)
	t := time.NewTicker(every)
	defer t.Stop()
	var mine time.Time // the lease lasts until then
	for {
		s.pulse.beat(name, s.now().Add(every+hung))
		if s.now().After(mine.Add(-leaseFor / 2)) {
			mine = s.turn(ctx, name)
		}
		if s.now().Before(mine) {
			if err := s.guarded(ctx, name, once); err != nil && ctx.Err() == nil {
				s.log.Error("loop had errors", "op", name, "err", err)
			}
		}
		select {
		case <-ctx.Done():
			s.giveBack(ctx, name)
			return
		case <-t.C:
			if ctx.Err() != nil { // both at once
				s.giveBack(ctx, name)
				return
			}
		}
	}
}

// turn takes or renews the lease of a loop and says until when it lasts.
func (s *Service) turn(ctx context.Context, name string) time.Time {
	now := s.now()
	ok, err := s.store.Lease(ctx, name, s.holder, leaseFor)
	if err != nil && ctx.Err() == nil {
		s.log.Error("lease not taken", "op", name, "err", err)
	}
	if err != nil || !ok {
		return time.Time{}
	}
	return now.Add(leaseFor)
}

func (s *Service) giveBack(ctx context.Context, name string) {
	ctx, cancel := outlive(ctx, time.Second)
	defer cancel()
	if err := s.store.Release(ctx, name, s.holder); err != nil {
		s.log.Warn("lease not given back", "op", name, "err", err)
	}
}

// guarded keeps a panic in one turn from ending the loop (security V13).
func (s *Service) guarded(ctx context.Context, name string, f func(context.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.count("panic")
			err = fmt.Errorf("%s: panic: %v\n%s", name, r, debug.Stack())
		}
	}()
	return f(ctx)
}

// forEach works on every row of a list by itself: one that fails or panics
// does not keep the others waiting.
func forEach[T any](ctx context.Context, s *Service, op string, rows []T, name func(*T) string, do func(context.Context, *T) error) error {
	var errs []error
	for i := range rows {
		if ctx.Err() != nil {
			break
		}
		err := s.guarded(ctx, op, func(ctx context.Context) error {
			ctx, cancel := outlive(ctx, 3*asking)
			defer cancel()
			return do(ctx, &rows[i])
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name(&rows[i]), err))
		}
	}
	return errors.Join(errs...)
}
