package sim

import (
	"errors"
	"sync"
	"time"
)

// beijing is the zone of every time that WeChat writes without a zone.
var beijing = time.FixedZone("CST", 8*3600)

const (
	v2Time  = "20060102150405"                // times of WeChat Pay v2, in Beijing
	apiTime = "2006-01-02T15:04:05.000Z07:00" // times of the control API
)

// maxAdvance keeps all of the clock's sums inside time.Duration.
const maxAdvance = 100 * 365 * 24 * time.Hour

var (
	errAdvance = errors.New(`advance must be a duration above zero such as "15s" or "24h", and 100 years in all at most`)
	errRate    = errors.New("rate must be a whole number from 1 to 1000000")
)

// clock is business time: honest time plus an offset, running rate times as
// fast. Expiry and retries follow it; what is signed carries honest time.
type clock struct {
	honest  func() time.Time
	changed func() // called after every jump or change of rate, without the lock

	mu     sync.Mutex
	anchor time.Time     // honest time at which offset held
	offset time.Duration // business minus honest time, at anchor
	rate   int64
}

func newClock(honest func() time.Time, changed func()) *clock {
	return &clock{honest: honest, changed: changed, anchor: honest(), rate: 1}
}

// Now is business time.
func (c *clock) Now() time.Time {
	now, _, _ := c.read()
	return now
}

// read returns business time, how far it is ahead of honest time, and the rate.
func (c *clock) read() (time.Time, time.Duration, int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.honest()
	off := c.ahead(h)
	return h.Add(off), off, c.rate
}

// ahead is the offset at honest time h.
func (c *clock) ahead(h time.Time) time.Duration {
	return c.offset + h.Sub(c.anchor)*time.Duration(c.rate-1)
}

// Advance moves business time forward.
func (c *clock) Advance(d time.Duration) error {
	c.mu.Lock()
	h := c.honest()
	off := c.ahead(h)
	if d <= 0 || d > maxAdvance || off > maxAdvance-d {
		c.mu.Unlock()
		return errAdvance
	}
	c.anchor, c.offset = h, off+d
	c.mu.Unlock()
	c.changed()
	return nil
}

// SetRate makes business time run n times as fast as honest time from now on.
func (c *clock) SetRate(n int64) error {
	if n < 1 || n > 1_000_000 {
		return errRate
	}
	c.mu.Lock()
	h := c.honest()
	c.offset = c.ahead(h)
	c.anchor, c.rate = h, n
	c.mu.Unlock()
	c.changed()
	return nil
}

// restore sets the offset that a former run had reached; the rate is 1 again.
func (c *clock) restore(offset time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.anchor, c.offset, c.rate = c.honest(), offset, 1
}

// fromClient turns a time that a client sent, which is honest, into business time.
func (c *clock) fromClient(t time.Time) time.Time {
	_, off, _ := c.read()
	return t.Add(off)
}

// until is the honest time to wait for business time t, never negative.
func (c *clock) until(t time.Time) time.Duration {
	now, _, rate := c.read()
	d := t.Sub(now)
	if d <= 0 {
		return 0
	}
	return (d + time.Duration(rate) - 1) / time.Duration(rate)
}
