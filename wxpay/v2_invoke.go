package wxpay

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Bridge signs the parameters of getBrandWCPayRequest for the gateway's own
// app id.
func (c *V2Client) Bridge(prepayID string, sign SignType, now time.Time) (BridgeParams, error) {
	return c.BridgeFor("", prepayID, sign, now)
}

// BridgeFor is Bridge under another app id, for instance a mini program's: its
// wx.requestPayment is not handed the appId, but the signature is over it. The
// letters' case is the protocol's: appId, timeStamp, nonceStr (JSAPI, invoking
// the payment).
func (c *V2Client) BridgeFor(appID, prepayID string, sign SignType, now time.Time) (BridgeParams, error) {
	t, err := c.invocation(prepayID, sign)
	if err != nil {
		return BridgeParams{}, fmt.Errorf("bridge parameters: %w", err)
	}
	p := BridgeParams{
		AppID:     c.payAppID(appID),
		TimeStamp: strconv.FormatInt(now.Unix(), 10),
		NonceStr:  rand.Text(),
		Package:   "prepay_id=" + prepayID,
		SignType:  string(t),
	}
	_, key := c.keys.current()
	p.PaySign = bridgeSign(p, t, key)
	return p, nil
}

// App signs the parameters of the SDK in an app (APP, invoking the payment):
// all letters small, and no sign_type; the order's algorithm is understood.
func (c *V2Client) App(appID, prepayID string, sign SignType, now time.Time) (AppParams, error) {
	t, err := c.invocation(prepayID, sign)
	if err != nil {
		return AppParams{}, fmt.Errorf("app parameters: %w", err)
	}
	p := AppParams{
		AppID:     c.payAppID(appID),
		PartnerID: c.payMchID(),
		PrepayID:  prepayID,
		Package:   "Sign=WXPay",
		NonceStr:  rand.Text(),
		Timestamp: strconv.FormatInt(now.Unix(), 10),
	}
	_, key := c.keys.current()
	p.Sign = appSign(p, t, key)
	return p, nil
}

func (c *V2Client) invocation(prepayID string, sign SignType) (SignType, error) {
	t := c.signType(sign)
	switch {
	case prepayID == "":
		return "", errors.New("no prepay id")
	case !t.known():
		return "", fmt.Errorf("unknown sign type %q", sign)
	}
	return t, nil
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

func appSign(p AppParams, t SignType, key string) string {
	return signature(message{
		{"appid", p.AppID},
		{"noncestr", p.NonceStr},
		{"package", p.Package},
		{"partnerid", p.PartnerID},
		{"prepayid", p.PrepayID},
		{"timestamp", p.Timestamp},
	}, t, key)
}

// payAppID is the app id under which the payer's openid lives.
func (c *V2Client) payAppID(appID string) string {
	if appID != "" {
		return appID
	}
	return c.cfg.PayAppID()
}

// payMchID is the merchant that an app names: the sub merchant, if there is one.
func (c *V2Client) payMchID() string {
	if c.cfg.SubMchID != "" {
		return c.cfg.SubMchID
	}
	return c.cfg.MchID
}
