package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"wxshop/models/modelstest"
)

// usualActs is how much happens in one history.
const usualActs = 40

// play plays the history of one seed and gives its log.
func play(t *testing.T, seed uint64) (log string, sums tally) {
	t.Helper()
	if speaksV3(seed) {
		if err := makeKeys(); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp(memoryDir(), "wxshop-simulate-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ok := t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
		db := database(t, dir)
		defer watch(seed)()
		cryptotest.SetGlobalRandom(t, seed)
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(time.Date(2026, 11, 19, 2, 0, 0, 0, time.UTC)))
			w := newStreet(t, seed, dir, db)
			w.history()
			log, sums = w.book.text(), w.tally
			sums.Hash = hashOf(log)
			if t.Failed() {
				t.Logf("the end of the history:\n%s", w.book.tail(60))
			}
		})
	})
	if !ok {
		t.Logf("seed %d failed; the whole log is in %s\nreplay it: %s", seed, keep(t, seed, log), replay(seed))
	}
	return log, sums
}

func hashOf(log string) uint64 {
	h := fnv.New64a()
	io.WriteString(h, log)
	return h.Sum64()
}

// keep writes the log of a failure to a file.
func keep(t *testing.T, seed uint64, log string) string {
	t.Helper()
	file := filepath.Join(os.TempDir(), fmt.Sprintf("wxshop-seed-%d.log", seed))
	if err := os.WriteFile(file, []byte(log), 0o600); err != nil {
		t.Log(err)
	}
	return file
}

// watch ends the program with all stacks when a history hangs: somebody waits
// for the stage with a lock in hand.
func watch(seed uint64) (stop func()) {
	t := time.AfterFunc(10*time.Minute, func() {
		buf := make([]byte, 1<<20)
		fmt.Fprintf(os.Stderr, "seed %d hangs: %s\n%s\n", seed, replay(seed), buf[:runtime.Stack(buf, true)])
		os.Exit(2)
	})
	return func() { t.Stop() }
}

// replay is the line that plays a seed again, byte for byte.
func replay(seed uint64) string {
	more := ""
	if d := modelstest.Driver(); d != "sqlite" {
		more = " DRIVER=" + d
	}
	if n := acts(); n != usualActs {
		more += fmt.Sprint(" ACTS=", n)
	}
	return fmt.Sprintf("make simulate START=%d SEEDS=1%s", seed, more)
}

// acts is how much happens in one history of this run.
func acts() int64 {
	if raceDetector {
		return int64(asked("ACTS", 5)) // all is ten times slower
	}
	return int64(asked("ACTS", usualActs))
}

// asked reads a number from the environment.
func asked(name string, def uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(name), 10, 63); err == nil {
		return n
	}
	return def
}

// Many histories, each of one seed: whatever fails, in whatever order, every
// order ends and the money is right to the fen.
func TestSimulate(t *testing.T) {
	start, seeds := asked("START", 1), asked("SEEDS", 50)
	var all tally
	began := time.Now()
	if n := uint64(runtime.NumCPU()); os.Getenv("SHARD") == "" && seeds >= 20 && n > 1 {
		all = shards(t, start, seeds, min(n, 8))
	} else {
		for seed := start; seed < start+seeds; seed++ {
			_, sums := play(t, seed)
			all.add(sums)
		}
	}
	if file := os.Getenv("SHARD"); file != "" {
		b, err := json.Marshal(all)
		if err == nil {
			err = os.WriteFile(file, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	report(t, all, time.Since(began))
}

// shards plays the seeds in several processes, each on one processor.
func shards(t *testing.T, start, seeds, n uint64) tally {
	t.Helper()
	dir := t.TempDir()
	var wg sync.WaitGroup
	sums := make([]tally, n)
	for i := range n {
		from, to := start+seeds*i/n, start+seeds*(i+1)/n
		file := filepath.Join(dir, fmt.Sprint(i))
		cmd := exec.Command(os.Args[0], "-test.run", "^TestSimulate$", "-test.timeout", "0")
		cmd.Env = append(os.Environ(), fmt.Sprint("START=", from), fmt.Sprint("SEEDS=", to-from), "SHARD="+file, "GOMAXPROCS=1")
		wg.Go(func() {
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("seeds %d to %d: %v\n%s", from, to-1, err, out)
			}
			b, err := os.ReadFile(file)
			if err == nil {
				err = json.Unmarshal(b, &sums[i])
			}
			if err != nil {
				t.Errorf("sums of seeds %d to %d: %v", from, to-1, err)
			}
		})
	}
	wg.Wait()
	var all tally
	for _, s := range sums {
		all.add(s)
	}
	return all
}

// many is from how many histories on every fault must have struck.
const many = 1000

// report says what was simulated.
func report(t *testing.T, a tally, took time.Duration) {
	t.Helper()
	t.Logf("%d histories, %d acts, %d orders, %d choices, %d crashes; %.0f h simulated, %.0f s for each second of %.0f\norders: %s\nfaults: %s\nlogs: %x",
		a.Histories, a.Acts, a.Orders, a.Choices, a.Crashes, a.Simulated.Hours(), a.Simulated.Seconds()/took.Seconds(), took.Seconds(), counts(a.Events), counts(a.Fired), a.Hash)
	for name, n := range a.Fired {
		if n == 0 && a.Histories >= many {
			t.Errorf("%s never struck", name)
		}
	}
}

// A seed that the simulation failed with stays in this list.
var badDays = []struct {
	seed  uint64
	found string
}{
	{68, "the reversal of a sale arrives after a query said that it is paid"},
	{104, "the charge of a sale arrives after its reversal found nothing"},
	{250, "\"paid\", asked before the reversal of a sale, is heard after it"},
}

func TestBadDays(t *testing.T) {
	for _, d := range badDays {
		play(t, d.seed)
	}
}

// counts is a map in one line.
func counts(m map[string]int64) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, fmt.Sprintf("%s %d", name, m[name]))
	}
	return strings.Join(all, ", ")
}

// A seed gives the same log, byte for byte, whenever it is played: again, and
// in another process.
func TestSimulationRepeats(t *testing.T) {
	const seeds = 5 // the last one speaks v3
	var all tally
	for seed := uint64(1); seed <= seeds; seed++ {
		first, sums := play(t, seed)
		second, _ := play(t, seed)
		if first != second {
			t.Errorf("seed %d gave two histories: %s", seed, differ(first, second))
		}
		all.add(sums)
	}
	elsewhere := shards(t, 1, seeds, 1)
	if elsewhere.Hash != all.Hash || elsewhere.Choices != all.Choices {
		t.Errorf("another process gave other histories: %d choices, %x; here %d, %x", elsewhere.Choices, elsewhere.Hash, all.Choices, all.Hash)
	}
}

// differ shows where two logs part.
func differ(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d:\n%s\n%s\n%s", i+1, strings.Join(x[max(0, i-5):i], "\n"), x[i], y[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}
