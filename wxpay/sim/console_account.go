package sim

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"wxshop/wxpay/sim/console"
)

// accountRoutes are the pages of settings, messages and the doctor.
func (s *Sim) accountRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /_sim/doctor", s.showDoctor)
	mux.HandleFunc("POST /_sim/doctor", s.askDoctor)
	mux.HandleFunc("GET /_sim/account", s.showAccount)
	mux.HandleFunc("GET /_sim/messages", s.showMessages)
	mux.Handle("POST /_sim/account", s.form(s.formAccount, s.showAccount))
	mux.Handle("POST /_sim/keys", s.form(s.formKeys, s.showAccount))
	mux.Handle("POST /_sim/server", s.form(s.formServer, s.showMessages))
	mux.Handle("POST /_sim/server/push", s.form(s.formPush, s.showMessages))
	mux.Handle("POST /_sim/scenario", s.form(s.formScenario, s.showFaults))
	mux.Handle("POST /_sim/scenario/{id}/delete", s.form(func(r *http.Request) (string, error) {
		_, err := s.apiForgetScenarios(r)
		return "scenario", err
	}, s.showFaults))
}

func (s *Sim) showDoctor(w http.ResponseWriter, r *http.Request) {
	f, status := s.frame(w, r)
	s.page(w, r, status, console.CSP, console.Doctor(console.DoctorView{Frame: f, API: "v2", Direction: "request"}))
}

// askDoctor shows the page with the finding.
func (s *Sim) askDoctor(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4*maxRecorded)
	v := console.DoctorView{
		API: r.PostFormValue("api"), Direction: r.PostFormValue("direction"), URL: r.PostFormValue("url"),
		Headers: r.PostFormValue("headers"), Body: r.PostFormValue("body"), Computed: strings.TrimSpace(r.PostFormValue("computed")), Asked: true,
	}
	method, target, ok := strings.Cut(strings.TrimSpace(v.URL), " ")
	if !ok {
		method, target = http.MethodPost, method
	}
	found, err := s.examinePasted(diagnoseJSON{
		API: v.API, Direction: v.Direction, Method: method, URL: target, Headers: headerLines(v.Headers), Body: v.Body, Computed: v.Computed,
	})
	if err != nil {
		w, v.Asked = trouble{w, err}, false
	}
	v.Valid, v.Result = found.Valid, *shownDiagnosis(&found.diagnosisJSON)
	f, status := s.frame(w, r)
	v.Frame = f
	s.page(w, r, status, console.CSP, console.Doctor(v))
}

// examinePasted looks at a message from a form. Browsers change line breaks
// there and people lose the last one: if the signature holds with one of the
// likely ends, that is how it was.
func (s *Sim) examinePasted(in diagnoseJSON) (foundJSON, error) {
	text := strings.ReplaceAll(in.Body, "\r\n", "\n")
	in.Body = strings.TrimSpace(text)
	found, err := s.examine(in)
	if in.API != "v3" || err != nil {
		return found, err
	}
	for _, other := range []string{in.Body + "\n", text} {
		if in.Body = other; found.Valid {
			break
		}
		if again, err := s.examine(in); err == nil && again.Valid {
			return again, nil
		}
	}
	return found, nil
}

// headerLines reads headers as people paste them.
func headerLines(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			out[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return out
}

// lists are the settings with one entry per line.
func (a *accountJSON) lists() []struct {
	name, label, hint string
	have              *[]string
	flaw              func(string) string
} {
	return []struct {
		name, label, hint string
		have              *[]string
		flaw              func(string) string
	}{
		{"pay_directories", "支付目录（一行一个，最多 5 个，以 / 结尾）", "付款的网页要在里面；只写到域名，就管整个域名。", &a.PayDirectories, directoryFlaw},
		{"oauth_domains", "网页授权域名（最多 2 个）", "不带协议，不带端口。不在里面，授权页报 10003。", &a.OAuthDomains, domainFlaw},
		{"js_domains", "JS 接口安全域名（最多 5 个）", "不带协议，不带端口。", &a.JSDomains, domainFlaw},
		{"ip_whitelist", "IP 白名单", "取 access_token 时查，不在里面答 40164。", &a.IPWhitelist, addressFlaw},
	}
}

func (s *Sim) showAccount(w http.ResponseWriter, r *http.Request) {
	f, status := s.frame(w, r)
	a := s.account()
	if _, refused := w.(trouble); refused {
		a = readAccount(r, a) // what was typed stays
	}
	v := console.AccountView{Frame: f, Enforce: a.Enforce}
	for _, l := range a.lists() {
		list := console.AccountList{Name: l.name, Label: l.label, Hint: l.hint, Lines: strings.Join(*l.have, "\n")}
		for _, entry := range *l.have {
			if why := l.flaw(entry); why != "" {
				list.Flaws = append(list.Flaws, entry+"："+why)
			}
		}
		v.Lists = append(v.Lists, list)
	}
	v.AppIDs = boxes([][2]string{{appID1, appID1 + " 公众号"}, {miniAppID1, miniAppID1 + " 小程序"}}, a.BoundAppIDs)
	for _, name := range productNames() {
		v.Products = append(v.Products, boxes([][2]string{{name, name}}, a.Products)...)
	}
	v.KeyModes = boxes([][2]string{{"public_key", "微信支付公钥"}, {"certificate", "平台证书"}, {"mixed", "两种都有，正在切换"}}, []string{a.KeyMode})
	v.BillHost = boxes([][2]string{{"self", "模拟器自己"}, {"canonical", "真的域名 api.mch.weixin.qq.com"}}, []string{a.BillHost})
	v.CloseUnknown = boxes([][2]string{{closeUnknownBurns, "答 204，这个号从此作废"}, {closeUnknownRefused, "答 404 ORDER_NOT_EXIST"}}, []string{a.CloseUnknown})
	v.Reentry = boxes([][2]string{
		{reentryMismatch, "400 请求重入时，参数与首次请求时不一致"}, {reentryRepeated, "400 201 商户订单号重复"}, {reentryUsed, "403 OUT_TRADE_NO_USED"},
	}, []string{a.Reentry})
	if err := s.fillKeys(&v); err != nil {
		v.Frame.Error, status = err.Error(), http.StatusInternalServerError
	}
	s.page(w, r, status, console.CSP, console.Account(v))
}

// fillKeys shows the platform certificates to who has some, and the next steps.
func (s *Sim) fillKeys(v *console.AccountView) error {
	if s.ids.view().KeyMode == modePublicKey {
		return nil
	}
	keys, err := s.keysView()
	if err != nil {
		return err
	}
	states := map[string]string{"next": "列出了，还没签名", "signing": "在签名", "old": "旧的，还列着"}
	for _, c := range keys.Platform {
		v.Certs = append(v.Certs, console.CertRow{SerialNo: c.SerialNo, State: states[c.State]})
	}
	switch {
	case len(keys.Platform) == 1:
		v.Steps = []console.AccountChoice{{Value: rotateStart, Label: "轮换平台证书"}, {Value: rotateNow, Label: "不打招呼就换"}}
	case keys.Platform[0].State == "next":
		v.Steps = []console.AccountChoice{{Value: rotateSwitch, Label: "用新证书签名"}}
	default:
		v.Steps = []console.AccountChoice{{Value: rotateFinish, Label: "不再列旧证书"}}
	}
	return nil
}

func (s *Sim) formKeys(r *http.Request) (string, error) {
	return "keys", s.setKeys(r.PostFormValue("rotate"), r.PostFormValue("api_v3_key"))
}

func boxes(all [][2]string, on []string) []console.AccountChoice {
	var out []console.AccountChoice
	for _, b := range all {
		out = append(out, console.AccountChoice{Value: b[0], Label: b[1], On: slices.Contains(on, b[0])})
	}
	return out
}

// readAccount reads the form; appids of others that were bound stay bound.
func readAccount(r *http.Request, now accountJSON) accountJSON {
	a := accountJSON{Enforce: r.PostFormValue("enforce") != "", KeyMode: r.PostFormValue("key_mode"), BillHost: r.PostFormValue("bill_host"),
		CloseUnknown: cmp.Or(r.PostFormValue("close_unknown"), now.CloseUnknown), Reentry: cmp.Or(r.PostFormValue("reentry"), now.Reentry)}
	for _, l := range a.lists() {
		*l.have = strings.Fields(r.PostFormValue(l.name))
	}
	a.BoundAppIDs, a.Products = slices.Clone(r.PostForm["bound_app_ids"]), slices.Clone(r.PostForm["products"])
	for _, id := range now.BoundAppIDs {
		if id != appID1 && id != miniAppID1 {
			a.BoundAppIDs = append(a.BoundAppIDs, id)
		}
	}
	return a
}

func (s *Sim) formAccount(r *http.Request) (string, error) {
	if err := r.ParseForm(); err != nil {
		return "", badRequest("the form cannot be read: %s", err)
	}
	a := readAccount(r, s.account())
	for _, l := range a.lists() {
		if r.PostFormValue("fix") == l.name {
			*l.have = mended(l.name, *l.have)
		}
	}
	return "account", s.setAccount(a)
}

// mended puts entries right whose flaw is in their form, and drops the rest.
func mended(name string, entries []string) []string {
	out := []string{}
	for _, e := range entries {
		switch name {
		case "pay_directories":
			if !strings.Contains(e, "://") {
				e = "https://" + e
			}
			e, _, _ = strings.Cut(strings.TrimRight(e, "/"), "?")
			e += "/"
		case "oauth_domains", "js_domains":
			if _, rest, ok := strings.Cut(e, "://"); ok {
				e = rest
			}
			host, path, deep := strings.Cut(strings.TrimRight(e, "/"), "/")
			if e = hostOf(host); deep {
				e += "/" + path
			}
		}
		flaw := map[string]func(string) string{"pay_directories": directoryFlaw, "ip_whitelist": addressFlaw}[name]
		if flaw == nil {
			flaw = domainFlaw
		}
		if flaw(e) == "" && !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}

func (s *Sim) showMessages(w http.ResponseWriter, r *http.Request) {
	f, status := s.frame(w, r)
	server := s.serverView()
	v := console.MessagesView{
		Frame: f, URL: server.URL, Token: server.Token, Key: server.Key, Mode: server.Mode, Hidden: s.opts.Public, Users: s.people(),
	}
	for _, b := range s.menu() {
		for _, leaf := range append([]menuButton{b}, b.Sub...) {
			switch leaf.Type {
			case "click":
				v.Menu = append(v.Menu, console.MenuButton{Name: leaf.Name, Type: "click", Key: leaf.Key})
			case "view":
				v.Menu = append(v.Menu, console.MenuButton{Name: leaf.Name, Type: "view", Key: leaf.URL})
			}
		}
	}
	all, _ := s.events.since(0)
	for _, h := range slices.Backward(all) {
		if strings.HasPrefix(h.entry.Title, "公众号消息") || strings.HasSuffix(h.entry.Title, "收到模板消息") {
			if v.Rows = append(v.Rows, h.entry); len(v.Rows) == 20 {
				break
			}
		}
	}
	s.page(w, r, status, console.CSP, console.Messages(v))
}

func (s *Sim) formServer(r *http.Request) (string, error) {
	v := s.messageServer()
	v.URL, v.Mode = strings.TrimSpace(r.PostFormValue("url")), r.PostFormValue("mode")
	if token := r.PostFormValue("token"); token != "" {
		v.Token = token
	}
	if key := r.PostFormValue("encoding_aes_key"); key != "" {
		v.Key = key
	}
	return "server", s.setServer(r.Context(), v)
}

func (s *Sim) formPush(r *http.Request) (string, error) {
	in := pushJSON{OpenID: r.PostFormValue("openid")}
	in.Type, in.Key, _ = strings.Cut(r.PostFormValue("type"), " ")
	switch content := strings.TrimSpace(r.PostFormValue("content")); in.Type {
	case "text":
		in.Content = content
	case "subscribe", "scan":
		in.Key = content
	}
	_, err := s.push(r.Context(), in)
	return "pushed", err
}

// formScenario adds a script: an outcome or a fault, as the name says.
func (s *Sim) formScenario(r *http.Request) (string, error) {
	if r.PostFormValue("table") != "" {
		s.useAmountTable()
		return "scenario", nil
	}
	var in scenarioJSON
	value := strings.TrimSpace(r.PostFormValue("value"))
	switch r.PostFormValue("kind") {
	case "amount":
		fen, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return "", badRequest("the amount is a whole number of fen, such as 1234")
		}
		in.Match.Amount = &fen
	case "amount_ends":
		in.Match.AmountEnds = value
	case "description":
		in.Match.Description = value
	case "openid":
		in.Match.OpenID = value
	}
	in.Then.Fault = r.PostFormValue("then")
	if slices.Contains(outcomeNames(), in.Then.Fault) {
		in.Then.Outcome, in.Then.Fault = in.Then.Fault, ""
	}
	if text := r.PostFormValue("times"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return "", badRequest("times is a whole number; 0 is always")
		}
		in.Times = n
	}
	_, err := s.addScenario(in)
	return "scenario", err
}

// scenarioRows are the scripts for the page of faults.
func (s *Sim) scenarioRows() []console.ScenarioRow {
	var out []console.ScenarioRow
	for _, r := range s.scenarios.list() {
		row := console.ScenarioRow{ID: r.ID, When: r.Match.words(), Then: r.Then.Outcome + r.Then.Fault, Times: "次次", Fired: r.Fired}
		if r.Times > 0 {
			row.Times = strconv.Itoa(r.Times) + " 次"
		}
		out = append(out, row)
	}
	return out
}
