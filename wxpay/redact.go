package wxpay

import (
	"fmt"
	"log/slog"
	"strings"
	"unicode/utf8"
)

// This file is the one place that decides what a person may see of what we
// send and receive (logs, timelines, errors).

// shortOpenID keeps the last four characters: enough to tell two payers apart
// on one page, too little to address one.
func shortOpenID(id string) string {
	if len(id) <= 4 {
		return "…"
	}
	return "…" + id[len(id)-4:]
}

// secretFields are never shown, under any name that WeChat gives them.
var secretFields = map[string]bool{
	"sign": true, "paySign": true, "key": true, "req_info": true,
	"truncated_sign_message": true, // with the beginning of our body in it
	"auth_code":              true, "face_code": true, "rawdata": true, "authinfo": true, "ciphertext": true,
}

// personFields name a payer.
var personFields = map[string]bool{"openid": true, "sub_openid": true, "sp_openid": true, "user_creid": true, "user_truename": true, "FromUserName": true}

// redacted is f as a person may see it, or ok = false for what nobody may.
func redacted(f field) (value string, ok bool) {
	switch {
	case secretFields[f.name]:
		return "", false
	case personFields[f.name] && f.value != "":
		return shortOpenID(f.value), true
	}
	return f.value, true
}

// redactedMap is m for people to read.
func redactedMap(m message) map[string]string {
	out := make(map[string]string, len(m))
	for _, f := range m {
		if v, ok := redacted(f); ok {
			out[f.name] = v
		}
	}
	return out
}

// redactedXML is m as XML for people to read, one element a line.
func redactedXML(m message) string {
	var b []byte
	b = append(b, "<xml>\n"...)
	for _, f := range m {
		if v, ok := redacted(f); ok {
			b = appendElement(b, field{name: f.name, value: v})
			b = append(b, '\n')
		}
	}
	return string(append(b, "</xml>"...))
}

// excerptLength is how many bytes are kept of it.
const excerptLength = 500

// excerpt is the beginning of a text that somebody else wrote, fit to be shown,
// without the secrets that it might repeat to us.
func excerpt(s string, secrets ...string) string {
	s = strip(s, secrets...)
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || (r < ' ' && r != '\n') {
			return -1
		}
		return r
	}, s)
	return cutBytes(s, excerptLength)
}

// strip blots secrets out of s.
func strip(s string, secrets ...string) string {
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "…")
		}
	}
	return s
}

// cutBytes shortens s to at most n bytes without splitting a character.
func cutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// String leaves the keys out, so that printing a Config by mistake is harmless.
func (c Config) String() string {
	return fmt.Sprintf("wxpay.Config{AppID:%s MchID:%s SignType:%s Hosts:%v}", c.AppID, c.MchID, c.SignType, c.Hosts)
}

// GoString is String, for %#v.
func (c Config) GoString() string { return c.String() }

// LogValue is String, for slog.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// String leaves the secret out.
func (c MPConfig) String() string { return fmt.Sprintf("wxpay.MPConfig{AppID:%s}", c.AppID) }

// GoString is String, for %#v.
func (c MPConfig) GoString() string { return c.String() }

// LogValue is String, for slog.
func (c MPConfig) LogValue() slog.Value { return slog.StringValue(c.String()) }

// String shortens the openid and leaves the token out.
func (u MPUser) String() string {
	return fmt.Sprintf("wxpay.MPUser{OpenID:%s Scope:%s Snapshot:%t}", shortOpenID(u.OpenID), u.Scope, u.Snapshot)
}

// GoString is String, for %#v.
func (u MPUser) GoString() string { return u.String() }

// LogValue is String, for slog.
func (u MPUser) LogValue() slog.Value { return slog.StringValue(u.String()) }

// String leaves the credential out.
func (a FaceAuth) String() string { return fmt.Sprintf("wxpay.FaceAuth{ExpiresIn:%d}", a.ExpiresIn) }

// GoString is String, for %#v.
func (a FaceAuth) GoString() string { return a.String() }

// LogValue is String, for slog.
func (a FaceAuth) LogValue() slog.Value { return slog.StringValue(a.String()) }
