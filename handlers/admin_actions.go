package handlers

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"wxshop/checkout"
	"wxshop/models"
	"wxshop/views"
	"wxshop/wxpay"
)

// noteLength is how many characters a note of staff may have.
const noteLength = 200

// adminOrderNo reads the form of an action and the order it is about.
func adminOrderNo(c *gin.Context, fields ...string) (string, *form, error) {
	f, err := readForm(c, fields...)
	if err != nil {
		return "", nil, err
	}
	no := c.Param("no")
	if !isOrderNo(no) {
		return "", nil, models.ErrNotFound
	}
	return no, f, nil
}

func adminOrder(no string) string { return "/admin/orders/" + no }

// askWeChat asks about every attempt to pay an order. The button also stands
// beside the note of a payment to check, which then comes along unread.
func (s *Server) askWeChat(c *gin.Context, d *duty) error {
	no, _, err := adminOrderNo(c, "note")
	if err != nil {
		return err
	}
	found, err := s.Checkout.Ask(c.Request.Context(), no, d.actor())
	if err != nil {
		return s.noAnswer(c, d, no, err)
	}
	tint, saying, err := s.finding(c, no, found)
	if err != nil {
		return err
	}
	return s.done(c, d, adminOrder(no), tint, saying)
}

// finding is the most important of what WeChat said: money first.
func (s *Server) finding(c *gin.Context, no string, found map[string]checkout.Finding) (views.Tint, views.AdminSaying, error) {
	count := map[checkout.Finding]int{}
	for _, f := range found {
		count[f]++
	}
	switch {
	case count[checkout.FoundMisfit] > 0:
		return views.Bad, views.AdminSaidMisfit, nil
	case count[checkout.FoundPaid] > 0:
		return s.paidFinding(c, no)
	case count[checkout.FoundOpen] > 0:
		return views.Wait, views.AdminSaidOpen, nil
	case count[checkout.FoundDead] > 0:
		return views.Go, views.AdminSaidDead, nil
	case count[checkout.FoundMissing] > 0:
		return views.Go, views.AdminSaidMissing, nil
	}
	return views.Go, views.AdminSaidNothing, nil
}

// paidFinding says what became of money that WeChat has: the order is paid,
// it goes back, or it fits nothing.
func (s *Server) paidFinding(c *gin.Context, no string) (views.Tint, views.AdminSaying, error) {
	file, err := s.Store.Dossier(c.Request.Context(), no)
	if err != nil {
		return "", "", err
	}
	switch {
	case openMisfit(file.Misfits):
		return views.Bad, views.AdminSaidMisfit, nil
	case len(file.Refunds) > 0:
		return views.Wait, views.AdminSaidRefund, nil
	}
	return views.OK, views.AdminSaidPaid, nil
}

func openMisfit(ms []models.Misfit) bool {
	for i := range ms {
		if ms[i].State == "open" {
			return true
		}
	}
	return false
}

// noAnswer tells apart what WeChat left open, what it refused, and what is
// wrong with us. Nothing was decided in the first two.
func (s *Server) noAnswer(c *gin.Context, d *duty, no string, err error) error {
	_, fromWeChat := errors.AsType[*wxpay.Error](err)
	switch {
	case wxpay.IsUnknown(err):
		s.Log.Warn("WeChat gave no answer", "order", no, "user", d.Name, "op", "ask", "err", err)
		return s.done(c, d, adminOrder(no), views.Wait, views.AdminSaidNoAnswer)
	case fromWeChat && !errors.Is(err, models.ErrBadMove) && !errors.Is(err, models.ErrStale):
		s.Log.Warn("WeChat refused", "order", no, "user", d.Name, "op", "ask", "err", err)
		return s.done(c, d, adminOrder(no), views.Bad, views.AdminSaidRefused)
	}
	return err
}

// shipOrder records the parcel. The same parcel twice is one: a second tap is
// no conflict.
func (s *Server) shipOrder(c *gin.Context, d *duty) error {
	no, f, err := adminOrderNo(c, "carrier", "tracking")
	if err != nil {
		return err
	}
	carrier, err := f.text("carrier", 32)
	if err != nil || carrier == "" {
		return s.sendBack(c, d, views.AdminShip, views.AdminCarrier, f)
	}
	tracking, ok := trackingNo(f.raw("tracking"))
	if !ok {
		return s.sendBack(c, d, views.AdminShip, views.AdminTracking, f)
	}
	err = s.Store.Ship(c.Request.Context(), no, carrier, tracking, d.actor())
	if errors.Is(err, models.ErrBadMove) {
		o, again := s.Store.AnyOrder(c.Request.Context(), no)
		if again == nil && o.State == models.Shipped && o.Carrier == carrier && o.TrackingNo == tracking {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	s.Log.Info("order shipped", "order", no, "user", d.Name)
	return s.done(c, d, adminOrder(no), views.OK, views.AdminSaidShipped, carrier, tracking)
}

// trackingNo is a parcel number as it is stored and searched for: capitals,
// without spaces.
func trackingNo(s string) (string, bool) {
	s = strings.ToUpper(strings.Join(strings.Fields(s), ""))
	ok := len(s) >= 6 && len(s) <= 32 && all(s, func(b byte) bool { return isUpper(b) || b == '-' })
	return s, ok
}

// closeOrder ends an unpaid order, at WeChat first. If it turns out to be
// paid it is not closed: that is a conflict whose page says so.
func (s *Server) closeOrder(c *gin.Context, d *duty) error {
	no, f, err := adminOrderNo(c, "note")
	if err != nil {
		return err
	}
	why, problem := noteOf(f)
	if problem != "" {
		return s.sendBack(c, d, views.AdminClose, problem, f)
	}
	if err := s.Checkout.CloseByMerchant(c.Request.Context(), no, d.actor(), why); err != nil {
		return s.noAnswer(c, d, no, err)
	}
	return s.done(c, d, adminOrder(no), views.OK, views.AdminSaidClosed)
}

func (s *Server) noteOrder(c *gin.Context, d *duty) error {
	no, f, err := adminOrderNo(c, "note")
	if err != nil {
		return err
	}
	text, problem := noteOf(f)
	if problem != "" {
		return s.sendBack(c, d, views.AdminNote, problem, f)
	}
	if err := s.Store.AddNote(c.Request.Context(), no, d.actor(), text); err != nil {
		return err
	}
	return s.done(c, d, adminOrder(no)+"#log", views.OK, views.AdminSaidNoted)
}

// noteOf reads the words of a person; none are a problem, because every
// decision has its reason.
func noteOf(f *form) (string, views.AdminProblem) {
	text, err := f.text("note", noteLength)
	switch {
	case err != nil:
		return "", views.AdminNoteUnclear
	case text == "":
		return "", views.AdminNoteMissing
	}
	return text, ""
}

// sendBack shows the order again with what was typed and what is wrong.
func (s *Server) sendBack(c *gin.Context, d *duty, at views.AdminAction, problem views.AdminProblem, f *form) error {
	typed := views.AdminOrderForm{At: at, Problem: problem, Carrier: f.raw("carrier"), Tracking: f.raw("tracking")}
	if at == views.AdminClose {
		typed.Reason = f.raw("note")
	} else {
		typed.Note = f.raw("note")
	}
	return s.adminOrderPage(c, d, http.StatusUnprocessableEntity, typed)
}
