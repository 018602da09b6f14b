package handlers

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"wxshop/models"
	"wxshop/views"
)

// checkRows is how many payments to check one page shows.
const checkRows = 50

func (s *Server) showCheck(c *gin.Context, d *duty) error {
	return s.checkPage(c, d, http.StatusOK, views.AdminCheckPage{})
}

// checkPage draws the list, again with an explanation that was not accepted.
func (s *Server) checkPage(c *gin.Context, d *duty, status int, p views.AdminCheckPage) error {
	q, err := query(c, "before")
	if err != nil {
		return err
	}
	before, err := cursor(q.raw("before"))
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	open, err := s.Store.Misfits(ctx, true, 0, checkRows)
	if err != nil {
		return err
	}
	all, err := s.Store.Misfits(ctx, false, before, checkRows)
	if err != nil {
		return err
	}
	if p.Open, err = s.withOrders(ctx, open); err != nil {
		return err
	}
	for _, m := range all {
		if m.State != "open" {
			p.Done = append(p.Done, views.AdminMisfit{Misfit: m})
		}
	}
	if len(all) == checkRows {
		p.More = adminCheckPath + "?before=" + strconv.FormatInt(all[checkRows-1].ID, 10)
	}
	if p.AdminPage, _, err = s.adminFrame(c, d, views.AdminMenuCheck); err != nil {
		return err
	}
	p.Limit = s.refundLimit(d)
	return s.show(c, classStaff, status, views.AdminCheck(p))
}

// cursor is the id before which a page begins, 0 for the newest.
func cursor(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if !isID(s) || err != nil {
		return 0, errBadForm
	}
	return n, nil
}

// withOrders adds the numbers of the orders that the payments meant.
func (s *Server) withOrders(ctx context.Context, ms []models.Misfit) ([]views.AdminMisfit, error) {
	nos := map[int64]string{0: ""}
	rows := make([]views.AdminMisfit, len(ms))
	for i, m := range ms {
		if _, known := nos[m.OrderID]; !known {
			o, err := s.Store.OrderByID(ctx, m.OrderID)
			if err != nil && !errors.Is(err, models.ErrNotFound) {
				return nil, err
			}
			nos[m.OrderID] = ""
			if o != nil {
				nos[m.OrderID] = o.No
			}
		}
		rows[i] = views.AdminMisfit{Misfit: m, OrderNo: nos[m.OrderID]}
	}
	return rows, nil
}

// explainMisfit is the decision of a person about money that fits nothing.
// Two people at once: the second learns that it was decided.
func (s *Server) explainMisfit(c *gin.Context, d *duty) error {
	f, err := readForm(c, "note")
	if err != nil {
		return err
	}
	id, err := cursor(c.Param("id"))
	if err != nil || id == 0 {
		return models.ErrNotFound
	}
	text, problem := noteOf(f)
	if problem != "" {
		return s.checkPage(c, d, http.StatusUnprocessableEntity, views.AdminCheckPage{At: id, Note: f.raw("note"), Problem: problem})
	}
	if err := s.Store.ExplainMisfit(c.Request.Context(), id, d.actor(), text); err != nil {
		return err
	}
	s.Log.Info("payment to check explained", "user", d.Name, "op", "explain", "cause", strconv.FormatInt(id, 10))
	return s.done(c, d, adminCheckPath, views.OK, views.AdminSaidExplained)
}
