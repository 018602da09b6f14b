package browser

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const goodParams = `{"appId":"wx1","timeStamp":"1700000000","nonceStr":"n","package":"prepay_id=wx1","signType":"MD5","paySign":"AB"}`

func TestEndpoints(t *testing.T) {
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"sheet", "POST", "prepare", `{"url":"http://127.0.0.1:8082/pay/1","params":` + goodParams + `}`, 200, `{"sheet":{"token":"t1","merchant":"云间茶铺",`},
		{"missing parameter", "POST", "prepare", `{"params":` + strings.Replace(goodParams, `"n"`, `""`, 1) + `}`, 200, `{"err_msg":"get_brand_wcpay_request:fail","err_desc":"调用支付JSAPI缺少参数：nonceStr"}`},
		{"number", "POST", "prepare", `{"params":` + strings.Replace(goodParams, `"1700000000"`, `1700000000`, 1) + `}`, 200, `{"err_msg":"get_brand_wcpay_request:fail","err_desc":"jsapi 缺少参数 key0"}`},
		{"wrong signature", "POST", "prepare", `{"params":` + strings.Replace(goodParams, "AB", "XX", 1) + `}`, 200, `{"err_msg":"get_brand_wcpay_request:fail","err_desc":"支付验证签名失败"}`},
		{"success", "POST", "act", `{"token":"t1","outcome":"success"}`, 200, `{"err_msg":"get_brand_wcpay_request:ok"}`},
		{"cancel", "POST", "act", `{"token":"t1","outcome":"cancel"}`, 200, `{"err_msg":"get_brand_wcpay_request:cancel"}`},
		{"refused", "POST", "act", `{"token":"t2","outcome":"success"}`, 200, `{"err_msg":"get_brand_wcpay_request:fail","err_desc":"订单已支付"}`},
		{"config", "POST", "verify", `{"url":"http://127.0.0.1:8082/pay/1","appId":"wx1","timestamp":"5","nonceStr":"n","signature":"good"}`, 200, `{"err_msg":"preVerifyJSAPI:ok"}`},
		{"bad config", "POST", "verify", `{"url":"http://127.0.0.1:8082/pay/1","appId":"wx1","timestamp":"5","nonceStr":"n","signature":"bad"}`, 200, `{"err_msg":"preVerifyJSAPI:invalid signature","err_desc":"why"}`},
		{"no config", "POST", "verify", `[`, 200, `{"err_msg":"preVerifyJSAPI:invalid signature"}`},
		{"unknown outcome", "POST", "act", `{"token":"t1","outcome":"win"}`, 400, ""},
		{"who", "GET", "me", "", 200, `{"me":{"id":"1","nickname":"林晓溪","balance":52000},"users":[`},
		{"become", "POST", "me", `{"user":"2"}`, 200, `{"me":{"id":"2",`},
		{"become nobody", "POST", "me", `{"user":"9"}`, 404, ""},
		{"script", "GET", "bridge.js", "", 200, "(function (config) {"},
		{"unknown path", "GET", "x", "", 404, ""},
		{"too long", "POST", "act", `{"token":"` + strings.Repeat("x", 70<<10) + `","outcome":"cancel"}`, 400, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := faceRequest(tc.method, ownPath+tc.path, tc.body, "Content-Type", "application/json", "Sec-Fetch-Site", "same-origin")
			w := answer(t, &fakeWeChat{}, r)
			if w.Code != tc.status || !strings.HasPrefix(w.Body.String(), tc.want) {
				t.Errorf("answer = %d %.200s, want %d %s", w.Code, w.Body, tc.status, tc.want)
			}
		})
	}
}

func answer(t *testing.T, wechat WeChat, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	h, err := New(Options{AppURL: "http://localhost:8080", FaceURL: "http://127.0.0.1:8082", GatewayURL: "http://localhost:8081", WeChat: wechat, Transport: refusing{}})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Another site can neither pay nor read: not by a form, not with a foreign
// Origin, not through a name that it points at us.
func TestEndpointsAreOurPagesOnly(t *testing.T) {
	for _, tc := range []struct {
		name, host string
		header     []string
		status     int
	}{
		{"own page", "", []string{"Content-Type", "application/json; charset=utf-8", "Sec-Fetch-Site", "same-origin"}, 200},
		{"other site", "", []string{"Content-Type", "application/json", "Sec-Fetch-Site", "cross-site"}, 403},
		{"the shop's own port", "", []string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-site"}, 403},
		{"foreign origin", "", []string{"Content-Type", "application/json", "Origin", "http://evil.example"}, 403},
		{"form", "", []string{"Content-Type", "text/plain", "Sec-Fetch-Site", "same-origin"}, 415},
		{"rebound name", "evil.example:8082", []string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin"}, 421},
		{"another address of ours", "192.168.1.9:8082", []string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin"}, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wechat := &fakeWeChat{}
			r := faceRequest("POST", ownPath+"act", `{"token":"t1","outcome":"success"}`, tc.header...)
			if tc.host != "" {
				r.Host = tc.host
			}
			w := answer(t, wechat, r)
			if w.Code != tc.status || (len(wechat.acts) == 1) != (tc.status == 200) {
				t.Errorf("answer = %d after %d acts, want %d", w.Code, len(wechat.acts), tc.status)
			}
		})
	}
}

func TestPhoneChangesHands(t *testing.T) {
	r := faceRequest("POST", ownPath+"me", `{"user":"2"}`, "Content-Type", "application/json", "Cookie", "sid=secret; wxsim_me=1")
	cookies := answer(t, &fakeWeChat{}, r).Result().Cookies()
	if len(cookies) != 2 || cookies[0].Name != "sid" || cookies[0].MaxAge >= 0 {
		t.Fatalf("cookies = %v, want the shop's sid gone and ours set", cookies)
	}
	me := cookies[1]
	if me.Name != "wxsim_me" || me.Value != "2" || !me.HttpOnly || me.SameSite != http.SameSiteLaxMode || me.Path != "/" {
		t.Errorf("cookie = %v, want wxsim_me=2, HttpOnly, Lax", me)
	}
}

// A cookie with somebody who is not there is user 1, and stays out of URLs.
func TestUnknownMe(t *testing.T) {
	res := behind(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://localhost:8081/connect/oauth2/authorize?appid=x", http.StatusFound)
	}, faceRequest("GET", "/", "", "Cookie", "wxsim_me=../9%26x"))
	if got, want := res.Header.Get("Location"), "http://localhost:8081/connect/oauth2/authorize?appid=x&wxsim_me=1"; got != want {
		t.Errorf("Location = %q, want %q", got, want)
	}
}

// brokenWeChat is a simulator in trouble.
type brokenWeChat struct{ fakeWeChat }

func (*brokenWeChat) Prepare(context.Context, PayRequest) (Sheet, error) {
	return Sheet{}, errors.New("journal: disk full at /secret/path")
}

func TestTroubleIsNotShown(t *testing.T) {
	w := answer(t, &brokenWeChat{}, faceRequest("POST", ownPath+"prepare", `{"params":`+goodParams+`}`, "Content-Type", "application/json"))
	if w.Code != 200 || strings.Contains(w.Body.String(), "secret") || !strings.Contains(w.Body.String(), "get_brand_wcpay_request:fail") {
		t.Errorf("answer = %d %s, want a plain fail", w.Code, w.Body)
	}
}
