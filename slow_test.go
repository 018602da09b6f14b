package main

import (
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener of connections in memory, for bubbles.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// V1, V2, X37: who sends a byte a second is cut off at the limit, and a body that
// did not come whole is an error to who reads it.
func TestSlowClients(t *testing.T) {
	tests := []struct {
		name, start string
		limit       time.Duration
	}{
		{"headers", "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", readHeaderTimeout},
		{"body", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", readTimeout},
		{"nothing", "", readHeaderTimeout},                                                                     // never says a word
		{"idle", "GET / HTTP/1.1\r\nHost: localhost\r\nX-Quick: 1\r\n\r\n", idleTimeout + readHeaderTimeout/5}, // and one second to see it
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
				srv := newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if _, err := io.ReadAll(r.Body); (err != nil) != (tt.name == "body") {
						t.Errorf("reading the body: %v", err)
					}
				}), silent, false)
				go srv.Serve(p)
				defer srv.Close()
				ours, theirs := net.Pipe()
				p.conns <- theirs
				began, closed := time.Now(), make(chan struct{})
				go func() {
					defer close(closed)
					_, _ = io.Copy(io.Discard, ours) // until the server hangs up
				}()
				var writer sync.WaitGroup
				defer writer.Wait()
				writer.Go(func() {
					_, err := io.WriteString(ours, tt.start)
					for err == nil && tt.name != "idle" && tt.name != "nothing" {
						time.Sleep(time.Second)
						_, err = io.WriteString(ours, "x")
					}
				})
				<-closed
				ours.Close()
				if took := time.Since(began); took > tt.limit+time.Second {
					t.Errorf("held for %v, want %v at most", took, tt.limit)
				}
			})
		})
	}
}
