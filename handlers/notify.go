package handlers

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"wxshop/wxpay"
)

// notifyLife bounds a notification from its first byte to the answer: WeChat
// gives up after five seconds (security P27).
const notifyLife = 3 * time.Second

// notifyTurn is how much of that it may wait for its turn.
const notifyTurn = time.Second

// rejectionV2 and rejectionV3 answer a notification that never reached checkout:
// any words but SUCCESS make WeChat send it again (WeChat Pay v2, payment
// notification), and so does any status of 4xx or 5xx (WeChat Pay v3, the same).
var (
	rejectionV2 = wxpay.Reply{
		Status: http.StatusOK, ContentType: "text/xml; charset=utf-8",
		Body: []byte("<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[ERROR]]></return_msg></xml>"),
	}
	rejectionV3 = wxpay.Reply{
		Status: http.StatusServiceUnavailable, ContentType: "application/json; charset=utf-8",
		Body: []byte(`{"code":"FAIL","message":"ERROR"}`),
	}
)

func rejection(c *gin.Context) wxpay.Reply {
	if strings.HasPrefix(c.FullPath(), notifyV3) {
		return rejectionV3
	}
	return rejectionV2
}

// notifyV3 begins the routes that speak JSON.
const notifyV3 = "/notify/v3/"

// takeNotify is one of the two things that WeChat tells a shop.
type takeNotify func(context.Context, wxpay.Version, http.Header, []byte) wxpay.Reply

// notify takes a notification of WeChat in: the raw body once, no session, no
// cookie, no redirect, no compression (security P25). What is acknowledged and
// what is not is checkout's to say.
func (s *Server) notify(v wxpay.Version, take takeNotify) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), notifyLife)
		defer cancel()
		if !s.letIn(ctx) {
			s.note(c, errOverload)
			s.reply(c, rejection(c))
			return
		}
		defer func() { <-s.notifies }()
		body, err := readAll(c.Request)
		switch {
		case errors.Is(err, errTooLarge):
			s.refuse(c, err)
		case err != nil:
			s.note(c, err)
			s.reply(c, rejection(c))
		default:
			s.reply(c, take(ctx, v, c.Request.Header, body))
		}
	}
}

// letIn waits a little for one of the places at the door. A burst is stored in
// milliseconds, but who is sent away comes again after fifteen seconds. Those
// who wait have sent no body yet, and there is an end to their number too.
func (s *Server) letIn(ctx context.Context) bool {
	select {
	case s.notifies <- struct{}{}:
		return true
	default:
	}
	select {
	case s.outside <- struct{}{}:
		defer func() { <-s.outside }()
	default:
		return false
	}
	turn := time.NewTimer(notifyTurn)
	defer turn.Stop()
	select {
	case s.notifies <- struct{}{}:
		return true
	case <-turn.C:
	case <-ctx.Done():
	}
	return false
}

func (s *Server) reply(c *gin.Context, r wxpay.Reply) {
	if len(r.Body) == 0 { // 204 has neither a type nor a length
		h := c.Writer.Header()
		s.headers.set(h, classNotify)
		h["Cache-Control"] = []string{noStore}
		c.Writer.WriteHeader(r.Status)
		c.Writer.WriteHeaderNow()
		return
	}
	s.send(c, answer{class: classNotify, status: r.Status, ctype: r.ContentType, body: r.Body})
}

// rejectNotify answers for a handler that panicked.
func (s *Server) rejectNotify(c *gin.Context) {
	if !c.Writer.Written() {
		s.reply(c, rejection(c))
	}
}

// limitWork keeps the number of requests in work bounded; notifications have
// slots of their own.
func (s *Server) limitWork(c *gin.Context) {
	if isNotify(c.FullPath()) {
		return
	}
	select {
	case s.work <- struct{}{}:
		defer func() { <-s.work }()
		c.Next()
	default:
		s.refuse(c, errOverload)
	}
}
