package main

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

const phoneBrowser = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"

// as makes a window say that it is another browser.
func (b *tab) as(userAgent string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: userAgent})
	if err != nil {
		b.t.Fatal(err)
	}
}

// A desktop pays by a code while a second window scans it; the page turns into
// the paid order by itself.
func TestWalkDesktopByCode(t *testing.T) {
	w, browser := newTown(t), chromium(t)
	desk := person(t, browser, 1280, 800)
	no := desk.buy(w.shopURL, func() {})
	desk.says("用微信扫一扫付款")
	desk.until("document.querySelector('.qr img').complete && document.querySelector('.qr img').naturalWidth > 0")
	desk.until("/还有 (29|30):\\d\\d/.test(document.querySelector('[role=timer]').textContent)")
	desk.shot("code-desk")
	eval[bool](desk, "window.stays = true")

	phone := person(t, browser, 390, 844)
	phone.open(w.gateway + "/_sim/scan?u=2")
	phone.press(button("扫码付 ¥168.00"))
	desk.until("location.pathname === '/orders/" + no + "'")
	desk.says("付款成功")
	desk.shot("code-paid")
	if eval[int](desk, "history.length") > 12 {
		t.Error("polling left traces in the history")
	}
	desk.wantNoViolations()
}

// A phone's browser leaves for WeChat by a link, pays there, and comes back to
// a question that has the answer already.
func TestWalkPhoneByH5(t *testing.T) {
	w, browser := newTown(t), chromium(t)
	phone := person(t, browser, 390, 844)
	phone.as(phoneBrowser)
	no := phone.buy(w.shopURL, func() {})
	phone.says("会打开微信")
	phone.shot("h5-pay")
	phone.press("document.querySelector('a#go')")
	phone.until("location.origin === '" + w.gateway + "'") // H15: the other origin was reached
	phone.shot("h5-cashier")
	phone.press(button("取消"))
	phone.until("location.pathname === '/pay/" + no + "/back'")
	phone.says("在微信里付好了吗")
	phone.shot("h5-back")
	phone.press(button("我已付款"))
	phone.says("微信那边还没有这笔付款")
	phone.says("待付款")
	phone.open(w.shopURL + "/pay/" + no + "/back")
	phone.press(button("重新付款"))
	phone.press("document.querySelector('a#go')")
	phone.press(button("打开微信付 ¥168.00"))
	phone.until("location.pathname === '/orders/" + no + "'") // the question asked by itself
	phone.says("付款成功")
	phone.wantNoViolations()
}

// The browser's own Back from WeChat lands on the question, not on the way out.
func TestWalkPhoneBack(t *testing.T) {
	w, browser := newTown(t), chromium(t)
	phone := person(t, browser, 390, 844)
	phone.as(phoneBrowser)
	no := phone.buy(w.shopURL, func() {})
	phone.press("document.querySelector('a#go')")
	phone.until("location.origin === '" + w.gateway + "'")
	if err := chromedp.Do(phone.ctx, chromedp.NavigateBack()); err != nil {
		t.Fatal(err)
	}
	phone.until("location.pathname === '/pay/" + no + "/back'")
	phone.says("在微信里付好了吗")
}

// Another way to pay: the order goes from a desk into WeChat by its link, and
// the code that stayed behind cannot be paid any more.
func TestWalkFromCodeToWeChat(t *testing.T) {
	w, browser := newTown(t), chromium(t)
	desk := person(t, browser, 1280, 800)
	no := desk.buy(w.shopURL, func() {})
	var before []struct {
		No    string `json:"out_trade_no"`
		State string `json:"state"`
	}
	w.api("GET", "transactions", nil, &before)
	desk.press(button("换一种付款方式"))
	desk.says("请用微信打开")
	desk.shot("code-other")
	link := eval[string](desk, "new URL(document.querySelector('#claim').value).pathname")
	me := person(t, browser, 390, 844)
	me.open(w.face + link)
	me.press(button("是我的"))
	me.until("location.pathname === '/pay/" + no + "'")
	me.press(button("微信支付 ¥"))
	me.until("document.querySelector('script#pay')")
	me.pays()
	me.until("location.pathname === '/orders/" + no + "'")
	me.says("付款成功")
	var code struct{ State string }
	if len(before) != 1 {
		t.Fatalf("%d payments at WeChat before", len(before))
	}
	if w.api("GET", "transactions/"+before[0].No, nil, &code); code.State != "CLOSED" {
		t.Errorf("the code is %s at WeChat", code.State)
	}
	me.wantNoViolations()
	desk.wantNoViolations()
}
