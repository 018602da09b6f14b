package sim

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// I15, X33: where notifications may go, by the text of the URL.
func TestGuardURLs(t *testing.T) {
	tests := []struct {
		url  string
		want bool
	}{
		{"http://localhost:8080/n", true},
		{"http://shop.localhost:8080/n", true},
		{"http://127.0.0.1:8080/n", true},
		{"http://127.1.2.3/n", true},
		{"http://[::1]:8080/n", true},
		{"https://localhost/n", true},
		{"http://allowed.example/n", true},
		{"http://ALLOWED.example:81/n", true},
		{"http://10.1.2.3:9000/n", true},
		{"http://10.1.2.3:9001/n", false},
		{"http://169.254.169.254/latest/meta-data", false},
		{"http://100.100.100.200/", false},
		{"http://2130706433/", false},
		{"http://0177.0.0.1/", false},
		{"http://0x7f.1/", false},
		{"http://127.1/", false},
		{"http://0.0.0.0:8080/", false},
		{"http://[::ffff:169.254.169.254]/", false},
		{"http://[fe80::1%25eth0]/", false},
		{"http://192.168.0.1/", false},
		{"http://example.com/", false},
		{"http://localhost.example.com/", false},
		{"http://notlocalhost/", false},
		{"http://a@localhost:8080/", false},
		{"http://a:b@127.0.0.1/", false},
		{"http://localhost:22/", false},
		{"http://127.0.0.1:25/", false},
		{"file:///etc/passwd", false},
		{"gopher://localhost:8080/", false},
		{"ftp://localhost/", false},
	}
	g := newGuard([]string{"Allowed.example", " 10.1.2.3:9000 "}, nil)
	for _, tt := range tests {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.check(u); (err == nil) != tt.want {
			t.Errorf("%s: %v, want allowed %v", tt.url, err, tt.want)
		}
	}
}

// I15: what a name means is looked at again when it was resolved.
func TestGuardAddresses(t *testing.T) {
	tests := []struct {
		host, address string
		want          bool
	}{
		{"localhost", "127.0.0.1:80", true},
		{"localhost", "[::1]:80", true},
		{"localhost", "[::ffff:127.0.0.1]:80", true},
		{"localhost", "192.168.1.1:80", false},
		{"evil.localhost", "169.254.169.254:80", false},
		{"allowed.example", "127.0.0.1:80", true},
		{"allowed.example", "93.184.216.34:80", true},
		{"allowed.example", "192.168.1.1:80", true},
		{"allowed.example", "169.254.169.254:80", false},
		{"allowed.example", "[::ffff:169.254.169.254]:80", false},
		{"allowed.example", "100.100.100.200:80", false},
		{"allowed.example", "[fd00:ec2::254]:80", false},
		{"allowed.example", "[fe80::1%eth0]:80", false},
		{"allowed.example", "0.0.0.0:80", false},
		{"169.254.1.1", "169.254.1.1:80", true}, // somebody named exactly this one
	}
	g := newGuard([]string{"allowed.example", "169.254.1.1"}, nil)
	for _, tt := range tests {
		if err := g.checkAddress(tt.host, tt.address); (err == nil) != tt.want {
			t.Errorf("%s at %s: %v, want allowed %v", tt.host, tt.address, err, tt.want)
		}
	}
}

// X33: a trap listens on loopback; a name that is not ours to notify does not
// reach it, and a refused delivery says why.
func TestGuardReachesNoTrap(t *testing.T) {
	hit := make(chan struct{}, 1)
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit <- struct{}{} }))
	defer trap.Close()
	_, port, err := net.SplitHostPort(trap.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, Options{Transport: newGuard(nil, nil)})
	for i, host := range []string{"2130706433", "0177.0.0.1", "trap.example", "169.254.169.254"} {
		no := "trap00000" + string(rune('0'+i))
		w.order(no, "notify_url", "http://"+host+":"+port+"/n")
		id := w.pay(no).Notifications[0]
		w.api("POST", "notifications/"+id+"/resend", "", 200, nil)
		a := w.notification(id).Attempts[0]
		if a.OK || a.Status != 0 || !strings.Contains(a.ResponseBody, "refused: ") || !strings.Contains(a.ResponseBody, "--notify-allow") {
			t.Errorf("%s: %+v", host, a)
		}
	}
	select {
	case <-hit:
		t.Error("the trap was reached")
	default:
	}
}

// The real transport checks at dial, with the name that was dialled.
func TestGuardDials(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, "hello") }))
	defer srv.Close()
	g := newGuard(nil, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if c, err := g.dial(ctx, "tcp", srv.Listener.Addr().String()); err != nil {
		t.Errorf("loopback: %v", err)
	} else {
		c.Close()
	}
	if c, err := g.dial(ctx, "tcp", "[::ffff:169.254.169.254]:1"); err == nil || !strings.Contains(err.Error(), "which is reserved") {
		t.Errorf("metadata address: %v", err)
		if c != nil {
			c.Close()
		}
	}
}
