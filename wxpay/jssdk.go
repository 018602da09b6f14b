package wxpay

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
)

// JSSDKConfig is what a page hands to wx.config.
type JSSDKConfig struct {
	AppID     string `json:"appId"`
	Timestamp int64  `json:"timestamp"`
	NonceStr  string `json:"nonceStr"`
	Signature string `json:"signature"`
}

// JSSDKSignature signs a page's URL for wx.config: its full URL with the
// query, as the browser says it (location.href); what follows # is left out.
// Paying through WeixinJSBridge does not need it.
func (m *MP) JSSDKSignature(ctx context.Context, pageURL string) (JSSDKConfig, error) {
	pageURL, _, _ = strings.Cut(pageURL, "#")
	if !strings.HasPrefix(pageURL, "http://") && !strings.HasPrefix(pageURL, "https://") {
		return JSSDKConfig{}, errors.New("sign for wx.config: not an absolute URL")
	}
	ticket, err := m.Ticket(ctx)
	if err != nil {
		return JSSDKConfig{}, err
	}
	c := JSSDKConfig{AppID: m.cfg.AppID, Timestamp: m.cfg.Now().Unix(), NonceStr: rand.Text()}
	c.Signature = jssdkSignature(ticket, c.NonceStr, c.Timestamp, pageURL)
	return c, nil
}

// jssdkSignature is SHA-1 over names in small letters in this order, values
// raw (JS-SDK, appendix on the signature).
func jssdkSignature(ticket, nonce string, timestamp int64, pageURL string) string {
	sum := sha1.Sum([]byte("jsapi_ticket=" + ticket + "&noncestr=" + nonce +
		"&timestamp=" + strconv.FormatInt(timestamp, 10) + "&url=" + pageURL))
	return hex.EncodeToString(sum[:])
}
