package main

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// check adds a sentence for everything in c that cannot work.
func (c *Config) check(ps *problems) {
	c.checkSite(ps)
	c.checkListeners(ps)
	c.checkShop(ps)
	c.checkPay(ps)
	c.checkKeyFiles(ps)
	c.checkSimulator(ps)
	if !c.Simulator.Enabled {
		c.checkAccount(ps)
		c.checkNextKeys(ps)
	}
}

func (c *Config) checkSite(ps *problems) {
	if strings.TrimSpace(c.Site.Name) == "" {
		ps.addf("site.name is empty: write the shop's name")
	}
	u, err := url.Parse(c.Site.BaseURL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		ps.addf("site.base_url %q is not an address such as https://shop.example.com", c.Site.BaseURL)
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		ps.addf("site.base_url %q must end after the host: no path, no query, no name", c.Site.BaseURL)
	case u.Scheme == "http" && !loopback(u.Hostname()) && !c.insecure:
		ps.addf("site.base_url %q is plain http: cookies and orders would travel in the clear. Use https; or --insecure for a test in your own network", c.Site.BaseURL) // S6
	}
	for _, p := range c.Site.TrustedProxies {
		if !trustable(p) {
			ps.addf("site.trusted_proxies: %q is not an address or a network of proxies such as 10.0.0.0/8", p)
		}
	}
	if c.Site.TLS.Autocert && (u == nil || u.Scheme != "https" || loopback(u.Hostname())) {
		ps.addf("site.tls.autocert needs a site.base_url with https and a public host")
	}
	if c.Site.TLS.Autocert && c.Site.TLS.Cache == "" {
		ps.addf("site.tls.cache is empty: name a folder, or every start asks for a new certificate")
	}
}

// trustable refuses a network that holds everybody: then any visitor could
// choose his own address.
func trustable(s string) bool {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Bits() > 0
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}

func (c *Config) checkListeners(ps *problems) {
	used := map[string]string{}
	check := func(key, addr string, local bool) {
		host, port, err := net.SplitHostPort(addr)
		n, portErr := strconv.Atoi(port)
		switch {
		case err != nil || portErr != nil || n < 0 || n > 65535:
			ps.addf("%s: %q is not an address such as 127.0.0.1:8080", key, addr)
			return
		case local && !loopback(host):
			ps.addf("%s: %q can be reached by others; use 127.0.0.1:%s", key, addr, port)
		}
		if other, taken := used[addr]; taken && n != 0 {
			ps.addf("%s and %s are both %s: choose another port", other, key, addr)
		}
		used[addr] = key
	}
	check("site.listen", c.Site.Listen, false)
	check("ops.listen", c.Ops.Listen, true)
	if c.Simulator.Enabled { // it hands out keys and settles orders
		check("simulator.listen", c.Simulator.Listen, !c.Simulator.Public)
		check("simulator.browser", c.Simulator.Browser, !c.Simulator.Public)
	}
}

func (c *Config) checkShop(ps *problems) {
	oneOf(ps, "database.driver", c.Database.Driver, "sqlite", "postgres", "mysql")
	if err := c.Database.Check(); err != nil {
		ps.addf("%v", err)
	}
	if c.Session.KeysFile == "" {
		ps.addf("session.keys_file is empty: without it everybody is signed out at each start")
	}
	within(ps, "session.idle", c.Session.Idle, time.Hour, 30*24*time.Hour)
	within(ps, "admin.session", c.Admin.Session, 5*time.Minute, 24*time.Hour)
	within(ps, "orders.expire", c.Orders.Expire, 5*time.Minute, 2*time.Hour) // a prepay id lives 2 h
	within(ps, "orders.confirm_after", c.Orders.ConfirmAfter, 24*time.Hour, 365*24*time.Hour)
	within(ps, "orders.chase_after", c.Orders.ChaseAfter, time.Second, 5*time.Minute)
	within(ps, "orders.delivery_fee", int64(c.Orders.DeliveryFee), 0, 1_000_000)
	within(ps, "orders.free_from", int64(c.Orders.FreeFrom), 0, 1_000_000_000)
	within(ps, "admin.staff_refund_limit", int64(c.Admin.StaffRefundLimit), 0, 1_000_000_000)
	within(ps, "limits.orders_per_minute", c.Limits.OrdersPerMinute, 0, 1_000_000)
	within(ps, "limits.pages_per_second", c.Limits.PagesPerSecond, 0, 1_000_000)
	within(ps, "limits.body", c.Limits.Body, 16<<10, 1<<20) // a notification needs 16 KiB
	within(ps, "limits.upload", c.Limits.Upload, 64<<10, 64<<20)
	oneOf(ps, "log.format", c.Log.Format, "auto", "text", "json")
	oneOf(ps, "log.level", c.Log.Level, "debug", "info", "warn", "error")
}

func (c *Config) checkPay(ps *problems) {
	oneOf(ps, "pay.api", c.Pay.API, "v2", "v3")
	oneOf(ps, "pay.sign_type", c.Pay.SignType, "HMAC-SHA256", "MD5")
	oneOf(ps, "pay.platform_key_mode", c.Pay.PlatformKeyMode, "public_key", "certificate", "mixed")
	within(ps, "pay.timeout", c.Pay.Timeout, time.Second, 10*time.Second) // V7
	if len(c.Pay.Hosts) == 0 {
		ps.addf("pay.hosts is empty: the gateway is https://api.mch.weixin.qq.com")
	}
	for _, h := range c.Pay.Hosts {
		checkWeChat(ps, "pay.hosts", h)
	}
	if n := len(c.Pay.AppServerKey); n > 0 && n < 32 {
		ps.addf("pay.app_server_key has %d characters: 32 random ones at least, because it orders for anybody", n)
	}
	checkWeChat(ps, "pay.face_host", c.Pay.FaceHost)
	checkWeChat(ps, "wechat.api_base", c.WeChat.APIBase)
	checkWeChat(ps, "wechat.authorize_url", c.WeChat.AuthorizeURL)
}

// checkWeChat lets keys and money go to WeChat over TLS, or to a simulator on
// this machine, and nowhere else (security P21).
func checkWeChat(ps *problems, key, address string) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		ps.addf("%s: %q is not an address such as https://api.weixin.qq.com", key, address)
	case loopback(u.Hostname()) && (u.Scheme == "http" || u.Scheme == "https"):
	case u.Scheme != "https" || !strings.HasSuffix(u.Hostname(), ".weixin.qq.com"):
		ps.addf("%s: %q is neither a host of WeChat (https://….weixin.qq.com) nor this machine", key, address)
	}
}

// checkSimulator keeps the simulated money away from a shop that looks real
// (security S17).
func (c *Config) checkSimulator(ps *problems) {
	oneOf(ps, "simulator.faults", c.Simulator.Faults, "none", "gentle", "harsh")
	u, err := url.Parse(c.Site.BaseURL)
	if c.Simulator.Enabled && !c.Simulator.Public && err == nil && !loopback(u.Hostname()) {
		ps.addf("the simulator is on, but site.base_url %q is not on this machine: everybody could pay with simulated money. "+
			"Set simulator.enabled: false to take real payments, or simulator.public: true for a public demo", c.Site.BaseURL)
	}
}

// loopback reports whether a host name or address means this machine.
func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func oneOf(ps *problems, key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		ps.addf("%s is %q: it can be %s", key, value, strings.Join(allowed, ", "))
	}
}

func within[T ~int64](ps *problems, key string, value, low, high T) {
	if value < low || value > high {
		ps.addf("%s is %v: it must be between %v and %v", key, value, low, high)
	}
}
