package views

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"wxshop/static"
)

// element is a start tag with what lies directly around it.
type element struct {
	tag     string
	attr    map[string]string
	inLabel bool
	text    string // all text inside, with the words of pictures
}

// elements reads a page as a browser would, into a flat list.
func elements(t *testing.T, page string) []*element {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	var all []*element
	var walk func(n *html.Node, inLabel bool)
	walk = func(n *html.Node, inLabel bool) {
		if n.Type == html.ElementNode {
			e := &element{tag: n.Data, attr: map[string]string{}, inLabel: inLabel, text: strings.TrimSpace(textOf(n))}
			for _, a := range n.Attr {
				e.attr[a.Key] = a.Val
			}
			all = append(all, e)
			inLabel = inLabel || n.Data == "label"
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, inLabel)
		}
	}
	walk(root, false)
	return all
}

func textOf(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	var b strings.Builder
	for _, a := range n.Attr {
		if n.Data == "img" && a.Key == "alt" {
			b.WriteString(a.Val)
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		b.WriteString(textOf(c))
	}
	return b.String()
}

func TestEveryPage(t *testing.T) {
	for _, s := range Samples() {
		t.Run(s.Name, func(t *testing.T) {
			page := draw(t, s.Component)
			all := elements(t, page)
			for _, left := range []string{"%!", "{timer}"} {
				if strings.Contains(strings.Replace(page, static.AppCSS, "", 1), left) {
					t.Errorf("the page shows %q", left)
				}
			}
			checkFrame(t, all)
			checkPolicy(t, page, all)
			checkNames(t, all)
			checkIDs(t, all)
			checkForms(t, all)
		})
	}
}

// checkFrame: language, title, one heading of the page, a way past the header.
func checkFrame(t *testing.T, all []*element) {
	t.Helper()
	count := map[string]int{}
	for _, e := range all {
		count[e.tag]++
		switch e.tag {
		case "html":
			if l := e.attr["lang"]; l != "zh-CN" && l != "en" {
				t.Errorf("html has lang %q", l)
			}
		case "title", "h1", "h2", "h3", "legend":
			if e.text == "" {
				t.Errorf("empty <%s>", e.tag)
			}
		case "a":
			if e.attr["class"] == "skip" && e.attr["href"] != "#main" {
				t.Error("the skip link does not lead to #main")
			}
		}
	}
	for _, tag := range []string{"html", "title", "h1", "main", "header", "footer", "style"} {
		if count[tag] != 1 {
			t.Errorf("%d <%s>, want one", count[tag], tag)
		}
	}
	first := all[slices.IndexFunc(all, func(e *element) bool { return e.tag == "body" })+1]
	if first.attr["class"] != "skip" {
		t.Errorf("the body begins with <%s>, not with the skip link", first.tag)
	}
	for _, href := range []string{"/rules", "/privacy", "/licence"} {
		if !slices.ContainsFunc(all, func(e *element) bool { return e.tag == "a" && e.attr["href"] == href }) {
			t.Errorf("no link to %s", href)
		}
	}
}

// checkPolicy: nothing that the policy of the shop would block. // H1, H13
func checkPolicy(t *testing.T, page string, all []*element) {
	t.Helper()
	if !strings.Contains(page, "<style>"+static.AppCSS+"</style>") {
		t.Error("the style block is not app.css to the byte")
	}
	for _, e := range all {
		for k, v := range e.attr {
			switch {
			case k == "style", strings.HasPrefix(k, "on"), k == "srcset", k == "srcdoc":
				t.Errorf("<%s> has %s", e.tag, k)
			case k == "href" || k == "src" || k == "action" || k == "formaction":
				checkAddress(t, e, k, v)
			}
		}
		switch e.tag {
		case "iframe", "object", "embed", "base":
			t.Errorf("page has <%s>", e.tag)
		case "script":
			if e.attr["type"] != "application/json" && (e.text != "" || !strings.HasPrefix(e.attr["src"], static.Prefix) || e.attr["integrity"] == "") {
				t.Errorf("script that is neither data nor one of our files: %v", e.attr) // H14
			}
		}
	}
}

// checkAddress: everything stays at this origin, except the telephone and the
// way into WeChat.
func checkAddress(t *testing.T, e *element, k, v string) {
	t.Helper()
	local := strings.HasPrefix(v, "/") && !strings.HasPrefix(v, "//") || strings.HasPrefix(v, "#")
	leaves := strings.HasPrefix(v, "tel:") || e.attr["id"] == "go" && strings.HasPrefix(v, "https://wx.tenpay.com/")
	if !local && !(e.tag == "a" && leaves) {
		t.Errorf("<%s %s=%q> leaves this origin", e.tag, k, v)
	}
	if name, ok := strings.CutPrefix(v, static.Prefix); ok {
		if _, found := static.Lookup(v); !found {
			t.Errorf("no file behind %s", name)
		}
	}
}

// checkNames: whatever can be used or seen has a name for those who listen.
func checkNames(t *testing.T, all []*element) {
	t.Helper()
	labels := map[string]bool{}
	for _, e := range all {
		if e.tag == "label" {
			labels[e.attr["for"]] = true
		}
	}
	for _, e := range all {
		_, alt := e.attr["alt"]
		switch e.tag {
		case "input", "select", "textarea":
			if e.attr["type"] != "hidden" && !e.inLabel && e.attr["aria-label"] == "" && !labels[e.attr["id"]] {
				t.Errorf("<%s name=%q> has no label", e.tag, e.attr["name"])
			}
		case "button", "a":
			if e.text == "" && e.attr["aria-label"] == "" {
				t.Errorf("<%s %v> has no words", e.tag, e.attr)
			}
		case "nav":
			if e.attr["aria-label"] == "" {
				t.Error("nav without a name")
			}
		case "img":
			if !alt || e.attr["width"] == "" || e.attr["height"] == "" {
				t.Errorf("img %s wants alt, width and height", e.attr["src"])
			}
		}
	}
}

// checkIDs: unique, and every reference finds its element.
func checkIDs(t *testing.T, all []*element) {
	t.Helper()
	ids := map[string]bool{}
	for _, e := range all {
		id, ok := e.attr["id"]
		if !ok {
			continue
		}
		if ids[id] {
			t.Errorf("two elements with id %q", id)
		}
		ids[id] = true
	}
	for _, e := range all {
		for _, k := range []string{"for", "aria-describedby", "form"} {
			if v, ok := e.attr[k]; ok && !ids[v] {
				t.Errorf("<%s %s=%q> points nowhere", e.tag, k, v)
			}
		}
		for _, k := range []string{"href", "data-copy"} {
			if v, ok := strings.CutPrefix(e.attr[k], "#"); ok && !ids[v] {
				t.Errorf("<%s %s=%q> points nowhere", e.tag, k, v)
			}
		}
	}
}

// checkForms: what changes something posts, and the first button of a form
// with a stepper is harmless, because Enter presses it.
func checkForms(t *testing.T, all []*element) {
	t.Helper()
	firstButton := false
	for _, e := range all {
		switch e.tag {
		case "form":
			firstButton = true
			if e.attr["method"] != "post" && e.attr["role"] != "search" {
				t.Errorf("form %v does not post", e.attr)
			}
			if e.attr["enctype"] != "" {
				t.Error("forms are urlencoded")
			}
		case "button":
			if v := e.attr["value"]; firstButton && (v == "remove" || v == "minus") {
				t.Errorf("Enter would press %q", v)
			}
			firstButton = false
		}
	}
}

// The goods look the same drawn before and drawn with the page.
func TestShelf(t *testing.T) {
	for _, l := range []Lang{ZH, EN} {
		p := HomePage{Page: Page{Lang: l}, Cards: []Card{
			{Slug: "a", Name: "<b>龙井</b>", Line: "“x” & y", Picture: "/p.svg", From: 12800, Varies: true}, {Slug: "b", Name: "b", SoldOut: true},
		}}
		want := draw(t, Home(p))
		shelf, err := Shelf(t.Context(), l, p.Cards)
		if err != nil {
			t.Fatal(err)
		}
		p.Cards, p.Shelf = nil, shelf
		if got := draw(t, Home(p)); got != want {
			t.Errorf("%v: with a shelf\n%s\nwithout\n%s", l, got, want)
		}
	}
}
