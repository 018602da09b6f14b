package sim

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fetch takes a bill in its two steps and returns the answer of the second.
func (w *world) fetch(target string) (link object, file []byte) {
	w.t.Helper()
	link = w.answer("GET", target, nil)
	at := strings.TrimPrefix(link["download_url"].(string), "http://localhost:8081")
	rec := w.v3("GET", at, "")
	if rec.Code != 200 {
		w.t.Fatalf("%s: %d %s", at, rec.Code, rec.Body)
	}
	for name := range rec.Header() {
		if strings.HasPrefix(name, "Wechatpay") {
			w.t.Errorf("the file carries %s; it is not signed", name)
		}
	}
	return link, rec.Body.Bytes()
}

// A day with orders of both APIs: one bill, to the byte.
func TestBillsOfAPIv3(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.orderV3("v3bill00001", "amount.total", 28400, "description", "明前龙井,\n二两")
		w.pay("v3bill00001")
		time.Sleep(time.Hour)
		w.paid("v2bill00001", "total_fee", "50")
		w.answer("POST", refundsV3, w.refundFieldsV3("v3bill00001", "v3R1", 5800, 28400))
		time.Sleep(time.Minute)
		refused(w, "GET", "/v3/bill/tradebill?bill_date=2000-01-01", nil, 400, `{"code":"STATEMENT_CREATING","message":"账单生成中"}`)
		untilTheNextMorning()
		link, file := w.fetch("/v3/bill/tradebill?bill_date=2000-01-01&bill_type=ALL")
		if sum := fmt.Sprintf("%x", sha1.Sum(file)); link["hash_type"] != "SHA1" || link["hash_value"] != sum {
			t.Errorf("%v, the file's is %s", link, sum)
		}
		text := string(file)
		if !strings.Contains(text, `,`+"`"+`明前龙井\ \n二两,`) || !strings.Contains(text, "`v2bill00001,") || !strings.HasSuffix(text, "`3,`284.50,`58.00,`0.00,`1.36000,`284.50,`58.00\r\n") {
			t.Errorf("the bill is\n%s", text)
		}
		for i, line := range strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n")[:4] {
			if n := len(strings.Split(line, ",")); n != 27 {
				t.Errorf("line %d has %d columns, split at commas", i, n)
			}
		}
		zipLink, zipped := w.fetch("/v3/bill/tradebill?bill_date=2000-01-01&tar_type=GZIP")
		z, err := gzip.NewReader(bytes.NewReader(zipped))
		if err != nil {
			t.Fatal(err)
		}
		plain, _ := io.ReadAll(z)
		if !bytes.Equal(plain, file) || zipLink["hash_value"] != link["hash_value"] || !strings.HasSuffix(zipLink["download_url"].(string), "&tartype=gzip") {
			t.Errorf("zipped: %v, %d bytes", zipLink, len(plain))
		}
		if _, refunds := w.fetch("/v3/bill/tradebill?bill_date=2000-01-01&bill_type=REFUND"); !strings.Contains(string(refunds), "`v3R1,`58.00,`0.00,`ORIGINAL,`SUCCESS,") {
			t.Errorf("refunds:\n%s", refunds)
		}
		_, flows := w.fetch("/v3/bill/fundflowbill?bill_date=2000-01-01")
		for _, want := range []string{"收支金额(元)", "`1900000001API,`退款总金额58.00元;含手续费0.34元,`v3R1", "\r\n`4,`2,`284.50,`2,`59.36\r\n"} {
			if !strings.Contains(string(flows), want) {
				t.Errorf("the fund flow lacks %q:\n%s", want, flows)
			}
		}
		w.billRefusals(strings.TrimPrefix(link["download_url"].(string), "http://localhost:8081"))
	})
}

// billRefusals are bills that are not there.
func (w *world) billRefusals(target string) {
	w.t.Helper()
	const none = `{"code":"NO_STATEMENT_EXIST","message":"账单文件不存在"}`
	refused(w, "GET", "/v3/bill/tradebill?bill_date=1999-12-31", nil, 400, none)
	refused(w, "GET", "/v3/bill/tradebill?bill_date=1999-06-01", nil, 400, none)
	refused(w, "GET", "/v3/bill/fundflowbill?bill_date=2000-01-01&account_type=FEES", nil, 400, none)
	refused(w, "GET", "/v3/bill/tradebill?bill_date=2000-01-02", nil, 400, `{"code":"STATEMENT_CREATING","message":"账单生成中"}`)
	w.next("bill-not-ready", 1)
	refused(w, "GET", "/v3/bill/tradebill?bill_date=2000-01-01", nil, 400, `{"code":"STATEMENT_CREATING","message":"账单生成中"}`)
	refused(w, "GET", "/v3/bill/tradebill?bill_date=2000-13-01", nil, 400, `{"code":"PARAM_ERROR","detail":{"location":"query","value":"2000-13-01"},"message":"输入源“/query/bill_date”映射到值字段“账单日期”字符串规则校验失败，格式不正确"}`)
	time.Sleep(5 * time.Minute)
	refused(w, "GET", target, nil, 400, `{"code":"INVALID_REQUEST","message":"账单下载地址已失效，请重新申请账单"}`)
	if rec := w.do("GET", target, "", "Accept", "*/*", "User-Agent", "test"); rec.Code != 401 {
		w.t.Errorf("unsigned: %d", rec.Code)
	}
	w.set(`{"bill_host":"canonical"}`)
	if link := w.answer("GET", "/v3/bill/tradebill?bill_date=2000-01-01", nil); !strings.HasPrefix(link["download_url"].(string), "https://api.mch.weixin.qq.com/v3/billdownload/file?token=") {
		w.t.Errorf("canonical: %v", link)
	}
}

// refused makes a call that must be refused, to the byte.
func refused(w *world, method, target string, body any, status int, want string) {
	w.t.Helper()
	text, ok := body.(string)
	if !ok && body != nil {
		text = asJSON(body)
	}
	rec := w.v3(method, target, text)
	if rec.Code != status || rec.Body.String() != want {
		w.t.Errorf("%s %s %s:\n%d %s\nwant\n%d %s", method, target, text, rec.Code, rec.Body, status, want)
	}
}
