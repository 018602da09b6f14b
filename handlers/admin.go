package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"wxshop/models"
	"wxshop/views"
)

// rank is what somebody may do at least; a higher one may do all that a lower
// one may (security A8). The zero rank is "not declared" and opens nothing.
type rank uint8

const (
	undeclared rank = iota
	nobody          // also who is not signed in
	viewer          // looks, and sees no names and no addresses
	clerk           // the role "staff": orders and parcels
	owner           // everything
)

var ranks = map[string]rank{"viewer": viewer, "staff": clerk, "owner": owner}

// errNotAllowed is a role that may not do this.
var errNotAllowed = errors.New("the role does not allow it")

// duty is a member of staff at work: who it is, and from which session.
type duty struct {
	*models.Staff
	visit *visit
}

// actor is how the history of orders names the person.
func (d *duty) actor() string { return "staff:" + d.Name }

type adminHandler func(*gin.Context, *duty) error

// adminRoute is one way in. Least is the minimum role; a route without one
// would let nobody in, and a test refuses it.
type adminRoute struct {
	method, path string
	least        rank
	handle       adminHandler
}

// adminTable is the whole back office. GET changes nothing; what changes
// something is POST and ends in a redirect.
func (s *Server) adminTable() []adminRoute {
	get, post := http.MethodGet, http.MethodPost
	return []adminRoute{
		{get, "/admin/signin", nobody, s.showAdminSignIn},
		{post, "/admin/signin", nobody, s.adminSignIn},
		{post, "/admin/lang", nobody, s.setAdminLang},

		{post, "/admin/signout", viewer, s.adminSignOut},
		{get, adminPasswordPath, viewer, s.showAdminPassword},
		{post, adminPasswordPath, viewer, s.changePassword},

		{get, "/admin", viewer, s.showToday},
		{get, "/admin/orders", viewer, s.showAdminOrders},
		{get, "/admin/orders/:no", viewer, s.showAdminOrder},
		{post, "/admin/orders/:no/ask", clerk, s.askWeChat},
		{post, "/admin/orders/:no/ship", clerk, s.shipOrder},
		{post, "/admin/orders/:no/close", clerk, s.closeOrder},
		{post, "/admin/orders/:no/note", clerk, s.noteOrder},
		{get, "/admin/orders/:no/refund", clerk, s.showRefund},
		{post, "/admin/orders/:no/refund", clerk, s.refundOrder},
		{get, adminRefundsPath, viewer, s.showRefunds},
		{get, adminCheckPath, viewer, s.showCheck},
		{post, adminCheckPath + "/:id/explain", clerk, s.explainMisfit},
		{post, adminCheckPath + "/:id/refund", clerk, s.refundMisfit},
		{get, adminBillsPath, viewer, s.showBills},
		{post, adminBillsPath, clerk, s.pickBill},
		{get, adminBillsPath + "/:day", viewer, s.showBill},
		{post, adminBillsPath + "/:day/run", clerk, s.againBill},
		{post, adminBillsPath + "/:day/:id/settle", clerk, s.askDifference},
		{post, adminBillsPath + "/:day/:id/ask", clerk, s.askDifference},
		{post, adminBillsPath + "/:day/:id/refund", clerk, s.refundDifference},
		{post, adminBillsPath + "/:day/:id/explain", clerk, s.explainDifference},
		{get, adminDeskPath, clerk, s.showDesk},
		{post, adminDeskPath, clerk, s.sell},
		{get, adminDeskPath + "/:no", clerk, s.showSale},
		{post, adminDeskPath + "/:no/status", clerk, s.saleStatus},
		{post, adminDeskPath + "/:no/reverse", clerk, s.reverseSale},
	}
}

const (
	adminPasswordPath = "/admin/password"
	adminCheckPath    = "/admin/check"
	adminRefundsPath  = "/admin/refunds"
	adminDeskPath     = "/admin/cashdesk"
)

// adminRoutes puts the back office on r.
func (s *Server) adminRoutes(r gin.IRoutes) {
	for _, x := range s.adminTable() {
		r.Handle(x.method, x.path, s.adminPage(x))
		if x.method == http.MethodGet {
			r.HEAD(x.path, s.adminPage(x))
		}
	}
}

// adminPage lets in who may come in.
func (s *Server) adminPage(x adminRoute) gin.HandlerFunc {
	return s.page(func(c *gin.Context) error {
		if x.least == nobody {
			return x.handle(c, nil)
		}
		d, err := s.onDuty(c)
		switch {
		case err != nil:
			return err
		case d == nil:
			return s.see(c, doorPath(c.Request))
		case x.least == undeclared || ranks[d.Role] < x.least:
			s.Log.Warn("staff refused", "user", d.Name, "op", c.FullPath(), "cause", d.Role)
			return errNotAllowed
		case d.MustChange && !opensBeforeChange[c.FullPath()]:
			return s.see(c, adminPasswordPath)
		}
		c.Set(keyDuty, d)
		return x.handle(c, d)
	})
}

const keyDuty = "duty"

// opensBeforeChange are the routes that a person with a given password may
// use before it was changed.
var opensBeforeChange = map[string]bool{adminPasswordPath: true, "/admin/signout": true}

// onDuty is who asks; nil when nobody is signed in. A person who was removed
// loses the session with the next request.
func (s *Server) onDuty(c *gin.Context) (*duty, error) {
	v, err := visitOf(s.staff, c)
	if err != nil || v.StaffID == 0 {
		return nil, err
	}
	who, err := s.Store.StaffByID(c.Request.Context(), v.StaffID)
	if errors.Is(err, models.ErrNotFound) {
		return nil, s.staff.end(c.Request, c.Writer, v)
	}
	if err != nil {
		return nil, fmt.Errorf("who is on duty: %w", err)
	}
	return &duty{who, v}, nil
}

// doorPath leads to the door and, for a page, back again. What was posted is
// not kept: it says instead that the session is over.
func doorPath(r *http.Request) string {
	q := url.Values{}
	if r.Method == http.MethodPost {
		q.Set("ended", "1")
	} else if next := adminReturn(r.URL.RequestURI()); next != "/admin" {
		q.Set("next", next)
	}
	if len(q) == 0 {
		return "/admin/signin"
	}
	return "/admin/signin?" + q.Encode()
}

// adminReturn lets pass only pages of the back office.
func adminReturn(p string) string {
	p = safeReturn(p)
	inside := strings.HasPrefix(p, "/admin/") || strings.HasPrefix(p, "/admin?")
	if !inside || strings.HasPrefix(p, "/admin/signin") {
		return "/admin"
	}
	return p
}

// isAdmin reports the requests whose errors staff read.
func isAdmin(path string) bool { return path == "/admin" || strings.HasPrefix(path, "/admin/") }

// bareAdminFrame is the frame of a page outside, or of one that says that
// something is broken: it asks no database.
func (s *Server) bareAdminFrame(c *gin.Context) views.AdminPage {
	p := views.AdminPage{Lang: s.lang(c), Path: "/admin", Now: s.Now(), Shop: s.Config.Site.Name, Banner: s.Config.SimBanner}
	if c.Request.Method == http.MethodGet {
		p.Path = adminReturn(c.Request.URL.RequestURI())
	}
	return p
}

// adminFrame is what every page of somebody on duty needs around its main
// part. It takes the flash.
func (s *Server) adminFrame(c *gin.Context, d *duty, menu views.AdminMenu) (views.AdminPage, map[models.State]int64, error) {
	p := s.bareAdminFrame(c)
	p.Who, p.Role, p.Menu = d.Name, d.Role, menu
	counts, err := s.Store.StateCounts(c.Request.Context())
	if err != nil {
		return p, nil, err
	}
	if p.ToCheck, err = s.Store.OpenMisfits(c.Request.Context()); err != nil {
		return p, nil, err
	}
	if p.Refunding, _, err = s.Store.OpenRefunds(c.Request.Context()); err != nil {
		return p, nil, err
	}
	if p.Differences, err = s.Store.OpenDifferences(c.Request.Context()); err != nil {
		return p, nil, err
	}
	p.ToShip, p.Broken = counts[models.Paid], s.Checkout.Violations()
	p.Flash = s.takeAdminFlash(c, d.visit)
	return p, counts, nil
}

// takeAdminFlash gives the sentence once.
func (s *Server) takeAdminFlash(c *gin.Context, v *visit) *views.Flash {
	f := v.Flash
	if f == nil {
		return nil
	}
	v.Flash = nil
	if err := saveVisit(s.staff, c); err != nil {
		s.Log.Warn("flash not taken", "op", "session", "err", err)
	}
	return f
}

// done ends an action: a sentence for the next page, and there.
func (s *Server) done(c *gin.Context, d *duty, to string, tint views.Tint, what views.AdminSaying, args ...any) error {
	d.visit.Flash = &views.Flash{Tint: tint, Text: views.AdminSay(s.lang(c), what, args...)}
	if err := saveVisit(s.staff, c); err != nil {
		s.Log.Warn("flash not left", "op", "session", "err", err) // what was done is done
	}
	return s.see(c, to)
}

// setAdminLang keeps the choice of a language in a cookie of the browser.
func (s *Server) setAdminLang(c *gin.Context, _ *duty) error {
	f, err := readForm(c, "lang", "back")
	if err != nil {
		return err
	}
	l, ok := views.ParseLang(f.raw("lang"))
	if !ok {
		return errBadForm
	}
	s.setTaste(c, cookieLang, l.Tag())
	return s.see(c, adminReturn(f.raw("back")))
}
