// Package sim is WeChat on a laptop: the OAuth page, the pay gateway, the
// payer and the notifications, for shops that have no merchant account yet.
//
// It is written from WeChat's documents and shares no code with any client of
// WeChat Pay, so that a mistake on one side cannot hide the same mistake on
// the other. Money is int64 fen. Business time (expiry, retries) comes from a
// clock of its own that can be advanced; whatever is signed carries honest time.
package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure a simulator. The zero value works: everything in memory,
// default addresses, no faults.
type Options struct {
	Data        string            // folder of journal and keys; "" keeps nothing
	BaseURL     string            // public URL of the gateway; default http://localhost:8081
	BrowserURL  string            // public URL of the WeChat browser; default http://127.0.0.1:8082
	TLSURL      string            // public URL of the gateway over TLS, if there is one
	AppURL      string            // the shop behind the WeChat browser, e.g. http://localhost:8080
	Seed        int64             // of every random decision; 0 picks one
	Faults      string            // preset: none (default), gentle, harsh
	NotifyAllow []string          // hosts beside loopback that may be notified
	Public      bool              // a public demo: secrets are not handed out
	Now         func() time.Time  // honest time; default time.Now
	Log         *slog.Logger      // default: silent
	Transport   http.RoundTripper // carries notifications; default: guarded sockets
	Keys        *Keys             // shared with other simulators; default: its own
	Step        func(op string)   // called before each delivery; a test that waits in it chooses who comes next
}

// Sim is one simulated WeChat with one merchant. Its methods may be called
// from any number of goroutines.
type Sim struct {
	opts Options
	log  *slog.Logger
	seed int64

	ids     *identity
	clock   *clock
	journal *journal
	faults  *faults
	events  *timeline
	calls   *callLog
	oauth   *oauth
	guard   *guard

	scenarios  *scenarios
	billFiles  *billFiles             // of API v3, that wait to be fetched
	firstHost  atomic.Pointer[string] // by which the first call of the pay gateway came
	background sync.WaitGroup         // messages to the shop that nobody waits for
	held       []string               // notifications that wait to be overtaken; s.mu guards it

	mu     sync.Mutex // guards ledger, sheets and the order of the journal
	ledger *ledger
	sheets map[string]time.Time // prepay ids whose pay sheet was opened in time

	plan     *plan         // of deliveries
	wake     chan struct{} // the delivery loop should look again
	draws    draws         // seeded decisions about the form of answers
	stopping chan struct{} // closed when streams must end
	stop     sync.Once

	gateway, browser http.Handler
	toShop           http.RoundTripper // of the WeChat browser; nil without a shop
}

// New makes a simulator, with the keys and the journal found in opts.Data.
func New(opts Options) (*Sim, error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	s := &Sim{
		opts: opts, log: opts.Log, seed: opts.Seed, plan: &plan{},
		wake: make(chan struct{}, 1), stopping: make(chan struct{}),
	}
	s.forgetSheets()
	s.clock = newClock(opts.Now, s.nudge)
	s.events = newTimeline(s.clock.Now)
	s.calls = newCallLog()
	s.oauth = newOAuth()
	s.scenarios = newScenarios()
	s.billFiles = newBillFiles()
	s.guard = newGuard(opts.NotifyAllow, opts.Transport)
	var err error
	if s.faults, err = newFaults(opts.Faults, s.seed); err != nil {
		return nil, err
	}
	if s.ids, err = openIdentity(opts); err != nil {
		return nil, err
	}
	if err := s.openLedger(); err != nil {
		return nil, err
	}
	s.gateway = s.gatewayRoutes()
	if s.browser, err = s.browserFace(); err != nil {
		return nil, errors.Join(err, s.journal.close())
	}
	return s, nil
}

// faultPreset is the preset to start with.
func (o *Options) faultPreset() string {
	if o.Faults == "" {
		return "none"
	}
	return o.Faults
}

// complete fills in defaults and checks the addresses.
func (o *Options) complete() error {
	for _, d := range []struct {
		name  string
		value *string
		def   string
	}{
		{"BaseURL", &o.BaseURL, "http://localhost:8081"},
		{"BrowserURL", &o.BrowserURL, "http://127.0.0.1:8082"},
		{"TLSURL", &o.TLSURL, ""},
		{"AppURL", &o.AppURL, ""},
	} {
		if *d.value == "" {
			*d.value = d.def
		}
		*d.value = strings.TrimRight(*d.value, "/")
		if *d.value == "" {
			continue
		}
		if u, err := url.Parse(*d.value); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("sim: %s %q must be an absolute http or https URL", d.name, *d.value)
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Step == nil {
		o.Step = func(string) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Keys == nil {
		o.Keys = &Keys{}
	}
	if o.Seed == 0 {
		o.Seed = freshSeed()
	}
	if o.Data != "" {
		if err := os.MkdirAll(o.Data, 0o700); err != nil {
			return fmt.Errorf("sim: make data folder: %w", err)
		}
	}
	return nil
}

// Gateway is every WeChat server in one handler, told apart by path, with the
// console and the control API under /_sim/.
func (s *Sim) Gateway() http.Handler { return s.gateway }

// Browser is the WeChat browser in front of Options.AppURL.
func (s *Sim) Browser() http.Handler { return s.browser }

// Seed is the seed of every random decision, for repeating a day.
func (s *Sim) Seed() int64 { return s.seed }

// Run delivers notifications until ctx ends; then it ends the event streams,
// waits for the deliveries under way and returns nil.
func (s *Sim) Run(ctx context.Context) error {
	defer s.endStreams()
	s.deliverLoop(ctx)
	return nil
}

// Close ends the event streams and closes idle connections and the journal.
// Stop Run first.
func (s *Sim) Close() error {
	s.endStreams()
	s.background.Wait()
	for _, transport := range []http.RoundTripper{s.guard.next, s.toShop} {
		if t, ok := transport.(*http.Transport); ok {
			t.CloseIdleConnections()
		}
	}
	return s.journal.close()
}

func (s *Sim) endStreams() { s.stop.Do(func() { close(s.stopping) }) }

// nudge makes the delivery loop look at what is due.
func (s *Sim) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
