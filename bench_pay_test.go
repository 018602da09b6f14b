//go:build bench && linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"wxshop/models"
)

const (
	payLines    = 64
	notifyLines = 32   // the shop takes in no more at once
	payRun      = 1500 // checkouts, or notifications, of one run
	payWarmUp   = 300
	payProfile  = 4000            // of a run that is profiled
	payTime     = 6 * time.Second // no run takes longer
)

// checkoutRows: form → order → gateway → redirect → pay page. The floor sends
// its page plain; phones ask for gzip, which is a row of its own.
func (b *bench) checkoutRows() {
	b.checkoutRow("whole v2 checkout on one core (form, order, gateway, pay page)", "")
	b.checkoutRow("the same with the pay page in gzip", gzipped)
}

func (b *bench) checkoutRow(what, coding string) {
	dir := b.shop.copied()
	shoppers := b.shoppers(dir, payWarmUp+(roundsWanted+3)*payRun+payProfile)
	gateway := b.m.role(b.t, "gateway", "1")
	defer gateway.stop()
	proto := b.m.role(b.t, "prototype", "0", "BENCH_GATEWAY=http://"+gateway.addr)
	defer proto.stop()
	r := b.shop.serve(dir, "http://"+gateway.addr)
	defer r.stop()

	floor := []byte("POST /checkout HTTP/1.1\r\nHost: " + proto.addr + "\r\n" + benchBrowser + "Content-Length: 0\r\n\r\n")
	next := int64(0)
	once := func(n int64) func() sample {
		return func() sample {
			from := next
			next += n
			return r.run(payLines, n, payTime, func(l *benchLine, i int64) error {
				return b.buys(r, l, shoppers[from+i], coding)
			}, proto.pid(), gateway.pid())
		}
	}
	once(payWarmUp)()
	b.served(what, 0.40, r, func() sample {
		return proto.run(payLines, payRun, payTime, asking(floor), r.pid(), gateway.pid())
	}, once(payRun), once(payProfile))
}

// benchBuyer is somebody with a session and a full cart, about to submit.
type benchBuyer struct {
	cookie string
	form   url.Values
}

// shoppers are n people with full carts.
func (b *bench) shoppers(dir string, n int) []benchBuyer {
	openIDs := make([]string, n)
	for i := range openIDs {
		openIDs[i] = fmt.Sprintf("oBenchBuyer%017d", i)
	}
	return b.shoppersOf(b.shop, dir, benchAccount.app, openIDs)
}

// shoppersOf fills carts by the shop's own Store.
func (b *bench) shoppersOf(shop *benchShop, dir, app string, openIDs []string) []benchBuyer {
	s := shop.open(dir)
	defer s.Close()
	ctx := context.Background()
	list := make([]benchBuyer, len(openIDs))
	total := shop.skus[0].Price + shop.skus[1].Price
	if total < 9900 { // the delivery of the shipped config.yaml
		total += 800
	}
	shop.atOnce(len(openIDs), func(i int) error {
		u, err := s.SignIn(ctx, app, openIDs[i], 0)
		if err != nil {
			return err
		}
		for k := range 2 {
			if err := s.AddToCart(ctx, u.ID, shop.skus[k].ID, 1); err != nil {
				return err
			}
		}
		list[i].cookie, err = shop.session(s, u)
		list[i].form = url.Values{
			"token": {rand.Text()}, "expected_total": {fmt.Sprint(int64(total))}, "name": {"林晓溪"}, "phone": {"13800001234"},
			"province": {"浙江省"}, "city": {"杭州市"}, "district": {"西湖区"}, "detail": {"文三路 90 号 3 幢 502"}, "note": {""},
		}
		return err
	})
	return list
}

// buys submits the form and follows to the pay page, which must be ready to pay.
func (b *bench) buys(r *running, l *benchLine, who benchBuyer, coding string) error {
	placed, err := l.want(303, r.post("/checkout", who.cookie, coding, who.form))
	if err != nil {
		return err
	}
	if !strings.HasPrefix(placed.location, "/pay/") {
		return errors.New("the checkout led to " + placed.location)
	}
	_, err = l.want(200, r.get(placed.location, who.cookie, coding))
	return err
}

// notifyRow: notification in → verified → durable → acknowledged.
func (b *bench) notifyRow() {
	dir := b.shop.copied()
	gateway := b.m.role(b.t, "gateway", "1")
	defer gateway.stop()
	proto := b.m.role(b.t, "prototype", "0", "BENCH_GATEWAY=http://"+gateway.addr)
	defer proto.stop()
	r := b.shop.serve(dir, "http://"+gateway.addr)
	defer r.stop()
	s := b.shop.open(dir) // makes orders while the shop stands still
	defer s.Close()

	body := benchAccount.paid(1, "P261130AAAAAAAAAAAAAAAA", "oBenchPayer00000000000000001", 19800)
	floor := notification(proto.addr, "/notify", body)
	sent := 0
	once := func(n int) func() sample {
		return func() sample {
			requests := b.notifications(s, r, sent, n)
			sent += n
			return r.run(notifyLines, int64(n), payTime, func(l *benchLine, i int64) error {
				_, err := l.want(200, requests[i])
				if err == nil && !bytes.Contains(l.body, []byte("SUCCESS")) {
					err = fmt.Errorf("acknowledged with %s", l.body)
				}
				return err
			}, proto.pid(), gateway.pid())
		}
	}
	once(payWarmUp)()
	b.served("notification in, verified, durable, acknowledged", 0.40, r, func() sample {
		return proto.run(notifyLines, payRun, payTime, asking(floor), r.pid(), gateway.pid())
	}, once(payRun), once(payProfile))
}

// notifications makes n orders that wait for their money, and WeChat's word of it.
func (b *bench) notifications(s *models.Store, r *running, from, n int) [][]byte {
	requests := make([][]byte, n)
	payers := make([]*models.User, 64)
	for i := range payers {
		payers[i] = b.shop.user(s, "Payer", i)
	}
	b.shop.atOnce(n, func(i int) error {
		u := payers[i%len(payers)]
		o, p, err := b.shop.order(s, u)
		if err != nil {
			return err
		}
		err = s.MarkPrepaid(context.Background(), p.ID, models.Prepay{ID: "wx00000000000000000000000000000000be", Until: time.Now().Add(2 * time.Hour)}, nil)
		requests[i] = notification(r.host, "/notify/v2/pay", benchAccount.paid(int64(from+i), p.OutTradeNo, *u.OpenID, int64(o.Total)))
		return err
	})
	return requests
}

func notification(host, path string, body []byte) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Mozilla/4.0\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", path, host, len(body), body)
}
