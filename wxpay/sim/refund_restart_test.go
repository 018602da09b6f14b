package sim

import (
	"testing"
	"testing/synctest"
	"time"
)

// The simulator may be restarted between any two steps of money: codes, the
// payer's password, reversals, refunds under way and their notifications go on.
func TestMoneyRestart(t *testing.T) {
	var code string
	steps := []struct {
		name string
		do   func(w *world)
	}{
		{"code", func(w *world) { code = w.code(2).Paycode }},
		{"desk", func(w *world) { w.call("/pay/micropay", w.deskFields("restart001", code, "total_fee", "200000"), "") }},
		{"recall", func(w *world) { w.ok("/secapi/pay/reverse", map[string]string{"out_trade_no": "restart001"}, "") }},
		{"password", func(w *world) { w.pay("restart001") }},
		{"other code", func(w *world) { code = w.code(1).Facecode }},
		{"face", func(w *world) { w.ok("/pay/facepay", w.deskFields("restart002", "-", "face_code", code), "") }},
		{"reverse", func(w *world) { w.ok("/secapi/pay/reverse", map[string]string{"out_trade_no": "restart002"}, "") }},
		{"third code", func(w *world) { code = w.code(3).Paycode }},
		{"refused desk", func(w *world) { w.call("/pay/micropay", w.deskFields("restart003", code, "total_fee", "99999999"), "") }},
		{"order", func(w *world) { w.paid("restart004") }},
		{"refund", func(w *world) { w.refund("restart004", "R1", "100") }},
		{"abnormal refund", func(w *world) {
			w.refund("restart004", "R2", "200")
			w.decide("restart004", "R2", "abnormal", 200)
		}},
		{"closed refund", func(w *world) {
			w.refund("restart004", "R3", "300")
			w.decide("restart004", "R3", "fail", 200)
		}},
		{"asleep", func(w *world) {
			w.api("PUT", "faults", `{"next":{"user-paying":1}}`, 200, nil)
			w.call("/pay/micropay", w.deskFields("restart005", w.code(1).Paycode), "")
		}},
	}
	for cut := -1; cut < len(steps); cut++ {
		name := "never"
		if cut >= 0 {
			name = "after " + steps[cut].name
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := Options{Data: t.TempDir()}
				w := newWorld(t, o)
				stop := w.run()
				for i, step := range steps {
					step.do(w)
					if i == cut {
						synctest.Wait() // or what is being sent is sent again
						stop()
						w = w.reopen(o)
						stop = w.run()
					}
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				wantMoney(t, w)
				stop()
				wantMoney(t, w.reopen(o))
			})
		})
	}
}

func wantMoney(t *testing.T, w *world) {
	t.Helper()
	for no, want := range map[string]string{
		"restart001": "SUCCESS", "restart002": "REVOKED", "restart003": "PAYERROR", "restart004": "REFUND", "restart005": "REVOKED",
	} {
		if got := w.state(no); got != want {
			t.Errorf("%s is %s, want %s", no, got, want)
		}
	}
	for no, want := range map[string]string{"R1": "SUCCESS", "R2": "CHANGE", "R3": "REFUNDCLOSE"} {
		if got := w.ok("/pay/refundquery", map[string]string{"out_refund_no": no}, "")["refund_status_0"]; got != want {
			t.Errorf("%s is %s, want %s", no, got, want)
		}
	}
	start := newLedger().users
	for i, want := range []int64{start[0].Balance - 888 + 100, start[1].Balance - 200000, start[2].Balance} {
		if got := w.sim.people()[i].Balance; got != want {
			t.Errorf("wallet %d holds %d, want %d", i+1, got, want)
		}
	}
	told := map[string]int{}
	for _, n := range w.shop.notifications() {
		if sealed := fromXML(t, n.body)["req_info"]; sealed != "" {
			inner := openSealed(t, sealed, w.id.APIKey)
			told[inner["out_refund_no"]+" "+inner["refund_status"]]++
		} else {
			told["payment"]++
		}
	}
	for _, want := range []string{"payment", "R1 SUCCESS", "R2 CHANGE", "R3 REFUNDCLOSE"} {
		if told[want] != 1 {
			t.Errorf("told %v, want one %s", told, want)
		}
	}
}

// After a restart a refund ends by itself, and the shop is told, though
// nobody asks.
func TestRefundEndsAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{Data: t.TempDir()}
		w := newWorld(t, o)
		w.paid("alone00001")
		w.api("PUT", "faults", `{"next":{"refund-processing":1}}`, 200, nil)
		w.refund("alone00001", "R1", "100")
		w = w.reopen(o)
		defer w.run()()
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if all := w.shop.notifications(); len(all) != 2 {
			t.Errorf("%d notifications, want those of the payment and of the refund", len(all))
		}
	})
}
