package sim

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func numbersOf(got []received) string {
	var out []string
	for _, n := range got {
		f := softXML(n.body)
		out = append(out, f["out_trade_no"])
	}
	return strings.Join(out, " ")
}

func TestFaultReorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.next("notify-reorder", 1)
		for _, no := range []string{"first00001", "second0001"} {
			w.order(no)
			w.pay(no)
			time.Sleep(3 * time.Second)
		}
		if got := numbersOf(w.shop.notifications()); got != "second0001 first00001" {
			t.Errorf("order of arrival: %s", got)
		}
		wantFired(t, w, "notify-reorder", 1)
		w.next("notify-reorder", 1) // nothing comes after it
		w.order("third00001")
		w.pay("third00001")
		time.Sleep(reorderWait - time.Second)
		if n := len(w.shop.notifications()); n != 2 {
			t.Errorf("%d arrived before the wait was over", n)
		}
		time.Sleep(2 * time.Second)
		if n := len(w.shop.notifications()); n != 3 {
			t.Errorf("%d arrived after it", n)
		}
	})
}

// The shop hears of a payment before the page does.
func TestFaultBeforeAnswer(t *testing.T) {
	w := newWorld(t, Options{}) // no delivery loop runs
	w.order("early00001")
	w.next("notify-before-answer", 1)
	id := w.pay("early00001").Notifications[0]
	if n := w.notification(id); n.State != "delivered" || len(w.shop.notifications()) != 1 {
		t.Errorf("%s after %d deliveries", n.State, len(w.shop.notifications()))
	}
	wantFired(t, w, "notify-before-answer", 1)
}

func TestFaultConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.next("notify-concurrent", 1)
		w.order("copies0001")
		w.pay("copies0001")
		synctest.Wait()
		got := w.shop.notifications()
		if len(got) != 1+copies {
			t.Fatalf("%d deliveries, want %d", len(got), 1+copies)
		}
		for _, n := range got {
			if !n.at.Equal(got[0].at) {
				t.Errorf("one came at %s, another at %s", got[0].at, n.at)
			}
		}
		wantFired(t, w, "notify-concurrent", 1)
	})
}

func TestFaultForgedAndWrongAmount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.next("notify-forged", 1)
		w.next("notify-wrong-amount", 1)
		w.order("forged0001")
		w.pay("forged0001")
		time.Sleep(time.Minute)
		got := w.shop.notifications()
		if len(got) != 3 {
			t.Fatalf("%d deliveries, want 3", len(got))
		}
		valid := func(body string) bool {
			f := softXML(body)
			return f["sign"] != "" && f["sign"] == signFields(f, w.id.APIKey, "")
		}
		if valid(got[0].body) {
			t.Errorf("the forged one holds: %s", got[0].body)
		}
		if f := softXML(got[1].body); !valid(got[1].body) || f["total_fee"] != "889" {
			t.Errorf("the one with another amount: %s", got[1].body)
		}
		if f := softXML(got[2].body); !valid(got[2].body) || f["total_fee"] != "888" {
			t.Errorf("the genuine one: %s", got[2].body)
		}
		wantFired(t, w, "notify-forged", 1)
		wantFired(t, w, "notify-wrong-amount", 1)
	})
}
