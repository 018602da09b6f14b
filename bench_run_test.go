//go:build bench && linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bench is one `make bench`.
type bench struct {
	t     *testing.T
	m     *machine
	shop  *benchShop
	table *table
	start time.Time

	programs struct{ shop, models, wxpay, hello string }
}

// TestBench prints what the shop costs, each row beside a floor that was
// measured in the same run. BENCH_ROWS picks rows by their names below;
// BENCH_PROFILES names a folder for profiles of the shop.
func TestBench(t *testing.T) {
	b := &bench{t: t, table: &table{}, start: time.Now()}
	b.build()
	b.m = newMachine()
	b.progress("a shop with %d orders", benchOrders)
	b.shop = newBenchShop(t, b.m, b.programs.shop)
	for _, x := range []struct {
		name string
		run  func()
	}{
		{"pages", b.pageRows}, {"orders", b.orderRows}, {"checkout", b.checkoutRows}, {"v3", b.v3CheckoutRow}, {"notify", b.notifyRow},
		{"parse", b.parseRows}, {"start", b.startRows}, {"weight", b.weightRow}, {"whole", b.wholeRows}, {"growth", b.growthRows},
	} {
		if only := os.Getenv("BENCH_ROWS"); only == "" || strings.Contains(","+only+",", ","+x.name+",") {
			x.run()
		}
	}
	b.table.notes = b.notes()
	b.table.print(os.Stdout)
}

// build makes all programs while this process may still use every core.
func (b *bench) build() {
	b.t.Helper()
	b.progress("build")
	dir := b.t.TempDir()
	for out, args := range map[*string][]string{
		&b.programs.models: {"test", "-c", "./models"}, &b.programs.wxpay: {"test", "-c", "./wxpay"},
		&b.programs.hello: {"build", "./testdata/bench/hello"}, &b.programs.shop: {"build", "."},
	} {
		pkg := args[len(args)-1]
		*out = filepath.Join(dir, "wxshop-"+filepath.Base(pkg))
		flags := []string{"-trimpath", "-ldflags", "-s -w", "-tags", "nomsgpack", "-o", *out, pkg} // as make build
		cmd := exec.Command("go", append(args[:len(args)-1:len(args)-1], flags...)...)
		cmd.Env = append(baseEnv(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			b.t.Fatalf("build %s: %v\n%s", pkg, err, text)
		}
	}
}

func (b *bench) notes() []string {
	notes := []string{
		fmt.Sprintf("Medians of %d rounds, floor and ours in turn. Ratios of servers are the worse of requests per second and processor time per request.", roundsWanted),
		fmt.Sprintf("The shop runs as it ships (every commit synced, strict policy, sessions) with %d goods and %d orders; only its rate limits are off.", benchGoods, benchOrders),
	}
	if b.m.pinned {
		return append(notes, "Servers had one core of their own (0), the load and the gateway another (1).")
	}
	return append(notes, "Nothing was pinned to a core (no taskset, or one core only): load and servers disturbed each other.")
}

// progress says what is being measured, on stderr.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%4.0fs %s\n", time.Since(b.start).Seconds(), fmt.Sprintf(format, args...))
}

// served measures one row about servers and, if asked to, profiles ours
// during a run of its own.
func (b *bench) served(what string, atLeast float64, r *running, theirs, ours, profiled func() sample) {
	b.t.Helper()
	b.progress("%s", what)
	theirs() // both warm
	rounds, disturbed := inTurn(theirs, ours)
	b.table.add(served(what, atLeast, pairs(rounds, 0, 1), disturbed))
	r.profile(what, func() { profiled() })
}
