package handlers

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"wxshop/static"
)

// serveStatic sends an embedded file by its hashed address. Only exact
// addresses are known, so there is no path to climb out of (security I9).
func (s *Server) serveStatic(c *gin.Context) error {
	f, ok := static.Lookup(c.Request.URL.Path)
	if !ok {
		return errNoPage
	}
	s.send(c, answer{
		class: classStatic, status: http.StatusOK, ctype: f.ContentType, cache: static.CacheControl,
		body: f.Data, gz: f.Gzip, etag: `"` + f.Integrity[7:23] + `"`,
	})
	return nil
}

// serveRobots keeps machines out of what is personal.
func (s *Server) serveRobots(c *gin.Context) error {
	const text = "User-agent: *\nDisallow: /cart\nDisallow: /checkout\nDisallow: /orders\nDisallow: /pay\nDisallow: /me\nDisallow: /c/\nDisallow: /auth\nDisallow: /admin\n"
	s.send(c, answer{class: classData, status: http.StatusOK, ctype: typeText, cache: revalidate, body: []byte(text)})
	return nil
}
