package handlers

import (
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what the doors see. Labels are route templates, never paths,
// so their number is bounded.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	panics   prometheus.Counter
	cookies  prometheus.Counter
	oauth    *prometheus.CounterVec
}

// newMetrics registers the counters; a nil registry keeps them to ourselves.
func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shop_http_requests_total", Help: "Answered requests by route and status.",
		}, []string{"route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "shop_http_seconds", Help: "Time to answer by route.",
			Buckets: []float64{.001, .005, .025, .1, .25, 1, 3, 5},
		}, []string{"route"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "shop_http_panics_total", Help: "Handlers that panicked.",
		}),
		cookies: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "shop_session_refused_total", Help: "Session cookies that were forged, old or ended.",
		}),
		oauth: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shop_oauth_total", Help: "Trips to WeChat's authorize page by how they ended.",
		}, []string{"result"}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.panics, m.cookies, m.oauth} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) answered(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// levelOf: a person must look at our faults; refusals are facts; the rest is
// for those who want to see everything.
func levelOf(status int) slog.Level {
	switch {
	case status >= 500:
		return slog.LevelError
	case status >= 400:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}
