package views

import (
	"github.com/a-h/templ"
	"wxshop/models"
)

func Home(p HomePage) templ.Component                 { return templ.NopComponent }
func Product(p ProductPage) templ.Component           { return templ.NopComponent }
func Cart(p CartPage) templ.Component                 { return templ.NopComponent }
func Checkout(p CheckoutPage) templ.Component         { return templ.NopComponent }
func Pay(p PayPage) templ.Component                   { return templ.NopComponent }
func OpenInWeChat(p OpenPage) templ.Component         { return templ.NopComponent }
func Claim(p ClaimPage) templ.Component               { return templ.NopComponent }
func OrderDetail(p OrderPage) templ.Component         { return templ.NopComponent }
func ConfirmCancel(p OrderPage) templ.Component       { return templ.NopComponent }
func Orders(p OrdersPage) templ.Component             { return templ.NopComponent }
func Me(p MePage) templ.Component                     { return templ.NopComponent }
func Error(p ErrorPage) templ.Component               { return templ.NopComponent }
func LoginRefused(p LoginRefusedPage) templ.Component { return templ.NopComponent }
func Rules(p Page) templ.Component                    { return templ.NopComponent }
func Privacy(p Page) templ.Component                  { return templ.NopComponent }
func Licence(p Page) templ.Component                  { return templ.NopComponent }

// Say is the sentence of a reason.
func Say(l Lang, r Reason, args ...any) string { return string(r) }

// Yuan is an amount in a sentence, "¥284.00".
func Yuan(f models.Fen) string { return "¥" + f.String() }

// StyleHash is the source for style-src.
func StyleHash() string { return "" }

// Status is an order in words.
type Status struct {
	Key     string // for the status endpoint: state
	Message string // for the status endpoint: message, plain text
}

// StateOf is the only place that turns an order into words.
func StateOf(p *Page, o *Order) Status { return Status{} }
