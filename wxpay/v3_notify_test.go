package wxpay

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
)

func parseNote(g *V3Gateway, body string) (Transaction, error) {
	return g.ParseNotify(publicKeyOfWeChat().headers(body, v3Now), []byte(body))
}

func TestParseNotifyV3(t *testing.T) {
	g := newTestV3(t, testConfigV3(t, nil))
	body := note(paidJSON)
	x, err := parseNote(g, body)
	if err != nil {
		t.Fatal(err)
	}
	if x.Version != V3 || x.State != Success || x.AppID != testApp || x.MchID != testMch || x.OutTradeNo != testNo || x.Total != 888 || x.Cash != 788 ||
		x.TransactionID != "4200001460202207148197935963" || x.TradeType != JSAPI || x.OpenID != "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" || x.Currency != "CNY" ||
		x.BankType != "OTHERS" || x.Attach != "a=1&b=2" || !x.PaidAt.Equal(time.Date(2018, 6, 8, 2, 34, 56, 0, time.UTC)) {
		t.Errorf("%+v", x)
	}
	raw := x.Raw()
	if raw["amount.payer_total"] != "788" || raw["payer.openid"] != "…eS6o" || raw["trade_state_desc"] != "支付成功" {
		t.Errorf("raw %v", raw)
	}
	for name, bend := range badHeaders { // X3, X4
		h, b := publicKeyOfWeChat().headers(body, v3Now), body
		bend(h, &b)
		if _, err := g.ParseNotify(h, []byte(b)); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for seconds, good := range map[time.Duration]bool{-299: true, 299: true, -300: false, 300: false, -301: false, 301: false} { // X3
		if _, err := g.ParseNotify(publicKeyOfWeChat().headers(body, v3Now.Add(seconds*time.Second)), []byte(body)); (err == nil) != good {
			t.Errorf("%d seconds away: %v", seconds, err)
		}
	}
	merchant := wechatKey{v3KeyID, merchantKey(t)} // who verifies with it would take it
	if _, err := g.ParseNotify(merchant.headers(body, v3Now), []byte(body)); !errors.Is(err, ErrSignature) {
		t.Errorf("signed with the merchant's key: %v", err)
	}
}

// X3: a signature test is refused like any wrong signature, and said so.
func TestProbeOfNotifications(t *testing.T) {
	var log strings.Builder
	cfg := testConfigV3(t, nil)
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	g := newTestV3(t, cfg)
	body := note(paidJSON)
	for _, tail := range []string{"", "x", publicKeyOfWeChat().headers(body, v3Now).Get("Wechatpay-Signature")} {
		h := publicKeyOfWeChat().headers(body, v3Now)
		h.Set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/"+tail)
		if _, err := g.ParseNotify(h, []byte(body)); !errors.Is(err, ErrSignature) || !errors.Is(err, ErrProbe) {
			t.Errorf("%q: %v", tail, err)
		}
	}
	if strings.Count(log.String(), "level=INFO") != 3 || strings.Contains(log.String(), "SIGNTEST") {
		t.Errorf("log: %s", log.String())
	}
}

// Signed, and still nothing to act upon.
func TestBadNotificationsV3(t *testing.T) {
	g := newTestV3(t, testConfigV3(t, nil))
	good := note(paidJSON)
	change := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("nothing to change: %s", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	inside := func(old, new string) string {
		if !strings.Contains(paidJSON, old) {
			t.Fatalf("nothing to change: %s", old)
		}
		return note(strings.Replace(paidJSON, old, new, 1))
	}
	from := strings.Index(good, `,"resource":`)
	for name, body := range map[string]string{
		"empty":                 "",
		"v2":                    "<xml><return_code>SUCCESS</return_code></xml>", // X8
		"an array":              "[" + good + "]",
		"two":                   good + good,
		"something after":       good + "x",
		"a zero after":          good + "\x00",
		"no resource":           good[:from] + "}",
		"resource null":         good[:from] + `,"resource":null}`,
		"resource a string":     good[:from] + `,"resource":"x"}`,
		"resource empty":        good[:from] + `,"resource":{}}`,
		"resource twice":        change(`{"id"`, `{"resource":{},"id"`),
		"Resource as well":      change(`{"id"`, `{"RESOURCE":{},"id"`), // X13
		"algorithm":             change("AEAD_AES_256_GCM", "AEAD_SM4_GCM"),
		"no algorithm":          change(`"algorithm":"AEAD_AES_256_GCM",`, ""),
		"nonce of 11":           change(`"nonce":"fdasflkja484"`, `"nonce":"fdasflkja48"`),
		"nonce of 13":           change(`"nonce":"fdasflkja484"`, `"nonce":"fdasflkja4844"`),
		"nonce empty":           change(`"nonce":"fdasflkja484"`, `"nonce":""`),
		"no nonce":              change(`,"nonce":"fdasflkja484"`, ""),
		"nonce a number":        change(`"nonce":"fdasflkja484"`, `"nonce":123456789012`),
		"other nonce":           change(`"nonce":"fdasflkja484"`, `"nonce":"fdasflkja485"`),
		"other data":            change(`"associated_data":"transaction"`, `"associated_data":"transactioN"`),
		"no data":               change(`"associated_data":"transaction",`, ""),
		"no ciphertext":         change(`"ciphertext":"`, `"x":"`),
		"ciphertext cut":        change(`","associated`, `"`+"\x00"+`,"associated`),
		"ciphertext not base64": change(`"ciphertext":"`, `"ciphertext":"!`),
		"ciphertext short":      strings.Replace(good, sealedText(v3Key, "fdasflkja484", "transaction", paidJSON), "QUJD", 1),
		"original type":         noteOf("TRANSACTION.SUCCESS", "refund", v3Key, paidJSON),
		"no original type":      change(`"original_type":"transaction",`, ""),
		"event of a refund":     noteOf("REFUND.SUCCESS", "transaction", v3Key, paidJSON),
		"event of nothing":      noteOf("", "transaction", v3Key, paidJSON),
		"another key":           noteOf("TRANSACTION.SUCCESS", "transaction", v3NextKey, paidJSON),
		"not JSON inside":       note("<xml/>"),
		"two inside":            note(paidJSON + paidJSON),
		"number twice":          inside(`{`, `{"out_trade_no":"x",`), // X13
		"NUMBER as well":        inside(`{`, `{"OUT_TRADE_NO":"x",`),
		"total twice":           inside(`"total":888`, `"total":888,"total":1`),
		"not paid":              inside(`"trade_state":"SUCCESS"`, `"trade_state":"NOTPAY"`),
		"no state":              inside(`"trade_state":"SUCCESS",`, ""),
		"no number":             inside(`"out_trade_no":"20250806125346_01",`, ""),
		"number null":           inside(`"out_trade_no":"20250806125346_01"`, `"out_trade_no":null`),
		"number a number":       inside(`"out_trade_no":"20250806125346_01"`, `"out_trade_no":1`),
		"no transaction":        inside(`"transaction_id":"4200001460202207148197935963",`, ""),
		"amount a string":       inside(`{"total":888,"payer_total":788,"currency":"CNY","payer_currency":"CNY"}`, `"888"`),
		"bad UTF-8":             inside("支付成功", "\xff"),
		"half a character":      inside("支付成功", `\ud83c`),
		"of a sub merchant":     inside(`{`, `{"sub_mchid":"1900000200",`),
		"too deep":              inside(`[]`, strings.Repeat("[", 10001)+strings.Repeat("]", 10001)),
		"too many values":       inside(`[]`, "["+strings.Repeat("1,", 10000)+"1]"),
		"too long":              good + strings.Repeat(" ", maxNotify),
	} {
		if x, err := parseNote(g, body); !errors.Is(err, ErrBadNotify) || errors.Is(err, ErrSignature) {
			t.Errorf("%s: %+v, %v", name, x, err)
		}
	}
	refund := noteOf("REFUND.SUCCESS", "refund", v3Key, refundedJSON)
	if x, err := parseNote(g, refund); !errors.Is(err, ErrBadNotify) {
		t.Errorf("a refund: %+v, %v", x, err)
	}
	if x, err := g.ParseRefundNotify(publicKeyOfWeChat().headers(good, v3Now), []byte(good)); !errors.Is(err, ErrBadNotify) {
		t.Errorf("a payment: %+v, %v", x, err)
	}
}

// X5: an amount that is no amount is nothing that an order has.
func TestAmountsV3(t *testing.T) {
	g := newTestV3(t, testConfigV3(t, nil))
	for text, want := range map[string]int64{
		"888": 888, "0": 0, "1.0": -1, "1e2": -1, "-888": -1, `"888"`: -1, "null": -1, "true": -1, "9223372036854775808": -1,
		"[888]": -1, "88800": 88800, "888.00": -1, "-0": -1,
	} {
		x, err := parseNote(g, note(strings.Replace(paidJSON, `"total":888`, `"total":`+text, 1)))
		if err != nil || x.Total != want {
			t.Errorf("%s: %d, %v; want %d", text, x.Total, err, want)
		}
	}
	for _, gone := range []string{`"total":888,`, `"amount":{"total":888,"payer_total":788,"currency":"CNY","payer_currency":"CNY"},`} {
		x, err := parseNote(g, note(strings.Replace(paidJSON, gone, "", 1)))
		if err != nil || x.Total != -1 || x.Currency != "CNY" {
			t.Errorf("without %s: %+v, %v", gone, x, err)
		}
	}
	x, err := parseNote(g, note(strings.Replace(paidJSON, `"currency":"CNY"`, `"currency":"USD"`, 1)))
	if err != nil || x.Currency != "USD" {
		t.Errorf("%+v, %v", x, err)
	}
}

// Two APIv3 keys at a time: whichever WeChat uses, the change is not noticed.
func TestNextAPIv3Key(t *testing.T) {
	cfg := testConfigV3(t, nil)
	cfg.NextAPIv3Key = v3NextKey
	g := newTestV3(t, cfg)
	for i, key := range []string{v3Key, v3Key, v3NextKey, v3NextKey, v3Key} {
		if _, err := parseNote(g, noteOf("TRANSACTION.SUCCESS", "transaction", key, paidJSON)); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if _, err := parseNote(g, noteOf("TRANSACTION.SUCCESS", "transaction", strings.Repeat("x", 32), paidJSON)); !errors.Is(err, ErrBadNotify) {
		t.Errorf("a third key: %v", err)
	}
}

func TestParseRefundNotifyV3(t *testing.T) {
	g := newTestV3(t, testConfigV3(t, nil))
	parse := func(body string) (Refund, error) {
		return g.ParseRefundNotify(publicKeyOfWeChat().headers(body, v3Now), []byte(body))
	}
	for _, state := range []RefundState{RefundSuccess, RefundAbnormal, RefundClosed} {
		plain := strings.Replace(refundedJSON, `"SUCCESS"`, `"`+string(state)+`"`, 1)
		r, err := parse(noteOf("REFUND."+string(state), "refund", v3Key, plain))
		if err != nil || r.State != state || r.Version != V3 || r.MchID != testMch || r.OutRefundNo != "R7752501201407033233368018" || r.RefundID == "" ||
			r.Total != 999 || r.Amount != 998 || r.Account != "招商银行信用卡0403" || !r.SucceededAt.Equal(time.Date(2018, 6, 8, 2, 34, 56, 0, time.UTC)) {
			t.Errorf("%s: %+v, %v", state, r, err)
		}
	}
	for name, plain := range map[string]string{
		"another merchant": strings.Replace(refundedJSON, testMch, "1900000110", 1),
		"a sub merchant":   strings.Replace(refundedJSON, "{", `{"sub_mchid":"1900000200",`, 1),
		"no state":         strings.Replace(refundedJSON, "refund_status", "status", 1),
		"no number":        strings.Replace(refundedJSON, "out_refund_no", "x", 1),
		"not JSON":         "x",
		"another kind":     strings.Replace(refundedJSON, `"SUCCESS"`, "1", 1),
	} {
		if r, err := parse(noteOf("REFUND.SUCCESS", "refund", v3Key, plain)); !errors.Is(err, ErrBadNotify) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	// X8, and what a merchant's own refunds look like: v2's form on v3's route.
	const v2 = `<xml><return_code>SUCCESS</return_code><req_info>x</req_info></xml>`
	if _, err := parse(v2); !errors.Is(err, ErrBadNotify) {
		t.Errorf("v2: %v", err)
	}
	if _, err := g.ParseRefundNotify(http.Header{}, []byte(v2)); !errors.Is(err, ErrSignature) {
		t.Errorf("v2 without headers: %v", err)
	}
}

func TestProviderNotifyV3(t *testing.T) {
	plain := strings.NewReplacer(`"mchid"`, `"sub_mchid":"1900000200","sp_mchid"`, `"appid"`, `"sp_appid"`, `"openid"`, `"sp_openid"`).Replace(paidJSON)
	cfg := testConfigV3(t, nil)
	cfg.SubMchID = "1900000200"
	g := newTestV3(t, cfg)
	if x, err := parseNote(g, note(plain)); err != nil || x.MchID != testMch || x.SubMchID != "1900000200" || x.AppID != testApp || x.OpenID == "" {
		t.Errorf("%+v, %v", x, err)
	}
	sub := strings.NewReplacer(`"sp_appid"`, `"sub_appid":"wx1111111111111111","sp_appid"`, `"sp_openid":"`, `"sub_openid":"sub`).Replace(plain)
	if x, err := parseNote(g, note(sub)); err != nil || x.AppID != "wx1111111111111111" || !strings.HasPrefix(x.OpenID, "sub") {
		t.Errorf("%+v, %v", x, err)
	}
	for _, other := range []string{strings.Replace(plain, "1900000200", "1900000201", 1), paidJSON} {
		if x, err := parseNote(g, note(other)); !errors.Is(err, ErrBadNotify) {
			t.Errorf("another's: %+v, %v", x, err)
		}
	}
	refund := strings.Replace(refundedJSON, `"mchid"`, `"sub_mchid":"1900000200","sp_mchid"`, 1)
	body := noteOf("REFUND.SUCCESS", "refund", v3Key, refund)
	if r, err := g.ParseRefundNotify(publicKeyOfWeChat().headers(body, v3Now), []byte(body)); err != nil || r.SubMchID != "1900000200" || r.MchID != testMch {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRepliesV3(t *testing.T) {
	g := newTestV3(t, testConfigV3(t, nil))
	if r := g.Accept(); r.Status != 204 || len(r.Body) != 0 {
		t.Errorf("%+v", r)
	}
	for reason, want := range map[string]string{
		"签名失败": `401 {"code":"FAIL","message":"签名失败"}`, "处理失败": `500 {"code":"FAIL","message":"处理失败"}`, "": `500 {"code":"FAIL","message":"失败"}`,
		"a\"b\\c\n<d>": `500 {"code":"FAIL","message":"abcd"}`,
	} {
		r := g.Reject(reason)
		if got := fmt.Sprintf("%d %s", r.Status, r.Body); got != want || !strings.HasPrefix(r.ContentType, "application/json") {
			t.Errorf("%q: %s", reason, got)
		}
	}
	if g.Version() != V3 {
		t.Error(g.Version())
	}
}
