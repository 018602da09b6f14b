package checkout

import (
	"slices"
	"sync"
	"time"
)

// hung is how much later than planned a loop may turn before it counts as
// stuck. A turn with every gateway call timing out is shorter.
const hung = 5 * time.Minute

// pulse remembers when each loop has to have turned again.
type pulse struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (p *pulse) beat(name string, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil {
		p.until = map[string]time.Time{}
	}
	p.until[name] = until
}

// Stuck names the loops that should have turned again and did not, for
// /readyz. Before Run there are none.
func (s *Service) Stuck() []string {
	s.pulse.mu.Lock()
	defer s.pulse.mu.Unlock()
	var names []string
	for name, until := range s.pulse.until {
		if s.now().After(until) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
