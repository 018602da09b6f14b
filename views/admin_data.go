package views

import (
	"time"

	"wxshop/models"
)

// The pages of the merchant, each a templ component:
//
//	AdminSignIn(AdminSignInPage)
//	AdminPassword(AdminPasswordPage)   change one's own password, also at the first sign-in
//	AdminToday(AdminTodayPage)         how it is going, and what waits
//	AdminOrders(AdminOrdersPage)       any number finds its order
//	AdminOrder(AdminOrderPage)         the whole story, and what may be done
//	AdminCheck(AdminCheckPage)         money that does not fit
//	AdminRefund(AdminRefundPage)       give money back, never more than is left
//	AdminRefunds(AdminRefundsPage)     what WeChat has not finished
//	AdminDesk(AdminDeskPage)           the cash desk, ready for the scanner
//	AdminSale(AdminSalePage)           what became of one scan
//	AdminBills(AdminBillsPage)         the days of WeChat's bills against our books
//	AdminBill(AdminBillPage)           one of them, with every difference
//	AdminError(AdminErrorPage)         what happened, what changed, a way back

// AdminPage is what every page of the merchant needs to draw its frame.
type AdminPage struct {
	Lang Lang
	Path string    // address of this page; the switch of language returns here
	Now  time.Time // the moment of rendering
	Shop string    // "" is the name in the catalogue
	// Banner, when not empty, says that the money here is play money.
	Banner string
	Who    string    // who is signed in, "" nobody
	Role   string    // owner | staff | viewer
	Menu   AdminMenu // the entry that this page belongs to
	Flash  *Flash
	// Numbers beside the entries of the menu.
	ToShip, ToCheck, Refunding, Differences int64
	Broken                                  int64 // contradictions in our books; shown only when there are some
	// Script asks for desk.js; Live draws the page again every few seconds where
	// there is no script.
	Script, Live bool
}

// Masked reports whether names, phones and addresses are hidden from the
// reader: a viewer sees how business goes, not who the buyers are.
func (p *AdminPage) Masked() bool { return p.Role != "owner" && p.Role != "staff" }

// May reports whether the reader may change anything.
func (p *AdminPage) May() bool { return !p.Masked() }

// AdminMenu is an entry of the menu.
type AdminMenu string

// The entries.
const (
	AdminMenuToday   AdminMenu = "today"
	AdminMenuOrders  AdminMenu = "orders"
	AdminMenuCheck   AdminMenu = "check"
	AdminMenuRefunds AdminMenu = "refunds"
	AdminMenuBills   AdminMenu = "reconcile"
	AdminMenuDesk    AdminMenu = "cashdesk"
	AdminMenuAccount AdminMenu = "account"
)

// AdminProblem is why a form of the merchant was not accepted; the catalogue
// has its words.
type AdminProblem string

// The problems.
const (
	AdminWrong          AdminProblem = "wrong"           // user or password, never which
	AdminWait           AdminProblem = "wait"            // too many tries; Wait says how long
	AdminBusy           AdminProblem = "busy"            // too many sign-ins at once
	AdminEnded          AdminProblem = "ended"           // the session is over
	AdminPasswordShort  AdminProblem = "password_short"  // fewer than 12 characters
	AdminPasswordLong   AdminProblem = "password_long"   // more than 128, or not text
	AdminPasswordCommon AdminProblem = "password_common" // among the first to be tried
	AdminPasswordNamed  AdminProblem = "password_named"  // has the shop's or the user's name in it
	AdminPasswordDiffer AdminProblem = "password_differ" // the two new ones are not equal
	AdminPasswordSame   AdminProblem = "password_same"   // the new one is the old one
	AdminPasswordWrong  AdminProblem = "password_wrong"  // the present one is not right
	AdminNoteMissing    AdminProblem = "note_missing"
	AdminNoteUnclear    AdminProblem = "note_unclear" // characters nobody types, or too long
	AdminCarrier        AdminProblem = "carrier"
	AdminTracking       AdminProblem = "tracking"
	AdminRefundAmount   AdminProblem = "refund_amount" // no amount
	AdminRefundLeft     AdminProblem = "refund_left"   // more than is left
	AdminRefundLimit    AdminProblem = "refund_limit"  // more than the person may
	AdminRefundReason   AdminProblem = "refund_reason" // too long for WeChat
	AdminRefundLines    AdminProblem = "refund_lines"  // more pieces than there are
	AdminRefundAPI      AdminProblem = "refund_api"    // paid by a version of the API whose keys are gone
	AdminBillDay        AdminProblem = "bill_day"      // not a day that has ended
	AdminDeskAmount     AdminProblem = "desk_amount"
	AdminDeskCode       AdminProblem = "desk_code"   // no payment code
	AdminDeskFace       AdminProblem = "desk_face"   // no face code
	AdminDeskOpenID     AdminProblem = "desk_openid" // of whose face
	AdminDeskUsed       AdminProblem = "desk_used"   // the form has sold something else
	AdminDeskAPI        AdminProblem = "desk_api"    // v2, which alone has a cash desk, is not configured
)

// AdminSaying is a flash of the merchant; AdminSay gives its words.
type AdminSaying string

// The sayings. What AdminSay takes after the language is beside each.
const (
	AdminSaidPassword  AdminSaying = "password"  // the password was changed
	AdminSaidShipped   AdminSaying = "shipped"   // carrier, number
	AdminSaidClosed    AdminSaying = "closed"    // the order was closed, at WeChat first
	AdminSaidNoted     AdminSaying = "noted"     // the note was stored
	AdminSaidExplained AdminSaying = "explained" // a payment was explained
	AdminSaidPaid      AdminSaying = "asked_paid"
	AdminSaidOpen      AdminSaying = "asked_open"
	AdminSaidDead      AdminSaying = "asked_dead"
	AdminSaidMissing   AdminSaying = "asked_missing"
	AdminSaidNothing   AdminSaying = "asked_nothing" // the order has no payment yet
	AdminSaidRefund    AdminSaying = "asked_refund"  // WeChat says paid, and the money has to go back
	AdminSaidMisfit    AdminSaying = "asked_misfit"  // WeChat says paid, and it does not fit
	AdminSaidNoAnswer  AdminSaying = "no_answer"     // WeChat did not answer; nothing was decided
	AdminSaidRefused   AdminSaying = "refused"       // WeChat refused the question

	AdminSaidRefunding     AdminSaying = "refunding"      // WeChat took a refund on: amount, number
	AdminSaidRefundKept    AdminSaying = "refund_kept"    // promised, WeChat did not answer yet: amount, number
	AdminSaidRefundHeld    AdminSaying = "refund_held"    // a person is needed: amount, number
	AdminSaidMisfitNothing AdminSaying = "misfit_nothing" // nothing is left of this payment: what is

	AdminSaidBillAgrees AdminSaying = "bill_agrees" // day
	AdminSaidBillDiffer AdminSaying = "bill_differ" // day, how many
	AdminSaidBillWaits  AdminSaying = "bill_waits"  // WeChat has not made it yet
	AdminSaidBillGone   AdminSaying = "bill_gone"   // longer ago than WeChat keeps it
	AdminSaidBillBusy   AdminSaying = "bill_busy"   // somebody else compares it now
	AdminSaidBillFailed AdminSaying = "bill_failed" // not read
	AdminSaidMended     AdminSaying = "diff_mended"
	AdminSaidExplainIt  AdminSaying = "diff_explained"
	AdminSaidStillPaid  AdminSaying = "diff_paid"    // asked, and the difference is still there: WeChat says paid
	AdminSaidStillOpen  AdminSaying = "diff_open"    // … not paid yet
	AdminSaidStillDead  AdminSaying = "diff_dead"    // … ended without money
	AdminSaidStillNone  AdminSaying = "diff_none"    // … no such number
	AdminSaidStillBack  AdminSaying = "diff_refund"  // … of a refund: its state
	AdminSaidNoPayment  AdminSaying = "diff_nothing" // there is nothing at WeChat to give back
)

// AdminSignInPage is the door.
type AdminSignInPage struct {
	AdminPage
	Name    string // what was typed
	Next    string // path to go on to, "" today
	Problem AdminProblem
	Wait    time.Duration
}

// AdminPasswordPage changes one's own password. With Must nothing else is open
// until it is done.
type AdminPasswordPage struct {
	AdminPage
	Must    bool
	Problem AdminProblem
	Wait    time.Duration
}

// AdminTodayPage is the start: numbers that are links to what is behind them.
type AdminTodayPage struct {
	AdminPage
	Counts     map[models.State]int64
	RefundsSum models.Fen // of the refunds that have not ended
	Newest     []models.OrderRow
}

// AdminOrdersPage is the list of orders.
type AdminOrdersPage struct {
	AdminPage
	State      models.State // "" all
	Query      string
	Counts     map[models.State]int64
	Rows       []models.OrderRow
	First      int64  // the number of the first row, from 1
	Prev, Next string // addresses, "" at the ends
}

// AdminOrderPage is one order with all its history.
type AdminOrderPage struct {
	AdminPage
	models.Dossier
	Left models.Fen // of what was paid, to give back
	Form AdminOrderForm
}

// AdminOrderForm is what somebody typed and what was wrong with it; the zero
// value is an untouched page.
type AdminOrderForm struct {
	Carrier, Tracking, Note, Reason string
	Problem                         AdminProblem
	At                              AdminAction // where the problem is
}

// AdminAction is something that staff can do to an order, and the last part
// of its address.
type AdminAction string

// The actions.
const (
	AdminAsk     AdminAction = "ask"
	AdminShip    AdminAction = "ship"
	AdminClose   AdminAction = "close"
	AdminNote    AdminAction = "note"
	AdminExplain AdminAction = "explain"
	AdminGive    AdminAction = "refund"
)

// AdminCheckPage is the list of payments that fit nothing.
type AdminCheckPage struct {
	AdminPage
	Open []AdminMisfit
	Done []AdminMisfit // explained, newest first
	More string        // address of older ones, "" none
	// When an explanation was not accepted: whose, what was typed, and why.
	At      int64
	Note    string
	Problem AdminProblem
	Limit   *models.Fen // of one refund by the reader; nil: none
}

// AdminMisfit is a payment to check with the number of its order.
type AdminMisfit struct {
	models.Misfit
	OrderNo string // "" unknown
}

// AdminErrorPage says what happened. Status picks the words; with OrderNo
// there is a way back to the order, with State it says how that stands now.
type AdminErrorPage struct {
	AdminPage
	Status  int
	Ref     string
	OrderNo string
	State   models.State
	// Back is where the form was, "" the start.
	Back string
}
