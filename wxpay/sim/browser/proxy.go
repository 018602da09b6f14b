package browser

import (
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
)

// userAgent is WeChat for Android, with every token that shops look for.
const userAgent = "Mozilla/5.0 (Linux; Android 14; SIM-AL00; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 " +
	"Chrome/134.0.6998.136 Mobile Safari/537.36 XWEB/1340157 MMWEBSDK/20240404 MMWEBID/9375 " +
	"MicroMessenger/8.0.61.2880(0x28003D34) WeChat/arm64 Weixin NetType/WIFI Language/zh_CN ABI/arm64"

// face is the handler.
type face struct {
	app, self, gateway origin
	wechat             WeChat
	log                *slog.Logger
	transport          http.RoundTripper
	script             []byte
	nonce              string       // for policies that let a tag in by nonce alone and name none
	own                http.Handler // everything under /_wechat/

	mu   sync.Mutex
	tell func(string)
	told map[string]bool
}

func (f *face) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, ownPath) {
		f.own.ServeHTTP(w, r)
		return
	}
	v := &visit{face: f, client: clientOrigin(r), me: f.me(r), method: r.Method}
	v.document = slices.Contains([]string{"document", "iframe", "frame"}, r.Header.Get("Sec-Fetch-Dest"))
	proxy := httputil.ReverseProxy{
		Rewrite:        v.rewrite,
		ModifyResponse: v.modify,
		ErrorHandler:   v.failed,
		Transport:      f.transport,
		FlushInterval:  -1, // a shop's stream must arrive as it is sent
		ErrorLog:       slog.NewLogLogger(f.log.Handler(), slog.LevelWarn),
	}
	proxy.ServeHTTP(w, r)
}

// note tells the console once what the face had to change.
func (f *face) note(sentence string) {
	f.mu.Lock()
	known := f.told[sentence] || len(f.told) >= 100
	if !known {
		f.told[sentence] = true
	}
	f.mu.Unlock()
	if !known && f.tell != nil {
		f.tell(sentence)
	}
}

// visit is one request on its way through the face.
type visit struct {
	*face
	client   origin // how the browser names this face
	me       string // who holds the phone
	method   string
	document bool // the browser asked for a page, not for a picture or a script
}

// clientOrigin is the face as this client reaches it: by name, by address, or
// through a tunnel.
func clientOrigin(r *http.Request) origin {
	o := origin{"http", strings.ToLower(r.Host)}
	if r.TLS != nil {
		o.scheme = "https"
	}
	return o.normal()
}

// rewrite turns the browser's request into the one that WeChat would send to
// the shop: Host, Origin and Referer that name the face become the shop's.
func (v *visit) rewrite(p *httputil.ProxyRequest) {
	out := p.Out
	out.URL.Scheme, out.URL.Host, out.Host = v.app.scheme, v.app.host, v.app.host
	out.URL.RawQuery = p.In.URL.RawQuery // byte for byte, whatever is in it
	h := out.Header
	for _, name := range []string{"Origin", "Referer"} {
		if s := h.Get(name); s != "" {
			h.Set(name, v.inbound(s))
		}
	}
	if !strings.Contains(h.Get("User-Agent"), "MicroMessenger") {
		h.Set("User-Agent", userAgent)
	}
	h.Set("Accept-Encoding", "identity")
	stripOwnCookies(h)
}

// modify turns the shop's answer into one for the face's origin.
func (v *visit) modify(res *http.Response) error {
	h := res.Header
	v.outboundHeaders(h)
	isPage := isHTML(h) && res.StatusCode != http.StatusPartialContent
	nonce := ""
	if isPage || v.document && res.StatusCode == http.StatusNotModified {
		nonce = v.openPolicies(h)
	}
	switch {
	case !isPage || bodiless(res.StatusCode):
		return nil
	case v.method == http.MethodHead: // the length of a page that is about to grow
		h.Del("Content-Length")
		res.ContentLength = -1
		return nil
	}
	return v.editPage(res, nonce)
}

func isHTML(h http.Header) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "text/html") &&
		!strings.HasPrefix(strings.ToLower(h.Get("Content-Disposition")), "attachment")
}

func bodiless(status int) bool {
	return status < 200 || status == http.StatusNoContent || status == http.StatusNotModified
}

// failed says on the phone that the shop did not answer.
func (v *visit) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the reader went away
	}
	v.log.Warn("shop not reached", "req", r.Method+" "+r.URL.Path, "err", err)
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.WriteHeader(http.StatusBadGateway)
	io.WriteString(w, `<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width">`+
		`<meta name="color-scheme" content="light dark"><title>店没有应答</title><h1>店没有应答</h1><p>模拟的微信浏览器没有连上 `+
		html.EscapeString(v.app.String())+`。先把店开起来，再刷新。</p><p lang="en">The shop did not answer. Start it, then reload.</p>`)
}
