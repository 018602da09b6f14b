package handlers

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"wxshop/views"
)

// showGallery lists every page in every state, for developers.
func (s *Server) showGallery(c *gin.Context) error {
	var b strings.Builder
	for _, x := range views.Samples() {
		b.WriteString(s.base.String() + "/dev/gallery/" + x.Name + "\n")
	}
	s.send(c, answer{class: classData, status: http.StatusOK, ctype: typeText, body: []byte(b.String())})
	return nil
}

// showGalleryView shows one of them.
func (s *Server) showGalleryView(c *gin.Context) error {
	for _, x := range views.Samples() {
		if x.Name == c.Param("view") {
			return s.show(c, classCashier, http.StatusOK, x.Component)
		}
	}
	return errNoPage
}
