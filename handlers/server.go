// Package handlers is HTTP in, HTTP out: it reads requests strictly, asks
// checkout and models, and sends what views draws. It holds no SQL, signs
// nothing, decides nothing about money and never writes a state.
package handlers

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"wxshop/checkout"
	"wxshop/models"
	"wxshop/views"
	"wxshop/wxpay"
)

// Deps is everything a Server needs. Store, Checkout and MP must be set.
type Deps struct {
	Store    *models.Store
	Checkout *checkout.Service
	MP       *wxpay.MP
	Mini     *wxpay.MP             // the mini program; nil: there is none, and no /api/mini
	Account  *wxpay.MPServer       // messages of the official account; nil: no /wechat
	Log      *slog.Logger          // nil: nothing is logged
	Now      func() time.Time      // nil: time.Now
	Metrics  prometheus.Registerer // nil: counted, but not shown
	Config   Config
}

// Config is what the doors need to know of the shop.
type Config struct {
	AppID     string // of the official account whose openids sign people in
	MiniAppID string // of the mini program
	// AppServerKey is what the server of an app proves itself by; "": no /api/app.
	AppServerKey string
	// VerifyFiles is the folder of the MP_verify_….txt files; "": none.
	VerifyFiles string
	Site        Site
	Session     Session
	Limits      Limits
	Orders      Orders
	Admin       Admin
	// SimBanner, when not empty, says that the money here is play money.
	SimBanner string
	// Dev shows the gallery of all views; refused on a public https address.
	Dev bool
}

// Site says where the shop is.
type Site struct {
	Name           string
	Phone          string   // "" hides the ways to call
	BaseURL        string   // scheme and host; the only source of absolute addresses
	Aliases        []string // other Host values that are taken as ours
	TrustedProxies []string // whose X-Forwarded-For is believed; none by default
	HSTS           string   // on https; "" is two years with subdomains
	Insecure       bool     // plain http beyond this machine, for closed test networks
}

// Session says how sessions are kept.
type Session struct {
	Keys [][]byte      // pairs of hash key and block key (nil: no encryption), the newest first
	Idle time.Duration // of shoppers
}

// Limits bounds what one visitor can ask for; 0 is no limit.
type Limits struct {
	OrdersPerMinute int64 // submitted checkouts per user
	PagesPerSecond  int64 // requests per address
	Body            int64 // bytes of a form; 0 is 64 KiB
}

// Orders are the rules of trade that pages speak of.
type Orders struct {
	FreeFrom  models.Fen // goods from here on travel free
	Fee       models.Fen // delivery below that
	PayWithin time.Duration
}

// Admin are the rules for the people of the shop.
type Admin struct {
	Session time.Duration // from sign-in to the next one; 0 is 12 hours
	// StaffRefundLimit is the most that one refund by staff may be; an owner
	// has no limit.
	StaffRefundLimit models.Fen
}

const defaultHSTS = "max-age=63072000; includeSubDomains; preload"

// Server answers the shoppers, WeChat and the staff.
type Server struct {
	Deps
	engine    *gin.Engine
	base      *url.URL
	https     bool
	hosts     hosts
	headers   headerSets
	csrf      *http.CrossOriginProtection
	metrics   *metrics
	bodyLimit int64

	shoppers *sessionStore // cookies of shoppers
	staff    *sessionStore // cookies of the merchant's people
	desk     *desk         // their door

	pages, searches, orders, pays, polls, trips, logins *limiter

	heard    *heard        // messages of the official account
	admitted *admitted     // form tokens that passed the limit
	work     chan struct{} // requests in work
	notifies chan struct{} // notifications in work: shoppers cannot starve them
	outside  chan struct{} // notifications that wait for that
	cache    *pageCache
	catalog  catalogCache
	flights  singleflight.Group // returns from WeChat, one at a time per trip
}

// New checks the configuration and makes a Server.
func New(d Deps) (*Server, error) {
	if d.Store == nil || d.Checkout == nil || d.MP == nil {
		return nil, errors.New("handlers need a store, a checkout and an official account")
	}
	base, err := checkBase(d.Config.Site.BaseURL, d.Config.Site.Insecure)
	if err != nil {
		return nil, err
	}
	https := base.Scheme == "https"
	if err := checkSession(d.Config, https); err != nil {
		return nil, err
	}
	fillDefaults(&d)
	m, err := newMetrics(d.Metrics)
	if err != nil {
		return nil, err
	}
	s := &Server{
		Deps: d, base: base, https: https, metrics: m, bodyLimit: d.Config.Limits.Body,
		hosts:    newHosts(base, d.Config.Site.Aliases),
		headers:  newHeaderSets(https, d.Config.Site.HSTS, views.StyleHash()),
		csrf:     http.NewCrossOriginProtection(),
		shoppers: newSessions(d, "shop", http.SameSiteLaxMode, https),
		staff:    newSessions(d, "admin", http.SameSiteStrictMode, https),
		desk:     newDesk(d, https),
		heard:    newHeard(),
		admitted: newAdmitted(),
		work:     make(chan struct{}, 256),
		notifies: make(chan struct{}, 32),
		outside:  make(chan struct{}, 512),
		cache:    newPageCache(),
	}
	s.shoppers.bad, s.staff.bad = m.cookies.Inc, m.cookies.Inc
	s.limit()
	if err := s.csrf.AddTrustedOrigin(base.String()); err != nil {
		return nil, fmt.Errorf("trust our own origin: %w", err)
	}
	s.engine, err = s.newEngine()
	return s, err
}

// limit makes the buckets (security V4). With one of the two configured rates
// at 0 its whole family is off: a benchmark says so openly.
func (s *Server) limit() {
	l := s.Config.Limits
	s.pages = newLimiter(float64(l.PagesPerSecond), int(4*l.PagesPerSecond), s.Now)
	if l.PagesPerSecond > 0 {
		s.searches = newLimiter(5, 20, s.Now)
		s.polls = newLimiter(2, 10, s.Now)
		s.trips = newLimiter(10./60, 10, s.Now)
		s.logins = newLimiter(5, 20, s.Now) // per address: a mobile carrier has few
	}
	s.orders = newLimiter(float64(l.OrdersPerMinute)/60, int(max(1, l.OrdersPerMinute/2)), s.Now)
	if l.OrdersPerMinute > 0 {
		s.pays = newLimiter(10./60, 10, s.Now)
	}
}

func checkSession(c Config, https bool) error {
	if len(c.Session.Keys) == 0 || len(c.Session.Keys[0]) < 32 {
		return errors.New("session keys: the first must have 32 bytes or more")
	}
	if c.Dev && https {
		return errors.New("dev mode is for this machine only, not for an https address")
	}
	return nil
}

func fillDefaults(d *Deps) {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Config.Session.Idle == 0 {
		d.Config.Session.Idle = 7 * 24 * time.Hour
	}
	if d.Config.Limits.Body == 0 {
		d.Config.Limits.Body = 64 << 10
	}
	if d.Config.Site.HSTS == "" {
		d.Config.Site.HSTS = defaultHSTS
	}
}

// Routes is the whole site map; call it once. Everything under it has passed
// the check of its Host; each route is one handler behind the adapter of its kind.
func (s *Server) Routes() http.Handler {
	r := s.engine
	get := func(path string, h handler) { r.GET(path, s.page(h)); r.HEAD(path, s.page(h)) }
	post := func(path string, h handler) { r.POST(path, s.page(h)) }

	get("/", s.showHome)
	get("/p/:slug", s.showProduct)
	get("/cart", s.showCart)
	post("/cart/add", s.addToCart)
	post("/cart/set", s.setCart)
	get("/checkout", s.showCheckout)
	post("/checkout", s.placeOrder)

	get("/pay/:no", s.showPay)
	get("/pay/:no/qr.svg", s.showClaimCode)
	get("/pay/:no/code.svg", s.showPayCodePicture)
	get("/pay/:no/back", s.showPayBack)
	post("/pay/:no/back", s.askAfterPay)
	post("/pay/:no", s.startPay)
	get("/c/:token", s.showClaim)
	post("/c/:token", s.claim)

	get("/orders", s.showOrders)
	get("/orders/:no", s.showOrder)
	r.GET("/orders/:no/status", s.api(s.orderStatus))
	get("/orders/:no/cancel", s.showCancel)
	post("/orders/:no/cancel", s.cancelOrder)
	post("/orders/:no/confirm", s.confirmOrder)
	post("/orders/:no/again", s.orderAgain)
	get("/me", s.showMe)
	post("/signout", s.signOut)

	get("/auth/wechat", s.startSignIn)
	get("/auth/wechat/callback", s.finishSignIn)
	post("/lang", s.setLang)
	post("/care", s.setCare)
	get("/rules", s.paper(views.Rules))
	get("/privacy", s.paper(views.Privacy))
	get("/licence", s.paper(views.Licence))
	get("/static/*path", s.serveStatic)
	get("/robots.txt", s.serveRobots)

	r.POST("/notify/v2/pay", s.notify(wxpay.V2, s.Checkout.Notify))
	r.POST("/notify/v2/refund", s.notify(wxpay.V2, s.Checkout.RefundNotify))
	r.POST(notifyV3+"pay", s.notify(wxpay.V3, s.Checkout.Notify))
	r.POST(notifyV3+"refund", s.notify(wxpay.V3, s.Checkout.RefundNotify))
	get("/wechat", s.verifyAccount)
	post("/wechat", s.takeMessage)
	s.apiRoutes(r)
	s.adminRoutes(r)
	if s.Config.Dev {
		get("/dev/gallery", s.showGallery)
		get("/dev/gallery/:view", s.showGalleryView)
	}
	return s.onlyOurHost(r)
}

// newEngine is gin with what stands before every route. It trusts no proxy
// unless configured (gin by itself trusts all) and never redirects to another
// spelling of a path.
func (s *Server) newEngine() (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.ContextWithFallback = true
	r.HandleMethodNotAllowed = true
	r.RedirectTrailingSlash, r.RedirectFixedPath = false, false
	if err := r.SetTrustedProxies(s.Config.Site.TrustedProxies); err != nil {
		return nil, fmt.Errorf("site.trusted_proxies: %w", err)
	}
	r.Use(s.observe, s.limitWork, s.limitPages, s.sameOrigin, s.limitBody)
	r.NoRoute(s.page(s.noRoute))
	r.NoMethod(s.page(s.noMethod))
	return r, nil
}
