package wxpay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const (
	testSecret = "5ec3e700000000000000000000005ec3"
	testCode   = "0c0deC0deC0deC0deC0deC0deC0deC0d"
)

func newTestMP(t *testing.T, answer http.HandlerFunc) *MP {
	t.Helper()
	s := httptest.NewUnstartedServer(answer)
	s.Config.ErrorLog = quiet()
	s.Start()
	t.Cleanup(s.Close)
	mp, err := NewMP(MPConfig{AppID: testApp, AppSecret: testSecret, APIBase: s.URL, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return mp
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, body)
	}
}

func TestAuthorizeURL(t *testing.T) {
	mp, err := NewMP(MPConfig{AppID: testApp, AppSecret: testSecret})
	if err != nil {
		t.Fatal(err)
	}
	got := mp.AuthorizeURL("https://shop.example.com/auth/wechat/callback?a=1&b=茶", ScopeBase, "0123abcd")
	want := "https://open.weixin.qq.com/connect/oauth2/authorize?appid=" + testApp +
		"&redirect_uri=https%3A%2F%2Fshop.example.com%2Fauth%2Fwechat%2Fcallback%3Fa%3D1%26b%3D%E8%8C%B6" +
		"&response_type=code&scope=snsapi_base&state=0123abcd#wechat_redirect"
	if got != want {
		t.Errorf("AuthorizeURL\n got %s\nwant %s", got, want)
	}
}

func TestExchange(t *testing.T) {
	mp := newTestMP(t, func(w http.ResponseWriter, r *http.Request) {
		want := "/sns/oauth2/access_token?appid=" + testApp + "&secret=" + testSecret + "&code=" + testCode + "&grant_type=authorization_code"
		if r.Method != http.MethodGet || r.RequestURI != want {
			t.Errorf("%s %s, want GET %s", r.Method, r.RequestURI, want)
		}
		says(`{"access_token":"63_AAA","expires_in":7200,"refresh_token":"63_BBB","openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o","scope":"snsapi_base","is_snapshotuser":1,"unionid":"oUnion"}`)(w, r)
	})
	u, err := mp.Exchange(t.Context(), testCode)
	want := MPUser{OpenID: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", UnionID: "oUnion", Scope: "snsapi_base", Snapshot: true, AccessToken: "63_AAA"}
	if err != nil || u != want {
		t.Errorf("Exchange = %+v, %v", u, err)
	}
}

func TestExchangeRefused(t *testing.T) {
	tests := []struct {
		code    int
		is      error
		unknown bool
	}{
		{40163, ErrCodeUsed, false}, {40029, ErrCodeInvalid, false}, {41008, ErrCodeInvalid, false}, {42003, ErrCodeInvalid, false},
		{40013, nil, false}, {40125, nil, false}, {45011, nil, false}, {48001, nil, false}, {-1, nil, true}, {99999, nil, false},
	}
	for _, tt := range tests {
		// WeChat would not repeat the secret, but an error must not either if it did.
		mp := newTestMP(t, says(fmt.Sprintf(`{"errcode":%d,"errmsg":"no %s %s, rid: 1"}`, tt.code, testCode, testSecret)))
		_, err := mp.Exchange(t.Context(), testCode)
		e, ok := errors.AsType[*MPError](err)
		if !ok || e.Code != tt.code || IsUnknown(err) != tt.unknown || hasSecret(err) {
			t.Errorf("%d: %v", tt.code, err)
		}
		for _, s := range []error{ErrCodeUsed, ErrCodeInvalid} {
			if errors.Is(err, s) != (s == tt.is) {
				t.Errorf("%d: errors.Is(%v) = %t", tt.code, s, s != tt.is)
			}
		}
	}
}

func hasSecret(err error) bool {
	text := fmt.Sprintf("%v %+v %#v", err, err, err)
	return strings.Contains(text, testSecret) || strings.Contains(text, testCode)
}

func TestExchangeSaysNothing(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"HTML":   says("<html>"),
		"empty":  says(""),
		"nobody": says(`{"access_token":"x"}`),
		"cut":    says(`{"openid":"o`),
		"500":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/"+r.URL.RawQuery, http.StatusFound)
		},
		"reset":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"timeout": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"endless": says(strings.Repeat(" ", maxMPAnswer+1) + `{"openid":"o"}`),
	} {
		mp := newTestMP(t, answer)
		if name == "timeout" {
			mp.cfg.Timeout = 100 * time.Millisecond
		}
		_, err := mp.Exchange(t.Context(), testCode)
		if !IsUnknown(err) || hasSecret(err) {
			t.Errorf("%s: %v, want unknown and no secret", name, err)
		}
	}
	mp := newTestMP(t, says("{}"))
	mp.cfg.APIBase = "http://127.0.0.1:1"
	if _, err := mp.Exchange(t.Context(), testCode); !IsUnknown(err) || hasSecret(err) {
		t.Errorf("nobody listens: %v", err)
	}
	mp.cfg.APIBase = "http://[bad"
	if _, err := mp.Exchange(t.Context(), testCode); err == nil || hasSecret(err) {
		t.Errorf("no address: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newTestMP(t, says("{}")).Exchange(ctx, testCode); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestExchangeNothing(t *testing.T) {
	mp, err := NewMP(MPConfig{AppID: testApp, AppSecret: testSecret, Transport: noNetwork{t}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mp.Exchange(t.Context(), ""); !errors.Is(err, ErrCodeInvalid) {
		t.Errorf("Exchange of nothing = %v", err)
	}
}

func TestUserInfo(t *testing.T) {
	mp := newTestMP(t, func(w http.ResponseWriter, r *http.Request) {
		if want := "/sns/userinfo?access_token=63_A%2BA&openid=oUser&lang=zh_CN"; r.RequestURI != want {
			t.Errorf("asked %s, want %s", r.RequestURI, want)
		}
		says(`{"openid":"oUser","nickname":"微信用户","sex":0,"headimgurl":"https://x/132","privilege":[]}`)(w, r)
	})
	p, err := mp.UserInfo(t.Context(), "63_A+A", "oUser")
	if want := (MPProfile{OpenID: "oUser", Nickname: "微信用户", AvatarURL: "https://x/132"}); err != nil || p != want {
		t.Errorf("UserInfo = %+v, %v", p, err)
	}
	if _, err := newTestMP(t, says(`{"openid":"oOther"}`)).UserInfo(t.Context(), "a", "oUser"); !IsUnknown(err) {
		t.Errorf("about somebody else: %v", err)
	}
	if _, err := newTestMP(t, says(`{"errcode":48001,"errmsg":"api unauthorized"}`)).UserInfo(t.Context(), "a", "oUser"); err == nil || IsUnknown(err) {
		t.Errorf("unauthorized: %v", err)
	}
}
