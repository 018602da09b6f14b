package main

import (
	"context"
	"fmt"
	"io"
)

type serveCmd struct {
	Dev bool `help:"Show the gallery of all views at /dev/gallery. Refused on a public https address."`
}

// Run serves the shop until ctx ends.
func (c *serveCmd) Run(ctx context.Context, all *commands, sh shell) error {
	cfg, err := all.load(sh, func(x *Config) { x.dev = c.Dev })
	if err != nil {
		return err
	}
	log := newLogger(sh.Stderr, cfg.Log)
	checkFiles(log)
	app, err := start(ctx, cfg, parts{Log: log}, sh.Stdout)
	if err != nil {
		return err
	}
	if sh.Started != nil {
		sh.Started(app)
	}
	return app.Wait()
}

// banner prints where everything is.
func (a *App) banner(w io.Writer) {
	line := func(what, url string) { fmt.Fprintf(w, "  %-30s %s\n", url, what) }
	fmt.Fprintf(w, "\n  %s 已开张 is open\n\n", a.Shop.Config.Site.Name)
	if a.Shop.Sim != nil {
		line("微信里的店铺  the shop inside (simulated) WeChat", a.BrowserURL)
	}
	line("浏览器里的店铺  the same shop in an ordinary browser", a.ShopURL)
	line("商家后台  the merchant", a.ShopURL+"/admin")
	if a.Shop.Sim != nil {
		line("模拟器控制台  the simulator's console", a.GatewayURL+"/_sim/")
		fmt.Fprintf(w, "\n  %s (seed %d)\n", simBanner, a.Shop.Sim.Seed())
	}
	fmt.Fprintf(w, "\n  /metrics /healthz /readyz: %s    Ctrl-C 停止 stops\n\n", a.OpsURL)
}
