package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
)

// CSP is the policy of every console page and of the authorize error page.
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ConsentCSP is the policy of the consent page. It has no form-action: the
// redirect after the form leads to the shop, and Chromium would drop it.
const ConsentCSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"

//go:embed assets
var assets embed.FS

// StaticPath is where Static expects to be mounted.
const StaticPath = "/_sim/static/"

var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// Static serves the style, the script and the picture of the pages.
func Static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		body, err := assets.ReadFile("assets/" + name)
		if err != nil || r.URL.Path != StaticPath+name {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", contentTypes[path.Ext(name)])
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
		h.Set("Cache-Control", "no-cache")
		if r.URL.Query().Get("v") == version(name) {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		w.Write(body)
	})
}

// version changes with the content of an asset.
func version(name string) string {
	body, err := assets.ReadFile("assets/" + name)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:6])
}

// asset is the address of a file of Static.
func asset(name string) string { return StaticPath + name + "?v=" + version(name) }
