package browser

import (
	"cmp"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// foreignShop is a shop that knows nothing of us: it checks its Host, sends
// absolute redirects and links, gzip whatever is asked for, cookies with a
// Domain, and a strict policy.
type foreignShop struct {
	policy string
	base   string // "http://localhost:PORT"
	seen   []*http.Request
	mu     sync.Mutex
}

const strictPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"form-action 'self'; frame-src weixin: weixinping:; base-uri 'none'; frame-ancestors 'none'"

const shopPage = `<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>外店</title>
<script src="/app.js"></script></head>
<body><a id="abs" href="%[1]s/again">再来</a>
<a id="login" href="https://open.weixin.qq.com/connect/oauth2/authorize?appid=wxf000000000000001&amp;redirect_uri=%[2]s&amp;response_type=code&amp;scope=snsapi_base&amp;state=ab12#wechat_redirect">登录</a>
<button id="pay">微信支付</button><pre id="log"></pre></body></html>`

const shopScript = `window.violations = []; window.answers = []; window.early = typeof WeixinJSBridge
document.addEventListener('securitypolicyviolation', e => violations.push(e.violatedDirective + ' ' + e.blockedURI))
document.addEventListener('WeixinJSBridgeReady', () => { window.readyAt = performance.now(); window.loadAt = performance.getEntriesByType('navigation')[0].loadEventEnd || Infinity })
window.params = {appId: 'wxf000000000000001', timeStamp: '1700000000', nonceStr: 'n1', package: 'prepay_id=wx1', signType: 'MD5', paySign: 'AB'}
window.pay = p => WeixinJSBridge.invoke('getBrandWCPayRequest', p, r => answers.push(r))
document.addEventListener('DOMContentLoaded', () => document.getElementById('pay').addEventListener('click', () => pay(params)))`

func (s *foreignShop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen = append(s.seen, r)
	s.mu.Unlock()
	if "http://"+r.Host != s.base {
		http.Error(w, "wrong host "+r.Host, http.StatusMisdirectedRequest)
		return
	}
	h := w.Header()
	switch r.URL.Path {
	case "/app.js":
		h.Set("Content-Type", "text/javascript")
		io.WriteString(w, shopScript)
	case "/old":
		http.Redirect(w, r, s.base+"/page?a=b%20c#d", http.StatusFound)
	case "/login":
		http.Redirect(w, r, "https://open.weixin.qq.com/connect/oauth2/authorize?appid=wxf000000000000001&redirect_uri="+
			url.QueryEscape(s.base+"/back?x=1")+"&response_type=code&scope=snsapi_base&state=ab12#wechat_redirect", http.StatusFound)
	default:
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", cmp.Or(s.policy, strictPolicy))
		h.Set("Content-Encoding", "gzip")
		h.Set("Set-Cookie", "sid=1; Domain=localhost; Path=/; HttpOnly; SameSite=Lax")
		z := gzip.NewWriter(w)
		defer z.Close()
		fmt.Fprintf(z, shopPage, s.base, url.QueryEscape(s.base+"/back"))
	}
}

// last is the newest request that the shop got.
func (s *foreignShop) last() *http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[len(s.seen)-1]
}

// fakeWeChat accepts every payment whose paySign is "AB".
type fakeWeChat struct {
	mu       sync.Mutex
	prepared []PayRequest
	acts     []Act
}

func (*fakeWeChat) Users(context.Context) ([]User, error) {
	return []User{{"1", "林晓溪", 52000}, {"2", "周予安", 320}}, nil
}

func (f *fakeWeChat) Prepare(_ context.Context, r PayRequest) (Sheet, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.prepared = append(f.prepared, r)
	if r.PaySign != "AB" {
		return Sheet{}, &Refusal{Desc: "支付验证签名失败"}
	}
	return Sheet{Token: "t1", Merchant: "云间茶铺", Description: "云间茶铺-明前龙井 等3件", Total: 28400, Nickname: "林晓溪", Balance: 52000}, nil
}

func (f *fakeWeChat) Act(_ context.Context, a Act) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acts = append(f.acts, a)
	if a.Token != "t1" {
		return &Refusal{Desc: "订单已支付"}
	}
	return nil
}

func (*fakeWeChat) Verify(_ context.Context, c ConfigRequest) error {
	if c.PageURL != "http://localhost:8080/pay/1" || c.SeenURL != "http://127.0.0.1:8082/pay/1" || c.Signature != "good" || c.Timestamp != "5" || c.NonceStr != "n" || c.AppID != "wx1" {
		return &Refusal{Message: "invalid signature", Desc: "why"}
	}
	return nil
}

// stage is a shop with a face in front of it.
type stage struct {
	shop   *foreignShop
	wechat *fakeWeChat
	face   string // origin
	mu     sync.Mutex
	notes  []string
}

func newStage(t *testing.T, policy string) *stage {
	t.Helper()
	st := &stage{shop: &foreignShop{policy: policy}, wechat: &fakeWeChat{}}
	st.shop.base = serve(t, "localhost", st.shop)
	var h http.Handler
	st.face = serve(t, "127.0.0.1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) }))
	h = st.handler(t, nil)
	return st
}

func (st *stage) handler(t *testing.T, rt http.RoundTripper) http.Handler {
	t.Helper()
	h, err := New(Options{AppURL: st.shop.base, FaceURL: st.face, GatewayURL: "http://localhost:8081", WeChat: st.wechat, Transport: rt,
		Note: func(s string) { st.mu.Lock(); defer st.mu.Unlock(); st.notes = append(st.notes, s) }})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// serve runs h on loopback and returns its origin under that host name.
func serve(t *testing.T, host string, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + host + ":" + port
}

// get fetches without following redirects and returns the answer and its body.
func get(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func request(t *testing.T, method, url, body string, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}
