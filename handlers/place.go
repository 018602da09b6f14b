package handlers

import (
	"net/http"
	"strings"
)

// place is where a page is open, guessed from the User-Agent. It chooses what
// is offered and never authorises anything, because anybody can send any name.
type place uint8

const (
	placeDesktop         place = iota // an ordinary browser
	placePhone                        // an ordinary browser on a phone
	placeWeChat                       // WeChat on a phone: JSAPI payment works
	placeWeChatElsewhere              // WeChat on a computer or in a mini program: signed in, but no JSAPI payment
)

// placeOf reads the tokens in the order that tells the hosts apart: WeCom
// and desktop clients carry MicroMessenger too.
func placeOf(r *http.Request) place {
	ua := strings.ToLower(r.UserAgent())
	switch {
	case strings.Contains(ua, "wxwork"), !strings.Contains(ua, "micromessenger"):
		if strings.Contains(ua, "mobile") || strings.Contains(ua, "android") {
			return placePhone
		}
		return placeDesktop
	case strings.Contains(ua, "miniprogram"), strings.Contains(ua, "windowswechat"),
		strings.Contains(ua, "macwechat"), strings.Contains(ua, "unifiedpc"):
		return placeWeChatElsewhere
	}
	return placeWeChat
}

// inWeChat reports whether OAuth can say who this is.
func (p place) inWeChat() bool { return p == placeWeChat || p == placeWeChatElsewhere }
