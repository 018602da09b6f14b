package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

var screenshots = flag.Bool("screenshots", false, "make the pictures of the README")

// picture keeps what the window shows, for the README.
func (b *tab) picture(name string) {
	b.t.Helper()
	time.Sleep(300 * time.Millisecond) // the spinner and the focus ring settle
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.MkdirAll(".pictures", 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(".pictures", name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// TestScreenshots walks the main job and keeps pictures: make screenshots.
func TestScreenshots(t *testing.T) {
	if !*screenshots {
		t.Skip("SKIP pictures are made by: make screenshots")
	}
	w, browser := newTown(t), chromium(t)
	me := person(t, browser, 390, 844)
	me.open(w.face + "/")
	me.until("window.WeixinJSBridge")
	me.picture("home")
	me.open(w.face + "/p/longjing")
	me.until("window.WeixinJSBridge")
	me.picture("product")
	no := me.buy(w.face, func() {})
	me.until("window.WeixinJSBridge")
	me.picture("pay")
	me.press(button("微信支付 ¥"))
	me.until(inSheet("[data-act=pay]"))
	me.picture("sheet")
	me.press(inSheet("[data-act=pay]"))
	me.press(inSheet("[data-act=done]"))
	me.until("location.pathname === '/orders/" + no + "'")
	me.says("付款成功")
	me.picture("paid")

	boss := person(t, browser, 1280, 800)
	boss.signIn(w)
	boss.open(w.shopURL + "/admin/orders/" + no)
	boss.says("待发货")
	boss.picture("admin-order")
	boss.open(w.gateway + "/_sim/")
	boss.says("unifiedorder")
	boss.picture("console")
}
