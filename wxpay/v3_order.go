package wxpay

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// orderV3 is the body of a prepay call (WeChat Pay v3). Fields that are not
// documented for a call are refused there, so each call gets its own and what
// is empty is left out.
type orderV3 struct {
	AppID       string   `json:"appid,omitempty"`
	MchID       string   `json:"mchid,omitempty"`
	SpAppID     string   `json:"sp_appid,omitempty"` // of a service provider, instead of the two above
	SpMchID     string   `json:"sp_mchid,omitempty"`
	SubAppID    string   `json:"sub_appid,omitempty"`
	SubMchID    string   `json:"sub_mchid,omitempty"`
	Description string   `json:"description"`
	OutTradeNo  string   `json:"out_trade_no"`
	TimeExpire  string   `json:"time_expire,omitempty"`
	Attach      string   `json:"attach,omitempty"`
	NotifyURL   string   `json:"notify_url"`
	Amount      amountV3 `json:"amount"`
	Payer       *payerV3 `json:"payer,omitempty"`
	Scene       *sceneV3 `json:"scene_info,omitempty"`
}

type amountV3 struct {
	Total    int64  `json:"total"` // fen
	Currency string `json:"currency"`
}

type payerV3 struct {
	OpenID    string `json:"openid,omitempty"`
	SpOpenID  string `json:"sp_openid,omitempty"`
	SubOpenID string `json:"sub_openid,omitempty"`
}

type sceneV3 struct {
	PayerIP string `json:"payer_client_ip"`
	H5      *h5V3  `json:"h5_info,omitempty"`
}

type h5V3 struct {
	Type string `json:"type"`
	Name string `json:"app_name,omitempty"`
	URL  string `json:"app_url,omitempty"`
}

// productsV3 are the last words of the paths.
var productsV3 = map[TradeType]string{JSAPI: "jsapi", Native: "native", App: "app", H5: "h5"}

// orderBody is where o goes, and the bytes that are signed and sent.
func (g *V3Gateway) orderBody(o Order) (path string, body []byte, err error) {
	o.Attach = cleanAttach(o.Attach)
	product := productsV3[o.TradeType]
	switch {
	case product == "":
		return "", nil, fmt.Errorf("trade type %q is not placed with API v3", o.TradeType)
	case o.TradeType == JSAPI && o.OpenID == "":
		return "", nil, errors.New("JSAPI needs the payer's openid")
	case len(o.NotifyURL) > maxNotifyURL:
		return "", nil, fmt.Errorf("the notify URL has more than %d characters", maxNotifyURL)
	}
	if err := errors.Join(checkOrder(o), checkNotifyURL(o.NotifyURL)); err != nil {
		return "", nil, err
	}
	b := orderV3{
		Description: cleanDescription(o.Description), OutTradeNo: o.OutTradeNo, TimeExpire: timeV3(o.Expire), Attach: o.Attach,
		NotifyURL: o.NotifyURL, Amount: amountV3{o.Total, "CNY"},
	}
	g.address(&b, o)
	if b.Scene, err = sceneOf(o); err != nil {
		return "", nil, err
	}
	body, err = json.Marshal(b)
	return transactionsPath(g.partner()) + "/" + product, body, err
}

// address says whose order it is. A service provider's own app id goes with
// every order; the payer's side is then a sub app id, as in v2.
func (g *V3Gateway) address(b *orderV3, o Order) {
	app := g.payAppID(o.AppID)
	var payer payerV3
	switch {
	case !g.partner():
		b.AppID, b.MchID = app, g.cfg.MchID
		payer.OpenID = o.OpenID
	case app == g.cfg.AppID:
		b.SpAppID, b.SpMchID, b.SubMchID = app, g.cfg.MchID, g.cfg.SubMchID
		payer.SpOpenID = o.OpenID
	default:
		b.SpAppID, b.SpMchID, b.SubMchID, b.SubAppID = g.cfg.AppID, g.cfg.MchID, g.cfg.SubMchID, app
		payer.SubOpenID = o.OpenID
	}
	if o.TradeType == JSAPI { // an unknown field anywhere else
		b.Payer = &payer
	}
}

// payAppID is the app id under which the payer's openid lives.
func (g *V3Gateway) payAppID(appID string) string {
	if appID != "" {
		return appID
	}
	return g.cfg.PayAppID()
}

// sceneOf is where the payer is, which H5 must say.
func sceneOf(o Order) (*sceneV3, error) {
	if o.ClientIP == "" && o.TradeType != H5 {
		return nil, nil
	}
	ip, err := payerIP(o)
	if err != nil {
		return nil, err
	}
	scene := &sceneV3{PayerIP: ip}
	if o.TradeType == H5 { // named after the notify URL, so a repeated order says the same
		u, err := url.Parse(o.NotifyURL)
		if err != nil {
			return nil, errors.New("the notify URL is not a URL")
		}
		scene.H5 = &h5V3{Type: "Wap", Name: cutBytes(u.Hostname(), maxAppName), URL: u.Scheme + "://" + u.Host}
	}
	return scene, nil
}

// maxNotifyURL is the length of notify_url, one less than v2's.
const maxNotifyURL = 255

// maxAppName is the length of app_name in bytes.
const maxAppName = 64

// timeV3 writes a time as API v3 likes it: RFC 3339 in Beijing, whole seconds.
func timeV3(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(beijing).Format(time.RFC3339)
}

// parseTimeV3 reads RFC 3339; zero when it is not one.
func parseTimeV3(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}

// cleanAttach puts □ in the place of what API v3 does not carry, characters of
// four bytes, and cuts to what v2 takes as well.
func cleanAttach(s string) string {
	return cutBytes(strings.Map(func(r rune) rune {
		if r > 0xFFFF || unprintable(r) {
			return '□'
		}
		return r
	}, s), maxBody)
}
