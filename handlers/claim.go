package handlers

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"image/color"
	"net/http"
	"strconv"
	"time"

	"github.com/boombuler/barcode/qr"
	"github.com/gin-gonic/gin"

	"wxshop/models"
	"wxshop/views"
)

// claimLife is how long a link takes an order into WeChat.
const claimLife = 30 * time.Minute

// claimLink remembers in the guest's session which order has a link and until
// when. The token itself is made from both by a key, so that neither the
// session nor the claims in a copied database open anything.
type claimLink struct {
	No    string `json:"no,omitempty"`
	Until int64  `json:"until,omitempty"` // Unix milliseconds
}

// claimToken is the secret part of a link, 160 bits in base32.
func (s *Server) claimToken(l claimLink) string {
	mac := hmac.New(sha256.New, s.Config.Session.Keys[0])
	fmt.Fprintf(mac, "claim %s %d", l.No, l.Until) // a hash takes all
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil)[:20])
}

// live is the link of that order, if it still works.
func (s *Server) liveClaim(v *visit, no string) (claimLink, bool) {
	return v.Claim, v.Claim.No == no && s.Now().UnixMilli() < v.Claim.Until
}

// seeClaim makes a link for an order of this guest and leads to its page.
func (s *Server) seeClaim(c *gin.Context, o *models.Order) error {
	v, err := s.visit(c)
	if err != nil {
		return err
	}
	to := "/pay/" + o.No + "?open=1"
	until := models.At(s.Now().Add(claimLife))
	link := claimLink{o.No, until.UnixMilli()}
	if v.Claim == link {
		return s.see(c, to)
	}
	err = s.Store.CreateClaim(c.Request.Context(), models.Claim{
		Hash: hashOf(s.claimToken(link)), OrderID: o.ID, ExpiresAt: until,
	})
	if err != nil {
		return fmt.Errorf("make claim of %s: %w", o.No, err)
	}
	v.Claim = link
	if err := s.save(c); err != nil {
		return err
	}
	return s.see(c, to)
}

// openPage is the page that takes an order into WeChat, or false when its link
// ended and a new one has to be asked for. An order of somebody who signed in
// needs no claim: they are its owner on their phone too.
func (s *Server) openPage(v *visit, p views.Page, o views.Order) (views.OpenPage, bool) {
	page := views.OpenPage{Page: p, Order: o, QR: "/pay/" + o.No + "/qr.svg", Until: o.Deadline}
	address, until, ok := s.openAddress(v, o.No)
	page.URL = address
	if !until.IsZero() {
		page.Until = until
	}
	return page, ok
}

// openAddress is what the code says.
func (s *Server) openAddress(v *visit, no string) (address string, until time.Time, ok bool) {
	if v.SignedIn {
		return s.base.String() + "/pay/" + no, time.Time{}, true
	}
	link, ok := s.liveClaim(v, no)
	if !ok {
		return "", time.Time{}, false
	}
	return s.base.String() + "/c/" + s.claimToken(link), time.UnixMilli(link.Until).UTC(), true
}

// showClaimCode is the code as a picture, for the guest who made it and
// nobody else.
func (s *Server) showClaimCode(c *gin.Context) error {
	no := c.Param("no")
	if !isOrderNo(no) {
		return models.ErrNotFound
	}
	v, err := s.visit(c)
	if err != nil {
		return err
	}
	if _, err := s.Store.Status(c.Request.Context(), v.UserID, no); err != nil {
		return err
	}
	address, _, ok := s.openAddress(v, no)
	if !ok {
		return models.ErrNotFound
	}
	return s.sendCode(c, address)
}

// sendCode sends a text as a QR code, never kept by a browser.
func (s *Server) sendCode(c *gin.Context, text string) error {
	svg, err := codePicture(text)
	if err != nil {
		return err
	}
	s.send(c, answer{class: classStatic, status: http.StatusOK, ctype: "image/svg+xml", body: svg})
	return nil
}

// codePicture draws a QR code as one path, with the quiet zone of four
// modules that readers need.
func codePicture(text string) ([]byte, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("draw code: %w", err)
	}
	n := code.Bounds().Dx()
	size := strconv.Itoa(n + 8)
	var b bytes.Buffer
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" width="200" height="200" viewBox="0 0 ` + size + " " + size +
		`" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h` + size + "v" + size + `H0z"/><path d="`)
	for y := range n {
		for x := range n {
			if code.At(x, y) == color.Black {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x+4, y+4)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.Bytes(), nil
}

// showClaim asks inside WeChat whether to take the order over. Opening the
// link changes nothing: previews open links too.
func (s *Server) showClaim(c *gin.Context) error {
	token := c.Param("token")
	if !isToken(token) {
		return errLinkUsed
	}
	ctx := c.Request.Context()
	o, err := s.Store.ClaimedOrder(ctx, hashOf(token))
	if errors.Is(err, models.ErrNotFound) || errors.Is(err, models.ErrExpired) {
		return errLinkUsed
	}
	if err != nil {
		return err
	}
	v, err := s.requireUser(c)
	if v == nil {
		return err
	}
	if !v.SignedIn { // an ordinary browser
		if o.UserID == v.UserID {
			return s.see(c, "/pay/"+o.No+"?open=1")
		}
		return errNotHere
	}
	p, err := s.frame(c)
	if err != nil {
		return err
	}
	p.Path = "/" // the language switch need not repeat the secret
	return s.show(c, classPage, http.StatusOK, views.Claim(views.ClaimPage{
		Page: p, Token: token, Order: brief(p.Lang, o),
	}))
}

// claim moves the order to who pressed the button.
func (s *Server) claim(c *gin.Context) error {
	if _, err := readForm(c); err != nil {
		return err
	}
	token := c.Param("token")
	if !isToken(token) {
		return errLinkUsed
	}
	v, err := s.visit(c)
	if err != nil {
		return err
	}
	if !v.SignedIn {
		if !placeOf(c.Request).inWeChat() {
			return errNotHere
		}
		return s.see(c, "/c/"+token)
	}
	no, err := s.Store.UseClaim(c.Request.Context(), hashOf(token), v.UserID)
	if errors.Is(err, models.ErrNotFound) || errors.Is(err, models.ErrExpired) {
		return errLinkUsed
	}
	if err != nil {
		return fmt.Errorf("take order over: %w", err)
	}
	s.Log.Info("order claimed", "order", no, "user", v.UserID)
	return s.see(c, "/pay/"+no)
}
