//go:build linux

package main

import (
	"database/sql"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallDisk is a file system of its own, of so many bytes.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
		t.Skipf("SKIP: only root may mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes all the space that is left.
func fill(t *testing.T, dir string) (ballast string) {
	t.Helper()
	ballast = filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return ballast
}

// orders tries to place one more order and gives the answer.
func (v *visitor) orders() (code int, page string) {
	v.t.Helper()
	v.takes("longjing", "100 克")
	if v.code != 200 {
		return v.code, v.page
	}
	f := v.form()
	v.post("/checkout", url.Values{
		"token": f["token"], "expected_total": f["expected_total"], "name": {"林晓溪"}, "phone": {"13800001234"},
		"province": {"浙江省"}, "city": {"杭州市"}, "district": {"西湖区"}, "detail": {"文三路 90 号"}, "note": {""},
	})
	return v.code, v.page
}

// sick is a shop whose database takes nothing. A payment meanwhile is refused
// to WeChat, which comes again; pages are read on; the shopper is told that
// nothing was charged, the operator why; and when the cause is gone, all goes on
// without a restart (security V10, V11, P26).
func (w *town) sick(t *testing.T, why string, fallIll, recover func()) {
	t.Helper()
	v := w.visitor(w.face)
	v.t = t
	no := v.triesToOrder()
	fallIll()
	w.eventually(func() bool { code, _ := v.orders(); return code == http.StatusServiceUnavailable })
	if !strings.Contains(v.page, "没有扣钱") || !strings.Contains(v.page, "再试一次") {
		t.Errorf("the shopper reads\n%.1500s", v.page)
	}
	if v.get("/orders/" + no); v.code != 200 {
		t.Errorf("the order page = %d: reads must go on", v.code)
	}
	res, err := http.Get(w.ops + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	said, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != 503 || !strings.Contains(string(said), why) {
		t.Errorf("/readyz = %d %s, want 503 with %q", res.StatusCode, said, why)
	}
	w.paysOf(t, no)
	paid := w.newestPaid()
	w.eventually(func() bool { n := w.told(paid); return len(n) > 0 && len(n[0].Attempts) > 0 })
	if a := w.told(paid)[0].Attempts[0]; a.OK {
		t.Errorf("a payment that could not be stored was acknowledged: %s", a.ResponseBody)
	}
	recover()
	v.becomes(no, "paid", 40*time.Second)
	w.paidOnce(t, no)
	w.eventually(func() bool { code, _ := v.orders(); return code == 200 })
	res, err = http.Get(w.ops + "/readyz")
	if err == nil {
		res.Body.Close()
	}
	if err != nil || res.StatusCode != 200 {
		t.Errorf("/readyz after it: %v %v", res, err)
	}
}

func TestSickDatabase(t *testing.T) {
	dir := smallDisk(t, "24m")
	w := newDividedIn(t, dir, "WXSHOP_LIMITS_ORDERS_PER_MINUTE=0")
	t.Run("the disk is full", func(t *testing.T) {
		var ballast string
		w.sick(t, "the disk is full", func() { ballast = fill(t, dir) }, func() { os.Remove(ballast) })
	})
	t.Run("another process holds the lock", func(t *testing.T) {
		db, err := sql.Open("sqlite", filepath.Join(dir, "data", "shop.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		db.SetMaxOpenConns(1)
		do := func(q string) {
			if _, err := db.Exec(q); err != nil {
				t.Fatal(err)
			}
		}
		w.sick(t, "busy", func() { do("BEGIN IMMEDIATE") }, func() { do("ROLLBACK") })
	})
	t.Run("a start without a place to write", func(t *testing.T) {
		w.shop.end(os.Interrupt)
		if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Skip(err)
		}
		out, err := w.command("serve")
		if err == nil || !strings.Contains(out, "read-only") || !strings.Contains(out, "must be able to write") {
			t.Errorf("%v\n%s", err, out)
		}
		if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, "size=24m"); err != nil {
			t.Fatal(err)
		}
		ballast := fill(t, dir)
		if out, err := w.command("serve"); err == nil || !strings.Contains(out, "disk is full") {
			t.Errorf("%v\n%s", err, out)
		}
		os.Remove(ballast)
		w.up()
	})
}
