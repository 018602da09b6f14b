package views

import (
	"net/url"

	"github.com/a-h/templ"
)

// MaxQty is the most pieces of one SKU in one order.
const MaxQty = 99

// chosen is the choice that is ticked: the asked one if it can be had, else
// the first that can be had, else the first.
func (p *ProductPage) chosen() Choice {
	var first *Choice
	for i := range p.Choices {
		c := &p.Choices[i]
		if c.Stock > 0 && c.SKU == p.Chosen {
			return *c
		}
		if c.Stock > 0 && first == nil {
			first = c
		}
	}
	if first != nil {
		return *first
	}
	if len(p.Choices) > 0 {
		return p.Choices[0]
	}
	return Choice{}
}

// qty is the number in the stepper, within what can be had.
func (p *ProductPage) qty(c Choice) int64 {
	return max(1, min(p.Qty, c.Stock, MaxQty))
}

func (p *ProductPage) stockText(n int64) string {
	if n <= 5 {
		return fill(p.words().Product.Few, n)
	}
	return fill(p.words().Product.Left, n)
}

// stepPath is where the stepper asks for the same page with another quantity.
func (p *ProductPage) stepPath() templ.SafeURL {
	return templ.SafeURL("/p/" + url.PathEscape(p.Slug) + "#qty")
}
