package wxpay

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// wire answers requests by host without a socket, so that a bubble with its own
// clock can hold both ends.
type wire struct {
	mu    sync.Mutex
	calls map[string]int
	hosts map[string]func(r *http.Request) (status int, body string, err error)
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	if w.calls == nil {
		w.calls = make(map[string]int)
	}
	w.calls[r.URL.Host]++
	answer := w.hosts[r.URL.Host]
	w.mu.Unlock()
	status, body, err := answer(r)
	if err != nil {
		return nil, err
	}
	rec := httptest.NewRecorder()
	rec.WriteHeader(status)
	io.WriteString(rec, body)
	return rec.Result(), nil
}

func (w *wire) set(host string, f func(*http.Request) (int, string, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[host] = f
}

func (w *wire) count(host string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[host]
}

func works(*http.Request) (int, string, error)   { return 200, placed(), nil }
func refuses(*http.Request) (int, string, error) { return 0, "", errors.New("connection refused") }
func hangs(r *http.Request) (int, string, error) {
	<-r.Context().Done()
	return 0, "", r.Context().Err()
}

func wireClient(t *testing.T, w *wire) *V2Client {
	t.Helper()
	c := testConfig("http://main.test", "http://backup.test")
	c.Transport = w
	return newTestClient(t, c)
}

func newWire(main, backup func(*http.Request) (int, string, error)) *wire {
	return &wire{hosts: map[string]func(*http.Request) (int, string, error){"main.test": main, "backup.test": backup}}
}

func wantCalls(t *testing.T, w *wire, main, backup int) {
	t.Helper()
	if w.count("main.test") != main || w.count("backup.test") != backup {
		t.Errorf("main asked %d times, backup %d; want %d and %d", w.count("main.test"), w.count("backup.test"), main, backup)
	}
}

// V8, with real servers: the second host gets the very same bytes.
func TestFailover(t *testing.T) {
	for _, tt := range []struct {
		name string
		main func(http.ResponseWriter, *http.Request, message)
	}{
		{"502", func(w http.ResponseWriter, _ *http.Request, _ message) { w.WriteHeader(502) }},
		{"connection lost", func(http.ResponseWriter, *http.Request, message) { panic(http.ErrAbortHandler) }},
	} {
		main, backup := newGateway(t, tt.main), newGateway(t, always(placed()))
		c := newTestClient(t, testConfig(main.URL, backup.URL))
		for range 2 {
			if p, err := c.Prepay(t.Context(), testOrder()); err != nil || p.PrepayID == "" {
				t.Errorf("%s: %+v, %v", tt.name, p, err)
			}
		}
		first, second := main.sent(), backup.sent()
		if len(first) != 1 || len(second) != 2 {
			t.Errorf("%s: main asked %d times, backup %d; want 1 and 2", tt.name, len(first), len(second))
		} else if first[0] != second[0] {
			t.Errorf("%s: the second host got another request", tt.name)
		}
	}
}

func TestFailoverWhenNothingListens(t *testing.T) {
	dead := httptest.NewServer(nil)
	dead.Close()
	backup := newGateway(t, always(placed()))
	if _, err := newTestClient(t, testConfig(dead.URL, backup.URL)).Prepay(t.Context(), testOrder()); err != nil {
		t.Error(err)
	}
	backup.Close()
	if _, err := newTestClient(t, testConfig(dead.URL, backup.URL)).Prepay(t.Context(), testOrder()); !IsUnknown(err) {
		t.Errorf("both refuse: %v, want unknown", err)
	}
	if _, err := newTestClient(t, testConfig(dead.URL)).Prepay(t.Context(), testOrder()); !IsUnknown(err) {
		t.Errorf("the only one refuses: %v, want unknown", err)
	}
}

func TestFailoverAfterTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(hangs, works)
		c := wireClient(t, w)
		start := time.Now()
		_, err := c.Prepay(t.Context(), testOrder())
		if took := time.Since(start); err != nil || took != c.cfg.Timeout {
			t.Errorf("Prepay took %v: %v", took, err)
		}
		if _, err := c.Prepay(t.Context(), testOrder()); err != nil {
			t.Error(err)
		}
		wantCalls(t, w, 1, 2)
	})
}

func TestFailoverGoesHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(refuses, works)
		c := wireClient(t, w)
		call := func() {
			t.Helper()
			if _, err := c.Prepay(t.Context(), testOrder()); err != nil {
				t.Error(err)
			}
		}
		call()
		wantCalls(t, w, 1, 1)
		time.Sleep(homeAfter - time.Second)
		call() // stays away
		wantCalls(t, w, 1, 2)
		time.Sleep(time.Second)
		call() // scouts, in vain
		call() // and stays away again
		wantCalls(t, w, 2, 4)
		w.set("main.test", works)
		time.Sleep(homeAfter)
		call() // scouts, and moves home
		call()
		wantCalls(t, w, 4, 4)
	})
}

func TestFailoverBackToMain(t *testing.T) {
	w := newWire(refuses, works)
	c := wireClient(t, w)
	_, _ = c.Prepay(t.Context(), testOrder())
	w.set("main.test", works)
	w.set("backup.test", refuses)
	for range 2 {
		if _, err := c.Prepay(t.Context(), testOrder()); err != nil {
			t.Error(err)
		}
	}
	wantCalls(t, w, 3, 2)
}

// A business answer is an answer: it is not asked for a second time elsewhere.
func TestNoFailoverOnAnswers(t *testing.T) {
	for _, body := range []string{business("SYSTEMERROR", "x"), protocolFail("签名错误"), "<html>", unsigned("SUCCESS", "")} {
		w := newWire(func(*http.Request) (int, string, error) { return 200, body, nil }, works)
		_, _ = wireClient(t, w).Prepay(t.Context(), testOrder())
		wantCalls(t, w, 1, 0)
	}
}

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(hangs, hangs)
		cfg := Config{AppID: testApp, MchID: testMch, APIKey: vectorKey, Hosts: []string{"http://main.test", "http://backup.test"}, Transport: w}
		c := newTestClient(t, cfg)
		start := time.Now()
		_, err := c.Query(t.Context(), Ref{OutTradeNo: testNo})
		if took := time.Since(start); took != 2*DefaultTimeout || !IsUnknown(err) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Query took %v: %v", took, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		err = c.Close(ctx, Ref{OutTradeNo: testNo})
		if took := time.Since(start); took != time.Second || !IsUnknown(err) {
			t.Errorf("Close under a deadline of 1 s took %v: %v", took, err)
		}
		wantCalls(t, w, 2, 1) // no second host for a caller who is gone
	})
}

// V7: at most 32 calls in flight; the next waits, and gives up in time.
func TestParallelLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		w := newWire(func(*http.Request) (int, string, error) { <-release; return 200, placed(), nil }, refuses)
		c := wireClient(t, w)
		var wg sync.WaitGroup
		for range maxParallel + 8 {
			wg.Go(func() {
				if _, err := c.Prepay(t.Context(), testOrder()); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		wantCalls(t, w, maxParallel, 0)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Query(ctx, Ref{OutTradeNo: testNo}); !IsUnknown(err) || !errors.Is(err, context.Canceled) {
			t.Errorf("waiting for a slot: %v", err)
		}
		close(release)
		wg.Wait()
		wantCalls(t, w, maxParallel+8, 0)
	})
}

// V7: ten failures, and the gateway is left alone for fifteen seconds.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(refuses, func(*http.Request) (int, string, error) { return 503, "", nil })
		c := wireClient(t, w)
		ask := func() error { _, err := c.Prepay(t.Context(), testOrder()); return err }
		for range breakerFailures {
			if err := ask(); !IsUnknown(err) {
				t.Fatal(err)
			}
		}
		asked := w.count("main.test")
		if err := ask(); !IsUnknown(err) || !errors.Is(err, errResting) || w.count("main.test") != asked {
			t.Errorf("while resting: %v, %d more calls", err, w.count("main.test")-asked)
		}
		time.Sleep(breakerRest)
		if err := ask(); errors.Is(err, errResting) {
			t.Error("still resting after the rest")
		}
		if err := ask(); !errors.Is(err, errResting) {
			t.Errorf("one more failure did not open it again: %v", err)
		}
		time.Sleep(breakerRest)
		w.set("main.test", works)
		if err := ask(); err != nil {
			t.Errorf("the gateway is back, and yet: %v", err)
		}
		w.set("main.test", refuses)
		for range breakerFailures - 1 {
			_ = ask()
		}
		if err := ask(); errors.Is(err, errResting) {
			t.Error("failures from before the success still count")
		}
	})
}

func TestBreakerCountsWithinTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := wireClient(t, newWire(refuses, refuses))
		for range 3 * breakerFailures {
			if _, err := c.Prepay(t.Context(), testOrder()); errors.Is(err, errResting) {
				t.Fatal("opened by failures that are far apart")
			}
			time.Sleep(4 * time.Second)
		}
	})
}

func TestBreakerIgnoresCallersWhoLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(hangs, works)
		c := wireClient(t, w)
		for range 2 * breakerFailures {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Millisecond, cancel)
			if _, err := c.Prepay(ctx, testOrder()); errors.Is(err, errResting) {
				t.Fatal("opened by callers who left")
			}
		}
	})
}

// P21: a gateway whose certificate we cannot check is no gateway.
func TestSelfSignedGatewayIsRefused(t *testing.T) {
	var asked atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		io.WriteString(w, placed())
	}))
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	defer s.Close()
	if _, err := newTestClient(t, testConfig(s.URL)).Prepay(t.Context(), testOrder()); !IsUnknown(err) || asked.Load() != 0 {
		t.Errorf("Prepay = %v after %d requests, want unknown and none", err, asked.Load())
	}
}

func TestTransportSettings(t *testing.T) {
	tr := newTransport(&tls.Config{})
	if tr.TLSClientConfig.MinVersion < 0x0303 || tr.MaxIdleConnsPerHost < 64 || !tr.DisableCompression {
		t.Errorf("transport: TLS %x, %d idle connections per host", tr.TLSClientConfig.MinVersion, tr.MaxIdleConnsPerHost)
	}
}

// What the second host refuses may have been done by the first, whose answer
// was lost: only words about the order itself count.
func TestRefusalAfterLostAnswer(t *testing.T) {
	for _, tt := range []struct {
		name, code string
		lost       func(*http.Request) (int, string, error)
		unknown    bool
	}{
		{"too often, after a lost answer", "FREQUENCY_LIMITED", func(*http.Request) (int, string, error) { return 0, "", io.ErrUnexpectedEOF }, true},
		{"no right, after a 502", "NOAUTH", func(*http.Request) (int, string, error) { return 502, "", nil }, true},
		{"nobody listens there", "FREQUENCY_LIMITED", func(*http.Request) (int, string, error) {
			return 0, "", &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}, false},
		{"paid already", "ORDERPAID", func(*http.Request) (int, string, error) { return 0, "", io.ErrUnexpectedEOF }, false},
	} {
		w := newWire(tt.lost, func(*http.Request) (int, string, error) { return 200, business(tt.code, "x"), nil })
		_, err := wireClient(t, w).Prepay(t.Context(), testOrder())
		if err == nil || IsUnknown(err) != tt.unknown {
			t.Errorf("%s: %v, want unknown %t", tt.name, err, tt.unknown)
		}
		wantCalls(t, w, 1, 1)
	}
}

// V12: each answer says how far our clock is from WeChat's.
func TestClockIsCompared(t *testing.T) {
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request, m message) {
		w.Header().Set("Date", time.Now().Add(-10*time.Minute).UTC().Format(http.TimeFormat))
		always(placed())(w, r, m)
	})
	c, ahead := testConfig(g.URL), time.Duration(0)
	c.Clock = func(d time.Duration) { ahead = d }
	_, _ = newTestClient(t, c).Prepay(t.Context(), testOrder())
	if ahead.Round(time.Minute) != 10*time.Minute {
		t.Errorf("%v ahead, want 10 minutes", ahead)
	}
}
