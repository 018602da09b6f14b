package browser

import (
	"bytes"
	"html"
	"iter"
	"strings"
)

// tag is a start tag: its name in lower case, the offset behind its ">", and
// where its attributes' values lie in the page.
type tag struct {
	name  string
	end   int
	attrs []attr
}

type attr struct {
	name     string
	from, to int  // of the value, without quotes; equal when there is none
	quote    byte // 0: unquoted
}

// value is the unescaped value of the first attribute of that name.
func (t tag) value(page []byte, name string) string {
	for _, a := range t.attrs {
		if a.name == name {
			return html.UnescapeString(string(page[a.from:a.to]))
		}
	}
	return ""
}

// tags yields the start tags of a page, as a browser would see them: none in
// comments, scripts, styles and the like.
func tags(page []byte) iter.Seq[tag] {
	return func(yield func(tag) bool) {
		for i := 0; i < len(page); {
			open := bytes.IndexByte(page[i:], '<')
			if open < 0 {
				return
			}
			i += open + 1
			if i >= len(page) || !isLetter(page[i]) {
				i = skipOther(page, i)
				continue
			}
			t, next := readTag(page, i)
			if t.end == 0 {
				return // cut off inside a tag
			}
			if !yield(t) {
				return
			}
			i = skipRaw(page, next, t.name)
		}
	}
}

// skipOther passes a comment, an end tag or a stray "<" that begins before i.
func skipOther(page []byte, i int) int {
	rest := page[i:]
	switch {
	case bytes.HasPrefix(rest, []byte("!--")):
		if end := bytes.Index(rest[3:], []byte("-->")); end >= 0 {
			return i + 3 + end + 3
		}
		return len(page)
	case len(rest) > 0 && (rest[0] == '!' || rest[0] == '?' || rest[0] == '/'):
		if end := bytes.IndexByte(rest, '>'); end >= 0 {
			return i + end + 1
		}
		return len(page)
	}
	return i
}

// skipRaw passes the text of elements whose content is no markup.
func skipRaw(page []byte, i int, name string) int {
	switch name {
	case "script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes":
	default:
		return i
	}
	for j := i; ; {
		next := bytes.Index(page[j:], []byte("</"))
		if next < 0 {
			return len(page)
		}
		j += next + 2
		if len(page) >= j+len(name) && strings.EqualFold(string(page[j:j+len(name)]), name) {
			return j - 2
		}
	}
}

// readTag reads the start tag whose name begins at i.
func readTag(page []byte, i int) (tag, int) {
	start := i
	for i < len(page) && !isSpace(page[i]) && page[i] != '>' && page[i] != '/' {
		i++
	}
	t := tag{name: strings.ToLower(string(page[start:i]))}
	for i < len(page) {
		switch {
		case page[i] == '>':
			t.end = i + 1
			return t, t.end
		case isSpace(page[i]) || page[i] == '/':
			i++
		default:
			var a attr
			a, i = readAttr(page, i)
			t.attrs = append(t.attrs, a)
		}
	}
	return t, i
}

// readAttr reads the attribute whose name begins at i.
func readAttr(page []byte, i int) (attr, int) {
	start := i
	i++ // a name may begin with anything, even "="
	for i < len(page) && !isSpace(page[i]) && page[i] != '=' && page[i] != '>' && page[i] != '/' {
		i++
	}
	a := attr{name: strings.ToLower(string(page[start:i])), from: i, to: i}
	j := skipSpace(page, i)
	if j >= len(page) || page[j] != '=' {
		return a, i
	}
	j = skipSpace(page, j+1)
	if j < len(page) && (page[j] == '"' || page[j] == '\'') {
		a.quote, a.from = page[j], j+1
		end := bytes.IndexByte(page[a.from:], a.quote)
		if end < 0 {
			a.to = len(page)
			return a, len(page)
		}
		a.to = a.from + end
		return a, a.to + 1
	}
	a.from = j
	for j < len(page) && !isSpace(page[j]) && page[j] != '>' {
		j++
	}
	a.to = j
	return a, j
}

func skipSpace(page []byte, i int) int {
	for i < len(page) && isSpace(page[i]) {
		i++
	}
	return i
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }
