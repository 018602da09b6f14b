package handlers

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"wxshop/models"
	"wxshop/views"
)

// Sizes of lists.
const (
	newestOrders = 6
	adminRows    = 20
	maxTrail     = 200 // pages that "newer" can go back
)

func (s *Server) showToday(c *gin.Context, d *duty) error {
	frame, counts, err := s.adminFrame(c, d, views.AdminMenuToday)
	if err != nil {
		return err
	}
	p := views.AdminTodayPage{AdminPage: frame, Counts: counts}
	if _, p.RefundsSum, err = s.Store.OpenRefunds(c.Request.Context()); err != nil {
		return err
	}
	if p.Newest, err = s.Store.FindOrders(c.Request.Context(), models.OrderFilter{Limit: newestOrders}); err != nil {
		return err
	}
	return s.show(c, classStaff, http.StatusOK, views.AdminToday(p))
}

func (s *Server) showAdminOrders(c *gin.Context, d *duty) error {
	q, err := query(c, "state", "q", "at")
	if err != nil {
		return err
	}
	search, err := q.text("q", 64)
	if err != nil {
		return err
	}
	state, at, err := listPlace(q)
	if err != nil {
		return err
	}
	frame, counts, err := s.adminFrame(c, d, views.AdminMenuOrders)
	if err != nil {
		return err
	}
	f := models.OrderFilter{State: state, Query: anyNumber(search), Before: at.last(), Limit: adminRows + 1}
	rows, err := s.Store.FindOrders(c.Request.Context(), f)
	if err != nil {
		return err
	}
	p := views.AdminOrdersPage{
		AdminPage: frame, State: state, Query: search, Counts: counts, Rows: rows, First: int64(len(at))*adminRows + 1,
	}
	if len(at) > 0 {
		p.Prev = views.AdminOrdersPath(state, search, at[:len(at)-1].String())
	}
	if len(rows) > adminRows {
		p.Rows = rows[:adminRows]
		p.Next = views.AdminOrdersPath(state, search, append(at, rows[adminRows-1].ID).String())
	}
	return s.show(c, classStaff, http.StatusOK, views.AdminOrders(p))
}

// listPlace reads the filter of a list and the place in it.
func listPlace(q *form) (models.State, trail, error) {
	state := models.State(q.raw("state"))
	switch state {
	case "", models.Unpaid, models.Paid, models.Shipped, models.Done, models.Closed:
	default:
		return "", nil, errBadForm
	}
	at, ok := parseTrail(q.raw("at"))
	if !ok {
		return "", nil, errBadForm
	}
	return state, at, nil
}

// anyNumber is what was typed into the search as numbers are stored: without
// the spaces that people and labels put into them.
func anyNumber(s string) string {
	if phone := digits(s); isPhone(phone) {
		return phone
	}
	return strings.Join(strings.Fields(s), "")
}

// trail is the way through a list: the last id of each page that was left
// behind. The list itself only knows "before this id", so the way back travels
// in the address.
type trail []int64

func parseTrail(s string) (trail, bool) {
	if s == "" {
		return nil, true
	}
	parts := strings.Split(s, ".")
	if len(parts) > maxTrail {
		return nil, false
	}
	t := make(trail, len(parts))
	for i, part := range parts {
		n, err := strconv.ParseInt(part, 10, 64)
		if !isID(part) || err != nil {
			return nil, false
		}
		t[i] = n
	}
	return t, true
}

// last is the id before which this page begins, 0 at the newest.
func (t trail) last() int64 {
	if len(t) == 0 {
		return 0
	}
	return t[len(t)-1]
}

func (t trail) String() string {
	parts := make([]string, len(t))
	for i, id := range t {
		parts[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(parts[max(0, len(parts)-maxTrail):], ".")
}

func (s *Server) showAdminOrder(c *gin.Context, d *duty) error {
	return s.adminOrderPage(c, d, http.StatusOK, views.AdminOrderForm{})
}

// adminOrderPage draws an order, again with what was typed when that was not
// accepted.
func (s *Server) adminOrderPage(c *gin.Context, d *duty, status int, form views.AdminOrderForm) error {
	no := c.Param("no")
	if !isOrderNo(no) {
		return models.ErrNotFound
	}
	file, err := s.Store.Dossier(c.Request.Context(), no)
	if err != nil {
		return err
	}
	frame, _, err := s.adminFrame(c, d, views.AdminMenuOrders)
	if err != nil {
		return err
	}
	_, left, err := s.Checkout.Refundable(c.Request.Context(), no)
	if err != nil && !errors.Is(err, models.ErrBadMove) {
		return err
	}
	return s.show(c, classStaff, status, views.AdminOrder(views.AdminOrderPage{AdminPage: frame, Dossier: *file, Left: left, Form: form}))
}
