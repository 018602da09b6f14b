package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"wxshop/handlers"
	"wxshop/models"
)

type userCmd struct {
	Add    userAddCmd    `cmd:"" help:"Add a person. The password is the first line of standard input; on a terminal one is made up and printed."`
	Passwd userPasswdCmd `cmd:"" help:"Give a person a new password, in the same way, and end that person's sessions."`
}

type userAddCmd struct {
	Name string `arg:"" help:"What the person signs in with."`
	Role string `default:"owner" enum:"owner,staff,viewer" help:"${enum}."`
}

// Run adds a person.
func (c *userAddCmd) Run(ctx context.Context, all *commands, sh shell) error {
	return withStore(ctx, all, sh, func(store *models.Store) error {
		if _, err := store.Staff(ctx, c.Name); err == nil {
			return fmt.Errorf("%s is there already: wxshop user passwd %s changes the password", c.Name, c.Name)
		} else if !errors.Is(err, models.ErrNotFound) {
			return err
		}
		given, err := passwordFor(c.Name, sh.Stdin)
		if err != nil {
			return err
		}
		password, err := addStaff(ctx, store, c.Name, c.Role, given)
		if err != nil {
			return fmt.Errorf("add %s: %w", c.Name, err)
		}
		return tellPassword(sh.Stdout, c.Name, given, password)
	})
}

type userPasswdCmd struct {
	Name string `arg:"" help:"Whose password."`
}

// Run changes a password.
func (c *userPasswdCmd) Run(ctx context.Context, all *commands, sh shell) error {
	return withStore(ctx, all, sh, func(store *models.Store) error {
		person, err := store.Staff(ctx, c.Name)
		if errors.Is(err, models.ErrNotFound) {
			return fmt.Errorf("nobody is called %s: wxshop user add %s", c.Name, c.Name)
		} else if err != nil {
			return err
		}
		given, err := passwordFor(c.Name, sh.Stdin)
		if err != nil {
			return err
		}
		password, phc, err := hashed(given)
		if err != nil {
			return err
		}
		if err := store.SetPassword(ctx, person.ID, phc, given == ""); err != nil {
			return fmt.Errorf("change the password of %s: %w", c.Name, err)
		}
		if err := store.DeleteSessionsOf(ctx, person.ID, ""); err != nil {
			return fmt.Errorf("end the sessions of %s: %w", c.Name, err)
		}
		return tellPassword(sh.Stdout, c.Name, given, password)
	})
}

// passwordFor reads a password from what is piped in; "" asks for a made-up
// one. On a terminal nothing is typed, so nothing is shown over a shoulder.
func passwordFor(name string, stdin io.Reader) (string, error) {
	if stdin == nil || terminal(stdin) {
		return "", nil
	}
	line, err := bufio.NewReader(io.LimitReader(stdin, 1024)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", nil
	}
	return line, handlers.CheckPassword(line, name)
}

func tellPassword(w io.Writer, name, given, password string) error {
	if given != "" {
		_, err := fmt.Fprintf(w, "%s can sign in at /admin\n", name)
		return err
	}
	_, err := fmt.Fprintf(w, "%s can sign in at /admin with  %s  and has to change it there\n", name, password)
	return err
}
