package sim

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What a scenario matches, and that it leaves others alone.
func TestScenarioMatches(t *testing.T) {
	amount := int64(1234)
	about := subject{no: "x", description: "慢慢喝的茶", openID: "o1", amount: 1234}
	tests := []struct {
		match scenarioMatch
		want  bool
	}{
		{scenarioMatch{Amount: &amount}, true}, {scenarioMatch{AmountEnds: "34"}, true}, {scenarioMatch{AmountEnds: "33"}, false},
		{scenarioMatch{Description: "慢"}, true}, {scenarioMatch{Description: "快"}, false}, {scenarioMatch{OpenID: "o1"}, true},
		{scenarioMatch{OpenID: "o2"}, false}, {scenarioMatch{Amount: &amount, Description: "快"}, false},
	}
	for _, tt := range tests {
		if got := tt.match.fits(about); got != tt.want {
			t.Errorf("%+v: %v, want %v", tt.match, got, tt.want)
		}
	}
	if (scenarioMatch{AmountEnds: "05"}).fits(subject{amount: 5}) != true {
		t.Error("five fen do not end in 05")
	}
}

// An outcome replaces what the payer would do, in the sheet and in the API,
// where nobody says otherwise.
func TestScenarioOutcome(t *testing.T) {
	w := newWorld(t, Options{})
	w.api("POST", "scenario", `{"match":{"amount":1234},"then":{"outcome":"cancel"},"times":2}`, 200, nil)
	w.order("script0001", "total_fee", "1234")
	w.order("script0002", "total_fee", "1235")
	var tx transactionReply
	w.api("POST", "transactions/script0001/pay", "", 200, &tx)
	if tx.State != "NOTPAY" {
		t.Errorf("scripted: %s", tx.State)
	}
	w.api("POST", "transactions/script0002/pay", "", 200, &tx)
	if tx.State != "SUCCESS" {
		t.Errorf("another amount: %s", tx.State)
	}
	p := w.bridge(w.order("script0001", "total_fee", "1234"), "")
	sh, err := w.sim.openSheet(p, "1")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.sim.actOnSheet(sh.prepayID, "1", "success"); err != nil || w.state("script0001") != "NOTPAY" {
		t.Errorf("in the sheet: %v, %s", err, w.state("script0001"))
	}
	w.api("POST", "transactions/script0001/pay", "", 200, &tx) // the third time nothing is scripted any more
	if tx.State != "SUCCESS" {
		t.Errorf("after two times: %s", tx.State)
	}
}

// A fault strikes the calls and notifications of matching orders only.
func TestScenarioFault(t *testing.T) {
	w := newWorld(t, Options{})
	w.api("POST", "scenario", `{"match":{"description":"易碎"},"then":{"fault":"reset-after-commit"},"times":1}`, 200, nil)
	if _, _, err := w.send("/pay/unifiedorder", w.orderFields("frail00001", "body", "结实的壶")); err != nil {
		t.Errorf("another order: %v", err)
	}
	if _, _, err := w.send("/pay/unifiedorder", w.orderFields("frail00002", "body", "易碎的壶")); !errors.Is(err, errCut) {
		t.Errorf("got %v", err)
	}
	if w.state("frail00002") != "NOTPAY" {
		t.Error("it was not carried out")
	}
	wantFired(t, w, "reset-after-commit", 1)
}

// Scripts that come after the order know it, too; a list, and deletion.
func TestScenarioList(t *testing.T) {
	w := newWorld(t, Options{})
	w.order("late000001")
	var one scenarioJSON
	w.api("POST", "scenario", `{"match":{"openid":"`+w.openID(1)+`"},"then":{"outcome":"fail"}}`, 200, &one)
	w.api("POST", "scenario", `{"match":{"amount":5},"then":{"fault":"answer-slow"}}`, 200, nil)
	var tx transactionReply
	w.api("POST", "transactions/late000001/pay", "", 200, &tx)
	if tx.State != "NOTPAY" {
		t.Errorf("got %s", tx.State)
	}
	var list []scenarioJSON
	w.api("GET", "scenario", "", 200, &list)
	if len(list) != 2 || list[1].ID != one.ID || list[1].Fired != 1 || list[0].Then.Fault != "answer-slow" {
		t.Errorf("list %+v", list)
	}
	w.api("DELETE", "scenario/"+one.ID, "", 200, &list)
	if len(list) != 1 {
		t.Errorf("left %+v", list)
	}
	w.api("POST", "transactions/late000001/pay", "", 200, &tx)
	if tx.State != "SUCCESS" {
		t.Errorf("not scripted any more: %s", tx.State)
	}
	w.api("DELETE", "scenario", "", 200, &list)
	if len(list) != 0 || w.sim.scenarios.any.Load() {
		t.Errorf("left %+v", list)
	}
}

// The table of amounts is off until it is asked for.
func TestAmountTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.order("table00001", "total_fee", "2032")
		if w.pay("table00001").State != "SUCCESS" {
			t.Error("the table is on by itself")
		}
		w.api("POST", "scenario", `{"table":"amounts"}`, 200, nil)
		w.order("table00002", "total_fee", "2032")
		var tx transactionReply
		w.api("POST", "transactions/table00002/pay", "", 200, &tx)
		if tx.State != "NOTPAY" {
			t.Errorf("…32: %s", tx.State)
		}
		w.order("table00003", "total_fee", "2042") // comes twice
		synctest.Wait()
		before := len(w.shop.notifications())
		w.pay("table00003")
		time.Sleep(5 * time.Second)
		if n := len(w.shop.notifications()) - before; n != 2 {
			t.Errorf("…42: %d notifications", n)
		}
		for _, row := range amountTable {
			if row.then.Fault != "" && !faultNames[row.then.Fault] || len(row.ends) != 2 {
				t.Errorf("row %+v", row)
			}
		}
	})
}

// The header of WeChat's sandbox is honoured for the call that carries it.
func TestNegativeTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		start := time.Now()
		if _, body, err := w.send("/pay/unifiedorder", w.orderFields("negative01"), "Wechatpay-Negative-Test", "MICROPAY_TIMEOUT"); err != nil || softXML(body)["result_code"] != "SUCCESS" {
			t.Errorf("%v %s", err, body)
		}
		if took := time.Since(start); took != slowAnswer {
			t.Errorf("took %s", took)
		}
		if _, _, err := w.send("/pay/unifiedorder", w.orderFields("negative02"), "Wechatpay-Negative-Test", "reset-before-commit"); !errors.Is(err, errCut) {
			t.Errorf("got %v", err)
		}
		start = time.Now()
		if _, _, err := w.send("/pay/unifiedorder", w.orderFields("negative02")); err != nil || time.Since(start) != 0 || w.sim.scenarios.any.Load() {
			t.Errorf("the next call suffers: %v", err)
		}
	})
}

// sandboxCall signs with the sandbox's key.
func (w *world) sandboxCall(key, path string, fields map[string]string) map[string]string {
	w.t.Helper()
	fields = w.signed(fields, "")
	fields["sign"] = signFields(fields, key, "")
	return softXML(w.do("POST", path, toXML(fields)).Body.String())
}

func (w *world) signKey(path string) string {
	w.t.Helper()
	in := map[string]string{"mch_id": w.id.MchID, "nonce_str": "abc"}
	in["sign"] = signFields(in, w.id.APIKey, "")
	got := softXML(w.do("POST", path, toXML(in)).Body.String())
	if len(got["sandbox_signkey"]) != 32 || got["return_code"] != "SUCCESS" {
		w.t.Fatalf("%s: %v", path, got)
	}
	return got["sandbox_signkey"]
}

// The old sandbox: its own key, and the amounts that choose the case.
func TestSandboxAmounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		key := w.signKey("/sandboxnew/pay/getsignkey")
		order := func(no, fee string) map[string]string {
			return w.sandboxCall(key, "/sandboxnew/pay/unifiedorder", w.orderFields(no, "total_fee", fee))
		}
		if got := order("sandbox000", "1"); got["return_msg"] != "沙箱支付金额(1)无效，请检查需要验收的case" {
			t.Errorf("1 fen: %v", got)
		}
		tests := []struct {
			fee, state string
			check      func(t *testing.T, got []received)
		}{
			{"101", "SUCCESS", func(t *testing.T, got []received) { wantNotes(t, got, key, 1, "101") }},
			{"102", "SUCCESS", func(t *testing.T, got []received) {
				wantNotes(t, got, key, 1, "102")
				if f := softXML(got[0].body); f["coupon_fee"] != "3" || f["coupon_count"] != "2" || f["cash_fee"] != "99" || f["coupon_fee_1"] != "2" {
					t.Errorf("coupons: %v", f)
				}
			}},
			{"130", "SUCCESS", func(t *testing.T, got []received) { wantNotes(t, got, key, 0, "") }},
			{"131", "PAYERROR", func(t *testing.T, got []received) { wantNotes(t, got, key, 0, "") }},
			{"132", "SUCCESS", func(t *testing.T, got []received) { wantNotes(t, got, key, 2, "132") }},
			{"133", "SUCCESS", func(t *testing.T, got []received) {
				if f := softXML(got[0].body); f["sign"] == signFields(f, key, "") || f["sign"] == "" {
					t.Errorf("the signature holds: %v", f)
				}
			}},
			{"134", "SUCCESS", func(t *testing.T, got []received) { wantNotes(t, got, key, 1, "135") }},
		}
		for _, tt := range tests {
			before := len(w.shop.notifications())
			if got := order("sandbox"+tt.fee, tt.fee); got["result_code"] != "SUCCESS" || got["sign"] != signFields(got, key, "") {
				t.Errorf("%s: %v", tt.fee, got)
				continue
			}
			time.Sleep(10 * time.Second)
			query := w.sandboxCall(key, "/sandboxnew/pay/orderquery", map[string]string{"out_trade_no": "sandbox" + tt.fee})
			if query["trade_state"] != tt.state {
				t.Errorf("%s: %s, want %s", tt.fee, query["trade_state"], tt.state)
			}
			tt.check(t, w.shop.notifications()[before:])
		}
	})
}

func wantNotes(t *testing.T, got []received, key string, n int, fee string) {
	t.Helper()
	if len(got) != n {
		t.Errorf("%d notifications, want %d", len(got), n)
		return
	}
	for _, note := range got {
		if f := softXML(note.body); f["total_fee"] != fee || f["sign"] != signFields(f, key, "") {
			t.Errorf("notification %v", f)
		}
	}
}

// The sandbox refuses the real key, the gateway the sandbox's; the doctor says so.
func TestSandboxKeys(t *testing.T) {
	w := newWorld(t, Options{})
	key := w.signKey("/xdc/apiv2getsignkey/sign/getsignkey")
	if got := w.sandboxCall(w.id.APIKey, "/sandboxnew/pay/unifiedorder", w.orderFields("sandkey001", "total_fee", "101")); got["return_msg"] != "签名错误" {
		t.Errorf("real key in the sandbox: %v", got)
	}
	if got := w.sandboxCall(key, "/pay/unifiedorder", w.orderFields("sandkey002")); got["return_msg"] != "签名错误" {
		t.Errorf("sandbox key outside: %v", got)
	}
	if d := w.sim.calls.latest(1)[0].Diagnosis; d == nil || d.Cause != "wrong-key" || !strings.Contains(d.Explanation, "沙箱") {
		t.Errorf("diagnosis %+v", d)
	}
	in := map[string]string{"mch_id": w.id.MchID, "nonce_str": "abc", "sign": strings.Repeat("0", 32)}
	if got := softXML(w.do("POST", "/sandboxnew/pay/getsignkey", toXML(in)).Body.String()); got["return_msg"] != "签名错误" || got["sandbox_signkey"] != "" {
		t.Errorf("the key is handed out: %v", got)
	}
	if got := w.sandboxCall(key, "/xdc/apiv2sandbox/pay/orderquery", map[string]string{"out_trade_no": "sandkey003"}); got["err_code"] != "ORDERNOTEXIST" {
		t.Errorf("the new sandbox: %v", got)
	}
	for _, path := range []string{"/xdc/apiv2sandbox/pay/unifiedorder", "/sandboxnew/sandboxnew/pay/orderquery", "/sandboxnew/sns/auth", "/sandboxnew/_sim/api/identity"} {
		if rec := w.do("POST", path, ""); rec.Code != 404 {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
}
