package handlers

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// cleanText makes a line that a person typed fit to be stored (security I5):
// valid UTF-8, NFC, no control characters, no overriding of the writing
// direction, no space around it. With lines, line feeds stay. It reports false
// for bytes that are not UTF-8 or for characters that nobody types.
func cleanText(s string, lines bool) (string, bool) {
	s = strings.ReplaceAll(s, "\r\n", "\n") // what every browser sends for a line end
	for _, r := range s {
		if forbidden(r) && !(lines && r == '\n') {
			return "", false
		}
	}
	return strings.TrimSpace(norm.NFC.String(s)), true
}

// forbidden reports C0 and C1 controls, the characters that turn the direction
// of writing, which make a text read differently from what it says, and what
// bytes that are not UTF-8 decode to.
func forbidden(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7F && r <= 0x9F:
		return true
	case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
		return true
	case r == 0xFEFF || r == utf8.RuneError:
		return true
	}
	return false
}

// Grammars of what stands in addresses and forms (security I6, P12). They are
// checked before any lookup.

// isOrderNo: 20 to 32 digits and capital letters.
func isOrderNo(s string) bool { return len(s) >= 20 && len(s) <= 32 && all(s, isUpper) }

// isToken: what rand.Text gives, for form tokens and claim links.
func isToken(s string) bool { return len(s) >= 16 && len(s) <= 64 && all(s, isUpper) }

// isCode: SKU codes, slugs and categories as the merchant writes them.
func isCode(s string) bool {
	return s != "" && len(s) <= 64 && all(s, func(c byte) bool {
		return isUpper(c) || c >= 'a' && c <= 'z' || c == '-' || c == '_' || c == '.'
	})
}

// isPhone: a mobile number of mainland China.
func isPhone(s string) bool {
	return len(s) == 11 && s[0] == '1' && s[1] >= '3' && all(s, isDigit)
}

// isID: a positive decimal number that fits int64 with room, no sign, no zero in front.
func isID(s string) bool {
	return s != "" && len(s) <= 18 && s[0] != '0' && all(s, isDigit)
}

func isUpper(c byte) bool { return isDigit(c) || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func all(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

// digits keeps the figures of a phone number as people write it: spaces and
// hyphens go, full-width figures become plain ones, +86 goes.
func digits(s string) string {
	s = norm.NFKC.String(s)
	s = strings.TrimPrefix(strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '\u00a0' {
			return -1
		}
		return r
	}, s), "+86")
	return s
}
