package sim

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"
)

// ledger is what WeChat knows. It changes only by records of the journal, so
// that replaying the journal gives the same ledger. Sim.mu guards it.
type ledger struct {
	seq        uint64 // records so far; goes on after a reset, so that ids never repeat
	orders     map[string]*order
	recent     []*order // in order of arrival
	byTxn      map[string]*order
	prepays    map[string]*order
	users      []*user          // number n stands at n-1
	people     map[string]*user // by appid and openid
	notes      map[string]*notification
	noted      []*notification    // in order of creation
	refunds    map[string]*refund // by out_refund_no
	byRefundID map[string]*refund
	codes      map[string]*paycode
	plants     map[string]*plant // by day of the bill, 20060102
	unripe     map[string]*order // those that change by themselves later
	burned     map[string]bool   // numbers that were closed before they were used (API v3)
	account    *accountJSON      // nil: as it was at first
	server     *serverJSON       // nil: none is set up
	menu       []menuButton      // of the official account
}

// user is one simulated person with a wallet.
type user struct {
	ID         string `json:"id"` // "1", "2", …
	Nickname   string `json:"nickname"`
	OpenID     string `json:"openid"`      // under the official account
	MiniOpenID string `json:"mini_openid"` // under the mini program
	UnionID    string `json:"unionid"`
	Balance    int64  `json:"balance"` // fen
}

func (u *user) openIDFor(appID string) string {
	switch appID {
	case appID1:
		return u.OpenID
	case miniAppID1:
		return u.MiniOpenID
	default:
		return ""
	}
}

// defaultUsers is how many people are always there.
const defaultUsers = 3

// newLedger holds the people who are always there.
func newLedger() *ledger {
	l := &ledger{
		orders: map[string]*order{}, byTxn: map[string]*order{}, prepays: map[string]*order{},
		notes: map[string]*notification{}, people: map[string]*user{}, refunds: map[string]*refund{}, byRefundID: map[string]*refund{},
		codes: map[string]*paycode{}, plants: map[string]*plant{}, unripe: map[string]*order{}, burned: map[string]bool{},
	}
	for i, u := range []user{
		{Nickname: "林晓溪", Balance: 5_200_000},
		{Nickname: "陈默", Balance: 888_800},
		{Nickname: "王小乐", Balance: 66_600},
	} {
		u.ID = strconv.Itoa(i + 1)
		u.OpenID, u.MiniOpenID, u.UnionID = personIDs("default user " + u.ID)
		l.addUser(u)
	}
	return l
}

func (l *ledger) addUser(u user) {
	l.users = append(l.users, &u)
	for _, appID := range []string{appID1, miniAppID1} {
		l.people[appID+" "+u.openIDFor(appID)] = &u
	}
}

// personIDs derives the ids of a person: the same everywhere for the default
// users, so that a shop's database still knows them after the simulator forgot.
func personIDs(who string) (openID, miniOpenID, unionID string) {
	id := func(account string) string {
		sum := sha256.Sum256([]byte(who + " at " + account))
		return "o" + base64.RawURLEncoding.EncodeToString(sum[:])[:27]
	}
	return id(appID1), id(miniAppID1), id("unionid")
}

// user finds a person by openid of an account.
func (l *ledger) user(appID, openID string) *user { return l.people[appID+" "+openID] }

// payer is who must pay an order; nil: anybody may.
func (l *ledger) payer(o *order) *user {
	if o.OpenID == "" && o.SubOpenID != "" {
		return l.user(o.SubAppID, o.SubOpenID)
	}
	return l.user(o.AppID, o.OpenID)
}

// person finds somebody by any openid.
func (l *ledger) person(openID string) *user {
	if u := l.user(appID1, openID); u != nil {
		return u
	}
	return l.user(miniAppID1, openID)
}

// userByID finds a person by number; none is asked for with "", which is the first.
func (l *ledger) userByID(id string) *user {
	if id == "" {
		return l.users[0]
	}
	n, err := strconv.Atoi(id)
	if err != nil || n < 1 || n > len(l.users) {
		return nil
	}
	return l.users[n-1]
}

// The kinds of journal records.
const (
	recOrder     = "order"
	recPrepay    = "prepay"
	recPay       = "pay"
	recClose     = "close"
	recBurn      = "burn"    // a number was closed before it was used
	recFail      = "fail"    // a payment code was not good for its order
	recRecall    = "recall"  // a reversal was asked for, and must be asked for again
	recReverse   = "reverse" // an order by payment code was taken back
	recRefund    = "refund"
	recRefundEnd = "refund-end"
	recRefundTry = "refund-try" // an abnormal refund goes another way
	recCode      = "code"       // a person shows a payment code
	recPlant     = "plant"
	recUser      = "user"
	recBalance   = "balance"
	recAttempt   = "attempt"
	recDrop      = "drop"
	recClock     = "clock"
	recAccount   = "account" // settings of the merchant
	recMenu      = "menu"
	recServer    = "server" // of the official account's message server
	recReset     = "reset"
)

// record is one line of the journal: one change, complete in itself.
type record struct {
	Seq     uint64        `json:"seq"`
	At      time.Time     `json:"at"`              // business time
	Ahead   time.Duration `json:"ahead,omitempty"` // of business before honest time, ns
	Kind    string        `json:"kind"`
	No      string        `json:"no,omitempty"` // out_trade_no
	Order   *order        `json:"order,omitempty"`
	Prepay  *prepay       `json:"prepay,omitempty"`
	Payment *payment      `json:"payment,omitempty"`
	Refund  *refund       `json:"refund,omitempty"`
	Code    *paycode      `json:"code,omitempty"`
	Plant   *plant        `json:"plant,omitempty"`
	Why     string        `json:"why,omitempty"`
	User    *user         `json:"user,omitempty"`
	Note    *notification `json:"note,omitempty"`
	Attempt *attempt      `json:"attempt,omitempty"`
	Account *accountJSON  `json:"account,omitempty"`
	Server  *serverJSON   `json:"server,omitempty"`
	Menu    []menuButton  `json:"menu,omitempty"`
}

// apply makes one change. An error means that the journal is not ours.
func (l *ledger) apply(r *record) error {
	l.seq = r.Seq
	switch r.Kind {
	case recOrder:
		return l.addOrder(r)
	case recPrepay, recPay, recClose, recFail, recRecall, recReverse, recRefund, recRefundEnd, recRefundTry:
		o := l.orders[r.No]
		if o == nil {
			return fmt.Errorf("record %d: no order %q", r.Seq, r.No)
		}
		defer l.watch(o)
		return l.applyToOrder(o, r)
	case recBurn:
		l.burned[r.No] = true
	case recCode:
		l.addCode(r)
	case recPlant:
		l.plants[r.Plant.Day] = r.Plant
	case recUser:
		l.addUser(*r.User)
	case recBalance:
		u := l.userByID(r.User.ID)
		if u == nil {
			return fmt.Errorf("record %d: no user %q", r.Seq, r.User.ID)
		}
		u.Balance = r.User.Balance
	case recAttempt, recDrop:
		return l.applyToNote(r)
	case recAccount:
		l.account = r.Account
	case recMenu:
		l.menu = r.Menu
	case recServer:
		l.server = r.Server
	case recReset:
		seq := l.seq
		*l = *newLedger()
		l.seq = seq
	case recClock:
	default:
		return fmt.Errorf("record %d: unknown kind %q", r.Seq, r.Kind)
	}
	return nil
}

// addOrder adds an order: one with a prepay_id, or one taken with a payment
// code, which may be paid at once.
func (l *ledger) addOrder(r *record) error {
	o := *r.Order
	o.failed = o.Fails
	l.orders[o.No] = &o
	l.recent = append(l.recent, &o)
	if r.Prepay != nil {
		o.prepays = []prepay{*r.Prepay}
		l.prepays[r.Prepay.ID] = &o
	}
	if c := l.codes[o.Code]; c != nil {
		c.used = true
	}
	defer l.watch(&o)
	if r.Payment != nil {
		return l.settle(&o, r)
	}
	return nil
}

func (l *ledger) applyToOrder(o *order, r *record) error {
	switch r.Kind {
	case recPrepay:
		o.prepays = append(o.prepays, *r.Prepay)
		if r.Prepay.SignType != algRSA { // the digest of a notification of v2
			o.SignType = r.Prepay.SignType
		}
		if r.Prepay.CodeURL != "" {
			o.CodeURL = r.Prepay.CodeURL
		}
		l.prepays[r.Prepay.ID] = o
	case recClose:
		o.closed = r.At
	case recPay:
		return l.settle(o, r)
	case recFail:
		o.failed = r.Why
	case recRecall:
		o.recalled = true
	case recReverse:
		l.reverse(o, r)
	case recRefund:
		l.addRefund(o, r)
	case recRefundEnd:
		return l.endRefund(o, r)
	case recRefundTry:
		return l.tryRefund(o, r)
	}
	return nil
}

// settle moves the money of a payment.
func (l *ledger) settle(o *order, r *record) error {
	p := *r.Payment
	u := l.userByID(p.User)
	if u == nil {
		return fmt.Errorf("record %d: no user %q", r.Seq, p.User)
	}
	u.Balance -= o.Total
	o.payment = &p
	l.byTxn[p.TransactionID] = o
	l.addNote(o, r.Note)
	return nil
}

// addNote keeps a notification of an order; nil: the order has none.
func (l *ledger) addNote(o *order, note *notification) {
	if note == nil {
		return
	}
	n := *note
	o.notes = append(o.notes, &n)
	l.notes[n.ID] = &n
	l.noted = append(l.noted, &n)
}

func (l *ledger) applyToNote(r *record) error {
	n := l.notes[r.Note.ID]
	if n == nil {
		return fmt.Errorf("record %d: no notification %q", r.Seq, r.Note.ID)
	}
	n.State, n.Due, n.Step = r.Note.State, r.Note.Due, r.Note.Step
	if r.Attempt != nil {
		n.attempts = append(n.attempts, *r.Attempt)
	}
	return nil
}

// watch keeps the list of orders that change by themselves.
func (l *ledger) watch(o *order) {
	if o.ripeAt().IsZero() {
		delete(l.unripe, o.No)
	} else {
		l.unripe[o.No] = o
	}
}
