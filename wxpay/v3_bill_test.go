package wxpay

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const billV3 = "\ufeff交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\r\n" +
	"`2020-03-02 14:17:55,`wx8c4f683438292e27,`1562960801,`0,`,`4200000480202003022581846288,`2020030213120001,`o0bRy0,`JSAPI,`SUCCESS,`OTHERS,`CNY,`0.01,`0.00,`0,`0,`0.00,`0.00,`,`,`自己来,`98880001,`0.00000,`0.30%,`0.01,`0.00,`\r\n" +
	"总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n`1,`0.01,`0.00,`0.00,`0.00000,`0.01,`0.00\r\n"

func zippedText(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, s)
	z.Close()
	return b.String()
}

func linkTo(file, target string) string {
	return fmt.Sprintf(`{"hash_type":"SHA1","hash_value":"%x","download_url":"%s"}`, sha1.Sum([]byte(file)), target)
}

const billURL = "https://api.mch.weixin.qq.com/v3/billdownload/file?token=6XIv5TUPto7pByrTQKhd6kwvyKLG2uY2wMMR8cNXqaA_Cv_isgaUtBzp4QtiozLO"

// fetchV3 takes a bill whose first answer is link and whose file is file.
func fetchV3(t *testing.T, link, file string, status int) (string, error) {
	t.Helper()
	cfg := testConfigV3(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v3/bill/tradebill" {
			saysV3(200, link)(w, r)
			return
		}
		if r.Host != "localhost:8081" || r.URL.Path != billFilePath || r.Header.Get("Wechatpay-Serial") != v3KeyID {
			t.Errorf("%s %s is asked for", r.Host, r.RequestURI)
		}
		checkedRequest(t, r, nil)
		w.WriteHeader(status)
		io.WriteString(w, file)
	})
	cfg.MaxBill = 8 << 20
	bill, err := newTestV3(t, cfg).Bill(t.Context(), BillRequest{Day: v3Now})
	if err != nil {
		return "", err
	}
	defer bill.Close()
	text, err := io.ReadAll(bill)
	return string(text), err
}

func TestBillV3(t *testing.T) {
	plainLink := linkTo(billV3, billURL)
	for name, file := range map[string]string{"text": billV3, "zipped": zippedText(billV3)} {
		text, err := fetchV3(t, plainLink, file, 200)
		if err != nil || text != billV3 {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	r := NewBillReader(strings.NewReader(billV3))
	row, err := r.Next()
	if err != nil || row.OutTradeNo != "2020030213120001" || row.Total != 1 || row.SubMchID != "" {
		t.Errorf("%+v, %v", row, err)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Error(err)
	}
	if _, err := fetchV3(t, strings.ToUpper(plainLink[:60])+plainLink[60:], billV3, 200); err == nil {
		t.Error("names in capitals are taken")
	}
	upper := strings.Replace(plainLink, fmt.Sprintf("%x", sha1.Sum([]byte(billV3))), fmt.Sprintf("%X", sha1.Sum([]byte(billV3))), 1)
	if _, err := fetchV3(t, upper, billV3, 200); err != nil {
		t.Errorf("the sum in capitals: %v", err)
	}
}

// X35: what is not what its sum says is an error at the end at the latest.
func TestBadBillsV3(t *testing.T) {
	link, packed := linkTo(billV3, billURL), zippedText(billV3)
	for name, file := range map[string]string{
		"one byte":          strings.Replace(billV3, "0.01", "0.02", 1),
		"one byte, zipped":  zippedText(strings.Replace(billV3, "0.01", "0.02", 1)),
		"cut":               billV3[:len(billV3)-20],
		"cut, zipped":       packed[:len(packed)-20],
		"longer":            billV3 + " ",
		"longer, zipped":    packed + "x",
		"empty":             "",
		"one byte alone":    "x",
		"not gzip":          "\x1f\x8bxxxxxxxxxxxxxxx",
		"a page":            "<html>busy</html>",
		"an error as a 200": `{"code":"NO_AUTH","message":"x"}`,
		"unpacks too far":   zippedText(strings.Repeat("\x00", 20<<20)),
		"too long":          strings.Repeat("x", 9<<20),
	} {
		text, err := fetchV3(t, link, file, 200)
		if err == nil || !errors.Is(err, ErrBadBill) && !strings.HasPrefix(name, "cut, zipped") && name != "longer, zipped" || !IsUnknown(err) {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
	}
	for status, body := range map[int]string{
		400: `{"code":"INVALID_REQUEST","message":"账单下载地址已失效"}`, 403: `{"code":"NO_AUTH","message":"x"}`, 500: "", 302: "", 404: "",
	} {
		if _, err := fetchV3(t, link, body, status); err == nil || status < 404 && status != 302 && IsUnknown(err) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// Only bills are fetched, only from our own host, only if they can be checked.
func TestBillLinksV3(t *testing.T) {
	good := linkTo(billV3, billURL)
	for name, link := range map[string]string{
		"elsewhere on the host": linkTo(billV3, "https://api.mch.weixin.qq.com/v3/pay/transactions/jsapi?token=x"),
		"dots":                  linkTo(billV3, "https://api.mch.weixin.qq.com/v3/billdownload/../billdownload/file?token=x"),
		"escaped":               linkTo(billV3, "https://api.mch.weixin.qq.com/v3/billdownload%2Ffile?token=x"),
		"no token":              linkTo(billV3, "https://api.mch.weixin.qq.com/v3/billdownload/file"),
		"no host":               linkTo(billV3, "/v3/billdownload/file?token=x"),
		"a file":                linkTo(billV3, "file:///v3/billdownload/file?token=x"),
		"a blank":               linkTo(billV3, "https://x/v3/billdownload/file?token=x HTTP/1.1"),
		"a line":                linkTo(billV3, `https://x/v3/billdownload/file?token=x\r\nX: y`),
		"not ASCII":             linkTo(billV3, "https://x/v3/billdownload/file?token=账"),
		"very long":             linkTo(billV3, billURL+strings.Repeat("x", 3000)),
		"no address":            strings.Replace(good, "download_url", "x", 1),
		"address a number":      strings.Replace(good, `"`+billURL+`"`, "1", 1),
		"another hash":          strings.Replace(good, "SHA1", "MD5", 1),
		"no hash":               strings.Replace(good, "hash_value", "x", 1),
		"half a hash":           strings.Replace(good, fmt.Sprintf("%x", sha1.Sum([]byte(billV3))), "79bb", 1),
		"not a hash":            strings.Replace(good, fmt.Sprintf("%x", sha1.Sum([]byte(billV3))), strings.Repeat("z", 40), 1),
		"hash twice":            strings.Replace(good, "{", `{"Hash_Value":"x",`, 1),
		"not JSON":              "x",
	} {
		cfg := testConfigV3(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v3/bill/fundflowbill" {
				t.Errorf("%s: %s is asked for", name, r.RequestURI)
			}
			saysV3(200, link)(w, r)
		})
		if _, err := newTestV3(t, cfg).FundFlow(t.Context(), FundFlowRequest{Day: v3Now}); err == nil || !IsUnknown(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The host of the address is not where it is fetched from.
	if text, err := fetchV3(t, linkTo(billV3, "http://evil.test:1/v3/billdownload/file?token=x#y"), billV3, 200); err != nil || text != billV3 {
		t.Errorf("%v", err)
	}
	if got := billDayV3(time.Date(2026, 1, 1, 16, 0, 0, 0, time.UTC)); got != "2026-01-02" {
		t.Error(got)
	}
}
