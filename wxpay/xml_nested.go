package wxpay

import (
	"slices"
	"strings"
)

// maxDepth bounds what is nested in a message of the official account.
const maxDepth = 6

// decodeNested is decode for the messages of the official account: as strict,
// but some of their events hold elements in elements (menus that scan or send
// pictures, subscription results). Nothing here reads those; they are stepped
// over, and must be whole.
func decodeNested(src string, limit int) (message, error) {
	if len(src) > limit {
		return nil, malformed("too long")
	}
	if !legalText(src) {
		return nil, malformed("not UTF-8 or illegal characters")
	}
	rest, err := skipDeclaration(src)
	if err != nil {
		return nil, err
	}
	rest, ok := cutOpening(skipSpace(rest), "xml")
	if !ok {
		return nil, malformed("the root is not <xml>")
	}
	var m message
	for {
		rest = skipSpace(rest)
		if end, ok := cutClosing(rest, "xml"); ok {
			if skipSpace(end) != "" {
				return nil, malformed("text after the root")
			}
			return unique(m)
		}
		f, after, err := decodeField(rest)
		if err != nil {
			if after, err = skipNested(rest, maxDepth); err != nil {
				return nil, err
			}
		} else if m = append(m, f); len(m) > maxFields {
			return nil, malformed("too many fields")
		}
		rest = after
	}
}

// unique is m in order, with each name once.
func unique(m message) (message, error) {
	slices.SortFunc(m, byName)
	for i := 1; i < len(m); i++ {
		if m[i].name == m[i-1].name {
			return nil, malformed("a field twice")
		}
	}
	return m, nil
}

// skipNested steps over an element that holds elements.
func skipNested(s string, depth int) (rest string, err error) {
	if depth == 0 {
		return "", malformed("nested too deep")
	}
	end := strings.IndexByte(s, '>')
	if end < 2 || s[0] != '<' || strings.ContainsFunc(s[1:end], func(r rune) bool { return r > 127 || !nameByte[r] }) {
		return "", malformed("a broken tag")
	}
	name, rest := s[1:end], s[end+1:]
	for {
		rest = skipSpace(rest)
		if after, ok := cutClosing(rest, name); ok {
			return after, nil
		}
		_, after, err := decodeField(rest)
		if err != nil {
			if after, err = skipNested(rest, depth-1); err != nil {
				return "", err
			}
		}
		rest = after
	}
}
