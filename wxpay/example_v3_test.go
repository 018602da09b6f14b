package wxpay_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"time"

	"wxshop/wxpay"
)

const (
	exampleAPIv3Key = "0123456789abcdef0123456789ABCDEF"
	exampleKeyID    = "PUB_KEY_ID_0114232134912410000000000000"
)

// exampleSealed is a paid order, sealed with the key above: vector A4.
const exampleSealed = "bz1kVndYkCFlgKSe7VZeuBxDb6Dr2XsCUhw9dEHzO9M653wGxG2i4fVCms/wOqKZjUsbFiP7HsHKfJhCIMNmvF5niGdfHgmwqgTmiJ3lBeUTfoGOlG3K3icBM/pUkZEzP04Ffb6NY+WYtew6hEuotjED9cUrQ5QsY9fBLks0/IXaMAU/EeYTw9OeCPDDadj0RKrG1uRrYfJwk+GzK3K2S1ZbKu/RVU64nXR7RjESkYPo3kYFNrUiVeUOywoOYRzc96/ofjD4Z84XhbkTfiiXZGQMgQRAgio8P1T3PElgbaARMATfTq9VzDEDhWiLhlu2GGq4kWlisi92HWU2xiAnlOUjPOfXB9oumI07RKcIdp2jk8yjY5hRwtLd1H5XdsHgYh54pj/SEnOAXutT2Fc1MsB0ubDQTV1zQLGaeo8BIIiHmQ0z7gMbNKSN1DunsNeNYPiUCGjGqMDY5r7EHiVZ6TS4gmRO+617ea19VWZSmTZLlYEN2WVGsp9qh5JvWVft8E0H+iBI0UgEvR7EH+ces+RSSv2lSiqG+WtSP98dU+lW7ljZG1mPixqt+uE/6vJY3zCYcIRURI3J4v3s+ljD"

// wechatV3 is the WeChat of the examples: it has one key and one answer.
type wechatV3 struct{ key *rsa.PrivateKey }

// sign adds the headers by which WeChat is known.
func (w wechatV3) sign(h http.Header, body string) {
	at := strconv.FormatInt(time.Now().Unix(), 10)
	sum := sha256.Sum256([]byte(at + "\nd824f2e086d3c1df\n" + body + "\n"))
	sign, err := rsa.SignPKCS1v15(nil, w.key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	h.Set("Wechatpay-Timestamp", at)
	h.Set("Wechatpay-Nonce", "d824f2e086d3c1df")
	h.Set("Wechatpay-Serial", exampleKeyID)
	h.Set("Wechatpay-Signature", base64.StdEncoding.EncodeToString(sign))
}

func (w wechatV3) ServeHTTP(rw http.ResponseWriter, _ *http.Request) {
	const body = `{"prepay_id":"wx201410272009395522657a690389285100"}`
	w.sign(rw.Header(), body)
	io.WriteString(rw, body)
}

// exampleKeys are the files that a merchant gets: its own key, WeChat Pay's.
func exampleKeys(wechat wechatV3) (private, public []byte) {
	private, err := os.ReadFile("testdata/v3/merchant_testing_key.pem")
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&wechat.key.PublicKey)
	if err != nil {
		panic(err)
	}
	public = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return bytes.ReplaceAll(private, []byte("TESTING KEY"), []byte("PRIVATE KEY")), public
}

// newExampleV3 is a client as a merchant makes it.
func newExampleV3(wechat wechatV3, host string) (*wxpay.V3Gateway, error) {
	apiclientKey, pubKey := exampleKeys(wechat)
	private, err := wxpay.LoadPrivateKey(apiclientKey)
	if err != nil {
		return nil, err
	}
	public, err := wxpay.LoadPublicKey(pubKey)
	if err != nil {
		return nil, err
	}
	return wxpay.NewV3(wxpay.Config{
		AppID: "wx8888888888888888", MchID: "1900000109",
		SerialNo: "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB", PrivateKey: private, // of the merchant's certificate
		APIv3Key:      exampleAPIv3Key,
		PlatformKeyID: exampleKeyID, PlatformKey: public, // or KeyMode: wxpay.CertificateMode, without them
		Hosts: []string{host}, // leave out for the real WeChat
	})
}

// Place an order with API v3 and make the parameters that the page hands to
// WeChat. Only the constructor differs from v2.
func ExampleNewV3() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(wechatV3{key})
	defer server.Close()
	var gw wxpay.Gateway // of either version
	if gw, err = newExampleV3(wechatV3{key}, server.URL); err != nil {
		fmt.Println(err)
		return
	}
	prepaid, err := gw.Prepay(context.Background(), wxpay.Order{
		OutTradeNo: "P20250806A7K2M9", TradeType: wxpay.JSAPI, Description: "茶店-龙井 50g", Total: 888,
		OpenID: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", NotifyURL: "https://shop.example.com/notify/v3/pay",
	})
	switch {
	case wxpay.IsUnknown(err):
		fmt.Println("ask again, with the same number")
	case errors.Is(err, wxpay.ErrAlreadyPaid):
		fmt.Println("query it")
	case err != nil:
		fmt.Println(err)
	}
	params, err := gw.Bridge(prepaid.PrepayID, "", time.Unix(1754456027, 0))
	fmt.Println(params.Package, params.SignType, params.TimeStamp, len(params.PaySign), err)
	// Output: prepay_id=wx201410272009395522657a690389285100 RSA 1754456027 344 <nil>
}

// A notification handler: verify and open, store, and only then acknowledge.
func ExampleV3Gateway_ParseNotify() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		fmt.Println(err)
		return
	}
	gw, err := newExampleV3(wechatV3{key}, "http://localhost:8081")
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		reply := gw.Reject("签名失败")
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
		if err == nil {
			var t wxpay.Transaction
			if t, err = gw.ParseNotify(r.Header, body); err == nil {
				fmt.Println(t.OutTradeNo, t.Total, t.State) // compare with the order, store
				reply = gw.Accept()
			}
		}
		if reply.ContentType != "" {
			w.Header().Set("Content-Type", reply.ContentType)
		}
		w.WriteHeader(reply.Status)
		w.Write(reply.Body)
	}
	const body = `{"id":"EV-2018022511223320873","create_time":"2018-06-08T10:34:56+08:00","resource_type":"encrypt-resource",` +
		`"event_type":"TRANSACTION.SUCCESS","summary":"支付成功","resource":{"original_type":"transaction","algorithm":"AEAD_AES_256_GCM",` +
		`"ciphertext":"` + exampleSealed + `","associated_data":"transaction","nonce":"fdasflkja484"}}`
	for _, forged := range []bool{false, true} {
		r := httptest.NewRequest("POST", "/notify/v3/pay", strings.NewReader(body))
		if (wechatV3{key}).sign(r.Header, body); forged {
			r.Header.Del("Wechatpay-Signature")
		}
		w := httptest.NewRecorder()
		handler(w, r)
		fmt.Printf("%d %q\n", w.Code, w.Body)
	}
	// Output:
	// 1217752501201407033233368018 100 SUCCESS
	// 204 ""
	// 401 "{\"code\":\"FAIL\",\"message\":\"签名失败\"}"
}
