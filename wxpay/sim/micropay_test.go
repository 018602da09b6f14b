package sim

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type paycodeReply struct {
	Paycode   string    `json:"paycode"`
	Facecode  string    `json:"facecode"`
	ExpiresAt time.Time `json:"expires_at"`
}

// code asks the n-th user for fresh codes.
func (w *world) code(n int) paycodeReply {
	w.t.Helper()
	var v paycodeReply
	w.api("GET", "users/"+w.openID(n)+"/paycode", "", 200, &v)
	return v
}

// deskFields is a good micropay; pairs change it.
func (w *world) deskFields(no, code string, pairs ...string) map[string]string {
	f := map[string]string{
		"body": "测试店-茶", "out_trade_no": no, "total_fee": "888", "spbill_create_ip": "8.8.8.8", "auth_code": code, "attach": "till 3",
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		f[pairs[i]] = pairs[i+1]
	}
	return f
}

func TestPaycodes(t *testing.T) {
	w := newWorld(t, Options{})
	a, b := w.code(1), w.code(1)
	if a.Paycode == b.Paycode || a.Facecode == b.Facecode {
		t.Error("the same code came twice")
	}
	for _, c := range []string{a.Paycode, b.Paycode} {
		if !regexp.MustCompile(`^13[0-9]{16}$`).MatchString(c) {
			t.Errorf("payment code %q", c)
		}
	}
	if left := time.Until(a.ExpiresAt); left < 55*time.Second || left > time.Minute {
		t.Errorf("expires in %v", left)
	}
	w.api("GET", "users/nobody/paycode", "", 404, nil)
	var users []userJSON
	w.api("GET", "users", "", 200, &users)
	w.api("GET", "users/"+users[0].MiniOpenID+"/paycode", "", 200, nil)
}

// A good code pays at once; nobody is notified.
func TestMicropay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		before := w.sim.people()[1].Balance
		got := w.ok("/pay/micropay", w.deskFields("desk000001", w.code(2).Paycode), "HMAC-SHA256")
		want := map[string]string{
			"openid": w.openID(2), "is_subscribe": "N", "trade_type": "MICROPAY", "total_fee": "888", "cash_fee": "888", "fee_type": "CNY",
			"out_trade_no": "desk000001", "attach": "till 3", "time_end": time.Now().In(beijing).Format(v2Time),
		}
		for name, value := range want {
			if got[name] != value {
				t.Errorf("%s = %q, want %q", name, got[name], value)
			}
		}
		if !regexp.MustCompile(`^42[0-9]{26}$`).MatchString(got["transaction_id"]) {
			t.Errorf("transaction_id %q", got["transaction_id"])
		}
		query := w.ok("/pay/orderquery", map[string]string{"transaction_id": got["transaction_id"]}, "")
		if query["trade_state"] != "SUCCESS" || query["trade_type"] != "MICROPAY" || w.sim.people()[1].Balance != before-888 {
			t.Errorf("query %v", query)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(w.shop.notifications()); n != 0 {
			t.Errorf("%d notifications, want none", n)
		}
		if got := w.state("desk000001"); got != "SUCCESS" {
			t.Errorf("an hour later %s", got)
		}
	})
}

func TestMicropayRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		used := w.code(1).Paycode
		w.ok("/pay/micropay", w.deskFields("desk000001", used), "")
		old := w.code(1).Paycode
		time.Sleep(time.Minute)
		fresh := w.code(1).Paycode
		invalid := "AUTH_CODE_INVALID"
		for _, tt := range []struct {
			name       string
			fields     map[string]string
			code, text string
		}{
			{"used", w.deskFields("desk000002", used), invalid, "101 每个二维码仅限使用一次，请刷新再试"},
			{"expired", w.deskFields("desk000002", old), invalid, "101 付款码已过期，请退出重试"},
			{"unknown", w.deskFields("desk000002", "130000000000000000"), invalid, "101 付款码无效，请重新扫码"},
			{"not a code", w.deskFields("desk000002", "12345"), invalid, "请扫描微信支付授权码(以10/11/12/13/14/15为前缀的18位数字)"},
			{"of another wallet", w.deskFields("desk000002", "280000000000000000"), invalid, "请扫描微信支付授权码(以10/11/12/13/14/15为前缀的18位数字)"},
			{"paid number, fresh code", w.deskFields("desk000001", fresh), "ORDERPAID", "该订单已支付"},
			{"query of it", map[string]string{"out_trade_no": "desk000002"}, "ORDERNOTEXIST", "订单不存在"},
		} {
			path := "/pay/micropay"
			if tt.fields["body"] == "" {
				path = "/pay/orderquery"
			}
			t.Log(tt.name)
			checkBusiness(t, w, w.call(path, tt.fields, ""), "", tt.code, tt.text)
		}
		for name, fields := range map[string]map[string]string{
			"缺少参数":                     w.deskFields("desk000003", fresh, "auth_code", "-"),
			"total_fee参数格式错误":          w.deskFields("desk000003", fresh, "total_fee", "8.88"),
			"body参数格式错误":               w.deskFields("desk000003", fresh, "body", strings.Repeat("茶", 128)),
			"invalid spbill_create_ip": w.deskFields("desk000003", fresh, "spbill_create_ip", "x"),
			"time_expire时间过短，刷卡至少1分钟，其他5分钟": w.deskFields("desk000003", fresh, "time_expire", "20000101000000"),
		} {
			if got := w.call("/pay/micropay", fields, ""); got != protocolBody(name) {
				t.Errorf("got %q, want %q", got, protocolBody(name))
			}
		}
		w.ok("/pay/micropay", w.deskFields("desk000003", fresh), "") // no refusal used it up
	})
}

// Above 1000 yuan the payer must enter the password; what comes of it.
func TestUserPaying(t *testing.T) {
	paying := func(w *world, t *testing.T) map[string]string {
		t.Helper()
		f := w.deskFields("paying0001", w.code(1).Paycode, "total_fee", "100001")
		checkBusiness(t, w, w.call("/pay/micropay", f, ""), "", "USERPAYING", "需要用户输入支付密码")
		return f
	}
	for _, tt := range []struct {
		name string
		then func(w *world, t *testing.T)
		want string
		paid bool
		desc string
	}{
		{"pays", func(w *world, t *testing.T) { time.Sleep(44 * time.Second); w.pay("paying0001") }, "SUCCESS", true, "支付成功"},
		{"mistypes, then pays", func(w *world, t *testing.T) {
			w.api("POST", "transactions/paying0001/pay", `{"outcome":"wrong_password"}`, 200, nil)
			w.pay("paying0001")
		}, "SUCCESS", true, "支付成功"},
		{"cancels", func(w *world, t *testing.T) {
			w.api("POST", "transactions/paying0001/pay", `{"outcome":"cancel"}`, 200, nil)
			w.api("POST", "transactions/paying0001/pay", `{}`, 409, nil)
		}, "PAYERROR", false, "支付失败，请撤销订单"},
		{"fails", func(w *world, t *testing.T) {
			w.api("POST", "transactions/paying0001/pay", `{"outcome":"fail"}`, 200, nil)
		}, "PAYERROR", false, "支付失败，请撤销订单"},
		{"does nothing for 45 s", func(w *world, t *testing.T) {
			time.Sleep(45*time.Second - time.Millisecond)
			if got := w.state("paying0001"); got != "USERPAYING" {
				t.Errorf("just before: %s", got)
			}
			time.Sleep(time.Millisecond)
			w.api("POST", "transactions/paying0001/pay", `{}`, 409, nil)
		}, "REVOKED", false, "订单已撤销"},
		{"is reversed twice", func(w *world, t *testing.T) {
			for _, want := range []string{"Y", "N", "N"} {
				if got := w.ok("/secapi/pay/reverse", map[string]string{"out_trade_no": "paying0001"}, "")["recall"]; got != want {
					t.Errorf("recall %s, want %s", got, want)
				}
			}
		}, "REVOKED", false, "订单已撤销"},
		{"pays between two reversals", func(w *world, t *testing.T) {
			w.ok("/secapi/pay/reverse", map[string]string{"out_trade_no": "paying0001"}, "")
			w.pay("paying0001")
			w.ok("/secapi/pay/reverse", map[string]string{"out_trade_no": "paying0001"}, "")
		}, "REVOKED", false, "订单已撤销"},
		{"is reversed after the refusal", func(w *world, t *testing.T) {
			w.api("POST", "transactions/paying0001/pay", `{"outcome":"notenough"}`, 200, nil)
			if got := w.ok("/secapi/pay/reverse", map[string]string{"out_trade_no": "paying0001"}, "")["recall"]; got != "N" {
				t.Errorf("recall %s", got)
			}
		}, "REVOKED", false, "订单已撤销"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Options{})
				defer w.run()()
				before := w.sim.people()[0].Balance
				f := paying(w, t)
				if got := w.state("paying0001"); got != "USERPAYING" {
					t.Errorf("state %s", got)
				}
				checkBusiness(t, w, w.call("/pay/micropay", f, ""), "", "USERPAYING", "需要用户输入支付密码")
				w.api("POST", "transactions/paying0001/pay", `{"openid":"`+w.openID(2)+`"}`, 409, nil)
				tt.then(w, t)
				got := w.ok("/pay/orderquery", map[string]string{"out_trade_no": "paying0001"}, "")
				if got["trade_state"] != tt.want || got["trade_state_desc"] != tt.desc {
					t.Errorf("%s %s, want %s", got["trade_state"], got["trade_state_desc"], tt.want)
				}
				want := before
				if tt.paid {
					want -= 100001
				}
				if b := w.sim.people()[0].Balance; b != want {
					t.Errorf("wallet %d, want %d", b, want)
				}
				if n := len(w.sim.notificationViews(10)); n != 0 {
					t.Errorf("%d notifications", n)
				}
			})
		})
	}
}

// The loop revokes by itself: the timeline and the control API show it without
// anybody asking WeChat.
func TestRevokedByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.api("PUT", "faults", `{"next":{"user-paying":1}}`, 200, nil)
		w.call("/pay/micropay", w.deskFields("asleep0001", w.code(1).Paycode), "")
		time.Sleep(46 * time.Second)
		synctest.Wait()
		if got := w.sim.ledger.orders["asleep0001"].state(); got != "REVOKED" {
			t.Errorf("state %s", got)
		}
		if got := w.sim.ledger.orders["asleep0001"].reversed.Sub(w.sim.ledger.orders["asleep0001"].Created); got != 45*time.Second {
			t.Errorf("revoked after %v", got)
		}
		checkBusiness(t, w, w.call("/pay/micropay", w.deskFields("asleep0001", w.code(1).Paycode), ""), "", "ORDERREVERSED", "订单已撤销")
	})
}

func TestMicropayPoor(t *testing.T) {
	w := newWorld(t, Options{})
	w.api("POST", "users", `{"nickname":"穷人","balance":887}`, 200, nil)
	f := w.deskFields("poor000001", w.code(4).Paycode)
	for range 2 {
		checkBusiness(t, w, w.call("/pay/micropay", f, ""), "", "NOTENOUGH", "余额不足")
	}
	got := w.ok("/pay/orderquery", map[string]string{"out_trade_no": "poor000001"}, "")
	if got["trade_state"] != "PAYERROR" || got["transaction_id"] != "" {
		t.Errorf("query %v", got)
	}
	if _, there := got["attach"]; !there {
		t.Error("no empty attach")
	}
	w.api("PUT", "faults", `{"next":{"not-enough":1}}`, 200, nil)
	checkBusiness(t, w, w.call("/pay/micropay", w.deskFields("poor000002", w.code(1).Paycode), ""), "", "NOTENOUGH", "余额不足")
	checkBusiness(t, w, w.call("/pay/micropay", w.deskFields("poor000002", w.code(1).Paycode), ""), "", "OUT_TRADE_NO_USED", "201 商户订单号重复")
}

// Scripted outcomes hold at the cash desk too.
func TestMicropayScenarios(t *testing.T) {
	w := newWorld(t, Options{})
	for i, tt := range []struct{ then, code, text, state string }{
		{`{"outcome":"notenough"}`, "NOTENOUGH", "余额不足", "PAYERROR"},
		{`{"outcome":"cancel"}`, "TRADE_ERROR", "用户没有输入支付密码", "PAYERROR"},
		{`{"outcome":"fail"}`, "TRADE_ERROR", "支付失败", "PAYERROR"},
		{`{"outcome":"wrong_password"}`, "USERPAYING", "需要用户输入支付密码", "USERPAYING"},
		{`{"fault":"user-paying"}`, "USERPAYING", "需要用户输入支付密码", "USERPAYING"},
	} {
		no := "script000" + string(rune('1'+i))
		w.api("DELETE", "scenario", "", 200, nil)
		w.api("POST", "scenario", `{"match":{"amount":888},"then":`+tt.then+`}`, 200, nil)
		f := w.deskFields(no, w.code(1).Paycode)
		checkBusiness(t, w, w.call("/pay/micropay", f, ""), "", tt.code, tt.text)
		checkBusiness(t, w, w.call("/pay/micropay", f, ""), "", tt.code, tt.text)
		if got := w.state(no); got != tt.state {
			t.Errorf("%s: %s, want %s", tt.then, got, tt.state)
		}
	}
}

func TestReverse(t *testing.T) {
	w := newWorld(t, Options{})
	before := w.sim.people()[0].Balance
	paid := w.ok("/pay/micropay", w.deskFields("back000001", w.code(1).Paycode), "")
	w.ok("/pay/micropay", w.deskFields("back000002", w.code(1).Paycode), "")
	w.refund("back000002", "R1", "100")
	w.paid("jsapi00001")
	const path = "/secapi/pay/reverse"
	if got := w.ok(path, map[string]string{"transaction_id": paid["transaction_id"]}, "HMAC-SHA256"); got["recall"] != "N" {
		t.Errorf("recall %q", got["recall"])
	}
	if got := w.state("back000001"); got != "REVOKED" {
		t.Errorf("state %s", got)
	}
	if got, want := w.sim.people()[0].Balance, before-2*888; got != want {
		t.Errorf("wallet %d, want %d", got, want)
	}
	for _, tt := range []struct {
		name, path string
		fields     map[string]string
		code, text string
	}{
		{"unknown", path, map[string]string{"out_trade_no": "nothing000"}, "ORDERNOTEXIST", "订单不存在"},
		{"bad transaction_id", path, map[string]string{"transaction_id": "1"}, "INVALID_TRANSACTIONID", "无效transaction_id"},
		{"not by code", path, map[string]string{"out_trade_no": "jsapi00001"}, "INVALID_REQUEST", "该订单不支持撤销"},
		{"refunded", path, map[string]string{"out_trade_no": "back000002"}, "TRADE_ERROR", "订单已发生退款，不能撤销"},
		{"refund of a reversed one", "/secapi/pay/refund", w.refundFields("back000001", "R2", "1"), "ERROR", "订单已全额退款"},
		{"close of a reversed one", "/pay/closeorder", map[string]string{"out_trade_no": "back000001"}, "ORDERCLOSED", "订单已关闭"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkBusiness(t, w, w.call(tt.path, tt.fields, ""), "", tt.code, tt.text)
		})
	}
	if got := w.call(path, map[string]string{"nonce_str": "x"}, ""); got != protocolBody("缺少参数") {
		t.Errorf("reverse of nothing: %s", got)
	}
	w.api("POST", "clock", `{"advance":"169h"}`, 200, nil)
	w.ok("/pay/micropay", w.deskFields("back000003", w.code(1).Paycode), "")
	w.api("POST", "clock", `{"advance":"169h"}`, 200, nil)
	checkBusiness(t, w, w.call(path, map[string]string{"out_trade_no": "back000003"}, ""), "", "REVERSE_EXPIRE", "订单撤销超时")
}

// Faces: the credential of the camera, then a payment by face, at both doors.
func TestFacepay(t *testing.T) {
	w := newWorld(t, Options{})
	info := map[string]string{
		"store_id": "S1", "store_name": "店", "device_id": "D1", "rawdata": "raw", "now": "1795000000", "version": "1", "sign_type": "MD5",
	}
	got := fromXML(t, w.call("/face/get_wxpayface_authinfo", info, "MD5"))
	if got["return_code"] != "SUCCESS" || len(got["authinfo"]) < 100 || got["expires_in"] == "" || got["sign"] != signFields(got, w.id.APIKey, "MD5") {
		t.Errorf("authinfo %v", got)
	}
	info["now"] = "1795000000000"
	if got := w.call("/face/get_wxpayface_authinfo", info, "MD5"); got != "<xml><return_code><![CDATA[PARAM_ERROR]]></return_code>\n<return_msg><![CDATA[now参数格式错误]]></return_msg>\n</xml>" {
		t.Errorf("milliseconds: %s", got)
	}
	if got := w.do("POST", "/face/get_wxpayface_authinfo", "{}").Body.String(); !strings.Contains(got, "PARAM_ERROR") || !strings.Contains(got, "请求报文格式错误") {
		t.Errorf("JSON: %s", got)
	}

	c := w.code(1)
	face := w.deskFields("face000001", "-", "face_code", c.Facecode, "openid", w.openID(1))
	paid := w.ok("/pay/facepay", face, "HMAC-SHA256")
	if paid["trade_type"] != "FACEPAY" || paid["openid"] != w.openID(1) {
		t.Errorf("facepay %v", paid)
	}
	if got := w.ok("/pay/facepayquery", map[string]string{"out_trade_no": "face000001"}, "")["trade_state"]; got != "SUCCESS" {
		t.Errorf("state %s", got)
	}
	if got := w.ok("/secapi/pay/facepayreverse", map[string]string{"out_trade_no": "face000001"}, "")["recall"]; got != "N" {
		t.Errorf("recall %s", got)
	}
	other := w.deskFields("face000002", "-", "face_code", w.code(1).Facecode, "openid", w.openID(2))
	checkBusiness(t, w, w.call("/pay/facepay", other, ""), "", "PARAM_ERROR", "appid和openid不匹配")
	digits := w.deskFields("face000002", "-", "face_code", w.code(1).Paycode)
	checkBusiness(t, w, w.call("/pay/facepay", digits, ""), "", "AUTH_CODE_INVALID", "101 付款码无效，请重新扫码")
	w.ok("/pay/micropay", w.deskFields("face000003", w.code(1).Facecode), "") // a face at the other door
}

func TestTools(t *testing.T) {
	w := newWorld(t, Options{})
	code := w.code(2).Paycode
	for range 2 { // asking does not use it up
		if got := w.ok("/tools/authcodetoopenid", map[string]string{"auth_code": code}, ""); got["openid"] != w.openID(2) {
			t.Errorf("openid %v", got)
		}
	}
	w.ok("/pay/micropay", w.deskFields("tools00001", code), "")
	checkBusiness(t, w, w.call("/tools/authcodetoopenid", map[string]string{"auth_code": code}, ""), "", "AUTH_CODE_INVALID", "101 每个二维码仅限使用一次，请刷新再试")
	long := "weixin://wxpay/bizpayurl?sign=XXXXX&appid=XXXXX&mch_id=XXXXX&product_id=XXXXXX&time_stamp=XXXXXX&nonce_str=XXXXX"
	if got := w.ok("/tools/shorturl", map[string]string{"long_url": long}, "")["short_url"]; !strings.HasPrefix(got, "weixin://wxpay/s/") {
		t.Errorf("short_url %q", got)
	}
	if got := w.call("/tools/shorturl", map[string]string{"long_url": "http://x/"}, ""); got != protocolBody("long_url参数格式错误") {
		t.Errorf("short URL of anything: %s", got)
	}
	report := map[string]string{"interface_url": "https://api.mch.weixin.qq.com/pay/unifiedorder", "execute_time_": "1000", "return_code": "SUCCESS", "result_code": "SUCCESS", "user_ip": "8.8.8.8"}
	w.ok("/payitil/report", report, "")
	delete(report, "execute_time_")
	if got := w.call("/payitil/report", report, ""); got != protocolBody("缺少参数") {
		t.Errorf("report without time: %s", got)
	}
}

// The phone of the console: codes that wait, the payment code, the password.
func TestScanPage(t *testing.T) {
	w := newWorld(t, Options{})
	codeURL := w.ok("/pay/unifiedorder", w.orderFields("native0001", "trade_type", "NATIVE", "openid", "-", "body", "勐海熟饼"), "")["code_url"]
	page := func(query string) string {
		rec := w.do("GET", "/_sim/scan"+query, "")
		if rec.Code != http.StatusOK {
			t.Fatalf("status %d", rec.Code)
		}
		return rec.Body.String()
	}
	first := page("?u=2")
	for _, want := range []string{"勐海熟饼", "扫码付 ¥8.88", "陈默的手机", `action="/_sim/transactions/native0001/pay"`, `<path d="M10 0h2v60h-2z`} {
		if !strings.Contains(first, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	shown := regexp.MustCompile(`id="v-paycode" hidden>(13[0-9]{16})<`)
	code := shown.FindStringSubmatch(first)[1]
	if again := shown.FindStringSubmatch(page("?u=2"))[1]; again != code {
		t.Error("the code changes at every look")
	}
	if !strings.Contains(page("?url="+strings.ReplaceAll(codeURL, "=", "%3D")), "就是它") || !strings.Contains(page("?url=weixin"), "没有等着付的单") {
		t.Error("pasted codes are not recognised")
	}
	form := "back=/_sim/scan?u=2&outcome=success&openid=" + w.openID(2)
	if rec := w.do("POST", "/_sim/transactions/native0001/pay", form, formType...); rec.Code != 303 || !strings.HasPrefix(rec.Header().Get("Location"), "/_sim/scan?") {
		t.Errorf("status %d to %s", rec.Code, rec.Header().Get("Location"))
	}
	if tx := w.sim.transactionViews(1)[0]; tx.State != "SUCCESS" || tx.OpenID != w.openID(2) || tx.TradeType != "NATIVE" {
		t.Errorf("after the scan %+v", tx)
	}

	w.do("POST", "/_sim/users/"+w.openID(2)+"/paycode", "ask=on&back=/_sim/scan?u=2", formType...)
	asking := shown.FindStringSubmatch(page("?u=2"))[1]
	if asking == code {
		t.Error("the code did not change")
	}
	checkBusiness(t, w, w.call("/pay/micropay", w.deskFields("asks000001", asking), ""), "", "USERPAYING", "需要用户输入支付密码")
	if html := page("?u=2"); !strings.Contains(html, "输密码付款") {
		t.Error("nobody can enter the password")
	}
	if strings.Contains(page("?u=1"), "输密码付款") {
		t.Error("the wrong phone asks for the password")
	}
	w.do("POST", "/_sim/transactions/asks000001/pay", form, formType...)
	if got := w.state("asks000001"); got != "SUCCESS" {
		t.Errorf("state %s", got)
	}
}
