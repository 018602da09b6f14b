package handlers

import (
	"net/http"
	"strings"
)

// class is the kind of an answer; it decides the security headers.
type class uint8

const (
	classPage    class = iota // an HTML page
	classCashier              // an HTML page that calls the bridge of WeChat
	classData                 // JSON, text, redirects
	classStatic               // an embedded file
	classNotify               // an acknowledgement to WeChat
	classStaff                // an HTML page of the merchant
	classes
)

// Values of Cache-Control (security H10).
const (
	noStore     = "no-store"
	revalidate  = "private, no-cache"
	policyData  = "default-src 'none'; frame-ancestors 'none'"
	policyMedia = "default-src 'none'; frame-ancestors 'none'; sandbox"
	// The bridge of WeChat has used hidden iframes of these schemes; without
	// them a payment would be blocked by our own policy (security H1).
	bridgeFrames = "; frame-src weixin: weixinping:"
	permissions  = "accelerometer=(), autoplay=(), camera=(), display-capture=(), geolocation=(), " +
		"gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), " +
		"publickey-credentials-get=(), usb=(), xr-spatial-tracking=()"
)

// header is one line of an answer. The value is a slice of its own, shared by
// all answers, so that setting it costs no allocation; nobody appends to it in
// place because it has no room.
type header struct {
	key   string
	value []string
}

// headerSets are the headers of each class, made once at start.
type headerSets [classes][]header

func newHeaderSets(https bool, hsts, styleHash string) headerSets {
	page := "default-src 'none'; script-src 'self'; style-src 'self'" + source(styleHash) +
		"; img-src 'self'; connect-src 'self'; font-src 'self'; manifest-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
	all := []header{line("X-Content-Type-Options", "nosniff"), line("Cross-Origin-Resource-Policy", "same-origin")}
	if https {
		all = append(all, line("Strict-Transport-Security", hsts))
	}
	html := join(all, line("X-Frame-Options", "DENY"), line("Cross-Origin-Opener-Policy", "same-origin"),
		line("Permissions-Policy", permissions))
	referrer := line("Referrer-Policy", "strict-origin-when-cross-origin") // H5: the cashier of WeChat wants to see our domain
	coep := line("Cross-Origin-Embedder-Policy", "require-corp")

	var h headerSets
	h[classPage] = join(html, referrer, coep, line("Content-Security-Policy", page))
	h[classCashier] = join(html, referrer, line("Content-Security-Policy", page+bridgeFrames))
	h[classStaff] = join(html, line("Referrer-Policy", "same-origin"), coep, line("Content-Security-Policy", page))
	h[classData] = join(all, referrer, line("Content-Security-Policy", policyData))
	h[classStatic] = join(all, referrer, line("Content-Security-Policy", policyMedia))
	h[classNotify] = h[classData]
	return h
}

// set puts the headers of a class on an answer.
func (h *headerSets) set(w http.Header, c class) {
	for _, x := range h[c] {
		w[x.key] = x.value
	}
}

func line(key, value string) header { return header{http.CanonicalHeaderKey(key), []string{value}} }

func join(a []header, b ...header) []header { return append(a[:len(a):len(a)], b...) }

// source writes a hash as a source of a policy, with the quotes it needs.
func source(hash string) string {
	if hash == "" {
		return ""
	}
	return " '" + strings.Trim(hash, "'") + "'"
}
