package wxpay

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Bridge signs the parameters of getBrandWCPayRequest for the gateway's own
// app id. sign is of v2 and does not count.
func (g *V3Gateway) Bridge(prepayID string, sign SignType, now time.Time) (BridgeParams, error) {
	return g.BridgeFor("", prepayID, sign, now)
}

// BridgeFor is Bridge under another app id, for instance a mini program's
// (WeChat Pay v3, invoking JSAPI and mini program payments: four lines, the
// last one with prepay_id= before it; signType is not signed).
func (g *V3Gateway) BridgeFor(appID, prepayID string, _ SignType, now time.Time) (BridgeParams, error) {
	p := BridgeParams{
		AppID: g.payAppID(appID), TimeStamp: strconv.FormatInt(now.Unix(), 10), NonceStr: rand.Text(),
		Package: "prepay_id=" + prepayID, SignType: "RSA",
	}
	sign, err := g.invocation(prepayID, p.AppID, p.TimeStamp, p.NonceStr, p.Package)
	if err != nil {
		return BridgeParams{}, fmt.Errorf("bridge parameters: %w", err)
	}
	p.PaySign = sign
	return p, nil
}

// App signs the parameters of the SDK in an app (WeChat Pay v3, invoking APP
// payments: the last line is the bare prepay id).
func (g *V3Gateway) App(appID, prepayID string, _ SignType, now time.Time) (AppParams, error) {
	p := AppParams{
		AppID: g.payAppID(appID), PartnerID: g.cfg.MchID, PrepayID: prepayID, Package: "Sign=WXPay",
		NonceStr: rand.Text(), Timestamp: strconv.FormatInt(now.Unix(), 10),
	}
	if g.partner() {
		p.PartnerID = g.cfg.SubMchID
	}
	sign, err := g.invocation(prepayID, p.AppID, p.Timestamp, p.NonceStr, prepayID)
	if err != nil {
		return AppParams{}, fmt.Errorf("app parameters: %w", err)
	}
	p.Sign = sign
	return p, nil
}

// invocation signs what a device hands to WeChat.
func (g *V3Gateway) invocation(prepayID string, lines ...string) (string, error) {
	if prepayID == "" {
		return "", errors.New("no prepay id")
	}
	return signLines(g.cfg.PrivateKey, lines...)
}
