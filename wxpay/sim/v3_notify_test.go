package sim

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// envelope is a notification as a merchant reads it.
type envelope struct {
	ID           string    `json:"id"`
	CreateTime   time.Time `json:"create_time"`
	ResourceType string    `json:"resource_type"`
	EventType    string    `json:"event_type"`
	Summary      string    `json:"summary"`
	Resource     struct {
		OriginalType   string `json:"original_type"`
		Algorithm      string `json:"algorithm"`
		Ciphertext     string `json:"ciphertext"`
		AssociatedData string `json:"associated_data"`
		Nonce          string `json:"nonce"`
	} `json:"resource"`
}

// unseal decrypts with AES-256-GCM as the document describes it.
func unseal(key, nonce, associated, text string) (string, error) {
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", err
	}
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		return "", err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return "", err
	}
	if len(nonce) != gcm.NonceSize() {
		return "", fmt.Errorf("the nonce has %d bytes", len(nonce))
	}
	plain, err := gcm.Open(nil, []byte(nonce), sealed, []byte(associated))
	return string(plain), err
}

// opened reads a notification and what is sealed in it.
func (w *world) opened(body string) (envelope, map[string]any) {
	w.t.Helper()
	e, content, err := w.open(body)
	if err != nil {
		w.t.Fatalf("%v in %s", err, body)
	}
	return e, content
}

func (w *world) open(body string) (e envelope, content map[string]any, err error) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return e, nil, err
	}
	r := e.Resource
	plain, err := unseal(w.identity().APIv3Key, r.Nonce, r.AssociatedData, r.Ciphertext)
	if err != nil {
		return e, nil, err
	}
	return e, content, json.Unmarshal([]byte(plain), &content)
}

// placeV3 places an order of API v3 behind the gateway's back.
func (w *world) placeV3(no string, change ...func(*order)) {
	w.t.Helper()
	o := &order{
		API: apiV3, SignType: algRSA, No: no, AppID: w.id.AppID, MchID: w.id.MchID, TradeType: "JSAPI", OpenID: w.openID(1),
		Body: "云间茶铺-明前龙井", Attach: "a=1&b=2", Total: 888, NotifyURL: "http://localhost:8080/notify/v3/pay",
	}
	for _, c := range change {
		c(o)
	}
	if _, err := w.sim.place(o, time.Time{}); err != nil {
		w.t.Fatal(err)
	}
}

// refundV3 asks for a refund behind the gateway's back.
func (w *world) refundV3(no, refundNo string, fen int64) {
	w.t.Helper()
	w.sim.mu.Lock()
	defer w.sim.mu.Unlock()
	r := &refund{API: apiV3, OutRefundNo: refundNo, Amount: fen, NotifyURL: "http://localhost:8080/notify/v3/refund", Source: sourceAPI}
	if _, err := w.sim.acceptRefund(w.sim.ledger.orders[no], r); err != nil {
		w.t.Fatal(err)
	}
}

func noContent(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

func refusal(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusInternalServerError)
	io.WriteString(w, `{"code":"FAIL","message":"失败"}`)
}

// A payment of API v3 is told in JSON, sealed and signed anew at each try, and
// any status of success ends the tries (WeChat Pay v3, "支付成功回调通知").
func TestPaymentNotificationV3(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.shop.answerWith(refusal)
		w.placeV3("notify0001")
		tx := w.pay("notify0001")
		time.Sleep(20 * time.Second)
		w.shop.answerWith(noContent)
		time.Sleep(time.Hour)
		got := w.shop.notifications()
		if len(got) != 3 {
			t.Fatalf("%d deliveries, want 3", len(got))
		}
		nonces := map[string]bool{}
		for _, n := range got {
			w.delivered(n)
			e, content := w.opened(n.body)
			at := n.header.Get("Wechatpay-Timestamp")
			if n.header.Get("Content-Type") != "application/json" || n.header.Get("Request-Id") == "" || at != fmt.Sprint(n.at.Unix()) {
				t.Errorf("headers %v", n.header)
			}
			for _, nonce := range []string{n.header.Get("Wechatpay-Nonce"), e.Resource.Nonce} {
				if nonces[nonce] {
					t.Errorf("nonce %s came twice", nonce)
				}
				nonces[nonce] = true
			}
			first, _ := w.opened(got[0].body)
			if e.ID != first.ID || !e.CreateTime.Equal(first.CreateTime) || len(e.ID) > 36 {
				t.Errorf("id %s of %v, first it was %s", e.ID, e.CreateTime, first.ID)
			}
			if e.EventType != "TRANSACTION.SUCCESS" || e.Summary != "支付成功" || e.ResourceType != "encrypt-resource" ||
				e.Resource.OriginalType != "transaction" || e.Resource.AssociatedData != "transaction" || e.Resource.Algorithm != "AEAD_AES_256_GCM" {
				t.Errorf("envelope %+v", e)
			}
			text := fmt.Sprint(content["appid"], content["mchid"], content["out_trade_no"], content["transaction_id"], content["trade_state"], content["amount"], content["payer"], content["attach"])
			want := fmt.Sprint(w.id.AppID, w.id.MchID, "notify0001", tx.TransactionID, "SUCCESS",
				map[string]any{"currency": "CNY", "payer_currency": "CNY", "payer_total": 888.0, "total": 888.0}, map[string]any{"openid": w.openID(1)}, "a=1&b=2")
			if text != want {
				t.Errorf("content %s\nwant    %s", text, want)
			}
			if at, err := time.Parse(time.RFC3339, fmt.Sprint(content["success_time"])); err != nil || at.Unix() != got[0].at.Unix() || !strings.HasSuffix(fmt.Sprint(content["success_time"]), "+08:00") {
				t.Errorf("success_time %v", content["success_time"])
			}
		}
		if n := w.notification(tx.Notifications[0]); n.State != "delivered" || n.Attempts[0].OK || !n.Attempts[2].OK {
			t.Errorf("notification %+v", n)
		}
	})
}

// Each delivery verifies by the key that it names, in every key mode.
func TestNotificationKeys(t *testing.T) {
	for mode, want := range map[string][]bool{"public_key": {true}, "certificate": {false}, "mixed": {true, false}} {
		t.Run(mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Options{})
				w.api("PUT", "account", `{"key_mode":"`+mode+`"}`, 200, nil)
				var verified []bool
				w.shop.answerWith(noContent)
				w.placeV3("keys000001")
				id := w.pay("keys000001").Notifications[0]
				for range 12 {
					w.api("POST", "notifications/"+id+"/resend", "", 200, nil)
				}
				for _, n := range w.shop.notifications() {
					w.delivered(n)
					if public := strings.HasPrefix(n.header.Get("Wechatpay-Serial"), "PUB_KEY_ID_"); !slices.Contains(verified, public) {
						verified = append(verified, public)
					}
				}
				if len(verified) != len(want) || !slices.Contains(verified, want[0]) {
					t.Errorf("signed by public key: %v, want %v", verified, want)
				}
			})
		})
	}
}

// A refund is told in its own flat form; success_time comes with success only
// (WeChat Pay v3, "退款结果通知").
func TestRefundNotificationV3(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.shop.answerWith(noContent)
		defer w.run()()
		w.placeV3("refund0001")
		tx := w.pay("refund0001")
		w.refundV3("refund0001", "R1", 300)
		w.next("refund-abnormal", 1)
		w.refundV3("refund0001", "R2", 200)
		time.Sleep(time.Minute)
		w.refundV3("refund0001", "R3", 100)
		w.decide("refund0001", "R3", "fail", 200)
		time.Sleep(time.Minute)
		got := w.shop.notifications()
		if len(got) != 4 {
			t.Fatalf("%d deliveries", len(got))
		}
		seen := map[string]string{}
		for _, n := range got[1:] {
			w.delivered(n)
			e, c := w.opened(n.body)
			_, when := c["success_time"]
			amount := c["amount"].(map[string]any)
			seen[fmt.Sprint(c["out_refund_no"])] = fmt.Sprint(e.EventType, " ", e.Resource.OriginalType, " ", c["refund_status"], " ", when, " ", amount["refund"], "/", amount["total"])
			if c["transaction_id"] != tx.TransactionID || c["mchid"] != w.id.MchID || c["appid"] != nil || c["status"] != nil || c["user_received_account"] == "" {
				t.Errorf("content %v", c)
			}
		}
		want := map[string]string{
			"R1": "REFUND.SUCCESS refund SUCCESS true 300/888", "R2": "REFUND.ABNORMAL refund ABNORMAL false 200/888", "R3": "REFUND.CLOSED refund CLOSED false 100/888",
		}
		if fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Errorf("got  %v\nwant %v", seen, want)
		}
	})
}

// delivered verifies a delivery at the time when it came.
func (w *world) delivered(n received) {
	w.t.Helper()
	if n.header.Get("Wechatpay-Timestamp") != fmt.Sprint(n.at.Unix()) {
		w.t.Errorf("signed at %s", n.header.Get("Wechatpay-Timestamp"))
	}
	if err := w.verifyAt(n.header, []byte(n.body), n.at); err != nil {
		w.t.Error(err)
	}
}

// A notification has the form of the API by which its order, or its refund,
// was asked for; a refund of API v3 without notify_url is told to nobody, since
// no URL stands on the merchant portal.
func TestFormFollowsTheAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.shop.answerWith(goodReply)
		w.order("form000002")
		w.orderV3("form000003")
		form := func(n received) string {
			if strings.HasPrefix(n.body, "<xml>") {
				return "v2"
			}
			e, content := w.opened(n.body)
			return fmt.Sprint(e.Resource.OriginalType, " ", content["out_trade_no"])
		}
		var got []string
		last := func() {
			time.Sleep(time.Minute)
			got = nil
			for _, n := range w.shop.notifications() {
				got = append(got, form(n))
			}
		}
		for _, no := range []string{"form000002", "form000003"} {
			w.pay(no)
			last()
		}
		byV3 := func(no, refund string, more ...any) {
			w.answer("POST", "/v3/refund/domestic/refunds", changed(object{
				"out_trade_no": no, "out_refund_no": refund, "notify_url": "http://localhost:8080/notify/v3/refund", "amount": object{"refund": 1, "total": 888, "currency": "CNY"},
			}, more...))
			last()
		}
		byV3("form000002", "R1")
		byV3("form000003", "R2", "notify_url", nil)
		w.refund("form000003", "R3", "1")
		last()
		if want := "[v2 transaction form000003 refund form000002 v2]"; fmt.Sprint(got) != want {
			t.Errorf("got  %v\nwant %s", got, want)
		}
		var all []struct{ API, Kind string }
		w.api("GET", "notifications", "", 200, &all)
		if fmt.Sprint(all) != "[{v2 refund} {v3 refund} {v3 payment} {v2 payment}]" {
			t.Errorf("the control API says %v", all)
		}
	})
}
