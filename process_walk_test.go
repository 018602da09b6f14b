package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The walks drive the real binary over real sockets.

var binary struct {
	once sync.Once
	path string
	err  error
}

// wxshop builds the program once for all walks.
func wxshop(t *testing.T) string {
	t.Helper()
	binary.once.Do(func() {
		dir, err := os.MkdirTemp("", "wxshop-walk-")
		if err != nil {
			binary.err = err
			return
		}
		binary.path = filepath.Join(dir, "wxshop")
		cmd := exec.Command("go", "build", "-tags", "nomsgpack", "-o", binary.path, ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			binary.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

func TestMain(m *testing.M) {
	code := m.Run()
	if binary.path != "" {
		os.RemoveAll(filepath.Dir(binary.path))
	}
	os.Exit(code)
}

// process is one run of the binary.
type process struct {
	t    *testing.T
	args []string
	env  []string
	dir  string
	cmd  *exec.Cmd
	mu   sync.Mutex
	out  bytes.Buffer
	done chan error
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(wxshop(p.t), p.args...)
	p.cmd.Dir, p.cmd.Env = p.dir, p.env
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.done = make(chan error, 1)
	cmd, done := p.cmd, p.done
	go func() { done <- cmd.Wait() }()
}

// end stops the process by signal and waits for it.
func (p *process) end(sig os.Signal) {
	p.t.Helper()
	if p.cmd == nil {
		return
	}
	p.cmd.Process.Signal(sig)
	select {
	case <-p.done:
	case <-time.After(40 * time.Second):
		p.cmd.Process.Kill()
		<-p.done
		p.t.Errorf("the program did not stop on %v\n%s", sig, p.output())
	}
	p.cmd = nil
}

// freePort is a port that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// town is a shop and a WeChat of real processes, in one or in two.
type town struct {
	t                         *testing.T
	shop, sim                 *process
	shopURL, gateway, face    string
	ops                       string
	identity                  map[string]string
	mu                        sync.RWMutex
	killed                    atomic.Bool
	routeNotify, routeGateway http.Handler // what the wire does instead of passing on
}

// baseEnv is an environment without settings of whoever runs the test.
func baseEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "WXSHOP_") {
			env = append(env, kv)
		}
	}
	return env
}

// newTown starts `wxshop serve` with the simulator inside, as `make run` does.
func newTown(t *testing.T, env ...string) *town {
	t.Helper()
	w := &town{t: t}
	ports := []string{freePort(t), freePort(t), freePort(t), freePort(t)}
	w.shopURL, w.gateway = "http://localhost:"+ports[0], "http://localhost:"+ports[1]
	w.face, w.ops = "http://127.0.0.1:"+ports[2], "http://127.0.0.1:"+ports[3]
	w.shop = &process{t: t, args: []string{"serve"}, dir: t.TempDir(), env: append(append(baseEnv(),
		"WXSHOP_SITE_BASE_URL="+w.shopURL, "WXSHOP_SITE_LISTEN=127.0.0.1:"+ports[0],
		"WXSHOP_SIMULATOR_LISTEN=127.0.0.1:"+ports[1], "WXSHOP_SIMULATOR_BROWSER=127.0.0.1:"+ports[2],
		"WXSHOP_OPS_LISTEN=127.0.0.1:"+ports[3]), env...)}
	t.Cleanup(func() {
		w.shop.end(os.Interrupt)
		if t.Failed() {
			t.Logf("the shop said:\n%s", w.shop.output())
		}
	})
	w.up()
	return w
}

// up starts what is down and waits until it answers.
func (w *town) up() {
	w.t.Helper()
	if w.shop.cmd == nil {
		w.shop.start()
	}
	w.await(w.shop, w.ops+"/readyz")
}

func (w *town) await(p *process, url string) {
	w.t.Helper()
	for range 400 {
		res, err := http.Get(url)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == 200 {
				return
			}
		}
		select {
		case err := <-p.done:
			p.cmd = nil
			w.t.Fatalf("the program ended: %v\n%s", err, p.output())
		case <-time.After(25 * time.Millisecond):
		}
	}
	w.t.Fatalf("%s never answered\n%s", url, p.output())
}

// restart stops everything as a person would and starts it again.
func (w *town) restart() {
	w.t.Helper()
	w.shop.end(os.Interrupt)
	w.up()
}

var oneTime = regexp.MustCompile(`(?m)(?:password|密码)[^\n]*?([A-Za-z0-9-]{12,})\s*$`)

// firstPassword is the owner's, printed at the first start.
func (w *town) firstPassword() string {
	w.t.Helper()
	m := oneTime.FindStringSubmatch(w.shop.output())
	if m == nil {
		w.t.Fatalf("no one-time password was printed:\n%s", w.shop.output())
	}
	return m[1]
}

// api calls the simulator's control API.
func (w *town) api(method, path string, in, out any) int {
	w.t.Helper()
	var body io.Reader
	if in != nil {
		b, _ := json.Marshal(in)
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequest(method, w.gateway+"/_sim/api/"+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			w.t.Fatalf("%s %s = %d %s: %v", method, path, res.StatusCode, b, err)
		}
	}
	return res.StatusCode
}

// visitor is a browser without a picture: cookies, redirects, forms.
type visitor struct {
	t    *testing.T
	base string
	http *http.Client
	url  *url.URL // of the page it looks at
	page string
	code int
}

func (w *town) visitor(base string) *visitor {
	jar, _ := cookiejar.New(nil)
	return &visitor{t: w.t, base: base, http: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

func (v *visitor) take(res *http.Response, err error) *visitor {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	v.page, v.code, v.url = string(b), res.StatusCode, res.Request.URL
	// A page that goes on by itself, as the one that starts the trip to WeChat.
	if _, next, ok := strings.Cut(res.Header.Get("Refresh"), "0; url="); ok {
		return v.get(next)
	}
	return v
}

func (v *visitor) get(path string) *visitor {
	v.t.Helper()
	res, err := v.http.Get(v.abs(path))
	return v.take(res, err)
}

func (v *visitor) post(path string, form url.Values) *visitor {
	v.t.Helper()
	r, err := http.NewRequest("POST", v.abs(path), strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", v.base)
	res, err := v.http.Do(r)
	return v.take(res, err)
}

func (v *visitor) abs(path string) string {
	if strings.HasPrefix(path, "http") {
		return path
	}
	return v.base + path
}

var inputs = regexp.MustCompile(`<input[^>]*\bname="([^"]+)"[^>]*\bvalue="([^"]*)"`)

// form reads the inputs of the page.
func (v *visitor) form() url.Values {
	f := url.Values{}
	for _, m := range inputs.FindAllStringSubmatch(v.page, -1) {
		f.Set(m[1], m[2])
	}
	return f
}

var orderInPath = regexp.MustCompile(`/(?:pay|orders)/([0-9A-Z]{20,32})`)

// takes presses 立即购买 on a product with an option chosen.
func (v *visitor) takes(slug, option string) {
	v.t.Helper()
	v.get("/p/" + slug)
	sku := regexp.MustCompile(`value="(\d+)"[^>]*>\s*<span>` + option).FindStringSubmatch(v.page)
	if sku == nil {
		v.t.Fatalf("no %s of %s on the page (%d)", option, slug, v.code)
	}
	v.post("/cart/add", url.Values{"sku": {sku[1]}, "qty": {"1"}, "to": {"checkout"}})
}

// state asks the shop as the page's poll does.
func (v *visitor) state(no string) string {
	v.t.Helper()
	v.get("/orders/" + no + "/status")
	var s struct{ State string }
	if v.code != 200 || json.Unmarshal([]byte(v.page), &s) != nil {
		v.t.Fatalf("status of %s = %d %s", no, v.code, v.page)
	}
	return s.State
}

// becomes polls until the order has a state.
func (v *visitor) becomes(no, want string, within time.Duration) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for {
		got := v.state(no)
		if got == want {
			return
		}
		select {
		case <-ctx.Done():
			v.t.Fatalf("order %s is %s after %v, want %s", no, got, within, want)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
