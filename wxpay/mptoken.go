package wxpay

import (
	"context"
	"time"
)

// MPToken is something that WeChat lent an account for a while.
type MPToken struct {
	Value string
	Until time.Time
}

// TokenCache keeps tokens where every process of the shop finds them: WeChat
// gives an account few of them. Load gives the zero MPToken for a name that it
// does not know. It must be safe for concurrent use and must treat the values
// as secrets. The names are "APPID/stable_token" and "APPID/jsapi_ticket".
type TokenCache interface {
	Load(ctx context.Context, name string) (MPToken, error)
	Save(ctx context.Context, name string, t MPToken) error
}

// JSSDKConfig is what a page hands to wx.config.
type JSSDKConfig struct {
	AppID     string `json:"appId"`
	Timestamp int64  `json:"timestamp"`
	NonceStr  string `json:"nonceStr"`
	Signature string `json:"signature"`
}
