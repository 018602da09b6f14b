package sim

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The modes of the message server (official accounts, "服务器配置").
const (
	modePlain  = "plain"  // 明文
	modeCompat = "compat" // 兼容: both
	modeSafe   = "safe"   // 安全: encrypted only
)

func serverModes() []string { return []string{modePlain, modeCompat, modeSafe} }

// serverJSON is the shop's endpoint for messages and events of the official
// account: GET and PUT /_sim/api/server.
type serverJSON struct {
	URL   string `json:"url"` // empty: none is set up
	Token string `json:"token"`
	Key   string `json:"encoding_aes_key"`
	Mode  string `json:"mode"`
}

// originalID is the account's own name in messages (原始 ID).
const originalID = "gh_f00000000001"

var (
	tokenForm  = regexp.MustCompile(`^[0-9A-Za-z]{3,32}$`)
	aesKeyForm = regexp.MustCompile(`^[0-9A-Za-z]{43}$`)
)

// MessageKeys are the token and the EncodingAESKey that the message server has
// until somebody sets others. They follow from the app secret.
func (s *Sim) MessageKeys() (token, encodingAESKey string) {
	sum := func(what string) []byte {
		h := sha256.Sum256([]byte(what + s.ids.view().AppSecret))
		return h[:]
	}
	token = hex.EncodeToString(sum("token"))[:24]
	key := base64.StdEncoding.EncodeToString(sum("message key"))
	return token, strings.NewReplacer("+", "p", "/", "s").Replace(key)[:43]
}

// messageServer is the setting that holds: until somebody makes one, that of
// a shop with its endpoint at /wechat.
func (s *Sim) messageServer() serverJSON {
	token, key := s.MessageKeys()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ledger.server != nil {
		return *s.ledger.server
	}
	v := serverJSON{Token: token, Key: key, Mode: modePlain}
	if s.opts.AppURL != "" {
		v.URL = s.opts.AppURL + "/wechat"
	}
	return v
}

// serverView hides what a public demo must not show.
func (s *Sim) serverView() serverJSON {
	v := s.messageServer()
	if s.opts.Public {
		v.Token, v.Key = "", ""
	}
	return v
}

// apiSetServer sets the endpoint up, after it has proved that it knows the token.
func (s *Sim) apiSetServer(r *http.Request) (any, error) {
	in := s.messageServer()
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	if err := s.setServer(r.Context(), in); err != nil {
		return nil, err
	}
	return s.serverView(), nil
}

func (s *Sim) setServer(ctx context.Context, v serverJSON) error {
	switch {
	case !tokenForm.MatchString(v.Token):
		return badRequest("token must be 3 to 32 letters and digits")
	case !aesKeyForm.MatchString(v.Key):
		return badRequest("encoding_aes_key must be 43 letters and digits")
	case !slices.Contains(serverModes(), v.Mode):
		return badRequest("mode must be %s", strings.Join(serverModes(), ", "))
	case v.URL != "" && !absoluteHTTP(v.URL):
		return badRequest("url must be an absolute http or https URL, such as http://localhost:8080/wechat")
	}
	if v.URL != "" {
		if err := s.verifyServer(ctx, v); err != nil {
			return err
		}
	}
	s.mu.Lock()
	err := s.commit(&record{Kind: recServer, Server: &v})
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.journal.sync()
}

// verifyServer is the GET that WeChat makes when the setting is saved: the
// endpoint must answer with echostr and nothing else.
func (s *Sim) verifyServer(ctx context.Context, v serverJSON) error {
	echo := pick(s.draw("echostr"), digits, 19)
	target := withQuery(v.URL, s.signedQuery(v, "", "")) + "&echostr=" + echo
	ctx, cancel := context.WithTimeout(ctx, replyDeadline)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return badRequest("url: %s", err)
	}
	req.Header.Set("User-Agent", "Mozilla/4.0")
	res, err := s.guard.RoundTrip(req)
	if err != nil {
		return conflict("请求URL超时：%s. The shop must answer GET %s within 5 seconds", deadlineSaid(ctx, err), v.URL)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxReply))
	if err != nil || res.StatusCode != http.StatusOK || string(body) != echo {
		return conflict("token验证失败：the answer to GET %s was %d %q, not echostr alone. Check signature = sha1(sort(token, timestamp, nonce)), then answer echostr with nothing around it; the token must be the same on both sides", v.URL, res.StatusCode, cutText(string(body), 80))
	}
	return nil
}

func cutText(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

func withQuery(target, query string) string {
	if strings.Contains(target, "?") {
		return target + "&" + query
	}
	return target + "?" + query
}

// signedQuery is what every call to the endpoint carries; sealed is the
// encrypted message, if there is one.
func (s *Sim) signedQuery(v serverJSON, openID, sealed string) string {
	stamp, nonce := strconv.FormatInt(s.opts.Now().Unix(), 10), pick(s.draw("push nonce"), digits, 10)
	q := "signature=" + sorted1(v.Token, stamp, nonce) + "&timestamp=" + stamp + "&nonce=" + nonce
	if openID != "" {
		q += "&openid=" + url.QueryEscape(openID)
	}
	if sealed != "" {
		q += "&encrypt_type=aes&msg_signature=" + sorted1(v.Token, stamp, nonce, sealed)
	}
	return q
}

// sorted1 is the signature of the message server: SHA-1 over the parts in byte
// order (official accounts, "接入指南").
func sorted1(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// pushJSON is a person who does something in the chat: POST /_sim/api/server/push.
type pushJSON struct {
	OpenID  string `json:"openid"`
	Type    string `json:"type"`    // text, subscribe, unsubscribe, scan, click, view
	Content string `json:"content"` // of a text
	Key     string `json:"key"`     // of scan, click, view; of subscribe: the scene of a QR code
}

// pushedJSON is what the shop answered.
type pushedJSON struct {
	Status   int    `json:"status"` // 0: no answer
	Body     string `json:"body"`
	Attempts int    `json:"attempts"`
	OK       bool   `json:"ok"`
	Reply    string `json:"reply"` // what the person sees; empty: nothing
}

func pushTypes() []string {
	return []string{"text", "subscribe", "unsubscribe", "scan", "click", "view"}
}

// busy is what WeChat shows when the endpoint does not answer.
const busy = "该公众号提供的服务出现故障，请稍后再试"

// push sends a message or an event to the shop: three attempts of five seconds.
func (s *Sim) push(ctx context.Context, in pushJSON) (pushedJSON, error) {
	if in.Type == "" {
		in.Type = "text"
	}
	if !slices.Contains(pushTypes(), in.Type) {
		return pushedJSON{}, badRequest("unknown type %q; choose %s", in.Type, strings.Join(pushTypes(), ", "))
	}
	if (in.Type == "text") == (in.Content == "") {
		return pushedJSON{}, badRequest("a text needs content, and only a text has it")
	}
	if !legalXML(in.Content) || !legalXML(in.Key) || len(in.Content) > 2048 || len(in.Key) > 1024 {
		return pushedJSON{}, badRequest("content or key is too long or has characters that XML has not")
	}
	s.mu.Lock()
	u := s.ledger.users[0]
	if in.OpenID != "" {
		u = s.ledger.user(appID1, in.OpenID)
	}
	s.mu.Unlock()
	if u == nil {
		return pushedJSON{}, notFound("there is no user with openid %q; GET /_sim/api/users lists them", in.OpenID)
	}
	v := s.messageServer()
	if v.URL == "" {
		return pushedJSON{}, conflict("no message server is set up; PUT /_sim/api/server with the URL of the shop's endpoint first")
	}
	s.follow(u.OpenID, in.Type)
	return s.tellShop(ctx, v, u.OpenID, in.Type, s.messageXML(u.OpenID, in))
}

// tellShop posts a document until it is answered, three times at most.
func (s *Sim) tellShop(ctx context.Context, v serverJSON, openID, kind string, doc []byte) (pushedJSON, error) {
	var out pushedJSON
	for out.Attempts < 3 && !out.OK {
		out.Attempts++
		msg, query, err := s.sealedPush(v, openID, doc)
		if err != nil {
			return out, err
		}
		got := s.post(context.WithoutCancel(ctx), withQuery(v.URL, query), msg)
		a := got.attempt(msg)
		out.Status, out.Body = a.Status, a.ResponseBody
		out.OK, out.Reply = s.readReply(v, got)
		s.timelinePush(kind, v.URL, a, out)
	}
	if !out.OK {
		out.Reply = busy
	}
	return out, nil
}

// sealedPush is one POST: the body as its mode wants it, and the query.
func (s *Sim) sealedPush(v serverJSON, openID string, doc []byte) (message, string, error) {
	sealed := ""
	if v.Mode != modePlain {
		var err error
		if sealed, err = sealMessage(v.Key, appID1, []byte(pick(s.draw("push random"), alphanum, 16)), doc); err != nil {
			return message{}, "", err
		}
		list := []field{{"ToUserName", originalID}, {"Encrypt", sealed}}
		if v.Mode == modeCompat {
			doc = append(doc[:len(doc)-len("</xml>"):len(doc)-len("</xml>")], writeXML(list[1:], nil)[len("<xml>"):]...)
		} else {
			doc = writeXML(list, nil)
		}
	}
	msg := newMessage(doc, s.draw("push id"))
	return msg, s.signedQuery(v, openID, sealed), nil
}

// messageXML writes what a person did.
func (s *Sim) messageXML(openID string, in pushJSON) []byte {
	r := s.draw("message")
	list := []field{
		{"ToUserName", originalID}, {"FromUserName", openID},
		{"CreateTime", strconv.FormatInt(s.opts.Now().Unix(), 10)}, {"MsgType", "event"},
	}
	switch in.Type {
	case "text":
		list[3].value = "text"
		list = append(list, field{"Content", in.Content}, field{"MsgId", "2" + pick(r, digits, 16)})
	case "subscribe":
		list = append(list, field{"Event", "subscribe"}, field{"EventKey", ""})
		if in.Key != "" {
			list[len(list)-1].value = "qrscene_" + in.Key
			list = append(list, field{"Ticket", pick(r, alphanum, 96)})
		}
	case "unsubscribe":
		list = append(list, field{"Event", "unsubscribe"}, field{"EventKey", ""})
	case "scan":
		list = append(list, field{"Event", "SCAN"}, field{"EventKey", in.Key}, field{"Ticket", pick(r, alphanum, 96)})
	default:
		list = append(list, field{"Event", strings.ToUpper(in.Type)}, field{"EventKey", in.Key})
	}
	return writeXML(list, func(f field) bool { return f.name == "CreateTime" || f.name == "MsgId" })
}

// readReply judges what the shop answered: nothing, "success", or a message,
// encrypted where the mode says so.
func (s *Sim) readReply(v serverJSON, got delivered) (ok bool, reply string) {
	text := strings.TrimSpace(string(got.body))
	switch {
	case got.err != nil || got.status != http.StatusOK:
		return false, ""
	case text == "" || text == "success":
		return true, ""
	}
	fields, err := readReplyXML(text)
	if err != nil {
		return false, ""
	}
	if sealed := fields["Encrypt"]; v.Mode != modePlain && sealed != "" {
		want := sorted1(v.Token, fields["TimeStamp"], fields["Nonce"], sealed)
		if subtle.ConstantTimeCompare([]byte(want), []byte(fields["MsgSignature"])) != 1 {
			return false, ""
		}
		plain, err := openMessage(v.Key, appID1, sealed)
		if err != nil {
			return false, ""
		}
		if fields, err = readReplyXML(string(plain)); err != nil {
			return false, ""
		}
	} else if v.Mode == modeSafe {
		return false, ""
	}
	if fields["MsgType"] == "text" {
		return fields["Content"] != "", fields["Content"]
	}
	return fields["MsgType"] != "", "[" + fields["MsgType"] + "]"
}

// readReplyXML reads a passive reply; those that nest (news, image) are read
// only as far as their type.
func readReplyXML(text string) (map[string]string, error) {
	fields, err := readXML([]byte(text))
	if err == nil {
		return fields, nil
	}
	found := nestedForm.FindStringSubmatch(text)
	if found == nil || !strings.HasPrefix(text, "<xml>") || !strings.HasSuffix(text, "</xml>") {
		return nil, errXML
	}
	return map[string]string{"MsgType": found[1]}, nil
}

var nestedForm = regexp.MustCompile(`<MsgType>(?:<!\[CDATA\[)?(image|voice|video|music|news|transfer_customer_service)(?:\]\]>)?</MsgType>`)

// templateArrived tells the shop's endpoint, soon, that a template message
// reached its reader (TEMPLATESENDJOBFINISH).
func (s *Sim) templateArrived(ctx context.Context, openID string, id int64) {
	v := s.messageServer()
	if v.URL == "" {
		return
	}
	doc := writeXML([]field{
		{"ToUserName", originalID}, {"FromUserName", openID}, {"CreateTime", strconv.FormatInt(s.opts.Now().Unix(), 10)},
		{"MsgType", "event"}, {"Event", "TEMPLATESENDJOBFINISH"}, {"MsgID", strconv.FormatInt(id, 10)}, {"Status", "success"},
	}, func(f field) bool { return f.name == "CreateTime" || f.name == "MsgID" })
	ctx = context.WithoutCancel(ctx)
	s.background.Go(func() {
		if _, err := s.tellShop(ctx, v, openID, "TEMPLATESENDJOBFINISH", doc); err != nil {
			s.log.Error("template result not sent", "err", err)
		}
	})
}

func (s *Sim) apiPush(r *http.Request) (any, error) {
	var in pushJSON
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	return s.push(r.Context(), in)
}

// follow remembers who left the account; everybody follows at first.
func (s *Sim) follow(openID, did string) {
	s.oauth.mu.Lock()
	defer s.oauth.mu.Unlock()
	switch did {
	case "unsubscribe":
		s.oauth.left[openID] = true
	default:
		delete(s.oauth.left, openID)
	}
}

func (p pushedJSON) words() string {
	return fmt.Sprintf("第 %d 次 · 商户答 %d", p.Attempts, p.Status)
}
