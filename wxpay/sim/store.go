package sim

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// openLedger replays the journal and plans the notifications left pending.
func (s *Sim) openLedger() error {
	s.ledger = newLedger()
	var ahead time.Duration
	j, err := openJournal(s.opts.Data, func(r *record) error {
		ahead = r.Ahead
		return s.ledger.apply(r)
	})
	if err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	s.journal = j
	s.clock.restore(ahead)
	s.ids.setKeyMode(s.accountLocked().KeyMode)
	s.resume()
	return nil
}

// commit writes a record and makes its change. s.mu is held. It is durable
// only after s.journal.sync, which callers do without the lock and before
// they answer.
func (s *Sim) commit(r *record) error {
	r.Seq = s.ledger.seq + 1
	var ahead time.Duration
	now, ahead, _ := s.clock.read()
	if r.At.IsZero() {
		r.At = now
	}
	r.Ahead = ahead
	if err := s.journal.append(r); err != nil {
		return err
	}
	return s.ledger.apply(r)
}

// draw is a stream of chance for the form of one answer.
func (s *Sim) draw(purpose string) *rand.Rand {
	return chance(s.seed, purpose, s.draws.next(purpose))
}

// idChance is a stream of chance for the next id. It depends on the time too,
// so that a simulator that forgot everything gives no number out twice. s.mu
// is held.
func (s *Sim) idChance(purpose string, now time.Time) *rand.Rand {
	return chance(s.seed, purpose, s.ledger.seq<<32^uint64(now.UnixNano())^s.draws.next(purpose)<<50)
}

// newTransactionID makes WeChat's number of a payment: 28 digits, 42 in front
// and the day inside.
func (s *Sim) newTransactionID(now time.Time) string {
	r := s.idChance("transaction", now)
	for {
		id := "420000" + pick(r, digits, 4) + now.In(beijing).Format("20060102") + pick(r, digits, 10)
		if s.ledger.byTxn[id] == nil {
			return id
		}
	}
}

// newPrepayID makes a prepay_id: 36 characters, wx and the time in front.
func (s *Sim) newPrepayID(now time.Time) string {
	r := s.idChance("prepay", now)
	for {
		id := "wx" + now.In(beijing).Format("02150405") + pick(r, lowerHex, 22) + "0000"
		if s.ledger.prepays[id] == nil {
			return id
		}
	}
}

// reset forgets everything but the keys. Numbers go on where they were.
func (s *Sim) reset() error {
	s.mu.Lock()
	now, ahead, _ := s.clock.read()
	if err := s.ids.endRotation(now); err != nil {
		s.mu.Unlock()
		return err
	}
	s.clock.restore(0)
	err := s.commit(&record{Kind: recReset})
	if err != nil {
		s.clock.restore(ahead)
	} else {
		s.plan.clear()
		s.forgetSheets()
		s.held = nil
		s.oauth.forget()
		s.calls.forget()
		s.scenarios.forget()
		s.billFiles.forget()
		s.ids.setKeyMode(s.accountLocked().KeyMode)
		s.faults.restart(s.opts.faultPreset(), s.seed)
		s.timelineReset()
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.nudge()
	return s.journal.sync()
}
