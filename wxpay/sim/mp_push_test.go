package sim

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// What counts as an answer of the shop's endpoint, and what the person sees.
func TestChatReplies(t *testing.T) {
	w := newWorld(t, Options{})
	token, key := w.sim.MessageKeys()
	seal := func(doc, withToken, withKey string) string {
		sealed, err := sealMessage(withKey, appID1, []byte("0123456789abcdef"), []byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		return "<xml><Encrypt>" + sealed + "</Encrypt><MsgSignature>" + sorted1(withToken, "5", "n", sealed) + "</MsgSignature><TimeStamp>5</TimeStamp><Nonce>n</Nonce></xml>"
	}
	const text = "<xml><MsgType>text</MsgType><Content>好</Content></xml>"
	tests := []struct {
		name, mode string
		status     int
		body       string
		ok         bool
		reply      string
	}{
		{"nothing", "plain", 200, "", true, ""}, {"success", "plain", 200, "success", true, ""}, {"text", "plain", 200, text, true, "好"},
		{"news", "plain", 200, "<xml><MsgType><![CDATA[news]]></MsgType><ArticleCount>1</ArticleCount><Articles><item><Title>x</Title></item></Articles></xml>", true, "[news]"},
		{"empty text", "plain", 200, "<xml><MsgType>text</MsgType><Content></Content></xml>", false, ""},
		{"words", "plain", 200, "ok", false, ""}, {"page", "plain", 200, "<html></html>", false, ""}, {"500", "plain", 500, "success", false, ""},
		{"no type", "plain", 200, "<xml><Content>x</Content></xml>", false, ""},
		{"plain in safe mode", "safe", 200, text, false, ""}, {"sealed", "safe", 200, seal(text, token, key), true, "好"},
		{"sealed, wrong signature", "safe", 200, seal(text, "other", key), false, ""},
		{"sealed, wrong key", "safe", 200, seal(text, token, strings.Repeat("a", 43)), false, ""},
		{"sealed nonsense", "safe", 200, seal("nonsense", token, key), false, ""},
		{"plain in compat mode", "compat", 200, text, true, "好"}, {"sealed in compat mode", "compat", 200, seal(text, token, key), true, "好"},
	}
	for _, tt := range tests {
		ok, reply := w.sim.readReply(serverJSON{Token: token, Key: key, Mode: tt.mode}, delivered{status: tt.status, body: []byte(tt.body)})
		if ok != tt.ok || reply != tt.reply {
			t.Errorf("%s: %v %q, want %v %q", tt.name, ok, reply, tt.ok, tt.reply)
		}
	}
}

// An endpoint with a query in its URL keeps it.
func TestServerWithQuery(t *testing.T) {
	var seen string
	w := newWorld(t, Options{Transport: local{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.URL.RawQuery
		io.WriteString(w, r.URL.Query().Get("echostr"))
	})}})
	w.api("PUT", "server", `{"url":"http://localhost:8080/wechat?shop=1"}`, 200, nil)
	if !strings.HasPrefix(seen, "shop=1&signature=") {
		t.Errorf("asked with %s", seen)
	}
}

// Who may have the account's token.
func TestAccountTokenErrors(t *testing.T) {
	w := newWorld(t, Options{})
	id := w.id
	for _, tt := range []struct {
		grant, appID, secret string
		want                 float64
	}{
		{"client_credential", "", id.AppSecret, 41002}, {"client_credential", id.AppID, "", 41004}, {"other", id.AppID, id.AppSecret, 40002},
		{"client_credential", "wx0", id.AppSecret, 40013}, {"client_credential", id.AppID, id.MiniAppSecret, 40125},
	} {
		if got := w.raw("GET", "/cgi-bin/token?grant_type="+tt.grant+"&appid="+tt.appID+"&secret="+tt.secret, ""); got["errcode"] != tt.want {
			t.Errorf("token %+v: %v", tt, got)
		}
		in, err := json.Marshal(map[string]string{"grant_type": tt.grant, "appid": tt.appID, "secret": tt.secret})
		if err != nil {
			t.Fatal(err)
		}
		if got := w.raw("POST", "/cgi-bin/stable_token", string(in)); got["errcode"] != tt.want {
			t.Errorf("stable_token %+v: %v", tt, got)
		}
	}
	if got := w.raw("GET", "/cgi-bin/stable_token", ""); got["errcode"] != 43002.0 {
		t.Errorf("GET: %v", got)
	}
	mini := w.raw("GET", "/cgi-bin/token?grant_type=client_credential&appid="+id.MiniAppID+"&secret="+id.MiniAppSecret, "")["access_token"].(string)
	if got := w.raw("GET", "/cgi-bin/menu/get?access_token="+mini, ""); got["errcode"] != 48001.0 {
		t.Errorf("the mini program's token opens the account's menu: %v", got)
	}
}

// The calls that are not answered like the others say the same about binding
// and signatures.
func TestMistakesInBills(t *testing.T) {
	w := newWorld(t, Options{})
	w.set(`{"enforce":true,"bound_app_ids":["wxf000000000000002"]}`)
	for _, path := range []string{"/pay/downloadbill", "/pay/downloadfundflow", "/face/get_wxpayface_authinfo"} {
		rec := w.do("POST", path, toXML(w.signed(map[string]string{"bill_date": "20200101", "bill_type": "ALL"}, "")))
		if !strings.Contains(rec.Body.String(), "appid和mch_id不匹配") {
			t.Errorf("%s: %s", path, rec.Body)
		}
		all, _ := w.sim.events.since(0)
		if last := all[len(all)-1]; !strings.Contains(last.detail.Problem, "关联") {
			t.Errorf("%s: the console says %q", path, last.detail.Problem)
		}
	}
	w.set(`{"enforce":false}`)
	for _, path := range []string{"/pay/downloadbill", "/pay/downloadfundflow", "/face/get_wxpayface_authinfo", "/secapi/pay/refund", "/pay/micropay"} {
		w.do("POST", path, toXML(w.signed(map[string]string{"bill_date": "20200101", "sign": strings.Repeat("0", 32)}, "")))
		if d := w.sim.calls.latest(1)[0].Diagnosis; d == nil || d.Cause != "wrong-key" {
			t.Errorf("%s: diagnosis %+v", path, d)
		}
	}
}

func TestNegativeTestNames(t *testing.T) {
	for name, want := range map[string]int{
		"MICROPAY_USERPAYING": 1, "MICROPAY_TIMEOUT": 1, "MICROPAY_PAY_QUERY_TIMEOUT": 1, "MICROPAY_PAYERROR": 2, "answer-html": 1, "key-rotation": 1, "x": 0, "": 0,
	} {
		if got := negativeTests(name); len(got) != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
