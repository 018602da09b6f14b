package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/sync/errgroup"

	"wxshop/wxpay/sim"
)

type simCmd struct {
	Listen      string   `default:"127.0.0.1:8081" placeholder:"ADDR" help:"Gateway and console (${default}). Port 0 takes a free one."`
	Browser     string   `default:"127.0.0.1:8082" placeholder:"ADDR" help:"WeChat browser (${default}). Port 0 takes a free one."`
	TLSListen   string   `name:"tls-listen" placeholder:"ADDR" help:"The gateway once more over TLS, where refunds want the merchant's certificate. Port 0 takes a free one."`
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
	doors, tlsURL := []net.Listener{gateway, browser}, ""
	if c.TLSListen != "" {
		secure, err := listen("--tls-listen", &c.TLSListen)
		if err != nil {
			closeAll(doors)
			return err
		}
		doors, tlsURL = append(doors, secure), strings.Replace(faceURL(c.TLSListen, "localhost"), "http://", "https://", 1)
	}
	level := "info"
	if c.Quiet {
		level = "error"
	}
	log := newLogger(sh.Stderr, LogConfig{Format: "auto", Level: level})
	s, err := sim.New(sim.Options{
		Data: c.Data, BaseURL: faceURL(c.Listen, "localhost"), BrowserURL: faceURL(c.Browser, "127.0.0.1"), AppURL: c.App, TLSURL: tlsURL,
		Seed: c.Seed, Faults: c.Faults, NotifyAllow: c.NotifyAllow, Log: log,
	})
	if err != nil {
		closeAll(doors)
		return fmt.Errorf("start the simulator: %w", err)
	}
	faces := []*server{{newServer(s.Gateway(), log, true), gateway}, {newServer(s.Browser(), log, true), browser}}
	if tlsURL != "" {
		conf, err := s.TLSConfig()
		if err != nil {
			closeAll(doors)
			return errors.Join(err, s.Close())
		}
		faces = append(faces, &server{newServer(s.Gateway(), log, true), tls.NewListener(doors[2], conf)})
	}
	if !c.Quiet {
		s.Banner(sh.Stdout)
		if err := s.Settings(sh.Stdout); err != nil {
			closeAll(doors)
			return errors.Join(err, s.Close())
		}
	}
	return errors.Join(serveSim(ctx, s, faces), s.Close())
}

func closeAll(doors []net.Listener) {
	for _, l := range doors {
		l.Close()
	}
}

// serveSim runs the faces and the deliveries until ctx ends or one dies.
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
