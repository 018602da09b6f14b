package checkout_test

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"wxshop/models/modelstest"
)

// D8: the loop finds what somebody changed behind the shop's back within the
// hour, says so until it is undone, and only one of the replicas looks.
func TestAuditEachHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		o, _ := w.buys()
		audit := func(want int64) {
			t.Helper()
			if err := w.svc.AuditOnce(t.Context()); err != nil || w.svc.Violations() != want {
				t.Fatalf("%d violations, want %d (%v)", w.svc.Violations(), want, err)
			}
		}
		audit(0)
		modelstest.Exec(t, w.db.Driver, w.db.DSN, `UPDATE orders SET goods_total = goods_total + 1 WHERE no = ?`, o.No)
		audit(0) // the lease of the hour is taken
		time.Sleep(time.Hour)
		audit(2)
		if w.counted("audit.total") != 1 || w.counted("audit.lines") != 1 {
			t.Fatalf("counted %v", w.counts)
		}
		modelstest.Exec(t, w.db.Driver, w.db.DSN, `UPDATE orders SET goods_total = goods_total - 1 WHERE no = ?`, o.No)
		time.Sleep(time.Hour)
		audit(0)
	})
}

// D7: a page that went bad under the running shop is found in the next night.
func TestFileIsLookedThroughEachNight(t *testing.T) {
	modelstest.SQLiteOnly(t, "it is about the file")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		look := func(whole, damaged int) error {
			t.Helper()
			err := w.svc.CheckFileOnce(t.Context())
			if w.counted("file.whole") != whole || w.counted("file.damaged") != damaged {
				t.Fatalf("counted %v (%v)", w.counts, err)
			}
			return err
		}
		beijing := time.FixedZone("CST", 8*3600)
		y, m, d := w.now().In(beijing).Date()
		time.Sleep(time.Date(y, m, d, 27, 59, 0, 0, beijing).Sub(w.now()))
		_ = look(0, 0)
		time.Sleep(time.Minute)
		_ = look(1, 0)
		time.Sleep(time.Hour)
		_ = look(1, 0) // once a day
		spoil(t, w.db.DSN)
		time.Sleep(23 * time.Hour)
		if err := look(1, 1); err == nil {
			t.Fatal("a spoilt page is no error")
		}
	})
}

// spoil overwrites a page in the middle of an SQLite file and of its log.
func spoil(t *testing.T, path string) {
	t.Helper()
	modelstest.Exec(t, "sqlite", path, `PRAGMA wal_checkpoint(TRUNCATE)`)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	junk := make([]byte, 4096)
	for i := range junk {
		junk[i] = 0xa5
	}
	if _, err := f.WriteAt(junk, st.Size()/8192*4096); err != nil {
		t.Fatal(err)
	}
}
