package handlers

import (
	"context"
	"fmt"

	"github.com/gin-gonic/gin"

	"wxshop/models"
	"wxshop/views"
)

// showCart shows what was chosen, at the prices of now.
func (s *Server) showCart(c *gin.Context) error {
	p, err := s.frame(c)
	if err != nil {
		return err
	}
	v, err := s.visit(c)
	if err != nil {
		return err
	}
	page, err := s.cartPage(c.Request.Context(), p, v.UserID)
	if err != nil {
		return err
	}
	return s.show(c, classPage, 200, views.Cart(page))
}

// cartPage reads the cart of a user; user 0 has an empty one.
func (s *Server) cartPage(ctx context.Context, p views.Page, user int64) (views.CartPage, error) {
	page := views.CartPage{Page: p}
	if user == 0 {
		return page, nil
	}
	entries, err := s.Store.Cart(ctx, user)
	if err != nil {
		return page, err
	}
	page.Lines = cartLines(p.Lang, entries)
	page.Sums, err = s.sums(entries)
	for i := range entries {
		if e := &entries[i]; e.SeenPrice != e.SKU.Price && e.SeenPrice > 0 {
			page.Notes = append(page.Notes, views.Say(p.Lang, views.PriceChanged,
				lineName(p.Lang, e), views.Yuan(e.SeenPrice), views.Yuan(e.SKU.Price)))
		}
	}
	return page, err
}

func cartLines(l views.Lang, entries []models.CartEntry) []views.Line {
	out := make([]views.Line, len(entries))
	for i := range entries {
		e := &entries[i]
		out[i] = views.Line{
			SKU: formatID(e.SKUID), Slug: e.Product.Slug, Name: pick(l, e.Product.NameZH, e.Product.NameEN),
			Option: optionOf(l, &e.Product, &e.SKU), Picture: picture(e.Product.Pictures),
			Price: e.SKU.Price, Qty: e.Qty, Stock: e.SKU.Stock,
		}
	}
	return out
}

// lineName is a product with its option, as a sentence names it.
func lineName(l views.Lang, e *models.CartEntry) string {
	name := pick(l, e.Product.NameZH, e.Product.NameEN)
	if o := optionOf(l, &e.Product, &e.SKU); o != "" {
		name += " " + o
	}
	return name
}

// sums asks checkout what the lines come to.
func (s *Server) sums(entries []models.CartEntry) (views.Sums, error) {
	q, err := s.Checkout.Quote(entries)
	if err != nil {
		return views.Sums{}, err
	}
	return views.Sums{Goods: q.Goods, Delivery: q.Delivery, Total: q.Total, Count: q.Count}, nil
}

// addToCart is the first thing a shopper wants kept: it makes the guest.
func (s *Server) addToCart(c *gin.Context) error {
	f, err := readForm(c, "sku", "qty", "to")
	if err != nil {
		return err
	}
	sku, err := parseID(f.raw("sku"))
	if err != nil {
		return err
	}
	qty, err := f.quantity("qty")
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	if known, err := s.Store.SKUs(ctx, []int64{sku}); err != nil || len(known) == 0 {
		return orElse(err, errNoPage) // before a guest is made for it
	}
	v, err := s.guest(c)
	if err != nil {
		return err
	}
	if err := s.Store.AddToCart(ctx, v.UserID, sku, qty); err != nil {
		return fmt.Errorf("add to cart: %w", err)
	}
	if f.raw("to") == "checkout" {
		return s.see(c, "/checkout")
	}
	return s.sayAdded(c, v.UserID, sku)
}

// sayAdded goes back to the product with a word about it.
func (s *Server) sayAdded(c *gin.Context, user, sku int64) error {
	entries, err := s.Store.Cart(c.Request.Context(), user)
	if err != nil {
		return err
	}
	for i := range entries {
		e := &entries[i]
		if e.SKUID != sku {
			continue
		}
		l := s.lang(c)
		if err := s.flash(c, views.OK, views.Say(l, views.Added, lineName(l, e))); err != nil {
			return err
		}
		return s.see(c, productPath(e.Product.Slug, formatID(sku)))
	}
	return s.see(c, "/cart")
}

// setCart changes one line: another quantity, one more, one less, or gone.
func (s *Server) setCart(c *gin.Context) error {
	f, err := readForm(c, "sku", "qty", "op")
	if err != nil {
		return err
	}
	sku, err := parseID(f.raw("sku"))
	if err != nil {
		return err
	}
	qty := int64(0)
	if op := f.raw("op"); op != "remove" {
		if qty, err = f.quantity("qty"); err != nil {
			return err
		}
		qty = map[string]int64{"plus": min(qty+1, 99), "minus": max(qty-1, 1), "set": qty, "": qty}[op]
		if qty == 0 {
			return fmt.Errorf("cart op %.20q: %w", op, errBadForm)
		}
	}
	v, err := s.visit(c)
	if err != nil {
		return err
	}
	if v.UserID == 0 { // the session ended meanwhile: there is no cart to change
		return s.see(c, "/cart")
	}
	if err := s.Store.SetCart(c.Request.Context(), v.UserID, sku, qty); err != nil {
		return fmt.Errorf("set cart: %w", err)
	}
	return s.see(c, "/cart")
}

// orElse is err, or other when there was none.
func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}
