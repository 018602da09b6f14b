package sim

import (
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"wxshop/wxpay/sim/browser"
	"wxshop/wxpay/sim/console"
)

// authorizeRequest is what a shop sends a user to authorize with.
type authorizeRequest struct {
	appID, redirect, scope, state string
	face                          string // origin of the WeChat browser to return to; empty: none
}

// authorizeError is WeChat's error page (official accounts, "网页授权").
type authorizeError struct {
	code int // 0: WeChat shows none
	text string
	why  string // for the developer
}

// strictOrder is how snsapi_userinfo must be asked for: WeChat compares the
// link with an expression, and another order breaks it. The marks of the
// simulator's browser follow at the end.
var strictOrder = regexp.MustCompile(`^appid=[^&]*&redirect_uri=[^&]*&response_type=code&scope=[^&]*&state=[^&]*` +
	`(&forcePopup=(true|false))?(&forceSnapShot=(true|false))?(&connect_redirect=1)?(&` + browser.MarkMe + `=[^&]*)?(&` + browser.MarkFace + `=[^&]*)?$`)

var stateForm = regexp.MustCompile(`^[0-9A-Za-z]{1,128}$`)

// authorize is the page that a shop sends its users to. A user in the
// simulator's WeChat browser is known by the mark that it puts into the URL.
func (s *Sim) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if !q.Has(browser.MarkMe) && !strings.Contains(strings.ToLower(r.UserAgent()), "micromessenger") {
		s.showAuthorizeError(w, r, authorizeError{0, "请在微信客户端打开链接",
			"This browser is not WeChat. Open the shop through the simulator's WeChat browser instead."})
		return
	}
	req, bad := s.readAuthorize(r.URL.RawQuery, q)
	if bad.text != "" {
		s.showAuthorizeError(w, r, bad)
		return
	}
	s.mu.Lock()
	u := s.ledger.userByID(q.Get(browser.MarkMe))
	s.mu.Unlock()
	if u == nil {
		s.showAuthorizeError(w, r, authorizeError{0, "系统错误", "There is no simulated user " + q.Get(browser.MarkMe) + " (any more). Choose another one in the WeChat browser."})
		return
	}
	if req.scope == scopeUserinfo {
		ticket := s.oauth.ask(question{req: req, user: u.ID, asked: s.clock.Now()})
		s.showConsent(w, r, ticket, false)
		return
	}
	s.sendBack(w, r, req, u)
}

// readAuthorize checks the parameters.
func (s *Sim) readAuthorize(raw string, q url.Values) (authorizeRequest, authorizeError) {
	req := authorizeRequest{
		appID: q.Get("appid"), redirect: q.Get("redirect_uri"), scope: q.Get("scope"), state: q.Get("state"),
	}
	id := s.ids.view()
	switch {
	case req.appID == "":
		return req, authorizeError{10012, "appid不能为空", "Send appid=" + id.AppID + "."}
	case req.redirect == "":
		return req, authorizeError{10011, "redirect_uri不能为空", "Send redirect_uri, percent-encoded, with scheme and host."}
	case req.scope == "":
		return req, authorizeError{10010, "scope不能为空", "Send scope=snsapi_base or scope=snsapi_userinfo."}
	case req.state == "":
		return req, authorizeError{10013, "state不能为空", "Send a random state of letters and digits; it is returned unchanged."}
	case req.appID == id.MiniAppID:
		return req, authorizeError{10005, "此公众号并没有这些scope的权限", "This is the appid of the mini program; web OAuth needs the one of the official account, " + id.AppID + "."}
	case req.appID != id.AppID:
		return req, authorizeError{10016, "不支持微信开放平台的Appid，请使用公众号Appid", "The simulator's official account is " + id.AppID + "."}
	case req.scope != scopeBase && req.scope != scopeUserinfo:
		return req, authorizeError{0, "Scope 参数错误或没有 Scope 权限", "scope must be snsapi_base or snsapi_userinfo."}
	case q.Get("response_type") != "code":
		return req, authorizeError{0, "response_type 参数错误", "response_type must be code."}
	case req.scope == scopeUserinfo && !strictOrder.MatchString(raw):
		return req, authorizeError{0, "Scope 参数错误或没有 Scope 权限",
			"For snsapi_userinfo the parameters must come exactly as appid, redirect_uri, response_type, scope, state (then forcePopup, forceSnapShot)."}
	case !stateForm.MatchString(req.state):
		return req, authorizeError{0, "state 参数错误", "state may have letters and digits only, at most 128."}
	case !absoluteHTTP(req.redirect):
		return req, authorizeError{0, "redirect_uri 参数错误", "redirect_uri must be an absolute http or https URL, percent-encoded once."}
	}
	if bad := redirectRegistered(s.account(), req.redirect); bad.text != "" {
		return req, bad
	}
	if face := q.Get(browser.MarkFace); face != "" {
		if !s.knownFace(face) {
			return req, authorizeError{0, "redirect_uri 参数错误", "The mark " + browser.MarkFace + " names no WeChat browser of this simulator."}
		}
		req.face = face
	}
	return req, authorizeError{}
}

func absoluteHTTP(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

// knownFace reports whether a mark names our own browser: the configured
// address, or any on loopback, as behind port 0.
func (s *Sim) knownFace(face string) bool {
	u, err := url.Parse(face)
	if err != nil || u.User != nil || u.Path != "" || u.RawQuery != "" {
		return false
	}
	if strings.EqualFold(face, s.opts.BrowserURL) {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// sendBack returns the user with a code.
func (s *Sim) sendBack(w http.ResponseWriter, r *http.Request, req authorizeRequest, u *user) {
	to, err := browser.ReturnTo(req.redirect, req.face)
	if err != nil {
		s.showAuthorizeError(w, r, authorizeError{0, "redirect_uri 参数错误", err.Error()})
		return
	}
	g := grant{appID: req.appID, openID: u.OpenID, scope: req.scope}
	if req.scope == scopeUserinfo {
		g.unionID = u.UnionID
	}
	back, err := url.Parse(to)
	if err != nil {
		s.showAuthorizeError(w, r, authorizeError{0, "redirect_uri 参数错误", err.Error()})
		return
	}
	answer := "code=" + s.oauth.newCode(g, s.clock.Now()) + "&state=" + url.QueryEscape(req.state)
	if back.RawQuery != "" {
		answer = back.RawQuery + "&" + answer
	}
	back.RawQuery = answer
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, back.String(), http.StatusFound)
}

const consentPath = "/connect/oauth2/consent"

// showConsent is the page of snsapi_userinfo.
func (s *Sim) showConsent(w http.ResponseWriter, r *http.Request, ticket string, denied bool) {
	q, ok := s.oauth.question(ticket, s.clock.Now(), false)
	if !ok {
		s.showAuthorizeError(w, r, authorizeError{0, "页面已过期，请返回重试", "The consent page was open for more than 10 minutes, or the simulator was restarted."})
		return
	}
	people := s.people()
	for i, p := range people {
		if p.ID == q.user {
			people[0], people[i] = people[i], people[0]
		}
	}
	s.page(w, r, http.StatusOK, console.ConsentCSP, console.Consent(console.ConsentView{
		Action: consentPath, Ticket: ticket, Merchant: merchantName, AppID: q.req.appID, Scope: q.req.scope,
		State: q.req.state, RedirectURI: q.req.redirect, DomainOK: anyDomain(s.account().OAuthDomains, q.req.redirect), Users: people, Denied: denied,
	}))
}

// answerConsent is the form of that page. A user who refuses stays on it, as
// in current versions of WeChat.
func (s *Sim) answerConsent(w http.ResponseWriter, r *http.Request) {
	ticket := r.PostFormValue("ticket")
	if r.PostFormValue("op") != "allow" {
		s.showConsent(w, r, ticket, true)
		return
	}
	q, ok := s.oauth.question(ticket, s.clock.Now(), true)
	if !ok {
		s.showConsent(w, r, ticket, false)
		return
	}
	who := r.PostFormValue("u")
	if who == "" {
		who = q.user
	}
	s.mu.Lock()
	u := s.ledger.userByID(who)
	s.mu.Unlock()
	if u == nil {
		http.Error(w, "there is no such user", http.StatusBadRequest)
		return
	}
	s.sendBack(w, r, q.req, u)
}

func (s *Sim) showAuthorizeError(w http.ResponseWriter, r *http.Request, e authorizeError) {
	say(r, verdict{problem: strings.TrimSpace(e.text), advice: e.why})
	face := ""
	if s.opts.AppURL != "" {
		face = s.opts.BrowserURL
	}
	s.page(w, r, http.StatusOK, console.CSP, console.AuthorizeError(console.AuthorizeErrorView{Code: e.code, Text: e.text, Why: e.why, Face: face}))
}
