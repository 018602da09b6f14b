package sim

import (
	"encoding/json"
	"net/http"
	"time"
)

// mpError is an error of api.weixin.qq.com: status 200, errcode in the body.
type mpError struct {
	code int
	msg  string
}

// The errors of web OAuth (official accounts, "全局返回码").
var (
	mpInvalidCredential = mpError{40001, "invalid credential, access_token is invalid or not latest"}
	mpInvalidGrant      = mpError{40002, "invalid grant_type"}
	mpInvalidOpenID     = mpError{40003, "invalid openid"}
	mpInvalidAppID      = mpError{40013, "invalid appid"}
	mpInvalidCode       = mpError{40029, "invalid code"}
	mpInvalidRefresh    = mpError{40030, "invalid refresh_token"}
	mpInvalidSecret     = mpError{40125, "invalid appsecret"}
	mpCodeUsed          = mpError{40163, "code been used"}
	mpNoToken           = mpError{41001, "access_token missing"}
	mpNoAppID           = mpError{41002, "appid missing"}
	mpNoRefresh         = mpError{41003, "refresh_token missing"}
	mpNoSecret          = mpError{41004, "appsecret missing"}
	mpNoCode            = mpError{41008, "missing code"}
	mpNoOpenID          = mpError{41009, "missing openid"}
	mpTokenExpired      = mpError{42001, "access_token expired"}
	mpRefreshExpired    = mpError{42002, "refresh_token expired"}
	mpNeedPost          = mpError{43002, "require POST method"}
	mpUnauthorized      = mpError{48001, "api unauthorized"}

	mpInvalidToken = mpInvalidCredential
)

// mp serves a call of api.weixin.qq.com: status 200 also for errors, and JSON
// that calls itself text/plain.
func (s *Sim) mp(contentType string, handle func(r *http.Request) (any, mpError)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, bad := handle(r)
		if bad.code != 0 {
			explain(r, bad.msg, verdictOf(r).advice)
			rid := secret(lowerHex, 24)
			answer = map[string]any{"errcode": bad.code, "errmsg": bad.withRID(rid[:8] + "-" + rid[8:16] + "-" + rid[16:])}
		}
		w.Header().Set("Content-Type", contentType)
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.Encode(answer) // a client that went away is no news
	})
}

const (
	snsType = "text/plain"
	cgiType = "application/json; encoding=utf-8"
)

// tokenAnswer is what access_token and refresh_token answer.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	OpenID       string `json:"openid"`
	Scope        string `json:"scope"`
	UnionID      string `json:"unionid,omitempty"`
}

// snsAccessToken exchanges a code.
func (s *Sim) snsAccessToken(r *http.Request) (any, mpError) {
	q := r.URL.Query()
	switch {
	case q.Get("appid") == "":
		return nil, mpNoAppID
	case q.Get("secret") == "":
		return nil, mpNoSecret
	case q.Get("code") == "":
		return nil, mpNoCode
	case q.Get("grant_type") != "authorization_code":
		return nil, mpInvalidGrant
	}
	if bad := s.checkSecret(q.Get("appid"), q.Get("secret")); bad.code != 0 {
		return nil, bad
	}
	now := s.clock.Now()
	g, bad := s.oauth.redeem(q.Get("code"), q.Get("appid"), "", now)
	if bad.code != 0 {
		return nil, bad
	}
	access, refresh := s.oauth.issue(g, now)
	return tokenAnswer{access, int(tokenLife / time.Second), refresh, g.openID, g.scope, g.unionID}, mpError{}
}

func (s *Sim) checkSecret(appID, appSecret string) mpError {
	id := s.ids.view()
	switch {
	case appID != id.AppID && appID != id.MiniAppID:
		return mpInvalidAppID
	case appID == id.AppID && appSecret != id.AppSecret, appID == id.MiniAppID && appSecret != id.MiniAppSecret:
		return mpInvalidSecret
	}
	return mpError{}
}

// snsRefresh renews an access token.
func (s *Sim) snsRefresh(r *http.Request) (any, mpError) {
	q := r.URL.Query()
	switch {
	case q.Get("appid") == "":
		return nil, mpNoAppID
	case q.Get("refresh_token") == "":
		return nil, mpNoRefresh
	case q.Get("grant_type") != "refresh_token":
		return nil, mpInvalidGrant
	}
	access, g, bad := s.oauth.renew(q.Get("refresh_token"), q.Get("appid"), s.clock.Now())
	if bad.code != 0 {
		return nil, bad
	}
	return tokenAnswer{access, int(tokenLife / time.Second), q.Get("refresh_token"), g.openID, g.scope, ""}, mpError{}
}

func (s *Sim) snsGrant(r *http.Request) (grant, mpError) {
	q := r.URL.Query()
	switch {
	case q.Get("access_token") == "":
		return grant{}, mpNoToken
	case q.Get("openid") == "":
		return grant{}, mpNoOpenID
	}
	return s.oauth.check(q.Get("access_token"), q.Get("openid"), s.clock.Now())
}

// snsAuth says whether an access token still holds.
func (s *Sim) snsAuth(r *http.Request) (any, mpError) {
	if _, bad := s.snsGrant(r); bad.code != 0 {
		return nil, bad
	}
	return struct {
		Code int    `json:"errcode"`
		Msg  string `json:"errmsg"`
	}{0, "ok"}, mpError{}
}

// snsUserinfo tells who the user is; since October 2021 without sex and place.
func (s *Sim) snsUserinfo(r *http.Request) (any, mpError) {
	g, bad := s.snsGrant(r)
	if bad.code != 0 {
		return nil, bad
	}
	if g.scope != scopeUserinfo {
		return nil, mpUnauthorized
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.ledger.user(g.appID, g.openID)
	if u == nil {
		return nil, mpInvalidOpenID
	}
	return struct {
		OpenID    string   `json:"openid"`
		Nickname  string   `json:"nickname"`
		Sex       int      `json:"sex"`
		Language  string   `json:"language"`
		City      string   `json:"city"`
		Province  string   `json:"province"`
		Country   string   `json:"country"`
		Avatar    string   `json:"headimgurl"`
		Privilege []string `json:"privilege"`
		UnionID   string   `json:"unionid"`
	}{OpenID: g.openID, Nickname: u.Nickname, Avatar: s.avatarURL(u), Privilege: []string{}, UnionID: u.UnionID}, mpError{}
}

// cgiStableToken gives the account's own access token.
func (s *Sim) cgiStableToken(r *http.Request) (any, mpError) {
	if r.Method != http.MethodPost {
		return nil, mpNeedPost
	}
	var in struct {
		GrantType string `json:"grant_type"`
		AppID     string `json:"appid"`
		Secret    string `json:"secret"`
		Force     bool   `json:"force_refresh"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody)).Decode(&in); err != nil || in.AppID == "" {
		return nil, mpNoAppID
	}
	if bad := s.mayHaveToken(r, in.GrantType, in.AppID, in.Secret); bad.code != 0 {
		return nil, bad
	}
	access, left := s.oauth.stableToken(in.AppID, in.Force, s.clock.Now())
	return accountToken{access, int(left / time.Second)}, mpError{}
}

// cgiToken is the older way to the account's token.
func (s *Sim) cgiToken(r *http.Request) (any, mpError) {
	q := r.URL.Query()
	if bad := s.mayHaveToken(r, q.Get("grant_type"), q.Get("appid"), q.Get("secret")); bad.code != 0 {
		return nil, bad
	}
	access, left := s.oauth.plainToken(q.Get("appid"), s.clock.Now())
	return accountToken{access, int(left / time.Second)}, mpError{}
}

// accountToken is what both answer.
type accountToken struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
}

// mayHaveToken checks who asks for an account's token, and from where.
func (s *Sim) mayHaveToken(r *http.Request, grantType, appID, appSecret string) mpError {
	switch {
	case appID == "":
		return mpNoAppID
	case appSecret == "":
		return mpNoSecret
	case grantType != "client_credential":
		return mpInvalidGrant
	}
	if bad := s.checkSecret(appID, appSecret); bad.code != 0 {
		return bad
	}
	bad, advice := s.ipAllowed(r)
	if bad.code != 0 {
		say(r, verdict{advice: advice})
	}
	return bad
}
