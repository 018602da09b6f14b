package sim

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// form sends a form of the console.
func (w *world) form(path string, pairs ...string) (status int, location, page string) {
	w.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	rec := w.do("POST", path, values.Encode(), formType...)
	return rec.Code, rec.Header().Get("Location"), rec.Body.String()
}

// The doctor's page: the same findings as the control API, no secret on it.
func TestDoctorPage(t *testing.T) {
	w := newWorld(t, Options{})
	if page := w.do("GET", "/_sim/doctor", "").Body.String(); !strings.Contains(page, "还没有看过") {
		t.Error("the empty page")
	}
	bad := toXML(w.signed(map[string]string{"out_trade_no": "x", "sign": "-"}, ""))
	bad = strings.Replace(bad, "</xml>", "<sign>"+signFields(fromXML(t, bad), w.id.AppSecret, "")+"</sign></xml>", 1)
	status, _, page := w.form("/_sim/doctor", "api", "v2", "direction", "request", "url", "POST /pay/orderquery", "headers", "Content-Type: text/xml", "body", bad)
	if status != 200 || !strings.Contains(page, "wrong-key") || !strings.Contains(page, "验不过") || strings.Contains(page, w.id.AppSecret) {
		t.Errorf("%d %s", status, page)
	}
	good := toXML(w.signed(map[string]string{"out_trade_no": "x"}, ""))
	if _, _, page = w.form("/_sim/doctor", "api", "v2", "direction", "request", "body", "\n "+good+"\n"); !strings.Contains(page, "验得过") {
		t.Error("a good message does not pass")
	}
	for _, bad := range []struct {
		api, body string
		status    int
	}{{"v9", "x", 400}, {"v2", " ", 400}, {"", "x", 400}} {
		if status, _, page := w.form("/_sim/doctor", "api", bad.api, "direction", "request", "body", bad.body); status != bad.status || !strings.Contains(page, `role="alert"`) {
			t.Errorf("%q %q: status %d", bad.api, bad.body, status)
		}
	}
}

// The page of settings: what is wrong is marked and can be mended with a
// button; a refused form keeps what was typed.
func TestAccountPage(t *testing.T) {
	w := newWorld(t, Options{})
	settings := func(dirs string, more ...string) []string {
		return append([]string{
			"enforce", "1", "pay_directories", dirs, "oauth_domains", "https://shop.example/x", "js_domains", "localhost", "ip_whitelist", "127.0.0.1\n10.0.0.0/8",
			"bound_app_ids", appID1, "products", "JSAPI", "products", "NATIVE", "key_mode", "mixed", "bill_host", "self", "back", "/_sim/account",
		}, more...)
	}
	if status, to, _ := w.form("/_sim/account", settings("http://localhost:8080/pay")...); status != 303 || to != "/_sim/account?said=account" {
		t.Fatalf("%d %s", status, to)
	}
	page := w.do("GET", "/_sim/account?said=account", "").Body.String()
	for _, want := range []string{"少了结尾的 /", "不带协议", `name="fix" value="pay_directories"`, `value="NATIVE" checked`, "账号设置保存了", "10.0.0.0/8"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	w.form("/_sim/account", settings("http://localhost:8080/pay", "fix", "pay_directories")...)
	w.form("/_sim/account", settings("http://localhost:8080/pay/", "fix", "oauth_domains")...)
	a := w.sim.account()
	if !slices.Equal(a.PayDirectories, []string{"http://localhost:8080/pay/"}) || !slices.Equal(a.OAuthDomains, []string{"shop.example/x"}) || !a.Enforce ||
		!slices.Equal(a.IPWhitelist, []string{"127.0.0.1", "10.0.0.0/8"}) || !slices.Equal(a.BoundAppIDs, []string{appID1}) || len(a.Products) != 2 {
		t.Errorf("kept %+v", a)
	}
	status, _, page := w.form("/_sim/account", settings("http://1/\nhttp://2/\nhttp://3/\nhttp://4/\nhttp://5/\nhttp://six.example/")...)
	if status != 400 || !strings.Contains(page, "six.example") || !strings.Contains(page, "at most 5") {
		t.Errorf("six directories: %d", status)
	}
}

func TestMended(t *testing.T) {
	tests := []struct {
		name string
		in   []string
		want []string
	}{
		{"pay_directories", []string{"shop.example", "http://a.example/pay?x=1", "https://10.0.0.1/", "http://a.example/pay/"}, []string{"https://shop.example/", "http://a.example/pay/"}},
		{"js_domains", []string{"https://shop.example:8443/a/", "shop.example/a", "10.0.0.1"}, []string{"shop.example/a"}},
		{"ip_whitelist", []string{"1.2.3.4", "shop.example"}, []string{"1.2.3.4"}},
	}
	for _, tt := range tests {
		if got := mended(tt.name, tt.in); !slices.Equal(got, tt.want) {
			t.Errorf("%s %v: %v, want %v", tt.name, tt.in, got, tt.want)
		}
	}
}

// Scripts by the form of the page of faults.
func TestScenarioForm(t *testing.T) {
	w := newWorld(t, Options{})
	for _, f := range [][]string{
		{"kind", "amount", "value", "1234", "then", "notenough", "times", "2"}, {"kind", "description", "value", "慢", "then", "answer-slow", "times", "0"},
		{"kind", "amount_ends", "value", "07", "then", "cancel"}, {"kind", "openid", "value", w.openID(1), "then", "notify-drop"},
	} {
		if status, to, page := w.form("/_sim/scenario", append(f, "back", "/_sim/faults")...); status != 303 || to != "/_sim/faults?said=scenario" {
			t.Errorf("%v: %d %s %s", f, status, to, page)
		}
	}
	for _, f := range [][]string{{"kind", "amount", "value", "12.34", "then", "fail"}, {"kind", "amount_ends", "value", "x", "then", "fail"}, {"kind", "", "value", "1", "then", "fail"}, {"kind", "amount", "value", "1", "then", "fail", "times", "x"}, {"kind", "amount", "value", "1", "then", ""}} {
		if status, _, _ := w.form("/_sim/scenario", f...); status != 400 {
			t.Errorf("%v: %d", f, status)
		}
	}
	list := w.sim.scenarios.list()
	if len(list) != 4 || *list[3].Match.Amount != 1234 || list[3].Then.Outcome != "notenough" || list[3].Times != 2 || list[2].Then.Fault != "answer-slow" {
		t.Fatalf("list %+v", list)
	}
	page := w.do("GET", "/_sim/faults", "").Body.String()
	for _, want := range []string{"金额 ¥12.34", "商品描述含 慢", "金额尾数 07", "/_sim/scenario/s1/delete"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	w.form("/_sim/scenario/s1/delete")
	w.form("/_sim/scenario", "table", "amounts")
	if got := len(w.sim.scenarios.list()); got != 3+len(amountTable) {
		t.Errorf("%d scripts", got)
	}
	w.form("/_sim/scenario", "table", "amounts") // once more is not twice as much
	if got := len(w.sim.scenarios.list()); got != 3+len(amountTable) {
		t.Errorf("%d scripts after the table came again", got)
	}
}

// The chat page: set the server up, say something, tap a menu button.
func TestMessagesPage(t *testing.T) {
	shop := &endpoint{mode: "plain", answer: "欢迎"}
	w := newWorld(t, Options{Transport: local{shop}})
	shop.token, shop.key = w.sim.MessageKeys()
	if status, _, page := w.form("/_sim/server/push", "type", "text", "content", "在吗", "openid", w.openID(2)); status != 409 || !strings.Contains(page, `role="alert"`) {
		t.Errorf("no server: %d", status)
	}
	if status, to, page := w.form("/_sim/server", "url", "http://localhost:8080/wechat", "mode", "plain", "back", "/_sim/messages"); status != 303 || to != "/_sim/messages?said=server" {
		t.Fatalf("%d %s %s", status, to, page)
	}
	w.cgi("POST", "/cgi-bin/menu/create", `{"button":[{"type":"click","name":"客服","key":"KF"},{"name":"更多","sub_button":[{"type":"view","name":"商城","url":"http://localhost:8080/"}]}]}`)
	page := w.do("GET", "/_sim/messages", "").Body.String()
	for _, want := range []string{`value="click KF"`, `value="view http://localhost:8080/"`, shop.token} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, f := range [][]string{{"type", "text", "content", "在吗"}, {"type", "subscribe", "content", ""}, {"type", "click KF", "content", "x"}, {"type", "scan", "content", "9"}} {
		if status, _, page := w.form("/_sim/server/push", append(f, "openid", w.openID(2))...); status != 303 {
			t.Errorf("%v: %d %s", f, status, page)
		}
	}
	var seen []string
	for _, m := range shop.got {
		seen = append(seen, m["MsgType"]+m["Event"]+m["Content"]+m["EventKey"])
	}
	if got := fmt.Sprint(seen); got != "[text在吗 eventsubscribe eventCLICKKF eventSCAN9]" || len(shop.bad) > 0 {
		t.Errorf("the shop got %s, wrong: %v", got, shop.bad)
	}
	if page := w.do("GET", "/_sim/messages", "").Body.String(); !strings.Contains(page, "公众号消息 text") {
		t.Error("the page does not show what was said")
	}
	if status, _, _ := w.form("/_sim/server", "url", "nowhere", "mode", "plain"); status != 400 {
		t.Errorf("a bad url: %d", status)
	}
}
