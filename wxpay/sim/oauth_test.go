package sim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const inWeChat = "Mozilla/5.0 (iPhone) MicroMessenger/8.0.49(0x18003137) NetType/WIFI Language/zh_CN"

func authorizeURL(scope string, extra string) string {
	return "/connect/oauth2/authorize?appid=" + appID1 + "&redirect_uri=" + url.QueryEscape("http://localhost:8080/auth/wechat/callback?x=1") +
		"&response_type=code&scope=" + scope + "&state=ab12" + extra
}

// sentBack follows the redirect of authorize and returns where it leads.
func sentBack(t *testing.T, w *world, target string) *url.URL {
	t.Helper()
	rec := w.do("GET", target, "", "User-Agent", inWeChat)
	if rec.Code != http.StatusFound {
		t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	u, err := url.Parse(rec.Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestSilentSignIn(t *testing.T) {
	tests := []struct {
		name, extra string
		host        string
		user        int
	}{
		{"WeChat's User-Agent, no mark", "", "localhost:8080", 1},
		{"marked: user 2 in the face", "&wxsim_me=2&wxsim_face=" + url.QueryEscape("http://127.0.0.1:8082"), "127.0.0.1:8082", 2},
		{"marked without face", "&wxsim_me=3", "localhost:8080", 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			u := sentBack(t, w, authorizeURL("snsapi_base", tt.extra))
			if u.Host != tt.host || u.Path != "/auth/wechat/callback" || u.Query().Get("x") != "1" || u.Query().Get("state") != "ab12" {
				t.Fatalf("sent back to %s", u)
			}
			code := u.Query().Get("code")
			if !regexp.MustCompile(`^0[0-9A-Za-z]{31}$`).MatchString(code) {
				t.Errorf("code %q", code)
			}
			got := w.exchange(code)
			if got.OpenID != w.openID(tt.user) || got.Scope != "snsapi_base" || got.UnionID != "" || got.ExpiresIn != 7200 {
				t.Errorf("got %+v", got)
			}
			if info := w.sns("/sns/userinfo?access_token=" + got.AccessToken + "&openid=" + got.OpenID); info.Code != 48001 {
				t.Errorf("userinfo with snsapi_base: %+v", info)
			}
		})
	}
}

type snsReply struct {
	AccessToken  string `json:"access_token"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	OpenID       string `json:"openid"`
	Scope        string `json:"scope"`
	UnionID      string `json:"unionid"`
	Nickname     string `json:"nickname"`
	HeadImgURL   string `json:"headimgurl"`
	Code         int    `json:"errcode"`
	Msg          string `json:"errmsg"`
}

func (w *world) sns(target string) (out snsReply) {
	w.t.Helper()
	rec := w.do("GET", target, "")
	if rec.Code != 200 || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/plain") {
		w.t.Fatalf("%s: status %d, %s", target, rec.Code, rec.Header().Get("Content-Type"))
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
		w.t.Fatalf("%s: %v", target, err)
	}
	return out
}

func (w *world) exchangeURL(code string) string {
	return "/sns/oauth2/access_token?appid=" + w.id.AppID + "&secret=" + w.id.AppSecret + "&code=" + code + "&grant_type=authorization_code"
}

func (w *world) exchange(code string) snsReply {
	w.t.Helper()
	got := w.sns(w.exchangeURL(code))
	if got.Code != 0 {
		w.t.Fatalf("exchange: %+v", got)
	}
	return got
}

func TestAuthorizeErrors(t *testing.T) {
	w := newWorld(t, Options{})
	q := func(appid, redirect, typ, scope, state string) string {
		return "/connect/oauth2/authorize?appid=" + appid + "&redirect_uri=" + url.QueryEscape(redirect) + "&response_type=" + typ + "&scope=" + scope + "&state=" + state
	}
	back := "http://localhost:8080/cb"
	wrongOrder := "/connect/oauth2/authorize?scope=snsapi_userinfo&appid=" + appID1 + "&redirect_uri=" + url.QueryEscape(back) + "&response_type=code&state=a"
	tests := []struct {
		name, target, agent, code, text string
	}{
		{"not WeChat", authorizeURL("snsapi_base", ""), "Mozilla/5.0 Firefox/140", "", "请在微信客户端打开链接"},
		{"no appid", q("", back, "code", "snsapi_base", "a"), inWeChat, "10012", "appid不能为空"},
		{"no redirect_uri", q(appID1, "", "code", "snsapi_base", "a"), inWeChat, "10011", "redirect_uri不能为空"},
		{"no scope", q(appID1, back, "code", "", "a"), inWeChat, "10010", "scope不能为空"},
		{"no state", q(appID1, back, "code", "snsapi_base", ""), inWeChat, "10013", "state不能为空"},
		{"mini program", q(miniAppID1, back, "code", "snsapi_base", "a"), inWeChat, "10005", "此公众号并没有这些scope的权限"},
		{"unknown appid", q("wx8888888888888888", back, "code", "snsapi_base", "a"), inWeChat, "10016", "不支持微信开放平台的Appid，请使用公众号Appid"},
		{"unknown scope", q(appID1, back, "code", "snsapi_login", "a"), inWeChat, "", "Scope 参数错误或没有 Scope 权限"},
		{"order of parameters", wrongOrder, inWeChat, "", "Scope 参数错误或没有 Scope 权限"},
		{"response_type", q(appID1, back, "token", "snsapi_base", "a"), inWeChat, "", "response_type 参数错误"},
		{"long state", q(appID1, back, "code", "snsapi_base", strings.Repeat("a", 129)), inWeChat, "", "state 参数错误"},
		{"base64 state", q(appID1, back, "code", "snsapi_base", "a%2Bb%3D"), inWeChat, "", "state 参数错误"},
		{"relative redirect_uri", q(appID1, "/cb", "code", "snsapi_base", "a"), inWeChat, "", "redirect_uri 参数错误"},
		{"javascript redirect_uri", q(appID1, "javascript:alert(1)", "code", "snsapi_base", "a"), inWeChat, "", "redirect_uri 参数错误"},
		{"foreign face", authorizeURL("snsapi_base", "&wxsim_me=1&wxsim_face=http%3A%2F%2Fevil.example"), inWeChat, "", "redirect_uri 参数错误"},
		{"user who is gone", authorizeURL("snsapi_base", "&wxsim_me=99"), inWeChat, "", "系统错误"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rec := w.do("GET", tt.target, "", "User-Agent", tt.agent)
			body := rec.Body.String()
			if rec.Code != 200 || !strings.Contains(body, tt.text) || tt.code != "" && !strings.Contains(body, tt.code) || rec.Header().Get("Location") != "" {
				t.Errorf("status %d, want the page of %s %s; got %s", rec.Code, tt.code, tt.text, body)
			}
		})
	}
	// With snsapi_base another order passes.
	other := "/connect/oauth2/authorize?scope=snsapi_base&appid=" + appID1 + "&redirect_uri=" + url.QueryEscape(back) + "&response_type=code&state=a"
	sentBack(t, w, other)
}

func TestConsent(t *testing.T) {
	w := newWorld(t, Options{})
	ask := func() string {
		t.Helper()
		rec := w.do("GET", authorizeURL("snsapi_userinfo", "&wxsim_me=2&wxsim_face=http%3A%2F%2F127.0.0.1%3A8082"), "")
		m := regexp.MustCompile(`name="ticket" value="([^"]+)"`).FindStringSubmatch(rec.Body.String())
		if rec.Code != 200 || m == nil {
			t.Fatalf("status %d, no ticket in %s", rec.Code, rec.Body)
		}
		return m[1]
	}
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	ticket := ask()
	rec := w.do("POST", consentPath, "ticket="+ticket+"&op=deny", form...)
	if rec.Code != 200 || rec.Header().Get("Location") != "" {
		t.Errorf("refusal: status %d, Location %q; the page stays", rec.Code, rec.Header().Get("Location"))
	}
	rec = w.do("POST", consentPath, "ticket="+ticket+"&op=allow&u=2", append(form, "Sec-Fetch-Site", "cross-site")...)
	if rec.Code != http.StatusForbidden {
		t.Errorf("a foreign page answered the consent: %d", rec.Code)
	}
	rec = w.do("POST", consentPath, "ticket="+ticket+"&op=allow&u=2", form...)
	u, err := url.Parse(rec.Header().Get("Location"))
	if err != nil || rec.Code != http.StatusFound || u.Host != "127.0.0.1:8082" {
		t.Fatalf("allowed: status %d to %s", rec.Code, u)
	}
	got := w.exchange(u.Query().Get("code"))
	if got.OpenID != w.openID(2) || got.UnionID == "" || got.Scope != "snsapi_userinfo" {
		t.Errorf("got %+v", got)
	}
	info := w.sns("/sns/userinfo?access_token=" + got.AccessToken + "&openid=" + got.OpenID + "&lang=zh_CN")
	if info.Nickname != "陈默" || info.UnionID != got.UnionID || info.HeadImgURL == "" {
		t.Errorf("userinfo %+v", info)
	}
	avatar, err := url.Parse(info.HeadImgURL)
	if err != nil || w.do("GET", avatar.Path, "").Code != 200 {
		t.Errorf("no picture at %s", info.HeadImgURL)
	}
	rec = w.do("POST", consentPath, "ticket="+ticket+"&op=allow&u=2", form...)
	if rec.Header().Get("Location") != "" {
		t.Error("a ticket was used twice")
	}
}

// The checks of access_token, in their order.
func TestAccessTokenErrors(t *testing.T) {
	w := newWorld(t, Options{})
	q := "/sns/oauth2/access_token?"
	tests := []struct {
		query string
		code  int
	}{
		{"", 41002},
		{"appid=x", 41004},
		{"appid=x&secret=y", 41008},
		{"appid=x&secret=y&code=z", 40002},
		{"appid=x&secret=y&code=z&grant_type=authorization_code", 40013},
		{"appid=" + w.id.AppID + "&secret=y&code=z&grant_type=authorization_code", 40125},
		{"appid=" + w.id.AppID + "&secret=" + w.id.AppSecret + "&code=z&grant_type=authorization_code", 40029},
	}
	for _, tt := range tests {
		if got := w.sns(q + tt.query); got.Code != tt.code || !strings.Contains(got.Msg, "rid: ") {
			t.Errorf("%q: %+v, want %d", tt.query, got, tt.code)
		}
	}
	code := sentBack(t, w, authorizeURL("snsapi_base", "")).Query().Get("code")
	mini := "appid=" + w.id.MiniAppID + "&secret=" + w.id.MiniAppSecret + "&code=" + code + "&grant_type=authorization_code"
	if got := w.sns(q + mini); got.Code != 40029 {
		t.Errorf("code of another appid: %+v", got)
	}
}

func TestCodeLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		fresh := func() string { return sentBack(t, w, authorizeURL("snsapi_base", "")).Query().Get("code") }
		code := fresh()
		w.exchange(code)
		if got := w.sns(w.exchangeURL(code)); got.Code != 40163 {
			t.Errorf("second exchange: %+v", got)
		}
		time.Sleep(5*time.Minute + time.Second)
		if got := w.sns(w.exchangeURL(code)); got.Code != 40029 {
			t.Errorf("second exchange, later: %+v", got)
		}
		late := fresh()
		time.Sleep(5*time.Minute + time.Second)
		if got := w.sns(w.exchangeURL(late)); got.Code != 40029 {
			t.Errorf("late exchange: %+v", got)
		}
	})
}

func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		got := w.exchange(sentBack(t, w, authorizeURL("snsapi_base", "")).Query().Get("code"))
		auth := func(access, openID string) int {
			return w.sns("/sns/auth?access_token=" + access + "&openid=" + openID).Code
		}
		for _, tt := range []struct {
			access, openID string
			want           int
		}{
			{got.AccessToken, got.OpenID, 0}, {got.AccessToken, "other", 40003}, {"other", got.OpenID, 40001}, {"", "x", 41001}, {"x", "", 41009},
		} {
			if code := auth(tt.access, tt.openID); code != tt.want {
				t.Errorf("auth(%q, %q) = %d, want %d", tt.access, tt.openID, code, tt.want)
			}
		}
		time.Sleep(2*time.Hour + time.Second)
		if code := auth(got.AccessToken, got.OpenID); code != 42001 {
			t.Errorf("after two hours: %d", code)
		}
		again := w.sns("/sns/oauth2/refresh_token?appid=" + w.id.AppID + "&grant_type=refresh_token&refresh_token=" + got.RefreshToken)
		if again.Code != 0 || auth(again.AccessToken, got.OpenID) != 0 {
			t.Errorf("refresh: %+v", again)
		}
		if bad := w.sns("/sns/oauth2/refresh_token?appid=" + w.id.AppID + "&grant_type=refresh_token&refresh_token=x"); bad.Code != 40030 {
			t.Errorf("wrong refresh token: %+v", bad)
		}
	})
}

func TestStableToken(t *testing.T) {
	w := newWorld(t, Options{})
	get := func(force string) (out snsReply) {
		t.Helper()
		rec := w.do("POST", "/cgi-bin/stable_token", `{"grant_type":"client_credential","appid":"`+w.id.AppID+`","secret":"`+w.id.AppSecret+`","force_refresh":`+force+`}`)
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil || out.Code != 0 {
			t.Fatalf("%v %s", err, rec.Body)
		}
		return out
	}
	first := get("false").AccessToken
	if get("false").AccessToken != first || get("true").AccessToken == first {
		t.Error("a stable token must stay, and change when forced")
	}
	if rec := w.do("GET", "/cgi-bin/stable_token", ""); !strings.Contains(rec.Body.String(), "43002") {
		t.Errorf("GET: %s", rec.Body)
	}
}
