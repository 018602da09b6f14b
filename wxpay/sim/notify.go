package sim

import (
	"container/heap"
	"context"
	"strconv"
	"sync"
	"time"
)

// ladder is the wait before each repetition of a notification that was not
// acknowledged: 24 h 4 m in all (WeChat Pay v2, "支付结果通知").
var ladder = []time.Duration{
	15 * time.Second, 15 * time.Second, 30 * time.Second, 3 * time.Minute, 10 * time.Minute,
	20 * time.Minute, 30 * time.Minute, 30 * time.Minute, 30 * time.Minute, 60 * time.Minute,
	3 * time.Hour, 3 * time.Hour, 3 * time.Hour, 6 * time.Hour, 6 * time.Hour,
}

// duplicateGap is how long after a delivery its duplicate is sent, acknowledged or not.
const duplicateGap = time.Second

// The states of a notification.
const (
	notePending   = "pending"
	noteDelivered = "delivered"
	noteDropped   = "dropped" // somebody gave it up in the console
	noteGaveUp    = "gave-up" // the whole ladder was in vain
)

// notification is one message to the shop with all its attempts.
type notification struct {
	ID      string    `json:"id"` // "n1"
	Kind    string    `json:"kind,omitempty"`
	API     string    `json:"api,omitempty"`    // apiV3; empty: v2
	No      string    `json:"no,omitempty"`     // out_trade_no
	Refund  string    `json:"refund,omitempty"` // out_refund_no
	URL     string    `json:"url,omitempty"`
	State   string    `json:"state"`
	Created time.Time `json:"created,omitzero"` // business time
	Due     time.Time `json:"due"`              // next attempt, when pending; business time
	Step    int       `json:"step,omitempty"`   // attempts of the ladder so far

	attempts []attempt
	inFlight bool
}

// attempt is one try to deliver.
type attempt struct {
	At             time.Time         `json:"at"`
	RequestHeaders map[string]string `json:"request_headers"`
	RequestBody    string            `json:"request_body"`
	Status         int               `json:"status"` // 0: no answer
	ResponseBody   string            `json:"response_body"`
	OK             bool              `json:"ok"`
	Why            string            `json:"why,omitempty"` // why it is not OK
	Took           time.Duration     `json:"took"`

	seq int64 // its entry in the timeline
}

// word is what people call it.
func (n *notification) word() string {
	if n.Refund != "" {
		return "退款通知"
	}
	return "付款通知"
}

// after returns the notification as it stands after an attempt; onLadder says
// that the attempt was a step of the ladder and not an extra one.
func (n *notification) after(ok, onLadder bool) notification {
	next := notification{ID: n.ID, State: n.State, Due: n.Due, Step: n.Step}
	switch {
	case ok:
		next.State = noteDelivered
	case onLadder && n.State == notePending:
		if next.Step++; next.Step > len(ladder) {
			next.State = noteGaveUp
			break
		}
		next.Due = n.Due.Add(ladder[next.Step-1])
	}
	return next
}

// planned is a delivery that waits for its time.
type planned struct {
	at    time.Time
	note  *notification
	extra bool   // a duplicate, outside the ladder
	ripe  *order // instead of a note: an order on which something falls due
}

// name tells it from others of the same time.
func (e planned) name() string {
	if e.extra {
		return "deliver " + e.note.ID + " once more"
	}
	return "deliver " + e.note.ID
}

// plan is the queue of deliveries, the earliest first. Entries that were
// overtaken by events are skipped when they come up.
type plan struct {
	mu    sync.Mutex
	queue planQueue
}

func (p *plan) add(e planned) {
	p.mu.Lock()
	defer p.mu.Unlock()
	heap.Push(&p.queue, e)
}

// due takes out what should have happened by now, and the time of the next.
func (p *plan) due(now time.Time) (out []planned, next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) > 0 && !p.queue[0].at.After(now) {
		out = append(out, heap.Pop(&p.queue).(planned))
	}
	if len(p.queue) > 0 {
		next = p.queue[0].at
	}
	return out, next
}

func (p *plan) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = nil
}

type planQueue []planned

func (q planQueue) Len() int           { return len(q) }
func (q planQueue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q planQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *planQueue) Push(x any)        { *q = append(*q, x.(planned)) }
func (q *planQueue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	*q = (*q)[:last]
	return e
}

// schedule plans the next attempt of a pending notification.
func (s *Sim) schedule(n *notification) {
	s.plan.add(planned{at: n.Due, note: n})
	s.nudge()
}

// resume plans what a former run left pending. What fell due in between goes
// out now, and its ladder continues from now.
func (s *Sim) resume() {
	now := s.clock.Now()
	for _, n := range s.ledger.noted {
		if n.State == notePending {
			if n.Due.Before(now) {
				n.Due = now
			}
			s.schedule(n)
		}
	}
	for _, o := range s.ledger.unripe {
		s.planRipe(o)
	}
}

// maxDeliveries is how many notifications may be under way at once, so that a
// shop that hangs does not eat all sockets.
const maxDeliveries = 128

// deliverLoop sends every notification at its time until ctx ends, and waits
// for the deliveries under way.
func (s *Sim) deliverLoop(ctx context.Context) {
	var under sync.WaitGroup
	defer under.Wait()
	slots := make(chan struct{}, maxDeliveries)
	for ctx.Err() == nil {
		s.opts.Step("look for what is due")
		due, next := s.plan.due(s.clock.Now())
		for _, e := range due {
			if e.ripe != nil {
				s.ripenPlanned(e.ripe)
			} else if s.start(e) {
				under.Go(func() {
					slots <- struct{}{}
					defer func() { <-slots }()
					s.opts.Step(e.name())
					s.deliverPlanned(ctx, e)
				})
			}
		}
		s.waitFor(ctx, next)
	}
}

// waitFor returns at business time next, or earlier when something changed.
func (s *Sim) waitFor(ctx context.Context, next time.Time) {
	var alarm <-chan time.Time
	if !next.IsZero() {
		t := time.NewTimer(s.clock.until(next))
		defer t.Stop()
		alarm = t.C
	}
	select {
	case <-ctx.Done():
	case <-s.wake:
	case <-alarm:
	}
}

// start claims a planned delivery; false: it was overtaken by events.
func (s *Sim) start(e planned) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := e.note
	if s.ledger.notes[n.ID] != n {
		return false // forgotten by a reset
	}
	if e.extra {
		return true
	}
	if n.State != notePending || n.inFlight || !n.Due.Equal(e.at) {
		return false
	}
	n.inFlight = true
	return true
}

// deliverPlanned makes one attempt and plans the next one.
func (s *Sim) deliverPlanned(ctx context.Context, e planned) {
	if !e.extra {
		s.troubleNote(ctx, e.note)
	}
	_, err := s.attempt(ctx, e.note, !e.extra)
	s.mu.Lock()
	if !e.extra {
		e.note.inFlight = false
	}
	again := err == nil && e.note.State == notePending && !e.note.inFlight && !e.extra
	s.mu.Unlock()
	if again {
		s.schedule(e.note)
	}
}

// attempt sends a notification once and records what came back. An error
// means that nothing was recorded: we are stopping, or the journal failed.
func (s *Sim) attempt(ctx context.Context, n *notification, onLadder bool) (attempt, error) {
	if err := s.journal.sync(); err != nil { // what we announce must survive us
		s.log.Error("journal broke", "err", err)
		return attempt{}, err
	}
	msg, err := s.noteMessage(n)
	if err != nil {
		return attempt{}, err
	}
	var got delivered
	if onLadder && s.faultFires(faultNotifyDrop, n.No) {
		got.err = errDroppedByFault
		got.at = s.clock.Now()
	} else {
		got = s.post(ctx, n.URL, msg)
	}
	if ctx.Err() != nil {
		return attempt{}, ctx.Err()
	}
	a := got.attempt(msg)
	return a, s.recordAttempt(n, &a, onLadder)
}

func (s *Sim) recordAttempt(n *notification, a *attempt, onLadder bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ledger.notes[n.ID] != n {
		return errForgotten
	}
	next := n.after(a.OK, onLadder)
	if err := s.commit(&record{Kind: recAttempt, Note: &next, Attempt: a}); err != nil {
		s.log.Error("attempt not recorded", "order", n.No, "err", err)
		return err
	}
	s.timelineAttempt(n)
	s.log.Info("notification sent", "order", n.No, "state", n.State, "attempt", len(n.attempts), "ok", a.OK, "why", a.Why)
	return nil
}

// Resend sends a notification once more, whatever its state, and returns it.
func (s *Sim) resend(ctx context.Context, id string) (notificationJSON, error) {
	s.mu.Lock()
	n := s.ledger.notes[id]
	s.mu.Unlock()
	if n == nil {
		return notificationJSON{}, notFound("there is no notification %s; GET /_sim/api/notifications lists them", id)
	}
	if _, err := s.attempt(context.WithoutCancel(ctx), n, false); err != nil {
		return notificationJSON{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.notificationView(n), nil
}

// drop gives a pending notification up.
func (s *Sim) drop(id string) (notificationJSON, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.ledger.notes[id]
	if n == nil {
		return notificationJSON{}, notFound("there is no notification %s; GET /_sim/api/notifications lists them", id)
	}
	if n.State != notePending {
		return notificationJSON{}, conflict("notification %s is %s; only a pending one can be dropped", id, n.State)
	}
	next := notification{ID: n.ID, State: noteDropped, Due: n.Due, Step: n.Step}
	if err := s.commit(&record{Kind: recDrop, Note: &next}); err != nil {
		return notificationJSON{}, err
	}
	s.timelineDrop(n)
	s.log.Info("notification dropped", "order", n.No)
	return s.notificationView(n), nil
}

// newNotification prepares a notification that goes out at a time, in the form
// of the API by which the order, or the refund, was asked for. s.mu is held.
func (s *Sim) newNotification(kind, api, no, url string, at time.Time) *notification {
	n := &notification{
		ID: "n" + strconv.Itoa(len(s.ledger.noted)+1), Kind: kind, API: api, No: no, URL: url, State: notePending, Created: at, Due: at,
	}
	if s.faultFires(faultNotifyDelay, no) {
		n.Due = at.Add(s.faults.delay())
	}
	s.reorder(n)
	return n
}
