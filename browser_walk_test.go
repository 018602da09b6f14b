package main

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// tab is one page of a real browser.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// chromium starts a browser, or skips where there is none; under CI=true a
// missing browser is a failure.
func chromium(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		const how = "chromium is not installed: make deps, or apt-get install chromium fonts-noto-cjk"
		if os.Getenv("CI") == "true" {
			t.Fatal(how)
		}
		t.Skip("SKIP " + how)
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("accept-lang", "zh-CN,zh"))
	alloc, stop := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(stop)
	first, end := chromedp.NewContext(alloc)
	t.Cleanup(end)
	if err := chromedp.Do(first, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	return first
}

// person opens a window of its own with its own cookies.
func person(t *testing.T, browser context.Context, width, height int64) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	b := &tab{t, ctx}
	var opts []chromedp.EmulateViewportOption
	if width < 500 {
		opts = append(opts, chromedp.EmulateMobile)
	}
	b.do(chromedp.EmulateViewport(width, height, opts...))
	b.collectViolations()
	limited, cancel := context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	b.ctx = limited
	return b
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// open goes to an address; a page that is just going elsewhere gets a second try.
func (b *tab) open(url string) {
	b.t.Helper()
	err := chromedp.Do(b.ctx, chromedp.Navigate(url))
	if err != nil && strings.Contains(err.Error(), "ERR_ABORTED") {
		err = chromedp.Do(b.ctx, chromedp.Navigate(url))
	}
	if err != nil {
		b.t.Fatalf("open %s: %v", url, err)
	}
}

// collectViolations keeps every CSP violation of every page (H16).
func (b *tab) collectViolations() {
	b.t.Helper()
	const js = `addEventListener('securitypolicyviolation', e => {
		const k = 'csp violations'; sessionStorage[k] = (sessionStorage[k] || '') + e.violatedDirective + ' ' + e.blockedURI + ' on ' + location.pathname + '\n' })`
	err := chromedp.Do(b.ctx, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: js})
		return err
	}))
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) wantNoViolations() {
	b.t.Helper()
	if v := eval[string](b, `sessionStorage['csp violations'] || ''`); v != "" {
		b.t.Errorf("the content security policy was violated:\n%s", v)
	}
}

func eval[T any](b *tab, js string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](js))
	if err != nil {
		b.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// until waits for an expression to hold, across page loads.
func (b *tab) until(js string) {
	b.t.Helper()
	end := time.Now().Add(25 * time.Second)
	for time.Now().Before(end) {
		if ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+js+")")); err == nil && ok {
			return
		}
		time.Sleep(30 * time.Millisecond)
	}
	b.shot("stuck")
	b.t.Fatalf("never true on %s: %s\n%.1500s", b.location(), js, eval[string](b, "document.body.innerText"))
}

func (b *tab) location() string { return eval[string](b, "location.href") }

// says waits until the page shows a text.
func (b *tab) says(text string) {
	b.t.Helper()
	b.until("document.body && document.body.innerText.includes(" + quote(text) + ")")
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `\'`) + "'" }

// press clicks the first visible element that a script finds.
func (b *tab) press(js string) {
	b.t.Helper()
	for try := 0; ; try++ {
		b.until(js)
		err := chromedp.Do(b.ctx, chromedp.Click(chromedp.JSPath(js)))
		if err == nil {
			return
		}
		if try == 20 || !strings.Contains(err.Error(), "-32000") { // the page was replaced under the pointer
			b.t.Fatalf("press %s: %v", js, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// button finds a button or link by the text on it.
func button(text string) string {
	return "[...document.querySelectorAll('main button, main a, button, a')].find(e => e.checkVisibility() && e.innerText.includes(" + quote(text) + "))"
}

// inSheet is an element of the simulated WeChat's own window.
func inSheet(css string) string {
	return "document.querySelector('#wxsim')?.shadowRoot.querySelector(" + quote(css) + ")"
}

func (b *tab) fill(name, value string) {
	b.t.Helper()
	field := "document.querySelector('main [name=" + name + "]')"
	b.until(field)
	b.do(chromedp.SetValue(chromedp.JSPath(field), value))
}

// shot keeps a picture of the page when WXSHOP_SHOTS names a folder.
func (b *tab) shot(name string) {
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		os.WriteFile(dir+"/"+name+".png", png, 0o644)
	}
}

// buy walks from home to the pay page and gives the order's number. between is
// called between any two clicks.
func (b *tab) buy(face string, between func()) string {
	b.t.Helper()
	b.open(face + "/")
	b.says("明前龙井")
	between()
	b.press("document.querySelector('ul.goods a[href*=longjing]')")
	b.until("document.querySelector('fieldset.opts')")
	between()
	b.press("[...document.querySelectorAll('.opts label')].find(l => l.innerText.includes('100 克'))")
	b.press(button("立即购买"))
	b.says("确认订单")
	between()
	if eval[bool](b, "!!document.querySelector('main input[name=name]:not([type=hidden])')") {
		b.fill("name", "林晓溪")
		b.fill("phone", "13800001234")
		b.fill("province", "浙江省")
		b.fill("city", "杭州市")
		b.fill("district", "西湖区")
		b.fill("detail", "文三路 90 号 3 幢 502")
	}
	b.press(button("提交订单"))
	b.until("location.pathname.startsWith('/pay/')")
	between()
	u, err := url.Parse(b.location())
	if err != nil {
		b.t.Fatal(err)
	}
	return orderInPath.FindStringSubmatch(u.Path)[1]
}

// pays presses the button, and in WeChat's window pays and returns.
func (b *tab) pays() {
	b.t.Helper()
	b.until("window.WeixinJSBridge")
	b.press(button("微信支付 ¥"))
	b.press(inSheet("[data-act=pay]"))
	b.press(inSheet("[data-act=done]"))
}

// The main job in a real browser: home, product, buy, OAuth, pay sheet, paid,
// and the merchant sees it. Strict CSP on every page.
func TestWalkInWeChat(t *testing.T) {
	w, browser := newTown(t), chromium(t)
	me := person(t, browser, 390, 844)
	no := me.buy(w.face, func() {})
	me.shot("walk-pay")
	me.pays()
	me.until("location.pathname === '/orders/" + no + "'")
	me.says("付款成功")
	me.shot("walk-paid")
	me.wantNoViolations()

	boss := person(t, browser, 1280, 800)
	boss.signIn(w)
	boss.open(w.shopURL + "/admin/orders")
	boss.says(no[len(no)-4:])
	boss.says("林晓溪")
	boss.open(w.shopURL + "/admin/orders/" + no)
	boss.says("168.00")
	boss.says("待发货")
	boss.shot("walk-admin")
	boss.wantNoViolations()
}

const newPassword = "a quiet pot of longjing 26"

// signIn is the owner's first one: one-time password, then their own.
func (b *tab) signIn(w *town) {
	b.t.Helper()
	b.open(w.shopURL + "/admin")
	b.fill("user", "owner")
	b.fill("password", w.firstPassword())
	b.press(button("登录"))
	b.until("document.querySelector('input[autocomplete=new-password]')")
	b.fill("current", w.firstPassword())
	b.fill("new", newPassword)
	b.fill("again", newPassword)
	b.press("document.querySelector('main form button.btn:not(.alt)')")
	b.until("!document.querySelector('input[autocomplete=new-password]')")
}

// Two browsers, two users, one order: the second cannot see, pay, cancel or
// guess it (P15).
func TestWalkTwoBrowsers(t *testing.T) {
	w, browser := newTown(t), chromium(t)
	a := person(t, browser, 390, 844)
	no := a.buy(w.face, func() {})
	b := person(t, browser, 390, 844)
	b.open(w.face + "/")
	b.until("window.WeixinJSBridge")
	b.press(inSheet("[data-act=menu]"))
	eval[bool](b, "window.firstUser = true")
	b.press(inSheet(`[data-user="2"]`))
	b.until("!window.firstUser && document.readyState === 'complete' && window.WeixinJSBridge")
	b.open(w.face + "/orders") // signs in as the second user
	b.until("location.pathname === '/orders'")
	const ask = `(async () => { const out = [];
		for (const p of ['/orders/NO', '/pay/NO', '/orders/NO/status', '/orders/NO/cancel'])
			out.push((await fetch(p, {redirect: 'manual'})).status);
		for (const p of ['/pay/NO', '/orders/NO/cancel', '/orders/NO/confirm', '/orders/NO/again'])
			out.push((await fetch(p, {method: 'POST', redirect: 'manual', headers: {'Content-Type': 'application/x-www-form-urlencoded'}})).status);
		return out.join(' ') })()`
	got, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](strings.ReplaceAll(ask, "NO", no), chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimSpace(strings.Repeat("404 ", 8)); got != want {
		t.Errorf("the second user got %s, want %s", got, want)
	}
	a.pays() // and the first still can
	a.says("付款成功")
}

// Shop and simulator restart between any two clicks: the same order goes on,
// and paid stays paid on both sides.
func TestWalkWithRestarts(t *testing.T) {
	w, browser := newTown(t), chromium(t)
	me := person(t, browser, 390, 844)
	n := 0
	restart := func() { n++; w.restart() }
	no := me.buy(w.face, restart)
	me.open(w.face + "/pay/" + no)
	me.until("window.WeixinJSBridge")
	me.press(button("微信支付 ¥"))
	me.until(inSheet("[data-act=pay]"))
	restart()
	me.press(inSheet("[data-act=pay]"))
	me.until(inSheet("[data-act=done]"))
	restart()
	me.press(inSheet("[data-act=done]"))
	me.until("location.pathname === '/orders/" + no + "'")
	me.says("付款成功")
	restart()
	me.open(w.face + "/orders/" + no)
	me.says("付款成功")
	var all []struct {
		State string `json:"state"`
	}
	w.api("GET", "transactions", nil, &all)
	if len(all) != 1 || all[0].State != "SUCCESS" {
		t.Errorf("after %d restarts WeChat has %+v, want one payment, SUCCESS", n, all)
	}
}
