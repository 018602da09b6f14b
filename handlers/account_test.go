package handlers

import (
	"crypto/sha1"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// signature is that of the official account's server (access guide), written
// from the document, not with wxpay.
func signature(token, timestamp, nonce string) string {
	parts := []string{token, timestamp, nonce}
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

func signedQuery(token string) url.Values {
	return url.Values{"signature": {signature(token, "1767225600", "987654321")}, "timestamp": {"1767225600"}, "nonce": {"987654321"}}
}

// The check that WeChat makes when the address is set up.
func TestAccountVerification(t *testing.T) {
	w := newWorld(t)
	good := signedQuery(accountToken)
	good.Set("echostr", "4375120948345356249")
	res := w.outside().do("GET", "/wechat?"+good.Encode(), nil)
	if res.StatusCode != 200 || res.body != "4375120948345356249" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") ||
		res.Header.Get("X-Content-Type-Options") != "nosniff" || len(res.Cookies()) != 0 {
		t.Fatalf("verification = %d %q %v", res.StatusCode, res.body, res.Header)
	}
	for _, tt := range []struct {
		name string
		edit func(url.Values)
	}{
		{"no signature", func(q url.Values) { q.Del("signature") }},
		{"empty signature", func(q url.Values) { q.Set("signature", "") }},
		{"another token", func(q url.Values) { q.Set("signature", signature("otherToken", "1767225600", "987654321")) }},
		{"another time", func(q url.Values) { q.Set("timestamp", "1767225601") }},
		{"another nonce", func(q url.Values) { q.Set("nonce", "987654322") }},
		{"upper case", func(q url.Values) { q.Set("signature", strings.ToUpper(q.Get("signature"))) }},
		{"a long query", func(q url.Values) { q.Set("more", strings.Repeat("x", 2000)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := signedQuery(accountToken)
			q.Set("echostr", "<script>alert(1)</script>")
			tt.edit(q)
			res := w.outside().do("GET", "/wechat?"+q.Encode(), nil)
			if res.StatusCode/100 != 4 || strings.Contains(res.body, "alert(1)") {
				t.Errorf("answered %d\n%s", res.StatusCode, res.body)
			}
		})
	}
	w.srv.Account = nil
	for _, method := range []string{"GET", "POST"} {
		if res := w.outside().do(method, "/wechat?"+good.Encode(), nil); res.StatusCode != http.StatusNotFound {
			t.Errorf("without a token %s = %d", method, res.StatusCode)
		}
	}
}

// message posts an event as WeChat does.
func (w *world) message(token, body string) result {
	w.t.Helper()
	r := w.outside().request("POST", "/wechat?"+signedQuery(token).Encode(), nil)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Type", "text/xml")
	return w.outside().send(r)
}

const subscribe = "<xml><ToUserName><![CDATA[gh_f00000000001]]></ToUserName><FromUserName><![CDATA[oFollower0000000000000000001]]></FromUserName>" +
	"<CreateTime>1767225600</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[subscribe]]></Event></xml>"

// Who begins to follow is welcomed, each time that WeChat asks; everything else
// is taken and not answered.
func TestAccountMessages(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		res := w.message(accountToken, subscribe)
		for _, want := range []string{"欢迎来到云间茶铺", shopURL + "/", "<ToUserName><![CDATA[oFollower0000000000000000001]]>", "<MsgType><![CDATA[text]]>"} {
			if res.StatusCode != 200 || !strings.Contains(res.body, want) {
				t.Errorf("welcome = %d without %q: %s", res.StatusCode, want, res.body)
			}
		}
	}
	if n := strings.Count(w.log.String(), "message of a follower"); n != 1 {
		t.Errorf("three times the same message happened %d times", n)
	}
	if strings.Contains(w.log.String(), "oFollower") {
		t.Error("the log names the follower")
	}
	for name, body := range map[string]string{
		"unsubscribe": strings.Replace(subscribe, "subscribe", "unsubscribe", 1),
		"text":        strings.NewReplacer("event", "text", "<Event><![CDATA[subscribe]]></Event>", "<Content>hi</Content><MsgId>1</MsgId>").Replace(subscribe),
	} {
		if res := w.message(accountToken, body); res.StatusCode != 200 || res.body != "success" {
			t.Errorf("%s = %d %q", name, res.StatusCode, res.body)
		}
	}
	for name, res := range map[string]result{
		"another token": w.message("otherToken", subscribe),
		"no XML":        w.message(accountToken, "{}"),
		"a DOCTYPE":     w.message(accountToken, `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>`+subscribe), // X9
		"empty":         w.message(accountToken, ""),
	} {
		if res.StatusCode != http.StatusForbidden || strings.Contains(res.body, "欢迎") {
			t.Errorf("%s = %d", name, res.StatusCode)
		}
	}
	if res := w.message(accountToken, strings.Repeat("x", 70<<10)); res.StatusCode != 413 {
		t.Errorf("a large one = %d", res.StatusCode)
	}
}

// The simulator sets the address up, and pushes in every mode.
func TestAccountAtTheSimulator(t *testing.T) {
	for _, mode := range []string{"plain", "compat", "safe"} {
		t.Run(mode, func(t *testing.T) {
			key := ""
			if mode != "plain" {
				key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
			}
			w := newWorldWith(t, key)
			in := map[string]string{"url": shopURL + "/wechat", "token": accountToken, "mode": mode}
			if key != "" {
				in["encoding_aes_key"] = key
			}
			var refused struct{ Error string }
			if status := w.api("PUT", "server", in, &refused); status != 200 {
				t.Fatalf("setting up = %d %s", status, refused.Error)
			}
			var out struct {
				OK    bool
				Reply string
			}
			if status := w.api("POST", "server/push", map[string]string{"type": "subscribe"}, &out); status != 200 {
				t.Fatalf("push = %d", status)
			}
			if !strings.Contains(out.Reply, "欢迎来到云间茶铺") {
				t.Errorf("the follower reads %+v", out)
			}
			if key == "" {
				return
			}
			if res := w.message(accountToken, subscribe); res.StatusCode != http.StatusForbidden {
				t.Errorf("a plain message beside a key = %d", res.StatusCode)
			}
		})
	}
}

func TestHeard(t *testing.T) {
	h := newHeard()
	for i := range 3 * maxHeard {
		if !h.first(strconv.Itoa(i)) || h.first(strconv.Itoa(i)) {
			t.Fatalf("message %d", i)
		}
	}
	if n := len(h.young) + len(h.old); n > maxHeard {
		t.Errorf("%d messages remembered", n)
	}
}

// I9: only files with WeChat's names leave the folder, and never from outside it.
func TestVerifyFiles(t *testing.T) {
	dir := t.TempDir()
	files := filepath.Join(dir, "verify")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(files, 0o700); err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(files, "MP_verify_a1B2c3D4e5F6g7H8.txt"), "a1B2c3D4e5F6g7H8\n")
	write(filepath.Join(files, "MP_verify_0000000000000001.txt"), "<script>alert(1)</script>")
	write(filepath.Join(files, "MP_verify_0000000000000002.txt"), strings.Repeat("x", 300))
	write(filepath.Join(files, "MP_verify_short.txt"), "short")
	write(filepath.Join(files, "keys.txt"), "secret")
	write(filepath.Join(dir, "MP_verify_0000000000000003.txt"), "outside")
	if err := os.Symlink("../MP_verify_0000000000000003.txt", filepath.Join(files, "MP_verify_0000000000000003.txt")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(files, "MP_verify_0000000000000004.txt"), 0o700); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *Config) { c.VerifyFiles = files })
	c := w.outside()
	res := c.do("GET", "/MP_verify_a1B2c3D4e5F6g7H8.txt", nil)
	if res.StatusCode != 200 || res.body != "a1B2c3D4e5F6g7H8" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") || len(res.Cookies()) != 0 {
		t.Fatalf("verify file = %d %q", res.StatusCode, res.body)
	}
	for _, path := range []string{
		"/MP_verify_0000000000000001.txt", "/MP_verify_0000000000000002.txt", "/MP_verify_0000000000000003.txt", "/MP_verify_0000000000000004.txt",
		"/MP_verify_0000000000000005.txt", "/MP_verify_short.txt", "/keys.txt", "/MP_verify_../keys.txt", "/MP_verify_%2e%2e%2fkeys00000.txt",
		"/MP_verify_a1B2c3D4e5F6g7H8.txt/", "//MP_verify_a1B2c3D4e5F6g7H8.txt", "/x/MP_verify_a1B2c3D4e5F6g7H8.txt", "/mp_verify_a1b2c3d4e5f6g7h8.txt",
		"/MP_verify_a1B2c3D4e5F6g7H8.txt%00", "/MP_verify_a1B2c3D4e5F6g7%20.txt", "/MP_verify_%5c..%5ckeys00000.txt",
	} {
		if res := c.do("GET", shopURL+path, nil); res.StatusCode != http.StatusNotFound || strings.Contains(res.body, "outside") || strings.Contains(res.body, "alert(1)") {
			t.Errorf("GET %s = %d", path, res.StatusCode)
		}
	}
	if res := c.do("POST", "/MP_verify_a1B2c3D4e5F6g7H8.txt", nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("POST = %d", res.StatusCode)
	}
	off := newWorld(t)
	if res := off.outside().do("GET", "/MP_verify_a1B2c3D4e5F6g7H8.txt", nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("without a folder = %d", res.StatusCode)
	}
}
