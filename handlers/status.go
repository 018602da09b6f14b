package handlers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"wxshop/checkout"
	"wxshop/models"
	"wxshop/views"
)

// progress is the answer of GET /orders/{no}/status.
type progress struct {
	State   string `json:"state"`
	Message string `json:"message"`
	NextMS  int64  `json:"next_ms"` // when to ask again; 0: never
}

// orderStatus is the poll of the pages that wait. Checkout may ask WeChat,
// within its limits; nothing that the page says decides anything.
func (s *Server) orderStatus(c *gin.Context) error {
	no := c.Param("no")
	v, err := s.visit(c)
	if err != nil {
		return err
	}
	if v.UserID == 0 || !isOrderNo(no) {
		return models.ErrNotFound
	}
	return s.sendStatus(c, v.UserID, no)
}

// sendStatus answers a poll of a user, whoever asks for them.
func (s *Server) sendStatus(c *gin.Context, user int64, no string) error {
	f, err := query(c, "n")
	if err != nil {
		return err
	}
	if wait, ok := s.polls.allow(formatID(user)); !ok {
		return tooFast{wait}
	}
	st, err := s.Checkout.Status(c.Request.Context(), user, no)
	if err != nil {
		return err
	}
	said, err := s.said(c, no, st)
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, progress{said.Key, said.Message, s.nextPoll(st, parseCount(f.raw("n"))).Milliseconds()})
}

// said puts into words where an order stands.
func (s *Server) said(c *gin.Context, no string, st *checkout.Progress) (views.Status, error) {
	ctx := c.Request.Context()
	o := views.Order{No: no, State: st.State, CloseReason: st.CloseReason, Total: st.Total, Deadline: st.ExpiresAt.Time}
	told(&o, &st.Status)
	var err error
	if o.Checking, err = s.checking(ctx, st); err != nil {
		return views.Status{}, err
	}
	if err := s.refunds(ctx, &o, &models.Order{ID: st.OrderID, State: st.State}); err != nil {
		return views.Status{}, err
	}
	p := s.bareFrame(c)
	return views.StateOf(&p, &o), nil
}

// checking says the same as the order page: an answer that changed from poll to
// poll would make the page flicker.
func (s *Server) checking(ctx context.Context, st *checkout.Progress) (bool, error) {
	if st.State != models.Unpaid || !st.Prepaid {
		return false, nil
	}
	p, err := s.Store.LivePayment(ctx, st.OrderID)
	if errors.Is(err, models.ErrNotFound) { // it ended this moment; the next poll will say how
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return unknown(p), nil
}

// pollGaps is the rhythm of the nth question; the last one stays.
var pollGaps = []time.Duration{time.Second, time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second, 10 * time.Second}

// nextPoll is 0 when nothing can change without the shopper.
func (s *Server) nextPoll(st *checkout.Progress, n int) time.Duration {
	if st.State != models.Unpaid {
		return 0
	}
	return pollGaps[min(n, len(pollGaps)-1)]
}
