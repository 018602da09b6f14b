package models

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"wxshop/models/modelstest"
)

// A new migration's table must be named in moved or left.
func TestMoveKnowsEveryTable(t *testing.T) {
	c := prepared(t)
	rows, err := modelstest.Reach(t, c.Driver, c.DSN).Query(modelstest.Tables(c.Driver))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var have []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		have = append(have, name)
	}
	want := slices.Concat(moved, left)
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("the schema has %v, a move knows %v", have, want)
	}
}

// A shop goes from SQLite to the database under test and back to SQLite, and
// on with its work each time.
func TestMoveThereAndBack(t *testing.T) {
	first := Config{Driver: "sqlite", DSN: filepath.Join(t.TempDir(), "old.db")}
	s, err := Open(t.Context(), first, Options{})
	if err != nil {
		t.Fatal(err)
	}
	seed(t, s, 10)
	u, err := s.SignIn(t.Context(), "wxf000000000000001", "o-first", 0)
	if err != nil {
		t.Fatal(err)
	}
	_, open := place(t, s, checkout(u.ID, "open", Line{1, 1}))
	_, paid := place(t, s, checkout(u.ID, "paid", Line{2, 1}))
	if _, _, err := s.ApplyPaid(t.Context(), pays(paid, "T-1")); err != nil {
		t.Fatal(err)
	}
	session := Session{Hash: "h1", Kind: "shop", UserID: u.ID, Data: "{}", CreatedAt: s.time(), SeenAt: s.time(), ExpiresAt: At(time.Now().Add(time.Hour))}
	if err := s.SaveSession(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	if _, err := Move(t.Context(), first, prepared(t), time.Now()); err == nil {
		t.Error("a shop that has its database open was moved")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	second, third := prepared(t), Config{Driver: "sqlite", DSN: filepath.Join(t.TempDir(), "new.db")}
	goesOn := func(from, to Config, token string, p *Payment) *Payment {
		t.Helper()
		report, err := Move(t.Context(), from, to, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		t.Log(report)
		if _, err := Move(t.Context(), from, to, time.Now()); err == nil {
			t.Error("a database with rows was moved into")
		}
		s, err := Open(t.Context(), to, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, _, err := s.ApplyPaid(t.Context(), pays(p, "T-"+token)); err != nil {
			t.Error(err)
		}
		if got, err := s.Session(t.Context(), "h1"); err != nil || *got != session {
			t.Errorf("the session is %+v, %v", got, err)
		}
		back := NewRefund{OutTradeNo: p.OutTradeNo, Amount: p.Total / 4, Token: "back-" + token, Actor: "staff:a"}
		if _, _, err := s.CreateRefund(t.Context(), back); err != nil {
			t.Error(err)
		}
		_, next := place(t, s, checkout(u.ID, token, Line{3, 1}))
		return next
	}
	next := goesOn(first, second, "second", open)
	goesOn(second, third, "third", next)
}
