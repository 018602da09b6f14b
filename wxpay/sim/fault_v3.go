package sim

import (
	"net/http"
	"strings"
)

// isSignedV3 reports whether an answer is a yes of API v3; nobody verifies a
// no, so there is nothing to spoil about its signature.
func isSignedV3(a *heldAnswer) bool {
	return a.status/100 == 2 && a.header.Get("Wechatpay-Signature") != ""
}

// unsignV3 takes the signature off an answer.
func unsignV3(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, "Wechatpay-") {
			h.Del(name)
		}
	}
}

// missignV3 makes the signature of an answer wrong: half of the time it looks
// like any other, half of the time like WeChat's own probe.
func (s *Sim) missignV3(h http.Header) {
	sign := h.Get("Wechatpay-Signature")
	if s.draw("signature probe").IntN(2) == 0 {
		h.Set("Wechatpay-Signature", probePrefix+sign)
		return
	}
	other := strings.Map(func(r rune) rune {
		if r >= 'A' && r < 'Z' || r >= 'a' && r < 'z' {
			return r + 1
		}
		return r
	}, sign[:len(sign)/2])
	h.Set("Wechatpay-Signature", other+sign[len(sign)/2:])
}
