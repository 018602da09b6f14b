package sim

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"wxshop/wxpay/sim/console"
)

// consoleRoutes are the pages for people, and their forms.
func (s *Sim) consoleRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_sim/{$}", s.showLive)
	mux.HandleFunc("GET /_sim/transactions", s.showTransactions)
	mux.HandleFunc("GET /_sim/transactions/{no}", s.showTransaction)
	mux.HandleFunc("GET /_sim/scan", s.showScan)
	mux.HandleFunc("GET /_sim/users", s.showUsers)
	mux.HandleFunc("GET /_sim/clock", s.showClock)
	mux.HandleFunc("GET /_sim/faults", s.showFaults)
	mux.HandleFunc("GET /_sim/identity", s.showIdentity)
	mux.HandleFunc("GET /_sim/healthz", s.healthz)
	s.accountRoutes(mux)
	mux.Handle("GET "+console.StaticPath, console.Static())

	mux.Handle("POST /_sim/transactions/{no}/pay", s.form(s.formPay, s.showTransaction))
	mux.Handle("POST /_sim/transactions/{no}/refund", s.form(s.formRefund, s.showTransaction))
	mux.Handle("POST /_sim/transactions/{no}/refunds/{refund}", s.form(s.formDecideRefund, s.showTransaction))
	mux.Handle("POST /_sim/users/{openid}/paycode", s.form(s.formPaycode, s.showScan))
	mux.Handle("POST /_sim/notifications/{id}/resend", s.form(s.formResend, s.showLive))
	mux.Handle("POST /_sim/notifications/{id}/drop", s.form(s.formDrop, s.showLive))
	mux.Handle("POST /_sim/notifications/forge", s.form(s.formForge, s.showLive))
	mux.Handle("POST /_sim/users", s.form(s.formAddUser, s.showUsers))
	mux.Handle("POST /_sim/users/{openid}/balance", s.form(s.formBalance, s.showUsers))
	mux.Handle("POST /_sim/clock", s.form(s.formClock, s.showClock))
	mux.Handle("POST /_sim/faults", s.form(s.formFaults, s.showFaults))
	mux.Handle("POST /_sim/reset", s.form(func(*http.Request) (string, error) { return "reset", s.reset() }, s.showLive))
	return mux
}

// page renders a view whole before the first byte goes out.
func (s *Sim) page(w http.ResponseWriter, r *http.Request, status int, csp string, view templ.Component) {
	var b bytes.Buffer
	if err := view.Render(r.Context(), &b); err != nil {
		s.log.Error("page not drawn", "path", r.URL.Path, "err", err)
		http.Error(w, "the page could not be drawn, see the log", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", csp)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// trouble is why a form was refused, on the way to the page that shows it.
type trouble struct {
	http.ResponseWriter
	err error
}

// form does what a form asks for and goes back to where it stood; refused, it
// shows the page again with the reason.
func (s *Sim) form(do func(r *http.Request) (said string, err error), again http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxRecorded)
		said, err := do(r)
		if err != nil {
			again(trouble{w, err}, r)
			return
		}
		http.Redirect(w, r, console.BackSaying(r.PostFormValue("back"), said), http.StatusSeeOther)
	})
}

// frame is what every page carries, and the status that goes with it.
func (s *Sim) frame(w http.ResponseWriter, r *http.Request) (console.Frame, int) {
	f := console.Frame{
		Gateway: s.opts.BaseURL, App: s.opts.AppURL, Seed: s.faults.view().Seed, Public: s.opts.Public,
		Said: r.URL.Query().Get("said"),
	}
	if s.opts.AppURL != "" {
		f.Browser = s.opts.BrowserURL
	}
	if t, ok := w.(trouble); ok {
		f.Error = t.err.Error()
		return f, statusOf(t.err)
	}
	return f, http.StatusOK
}

func (s *Sim) formPay(r *http.Request) (string, error) {
	outcome := r.PostFormValue("outcome")
	if _, err := s.pay(r.PathValue("no"), r.PostFormValue("openid"), outcome); err != nil {
		return "", err
	}
	said := map[string]string{outcomeCancel: "cancelled", outcomeFail: "failed", outcomeWrongPassword: "failed", outcomeNotEnough: "notenough"}[outcome]
	if said == "" {
		said = "paid"
	}
	return said, nil
}

func (s *Sim) formResend(r *http.Request) (string, error) {
	_, err := s.resend(r.Context(), r.PathValue("id"))
	return "resent", err
}

func (s *Sim) formDrop(r *http.Request) (string, error) {
	_, err := s.drop(r.PathValue("id"))
	return "dropped", err
}

func (s *Sim) formForge(r *http.Request) (string, error) {
	_, err := s.forge(r.Context(), r.PostFormValue("out_trade_no"), r.PostFormValue("kind"))
	return "forged", err
}

func (s *Sim) formAddUser(r *http.Request) (string, error) {
	fen, err := formYuan(r)
	if err != nil {
		return "", err
	}
	_, err = s.addUser(strings.TrimSpace(r.PostFormValue("nickname")), fen)
	return "user", err
}

func (s *Sim) formBalance(r *http.Request) (string, error) {
	fen, err := formYuan(r)
	if err != nil {
		return "", err
	}
	return "balance", s.setBalance(r.PathValue("openid"), fen)
}

func formYuan(r *http.Request) (int64, error) {
	fen, err := console.ParseYuan(r.PostFormValue("yuan"))
	if err != nil {
		return 0, badRequest("%s", err)
	}
	return fen, nil
}

func (s *Sim) formClock(r *http.Request) (string, error) {
	if text := r.PostFormValue("rate"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return "", badRequest("%s", errRate)
		}
		return "clock", s.setRate(n)
	}
	return "clock", s.advance(r.PostFormValue("advance"))
}

// formFaults sets a preset, or the seed and every rate and count of the page.
func (s *Sim) formFaults(r *http.Request) (string, error) {
	if err := r.ParseForm(); err != nil {
		return "", badRequest("the form cannot be read: %s", err)
	}
	change := faultsChange{Rates: map[string]float64{}, Next: map[string]int{}}
	for name, values := range r.PostForm {
		text := strings.TrimSpace(values[0])
		rate, isRate := strings.CutPrefix(name, "rate.")
		next, isNext := strings.CutPrefix(name, "next.")
		if name == "preset" {
			change.Preset = &text
		}
		if !isRate && !isNext && name != "seed" || text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		switch {
		case err != nil:
			return "", badRequest("%s must be a whole number", name)
		case isRate:
			change.Rates[rate] = float64(n) / 100
		case isNext:
			change.Next[next] = int(n)
		case n != s.faults.view().Seed:
			change.Seed = &n
		}
	}
	return "faults", s.setFaults(change)
}

// people are the users as pages show them.
func (s *Sim) people() []console.User {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []console.User
	for _, u := range s.ledger.users {
		out = append(out, console.User{
			ID: u.ID, Nickname: u.Nickname, OpenID: u.OpenID, MiniOpenID: u.MiniOpenID, UnionID: u.UnionID, Balance: u.Balance,
		})
	}
	return out
}

func (s *Sim) showUsers(w http.ResponseWriter, r *http.Request) {
	f, status := s.frame(w, r)
	s.page(w, r, status, console.CSP, console.Users(console.UsersView{Frame: f, Users: s.people()}))
}

func (s *Sim) consoleClock(f console.Frame) console.ClockView {
	now, ahead, rate := s.clock.read()
	return console.ClockView{Frame: f, Now: now, Offset: ahead.Truncate(time.Second), Rate: float64(rate)}
}

func (s *Sim) showClock(w http.ResponseWriter, r *http.Request) {
	f, status := s.frame(w, r)
	s.page(w, r, status, console.CSP, console.Clock(s.consoleClock(f)))
}

func (s *Sim) consoleFaults(f console.Frame) console.FaultsView {
	v := s.faults.view()
	out := console.FaultsView{Frame: f, Preset: v.Preset, Presets: presetNames(), Seed: v.Seed, Scenarios: s.scenarioRows()}
	for _, name := range faultOrder {
		out.Faults = append(out.Faults, console.FaultRow{
			Name: name, Percent: int(v.Rates[name]*100 + 0.5), Next: v.Next[name], Fired: v.Fired[name],
		})
		if v.Rates[name] != presets[v.Preset][name] {
			out.Preset = "" // a mixture
		}
	}
	return out
}

func (s *Sim) showFaults(w http.ResponseWriter, r *http.Request) {
	f, status := s.frame(w, r)
	s.page(w, r, status, console.CSP, console.Faults(s.consoleFaults(f)))
}

func (s *Sim) showIdentity(w http.ResponseWriter, r *http.Request) {
	id, err := s.IdentityWithKeys()
	f, status := s.frame(w, r)
	if err != nil {
		f.Error, status = err.Error(), http.StatusInternalServerError
	}
	hide := s.opts.Public
	rows := []console.IdentityRow{
		{Label: "网关", Name: "base_url", Value: id.BaseURL},
		{Label: "微信浏览器", Name: "browser_url", Value: id.BrowserURL},
		{Label: "网关，TLS", Name: "tls_base_url", Value: id.TLSBaseURL},
		{Label: "TLS 的签发者", Name: "tls_ca", Value: id.TLSCA},
		{Label: "公众号", Name: "app_id", Value: id.AppID},
		{Label: "公众号密钥", Name: "app_secret", Value: id.AppSecret, Hidden: hide},
		{Label: "小程序", Name: "mini_app_id", Value: id.MiniAppID},
		{Label: "小程序密钥", Name: "mini_app_secret", Value: id.MiniAppSecret, Hidden: hide},
		{Label: "商户号", Name: "mch_id", Value: id.MchID},
		{Label: "特约商户号", Name: "sub_mch_id", Value: id.SubMchID},
		{Label: "v2 密钥", Name: "api_key", Value: id.APIKey, Hidden: hide},
		{Label: "v3 密钥", Name: "api_v3_key", Value: id.APIv3Key, Hidden: hide},
		{Label: "商户证书序列号", Name: "merchant_serial_no", Value: id.MerchantSerialNo},
		{Label: "商户私钥", Name: "merchant_private_key", Value: id.MerchantPrivateKey, Hidden: hide},
		{Label: "商户证书", Name: "merchant_certificate", Value: id.MerchantCertificate},
		{Label: "平台证书序列号", Name: "platform_serial_no", Value: id.PlatformSerialNo},
		{Label: "平台证书", Name: "platform_certificate", Value: id.PlatformCertificate},
		{Label: "平台公钥 ID", Name: "platform_public_key_id", Value: id.PlatformPublicKeyID},
		{Label: "平台公钥", Name: "platform_public_key", Value: id.PlatformPublicKey},
		{Label: "验签方式", Name: "key_mode", Value: id.KeyMode},
	}
	rows = slices.DeleteFunc(rows, func(row console.IdentityRow) bool { return row.Value == "" && strings.HasPrefix(row.Name, "tls_") })
	for i := range rows {
		if rows[i].Hidden {
			rows[i].Value = ""
		}
	}
	s.page(w, r, status, console.CSP, console.Identity(console.IdentityView{Frame: f, Rows: rows, Users: s.people()}))
}
