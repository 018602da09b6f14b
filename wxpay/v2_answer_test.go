package wxpay

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Error tables of WeChat Pay v2: unifiedorder, orderquery, closeorder, and the
// bodies seen in practice.
func TestAnswersThatRefuse(t *testing.T) {
	sentinelsOf := []error{ErrSignature, ErrNoSuchOrder, ErrAlreadyPaid, ErrClosed, ErrNumberUsed, ErrFrequency, ErrBadNotify}
	tests := []struct {
		name, body string
		code       string
		is         error // the only sentinel that matches
		unknown    bool
	}{
		{name: "INVALID_REQUEST", body: business("INVALID_REQUEST", "参数错误"), code: "INVALID_REQUEST"},
		{name: "INVALID_REQUEST, re-entry", body: business("INVALID_REQUEST", "请求重入时，参数与首次请求时不一致"), code: "INVALID_REQUEST", is: ErrNumberUsed},
		{name: "PARAM_ERROR", body: business("PARAM_ERROR", "appid和openid不匹配"), code: "PARAM_ERROR"},
		{name: "NOAUTH", body: business("NOAUTH", "商户无此接口权限"), code: "NOAUTH"},
		{name: "NOTENOUGH", body: business("NOTENOUGH", "余额不足"), code: "NOTENOUGH"},
		{name: "ORDERPAID", body: business("ORDERPAID", "该订单已支付"), code: "ORDERPAID", is: ErrAlreadyPaid},
		{name: "ORDERCLOSED", body: business("ORDERCLOSED", "订单已关闭"), code: "ORDERCLOSED", is: ErrClosed},
		{name: "SYSTEMERROR", body: business("SYSTEMERROR", "system error"), code: "SYSTEMERROR", unknown: true},
		{name: "BIZERR_NEED_RETRY", body: business("BIZERR_NEED_RETRY", "retry"), code: "BIZERR_NEED_RETRY", unknown: true},
		{name: "APPID_NOT_EXIST", body: business("APPID_NOT_EXIST", "-"), code: "APPID_NOT_EXIST"},
		{name: "MCHID_NOT_EXIST", body: business("MCHID_NOT_EXIST", "-"), code: "MCHID_NOT_EXIST"},
		{name: "APPID_MCHID_NOT_MATCH", body: business("APPID_MCHID_NOT_MATCH", "-"), code: "APPID_MCHID_NOT_MATCH"},
		{name: "LACK_PARAMS", body: business("LACK_PARAMS", "缺少参数"), code: "LACK_PARAMS"},
		{name: "OUT_TRADE_NO_USED", body: business("OUT_TRADE_NO_USED", "201 商户订单号重复"), code: "OUT_TRADE_NO_USED", is: ErrNumberUsed},
		{name: "SIGNERROR", body: business("SIGNERROR", "签名错误"), code: "SIGNERROR"},
		{name: "XML_FORMAT_ERROR", body: business("XML_FORMAT_ERROR", "-"), code: "XML_FORMAT_ERROR"},
		{name: "REQUIRE_POST_METHOD", body: business("REQUIRE_POST_METHOD", "-"), code: "REQUIRE_POST_METHOD"},
		{name: "POST_DATA_EMPTY", body: business("POST_DATA_EMPTY", "-"), code: "POST_DATA_EMPTY"},
		{name: "NOT_UTF8", body: business("NOT_UTF8", "-"), code: "NOT_UTF8"},
		{name: "ORDERNOTEXIST", body: business("ORDERNOTEXIST", "订单不存在"), code: "ORDERNOTEXIST", is: ErrNoSuchOrder},
		{name: "TRADE_STATE_ERROR", body: business("TRADE_STATE_ERROR", "-"), code: "TRADE_STATE_ERROR"},
		{name: "FREQUENCY_LIMITED", body: business("FREQUENCY_LIMITED", "频率限制"), code: "FREQUENCY_LIMITED", is: ErrFrequency},
		{name: "a code of tomorrow", body: business("BRAND_NEW", "?"), code: "BRAND_NEW"},
		{name: "no code", body: business("", ""), unknown: true},

		{name: "bad sign", body: protocolFail("签名错误")},
		{name: "bad sign, later text", body: protocolFail("签名错误，请检查后再试")},
		{name: "missing parameter", body: protocolFail("缺少参数")},
		{name: "malformed value", body: protocolFail("mch_id参数格式错误")},
		{name: "app and merchant", body: protocolFail("appid和mch_id不匹配")},
		{name: "XML format", body: protocolFail("XML格式错误")},
		{name: "expiry too short", body: protocolFail("time_expire时间过短，刷卡至少1分钟，其他5分钟")},
		{name: "payer's address", body: protocolFail("invalid spbill_create_ip")},
		{name: "not POST", body: protocolFail("请使用post方法")},
		{name: "system error, form 1", body: protocolFail("system error"), unknown: true},
		{name: "busy", body: protocolFail("系统繁忙，请稍后再试"), unknown: true},
		{name: "refusal without a word", body: protocolFail(""), unknown: true},

		{name: "system error, form 2, unsigned", body: unsigned("FAIL", "SYSTEMERROR"), code: "SYSTEMERROR", is: ErrSignature, unknown: true},
		{name: "paid, unsigned", body: unsigned("FAIL", "ORDERPAID"), code: "ORDERPAID", is: ErrSignature, unknown: true},
		{name: "no such order, unsigned", body: unsigned("FAIL", "ORDERNOTEXIST"), code: "ORDERNOTEXIST", is: ErrSignature, unknown: true},
		{name: "closed, unsigned", body: unsigned("FAIL", "ORDERCLOSED"), code: "ORDERCLOSED", is: ErrSignature, unknown: true},
	}
	for _, tt := range tests {
		c := newTestClient(t, testConfig(newGateway(t, always(tt.body)).URL))
		_, prepay := c.Prepay(t.Context(), testOrder())
		_, query := c.Query(t.Context(), Ref{OutTradeNo: testNo})
		shut := c.Close(t.Context(), Ref{OutTradeNo: testNo})
		for op, err := range map[string]error{opPlace: prepay, opQuery: query, opClose: shut} {
			if op == opClose && tt.is == ErrClosed {
				if err != nil {
					t.Errorf("%s: closing a closed order: %v", tt.name, err)
				}
				continue
			}
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Op != op || e.Code != tt.code || e.Unknown != tt.unknown || IsUnknown(fmt.Errorf("order: %w", err)) != tt.unknown {
				t.Errorf("%s: %s: %#v, want code %q, unknown %t", tt.name, op, err, tt.code, tt.unknown)
			}
			for _, s := range sentinelsOf {
				if got := errors.Is(err, s); got != (s == tt.is) {
					t.Errorf("%s: %s: errors.Is(%v, %v) = %t", tt.name, op, err, s, got)
				}
			}
		}
	}
}

func protocolFail(text string) string {
	return "<xml><return_code><![CDATA[FAIL]]></return_code>\n<return_msg><![CDATA[" + text + "]]></return_msg>\n</xml>"
}

func unsigned(result, code string) string {
	return "<xml><return_code><![CDATA[SUCCESS]]></return_code>\n<return_msg><![CDATA[OK]]></return_msg>\n<result_code><![CDATA[" +
		result + "]]></result_code>\n<err_code><![CDATA[" + code + "]]></err_code>\n</xml>"
}

// P22, and "never failed": whatever is wrong with an answer, the outcome is
// unknown and the next try carries the same number.
func TestAnswersThatSayNothing(t *testing.T) {
	ok := placed()
	paid := message{{"result_code", "SUCCESS"}, {"prepay_id", "wx06"}, {"out_trade_no", testNo}, {"trade_state", "SUCCESS"}, {"transaction_id", "42"}, {"total_fee", "888"}}
	tests := []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request, message)
	}{
		{"unsigned success", always(unsigned("SUCCESS", ""))},
		{"success with an empty sign", always(string(encode(append(paid, field{"return_code", "SUCCESS"}, field{"sign", ""}))))},
		{"MD5 where HMAC was asked", always(signedAnswer(paid, MD5, vectorKey))}, // X7
		{"another key", always(signedAnswer(paid, HMACSHA256, strings.Repeat("k", 32)))},
		{"one flipped digit", always(strings.Replace(ok, "wx06", "wx07", 1))},
		{"sign_type that disagrees", always(signedAnswer(append(paid, field{"sign_type", "MD5"}), HMACSHA256, vectorKey))},
		{"no result_code", always(signedAnswer(message{{"prepay_id", "wx06"}}, HMACSHA256, vectorKey))},
		{"no return_code", always("<xml><prepay_id>wx06</prepay_id></xml>")},
		{"another return_code", always("<xml><return_code>PARAM_ERROR</return_code><return_msg>no</return_msg></xml>")},
		{"sandbox retmsg", always("<xml><retmsg>x</retmsg><retcode>1</retcode></xml>")},
		{"HTML", always("<html><body>502 Bad Gateway</body></html>")},
		{"empty", always("")},
		{"JSON", always(`{"code":"SUCCESS"}`)},
		{"cut", always(ok[:len(ok)-20])},
		{"cut by the connection", func(w http.ResponseWriter, _ *http.Request, _ message) {
			w.Header().Set("Content-Length", fmt.Sprint(len(ok)))
			io.WriteString(w, ok[:40])
		}},
		{"reset", func(http.ResponseWriter, *http.Request, message) { panic(http.ErrAbortHandler) }},
		{"500", func(w http.ResponseWriter, _ *http.Request, _ message) {
			w.WriteHeader(500)
			io.WriteString(w, ok)
		}},
		{"404", func(w http.ResponseWriter, _ *http.Request, _ message) {
			w.WriteHeader(404)
			io.WriteString(w, ok)
		}},
		{"redirect", func(w http.ResponseWriter, r *http.Request, _ message) {
			http.Redirect(w, r, "/pay/elsewhere", http.StatusTemporaryRedirect)
		}},
		{"too long", always(strings.Replace(ok, "</xml>", strings.Repeat("\n", maxAnswer)+"</xml>", 1))},
		{"for another app", always(string(encode(signed(message{{"return_code", "SUCCESS"}, {"result_code", "SUCCESS"}, {"prepay_id", "wx06"},
			{"appid", "wx9999999999999999"}, {"mch_id", testMch}}, HMACSHA256, vectorKey))))},
		{"for another merchant", always(string(encode(signed(message{{"return_code", "SUCCESS"}, {"result_code", "SUCCESS"}, {"prepay_id", "wx06"},
			{"appid", testApp}, {"mch_id", "1900000110"}}, HMACSHA256, vectorKey))))},
		{"for nobody", always(string(encode(signed(message{{"return_code", "SUCCESS"}, {"result_code", "SUCCESS"}, {"prepay_id", "wx06"}}, HMACSHA256, vectorKey))))},
		{"timeout", func(w http.ResponseWriter, r *http.Request, _ message) { <-r.Context().Done() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, tt.answer)
			cfg := testConfig(g.URL)
			if tt.name == "timeout" {
				cfg.Timeout = 200 * time.Millisecond
			}
			c := newTestClient(t, cfg)
			_, prepay := c.Prepay(t.Context(), testOrder())
			_, again := c.Prepay(t.Context(), testOrder())
			_, query := c.Query(t.Context(), Ref{OutTradeNo: testNo})
			shut := c.Close(t.Context(), Ref{OutTradeNo: testNo})
			for op, err := range map[string]error{"prepay": prepay, "again": again, "query": query, "close": shut} {
				if !IsUnknown(err) {
					t.Errorf("%s: %v, want an unknown outcome", op, err)
				}
			}
			for _, m := range g.requests() {
				if m.get("out_trade_no") != testNo {
					t.Errorf("asked with number %q, want %q", m.get("out_trade_no"), testNo)
				}
			}
			if n := len(g.requests()); n != 4 {
				t.Errorf("%d requests, want 4", n)
			}
		})
	}
}
