package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// The faults, by the place where they strike.
const (
	// On the way of a notification.
	faultNotifyDrop         = "notify-drop"          // an attempt is lost on the way; the ladder goes on
	faultNotifyDelay        = "notify-delay"         // the first attempt waits 5 to 20 seconds
	faultNotifyDuplicate    = "notify-duplicate"     // an attempt comes again a second later, acknowledged or not
	faultNotifyReorder      = "notify-reorder"       // the first attempt lets a later notification pass, or waits 2 minutes
	faultNotifyBeforeAnswer = "notify-before-answer" // the notification arrives before the payer's phone says ok
	faultNotifyConcurrent   = "notify-concurrent"    // three copies come with the first attempt, at the same time
	faultNotifyForged       = "notify-forged"        // a badly signed notification comes before the genuine one
	faultNotifyWrongAmount  = "notify-wrong-amount"  // a well-signed one about another amount comes before the genuine one
	faultNotifyStale        = "notify-stale"         // one signed ten minutes ago comes before the genuine one (API v3)

	// On the way of a call to the pay gateway.
	faultConnectionRefused = "connection-refused"     // the connection ends before a byte was read
	faultHostDown          = "host-down"              // the same, but only at the host by which the first call came
	faultResetBefore       = "reset-before-commit"    // the connection ends; nothing was done
	faultResetAfter        = "reset-after-commit"     // the connection ends; it was done
	faultAnswerSlow        = "answer-slow"            // done at once, answered after slowAnswer
	faultAnswerTruncated   = "answer-truncated"       // done; the answer is cut in the middle
	faultAnswer5xx         = "answer-5xx"             // 502 from a proxy; nothing was done
	faultAnswerHTML        = "answer-html"            // done; 200 with a page for people
	faultAnswerUnsigned    = "answer-unsigned"        // done; the answer lacks its sign
	faultAnswerWrongSign   = "answer-wrong-signature" // done; the answer's sign is wrong

	// In the business.
	faultSystemError      = "system-error"      // SYSTEMERROR; half of the time it was done
	faultFrequencyLimited = "frequency-limited" // FREQUENCY_LIMITED; nothing was done
	faultOrderPaidRace    = "order-paid-race"   // the payer pays while the same order is placed again: ORDERPAID
	faultNoUsed           = "out-trade-no-used" // OUT_TRADE_NO_USED for a number that is new
	faultClosePayRace     = "close-pay-race"    // the payer pays while the order is being closed: ORDERPAID
	faultCloseIgnored     = "close-ignored"     // closeorder says SUCCESS and the order stays open: it is younger than five minutes
	faultNotEnough        = "not-enough"        // the payer has not enough money
	faultUserPaying       = "user-paying"       // the payer needs a minute for the password (micropay, facepay)
	faultRefundProcessing = "refund-processing" // a refund takes hours
	faultRefundAbnormal   = "refund-abnormal"   // the payer's card takes no refund
	faultKeyRotation      = "key-rotation"      // a new platform certificate signs at once; the old one stays listed for a day (API v3)

	// In bills.
	faultBillNotReady      = "bill-not-ready"
	faultBillMissing       = "bill-missing"
	faultBillExtra         = "bill-extra"
	faultBillAmount        = "bill-amount"
	faultBillRefundMissing = "bill-refund-missing"
)

// faultOrder is every fault in the order of the console.
var faultOrder = []string{
	faultNotifyDrop, faultNotifyDelay, faultNotifyDuplicate, faultNotifyReorder, faultNotifyBeforeAnswer, faultNotifyConcurrent,
	faultNotifyForged, faultNotifyWrongAmount, faultNotifyStale, faultConnectionRefused, faultHostDown, faultResetBefore, faultResetAfter,
	faultAnswerSlow, faultAnswerTruncated, faultAnswer5xx, faultAnswerHTML, faultAnswerUnsigned, faultAnswerWrongSign,
	faultSystemError, faultFrequencyLimited, faultOrderPaidRace, faultNoUsed, faultClosePayRace, faultCloseIgnored, faultNotEnough, faultUserPaying,
	faultRefundProcessing, faultRefundAbnormal, faultBillNotReady, faultBillMissing, faultBillExtra, faultBillAmount, faultBillRefundMissing,
	faultKeyRotation,
}

// faultNames are all names of the control API.
var faultNames = func() map[string]bool {
	all := map[string]bool{}
	for _, name := range faultOrder {
		all[name] = true
	}
	return all
}()

// presets are rates by name of the preset. What needs a person to mend
// (abnormal refunds, wrong bills, hosts that stay down, keys that change) is in
// none of them.
var presets = map[string]map[string]float64{
	"none": {},
	"gentle": {
		faultNotifyDrop: 0.05, faultNotifyDelay: 0.05, faultNotifyDuplicate: 0.05,
		faultResetAfter: 0.01, faultAnswer5xx: 0.01, faultSystemError: 0.01, faultFrequencyLimited: 0.01,
	},
	"harsh": {
		faultNotifyDrop: 0.3, faultNotifyDelay: 0.3, faultNotifyDuplicate: 0.3, faultNotifyReorder: 0.1,
		faultNotifyBeforeAnswer: 0.1, faultNotifyConcurrent: 0.1, faultNotifyForged: 0.05, faultNotifyStale: 0.05,
		faultConnectionRefused: 0.03, faultResetBefore: 0.03, faultResetAfter: 0.05, faultAnswerSlow: 0.02,
		faultAnswerTruncated: 0.03, faultAnswer5xx: 0.03, faultAnswerHTML: 0.02, faultAnswerUnsigned: 0.02, faultAnswerWrongSign: 0.02,
		faultSystemError: 0.05, faultFrequencyLimited: 0.03, faultOrderPaidRace: 0.05, faultClosePayRace: 0.1, faultCloseIgnored: 0.05,
		faultUserPaying: 0.2, faultRefundProcessing: 0.2,
	},
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
	if f.rates[name] == 0 && f.next[name] == 0 {
		return false
	}
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

// count notes a strike that a scenario asked for.
func (f *faults) count(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fired[name]++
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
	for name := range faultNames {
		v.Rates[name], v.Fired[name] = f.rates[name], f.fired[name]
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
		if err := checkFault(name); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Next)) {
		n := c.Next[name]
		if n < 0 || n > 1_000_000 {
			return badRequest("next of %s must be a count from 0 to 1000000", name)
		}
		if err := checkFault(name); err != nil {
			return err
		}
	}
	return nil
}

func checkFault(name string) error {
	if !faultNames[name] {
		return badRequest("unknown fault %q; the README lists the names", name)
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
