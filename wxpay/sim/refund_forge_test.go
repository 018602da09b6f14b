package sim

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Every forged kind of a refund's notification, as the shop sees it.
func TestForgeRefund(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.paid("forge00001")
		w.refund("forge00001", "R1", "300")
		time.Sleep(time.Minute)
		synctest.Wait()
		genuine := w.shop.notifications()[1].body
		send := func(kind string, status int) string {
			t.Helper()
			before := len(w.shop.notifications())
			w.api("POST", "notifications/forge", `{"out_trade_no":"forge00001","out_refund_no":"R1","kind":"`+kind+`"}`, status, nil)
			all := w.shop.notifications()
			if len(all) == before {
				return ""
			}
			return all[len(all)-1].body
		}
		inner := func(kind string) map[string]string {
			t.Helper()
			return openSealed(t, fromXML(t, send(kind, 200))["req_info"], w.id.APIKey)
		}
		if got := inner("wrong_amount"); got["refund_fee"] != "301" || got["out_refund_no"] != "R1" {
			t.Errorf("wrong_amount: %v", got)
		}
		if got := inner("unknown_order"); got["out_refund_no"] == "R1" || got["out_trade_no"] == "forge00001" {
			t.Errorf("unknown_order: %v", got)
		}
		if got := fromXML(t, send("wrong_appid", 200)); got["appid"] == w.id.AppID || got["req_info"] == "" {
			t.Errorf("wrong_appid: %v", got)
		}
		if got := fromXML(t, send("wrong_mchid", 200)); got["mch_id"] == w.id.MchID {
			t.Errorf("wrong_mchid: %v", got)
		}
		if got := fromXML(t, send("unsigned", 200)); got["req_info"] != "" || got["appid"] != w.id.AppID {
			t.Errorf("unsigned: %v", got)
		}
		if got := send("xxe", 200); !strings.Contains(got, "<!DOCTYPE") {
			t.Errorf("xxe: %s", got)
		}
		if got := send("truncated", 200); strings.HasSuffix(got, "</xml>") {
			t.Errorf("truncated: %s", got)
		}
		if got := send("replayed", 200); got != genuine {
			t.Errorf("replayed: %s", got)
		}
		if got := send("wrong_key", 200); !strings.Contains(got, "req_info") || got == genuine {
			t.Errorf("wrong_key: %s", got)
		}
		send("stale", 501)
		send("odd", 400)
		for _, tt := range []struct {
			body string
			want int
		}{
			{`{"out_trade_no":"forge00001","out_refund_no":"R9","kind":"xxe"}`, 404},
			{`{"out_trade_no":"none","out_refund_no":"R1","kind":"xxe"}`, 404},
		} {
			w.api("POST", "notifications/forge", tt.body, tt.want, nil)
		}
		w.refund("forge00001", "R2", "1", "notify_url", "-")
		w.api("POST", "notifications/forge", `{"out_trade_no":"forge00001","out_refund_no":"R2","kind":"xxe"}`, 409, nil)
		w.ok("/pay/micropay", w.deskFields("forge00002", w.code(1).Paycode), "")
		w.api("POST", "notifications/forge", `{"out_trade_no":"forge00002","kind":"unsigned"}`, 409, nil)
		// About the payment, the payment's own notification is replayed.
		w.api("POST", "notifications/forge", `{"out_trade_no":"forge00001","kind":"replayed"}`, 200, nil)
		all := w.shop.notifications()
		if all[len(all)-1].body != all[0].body {
			t.Error("the refund's notification was replayed instead of the payment's")
		}
	})
}

// A refund tells of itself in the event stream and in the log of the console.
func TestRefundEvents(t *testing.T) {
	w := newWorld(t, Options{})
	w.paid("events0001")
	w.refund("events0001", "R1", "300")
	w.decide("events0001", "R1", "success", 200)
	var states []string
	events, _ := w.sim.events.since(0)
	for _, h := range events {
		if h.kind == "refund" {
			v := h.data.(refundJSON)
			if v.OutRefundNo != "R1" || v.Amount != 300 || v.RefundID == "" {
				t.Errorf("event %+v", v)
			}
			states = append(states, v.State)
		}
	}
	if got := strings.Join(states, " "); got != "PROCESSING SUCCESS" {
		t.Errorf("events %s", got)
	}
	html := w.do("GET", "/_sim/?f=R1", "").Body.String()
	if !strings.Contains(html, "退款成功") || !strings.Contains(html, "受理了") {
		t.Error("the timeline does not tell of the refund")
	}
}
