package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"

	"wxshop/handlers"
	"wxshop/models"
)

// firstOwner lets somebody into a new shop. With the simulator it makes an
// owner with a password for one sign-in and prints it on stdout, never into
// the log; a shop that takes real money waits for `wxshop user add`.
func firstOwner(ctx context.Context, s *Shop, stdout io.Writer) error {
	n, err := s.Store.StaffCount(ctx)
	if err != nil {
		return fmt.Errorf("count the staff: %w", err)
	}
	switch {
	case n > 0:
		return nil
	case !s.Config.Simulator.Enabled:
		_, err = fmt.Fprintln(stdout, "Nobody can sign in at /admin yet: run  wxshop user add NAME")
		return err
	}
	password, err := addStaff(ctx, s.Store, "owner", roleOwner, "")
	if err != nil {
		return fmt.Errorf("make the first owner: %w", err)
	}
	_, err = fmt.Fprintf(stdout, `
  后台首次登录 First sign-in at %s/admin
  密码只显示这一次，登录后须修改 Shown once, to be changed when signed in
    用户 user      owner
    密码 password  %s
`, s.Config.Site.BaseURL, password)
	return err
}

const roleOwner = "owner"

// addStaff stores a person. Without a password it makes one, which has to be
// changed at the first sign-in, and returns it.
func addStaff(ctx context.Context, store *models.Store, name, role, given string) (string, error) {
	password, phc, err := hashed(given)
	if err != nil {
		return "", err
	}
	return password, store.CreateStaff(ctx, models.Staff{Name: name, Role: role, Password: phc, MustChange: given == ""})
}

// hashed is the password, made up if none was given, and what is stored of it.
func hashed(given string) (password, phc string, err error) {
	if password = given; password == "" {
		password = rand.Text()[:20] // 100 random bits
	}
	phc, err = handlers.HashPassword(password)
	return password, phc, err
}
