//go:build bench && linux

package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"
)

// TestBenchRole is no test: it is the other processes of make bench, which
// starts this program again with BENCH_ROLE.
func TestBenchRole(t *testing.T) {
	roles := map[string]func(*testing.T) http.Handler{"hello": helloRole, "prototype": prototypeRole, "gateway": gatewayRole, "wechat": wechatRole, "gatewayV3": gatewayV3Role}
	role := roles[os.Getenv("BENCH_ROLE")]
	if role == nil {
		t.Skip("only for make bench")
	}
	h := role(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go http.Serve(l, h)
	announce(l.Addr().String())
	io.Copy(io.Discard, os.Stdin) // until the bench ends
}

// helloRole is gin that says hello, and at /page the bytes of a file with the
// headers of another.
func helloRole(t *testing.T) http.Handler {
	file := os.Getenv("BENCH_PAGE")
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(file + ".head") // no file, no headers
	head, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(append(text, "\r\n"...)))).ReadMIMEHeader()
	if err != nil {
		t.Fatal(err)
	}
	head.Del("Date")
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.GET("/hello", func(c *gin.Context) { c.String(http.StatusOK, "hello") })
	r.GET("/page", func(c *gin.Context) {
		h := c.Writer.Header()
		for key, value := range head {
			h[key] = value
		}
		c.Header("Content-Length", strconv.Itoa(len(page)))
		c.Data(http.StatusOK, "text/html; charset=utf-8", page)
	})
	return r
}

// gatewayRole answers every call with the same bytes: a right answer to
// unifiedorder, signed once, which costs the least that a gateway can.
func gatewayRole(*testing.T) http.Handler {
	answer := benchAccount.placed()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header()["Content-Type"] = []string{"text/xml; charset=utf-8"}
		w.Write(answer)
	})
}

// floorPage is a page of about eight kilobytes with sixteen goods, drawn as
// templ draws: escaped strings written one after another into a buffer.
func floorPage(b *bytes.Buffer) {
	b.WriteString(`<!DOCTYPE html><html lang="zh-CN"><head><meta charset="utf-8"><title>`)
	b.WriteString(templ.EscapeString("收银台"))
	b.WriteString(`</title></head><body><header class="top"><a href="/">`)
	b.WriteString(templ.EscapeString("茶铺 & Co"))
	b.WriteString(`</a></header><main><ul>`)
	for i := range 16 {
		n := strconv.Itoa(i)
		b.WriteString(`<li class="card"><a href="`)
		b.WriteString(templ.EscapeString("/p/tea-" + n + "?from=list&n=" + n))
		b.WriteString(`"><img width="160" height="160" loading="lazy" alt="`)
		b.WriteString(templ.EscapeString("春茶 No. " + n))
		b.WriteString(`" src="`)
		b.WriteString(templ.EscapeString("/static/tea-" + n + ".svg"))
		b.WriteString(`"></a><h2>`)
		b.WriteString(templ.EscapeString("春茶 No. " + n + " <2026>"))
		b.WriteString(`</h2><p>`)
		b.WriteString(templ.EscapeString("清明前采摘，手工炒制，豆香与兰花香，一芽一叶，五十克一罐，送礼自饮两相宜；配一只白瓷盖碗，头两泡最好。"))
		b.WriteString(`</p><strong>`)
		b.WriteString(templ.EscapeString("¥" + strconv.Itoa(98+i) + ".00"))
		b.WriteString(`</strong><form method="post" action="/cart"><input type="hidden" name="id" value="`)
		b.WriteString(templ.EscapeString(n))
		b.WriteString(`"><button>`)
		b.WriteString(templ.EscapeString("加入购物车"))
		b.WriteString(`</button></form></li>`)
	}
	b.WriteString(`</ul></main></body></html>`)
}

var floorBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// sendFloorPage draws the page and sends it whole.
func sendFloorPage(c *gin.Context) {
	b := floorBuffers.Get().(*bytes.Buffer)
	defer floorBuffers.Put(b)
	b.Reset()
	floorPage(b)
	c.Header("Content-Length", strconv.Itoa(b.Len()))
	c.Data(http.StatusOK, "text/html; charset=utf-8", b.Bytes())
}
