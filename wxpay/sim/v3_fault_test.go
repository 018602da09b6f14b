package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// sendV3 makes a signed call over a transport without sockets and returns what
// a client gets.
func (w *world) sendV3(method, target string, body any, header ...string) (*http.Response, string, error) {
	w.t.Helper()
	text := ""
	if body != nil {
		text = asJSON(body)
	}
	r, err := http.NewRequest(method, "http://localhost:8081"+target, strings.NewReader(text))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", w.authorization(method, target, text, time.Now()))
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "test")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := Direct(w.sim.Gateway()).RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	got, err := io.ReadAll(res.Body)
	return res, string(got), err
}

// Each fault on the way of a call of API v3: what the client gets, and whether
// the call was carried out.
func TestFaultsOfAPIv3(t *testing.T) {
	cutOff := func(_ *http.Response, _ string, err error) bool { return errors.Is(err, errCut) }
	says := func(status int, code string) func(*http.Response, string, error) bool {
		return func(res *http.Response, body string, err error) bool {
			return err == nil && res.StatusCode == status && strings.Contains(body, `"code":"`+code+`"`)
		}
	}
	tests := []struct {
		name string
		done bool
		want func(res *http.Response, body string, err error) bool
	}{
		{"connection-refused", false, cutOff},
		{"host-down", false, cutOff},
		{"reset-before-commit", false, cutOff},
		{"reset-after-commit", true, cutOff},
		{"answer-5xx", false, func(res *http.Response, body string, _ error) bool {
			return res.StatusCode == 502 && strings.Contains(body, "<html>") && res.Header.Get("Wechatpay-Serial") == ""
		}},
		{"answer-html", true, func(res *http.Response, body string, _ error) bool {
			return res.StatusCode == 200 && strings.HasPrefix(body, "<html>") && res.Header.Get("Wechatpay-Signature") == ""
		}},
		{"answer-truncated", true, func(res *http.Response, body string, _ error) bool {
			return res.StatusCode == 200 && strings.HasPrefix(body, "{") && !json.Valid([]byte(body))
		}},
		{"answer-unsigned", true, func(res *http.Response, body string, _ error) bool {
			return res.StatusCode == 200 && strings.Contains(body, "prepay_id") && res.Header.Get("Wechatpay-Signature") == ""
		}},
		{"answer-wrong-signature", true, func(res *http.Response, body string, _ error) bool {
			return res.StatusCode == 200 && strings.Contains(body, "prepay_id") && res.Header.Get("Wechatpay-Signature") != ""
		}},
		{"frequency-limited", false, says(429, "FREQUENCY_LIMITED")},
		{"out-trade-no-used", false, says(403, "OUT_TRADE_NO_USED")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			w.next(tt.name, 1)
			res, body, err := w.sendV3("POST", jsapiV3, w.fieldsV3("fault00001"))
			if !tt.want(res, body, err) {
				t.Errorf("got %v %q %v", res, body, err)
			}
			if tt.name == "answer-wrong-signature" && w.verify(res.Header, []byte(body)) == nil {
				t.Error("the signature holds")
			}
			if _, known := w.sim.ledger.orders["fault00001"]; known != tt.done {
				t.Errorf("carried out: %v, want %v", known, tt.done)
			}
			wantFired(t, w, tt.name, 1)
			w.orderV3("fault00001")
			calls := w.sim.calls.latest(10)
			if c := calls[len(calls)-1]; c.Verdict != "refused" || c.Error == "" || errors.Is(err, errCut) != (c.Status == 0) {
				t.Errorf("in the log: %d %s %q", c.Status, c.Verdict, c.Error)
			}
		})
	}
}

// A close that is carried out answers 204: it can be unsigned, badly signed,
// late or lost like any other.
func TestFaultsOfEmptyAnswers(t *testing.T) {
	for name, check := range map[string]func(w *world, res *http.Response) bool{
		"answer-unsigned": func(_ *world, res *http.Response) bool {
			return res.StatusCode == 204 && res.Header.Get("Wechatpay-Signature") == ""
		},
		"answer-wrong-signature": func(w *world, res *http.Response) bool {
			return res.StatusCode == 204 && w.verify(res.Header, nil) != nil
		},
		"answer-html": func(_ *world, res *http.Response) bool {
			return res.StatusCode == 200 && res.Header.Get("Wechatpay-Signature") == ""
		},
	} {
		w := newWorld(t, Options{})
		w.orderV3("empty00001")
		w.next(name, 1)
		res, body, err := w.sendV3("POST", "/v3/pay/transactions/out-trade-no/empty00001/close", object{"mchid": w.id.MchID})
		if err != nil || !check(w, res) {
			t.Errorf("%s: %v %q %v", name, res, body, err)
		}
		if w.stateV3("empty00001") != "CLOSED" {
			t.Errorf("%s: not closed", name)
		}
	}
}

// SYSTEM_ERROR leaves it open whether the call was carried out.
func TestSystemErrorOfAPIv3(t *testing.T) {
	w := newWorld(t, Options{})
	w.next("system-error", 20)
	done := 0
	for i := range 20 {
		no := fmt.Sprintf("system%04d", i)
		refused(w, "POST", jsapiV3, w.fieldsV3(no), 500, `{"code":"SYSTEM_ERROR","message":"系统繁忙，请稍后重试"}`)
		if w.sim.ledger.orders[no] != nil {
			done++
		}
	}
	if done == 0 || done == 20 {
		t.Errorf("%d of 20 were carried out, want some and not all", done)
	}
}

// The payer is quicker than a repeated order, and than a close.
func TestRacesOfAPIv3(t *testing.T) {
	w := newWorld(t, Options{})
	const paid = `{"code":"ORDERPAID","message":"该订单已支付"}`
	w.next("order-paid-race", 1)
	w.orderV3("race000001")
	refused(w, "POST", jsapiV3, w.fieldsV3("race000001"), 400, paid)
	w.next("close-pay-race", 1)
	w.orderV3("race000002")
	refused(w, "POST", "/v3/pay/transactions/out-trade-no/race000002/close", object{"mchid": w.id.MchID}, 400, paid)
	for _, no := range []string{"race000001", "race000002"} {
		if w.stateV3(no) != "SUCCESS" {
			t.Errorf("%s is %s", no, w.stateV3(no))
		}
	}
}

// A refund may take hours, and an answer may come late.
func TestSlowThingsOfAPIv3(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.orderV3("slow000001")
		w.pay("slow000001")
		w.next("refund-processing", 1)
		w.answer("POST", refundsV3, w.refundFieldsV3("slow000001", "R1", 1, 888))
		time.Sleep(2 * time.Hour)
		if got := w.answer("GET", refundsV3+"/R1", nil)["status"]; got != "PROCESSING" {
			t.Errorf("after two hours: %v", got)
		}
		time.Sleep(2 * time.Hour)
		if got := w.answer("GET", refundsV3+"/R1", nil)["status"]; got != "SUCCESS" {
			t.Errorf("after four hours: %v", got)
		}
		w.next("answer-slow", 1)
		start := time.Now()
		if res, _, err := w.sendV3("GET", refundsV3+"/R1", nil); err != nil || res.StatusCode != 200 || time.Since(start) != slowAnswer {
			t.Errorf("took %s: %v", time.Since(start), err)
		}
	})
}

// Scenarios know calls of API v3 by amount, description, payer and number, in
// the body and in the path; the header of the sandbox does too.
func TestScenariosOfAPIv3(t *testing.T) {
	w := newWorld(t, Options{})
	script := func(body string) { w.api("POST", "scenario", body, 200, nil) }
	script(`{"match":{"amount":777},"then":{"fault":"frequency-limited"},"times":1}`)
	script(`{"match":{"description":"慢"},"then":{"fault":"answer-5xx"},"times":2}`)
	script(`{"match":{"openid":"` + w.openID(2) + `"},"then":{"outcome":"notenough"}}`)
	refused(w, "POST", jsapiV3, w.fieldsV3("scene00001", "amount.total", 777), 429, `{"code":"FREQUENCY_LIMITED","message":"你的操作过于频繁，请稍后再试。"}`)
	w.orderV3("scene00001", "amount.total", 777)
	if rec := w.v3("POST", jsapiV3, asJSON(w.fieldsV3("scene|0002", "description", "慢慢来"))); rec.Code != 502 {
		t.Errorf("by description: %d", rec.Code)
	}
	if rec := w.v3("GET", "/v3/pay/transactions/out-trade-no/scene%7C0002?mchid="+w.id.MchID, ""); rec.Code != 502 {
		t.Errorf("by the number in the path: %d", rec.Code)
	}
	w.orderV3("scene|0002", "description", "慢慢来")
	w.orderV3("scene00003", "payer.openid", w.openID(2))
	var tx transactionReply
	w.api("POST", "transactions/scene00003/pay", "", 200, &tx)
	if tx.State != "NOTPAY" {
		t.Errorf("scripted not to have enough: %s", tx.State)
	}
	if res, _, err := w.sendV3("POST", jsapiV3, w.fieldsV3("scene00004"), "Wechatpay-Negative-Test", "answer-5xx"); err != nil || res.StatusCode != 502 {
		t.Errorf("by header: %v", err)
	}
}

// A damaged bill does not fit its digest.
func TestFaultsOfBillFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.orderV3("billfault1")
		w.pay("billfault1")
		untilTheNextMorning()
		w.next("bill-amount", 1)
		link, file := w.fetch("/v3/bill/tradebill?bill_date=2000-01-01")
		if !strings.Contains(string(file), "`8.89,") {
			t.Errorf("nothing is planted:\n%s", file)
		}
		w.next("answer-truncated", 1)
		_, half, err := w.sendV3("GET", strings.TrimPrefix(link["download_url"].(string), "http://localhost:8081"), nil)
		if err != nil || len(half) != len(file)/2 {
			t.Errorf("%d of %d bytes: %v", len(half), len(file), err)
		}
	})
}
