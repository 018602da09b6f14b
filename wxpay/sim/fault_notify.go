package sim

import (
	"context"
	"time"
)

// reorderWait is how long a notification waits to be overtaken.
const reorderWait = 2 * time.Minute

// copies is how many more of a notification come at the same time.
const copies = 3

// reorder holds a notification back until a later one has passed it. What was
// held before goes out a second after this one. s.mu is held.
func (s *Sim) reorder(n *notification) {
	for _, id := range s.held {
		held := s.ledger.notes[id]
		if held == nil || held.State != notePending || held.inFlight || held.Step != 0 {
			continue
		}
		if due := n.Due.Add(time.Second); due.Before(held.Due) {
			held.Due = due
			s.schedule(held)
		}
	}
	s.held = nil
	if s.faultFires(faultNotifyReorder, n.No) {
		n.Due = n.Due.Add(reorderWait)
		s.held = append(s.held, n.ID)
	}
}

// troubleNote does what comes with an attempt of the ladder: copies at the
// same time or a second later, and with the first one forgeries before it.
func (s *Sim) troubleNote(ctx context.Context, n *notification) {
	now := s.clock.Now()
	if s.faultFires(faultNotifyDuplicate, n.No) || s.sandboxRepeats(n) {
		s.plan.add(planned{at: now.Add(duplicateGap), note: n, extra: true})
		s.nudge()
	}
	s.mu.Lock()
	first := n.Step == 0 && n.Refund == ""
	s.mu.Unlock()
	if !first {
		return
	}
	if s.faultFires(faultNotifyConcurrent, n.No) {
		for range copies {
			s.plan.add(planned{at: now, note: n, extra: true})
		}
		s.nudge()
	}
	for _, f := range badNotes(n.API) {
		if !s.faultFires(f.name, n.No) {
			continue
		}
		kind := f.kinds[s.draw(f.name).IntN(len(f.kinds))]
		if _, err := s.forge(ctx, n.No, kind); err != nil {
			s.log.Error("forged notification not sent", "order", n.No, "kind", kind, "err", err)
		}
	}
}

// badNote is a fault that sends a forgery.
type badNote struct {
	name  string
	kinds []string
}

func badNotes(api string) []badNote {
	amount := badNote{faultNotifyWrongAmount, []string{forgeWrongAmount}}
	if api == apiV3 {
		return []badNote{
			{faultNotifyForged, []string{forgeWrongKey, forgeUnsigned, forgeTruncated, forgeWrongSerial, forgeShortNonce, forgeSignTest}},
			amount, {faultNotifyStale, []string{forgeStale}},
		}
	}
	return []badNote{{faultNotifyForged, []string{forgeWrongKey, forgeUnsigned, forgeXXE, forgeTruncated}}, amount}
}

// sandboxRepeats reports whether the case of a sandbox order is a notification
// that comes again.
func (s *Sim) sandboxRepeats(n *notification) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.ledger.orders[n.No]
	return o != nil && o.Sandbox && o.Total == sandboxRepeated
}

// early delivers the notifications of an order before the answer to who paid
// goes out, if the fault strikes.
func (s *Sim) early(no string) {
	s.mu.Lock()
	var due []planned
	told := false // asked whether or not the loop was quicker, so that a seed gives the same day
	if o := s.ledger.orders[no]; o != nil && o.payment != nil {
		for _, n := range o.notes {
			told = told || n.Refund == ""
			if n.State == notePending && n.Step == 0 && n.Refund == "" {
				due = append(due, planned{at: n.Due, note: n})
			}
		}
	}
	s.mu.Unlock()
	if !told || !s.faultFires(faultNotifyBeforeAnswer, no) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*replyDeadline)
	defer cancel()
	for _, e := range due {
		if s.start(e) {
			s.deliverPlanned(ctx, e)
		}
	}
}
