package console

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// chrome opens a tab, or skips where no chromium is installed.
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
	if err := chromedp.Do(tab, chromedp.EmulateViewport(1280, 800)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(tab, 90*time.Second)
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
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js))
	if err != nil {
		t.Fatalf("%s: %v", js, err)
	}
	return v
}

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

const (
	firstTitle = "document.querySelector('#rows .ev').textContent"
	shownRows  = "[...document.querySelectorAll('#rows .ev')].filter(r => !r.hidden).length"
)

func TestChromeLiveGrows(t *testing.T) {
	ctx := chrome(t)
	d, base := newDemo(t)
	do(t, ctx, chromedp.Navigate(base+"/_sim/"))
	until(t, ctx, "document.querySelector('#tag').textContent == '实时'")
	d.grow("GET /new/one")
	until(t, ctx, firstTitle+".includes('/new/one')")
	if got := eval[string](t, ctx, "document.querySelector('#count').textContent"); got != "10 / 10" {
		t.Errorf("count = %q, want 10 / 10", got)
	}

	do(t, ctx, chromedp.Click(chromedp.CSS("#pause")))
	d.grow("GET /new/two", "GET /new/three")
	until(t, ctx, "document.querySelector('#held').textContent == '有 2 条新的' && !document.querySelector('#held').hidden")
	if got := eval[string](t, ctx, "document.querySelector('#pause').textContent"); got != "继续（2）" {
		t.Errorf("pause button = %q, want 继续（2）", got)
	}
	if !eval[bool](t, ctx, firstTitle+".includes('/new/one')") {
		t.Error("rows came in while paused")
	}
	do(t, ctx, chromedp.Click(chromedp.CSS("#held")))
	until(t, ctx, firstTitle+".includes('/new/three')")
	if n := eval[int](t, ctx, shownRows); n != 12 {
		t.Errorf("%d rows, want 12", n)
	}
}

// Reading further down holds new rows, and the place is kept to the pixel.
func TestChromeLiveHoldsWhileReading(t *testing.T) {
	ctx := chrome(t)
	d, base := newDemo(t)
	for i := range 40 {
		d.grow(fmt.Sprintf("GET /old/%d", i))
	}
	do(t, ctx, chromedp.Navigate(base+"/_sim/"))
	until(t, ctx, "document.querySelector('#tag').textContent == '实时'")
	place := eval[int](t, ctx, "document.querySelector('#feed').scrollTop = 600, document.querySelector('#feed').scrollTop")
	if place != 600 {
		t.Fatalf("the list does not scroll: %d", place)
	}
	d.grow("GET /new")
	until(t, ctx, "!document.querySelector('#held').hidden")
	if eval[bool](t, ctx, firstTitle+".includes('/new')") {
		t.Error("the row came in while somebody was reading below")
	}
	do(t, ctx, chromedp.Evaluate[chromedp.Void]("document.querySelector('#held').click()"))
	until(t, ctx, firstTitle+".includes('/new') && document.querySelector('#feed').scrollTop == 0")
}

func TestChromeFilterAndPane(t *testing.T) {
	ctx := chrome(t)
	d, base := newDemo(t)
	do(t, ctx, chromedp.Navigate(base+"/_sim/"))
	until(t, ctx, "document.querySelector('#tag').textContent == '实时'")
	do(t, ctx, chromedp.SendKeys(chromedp.CSS("[name=f]"), "unifiedorder"))
	until(t, ctx, shownRows+" == 2 && location.search == '?f=unifiedorder' && document.querySelector('#count').textContent == '2 / 9'")
	d.grow("GET /other", "POST /pay/unifiedorder")
	until(t, ctx, shownRows+" == 3")

	do(t, ctx, chromedp.Click(chromedp.CSS("#rows .ev[data-seq='5']")))
	until(t, ctx, "document.querySelector('#pane').textContent.includes('空参数也签进去了')")
	if got := eval[string](t, ctx, "location.search"); got != "?e=5&f=unifiedorder" {
		t.Errorf("address = %q, want the entry and the filter in it", got)
	}
	if !eval[bool](t, ctx, "document.querySelector('.ev[data-seq=\"5\"]').getAttribute('aria-current') == 'page' && !document.querySelector('#pane [data-copy]').hidden") {
		t.Error("the chosen row is not marked, or its copy button is hidden")
	}
	do(t, ctx, chromedp.NavigateBack())
	until(t, ctx, "document.querySelector('#pane').textContent.includes('选一条看看')")
}

func TestChromeStreamBroken(t *testing.T) {
	ctx := chrome(t)
	d, base := newDemo(t)
	d.broken = true
	do(t, ctx, chromedp.Navigate(base+"/_sim/"))
	until(t, ctx, "document.querySelector('#tag').textContent == '每 3 秒看一次'")
	d.grow("GET /by/poll")
	until(t, ctx, firstTitle+".includes('/by/poll')")
}

// New codes come to the phone by themselves, but not under a finger.
func TestChromeScanGrows(t *testing.T) {
	ctx := chrome(t)
	d, base := newDemo(t)
	do(t, ctx, chromedp.Navigate(base+"/_sim/scan"))
	const rows = "document.querySelectorAll('#waiting tbody tr').length"
	until(t, ctx, rows+" == 2")
	grew := 0
	until(t, ctx, "document.readyState == 'complete'")
	for eval[int](t, ctx, rows) == 2 && grew < 100 { // the stream opens a little later
		d.grow("a code")
		grew++
		time.Sleep(50 * time.Millisecond)
	}
	until(t, ctx, fmt.Sprintf("%s == %d", rows, 2+grew))
	if hidden := eval[bool](t, ctx, "document.querySelector('#paycode [data-copy]').hidden"); hidden {
		t.Error("the copy button is gone after a change")
	}
	do(t, ctx, chromedp.Focus(chromedp.CSS("#waiting button")))
	d.grow("a code")
	time.Sleep(time.Second)
	if got := eval[int](t, ctx, rows); got != 2+grew {
		t.Errorf("%d rows, want %d: they moved under a finger", got, 2+grew)
	}
}

// The consent form leaves for the shop's origin: its policy must let the
// redirect pass (security H15).
func TestChromeConsentLeadsBack(t *testing.T) {
	ctx := chrome(t)
	_, base := newDemo(t)
	do(t, ctx, chromedp.Navigate(base+"/ask"), chromedp.Click(chromedp.CSS("input[value='2']")), chromedp.Click(chromedp.CSS("button[value=allow]")))
	until(t, ctx, "location.hostname == 'localhost' && location.search == '?u=2&op=allow'")
}

// Every page is clean under its policy, fits 320 px, and reads in both
// schemes. WXSIM_SHOTS=dir keeps the pictures.
func TestChromePages(t *testing.T) {
	ctx := chrome(t)
	_, base := newDemo(t)
	dir := os.Getenv("WXSIM_SHOTS")
	for name := range samples() {
		for _, width := range []int64{320, 390, 1280} {
			do(t, ctx, chromedp.EmulateViewport(width, 844), chromedp.Navigate(base+"/sample/"+name))
			if over := eval[int](t, ctx, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
				t.Errorf("%s at %d px scrolls sideways by %d px", name, width, over)
			}
			if n := eval[int](t, ctx, "document.querySelectorAll('[style],[onclick]').length"); n != 0 {
				t.Errorf("%s has %d inline styles or handlers, want none", name, n)
			}
			if tall := eval[float64](t, ctx, "Math.max(0, ...[...document.querySelectorAll('.ev')].map(r => r.offsetHeight))"); tall > 160 {
				t.Errorf("%s at %d px has a row of %v px", name, width, tall)
			}
			if dir != "" && width != 320 {
				shots(t, ctx, filepath.Join(dir, fmt.Sprintf("con-%s-%d", name, width)))
			}
		}
	}
}

func shots(t *testing.T, ctx context.Context, stem string) {
	t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
			t.Fatal(err)
		}
		png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(stem+"-"+scheme+".png", png, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
