package sim

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// gatewayRoutes is the map of all of WeChat's servers. Only paths tell them
// apart, never the Host.
func (s *Sim) gatewayRoutes() http.Handler {
	wechat := http.NewServeMux()
	cross := http.NewCrossOriginProtection()
	wechat.HandleFunc("GET /connect/oauth2/authorize", s.authorize)
	wechat.Handle("POST "+consentPath, cross.Handler(http.HandlerFunc(s.answerConsent)))
	wechat.Handle("/sns/oauth2/access_token", s.mp(snsType, s.snsAccessToken))
	wechat.Handle("/sns/oauth2/refresh_token", s.mp(snsType, s.snsRefresh))
	wechat.Handle("/sns/userinfo", s.mp(snsType, s.snsUserinfo))
	wechat.Handle("/sns/auth", s.mp(snsType, s.snsAuth))
	s.mpRoutes(wechat)
	wechat.Handle("/pay/unifiedorder", s.v2(s.unifiedOrder))
	wechat.Handle("/pay/orderquery", s.v2(s.orderQuery))
	wechat.Handle("/pay/closeorder", s.v2(s.closeOrder))
	s.moneyRoutes(wechat)
	wechat.HandleFunc("/v3/", s.v3())
	s.sandboxRoutes(wechat)
	wechat.HandleFunc("GET /mmopen/{user}/{size}", s.avatar)
	wechat.HandleFunc("/", s.unknownPath)

	mux := http.NewServeMux()
	mux.Handle("/", s.recorded("gateway", s.unreliable(wechat)))
	own := s.ownHostOnly(cross.Handler(s.consoleRoutes()))
	mux.Handle("/_sim/", own)
	mux.Handle("/_sim/api/", s.ownHostOnly(cross.Handler(s.apiRoutes())))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/_sim/", http.StatusFound)
	})
	return mux
}

func (s *Sim) unknownPath(w http.ResponseWriter, r *http.Request) {
	say(r, verdict{problem: "no such path"})
	writeJSON(w, http.StatusNotFound, errorJSON{"the simulator has no " + r.Method + " " + r.URL.Path + "; the README lists what it imitates"})
}

// ownHostOnly keeps away names that resolve to us but are not ours (DNS
// rebinding): console and control API hand out keys and settle orders.
func (s *Sim) ownHostOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.ownHost(r.Host) {
			writeJSON(w, http.StatusMisdirectedRequest, errorJSON{"open the console as http://localhost or http://127.0.0.1, not as " + r.Host})
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// ownHost reports whether a Host header names loopback, or, in a public demo,
// the demo's own address.
func (s *Sim) ownHost(authority string) bool {
	host := authority
	if h, _, err := net.SplitHostPort(authority); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" {
		return true
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return true
	}
	base, err := url.Parse(s.opts.BaseURL)
	return s.opts.Public && err == nil && strings.EqualFold(base.Hostname(), host)
}

// errorJSON is how the control API says no: what is wrong and what to do.
type errorJSON struct {
	Error string `json:"error"`
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.Encode(v) // a reader that went away is no news
}
