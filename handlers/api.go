package handlers

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"wxshop/models"
	"wxshop/views"
	"wxshop/wxpay"
)

// caller is on whose behalf a program calls: by a token, never by a cookie.
type caller struct {
	user    *models.User // ID 0: nobody that we know yet
	source  models.Source
	channel wxpay.TradeType // in which this program pays
}

// call is a handler for somebody whose token was good.
type call func(*gin.Context, *caller) error

// isAPI names the calls of programs. Their tokens are not sent by browsers on
// their own, so there is no cross-site request to fear.
func isAPI(path string) bool { return strings.HasPrefix(path, "/api/") }

// apiRoutes are the calls of the mini program and of an app's own server.
func (s *Server) apiRoutes(r *gin.Engine) {
	r.POST("/api/mini/login", s.api(s.miniLogin))
	r.GET("/api/mini/goods", s.api(s.miniGoods))
	r.GET("/api/mini/goods/:slug", s.api(s.miniProduct))
	for base, who := range map[string]func(*gin.Context) (*caller, error){"/api/mini": s.miniCaller, "/api/app": s.appCaller} {
		as := func(h call) gin.HandlerFunc {
			return s.api(func(c *gin.Context) error {
				by, err := who(c)
				if err != nil {
					return err
				}
				return h(c, by)
			})
		}
		r.POST(base+"/orders", as(s.apiPlace))
		r.GET(base+"/orders", as(s.apiOrders))
		r.GET(base+"/orders/:no", as(s.apiOrder))
		r.GET(base+"/orders/:no/status", as(s.apiStatus))
		r.POST(base+"/orders/:no/cancel", as(s.apiCancel))
	}
	r.POST("/api/mini/orders/:no/pay", s.api(s.miniPay))
	r.POST("/api/app/orders/:no/pay", s.api(s.appPay))
}

// bearer is the token of a request (RFC 6750), "" without one.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || len(token) > 256 {
		return ""
	}
	return token
}

// miniKind is the kind of session that a mini program has. Its token opens no
// other kind, and no cookie opens it.
const miniKind = "mini"

// miniCaller is the person who uses the mini program.
func (s *Server) miniCaller(c *gin.Context) (*caller, error) {
	if s.Mini == nil {
		return nil, errNoPage
	}
	token := bearer(c.Request)
	if token == "" {
		return nil, errNoToken
	}
	ctx := c.Request.Context()
	row, err := s.Store.Session(ctx, hashOf(token))
	if errors.Is(err, models.ErrNotFound) || err == nil && row.Kind != miniKind {
		return nil, errNoToken
	}
	if err != nil {
		return nil, fmt.Errorf("read token: %w", err)
	}
	s.prolong(ctx, row)
	u, err := s.Store.User(ctx, row.UserID)
	if err != nil {
		return nil, fmt.Errorf("read user of a token: %w", err)
	}
	return &caller{u, models.FromMini, wxpay.JSAPI}, nil
}

// prolong moves the end of a token that is used, seldom enough that reading
// does not become writing.
func (s *Server) prolong(ctx context.Context, row *models.Session) {
	now := s.Now()
	if now.Sub(row.SeenAt.Time) < s.Config.Session.Idle/20 {
		return
	}
	row.SeenAt, row.ExpiresAt = models.At(now), models.At(s.tokenEnd(row.CreatedAt.Time))
	if err := s.Store.SaveSession(ctx, *row); err != nil {
		s.Log.Warn("token not renewed", "op", "session", "err", err)
	}
}

// tokenEnd is when a token ends that was made then and is used now.
func (s *Server) tokenEnd(made time.Time) time.Time {
	end, last := s.Now().Add(s.Config.Session.Idle), made.Add(shopperAbsolute)
	if last.Before(end) {
		return last
	}
	return end
}

// Identities of the people of an app: the app's server names them, we only
// keep them apart from those whom WeChat names.
const (
	appIdentity = "app"
	appUserKey  = "X-User"
)

// appCaller is the person for whom an app's own server calls. It proves itself
// by the key of the configuration.
func (s *Server) appCaller(c *gin.Context) (*caller, error) {
	key := s.Config.AppServerKey
	if key == "" {
		return nil, errNoPage
	}
	got, want := sha256.Sum256([]byte(bearer(c.Request))), sha256.Sum256([]byte(key))
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		return nil, errNoToken
	}
	name := c.Request.Header.Get(appUserKey)
	if len(c.Request.Header.Values(appUserKey)) != 1 || !isAppUser(name) {
		return nil, fmt.Errorf("header %s: %w", appUserKey, errBadForm)
	}
	by := &caller{&models.User{}, models.FromApp, wxpay.App}
	ctx := c.Request.Context()
	var err error
	if c.Request.Method == http.MethodPost && c.FullPath() == "/api/app/orders" {
		by.user, err = s.Store.SignIn(ctx, appIdentity, name, 0)
		return by, err
	}
	u, err := s.Store.UserOf(ctx, appIdentity, name)
	if errors.Is(err, models.ErrNotFound) { // has not ordered yet
		return by, nil
	}
	if err == nil {
		by.user = u
	}
	return by, err
}

// isAppUser: the id of a person as an app may write it.
func isAppUser(s string) bool { return len(s) <= 64 && isCode(s) }

// apiError is what a program reads when a call did not work.
type apiError struct {
	Code    string         `json:"code"`
	Message string         `json:"message"` // for people
	Ref     string         `json:"ref,omitempty"`
	Fields  []fieldProblem `json:"fields,omitempty"` // of the address
	Total   int64          `json:"total,omitempty"`  // of now, in fen
	SKU     string         `json:"sku,omitempty"`    // of which there is less than asked for
	Left    int64          `json:"left,omitempty"`
}

type fieldProblem struct {
	Field   string `json:"field"`
	Problem string `json:"problem"`
}

// addressError says what in an address has to be mended.
type addressError struct{ problems []views.FieldError }

func (e *addressError) Error() string {
	return fmt.Sprintf("address with %d problems", len(e.problems))
}

// failAPI tells a program of the API what went wrong: {"error":{…}}.
func (s *Server) failAPI(c *gin.Context, err error) {
	v := s.note(c, err)
	if c.Writer.Written() {
		return
	}
	l := s.lang(c)
	e := apiError{Code: string(v.reason), Message: views.Say(l, v.reason), Ref: c.GetString(keyRef)}
	if p, ok := errors.AsType[*models.PriceError](err); ok {
		e = apiError{Code: string(views.TotalChanged), Total: int64(p.Now),
			Message: views.Say(l, views.TotalChanged, views.Yuan(p.Expected), views.Yuan(p.Now))}
	}
	if p, ok := errors.AsType[*models.StockError](err); ok {
		e = s.stockProblem(c, l, p)
	}
	if p, ok := errors.AsType[*addressError](err); ok {
		e.Code = "address"
		for _, x := range p.problems {
			e.Fields = append(e.Fields, fieldProblem{string(x.Field), string(x.Problem)})
		}
	}
	if v.status == http.StatusUnauthorized {
		c.Writer.Header().Set("WWW-Authenticate", "Bearer")
	}
	_ = s.json(c, v.status, map[string]apiError{"error": e}) // plain fields always marshal
}

// stockProblem names the SKU by its code, if it is still sold.
func (s *Server) stockProblem(c *gin.Context, l views.Lang, p *models.StockError) apiError {
	e := apiError{Code: string(views.SoldOut), Message: views.Say(l, views.SoldOut, p.Name), Left: p.Left}
	if p.Left > 0 {
		e.Code, e.Message = string(views.StockShort), views.Say(l, views.StockShort, p.Name, p.Left, p.Left)
	}
	g, err := s.goods(c.Request.Context())
	if err != nil {
		return e
	}
	for i := range g.products {
		for _, k := range g.products[i].SKUs {
			if k.ID == p.SKUID {
				e.SKU = k.Code
			}
		}
	}
	return e
}
