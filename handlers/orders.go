package handlers

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"wxshop/models"
	"wxshop/static"
	"wxshop/views"
)

// ordersPerPage is how many orders a page shows.
const ordersPerPage = 20

// brief is an order as its row tells it, for pages that need no history.
func brief(l views.Lang, o *models.Order) views.Order {
	x := views.Order{
		No: o.No, State: o.State, CloseReason: o.CloseReason, Revived: o.Revived,
		GoodsTotal: o.GoodsTotal, DeliveryFee: o.DeliveryFee, Total: o.Total, To: o.Receiver, Note: o.Note,
		Deadline: o.ExpiresAt.Time, CreatedAt: o.CreatedAt.Time, PaidAt: o.PaidAt.Time,
		ShippedAt: o.ShippedAt.Time, DoneAt: o.DoneAt.Time, Carrier: o.Carrier, TrackingNo: o.TrackingNo,
	}
	for i := range o.Items {
		it := &o.Items[i]
		pic := it.Picture
		if pic == "" {
			pic = "logo.svg"
		}
		x.Items = append(x.Items, views.Item{
			Slug: it.Slug, Name: pick(l, it.NameZH, it.NameEN), Option: pick(l, it.OptionZH, it.OptionEN),
			Picture: static.URL(pic), Price: it.Price, Qty: it.Qty,
		})
	}
	return x
}

// told adds to an order what its short status says about the money.
func told(x *views.Order, st *models.Status) {
	x.ToCheck = st.Misfit
	if st.Refunding == 0 {
		return
	}
	if st.State == models.Closed {
		x.Late = true
		x.Refund = views.Refund{State: models.RefundPending, Amount: st.Refunding}
		return
	}
	x.Extra = st.Refunding
}

// ownOrder is an order of a user with everything that decides what they read.
func (s *Server) ownOrder(ctx context.Context, l views.Lang, user int64, no string) (views.Order, error) {
	if user == 0 || !isOrderNo(no) {
		return views.Order{}, models.ErrNotFound
	}
	o, err := s.Store.Order(ctx, user, no)
	if err != nil {
		return views.Order{}, err
	}
	st, err := s.Store.Status(ctx, user, no)
	if err != nil {
		return views.Order{}, err
	}
	x := brief(l, o)
	told(&x, st)
	if err := s.refunds(ctx, &x, o); err != nil {
		return views.Order{}, err
	}
	attempts, err := s.Store.Payments(ctx, o.ID)
	if err != nil {
		return views.Order{}, err
	}
	for i := range attempts {
		a := &attempts[i]
		x.Attempt = a.State
		x.Checking = unknown(a)
		if a.State == models.PayPaid && a.TransactionID != nil && x.TransactionID == "" {
			x.TransactionID = *a.TransactionID
		}
	}
	return x, nil
}

// unknown reports an attempt that the payer had in hand and that WeChat has not
// told us about: it may be paid. Before there is a prepay id nobody can pay.
func unknown(p *models.Payment) bool { return p.State == models.PayPrepaid && p.LastError != "" }

// showOrder is one order, in any state.
func (s *Server) showOrder(c *gin.Context) error {
	page, err := s.orderPage(c)
	if page == nil {
		return err
	}
	return s.show(c, classCashier, http.StatusOK, views.OrderDetail(*page))
}

// showCancel asks before an order is cancelled.
func (s *Server) showCancel(c *gin.Context) error {
	page, err := s.orderPage(c)
	if page == nil {
		return err
	}
	if page.Order.State != models.Unpaid {
		return s.see(c, "/orders/"+page.Order.No)
	}
	return s.show(c, classCashier, http.StatusOK, views.ConfirmCancel(*page))
}

// orderPage reads the order of the address; nil when the answer is sent or
// cannot be given.
func (s *Server) orderPage(c *gin.Context) (*views.OrderPage, error) {
	v, err := s.requireUser(c)
	if v == nil {
		return nil, err
	}
	o, err := s.ownOrder(c.Request.Context(), s.lang(c), v.UserID, c.Param("no"))
	if err != nil {
		return nil, err
	}
	p, err := s.frame(c)
	if err != nil {
		return nil, err
	}
	return &views.OrderPage{Page: p, Order: o}, nil
}

// ownerPost reads a form without fields about an order of the visitor. The
// visit is nil when the answer is sent or cannot be given.
func (s *Server) ownerPost(c *gin.Context) (*visit, string, error) {
	if _, err := readForm(c); err != nil {
		return nil, "", err
	}
	no := c.Param("no")
	if !isOrderNo(no) {
		return nil, "", models.ErrNotFound
	}
	v, err := s.visit(c)
	if err != nil {
		return nil, "", err
	}
	if placeOf(c.Request).inWeChat() && !v.SignedIn {
		return nil, "", s.see(c, "/orders/"+no)
	}
	if v.UserID == 0 {
		return nil, "", models.ErrNotFound
	}
	return v, no, nil
}

// cancelOrder asks checkout to close an unpaid order, at WeChat first.
func (s *Server) cancelOrder(c *gin.Context) error {
	v, no, err := s.ownerPost(c)
	if v == nil {
		return err
	}
	err = s.Checkout.Cancel(c.Request.Context(), v.UserID, no)
	return s.afterOrderPost(c, no, err, views.OrderEnded)
}

// confirmOrder says that the parcel came.
func (s *Server) confirmOrder(c *gin.Context) error {
	v, no, err := s.ownerPost(c)
	if v == nil {
		return err
	}
	err = s.Checkout.Confirm(c.Request.Context(), v.UserID, no)
	return s.afterOrderPost(c, no, err, views.Received)
}

// afterOrderPost leads back to the order with what came of it. An order that
// was in another state already shows that state; WeChat's silence is told as
// what it is.
func (s *Server) afterOrderPost(c *gin.Context, no string, err error, done views.Reason) error {
	tint, reason := views.OK, done
	switch v := judge(err); {
	case err == nil:
	case errors.Is(err, models.ErrNotFound):
		return err
	case v.status == http.StatusConflict:
		tint, reason = views.Wait, v.reason
	case v.status == http.StatusAccepted, v.status == http.StatusBadGateway:
		s.Log.Warn("order action not finished", "order", no, "op", c.FullPath(), "err", err)
		tint, reason = views.Wait, views.Unknown
	default:
		return err
	}
	if err := s.flash(c, tint, views.Say(s.lang(c), reason)); err != nil {
		return err
	}
	return s.see(c, "/orders/"+no)
}

// orderAgain puts the goods of an old order into the cart.
func (s *Server) orderAgain(c *gin.Context) error {
	v, no, err := s.ownerPost(c)
	if v == nil {
		return err
	}
	if _, err := s.Checkout.Again(c.Request.Context(), v.UserID, no); err != nil {
		return err
	}
	if err := s.flash(c, views.OK, views.Say(s.lang(c), views.AddedAgain)); err != nil {
		return err
	}
	return s.see(c, "/cart")
}

// tabStates are the tabs that are a state.
var tabStates = map[views.Tab]models.State{
	views.TabAll: "", views.TabUnpaid: models.Unpaid, views.TabPaid: models.Paid, views.TabShipped: models.Shipped,
}

// showOrders lists the visitor's orders, what waits for them on top.
func (s *Server) showOrders(c *gin.Context) error {
	f, err := query(c, "s", "before")
	if err != nil {
		return err
	}
	v, err := s.requireUser(c)
	if v == nil {
		return err
	}
	before := int64(0)
	if raw := f.raw("before"); raw != "" {
		if before, err = parseID(raw); err != nil {
			return err
		}
	}
	p, err := s.frame(c)
	if err != nil {
		return err
	}
	page := views.OrdersPage{Page: p, Tab: views.Tab(f.raw("s"))}
	if _, ok := tabStates[page.Tab]; !ok && page.Tab != views.TabRefund {
		return errNoPage
	}
	if v.UserID != 0 {
		if err := s.fillOrders(c.Request.Context(), &page, v.UserID, before); err != nil {
			return err
		}
	}
	return s.show(c, classPage, http.StatusOK, views.Orders(page))
}

func (s *Server) fillOrders(ctx context.Context, page *views.OrdersPage, user, before int64) error {
	counts, err := s.counts(ctx, user)
	if err != nil {
		return err
	}
	page.Counts = counts
	rows, err := s.Store.Orders(ctx, user, tabStates[page.Tab], before, ordersPerPage+1)
	if err != nil {
		return err
	}
	if len(rows) > ordersPerPage {
		rows = rows[:ordersPerPage]
		page.Older = "/orders?s=" + string(page.Tab) + "&before=" + formatID(rows[ordersPerPage-1].ID)
	}
	for i := range rows {
		x := brief(page.Lang, &rows[i])
		st, err := s.Store.Status(ctx, user, x.No)
		if err != nil {
			return err
		}
		told(&x, st)
		if err := s.refunds(ctx, &x, &rows[i]); err != nil {
			return err
		}
		if page.Tab != views.TabRefund || len(x.Refunds) > 0 {
			page.Orders = append(page.Orders, x)
		}
	}
	slices.SortStableFunc(page.Orders, func(a, b views.Order) int { return waits(b) - waits(a) })
	return nil
}

// waits is 1 for an order that needs its owner.
func waits(o views.Order) int {
	if o.State == models.Unpaid {
		return 1
	}
	return 0
}

func (s *Server) counts(ctx context.Context, user int64) (views.Counts, error) {
	n, err := s.Store.OrderCounts(ctx, user)
	if err != nil {
		return views.Counts{}, err
	}
	x := views.Counts{Unpaid: n[models.Unpaid], Paid: n[models.Paid], Shipped: n[models.Shipped]}
	for _, k := range n {
		x.All += k
	}
	return x, nil
}

// showMe is the shopper's own corner.
func (s *Server) showMe(c *gin.Context) error {
	v, err := s.requireUser(c)
	if v == nil {
		return err
	}
	p, err := s.frame(c)
	if err != nil {
		return err
	}
	page := views.MePage{Page: p}
	if v.UserID == 0 {
		return s.show(c, classPage, http.StatusOK, views.Me(page))
	}
	ctx := c.Request.Context()
	if page.Counts, err = s.counts(ctx, v.UserID); err != nil {
		return err
	}
	open, err := s.Store.Orders(ctx, v.UserID, models.Unpaid, 0, 1)
	if err != nil {
		return err
	}
	if len(open) > 0 && s.Now().Before(open[0].ExpiresAt.Time) {
		o := brief(p.Lang, &open[0])
		page.Pending = &o
	}
	return s.show(c, classPage, http.StatusOK, views.Me(page))
}
