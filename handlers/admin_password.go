package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"wxshop/views"
)

func (s *Server) showAdminPassword(c *gin.Context, d *duty) error {
	return s.passwordPage(c, d, http.StatusOK, "", 0)
}

func (s *Server) passwordPage(c *gin.Context, d *duty, status int, problem views.AdminProblem, wait time.Duration) error {
	frame, _, err := s.adminFrame(c, d, views.AdminMenuAccount)
	if err != nil {
		return err
	}
	p := views.AdminPasswordPage{AdminPage: frame, Must: d.MustChange, Problem: problem, Wait: wait}
	if p.Must {
		p.Menu = "" // a menu would lead nowhere yet
	}
	return s.show(c, classStaff, status, views.AdminPassword(p))
}

// changePassword changes one's own password; whoever else is signed in under
// the name is out.
func (s *Server) changePassword(c *gin.Context, d *duty) error {
	f, err := readForm(c, "user", "current", "new", "again")
	if err != nil {
		return err
	}
	if problem := s.newPassword(d, f); problem != "" {
		return s.passwordPage(c, d, http.StatusUnprocessableEntity, problem, 0)
	}
	ctx, key := c.Request.Context(), []string{"password:" + strconv.FormatInt(d.ID, 10)}
	wait, err := s.desk.try(ctx, key)
	if err != nil {
		return err
	}
	if wait > 0 {
		c.Writer.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
		return s.passwordPage(c, d, http.StatusTooManyRequests, views.AdminWait, wait)
	}
	right, _, err := s.desk.hasher.verify(ctx, d.Password, f.raw("current"))
	if err != nil {
		return fmt.Errorf("check present password: %w", err)
	}
	if !right {
		return s.passwordPage(c, d, http.StatusUnprocessableEntity, views.AdminPasswordWrong, 0)
	}
	if err := s.storePassword(c, d, f.raw("new")); err != nil {
		return err
	}
	return errors.Join(s.desk.forgive(ctx, key), s.done(c, d, "/admin", views.OK, views.AdminSaidPassword))
}

// newPassword says what is wrong with a new password, before any work is
// spent on the present one.
func (s *Server) newPassword(d *duty, f *form) views.AdminProblem {
	password := f.raw("new")
	if password == f.raw("current") {
		return views.AdminPasswordSame
	}
	switch err := CheckPassword(password, d.Name, s.Config.Site.Name); {
	case errors.Is(err, ErrPasswordShort):
		return views.AdminPasswordShort
	case errors.Is(err, ErrPasswordLong):
		return views.AdminPasswordLong
	case errors.Is(err, ErrPasswordNamed):
		return views.AdminPasswordNamed
	case err != nil:
		return views.AdminPasswordCommon
	case password != f.raw("again"):
		return views.AdminPasswordDiffer
	}
	return ""
}

func (s *Server) storePassword(c *gin.Context, d *duty, password string) error {
	ctx := c.Request.Context()
	phc, err := s.desk.hasher.hash(ctx, password)
	if err != nil {
		return fmt.Errorf("hash new password: %w", err)
	}
	if err := s.Store.SetPassword(ctx, d.ID, phc, false); err != nil {
		return err
	}
	if err := s.staff.renew(c.Request, c.Writer, d.visit); err != nil { // S3
		return err
	}
	s.Log.Info("password changed", "user", d.Name, "op", "password")
	return s.Store.DeleteSessionsOf(ctx, d.ID, d.visit.hash()) // S11
}
