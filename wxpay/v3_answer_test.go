package wxpay

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// badHeaders are what a verifier has to refuse, of an answer or a notification
// that was good before. The body may be changed instead.
var badHeaders = map[string]func(h http.Header, body *string){
	"body":               func(_ http.Header, body *string) { *body = strings.Replace(*body, "a", "b", 1) + " " },
	"nonce":              func(h http.Header, _ *string) { h.Set("Wechatpay-Nonce", "x") },
	"no nonce":           func(h http.Header, _ *string) { h.Del("Wechatpay-Nonce") },
	"no serial":          func(h http.Header, _ *string) { h.Del("Wechatpay-Serial") },
	"no timestamp":       func(h http.Header, _ *string) { h.Del("Wechatpay-Timestamp") },
	"no signature":       func(h http.Header, _ *string) { h.Del("Wechatpay-Signature") },
	"nothing":            func(h http.Header, _ *string) { clear(h) },
	"two signatures":     func(h http.Header, _ *string) { h.Add("Wechatpay-Signature", h.Get("Wechatpay-Signature")) },
	"two serials":        func(h http.Header, _ *string) { h.Add("Wechatpay-Serial", v3KeyID) },
	"unknown serial":     func(h http.Header, _ *string) { h.Set("Wechatpay-Serial", "PUB_KEY_ID_1") },
	"part of the serial": func(h http.Header, _ *string) { h.Set("Wechatpay-Serial", v3KeyID[:20]) },
	"a certificate's":    func(h http.Header, _ *string) { h.Set("Wechatpay-Serial", v3Serial) },
	"empty signature":    func(h http.Header, _ *string) { h.Set("Wechatpay-Signature", "") },
	"not base64":         func(h http.Header, _ *string) { h.Set("Wechatpay-Signature", "äöü") },
	"padding":            func(h http.Header, _ *string) { h["Wechatpay-Signature"][0] += "=" },
	"short signature":    func(h http.Header, _ *string) { h.Set("Wechatpay-Signature", "QUJD") },
	"long signature":     func(h http.Header, _ *string) { h.Set("Wechatpay-Signature", strings.Repeat("QUJD", 300)) },
	"zero signature": func(h http.Header, _ *string) {
		h.Set("Wechatpay-Signature", base64.StdEncoding.EncodeToString(make([]byte, 256)))
	},
	"other time":           func(h http.Header, _ *string) { h.Set("Wechatpay-Timestamp", "1722850422") },
	"time with a sign":     func(h http.Header, _ *string) { h.Set("Wechatpay-Timestamp", "+1722850421") },
	"time of letters":      func(h http.Header, _ *string) { h.Set("Wechatpay-Timestamp", "abc") },
	"milliseconds":         func(h http.Header, _ *string) { h.Set("Wechatpay-Timestamp", "1722850421000") },
	"SM2":                  func(h http.Header, _ *string) { h.Set("Wechatpay-Signature-Type", "WECHATPAY2-SM2-WITH-SM3") },
	"two types":            func(h http.Header, _ *string) { h.Add("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048") },
	"no type, other bytes": func(h http.Header, b *string) { h.Del("Wechatpay-Signature-Type"); *b += "\n" },
}

// D: a 2xx without a good signature is nobody's word, a 204 too.
func TestAnswersMustBeSigned(t *testing.T) {
	const body = `{"prepay_id":"wx201410272009395522657a690389285100"}`
	prepay := func(g *V3Gateway) error { _, err := g.Prepay(t.Context(), testOrder()); return err }
	shut := func(g *V3Gateway) error { return g.Close(t.Context(), Ref{OutTradeNo: testNo}) }
	run := func(call func(*V3Gateway) error, status int, body string, at time.Time, bend func(http.Header, *string)) error {
		h := publicKeyOfWeChat().headers(body, at)
		if bend != nil {
			bend(h, &body)
		}
		return call(newTestV3(t, testConfigV3(t, func(w http.ResponseWriter, _ *http.Request) {
			for k, v := range h {
				w.Header()[k] = v
			}
			w.WriteHeader(status)
			if status != http.StatusNoContent {
				io.WriteString(w, body)
			}
		})))
	}
	if err := run(prepay, 200, body, v3Now, nil); err != nil {
		t.Fatal(err)
	}
	if err := run(shut, 204, "", v3Now, nil); err != nil {
		t.Fatal(err)
	}
	if err := run(prepay, 200, body, v3Now, func(h http.Header, _ *string) { h.Del("Wechatpay-Signature-Type") }); err != nil {
		t.Errorf("without a type: %v", err)
	}
	for name, bend := range badHeaders {
		if err := run(prepay, 200, body, v3Now, bend); !errors.Is(err, ErrSignature) || !IsUnknown(err) {
			t.Errorf("200 with %s: %v", name, err)
		}
		if name == "body" || strings.Contains(name, "other bytes") {
			continue
		}
		if err := run(shut, 204, "", v3Now, bend); !errors.Is(err, ErrSignature) || !IsUnknown(err) {
			t.Errorf("204 with %s: %v", name, err)
		}
	}
	for seconds, good := range map[time.Duration]bool{-299: true, 299: true, -300: false, 300: false, -301: false, 301: false} {
		if err := run(prepay, 200, body, v3Now.Add(seconds*time.Second), nil); (err == nil) != good {
			t.Errorf("%d seconds away: %v", seconds, err)
		}
	}
}

// The one wrong signature that WeChat makes on purpose: the answer is not
// believed, the same call once more is.
func TestProbeOfAnswers(t *testing.T) {
	for _, probes := range []int{1, 2} {
		var mu sync.Mutex
		var bodies, nonces []string
		var log strings.Builder
		cfg := testConfigV3(t, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			mu.Lock()
			n := len(bodies)
			bodies = append(bodies, string(b))
			nonces = append(nonces, checkedRequest(t, r, b)["nonce_str"])
			mu.Unlock()
			body := `{"prepay_id":"wx1"}`
			h := publicKeyOfWeChat().headers(body, v3Now)
			if n < probes {
				h.Set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/"+h.Get("Wechatpay-Signature"))
			}
			for k, v := range h {
				w.Header()[k] = v
			}
			io.WriteString(w, body)
		})
		cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		p, err := newTestV3(t, cfg).Prepay(t.Context(), testOrder())
		if len(bodies) != 2 || bodies[0] != bodies[1] || nonces[0] == nonces[1] {
			t.Errorf("%d probes: sent %q with %q", probes, bodies, nonces)
		}
		if probes == 1 && (err != nil || p.PrepayID != "wx1") {
			t.Errorf("after a probe: %+v, %v", p, err)
		}
		if probes == 2 && (!errors.Is(err, ErrProbe) || !errors.Is(err, ErrSignature) || !IsUnknown(err)) {
			t.Errorf("after two probes: %v", err)
		}
		if !strings.Contains(log.String(), "signature test") || strings.Contains(log.String(), "ERROR") {
			t.Errorf("log: %s", log.String())
		}
	}
}

// Refusals: the code decides, whatever the status and the underscores.
func TestCodesV3(t *testing.T) {
	prepay := func(g *V3Gateway) error { _, err := g.Prepay(t.Context(), testOrder()); return err }
	query := func(g *V3Gateway) error { _, err := g.Query(t.Context(), Ref{OutTradeNo: testNo}); return err }
	shut := func(g *V3Gateway) error { return g.Close(t.Context(), Ref{OutTradeNo: testNo}) }
	refund := func(g *V3Gateway) error {
		_, err := g.Refund(t.Context(), RefundOrder{OutTradeNo: testNo, OutRefundNo: "R1", Total: 2, Amount: 1, NotifyURL: "https://x.test/"})
		return err
	}
	askRefund := func(g *V3Gateway) error {
		_, err := g.QueryRefund(t.Context(), RefundRef{OutRefundNo: "R1"})
		return err
	}
	bill := func(g *V3Gateway) error { _, err := g.Bill(t.Context(), BillRequest{Day: v3Now}); return err }
	tests := []struct {
		call    func(*V3Gateway) error
		status  int
		code    string
		message string
		want    error // nil: none of ours
		unknown bool
	}{
		{prepay, 400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致", ErrNumberUsed, false},
		{prepay, 400, "INVALID_REQUEST", "201 商户订单号重复", ErrNumberUsed, false},
		{prepay, 403, "OUT_TRADE_NO_USED", "商户订单号重复", ErrNumberUsed, false},
		{prepay, 400, "PARAM_ERROR", "订单重入参数校验失败", ErrNumberUsed, false},
		{prepay, 400, "PARAM_ERROR", "输入源“/body/appid”映射到字段“公众号ID”必填性规则校验失败，此字段为必填项", nil, false},
		{prepay, 400, "ORDERPAID", "该订单已支付", ErrAlreadyPaid, false},
		{shut, 400, "ORDER_PAID", "该订单已支付", ErrAlreadyPaid, false},
		{prepay, 400, "ORDER_CLOSED", "订单已关闭", ErrClosed, false},
		{prepay, 400, "ORDERCLOSED", "订单已关闭", ErrClosed, false},
		{prepay, 400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配", ErrAccount, false},
		{prepay, 400, "MCH_NOT_EXISTS", "", ErrAccount, false},
		{prepay, 403, "NO_AUTH", "商户号该产品权限未开通", ErrAccount, false},
		{prepay, 403, "NOAUTH", "", ErrAccount, false},
		{prepay, 401, "SIGN_ERROR", "签名错误", errSignRefused, false},
		{prepay, 429, "FREQUENCY_LIMITED", "", ErrFrequency, false},
		{prepay, 429, "RATELIMIT_EXCEEDED", "请求频率超过限制", ErrFrequency, false},
		{prepay, 500, "SYSTEM_ERROR", "系统繁忙，请稍后重试", nil, true},
		{prepay, 503, "SERVICE_UNAVAILABLE", "", nil, true},
		{prepay, 500, "BANKERROR", "", nil, true},
		{prepay, 500, "ORDERPAID", "", nil, true}, // a broken answer proves nothing
		{prepay, 400, "SYSTEM_ERROR", "", nil, true},
		{query, 404, "ORDER_NOT_EXIST", "订单不存在", ErrNoSuchOrder, false},
		{query, 404, "ORDERNOTEXIST", "", ErrNoSuchOrder, false},
		{query, 404, "RESOURCE_NOT_EXISTS", "", ErrNoSuchOrder, false},
		{refund, 404, "RESOURCE_NOT_EXISTS", "订单不存在", ErrNoSuchOrder, false},
		{refund, 400, "INVALID_REQUEST", "申请退款金额超过订单可退金额", ErrRefundTooMuch, false},
		{refund, 400, "INVALID_REQUEST", "订单已全额退款", ErrRefundTooMuch, false},
		{refund, 400, "INVALID_REQUEST", "您的请求参数与订单信息不一致", ErrRefundMismatch, false},
		{refund, 400, "INVALID_REQUEST", "订单金额或退款金额与之前请求不一致，请核实后再试", ErrRefundMismatch, false},
		{refund, 403, "NOT_ENOUGH", "基本账户余额不足，请充值后重新发起", ErrNotEnough, false},
		{refund, 403, "USER_ACCOUNT_ABNORMAL", "", ErrPayerGone, false},
		{refund, 400, "TRADE_OVERDUE", "", ErrTooOld, false},
		{refund, 429, "FREQUENCY_LIMITED", "", ErrFrequency, true}, // may have been taken on
		{askRefund, 404, "RESOURCE_NOT_EXISTS", "退款单不存在", ErrNoSuchRefund, false},
		{bill, 400, "NO_STATEMENT_EXIST", "账单文件不存在", ErrNoBill, false},
		{bill, 404, "NO_STATEMENT_EXIST", "账单文件不存在", ErrNoBill, false},
		{bill, 400, "STATEMENT_CREATING", "账单生成中", ErrBillNotReady, false},
	}
	for _, tt := range tests {
		err := tt.call(newTestV3(t, testConfigV3(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Request-ID", "08F5B8C2B506102C18FDDFEEA30620BE821E28EDC405-268512771")
			w.WriteHeader(tt.status)
			io.WriteString(w, `{"code":"`+tt.code+`","detail":{"location":null,"value":["/body/x",{"a":1}]},"message":"`+tt.message+`"}`)
		})))
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Code != tt.code || e.HTTPStatus != tt.status || e.Message != tt.message || e.Unknown != tt.unknown || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%d %s %s: %v, want %v", tt.status, tt.code, tt.message, err, tt.want)
		}
		if !strings.HasSuffix(e.RequestID, "-268512771") || !strings.Contains(err.Error(), "-268512771") {
			t.Errorf("%s: the request id is %q in %v", tt.code, e.RequestID, err)
		}
		for _, other := range []error{ErrNoSuchOrder, ErrAlreadyPaid, ErrClosed, ErrNumberUsed, ErrNoSuchRefund, ErrNoBill} {
			if errors.Is(err, other) && other != tt.want {
				t.Errorf("%d %s: it is %v as well", tt.status, tt.code, other)
			}
		}
	}
	if err := shut(newTestV3(t, testConfigV3(t, saysV3(400, `{"code":"ORDER_CLOSED","message":""}`)))); err != nil {
		t.Errorf("closing a closed order: %v", err)
	}
}

// Answers that say nothing are no answer.
func TestOddAnswersV3(t *testing.T) {
	query := func(g *V3Gateway) error { _, err := g.Query(t.Context(), Ref{OutTradeNo: testNo}); return err }
	for name, h := range map[string]http.HandlerFunc{
		"empty 404": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
		"empty 405": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(405) },
		"a page":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403); io.WriteString(w, "<html>") },
		"a redirect": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://evil.test/")
			w.WriteHeader(302)
		},
		"a code of numbers": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400); io.WriteString(w, `{"code":1}`) },
		"two codes": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			io.WriteString(w, `{"code":"ORDER_NOT_EXIST","Code":"X"}`)
		},
		"not JSON":          saysV3(200, "<xml/>"),
		"another order":     saysV3(200, strings.ReplaceAll(paidJSON, testNo, "another_no")),
		"another merchant":  saysV3(200, strings.ReplaceAll(paidJSON, testMch, "1900000110")),
		"no state":          saysV3(200, strings.ReplaceAll(paidJSON, `"SUCCESS"`, `""`)),
		"paid without id":   saysV3(200, strings.ReplaceAll(paidJSON, `"transaction_id"`, `"x"`)),
		"state of a number": saysV3(200, strings.ReplaceAll(paidJSON, `"SUCCESS"`, `1`)),
		"state twice":       saysV3(200, strings.Replace(paidJSON, `{`, `{"trade_state":"NOTPAY",`, 1)),
		"user paying":       saysV3(202, `{"code":"USERPAYING","message":"x"}`),
		"accepted":          saysV3(202, paidJSON),
	} {
		err := query(newTestV3(t, testConfigV3(t, h)))
		if !IsUnknown(err) || errors.Is(err, ErrNoSuchOrder) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "user paying" && !errors.Is(err, ErrUserPaying) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, o := range []TradeType{JSAPI, Native, H5, App} {
		order := testOrder()
		order.TradeType = o
		if _, err := newTestV3(t, testConfigV3(t, saysV3(200, `{"x_id":"wx1"}`))).Prepay(t.Context(), order); !IsUnknown(err) {
			t.Errorf("%s without anything to pay with: %v", o, err)
		}
	}
	refund := RefundOrder{OutTradeNo: testNo, OutRefundNo: "R7752501201407033233368018", Total: 999, Amount: 998, NotifyURL: "https://x.test/"}
	good := strings.ReplaceAll(refundedJSON, "refund_status", "status")
	if r, err := newTestV3(t, testConfigV3(t, saysV3(200, good))).Refund(t.Context(), refund); err != nil || r.State != RefundSuccess || r.MchID != testMch {
		t.Errorf("refund: %+v, %v", r, err)
	}
	for _, change := range []string{`"R775`, `"20250806`, `:998`, `"status"`, `"refund_id"`} {
		if _, err := newTestV3(t, testConfigV3(t, saysV3(200, strings.Replace(good, change, change[:1]+"9"+change[1:], 1)))).Refund(t.Context(), refund); !IsUnknown(err) {
			t.Errorf("refund with another %s: %v", change, err)
		}
	}
}

// Query and QueryByID read the same.
func TestQueryV3(t *testing.T) {
	g := newTestV3(t, testConfigV3(t, saysV3(200, paidJSON)))
	a, err := g.Query(t.Context(), Ref{OutTradeNo: testNo})
	if err != nil {
		t.Fatal(err)
	}
	b, err := g.QueryByID(t.Context(), "4200001460202207148197935963")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []Transaction{a, b} {
		if x.Version != V3 || x.State != Success || x.Total != 888 || x.Cash != 788 || x.OpenID != "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" || x.Attach != "a=1&b=2" ||
			!x.PaidAt.Equal(time.Date(2018, 6, 8, 2, 34, 56, 0, time.UTC)) || x.Raw()["amount.total"] != "888" || x.Raw()["payer.openid"] != "…eS6o" {
			t.Errorf("%+v %v", x, x.Raw())
		}
	}
	if _, err := g.QueryByID(t.Context(), "4200001"); !IsUnknown(err) {
		t.Errorf("another id: %v", err)
	}
}

// Another host gets the same order, signed anew.
func TestFailoverV3(t *testing.T) {
	var hosts, bodies, nonces []string
	cfg := testConfigV3(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		hosts, bodies = append(hosts, r.Host), append(bodies, string(b))
		nonces = append(nonces, checkedRequest(t, r, b)["nonce_str"])
		if r.Host == "one.test" {
			saysV3(503, `{"code":"SERVICE_UNAVAILABLE"}`)(w, r)
			return
		}
		saysV3(200, `{"prepay_id":"wx1"}`)(w, r)
	})
	cfg.Hosts = []string{"http://one.test", "http://two.test/"}
	p, err := newTestV3(t, cfg).Prepay(t.Context(), testOrder())
	if err != nil || p.PrepayID != "wx1" || len(hosts) != 2 || hosts[1] != "two.test" || bodies[0] != bodies[1] || nonces[0] == nonces[1] {
		t.Errorf("%+v, %v: %v", p, err, hosts)
	}
}

// P20: what a person may read of the calls has no keys, signatures, tokens and
// whole openids in it.
func TestRecordV3(t *testing.T) {
	var got []Message
	cfg := testConfigV3(t, saysV3(200, strings.Replace(paidJSON, "{", `{"download_url":"https://x`+billFilePath+`?token=secret",`, 1)))
	cfg.Record = func(_ context.Context, m Message) { got = append(got, m) }
	g := newTestV3(t, cfg)
	g.Query(t.Context(), Ref{OutTradeNo: testNo})
	g.Prepay(t.Context(), testOrder())
	g.openBill(t.Context(), billFilePath+"?token=secret", "")
	if len(got) != 6 {
		t.Fatalf("%d messages", len(got))
	}
	var all strings.Builder
	for _, m := range got {
		all.WriteString(m.URL + m.Body + m.Err + "\n")
		if m.Err != "" || m.Direction == Received && m.Status != 200 {
			t.Errorf("%+v", m)
		}
	}
	for _, never := range []string{"oUpF8uMu", "secret", "signature", v3Key} {
		if strings.Contains(all.String(), never) {
			t.Errorf("%q is in\n%s", never, all.String())
		}
	}
	for _, want := range []string{`"total": 888`, "…eS6o", `"trade_state": "SUCCESS"`, "测试店-图书 & <茶>", billFilePath} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("%q is not in\n%s", want, all.String())
		}
	}
	got = nil
	cfg.Transport = handed{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{}`) })}
	newTestV3(t, cfg).Query(t.Context(), Ref{OutTradeNo: testNo})
	if len(got) != 2 || !strings.Contains(got[1].Err, "Wechatpay-Timestamp") {
		t.Errorf("an unsigned answer: %+v", got)
	}
}
