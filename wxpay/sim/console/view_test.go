package console

import (
	"bytes"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"golang.org/x/net/html"
)

func render(t *testing.T, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Every page is a whole document under the strict policy: one h1, a label for
// every field, no inline style, script or handler.
func TestPagesAreSound(t *testing.T) {
	inline := regexp.MustCompile(`<style|<script>|<script [^>]*>[^<]|\son\w+=|\sstyle=|javascript:|data:`)
	for name, page := range samples() {
		t.Run(name, func(t *testing.T) {
			got := render(t, page)
			if !strings.HasPrefix(got, "<!doctype html>") || !strings.Contains(got, `<html lang="zh-CN">`) {
				t.Errorf("begins %.60q, want a document with its language", got)
			}
			if n := strings.Count(got, "<h1"); n != 1 {
				t.Errorf("%d h1, want 1", n)
			}
			if bad := inline.FindString(got); bad != "" {
				t.Errorf("inline code or style %q: the policy blocks it", bad)
			}
			if !strings.Contains(got, "假的") {
				t.Error("the page does not say that it is not real")
			}
			if strings.Contains(got, "templ-") || strings.Contains(got, "about:invalid") {
				t.Errorf("an address was refused by templ:\n%s", got)
			}
		})
	}
}

func TestPagesSayWhatIsThere(t *testing.T) {
	for _, tc := range []struct {
		page string
		want []string
	}{
		{"live", []string{`data-last="9"`, `data-seq="5"`, "签名错", "9 / 9", `value="24h"`, `name="preset" value="harsh"`, `http-equiv="refresh"`}},
		{"chosen", []string{"<b>空参数也签进去了。</b>", "<mark>body=云间茶铺-明前龙井 等3件</mark>&amp;mch_id", "POST /pay/unifiedorder HTTP/1.1\nHost: localhost:8081\n", "curl -i -X", "签名错误]]&gt;", "/_sim/transactions/" + sampleNo}},
		{"nothing", []string{"还没有人来过"}},
		{"transactions", []string{"/_sim/transactions/P261119T4LW", "¥168.00", "11-18", "周予安"}},
		{"transaction", []string{`action="/_sim/transactions/` + sampleNo + `/pay"`, `value="notenough"`, "/_sim/notifications/n31/resend", "/_sim/notifications/n31/drop", "还有 63 秒", "之后还有 11 次", "没收下", `value="wrong_key"`, "4200002463202611182095174638"}},
		{"users", []string{"没有这个人。", `role="alert"`, "/_sim/users/oF0a1ZhouYuan5Rv8Hd3WnCxE2tg/balance", "¥3.20"}},
		{"clock", []string{"比真实时间快 24 小时", "每秒走 1000 秒"}},
		{"faults", []string{`name="rate.notify-drop" value="20"`, `name="next.notify-duplicate" value="1"`, "14 次"}},
		{"identity", []string{`id="v-api_key"`, "2bb80d537b1da3e38bd30361aa855686", "http://localhost:8081/_sim/api/identity"}},
		{"consent", []string{`name="ticket" value="t"`, `name="u" value="1" checked`, `name="op" value="deny"`, "在网页授权域名里"}},
		{"denied", []string{"页面就停在这里"}},
		{"refunds", []string{"已退 ¥147.00", "PROCESSING", `action="/_sim/transactions/` + sampleNo + `/refunds/R261119E5VJ2KX9RD3FB7MS"`, `value="abnormal"`, `action="/_sim/transactions/` + sampleNo + `/refund"`, `value="137.00"`}},
		{"scan", []string{"就是它", "扫码付 ¥168.00", "输密码付款", "1300 0026 4817 0948 21", `d="M10 0h2v60h-2zM13 0h1v60h-1zM16 0h1v60h-1z"`, `viewBox="0 0 27 60"`, ">41<", "/_sim/users/" + people[0].OpenID + "/paycode", "林晓溪的手机"}},
		{"quiet-phone", []string{"现在没有等着的码"}},
		{"h5", []string{"打开微信付 ¥284.00", `value="silent"`, `name="from" value="http://localhost:8080/"`, "还有 4 分 41 秒，总共 5 分钟", "checkmweb?prepay_id=wx1&amp;package=2", "不行"}},
		{"h5-refused", []string{"<h1 class=\"gap\">支付请求已失效，请重新发起支付</h1>"}},
		{"error", []string{"10003", "redirect_uri域名与后台配置不一致", "http://127.0.0.1:8082"}},
	} {
		t.Run(tc.page, func(t *testing.T) {
			got := render(t, samples()[tc.page])
			for _, want := range tc.want {
				if tc.page == "identity" && strings.Contains(want, "api_key") {
					if strings.Contains(got, want) || strings.Contains(got, "fb04dcb6970e4c3d1873de51fd5a50d7") {
						t.Error("a hidden value is on the page")
					}
					continue
				}
				if !strings.Contains(got, want) {
					t.Errorf("page lacks %q", want)
				}
			}
		})
	}
}

const hostile = `"><script>alert(1)</script><a href="javascript:alert(1)" onx='`

// poison fills every string of a view with hostile text.
func poison(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(hostile)
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem())
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			poison(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i))
		}
	}
}

// What shops and shoppers write stays text, whatever field it lands in.
func TestHostileTextStaysText(t *testing.T) {
	live, tx, list := sampleLive(), sampleTransaction(), TransactionsView{Rows: []TransactionRow{sampleTransaction().Row}}
	live.Chosen = sampleExchange()
	users, clock, faults := UsersView{Users: people[:1:1]}, ClockView{}, sampleFaults()
	identity, consent, fault := sampleIdentity(), sampleConsent(), AuthorizeErrorView{Code: 1}
	users.Users, identity.Users, consent.Users, live.Users, tx.Users = copyOf(people), copyOf(people), copyOf(people), copyOf(people), copyOf(people)
	scan, h5 := sampleScan(), sampleH5()
	scan.Users, h5.Users, tx.Refunds = copyOf(people), copyOf(people), sampleRefunds().Refunds
	tx.CanRefund = true
	for _, v := range []any{&scan, &h5, &live, &tx, &list, &users, &clock, &faults, &identity, &consent, &fault} {
		poison(reflect.ValueOf(v).Elem())
	}
	for name, page := range map[string]templ.Component{
		"scan": Scan(scan), "h5": H5(h5),
		"live": Live(live), "transaction": Transaction(tx), "transactions": Transactions(list), "users": Users(users), "clock": Clock(clock),
		"faults": Faults(faults), "identity": Identity(identity), "consent": Consent(consent), "error": AuthorizeError(fault),
	} {
		t.Run(name, func(t *testing.T) {
			for z := html.NewTokenizer(strings.NewReader(render(t, page))); z.Next() != html.ErrorToken; {
				tok := z.Token()
				for _, a := range tok.Attr {
					if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Val, "javascript:") {
						t.Errorf("hostile attribute in %s", tok)
					}
				}
				if tok.Type == html.StartTagToken && tok.Data == "script" && (len(tok.Attr) == 0 || !strings.HasPrefix(tok.Attr[0].Val, StaticPath)) {
					t.Errorf("hostile tag %s", tok)
				}
			}
		})
	}
}

func copyOf(u []User) []User { return append([]User(nil), u...) }

func TestStatic(t *testing.T) {
	for _, tc := range []struct{ name, path, kind, cache string }{
		{"style", asset("admin.css"), "text/css; charset=utf-8", "public, max-age=31536000, immutable"},
		{"script", StaticPath + "console.js", "text/javascript; charset=utf-8", "no-cache"},
		{"old version", StaticPath + "logo.svg?v=0", "image/svg+xml", "no-cache"},
		{"unknown", StaticPath + "x", "", ""},
		{"elsewhere", "/_sim/static/../admin.css", "", ""},
		{"folder", StaticPath, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			Static().ServeHTTP(w, httptest.NewRequest("GET", tc.path, nil))
			if tc.kind == "" {
				if w.Code != 404 {
					t.Errorf("status = %d, want 404", w.Code)
				}
				return
			}
			if w.Code != 200 || w.Header().Get("Content-Type") != tc.kind || w.Header().Get("Cache-Control") != tc.cache || w.Body.Len() == 0 {
				t.Errorf("answer = %d %v", w.Code, w.Header())
			}
		})
	}
}

func TestBudgets(t *testing.T) {
	for name, limit := range map[string]int64{"assets/admin.css": 12000, "assets/console.js": 8000, "../browser/assets/wechat.css": 12000} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > limit {
			t.Errorf("%s has %d bytes, want at most %d", name, info.Size(), limit)
		}
	}
}
