package wxpay

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// The calls (WeChat Pay v2), by the last word of their paths.
const (
	opPlace     = "unifiedorder"
	opQuery     = "orderquery"
	opClose     = "closeorder"
	opRefund    = "refund"
	opRefundAsk = "refundquery"
	opMicropay  = "micropay"
	opFacepay   = "facepay"
	opReverse   = "reverse"
	opAuthCode  = "authcodetoopenid"
	opFaceAuth  = "get_wxpayface_authinfo"
	opBill      = "downloadbill"
	opFundFlow  = "downloadfundflow"
)

// paths of the calls that do not live under /pay/. Those under /secapi/, and
// the fund flow, want the merchant's certificate.
var paths = map[string]string{
	opRefund:   "/secapi/pay/refund",
	opReverse:  "/secapi/pay/reverse",
	opAuthCode: "/tools/authcodetoopenid",
	opFaceAuth: "/face/get_wxpayface_authinfo",
}

func pathOf(op string) string {
	if p := paths[op]; p != "" {
		return p
	}
	return "/pay/" + op
}

func needsCertificate(op string) bool {
	return op == opRefund || op == opReverse || op == opFundFlow
}

// request is one call before it is signed.
type request struct {
	op       string
	no       string // out_trade_no, for the record
	refundNo string // out_refund_no, for the record
	appID    string // as in Order
	sign     SignType
	fields   message
}

func (c *V2Client) signType(t SignType) SignType {
	if t == "" {
		return c.cfg.SignType
	}
	return t
}

// call signs r, sends it and returns the verified answer. While the API key is
// being replaced, the first refusal of the old key turns us to the new one.
func (c *V2Client) call(ctx context.Context, r request) (message, error) {
	r, err := c.prepared(r)
	if err != nil {
		return nil, err
	}
	var a message
	err = c.withKeys(r.op, func(key string) (err error) {
		a, err = c.exchange(ctx, r, key)
		return err
	})
	return a, err
}

// withKeys tries the key in use and, if it is refused, the other one.
func (c *V2Client) withKeys(op string, try func(key string) error) error {
	i, key := c.keys.current()
	err := try(key)
	if !errors.Is(err, errSignRefused) || len(c.keys.keys) < 2 {
		return err
	}
	other := 1 - i
	err = try(c.keys.keys[other])
	if !errors.Is(err, errSignRefused) && !IsUnknown(err) && c.keys.used.CompareAndSwap(int32(i), int32(other)) {
		c.cfg.Log.Warn("API key changed to the other one", "op", op)
	}
	return err
}

// prepared is r with what every request carries.
func (c *V2Client) prepared(r request) (request, error) {
	r.sign = c.signType(r.sign)
	if !r.sign.known() {
		return r, &Error{Op: r.op, Message: fmt.Sprintf("unknown sign type %q", r.sign)}
	}
	if needsCertificate(r.op) && !c.net.certified {
		return r, &Error{Op: r.op, Err: ErrNoCertificate}
	}
	r.fields = c.withCommon(r.op, r.fields, r.sign, r.appID)
	return r, nil
}

// withCommon adds what every request carries. A service provider's own app id
// goes with every order; the payer's side is then a sub app id.
func (c *V2Client) withCommon(op string, m message, t SignType, appID string) message {
	own, sub := c.cfg.AppID, ""
	switch {
	case c.cfg.SubMchID == "":
		own = c.payAppID(appID)
	case c.payAppID(appID) != own:
		sub = c.payAppID(appID)
	}
	m = append(m,
		field{"appid", own},
		field{"mch_id", c.cfg.MchID},
		field{"nonce_str", rand.Text()})
	if op != opAuthCode {
		m = append(m, field{"sign_type", string(t)})
	}
	if c.cfg.SubMchID != "" {
		m = append(m, field{"sub_mch_id", c.cfg.SubMchID})
	}
	if sub != "" {
		m = append(m, field{"sub_appid", sub})
	}
	return m
}

// exchange sends r signed with key and judges what comes back.
func (c *V2Client) exchange(ctx context.Context, r request, key string) (message, error) {
	r.fields = signed(r.fields, r.sign, key)
	n := c.net
	if r.op == opFaceAuth {
		n = c.face
	}
	a := n.post(ctx, r.op, pathOf(r.op), encode(r.fields), c.recorder(ctx, r))
	if a.err != nil {
		return nil, &Error{Op: r.op, HTTPStatus: a.status, Unknown: true, Err: a.err}
	}
	m, err := c.judge(r, a)
	return m, a.after(err)
}

// errSignRefused is WeChat's 签名错误: our key, or our signing, is wrong.
var errSignRefused = errors.New("WeChat refused our signature")

// judge reads an answer in the order that the protocol asks for: the channel,
// the signature, the business (WeChat Pay v2, interface rules).
func (c *V2Client) judge(r request, a answer) (message, error) {
	fail := &Error{Op: r.op, HTTPStatus: a.status, Unknown: true}
	if a.status != http.StatusOK {
		if strings.Contains(a.body, "SSL certificate") { // nginx: 400 No required SSL certificate was sent
			fail.Err = ErrNoCertificate
		}
		return nil, fail
	}
	m, err := decode(a.body, maxAnswer, nil)
	if err != nil {
		fail.Err = err
		return nil, fail
	}
	switch code := m.get("return_code"); {
	case code == "SUCCESS":
	case code == "FAIL":
		return nil, refused(fail, m)
	case r.op == opFaceAuth && code != "": // PARAM_ERROR stands in the place of FAIL there
		fail.Code = excerpt(code)
		return nil, refused(fail, m)
	default:
		fail.Message = "the answer has no return_code"
		return nil, fail
	}
	if err := c.keys.verify(m, r.sign); err != nil {
		fail.Code, fail.Message, fail.Err = m.get("err_code"), excerpt(m.get("err_code_des")), err
		return nil, fail
	}
	return c.judgeBusiness(r, fail, m)
}

// refused fills in a protocol-level FAIL. It is never signed, so it may only
// say "no"; and of the words it is said in, some mean "I do not know".
func refused(e *Error, m message) error {
	e.Message = excerpt(m.get("return_msg"))
	lower := strings.ToLower(e.Message)
	e.Unknown = lower == "" || e.Code != "" && unsure[bare(e.Code)]
	for _, word := range []string{"system", "系统", "繁忙", "稍后", "超时", "timeout"} {
		e.Unknown = e.Unknown || strings.Contains(lower, word)
	}
	if strings.Contains(lower, "签名错误") || strings.Contains(lower, "签名失败") || strings.Contains(lower, "sign error") {
		e.Err = errSignRefused
	}
	return e
}

// judgeBusiness reads a signed answer.
func (c *V2Client) judgeBusiness(r request, fail *Error, m message) (message, error) {
	result := m.get("result_code")
	if r.op == opFaceAuth && result == "" {
		result = "SUCCESS" // that one has no second level
	}
	if !addressed(r.fields, m, result) {
		fail.Message = "the answer is for another merchant"
		return nil, fail
	}
	switch result {
	case "SUCCESS":
		return m, nil
	case "FAIL":
		fail.Code, fail.Message = m.get("err_code"), excerpt(m.get("err_code_des"))
		fail.signed, fail.Unknown = true, unsure[bare(fail.Code)]
		return m, fail
	}
	fail.Message = "the answer has no result_code"
	return nil, fail
}

// addressed reports whether a signed answer is to the one who sent the
// request: one key may serve several app ids, and a service provider's all of
// its sub merchants. A refusal need not name the sub merchant.
func addressed(sent, m message, result string) bool {
	sub, subApp := m.get("sub_mch_id"), m.get("sub_appid")
	return m.get("appid") == sent.get("appid") && m.get("mch_id") == sent.get("mch_id") &&
		(sub == sent.get("sub_mch_id") || sub == "" && result == "FAIL") &&
		(subApp == sent.get("sub_appid") || subApp == "")
}

// recorder tells Config.Record of each attempt.
func (c *V2Client) recorder(ctx context.Context, sent request) func(answer, Direction) {
	if c.cfg.Record == nil {
		return func(answer, Direction) {}
	}
	ctx = context.WithoutCancel(ctx)
	return func(a answer, d Direction) {
		r := Message{
			Op: sent.op, OutTradeNo: sent.no, OutRefundNo: sent.refundNo, Direction: d,
			URL: a.url, Status: a.status, Took: a.took, At: c.cfg.Now(),
		}
		switch {
		case d == Sent:
			r.Body = redactedXML(sent.fields)
		case a.err != nil:
			r.Err = a.err.Error()
		case sent.op == opBill, sent.op == opFundFlow:
			// Too long for a timeline.
		default:
			r.Body = c.readable(a.body, sent.fields)
			if _, err := c.judge(sent, a); IsUnknown(err) {
				r.Err = err.Error()
			}
		}
		c.cfg.Record(ctx, r)
	}
}

// readable is an answer for people, whether it is WeChat's XML or not.
func (c *V2Client) readable(body string, sent message) string {
	m, err := decode(body, maxAnswer, nil)
	if err == nil {
		return redactedXML(m)
	}
	secrets := []string{c.cfg.APIKey, c.cfg.NextAPIKey}
	for _, f := range sent {
		if secretFields[f.name] || personFields[f.name] {
			secrets = append(secrets, f.value)
		}
	}
	return excerpt(body, secrets...)
}
