package views

import (
	"strings"
	"time"

	"wxshop/models"
)

// adminStates are the states in the order in which an order goes through them.
var adminStates = []models.State{models.Unpaid, models.Paid, models.Shipped, models.Done, models.Closed}

// stateWithCount names a filter; the queues say how many wait in them.
func (p *AdminOrdersPage) stateWithCount(s models.State) string {
	name := word(p.w().States, s)
	if n := p.Counts[s]; n > 0 && s != models.Done && s != models.Closed {
		return name + " " + count(n)
	}
	return name
}

// filterPath leads to a state and keeps what was searched for.
func (p *AdminOrdersPage) filterPath(s models.State) string {
	return AdminOrdersPath(s, p.Query, "")
}

// clock is a time of today, or a day when it was another.
func (p *AdminPage) clock(t time.Time) string {
	t, now := t.In(beijing), p.Now.In(beijing)
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04")
	}
	return t.Format("01-02")
}

// receiver is who gets the parcel; at the cash desk nobody.
func (p *AdminOrderPage) receiver() string {
	if p.Order.Source == models.FromCounter {
		return p.w().Orders.Counter
	}
	return p.person(p.Order.Receiver.Name) + " " + maskPhone(p.Order.Receiver.Phone)
}

// sumWord says whether the total was paid or is due.
func (p *AdminOrderPage) sumWord() string {
	if p.Order.PaidAt.IsZero() {
		return p.w().Order.Due
	}
	return p.w().Order.Total
}

// refunded sums what went back, or what is still to go back.
func (p *AdminOrderPage) refunded(done bool) models.Fen {
	var sum models.Fen
	for i := range p.Refunds {
		r := &p.Refunds[i]
		if r.State != models.RefundClosed && (r.State == models.RefundSucceeded) == done {
			sum += r.Amount
		}
	}
	return sum
}

func (p *AdminOrderPage) openRefunds() int64 {
	var n int64
	for i := range p.Refunds {
		if s := p.Refunds[i].State; s != models.RefundSucceeded && s != models.RefundClosed {
			n++
		}
	}
	return n
}

func (p *AdminOrderPage) openMisfits() int64 {
	var n int64
	for i := range p.Misfits {
		if p.Misfits[i].State == "open" {
			n++
		}
	}
	return n
}

// trouble is what was wrong with the form of an action.
func (p *AdminOrderPage) trouble(a AdminAction) string {
	if p.Form.At != a {
		return ""
	}
	return p.w().Problems[p.Form.Problem]
}

// troubleOf is what was wrong with one of several fields.
func (p *AdminOrderPage) troubleOf(a AdminAction, x AdminProblem) string {
	if p.Form.Problem != x {
		return ""
	}
	return p.trouble(a)
}

// openID is the end of the buyer's openid: enough to tell two buyers apart.
func (p *AdminOrderPage) openID() string {
	if p.User == nil || p.User.OpenID == nil {
		return p.w().Order.Guest
	}
	return "…" + tail(*p.User.OpenID)
}

func adminLineSum(i *models.OrderItem) string {
	sum, ok := i.Price.Times(i.Qty)
	if !ok {
		return ""
	}
	return adminYuan(sum)
}

func adminTransaction(x *models.Payment) string {
	if x.TransactionID == nil {
		return ""
	}
	return *x.TransactionID
}

// attemptTime is when an attempt was paid, or until when it can be.
func (p *AdminPage) attemptTime(x *models.Payment) string {
	if !x.PaidAt.IsZero() {
		return p.w().Order.PaidAt + " " + adminInstant(x.PaidAt.Time)
	}
	if x.LiveOrderID != nil && !x.ExpireAt.IsZero() {
		return p.w().Order.Expires + " " + adminMoment(x.ExpireAt.Time)
	}
	return ""
}

// eventTitle is what happened, with the amount when money was in it.
func (p *AdminPage) eventTitle(e *models.Event) string {
	kind := e.Kind
	if ended := models.PayState(e.To); kind == "attempt" && (ended == models.PayClosed || ended == models.PayFailed) {
		kind += "-" + e.To
	}
	s := word(p.w().Events, kind)
	if e.Amount != 0 {
		s += " " + adminYuanFull(e.Amount)
	}
	return s
}

// eventText is who did it, what became of the order, and what was said.
func (p *AdminPage) eventText(e *models.Event) string {
	parts := []string{p.actor(e.Actor)}
	if e.From != e.To && e.From != "" && e.To != "" {
		parts = append(parts, p.anyState(e.From)+" → "+p.anyState(e.To))
	}
	if e.Note != "" {
		parts = append(parts, p.note(e.Note))
	}
	if e.OutTradeNo != "" {
		parts = append(parts, e.OutTradeNo)
	}
	if e.TransactionID != "" {
		parts = append(parts, e.TransactionID)
	}
	return strings.Join(parts, " · ")
}

// note translates the words that the program itself notes, and leaves what
// people wrote.
func (p *AdminPage) note(s string) string {
	if why, ok := p.w().Closes[models.CloseReason(s)]; ok {
		return why
	}
	if why, ok := p.w().RefundWhy[models.RefundReason(s)]; ok {
		return why
	}
	if w, ok := p.w().Misfits[s]; ok {
		return w.Title
	}
	return s
}

// anyState is a state of an order, of a payment or of a refund.
func (p *AdminPage) anyState(s string) string {
	if x, ok := p.w().States[models.State(s)]; ok {
		return x
	}
	if x, ok := p.w().PayStates[models.PayState(s)]; ok {
		return x
	}
	return word(p.w().RefundStates, models.RefundState(s))
}

// eventClass lights the events about money: green came, red is trouble.
func adminEventClass(e *models.Event) string {
	switch e.Kind {
	case "paid", "revived":
		return "g"
	case "misfit", "refund-due":
		return "r"
	}
	return ""
}
