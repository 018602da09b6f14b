package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
)

// RefundRow is a refund on the page of its transaction.
type RefundRow struct {
	OutRefundNo string
	RefundID    string
	Amount      int64  // fen
	State       string // PROCESSING, SUCCESS, CLOSED, ABNORMAL
	At          time.Time
	Due         time.Time // of one that is PROCESSING
}

// canEnd reports whether a person can still decide a refund.
func (r RefundRow) canEnd() bool { return r.State == "PROCESSING" || r.State == "ABNORMAL" }

// refundedSum is what was or will be given back.
func (v TransactionView) refundedSum() int64 {
	var sum int64
	for _, r := range v.Refunds {
		if r.State != "CLOSED" {
			sum += r.Amount
		}
	}
	return sum
}

// ScanView is the page /_sim/scan: a person's phone.
type ScanView struct {
	Frame   Frame
	User    User // whose phone
	Users   []User
	Codes   []ScanCode // that wait, the newest first
	Pasted  string     // what somebody read from a code elsewhere
	Found   string     // out_trade_no of the pasted code; empty: nobody waits behind it
	Paycode string     // 18 digits
	Left    time.Duration
	Bars    []Bar // of the payment code
}

// ScanCode is an order that waits for a phone.
type ScanCode struct {
	OutTradeNo  string
	Description string
	Total       int64 // fen
	Code        string
	Left        time.Duration
	Asks        bool // a payment code was read: the password is missing
}

// Bar is a dark run of a barcode, in modules.
type Bar struct{ At, Width int }

func (v ScanView) path() string { return "/_sim/scan?u=" + v.User.ID }

// barWidth is the width of a barcode with its quiet zones.
func barWidth(bars []Bar) int {
	if len(bars) == 0 {
		return 20
	}
	last := bars[len(bars)-1]
	return last.At + last.Width + 20
}

func barBox(bars []Bar) string { return fmt.Sprintf("0 0 %d 60", barWidth(bars)) }

func barPath(bars []Bar) string {
	var b strings.Builder
	for _, bar := range bars {
		fmt.Fprintf(&b, "M%d 0h%dv60h-%dz", bar.At+10, bar.Width, bar.Width)
	}
	return b.String()
}

// grouped writes digits as people read them: in fours.
func grouped(digits string) string {
	var parts []string
	for len(digits) > 4 {
		parts, digits = append(parts, digits[:4]), digits[4:]
	}
	return strings.Join(append(parts, digits), " ")
}

func seconds(d time.Duration) string { return strconv.Itoa(int((d + time.Second - 1) / time.Second)) }

// H5View is the page in front of an H5 payment.
type H5View struct {
	Action      string // where the form posts to
	Merchant    string
	OutTradeNo  string
	Description string
	Total       int64 // fen
	Users       []User
	From        string // the shop's page
	Checks      []H5Check
	Refused     string // WeChat's words instead of the form
	Why         string // for the developer
}

// H5Check is one of the four things that WeChat looks at.
type H5Check struct {
	OK   bool
	What string
	Why  string
	Left time.Duration // of the link's five minutes
	Text string        // WeChat's words when it fails
}

func (c H5Check) detail() string {
	if c.Why == "" && c.Left > 0 {
		return fmt.Sprintf("还有 %d 分 %d 秒，总共 5 分钟", c.Left/time.Minute, c.Left%time.Minute/time.Second)
	}
	if c.Why == "" {
		return "mweb_url 的 5 分钟已经过去"
	}
	return c.Why
}

func h5Action(v H5View) templ.SafeURL { return templ.URL(v.Action) }
