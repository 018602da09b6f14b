package handlers

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"wxshop/models"
	"wxshop/views"
)

// failStaff shows an error to the people of the shop. After a refusal because
// things changed it says how the order stands now.
func (s *Server) failStaff(c *gin.Context, err error) {
	v := s.note(c, err)
	if c.Writer.Written() {
		return
	}
	if v.status == http.StatusAccepted { // to a shopper: "we are asking"
		v.status = http.StatusServiceUnavailable
	}
	p := views.AdminErrorPage{AdminPage: s.bareAdminFrame(c), Status: v.status, Ref: c.GetString(keyRef)}
	if d, ok := c.Value(keyDuty).(*duty); ok && !d.MustChange {
		p.Who, p.Role, p.Menu = d.Name, d.Role, views.AdminMenuOrders
		s.explain(c, &p)
	}
	if err := s.show(c, classStaff, v.status, views.AdminError(p)); err != nil {
		s.Log.Error("error page not drawn", "op", "respond", "err", err)
		s.send(c, answer{class: classData, status: v.status, ctype: typeText, body: []byte(http.StatusText(v.status))})
	}
}

// explain adds the way back: to the order, or to the list.
func (s *Server) explain(c *gin.Context, p *views.AdminErrorPage) {
	if c.Param("id") != "" {
		p.Menu, p.Back = views.AdminMenuCheck, adminCheckPath
	}
	if _, day, err := dayOf(c); err == nil {
		p.Menu, p.Back = views.AdminMenuBills, views.AdminBillPath(day)
	}
	no := c.Param("no")
	if !isOrderNo(no) || p.Status == http.StatusNotFound {
		return
	}
	o, err := s.Store.AnyOrder(c.Request.Context(), no)
	if err == nil {
		p.OrderNo, p.State = no, o.State
	} else if !errors.Is(err, models.ErrNotFound) {
		s.Log.Warn("order not read for an error page", "order", no, "err", err)
	}
}
