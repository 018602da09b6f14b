package sim

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// forged sends a bad notification and returns how the shop saw it.
func (w *world) forged(kind, refundNo string) received {
	w.t.Helper()
	before := len(w.shop.notifications())
	var got struct {
		Status       int
		Acknowledged bool
	}
	w.api("POST", "notifications/forge", fmt.Sprintf(`{"out_trade_no":"forge00001","out_refund_no":%q,"kind":%q}`, refundNo, kind), 200, &got)
	all := w.shop.notifications()
	if len(all) != before+1 || got.Status != 500 || got.Acknowledged {
		w.t.Fatalf("%s: %d more deliveries, answer %+v", kind, len(all)-before, got)
	}
	return all[len(all)-1]
}

// badly says what is wrong with a notification: the first thing that a
// careful merchant would stumble over.
func (w *world) badly(n received) string {
	w.t.Helper()
	if err := w.verifyAt(n.header, []byte(n.body), n.at); err != nil {
		return "signature: " + err.Error()
	}
	_, c, err := w.open(n.body)
	if err != nil {
		return "body: " + err.Error()
	}
	amount := c["amount"].(map[string]any)
	return fmt.Sprint("content: ", c["out_trade_no"] == "forge00001", c["appid"] == w.id.AppID, c["mchid"] == w.id.MchID, " ", amount["total"], " ", amount["refund"])
}

// Every kind of forgery of API v3, about an order that is not paid, about one
// that is, and about a refund.
func TestForgeV3(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		stop := w.run()
		w.shop.answerWith(refusal)
		w.placeV3("forge00001")
		const right = "content: true true true 888 <nil>"
		want := map[string]string{
			"unsigned": "signature: signed with unknown serial", "wrong_key": "signature: crypto/rsa: verification error", "wrong_serial": "signature: signed with unknown serial",
			"stale": "signature: Wechatpay-Timestamp", "signtest": "signature: illegal base64", "truncated": "body: unexpected end of JSON", "xxe": "body: invalid character '<'",
			"short_nonce": "body: the nonce has 8 bytes", "wrong_amount": "content: true true true 889 <nil>", "wrong_appid": "content: true false true 888 <nil>",
			"wrong_mchid": "content: true true false 888 <nil>", "unknown_order": "content: false true true 888 <nil>", "replayed": right,
		}
		refunds := map[string]string{
			"wrong_amount": "content: true false true 888 301", "wrong_mchid": "content: true false false 888 300", "unknown_order": "content: false false true 888 300", "replayed": "content: true false true 888 300",
		}
		if len(want) != len(forgeKindsOf(apiV3)) {
			t.Errorf("%d kinds are tried, there are %d", len(want), len(forgeKindsOf(apiV3)))
		}
		try := func(refund string, want map[string]string, but ...string) {
			t.Helper()
			for kind, bad := range want {
				if len(but) > 0 && kind == but[0] {
					continue
				}
				if got := w.badly(w.forged(kind, refund)); !strings.HasPrefix(got, bad) {
					t.Errorf("%s: %s, want %s", kind, got, bad)
				}
			}
		}
		try("", want, "replayed")
		w.api("POST", "notifications/forge", `{"out_trade_no":"forge00001","kind":"replayed"}`, 409, nil)
		if w.sim.ledger.orders["forge00001"].state() != "NOTPAY" {
			t.Error("forging changed the order")
		}
		w.pay("forge00001")
		time.Sleep(time.Second)
		stop()
		genuine := w.shop.notifications()[len(want)-1]
		try("", want)
		if again := w.forged("replayed", ""); again.body != genuine.body || again.header.Get("Wechatpay-Nonce") != genuine.header.Get("Wechatpay-Nonce") {
			t.Error("it was not replayed to the byte")
		}
		time.Sleep(time.Hour) // the old signature holds no more, the body does
		if again := w.forged("replayed", ""); again.body != genuine.body || w.badly(again) != right {
			t.Errorf("replayed later: %s", w.badly(again))
		}
		w.shop.answerWith(noContent)
		w.refundV3("forge00001", "R1", 300)
		stop = w.run()
		time.Sleep(time.Minute)
		stop()
		w.shop.answerWith(refusal)
		try("R1", refunds)
		w.api("POST", "notifications/forge", `{"out_trade_no":"forge00001","out_refund_no":"R1","kind":"wrong_appid"}`, 409, nil)
		w.api("POST", "notifications/forge", `{"out_trade_no":"forge00001","kind":"odd"}`, 400, nil)
	})
}

// The faults that send a forgery before the genuine notification.
func TestFaultForgedV3(t *testing.T) {
	for fault, want := range map[string]string{
		"notify-stale": "signature: Wechatpay-Timestamp", "notify-wrong-amount": "content: true true true 889 <nil>", "notify-forged": "",
	} {
		t.Run(fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Options{})
				defer w.run()()
				w.shop.answerWith(noContent)
				w.next(fault, 1)
				w.placeV3("forge00001")
				w.pay("forge00001")
				time.Sleep(time.Hour)
				got := w.shop.notifications()
				if len(got) != 2 {
					t.Fatalf("%d deliveries", len(got))
				}
				if bad := w.badly(got[0]); !strings.HasPrefix(bad, want) || bad == w.badly(got[1]) {
					t.Errorf("the first is wrong about %s", bad)
				}
				if last := w.badly(got[1]); last != "content: true true true 888 <nil>" {
					t.Errorf("the second is wrong about %s", last)
				}
				wantFired(t, w, fault, 1)
			})
		})
	}
}

// An order of v2 knows nothing of what only API v3 has.
func TestNotifyStaleIsOfV3(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.api("PUT", "faults", `{"rates":{"notify-stale":1}}`, 200, nil)
		w.order("ofv2000001")
		w.pay("ofv2000001")
		time.Sleep(time.Minute)
		if n := len(w.shop.notifications()); n != 1 {
			t.Errorf("%d deliveries", n)
		}
		w.api("POST", "notifications/forge", `{"out_trade_no":"ofv2000001","kind":"signtest"}`, 501, nil)
	})
}

// What the way makes of answers of API v3.
func TestFaultyAnswersV3(t *testing.T) {
	w := newWorld(t, Options{})
	w.setMode("certificate")
	for fault, want := range map[string][]string{
		"answer-unsigned":        {`signed with unknown serial ""`},
		"answer-wrong-signature": {"crypto/rsa: verification error", "illegal base64 data at input byte 361"},
		"answer-truncated":       {"crypto/rsa: verification error"},
		"answer-html":            {`signed with unknown serial ""`},
	} {
		seen := map[string]bool{}
		for range 12 {
			w.next(fault, 1)
			rec := w.v3("GET", "/v3/certificates", "")
			err := w.verify(rec.Header(), rec.Body.Bytes())
			if err == nil || rec.Code != 200 {
				t.Fatalf("%s: %d, %v", fault, rec.Code, err)
			}
			seen[err.Error()] = true
			if probe := strings.HasPrefix(rec.Header().Get("Wechatpay-Signature"), "WECHATPAY/SIGNTEST/"); probe && fault != "answer-wrong-signature" {
				t.Errorf("%s: a probe", fault)
			}
		}
		for _, one := range want {
			if !seen[one] {
				t.Errorf("%s: never %q among %v", fault, one, seen)
			}
		}
	}
	w.next("answer-unsigned", 1)
	if rec := w.v3("GET", "/v3/certificates?algorithm_type=X", ""); rec.Code != 400 || rec.Header().Get("Wechatpay-Signature") == "" {
		t.Error("the fault struck a refusal, which nobody verifies")
	}
}
