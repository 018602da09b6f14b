package views

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/a-h/templ"

	"wxshop/static"
)

var update = flag.Bool("update", false, "write the golden files anew")

// draw renders a component to a string.
func draw(t testing.TB, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatalf("render: %v", err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Samples() {
		t.Run(s.Name, func(t *testing.T) {
			if seen[s.Name] {
				t.Fatalf("two samples are named %s", s.Name)
			}
			seen[s.Name] = true
			compareGolden(t, s.Name, draw(t, s.Component))
		})
	}
}

// hashes are what changes in a page when only a script or a picture does.
var hashes = regexp.MustCompile(`\.[0-9a-f]{10}\.|sha384-[^"]+`)

// compareGolden leaves the stylesheet out, and the hashes of other files: they
// have tests of their own.
func compareGolden(t *testing.T, name, page string) {
	t.Helper()
	got := strings.Replace(page, static.AppCSS, "/* app.css */", 1)
	got = hashes.ReplaceAllString(got, "·")
	got = strings.ReplaceAll(got, "><", ">\n<") // so that a difference is a line
	file := filepath.Join("testdata", name+".html")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; write it with -update and look at it", err)
	}
	if got == string(want) {
		return
	}
	a, b := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			t.Fatalf("%s:%d\n got %s\nwant %s\n(renew with -update)", file, i+1, a[i], b[min(i, len(b)-1)])
		}
	}
	t.Fatalf("%s has %d lines, the page %d", file, len(b), len(a))
}
