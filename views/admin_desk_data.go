package views

import (
	"strings"
	"time"

	"wxshop/models"
	"wxshop/static"
)

var iconDesk = icon("i", "M7 3h10v18H7zM11 18h2")

var deskScript = markup(`<script src="` + static.URL("desk.js") + `" integrity="` + static.Integrity("desk.js") + `" defer></script>`)

// AdminDeskPage is the cash desk, ready for the next scan.
type AdminDeskPage struct {
	AdminPage
	Face    bool   // a face code and an openid instead of a payment code
	Amount  string // in yuan, as typed
	OpenID  string
	Token   string
	Problem AdminProblem
	Goods   []AdminDeskGood
	AdminDeskToday
}

// AdminDeskGood is something that is often sold, to be tapped.
type AdminDeskGood struct {
	Name  string
	Price models.Fen
}

// AdminDeskToday is what the desk took today: the newest, and the sum of all.
type AdminDeskToday struct {
	Sales []models.Sale
	Sum   models.SalesSum
}

// AdminSalePage is what became of one scan.
type AdminSalePage struct {
	AdminPage
	Sale models.Sale
	AdminDeskToday
}

// AdminSaleState is where a sale stands for the person at the desk. It ends
// in one of the last four.
type AdminSaleState string

// The states.
const (
	AdminSaleWaiting   AdminSaleState = "waiting"
	AdminSaleReversing AdminSaleState = "reversing" // nobody may leave yet
	AdminSalePaid      AdminSaleState = "paid"
	AdminSaleReversed  AdminSaleState = "reversed"
	AdminSaleRefused   AdminSaleState = "refused" // WeChat took nothing, and said so
	AdminSaleBack      AdminSaleState = "back"    // paid after it was taken back: the money goes back too
)

// AdminSaleStateOf reads the state from the order and its attempt.
func AdminSaleStateOf(s *models.Sale) AdminSaleState {
	p := s.Payment.State
	switch {
	case s.Order.State == models.Closed && p == models.PayPaid:
		return AdminSaleBack
	case s.Order.State == models.Closed && p == models.PayFailed:
		return AdminSaleRefused
	case s.Order.State == models.Closed:
		return AdminSaleReversed
	case s.Order.State != models.Unpaid:
		return AdminSalePaid
	case p == models.PayReversing:
		return AdminSaleReversing
	}
	return AdminSaleWaiting
}

func adminSaleTint(s AdminSaleState) string {
	switch s {
	case AdminSaleWaiting:
		return string(Wait)
	case AdminSaleReversing, AdminSaleBack:
		return string(Bad)
	case AdminSalePaid:
		return string(OK)
	}
	return ""
}

func (p *AdminSalePage) state() AdminSaleState { return AdminSaleStateOf(&p.Sale) }

// waited is how many seconds the payer has been at it.
func (p *AdminSalePage) waited() int64 {
	return int64(max(0, p.Now.Sub(p.Sale.Order.CreatedAt.Time)) / time.Second)
}

// Asked is how often WeChat was asked, and when it will be next.
func (p *AdminSalePage) Asked() string {
	x := &p.Sale.Payment
	next := p.w().Refunds.Soon
	if t := x.NextQueryAt.Time; t.After(p.Now) {
		next = t.In(beijing).Format("15:04:05")
	}
	return fill(p.w().Desk.AskedTimes, x.Queries, next)
}

// code is the payment code as people may see it.
func (p *AdminSalePage) code() string {
	if p.Sale.Payment.CodeTail == "" {
		return word(p.w().Channels, p.Sale.Payment.Channel)
	}
	return "•••• •••• •••• •• " + p.Sale.Payment.CodeTail
}

// title and text are those of the state; while WeChat gives no answer the
// reason is another than a password.
func (p *AdminSalePage) words() struct{ Title, Text string } {
	s := p.state()
	if s == AdminSaleWaiting && p.Sale.Payment.LastError != "" {
		return p.w().Desk.States["silent"]
	}
	return p.w().Desk.States[string(s)]
}

// ended is when the sale came to its end.
func (p *AdminSalePage) ended() string {
	t := p.Sale.Order.ClosedAt.Time
	if p.state() == AdminSalePaid {
		t = p.Sale.Order.PaidAt.Time
	}
	if t.IsZero() {
		return ""
	}
	return t.In(beijing).Format("15:04:05")
}

func (p *AdminDeskPage) trouble(of ...AdminProblem) string {
	for _, x := range of {
		if x == p.Problem {
			return p.w().Problems[x]
		}
	}
	return ""
}

// next is the field that waits: the code once the amount is known.
func (p *AdminDeskPage) next() string {
	switch {
	case strings.TrimSpace(p.Amount) == "" || p.Problem == AdminDeskAmount:
		return "amount"
	case p.Face && p.OpenID == "":
		return "openid"
	}
	return "code"
}

func adminDeskPath(amount models.Fen) string { return "/admin/cashdesk?amount=" + amount.String() }

func adminSalePath(no, part string) string {
	if part == "" {
		return "/admin/cashdesk/" + no
	}
	return "/admin/cashdesk/" + no + "/" + part
}

// buyer is who bought, as the reader may see it.
func (p *AdminPage) buyer(o *models.Order) string {
	if o.Source == models.FromCounter {
		return p.w().Orders.Counter
	}
	return p.person(o.Receiver.Name)
}
