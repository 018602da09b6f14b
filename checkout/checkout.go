// Package checkout holds the workflows in which the database and WeChat meet:
// placing an order, paying it, settling what WeChat says, closing what was
// never paid. Transactions exist only in models and models cannot see wxpay,
// so no call to WeChat ever happens inside a transaction.
//
// Three doors lead into one room: the notification, the shopper's poll and
// the chase loop all end in [Service.Settle], the only way to "paid".
package checkout

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"wxshop/models"
	"wxshop/wxpay"
)

// Config is what the workflows need to know of the shop.
type Config struct {
	API          wxpay.Version  // of new payments; old ones keep theirs
	AppID, MchID string         // whose money it is; compared with every notification
	SignType     wxpay.SignType // of new v2 payments
	NotifyBase   string         // site.base_url, without a slash at the end
	ShopName     string         // begins what the payer sees
	Expire       time.Duration  // from order to deadline
	ChaseAfter   time.Duration  // from attempt to the first query
	ConfirmAfter time.Duration  // from shipping to done by itself
	DeliveryFee  models.Fen
	FreeFrom     models.Fen // goods from here on travel free
}

// Options are the parts a Service is made of.
type Options struct {
	Store    *models.Store
	Gateways map[wxpay.Version]wxpay.Gateway // at least Config.API
	Log      *slog.Logger
	Now      func() time.Time // default time.Now
	// Count is told each business event once ("settle.paid",
	// "notify.badsig", "misfit.amount"…), for metrics.
	Count func(event string)
	// Holder names this process in leases; random when empty.
	Holder string
	// Tick is how often the loops look for work; default 5 s.
	Tick time.Duration
}

// Service runs the workflows. It is safe for concurrent use.
type Service struct {
	cfg    Config
	store  *models.Store
	gates  map[wxpay.Version]wxpay.Gateway
	log    *slog.Logger
	now    func() time.Time
	count  func(string)
	holder string
	tick   time.Duration
	asks   asks               // who asked WeChat when, for the poll
	flight singleflight.Group // one question per order at a time
	pulse  pulse              // of the loops
	audit  audit
}

// New makes a Service; Run starts its loops.
func New(c Config, o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Count == nil {
		o.Count = func(string) {}
	}
	if o.Holder == "" {
		o.Holder = newHolder()
	}
	if o.Tick == 0 {
		o.Tick = tick
	}
	return &Service{
		cfg: c, store: o.Store, gates: o.Gateways, log: o.Log, now: o.Now, count: o.Count, holder: o.Holder, tick: o.Tick,
		asks: asks{last: map[string]time.Time{}, all: rate.NewLimiter(pollAsksPerSecond, pollAsksPerSecond)},
	}
}

// ErrNoGateway says that the keys of the API version, or of the merchant, by
// which something was made are not configured any more.
var ErrNoGateway = errors.New("the keys of this version of the API, or of this merchant, are not configured")

// gateway is the one that a payment was made with, whatever is configured now.
// Another merchant's keys are none: WeChat would say by them that there is no
// such order, while its money is with the merchant of before.
func (s *Service) gateway(p *models.Payment) (wxpay.Gateway, error) {
	if g, ok := s.gates[wxpay.Version(p.API)]; ok && p.MchID == s.cfg.MchID {
		return g, nil
	}
	return nil, noGateway("made with " + p.API + " by merchant " + p.MchID)
}

// noGateway is no answer from WeChat, and no "no" either.
func noGateway(why string) error {
	return &wxpay.Error{Op: "gateway", Message: why, Unknown: true, Err: ErrNoGateway}
}

// outlive detaches work that must be finished once begun from the request
// that began it, and bounds it (security V14).
func outlive(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), d)
}
