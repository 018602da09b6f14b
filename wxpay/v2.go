package wxpay

import (
	"context"
	"errors"
	"fmt"
)

// V2Client is a merchant at WeChat Pay v2. It is safe for concurrent use.
type V2Client struct {
	cfg  Config
	keys *keyring
	net  *network
	face *network // another host
}

var (
	_ Gateway  = (*V2Client)(nil)
	_ CashDesk = (*V2Client)(nil)
)

// NewV2 checks c and returns the client. Nothing is sent yet.
func NewV2(c Config) (*V2Client, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("wechat pay v2: %w", err)
	}
	c = c.withDefaults()
	return &V2Client{
		cfg: c, keys: newKeyring(c.APIKey, c.NextAPIKey),
		net: newNetwork(c, c.Hosts...), face: newNetwork(c, c.FaceHost),
	}, nil
}

// Version is V2.
func (c *V2Client) Version() Version { return V2 }

// Prepay places o. The same o may be placed again with the same number.
func (c *V2Client) Prepay(ctx context.Context, o Order) (Prepaid, error) {
	m, err := c.orderFields(o)
	if err != nil {
		return Prepaid{}, &Error{Op: opPlace, Message: err.Error()}
	}
	a, err := c.call(ctx, request{op: opPlace, no: o.OutTradeNo, appID: o.AppID, sign: o.SignType, fields: m})
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

// Query asks what became of the order r.
func (c *V2Client) Query(ctx context.Context, r Ref) (Transaction, error) {
	a, err := c.callFor(ctx, opQuery, r)
	if err != nil {
		return Transaction{}, err
	}
	t := c.transaction(a, TradeState(a.get("trade_state")))
	t.said = func() map[string]string { return redactedMap(a) }
	t.SignType = c.signType(r.SignType)
	// result_code says that the question was answered; only trade_state says
	// what happened to the money.
	switch {
	case t.OutTradeNo != r.OutTradeNo:
		return Transaction{}, &Error{Op: opQuery, HTTPStatus: 200, Message: "the answer is about another order", Unknown: true}
	case t.State == "", t.State.Paid() && t.TransactionID == "":
		return Transaction{}, &Error{Op: opQuery, HTTPStatus: 200, Message: "the answer is incomplete", Unknown: true}
	}
	return t, nil
}

// Close ends an unpaid order. One that is closed already counts as done.
func (c *V2Client) Close(ctx context.Context, r Ref) error {
	_, err := c.callFor(ctx, opClose, r)
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// callFor makes a call about one existing order.
func (c *V2Client) callFor(ctx context.Context, op string, r Ref) (message, error) {
	if !goodTradeNo(r.OutTradeNo) {
		return nil, &Error{Op: op, Message: badTradeNo(r.OutTradeNo).Error()}
	}
	m := message{{"out_trade_no", r.OutTradeNo}}
	return c.call(ctx, request{op: op, no: r.OutTradeNo, appID: r.AppID, sign: r.SignType, fields: m})
}
