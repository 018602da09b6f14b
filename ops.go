package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// opsHandler is what the operator and his machines see: /metrics, /healthz,
// /readyz and pprof. It listens on this machine only and answers to its names
// only, so that no page in a browser can read it by DNS rebinding.
func (a *App) opsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.Shop.Metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !loopback(host) {
			http.Error(w, "not this host", http.StatusMisdirectedRequest)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// readyz answers 200 when the shop can take an order and 503 when it cannot,
// with one line per check (security O1).
func (a *App) readyz(w http.ResponseWriter, r *http.Request) {
	checks := map[string]error{
		"database": a.checkDatabase(r.Context()),
		"loops":    a.checkLoops(),
		"serving":  a.checkServing(),
		"clock":    a.Shop.clock.check(),
	}
	status, lines := http.StatusOK, map[string]string{}
	for name, err := range checks {
		lines[name] = "ok"
		if err != nil {
			status, lines[name] = http.StatusServiceUnavailable, err.Error()
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(lines) // who asked may be gone
}

// checkDatabase writes and reads within a second.
func (a *App) checkDatabase(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return a.Shop.Store.Ping(ctx)
}

func (a *App) checkLoops() error {
	if !a.alive.Load() {
		return errors.New("the loops do not run")
	}
	if stuck := a.Shop.Checkout.Stuck(); len(stuck) > 0 {
		return fmt.Errorf("stuck: %s", strings.Join(stuck, ", "))
	}
	return nil
}

func (a *App) checkServing() error {
	if a.stopping.Load() {
		return errors.New("stopping")
	}
	return nil
}
