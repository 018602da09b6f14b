package views

import (
	"strconv"
	"strings"
	"time"
)

// beijing is the time of the shop. China has one zone and no summer time, so
// no zone database is needed.
var beijing = time.FixedZone("CST", 8*60*60)

// minute is a time to the minute as lists of facts show it, "2026-11-19 20:30".
func minute(t time.Time) string { return t.In(beijing).Format("2006-01-02 15:04") }

// short is a time in a list, "11-22 06:12".
func short(t time.Time) string { return t.In(beijing).Format("01-02 15:04") }

// day is a date in a sentence, "11 月 22 日" or "22 November".
func (w *words) day(t time.Time) string { return t.In(beijing).Format(w.Frame.Day) }

// clock is a time of today in a sentence, with the date when it is another day.
func (w *words) clock(t, now time.Time) string {
	t, now = t.In(beijing), now.In(beijing)
	if t.YearDay() != now.YearDay() || t.Year() != now.Year() {
		return t.Format("01-02 15:04")
	}
	return t.Format(w.Frame.Time)
}

// maskPhone hides the middle of a number: "138****1234".
func maskPhone(s string) string {
	if len(s) < 8 {
		return strings.Repeat("*", len(s))
	}
	return s[:3] + strings.Repeat("*", len(s)-7) + s[len(s)-4:]
}

// tail is the end of an order number, by which people name it.
func tail(no string) string {
	if len(no) <= 4 {
		return no
	}
	return no[len(no)-4:]
}

// count is a number of pieces.
func count(n int64) string { return strconv.FormatInt(n, 10) }

// places joins the parts of an address that are there.
func places(parts ...string) string {
	kept := parts[:0:0]
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, " ")
}
