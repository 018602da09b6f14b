package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"io"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func TestLookup(t *testing.T) {
	good := URL("pay.js")
	tests := []struct {
		name, path string
		ok         bool
	}{
		{"with its hash", good, true},
		{"without", "/static/pay.js", false},
		{"another hash", "/static/pay.0000000000.js", false},
		{"of another file", strings.Replace(URL("shop.js"), "shop", "pay", 1), false},
		{"climbing", "/static/../static.go", false},
		{"seed data", "/static/goods.json", false},
		{"nothing", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, ok := Lookup(tt.path)
			if ok != tt.ok || ok && f.Name != "pay.js" {
				t.Errorf("Lookup(%q) = %v, %v", tt.path, f, ok)
			}
		})
	}
}

func TestFiles(t *testing.T) {
	pattern := regexp.MustCompile(`^/static/[a-z0-9-]+\.[0-9a-f]{10}\.(css|js|svg)$`)
	for _, name := range Names() {
		f, ok := Lookup(URL(name))
		if !ok {
			t.Fatalf("%s is embedded and not found", name)
		}
		if !pattern.MatchString(f.URL) {
			t.Errorf("address %s", f.URL)
		}
		if f.ContentType == "" {
			t.Errorf("%s has no content type", name) // H11
		}
		sum := sha512.Sum384(f.Data)
		if want := "sha384-" + base64.StdEncoding.EncodeToString(sum[:]); Integrity(name) != want {
			t.Errorf("%s: integrity %s, want %s", name, Integrity(name), want) // H14
		}
		r, err := gzip.NewReader(bytes.NewReader(f.Gzip()))
		if err != nil {
			t.Fatal(err)
		}
		if back, err := io.ReadAll(r); err != nil || !bytes.Equal(back, f.Data) {
			t.Errorf("%s does not come back out of gzip: %v", name, err)
		}
	}
}

// TestAddressFollowsContent: other bytes, other address; same bytes, same one.
func TestAddressFollowsContent(t *testing.T) {
	url := func(content string) string {
		tab := load(fstest.MapFS{"a.css": {Data: []byte(content)}})
		return tab.byName["a.css"].URL
	}
	if first, again := url("x"), url("x"); first != again {
		t.Error("the same bytes have two addresses")
	}
	if url("x") == url("y") {
		t.Error("other bytes have the same address")
	}
}

// TestPicturesAreSafe: a picture brings no style, no script and nothing from
// elsewhere, so that it survives a sandboxed policy.
func TestPicturesAreSafe(t *testing.T) {
	bad := regexp.MustCompile(`(?i)<(style|script|foreignObject|image|a)\b|\son[a-z]+=|style=|href="[^#]|url\(|<!|@import|javascript:`)
	for _, name := range Names() {
		if path.Ext(name) != ".svg" {
			continue
		}
		f, _ := Lookup(URL(name))
		if found := bad.Find(f.Data); found != nil {
			t.Errorf("%s has %s", name, found)
		}
	}
}

// TestStylesStayHere: a stylesheet loads nothing.
func TestStylesStayHere(t *testing.T) {
	for _, name := range []string{"app.css", "admin.css"} {
		f, _ := Lookup(URL(name))
		if bytes.Contains(f.Data, []byte("url(")) || bytes.Contains(f.Data, []byte("@import")) {
			t.Errorf("%s loads something", name)
		}
		if bytes.Contains(f.Data, []byte("</")) {
			t.Errorf("%s would end the style block it is put into", name)
		}
	}
}

func TestLean(t *testing.T) {
	got := string(lean([]byte("// words\n\nif (a) {\n  b(); // stays\n}\n")))
	if want := "if (a) {\nb(); // stays\n}\n"; got != want {
		t.Errorf("lean = %q, want %q", got, want)
	}
	for _, name := range []string{"shop.js", "pay.js"} {
		raw, err := embedded.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(raw, []byte("/*")) || strings.Count(string(raw), "`")%2 != 0 || regexp.MustCompile("`[^`]*\n[^`]*`").Match(raw) {
			t.Errorf("%s has what lean does not understand", name)
		}
	}
}

// TestGoods: the seed is whole. Prices are fen, and there is one SKU sold out
// and one nearly so, for both to be seen.
func TestGoods(t *testing.T) {
	var g struct {
		Categories []struct{ ID, ZH, EN string }
		Goods      []struct {
			ID, Category, Picture string
			Name, Line            struct{ ZH, EN string }
			Details               []struct{ LabelZH, LabelEN, ZH, EN string }
			Options               []struct {
				Values []struct{ ID, ZH, EN string }
			}
			SKUs []struct {
				Code         string
				Values       []string
				Price, Stock int64
			}
		}
	}
	if err := json.Unmarshal(Goods, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Goods) != 12 {
		t.Errorf("%d goods, want 12", len(g.Goods))
	}
	categories, codes, none, few := map[string]bool{}, map[string]bool{}, 0, 0
	for _, c := range g.Categories {
		categories[c.ID] = true
	}
	for _, x := range g.Goods {
		if !categories[x.Category] || Integrity(x.Picture) == "" || x.Name.ZH == "" || x.Name.EN == "" || x.Line.ZH == "" || x.Line.EN == "" || len(x.Details) == 0 {
			t.Errorf("%s is incomplete", x.ID)
		}
		for _, s := range x.SKUs {
			if codes[s.Code] || s.Price <= 0 || s.Stock < 0 || len(s.Values) != len(x.Options) {
				t.Errorf("SKU %s of %s is wrong", s.Code, x.ID)
			}
			codes[s.Code] = true
			switch {
			case s.Stock == 0:
				none++
			case s.Stock <= 2:
				few++
			}
		}
	}
	if none == 0 || few == 0 {
		t.Error("no SKU is sold out, or none is nearly so")
	}
}
