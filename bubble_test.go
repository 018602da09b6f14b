package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// wires answers requests by host without a socket, so that a synctest bubble
// can hold the shop and WeChat.
type wires map[string]http.Handler

func (w wires) RoundTrip(r *http.Request) (*http.Response, error) {
	h, ok := w[r.URL.Host]
	if !ok {
		return nil, fmt.Errorf("no wire to %s", r.URL.Host)
	}
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body.Close()
	}
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), bytes.NewReader(body))
	in.Header = r.Header.Clone()
	in.RemoteAddr = "127.0.0.1:40000"
	if r.Host != "" {
		in.Host = r.Host
	}
	rec, done := httptest.NewRecorder(), make(chan struct{})
	go func() { defer close(done); h.ServeHTTP(rec, in) }()
	select {
	case <-done:
		res := rec.Result()
		res.Request = r
		return res, nil
	case <-r.Context().Done(): // the caller gives up, the other side finishes
		return nil, r.Context().Err()
	}
}

// bubbled builds a whole shop with its WeChat on wires and runs its loops
// until the test's function ends.
func bubbled(t *testing.T, f func(s *Shop, w wires)) {
	t.Helper()
	c := freeConfig(t)
	d := defaultConfig()
	c.Site, c.Simulator.Listen, c.Simulator.Browser = d.Site, d.Simulator.Listen, d.Simulator.Browser // names, not sockets
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 19, 2, 0, 0, 0, time.UTC)))
		w := wires{}
		s, err := build(t.Context(), c, parts{Log: silent, Transport: w})
		if err != nil {
			t.Fatal(err)
		}
		base, err := url.Parse(s.Config.Site.BaseURL)
		if err != nil {
			t.Fatal(err)
		}
		w[base.Host] = s.Handler
		w["localhost:8081"], w["127.0.0.1:8081"], w["127.0.0.1:8082"] = s.Sim.Gateway(), s.Sim.Gateway(), s.Sim.Browser()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		f(s, w)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Hours pass in a shop without sockets, and its loops turn.
func TestHoursWithoutSockets(t *testing.T) {
	bubbled(t, func(s *Shop, w wires) {
		for range 3 {
			time.Sleep(time.Hour)
			if stuck := s.Checkout.Stuck(); len(stuck) > 0 {
				t.Errorf("stuck: %v", stuck)
			}
		}
		client := &http.Client{Transport: w}
		for _, base := range []string{"http://localhost:8080/", "http://127.0.0.1:8082/"} {
			res, err := client.Get(base)
			if err != nil {
				t.Fatal(err)
			}
			page, _ := io.ReadAll(res.Body)
			if res.StatusCode != 200 || !strings.Contains(string(page), "明前龙井") {
				t.Errorf("%s = %d %.300s", base, res.StatusCode, page)
			}
		}
	})
}
