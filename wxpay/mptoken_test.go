package wxpay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const vectorTicket = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"

// account is the other side: it hands out tokens as stable_token does.
type account struct {
	mu      sync.Mutex
	now     func() time.Time
	made    int // tokens
	asked   int // stable_token
	forced  int
	tickets int
	token   string
	until   time.Time
	refuse  map[string]int // token to errcode, at getticket
	say     func(path string) string
}

func (a *account) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	answer := a.serve(r)
	if a.say != nil {
		if s := a.say(r.URL.Path); s != "" {
			answer = s
		}
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

func (a *account) serve(r *http.Request) string {
	switch r.URL.Path {
	case "/cgi-bin/stable_token":
		var ask struct {
			Grant  string `json:"grant_type"`
			AppID  string `json:"appid"`
			Secret string `json:"secret"`
			Force  bool   `json:"force_refresh"`
		}
		err := json.NewDecoder(r.Body).Decode(&ask)
		if err != nil || r.Method != "POST" || r.Header.Get("Content-Type") != "application/json" || ask.Grant != "client_credential" || ask.AppID != testApp || ask.Secret != testSecret {
			return `{"errcode":41002,"errmsg":"appid missing"}`
		}
		a.asked++
		if ask.Force {
			a.forced++
		}
		if left := a.until.Sub(a.now()); ask.Force || a.token == "" || left <= 5*time.Minute {
			a.made++
			a.token, a.until = fmt.Sprint("token", a.made), a.now().Add(2*time.Hour)
		}
		return fmt.Sprintf(`{"access_token":%q,"expires_in":%d}`, a.token, int(a.until.Sub(a.now()).Seconds()))
	case "/cgi-bin/ticket/getticket":
		a.tickets++
		if code := a.refuse[r.URL.Query().Get("access_token")]; code != 0 {
			return fmt.Sprintf(`{"errcode":%d,"errmsg":"invalid credential %s"}`, code, r.URL.Query().Get("access_token"))
		}
		return `{"errcode":0,"errmsg":"ok","ticket":"` + vectorTicket + `","expires_in":7200}`
	}
	return `{"errcode":404}`
}

func accountMP(t *testing.T, a *account, cache TokenCache) *MP {
	t.Helper()
	a.now = time.Now
	mp, err := NewMP(MPConfig{AppID: testApp, AppSecret: testSecret, APIBase: "http://api.test", Transport: a, Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	return mp
}

func wantToken(t *testing.T, mp *MP, want string) {
	t.Helper()
	if got, err := mp.StableToken(t.Context()); err != nil || got != want {
		t.Errorf("token %q, %v; want %s", got, err, want)
	}
}

// One token serves everybody until five minutes before its end.
func TestStableToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &account{}
		mp := accountMP(t, a, nil)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { wantToken(t, mp, "token1") })
		}
		all.Wait()
		if a.asked != 1 {
			t.Errorf("asked %d times for 20 callers", a.asked)
		}
		time.Sleep(2*time.Hour - tokenSlack - time.Second)
		wantToken(t, mp, "token1")
		time.Sleep(time.Second)
		wantToken(t, mp, "token2")
		wantToken(t, mp, "token2")
		if a.asked != 2 || a.forced != 0 {
			t.Errorf("asked %d times, forced %d", a.asked, a.forced)
		}
	})
}

// Two processes with one cache share a token; one with a broken cache works on.
func TestTokenCacheIsShared(t *testing.T) {
	a, cache := &account{}, &memoryCache{tokens: map[string]MPToken{}}
	wantToken(t, accountMP(t, a, cache), "token1")
	wantToken(t, accountMP(t, a, cache), "token1")
	if a.asked != 1 || cache.tokens[testApp+"/stable_token"].Value != "token1" {
		t.Errorf("asked %d times, kept %v", a.asked, len(cache.tokens))
	}
	wantToken(t, accountMP(t, a, failingCache{load: true}), "token1")
	if _, err := accountMP(t, a, failingCache{}).StableToken(t.Context()); !errors.Is(err, errCache) {
		t.Errorf("a cache that keeps nothing: %v", err)
	}
}

var errCache = errors.New("disk full")

type failingCache struct{ load bool }

func (f failingCache) Load(context.Context, string) (MPToken, error) {
	if f.load {
		return MPToken{}, errCache
	}
	return MPToken{}, nil
}

func (f failingCache) Save(context.Context, string, MPToken) error {
	if f.load {
		return nil
	}
	return errCache
}

func TestTokenWaitsForItsTurn(t *testing.T) {
	a := &account{}
	mp := accountMP(t, a, nil)
	mp.tokens.turnOf(testApp + "/stable_token") <- struct{}{}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := mp.StableToken(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// A token that WeChat refuses is replaced once; forcibly only if WeChat goes
// on giving out the same.
func TestTokenIsReplaced(t *testing.T) {
	for _, code := range []int{40001, 40014, 41001, 42001} {
		a := &account{refuse: map[string]int{"token1": code}}
		mp := accountMP(t, a, nil)
		if ticket, err := mp.Ticket(t.Context()); err != nil || ticket != vectorTicket || a.forced != 1 || a.tickets != 2 {
			t.Errorf("%d: %q, %v; forced %d, tickets %d", code, ticket, err, a.forced, a.tickets)
		}
		wantToken(t, mp, "token2")
	}
	cache := &memoryCache{tokens: map[string]MPToken{testApp + "/stable_token": {Value: "old", Until: time.Now().Add(time.Hour)}}}
	a := &account{refuse: map[string]int{"old": 40001}}
	if _, err := accountMP(t, a, cache).Ticket(t.Context()); err != nil || a.forced != 0 || a.asked != 1 {
		t.Errorf("an old one in the cache: %v; asked %d, forced %d", err, a.asked, a.forced)
	}
	a = &account{refuse: map[string]int{"token1": 40001, "token2": 40001}}
	if _, err := accountMP(t, a, nil).Ticket(t.Context()); !errors.Is(err, ErrToken) || a.tickets != 2 {
		t.Errorf("refused for ever: %v after %d tries", err, a.tickets)
	}
	a = &account{refuse: map[string]int{"token1": 48001}}
	_, err := accountMP(t, a, nil).Ticket(t.Context())
	if e, ok := errors.AsType[*MPError](err); !ok || e.Code != 48001 || a.tickets != 1 || strings.Contains(err.Error(), "token1") {
		t.Errorf("no right: %v after %d tries", err, a.tickets)
	}
}

func TestTokenErrors(t *testing.T) {
	for answer, unknown := range map[string]bool{
		`{"errcode":40125,"errmsg":"invalid appsecret"}`:            false,
		`{"errcode":40164,"errmsg":"invalid ip 1.2.3.4"}`:           false,
		`{"errcode":-1,"errmsg":"system error"}`:                    true,
		`{"expires_in":7200}`:                                       true,
		`{"access_token":"x"}`:                                      true,
		`<html>`:                                                    true,
		`{"errcode":50001,"errmsg":"no ` + testSecret + ` thanks"}`: false,
	} {
		a := &account{say: func(string) string { return answer }}
		if _, err := accountMP(t, a, nil).StableToken(t.Context()); err == nil || IsUnknown(err) != unknown || hasSecret(err) {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

// Vectors A and B are the documentation's.
func TestJSSDKSignature(t *testing.T) {
	for _, tt := range []struct {
		nonce string
		at    int64
		url   string
		want  string
	}{
		{"Wm3WZYTPz0wzccnW", 1414587457, "http://mp.weixin.qq.com?params=value", "0f9de62fce790f9a083d5c99e95740ceb90c27ed"},
		{"Wm3WZYTPz0wzccnW", 1414587457, "http://mp.weixin.qq.com", "f4d90daf4b3bca3078ab155816175ba34c443a7b"},
		{"N0nce16Chars0001", 1767225600, "https://shop.example.com/orders/20260101000001?from=singlemessage&isappinstalled=0", "8dbab49cd63f5facb885b9a808759183c930848b"},
	} {
		if got := jssdkSignature(vectorTicket, tt.nonce, tt.at, tt.url); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.url, got, tt.want)
		}
	}
	a := &account{}
	mp := accountMP(t, a, nil)
	for range 2 {
		c, err := mp.JSSDKSignature(t.Context(), "https://shop.example.com/p/1?a=1#top")
		if err != nil || c.AppID != testApp || len(c.NonceStr) < 16 || time.Since(time.Unix(c.Timestamp, 0)) > time.Minute ||
			c.Signature != jssdkSignature(vectorTicket, c.NonceStr, c.Timestamp, "https://shop.example.com/p/1?a=1") {
			t.Errorf("%+v, %v", c, err)
		}
	}
	if a.tickets != 1 {
		t.Errorf("asked for %d tickets", a.tickets)
	}
	if _, err := mp.JSSDKSignature(t.Context(), "/p/1"); err == nil {
		t.Error("signed half a URL")
	}
	a.say = func(string) string { return `{"errcode":48001}` }
	if _, err := accountMP(t, a, nil).JSSDKSignature(t.Context(), "https://x"); err == nil {
		t.Error("signed without a ticket")
	}
}

func TestCode2Session(t *testing.T) {
	mp := newTestMP(t, func(w http.ResponseWriter, r *http.Request) {
		want := "/sns/jscode2session?appid=" + testApp + "&secret=" + testSecret + "&js_code=" + testCode + "&grant_type=authorization_code"
		if r.Method != http.MethodGet || r.RequestURI != want {
			t.Errorf("%s %s, want GET %s", r.Method, r.RequestURI, want)
		}
		says(`{"openid":"oMini","session_key":"c2Vzc2lvbl9rZXlfMTIzNA==","unionid":"oUnion","errcode":0,"errmsg":"ok"}`)(w, r)
	})
	u, err := mp.Code2Session(t.Context(), testCode)
	if want := (MPUser{OpenID: "oMini", UnionID: "oUnion"}); err != nil || u != want {
		t.Errorf("Code2Session = %+v, %v", u, err)
	}
	for code, is := range map[int]error{40029: ErrCodeInvalid, 40163: ErrCodeUsed, 40226: ErrBlocked, 41008: ErrCodeInvalid, 40013: nil, 40125: nil, 45011: nil, -1: nil} {
		_, err := newTestMP(t, says(fmt.Sprintf(`{"errcode":%d,"errmsg":"no %s %s"}`, code, testCode, testSecret))).Code2Session(t.Context(), testCode)
		e, ok := errors.AsType[*MPError](err)
		if !ok || e.Code != code || is != nil && !errors.Is(err, is) || IsUnknown(err) != (code == -1) || hasSecret(err) {
			t.Errorf("%d: %v", code, err)
		}
	}
	for _, answer := range []string{"{}", "<html>", ""} {
		if _, err := newTestMP(t, says(answer)).Code2Session(t.Context(), testCode); !IsUnknown(err) || hasSecret(err) {
			t.Errorf("%s: %v", answer, err)
		}
	}
	if _, err := newTestMP(t, says("{}")).Code2Session(t.Context(), ""); !errors.Is(err, ErrCodeInvalid) {
		t.Errorf("nothing: %v", err)
	}
}
