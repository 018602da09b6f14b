package handlers

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"wxshop/checkout"
	"wxshop/models"
	"wxshop/views"
)

// showCheckout asks where to, and shows what and how much. The form token in
// it makes any number of submits one order (security P14).
func (s *Server) showCheckout(c *gin.Context) error {
	f, err := query(c, "address")
	if err != nil {
		return err
	}
	v, err := s.requireUser(c)
	if v == nil {
		return err
	}
	if v.UserID == 0 {
		return s.see(c, "/cart")
	}
	ctx := c.Request.Context()
	page := views.CheckoutPage{Token: rand.Text()}
	last, err := s.Store.LastAddress(ctx, v.UserID)
	switch {
	case err == nil:
		page.To, page.Saved = last.Receiver, f.raw("address") != "new"
	case !errors.Is(err, models.ErrNotFound):
		return err
	}
	return s.drawCheckout(c, v.UserID, http.StatusOK, page)
}

// drawCheckout fills in the frame, the lines and the sums of now.
func (s *Server) drawCheckout(c *gin.Context, user int64, status int, page views.CheckoutPage) error {
	p, err := s.frame(c)
	if err != nil {
		return err
	}
	page.Page = p
	page.Path = "/checkout"
	entries, err := s.Store.Cart(c.Request.Context(), user)
	if err != nil {
		return err
	}
	if len(entries) == 0 && len(page.Notes) > 0 { // the last line was sold out
		return s.show(c, classPage, status, views.Cart(views.CartPage{Page: p, Notes: page.Notes}))
	}
	if len(entries) == 0 {
		return s.see(c, "/cart")
	}
	page.Lines = cartLines(p.Lang, entries)
	if page.Sums, err = s.sums(entries); err != nil {
		return err
	}
	return s.show(c, classPage, status, views.Checkout(page))
}

// placeOrder turns the form into an order, once per form token.
func (s *Server) placeOrder(c *gin.Context) error {
	f, err := readForm(c, "token", "expected_total", "name", "phone", "province", "city", "district", "detail", "note")
	if err != nil {
		return err
	}
	token, err := f.code("token", isToken)
	if err != nil {
		return err
	}
	expected, err := parseID(f.raw("expected_total"))
	if err != nil {
		return err
	}
	v, err := s.visit(c)
	if err != nil {
		return err
	}
	if v.UserID == 0 || placeOf(c.Request).inWeChat() && !v.SignedIn {
		return s.see(c, "/checkout")
	}
	if wait, ok := s.admitted.allow(s.orders, formatID(v.UserID), token); !ok {
		return tooFast{wait}
	}
	to, note, problems := address(f)
	if len(problems) > 0 {
		page := views.CheckoutPage{Token: token, To: to, Note: note, Errors: problems}
		return s.drawCheckout(c, v.UserID, http.StatusUnprocessableEntity, page)
	}
	placed, err := s.place(c, v.UserID, checkout.PlaceRequest{
		FormToken: token, Receiver: to, Note: note, Expected: models.Fen(expected),
	})
	if err != nil {
		return s.placeRefused(c, v.UserID, views.CheckoutPage{Token: token, To: to, Saved: true, Note: note}, err)
	}
	return s.seePlaced(c, placed)
}

// place adds who orders from where. The first attempt to pay is made at once,
// in the channel of the place.
func (s *Server) place(c *gin.Context, user int64, r checkout.PlaceRequest) (checkout.Placed, error) {
	u, err := s.Store.User(c.Request.Context(), user)
	if err != nil {
		return checkout.Placed{}, fmt.Errorf("read user: %w", err)
	}
	r.User, r.ClientIP = u, c.ClientIP()
	r.Channel = placeOf(c.Request).usual()
	return s.Checkout.Place(c.Request.Context(), r)
}

// seePlaced leads to the pay page, and says when the form had been sent before.
func (s *Server) seePlaced(c *gin.Context, p checkout.Placed) error {
	if p.Repeated {
		l := s.lang(c)
		if err := s.flash(c, views.Plain, views.Say(l, views.Placed)); err != nil {
			return err
		}
	}
	return s.see(c, "/pay/"+p.Order.No)
}

// placeRefused shows the checkout again with what changed: another total, or
// less of something, already corrected in the cart.
func (s *Server) placeRefused(c *gin.Context, user int64, page views.CheckoutPage, err error) error {
	l := s.lang(c)
	if price, ok := errors.AsType[*models.PriceError](err); ok {
		page.Notes = []string{views.Say(l, views.TotalChanged, views.Yuan(price.Expected), views.Yuan(price.Now))}
		return s.drawCheckout(c, user, http.StatusConflict, page)
	}
	short, ok := errors.AsType[*models.StockError](err)
	if !ok {
		return err
	}
	page.Notes = []string{views.Say(l, views.SoldOut, short.Name)}
	if short.Left > 0 {
		page.Notes = []string{views.Say(l, views.StockShort, short.Name, short.Left, short.Left)}
	}
	if err := s.Store.SetCart(c.Request.Context(), user, short.SKUID, max(short.Left, 0)); err != nil {
		return fmt.Errorf("correct cart: %w", err)
	}
	return s.drawCheckout(c, user, http.StatusConflict, page)
}

// addressField is a field of the form, its limit in characters (security I5)
// and whether it may be empty.
var addressFields = []struct {
	name     views.Field
	limit    int
	optional bool
}{
	{views.FieldName, 32, false},
	{views.FieldPhone, 24, false},
	{views.FieldProvince, 32, false},
	{views.FieldCity, 32, false},
	{views.FieldDistrict, 32, true}, // some cities have none
	{views.FieldDetail, 120, false},
	{views.FieldNote, 200, true},
}

// address reads receiver and note and says, field by field, what has to be
// mended. What was typed stays, except characters that nobody types.
func address(f *form) (models.Receiver, string, []views.FieldError) {
	var problems []views.FieldError
	text := map[views.Field]string{}
	for _, x := range addressFields {
		s, ok := cleanText(f.raw(string(x.name)), x.name == views.FieldNote)
		n := len([]rune(s))
		switch {
		case !ok:
			problems = append(problems, views.FieldError{Field: x.name, Problem: views.Unclear})
		case n == 0 && !x.optional:
			problems = append(problems, views.FieldError{Field: x.name, Problem: views.Missing})
		case n > x.limit:
			problems = append(problems, views.FieldError{Field: x.name, Problem: views.TooLong, N: x.limit})
		case x.name == views.FieldPhone:
			if s = digits(s); !isPhone(s) {
				problems = append(problems, views.FieldError{Field: x.name, Problem: views.NoPhone, N: countDigits(s)})
			}
		}
		text[x.name] = s
	}
	return models.Receiver{
		Name: text[views.FieldName], Phone: text[views.FieldPhone], Province: text[views.FieldProvince],
		City: text[views.FieldCity], District: text[views.FieldDistrict], Street: text[views.FieldDetail],
	}, text[views.FieldNote], problems
}

func countDigits(s string) (n int) {
	for i := range len(s) {
		if isDigit(s[i]) {
			n++
		}
	}
	return n
}

// maxAdmitted bounds the memory of admitted; the older half is forgotten.
const maxAdmitted = 10_000

// admitted remembers the form tokens that passed the limit on orders, so that
// a repeated submit is answered with its order and not with "too fast".
type admitted struct {
	mu         sync.Mutex
	young, old map[string]bool
}

func newAdmitted() *admitted { return &admitted{young: map[string]bool{}, old: map[string]bool{}} }

func (a *admitted) allow(l *limiter, user, token string) (wait time.Duration, ok bool) {
	key := user + " " + token
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.young[key] || a.old[key] {
		return 0, true
	}
	if wait, ok := l.allow(user); !ok {
		return wait, false
	}
	if len(a.young) >= maxAdmitted/2 {
		a.old, a.young = a.young, map[string]bool{}
	}
	a.young[key] = true
	return 0, true
}

// parseCount reads a small counter from an address; nonsense is 0.
func parseCount(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 1000 {
		return 0
	}
	return n
}
