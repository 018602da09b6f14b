// Package views draws the pages: data in, HTML out. It asks no database, reads
// no clock and no environment, and knows nothing of HTTP; what a page needs is
// in its struct.
//
// The pages of the shopper, each a templ component:
//
//	Home(HomePage)                 goods, one category, or the hits of a search
//	Product(ProductPage)           one tea with its options
//	Cart(CartPage)
//	Checkout(CheckoutPage)         where, what, how much; again with errors
//	Pay(PayPage)                   the payment window of WeChat
//	PayByCode(CodePage)            on a desk: a code to be scanned
//	PayByH5(H5Page)                in a phone's browser: a link that opens WeChat
//	PayBack(OrderPage)             back from there: paid, or again?
//	OpenInWeChat(OpenPage)         outside WeChat: the code and the link that take the order along
//	Claim(ClaimPage)               inside WeChat: take a guest's order over
//	OrderDetail(OrderPage)         an order in any state; also the result of paying
//	ConfirmCancel(OrderPage)       asks before an order is cancelled
//	Orders(OrdersPage)             my orders
//	Me(MePage)
//	Error(ErrorPage)               what happened, what to do, a number to quote
//	SignIn(SignInPage)             between a form and the trip to WeChat
//	LoginRefused(LoginRefusedPage)
//	Rules(Page) Privacy(Page) Licence(Page)
package views

import (
	"time"

	"github.com/a-h/templ"

	"wxshop/models"
)

// Page is what every page needs to draw its frame. Prices are in fen, times
// are instants; views shows them in Beijing time.
type Page struct {
	Lang      Lang
	Care      bool      // large text
	Path      string    // address of this page with its query; the switches for language and text size return here
	Now       time.Time // the moment of rendering, where countdowns begin
	Shop      Shop
	CartCount int64
	SignedIn  bool // WeChat told us who this is
	InWeChat  bool
	Flash     *Flash
}

// Shop is what the shop says of itself on every page.
type Shop struct {
	Name      string        // "" is the name in the catalogue
	Phone     string        // "400-000-0000"; "" hides the ways to call
	FreeFrom  models.Fen    // goods from here on travel free
	Fee       models.Fen    // delivery below that
	PayWithin time.Duration // how long an order is kept unpaid
}

// Tint colours a flash or a tag. The word carries the meaning, not the colour.
type Tint string

// The tints.
const (
	Plain Tint = ""
	Wait  Tint = "wait" // attention
	Go    Tint = "go"   // in progress
	OK    Tint = "ok"
	Bad   Tint = "bad" // an error; read aloud at once
)

// Flash is a sentence on top of the page, after a redirect. Make the text with
// Say, so that it comes in the shopper's language.
type Flash struct {
	Tint Tint
	Text string
}

// Category is a chip above the goods.
type Category struct{ ID, Name string }

// Card is one product among others.
type Card struct {
	Slug, Name, Line string
	Picture          string // address
	From             models.Fen
	Varies           bool // other options cost more: "98.00 起"
	SoldOut          bool
}

// HomePage is the window of the shop. With a Query it shows hits; without a
// hit it offers Words and the goods in Near.
type HomePage struct {
	Page
	Categories []Category
	Category   string // id of the chosen one, "" for all
	Query      string
	Cards      []Card
	Shelf      templ.Component // the goods, drawn before; then Cards is not looked at
	Words      []string        // shorter words to search for
	Near       []Card          // neighbours, four of them
}

// Choice is one SKU on the product page.
type Choice struct {
	SKU   string
	Name  string // "100 克", or "清香 125 克" with two options
	Price models.Fen
	Stock int64
}

// Picture is one slide of the product page.
type Picture struct {
	URL string
	Alt string // what is to be seen, without "2 of 4"
}

// Fact is a line under "about this tea".
type Fact struct{ Label, Text string }

// ProductPage is one product. Without script the stepper asks for the same
// page by GET with sku, qty and op=plus|minus, and the handler sets Chosen and
// Qty from them.
type ProductPage struct {
	Page
	Slug, Name, Line string
	Option           string // what there is to choose: "净含量"
	Choices          []Choice
	Chosen           string // SKU; "" or a sold-out one falls back to the first that can be had
	Qty              int64  // 0 is 1
	Pictures         []Picture
	Facts            []Fact
}

// Line is one line of the cart or of the checkout.
type Line struct {
	SKU, Slug, Name, Option string
	Picture                 string
	Price                   models.Fen // of one
	Qty                     int64
	Stock                   int64 // what can be had; 0 is sold out
}

// Sums is what the lines come to.
type Sums struct {
	Goods, Delivery, Total models.Fen
	Count                  int64 // pieces
}

// CartPage is the cart. Notes are sentences on what changed since yesterday;
// make them with Say(PriceChanged, …) and Say(StockShort, …).
type CartPage struct {
	Page
	Notes []string
	Lines []Line
	Sums
}

// Field is an input of the address form, by its name in the form.
type Field string

// The fields of POST /checkout that people fill in. Beside them the form posts
// token and expected_total (fen).
const (
	FieldName     Field = "name"
	FieldPhone    Field = "phone"
	FieldProvince Field = "province"
	FieldCity     Field = "city"
	FieldDistrict Field = "district"
	FieldDetail   Field = "detail"
	FieldNote     Field = "note"
)

// Problem is what is wrong with a field.
type Problem string

// The problems.
const (
	Missing Problem = "missing"
	TooLong Problem = "long"   // N is the limit in characters
	NoPhone Problem = "digits" // N is how many digits there are now; only for FieldPhone
	Unclear Problem = "unclear"
)

// FieldError is a field to be mended.
type FieldError struct {
	Field   Field
	Problem Problem
	N       int
}

// CheckoutPage confirms where, what and how much. With Saved the address is
// shown and goes along hidden; otherwise, and whenever there are Errors, it is
// a form.
type CheckoutPage struct {
	Page
	Token  string // form token: the same two submits are one order
	To     models.Receiver
	Saved  bool
	Note   string
	Errors []FieldError
	Notes  []string
	Lines  []Line
	Sums
}

// Item is a line of an order as it was sold.
type Item struct {
	Slug, Name, Option string
	Picture            string
	Price              models.Fen // of one
	Qty                int64
	Refunded           int64 // pieces
}

// Refund is the refund of an order that matters to the shopper now.
type Refund struct {
	Asked  bool               // the shop has not answered yet; State does not count
	State  models.RefundState // "" when there is none
	Amount models.Fen
	No     string
	Reason string // why it was refused
	At     time.Time
}

// Track is one station of a parcel.
type Track struct {
	At   time.Time
	Text string
}

// Order is an order with everything that decides what its owner reads.
// StateOf turns it into words.
type Order struct {
	No          string
	State       models.State
	CloseReason models.CloseReason
	Revived     bool            // paid after the deadline, and the goods were still there
	Late        bool            // paid after the deadline, the goods were gone: the money goes back
	Checking    bool            // an attempt to pay has an outcome that we do not know
	ToCheck     bool            // money came that does not fit the order
	Attempt     models.PayState // of the latest attempt to pay, "" before the first
	Extra       models.Fen      // paid a second time and on its way back
	Refund      Refund          // the one that leads
	Refunds     []Refund        // all of them, for the card
	CanRefund   bool            // the shop takes requests for this order

	Items                                    []Item
	GoodsTotal, DeliveryFee, Total, Refunded models.Fen
	To                                       models.Receiver
	Note                                     string

	Deadline                                                  time.Time // to pay
	CreatedAt, PaidAt, ShippedAt, ArrivesAt, DoneAt, ClosedAt time.Time // zero: not yet, or not known
	TransactionID, Carrier, TrackingNo                        string
	Track                                                     []Track
}

// Bridge is what getBrandWCPayRequest of WeChat's browser takes; all strings,
// exact case (WeChat Pay v2, JSAPI: calling the payment from the page).
type Bridge struct {
	AppID     string `json:"appId"`
	TimeStamp string `json:"timeStamp"`
	NonceStr  string `json:"nonceStr"`
	Package   string `json:"package"`
	SignType  string `json:"signType"`
	PaySign   string `json:"paySign"`
}

// PayPage is the last step before WeChat's window. Without a Bridge the button
// posts to /pay/{no}, which makes one. Why, when not empty, says why the last
// try did not work.
type PayPage struct {
	Page
	Order  Order
	Bridge *Bridge
	Why    Reason
}

// CodePage is paying by a code on this screen. Without a Code there is a button
// that posts for one. Why as in PayPage.
type CodePage struct {
	Page
	Order Order
	Code  string    // address of its picture
	Until time.Time // the code's end
	Why   Reason
}

// H5Page is paying from the browser of a phone. Without a Link the button posts
// for one. Why as in PayPage.
type H5Page struct {
	Page
	Order Order
	Link  string // into WeChat, absolute; it brings the browser back to /pay/{no}/back
	Why   Reason
}

// OpenPage takes an order from an ordinary browser into WeChat.
type OpenPage struct {
	Page
	Order Order
	URL   string    // claim link with host, single use
	QR    string    // address of its picture
	Until time.Time // the link's end
}

// ClaimPage asks inside WeChat whether to take over a guest's order. Its form
// posts to /c/{token}: a link that is merely opened changes nothing.
type ClaimPage struct {
	Page
	Token string
	Order Order
}

// OrderPage is one order.
type OrderPage struct {
	Page
	Order Order
}

// Tab is a filter of the list of orders, and its value in the address.
type Tab string

// The tabs, in their order on the page.
const (
	TabAll     Tab = ""
	TabUnpaid  Tab = "unpaid"
	TabPaid    Tab = "paid"
	TabShipped Tab = "shipped"
	TabRefund  Tab = "refund"
)

// Counts is how many orders wait in each tab.
type Counts struct{ Unpaid, Paid, Shipped, Refund, All int64 }

// OrdersPage is the list of one person's orders, what needs them on top.
type OrdersPage struct {
	Page
	Tab    Tab
	Counts Counts
	Orders []Order
	Older  string // address of the next page, "" at the end
}

// MePage is the shopper's own corner.
type MePage struct {
	Page
	Name    string // "" for a guest
	Counts  Counts
	Pending *Order // an unpaid order to remind of
}

// ErrorPage says what happened and what to do. Status picks the words when
// Reason is empty.
type ErrorPage struct {
	Page
	Status  int
	Reason  Reason
	Ref     string // reference for the log, "7F3K-92QD"
	OrderNo string
	Retry   string // address to try again, "" for none
}

// LoginRefusedPage follows a trip to WeChat that brought no name back.
type LoginRefusedPage struct {
	Page
	Retry string // a GET that starts the trip again (security H15)
	Ref   string
}
