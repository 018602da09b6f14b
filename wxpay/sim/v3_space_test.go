package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// There is one space of numbers: each API sees, closes and gives back what the
// other ordered; the notification is that of the API that asked.
func TestOneOrderSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.order("space00001")
		w.orderV3("space00002")
		if w.stateV3("space00001") != "NOTPAY" || w.state("space00002") != "NOTPAY" {
			t.Error("an order is not seen by the other API")
		}
		const reentry = `{"code":"INVALID_REQUEST","message":"请求重入时，参数与首次请求时不一致"}`
		refused(w, "POST", jsapiV3, w.fieldsV3("space00001"), 400, reentry)
		if got := fromXML(t, w.call("/pay/unifiedorder", w.orderFields("space00002"), "")); got["err_code"] != "OUT_TRADE_NO_USED" {
			t.Errorf("v3's number by v2: %v", got)
		}
		for _, no := range []string{"space00001", "space00002"} {
			w.pay(no)
		}
		time.Sleep(time.Minute)
		// Each refund by the API that did not place the order.
		w.answer("POST", refundsV3, w.refundFieldsV3("space00001", "S1", 100, 888))
		w.refund("space00002", "S2", "200")
		time.Sleep(time.Minute)
		if w.answer("GET", refundsV3+"/S2", nil)["status"] != "SUCCESS" {
			t.Error("v3 does not see the refund of v2")
		}
		if got := w.ok("/pay/refundquery", map[string]string{"out_refund_no": "S1"}, ""); got["refund_status_0"] != "SUCCESS" || got["refund_fee_0"] != "100" {
			t.Errorf("v2 sees the refund of v3 as %v", got)
		}
		told := map[string]int{}
		for _, n := range w.shop.notifications() {
			kind := "v2 "
			if strings.HasPrefix(n.body, "{") {
				kind = "v3 "
				w.mustVerify(n.header, []byte(n.body))
			}
			if strings.Contains(n.body, "req_info") || strings.Contains(n.body, "REFUND.") {
				told[kind+"refund"]++
			} else {
				told[kind+"payment"]++
			}
		}
		if len(told) != 4 {
			t.Errorf("told %v, want a payment and a refund of each API", told)
		}
		w.order("space00003")
		w.orderV3("space00004")
		w.v3OK("POST", "/v3/pay/transactions/out-trade-no/space00003/close", asJSON(object{"mchid": w.id.MchID}))
		w.ok("/pay/closeorder", map[string]string{"out_trade_no": "space00004"}, "")
		if w.state("space00003") != "CLOSED" || w.stateV3("space00004") != "CLOSED" {
			t.Error("an order is not closed by the other API")
		}
	})
}

// An order of v2 that comes again by v3 with the same parameters stays one of
// v2; each prepay_id is signed in the way of the API that gave it.
func TestTheSameOrderByTheOtherAPI(t *testing.T) {
	w := newWorld(t, Options{})
	first := w.order("both000001", "notify_url", "http://localhost:8080/notify", "spbill_create_ip", "127.0.0.1")
	second := w.orderV3("both000001", "notify_url", "http://localhost:8080/notify")
	if _, err := w.sim.openSheet(w.bridge(first, ""), "1"); err != nil {
		t.Errorf("by v2: %v", err)
	}
	if _, err := w.sim.openSheet(w.bridgeV3(second), "1"); err != nil {
		t.Errorf("by v3: %v", err)
	}
	if o := w.sim.ledger.orders["both000001"]; o.API != "" || o.SignType != algMD5 {
		t.Errorf("the order is of %q, signed with %s", o.API, o.SignType)
	}
}

// bridgeV3 signs the parameters of the pay sheet as the document describes.
func (w *world) bridgeV3(prepayID string) bridgeParams {
	p := bridgeParams{appID: w.id.AppID, timeStamp: "1774495197", nonceStr: "RIPb5Upk3ku7knU6", pkg: "prepay_id=" + prepayID, signType: "RSA", page: "http://localhost:8080/pay/1"}
	p.paySign = signText(w.t, privateKey(w.t, w.identity().MerchantPrivateKey), p.appID+"\n"+p.timeStamp+"\n"+p.nonceStr+"\n"+p.pkg+"\n")
	return p
}

// The pay sheet of API v3 verifies paySign, appId, payer and age.
func TestPaySheetOfAPIv3(t *testing.T) {
	w := newWorld(t, Options{})
	id := w.orderV3("sheet00001")
	for _, tt := range []struct {
		name string
		edit func(*bridgeParams)
		user string
		want string
	}{
		{"good", func(*bridgeParams) {}, "1", ""},
		{"another payer", func(*bridgeParams) {}, "2", "下单账号与支付账号不一致"},
		{"MD5", func(p *bridgeParams) { *p = w.bridge(id, "") }, "1", "支付验证签名失败"},
		{"signType not said", func(p *bridgeParams) { p.signType = "MD5" }, "1", "支付验证签名失败"},
		{"another nonce", func(p *bridgeParams) { p.nonceStr += "x" }, "1", "支付验证签名失败"},
		{"another time", func(p *bridgeParams) { p.timeStamp = "1774495198" }, "1", "支付验证签名失败"},
		{"not Base64", func(p *bridgeParams) { p.paySign = "*" }, "1", "支付验证签名失败"},
		{"another appid", func(p *bridgeParams) { p.appID = w.id.MiniAppID }, "1", "调用支付JSAPI缺少参数：total_fee"},
		{"bare prepay_id", func(p *bridgeParams) { p.pkg = id }, "1", "调用支付JSAPI缺少参数：total_fee"},
		{"no signature", func(p *bridgeParams) { p.paySign = "" }, "1", "调用支付JSAPI缺少参数：paySign"},
	} {
		p := w.bridgeV3(id)
		tt.edit(&p)
		_, err := w.sim.openSheet(p, tt.user)
		if got := shown(err); tt.want != "" && got != tt.want || tt.want == "" && err != nil {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	w.api("POST", "clock", `{"advance":"121m"}`, 200, nil)
	if _, err := w.sim.openSheet(w.bridgeV3(id), "1"); shown(err) != "调用支付JSAPI缺少参数：total_fee" {
		t.Errorf("after two hours: %v", err)
	}
	mini := w.orderV3("sheet00002", "appid", w.id.MiniAppID, "payer.openid", w.sim.people()[0].MiniOpenID)
	p := w.bridgeV3(mini)
	p.appID = w.id.MiniAppID
	p.paySign = signText(t, privateKey(t, w.identity().MerchantPrivateKey), p.appID+"\n"+p.timeStamp+"\n"+p.nonceStr+"\n"+p.pkg+"\n")
	if _, err := w.sim.openSheet(p, "1"); err != nil {
		t.Errorf("mini program: %v", err)
	}
}

// shown is what the payer reads.
func shown(err error) string {
	var refused *payRefusal
	if errors.As(err, &refused) {
		return refused.text
	}
	return fmt.Sprint(err)
}

// Everything that API v3 did is there after a restart.
func TestRestartOfAPIv3(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{Data: t.TempDir()}
		w := newWorld(t, o)
		native := w.fieldsV3("restart0001", "payer", nil)
		w.answer("POST", "/v3/pay/transactions/native", native)
		w.answer("POST", "/v3/pay/transactions/native", native)
		w.v3OK("POST", "/v3/pay/transactions/out-trade-no/restart0002/close", asJSON(object{"mchid": w.id.MchID}))
		w.orderV3("restart0003", "scene_info", object{"payer_client_ip": "127.0.0.1", "device_id": "till 3"})
		w.pay("restart0003")
		w.answer("POST", refundsV3, w.refundFieldsV3("restart0003", "R1", 100, 888, "amount.from", []object{{"account": "AVAILABLE", "amount": 100}}))
		w.next("refund-abnormal", 1)
		id := w.answer("POST", refundsV3, w.refundFieldsV3("restart0003", "R2", 200, 888))["refund_id"].(string)
		w.api("POST", "clock", `{"advance":"10s"}`, 200, nil)
		w.answer("POST", refundsV3+"/"+id+"/apply-abnormal-refund", object{"out_refund_no": "R2", "type": "MERCHANT_BANK_CARD"})
		look := func() (all []string) {
			for _, target := range []string{"/v3/pay/transactions/out-trade-no/restart0001?mchid=" + w.id.MchID, "/v3/pay/transactions/out-trade-no/restart0003?mchid=" + w.id.MchID, refundsV3 + "/R1", refundsV3 + "/R2"} {
				all = append(all, string(w.v3OK("GET", target, "")))
			}
			return append(all, w.do("GET", "/_sim/api/transactions", "").Body.String())
		}
		before := look()
		w = w.reopen(o)
		if after := look(); !slices.Equal(before, after) {
			t.Errorf("after the restart:\n%s\nbefore:\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
		}
		refused(w, "POST", jsapiV3, w.fieldsV3("restart0002"), 400, `{"code":"INVALID_REQUEST","message":"请求重入时，参数与首次请求时不一致"}`)
		refused(w, "POST", refundsV3, w.refundFieldsV3("restart0003", "R1", 101, 888), 400, `{"code":"INVALID_REQUEST","message":"订单金额或退款金额与之前请求不一致，请核实后再试"}`)
		defer w.run()()
		time.Sleep(time.Minute)
		if r := w.answer("GET", refundsV3+"/R2", nil); r["status"] != "SUCCESS" {
			t.Errorf("the abnormal refund: %v", r)
		}
	})
}

// An abnormal refund goes another way, once, with fields that only WeChat reads.
func TestAbnormalRefund(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.orderV3("abnormal001")
		w.pay("abnormal001")
		w.next("refund-abnormal", 1)
		id := w.answer("POST", refundsV3, w.refundFieldsV3("abnormal001", "A1", 100, 888))["refund_id"].(string)
		target := refundsV3 + "/" + id + "/apply-abnormal-refund"
		merchant := object{"out_refund_no": "A1", "type": "MERCHANT_BANK_CARD"}
		const notYet = `{"code":"INVALID_REQUEST","message":"退款单状态不是退款异常，不能发起异常退款"}`
		refused(w, "POST", target, merchant, 400, notYet)
		time.Sleep(10 * time.Second)
		if r := w.answer("GET", refundsV3+"/A1", nil); r["status"] != "ABNORMAL" || r["success_time"] != nil {
			t.Fatalf("the refund: %v", r)
		}
		refused(w, "POST", target, changed(merchant, "out_refund_no", "A2"), 404, `{"code":"RESOURCE_NOT_EXISTS","message":"退款单不存在"}`)
		card := object{"out_refund_no": "A1", "type": "USER_BANK_CARD"}
		refused(w, "POST", target, card, 400, `{"code":"PARAM_ERROR","message":"type为USER_BANK_CARD时，bank_type、bank_account、real_name必填"}`)
		key := publicKey(t, w.identity().PlatformPublicKey)
		sealed := changed(card, "bank_type", "ICBC_DEBIT", "bank_account", oaep(t, key, "6222020000000000"), "real_name", oaep(t, key, "林晓溪"))
		refused(w, "POST", target, sealed, 400, `{"code":"PARAM_ERROR","message":"请求包含敏感字段，Http头Wechatpay-Serial必填"}`)
		for serial, want := range map[string]int{"PUB_KEY_ID_0": 400, w.identity().PlatformSerialNo: 400, w.identity().PlatformPublicKeyID: 200} {
			if want != 200 {
				if rec := w.v3("POST", target, asJSON(sealed), "Wechatpay-Serial", serial); rec.Code != want {
					t.Errorf("%s: %d %s", serial, rec.Code, rec.Body)
				}
			}
		}
		if rec := w.v3("POST", target, asJSON(sealed), "Wechatpay-Serial", w.identity().PlatformPublicKeyID); rec.Code != 200 || !strings.Contains(rec.Body.String(), `"PROCESSING"`) {
			t.Errorf("accepted: %d %s", rec.Code, rec.Body)
		}
		refused(w, "POST", target, merchant, 400, notYet)
		before := w.sim.people()[0].Balance
		time.Sleep(10 * time.Second)
		if r := w.answer("GET", refundsV3+"/A1", nil); r["status"] != "SUCCESS" || w.sim.people()[0].Balance != before+100 {
			t.Errorf("the refund: %v, the wallet %d after %d", r, w.sim.people()[0].Balance, before)
		}
		var events []string
		for _, n := range w.shop.notifications() {
			var e struct {
				EventType string `json:"event_type"`
			}
			if json.Unmarshal([]byte(n.body), &e) == nil {
				events = append(events, e.EventType)
			}
		}
		if got := fmt.Sprint(events); !strings.HasPrefix(got, "[TRANSACTION.SUCCESS") || !strings.Contains(got, "REFUND.ABNORMAL") || !strings.HasSuffix(got, "REFUND.SUCCESS]") {
			t.Errorf("events %s", got)
		}
	})
}
