//go:build bench && linux

package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The benchmarks of the packages, run in turn with their floors.

// benchmark runs one benchmark once. Its metrics are in more, ns/op too.
func (b *bench) benchmark(program, name, times string, env ...string) sample {
	b.m.quiet()
	foreign := benchWatch()
	cmd := b.m.on("0,1", program, "-test.run=^$", "-test.bench=^Benchmark"+name+"$", "-test.benchtime="+times, "-test.timeout=2m")
	cmd.Env, cmd.Dir = append(baseEnv(), env...), strings.TrimPrefix(filepath.Base(program), "wxshop-") // its testdata
	text, err := cmd.CombinedOutput()
	if err != nil {
		b.t.Fatalf("benchmark %s: %v\n%s", name, err, text)
	}
	s := sample{others: foreign(), more: map[string]float64{}}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark"+name) {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if s.more[fields[i+1]], err = strconv.ParseFloat(fields[i], 64); err != nil {
				b.t.Fatalf("benchmark %s said %q", name, line)
			}
		}
	}
	if len(s.more) == 0 {
		b.t.Fatalf("benchmark %s said nothing:\n%s", name, text)
	}
	s.rate, s.cpu = s.more["orders/s"], s.more["cpu-µs/order"]
	return s
}

const orderTimes = "6000x"

// orderRows: durable orders through the Store, 64 callers, both cores.
func (b *bench) orderRows() {
	run := func(name string, env ...string) func() sample {
		return func() sample { return b.benchmark(b.programs.models, name, orderTimes, env...) }
	}
	b.progress("orders")
	rounds, disturbed := inTurn(run("FloorGroupCommit"), run("FloorOneTx"), run("OrdersAlone"), run("Orders"), run("OrdersAlone", "GOMAXPROCS=1"))
	for i, what := range []string{"durable orders, 64 callers", "the same with the attempt to pay"} {
		ps := pairs(rounds, 0, 2+i)
		b.table.add(served(what+", against bare group commit", 0.70, ps, disturbed), latency(what, ps, disturbed))
	}
	ps := pairs(rounds, 1, 2)
	times := of(ps, func(p pair) float64 { return p.ours.rate / p.floor.rate })
	b.table.add(row{
		what: "durable orders, 64 callers, against one commit each", floor: rate(ps, func(p pair) sample { return p.floor }),
		ours: rate(ps, func(p pair) sample { return p.ours }), ratio: fmt.Sprintf("%.1f ×", times), goal: "≥ 3 ×", ok: times >= 3, note: note(disturbed),
	})
	batch := of(pairs(rounds, 0, 4), func(p pair) float64 { return p.ours.more["batch"] })
	b.table.add(row{
		what: "mean batch at GOMAXPROCS=1, 64 callers", floor: "–", ours: fmt.Sprintf("%.1f", batch), ratio: "–", goal: "≥ 16", ok: batch >= 16, note: note(disturbed),
	})
}

func latency(what string, ps []pair, disturbed int) row {
	floor := of(ps, func(p pair) float64 { return p.floor.more["p99-ms"] })
	ours := of(ps, func(p pair) float64 { return p.ours.more["p99-ms"] })
	times := of(ps, func(p pair) float64 { return p.ours.more["p99-ms"] / p.floor.more["p99-ms"] })
	return row{
		what: what + ": p99", floor: fmt.Sprintf("%.1f ms", floor), ours: fmt.Sprintf("%.1f ms", ours), ratio: fmt.Sprintf("%.1f ×", times),
		goal: "≤ 2 ×, ≤ 100 ms", ok: times <= 2 && ours <= 100, note: note(disturbed),
	}
}

func rate(ps []pair, pick func(pair) sample) string {
	return fmt.Sprintf("%.0f/s", of(ps, func(p pair) float64 { return pick(p).rate }))
}

// parseRows: what a notification costs beyond the digest, or the RSA
// verification, that WeChat asks for.
func (b *bench) parseRows() {
	b.progress("parse")
	b.parseRow("v2 notification: parse + verify, against MD5 of its string", "MD5StringToSign", "V2ParseVerify", 6)
	b.parseRow("v3 notification: headers, RSA, AES-GCM, JSON, against RSA-2048 verification", "V3Verify", "V3ParseNotify", 1.6)
}

func (b *bench) parseRow(what, floor, ours string, atMost float64) {
	run := func(name string) func() sample {
		return func() sample { return b.benchmark(b.programs.wxpay, name, (300 * time.Millisecond).String()) }
	}
	rounds, disturbed := inTurn(run(floor), run(ours))
	ps := pairs(rounds, 0, 1)
	ns := func(p sample) float64 { return p.more["ns/op"] }
	times := of(ps, func(p pair) float64 { return ns(p.ours) / ns(p.floor) })
	b.table.add(row{
		what: what, floor: fmt.Sprintf("%.2f µs", of(ps, func(p pair) float64 { return ns(p.floor) })/1e3),
		ours: fmt.Sprintf("%.2f µs", of(ps, func(p pair) float64 { return ns(p.ours) })/1e3), ratio: fmt.Sprintf("%.1f ×", times),
		goal: fmt.Sprintf("≤ %g ×", atMost), ok: times <= atMost, note: note(disturbed),
	})
}
