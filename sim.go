package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"wxshop/wxpay/sim"
)

type simCmd struct {
	Listen      string   `default:"127.0.0.1:8081" placeholder:"ADDR" help:"Gateway and console (${default}). Port 0 takes a free one."`
	Browser     string   `default:"127.0.0.1:8082" placeholder:"ADDR" help:"WeChat browser (${default}). Port 0 takes a free one."`
	App         string   `placeholder:"URL" help:"The shop to be shown in the WeChat browser, such as http://localhost:3000."`
	Data        string   `default:"data/sim" placeholder:"DIR" help:"Where keys and ledger are kept (${default}); '' keeps nothing."`
	Seed        int64    `placeholder:"N" help:"What chance starts from; 0 picks one and prints it."`
	Faults      string   `default:"none" enum:"none,gentle,harsh" help:"How rude it is: ${enum}."`
	NotifyAllow []string `placeholder:"HOST" help:"Hosts beside this machine that may be called back."`
	Quiet       bool     `help:"Print nothing but errors."`
}

// Run is WeChat alone, until ctx ends.
func (c *simCmd) Run(ctx context.Context, sh shell) error {
	gateway, err := listen("--listen", &c.Listen)
	if err != nil {
		return err
	}
	browser, err := listen("--browser", &c.Browser)
	if err != nil {
		gateway.Close()
		return err
	}
	level := "info"
	if c.Quiet {
		level = "error"
	}
	log := newLogger(sh.Stderr, LogConfig{Format: "auto", Level: level})
	s, err := sim.New(sim.Options{
		Data: c.Data, BaseURL: faceURL(c.Listen, "localhost"), BrowserURL: faceURL(c.Browser, "127.0.0.1"), AppURL: c.App,
		Seed: c.Seed, Faults: c.Faults, NotifyAllow: c.NotifyAllow, Log: log,
	})
	if err != nil {
		gateway.Close()
		browser.Close()
		return fmt.Errorf("start the simulator: %w", err)
	}
	if !c.Quiet {
		s.Banner(sh.Stdout)
	}
	faces := []*server{{newServer(s.Gateway(), log, true), gateway}, {newServer(s.Browser(), log, true), browser}}
	return errors.Join(serveSim(ctx, s, faces), s.Close())
}

// serveSim runs both faces and the deliveries until ctx ends or one dies.
func serveSim(ctx context.Context, s *sim.Sim, faces []*server) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, f := range faces {
		g.Go(f.serve)
	}
	g.Go(func() error { return s.Run(ctx) })
	g.Go(func() error {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		for _, f := range faces {
			if f.Shutdown(end) != nil { // streams and slow callers are cut
				_ = f.Server.Close()
			}
		}
		return nil
	})
	return g.Wait()
}
