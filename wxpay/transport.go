package wxpay

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	connectTimeout = 3 * time.Second
	maxParallel    = 32 // calls in flight
	homeAfter      = 60 * time.Second
)

// newTransport is the network as we want it: verified TLS, no HTTP/2, enough
// idle connections for all calls that may run at once.
func newTransport(tlsConfig *tls.Config) *http.Transport {
	tlsConfig.MinVersion = tls.VersionTLS12
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       tlsConfig,
		TLSHandshakeTimeout:   connectTimeout,
		MaxIdleConns:          4 * maxParallel,
		MaxIdleConnsPerHost:   2 * maxParallel,
		IdleConnTimeout:       60 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true, // answers are small and bounded as they come
	}
}

// fetched is what came back.
type fetched struct {
	status int
	header http.Header
	date   time.Time // as the answering clock says; zero if it does not
	body   string
}

// fetch sends req and reads at most limit bytes of the answer, and one more to
// show that there were. It uses the transport alone: http.Client would follow
// redirects (WeChat sends none, and one would carry a signed request elsewhere)
// and put the URL, with its secrets, into every error.
func fetch(t http.RoundTripper, req *http.Request, limit int64) (f fetched, err error) {
	req.Header.Set("User-Agent", "wxshop")
	res, err := t.RoundTrip(req)
	if err != nil {
		return f, withoutURL(err)
	}
	defer res.Body.Close()
	f.status, f.header = res.StatusCode, res.Header
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		f.date = date
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return f, withoutURL(err)
	}
	f.body = string(text)
	return f, nil
}

// withoutURL takes the URL out of err: it may hold a code or a secret.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// network carries one request to whichever host answers.
type network struct {
	hosts     []string
	transport http.RoundTripper
	secure    http.RoundTripper // shows the merchant's certificate
	certified bool              // secure has one, or the hosts speak plain http and cannot ask
	timeout   time.Duration     // of one attempt
	slots     chan struct{}     // one for each call in flight
	breaker   breaker
	route     route
	now       func() time.Time
	log       *slog.Logger
	clock     func(ahead time.Duration) // nil: nobody asks
}

// newNetwork is the way to hosts, which c must have checked.
func newNetwork(c Config, hosts ...string) *network {
	n := &network{
		transport: c.Transport, secure: c.Transport, certified: true, timeout: c.Timeout,
		slots: make(chan struct{}, maxParallel), now: c.Now, log: c.Log, clock: c.Clock,
	}
	for _, h := range hosts {
		n.hosts = append(n.hosts, strings.TrimSuffix(h, "/"))
		n.certified = n.certified && (c.Certificate != nil || strings.HasPrefix(h, "http://"))
	}
	if c.Transport != nil {
		return n
	}
	n.transport = newTransport(&tls.Config{RootCAs: c.RootCAs})
	n.secure = n.transport
	if c.Certificate != nil {
		n.secure = newTransport(&tls.Config{RootCAs: c.RootCAs, Certificates: []tls.Certificate{*c.Certificate}})
	}
	return n
}

// by is the transport for op. Connections on which we showed a certificate are
// kept apart from the others.
func (n *network) by(op string) http.RoundTripper {
	if needsCertificate(op) {
		return n.secure
	}
	return n.transport
}

// answer is what one host said, or err.
type answer struct {
	fetched
	url  string
	err  error
	took time.Duration
	// second: another host was asked before, and may have done it unheard.
	second bool
}

// reached reports whether a failed call may have come to a host all the same.
func (a answer) reached() bool {
	var op *net.OpError
	return !errors.As(a.err, &op) || op.Op != "dial"
}

// failed reports whether another host might do better.
func (a answer) failed() bool { return a.err != nil || a.status >= 500 }

var errResting = errors.New("the gateway failed too often; not asking it for some seconds")

// outgoing is a request before a host is chosen.
type outgoing struct {
	op, method, path string // path may have a query
	body             []byte
	dress            func(*http.Request) error // sets the headers, anew for each attempt
}

// posted is a call of API v2.
func posted(op, path string, body []byte) outgoing {
	return outgoing{op: op, method: http.MethodPost, path: path, body: body, dress: func(r *http.Request) error {
		r.Header.Set("Content-Type", "text/xml; charset=utf-8")
		return nil
	}}
}

// to is o for one host.
func (o outgoing) to(ctx context.Context, host string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, o.method, host+o.path, bytes.NewReader(o.body))
	if err != nil {
		return nil, withoutURL(err)
	}
	// Not sent (it has no value): it tells net/http that the request may be
	// repeated on a fresh connection when an idle one turns out to be dead.
	if !once(o.op) {
		req.Header["Idempotency-Key"] = nil
	}
	return req, o.dress(req)
}

// post sends body to path: see send.
func (n *network) post(ctx context.Context, op, path string, body []byte, seen func(answer, Direction)) answer {
	return n.send(ctx, posted(op, path, body), seen)
}

// send asks the preferred host and, if that fails, once the next one, with the
// same body. seen is told of every attempt, before and after.
func (n *network) send(ctx context.Context, o outgoing, seen func(answer, Direction)) answer {
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, 2*n.timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return answer{err: err}
	}
	if !n.breaker.closed(n.now()) {
		return answer{err: errResting}
	}
	select {
	case n.slots <- struct{}{}:
		defer func() { <-n.slots }()
	case <-ctx.Done():
		return answer{err: ctx.Err()}
	}
	first := n.route.pick(n.now())
	a := n.try(ctx, n.hosts[first], o, seen)
	if a.failed() && outer.Err() == nil && len(n.hosts) > 1 && !once(o.op) {
		next := (first + 1) % len(n.hosts)
		n.log.Warn("gateway host failed over", "op", o.op, "from", n.hosts[first], "to", n.hosts[next], "cause", a.cause())
		reached := a.reached()
		a = n.try(ctx, n.hosts[next], o, seen)
		a.second, first = reached, next
	}
	n.learn(outer, o.op, first, a)
	return a
}

// once names the calls that are not repeated at another host: a code that the
// first host charged is refused by the second as used, which would read as "no".
func once(op string) bool { return op == opMicropay || op == opFacepay }

// learn remembers which host works, and when none does.
func (n *network) learn(ctx context.Context, op string, host int, a answer) {
	switch {
	case !a.failed():
		n.route.works(host, n.now())
		n.breaker.success()
	case errors.Is(ctx.Err(), context.Canceled):
		// The caller left; that says nothing about the gateway.
	case n.breaker.failure(n.now()):
		n.log.Error("gateway rested after repeated failures", "op", op, "cause", a.cause())
	}
}

func (a answer) cause() string {
	if a.err != nil {
		return a.err.Error()
	}
	return http.StatusText(a.status)
}

// try makes one attempt at one host.
func (n *network) try(ctx context.Context, host string, o outgoing, seen func(answer, Direction)) answer {
	a := answer{url: host + o.path}
	seen(a, Sent)
	start := n.now()
	ctx, cancel := context.WithTimeout(ctx, n.timeout)
	defer cancel()
	a.fetched, a.err = n.roundTrip(ctx, host, o)
	end := n.now()
	a.took = end.Sub(start)
	if n.clock != nil && !a.date.IsZero() {
		n.clock(end.Sub(a.date))
	}
	seen(a, Received)
	return a
}

func (n *network) roundTrip(ctx context.Context, host string, o outgoing) (fetched, error) {
	req, err := o.to(ctx, host)
	if err != nil {
		return fetched{}, err
	}
	return fetch(n.by(o.op), req, maxAnswer)
}

// route remembers which host to ask first. After a failure it stays with the
// host that worked and sends one call home every homeAfter to see.
type route struct {
	mu     sync.Mutex
	host   int
	chosen time.Time
}

func (r *route) pick(now time.Time) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.host != 0 && now.Sub(r.chosen) >= homeAfter {
		r.chosen = now // this call is the scout; the others stay
		return 0
	}
	return r.host
}

func (r *route) works(host int, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if host != r.host {
		r.host, r.chosen = host, now
	}
}

const (
	breakerFailures = 10
	breakerWindow   = 30 * time.Second
	breakerRest     = 15 * time.Second
)

// breaker stops asking a gateway that failed breakerFailures times in a row
// within breakerWindow. After the rest the next failure opens it again.
type breaker struct {
	mu     sync.Mutex
	failed [breakerFailures]time.Time // ring
	n      int
	until  time.Time
}

func (b *breaker) closed(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !now.Before(b.until)
}

func (b *breaker) success() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n = 0
}

// failure counts one and reports whether it opened the breaker.
func (b *breaker) failure(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed[b.n%breakerFailures] = now
	b.n++
	if b.n < breakerFailures || now.Sub(b.failed[b.n%breakerFailures]) > breakerWindow || now.Before(b.until) {
		return false
	}
	b.until = now.Add(breakerRest)
	return true
}
