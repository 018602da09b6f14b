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
	"wxshop/wxpay"
)

const (
	adminBillsPath = "/admin/reconcile"
	billRows       = 30               // days on one page
	diffRows       = 25               // differences of a kind on one page
	comparing      = 20 * time.Second // a person waits; longer bills are the job's
)

func (s *Server) showBills(c *gin.Context, d *duty) error {
	return s.billsPage(c, d, http.StatusOK, views.AdminBillsPage{})
}

// billsPage draws the list of days, again with a day that was not accepted.
func (s *Server) billsPage(c *gin.Context, d *duty, status int, p views.AdminBillsPage) error {
	q, err := query(c, "before")
	if err != nil {
		return err
	}
	before := q.raw("before")
	if before != "" {
		if _, err := checkout.ParseDay(before); err != nil {
			return errBadForm
		}
	}
	if p.Rows, err = s.Store.BillDays(c.Request.Context(), before, billRows); err != nil {
		return err
	}
	if len(p.Rows) == billRows {
		p.More = adminBillsPath + "?before=" + p.Rows[billRows-1].Day
	}
	if p.AdminPage, _, err = s.adminFrame(c, d, views.AdminMenuBills); err != nil {
		return err
	}
	return s.show(c, classStaff, status, views.AdminBills(p))
}

// dayOf is the day in the address.
func dayOf(c *gin.Context) (time.Time, string, error) {
	day, err := checkout.ParseDay(c.Param("day"))
	if err != nil {
		return day, "", models.ErrNotFound
	}
	return day, checkout.DayName(day), nil
}

func (s *Server) showBill(c *gin.Context, d *duty) error {
	return s.billPage(c, d, http.StatusOK, views.AdminBillPage{})
}

// billPage draws one day, again with a note that was not accepted.
func (s *Server) billPage(c *gin.Context, d *duty, status int, p views.AdminBillPage) error {
	_, day, err := dayOf(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	known, err := s.Store.BillDay(ctx, day)
	if err != nil {
		return err
	}
	p.Day, p.Limit = *known, s.refundLimit(d)
	if p.Counts, err = s.Store.CountDifferences(ctx, day); err != nil {
		return err
	}
	for _, x := range p.Counts {
		if err := s.addDifferences(ctx, &p, x); err != nil {
			return err
		}
	}
	if p.AdminPage, _, err = s.adminFrame(c, d, views.AdminMenuBills); err != nil {
		return err
	}
	return s.show(c, classStaff, status, views.AdminBill(p))
}

// addDifferences puts those of one kind and state on the page.
func (s *Server) addDifferences(ctx context.Context, p *views.AdminBillPage, x models.DiffCount) error {
	closed := x.State != models.DiffOpen
	if closed && hasKind(p.Closed, x.Kind) { // explained and resolved come together
		return nil
	}
	ds, err := s.Store.Differences(ctx, p.Day.Day, x.Kind, closed, 0, diffRows)
	if err != nil {
		return err
	}
	rows := make([]views.AdminDiff, len(ds))
	for i := range ds {
		rows[i].BillDifference = ds[i]
		if ds[i].OrderID == 0 {
			continue
		}
		o, err := s.Store.OrderByID(ctx, ds[i].OrderID)
		if err != nil && !errors.Is(err, models.ErrNotFound) {
			return err
		}
		if o != nil {
			rows[i].OrderNo = o.No
		}
	}
	if closed {
		p.Closed = append(p.Closed, rows...)
		return nil
	}
	p.Open = append(p.Open, rows...)
	p.Left += x.N - int64(len(rows))
	return nil
}

func hasKind(ds []views.AdminDiff, k models.DiffKind) bool {
	for i := range ds {
		if ds[i].Kind == k {
			return true
		}
	}
	return false
}

// pickBill compares the day that somebody chose in the list.
func (s *Server) pickBill(c *gin.Context, d *duty) error {
	f, err := readForm(c, "day")
	if err != nil {
		return err
	}
	day, err := checkout.ParseDay(f.raw("day"))
	if err != nil || day.After(s.Now()) {
		return s.billsPage(c, d, http.StatusUnprocessableEntity, views.AdminBillsPage{Problem: views.AdminBillDay})
	}
	return s.compareBill(c, d, day)
}

// againBill compares a day once more.
func (s *Server) againBill(c *gin.Context, d *duty) error {
	if _, err := readForm(c); err != nil {
		return err
	}
	day, _, err := dayOf(c)
	if err != nil {
		return err
	}
	return s.compareBill(c, d, day)
}

func (s *Server) compareBill(c *gin.Context, d *duty, day time.Time) error {
	ctx, cancel := context.WithTimeout(c.Request.Context(), comparing)
	defer cancel()
	name := checkout.DayName(day)
	to := views.AdminBillPath(name)
	_, err := s.Checkout.Reconcile(ctx, day)
	switch {
	case errors.Is(err, checkout.ErrBillWaits):
		return s.done(c, d, to, views.Wait, views.AdminSaidBillWaits)
	case errors.Is(err, checkout.ErrBillGone):
		return s.done(c, d, adminBillsPath, views.Wait, views.AdminSaidBillGone)
	case errors.Is(err, checkout.ErrBillBusy):
		return s.done(c, d, adminBillsPath, views.Wait, views.AdminSaidBillBusy)
	case err != nil:
		s.Log.Warn("bill not compared", "op", "reconcile", "to", name, "user", d.Name, "err", err)
		return s.done(c, d, adminBillsPath, views.Bad, views.AdminSaidBillFailed)
	}
	counts, err := s.Store.CountDifferences(c.Request.Context(), name)
	if err != nil {
		return err
	}
	var open int64
	for _, x := range counts {
		if x.State == models.DiffOpen {
			open += x.N
		}
	}
	if open > 0 {
		return s.done(c, d, to, views.Bad, views.AdminSaidBillDiffer, name, open)
	}
	return s.done(c, d, to, views.OK, views.AdminSaidBillAgrees, name)
}

// difference reads the form of an action on a difference, and which it is.
func (s *Server) difference(c *gin.Context) (*models.BillDifference, *form, error) {
	f, err := readForm(c, "note")
	if err != nil {
		return nil, nil, err
	}
	_, day, err := dayOf(c)
	if err != nil {
		return nil, nil, err
	}
	id, err := cursor(c.Param("id"))
	if err != nil || id == 0 {
		return nil, nil, models.ErrNotFound
	}
	x, err := s.Store.Difference(c.Request.Context(), id)
	if err == nil && x.Day != day {
		err = models.ErrNotFound
	}
	return x, f, err
}

// askDifference asks WeChat; what it says is settled through the one door.
func (s *Server) askDifference(c *gin.Context, d *duty) error {
	x, _, err := s.difference(c)
	if err != nil {
		return err
	}
	to := views.AdminBillPath(x.Day)
	m, err := s.Checkout.AskDifference(c.Request.Context(), x.ID, d.actor())
	if err != nil {
		return s.notMended(c, d, x, err)
	}
	if m.Resolved {
		return s.done(c, d, to, views.OK, views.AdminSaidMended)
	}
	saying, ok := stillThere[m.Found]
	if !ok {
		saying = views.AdminSaidStillBack
	}
	return s.done(c, d, to, views.Wait, saying)
}

// stillThere is what WeChat said while a difference stays.
var stillThere = map[checkout.Finding]views.AdminSaying{
	checkout.FoundPaid: views.AdminSaidStillPaid, checkout.FoundMisfit: views.AdminSaidStillPaid, checkout.FoundOpen: views.AdminSaidStillOpen,
	checkout.FoundDead: views.AdminSaidStillDead, checkout.FoundMissing: views.AdminSaidStillNone,
}

// notMended tells apart what WeChat left open, what it refused, and what is
// wrong with us.
func (s *Server) notMended(c *gin.Context, d *duty, x *models.BillDifference, err error) error {
	_, fromWeChat := errors.AsType[*wxpay.Error](err)
	if !fromWeChat || errors.Is(err, models.ErrStale) {
		return err
	}
	s.Log.Warn("difference not mended", "user", d.Name, "op", "reconcile", "txn", x.TransactionID, "err", err)
	if wxpay.IsUnknown(err) {
		return s.done(c, d, views.AdminBillPath(x.Day), views.Wait, views.AdminSaidNoAnswer)
	}
	return s.done(c, d, views.AdminBillPath(x.Day), views.Bad, views.AdminSaidStillNone)
}

// explainDifference closes one with a note.
func (s *Server) explainDifference(c *gin.Context, d *duty) error {
	x, f, err := s.difference(c)
	if err != nil {
		return err
	}
	text, problem := noteOf(f)
	if problem != "" {
		return s.billPage(c, d, http.StatusUnprocessableEntity, views.AdminBillPage{At: x.ID, Note: f.raw("note"), Problem: problem})
	}
	if err := s.Store.ExplainDifference(c.Request.Context(), x.ID, d.actor(), text); err != nil {
		return err
	}
	s.Log.Info("difference explained", "user", d.Name, "op", "explain", "txn", x.TransactionID, "cause", string(x.Kind))
	return s.done(c, d, views.AdminBillPath(x.Day), views.OK, views.AdminSaidExplainIt)
}

// refundDifference settles money that only the bill has, and gives it back.
func (s *Server) refundDifference(c *gin.Context, d *duty) error {
	x, f, err := s.difference(c)
	if err != nil {
		return err
	}
	if s.overLimit(d, "", x.Theirs) {
		return errNotAllowed
	}
	text, problem := noteOf(f)
	if problem == "" && len(text) > reasonBytes {
		problem = views.AdminRefundReason
	}
	if problem != "" {
		return s.billPage(c, d, http.StatusUnprocessableEntity, views.AdminBillPage{At: x.ID, Note: f.raw("note"), Problem: problem})
	}
	var limit models.Fen
	if l := s.refundLimit(d); l != nil {
		limit = *l
	}
	r, err := s.Checkout.RefundDifference(c.Request.Context(), x.ID, d.actor(), text, limit)
	switch {
	case errors.Is(err, checkout.ErrOverLimit):
		return errNotAllowed
	case errors.Is(err, models.ErrBadMove) && checkout.Refundable(x.Kind):
		return s.done(c, d, views.AdminBillPath(x.Day), views.Wait, views.AdminSaidNoPayment)
	case err != nil:
		return s.notMended(c, d, x, err)
	}
	return s.refunded(c, d, views.AdminBillPath(x.Day), r)
}
