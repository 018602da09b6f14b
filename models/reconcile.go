package models

// What WeChat's bill of a day and our rows say about it, and in what they
// differ. Nothing here changes a payment or a refund.

// BillDay is one day of Beijing, compared or waiting to be. Amounts are fen.
type BillDay struct {
	ID        int64    `gorm:"primaryKey"`
	Day       string   `gorm:"size:10;uniqueIndex"` // 2026-11-19
	State     BillStep `gorm:"size:16"`
	API       string   `gorm:"size:4;not null;default:''"` // whose bill it was: v2 | v3
	CheckedAt Time
	NextAt    Time   // when to try again, or to look again for what waits
	Tries     int64  `gorm:"not null;default:0"`
	Problem   string `gorm:"size:500;not null;default:''"` // of the last try

	// WeChat's side: what its bill lists.
	Payments int64 `gorm:"not null;default:0"`
	Paid     Fen   `gorm:"not null;default:0"`
	Refunds  int64 `gorm:"not null;default:0"`
	Refunded Fen   `gorm:"not null;default:0"`
	Reversed int64 `gorm:"not null;default:0"` // of the cash desk, taken back
	// Our side: what was paid and given back that day by WeChat's own times.
	OurPayments int64 `gorm:"not null;default:0"`
	OurPaid     Fen   `gorm:"not null;default:0"`
	OurRefunds  int64 `gorm:"not null;default:0"`
	OurRefunded Fen   `gorm:"not null;default:0"`

	Known   int64 `gorm:"not null;default:0"` // lines that payments to check, or reversals, explain
	Waiting int64 `gorm:"not null;default:0"` // rows about which only the next day's bill can tell
}

// Nothing notes that WeChat has no bill of the day.
func (d *BillDay) Nothing() { d.State = BillNone }

// BillStep is how far the comparison of a day has come.
type BillStep string

// The steps.
const (
	BillDone   BillStep = "done"
	BillNone   BillStep = "none"   // WeChat has no bill: nothing happened there
	BillWaits  BillStep = "waits"  // not made yet
	BillFailed BillStep = "failed" // not read, or not compared; see Problem
)

// Compared reports whether the day has an answer.
func (s BillStep) Compared() bool { return s == BillDone || s == BillNone }

// LineKind is what a line of a bill is about.
type LineKind string

// The kinds of lines.
const (
	LinePaid     LineKind = "paid"
	LineRefund   LineKind = "refund"
	LineReversed LineKind = "reversed" // REVOKED: a sale of the cash desk, taken back
)

// BillLine is one line of a bill that was taken in to be compared. Number is
// the merchant's own: out_trade_no, or out_refund_no of a refund.
type BillLine struct {
	Run           string   `gorm:"primaryKey;size:32"`
	Kind          LineKind `gorm:"primaryKey;size:8"`
	Number        string   `gorm:"primaryKey;size:64"`
	OutTradeNo    string   `gorm:"size:64;not null"`
	TransactionID string   `gorm:"size:64;not null"`
	RefundID      string   `gorm:"size:64;not null"`
	Amount        Fen      `gorm:"not null"`         // as ordered, or as asked to be given back
	State         string   `gorm:"size:32;not null"` // of a refund: when it was taken on, never updated
	At            Time
	StagedAt      Time
}

// DiffKind is in what a bill and our rows differ.
type DiffKind string

// The differences.
const (
	DiffUnknown       DiffKind = "unknown"        // they were paid under a number that we do not have
	DiffUnsettled     DiffKind = "unsettled"      // paid there, not paid here
	DiffMissing       DiffKind = "missing"        // paid here, not in their bill
	DiffAmount        DiffKind = "amount"         // paid on both sides, with different amounts
	DiffTransaction   DiffKind = "transaction"    // paid on both sides, by different transactions
	DiffReversed      DiffKind = "reversed"       // taken back there, paid here
	DiffTwice         DiffKind = "twice"          // their bill has one number on two lines
	DiffRefundUnknown DiffKind = "refund-unknown" // given back there, not here
	DiffRefundMissing DiffKind = "refund-missing" // taken on for us, not in their bill
	DiffRefundAmount  DiffKind = "refund-amount"
	DiffRefundState   DiffKind = "refund-state"
)

// DiffKinds are all of them, as people go through them.
var DiffKinds = []DiffKind{
	DiffUnsettled, DiffUnknown, DiffAmount, DiffMissing, DiffTransaction, DiffReversed, DiffTwice,
	DiffRefundUnknown, DiffRefundMissing, DiffRefundAmount, DiffRefundState,
}

// DiffState is what became of a difference.
type DiffState string

// The states of a difference.
const (
	DiffOpen      DiffState = "open"
	DiffResolved  DiffState = "resolved"  // it is not there any more; Note says why
	DiffExplained DiffState = "explained" // a person wrote down what it is
)

// BillDifference is one difference of a day. The same difference found again
// is the same row.
type BillDifference struct {
	ID            int64     `gorm:"primaryKey"`
	Day           string    `gorm:"size:10;uniqueIndex:bill_difference_once,priority:1"`
	Kind          DiffKind  `gorm:"size:16;uniqueIndex:bill_difference_once,priority:2"`
	Number        string    `gorm:"size:64;uniqueIndex:bill_difference_once,priority:3;index:bill_difference_number"`
	OutTradeNo    string    `gorm:"size:64;not null"`
	TransactionID string    `gorm:"size:64;not null"`
	RefundID      string    `gorm:"size:64;not null"`
	OrderID       int64     `gorm:"not null"` // 0: of no order of ours
	Theirs        Fen       `gorm:"not null"` // -1: not there
	Ours          Fen       `gorm:"not null"` // -1: not there
	TheirState    string    `gorm:"size:32;not null"`
	OurState      string    `gorm:"size:32;not null"`
	At            Time      // of the money: theirs where they have it
	State         DiffState `gorm:"size:16;not null;index:bill_difference_state"`
	Note          string    `gorm:"size:1000;not null"` // why it is closed
	Run           string    `gorm:"size:32;not null"`   // that saw it last
	FoundAt       Time
	SeenAt        Time
	ClosedAt      Time
	ClosedBy      string `gorm:"size:64;not null"`
}

// Why a difference is gone, for what closes them by itself.
const (
	NoteAgrees    = "agrees"    // both sides say the same now
	NoteNeighbour = "neighbour" // it is in the bill of another day
)
