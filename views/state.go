package views

import (
	"cmp"
	"net/url"
	"strings"
	"time"

	"github.com/a-h/templ"

	"wxshop/models"
)

// Face is one way in which an order, an attempt to pay or a refund shows
// itself to its owner. Each has words in the catalogue under its own name.
type Face string

// The faces.
const (
	FaceUnpaid         Face = "unpaid"
	FaceChecking       Face = "checking" // the outcome of a payment is not known
	FacePaid           Face = "paid"
	FaceShipped        Face = "shipped"
	FaceShippedBy      Face = "shipped_by"   // no date of arrival
	FaceShippedOnly    Face = "shipped_only" // no carrier either
	FaceDone           Face = "done"
	FaceClosedLate     Face = "closed_late"
	FaceClosedShopper  Face = "closed_shopper"
	FaceClosedMerchant Face = "closed_merchant"
	FaceRevived        Face = "revived"
	FaceLate           Face = "late"
	FaceTwice          Face = "twice"
	FacePrepaid        Face = "prepaid"
	FacePayClosed      Face = "pay_closed"
	FacePayFailed      Face = "pay_failed"
	FaceToCheck        Face = "to_check"
	FaceRefundAsked    Face = "refund_asked"
	FaceRefunding      Face = "refunding"
	FaceRefunded       Face = "refunded"
	FaceRefundedPart   Face = "refunded_part"
	FaceRefundAbnormal Face = "refund_abnormal"
	FaceRefundClosed   Face = "refund_closed"
)

// Action is a step that the shopper can take: a link, or with Post a form. An
// Action without a label is none.
type Action struct {
	Label, Href string
	Post        bool
}

// Status is an order in words. Text may hold **bold** and {timer}; Message is
// the same as plain text.
type Status struct {
	Face               Face
	Key                string // for GET /orders/{no}/status: "unpaid", "checking", "paid", …; when it changes the page asks for itself again
	Title, Text        string
	Message            string
	Primary, Secondary Action
	Poll               bool // the page waits for something that may happen without the shopper
	Step               int  // how far it came: 0 ordered, 1 paid, 2 shipped, 3 received; -1 when that makes no sense
	Note               *Note
}

// Note is a second thing to say, when two are true at once: a part that was
// refunded, an extra payment on its way back.
type Note struct {
	Face        Face
	Tint        Tint
	Title, Text string
}

// StateOf is the one place that decides what the owner of an order reads and
// may do next.
func StateOf(p *Page, o *Order) Status {
	f := face(o)
	s := p.status(f, o)
	if n := noteFace(o); n != "" && n != f {
		w := p.wordsOf(n, o)
		s.Note = &Note{Face: n, Tint: noteTint(n), Title: w.Title, Text: w.Text}
	}
	return s
}

// AttemptOf is what the shopper reads about the latest attempt to pay an
// unpaid order.
func AttemptOf(p *Page, o *Order) Status {
	switch o.Attempt {
	case models.PayClosed:
		return p.status(FacePayClosed, o)
	case models.PayFailed:
		return p.status(FacePayFailed, o)
	}
	return p.status(FacePrepaid, o)
}

func (p *Page) status(f Face, o *Order) Status {
	w := p.wordsOf(f, o)
	s := Status{Face: f, Key: key(f, o), Title: w.Title, Text: w.Text, Step: step(f, o), Poll: o.State == models.Unpaid}
	s.Message = plain(w.Text, p.until(o.Deadline))
	s.Primary, s.Secondary = p.actions(f, o)
	s.Primary.Label = label(s.Primary, w.Primary)
	s.Secondary.Label = label(s.Secondary, w.Secondary)
	if s.Primary.Label == "" { // nobody to call: there is always a next step
		s.Primary = Action{Label: p.words().Orders.Title, Href: "/orders"}
	}
	return s
}

// label is the catalogue's word for an action, unless the action brought its
// own or leads nowhere.
func label(a Action, word string) string {
	if a.Href == "" || a.Label != "" {
		return a.Label
	}
	return word
}

// face decides, most urgent first.
func face(o *Order) Face {
	switch {
	case o.ToCheck:
		return FaceToCheck
	case o.State == models.Unpaid && o.Checking:
		return FaceChecking
	case o.State == models.Unpaid:
		return FaceUnpaid
	}
	if f := refundFace(o); f != "" && refundLeads(f, o) {
		return f
	}
	return ownFace(o)
}

// ownFace is the order itself, whatever happens to its money.
func ownFace(o *Order) Face {
	switch o.State {
	case models.Paid:
		if o.Revived {
			return FaceRevived
		}
		return FacePaid
	case models.Shipped:
		return shippedFace(o)
	case models.Done:
		return FaceDone
	}
	return closedFace(o)
}

func shippedFace(o *Order) Face {
	switch {
	case o.Carrier == "":
		return FaceShippedOnly
	case o.ArrivesAt.IsZero():
		return FaceShippedBy
	}
	return FaceShipped
}

func closedFace(o *Order) Face {
	switch {
	case o.Late:
		return FaceLate
	case o.CloseReason == models.ByShopper:
		return FaceClosedShopper
	case o.CloseReason == models.ByMerchant:
		return FaceClosedMerchant
	}
	return FaceClosedLate
}

func refundFace(o *Order) Face {
	switch {
	case o.Refund.Asked:
		return FaceRefundAsked
	case o.Refund.State == models.RefundPending, o.Refund.State == models.RefundProcessing:
		return FaceRefunding
	case o.Refund.State == models.RefundAbnormal:
		return FaceRefundAbnormal
	case o.Refund.State == models.RefundClosed:
		return FaceRefundClosed
	case whole(o):
		return FaceRefunded
	case o.Refunded > 0:
		return FaceRefundedPart
	}
	return ""
}

// whole reports whether all the money is back.
func whole(o *Order) bool { return o.Refunded > 0 && o.Refunded >= o.Total }

// refundLeads reports whether the refund matters more than the order: not
// while a parcel is on its way, not when a part is settled, and not before a
// late payment has said why it goes back.
func refundLeads(f Face, o *Order) bool {
	switch f {
	case FaceRefundedPart, FaceRefundClosed:
		return false
	case FaceRefunding:
		return o.State != models.Shipped && !o.Late
	case FaceRefundAsked:
		return o.State != models.Shipped
	}
	return true
}

// noteFace is what must be said beside the face.
func noteFace(o *Order) Face {
	if o.Extra > 0 {
		return FaceTwice
	}
	f := refundFace(o)
	if f == FaceRefunding && o.Late { // the face says so already
		return ""
	}
	return f
}

func noteTint(f Face) Tint {
	switch f {
	case FaceRefundedPart, FaceRefunded:
		return OK
	case FaceRefundAbnormal:
		return Bad
	case FaceRefundClosed:
		return Plain
	}
	return Wait
}

// key is the face as the status endpoint names it: the state of the order,
// unless something else leads.
func key(f Face, o *Order) string {
	switch f {
	case FaceChecking, FaceToCheck:
		return string(f)
	case FaceLate, FaceRefundAsked, FaceRefunding, FaceRefunded, FaceRefundAbnormal:
		return "refund"
	}
	return string(o.State)
}

func step(f Face, o *Order) int {
	switch {
	case f == FaceToCheck, f == FaceRefunded:
		return -1
	case o.State == models.Unpaid:
		return 0
	case o.State == models.Paid:
		return 1
	case o.State == models.Shipped:
		return 2
	case o.State == models.Done:
		return 3
	}
	return -1
}

// wordsOf are the words of a face with the facts of this order in them.
func (p *Page) wordsOf(f Face, o *Order) stateWords {
	all := p.words()
	w := all.States[f]
	switch f {
	case FaceUnpaid, FacePrepaid:
		w.Primary = fill(w.Primary, Yuan(o.Total))
	case FacePaid, FaceLate:
		w.Text = fill(w.Text, Yuan(o.Total))
	case FaceShipped:
		w.Text = fill(w.Text, o.Carrier, all.day(o.ArrivesAt))
	case FaceShippedBy:
		w.Text = fill(w.Text, o.Carrier)
	case FaceClosedLate:
		w.Text = fill(w.Text, int64(p.Shop.PayWithin/time.Minute))
	case FaceTwice:
		w.Text = fill(w.Text, Yuan(o.Extra))
	case FaceRefunding:
		w.Text = fill(w.Text, Yuan(o.Refund.Amount))
	case FaceRefunded, FaceRefundedPart:
		w.Title = fill(w.Title, Yuan(o.Refunded))
	case FaceRefundClosed:
		w.Text = fill(w.Text, cmp.Or(o.Refund.Reason, all.Order.NotReturned))
	}
	return w
}

// actions are the two next steps of a face.
func (p *Page) actions(f Face, o *Order) (primary, secondary Action) {
	here := orderPath(o.No)
	pay := Action{Href: payPath(o.No), Post: true}
	again := Action{Href: here + "/again", Post: true}
	switch f {
	case FaceUnpaid:
		return pay, Action{Href: here + "/cancel"}
	case FacePrepaid:
		return pay, Action{Href: openPath(o.No)}
	case FacePayClosed:
		return pay, Action{Href: here + "/cancel"}
	case FacePayFailed:
		return pay, Action{Href: here}
	case FaceChecking, FaceTwice:
		return Action{Href: here}, p.contact()
	case FacePaid, FaceRevived:
		return Action{Href: "/"}, p.refund(o)
	case FaceShipped, FaceShippedBy, FaceShippedOnly:
		return Action{Href: here + "/confirm", Post: true}, p.refund(o)
	case FaceDone:
		return again, p.refund(o)
	case FaceClosedMerchant, FaceRefunded:
		return again, p.contact()
	case FaceLate:
		return Action{Href: "/"}, p.contact()
	case FaceToCheck, FaceRefundAbnormal, FaceRefundClosed:
		return p.contact(), Action{Href: here}
	case FaceRefundAsked:
		return Action{Href: here + "/refund/withdraw", Post: true}, p.contact()
	case FaceRefunding:
		return Action{Href: here + "#refund"}, p.contact()
	case FaceRefundedPart:
		return Action{Href: here}, Action{Href: here + "#refund"}
	}
	return again, Action{Href: "/"} // closed by time or by the shopper
}

// contact is the way to a person, if the shop named one.
func (p *Page) contact() Action {
	if p.Shop.Phone == "" {
		return Action{}
	}
	return Action{Label: p.words().Frame.Contact, Href: "tel:" + p.Shop.Phone}
}

// refund is the way to ask for money back: by a form, or by asking a person.
func (p *Page) refund(o *Order) Action {
	if o.CanRefund {
		return Action{Href: orderPath(o.No) + "/refund"}
	}
	return p.contact()
}

func orderPath(no string) string  { return "/orders/" + url.PathEscape(no) }
func statusPath(no string) string { return orderPath(no) + "/status" }
func payPath(no string) string    { return "/pay/" + url.PathEscape(no) }

// openPath shows the code and the link that take an order into WeChat, also to
// a WeChat that cannot pay, as on a desktop.
func openPath(no string) string { return payPath(no) + "?open=1" }

// plain is a rich sentence without its marks.
func plain(text, timer string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "**", ""), "{timer}", timer)
}

// until is a deadline in words, "21:00 前".
func (p *Page) until(t time.Time) string {
	w := p.words()
	return fill(w.Frame.By, w.clock(t, p.Now))
}

// icon is the picture beside the title.
func (s Status) icon() templ.Component {
	switch s.Face {
	case FaceUnpaid, FaceChecking, FaceRefundAsked, FaceRefunding, FaceLate, FacePrepaid:
		return iconClockWarn
	case FaceShipped, FaceShippedBy, FaceShippedOnly:
		return iconTruck
	case FaceToCheck, FaceRefundAbnormal, FacePayFailed, FacePayClosed, FaceRefundClosed:
		return iconAlertWarn
	case FaceClosedLate, FaceClosedShopper, FaceClosedMerchant:
		return iconCross
	}
	return iconCheck
}
