package handlers

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

// BenchmarkPages measures pages over a socket. Its floor is a bare gin that
// sends the same bytes: the goals are ratios to it.
func BenchmarkPages(b *testing.B) {
	w := newBenchWorld(b)
	home := w.outside().do("GET", "/", nil)
	reader := w.outside()
	reader.add("LJ-50g", "1")
	reader.visit("/p/longjing")
	bare := gin.New()
	bytes := []byte(home.body)
	bare.GET("/", func(c *gin.Context) { c.Data(http.StatusOK, typeHTML, bytes) })
	dressed := gin.New()
	dressed.GET("/", func(c *gin.Context) {
		for k, v := range home.Header {
			c.Writer.Header()[k] = v
		}
		c.Data(http.StatusOK, typeHTML, bytes)
	})
	cookie := "Cookie: shop_sess=" + reader.cookies["shop_sess"] + "\r\n"
	for _, bb := range []struct {
		name, header string
		h            http.Handler
	}{
		{"floor: bare gin, same bytes", "", bare},
		{"floor with the same headers", "", dressed},
		{"home, cached", "", w.shop},
		{"home, cached, gzip", "Accept-Encoding: gzip\r\n", w.shop},
		{"home, with a session", cookie, w.shop},
	} {
		b.Run(bb.name, func(b *testing.B) { hammer(b, bb.h, "/", bb.header) })
	}
	b.Run("home, rendered", func(b *testing.B) {
		uncached := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			clear(w.srv.cache.pages)
			w.shop.ServeHTTP(rw, r)
		})
		hammer(b, uncached, "/", cookie)
	})
}

// newBenchWorld is a world that logs what a shipped shop would.
func newBenchWorld(b *testing.B) *world {
	b.Helper()
	w := newWorld(b)
	w.srv.Log = slog.New(slog.DiscardHandler)
	return w
}

// hammer asks over one kept connection.
func hammer(b *testing.B, h http.Handler, path, header string) {
	srv := httptest.NewServer(h)
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: " + strings.TrimPrefix(shopURL, "http://") + "\r\n" + header + "\r\n")
	in := bufio.NewReaderSize(conn, 64<<10)
	for b.Loop() {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		if err := readAnswer(in); err != nil {
			b.Fatal(err)
		}
	}
}

// readAnswer reads one answer by its Content-Length, cheaply.
func readAnswer(in *bufio.Reader) error {
	length := -1
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		text := string(line)
		if first && !strings.Contains(text, " 200 ") {
			return fmt.Errorf("answered %q", text)
		}
		if v, ok := strings.CutPrefix(text, "Content-Length: "); ok {
			fmt.Sscan(v, &length)
		}
		if text == "\r\n" {
			break
		}
	}
	_, err := io.CopyN(io.Discard, in, int64(length))
	return err
}
