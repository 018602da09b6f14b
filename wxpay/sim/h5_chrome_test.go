package sim

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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
	ctx, cancel := context.WithTimeout(tab, 90*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// A real browser goes from the shop's page to the H5 cashier and back: its
// Referer passes, the policy lets the form lead back to the shop.
func TestChromeH5(t *testing.T) {
	ctx := chrome(t)
	var link atomic.Value // a browser also asks for an icon, when it likes
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path == "/back" {
			io.WriteString(w, "<title>back</title>")
			return
		}
		fmt.Fprintf(w, `<title>shop</title><a id="go" href="%s">pay</a>`, strings.ReplaceAll(link.Load().(string), "&", "&amp;"))
	}))
	defer shop.Close()
	gateway := httptest.NewUnstartedServer(nil)
	base := "http://" + strings.Replace(gateway.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	w := newWorld(t, Options{BaseURL: base})
	gateway.Config.Handler = w.sim.Gateway()
	gateway.Start()
	defer gateway.Close()
	defer gateway.CloseClientConnections()

	for no, op := range map[string]string{"chrome0001": "success", "chrome0002": "cancel"} {
		f := w.orderFields(no, "trade_type", "MWEB", "openid", "-", "scene_info", `{"h5_info":{"type":"Wap"}}`, "spbill_create_ip", "127.0.0.1")
		link.Store(w.ok("/pay/unifiedorder", f, "")["mweb_url"] + "&redirect_url=" + strings.NewReplacer(":", "%3A", "/", "%2F", "?", "%3F").Replace(shop.URL+"/back?order=1"))
		if err := chromedp.Do(ctx, chromedp.Navigate(shop.URL+"/"), chromedp.Click(chromedp.CSS("#go")),
			chromedp.Click(chromedp.CSS("button[value="+op+"]"))); err != nil {
			t.Fatal(err)
		}
		back := ""
		for range 200 {
			back, _ = chromedp.Run(ctx, chromedp.Evaluate[string]("location.href"))
			if back == shop.URL+"/back?order=1" {
				break
			}
			time.Sleep(25 * time.Millisecond)
		}
		want := map[string]string{"success": "SUCCESS", "cancel": "NOTPAY"}[op]
		if got := w.state(no); back != shop.URL+"/back?order=1" || got != want {
			t.Errorf("%s: at %s, the order is %s, want %s", op, back, got, want)
		}
	}
}
