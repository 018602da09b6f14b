package sim

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// accountJSON are the settings of the merchant and its account, as on WeChat's
// two consoles: GET and PUT /_sim/api/account. With enforce, each mistake in
// them has WeChat's own effect.
type accountJSON struct {
	Enforce        bool     `json:"enforce"`
	PayDirectories []string `json:"pay_directories"` // at most 5
	OAuthDomains   []string `json:"oauth_domains"`   // at most 2
	JSDomains      []string `json:"js_domains"`      // at most 5
	IPWhitelist    []string `json:"ip_whitelist"`
	BoundAppIDs    []string `json:"bound_app_ids"`
	Products       []string `json:"products"`
	KeyMode        string   `json:"key_mode"`
	BillHost       string   `json:"bill_host"`
	CloseUnknown   string   `json:"close_unknown"` // what API v3 answers to closing a number that nobody used
	Reentry        string   `json:"reentry"`       // how API v3 refuses a number that comes again with other parameters
}

// The answers about which WeChat's documents and merchants' logs differ. The
// first of each is the default.
const (
	closeUnknownBurns   = "burn"      // 204, and the number is lost
	closeUnknownRefused = "not_exist" // 404 ORDER_NOT_EXIST

	reentryMismatch = "mismatch" // 400 请求重入时，参数与首次请求时不一致
	reentryRepeated = "repeated" // 400 201 商户订单号重复
	reentryUsed     = "used"     // 403 OUT_TRADE_NO_USED
)

const (
	maxDirectories  = 5
	maxOAuthDomains = 2
	maxJSDomains    = 5
	maxListed       = 50
)

func productNames() []string {
	return []string{"JSAPI", "NATIVE", "MWEB", "APP", "MICROPAY", "FACEPAY"}
}

// The key modes of a merchant: by which keys WeChat signs answers and notifications.
const (
	modePublicKey   = "public_key"
	modeCertificate = "certificate"
	modeMixed       = "mixed" // in the middle of the switch from certificate to public key
)

func keyModes() []string { return []string{modePublicKey, modeCertificate, modeMixed} }

// accountMistake is a refusal that a setting caused: WeChat's words, and what
// to set where.
type accountMistake struct {
	says   error
	advice string
}

func (e *accountMistake) Error() string { return e.says.Error() }
func (e *accountMistake) Unwrap() error { return e.says }

// The refusals for products that are not opened (WeChat Pay v2, "错误码").
var (
	errNoAuth     = businessFail{"NOAUTH", "商户无此接口权限"}
	errNoCodeAuth = businessFail{"NOAUTH", "商户无权限使用该付款码"}
)

// defaultAccount is how a shop at its default address would be set up.
func (s *Sim) defaultAccount() accountJSON {
	shop := s.opts.AppURL
	if shop == "" {
		shop = "http://localhost:8080"
	}
	host := ""
	if u, err := url.Parse(shop); err == nil {
		host = u.Hostname()
	}
	return accountJSON{
		PayDirectories: []string{shop + "/"}, OAuthDomains: []string{host}, JSDomains: []string{host},
		IPWhitelist: []string{"127.0.0.1"}, BoundAppIDs: []string{appID1, miniAppID1},
		Products: productNames(), KeyMode: "public_key", BillHost: "self",
		CloseUnknown: closeUnknownBurns, Reentry: reentryMismatch,
	}
}

// account are the settings that hold.
func (s *Sim) account() accountJSON {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accountLocked()
}

func (s *Sim) accountLocked() accountJSON {
	if s.ledger.account == nil {
		return s.defaultAccount()
	}
	a := *s.ledger.account
	a.complete()
	return a
}

// enforced are the settings when they are enforced, else nil. They are never
// changed in place.
func (s *Sim) enforced() *accountJSON {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.ledger.account; a != nil && a.Enforce {
		return a
	}
	return nil
}

// setAccount checks and keeps new settings. Values that WeChat's consoles
// would take, but that are no use, are taken too: they can be got wrong here.
func (s *Sim) setAccount(a accountJSON) error {
	a.complete()
	if err := a.check(); err != nil {
		return err
	}
	s.mu.Lock()
	err := s.commit(&record{Kind: recAccount, Account: &a})
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.ids.setKeyMode(a.KeyMode)
	s.timelineAccount(a)
	return s.journal.sync()
}

// complete gives settings that a former version did not know their defaults.
func (a *accountJSON) complete() {
	a.CloseUnknown, a.Reentry = cmp.Or(a.CloseUnknown, closeUnknownBurns), cmp.Or(a.Reentry, reentryMismatch)
}

func (a *accountJSON) check() error {
	for _, list := range []struct {
		name string
		have *[]string
		most int
	}{
		{"pay_directories", &a.PayDirectories, maxDirectories}, {"oauth_domains", &a.OAuthDomains, maxOAuthDomains},
		{"js_domains", &a.JSDomains, maxJSDomains}, {"ip_whitelist", &a.IPWhitelist, maxListed}, {"bound_app_ids", &a.BoundAppIDs, maxListed},
		{"products", &a.Products, maxListed},
	} {
		if *list.have == nil {
			*list.have = []string{}
		}
		if len(*list.have) > list.most {
			return badRequest("%s may have at most %d entries, as on WeChat's console", list.name, list.most)
		}
		for _, v := range *list.have {
			if v == "" || len(v) > 256 || strings.ContainsAny(v, " \t\r\n") {
				return badRequest("%s: an entry is empty, longer than 256 characters, or has blanks", list.name)
			}
		}
	}
	for _, p := range a.Products {
		if !slices.Contains(productNames(), p) {
			return badRequest("unknown product %q; choose from %s", p, strings.Join(productNames(), ", "))
		}
	}
	switch {
	case !slices.Contains(keyModes(), a.KeyMode):
		return badRequest("key_mode must be %s", strings.Join(keyModes(), ", "))
	case a.BillHost != "self" && a.BillHost != "canonical":
		return badRequest("bill_host must be self or canonical")
	case !slices.Contains([]string{closeUnknownBurns, closeUnknownRefused}, a.CloseUnknown):
		return badRequest("close_unknown must be %s or %s", closeUnknownBurns, closeUnknownRefused)
	case !slices.Contains([]string{reentryMismatch, reentryRepeated, reentryUsed}, a.Reentry):
		return badRequest("reentry must be %s, %s or %s", reentryMismatch, reentryRepeated, reentryUsed)
	}
	return nil
}

// apiSetAccount changes what the body names and leaves the rest.
func (s *Sim) apiSetAccount(r *http.Request) (any, error) {
	in := s.account()
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	if err := s.setAccount(in); err != nil {
		return nil, err
	}
	return s.account(), nil
}

// mayCall checks binding and products of a v2 call.
func (s *Sim) mayCall(q v2Request) error {
	if q.sandbox {
		return nil
	}
	product, no := productOf(q)
	return s.hasProduct(product, no)
}

// hasProduct checks that the merchant has a product; no says that it has not.
func (s *Sim) hasProduct(product string, no businessFail) error {
	a := s.enforced()
	if a == nil || product == "" || slices.Contains(a.Products, product) {
		return nil
	}
	return &accountMistake{no, "商户平台 → 产品中心 → 开通“" + product + "”。The product " + product +
		" is not opened for this merchant; here: products of /_sim/account."}
}

// bound reports whether an appid is bound to the merchant.
func (s *Sim) bound(appID string) error {
	a := s.enforced()
	if a == nil || slices.Contains(a.BoundAppIDs, appID) {
		return nil
	}
	return &accountMistake{failMismatch, "商户平台 → 产品中心 → AppID 账号管理 → 关联 " + appID + "，再到公众平台确认。The appid is not bound to the merchant number; here: bound_app_ids of /_sim/account."}
}

// productOf is the product that a call needs, and how its lack is said.
func productOf(q v2Request) (string, businessFail) {
	switch q.path {
	case "/pay/unifiedorder":
		return q.in["trade_type"], errNoAuth
	case "/pay/micropay", "/tools/authcodetoopenid":
		return "MICROPAY", errNoCodeAuth
	case "/pay/facepay":
		return "FACEPAY", errNoAuth
	}
	return "", businessFail{}
}

// ipAllowed checks who asks for the account's token (official accounts,
// "全局返回码", 40164). Loopback is one address, whatever its spelling.
func (s *Sim) ipAllowed(r *http.Request) (mpError, string) {
	a := s.enforced()
	if a == nil {
		return mpError{}, ""
	}
	ip := callerIP(r)
	for _, listed := range a.IPWhitelist {
		if net, err := netip.ParsePrefix(listed); err == nil && net.Contains(ip) {
			return mpError{}, ""
		}
		if one, err := netip.ParseAddr(listed); err == nil && (one.Unmap() == ip || one.IsLoopback() && ip.IsLoopback()) {
			return mpError{}, ""
		}
	}
	six := ip.String()
	if ip.Is4() {
		six = "::ffff:" + six
	}
	return mpError{40164, "invalid ip " + ip.String() + " ipv6 " + six + ", not in whitelist"},
		"公众平台 → 设置与开发 → 基本配置 → IP 白名单，加上 " + ip.String() + "。Add this address to the IP whitelist; here: ip_whitelist of /_sim/account."
}

// callerIP is where a call came from; without a socket it is loopback.
func callerIP(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return ip.Unmap().WithZone("")
}
