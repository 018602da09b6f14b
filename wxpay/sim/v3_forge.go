package sim

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"strings"
	"time"
)

const (
	// probePrefix marks WeChat's own wrong signatures, by which it finds out who
	// verifies (WeChat Pay v3, "签名探测").
	probePrefix = "WECHATPAY/SIGNTEST/"

	staleBy     = 10 * time.Minute
	replayFresh = 4 * time.Minute // while the old signature still holds
)

// forgedV3 writes a bad notification of an order or refund of API v3. s.mu is
// held.
func (s *Sim) forgedV3(e eventV3, last *attempt, kind string, r *rand.Rand) (message, error) {
	if kind == forgeReplayed {
		return s.replayedV3(last)
	}
	if err := bend(e.content, kind, r); err != nil {
		return message{}, err
	}
	now := s.clock.Now()
	e.created, e.id = now, s.eventID("forged "+kind, now)
	nonce := pick(r, alphanum, sealNonce)
	body, err := s.sealEvent(e, nonce)
	if err != nil {
		return message{}, err
	}
	key, err := s.notifyKey()
	if err != nil {
		return message{}, err
	}
	at := s.opts.Now()
	switch kind {
	case forgeTruncated:
		body = body[:len(body)*2/3]
	case forgeXXE:
		body = []byte(`<!DOCTYPE xml [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + "\n<xml><return_code>SUCCESS</return_code><out_trade_no>&x;</out_trade_no></xml>")
	case forgeShortNonce:
		body = bytes.Replace(body, []byte(`"nonce":"`+nonce+`"`), []byte(`"nonce":"`+nonce[:8]+`"`), 1)
	case forgeStale:
		at = at.Add(-staleBy)
	case forgeWrongKey: // the merchant's own: who verifies with it would take it
		ring, err := s.ids.keyring()
		if err != nil {
			return message{}, err
		}
		key.key = ring.merchant
	case forgeWrongSerial:
		key.serial = "7" + strings.ToUpper(pick(r, lowerHex, 39))
	}
	m, err := s.signedNote(body, key, at)
	if err != nil {
		return message{}, err
	}
	switch kind {
	case forgeUnsigned:
		maps.DeleteFunc(m.headers, func(name, _ string) bool { return strings.HasPrefix(name, "Wechatpay-") })
	case forgeSignTest:
		m.headers["Wechatpay-Signature"] = probePrefix + m.headers["Wechatpay-Signature"]
	}
	return m, nil
}

// bend makes the content of an event wrong.
func bend(content map[string]any, kind string, r *rand.Rand) error {
	refund := content["refund_id"] != nil
	switch kind {
	case forgeWrongAmount:
		amount := content["amount"].(map[string]any)
		for _, name := range []string{"refund", "payer_refund"} {
			if refund {
				amount[name] = amount[name].(int64) + 1
			}
		}
		for _, name := range []string{"total", "payer_total"} {
			if !refund {
				amount[name] = amount[name].(int64) + 1
			}
		}
	case forgeWrongAppID:
		if refund {
			return conflict("a refund notification of API v3 names no appid; choose another kind")
		}
		content[own(content, "appid")] = "wxf00000000000beef"
	case forgeWrongMchID:
		content[own(content, "mchid")] = "1900009999"
	case forgeUnknownOrder:
		content["out_trade_no"] = "X" + pick(r, digits, 20)
		if refund {
			content["out_refund_no"] = "X" + pick(r, digits, 20)
		}
	}
	return nil
}

// own is the name of a field, or with a service provider that of its own.
func own(content map[string]any, name string) string {
	if content["sp_"+name] != nil {
		return "sp_" + name
	}
	return name
}

// replayedV3 sends what was sent last: to the byte while its signature is
// fresh, later the same body signed anew.
func (s *Sim) replayedV3(last *attempt) (message, error) {
	if last == nil {
		return message{}, conflict("nothing was sent yet that could be replayed; let it be paid and wait for its notification")
	}
	body := []byte(last.RequestBody)
	if s.opts.Now().Sub(unixText(last.RequestHeaders["Wechatpay-Timestamp"])) < replayFresh {
		return message{headers: maps.Clone(last.RequestHeaders), body: body, v3: true}, nil
	}
	key, err := s.notifyKey()
	if err != nil {
		return message{}, err
	}
	return s.signedNote(body, key, s.opts.Now())
}
