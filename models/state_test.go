package models

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var allStates = []State{Unpaid, Paid, Shipped, Done, Closed}

func TestTransitionTable(t *testing.T) {
	s, u := shop(t, 1000, Options{})
	allowed := map[[2]State]bool{
		{Unpaid, Paid}: true, {Unpaid, Closed}: true, {Paid, Shipped}: true, {Shipped, Done}: true, {Closed, Paid}: true,
	}
	for _, from := range allStates {
		for _, to := range allStates {
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				o, _ := place(t, s, checkout(u.ID, string(from+to), Line{1, 1}))
				force(t, s, `UPDATE orders SET state = ? WHERE id = ?`, from, o.ID)
				before := count(t, s, `SELECT count(*) FROM events WHERE order_id = ?`, o.ID)
				err := s.write(t.Context(), func(tx *Tx) error {
					o, err := tx.orderForWrite(`id = ?`, o.ID)
					if err != nil {
						return err
					}
					return tx.transition(o, to, Event{At: s.time(), Actor: "system", Kind: "test"})
				})
				events := count(t, s, `SELECT count(*) FROM events WHERE order_id = ?`, o.ID) - before
				got, _ := s.OrderByID(t.Context(), o.ID)
				switch ok := allowed[[2]State{from, to}]; {
				case ok && (err != nil || got.State != to || events != 1):
					t.Errorf("got %v, state %s, %d events", err, got.State, events)
				case !ok && (!errors.Is(err, ErrBadMove) || got.State != from || events != 0):
					t.Errorf("got %v, state %s, %d events; want ErrBadMove and nothing changed", err, got.State, events)
				}
			})
		}
	}
}

func TestMoveTable(t *testing.T) {
	s, u := shop(t, 1000, Options{})
	all := []PayState{PayCreated, PayPrepaid, PayPaid, PayClosed, PayFailed}
	allowed := map[PayState][]PayState{
		PayCreated: {PayPrepaid, PayPaid, PayClosed, PayFailed},
		PayPrepaid: {PayPaid, PayClosed, PayFailed},
		PayClosed:  {PayPaid},
		PayFailed:  {PayPaid},
	}
	for _, from := range all {
		for _, to := range all {
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				_, p := place(t, s, checkout(u.ID, string(from+to), Line{1, 1}))
				force(t, s, `UPDATE payments SET state = ? WHERE id = ?`, from, p.ID)
				err := s.write(t.Context(), func(tx *Tx) error {
					p, err := tx.paymentForWrite(`id = ?`, p.ID)
					if err != nil {
						return err
					}
					return tx.move(p, to, &Event{At: s.time(), Actor: "system", Kind: "test"})
				})
				got, _ := s.Payment(t.Context(), p.OutTradeNo)
				ok := slices.Contains(allowed[from], to)
				ended := to == PayPaid || to == PayClosed || to == PayFailed
				asked := !ended || to == PayClosed // a closed one is looked at once more
				switch {
				case ok && (err != nil || got.State != to || (got.LiveOrderID == nil) != ended || got.NextQueryAt.IsZero() == asked):
					t.Errorf("got %v, %+v", err, got)
				case !ok && (!errors.Is(err, ErrBadMove) || got.State != from):
					t.Errorf("got %v, state %s; want ErrBadMove and nothing changed", err, got.State)
				}
			})
		}
	}
}

// force changes what the code itself never would.
func force(t testing.TB, s *Store, q string, args ...any) {
	t.Helper()
	err := s.write(t.Context(), func(tx *Tx) error {
		_, err := tx.exec(q, args...)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
}

// The order was read before the transaction, as by a caller that looked first:
// the conditional update decides.
func TestTransitionOneWinner(t *testing.T) {
	s, u := shop(t, 10, Options{})
	o, _ := place(t, s, checkout(u.ID, "one", Line{1, 1}))
	var won, stale atomic.Int64
	var wg sync.WaitGroup
	for i := range 20 {
		to := []State{Paid, Closed}[i%2]
		wg.Go(func() {
			mine := *o
			err := s.write(t.Context(), func(tx *Tx) error {
				o := mine
				return tx.transition(&o, to, Event{At: s.time(), Actor: "system", Kind: "test"})
			})
			switch {
			case err == nil:
				won.Add(1)
			case errors.Is(err, ErrStale):
				stale.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || stale.Load() != 19 {
		t.Errorf("%d won, %d were too late", won.Load(), stale.Load())
	}
	if n := count(t, s, `SELECT count(*) FROM events WHERE kind = 'test'`); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

var (
	setsState = regexp.MustCompile(`(?is)update\s+(orders|payments|refunds)\b.*\bset\b.*\bstate\s*=`)
	isSQL     = regexp.MustCompile(`(?s)\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM)\s`)
)

// Nothing but transition, move and turn writes a state, and nobody outside this
// package speaks SQL at all.
func TestStatesAreWrittenInOnePlace(t *testing.T) {
	for _, f := range sources(t, ".") {
		for _, d := range f.ast.Decls {
			where := f.name
			if fn, ok := d.(*ast.FuncDecl); ok {
				where = fn.Name.Name
			}
			ast.Inspect(d, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.BasicLit:
					if n.Kind == token.STRING && setsState.MatchString(n.Value) && !strings.HasPrefix(n.Value, "`UPDATE payments SET next_query_at") && !strings.HasPrefix(n.Value, "`UPDATE refunds SET next_at") &&
						where != "transition" && where != "move" && where != "turn" && !(f.name == "state.go" && where == f.name) {
						t.Errorf("%s in %s writes a state: %s", where, f.name, n.Value)
					}
				case *ast.AssignStmt:
					for _, l := range n.Lhs {
						x, ok := l.(*ast.SelectorExpr)
						if ok && x.Sel.Name == "State" && where != "transition" && where != "move" && where != "turn" && where != "Nothing" { // of a day of bills
							t.Errorf("%s in %s assigns %s", where, f.name, x.Sel.Name)
						}
					}
				case *ast.SelectorExpr:
					if name := n.Sel.Name; name == "Update" || name == "Updates" || name == "UpdateColumn" || name == "UpdateColumns" || name == "Save" {
						t.Errorf("%s in %s changes rows through GORM's %s", where, f.name, name)
					}
				}
				return true
			})
		}
	}
}

func TestNobodyElseTouchesTheDatabase(t *testing.T) {
	filepath.WalkDir("..", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		name := d.Name()
		if dir != ".." && (strings.HasPrefix(name, ".") || name == "models" || name == "node_modules" || name == "testdata") {
			return filepath.SkipDir
		}
		for _, f := range sources(t, dir) {
			for _, i := range f.ast.Imports {
				path := strings.Trim(i.Path.Value, `"`)
				if path == "database/sql" || strings.HasPrefix(path, "gorm.io/") || strings.HasPrefix(path, "github.com/glebarez/") {
					if i.Name == nil || i.Name.Name != "_" {
						t.Errorf("%s imports %s", filepath.Join(dir, f.name), path)
					}
				}
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING && isSQL.MatchString(l.Value) {
					t.Errorf("%s contains SQL: %s", filepath.Join(dir, f.name), l.Value)
				}
				return true
			})
		}
		return nil
	})
}

type source struct {
	name string
	ast  *ast.File
}

// sources are the Go files of a folder without its tests and generated files.
func sources(t *testing.T, dir string) []source {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var fs []source
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_templ.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Logf("%s does not parse (%v)", name, err) // the compiler says it better
			continue
		}
		fs = append(fs, source{name, f})
	}
	return fs
}

func TestSetsStateFinds(t *testing.T) {
	for _, tt := range []struct {
		q    string
		want bool
	}{
		{"UPDATE orders SET state = ? WHERE id = ?", true},
		{"update payments\n set live_order_id = NULL, state = 'paid'", true},
		{"UPDATE orders SET user_id = ?", false},
		{"UPDATE misfits SET state = 'explained'", false},
	} {
		if got := setsState.MatchString(tt.q); got != tt.want {
			t.Errorf("%s: got %v", tt.q, got)
		}
	}
}
