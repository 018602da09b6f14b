package wxpay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"
)

// ErrToken: the account's access token is not valid (any more). Calls get a
// new one and try again by themselves; this is what is left after that.
var ErrToken = errors.New("the access token is not valid")

// MPToken is something that WeChat lent an account for a while.
type MPToken struct {
	Value string
	Until time.Time
}

// TokenCache keeps tokens where every process of the shop finds them: WeChat
// gives an account few of them. Load gives the zero MPToken for a name that it
// does not know. It must be safe for concurrent use and must treat the values
// as secrets. The names are "APPID/stable_token" and "APPID/jsapi_ticket".
type TokenCache interface {
	Load(ctx context.Context, name string) (MPToken, error)
	Save(ctx context.Context, name string, t MPToken) error
}

// tokenSlack is how long before its end a token is replaced: WeChat makes the
// next one in the last five minutes, in which both are good.
const tokenSlack = 5 * time.Minute

// tokens hands out tokens: one fetch at a time for each name, whoever asks.
type tokens struct {
	cache TokenCache
	now   func() time.Time
	mu    sync.Mutex
	turn  map[string]chan struct{} // of one place each: who holds it fetches
}

func newTokens(c MPConfig) *tokens {
	t := &tokens{cache: c.Cache, now: c.Now, turn: make(map[string]chan struct{})}
	if t.cache == nil {
		t.cache = &memoryCache{tokens: make(map[string]MPToken)}
	}
	return t
}

// get gives the token of name, fetching it if there is none that lives, or if
// the one there is equals stale.
func (t *tokens) get(ctx context.Context, name, stale string, fetch func(context.Context) (MPToken, error)) (string, error) {
	turn := t.turnOf(name)
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	// A cache that fails costs a call, no more: the fetch decides.
	have, loadErr := t.cache.Load(ctx, name)
	if loadErr == nil && have.Value != "" && have.Value != stale && t.now().Before(have.Until.Add(-tokenSlack)) {
		return have.Value, nil
	}
	fresh, err := fetch(ctx)
	if err != nil {
		return "", errors.Join(err, loadErr)
	}
	if err := t.cache.Save(ctx, name, fresh); err != nil {
		return "", fmt.Errorf("keep %s: %w", name, err)
	}
	return fresh.Value, nil
}

func (t *tokens) turnOf(name string) chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.turn[name] == nil {
		t.turn[name] = make(chan struct{}, 1)
	}
	return t.turn[name]
}

// memoryCache serves one process.
type memoryCache struct {
	mu     sync.Mutex
	tokens map[string]MPToken
}

func (c *memoryCache) Load(_ context.Context, name string) (MPToken, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tokens[name], nil
}

func (c *memoryCache) Save(_ context.Context, name string, t MPToken) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens[name] = t
	return nil
}

// StableToken is the account's access token (cgi-bin/stable_token, which does
// not disturb whoever else uses the account).
func (m *MP) StableToken(ctx context.Context) (string, error) { return m.token(ctx, "") }

// token is an access token other than stale. In the normal mode WeChat gives
// the same token until its last minutes; only when it insists on one that it
// refused itself is it forced to make another, which it does 20 times a day.
func (m *MP) token(ctx context.Context, stale string) (string, error) {
	return m.tokens.get(ctx, m.cfg.AppID+"/stable_token", stale, func(ctx context.Context) (MPToken, error) {
		t, err := m.fetchToken(ctx, false)
		if err == nil && t.Value == stale {
			t, err = m.fetchToken(ctx, true)
		}
		return t, err
	})
}

func (m *MP) fetchToken(ctx context.Context, force bool) (MPToken, error) {
	const op = "cgi-bin/stable_token"
	ask, err := json.Marshal(map[string]any{
		"grant_type": "client_credential", "appid": m.cfg.AppID, "secret": m.cfg.AppSecret, "force_refresh": force,
	})
	if err != nil {
		return MPToken{}, err
	}
	var a struct {
		mpStatus
		Token   string `json:"access_token"`
		Expires int    `json:"expires_in"`
	}
	if err := m.post(ctx, op, "/cgi-bin/stable_token", ask, &a); err != nil {
		return MPToken{}, err
	}
	if err := a.err(m.cfg.AppSecret); err != nil {
		return MPToken{}, err
	}
	return m.lent(op, a.Token, a.Expires)
}

// lent is a token that lives for some seconds from now.
func (m *MP) lent(op, value string, seconds int) (MPToken, error) {
	if value == "" || seconds <= 0 {
		return MPToken{}, &Error{Op: op, HTTPStatus: 200, Message: "the answer has no token", Unknown: true}
	}
	return MPToken{Value: value, Until: m.cfg.Now().Add(time.Duration(seconds) * time.Second)}, nil
}

// withToken makes a call that needs the access token, and makes it once more
// with another one if WeChat does not like the first.
func (m *MP) withToken(ctx context.Context, call func(token string) error) error {
	token, err := m.token(ctx, "")
	if err != nil {
		return err
	}
	if err = call(token); !errors.Is(err, ErrToken) {
		return err
	}
	if token, err = m.token(ctx, token); err != nil {
		return err
	}
	return call(token)
}

// Ticket is the account's jsapi_ticket.
func (m *MP) Ticket(ctx context.Context) (string, error) {
	return m.tokens.get(ctx, m.cfg.AppID+"/jsapi_ticket", "", m.fetchTicket)
}

func (m *MP) fetchTicket(ctx context.Context) (MPToken, error) {
	const op = "ticket/getticket"
	var a struct {
		mpStatus
		Ticket  string `json:"ticket"`
		Expires int    `json:"expires_in"`
	}
	err := m.withToken(ctx, func(token string) error {
		a.mpStatus = mpStatus{} // of the try before
		if err := m.get(ctx, op, "/cgi-bin/ticket/getticket?access_token="+url.QueryEscape(token)+"&type=jsapi", &a); err != nil {
			return err
		}
		return a.err(token)
	})
	if err != nil {
		return MPToken{}, err
	}
	return m.lent(op, a.Ticket, a.Expires)
}

// String leaves the value out.
func (t MPToken) String() string { return "wxpay.MPToken{Until:" + t.Until.Format(time.RFC3339) + "}" }

// GoString is String, for %#v.
func (t MPToken) GoString() string { return t.String() }

// LogValue is String, for slog.
func (t MPToken) LogValue() slog.Value { return slog.StringValue(t.String()) }
