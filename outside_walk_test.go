package main

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// outsider is a program in no way related to ours: net/http, encoding/xml, and
// the signature as the document gives it (WeChat Pay v2, signing).
type outsider struct {
	t               *testing.T
	base            string
	appID, mch, key string
	notifyURL       string
	notified        chan map[string]string
}

func v2Sign(m map[string]string, key, alg string) string {
	var names []string
	for k, v := range m {
		if k != "sign" && v != "" {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	for _, k := range names {
		b.WriteString(k + "=" + m[k] + "&")
	}
	b.WriteString("key=" + key)
	if alg == "HMAC-SHA256" {
		h := hmac.New(sha256.New, []byte(key))
		io.WriteString(h, b.String())
		return strings.ToUpper(hex.EncodeToString(h.Sum(nil)))
	}
	h := md5.Sum([]byte(b.String()))
	return strings.ToUpper(hex.EncodeToString(h[:]))
}

func xmlFields(t *testing.T, b []byte) map[string]string {
	t.Helper()
	var doc struct {
		Fields []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal(b, &doc); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	m := map[string]string{}
	for _, f := range doc.Fields {
		m[f.XMLName.Local] = f.Text
	}
	return m
}

// call posts signed fields and checks the signature of the answer.
func (o *outsider) call(path, alg string, m map[string]string) map[string]string {
	o.t.Helper()
	m["appid"], m["mch_id"], m["nonce_str"], m["sign_type"] = o.appID, o.mch, "abcdefgh12345678", alg
	m["sign"] = v2Sign(m, o.key, alg)
	var b strings.Builder
	b.WriteString("<xml>")
	for k, v := range m {
		fmt.Fprintf(&b, "<%s><![CDATA[%s]]></%s>", k, v, k)
	}
	b.WriteString("</xml>")
	res, err := http.Post(o.base+path, "text/xml", strings.NewReader(b.String()))
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	got := xmlFields(o.t, raw)
	if got["return_code"] == "SUCCESS" && got["sign"] != v2Sign(got, o.key, alg) {
		o.t.Errorf("%s: the answer's signature is wrong: %s", path, raw)
	}
	return got
}

// serve is the outsider's own shop: it takes notifications.
func (o *outsider) serve() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		o.t.Fatal(err)
	}
	o.notifyURL = "http://" + l.Addr().String() + "/paid"
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		o.notified <- xmlFields(o.t, b)
		io.WriteString(w, "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>")
	})}
	go srv.Serve(l)
	o.t.Cleanup(func() { srv.Close() })
}

var gatewayLine = regexp.MustCompile(`http://(?:localhost|127\.0\.0\.1):\d+`)

// An outside program lives on the documented interface of `wxshop sim` alone.
func TestOutsideProgram(t *testing.T) {
	port, face := freePort(t), freePort(t)
	w := &town{t: t, gateway: "http://127.0.0.1:" + port}
	w.sim = &process{t: t, dir: t.TempDir(), env: baseEnv(),
		args: []string{"sim", "--listen", "127.0.0.1:" + port, "--browser", "127.0.0.1:" + face, "--app", "http://127.0.0.1:9"}}
	w.sim.start()
	t.Cleanup(func() { w.sim.end(os.Interrupt) })
	w.await(w.sim, w.gateway+"/_sim/healthz")
	if !gatewayLine.MatchString(w.sim.output()) {
		t.Errorf("the simulator did not print its address:\n%s", w.sim.output())
	}
	var id struct {
		AppID     string `json:"app_id"`
		AppSecret string `json:"app_secret"`
		MchID     string `json:"mch_id"`
		APIKey    string `json:"api_key"`
	}
	w.api("GET", "identity", nil, &id)
	if id.AppID != "wxf000000000000001" || id.MchID != "1900000001" || len(id.APIKey) != 32 || len(id.AppSecret) != 32 {
		t.Fatalf("identity = %+v", id)
	}
	o := &outsider{t: t, base: w.gateway, appID: id.AppID, mch: id.MchID, key: id.APIKey, notified: make(chan map[string]string, 4)}
	o.serve()
	var user struct{ OpenID string }
	w.api("POST", "users", map[string]any{"nickname": "小茶", "balance": 100000}, &user)
	for _, alg := range []string{"MD5", "HMAC-SHA256"} {
		t.Run(alg, func(t *testing.T) { o.buys(t, w, user.OpenID, alg) })
	}
	t.Run("refused", func(t *testing.T) { o.isRefused(t) })
	t.Run("restart", func(t *testing.T) { // the journal keeps what was paid
		w.sim.end(os.Kill)
		w.sim.start()
		w.await(w.sim, w.gateway+"/_sim/healthz")
		q := o.call("/pay/orderquery", "MD5", map[string]string{"out_trade_no": "OUTSIDE-MD5"})
		if q["trade_state"] != "SUCCESS" {
			t.Errorf("after a restart orderquery = %v", q)
		}
	})
}

func (o *outsider) buys(t *testing.T, w *town, openid, alg string) {
	no := "OUTSIDE-" + alg
	order := map[string]string{"out_trade_no": no, "body": "茶 & <杯>", "total_fee": "1234", "spbill_create_ip": "127.0.0.1",
		"notify_url": o.notifyURL, "trade_type": "JSAPI", "openid": openid, "attach": "a=1&b=2"}
	got := o.call("/pay/unifiedorder", alg, order)
	if got["result_code"] != "SUCCESS" || !strings.HasPrefix(got["prepay_id"], "wx") {
		t.Fatalf("unifiedorder = %v", got)
	}
	if q := o.call("/pay/orderquery", alg, map[string]string{"out_trade_no": no}); q["trade_state"] != "NOTPAY" {
		t.Errorf("before paying orderquery = %v", q)
	}
	if code := w.api("POST", "transactions/"+no+"/pay", map[string]string{"openid": openid}, nil); code != 200 {
		t.Fatalf("paying = %d", code)
	}
	select {
	case n := <-o.notified:
		if n["sign"] != v2Sign(n, o.key, alg) || n["total_fee"] != "1234" || n["out_trade_no"] != no || n["attach"] != "a=1&b=2" || n["openid"] != openid {
			t.Errorf("notification = %v", n)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no notification came")
	}
	q := o.call("/pay/orderquery", alg, map[string]string{"out_trade_no": no})
	if q["trade_state"] != "SUCCESS" || len(q["transaction_id"]) != 28 {
		t.Errorf("orderquery = %v", q)
	}
	if c := o.call("/pay/closeorder", alg, map[string]string{"out_trade_no": no}); c["err_code"] != "ORDERPAID" {
		t.Errorf("closing a paid order = %v", c)
	}
	again := o.call("/pay/unifiedorder", alg, order)
	if again["err_code"] != "ORDERPAID" {
		t.Errorf("ordering a paid number = %v", again)
	}
}

// isRefused: WeChat's exact bytes for what it refuses.
func (o *outsider) isRefused(t *testing.T) {
	post := func(body string) string {
		res, err := http.Post(o.base+"/pay/unifiedorder", "text/xml", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return string(b)
	}
	fail := func(msg string) string {
		return "<xml><return_code><![CDATA[FAIL]]></return_code>\n<return_msg><![CDATA[" + msg + "]]></return_msg>\n</xml>"
	}
	if got := strings.TrimSpace(post("<xml><appid>wxf000000000000001</appid><mch_id>1900000001</mch_id><nonce_str>x</nonce_str>" +
		"<body>b</body><out_trade_no>REFUSED-1</out_trade_no><total_fee>1</total_fee><spbill_create_ip>127.0.0.1</spbill_create_ip>" +
		"<notify_url>" + o.notifyURL + "</notify_url><trade_type>JSAPI</trade_type><openid>o</openid><sign>00</sign></xml>")); got != fail("签名错误") {
		t.Errorf("a wrong signature = %s", got)
	}
	if got := strings.TrimSpace(post("<xml>")); got != fail("XML格式错误") {
		t.Errorf("broken XML = %s", got)
	}
	if q := o.call("/pay/orderquery", "MD5", map[string]string{"out_trade_no": "NEVER-PLACED"}); q["err_code"] != "ORDERNOTEXIST" {
		t.Errorf("an unknown order = %v", q)
	}
	u, _ := url.Parse(o.base)
	if u.Hostname() != "127.0.0.1" {
		t.Errorf("the gateway is at %s", u.Host)
	}
}
