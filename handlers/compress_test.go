package handlers

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"wxshop/static"
	"wxshop/views"
)

// unzipped reads all of z with the standard library, which checks sum and length.
func unzipped(t *testing.T, z []byte) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(z))
	if err != nil {
		t.Fatal(err)
	}
	p, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}

func TestZip(t *testing.T) {
	style := "<style>" + static.AppCSS + "</style>"
	tests := map[string]string{
		"empty":                "",
		"short":                "x",
		"no style":             strings.Repeat("<p>明前龙井</p>", 9000),
		"style":                "<head>" + style + "<p>龙井</p>",
		"style at both ends":   style,
		"style twice":          style + style,
		"another style":        "<style>p{}</style>" + style,
		"beginning of a style": "<style>" + static.AppCSS[:100],
		"style late":           strings.Repeat("x", 70_000) + style,
		"much after it":        style + strings.Repeat("<p>明前龙井</p>", 9000),
	}
	for _, s := range views.Samples() {
		var b bytes.Buffer
		if err := s.Component.Render(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		tests["sample "+s.Name] = b.String()
	}
	for name, page := range tests {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			b.WriteString("before")
			if err := zip(&b, []byte(page)); err != nil {
				t.Fatal(err)
			}
			if got := unzipped(t, b.Bytes()[len("before"):]); got != page {
				t.Errorf("%d bytes came back of %d", len(got), len(page))
			}
		})
	}
}

// The length alone must not tell how much of a page repeats (BREACH): the same
// page always has the same length, and pages that differ in one letter differ
// in length by chance.
func TestZipBlursTheLength(t *testing.T) {
	lengths := map[int]bool{}
	for c := range 64 {
		page := []byte("<p>" + string(rune('0'+c)) + strings.Repeat("y", 2000))
		var a, b bytes.Buffer
		if err := zip(&a, page); err != nil {
			t.Fatal(err)
		}
		if err := zip(&b, page); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Error("the same page in two ways")
		}
		lengths[a.Len()] = true
	}
	if len(lengths) < 8 {
		t.Errorf("only %d lengths", len(lengths))
	}
}
