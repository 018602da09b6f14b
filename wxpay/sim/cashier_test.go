package sim

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"wxshop/wxpay/sim/browser"
)

// What getBrandWCPayRequest refuses, in WeChat's words.
func TestSheetRefusals(t *testing.T) {
	w := newWorld(t, Options{})
	id := w.order("sheet00001")
	paid := w.order("sheet00002")
	w.pay("sheet00002")
	closed := w.order("sheet00003")
	w.ok("/pay/closeorder", map[string]string{"out_trade_no": "sheet00003"}, "")
	hmacID := w.ok("/pay/unifiedorder", w.orderFields("sheet00004"), "HMAC-SHA256")["prepay_id"]
	good := w.bridge(id, "")
	with := func(change func(p *bridgeParams)) bridgeParams { p := good; change(&p); return p }
	resigned := func(p bridgeParams) bridgeParams {
		f := map[string]string{"appId": p.appID, "timeStamp": p.timeStamp, "nonceStr": p.nonceStr, "package": p.pkg, "signType": p.signType}
		p.paySign = signFields(f, w.id.APIKey, p.signType)
		return p
	}
	tests := []struct {
		name, user string
		p          bridgeParams
		want       string
	}{
		{"good", "1", good, ""},
		{"good, HMAC", "1", w.bridge(hmacID, "HMAC-SHA256"), ""},
		{"no appId", "1", with(func(p *bridgeParams) { p.appID = "" }), "调用支付JSAPI缺少参数：appId"},
		{"no timeStamp", "1", with(func(p *bridgeParams) { p.timeStamp = "" }), "调用支付JSAPI缺少参数：timeStamp"},
		{"no nonceStr", "1", with(func(p *bridgeParams) { p.nonceStr = "" }), "调用支付JSAPI缺少参数：nonceStr"},
		{"no package", "1", with(func(p *bridgeParams) { p.pkg = "" }), "调用支付JSAPI缺少参数：package"},
		{"no signType", "1", with(func(p *bridgeParams) { p.signType = "" }), "调用支付JSAPI缺少参数：signType"},
		{"no paySign", "1", with(func(p *bridgeParams) { p.paySign = "" }), "调用支付JSAPI缺少参数：paySign"},
		{"package without prepay_id=", "1", resigned(with(func(p *bridgeParams) { p.pkg = id })), "调用支付JSAPI缺少参数：total_fee"},
		{"unknown prepay_id", "1", w.bridge("wx0000", ""), "调用支付JSAPI缺少参数：total_fee"},
		{"another appId", "1", resigned(with(func(p *bridgeParams) { p.appID = miniAppID1 })), "调用支付JSAPI缺少参数：total_fee"},
		{"wrong paySign", "1", with(func(p *bridgeParams) { p.paySign = strings.Repeat("A", 32) }), "支付验证签名失败"},
		{"lower-case paySign", "1", with(func(p *bridgeParams) { p.paySign = strings.ToLower(p.paySign) }), "支付验证签名失败"},
		{"timeStamp changed", "1", with(func(p *bridgeParams) { p.timeStamp = "1" }), "支付验证签名失败"},
		{"signType other than the order's", "1", w.bridge(id, "HMAC-SHA256"), "支付验证签名失败"},
		{"another user", "2", good, "下单账号与支付账号不一致"},
		{"paid", "1", w.bridge(paid, ""), "该订单已支付"},
		{"closed", "1", w.bridge(closed, ""), "订单已关闭"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.sim.openSheet(tt.p, tt.user)
			got := ""
			if refused, ok := errors.AsType[*payRefusal](err); ok {
				got = refused.text
			} else if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// The WeChat browser's view: the sheet, then the payer's choice.
func TestPhone(t *testing.T) {
	w := newWorld(t, Options{Data: t.TempDir()})
	p := phone{w.sim}
	users, err := p.Users(t.Context())
	if err != nil || len(users) != 3 || users[0].ID != "1" || users[0].Nickname != "林晓溪" {
		t.Fatalf("users %+v, %v", users, err)
	}
	id := w.order("phone00001")
	b := w.bridge(id, "")
	req := browser.PayRequest{UserID: "1", AppID: b.appID, TimeStamp: b.timeStamp, NonceStr: b.nonceStr, Package: b.pkg, SignType: b.signType, PaySign: b.paySign}
	sh, err := p.Prepare(t.Context(), req)
	if err != nil || sh.Total != 888 || sh.Merchant == "" || sh.Description != "测试店-图书 & <茶>" || sh.Balance != users[0].Balance {
		t.Fatalf("sheet %+v, %v", sh, err)
	}
	req.UserID = "2"
	_, err = p.Prepare(t.Context(), req)
	if refusal, ok := errors.AsType[*browser.Refusal](err); !ok || refusal.Desc != "下单账号与支付账号不一致" {
		t.Errorf("another user's sheet: %v", err)
	}
	act := func(user, outcome string) error {
		return p.Act(t.Context(), browser.Act{Token: sh.Token, UserID: user, Outcome: outcome})
	}
	for _, outcome := range []string{"cancel", "fail", "notenough"} {
		if err := act("1", outcome); err != nil || w.state("phone00001") != "NOTPAY" {
			t.Errorf("%s: %v, %s", outcome, err, w.state("phone00001"))
		}
	}
	if err := act("2", "success"); err == nil {
		t.Error("another user paid")
	}
	// The simulator is restarted while the sheet is open.
	w = w.reopen(Options{Data: w.sim.opts.Data})
	p = phone{w.sim}
	if err := act("1", "success"); err != nil || w.state("phone00001") != "SUCCESS" {
		t.Errorf("paying: %v, %s", err, w.state("phone00001"))
	}
	err = act("1", "success")
	if refusal, ok := errors.AsType[*browser.Refusal](err); !ok || refusal.Desc != "该订单已支付" {
		t.Errorf("paying twice: %v", err)
	}
	if err := act("1", "cancel"); err != nil {
		t.Errorf("closing the sheet of a paid order: %v", err)
	}
}

// Of a payment and a close that come together exactly one wins, and of many
// payments one.
func TestPayAgainstClose(t *testing.T) {
	w := newWorld(t, Options{Data: t.TempDir()})
	defer w.run()()
	balance := w.sim.people()[0].Balance
	var paidCount int64
	for i := range 25 {
		no := "race" + strings.Repeat("0", 4) + string(rune('a'+i))
		w.order(no)
		var group sync.WaitGroup
		paid, closed := make(chan bool, 3), make(chan bool, 2)
		for range 3 {
			group.Go(func() { paid <- w.do("POST", "/_sim/api/transactions/"+no+"/pay", "").Code == 200 })
		}
		for range 2 {
			group.Go(func() {
				raw := w.do("POST", "/pay/closeorder", toXML(w.signed(map[string]string{"out_trade_no": no}, ""))).Body.String()
				closed <- strings.Contains(raw, "<result_code><![CDATA[SUCCESS]]>")
			})
		}
		group.Wait()
		close(paid)
		close(closed)
		wins := map[string]int{}
		for ok := range paid {
			if ok {
				wins["SUCCESS"]++
			}
		}
		for ok := range closed {
			if ok {
				wins["CLOSED"]++
			}
		}
		if wins["SUCCESS"]+wins["CLOSED"] != 1 || wins[w.state(no)] != 1 {
			t.Fatalf("%s: winners %v, state %s", no, wins, w.state(no))
		}
		paidCount += int64(wins["SUCCESS"])
	}
	if got := w.sim.people()[0].Balance; got != balance-888*paidCount {
		t.Errorf("balance %d after %d payments", got, paidCount)
	}
}
