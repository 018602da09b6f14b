package browser

import (
	"encoding/json"
	"errors"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Everything of the face itself lives under one path, which no shop has.
const (
	ownPath    = "/_wechat/"
	scriptPath = ownPath + "bridge.js"
)

// endpoints serves what the script needs. What changes something takes JSON
// from the same origin only, on a host that nobody can point at us by DNS.
func (f *face) endpoints() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+scriptPath, f.serveScript)
	mux.HandleFunc("GET "+ownPath+"me", f.serveMe)
	guard := http.NewCrossOriginProtection()
	post := func(path string, h http.HandlerFunc) { mux.Handle("POST "+path, guard.Handler(jsonOnly(h))) }
	post(ownPath+"me", f.changeMe)
	post(ownPath+"prepare", f.prepare)
	post(ownPath+"act", f.act)
	post(ownPath+"verify", f.verify)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		if !f.knownHost(r.Host) {
			http.Error(w, "open the WeChat browser by the address that the simulator printed", http.StatusMisdirectedRequest)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// knownHost keeps a foreign name that resolves to us (DNS rebinding) away
// from the endpoints that move simulated money.
func (f *face) knownHost(authority string) bool {
	host := hostname(strings.ToLower(authority))
	if host == "localhost" || host == hostname(f.self.host) {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

func jsonOnly(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			http.Error(w, "send application/json", http.StatusUnsupportedMediaType)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		next(w, r)
	})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a reader that went away is no news
}

func (f *face) serveScript(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Write(f.script)
}

// me is who holds this phone: the cookie, or the first user.
func (f *face) me(r *http.Request) string {
	u, _, err := f.holder(r)
	if err != nil {
		f.log.Error("users not read", "err", err)
		return "1"
	}
	return u.ID
}

func (f *face) holder(r *http.Request) (User, []User, error) {
	users, err := f.wechat.Users(r.Context())
	if err != nil {
		return User{}, nil, err
	}
	if len(users) == 0 {
		return User{}, nil, errors.New("the simulator has no users")
	}
	wanted := ""
	if c, err := r.Cookie(MarkMe); err == nil {
		wanted = c.Value
	}
	for _, u := range users {
		if u.ID == wanted {
			return u, users, nil
		}
	}
	return users[0], users, nil
}

func (f *face) serveMe(w http.ResponseWriter, r *http.Request) {
	u, users, err := f.holder(r)
	if err != nil {
		f.broken(w, "users not read", err)
		return
	}
	reply(w, http.StatusOK, map[string]any{"me": u, "users": users})
}

// changeMe hands the phone to another user. That is another phone, so what the
// shop kept in this one (its sign-in) goes: every cookie but our own.
func (f *face) changeMe(w http.ResponseWriter, r *http.Request) {
	var in struct{ User string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, "send {\"user\":\"1\"}", http.StatusBadRequest)
		return
	}
	_, users, err := f.holder(r)
	if err != nil {
		f.broken(w, "users not read", err)
		return
	}
	for _, u := range users {
		if u.ID == in.User {
			for _, c := range r.Cookies() {
				if !strings.HasPrefix(c.Name, cookiePrefix) {
					http.SetCookie(w, &http.Cookie{Name: c.Name, Path: "/", MaxAge: -1})
				}
			}
			http.SetCookie(w, &http.Cookie{Name: MarkMe, Value: u.ID, Path: "/", MaxAge: 30 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode})
			reply(w, http.StatusOK, map[string]any{"me": u})
			return
		}
	}
	http.Error(w, "no such user", http.StatusNotFound)
}

// result is what the page's callback gets.
type result struct {
	Message string `json:"err_msg"`
	Desc    string `json:"err_desc,omitempty"`
}

// prepare opens the pay sheet. The script has checked presence and types; a
// caller without the script gets the same words.
func (f *face) prepare(w http.ResponseWriter, r *http.Request) {
	var in struct {
		URL    string
		Params struct{ AppID, TimeStamp, NonceStr, Package, SignType, PaySign string }
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		reply(w, http.StatusOK, result{resultFail, "jsapi 缺少参数 key0"})
		return
	}
	p := in.Params
	for _, need := range []struct{ name, value string }{
		{"appId", p.AppID}, {"timeStamp", p.TimeStamp}, {"nonceStr", p.NonceStr},
		{"package", p.Package}, {"signType", p.SignType}, {"paySign", p.PaySign},
	} {
		if need.value == "" {
			reply(w, http.StatusOK, result{resultFail, "调用支付JSAPI缺少参数：" + need.name})
			return
		}
	}
	v := &visit{face: f, client: clientOrigin(r)}
	sheet, err := f.wechat.Prepare(r.Context(), PayRequest{
		UserID: f.me(r), PageURL: v.inbound(in.URL), AppID: p.AppID, TimeStamp: p.TimeStamp,
		NonceStr: p.NonceStr, Package: p.Package, SignType: p.SignType, PaySign: p.PaySign,
	})
	if err != nil {
		f.refused(w, "pay sheet not opened", err)
		return
	}
	reply(w, http.StatusOK, map[string]any{"sheet": sheet})
}

// verify answers preVerifyJSAPI, to which the JS-SDK turns wx.config.
func (f *face) verify(w http.ResponseWriter, r *http.Request) {
	var in struct{ URL, AppID, Timestamp, NonceStr, Signature string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		reply(w, http.StatusOK, result{Message: "preVerifyJSAPI:invalid signature"})
		return
	}
	v := &visit{face: f, client: clientOrigin(r)}
	err := f.wechat.Verify(r.Context(), ConfigRequest{
		PageURL: v.inbound(in.URL), SeenURL: in.URL, AppID: in.AppID, Timestamp: in.Timestamp, NonceStr: in.NonceStr, Signature: in.Signature,
	})
	no, refused := errors.AsType[*Refusal](err)
	switch {
	case refused:
		reply(w, http.StatusOK, result{"preVerifyJSAPI:" + no.Message, no.Desc})
	case err != nil:
		f.broken(w, "wx.config not checked", err)
	default:
		reply(w, http.StatusOK, result{Message: "preVerifyJSAPI:ok"})
	}
}

// outcomes are what a user can do on the sheet, and what the page hears.
var outcomes = map[string]result{
	"success":   {resultOK, ""},
	"cancel":    {resultCancel, ""},
	"fail":      {resultFail, "模拟的付款失败"},
	"notenough": {resultFail, "零钱余额不足"},
}

func (f *face) act(w http.ResponseWriter, r *http.Request) {
	var in struct{ Token, Outcome string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, "send {\"token\":…,\"outcome\":…}", http.StatusBadRequest)
		return
	}
	answer, ok := outcomes[in.Outcome]
	if !ok {
		http.Error(w, "no such outcome", http.StatusBadRequest)
		return
	}
	err := f.wechat.Act(r.Context(), Act{Token: in.Token, UserID: f.me(r), Outcome: in.Outcome})
	if err != nil {
		f.refused(w, "user's act not done", err)
		return
	}
	reply(w, http.StatusOK, answer)
}

// refused hands a Refusal to the page; anything else is our own trouble.
func (f *face) refused(w http.ResponseWriter, what string, err error) {
	if no, ok := errors.AsType[*Refusal](err); ok {
		reply(w, http.StatusOK, result{no.message(), no.Desc})
		return
	}
	f.log.Error(what, "err", err)
	reply(w, http.StatusOK, result{resultFail, "模拟器出错，看它的日志"})
}

func (f *face) broken(w http.ResponseWriter, what string, err error) {
	f.log.Error(what, "err", err)
	http.Error(w, "the simulator could not answer, see its log", http.StatusInternalServerError)
}

// hostname is an authority without its port.
func hostname(authority string) string {
	if host, _, err := net.SplitHostPort(authority); err == nil {
		return host
	}
	return strings.Trim(authority, "[]")
}
