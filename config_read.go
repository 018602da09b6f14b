package main

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Size is a number of bytes, written 512, 64KiB, 5MiB or 1GiB.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}}

func parseSize(s string) (Size, error) {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || n > (1<<40)/u.bytes {
			break
		}
		return Size(n * u.bytes), nil
	}
	return 0, fmt.Errorf("%q is not a size: write 64KiB or 5MiB", s)
}

// field is one setting: where it is stored and what it is called.
type field struct {
	path   string // "pay.mch_id"
	value  reflect.Value
	secret bool
}

// env is the field's name in the environment.
func (f field) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(f.path, ".", "_"))
}

// settings lists every setting of c in the order of the file.
func settings(c *Config) []field {
	var list []field
	var walk func(v reflect.Value, prefix string)
	walk = func(v reflect.Value, prefix string) {
		for i := range v.NumField() {
			sf := v.Type().Field(i)
			if !sf.IsExported() {
				continue
			}
			f := field{path: prefix + sf.Tag.Get("yaml"), value: v.Field(i), secret: sf.Tag.Get("secret") != ""}
			if sf.Type.Kind() == reflect.Struct {
				walk(f.value, f.path+".")
				continue
			}
			list = append(list, f)
		}
	}
	walk(reflect.ValueOf(c).Elem(), "")
	return list
}

// hasSecret: with sqlite, the database is the name of a file and tells nobody
// anything.
func hasSecret(c *Config) bool {
	return slices.ContainsFunc(settings(c), func(f field) bool {
		return f.secret && f.value.String() != "" && (f.path != "database.dsn" || c.Database.Driver != "sqlite")
	})
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	sizeType     = reflect.TypeFor[Size]()
)

// set stores a scalar. The text is what stands in the file or the
// environment, so an id such as 0012 stays what it is and 8.00 is never cut
// down to 8.
func (f field) set(text string) error {
	v := f.value
	switch {
	case v.Type() == durationType:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration: write 90s, 30m or 12h", text)
		}
		v.SetInt(int64(d))
	case v.Type() == sizeType:
		n, err := parseSize(text)
		if err != nil {
			return err
		}
		v.SetInt(int64(n))
	case v.Kind() == reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a whole number (money is in fen: 8 yuan are 800)", text)
		}
		v.SetInt(n)
	case v.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(text == "true")
	case v.Kind() == reflect.String:
		v.SetString(text)
	default:
		return fmt.Errorf("a list is wanted, not %q", text)
	}
	return nil
}

// reader applies one YAML document to a Config and collects what is wrong.
type reader struct {
	name  string
	ps    *problems
	known map[string]field
	parts map[string]bool // "pay", "wechat.mini"
	seen  map[string]int  // path → line
}

// applyYAML reads a document over c. Every key must be known and stand once.
func applyYAML(c *Config, text []byte, name string, ps *problems) {
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey()) // our message says both lines
	if err != nil {
		ps.addf("%s is not YAML: %v", name, err)
		return
	}
	r := reader{name: name, ps: ps, known: map[string]field{}, parts: map[string]bool{}, seen: map[string]int{}}
	for _, f := range settings(c) {
		r.known[f.path] = f
		for p := f.path; strings.Contains(p, "."); {
			p = p[:strings.LastIndexByte(p, '.')]
			r.parts[p] = true
		}
	}
	if len(file.Docs) > 1 {
		ps.addf("%s holds more than one document: remove the lines ---", name)
	}
	for _, d := range file.Docs {
		if d.Body != nil {
			r.mapping(d.Body, "")
		}
	}
}

func (r *reader) addf(n ast.Node, format string, args ...any) {
	r.ps.addf("%s line %d: %s", r.name, n.GetToken().Position.Line, fmt.Sprintf(format, args...))
}

// mapping reads the keys of one section; prefix is "" or ends in a dot.
func (r *reader) mapping(n ast.Node, prefix string) {
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			r.entry(v, prefix)
		}
	case *ast.MappingValueNode: // older trees of one key
		r.entry(n, prefix)
	case *ast.NullNode, *ast.CommentGroupNode:
	default:
		r.addf(n, "here belong settings, each as a key and a value below %q", prefix)
	}
}

func (r *reader) entry(e *ast.MappingValueNode, prefix string) {
	path := prefix + e.Key.GetToken().Value
	if line, twice := r.seen[path]; twice {
		r.addf(e.Key, "%s stands here again, first in line %d: remove one", path, line)
		return
	}
	r.seen[path] = e.Key.GetToken().Position.Line
	f, ok := r.known[path]
	switch {
	case r.parts[path]:
		r.mapping(e.Value, path+".")
	case !ok:
		r.addf(e.Key, "%s is not a setting; the nearest is %s", path, nearest(path, r.paths()))
	case f.value.Kind() == reflect.Slice:
		r.list(f, e.Value)
	default:
		r.scalar(f, e.Value)
	}
}

func (r *reader) paths() []string {
	var all []string
	for p := range r.known {
		all = append(all, p)
	}
	for p := range r.parts {
		all = append(all, p)
	}
	slices.Sort(all)
	return all
}

func (r *reader) list(f field, n ast.Node) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		r.addf(n, `%s is a list: write ["…", "…"]`, f.path)
		return
	}
	values := []string{}
	for _, item := range seq.Values {
		text, ok := scalarText(item)
		if !ok {
			r.addf(item, "%s: each entry is a text in quotes", f.path)
			return
		}
		values = append(values, text)
	}
	f.value.Set(reflect.ValueOf(values))
}

func (r *reader) scalar(f field, n ast.Node) {
	text, ok := scalarText(n)
	if !ok {
		r.addf(n, `%s needs a value; for nothing write ""`, f.path)
		return
	}
	if f.value.Kind() == reflect.String && n.Type() == ast.BoolType {
		r.addf(n, "%s is a text: put quotes around %s", f.path, text)
		return
	}
	if err := f.set(text); err != nil {
		r.addf(n, "%s: %v", f.path, err)
	}
}

// scalarText is the text of a scalar as it was typed.
func scalarText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

const (
	envPrefix  = "WXSHOP_"
	testPrefix = "WXSHOP_TEST_" // for tests, which run the program too
)

// notSettings are variables with our prefix that are no settings.
var notSettings = []string{"WXSHOP_CONFIG", "WXSHOP_MOVE_DSN"}

// applyEnv reads the WXSHOP_ variables over c.
func applyEnv(c *Config, environ []string, ps *problems) {
	byName, names := map[string]field{}, []string{}
	for _, f := range settings(c) {
		byName[f.env()] = f
		names = append(names, f.env())
		if f.secret {
			byName[f.env()+"_FILE"] = f
			names = append(names, f.env()+"_FILE")
		}
	}
	seen := map[string]string{}
	for _, kv := range environ {
		name, text, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, envPrefix) || strings.HasPrefix(name, testPrefix) || slices.Contains(notSettings, name) {
			continue
		}
		f, ok := byName[name]
		if !ok {
			ps.addf("%s in the environment is not a setting; the nearest is %s", name, nearest(name, names))
			continue
		}
		if other, twice := seen[f.path]; twice {
			ps.addf("%s and %s are both set: unset one", other, name)
			continue
		}
		seen[f.path] = name
		if err := f.setEnv(name, text); err != nil {
			ps.addf("%s: %v", name, err)
		}
	}
}

func (f field) setEnv(name, text string) error {
	switch {
	case name != f.env():
		return f.setFromFile(text)
	case f.value.Kind() == reflect.Slice:
		values := []string{}
		for _, s := range strings.Split(text, ",") {
			if s = strings.TrimSpace(s); s != "" {
				values = append(values, s)
			}
		}
		f.value.Set(reflect.ValueOf(values))
		return nil
	}
	return f.set(text)
}

// setFromFile reads a secret; one line break at the end is not part of it.
func (f field) setFromFile(path string) error {
	if err := private(path); err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return f.set(strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"))
}

// nearest is the candidate with the fewest edits to name.
func nearest(name string, candidates []string) string {
	return slices.MinFunc(candidates, func(a, b string) int { return edits(name, a) - edits(name, b) })
}

// edits counts the letters to add, remove or change on the way from a to b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
