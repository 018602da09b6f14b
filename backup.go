package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wxshop/models"
)

type backupCmd struct {
	File string `arg:"" help:"The new file. A folder gets a file named by the time; of those in it, 24 hours, 14 days and 12 months are kept."`
}

// Run copies the database while the shop runs (security D4).
func (c *backupCmd) Run(ctx context.Context, all *commands, sh shell) error {
	cfg, err := all.load(sh)
	if err != nil {
		return err
	}
	name, folder, now := c.File, false, time.Now()
	if st, err := os.Stat(name); err == nil && st.IsDir() {
		name, folder = filepath.Join(name, backupName(now)), true
	}
	sum, err := models.Backup(ctx, cfg.Database, name)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	fmt.Fprintf(sh.Stdout, "%s: %s\n", name, summary(*sum))
	if folder {
		return thinOut(c.File, now, sh.Stdout)
	}
	return nil
}

type restoreCmd struct {
	File string `arg:"" help:"A file that wxshop backup made." type:"existingfile"`
}

// Run puts a backup in the place of the database (security D6).
func (c *restoreCmd) Run(ctx context.Context, all *commands, sh shell) error {
	cfg, err := all.load(sh)
	if err != nil {
		return err
	}
	r, err := models.Restore(ctx, cfg.Database, c.File, time.Now())
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	fmt.Fprintf(sh.Stdout, "restored %s\n", summary(r.Summary))
	if r.Kept != "" {
		fmt.Fprintf(sh.Stdout, "the database that was there is kept as %s\n", r.Kept)
	}
	_, err = fmt.Fprintln(sh.Stdout, "Start the shop: it asks WeChat about every open payment.\n"+
		"Then compare the bill of each day since the backup with  wxshop reconcile --day : orders that were made\n"+
		"after it are known to WeChat alone, and wait in \"payments to check\" or in the differences of that day.")
	return err
}

// summary is one line about a database.
func summary(m models.Summary) string {
	newest := "nothing ever happened"
	if !m.Newest.IsZero() {
		newest = "newest change " + clock(m.Newest) + " (Beijing)"
	}
	return fmt.Sprintf("%s, %d orders, %d payments of ¥%s, %d refunds of ¥%s, %d payments to check, %d users, %d sessions, %s, schema %s",
		size(m.Bytes), m.Orders, m.Paid, m.PaidTotal, m.Refunds, m.RefundedTotal, m.ToCheck, m.Users, m.Sessions, newest, m.Migration)
}

func size(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// Names of the backups in a folder: shop-20261120T213000Z.db, which sort by time.
const backupLayout = "shop-20060102T150405Z.db"

func backupName(t time.Time) string { return t.UTC().Format(backupLayout) }

// thinOut deletes the backups of a folder that nobody needs any more
// (security D5). Other files are left alone.
func thinOut(folder string, now time.Time, out io.Writer) error {
	files, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("read the folder of the backups: %w", err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	var errs []error
	for _, name := range superfluous(names, now) {
		if err := os.Remove(filepath.Join(folder, name)); err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(out, "deleted %s\n", name)
	}
	return errors.Join(errs...)
}

// superfluous are those that are neither the newest of one of the last 24
// hours, nor of the last 14 days, nor of the last 12 months, that have one.
func superfluous(names []string, now time.Time) (old []string) {
	type backup struct {
		name string
		at   time.Time
	}
	var all []backup
	for _, name := range names {
		if at, err := time.Parse(backupLayout, name); err == nil && !at.After(now) {
			all = append(all, backup{name, at.In(beijing)})
		}
	}
	slices.SortFunc(all, func(a, b backup) int { return strings.Compare(b.name, a.name) }) // newest first
	keep := map[string]bool{}
	for _, rule := range []struct {
		slot  string
		slots int
	}{{"2006010215", 24}, {"20060102", 14}, {"200601", 12}} {
		seen := map[string]bool{}
		for _, b := range all {
			slot := b.at.Format(rule.slot)
			if !seen[slot] && len(seen) < rule.slots {
				seen[slot], keep[b.name] = true, true
			}
		}
	}
	for _, b := range all {
		if !keep[b.name] {
			old = append(old, b.name)
		}
	}
	return old
}
