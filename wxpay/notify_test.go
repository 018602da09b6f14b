package wxpay

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// notifyBody writes m as WeChat does: CDATA, line feeds, any order.
func notifyBody(m message) []byte {
	var b strings.Builder
	b.WriteString("<xml>")
	for i := len(m) - 1; i >= 0; i-- {
		b.WriteString("<" + m[i].name + "><![CDATA[" + m[i].value + "]]></" + m[i].name + ">\n")
	}
	b.WriteString("</xml>")
	return []byte(b.String())
}

func notice(t testing.TB) message {
	t.Helper()
	return fieldsOf(t, v7Text, strings.Fields(v7Fields)...)
}

func signedNotice(m message, a SignType) []byte { return notifyBody(signed(m, a, vectorKey)) }

func TestParseNotify(t *testing.T) {
	hmac := newTestClient(t, testConfig())
	cfg := testConfig()
	cfg.SignType = MD5
	md5 := newTestClient(t, cfg)
	for _, tt := range []struct {
		name string
		c    *V2Client
		m    message
		a    SignType
	}{
		{"HMAC", hmac, notice(t), HMACSHA256},
		{"HMAC with sign_type", hmac, replaced(notice(t), "sign_type", "HMAC-SHA256"), HMACSHA256},
		{"HMAC with an empty sign_type", hmac, replaced(notice(t), "sign_type", ""), HMACSHA256},
		{"fields of tomorrow", hmac, replaced(notice(t), "brand_new_$0", "<&>"), HMACSHA256},
		{"MD5", md5, notice(t), MD5},
		{"stronger than configured", md5, notice(t), HMACSHA256},
	} {
		x, err := tt.c.ParseNotify(http.Header{}, signedNotice(tt.m, tt.a))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if len(x.Raw()) != len(tt.m) || x.Raw()["openid"] != "…eS6o" || x.Raw()["sign"] != "" || x.Raw()["coupon_fee_1"] != "40" {
			t.Errorf("%s: Raw = %v", tt.name, x.Raw())
		}
		x.said = nil
		want := Transaction{
			Version: V2, State: Success, AppID: testApp, MchID: testMch, OutTradeNo: testNo,
			TransactionID: "4200000001202508061234567890", TradeType: JSAPI, OpenID: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
			Total: 888, Cash: 788, Currency: "CNY", BankType: "OTHERS", Attach: "a=1&b=2",
			PaidAt: time.Date(2025, 8, 6, 4, 54, 0, 0, time.UTC), SignType: tt.a,
		}
		if x.PaidAt.Location() != time.UTC {
			t.Errorf("%s: paid at %v, want UTC", tt.name, x.PaidAt)
		}
		if got := x; !equalTransactions(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", tt.name, got, want)
		}
	}
}

func equalTransactions(a, b Transaction) bool {
	return a.Version == b.Version && a.State == b.State && a.AppID == b.AppID && a.MchID == b.MchID &&
		a.OutTradeNo == b.OutTradeNo && a.TransactionID == b.TransactionID && a.TradeType == b.TradeType &&
		a.OpenID == b.OpenID && a.Total == b.Total && a.Cash == b.Cash && a.Currency == b.Currency &&
		a.BankType == b.BankType && a.Attach == b.Attach && a.PaidAt.Equal(b.PaidAt) && a.SignType == b.SignType
}

func without(m message, name string) message {
	var out message
	for _, f := range m {
		if f.name != name {
			out = append(out, f)
		}
	}
	return out
}

// P2, P3, X1, X7: what is missing is invalid, wherever it claims to come from.
func TestParseNotifyRefuses(t *testing.T) {
	c := newTestClient(t, testConfig())
	good := signed(notice(t), HMACSHA256, vectorKey)
	sign := field{"sign", good.get("sign")}
	tests := []struct {
		name string
		body []byte
		is   error
	}{
		{"no sign", notifyBody(notice(t)), ErrSignature},
		{"empty sign", notifyBody(replaced(good, "sign", "")), ErrSignature},
		{"two signs", notifyBody(append(good[:len(good):len(good)], sign)), ErrBadNotify},
		{"lower-case sign", notifyBody(replaced(good, "sign", strings.ToLower(sign.value))), ErrSignature},
		{"sign of another length", notifyBody(replaced(good, "sign", sign.value[:40])), ErrSignature},
		{"no return_code", signedNotice(without(notice(t), "return_code"), HMACSHA256), ErrBadNotify},
		{"empty return_code", signedNotice(replaced(notice(t), "return_code", ""), HMACSHA256), ErrBadNotify},
		{"two return_codes", notifyBody(append(good[:len(good):len(good)], field{"return_code", "SUCCESS"})), ErrBadNotify},
		{"return_code FAIL, unsigned", []byte(protocolFail("x")), ErrBadNotify},
		{"no result_code", signedNotice(without(notice(t), "result_code"), HMACSHA256), ErrBadNotify},
		{"result_code FAIL", signedNotice(replaced(notice(t), "result_code", "FAIL"), HMACSHA256), ErrBadNotify},
		{"unknown sign_type", signedNotice(replaced(notice(t), "sign_type", "NONE"), HMACSHA256), ErrSignature},
		{"sign_type that disagrees", signedNotice(replaced(notice(t), "sign_type", "MD5"), HMACSHA256), ErrSignature},
		{"only number and amount", []byte("<xml><out_trade_no>" + testNo + "</out_trade_no><total_fee>888</total_fee></xml>"), ErrBadNotify},
		{"X7 MD5 with the true key", signedNotice(notice(t), MD5), ErrSignature},
		{"X7 MD5 that says so", signedNotice(replaced(notice(t), "sign_type", "MD5"), MD5), ErrSignature},
		{"another key", notifyBody(signed(notice(t), HMACSHA256, strings.Repeat("k", 32))), ErrSignature},
		{"empty key", notifyBody(signed(notice(t), HMACSHA256, "")), ErrSignature},
		{"amount changed", notifyBody(replaced(good, "total_fee", "1")), ErrSignature},
		{"no number", signedNotice(without(notice(t), "out_trade_no"), HMACSHA256), ErrBadNotify},
		{"no transaction", signedNotice(without(notice(t), "transaction_id"), HMACSHA256), ErrBadNotify},
		{"the answer to a query, unpaid", signedNotice(replaced(notice(t), "trade_state", "NOTPAY"), HMACSHA256), ErrBadNotify},
		{"the answer to a query, paid", signedNotice(replaced(notice(t), "trade_state", "SUCCESS"), HMACSHA256), ErrBadNotify},
		{"the answer to unifiedorder", []byte(placed()), ErrBadNotify},
		{"our own request", encode(signed(message{{"out_trade_no", testNo}, {"total_fee", "888"}, {"transaction_id", "42"}}, HMACSHA256, vectorKey)), ErrBadNotify},
		{"too long", append(notifyBody(good), strings.Repeat("\n", maxNotify)...), ErrBadNotify},
	}
	for _, h := range hostile { // X9, X10, X11
		tests = append(tests, struct {
			name string
			body []byte
			is   error
		}{h.name, []byte(h.src), ErrBadNotify})
	}
	for _, tt := range tests {
		for _, header := range []http.Header{{}, {"Host": {"localhost"}}, {"X-Forwarded-Host": {"localhost"}, "X-Forwarded-For": {"127.0.0.1"}}} {
			x, err := c.ParseNotify(header, tt.body)
			if err == nil || !errors.Is(err, tt.is) {
				t.Errorf("%s: error %v, want %v", tt.name, err, tt.is)
			}
			if x.OutTradeNo != "" || x.State != "" || x.Raw() != nil {
				t.Errorf("%s: refused, and yet it tells %+v", tt.name, x)
			}
		}
	}
}

// P6, P7, X5: a true signature under values that do not fit any order. They are
// handed on as they were said; the caller compares.
func TestParseNotifyTellsWhatWasSaid(t *testing.T) {
	c := newTestClient(t, testConfig())
	for _, tt := range []struct {
		name, field, value string
		fits               func(Transaction) bool
	}{
		{"total - 1", "total_fee", "887", func(x Transaction) bool { return x.Total == 887 }},
		{"total x 100", "total_fee", "88800", func(x Transaction) bool { return x.Total == 88800 }},
		{"negative", "total_fee", "-1", func(x Transaction) bool { return x.Total == -1 && x.Raw()["total_fee"] == "-1" }},
		{"minus nothing", "total_fee", "-0", func(x Transaction) bool { return x.Total == -1 }},
		{"with a point", "total_fee", "1.0", func(x Transaction) bool { return x.Total == -1 && x.Raw()["total_fee"] == "1.0" }},
		{"empty", "total_fee", "", func(x Transaction) bool { return x.Total == -1 }},
		{"plus", "total_fee", "+888", func(x Transaction) bool { return x.Total == -1 }},
		{"leading zero", "total_fee", "0888", func(x Transaction) bool { return x.Total == -1 }},
		{"blank", "total_fee", "888 ", func(x Transaction) bool { return x.Total == -1 }},
		{"exponent", "total_fee", "1e3", func(x Transaction) bool { return x.Total == -1 }},
		{"other digits", "total_fee", "８８８", func(x Transaction) bool { return x.Total == -1 }},
		{"beyond int64", "total_fee", "99999999999999999999", func(x Transaction) bool { return x.Total == -1 }},
		{"wraps to the price", "total_fee", "18446744073709552504", func(x Transaction) bool { return x.Total == -1 }},
		{"nothing", "total_fee", "0", func(x Transaction) bool { return x.Total == 0 }},
		{"cash unreadable", "cash_fee", "x", func(x Transaction) bool { return x.Cash == -1 && x.Total == 888 }},
		{"dollars", "fee_type", "USD", func(x Transaction) bool { return x.Currency == "USD" }},
		{"no currency", "fee_type", "", func(x Transaction) bool { return x.Currency == "CNY" }},
		{"another app", "appid", "wx9999999999999999", func(x Transaction) bool { return x.AppID == "wx9999999999999999" }},
		{"another merchant", "mch_id", "1900000110", func(x Transaction) bool { return x.MchID == "1900000110" }},
		{"another payer", "openid", "oSomebodyElse", func(x Transaction) bool { return x.OpenID == "oSomebodyElse" }},
		{"no payer", "openid", "", func(x Transaction) bool { return x.OpenID == "" }},
		{"unknown order", "out_trade_no", "nobodys-number", func(x Transaction) bool { return x.OutTradeNo == "nobodys-number" }},
		{"no time", "time_end", "", func(x Transaction) bool { return x.PaidAt.IsZero() }},
		{"strange time", "time_end", "20251301000000", func(x Transaction) bool { return x.PaidAt.IsZero() }},
	} {
		x, err := c.ParseNotify(http.Header{}, signedNotice(replaced(notice(t), tt.field, tt.value), HMACSHA256))
		if err != nil || x.State != Success || !tt.fits(x) {
			t.Errorf("%s: %+v, %v", tt.name, x, err)
		}
	}
}

func TestAcknowledgements(t *testing.T) {
	c := newTestClient(t, testConfig())
	a := c.Accept()
	if want := "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"; string(a.Body) != want || a.Status != 200 || a.ContentType != "text/xml; charset=utf-8" {
		t.Errorf("Accept = %d %s %s", a.Status, a.ContentType, a.Body)
	}
	a.Body[0] = 'x'
	if string(c.Accept().Body[:5]) != "<xml>" {
		t.Error("Accept hands out bytes that a caller can change for others")
	}
	r := c.Reject("签名失败")
	if want := "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[签名失败]]></return_msg></xml>"; string(r.Body) != want || r.Status != 200 {
		t.Errorf("Reject = %d %s", r.Status, r.Body)
	}
	for _, reason := range []string{"a]]>b", "\x00", "", strings.Repeat("]]>", 100), "]]]]>>"} {
		m, err := decode(string(c.Reject(reason).Body), maxNotify, nil)
		if err != nil || m.get("return_code") != "FAIL" {
			t.Errorf("Reject(%q) = %s: %v", reason, c.Reject(reason).Body, err)
		}
	}
}

// FuzzParseNotify: without the key, nobody can say anything but what WeChat said.
func FuzzParseNotify(f *testing.F) {
	c := newTestClient(f, testConfig())
	f.Add(signedNotice(notice(f), HMACSHA256))
	f.Add(signedNotice(notice(f), MD5))
	f.Add([]byte(placed()))
	f.Add([]byte(protocolFail("x")))
	f.Fuzz(func(t *testing.T, body []byte) {
		x, err := c.ParseNotify(nil, body)
		if err == nil && (x.OutTradeNo != testNo || x.Total != 888 || x.TransactionID != "4200000001202508061234567890") {
			t.Fatalf("believed %+v", x)
		}
		if err != nil && !errors.Is(err, ErrBadNotify) && !errors.Is(err, ErrSignature) {
			t.Fatalf("refused without a reason that callers know: %v", err)
		}
	})
}
