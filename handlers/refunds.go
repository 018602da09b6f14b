package handlers

import (
	"context"

	"wxshop/models"
	"wxshop/views"
)

// refunds adds to an order what goes back to its buyer: what is on its way,
// what arrived and what needs a person. An unpaid order has none.
func (s *Server) refunds(ctx context.Context, x *views.Order, o *models.Order) error {
	if o.State == models.Unpaid {
		return nil
	}
	rs, err := s.Store.RefundsOf(ctx, o.ID)
	if err != nil {
		return err
	}
	x.Late, x.Extra, x.Refund = false, 0, views.Refund{}
	for i := range rs {
		addRefund(x, &rs[i])
		takeBack(x, o.Items, rs[i].Lines, rs[i].State)
	}
	return nil
}

// addRefund puts one refund where it belongs. A second payment of an order
// that goes back is none of the order's own money.
func addRefund(x *views.Order, r *models.Refund) {
	v := views.Refund{State: r.State, Amount: r.Amount, No: r.OutRefundNo, At: r.SucceededAt.Time}
	x.Refunds = append(x.Refunds, v)
	switch r.Reason {
	case models.RefundDouble:
		if r.State != models.RefundSucceeded {
			x.Extra += r.Amount
		}
		return
	case models.RefundMisfit:
		return // never was the payment of this order
	case models.RefundLate:
		x.Late = true
	}
	if r.State == models.RefundSucceeded {
		x.Refunded += r.Amount
	}
	if urgency(v.State) >= urgency(x.Refund.State) {
		x.Refund = v
	}
}

// urgency orders refunds by how much their buyer wants to know of them.
func urgency(s models.RefundState) int {
	switch s {
	case models.RefundAbnormal:
		return 4
	case models.RefundPending, models.RefundProcessing:
		return 3
	case models.RefundClosed:
		return 2
	case models.RefundSucceeded:
		return 1
	}
	return 0
}

// takeBack counts the pieces that a refund was for.
func takeBack(x *views.Order, items []models.OrderItem, lines []models.RefundLine, state models.RefundState) {
	if state == models.RefundClosed {
		return
	}
	for _, l := range lines {
		for i := range items {
			if items[i].ID == l.ItemID && i < len(x.Items) {
				x.Items[i].Refunded += l.Qty
			}
		}
	}
}
