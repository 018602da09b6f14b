package sim

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const vectorKey = "192006250b4c09247ec02edce69f6a2d"

// The vectors of the documents, and some of our own made with other tools.
func TestSignatureVectors(t *testing.T) {
	tests := []struct {
		name   string
		fields map[string]string
		md5    string
		hmac   string
	}{
		{
			name:   "official sample",
			fields: map[string]string{"appid": "wxd930ea5d5a258f4f", "mch_id": "10000100", "device_info": "1000", "body": "test", "nonce_str": "ibuaiVcKdpRxkhJA", "attach": "", "sign": "ignored"},
			md5:    "9A0A8659F005D6984697E2CA0A9CF3B7",
			hmac:   "6A9AE1657590FD6257D693A078E1C3E4BB6BA4DC30B23E0EE2496E54170DACD6",
		},
		{
			name: "coupons: coupon_fee before coupon_fee_0",
			fields: map[string]string{
				"appid": "wx8888888888888888", "attach": "a=1&b=2", "bank_type": "OTHERS", "cash_fee": "788", "cash_fee_type": "CNY",
				"coupon_count": "2", "coupon_fee": "100", "coupon_fee_0": "60", "coupon_fee_1": "40", "coupon_id_0": "10000",
				"coupon_id_1": "10001", "coupon_type_0": "CASH", "coupon_type_1": "NO_CASH", "fee_type": "CNY", "is_subscribe": "Y",
				"mch_id": "1900000109", "nonce_str": "N0nceN0nceN0nce1", "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
				"out_trade_no": "20250806125346_01", "result_code": "SUCCESS", "return_code": "SUCCESS", "settlement_total_fee": "848",
				"time_end": "20250806125400", "total_fee": "888", "trade_type": "JSAPI", "transaction_id": "4200000001202508061234567890",
			},
			md5:  "2A55C316E2A658D3155489C2E6B5BDA9",
			hmac: "4F685866264588D9772E91D894CA11415A0FAFB4860C16A7A634A9BBF79FB546",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := signature(tt.fields, vectorKey, algMD5); got != tt.md5 {
				t.Errorf("MD5 %s, want %s", got, tt.md5)
			}
			if got := signature(tt.fields, vectorKey, algHMAC); got != tt.hmac {
				t.Errorf("HMAC %s, want %s", got, tt.hmac)
			}
			if signedBy(tt.fields, strings.ToLower(tt.md5), vectorKey, algMD5) {
				t.Error("a lower-case signature was accepted")
			}
		})
	}
}

func TestPaySignVector(t *testing.T) {
	fields := map[string]string{
		"appId": "wx619a931576afe069", "nonceStr": "RIPb5Upk3ku7knU6", "package": "prepay_id=wx2611334392677180ea59742b3744840000",
		"signType": "HMAC-SHA256", "timeStamp": "1774495197",
	}
	want := "4A04CF5B979A4920409A9DEF2322C33C96DE8E9A96830E648719C60EF991700E"
	if got := signature(fields, "qazwsxedcrfvtgbyhnujmikolp111111", algHMAC); got != want {
		t.Errorf("paySign %s, want %s", got, want)
	}
}

func protocolBody(msg string) string {
	return "<xml><return_code><![CDATA[FAIL]]></return_code>\n<return_msg><![CDATA[" + msg + "]]></return_msg>\n</xml>"
}

// What WeChat refuses on the first layer, to the byte.
func TestProtocolRefusals(t *testing.T) {
	w := newWorld(t, Options{})
	good := func(pairs ...string) map[string]string { return w.orderFields("20250806125346_01", pairs...) }
	tests := []struct {
		name   string
		fields map[string]string // of unifiedorder, to be signed
		method string
		body   string // instead of fields
		want   string
	}{
		{name: "not POST", method: "GET", want: "请使用post方法"},
		{name: "empty body", body: "", want: "post数据为空"},
		{name: "not XML", body: `{"appid":"x"}`, want: "XML格式错误"},
		{name: "form", body: "appid=x&mch_id=y", want: "XML格式错误"},
		{name: "cut off", body: "<xml><appid>x</appid>", want: "XML格式错误"},
		{name: "DOCTYPE", body: `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><xml><appid>&x;</appid></xml>`, want: "XML格式错误"},
		{name: "not UTF-8", body: "<xml><body>\xb2\xe8</body></xml>", want: "请使用UTF-8编码格式"},
		{name: "no appid", fields: good("appid", "-"), want: "缺少参数"},
		{name: "no mch_id", fields: good("mch_id", "-"), want: "缺少参数"},
		{name: "no nonce_str", fields: good("nonce_str", "-"), want: "缺少参数"},
		{name: "no sign", fields: good("sign", "-"), want: "缺少参数"},
		{name: "mch_id with letters", fields: good("mch_id", "19000x"), want: "mch_id参数格式错误"},
		{name: "another mch_id", fields: good("mch_id", "1900000109"), want: "appid和mch_id不匹配"},
		{name: "another appid", fields: good("appid", "wx8888888888888888"), want: "appid和mch_id不匹配"},
		{name: "mismatch comes before sign", fields: good("appid", "wx8888888888888888", "sign", "00"), want: "appid和mch_id不匹配"},
		{name: "wrong sign", fields: good("sign", strings.Repeat("0", 32)), want: "签名错误"},
		{name: "sign comes before missing fields", fields: good("sign", "00", "body", "-"), want: "签名错误"},
		{name: "unknown sign_type", fields: good("sign_type", "SHA1"), want: "sign_type参数格式错误"},
		{name: "sign_type HMAC signed with MD5", fields: good("sign_type", "HMAC-SHA256"), want: "签名错误"},
		{name: "nonce_str too long", fields: good("nonce_str", strings.Repeat("x", 33)), want: "nonce_str参数格式错误"},
		{name: "no body", fields: good("body", "-"), want: "缺少参数"},
		{name: "empty body field", fields: good("body", ""), want: "缺少参数"},
		{name: "no openid for JSAPI", fields: good("openid", "-"), want: "缺少参数"},
		{name: "no scene_info for MWEB", fields: good("trade_type", "MWEB", "openid", "-"), want: "缺少参数"},
		{name: "body too long", fields: good("body", strings.Repeat("茶", 128)), want: "body参数格式错误"},
		{name: "out_trade_no too short", fields: good("out_trade_no", "12345"), want: "out_trade_no参数格式错误"},
		{name: "out_trade_no too long", fields: good("out_trade_no", strings.Repeat("1", 33)), want: "out_trade_no参数格式错误"},
		{name: "out_trade_no with @", fields: good("out_trade_no", "order@123"), want: "out_trade_no参数格式错误"},
		{name: "total_fee with a point", fields: good("total_fee", "8.88"), want: "total_fee参数格式错误"},
		{name: "total_fee zero", fields: good("total_fee", "0"), want: "total_fee参数格式错误"},
		{name: "total_fee negative", fields: good("total_fee", "-1"), want: "total_fee参数格式错误"},
		{name: "dollars", fields: good("fee_type", "USD"), want: "fee_type参数格式错误"},
		{name: "trade_type unknown", fields: good("trade_type", "jsapi"), want: "trade_type参数格式错误"},
		{name: "ip list", fields: good("spbill_create_ip", "1.2.3.4, 5.6.7.8"), want: "invalid spbill_create_ip"},
		{name: "v4 in v6", fields: good("spbill_create_ip", "::ffff:1.2.3.4"), want: "invalid spbill_create_ip"},
		{name: "notify_url with a query", fields: good("notify_url", "http://localhost:8080/n?x=1"), want: "notify_url参数格式错误"},
		{name: "notify_url with a bare ?", fields: good("notify_url", "http://localhost:8080/n?"), want: "notify_url参数格式错误"},
		{name: "notify_url ftp", fields: good("notify_url", "ftp://localhost/n"), want: "notify_url参数格式错误"},
		{name: "notify_url file", fields: good("notify_url", "file:///etc/passwd"), want: "notify_url参数格式错误"},
		{name: "notify_url gopher", fields: good("notify_url", "gopher://localhost:70/x"), want: "notify_url参数格式错误"},
		{name: "notify_url with a user", fields: good("notify_url", "http://a@localhost/n"), want: "notify_url参数格式错误"},
		{name: "notify_url relative", fields: good("notify_url", "/notify"), want: "notify_url参数格式错误"},
		{name: "time_expire no time", fields: good("time_expire", "20251399000000"), want: "time_expire参数格式错误"},
		{name: "time_expire in the past", fields: good("time_expire", "20200101000000"), want: "time_expire时间过短，刷卡至少1分钟，其他5分钟"},
		{name: "strange sub_mch_id", fields: good("sub_mch_id", "1900000777"), want: "sub_mch_id参数格式错误"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			method, body := "POST", tt.body
			if tt.method != "" {
				method = tt.method
			}
			if tt.fields != nil {
				body = toXML(w.signed(tt.fields, ""))
			}
			rec := w.do(method, "/pay/unifiedorder", body)
			if rec.Code != 200 {
				t.Errorf("status %d, want 200", rec.Code)
			}
			if got, want := rec.Body.String(), protocolBody(tt.want); got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
	if n := len(w.sim.transactionViews(10)); n != 0 {
		t.Errorf("%d orders were placed by refused calls", n)
	}
}

var nonceInBody = regexp.MustCompile(`<nonce_str><!\[CDATA\[([0-9A-Za-z]{16})\]\]></nonce_str>`)

// checkBusiness compares a refusal of the second layer to the byte, with the
// nonce that it carries.
func checkBusiness(t *testing.T, w *world, raw, alg, code, text string) {
	t.Helper()
	m := nonceInBody.FindStringSubmatch(raw)
	if m == nil {
		t.Fatalf("no nonce_str of 16 in %q", raw)
	}
	fields := map[string]string{
		"return_code": "SUCCESS", "return_msg": "OK", "appid": w.id.AppID, "mch_id": w.id.MchID, "nonce_str": m[1],
		"result_code": "FAIL", "err_code": code, "err_code_des": text,
	}
	want := fmt.Sprintf("<xml><return_code><![CDATA[SUCCESS]]></return_code>\n<return_msg><![CDATA[OK]]></return_msg>\n"+
		"<appid><![CDATA[%s]]></appid>\n<mch_id><![CDATA[%s]]></mch_id>\n<nonce_str><![CDATA[%s]]></nonce_str>\n"+
		"<sign><![CDATA[%s]]></sign>\n<result_code><![CDATA[FAIL]]></result_code>\n<err_code><![CDATA[%s]]></err_code>\n"+
		"<err_code_des><![CDATA[%s]]></err_code_des>\n</xml>", w.id.AppID, w.id.MchID, m[1], signFields(fields, w.id.APIKey, alg), code, text)
	if raw != want {
		t.Errorf("got  %q\nwant %q", raw, want)
	}
}

func TestBusinessRefusals(t *testing.T) {
	w := newWorld(t, Options{})
	w.order("paid000001")
	w.pay("paid000001")
	w.order("closed0001")
	w.ok("/pay/closeorder", map[string]string{"out_trade_no": "closed0001"}, "")
	w.order("open000001")
	tests := []struct {
		name, path string
		fields     map[string]string
		code, text string
	}{
		{"order a paid one again", "/pay/unifiedorder", w.orderFields("paid000001"), "ORDERPAID", "该订单已支付"},
		{"order a paid one, changed", "/pay/unifiedorder", w.orderFields("paid000001", "total_fee", "1"), "ORDERPAID", "该订单已支付"},
		{"order a closed one again", "/pay/unifiedorder", w.orderFields("closed0001"), "ORDERCLOSED", "订单已关闭"},
		{"openid of nobody", "/pay/unifiedorder", w.orderFields("new0000001", "openid", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"), "PARAM_ERROR", "appid和openid不匹配"},
		{"openid of the mini program", "/pay/unifiedorder", w.orderFields("new0000002", "openid", w.sim.people()[0].MiniOpenID), "PARAM_ERROR", "appid和openid不匹配"},
		{"query of nothing", "/pay/orderquery", map[string]string{"out_trade_no": "nothing000"}, "ORDERNOTEXIST", "订单不存在"},
		{"query of no transaction", "/pay/orderquery", map[string]string{"transaction_id": "4200000001202508061234567890"}, "ORDERNOTEXIST", "订单不存在"},
		{"query of a bad transaction_id", "/pay/orderquery", map[string]string{"transaction_id": "42", "out_trade_no": "open000001"}, "PARAM_ERROR", "微信订单号非法"},
		{"close of nothing", "/pay/closeorder", map[string]string{"out_trade_no": "nothing000"}, "ORDERNOTEXIST", "订单不存在"},
		{"close of a paid one", "/pay/closeorder", map[string]string{"out_trade_no": "paid000001"}, "ORDERPAID", "订单已支付"},
		{"close of a closed one", "/pay/closeorder", map[string]string{"out_trade_no": "closed0001"}, "ORDERCLOSED", "订单已关闭"},
	}
	for _, tt := range tests {
		for _, alg := range []string{"", "MD5", "HMAC-SHA256"} {
			t.Run(tt.name+" "+alg, func(t *testing.T) {
				checkBusiness(t, w, w.call(tt.path, tt.fields, alg), alg, tt.code, tt.text)
			})
		}
	}
}

// The same number again: which differences make it another order.
func TestSameNumberAgain(t *testing.T) {
	expire := time.Now().Add(time.Hour).In(beijing).Format(v2Time)
	later := time.Now().Add(2 * time.Hour).In(beijing).Format(v2Time)
	tests := []struct {
		name, field, value string
		same               bool
	}{
		{"nothing", "attach", "a=1&b=2", true},
		{"nonce_str", "nonce_str", "another", true},
		{"spbill_create_ip", "spbill_create_ip", "9.9.9.9", true},
		{"time_start", "time_start", "20250806125346", true},
		{"total_fee", "total_fee", "889", false},
		{"body", "body", "别的", false},
		{"attach", "attach", "x", false},
		{"detail", "detail", "{}", false},
		{"notify_url", "notify_url", "http://localhost:8080/other", false},
		{"openid", "openid", "", false}, // of user 2, below
		{"trade_type", "trade_type", "NATIVE", false},
		{"time_expire", "time_expire", later, false},
		{"appid", "appid", miniAppID1, false},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			no := fmt.Sprintf("again%05d", i)
			first := w.order(no, "time_expire", expire)
			value := tt.value
			if tt.field == "openid" {
				value = w.openID(2)
			}
			again := w.orderFields(no, "time_expire", expire, tt.field, value)
			if !tt.same {
				raw := w.call("/pay/unifiedorder", again, "")
				if got := fromXML(t, raw); got["err_code"] != "OUT_TRADE_NO_USED" || got["err_code_des"] != "201 商户订单号重复" {
					t.Fatalf("got %s", raw)
				}
				return
			}
			second := w.ok("/pay/unifiedorder", again, "")["prepay_id"]
			if second == first {
				t.Error("the same prepay_id came twice")
			}
			if n := len(w.sim.transactionViews(10)); n != 1 {
				t.Errorf("%d orders, want 1", n)
			}
			for _, id := range []string{first, second} { // both are alive
				if _, err := w.sim.openSheet(w.bridge(id, ""), "1"); err != nil {
					t.Errorf("prepay_id %s: %v", id, err)
				}
			}
		})
	}
}

func TestQueryFields(t *testing.T) {
	w := newWorld(t, Options{})
	w.order("query00001", "device_info", "WEB")
	unpaid := w.ok("/pay/orderquery", map[string]string{"out_trade_no": "query00001"}, "HMAC-SHA256")
	for _, name := range []string{"openid", "transaction_id", "time_end", "bank_type", "cash_fee", "attach", "trade_type", "is_subscribe"} {
		if _, there := unpaid[name]; there {
			t.Errorf("an unpaid order is told with %s", name)
		}
	}
	if unpaid["trade_state"] != "NOTPAY" || unpaid["trade_state_desc"] != "订单未支付" || unpaid["total_fee"] != "888" {
		t.Errorf("unpaid: %v", unpaid)
	}
	tx := w.pay("query00001")
	paid := w.ok("/pay/orderquery", map[string]string{"transaction_id": tx.TransactionID, "out_trade_no": "nonsense"}, "")
	want := map[string]string{
		"trade_state": "SUCCESS", "trade_state_desc": "支付成功", "out_trade_no": "query00001", "transaction_id": tx.TransactionID,
		"openid": w.openID(1), "trade_type": "JSAPI", "total_fee": "888", "cash_fee": "888", "fee_type": "CNY", "attach": "a=1&b=2", "device_info": "WEB",
	}
	for name, value := range want {
		if paid[name] != value {
			t.Errorf("%s = %q, want %q", name, paid[name], value)
		}
	}
	if !regexp.MustCompile(`^42[0-9]{26}$`).MatchString(tx.TransactionID) {
		t.Errorf("transaction_id %q", tx.TransactionID)
	}
	if _, err := time.ParseInLocation(v2Time, paid["time_end"], beijing); err != nil {
		t.Errorf("time_end: %v", err)
	}
	w.order("query00002")
	w.ok("/pay/closeorder", map[string]string{"out_trade_no": "query00002"}, "")
	if got := w.state("query00002"); got != "CLOSED" {
		t.Errorf("closed order is %s", got)
	}
	w.sim.ledger.orders["query00001"].refunds = []*refund{{OutRefundNo: "R1", Amount: 1}}
	if got := w.state("query00001"); got != "REFUND" {
		t.Errorf("partly refunded order is %s, want REFUND", got)
	}
}

// Real answers take many forms; all of them must occur, and all must verify.
func TestAnswersTakeManyForms(t *testing.T) {
	w := newWorld(t, Options{})
	w.order("forms00001")
	w.pay("forms00001")
	firsts, bare, cdata, unknown := map[string]bool{}, 0, 0, map[string]bool{}
	for range 40 {
		raw := w.call("/pay/orderquery", map[string]string{"out_trade_no": "forms00001"}, "")
		firsts[strings.SplitN(raw, ">", 3)[1]] = true
		if strings.Contains(raw, "<total_fee>888<") {
			bare++
		}
		if strings.Contains(raw, "<total_fee><![CDATA[888]]><") {
			cdata++
		}
		got := fromXML(t, raw)
		if got["sign"] != signFields(got, w.id.APIKey, "") {
			t.Fatalf("answer does not verify: %s", raw)
		}
		for _, name := range newFieldNames {
			if got[name] != "" {
				unknown[name] = true
			}
		}
		if strings.Count(raw, "\n") != len(got) {
			t.Fatalf("not one LF after each element: %q", raw)
		}
	}
	if len(firsts) < 5 || bare == 0 || cdata == 0 || len(unknown) < 3 {
		t.Errorf("first elements %v, bare %d, CDATA %d, unknown fields %v", firsts, bare, cdata, unknown)
	}
}

// The same seed and the same calls give the same day.
func TestSeedRepeats(t *testing.T) {
	day := func(seed int64) string {
		var log strings.Builder
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Options{Seed: seed})
			w.sim.ids.id.APIKey = vectorKey // keys are not drawn from the seed
			w.id = w.sim.Identity()
			log.WriteString(w.call("/pay/unifiedorder", w.orderFields("seed000001"), ""))
			log.WriteString(w.pay("seed000001").TransactionID)
			log.WriteString(w.call("/pay/orderquery", map[string]string{"out_trade_no": "seed000001"}, ""))
		})
		return log.String()
	}
	if a, b := day(11), day(11); a != b {
		t.Errorf("one seed, two days:\n%s\n%s", a, b)
	}
	if a, b := day(11), day(12); a == b {
		t.Error("two seeds gave the same day")
	}
}

func TestOtherTradeTypes(t *testing.T) {
	w := newWorld(t, Options{})
	native := w.ok("/pay/unifiedorder", w.orderFields("native0001", "trade_type", "NATIVE", "openid", "-", "product_id", "1"), "")
	if !strings.HasPrefix(native["code_url"], "weixin://wxpay/bizpayurl?pr=") {
		t.Errorf("code_url %q", native["code_url"])
	}
	scene := `{"h5_info":{"type":"Wap","wap_url":"http://localhost:8080","wap_name":"shop"}}`
	mweb := w.ok("/pay/unifiedorder", w.orderFields("mweb000001", "trade_type", "MWEB", "openid", "-", "scene_info", scene), "")
	if !strings.Contains(mweb["mweb_url"], "/cgi-bin/mmpayweb-bin/checkmweb?prepay_id="+mweb["prepay_id"]+"&package=") {
		t.Errorf("mweb_url %q", mweb["mweb_url"])
	}
	var tx transactionReply
	w.api("POST", "transactions/native0001/pay", `{"openid":"`+w.openID(2)+`"}`, 200, &tx)
	if tx.OpenID != w.openID(2) || tx.State != "SUCCESS" {
		t.Errorf("anybody may pay a Native order, got %+v", tx)
	}
}

// prepay_id lives 2 hours, time_expire ends paying but closes nothing.
func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		expire := time.Now().Add(3 * time.Hour).In(beijing).Format(v2Time)
		old := w.order("expire0001", "time_expire", expire)
		time.Sleep(2*time.Hour + time.Second)
		wantSheet(t, w, old, "调用支付JSAPI缺少参数：total_fee")
		w.api("POST", "transactions/expire0001/pay", "", 409, nil)
		fresh := w.order("expire0001", "time_expire", expire)
		wantSheet(t, w, fresh, "")
		time.Sleep(time.Hour)
		wantSheet(t, w, fresh, "该订单已过期，请重新下单")
		if got := w.state("expire0001"); got != "NOTPAY" {
			t.Errorf("an expired order is %s until it is closed", got)
		}
		raw := w.call("/pay/unifiedorder", w.orderFields("expire0001", "time_expire", expire), "")
		if want := protocolBody("time_expire时间过短，刷卡至少1分钟，其他5分钟"); raw != want {
			t.Errorf("ordered again after the end: %s", raw)
		}
	})
}

// time_expire is the client's honest time; the simulator adds what its own
// clock is ahead.
func TestExpiryOnAnAdvancedClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.api("POST", "clock", `{"advance":"48h"}`, 200, nil)
		no := "ahead00001"
		id := w.order(no, "time_expire", time.Now().Add(30*time.Minute).In(beijing).Format(v2Time))
		wantSheet(t, w, id, "")
		w.api("POST", "clock", `{"advance":"31m"}`, 200, nil)
		wantSheet(t, w, id, "该订单已过期，请重新下单")
	})
}

func wantSheet(t *testing.T, w *world, prepayID, want string) {
	t.Helper()
	_, err := w.sim.openSheet(w.bridge(prepayID, ""), "1")
	got := ""
	if err != nil {
		got = err.(*payRefusal).text
	}
	if got != want {
		t.Errorf("pay sheet says %q, want %q", got, want)
	}
}

// bridge signs the six parameters of the page as JSAPI's document describes.
func (w *world) bridge(prepayID, alg string) bridgeParams {
	if alg == "" {
		alg = "MD5"
	}
	f := map[string]string{
		"appId": w.id.AppID, "timeStamp": "1774495197", "nonceStr": "RIPb5Upk3ku7knU6",
		"package": "prepay_id=" + prepayID, "signType": alg,
	}
	sign := signFields(f, w.id.APIKey, alg)
	return bridgeParams{f["appId"], f["timeStamp"], f["nonceStr"], f["package"], f["signType"], sign, "http://localhost:8080/pay/1"}
}

func TestVerdictsInTheLog(t *testing.T) {
	w := newWorld(t, Options{})
	w.order("verdict001")
	bad := w.orderFields("verdict002")
	maps.Copy(bad, map[string]string{"sign": strings.Repeat("0", 32)})
	w.call("/pay/unifiedorder", bad, "")
	var log []struct{ Verdict, Error, Target, Method string }
	w.api("GET", "requests", "", 200, &log)
	if len(log) != 2 || log[0].Verdict != "refused" || log[0].Error != "签名错误" || log[1].Verdict != "accepted" || log[1].Error != "" {
		t.Errorf("log %+v", log)
	}
}
