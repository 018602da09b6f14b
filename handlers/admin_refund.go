package handlers

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"wxshop/checkout"
	"wxshop/models"
	"wxshop/views"
)

// reasonBytes is how much of a reason WeChat shows to the payer (WeChat Pay
// v2, refund: refund_desc).
const reasonBytes = 80

// refundLimit is the most that somebody may give back at once; nil: no limit
// (security A8).
func (s *Server) refundLimit(d *duty) *models.Fen {
	if ranks[d.Role] >= owner {
		return nil
	}
	limit := s.Config.Admin.StaffRefundLimit
	return &limit
}

// overLimit reports that an amount is beyond the person, and tells the log.
func (s *Server) overLimit(d *duty, no string, amount models.Fen) bool {
	limit := s.refundLimit(d)
	if limit == nil || amount <= *limit {
		return false
	}
	s.Log.Warn("refund refused", "order", no, "user", d.Name, "fen", int64(amount), "cause", checkout.ErrOverLimit)
	return true
}

func (s *Server) showRefund(c *gin.Context, d *duty) error {
	p, err := s.refundForm(c, d)
	if err != nil {
		return err
	}
	p.Token, p.Amount = rand.Text(), p.Left.String()
	if p.Limit != nil && *p.Limit < p.Left {
		p.Amount = p.Limit.String()
	}
	return s.show(c, classStaff, http.StatusOK, views.AdminRefund(*p))
}

// refundForm is the page as things stand now. Goods that were not sent yet
// are ticked to go back on the shelf.
func (s *Server) refundForm(c *gin.Context, d *duty) (*views.AdminRefundPage, error) {
	no := c.Param("no")
	if !isOrderNo(no) {
		return nil, models.ErrNotFound
	}
	file, err := s.Store.Dossier(c.Request.Context(), no)
	if err != nil {
		return nil, err
	}
	p := &views.AdminRefundPage{Order: file.Order, Limit: s.refundLimit(d)}
	if p.Paid, p.Left, err = s.Checkout.Refundable(c.Request.Context(), no); err != nil {
		return nil, err
	}
	if p.AdminPage, _, err = s.adminFrame(c, d, views.AdminMenuOrders); err != nil {
		return nil, err
	}
	p.Script = true
	if file.Order.Source != models.FromCounter {
		p.Lines = refundLines(file)
	}
	return p, nil
}

// refundLines are the goods that were not given back before.
func refundLines(file *models.Dossier) []views.AdminRefundLine {
	back := map[int64]int64{}
	for _, r := range file.Refunds {
		if r.State == models.RefundClosed {
			continue
		}
		for _, l := range r.Lines {
			back[l.ItemID] += l.Qty
		}
	}
	var lines []views.AdminRefundLine
	for i := range file.Order.Items {
		item := &file.Order.Items[i]
		if left := item.Qty - back[item.ID]; left > 0 {
			lines = append(lines, views.AdminRefundLine{Item: item, Left: left, Restock: file.Order.State == models.Paid})
		}
	}
	return lines
}

// refundOrder promises money back. The amount is capped here for the words,
// and in the transaction that promises it for the money.
func (s *Server) refundOrder(c *gin.Context, d *duty) error {
	no, f, err := adminOrderNo(c, "amount", "reason", "token", "l*", "s*")
	if err != nil {
		return err
	}
	q, problem, err := readRefund(f)
	if err != nil {
		return err
	}
	q.No, q.Actor = no, d.actor()
	if limit := s.refundLimit(d); limit != nil {
		q.Limit = *limit
	}
	if problem == "" && s.overLimit(d, no, q.Amount) {
		problem = views.AdminRefundLimit
	}
	if problem != "" {
		return s.refundAgain(c, d, f, q.Lines, problem)
	}
	r, repeated, err := s.Checkout.Refund(c.Request.Context(), q)
	if problem := refundProblem(err); problem != "" {
		return s.refundAgain(c, d, f, q.Lines, problem)
	}
	if err != nil {
		return err
	}
	if repeated {
		if err := s.sameRefund(c, r, q); err != nil {
			return err
		}
	}
	return s.refunded(c, d, adminOrder(no), r)
}

// refundProblem tells what the person can mend from what broke.
func refundProblem(err error) views.AdminProblem {
	if _, ok := errors.AsType[*models.CapError](err); ok {
		return views.AdminRefundLeft
	}
	if x, ok := errors.AsType[*models.InputError](err); ok && x.Field == "lines" {
		return views.AdminRefundLines
	}
	if errors.Is(err, checkout.ErrOverLimit) {
		return views.AdminRefundLimit
	}
	if errors.Is(err, checkout.ErrNoGateway) {
		return views.AdminRefundAPI
	}
	return ""
}

// sameRefund refuses a used form that asks for something else now: neither
// the old refund nor a new one is what the person meant (security X31).
func (s *Server) sameRefund(c *gin.Context, r *models.Refund, q checkout.RefundRequest) error {
	o, err := s.Store.AnyOrder(c.Request.Context(), q.No)
	if err != nil {
		return err
	}
	if r.OrderID != o.ID || r.Amount != q.Amount {
		return fmt.Errorf("refund %s: %w", q.No, models.ErrTokenReused)
	}
	return nil
}

// readRefund reads the form of a refund.
func readRefund(f *form) (checkout.RefundRequest, views.AdminProblem, error) {
	var q checkout.RefundRequest
	var err error
	if q.Lines, err = chosenLines(f); err != nil {
		return q, "", err
	}
	if q.Amount, err = models.ParseFen(f.raw("amount")); err != nil || q.Amount <= 0 {
		return q, views.AdminRefundAmount, nil
	}
	if q.Token, err = f.code("token", isToken); err != nil {
		return q, "", err
	}
	q.Note, err = f.text("reason", noteLength)
	switch {
	case err != nil:
		return q, views.AdminNoteUnclear, nil
	case q.Note == "":
		return q, views.AdminNoteMissing, nil
	case len(q.Note) > reasonBytes:
		return q, views.AdminRefundReason, nil
	}
	return q, "", nil
}

// chosenLines reads the fields l<item> (pieces) and s<item> (back on the shelf).
func chosenLines(f *form) ([]models.RefundLine, error) {
	var lines []models.RefundLine
	for key, v := range f.values {
		if key[0] != 'l' && key[0] != 's' {
			continue
		}
		id, err := parseID(key[1:])
		if err != nil {
			return nil, err
		}
		if key[0] == 's' || v[0] == "" || v[0] == "0" {
			continue
		}
		qty, err := quantity(v[0])
		if err != nil {
			return nil, err
		}
		lines = append(lines, models.RefundLine{ItemID: id, Qty: qty, Restock: f.raw("s"+key[1:]) == "1"})
	}
	return lines, nil
}

// refundStatus is what the problems of the form mean to a program.
var refundStatus = map[views.AdminProblem]int{
	views.AdminRefundLeft: http.StatusConflict, views.AdminRefundLines: http.StatusConflict, views.AdminRefundLimit: http.StatusForbidden,
}

// refundAgain shows the form with what was typed, what is wrong, and what is
// left now. Nothing was promised, so the token is still good.
func (s *Server) refundAgain(c *gin.Context, d *duty, f *form, chosen []models.RefundLine, problem views.AdminProblem) error {
	p, err := s.refundForm(c, d)
	if err != nil {
		return err
	}
	p.Problem, p.Amount, p.Reason, p.Token = problem, f.raw("amount"), f.raw("reason"), f.raw("token")
	if !isToken(p.Token) {
		p.Token = rand.Text()
	}
	for i := range p.Lines {
		l := &p.Lines[i]
		l.Restock = f.has("s" + formatID(l.Item.ID))
		for _, x := range chosen {
			if x.ItemID == l.Item.ID {
				l.Qty = min(x.Qty, l.Left)
			}
		}
	}
	status, ok := refundStatus[problem]
	if !ok {
		status = http.StatusUnprocessableEntity
	}
	return s.show(c, classStaff, status, views.AdminRefund(*p))
}

// refunded says how far a refund has come already.
func (s *Server) refunded(c *gin.Context, d *duty, to string, r *models.Refund) error {
	if now, err := s.Store.Refund(c.Request.Context(), r.OutRefundNo); err == nil {
		r = now // its first step was taken meanwhile
	}
	tint, saying := views.OK, views.AdminSaidRefunding
	switch r.State {
	case models.RefundPending:
		tint, saying = views.Wait, views.AdminSaidRefundKept
	case models.RefundAbnormal, models.RefundClosed:
		tint, saying = views.Bad, views.AdminSaidRefundHeld
	}
	return s.done(c, d, to, tint, saying, "¥"+r.Amount.String(), r.OutRefundNo)
}

// refundMisfit gives a payment to check back in full.
func (s *Server) refundMisfit(c *gin.Context, d *duty) error {
	f, err := readForm(c, "note")
	if err != nil {
		return err
	}
	id, err := cursor(c.Param("id"))
	if err != nil || id == 0 {
		return models.ErrNotFound
	}
	ms, err := s.Store.Misfits(c.Request.Context(), false, id+1, 1)
	if err != nil {
		return err
	}
	if len(ms) == 0 || ms[0].ID != id {
		return models.ErrNotFound
	}
	if s.overLimit(d, "", ms[0].Total) {
		return errNotAllowed
	}
	text, problem := noteOf(f)
	if problem == "" && len(text) > reasonBytes {
		problem = views.AdminRefundReason
	}
	if problem != "" {
		return s.checkPage(c, d, http.StatusUnprocessableEntity, views.AdminCheckPage{At: id, Note: f.raw("note"), Problem: problem})
	}
	r, err := s.Checkout.RefundMisfit(c.Request.Context(), id, d.actor(), text)
	if left, ok := errors.AsType[*models.CapError](err); ok {
		return s.done(c, d, adminCheckPath, views.Bad, views.AdminSaidMisfitNothing, "¥"+left.Left.String())
	}
	if errors.Is(err, checkout.ErrNoGateway) {
		return s.checkPage(c, d, http.StatusUnprocessableEntity, views.AdminCheckPage{At: id, Note: f.raw("note"), Problem: views.AdminRefundAPI})
	}
	if err != nil {
		return err
	}
	return s.refunded(c, d, adminCheckPath, r)
}

// refundRows is how many refunds one list shows, and recentRefunds how many
// that have ended stand under those that have not.
const (
	refundRows    = 50
	recentRefunds = 10
)

func (s *Server) showRefunds(c *gin.Context, d *duty) error {
	q, err := query(c, "state", "before")
	if err != nil {
		return err
	}
	filter := views.AdminRefundFilter(q.raw("state"))
	states, ok := filter.States()
	if !ok {
		return errBadForm
	}
	before, err := cursor(q.raw("before"))
	if err != nil {
		return err
	}
	frame, _, err := s.adminFrame(c, d, views.AdminMenuRefunds)
	if err != nil {
		return err
	}
	p := views.AdminRefundsPage{AdminPage: frame, Filter: filter}
	rows, err := s.Store.FindRefunds(c.Request.Context(), models.RefundFilter{States: states, Before: before, Limit: refundRows})
	if err != nil {
		return err
	}
	if len(rows) == refundRows {
		p.More = olderRefunds(filter, rows[refundRows-1].ID)
	}
	if p.Rows = rows; filter == views.AdminRefundsOpen {
		p.Under = rows
		if err := s.aroundOpen(c, &p); err != nil {
			return err
		}
	}
	return s.show(c, classStaff, http.StatusOK, views.AdminRefunds(p))
}

func olderRefunds(f views.AdminRefundFilter, id int64) string {
	path, sep := views.AdminRefundsPath(f), "?"
	if f != views.AdminRefundsOpen {
		sep = "&"
	}
	return path + sep + "before=" + strconv.FormatInt(id, 10)
}

// aroundOpen adds what needs a person, and what has ended lately.
func (s *Server) aroundOpen(c *gin.Context, p *views.AdminRefundsPage) error {
	var err error
	held := models.RefundFilter{States: []models.RefundState{models.RefundAbnormal}, Limit: refundRows}
	if p.Held, err = s.Store.FindRefunds(c.Request.Context(), held); err != nil {
		return err
	}
	ended := models.RefundFilter{States: []models.RefundState{models.RefundSucceeded, models.RefundClosed}, Limit: recentRefunds}
	p.Rows, err = s.Store.FindRefunds(c.Request.Context(), ended)
	return err
}
