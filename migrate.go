package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"wxshop/models"
)

type migrateCmd struct{}

// Run brings the database up to date.
func (migrateCmd) Run(ctx context.Context, all *commands, sh shell) error {
	return withStore(ctx, all, sh, func(store *models.Store) error {
		if err := store.Ping(ctx); err != nil {
			return err
		}
		_, err := fmt.Fprintln(sh.Stdout, "the database is up to date")
		return err
	})
}

// withStore opens the configured database for f and closes it again.
func withStore(ctx context.Context, all *commands, sh shell, f func(*models.Store) error) error {
	cfg, err := all.load(sh)
	if err != nil {
		return err
	}
	store, err := models.Open(ctx, cfg.Database, models.Options{Log: newLogger(sh.Stderr, cfg.Log)})
	if err != nil {
		return err
	}
	return errors.Join(f(store), store.Close())
}

type versionCmd struct{}

// Run prints the version of the program and of its Go.
func (versionCmd) Run(sh shell) error {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	_, err := fmt.Fprintln(sh.Stdout, "wxshop", version, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH)
	return err
}
