package wxpay

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// The calls (WeChat Pay v3). Refunds are named as in v2.
const (
	opPrepay       = "prepay"
	opAsk          = "query"
	opShut         = "close"
	opCertificates = "certificates"
	opTradeBill    = "tradebill"
	opFundBill     = "fundflowbill"
	opBillFile     = "billdownload"
)

// callV3 is one call before it is signed. body is what is signed and sent.
type callV3 struct {
	op, method, path string
	body             []byte
	no, refundNo     string // for the record
}

// outgoing is c, signed anew for each attempt: the same number and the same
// values are the same order. serial names the key that the answer is to be
// signed with.
func (g *V3Gateway) outgoing(c callV3, serial string) outgoing {
	return outgoing{op: c.op, method: c.method, path: c.path, body: c.body, dress: func(r *http.Request) error {
		// The target as net/http will write it, so that escapes cannot differ.
		auth, err := g.authorization(c.method, r.URL.RequestURI(), c.body)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", auth)
		r.Header.Set("Accept", "application/json")
		if len(c.body) > 0 {
			r.Header.Set("Content-Type", "application/json")
		}
		if serial != "" {
			r.Header.Set("Wechatpay-Serial", serial)
		}
		return nil
	}}
}

// ask makes a call that is answered with a body.
func (g *V3Gateway) ask(ctx context.Context, c callV3) (*jsonTree, error) {
	a, err := g.call(ctx, c)
	if err != nil {
		return nil, err
	}
	t, err := parseJSON(a.body, nil)
	if err != nil {
		return nil, &Error{Op: c.op, HTTPStatus: a.status, RequestID: requestID(a), Unknown: true, Err: err}
	}
	return &t, nil
}

// call makes a call and verifies the answer. A signature that WeChat made
// wrong on purpose is not believed; the same call once more is answered
// properly (WeChat Pay v3, signature tests).
func (g *V3Gateway) call(ctx context.Context, c callV3) (answer, error) {
	a, err := g.attempt(ctx, c)
	if errors.Is(err, ErrProbe) {
		g.cfg.Log.Info("answer with a signature test refused; asking again", "op", c.op)
		a, err = g.attempt(ctx, c)
	}
	return a, err
}

func (g *V3Gateway) attempt(ctx context.Context, c callV3) (answer, error) {
	serial, err := g.keys.serial(ctx)
	if err != nil {
		return answer{}, &Error{Op: c.op, Unknown: true, Err: err}
	}
	a := g.net.send(ctx, g.outgoing(c, serial), g.recorder(ctx, c))
	return a, a.after(g.judge(ctx, c.op, a))
}

// judge looks at the status first: refusals carry no signature, and TLS vouches
// for their words, which are all "no". What says "yes" must be signed.
func (g *V3Gateway) judge(ctx context.Context, op string, a answer) error {
	switch {
	case a.err != nil:
		return &Error{Op: op, HTTPStatus: a.status, Unknown: true, Err: a.err}
	case a.status < 200 || a.status > 299:
		return refusedV3(op, a)
	}
	if err := g.keys.verify(ctx, a.header, []byte(a.body)); err != nil {
		return &Error{Op: op, HTTPStatus: a.status, RequestID: requestID(a), Unknown: true, Err: err}
	}
	if a.status == http.StatusAccepted { // taken on, not done: USERPAYING
		return refusedV3(op, a)
	}
	return nil
}

// refusedV3 reads an error body (WeChat Pay v3, error messages). Only its code
// counts; there may be none, as for paths that are not WeChat's.
func refusedV3(op string, a answer) error {
	e := &Error{Op: op, HTTPStatus: a.status, RequestID: requestID(a), Unknown: true}
	t, err := parseJSON(a.body, nil)
	if err != nil {
		return e
	}
	e.Code, e.Message = excerpt(t.text(0, "code")), excerpt(t.text(0, "message"))
	code := bare(e.Code)
	e.signed = code != "" && a.status < 500
	e.Unknown = code == "" || a.status >= 500 || a.status == http.StatusAccepted || unsure[code] ||
		op == opRefund && a.status == http.StatusTooManyRequests // may have been taken on all the same
	if code == "SIGNERROR" {
		e.Err = errSignRefused
	}
	return e
}

// bare is a code as it is compared: pages and answers differ in underscores.
func bare(code string) string { return strings.ReplaceAll(code, "_", "") }

// requestID is what to tell WeChat's support; its last digits say what went
// wrong inside.
func requestID(a answer) string {
	return cutBytes(excerpt(a.header.Get("Request-Id")), maxRequestID)
}

const maxRequestID = 100

// recorder tells Config.Record of each attempt.
func (g *V3Gateway) recorder(ctx context.Context, c callV3) func(answer, Direction) {
	if g.cfg.Record == nil {
		return func(answer, Direction) {}
	}
	ctx = context.WithoutCancel(ctx)
	return func(a answer, d Direction) {
		m := Message{
			Op: c.op, OutTradeNo: c.no, OutRefundNo: c.refundNo, Direction: d,
			URL: withoutToken(a.url), Status: a.status, Took: a.took, At: g.cfg.Now(),
		}
		switch {
		case d == Sent:
			m.Body = redactedJSON(string(c.body))
		case a.err != nil:
			m.Err = a.err.Error()
		default:
			m.Body = redactedJSON(a.body)
			if c.op != opCertificates { // which bring the key that vouches for them
				m.Err = g.doubt(a)
			}
		}
		g.cfg.Record(ctx, m)
	}
}

// doubt says why an answer proves nothing, for the timeline.
func (g *V3Gateway) doubt(a answer) string {
	if a.status < 200 || a.status > 299 {
		return ""
	}
	var v voucher
	if err := v.read(a.header, g.cfg.Now()); err != nil {
		return err.Error()
	}
	if k := g.keys.known(v.serial); k == nil || !v.verify(k.key, []byte(a.body)) {
		return ErrSignature.Error()
	}
	return ""
}
