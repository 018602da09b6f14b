package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// cgi makes a call of the account's own API with a good token.
func (w *world) cgi(method, path, body string) map[string]any {
	w.t.Helper()
	var tok struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(w.stableToken("127.0.0.1:1")), &tok); err != nil || tok.AccessToken == "" {
		w.t.Fatalf("no token: %v", err)
	}
	mark := "?"
	if strings.Contains(path, "?") {
		mark = "&"
	}
	return w.raw(method, path+mark+"access_token="+tok.AccessToken, body)
}

func (w *world) raw(method, target, body string) map[string]any {
	w.t.Helper()
	rec := w.do(method, target, body)
	var out map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil || rec.Code != 200 {
		w.t.Fatalf("%s: %d %v %s", target, rec.Code, err, rec.Body)
	}
	return out
}

// The two kinds of account token live side by side.
func TestAccountTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		plain := func() string {
			return w.raw("GET", "/cgi-bin/token?grant_type=client_credential&appid="+w.id.AppID+"&secret="+w.id.AppSecret, "")["access_token"].(string)
		}
		works := func(token string) any {
			return w.raw("GET", "/cgi-bin/ticket/getticket?type=jsapi&access_token="+token, "")["errcode"]
		}
		first, stable := plain(), w.cgiTokenOf(false)
		second := plain()
		if first == second || works(first) != 0.0 || works(second) != 0.0 || works(stable) != 0.0 || w.cgiTokenOf(false) != stable {
			t.Error("tokens that should live do not")
		}
		time.Sleep(5*time.Minute + time.Second)
		if works(first) != 42001.0 || works(second) != 0.0 {
			t.Error("the token before the last lives longer than five minutes")
		}
		time.Sleep(110*time.Minute + 30*time.Second) // less than five minutes left
		next := w.cgiTokenOf(false)
		if next == stable || works(stable) != 0.0 || works(next) != 0.0 {
			t.Error("renewal: old and new must both hold")
		}
		if forced := w.cgiTokenOf(true); works(next) != 40001.0 || works(forced) != 0.0 {
			t.Error("force_refresh must end the old one at once")
		}
		if works("") != 41001.0 || works("x") != 40001.0 {
			t.Error("bad tokens")
		}
	})
}

func (w *world) cgiTokenOf(force bool) string {
	w.t.Helper()
	in, err := json.Marshal(map[string]any{"grant_type": "client_credential", "appid": w.id.AppID, "secret": w.id.AppSecret, "force_refresh": force})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.raw("POST", "/cgi-bin/stable_token", string(in))["access_token"].(string)
}

func TestTicket(t *testing.T) {
	w := newWorld(t, Options{})
	a, b := w.cgi("GET", "/cgi-bin/ticket/getticket?type=jsapi", ""), w.cgi("GET", "/cgi-bin/ticket/getticket?type=jsapi", "")
	if len(a["ticket"].(string)) != 86 || a["ticket"] != b["ticket"] || a["errcode"] != 0.0 || a["expires_in"].(float64) < 300 {
		t.Errorf("%v %v", a, b)
	}
	if got := w.cgi("GET", "/cgi-bin/ticket/getticket?type=wx_card", ""); got["errcode"] == 0.0 {
		t.Error("another type is given a ticket")
	}
	if got := w.cgi("GET", "/cgi-bin/get_api_domain_ip", ""); got["ip_list"] == nil {
		t.Errorf("%v", got)
	}
}

// The login of the mini program: a js_code is made by the control API.
func TestMiniLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		user := w.sim.people()[1]
		code := func(openID string) string {
			var c struct{ Code string }
			w.api("POST", "users/"+openID+"/jscode", "", 200, &c)
			return c.Code
		}
		login := func(appID, secret, code string) map[string]any {
			return w.raw("GET", "/sns/jscode2session?appid="+appID+"&secret="+secret+"&js_code="+code+"&grant_type=authorization_code", "")
		}
		id := w.id
		c := code(user.OpenID)
		got := login(id.MiniAppID, id.MiniAppSecret, c)
		if got["openid"] != user.MiniOpenID || got["unionid"] != user.UnionID || len(got["session_key"].(string)) != 24 {
			t.Errorf("got %v", got)
		}
		late := code(user.MiniOpenID)
		tests := []struct {
			name, appID, secret, code string
			want                      float64
		}{
			{"used", id.MiniAppID, id.MiniAppSecret, c, 40163}, {"unknown", id.MiniAppID, id.MiniAppSecret, "x", 40029},
			{"official account", id.AppID, id.AppSecret, late, 40013}, {"secret", id.MiniAppID, id.AppSecret, late, 40125},
			{"no code", id.MiniAppID, id.MiniAppSecret, "", 41008}, {"no appid", "", id.MiniAppSecret, late, 41002}, {"no secret", id.MiniAppID, "", late, 41004},
		}
		for _, tt := range tests {
			if got := login(tt.appID, tt.secret, tt.code); got["errcode"] != tt.want {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			}
		}
		if got := w.sns("/sns/oauth2/access_token?appid=" + id.MiniAppID + "&secret=" + id.MiniAppSecret + "&grant_type=authorization_code&code=" + late); got.Code != 40029 {
			t.Errorf("a js_code is taken for web OAuth: %+v", got)
		}
		time.Sleep(codeLife + time.Second)
		if got := login(id.MiniAppID, id.MiniAppSecret, late); got["errcode"] != 40029.0 {
			t.Errorf("late: %v", got)
		}
		w.api("POST", "users/nobody/jscode", "", 404, nil)
	})
}

func TestMenu(t *testing.T) {
	o := Options{Data: t.TempDir()}
	w := newWorld(t, o)
	if got := w.cgi("GET", "/cgi-bin/menu/get", ""); got["errcode"] != 46003.0 {
		t.Errorf("%v", got)
	}
	long := strings.Repeat("长", 6)
	for body, want := range map[string]float64{
		`{"button":[]}`: 40016, `{"menu":{"button":[]}}`: 40016, `[`: 47001,
		`{"button":[{"type":"view","name":"` + long + `","url":"https://a.example/"}]}`:                                                              40018,
		`{"button":[{"type":"jump","name":"商城"}]}`:                                                                                                   40017,
		`{"button":[{"type":"click","name":"客服"}]}`:                                                                                                  40019,
		`{"button":[{"type":"view","name":"商城","url":"a.example"}]}`:                                                                                 40020,
		`{"button":[{"name":"更多","sub_button":[{"type":"view","name":"","url":"https://a.example/"}]}]}`:                                             40025,
		`{"button":[{"type":"view","name":"商城","url":"https://a.example/"},{"name":"更多","sub_button":[{"type":"click","name":"联系客服","key":"KF"}]}]}`: 0,
	} {
		if got := w.cgi("POST", "/cgi-bin/menu/create", body); got["errcode"] != want {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
	if got := w.cgi("GET", "/cgi-bin/menu/create", ""); got["errcode"] != 43002.0 {
		t.Errorf("GET: %v", got)
	}
	w = w.reopen(o)
	if got := w.cgi("GET", "/cgi-bin/menu/get", ""); got["menu"] == nil {
		t.Errorf("after a restart: %v", got)
	}
	if got := w.cgi("GET", "/cgi-bin/get_current_selfmenu_info", ""); got["is_menu_open"] != 1.0 {
		t.Errorf("%v", got)
	}
	w.cgi("GET", "/cgi-bin/menu/delete", "")
	if got := w.cgi("GET", "/cgi-bin/menu/get", ""); got["errcode"] != 46003.0 {
		t.Errorf("deleted: %v", got)
	}
}

func TestTemplateMessage(t *testing.T) {
	w := newWorld(t, Options{})
	send := func(openID, template, value string) map[string]any {
		in, err := json.Marshal(map[string]any{"touser": openID, "template_id": template, "data": map[string]any{"thing3": map[string]string{"value": value}}})
		if err != nil {
			t.Fatal(err)
		}
		return w.cgi("POST", "/cgi-bin/message/template/send", string(in))
	}
	if got := send(w.openID(1), "T1", "明前龙井"); got["errcode"] != 0.0 || got["msgid"] == nil {
		t.Errorf("%v", got)
	}
	if page := w.do("GET", "/_sim/", "").Body.String(); !strings.Contains(page, "林晓溪收到模板消息") {
		t.Error("the timeline does not show it")
	}
	if got := send("nobody", "T1", "x"); got["errcode"] != 40003.0 {
		t.Errorf("%v", got)
	}
	if got := send(w.openID(1), "", "x"); got["errcode"] != 40037.0 {
		t.Errorf("%v", got)
	}
	if got := send(w.openID(1), "T1", strings.Repeat("长", 21)); got["errcode"] != 47003.0 || !strings.HasPrefix(got["errmsg"].(string), "argument invalid! data.thing3.value invalid") {
		t.Errorf("%v", got)
	}
}

// endpoint is a shop's message server, written after the document.
type endpoint struct {
	token, key string
	mode       string
	answer     string // plain reply; "" answers success
	status     int
	got        []map[string]string
	bad        []string
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("signature") != sha1Sorted(e.token, q.Get("timestamp"), q.Get("nonce")) {
		e.bad = append(e.bad, "signature")
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	if r.Method == http.MethodGet {
		io.WriteString(w, q.Get("echostr"))
		return
	}
	body, _ := io.ReadAll(r.Body)
	fields := softXML(string(body))
	if sealed := fields["Encrypt"]; sealed != "" {
		if q.Get("encrypt_type") != "aes" || q.Get("msg_signature") != sha1Sorted(e.token, q.Get("timestamp"), q.Get("nonce"), sealed) {
			e.bad = append(e.bad, "msg_signature")
		}
		plain, err := openMessage(e.key, appID1, sealed)
		if err != nil {
			e.bad = append(e.bad, err.Error())
		}
		if _, mixed := fields["FromUserName"]; mixed != (e.mode == "compat") {
			e.bad = append(e.bad, "plain fields beside Encrypt")
		}
		fields = softXML(string(plain))
	} else if e.mode != "plain" {
		e.bad = append(e.bad, "not encrypted")
	}
	if q.Get("openid") != fields["FromUserName"] {
		e.bad = append(e.bad, "openid")
	}
	e.got = append(e.got, fields)
	if e.status != 0 {
		w.WriteHeader(e.status)
		return
	}
	if e.answer == "" {
		io.WriteString(w, "success")
		return
	}
	reply := "<xml><ToUserName><![CDATA[" + fields["FromUserName"] + "]]></ToUserName><FromUserName><![CDATA[" + fields["ToUserName"] + "]]></FromUserName>" +
		"<CreateTime>1</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[" + e.answer + "]]></Content></xml>"
	if e.mode == "safe" {
		sealed, _ := sealMessage(e.key, appID1, []byte("0123456789abcdef"), []byte(reply))
		reply = "<xml><Encrypt><![CDATA[" + sealed + "]]></Encrypt><MsgSignature>" + sha1Sorted(e.token, "5", "n", sealed) + "</MsgSignature><TimeStamp>5</TimeStamp><Nonce>n</Nonce></xml>"
	}
	io.WriteString(w, reply)
}

func sha1Sorted(parts ...string) string {
	parts = slices.Clone(parts)
	return sorted1(parts...)
}

// Messages and events reach the shop's endpoint in every mode, and the answer
// is what the person sees.
func TestMessages(t *testing.T) {
	for _, mode := range []string{"plain", "compat", "safe"} {
		t.Run(mode, func(t *testing.T) {
			shop := &endpoint{mode: mode, answer: "欢迎"}
			o := Options{Transport: local{shop}, Data: t.TempDir()}
			w := newWorld(t, o)
			shop.token, shop.key = w.sim.MessageKeys()
			w.api("POST", "server/push", `{"type":"subscribe"}`, 409, nil) // nothing is set up
			w.api("PUT", "server", `{"url":"http://localhost:8080/wechat","mode":"`+mode+`"}`, 200, nil)
			w.sim.Close()
			w = newWorld(t, o) // the setting survives
			var got pushedJSON
			for _, push := range []string{
				`{"type":"text","content":"你好 <&>"}`, `{"type":"subscribe","key":"7","openid":"` + w.openID(2) + `"}`, `{"type":"click","key":"KF"}`, `{"type":"scan","key":"9"}`, `{"type":"unsubscribe"}`,
			} {
				w.api("POST", "server/push", push, 200, &got)
				if !got.OK || got.Reply != "欢迎" || got.Attempts != 1 {
					t.Errorf("%s: %+v", push, got)
				}
			}
			if len(shop.bad) != 0 || len(shop.got) != 5 {
				t.Fatalf("%d messages, wrong: %v", len(shop.got), shop.bad)
			}
			text, sub := shop.got[0], shop.got[1]
			if text["MsgType"] != "text" || text["Content"] != "你好 <&>" || text["MsgId"] == "" || text["FromUserName"] != w.openID(1) || !strings.HasPrefix(text["ToUserName"], "gh_") {
				t.Errorf("text %v", text)
			}
			if sub["Event"] != "subscribe" || sub["EventKey"] != "qrscene_7" || sub["Ticket"] == "" || sub["MsgId"] != "" || sub["FromUserName"] != w.openID(2) {
				t.Errorf("subscribe %v", sub)
			}
			if got := w.cgi("POST", "/cgi-bin/message/template/send", `{"touser":"`+w.openID(1)+`","template_id":"T"}`); got["errcode"] != 43004.0 {
				t.Errorf("who left is sent a message: %v", got)
			}
			sent := w.cgi("POST", "/cgi-bin/message/template/send", `{"touser":"`+w.openID(2)+`","template_id":"T"}`)
			w.sim.background.Wait()
			if last := shop.got[len(shop.got)-1]; last["Event"] != "TEMPLATESENDJOBFINISH" || last["Status"] != "success" || last["MsgID"] != fmt.Sprintf("%.0f", sent["msgid"]) || last["FromUserName"] != w.openID(2) {
				t.Errorf("told of the template message: %v, sent %v", last, sent)
			}
		})
	}
}

// An endpoint that fails is tried three times; then the person sees WeChat's
// own words.
func TestMessagesThreeTimes(t *testing.T) {
	shop := &endpoint{mode: "plain", status: 500}
	w := newWorld(t, Options{Transport: local{shop}})
	shop.token, shop.key = w.sim.MessageKeys()
	w.api("PUT", "server", `{"url":"http://localhost:8080/wechat"}`, 200, nil)
	var got pushedJSON
	w.api("POST", "server/push", `{"content":"在吗"}`, 200, &got)
	if got.OK || got.Attempts != 3 || got.Reply != busy || len(shop.got) != 3 {
		t.Errorf("%+v after %d", got, len(shop.got))
	}
	shop.status = 0
	for _, body := range []string{`{"type":"funny"}`, `{"type":"text"}`, `{"type":"click","content":"x"}`} {
		w.api("POST", "server/push", body, 400, nil)
	}
	w.api("POST", "server/push", `{"content":"x","openid":"nobody"}`, 404, nil)
}

// The setting is kept only if the endpoint proves that it knows the token.
func TestServerVerification(t *testing.T) {
	w := newWorld(t, Options{Transport: local{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("echostr") == "" || r.Header.Get("User-Agent") == "" {
			t.Error("no echostr")
		}
		io.WriteString(w, "<html>"+r.URL.Query().Get("echostr"))
	})}})
	var e errorJSON
	w.api("PUT", "server", `{"url":"http://localhost:8080/wechat"}`, 409, &e)
	if !strings.Contains(e.Error, "token验证失败") || w.sim.messageServer().URL != "" {
		t.Errorf("%s, kept %q", e.Error, w.sim.messageServer().URL)
	}
	for _, body := range []string{`{"token":"a_b"}`, `{"token":"ab"}`, `{"encoding_aes_key":"short"}`, `{"mode":"loud"}`, `{"url":"localhost"}`} {
		w.api("PUT", "server", body, 400, nil)
	}
	if token, key := w.sim.MessageKeys(); !tokenForm.MatchString(token) || !aesKeyForm.MatchString(key) {
		t.Errorf("keys %q %q", token, key)
	}
	public := newWorld(t, Options{Public: true, BaseURL: "http://demo.example"})
	if v := public.sim.serverView(); v.Token != "" || v.Key != "" {
		t.Error("a public demo shows the token")
	}
}

// Vectors of the document of encrypted messages and of the signature.
func TestMessageVectors(t *testing.T) {
	const key, appID = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "wx1234567890abcdef"
	for msg, want := range map[string]string{
		"<xml><a>ok</a></xml>":                   "Q3stYC6hdFzMh9T8HCvyDFwgZCKd+Xkwzpn6Rkt9x/jbvwCSg/xufA+q6vWf7RPI7ntjQM7d3YzTDlxZxP0azw==",
		"<x>" + strings.Repeat("y", 19) + "</x>": "Q3stYC6hdFzMh9T8HCvyDPovxrSV5LYGO+1cvJYjEpiXL/qBhmYRNemINTyJwa1Ie9n3SFzOYmUC3XF9xdXRaikqf+lL0FIU4s4BIHGha9X3lLpLEu+8LUDPdt8lWBdT",
	} {
		sealed, err := sealMessage(key, appID, []byte("0123456789abcdef"), []byte(msg))
		if err != nil || sealed != want {
			t.Errorf("%s: %v\n%s, want\n%s", msg, err, sealed, want)
		}
		back, err := openMessage(key, appID, sealed)
		if err != nil || string(back) != msg {
			t.Errorf("back: %q %v", back, err)
		}
		if _, err := openMessage(key, "wx0000000000000000", sealed); err == nil {
			t.Error("another appid is taken")
		}
	}
	if got := sorted1("AAAAA", "1714036504", "1514711492"); got != "f464b24fc39322e44b38aa78f5edd27bd1441696" {
		t.Errorf("signature %s", got)
	}
	if got := sorted1("demo_token_2026", "1767225600", "987654321", "Q3stYC6hdFzMh9T8HCvyDFwgZCKd+Xkwzpn6Rkt9x/jbvwCSg/xufA+q6vWf7RPI7ntjQM7d3YzTDlxZxP0azw=="); got != "ae702addc574f334180d539406cc439240b101e1" {
		t.Errorf("msg_signature %s", got)
	}
}

// What the shop encrypted is outside bytes.
func FuzzOpenMessage(f *testing.F) {
	const key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	good, err := sealMessage(key, appID1, []byte("0123456789abcdef"), []byte("<xml></xml>"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, sealed string) {
		if msg, err := openMessage(key, appID1, sealed); err == nil && len(msg) > len(sealed) {
			t.Errorf("%q gives %q", sealed, msg)
		}
	})
}
