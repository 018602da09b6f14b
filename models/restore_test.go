package models

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// At no moment is there no database: a shop that was started then would begin
// an empty one. Here the backup cannot take the place.
func TestRestoreLeavesNoGap(t *testing.T) {
	path, s, _ := fileShop(t, 5)
	s.Close()
	f, err := parseDSN(path)
	if err != nil {
		t.Fatal(err)
	}
	var r Restored
	if err := r.swap(t.Context(), f, path+".none", time.Now()); err == nil {
		t.Fatal("what is not there took the place")
	}
	if _, err := Inspect(t.Context(), path); err != nil {
		t.Errorf("the database is not in its place: %v", err)
	}
	if two, _ := filepath.Glob(path + ".replaced-*"); len(two) > 0 {
		t.Errorf("the database that stays has a second name: %v", two)
	}
}

// D6: a file that somebody copied together with the log of a shop that was
// killed is not all there is. Using it alone would lose the last orders.
func TestRestoreRefusesHalfAShop(t *testing.T) {
	path, s, _ := fileShop(t, 5)
	place(t, s, checkout(7, "in the log", Line{1, 1}))
	half := filepath.Join(t.TempDir(), "copied.db")
	for _, end := range []string{"", "-wal"} {
		if err := copyFile(half+end, path+end); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	if _, err := Restore(t.Context(), sqliteAt(path), half, time.Now()); err == nil || !strings.Contains(err.Error(), "-wal") {
		t.Fatalf("got %v", err)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	db, err := sql.Open("sqlite", half) // as the message says: the log is taken in
	if err == nil {
		_, err = db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
	}
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	if r, err := Restore(t.Context(), sqliteAt(path), half, time.Now()); err != nil || r.Orders != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// D3: a start that failed for another reason, as a port that is taken, does
// not forget that the one before it crashed: the mark stays until WeChat is
// asked.
func TestAFailedStartKeepsTheMark(t *testing.T) {
	path, s, _ := fileShop(t, 5)
	s.Close()
	os.WriteFile(path+".open", nil, 0o600)
	openAt(t, path, Options{Serves: true}).Close()
	s = openAt(t, path, Options{Serves: true})
	if !s.Unclean() {
		t.Fatal("the crash is forgotten, and nobody was asked")
	}
	if _, err := s.WakeQueries(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if s = openAt(t, path, Options{Serves: true}); s.Unclean() {
		t.Error("an orderly stop leaves the mark")
	}
}
