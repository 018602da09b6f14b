package sim

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// bill downloads a bill; pairs change the request.
func (w *world) bill(date, kind string, pairs ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	f := map[string]string{"bill_date": date, "bill_type": kind}
	for i := 0; i+1 < len(pairs); i += 2 {
		f[pairs[i]] = pairs[i+1]
	}
	return w.do("POST", "/pay/downloadbill", toXML(w.signed(f, "")))
}

func billError(msg, code string) string {
	return "<xml><return_code><![CDATA[FAIL]]></return_code>\n<return_msg><![CDATA[" + msg + "]]></return_msg>\n<error_code><![CDATA[" + code + "]]></error_code>\n</xml>"
}

// untilTheNextMorning waits for ten o'clock of the next day in Beijing.
func untilTheNextMorning() {
	now := time.Now().In(beijing)
	next := time.Date(now.Year(), now.Month(), now.Day()+1, 10, 0, 0, 0, beijing)
	time.Sleep(next.Sub(now))
}

// A day of a shop: three payments, a refund that is done, one that is not yet,
// and a payment that was reversed. It begins on 2000-01-01 at 08:00 in Beijing.
func aDay(w *world) {
	w.paid("bill000001", "total_fee", "28400", "attach", "a,b`c", "body", "云间茶铺-明前龙井, 100克\n第二行", "device_info", "WEB")
	time.Sleep(time.Hour)
	w.ok("/pay/micropay", w.deskFields("bill000002", w.code(2).Paycode, "total_fee", "50"), "")
	time.Sleep(time.Hour)
	w.refund("bill000001", "R1", "5800", "total_fee", "28400")
	time.Sleep(time.Hour)
	w.ok("/secapi/pay/reverse", map[string]string{"out_trade_no": "bill000002"}, "")
	time.Sleep(time.Hour)
	w.refund("bill000001", "R2", "100", "total_fee", "28400")
	w.decide("bill000001", "R2", "abnormal", 200)
	w.order("unpaid0001")
}

// The bills of a day, to the byte.
func TestBillBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		aDay(w)
		untilTheNextMorning()
		o1, o2 := w.sim.ledger.orders["bill000001"], w.sim.ledger.orders["bill000002"]
		u1, u2 := w.openID(1), w.openID(2)
		head := "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额"
		sums := "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n"
		id := "`wxf000000000000001,`1900000001,`0"
		about1 := id + ",`WEB,`" + o1.payment.TransactionID + ",`bill000001,`" + u1 + ",`JSAPI"
		about2 := id + ",`,`" + o2.payment.TransactionID + ",`bill000002,`" + u2 + ",`MICROPAY"
		bank1, bank2 := ",`"+o1.payment.BankType+",`CNY", ",`"+o2.payment.BankType+",`CNY"
		goods1 := ",`云间茶铺-明前龙井, 100克 第二行,`a,b`c"
		goods2 := ",`测试店-茶,`till 3"
		r1, r2 := o1.refunds[0].RefundID, o1.refunds[1].RefundID
		want := map[string]string{
			"ALL": "\ufeff" + head + ",微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\r\n" +
				"`2000-01-01 12:00:00," + about1 + ",`REFUND" + bank1 + ",`0.00,`0.00,`" + r2 + ",`R2,`1.00,`0.00,`ORIGINAL,`PROCESSING" + goods1 + ",`-0.01000,`0.60%,`0.00,`1.00,`\r\n" +
				"`2000-01-01 11:00:00," + about2 + ",`REVOKED" + bank2 + ",`0.00,`0.00,`" + o2.returned + ",`bill000002,`0.50,`0.00,`ORIGINAL,`SUCCESS" + goods2 + ",`0.00000,`0.60%,`0.00,`0.50,`\r\n" +
				"`2000-01-01 10:00:00," + about1 + ",`REFUND" + bank1 + ",`0.00,`0.00,`" + r1 + ",`R1,`58.00,`0.00,`ORIGINAL,`SUCCESS" + goods1 + ",`-0.34000,`0.60%,`0.00,`58.00,`\r\n" +
				"`2000-01-01 09:00:00," + about2 + ",`SUCCESS" + bank2 + ",`0.50,`0.00,`0,`0,`0.00,`0.00,`,`" + goods2 + ",`0.00000,`0.60%,`0.50,`0.00,`\r\n" +
				"`2000-01-01 08:00:00," + about1 + ",`SUCCESS" + bank1 + ",`284.00,`0.00,`0,`0,`0.00,`0.00,`,`" + goods1 + ",`1.70000,`0.60%,`284.00,`0.00,`\r\n" +
				sums + "`5.0,`284.5,`59.5,`0.0,`1.35,`284.5,`59.5\r\n",
			"SUCCESS": "\ufeff" + head + ",商品名称,商户数据包,手续费,费率,订单金额,费率备注\r\n" +
				"`2000-01-01 09:00:00," + about2 + ",`SUCCESS" + bank2 + ",`0.50,`0.00" + goods2 + ",`0.00000,`0.60%,`0.50,`\r\n" +
				"`2000-01-01 08:00:00," + about1 + ",`SUCCESS" + bank1 + ",`284.00,`0.00" + goods1 + ",`1.70000,`0.60%,`284.00,`\r\n" +
				sums + "`2.0,`284.5,`0.0,`0.0,`1.7,`284.5,`0.0\r\n",
			"REFUND": "\ufeff" + head + ",退款申请时间,退款成功时间,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\r\n" +
				"`2000-01-01 08:00:00," + about1 + ",`REFUND" + bank1 + ",`0.00,`0.00,`2000-01-01 12:00:00,`,`" + r2 + ",`R2,`1.00,`0.00,`ORIGINAL,`PROCESSING" + goods1 + ",`-0.01000,`0.60%,`0.00,`1.00,`\r\n" +
				"`2000-01-01 09:00:00," + about2 + ",`REVOKED" + bank2 + ",`0.00,`0.00,`2000-01-01 11:00:00,`2000-01-01 11:00:00,`" + o2.returned + ",`bill000002,`0.50,`0.00,`ORIGINAL,`SUCCESS" + goods2 + ",`0.00000,`0.60%,`0.00,`0.50,`\r\n" +
				"`2000-01-01 08:00:00," + about1 + ",`REFUND" + bank1 + ",`0.00,`0.00,`2000-01-01 10:00:00,`2000-01-01 10:00:03,`" + r1 + ",`R1,`58.00,`0.00,`ORIGINAL,`SUCCESS" + goods1 + ",`-0.34000,`0.60%,`0.00,`58.00,`\r\n" +
				sums + "`3.0,`0.0,`59.5,`0.0,`-0.35,`0.0,`59.5\r\n",
		}
		for kind, text := range want {
			rec := w.bill("20000101", kind)
			if got := rec.Body.String(); got != text {
				t.Errorf("%s: got\n%s\nwant\n%s", kind, got, text)
			}
			zip := w.bill("20000101", kind, "tar_type", "GZIP")
			z, err := gzip.NewReader(zip.Body)
			if err != nil {
				t.Fatalf("%s zipped: %v", kind, err)
			}
			if got, err := io.ReadAll(z); err != nil || string(got) != text {
				t.Errorf("%s zipped is another bill, %v", kind, err)
			}
		}
		if got := w.bill("20000101", "-").Body.String(); got != want["ALL"] {
			t.Error("without bill_type it is not ALL")
		}
		w.decide("bill000001", "R2", "success", 200)
		if got := w.bill("20000101", "ALL").Body.String(); got != want["ALL"] {
			t.Error("what came later changed the bill")
		}
		if got := w.bill("20000101", "RECHARGE_REFUND").Body.String(); got != billError("No Bill Exist", "20002") {
			t.Errorf("RECHARGE_REFUND: %s", got)
		}
	})
}

func TestBillRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.paid("bill000001")
		check := func(name, got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		check("today", w.bill("20000101", "ALL").Body.String(), billError("Bill Creating", "20100"))
		untilTheNextMorning()
		w.api("PUT", "faults", `{"next":{"bill-not-ready":1}}`, 200, nil)
		check("not ready", w.bill("20000101", "ALL").Body.String(), billError("Bill Creating", "20100"))
		if got := w.bill("20000101", "ALL").Body.String(); !strings.HasPrefix(got, "\ufeff交易时间") {
			t.Errorf("ready: %s", got)
		}
		check("yesterday before ten", w.bill("20000102", "ALL").Body.String(), billError("Bill Creating", "20100"))
		check("no payment", w.bill("19991231", "ALL").Body.String(), billError("No Bill Exist", "20002"))
		check("no refund", w.bill("20000101", "REFUND").Body.String(), billError("No Bill Exist", "20002"))
		check("no date", w.bill("-", "ALL").Body.String(), billError("missing parameter", "20001"))
		check("no day", w.bill("20000230", "ALL").Body.String(), billError("data format error", "20001"))
		check("dashes", w.bill("2000-01-01", "ALL").Body.String(), billError("data format error", "20001"))
		check("type", w.bill("20000101", "all").Body.String(), billError("invalid bill_type", "20001"))
		check("tar", w.bill("20000101", "ALL", "tar_type", "ZIP").Body.String(), billError("data format error", "20001"))
		check("sign", w.bill("20000101", "ALL", "sign", "00").Body.String(), billError("sign error", "20001"))
		if call := w.sim.calls.latest(1)[0]; call.Verdict != "refused" || call.Error != "sign error" || call.Diagnosis == nil {
			t.Errorf("the log says %+v", call)
		}
		check("no nonce", w.bill("20000101", "ALL", "nonce_str", "-").Body.String(), billError("missing parameter", "20001"))
		check("not XML", w.do("POST", "/pay/downloadbill", "{}").Body.String(), protocolBody("XML格式错误"))
		check("other merchant", w.bill("20000101", "ALL", "mch_id", "1900000109").Body.String(), protocolBody("appid和mch_id不匹配"))
		check("sub-merchant", w.bill("20000101", "ALL", "sub_mch_id", w.id.SubMchID).Body.String(), billError("No Bill Exist", "20002"))
		time.Sleep(90 * 24 * time.Hour)
		if got := w.bill("20000101", "ALL").Body.String(); !strings.HasPrefix(got, "\ufeff") {
			t.Errorf("three months later: %s", got)
		}
		time.Sleep(24 * time.Hour)
		check("older than three months", w.bill("20000101", "ALL").Body.String(), billError("No Bill Exist", "20002"))
	})
}

// A day ends at midnight in Beijing, whatever the zone of the machine.
func TestBillDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		time.Sleep(16*time.Hour - time.Millisecond) // 23:59:59.999
		w.paid("late000001")
		time.Sleep(time.Millisecond)
		w.paid("early00001")
		w.refund("late000001", "R1", "1")
		time.Sleep(48 * time.Hour)
		first, second := w.bill("20000101", "ALL").Body.String(), w.bill("20000102", "ALL").Body.String()
		if !strings.Contains(first, "`2000-01-01 23:59:59,") || strings.Contains(first, "early00001") || strings.Contains(first, "R1") {
			t.Errorf("the first day:\n%s", first)
		}
		if !strings.Contains(second, "early00001") || !strings.Contains(second, ",`R1,") || strings.Contains(second, "late000001,`"+w.openID(1)+",`JSAPI,`SUCCESS") {
			t.Errorf("the second day:\n%s", second)
		}
	})
}

// A refund that was closed before the bill was made moved no money and is not
// in it; one that is closed later stays as it was seen.
func TestBillOfClosedRefunds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.paid("closed0001")
		w.refund("closed0001", "R1", "100")
		w.decide("closed0001", "R1", "fail", 200)
		w.api("PUT", "faults", `{"next":{"refund-abnormal":1}}`, 200, nil)
		w.refund("closed0001", "R2", "200")
		untilTheNextMorning()
		w.decide("closed0001", "R2", "fail", 200)
		got := w.bill("20000101", "REFUND").Body.String()
		if strings.Contains(got, ",`R1,") || !strings.Contains(got, ",`R2,`2.00,`0.00,`ORIGINAL,`PROCESSING") {
			t.Errorf("bill:\n%s", got)
		}
	})
}

// In the sandbox no money moves: no bill knows of it.
func TestBillWithoutSandbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 19, 12, 0, 0, 0, beijing)))
		w := newWorld(t, Options{})
		f := w.orderFields("sandbox001", "total_fee", "101")
		f["sign"] = "-"
		f = w.signed(f, "")
		f["sign"] = signFields(f, w.sim.sandboxKey(), "")
		if got := w.do("POST", "/sandboxnew/pay/unifiedorder", toXML(f)).Body.String(); !strings.Contains(got, "prepay_id") {
			t.Fatal(got)
		}
		if tx := w.sim.transactionViews(1)[0]; tx.State != "SUCCESS" {
			t.Fatalf("the sandbox's payer did not pay: %s", tx.State)
		}
		untilTheNextMorning()
		if got := w.bill("20261119", "ALL").Body.String(); got != billError("No Bill Exist", "20002") {
			t.Errorf("bill:\n%s", got)
		}
		fund := w.signed(map[string]string{"bill_date": "20261119", "account_type": "Basic"}, "HMAC-SHA256")
		if got := w.do("POST", "/pay/downloadfundflow", toXML(fund)).Body.String(); !strings.Contains(got, "NO_BILL_EXIST") {
			t.Errorf("fund flow:\n%s", got)
		}
	})
}

// Differences that are planted stay in that day's bill, at every download, and
// after a restart.
func TestPlantedDifferences(t *testing.T) {
	lines := func(bill string) map[string]string {
		out := map[string]string{}
		for _, row := range strings.Split(bill, "\r\n") {
			if v := strings.Split(strings.TrimPrefix(row, "`"), ",`"); len(v) > 20 {
				out[v[6]+" "+v[9]+" "+v[15]] = v[24]
			}
		}
		return out
	}
	for _, tt := range []struct {
		fault string
		check func(before, after map[string]string) string
	}{
		{"bill-missing", func(before, after map[string]string) string {
			if len(after) != len(before)-1 || after["plant00001 SUCCESS 0"]+after["plant00002 SUCCESS 0"] != "8.88" {
				return "one payment should be missing"
			}
			return ""
		}},
		{"bill-refund-missing", func(before, after map[string]string) string {
			if _, there := after["plant00001 REFUND R1"]; there || len(after) != len(before)-1 {
				return "the refund should be missing"
			}
			return ""
		}},
		{"bill-amount", func(before, after map[string]string) string {
			if len(after) != len(before) || after["plant00001 SUCCESS 0"] == after["plant00002 SUCCESS 0"] ||
				!strings.Contains(after["plant00001 SUCCESS 0"]+after["plant00002 SUCCESS 0"], "8.89") {
				return "one payment should be a fen higher"
			}
			return ""
		}},
		{"bill-extra", func(before, after map[string]string) string {
			for name := range after {
				if strings.HasPrefix(name, "EXTRA") && len(after) == len(before)+1 {
					return ""
				}
			}
			return "there should be one more"
		}},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := Options{Data: t.TempDir()}
				w := newWorld(t, o)
				w.paid("plant00001")
				w.paid("plant00002")
				w.refund("plant00001", "R1", "300")
				untilTheNextMorning()
				before := lines(w.bill("20000101", "ALL").Body.String())
				w.api("PUT", "faults", `{"next":{"`+tt.fault+`":1}}`, 200, nil)
				text := w.bill("20000101", "ALL").Body.String()
				if why := tt.check(before, lines(text)); why != "" {
					t.Errorf("%s: %v became %v", why, before, lines(text))
				}
				if n := w.sim.faults.view().Fired[tt.fault]; n != 1 {
					t.Errorf("fired %d times", n)
				}
				w.api("PUT", "faults", `{"rates":{"`+tt.fault+`":1}}`, 200, nil)
				if again := w.bill("20000101", "ALL").Body.String(); again != text {
					t.Error("the next download is another bill")
				}
				w = w.reopen(o)
				if again := w.bill("20000101", "ALL").Body.String(); again != text {
					t.Errorf("after a restart it is another bill:\n%s\n%s", text, again)
				}
			})
		})
	}
}

func TestFundFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		fund := func(date, account, alg string, pairs ...string) *httptest.ResponseRecorder {
			f := map[string]string{"bill_date": date, "account_type": account}
			for i := 0; i+1 < len(pairs); i += 2 {
				f[pairs[i]] = pairs[i+1]
			}
			return w.do("POST", "/pay/downloadfundflow", toXML(w.signed(f, alg)))
		}
		fail := func(code, text string) string {
			return "<xml><return_code><![CDATA[SUCCESS]]></return_code>\n<return_msg><![CDATA[OK]]></return_msg>\n<result_code><![CDATA[FAIL]]></result_code>\n" +
				"<err_code><![CDATA[" + code + "]]></err_code>\n<err_code_des><![CDATA[" + text + "]]></err_code_des>\n</xml>"
		}
		aDay(w)
		const hmac = "HMAC-SHA256"
		if got := fund("20000101", "Basic", hmac).Body.String(); got != fail("BILL_CREATING", "流水账单生成中") {
			t.Errorf("today: %s", got)
		}
		untilTheNextMorning()
		for name, tt := range map[string]struct{ got, want string }{
			"MD5":     {fund("20000101", "Basic", "MD5").Body.String(), fail("PARAM_ERROR", "签名类型目前仅支持HMAC-SHA256")},
			"account": {fund("20000101", "basic", hmac).Body.String(), fail("PARAM_ERROR", "account_type参数格式错误")},
			"date":    {fund("2000", "Basic", hmac).Body.String(), fail("PARAM_ERROR", "bill_date参数格式错误")},
			"tar":     {fund("20000101", "Basic", hmac, "tar_type", "x").Body.String(), fail("PARAM_ERROR", "tar_type参数格式错误")},
			"missing": {fund("20000101", "-", hmac).Body.String(), protocolBody("缺少参数")},
			"sign":    {fund("20000101", "Basic", hmac, "sign", "0").Body.String(), protocolBody("签名错误")},
			"fees":    {fund("20000101", "Fees", hmac).Body.String(), fail("NO_BILL_EXIST", "流水账单不存在")},
		} {
			if tt.got != tt.want {
				t.Errorf("%s: got %q, want %q", name, tt.got, tt.want)
			}
		}
	})
}

// Payments and what goes back, on an account whose balance runs on; data from
// 2017-06-01.
func TestFundFlowBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 18, 20, 0, 0, 0, beijing)))
		w := newWorld(t, Options{})
		defer w.run()()
		w.paid("before0001") // 8.88, fee 0.05
		time.Sleep(4 * time.Hour)
		w.paid("funds00001", "total_fee", "28400")
		time.Sleep(time.Hour)
		w.refund("funds00001", "R1", "5800", "total_fee", "28400", "refund_desc", "压坏了")
		w.decide("funds00001", "R1", "fail", 200)
		untilTheNextMorning()
		body := map[string]string{"bill_date": "20261119", "account_type": "Basic"}
		rec := w.do("POST", "/pay/downloadfundflow", toXML(w.signed(body, "HMAC-SHA256")))
		o := w.sim.ledger.orders["funds00001"]
		txn, refund := o.payment.TransactionID, o.refunds[0].RefundID
		text := rec.Body.String()
		flows := []string{}
		for _, row := range strings.Split(text, "\r\n") {
			if v := strings.Split(row, ",`"); len(v) == 11 {
				if len(v[2]) != 28 || !strings.HasPrefix(v[2], "190000000120261119") {
					t.Errorf("资金流水单号 %q", v[2])
				}
				flows = append(flows, v[2])
			}
		}
		if len(flows) != 4 {
			t.Fatalf("%d rows:\n%s", len(flows), text)
		}
		want := "\ufeff记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额（元）,账户结余（元）,资金变更提交申请人,备注,业务凭证号\r\n" +
			"`2026-11-19 00:00:00,`" + txn + ",`" + flows[0] + ",`交易,`交易,`收入,`284.00,`292.83,`system,`,`funds00001\r\n" +
			"`2026-11-19 00:00:00,`" + txn + ",`" + flows[1] + ",`扣除交易手续费,`扣除交易手续费,`支出,`1.70,`291.13,`system,`,`funds00001\r\n" +
			"`2026-11-19 01:00:00,`" + refund + ",`" + flows[2] + ",`退款,`退款,`支出,`57.66,`233.47,`system,`压坏了,`R1\r\n" +
			"`2026-11-19 01:00:00,`" + refund + ",`" + flows[3] + ",`退款退回,`退款退回,`收入,`57.66,`291.13,`system,`压坏了,`R1\r\n" +
			"资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n`4.0,`2.0,`341.66,`2.0,`59.36\r\n"
		if text != want {
			t.Errorf("got\n%s\nwant\n%s", text, want)
		}
		if got, want := rec.Header().Get("Digest"), fmt.Sprintf("SHA=%x", sha1.Sum([]byte(text))); got != want {
			t.Errorf("Digest %s, want %s", got, want)
		}
		body["tar_type"] = "GZIP"
		zip := w.do("POST", "/pay/downloadfundflow", toXML(w.signed(body, "HMAC-SHA256")))
		if got, want := zip.Header().Get("Digest"), fmt.Sprintf("SHA=%x", sha1.Sum(zip.Body.Bytes())); got != want {
			t.Errorf("Digest of the zip %s, want %s", got, want)
		}
		z, err := gzip.NewReader(bytes.NewReader(zip.Body.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(z); err != nil || string(got) != text {
			t.Errorf("the zip holds another bill, %v", err)
		}
	})
}
