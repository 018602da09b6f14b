package sim

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The names of the fields are a contract with programs in other languages.
func TestShapes(t *testing.T) {
	w := newWorld(t, Options{AppURL: "http://localhost:8080"})
	w.order("shape00001")
	id := w.pay("shape00001").Notifications[0]
	w.order("shape00002")
	w.api("POST", "notifications/"+id+"/resend", "", 200, nil)
	tests := []struct {
		name, method, path, body string
		want                     string
	}{
		{"identity", "GET", "identity", "", "base_url browser_url app_id app_secret mini_app_id mini_app_secret mch_id sub_mch_id api_key api_v3_key merchant_serial_no " +
			"merchant_private_key merchant_certificate platform_serial_no platform_certificate platform_public_key_id platform_public_key key_mode tls_base_url tls_ca"},
		{"new user", "POST", "users", `{"nickname":"小茶","balance":100000}`, "openid mini_openid unionid nickname avatar balance"},
		{"users", "GET", "users", "", "[openid mini_openid unionid nickname avatar balance"},
		{"paid transaction", "GET", "transactions/shape00001", "", transactionKeys},
		{"open transaction", "GET", "transactions/shape00002", "", transactionKeys},
		{"pay", "POST", "transactions/shape00002/pay", "", transactionKeys},
		{"transactions", "GET", "transactions", "", "[" + transactionKeys},
		{"requests", "GET", "requests", "", "[id at face method target request_headers request_body status response_headers response_body verdict error diagnosis"},
		{"notifications", "GET", "notifications", "", "[id kind api out_trade_no url state next_at attempts"},
		{"resend", "POST", "notifications/" + id + "/resend", "", "id kind api out_trade_no url state next_at attempts"},
		{"forge", "POST", "notifications/forge", `{"out_trade_no":"shape00001","kind":"unsigned"}`, "status body acknowledged"},
		{"faults", "GET", "faults", "", "preset seed rates next fired"},
		{"faults set", "PUT", "faults", `{"preset":"none"}`, "preset seed rates next fired"},
		{"clock", "GET", "clock", "", "now offset_s rate"},
		{"clock set", "POST", "clock", `{"advance":"24h"}`, "now offset_s rate"},
		{"account", "GET", "account", "", "enforce pay_directories oauth_domains js_domains ip_whitelist bound_app_ids products key_mode bill_host close_unknown reentry"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rec := w.do(tt.method, "/_sim/api/"+tt.path, tt.body)
			raw := rec.Body.Bytes()
			if rec.Code != 200 || !strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json") {
				t.Fatalf("status %d, %s: %s", rec.Code, rec.Header().Get("Content-Type"), raw)
			}
			want, isList := strings.CutPrefix(tt.want, "[")
			if isList {
				var list []json.RawMessage
				if err := json.Unmarshal(raw, &list); err != nil || len(list) == 0 {
					t.Fatalf("%v: %s", err, raw)
				}
				raw = list[0]
			}
			if got := keys(t, raw); !slices.Equal(got, sorted(want)) {
				t.Errorf("keys\n%v, want\n%v", got, sorted(want))
			}
		})
	}
	var notes []struct{ Attempts []json.RawMessage }
	w.api("GET", "notifications", "", 200, &notes)
	attempts := notes[len(notes)-1].Attempts
	if got := keys(t, attempts[0]); !slices.Equal(got, sorted("at request_headers request_body status response_body ok")) {
		t.Errorf("keys of an attempt %v", got)
	}
}

const transactionKeys = "out_trade_no transaction_id prepay_id code_url mweb_url trade_type api app_id mch_id sub_mch_id openid description attach " +
	"total currency state notify_url created_at expires_at paid_at refunds notifications"

func keys(t *testing.T, raw []byte) []string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return slices.Sorted(maps.Keys(m))
}

func sorted(words string) []string {
	list := strings.Fields(words)
	slices.Sort(list)
	return list
}

func TestTransactionValues(t *testing.T) {
	w := newWorld(t, Options{})
	w.order("values0001")
	raw := func() map[string]any {
		var m map[string]any
		w.api("GET", "transactions/values0001", "", 200, &m)
		return m
	}
	open := raw()
	if open["transaction_id"] != nil || open["paid_at"] != nil || open["state"] != "NOTPAY" || open["total"] != 888.0 || open["api"] != "v2" {
		t.Errorf("open: %v", open)
	}
	if len(open["prepay_id"].(string)) != 36 || len(open["openid"].(string)) != 28 || open["openid"].(string)[0] != 'o' {
		t.Errorf("ids: %v %v", open["prepay_id"], open["openid"])
	}
	w.pay("values0001")
	paid := raw()
	if paid["state"] != "SUCCESS" || len(paid["transaction_id"].(string)) != 28 {
		t.Errorf("paid: %v", paid)
	}
	form := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+08:00$`)
	for _, name := range []string{"created_at", "expires_at", "paid_at"} {
		if s, _ := paid[name].(string); !form.MatchString(s) {
			t.Errorf("%s = %q is not RFC 3339 with milliseconds", name, s)
		}
	}
	if refunds, ok := paid["refunds"].([]any); !ok || len(refunds) != 0 {
		t.Errorf("refunds %v, want []", paid["refunds"])
	}
}

// What is refused, with which status, and that it says why.
func TestControlRefusals(t *testing.T) {
	w := newWorld(t, Options{})
	w.order("refuse0001")
	tests := []struct {
		method, path, body string
		want               int
	}{
		{"GET", "nothing", "", 404},
		{"DELETE", "users", "", 404},
		{"POST", "users", `{"nickname":"x","balance":1,"extra":1}`, 400},
		{"POST", "users", `{"nickname":"x","balance":-1}`, 400},
		{"POST", "users", `{"nickname":"x","balance":1.5}`, 400},
		{"POST", "users", `{"nickname":""}`, 400},
		{"POST", "users", `{"nickname":"x"} {}`, 400},
		{"POST", "users", `[`, 400},
		{"GET", "transactions/none", "", 404},
		{"POST", "transactions/none/pay", "", 404},
		{"POST", "transactions/refuse0001/pay", `{"outcome":"maybe"}`, 400},
		{"POST", "transactions/refuse0001/pay", `{"result":"success"}`, 400},
		{"POST", "transactions/refuse0001/pay", `{"openid":"nobody"}`, 400},
		{"POST", "transactions/refuse0001/pay", `{"openid":"` + w.openID(2) + `"}`, 409},
		{"GET", "requests?limit=0", "", 400},
		{"GET", "requests?limit=x", "", 400},
		{"GET", "transactions?limit=-1", "", 400},
		{"PUT", "faults", `{"rates":{"funny":1}}`, 400},
		{"PUT", "faults", `{"rates":{"notify-drop":2}}`, 400},
		{"PUT", "faults", `{"rates":{"notify-drop":-0.1}}`, 400},
		{"PUT", "faults", `{"next":{"notify-drop":-1}}`, 400},
		{"PUT", "faults", `{"preset":"cruel"}`, 400},
		{"PUT", "faults", `{"sead":1}`, 400},
		{"POST", "clock", `{}`, 400},
		{"POST", "clock", `{"advance":"24h","rate":2}`, 400},
		{"POST", "clock", `{"advance":"-1h"}`, 400},
		{"POST", "clock", `{"advance":"tomorrow"}`, 400},
		{"POST", "clock", `{"advance":"2000000h"}`, 400},
		{"POST", "clock", `{"rate":0}`, 400},
		{"POST", "clock", `{"rate":2000000}`, 400},
		{"POST", "scenario", `{}`, 400},
		{"POST", "scenario", `{"match":{},"then":{"outcome":"fail"}}`, 400},
		{"POST", "scenario", `{"match":{"amount":1},"then":{}}`, 400},
		{"POST", "scenario", `{"match":{"amount":1},"then":{"outcome":"fail","fault":"answer-slow"}}`, 400},
		{"POST", "scenario", `{"match":{"amount":1},"then":{"outcome":"maybe"}}`, 400},
		{"POST", "scenario", `{"match":{"amount":1},"then":{"fault":"funny"}}`, 400},
		{"POST", "scenario", `{"match":{"amount":1},"then":{"outcome":"fail"},"times":-1}`, 400},
		{"POST", "scenario", `{"table":"colours"}`, 400},
		{"DELETE", "scenario/s9", "", 404},
		{"POST", "diagnose", `{}`, 400},
		{"POST", "diagnose", `{"api":"v3","direction":"request"}`, 400},
		{"POST", "diagnose", `{"api":"v2","direction":"sideways","body":"<xml></xml>"}`, 400},
		{"PUT", "account", `{"pay_directories":["1","2","3","4","5","6"]}`, 400},
		{"PUT", "account", `{"oauth_domains":["1","2","3"]}`, 400},
		{"PUT", "account", `{"js_domains":["a b"]}`, 400},
		{"PUT", "account", `{"products":["GOLD"]}`, 400},
		{"PUT", "account", `{"key_mode":"none"}`, 400},
		{"PUT", "account", `{"bill_host":"other"}`, 400},
		{"PUT", "account", `{"close_unknown":"other"}`, 400},
		{"PUT", "account", `{"reentry":"other"}`, 400},
		{"PUT", "account", `{"funny":true}`, 400},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path+" "+tt.body, func(t *testing.T) {
			var e errorJSON
			w.api(tt.method, tt.path, tt.body, tt.want, &e)
			if len(e.Error) < 10 {
				t.Errorf("error %q says nothing", e.Error)
			}
		})
	}
	if f := w.sim.faults.view(); f.Rates["notify-drop"] != 0 || f.Preset != "none" {
		t.Errorf("refused changes were made: %+v", f)
	}
	w.api("PUT", "account", `{"enforce":false}`, 200, nil)
	w.api("PUT", "faults", `{"rates":{"notify-stale":0},"next":{"key-rotation":0}}`, 200, nil)
}

// A change of faults is made whole or not at all.
func TestFaultsAreSetWhole(t *testing.T) {
	w := newWorld(t, Options{})
	w.api("PUT", "faults", `{"preset":"harsh","rates":{"notify-drop":0.5,"unknown":1}}`, 400, nil)
	if f := w.sim.faults.view(); f.Preset != "none" || f.Rates["notify-drop"] != 0 {
		t.Errorf("half a change was made: %+v", f)
	}
	var f faultsJSON
	w.api("PUT", "faults", `{"preset":"harsh","seed":9,"rates":{"notify-drop":0.5},"next":{"notify-delay":2}}`, 200, &f)
	if f.Preset != "harsh" || f.Seed != 9 || f.Rates["notify-drop"] != 0.5 || f.Rates["notify-delay"] != 0.3 || f.Next["notify-delay"] != 2 {
		t.Errorf("got %+v", f)
	}
}

// Outcomes other than success leave the order as it is.
func TestOutcomes(t *testing.T) {
	w := newWorld(t, Options{})
	w.order("outcome001")
	balance := w.sim.people()[0].Balance
	for _, outcome := range []string{"cancel", "fail", "notenough", "wrong_password"} {
		var tx transactionReply
		w.api("POST", "transactions/outcome001/pay", `{"outcome":"`+outcome+`"}`, 200, &tx)
		if tx.State != "NOTPAY" || w.state("outcome001") != "NOTPAY" {
			t.Errorf("%s: %s", outcome, tx.State)
		}
	}
	w.pay("outcome001")
	if got := w.sim.people()[0].Balance; got != balance-888 {
		t.Errorf("balance %d, want %d", got, balance-888)
	}
	w.api("POST", "transactions/outcome001/pay", "", 409, nil)
	w.order("outcome002")
	w.ok("/pay/closeorder", map[string]string{"out_trade_no": "outcome002"}, "")
	w.api("POST", "transactions/outcome002/pay", "", 409, nil)
	w.api("POST", "users", `{"nickname":"穷","balance":887}`, 200, nil)
	w.order("outcome003", "openid", w.openID(4))
	w.api("POST", "transactions/outcome003/pay", "", 409, nil)
	if w.state("outcome003") != "NOTPAY" || w.sim.people()[3].Balance != 887 {
		t.Error("somebody paid with money that is not there")
	}
}

// The RSA keys belong together and have the announced serial numbers.
func TestKeysMatch(t *testing.T) {
	w := newWorld(t, Options{})
	if w.id.MerchantPrivateKey != "" {
		t.Error("keys were made at the start, which takes too long")
	}
	var id Identity
	w.api("GET", "identity", "", 200, &id)
	if _, err := tls.X509KeyPair([]byte(id.MerchantCertificate), []byte(id.MerchantPrivateKey)); err != nil {
		t.Errorf("merchant key and certificate: %v", err)
	}
	for _, tt := range []struct{ cert, serial string }{{id.MerchantCertificate, id.MerchantSerialNo}, {id.PlatformCertificate, id.PlatformSerialNo}} {
		cert := certificate(t, tt.cert)
		if got := strings.ToUpper(cert.SerialNumber.Text(16)); got != tt.serial || len(got) != 40 {
			t.Errorf("serial %s, want %s", got, tt.serial)
		}
	}
	block, _ := pem.Decode([]byte(id.PlatformPublicKey))
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil || pub.(*rsa.PublicKey).Equal(certificate(t, id.PlatformCertificate).PublicKey) {
		t.Errorf("platform public key: %v; it must be another one than the certificate's", err)
	}
	if !regexp.MustCompile(`^PUB_KEY_ID_01[0-9]{30}$`).MatchString(id.PlatformPublicKeyID) {
		t.Errorf("public key id %q", id.PlatformPublicKeyID)
	}
	if len(id.APIKey) != 32 || len(id.APIv3Key) != 32 || len(id.AppSecret) != 32 {
		t.Error("keys have 32 characters")
	}
}

func certificate(t *testing.T, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("no PEM in %q", text)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// A public demo gives no secret away: not by the API, on a page, in the log
// of calls or in the banner. // decision 31
func TestPublicHidesSecrets(t *testing.T) {
	w := newWorld(t, Options{Public: true, BaseURL: "https://demo.example"})
	w.do("GET", w.exchangeURL("x"), "")
	full, err := w.sim.IdentityWithKeys()
	if err != nil {
		t.Fatal(err)
	}
	var banner bytes.Buffer
	w.sim.Banner(&banner)
	if err := w.sim.Settings(&banner); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"banner": banner.String()}
	for _, path := range []string{"/_sim/api/identity", "/_sim/identity", "/_sim/api/requests", "/_sim/?e=1", "/_sim/api/notifications"} {
		texts[path] = w.do("GET", path, "").Body.String()
	}
	for name, secret := range map[string]string{
		"api_key": full.APIKey, "api_v3_key": full.APIv3Key, "app_secret": full.AppSecret, "mini_app_secret": full.MiniAppSecret,
		"private key": strings.Split(full.MerchantPrivateKey, "\n")[1],
	} {
		for where, text := range texts {
			if strings.Contains(text, secret) {
				t.Errorf("%s is in %s", name, where)
			}
		}
	}
	if !strings.Contains(texts["/_sim/api/identity"], full.AppID) {
		t.Error("identity lacks the app_id")
	}
}

// Console and control API answer to loopback names only, and not to forms of
// other sites. // decision 31
func TestHostsAndOrigins(t *testing.T) {
	tests := []struct {
		name, method, target, host string
		header                     [2]string
		public                     bool
		want                       int
	}{
		{name: "localhost", method: "GET", target: "/_sim/api/clock", host: "localhost:8081", want: 200},
		{name: "127.0.0.1", method: "GET", target: "/_sim/api/clock", host: "127.0.0.1:9999", want: 200},
		{name: "::1", method: "GET", target: "/_sim/api/clock", host: "[::1]:8081", want: 200},
		{name: "rebinding, API", method: "GET", target: "/_sim/api/identity", host: "evil.example", want: 421},
		{name: "rebinding, page", method: "GET", target: "/_sim/identity", host: "evil.example:8081", want: 421},
		{name: "rebinding, events", method: "GET", target: "/_sim/api/events", host: "evil.example", want: 421},
		{name: "localhost as a part", method: "GET", target: "/_sim/", host: "localhost.evil.example", want: 421},
		{name: "a public demo's own name", method: "GET", target: "/_sim/", host: "demo.example", public: true, want: 200},
		{name: "its name, not public", method: "GET", target: "/_sim/", host: "demo.example", want: 421},
		{name: "cross-site reset", method: "POST", target: "/_sim/api/reset", host: "localhost:8081", header: [2]string{"Sec-Fetch-Site", "cross-site"}, want: 403},
		{name: "same site, other port", method: "POST", target: "/_sim/api/reset", host: "localhost:8081", header: [2]string{"Origin", "http://localhost:8080"}, want: 403},
		{name: "cross-site form", method: "POST", target: "/_sim/reset", host: "localhost:8081", header: [2]string{"Sec-Fetch-Site", "cross-site"}, want: 403},
		{name: "a program", method: "POST", target: "/_sim/api/reset", host: "localhost:8081", want: 200},
		{name: "WeChat itself by any name", method: "GET", target: "/sns/auth", host: "api.weixin.qq.com", want: 200},
		{name: "unknown path", method: "GET", target: "/v3/nothing", host: "localhost:8081", want: 404},
		{name: "front door", method: "GET", target: "/", host: "localhost:8081", want: 302},
		{name: "ready", method: "GET", target: "/_sim/healthz", host: "localhost:8081", want: 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Options{Public: tt.public, BaseURL: "http://demo.example"})
			r := httptest.NewRequest(tt.method, tt.target, nil)
			r.Host = tt.host
			if tt.header[0] != "" {
				r.Header.Set(tt.header[0], tt.header[1])
			}
			rec := httptest.NewRecorder()
			w.sim.Gateway().ServeHTTP(rec, r)
			if rec.Code != tt.want {
				t.Errorf("status %d, want %d: %s", rec.Code, tt.want, rec.Body)
			}
		})
	}
}

func TestBanner(t *testing.T) {
	w := newWorld(t, Options{AppURL: "http://localhost:8080", NotifyAllow: []string{"shop.example"}})
	var b bytes.Buffer
	w.sim.Banner(&b)
	for _, want := range []string{
		"http://localhost:8081", "http://localhost:8081/_sim/", "http://127.0.0.1:8082", "http://localhost:8080", w.id.AppID, w.id.AppSecret,
		w.id.MchID, w.id.APIKey, w.id.APIv3Key, w.id.MerchantSerialNo, "shop.example", "7",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the banner lacks %q:\n%s", want, b.String())
		}
	}
}

// What is printed for other languages names this simulator and its keys.
func TestSettings(t *testing.T) {
	for _, data := range []string{"", t.TempDir()} {
		w := newWorld(t, Options{BaseURL: "http://localhost:9999", Data: data})
		var b bytes.Buffer
		if err := w.sim.Settings(&b); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		for _, want := range []string{
			w.id.MchID, w.id.MerchantSerialNo, w.id.APIv3Key, w.id.PlatformPublicKeyID, `SetProxyHost("http://localhost:9999")`, `setApiHostUrl("http://localhost:9999")`,
			"baseURL: 'http://localhost:9999/'", "'base_uri' => 'http://localhost:9999/'", "_gate_way = 'http://localhost:9999'", "wechatpay-go", "apiclient_key.pem",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("the settings lack %q:\n%s", want, text)
			}
		}
		if strings.Contains(text, "curl") != (data == "") || strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "BASE") {
			t.Errorf("settings:\n%s", text)
		}
		if data != "" && !strings.Contains(text, filepath.Join(data, "pub_key.pem")) {
			t.Errorf("no files are named:\n%s", text)
		}
	}
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"BaseURL":    {BaseURL: "localhost:8081"},
		"BrowserURL": {BrowserURL: "ftp://x"},
		"AppURL":     {AppURL: "shop"},
		"Faults":     {Faults: "some"},
		"Data":       {Data: "/dev/null/x"},
	} {
		if s, err := New(o); err == nil {
			s.Close()
			t.Errorf("a bad %s was accepted", name)
		}
	}
}

// Lists are newest first; of the people who were always there the default
// user comes first.
func TestUsersNewestFirst(t *testing.T) {
	w := newWorld(t, Options{})
	for _, name := range []string{"甲", "乙"} {
		w.api("POST", "users", `{"nickname":"`+name+`","balance":1}`, 200, nil)
	}
	var list []userJSON
	w.api("GET", "users?limit=4", "", 200, &list)
	var names []string
	for _, u := range list {
		names = append(names, u.Nickname)
	}
	if want := []string{"乙", "甲", "林晓溪", "陈默"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}
