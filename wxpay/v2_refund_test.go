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

const testRefundNo = "R20250806000001"

func testRefund() RefundOrder {
	return RefundOrder{
		OutTradeNo: testNo, OutRefundNo: testRefundNo, Total: 888, Amount: 300, Reason: "不想要了 🍵",
		NotifyURL: "https://shop.example.com/wxpay/refund-notify",
	}
}

// accepted is what a refund is answered with.
var accepted = message{
	{"out_refund_no", testRefundNo}, {"refund_id", "50000404922017112502468056157"}, {"refund_fee", "300"}, {"total_fee", "888"},
	{"transaction_id", "4200000001202508061234567890"}, {"refund_channel", ""}, {"cash_fee", "788"},
}

// V12, and the answer that says no more than "accepted".
func TestRefund(t *testing.T) {
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request, m message) {
		if r.URL.Path != "/secapi/pay/refund" {
			t.Errorf("asked %s", r.URL.Path)
		}
		echoing(accepted)(w, r, m)
	})
	c := newTestClient(t, testConfig(g.URL))
	for _, sign := range []SignType{HMACSHA256, MD5} {
		o := testRefund()
		o.SignType = sign
		r, err := c.Refund(t.Context(), o)
		if err != nil || r.State != RefundProcessing || r.OutRefundNo != testRefundNo || r.RefundID != "50000404922017112502468056157" ||
			r.Amount != 300 || r.Total != 888 || r.OutTradeNo != testNo || r.AppID != testApp || r.MchID != testMch || r.Version != V2 {
			t.Errorf("Refund = %+v, %v", r, err)
		}
	}
	want := map[string]string{
		"appid": testApp, "mch_id": testMch, "notify_url": "https://shop.example.com/wxpay/refund-notify", "out_refund_no": testRefundNo,
		"out_trade_no": testNo, "refund_desc": "不想要了", "refund_fee": "300", "total_fee": "888", "sign_type": "HMAC-SHA256",
	}
	m := g.requests()[0]
	for name, value := range want {
		if m.get(name) != value {
			t.Errorf("%s = %q, want %q", name, m.get(name), value)
		}
	}
	if len(m) != len(want)+2 {
		t.Errorf("%d fields: %v", len(m), m)
	}
	vector := without(without(replaced(m, "nonce_str", "5K8264ILTKCH16CQ2502SI8ZNMTM67VS"), "sign_type"), "sign")
	if got := signature(vector, HMACSHA256, vectorKey); got != "76A693A5869F2CA10AA09D26EF34B4E5290093A9A11DCB03C3739682BDB3BDFC" {
		t.Errorf("our fields are not those of vector V12: %s", got)
	}
}

// The error table of refund, with the words seen, and what each means to us.
func TestRefundRefused(t *testing.T) {
	all := []error{ErrNoSuchOrder, ErrNotEnough, ErrRefundTooMuch, ErrRefundMismatch, ErrTooOld, ErrPayerGone, ErrFrequency, ErrAccount, ErrDeclined, ErrNumberUsed, ErrSignature}
	tests := []struct {
		code, text string
		is         error
		unknown    bool
		retry      bool
	}{
		{code: "SYSTEMERROR", text: "当前使用此业务的用户较多，请稍后再试", unknown: true, retry: true},
		{code: "BIZERR_NEED_RETRY", text: "-", unknown: true, retry: true},
		{code: "TRADE_OVERDUE", text: "-", is: ErrTooOld},
		{code: "ERROR", text: "累计退款金额大于支付金额", is: ErrRefundTooMuch},
		{code: "ERROR", text: "订单已全额退款", is: ErrRefundTooMuch},
		{code: "ERROR", text: "?"},
		{code: "INVALID_REQUEST", text: "订单金额或退款金额与之前请求不一致，请核实后再试", is: ErrRefundMismatch},
		{code: "INVALID_REQUEST", text: "累计退款金额大于支付金额", is: ErrRefundTooMuch},
		{code: "INVALID_REQUEST", text: "参数错误"},
		{code: "REFUND_FEE_MISMATCH", text: "订单金额或退款金额与之前请求不一致，请核实后再试", is: ErrRefundMismatch},
		{code: "USER_ACCOUNT_ABNORMAL", text: "-", is: ErrPayerGone},
		{code: "INVALID_REQ_TOO_MUCH", text: "-", is: ErrFrequency, retry: true},
		{code: "NOTENOUGH", text: "基本账户余额不足，请充值后重新发起", is: ErrNotEnough, retry: true},
		{code: "INVALID_TRANSACTIONID", text: "-"},
		{code: "PARAM_ERROR", text: "-"},
		{code: "APPID_NOT_EXIST", text: "-", is: ErrAccount},
		{code: "MCHID_NOT_EXIST", text: "-", is: ErrAccount},
		{code: "NOAUTH", text: "商户无此接口权限", is: ErrAccount},
		{code: "ORDERNOTEXIST", text: "订单不存在", is: ErrNoSuchOrder},
		{code: "FREQUENCY_LIMITED", text: "频率限制，超过2个月之前的订单申请退款请降低频率再重试。", is: ErrFrequency, retry: true},
		{code: "REQUIRE_POST_METHOD", text: "-"},
		{code: "SIGNERROR", text: "-"},
		{code: "XML_FORMAT_ERROR", text: "-"},
		{code: "BRAND_NEW", text: "?"},
	}
	for _, tt := range tests {
		c := newTestClient(t, testConfig(newGateway(t, always(business(tt.code, tt.text))).URL))
		_, err := c.Refund(t.Context(), testRefund())
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Code != tt.code || e.Message != tt.text || IsUnknown(err) != tt.unknown || Retryable(err) != tt.retry {
			t.Errorf("%s %s: %v", tt.code, tt.text, err)
		}
		for _, s := range all {
			if errors.Is(err, s) != (s == tt.is) {
				t.Errorf("%s %s: errors.Is(%v) = %t", tt.code, tt.text, s, s != tt.is)
			}
		}
	}
	for text, unknown := range map[string]bool{"缺少参数": false, "不识别的参数appId": false, "0参数格式错误": false, "system error": true} {
		c := newTestClient(t, testConfig(newGateway(t, always(protocolFail(text))).URL))
		if _, err := c.Refund(t.Context(), testRefund()); err == nil || IsUnknown(err) != unknown {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// P17, P22: whatever is wrong with the answer, the refund may have been made.
func TestRefundAnswersThatSayNothing(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request, message){
		"another refund": echoing(accepted, field{"out_refund_no", "R2"}),
		"another order":  echoing(accepted, field{"out_trade_no", "20250806125346_02"}),
		"another amount": echoing(accepted, field{"refund_fee", "888"}),
		"no amount":      echoing(accepted, field{"refund_fee", ""}),
		"no refund id":   echoing(accepted, field{"refund_id", ""}),
		"unsigned":       always(unsigned("SUCCESS", "")),
		"HTML":           always("<html>"),
		"nginx": func(w http.ResponseWriter, _ *http.Request, _ message) {
			w.WriteHeader(400)
			io.WriteString(w, "<html>400 No required SSL certificate was sent</html>")
		},
		"unsigned refusal": always(unsigned("FAIL", "NOTENOUGH")),
	} {
		c := newTestClient(t, testConfig(newGateway(t, answer).URL))
		r, err := c.Refund(t.Context(), testRefund())
		if !IsUnknown(err) || !Retryable(err) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if errors.Is(err, ErrNoCertificate) != (name == "nginx") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// X31: what can be known to be wrong is not sent.
func TestRefundIsCheckedHere(t *testing.T) {
	c := newTestClient(t, Config{AppID: testApp, MchID: testMch, APIKey: vectorKey, Hosts: []string{"http://pay.test"}, Transport: noNetwork{t}})
	for name, change := range map[string]func(*RefundOrder){
		"nothing":           func(o *RefundOrder) { o.Amount = 0 },
		"less than nothing": func(o *RefundOrder) { o.Amount = -1 },
		"more than paid":    func(o *RefundOrder) { o.Amount = 889 },
		"no total":          func(o *RefundOrder) { o.Total = 0 },
		"no order":          func(o *RefundOrder) { o.OutTradeNo = "" },
		"no number":         func(o *RefundOrder) { o.OutRefundNo = "" },
		"a long number":     func(o *RefundOrder) { o.OutRefundNo = strings.Repeat("1", 65) },
		"a strange number":  func(o *RefundOrder) { o.OutRefundNo = "R&1" },
		"a notify URL":      func(o *RefundOrder) { o.NotifyURL = "/refund" },
		"a sign type":       func(o *RefundOrder) { o.SignType = "SHA1" },
	} {
		o := testRefund()
		change(&o)
		if _, err := c.Refund(t.Context(), o); err == nil || IsUnknown(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.QueryRefund(t.Context(), RefundRef{}); err == nil || IsUnknown(err) {
		t.Errorf("QueryRefund of nothing: %v", err)
	}
	if _, err := c.Refunds(t.Context(), Ref{}); err == nil || IsUnknown(err) {
		t.Errorf("Refunds of nothing: %v", err)
	}
}

// refundPage is an answer with the refunds from to to of an order with total.
func refundPage(from, to, total int) message {
	m := message{{"total_fee", "888"}, {"transaction_id", "42"}, {"refund_count", fmt.Sprint(to - from)}, {"total_refund_count", fmt.Sprint(total)}}
	for i := range to - from {
		n := fmt.Sprint("_", i)
		m = append(m, field{"out_refund_no" + n, fmt.Sprint("R", from+i)}, field{"refund_id" + n, fmt.Sprint("50", from+i)},
			field{"refund_fee" + n, "10"}, field{"refund_status" + n, "SUCCESS"}, field{"refund_recv_accout" + n, "支付用户零钱"},
			field{"refund_success_time" + n, "2025-08-06 12:54:00"}, field{"coupon_refund_id" + n + "_0", "1"})
	}
	return m.sorted()
}

func TestQueryRefund(t *testing.T) {
	one := replaced(replaced(refundPage(1, 2, 1), "out_refund_no_0", testRefundNo), "refund_fee_0", "300")
	tests := []struct {
		name    string
		m       message
		state   RefundState
		unknown bool
	}{
		{"success", one, RefundSuccess, false},
		{"processing", replaced(one, "refund_status_0", "PROCESSING"), RefundProcessing, false},
		{"closed", replaced(one, "refund_status_0", "REFUNDCLOSE"), RefundClosed, false},
		{"abnormal", replaced(one, "refund_status_0", "CHANGE"), RefundAbnormal, false},
		{"a state of tomorrow", replaced(one, "refund_status_0", "FLYING"), "FLYING", false},
		{"second of two", replaced(replaced(refundPage(1, 3, 2), "out_refund_no_1", testRefundNo), "refund_fee_1", "300"), RefundSuccess, false},
		{"another refund", replaced(one, "out_refund_no_0", "R2"), "", true},
		{"no state", replaced(one, "refund_status_0", ""), "", true},
		{"no refund id", replaced(one, "refund_id_0", ""), "", true},
		{"no count", replaced(one, "refund_count", ""), "", true},
		{"a count of 0", replaced(one, "refund_count", "0"), "", true},
		{"a mad count", replaced(one, "refund_count", "999999999999999"), "", true},
		{"less than counted", replaced(one, "refund_count", "2"), "", true},
	}
	for _, tt := range tests {
		g := newGateway(t, echoing(replaced(tt.m, "out_trade_no", testNo)))
		r, err := newTestClient(t, testConfig(g.URL)).QueryRefund(t.Context(), testRefund().Ref())
		if IsUnknown(err) != tt.unknown || err != nil && !tt.unknown || r.State != tt.state {
			t.Errorf("%s: %+v, %v", tt.name, r, err)
			continue
		}
		if err == nil && (r.Amount != 300 || r.Total != 888 || r.OutRefundNo != testRefundNo || r.OutTradeNo != testNo || r.TransactionID != "42" ||
			!r.SucceededAt.Equal(time.Date(2025, 8, 6, 4, 54, 0, 0, time.UTC)) || r.Account != "支付用户零钱") {
			t.Errorf("%s: %+v", tt.name, r)
		}
		if m := g.requests()[0]; m.get("out_refund_no") != testRefundNo || m.get("out_trade_no") != "" {
			t.Errorf("%s: asked %v", tt.name, m)
		}
	}
	strange := newGateway(t, echoing(replaced(replaced(one, "out_trade_no", testNo), "refund_fee_0", "3.00")))
	if r, err := newTestClient(t, testConfig(strange.URL)).QueryRefund(t.Context(), testRefund().Ref()); err != nil || r.Amount != -1 {
		t.Errorf("a strange amount: %+v, %v", r, err)
	}
	if r, err := newTestClient(t, testConfig(newGateway(t, echoing(replaced(one, "total_fee", ""))).URL)).QueryRefund(t.Context(), testRefund().Ref()); err != nil || r.Total != -1 {
		t.Errorf("no total: %+v, %v", r, err)
	}
	for code, is := range map[string]error{"REFUNDNOTEXIST": ErrNoSuchRefund, "SYSTEMERROR": nil, "BRAND_NEW": nil} {
		c := newTestClient(t, testConfig(newGateway(t, always(business(code, "not exist"))).URL))
		if _, err := c.QueryRefund(t.Context(), testRefund().Ref()); errors.Is(err, ErrNoSuchRefund) != (is != nil) || IsUnknown(err) != (code == "SYSTEMERROR") {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// The pages of an order with many refunds; some gateways repeat one.
func TestRefundsPages(t *testing.T) {
	for _, tt := range []struct {
		name                        string
		total, size, overlap, asked int
	}{
		{"one page", 3, 10, 0, 1}, {"36 refunds", 36, 10, 0, 4}, {"overlapping", 36, 11, 1, 4}, {"50 refunds", 50, 10, 0, 5},
	} {
		g := newGateway(t, func(w http.ResponseWriter, r *http.Request, m message) {
			from := max(0, int(fen(m.get("offset")))-tt.overlap)
			echoing(refundPage(from, min(tt.total, from+tt.size), tt.total))(w, r, m)
		})
		all, err := newTestClient(t, testConfig(g.URL)).Refunds(t.Context(), Ref{OutTradeNo: testNo})
		if err != nil || len(all) != tt.total || len(g.requests()) != tt.asked {
			t.Errorf("%s: %d refunds after %d questions, %v", tt.name, len(all), len(g.requests()), err)
		}
		for i, r := range all {
			if r.OutRefundNo != fmt.Sprint("R", i) {
				t.Errorf("%s: refund %d is %s", tt.name, i, r.OutRefundNo)
			}
		}
	}
	same := echoing(refundPage(0, 6, 12))
	endless := func(w http.ResponseWriter, r *http.Request, m message) {
		from := int(fen(m.get("offset")))
		echoing(refundPage(from, from+10, 1000))(w, r, m)
	}
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request, message){"the same page for ever": same, "pages without an end": endless, "51 refunds": echoing(refundPage(0, 51, 51))} {
		if all, err := newTestClient(t, testConfig(newGateway(t, answer).URL)).Refunds(t.Context(), Ref{OutTradeNo: testNo}); !IsUnknown(err) {
			t.Errorf("%s: %d refunds, %v", name, len(all), err)
		}
	}
	none := newTestClient(t, testConfig(newGateway(t, always(business("REFUNDNOTEXIST", "not exist"))).URL))
	if all, err := none.Refunds(t.Context(), Ref{OutTradeNo: testNo}); err != nil || len(all) != 0 {
		t.Errorf("none: %v, %v", all, err)
	}
	other := newTestClient(t, testConfig(newGateway(t, echoing(refundPage(0, 1, 1), field{"out_trade_no", "20250806125346_02"})).URL))
	if _, err := other.Refunds(t.Context(), Ref{OutTradeNo: testNo}); !IsUnknown(err) {
		t.Errorf("another order's: %v", err)
	}
}
