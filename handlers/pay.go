package handlers

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"wxshop/models"
	"wxshop/views"
	"wxshop/wxpay"
)

// showPay is the last page before WeChat's window, or outside WeChat the way
// into it. It reads and changes nothing. An order that is not to be paid any
// more is shown instead.
func (s *Server) showPay(c *gin.Context) error {
	f, err := query(c, "open")
	if err != nil {
		return err
	}
	no := c.Param("no")
	if !isOrderNo(no) {
		return models.ErrNotFound
	}
	v, err := s.requireUser(c)
	if v == nil {
		return err
	}
	if v.UserID == 0 {
		return models.ErrNotFound
	}
	ctx := c.Request.Context()
	u, err := s.Store.User(ctx, v.UserID)
	if err != nil {
		return err
	}
	pay, err := s.Checkout.PayPage(ctx, u, no)
	if err != nil {
		return err
	}
	if pay.Order.State != models.Unpaid || !s.Now().Before(pay.Order.ExpiresAt.Time) {
		return s.see(c, "/orders/"+no)
	}
	p, err := s.frame(c)
	if err != nil {
		return err
	}
	p.Path = "/pay/" + no
	o := brief(p.Lang, pay.Order)
	if placeOf(c.Request) != placeWeChat || f.raw("open") != "" {
		page, ok := s.openPage(v, p, o)
		if !ok { // the link ended; the order page has the button for a new one
			return s.see(c, "/orders/"+no)
		}
		return s.show(c, classCashier, http.StatusOK, views.OpenInWeChat(page))
	}
	page := views.PayPage{Page: p, Order: o}
	if pay.Payment != nil {
		page.Order.Attempt = pay.Payment.State
	}
	if pay.Unsure {
		page.Why = views.Unknown
	}
	if b := pay.Bridge; b != nil {
		page.Bridge = &views.Bridge{
			AppID: b.AppID, TimeStamp: b.TimeStamp, NonceStr: b.NonceStr,
			Package: b.Package, SignType: b.SignType, PaySign: b.PaySign,
		}
	}
	return s.show(c, classCashier, http.StatusOK, views.Pay(page))
}

// startPay readies an order to be paid where the page is open: inside WeChat
// by asking for a prepay id, elsewhere by a link into WeChat.
func (s *Server) startPay(c *gin.Context) error {
	if _, err := readForm(c); err != nil {
		return err
	}
	no := c.Param("no")
	if !isOrderNo(no) {
		return models.ErrNotFound
	}
	v, err := s.visit(c)
	if err != nil {
		return err
	}
	at := placeOf(c.Request)
	if at.inWeChat() && !v.SignedIn {
		return s.see(c, "/pay/"+no)
	}
	o, err := s.Store.Order(c.Request.Context(), v.UserID, no)
	if err != nil {
		return err
	}
	if wait, ok := s.pays.allow(formatID(v.UserID)); !ok {
		return tooFast{wait}
	}
	switch {
	case o.State != models.Unpaid:
		return s.see(c, "/orders/"+no)
	case at == placeWeChat:
		return s.preparePay(c, v.UserID, no)
	case v.SignedIn:
		return s.see(c, "/pay/"+no+"?open=1")
	}
	return s.seeClaim(c, o)
}

// preparePay says on the next page why it did not work, if it did not. What
// WeChat has not answered is never a "no".
func (s *Server) preparePay(c *gin.Context, user int64, no string) error {
	ctx := c.Request.Context()
	u, err := s.Store.User(ctx, user)
	if err != nil {
		return err
	}
	err = s.Checkout.Pay(ctx, u, no, wxpay.JSAPI, c.ClientIP())
	switch {
	case err == nil:
		return s.see(c, "/pay/"+no)
	case errors.Is(err, models.ErrBadMove), errors.Is(err, models.ErrExpired), errors.Is(err, models.ErrStale),
		errors.Is(err, wxpay.ErrAlreadyPaid), errors.Is(err, wxpay.ErrClosed):
		return s.see(c, "/orders/"+no) // it says what is
	}
	gateway, ok := errors.AsType[*wxpay.Error](err)
	if !ok {
		return err
	}
	s.Log.Warn("payment not prepared", "order", no, "op", "pay", "err", err)
	l, reason := s.lang(c), views.Setup
	if gateway.Unknown {
		reason = views.Unknown
	}
	if err := s.flash(c, views.Wait, views.Say(l, reason)); err != nil {
		return err
	}
	return s.see(c, "/pay/"+no)
}
