package views

import (
	_ "embed"
	"fmt"
	"sync"
	"time"

	"github.com/goccy/go-yaml"

	"wxshop/models"
)

//go:embed admin_zh.yaml
var adminZH []byte

//go:embed admin_en.yaml
var adminEN []byte

// adminCatalogue is every sentence that the people of the shop read, by Lang.
// A language is read when it is first wanted: the start does not wait for it.
var adminCatalogue = [...]func() *adminWords{
	ZH: sync.OnceValue(func() *adminWords { return mustReadAdmin(adminZH) }),
	EN: sync.OnceValue(func() *adminWords { return mustReadAdmin(adminEN) }),
}

// adminWords are the sentences of one language, a struct so that the compiler
// finds a missing key.
type adminWords struct {
	Frame struct {
		Shop, Title, Skip, Nav, Today, Orders, Check, Refunds, Account, SignOut, OtherLang string
		Day, FullDay, Minutes, Hours, Days                                                 string
		Weekdays                                                                           [7]string
	}
	SignIn struct {
		Title, Only, User, Password, Button, Fresh, Forgot string
	}
	Password struct {
		Title, Must, MustTitle, Current, New, Again, Rule, Button, Ends string
	}
	Today struct {
		Title, ToShip, ToShipText, Unpaid, UnpaidText, Check, CheckText, Refunds, RefundsText       string
		Newest, None, Todo, TodoCheck, TodoBills, TodoBroken, TodoShip, TodoRefund, TodoUnpaid, All string
	}
	Orders struct {
		Title, States, All, Any, Hint, Find, Caption, Empty, NoHit, NoHitText, Clear string
		Receiver, Amount, Goods, State, Placed, No, Tail, AndMore, Counter           string
		Pages, Prev, Next, Range                                                     string
	}
	Order  adminOrderWords
	Refund struct {
		Title, To, Text, Given, Left, Nothing, Safe, Cancel, Button, ButtonSum, Which, Restock, UpTo, Yes string
		Amount, Reason, ReasonHint, Limit                                                                 string
	}
	Refunds struct {
		Title, States, Open, Under, NoneUnder, Same, Ended, None, What, When, Payer, Amount, Nobody string
		Held, NoneHeld, HeldWould, HeldText, Doing, Soon                                            string
	}
	Desk   adminDeskWords
	Check  adminCheckWords
	Bills  adminBillWords
	Errors map[string]struct{ Title, Text string }
	Error  struct{ Title, Ref, Now, ToOrder, ToStart, Back string }
	Roles  map[string]string
	States map[models.State]string
	Marks  struct{ Check, Refund string }
	// PayStates, RefundStates, Channels, Actors, Ops, Reasons and Closes
	// translate words of our own database; an unknown word is shown as it is.
	PayStates    map[models.PayState]string
	RefundStates map[models.RefundState]string
	Channels     map[string]string
	Actors       map[string]string
	Ops          map[string]string
	Closes       map[models.CloseReason]string
	RefundWhy    map[models.RefundReason]string
	Events       map[string]string
	Misfits      map[string]misfitWords
	Diffs        map[string]diffWords // by kind
	DiffNotes    map[string]string    // why one is gone
	BillSteps    map[models.BillStep]string
	BillSaid     map[string]string // by step; when it was looked at
	BillStates   map[string]string // of refunds, in WeChat's words
	Problems     map[AdminProblem]string
	Sayings      map[AdminSaying]string
}

type adminOrderWords struct {
	Title, Ask, ShipTitle, ShipText, Carrier, CarrierHint, Tracking, TrackingHint, ShipButton     string
	Close, CloseTitle, CloseText, Reason, ReasonHint, CloseButton                                 string
	Goods, Name, Price, Qty, Sum, Delivery, Total, Due, Refunded, Refunding                       string
	Payments, Channel, Amount, OutTradeNo, Transaction, NoPayments, PaidAt, Expires, LastError    string
	Refunds, RefundNo, RefundWhy, RefundSince, RefundLater, Refund, RefundHeld                    string
	Messages, MessagesText, NoMessages, Sent, Answer, Failed, Called, Took                        string
	Buyer, Receiver, Phone, Address, Note, No, Guest, OpenID, SendTo, Parcel, Closed, Until, User string
	Log, AddNote, SaveNote, Misfits                                                               string
}

type adminCheckWords struct {
	Title, Waiting, None, NoneTitle, Intro, What, Ours, Theirs, Order, OutTradeNo, Transaction       string
	Since, Why, Explain, ExplainHint, ExplainButton, AskButton, RefundButton, NotHere, Raw, Done, By string
	Amount, How, When, Older, Less, More, Unreadable, Total, Nothing                                 string
}

type adminBillWords struct {
	Title, Waiting, Intro, Which, RunButton, Days, None, Day, Theirs, Ours, Checked, Differ, AgainButton string
	Kinds, Left, Paid, Refunded, Sum, Reversed, Known, Later, Number, Nothing                            string
	Explain, ExplainHint, ExplainButton, AskButton, SettleButton                                         string
}

type adminDeskWords struct {
	Title, Ways, ByCode, ByFace, Amount, Often, Code, CodeHint, Auto, Again, Button, ButtonSum string
	OpenID, FaceCode, FaceHint                                                                 string
	Today, What, Time, Result, Take, Sum, How, HowAmount, HowEnter, HowScan, HowCode, HowWait  string
	HowEnd, Waited, Asked, AskedTimes, WillReverse, Reverse, Next, Other, Retry                string
	States                                                                                     map[string]struct{ Title, Text string }
	Tags                                                                                       map[string]string
}

func mustReadAdmin(b []byte) *adminWords {
	w := new(adminWords)
	if err := yaml.UnmarshalWithOptions(b, w, yaml.Strict()); err != nil {
		panic(fmt.Sprintf("read the merchant's catalogue: %s", err)) // embedded: a test reads it before anyone else
	}
	return w
}

// AdminSay is the sentence of a saying in that language.
func AdminSay(l Lang, s AdminSaying, args ...any) string {
	return fill(adminCatalogue[l]().Sayings[s], args...)
}

// w are the sentences in the language of the page.
func (p *AdminPage) w() *adminWords { return adminCatalogue[p.Lang]() }

func (p *AdminPage) shopName() string {
	if p.Shop != "" {
		return p.Shop
	}
	return p.w().Frame.Shop
}

// problem is the sentence of a problem, with the wait where it says one.
func (p *AdminPage) problem(x AdminProblem, wait time.Duration) string {
	s := p.w().Problems[x]
	if x != AdminWait {
		return s
	}
	return fmt.Sprintf(s, p.wait(wait))
}

// wait is a time to wait in words, rounded up.
func (p *AdminPage) wait(d time.Duration) string {
	n, unit := int64((d+time.Second-1)/time.Second), [...]string{ZH: "%d 秒", EN: "%d s"}[p.Lang]
	if n > 120 {
		n, unit = (n+59)/60, [...]string{ZH: "%d 分钟", EN: "%d min"}[p.Lang]
	}
	return fmt.Sprintf(unit, max(n, 1))
}

// word looks a word of the database up and shows it as it is when nobody
// translated it: a new kind of event must not vanish from a timeline.
func word[K ~string](m map[K]string, k K) string {
	if s, ok := m[k]; ok {
		return s
	}
	return string(k)
}
