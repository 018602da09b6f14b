package models

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func line(kind LineKind, number string, amount Fen) BillLine {
	return BillLine{Kind: kind, Number: number, OutTradeNo: number, TransactionID: "42" + number, Amount: amount, State: "SUCCESS",
		At: At(time.Date(2026, 11, 19, 4, 0, 0, 0, time.UTC))}
}

// More lines than fit into one batch, with numbers that come twice in one
// batch and in two; each run has its own, and forgets only those.
func TestStageBill(t *testing.T) {
	s := openStore(t, Options{})
	ctx := t.Context()
	var twice []BillLine
	for b := range 15 {
		var lines []BillLine
		for i := range BillBatch {
			lines = append(lines, line(LinePaid, fmt.Sprintf("P%06d", b*BillBatch+i), 1))
		}
		lines = append(lines, line(LineRefund, fmt.Sprintf("P%06d", b*BillBatch), 1)) // another kind: not twice
		switch b {
		case 3:
			lines = append(lines, line(LinePaid, "P000600", 1))
		case 7:
			lines = append(lines, line(LinePaid, "P000001", 1))
		}
		again, err := s.StageBill(ctx, "a", lines)
		if err != nil {
			t.Fatal(err)
		}
		twice = append(twice, again...)
	}
	if len(twice) != 2 || twice[0].Number != "P000600" || twice[1].Number != "P000001" {
		t.Errorf("twice: %+v", twice)
	}
	if _, err := s.StageBill(ctx, "b", []BillLine{line(LinePaid, "P000001", 1)}); err != nil {
		t.Fatal(err)
	}
	n, last := 0, ""
	for {
		ls, err := s.BillLines(ctx, "a", LinePaid, last)
		if err != nil {
			t.Fatal(err)
		}
		if len(ls) == 0 {
			break
		}
		n, last = n+len(ls), ls[len(ls)-1].Number
	}
	if n != 15*BillBatch {
		t.Errorf("%d lines came back, want %d", n, 15*BillBatch)
	}
	if err := s.DropBill(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, `SELECT count(*) FROM bill_lines`); n != 1 {
		t.Errorf("%d lines are left, want that of the other run", n)
	}
	if err := s.SweepBills(ctx, time.Now().Add(-time.Hour)); err != nil || count(t, s, `SELECT count(*) FROM bill_lines`) != 1 {
		t.Errorf("a fresh run was swept, %v", err)
	}
	if err := s.SweepBills(ctx, time.Now().Add(time.Hour)); err != nil || count(t, s, `SELECT count(*) FROM bill_lines`) != 0 {
		t.Errorf("an old run was not swept, %v", err)
	}
}

// Our money of a day that a run has no line about, page by page, and the sums.
func TestUnbilled(t *testing.T) {
	s := openStore(t, Options{})
	seed(t, s, 1000)
	ctx := t.Context()
	noon := time.Date(2026, 11, 19, 4, 0, 0, 0, time.UTC)
	var mch string
	var nos []string
	for i := range 7 {
		_, p := place(t, s, checkout(1, fmt.Sprint("t", i), Line{1, 1}))
		f := pays(p, fmt.Sprint("42", i))
		f.PaidAt = noon.Add(time.Duration(i/2) * time.Second) // pairs at one moment
		apply(t, s, f, OutcomePaid)
		mch = p.MchID
		nos = append(nos, p.OutTradeNo)
	}
	if _, err := s.StageBill(ctx, "run", []BillLine{line(LinePaid, nos[2], 1), line(LinePaid, nos[5], 2), line(LineRefund, nos[0], 3)}); err != nil {
		t.Fatal(err)
	}
	ps, err := s.UnbilledPayments(ctx, "run", mch, noon, noon.Add(3*time.Second), nil)
	if err != nil || len(ps) != 4 {
		t.Fatalf("%d are unbilled, %v, want 0, 1, 3 and 4", len(ps), err)
	}
	for after, want := range map[int]int{0: 3, 1: 2, 2: 1, 3: 0} {
		rest, err := s.UnbilledPayments(ctx, "run", mch, noon, noon.Add(3*time.Second), &ps[after])
		if err != nil || len(rest) != want {
			t.Errorf("after row %d: %d, %v, want %d", after, len(rest), err, want)
		}
	}
	if ps, err := s.UnbilledPayments(ctx, "run", "another", noon, noon.Add(time.Hour), nil); err != nil || len(ps) != 0 {
		t.Errorf("another merchant: %d, %v", len(ps), err)
	}
	r, _, err := s.CreateRefund(ctx, NewRefund{OutTradeNo: nos[0], Amount: 100, Token: "back", Actor: "staff:mei"})
	if err != nil {
		t.Fatal(err)
	}
	if rs, err := s.UnbilledRefunds(ctx, "run", noon, noon.AddDate(10, 0, 0), nil); err != nil || len(rs) != 0 {
		t.Errorf("a refund that WeChat has not taken on is expected in its bill: %+v, %v", rs, err)
	}
	if _, err := s.StepRefund(ctx, RefundStep{OutRefundNo: r.OutRefundNo, To: RefundProcessing, RefundID: "50"}); err != nil {
		t.Fatal(err)
	}
	took, err := s.Refund(ctx, r.OutRefundNo)
	if err != nil || took.AcceptedAt.IsZero() {
		t.Fatalf("refund = %+v, %v", took, err)
	}
	ahead := took.AcceptedAt.Add(24 * time.Hour) // by the clock of a simulated WeChat
	if _, err := s.StepRefund(ctx, RefundStep{OutRefundNo: r.OutRefundNo, To: RefundSucceeded, RefundID: "50", SucceededAt: ahead}); err != nil {
		t.Fatal(err)
	}
	rs, err := s.UnbilledRefunds(ctx, "run", ahead.Add(-time.Minute), ahead.Add(time.Minute), nil)
	if err != nil || len(rs) != 1 || rs[0].OutRefundNo != r.OutRefundNo {
		t.Errorf("unbilled refunds = %+v, %v", rs, err)
	}
	var d BillDay
	if err := s.SumDay(ctx, &d, "run", mch, noon, noon.Add(time.Hour)); err != nil || d.OurPayments != 7 || d.Payments != 2 || d.Paid != 3 || d.Refunds != 1 || d.Refunded != 3 {
		t.Errorf("sums = %+v, %v", d, err)
	}
	b, err := s.BooksOf(ctx, "run", []BillLine{line(LinePaid, nos[3], 1), line(LineRefund, r.OutRefundNo, 1), line(LinePaid, "nobody's", 1)})
	if err != nil || len(b.Payments) != 1 || len(b.Refunds) != 1 || b.Payments[nos[3]] == nil {
		t.Errorf("books = %+v, %v", b, err)
	}
}

func wantDiffs(t *testing.T, s *Store, day string, want ...string) {
	t.Helper()
	var got []string
	for _, closed := range []bool{false, true} {
		for _, k := range DiffKinds {
			ds, err := s.Differences(t.Context(), day, k, closed, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range ds {
				got = append(got, fmt.Sprintf("%s %s %s %s", d.Kind, d.Number, d.State, d.Note))
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("differences of %s: %q, want %q", day, got, want)
	}
}

// A difference is one row however often it is found. It is resolved by the run
// that does not find it, or by the neighbour's bill, and opens again when it
// comes back; an explanation stays until the values change.
func TestDifferences(t *testing.T) {
	now := time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)
	s := openStore(t, Options{Now: func() time.Time { return now }})
	ctx, day := t.Context(), "2026-11-19"
	find := func(run string, fresh int, ds ...BillDifference) {
		t.Helper()
		now = now.Add(time.Minute)
		began := now
		for i := range ds {
			ds[i].Day, ds[i].Run = day, run
		}
		got, err := s.KeepDifferences(ctx, ds)
		if err != nil || len(got) != fresh {
			t.Fatalf("run %s: %d are fresh, %v, want %d", run, len(got), err, fresh)
		}
		if err := s.CloseBill(ctx, BillDay{Day: day, State: BillDone}, run, began); err != nil {
			t.Fatal(err)
		}
	}
	a := BillDifference{Kind: DiffMissing, Number: "A", Theirs: -1, Ours: 5}
	b := BillDifference{Kind: DiffAmount, Number: "B", Theirs: 6, Ours: 5}
	find("1", 2, a, b)
	find("2", 0, a, b)
	wantDiffs(t, s, day, "amount B open ", "missing A open ")
	find("3", 0, a)
	wantDiffs(t, s, day, "missing A open ", "amount B resolved agrees")
	find("4", 1, a, b)
	ds, err := s.Differences(ctx, day, DiffAmount, false, 0, 0)
	if err != nil || len(ds) != 1 {
		t.Fatal(ds, err)
	}
	if err := s.ExplainDifference(ctx, ds[0].ID, "staff:mei", "their error"); err != nil {
		t.Fatal(err)
	}
	if err := s.ExplainDifference(ctx, ds[0].ID, "staff:lin", "no"); !errors.Is(err, ErrStale) {
		t.Errorf("explained twice: %v", err)
	}
	find("5", 0, a, b)
	wantDiffs(t, s, day, "missing A open ", "amount B explained their error")
	b.Theirs = 7
	find("6", 1, a, b)
	wantDiffs(t, s, day, "amount B open ", "missing A open ")
	if _, err := s.StageBill(ctx, "next", []BillLine{line(LinePaid, "A", 5)}); err != nil {
		t.Fatal(err)
	}
	if err := s.CloseBill(ctx, BillDay{Day: "2026-11-20", State: BillDone}, "next", now); err != nil {
		t.Fatal(err)
	}
	wantDiffs(t, s, day, "amount B open ", "missing A resolved neighbour")
	if n, err := s.OpenDifferences(ctx); err != nil || n != 1 {
		t.Errorf("%d open, %v", n, err)
	}
	rows, err := s.BillDays(ctx, "", 10)
	if err != nil || len(rows) != 2 || rows[0].Day != "2026-11-20" || rows[1].Open != 1 || rows[1].Closed != 1 || rows[1].Tries != 6 {
		t.Errorf("days = %+v, %v", rows, err)
	}
	if err := s.ResolveDifference(ctx, 99, "x", "y"); err == nil {
		t.Error("a difference that is not there was resolved")
	}
}

// A try that fails keeps the answer of one that did not.
func TestPostponeBill(t *testing.T) {
	s := openStore(t, Options{})
	ctx := t.Context()
	next := time.Now().Add(time.Hour)
	step := func(want BillStep, problem string) {
		t.Helper()
		d, err := s.BillDay(ctx, "2026-11-19")
		if err != nil || d.State != want || d.Problem != problem || d.Problem != "" && d.NextAt != At(next) {
			t.Errorf("day = %+v, %v, want %s %q", d, err, want, problem)
		}
	}
	for _, x := range []struct {
		state, want BillStep
		problem     string
	}{{BillWaits, BillWaits, ""}, {BillFailed, BillFailed, "HTTP 502"}} {
		if err := s.PostponeBill(ctx, "2026-11-19", x.state, x.problem, next); err != nil {
			t.Fatal(err)
		}
		step(x.want, x.problem)
	}
	if last, err := s.LastBill(ctx); err != nil || !last.IsZero() {
		t.Errorf("last = %v, %v", last, err)
	}
	if err := s.CloseBill(ctx, BillDay{Day: "2026-11-19", State: BillDone, Paid: 5}, "r", time.Now()); err != nil {
		t.Fatal(err)
	}
	step(BillDone, "")
	if err := s.PostponeBill(ctx, "2026-11-19", BillFailed, "HTTP 503", next); err != nil {
		t.Fatal(err)
	}
	step(BillDone, "HTTP 503")
	if d, _ := s.BillDay(ctx, "2026-11-19"); d.Paid != 5 {
		t.Errorf("the sums are gone: %+v", d)
	}
	if last, err := s.LastBill(ctx); err != nil || last.IsZero() {
		t.Errorf("last = %v, %v", last, err)
	}
}
