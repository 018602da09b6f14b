package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"
)

// asJSON writes a body as clients do.
func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

type object = map[string]any

// fieldsV3 is a good order by API v3; pairs change it, nil takes away.
func (w *world) fieldsV3(no string, pairs ...any) object {
	o := object{
		"appid": w.id.AppID, "mchid": w.id.MchID, "description": "测试店-图书 & <茶>", "out_trade_no": no, "attach": "a=1&b=2",
		"notify_url": "http://localhost:8080/notify/v3/pay", "amount": object{"total": 888, "currency": "CNY"}, "payer": object{"openid": w.openID(1)},
	}
	return changed(o, pairs...)
}

// changed sets members of an object; a name may be a path with dots.
func changed(o object, pairs ...any) object {
	o = maps.Clone(o)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, rest, deep := strings.Cut(pairs[i].(string), ".")
		switch {
		case deep:
			inner, _ := o[name].(object)
			if inner == nil {
				inner = object{}
			}
			o[name] = changed(inner, rest, pairs[i+1])
		case pairs[i+1] == nil:
			delete(o, name)
		default:
			o[name] = pairs[i+1]
		}
	}
	return o
}

// answer makes a call that must succeed and reads the answer.
func (w *world) answer(method, target string, body any) object {
	w.t.Helper()
	text := ""
	if body != nil {
		text = asJSON(body)
	}
	raw := w.v3OK(method, target, text)
	var out object
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &out); err != nil {
			w.t.Fatalf("%s %s: %v in %s", method, target, err, raw)
		}
	}
	return out
}

// orderV3 places a good JSAPI order and returns the prepay_id.
func (w *world) orderV3(no string, pairs ...any) string {
	w.t.Helper()
	return w.answer("POST", "/v3/pay/transactions/jsapi", w.fieldsV3(no, pairs...))["prepay_id"].(string)
}

func (w *world) stateV3(no string) string {
	w.t.Helper()
	return w.answer("GET", "/v3/pay/transactions/out-trade-no/"+no+"?mchid="+w.id.MchID, nil)["trade_state"].(string)
}

func (w *world) refundFieldsV3(no, refundNo string, fen, total int64, pairs ...any) object {
	return changed(object{"out_trade_no": no, "out_refund_no": refundNo, "notify_url": "http://localhost:8080/notify/v3/refund",
		"amount": object{"refund": fen, "total": total, "currency": "CNY"}}, pairs...)
}

const refundsV3 = "/v3/refund/domestic/refunds"

// An order from the first call to the last, every answer to the byte.
func TestOrderByAPIv3(t *testing.T) {
	w := newWorld(t, Options{})
	id := w.orderV3("v3order0001")
	if len(id) != 36 || !strings.HasPrefix(id, "wx") {
		t.Errorf("prepay_id %q", id)
	}
	query := "/v3/pay/transactions/out-trade-no/v3order0001?mchid=" + w.id.MchID
	want := `{"amount":{"currency":"CNY","total":888},"appid":"` + w.id.AppID + `","mchid":"` + w.id.MchID + `","out_trade_no":"v3order0001","trade_state":"NOTPAY","trade_state_desc":"订单未支付"}`
	if got := string(w.v3OK("GET", query, "")); got != want {
		t.Errorf("unpaid:\n%s\nwant\n%s", got, want)
	}
	paid := w.pay("v3order0001")
	tx := w.answer("GET", "/v3/pay/transactions/id/"+paid.TransactionID+"?mchid="+w.id.MchID, nil)
	at, err := time.Parse(time.RFC3339, tx["success_time"].(string))
	if err != nil || time.Since(at) > time.Minute {
		t.Errorf("success_time %v: %v", tx["success_time"], err)
	}
	for name, want := range map[string]any{
		"trade_state": "SUCCESS", "trade_type": "JSAPI", "trade_state_desc": "支付成功", "attach": "a=1&b=2", "transaction_id": paid.TransactionID,
		"amount": object{"currency": "CNY", "payer_currency": "CNY", "payer_total": 888.0, "total": 888.0}, "payer": object{"openid": w.openID(1)},
		"promotion_detail": []any{},
	} {
		if fmt.Sprint(tx[name]) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, tx[name], want)
		}
	}
	var view struct{ API string }
	w.api("GET", "transactions/v3order0001", "", 200, &view)
	if view.API != "v3" {
		t.Errorf("api is %q", view.API)
	}
	w.refundWalkV3(paid.TransactionID)
}

// refundWalkV3 gives a part of v3order0001 back.
func (w *world) refundWalkV3(txn string) {
	w.t.Helper()
	r := w.answer("POST", refundsV3, w.refundFieldsV3("v3order0001", "v3refund-1@|*", 88, 888, "reason", "少了一盒"))
	if r["status"] != "PROCESSING" || r["success_time"] != nil || len(r["refund_id"].(string)) != 29 || r["transaction_id"] != txn || r["channel"] != "ORIGINAL" {
		w.t.Errorf("accepted: %v", r)
	}
	again := w.answer("POST", refundsV3, w.refundFieldsV3("v3order0001", "v3refund-1@|*", 88, 888))
	if again["refund_id"] != r["refund_id"] {
		w.t.Errorf("the same refund again: %v", again)
	}
	w.api("POST", "clock", `{"advance":"10s"}`, 200, nil)
	for _, spelling := range []string{"v3refund-1@|*", "v3refund-1%40%7C%2A"} {
		got := w.answer("GET", refundsV3+"/"+spelling, nil)
		amount := got["amount"].(object)
		if got["status"] != "SUCCESS" || got["success_time"] == nil || amount["refund"] != 88.0 || amount["total"] != 888.0 || amount["payer_refund"] != 88.0 {
			w.t.Errorf("%s: %v", spelling, got)
		}
	}
	if state := w.stateV3("v3order0001"); state != "REFUND" {
		w.t.Errorf("state %s", state)
	}
}

// The other trade types, and what their answers hold.
func TestTradeTypesOfAPIv3(t *testing.T) {
	w := newWorld(t, Options{})
	scene := object{"payer_client_ip": "192.0.2.1", "h5_info": object{"type": "Wap"}}
	native := w.fieldsV3("v3native001", "payer", nil)
	first := w.answer("POST", "/v3/pay/transactions/native", native)["code_url"].(string)
	second := w.answer("POST", "/v3/pay/transactions/native", native)["code_url"].(string)
	if !strings.HasPrefix(first, "weixin://wxpay/bizpayurl?pr=") || first == second {
		t.Errorf("codes %q and %q", first, second)
	}
	var view struct {
		CodeURL   string `json:"code_url"`
		TradeType string `json:"trade_type"`
	}
	if w.api("GET", "transactions/v3native001", "", 200, &view); view.CodeURL != second || view.TradeType != "NATIVE" {
		t.Errorf("in the console: %v", view)
	}
	h5 := w.answer("POST", "/v3/pay/transactions/h5", w.fieldsV3("v3h50000001", "payer", nil, "scene_info", scene))["h5_url"].(string)
	if rec := w.do("GET", strings.TrimPrefix(h5, "http://localhost:8081"), "", "Referer", "http://localhost:8080/x", "User-Agent", "Chrome"); rec.Code != 200 || !strings.Contains(rec.Body.String(), "测试店") {
		t.Errorf("%s: %d", h5, rec.Code)
	}
	if id := w.answer("POST", "/v3/pay/transactions/app", w.fieldsV3("v3app000001", "payer", nil))["prepay_id"].(string); !strings.HasPrefix(id, "wx") {
		t.Errorf("app: %s", id)
	}
	for no, want := range map[string]string{"v3h50000001": "MWEB", "v3app000001": "APP", "v3native001": "NATIVE"} {
		w.pay(no)
		if got := w.answer("GET", "/v3/pay/transactions/out-trade-no/"+no+"?mchid="+w.id.MchID, nil)["trade_type"]; got != want {
			t.Errorf("%s is %v, want %s", no, got, want)
		}
	}
}

// Closing answers 204 without a body, signed, as often as one likes.
func TestCloseByAPIv3(t *testing.T) {
	w := newWorld(t, Options{})
	w.orderV3("v3close0001")
	body := asJSON(object{"mchid": w.id.MchID})
	for range 2 {
		rec := w.v3("POST", "/v3/pay/transactions/out-trade-no/v3close0001/close", body)
		if rec.Code != http.StatusNoContent || rec.Body.Len() != 0 || rec.Header().Get("Content-Type") != "" {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		w.mustVerify(rec.Header(), nil)
	}
	if state := w.stateV3("v3close0001"); state != "CLOSED" {
		t.Errorf("state %s", state)
	}
}
