package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"text/tabwriter"
	"time"

	"wxshop/checkout"
	"wxshop/models"
	"wxshop/wxpay"
	"wxshop/wxpay/sim"
)

// errDiffer is what differences end the program with, as against trouble.
var errDiffer = errors.New("WeChat's bill and our books differ")

type reconcileCmd struct {
	Day string `placeholder:"2026-11-19" help:"The day in Beijing; without it yesterday. Any day that WeChat has a bill of: the last three months."`
}

// Run compares WeChat's bill of a day with our books and prints what differs.
// Differences end it with status 3; 1 is trouble, such as a bill that is not
// made yet.
func (c *reconcileCmd) Run(ctx context.Context, all *commands, sh shell) error {
	day := time.Now().In(beijing).AddDate(0, 0, -1)
	if c.Day != "" {
		var err error
		if day, err = checkout.ParseDay(c.Day); err != nil {
			return fmt.Errorf("--day %s: write a day as 2026-11-19", c.Day)
		}
	}
	cfg, err := all.load(sh)
	if err != nil {
		return err
	}
	if cfg.Simulator.Enabled {
		if err := askSimulator(ctx, &cfg); err != nil {
			return err
		}
	}
	log := newLogger(sh.Stderr, cfg.Log)
	store, err := models.Open(ctx, cfg.Database, models.Options{Log: log})
	if err != nil {
		return err
	}
	return errors.Join(reconcile(ctx, cfg, store, log, day, sh.Stdout), store.Close())
}

func reconcile(ctx context.Context, cfg Config, store *models.Store, log *slog.Logger, day time.Time, w io.Writer) error {
	shop := &Shop{Config: cfg, Store: store, log: log}
	gates, err := shop.gateways(ctx, parts{Log: log, Now: time.Now})
	if err != nil {
		return err
	}
	service := checkout.New(checkout.Config{
		API: wxpay.Version(cfg.Pay.API), AppID: cfg.account().PayAppID(), MchID: cfg.Pay.MchID, SignType: wxpay.SignType(cfg.Pay.SignType),
	}, checkout.Options{Store: store, Gateways: gates, Log: log})
	d, err := service.Reconcile(ctx, day)
	if err != nil {
		return explainBill(day, err)
	}
	return printBill(ctx, w, store, d)
}

// explainBill puts the ordinary reasons into one clear sentence.
func explainBill(day time.Time, err error) error {
	for _, known := range []error{checkout.ErrBillWaits, checkout.ErrBillGone, checkout.ErrBillBusy} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s: %w", checkout.DayName(day), known)
		}
	}
	return err
}

// askSimulator gives cfg the credentials of the simulated WeChat that a
// running shop has inside: this program must not start another one on its
// ledger. Its v2 bill has the payments of v3 too, as in life.
func askSimulator(ctx context.Context, cfg *Config) error {
	gateway := "http://" + cfg.Simulator.Listen
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, gateway+"/_sim/api/identity", nil)
	if err != nil {
		return fmt.Errorf("simulator.listen: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the simulated WeChat does not answer at %s: start the shop first (wxshop serve): %w", cfg.Simulator.Listen, err)
	}
	defer res.Body.Close()
	var id sim.Identity
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&id); err != nil {
		return fmt.Errorf("%s is not the simulated WeChat: %w", cfg.Simulator.Listen, err)
	}
	if id.APIKey == "" {
		return errors.New("the simulated WeChat is public and gives nobody its keys: compare the day in the back office")
	}
	if err := useSimulator(cfg, id, gateway); err != nil {
		return err
	}
	cfg.Pay.APIv3Key, cfg.Pay.SerialNo = id.APIv3Key, id.MerchantSerialNo
	cfg.Pay.PlatformKeyMode, cfg.Pay.PlatformPublicKeyID = id.KeyMode, id.PlatformPublicKeyID
	cfg.simulated = keysPEM{[]byte(id.MerchantPrivateKey), []byte(id.PlatformPublicKey)}
	return nil
}

// printBill prints the sums of both sides and every difference that is open.
func printBill(ctx context.Context, out io.Writer, store *models.Store, d *models.BillDay) error {
	fmt.Fprintf(out, "%s in Beijing, amounts in yuan\n\n", d.Day)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\tWeChat's bill\t\tour books\t\n")
	fmt.Fprintf(t, "payments\t%d\t%s\t%d\t%s\n", d.Payments, d.Paid, d.OurPayments, d.OurPaid)
	fmt.Fprintf(t, "refunds\t%d\t%s\t%d\t%s\n", d.Refunds, d.Refunded, d.OurRefunds, d.OurRefunded)
	if err := t.Flush(); err != nil {
		return err
	}
	for _, x := range []struct {
		n    int64
		what string
	}{
		{d.Reversed, "sales of the cash desk were taken back"},
		{d.Known, "lines differ for a reason that is known: payments to check, sales taken back"},
		{d.Waiting, "rows happened around midnight; only the next day's bill can tell"},
	} {
		if x.n > 0 {
			fmt.Fprintf(out, "%d %s\n", x.n, x.what)
		}
	}
	if d.State == models.BillNone {
		fmt.Fprintln(out, "WeChat has no bill of this day: nothing happened there")
	}
	n, err := printDifferences(ctx, out, store, d.Day)
	switch {
	case err != nil:
		return err
	case n > 0:
		return fmt.Errorf("%w: %d differences, see /admin/reconcile/%s", errDiffer, n, d.Day)
	}
	fmt.Fprintln(out, "\nno differences")
	return nil
}

func printDifferences(ctx context.Context, out io.Writer, store *models.Store, day string) (n int, err error) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, kind := range models.DiffKinds {
		for after := int64(0); ; {
			ds, err := store.Differences(ctx, day, kind, false, after, 0)
			if err != nil {
				return n, err
			}
			if len(ds) == 0 {
				break
			}
			if n == 0 {
				fmt.Fprintf(t, "\ndifference\tnumber\tWeChat's bill\tour books\twhen\ttransaction\n")
			}
			for _, d := range ds {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", d.Kind, d.Number, side(d.Theirs, d.TheirState), side(d.Ours, d.OurState), clock(d.At), d.TransactionID)
			}
			n, after = n+len(ds), ds[len(ds)-1].ID
		}
	}
	return n, t.Flush()
}

// side is an amount of one side with its state there.
func side(f models.Fen, state string) string {
	if f < 0 {
		return "-"
	}
	return f.String() + " " + state
}
