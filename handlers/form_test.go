package handlers

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestCleanText(t *testing.T) {
	tests := []struct {
		name, in, want string
		lines, bad     bool
	}{
		{name: "plain", in: "林晓溪", want: "林晓溪"},
		{name: "space around", in: " \u3000林 溪 ", want: "林 溪"},
		{name: "composed", in: "e\u0301", want: "é"},
		{name: "emoji family", in: "👨\u200d👩\u200d👧", want: "👨\u200d👩\u200d👧"},
		{name: "line", in: "a\nb", bad: true},
		{name: "lines", in: "a\r\nb\n", want: "a\nb", lines: true},
		{name: "carriage return alone", in: "a\rb", lines: true, bad: true},
		{name: "tab", in: "a\tb", bad: true},
		{name: "delete", in: "a\x7fb", bad: true},
		{name: "C1", in: "a\u0085b", bad: true},
		{name: "bidi", in: "a\u202eb", bad: true},
		{name: "isolate", in: "a\u2069b", bad: true},
		{name: "bad utf-8", in: "a\xff", bad: true},
		{name: "surrogate", in: "\xed\xa0\x80", bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := cleanText(tt.in, tt.lines)
			if ok == tt.bad || got != tt.want {
				t.Errorf("cleanText(%q) = %q, %v", tt.in, got, ok)
			}
		})
	}
}

func TestGrammars(t *testing.T) {
	tests := []struct {
		name string
		ok   func(string) bool
		good []string
		bad  []string
	}{
		{"order", isOrderNo, []string{"261119K7M3QX9T4HRV7056", strings.Repeat("A", 32)},
			[]string{"", "261119k7m3qx9t4hrv7056", strings.Repeat("A", 19), strings.Repeat("A", 33), "261119K7M3QX9T4HRV705\x00", "261119K7M3QX9T4HRV705０"}},
		{"id", isID, []string{"1", "999999999999999999"}, []string{"", "0", "01", "-1", "+1", "1.0", "1e3", "１", "9999999999999999999", " 1"}},
		{"phone", isPhone, []string{"13800001234", "19900001234"}, []string{"", "1380000123", "138000012345", "12800001234", "23800001234", "1380000123a"}},
		{"token", isToken, []string{"ABCDEFGHIJKLMNOP234567"}, []string{"", "SHORT", strings.Repeat("A", 65), "abcdefghijklmnopqrstu", "ABCDEFGHIJKLMNOP-234567"}},
		{"code", isCode, []string{"longjing", "LJ-50g", "a.b_c"}, []string{"", "a b", "a/b", "a'b", "茶", strings.Repeat("a", 65)}},
		{"state", isState, []string{"0123456789abcdef0123456789abcdef"}, []string{"", "0123", "0123456789ABCDEF0123456789ABCDEF", "0123456789abcdef0123456789abcdeg"}},
	}
	for _, tt := range tests {
		for _, s := range tt.good {
			if !tt.ok(s) {
				t.Errorf("%s: %q refused", tt.name, s)
			}
		}
		for _, s := range tt.bad {
			if tt.ok(s) {
				t.Errorf("%s: %q taken", tt.name, s)
			}
		}
	}
}

// What the strict reader takes has each field once, and exactly the bytes that
// url.ParseQuery sees.
func FuzzStrictQuery(f *testing.F) {
	for _, s := range []string{"", "sku=1&qty=2", "sku=1&sku=2", "sku=1;qty=2", "%zz", "sku=%00", "x=1", "sku", "=1", "&&", "n-1=2"} {
		f.Add(s)
	}
	declared := []string{"sku", "qty", "n-*"}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := strictQuery(raw, declared)
		if err != nil {
			return
		}
		want, err := url.ParseQuery(raw)
		if err != nil || len(got) != len(want) {
			t.Errorf("strictQuery(%q) = %v, ParseQuery says %v, %v", raw, got, want, err)
		}
		for key, v := range got {
			if len(v) != 1 || key != "sku" && key != "qty" && !strings.HasPrefix(key, "n-") {
				t.Errorf("strictQuery(%q) let %q = %q through", raw, key, v)
			}
		}
		if strings.Contains(raw, ";") && strings.Count(raw, "%3B") == 0 && strings.Count(raw, "%3b") == 0 && len(got) > 0 {
			t.Errorf("strictQuery(%q) took a semicolon", raw)
		}
	})
}

func FuzzCleanText(f *testing.F) {
	for _, s := range []string{"林", "e\u0301", "a\r\nb", "\u202e", "\xff", "👨\u200d👩"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, ok := cleanText(in, true)
		if !ok {
			return
		}
		if !utf8.ValidString(got) || !norm.NFC.IsNormalString(got) || got != strings.TrimSpace(got) {
			t.Errorf("cleanText(%q) = %q", in, got)
		}
		if again, ok := cleanText(got, true); !ok || again != got {
			t.Errorf("cleanText(%q) = %q, again %q %v", in, got, again, ok)
		}
	})
}

func TestPlaces(t *testing.T) {
	tests := []struct {
		name, ua string
		want     place
	}{
		{"desktop", desktopUA, placeDesktop},
		{"phone", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Version/17.4 Mobile/15E148 Safari/604.1", placePhone},
		{"wechat ios", wechatUA, placeWeChat},
		{"wechat windows", "Mozilla/5.0 (Windows NT 10.0) Chrome/132.0.0.0 Safari/537.36 NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090a13) UnifiedPCWindowsWechat(0xf2541022) XWEB/16467 Flue", placeWeChatElsewhere},
		{"wechat mac", "Mozilla/5.0 (Macintosh) MicroMessenger/6.8 MacWechat/3.8(0x13080712)", placeWeChatElsewhere},
		{"mini program", wechatUA + " miniProgram/wxf000000000000002", placeWeChatElsewhere},
		{"wecom", "Mozilla/5.0 (iPhone) Mobile wxwork/4.1.20 MicroMessenger/7.0.1", placePhone},
		{"nothing", "", placeDesktop},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("User-Agent", tt.ua)
		if got := placeOf(r); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestAcceptedLanguage(t *testing.T) {
	for header, want := range map[string]string{
		"": "zh-CN", "zh-CN,zh;q=0.9,en;q=0.8": "zh-CN", "en-US,en;q=0.9": "en", "fr-FR,en;q=0.5": "en",
		"fr": "zh-CN", "*": "zh-CN", "zh-TW": "zh-CN", "EN": "en", ",,;": "zh-CN",
	} {
		if got := acceptedLang(header).Tag(); got != want {
			t.Errorf("Accept-Language %q: %s, want %s", header, got, want)
		}
	}
}

func TestLimiterForgets(t *testing.T) {
	c := newWorld(t)
	l := newLimiter(1, 2, c.now)
	for i := range maxBuckets + 10 {
		l.allow(formatID(int64(i)))
	}
	if n := len(l.buckets); n > maxBuckets {
		t.Errorf("%d buckets", n)
	}
	for range 2 {
		l.allow("x")
	}
	if wait, ok := l.allow("x"); ok || wait <= 0 {
		t.Errorf("third at once: %v, wait %s", ok, wait)
	}
}
