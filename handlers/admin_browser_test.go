package handlers

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"wxshop/views"
)

// adminChrome opens a tab, or skips where no chromium is installed.
func adminChrome(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is not installed: apt-get install chromium")
		}
		t.Skip("chromium is not installed: apt-get install chromium")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox)
	alloc, stop := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(stop)
	tab, end := chromedp.NewContext(alloc)
	t.Cleanup(end)
	ctx, cancel := context.WithTimeout(tab, 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func chromeDo(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// listen puts a world behind a real socket, with an address of samples.
func listen(t *testing.T) (*world, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + l.Addr().String()
	w := newWorld(t, func(c *Config) { c.Site.BaseURL = base })
	for _, s := range views.AdminSamples() {
		w.srv.engine.GET("/admin-sample/"+s.Name, w.srv.page(func(c *ginContext) error {
			return w.srv.show(c, classStaff, http.StatusOK, s.Component)
		}))
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: w.shop}}
	server.Start()
	t.Cleanup(server.Close)
	return w, base
}

// look is what a page tells about itself.
type look struct{ Sideways, Broken, Styled, Small string }

// checkLook runs in the page: nothing is wider than the window, every picture
// and the sheet came through the policy, and what is touched is large enough.
const checkLook = `(() => {
	const d = document.documentElement, phone = innerWidth < 720;
	const wide = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.side,.nav,.panel,.vh'));
	const small = [...document.querySelectorAll('a,button,input:not([type=hidden]):not([type=checkbox]),.check,summary')].filter(e => {
		const r = e.getBoundingClientRect();
		return phone && r.height > 0 && r.height < 43.5 && !e.closest('.skip') && !e.hidden;
	});
	const name = e => e ? e.outerHTML.slice(0, 120) : '';
	return {
		Sideways: d.scrollWidth > d.clientWidth ? 'page ' + name(wide[0]) : '',
		Broken: name([...document.images].find(i => !i.complete || !i.naturalWidth)),
		Styled: getComputedStyle(document.querySelector('.btn')).borderRadius,
		Small: name(small[0]),
	};
})()`

// Every page of the merchant in a real browser under the strict policy, on a
// phone and on a desk, light and dark. ADMIN_SHOTS=dir keeps the pictures.
func TestAdminLook(t *testing.T) {
	ctx := adminChrome(t)
	_, base := listen(t)
	sizes := [][2]int64{{390, 844}, {1280, 800}, {320, 640}}
	for _, s := range views.AdminSamples() {
		for _, size := range sizes {
			chromeDo(t, ctx, chromedp.EmulateViewport(size[0], size[1]), chromedp.Navigate(base+"/admin-sample/"+s.Name))
			got, err := chromedp.Run(ctx, chromedp.Evaluate[look](checkLook))
			if err != nil {
				t.Fatal(err)
			}
			if got.Sideways != "" || got.Broken != "" || got.Styled == "0px" || got.Small != "" {
				t.Errorf("%s at %d: %+v", s.Name, size[0], got)
			}
			keepShots(t, ctx, fmt.Sprintf("%s-%d", s.Name, size[0]))
		}
	}
}

func keepShots(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("ADMIN_SHOTS")
	if dir == "" {
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
			t.Fatal(err)
		}
		png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+"-"+scheme+".png"), png, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A14, H16: a shopper's hostile words reach the merchant as words: no dialog
// opens, no script runs, the policy is never broken; and the merchant signs
// in, ships, and signs out by what is on the pages.
func TestAdminBrowserWalk(t *testing.T) {
	ctx := adminChrome(t)
	w, base := listen(t)
	w.hire("owner", "owner")
	buyer := w.inside("1").signIn()
	buyer.add("LJ-50g", "1")
	form := buyer.checkoutForm()
	form.Set("name", `<img src=x onerror=alert(1)>`)
	form.Set("note", `"><svg onload=alert(1)><script>alert(1)</script>`)
	form.Set("detail", `javascript:alert(1)`)
	no := buyer.orderNo(buyer.do("POST", "/checkout", form))
	buyer.visit("/pay/" + no)
	w.api("POST", "transactions/"+w.attempt(no).OutTradeNo+"/pay", map[string]any{}, nil)

	chromeDo(t, ctx, chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile), chromedp.Navigate(base+"/admin/orders/"+no),
		chromedp.SendKeys(chromedp.CSS("[name=user]"), "owner"), chromedp.SendKeys(chromedp.CSS("[name=password]"), adminPassword),
		chromedp.Click(chromedp.CSS("button.btn")))
	untilChrome(t, ctx, `document.querySelector('h1.n')`)
	chromeDo(t, ctx, chromedp.Click(chromedp.CSS("form.head button")))
	untilChrome(t, ctx, `document.querySelector('#ship')`)
	if text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`)); err != nil || !strings.Contains(text, "<img src=x onerror=alert(1)>") {
		t.Errorf("the name is not shown as it was typed: %v\n%s", err, text)
	}
	if n, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.querySelectorAll('script, [onerror], [onload], img[src=x]').length`)); err != nil || n != 0 {
		t.Errorf("%d elements came out of what was typed, %v", n, err)
	}
	chromeDo(t, ctx, chromedp.SendKeys(chromedp.CSS("[name=carrier]"), "顺丰速运"), chromedp.SendKeys(chromedp.CSS("[name=tracking]"), "sf1022334455"),
		chromedp.Click(chromedp.CSS("#ship button")))
	untilChrome(t, ctx, `document.body.innerText.includes('Shipped: 顺丰速运 SF1022334455.')`)
	chromeDo(t, ctx, chromedp.Click(chromedp.CSS("form[action='/admin/signout'] button:not([formaction])")))
	untilChrome(t, ctx, `location.pathname == '/admin/signin'`)
	chromeDo(t, ctx, chromedp.Navigate(base+"/admin/orders/"+no))
	untilChrome(t, ctx, `location.pathname == '/admin/signin' && location.search.includes(`+"'"+url.QueryEscape(no)+"'"+`)`)
}

func untilChrome(t *testing.T, ctx context.Context, js string) {
	t.Helper()
	for range 400 {
		if ok, _ := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+js+")")); ok {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location + "\n" + document.body.innerText`))
	t.Fatalf("never true: %s\n%s", js, text)
}

// The cash desk takes a payment code that needs a password, then the merchant
// gives part of an order back, by what is on the pages.
func TestAdminBrowserMoney(t *testing.T) {
	ctx := adminChrome(t)
	w, base := listen(t)
	forward := w.stopNow()
	w.hire("owner", "owner")
	no := w.settledOrder(w.inside("1").signIn(), "LJ-50g")
	code, _, _ := w.codes()
	chromeDo(t, ctx, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(base+"/admin/cashdesk"),
		chromedp.SendKeys(chromedp.CSS("[name=user]"), "owner"), chromedp.SendKeys(chromedp.CSS("[name=password]"), adminPassword),
		chromedp.Click(chromedp.CSS("button.btn")))
	untilChrome(t, ctx, `document.activeElement.name == 'amount'`)
	chromeDo(t, ctx, chromedp.SendKeys(chromedp.CSS("[name=amount]"), "1001\r"))
	untilChrome(t, ctx, `document.activeElement.name == 'code' && document.querySelector('.wide').textContent.includes('¥1001')`)
	chromeDo(t, ctx, chromedp.SendKeys(chromedp.CSS("[name=code]"), code+"\r")) // 18 digits send it, Enter must not send it again
	untilChrome(t, ctx, `document.querySelector('[data-state=waiting]')`)
	sales, err := w.store.Sales(t.Context(), time.Now().Add(-time.Hour), 10)
	if err != nil || len(sales) != 1 {
		t.Fatalf("%d sales, %v", len(sales), err)
	}
	w.api("POST", "transactions/"+sales[0].Payment.OutTradeNo+"/pay", map[string]any{}, nil)
	forward(11 * time.Second)
	untilChrome(t, ctx, `document.querySelector('section.ok .big')`)

	chromeDo(t, ctx, chromedp.Navigate(base+"/admin/orders/"+no), chromedp.Click(chromedp.CSS(`a[href$='/refund']`)))
	untilChrome(t, ctx, `document.querySelector('[name=reason]')`)
	chromeDo(t, ctx, chromedp.Click(chromedp.CSS(`input[data-fen]`)))
	untilChrome(t, ctx, `document.querySelector('[name=amount]').value == '98.00' && document.querySelector('.risk').textContent.includes('¥98.00')`)
	chromeDo(t, ctx, chromedp.SendKeys(chromedp.CSS("[name=reason]"), "dented"), chromedp.Click(chromedp.CSS(".risk")))
	untilChrome(t, ctx, `document.querySelector('.flash.ok') && document.body.innerText.includes('98.00')`)
	if sum, n := w.given(no); sum != 9800 || n != 1 {
		t.Errorf("given back %s in %d parts, want 98.00 in one", sum, n)
	}
}
