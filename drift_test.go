package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// V12: a minute is said once, four minutes are no readiness, either way.
func TestClockBesideWeChats(t *testing.T) {
	var log bytes.Buffer
	c := &drift{log: slog.New(slog.NewTextHandler(&log, nil))}
	for _, x := range []struct {
		ahead time.Duration
		warns int
		ready bool
	}{
		{30 * time.Second, 0, true}, {-61 * time.Second, 1, true}, {2 * time.Minute, 1, true},
		{10 * time.Minute, 1, false}, {0, 1, true}, {-10 * time.Minute, 2, false},
	} {
		c.seen(x.ahead)
		if n := strings.Count(log.String(), "level=WARN"); n != x.warns || (c.check() == nil) != x.ready {
			t.Errorf("%v ahead: %d warnings, ready: %v", x.ahead, n, c.check())
		}
	}
}
