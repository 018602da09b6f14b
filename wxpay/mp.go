package wxpay

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Where WeChat asks the person, and where we exchange what it gave us.
const (
	DefaultAuthorizeURL = "https://open.weixin.qq.com/connect/oauth2/authorize"
	DefaultAPIBase      = "https://api.weixin.qq.com"
)

// The scopes of web authorization. Paying needs only the first.
const (
	ScopeBase     = "snsapi_base"     // silent; gives the openid
	ScopeUserInfo = "snsapi_userinfo" // asks the person; also name and picture
)

// What became of an OAuth code that was no good. Start over with AuthorizeURL.
var (
	ErrCodeUsed    = errors.New("oauth code was used before")
	ErrCodeInvalid = errors.New("oauth code is not valid")
	ErrBlocked     = errors.New("WeChat does not let this person in")
)

// MPConfig is one official account, or one mini program.
type MPConfig struct {
	AppID        string
	AppSecret    string // 32 letters and digits
	APIBase      string // default DefaultAPIBase
	AuthorizeURL string // default DefaultAuthorizeURL
	Transport    http.RoundTripper
	Timeout      time.Duration // of one call; default DefaultTimeout
	// Cache keeps tokens between processes and restarts; default: in memory.
	Cache TokenCache
	Now   func() time.Time // default: time.Now
}

// Validate names every mistake in c, one sentence each.
func (c MPConfig) Validate() error {
	errs := []error{checkAppID("app id", c.AppID), checkAPIKey("app secret", c.AppSecret)}
	if c.APIBase != "" {
		errs = append(errs, checkHost(c.APIBase, ".weixin.qq.com"))
	}
	if c.AuthorizeURL != "" {
		errs = append(errs, checkHost(c.AuthorizeURL, ".weixin.qq.com"))
	}
	return errors.Join(errs...)
}

// MP is an official account (mp.weixin.qq.com): who is the person in front of
// the page?
type MP struct {
	cfg    MPConfig
	tokens *tokens
}

// NewMP checks c and returns the account.
func NewMP(c MPConfig) (*MP, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("official account: %w", err)
	}
	if c.APIBase == "" {
		c.APIBase = DefaultAPIBase
	}
	if c.AuthorizeURL == "" {
		c.AuthorizeURL = DefaultAuthorizeURL
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Transport == nil {
		c.Transport = newTransport(&tls.Config{})
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.APIBase = strings.TrimSuffix(c.APIBase, "/")
	return &MP{cfg: c, tokens: newTokens(c)}, nil
}

// AuthorizeURL is where to send the browser. WeChat matches it by a strict
// pattern, so the order of the parameters is fixed and url.Values will not do.
// state must be letters and digits, at most 128.
func (m *MP) AuthorizeURL(redirectURI, scope, state string) string {
	return m.cfg.AuthorizeURL + "?appid=" + m.cfg.AppID +
		"&redirect_uri=" + url.QueryEscape(redirectURI) +
		"&response_type=code&scope=" + url.QueryEscape(scope) +
		"&state=" + url.QueryEscape(state) + "#wechat_redirect"
}

// MPUser is a person as one official account knows them.
type MPUser struct {
	OpenID      string // under this AppID only
	UnionID     string // across accounts, when they are joined
	Scope       string
	Snapshot    bool   // a made-up person: WeChat shows a page preview. Not a user.
	AccessToken string // for UserInfo
}

// MPError is WeChat's refusal.
type MPError struct {
	Code    int // errcode
	Message string
}

// mpSystemError is "try later": the call may or may not have happened.
const mpSystemError = -1

// Error gives one line for the log.
func (e *MPError) Error() string { return fmt.Sprintf("official account: %d %s", e.Code, e.Message) }

// Is matches what the code stands for (web authorization, return codes).
func (e *MPError) Is(target error) bool {
	switch e.Code {
	case 40163:
		return target == ErrCodeUsed
	case 40029, 41008, 42003:
		return target == ErrCodeInvalid
	case 40001, 40014, 41001, 42001:
		return target == ErrToken
	case 40226:
		return target == ErrBlocked
	}
	return false
}

// Exchange turns the code that WeChat appended to the redirect URI into the
// person. A code is good once, for five minutes.
func (m *MP) Exchange(ctx context.Context, code string) (MPUser, error) {
	const op = "oauth2/access_token"
	if code == "" {
		return MPUser{}, &MPError{Code: 41008, Message: "missing code"}
	}
	var a struct {
		mpStatus
		AccessToken string `json:"access_token"`
		OpenID      string `json:"openid"`
		UnionID     string `json:"unionid"`
		Scope       string `json:"scope"`
		Snapshot    int    `json:"is_snapshotuser"`
	}
	query := "appid=" + url.QueryEscape(m.cfg.AppID) + "&secret=" + url.QueryEscape(m.cfg.AppSecret) +
		"&code=" + url.QueryEscape(code) + "&grant_type=authorization_code"
	if err := m.get(ctx, op, "/sns/oauth2/access_token?"+query, &a); err != nil {
		return MPUser{}, err
	}
	if err := a.err(code, m.cfg.AppSecret); err != nil {
		return MPUser{}, err
	}
	if a.OpenID == "" {
		return MPUser{}, &Error{Op: op, HTTPStatus: 200, Message: "the answer names nobody", Unknown: true}
	}
	return MPUser{
		OpenID: a.OpenID, UnionID: a.UnionID, Scope: a.Scope,
		Snapshot: a.Snapshot != 0, AccessToken: a.AccessToken,
	}, nil
}

// Code2Session turns the code of a mini program's wx.login into the person.
// The session key that comes with it is dropped: nothing here decrypts what
// it would open, and nobody else may see it.
func (m *MP) Code2Session(ctx context.Context, code string) (MPUser, error) {
	const op = "sns/jscode2session"
	if code == "" {
		return MPUser{}, &MPError{Code: 41008, Message: "missing code"}
	}
	var a struct {
		mpStatus
		OpenID  string `json:"openid"`
		UnionID string `json:"unionid"`
	}
	query := "appid=" + url.QueryEscape(m.cfg.AppID) + "&secret=" + url.QueryEscape(m.cfg.AppSecret) +
		"&js_code=" + url.QueryEscape(code) + "&grant_type=authorization_code"
	if err := m.get(ctx, op, "/sns/jscode2session?"+query, &a); err != nil {
		return MPUser{}, err
	}
	if err := a.err(code, m.cfg.AppSecret); err != nil {
		return MPUser{}, err
	}
	if a.OpenID == "" {
		return MPUser{}, &Error{Op: op, HTTPStatus: 200, Message: "the answer names nobody", Unknown: true}
	}
	return MPUser{OpenID: a.OpenID, UnionID: a.UnionID}, nil
}

// MPProfile is what a person lets us see with ScopeUserInfo.
type MPProfile struct {
	OpenID    string
	UnionID   string
	Nickname  string
	AvatarURL string
}

// UserInfo asks for the profile of a person who granted ScopeUserInfo.
func (m *MP) UserInfo(ctx context.Context, accessToken, openID string) (MPProfile, error) {
	const op = "sns/userinfo"
	var a struct {
		mpStatus
		OpenID   string `json:"openid"`
		UnionID  string `json:"unionid"`
		Nickname string `json:"nickname"`
		Avatar   string `json:"headimgurl"`
	}
	query := "access_token=" + url.QueryEscape(accessToken) + "&openid=" + url.QueryEscape(openID) + "&lang=zh_CN"
	if err := m.get(ctx, op, "/sns/userinfo?"+query, &a); err != nil {
		return MPProfile{}, err
	}
	if err := a.err(accessToken); err != nil {
		return MPProfile{}, err
	}
	if a.OpenID != openID {
		return MPProfile{}, &Error{Op: op, HTTPStatus: 200, Message: "the answer is about somebody else", Unknown: true}
	}
	return MPProfile{OpenID: a.OpenID, UnionID: a.UnionID, Nickname: a.Nickname, AvatarURL: a.Avatar}, nil
}

// mpStatus is part of every answer; absent on success.
type mpStatus struct {
	Code    int    `json:"errcode"`
	Message string `json:"errmsg"`
}

func (s mpStatus) err(secrets ...string) error {
	if s.Code == 0 {
		return nil
	}
	return &MPError{Code: s.Code, Message: excerpt(s.Message, secrets...)}
}

// maxMPAnswer bounds an answer of the official account's API.
const maxMPAnswer = 64 << 10

// get calls target and decodes the JSON answer, whatever its Content-Type says:
// these calls answer text/plain. No error repeats the URL, which holds secrets.
func (m *MP) get(ctx context.Context, op, target string, answer any) error {
	return m.do(ctx, op, http.MethodGet, target, nil, answer)
}

// post is get with a JSON body.
func (m *MP) post(ctx context.Context, op, target string, body []byte, answer any) error {
	return m.do(ctx, op, http.MethodPost, target, body, answer)
}

func (m *MP) do(ctx context.Context, op, method, target string, body []byte, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, m.cfg.APIBase+target, bytes.NewReader(body))
	if err != nil {
		return &Error{Op: op, Err: withoutURL(err)}
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json") // stable_token sees no appid otherwise
	}
	res, err := fetch(m.cfg.Transport, req, maxMPAnswer)
	if err != nil || res.status != http.StatusOK {
		return &Error{Op: op, HTTPStatus: res.status, Unknown: true, Err: err}
	}
	if json.Unmarshal([]byte(res.body), answer) != nil {
		// The decoder's own words may quote the body; they stay here.
		return &Error{Op: op, HTTPStatus: res.status, Message: "unreadable answer", Unknown: true}
	}
	return nil
}
