package handlers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"net/http"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"
)

// A handler answers a request or says why not; it never writes an error
// itself. The adapters page and api turn one into a gin.HandlerFunc.
type handler func(*gin.Context) error

// page adapts a handler whose errors people read.
func (s *Server) page(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			s.fail(c, err)
		}
	}
}

// api adapts a handler whose errors programs read.
func (s *Server) api(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			s.failJSON(c, err)
		}
	}
}

const (
	typeHTML = "text/html; charset=utf-8"
	typeJSON = "application/json; charset=utf-8"
	typeText = "text/plain; charset=utf-8"
)

// answer is a whole response before any of it is sent.
type answer struct {
	class  class
	status int
	ctype  string
	cache  string // Cache-Control; "" is no-store
	body   []byte
	gz     func() []byte // body compressed already; nil: not yet
	etag   string        // "" is none
}

// What a page and a file depend on besides their address.
var (
	varyPage = []string{"Accept-Encoding, Accept-Language, Cookie, User-Agent"}
	varyFile = []string{"Accept-Encoding"}
)

// show renders a page whole, then sends it: a page that cannot be drawn
// becomes an error and never half a page.
func (s *Server) show(c *gin.Context, cl class, status int, v templ.Component) error {
	b := getBuffer()
	defer putBuffer(b)
	if err := v.Render(c.Request.Context(), b); err != nil {
		return fmt.Errorf("draw page: %w", err)
	}
	s.send(c, answer{class: cl, status: status, ctype: typeHTML, body: b.Bytes()})
	return nil
}

// showCatalog is show for pages that a browser may keep and ask about again.
func (s *Server) showCatalog(c *gin.Context, v templ.Component) error {
	b := getBuffer()
	defer putBuffer(b)
	if err := v.Render(c.Request.Context(), b); err != nil {
		return fmt.Errorf("draw page: %w", err)
	}
	s.send(c, answer{
		class: classPage, status: http.StatusOK, ctype: typeHTML, cache: revalidate, body: b.Bytes(), etag: etagOf(b.Bytes()),
	})
	return nil
}

// etagOf is a weak tag: gzip and plain carry the same page.
func etagOf(p []byte) string {
	return `W/"` + strconv.FormatUint(maphash.Bytes(jitterSeed, p), 36) + `"`
}

// json sends v as JSON.
func (s *Server) json(c *gin.Context, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	s.send(c, answer{class: classData, status: status, ctype: typeJSON, body: b})
	return nil
}

// send writes an answer in one piece with all its headers.
func (s *Server) send(c *gin.Context, a answer) {
	h := c.Writer.Header()
	s.headers.set(h, a.class)
	if a.cache == "" {
		a.cache = noStore
	}
	h["Cache-Control"] = []string{a.cache}
	switch a.class {
	case classPage, classCashier, classStaff:
		h["Vary"] = varyPage
	case classStatic:
		h["Vary"] = varyFile
	}
	if a.etag != "" {
		h["Etag"] = []string{a.etag}
		if strings.Contains(c.Request.Header.Get("If-None-Match"), a.etag) {
			c.Status(http.StatusNotModified)
			c.Writer.WriteHeaderNow()
			return
		}
	}
	h["Content-Type"] = []string{a.ctype}
	s.write(c, a)
}

// write sends the body, compressed if that pays and the client wants it.
// Acknowledgements to WeChat are never compressed (security P25).
func (s *Server) write(c *gin.Context, a answer) {
	body := a.body
	if a.class != classNotify && len(body) >= minGzip && takesGzip(c.Request.Header) {
		b := getBuffer()
		defer putBuffer(b)
		if gz := a.compressed(b); gz != nil {
			body = gz
			c.Writer.Header()["Content-Encoding"] = []string{"gzip"}
		}
	}
	c.Writer.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.Writer.WriteHeader(a.status)
	if c.Request.Method == http.MethodHead {
		c.Writer.WriteHeaderNow()
		return
	}
	// A reader who went away is no error of ours: nothing is left to do.
	_, _ = c.Writer.Write(body)
}

// compressed is the body compressed, in b unless it was kept; nil when that
// did not work.
func (a *answer) compressed(b *bytes.Buffer) []byte {
	if a.gz != nil {
		return a.gz()
	}
	return compressed(b, a.body)
}

func compressed(b *bytes.Buffer, p []byte) []byte {
	if err := zip(b, p); err != nil {
		return nil
	}
	return b.Bytes()
}

// redirect sends the browser on. to is an address of ours, or WeChat's
// authorize page; never something that came with the request unchecked.
func (s *Server) redirect(c *gin.Context, status int, to string) error {
	h := c.Writer.Header()
	s.headers.set(h, classData)
	h["Cache-Control"] = []string{noStore}
	h["Location"] = []string{to}
	h["Content-Length"] = []string{"0"}
	c.Writer.WriteHeader(status)
	c.Writer.WriteHeaderNow()
	return nil
}

// see is the answer to every POST that worked: go there and look (303). Who
// has to sign in first is led to a page of ours that starts the trip to WeChat
// by a GET of its own: a browser drops a redirect from a form to another origin
// under form-action 'self' (security H15).
func (s *Server) see(c *gin.Context, to string) error {
	if needsUser(to) && placeOf(c.Request).inWeChat() {
		v, err := s.visit(c)
		if err != nil {
			return err
		}
		if !v.SignedIn {
			to = tripPath(to) + "&ask=1"
		}
	}
	return s.redirect(c, http.StatusSeeOther, to)
}
