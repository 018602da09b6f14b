package sim

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"strings"
	"testing"

	"wxshop/wxpay/sim/browser"
)

// wx.config: what a shop gets wrong, and what it reads then.
func TestConfig(t *testing.T) {
	w := newWorld(t, Options{AppURL: "http://localhost:8080"})
	verify := func(c browser.ConfigRequest) string {
		err := phone{w.sim}.Verify(t.Context(), c)
		var no *browser.Refusal
		if errors.As(err, &no) {
			return no.Message
		}
		return fmt.Sprint(err)
	}
	good := browser.ConfigRequest{
		PageURL: "http://localhost:8080/orders/1?from=x#top", SeenURL: "http://127.0.0.1:8082/orders/1?from=x#top", AppID: w.id.AppID,
		Timestamp: "1767225600", NonceStr: "N0nce16Chars0001",
	}
	if got := verify(good); got != "invalid signature" { // nobody fetched a ticket
		t.Errorf("got %s", got)
	}
	ticket := w.cgi("GET", "/cgi-bin/ticket/getticket?type=jsapi", "")["ticket"].(string)
	sign := func(page string) string {
		return fmt.Sprintf("%x", sha1.Sum([]byte("jsapi_ticket="+ticket+"&noncestr=N0nce16Chars0001&timestamp=1767225600&url="+page)))
	}
	tests := []struct {
		name   string
		change func(c *browser.ConfigRequest)
		want   string
	}{
		{"right", func(c *browser.ConfigRequest) { c.Signature = sign("http://localhost:8080/orders/1?from=x") }, "<nil>"},
		{"right, by the page's own script", func(c *browser.ConfigRequest) { c.Signature = sign("http://127.0.0.1:8082/orders/1?from=x") }, "<nil>"},
		{"with the hash", func(c *browser.ConfigRequest) { c.Signature = sign("http://localhost:8080/orders/1?from=x#top") }, "invalid signature"},
		{"without the query", func(c *browser.ConfigRequest) { c.Signature = sign("http://localhost:8080/orders/1") }, "invalid signature"},
		{"upper case", func(c *browser.ConfigRequest) {
			c.Signature = strings.ToUpper(sign("http://localhost:8080/orders/1?from=x"))
		}, "invalid signature"},
		{"mini program's appid", func(c *browser.ConfigRequest) { c.AppID = w.id.MiniAppID }, "invalid appid"},
	}
	for _, tt := range tests {
		c := good
		tt.change(&c)
		if got := verify(c); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	c := good
	c.Signature = sign("http://localhost:8080/orders/1?from=x")
	w.set(`{"enforce":true,"js_domains":["shop.example"]}`)
	if got := verify(c); got != "invalid url domain" {
		t.Errorf("another domain: %s", got)
	}
	all, _ := w.sim.events.since(0)
	if last := all[len(all)-1]; !strings.Contains(last.detail.Problem, "JS接口安全域名") || !strings.Contains(last.detail.Problem, "localhost") {
		t.Errorf("the console says %+v", last.detail)
	}
	w.set(`{"js_domains":["localhost"]}`)
	if got := verify(c); got != "<nil>" {
		t.Errorf("the right domain: %s", got)
	}
}

// The vector of the document, with its ticket.
func TestConfigVector(t *testing.T) {
	const ticket = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
	c := browser.ConfigRequest{NonceStr: "Wm3WZYTPz0wzccnW", Timestamp: "1414587457", Signature: "0f9de62fce790f9a083d5c99e95740ceb90c27ed"}
	if !signedConfig(c, ticket, "http://mp.weixin.qq.com?params=value") {
		t.Error("the document's vector does not hold")
	}
}
