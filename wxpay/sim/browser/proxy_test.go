package browser

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// behind answers through a face in front of h, without a socket in between.
func behind(t *testing.T, h http.HandlerFunc, r *http.Request) *http.Response {
	t.Helper()
	res, _ := behindNoting(t, h, r)
	return res
}

func behindNoting(t *testing.T, h http.HandlerFunc, r *http.Request) (*http.Response, []string) {
	t.Helper()
	st := &stage{shop: &foreignShop{base: "http://localhost:8080"}, wechat: &fakeWeChat{}, face: "http://127.0.0.1:8082"}
	w := httptest.NewRecorder()
	st.handler(t, direct{h}).ServeHTTP(w, r)
	return w.Result(), st.notes
}

// direct calls a handler instead of a network.
type direct struct{ h http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, in)
	return w.Result(), nil
}

func faceRequest(method, target, body string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "http://127.0.0.1:8082"+target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func TestInboundMapping(t *testing.T) {
	for _, tc := range []struct{ name, header, value, want string }{
		{"own origin", "Origin", "http://127.0.0.1:8082", "http://localhost:8080"},
		{"foreign origin stays", "Origin", "http://evil.example", "http://evil.example"},
		{"null origin stays", "Origin", "null", "null"},
		{"another port is foreign", "Origin", "http://127.0.0.1:8083", "http://127.0.0.1:8083"},
		{"another scheme is foreign", "Origin", "https://127.0.0.1:8082", "https://127.0.0.1:8082"},
		{"own referer", "Referer", "http://127.0.0.1:8082/p?a=1", "http://localhost:8080/p?a=1"},
		{"foreign referer", "Referer", "http://localhost:8081/connect", "http://localhost:8081/connect"},
		{"face only in the path", "Referer", "http://evil.example/http://127.0.0.1:8082/", "http://evil.example/http://127.0.0.1:8082/"},
		{"face as a user name", "Referer", "http://127.0.0.1:8082@evil.example/", "http://127.0.0.1:8082@evil.example/"},
		{"fetch metadata stays", "Sec-Fetch-Site", "cross-site", "cross-site"},
		{"cookies", "Cookie", "sid=1; wxsim_me=2; a=b=c", "sid=1; a=b=c"},
		{"only ours", "Cookie", "wxsim_me=2", ""},
		{"forged forwarding", "X-Forwarded-For", "8.8.8.8", ""},
		{"WeChat of another kind stays", "User-Agent", "iPhone MicroMessenger/8.0.49", "iPhone MicroMessenger/8.0.49"},
		{"ordinary browser", "User-Agent", "Mozilla/5.0", userAgent},
		{"encoding", "Accept-Encoding", "gzip, br", "identity"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got *http.Request
			behind(t, func(w http.ResponseWriter, r *http.Request) { got = r }, faceRequest("POST", "/p", "x", tc.header, tc.value))
			if v := got.Header.Get(tc.header); v != tc.want {
				t.Errorf("%s = %q, want %q", tc.header, v, tc.want)
			}
			if got.Host != "localhost:8080" {
				t.Errorf("Host = %q, want the shop's", got.Host)
			}
		})
	}
}

func TestRequestPassesWhole(t *testing.T) {
	const target = "/a%2Fb/c;d?x=%zz&y=a+b;z"
	behind(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "raw \x00 bytes" || r.RequestURI != target || r.Method != "PUT" {
			t.Errorf("shop got %s %s %q (%v), want PUT %s and the same bytes", r.Method, r.RequestURI, body, err, target)
		}
		for name := range r.Header {
			if strings.HasPrefix(name, "X-Forwarded") || name == "Forwarded" {
				t.Errorf("shop got %s: WeChat adds none", name)
			}
		}
	}, faceRequest("PUT", target, "raw \x00 bytes"))
}

const marks = "&wxsim_me=1&wxsim_face=http%3A%2F%2F127.0.0.1%3A8082"

func TestOutboundMapping(t *testing.T) {
	authorize := "/connect/oauth2/authorize?appid=wxf000000000000001&redirect_uri=" + url.QueryEscape("http://localhost:8080/auth/back?a=1") +
		"&response_type=code&scope=snsapi_userinfo&state=ab12"
	elsewhere := strings.ReplaceAll(authorize, "localhost%3A8080", "shop.example")
	for _, tc := range []struct{ name, header, value, want string }{
		{"absolute", "Location", "http://localhost:8080/a?b=%20c#d", "http://127.0.0.1:8082/a?b=%20c#d"},
		{"upper case", "Location", "HTTP://LOCALHOST:8080", "http://127.0.0.1:8082"},
		{"scheme-relative", "Location", "//localhost:8080/a", "//127.0.0.1:8082/a"},
		{"relative", "Location", "/a?next=http://localhost:8080/", "/a?next=http://localhost:8080/"},
		{"foreign", "Location", "https://example.com/", "https://example.com/"},
		{"shop as a user name", "Location", "http://localhost:8080@evil.example/", "http://localhost:8080@evil.example/"},
		{"longer host", "Location", "http://localhost:80801/", "http://localhost:80801/"},
		{"real WeChat", "Location", "https://open.weixin.qq.com" + authorize + "#wechat_redirect", "http://localhost:8081" + authorize + marks + "#wechat_redirect"},
		{"gateway", "Location", "http://localhost:8081" + authorize + "#wechat_redirect", "http://localhost:8081" + authorize + marks + "#wechat_redirect"},
		{"back to another site", "Location", "https://open.weixin.qq.com" + elsewhere, "http://localhost:8081" + elsewhere + "&wxsim_me=1"},
		{"marks of the shop's own", "Location", "http://localhost:8081" + authorize + "&wxsim_me=9&wxsim_face=http://evil.example", "http://localhost:8081" + authorize + marks},
		{"other page of the gateway", "Location", "http://localhost:8081/cgi-bin/x", "http://localhost:8081/cgi-bin/x"},
		{"refresh", "Refresh", "3; URL='http://localhost:8080/b'", "3; URL=http://127.0.0.1:8082/b"},
		{"refresh of this page", "Refresh", "5", "5"},
		{"CORS for itself", "Access-Control-Allow-Origin", "http://localhost:8080", "http://127.0.0.1:8082"},
		{"CORS for all", "Access-Control-Allow-Origin", "*", "*"},
		{"cookie of this host", "Set-Cookie", "sid=1; Path=/; HttpOnly; SameSite=Lax", "sid=1; Path=/; HttpOnly; SameSite=Lax"},
		{"cookie with Domain", "Set-Cookie", "sid=1; Domain=localhost; Path=/", "sid=1; Path=/"},
		{"cookie of another site", "Set-Cookie", "sid=1; domain=evil.example", "sid=1; domain=evil.example"},
		{"secure stays as it is", "Set-Cookie", "sid=1; Secure", "sid=1; Secure"},
		{"our name", "Set-Cookie", "wxsim_me=3", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := behind(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set(tc.header, tc.value); w.WriteHeader(302) }, faceRequest("GET", "/", ""))
			if got := res.Header.Get(tc.header); got != tc.want {
				t.Errorf("%s = %q\nwant %q", tc.header, got, tc.want)
			}
		})
	}
}

// An https shop behind a plain http face keeps its sessions.
func TestSecureCookies(t *testing.T) {
	v := &visit{face: &face{app: origin{"https", "shop.example.com"}}, client: origin{"http", "127.0.0.1:8082"}}
	for _, tc := range []struct{ name, line, want string }{
		{"session", "sid=1; Path=/; Secure; HttpOnly", "sid=1; Path=/; HttpOnly"},
		{"parent domain", "sid=1; Domain=.example.com; secure", "sid=1"},
		{"prefix", "__Host-sid=1; Path=/; Secure", "__Host-sid=1; Path=/; Secure"},
		{"cross-site", "sid=1; SameSite=None; Secure", "sid=1; SameSite=None; Secure"},
		{"similar host", "sid=1; Domain=example.co", "sid=1; Domain=example.co"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := v.mapCookie(tc.line); got != tc.want {
				t.Errorf("mapCookie(%q) = %q, want %q", tc.line, got, tc.want)
			}
		})
	}
}

// The client's own name for the face decides, not the configured one.
func TestAnotherNameOfTheFace(t *testing.T) {
	r := faceRequest("GET", "/", "", "Origin", "http://192.168.1.9:9000", "Cookie", "wxsim_me=2")
	r.Host = "192.168.1.9:9000"
	var origin string
	res := behind(t, func(w http.ResponseWriter, r *http.Request) {
		origin = r.Header.Get("Origin")
		w.Header().Set("Location", "http://localhost:8081/connect/oauth2/authorize?redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fb")
	}, r)
	want := "http://localhost:8081/connect/oauth2/authorize?redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fb&wxsim_me=2&wxsim_face=http%3A%2F%2F192.168.1.9%3A9000"
	if got := res.Header.Get("Location"); got != want || origin != "http://localhost:8080" {
		t.Errorf("Location = %q, Origin at the shop = %q\nwant %q and the shop's", got, origin, want)
	}
}

func TestReturnTo(t *testing.T) {
	for _, tc := range []struct{ name, uri, face, want string }{
		{"to the face", "http://localhost:8080/auth?a=%20b", "http://127.0.0.1:8082", "http://127.0.0.1:8082/auth?a=%20b"},
		{"no face", "http://localhost:8080/auth", "", "http://localhost:8080/auth"},
		{"no path", "http://localhost:8080", "http://127.0.0.1:8082", "http://127.0.0.1:8082"},
		{"not http", "javascript:alert(1)", "http://127.0.0.1:8082", ""},
		{"face is no origin", "http://localhost:8080/", "evil", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ReturnTo(tc.uri, tc.face)
			if got != tc.want || (err == nil) != (tc.want != "") {
				t.Errorf("ReturnTo(%q, %q) = %q, %v, want %q", tc.uri, tc.face, got, err, tc.want)
			}
		})
	}
}

func TestNonHTMLUntouched(t *testing.T) {
	zipped := func(s string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		io.WriteString(z, s)
		z.Close()
		return b.String()
	}
	page := "<html><head></head><body><a href=\"http://localhost:8080/\">x</a></body></html>"
	for _, tc := range []struct {
		name, kind, body string
		status           int
		header           []string
	}{
		{"json", "application/json", `{"u":"http://localhost:8080/"}`, 200, nil},
		{"script", "text/javascript", page, 200, []string{"Etag", `"1"`}},
		{"gzip of no page", "application/json", zipped("{}"), 200, []string{"Content-Encoding", "gzip"}},
		{"part of a page", "text/html", page, 206, []string{"Content-Range", "bytes 0-9/99"}},
		{"download", "text/html", page, 200, []string{"Content-Disposition", "attachment; filename=a.html"}},
		{"unknown encoding", "text/html", page, 200, []string{"Content-Encoding", "br"}},
		{"strict picture", "image/svg+xml", "<svg/>", 200, []string{"Content-Security-Policy", "default-src 'none'; sandbox"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := behind(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", tc.kind)
				w.Header().Set("Content-Length", fmt.Sprint(len(tc.body)))
				for i := 0; i < len(tc.header); i += 2 {
					w.Header().Set(tc.header[i], tc.header[i+1])
				}
				w.WriteHeader(tc.status)
				io.WriteString(w, tc.body)
			}, faceRequest("GET", "/", ""))
			body, _ := io.ReadAll(res.Body)
			if string(body) != tc.body || res.StatusCode != tc.status || res.Header.Get("Content-Length") != fmt.Sprint(len(tc.body)) {
				t.Errorf("got %d %q, length %s; want the shop's bytes", res.StatusCode, body, res.Header.Get("Content-Length"))
			}
			for i := 0; i < len(tc.header); i += 2 {
				if got := res.Header.Get(tc.header[i]); got != tc.header[i+1] {
					t.Errorf("%s = %q, want %q", tc.header[i], got, tc.header[i+1])
				}
			}
		})
	}
}

func TestHeadAndNotModified(t *testing.T) {
	res := behind(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Length", "77")
		w.Header().Set("Etag", `"1"`)
	}, faceRequest("HEAD", "/", ""))
	if body, _ := io.ReadAll(res.Body); len(body) != 0 || res.Header.Get("Content-Length") != "" || res.Header.Get("Etag") != `"1"` {
		t.Errorf("HEAD of a page: body %q, header %v; want no body and no length, for the page will be longer", body, res.Header)
	}
	res = behind(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "12")
	}, faceRequest("HEAD", "/a.png", ""))
	if got := res.Header.Get("Content-Length"); got != "12" {
		t.Errorf("HEAD of a picture: Content-Length = %q, want 12", got)
	}
	policy := "script-src 'none'; connect-src 'self'"
	for dest, want := range map[string]string{"image": policy, "document": "script-src http://127.0.0.1:8082/_wechat/bridge.js; connect-src 'self'"} {
		res = behind(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", policy)
			w.WriteHeader(http.StatusNotModified)
		}, faceRequest("GET", "/", "", "Sec-Fetch-Dest", dest))
		if got := res.Header.Get("Content-Security-Policy"); res.StatusCode != 304 || got != want {
			t.Errorf("304 for %s: %d, policy %q, want %q: the stored page takes the headers of a 304", dest, res.StatusCode, got, want)
		}
	}
}

func TestStreamArrivesAsSent(t *testing.T) {
	for _, tc := range []struct{ name, header, value string }{
		{"events", "Content-Type", "text/event-stream"},
		{"slow file of known length", "Content-Length", "18"},
	} {
		t.Run(tc.name, func(t *testing.T) { streams(t, tc.header, tc.value) })
	}
}

// streams sees that the first line arrives before the shop sends the second.
func streams(t *testing.T, header, value string) {
	st := &stage{shop: &foreignShop{}, wechat: &fakeWeChat{}}
	next := make(chan struct{})
	st.shop.base = serve(t, "localhost", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(header, value)
		for i := range 2 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
				return
			}
		}
	}))
	st.face = "http://127.0.0.1:8082"
	face := serve(t, "127.0.0.1", st.handler(t, nil))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	res, err := http.DefaultClient.Do(request(t, "GET", face+"/events", "").WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	for i := range 2 {
		if line, err := lines.ReadString('\n'); line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("line %d = %q, %v", i, line, err)
		}
		lines.ReadString('\n')
		next <- struct{}{}
	}
}

// The foreign shop over real sockets: Host check, gzip, absolute redirects.
func TestForeignShop(t *testing.T) {
	st := newStage(t, "")
	res, body := get(t, request(t, "GET", st.face+"/", ""))
	if res.StatusCode != 200 || strings.Count(body, `<script src="/_wechat/bridge.js"></script>`) != 1 || res.Header.Get("Content-Encoding") != "" ||
		res.Header.Get("Content-Length") != fmt.Sprint(len(body)) || res.Header.Get("Content-Security-Policy") != strictPolicy {
		t.Errorf("page: %d %v\n%s", res.StatusCode, res.Header, body)
	}
	if want := `href="` + st.face + `/again"`; !strings.Contains(body, want) {
		t.Errorf("absolute link not mapped, want %s in\n%s", want, body)
	}
	if !strings.Contains(body, `href="http://localhost:8081/connect/oauth2/authorize?appid=`) || !strings.Contains(body, "&amp;wxsim_me=1&amp;wxsim_face=") {
		t.Errorf("link to the authorize page not mapped:\n%s", body)
	}
	if got := res.Header.Get("Set-Cookie"); got != "sid=1; Path=/; HttpOnly; SameSite=Lax" {
		t.Errorf("Set-Cookie = %q", got)
	}
	if got := st.shop.last().Host; "http://"+got != st.shop.base {
		t.Errorf("Host at the shop = %q", got)
	}
	res, _ = get(t, request(t, "GET", st.face+"/old", ""))
	if got, want := res.Header.Get("Location"), st.face+"/page?a=b%20c#d"; got != want {
		t.Errorf("Location = %q, want %q", got, want)
	}
	res, _ = get(t, request(t, "GET", st.face+"/login", "", "Cookie", "wxsim_me=2"))
	want := "&state=ab12&wxsim_me=2&wxsim_face=" + url.QueryEscape(st.face) + "#wechat_redirect"
	if got := res.Header.Get("Location"); !strings.HasPrefix(got, "http://localhost:8081/connect/oauth2/authorize?appid=wxf000000000000001&redirect_uri=") || !strings.HasSuffix(got, want) {
		t.Errorf("Location = %q, want it to end in %q", got, want)
	}
}

func TestShopNotReached(t *testing.T) {
	st := &stage{shop: &foreignShop{base: "http://localhost:8080"}, wechat: &fakeWeChat{}, face: "http://127.0.0.1:8082"}
	w := httptest.NewRecorder()
	st.handler(t, refusing{}).ServeHTTP(w, faceRequest("GET", "/", ""))
	if w.Code != http.StatusBadGateway || !strings.Contains(w.Body.String(), "http://localhost:8080") {
		t.Errorf("answer = %d %s, want 502 that names the shop", w.Code, w.Body)
	}
}

type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("connection refused")
}

func TestNewRefusesWhatIsNoOrigin(t *testing.T) {
	for _, bad := range []string{"", "localhost:8080", "ftp://x", "http://", "http://a b"} {
		if _, err := New(Options{AppURL: bad, FaceURL: "http://127.0.0.1:8082", GatewayURL: "http://localhost:8081", WeChat: &fakeWeChat{}}); err == nil {
			t.Errorf("New with AppURL %q = nil error", bad)
		}
	}
}

// A page too long to be read whole still gets its bridge, and every byte.
func TestLongPage(t *testing.T) {
	head, rest := "<!doctype html><html><head>", strings.Repeat("x", maxPage+99)
	res := behind(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, head+rest)
	}, faceRequest("GET", "/", ""))
	body, err := io.ReadAll(res.Body)
	if err != nil || string(body) != head+tagText+rest {
		t.Errorf("got %d bytes (%v), want %d with the bridge in the head", len(body), err, len(head+tagText+rest))
	}
	if got := res.Header.Get("Content-Length"); got != "" {
		t.Errorf("Content-Length = %s, want none", got)
	}
}
