package browser

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

const tagText = `<script src="/_wechat/bridge.js"></script>`

func testVisit() *visit {
	return &visit{face: &face{app: origin{"http", "localhost:8080"}, gateway: origin{"http", "localhost:8081"}, nonce: "own", told: map[string]bool{}},
		client: origin{"http", "127.0.0.1:8082"}, me: "1"}
}

func TestEdit(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"head", "<!doctype html><html><head><title>x</title></head></html>", "<!doctype html><html><head>" + tagText + "<title>x</title></head></html>"},
		{"head with attributes", `<html><HEAD a=">" b>x`, `<html><HEAD a=">" b>` + tagText + "x"},
		{"no head", "<html lang=zh><body>x", "<html lang=zh>" + tagText + "<body>x"},
		{"document type alone", "\n<!DOCTYPE html><title>x</title>", "\n<!DOCTYPE html>" + tagText + "<title>x</title>"},
		{"header is no head", "<html><header>x", "<html>" + tagText + "<header>x"},
		{"fragment", "<p>x</p>", "<p>x</p>"},
		{"empty", "", ""},
		{"cut off", "<p><a href=", "<p><a href="},
		{"head in a comment", "<!--<head>--><html><head>x", "<!--<head>--><html><head>" + tagText + "x"},
		{"head in a script", "<html><script>'<head>'</script><head>x", "<html><script>'<head>'</script><head>" + tagText + "x"},
		{"there already", "<html><head>" + tagText + "x", "<html><head>" + tagText + "x"},
		{"link", `<html><a class=b href='http://localhost:8080/a?b=1&amp;c'>`, "<html>" + tagText + `<a class=b href='http://127.0.0.1:8082/a?b=1&amp;c'>`},
		{"unquoted link", `<a href=http://localhost:8080/a>`, `<a href="http://127.0.0.1:8082/a">`},
		{"form", `<form action="http://localhost:8080">`, `<form action="http://127.0.0.1:8082">`},
		{"not a link", `<p title="http://localhost:8080/">http://localhost:8080/</p>`, `<p title="http://localhost:8080/">http://localhost:8080/</p>`},
		{"in a script", `<script>href="http://localhost:8080/"</script>`, `<script>href="http://localhost:8080/"</script>`},
		{"foreign link", `<a href="https://example.com/?u=http://localhost:8080/">`, `<a href="https://example.com/?u=http://localhost:8080/">`},
		{"meta refresh", `<meta http-equiv=Refresh content="0; url=http://localhost:8080/x">`, `<meta http-equiv=Refresh content="0; url=http://127.0.0.1:8082/x">`},
		{"other meta", `<meta name=u content="0; url=http://localhost:8080/x">`, `<meta name=u content="0; url=http://localhost:8080/x">`},
		{"meta policy", `<meta http-equiv="Content-Security-Policy" content="script-src 'none'">`,
			`<meta http-equiv="Content-Security-Policy" content="script-src http://127.0.0.1:8082/_wechat/bridge.js">`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := string(testVisit().edit([]byte(tc.in), "")); got != tc.want {
				t.Errorf("edit = %s\nwant   %s", got, tc.want)
			}
		})
	}
}

// The policies that shops have, and exactly what each of them gets.
func TestPolicy(t *testing.T) {
	const script, connect = "http://127.0.0.1:8082/_wechat/bridge.js", "http://127.0.0.1:8082/_wechat/"
	for _, tc := range []struct {
		name, in, want, nonce string
		notes                 int
	}{
		{"none", "", "", "", 0},
		{"strict", strictPolicy, strictPolicy, "", 0},
		{"spelling stays", "Script-Src  'SELF' ;connect-src *;", "Script-Src  'SELF' ;connect-src *;", "", 0},
		{"default self", "default-src 'self'", "default-src 'self'", "", 0},
		{"nothing allowed", "default-src 'none'", "default-src 'none'; script-src " + script + "; connect-src " + connect, "", 2},
		{"no connect", "default-src 'none'; script-src 'self'", "default-src 'none'; script-src 'self'; connect-src " + connect, "", 1},
		{"none replaced", "script-src 'none'; connect-src 'self'", "script-src " + script + "; connect-src 'self'", "", 1},
		{"default copied", "default-src https://cdn.example", "default-src https://cdn.example; script-src https://cdn.example " + script + "; connect-src https://cdn.example " + connect, "", 2},
		{"elem rules", "script-src 'self'; script-src-elem https://cdn.example; connect-src 'self'", "script-src 'self'; script-src-elem https://cdn.example " + script + "; connect-src 'self'", "", 1},
		{"nonce only", "script-src 'nonce-abc'", "script-src 'nonce-abc' " + script, "", 1},
		{"strict-dynamic", "script-src 'nonce-abc' 'strict-dynamic'", "script-src 'nonce-abc' 'strict-dynamic'", "abc", 0},
		{"strict-dynamic, hashes", "script-src 'sha256-x' 'strict-dynamic'", "script-src 'sha256-x' 'strict-dynamic' 'nonce-own'", "own", 1},
		{"two policies", "script-src 'self', script-src 'none'", "script-src 'self',script-src " + script, "", 1},
		{"shop's own origin", "script-src http://localhost:8080; connect-src localhost:8080/api/", "script-src http://localhost:8080 http://127.0.0.1:8082; connect-src localhost:8080/api/ http://127.0.0.1:8082/api/ " + connect, "", 1},
		{"second of a name counts for nothing", "connect-src 'self'; script-src 'none'; script-src 'self'", "connect-src 'self'; script-src " + script, "", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, notes := behindNoting(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				w.Header().Set("Content-Security-Policy", tc.in)
				io.WriteString(w, "<html><head></head></html>")
			}, faceRequest("GET", "/", ""))
			got := res.Header.Get("Content-Security-Policy")
			got = strings.ReplaceAll(got, nonceIn(got, "abc"), "'nonce-own'")
			if got != tc.want {
				t.Errorf("policy = %q\nwant     %q", got, tc.want)
			}
			body, _ := io.ReadAll(res.Body)
			if has := strings.Contains(string(body), "nonce="); has != (tc.nonce != "") || tc.nonce == "abc" && !strings.Contains(string(body), `nonce="abc"`) {
				t.Errorf("page = %s, want nonce %q", body, tc.nonce)
			}
			if len(notes) != tc.notes {
				t.Errorf("notes = %q, want %d", notes, tc.notes)
			}
		})
	}
}

// nonceIn finds the face's random nonce in a policy; known is the shop's.
func nonceIn(policy, known string) string {
	for _, word := range strings.Fields(policy) {
		if strings.HasPrefix(word, "'nonce-") && word != "'nonce-"+known+"'" {
			return word
		}
	}
	return "'nonce-own'"
}

// FuzzEdit: whatever the page, nothing of it is lost (the links that are
// mapped aside), and a parser sees the bridge at most once.
func FuzzEdit(f *testing.F) {
	for _, s := range []string{shopPage, "<!doctype html><p>", "<html><head a='", "<a href=http://localhost:8080/>", "<!--", "<script></scrip", "< head>", "<head/ =x href=\"//localhost:8080\">"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, page string) {
		got := string(testVisit().edit([]byte(page), ""))
		if again := string(testVisit().edit([]byte(got), "")); strings.Contains(got, tagText) && again != got {
			t.Errorf("edited twice: %q, then %q", got, again)
		}
		if !strings.Contains(page, "localhost") && !strings.Contains(page, "weixin") && !strings.Contains(strings.ToLower(page), "content") &&
			!strings.Contains(page, "&") && strings.Replace(got, tagText, "", 1) != page {
			t.Errorf("edit changed more than it had to: %q to %q", page, got)
		}
		if strings.Contains(page, "bridge.js") {
			return
		}
		n := 0
		for z := html.NewTokenizer(strings.NewReader(got)); z.Next() != html.ErrorToken; {
			if tok := z.Token(); tok.Type == html.StartTagToken && tok.Data == "script" && len(tok.Attr) > 0 && tok.Attr[0].Val == scriptPath {
				n++
			}
		}
		if n > 1 {
			t.Errorf("the bridge is in the page %d times: %q", n, got)
		}
	})
}
