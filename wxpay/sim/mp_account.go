package sim

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The errors of the account's own API (official accounts, "全局返回码").
var (
	mpTicketType   = mpError{40097, "invalid args"}
	mpTemplate     = mpError{40037, "invalid template_id"}
	mpNotFollowing = mpError{43004, "require subscribe"}
	mpArgument     = mpError{47003, "argument invalid!"}
	mpFormat       = mpError{47001, "data format error"}
	mpNoMenu       = mpError{46003, "menu no exist"}
	mpButtonCount  = mpError{40016, "invalid button size"}
	mpButtonType   = mpError{40017, "invalid button type"}
	mpButtonName   = mpError{40018, "invalid button name size"}
	mpButtonKey    = mpError{40019, "invalid button key size"}
	mpButtonURL    = mpError{40020, "invalid button url size"}
	mpSubCount     = mpError{40023, "invalid sub button size"}
	mpSubType      = mpError{40024, "invalid sub button type"}
	mpSubName      = mpError{40025, "invalid sub button name size"}
)

var mpOK = struct {
	Code int    `json:"errcode"`
	Msg  string `json:"errmsg"`
}{0, "ok"}

// mpRoutes are the calls with the account's own token.
func (s *Sim) mpRoutes(mux *http.ServeMux) {
	mux.Handle("/sns/jscode2session", s.mp(snsType, s.jsCode2Session))
	mux.Handle("/cgi-bin/token", s.mp(cgiType, s.cgiToken))
	mux.Handle("/cgi-bin/stable_token", s.mp(cgiType, s.cgiStableToken))
	for path, handle := range map[string]func(*http.Request) (any, mpError){
		"ticket/getticket": s.getTicket, "get_api_domain_ip": s.apiDomainIP,
		"menu/create": s.createMenu, "menu/get": s.getMenu, "menu/delete": s.deleteMenu, "get_current_selfmenu_info": s.selfMenu,
		"message/template/send": s.sendTemplate,
	} {
		mux.Handle("/cgi-bin/"+path, s.mp(cgiType, s.withToken(handle)))
	}
}

// withToken lets calls with a good account token through.
func (s *Sim) withToken(handle func(*http.Request) (any, mpError)) func(*http.Request) (any, mpError) {
	return func(r *http.Request) (any, mpError) {
		if bad := s.oauth.checkAccountToken(r.URL.Query().Get("access_token"), s.clock.Now()); bad.code != 0 {
			return nil, bad
		}
		return handle(r)
	}
}

// jsCode2Session is the login of the mini program. session_key stays the same
// for a code; nothing here is encrypted with it.
func (s *Sim) jsCode2Session(r *http.Request) (any, mpError) {
	q := r.URL.Query()
	id := s.ids.view()
	switch {
	case q.Get("appid") == "":
		return nil, mpNoAppID
	case q.Get("secret") == "":
		return nil, mpNoSecret
	case q.Get("js_code") == "":
		return nil, mpNoCode
	case q.Get("grant_type") != "authorization_code":
		return nil, mpInvalidGrant
	case q.Get("appid") != id.MiniAppID:
		say(r, verdict{advice: "这里要小程序的 appid " + id.MiniAppID + "，不是公众号的。The appid must be that of the mini program."})
		return nil, mpInvalidAppID
	case q.Get("secret") != id.MiniAppSecret:
		return nil, mpInvalidSecret
	}
	g, bad := s.oauth.redeem(q.Get("js_code"), id.MiniAppID, scopeMini, s.clock.Now())
	if bad.code != 0 {
		return nil, bad
	}
	return struct {
		OpenID  string `json:"openid"`
		Key     string `json:"session_key"`
		UnionID string `json:"unionid"`
	}{g.openID, secret(alphanum, 22) + "==", g.unionID}, mpError{}
}

// jsCodeJSON is what wx.login gives the mini program.
type jsCodeJSON struct {
	Code    string `json:"code"`
	Expires stamp  `json:"expires_at"`
}

// apiJSCode is wx.login: POST /_sim/api/users/{openid}/jscode, with either of
// the person's openids.
func (s *Sim) apiJSCode(r *http.Request) (any, error) {
	s.mu.Lock()
	u := s.ledger.person(r.PathValue("openid"))
	s.mu.Unlock()
	if u == nil {
		return nil, notFound("there is no user with openid %q; GET /_sim/api/users lists them", r.PathValue("openid"))
	}
	now := s.clock.Now()
	code := s.oauth.newCode(grant{appID: miniAppID1, openID: u.MiniOpenID, unionID: u.UnionID, scope: scopeMini}, now)
	return jsCodeJSON{code, stamp(now.Add(codeLife))}, nil
}

// getTicket gives the ticket that signs wx.config.
func (s *Sim) getTicket(r *http.Request) (any, mpError) {
	if r.URL.Query().Get("type") != "jsapi" {
		return nil, mpTicketType
	}
	ticket, left := s.oauth.jsTicket(s.clock.Now())
	return struct {
		Code    int    `json:"errcode"`
		Msg     string `json:"errmsg"`
		Ticket  string `json:"ticket"`
		Expires int    `json:"expires_in"`
	}{0, "ok", ticket, int(left / time.Second)}, mpError{}
}

func (s *Sim) apiDomainIP(*http.Request) (any, mpError) {
	return map[string][]string{"ip_list": {"127.0.0.1"}}, mpError{}
}

// menuButton is one button of the menu.
type menuButton struct {
	Type     string       `json:"type,omitempty"`
	Name     string       `json:"name"`
	Key      string       `json:"key,omitempty"`
	URL      string       `json:"url,omitempty"`
	AppID    string       `json:"appid,omitempty"`
	PagePath string       `json:"pagepath,omitempty"`
	MediaID  string       `json:"media_id,omitempty"`
	Sub      []menuButton `json:"sub_button,omitempty"`
}

var buttonTypes = regexp.MustCompile(`^(click|view|miniprogram|scancode_push|scancode_waitmsg|pic_sysphoto|pic_photo_or_album|pic_weixin|location_select|media_id|article_id|article_view_limited)$`)

// createMenu replaces the menu, within WeChat's limits.
func (s *Sim) createMenu(r *http.Request) (any, mpError) {
	if r.Method != http.MethodPost {
		return nil, mpNeedPost
	}
	var in struct {
		Button []menuButton `json:"button"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody)).Decode(&in); err != nil {
		return nil, mpFormat
	}
	if len(in.Button) < 1 || len(in.Button) > 3 {
		return nil, mpButtonCount
	}
	for _, b := range in.Button {
		if bad := b.check(); bad.code != 0 {
			return nil, bad
		}
	}
	return mpOK, s.keepMenu(in.Button)
}

// keepMenu writes the menu down; none deletes it.
func (s *Sim) keepMenu(menu []menuButton) mpError {
	s.mu.Lock()
	err := s.commit(&record{Kind: recMenu, Menu: menu})
	s.mu.Unlock()
	if err == nil {
		err = s.journal.sync()
	}
	if err != nil {
		s.log.Error("menu not kept", "err", err)
		return mpError{-1, "system error"}
	}
	return mpError{}
}

func (b menuButton) check() mpError {
	switch {
	case b.Name == "" || len(b.Name) > 16:
		return mpButtonName
	case len(b.Sub) > 5:
		return mpSubCount
	case len(b.Sub) == 0:
		return b.checkAction(mpButtonType)
	}
	for _, sub := range b.Sub {
		if sub.Name == "" || len(sub.Name) > 60 {
			return mpSubName
		}
		if bad := sub.checkAction(mpSubType); bad.code != 0 {
			return bad
		}
	}
	return mpError{}
}

func (b menuButton) checkAction(badType mpError) mpError {
	switch {
	case !buttonTypes.MatchString(b.Type):
		return badType
	case b.Type == "click" && b.Key == "" || len(b.Key) > 128:
		return mpButtonKey
	case b.Type == "view" && !absoluteHTTP(b.URL) || len(b.URL) > 1024:
		return mpButtonURL
	}
	return mpError{}
}

func (s *Sim) menu() []menuButton {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.menu
}

func (s *Sim) getMenu(*http.Request) (any, mpError) {
	menu := s.menu()
	if len(menu) == 0 {
		return nil, mpNoMenu
	}
	return map[string]any{"menu": map[string]any{"button": menu}}, mpError{}
}

func (s *Sim) deleteMenu(*http.Request) (any, mpError) { return mpOK, s.keepMenu(nil) }

func (s *Sim) selfMenu(*http.Request) (any, mpError) {
	menu := s.menu()
	open := 0
	if len(menu) > 0 {
		open = 1
	}
	return map[string]any{"is_menu_open": open, "selfmenu_info": map[string]any{"button": menu}}, mpError{}
}

// templateLimits are how long typed values may be, in characters ("类目模板").
var templateLimits = map[string]int{"thing": 20, "character_string": 32, "phrase": 5, "number": 32, "letter": 32, "symbol": 5, "name": 10, "car_number": 8, "phone_number": 17}

var typedKey = regexp.MustCompile(`^([a-z_]+)[0-9]+$`)

// sendTemplate shows a person a message, and tells the shop that it arrived.
func (s *Sim) sendTemplate(r *http.Request) (any, mpError) {
	if r.Method != http.MethodPost {
		return nil, mpNeedPost
	}
	var in struct {
		ToUser     string `json:"touser"`
		TemplateID string `json:"template_id"`
		URL        string `json:"url"`
		Data       map[string]struct {
			Value string `json:"value"`
		} `json:"data"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody)).Decode(&in); err != nil {
		return nil, mpFormat
	}
	s.mu.Lock()
	u := s.ledger.user(appID1, in.ToUser)
	s.mu.Unlock()
	switch {
	case u == nil:
		return nil, mpInvalidOpenID
	case in.TemplateID == "":
		return nil, mpTemplate
	case s.oauth.hasLeft(in.ToUser):
		return nil, mpNotFollowing
	}
	var lines []string
	for name, v := range in.Data {
		kind := typedKey.FindStringSubmatch(name)
		if kind != nil && templateLimits[kind[1]] > 0 && (v.Value == "" || utf8.RuneCountInString(v.Value) > templateLimits[kind[1]]) {
			return nil, mpError{mpArgument.code, mpArgument.msg + " data." + name + ".value invalid"}
		}
		lines = append(lines, name+"："+v.Value)
	}
	id, err := strconv.ParseInt(pick(s.draw("template"), "123456789", 12), 10, 64)
	if err != nil {
		return nil, mpError{-1, "system error"}
	}
	s.timelineTemplate(u, in.TemplateID, in.URL, lines)
	s.templateArrived(r.Context(), in.ToUser, id)
	return struct {
		Code int    `json:"errcode"`
		Msg  string `json:"errmsg"`
		ID   int64  `json:"msgid"`
	}{0, "ok", id}, mpError{}
}

// withRID ends a message with the number of the call, as WeChat does.
func (e mpError) withRID(rid string) string {
	if strings.HasSuffix(e.msg, "whitelist") {
		return e.msg + " rid: " + rid
	}
	return e.msg + ", rid: " + rid
}
