package checkout

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"wxshop/models"
)

// The poll may make us ask WeChat: once per order in five seconds, and not
// more often than this in all (security V6).
const (
	pollAskGap        = 5 * time.Second
	pollAsksPerSecond = 20
	pollAskTimeout    = 3 * time.Second
	askedMemory       = 4096 // orders remembered; beyond, the map starts afresh
)

type asks struct {
	mu   sync.Mutex
	last map[string]time.Time
	all  *rate.Limiter
}

// allow says whether WeChat may be asked about an order now.
func (a *asks) allow(no string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.last[no]) < pollAskGap || !a.all.AllowN(now, 1) {
		return false
	}
	if len(a.last) >= askedMemory {
		clear(a.last)
	}
	a.last[no] = now
	return true
}

// Progress is what the shopper's poll is told.
type Progress struct {
	models.Status
	Unsure bool // WeChat was asked and did not answer
}

// Status reads where an order of user stands and, while it is unpaid with an
// open attempt, asks WeChat within the limits. A WeChat that does not answer
// never changes what is shown.
func (s *Service) Status(ctx context.Context, user int64, no string) (*Progress, error) {
	st, err := s.store.Status(ctx, user, no)
	if err != nil {
		return nil, err
	}
	if st.State != models.Unpaid || !st.Live || !s.asks.allow(no, s.now()) {
		return &Progress{Status: *st}, nil
	}
	_, err, _ = s.flight.Do(no, func() (any, error) { return nil, s.askLive(ctx, st.OrderID) })
	unsure := err != nil
	if unsure {
		s.log.Warn("poll got no answer from WeChat", "order", no, "op", "query", "err", err)
	}
	if st, err = s.store.Status(ctx, user, no); err != nil {
		return nil, err
	}
	return &Progress{Status: *st, Unsure: unsure}, nil
}

func (s *Service) askLive(ctx context.Context, orderID int64) error {
	ctx, cancel := outlive(ctx, pollAskTimeout)
	defer cancel()
	p, err := s.store.LivePayment(ctx, orderID)
	if err != nil {
		return err
	}
	_, err = s.sync(ctx, p, "query")
	return err
}
