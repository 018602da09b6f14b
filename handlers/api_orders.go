package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"wxshop/checkout"
	"wxshop/models"
	"wxshop/views"
	"wxshop/wxpay"
)

// orderCall is POST …/orders. The same token is the same order. Prices are
// ours; expected_total only refuses when the caller showed another sum.
type orderCall struct {
	Lines []struct {
		SKU string `json:"sku"`
		Qty int64  `json:"qty"`
	} `json:"lines"`
	Token    string `json:"token"`
	Expected int64  `json:"expected_total"` // fen
	Name     string `json:"name"`
	Phone    string `json:"phone"`
	Province string `json:"province"`
	City     string `json:"city"`
	District string `json:"district"`
	Detail   string `json:"detail"`
	Note     string `json:"note"`
}

// form is the address as the form of the website would send it: one set of
// rules for both.
func (o *orderCall) form() *form {
	return &form{url.Values{
		string(views.FieldName): {o.Name}, string(views.FieldPhone): {o.Phone}, string(views.FieldProvince): {o.Province},
		string(views.FieldCity): {o.City}, string(views.FieldDistrict): {o.District}, string(views.FieldDetail): {o.Detail},
		string(views.FieldNote): {o.Note},
	}}
}

// Answers of the API. Money is fen; times are UTC (RFC 3339), "" is not yet.
type (
	apiOrder struct {
		No          string      `json:"no"`
		State       string      `json:"state"` // as in …/status
		Title       string      `json:"title"`
		Message     string      `json:"message"`
		Total       int64       `json:"total"`
		GoodsTotal  int64       `json:"goods_total"`
		DeliveryFee int64       `json:"delivery_fee"`
		Refunded    int64       `json:"refunded"`
		Refunding   int64       `json:"refunding"`
		Items       []apiItem   `json:"items"`
		Receiver    apiReceiver `json:"receiver"`
		Note        string      `json:"note"`
		CreatedAt   string      `json:"created_at"`
		ExpiresAt   string      `json:"expires_at"` // to pay
		PaidAt      string      `json:"paid_at"`
		ShippedAt   string      `json:"shipped_at"`
		Carrier     string      `json:"carrier"`
		TrackingNo  string      `json:"tracking_no"`
	}
	apiItem struct {
		Slug     string `json:"slug"`
		Name     string `json:"name"`
		Option   string `json:"option"`
		Picture  string `json:"picture"` // absolute address
		Price    int64  `json:"price"`   // of one
		Qty      int64  `json:"qty"`
		Refunded int64  `json:"refunded"` // pieces
	}
	apiReceiver struct {
		Name     string `json:"name"`
		Phone    string `json:"phone"`
		Province string `json:"province"`
		City     string `json:"city"`
		District string `json:"district"`
		Detail   string `json:"detail"`
	}
)

// apiOrderOf says an order in JSON.
func (s *Server) apiOrderOf(c *gin.Context, x *views.Order) apiOrder {
	p := s.bareFrame(c)
	said := views.StateOf(&p, x)
	o := apiOrder{
		No: x.No, State: said.Key, Title: said.Title, Message: said.Message,
		Total: int64(x.Total), GoodsTotal: int64(x.GoodsTotal), DeliveryFee: int64(x.DeliveryFee), Refunded: int64(x.Refunded),
		Items:    []apiItem{},
		Receiver: apiReceiver{x.To.Name, x.To.Phone, x.To.Province, x.To.City, x.To.District, x.To.Street}, Note: x.Note,
		CreatedAt: stamp(x.CreatedAt), ExpiresAt: stamp(x.Deadline), PaidAt: stamp(x.PaidAt), ShippedAt: stamp(x.ShippedAt),
		Carrier: x.Carrier, TrackingNo: x.TrackingNo,
	}
	for _, i := range x.Items {
		o.Items = append(o.Items, apiItem{i.Slug, i.Name, i.Option, s.base.String() + i.Picture, int64(i.Price), i.Qty, i.Refunded})
	}
	for _, r := range x.Refunds {
		if r.State != models.RefundSucceeded && r.State != models.RefundClosed {
			o.Refunding += int64(r.Amount)
		}
	}
	return o
}

// stamp is a time for programs.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// apiPlace turns a call into an order, once per token.
func (s *Server) apiPlace(c *gin.Context, by *caller) error {
	var in orderCall
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if !isCallToken(in.Token) || in.Expected <= 0 || len(in.Lines) == 0 {
		return errBadForm
	}
	if wait, ok := s.admitted.allow(s.orders, formatID(by.user.ID), in.Token); !ok {
		return tooFast{wait}
	}
	lines, err := s.linesOf(c, &in)
	if err != nil {
		return err
	}
	to, note, problems := address(in.form())
	if len(problems) > 0 {
		return &addressError{problems}
	}
	q := checkout.PlaceRequest{
		User: by.user, FormToken: in.Token, Lines: lines, Receiver: to, Note: note, Expected: models.Fen(in.Expected),
		ClientIP: c.ClientIP(), Source: by.source,
	}
	if by.channel == wxpay.JSAPI { // the mini program pays at once; an app says the payer's address first
		q.Channel = by.channel
	}
	placed, err := s.Checkout.Place(c.Request.Context(), q)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if placed.Repeated {
		status = http.StatusOK
	}
	return s.sendOrder(c, by, status, placed.Order.No)
}

// isCallToken: what a program calls one order by, so that a repeated call is
// the same order.
func isCallToken(s string) bool { return len(s) >= 16 && isCode(s) }

// linesOf finds the goods of a call by their codes.
func (s *Server) linesOf(c *gin.Context, in *orderCall) ([]models.Line, error) {
	g, err := s.goods(c.Request.Context())
	if err != nil {
		return nil, err
	}
	ids := map[string]int64{}
	for i := range g.products {
		for _, k := range g.products[i].SKUs {
			ids[k.Code] = k.ID
		}
	}
	var lines []models.Line
	for _, l := range in.Lines {
		id, ok := ids[l.SKU]
		if !ok {
			return nil, fmt.Errorf("sku %.20q: %w", l.SKU, errNotSold)
		}
		lines = append(lines, models.Line{SKUID: id, Qty: l.Qty})
	}
	return lines, nil
}

// sendOrder answers with an order of the caller.
func (s *Server) sendOrder(c *gin.Context, by *caller, status int, no string) error {
	x, err := s.ownOrder(c.Request.Context(), s.lang(c), by.user.ID, no)
	if err != nil {
		return err
	}
	return s.json(c, status, s.apiOrderOf(c, &x))
}

// apiOrder is one order of the caller; anybody else's does not exist.
func (s *Server) apiOrder(c *gin.Context, by *caller) error {
	return s.sendOrder(c, by, http.StatusOK, c.Param("no"))
}

// apiOrders lists the caller's orders, the newest first, page by page.
func (s *Server) apiOrders(c *gin.Context, by *caller) error {
	f, err := query(c, "before")
	if err != nil {
		return err
	}
	before := int64(0)
	if raw := f.raw("before"); raw != "" {
		if before, err = parseID(raw); err != nil {
			return err
		}
	}
	out := struct {
		Orders []apiOrder `json:"orders"`
		Before string     `json:"before,omitempty"` // for the next page
	}{Orders: []apiOrder{}}
	if by.user.ID == 0 {
		return s.json(c, http.StatusOK, out)
	}
	rows, err := s.Store.Orders(c.Request.Context(), by.user.ID, "", before, ordersPerPage+1)
	if err != nil {
		return err
	}
	if len(rows) > ordersPerPage {
		rows = rows[:ordersPerPage]
		out.Before = formatID(rows[ordersPerPage-1].ID)
	}
	for i := range rows {
		x, err := s.ownOrder(c.Request.Context(), s.lang(c), by.user.ID, rows[i].No)
		if err != nil {
			return err
		}
		out.Orders = append(out.Orders, s.apiOrderOf(c, &x))
	}
	return s.json(c, http.StatusOK, out)
}

// apiStatus is the poll of a program: as that of the pages.
func (s *Server) apiStatus(c *gin.Context, by *caller) error {
	no := c.Param("no")
	if by.user.ID == 0 || !isOrderNo(no) {
		return models.ErrNotFound
	}
	return s.sendStatus(c, by.user.ID, no)
}

// apiCancel closes an unpaid order, at WeChat first. One that was paid
// meanwhile is shown as it is.
func (s *Server) apiCancel(c *gin.Context, by *caller) error {
	no := c.Param("no")
	if err := readMaybeJSON(c, &struct{}{}); err != nil {
		return err
	}
	if by.user.ID == 0 || !isOrderNo(no) {
		return models.ErrNotFound
	}
	if wait, ok := s.pays.allow(formatID(by.user.ID)); !ok {
		return tooFast{wait}
	}
	if err := s.Checkout.Cancel(c.Request.Context(), by.user.ID, no); err != nil {
		return err
	}
	return s.sendOrder(c, by, http.StatusOK, no)
}
