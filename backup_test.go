package main

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// D5: 24 hours, 14 days, 12 months; what is not a backup is left alone.
func TestSuperfluousBackups(t *testing.T) {
	now := time.Date(2026, 11, 20, 21, 30, 0, 0, time.UTC)
	var names []string
	for at := now.AddDate(0, -14, 0); !at.After(now); at = at.Add(time.Hour) {
		names = append(names, backupName(at))
	}
	names = append(names, "shop.db", "notes.txt", backupName(now.Add(time.Hour)))
	old := superfluous(names, now)
	var kept []string
	for _, n := range names {
		if !slices.Contains(old, n) {
			kept = append(kept, n)
		}
	}
	// The newest day is one of the 24 hours, and the newest month one of the days;
	// the hours reach into the day before.
	want := 3 + 24 + 14 - 2 + 12 - 1
	if len(kept) != want {
		t.Errorf("kept %d of %d, want %d:\n%v", len(kept), len(names), want, kept)
	}
	if again := superfluous(kept, now); len(again) != 0 {
		t.Errorf("a second turn deletes %v", again)
	}
	if !slices.Contains(kept, backupName(now)) {
		t.Error("the newest was deleted")
	}
	var sparse []string
	for i := range 30 { // one a month: the last 24 of the hours' places keep them all
		sparse = append(sparse, backupName(now.AddDate(0, -i, 0)))
	}
	if got := superfluous(sparse, now); len(got) != 6 {
		t.Errorf("of 30 monthly ones %s go, want 6", fmt.Sprint(got))
	}
}
