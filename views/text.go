package views

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"wxshop/models"
)

//go:embed text/zh.yaml
var zhYAML []byte

//go:embed text/en.yaml
var enYAML []byte

// catalogue is every sentence that shoppers read, by Lang. A language is read
// when it is first wanted: that takes 3 ms, which a start need not pay twice.
var catalogue = [...]func() *words{
	ZH: sync.OnceValue(func() *words { return mustRead(zhYAML) }),
	EN: sync.OnceValue(func() *words { return mustRead(enYAML) }),
}

// words are the sentences of one language, a struct so that the compiler finds
// a missing key. A sentence may hold verbs of fmt; a test compares them between
// the languages.
type words struct {
	Frame struct {
		Shop, Skip, AllGoods, Home, Cart, CartCount, Orders, Me, MainNav, Hotline     string
		Rules, Privacy, Licence, OtherLang, Care, NoCare, Contact, Copy, Copied, Hold string
		Time, Day, By, Within, Pieces, AndMore, Quote, NoScript                       string
	}
	Home struct {
		Search, Placeholder, Hero, HeroText, Look, Categories, All, From, SoldOut, Hits string
		NoHit, NoHitText, Words, SeeAll, Near                                           string
	}
	Product struct {
		Gallery, Pictures, Slide, Thumb, SoldOut, Qty, Left, Few, Minus, Plus string
		Shipping, Rules, About, ToCart, Buy, Gone                             string
	}
	Cart struct {
		Title, Empty, EmptyText, EmptyButton, Remove, Minus, Plus, AtMost, Qty string
		Few, SoldOut, Total, Free, Fee, More, Checkout, Gone                   string
	}
	Checkout struct {
		Title, Fix, FixFirst, Address, NewAddress, Change                 string
		Name, Phone, Province, City, District, Detail, DetailHint, Choose string
		Note, NoteHint, Goods, Delivery, DeliveryText, Pay, WeChat, Sums  string
		GoodsTotal, Fee, Free, Due, Agree, AgreeRules, AgreeText, Submit  string
	}
	Problems map[string]string // by field/problem
	Pay      struct{ Title, From, Deadline, Button, Address, No, Other, Later, ShowQR string }
	Code     struct {
		Title, QR, Valid, Waiting, None, Steps               string
		Step1, Step1Text, Step2, Step2Text, Step3, Step3Text string
	}
	H5 struct {
		Button, Ready, Start, Method, Help, Help1, Help1Text, Help2, Help3, Help3Text string
	}
	Return struct{ Title, Text, Paid, Again, Kept string }
	Open   struct {
		Title, Text, QR, Valid, Left, Till, Here, Step1, Step2, Step3, Owner string
		Link, CopyLink, Order, Renew, Expired, Back                          string
	}
	Claim struct{ Title, Text, Button, No string }
	Order struct {
		Steps, Placed, Paid, Shipped, Received, Parcel, Address, Goods, Refunded       string
		Total, PaidSum, Due, Back, Info, No, PlacedAt, PaidAt, Method, Transaction     string
		ShippedAt, DoneAt, ClosedAt, Note, Refund, Amount, RefundNo, CopyNo, CopyTrack string
		Wait, RefundState, NotReturned                                                 string
	}
	Cancel struct{ Title, Text, Keep, Button string }
	Orders struct {
		Title, Tabs, All, Unpaid, Paid, Shipped, Refund, Left, Until, Soon, Pieces string
		See, Empty, EmptyText, Older                                               string
	}
	Me struct {
		Title, Guest, SignedIn, NotYet, Orders, All, Count, Pending, Left, Till, More string
		ContactText, RulesText, CareText, NoCareText, Papers, SignOut                 string
	}
	Tags    map[string]string
	States  map[Face]stateWords
	Reasons map[Reason]string
	Faults  map[Reason]faultWords
	SignIn  struct{ Title, Text, Button string }
	Refused struct {
		Title, Text, Again, Look, Why, No, NoFix, Old, OldFix, Desktop, DesktopFix string
	}
	Account struct{ Welcome string }
	Script  scriptWords
	Back    string
	Rules   []paragraph
	Privacy []paragraph
	Licence []paragraph
}

// stateWords are the words of one state: what is, and the two next steps.
type stateWords struct{ Title, Text, Primary, Secondary string }

// faultWords are the words of an error page.
type faultWords struct{ Title, Text, Button string }

// paragraph is a part of a page of plain text.
type paragraph struct{ Title, Text string }

// scriptWords are what the scripts say; they travel as JSON in the page.
type scriptWords struct {
	Again   string `json:"again"`
	Offline string `json:"offline"`
	Slow    string `json:"slow"`
	Later   string `json:"later"`
	Zero    string `json:"zero"`
	Five    string `json:"five"`
	One     string `json:"one"`
	Open    string `json:"open"`
	Asking  string `json:"asking"`
	Failed  string `json:"failed"`
}

func mustRead(b []byte) *words {
	w := new(words)
	if err := yaml.UnmarshalWithOptions(b, w, yaml.Strict()); err != nil {
		panic(fmt.Sprintf("read the catalogue: %s", err)) // embedded: a test reads it before anyone else
	}
	return w
}

// words are the sentences in the language of the page.
func (p *Page) words() *words { return catalogue[p.Lang]() }

// Say is the sentence of a reason in that language. What it takes stands
// beside each Reason; an unknown reason gives "".
func Say(l Lang, r Reason, args ...any) string {
	return fill(catalogue[l]().Reasons[r], args...)
}

// fill puts args into the verbs of a sentence; a sentence without verbs
// ignores them, because one state may or may not have something to say.
func fill(sentence string, args ...any) string {
	if len(args) == 0 || !strings.Contains(sentence, "%") {
		return sentence
	}
	return fmt.Sprintf(sentence, args...)
}

// problemText is the sentence for a field that must be mended.
func (w *words) problemText(e FieldError) string {
	return fill(w.Problems[string(e.Field)+"/"+string(e.Problem)], e.N)
}

// ShopName is the name that the shop has in this language.
func (p *Page) shopName() string {
	if p.Shop.Name != "" {
		return p.Shop.Name
	}
	return p.words().Frame.Shop
}

// Yuan is an amount in a sentence: "¥284.00", "−¥58.00".
func Yuan(f models.Fen) string {
	if f < 0 {
		return "−¥" + strings.TrimPrefix(f.String(), "-")
	}
	return "¥" + f.String()
}

// fillAll puts args into the paragraphs, each taking as many as it has verbs.
func fillAll(parts []paragraph, args []any) []paragraph {
	out := make([]paragraph, len(parts))
	for i, t := range parts {
		n := min(strings.Count(t.Text, "%"), len(args))
		out[i] = paragraph{t.Title, fill(t.Text, args[:n]...)}
		args = args[n:]
	}
	return out
}
