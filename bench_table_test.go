//go:build bench && linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	pairsWanted = 5    // of floor and ours, run in turn
	noisy       = 0.15 // cores taken by others from which a run is thrown away
)

// sample is one run.
type sample struct {
	rate float64            // per second
	cpu  float64            // µs of the server's processor for one
	more map[string]float64 // what else a benchmark reports
	// others is how many cores processes that are not ours took meanwhile.
	others float64
}

// pair is one run of the floor and one of ours, right after each other.
type pair struct{ floor, ours sample }

// inTurn runs floor and ours in turn until there are enough pairs that nobody
// disturbed. Of a machine that never gets quiet it keeps what there is and
// says how many were disturbed.
func inTurn(floor, ours func() sample) (kept []pair, disturbed int) {
	var spoiled []pair
	for len(kept) < pairsWanted && len(kept)+len(spoiled) < pairsWanted+3 {
		p := pair{floor(), ours()}
		if max(p.floor.others, p.ours.others) > noisy {
			spoiled = append(spoiled, p)
		} else {
			kept = append(kept, p)
		}
	}
	for len(kept) < pairsWanted {
		kept, spoiled = append(kept, spoiled[0]), spoiled[1:]
		disturbed++
	}
	return kept, disturbed
}

func median(xs []float64) float64 {
	xs = slices.Sorted(slices.Values(xs))
	return xs[len(xs)/2]
}

// of is the median of something of each pair.
func of(ps []pair, f func(pair) float64) float64 {
	xs := make([]float64, len(ps))
	for i, p := range ps {
		xs[i] = f(p)
	}
	return median(xs)
}

// row is one line of the table.
type row struct {
	what, floor, ours, ratio, goal string
	ok                             bool
	note                           string
}

// table collects rows and prints them.
type table struct {
	rows  []row
	notes []string
}

func (t *table) add(rows ...row) { t.rows = append(t.rows, rows...) }

func (t *table) print(w io.Writer) {
	lines := [][]string{{"what", "floor", "ours", "ratio", "goal", "ok?"}}
	for _, r := range t.rows {
		ok := "yes"
		if !r.ok {
			ok = "MISSED"
		}
		lines = append(lines, []string{r.what, r.floor, r.ours, r.ratio, r.goal, ok + r.note})
	}
	widths := make([]int, len(lines[0]))
	for _, l := range lines {
		for i, cell := range l {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, l := range lines {
		for i, cell := range l {
			fmt.Fprint(w, "| ", cell, strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)), " ")
		}
		fmt.Fprintln(w, "|")
		if n == 0 {
			for _, width := range widths {
				fmt.Fprint(w, "|", strings.Repeat("-", width+2))
			}
			fmt.Fprintln(w, "|")
		}
	}
	for _, n := range t.notes {
		fmt.Fprintln(w, "-", n)
	}
}

// note marks a row whose runs others disturbed.
func note(disturbed int) string {
	if disturbed == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d of %d pairs disturbed)", disturbed, pairsWanted)
}

// served is a row about servers on one core. Its ratio is the worse of both
// ways to look: requests per second, and processor time of one request.
func served(what string, atLeast float64, ps []pair, disturbed int) row {
	ratio := of(ps, func(p pair) float64 { return min(p.ours.rate/p.floor.rate, p.floor.cpu/p.ours.cpu) })
	show := func(pick func(pair) sample) string {
		return fmt.Sprintf("%.0f/s, %.1f µs", of(ps, func(p pair) float64 { return pick(p).rate }), of(ps, func(p pair) float64 { return pick(p).cpu }))
	}
	return row{
		what: what, floor: show(func(p pair) sample { return p.floor }), ours: show(func(p pair) sample { return p.ours }),
		ratio: percent(ratio), goal: "≥ " + percent(atLeast), ok: ratio >= atLeast, note: note(disturbed),
	}
}

func percent(x float64) string { return fmt.Sprintf("%.0f %%", 100*x) }
