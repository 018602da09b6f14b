package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"wxshop/checkout"
	"wxshop/models"
	"wxshop/views"
	"wxshop/wxpay"
)

// payable is an order before its payment, with the frame of its page. The page
// is nil when the answer is sent or cannot be given.
type payable struct {
	views.Page
	order views.Order
	pay   *checkout.PayPage
	visit *visit
}

// payable reads the order of the address for its owner and changes nothing. An
// order that is not to be paid any more is shown instead.
func (s *Server) payable(c *gin.Context) (*payable, error) {
	no := c.Param("no")
	if !isOrderNo(no) {
		return nil, models.ErrNotFound
	}
	v, err := s.requireUser(c)
	if v == nil {
		return nil, err
	}
	if v.UserID == 0 {
		return nil, models.ErrNotFound
	}
	pay, err := s.readPay(c.Request.Context(), v.UserID, no)
	if err != nil {
		return nil, err
	}
	if pay.Order.State != models.Unpaid || !s.Now().Before(pay.Order.ExpiresAt.Time) {
		return nil, s.see(c, "/orders/"+no)
	}
	p, err := s.frame(c)
	if err != nil {
		return nil, err
	}
	p.Path = "/pay/" + no
	x := &payable{Page: p, order: brief(p.Lang, pay.Order), pay: pay, visit: v}
	if pay.Payment != nil {
		x.order.Attempt = pay.Payment.State
	}
	return x, nil
}

// readPay is what an order is to be paid with.
func (s *Server) readPay(ctx context.Context, user int64, no string) (*checkout.PayPage, error) {
	u, err := s.Store.User(ctx, user)
	if err != nil {
		return nil, err
	}
	return s.Checkout.PayPage(ctx, u, no)
}

// why is the sentence for an attempt that WeChat has not answered. It has
// given nothing yet that could be paid.
func (x *payable) why() views.Reason {
	if x.pay.Unsure {
		return views.Unanswered
	}
	return ""
}

// shows is the channel of the page: that of what can be paid already, if it
// can be paid here, else the usual one.
func (x *payable) shows(at place) wxpay.TradeType {
	switch {
	case at == placeWeChat:
	case x.pay.CodeURL != "":
		return wxpay.Native
	case x.pay.H5URL != "" && !at.inWeChat():
		return wxpay.H5
	}
	return at.usual()
}

// showPay is the last page before the payment, as it works where the page is
// open: WeChat's window, a code to be scanned, or a link into WeChat. With open
// it is the way that takes the order itself into WeChat.
func (s *Server) showPay(c *gin.Context) error {
	f, err := query(c, "open")
	if err != nil {
		return err
	}
	x, err := s.payable(c)
	if x == nil {
		return err
	}
	if f.raw("open") != "" {
		page, ok := s.openPage(x.visit, x.Page, x.order)
		if !ok { // the link ended; the pay page has the button for a new one
			return s.see(c, "/pay/"+x.order.No)
		}
		return s.show(c, classCashier, http.StatusOK, views.OpenInWeChat(page))
	}
	switch x.shows(placeOf(c.Request)) {
	case wxpay.Native:
		return s.showPayCode(c, x)
	case wxpay.H5:
		return s.showPayLink(c, x)
	}
	page := views.PayPage{Page: x.Page, Order: x.order, Why: x.why()}
	if b := x.pay.Bridge; b != nil {
		page.Bridge = &views.Bridge{
			AppID: b.AppID, TimeStamp: b.TimeStamp, NonceStr: b.NonceStr,
			Package: b.Package, SignType: b.SignType, PaySign: b.PaySign,
		}
	}
	return s.show(c, classCashier, http.StatusOK, views.Pay(page))
}

// showPayCode is the page of the code.
func (s *Server) showPayCode(c *gin.Context, x *payable) error {
	page := views.CodePage{Page: x.Page, Order: x.order, Until: x.order.Deadline, Why: x.why()}
	if x.pay.CodeURL != "" {
		page.Code = "/pay/" + x.order.No + "/code.svg"
		if until := x.pay.Until; until.Before(page.Until) {
			page.Until = until
			s.refreshAt(c, until)
		}
	}
	return s.show(c, classCashier, http.StatusOK, views.PayByCode(page))
}

// showPayLink is the page of the link into WeChat. The link lives five minutes
// only: the page asks for itself again before it ends, and then has a button.
func (s *Server) showPayLink(c *gin.Context, x *payable) error {
	page := views.H5Page{Page: x.Page, Order: x.order, Why: x.why()}
	if x.pay.H5URL != "" {
		link, err := s.h5Link(x.pay.H5URL, x.order.No)
		if err != nil {
			return err
		}
		page.Link = link
		s.refreshAt(c, x.pay.Until)
	}
	return s.show(c, classCashier, http.StatusOK, views.PayByH5(page))
}

// refreshAt makes a browser ask for this page again when what it shows ends.
func (s *Server) refreshAt(c *gin.Context, end time.Time) {
	seconds := max(1, int((end.Sub(s.Now())+time.Second-1)/time.Second))
	c.Writer.Header().Set("Refresh", strconv.Itoa(seconds))
}

// h5Link adds to WeChat's link where the browser is to come back (WeChat Pay
// v2, H5: redirect_url). WeChat's answer was signed; it is looked at all the
// same because people will be sent there.
func (s *Server) h5Link(link, no string) (string, error) {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery == "" || u.Fragment != "" {
		return "", fmt.Errorf("link for H5 of %s is not a web address", no)
	}
	return link + "&redirect_url=" + url.QueryEscape(s.base.String()+"/pay/"+no+"/back"), nil
}

// showPayBack asks who comes back from WeChat what became of it. The question
// already polls.
func (s *Server) showPayBack(c *gin.Context) error {
	x, err := s.payable(c)
	if x == nil {
		return err
	}
	return s.show(c, classCashier, http.StatusOK, views.PayBack(views.OrderPage{Page: x.Page, Order: x.order}))
}

// askAfterPay is "I have paid": nobody is believed, WeChat is asked.
func (s *Server) askAfterPay(c *gin.Context) error {
	v, no, err := s.ownerPost(c)
	if v == nil {
		return err
	}
	if wait, ok := s.polls.allow(formatID(v.UserID)); !ok {
		return tooFast{wait}
	}
	st, err := s.Checkout.Status(c.Request.Context(), v.UserID, no)
	if err != nil {
		return err
	}
	if st.State == models.Unpaid {
		reason := views.NotSeen
		if st.Unsure {
			reason = views.Unknown
		}
		if err := s.flash(c, views.Wait, views.Say(s.lang(c), reason)); err != nil {
			return err
		}
	}
	return s.see(c, "/orders/"+no)
}

// showPayCodePicture is the code of NATIVE, for the owner of the order only.
func (s *Server) showPayCodePicture(c *gin.Context) error {
	no := c.Param("no")
	v, err := s.visit(c)
	if err != nil {
		return err
	}
	if v.UserID == 0 || !isOrderNo(no) {
		return models.ErrNotFound
	}
	pay, err := s.readPay(c.Request.Context(), v.UserID, no)
	if err != nil {
		return err
	}
	if pay.CodeURL == "" {
		return models.ErrNotFound
	}
	return s.sendCode(c, pay.CodeURL)
}
