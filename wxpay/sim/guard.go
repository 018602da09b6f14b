package sim

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// guard carries notifications and keeps them from going where they must not:
// only to loopback and to hosts that were allowed by name, checked before and
// again after the name was resolved.
type guard struct {
	allow map[string]bool // "host" or "host:port", lower case
	next  http.RoundTripper
}

func newGuard(allow []string, next http.RoundTripper) *guard {
	g := &guard{allow: map[string]bool{}, next: next}
	for _, host := range allow {
		if host = strings.ToLower(strings.TrimSpace(host)); host != "" {
			g.allow[host] = true
		}
	}
	if g.next == nil {
		g.next = &http.Transport{
			DialContext:         g.dial,
			TLSHandshakeTimeout: replyDeadline,
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     30 * time.Second,
			DisableCompression:  true,
		}
	}
	return g
}

// RoundTrip sends one request, if it may go there.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.check(r.URL); err != nil {
		return nil, err
	}
	return g.next.RoundTrip(r)
}

// check judges a URL by its text.
func (g *guard) check(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Host == "" {
		return fmt.Errorf("refused: %s is not a plain http or https URL", u.Redacted())
	}
	host := strings.ToLower(u.Hostname())
	if g.allow[host] || g.allow[strings.ToLower(u.Host)] {
		return nil
	}
	if !loopbackName(host) {
		return fmt.Errorf("refused: %s is neither loopback nor in --notify-allow", host)
	}
	if port := u.Port(); port != "" && port != "80" && port != "443" {
		if n, err := strconv.Atoi(port); err != nil || n < 1024 {
			return fmt.Errorf("refused: port %s is below 1024 and not in --notify-allow as %s", port, u.Host)
		}
	}
	return nil
}

// loopbackName reports whether a host is written as loopback; odd spellings
// such as 2130706433 or 0177.0.0.1 are not.
func loopbackName(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Zone() == "" && ip.Unmap().IsLoopback()
}

// dial connects and checks the address that the name turned out to mean.
func (g *guard) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	host = strings.ToLower(host)
	d := net.Dialer{
		Timeout: replyDeadline,
		Control: func(_, address string, _ syscall.RawConn) error {
			return g.checkAddress(host, address)
		},
	}
	return d.DialContext(ctx, network, addr)
}

func (g *guard) checkAddress(host, address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("refused: odd address %s", address)
	}
	ip := ap.Addr().Unmap().WithZone("")
	switch {
	case ip.IsLoopback():
		return nil
	case loopbackName(host):
		return fmt.Errorf("refused: %s means %s, which is not loopback", host, ip)
	case metadata(ip) && host != ip.String():
		return fmt.Errorf("refused: %s means %s, which is reserved", host, ip)
	}
	return nil
}

// metadata reports whether an address belongs to no shop: link-local ones,
// where clouds hand out credentials, and those that are no host at all.
func metadata(ip netip.Addr) bool {
	return ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() ||
		ip == netip.AddrFrom4([4]byte{100, 100, 100, 200}) ||
		ip == netip.MustParseAddr("fd00:ec2::254")
}
