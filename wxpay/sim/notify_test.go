package sim

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// offsets are the seconds after the first delivery at which the 15 retries
// come (WeChat Pay v2, "支付结果通知").
var offsets = []int{15, 30, 60, 240, 840, 2040, 3840, 5640, 7440, 11040, 21840, 32640, 43440, 65040, 86640}

// A whole day of a shop that never acknowledges, in a bubble.
func TestLadder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.shop.answerWith(badReply)
		stop := w.run()
		defer stop()
		w.order("ladder0001")
		id := w.pay("ladder0001").Notifications[0]
		synctest.Wait()
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		got := w.shop.notifications()
		if len(got) != 16 {
			t.Fatalf("%d deliveries, want 16", len(got))
		}
		for i, want := range offsets {
			if s := int(got[i+1].at.Sub(got[0].at) / time.Second); s != want {
				t.Errorf("retry %d after %d s, want %d", i+1, s, want)
			}
		}
		if n := w.notification(id); n.State != "gave-up" || n.NextAt != nil || len(n.Attempts) != 16 {
			t.Errorf("in the end %s, next %v, %d attempts", n.State, n.NextAt, len(n.Attempts))
		}
	})
}

// Slow answers do not push the ladder back: it counts from its own steps.
func TestLadderWithTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.shop.answerWith(func(rw http.ResponseWriter, r *http.Request) { time.Sleep(6 * time.Second); goodReply(rw, r) })
		defer w.run()()
		w.order("slow000001")
		id := w.pay("slow000001").Notifications[0]
		time.Sleep(61 * time.Second)
		synctest.Wait()
		time.Sleep(6 * time.Second)
		got := w.shop.notifications()
		if len(got) != 4 || got[3].at.Sub(got[0].at) != 60*time.Second {
			t.Fatalf("%d deliveries, last after %v", len(got), got[len(got)-1].at.Sub(got[0].at))
		}
		first := w.notification(id).Attempts[0]
		if first.OK || first.Status != 0 || first.ResponseBody != "no answer within 5 seconds" {
			t.Errorf("an answer after 6 seconds counted: %+v", first)
		}
	})
}

// The fields of a notification, signed with the order's algorithm, without
// sign_type.
func TestNotificationFields(t *testing.T) {
	for _, alg := range []string{"", "MD5", "HMAC-SHA256"} {
		t.Run("signed "+alg, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Options{})
				defer w.run()()
				w.ok("/pay/unifiedorder", w.orderFields("fields0001"), alg)
				tx := w.pay("fields0001")
				synctest.Wait()
				all := w.shop.notifications()
				if len(all) != 1 {
					t.Fatalf("%d notifications, want 1", len(all))
				}
				got := fromXML(t, all[0].body)
				want := map[string]string{
					"return_code": "SUCCESS", "result_code": "SUCCESS", "appid": w.id.AppID, "mch_id": w.id.MchID,
					"openid": w.openID(1), "is_subscribe": "N", "trade_type": "JSAPI", "total_fee": "888", "cash_fee": "888",
					"fee_type": "CNY", "transaction_id": tx.TransactionID, "out_trade_no": "fields0001", "attach": "a=1&b=2",
					"time_end": time.Now().In(beijing).Format(v2Time),
				}
				for name, value := range want {
					if got[name] != value {
						t.Errorf("%s = %q, want %q", name, got[name], value)
					}
				}
				for _, name := range []string{"sign_type", "return_msg"} {
					if _, there := got[name]; there {
						t.Errorf("%s is there", name)
					}
				}
				if sign := signFields(got, w.id.APIKey, alg); got["sign"] != sign {
					t.Errorf("signed %s, want %s", got["sign"], sign)
				}
				h := all[0].header
				if h.Get("Content-Type") != "text/xml" || h.Get("Request-Id") == "" {
					t.Errorf("headers %v", h)
				}
			})
		})
	}
}

// Which answers end the retries.
func TestReplies(t *testing.T) {
	good := "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"
	tests := []struct {
		name   string
		status int
		body   string
		want   bool
	}{
		{"as documented", 200, good, true},
		{"without CDATA", 200, "<xml><return_code>SUCCESS</return_code><return_msg>OK</return_msg></xml>", true},
		{"on several lines", 200, "<xml>\n  <return_code>SUCCESS</return_code>\n</xml>\n", true},
		{"with a declaration", 200, `<?xml version="1.0" encoding="UTF-8"?>` + good, true},
		{"FAIL", 200, strings.ReplaceAll(good, "SUCCESS", "FAIL"), false},
		{"empty", 200, "", false},
		{"ok", 200, "ok", false},
		{"success", 200, "success", false},
		{"SUCCESS", 200, "SUCCESS", false},
		{"JSON", 200, `{"code":"SUCCESS","message":"OK"}`, false},
		{"HTML", 200, "<html><body>OK</body></html>", false},
		{"text before", 200, "x" + good, false},
		{"literal backslash n after", 200, good + `\n`, false},
		{"byte order mark", 200, "\uFEFF" + good, false},
		{"another root", 200, strings.ReplaceAll(good, "xml>", "root>"), false},
		{"other names", 200, "<xml><returncode>SUCCESS</returncode></xml>", false},
		{"lower case", 200, strings.ReplaceAll(good, "SUCCESS", "success"), false},
		{"end tags that do not match", 200, "<xml><return_code>SUCCESS</return_msg></xml>", false},
		{"twice", 200, good + good, false},
		{"return_code twice", 200, "<xml><return_code>FAIL</return_code><return_code>SUCCESS</return_code></xml>", false},
		{"DOCTYPE", 200, "<!DOCTYPE xml>" + good, false},
		{"comment", 200, "<xml><!-- x --><return_code>SUCCESS</return_code></xml>", false},
		{"cut off", 200, good[:len(good)-1], false},
		{"201", 201, good, false},
		{"204", 204, "", false},
		{"302", 302, good, false},
		{"500", 500, good, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, why := acknowledged(tt.status, []byte(tt.body)); got != tt.want || got == (why != "") {
				t.Errorf("acknowledged = %v (%s), want %v", got, why, tt.want)
			}
		})
	}
}

// An acknowledgement ends the retries.
func TestAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.shop.answerWith(badReply)
		defer w.run()()
		w.order("ack0000001")
		id := w.pay("ack0000001").Notifications[0]
		time.Sleep(20 * time.Second)
		w.shop.answerWith(goodReply)
		time.Sleep(48 * time.Hour)
		if n := len(w.shop.notifications()); n != 3 {
			t.Errorf("%d deliveries, want 3", n)
		}
		if n := w.notification(id); n.State != "delivered" || n.NextAt != nil {
			t.Errorf("state %s, next %v", n.State, n.NextAt)
		}
	})
}

func TestLongReplyIsNone(t *testing.T) {
	w := newWorld(t, Options{})
	w.shop.answerWith(func(rw http.ResponseWriter, r *http.Request) {
		io.WriteString(rw, strings.Repeat(" ", 9<<10))
		goodReply(rw, r)
	})
	w.order("long000001")
	id := w.pay("long000001").Notifications[0]
	w.api("POST", "notifications/"+id+"/resend", "", 200, nil)
	if a := w.notification(id).Attempts[0]; a.OK || len(a.ResponseBody) > 8<<10 {
		t.Errorf("a reply of 9 KiB counted, %d bytes kept", len(a.ResponseBody))
	}
}

// A redirect is an answer like any other; nobody follows it.
func TestRedirectIsNotFollowed(t *testing.T) {
	var trapped atomic.Int32
	trap := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { trapped.Add(1); goodReply(rw, r) }))
	defer trap.Close()
	shop := httptest.NewServer(http.RedirectHandler(trap.URL, http.StatusTemporaryRedirect))
	defer shop.Close()
	w := newWorld(t, Options{Transport: newGuard(nil, nil)})
	w.order("redirect01", "notify_url", shop.URL+"/n")
	id := w.pay("redirect01").Notifications[0]
	w.api("POST", "notifications/"+id+"/resend", "", 200, nil)
	if a := w.notification(id).Attempts[0]; a.OK || a.Status != 307 || trapped.Load() != 0 {
		t.Errorf("status %d, ok %v, the other server saw %d", a.Status, a.OK, trapped.Load())
	}
}

// Advancing the clock makes what became due happen at once, and no more.
func TestClockMovesTheLadder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.shop.answerWith(badReply)
		defer w.run()()
		w.order("clock00001")
		id := w.pay("clock00001").Notifications[0]
		synctest.Wait()
		for i, step := range []string{"14s", "1s", "15s", "29s", "1s", "24h3m"} {
			w.api("POST", "clock", `{"advance":"`+step+`"}`, 200, nil)
			synctest.Wait()
			if got, want := len(w.shop.notifications()), []int{1, 2, 3, 3, 4, 16}[i]; got != want {
				t.Errorf("after advance %d: %d deliveries, want %d", i+1, got, want)
			}
		}
		if n := w.notification(id); n.State != "pending" && n.State != "gave-up" {
			t.Errorf("state %s", n.State)
		}
	})
}

func TestClockRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.shop.answerWith(badReply)
		defer w.run()()
		w.order("rate000001")
		w.pay("rate000001")
		synctest.Wait()
		w.api("POST", "clock", `{"rate":1000}`, 200, nil)
		time.Sleep(87 * time.Second) // 24 h 10 m
		synctest.Wait()
		if n := len(w.shop.notifications()); n != 16 {
			t.Errorf("%d deliveries in a fast day, want 16", n)
		}
		var c struct {
			Rate   int   `json:"rate"`
			Offset int64 `json:"offset_s"`
		}
		w.api("GET", "clock", "", 200, &c)
		if c.Rate != 1000 || c.Offset != 87*999 {
			t.Errorf("clock %+v, want an offset of %d", c, 87*999)
		}
	})
}

func TestResendAndDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.shop.answerWith(badReply)
		defer w.run()()
		w.order("resend0001")
		id := w.pay("resend0001").Notifications[0]
		synctest.Wait()
		var n notificationReply
		w.api("POST", "notifications/"+id+"/resend", "", 200, &n)
		if n.State != "pending" || len(n.Attempts) != 2 {
			t.Fatalf("after a resend in vain: %s, %d attempts", n.State, len(n.Attempts))
		}
		w.api("POST", "notifications/"+id+"/drop", "", 200, &n)
		if n.State != "dropped" || n.NextAt != nil {
			t.Fatalf("dropped: %s, next %v", n.State, n.NextAt)
		}
		time.Sleep(48 * time.Hour)
		if got := len(w.shop.notifications()); got != 2 {
			t.Errorf("%d deliveries of a dropped notification, want 2", got)
		}
		w.api("POST", "notifications/"+id+"/drop", "", 409, nil)
		w.api("POST", "notifications/n99/drop", "", 404, nil)
		w.api("POST", "notifications/n99/resend", "", 404, nil)
		w.shop.answerWith(goodReply)
		w.api("POST", "notifications/"+id+"/resend", "", 200, &n)
		if n.State != "delivered" {
			t.Errorf("acknowledged after all: %s", n.State)
		}
	})
}

func TestFaultDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.api("PUT", "faults", `{"next":{"notify-drop":15}}`, 200, nil)
		w.order("drop000001")
		id := w.pay("drop000001").Notifications[0]
		time.Sleep(25 * time.Hour)
		if got := w.shop.notifications(); len(got) != 1 {
			t.Fatalf("%d deliveries reached the shop, want the 16th only", len(got))
		}
		n := w.notification(id)
		if n.State != "delivered" || len(n.Attempts) != 16 || n.Attempts[0].Status != 0 {
			t.Errorf("state %s, %d attempts", n.State, len(n.Attempts))
		}
		wantFired(t, w, "notify-drop", 15)
	})
}

func wantFired(t *testing.T, w *world, name string, want int) {
	t.Helper()
	var f struct{ Fired, Next map[string]int }
	w.api("GET", "faults", "", 200, &f)
	if f.Fired[name] != want || f.Next[name] != 0 {
		t.Errorf("%s fired %d times, want %d; next %v", name, f.Fired[name], want, f.Next)
	}
}

func TestFaultDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.api("PUT", "faults", `{"rates":{"notify-delay":1}}`, 200, nil)
		w.order("delay00001")
		paid := time.Now()
		w.pay("delay00001")
		time.Sleep(time.Minute)
		got := w.shop.notifications()
		if len(got) != 1 {
			t.Fatalf("%d deliveries", len(got))
		}
		if d := got[0].at.Sub(paid); d < 5*time.Second || d > 20*time.Second {
			t.Errorf("delayed by %v", d)
		}
		wantFired(t, w, "notify-delay", 1)
	})
}

func TestFaultDuplicate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.api("PUT", "faults", `{"next":{"notify-duplicate":1}}`, 200, nil)
		w.order("double0001")
		id := w.pay("double0001").Notifications[0]
		time.Sleep(time.Minute)
		got := w.shop.notifications()
		if len(got) != 2 || got[1].at.Sub(got[0].at) != time.Second {
			t.Fatalf("%d deliveries", len(got))
		}
		if n := w.notification(id); n.State != "delivered" || len(n.Attempts) != 2 {
			t.Errorf("state %s, %d attempts", n.State, len(n.Attempts))
		}
		wantFired(t, w, "notify-duplicate", 1)
	})
}

// The presets do something, and the same seed does the same.
func TestPresets(t *testing.T) {
	day := func(preset string, seed int64) string {
		var out strings.Builder
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Options{Faults: preset, Seed: seed})
			defer w.run()()
			for i := range 40 {
				no := fmt.Sprintf("preset%04d", i)
				w.insist("/pay/unifiedorder", w.orderFields(no), "result_code=SUCCESS", "err_code=ORDERPAID")
				w.do("POST", "/_sim/api/transactions/"+no+"/pay", "") // a race may have paid it
				time.Sleep(time.Minute)
				w.insist("/pay/orderquery", map[string]string{"out_trade_no": no}, "trade_state=SUCCESS")
			}
			fmt.Fprintln(&out, w.sim.faults.view().Fired)
		})
		return out.String()
	}
	if got := day("none", 3); strings.Trim(strings.ReplaceAll(got, ":0", ""), "[]-abcdefghijklmnopqrstuvwxyz5 \n") != "" {
		t.Errorf("none: %s", got)
	}
	harsh := day("harsh", 3)
	if harsh != day("harsh", 3) {
		t.Error("one seed, two days")
	}
	if harsh == day("harsh", 4) || harsh == day("gentle", 3) {
		t.Errorf("harsh: %s", harsh)
	}
	for _, name := range []string{"notify-drop", "notify-delay", "notify-duplicate", "reset-after-commit", "system-error"} {
		if strings.Contains(harsh, name+":0") {
			t.Errorf("%s never fired: %s", name, harsh)
		}
	}
	if _, err := New(Options{Faults: "cruel"}); err == nil {
		t.Error("an unknown preset was accepted")
	}
}

// Every forged kind, as the shop sees it.
func TestForge(t *testing.T) {
	tests := []struct {
		kind   string
		genuin bool // the signature holds
		check  func(t *testing.T, w *world, body string)
	}{
		{"unsigned", false, func(t *testing.T, w *world, body string) {
			if strings.Contains(body, "sign>") {
				t.Error("it is signed")
			}
		}},
		{"wrong_key", false, nil},
		{"wrong_amount", true, wantField("total_fee", "889")},
		{"wrong_appid", true, wantField("appid", "wxf00000000000beef")},
		{"wrong_mchid", true, wantField("mch_id", "1900009999")},
		{"unknown_order", true, func(t *testing.T, w *world, body string) {
			if no := fromXML(t, body)["out_trade_no"]; no == "forge00001" || no == "" {
				t.Errorf("out_trade_no %q", no)
			}
		}},
		{"xxe", false, func(t *testing.T, w *world, body string) {
			if !strings.Contains(body, `SYSTEM "file:///etc/passwd"`) || !strings.Contains(body, "&x;") {
				t.Error("no external entity")
			}
		}},
		{"truncated", false, func(t *testing.T, w *world, body string) {
			if strings.HasSuffix(strings.TrimSpace(body), "</xml>") {
				t.Error("it is whole")
			}
		}},
		{"replayed", true, wantField("out_trade_no", "forge00001")},
	}
	for _, paid := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s, paid %v", tt.kind, paid), func(t *testing.T) {
				w := newWorld(t, Options{})
				w.order("forge00001")
				if paid {
					id := w.pay("forge00001").Notifications[0]
					w.api("POST", "notifications/"+id+"/resend", "", 200, nil)
				}
				before := len(w.shop.notifications())
				w.shop.answerWith(badReply)
				body := `{"out_trade_no":"forge00001","kind":"` + tt.kind + `"}`
				if tt.kind == "replayed" && !paid {
					w.api("POST", "notifications/forge", body, 409, nil)
					return
				}
				var got struct {
					Status       int
					Body         string
					Acknowledged bool
				}
				w.api("POST", "notifications/forge", body, 200, &got)
				all := w.shop.notifications()
				if len(all) != before+1 || got.Status != 200 || got.Acknowledged || !strings.Contains(got.Body, "FAIL") {
					t.Fatalf("%d more deliveries, answer %+v", len(all)-before, got)
				}
				sent := all[len(all)-1].body
				if tt.genuin {
					f := fromXML(t, sent)
					if f["sign"] != signFields(f, w.id.APIKey, "") {
						t.Error("the signature does not hold")
					}
				}
				if tt.kind == "wrong_key" {
					if f := fromXML(t, sent); len(f["sign"]) != 32 || f["sign"] == signFields(f, w.id.APIKey, "") {
						t.Error("signed with the right key")
					}
				}
				if tt.check != nil {
					tt.check(t, w, sent)
				}
				want := "NOTPAY"
				if paid {
					want = "SUCCESS"
				}
				if state := w.state("forge00001"); state != want {
					t.Errorf("forging changed the order to %s", state)
				}
			})
		}
	}
}

func wantField(name, value string) func(*testing.T, *world, string) {
	return func(t *testing.T, w *world, body string) {
		t.Helper()
		if got := fromXML(t, body)[name]; got != value {
			t.Errorf("%s = %q, want %q", name, got, value)
		}
	}
}

func TestForgeRefused(t *testing.T) {
	w := newWorld(t, Options{})
	w.order("forge00002")
	for kind, status := range map[string]int{"stale": 501, "wrong_serial": 501, "short_nonce": 501, "funny": 400, "": 400} {
		w.api("POST", "notifications/forge", `{"out_trade_no":"forge00002","kind":"`+kind+`"}`, status, nil)
	}
	w.api("POST", "notifications/forge", `{"out_trade_no":"nothing","kind":"unsigned"}`, 404, nil)
}

// Stopping in the middle of a delivery loses nothing and waits for nobody.
func TestStopWhileDelivering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.shop.answerWith(func(rw http.ResponseWriter, r *http.Request) { time.Sleep(3 * time.Second); goodReply(rw, r) })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.sim.Run(ctx) }()
		w.order("stop000001")
		id := w.pay("stop000001").Notifications[0]
		time.Sleep(time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if n := w.notification(id); n.State != "pending" || len(n.Attempts) != 0 {
			t.Errorf("state %s, %d attempts; want pending, to be tried again", n.State, len(n.Attempts))
		}
		time.Sleep(5 * time.Second)
	})
}
