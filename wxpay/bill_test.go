package wxpay

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

const (
	allColumns = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
	allSums    = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
	paidRow    = "`2019-02-19 14:19:33,`wxab8acd895ab1638a,`1921000401,`0,`harryma007,`4200000263201902167700134298,`autotest_20190219141930_99209,`oHkLxt5HnHcBDewv4Lsc8xivG1DuE,`JSAPI,`SUCCESS,`OTHERS,`CNY,`0.01,`0.00,`0,`0,`0.00,`0.00,`,`,`系统拨测-cheeryin-test_micropay_succ,`,`0.00000,`39.00%,`0.01,`0.00,`"
	refundRow  = "`2019-02-19 05:01:46,`wxab8acd895ab1638a,`1921000401,`0,`harryma007,`4200000263201902167700134212,`autotest_20190216081946_82335,`oHkLxtx0vUqe-18p_AXTZ1innxkCY,`JSAPI,`REFUND,`OTHERS,`CNY,`0.00,`0.00,`50000709672019011908420787722,`REF4200000263201902167700963919,`0.01,`0.00,`ORIGINAL,`SUCCESS,`系统拨测-cheeryin-test_micropay_succ,`,`0.00000,`39.00%,`0.00,`0.01,`"
	sampleBill = byteOrderMark + allColumns + "\r\n" + paidRow + "\r\n" + refundRow + "\r\n" + allSums + "\r\n`2.0,`0.01,`0.01,`0.0,`0.08,`0.01,`0.01\r\n"
)

// readBill reads all of text.
func readBill(text io.Reader) (rows []BillRow, sum BillSummary, err error) {
	b := NewBillReader(text)
	for {
		row, err := b.Next()
		if err != nil {
			if again, same := b.Next(); again != (BillRow{}) || same != err {
				return nil, sum, fmt.Errorf("after %v came %v, %v", err, again, same)
			}
			return rows, b.Summary(), err
		}
		rows = append(rows, row)
	}
}

func TestBillSample(t *testing.T) {
	rows, sum, err := readBill(strings.NewReader(sampleBill))
	if err != io.EOF || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	want := []BillRow{{
		At: time.Date(2019, 2, 19, 6, 19, 33, 0, time.UTC), AppID: "wxab8acd895ab1638a", MchID: "1921000401", Device: "harryma007",
		TransactionID: "4200000263201902167700134298", OutTradeNo: "autotest_20190219141930_99209", OpenID: "oHkLxt5HnHcBDewv4Lsc8xivG1DuE",
		TradeType: JSAPI, State: "SUCCESS", Bank: "OTHERS", Currency: "CNY", Settled: 1, Description: "系统拨测-cheeryin-test_micropay_succ",
		Rate: "39.00%", Total: 1,
	}, {
		At: time.Date(2019, 2, 18, 21, 1, 46, 0, time.UTC), AppID: "wxab8acd895ab1638a", MchID: "1921000401", Device: "harryma007",
		TransactionID: "4200000263201902167700134212", OutTradeNo: "autotest_20190216081946_82335", OpenID: "oHkLxtx0vUqe-18p_AXTZ1innxkCY",
		TradeType: JSAPI, State: "REFUND", Bank: "OTHERS", Currency: "CNY", Description: "系统拨测-cheeryin-test_micropay_succ",
		RefundID: "50000709672019011908420787722", OutRefundNo: "REF4200000263201902167700963919", RefundAmount: 1, RefundKind: "ORIGINAL",
		RefundState: "SUCCESS", Rate: "39.00%", RefundAsked: 1,
	}}
	for i := range want {
		if rows[i] != want[i] {
			t.Errorf("row %d\n got %+v\nwant %+v", i, rows[i], want[i])
		}
	}
	if want := (BillSummary{Count: 2, Settled: 1, RefundAmount: 1, Fee: 8000, Total: 1, RefundAsked: 1}); sum != want {
		t.Errorf("summary %+v, want %+v", sum, want)
	}
}

// The other kinds and the old style, each with what is special about it.
func TestBillKinds(t *testing.T) {
	const first14 = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额"
	const row14 = "`2025-08-06 12:54:00,`wx1,`1900000109,`1900000002,`,`42,`P1,`o1,`MWEB,`SUCCESS,`OTHERS,`CNY,`8.48,`1.00"
	tests := []struct {
		name, bill string
		check      func(r BillRow) bool
	}{
		{"SUCCESS", first14 + ",商品名称,商户数据包,手续费,费率,订单金额,费率备注\r\n" + row14 + ",`茶, 50g ,`x`y,`-0.05088,`0.60%,`8.88,`a\r\n" +
			allSums + "\r\n`1,`8.48,`7.00,`0.00,`0.05,`8.88,`7.00\r\n",
			func(r BillRow) bool {
				return r.Total == 888 && r.Settled == 848 && r.Coupon == 100 && r.Fee == -5088 && r.Description == "茶, 50g " &&
					r.Attach == "x`y" && r.RateNote == "a" && r.SubMchID == "1900000002" && r.RefundAmount == 0
			}},
		{"REFUND", first14 + ",退款申请时间,退款成功时间,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\n" +
			row14 + ",`2025-08-07 00:00:00,`,`50,`R1,`3.00,`0.0,`ORIGINAL,`PROCESSING,`茶,`,`0.00000,`0.60%,`8.88,`3.00,`\n" +
			allSums + "\n`1.0,`0.0,`3.0,`0.0,`0.0,`0.0,`3",
			func(r BillRow) bool {
				return r.RefundAskedAt.Equal(time.Date(2025, 8, 6, 16, 0, 0, 0, time.UTC)) && r.RefundAt.IsZero() && r.RefundID == "50" &&
					r.OutRefundNo == "R1" && r.RefundAmount == 300 && r.RefundState == "PROCESSING" && r.RefundAsked == 300
			}},
		{"old style", "交易时间,公众账号ID,商户号,子商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,总金额,代金券或立减优惠金额,微信退款单号,商户退款单号,退款金额,代金券或立减优惠退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率\r\n" +
			row14 + ",`0,`0,`0.00,`0.00,`,`,`茶,`,`0.05088,`0.60%\r\n总交易单数,总交易额,总退款金额,总代金券或立减优惠退款金额,手续费总金额\r\n`1,`8.48,`0.00,`0.00,`0.05000\r\n\r\n",
			func(r BillRow) bool {
				return r.Total == 848 && r.Settled == 848 && r.OutRefundNo == "" && r.Fee == 5088
			}},
		{"a column of tomorrow, another order", "新的,商户订单号,交易状态,微信订单号,交易时间\r\n`?,`P1,`REVOKED,`42,`2024-02-29 23:59:59\r\n总交易单数,新的\r\n`1,`?\r\n",
			func(r BillRow) bool {
				return r.OutTradeNo == "P1" && r.State == "REVOKED" && r.At.Equal(time.Date(2024, 2, 29, 15, 59, 59, 0, time.UTC))
			}},
	}
	for _, tt := range tests {
		rows, _, err := readBill(strings.NewReader(tt.bill))
		if err != io.EOF || len(rows) != 1 || !tt.check(rows[0]) {
			t.Errorf("%s: %+v, %v", tt.name, rows, err)
		}
	}
}

// X35: a bill that is not whole is refused, at the latest at its end.
func TestBillRefused(t *testing.T) {
	change := func(old, new string) string { return strings.Replace(sampleBill, old, new, 1) }
	tests := []struct{ name, bill, says string }{
		{"empty", "", "cut short"},
		{"only a mark", byteOrderMark, "is missing"},
		{"no sums", sampleBill[:strings.Index(sampleBill, "总交易")], "no sums"},
		{"cut in the sums' names", sampleBill[:strings.Index(sampleBill, "手续费总金额")], "no sums"},
		{"cut in the sums", strings.TrimSuffix(sampleBill, ",`0.01\r\n"), "6 fields under 7"},
		{"cut in a row", sampleBill[:strings.Index(sampleBill, "JSAPI")], "fields under"},
		{"a row less", change(refundRow+"\r\n", ""), "not those of the lines"},
		{"a row twice", change(paidRow, paidRow+"\r\n"+paidRow), "not those of the lines"},
		{"a row of nothing more", change(paidRow, strings.ReplaceAll(paidRow, "`0.01", "`0.00")+"\r\n"+paidRow), "not those of the lines"},
		{"another amount", change("`0.01,`0.00,`\r\n", "`0.02,`0.00,`\r\n"), "not those of the lines"},
		{"another refund", change("`0.01,`0.00,`ORIGINAL", "`0.02,`0.00,`ORIGINAL"), "not those of the lines"},
		{"something behind", sampleBill + paidRow, "follows"},
		{"no header", sampleBill[strings.Index(sampleBill, "`"):], "line of names"},
		{"no order number", change("商户订单号", "商户订单"), "商户订单号 is missing"},
		{"a column twice", change("费率备注", "商户订单号"), "twice"},
		{"a field more", change("`0.00,`\r\n", "`0.00,`,`\r\n"), "more fields than"},
		{"no time", change("2019-02-19 14:19:33", "2019-02-19"), "field 1"},
		{"a day that is none", change("2019-02-19 14:19:33", "2019-02-29 14:19:33"), "field 1"},
		{"a month that is none", change("2019-02-19 14:19:33", "2019-13-19 14:19:33"), "field 1"},
		{"letters in a time", change("2019-02-19 14:19:33", "2019-02-19 14:19:3x"), "field 1"},
		{"an amount with letters", change("`0.01,`0.00,`0,", "`0.0x,`0.00,`0,"), "field 13"},
		{"half a fen", change("`0.01,`0.00,`0,", "`0.015,`0.00,`0,"), "field 13"},
		{"an endless amount", change("`0.01,`0.00,`0,", "`9999999999999,`0.00,`0,"), "field 13"},
		{"half an order", change("`2.0", "`2.5"), "field 1"},
		{"not UTF-8", change("系统", "\xff"), "not UTF-8"},
		{"a long line", change("系统拨测", strings.Repeat("x", maxBillLine)), "longer than"},
		{"many columns", change(allColumns, allColumns+strings.Repeat(",x", 64)), "more than 64"},
		{"HTML", "<html>", "is missing"},
		{"a blank line between", change(paidRow, "\r\n"+paidRow), "总交易单数 is missing"},
	}
	for _, tt := range tests {
		rows, sum, err := readBill(strings.NewReader(tt.bill))
		if !errors.Is(err, ErrBadBill) || !strings.Contains(err.Error(), tt.says) || sum != (BillSummary{}) {
			t.Errorf("%s: %d rows, %+v, %v; want %q", tt.name, len(rows), sum, err, tt.says)
		}
	}
	broken := errors.New("broken")
	if _, _, err := readBill(io.MultiReader(strings.NewReader(sampleBill[:400]), failing{broken})); err != broken {
		t.Errorf("a broken download: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestFundFlow(t *testing.T) {
	const names = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额（元）,账户结余（元）,资金变更提交申请人,备注,业务凭证号"
	const out = "`2018-02-01 04:21:23,`50000305742018020103387128253,`1900009231201802015884652186,`退款,`退款,`支出,`0.02,`0.17,`system,`缺货,`REF4200000068201801293084726067"
	const in = "`2018-02-01 04:21:24,`42,`19,`交易,`交易,`收入,`0.35,`0.52,`system,`,`P1"
	bill := byteOrderMark + names + "\r\n" + out + "\r\n" + in + "\r\n资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n`2.0,`1.0,`0.35,`1.0,`0.02\r\n"
	read := func(text string) (rows []FundRow, sum FundSummary, err error) {
		b := NewFundReader(strings.NewReader(text))
		for {
			row, err := b.Next()
			if err != nil {
				return rows, b.Summary(), err
			}
			rows = append(rows, row)
		}
	}
	want := FundRow{
		At: time.Date(2018, 1, 31, 20, 21, 23, 0, time.UTC), BusinessNo: "50000305742018020103387128253", FlowNo: "1900009231201802015884652186",
		Business: "退款", Kind: "退款", Amount: 2, Balance: 17, Applicant: "system", Remark: "缺货", VoucherNo: "REF4200000068201801293084726067",
	}
	for _, text := range []string{bill, strings.ReplaceAll(bill, "（元）", "(元)")} {
		rows, sum, err := read(text)
		if err != io.EOF || len(rows) != 2 || rows[0] != want || !rows[1].Income || sum != (FundSummary{Count: 2, Ins: 1, Outs: 1, In: 35, Out: 2}) {
			t.Errorf("%+v, %+v, %v", rows, sum, err)
		}
	}
	for name, text := range map[string]string{
		"another sum":   strings.Replace(bill, "`0.35\r\n", "`0.36\r\n", 1),
		"a row less":    strings.Replace(bill, in+"\r\n", "", 1),
		"wrong sum":     strings.Replace(bill, "`0.35,`1.0", "`0.36,`1.0", 1),
		"neither way":   strings.Replace(bill, "支出,`0.02", "不,`0.02", 1),
		"no direction":  strings.Replace(bill, "收支类型", "收支", 1),
		"cut":           bill[:len(bill)-20],
		"no sums":       bill[:strings.Index(bill, "资金流水总")],
		"a field less":  strings.Replace(bill, "`缺货,", "", 1),
		"a field more":  strings.Replace(bill, "`缺货,", "`缺,`货,", 1),
		"not UTF-8":     strings.Replace(bill, "缺货", "\xff", 1),
		"names alone":   bill[:strings.Index(bill, "`2.0")],
		"bad sum":       strings.Replace(bill, "`2.0,", "`2.x,", 1),
		"empty":         "",
		"no names":      out,
		"more than one": bill + in,
	} {
		if rows, _, err := read(text); name != "another sum" && !errors.Is(err, ErrBadBill) {
			t.Errorf("%s: %d rows, %v", name, len(rows), err)
		}
	}
}

func TestDecimal(t *testing.T) {
	tests := []struct {
		in     string
		places int
		want   int64
		ok     bool
	}{
		{"", 2, 0, true}, {"0", 2, 0, true}, {"0.00", 2, 0, true}, {"0.01", 2, 1, true}, {"12.3", 2, 1230, true}, {"-0.05", 2, -5, true},
		{"1.0000000", 2, 100, true}, {"1.001", 2, 0, false}, {"45.0", 0, 45, true}, {"45.5", 0, 0, false}, {"0.05088", 5, 5088, true},
		{"19.9", 2, 1990, true}, {"1.", 2, 0, false}, {".5", 2, 0, false}, {"-", 2, 0, false}, {"--1", 2, 0, false}, {"1,0", 2, 0, false},
		{"1e3", 2, 0, false}, {"+1", 2, 0, false}, {"１", 2, 0, false}, {"999999999999", 2, 99999999999900, true}, {"1000000000000", 2, 0, false},
	}
	for _, tt := range tests {
		if got, ok := decimal(tt.in, tt.places); ok != tt.ok || ok && got != tt.want {
			t.Errorf("decimal(%q, %d) = %d, %t; want %d, %t", tt.in, tt.places, got, ok, tt.want, tt.ok)
		}
	}
}

// endless gives a bill of n rows without holding it, and counts its bytes.
type endless struct {
	rows, n int
	left    []byte
	bytes   int64
}

func (e *endless) Read(p []byte) (int, error) {
	for len(e.left) == 0 {
		switch {
		case e.n == 0:
			e.left = []byte(byteOrderMark + allColumns + "\r\n")
		case e.n <= e.rows:
			e.left = []byte(paidRow + "\r\n")
		case e.n == e.rows+1:
			sum := fmt.Sprintf("%d.%02d", e.rows/100, e.rows%100)
			e.left = []byte(allSums + "\r\n`" + fmt.Sprint(e.rows) + ",`" + sum + ",`0.00,`0.00,`0.00,`" + sum + ",`0.00\r\n")
		default:
			return 0, io.EOF
		}
		e.n++
	}
	n := copy(p, e.left)
	e.left, e.bytes = e.left[n:], e.bytes+int64(n)
	return n, nil
}

// Memory does not grow with the bill: 20 MB of it are read with less than 4 MB
// alive at any of 50 looks.
func TestBillMemory(t *testing.T) {
	source := &endless{rows: 75_000}
	b := NewBillReader(source)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for n := 1; ; n++ {
		_, err := b.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if n%10_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			if now.HeapAlloc > before.HeapAlloc+4<<20 {
				t.Fatalf("after %d rows %d bytes are alive, %d at the start", n, now.HeapAlloc, before.HeapAlloc)
			}
		}
	}
	if source.bytes < 20<<20 || b.Summary().Count != 75_000 {
		t.Errorf("%d bytes, %+v", source.bytes, b.Summary())
	}
}

func FuzzBill(f *testing.F) {
	f.Add([]byte(sampleBill))
	f.Add([]byte(strings.ReplaceAll(sampleBill, "\r\n", "\n")))
	f.Add([]byte("`"))
	f.Add([]byte("交易时间,商户订单号,交易状态,微信订单号\n`2019-02-19 14:19:33,`a,``,`b\n总交易单数\n`1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		rows, sum, err := readBill(bytes.NewReader(text))
		if err == nil || err != io.EOF && !errors.Is(err, ErrBadBill) {
			t.Fatalf("%v", err)
		}
		if err == io.EOF && sum.Count != int64(len(rows)) {
			t.Errorf("%d rows, said to be %d", len(rows), sum.Count)
		}
		for _, r := range rows {
			if r.Total > 1e14 || r.At.Year() > 10000 {
				t.Errorf("row %+v", r)
			}
		}
		fund := NewFundReader(bytes.NewReader(text))
		for err = nil; err == nil; _, err = fund.Next() {
		}
		if err != io.EOF && !errors.Is(err, ErrBadBill) {
			t.Errorf("fund flow: %v", err)
		}
	})
}

func benchBill(rows int) []byte {
	text, _ := io.ReadAll(&endless{rows: rows})
	return text
}

// BenchmarkBillFloor is encoding/csv on the same bytes: it splits at commas
// and understands nothing.
func BenchmarkBillFloor(b *testing.B) {
	text := benchBill(1000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r := csv.NewReader(bytes.NewReader(text))
		r.LazyQuotes, r.FieldsPerRecord, r.ReuseRecord = true, -1, true
		for n := 0; ; n++ {
			if _, err := r.Read(); err == io.EOF {
				if n != 1003 {
					b.Fatal(n)
				}
				break
			}
		}
	}
}

// BenchmarkBill reads rows with their amounts and times, and checks the sums.
func BenchmarkBill(b *testing.B) {
	text := benchBill(1000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r := NewBillReader(bytes.NewReader(text))
		for {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
