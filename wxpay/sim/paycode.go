package sim

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// paycode is a code that a person shows to a cash desk: the 18 digits of the
// wallet, or what a face camera made of a face. It pays once and soon expires.
type paycode struct {
	Code string    `json:"code"`
	Face bool      `json:"face,omitempty"`
	User string    `json:"user"`
	At   time.Time `json:"at"`
	Asks bool      `json:"asks,omitempty"` // the person wants to be asked for the password

	used bool
}

const (
	paycodeLife  = time.Minute
	codePatience = 45 * time.Second // of WeChat with a payer who must enter a password
	codesKept    = time.Hour        // so that a late code can be told from a wrong one
	freeOfCheck  = 1000_00          // fen: above it a password is needed
)

// codeForm is that of a payment code (WeChat Pay v2, "付款码支付").
var codeForm = regexp.MustCompile(`^1[0-5][0-9]{16}$`)

// addCode keeps a code, and forgets old ones now and then.
func (l *ledger) addCode(r *record) {
	if len(l.codes)%1024 == 1023 {
		for code, c := range l.codes {
			if r.At.Sub(c.At) > codesKept {
				delete(l.codes, code)
			}
		}
	}
	c := *r.Code
	l.codes[c.Code] = &c
}

// paycodeJSON is GET /_sim/api/users/{openid}/paycode.
type paycodeJSON struct {
	Paycode   string `json:"paycode"`
	Facecode  string `json:"facecode"`
	ExpiresAt stamp  `json:"expires_at"`
}

func (s *Sim) apiPaycode(r *http.Request) (any, error) {
	return s.showCode(r.PathValue("openid"), false)
}

// showCode gives a person fresh codes.
func (s *Sim) showCode(openID string, asks bool) (paycodeJSON, error) {
	s.mu.Lock()
	v, err := s.showCodeLocked(openID, asks)
	s.mu.Unlock()
	if err != nil {
		return paycodeJSON{}, err
	}
	return v, s.journal.sync()
}

func (s *Sim) showCodeLocked(openID string, asks bool) (paycodeJSON, error) {
	u := s.ledger.person(openID)
	if u == nil {
		return paycodeJSON{}, notFound("there is no user with openid %q; GET /_sim/api/users lists them", openID)
	}
	now := s.clock.Now()
	v := paycodeJSON{Paycode: s.newCode(false, now), Facecode: s.newCode(true, now), ExpiresAt: stamp(now.Add(paycodeLife))}
	for _, c := range []paycode{{Code: v.Paycode}, {Code: v.Facecode, Face: true}} {
		c.User, c.At, c.Asks = u.ID, now, asks
		if err := s.commit(&record{Kind: recCode, At: now, Code: &c}); err != nil {
			return paycodeJSON{}, err
		}
	}
	return v, nil
}

// newCode draws a code that is not in use. s.mu is held.
func (s *Sim) newCode(face bool, now time.Time) string {
	r := s.idChance("code of a person", now)
	for {
		code := "13" + pick(r, digits, 16)
		if face {
			code = "face" + pick(r, lowerHex, 44)
		}
		if s.ledger.codes[code] == nil {
			return code
		}
	}
}

// The refusals of codes (WeChat Pay v2, "付款码支付").
var (
	errCodeForm    = businessFail{"AUTH_CODE_INVALID", "请扫描微信支付授权码(以10/11/12/13/14/15为前缀的18位数字)"}
	errCodeUnknown = businessFail{"AUTH_CODE_INVALID", "101 付款码无效，请重新扫码"}
	errCodeOld     = businessFail{"AUTH_CODE_INVALID", "101 付款码已过期，请退出重试"}
	errCodeUsed    = businessFail{"AUTH_CODE_INVALID", "101 每个二维码仅限使用一次，请刷新再试"}
)

// goodCode finds a code that can be paid with now. s.mu is held.
func (s *Sim) goodCode(code string) (*paycode, error) {
	c := s.ledger.codes[code]
	switch {
	case c == nil && !codeForm.MatchString(code):
		return nil, errCodeForm
	case c == nil:
		return nil, errCodeUnknown
	case c.used:
		return nil, errCodeUsed
	case !s.clock.Now().Before(c.At.Add(paycodeLife)):
		return nil, errCodeOld
	}
	return c, nil
}

// currentCode is the payment code that a person's phone shows now; "" when it
// shows none. s.mu is held.
func (s *Sim) currentCode(u *user) (code string, left time.Duration) {
	now := s.clock.Now()
	for _, c := range s.ledger.codes {
		if l := c.At.Add(paycodeLife).Sub(now); !c.Face && !c.used && c.User == u.ID && l > left {
			code, left = c.Code, l
		}
	}
	return code, left
}

// authCodeToOpenID tells whose code it is, without using it up.
func (s *Sim) authCodeToOpenID(q v2Request) (map[string]string, string, error) {
	code := q.in["auth_code"]
	if code == "" {
		return nil, "", failMissing
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.goodCode(code)
	if err != nil {
		return nil, "", err
	}
	u := s.ledger.userByID(c.User)
	f := map[string]string{"openid": u.openIDFor(q.in["appid"])}
	if sub := q.in["sub_appid"]; sub != "" {
		f["sub_openid"] = u.openIDFor(sub)
	}
	return f, "", nil
}

// shortURL shortens the link of a static QR code (WeChat Pay v2, "转换短链接").
func (s *Sim) shortURL(q v2Request) (map[string]string, string, error) {
	long := q.in["long_url"]
	switch {
	case long == "":
		return nil, "", failMissing
	case len(long) > 512 || !strings.HasPrefix(strings.ToLower(long), "weixin") || !strings.Contains(long, "wxpay"):
		return nil, "", failFormat("long_url")
	}
	return map[string]string{"short_url": "weixin://wxpay/s/" + pick(chance(s.seed, long, 0), alphanum, 6)}, "", nil
}

// report takes a client's telemetry and does nothing with it.
func (s *Sim) report(q v2Request) (map[string]string, string, error) {
	in := q.in
	if in["execute_time_"] == "" && in["execute_time"] == "" && in["trades"] == "" {
		return nil, "", failMissing
	}
	for _, name := range []string{"interface_url", "user_ip"} {
		if in[name] == "" {
			return nil, "", failMissing
		}
	}
	return map[string]string{}, in["out_trade_no"], nil
}

// byCode reports whether an order was taken with a payment code or a face.
func (o *order) byCode() bool {
	return slices.Contains([]string{tradeMicropay, tradeFacepay}, o.TradeType)
}
