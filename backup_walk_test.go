package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// command runs the program once with the shop's settings.
func (w *town) command(args ...string) (output string, err error) {
	w.t.Helper()
	p := &process{t: w.t, args: args, dir: w.shop.dir, env: w.shop.env}
	p.start()
	err = <-p.done
	return p.output(), err
}

// told are the notifications about an order's newest transaction.
func (w *town) told(no string) (ns []notice) {
	w.t.Helper()
	var all []notice
	w.api("GET", "notifications", nil, &all)
	for _, n := range all {
		if n.OutTradeNo == no {
			ns = append(ns, n)
		}
	}
	return ns
}

type notice struct {
	ID         string `json:"id"`
	OutTradeNo string `json:"out_trade_no"`
	State      string `json:"state"`
	Attempts   []struct {
		OK           bool   `json:"ok"`
		ResponseBody string `json:"response_body"`
	} `json:"attempts"`
}

// newestPaid is the transaction that was paid last at WeChat.
func (w *town) newestPaid() string {
	w.t.Helper()
	var all []struct {
		OutTradeNo string `json:"out_trade_no"`
		State      string `json:"state"`
	}
	w.api("GET", "transactions", nil, &all)
	for _, x := range all {
		if x.State == "SUCCESS" {
			return x.OutTradeNo
		}
	}
	w.t.Fatal("nothing was paid")
	return ""
}

// D3, D6: the drill. A backup is taken while orders come; one of them is paid
// after it, another is made and paid after it. Then the machine dies, and the
// backup is all there is. The first order is found paid by asking WeChat. The
// second is known to WeChat alone: the bill of the day shows it, and what WeChat
// still tells of it ends in "payments to check", with its money.
func TestBackupDrill(t *testing.T) {
	w := newDivided(t)
	v := w.visitor(w.face)
	early := v.triesToOrder()
	out, err := w.command("backup", "copy.db")
	if err != nil || !strings.Contains(out, "1 orders, 0 payments of ¥0.00") || !strings.Contains(out, "schema 000") {
		t.Fatalf("backup: %v\n%s", err, out)
	}
	if out, err := w.command("backup", "copy.db"); err == nil || !strings.Contains(out, "never replaces") {
		t.Errorf("the second backup: %v\n%s", err, out)
	}
	w.paysOf(t, early)
	v.becomes(early, "paid", 10*time.Second)
	day := time.Now().In(beijing).Format("2006-01-02")
	late := v.triesToOrder()
	w.paysOf(t, late)
	v.becomes(late, "paid", 10*time.Second)
	lost := w.newestPaid()

	if out, err := w.command("restore", "copy.db"); err == nil || !strings.Contains(out, "stop the shop first") {
		t.Errorf("restore under a running shop: %v\n%s", err, out)
	}
	w.shop.end(os.Kill)
	out, err = w.command("restore", "copy.db")
	if err != nil || !strings.Contains(out, "1 orders") || !strings.Contains(out, "is kept as") {
		t.Fatalf("restore: %v\n%s", err, out)
	}
	w.up()
	if !strings.Contains(w.shop.output(), "it was not closed in order") {
		t.Error("the start after the restore did not look through the file")
	}
	v.becomes(early, "paid", 20*time.Second)
	w.paidOnce(t, early)
	if v.get("/orders/" + late); v.code != 404 {
		t.Errorf("the order after the backup: %d", v.code)
	}
	w.api("POST", "clock", map[string]any{"advance": "36h"}, nil) // its bill is made
	out, err = w.command("reconcile", "--day", day)
	if !strings.Contains(out, lost) {
		t.Errorf("the bill of the day does not show %s: %v\n%s", lost, err, out)
	}
	for range 2 { // WeChat tells again, as it does for a day; or the bill does
		n := w.told(lost)
		if len(n) == 0 {
			t.Fatalf("no notification about %s", lost)
		}
		w.api("POST", "notifications/"+n[0].ID+"/resend", map[string]any{}, nil)
	}
	w.eventually(func() bool {
		n := w.told(lost)[0].Attempts
		return len(n) >= 3 && n[len(n)-1].OK && n[len(n)-2].OK
	})
	out, err = w.command("backup", "after.db")
	if err != nil || !strings.Contains(out, "1 payments to check") {
		t.Errorf("the money of the lost order is not in payments to check: %v\n%s", err, out)
	}
	if kept, _ := filepath.Glob(filepath.Join(w.shop.dir, "data", "shop.db.replaced-*")); len(kept) == 0 {
		t.Error("the replaced database is gone")
	}
}

// eventually waits for something that must come soon.
func (w *town) eventually(ok func() bool) {
	w.t.Helper()
	for range 400 {
		if ok() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.t.Fatal("it did not happen in 20 s")
}
