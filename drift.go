package main

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	clockOff  = time.Minute     // somebody is told
	clockLost = 4 * time.Minute // /readyz says no: from 5 on WeChat refuses API v3
)

// drift is how far this machine's is ahead of WeChat's, by the answers of
// WeChat's servers (security V12).
type drift struct {
	log   *slog.Logger
	ahead atomic.Int64 // time.Duration
}

// seen takes what one answer said. It tells of a clock that went wrong once.
func (c *drift) seen(ahead time.Duration) {
	before := time.Duration(c.ahead.Swap(int64(ahead))).Abs()
	if ahead.Abs() > clockOff && before <= clockOff {
		c.log.Warn("this machine's clock is not WeChat's: synchronise it (NTP)", "op", "clock", "cause", ahead.Round(time.Second).String())
	}
}

func (c *drift) check() error {
	ahead := time.Duration(c.ahead.Load()).Round(time.Second)
	if ahead.Abs() <= clockLost {
		return nil
	}
	return fmt.Errorf("this machine's clock is %v ahead of WeChat's, which refuses more than 5 minutes: synchronise it (NTP)", ahead)
}

func (c *drift) metric() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "shop_clock_ahead_seconds", Help: "How far this machine's clock is ahead of WeChat's, by its last answer.",
	}, func() float64 { return time.Duration(c.ahead.Load()).Seconds() })
}
