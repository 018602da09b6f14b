package sim

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// errXML says that a body is not the flat XML of WeChat Pay v2.
var errXML = errors.New("not a flat <xml> document")

const (
	maxFields = 200
	maxName   = 64
	maxValue  = 8 << 10
)

// readXML reads a flat document: one root <xml>, one level of elements with
// unique names, text or CDATA inside, and nothing else. DOCTYPE, attributes,
// comments, processing instructions and text around the root are refused.
func readXML(doc []byte) (map[string]string, error) {
	if !utf8.Valid(doc) {
		return nil, errXML
	}
	p := &xmlReader{rest: string(doc)}
	p.space()
	if err := p.declaration(); err != nil {
		return nil, err
	}
	if !p.take("<xml>") {
		return nil, errXML
	}
	fields := map[string]string{}
	for p.space(); !p.take("</xml>"); p.space() {
		name, value, err := p.element()
		if err != nil {
			return nil, err
		}
		if _, twice := fields[name]; twice || len(fields) == maxFields {
			return nil, errXML
		}
		fields[name] = value
	}
	if p.space(); p.rest != "" {
		return nil, errXML
	}
	return fields, nil
}

// xmlReader walks over what is left of a document.
type xmlReader struct{ rest string }

func (p *xmlReader) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *xmlReader) take(s string) bool {
	rest, ok := strings.CutPrefix(p.rest, s)
	p.rest = rest
	return ok
}

// declForm is what may stand in an XML declaration; no encoding but UTF-8.
var declForm = regexp.MustCompile(`^\s+version=["']1\.0["'](\s+encoding=["'](?i:utf-?8)["'])?(\s+standalone=["'](yes|no)["'])?\s*$`)

// declaration skips <?xml version="1.0" encoding="UTF-8"?>.
func (p *xmlReader) declaration() error {
	if !p.take("<?xml") {
		return nil
	}
	decl, rest, ok := strings.Cut(p.rest, "?>")
	if !ok || !declForm.MatchString(decl) {
		return errXML
	}
	p.rest = rest
	p.space()
	return nil
}

// element reads <name>value</name> or <name/>.
func (p *xmlReader) element() (name, value string, err error) {
	if !p.take("<") {
		return "", "", errXML
	}
	name = p.name()
	if name == "" {
		return "", "", errXML
	}
	p.space()
	if p.take("/>") {
		return name, "", nil
	}
	if !p.take(">") {
		return "", "", errXML
	}
	value, err = p.value()
	if err != nil || !p.take("</"+name) {
		return "", "", errXML
	}
	if p.space(); !p.take(">") {
		return "", "", errXML
	}
	return name, value, nil
}

func (p *xmlReader) name() string {
	end := 0
	for end < len(p.rest) && end <= maxName && isNameByte(p.rest[end]) {
		end++
	}
	if end == 0 || end > maxName || p.rest[0] >= '0' && p.rest[0] <= '9' {
		return ""
	}
	name := p.rest[:end]
	p.rest = p.rest[end:]
	return name
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// value reads text and CDATA sections up to the end tag. White space around
// CDATA sections is layout; in plain text it belongs to the value.
func (p *xmlReader) value() (string, error) {
	var sections, text, all strings.Builder
	hasSection := false
	for !strings.HasPrefix(p.rest, "</") {
		var run string
		if p.take("<![CDATA[") {
			section, rest, ok := strings.Cut(p.rest, "]]>")
			if !ok {
				return "", errXML
			}
			hasSection, p.rest, run = true, rest, section
			sections.WriteString(run)
		} else {
			var err error
			if run, err = p.text(); err != nil {
				return "", err
			}
			text.WriteString(run)
		}
		all.WriteString(run)
	}
	value := all.String()
	if hasSection && strings.Trim(text.String(), " \t\r\n") == "" {
		value = sections.String()
	}
	if len(value) > maxValue || !legalXML(value) {
		return "", errXML
	}
	return value, nil
}

// text reads up to the next "<" and resolves the five entities and character
// references; any other entity is refused.
func (p *xmlReader) text() (string, error) {
	end := strings.IndexByte(p.rest, '<')
	if end <= 0 {
		return "", errXML
	}
	raw := p.rest[:end]
	p.rest = p.rest[end:]
	if strings.Contains(raw, "]]>") {
		return "", errXML
	}
	raw = strings.ReplaceAll(strings.ReplaceAll(raw, "\r\n", "\n"), "\r", "\n")
	var b strings.Builder
	for {
		before, after, found := strings.Cut(raw, "&")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		ref, rest, ok := strings.Cut(after, ";")
		char, known := entity(ref)
		if !ok || !known {
			return "", errXML
		}
		b.WriteString(char)
		raw = rest
	}
}

func entity(ref string) (string, bool) {
	switch ref {
	case "lt":
		return "<", true
	case "gt":
		return ">", true
	case "amp":
		return "&", true
	case "quot":
		return `"`, true
	case "apos":
		return "'", true
	}
	num, ok := strings.CutPrefix(ref, "#")
	if !ok || len(num) > 8 {
		return "", false
	}
	base := 10
	if hex, isHex := strings.CutPrefix(num, "x"); isHex {
		num, base = hex, 16
	}
	n, err := strconv.ParseUint(num, base, 32)
	if err != nil || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
		return "", false
	}
	return string(rune(n)), true
}

// legalXML reports whether all characters may occur in XML 1.0.
func legalXML(s string) bool {
	for _, r := range s {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}

// field is one element of an answer, in the order in which it is written.
type field struct{ name, value string }

// writeXML writes a document as WeChat's gateway does: <xml> and the first
// element on one line, a single LF between elements. Values are CDATA, except
// integers for which bare says so.
func writeXML(fields []field, bare func(field) bool) []byte {
	var b bytes.Buffer
	b.WriteString("<xml>")
	for _, f := range fields {
		b.WriteString("<" + f.name + ">")
		if bare != nil && bare(f) {
			b.WriteString(f.value)
		} else {
			b.WriteString("<![CDATA[" + strings.ReplaceAll(f.value, "]]>", "]]]]><![CDATA[>") + "]]>")
		}
		b.WriteString("</" + f.name + ">\n")
	}
	b.WriteString("</xml>")
	return b.Bytes()
}

// newFieldNames are elements that WeChat "may add at any time"; a client that
// verifies only the fields it knows fails on them.
var newFieldNames = []string{"promotion_tag", "channel_hint", "settle_rate_0", "wx_region", "risk_level"}

// shuffled writes a document in the forms that real answers take: elements in
// any order, integers bare or in CDATA, and a field that nobody has heard of,
// which is signed like the others. sign is computed here.
func shuffled(fields map[string]string, key, alg string, r *rand.Rand) []byte {
	fields[newFieldNames[r.IntN(len(newFieldNames))]] = pick(r, alphanum, 8)
	fields["sign"] = signature(fields, key, alg)
	list := make([]field, 0, len(fields))
	for name, value := range fields {
		list = append(list, field{name, value})
	}
	slices.SortFunc(list, func(a, b field) int { return strings.Compare(a.name, b.name) })
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return writeXML(list, func(f field) bool { return isInteger(f) && r.IntN(2) == 0 })
}

// isInteger reports whether a field is of type Int in the documents.
func isInteger(f field) bool {
	return strings.HasSuffix(f.name, "_fee") || strings.HasSuffix(f.name, "_count")
}
