package sim

import (
	"context"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"strings"

	"wxshop/wxpay/sim/browser"
	"wxshop/wxpay/sim/console"
)

// Verify checks a wx.config: the domain of the page, then the signature with
// the latest jsapi_ticket (JS-SDK, "签名算法").
func (p phone) Verify(_ context.Context, c browser.ConfigRequest) error {
	a := p.s.enforced()
	if a != nil && !anyDomain(a.JSDomains, c.PageURL) {
		return p.refuseConfig("invalid url domain", c, "公众平台 → 设置与开发 → 账号设置 → 功能设置 → JS接口安全域名，加上 "+hostOf(withoutScheme(c.PageURL))+
			"（不带协议和端口）。Add the page's host to the JS domains; here: js_domains of /_sim/account.")
	}
	p.s.oauth.mu.Lock()
	ticket := p.s.oauth.ticket
	p.s.oauth.mu.Unlock()
	switch {
	case c.AppID != p.s.ids.view().AppID:
		return p.refuseConfig("invalid appid", c, "appId 不是这个公众号的。The appId is not the official account's.")
	case ticket == "":
		return p.refuseConfig("invalid signature", c, "还没有人取过 jsapi_ticket。Nobody has fetched a jsapi_ticket yet: GET /cgi-bin/ticket/getticket.")
	}
	for _, page := range []string{c.PageURL, c.SeenURL} {
		if signedConfig(c, ticket, page) {
			return nil
		}
	}
	page, _, _ := strings.Cut(c.PageURL, "#")
	return p.refuseConfig("invalid signature", c, "签名要对这个串算 SHA-1（小写）：jsapi_ticket=（最近取的）&noncestr="+c.NonceStr+"&timestamp="+c.Timestamp+"&url="+page+
		"。Sign exactly this string, lower-case names, nothing escaped, the URL without its #.")
}

func anyDomain(domains []string, page string) bool {
	for _, d := range domains {
		if domainOK(d, page) {
			return true
		}
	}
	return false
}

func withoutScheme(page string) string {
	_, rest, _ := strings.Cut(page, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

func signedConfig(c browser.ConfigRequest, ticket, page string) bool {
	page, _, _ = strings.Cut(page, "#")
	sum := sha1.Sum([]byte("jsapi_ticket=" + ticket + "&noncestr=" + c.NonceStr + "&timestamp=" + c.Timestamp + "&url=" + page))
	return subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(c.Signature)) == 1
}

// refuseConfig says no in WeChat's words and explains in the console.
func (p phone) refuseConfig(words string, c browser.ConfigRequest, advice string) error {
	p.s.events.add(happening{
		detail: &console.Exchange{Problem: advice, Facts: []console.Fact{{Name: "url", Value: c.PageURL}, {Name: "appId", Value: c.AppID}}},
		entry:  console.Entry{Direction: console.In, Title: "wx.config", Hint: c.PageURL, Verdict: "config:" + words, Tone: console.Bad},
	})
	return &browser.Refusal{Message: words}
}
