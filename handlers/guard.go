package handlers

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// hosts are the names under which the shop answers.
type hosts map[string]bool

// newHosts takes the authority of the base URL and any aliases.
func newHosts(base *url.URL, aliases []string) hosts {
	h := hosts{authority(base.Host, base.Scheme): true}
	for _, a := range aliases {
		h[authority(a, base.Scheme)] = true
	}
	return h
}

// authority is a Host in one spelling: lower case, without the default port
// and without the dot at the end.
func authority(host, scheme string) string {
	host = strings.ToLower(host)
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return strings.TrimSuffix(host, ".")
	}
	name = strings.TrimSuffix(name, ".")
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return name
	}
	return net.JoinHostPort(name, port)
}

// onlyOurHost answers 421 to every request that names another host, before
// anything else looks at it: addresses in pages, redirects and QR codes come
// from the configuration, and DNS rebinding ends here (security S7, S8).
func (s *Server) onlyOurHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ours := s.hosts[r.Host] || s.hosts[authority(r.Host, s.base.Scheme)]
		if !ours || r.URL.Host != "" && r.URL.Host != r.Host {
			s.misdirected(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// misdirected names no host but ours.
func (s *Server) misdirected(w http.ResponseWriter, r *http.Request) {
	s.metrics.answered("(host)", http.StatusMisdirectedRequest, 0)
	s.Log.Info("request answered", "op", r.Method+" (other host) 421")
	body := "This shop lives at " + s.base.String() + "\n"
	h := w.Header()
	s.headers.set(h, classData)
	h.Set("Cache-Control", noStore)
	h.Set("Content-Type", typeText)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Connection", "close")
	w.WriteHeader(http.StatusMisdirectedRequest)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(body)) // whoever asked may be gone
	}
}

// observe writes the one line and the counters of a request, and turns a
// panic into a 500 with a reference (security V13). Queries are not logged:
// they carry OAuth codes; paths with a secret in them are logged as routes.
func (s *Server) observe(c *gin.Context) {
	start := time.Now() // how long it took is wall time, whatever clock the shop runs by
	defer func() {
		if p := recover(); p != nil {
			s.panicked(c, p)
		}
		s.logRequest(c, time.Since(start))
	}()
	c.Next()
}

func (s *Server) panicked(c *gin.Context, p any) {
	if p == http.ErrAbortHandler {
		panic(p) //nolint:forbidigo // net/http's own way to cut a connection
	}
	s.Log.Error("handler panicked", "op", c.FullPath(), "cause", fmt.Sprint(p), "err", string(debug.Stack()))
	s.metrics.panics.Inc()
	if isNotify(c.FullPath()) {
		s.rejectNotify(c)
		return
	}
	s.fail(c, errPanic)
	c.Abort()
}

func (s *Server) logRequest(c *gin.Context, took time.Duration) {
	route, status := c.FullPath(), c.Writer.Status()
	if route == "" {
		route = "(none)"
	}
	s.metrics.answered(route, status, took)
	level := levelOf(status)
	if !s.Log.Enabled(c.Request.Context(), level) {
		return
	}
	args := []any{"op", c.Request.Method + " " + route + " " + strconv.Itoa(status), "took", took}
	if no := c.Param("no"); isOrderNo(no) {
		args = append(args, "order", no)
	}
	if ref := c.GetString(keyRef); ref != "" {
		args = append(args, "req", ref)
	}
	if err, ok := c.Get(keyErr); ok {
		args = append(args, "err", err)
	}
	s.Log.Log(c.Request.Context(), level, "request answered", args...)
}

// sameOrigin refuses what another site makes a browser send. WeChat is no
// browser and proves itself by signature; the programs of the API prove
// themselves by a token that no browser adds on its own.
func (s *Server) sameOrigin(c *gin.Context) {
	if route := c.FullPath(); isNotify(route) || route == "/wechat" || isAPI(c.Request.URL.Path) {
		return
	}
	if err := s.csrf.Check(c.Request); err != nil {
		s.refuse(c, fmt.Errorf("%w: %w", errCrossSite, err))
	}
}

// limitBody caps what may be read and refuses compressed bodies, which could
// be bombs (security I1).
func (s *Server) limitBody(c *gin.Context) {
	r := c.Request
	if r.ContentLength == 0 || r.Body == nil {
		return
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		s.refuse(c, errMediaType)
		return
	}
	r.Body = http.MaxBytesReader(c.Writer, r.Body, s.bodyLimit)
}

// limitPages is the loose limit per address: mobile networks put thousands of
// people behind one (security V4).
func (s *Server) limitPages(c *gin.Context) {
	if s.pages == nil || isNotify(c.FullPath()) {
		return
	}
	if wait, ok := s.pages.allow(c.ClientIP()); !ok {
		s.refuse(c, tooFast{wait})
	}
}

// refuse answers with an error and runs nothing after it.
func (s *Server) refuse(c *gin.Context, err error) {
	if isNotify(c.FullPath()) {
		s.note(c, err)
		s.send(c, answer{class: classNotify, status: judge(err).status, ctype: typeText})
	} else {
		s.fail(c, err)
	}
	c.Abort()
}

// isNotify names the routes that WeChat calls.
func isNotify(route string) bool { return strings.HasPrefix(route, "/notify/") }

// noRoute knows one more family of addresses: WeChat looks for them at the root.
func (s *Server) noRoute(c *gin.Context) error {
	if name, ok := verifyFile(c.Request.URL.Path); ok && c.Request.Method == http.MethodGet {
		return s.serveVerify(c, name)
	}
	return errNoPage
}

// noMethod: gin has set Allow.
func (s *Server) noMethod(*gin.Context) error { return errMethod }

// checkBase reads site.base_url. A plain http address other than this machine
// would send cookies and pay pages over the wire in the clear (security S6).
func checkBase(raw string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(raw, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("site.base_url %q is not an address like https://shop.example", raw)
	}
	if u.Path != "" || u.RawQuery != "" || u.User != nil || u.Fragment != "" {
		return nil, fmt.Errorf("site.base_url %q: only scheme and host, please", raw)
	}
	name := u.Hostname()
	if ip := net.ParseIP(name); u.Scheme == "http" && name != "localhost" && !(ip != nil && ip.IsLoopback()) && !insecure {
		return nil, errors.New("site.base_url is plain http on a public name: use https (or site.insecure for a closed test network)")
	}
	return u, nil
}
