package wxpay

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The probes ask WeChat questions whose answers change nothing, and read from
// the refusal what is right and what is wrong about the settings.

// maxSkew is how far this machine's clock may be from WeChat's.
const maxSkew = 30 * time.Second

const doClock = "synchronise this machine's clock (NTP)"

// impossibleNo is an order number that was never used: 32 characters, 26 of
// them random.
func impossibleNo() string { return "DOCTOR" + rand.Text() }

// ProbeOrder asks for an order that cannot exist. "No such order" proves key,
// merchant number, app id and their binding at once, and the Date of the
// answer tells the time.
func (c *V2Client) ProbeOrder(ctx context.Context) []Finding {
	const name = "v2.query"
	r := request{op: opQuery, fields: message{{"out_trade_no", impossibleNo()}}}
	a, err := c.probe(ctx, r)
	out := []Finding{clockFinding(a.date, c.cfg.Now())}
	if err == nil || errors.Is(err, ErrNoSuchOrder) {
		return append(out, fine(name, "API key, merchant number and app id are accepted"))
	}
	return append(out, refusalFinding(name, err))
}

// probe makes one call and keeps the whole answer.
func (c *V2Client) probe(ctx context.Context, r request) (answer, error) {
	r, err := c.prepared(r)
	if err != nil {
		return answer{}, err
	}
	_, key := c.keys.current()
	r.fields = signed(r.fields, r.sign, key)
	a := c.net.post(ctx, r.op, pathOf(r.op), encode(r.fields), c.recorder(ctx, r))
	if a.err != nil {
		return a, &Error{Op: r.op, Unknown: true, Err: a.err}
	}
	_, err = c.judge(r, a)
	return a, err
}

func clockFinding(date, now time.Time) Finding {
	const name = "net.time"
	if date.IsZero() {
		return unclear(name, "", "no answer told the time")
	}
	skew := now.Sub(date).Round(time.Second)
	if skew.Abs() > maxSkew {
		return wrong(name, doClock, "this clock is %v away from WeChat's", skew)
	}
	return fine(name, "this clock agrees with WeChat's within %v", maxSkew)
}

// refusalFinding reads WeChat's refusal of a signed call.
func refusalFinding(name string, err error) Finding {
	const doBind = "bind them: pay.weixin.qq.com, 产品中心 → AppID账号管理, then confirm at mp.weixin.qq.com"
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return unclear(name, "", "%v", err)
	}
	words := strings.TrimSpace(e.Code + " " + e.Message)
	switch {
	case errors.Is(err, errSignRefused), e.Code == "SIGNERROR":
		return wrong(name, doKey, "the API key is not the merchant's: %s", words)
	case errors.Is(err, ErrSignature):
		return wrong(name, doKey, "the answer is not signed with our API key")
	case mentions(words, "不匹配", "NOT_MATCH", "关联"):
		return wrong(name, doBind, "app id and merchant number are not bound to each other: %s", words)
	case mentions(words, "appid", "APPID"):
		return wrong(name, doAccount, "the app id is not accepted: %s", words)
	case mentions(words, "mch_id", "商户号", "MCHID"):
		return wrong(name, doMerch, "the merchant number is not accepted: %s", words)
	case errors.Is(err, ErrAccount):
		return wrong(name, "open the product: pay.weixin.qq.com, 产品中心", "the merchant may not do this: %s", words)
	case e.Unknown:
		return unclear(name, "check the network, then try again", "no usable answer: %v", err)
	}
	return wrong(name, "", "refused: %s", words)
}

// ProbeBill asks for yesterday's bill and reads no more than that it is there.
func (c *V2Client) ProbeBill(ctx context.Context) []Finding {
	bill, err := c.Bill(ctx, BillRequest{Day: c.cfg.Now().AddDate(0, 0, -1), Gzip: true})
	return []Finding{billFinding("v2.bill", bill, err, refusalFinding)}
}

// ProbeCertificate asks to refund an order that cannot exist: the only call
// that proves the certificate. It is a call that could move money if the
// number did exist, so ask the merchant before.
func (c *V2Client) ProbeCertificate(ctx context.Context) []Finding {
	const name = "v2.cert"
	if c.cfg.Certificate == nil && c.net.certified {
		return []Finding{unclear(name, "", "plain http asks for no certificate")}
	}
	no := impossibleNo()
	m, err := refundFields(RefundOrder{OutTradeNo: no, OutRefundNo: no, Total: 1, Amount: 1})
	if err == nil {
		_, err = c.probe(ctx, request{op: opRefund, fields: m})
	}
	e, _ := errors.AsType[*Error](err)
	switch {
	case errors.Is(err, ErrNoSuchOrder):
		return []Finding{fine(name, "the certificate is accepted")}
	case errors.Is(err, ErrNoCertificate):
		return []Finding{wrong(name, doCert, "%v", err)}
	case e != nil && mentions(e.Message, "证书"):
		return []Finding{wrong(name, doCert, "the certificate is not accepted: %s", e.Message)}
	case e != nil && e.HTTPStatus == 0 && e.Err != nil && mentions(e.Err.Error(), "tls:", "EOF", "certificate"):
		return []Finding{wrong(name, doCert, "the connection with the certificate is refused: %v", e.Err)}
	}
	return []Finding{refusalFinding(name, err)}
}

// impossibleCode is no code of web authorization or of wx.login.
const impossibleCode = "0doctor0doctor0doctor0doctor0doc"

// ProbeSecret exchanges a code that cannot exist: "invalid code" is said only
// to one whose app id and secret are right.
func (m *MP) ProbeSecret(ctx context.Context) []Finding {
	_, err := m.Exchange(ctx, impossibleCode)
	return []Finding{secretFinding("oa.secret", err)}
}

// ProbeMini is ProbeSecret for a mini program.
func (m *MP) ProbeMini(ctx context.Context) []Finding {
	_, err := m.Code2Session(ctx, impossibleCode)
	return []Finding{secretFinding("mini.secret", err)}
}

func secretFinding(name string, err error) Finding {
	if errors.Is(err, ErrCodeInvalid) || errors.Is(err, ErrCodeUsed) {
		return fine(name, "app id and AppSecret are accepted")
	}
	if err == nil {
		return unclear(name, "check api_base", "a code that nobody gave out was accepted: this is not WeChat")
	}
	return accountFinding(name, err)
}

// ProbeToken gets an access token in the mode that disturbs nobody.
func (m *MP) ProbeToken(ctx context.Context) []Finding {
	const name = "oa.token"
	if _, err := m.fetchToken(ctx, false); err != nil {
		return []Finding{accountFinding(name, err)}
	}
	return []Finding{fine(name, "AppSecret and this machine's IP address are accepted")}
}

// ProbeTicket gets a ticket for wx.config.
func (m *MP) ProbeTicket(ctx context.Context) []Finding {
	const name = "oa.ticket"
	if _, err := m.Ticket(ctx); err != nil {
		return []Finding{accountFinding(name, err)}
	}
	return []Finding{fine(name, "the account may use the JS-SDK")}
}

// accountCures says what to do about an error of the account's API (return
// codes; stable_token).
var accountCures = map[int]string{
	40001: "the AppSecret is wrong: reset it at mp.weixin.qq.com, 设置与开发 → 基本配置, and set it here",
	40125: "the AppSecret is wrong: reset it at mp.weixin.qq.com, 设置与开发 → 基本配置, and set it here",
	40013: doAccount,
	40164: "add the IP address that WeChat names: mp.weixin.qq.com, 设置与开发 → 基本配置 → IP白名单",
	40243: "unfreeze the AppSecret: mp.weixin.qq.com, 设置与开发 → 基本配置",
	41002: doAccount,
	41004: doAccount,
	48001: "the account has no right to this: only a certified 服务号 has it (认证)",
	50004: "the account may not get tokens: see the notices at mp.weixin.qq.com",
	50007: "the account is frozen: see the notices at mp.weixin.qq.com",
	89501: "the administrator must confirm this IP address in WeChat",
	89503: "the administrator must confirm this IP address in WeChat",
	89506: "the administrator refused this IP address twice: wait a day",
	89507: "the administrator refused this IP address: wait an hour",
}

func accountFinding(name string, err error) Finding {
	e, ok := errors.AsType[*MPError](err)
	if !ok {
		return unclear(name, "check the network, then try again", "no usable answer: %v", err)
	}
	what := strings.TrimSpace(fmt.Sprintf("WeChat says %d %s", e.Code, e.Message))
	switch e.Code {
	case mpSystemError, 45009, 45011:
		return unclear(name, "try again later", "%s", what)
	}
	return wrong(name, accountCures[e.Code], "%s", what)
}
