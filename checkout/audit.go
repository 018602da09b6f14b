package checkout

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"wxshop/models"
)

const (
	auditTick  = time.Minute // between two pieces of a pass
	auditEvery = time.Hour   // between two passes
	auditPiece = 40          // batches of orders a turn looks through: a million orders in an hour
	fileHour   = 4           // of Beijing: the quietest, for the look through the file
)

// audit is how far this process has looked. Only its loops write it.
type audit struct {
	begun  bool
	after  int64 // the order to go on from
	found  int64 // by the pass under way
	broken atomic.Int64
}

// Violations is how many rows the last whole pass of this process found that
// no allowed change makes.
func (s *Service) Violations() int64 { return s.audit.broken.Load() }

// AuditOnce goes on with looking at all orders, a piece at a time, and begins
// again each hour (security D8). Nobody gives the lease of a pass back, so that
// one of the replicas makes one in an hour.
func (s *Service) AuditOnce(ctx context.Context) error {
	a := &s.audit
	if !a.begun {
		ok, err := s.store.Lease(ctx, "audit-pass", newHolder(), auditEvery)
		if err != nil || !ok {
			return err
		}
		a.begun, a.after, a.found = true, 0, 0
	}
	for range auditPiece {
		found, next, err := s.store.AuditOrders(ctx, a.after)
		if err != nil {
			return err
		}
		s.violated(found)
		if a.after = next; next == 0 {
			return s.auditEnd(ctx)
		}
	}
	return nil
}

func (s *Service) auditEnd(ctx context.Context) error {
	found, err := s.store.AuditSums(ctx)
	if err != nil {
		return err
	}
	s.violated(found)
	s.audit.begun = false
	s.audit.broken.Store(s.audit.found)
	return nil
}

func (s *Service) violated(found []models.Violation) {
	s.audit.found += int64(len(found))
	for _, v := range found {
		s.count("audit." + v.Rule)
		s.log.Error("the books contradict themselves: find out what changed this row before anything else", "op", "audit", "cause", v.Rule, "order", v.What)
	}
}

// CheckFileOnce looks through the database file once a day, from four in the
// morning, and on Sundays thoroughly (security D7).
func (s *Service) CheckFileOnce(ctx context.Context) error {
	begin := dayOf(s.now()).Add(fileHour * time.Hour)
	if s.now().Before(begin) {
		return nil
	}
	ok, err := s.store.Lease(ctx, "file-check", newHolder(), begin.AddDate(0, 0, 1).Sub(s.now()))
	if err != nil || !ok {
		return err
	}
	if err := s.store.CheckFile(ctx, begin.Weekday() == time.Sunday); err != nil {
		s.count("file.damaged")
		return fmt.Errorf("stop the shop, keep this file and restore the newest backup: %w", err)
	}
	s.count("file.whole")
	return nil
}
