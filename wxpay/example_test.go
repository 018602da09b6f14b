package wxpay_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"wxshop/wxpay"
)

const exampleKey = "192006250b4c09247ec02edce69f6a2d"

// wechat answers every order with the same prepay id. The signature is that of
// exactly these values.
func wechat(w http.ResponseWriter, _ *http.Request) {
	io.WriteString(w, `<xml><return_code><![CDATA[SUCCESS]]></return_code>
<return_msg><![CDATA[OK]]></return_msg>
<result_code><![CDATA[SUCCESS]]></result_code>
<mch_id><![CDATA[1900000109]]></mch_id>
<appid><![CDATA[wx8888888888888888]]></appid>
<nonce_str><![CDATA[IITRi8Iabbblz1Jc]]></nonce_str>
<sign><![CDATA[3B38C9F4A99D1794F90CCE6F05CBFBD29053EF2B9A7672FDD894EB67B5D599FD]]></sign>
<prepay_id><![CDATA[wx06125346000000a1b2c3d4e5f6a7b80000]]></prepay_id>
<trade_type><![CDATA[JSAPI]]></trade_type>
</xml>`)
}

// Place an order and make the parameters that the page hands to WeChat.
func ExampleV2Client() {
	server := httptest.NewServer(http.HandlerFunc(wechat))
	defer server.Close()
	client, err := wxpay.NewV2(wxpay.Config{
		AppID: "wx8888888888888888", MchID: "1900000109", APIKey: exampleKey,
		Hosts: []string{server.URL}, // leave out for the real WeChat
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	prepaid, err := client.Prepay(context.Background(), wxpay.Order{
		OutTradeNo: "P20250806A7K2M9", TradeType: wxpay.JSAPI, Description: "茶店-龙井 50g", Total: 888,
		OpenID: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", ClientIP: "123.12.12.123",
		NotifyURL: "https://shop.example.com/notify/v2/pay",
	})
	switch {
	case wxpay.IsUnknown(err):
		fmt.Println("ask again, with the same number")
	case errors.Is(err, wxpay.ErrAlreadyPaid):
		fmt.Println("query it")
	case err != nil:
		fmt.Println(err)
	}
	params, err := client.Bridge(prepaid.PrepayID, "", time.Unix(1754456027, 0))
	fmt.Println(params.Package, params.SignType, params.TimeStamp, err)
	// Output: prepay_id=wx06125346000000a1b2c3d4e5f6a7b80000 HMAC-SHA256 1754456027 <nil>
}

// A notification handler: verify, store, and only then acknowledge.
func ExampleV2Client_ParseNotify() {
	client, err := wxpay.NewV2(wxpay.Config{AppID: "wx8888888888888888", MchID: "1900000109", APIKey: exampleKey})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		reply := client.Reject("签名失败")
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
		if err == nil {
			var t wxpay.Transaction
			if t, err = client.ParseNotify(r.Header, body); err == nil {
				fmt.Println(t.OutTradeNo, t.Total, t.State) // compare with the order, store
				reply = client.Accept()
			}
		}
		w.Header().Set("Content-Type", reply.ContentType)
		w.WriteHeader(reply.Status)
		w.Write(reply.Body)
	}
	text := "appid=wx8888888888888888&mch_id=1900000109&nonce_str=N0nce&out_trade_no=P20250806A7K2M9" +
		"&result_code=SUCCESS&return_code=SUCCESS&total_fee=888&transaction_id=4200000001"
	mac := hmac.New(sha256.New, []byte(exampleKey))
	io.WriteString(mac, text+"&key="+exampleKey)
	body := "<xml><sign>" + strings.ToUpper(hex.EncodeToString(mac.Sum(nil))) + "</sign>"
	for pair := range strings.SplitSeq(text, "&") {
		name, value, _ := strings.Cut(pair, "=")
		body += "<" + name + "><![CDATA[" + value + "]]></" + name + ">"
	}
	w := httptest.NewRecorder()
	handler(w, httptest.NewRequest("POST", "/notify/v2/pay", strings.NewReader(body+"</xml>")))
	fmt.Println(w.Body)
	// Output:
	// P20250806A7K2M9 888 SUCCESS
	// <xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>
}

// Who is the person in front of the page?
func ExampleMP() {
	mp, err := wxpay.NewMP(wxpay.MPConfig{AppID: "wx8888888888888888", AppSecret: "5ec3e700000000000000000000005ec3"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(mp.AuthorizeURL("https://shop.example.com/auth/wechat/callback", wxpay.ScopeBase, "9f86d081884c7d65"))
	// then, in the callback: user, err := mp.Exchange(ctx, r.FormValue("code"))

	// Output: https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx8888888888888888&redirect_uri=https%3A%2F%2Fshop.example.com%2Fauth%2Fwechat%2Fcallback&response_type=code&scope=snsapi_base&state=9f86d081884c7d65#wechat_redirect
}

// What did WeChat count yesterday?
func ExampleBillReader() {
	const bill = "\ufeff交易时间,公众账号ID,商户号,微信订单号,商户订单号,交易类型,交易状态,商户退款单号,退款金额,手续费,订单金额\r\n" +
		"`2026-11-19 14:19:33,`wx8888888888888888,`1900000109,`4200000263,`P20261119A7K2M9,`JSAPI,`SUCCESS,`0,`0.00,`1.00800,`168.00\r\n" +
		"`2026-11-19 16:01:00,`wx8888888888888888,`1900000109,`4200000263,`P20261119A7K2M9,`JSAPI,`REFUND,`R20261119000001,`58.00,`-0.34800,`0.00\r\n" +
		"总交易单数,退款总金额,手续费总金额,订单总金额\r\n`2.0,`58.0,`0.66,`168.0\r\n"
	r := wxpay.NewBillReader(strings.NewReader(bill)) // in life: gw.Bill(ctx, wxpay.BillRequest{Day: yesterday})
	for {
		row, err := r.Next()
		if err == io.EOF {
			break // only now is it known that nothing is missing
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(row.OutTradeNo, row.State, row.Total, row.OutRefundNo, row.RefundAmount)
	}
	fmt.Printf("%+v\n", r.Summary())
	// Output:
	// P20261119A7K2M9 SUCCESS 16800  0
	// P20261119A7K2M9 REFUND 0 R20261119000001 5800
	// {Count:2 Settled:0 RefundAmount:5800 RefundCoupon:0 Fee:66000 Total:16800 RefundAsked:0}
}
