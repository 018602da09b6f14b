package handlers

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"wxshop/views"
)

// Cookies that hold a taste and no identity; they exist only after a choice.
const (
	cookieLang = "lang"
	cookieCare = "care"
)

// frame is what every page needs around its main part. It reads the session
// when there is one, and takes its flash.
func (s *Server) frame(c *gin.Context) (views.Page, error) {
	p := s.bareFrame(c)
	v, err := s.visit(c)
	if err != nil {
		return p, err
	}
	p.Path = c.Request.URL.RequestURI()
	p.SignedIn = v.SignedIn
	p.Flash = s.takeFlash(c, v)
	if v.UserID != 0 {
		if p.CartCount, err = s.Store.CartCount(c.Request.Context(), v.UserID); err != nil {
			return p, err
		}
	}
	return p, nil
}

// bareFrame is the frame of a page for nobody in particular, also of the pages
// that say that something is broken: it asks no database.
func (s *Server) bareFrame(c *gin.Context) views.Page {
	o := s.Config.Orders
	return views.Page{
		Lang: s.lang(c), Care: care(c.Request), Path: "/", Now: s.Now(),
		Shop: views.Shop{
			Name: s.Config.Site.Name, Phone: s.Config.Site.Phone, FreeFrom: o.FreeFrom, Fee: o.Fee, PayWithin: o.PayWithin,
		},
		InWeChat: placeOf(c.Request).inWeChat(),
	}
}

// lang is the language that was chosen, else the browser's, else Chinese.
func (s *Server) lang(c *gin.Context) views.Lang {
	if chosen, err := c.Request.Cookie(cookieLang); err == nil {
		if l, ok := views.ParseLang(chosen.Value); ok {
			return l
		}
	}
	return acceptedLang(c.Request.Header.Get("Accept-Language"))
}

// acceptedLang takes the first language of the list that we have; browsers
// send their lists in order of preference.
func acceptedLang(header string) views.Lang {
	for part := range strings.SplitSeq(header, ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		tag, _, _ = strings.Cut(strings.ToLower(tag), "-")
		if l, ok := views.ParseLang(tag); ok {
			return l
		}
	}
	return views.ZH
}

func care(r *http.Request) bool {
	c, err := r.Cookie(cookieCare)
	return err == nil && c.Value == "1"
}

// pick is the text in the language of the page.
func pick(l views.Lang, zh, en string) string {
	if l == views.EN && en != "" {
		return en
	}
	return zh
}

// setLang keeps the choice of a language in a cookie of the browser.
func (s *Server) setLang(c *gin.Context) error {
	f, err := readForm(c, "lang", "back")
	if err != nil {
		return err
	}
	l, ok := views.ParseLang(f.raw("lang"))
	if !ok {
		return errBadForm
	}
	s.setTaste(c, cookieLang, l.Tag())
	return s.see(c, safeReturn(f.raw("back")))
}

// setCare keeps the choice of large text.
func (s *Server) setCare(c *gin.Context) error {
	f, err := readForm(c, "care", "back")
	if err != nil {
		return err
	}
	value := f.raw("care")
	if value != "0" && value != "1" {
		return errBadForm
	}
	s.setTaste(c, cookieCare, value)
	return s.see(c, safeReturn(f.raw("back")))
}

func (s *Server) setTaste(c *gin.Context, name, value string) {
	http.SetCookie(c.Writer, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: 365 * 24 * 3600,
		HttpOnly: true, Secure: s.https, SameSite: http.SameSiteLaxMode,
	})
}
