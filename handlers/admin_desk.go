package handlers

import (
	"context"
	"crypto/rand"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/securecookie"

	"wxshop/models"
)

// desk is what the door of the back office needs: the queue for hashing, the
// count of tries, and the devices that were here before.
type desk struct {
	db     *models.Store
	now    func() time.Time
	hasher *hasher

	trying sync.Mutex // look and count are one step: parallel guesses cannot slip through

	device string // name of the cookie of known devices
	secure bool
	codecs []securecookie.Codec
}

// deviceAge is how long a device is remembered.
const deviceAge = 180 * 24 * time.Hour

func newDesk(d Deps, https bool) *desk {
	x := &desk{
		db: d.Store, now: d.Now, hasher: newHasher(), device: "admin_device", secure: https,
		codecs: securecookie.CodecsFromPairs(d.Config.Session.Keys...),
	}
	if https {
		x.device = "__Host-" + x.device
	}
	for _, codec := range x.codecs {
		if c, ok := codec.(*securecookie.SecureCookie); ok {
			c.SetSerializer(securecookie.NopEncoder{})
			c.MaxAge(int(deviceAge / time.Second))
		}
	}
	return x
}

// lanes spread the tries of strangers on one account. Each lane forgives five
// failures, so twenty strangers' failures or so slow the rest down to one try
// in ten seconds, then in a minute; nobody is locked out for good.
const lanes = 4

// tryKeys are the counters that a try runs up (security A4): on a known
// device only its own, so that strangers cannot keep its owner out; otherwise
// the account from this network, and the slow lane of the account. Names go
// in as a hash: a key has a bounded length and tells nothing.
func (x *desk) tryKeys(name, ip string, known bool) []string {
	account := hashOf("account " + strings.ToLower(name))[:32]
	if known {
		return []string{"signin:device:" + account}
	}
	net := network(ip)
	h := fnv.New32a()
	_, _ = h.Write([]byte(net)) // a hash takes everything
	return []string{
		"signin:net:" + account + ":" + net,
		"signin:lane:" + account + ":" + strconv.Itoa(int(h.Sum32()%lanes)),
	}
}

// network is where an address belongs: IPv4/24, IPv6/48.
func network(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return "?"
	}
	bits := 48
	if a = a.Unmap(); a.Is4() {
		bits = 24
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return "?"
	}
	return p.String()
}

// try counts one try under every key, or says how long to wait. It is counted
// before the password is looked at, and forgiven when it was right.
func (x *desk) try(ctx context.Context, keys []string) (time.Duration, error) {
	x.trying.Lock()
	defer x.trying.Unlock()
	var wait time.Duration
	for _, key := range keys {
		until, err := x.db.Throttled(ctx, key)
		if err != nil {
			return 0, fmt.Errorf("limit of tries: %w", err)
		}
		if !until.IsZero() {
			wait = max(wait, until.Sub(x.now()))
		}
	}
	if wait > 0 {
		return wait, nil
	}
	for _, key := range keys {
		if err := x.db.Fail(ctx, key); err != nil {
			return 0, fmt.Errorf("limit of tries: %w", err)
		}
	}
	return 0, nil
}

func (x *desk) forgive(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if err := x.db.Forgive(ctx, key); err != nil {
			return fmt.Errorf("limit of tries: %w", err)
		}
	}
	return nil
}

// remember gives the browser a signed proof that this person signed in here.
// It opens nothing; it only has a counter of its own.
func (x *desk) remember(w http.ResponseWriter, staffID int64) error {
	value, err := securecookie.EncodeMulti(x.device, []byte(devicePrefix(staffID)+rand.Text()), x.codecs...)
	if err != nil {
		return fmt.Errorf("remember device: %w", err)
	}
	http.SetCookie(w, &http.Cookie{
		Name: x.device, Value: value, Path: "/", MaxAge: int(deviceAge / time.Second),
		HttpOnly: true, Secure: x.secure, SameSite: http.SameSiteStrictMode,
	})
	return nil
}

// knows reports whether this person signed in from this browser before.
func (x *desk) knows(r *http.Request, staffID int64) bool {
	cookie, err := r.Cookie(x.device)
	if err != nil {
		return false
	}
	var value []byte
	if err := securecookie.DecodeMulti(x.device, cookie.Value, &value, x.codecs...); err != nil {
		return false
	}
	return strings.HasPrefix(string(value), devicePrefix(staffID))
}

func devicePrefix(staffID int64) string { return strconv.FormatInt(staffID, 10) + "|" }
