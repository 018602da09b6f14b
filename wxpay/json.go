package wxpay

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonTree is a JSON text read strictly, at a third of the cost of
// encoding/json and with none of its leniency: a name that is there twice, also
// in other letters, text after the value, broken UTF-8 and half characters are
// all refused. Whatever is taken, encoding/json reads in the same way.
//
// Values are asked for by place: the root is 0, -1 is nothing, and everything
// that is asked of nothing is nothing.
type jsonTree struct {
	nodes []jsonNode
	odd   string // the first value that was asked for as another kind than it is
}

type jsonNode struct {
	kind        byte   // one of {["0tfn: object, array, string, number, true, false, null
	name, value string // a number as it was written, a string without its quotes
	child, next int32  // the first one inside, the next one beside; 0: none
}

// Limits of what WeChat could have reason to send.
const (
	maxJSONDepth = 16
	maxJSONNodes = 8192
	maxJSONNames = 128 // of one object
)

var errJSON = errors.New("not JSON as it should be")

// jsonParser is the text and how far it was read.
type jsonParser struct {
	src   string
	pos   int
	nodes []jsonNode
}

// parseJSON reads src, whose root must be an object. room is where the tree
// grows first; it may be nil.
func parseJSON(src string, room []jsonNode) (jsonTree, error) {
	if !utf8.ValidString(src) {
		return jsonTree{}, fmt.Errorf("%w: not UTF-8", errJSON)
	}
	p := jsonParser{src: src, nodes: room[:0]}
	if p.peek() != '{' || p.read("", 0) != 0 || p.peek() != 0 || p.pos != len(src) {
		return jsonTree{}, fmt.Errorf("%w: at byte %d", errJSON, p.pos)
	}
	return jsonTree{nodes: p.nodes}, nil
}

// peek skips blanks and gives the byte that follows, 0 at the end.
func (p *jsonParser) peek() byte {
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; c {
		case ' ', '\t', '\r', '\n':
			p.pos++
		default:
			return c
		}
	}
	return 0
}

// take is peek, and goes past the byte if it is c.
func (p *jsonParser) take(c byte) bool {
	if p.peek() != c || p.pos >= len(p.src) {
		return false
	}
	p.pos++
	return true
}

// read reads one value and gives its place, -1 if it is none.
func (p *jsonParser) read(name string, depth int) int32 {
	if depth >= maxJSONDepth || len(p.nodes) >= maxJSONNodes {
		return -1
	}
	c := p.peek()
	at := int32(len(p.nodes))
	p.nodes = append(p.nodes, jsonNode{kind: c, name: name})
	ok := false
	switch c {
	case '{':
		ok = p.object(at, depth)
	case '[':
		ok = p.array(at, depth)
	case '"':
		p.nodes[at].value, ok = p.text()
	case 't':
		ok = p.word("true")
	case 'f':
		ok = p.word("false")
	case 'n':
		ok = p.word("null")
	default:
		p.nodes[at].kind = '0'
		p.nodes[at].value, ok = p.number()
	}
	if !ok {
		return -1
	}
	return at
}

func (p *jsonParser) word(w string) bool {
	if !strings.HasPrefix(p.src[p.pos:], w) {
		return false
	}
	p.pos += len(w)
	return true
}

func (p *jsonParser) object(at int32, depth int) bool {
	p.pos++
	if p.take('}') {
		return true
	}
	last := int32(0)
	for n := 0; n < maxJSONNames; n++ {
		if p.peek() != '"' {
			return false
		}
		name, ok := p.text()
		if !ok || p.known(at, name) || !p.take(':') {
			return false
		}
		if last = p.append(at, last, name, depth); last < 0 {
			return false
		}
		if p.take('}') {
			return true
		}
		if !p.take(',') {
			return false
		}
	}
	return false
}

// known reports whether the object at has a value of that name, in whatever
// letters: readers differ on which of two they take.
func (p *jsonParser) known(at int32, name string) bool {
	for i := p.nodes[at].child; i > 0; i = p.nodes[i].next {
		if strings.EqualFold(p.nodes[i].name, name) {
			return true
		}
	}
	return false
}

func (p *jsonParser) array(at int32, depth int) bool {
	p.pos++
	if p.take(']') {
		return true
	}
	for last := int32(0); ; {
		if last = p.append(at, last, "", depth); last < 0 {
			return false
		}
		if p.take(']') {
			return true
		}
		if !p.take(',') {
			return false
		}
	}
}

// append reads the next value inside at, whose last one so far is last.
func (p *jsonParser) append(at, last int32, name string, depth int) int32 {
	i := p.read(name, depth+1)
	switch {
	case i < 0:
	case last == 0:
		p.nodes[at].child = i
	default:
		p.nodes[last].next = i
	}
	return i
}

// number reads a number by the grammar of RFC 8259.
func (p *jsonParser) number() (string, bool) {
	from := p.pos
	p.skip('-')
	if !p.skip('0') && !p.digits() {
		return "", false
	}
	if p.skip('.') && !p.digits() {
		return "", false
	}
	if p.skip('e') || p.skip('E') {
		if !p.skip('+') {
			p.skip('-')
		}
		if !p.digits() {
			return "", false
		}
	}
	return p.src[from:p.pos], true
}

func (p *jsonParser) skip(c byte) bool {
	if p.pos >= len(p.src) || p.src[p.pos] != c {
		return false
	}
	p.pos++
	return true
}

func (p *jsonParser) digits() bool {
	from := p.pos
	for p.pos < len(p.src) && p.src[p.pos]-'0' <= 9 {
		p.pos++
	}
	return p.pos > from
}

// text reads a string. Without escapes it is a part of src.
func (p *jsonParser) text() (string, bool) {
	p.pos++
	from := p.pos
	for i := from; i < len(p.src); i++ {
		switch c := p.src[i]; {
		case c == '"':
			p.pos = i + 1
			return p.src[from:i], true
		case c == '\\':
			p.pos = i
			return p.unescaped(p.src[from:i])
		case c < ' ':
			p.pos = i
			return "", false
		}
	}
	return "", false
}

// unescaped reads on from the first backslash.
func (p *jsonParser) unescaped(head string) (string, bool) {
	var b strings.Builder
	b.WriteString(head)
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		p.pos++
		switch {
		case c == '"':
			return b.String(), true
		case c < ' ':
			return "", false
		case c != '\\':
			b.WriteByte(c)
		case !p.escape(&b):
			return "", false
		}
	}
	return "", false
}

func (p *jsonParser) escape(b *strings.Builder) bool {
	if p.pos >= len(p.src) {
		return false
	}
	c := p.src[p.pos]
	p.pos++
	switch c {
	case '"', '\\', '/':
		b.WriteByte(c)
	case 'b':
		b.WriteByte('\b')
	case 'f':
		b.WriteByte('\f')
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 't':
		b.WriteByte('\t')
	case 'u':
		r := p.hex4()
		if utf16.IsSurrogate(r) {
			if !p.skip('\\') || !p.skip('u') {
				return false
			}
			if r = utf16.DecodeRune(r, p.hex4()); r == utf8.RuneError {
				return false
			}
		}
		if r < 0 {
			return false
		}
		b.WriteRune(r)
	default:
		return false
	}
	return true
}

// hex4 reads four hex digits; -1 if they are not.
func (p *jsonParser) hex4() rune {
	if len(p.src)-p.pos < 4 {
		return -1
	}
	var r rune
	for _, c := range []byte(p.src[p.pos : p.pos+4]) {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	p.pos += 4
	return r
}
