package handlers

import (
	"errors"

	"github.com/gin-gonic/gin"

	"wxshop/models"
	"wxshop/views"
	"wxshop/wxpay"
)

// via is the way to pay that the pay page posts; "" leaves the choice to us.
const (
	viaJSAPI  = "jsapi"
	viaNative = "native"
	viaH5     = "h5"
	viaWeChat = "wechat" // no payment yet: take the order into WeChat first
)

// usual is the channel of a place when the shopper did not choose one. A
// WeChat that cannot open the payment window shows a code for a phone.
func (p place) usual() wxpay.TradeType {
	switch p {
	case placeWeChat:
		return wxpay.JSAPI
	case placePhone:
		return wxpay.H5
	}
	return wxpay.Native
}

// channelOf is the channel that a form asked for, "" for the way into WeChat,
// or false when there is no such word. The payment window opens in WeChat only,
// the link to WeChat outside it only.
func channelOf(via string, at place) (wxpay.TradeType, bool) {
	switch via {
	case "":
		return at.usual(), true
	case viaNative:
		return wxpay.Native, true
	case viaH5:
		if at.inWeChat() {
			return at.usual(), true
		}
		return wxpay.H5, true
	case viaJSAPI:
		if at == placeWeChat {
			return wxpay.JSAPI, true
		}
		return "", true
	}
	return "", via == viaWeChat
}

// startPay readies an order to be paid in the way that the shopper chose, or
// in the usual way of this place. What could still be paid another way is
// closed at WeChat first.
func (s *Server) startPay(c *gin.Context) error {
	f, err := readForm(c, "via")
	if err != nil {
		return err
	}
	no, at := c.Param("no"), placeOf(c.Request)
	if !isOrderNo(no) {
		return models.ErrNotFound
	}
	channel, ok := channelOf(f.raw("via"), at)
	if !ok {
		return errBadForm
	}
	v, err := s.visit(c)
	if err != nil {
		return err
	}
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
	case channel != "":
		return s.preparePay(c, v.UserID, no, channel)
	case v.SignedIn:
		return s.see(c, "/pay/"+no+"?open=1")
	}
	return s.seeClaim(c, o)
}

// preparePay says on the next page why it did not work, if it did not. What
// WeChat has not answered is never a "no".
func (s *Server) preparePay(c *gin.Context, user int64, no string, channel wxpay.TradeType) error {
	ctx := c.Request.Context()
	u, err := s.Store.User(ctx, user)
	if err != nil {
		return err
	}
	err = s.Checkout.Pay(ctx, u, no, channel, c.ClientIP())
	switch {
	case err == nil:
		return s.see(c, "/pay/"+no)
	case settledOtherwise(err):
		return s.see(c, "/orders/"+no) // it says what is
	}
	gateway, ok := errors.AsType[*wxpay.Error](err)
	if !ok {
		return err
	}
	s.Log.Warn("payment not prepared", "order", no, "op", "pay", "err", err)
	reason := views.Setup
	if gateway.Unknown {
		reason = views.Unknown
		if pay, err := s.readPay(ctx, user, no); err == nil && pay.Unsure {
			return s.see(c, "/pay/"+no) // the page says so by itself
		}
	}
	if err := s.flash(c, views.Wait, views.Say(s.lang(c), reason)); err != nil {
		return err
	}
	return s.see(c, "/pay/"+no)
}

// settledOtherwise reports that an order cannot be paid because of what it is
// by now.
func settledOtherwise(err error) bool {
	return errors.Is(err, models.ErrBadMove) || errors.Is(err, models.ErrExpired) || errors.Is(err, models.ErrStale) ||
		errors.Is(err, wxpay.ErrAlreadyPaid) || errors.Is(err, wxpay.ErrClosed)
}
