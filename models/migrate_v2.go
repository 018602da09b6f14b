package models

import "gorm.io/gorm"

// Days of WeChat's bills and in what they differ from our rows. These types
// are frozen, as those of the first migration are.

type v2BillDay struct {
	ID          int64  `gorm:"primaryKey"`
	Day         string `gorm:"size:10;uniqueIndex"`
	State       string `gorm:"size:16"`
	API         string `gorm:"size:4;not null;default:''"`
	CheckedAt   v1Time
	NextAt      v1Time
	Tries       int64  `gorm:"not null;default:0"`
	Problem     string `gorm:"size:500;not null;default:''"`
	Payments    int64  `gorm:"not null;default:0"`
	Paid        int64  `gorm:"not null;default:0"`
	Refunds     int64  `gorm:"not null;default:0"`
	Refunded    int64  `gorm:"not null;default:0"`
	Reversed    int64  `gorm:"not null;default:0"`
	OurPayments int64  `gorm:"not null;default:0"`
	OurPaid     int64  `gorm:"not null;default:0"`
	OurRefunds  int64  `gorm:"not null;default:0"`
	OurRefunded int64  `gorm:"not null;default:0"`
	Known       int64  `gorm:"not null;default:0"`
	Waiting     int64  `gorm:"not null;default:0"`
}

type v2BillDifference struct {
	ID            int64  `gorm:"primaryKey"`
	Day           string `gorm:"size:10;uniqueIndex:bill_difference_once,priority:1"`
	Kind          string `gorm:"size:16;uniqueIndex:bill_difference_once,priority:2"`
	Number        string `gorm:"size:64;uniqueIndex:bill_difference_once,priority:3;index:bill_difference_number"`
	OutTradeNo    string `gorm:"size:64;not null"`
	TransactionID string `gorm:"size:64;not null"`
	RefundID      string `gorm:"size:64;not null"`
	OrderID       int64  `gorm:"not null"`
	Theirs        int64  `gorm:"not null"`
	Ours          int64  `gorm:"not null"`
	TheirState    string `gorm:"size:32;not null"`
	OurState      string `gorm:"size:32;not null"`
	At            v1Time
	State         string `gorm:"size:16;not null;index:bill_difference_state"`
	Note          string `gorm:"size:1000;not null"`
	Run           string `gorm:"size:32;not null"`
	FoundAt       v1Time
	SeenAt        v1Time
	ClosedAt      v1Time
	ClosedBy      string `gorm:"size:64;not null"`
}

type v2BillLine struct {
	Run           string `gorm:"primaryKey;size:32"`
	Kind          string `gorm:"primaryKey;size:8"`
	Number        string `gorm:"primaryKey;size:64"`
	OutTradeNo    string `gorm:"size:64;not null"`
	TransactionID string `gorm:"size:64;not null"`
	RefundID      string `gorm:"size:64;not null"`
	Amount        int64  `gorm:"not null"`
	State         string `gorm:"size:32;not null"`
	At            v1Time
	StagedAt      v1Time
}

func (v2BillDay) TableName() string        { return "bill_days" }
func (v2BillDifference) TableName() string { return "bill_differences" }
func (v2BillLine) TableName() string       { return "bill_lines" }

// migrateBills adds the tables of the reconciliation, when WeChat took a
// refund on, and what finds a day's money.
func migrateBills(tx *gorm.DB) error {
	if err := createTables(tx, &v2BillDay{}, &v2BillDifference{}, &v2BillLine{}); err != nil {
		return err
	}
	return runAll(tx,
		`ALTER TABLE refunds ADD COLUMN accepted_at bigint`,
		`UPDATE refunds SET accepted_at = coalesce(succeeded_at, created_at) WHERE refund_id <> ''`,
		`CREATE INDEX payment_paid ON payments(paid_at)`,
		`CREATE INDEX refund_accepted ON refunds(accepted_at)`,
	)
}
