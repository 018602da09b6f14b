//go:build bench && linux

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"wxshop/models"
)

const (
	pageTime  = time.Second // of one run
	pageLines = 32
	// More different carts than the shop keeps pages, so that none is found.
	manyCarts = 700
)

// pageRows compare the list of goods with gin that says hello.
func (b *bench) pageRows() {
	dir := b.shop.copied()
	cookies := b.readers(dir)
	r := b.shop.serve(dir, "http://127.0.0.1:1")
	defer r.stop()
	b.cachedRow(r, false)
	b.cachedRow(r, true)
	b.drawnRows(r, cookies)
}

// readers makes shoppers with one thing less or more in the cart than each other.
func (b *bench) readers(dir string) []string {
	s := b.shop.open(dir)
	defer s.Close()
	cookies := make([]string, manyCarts)
	users := make([]*models.User, manyCarts)
	for i := range users {
		users[i] = b.shop.user(s, "Reader", i)
	}
	b.shop.atOnce(manyCarts, func(i int) (err error) {
		for k, left := 0, int64(i+1); left > 0; k, left = k+1, left-models.MaxQty {
			if err := s.AddToCart(context.Background(), users[i].ID, b.shop.skus[k].ID, min(left, models.MaxQty)); err != nil {
				return err
			}
		}
		cookies[i], err = b.shop.session(s, users[i])
		return err
	})
	return cookies
}

// cachedRow: an anonymous reader of the list. The floor sends the same body,
// and in a second row the same headers too.
func (b *bench) cachedRow(r *running, headers bool) {
	request := r.get("/", "", gzipped)
	page, head := b.fetch(r, request)
	name := fmt.Sprintf("product list, %d goods, cached, %d bytes of gzip", benchGoods, len(page))
	if headers {
		name = "the same against hello with the same headers"
	} else {
		head = nil
	}
	file := filepath.Join(b.t.TempDir(), "page")
	if err := errors.Join(os.WriteFile(file, page, 0o600), os.WriteFile(file+".head", head, 0o600)); err != nil {
		b.t.Fatal(err)
	}
	hello := b.m.role(b.t, "hello", "0", "BENCH_PAGE="+file)
	defer hello.stop()
	floor := []byte("GET /page HTTP/1.1\r\nHost: " + hello.addr + "\r\n" + benchBrowser + gzipped + "\r\n")
	ours := func() sample { return r.run(pageLines, 1<<40, pageTime, asking(request), hello.pid()) }
	b.served(name, 0.80, r, func() sample {
		return hello.run(pageLines, 1<<40, pageTime, asking(floor), r.pid())
	}, ours, ours)
}

// fetch is one answer.
func (b *bench) fetch(r *running, request []byte) (body, head []byte) {
	b.t.Helper()
	ls, closeAll := r.lines(1)
	defer closeAll()
	if _, err := ls[0].want(200, request); err != nil {
		b.t.Fatal(err)
	}
	return ls[0].body, ls[0].head
}

// asking repeats one request for a page.
func asking(request []byte) func(*benchLine, int64) error {
	return func(l *benchLine, _ int64) error {
		_, err := l.want(200, request)
		return err
	}
}

// drawnRows: the list for shoppers with sessions. The shop keeps drawn pages
// for each number in the cart; the other rows ask for more of them than it
// keeps, so that every page is drawn.
func (b *bench) drawnRows(r *running, cookies []string) {
	hello := b.m.role(b.t, "hello", "0", "BENCH_PAGE=/dev/null")
	defer hello.stop()
	floor := []byte("GET /hello HTTP/1.1\r\nHost: " + hello.addr + "\r\n" + benchBrowser + "\r\n")
	for _, x := range []struct {
		name, coding string
		carts        int64
	}{
		{"product list with a session, drawn each time", "", manyCarts},
		{"the same in gzip, packed each time", gzipped, manyCarts},
		{"the same from the pages that are kept", gzipped, 8},
	} {
		requests := make([][]byte, x.carts)
		for i := range requests {
			requests[i] = r.get("/", cookies[i], x.coding)
		}
		ours := func() sample {
			return r.run(pageLines, 1<<40, pageTime, func(l *benchLine, i int64) error {
				_, err := l.want(200, requests[i%x.carts])
				return err
			}, hello.pid())
		}
		b.served(x.name, 0.15, r, func() sample {
			return hello.run(pageLines, 1<<40, pageTime, asking(floor), r.pid())
		}, ours, ours)
	}
}

var scriptSource = regexp.MustCompile(`<script[^>]* src="([^"]+)"`)

// weightRow weighs the shopper's pages with all that comes before pictures.
func (b *bench) weightRow() {
	dir := b.shop.copied()
	s := b.shop.open(dir)
	u := b.shop.user(s, "Weigher", 0)
	cookie, err := b.shop.session(s, u)
	if err == nil {
		err = s.AddToCart(b.t.Context(), u.ID, b.shop.skus[0].ID, 2)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	o, p, err := b.shop.order(s, u)
	if err == nil {
		err = s.MarkPrepaid(b.t.Context(), p.ID, models.Prepay{ID: "wx00000000000000000000000000000000be", Until: time.Now().Add(2 * time.Hour)}, nil)
	}
	if err == nil {
		err = s.AddToCart(b.t.Context(), u.ID, b.shop.skus[0].ID, 2)
	}
	s.Close()
	if err != nil {
		b.t.Fatal(err)
	}
	r := b.shop.serve(dir, "http://127.0.0.1:1")
	defer r.stop()
	worst, most, heaviest := 0, 0, ""
	pages := []string{"/", "/p/longjing", "/cart", "/checkout", "/pay/" + o.No, "/orders", "/orders/" + o.No, "/orders/" + o.No + "/cancel", "/me", "/rules", "/privacy", "/licence"}
	for _, path := range pages {
		weight, requests := b.weigh(r, path, cookie)
		if weight > worst {
			worst, heaviest = weight, strings.ReplaceAll(path, o.No, "…")
		}
		most = max(most, requests)
	}
	b.table.add(row{
		what: fmt.Sprintf("weight of %d shopper pages, HTML+CSS+JS in gzip", len(pages)), floor: "–", ours: fmt.Sprintf("%d bytes at most (%s)", worst, heaviest),
		ratio: "–", goal: "≤ 15000 bytes", ok: worst <= 15000,
	}, row{
		what: "requests before pictures", floor: "–", ours: fmt.Sprintf("%d at most", most), ratio: "–", goal: "≤ 4", ok: most <= 4,
	})
}

func (b *bench) weigh(r *running, path, cookie string) (weight, requests int) {
	packed, _ := b.fetch(r, r.get(path, cookie, gzipped))
	weight, requests = len(packed), 1
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		b.t.Fatalf("%s is not gzip: %v", path, err)
	}
	page, err := io.ReadAll(z)
	if err != nil {
		b.t.Fatal(err)
	}
	if strings.Contains(string(page), `rel="stylesheet"`) {
		b.t.Errorf("%s loads a stylesheet that the bench does not weigh", path)
	}
	for _, m := range scriptSource.FindAllStringSubmatch(string(page), -1) {
		script, _ := b.fetch(r, r.get(m[1], "", gzipped))
		weight += len(script)
		requests++
	}
	return weight, requests
}
