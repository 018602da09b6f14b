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
	roundsWanted = 5    // of floor and ours, run in turn
	noisy        = 0.15 // cores taken by others from which a round is done again
)

// sample is one run.
type sample struct {
	rate float64            // per second
	cpu  float64            // µs of the server's processor for one
	more map[string]float64 // what else a benchmark reports
	// others is how many cores processes that are not ours took meanwhile.
	others float64
}

// pair is one run of the floor and one of ours, soon after each other.
type pair struct{ floor, ours sample }

// inTurn does all runs in turn, as many rounds as are wanted and up to three
// more in place of rounds that others disturbed. Of a machine that never gets
// quiet it keeps what there is and says how many rounds were disturbed.
func inTurn(runs ...func() sample) (kept [][]sample, disturbed int) {
	var spoiled [][]sample
	for len(kept) < roundsWanted && len(kept)+len(spoiled) < roundsWanted+3 {
		round, others := make([]sample, len(runs)), 0.0
		for i, run := range runs {
			round[i] = run()
			others = max(others, round[i].others)
		}
		if others > noisy {
			spoiled = append(spoiled, round)
		} else {
			kept = append(kept, round)
		}
	}
	for len(kept) < roundsWanted {
		kept, spoiled = append(kept, spoiled[0]), spoiled[1:]
		disturbed++
	}
	return kept, disturbed
}

// pairs are two columns of the rounds.
func pairs(rounds [][]sample, floor, ours int) []pair {
	ps := make([]pair, len(rounds))
	for i, r := range rounds {
		ps[i] = pair{r[floor], r[ours]}
	}
	return ps
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
	return fmt.Sprintf(" (%d of %d disturbed)", disturbed, roundsWanted)
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
