package handlers

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"wxshop/models"
	"wxshop/views"
	"wxshop/wxpay"
)

// Refusals that are not about a form.
var (
	errNoPage    = errors.New("no such page")
	errCrossSite = errors.New("request from another site")
	errMethod    = errors.New("method not taken here")
	errPanic     = errors.New("panic")
	errOverload  = errors.New("too many requests in work")
	errLinkUsed  = errors.New("claim link used, expired or made up")
	errNotHere   = errors.New("only inside WeChat")
	errNotSold   = errors.New("goods that are not sold here")
	errNoToken   = errors.New("no token, or one that ended")
	errNoAnswer  = errors.New("WeChat did not say who this is")
	errNotWeChat = errors.New("not signed by WeChat")
)

// tooFast is a refusal by a rate limit.
type tooFast struct{ wait time.Duration }

func (e tooFast) Error() string { return "too many requests, wait " + e.wait.String() }

// verdict is what an error means to the one who asked.
type verdict struct {
	status int
	reason views.Reason
}

// statusLeft is for the log: the client went away and nobody reads the answer.
// It is no fault of ours. net/http has no name for it.
const statusLeft = 499

// verdicts is the one table from errors to answers; the first match counts.
// What is not in it is our fault: 500.
var verdicts = []struct {
	err error
	verdict
}{
	{models.ErrNotFound, verdict{http.StatusNotFound, views.NotFound}}, // also: not yours (security P15)
	{errNoPage, verdict{http.StatusNotFound, views.NoPage}},
	{errLinkUsed, verdict{http.StatusNotFound, views.LinkUsed}},
	{errNotHere, verdict{http.StatusForbidden, views.NotHere}},
	{errMethod, verdict{http.StatusMethodNotAllowed, views.NoPage}},
	{errBadForm, verdict{http.StatusBadRequest, views.BadForm}},
	{errMediaType, verdict{http.StatusUnsupportedMediaType, views.BadForm}},
	{errTooLarge, verdict{http.StatusRequestEntityTooLarge, views.BadForm}},
	{errCutShort, verdict{http.StatusRequestTimeout, views.BadForm}},
	{errCrossSite, verdict{http.StatusForbidden, views.BadForm}},
	{errNotSold, verdict{http.StatusNotFound, views.NoPage}},
	{errNoToken, verdict{http.StatusUnauthorized, views.NoSignIn}},
	{errNotWeChat, verdict{http.StatusForbidden, views.BadForm}},
	{errNoAnswer, verdict{http.StatusServiceUnavailable, views.Broken}},
	{errNotAllowed, verdict{http.StatusForbidden, views.BadForm}},
	{errBusyHashing, verdict{http.StatusServiceUnavailable, views.Broken}},
	{errOverload, verdict{http.StatusServiceUnavailable, views.Broken}},
	{models.ErrEmptyCart, verdict{http.StatusConflict, views.EmptyCart}},
	{models.ErrExpired, verdict{http.StatusConflict, views.OrderClosed}},
	{models.ErrStale, verdict{http.StatusConflict, views.TooLate}},
	{models.ErrBadMove, verdict{http.StatusConflict, views.TooLate}},
	{models.ErrLive, verdict{http.StatusConflict, views.TooLate}},
	{models.ErrTokenReused, verdict{http.StatusConflict, views.Placed}},
	{models.ErrBusy, verdict{http.StatusServiceUnavailable, views.Broken}},
	{models.ErrUnknown, verdict{http.StatusServiceUnavailable, views.Broken}}, // the form may be sent again: its token tells
	{wxpay.ErrAlreadyPaid, verdict{http.StatusConflict, views.AlreadyPaid}},
	{wxpay.ErrClosed, verdict{http.StatusConflict, views.OrderClosed}},
	{context.DeadlineExceeded, verdict{http.StatusServiceUnavailable, views.Broken}},
	{context.Canceled, verdict{statusLeft, views.Broken}},
}

// judge finds what to answer.
func judge(err error) verdict {
	if wxpay.IsUnknown(err) {
		return verdict{http.StatusAccepted, views.Unknown} // not a "no": we are asking
	}
	for _, x := range verdicts {
		if errors.Is(err, x.err) {
			return x.verdict
		}
	}
	if _, ok := errors.AsType[tooFast](err); ok {
		return verdict{http.StatusTooManyRequests, views.TooFast}
	}
	if _, ok := errors.AsType[*models.InputError](err); ok {
		return verdict{http.StatusBadRequest, views.BadForm}
	}
	if _, ok := errors.AsType[*models.PriceError](err); ok {
		return verdict{http.StatusConflict, views.TotalChanged}
	}
	if _, ok := errors.AsType[*addressError](err); ok {
		return verdict{http.StatusUnprocessableEntity, views.BadForm}
	}
	if _, ok := errors.AsType[*models.StockError](err); ok {
		return verdict{http.StatusConflict, views.TooLate}
	}
	if _, ok := errors.AsType[*wxpay.Error](err); ok {
		return verdict{http.StatusBadGateway, views.Setup}
	}
	return verdict{http.StatusInternalServerError, views.Broken}
}

// fail shows an error to a person: what happened and what to do, a reference
// when it is our fault, and nothing of the inside. The cause goes to the log.
func (s *Server) fail(c *gin.Context, err error) {
	switch path := c.Request.URL.Path; {
	case isAdmin(path):
		s.failStaff(c, err)
		return
	case isAPI(path):
		s.failAPI(c, err)
		return
	}
	v := s.note(c, err)
	if c.Writer.Written() {
		return
	}
	if v.status == statusLeft {
		s.send(c, answer{class: classData, status: v.status, ctype: typeText})
		return
	}
	p := views.ErrorPage{Page: s.bareFrame(c), Status: v.status, Reason: v.reason, Ref: c.GetString(keyRef)}
	if no := c.Param("no"); v.status != http.StatusNotFound && isOrderNo(no) {
		p.OrderNo = no
		if v.status >= 500 && v.reason == views.Broken {
			p.Reason = views.BrokenMaybe // while paying we cannot say that nothing was charged
		}
	}
	if c.Request.Method == http.MethodGet && v.status >= 500 {
		p.Retry = c.Request.URL.Path
	}
	if err := s.show(c, classPage, v.status, views.Error(p)); err != nil {
		s.Log.Error("error page not drawn", "op", "respond", "err", err)
		s.send(c, answer{class: classData, status: v.status, ctype: typeText, body: []byte(http.StatusText(v.status))})
	}
}

// failJSON tells a program.
func (s *Server) failJSON(c *gin.Context, err error) {
	if isAPI(c.Request.URL.Path) {
		s.failAPI(c, err)
		return
	}
	v := s.note(c, err)
	if c.Writer.Written() {
		return
	}
	body := struct {
		Error   string `json:"error"`
		Message string `json:"message"`
		Ref     string `json:"ref,omitempty"`
	}{string(v.reason), views.Say(s.lang(c), v.reason), c.GetString(keyRef)}
	_ = s.json(c, v.status, body) // three strings always marshal
}

// note judges an error and leaves it for the access log, which writes one
// line per request.
func (s *Server) note(c *gin.Context, err error) verdict {
	v := judge(err)
	if v.status == http.StatusNotFound && v.reason == views.NotFound && !aboutOrders(c.FullPath()) {
		v.reason = views.NoPage
	}
	c.Set(keyErr, err)
	if v.status >= 500 {
		c.Set(keyRef, newReference())
	}
	h := c.Writer.Header()
	if t, ok := errors.AsType[tooFast](err); ok {
		h.Set("Retry-After", strconv.Itoa(max(1, int(t.wait/time.Second))))
	} else if v.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "2")
	}
	if v.status == http.StatusRequestEntityTooLarge || v.status == http.StatusRequestTimeout {
		h.Set("Connection", "close") // the rest of the body is not wanted
	}
	return v
}

// aboutOrders reports the routes on which "not found" means an order.
func aboutOrders(route string) bool {
	return strings.HasPrefix(route, "/orders") || strings.HasPrefix(route, "/pay") || isAPI(route) && strings.Contains(route, "/:no")
}

// Keys of what a request carries through gin.
const (
	keyErr   = "err"
	keyRef   = "ref"
	keyFrame = "frame"
)

// newReference is a number that a shopper can read out: "7F3K-92QD".
func newReference() string {
	t := rand.Text()
	return t[:4] + "-" + t[4:8]
}
