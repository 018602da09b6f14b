package sim

import (
	"crypto/aes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// refundFields is a good refund of a part; pairs change it.
func (w *world) refundFields(no, refundNo, fen string, pairs ...string) map[string]string {
	f := map[string]string{
		"out_trade_no": no, "out_refund_no": refundNo, "total_fee": "888", "refund_fee": fen,
		"refund_desc": "不想要了", "notify_url": "http://localhost:8080/notify/v2/refund",
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		f[pairs[i]] = pairs[i+1]
	}
	return f
}

func (w *world) refund(no, refundNo, fen string, pairs ...string) map[string]string {
	w.t.Helper()
	return w.ok("/secapi/pay/refund", w.refundFields(no, refundNo, fen, pairs...), "")
}

// paid places and pays an order of 888 fen.
func (w *world) paid(no string, pairs ...string) transactionReply {
	w.t.Helper()
	w.order(no, pairs...)
	return w.pay(no)
}

// decide ends a refund by the control API.
func (w *world) decide(no, refundNo, outcome string, status int) {
	w.t.Helper()
	w.api("POST", "transactions/"+no+"/refunds/"+url.PathEscape(refundNo), `{"outcome":"`+outcome+`"}`, status, nil)
}

// openSealed decrypts req_info, written anew from the document.
func openSealed(t *testing.T, sealed, apiKey string) map[string]string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(raw) == 0 || len(raw)%16 != 0 {
		t.Fatalf("req_info: %v, %d bytes", err, len(raw))
	}
	block, err := aes.NewCipher([]byte(fmt.Sprintf("%x", md5.Sum([]byte(apiKey)))))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(raw); i += 16 {
		block.Decrypt(raw[i:i+16], raw[i:i+16])
	}
	raw = raw[:len(raw)-int(raw[len(raw)-1])]
	var v struct {
		XMLName xml.Name `xml:"root"`
		Fields  []struct {
			XMLName xml.Name
			Value   string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal(raw, &v); err != nil {
		t.Fatalf("req_info: %v in %s", err, raw)
	}
	out := map[string]string{}
	for _, f := range v.Fields {
		out[f.XMLName.Local] = f.Value
	}
	return out
}

// The vectors of the documents and of other people's tests.
func TestSealVectors(t *testing.T) {
	keyOf := func(apiKey string) string {
		sum := md5.Sum([]byte(apiKey))
		return hex.EncodeToString(sum[:])
	}
	tests := []struct{ name, key, plain, want string }{
		{"padding of 4", keyOf(vectorKey), `<root><out_refund_no><![CDATA[R1]]></out_refund_no><refund_status><![CDATA[SUCCESS]]></refund_status></root>`,
			`WBzGpzQuNpcFxIlFjUUD9BZv+lpBMzd2SHiKCkwfALWid5G8ZvfOussfMIHLbKJmcnxPKdb1ZJEqTAp8ysQv+xa1fj+Eorgndx3fNxf3KAYa3LPgsjvZgxaeYyrhV05Kbjkj6ywg27cEyTTaPZFYNg==`},
		{"a whole block of padding", keyOf(vectorKey), "<root>123</root>", "ZN8P2fA9Z/tiSL2bHXvSx/wXAd2fVvyZUPuCqJRycuk="},
		{"raw key", "0123456789abcdef0123456789abcdef", "hello", "pZwJZBLuy3mDACEQT4YTBw=="},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := sealWith([]byte(tt.plain), []byte(tt.key))
			if err != nil || got != tt.want {
				t.Errorf("sealed %s, %v; want %s", got, err, tt.want)
			}
		})
	}
	if got, err := seal([]byte("<root>123</root>"), vectorKey); err != nil || got != tests[1].want {
		t.Errorf("sealed with the API key %s, %v", got, err)
	}
}

func TestRefundProtocolRefusals(t *testing.T) {
	w := newWorld(t, Options{})
	w.paid("refund0001")
	good := func(pairs ...string) map[string]string { return w.refundFields("refund0001", "R1", "100", pairs...) }
	for _, tt := range []struct {
		name   string
		fields map[string]string
		want   string
	}{
		{"unknown parameter", good("appId", "x"), "不识别的参数appId"},
		{"unknown before missing", good("refund_fee", "-", "nonceStr", "x"), "不识别的参数nonceStr"},
		{"no order", good("out_trade_no", "-"), "缺少参数"},
		{"no refund number", good("out_refund_no", "-"), "缺少参数"},
		{"no total_fee", good("total_fee", "-"), "缺少参数"},
		{"no refund_fee", good("refund_fee", ""), "缺少参数"},
		{"refund_fee with a point", good("refund_fee", "1.00"), "refund_fee参数格式错误"},
		{"refund_fee zero", good("refund_fee", "0"), "refund_fee参数格式错误"},
		{"refund_fee negative", good("refund_fee", "-1"), "refund_fee参数格式错误"},
		{"total_fee with letters", good("total_fee", "8a"), "total_fee参数格式错误"},
		{"refund number too long", good("out_refund_no", strings.Repeat("1", 65)), "out_refund_no参数格式错误"},
		{"refund number with a blank", good("out_refund_no", "R 1"), "out_refund_no参数格式错误"},
		{"dollars", good("refund_fee_type", "USD"), "refund_fee_type参数格式错误"},
		{"another account", good("refund_account", "MINE"), "refund_account参数格式错误"},
		{"desc too long", good("refund_desc", strings.Repeat("茶", 81)), "refund_desc参数格式错误"},
		{"notify_url with a query", good("notify_url", "http://localhost:8080/n?x=1"), "notify_url参数格式错误"},
		{"wrong sign", good("sign", strings.Repeat("0", 32)), "签名错误"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, path := range []string{"/secapi/pay/refund", "/secapi/pay/refundv2"} {
				if got := w.call(path, tt.fields, ""); got != protocolBody(tt.want) {
					t.Errorf("%s: got  %q\nwant %q", path, got, protocolBody(tt.want))
				}
			}
		})
	}
	if tx := w.sim.transactionViews(1)[0]; len(tx.Refunds) != 0 {
		t.Errorf("refused calls made %d refunds", len(tx.Refunds))
	}
}

func TestRefundBusinessRefusals(t *testing.T) {
	w := newWorld(t, Options{})
	w.paid("refund0001")
	w.refund("refund0001", "R1", "300")
	w.paid("refund0002")
	w.refund("refund0002", "R2", "888")
	w.order("unpaid0001")
	w.paid("other00001")
	txn := w.sim.transactionViews(1)[0].TransactionID
	const path = "/secapi/pay/refund"
	mismatch := "订单金额或退款金额与之前请求不一致，请核实后再试"
	for _, tt := range []struct {
		name, path string
		fields     map[string]string
		code, text string
	}{
		{"unknown order", path, w.refundFields("nothing000", "R9", "1"), "ORDERNOTEXIST", "订单不存在"},
		{"unpaid order", path, w.refundFields("unpaid0001", "R9", "1"), "ORDERNOTEXIST", "订单不存在"},
		{"bad transaction_id", path, w.refundFields("refund0001", "R9", "1", "transaction_id", "42"), "INVALID_TRANSACTIONID", "无效transaction_id"},
		{"wrong total_fee", path, w.refundFields("refund0001", "R9", "1", "total_fee", "889"), "INVALID_REQUEST", mismatch},
		{"same number, other amount", path, w.refundFields("refund0001", "R1", "301"), "INVALID_REQUEST", mismatch},
		{"same number, other total", path, w.refundFields("refund0001", "R1", "300", "total_fee", "1"), "INVALID_REQUEST", mismatch},
		{"same number, other order", path, w.refundFields("refund0002", "R1", "300"), "INVALID_REQUEST", mismatch},
		{"transaction_id wins", path, w.refundFields("refund0001", "R1", "300", "transaction_id", *txn), "INVALID_REQUEST", mismatch},
		{"more than is left", path, w.refundFields("refund0001", "R9", "589"), "ERROR", "累计退款金额大于支付金额"},
		{"more than was paid", path, w.refundFields("other00001", "R9", "889"), "ERROR", "累计退款金额大于支付金额"},
		{"nothing is left", path, w.refundFields("refund0002", "R9", "1"), "ERROR", "订单已全额退款"},
		{"query of an unknown refund", "/pay/refundquery", map[string]string{"out_refund_no": "R9"}, "REFUNDNOTEXIST", "not exist"},
		{"query of an order without refunds", "/pay/refundquery", map[string]string{"out_trade_no": "other00001"}, "REFUNDNOTEXIST", "not exist"},
		{"query of an unknown order", "/pay/refundquery", map[string]string{"out_trade_no": "nothing000"}, "REFUNDNOTEXIST", "not exist"},
		{"query of an unknown refund_id", "/pay/refundquery", map[string]string{"refund_id": "50000000000000000000000000000", "out_refund_no": "R1"}, "REFUNDNOTEXIST", "not exist"},
		{"query of a bad transaction_id", "/pay/refundquery", map[string]string{"transaction_id": "42"}, "INVALID_TRANSACTIONID", "无效transaction_id"},
		{"query past the end", "/pay/refundquery", map[string]string{"out_trade_no": "refund0001", "offset": "2"}, "PARAM_ERROR", "offset超过退款总笔数"},
	} {
		for _, alg := range []string{"", "HMAC-SHA256"} {
			t.Run(tt.name+" "+alg, func(t *testing.T) {
				checkBusiness(t, w, w.call(tt.path, tt.fields, alg), alg, tt.code, tt.text)
			})
		}
	}
	if got := w.call("/pay/refundquery", map[string]string{"nonce_str": "x"}, ""); got != protocolBody("缺少参数") {
		t.Errorf("query of nothing: %s", got)
	}
}

// The same refund again is the same refund, in whatever state it is.
func TestRefundIsIdempotent(t *testing.T) {
	w := newWorld(t, Options{})
	w.paid("same000001")
	first := w.refund("same000001", "R|1*@-_", "300")
	if !regexp.MustCompile(`^50[0-9]{27}$`).MatchString(first["refund_id"]) {
		t.Errorf("refund_id %q", first["refund_id"])
	}
	want := map[string]string{
		"out_trade_no": "same000001", "out_refund_no": "R|1*@-_", "refund_fee": "300", "total_fee": "888", "cash_fee": "888",
		"cash_refund_fee": "300", "coupon_refund_fee": "0", "refund_channel": "", "transaction_id": *w.sim.transactionViews(1)[0].TransactionID,
	}
	for name, value := range want {
		if got, there := first[name]; got != value || !there {
			t.Errorf("%s = %q, want %q", name, got, value)
		}
	}
	for _, state := range []string{"PROCESSING", "ABNORMAL", "SUCCESS"} {
		switch state {
		case "ABNORMAL":
			w.decide("same000001", "R|1*@-_", "abnormal", 200)
		case "SUCCESS":
			w.decide("same000001", "R|1*@-_", "success", 200)
		}
		again := w.refund("same000001", "R|1*@-_", "300", "refund_desc", "another word")
		if again["refund_id"] != first["refund_id"] {
			t.Errorf("%s: another refund %q", state, again["refund_id"])
		}
		tx := w.sim.transactionViews(1)[0]
		if len(tx.Refunds) != 1 || tx.Refunds[0].State != state || tx.State != "REFUND" {
			t.Errorf("want one refund %s: %+v", state, tx.Refunds)
		}
	}
	w.decide("same000001", "R|1*@-_", "fail", 409)
	if got, want := w.sim.people()[0].Balance, newLedger().users[0].Balance-588; got != want {
		t.Errorf("wallet %d, want %d", got, want)
	}
}

// A closed refund gives nothing back and leaves room for another number.
func TestClosedRefund(t *testing.T) {
	w := newWorld(t, Options{})
	w.paid("closed0001")
	before := w.sim.people()[0].Balance
	w.refund("closed0001", "R1", "888")
	w.decide("closed0001", "R1", "fail", 200)
	if w.sim.people()[0].Balance != before {
		t.Error("a closed refund moved money")
	}
	if got := w.ok("/pay/refundquery", map[string]string{"out_refund_no": "R1"}, "")["refund_status_0"]; got != "REFUNDCLOSE" {
		t.Errorf("refund_status %s", got)
	}
	w.refund("closed0001", "R2", "888")
	if got := w.state("closed0001"); got != "REFUND" {
		t.Errorf("state %s", got)
	}
}

// PROCESSING becomes SUCCESS after three seconds of business time, the payer
// has the money, and the shop is told.
func TestRefundTakesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		tx := w.paid("timing0001")
		synctest.Wait()
		before := w.sim.people()[0].Balance
		refund := w.refund("timing0001", "R1", "300")
		status := func() map[string]string {
			return w.ok("/pay/refundquery", map[string]string{"out_refund_no": "R1"}, "HMAC-SHA256")
		}
		time.Sleep(3*time.Second - time.Millisecond)
		if got := status(); got["refund_status_0"] != "PROCESSING" || got["refund_success_time_0"] != "" || w.sim.people()[0].Balance != before {
			t.Errorf("too early: %v", got)
		}
		time.Sleep(time.Millisecond)
		done := time.Now().In(beijing).Format("2006-01-02 15:04:05")
		if got := status(); got["refund_status_0"] != "SUCCESS" || got["refund_success_time_0"] != done || w.sim.people()[0].Balance != before+300 {
			t.Errorf("not done: %v", got)
		}
		synctest.Wait()
		all := w.shop.notifications()
		if len(all) != 2 {
			t.Fatalf("%d notifications, want 2", len(all))
		}
		outer := fromXML(t, all[1].body)
		for _, name := range []string{"sign", "out_trade_no", "result_code"} {
			if _, there := outer[name]; there {
				t.Errorf("%s is outside", name)
			}
		}
		if outer["return_code"] != "SUCCESS" || outer["appid"] != w.id.AppID || outer["mch_id"] != w.id.MchID || outer["nonce_str"] == "" {
			t.Errorf("outside %v", outer)
		}
		inner := openSealed(t, outer["req_info"], w.id.APIKey)
		want := map[string]string{
			"transaction_id": tx.TransactionID, "out_trade_no": "timing0001", "refund_id": refund["refund_id"], "out_refund_no": "R1",
			"total_fee": "888", "settlement_total_fee": "888", "refund_fee": "300", "settlement_refund_fee": "300",
			"refund_status": "SUCCESS", "success_time": done, "refund_recv_accout": "支付用户零钱",
			"refund_account": "REFUND_SOURCE_RECHARGE_FUNDS", "refund_request_source": "API",
		}
		for name, value := range want {
			if inner[name] != value {
				t.Errorf("inside %s = %q, want %q", name, inner[name], value)
			}
		}
		if len(inner) != len(want)+1 {
			t.Errorf("inside are %d fields, want %d and one that is new", len(inner), len(want))
		}
		if h := all[1].header; h.Get("Content-Type") != "text/xml" || h.Get("Request-Id") == "" {
			t.Errorf("headers %v", h)
		}
	})
}

// A refund notification that nobody acknowledges comes on the same ladder.
func TestRefundLadder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.paid("ladder0001")
		synctest.Wait()
		w.shop.answerWith(badReply)
		w.refund("ladder0001", "R1", "1")
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		got := w.shop.notifications()[1:]
		if len(got) != 16 {
			t.Fatalf("%d deliveries, want 16", len(got))
		}
		for i, want := range offsets {
			if s := int(got[i+1].at.Sub(got[0].at) / time.Second); s != want {
				t.Errorf("retry %d after %d s, want %d", i+1, s, want)
			}
		}
		var all []struct{ Kind, State string }
		w.api("GET", "notifications", "", 200, &all)
		if len(all) != 2 || all[0].Kind != "refund" || all[0].State != "gave-up" {
			t.Errorf("notifications %+v", all)
		}
	})
}

// Without notify_url there is no refund notification.
func TestRefundWithoutURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.paid("quiet00001")
		w.refund("quiet00001", "R1", "1", "notify_url", "-")
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(w.shop.notifications()); n != 1 {
			t.Errorf("%d notifications, want only the payment's", n)
		}
		if n := len(w.sim.notificationViews(10)); n != 1 {
			t.Errorf("%d notifications are known, want only the payment's", n)
		}
		if got := w.ok("/pay/refundquery", map[string]string{"out_refund_no": "R1"}, "")["refund_status_0"]; got != "SUCCESS" {
			t.Errorf("status %s", got)
		}
	})
}

func TestRefundFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		status := func(no string) string {
			return w.ok("/pay/refundquery", map[string]string{"out_refund_no": no}, "")["refund_status_0"]
		}
		next := func(name string) { w.api("PUT", "faults", `{"next":{"`+name+`":1}}`, 200, nil) }
		w.paid("faults0001")
		before := w.sim.people()[0].Balance

		next("not-enough")
		raw := w.call("/secapi/pay/refund", w.refundFields("faults0001", "R1", "100"), "")
		checkBusiness(t, w, raw, "", "NOTENOUGH", "基本账户余额不足，请充值后重新发起")
		next("refund-processing")
		w.refund("faults0001", "R1", "100")
		next("refund-abnormal")
		w.refund("faults0001", "R2", "200")
		time.Sleep(time.Minute)
		synctest.Wait()
		if a, b := status("R1"), status("R2"); a != "PROCESSING" || b != "CHANGE" {
			t.Errorf("after a minute %s and %s", a, b)
		}
		if got := w.sim.people()[0].Balance; got != before {
			t.Errorf("wallet %d, want %d", got, before)
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		w.decide("faults0001", "R2", "success", 200)
		if a, b := status("R1"), status("R2"); a != "SUCCESS" || b != "SUCCESS" {
			t.Errorf("after hours %s and %s", a, b)
		}
		if got := w.sim.people()[0].Balance; got != before+300 {
			t.Errorf("wallet %d, want %d", got, before+300)
		}
		synctest.Wait()
		kinds := map[string]int{}
		for _, n := range w.shop.notifications() {
			if sealed := fromXML(t, n.body)["req_info"]; sealed != "" {
				inner := openSealed(t, sealed, w.id.APIKey)
				kinds[inner["out_refund_no"]+inner["refund_status"]]++
			}
		}
		if want := map[string]int{"R1SUCCESS": 1, "R2CHANGE": 1, "R2SUCCESS": 1}; !maps.Equal(kinds, want) {
			t.Errorf("notifications %v, want %v", kinds, want)
		}
	})
}

// Orders older than a year cannot be refunded.
func TestRefundOverdue(t *testing.T) {
	w := newWorld(t, Options{})
	w.paid("overdue001")
	w.api("POST", "clock", `{"advance":"8759h"}`, 200, nil)
	w.refund("overdue001", "R1", "1")
	w.api("POST", "clock", `{"advance":"2h"}`, 200, nil)
	checkBusiness(t, w, w.call("/secapi/pay/refund", w.refundFields("overdue001", "R2", "1"), ""), "", "TRADE_OVERDUE", "订单已经超过退款期限")
	w.refund("overdue001", "R1", "1") // the old one is still known
}

// At most fifty refunds of an order; refundquery tells of ten at a time.
func TestFiftyRefunds(t *testing.T) {
	w := newWorld(t, Options{})
	tx := w.paid("fifty00001")
	for i := range 50 {
		w.refund("fifty00001", fmt.Sprintf("R%02d", i), strconv.Itoa(i%3+1))
	}
	checkBusiness(t, w, w.call("/secapi/pay/refund", w.refundFields("fifty00001", "R50", "1"), ""), "", "ERROR", "单笔订单最多可发起50次部分退款")
	for _, tt := range []struct {
		offset     string
		first, num int
	}{{"", 0, 10}, {"0", 0, 10}, {"24", 24, 10}, {"45", 45, 5}, {"50", 50, 0}} {
		for _, by := range []map[string]string{{"out_trade_no": "fifty00001"}, {"transaction_id": tx.TransactionID, "out_trade_no": "nothing000"}} {
			if tt.offset != "" {
				by["offset"] = tt.offset
			}
			got := w.ok("/pay/refundquery", by, "")
			if got["total_refund_count"] != "50" || got["refund_count"] != strconv.Itoa(tt.num) {
				t.Fatalf("offset %q: %s of %s", tt.offset, got["refund_count"], got["total_refund_count"])
			}
			for n := range tt.num {
				i := "_" + strconv.Itoa(n)
				if no := got["out_refund_no"+i]; no != fmt.Sprintf("R%02d", tt.first+n) || got["refund_fee"+i] != strconv.Itoa((tt.first+n)%3+1) {
					t.Errorf("offset %q, record %d: %s of %s", tt.offset, n, no, got["refund_fee"+i])
				}
			}
			if _, more := got["out_refund_no_"+strconv.Itoa(tt.num)]; more {
				t.Errorf("offset %q: more than %d records", tt.offset, tt.num)
			}
		}
	}
	one := w.ok("/pay/refundquery", map[string]string{"out_refund_no": "R07", "out_trade_no": "fifty00001"}, "")
	if one["refund_count"] != "1" || one["out_refund_no_0"] != "R07" || one["refund_channel_0"] != "ORIGINAL" || one["refund_recv_accout_0"] != "支付用户零钱" {
		t.Errorf("by number: %v", one)
	}
	byID := w.ok("/pay/refundquery", map[string]string{"refund_id": one["refund_id_0"], "out_refund_no": "R01"}, "")
	if byID["out_refund_no_0"] != "R07" {
		t.Errorf("refund_id does not win: %v", byID)
	}
}

// Of twenty refunds of 60 % at the same time exactly one is accepted.
func TestParallelRefunds(t *testing.T) {
	w := newWorld(t, Options{})
	w.paid("race000001")
	var wg sync.WaitGroup
	answers := make([]string, 20)
	for i := range answers {
		body := toXML(w.signed(w.refundFields("race000001", fmt.Sprintf("R%d", i), "533"), ""))
		wg.Go(func() { answers[i] = w.do("POST", "/secapi/pay/refund", body).Body.String() })
	}
	wg.Wait()
	accepted := 0
	for _, a := range answers {
		if fromXML(t, a)["result_code"] == "SUCCESS" {
			accepted++
		}
	}
	if accepted != 1 {
		t.Errorf("%d accepted, want 1", accepted)
	}
}

// The merchant may refund on the merchant platform; the shop hears of it.
func TestRefundByHand(t *testing.T) {
	w := newWorld(t, Options{})
	w.paid("hand000001")
	w.refund("hand000001", "R1", "100")
	page := "/_sim/transactions/hand000001"
	rec := w.do("POST", page+"/refund", "yuan=0.88&back="+page, formType...)
	if rec.Code != http.StatusSeeOther || rec.Header().Get("Location") != page+"?said=refunded" {
		t.Fatalf("status %d to %s", rec.Code, rec.Header().Get("Location"))
	}
	tx := w.sim.transactionViews(1)[0]
	if len(tx.Refunds) != 2 || tx.Refunds[1].Amount != 88 {
		t.Fatalf("refunds %+v", tx.Refunds)
	}
	rec = w.do("POST", page+"/refunds/"+tx.Refunds[1].OutRefundNo, "outcome=success&back="+page, formType...)
	if rec.Code != http.StatusSeeOther {
		t.Errorf("status %d", rec.Code)
	}
	html := w.do("GET", page, "").Body.String()
	for _, want := range []string{"已退 ¥1.88", tx.Refunds[1].OutRefundNo, "在商户平台退款", "退款 PROCESSING", "退款通知"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for form, status := range map[string]int{"yuan=8.00": 409, "yuan=0": 400, "yuan=x": 400} {
		if rec := w.do("POST", page+"/refund", form, formType...); rec.Code != status {
			t.Errorf("%s: status %d, want %d", form, rec.Code, status)
		}
	}
	w.api("POST", "transactions/hand000001/refunds/none", `{"outcome":"success"}`, 404, nil)
	w.api("POST", "transactions/none/refunds/R1", `{"outcome":"success"}`, 404, nil)
	w.api("POST", "transactions/hand000001/refunds/R1", `{"outcome":"x"}`, 400, nil)
}
