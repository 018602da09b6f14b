package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// chrome opens a phone-sized tab, or skips where no chromium is installed.
func chrome(t *testing.T) context.Context {
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
	if err := chromedp.Do(tab, chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(tab, 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func eval[T any](t *testing.T, ctx context.Context, js string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", js, err)
	}
	return v
}

// until waits for an expression to become true, across navigations.
func until(t *testing.T, ctx context.Context, js string) {
	t.Helper()
	var last error
	for range 400 {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+js+")"))
		if ok {
			return
		}
		last = err
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("never true: %s (%v)", js, last)
}

// inSheet is a selector inside the face's shadow root.
func inSheet(css string) string {
	return "document.querySelector('#wxsim')?.shadowRoot.querySelector('" + css + "')"
}

func press(t *testing.T, ctx context.Context, css string) {
	t.Helper()
	until(t, ctx, inSheet(css))
	do(t, ctx, chromedp.Click(chromedp.JSPath(inSheet(css))))
}

func openShop(t *testing.T, ctx context.Context, st *stage) {
	t.Helper()
	do(t, ctx, chromedp.Navigate(st.face+"/"))
	until(t, ctx, "window.WeixinJSBridge && "+inSheet(".ribbon"))
}

func TestChromePays(t *testing.T) {
	ctx, st := chrome(t), newStage(t, "")
	openShop(t, ctx, st)
	if early := eval[string](t, ctx, "early"); early != "undefined" {
		t.Errorf("typeof WeixinJSBridge while the page loads = %s, want undefined: the real one is late", early)
	}
	if late := eval[bool](t, ctx, "window.readyAt > window.loadAt"); !late {
		t.Error("WeixinJSBridgeReady came before load, want after")
	}
	for _, tc := range []struct{ name, act, want string }{
		{"cancel", "cancel", "get_brand_wcpay_request:cancel "},
		{"fail", "fail", "get_brand_wcpay_request:fail 模拟的付款失败"},
		{"not enough", "notenough", "get_brand_wcpay_request:fail 零钱余额不足"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			do(t, ctx, chromedp.Evaluate[chromedp.Void]("answers.length = 0"), chromedp.Click(chromedp.CSS("#pay")))
			press(t, ctx, "[data-act="+tc.act+"]")
			until(t, ctx, "answers.length")
			if got := eval[string](t, ctx, "answers[0].err_msg + ' ' + (answers[0].err_desc || '')"); got != tc.want {
				t.Errorf("answer = %q, want %q", got, tc.want)
			}
		})
	}
	payWithPassword(t, ctx, st)
	if v := eval[[]string](t, ctx, "violations"); len(v) != 0 {
		t.Errorf("securitypolicyviolation events: %q, want none", v)
	}
	if len(st.notes) != 0 {
		t.Errorf("notes = %q, want none for a policy with 'self'", st.notes)
	}
}

// payWithPassword types six digits, pays, and sees that the page hears of it
// only after 完成.
func payWithPassword(t *testing.T, ctx context.Context, st *stage) {
	t.Helper()
	do(t, ctx, chromedp.Evaluate[chromedp.Void]("answers.length = 0"), chromedp.Click(chromedp.CSS("#pay")))
	until(t, ctx, inSheet("dialog[open][data-view=pay]"))
	if got := eval[string](t, ctx, inSheet("dialog")+".matches(':modal') && "+inSheet(".amt")+".textContent"); got != "¥284.00" {
		t.Errorf("modal sheet shows %q, want ¥284.00", got)
	}
	do(t, ctx, chromedp.KeyEvent("135790")) // the field has the focus
	if got := eval[string](t, ctx, inSheet("[data-f=password]")+".value"); got != "135790" {
		t.Errorf("password field = %q, want 135790", got)
	}
	press(t, ctx, "[data-act=pay]")
	until(t, ctx, inSheet("dialog[data-view=paid]"))
	time.Sleep(100 * time.Millisecond) // a callback that comes too early has its chance
	if n := eval[int](t, ctx, "answers.length"); n != 0 {
		t.Errorf("%d callbacks before 完成, want 0", n)
	}
	press(t, ctx, "[data-act=done]")
	until(t, ctx, "answers.length")
	if got := eval[string](t, ctx, "answers[0].err_msg"); got != "get_brand_wcpay_request:ok" {
		t.Errorf("answer = %q, want get_brand_wcpay_request:ok", got)
	}
	if eval[bool](t, ctx, "!!"+inSheet("dialog")) {
		t.Error("the sheet is still there after 完成")
	}
	st.wechat.mu.Lock()
	defer st.wechat.mu.Unlock()
	if got, want := st.wechat.prepared[0].PageURL, st.shop.base+"/"; got != want {
		t.Errorf("PageURL = %q, want the shop's %q", got, want)
	}
	if got := st.wechat.acts[len(st.wechat.acts)-1]; got != (Act{"t1", "1", "success"}) {
		t.Errorf("act = %+v, want success by user 1", got)
	}
}

func TestChromeRefuses(t *testing.T) {
	ctx, st := chrome(t), newStage(t, "")
	openShop(t, ctx, st)
	for _, tc := range []struct{ name, js, want string }{
		{"number as timeStamp", "pay({...params, timeStamp: 1700000000})", "get_brand_wcpay_request:fail jsapi 缺少参数 key0"},
		{"no appId", "pay({...params, appId: undefined})", "get_brand_wcpay_request:fail 调用支付JSAPI缺少参数：appId"},
		{"wrong case", "pay({...params, nonceStr: undefined, noncestr: 'x'})", "get_brand_wcpay_request:fail 调用支付JSAPI缺少参数：nonceStr"},
		{"first of two", "pay({...params, paySign: '', package: ''})", "get_brand_wcpay_request:fail 调用支付JSAPI缺少参数：package"},
		{"nothing at all", "pay({})", "get_brand_wcpay_request:fail 调用支付JSAPI缺少参数：appId"},
		{"wrong signature", "pay({...params, paySign: 'XX'})", "get_brand_wcpay_request:fail 支付验证签名失败"},
		{"unknown api", "WeixinJSBridge.invoke('scanMoon', {}, r => answers.push(r))", "system:function_not_exist "},
		{"wx.config", "WeixinJSBridge.invoke('preVerifyJSAPI', {verifyAppId: 'wx1', verifyTimestamp: '5', verifyNonceStr: 'n', verifySignature: 'bad'}, r => answers.push(r))", "preVerifyJSAPI:invalid signature why"},
		{"inherited name", "WeixinJSBridge.invoke('toString', {}, r => answers.push(r))", "system:function_not_exist "},
		{"network", "WeixinJSBridge.invoke('getNetworkType', r => answers.push(r))", "network_type:wifi "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if sync := eval[int](t, ctx, "answers.length = 0, "+tc.js+", answers.length"); sync != 0 {
				t.Errorf("%d callbacks before invoke returned, want 0", sync)
			}
			until(t, ctx, "answers.length")
			if got := eval[string](t, ctx, "answers[0].err_msg + ' ' + (answers[0].err_desc || '')"); got != tc.want {
				t.Errorf("answer = %q, want %q", got, tc.want)
			}
		})
	}
	if ua := eval[string](t, ctx, "navigator.userAgent"); !strings.Contains(ua, "MicroMessenger/") {
		t.Errorf("navigator.userAgent = %q, want MicroMessenger in it", ua)
	}
}

func TestChromeSheetManners(t *testing.T) {
	ctx, st := chrome(t), newStage(t, "")
	openShop(t, ctx, st)
	do(t, ctx, chromedp.Click(chromedp.CSS("#pay")))
	until(t, ctx, inSheet("dialog[open]"))

	eval[chromedp.Void](t, ctx, "void pay(params)") // second invoke while the sheet is open
	until(t, ctx, "answers.length")
	if got := eval[string](t, ctx, "answers[0].err_msg"); got != "get_brand_wcpay_request:fail" {
		t.Errorf("second invoke = %q, want fail", got)
	}
	for range 12 { // Tab never leaves the dialog
		do(t, ctx, chromedp.KeyEvent("\t"))
		if !eval[bool](t, ctx, "!!document.querySelector('#wxsim').shadowRoot.activeElement?.closest('dialog')") {
			t.Fatal("focus left the dialog")
		}
	}
	do(t, ctx, chromedp.KeyEvent("\x1b"))
	until(t, ctx, "answers.length == 2")
	if got := eval[string](t, ctx, "answers[1].err_msg"); got != "get_brand_wcpay_request:cancel" {
		t.Errorf("Esc = %q, want cancel", got)
	}
	do(t, ctx, chromedp.Click(chromedp.CSS("#pay"))) // the door opens again
	until(t, ctx, inSheet("dialog[open]"))
}

func TestChromeSilence(t *testing.T) {
	ctx, st := chrome(t), newStage(t, "")
	openShop(t, ctx, st)
	do(t, ctx, chromedp.Click(chromedp.CSS("#pay")))
	press(t, ctx, "[data-act=silent]")
	until(t, ctx, "!"+inSheet("dialog"))
	time.Sleep(100 * time.Millisecond)
	if n := eval[int](t, ctx, "answers.length"); n != 0 {
		t.Errorf("%d callbacks after 不回调, want 0", n)
	}
}

func TestChromeSwitchesUser(t *testing.T) {
	ctx, st := chrome(t), newStage(t, "")
	openShop(t, ctx, st)
	until(t, ctx, inSheet(".ribbon")+".textContent.includes('林晓溪')")
	press(t, ctx, "[data-act=menu]")
	press(t, ctx, "[data-user=\"2\"]")
	until(t, ctx, "window.WeixinJSBridge && "+inSheet(".ribbon > button")+".textContent.includes('周予安')")
	if c := eval[string](t, ctx, "document.cookie"); c != "" {
		t.Errorf("document.cookie = %q, want none that scripts can read", c)
	}
}

// A shop whose policy lets in scripts by nonce alone still gets its bridge.
func TestChromeNonceOnlyPolicies(t *testing.T) {
	for _, tc := range []struct{ name, policy string }{
		{"nonce only", "default-src 'none'; script-src 'nonce-r4nd0m'"},
		{"strict-dynamic", "script-src 'nonce-r4nd0m' 'strict-dynamic'; object-src 'none'; connect-src https://api.example.com"},
		{"strict-dynamic without nonce", "script-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' 'strict-dynamic'"},
		{"trusted types", "script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'"},
		{"nothing", "default-src 'none'"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx, st := chrome(t), newStage(t, tc.policy)
			openShop(t, ctx, st)
			until(t, ctx, inSheet(".ribbon")+".textContent.includes('林晓溪')") // connect-src as well
		})
	}
}

// Pictures for people to look at: WXSIM_SHOTS=dir go test -run Screenshots.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("WXSIM_SHOTS")
	if dir == "" {
		t.Skip("WXSIM_SHOTS is not set")
	}
	ctx, st := chrome(t), newStage(t, "")
	shot := func(name string) {
		png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, scheme := range []string{"light", "dark"} {
		if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
			t.Fatal(err)
		}
		for _, size := range [][2]int64{{390, 844}, {1280, 800}, {320, 568}} {
			do(t, ctx, chromedp.EmulateViewport(size[0], size[1]))
			openShop(t, ctx, st)
			name := fmt.Sprintf("%s-%d", scheme, size[0])
			press(t, ctx, "[data-act=menu]")
			shot("ribbon-" + name)
			press(t, ctx, "[data-act=menu]")
			do(t, ctx, chromedp.Click(chromedp.CSS("#pay")))
			until(t, ctx, inSheet("dialog[open]"))
			do(t, ctx, chromedp.KeyEvent("123"))
			shot("sheet-" + name)
			press(t, ctx, "[data-act=pay]")
			until(t, ctx, inSheet("dialog[data-view=paid]"))
			shot("paid-" + name)
			press(t, ctx, "[data-act=done]")
		}
	}
}
