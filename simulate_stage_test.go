package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing/synctest"
	"time"
)

// stage lets one actor act at a time. Whoever is about to do something that
// others can see waits in choose; when everybody waits or sleeps, the seed
// picks who goes on, alone, to its next choice. When nobody waits, time passes
// to the next timer. So a seed gives one history, whatever the scheduler of Go
// does: between two choices an actor touches nothing that another one touches.
type stage struct {
	rnd  *rand.Rand
	bell chan struct{} // somebody waits
	rush float64       // how often time passes while somebody waits

	mu      sync.Mutex
	waiting []*turn
	calls   map[string]int // of each actor so far
	over    bool           // everybody goes on at once
	picked  int
	book    *book
}

// turn is an actor that waits for its own.
type turn struct {
	who, what string
	go_       chan struct{}
}

func newStage(seed uint64, rush float64, b *book) *stage {
	return &stage{
		rnd: rand.New(rand.NewPCG(seed, 's')), bell: make(chan struct{}, 1), rush: rush, calls: map[string]int{}, book: b,
	}
}

// choose waits until it is who's turn.
func (s *stage) choose(who, what string) {
	t := &turn{who, what, make(chan struct{})}
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}
	s.waiting = append(s.waiting, t)
	s.mu.Unlock()
	s.ring()
	<-t.go_
}

func (s *stage) ring() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

// call is the name of the next call that an actor makes: it acts on its own
// when its caller gives up.
func (s *stage) call(who string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[who]++
	return who + "/" + strconv.Itoa(s.calls[who])
}

// run gives turns until done says so while nobody waits. It reports false when
// that did not come within limit.
func (s *stage) run(limit time.Duration, done func() bool) bool {
	end := time.NewTimer(limit)
	defer end.Stop()
	for {
		synctest.Wait()
		s.mu.Lock()
		n := len(s.waiting)
		s.mu.Unlock()
		if n > 0 {
			s.next()
			continue
		}
		if done() {
			return true
		}
		select {
		case <-s.bell:
		case <-end.C:
			return false
		}
	}
}

// next gives one turn. All others wait or sleep.
func (s *stage) next() {
	s.mu.Lock()
	// Who came at the same instant came in any order. Two of one name are the
	// same to everybody (copies of a notification).
	slices.SortStableFunc(s.waiting, func(a, b *turn) int { return cmp.Or(cmp.Compare(a.who, b.who), cmp.Compare(a.what, b.what)) })
	i, of := s.rnd.IntN(len(s.waiting)), len(s.waiting)
	t := s.waiting[i]
	s.waiting = slices.Delete(s.waiting, i, i+1)
	s.mu.Unlock()
	s.picked++
	if s.rush > 0 && s.rnd.Float64() < s.rush {
		late := time.Duration(s.rnd.Int64N(int64(8 * time.Second)))
		s.book.add(t.who, "is late by "+late.String(), of)
		time.Sleep(late)
		synctest.Wait()
	}
	s.book.add(t.who, t.what, of)
	close(t.go_)
}

// end lets everybody go.
func (s *stage) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	for _, t := range s.waiting {
		close(t.go_)
	}
	s.waiting = nil
}

// line is one line of a history.
type line struct {
	at        time.Duration
	of        int // how many could have been next; 0: not a choice
	who, what string
}

// book is the log of a history: no real time, no paths, no addresses.
type book struct {
	mu    sync.Mutex
	start time.Time
	lines []line
}

func (b *book) add(who, what string, of int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line{time.Since(b.start), of, who, what})
}

// note is a line that is not a choice.
func (b *book) note(who, format string, args ...any) { b.add(who, fmt.Sprintf(format, args...), 0) }

func (b *book) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var s strings.Builder
	for _, l := range b.lines {
		mark := "    "
		if l.of > 0 {
			mark = fmt.Sprintf("1/%-2d", l.of)
		}
		fmt.Fprintf(&s, "%12.3f %s %s: %s\n", l.at.Seconds(), mark, l.who, l.what)
	}
	return s.String()
}

// tail is the end of the log without the choices.
func (b *book) tail(n int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, l := range slices.Backward(b.lines) {
		if l.of == 0 {
			out = append(out, fmt.Sprintf("%12.3f %s: %s", l.at.Seconds(), l.who, l.what))
		}
		if len(out) == n {
			break
		}
	}
	slices.Reverse(out)
	return strings.Join(out, "\n")
}

// actorKey is under which a context knows who acts in it; "" is the director,
// who waits for nobody.
type actorKey struct{}

func as(who string) context.Context { return context.WithValue(context.Background(), actorKey{}, who) }

// actor is who acts in ctx: a person, a call of somebody, or a loop.
func actor(ctx context.Context, home string) string {
	if who, ok := ctx.Value(actorKey{}).(string); ok {
		return who
	}
	if loop, ok := pprof.Label(ctx, "loop"); ok {
		return home + " " + loop
	}
	return home
}

// storeCall is the method of the store that is being called.
func storeCall() string {
	var pcs [12]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		_, name, ok := strings.Cut(f.Function, "models.(*Store).")
		if ok && name[0] >= 'A' && name[0] <= 'Z' {
			name, _, _ = strings.Cut(name, ".")
			return name
		}
		if !more {
			return "?"
		}
	}
}
