package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"wxshop/models"
)

type moveCmd struct {
	Driver  string `help:"The kind of the new database: sqlite, postgres or mysql." enum:"sqlite,postgres,mysql" required:""`
	DSNFile string `name:"dsn-file" help:"A file with the new database's DSN, so that no password stands in the command line." type:"existingfile" placeholder:"FILE" xor:"dsn"`
	DSN     string `name:"dsn" help:"The DSN itself; better from the environment." env:"WXSHOP_MOVE_DSN" placeholder:"DSN" xor:"dsn"`
}

// Run copies the shop from the configured database into an empty one.
func (c *moveCmd) Run(ctx context.Context, all *commands, sh shell) error {
	cfg, err := all.load(sh)
	if err != nil {
		return err
	}
	dsn := c.DSN
	if c.DSNFile != "" {
		b, err := os.ReadFile(c.DSNFile)
		if err != nil {
			return fmt.Errorf("read the new DSN: %w", err)
		}
		dsn = strings.TrimSpace(string(b))
	}
	to := models.Config{Driver: c.Driver, DSN: dsn}
	if dsn == "" {
		return errors.New("say where the new database is: --dsn-file FILE or WXSHOP_MOVE_DSN")
	}
	if to == cfg.Database {
		return errors.New("the new database is the one that the configuration names")
	}
	tables, err := models.Move(ctx, cfg.Database, to, time.Now())
	if err != nil {
		return fmt.Errorf("move: %w", err)
	}
	w := tabwriter.NewWriter(sh.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "table\trows\tsums, equal on both sides")
	for _, t := range tables {
		fmt.Fprintf(w, "%s\t%d\t", t.Name, t.Rows)
		for _, column := range slices.Sorted(maps.Keys(t.Sums)) {
			fmt.Fprintf(w, "%s %d  ", column, t.Sums[column])
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\nMoved. Set database.driver to %s and database.dsn to the new DSN, then start the shop.\nThe old database is as it was: keep it as a backup, and do not start a shop on it.\n", c.Driver)
	return w.Flush()
}
