package wxpay

import (
	"iter"
	"strconv"
)

// at is the place of name inside in; -1 if it is not there, or null.
func (t *jsonTree) at(in int, name string) int {
	if in < 0 || t.nodes[in].kind != '{' {
		return -1
	}
	for i := t.nodes[in].child; i > 0; i = t.nodes[i].next {
		if n := &t.nodes[i]; n.name == name {
			if n.kind == 'n' {
				return -1
			}
			return int(i)
		}
	}
	return -1
}

// text is the string of that name, empty if it is not there. Another kind of
// value is remembered in t.odd.
func (t *jsonTree) text(in int, name string) string {
	i := t.at(in, name)
	if i < 0 || !t.is(i, '"') {
		return ""
	}
	return t.nodes[i].value
}

// fen is the whole amount of that name: 0 if it is not there, unreadable if it
// is anything but digits (1.0, 1e2, "1" and -1 are).
func (t *jsonTree) fen(in int, name string) int64 {
	i := t.at(in, name)
	switch {
	case i < 0:
		return 0
	case t.nodes[i].kind != '0':
		return unreadable
	}
	return fen(t.nodes[i].value)
}

// presentFen is fen for an amount that must be there.
func (t *jsonTree) presentFen(in int, name string) int64 {
	if t.at(in, name) < 0 {
		return unreadable
	}
	return t.fen(in, name)
}

// object is the place of the object of that name.
func (t *jsonTree) object(in int, name string) int {
	i := t.at(in, name)
	if i < 0 || !t.is(i, '{') {
		return -1
	}
	return i
}

// list goes over the places inside the array of that name.
func (t *jsonTree) list(in int, name string) iter.Seq[int] {
	return func(yield func(int) bool) {
		i := t.at(in, name)
		if i < 0 || !t.is(i, '[') {
			return
		}
		for j := t.nodes[i].child; j > 0; j = t.nodes[j].next {
			if !yield(int(j)) {
				return
			}
		}
	}
}

func (t *jsonTree) is(i int, kind byte) bool {
	if t.nodes[i].kind == kind {
		return true
	}
	if t.odd == "" {
		t.odd = t.nodes[i].name
	}
	return false
}

// flat is the tree for people: amount.total = 888, redacted.
func (t *jsonTree) flat() map[string]string {
	out := make(map[string]string)
	t.flatten(out, 0, "")
	return out
}

func (t *jsonTree) flatten(out map[string]string, in int, path string) {
	k := 0
	for i := t.nodes[in].child; i > 0; i = t.nodes[i].next {
		n := &t.nodes[i]
		name := path + n.name
		if t.nodes[in].kind == '[' {
			name = path + strconv.Itoa(k)
			k++
		}
		switch n.kind {
		case '{', '[':
			t.flatten(out, int(i), name+".")
		case 't':
			out[name] = "true"
		case 'f':
			out[name] = "false"
		case '"', '0':
			if v, ok := redacted(field{n.name, n.value}); ok {
				out[name] = v
			}
		}
	}
}
