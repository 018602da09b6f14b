package wxpay

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// WeChat Pay v2 speaks a flat XML: one root <xml>, one level of elements, no
// attributes, structured values as JSON text. This reader takes exactly that
// and refuses everything else that XML can do, because everything else has
// been an attack (external entities, two readings of one text, bombs).

// Limits of what is read.
const (
	maxNotify = 64 << 10 // bytes of a notification
	maxAnswer = 1 << 20  // bytes of an answer to a call
	maxFields = 200
	maxName   = 64
	maxValue  = 8 << 10 // bytes of one decoded value
)

// field is one element. Its strings share the storage of the text it was read
// from: what is signed is what is handed on.
type field struct{ name, value string }

// message is a set of fields, sorted by name, each name once.
type message []field

// get is the value of name, "" when absent.
func (m message) get(name string) string {
	i, found := slices.BinarySearchFunc(m, name, func(f field, name string) int {
		return strings.Compare(f.name, name)
	})
	if !found {
		return ""
	}
	return m[i].value
}

// sorted is m in order, in storage of its own.
func (m message) sorted() message {
	m = slices.Clone(m)
	slices.SortFunc(m, byName)
	return m
}

func byName(a, b field) int { return strings.Compare(a.name, b.name) }

var errXML = errors.New("not WeChat's XML")

func malformed(why string) error { return fmt.Errorf("%w: %s", errXML, why) }

// decode reads src, at most limit bytes, appending to out (which may be nil).
func decode(src string, limit int, out message) (message, error) {
	return decodeRoot(src, limit, "xml", out)
}

// decodeRoot is decode with another root than <xml>.
func decodeRoot(src string, limit int, root string, out message) (message, error) {
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
	rest, ok := cutOpening(skipSpace(rest), root)
	if !ok {
		return nil, malformed("the root is not <" + root + ">")
	}
	out, rest, err = decodeFields(rest, root, out)
	if err != nil {
		return nil, err
	}
	if skipSpace(rest) != "" {
		return nil, malformed("text after the root")
	}
	return out, nil
}

// decodeFields reads elements up to and including </root>, and sorts them.
func decodeFields(s, root string, out message) (message, string, error) {
	sorted := true
	for {
		s = skipSpace(s)
		if rest, ok := cutClosing(s, root); ok {
			s = rest
			break
		}
		f, rest, err := decodeField(s)
		if err != nil {
			return nil, "", err
		}
		if n := len(out); n == maxFields {
			return nil, "", malformed("too many fields")
		} else if n > 0 && f.name <= out[n-1].name {
			sorted = false
		}
		out, s = append(out, f), rest
	}
	if sorted {
		return out, s, nil // strictly ascending, so no name twice either
	}
	out, err := unique(out)
	return out, s, err
}

// decodeField reads one <name>value</name> or <name/>.
func decodeField(s string) (f field, rest string, err error) {
	if s == "" || s[0] != '<' {
		return f, "", malformed("text between fields, or cut short")
	}
	n := 1
	for n < len(s) && nameByte[s[n]] {
		n++
	}
	f.name = s[1:n]
	if f.name == "" || len(f.name) > maxName {
		return f, "", malformed("a name is empty, too long or not a name")
	}
	if rest, ok := strings.CutPrefix(s[n:], "/>"); ok {
		return f, rest, nil
	}
	if n == len(s) || s[n] != '>' {
		return f, "", malformed("an attribute or a broken tag")
	}
	f.value, rest, err = decodeValue(s[n+1:])
	if err != nil {
		return f, "", err
	}
	if len(f.value) > maxValue {
		return f, "", malformed("a value is too long")
	}
	if rest, ok := cutClosing(rest, f.name); ok {
		return f, rest, nil
	}
	return f, "", malformed("a child, a comment or a wrong closing tag")
}

func cutOpening(s, name string) (rest string, ok bool) {
	n := len(name) + 2
	if len(s) < n || s[0] != '<' || s[1:n-1] != name || s[n-1] != '>' {
		return "", false
	}
	return s[n:], true
}

func cutClosing(s, name string) (rest string, ok bool) {
	n := len(name) + 3
	if len(s) < n || s[0] != '<' || s[1] != '/' || s[2:n-1] != name || s[n-1] != '>' {
		return "", false
	}
	return s[n:], true
}

// skipDeclaration accepts <?xml version="1.0" encoding="UTF-8"?>, the encoding
// being optional, and nothing else that begins with <?.
func skipDeclaration(s string) (string, error) {
	body, ok := strings.CutPrefix(s, "<?xml")
	if !ok {
		return s, nil
	}
	body, rest, ok := strings.Cut(body, "?>")
	if !ok {
		return "", malformed("declaration without an end")
	}
	if skipSpace(body) == body {
		return "", malformed("another instruction than <?xml")
	}
	words := strings.Fields(body)
	if len(words) == 0 || !declares(words[0], "version=", "1.0") {
		return "", malformed("not version 1.0")
	}
	if len(words) > 2 || len(words) == 2 && !declares(words[1], "encoding=", "UTF-8") {
		return "", malformed("an encoding other than UTF-8")
	}
	return rest, nil
}

// declares reports whether word is name followed by value in quotes.
func declares(word, name, value string) bool {
	quoted, ok := strings.CutPrefix(word, name)
	n := len(quoted) - 1
	return ok && n > 0 && (quoted[0] == '"' || quoted[0] == '\'') && quoted[n] == quoted[0] &&
		strings.EqualFold(quoted[1:n], value)
}

func skipSpace(s string) string {
	for s != "" && (s[0] == '\n' || s[0] == ' ' || s[0] == '\r' || s[0] == '\t') {
		s = s[1:]
	}
	return s
}

// nameByte marks the bytes of a field name.
var nameByte = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$'
	}
	return t
}()

// encode writes m as the body of a request.
func encode(m message) []byte {
	n := len("<xml></xml>")
	for _, f := range m {
		n += 2*len(f.name) + len(f.value) + len("<></>")
	}
	b := make([]byte, 0, n+64)
	b = append(b, "<xml>"...)
	for _, f := range m {
		b = appendElement(b, f)
	}
	return append(b, "</xml>"...)
}

func appendElement(b []byte, f field) []byte {
	b = append(append(append(b, '<'), f.name...), '>')
	b = appendEscaped(b, f.value)
	return append(append(append(b, "</"...), f.name...), '>')
}

// appendEscaped writes s so that every XML reader gives it back unchanged; a
// bare \r would come out as \n.
func appendEscaped(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '&':
			b = append(b, "&amp;"...)
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		case '\r':
			b = append(b, "&#13;"...)
		default:
			b = append(b, c)
		}
	}
	return b
}
