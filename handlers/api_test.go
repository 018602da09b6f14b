package handlers

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"wxshop/models"
	"wxshop/wxpay"
)

const appKey = "canary-app-server-key-0123456789abcdef"

// program calls the API: no cookies, a token.
type program struct {
	t     testing.TB
	w     *world
	base  string // /api/mini or /api/app
	token string
	user  string // X-User
}

// answered is an answer of the API.
type answered struct {
	status int
	body   string
	header http.Header
	t      testing.TB
}

// into reads the answer, which must be of that status.
func (a answered) into(status int, v any) {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("answered %d, want %d: %s", a.status, status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		a.t.Fatalf("%v in %s", err, a.body)
	}
}

// code is the word for what went wrong.
func (a answered) code() string {
	var v struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(a.body), &v); err != nil || v.Error.Message == "" {
		a.t.Errorf("no error that programs can read: %d %s", a.status, a.body)
	}
	return v.Error.Code
}

func (p *program) call(method, path string, in any) answered {
	p.t.Helper()
	body, ok := in.(string)
	if !ok && in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			p.t.Fatal(err)
		}
		body = string(b)
	}
	c := p.w.outside()
	c.ua = "wechatdevtools"
	r := c.request(method, p.base+path, nil)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if p.token != "" {
		r.Header.Set("Authorization", "Bearer "+p.token)
	}
	if p.user != "" {
		r.Header.Set("X-User", p.user)
	}
	r.Header.Set("Sec-Fetch-Site", "cross-site") // as the tools of developers send
	res := c.send(r)
	if len(res.Cookies()) != 0 || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") || res.Header.Get("Cache-Control") != "no-store" {
		p.t.Errorf("%s %s answers with %v", method, path, res.Header)
	}
	return answered{res.StatusCode, res.body, res.Header, p.t}
}

// jsCode is wx.login of a person of the simulator.
func (w *world) jsCode(person int) string {
	w.t.Helper()
	var v struct{ Code string }
	if status := w.api("POST", "users/"+w.people()[person].OpenID+"/jscode", map[string]any{}, &v); status != 200 || v.Code == "" {
		w.t.Fatalf("wx.login = %d", status)
	}
	return v.Code
}

func (w *world) people() (users []struct {
	OpenID     string `json:"openid"`
	MiniOpenID string `json:"mini_openid"`
},
) {
	w.t.Helper()
	w.api("GET", "users", nil, &users)
	if len(users) < 2 {
		w.t.Fatalf("%d people", len(users))
	}
	return users
}

// mini signs a person in to the mini program.
func (w *world) mini(person int) *program {
	w.t.Helper()
	p := &program{t: w.t, w: w, base: "/api/mini"}
	var v struct{ Token string }
	p.call("POST", "/login", map[string]string{"code": w.jsCode(person)}).into(200, &v)
	p.token = v.Token
	return p
}

func (w *world) app(user string) *program {
	return &program{t: w.t, w: w, base: "/api/app", token: appKey, user: user}
}

func withApp(c *Config) { c.AppServerKey = appKey }

// order is a good call for one thing.
func orderBody(token string) map[string]any {
	return map[string]any{
		"lines": []map[string]any{{"sku": "LJ-50g", "qty": 1}}, "token": token, "expected_total": 10600,
		"name": "林晓溪", "phone": "13800001234", "province": "浙江省", "city": "杭州市", "district": "西湖区", "detail": "文三路 90 号", "note": "",
	}
}

const orderToken = "call-0123456789abcdef"

func (p *program) buy() string {
	p.t.Helper()
	var o struct{ No string }
	p.call("POST", "/orders", orderBody(newSecret()[:32])).into(201, &o)
	return o.No
}

// The walk of a mini program: sign in, look, order, pay, see.
func TestMiniProgram(t *testing.T) {
	inBothWorlds(t, isMiniProgram)
}

func isMiniProgram(t *testing.T, w *world) {
	t.Helper()
	p := w.mini(0)
	var goods struct {
		Goods []struct{ Slug, Name, Picture string }
	}
	p.call("GET", "/goods", nil).into(200, &goods)
	if len(goods.Goods) != 3 || goods.Goods[0].Slug != "longjing" || !strings.HasPrefix(goods.Goods[0].Picture, shopURL+"/static/") {
		t.Errorf("goods %+v", goods)
	}
	var tea struct {
		Name string
		SKUs []struct {
			SKU          string
			Price, Stock int64
		}
	}
	p.call("GET", "/goods/longjing", nil).into(200, &tea)
	if tea.Name != "明前龙井" || len(tea.SKUs) != 2 || tea.SKUs[0].SKU != "LJ-50g" || tea.SKUs[0].Price != 9800 {
		t.Errorf("tea %+v", tea)
	}
	var o apiOrder
	p.call("POST", "/orders", orderBody(orderToken)).into(201, &o)
	if o.State != "unpaid" || o.Total != 10600 || len(o.Items) != 1 || w.order(o.No).Source != models.FromMini {
		t.Errorf("order %+v", o)
	}
	var again apiOrder
	p.call("POST", "/orders", orderBody(orderToken)).into(200, &again) // P14
	if again.No != o.No {
		t.Errorf("the same call is another order: %s, %s", o.No, again.No)
	}
	var pay map[string]string
	p.call("POST", "/orders/"+o.No+"/pay", nil).into(200, &pay)
	w.checkPaySign(w.sim.Identity().MiniAppID, pay)
	attempt := w.attempt(o.No)
	if at := w.atWeChat(attempt); at.AppID != w.sim.Identity().MiniAppID || attempt.OpenID != w.people()[0].MiniOpenID {
		t.Errorf("placed for %s and %s", at.AppID, attempt.OpenID)
	}
	w.scanned(attempt)
	var st progress
	p.call("GET", "/orders/"+o.No+"/status", nil).into(200, &st)
	if st.State != "paid" || st.NextMS != 0 {
		t.Errorf("status %+v", st)
	}
	var list struct{ Orders []apiOrder }
	p.call("GET", "/orders", nil).into(200, &list)
	if len(list.Orders) != 1 || list.Orders[0].No != o.No || list.Orders[0].PaidAt == "" {
		t.Errorf("orders %+v", list)
	}
	if got := p.call("POST", "/orders/"+o.No+"/pay", map[string]any{}); got.status != http.StatusConflict {
		t.Errorf("paying a paid order = %d %s", got.status, got.body)
	}
	if got := p.call("POST", "/orders/"+o.No+"/cancel", nil); got.status != http.StatusConflict {
		t.Errorf("cancelling a paid order = %d %s", got.status, got.body)
	}
}

// checkPaySign computes the signature of wx.requestPayment from the document
// (mini programs: payment), not with wxpay.
func (w *world) checkPaySign(appID string, pay map[string]string) {
	w.t.Helper()
	if w.speaks == wxpay.V3 {
		if len(pay) != 5 || !strings.HasPrefix(pay["package"], "prepay_id=wx") || pay["signType"] != "RSA" ||
			!w.signedByUs(pay["paySign"], appID, pay["timeStamp"], pay["nonceStr"], pay["package"]) {
			w.t.Errorf("wx.requestPayment with %v: not signed by the merchant", pay)
		}
		return
	}
	want := w.sign(map[string]string{
		"appId": appID, "timeStamp": pay["timeStamp"], "nonceStr": pay["nonceStr"], "package": pay["package"], "signType": pay["signType"],
	}, nil)
	if len(pay) != 5 || pay["paySign"] != want || !strings.HasPrefix(pay["package"], "prepay_id=wx") || pay["signType"] != "HMAC-SHA256" {
		w.t.Errorf("wx.requestPayment with %v, want the signature %s", pay, want)
	}
}

// signedByUs verifies a signature of the merchant over lines, from the document
// (WeChat Pay v3, invoking the payment), not with wxpay.
func (w *world) signedByUs(signature string, lines ...string) bool {
	w.t.Helper()
	block, _ := pem.Decode([]byte(w.sim.Identity().MerchantCertificate))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		w.t.Fatal(err)
	}
	sig, err := base64.StdEncoding.DecodeString(signature)
	return err == nil && cert.CheckSignature(x509.SHA256WithRSA, []byte(strings.Join(lines, "\n")+"\n"), sig) == nil
}

// The walk of an app's server.
func TestAppServer(t *testing.T) {
	inBothWorlds(t, isAppServer, withApp)
}

func isAppServer(t *testing.T, w *world) {
	t.Helper()
	p := w.app("u-42")
	var list struct{ Orders []apiOrder }
	p.call("GET", "/orders", nil).into(200, &list)
	before := w.dump()
	p.call("GET", "/orders", nil)
	unchanged(t, before, w.dump()) // P10: asking makes nobody
	no := p.buy()
	var params map[string]string
	p.call("POST", "/orders/"+no+"/pay", map[string]string{"ip": "203.0.113.9"}).into(200, &params)
	id, sign := w.sim.Identity(), params["sign"]
	delete(params, "sign")
	if params["partnerid"] != id.MchID || params["prepayid"] == "" || params["package"] != "Sign=WXPay" ||
		w.speaks == wxpay.V2 && sign != w.sign(params, nil) ||
		w.speaks == wxpay.V3 && !w.signedByUs(sign, id.AppID, params["timestamp"], params["noncestr"], params["prepayid"]) {
		t.Errorf("app parameters %v, sign %s", params, sign)
	}
	attempt := w.attempt(no)
	if attempt.ClientIP != "203.0.113.9" || attempt.Channel != string(wxpay.App) || w.order(no).Source != models.FromApp {
		t.Errorf("attempt %+v", attempt)
	}
	w.scanned(attempt)
	var st progress
	p.call("GET", "/orders/"+no+"/status", nil).into(200, &st)
	if st.State != "paid" {
		t.Errorf("status %+v", st)
	}
	other := p.buy()
	var o apiOrder
	p.call("POST", "/orders/"+other+"/cancel", nil).into(200, &o)
	if o.State != "closed" {
		t.Errorf("cancelled order %+v", o)
	}
	if got := p.call("POST", "/orders/"+p.buy()+"/pay", map[string]string{"ip": "fe80::1%eth0"}); got.status != 400 {
		t.Errorf("an address with a zone = %d", got.status)
	}
}

// Who has no good token gets nothing, and a token of one door opens no other.
func TestAPITokens(t *testing.T) {
	w := newWorld(t, withApp)
	mini, app := w.mini(0), w.app("u-42")
	no, apps := mini.buy(), app.buy()
	c := w.inside("1").signIn()
	for _, tt := range []struct {
		name, base, token, user string
		want                    int
	}{
		{"mini, none", "/api/mini", "", "", 401},
		{"mini, made up", "/api/mini", newSecret(), "", 401},
		{"mini, another letter", "/api/mini", mini.token[:len(mini.token)-1] + "a", "", 401},
		{"mini, a cookie", "/api/mini", c.cookies["shop_sess"], "", 401},
		{"mini, key of the app", "/api/mini", appKey, "", 401},
		{"mini, too long", "/api/mini", strings.Repeat("A", 300), "", 401},
		{"app, none", "/api/app", "", "u-42", 401},
		{"app, wrong", "/api/app", appKey[1:], "u-42", 401},
		{"app, token of the mini program", "/api/app", mini.token, "u-42", 401},
		{"app, no user", "/api/app", appKey, "", 400},
		{"app, odd user", "/api/app", appKey, "u 42", 400},
		{"app, long user", "/api/app", appKey, strings.Repeat("u", 65), 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &program{t: t, w: w, base: tt.base, token: tt.token, user: tt.user}
			for method, path := range map[string]string{"GET": "/orders", "POST": "/orders/" + no + "/pay"} {
				got := p.call(method, path, nil)
				if got.status != tt.want || got.status == 401 && (got.code() != "sign_in" || got.header.Get("WWW-Authenticate") != "Bearer") {
					t.Errorf("%s %s = %d %s", method, path, got.status, got.body)
				}
			}
		})
	}
	c.cookies["shop_sess"] = mini.token // neither does it open the pages
	if res := c.do("GET", "/orders/"+no, nil); res.StatusCode == 200 {
		t.Error("a token of the mini program opens a page")
	}
	if rows := w.dump()["sessions"]; strings.Contains(rows, mini.token) || strings.Contains(w.log.String(), mini.token) || strings.Contains(w.log.String(), appKey) {
		t.Error("a token is stored or logged in the clear")
	}
	if got := w.app("u-43").call("GET", "/orders/"+apps, nil); got.status != 404 {
		t.Errorf("another user of the app = %d", got.status)
	}
}

// P15: another's order does not exist, for programs as for people.
func TestAPIOthersOrders(t *testing.T) {
	w := newWorld(t, withApp)
	a, b, c := w.mini(0), w.mini(1), w.app("u-42")
	mine, apps, web := a.buy(), c.buy(), w.inside("1").signIn().buy("LJ-50g")
	before := w.dump()
	for _, who := range []struct {
		*program
		nos []string
	}{{b, []string{mine, apps, web}}, {a, []string{apps, web}}, {c, []string{mine, web}}, {w.app("u-43"), []string{mine, apps, web}}} {
		for _, route := range []struct{ method, path string }{
			{"GET", "/orders/{no}"}, {"GET", "/orders/{no}/status"}, {"POST", "/orders/{no}/pay"}, {"POST", "/orders/{no}/cancel"},
		} {
			want := who.call(route.method, strings.Replace(route.path, "{no}", "261119K7M3QX9T4HRV7056", 1), nil)
			for _, no := range append(who.nos, "short", "' or 1=1") {
				got := who.call(route.method, strings.Replace(route.path, "{no}", url.PathEscape(no), 1), nil)
				if got.status != 404 || got.body != want.body || got.code() != "not_found" {
					t.Errorf("%s%s %s of %s = %d %s", who.base, route.method, route.path, no, got.status, got.body)
				}
			}
		}
		if got := who.call("GET", "/orders", nil); strings.Contains(got.body, who.nos[0]) {
			t.Errorf("%s lists another's order", who.base)
		}
	}
	unchanged(t, before, w.dump(), "users")
}

// X13, I3: JSON that could be read in two ways is not read at all.
func TestStrictJSON(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, tt := range []struct {
		name, body string
		ok         bool
	}{
		{"good", `{"code":"a","n":12,"list":[{"code":"b"}]}`, true},
		{"zero and less", ` {"n":-0} `, true},
		{"largest", `{"n":9223372036854775807}`, true},
		{"depth 10 001", `{"code":` + deep(10001) + `}`, false},
		{"depth 17", deep(17), false},
		{"duplicate key", `{"code":"a","code":"b"}`, false},
		{"duplicate key inside", `{"list":[{"code":"a","code":"b"}]}`, false},
		{"duplicate by escape", `{"code":"a","c\u006fde":"b"}`, false},
		{"other letters", `{"CODE":"a"}`, false},
		{"other letters beside ours", `{"code":"a","Code":"b"}`, false},
		{"long s", "{\"li\u017ft\":[]}", false},
		{"exponent", `{"n":1e2}`, false},
		{"fraction", `{"n":1.0}`, false},
		{"over int64", `{"n":9223372036854775808}`, false},
		{"very long number", `{"n":` + strings.Repeat("9", 400) + `}`, false},
		{"number as text", `{"n":"12"}`, false},
		{"NaN", `{"n":NaN}`, false},
		{"null", `{"n":null}`, false},
		{"null alone", `null`, false},
		{"second object", `{"n":1}{"n":2}`, false},
		{"trailing letter", `{"n":1}x`, false},
		{"bad UTF-8", "{\"code\":\"\xff\"}", false},
		{"byte order mark", "\ufeff{}", false},
		{"unknown key", `{"price":1}`, false},
		{"empty", ``, false},
		{"open", `{"n":1`, false},
		{"a list", `[]`, false},
		{"comma", `{"n":1,}`, false},
		{"comment", `{"n":1 /* a */}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var v struct {
				Code string `json:"code"`
				N    int64  `json:"n"`
				List []struct {
					Code string `json:"code"`
				} `json:"list"`
			}
			if err := decodeJSON([]byte(tt.body), &v); (err == nil) != tt.ok {
				t.Errorf("decodeJSON(%.60s) = %v", tt.body, err)
			}
		})
	}
}

// X13 through the door: refused with 400, and nothing changed.
func TestStrictJSONAtTheDoor(t *testing.T) {
	w := newWorld(t, withApp)
	p := w.app("u-42")
	p.buy()
	good, err := json.Marshal(orderBody(orderToken))
	if err != nil {
		t.Fatal(err)
	}
	edit := func(old, with string) string { return strings.Replace(string(good), old, with, 1) }
	before := w.dump()
	for name, body := range map[string]string{
		"duplicate":   edit(`"expected_total":10600`, `"expected_total":10600,"expected_total":1`),
		"AMOUNT":      edit(`"expected_total":10600`, `"expected_total":10600,"EXPECTED_TOTAL":1`),
		"price":       edit(`"qty":1`, `"qty":1,"price":1`), // X17
		"1e2":         edit(`10600`, `1e2`),
		"int64":       edit(`10600`, `9223372036854775808`),
		"second":      string(good) + "{}",
		"bad UTF-8":   edit(`林`, "\xff"),
		"NaN":         edit(`10600`, `NaN`),
		"deep":        edit(`"note":""`, `"note":`+strings.Repeat("[", 10001)+strings.Repeat("]", 10001)),
		"no token":    edit(orderToken, ""),
		"no total":    edit(`"expected_total":10600,`, ``),
		"no goods":    edit(`[{"qty":1,"sku":"LJ-50g"}]`, `[]`),
		"minus":       edit(`"qty":1`, `"qty":-1`),
		"none":        edit(`"qty":1`, `"qty":0`),
		"a hundred":   edit(`"qty":1`, `"qty":100`),
		"empty":       "",
		"other media": "",
	} {
		if name == "other media" {
			r := w.outside().request("POST", "/api/app/orders", url.Values{"a": {"b"}})
			r.Header.Set("Authorization", "Bearer "+appKey)
			r.Header.Set("X-User", "u-42")
			if res := w.outside().send(r); res.StatusCode != http.StatusUnsupportedMediaType {
				t.Errorf("a form = %d", res.StatusCode)
			}
			continue
		}
		if got := p.call("POST", "/orders", body); got.status != 400 || got.code() != "bad_form" {
			t.Errorf("%s = %d %s", name, got.status, got.body)
		}
	}
	if got := p.call("POST", "/orders", edit(`"note":""`, `"note":"`+strings.Repeat("x", 70<<10)+`"`)); got.status != 413 {
		t.Errorf("a large body = %d", got.status)
	}
	unchanged(t, before, w.dump(), "users")
}

// What cannot be ordered is said in words that a program can act on.
func TestAPIRefusals(t *testing.T) {
	w := newWorld(t)
	p := w.mini(0)
	for _, tt := range []struct {
		name   string
		change map[string]any
		status int
		code   string
		says   string
	}{
		{"another total", map[string]any{"expected_total": 1}, 409, "total_changed", `"total":10600`},
		{"sold out", map[string]any{"lines": []map[string]any{{"sku": "ZS", "qty": 1}}, "expected_total": 39800}, 409, "sold_out", `"sku":"ZS"`},
		{"too many", map[string]any{"lines": []map[string]any{{"sku": "JS", "qty": 5}}, "expected_total": 29000}, 409, "stock_short", `"left":2`},
		{"no such goods", map[string]any{"lines": []map[string]any{{"sku": "NO", "qty": 1}}}, 404, "no_page", ""},
		{"no phone", map[string]any{"phone": "123"}, 422, "address", `{"field":"phone","problem":"digits"}`},
		{"no name", map[string]any{"name": " "}, 422, "address", `{"field":"name","problem":"missing"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := orderBody(newSecret()[:32])
			for k, v := range tt.change {
				body[k] = v
			}
			got := p.call("POST", "/orders", body)
			if got.status != tt.status || got.code() != tt.code || !strings.Contains(got.body, tt.says) {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
	if got := p.call("GET", "/nothing", nil); got.status != 404 || got.code() != "no_page" {
		t.Errorf("a call that does not exist = %d %s", got.status, got.body)
	}
	if got := p.call("DELETE", "/orders", nil); got.status != 405 {
		t.Errorf("a method that is not taken = %d %s", got.status, got.body)
	}
	if got := p.call("GET", "/goods/nothing", nil); got.status != 404 {
		t.Errorf("a tea that does not exist = %d %s", got.status, got.body)
	}
}

// A code signs in once; WeChat's silence is not a "no".
func TestMiniLogin(t *testing.T) {
	w := newWorld(t)
	p := &program{t: t, w: w, base: "/api/mini"}
	code := map[string]string{"code": w.jsCode(0)}
	var v struct {
		Token     string
		ExpiresAt time.Time `json:"expires_at"`
	}
	p.call("POST", "/login", code).into(200, &v)
	if v.Token == "" || time.Until(v.ExpiresAt) < 6*24*time.Hour {
		t.Errorf("login = %+v", v)
	}
	for name, in := range map[string]any{"used": code, "made up": map[string]string{"code": "0a1b2c"}} {
		if got := p.call("POST", "/login", in); got.status != 401 || got.code() != "sign_in" {
			t.Errorf("a code that was %s = %d %s", name, got.status, got.body)
		}
	}
	if got := p.call("POST", "/login", map[string]string{"code": strings.Repeat("x", 513)}); got.status != 400 {
		t.Errorf("a long code = %d", got.status)
	}
	w.gateway = func(rw http.ResponseWriter, r *http.Request) bool {
		rw.WriteHeader(http.StatusBadGateway)
		return strings.HasPrefix(r.URL.Path, "/sns/")
	}
	if got := p.call("POST", "/login", map[string]string{"code": "x"}); got.status != 503 || strings.Contains(got.body, "付") && strings.Contains(got.body, "请先不要再付") {
		t.Errorf("no answer of WeChat = %d %s", got.status, got.body)
	}
	for _, secret := range []string{w.sim.Identity().MiniAppSecret, code["code"], w.people()[0].MiniOpenID} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log holds %.6s…", secret)
		}
	}
}

// A token ends when it is not used, and at the latest after thirty days.
func TestMiniTokenEnds(t *testing.T) {
	w := newWorld(t)
	start := time.Now()
	at := time.Duration(0)
	w.clock = func() time.Time { return start.Add(at) }
	idle, used := w.mini(0), w.mini(1)
	for day := range 29 {
		at = time.Duration(day+1) * 24 * time.Hour
		if got := used.call("GET", "/orders", nil); got.status != 200 {
			t.Fatalf("used, after %d days = %d", day+1, got.status)
		}
	}
	if got := idle.call("GET", "/orders", nil); got.status != 401 {
		t.Errorf("not used for 29 days = %d", got.status)
	}
	at = 30*24*time.Hour + time.Second
	if got := used.call("GET", "/orders", nil); got.status != 401 {
		t.Errorf("after 30 days = %d", got.status)
	}
}

// Without a mini program and without a key there are no such doors.
func TestAPIOff(t *testing.T) {
	w := newWorld(t)
	if got := w.app("u-42").call("GET", "/orders", nil); got.status != 404 {
		t.Errorf("no key configured = %d", got.status)
	}
	if got := (&program{t: t, w: w, base: "/api/app", token: "", user: "u"}).call("GET", "/orders", nil); got.status != 404 {
		t.Errorf("no key configured, no token = %d", got.status)
	}
	w.srv.Mini = nil
	for _, path := range []string{"/goods", "/goods/longjing", "/orders"} {
		if got := (&program{t: t, w: w, base: "/api/mini"}).call("GET", path, nil); got.status != 404 {
			t.Errorf("no mini program, %s = %d", path, got.status)
		}
	}
}

// V4: who asks too often waits, and is told so in JSON.
func TestAPILimits(t *testing.T) {
	w := newWorld(t, withApp, func(c *Config) { c.Limits.OrdersPerMinute, c.Limits.PagesPerSecond = 2, 1000 })
	p := w.app("u-42")
	p.call("POST", "/orders", orderBody(orderToken)).into(201, &struct{}{})
	got := p.call("POST", "/orders", orderBody(orderToken+"2"))
	if got.status != 429 || got.code() != "too_fast" || got.header.Get("Retry-After") == "" {
		t.Errorf("a second order = %d %s", got.status, got.body)
	}
	if got := p.call("POST", "/orders", orderBody(orderToken)); got.status != 200 {
		t.Errorf("the same order again = %d", got.status)
	}
	codes := map[int]int{}
	for i := range 30 {
		mini := &program{t: t, w: w, base: "/api/mini"}
		codes[mini.call("POST", "/login", map[string]string{"code": fmt.Sprint("x", i)}).status]++
	}
	if codes[429] == 0 || codes[401] < 15 {
		t.Errorf("thirty sign-ins = %v", codes)
	}
}

func FuzzJSON(f *testing.F) {
	good, err := json.Marshal(orderBody(orderToken))
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{string(good), `{"token":"a","token":"b"}`, `{"lines":[{"qty":1e3}]}`, "null", "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var strict, loose orderCall
		if decodeJSON(body, &strict) != nil {
			return
		}
		if err := json.Unmarshal(body, &loose); err != nil {
			t.Fatalf("taken, but it is no JSON: %v", err)
		}
		if fmt.Sprint(strict) != fmt.Sprint(loose) {
			t.Fatalf("read as %v and as %v", strict, loose)
		}
	})
}
