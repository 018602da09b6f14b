// Package browser is the simulator's WeChat browser: a reverse proxy that
// shows any shop as it looks from inside WeChat. It sends WeChat's User-Agent,
// maps the shop's origin to its own and back, and puts one script into each
// HTML page that provides WeixinJSBridge and the pay sheet.
//
// The shop needs no line that knows of it. What the face needs from the rest
// of the simulator is the interface [WeChat].
//
// Elements for tests, all in the shadow root of #wxsim: the pay sheet is
// dialog[data-view=pay], its success page dialog[data-view=paid]; buttons are
// [data-act=pay|cancel|fail|notenough|silent|done]; the password is
// input[data-f=password] (six digits, any; pay works without as well); the
// ribbon's button is [data-act=menu], its users [data-user=ID].
package browser

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// Options is what New needs. AppURL, FaceURL, GatewayURL are origins such as
// "http://localhost:8080"; a path in them is ignored.
type Options struct {
	AppURL     string // the shop, as it calls itself (Host, Origin, redirect_uri)
	FaceURL    string // this face, as a browser reaches it
	GatewayURL string // stands for open.weixin.qq.com
	WeChat     WeChat
	Log        *slog.Logger      // nil: nothing is logged
	Transport  http.RoundTripper // to the shop; nil: a plain transport of its own
	Note       func(string)      // told, in Chinese, what the face had to change so that it works (CSP); nil: nobody
	Delay      time.Duration     // from load to WeixinJSBridgeReady; 0: 300 ms, negative: never ("an ordinary browser")
}

// WeChat is the rest of the simulator, as the face sees it.
type WeChat interface {
	// Users lists who can hold the phone. The first one is the default.
	Users(ctx context.Context) ([]User, error)
	// Prepare checks a getBrandWCPayRequest as WeChat does (directory, prepay
	// id, signature, payer) and returns what the pay sheet shows. The six
	// parameters are present and strings when it is called. An error that is a
	// [*Refusal] reaches the page; any other becomes a plain "fail".
	Prepare(ctx context.Context, r PayRequest) (Sheet, error)
	// Act does what the user chose on the sheet: "success", "cancel", "fail"
	// or "notenough". nil after "success" means that the money moved. An error
	// that is a [*Refusal] reaches the page: it says the result to the letter.
	Act(ctx context.Context, a Act) error
	// Verify checks the signature of wx.config (preVerifyJSAPI). A [*Refusal]
	// carries WeChat's words in Message, such as "invalid signature".
	Verify(ctx context.Context, c ConfigRequest) error
}

// User is one simulated person.
type User struct {
	ID       string `json:"id"` // value of the cookie wxsim_me: "1", "2", …
	Nickname string `json:"nickname"`
	Balance  int64  `json:"balance"` // fen
}

// PayRequest is a getBrandWCPayRequest by the user who holds the phone.
type PayRequest struct {
	UserID    string
	PageURL   string // location.href, mapped to the shop's origin
	AppID     string
	TimeStamp string
	NonceStr  string
	Package   string
	SignType  string
	PaySign   string
}

// ConfigRequest is a wx.config, as the JS-SDK hands it to the bridge.
type ConfigRequest struct {
	PageURL   string // location.href, mapped to the shop's origin
	SeenURL   string // the same as the page's script sees it
	AppID     string
	Timestamp string
	NonceStr  string
	Signature string
}

// Sheet is what the pay sheet shows.
type Sheet struct {
	Token       string `json:"token"`    // names this opened sheet in Act; unguessable, or the prepay id
	Merchant    string `json:"merchant"` // 商户简称
	Description string `json:"description"`
	Total       int64  `json:"total"` // fen
	Nickname    string `json:"nickname"`
	Balance     int64  `json:"balance"` // fen
}

// Act is what the user did on an opened sheet.
type Act struct {
	Token   string
	UserID  string
	Outcome string // success, cancel, fail, notenough
}

// Refusal is WeChat saying no to the page.
type Refusal struct {
	Message string // err_msg, e.g. "get_brand_wcpay_request:fail"; empty means exactly that
	Desc    string // err_desc, e.g. "支付验证签名失败"
}

func (r *Refusal) Error() string { return r.message() + ": " + r.Desc }

func (r *Refusal) message() string {
	if r.Message == "" {
		return resultFail
	}
	return r.Message
}

// The results of getBrandWCPayRequest, to the letter (WeChat Pay v2, "JSAPI调起支付").
const (
	resultOK     = "get_brand_wcpay_request:ok"
	resultCancel = "get_brand_wcpay_request:cancel"
	resultFail   = "get_brand_wcpay_request:fail"
)

// MarkMe and MarkFace are the query parameters that the face adds to the
// authorize URL: who holds the phone, and the origin to come back to instead
// of the shop's. MarkFace is set only where redirect_uri names the shop.
const (
	MarkMe   = "wxsim_me"
	MarkFace = "wxsim_face"
)

// New returns the face, or an error when one of the three URLs is no origin.
func New(o Options) (http.Handler, error) {
	f := &face{wechat: o.WeChat, log: o.Log, transport: o.Transport, nonce: rand.Text(), told: map[string]bool{}}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	if f.transport == nil {
		f.transport = &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute}
	}
	f.tell = o.Note
	var errs [4]error
	f.app, errs[0] = parseOrigin(o.AppURL)
	f.self, errs[1] = parseOrigin(o.FaceURL)
	f.gateway, errs[2] = parseOrigin(o.GatewayURL)
	f.script, errs[3] = bridgeScript(o.Delay, o.GatewayURL)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	f.own = f.endpoints()
	return f, nil
}
