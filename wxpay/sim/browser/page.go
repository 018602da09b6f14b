package browser

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"html"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxPage is how much of a page is read to edit it; what follows streams on
// behind, as the shop sent it.
const maxPage = 8 << 20

// editPage adds the bridge to an HTML answer and maps its links.
func (v *visit) editPage(res *http.Response, nonce string) error {
	body, ok, err := plainBody(res)
	if err != nil {
		return fmt.Errorf("unpack page: %w", err)
	}
	if !ok {
		v.note("这家店的网页用 " + res.Header.Get("Content-Encoding") + " 压缩，微信浏览器打不开，桥没有放进去。")
		return nil
	}
	page, err := io.ReadAll(io.LimitReader(body, maxPage))
	if err != nil {
		return fmt.Errorf("read page: %w", err)
	}
	edited := v.edit(page, nonce)
	for _, name := range []string{"Content-Encoding", "Content-Length", "Content-Md5", "Content-Digest", "Repr-Digest", "Digest", "Accept-Ranges"} {
		res.Header.Del(name)
	}
	res.ContentLength, res.Uncompressed = -1, true
	if len(page) < maxPage {
		res.ContentLength = int64(len(edited))
		res.Header.Set("Content-Length", strconv.Itoa(len(edited)))
	}
	res.Body = joined{io.MultiReader(bytes.NewReader(edited), body), res.Body}
	return nil
}

type joined struct {
	io.Reader
	io.Closer
}

// plainBody is the body without its encoding; false when it has one that the
// face does not know. Some shops send gzip though identity was asked for.
func plainBody(res *http.Response) (io.Reader, bool, error) {
	switch strings.ToLower(strings.TrimSpace(res.Header.Get("Content-Encoding"))) {
	case "", "identity":
		return res.Body, true, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(res.Body)
		return z, true, err
	}
	return nil, false, nil
}

// scriptTag loads the bridge; nonce is set only where a policy of the shop
// lets nothing else in.
func scriptTag(nonce string) string {
	if nonce == "" {
		return `<script src="` + scriptPath + `"></script>`
	}
	return `<script nonce="` + html.EscapeString(nonce) + `" src="` + scriptPath + `"></script>`
}

// edit puts the script first into the head and maps links that name the
// shop's origin or WeChat's authorize page. Text, scripts and styles stay.
func (v *visit) edit(page []byte, nonce string) []byte {
	var out bytes.Buffer
	out.Grow(len(page) + 256)
	place, done := injectAt(page), 0
	copyTo := func(end int) { // the script goes in on the way
		if place >= done && place <= end && place >= 0 {
			out.Write(page[done:place])
			out.WriteString(scriptTag(nonce))
			done, place = place, -1
		}
		out.Write(page[done:end])
		done = end
	}
	for t := range tags(page) {
		for _, a := range t.attrs {
			old := html.UnescapeString(string(page[a.from:a.to]))
			if mapped := v.attr(t, a.name, old, page); mapped != old {
				copyTo(a.from)
				out.WriteString(quoted(mapped, a.quote))
				done = a.to
			}
		}
	}
	copyTo(len(page))
	return out.Bytes()
}

func quoted(value string, quote byte) string {
	if quote == 0 {
		return `"` + html.EscapeString(value) + `"`
	}
	return html.EscapeString(value)
}

// attr maps one attribute's value.
func (v *visit) attr(t tag, name, value string, page []byte) string {
	switch name {
	case "href", "src", "action", "formaction", "poster", "data":
		trimmed := strings.TrimSpace(value)
		if mapped := v.outbound(trimmed); mapped != trimmed {
			return mapped
		}
	case "content":
		if t.name != "meta" {
			return value
		}
		switch strings.ToLower(t.value(page, "http-equiv")) {
		case "refresh":
			return v.refresh(value)
		case "content-security-policy":
			p, _ := v.openPolicy(value, "")
			return p
		}
	}
	return value
}

// injectAt is where the script goes: first in the head, or where a document
// without one would have it. −1: a fragment, or the script is there already.
func injectAt(page []byte) int {
	place, rank := -1, 0
	if doctype := docType(page); doctype > 0 {
		place, rank = doctype, 1
	}
	for t := range tags(page) {
		switch {
		case t.name == "script" && t.value(page, "src") == scriptPath:
			return -1
		case t.name == "html" && rank < 2:
			place, rank = t.end, 2
		case t.name == "head" && rank < 3:
			place, rank = t.end, 3
		}
	}
	return place
}

// docType is the end of the document type, 0 when there is none.
func docType(page []byte) int {
	start := len(page) - len(bytes.TrimLeft(bytes.TrimPrefix(page, []byte("\xef\xbb\xbf")), " \t\r\n\f"))
	const word = "<!doctype"
	if len(page) < start+len(word) || !strings.EqualFold(string(page[start:start+len(word)]), word) {
		return 0
	}
	end := bytes.IndexByte(page[start:], '>')
	if end < 0 {
		return 0
	}
	return start + end + 1
}
