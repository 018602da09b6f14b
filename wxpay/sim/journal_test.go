package sim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// reopen ends a simulator and starts it again on the same folder, with the
// same shop.
func (w *world) reopen(o Options) *world {
	w.t.Helper()
	if err := w.sim.Close(); err != nil {
		w.t.Fatalf("Close: %v", err)
	}
	o.Transport = local{w.shop}
	next := newWorld(w.t, o)
	next.shop = w.shop
	return next
}

// The simulator may be restarted between any two steps; at every place the
// story goes on.
func TestRestartBetweenAnyTwoSteps(t *testing.T) {
	steps := []struct {
		name string
		do   func(w *world)
	}{
		{"order", func(w *world) { w.order("restart001") }},
		{"order again", func(w *world) { w.order("restart001") }},
		{"new user", func(w *world) { w.api("POST", "users", `{"nickname":"小茶","balance":100}`, 200, nil) }},
		{"clock", func(w *world) { w.api("POST", "clock", `{"advance":"1h"}`, 200, nil) }},
		{"pay", func(w *world) { w.pay("restart001") }},
		{"notify in vain", func(w *world) {
			w.shop.answerWith(badReply)
			w.api("POST", "notifications/n1/resend", "", 200, nil)
		}},
		{"other order", func(w *world) { w.order("restart002") }},
		{"close it", func(w *world) { w.ok("/pay/closeorder", map[string]string{"out_trade_no": "restart002"}, "") }},
		{"notify", func(w *world) {
			w.shop.answerWith(goodReply)
			w.api("POST", "notifications/n1/resend", "", 200, nil)
		}},
		{"third order and pay", func(w *world) { w.order("restart003"); w.pay("restart003") }},
		{"drop", func(w *world) { w.api("POST", "notifications/n2/drop", "", 200, nil) }},
	}
	for cut := -1; cut < len(steps); cut++ {
		name := "never"
		if cut >= 0 {
			name = "after " + steps[cut].name
		}
		t.Run(name, func(t *testing.T) {
			o := Options{Data: t.TempDir()}
			w := newWorld(t, o)
			for i, step := range steps {
				step.do(w)
				if i == cut {
					w = w.reopen(o)
				}
			}
			wantEnd(t, w)
			wantEnd(t, w.reopen(o))
		})
	}
}

func wantEnd(t *testing.T, w *world) {
	t.Helper()
	for no, want := range map[string]string{"restart001": "SUCCESS", "restart002": "CLOSED", "restart003": "SUCCESS"} {
		if got := w.state(no); got != want {
			t.Errorf("%s is %s, want %s", no, got, want)
		}
	}
	if n := w.notification("n1"); n.State != "delivered" || len(n.Attempts) != 2 {
		t.Errorf("n1 is %s after %d attempts", n.State, len(n.Attempts))
	}
	if n := w.notification("n2"); n.State != "dropped" {
		t.Errorf("n2 is %s", n.State)
	}
	users := w.sim.people()
	if len(users) != 4 || users[3].Nickname != "小茶" || users[0].Balance != newLedger().users[0].Balance-2*888 {
		t.Errorf("users %+v", users)
	}
	if c := w.sim.clockView(); c.OffsetS < 3600 || c.OffsetS > 3601 {
		t.Errorf("offset %d", c.OffsetS)
	}
}

// Retries that are pending survive, and what fell due meanwhile goes out at
// once, one attempt and not a burst.
func TestPendingRetriesSurvive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{Data: t.TempDir()}
		w := newWorld(t, o)
		w.shop.answerWith(badReply)
		stop := w.run()
		w.order("survive001")
		w.pay("survive001")
		time.Sleep(20 * time.Second)
		stop()
		if n := len(w.shop.notifications()); n != 2 {
			t.Fatalf("%d deliveries before the restart", n)
		}
		time.Sleep(5 * time.Minute) // the third was due after 10 s
		w = w.reopen(o)
		stop = w.run()
		defer func() { stop() }()
		synctest.Wait()
		got := w.shop.notifications()
		if len(got) != 3 {
			t.Fatalf("%d deliveries right after the restart, want 3", len(got))
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if n := len(w.shop.notifications()); n != 4 {
			t.Errorf("%d deliveries 30 s later, want 4", n)
		}
	})
}

// A crash cuts the last line; what was answered for is in the lines before.
func TestTornJournal(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, Options{Data: dir})
	w.order("torn000001")
	w.pay("torn000001")
	w.sim.Close()
	path := filepath.Join(dir, "journal.jsonl")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := strings.Index(string(whole), "\n") + 1
	for _, cut := range []int{first, first + 1, first + 20, len(whole) - 1} {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		again := newWorld(t, Options{Data: dir})
		if got := again.state("torn000001"); got != "NOTPAY" {
			t.Errorf("cut at %d: %s, want NOTPAY", cut, got)
		}
		again.pay("torn000001") // a line after the cut one
		again.sim.Close()
		again = newWorld(t, Options{Data: dir})
		if got := again.state("torn000001"); got != "SUCCESS" {
			t.Errorf("cut at %d, paid again: %s", cut, got)
		}
		again.sim.Close()
	}
}

func TestBrokenJournal(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON":     "hello\n",
		"unknown kind": `{"seq":1,"kind":"funny"}` + "\n",
		"no order":     `{"seq":1,"kind":"pay","no":"x"}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "journal.jsonl"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := New(Options{Data: dir}); err == nil || !strings.Contains(err.Error(), "line 1") {
				t.Errorf("New: %v, want an error that names line 1", err)
			}
		})
	}
}

// A journal that cannot be written refuses the call instead of forgetting it.
func TestUnwritableJournal(t *testing.T) {
	w := newWorld(t, Options{Data: t.TempDir()})
	w.order("disk000001")
	w.sim.journal.file.Close()
	if got, want := w.call("/pay/unifiedorder", w.orderFields("disk000002"), ""), protocolBody("system error"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	w.api("POST", "transactions/disk000001/pay", "", 500, nil)
	if n := len(w.sim.transactionViews(10)); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}

// Two simulators on one journal would mix their lines.
func TestOneSimulatorPerJournal(t *testing.T) {
	o := Options{Data: t.TempDir()}
	w := newWorld(t, o)
	if s, err := New(o); err == nil || !strings.Contains(err.Error(), "another simulator uses it") {
		t.Errorf("a second simulator on the same folder: %v", err)
		if s != nil {
			s.Close()
		}
	}
	w.reopen(o)
}

// Keys stay over reset and restart, for their owner's eyes only.
func TestIdentityIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sim")
	w := newWorld(t, Options{Data: dir})
	first, err := w.sim.IdentityWithKeys()
	if err != nil {
		t.Fatal(err)
	}
	w.api("POST", "reset", "", 200, nil)
	w = w.reopen(Options{Data: dir})
	if got := w.sim.Identity(); got != first {
		t.Error("another identity after reset and restart")
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 8 {
		t.Errorf("files %v, %v", files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", f.Name(), info.Mode())
		}
	}
	if got := newWorld(t, Options{}).id; got.APIKey == first.APIKey || len(got.APIKey) != 32 {
		t.Errorf("a simulator in memory has the key %q", got.APIKey)
	}
}

// Reset forgets all but the keys, and no number comes twice.
func TestReset(t *testing.T) {
	o := Options{Data: t.TempDir()}
	w := newWorld(t, o)
	before := w.order("reset00001")
	txn := w.pay("reset00001").TransactionID
	w.api("POST", "users", `{"nickname":"小茶","balance":1}`, 200, nil)
	w.api("POST", "clock", `{"advance":"24h"}`, 200, nil)
	w.api("PUT", "faults", `{"preset":"harsh"}`, 200, nil)
	w.api("POST", "reset", "", 200, nil)
	for range 2 {
		if got := fromXML(t, w.call("/pay/orderquery", map[string]string{"out_trade_no": "reset00001"}, "")); got["err_code"] != "ORDERNOTEXIST" {
			t.Errorf("order after reset: %v", got)
		}
		if n := len(w.sim.people()); n != 3 || w.sim.clockView().OffsetS != 0 || w.sim.faults.view().Preset != "none" {
			t.Errorf("%d users, clock %+v, faults %+v", n, w.sim.clockView(), w.sim.faults.view())
		}
		w = w.reopen(o)
	}
	if w.order("reset00001") == before || w.pay("reset00001").TransactionID == txn {
		t.Error("a number came twice")
	}
}

// What was answered for is on disk, not only written.
func TestAnswersAreDurable(t *testing.T) {
	w := newWorld(t, Options{Data: t.TempDir()})
	durable := func(after string) {
		t.Helper()
		j := w.sim.journal
		j.mu.Lock()
		defer j.mu.Unlock()
		if j.synced != j.written || j.written == 0 {
			t.Errorf("after %s: %d records written, %d on disk", after, j.written, j.synced)
		}
	}
	w.order("durable001")
	durable("unifiedorder")
	w.order("durable001")
	durable("unifiedorder again")
	w.pay("durable001")
	durable("pay")
	id := w.order("durable002")
	if err := w.sim.actOnSheet(id, "1", outcomeSuccess); err != nil {
		t.Fatal(err)
	}
	durable("the pay sheet")
	w.order("durable003")
	w.ok("/pay/closeorder", map[string]string{"out_trade_no": "durable003"}, "")
	durable("closeorder")
	w.api("POST", "users", `{"nickname":"小茶","balance":1}`, 200, nil)
	durable("users")
	w.api("POST", "clock", `{"advance":"1h"}`, 200, nil)
	durable("clock")
}
