package console

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParseYuan(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"236", 23600, true}, {"236.5", 23650, true}, {"236.05", 23605, true}, {" ¥3.20 ", 320, true}, {"0", 0, true}, {"0.01", 1, true}, {"999999999999.99", 99999999999999, true},
		{"", 0, false}, {".5", 0, false}, {"1.234", 0, false}, {"-1", 0, false}, {"+1", 0, false}, {"1e3", 0, false}, {"1,000", 0, false}, {"１", 0, false}, {"9999999999999", 0, false}, {"1.-1", 0, false},
	} {
		got, err := ParseYuan(tc.in)
		if got != tc.want || (err == nil) != tc.ok || err != nil && !errors.Is(err, errYuan) {
			t.Errorf("ParseYuan(%q) = %d, %v, want %d, ok %t", tc.in, got, err, tc.want, tc.ok)
		}
	}
}

func FuzzParseYuan(f *testing.F) {
	for _, s := range []string{"236.00", "0.1", "¥1", "", "1.2.3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fen, err := ParseYuan(s)
		if err != nil {
			return
		}
		if back, err := ParseYuan(yuan(fen)); fen < 0 || back != fen || err != nil {
			t.Errorf("ParseYuan(%q) = %d, written %s, read again %d, %v", s, fen, yuan(fen), back, err)
		}
	})
}

// The way back after a form stays in the console.
func TestBack(t *testing.T) {
	for in, want := range map[string]string{
		"/_sim/": "/_sim/", "/_sim/transactions/P1?f=a": "/_sim/transactions/P1?f=a", "": "/_sim/", "/": "/_sim/", "/_simx": "/_sim/",
		"//evil.example/_sim/": "/_sim/", "https://evil.example/_sim/": "/_sim/", "/\\evil.example": "/_sim/", "/_sim/\\evil": "/_sim/", "javascript:alert(1)": "/_sim/", "/_sim/\r\nX: y": "/_sim/",
	} {
		if got := Back(in); got != want {
			t.Errorf("Back(%q) = %q, want %q", in, got, want)
		}
	}
	if got, want := BackSaying("/_sim/transactions/P%7C1?said=x", "paid"), "/_sim/transactions/P%7C1?said=paid"; got != want {
		t.Errorf("BackSaying = %q, want %q", got, want)
	}
	if Said("<b>you won</b>") != "" || Said("paid") == "" {
		t.Error("Said speaks other words than its own, or none")
	}
}

func TestMatches(t *testing.T) {
	e := Entry{Title: "POST /pay/unifiedorder", Verdict: "签名错", Words: sampleNo}
	for filter, want := range map[string]bool{"": true, " UNIFIED ": true, "签名": true, "3tsv": true, "refund": false} {
		if got := e.Matches(filter); got != want {
			t.Errorf("Matches(%q) = %t, want %t", filter, got, want)
		}
	}
	if r := (TransactionRow{Total: 28400, State: "NOTPAY"}); !r.Matches("284.00") || r.Matches("paid") {
		t.Error("TransactionRow.Matches does not find the amount, or finds what is not there")
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{38 * time.Millisecond: "38 ms", 63 * time.Second: "63 秒", 10 * time.Minute: "10 分", 3 * time.Hour: "3 小时", 72 * time.Hour: "3 天", -30 * time.Second: "30 秒"} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}

// The mark never cuts a character in two and never runs out of the string.
func TestMarkAt(t *testing.T) {
	const s = "a=1&body=云间茶铺&c=3"
	for at := -1; at <= len(s)+1; at++ {
		before, marked, after := markAt(s, at)
		if before+marked+after != s || !utf8.ValidString(before) || !utf8.ValidString(marked) || strings.Contains(marked[min(1, len(marked)):], "&") {
			t.Errorf("markAt(%d) = %q %q %q", at, before, marked, after)
		}
		if (marked == "") != (at < 0 || at >= len(s)) {
			t.Errorf("markAt(%d) marks %q", at, marked)
		}
	}
}

func TestCurl(t *testing.T) {
	x := Exchange{Method: "POST", URL: "http://localhost:8081/pay?a='b'", RequestHeaders: []Fact{{"Content-Type", "text/xml"}, {"Content-Length", "9"}, {"X", "it's"}}, RequestBody: "<a>it's</a>"}
	want := `curl -i -X 'POST' 'http://localhost:8081/pay?a='\''b'\''' \
  -H 'Content-Type: text/xml' \
  -H 'X: it'\''s' \
  --data-binary '<a>it'\''s</a>'`
	if got := x.Curl(); got != want {
		t.Errorf("Curl = %s\nwant   %s", got, want)
	}
}
