package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"wxshop/models"
)

// beijing is the zone in which people in China read times.
var beijing = time.FixedZone("CST", 8*3600)

type orderCmd struct {
	No string `arg:"" help:"The order number."`
}

// Run prints the timeline of an order.
func (c *orderCmd) Run(ctx context.Context, all *commands, sh shell) error {
	return withStore(ctx, all, sh, func(store *models.Store) error {
		d, err := store.Dossier(ctx, c.No)
		if errors.Is(err, models.ErrNotFound) {
			return fmt.Errorf("there is no order %s", c.No)
		} else if err != nil {
			return err
		}
		return printOrder(sh.Stdout, d)
	})
}

// printOrder shows no name, phone or address: terminals are shared and logged.
func printOrder(w io.Writer, d *models.Dossier) error {
	o := d.Order
	fmt.Fprintf(w, "order %s  %s  ¥%s  (times are Beijing's)\n\n", o.No, o.State, o.Total)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range d.Events {
		move := ""
		if e.From != e.To {
			move = e.From + " → " + e.To
		}
		amount := ""
		if e.Amount != 0 {
			amount = "¥" + e.Amount.String()
		}
		ids := strings.TrimSpace(e.OutTradeNo + " " + e.TransactionID)
		fmt.Fprintln(t, strings.Join([]string{clock(e.At), e.Kind, move, amount, e.Actor, ids, e.Note}, "\t"))
	}
	for _, p := range d.Payments {
		fmt.Fprintf(t, "\npayment %s\t%s %s\t%s\t¥%s\t%s\n", p.OutTradeNo, p.API, p.Channel, p.State, p.Total, p.LastError)
	}
	for _, r := range d.Refunds {
		fmt.Fprintf(t, "\nrefund %s\t%s\t%s\t¥%s\n", r.OutRefundNo, r.Reason, r.State, r.Amount)
	}
	for _, m := range d.Misfits {
		fmt.Fprintf(t, "\nto check %s\t%s\t%s\tgot %s\twant %s\n", m.TransactionID, m.Reason, m.State, m.Got, m.Want)
	}
	return t.Flush()
}

func clock(t models.Time) string { return t.In(beijing).Format("2006-01-02 15:04:05") }
