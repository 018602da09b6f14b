package checkout

import (
	"context"

	"wxshop/models"
)

// Again puts the goods of an order of user into the cart once more, as they
// are sold today, and says how many lines are gone from the shop.
func (s *Service) Again(ctx context.Context, user int64, no string) (gone int, err error) {
	o, err := s.store.Order(ctx, user, no)
	if err != nil {
		return 0, err
	}
	ids := make([]int64, len(o.Items))
	for i := range o.Items {
		ids[i] = o.Items[i].SKUID
	}
	skus, err := s.store.SKUs(ctx, ids)
	if err != nil {
		return 0, err
	}
	left := map[int64]models.SKU{}
	for _, k := range skus {
		left[k.ID] = k
	}
	for _, i := range o.Items {
		n := min(i.Qty, left[i.SKUID].Stock)
		if n <= 0 {
			gone++
			continue
		}
		if err := s.store.AddToCart(ctx, user, i.SKUID, n); err != nil {
			return gone, err
		}
	}
	return gone, nil
}
