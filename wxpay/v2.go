package wxpay

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// V2Client is a merchant at WeChat Pay v2. It is safe for concurrent use.
type V2Client struct {
	cfg  Config
	keys *keyring
	net  *network
}

var _ Gateway = (*V2Client)(nil)

// NewV2 checks c and returns the client. Nothing is sent yet.
func NewV2(c Config) (*V2Client, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("wechat pay v2: %w", err)
	}
	c = c.withDefaults()
	return &V2Client{cfg: c, keys: newKeyring(c.APIKey, c.NextAPIKey), net: newNetwork(c)}, nil
}

// Version is V2.
func (c *V2Client) Version() Version { return V2 }

// The calls (WeChat Pay v2: unifiedorder, orderquery, closeorder).
const (
	opPlace = "unifiedorder"
	opQuery = "orderquery"
	opClose = "closeorder"
)

// Prepay places o. The same o may be placed again with the same number.
func (c *V2Client) Prepay(ctx context.Context, o Order) (Prepaid, error) {
	m, err := c.orderFields(o)
	if err != nil {
		return Prepaid{}, &Error{Op: opPlace, Message: err.Error()}
	}
	a, err := c.call(ctx, opPlace, o.OutTradeNo, m, o.SignType)
	if err != nil {
		return Prepaid{}, err
	}
	p := Prepaid{PrepayID: a.get("prepay_id"), CodeURL: a.get("code_url"), H5URL: a.get("mweb_url")}
	switch {
	case p.PrepayID == "",
		o.TradeType == Native && p.CodeURL == "",
		o.TradeType == H5 && p.H5URL == "":
		return Prepaid{}, &Error{Op: opPlace, HTTPStatus: 200, Message: "the answer lacks what to pay with", Unknown: true}
	}
	return p, nil
}

// Query asks what became of outTradeNo.
func (c *V2Client) Query(ctx context.Context, outTradeNo string, sign SignType) (Transaction, error) {
	a, err := c.callFor(ctx, opQuery, outTradeNo, sign)
	if err != nil {
		return Transaction{}, err
	}
	t := c.transaction(a, TradeState(a.get("trade_state")))
	t.SignType = c.signType(sign)
	// result_code says that the question was answered; only trade_state says
	// what happened to the money.
	switch {
	case t.OutTradeNo != outTradeNo:
		return Transaction{}, &Error{Op: opQuery, HTTPStatus: 200, Message: "the answer is about another order", Unknown: true}
	case t.State == "", t.State.Paid() && t.TransactionID == "":
		return Transaction{}, &Error{Op: opQuery, HTTPStatus: 200, Message: "the answer is incomplete", Unknown: true}
	}
	return t, nil
}

// Close ends an unpaid order. One that is closed already counts as done.
func (c *V2Client) Close(ctx context.Context, outTradeNo string, sign SignType) error {
	_, err := c.callFor(ctx, opClose, outTradeNo, sign)
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// callFor makes a call about one existing order.
func (c *V2Client) callFor(ctx context.Context, op, outTradeNo string, sign SignType) (message, error) {
	if !goodTradeNo(outTradeNo) {
		return nil, &Error{Op: op, Message: fmt.Sprintf("out_trade_no %q is not 6 to 32 of 0-9 A-Z a-z _ - | *", outTradeNo)}
	}
	return c.call(ctx, op, outTradeNo, message{{"out_trade_no", outTradeNo}}, sign)
}

// Bridge signs the parameters of getBrandWCPayRequest. The letters' case is
// the protocol's: appId, timeStamp, nonceStr (JSAPI, invoking the payment).
func (c *V2Client) Bridge(prepayID string, sign SignType, now time.Time) (BridgeParams, error) {
	if prepayID == "" {
		return BridgeParams{}, errors.New("bridge parameters: no prepay id")
	}
	t := c.signType(sign)
	if !t.known() {
		return BridgeParams{}, fmt.Errorf("bridge parameters: unknown sign type %q", sign)
	}
	p := BridgeParams{
		AppID:     c.payAppID(),
		TimeStamp: strconv.FormatInt(now.Unix(), 10),
		NonceStr:  rand.Text(),
		Package:   "prepay_id=" + prepayID,
		SignType:  string(t),
	}
	_, key := c.keys.current()
	p.PaySign = bridgeSign(p, t, key)
	return p, nil
}

func bridgeSign(p BridgeParams, t SignType, key string) string {
	return signature(message{
		{"appId", p.AppID},
		{"nonceStr", p.NonceStr},
		{"package", p.Package},
		{"signType", p.SignType},
		{"timeStamp", p.TimeStamp},
	}, t, key)
}

// payAppID is the app id under which the payer's openid lives.
func (c *V2Client) payAppID() string {
	if c.cfg.SubAppID != "" {
		return c.cfg.SubAppID
	}
	return c.cfg.AppID
}

func (c *V2Client) signType(t SignType) SignType {
	if t == "" {
		return c.cfg.SignType
	}
	return t
}

// call signs m, sends it and returns the verified answer. While the API key is
// being replaced, the first refusal of the old key turns us to the new one.
func (c *V2Client) call(ctx context.Context, op, no string, m message, sign SignType) (message, error) {
	t := c.signType(sign)
	if !t.known() {
		return nil, &Error{Op: op, Message: fmt.Sprintf("unknown sign type %q", sign)}
	}
	m = c.withCommon(m, t)
	i, key := c.keys.current()
	a, err := c.exchange(ctx, op, no, m, t, key)
	if !errors.Is(err, errSignRefused) || len(c.keys.keys) < 2 {
		return a, err
	}
	other := 1 - i
	a, err = c.exchange(ctx, op, no, m, t, c.keys.keys[other])
	if !errors.Is(err, errSignRefused) && !IsUnknown(err) && c.keys.used.CompareAndSwap(int32(i), int32(other)) {
		c.cfg.Log.Warn("API key changed to the other one", "op", op)
	}
	return a, err
}

// withCommon adds what every request carries.
func (c *V2Client) withCommon(m message, t SignType) message {
	m = append(m,
		field{"appid", c.cfg.AppID},
		field{"mch_id", c.cfg.MchID},
		field{"nonce_str", rand.Text()},
		field{"sign_type", string(t)})
	if c.cfg.SubMchID != "" {
		m = append(m, field{"sub_mch_id", c.cfg.SubMchID})
	}
	if c.cfg.SubAppID != "" {
		m = append(m, field{"sub_appid", c.cfg.SubAppID})
	}
	return m
}

// exchange sends m signed with key and judges what comes back.
func (c *V2Client) exchange(ctx context.Context, op, no string, m message, t SignType, key string) (message, error) {
	m = signed(m, t, key)
	seen := c.recorder(ctx, op, no, m, t)
	a := c.net.post(ctx, op, "/pay/"+op, encode(m), seen)
	if a.err != nil {
		return nil, &Error{Op: op, HTTPStatus: a.status, Unknown: true, Err: a.err}
	}
	return c.judge(op, a, t)
}

// errSignRefused is WeChat's 签名错误: our key, or our signing, is wrong.
var errSignRefused = errors.New("WeChat refused our signature")

// judge reads an answer in the order that the protocol asks for: the channel,
// the signature, the business (WeChat Pay v2, interface rules).
func (c *V2Client) judge(op string, a answer, t SignType) (message, error) {
	fail := &Error{Op: op, HTTPStatus: a.status, Unknown: true}
	if a.status != http.StatusOK {
		return nil, fail
	}
	m, err := decode(a.body, maxAnswer, nil)
	if err != nil {
		fail.Err = err
		return nil, fail
	}
	switch m.get("return_code") {
	case "SUCCESS":
	case "FAIL":
		return nil, refused(fail, m)
	default:
		fail.Message = "the answer has no return_code"
		return nil, fail
	}
	if err := c.keys.verify(m, t); err != nil {
		fail.Code, fail.Message, fail.Err = m.get("err_code"), excerpt(m.get("err_code_des")), err
		return nil, fail
	}
	return c.judgeBusiness(fail, m)
}

// refused fills in a protocol-level FAIL. It is never signed, so it may only
// say "no"; and of the words it is said in, some mean "I do not know".
func refused(e *Error, m message) error {
	e.Message = excerpt(m.get("return_msg"))
	lower := strings.ToLower(e.Message)
	e.Unknown = lower == ""
	for _, word := range []string{"system", "系统", "繁忙", "稍后", "超时", "timeout"} {
		e.Unknown = e.Unknown || strings.Contains(lower, word)
	}
	if strings.Contains(e.Message, "签名错误") {
		e.Err = errSignRefused
	}
	return e
}

// judgeBusiness reads a signed answer.
func (c *V2Client) judgeBusiness(fail *Error, m message) (message, error) {
	if !c.addressed(m) {
		fail.Message = "the answer is for another merchant"
		return nil, fail
	}
	switch m.get("result_code") {
	case "SUCCESS":
		return m, nil
	case "FAIL":
		fail.Code, fail.Message = m.get("err_code"), excerpt(m.get("err_code_des"))
		fail.Unknown = unsure[fail.Code]
		return nil, fail
	}
	fail.Message = "the answer has no result_code"
	return nil, fail
}

// addressed reports whether a signed answer is for us. One key may serve
// several app ids.
func (c *V2Client) addressed(m message) bool {
	sub := m.get("sub_mch_id")
	return m.get("appid") == c.cfg.AppID && m.get("mch_id") == c.cfg.MchID &&
		(sub == "" || sub == c.cfg.SubMchID)
}

// recorder tells Config.Record of each attempt.
func (c *V2Client) recorder(ctx context.Context, op, no string, sent message, t SignType) func(answer, Direction) {
	if c.cfg.Record == nil {
		return func(answer, Direction) {}
	}
	ctx = context.WithoutCancel(ctx)
	return func(a answer, d Direction) {
		r := Message{Op: op, OutTradeNo: no, Direction: d, URL: a.url, Status: a.status, Took: a.took, At: c.cfg.Now()}
		switch {
		case d == Sent:
			r.Body = redactedXML(sent)
		case a.err != nil:
			r.Err = a.err.Error()
		default:
			r.Body = c.readable(a.body, sent)
			if _, err := c.judge(op, a, t); IsUnknown(err) {
				r.Err = err.Error()
			}
		}
		c.cfg.Record(ctx, r)
	}
}

// readable is an answer for people, whether it is WeChat's XML or not.
func (c *V2Client) readable(body string, sent message) string {
	m, err := decode(body, maxAnswer, nil)
	if err != nil {
		return excerpt(body, c.cfg.APIKey, c.cfg.NextAPIKey, sent.get("sign"), sent.get("openid"), sent.get("sub_openid"))
	}
	return redactedXML(m)
}
