package checkout

import (
	"fmt"

	"wxshop/models"
)

// Quote is what lines come to at the prices of now, in fen. It is told before
// the order; the order itself is reckoned by models, in its transaction.
type Quote struct {
	Goods, Delivery, Total models.Fen
	Count                  int64 // pieces
}

// Quote adds up the lines of a cart.
func (s *Service) Quote(lines []models.CartEntry) (Quote, error) {
	var q Quote
	for i := range lines {
		sum, ok := lines[i].SKU.Price.Times(lines[i].Qty)
		if ok {
			q.Goods, ok = q.Goods.Plus(sum)
		}
		if !ok {
			return Quote{}, fmt.Errorf("add up a cart of %d lines: the sum does not fit", len(lines))
		}
		q.Count += lines[i].Qty
	}
	if len(lines) > 0 && (s.cfg.FreeFrom <= 0 || q.Goods < s.cfg.FreeFrom) {
		q.Delivery = s.cfg.DeliveryFee
	}
	total, ok := q.Goods.Plus(q.Delivery)
	if !ok {
		return Quote{}, fmt.Errorf("add the delivery to %d fen: the sum does not fit", q.Goods)
	}
	q.Total = total
	return q, nil
}
