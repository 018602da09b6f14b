package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"go/version"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/net/netutil"
)

// Limits of every connection (security V1, V3).
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 75 * time.Second
	maxHeaderBytes    = 16 << 10
	maxConnections    = 4096
)

// listeners are the open doors, before anybody answers behind them.
type listeners struct{ shop, ops, gateway, browser net.Listener }

// listenAll opens every door or none. With port 0 it takes free ones; c then
// carries the real addresses, and site.base_url the shop's real port.
func listenAll(c *Config) (l listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	anyPort := strings.HasSuffix(c.Site.Listen, ":0")
	if l.shop, err = listen("site.listen", &c.Site.Listen); err != nil {
		return l, err
	}
	c.Site.BaseURL = withPort(c.Site.BaseURL, l.shop, anyPort)
	l.shop = netutil.LimitListener(l.shop, maxConnections)
	if l.ops, err = listen("ops.listen", &c.Ops.Listen); err != nil || !c.Simulator.Enabled {
		return l, err
	}
	if l.gateway, err = listen("simulator.listen", &c.Simulator.Listen); err != nil {
		return l, err
	}
	l.browser, err = listen("simulator.browser", &c.Simulator.Browser)
	return l, err
}

func (l listeners) close() {
	for _, x := range []net.Listener{l.shop, l.ops, l.gateway, l.browser} {
		if x != nil {
			x.Close()
		}
	}
}

// listen opens the address of a setting and stores the one it got.
func listen(key string, addr *string) (net.Listener, error) {
	l, err := net.Listen("tcp", *addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("another program listens on %s: end it, or set %s to another port", *addr, key)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("the system does not let this user listen on %s: set %s to a port above 1023", *addr, key)
	case err != nil:
		return nil, fmt.Errorf("listen on %s (%s): %w", *addr, key, err)
	}
	*addr = l.Addr().String()
	return l, nil
}

// withPort is base with the port that l really got, if any port was wanted.
func withPort(base string, l net.Listener, any bool) string {
	u, err := url.Parse(base)
	if err != nil || u.Port() != "0" && !any {
		return base
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	u.Host = net.JoinHostPort(u.Hostname(), port)
	return u.String()
}

// newServer is a server with our limits. A server of streams (the console's
// timeline, a profile) does not cut long answers.
func newServer(h http.Handler, log *slog.Logger, streams bool) *http.Server {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, Protocols: protocols(runtime.Version()),
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	if streams {
		s.ReadTimeout, s.WriteTimeout = 0, 0
	}
	return s
}

// protocols leaves HTTP/2 off where this Go's server has known holes in it
// (security V16). A server without TLS speaks HTTP/1.1 only, in any case.
func protocols(goVersion string) *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetHTTP2(version.Compare(goVersion, "go1.26.9") >= 0)
	return &p
}

// certificates gets certificates from Let's Encrypt for the host of the shop
// and for no other name (site.tls.autocert). The proof is made on port 443.
func certificates(c Config) (*tls.Config, error) {
	u, err := url.Parse(c.Site.BaseURL)
	if err != nil {
		return nil, err
	}
	m := &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(c.Site.TLS.Cache), HostPolicy: autocert.HostWhitelist(u.Hostname()),
	}
	return &tls.Config{GetCertificate: m.GetCertificate, MinVersion: tls.VersionTLS12, NextProtos: []string{acme.ALPNProto}}, nil
}
