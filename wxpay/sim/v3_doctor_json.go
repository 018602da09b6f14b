package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
)

// jsonNode is a JSON value that remembers the order of its keys.
type jsonNode struct {
	text string // of a number or a literal
	str  *string
	keys []string // of an object; nil: an array
	kids []jsonNode
	open byte // '{', '[' or 0
}

const maxJSONDepth = 32

var errNotJSON = errors.New("not one JSON value")

// readJSON reads one JSON value.
func readJSON(body []byte) (jsonNode, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	n, err := readNode(dec, 0)
	if err != nil {
		return n, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return n, errNotJSON
	}
	return n, nil
}

func readNode(dec *json.Decoder, depth int) (jsonNode, error) {
	token, err := dec.Token()
	if err != nil {
		return jsonNode{}, err
	}
	switch t := token.(type) {
	case string:
		return jsonNode{str: &t}, nil
	case json.Number:
		return jsonNode{text: t.String()}, nil
	case bool:
		return jsonNode{text: map[bool]string{true: "true", false: "false"}[t]}, nil
	case nil:
		return jsonNode{text: "null"}, nil
	case json.Delim:
		if depth > maxJSONDepth || t != '{' && t != '[' {
			return jsonNode{}, errNotJSON
		}
		return readInside(dec, byte(t), depth)
	}
	return jsonNode{}, errNotJSON
}

func readInside(dec *json.Decoder, open byte, depth int) (jsonNode, error) {
	n := jsonNode{open: open}
	for dec.More() {
		if open == '{' {
			key, err := dec.Token()
			if err != nil {
				return n, err
			}
			n.keys = append(n.keys, key.(string)) // a key is nothing else
		}
		kid, err := readNode(dec, depth+1)
		if err != nil {
			return n, err
		}
		n.kids = append(n.kids, kid)
	}
	_, err := dec.Token() // the end of it
	return n, err
}

// jsonStyle is how a library writes JSON.
type jsonStyle struct {
	quote        func(string) string
	comma, colon string
	indent       string // "": on one line
	sorted       bool
}

// write adds a value in a style.
func (n jsonNode) write(b *strings.Builder, s jsonStyle, depth int) {
	switch {
	case n.str != nil:
		b.WriteString(s.quote(*n.str))
		return
	case n.open == 0:
		b.WriteString(n.text)
		return
	}
	order := make([]int, len(n.kids))
	for i := range order {
		order[i] = i
	}
	if s.sorted && n.keys != nil {
		slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(n.keys[a], n.keys[b]) })
	}
	b.WriteByte(n.open)
	for i, at := range order {
		if i > 0 {
			b.WriteString(s.comma)
		}
		s.newline(b, depth+1)
		if n.keys != nil {
			b.WriteString(s.quote(n.keys[at]) + s.colon)
		}
		n.kids[at].write(b, s, depth+1)
	}
	if len(order) > 0 {
		s.newline(b, depth)
	}
	b.WriteByte(n.open + 2) // in ASCII the closing bracket
}

func (s jsonStyle) newline(b *strings.Builder, depth int) {
	if s.indent != "" {
		b.WriteString("\n" + strings.Repeat(s.indent, depth))
	}
}

// quotes are the ways of libraries to write strings.
var quotes = []func(string) string{
	plainQuote, // JavaScript, Java
	func(v string) string { b, _ := json.Marshal(v); return string(b) },                                   // Go: a string always can be
	func(v string) string { return `"` + asciiJSON(quotedPlain(v)) + `"` },                                // Python
	func(v string) string { return strings.ReplaceAll(plainQuote(v), "/", `\/`) },                         // PHP with JSON_UNESCAPED_UNICODE
	func(v string) string { return `"` + strings.ReplaceAll(asciiJSON(quotedPlain(v)), "/", `\/`) + `"` }, // PHP
}

func plainQuote(v string) string { return `"` + quotedPlain(v) + `"` }

// quotedPlain is the inside of a string without escapes for HTML.
func quotedPlain(v string) string {
	text := string(plainJSON(v))
	return text[1 : len(text)-1]
}

// reserialised are the ways in which libraries would write a body.
func reserialised(body []byte) []string {
	n, err := readJSON(body)
	if err != nil {
		return nil
	}
	var out []string
	for _, sorted := range []bool{false, true} {
		for _, layout := range []jsonStyle{{comma: ",", colon: ":"}, {comma: ", ", colon: ": "}, {comma: ",", colon: ": ", indent: "  "}, {comma: ",", colon: ": ", indent: "    "}, {comma: ",", colon: ": ", indent: "\t"}} {
			for _, quote := range quotes {
				layout.quote, layout.sorted = quote, sorted
				var b strings.Builder
				n.write(&b, layout, 0)
				out = append(out, b.String())
			}
		}
	}
	return out
}
