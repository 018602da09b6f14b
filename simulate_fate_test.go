package main

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"
)

const fateName = "fate"

// fate kills and restarts the shop, cuts the wire, and changes the weather.
type fate struct {
	w   *street
	rnd *rand.Rand
}

func (f *fate) live() {
	for range f.rnd.IntN(5) {
		f.w.sleep(fateName, time.Duration(f.rnd.Int64N(int64(15*time.Minute))))
		if !f.w.act() {
			return
		}
		switch f.rnd.IntN(8) {
		case 0, 1, 2, 3:
			f.kills()
		case 4, 5:
			f.restarts()
		case 6:
			f.cuts()
		case 7:
			f.weather()
		}
	}
}

// kills ends the shop at a commit some commits from now: before it, or after
// it and before anybody is told.
func (f *fate) kills() {
	w := f.w
	r := w.shop.Load()
	k := &killing{point: []string{"before-commit", "after-commit"}[f.rnd.IntN(2)]}
	k.left.Store(f.rnd.Int64N(12))
	w.book.note(fateName, "kills %s %s, %d commits from now", r.name, k.point, k.left.Load())
	r.kill.Store(k)
	late := time.NewTimer(10 * time.Minute)
	defer late.Stop()
	select {
	case <-r.crashed:
	case <-late.C: // it writes nothing: then between two commits
		w.stage.choose(fateName, "loses patience")
		if !r.dead.Swap(true) {
			close(r.crashed)
		}
	}
	w.stage.choose(fateName, "sees it dead")
	w.tally.Crashes++
	w.close(r)
	f.reopens()
}

// restarts ends the shop in good order.
func (f *fate) restarts() {
	f.w.close(f.w.shop.Load())
	f.reopens()
}

func (f *fate) reopens() {
	f.w.stage.choose(fateName, "has closed")
	f.w.sleep(fateName, time.Duration(f.rnd.Int64N(int64(3*time.Minute))))
	f.w.changeOver()
	f.w.open()
}

// cuts the wire between shop and WeChat for a while.
func (f *fate) cuts() {
	f.w.cut.Store(true)
	f.w.book.note(fateName, "cuts the wire")
	f.w.sleep(fateName, time.Duration(f.rnd.Int64N(int64(6*time.Minute))))
	f.w.cut.Store(false)
	f.w.book.note(fateName, "mends the wire")
}

// weather sets the faults of WeChat: a preset, and some faults of their own rate.
func (f *fate) weather() {
	preset := []string{"none", "gentle", "gentle", "harsh", "harsh", "harsh"}[f.rnd.IntN(6)]
	rates := map[string]float64{}
	if f.rnd.IntN(3) > 0 {
		for range 1 + f.rnd.IntN(4) {
			rates[single[f.rnd.IntN(len(single))]] = 0.05 + 0.45*f.rnd.Float64()
		}
	}
	if f.rnd.IntN(2) == 0 { // a season of races
		rates["close-pay-race"], rates["close-ignored"], rates["order-paid-race"] = 0.3*f.rnd.Float64(), 0.8*f.rnd.Float64(), 0.2*f.rnd.Float64()
		rates["refund-abnormal"], rates["not-enough"] = 0.3*f.rnd.Float64(), 0.1*f.rnd.Float64()
	}
	if f.w.switches && f.rnd.IntN(2) == 0 {
		rates["key-rotation"], rates["notify-stale"] = 0.1*f.rnd.Float64(), 0.3*f.rnd.Float64()
	}
	in := map[string]any{"preset": preset, "rates": rates}
	if code := f.w.api("", "PUT", "faults", in, nil); code != http.StatusOK {
		f.w.fail("setting the faults %v = %d", in, code)
	}
	f.w.book.note(fateName, "sends the weather %s %v", preset, sortedRates(rates))
}

// single are the faults that strike by themselves in some histories.
var single = []string{
	"notify-drop", "notify-delay", "notify-duplicate", "notify-reorder", "notify-before-answer", "notify-concurrent",
	"notify-forged", "notify-wrong-amount", "notify-stale", "key-rotation", "connection-refused", "host-down", "reset-before-commit", "reset-after-commit",
	"answer-slow", "answer-truncated", "answer-5xx", "answer-html", "answer-unsigned", "answer-wrong-signature",
	"system-error", "frequency-limited", "order-paid-race", "out-trade-no-used", "close-pay-race", "close-ignored", "not-enough", "user-paying",
	"refund-processing", "refund-abnormal",
}

func sortedRates(m map[string]float64) (out []any) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, name, m[name])
	}
	return out
}

// history plays one seed to its end and looks whether the money is right.
func (w *street) history() {
	start := time.Now()
	w.open()
	weather := &fate{w, w.chanceOf("weather")}
	weather.weather()
	ctx, stop := context.WithCancel(context.Background())
	wechat := make(chan struct{})
	go func() { defer close(wechat); _ = w.sim.Run(ctx) }()
	people := w.people()
	limit := "the acts did not end within two days"
	if w.stage.run(48*time.Hour, func() bool { return people.Load() == 0 }) {
		limit = ""
		w.calm()
		w.untilQuiet()
	}
	if limit != "" {
		w.fail("%s", limit)
	}
	w.judge()
	w.night()
	w.judge() // what the night brought changes nothing
	w.tally.Histories, w.tally.Simulated, w.tally.Choices = 1, time.Since(start), int64(w.stage.picked)
	w.tally.Fired = w.fired()
	w.stage.end()
	if r := w.shop.Load(); r != nil {
		w.close(r)
	}
	stop()
	<-wechat
	w.wires.Wait()
	if err := w.sim.Close(); err != nil {
		w.fail("WeChat closes with %v", err)
	}
}

// calm ends all faults: from here on everything must come right by itself.
func (w *street) calm() {
	if code := w.api("", "PUT", "faults", map[string]any{"preset": "none", "next": map[string]int{}}, nil); code != http.StatusOK {
		w.fail("calming the faults = %d", code)
	}
	w.stage.rush, w.lag = 0, 0
	w.book.note(fateName, "is done; the sky is clear")
}

// untilQuiet lets the loops work until nothing is left for them, and settles
// by hand at WeChat what a person has to settle there.
func (w *street) untilQuiet() {
	var err error
	for range 24 {
		w.stage.run(10*time.Minute, func() bool { return false })
		if w.t.Failed() {
			return
		}
		w.settleAtWeChat()
		if err = w.busy(); err == nil {
			return
		}
	}
	w.fail("still not quiet after four hours: %v", err)
}

// fired is how often each fault struck.
func (w *street) fired() map[string]int64 {
	var v struct {
		Fired map[string]int64 `json:"fired"`
	}
	w.api("", "GET", "faults", nil, &v)
	return v.Fired
}

var errBusy = errors.New("something is still open")
