package contract

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"wxshop/wxpay"
)

// Tests of API v3 against the simulated WeChat, whose keys and faults are its own.

// paidAt places and pays an order, and returns what it was told.
func (w *wechatWorld) paidNote(g wxpay.Gateway, no string) told {
	w.t.Helper()
	if _, err := g.Prepay(w.t.Context(), w.order(wxpay.V3, no)); err != nil {
		w.t.Fatalf("%s: %v", no, err)
	}
	w.mu.Lock()
	w.got = nil
	w.mu.Unlock()
	w.pay(no)
	return w.last("/notify/v3/pay")
}

// nextKey is the APIv3 key that the merchant changes to.
const nextKey = "fedcba9876543210FEDCBA9876543210"

func newV3(t *testing.T, c wxpay.Config) *wxpay.V3Gateway {
	t.Helper()
	g, err := wxpay.NewV3(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// The platform certificate and the APIv3 key change in the middle of a run: no
// call fails and no notification is refused.
func TestKeysChangeAtWeChat(t *testing.T) {
	for _, mode := range []wxpay.KeyMode{wxpay.CertificateMode, wxpay.MixedMode} {
		synctest.Test(t, func(t *testing.T) {
			w, end := newWeChat(t)
			defer end()
			cfg := w.config(mode, false)
			cfg.NextAPIv3Key = nextKey
			g := newV3(t, cfg)
			n := 0
			pay := func(step string) {
				t.Helper()
				n++
				note := w.paidNote(g, fmt.Sprintf("rotation%02d", n))
				if x, err := g.ParseNotify(note.header, note.body); err != nil || x.Total != 888 {
					t.Errorf("%s, %s: %+v, %v", mode, step, x, err)
				}
			}
			pay("before")
			for _, step := range []string{"start", "switch", "finish", "now"} {
				w.api("POST", "keys", `{"rotate":"`+step+`"}`, nil)
				pay("rotation " + step)
				time.Sleep(time.Minute)
				pay("a minute after " + step)
			}
			w.api("POST", "keys", `{"api_v3_key":"`+nextKey+`"}`, nil)
			pay("APIv3 key")
			time.Sleep(7 * time.Hour) // the certificates come again, under the new key
			pay("seven hours later")
		})
	}
}

// The simulator's whole catalogue of bad notifications: refused, or its words
// are not those of the order (X3–X5).
func TestForgeriesAtWeChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, end := newWeChat(t)
		defer end()
		g := newV3(t, w.config(wxpay.PublicKeyMode, false))
		genuine := w.paidNote(g, "forgeries01")
		right, err := g.ParseNotify(genuine.header, genuine.body)
		if err != nil {
			t.Fatal(err)
		}
		for kind, want := range map[string]error{
			"unsigned": wxpay.ErrSignature, "wrong_key": wxpay.ErrSignature, "wrong_serial": wxpay.ErrSignature, "stale": wxpay.ErrSignature, "signtest": wxpay.ErrProbe,
			"truncated": wxpay.ErrBadNotify, "xxe": wxpay.ErrBadNotify, "short_nonce": wxpay.ErrBadNotify,
			"wrong_amount": nil, "wrong_appid": nil, "wrong_mchid": nil, "unknown_order": nil, "replayed": nil,
		} {
			w.mu.Lock()
			w.got = nil
			w.mu.Unlock()
			w.api("POST", "notifications/forge", `{"out_trade_no":"forgeries01","kind":"`+kind+`"}`, nil)
			n := w.last("/notify/v3/pay")
			x, err := g.ParseNotify(n.header, n.body)
			if !errors.Is(err, want) || want == nil && err != nil {
				t.Errorf("%s: %v, want %v", kind, err, want)
			}
			differs := x.Total != right.Total || x.AppID != right.AppID || x.MchID != right.MchID || x.OutTradeNo != right.OutTradeNo
			if want == nil && differs != (kind != "replayed") {
				t.Errorf("%s: %+v", kind, x)
			}
		}
	})
}

// Every fault of the wire leaves the outcome open, and the same order again
// brings it.
func TestFaultsAtWeChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, end := newWeChat(t)
		defer end()
		g := newV3(t, w.config(wxpay.PublicKeyMode, false))
		for _, fault := range []string{
			"connection-refused", "reset-before-commit", "reset-after-commit", "answer-truncated", "answer-5xx", "answer-html",
			"answer-unsigned", "answer-wrong-signature", "system-error",
		} {
			w.api("PUT", "faults", `{"next":{"`+fault+`":1}}`, nil)
			o := w.order(wxpay.V3, "fault_"+fault)
			p, err := g.Prepay(t.Context(), o)
			probe := fault == "answer-wrong-signature" && p.PrepayID != "" // a signature test: asked again at once
			if !wxpay.IsUnknown(err) && !probe {
				t.Errorf("%s: %v", fault, err)
			}
			if p, err := g.Prepay(t.Context(), o); err != nil || p.PrepayID == "" {
				t.Errorf("after %s: %v", fault, err)
			}
			time.Sleep(time.Minute)
		}
		w.api("PUT", "faults", `{"next":{"frequency-limited":1}}`, nil)
		if _, err := g.Query(t.Context(), wxpay.Ref{OutTradeNo: "fault_answer-5xx"}); !errors.Is(err, wxpay.ErrFrequency) || !wxpay.Retryable(err) {
			t.Errorf("frequency: %v", err)
		}
	})
}
