package handlers

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wxshop/models"
	"wxshop/wxpay"
)

const accepted = "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"

// signed writes a notification as WeChat does: the sorted fields and the key,
// hashed (WeChat Pay v2, signature). Written from the document, not with wxpay.
func (w *world) signed(fields map[string]string, md func() hash.Hash) string {
	var b strings.Builder
	b.WriteString("<xml>")
	for _, k := range sortedKeys(fields) {
		fmt.Fprintf(&b, "<%s><![CDATA[%s]]></%s>", k, fields[k], k)
	}
	fmt.Fprintf(&b, "<sign><![CDATA[%s]]></sign></xml>", w.sign(fields, md))
	return b.String()
}

func (w *world) sign(fields map[string]string, md func() hash.Hash) string {
	var parts []string
	for _, k := range sortedKeys(fields) {
		if fields[k] != "" {
			parts = append(parts, k+"="+fields[k])
		}
	}
	key := w.sim.Identity().APIKey
	h := hmac.New(sha256.New, []byte(key))
	if md != nil {
		h = md()
	}
	io.WriteString(h, strings.Join(append(parts, "key="+key), "&"))
	return strings.ToUpper(hex.EncodeToString(h.Sum(nil)))
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// paidFields is the true notification about an attempt.
func (w *world) paidFields(p *models.Payment) map[string]string {
	return map[string]string{
		"return_code": "SUCCESS", "result_code": "SUCCESS", "appid": p.AppID, "mch_id": p.MchID,
		"nonce_str": "0123456789abcdef", "sign_type": "HMAC-SHA256", "openid": p.OpenID, "is_subscribe": "Y",
		"trade_type": "JSAPI", "bank_type": "OTHERS", "total_fee": fmt.Sprint(int64(p.Total)), "fee_type": "CNY",
		"cash_fee": fmt.Sprint(int64(p.Total)), "transaction_id": "4200002468202611195730281946",
		"out_trade_no": p.OutTradeNo, "attach": "", "time_end": "20261119203106",
	}
}

func (w *world) post(body string) result {
	w.t.Helper()
	c := w.outside()
	r := c.request("POST", "/notify/v2/pay", nil)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Type", "text/xml")
	r.Header.Set("Accept-Encoding", "gzip")
	return c.send(r)
}

// P25: constant bytes, no cookie, no compression, no session.
func TestNotifyAnswer(t *testing.T) {
	w := newWorld(t)
	no := w.inside("1").signIn().buy("LJ-50g")
	res := w.post(w.signed(w.paidFields(w.attempt(no)), nil))
	if res.StatusCode != 200 || res.body != accepted {
		t.Fatalf("true notification = %d %s\n%s", res.StatusCode, res.body, w.log)
	}
	for _, key := range []string{"Set-Cookie", "Content-Encoding", "Location", "Etag"} {
		if v := res.Header.Get(key); v != "" {
			t.Errorf("%s: %s", key, v)
		}
	}
	if w.order(no).State != models.Paid {
		t.Errorf("order is %s", w.order(no).State)
	}
}

// X1, X7, X9–X11 through the door: refused, with the words that make WeChat
// send again, and nothing changed.
func TestNotifyRefused(t *testing.T) {
	w := newWorld(t)
	no := w.inside("1").signIn().buy("LJ-50g")
	good := w.paidFields(w.attempt(no))
	true_ := w.signed(good, nil)
	without := func(key string) string {
		f := map[string]string{}
		for k, v := range good {
			if k != key {
				f[k] = v
			}
		}
		return w.signed(f, nil)
	}
	sign := w.sign(good, nil)
	tests := map[string]string{
		"no sign":            strings.Replace(true_, "<sign><![CDATA["+sign+"]]></sign>", "", 1),
		"empty sign":         strings.Replace(true_, sign, "", 1),
		"two signs":          strings.Replace(true_, "</xml>", "<sign><![CDATA["+sign+"]]></sign></xml>", 1),
		"no return_code":     without("return_code"),
		"number and sum":     "<xml><out_trade_no>" + good["out_trade_no"] + "</out_trade_no><total_fee>9800</total_fee></xml>",
		"md5":                w.signed(good, md5.New), // X7
		"changed after sign": strings.Replace(true_, "JSAPI", "NATIVE", 1),
		"doctype":            `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + true_,
		"laughs":             `<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><xml><a>&b;</a></xml>`,
		"utf-16":             `<?xml version="1.0" encoding="UTF-16"?>` + true_,
		"two roots":          true_ + true_,
		"text after root":    true_ + "x",
		"comment":            strings.Replace(true_, "<![CDATA[10600]]>", "106<!-- -->00", 1),
		"attribute":          strings.Replace(true_, "<xml>", `<xml a="b">`, 1),
		"deep":               strings.Repeat("<a>", 20_000/8) + strings.Repeat("</a>", 20_000/8),
		"json":               `{"id":"x"}`,
		"nothing":            "",
		"form":               "a=b&c=d",
	}
	before := w.dump()
	for name, body := range tests {
		res := w.post(body)
		if res.StatusCode != 200 || !strings.Contains(res.body, "<![CDATA[FAIL]]>") || strings.Contains(res.body, "SUCCESS") {
			t.Errorf("%s: %d %s", name, res.StatusCode, res.body)
		}
	}
	unchanged(t, before, w.dump())
}

// X5: signed by the true key but not about what we sold: acknowledged, kept
// for a person, and nothing is paid.
func TestNotifyThatDoesNotFit(t *testing.T) {
	changes := map[string][2]string{
		"one more":       {"total_fee", "10601"},
		"one less":       {"total_fee", "10599"},
		"hundred times":  {"total_fee", "1060000"},
		"negative":       {"total_fee", "-1"},
		"fraction":       {"total_fee", "1.0"},
		"dollars":        {"fee_type", "USD"},
		"other app":      {"appid", "wxf000000000000009"},
		"other merchant": {"mch_id", "1900000009"},
		"other payer":    {"openid", "oOther0000000000000000000000"},
		"other channel":  {"trade_type", "NATIVE"},
		"unknown number": {"out_trade_no", "P261119AAAAAAAAAAAAAAAAA"},
		"other attach":   {"attach", "order=another"},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			no := w.inside("1").signIn().buy("LJ-50g")
			f := w.paidFields(w.attempt(no))
			f[change[0]] = change[1]
			res := w.post(w.signed(f, nil))
			if name == "other attach" { // P8: it means nothing
				if w.order(no).State != models.Paid {
					t.Errorf("attach mattered")
				}
				return
			}
			if res.body != accepted {
				t.Errorf("answer %s", res.body)
			}
			if n, err := w.store.OpenMisfits(t.Context()); err != nil || n != 1 {
				t.Errorf("%d rows to check, %v", n, err)
			}
			if w.order(no).State != models.Unpaid {
				t.Errorf("order is %s", w.order(no).State)
			}
		})
	}
}

// X6, product 7c: a hundred at once, while the page polls: one event.
func TestNotifyHundredTimes(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	no := c.buy("LJ-50g")
	body := w.signed(w.paidFields(w.attempt(no)), nil)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 30) // what the door takes at once
	for range 100 {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if res := w.post(body); res.body != accepted {
				t.Errorf("answer %d %s", res.StatusCode, res.body)
			}
		})
		wg.Go(func() {
			twin := *c
			twin.cookies = map[string]string{"shop_sess": c.cookies["shop_sess"]}
			if res := twin.do("GET", "/orders/"+no+"/status", nil); res.StatusCode != 200 {
				t.Errorf("status = %d", res.StatusCode)
			}
		})
	}
	wg.Wait()
	d, err := w.store.Dossier(t.Context(), no)
	if err != nil {
		t.Fatal(err)
	}
	paid := 0
	for _, e := range d.Events {
		if e.Kind == "paid" {
			paid++
		}
	}
	if paid != 1 || d.Order.State != models.Paid {
		t.Errorf("%d paid events, order %s", paid, d.Order.State)
	}
}

// V3, P26: more than the door takes at once is asked to come again, and
// shoppers cannot take those places.
func TestNotifySlots(t *testing.T) {
	w := newWorld(t)
	no := w.inside("1").signIn().buy("LJ-50g")
	body := w.signed(w.paidFields(w.attempt(no)), nil)
	for range cap(w.srv.work) {
		w.srv.work <- struct{}{}
	}
	if res := w.outside().do("GET", "/", nil); res.StatusCode != 503 || res.Header.Get("Retry-After") != "2" {
		t.Errorf("page of a full house = %d", res.StatusCode)
	}
	for range cap(w.srv.notifies) {
		w.srv.notifies <- struct{}{}
	}
	if res := w.post(body); strings.Contains(res.body, "SUCCESS") || w.order(no).State != models.Unpaid {
		t.Errorf("full door = %d %s", res.StatusCode, res.body)
	}
	for range cap(w.srv.outside) {
		w.srv.outside <- struct{}{}
	}
	if res := w.post(body); strings.Contains(res.body, "SUCCESS") || w.order(no).State != models.Unpaid {
		t.Errorf("full door with a full street = %d %s", res.StatusCode, res.body)
	}
	<-w.srv.outside
	go func() { time.Sleep(50 * time.Millisecond); <-w.srv.notifies }()
	if res := w.post(body); res.body != accepted {
		t.Errorf("with the house full of shoppers = %d %s", res.StatusCode, res.body)
	}
}

// P26, P27: what could not be stored is not acknowledged, and in time.
func TestNotifyNotStored(t *testing.T) {
	w := newWorld(t)
	no := w.inside("1").signIn().buy("LJ-50g")
	body := w.signed(w.paidFields(w.attempt(no)), nil)
	w.store.Close()
	start := time.Now()
	if res := w.post(body); strings.Contains(res.body, "SUCCESS") {
		t.Errorf("acknowledged without a database: %s", res.body)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

// A panic below the door asks WeChat to send again.
func TestNotifyPanic(t *testing.T) {
	w := newWorld(t)
	w.srv.Checkout = nil
	res := w.post("<xml></xml>")
	if res.StatusCode != 200 || !strings.Contains(res.body, "FAIL") {
		t.Errorf("panic = %d %s", res.StatusCode, res.body)
	}
}

// The words of the door are those of the gateway: checked, not copied blindly.
func TestRejectionIsOneToWeChat(t *testing.T) {
	if rejectionV2.Status != http.StatusOK || strings.Contains(string(rejectionV2.Body), "SUCCESS") {
		t.Errorf("rejectionV2 %d %s", rejectionV2.Status, rejectionV2.Body)
	}
	var _ wxpay.Reply = rejectionV2
}
