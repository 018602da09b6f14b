package views

import (
	"time"

	"wxshop/models"
)

// AdminRefundPage gives money of an order back.
type AdminRefundPage struct {
	AdminPage
	Order      *models.Order
	Paid, Left models.Fen
	Limit      *models.Fen // of one refund by the reader; nil: none
	Lines      []AdminRefundLine
	Amount     string // in yuan, as typed
	Reason     string
	Token      string
	Problem    AdminProblem
}

// AdminRefundLine is goods that may come back with the money.
type AdminRefundLine struct {
	Item    *models.OrderItem
	Left    int64 // pieces that were not given back before
	Qty     int64 // chosen
	Restock bool
}

// most is what the reader may give back at once.
func (p *AdminRefundPage) most() models.Fen {
	if p.Limit != nil {
		return min(p.Left, *p.Limit)
	}
	return p.Left
}

// trouble is the sentence for one of several problems of the form.
func (p *AdminRefundPage) trouble(of ...AdminProblem) string {
	for _, x := range of {
		if x != p.Problem {
			continue
		}
		switch x {
		case AdminRefundLeft:
			return fill(p.w().Problems[x], adminYuanFull(p.Left))
		case AdminRefundLimit:
			return fill(p.w().Problems[x], adminYuanFull(*p.Limit))
		}
		return p.w().Problems[x]
	}
	return ""
}

// lineName is a product with its option.
func (p *AdminRefundPage) lineName(l *AdminRefundLine) string {
	return places(p.itemName(l.Item), p.itemOption(l.Item))
}

// AdminRefundsPage is the list of refunds: without a filter what has not
// ended, the trouble first, and the newest that have.
type AdminRefundsPage struct {
	AdminPage
	Filter AdminRefundFilter
	Held   []models.RefundRow // abnormal
	Under  []models.RefundRow // promised, or with WeChat
	Rows   []models.RefundRow // ended; with a filter its whole page
	More   string             // address of older ones, "" none
}

// AdminRefundFilter is a part of the refunds, and its word in the address.
type AdminRefundFilter string

// The filters.
const (
	AdminRefundsOpen      AdminRefundFilter = ""
	AdminRefundsHeld      AdminRefundFilter = "abnormal"
	AdminRefundsSucceeded AdminRefundFilter = "succeeded"
	AdminRefundsClosed    AdminRefundFilter = "closed"
	AdminRefundsAll       AdminRefundFilter = "all"
)

var adminRefundFilters = []AdminRefundFilter{AdminRefundsOpen, AdminRefundsHeld, AdminRefundsSucceeded, AdminRefundsClosed, AdminRefundsAll}

// States are the states of a filter; false when there is no such filter.
func (f AdminRefundFilter) States() ([]models.RefundState, bool) {
	switch f {
	case AdminRefundsOpen:
		return []models.RefundState{models.RefundPending, models.RefundProcessing}, true
	case AdminRefundsHeld, AdminRefundsSucceeded, AdminRefundsClosed:
		return []models.RefundState{models.RefundState(f)}, true
	case AdminRefundsAll:
		return nil, true
	}
	return nil, false
}

// AdminRefundsPath is the address of a list of refunds.
func AdminRefundsPath(f AdminRefundFilter) string {
	if f == AdminRefundsOpen {
		return "/admin/refunds"
	}
	return "/admin/refunds?state=" + string(f)
}

func (p *AdminRefundsPage) filterName(f AdminRefundFilter) string {
	switch f {
	case AdminRefundsOpen:
		if p.Refunding > 0 {
			return p.w().Refunds.Open + " " + count(p.Refunding)
		}
		return p.w().Refunds.Open
	case AdminRefundsAll:
		return p.w().Orders.All
	}
	return word(p.w().RefundStates, models.RefundState(f))
}

// payer is whose money a refund is, as the reader may see it.
func (p *AdminPage) payer(r *models.RefundRow) string {
	switch {
	case r.Source == models.FromCounter:
		return p.w().Orders.Counter
	case r.OrderNo == "":
		return p.w().Refunds.Nobody
	}
	return p.person(r.Name)
}

// why is what people wrote, else why the program did it.
func (p *AdminPage) why(r *models.Refund) string {
	if r.Note != "" {
		return r.Note
	}
	return word(p.w().RefundWhy, r.Reason)
}

// doing is what was done about a refund, and what comes next; of one that has
// ended, when, and where the money is.
func (p *AdminPage) doing(r *models.Refund) string {
	switch r.State {
	case models.RefundSucceeded:
		return places(adminMoment(r.SucceededAt.Time), r.Account)
	case models.RefundClosed:
		return adminMoment(r.CreatedAt.Time)
	}
	return fill(p.w().Refunds.Doing, p.clock(r.CreatedAt.Time), r.Tries, p.nextTime(r.NextAt.Time))
}

// nextTime is when something comes: "now" when it is due already.
func (p *AdminPage) nextTime(t time.Time) string {
	if !t.After(p.Now) {
		return p.w().Refunds.Soon
	}
	return p.clock(t)
}
