package checkout

import (
	"reflect"
	"testing"
	"time"
)

func TestStuck(t *testing.T) {
	now := time.Date(2026, 11, 19, 2, 0, 0, 0, time.UTC)
	s := New(Config{}, Options{Now: func() time.Time { return now }})
	if got := s.Stuck(); got != nil {
		t.Errorf("before the first turn: %v", got)
	}
	s.pulse.beat("sweep", now.Add(slowTick+hung))
	s.pulse.beat("chase", now.Add(tick+hung))
	if got := s.Stuck(); got != nil {
		t.Errorf("right after a turn: %v", got)
	}
	now = now.Add(tick + hung + time.Second)
	if got := s.Stuck(); !reflect.DeepEqual(got, []string{"chase"}) {
		t.Errorf("got %v, want chase", got)
	}
	s.pulse.beat("chase", now.Add(tick+hung))
	if got := s.Stuck(); got != nil {
		t.Errorf("after it turned again: %v", got)
	}
}
