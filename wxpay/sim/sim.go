// Package sim is WeChat on a laptop: the OAuth page, the pay gateway, the
// payer and the notifications, for shops that have no merchant account yet.
package sim

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Options configure a simulator. The zero value works: everything in memory,
// default addresses, no faults.
type Options struct {
	Data        string            // folder of journal and keys; "" keeps nothing
	BaseURL     string            // public URL of the gateway; default http://localhost:8081
	BrowserURL  string            // public URL of the WeChat browser; default http://127.0.0.1:8082
	AppURL      string            // the shop behind the WeChat browser, e.g. http://localhost:8080
	Seed        int64             // of every random decision; 0 picks one
	Faults      string            // preset: none (default), gentle, harsh
	NotifyAllow []string          // hosts beside loopback that may be notified
	Public      bool              // a public demo: secrets are not handed out
	Now         func() time.Time  // honest time; default time.Now
	Log         *slog.Logger      // default: silent
	Transport   http.RoundTripper // carries notifications; default: guarded sockets
}

// Sim is one simulated WeChat with one merchant.
type Sim struct{ opts Options }

// New makes a simulator, with the keys and the journal found in opts.Data.
func New(opts Options) (*Sim, error) { return &Sim{opts: opts}, nil }

// Gateway is every WeChat server in one handler, told apart by path, with the
// console and the control API under /_sim/.
func (s *Sim) Gateway() http.Handler { return http.NotFoundHandler() }

// Browser is the WeChat browser in front of Options.AppURL.
func (s *Sim) Browser() http.Handler { return http.NotFoundHandler() }

// Identity is what a client is configured with. The PEM fields are empty
// until IdentityWithKeys was called once, because making keys takes long.
func (s *Sim) Identity() Identity { return Identity{} }

// IdentityWithKeys is Identity with the RSA keys, which it makes if need be.
func (s *Sim) IdentityWithKeys() (Identity, error) { return s.Identity(), nil }

// Run delivers notifications until ctx ends.
func (s *Sim) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Banner prints every address and credential.
func (s *Sim) Banner(w io.Writer) {}

// Seed is the seed of every random decision, for repeating a day.
func (s *Sim) Seed() int64 { return s.opts.Seed }

// Close ends the event streams and closes the journal. Stop Run first.
func (s *Sim) Close() error { return nil }
