package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// The faults that exist.
const (
	faultNotifyDrop      = "notify-drop"      // an attempt is lost on the way; the ladder goes on
	faultNotifyDelay     = "notify-delay"     // the first attempt waits 5 to 20 seconds
	faultNotifyDuplicate = "notify-duplicate" // an attempt comes again a second later, acknowledged or not
)

// faultNames are all names of the control API; true: it exists already.
var faultNames = map[string]bool{
	faultNotifyDrop: true, faultNotifyDelay: true, faultNotifyDuplicate: true,
	"notify-reorder": false, "notify-before-answer": false, "notify-concurrent": false, "notify-stale": false,
	"notify-forged": false, "notify-wrong-amount": false, "connection-refused": false, "reset-before-commit": false,
	"reset-after-commit": false, "answer-slow": false, "answer-truncated": false, "answer-5xx": false,
	"answer-html": false, "answer-unsigned": false, "answer-wrong-signature": false, "system-error": false,
	"frequency-limited": false, "order-paid-race": false, "out-trade-no-used": false, "close-pay-race": false,
	"refund-processing": false, "refund-abnormal": false, "not-enough": false, "user-paying": false,
	"bill-not-ready": false, "bill-missing": false, "bill-extra": false, "bill-amount": false,
	"bill-refund-missing": false, "key-rotation": false, "host-down": false,
}

// presets are rates by name of the preset.
var presets = map[string]map[string]float64{
	"none":   {},
	"gentle": {faultNotifyDrop: 0.05, faultNotifyDelay: 0.05, faultNotifyDuplicate: 0.05},
	"harsh":  {faultNotifyDrop: 0.3, faultNotifyDelay: 0.3, faultNotifyDuplicate: 0.3},
}

// presetNames in the order of unkindness.
func presetNames() []string { return []string{"none", "gentle", "harsh"} }

// faults decides which misfortunes happen. Each fault has its own stream of
// chance, so that the same seed and the same calls give the same day.
type faults struct {
	mu     sync.Mutex
	preset string
	seed   int64
	rates  map[string]float64
	next   map[string]int
	fired  map[string]int
	asked  map[string]uint64
}

func newFaults(preset string, seed int64) (*faults, error) {
	if preset == "" {
		preset = "none"
	}
	f := &faults{}
	if _, ok := presets[preset]; !ok {
		return nil, fmt.Errorf("sim: unknown preset of faults %q; choose %s", preset, strings.Join(presetNames(), ", "))
	}
	f.restart(preset, seed)
	return f, nil
}

// restart forgets counts and settings.
func (f *faults) restart(preset string, seed int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.preset, f.seed = preset, seed
	f.rates = maps.Clone(presets[preset])
	f.next, f.fired, f.asked = map[string]int{}, map[string]int{}, map[string]uint64{}
}

// fires decides about one occasion for a fault.
func (f *faults) fires(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[name]++
	hit := chance(f.seed, name, f.asked[name]).Float64() < f.rates[name]
	if f.next[name] > 0 {
		hit = true
		if f.next[name]--; f.next[name] == 0 {
			delete(f.next, name)
		}
	}
	if hit {
		f.fired[name]++
	}
	return hit
}

// delay draws how long a delayed notification waits.
func (f *faults) delay() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := chance(f.seed, "how long", uint64(f.fired[faultNotifyDelay]))
	return 5*time.Second + time.Duration(r.Int64N(int64(15*time.Second)))
}

// faultsJSON is GET /_sim/api/faults.
type faultsJSON struct {
	Preset string             `json:"preset"`
	Seed   int64              `json:"seed"`
	Rates  map[string]float64 `json:"rates"`
	Next   map[string]int     `json:"next"`
	Fired  map[string]int     `json:"fired"`
}

// view lists every fault that exists.
func (f *faults) view() faultsJSON {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := faultsJSON{Preset: f.preset, Seed: f.seed, Rates: map[string]float64{}, Next: maps.Clone(f.next), Fired: map[string]int{}}
	for name, exists := range faultNames {
		if exists {
			v.Rates[name], v.Fired[name] = f.rates[name], f.fired[name]
		}
	}
	return v
}

// faultsChange is PUT /_sim/api/faults. A preset sets all rates, then rates
// and next change single ones; a seed starts chance again.
type faultsChange struct {
	Preset *string            `json:"preset"`
	Seed   *int64             `json:"seed"`
	Rates  map[string]float64 `json:"rates"`
	Next   map[string]int     `json:"next"`
	Fired  map[string]int     `json:"fired"` // accepted so that an answer can be sent back; ignored
}

// check refuses a change as a whole, before any of it is made.
func (c faultsChange) check() error {
	if c.Preset != nil && presets[*c.Preset] == nil {
		return badRequest("unknown preset %q; choose %s", *c.Preset, strings.Join(presetNames(), ", "))
	}
	if c.Seed != nil && *c.Seed == 0 {
		return badRequest("seed must not be 0")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Rates)) {
		rate := c.Rates[name]
		if rate < 0 || rate > 1 {
			return badRequest("the rate of %s must be from 0 to 1", name)
		}
		if err := checkFault(name, rate != 0); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Next)) {
		n := c.Next[name]
		if n < 0 || n > 1_000_000 {
			return badRequest("next of %s must be a count from 0 to 1000000", name)
		}
		if err := checkFault(name, n != 0); err != nil {
			return err
		}
	}
	return nil
}

func checkFault(name string, wanted bool) error {
	exists, known := faultNames[name]
	if !known {
		return badRequest("unknown fault %q; the README lists the names", name)
	}
	if wanted && !exists {
		return notYet("the fault %s is not there yet; this version has %s, %s and %s", name, faultNotifyDrop, faultNotifyDelay, faultNotifyDuplicate)
	}
	return nil
}

// change makes a checked change.
func (f *faults) change(c faultsChange) error {
	if err := c.check(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.Preset != nil {
		f.preset, f.rates = *c.Preset, maps.Clone(presets[*c.Preset])
	}
	if c.Seed != nil {
		f.seed, f.asked = *c.Seed, map[string]uint64{}
	}
	for name, rate := range c.Rates {
		f.rates[name] = rate
	}
	for name, n := range c.Next {
		if f.next[name] = n; n == 0 {
			delete(f.next, name)
		}
	}
	return nil
}
