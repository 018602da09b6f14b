package handlers

import (
	"bytes"
	"crypto/aes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"wxshop/checkout"
	"wxshop/models"
)

// refund gives money back and lets the loop ask until it arrived.
func (w *world) refund(no string, fen models.Fen) *models.Refund {
	w.t.Helper()
	r, _, err := w.srv.Checkout.Refund(w.t.Context(), checkout.RefundRequest{No: no, Amount: fen, Note: "一罐压坏了", Token: "T" + no + fen.String(), Actor: "staff:mei"})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// The buyer sees what goes back, in every state.
func TestRefundsOnTheOrderPage(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	no := w.settledOrder(c, "LJ-50g")
	r := w.refund(no, 2000)
	for _, tt := range []struct {
		name, state string
		page, list  []string
	}{
		{"asked", "pending", []string{"退款中 ¥20.00", r.OutRefundNo, "¥20.00</b> 已交给微信"}, []string{"退款中 ¥20.00"}},
		{"taken on", "processing", []string{"退款中 ¥20.00", r.OutRefundNo}, []string{"退款中 ¥20.00", "待发货"}},
		{"held up", "abnormal", []string{"退款遇到问题", "退款异常"}, []string{"退款异常"}},
		{"closed", "closed", []string{"退款未成", "微信没有退成"}, []string{"待发货"}},
		{"arrived", "succeeded", []string{"部分退款 ¥20.00", "已退款", "−¥20.00"}, []string{"待发货"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.exec(`UPDATE refunds SET state = ?`, tt.state)
			page, list := c.visit("/orders/"+no), c.visit("/orders?s=refund")
			for _, want := range tt.page {
				if !strings.Contains(page.body, want) {
					t.Errorf("the order page does not say %q", want)
				}
			}
			for _, want := range append(tt.list, no) {
				if !strings.Contains(list.body, want) {
					t.Errorf("the list does not say %q", want)
				}
			}
			if status := c.visit("/orders/" + no + "/status"); status.StatusCode != 200 {
				t.Errorf("status = %d", status.StatusCode)
			}
		})
	}
	w.exec(`UPDATE refunds SET state = 'succeeded', amount = total`)
	if page := c.visit("/orders/" + no); !strings.Contains(page.body, "已退款 ¥106.00") {
		t.Errorf("all back\n%s", page.body)
	}
}

// Money that came too late, or twice, is on its way back, and says so.
func TestRefundsOfLateAndDouble(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	for _, tt := range []struct {
		name, reason, state, order string
		want, not                  string
	}{
		{"late", "late", "processing", "closed", "正原路退回", "没有扣钱"},
		{"late, back", "late", "succeeded", "closed", "已退款 ¥106.00", "没有扣钱"},
		{"late, held up", "late", "abnormal", "closed", "退款遇到问题", "没有扣钱"},
		{"late, refused", "late", "closed", "closed", "退款未成", "没有扣钱"},
		{"double", "double", "processing", "paid", "已多付，正在退", "退款中 </h1>"},
		{"double, back", "double", "succeeded", "paid", "付款成功", "已退款 ¥106.00"},
		{"misfit", "misfit", "processing", "paid", "付款成功", "已多付"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			no := w.settledOrder(c, "LJ-50g")
			r := w.refund(no, 10600)
			w.exec(`UPDATE refunds SET reason = ?, state = ? WHERE id = ?`, tt.reason, tt.state, r.ID)
			w.exec(`UPDATE orders SET state = ?, close_reason = 'timeout' WHERE no = ?`, tt.order, no)
			page := c.visit("/orders/" + no)
			if !strings.Contains(page.body, tt.want) || strings.Contains(page.body, tt.not) {
				t.Errorf("wants %q and not %q\n%s", tt.want, tt.not, page.body)
			}
			if status := c.visit("/orders/" + no + "/status"); strings.Contains(status.body, "没有扣钱") {
				t.Errorf("status = %s", status.body)
			}
		})
	}
}

// X8, P18: what is no notification of a refund changes nothing, and the true
// one is only a hint.
func TestRefundNotify(t *testing.T) {
	w := newWorld(t)
	c := w.inside("1").signIn()
	no := w.settledOrder(c, "LJ-50g")
	r := w.refund(no, 2000)
	post := func(body string) result {
		q := w.outside().request("POST", "/notify/v2/refund", nil)
		q.Body, q.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		q.Header.Set("Content-Type", "text/xml")
		return w.outside().send(q)
	}
	id := w.sim.Identity()
	wrap := func(info string) string {
		return "<xml><return_code>SUCCESS</return_code><appid>" + id.AppID + "</appid><mch_id>" + id.MchID + "</mch_id><nonce_str>a</nonce_str><req_info><![CDATA[" + info + "]]></req_info></xml>"
	}
	true_ := sealRefund(id.APIKey, "<root><out_refund_no>"+r.OutRefundNo+"</out_refund_no><out_trade_no>"+r.OutTradeNo+"</out_trade_no><refund_id>50000000382019052709732678859</refund_id>"+
		"<transaction_id>"+r.TransactionID+"</transaction_id><total_fee>10600</total_fee><refund_fee>2000</refund_fee><settlement_refund_fee>2000</settlement_refund_fee><refund_status>SUCCESS</refund_status>"+
		"<success_time>2026-11-20 16:40:00</success_time><refund_recv_accout>支付用户的零钱</refund_recv_accout><refund_account>REFUND_SOURCE_RECHARGE_FUNDS</refund_account><refund_request_source>API</refund_request_source></root>")
	before := w.dump()
	for name, body := range map[string]string{
		"empty": "", "no XML": "{}", "random": wrap("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="), "no base64": wrap("!!!"),
		"cut": wrap(true_[:len(true_)/2]), "another key": wrap(sealRefund(strings.Repeat("0", 32), "<root></root>")),
		"X9": "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>" + wrap(true_),
		"v3": `{"id":"a","event_type":"REFUND.SUCCESS","resource":{}}`,
	} {
		if res := post(body); res.StatusCode != 200 || !strings.Contains(res.body, "FAIL") {
			t.Errorf("%s = %d %s", name, res.StatusCode, res.body)
		}
	}
	unchanged(t, before, w.dump())
	if res := post(wrap(true_)); res.StatusCode != 200 || res.body != accepted {
		t.Errorf("true one = %d %s\n%s", res.StatusCode, res.body, w.log)
	}
	rs, err := w.store.RefundsOf(t.Context(), w.order(no).ID)
	if err != nil || len(rs) != 1 || rs[0].State == models.RefundSucceeded {
		t.Errorf("a hint settled the refund: %v %v", rs, err) // P18
	}
	if res := post(strings.Repeat("x", 70<<10)); res.StatusCode != 413 {
		t.Errorf("a large one = %d", res.StatusCode)
	}
}

// sealRefund encrypts as WeChat does (WeChat Pay v2, refund notification):
// AES-256-ECB under the hex MD5 of the key. Written from the document, not with
// wxpay.
func sealRefund(key, text string) string {
	sum := md5.Sum([]byte(key))
	block, err := aes.NewCipher([]byte(hex.EncodeToString(sum[:])))
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	n := aes.BlockSize - len(text)%aes.BlockSize
	plain := append([]byte(text), bytes.Repeat([]byte{byte(n)}, n)...)
	for i := 0; i < len(plain); i += aes.BlockSize {
		block.Encrypt(plain[i:], plain[i:i+aes.BlockSize])
	}
	return base64.StdEncoding.EncodeToString(plain)
}
