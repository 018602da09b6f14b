package wxpay

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MPServerConfig is the official account's server endpoint (mp.weixin.qq.com,
// 服务器配置): where WeChat pushes what followers do and write.
type MPServerConfig struct {
	AppID string
	Token string // 3 to 32 letters and digits
	// EncodingAESKey is 43 letters and digits; empty: plain messages only.
	// With it, plain messages are refused: the signature that those carry is
	// not over their contents.
	EncodingAESKey         string
	PreviousEncodingAESKey string           // still accepted while the key is replaced
	Now                    func() time.Time // default: time.Now
}

// Validate names every mistake in c, one sentence each, none with a secret.
func (c MPServerConfig) Validate() error {
	errs := []error{checkAppID("app id", c.AppID)}
	if len(c.Token) < 3 || len(c.Token) > 32 || !alphanumeric(c.Token) {
		errs = append(errs, errors.New("the token is not 3 to 32 letters and digits"))
	}
	for name, key := range map[string]string{"AES key": c.EncodingAESKey, "previous AES key": c.PreviousEncodingAESKey} {
		if key == "" {
			continue
		}
		if _, err := mpKey(key); err != nil {
			errs = append(errs, fmt.Errorf("the %s is not 43 letters and digits", name))
		}
	}
	if c.PreviousEncodingAESKey != "" && c.EncodingAESKey == "" {
		errs = append(errs, errors.New("a previous AES key needs an AES key"))
	}
	return errors.Join(errs...)
}

// MPServer is that endpoint without the HTTP. A handler gives the query of a
// GET to VerifyURL, and the query and body of a POST to Read; it must answer
// within 5 seconds, with what Reply makes.
type MPServer struct {
	cfg  MPServerConfig
	keys [][]byte // AES; the first encrypts, all decrypt
}

// NewMPServer checks c and returns the endpoint.
func NewMPServer(c MPServerConfig) (*MPServer, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("official account's server: %w", err)
	}
	return newMPServer(c), nil
}

func newMPServer(c MPServerConfig) *MPServer {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &MPServer{cfg: c}
	for _, text := range []string{c.EncodingAESKey, c.PreviousEncodingAESKey} {
		if key, err := mpKey(text); err == nil {
			s.keys = append(s.keys, key)
		}
	}
	return s
}

// mpSignature is SHA-1 over the sorted parts (access guide of the server).
func mpSignature(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// signedBy reports whether the query holds, under name, the signature of our
// token, its time and nonce, and more.
func (s *MPServer) signedBy(q url.Values, name string, more ...string) error {
	want := mpSignature(append(more, s.cfg.Token, q.Get("timestamp"), q.Get("nonce"))...)
	if subtle.ConstantTimeCompare([]byte(want), []byte(q.Get(name))) != 1 {
		return ErrSignature
	}
	return nil
}

// VerifyURL answers the check that WeChat makes when the endpoint is set up:
// echo is the whole answer, as text/plain.
func (s *MPServer) VerifyURL(q url.Values) (echo string, err error) {
	if err := s.signedBy(q, "signature"); err != nil {
		return "", err
	}
	return q.Get("echostr"), nil
}

// MPMessage is one message or event from a follower, verified.
type MPMessage struct {
	To, From  string // the account's gh_ id, the person's openid
	CreatedAt time.Time
	Type      string            // text, image, voice, event, ...
	Event     string            // of Type event: subscribe, unsubscribe, SCAN, CLICK, VIEW, ...
	EventKey  string            // of an event: scene, menu key, URL
	Content   string            // of Type text
	ID        string            // equal for the repetitions of one message: WeChat sends up to three times
	Encrypted bool              // came encrypted, so that the reply is, too
	Raw       map[string]string // redacted, for people to read
}

// Read verifies a pushed message. An error means that nothing in it may be
// believed. What is nested in a message is left out of Raw.
func (s *MPServer) Read(q url.Values, body []byte) (MPMessage, error) {
	if err := s.signedBy(q, "signature"); err != nil {
		return MPMessage{}, err
	}
	m, err := decodeNested(string(body), maxNotify)
	if err != nil {
		return MPMessage{}, fmt.Errorf("%w: %w", ErrBadNotify, err)
	}
	sealed := m.get("Encrypt")
	if len(s.keys) == 0 && sealed == "" {
		return readMP(m, false)
	}
	if err := s.signedBy(q, "msg_signature", sealed); err != nil {
		return MPMessage{}, err
	}
	text, err := s.open(sealed)
	if err != nil {
		return MPMessage{}, fmt.Errorf("%w: %w", ErrBadNotify, err)
	}
	if m, err = decodeNested(text, maxNotify); err != nil {
		return MPMessage{}, fmt.Errorf("%w: inside: %w", ErrBadNotify, err)
	}
	return readMP(m, true)
}

func readMP(m message, encrypted bool) (MPMessage, error) {
	x := MPMessage{
		To: m.get("ToUserName"), From: m.get("FromUserName"), Type: m.get("MsgType"),
		Event: m.get("Event"), EventKey: m.get("EventKey"), Content: m.get("Content"),
		ID: m.get("MsgId"), Encrypted: encrypted, Raw: redactedMap(m),
	}
	seconds, err := strconv.ParseInt(m.get("CreateTime"), 10, 64)
	if err != nil || x.To == "" || x.From == "" || x.Type == "" {
		return MPMessage{}, fmt.Errorf("%w: a message without sender, receiver, time or type", ErrBadNotify)
	}
	x.CreatedAt = time.Unix(seconds, 0).UTC()
	if x.ID == "" { // events have none
		x.ID = strings.Join([]string{x.From, m.get("CreateTime"), x.Event, x.EventKey}, " ")
	}
	return x, nil
}

// Reply makes the answer to m: r, encrypted if m was. The zero MPReply says
// nothing to the person; it is the word "success", so that WeChat does not
// send again.
func (s *MPServer) Reply(m MPMessage, r MPReply) (Reply, error) {
	if r.kind == "" {
		return Reply{Status: http.StatusOK, ContentType: "text/plain; charset=utf-8", Body: []byte("success")}, nil
	}
	now := strconv.FormatInt(s.cfg.Now().Unix(), 10)
	text := "<xml>" + cdata("ToUserName", m.From) + cdata("FromUserName", m.To) +
		"<CreateTime>" + now + "</CreateTime>" + cdata("MsgType", r.kind) + r.body + "</xml>"
	if m.Encrypted {
		sealed, err := s.seal(text, now)
		if err != nil {
			return Reply{}, fmt.Errorf("encrypt the reply: %w", err)
		}
		text = sealed
	}
	return xmlReply(text), nil
}

// String shortens the openid.
func (m MPMessage) String() string {
	return fmt.Sprintf("wxpay.MPMessage{From:%s Type:%s Event:%s}", shortOpenID(m.From), m.Type, m.Event)
}

// GoString is String, for %#v.
func (m MPMessage) GoString() string { return m.String() }

// LogValue is String, for slog.
func (m MPMessage) LogValue() slog.Value { return slog.StringValue(m.String()) }

// String leaves the secrets out.
func (c MPServerConfig) String() string { return "wxpay.MPServerConfig{AppID:" + c.AppID + "}" }

// GoString is String, for %#v.
func (c MPServerConfig) GoString() string { return c.String() }

// LogValue is String, for slog.
func (c MPServerConfig) LogValue() slog.Value { return slog.StringValue(c.String()) }
