package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// How long a stop may take (security V9): balancers see /readyz say no, then
// running requests end, then the rest.
const (
	leaveTime    = 5 * time.Second // only in public: nobody balances on a laptop
	shutdownTime = 20 * time.Second
	closeTime    = 2 * time.Second
)

// App is a shop that runs behind listeners.
type App struct {
	ShopURL, BrowserURL, GatewayURL, OpsURL string // BrowserURL and GatewayURL are "" without the simulator

	Shop     *Shop
	log      *slog.Logger
	leave    time.Duration
	stopping atomic.Bool // /readyz says no
	alive    atomic.Bool // the loops run

	shop, ops, gateway, browser *server
	done                        chan struct{}
	err                         error
}

// server is an http.Server with the listener that it answers.
type server struct {
	*http.Server
	net.Listener
}

// start opens the listeners, builds the shop and serves it until ctx ends or
// one of its parts dies. The listeners come first, so that a taken port is told
// at once and early visitors wait instead of being refused.
func start(ctx context.Context, cfg Config, p parts, stdout io.Writer) (*App, error) {
	if p.Log == nil {
		p.Log = newLogger(os.Stderr, cfg.Log)
	}
	open, err := listenAll(&cfg)
	if err != nil {
		return nil, err
	}
	shop, err := build(ctx, cfg, p)
	if err != nil {
		open.close()
		return nil, err
	}
	a := &App{Shop: shop, log: p.Log, done: make(chan struct{})}
	if err := a.prepare(open); err != nil {
		open.close()
		return nil, errors.Join(err, shop.Close())
	}
	if err := firstOwner(ctx, shop, stdout); err != nil {
		open.close()
		return nil, errors.Join(err, shop.Close())
	}
	go func() {
		defer close(a.done)
		a.err = a.run(ctx)
	}()
	a.banner(stdout)
	return a, nil
}

// prepare puts servers behind the listeners; none answers yet.
func (a *App) prepare(open listeners) error {
	c := a.Shop.Config
	a.ShopURL, a.OpsURL = c.Site.BaseURL, "http://"+c.Ops.Listen
	a.shop = &server{newServer(a.Shop.Handler, a.log, false), open.shop}
	if c.Site.TLS.Autocert {
		t, err := certificates(c)
		if err != nil {
			return fmt.Errorf("site.tls: %w", err)
		}
		a.shop.TLSConfig = t
	}
	a.ops = &server{newServer(a.opsHandler(), a.log, true), open.ops}
	if u, err := url.Parse(c.Site.BaseURL); err == nil && !loopback(u.Hostname()) {
		a.leave = leaveTime
	}
	if sim := a.Shop.Sim; sim != nil {
		a.GatewayURL, a.BrowserURL = faceURL(c.Simulator.Listen, "localhost"), faceURL(c.Simulator.Browser, "127.0.0.1")
		a.gateway = &server{newServer(sim.Gateway(), a.log, true), open.gateway}
		a.browser = &server{newServer(sim.Browser(), a.log, true), open.browser}
	}
	return nil
}

// Wait returns when everything has stopped, with the error of the part that
// died, or nil after an orderly stop.
func (a *App) Wait() error {
	<-a.done
	return a.err
}

func (a *App) servers() []*server {
	list := []*server{a.shop, a.ops}
	if a.gateway != nil {
		list = append(list, a.gateway, a.browser)
	}
	return list
}

// run serves until ctx ends or a part dies, then stops all parts in order.
func (a *App) run(ctx context.Context) error {
	loops, stopLoops := context.WithCancel(context.WithoutCancel(ctx)) // they outlive the requests
	defer stopLoops()
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range a.servers() {
		g.Go(s.serve)
	}
	loopsDone := make(chan struct{})
	g.Go(func() error {
		defer close(loopsDone)
		a.alive.Store(true)
		defer a.alive.Store(false)
		return a.Shop.Run(loops)
	})
	g.Go(func() error {
		<-ctx.Done()
		a.stop(func() { stopLoops(); <-loopsDone })
		return nil
	})
	err := g.Wait()
	a.log.Info("shop stopped", "op", "serve")
	return err
}

func (s *server) serve() error {
	var err error
	if s.TLSConfig != nil {
		err = s.ServeTLS(s.Listener, "", "")
	} else {
		err = s.Serve(s.Listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", s.Listener.Addr(), err)
}

// stop ends the parts in the order of their needs: visitors, loops, WeChat,
// database, operator.
func (a *App) stop(stopLoops func()) {
	a.log.Info("shop is stopping", "op", "serve")
	a.stopping.Store(true)
	time.Sleep(a.leave)
	a.shutdown(shutdownTime, a.shop, a.browser)
	stopLoops()
	var wg sync.WaitGroup
	wg.Go(func() { a.shutdown(closeTime, a.gateway) }) // ends when Close has ended its streams
	if err := a.Shop.Close(); err != nil {
		a.log.Error("shop closed with errors", "op", "serve", "err", err)
	}
	wg.Wait()
	a.shutdown(closeTime, a.ops)
}

// shutdown lets running requests end and cuts those that take too long.
func (a *App) shutdown(limit time.Duration, servers ...*server) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var wg sync.WaitGroup
	for _, s := range servers {
		if s == nil {
			continue
		}
		wg.Go(func() {
			if err := s.Shutdown(ctx); err != nil {
				a.log.Warn("requests cut at the stop", "op", "serve", "cause", err.Error())
				_ = s.Server.Close() // nothing more can be done for them
			}
		})
	}
	wg.Wait()
}

// faceURL is the address of a listener for people: an address of this machine
// goes by the given name, because cookies tell the faces apart by it.
func faceURL(listen, name string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || !loopback(host) {
		return "http://" + listen
	}
	return "http://" + net.JoinHostPort(name, port)
}
