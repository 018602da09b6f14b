package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The main job on v3 in a real browser, and the money back: home, product, buy,
// OAuth, pay sheet with an RSA signature, paid; the merchant refunds, and WeChat
// has given it back.
func TestWalkInWeChatV3(t *testing.T) {
	w, browser := newTown(t, "WXSHOP_PAY_API=v3"), chromium(t)
	me := person(t, browser, 390, 844)
	no := me.buy(w.face, func() {})
	if got := eval[string](me, "JSON.parse(document.querySelector('script#pay').textContent).bridge.signType"); got != "RSA" {
		t.Errorf("the page pays with signType %q, want RSA", got)
	}
	me.shot("v3-pay")
	me.until("window.WeixinJSBridge")
	me.press(button("微信支付 ¥"))
	me.until(inSheet("[data-act=pay]"))
	me.shot("v3-sheet")
	me.press(inSheet("[data-act=pay]"))
	me.press(inSheet("[data-act=done]"))
	me.until("location.pathname === '/orders/" + no + "'")
	me.says("付款成功")
	me.shot("v3-paid")
	me.wantNoViolations()

	boss := person(t, browser, 1280, 800)
	boss.signIn(w)
	boss.open(w.shopURL + "/admin/orders/" + no)
	boss.says("待发货")
	boss.shot("v3-admin")
	boss.open(w.shopURL + "/admin/orders/" + no + "/refund")
	boss.fill("amount", "68.00")
	boss.fill("reason", "茶罐压瘪了")
	boss.shot("v3-refund")
	boss.press("document.querySelector('main form button.risk')")
	boss.until("location.pathname === '/admin/orders/" + no + "'")
	boss.shot("v3-refunded")
	boss.wantNoViolations()

	x := w.onlyPayment("v3")
	for range 200 {
		if len(x.Refunds) == 1 && x.Refunds[0].State == "SUCCESS" {
			break
		}
		time.Sleep(100 * time.Millisecond)
		x = w.onlyPayment("v3")
	}
	if len(x.Refunds) != 1 || x.Refunds[0].Amount != 6800 || x.Refunds[0].State != "SUCCESS" {
		t.Fatalf("WeChat has %+v, want one refund of 6800, SUCCESS", x.Refunds)
	}
	me.until("fetch(location.href).then(r => r.text()).then(x => window.page = x) && (window.page || '').includes('已退款')")
}

// gatewayPayment is a payment as WeChat has it.
type gatewayPayment struct {
	No      string `json:"out_trade_no"`
	API     string `json:"api"`
	State   string `json:"state"`
	Refunds []struct {
		Amount int64  `json:"amount"`
		State  string `json:"state"`
	} `json:"refunds"`
}

// onlyPayment is the one payment at WeChat.
func (w *town) onlyPayment(api string) gatewayPayment {
	w.t.Helper()
	var all []gatewayPayment
	w.api("GET", "transactions", nil, &all)
	if len(all) != 1 || all[0].API != api {
		w.t.Fatalf("WeChat has %+v, want one payment by %s", all, api)
	}
	return all[0]
}

// withV3 gives the shop of two processes the credentials of v3 beside those of
// v2, from files as an operator has them.
func (w *town) withV3() {
	w.t.Helper()
	file := func(name, text string) string {
		path := filepath.Join(w.shop.dir, name)
		write(w.t, path, text, 0o600)
		return path
	}
	id := w.identity
	w.shop.env = append(w.shop.env, "WXSHOP_PAY_API_V3_KEY="+id["api_v3_key"], "WXSHOP_PAY_SERIAL_NO="+id["merchant_serial_no"],
		"WXSHOP_PAY_PRIVATE_KEY_FILE="+file("apiclient_key.pem", id["merchant_private_key"]),
		"WXSHOP_PAY_PLATFORM_PUBLIC_KEY_ID="+id["platform_public_key_id"],
		"WXSHOP_PAY_PLATFORM_PUBLIC_KEY_FILE="+file("pub_key.pem", id["platform_public_key"]))
}

// A shop of its own process moves from v2 to v3 with an order open, keeps its v2
// keys until that has ended, and cannot start without them before.
func TestMoveToV3(t *testing.T) {
	w := newDivided(t)
	v := w.visitor(w.face)
	old := v.triesToOrder()
	oldPay := w.onlyPayment("v2")
	w.withV3()
	both := append(w.shop.env, "WXSHOP_PAY_API=v3")

	w.shop.end(os.Interrupt)
	w.shop.env = slices.DeleteFunc(slices.Clone(both), func(kv string) bool { return strings.HasPrefix(kv, "WXSHOP_PAY_API_KEY=") })
	w.shop.start()
	select {
	case err := <-w.shop.done:
		w.shop.cmd = nil
		if out := w.shop.output(); err == nil || !strings.Contains(out, "1 payments and refunds that were made with v2 are still open, but pay.api_key is empty") {
			t.Fatalf("without the keys of v2 it ended with %v\n%s", err, out)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("it started without the keys of v2\n%s", w.shop.output())
	}

	w.shop.env = both
	w.up()
	if code := w.api("POST", "transactions/"+oldPay.No+"/pay", map[string]string{}, nil); code != 200 {
		t.Fatalf("paying the v2 order = %d", code)
	}
	v.becomes(old, "paid", 15*time.Second)
	no := w.visitor(w.face).triesToOrder()
	var all []gatewayPayment
	w.api("GET", "transactions", nil, &all)
	if len(all) != 2 || all[0].API != "v3" {
		t.Fatalf("after the move WeChat has %+v, want a second payment by v3 (order %s)", all, no)
	}
	if code := w.api("POST", "transactions/"+all[0].No+"/pay", map[string]string{}, nil); code != 200 {
		t.Fatalf("paying the v3 order = %d", code)
	}
	v.becomes(no, "paid", 15*time.Second)

	w.shop.end(os.Interrupt) // and back again
	w.shop.env = append(slices.Clone(both), "WXSHOP_PAY_API=v2")
	w.up()
	if got := v.state(no); got != "paid" {
		t.Errorf("after the way back the order is %s", got)
	}
}
