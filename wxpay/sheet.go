package wxpay

import (
	"bufio"
	"bytes"
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
	in   *bufio.Reader
	n    int    // lines read
	text string // of the last line, without its end and the first back-tick
}

func newSheet(in io.Reader) sheet {
	return sheet{in: bufio.NewReaderSize(in, maxBillLine)}
}

// bad is an error about the line read last.
func (s *sheet) bad(format string, args ...any) error {
	return fmt.Errorf("%w: line %d: %s", ErrBadBill, s.n, fmt.Sprintf(format, args...))
}

// line reads one line into s.text. names: it is not led by a back-tick.
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
	raw = bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r"))
	if s.n == 1 {
		raw = bytes.TrimPrefix(raw, []byte(byteOrderMark))
	}
	names = len(raw) == 0 || raw[0] != '`'
	if !names {
		raw = raw[1:]
	}
	s.text = string(raw)
	return names, nil
}

// cutTicked gives the field before the first comma that a back-tick follows,
// and what comes after; more is false for the last one. Most fields are so
// short that looking at each byte beats a search; the search is for the rest.
func cutTicked(s string) (f, rest string, more bool) {
	n := min(len(s), 16)
	for i := 1; i < n; i++ {
		if s[i] == '`' && s[i-1] == ',' {
			return s[:i-1], s[i+1:], true
		}
	}
	for from := n; ; {
		i := strings.IndexByte(s[from:], '`') + from
		if i < from {
			return s, "", false
		}
		if i > 0 && s[i-1] == ',' {
			return s[:i-1], s[i+1:], true
		}
		from = i + 1 // a back-tick after something else is text
	}
}

// fields gives each field of the line to set, with its place. There must be as
// many as places.
func (s *sheet) fields(places []int, set func(place int, f string) bool) error {
	rest, more := s.text, true
	for i, place := range places {
		if !more {
			return s.bad("%d fields under %d names", i, len(places))
		}
		var f string
		f, rest, more = cutTicked(rest)
		if place >= 0 && !set(place, f) {
			return s.bad("field %d is not what its name says", i+1)
		}
	}
	if more {
		return s.bad("more fields than the %d names", len(places))
	}
	return nil
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
	names := strings.SplitN(s.text, ",", maxBillColumns+1)
	if len(names) > maxBillColumns {
		return nil, s.bad("more than %d columns", maxBillColumns)
	}
	places := make([]int, len(names))
	for i, name := range names {
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

// sums reads the one line under the names of the sums.
func (s *sheet) sums(places []int, set func(place int, f string) bool) error {
	names, err := s.line()
	if err != nil && err != io.EOF {
		return err
	}
	if err == io.EOF || names {
		return s.bad("the bill is cut short: no sums")
	}
	return s.fields(places, set)
}

// end makes sure that nothing follows.
func (s *sheet) end() error {
	for {
		names, err := s.line()
		if err != nil {
			return err // io.EOF is what is hoped for
		}
		if !names || strings.TrimSpace(s.text) != "" {
			return s.bad("something follows the sums")
		}
	}
}

// decimal reads a number with at most places decimals that are not zero, in
// units of 1/10^places. Empty is 0.
func decimal(s string, places int) (n int64, ok bool) {
	if s == "0.00" || s == "" { // what most amounts are
		return 0, true
	}
	digits, negative := strings.CutPrefix(s, "-")
	i := 0
	for ; i < len(digits) && digits[i] != '.'; i++ {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
		n = 10*n + int64(digits[i]-'0')
	}
	if i == 0 || i > 12 || i == len(digits)-1 {
		return 0, false
	}
	n, ok = decimals(n, digits[min(i+1, len(digits)):], places)
	if negative {
		n = -n
	}
	return n, ok
}

// decimals appends places digits of part to n; what comes after them must be 0.
func decimals(n int64, part string, places int) (int64, bool) {
	for i := range len(part) {
		c := part[i]
		if c < '0' || c > '9' || i >= places && c != '0' {
			return 0, false
		}
		if i < places {
			n = 10*n + int64(c-'0')
		}
	}
	for range places - len(part) {
		n *= 10
	}
	return n, true
}

// billTime reads yyyy-MM-dd HH:mm:ss of Beijing. time.Parse would do, at ten
// times the cost, on a line of which there may be millions.
func billTime(s string) (time.Time, bool) {
	if len(s) != 19 || s[4] != '-' || s[7] != '-' || s[10] != ' ' || s[13] != ':' || s[16] != ':' {
		return time.Time{}, false
	}
	century, year, month, day := two(s[0:]), two(s[2:]), two(s[5:]), two(s[8:])
	hour, minute, second := two(s[11:]), two(s[14:]), two(s[17:])
	if century|year|month|day|hour|minute|second < 0 || month > 12 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	t := time.Date(100*century+year, time.Month(month), day, hour-8, minute, second, 0, time.UTC)
	midnight := t.Add(time.Duration(8-hour) * time.Hour)
	return t, month > 0 && midnight.Day() == day
}

// two reads two digits; negative if they are not.
func two(s string) int {
	a, b := s[0]-'0', s[1]-'0'
	if a > 9 || b > 9 {
		return -1
	}
	return 10*int(a) + int(b)
}
