package handlers

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"wxshop/models"
	"wxshop/static"
	"wxshop/wxpay"
)

// miniLogin changes the code of wx.login into a token of ours. The token is
// kept as a hash only, like a session.
func (s *Server) miniLogin(c *gin.Context) error {
	if s.Mini == nil {
		return errNoPage
	}
	var in struct {
		Code string `json:"code"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if in.Code == "" || len(in.Code) > 512 {
		return errBadForm
	}
	if wait, ok := s.logins.allow(c.ClientIP()); !ok {
		return tooFast{wait}
	}
	ctx := c.Request.Context()
	who, err := s.Mini.Code2Session(ctx, in.Code)
	if errors.Is(err, wxpay.ErrCodeUsed) || errors.Is(err, wxpay.ErrCodeInvalid) || errors.Is(err, wxpay.ErrBlocked) {
		return fmt.Errorf("%w: %w", errNoToken, err)
	}
	if err != nil {
		s.metrics.oauth.WithLabelValues("error").Inc()
		return fmt.Errorf("%w: %s", errNoAnswer, err) // not wrapped: no payment is in doubt
	}
	u, err := s.Store.SignIn(ctx, s.Config.MiniAppID, who.OpenID, 0)
	if err != nil {
		return err
	}
	token, now := newSecret(), s.Now()
	end := s.tokenEnd(now)
	err = s.Store.SaveSession(ctx, models.Session{
		Hash: hashOf(token), Kind: miniKind, UserID: u.ID,
		CreatedAt: models.At(now), SeenAt: models.At(now), ExpiresAt: models.At(end),
	})
	if err != nil {
		return fmt.Errorf("keep token: %w", err)
	}
	s.Log.Info("signed in", "user", u.ID, "op", "mini", "cause", "openid …"+last4(who.OpenID))
	return s.json(c, http.StatusOK, struct {
		Token     string `json:"token"`
		ExpiresAt string `json:"expires_at"` // unless it is used
	}{token, stamp(end)})
}

// Goods in the API.
type (
	apiCard struct {
		Slug     string `json:"slug"`
		Category string `json:"category"`
		Name     string `json:"name"`
		Line     string `json:"line"`
		Picture  string `json:"picture"`
		From     int64  `json:"from"` // fen, of the cheapest
		SoldOut  bool   `json:"sold_out"`
	}
	apiProduct struct {
		apiCard
		Pictures []string  `json:"pictures"`
		Facts    []apiFact `json:"facts"`
		SKUs     []apiSKU  `json:"skus"`
	}
	apiFact struct {
		Label string `json:"label"`
		Text  string `json:"text"`
	}
	apiSKU struct {
		SKU   string `json:"sku"`
		Name  string `json:"name"`
		Price int64  `json:"price"` // fen
		Stock int64  `json:"stock"`
	}
)

// miniGoods are the goods in the window. They are the same for everybody and
// need no token.
func (s *Server) miniGoods(c *gin.Context) error {
	if s.Mini == nil {
		return errNoPage
	}
	g, err := s.goods(c.Request.Context())
	if err != nil {
		return err
	}
	out := struct {
		Goods []apiCard `json:"goods"`
	}{[]apiCard{}}
	for i := range g.products {
		out.Goods = append(out.Goods, s.apiCardOf(c, &g.products[i]))
	}
	return s.json(c, http.StatusOK, out)
}

// miniProduct is one of them with everything that can be chosen.
func (s *Server) miniProduct(c *gin.Context) error {
	slug := c.Param("slug")
	if s.Mini == nil || !isCode(slug) {
		return errNoPage
	}
	g, err := s.goods(c.Request.Context())
	if err != nil {
		return err
	}
	p, ok := g.product(slug)
	if !ok {
		return errNoPage
	}
	l := s.lang(c)
	out := apiProduct{apiCard: s.apiCardOf(c, p), Pictures: []string{}, Facts: []apiFact{}, SKUs: []apiSKU{}}
	for _, name := range p.Pictures {
		out.Pictures = append(out.Pictures, s.base.String()+static.URL(name))
	}
	for _, d := range p.Details {
		out.Facts = append(out.Facts, apiFact{pick(l, d.LabelZH, d.LabelEN), pick(l, d.ZH, d.EN)})
	}
	for i := range p.SKUs {
		k := &p.SKUs[i]
		out.SKUs = append(out.SKUs, apiSKU{k.Code, optionOf(l, p, k), int64(k.Price), k.Stock})
	}
	return s.json(c, http.StatusOK, out)
}

func (s *Server) apiCardOf(c *gin.Context, p *models.Product) apiCard {
	x := card(s.lang(c), p)
	return apiCard{x.Slug, p.CategoryID, x.Name, x.Line, s.base.String() + x.Picture, int64(x.From), x.SoldOut}
}
