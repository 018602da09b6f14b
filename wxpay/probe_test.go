package wxpay

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Each mistake of a merchant, said as WeChat says it, and what the probe makes
// of it.
func TestProbeOrder(t *testing.T) {
	tests := []struct {
		name    string
		answer  func(http.ResponseWriter, *http.Request, message)
		verdict Verdict
		says    string
		do      string
	}{
		{"right", always(business("ORDERNOTEXIST", "订单不存在")), VerdictOK, "accepted", ""},
		{"wrong key", always(protocolFail("签名错误")), VerdictWrong, "签名错误", "API安全"},
		{"wrong key, later text", always(protocolFail("签名错误，请检查后再试")), VerdictWrong, "API key", "API安全"},
		{"wrong key, short text", always(protocolFail("签名失败")), VerdictWrong, "API key", "API安全"},
		{"wrong key, signed", always(business("SIGNERROR", "-")), VerdictWrong, "API key", "API安全"},
		{"an answer by another key", always(signedAnswer(message{{"result_code", "FAIL"}}, HMACSHA256, strings.Repeat("k", 32))), VerdictWrong, "not signed", "API安全"},
		{"wrong app id", always(protocolFail("appid不存在")), VerdictWrong, "appid不存在", "mp.weixin.qq.com"},
		{"wrong app id, signed", always(business("APPID_NOT_EXIST", "-")), VerdictWrong, "app id", "mp.weixin.qq.com"},
		{"wrong merchant", always(protocolFail("商户号mch_id或sub_mch_id不存在")), VerdictWrong, "merchant number", "商户信息"},
		{"malformed merchant", always(protocolFail("mch_id参数格式错误")), VerdictWrong, "merchant number", "商户信息"},
		{"wrong merchant, signed", always(business("MCHID_NOT_EXIST", "-")), VerdictWrong, "merchant number", "商户信息"},
		{"not bound", always(protocolFail("appid和mch_id不匹配")), VerdictWrong, "not bound", "AppID账号管理"},
		{"not bound, old text", always(protocolFail("商户号mch_id与appid不匹配")), VerdictWrong, "not bound", "AppID账号管理"},
		{"not bound, signed", always(business("APPID_MCHID_NOT_MATCH", "-")), VerdictWrong, "not bound", "AppID账号管理"},
		{"no product", always(business("NOAUTH", "商户无此接口权限")), VerdictWrong, "商户无此接口权限", "产品中心"},
		{"something else", always(business("BRAND_NEW", "新错误")), VerdictWrong, "新错误", ""},
		{"system error", always(business("SYSTEMERROR", "system error")), VerdictUnknown, "no usable answer", "network"},
		{"HTML", always("<html>"), VerdictUnknown, "no usable answer", "network"},
		{"500", func(w http.ResponseWriter, _ *http.Request, _ message) { w.WriteHeader(500) }, VerdictUnknown, "no usable answer", "network"},
	}
	for _, tt := range tests {
		g := newGateway(t, tt.answer)
		got := newTestClient(t, testConfig(g.URL)).ProbeOrder(t.Context())
		if len(got) != 2 || got[0].Name != "net.time" || got[0].Verdict != VerdictOK {
			t.Fatalf("%s: %+v", tt.name, got)
		}
		if f := got[1]; f.Name != "v2.query" || f.Verdict != tt.verdict || !strings.Contains(f.What, tt.says) || !strings.Contains(f.Do, tt.do) {
			t.Errorf("%s: %+v", tt.name, f)
		}
		if no := g.requests()[0].get("out_trade_no"); !goodTradeNo(no) || len(no) != 32 {
			t.Errorf("asked about %q", no)
		}
	}
	nobody := newTestClient(t, testConfig("http://127.0.0.1:1")).ProbeOrder(t.Context())
	if nobody[0].Verdict != VerdictUnknown || nobody[1].Verdict != VerdictUnknown {
		t.Errorf("nobody listens: %+v", nobody)
	}
}

func TestProbeClock(t *testing.T) {
	date := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	for off, verdict := range map[time.Duration]Verdict{
		0: VerdictOK, 30 * time.Second: VerdictOK, -30 * time.Second: VerdictOK, 31 * time.Second: VerdictWrong, -31 * time.Second: VerdictWrong,
		8 * time.Hour: VerdictWrong,
	} {
		g := newGateway(t, func(w http.ResponseWriter, _ *http.Request, _ message) {
			w.Header().Set("Date", date.Format(http.TimeFormat))
			fmt.Fprint(w, business("ORDERNOTEXIST", "订单不存在"))
		})
		cfg := testConfig(g.URL)
		cfg.Now = func() time.Time { return date.Add(off) }
		f := newTestClient(t, cfg).ProbeOrder(t.Context())[0]
		if f.Verdict != verdict || (f.Do == "") != (verdict == VerdictOK) {
			t.Errorf("%v off: %+v", off, f)
		}
	}
}

func TestProbeBill(t *testing.T) {
	refusal := func(code, text string) string {
		return "<xml><return_code>FAIL</return_code><return_msg>" + text + "</return_msg><error_code>" + code + "</error_code></xml>"
	}
	for name, tt := range map[string]struct {
		answer  string
		verdict Verdict
		says    string
	}{
		"a bill":    {sampleBill, VerdictOK, "can be downloaded"},
		"no bill":   {refusal("20002", "No Bill Exist"), VerdictOK, "nothing happened"},
		"not made":  {refusal("20002", "Bill Creating"), VerdictUnknown, "not made yet"},
		"wrong key": {refusal("20001", "sign error"), VerdictWrong, "API key"},
		"HTML":      {"<html>", VerdictUnknown, "no usable answer"},
	} {
		g := newGateway(t, always(tt.answer))
		cfg := testConfig(g.URL)
		cfg.Now = func() time.Time { return time.Date(2026, 11, 20, 17, 0, 0, 0, time.UTC) } // the 21st in Beijing
		got := newTestClient(t, cfg).ProbeBill(t.Context())
		if len(got) != 1 || got[0].Name != "v2.bill" || got[0].Verdict != tt.verdict || !strings.Contains(got[0].What, tt.says) {
			t.Errorf("%s: %+v", name, got)
		}
		if day := g.requests()[0].get("bill_date"); day != "20261120" {
			t.Errorf("asked for %s", day)
		}
	}
}

func TestProbeCertificate(t *testing.T) {
	https := testConfig("https://pay.test")
	https.Transport = noNetwork{t}
	missing := newTestClient(t, https).ProbeCertificate(t.Context())
	plain := newTestClient(t, func() Config { c := testConfig("http://pay.test"); c.Transport = noNetwork{t}; return c }()).ProbeCertificate(t.Context())
	if missing[0].Verdict != VerdictWrong || plain[0].Verdict != VerdictUnknown {
		t.Errorf("without one: %+v; on plain http: %+v", missing, plain)
	}
	key := ecKey(t)
	for name, tt := range map[string]struct {
		answer  func(*http.Request) (int, string, error)
		verdict Verdict
		says    string
	}{
		"right": {func(*http.Request) (int, string, error) {
			return 200, business("ORDERNOTEXIST", "订单不存在"), nil
		}, VerdictOK, "accepted"},
		"expired": {func(*http.Request) (int, string, error) { return 200, protocolFail("证书已过期"), nil }, VerdictWrong, "证书已过期"},
		"none": {func(*http.Request) (int, string, error) {
			return 400, "<html>No required SSL certificate was sent", nil
		}, VerdictWrong, "certificate"},
		"cut": {func(*http.Request) (int, string, error) { return 0, "", errors.New("EOF") }, VerdictWrong, "EOF"},
		"TLS": {func(*http.Request) (int, string, error) {
			return 0, "", errors.New("remote error: tls: bad certificate")
		}, VerdictWrong, "bad certificate"},
		"wrong key": {func(*http.Request) (int, string, error) { return 200, protocolFail("签名错误"), nil }, VerdictWrong, "API key"},
		"nobody":    {refuses, VerdictUnknown, "no usable answer"},
	} {
		cfg := testConfig("https://main.test")
		cfg.Transport, cfg.Certificate = newWire(tt.answer, nil), certificateOf(t, newIssuer(t), key)
		got := newTestClient(t, cfg).ProbeCertificate(t.Context())
		if len(got) != 1 || got[0].Name != "v2.cert" || got[0].Verdict != tt.verdict || !strings.Contains(got[0].What, tt.says) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// The codes of the account's API, and where one goes to put things right.
func TestProbeAccount(t *testing.T) {
	tests := []struct {
		code    int
		message string
		verdict Verdict
		do      string
	}{
		{40013, "invalid appid", VerdictWrong, "基本配置"},
		{40125, "invalid appsecret", VerdictWrong, "AppSecret"},
		{40001, "invalid credential", VerdictWrong, "AppSecret"},
		{40164, "invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist rid: 1", VerdictWrong, "IP白名单"},
		{40243, "-", VerdictWrong, "unfreeze"},
		{41002, "appid missing", VerdictWrong, "基本配置"},
		{48001, "api unauthorized", VerdictWrong, "认证"},
		{50007, "-", VerdictWrong, "frozen"},
		{89503, "-", VerdictWrong, "administrator"},
		{-1, "system error", VerdictUnknown, "later"},
		{45009, "reach max api daily quota limit", VerdictUnknown, "later"},
		{45011, "-", VerdictUnknown, "later"},
		{99999, "?", VerdictWrong, ""},
	}
	for _, tt := range tests {
		mp := newTestMP(t, says(fmt.Sprintf(`{"errcode":%d,"errmsg":%q}`, tt.code, tt.message)))
		for name, got := range map[string][]Finding{
			"oa.secret": mp.ProbeSecret(t.Context()), "mini.secret": mp.ProbeMini(t.Context()),
			"oa.token": mp.ProbeToken(t.Context()), "oa.ticket": mp.ProbeTicket(t.Context()),
		} {
			if len(got) != 1 || got[0].Name != name || got[0].Verdict != tt.verdict || !strings.Contains(got[0].Do, tt.do) || !strings.Contains(got[0].What, fmt.Sprint(tt.code, " ", tt.message)) {
				t.Errorf("%s %d: %+v", name, tt.code, got)
			}
		}
	}
	for _, code := range []int{40029, 40163} {
		mp := newTestMP(t, says(fmt.Sprintf(`{"errcode":%d,"errmsg":"invalid code"}`, code)))
		for _, f := range append(mp.ProbeSecret(t.Context()), mp.ProbeMini(t.Context())...) {
			if f.Verdict != VerdictOK || f.Do != "" {
				t.Errorf("%d: %+v", code, f)
			}
		}
	}
	a := accountMP(t, &account{}, nil)
	for _, f := range append(a.ProbeToken(t.Context()), a.ProbeTicket(t.Context())...) {
		if f.Verdict != VerdictOK {
			t.Errorf("%+v", f)
		}
	}
	dumb := newTestMP(t, says(`{"openid":"oAnybody"}`))
	if f := dumb.ProbeSecret(t.Context())[0]; f.Verdict != VerdictUnknown {
		t.Errorf("a server that takes any code: %+v", f)
	}
	broken := newTestMP(t, says("<html>"))
	if f := broken.ProbeToken(t.Context())[0]; f.Verdict != VerdictUnknown {
		t.Errorf("HTML: %+v", f)
	}
}
