package handlers

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"wxshop/models"
	"wxshop/views"
)

// Lifetimes of a shopper's and of a staff member's session (security S10);
// the idle time of shoppers is configuration.
const (
	shopperAbsolute = 30 * 24 * time.Hour
	staffIdle       = 30 * time.Minute
	staffAbsolute   = 12 * time.Hour
)

// visit is what we know of the browser that asks: the one value of a session.
// The zero visit is an anonymous reader without a row and without a cookie.
type visit struct {
	UserID   int64
	StaffID  int64
	SignedIn bool         // WeChat told us who this is; false for guests
	Flash    *views.Flash // to be shown once, on the next page
	Restarts int          // OAuth trips begun again since the last sign-in (security S14)
	Claim    claimLink    // the last link that takes an order into WeChat

	id      string // in the cookie; "" before the first save
	created time.Time
	seen    time.Time
}

// known reports whether there is a row.
func (v *visit) known() bool { return v.id != "" }

// hash is the key of the row.
func (v *visit) hash() string { return hashOf(v.id) }

// hashOf is how secrets that only have to be recognised are kept: session
// ids, OAuth states, claim tokens.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// visitData is the stored text of a visit, besides the columns.
type visitData struct {
	SignedIn bool         `json:"wx,omitempty"`
	Flash    *views.Flash `json:"flash,omitempty"`
	Restarts int          `json:"restarts,omitempty"`
	Claim    claimLink    `json:"claim,omitzero"`
}

// sessionStore is a sessions.Store over the database. The cookie holds 256
// random bits and a MAC over them; the row is found by their hash, so a copy
// of the database opens no session (security S4).
type sessionStore struct {
	db       *models.Store
	kind     string // of the rows: shop | admin
	name     string // of the cookie
	codecs   []securecookie.Codec
	options  sessions.Options
	idle     time.Duration
	absolute time.Duration
	now      func() time.Time
	log      *slog.Logger
	bad      func() // counts cookies that were not ours
}

var _ sessions.Store = (*sessionStore)(nil)

const valueKey = "visit"

// newSessions makes the store of one kind of session. On https the cookie has
// the __Host- prefix and is Secure (security S5, S6).
func newSessions(d Deps, kind string, site http.SameSite, https bool) *sessionStore {
	s := &sessionStore{
		db: d.Store, kind: kind, name: kind + "_sess", now: d.Now, log: d.Log,
		idle: d.Config.Session.Idle, absolute: shopperAbsolute,
		codecs: securecookie.CodecsFromPairs(d.Config.Session.Keys...),
	}
	if kind == "admin" {
		s.idle, s.absolute = staffIdle, cmp.Or(d.Config.Admin.Session, staffAbsolute)
	}
	if https {
		s.name = "__Host-" + s.name
	}
	s.options = sessions.Options{
		Path: "/", MaxAge: int(s.absolute / time.Second), HttpOnly: true, SameSite: site, Secure: https,
	}
	for _, codec := range s.codecs {
		if c, ok := codec.(*securecookie.SecureCookie); ok {
			c.SetSerializer(securecookie.NopEncoder{}) // our value is bytes already; gob costs 25 µs
			c.MaxAge(int(s.absolute / time.Second))
		}
	}
	return s
}

// Get implements sessions.Store: the same session for the whole request.
func (s *sessionStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New implements sessions.Store. A cookie that was not made by us, or whose
// row is gone, gives a fresh anonymous session; its id is never adopted
// (security S4, S15). An error is one of the database.
func (s *sessionStore) New(r *http.Request, name string) (*sessions.Session, error) {
	sess := sessions.NewSession(s, name)
	options := s.options
	sess.Options, sess.IsNew = &options, true
	v := &visit{}
	sess.Values[valueKey] = v
	id, ok := s.cookieID(r, name)
	if !ok {
		return sess, nil
	}
	row, err := s.db.Session(r.Context(), hashOf(id))
	if errors.Is(err, models.ErrNotFound) || err == nil && row.Kind != s.kind {
		s.bad()
		return sess, nil
	}
	if err != nil {
		return sess, fmt.Errorf("read session: %w", err)
	}
	sess.IsNew, sess.ID = false, id
	*v = s.decode(row)
	v.id = id
	s.touch(r.Context(), v)
	return sess, nil
}

// cookieID is the id in a genuine cookie.
func (s *sessionStore) cookieID(r *http.Request, name string) (string, bool) {
	cookie, err := r.Cookie(name)
	if err != nil {
		return "", false
	}
	var id []byte
	if err := securecookie.DecodeMulti(name, cookie.Value, &id, s.codecs...); err != nil {
		s.bad()
		return "", false
	}
	return string(id), true
}

// touch moves the idle time of a session that is used, seldom enough that
// reading pages does not become writing rows.
func (s *sessionStore) touch(ctx context.Context, v *visit) {
	if s.now().Sub(v.seen) < s.idle/20 {
		return
	}
	if err := s.db.SaveSession(ctx, s.encode(v)); err != nil {
		s.log.Warn("session not renewed", "op", "session", "err", err) // reading goes on with a full disk
	}
}

// Save implements sessions.Store: writes the row and, for a new one, the cookie.
func (s *sessionStore) Save(r *http.Request, w http.ResponseWriter, sess *sessions.Session) error {
	v, ok := sess.Values[valueKey].(*visit)
	if !ok {
		return errors.New("session without a visit")
	}
	fresh := !v.known()
	if fresh {
		v.id, v.created = newSecret(), s.now()
	}
	err := s.db.SaveSession(r.Context(), s.encode(v))
	if errors.Is(err, models.ErrNotFound) { // signed in or out in another tab while this request ran
		err = models.ErrStale
	}
	if err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	sess.ID, sess.IsNew = v.id, false
	if !fresh {
		return nil
	}
	return s.setCookie(w, sess.Name(), v.id)
}

// renew gives a session a new id, so that one planted before signing in is
// worth nothing after it (security S3).
func (s *sessionStore) renew(r *http.Request, w http.ResponseWriter, v *visit) error {
	if err := s.replace(r.Context(), v); err != nil {
		return err
	}
	return s.setCookie(w, s.name, v.id)
}

// replace stores a visit under a new id and forgets the old one.
func (s *sessionStore) replace(ctx context.Context, v *visit) error {
	old := v.id
	oldHash := ""
	if old != "" {
		oldHash = v.hash()
	}
	v.id, v.created = newSecret(), s.now()
	if err := s.db.ReplaceSession(ctx, oldHash, s.encode(v)); err != nil {
		v.id = old
		return fmt.Errorf("replace session: %w", err)
	}
	return nil
}

// end deletes a session, row and cookie.
func (s *sessionStore) end(r *http.Request, w http.ResponseWriter, v *visit) error {
	if v.known() {
		if err := s.db.DeleteSession(r.Context(), v.hash()); err != nil {
			return fmt.Errorf("end session: %w", err)
		}
	}
	*v = visit{}
	gone := s.options
	gone.MaxAge = -1
	http.SetCookie(w, sessions.NewCookie(s.name, "", &gone))
	return nil
}

func (s *sessionStore) setCookie(w http.ResponseWriter, name, id string) error {
	value, err := securecookie.EncodeMulti(name, []byte(id), s.codecs...)
	if err != nil {
		return fmt.Errorf("sign session cookie: %w", err)
	}
	options := s.options
	http.SetCookie(w, sessions.NewCookie(name, value, &options))
	return nil
}

// encode makes the row of a visit, as of now. Its end is the nearer of idle
// and absolute lifetime; the Store finds no row after it.
func (s *sessionStore) encode(v *visit) models.Session {
	data, err := json.Marshal(visitData{v.SignedIn, v.Flash, v.Restarts, v.Claim})
	if err != nil { // plain fields always marshal
		data = nil
	}
	v.seen = s.now()
	until := v.seen.Add(s.idle)
	if last := v.created.Add(s.absolute); last.Before(until) {
		until = last
	}
	return models.Session{
		Hash: v.hash(), Kind: s.kind, UserID: v.UserID, StaffID: v.StaffID, Data: string(data),
		CreatedAt: models.At(v.created), SeenAt: models.At(v.seen), ExpiresAt: models.At(until),
	}
}

func (s *sessionStore) decode(row *models.Session) visit {
	var d visitData
	if row.Data != "" {
		if err := json.Unmarshal([]byte(row.Data), &d); err != nil {
			s.log.Warn("session data not readable", "op", "session", "err", err)
		}
	}
	return visit{
		UserID: row.UserID, StaffID: row.StaffID, SignedIn: d.SignedIn, Flash: d.Flash, Restarts: d.Restarts, Claim: d.Claim,
		created: row.CreatedAt.Time, seen: row.SeenAt.Time,
	}
}

// newSecret is 256 bits of chance, in letters and digits.
func newSecret() string { return rand.Text() + rand.Text() }

// visit is the session of the shopper, read once per request and only when a
// handler asks for it: a reader without a cookie costs no database.
func (s *Server) visit(c *gin.Context) (*visit, error) { return visitOf(s.shoppers, c) }

// visitOf is the visit of this request in one of the two stores.
func visitOf(store *sessionStore, c *gin.Context) (*visit, error) {
	if v, ok := c.Get(store.name); ok {
		return v.(*visit), nil
	}
	v := &visit{}
	if strings.Contains(c.Request.Header.Get("Cookie"), store.name) {
		sess, err := store.Get(c.Request, store.name)
		if err != nil {
			return nil, err
		}
		v = sess.Values[valueKey].(*visit) // New put it there
	}
	c.Set(store.name, v)
	return v, nil
}

// save stores what changed in a visit; the first save makes row and cookie.
func (s *Server) save(c *gin.Context) error { return saveVisit(s.shoppers, c) }

func saveVisit(store *sessionStore, c *gin.Context) error {
	v, err := visitOf(store, c)
	if err != nil {
		return err
	}
	sess, err := store.Get(c.Request, store.name)
	if err != nil {
		return err
	}
	sess.Values[valueKey] = v
	return store.Save(c.Request, c.Writer, sess)
}

// guest is a visit with a user, made now if need be: the first thing that a
// shopper wants kept makes the guest (decision on guests in README).
func (s *Server) guest(c *gin.Context) (*visit, error) {
	v, err := s.visit(c)
	if err != nil || v.UserID != 0 {
		return v, err
	}
	u, err := s.Store.CreateGuest(c.Request.Context())
	if err != nil {
		return nil, fmt.Errorf("make guest: %w", err)
	}
	v.UserID = u.ID
	return v, s.save(c)
}

// flash leaves a sentence for the next page of a visitor who has a session.
func (s *Server) flash(c *gin.Context, tint views.Tint, text string) error {
	v, err := s.visit(c)
	if err != nil || !v.known() {
		return err
	}
	v.Flash = &views.Flash{Tint: tint, Text: text}
	return s.save(c)
}

// takeFlash gives the sentence once. When it cannot be deleted it is shown
// again, which is better than a broken page.
func (s *Server) takeFlash(c *gin.Context, v *visit) *views.Flash {
	f := v.Flash
	if f == nil {
		return nil
	}
	v.Flash = nil
	if err := s.save(c); err != nil {
		s.Log.Warn("flash not taken", "op", "session", "err", err)
	}
	return f
}
