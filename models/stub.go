package models

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// This file is the contract of the Store while it is being written: every
// method moves to its own file with its body.

var errStub = errors.New("not written yet")

// Config says where the database is.
type Config struct {
	Driver string `yaml:"driver"` // sqlite
	DSN    string `yaml:"dsn"`    // a file
}

// Options are what Open needs beyond the configuration.
type Options struct {
	Log *slog.Logger
	Now func() time.Time
	// Crash, when set, is asked at the named points of every group commit
	// ("before-commit", "after-commit"); an error stops the committer for
	// good, as a killed process would. For tests of recovery.
	Crash func(point string) error
}

// Store is the only door to the database.
type Store struct{}

// Open migrates (under a lock) and opens the database.
func Open(ctx context.Context, c Config, o Options) (*Store, error) { return nil, errStub }

func (s *Store) Close() error                   { return errStub }
func (s *Store) Ping(ctx context.Context) error { return errStub } // writes and reads; for /readyz
func (s *Store) Stats() Stats                   { return Stats{} }

// Stats are counters of the group commit and of open work, for /metrics.
type Stats struct {
	Commits, Calls, Rollbacks int64
	QueueLength               int64
}

// ---- catalogue

// Seed is the sample shop.
type Seed struct {
	Categories []Category
	Products   []Product
}

func (s *Store) SeedIfEmpty(ctx context.Context, seed Seed) (bool, error)   { return false, errStub }
func (s *Store) Categories(ctx context.Context) ([]Category, error)         { return nil, errStub }
func (s *Store) Products(ctx context.Context, f Find) ([]Product, error)    { return nil, errStub } // with SKUs, active only
func (s *Store) Product(ctx context.Context, slug string) (*Product, error) { return nil, errStub }
func (s *Store) SKUs(ctx context.Context, ids []int64) ([]SKU, error)       { return nil, errStub }

// CatalogVersion changes whenever a product, price or stock does; caches of
// pages compare it.
func (s *Store) CatalogVersion() uint64 { return 0 }

// Find narrows a list of products. Query is matched as plain text.
type Find struct{ Category, Query string }

// ---- people

func (s *Store) Session(ctx context.Context, hash string) (*Session, error) { return nil, errStub } // ErrNotFound also when expired
func (s *Store) SaveSession(ctx context.Context, x Session) error           { return errStub }      // insert or update by Hash
func (s *Store) DeleteSession(ctx context.Context, hash string) error       { return errStub }
func (s *Store) DeleteSessionsOf(ctx context.Context, staffID int64, except string) error {
	return errStub
}

// ReplaceSession stores x and deletes the row of the old hash in one transaction (S3).
func (s *Store) ReplaceSession(ctx context.Context, old string, x Session) error { return errStub }
func (s *Store) SweepSessions(ctx context.Context) (int64, error)                { return 0, errStub } // also states, claims, throttles

func (s *Store) CreateGuest(ctx context.Context) (*User, error)    { return nil, errStub }
func (s *Store) User(ctx context.Context, id int64) (*User, error) { return nil, errStub }

// SignIn finds or makes the user of (appID, openID). A guest's cart and orders
// (guestID > 0 and really a guest) move to that user in the same transaction.
func (s *Store) SignIn(ctx context.Context, appID, openID string, guestID int64) (*User, error) {
	return nil, errStub
}

// PutOAuthState stores one trip; at most five are open per session, the oldest goes.
func (s *Store) PutOAuthState(ctx context.Context, x OAuthState) error { return errStub }

// TakeOAuthState uses a state up, once, whoever is first; ErrNotFound when it
// is unknown, used, expired or of another session.
func (s *Store) TakeOAuthState(ctx context.Context, hash, sessionHash string) (returnPath string, err error) {
	return "", errStub
}

// ---- cart and addresses

// CartEntry is a cart line with what it stands for now.
type CartEntry struct {
	CartLine
	SKU     SKU
	Product Product
}

func (s *Store) Cart(ctx context.Context, user int64) ([]CartEntry, error)     { return nil, errStub }
func (s *Store) CartCount(ctx context.Context, user int64) (int64, error)      { return 0, errStub }
func (s *Store) AddToCart(ctx context.Context, user, sku, qty int64) error     { return errStub } // caps at 99 and at 50 lines
func (s *Store) SetCart(ctx context.Context, user, sku, qty int64) error       { return errStub } // 0 removes
func (s *Store) LastAddress(ctx context.Context, user int64) (*Address, error) { return nil, errStub }
func (s *Store) CreateClaim(ctx context.Context, c Claim) error                { return errStub }
func (s *Store) ClaimedOrder(ctx context.Context, hash string) (*Order, error) { return nil, errStub } // looks without using; ErrNotFound when used or expired
func (s *Store) UseClaim(ctx context.Context, hash string, user int64) (no string, err error) {
	return "", errStub
}

// ---- orders

// Line is what to buy.
type Line struct{ SKUID, Qty int64 }

// NewOrder is one submitted checkout.
type NewOrder struct {
	UserID      int64
	FormToken   string
	Lines       []Line // empty: the cart
	Receiver    Receiver
	Note        string
	Expected    Fen // the total that the shopper saw; 0: not shown
	DeliveryFee Fen
	FreeFrom    Fen // goods from here on are delivered free; 0: never
	Expire      time.Duration
	Payment     *NewPayment // the first attempt, made in the same transaction; nil: later
}

// NewPayment is the frozen part of an attempt. The Store adds its number,
// the total and the times.
type NewPayment struct {
	API, Channel, SignType, AppID, MchID, OpenID string
	NotifyURL, ClientIP, Currency                string
	Describe                                     func(*Order) string // the text the payer sees
}

// CreateOrder is TX1 of the checkout: order, items, stock, event, attempt,
// address, and the ordered lines leave the cart. A FormToken that this user
// used before gives the first order and repeated = true. It refuses with
// *StockError, *PriceError, ErrEmptyCart before it writes anything.
func (s *Store) CreateOrder(ctx context.Context, n NewOrder) (o *Order, p *Payment, repeated bool, err error) {
	return nil, nil, false, errStub
}

func (s *Store) Order(ctx context.Context, user int64, no string) (*Order, error) {
	return nil, errStub
}                                                                        // with items; owner first
func (s *Store) AnyOrder(ctx context.Context, no string) (*Order, error) { return nil, errStub } // for staff and loops
func (s *Store) OrderByID(ctx context.Context, id int64) (*Order, error) { return nil, errStub }

// Status is the little that the poll needs, in one raw read.
type Status struct {
	OrderID     int64
	State       State
	CloseReason CloseReason
	Total       Fen
	ExpiresAt   Time
	Live        bool // an attempt is open
	Prepaid     bool // and WeChat gave it a prepay id
	Misfit      bool // money for it waits in payments to check
	Refunding   Fen  // refunds not ended
}

func (s *Store) Status(ctx context.Context, user int64, no string) (*Status, error) {
	return nil, errStub
}

// Orders of a shopper, newest first; state "" = all; before = id cursor, 0 = start.
func (s *Store) Orders(ctx context.Context, user int64, state State, before int64, limit int) ([]Order, error) {
	return nil, errStub
}
func (s *Store) OrderCounts(ctx context.Context, user int64) (map[State]int64, error) {
	return nil, errStub
}

// OrderFilter narrows the merchant's list. Query is any number that people
// know: order, out_trade_no, transaction id, phone, tracking number.
type OrderFilter struct {
	State  State
	Query  string
	Before int64
	Limit  int
}

// OrderRow is a line of the merchant's list.
type OrderRow struct {
	Order
	Misfits, Refunds int64
}

func (s *Store) FindOrders(ctx context.Context, f OrderFilter) ([]OrderRow, error) {
	return nil, errStub
}
func (s *Store) StateCounts(ctx context.Context) (map[State]int64, error) { return nil, errStub }

// Dossier is an order with all its history, for the merchant.
type Dossier struct {
	Order    *Order
	User     *User
	Payments []Payment
	Refunds  []Refund
	Events   []Event   // oldest first
	Messages []Message // oldest first
	Misfits  []Misfit
}

func (s *Store) Dossier(ctx context.Context, no string) (*Dossier, error) { return nil, errStub }

// CloseOrder ends an unpaid order: state, stock back, live attempt closed,
// event. The caller has asked WeChat first. Not unpaid any more: ErrStale.
func (s *Store) CloseOrder(ctx context.Context, orderID int64, why CloseReason, actor, note string) error {
	return errStub
}
func (s *Store) Ship(ctx context.Context, no, carrier, trackingNo, actor string) error {
	return errStub
}
func (s *Store) Confirm(ctx context.Context, user int64, no, actor string) error { return errStub } // shipped → done; user 0 = staff or loop
func (s *Store) AddNote(ctx context.Context, no, actor, text string) error       { return errStub }
func (s *Store) DueToConfirm(ctx context.Context, shippedBefore time.Time, limit int) ([]Order, error) {
	return nil, errStub
}

// ---- payments

func (s *Store) Payment(ctx context.Context, outTradeNo string) (*Payment, error) {
	return nil, errStub
}
func (s *Store) LivePayment(ctx context.Context, orderID int64) (*Payment, error) {
	return nil, errStub
}                                                                               // ErrNotFound: none
func (s *Store) Payments(ctx context.Context, orderID int64) ([]Payment, error) { return nil, errStub }

// OpenPayment returns the order's live attempt if it is of the same API,
// channel, app, merchant, payer and total; makes one if there is none; and
// gives ErrLive with the other attempt if that has to be closed at WeChat
// first. With less than 5 minutes left a new attempt moves the order's
// deadline to now + 6 minutes, once. Order not unpaid: ErrBadMove; past its
// deadline: ErrExpired.
func (s *Store) OpenPayment(ctx context.Context, orderID int64, n NewPayment) (*Payment, error) {
	return nil, errStub
}

// MarkPrepaid is TX2: WeChat's prepay id of an attempt that is still open.
// Repeating it with a newer prepay id is fine. An attempt that ended
// meanwhile: ErrStale.
func (s *Store) MarkPrepaid(ctx context.Context, paymentID int64, prepayID string, until time.Time, msgs []Message) error {
	return errStub
}

// EndPayment closes or fails an attempt that WeChat confirmed dead (to =
// PayClosed | PayFailed). Already ended: nil.
func (s *Store) EndPayment(ctx context.Context, paymentID int64, to PayState, actor, note string, msgs []Message) error {
	return errStub
}

// Postpone sets the next query of an open attempt and remembers why.
func (s *Store) Postpone(ctx context.Context, paymentID int64, next time.Time, lastError string, msgs []Message) error {
	return errStub
}

// PaidFact is WeChat's verified word that an attempt was paid, already
// compared with our row by the caller.
type PaidFact struct {
	OutTradeNo    string
	TransactionID string
	PaidAt        time.Time
	OpenID        string
	Cash          Fen
	BankType      string
	Actor         string // notify | query
	Msgs          []Message
}

// Outcome says what ApplyPaid did.
type Outcome string

const (
	OutcomePaid     Outcome = "paid"     // unpaid → paid, now
	OutcomeRevived  Outcome = "revived"  // closed by timeout, stock taken again, now paid
	OutcomeRepeated Outcome = "repeated" // knew it; nothing changed
	OutcomeLate     Outcome = "late"     // order closed: a full refund is due
	OutcomeDouble   Outcome = "double"   // order paid by another attempt: a full refund is due
	OutcomeMisfit   Outcome = "misfit"   // this attempt already has another transaction id
)

// ApplyPaid is TX3, the only writer of "paid": attempt, order, stock on
// revival, refund row when one is due, event; once, whoever comes first.
func (s *Store) ApplyPaid(ctx context.Context, f PaidFact) (Outcome, *Order, error) {
	return "", nil, errStub
}

// RecordMisfit stores money that fits nothing; the second time it is the same
// row and fresh = false.
func (s *Store) RecordMisfit(ctx context.Context, m Misfit, msgs []Message) (fresh bool, err error) {
	return false, errStub
}
func (s *Store) RecordMessages(ctx context.Context, msgs []Message) error { return errStub }

func (s *Store) Misfits(ctx context.Context, openOnly bool, before int64, limit int) ([]Misfit, error) {
	return nil, errStub
}
func (s *Store) OpenMisfits(ctx context.Context) (int64, error) { return 0, errStub }
func (s *Store) ExplainMisfit(ctx context.Context, id int64, actor, note string) error {
	return errStub
}
func (s *Store) PendingRefunds(ctx context.Context, limit int) ([]Refund, error) { return nil, errStub }

// DueQueries are open attempts whose next query has come.
func (s *Store) DueQueries(ctx context.Context, limit int) ([]Payment, error) { return nil, errStub }

// WakeQueries makes every open attempt due now (after a start).
func (s *Store) WakeQueries(ctx context.Context) (int64, error) { return 0, errStub }

// DueOrders are unpaid orders whose deadline lies before t.
func (s *Store) DueOrders(ctx context.Context, t time.Time, limit int) ([]Order, error) {
	return nil, errStub
}

// Lease takes or renews a turn by compare-and-set; false: another holder's.
func (s *Store) Lease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	return false, errStub
}
func (s *Store) Release(ctx context.Context, name, holder string) error { return errStub }

// ---- staff

func (s *Store) Staff(ctx context.Context, name string) (*Staff, error)  { return nil, errStub }
func (s *Store) StaffByID(ctx context.Context, id int64) (*Staff, error) { return nil, errStub }
func (s *Store) StaffCount(ctx context.Context) (int64, error)           { return 0, errStub }
func (s *Store) CreateStaff(ctx context.Context, x Staff) error          { return errStub }
func (s *Store) SetPassword(ctx context.Context, id int64, phc string, mustChange bool) error {
	return errStub
}

// Throttled says until when a key must wait; zero: it may try.
func (s *Store) Throttled(ctx context.Context, key string) (Time, error) { return Time{}, errStub }

// Fail counts a failure: five in fifteen minutes are free, then the wait
// doubles from ten to sixty seconds. Forgive forgets them.
func (s *Store) Fail(ctx context.Context, key string) error    { return errStub }
func (s *Store) Forgive(ctx context.Context, key string) error { return errStub }
