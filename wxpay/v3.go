package wxpay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// V3Gateway is a merchant at WeChat Pay v3. It is safe for concurrent use. It
// has no [CashDesk]: whether a merchant may charge payment codes by v3 is for
// WeChat to say case by case, and v2, beside it, always can.
type V3Gateway struct {
	cfg  Config
	net  *network
	seal *sealer
	keys *trust
}

var _ Gateway = (*V3Gateway)(nil)

// NewV3 checks c and returns the client. Nothing is sent yet: platform
// certificates are downloaded by the first call that needs one.
func NewV3(c Config) (*V3Gateway, error) {
	if err := c.ValidateV3(); err != nil {
		return nil, fmt.Errorf("wechat pay v3: %w", err)
	}
	c = c.withDefaults()
	if c.KeyMode == "" {
		c.KeyMode = PublicKeyMode
	}
	seal, err := newSealer(c.APIv3Key, c.NextAPIv3Key)
	if err != nil {
		return nil, fmt.Errorf("wechat pay v3: %w", err)
	}
	g := &V3Gateway{cfg: c, net: newNetwork(c, c.Hosts...), seal: seal}
	g.keys = newTrust(c, g.downloadCertificates)
	return g, nil
}

// Version is V3.
func (g *V3Gateway) Version() Version { return V3 }

// Prepay places o (WeChat Pay v3, JSAPI, Native, APP and H5 prepay). The same o
// may be placed again with the same number. A mini program's orders are JSAPI.
func (g *V3Gateway) Prepay(ctx context.Context, o Order) (Prepaid, error) {
	path, body, err := g.orderBody(o)
	if err != nil {
		return Prepaid{}, &Error{Op: opPrepay, Message: err.Error()}
	}
	t, err := g.ask(ctx, callV3{op: opPrepay, method: http.MethodPost, path: path, body: body, no: o.OutTradeNo})
	if err != nil {
		return Prepaid{}, err
	}
	p := Prepaid{PrepayID: t.text(0, "prepay_id"), CodeURL: t.text(0, "code_url"), H5URL: t.text(0, "h5_url")}
	lacks := p.PrepayID == ""
	switch o.TradeType {
	case Native:
		lacks = p.CodeURL == ""
	case H5:
		lacks = p.H5URL == ""
	}
	if lacks {
		return Prepaid{}, incomplete(opPrepay, "the answer lacks what to pay with")
	}
	return p, nil
}

// incomplete is a good answer that does not say what was asked.
func incomplete(op, why string) error {
	return &Error{Op: op, HTTPStatus: http.StatusOK, Message: why, Unknown: true}
}

// Query asks what became of the order r (WeChat Pay v3, query by out_trade_no).
func (g *V3Gateway) Query(ctx context.Context, r Ref) (Transaction, error) {
	if !goodTradeNo(r.OutTradeNo) {
		return Transaction{}, &Error{Op: opAsk, Message: badTradeNo(r.OutTradeNo).Error()}
	}
	x, err := g.query(ctx, r.OutTradeNo, orderPath(r.OutTradeNo, g.partner()))
	if err == nil && x.OutTradeNo != r.OutTradeNo {
		return Transaction{}, incomplete(opAsk, "the answer is about another order")
	}
	return x, err
}

// QueryByID asks by WeChat's own number, which only paid orders have (WeChat
// Pay v3, query by transaction_id).
func (g *V3Gateway) QueryByID(ctx context.Context, transactionID string) (Transaction, error) {
	if len(transactionID) > 32 || !alphanumeric(transactionID) {
		return Transaction{}, &Error{Op: opAsk, Message: fmt.Sprintf("transaction_id %q is not 1 to 32 letters and digits", excerpt(transactionID))}
	}
	x, err := g.query(ctx, "", transactionsPath(g.partner())+"/id/"+transactionID)
	if err == nil && x.TransactionID != transactionID {
		return Transaction{}, incomplete(opAsk, "the answer is about another order")
	}
	return x, err
}

func (g *V3Gateway) query(ctx context.Context, no, path string) (Transaction, error) {
	t, err := g.ask(ctx, callV3{op: opAsk, method: http.MethodGet, path: path + "?" + g.merchantQuery(), no: no})
	if err != nil {
		return Transaction{}, err
	}
	x := g.transaction(t)
	x.said = t.flat
	switch {
	case t.odd != "":
		return Transaction{}, incomplete(opAsk, "the answer has "+excerpt(t.odd)+" of another kind")
	case x.MchID != g.cfg.MchID || x.SubMchID != g.cfg.SubMchID:
		return Transaction{}, incomplete(opAsk, "the answer is for another merchant")
	case x.State == "", x.State.Paid() && x.TransactionID == "":
		return Transaction{}, incomplete(opAsk, "the answer is incomplete")
	}
	return x, nil
}

// Close ends an unpaid order (WeChat Pay v3, close). One that is closed already
// counts as done.
func (g *V3Gateway) Close(ctx context.Context, r Ref) error {
	if !goodTradeNo(r.OutTradeNo) {
		return &Error{Op: opShut, Message: badTradeNo(r.OutTradeNo).Error()}
	}
	_, err := g.call(ctx, callV3{
		op: opShut, method: http.MethodPost, path: orderPath(r.OutTradeNo, g.partner()) + "/close",
		body: g.merchantBody(), no: r.OutTradeNo,
	})
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// partner: a service provider's calls have names of their own.
func (g *V3Gateway) partner() bool { return g.cfg.SubMchID != "" }

func transactionsPath(partner bool) string {
	if partner {
		return "/v3/pay/partner/transactions"
	}
	return "/v3/pay/transactions"
}

// orderPath escapes the number: it may have | and *, and what is signed must
// be what is sent.
func orderPath(no string, partner bool) string {
	return transactionsPath(partner) + "/out-trade-no/" + url.PathEscape(no)
}

// merchantQuery says in a query who asks; merchantBody in a body.
func (g *V3Gateway) merchantQuery() string {
	if g.partner() {
		return "sp_mchid=" + g.cfg.MchID + "&sub_mchid=" + g.cfg.SubMchID
	}
	return "mchid=" + g.cfg.MchID
}

func (g *V3Gateway) merchantBody() []byte {
	if g.partner() {
		return []byte(`{"sp_mchid":"` + g.cfg.MchID + `","sub_mchid":"` + g.cfg.SubMchID + `"}`)
	}
	return []byte(`{"mchid":"` + g.cfg.MchID + `"}`)
}
