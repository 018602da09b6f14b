package handlers

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"wxshop/models"
	"wxshop/views"
	"wxshop/wxpay"
)

const (
	callbackPath = "/auth/wechat/callback"
	stateLife    = 10 * time.Minute
	maxRestarts  = 1 // a code that was no good is fetched again, once
)

// tripPath starts the trip to WeChat that ends at to.
func tripPath(to string) string { return "/auth/wechat?return=" + url.QueryEscape(to) }

// requireUser is the visit of somebody we know. Inside WeChat a GET without a
// sign-in goes to WeChat and comes back; the visit is nil then and the answer
// is sent. Outside, a guest is known well enough, also one without anything
// yet (user 0).
func (s *Server) requireUser(c *gin.Context) (*visit, error) {
	v, err := s.visit(c)
	if err != nil {
		return nil, err
	}
	if v.SignedIn || !placeOf(c.Request).inWeChat() {
		return v, nil
	}
	return nil, s.redirect(c, http.StatusFound, tripPath(c.Request.URL.RequestURI()))
}

// needsUser names the pages that begin with requireUser.
func needsUser(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	for _, p := range []string{"/checkout", "/pay/", "/orders", "/me", "/c/"} {
		if path == p || strings.HasPrefix(path, p) && (strings.HasSuffix(p, "/") || path[len(p)] == '/') {
			return true
		}
	}
	return false
}

// startSignIn begins a trip: a state that only this session can use, once,
// within ten minutes (security S1), and away to WeChat.
func (s *Server) startSignIn(c *gin.Context) error {
	f, err := query(c, "return", "ask")
	if err != nil {
		return err
	}
	back := safeReturn(f.raw("return"))
	v, err := s.visit(c)
	if err != nil {
		return err
	}
	if v.SignedIn {
		return s.redirect(c, http.StatusFound, back)
	}
	if f.raw("ask") != "" {
		return s.askSignIn(c, back)
	}
	if !v.known() {
		if err := s.save(c); err != nil { // the state must belong to a session
			return err
		}
	}
	if wait, ok := s.trips.allow(v.hash()); !ok {
		return tooFast{wait}
	}
	state, err := s.newState(c.Request.Context(), v, back)
	if err != nil {
		return err
	}
	s.metrics.oauth.WithLabelValues("started").Inc()
	return s.redirect(c, http.StatusFound, s.MP.AuthorizeURL(s.base.String()+callbackPath, wxpay.ScopeBase, state))
}

// askSignIn is a page that goes on by itself, or by its button.
func (s *Server) askSignIn(c *gin.Context, back string) error {
	c.Writer.Header().Set("Refresh", "0; url="+tripPath(back))
	return s.show(c, classPage, http.StatusOK, views.SignIn(views.SignInPage{Page: s.bareFrame(c), Next: tripPath(back)}))
}

func (s *Server) newState(ctx context.Context, v *visit, back string) (string, error) {
	var b [16]byte
	rand.Read(b[:]) // never fails
	state := hex.EncodeToString(b[:])
	now := s.Now()
	err := s.Store.PutOAuthState(ctx, models.OAuthState{
		Hash: hashOf(state), SessionHash: v.hash(), ReturnPath: back,
		CreatedAt: models.At(now), ExpiresAt: models.At(now.Add(stateLife)),
	})
	if err != nil {
		return "", fmt.Errorf("keep oauth state: %w", err)
	}
	return state, nil
}

// finishSignIn takes the code that WeChat sent along. The state is used up
// before anything else; without it the code is not even tried (security S1,
// S2). Every way out is a redirect to a clean address or an error, never a
// page that would keep the code in the history (S14).
func (s *Server) finishSignIn(c *gin.Context) error {
	f, err := query(c, "code", "state")
	if err != nil {
		return err
	}
	state, code := f.raw("state"), f.raw("code")
	v, err := s.visit(c)
	if err != nil {
		return err
	}
	if !isState(state) || !v.known() {
		return s.signInRefused(c, "state", http.StatusBadRequest, "/")
	}
	// Some phones ask for the callback twice at the same moment: both get the
	// answer of the one trip.
	got, _, _ := s.flights.Do(v.hash()+" "+state, func() (any, error) {
		return s.arrive(context.WithoutCancel(c.Request.Context()), *v, state, code), nil
	})
	return s.arrived(c, v, got.(arrival))
}

// arrival is what became of one trip.
type arrival struct {
	result string // for the metric: ok | state | refused | restart | snapshot | unknown
	back   string
	visit  visit // result ok: with its new id, stored already
	cause  error
}

// arrive does everything about a trip that must happen once.
func (s *Server) arrive(ctx context.Context, v visit, state, code string) arrival {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	back, err := s.Store.TakeOAuthState(ctx, hashOf(state), v.hash())
	if errors.Is(err, models.ErrNotFound) {
		return arrival{result: "state", back: "/"}
	}
	if err != nil {
		return arrival{result: "error", cause: fmt.Errorf("take oauth state: %w", err)}
	}
	if code == "" || len(code) > 512 { // the person refused
		return arrival{result: "refused", back: back}
	}
	u, err := s.MP.Exchange(ctx, code)
	switch {
	case errors.Is(err, wxpay.ErrCodeUsed), errors.Is(err, wxpay.ErrCodeInvalid):
		return arrival{result: "code", back: back, cause: err}
	case err != nil:
		return arrival{result: "error", back: back, cause: fmt.Errorf("exchange oauth code: %w", err)}
	case u.Snapshot: // a made-up person of WeChat's page preview (security S12)
		return arrival{result: "snapshot", back: back}
	}
	return s.welcome(ctx, v, u.OpenID, back)
}

// welcome signs a person in: the guest's cart and orders come along, and the
// session gets a new id (security S3, S13).
func (s *Server) welcome(ctx context.Context, v visit, openID, back string) arrival {
	guest := v.UserID
	if v.SignedIn {
		guest = 0
	}
	u, err := s.Store.SignIn(ctx, s.Config.AppID, openID, guest)
	if err != nil {
		return arrival{result: "error", cause: fmt.Errorf("sign in: %w", err)}
	}
	v.UserID, v.SignedIn, v.Restarts = u.ID, true, 0
	if err := s.shoppers.replace(ctx, &v); err != nil {
		return arrival{result: "error", cause: err}
	}
	s.Log.Info("signed in", "user", u.ID, "op", "oauth", "cause", "openid …"+last4(openID))
	return arrival{result: "ok", back: back, visit: v}
}

// arrived answers the browser.
func (s *Server) arrived(c *gin.Context, v *visit, a arrival) error {
	s.metrics.oauth.WithLabelValues(a.result).Inc()
	switch a.result {
	case "ok":
		*v = a.visit
		if err := s.shoppers.setCookie(c.Writer, s.shoppers.name, v.id); err != nil {
			return err
		}
		return s.see(c, a.back)
	case "state":
		return s.signInRefused(c, a.result, http.StatusBadRequest, a.back)
	case "code":
		return s.restart(c, v, a.back)
	case "error":
		return a.cause
	}
	return s.signInRefused(c, a.result, http.StatusForbidden, a.back)
}

// restart begins the trip again after a code that was no good, once.
func (s *Server) restart(c *gin.Context, v *visit, back string) error {
	if v.Restarts >= maxRestarts {
		v.Restarts = 0
		if err := s.save(c); err != nil {
			return err
		}
		return s.signInRefused(c, "code", http.StatusForbidden, back)
	}
	v.Restarts++
	if err := s.save(c); err != nil {
		return err
	}
	return s.redirect(c, http.StatusFound, tripPath(back))
}

// signInRefused says that nothing is lost and how to try again.
func (s *Server) signInRefused(c *gin.Context, why string, status int, back string) error {
	c.Set(keyErr, errors.New("sign-in refused: "+why))
	p := views.LoginRefusedPage{Page: s.bareFrame(c), Retry: tripPath(back), Ref: newReference()}
	c.Set(keyRef, p.Ref)
	return s.show(c, classPage, status, views.LoginRefused(p))
}

// signOut ends the session, row and cookie (security S11).
func (s *Server) signOut(c *gin.Context) error {
	if _, err := readForm(c); err != nil {
		return err
	}
	v, err := s.visit(c)
	if err != nil {
		return err
	}
	if err := s.shoppers.end(c.Request, c.Writer, v); err != nil {
		return err
	}
	return s.see(c, "/")
}

// isState: 128 bits in lower-case hex, as newState makes them.
func isState(s string) bool {
	return len(s) == 32 && all(s, func(b byte) bool { return isDigit(b) || b >= 'a' && b <= 'f' })
}

func last4(s string) string { return s[max(0, len(s)-4):] }

// safeReturn lets pass only paths on this site (security S9): one slash in
// front, none doubled, no backslash, nothing that browsers drop or that could
// end a header, also not after one more decoding. Everything else is "/".
func safeReturn(p string) string {
	if len(p) > 512 || !strings.HasPrefix(p, "/") {
		return "/"
	}
	once, err := url.PathUnescape(p)
	if err != nil || unsafePath(p) || unsafePath(once) {
		return "/"
	}
	u, err := url.Parse(p)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return "/"
	}
	if strings.HasPrefix(u.Path, "/auth/") { // no circles
		return "/"
	}
	return p
}

func unsafePath(p string) bool {
	if strings.Contains(p, "//") || strings.Contains(p, `\`) {
		return true
	}
	for _, r := range p {
		if forbidden(r) {
			return true
		}
	}
	return false
}
