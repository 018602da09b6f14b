package sim

import (
	"sync"
	"time"
)

const (
	scopeBase     = "snsapi_base"
	scopeUserinfo = "snsapi_userinfo"
	scopeMini     = "mini" // a js_code, not of web OAuth

	codeLife    = 5 * time.Minute // single use
	tokenLife   = 2 * time.Hour
	refreshLife = 30 * 24 * time.Hour
	askLife     = 10 * time.Minute // of an open consent page
)

// grant is what a user allowed an account.
type grant struct {
	appID, openID, unionID, scope string
}

// code is an answer of authorize, to be exchanged once.
type code struct {
	grant
	issued time.Time
	used   time.Time
}

// token is an access or refresh token of web OAuth.
type token struct {
	grant
	until time.Time
}

// question is a consent page that waits for an answer.
type question struct {
	req   authorizeRequest
	user  string // who holds the phone
	asked time.Time
}

// oauth is what web OAuth remembers. It forgets at a restart, as codes and
// pages are short-lived; a shop sends the user to authorize again.
type oauth struct {
	mu        sync.Mutex
	codes     map[string]*code
	access    map[string]token
	refresh   map[string]token
	questions map[string]question
	stable    map[string]token // the account's own, by token
	plain     map[string]token // of /cgi-bin/token, which the others do not disturb
	ticket    string           // of the JS-SDK
	ticketTil time.Time
	left      map[string]bool // openids that do not follow the account
}

func newOAuth() *oauth {
	o := &oauth{}
	o.forget()
	return o
}

func (o *oauth) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.codes, o.access, o.refresh = map[string]*code{}, map[string]token{}, map[string]token{}
	o.questions, o.stable, o.plain = map[string]question{}, map[string]token{}, map[string]token{}
	o.left, o.ticket = map[string]bool{}, ""
}

// newCode issues a code: 32 characters, the first a 0 as WeChat's mostly are.
func (o *oauth) newCode(g grant, now time.Time) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, c := range o.codes {
		if now.Sub(c.issued) > 2*codeLife {
			delete(o.codes, id)
		}
	}
	id := "0" + secret(alphanum, 31)
	o.codes[id] = &code{grant: g, issued: now}
	return id
}

// redeem exchanges a code of an account, once: a js_code with scopeMini, one
// of web OAuth with "".
func (o *oauth) redeem(id, appID, kind string, now time.Time) (grant, mpError) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.codes[id]
	switch {
	case c == nil || c.appID != appID || (c.scope == scopeMini) != (kind == scopeMini):
		return grant{}, mpInvalidCode
	case !c.used.IsZero() && now.Sub(c.used) <= codeLife:
		return grant{}, mpCodeUsed
	case !c.used.IsZero() || now.Sub(c.issued) > codeLife:
		return grant{}, mpInvalidCode
	}
	c.used = now
	return c.grant, mpError{}
}

// issue makes tokens for a grant.
func (o *oauth) issue(g grant, now time.Time) (access, refresh string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sweep(now)
	access, refresh = "63_"+secret(alphanum, 86), "63_"+secret(alphanum, 86)
	o.access[access] = token{g, now.Add(tokenLife)}
	o.refresh[refresh] = token{g, now.Add(refreshLife)}
	return access, refresh
}

// renew makes another access token.
func (o *oauth) renew(refresh, appID string, now time.Time) (access string, g grant, err mpError) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t, ok := o.refresh[refresh]
	switch {
	case !ok || t.appID != appID:
		return "", grant{}, mpInvalidRefresh
	case now.After(t.until):
		return "", grant{}, mpRefreshExpired
	}
	access = "63_" + secret(alphanum, 86)
	o.access[access] = token{t.grant, now.Add(tokenLife)}
	return access, t.grant, mpError{}
}

// check finds what an access token allows for an openid.
func (o *oauth) check(access, openID string, now time.Time) (grant, mpError) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t, ok := o.access[access]
	switch {
	case !ok:
		return grant{}, mpInvalidToken
	case now.After(t.until):
		return grant{}, mpTokenExpired
	case t.openID != openID:
		return grant{}, mpInvalidOpenID
	}
	return t.grant, mpError{}
}

// sweep forgets old tokens when there are many. o.mu is held.
func (o *oauth) sweep(now time.Time) {
	if len(o.access) < 10_000 {
		return
	}
	for id, t := range o.access {
		if now.After(t.until) {
			delete(o.access, id)
		}
	}
	for id, t := range o.refresh {
		if now.After(t.until) {
			delete(o.refresh, id)
		}
	}
}

// ask keeps a consent page until it is answered.
func (o *oauth) ask(q question) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, old := range o.questions {
		if q.asked.Sub(old.asked) > askLife {
			delete(o.questions, id)
		}
	}
	id := secret(alphanum, 32)
	o.questions[id] = q
	return id
}

// question finds an open consent page; taking it answers it.
func (o *oauth) question(id string, now time.Time, take bool) (question, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	q, ok := o.questions[id]
	if take {
		delete(o.questions, id)
	}
	return q, ok && now.Sub(q.asked) <= askLife
}

// overlap is how long an account token outlives its successor.
const overlap = 5 * time.Minute

// stableToken is the account's own token, the same until its last five
// minutes. Forced, the old ones end at once.
func (o *oauth) stableToken(appID string, force bool, now time.Time) (string, time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, t := range o.stable {
		switch {
		case t.appID != appID:
		case !force && t.until.Sub(now) >= overlap:
			return id, t.until.Sub(now)
		case force || now.After(t.until):
			delete(o.stable, id)
		}
	}
	return o.newAccountToken(o.stable, appID, now), tokenLife
}

// plainToken is a new one at every call; the one before it lives five minutes more.
func (o *oauth) plainToken(appID string, now time.Time) (string, time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, t := range o.plain {
		if t.appID != appID {
			continue
		}
		if last := now.Add(overlap); t.until.After(last) {
			t.until = last
			o.plain[id] = t
		}
		if now.After(t.until) {
			delete(o.plain, id)
		}
	}
	return o.newAccountToken(o.plain, appID, now), tokenLife
}

func (o *oauth) newAccountToken(in map[string]token, appID string, now time.Time) string {
	id := "86_" + secret(alphanum, 130)
	in[id] = token{grant{appID: appID}, now.Add(tokenLife)}
	return id
}

// checkAccountToken judges an account's own token.
func (o *oauth) checkAccountToken(access string, now time.Time) mpError {
	o.mu.Lock()
	defer o.mu.Unlock()
	t, ok := o.stable[access]
	if !ok {
		t, ok = o.plain[access]
	}
	switch {
	case access == "":
		return mpNoToken
	case !ok:
		return mpInvalidCredential
	case now.After(t.until):
		return mpTokenExpired
	case t.appID != appID1:
		return mpUnauthorized
	}
	return mpError{}
}

// jsTicket is the ticket of the JS-SDK, the same until its last five minutes.
func (o *oauth) jsTicket(now time.Time) (string, time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ticket == "" || o.ticketTil.Sub(now) < overlap {
		o.ticket, o.ticketTil = secret(alphanum, 86), now.Add(tokenLife)
	}
	return o.ticket, o.ticketTil.Sub(now)
}

func (o *oauth) hasLeft(openID string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.left[openID]
}
