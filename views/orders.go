package views

import (
	"github.com/a-h/templ"

	"wxshop/models"
)

func tabPath(t Tab) templ.SafeURL {
	if t == TabAll {
		return "/orders"
	}
	return templ.SafeURL("/orders?s=" + string(t))
}

// hint is the small line of an order in the list.
func (p *Page) hint(o *Order, s Status) templ.Component {
	w := p.words()
	switch own := ownFace(o); {
	case s.Face == FaceUnpaid:
		return timer{end: o.Deadline, now: p.Now, words: fill(w.Orders.Until, w.clock(o.Deadline, p.Now)), left: w.Orders.Left}
	case whole(o):
		return rich{text: p.wordsOf(FaceRefunded, o).Title}
	case own == FacePaid, own == FaceRevived:
		return rich{text: w.Orders.Soon}
	case o.State == models.Shipped:
		return rich{text: plain(p.wordsOf(own, o).Text, "")}
	}
	return rich{text: fill(w.Orders.Pieces, pieces(o))}
}

// tag is a badge: the word carries the meaning, the tint only helps.
type tag struct {
	word string
	tint Tint
}

// tags are the badges of an order in a list: money on its way back first, then
// the order itself.
func (p *Page) tags(o *Order, f Face) []tag {
	t := p.words().Tags
	var out []tag
	switch refundFace(o) {
	case FaceRefundAsked:
		out = append(out, tag{t["asked"], Wait})
	case FaceRefunding:
		out = append(out, tag{fill(t["refunding"], Yuan(o.Refund.Amount)), Wait})
	case FaceRefundAbnormal:
		out = append(out, tag{t["abnormal"], Bad})
	}
	switch {
	case f == FaceToCheck:
		return append(out, tag{t["to_check"], Bad})
	case f == FaceChecking:
		return append(out, tag{t["checking"], Wait})
	case whole(o):
		return append(out, tag{t["refunded"], Plain})
	case o.CloseReason != models.ByTimeout && o.State == models.Closed && !o.Late:
		return append(out, tag{t["cancelled"], Plain})
	}
	return append(out, tag{t[string(o.State)], stateTint(o.State)})
}

// refundTag is the badge of one refund.
func (p *Page) refundTag(r Refund) tag {
	w := p.words()
	switch r.State {
	case models.RefundSucceeded:
		return tag{w.Tags["refunded"], Plain}
	case models.RefundAbnormal:
		return tag{w.Tags["abnormal"], Bad}
	case models.RefundClosed:
		return tag{w.States[FaceRefundClosed].Title, Bad}
	}
	return tag{fill(w.Tags["refunding"], Yuan(r.Amount)), Wait}
}

func stateTint(s models.State) Tint {
	switch s {
	case models.Unpaid:
		return Wait
	case models.Paid:
		return Go
	case models.Shipped:
		return OK
	}
	return Plain
}
