package wxpay

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	cdataOpen  = "<![CDATA["
	cdataClose = "]]>"
)

// decodeValue reads up to the tag that ends a value. The two usual forms, one
// CDATA section and plain text, are slices of s; only others are copied.
func decodeValue(s string) (value, rest string, err error) {
	if body, ok := strings.CutPrefix(s, cdataOpen); ok {
		end := strings.Index(body, cdataClose)
		if end < 0 {
			return "", "", malformed("CDATA without an end")
		}
		value, rest = body[:end], body[end+len(cdataClose):]
		if strings.HasPrefix(rest, "</") && strings.IndexByte(value, '\r') < 0 {
			return value, rest, nil
		}
		return decodeMixed(s)
	}
	end := strings.IndexByte(s, '<')
	if end < 0 {
		return "", "", malformed("cut short")
	}
	if plain(s[:end]) && strings.HasPrefix(s[end:], "</") {
		return s[:end], s[end:], nil
	}
	return decodeMixed(s)
}

// plain reports whether a text stands for itself.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == '&' || c == '\r' || c == ']' {
			return false
		}
	}
	return true
}

// decodeMixed reads text and CDATA sections in any order.
func decodeMixed(s string) (value, rest string, err error) {
	var b []byte
	for {
		end := strings.IndexByte(s, '<')
		if end < 0 {
			return "", "", malformed("cut short")
		}
		if b, err = appendText(b, s[:end]); err != nil {
			return "", "", err
		}
		body, ok := strings.CutPrefix(s[end:], cdataOpen)
		if !ok {
			return string(b), s[end:], nil
		}
		if end = strings.Index(body, cdataClose); end < 0 {
			return "", "", malformed("CDATA without an end")
		}
		b = appendLines(b, body[:end])
		s = body[end+len(cdataClose):]
	}
}

// appendText appends s with its references resolved.
func appendText(b []byte, s string) ([]byte, error) {
	if strings.Contains(s, cdataClose) {
		return nil, malformed("]]> outside CDATA")
	}
	for {
		amp := strings.IndexByte(s, '&')
		if amp < 0 {
			return appendLines(b, s), nil
		}
		b = appendLines(b, s[:amp])
		end := strings.IndexByte(s[amp:], ';')
		if end < 0 {
			return nil, malformed("& without an end")
		}
		r, ok := reference(s[amp+1 : amp+end])
		if !ok {
			return nil, malformed("an unknown reference")
		}
		b = utf8.AppendRune(b, r)
		s = s[amp+end+1:]
	}
}

// reference resolves what stands between & and ;. Only the five entities that
// XML itself defines, and characters by number.
func reference(s string) (rune, bool) {
	switch s {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	number, ok := strings.CutPrefix(s, "#")
	if !ok {
		return 0, false
	}
	base := 10
	if hexadecimal, ok := strings.CutPrefix(number, "x"); ok {
		number, base = hexadecimal, 16
	}
	n, err := strconv.ParseUint(number, base, 21)
	return rune(n), err == nil && legalRune(rune(n))
}

// appendLines appends s with line ends made \n, as XML 1.0 section 2.11 says.
func appendLines(b []byte, s string) []byte {
	for {
		cr := strings.IndexByte(s, '\r')
		if cr < 0 {
			return append(b, s...)
		}
		b = append(append(b, s[:cr]...), '\n')
		s = strings.TrimPrefix(s[cr+1:], "\n")
	}
}

// legalText reports whether s is UTF-8 made of characters of XML 1.0. It looks
// at eight bytes at a time, and at each only where one is a control character.
func legalText(s string) bool {
	const each, high = 0x0101010101010101, 0x8080808080808080
	rest := s
	for len(rest) >= 8 {
		word := rest[:8]
		w := uint64(word[0]) | uint64(word[1])<<8 | uint64(word[2])<<16 | uint64(word[3])<<24 |
			uint64(word[4])<<32 | uint64(word[5])<<40 | uint64(word[6])<<48 | uint64(word[7])<<56
		if (w-each*' ')&^w&high != 0 && controlled(word) {
			return false
		}
		rest = rest[8:]
	}
	return !controlled(rest) && utf8.ValidString(s) && !strings.Contains(s, "\uFFFE") && !strings.Contains(s, "\uFFFF")
}

// controlled reports whether s has a control character that XML 1.0 forbids.
func controlled(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\n' && c != '\t' && c != '\r' {
			return true
		}
	}
	return false
}

// legalRune reports whether r is a Char of XML 1.0.
func legalRune(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' ||
		r >= ' ' && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune
}
