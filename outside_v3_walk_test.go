package main

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"
)

// outsiderV3 is a program in no way related to ours: net/http, crypto/rsa, and
// the signatures as the document gives them (WeChat Pay v3, signing).
type outsiderV3 struct {
	t         *testing.T
	base      string
	id        map[string]string
	own       *rsa.PrivateKey
	wechat    *rsa.PublicKey
	notifyURL string
	notified  chan map[string]any
}

func (o *outsiderV3) keys() {
	o.t.Helper()
	private, _ := pem.Decode([]byte(o.id["merchant_private_key"]))
	public, _ := pem.Decode([]byte(o.id["platform_public_key"]))
	if private == nil || public == nil {
		o.t.Fatalf("identity has no keys: %v", o.id)
	}
	own, err := x509.ParsePKCS8PrivateKey(private.Bytes)
	if err != nil {
		o.t.Fatal(err)
	}
	wechat, err := x509.ParsePKIXPublicKey(public.Bytes)
	if err != nil {
		o.t.Fatal(err)
	}
	o.own, o.wechat = own.(*rsa.PrivateKey), wechat.(*rsa.PublicKey)
}

// call signs a request, and checks the signature of what says yes.
func (o *outsiderV3) call(method, target string, in any) (int, map[string]any) {
	o.t.Helper()
	var body []byte
	if in != nil {
		body, _ = json.Marshal(in)
	}
	stamp, nonce := strconv.FormatInt(time.Now().Unix(), 10), "593BEC0C930BF1AFEB40B4A08C8FB242"
	sum := sha256.Sum256([]byte(method + "\n" + target + "\n" + stamp + "\n" + nonce + "\n" + string(body) + "\n"))
	sig, err := rsa.SignPKCS1v15(rand.Reader, o.own, crypto.SHA256, sum[:])
	if err != nil {
		o.t.Fatal(err)
	}
	r, err := http.NewRequest(method, o.base+target, bytes.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	r.Header.Set("Authorization", fmt.Sprintf(`WECHATPAY2-SHA256-RSA2048 mchid="%s",nonce_str="%s",timestamp="%s",serial_no="%s",signature="%s"`,
		o.id["mch_id"], nonce, stamp, o.id["merchant_serial_no"], base64.StdEncoding.EncodeToString(sig)))
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Wechatpay-Serial", o.id["platform_public_key_id"])
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	if res.StatusCode < 300 && !o.verifies(res.Header, raw) {
		o.t.Errorf("%s %s: the answer's signature is wrong: %s", method, target, raw)
	}
	var out map[string]any
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &out); err != nil {
			o.t.Fatalf("%s %s = %d %s: %v", method, target, res.StatusCode, raw, err)
		}
	}
	return res.StatusCode, out
}

func (o *outsiderV3) verifies(h http.Header, body []byte) bool {
	sum := sha256.Sum256([]byte(h.Get("Wechatpay-Timestamp") + "\n" + h.Get("Wechatpay-Nonce") + "\n" + string(body) + "\n"))
	sig, err := base64.StdEncoding.DecodeString(h.Get("Wechatpay-Signature"))
	return err == nil && h.Get("Wechatpay-Serial") == o.id["platform_public_key_id"] && rsa.VerifyPKCS1v15(o.wechat, crypto.SHA256, sum[:], sig) == nil
}

// serve is the outsider's own shop: it opens notifications.
func (o *outsiderV3) serve() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		o.t.Fatal(err)
	}
	o.notifyURL = "http://" + l.Addr().String() + "/told"
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if !o.verifies(r.Header, b) {
			o.t.Errorf("a notification's signature is wrong: %s", b)
		}
		var n struct {
			Resource struct {
				Ciphertext, Nonce string
				AssociatedData    string `json:"associated_data"`
			}
		}
		_ = json.Unmarshal(b, &n)
		sealed, _ := base64.StdEncoding.DecodeString(n.Resource.Ciphertext)
		block, _ := aes.NewCipher([]byte(o.id["api_v3_key"]))
		gcm, _ := cipher.NewGCM(block)
		plain, err := gcm.Open(nil, []byte(n.Resource.Nonce), sealed, []byte(n.Resource.AssociatedData))
		var content map[string]any
		if err != nil || json.Unmarshal(plain, &content) != nil {
			o.t.Errorf("a notification does not open: %v in %s", err, b)
		}
		w.WriteHeader(http.StatusNoContent)
		o.notified <- content
	})}
	go srv.Serve(l)
	o.t.Cleanup(func() { srv.Close() })
}

func (o *outsiderV3) told() map[string]any {
	o.t.Helper()
	select {
	case n := <-o.notified:
		return n
	case <-time.After(20 * time.Second):
		o.t.Fatal("no notification came")
	}
	return nil
}

// An outside program lives on the documented interface of `wxshop sim` by v3.
func TestOutsideProgramV3(t *testing.T) {
	port, face := freePort(t), freePort(t)
	w := &town{t: t, gateway: "http://127.0.0.1:" + port}
	w.sim = &process{t: t, dir: t.TempDir(), env: baseEnv(),
		args: []string{"sim", "--listen", "127.0.0.1:" + port, "--browser", "127.0.0.1:" + face, "--app", "http://127.0.0.1:9"}}
	w.sim.start()
	t.Cleanup(func() { w.sim.end(os.Interrupt) })
	w.await(w.sim, w.gateway+"/_sim/healthz")
	o := &outsiderV3{t: t, base: w.gateway, notified: make(chan map[string]any, 4)}
	w.api("GET", "identity", nil, &o.id)
	o.keys()
	o.serve()
	var user struct{ OpenID string }
	w.api("POST", "users", map[string]any{"nickname": "小茶", "balance": 100000}, &user)
	o.buysAndReturns(w, user.OpenID)
	w.sim.end(os.Kill) // the journal and the keys outlive it
	w.sim.start()
	w.await(w.sim, w.gateway+"/_sim/healthz")
	if code, q := o.call("GET", "/v3/pay/transactions/out-trade-no/OUTSIDE-V3?mchid="+o.id["mch_id"], nil); code != 200 || q["trade_state"] != "REFUND" {
		t.Errorf("after a restart the query = %d %v", code, q)
	}
}

func (o *outsiderV3) buysAndReturns(w *town, openid string) {
	t := o.t
	t.Helper()
	const no = "OUTSIDE-V3"
	query := "/v3/pay/transactions/out-trade-no/" + no + "?mchid=" + o.id["mch_id"]
	order := map[string]any{
		"appid": o.id["app_id"], "mchid": o.id["mch_id"], "description": "小茶 <&> 一罐", "out_trade_no": no, "attach": "a=1&b=2",
		"notify_url": o.notifyURL, "amount": map[string]any{"total": 1234, "currency": "CNY"}, "payer": map[string]any{"openid": openid},
	}
	if code, got := o.call("POST", "/v3/pay/transactions/jsapi", order); code != 200 || len(fmt.Sprint(got["prepay_id"])) != 36 {
		t.Fatalf("prepay = %d %v", code, got)
	}
	if code, q := o.call("GET", query, nil); code != 200 || q["trade_state"] != "NOTPAY" {
		t.Errorf("before paying the query = %d %v", code, q)
	}
	if code := w.api("POST", "transactions/"+no+"/pay", map[string]string{"openid": openid}, nil); code != 200 {
		t.Fatalf("paying = %d", code)
	}
	if n := o.told(); n["out_trade_no"] != no || n["trade_state"] != "SUCCESS" || n["attach"] != "a=1&b=2" {
		t.Errorf("notification = %v", n)
	}
	if code, q := o.call("POST", "/v3/pay/transactions/out-trade-no/"+no+"/close", map[string]string{"mchid": o.id["mch_id"]}); code != 400 || q["code"] != "ORDERPAID" {
		t.Errorf("closing a paid order = %d %v", code, q)
	}
	refund := map[string]any{"out_trade_no": no, "out_refund_no": "R-" + no, "notify_url": o.notifyURL,
		"amount": map[string]any{"refund": 234, "total": 1234, "currency": "CNY"}}
	if code, r := o.call("POST", "/v3/refund/domestic/refunds", refund); code != 200 || r["status"] != "PROCESSING" {
		t.Fatalf("refund = %d %v", code, r)
	}
	if n := o.told(); n["out_refund_no"] != "R-"+no || n["refund_status"] != "SUCCESS" {
		t.Errorf("refund notification = %v", n)
	}
	if code, r := o.call("GET", "/v3/refund/domestic/refunds/R-"+no, nil); code != 200 || r["status"] != "SUCCESS" {
		t.Errorf("refund query = %d %v", code, r)
	}
	if code, e := o.call("POST", "/v3/pay/transactions/jsapi", map[string]any{"appid": o.id["app_id"]}); code != 400 || e["code"] != "PARAM_ERROR" {
		t.Errorf("an order of nothing = %d %v", code, e)
	}
	if code, e := o.call("GET", "/v3/pay/transactions/out-trade-no/NEVER-PLACED?mchid="+o.id["mch_id"], nil); code != 404 || e["code"] != "ORDER_NOT_EXIST" {
		t.Errorf("an unknown order = %d %v", code, e)
	}
}
