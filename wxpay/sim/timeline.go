package sim

import (
	"sync"
	"time"

	"wxshop/wxpay/sim/console"
)

// keep is how many happenings and calls are remembered.
const keep = 1000

// happening is one event of the timeline. Kind and data are what event streams
// get; entry and detail are what the console shows.
type happening struct {
	seq    int64
	kind   string // request, transaction, notification, refund, fault, clock
	data   any    // marshalled when somebody listens; never changes
	entry  console.Entry
	detail *console.Exchange // nil: nothing more to see
}

// timeline remembers the latest happenings in order and wakes who waits for more.
type timeline struct {
	now func() time.Time

	mu   sync.Mutex
	seq  int64
	ring []happening   // the latest, oldest first
	more chan struct{} // closed at the next happening
}

func newTimeline(now func() time.Time) *timeline {
	return &timeline{now: now, more: make(chan struct{})}
}

// add appends a happening and returns its number.
func (t *timeline) add(h happening) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seq++
	h.seq = t.seq
	h.entry.Seq = t.seq
	if h.entry.At.IsZero() {
		h.entry.At = t.now()
	}
	if len(t.ring) >= 2*keep { // cut now and then, not at every event
		t.ring = append([]happening(nil), t.ring[len(t.ring)-keep:]...)
	}
	t.ring = append(t.ring, h)
	close(t.more)
	t.more = make(chan struct{})
	return t.seq
}

// since returns what came after number seq, as far as it is remembered, and a
// channel that is closed when there is more. A number from another life of the
// simulator gives everything.
func (t *timeline) since(seq int64) ([]happening, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if seq > t.seq {
		seq = 0
	}
	from := len(t.ring)
	for from > 0 && t.ring[from-1].seq > seq {
		from--
	}
	return append([]happening(nil), t.ring[from:]...), t.more
}

// last is the number of the latest happening.
func (t *timeline) last() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seq
}
