package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"wxshop/handlers"
	"wxshop/models"
	"wxshop/wxpay"
)

type doctorCmd struct {
	Offline     bool `help:"Ask nobody: look at the settings only."`
	Certificate bool `help:"Also prove the merchant's certificate, by the refund of an order that does not exist."`
}

// Run looks at everything that keeps the shop from taking money and prints a
// line for each: ok, wrong, or what only a person can see. Something wrong is
// an error.
func (c *doctorCmd) Run(ctx context.Context, all *commands, sh shell) error {
	cfg, err := all.load(sh)
	if err != nil {
		return err
	}
	x, err := checkup(cfg)
	if err != nil {
		return err
	}
	if x.Open, err = openVersions(ctx, cfg); err != nil {
		return err
	}
	x.Online, x.Certificate = !c.Offline, c.Certificate
	return printFindings(sh.Stdout, handlers.Examine(ctx, x))
}

// checkup is the configuration as the doctor wants it. With the simulator on,
// its credentials stand in and WeChat itself is not asked.
func checkup(c Config) (handlers.Checkup, error) {
	x := handlers.Checkup{
		BaseURL: c.Site.BaseURL, Simulator: c.Simulator.Enabled, Serial: c.Pay.SerialNo, KeysFile: c.Session.KeysFile, Now: time.Now,
		API: wxpay.Version(c.Pay.API), Pay: c.account(),
		Account: wxpay.MPConfig{AppID: c.WeChat.AppID, AppSecret: c.WeChat.AppSecret, APIBase: c.WeChat.APIBase, AuthorizeURL: c.WeChat.AuthorizeURL},
		Mini:    wxpay.MPConfig{AppID: c.WeChat.Mini.AppID, AppSecret: c.WeChat.Mini.AppSecret, APIBase: c.WeChat.APIBase},
		Server:  wxpay.MPServerConfig{AppID: c.WeChat.AppID, Token: c.WeChat.Token, EncodingAESKey: c.WeChat.EncodingAESKey},
	}
	if _, err := os.Stat(c.WeChat.VerifyFiles); err == nil {
		x.VerifyFiles = os.DirFS(c.WeChat.VerifyFiles)
	}
	if c.Simulator.Enabled {
		return x, nil
	}
	if pay, err := c.withKeys(x.Pay); err == nil {
		x.Pay = pay
	} else {
		x.Keys = err // the rest is looked at all the same
	}
	if c.Pay.CertificateFile == "" {
		return x, nil
	}
	var err error
	if x.CertPEM, err = os.ReadFile(c.Pay.CertificateFile); err != nil {
		return x, fmt.Errorf("pay.certificate_file: %w", err)
	}
	if x.KeyPEM, err = os.ReadFile(c.Pay.PrivateKeyFile); err != nil {
		return x, fmt.Errorf("pay.private_key_file: %w", err)
	}
	return x, nil
}

// openVersions counts what has not ended, by version; nil when there is no
// database yet, which looking must not make.
func openVersions(ctx context.Context, c Config) (map[wxpay.Version]int64, error) {
	if c.Simulator.Enabled {
		return nil, nil
	}
	if _, err := os.Stat(c.Database.DSN); c.Database.Driver == "sqlite" && err != nil {
		return nil, nil
	}
	store, err := models.Open(ctx, c.Database, models.Options{})
	if err != nil {
		return nil, err
	}
	open, err := store.OpenVersions(ctx)
	out := map[wxpay.Version]int64{}
	for v, n := range open {
		out[wxpay.Version(v)] = n
	}
	return out, errors.Join(err, store.Close())
}

var verdicts = map[wxpay.Verdict]string{wxpay.VerdictOK: "ok   ", wxpay.VerdictWrong: "WRONG", wxpay.VerdictUnknown: "?    "}

// printFindings writes a line per finding and, under it, what to do.
func printFindings(w io.Writer, fs []wxpay.Finding) error {
	bad := 0
	for _, f := range fs {
		fmt.Fprintf(w, "%s  %-14s  %s\n", verdicts[f.Verdict], f.Name, f.What)
		if f.Do != "" && f.Verdict != wxpay.VerdictOK {
			fmt.Fprintf(w, "                       → %s\n", f.Do)
		}
		if f.Verdict == wxpay.VerdictWrong {
			bad++
		}
	}
	if bad > 0 {
		return fmt.Errorf("the doctor found %d wrong; ? is what only you can see", bad)
	}
	fmt.Fprintln(w, "\nnothing wrong was found; ? is what only you can see")
	return nil
}
