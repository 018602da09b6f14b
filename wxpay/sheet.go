package wxpay

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// WeChat's bills look like CSV and are not: a line of names, then lines in
// which every field is led by a back-tick and nothing is quoted, so that a
// comma in a field is just a comma; then a line of names and one line of sums.

// maxBillLine is the length of one line in bytes (I12).
const maxBillLine = 16 << 10

// maxBillColumns bounds the names; the widest bill known has 29.
const maxBillColumns = 64

const byteOrderMark = "\ufeff"

// sheet reads such lines one at a time, in memory that does not grow.
type sheet struct {
	in     *bufio.Reader
	n      int      // lines read
	fields []string // of the last line; reused
}

func newSheet(in io.Reader) sheet {
	return sheet{in: bufio.NewReaderSize(in, maxBillLine), fields: make([]string, 0, maxBillColumns)}
}

// bad is an error about the line read last.
func (s *sheet) bad(format string, args ...any) error {
	return fmt.Errorf("%w: line %d: %s", ErrBadBill, s.n, fmt.Sprintf(format, args...))
}

// line reads one line. names: it is not led by a back-tick. Its fields are
// good until the next call; the strings in them for ever.
func (s *sheet) line() (names bool, err error) {
	raw, err := s.in.ReadSlice('\n')
	s.n++
	switch {
	case err == bufio.ErrBufferFull:
		return false, s.bad("longer than %d bytes", maxBillLine)
	case err != nil && err != io.EOF:
		return false, err
	case len(raw) == 0:
		return false, io.EOF
	}
	if !utf8.Valid(raw) {
		return false, s.bad("not UTF-8")
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r")
	if s.n == 1 {
		text = strings.TrimPrefix(text, byteOrderMark)
	}
	if text == "" || text[0] != '`' {
		s.fields = append(s.fields[:0], strings.SplitN(text, ",", maxBillColumns+1)...)
		return true, nil
	}
	s.fields = splitTicked(s.fields[:0], text[1:])
	return false, nil
}

// splitTicked splits s at each comma that a back-tick follows.
func splitTicked(out []string, s string) []string {
	from := 0 // where to look on: a back-tick after something else is text
	for {
		i := strings.IndexByte(s[from:], '`')
		if i < 0 || len(out) == maxBillColumns {
			return append(out, s)
		}
		i += from
		if i == 0 || s[i-1] != ',' {
			from = i + 1
			continue
		}
		out = append(out, s[:i-1])
		s, from = s[i+1:], 0
	}
}

// header reads a line of names and gives the place of each in known, or -1.
// The names in must have to be there.
func (s *sheet) header(known map[string]int, must ...string) ([]int, error) {
	names, err := s.line()
	switch {
	case err == io.EOF:
		return nil, s.bad("the bill is cut short")
	case err != nil:
		return nil, err
	case !names:
		return nil, s.bad("a line of names was expected")
	}
	return s.columns(known, must...)
}

func (s *sheet) columns(known map[string]int, must ...string) ([]int, error) {
	if len(s.fields) > maxBillColumns {
		return nil, s.bad("more than %d columns", maxBillColumns)
	}
	places := make([]int, len(s.fields))
	for i, name := range s.fields {
		place, ok := known[columnName(name)]
		if !ok {
			place = -1
		} else if slices.Contains(places[:i], place) {
			return nil, s.bad("column %s is there twice", excerpt(name))
		}
		places[i] = place
	}
	for _, name := range must {
		if !slices.Contains(places, known[name]) {
			return nil, s.bad("column %s is missing", name)
		}
	}
	return places, nil
}

// columnName is a name without the blanks and the unit that some bills have.
func columnName(s string) string {
	s = strings.TrimSpace(s)
	s = strings.TrimSuffix(strings.TrimSuffix(s, "（元）"), "(元)")
	return s
}

// end makes sure that nothing follows.
func (s *sheet) end() error {
	for {
		names, err := s.line()
		if err != nil {
			return err // io.EOF is what is hoped for
		}
		if !names || len(s.fields) != 1 || strings.TrimSpace(s.fields[0]) != "" {
			return s.bad("something follows the sums")
		}
	}
}

// decimal reads a number with at most places decimals that are not zero, in
// units of 1/10^places. Empty is 0.
func decimal(s string, places int) (int64, bool) {
	if s == "" {
		return 0, true
	}
	digits, negative := strings.CutPrefix(s, "-")
	whole, part, point := strings.Cut(digits, ".")
	if whole == "" || len(whole) > 12 || point && part == "" {
		return 0, false
	}
	var n int64
	for i := range len(whole) + max(places, len(part)) {
		c := byte('0')
		switch {
		case i < len(whole):
			c = whole[i]
		case i-len(whole) < len(part):
			c = part[i-len(whole)]
		}
		if c < '0' || c > '9' || i-len(whole) >= places && c != '0' {
			return 0, false
		}
		if i-len(whole) < places {
			n = 10*n + int64(c-'0')
		}
	}
	if negative {
		n = -n
	}
	return n, true
}

// billTime reads yyyy-MM-dd HH:mm:ss of Beijing. time.Parse would do, at ten
// times the cost, on a line of which there may be millions.
func billTime(s string) (time.Time, bool) {
	if len(s) != len(time.DateTime) {
		return time.Time{}, false
	}
	var part [6]int
	p, n := 0, 0
	for i := range len(s) {
		if want := time.DateTime[i]; want == '-' || want == ' ' || want == ':' {
			if s[i] != want {
				return time.Time{}, false
			}
			part[p], p, n = n, p+1, 0
			continue
		}
		if s[i] < '0' || s[i] > '9' {
			return time.Time{}, false
		}
		n = 10*n + int(s[i]-'0')
	}
	part[p] = n
	if part[1] < 1 || part[1] > 12 || part[2] < 1 || part[3] > 23 || part[4] > 59 || part[5] > 59 {
		return time.Time{}, false
	}
	t := time.Date(part[0], time.Month(part[1]), part[2], part[3], part[4], part[5], 0, time.UTC)
	if t.Day() != part[2] {
		return time.Time{}, false
	}
	return t.Add(-8 * time.Hour), true
}
