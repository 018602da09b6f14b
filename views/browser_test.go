package views

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/chromedp/chromedp"

	"wxshop/models"
	"wxshop/static"
)

// window is a real browser before a server that shows pages of this package
// with the policy of the shop, and answers what the test tells it to.
type window struct {
	t   *testing.T
	ctx context.Context
	url string

	mu    sync.Mutex
	pages map[string]templ.Component
	state string
	posts int
	asked int
}

// chromium opens a window, or skips where there is no browser; under CI=true
// that is a failure.
func chromium(t *testing.T) *window {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		const how = "chromium is not installed: make deps, or apt-get install chromium fonts-noto-cjk"
		if os.Getenv("CI") == "true" {
			t.Fatal(how)
		}
		t.Skip("SKIP " + how)
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox)
	alloc, stop := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(stop)
	tab, end := chromedp.NewContext(alloc)
	t.Cleanup(end)
	if err := chromedp.Do(tab, chromedp.EmulateViewport(390, 844)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(tab, 2*time.Minute)
	t.Cleanup(cancel)
	w := &window{t: t, ctx: ctx, pages: map[string]templ.Component{}, state: "unpaid"}
	srv := httptest.NewServer(w)
	t.Cleanup(srv.Close)
	w.url = srv.URL
	return w
}

// ServeHTTP is the server's side.
func (w *window) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f, ok := static.Lookup(r.URL.Path); ok {
		out.Header().Set("Content-Type", f.ContentType)
		_, _ = out.Write(f.Data)
		return
	}
	if strings.HasSuffix(r.URL.Path, "/status") {
		w.asked++
		out.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(out).Encode(map[string]any{"state": w.state, "message": "", "next_ms": 200})
		return
	}
	if r.Method == http.MethodPost {
		w.posts++
		time.Sleep(300 * time.Millisecond) // long enough for a second tap
	}
	page, ok := w.pages[r.URL.Path]
	if !ok {
		http.NotFound(out, r)
		return
	}
	out.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self' "+StyleHash()+
		"; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	out.Header().Set("Content-Type", "text/html; charset=utf-8")
	var b bytes.Buffer
	if err := page.Render(r.Context(), &b); err != nil {
		http.Error(out, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = out.Write(b.Bytes())
}

func (w *window) set(state string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = state
}

func (w *window) counts() (posts, asked int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.posts, w.asked
}

// serve puts a page under a path.
func (w *window) serve(path string, page templ.Component) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pages[path] = page
}

// open shows a page under its path.
func (w *window) open(path string, page templ.Component) {
	w.t.Helper()
	w.serve(path, page)
	if err := chromedp.Do(w.ctx, chromedp.Navigate(w.url+path)); err != nil {
		w.t.Fatal(err)
	}
	if !eval[bool](w, "getComputedStyle(document.body).display === 'flex'") {
		w.t.Errorf("%s: the policy blocked its own stylesheet", path) // H1
	}
}

func eval[T any](w *window, js string) T {
	w.t.Helper()
	v, err := chromedp.Run(w.ctx, chromedp.Evaluate[T](js))
	if err != nil {
		w.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// run does something in the page whose value does not matter.
func (w *window) run(js string) { w.t.Helper(); eval[bool](w, "(()=>{"+js+";return true})()") }

// until waits for an expression to hold, across page loads.
func (w *window) until(js string) {
	w.t.Helper()
	for range 400 {
		if ok, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool]("!!("+js+")")); err == nil && ok {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	w.t.Fatalf("never true: %s\nthe page says: %s", js, eval[string](w, "document.querySelector('main').innerText"))
}

// soon is an order that is to be paid within that time, in the clock of the
// real browser.
func soon(left time.Duration) (Page, Order) {
	p, o := storyPage(ZH, storyPath), storyOrder()
	p.Now = time.Now()
	o.CreatedAt, o.Deadline = p.Now, p.Now.Add(left)
	return p, o
}

const (
	saying = "document.getElementById('say').textContent.trim()"
	goBusy = "document.getElementById('go').getAttribute('aria-disabled') === 'true'"
)

func TestBrowserProduct(t *testing.T) {
	w := chromium(t)
	p := sampleProductPage(ZH, readSampleGoods().Goods[0])
	w.open("/p/longjing", Product(p))
	w.run("document.querySelector('[value=plus]').click()")
	w.until("document.querySelector('[name=qty]').value === '2' && !document.querySelector('[value=minus]').disabled")
	w.run("document.querySelector('[name=sku]').click()")
	w.until("document.querySelector('[data-price]').textContent === '¥98.00' && document.querySelector('[data-stock]').textContent === '还有 60 件'")
	w.run("const q = document.querySelector('[name=qty]'); q.value = '500'; q.dispatchEvent(new Event('change', {bubbles: true}))")
	w.until("document.querySelector('[name=qty]').value === '60' && document.querySelector('[value=plus]').disabled")
	if got := eval[string](w, "location.pathname + location.search"); got != "/p/longjing" {
		t.Errorf("the stepper went to %s", got)
	}
	w.serve("/cart/add", Product(p))
	w.run("const b = document.querySelectorAll('.bar button'); b[1].click(); b[1].click(); b[0].click()")
	w.until("location.pathname === '/cart/add'")
	if posts, _ := w.counts(); posts != 1 {
		t.Errorf("three taps posted %d times", posts)
	}
}

func TestBrowserCountdown(t *testing.T) {
	w := chromium(t)
	p, o := soon(61 * time.Minute)
	w.open(storyPath, OrderDetail(OrderPage{Page: p, Order: o}))
	w.until("/^01:0[01]:\\d\\d 内$/.test(document.querySelector('[role=timer]').textContent)")
	p, o = soon(2 * time.Second)
	w.open(storyPath, OrderDetail(OrderPage{Page: p, Order: o}))
	w.until(saying + " === '时间到了，正在确认。'")
	w.until("document.querySelector('.bar .btn:last-child').getAttribute('aria-disabled') === 'true'")
	w.set("closed") // only the answer may say so
	o.State, o.CloseReason = models.Closed, models.ByTimeout
	w.serve(storyPath, OrderDetail(OrderPage{Page: p, Order: o}))
	w.until("document.querySelector('h1').textContent.includes('已关闭')")
	w.until("!document.querySelector('[data-copy]').closest('[hidden]')") // the script of the new page is there
	w.run("document.querySelector('[data-copy]').click()")
	w.until("['已复制', '请长按复制'].includes(document.querySelector('[data-copy]').textContent)")
	w.until("document.querySelector('[data-copy]').textContent === '复制订单编号'")
}

// TestBrowserSameNews: a page that would say the same again is not loaded for
// ever.
func TestBrowserSameNews(t *testing.T) {
	w := chromium(t)
	p, o := soon(30 * time.Minute)
	w.set("checking") // while the page stays what it is
	w.open(storyPath, OrderDetail(OrderPage{Page: p, Order: o}))
	w.until("sessionStorage[document.querySelector('[data-poll]').dataset.poll] === 'checking'")
	w.until("performance.getEntriesByType('navigation').length && document.readyState === 'complete'")
	_, before := w.counts()
	for range 100 {
		time.Sleep(25 * time.Millisecond)
		if _, now := w.counts(); now >= before+3 {
			break
		}
	}
	w.run("window.stays = true")
	time.Sleep(1300 * time.Millisecond) // longer than a new page waits before it asks
	if !eval[bool](w, "window.stays === true") {
		t.Error("the page is loaded again and again")
	}
}

// TestBrowserPay: whatever the window of WeChat says, our server decides.
func TestBrowserPay(t *testing.T) {
	w := chromium(t)
	p, o := soon(30 * time.Minute)
	pay := Pay(PayPage{Page: p, Order: o, Bridge: &Bridge{AppID: "wxf000000000000001", TimeStamp: "1795091434", Package: "prepay_id=wx1"}})
	w.serve(storyPath, OrderDetail(OrderPage{Page: p, Order: paidOrder()}))
	const bridge = "window.WeixinJSBridge = {invoke(n, p, cb) { window.asked = [n, p]; window.end = m => cb({err_msg: 'get_brand_wcpay_request' + m}) }}"
	tap := func() {
		w.run("document.getElementById('go').click()")
	}

	w.open(storyPay, pay)
	tap()
	w.until(goBusy)
	w.until(saying + " === '微信付款窗口没有打开，再点一次按钮。' && !(" + goBusy + ")")

	w.run("setTimeout(() => { " + bridge + "; document.dispatchEvent(new Event('WeixinJSBridgeReady')) }, 200)")
	tap() // the bridge comes late
	w.until("window.asked")
	if got := eval[string](w, "JSON.stringify([asked[0], asked[1].appId, asked[1].timeStamp, asked[1].package])"); got != `["getBrandWCPayRequest","wxf000000000000001","1795091434","prepay_id=wx1"]` {
		t.Errorf("invoked with %s", got)
	}
	w.run("end(':cancel')")
	w.until(saying + " === '你还没有付款，订单为你留着。' && !(" + goBusy + ")")

	for msg, want := range map[string]string{
		":fail":                 "没有付成，订单还在，可以再付一次。",
		" system:access_denied": "这里不能直接付款，请用手机微信扫码。",
	} {
		_, before := w.counts()
		w.run("window.end = null")
		tap()
		w.until("window.end")
		w.run(fmt.Sprintf("end(%q)", msg))
		w.until(fmt.Sprintf("%s === %q && !(%s)", saying, want, goBusy))
		if _, after := w.counts(); after == before {
			t.Errorf("%s: believed without asking", msg)
		}
	}

	w.run("window.end = null")
	tap()
	w.until("window.end")
	w.run("end(':ok'); end(':cancel')") // the second word does not count
	w.until(saying + " === '正在向微信确认，请先不要再付。'")
	time.Sleep(600 * time.Millisecond)
	if !eval[bool](w, goBusy+" && location.pathname.startsWith('/pay/')") {
		t.Error("an ok of the window alone moved the page on, or freed the button")
	}
	w.set("paid")
	w.until("location.pathname === '" + storyPath + "' && document.querySelector('h1').textContent.includes('付款成功')")
}

// TestBrowserChecking: while the outcome is not known the page asks, and its
// button waits.
func TestBrowserChecking(t *testing.T) {
	w := chromium(t)
	p, o := soon(30 * time.Minute)
	o.Checking = true
	w.set("checking")
	w.open(storyPath, OrderDetail(OrderPage{Page: p, Order: o}))
	w.until("document.querySelector('.bar .btn:last-child').matches('.busy[aria-disabled]')")
	w.set("paid")
	w.serve(storyPath, OrderDetail(OrderPage{Page: p, Order: paidOrder()}))
	w.until("document.querySelector('h1').textContent.includes('付款成功')")
	if !eval[bool](w, "history.length <= 2") {
		t.Error("polling left traces in the history")
	}
}

// TestBrowserNarrow: no page scrolls sideways on the smallest phone, in plain
// and in large text.
func TestBrowserNarrow(t *testing.T) {
	w := chromium(t)
	if err := chromedp.Do(w.ctx, chromedp.EmulateViewport(320, 568)); err != nil {
		t.Fatal(err)
	}
	for _, s := range Samples() {
		w.open("/sample/"+s.Name, s.Component)
		wide := eval[[]int](w, `['', 'care'].map(m => { document.documentElement.dataset.mode = m; return document.documentElement.scrollWidth })`)
		if len(wide) != 2 || wide[0] > 320 || wide[1] > 320 {
			t.Errorf("%s is %v wide, plain and in large text", s.Name, wide)
		}
	}
}
