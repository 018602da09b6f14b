package wxpay

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// refreshAfter is the age at which platform certificates are downloaded
	// again; WeChat asks for less than 12 hours.
	refreshAfter = 6 * time.Hour
	// refetchAfter is how long a serial number that we do not know causes no
	// further download: anybody can write one into a header.
	refetchAfter = 30 * time.Second
	// refetchTimeout limits a download that somebody is waiting for who did not
	// ask for one: WeChat wants its notification answered within 5 s.
	refetchTimeout = 2500 * time.Millisecond
)

// trustedKey is one key by which WeChat may sign.
type trustedKey struct {
	serial      string
	key         *rsa.PublicKey
	from, until time.Time // until is zero for keys without an end
}

func (k *trustedKey) over(now time.Time) bool {
	return k == nil || !k.until.IsZero() && !now.Before(k.until)
}

// trust holds every key that WeChat may sign with, by the serial number in
// Wechatpay-Serial and by nothing else: not what a serial looks like but
// whether we know it decides.
type trust struct {
	fixed    *trustedKey // WeChat Pay's public key; nil in certificate mode
	download func(context.Context, map[string]*trustedKey) ([]*trustedKey, error)
	now      func() time.Time
	log      *slog.Logger

	keys atomic.Pointer[map[string]*trustedKey] // replaced, never changed

	mu      sync.Mutex
	flight  chan struct{} // while a download is on its way
	tried   time.Time     // when the last one began
	fetched time.Time     // when the last good one ended
	last    error
}

// newTrust knows what c says. download is asked in the modes with certificates.
func newTrust(c Config, download func(context.Context, map[string]*trustedKey) ([]*trustedKey, error)) *trust {
	t := &trust{now: c.Now, log: c.Log}
	if c.KeyMode != PublicKeyMode {
		t.download = download
	}
	if c.KeyMode != CertificateMode {
		t.fixed = &trustedKey{serial: c.PlatformKeyID, key: c.PlatformKey}
	}
	t.store(nil)
	return t
}

// store makes list, and the public key, all that is trusted.
func (t *trust) store(list []*trustedKey) {
	keys := make(map[string]*trustedKey, len(list)+1)
	for _, k := range list {
		keys[k.serial] = k
	}
	if t.fixed != nil {
		keys[t.fixed.serial] = t.fixed
	}
	t.keys.Store(&keys)
}

// known is the key of that serial; nil if there is none or it is over.
func (t *trust) known(serial string) *trustedKey {
	if k := (*t.keys.Load())[serial]; !k.over(t.now()) {
		return k
	}
	return nil
}

// serial is the key that WeChat is to sign its answer with: the public key, or
// the newest certificate that is in force. It downloads what is missing.
func (t *trust) serial(ctx context.Context) (string, error) {
	if t.fixed != nil {
		return t.fixed.serial, nil
	}
	k := t.newest()
	switch {
	case k == nil:
		if err := t.refresh(ctx, false); err != nil {
			return "", fmt.Errorf("no platform certificate: %w", err)
		}
	case t.old():
		ctx, cancel := context.WithTimeout(ctx, refetchTimeout)
		defer cancel()
		if err := t.refresh(ctx, true); err != nil && !errors.Is(err, errTooSoon) {
			t.log.Warn("platform certificates not refreshed; those at hand are still good", "op", opCertificates, "err", err)
		}
	}
	if k = t.newest(); k == nil {
		return "", errors.New("no platform certificate is in force")
	}
	return k.serial, nil
}

// newest is the certificate in force that began last. One that is only about
// to begin serves if there is no other.
func (t *trust) newest() *trustedKey {
	var best *trustedKey
	now := t.now()
	for _, k := range *t.keys.Load() {
		if k == t.fixed || k.over(now) {
			continue
		}
		if best == nil || better(k, best, now) {
			best = k
		}
	}
	return best
}

func better(a, b *trustedKey, now time.Time) bool {
	early, other := a.from.After(now), b.from.After(now)
	if early != other {
		return other
	}
	return a.from.After(b.from) != early // of those to come, the next
}

func (t *trust) old() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now().Sub(t.fetched) >= refreshAfter
}

var errTooSoon = errors.New("the platform certificates were downloaded a moment ago")

// refresh downloads the certificates, once for all who ask at the same time.
// Bounded, it does not do so again within refetchAfter of the last try.
func (t *trust) refresh(ctx context.Context, bounded bool) error {
	t.mu.Lock()
	if wait := t.flight; wait != nil {
		t.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.last
	}
	now := t.now()
	if bounded && !t.tried.IsZero() && now.Sub(t.tried) < refetchAfter {
		t.mu.Unlock()
		return errTooSoon
	}
	t.tried, t.flight = now, make(chan struct{})
	t.mu.Unlock()

	list, err := t.download(ctx, maps.Clone(*t.keys.Load()))

	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.store(list)
		t.fetched = t.now()
		t.log.Info("platform certificates downloaded", "op", opCertificates, "count", len(list))
	}
	t.last = err
	close(t.flight)
	t.flight = nil
	return err
}

// verify reports whether WeChat wrote body under these headers.
func (t *trust) verify(ctx context.Context, h http.Header, body []byte) error {
	var v voucher
	if err := v.read(h, t.now()); err != nil {
		return err
	}
	k := t.known(v.serial)
	if k == nil && t.download != nil {
		ctx, cancel := context.WithTimeout(ctx, refetchTimeout)
		defer cancel()
		if err := t.refresh(ctx, true); err != nil && !errors.Is(err, errTooSoon) {
			return fmt.Errorf("%w: serial %q is unknown: %w", ErrSignature, excerpt(v.serial), err)
		}
		k = t.known(v.serial)
	}
	if k == nil {
		return fmt.Errorf("%w: serial %q is not trusted", ErrSignature, excerpt(v.serial))
	}
	if !v.verify(k.key, body) {
		return fmt.Errorf("%w: it is not by key %s", ErrSignature, k.serial)
	}
	return nil
}
