package models

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wxshop/models/modelstest"
)

// P14: one form that gives everything back, sent through all replicas: every
// answer is the one refund, none that nothing is left.
func TestReplicasRepeatARefund(t *testing.T) {
	all := replicas(t, 50)
	for round := range 5 {
		_, p := place(t, all[0], checkout(7, fmt.Sprint("whole", round), Line{1, 1}))
		if _, _, err := all[0].ApplyPaid(t.Context(), pays(p, fmt.Sprint("420000000120261120000000001", round))); err != nil {
			t.Fatal(err)
		}
		n := NewRefund{OutTradeNo: p.OutTradeNo, Amount: p.Total, Token: fmt.Sprint("form", round), Actor: "staff:a"}
		var fresh atomic.Int64
		var wg sync.WaitGroup
		for i := range 9 {
			wg.Go(func() {
				_, repeated, err := all[i%3].CreateRefund(t.Context(), n)
				if err != nil {
					t.Error(err)
				} else if !repeated {
					fresh.Add(1)
				}
			})
		}
		wg.Wait()
		if fresh.Load() != 1 {
			t.Errorf("%d refunds", fresh.Load())
		}
	}
}

// Two windows order the same cart at once: its goods are ordered once.
func TestReplicasOrderACartOnce(t *testing.T) {
	all := replicas(t, 50)
	ctx := t.Context()
	for range 5 {
		u, err := all[0].CreateGuest(ctx)
		if err == nil {
			err = all[0].AddToCart(ctx, u.ID, 1, 2)
		}
		if err != nil {
			t.Fatal(err)
		}
		var placed atomic.Int64
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				_, _, _, err := all[i%3].CreateOrder(ctx, checkout(u.ID, fmt.Sprint("window", i/2)))
				if err == nil {
					placed.Add(1)
				} else if !errors.Is(err, ErrEmptyCart) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := count(t, all[0], fmt.Sprint(`SELECT count(*) FROM orders WHERE user_id = `, u.ID)); n != 1 || placed.Load() != 2 {
			t.Errorf("%d orders of one cart, %d of two submits of its form answered", n, placed.Load())
		}
	}
}

// What a person explained while a run finds it again stays explained, whoever
// is first. A run that read the row before the person wrote must not undo it.
func TestReplicasKeepAnExplanation(t *testing.T) {
	all := replicas(t, 1)
	ctx := t.Context()
	d := func(no, run string) BillDifference {
		return BillDifference{Day: "2026-11-19", Kind: DiffMissing, Number: no, Ours: 100, Run: run}
	}
	for i := range 40 {
		no := fmt.Sprint("P", i)
		if _, err := all[0].KeepDifferences(ctx, []BillDifference{d(no, "first")}); err != nil {
			t.Fatal(err)
		}
		id := count(t, all[0], `SELECT max(id) FROM bill_differences`)
		var wg sync.WaitGroup
		for k := range 2 {
			wg.Go(func() {
				if _, err := all[1+k].KeepDifferences(ctx, []BillDifference{d(no, "again")}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Go(func() {
			if err := all[0].ExplainDifference(ctx, id, "staff:"+strings.Repeat("名", 64), "seen"); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
	}
	if n := count(t, all[0], `SELECT count(*) FROM bill_differences WHERE state <> 'explained' OR note <> 'seen'`); n != 0 {
		t.Errorf("%d explanations are lost", n)
	}
}

// A language in which punctuation counts for nothing does not hide from one
// replica what another one sold.
func TestReplicasSeeTheCatalogueInEveryLanguage(t *testing.T) {
	if modelstest.Driver() != "postgres" {
		t.Skip("only PostgreSQL sorts by the language of the database")
	}
	admin := os.Getenv("WXSHOP_TEST_POSTGRES")
	run := func(q string) error {
		db, err := sql.Open("pgx", admin)
		if err != nil {
			return err
		}
		defer db.Close()
		_, err = db.Exec(q)
		return err
	}
	name := fmt.Sprint("wxshop_language_", os.Getpid())
	if err := run(`CREATE DATABASE ` + name + ` TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'und-u-ka-shifted'`); err != nil {
		t.Skipf("this PostgreSQL knows no languages: %v", err)
	}
	t.Cleanup(func() { run(`DROP DATABASE ` + name + ` WITH (FORCE)`) })
	u, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	c := Config{Driver: "postgres", DSN: u.String()}
	one, other := openWith(t, c, Options{}), openWith(t, c, Options{})
	seed(t, one, 5)
	other.CatalogVersion()
	time.Sleep(glances + 100*time.Millisecond)
	before := other.CatalogVersion()
	place(t, one, checkout(7, "sold", Line{1, 1}))
	time.Sleep(glances + 100*time.Millisecond)
	if other.CatalogVersion() == before {
		t.Error("the other program does not know")
	}
}

// A bank that WeChat names at length does not keep a payment from being taken
// in: a server refuses a text that is too long, and WeChat would be told "no"
// until it stops asking.
func TestPaidWithALongBank(t *testing.T) {
	s := openStore(t, Options{})
	seed(t, s, 5)
	_, p := place(t, s, checkout(7, "bank", Line{1, 1}))
	f := pays(p, "4200000001202611200000000099")
	f.BankType = strings.Repeat("银行", 60)
	if out, _, err := s.ApplyPaid(t.Context(), f); err != nil || out != OutcomePaid {
		t.Errorf("%s %v", out, err)
	}
}
