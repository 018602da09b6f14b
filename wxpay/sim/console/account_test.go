package console

import (
	"reflect"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/a-h/templ"
)

func sampleDoctor() DoctorView {
	d := *sampleExchange().Diagnosis
	d.Signed = "appid=wxf000000000000001&attach=&body=云间茶铺-明前龙井 等3件&mch_id=1900000001&key=（APIv2 密钥）"
	return DoctorView{Frame: frame, API: "v2", Direction: "request", URL: "POST /pay/unifiedorder", Body: sampleExchange().RequestBody, Asked: true, Result: d}
}

func sampleAccount() AccountView {
	on := func(v string) AccountChoice { return AccountChoice{v, v, true} }
	return AccountView{Frame: frame, Enforce: true, Lists: []AccountList{
		{"pay_directories", "支付目录（一行一个，最多 5 个，以 / 结尾）", "付款的网页要在里面。", "http://localhost:8080/pay", []string{"http://localhost:8080/pay：少了结尾的 /：付款窗口会报“当前页面的URL未注册”。"}},
		{"oauth_domains", "网页授权域名", "不带协议，不带端口。", "localhost", nil},
		{"js_domains", "JS 接口安全域名", "", "localhost", nil}, {"ip_whitelist", "IP 白名单", "取 access_token 时查，不在里面答 40164。", "127.0.0.1", nil}},
		AppIDs:   []AccountChoice{on("wxf000000000000001"), on("wxf000000000000002")},
		Products: []AccountChoice{on("JSAPI"), on("NATIVE"), on("MWEB"), {"APP", "APP", false}, on("MICROPAY"), {"FACEPAY", "FACEPAY", false}},
		KeyModes: []AccountChoice{{"public_key", "微信支付公钥", true}, {"certificate", "平台证书", false}, {"mixed", "两种都有，正在切换", false}},
		BillHost: []AccountChoice{{"self", "模拟器自己", true}, {"canonical", "真的域名", false}}}
}

func sampleMessages() MessagesView {
	return MessagesView{Frame: frame, URL: "http://localhost:8080/wechat", Token: "a1b2c3d4e5f6", Key: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", Mode: "safe", Users: people,
		Menu: []MenuButton{{"商城", "view", "http://localhost:8080/"}, {"联系客服", "click", "KF"}},
		Rows: []Entry{{12, at(20, 31, 7), Out, "公众号消息 text", "第 1 次 · 商户答 200", "收下", Good, ""}, {11, at(20, 30, 7), Actor, "林晓溪收到模板消息", "thing3：明前龙井", "收到", Good, ""}}}
}

func sampleScripts() FaultsView {
	v := sampleFaults()
	v.Scenarios = []ScenarioRow{{"s2", "金额 ¥12.34", "notenough", "次次", 3}, {"s1", "商品描述含 慢", "answer-slow", "1 次", 1}}
	return v
}

// accountSamples are the pages of doctor, settings and messages.
func accountSamples() map[string]templ.Component {
	good := sampleDoctor()
	good.Valid, good.Result = true, Diagnosis{Explanation: "签名是对的。The signature holds.", StringToSign: good.Result.StringToSign, FirstDifference: -1}
	return map[string]templ.Component{
		"doctor": Doctor(sampleDoctor()), "doctor-good": Doctor(good), "doctor-empty": Doctor(DoctorView{Frame: frame, API: "v2"}),
		"account": Account(sampleAccount()), "messages": Messages(sampleMessages()), "messages-empty": Messages(MessagesView{Frame: frame, Users: people}),
		"scripts": Faults(sampleScripts()),
	}
}

func TestAccountPagesSayWhatIsThere(t *testing.T) {
	for page, wants := range map[string][]string{
		"doctor":       {"验不过", "<b>空参数也签进去了。</b>", "empty-parameters", "你签的串", "attach=&amp;body", `<option value="v2" selected>`, `action="/_sim/doctor"`, "第一个不同的字节：第 25 个", "（APIv2 密钥）"},
		"doctor-good":  {"验得过", "<b>签名是对的。</b>"},
		"doctor-empty": {"还没有看过", "密钥有空格或换行"},
		"account":      {`name="enforce" value="1" checked`, `aria-invalid="true"`, `aria-describedby="e-pay_directories"`, `name="fix" value="pay_directories"`, `value="APP">`, `value="NATIVE" checked`, `type="radio" name="key_mode" value="public_key" checked`, "http://localhost:8080/pay</textarea>"},
		"messages":     {`value="click KF"`, `value="view http://localhost:8080/"`, `name="type" value="text"`, "收到模板消息", `<option value="safe" selected>`, "/jscode"},
		"scripts":      {"/_sim/scenario/s2/delete", "金额 ¥12.34", `name="table" value="amounts"`, `<option value="notify-drop">`},
	} {
		got := render(t, accountSamples()[page])
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("%s lacks %q", page, want)
			}
		}
	}
}

// What shops send and developers paste stays text.
func TestHostileTextStaysTextOnAccountPages(t *testing.T) {
	doctor, account, messages, scripts := sampleDoctor(), sampleAccount(), sampleMessages(), sampleScripts()
	messages.Users, scripts.Presets = copyOf(people), append([]string(nil), scripts.Presets...)
	for _, v := range []any{&doctor, &account, &messages, &scripts} {
		poison(reflect.ValueOf(v).Elem())
	}
	for name, page := range map[string]templ.Component{
		"doctor": Doctor(doctor), "account": Account(account), "messages": Messages(messages), "scripts": Faults(scripts),
	} {
		for z := html.NewTokenizer(strings.NewReader(render(t, page))); z.Next() != html.ErrorToken; {
			tok := z.Token()
			for _, a := range tok.Attr {
				if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Val, "javascript:") {
					t.Errorf("%s: hostile attribute in %s", name, tok)
				}
			}
			if tok.Type == html.StartTagToken && tok.Data == "script" && (len(tok.Attr) == 0 || !strings.HasPrefix(tok.Attr[0].Val, StaticPath)) {
				t.Errorf("%s: hostile tag %s", name, tok)
			}
		}
	}
}

// Every fault has a word for people.
func TestFaultWords(t *testing.T) {
	for name, word := range faultWords {
		if word == "" || word == name || len([]rune(word)) > 12 {
			t.Errorf("%s is called %q", name, word)
		}
	}
}
