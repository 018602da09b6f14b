package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// heartbeat keeps proxies from ending a silent stream.
const heartbeat = 15 * time.Second

// streamEvents sends the timeline as server-sent events. A client that comes
// back with Last-Event-ID gets what it missed.
func (s *Sim) streamEvents(w http.ResponseWriter, r *http.Request) {
	last := s.events.last()
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		if n, err := strconv.ParseInt(id, 10, 64); err == nil && n >= 0 {
			last = n
		}
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	out.SetWriteDeadline(time.Time{}) // a stream outlives the server's limit; not every writer has one
	if _, err := fmt.Fprint(w, ": ready\n\n"); err != nil || out.Flush() != nil {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		events, more := s.events.since(last)
		for _, h := range events {
			last = h.seq
			if err := writeEvent(w, h); err != nil {
				return
			}
		}
		if len(events) > 0 && out.Flush() != nil {
			return
		}
		select {
		case <-more:
		case <-beat.C:
			if _, err := fmt.Fprint(w, ": still here\n\n"); err != nil || out.Flush() != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-s.stopping:
			return
		}
	}
}

func writeEvent(w http.ResponseWriter, h happening) error {
	if h.kind == "" { // for people only: the console looks for its new row
		_, err := fmt.Fprintf(w, "id: %d\nevent: row\ndata: {}\n\n", h.seq)
		return err
	}
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(h.data); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", h.seq, h.kind, bytes.TrimSpace(data.Bytes()))
	return err
}
