package main

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

var silent = slog.New(slog.DiscardHandler)

func TestBusyPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tests := []struct {
		key string
		set func(*Config, string)
	}{
		{"site.listen", func(c *Config, a string) { c.Site.Listen = a }},
		{"ops.listen", func(c *Config, a string) { c.Ops.Listen = a }},
		{"simulator.listen", func(c *Config, a string) { c.Simulator.Listen = a }},
		{"simulator.browser", func(c *Config, a string) { c.Simulator.Browser = a }},
	}
	for _, tt := range tests {
		t.Run(tt.key, func(t *testing.T) {
			c := freeConfig(t)
			tt.set(&c, taken.Addr().String())
			_, err := start(t.Context(), c, parts{Log: silent}, io.Discard)
			want := "another program listens on " + taken.Addr().String() + ": end it, or set " + tt.key + " to another port"
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestFreePorts(t *testing.T) {
	c := freeConfig(t)
	l, err := listenAll(&c)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	_, port, _ := net.SplitHostPort(l.shop.Addr().String())
	if want := "http://localhost:" + port; c.Site.BaseURL != want {
		t.Errorf("site.base_url is %s, want %s", c.Site.BaseURL, want)
	}
	for _, addr := range []string{c.Site.Listen, c.Ops.Listen, c.Simulator.Listen, c.Simulator.Browser} {
		if strings.HasSuffix(addr, ":0") {
			t.Errorf("%s is not a real address", addr)
		}
	}
}

func TestBaseURLKeepsItsPort(t *testing.T) {
	c := freeConfig(t)
	c.Site.Listen, c.Site.BaseURL = "127.0.0.1:"+freePort(t), "https://tea.example.com" // behind a proxy
	l, err := listenAll(&c)
	if err != nil {
		t.Fatal(err)
	}
	l.close()
	if c.Site.BaseURL != "https://tea.example.com" {
		t.Errorf("site.base_url became %s", c.Site.BaseURL)
	}
}

func TestFaceURL(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8081": "http://localhost:8081", "[::1]:8081": "http://localhost:8081", "10.0.0.7:8081": "http://10.0.0.7:8081",
	} {
		if got := faceURL(listen, "localhost"); got != want {
			t.Errorf("faceURL(%s) = %s, want %s", listen, got, want)
		}
	}
}

// V16: no HTTP/2 before Go 1.26.9, neither by the rule nor on the wire.
func TestProtocols(t *testing.T) {
	for version, want := range map[string]bool{"go1.26.8": false, "go1.26": false, "go1.25.12": false, "go1.26.9": true, "go1.27": true, "devel": false} {
		if got := protocols(version).HTTP2(); got != want {
			t.Errorf("HTTP/2 with %s is %v, want %v", version, got, want)
		}
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })
	ts := httptest.NewUnstartedServer(nil)
	ts.Config = newServer(h, silent, false)
	ts.StartTLS() // its own ALPN list says h2 first, if the server lets it
	defer ts.Close()
	roots := ts.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	conn, err := tls.Dial("tcp", ts.Listener.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "example.com", NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	want := "http/1.1"
	if protocols(runtime.Version()).HTTP2() {
		want = "h2"
	}
	if got := conn.ConnectionState().NegotiatedProtocol; got != want {
		t.Errorf("the server chose %q, want %q", got, want)
	}
}

// V1: the limits are set where strangers come in.
func TestServerLimits(t *testing.T) {
	s := newServer(http.NotFoundHandler(), silent, false)
	if s.ReadHeaderTimeout != readHeaderTimeout || s.ReadTimeout != readTimeout || s.WriteTimeout != writeTimeout || s.IdleTimeout != idleTimeout {
		t.Errorf("timeouts: %+v", s)
	}
	ts := httptest.NewUnstartedServer(nil)
	ts.Config = s
	ts.Start()
	defer ts.Close()
	r, _ := http.NewRequestWithContext(context.Background(), "GET", ts.URL, nil)
	r.Header.Set("X-Large", strings.Repeat("x", 32<<10))
	res, err := ts.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("32 KiB of headers: %d, want 431", res.StatusCode)
	}
	if s := newServer(http.NotFoundHandler(), silent, true); s.WriteTimeout != 0 || s.ReadHeaderTimeout != readHeaderTimeout {
		t.Error("a server of streams cuts them, or waits for headers for ever")
	}
}

// Certificates are asked for in the name of the shop and of nobody else.
func TestCertificates(t *testing.T) {
	c := defaultConfig()
	c.Site.BaseURL, c.Site.TLS.Cache = "https://tea.example.com", t.TempDir()
	conf, err := certificates(c)
	if err != nil {
		t.Fatal(err)
	}
	if conf.MinVersion < tls.VersionTLS12 { // P21
		t.Errorf("TLS from %x on", conf.MinVersion)
	}
	_, err = conf.GetCertificate(&tls.ClientHelloInfo{ServerName: "evil.example.com", SupportedProtos: []string{"http/1.1"}})
	if err == nil || !strings.Contains(err.Error(), "evil.example.com") {
		t.Errorf("a foreign name got %v", err)
	}
}
