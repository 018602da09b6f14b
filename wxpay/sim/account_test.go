package sim

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

// The matching table of payment directories.
func TestPayDirectories(t *testing.T) {
	const page = "https://www.weixin.com/123/456/abc.html"
	tests := []struct {
		directory, page string
		want            bool
	}{
		{"https://www.weixin.com/", page, true},
		{"https://www.weixin.com/123/456/", page, true},
		{"https://www.Weixin.com/", page, false},
		{"http://www.weixin.com/", page, false},
		{"https://www.weixin.com/123/", page, false},
		{"https://www.weixin.com/123/456/789/", page, false},
		{"https://www.weixin.com/456/", page, false},
		{"https://www.weixin.com/abc/", page, false},
		{"https://www.weixin.com/123", page, false},
		{"https://www.weixin.com/123/456/abc.html", page, false},
		{"https://weixin.com/", page, false},
		{"https://192.168.1.1/", "https://192.168.1.1/pay/", false},
		{"www.weixin.com/", page, false},
		{"https:///", page, false},
		{"", page, false},
		{"https://www.weixin.com/123/456/", page + "?a=/b/#/c/d", true},
		{"https://www.weixin.com/", "https://www.weixin.com", true},
		{"https://www.weixin.com/", "https://www.weixin.com.evil.example/", false},
		{"http://localhost:8080/", "http://localhost:8080/pay/1", true},
		{"http://localhost:8080/pay/", "http://localhost:8080/pay/1", true},
		{"http://localhost:8080/", "http://localhost:9090/pay/1", false},
		{"http://127.0.0.1:3000/", "http://127.0.0.1:3000/x", true}, // loopback stands for a domain
	}
	for _, tt := range tests {
		if got := directoryOK(tt.directory, tt.page); got != tt.want {
			t.Errorf("%q for %q: %v, want %v", tt.directory, tt.page, got, tt.want)
		}
	}
}

func TestAccountDomains(t *testing.T) {
	const page = "https://www.qq.com/a/b.html?x=1"
	tests := []struct {
		domain, page string
		want         bool
	}{
		{"www.qq.com", page, true}, {"www.qq.com", "http://www.qq.com", true}, {"qq.com", page, false}, {"pay.qq.com", page, false},
		{"https://www.qq.com", page, false}, {"www.qq.com:443", page, false}, {"www.qq.com/a", page, true}, {"www.qq.com/a/", page, true},
		{"www.qq.com/b", page, false}, {"www.qq.com/aa", page, false}, {"192.168.1.1", "http://192.168.1.1/", false},
		{"localhost", "http://localhost:8080/cb", true}, {"", page, false},
	}
	for _, tt := range tests {
		if got := domainOK(tt.domain, tt.page); got != tt.want {
			t.Errorf("%q for %q: %v, want %v", tt.domain, tt.page, got, tt.want)
		}
	}
}

// set changes the account's settings.
func (w *world) set(settings string) {
	w.t.Helper()
	w.api("PUT", "account", settings, 200, nil)
}

// Wrong settings do nothing until they are enforced, and then have WeChat's
// own effect, with the remedy in the console.
func TestAccountMistakes(t *testing.T) {
	tests := []struct {
		name, settings string
		act            func(w *world) string // what WeChat says
		says, remedy   string
	}{
		{"payment directory", `{"pay_directories":["http://localhost:8080/pay"]}`, func(w *world) string {
			p := w.bridge(w.order("account001"), "")
			_, err := w.sim.openSheet(p, "1")
			if err != nil {
				w.sim.timelineRefusedSheet(p.pkg, err)
				return err.Error()
			}
			return ""
		}, "当前页面的URL未注册：http://localhost:8080/pay/", "支付授权目录"},
		{"web OAuth domain", `{"oauth_domains":["shop.example"]}`, func(w *world) string {
			return w.do("GET", authorizeURL("snsapi_base", ""), "", "User-Agent", inWeChat).Body.String()
		}, "10003", "网页授权域名"},
		{"IP whitelist, stable_token", `{"ip_whitelist":["10.0.0.1"]}`, func(w *world) string { return w.stableToken("127.0.0.1:1") }, "40164", "IP 白名单"},
		{"IP whitelist, token", `{"ip_whitelist":["10.0.0.0/8"]}`, func(w *world) string {
			return w.do("GET", "/cgi-bin/token?grant_type=client_credential&appid="+w.id.AppID+"&secret="+w.id.AppSecret, "").Body.String()
		}, "invalid ip 192.0.2.1 ipv6 ::ffff:192.0.2.1, not in whitelist rid: ", "192.0.2.1"},
		{"binding", `{"bound_app_ids":["wxf000000000000002"]}`, func(w *world) string { return w.call("/pay/unifiedorder", w.orderFields("account002"), "") }, "appid和mch_id不匹配", "关联"},
		{"product JSAPI", `{"products":["NATIVE"]}`, func(w *world) string { return w.call("/pay/unifiedorder", w.orderFields("account003"), "") }, "NOAUTH", "产品中心"},
		{"product NATIVE", `{"products":["JSAPI"]}`, func(w *world) string {
			return w.call("/pay/unifiedorder", w.orderFields("account004", "trade_type", "NATIVE", "openid", ""), "")
		}, "商户无此接口权限", "NATIVE"},
		{"product MICROPAY", `{"products":["JSAPI"]}`, func(w *world) string {
			return w.call("/pay/micropay", map[string]string{"out_trade_no": "account005", "auth_code": "134567890123456789"}, "")
		}, "商户无权限使用该付款码", "MICROPAY"},
		{"product FACEPAY", `{"products":["JSAPI"]}`, func(w *world) string {
			return w.call("/pay/facepay", map[string]string{"out_trade_no": "account006"}, "")
		}, "NOAUTH", "FACEPAY"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Options{AppURL: "http://localhost:8080"})
			w.set(tt.settings)
			if got := tt.act(w); strings.Contains(got, tt.says) {
				t.Errorf("not enforced, it says %s", got)
			}
			w.sim.reset()
			w.set(tt.settings)
			w.set(`{"enforce":true}`)
			if got := tt.act(w); !strings.Contains(got, tt.says) {
				t.Errorf("enforced, it says %q, want %q", got, tt.says)
			}
			all, _ := w.sim.events.since(0)
			last := all[len(all)-1]
			if last.detail == nil || !strings.Contains(last.detail.Problem, tt.remedy) {
				t.Errorf("the console says %+v, want a word about %s", last.detail, tt.remedy)
			}
			w.set(`{"enforce":true,"pay_directories":["http://localhost:8080/"],"oauth_domains":["localhost"],"ip_whitelist":["127.0.0.1","192.0.2.0/24"],` +
				`"bound_app_ids":["wxf000000000000001"],"products":["JSAPI","NATIVE","MICROPAY","FACEPAY"]}`)
			if got := tt.act(w); strings.Contains(got, tt.says) {
				t.Errorf("set right, it says %s", got)
			}
		})
	}
}

// stableToken asks for the account's token from an address.
func (w *world) stableToken(from string) string {
	w.t.Helper()
	in, err := json.Marshal(map[string]string{"grant_type": "client_credential", "appid": w.id.AppID, "secret": w.id.AppSecret})
	if err != nil {
		w.t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/cgi-bin/stable_token", strings.NewReader(string(in)))
	r.RemoteAddr = from
	rec := httptest.NewRecorder()
	w.sim.Gateway().ServeHTTP(rec, r)
	return rec.Body.String()
}

// Loopback is one address, however it is written; others must be listed.
func TestIPWhitelist(t *testing.T) {
	w := newWorld(t, Options{})
	w.set(`{"enforce":true}`)
	for from, want := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true, "": true, "192.0.2.7:5": false, "[2001:db8::1]:5": false} {
		if got := strings.Contains(w.stableToken(from), "access_token"); got != want {
			t.Errorf("from %q: %v, want %v", from, got, want)
		}
	}
	w.set(`{"ip_whitelist":[]}`)
	if got := w.stableToken("127.0.0.1:1"); !strings.Contains(got, "40164") {
		t.Errorf("an empty list lets in: %s", got)
	}
}

// The appid of the mini program is none for web OAuth, enforced or not.
func TestMiniAppIDAtOAuth(t *testing.T) {
	w := newWorld(t, Options{})
	target := strings.Replace(authorizeURL("snsapi_base", ""), w.id.AppID, w.id.MiniAppID, 1)
	if got := w.do("GET", target, "", "User-Agent", inWeChat).Body.String(); !strings.Contains(got, "10005") {
		t.Errorf("got %s", got)
	}
}

// Settings survive a restart; a reset brings the first ones back.
func TestAccountSurvives(t *testing.T) {
	o := Options{Data: t.TempDir()}
	w := newWorld(t, o)
	w.set(`{"enforce":true,"products":["NATIVE"],"key_mode":"mixed","bill_host":"canonical","reentry":"used"}`)
	w = w.reopen(o)
	var a accountJSON
	w.api("GET", "account", "", 200, &a)
	if !a.Enforce || len(a.Products) != 1 || a.Products[0] != "NATIVE" || a.BillHost != "canonical" || a.Reentry != "used" || w.sim.Identity().KeyMode != "mixed" {
		t.Errorf("after a restart: %+v, key mode %s", a, w.sim.Identity().KeyMode)
	}
	w.api("POST", "reset", "", 200, nil)
	w = w.reopen(o)
	w.api("GET", "account", "", 200, &a)
	if a.Enforce || len(a.Products) != 6 || w.sim.Identity().KeyMode != "public_key" {
		t.Errorf("after a reset: %+v", a)
	}
}

// Every mistake, shown by its flaw on the console's page.
func TestAccountFlaws(t *testing.T) {
	for value, want := range map[string]bool{"http://localhost:8080/": false, "http://localhost:8080/pay": true, "localhost": true, "https://10.0.0.1/": true, "https://a.example/?x/": true} {
		if got := directoryFlaw(value) != ""; got != want {
			t.Errorf("directory %q: flaw %v, want %v", value, got, want)
		}
	}
	for value, want := range map[string]bool{"localhost": false, "shop.example/path": false, "https://shop.example": true, "shop.example:80": true, "10.0.0.1": true} {
		if got := domainFlaw(value) != ""; got != want {
			t.Errorf("domain %q: flaw %v, want %v", value, got, want)
		}
	}
	for value, want := range map[string]bool{"1.2.3.4": false, "1.2.3.0/24": false, "::1": false, "shop.example": true, "1.2.3": true} {
		if got := addressFlaw(value) != ""; got != want {
			t.Errorf("address %q: flaw %v, want %v", value, got, want)
		}
	}
}

// The consent page says how the domain stands, enforced or not; a mini program
// has no page and needs no directory.
func TestAccountShownWhereItMatters(t *testing.T) {
	w := newWorld(t, Options{AppURL: "http://localhost:8080"})
	consent := func() string {
		return w.do("GET", authorizeURL("snsapi_userinfo", ""), "", "User-Agent", inWeChat).Body.String()
	}
	if page := consent(); !strings.Contains(page, "在网页授权域名里") || strings.Contains(page, "不在网页授权域名里") {
		t.Error("the right domain")
	}
	w.set(`{"oauth_domains":["shop.example"]}`)
	if page := consent(); !strings.Contains(page, "不在网页授权域名里") {
		t.Error("the wrong domain")
	}
	w.set(`{"enforce":true,"pay_directories":[]}`)
	mini := w.sim.people()[0].MiniOpenID
	prepay := w.ok("/pay/unifiedorder", w.orderFields("miniapp001", "appid", w.id.MiniAppID, "openid", mini), "")["prepay_id"]
	p := w.bridge(prepay, "")
	p.appID = w.id.MiniAppID
	p.paySign = signFields(map[string]string{"appId": p.appID, "timeStamp": p.timeStamp, "nonceStr": p.nonceStr, "package": p.pkg, "signType": p.signType}, w.id.APIKey, "")
	if _, err := w.sim.openSheet(p, "1"); err != nil {
		t.Errorf("mini program: %v", err)
	}
	if _, err := w.sim.openSheet(w.bridge(w.order("webpage001"), ""), "1"); err == nil || !strings.Contains(err.Error(), "当前页面的URL未注册") {
		t.Errorf("web page: %v", err)
	}
}
