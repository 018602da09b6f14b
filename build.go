package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"wxshop/checkout"
	"wxshop/handlers"
	"wxshop/models"
	"wxshop/wxpay"
	"wxshop/wxpay/sim"
)

// parts replace what a Shop is otherwise given by the machine. The zero value
// is the real world.
type parts struct {
	Log       *slog.Logger
	Now       func() time.Time
	Transport http.RoundTripper        // from us to WeChat, and from the simulator to us
	Crash     func(point string) error // see models.Options
	Keys      *sim.Keys                // of the simulator's v3, shared by shops of one program; nil: its own
	Step      func(context.Context)    // likewise
	Tick      time.Duration            // see checkout.Options
}

// Shop is a whole shop without a socket: its handlers can be put behind
// listeners, or behind a RoundTripper in a test's bubble.
type Shop struct {
	Config   Config // as it runs: with the simulator's addresses and ids
	Store    *models.Store
	Checkout *checkout.Service
	Sim      *sim.Sim     // nil without the simulator
	Handler  http.Handler // the shop
	Metrics  *prometheus.Registry

	log   *slog.Logger
	clock *drift // nil in a command beside the shop
}

// build opens the database, migrates it, and wires everything that cfg asks
// for. Nothing runs until Run; Close must be called when that has returned.
func build(ctx context.Context, cfg Config, p parts) (s *Shop, err error) {
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	s = &Shop{log: p.Log, Metrics: newRegistry(), clock: &drift{log: p.Log}}
	defer func() {
		if err != nil {
			_ = s.Close() // the first error is the one to tell
			s = nil
		}
	}()
	if cfg.Simulator.Enabled {
		if s.Sim, err = newSim(&cfg, p); err != nil {
			return s, err
		}
	}
	s.Config = cfg
	if s.Store, err = models.Open(ctx, cfg.Database, models.Options{Log: p.Log, Now: p.Now, Crash: p.Crash, Step: p.Step, Serves: true}); err != nil {
		return s, err
	}
	if cfg.Simulator.Enabled {
		if err = seed(ctx, s.Store, p.Log); err != nil {
			return s, err
		}
	}
	s.Metrics.MustRegister(newBooks(s.Store), s.clock.metric())
	err = s.wire(ctx, p)
	return s, err
}

// newSim starts WeChat in this process and points cfg at it.
func newSim(cfg *Config, p parts) (*sim.Sim, error) {
	gateway, browser := "http://"+cfg.Simulator.Listen, faceURL(cfg.Simulator.Browser, "127.0.0.1")
	w, err := sim.New(sim.Options{
		Data: cfg.Simulator.Data, BaseURL: faceURL(cfg.Simulator.Listen, "localhost"), BrowserURL: browser, AppURL: cfg.Site.BaseURL,
		Seed: cfg.Simulator.Seed, Faults: cfg.Simulator.Faults, Public: cfg.Simulator.Public,
		Now: p.Now, Log: p.Log.With("face", "wechat"), Transport: p.Transport, Keys: p.Keys,
	})
	if err != nil {
		return nil, fmt.Errorf("start the simulator: %w", err)
	}
	id := w.Identity()
	if err := useSimulator(cfg, id, gateway); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	if cfg.WeChat.Token == "" {
		cfg.WeChat.Token, _ = w.MessageKeys() // plain messages, as the simulator sends them until told otherwise
	}
	return w, nil
}

// useSimulator gives cfg the simulator's ids, keys and addresses. Ids of a
// real account beside a simulator are a mistake that would cost money, so they
// are refused (security S17).
func useSimulator(cfg *Config, id sim.Identity, gateway string) error {
	var ps problems
	take := func(key string, have *string, want string) {
		if *have != "" && *have != want {
			ps.addf("the simulator is on, but %s is not its own: empty it, or set simulator.enabled: false to use your account", key)
		}
		*have = want
	}
	take("wechat.app_id", &cfg.WeChat.AppID, id.AppID)
	take("wechat.app_secret", &cfg.WeChat.AppSecret, id.AppSecret)
	take("wechat.mini.app_id", &cfg.WeChat.Mini.AppID, id.MiniAppID)
	take("wechat.mini.app_secret", &cfg.WeChat.Mini.AppSecret, id.MiniAppSecret)
	take("pay.mch_id", &cfg.Pay.MchID, id.MchID)
	take("pay.api_key", &cfg.Pay.APIKey, id.APIKey)
	for key, value := range map[string]string{
		"pay.api_v3_key": cfg.Pay.APIv3Key, "pay.private_key_file": cfg.Pay.PrivateKeyFile,
		"pay.platform_public_key_file": cfg.Pay.PlatformPublicKeyFile,
	} {
		if value != "" {
			ps.addf("the simulator is on, but %s is filled in: empty it, or set simulator.enabled: false to use your account", key)
		}
	}
	cfg.Pay.Hosts = []string{gateway}
	cfg.Pay.FaceHost = gateway
	cfg.WeChat.APIBase = gateway
	cfg.WeChat.AuthorizeURL = id.BaseURL + "/connect/oauth2/authorize"
	return ps.err()
}

// simulateV3 gives the configuration the simulator's credentials of v3, if the
// shop speaks v3, has ever done so, or has to: RSA keys take long to make, and
// a shop on v2 alone starts without them.
func (s *Shop) simulateV3(open bool) error {
	if s.Sim == nil {
		return nil
	}
	id, pay := s.Sim.Identity(), &s.Config.Pay
	if pay.API != string(wxpay.V3) && id.MerchantPrivateKey == "" && !open {
		return nil
	}
	id, err := s.Sim.IdentityWithKeys()
	if err != nil {
		return err
	}
	pay.APIv3Key, pay.SerialNo = id.APIv3Key, id.MerchantSerialNo
	// Both kinds of keys, because the console may change the kind at any time.
	pay.PlatformKeyMode, pay.PlatformPublicKeyID = string(wxpay.MixedMode), id.PlatformPublicKeyID
	s.Config.simulated = keysPEM{[]byte(id.MerchantPrivateKey), []byte(id.PlatformPublicKey)}
	return nil
}

func seed(ctx context.Context, store *models.Store, log *slog.Logger) error {
	goods, err := sampleGoods()
	if err != nil {
		return err
	}
	fresh, err := store.SeedIfEmpty(ctx, goods)
	if err != nil {
		return fmt.Errorf("store the sample goods: %w", err)
	}
	if fresh {
		log.Info("sample goods stored", "op", "seed")
	}
	return nil
}

// wire makes the gateways, the workflows and the pages.
func (s *Shop) wire(ctx context.Context, p parts) error {
	gates, err := s.gateways(ctx, p)
	if err != nil {
		return err
	}
	c := s.Config
	s.Checkout = checkout.New(checkout.Config{
		API: wxpay.Version(c.Pay.API), AppID: c.account().PayAppID(), MchID: c.Pay.MchID, SignType: wxpay.SignType(c.Pay.SignType),
		NotifyBase: c.Site.BaseURL, ShopName: c.Site.Name, Expire: c.Orders.Expire, ChaseAfter: c.Orders.ChaseAfter,
		ConfirmAfter: c.Orders.ConfirmAfter, DeliveryFee: c.Orders.DeliveryFee, FreeFrom: c.Orders.FreeFrom,
	}, checkout.Options{
		Store: s.Store, Gateways: gates,
		Log: p.Log, Now: p.Now, Count: newEvents(s.Metrics), Holder: holder(s.Config),
	})
	s.Metrics.MustRegister(newViolations(s.Checkout.Violations))
	return s.wirePages(p)
}

// holder names this process in leases. It is the same after a restart, which
// so goes on at once with the work of a process that was killed; replicas
// differ in their machine or in where they listen.
func holder(c Config) string {
	host, err := os.Hostname()
	if err != nil {
		return "" // a random name
	}
	return host + " " + c.Site.Listen
}

// wirePages makes the site on top of the workflows.
func (s *Shop) wirePages(p parts) error {
	c := s.Config
	account, err := wxpay.NewMP(wxpay.MPConfig{
		AppID: c.WeChat.AppID, AppSecret: c.WeChat.AppSecret, APIBase: c.WeChat.APIBase, AuthorizeURL: c.WeChat.AuthorizeURL,
		Transport: p.Transport, Timeout: c.Pay.Timeout,
	})
	if err != nil {
		return err
	}
	mini, server, err := c.doors(p)
	if err != nil {
		return err
	}
	keys, err := sessionKeys(c.Session.KeysFile)
	if err != nil {
		return err
	}
	d := handlers.Deps{
		Store: s.Store, Checkout: s.Checkout, MP: account, Mini: mini, Account: server, Log: p.Log, Now: p.Now, Metrics: s.Metrics,
		Config: handlers.Config{
			AppID: c.WeChat.AppID, MiniAppID: c.WeChat.Mini.AppID, AppServerKey: c.Pay.AppServerKey, VerifyFiles: c.WeChat.VerifyFiles,
			Site:    handlers.Site{Name: c.Site.Name, BaseURL: c.Site.BaseURL, TrustedProxies: c.Site.TrustedProxies, Insecure: c.insecure},
			Session: handlers.Session{Keys: keys, Idle: c.Session.Idle},
			Limits:  handlers.Limits{OrdersPerMinute: c.Limits.OrdersPerMinute, PagesPerSecond: c.Limits.PagesPerSecond, Body: int64(c.Limits.Body)},
			Orders:  handlers.Orders{FreeFrom: c.Orders.FreeFrom, Fee: c.Orders.DeliveryFee, PayWithin: c.Orders.Expire},
			Admin:   handlers.Admin{Session: c.Admin.Session, StaffRefundLimit: c.Admin.StaffRefundLimit},
			Dev:     c.dev,
		},
	}
	if s.Sim != nil {
		d.Config.SimBanner = simBanner
	}
	site, err := handlers.New(d)
	if err != nil {
		return err
	}
	s.Handler = site.Routes()
	return nil
}

// doors are the ways in that a shop may have beside its pages: a mini program,
// and the messages of its official account. What is not configured is nil.
func (c Config) doors(p parts) (mini *wxpay.MP, server *wxpay.MPServer, err error) {
	w := c.WeChat
	if w.Mini.AppID != "" {
		mini, err = wxpay.NewMP(wxpay.MPConfig{
			AppID: w.Mini.AppID, AppSecret: w.Mini.AppSecret, APIBase: w.APIBase, Transport: p.Transport, Timeout: c.Pay.Timeout, Now: p.Now,
		})
		if err != nil {
			return nil, nil, fmt.Errorf("wechat.mini: %w", err)
		}
	}
	if w.Token != "" {
		server, err = wxpay.NewMPServer(wxpay.MPServerConfig{
			AppID: w.AppID, Token: w.Token, EncodingAESKey: w.EncodingAESKey, Now: p.Now,
		})
	}
	return mini, server, err
}

// simBanner stands on every page of a shop with the simulator.
const simBanner = "模拟支付，不会真的扣款 · Simulated payments, no real money"

// Run keeps the loops of the shop and of the simulator going until ctx ends.
func (s *Shop) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.Checkout.Run(ctx) })
	if s.Sim != nil {
		g.Go(func() error { return s.Sim.Run(ctx) })
	}
	return g.Wait()
}

// Close lets the writes that wait become durable and closes the files. Stop
// Run first.
func (s *Shop) Close() error {
	var errs []error
	if s.Sim != nil {
		errs = append(errs, s.Sim.Close())
	}
	if s.Store != nil {
		errs = append(errs, s.Store.Close())
	}
	return errors.Join(errs...)
}
