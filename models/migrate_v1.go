package models

import (
	"slices"
	"strings"

	"gorm.io/gorm"
)

// The schema as it was first shipped. These types are frozen: they describe
// the past, and a change of the schema is another migration.

// v1Time is a Time: an integer of Unix milliseconds, NULL for none.
type v1Time int64

func (v1Time) GormDataType() string { return "bigint" }

type v1Category struct {
	ID       string `gorm:"primaryKey;size:32"`
	NameZH   string
	NameEN   string
	Position int64
}

type v1Product struct {
	ID         int64  `gorm:"primaryKey"`
	Slug       string `gorm:"size:64;uniqueIndex"`
	CategoryID string `gorm:"size:32;index"`
	NameZH     string
	NameEN     string
	LineZH     string
	LineEN     string
	Details    string
	Options    string
	Pictures   string
	Position   int64
	Active     bool
	SKUs       []v1SKU `gorm:"foreignKey:ProductID"`
}

type v1SKU struct {
	ID        int64  `gorm:"primaryKey"`
	ProductID int64  `gorm:"index"`
	Code      string `gorm:"size:64;uniqueIndex"`
	Values    string
	Price     int64 `gorm:"check:price > 0"`
	Stock     int64 `gorm:"check:stock >= 0"`
	Position  int64
}

type v1User struct {
	ID        int64   `gorm:"primaryKey"`
	AppID     *string `gorm:"size:32;uniqueIndex:user_identity"`
	OpenID    *string `gorm:"size:128;uniqueIndex:user_identity"`
	CreatedAt v1Time
}

type v1Session struct {
	Hash      string `gorm:"primaryKey;size:64"`
	Kind      string `gorm:"size:8"`
	UserID    int64  `gorm:"index"`
	StaffID   int64  `gorm:"index"`
	Data      string
	CreatedAt v1Time
	SeenAt    v1Time
	ExpiresAt v1Time `gorm:"index"`
}

type v1CartLine struct {
	UserID    int64 `gorm:"primaryKey;autoIncrement:false"`
	SKUID     int64 `gorm:"column:sku_id;primaryKey;autoIncrement:false"`
	Qty       int64 `gorm:"check:qty > 0"`
	SeenPrice int64
	AddedAt   v1Time
}

type v1Receiver struct {
	Name     string `gorm:"size:64"`
	Phone    string `gorm:"size:16"`
	Province string `gorm:"size:64"`
	City     string `gorm:"size:64"`
	District string `gorm:"size:64"`
	Street   string `gorm:"size:255"`
}

type v1Order struct {
	ID          int64  `gorm:"primaryKey;index:order_user,priority:2;index:order_state,priority:2"`
	No          string `gorm:"size:32;uniqueIndex"`
	UserID      int64  `gorm:"uniqueIndex:order_token,priority:1;index:order_user,priority:1"`
	FormToken   string `gorm:"size:64;uniqueIndex:order_token,priority:2"`
	State       string `gorm:"size:16;index:order_state,priority:1;index:order_due,priority:1"`
	GoodsTotal  int64
	DeliveryFee int64
	Total       int64      `gorm:"check:total > 0"`
	Receiver    v1Receiver `gorm:"embedded"`
	Note        string
	CreatedAt   v1Time
	ExpiresAt   v1Time `gorm:"index:order_due,priority:2"`
	Extended    bool   `gorm:"not null;default:false"`
	PaidAt      v1Time
	ShippedAt   v1Time
	DoneAt      v1Time
	ClosedAt    v1Time
	CloseReason string        `gorm:"size:16;not null;default:''"`
	Revived     bool          `gorm:"not null;default:false"`
	Carrier     string        `gorm:"size:64;not null;default:''"`
	TrackingNo  string        `gorm:"size:128;not null;default:''"`
	Source      string        `gorm:"size:16;not null;default:''"`
	Items       []v1OrderItem `gorm:"foreignKey:OrderID;constraint:-"`
}

type v1OrderCount struct {
	State string `gorm:"primaryKey;size:16"`
	N     int64
}

type v1OrderItem struct {
	ID       int64 `gorm:"primaryKey"`
	OrderID  int64 `gorm:"index"`
	SKUID    int64 `gorm:"column:sku_id"`
	Slug     string
	NameZH   string
	NameEN   string
	OptionZH string
	OptionEN string
	Picture  string
	Price    int64
	Qty      int64
}

type v1Payment struct {
	ID            int64  `gorm:"primaryKey"`
	OrderID       int64  `gorm:"index"`
	LiveOrderID   *int64 `gorm:"uniqueIndex"`
	OutTradeNo    string `gorm:"size:32;uniqueIndex"`
	API           string `gorm:"size:4"`
	Channel       string `gorm:"size:16"`
	SignType      string `gorm:"size:16"`
	AppID         string `gorm:"size:32"`
	MchID         string `gorm:"size:32"`
	OpenID        string `gorm:"size:128"`
	Description   string
	NotifyURL     string
	ClientIP      string `gorm:"size:64"`
	Total         int64  `gorm:"check:total > 0"`
	Currency      string `gorm:"size:8"`
	StartAt       v1Time
	ExpireAt      v1Time
	State         string `gorm:"size:16;index:pay_due,priority:1"`
	PrepayID      string `gorm:"size:64;not null;default:''"`
	PrepayUntil   v1Time
	TransactionID *string `gorm:"size:32;uniqueIndex"`
	PaidAt        v1Time
	Cash          int64  `gorm:"not null;default:0"`
	BankType      string `gorm:"size:64;not null;default:''"`
	NextQueryAt   v1Time `gorm:"index:pay_due,priority:2"`
	Queries       int64  `gorm:"not null;default:0"`
	LastError     string `gorm:"size:1024;not null;default:''"`
	CodeURL       string `gorm:"size:512;not null;default:''"`
	H5URL         string `gorm:"size:2048;not null;default:''"`
	H5Until       v1Time
	CodeTail      string `gorm:"size:8;not null;default:''"`
	CreatedAt     v1Time
}

type v1Refund struct {
	ID            int64  `gorm:"primaryKey"`
	OrderID       int64  `gorm:"index"`
	PaymentID     int64  `gorm:"index"`
	MisfitID      int64  `gorm:"index"`
	Token         string `gorm:"size:64;uniqueIndex"`
	Reason        string `gorm:"size:16"`
	Note          string
	Actor         string `gorm:"size:64"`
	Lines         string
	API           string `gorm:"size:4"`
	SignType      string `gorm:"size:16"`
	AppID         string `gorm:"size:32"`
	OutTradeNo    string `gorm:"size:32;index"`
	TransactionID string `gorm:"size:32"`
	Total         int64  `gorm:"check:total > 0"`
	OutRefundNo   string `gorm:"size:64;uniqueIndex"`
	RefundID      string `gorm:"size:64"`
	Amount        int64  `gorm:"check:amount > 0"`
	State         string `gorm:"size:16;index:refund_due,priority:1"`
	Account       string
	CreatedAt     v1Time
	SucceededAt   v1Time
	NextAt        v1Time `gorm:"index:refund_due,priority:2"`
	Tries         int64
	LastError     string
}

type v1Event struct {
	ID            int64 `gorm:"primaryKey"`
	OrderID       int64 `gorm:"index"`
	At            v1Time
	Actor         string `gorm:"size:64"`
	Kind          string `gorm:"size:32"`
	From          string `gorm:"column:from_state;size:16"`
	To            string `gorm:"column:to_state;size:16"`
	Amount        int64
	OutTradeNo    string `gorm:"size:32"`
	TransactionID string `gorm:"size:32"`
	Note          string
}

type v1Message struct {
	ID         int64  `gorm:"primaryKey"`
	OutTradeNo string `gorm:"size:32;index"`
	At         v1Time
	Op         string `gorm:"size:32"`
	Direction  string `gorm:"size:8"`
	Request    string
	Answer     string
	Err        string
	TookMS     int64
}

type v1Misfit struct {
	ID            int64  `gorm:"primaryKey"`
	TransactionID string `gorm:"size:32;uniqueIndex:misfit_once,priority:1"`
	Reason        string `gorm:"size:32;uniqueIndex:misfit_once,priority:2"`
	OutTradeNo    string `gorm:"size:32;index"`
	OrderID       int64  `gorm:"index"`
	Got           string
	Want          string
	Total         int64
	Raw           string
	State         string `gorm:"size:16;index"`
	Note          string
	CreatedAt     v1Time
	ClosedAt      v1Time
	ClosedBy      string
}

type v1Claim struct {
	Hash      string `gorm:"primaryKey;size:64"`
	OrderID   int64  `gorm:"index"`
	ExpiresAt v1Time
	UsedAt    v1Time
}

type v1OAuthState struct {
	Hash        string `gorm:"primaryKey;size:64"`
	SessionHash string `gorm:"size:64;index"`
	ReturnPath  string
	CreatedAt   v1Time
	ExpiresAt   v1Time `gorm:"index"`
}

type v1Staff struct {
	ID         int64  `gorm:"primaryKey"`
	Name       string `gorm:"size:64;uniqueIndex"`
	Role       string `gorm:"size:16"`
	Password   string
	MustChange bool
	CreatedAt  v1Time
	SeenAt     v1Time
}

type v1Throttle struct {
	Key      string `gorm:"primaryKey;size:128"`
	Failures int64
	Since    v1Time
	Until    v1Time
}

type v1Lease struct {
	Name   string `gorm:"primaryKey;size:32"`
	Holder string `gorm:"size:64"`
	Until  v1Time
}

func (v1Category) TableName() string   { return "categories" }
func (v1Product) TableName() string    { return "products" }
func (v1SKU) TableName() string        { return "skus" }
func (v1User) TableName() string       { return "users" }
func (v1Session) TableName() string    { return "sessions" }
func (v1CartLine) TableName() string   { return "cart_lines" }
func (v1Order) TableName() string      { return "orders" }
func (v1OrderCount) TableName() string { return "order_counts" }
func (v1OrderItem) TableName() string  { return "order_items" }
func (v1Payment) TableName() string    { return "payments" }
func (v1Refund) TableName() string     { return "refunds" }
func (v1Event) TableName() string      { return "events" }
func (v1Message) TableName() string    { return "messages" }
func (v1Misfit) TableName() string     { return "misfits" }
func (v1Claim) TableName() string      { return "claims" }
func (v1OAuthState) TableName() string { return "oauth_states" }
func (v1Staff) TableName() string      { return "staff" }
func (v1Throttle) TableName() string   { return "throttles" }
func (v1Lease) TableName() string      { return "leases" }

// migrateV1 makes all tables.
func migrateV1(tx *gorm.DB) error {
	err := createTables(tx,
		&v1Category{},
		&v1Product{},
		&v1SKU{},
		&v1User{},
		&v1Session{},
		&v1CartLine{},
		&v1Order{},
		&v1OrderCount{},
		&v1OrderItem{},
		&v1Payment{},
		&v1Refund{},
		&v1Event{},
		&v1Message{},
		&v1Misfit{},
		&v1Claim{},
		&v1OAuthState{},
		&v1Staff{},
		&v1Throttle{},
		&v1Lease{},
	)
	if err != nil {
		return err
	}
	rest := slices.Clone(v1Rest[tx.Name()])
	if tx.Name() == "mysql" {
		var version string
		if err := tx.Raw(`SELECT version()`).Scan(&version).Error; err != nil {
			return err
		}
		if strings.Contains(version, "TiDB") { // which has no triggers
			rest = slices.DeleteFunc(rest, func(q string) bool { return strings.HasPrefix(q, "CREATE TRIGGER") })
		}
	}
	return runAll(tx, rest...)
}

// v1Rest is what no tag can say. The partial index leaves out the orders that
// were not sent yet. History is append-only for everybody, also for us.
var v1Rest = map[string][]string{
	"sqlite": {
		`CREATE INDEX order_phone ON orders(phone)`,
		`CREATE INDEX order_tracking ON orders(tracking_no) WHERE tracking_no <> ''`,
		`CREATE TRIGGER events_keep BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END`,
		`CREATE TRIGGER events_stay BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END`,
		`CREATE TRIGGER messages_keep BEFORE UPDATE ON messages BEGIN SELECT RAISE(ABORT, 'messages are append-only'); END`,
		`CREATE TRIGGER messages_stay BEFORE DELETE ON messages BEGIN SELECT RAISE(ABORT, 'messages are append-only'); END`,
	},
	"postgres": {
		`CREATE INDEX order_phone ON orders(phone)`,
		`CREATE INDEX order_tracking ON orders(tracking_no) WHERE tracking_no <> ''`,
		`CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '% are append-only', TG_TABLE_NAME; END $$`,
		`CREATE TRIGGER events_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON events EXECUTE FUNCTION append_only()`,
		`CREATE TRIGGER messages_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON messages EXECUTE FUNCTION append_only()`,
	},
	"mysql": {
		`CREATE INDEX order_phone ON orders(phone)`,
		`CREATE INDEX order_tracking ON orders(tracking_no)`,
		`CREATE TRIGGER events_keep BEFORE UPDATE ON events FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'events are append-only'`,
		`CREATE TRIGGER events_stay BEFORE DELETE ON events FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'events are append-only'`,
		`CREATE TRIGGER messages_keep BEFORE UPDATE ON messages FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'messages are append-only'`,
		`CREATE TRIGGER messages_stay BEFORE DELETE ON messages FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'messages are append-only'`,
	},
}
