package models

// Category groups products on the home page.
type Category struct {
	ID       string `gorm:"primaryKey;size:32"` // "green"
	NameZH   string
	NameEN   string
	Position int64
}

// Product is one thing in the window; what is sold are its SKUs.
type Product struct {
	ID         int64  `gorm:"primaryKey"`
	Slug       string `gorm:"size:64;uniqueIndex"`
	CategoryID string `gorm:"size:32;index"`
	NameZH     string
	NameEN     string
	LineZH     string // one sentence
	LineEN     string
	Details    []Detail `gorm:"serializer:json"` // facts under the fold
	Options    []Option `gorm:"serializer:json"`
	Pictures   []string `gorm:"serializer:json"` // names in static, the first is the cover
	Position   int64
	Active     bool
	SKUs       []SKU `gorm:"foreignKey:ProductID"`
}

// Detail is a labelled fact of a product.
type Detail struct{ LabelZH, LabelEN, ZH, EN string }

// Option is something to choose ("净含量") with its values.
type Option struct {
	ID, ZH, EN string
	Values     []OptionValue
}

// OptionValue is one choice of an Option.
type OptionValue struct{ ID, ZH, EN string }

// SKU is what is counted and priced.
type SKU struct {
	ID        int64    `gorm:"primaryKey"`
	ProductID int64    `gorm:"index"`
	Code      string   `gorm:"size:64;uniqueIndex"`
	Values    []string `gorm:"serializer:json"` // one OptionValue id per Option
	Price     Fen      `gorm:"check:price > 0"`
	Stock     int64    `gorm:"check:stock >= 0"` // free to sell; orders reserve by taking
	Position  int64
}

// User is a shopper. A guest has no OpenID; see decision on guests in README.
type User struct {
	ID        int64   `gorm:"primaryKey"`
	AppID     *string `gorm:"size:32;uniqueIndex:user_identity"`
	OpenID    *string `gorm:"size:128;uniqueIndex:user_identity"`
	CreatedAt Time
}

// Guest reports whether u has no identity at WeChat yet.
func (u User) Guest() bool { return u.OpenID == nil }

// Session is a row of a signed-in browser. Its id is kept only as a hash.
type Session struct {
	Hash      string `gorm:"primaryKey;size:64"` // hex SHA-256 of the id in the cookie
	Kind      string `gorm:"size:8"`             // shop | admin
	UserID    int64  `gorm:"index"`              // 0: none yet
	StaffID   int64  `gorm:"index"`
	Data      string // small JSON: flash, counters
	CreatedAt Time
	SeenAt    Time
	ExpiresAt Time `gorm:"index"`
}

// CartLine is a wish; prices are read when the page is shown.
type CartLine struct {
	UserID    int64 `gorm:"primaryKey;autoIncrement:false"`
	SKUID     int64 `gorm:"column:sku_id;primaryKey;autoIncrement:false"`
	Qty       int64 `gorm:"check:qty > 0"`
	SeenPrice Fen   // when put in, to say what changed
	AddedAt   Time
}

// Address is where a user had something sent. There is no table of them yet:
// every order carries its own.
type Address struct {
	UserID int64
	Receiver
	UsedAt Time
}

// Receiver is a person and a place.
type Receiver struct {
	Name     string `gorm:"size:64"`
	Phone    string `gorm:"size:16"`
	Province string `gorm:"size:64"`
	City     string `gorm:"size:64"`
	District string `gorm:"size:64"`
	Street   string `gorm:"size:255"` // the rest: street, house, room
}

// Order is what a shopper buys.
type Order struct {
	ID          int64  `gorm:"primaryKey;index:order_user,priority:2;index:order_state,priority:2"`
	No          string `gorm:"size:32;uniqueIndex"` // yyMMdd + 16 base32
	UserID      int64  `gorm:"uniqueIndex:order_token,priority:1;index:order_user,priority:1"`
	FormToken   string `gorm:"size:64;uniqueIndex:order_token,priority:2"`
	State       State  `gorm:"size:16;index:order_state,priority:1;index:order_due,priority:1"`
	GoodsTotal  Fen
	DeliveryFee Fen
	Total       Fen `gorm:"check:total > 0"`
	Receiver    `gorm:"embedded"`
	Note        string
	CreatedAt   Time
	ExpiresAt   Time `gorm:"index:order_due,priority:2"`
	Extended    bool `gorm:"not null;default:false"` // the deadline was moved once for a late attempt
	PaidAt      Time
	ShippedAt   Time
	DoneAt      Time
	ClosedAt    Time
	CloseReason CloseReason `gorm:"size:16;not null;default:''"`
	Revived     bool        `gorm:"not null;default:false"`
	Carrier     string      `gorm:"size:64;not null;default:''"`
	TrackingNo  string      `gorm:"size:128;not null;default:''"`
	Source      Source      `gorm:"size:16;not null;default:''"`
	Items       []OrderItem `gorm:"foreignKey:OrderID;constraint:-"` // checking each row costs too much
}

// Source says where an order was made.
type Source string

// Where orders come from.
const (
	FromWeb     Source = ""
	FromCounter Source = "counter" // the cash desk: UserID is minus the staff's id
	FromMini    Source = "mini"    // the mini program
	FromApp     Source = "app"     // an app, through its server
)

// OrderCount is how many orders are in a state, kept by what changes states:
// counting a million rows for a number in a corner takes too long.
type OrderCount struct {
	State State `gorm:"primaryKey;size:16"`
	N     int64
}

// CloseReason says who ended an unpaid order. Only a timeout may be revived.
type CloseReason string

// Why an order was closed.
const (
	ByTimeout  CloseReason = "timeout"
	ByShopper  CloseReason = "shopper"
	ByMerchant CloseReason = "merchant"
)

// OrderItem is a line of an order as it was sold.
type OrderItem struct {
	ID       int64 `gorm:"primaryKey"`
	OrderID  int64 `gorm:"index"`
	SKUID    int64 `gorm:"column:sku_id"`
	Slug     string
	NameZH   string
	NameEN   string
	OptionZH string
	OptionEN string
	Picture  string
	Price    Fen
	Qty      int64
}

// Payment is one attempt to pay an order. Everything that goes to WeChat is
// frozen here before the first call, so that each retry says the same.
type Payment struct {
	ID          int64  `gorm:"primaryKey"`
	OrderID     int64  `gorm:"index"`
	LiveOrderID *int64 `gorm:"uniqueIndex"` // = OrderID while the attempt is open: at most one
	OutTradeNo  string `gorm:"size:32;uniqueIndex"`
	API         string `gorm:"size:4"`  // v2 | v3, as placed
	Channel     string `gorm:"size:16"` // trade type
	SignType    string `gorm:"size:16"`
	AppID       string `gorm:"size:32"`
	MchID       string `gorm:"size:32"`
	OpenID      string `gorm:"size:128"`
	Description string
	NotifyURL   string
	ClientIP    string `gorm:"size:64"`
	Total       Fen    `gorm:"check:total > 0"`
	Currency    string `gorm:"size:8"`
	StartAt     Time
	ExpireAt    Time // sent as time_expire

	State         PayState `gorm:"size:16;index:pay_due,priority:1"`
	PrepayID      string   `gorm:"size:64;not null;default:''"`
	PrepayUntil   Time
	TransactionID *string `gorm:"size:32;uniqueIndex"`
	PaidAt        Time
	Cash          Fen    `gorm:"not null;default:0"` // after coupons; for information, never compared with a price
	BankType      string `gorm:"size:64;not null;default:''"`
	NextQueryAt   Time   `gorm:"index:pay_due,priority:2"`
	Queries       int64  `gorm:"not null;default:0"`
	LastError     string `gorm:"size:1024;not null;default:''"`
	CodeURL       string `gorm:"size:512;not null;default:''"`  // NATIVE: what the QR code says; lives as long as the prepay id
	H5URL         string `gorm:"size:2048;not null;default:''"` // MWEB: where the browser goes; five minutes
	H5Until       Time
	CodeTail      string `gorm:"size:8;not null;default:''"` // MICROPAY: the end of the payment code, for people
	CreatedAt     Time
}

// Refund is money on its way back. OutRefundNo is made before the first try
// and kept for all of them. It says by itself which payment at WeChat it
// belongs to, because a payment to check may have no row here.
type Refund struct {
	ID            int64        `gorm:"primaryKey"`
	OrderID       int64        `gorm:"index"`               // 0: of an unknown order
	PaymentID     int64        `gorm:"index"`               // 0: likewise
	MisfitID      int64        `gorm:"index"`               // of the payment to check that it settles
	Token         string       `gorm:"size:64;uniqueIndex"` // of the form, or "late P…": what asks twice gets once
	Reason        RefundReason `gorm:"size:16"`
	Note          string       // the payer sees it
	Actor         string       `gorm:"size:64"`
	Lines         []RefundLine `gorm:"serializer:json"`
	API           string       `gorm:"size:4"` // v2 | v3, as the payment
	SignType      string       `gorm:"size:16"`
	AppID         string       `gorm:"size:32"`
	OutTradeNo    string       `gorm:"size:32;index"`
	TransactionID string       `gorm:"size:32"`
	Total         Fen          `gorm:"check:total > 0"` // of the whole payment at WeChat
	OutRefundNo   string       `gorm:"size:64;uniqueIndex"`
	RefundID      string       `gorm:"size:64"` // WeChat's
	Amount        Fen          `gorm:"check:amount > 0"`
	State         RefundState  `gorm:"size:16;index:refund_due,priority:1"`
	Account       string       // where the money went: "支付用户零钱"
	CreatedAt     Time
	AcceptedAt    Time // when we learned that WeChat took it on: about when its bill says so
	SucceededAt   Time
	NextAt        Time `gorm:"index:refund_due,priority:2"`
	Tries         int64
	LastError     string
}

// RefundReason says why money goes back.
type RefundReason string

// Why money goes back.
const (
	RefundLate     RefundReason = "late"     // the order was closed when the payment came
	RefundDouble   RefundReason = "double"   // the order was paid by another attempt
	RefundMerchant RefundReason = "merchant" // a person of the shop decided
	RefundMisfit   RefundReason = "misfit"   // a payment to check, given back
)

// RefundLine says which goods came back, and whether they can be sold again.
type RefundLine struct {
	ItemID  int64 `json:"item_id"`
	Qty     int64 `json:"qty"`
	Restock bool  `json:"restock"`
}

// Event is one line of an order's history. Append-only: triggers refuse
// UPDATE and DELETE. Nothing changes without one.
type Event struct {
	ID            int64 `gorm:"primaryKey"`
	OrderID       int64 `gorm:"index"`
	At            Time
	Actor         string `gorm:"size:64"` // shopper | staff:NAME | notify | query | loop | system
	Kind          string `gorm:"size:32"` // placed paid shipped done closed revived refund-due prepay attempt note claimed …
	From          string `gorm:"column:from_state;size:16"`
	To            string `gorm:"column:to_state;size:16"`
	Amount        Fen
	OutTradeNo    string `gorm:"size:32"`
	TransactionID string `gorm:"size:32"`
	Note          string
}

// Message is one exchange with WeChat as people may see it: redacted, and
// never anything whose signature did not hold.
type Message struct {
	ID         int64  `gorm:"primaryKey"`
	OutTradeNo string `gorm:"size:32;index"`
	At         Time
	Op         string `gorm:"size:32"` // prepay query close notify
	Direction  string `gorm:"size:8"`  // out (we asked) | in (WeChat called)
	Request    string
	Answer     string
	Err        string
	TookMS     int64
}

// Misfit is money, or word of money, that fits nothing: a row of "payments to
// check". It is acknowledged to WeChat and waits for a person.
type Misfit struct {
	ID            int64  `gorm:"primaryKey"`
	TransactionID string `gorm:"size:32;uniqueIndex:misfit_once,priority:1"`
	Reason        string `gorm:"size:32;uniqueIndex:misfit_once,priority:2"` // amount currency appid mchid openid trade_type unknown second transaction reversed refunded
	OutTradeNo    string `gorm:"size:32;index"`
	OrderID       int64  `gorm:"index"` // 0: unknown
	Got           string // what WeChat said
	Want          string // what our row says
	Total         Fen    // what WeChat says was ordered; -1 unreadable
	Raw           string // redacted
	State         string `gorm:"size:16;index"` // open | explained
	Note          string
	CreatedAt     Time
	ClosedAt      Time
	ClosedBy      string
}

// Claim lets one person take a guest's order along into WeChat, once.
type Claim struct {
	Hash      string `gorm:"primaryKey;size:64"`
	OrderID   int64  `gorm:"index"`
	ExpiresAt Time
	UsedAt    Time
}

// OAuthState is one open trip to WeChat's authorize page.
type OAuthState struct {
	Hash        string `gorm:"primaryKey;size:64"`
	SessionHash string `gorm:"size:64;index"`
	ReturnPath  string
	CreatedAt   Time
	ExpiresAt   Time `gorm:"index"`
}

// TableName says "oauth", not GORM's "o_auth".
func (OAuthState) TableName() string { return "oauth_states" }

// Staff is a person of the shop. Password is a PHC string of argon2id.
type Staff struct {
	ID         int64  `gorm:"primaryKey"`
	Name       string `gorm:"size:64;uniqueIndex"`
	Role       string `gorm:"size:16"` // owner | staff | viewer
	Password   string
	MustChange bool
	CreatedAt  Time
	SeenAt     Time
}

// TableName is the singular that the word already is.
func (Staff) TableName() string { return "staff" }

// Throttle counts failures under a key (account and network).
type Throttle struct {
	Key      string `gorm:"primaryKey;size:128"`
	Failures int64
	Since    Time
	Until    Time // no try before
}

// Lease gives one replica a loop's turn. It saves work and carries no
// correctness: every step is idempotent without it.
type Lease struct {
	Name   string `gorm:"primaryKey;size:32"`
	Holder string `gorm:"size:64"`
	Until  Time
}
