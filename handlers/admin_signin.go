package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"wxshop/models"
	"wxshop/views"
)

// dummyHash is what the password of a name that does not exist is compared
// with, so that it costs the same as a real one (security A3). Nobody knows
// its password.
const dummyHash = "$argon2id$v=19$m=19456,t=2,p=1$BoIlJ/d0RmBWfRgrO3Fjlw$2oIuz0nptOzNEOL4PaOqvGPP7IDN9y0LbpiDf8dV09E"

func (s *Server) showAdminSignIn(c *gin.Context, _ *duty) error {
	q, err := query(c, "next", "ended")
	if err != nil {
		return err
	}
	d, err := s.onDuty(c)
	if err != nil {
		return err
	}
	next := adminReturn(q.raw("next"))
	if d != nil {
		return s.see(c, next)
	}
	p := views.AdminSignInPage{AdminPage: s.bareAdminFrame(c), Next: next}
	if q.has("ended") {
		p.Problem = views.AdminEnded
	}
	return s.show(c, classStaff, http.StatusOK, views.AdminSignIn(p))
}

// adminSignIn opens a session, or says why not, in the same words and with
// the same work for a wrong password as for a wrong name (security A3).
func (s *Server) adminSignIn(c *gin.Context, _ *duty) error {
	f, err := readForm(c, "user", "password", "next")
	if err != nil {
		return err
	}
	p := views.AdminSignInPage{AdminPage: s.bareAdminFrame(c), Next: adminReturn(f.raw("next"))}
	name, ok := cleanText(f.raw("user"), false)
	if !ok || len(name) > 64 {
		name = ""
	}
	p.Name = name
	who, problem, err := s.identify(c, name, f.raw("password"), &p.Wait)
	switch {
	case err != nil:
		return err
	case problem != "":
		return s.refuseSignIn(c, p, problem)
	}
	return s.admit(c, who, p.Next)
}

// identify compares name and password, within the limits of trying.
func (s *Server) identify(c *gin.Context, name, password string, wait *time.Duration) (*models.Staff, views.AdminProblem, error) {
	ctx := c.Request.Context()
	who, err := s.Store.Staff(ctx, name)
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		return nil, "", fmt.Errorf("sign in: %w", err)
	}
	phc := dummyHash
	if who != nil {
		phc = who.Password
	}
	keys := s.desk.tryKeys(name, c.ClientIP(), who != nil && s.desk.knows(c.Request, who.ID))
	if *wait, err = s.desk.try(ctx, keys); err != nil || *wait > 0 {
		return nil, views.AdminWait, err
	}
	right, weak, err := s.desk.hasher.verify(ctx, phc, password)
	switch {
	case errors.Is(err, errBusyHashing):
		return nil, views.AdminBusy, nil
	case err != nil:
		return nil, "", fmt.Errorf("sign in: %w", err)
	case who == nil || !right:
		s.tellRefusal(c, who)
		return nil, views.AdminWrong, nil
	}
	if weak {
		s.strengthen(c, who, password)
	}
	return who, "", s.desk.forgive(ctx, keys)
}

// tellRefusal names nobody who does not exist: people type passwords into the
// wrong field.
func (s *Server) tellRefusal(c *gin.Context, who *models.Staff) {
	name := ""
	if who != nil {
		name = who.Name
	}
	s.Log.Warn("sign-in refused", "user", name, "op", "signin", "from", network(c.ClientIP()))
}

// strengthen stores a password that was hashed with old parameters anew. When
// that fails the old hash is still good.
func (s *Server) strengthen(c *gin.Context, who *models.Staff, password string) {
	phc, err := s.desk.hasher.hash(c.Request.Context(), password)
	if err == nil {
		err = s.Store.SetPassword(c.Request.Context(), who.ID, phc, who.MustChange)
	}
	if err != nil {
		s.Log.Warn("password not hashed anew", "user", who.Name, "err", err)
	}
}

func (s *Server) refuseSignIn(c *gin.Context, p views.AdminSignInPage, problem views.AdminProblem) error {
	status := http.StatusUnprocessableEntity
	switch p.Problem = problem; problem {
	case views.AdminWait:
		status = http.StatusTooManyRequests
		c.Writer.Header().Set("Retry-After", strconv.Itoa(int((p.Wait+time.Second-1)/time.Second)))
	case views.AdminBusy:
		status = http.StatusServiceUnavailable
		c.Writer.Header().Set("Retry-After", "2")
	}
	return s.show(c, classStaff, status, views.AdminSignIn(p))
}

// admit opens the session under a new id (security S3) and remembers the
// device.
func (s *Server) admit(c *gin.Context, who *models.Staff, next string) error {
	v, err := visitOf(s.staff, c)
	if err != nil {
		return err
	}
	v.StaffID, v.Flash = who.ID, nil
	if err := s.staff.renew(c.Request, c.Writer, v); err != nil {
		return err
	}
	if err := s.desk.remember(c.Writer, who.ID); err != nil {
		return err
	}
	if err := s.Store.SawStaff(c.Request.Context(), who.ID); err != nil {
		s.Log.Warn("last sign-in not kept", "user", who.Name, "err", err) // the door is open all the same
	}
	s.Log.Info("staff signed in", "user", who.Name, "op", "signin")
	if who.MustChange {
		next = adminPasswordPath
	}
	return s.see(c, next)
}

// adminSignOut ends the session and empties the browser's cache of pages with
// addresses of buyers (security S11).
func (s *Server) adminSignOut(c *gin.Context, d *duty) error {
	if _, err := readForm(c, "back"); err != nil {
		return err
	}
	if err := s.staff.end(c.Request, c.Writer, d.visit); err != nil {
		return err
	}
	c.Writer.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	s.Log.Info("staff signed out", "user", d.Name, "op", "signout")
	return s.see(c, "/admin/signin")
}
