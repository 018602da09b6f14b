package handlers

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"

	"wxshop/models"
	"wxshop/static"
	"wxshop/views"
)

// showHome is the window: all goods, one category, or the hits of a search.
func (s *Server) showHome(c *gin.Context) error {
	f, err := query(c, "q", "c")
	if err != nil {
		return err
	}
	q, err := f.text("q", 64)
	if err != nil {
		return err
	}
	if q != "" {
		return s.showHits(c, q)
	}
	category := f.raw("c")
	if category != "" && !isCode(category) {
		return errNoPage
	}
	p, err := s.frame(c)
	if err != nil {
		return err
	}
	p.Path = homePath(category)
	version := s.Store.CatalogVersion()
	return s.showCached(c, &p, p.Path, version, func() (templ.Component, error) {
		g, err := s.goods(c.Request.Context())
		if err != nil {
			return nil, err
		}
		if category != "" && !g.category(category) {
			return nil, errNoPage
		}
		page := views.HomePage{Page: p, Categories: chips(p.Lang, g), Category: category}
		if page.Shelf, err = g.shelf(c.Request.Context(), p.Lang, category); err != nil {
			return nil, err
		}
		return views.Home(page), nil
	})
}

func homePath(category string) string {
	if category == "" {
		return "/"
	}
	return "/?c=" + category
}

// showHits answers a search; it is not cached, because anything may be asked.
func (s *Server) showHits(c *gin.Context, q string) error {
	if wait, ok := s.searches.allow(c.ClientIP()); !ok {
		return tooFast{wait}
	}
	ctx := c.Request.Context()
	p, err := s.frame(c)
	if err != nil {
		return err
	}
	g, err := s.goods(ctx)
	if err != nil {
		return err
	}
	hits, err := s.Store.Products(ctx, models.Find{Query: q})
	if err != nil {
		return err
	}
	page := views.HomePage{Page: p, Categories: chips(p.Lang, g), Query: q}
	for i := range hits {
		page.Cards = append(page.Cards, card(p.Lang, &hits[i]))
	}
	if len(hits) == 0 {
		page.Words = shorter(g, q)
		for i := range g.products[:min(4, len(g.products))] {
			page.Near = append(page.Near, card(p.Lang, &g.products[i]))
		}
	}
	return s.show(c, classPage, 200, views.Home(page))
}

// shorter finds up to three pieces of a search that had no hit, which occur in
// names of goods.
func shorter(g *goods, q string) []string {
	var words []string
	runes := []rune(q)
	for size := min(len(runes)-1, 4); size >= 1 && len(words) < 3; size-- {
		for i := 0; i+size <= len(runes) && len(words) < 3; i++ {
			w := strings.TrimSpace(string(runes[i : i+size]))
			if len(w) >= 3 && g.names(w) && !within(words, w) { // one Chinese character has three bytes
				words = append(words, w)
			}
		}
	}
	return words
}

func (g *goods) names(w string) bool {
	w = strings.ToLower(w)
	for i := range g.products {
		p := &g.products[i]
		if strings.Contains(p.NameZH, w) || strings.Contains(strings.ToLower(p.NameEN), w) {
			return true
		}
	}
	return false
}

func within(words []string, w string) bool {
	for _, x := range words {
		if strings.Contains(x, w) {
			return true
		}
	}
	return false
}

func chips(l views.Lang, g *goods) []views.Category {
	out := make([]views.Category, len(g.categories))
	for i, x := range g.categories {
		out[i] = views.Category{ID: x.ID, Name: pick(l, x.NameZH, x.NameEN)}
	}
	return out
}

// card shows the lowest price that can be had; sold out, the lowest of all.
func card(l views.Lang, p *models.Product) views.Card {
	x := views.Card{
		Slug: p.Slug, Name: pick(l, p.NameZH, p.NameEN), Line: pick(l, p.LineZH, p.LineEN),
		Picture: picture(p.Pictures), SoldOut: true,
	}
	first := true
	for i := range p.SKUs {
		k := &p.SKUs[i]
		x.Varies = x.Varies || k.Price != p.SKUs[0].Price
		free := k.Stock > 0
		switch {
		case first, free && x.SoldOut, k.Price < x.From && free != x.SoldOut:
			x.From = k.Price
		}
		first = false
		x.SoldOut = x.SoldOut && !free
	}
	return x
}

// picture is the address of the first of some pictures.
func picture(names []string) string {
	if len(names) == 0 {
		return static.URL("logo.svg")
	}
	return static.URL(names[0])
}

// showProduct is one product. Without script the stepper asks for the same
// page with sku, qty and op.
func (s *Server) showProduct(c *gin.Context) error {
	f, err := query(c, "sku", "qty", "op")
	if err != nil {
		return err
	}
	slug := c.Param("slug")
	if !isCode(slug) {
		return errNoPage
	}
	p, err := s.frame(c)
	if err != nil {
		return err
	}
	chosen, qty := f.raw("sku"), stepped(f.raw("qty"), f.raw("op"))
	if chosen != "" && !isID(chosen) {
		chosen = ""
	}
	p.Path = productPath(slug, chosen)
	draw := func() (templ.Component, error) {
		page, err := s.productPage(c.Request.Context(), p, slug)
		if err != nil {
			return nil, err
		}
		page.Chosen, page.Qty = chosen, qty
		return views.Product(page), nil
	}
	if chosen != "" || qty != 1 { // any number may be asked for: not kept
		v, err := draw()
		if err != nil {
			return err
		}
		return s.showCatalog(c, v)
	}
	return s.showCached(c, &p, p.Path, s.Store.CatalogVersion(), draw)
}

func productPath(slug, sku string) string {
	if sku == "" {
		return "/p/" + url.PathEscape(slug)
	}
	return "/p/" + url.PathEscape(slug) + "?sku=" + sku
}

// stepped is a quantity after a press of plus or minus; nonsense is 1.
func stepped(qty, op string) int64 {
	n, err := quantity(qty)
	if err != nil {
		return 1
	}
	switch op {
	case "plus":
		n++
	case "minus":
		n--
	}
	return min(max(n, 1), 99)
}

func (s *Server) productPage(ctx context.Context, p views.Page, slug string) (views.ProductPage, error) {
	g, err := s.goods(ctx)
	if err != nil {
		return views.ProductPage{}, err
	}
	x, ok := g.product(slug)
	if !ok {
		return views.ProductPage{}, errNoPage
	}
	name := pick(p.Lang, x.NameZH, x.NameEN)
	page := views.ProductPage{
		Page: p, Slug: slug, Name: name, Line: pick(p.Lang, x.LineZH, x.LineEN), Option: optionNames(p.Lang, x),
	}
	for i := range x.SKUs {
		k := &x.SKUs[i]
		page.Choices = append(page.Choices, views.Choice{
			SKU: formatID(k.ID), Name: optionOf(p.Lang, x, k), Price: k.Price, Stock: k.Stock,
		})
	}
	for _, pic := range x.Pictures {
		page.Pictures = append(page.Pictures, views.Picture{URL: static.URL(pic), Alt: name})
	}
	for _, d := range x.Details {
		page.Facts = append(page.Facts, views.Fact{Label: pick(p.Lang, d.LabelZH, d.LabelEN), Text: pick(p.Lang, d.ZH, d.EN)})
	}
	return page, nil
}

// optionNames is what there is to choose: "净含量".
func optionNames(l views.Lang, p *models.Product) string {
	names := make([]string, len(p.Options))
	for i, o := range p.Options {
		names[i] = pick(l, o.ZH, o.EN)
	}
	return strings.Join(names, " · ")
}

// optionOf names an SKU by its values: "清香 125 克".
func optionOf(l views.Lang, p *models.Product, k *models.SKU) string {
	var names []string
	for i, id := range k.Values {
		if i >= len(p.Options) {
			break
		}
		for _, v := range p.Options[i].Values {
			if v.ID == id {
				names = append(names, pick(l, v.ZH, v.EN))
			}
		}
	}
	return strings.Join(names, " ")
}

func formatID(id int64) string { return strconv.FormatInt(id, 10) }

// parseID reads what formatID wrote (security I6).
func parseID(s string) (int64, error) {
	if !isID(s) {
		return 0, errBadForm
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, errBadForm
	}
	return n, nil
}

// paper shows a page of plain text.
func (s *Server) paper(draw func(views.Page) templ.Component) handler {
	return func(c *gin.Context) error {
		p, err := s.frame(c)
		if err != nil {
			return err
		}
		return s.show(c, classPage, 200, draw(p))
	}
}
