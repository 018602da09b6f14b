package sim

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const jsapiV3 = "/v3/pay/transactions/jsapi"

// paramText is a PARAM_ERROR as WeChat writes it.
func paramText(location, value, message string) string {
	return `{"code":"PARAM_ERROR","detail":{"location":` + location + `,"value":` + value + `},"message":"` + message + `"}`
}

// Every parameter that is not as documented, to the byte.
func TestParametersOfAPIv3(t *testing.T) {
	w := newWorld(t, Options{})
	missing := func(path, words string) string {
		return paramText(`"body"`, `""`, "输入源“/body/"+path+"”映射到字段“"+words+"”必填性规则校验失败，此字段为必填项")
	}
	undefined := func(pointers string) string {
		return paramText("null", "["+pointers+"]", "请求中含有未在API文档中定义的参数")
	}
	long, emoji := strings.Repeat("茶", 46)+"ab", "茶🍵"
	tests := []struct {
		name   string
		target string
		change []any
		want   string
	}{
		{"no appid", jsapiV3, []any{"appid", nil}, missing("appid", "公众号ID")},
		{"no amount", jsapiV3, []any{"amount", nil}, missing("amount", "订单金额")},
		{"no total", jsapiV3, []any{"amount.total", nil}, missing("amount/total", "总金额")},
		{"no notify_url", jsapiV3, []any{"notify_url", nil}, missing("notify_url", "通知地址")},
		{"yuan", jsapiV3, []any{"amount.total", "9.90"}, paramText(`"body"`, `"9.90"`, "无法将 JSON 输入源“/body/amount/total”映射到目标字段“总金额”中，此字段需要一个合法的 64 位有符号整数")},
		{"fraction", jsapiV3, []any{"amount.total", 9.9}, paramText(`"body"`, `9.9`, "无法将 JSON 输入源“/body/amount/total”映射到目标字段“总金额”中，此字段需要一个合法的 64 位有符号整数")},
		{"number for text", jsapiV3, []any{"description", 12}, paramText(`"body"`, `12`, "无法将 JSON 输入源“/body/description”映射到目标字段“商品描述”中，此字段需要一个 string 类型的 Json 值")},
		{"text for array", jsapiV3, []any{"limit_pay", "no_credit"}, paramText(`"body"`, `"no_credit"`, "无法将 JSON 输入源“/body/limit_pay”映射到多重字段“指定支付方式”中，此字段需要 JSON 数组对象")},
		{"text for object", jsapiV3, []any{"payer", "o"}, paramText(`"body"`, `"o"`, "无法将 JSON 输入源“/body/payer”映射到目标字段“支付者”中，此字段需要一个 object 类型的 Json 值")},
		{"text for bool", jsapiV3, []any{"support_fapiao", "true"}, paramText(`"body"`, `"true"`, "无法将 JSON 输入源“/body/support_fapiao”映射到目标字段“电子发票入口开放标识”中，此字段需要一个 boolean 类型的 Json 值")},
		{"null", jsapiV3, []any{"payer.openid", any(nullJSON{})}, paramText(`"body"`, `null`, "无法将 JSON 输入源“/body/payer/openid”映射到目标字段“用户标识”中，此字段需要一个 string 类型的 Json 值")},
		{"nothing to pay", jsapiV3, []any{"amount.total", 0}, paramText(`"body"`, `0`, "输入源“/body/amount/total”映射到数值字段“总金额”规则校验失败，值低于最小值 1")},
		{"too long", jsapiV3, []any{"description", long}, paramText(`"body"`, `140`, "输入源“/body/description”映射到值字段“商品描述”字符串规则校验失败，字节数 140，大于最大值 127")},
		{"empty", jsapiV3, []any{"attach", ""}, paramText(`"body"`, `0`, "输入源“/body/attach”映射到值字段“附加数据”字符串规则校验失败，字节数 0，小于最小值 1")},
		{"short number", jsapiV3, []any{"out_trade_no", "12345"}, paramText(`"body"`, `5`, "输入源“/body/out_trade_no”映射到值字段“商户订单号”字符串规则校验失败，字节数 5，小于最小值 6")},
		{"odd number", jsapiV3, []any{"out_trade_no", "1234 6"}, paramText(`"body"`, `"1234 6"`, "输入源“/body/out_trade_no”映射到值字段“商户订单号”字符串规则校验失败，格式不正确")},
		{"emoji", jsapiV3, []any{"description", emoji}, paramText(`"body"`, `"`+emoji+`"`, "输入源“/body/description”映射到值字段“商品描述”字符串规则校验失败，只支持 1 到 3 字节的 UTF-8 字符")},
		{"currency", jsapiV3, []any{"amount.currency", "USD"}, paramText(`"body"`, `"USD"`, "输入源“/body/amount/currency”映射到枚举字段“货币类型”规则校验失败，枚举值不存在")},
		{"query in notify_url", jsapiV3, []any{"notify_url", "https://a.example/n?x=1"}, paramText(`"body"`, `"https://a.example/n?x=1"`, "输入源“/body/notify_url”映射到值字段“通知地址”字符串规则校验失败，格式不正确")},
		{"v2 time", jsapiV3, []any{"time_expire", "20300101000000"}, paramText(`"body"`, `"20300101000000"`, "输入源“/body/time_expire”映射到值字段“交易结束时间”字符串规则校验失败，格式不正确")},
		{"no such day", jsapiV3, []any{"time_expire", "2030-02-31T00:00:00+08:00"}, paramText(`"body"`, `"2030-02-31T00:00:00+08:00"`, "输入源“/body/time_expire”映射到值字段“交易结束时间”字符串规则校验失败，格式不正确")},
		{"trade_type of v2", jsapiV3, []any{"trade_type", "JSAPI"}, undefined(`"/body/trade_type"`)},
		{"profit_sharing at the top", jsapiV3, []any{"profit_sharing", true, "a/b", object{"c": 1, "d~": object{}}}, undefined(`"/body/a~1b/c","/body/a~1b/d~0","/body/profit_sharing"`)},
		{"payer of a Native order", "/v3/pay/transactions/native", nil, undefined(`"/body/payer/openid"`)},
		{"goods without id", jsapiV3, []any{"detail", object{"goods_detail": []object{{"quantity": 1, "unit_price": 1}}}}, missing("detail/goods_detail/0/merchant_goods_id", "商户侧商品编码")},
		{"h5 without scene", "/v3/pay/transactions/h5", []any{"payer", nil}, missing("scene_info", "场景信息")},
		{"h5 without ip", "/v3/pay/transactions/h5", []any{"payer", nil, "scene_info", object{"h5_info": object{"type": "Wap"}}}, missing("scene_info/payer_client_ip", "用户终端IP")},
		{"h5 with a bad ip", "/v3/pay/transactions/h5", []any{"payer", nil, "scene_info", object{"payer_client_ip": "1.2.3", "h5_info": object{"type": "Wap"}}},
			paramText(`"body"`, `"1.2.3"`, "输入源“/body/scene_info/payer_client_ip”映射到值字段“用户终端IP”字符串规则校验失败，格式不正确")},
		{"other merchant", jsapiV3, []any{"mchid", "1900009999", "appid", nil}, `{"code":"PARAM_ERROR","message":"http header中的mchid与post payload中的mchid不匹配"}`},
		{"no openid", jsapiV3, []any{"payer", nil}, `{"code":"PARAM_ERROR","message":"JSAPI支付必须传openid"}`},
		{"openid of another appid", jsapiV3, []any{"appid", w.id.MiniAppID}, `{"code":"PARAM_ERROR","message":"appid和openid不匹配"}`},
		{"unknown appid", jsapiV3, []any{"appid", "wx1"}, `{"code":"APPID_MCHID_NOT_MATCH","message":"appid和mch_id不匹配"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			refused(w, "POST", tt.target, w.fieldsV3("param00001", tt.change...), 400, tt.want)
		})
	}
	if len(w.sim.ledger.orders) != 0 {
		t.Errorf("%d orders were placed", len(w.sim.ledger.orders))
	}
}

// nullJSON is written null; changed takes a nil away.
type nullJSON struct{}

func (nullJSON) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// Bodies, paths and queries that no document knows.
func TestRequestsOfAPIv3(t *testing.T) {
	w := newWorld(t, Options{})
	w.orderV3("request0001")
	const notJSON = `{"code":"PARAM_ERROR","message":"请求体不是合法的 JSON 对象"}`
	good := asJSON(w.fieldsV3("request0002"))
	mch := w.id.MchID
	for _, tt := range []struct {
		method, target string
		body           string
		status         int
		want           string
	}{
		{"POST", jsapiV3, "", 400, notJSON},
		{"POST", jsapiV3, "[]", 400, notJSON},
		{"POST", jsapiV3, "<xml/>", 400, notJSON},
		{"POST", jsapiV3, good + good, 400, notJSON},
		{"POST", jsapiV3, strings.Replace(good, "888", "0888", 1), 400, notJSON},
		{"POST", jsapiV3, strings.Replace(good, "图书", "图\xe4书", 1), 400, notJSON},
		{"POST", jsapiV3, strings.Replace(good, `{"amount"`, `{"attach":"x","amount"`, 1), 400, paramText(`"body"`, `"a=1\u0026b=2"`, "无法将输入源“/body/attach”映射到目标字段“附加数据”中，此字段并非多重字段但被输入源“/body/attach”映射过了。")},
		{"GET", "/v3/pay/transactions/out-trade-no/request0001", "", 400, paramText(`"query"`, `""`, "输入源“/query/mchid”映射到字段“商户号”必填性规则校验失败，此字段为必填项")},
		{"GET", "/v3/pay/transactions/out-trade-no/request0001?mchid=" + mch + "&x=1", "", 400, paramText(`null`, `["/query/x"]`, "请求中含有未在API文档中定义的参数")},
		{"GET", "/v3/pay/transactions/out-trade-no/request0001?mchid=" + mch + "&mchid=" + mch, "", 400,
			`{"code":"PARAM_ERROR","message":"无法将输入源“/query/mchid”映射到目标字段“商户号”中，此字段并非多重字段但被输入源“/query/mchid”映射过了。"}`},
		{"GET", "/v3/pay/transactions/out-trade-no/request0001?mchid=1900009999", "", 400, `{"code":"PARAM_ERROR","message":"http header中的mchid与post payload中的mchid不匹配"}`},
		{"GET", "/v3/pay/transactions/out-trade-no/" + strings.Repeat("1", 33) + "?mchid=" + mch, "", 400, paramText(`"uri_template"`, `33`, "输入源“/uri_template/out_trade_no”映射到值字段“商户订单号”字符串规则校验失败，字节数 33，大于最大值 32")},
		{"GET", "/v3/pay/transactions/id/123?mchid=" + mch, "", 400, `{"code":"PARAM_ERROR","message":"微信订单号非法"}`},
		{"POST", "/v3/pay/transactions/out-trade-no/request0001/close", `{"mchid":"` + mch + `","out_trade_no":"request0001"}`, 400,
			`{"code":"PARAM_ERROR","message":"无法将输入源“/body/out_trade_no”映射到目标字段“商户订单号”中，此字段并非多重字段但被输入源“/uri_template/out_trade_no”映射过了。"}`},
		{"GET", "/v3/pay/transactions/out-trade-no/nobody00001?mchid=" + mch, "", 404, `{"code":"ORDER_NOT_EXIST","message":"订单不存在"}`},
		{"GET", "/v3/pay/transactions/id/4200000000202601010000000000?mchid=" + mch, "", 404, `{"code":"ORDER_NOT_EXIST","message":"订单不存在"}`},
		{"POST", "/v3/pay/transactions/codepay", `{}`, 403, `{"code":"NO_AUTH","message":"商户号该产品权限未开通，请前往商户平台>产品中心检查后重试"}`},
	} {
		refused(w, tt.method, tt.target, tt.body, tt.status, tt.want)
	}
}

// Only API v3 has empty answers for what it does not know; the end of
// Request-ID tells what was wrong.
func TestEmptyAnswersOfAPIv3(t *testing.T) {
	w := newWorld(t, Options{})
	for target, want := range map[string]int{
		"GET " + jsapiV3: 405, "DELETE " + refundsV3: 405, "POST /v3/certificates": 405, "POST /v3/bill/tradebill": 405,
		"GET /v3/nothing": 404, "POST /v3/pay/transactions/jsapi/more": 404, "GET /v3/pay/transactions/out-trade-no/a%2Fb/c": 404, "GET /v3/": 404,
	} {
		method, path, _ := strings.Cut(target, " ")
		rec := w.do(method, path, "")
		if rec.Code != want || rec.Body.Len() != 0 || rec.Header().Get("Request-Id") == "" || rec.Header().Get("Wechatpay-Signature") != "" {
			t.Errorf("%s: %d %q %v", target, rec.Code, rec.Body, rec.Header())
		}
	}
	if rec := w.v3("POST", "/sandboxnew"+jsapiV3, "{}"); rec.Code != 404 || rec.Header().Get("Request-Id") != "" {
		t.Errorf("a sandbox of API v3: %d %s", rec.Code, rec.Body)
	}
	rec := w.v3("GET", "/v3/pay/transactions/out-trade-no/nobody00001?mchid="+w.id.MchID, "")
	if !strings.HasSuffix(rec.Header().Get("Request-Id"), "-268512771") {
		t.Errorf("Request-ID %q", rec.Header().Get("Request-Id"))
	}
	w.mustVerify(rec.Header(), rec.Body.Bytes())
	if rec := w.do("POST", jsapiV3, "{}"); rec.Code != 401 || rec.Header().Get("Wechatpay-Signature") != "" || !strings.HasSuffix(rec.Header().Get("Request-Id"), "-268443699") {
		t.Errorf("unsigned: %d %v", rec.Code, rec.Header())
	}
}

// Both spellings of a number verify, since the raw target is what was signed.
func TestRawTargetOfAPIv3(t *testing.T) {
	w := newWorld(t, Options{})
	w.orderV3("a|b*c-1_Z")
	for _, spelling := range []string{"a|b*c-1_Z", "a%7Cb%2Ac-1_Z", "a%7cb*c-1%5FZ"} {
		if state := w.stateV3(spelling); state != "NOTPAY" {
			t.Errorf("%s: %s", spelling, state)
		}
	}
}

// What may not be done with an order in its state.
func TestOrderRulesOfAPIv3(t *testing.T) {
	w := newWorld(t, Options{})
	mch := object{"mchid": w.id.MchID}
	closing := func(no string) string { return "/v3/pay/transactions/out-trade-no/" + no + "/close" }
	const reentry = `{"code":"INVALID_REQUEST","message":"请求重入时，参数与首次请求时不一致"}`
	first := w.orderV3("rules00001")
	if again := w.orderV3("rules00001"); again == first {
		t.Error("the same prepay_id came twice")
	}
	for _, change := range [][]any{{"amount.total", 889}, {"description", "x"}, {"notify_url", "http://localhost:8080/other"}, {"attach", nil},
		{"payer.openid", w.openID(2)}, {"time_expire", "2030-01-01T00:00:00+08:00"}, {"detail", object{"cost_price": 1}}} {
		refused(w, "POST", jsapiV3, w.fieldsV3("rules00001", change...), 400, reentry)
	}
	refused(w, "POST", "/v3/pay/transactions/app", w.fieldsV3("rules00001", "payer", nil), 400, reentry)
	w.set(`{"reentry":"repeated"}`)
	refused(w, "POST", jsapiV3, w.fieldsV3("rules00001", "amount.total", 889), 400, `{"code":"INVALID_REQUEST","message":"201 商户订单号重复"}`)
	w.set(`{"reentry":"used"}`)
	refused(w, "POST", jsapiV3, w.fieldsV3("rules00001", "amount.total", 889), 403, `{"code":"OUT_TRADE_NO_USED","message":"商户订单号重复"}`)
	w.set(`{"reentry":"mismatch"}`)
	w.pay("rules00001")
	refused(w, "POST", jsapiV3, w.fieldsV3("rules00001"), 400, `{"code":"ORDERPAID","message":"该订单已支付"}`)
	refused(w, "POST", closing("rules00001"), mch, 400, `{"code":"ORDERPAID","message":"该订单已支付"}`)
	w.orderV3("rules00002")
	w.v3OK("POST", closing("rules00002"), asJSON(mch))
	refused(w, "POST", jsapiV3, w.fieldsV3("rules00002"), 400, `{"code":"ORDER_CLOSED","message":"订单已关闭"}`)
	// A number that was closed before it was used is lost.
	for range 2 {
		w.v3OK("POST", closing("rules00003"), asJSON(mch))
	}
	refused(w, "POST", jsapiV3, w.fieldsV3("rules00003"), 400, reentry)
	refused(w, "GET", "/v3/pay/transactions/out-trade-no/rules00003?mchid="+w.id.MchID, nil, 404, `{"code":"ORDER_NOT_EXIST","message":"订单不存在"}`)
	w.set(`{"close_unknown":"not_exist"}`)
	refused(w, "POST", closing("rules00004"), mch, 404, `{"code":"ORDER_NOT_EXIST","message":"订单不存在"}`)
	w.orderV3("rules00004")
}

// What may not be given back.
func TestRefundRulesOfAPIv3(t *testing.T) {
	w := newWorld(t, Options{})
	w.orderV3("refund00001")
	refund := func(fen, total int64, pairs ...any) object {
		return w.refundFieldsV3("refund00001", "R1", fen, total, pairs...)
	}
	const noOrder = `{"code":"RESOURCE_NOT_EXISTS","message":"订单不存在"}`
	refused(w, "POST", refundsV3, refund(1, 888), 404, noOrder) // unpaid
	refused(w, "POST", refundsV3, refund(1, 888, "out_trade_no", "nobody00001"), 404, noOrder)
	txn := w.pay("refund00001").TransactionID
	refused(w, "GET", refundsV3+"/R1", nil, 404, `{"code":"RESOURCE_NOT_EXISTS","message":"退款单不存在"}`)
	for _, tt := range []struct {
		body object
		want string
	}{
		{refund(0, 888), paramText(`"body"`, `0`, "输入源“/body/amount/refund”映射到数值字段“退款金额”规则校验失败，值低于最小值 1")},
		{refund(1, 888, "amount.currency", nil), paramText(`"body"`, `""`, "输入源“/body/amount/currency”映射到字段“退款币种”必填性规则校验失败，此字段为必填项")},
		{refund(1, 888, "mchid", w.id.MchID), paramText(`null`, `["/body/mchid"]`, "请求中含有未在API文档中定义的参数")},
		{refund(1, 888, "out_trade_no", nil), `{"code":"PARAM_ERROR","message":"transaction_id和out_trade_no必须传一个"}`},
		{refund(1, 888, "transaction_id", "12"), `{"code":"PARAM_ERROR","message":"微信订单号非法"}`},
		{refund(889, 888), `{"code":"INVALID_REQUEST","message":"申请退款金额超过订单可退金额"}`},
		{refund(1, 887), `{"code":"INVALID_REQUEST","message":"您的请求参数与订单信息不一致"}`},
		{refund(10, 888, "amount.from", []object{{"account": "AVAILABLE", "amount": 9}}), `{"code":"INVALID_REQUEST","message":"invalid sum from amount"}`},
		{refund(1, 888, "funds_account", "MINE"), paramText(`"body"`, `"MINE"`, "输入源“/body/funds_account”映射到枚举字段“退款资金来源”规则校验失败，枚举值不存在")},
		{refund(1, 888, "notify_url", "http://a/?b"), paramText(`"body"`, `"http://a/?b"`, "输入源“/body/notify_url”映射到值字段“退款结果回调url”字符串规则校验失败，格式不正确")},
	} {
		refused(w, "POST", refundsV3, tt.body, 400, tt.want)
	}
	w.next("not-enough", 1)
	refused(w, "POST", refundsV3, refund(1, 888), 403, `{"code":"NOT_ENOUGH","message":"基本账户余额不足，请充值后重新发起"}`)
	part := w.answer("POST", refundsV3, refund(10, 888, "transaction_id", txn, "out_trade_no", nil, "funds_account", "UNSETTLED",
		"amount.from", []object{{"account": "AVAILABLE", "amount": 4}, {"account": "UNAVAILABLE", "amount": 6}},
		"goods_detail", []object{{"merchant_goods_id": "tea", "unit_price": 10, "refund_amount": 10, "refund_quantity": 1}}))
	if part["funds_account"] != "UNSETTLED" || len(part["amount"].(object)["from"].([]any)) != 2 {
		t.Errorf("accepted: %v", part)
	}
	const mismatch = `{"code":"INVALID_REQUEST","message":"订单金额或退款金额与之前请求不一致，请核实后再试"}`
	refused(w, "POST", refundsV3, refund(11, 888), 400, mismatch)
	refused(w, "POST", refundsV3, refund(10, 887), 400, mismatch)
	w.answer("POST", refundsV3, w.refundFieldsV3("refund00001", "R2", 878, 888))
	refused(w, "POST", refundsV3, w.refundFieldsV3("refund00001", "R3", 1, 888), 400, `{"code":"INVALID_REQUEST","message":"订单已全额退款"}`)
	// Fifty parts at most.
	w.orderV3("refund00002")
	w.pay("refund00002")
	for i := range 50 {
		w.answer("POST", refundsV3, w.refundFieldsV3("refund00002", fmt.Sprintf("part%d", i), 1, 888))
	}
	refused(w, "POST", refundsV3, w.refundFieldsV3("refund00002", "part50", 1, 888), 400, `{"code":"INVALID_REQUEST","message":"单笔订单最多可发起50次部分退款"}`)
	// After a year nothing is given back.
	w.api("POST", "clock", `{"advance":"8761h"}`, 200, nil)
	refused(w, "POST", refundsV3, w.refundFieldsV3("refund00002", "late", 1, 888), 400, `{"code":"TRADE_OVERDUE","message":"订单已经超过退款期限"}`)
}

// The settings of the account hold for API v3 too, with the remedy in the log.
func TestAccountMistakesOfAPIv3(t *testing.T) {
	w := newWorld(t, Options{})
	w.set(`{"enforce":true,"products":["NATIVE"]}`)
	refused(w, "POST", jsapiV3, w.fieldsV3("account0001"), 403, `{"code":"NO_AUTH","message":"商户号该产品权限未开通，请前往商户平台>产品中心检查后重试"}`)
	w.answer("POST", "/v3/pay/transactions/native", w.fieldsV3("account0002", "payer", nil))
	w.set(`{"products":["JSAPI"],"bound_app_ids":["` + w.id.MiniAppID + `"]}`)
	refused(w, "POST", jsapiV3, w.fieldsV3("account0003"), 400, `{"code":"APPID_MCHID_NOT_MATCH","message":"appid和mch_id不匹配"}`)
	refused(w, "GET", "/v3/bill/tradebill", nil, 400, paramText(`"query"`, `""`, "输入源“/query/bill_date”映射到字段“账单日期”必填性规则校验失败，此字段为必填项"))
	all, _ := w.sim.events.since(0)
	found := ""
	for _, h := range all {
		if h.detail != nil {
			found += h.detail.Problem
		}
	}
	if !strings.Contains(found, "bound_app_ids") || !strings.Contains(found, "products of") {
		t.Errorf("remedies: %q", found)
	}
}

// An end that lies behind is lifted to a minute from now; an order that nobody
// paid is closed after seven days.
func TestExpiryOfAPIv3(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		past := time.Now().Add(-time.Hour).In(beijing).Format(time.RFC3339)
		w.orderV3("expiry00001", "time_expire", past)
		if left := time.Until(w.sim.ledger.orders["expiry00001"].Expires); left != time.Minute {
			t.Errorf("%s are left", left)
		}
		w.orderV3("expiry00001", "time_expire", past)
		w.orderV3("expiry00002")
		w.api("POST", "clock", `{"advance":"167h"}`, 200, nil)
		if state := w.stateV3("expiry00002"); state != "NOTPAY" {
			t.Errorf("after seven days less an hour: %s", state)
		}
		w.api("POST", "clock", `{"advance":"1h"}`, 200, nil)
		refused(w, "POST", jsapiV3, w.fieldsV3("expiry00001", "time_expire", past), 400, `{"code":"ORDER_CLOSED","message":"订单已关闭"}`)
		if state := w.stateV3("expiry00002"); state != "CLOSED" {
			t.Errorf("after seven days: %s", state)
		}
	})
}

// A service provider's orders: other names, and nobody else's.
func TestPartnerOfAPIv3(t *testing.T) {
	w := newWorld(t, Options{})
	const base = "/v3/pay/partner/transactions/"
	fields := func(no string, pairs ...any) object {
		return changed(w.fieldsV3(no, "appid", nil, "mchid", nil, "sp_appid", w.id.AppID, "sp_mchid", w.id.MchID, "sub_mchid", w.id.SubMchID,
			"payer", object{"sp_openid": w.openID(1)}), pairs...)
	}
	who := "?sp_mchid=" + w.id.MchID + "&sub_mchid=" + w.id.SubMchID
	refused(w, "POST", base+"jsapi", fields("partner001", "sub_mchid", "1900009999"), 400, `{"code":"MCH_NOT_EXISTS","message":"商户号不存在"}`)
	refused(w, "POST", base+"jsapi", fields("partner001", "payer", object{"sub_openid": w.openID(1)}), 400,
		paramText(`"body"`, `""`, "输入源“/body/sub_appid”映射到字段“子商户公众号ID”必填性规则校验失败，此字段为必填项"))
	w.answer("POST", base+"jsapi", fields("partner001"))
	w.answer("POST", base+"jsapi", fields("partner002", "sub_appid", w.id.MiniAppID, "payer", object{"sub_openid": w.sim.people()[0].MiniOpenID}))
	w.pay("partner002")
	tx := w.answer("GET", base+"out-trade-no/partner002"+who, nil)
	if tx["sp_mchid"] != w.id.MchID || tx["sub_mchid"] != w.id.SubMchID || tx["mchid"] != nil || tx["payer"].(object)["sub_openid"] != w.sim.people()[0].MiniOpenID {
		t.Errorf("the order: %v", tx)
	}
	refused(w, "GET", "/v3/pay/transactions/out-trade-no/partner001?mchid="+w.id.MchID, nil, 400, `{"code":"INVALID_REQUEST","message":"商户号和订单不匹配"}`)
	refused(w, "POST", refundsV3, w.refundFieldsV3("partner002", "P1", 1, 888), 400, `{"code":"INVALID_REQUEST","message":"商户号和订单不匹配"}`)
	refused(w, "POST", refundsV3, w.refundFieldsV3("partner002", "P1", 1, 888, "sub_mchid", "1900009999"), 404, `{"code":"MCH_NOT_EXISTS","message":"商户号不存在"}`)
	w.answer("POST", refundsV3, w.refundFieldsV3("partner002", "P1", 1, 888, "sub_mchid", w.id.SubMchID))
	refused(w, "GET", refundsV3+"/P1", nil, 404, `{"code":"RESOURCE_NOT_EXISTS","message":"退款单不存在"}`)
	if r := w.answer("GET", refundsV3+"/P1?sub_mchid="+w.id.SubMchID, nil); r["status"] != "PROCESSING" {
		t.Errorf("the refund: %v", r)
	}
	closed := w.v3("POST", base+"out-trade-no/partner001/close", asJSON(object{"sp_mchid": w.id.MchID, "sub_mchid": w.id.SubMchID}))
	if closed.Code != http.StatusNoContent {
		t.Errorf("closed: %d %s", closed.Code, closed.Body)
	}
}
