package browser

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// ReturnTo moves the redirect_uri of an authorize request to the face that
// marked it. With an empty face it returns the URL as it is.
func ReturnTo(redirectURI, face string) (string, error) {
	if face == "" {
		return redirectURI, nil
	}
	to, err := parseOrigin(face)
	if err != nil {
		return "", err
	}
	from, rest, ok := cutOrigin(redirectURI, "")
	if !ok || from.host == "" {
		return "", fmt.Errorf("redirect_uri %q: %w", redirectURI, errOrigin)
	}
	return to.String() + rest, nil
}

// origin is a scheme and an authority, lower case, without a default port.
type origin struct{ scheme, host string }

func (o origin) String() string { return o.scheme + "://" + o.host }

func (o origin) normal() origin {
	port := map[string]string{"http": ":80", "https": ":443"}[o.scheme]
	o.host = strings.TrimSuffix(o.host, port)
	return o
}

var errOrigin = errors.New("not an http or https origin")

// parseOrigin takes the origin from an absolute URL.
func parseOrigin(s string) (origin, error) {
	u, err := url.Parse(s)
	if err != nil {
		return origin{}, fmt.Errorf("parse origin %q: %w", s, err)
	}
	o, _, ok := cutOrigin(s, "")
	if !ok || u.User != nil || u.Host == "" {
		return origin{}, fmt.Errorf("%q: %w", s, errOrigin)
	}
	return o, nil
}

// cutOrigin splits an absolute http(s) URL into its origin and the untouched
// rest. A URL that starts with "//" gets the scheme base, if there is one.
func cutOrigin(s, base string) (o origin, rest string, ok bool) {
	scheme, after, found := strings.Cut(s, "://")
	switch {
	case strings.HasPrefix(s, "//") && base != "":
		scheme, after = base, s[2:]
	case !found:
		return origin{}, "", false
	}
	end := strings.IndexAny(after, `/?#\`)
	if end < 0 {
		end = len(after)
	}
	o = origin{strings.ToLower(scheme), strings.ToLower(after[:end])}.normal()
	return o, after[end:], (o.scheme == "http" || o.scheme == "https") && o.host != ""
}

// inbound maps a URL of the face to the shop; any other stays as it is, so
// that what came from another site still looks so.
func (v *visit) inbound(s string) string {
	o, rest, ok := cutOrigin(s, "")
	if ok && (o == v.client || o == v.self) {
		return v.app.String() + rest
	}
	return s
}

// outbound maps a URL that the shop gave to the browser: the shop's own
// origin becomes the face's, WeChat's authorize page becomes the gateway's
// with the marks; everything else, relative ones too, stays as it is.
func (v *visit) outbound(s string) string {
	o, rest, ok := cutOrigin(s, v.app.scheme)
	switch {
	case !ok:
		return s
	case o == v.app && strings.HasPrefix(s, "//"):
		return "//" + v.client.host + rest
	case o == v.app:
		return v.client.String() + rest
	case o.host == "open.weixin.qq.com" || o == v.gateway:
		return v.authorize(s, rest)
	}
	return s
}

const authorizePath = "/connect/oauth2/authorize"

// authorize points s, a URL with the path and query rest, at the gateway and
// marks it. The marks go last: WeChat insists on the order of its parameters.
func (v *visit) authorize(s, rest string) string {
	target, fragment, hasFragment := strings.Cut(rest, "#")
	path, query, _ := strings.Cut(target, "?")
	if path != authorizePath {
		return s
	}
	query = dropMarks(query)
	if query != "" {
		query += "&"
	}
	query += MarkMe + "=" + url.QueryEscape(v.me)
	if v.comesHome(query) {
		query += "&" + MarkFace + "=" + url.QueryEscape(v.client.String())
	}
	marked := v.gateway.String() + path + "?" + query
	if hasFragment {
		marked += "#" + fragment
	}
	return marked
}

// comesHome reports whether redirect_uri names the shop behind this face.
func (v *visit) comesHome(query string) bool {
	q, err := url.ParseQuery(query)
	if err != nil {
		return false
	}
	o, _, ok := cutOrigin(q.Get("redirect_uri"), "")
	return ok && o == v.app
}

// dropMarks removes marks that a shop put there itself.
func dropMarks(query string) string {
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		if pair != "" && !strings.HasPrefix(pair, cookiePrefix) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

// outboundHeaders maps every header that names an origin or a host.
func (v *visit) outboundHeaders(h http.Header) {
	for _, name := range []string{"Location", "Content-Location", "Access-Control-Allow-Origin"} {
		if s := h.Get(name); s != "" {
			h.Set(name, v.outbound(s))
		}
	}
	if s := h.Get("Refresh"); s != "" {
		h.Set("Refresh", v.refresh(s))
	}
	v.mapCookies(h)
}

// refresh maps the URL in "5; url=http://…".
func (v *visit) refresh(s string) string {
	i := strings.Index(strings.ToLower(s), "url=")
	if i < 0 {
		return s
	}
	i += len("url=")
	target := strings.Trim(s[i:], ` "'`)
	if mapped := v.outbound(target); mapped != target {
		return s[:i] + mapped
	}
	return s
}

// cookiePrefix names the face's own cookies and marks.
const cookiePrefix = "wxsim_"

// stripOwnCookies keeps the face's cookies from the shop.
func stripOwnCookies(h http.Header) {
	var kept []string
	for _, line := range h["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			part = strings.TrimSpace(part)
			if part != "" && !strings.HasPrefix(part, cookiePrefix) {
				kept = append(kept, part)
			}
		}
	}
	h.Del("Cookie")
	if len(kept) > 0 {
		h.Set("Cookie", strings.Join(kept, "; "))
	}
}

// mapCookies makes the shop's cookies belong to the face: a Domain that covers
// the shop goes (the cookie is then the face's alone), a foreign one stays and
// is refused by the browser as it would be in life.
func (v *visit) mapCookies(h http.Header) {
	lines := h["Set-Cookie"]
	if len(lines) == 0 {
		return
	}
	h.Del("Set-Cookie")
	for _, line := range lines {
		if !strings.HasPrefix(strings.TrimSpace(line), cookiePrefix) {
			h.Add("Set-Cookie", v.mapCookie(line))
		}
	}
}

func (v *visit) mapCookie(line string) string {
	parts := strings.Split(line, ";")
	kept := parts[:1]
	for _, part := range parts[1:] {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case strings.EqualFold(name, "domain") && covers(value, hostname(v.app.host)):
		case strings.EqualFold(name, "secure") && v.losesTLS(line):
		default:
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ";")
}

// losesTLS reports whether a Secure cookie of an https shop has to live on a
// plain http face. Names with a prefix and SameSite=None need the attribute;
// they are left to the browser, which trusts loopback.
func (v *visit) losesTLS(line string) bool {
	low := strings.ToLower(line)
	return v.app.scheme == "https" && v.client.scheme == "http" && !strings.HasPrefix(low, "__host-") &&
		!strings.HasPrefix(low, "__secure-") && !strings.Contains(low, "samesite=none")
}

// covers reports whether a cookie Domain reaches host.
func covers(domain, host string) bool {
	domain = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(domain), "."))
	return domain == host || domain != "" && strings.HasSuffix(host, "."+domain)
}
