package sim

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
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
