package views

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"wxshop/static"
)

// The budgets of a shopper page, in bytes.
const (
	maxStylesheet = 12000
	maxPage       = 8 << 10
	maxPacked     = 15000
	maxScript     = 5000
	maxPicture    = 2500
	maxRequests   = 4
)

func packed(t *testing.T, data string) int {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Len()
}

func TestPageBudgets(t *testing.T) {
	for _, s := range Samples() {
		t.Run(s.Name, func(t *testing.T) {
			page := draw(t, s.Component)
			if n := len(page) - len(static.AppCSS); n > maxPage {
				t.Errorf("%d bytes of HTML, at most %d", n, maxPage)
			}
			weight, requests := packed(t, page), 1
			for _, e := range elements(t, page) {
				if f, ok := static.Lookup(e.attr["src"]); ok && e.tag == "script" {
					weight += len(f.Gzip())
					requests++
				}
				if e.tag == "link" && e.attr["rel"] == "stylesheet" {
					t.Errorf("a stylesheet holds up the first picture: %s", e.attr["href"])
				}
			}
			if weight > maxPacked {
				t.Errorf("%d bytes packed with style and scripts, at most %d", weight, maxPacked)
			}
			if requests > maxRequests {
				t.Errorf("%d requests before pictures, at most %d", requests, maxRequests)
			}
		})
	}
}

func TestFileBudgets(t *testing.T) {
	script := 0
	for _, name := range static.Names() {
		f, ok := static.Lookup(static.URL(name))
		if !ok {
			t.Fatalf("no file behind %s", static.URL(name))
		}
		n := len(f.Data)
		switch {
		case name == "desk.js" && n > maxScript: // of the cash desk, which no shopper loads
			t.Errorf("%s has %d bytes, at most %d", name, n, maxScript)
		case strings.HasSuffix(name, ".js") && name != "desk.js":
			script += n
		case strings.HasSuffix(name, ".css") && n > maxStylesheet:
			t.Errorf("%s has %d bytes, at most %d", name, n, maxStylesheet)
		case strings.HasSuffix(name, ".svg") && n > maxPicture:
			t.Errorf("%s has %d bytes, at most %d", name, n, maxPicture)
		}
	}
	if script > maxScript {
		t.Errorf("%d bytes of script, at most %d", script, maxScript)
	}
}

// TestStyleHash: the policy allows exactly the block that pages carry. // H1
func TestStyleHash(t *testing.T) {
	_, rest, _ := strings.Cut(draw(t, Samples()[0].Component), "<style>")
	block, _, ok := strings.Cut(rest, "</style>")
	if !ok {
		t.Fatal("no style block")
	}
	sum := sha256.Sum256([]byte(block))
	want := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	if got := StyleHash(); got != want {
		t.Errorf("StyleHash = %s, want %s", got, want)
	}
}

// TestAllocations keeps rendering cheap without a clock: a full window of
// twelve goods and an order page. (The race detector adds some.)
func TestAllocations(t *testing.T) {
	limits := map[string]float64{"home": 400, "order-paid": 400}
	for _, s := range Samples() {
		limit, ok := limits[s.Name]
		if !ok {
			continue
		}
		var b bytes.Buffer
		n := testing.AllocsPerRun(20, func() {
			b.Reset()
			if err := s.Component.Render(t.Context(), &b); err != nil {
				t.Error(err)
			}
		})
		if n > limit {
			t.Errorf("%s takes %.0f allocations, at most %.0f", s.Name, n, limit)
		}
		t.Logf("%s: %.0f allocations", s.Name, n)
	}
}

func BenchmarkHome(b *testing.B) {
	home := Samples()[0].Component
	var buf bytes.Buffer
	b.ReportAllocs()
	for b.Loop() {
		buf.Reset()
		if err := home.Render(b.Context(), &buf); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(buf.Len()))
}
