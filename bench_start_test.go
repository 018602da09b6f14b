//go:build bench && linux

package main

import (
	"fmt"
	"net"
	"path/filepath"
	"time"
)

// startRows: from nothing to the first answer on an existing database, as
// `wxshop serve` does it with the settings it ships with, the simulator
// included; and the memory that it takes when nobody comes.
func (b *bench) startRows() {
	dir := b.shop.copied()
	floor := func() sample {
		port := freePort(b.t)
		return b.begin(dir, port, b.programs.hello, filepath.Join(dir, "hello.db"), "127.0.0.1:"+port)
	}
	ours := func() sample {
		port := freePort(b.t)
		return b.begin(dir, port, b.programs.shop, "serve")
	}
	b.progress("start")
	floor() // makes its table
	ours()  // makes the first owner, and the simulator's keys
	rounds, disturbed := inTurn(floor, ours)
	ps := pairs(rounds, 0, 1)
	cpu := of(ps, func(p pair) float64 { return p.ours.cpu / p.floor.cpu })
	ram := of(ps, func(p pair) float64 { return p.ours.more["MiB"] / p.floor.more["MiB"] })
	show := func(pick func(pair) sample, key, unit string) string {
		return fmt.Sprintf("%.1f %s", of(ps, func(p pair) float64 { return pick(p).more[key] }), unit)
	}
	first, second := func(p pair) sample { return p.floor }, func(p pair) sample { return p.ours }
	b.table.add(row{
		what: "start to the first answer, processor time", floor: show(first, "ms", "ms"), ours: show(second, "ms", "ms"),
		ratio: fmt.Sprintf("%.1f ×", cpu), goal: "≤ 10 ×", ok: cpu <= 10, note: note(disturbed),
	}, row{
		what: "idle memory (resident)", floor: show(first, "MiB", "MiB"), ours: show(second, "MiB", "MiB"),
		ratio: fmt.Sprintf("%.1f ×", ram), goal: "≤ 2 ×", ok: ram <= 2, note: note(disturbed),
	})
}

// begin starts a program, waits for its first page, then leaves it alone for
// a second.
func (b *bench) begin(dir, port, name string, args ...string) sample {
	b.m.quiet()
	foreign := benchWatch()
	gateway, browser, ops := freePort(b.t), freePort(b.t), freePort(b.t)
	s := b.m.launch(b.t, b.m.on("0", name, args...), dir, "WXSHOP_SITE_BASE_URL=http://localhost:"+port, "WXSHOP_SITE_LISTEN=127.0.0.1:"+port,
		"WXSHOP_SIMULATOR_LISTEN=127.0.0.1:"+gateway, "WXSHOP_SIMULATOR_BROWSER=127.0.0.1:"+browser, "WXSHOP_OPS_LISTEN=127.0.0.1:"+ops)
	defer s.stop()
	s.addr = net.JoinHostPort("localhost", port)
	s.answers("/")
	used := cpuOf(s.pid())
	time.Sleep(time.Second)
	return sample{cpu: float64(used.Microseconds()), more: map[string]float64{"ms": float64(used.Microseconds()) / 1e3, "MiB": memory(b.t, s.pid())}, others: foreign()}
}
