package handlers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"wxshop/checkout"
	"wxshop/models"
	"wxshop/views"
	"wxshop/wxpay"
)

const (
	deskSales = 20 // of today, in the list
	deskGoods = 3  // to tap instead of typing an amount
)

func (s *Server) showDesk(c *gin.Context, d *duty) error {
	q, err := query(c, "amount", "by")
	if err != nil {
		return err
	}
	p := views.AdminDeskPage{Face: q.raw("by") == "face", Token: rand.Text()}
	if !s.Checkout.HasCashDesk() {
		p.Problem = views.AdminDeskAPI
	}
	if fen, err := models.ParseFen(q.raw("amount")); err == nil && fen > 0 {
		p.Amount = fen.String()
	}
	return s.deskPage(c, d, http.StatusOK, p)
}

// deskPage draws the desk. A code is never drawn again: it is good once.
func (s *Server) deskPage(c *gin.Context, d *duty, status int, p views.AdminDeskPage) error {
	var err error
	if p.AdminPage, _, err = s.adminFrame(c, d, views.AdminMenuDesk); err != nil {
		return err
	}
	p.Script = true
	if p.AdminDeskToday, err = s.deskToday(c.Request.Context()); err != nil {
		return err
	}
	goods, err := s.Store.Products(c.Request.Context(), models.Find{})
	if err != nil {
		return err
	}
	for i := range goods {
		if len(goods[i].SKUs) > 0 && len(p.Goods) < deskGoods {
			p.Goods = append(p.Goods, views.AdminDeskGood{Name: pick(p.Lang, goods[i].NameZH, goods[i].NameEN), Price: goods[i].SKUs[0].Price})
		}
	}
	return s.show(c, classStaff, status, views.AdminDesk(p))
}

// deskToday is what all desks took since midnight in Beijing.
func (s *Server) deskToday(ctx context.Context) (views.AdminDeskToday, error) {
	since := dayStart(s.Now())
	sales, err := s.Store.Sales(ctx, since, deskSales)
	if err != nil {
		return views.AdminDeskToday{}, err
	}
	sum, err := s.Store.SalesSum(ctx, since)
	return views.AdminDeskToday{Sales: sales, Sum: sum}, err
}

// dayStart is midnight in Beijing, where the shop's days begin.
func dayStart(t time.Time) time.Time {
	beijing := time.FixedZone("CST", 8*3600)
	y, m, d := t.In(beijing).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, beijing)
}

// sell charges a code. What was sold stands whatever WeChat said, so the
// answer is always the page of the sale.
func (s *Server) sell(c *gin.Context, d *duty) error {
	f, err := readForm(c, "amount", "code", "openid", "face", "token")
	if err != nil {
		return err
	}
	q, problem := readSale(f)
	if problem != "" {
		return s.deskAgain(c, d, f, http.StatusUnprocessableEntity, problem)
	}
	if q.Token, err = f.code("token", isToken); err != nil {
		return err
	}
	q.StaffID, q.ClientIP = d.ID, c.ClientIP()
	o, err := s.Checkout.Sell(c.Request.Context(), q)
	switch {
	case errors.Is(err, checkout.ErrNoPaymentCode):
		return s.deskAgain(c, d, f, http.StatusUnprocessableEntity, views.AdminDeskCode)
	case errors.Is(err, checkout.ErrNoCashDesk):
		return s.deskAgain(c, d, f, http.StatusConflict, views.AdminDeskAPI)
	case o == nil:
		return err
	case err != nil:
		s.Log.Error("sale not settled yet", "order", o.No, "user", d.Name, "op", "sell", "err", err)
	}
	same, err := s.sameSale(c, o, q)
	if err != nil {
		return err
	}
	if !same {
		s.Log.Warn("sale form used twice", "order", o.No, "user", d.Name, "op", "sell")
		return s.deskAgain(c, d, f, http.StatusConflict, views.AdminDeskUsed)
	}
	return s.see(c, adminSale(o.No))
}

func adminSale(no string) string { return adminDeskPath + "/" + no }

// sameSale tells a scanner that fires twice from an old form with the code of
// the next person, who would be shown somebody else's payment.
func (s *Server) sameSale(c *gin.Context, o *models.Order, q checkout.SaleRequest) (bool, error) {
	ps, err := s.Store.Payments(c.Request.Context(), o.ID)
	if err != nil || len(ps) == 0 {
		return false, err
	}
	sameCode := q.Face && ps[0].OpenID == q.OpenID || !q.Face && strings.HasSuffix(q.Code, ps[0].CodeTail)
	return o.Total == q.Amount && sameCode, nil
}

// readSale reads what was scanned, without the spaces that people type.
func readSale(f *form) (checkout.SaleRequest, views.AdminProblem) {
	q := checkout.SaleRequest{Face: f.has("face"), Code: strings.Join(strings.Fields(f.raw("code")), "")}
	var err error
	if q.Amount, err = models.ParseFen(f.raw("amount")); err != nil || q.Amount <= 0 || q.Amount > maxSale {
		return q, views.AdminDeskAmount
	}
	if !q.Face {
		if len(q.Code) != 18 || !all(q.Code, isDigit) {
			return q, views.AdminDeskCode
		}
		return q, ""
	}
	q.OpenID = strings.TrimSpace(f.raw("openid"))
	switch {
	case !isFaceWord(q.OpenID):
		return q, views.AdminDeskOpenID
	case !isFaceWord(q.Code):
		return q, views.AdminDeskFace
	}
	return q, ""
}

// maxSale is the most that one scan may take: 100,000.00 yuan.
const maxSale models.Fen = 100_000_00

// isFaceWord: an openid or a face code, printable and at most 128 long.
func isFaceWord(s string) bool {
	return s != "" && len(s) <= 128 && all(s, func(b byte) bool { return b > ' ' && b < 0x7f })
}

// deskAgain shows the form with the amount that was typed. A form that was
// used gets a fresh token, every other keeps its own.
func (s *Server) deskAgain(c *gin.Context, d *duty, f *form, status int, problem views.AdminProblem) error {
	p := views.AdminDeskPage{Face: f.has("face"), OpenID: f.raw("openid"), Amount: f.raw("amount"), Token: f.raw("token"), Problem: problem}
	if problem == views.AdminDeskUsed || !isToken(p.Token) {
		p.Token = rand.Text()
	}
	return s.deskPage(c, d, status, p)
}

// sale is an order of the cash desk with its attempt; of any other order it
// knows nothing.
func (s *Server) sale(c *gin.Context) (*models.Sale, error) {
	no := c.Param("no")
	if !isOrderNo(no) {
		return nil, models.ErrNotFound
	}
	o, err := s.Store.AnyOrder(c.Request.Context(), no)
	if err != nil {
		return nil, err
	}
	if o.Source != models.FromCounter {
		return nil, models.ErrNotFound
	}
	ps, err := s.Store.Payments(c.Request.Context(), o.ID)
	if err != nil {
		return nil, err
	}
	if len(ps) == 0 {
		return nil, fmt.Errorf("sale %s has no attempt", no)
	}
	return &models.Sale{Order: *o, Payment: ps[len(ps)-1]}, nil
}

func (s *Server) showSale(c *gin.Context, d *duty) error {
	sale, err := s.sale(c)
	if err != nil {
		return err
	}
	if odd, err := s.misfits(c, sale); err != nil || odd {
		if err != nil {
			return err
		}
		return s.see(c, adminOrder(sale.Order.No)) // "no money came" would be wrong
	}
	p := views.AdminSalePage{Sale: *sale}
	if p.AdminPage, _, err = s.adminFrame(c, d, views.AdminMenuDesk); err != nil {
		return err
	}
	state := views.AdminSaleStateOf(sale)
	p.Script = true
	p.Live = state == views.AdminSaleWaiting || state == views.AdminSaleReversing
	if p.AdminDeskToday, err = s.deskToday(c.Request.Context()); err != nil {
		return err
	}
	return s.show(c, classStaff, http.StatusOK, views.AdminSale(p))
}

// misfits reports a sale that ended because what came does not fit it.
func (s *Server) misfits(c *gin.Context, sale *models.Sale) (bool, error) {
	if views.AdminSaleStateOf(sale) != views.AdminSaleReversed {
		return false, nil
	}
	file, err := s.Store.Dossier(c.Request.Context(), sale.Order.No)
	return err == nil && openMisfit(file.Misfits), err
}

// saleStatus is the waiting page's question: it takes the sale a step on when
// one is due, as the loop would, and says where it stands.
func (s *Server) saleStatus(c *gin.Context, d *duty) error {
	if _, err := readForm(c); err != nil {
		return err
	}
	sale, err := s.sale(c)
	if err != nil {
		return err
	}
	if err := s.Checkout.Attend(c.Request.Context(), sale.Order.No); err != nil {
		s.Log.Warn("sale not looked after", "order", sale.Order.No, "user", d.Name, "op", "attend", "err", err)
	}
	if sale, err = s.sale(c); err != nil {
		return err
	}
	p := views.AdminSalePage{AdminPage: s.bareAdminFrame(c), Sale: *sale}
	return s.json(c, http.StatusOK, struct {
		State views.AdminSaleState `json:"state"`
		Asked string               `json:"asked"`
	}{views.AdminSaleStateOf(sale), p.Asked()})
}

// reverseSale takes a sale back at once. Where that ended, or that it has not,
// is for the page to say.
func (s *Server) reverseSale(c *gin.Context, d *duty) error {
	if _, err := readForm(c); err != nil {
		return err
	}
	sale, err := s.sale(c)
	if err != nil {
		return err
	}
	no := sale.Order.No
	err = s.Checkout.Reverse(c.Request.Context(), no, d.actor())
	_, fromWeChat := errors.AsType[*wxpay.Error](err)
	if err != nil && !fromWeChat && !errors.Is(err, models.ErrBadMove) && views.AdminSaleStateOf(sale) == views.AdminSaleWaiting {
		if after, again := s.sale(c); again != nil || views.AdminSaleStateOf(after) == views.AdminSaleWaiting {
			return err // it is not even marked
		}
	}
	if err != nil {
		s.Log.Warn("sale not taken back yet", "order", no, "user", d.Name, "op", "reverse", "err", err)
	}
	return s.see(c, adminSale(no))
}
