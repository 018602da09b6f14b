package sim

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

type sse struct {
	id          int
	event, data string
}

// listen reads n events of the stream.
func listen(t *testing.T, url, lastID string, n int, act func()) []sse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", url+"/_sim/api/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if ct := res.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/event-stream") {
		t.Fatalf("Content-Type %q", ct)
	}
	if act != nil {
		act()
	}
	var out []sse
	var e sse
	for lines := bufio.NewScanner(res.Body); len(out) < n && lines.Scan(); {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "id: "):
			e.id, _ = strconv.Atoi(line[4:])
		case strings.HasPrefix(line, "event: "):
			e.event = line[7:]
		case strings.HasPrefix(line, "data: "):
			e.data = line[6:]
		case line == "" && e.event != "":
			out = append(out, e)
			e = sse{}
		}
	}
	if len(out) < n {
		t.Fatalf("%d events, want %d: %+v", len(out), n, out)
	}
	return out
}

func TestEvents(t *testing.T) {
	w := newWorld(t, Options{})
	srv := httptest.NewServer(w.sim.Gateway())
	defer srv.Close()
	w.order("before0001") // what was before a client came is not sent
	got := listen(t, srv.URL, "", 7, func() {
		w.order("events0001")
		id := w.pay("events0001").Notifications[0]
		w.api("PUT", "faults", `{"next":{"notify-drop":1}}`, 200, nil)
		w.api("POST", "notifications/"+id+"/resend", "", 200, nil)
		w.api("POST", "clock", `{"advance":"1s"}`, 200, nil)
		w.api("POST", "notifications/forge", `{"out_trade_no":"events0001","kind":"unsigned"}`, 200, nil)
	})
	want := []string{"transaction", "request", "transaction", "fault", "notification", "clock", "request"}
	for i, e := range got {
		if e.event != want[i] {
			t.Errorf("event %d is %s, want %s", i, e.event, want[i])
		}
		if i > 0 && e.id <= got[i-1].id {
			t.Errorf("ids do not grow: %d after %d", e.id, got[i-1].id)
		}
	}
	if !strings.Contains(got[0].data, `"out_trade_no":"events0001"`) || !strings.Contains(got[1].data, `"target":"/pay/unifiedorder"`) ||
		!strings.Contains(got[2].data, `"state":"SUCCESS"`) || !strings.Contains(got[4].data, `"attempts":[{`) || !strings.Contains(got[5].data, `"offset_s":1`) {
		t.Errorf("data: %+v", got)
	}
	// A client that lost the connection gets what it missed.
	missed := listen(t, srv.URL, strconv.Itoa(got[3].id), 3, nil)
	if missed[0] != got[4] || missed[2] != got[6] {
		t.Errorf("replayed %+v, want %+v", missed, got[4:])
	}
	// So does one that knows numbers from another life of the simulator.
	if all := listen(t, srv.URL, "999999", 7, nil); all[0].id > got[0].id {
		t.Errorf("replayed from %d", all[0].id)
	}
}

// Streams end when the simulator stops, so that a server can be shut down.
func TestStreamsEnd(t *testing.T) {
	w := newWorld(t, Options{})
	srv := httptest.NewServer(w.sim.Gateway())
	res, err := http.Get(srv.URL + "/_sim/api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	w.sim.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := srv.Config.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestTimelineForgetsTheOldest(t *testing.T) {
	l := newTimeline(time.Now)
	for range 5 * keep {
		l.add(happening{kind: "clock"})
	}
	events, _ := l.since(0)
	if len(events) < keep || len(events) > 2*keep || events[len(events)-1].seq != 5*keep {
		t.Errorf("%d events, the last %d", len(events), events[len(events)-1].seq)
	}
}
