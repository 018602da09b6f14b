package views

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"wxshop/models"
	"wxshop/static"
)

// markup is HTML that we wrote ourselves, or that a view of ours drew. Nothing
// that people typed may become one.
type markup string

// Render implements templ.Component.
func (m markup) Render(_ context.Context, w io.Writer) error {
	_, err := io.WriteString(w, string(m))
	return err
}

// Shelf draws a list of goods for Home once, for all the pages that show it.
func Shelf(ctx context.Context, l Lang, cards []Card) (templ.Component, error) {
	var b strings.Builder
	err := goods(&Page{Lang: l}, cards).Render(ctx, &b)
	return markup(b.String()), err
}

// The frame of every page, made once: same bytes on every page, therefore one
// hash in the policy (security H1, H13) and nothing to escape at run time.
var (
	styleBlock templ.Component = markup("<style>" + static.AppCSS + "</style>")
	shopScript templ.Component = script("shop.js")
	payScript  templ.Component = script("pay.js")
	favicon    templ.Component = markup(`<link rel="icon" href="` + static.URL("logo.svg") + `">`)
	refresh    templ.Component = markup(`<noscript><meta http-equiv="refresh" content="5"></noscript>`)
	logoURL                    = static.URL("logo.svg")
	heroURL                    = static.URL("autumn.svg")
	gaiwanURL                  = static.URL("gaiwan.svg")
	dancongURL                 = static.URL("dancong.svg")
	lapsangURL                 = static.URL("lapsang.svg")
)

func script(name string) markup {
	return markup(`<script src="` + static.URL(name) + `" integrity="` + static.Integrity(name) + `" defer></script>`)
}

var styleHash = sha256.Sum256([]byte(static.AppCSS))

// StyleHash is the source expression for style-src that allows the style block
// of the shopper pages, with its quotes: 'sha256-…'.
func StyleHash() string {
	return "'sha256-" + base64.StdEncoding.EncodeToString(styleHash[:]) + "'"
}

// price is an amount to look at: small sign, large yuan, small fen, in one
// line so that it is read as one amount. No thousands sign for shoppers.
type price struct {
	fen   models.Fen
	class string // "price", "price big" or "n"
	after string // a word behind the fen, "起"
}

// Render implements templ.Component.
func (p price) Render(_ context.Context, w io.Writer) error {
	b := make([]byte, 0, 96)
	b = append(b, `<span class="`...)
	b = append(b, p.class...)
	b = append(b, `">`...)
	b = appendPrice(b, p.fen)
	if p.after != "" { // inside the small print: "¥98.00 起"
		b = append(b[:len(b)-len("</small>")], ' ')
		b = append(b, templ.EscapeString(p.after)...)
		b = append(b, "</small>"...)
	}
	_, err := w.Write(append(b, "</span>"...))
	return err
}

// appendPrice writes the three parts of an amount.
func appendPrice(b []byte, f models.Fen) []byte {
	n := uint64(f)
	if f < 0 {
		b, n = append(b, "−"...), -n // two's complement: right for the smallest too
	}
	b = append(b, "<small>¥</small>"...)
	b = strconv.AppendUint(b, n/100, 10)
	b = append(b, "<small>."...)
	b = append(b, byte('0'+n/10%10), byte('0'+n%10))
	return append(b, "</small>"...)
}

// Price is an amount to look at, red and large.
func Price(f models.Fen) templ.Component { return price{fen: f, class: "price"} }

// bigPrice is the amount that the page is about.
type bigPrice models.Fen

// Render implements templ.Component.
func (p bigPrice) Render(_ context.Context, w io.Writer) error {
	_, err := w.Write(appendPrice(make([]byte, 0, 64), models.Fen(p)))
	return err
}

// timer is the time that is left, which the script keeps counting. Without
// script it says when the time is over, because a printed rest grows stale.
type timer struct {
	end, now    time.Time
	words, left string // "21:00 前", "%s 内"
}

// Render implements templ.Component. data-left counts from the rendering,
// data-end is the same instant for a page that slept.
func (t timer) Render(_ context.Context, w io.Writer) error {
	left := max(0, t.end.Sub(t.now).Milliseconds())
	b := make([]byte, 0, 160)
	b = append(b, `<b class="n" role="timer" data-left="`...)
	b = strconv.AppendInt(b, left, 10)
	b = append(b, `" data-end="`...)
	b = strconv.AppendInt(b, t.end.UnixMilli(), 10)
	b = append(b, `" data-say="`...)
	b = append(b, templ.EscapeString(t.left)...)
	b = append(b, `">`...)
	b = append(b, templ.EscapeString(t.words)...)
	_, err := w.Write(append(b, "</b>"...))
	return err
}

// deadline is the timer of an order in the middle of a sentence.
func (p *Page) deadline(end time.Time) templ.Component {
	return timer{end: end, now: p.Now, words: p.until(end), left: p.words().Frame.Within}
}

// rich is a sentence of the catalogue: **bold** and {timer} become elements,
// everything else is escaped.
type rich struct {
	text  string
	timer templ.Component
}

// Render implements templ.Component.
func (r rich) Render(ctx context.Context, w io.Writer) error {
	before, after, found := strings.Cut(r.text, "{timer}")
	if err := writeBold(w, before); err != nil || !found {
		return err
	}
	if r.timer != nil {
		if err := r.timer.Render(ctx, w); err != nil {
			return err
		}
	}
	return writeBold(w, after)
}

func writeBold(w io.Writer, s string) error {
	for i, part := range strings.Split(s, "**") {
		part = templ.EscapeString(part)
		if i%2 == 1 {
			part = "<b>" + part + "</b>"
		}
		if _, err := io.WriteString(w, part); err != nil {
			return err
		}
	}
	return nil
}

// dots are the marks on a slide: the nth of total is lit, without script.
func dots(n, total int) templ.Component {
	var b strings.Builder
	b.WriteString(`<span class="dots" aria-hidden="true">`)
	for i := range total {
		if i == n {
			b.WriteString(`<i class="on"></i>`)
			continue
		}
		b.WriteString(`<i></i>`)
	}
	b.WriteString(`</span>`)
	return markup(b.String())
}
