package views

// Reason is a sentence that a shopper reads when something did not go as
// planned, or a note on what changed. Say gives its words. Codes of WeChat go
// to the log, never here.
type Reason string

// The reasons. What Say takes after the language and the reason is beside it.
const (
	Cancelled    Reason = "cancelled"     // the window of WeChat was closed
	NotEnough    Reason = "not_enough"    // NOTENOUGH
	AlreadyPaid  Reason = "already_paid"  // ORDERPAID
	OrderClosed  Reason = "order_closed"  // ORDERCLOSED, or too late
	Unknown      Reason = "unknown"       // SYSTEMERROR, a timeout, an answer that does not verify
	NoWindow     Reason = "no_window"     // the bridge of WeChat did not come
	NotHere      Reason = "not_here"      // WeChat refuses to pay in this place
	Setup        Reason = "setup"         // our keys, addresses or permissions are wrong
	OtherAccount Reason = "other_account" // ordered by one WeChat account, paying with another
	StockShort   Reason = "stock_short"   // name string, left int64, now int64
	SoldOut      Reason = "sold_out"      // name string
	PriceChanged Reason = "price_changed" // name string, before string, now string (both from Yuan)
	TotalChanged Reason = "total_changed" // before string, now string (both from Yuan)
	Placed       Reason = "placed"        // the same form twice
	TooFast      Reason = "too_fast"
	NotFound     Reason = "not_found"    // no such order, or not yours
	NoPage       Reason = "no_page"      // no such page
	Broken       Reason = "broken"       // our fault; nothing was charged
	BrokenMaybe  Reason = "broken_maybe" // our fault, while paying: we cannot say that nothing was charged
	EmptyCart    Reason = "empty_cart"
	TooLate      Reason = "too_late"    // the order is in a state that does not allow it any more
	LinkUsed     Reason = "link_used"   // a claim link that is used or expired
	BadForm      Reason = "bad_form"    // a form that did not come from our page
	Added        Reason = "added"       // name string: is in the cart
	Removed      Reason = "removed"     // name string: is out of it
	Received     Reason = "received"    // the parcel was confirmed
	OrderEnded   Reason = "order_ended" // the order was cancelled as asked
	AddedAgain   Reason = "added_again" // the goods of an old order are in the cart
	Unanswered   Reason = "unanswered"  // WeChat was asked for a way to pay and did not answer: nobody can have paid
	NotSeen      Reason = "not_seen"    // asked after coming back: WeChat knows of no payment yet
	NoSignIn     Reason = "sign_in"     // for programs: without a token, or with one that ended
	CartMerged   Reason = "cart_merged" // what a guest had chosen came along
)

// Welcome greets somebody who began to follow the official account, with a
// link to the shop at url: Chinese first, then English.
func Welcome(shop, url string) string {
	return fill(catalogue[ZH]().Account.Welcome, shop, url) + "\n" + fill(catalogue[EN]().Account.Welcome, shop, url)
}
