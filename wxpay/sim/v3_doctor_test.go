package sim

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// mistake is how a client gets a request of API v3 wrong.
type mistake struct {
	method, target, body    string // as sent
	sMethod, sTarget, sBody string // as signed; "" as sent
	noBody                  bool   // sign no body
	at, sAt                 string // timestamp sent, signed
	nonce, sNonce           string
	mchID, serial           string
	text                    func(lines []string) string
	sign                    func(text string) string
	header                  func(string) string
	cause                   string
	says                    string // somewhere in the explanation
	difference              int    // 0: do not look
}

const (
	sentTarget = "/v3/pay/transactions/jsapi"
	sentBody   = `{"appid":"wxf000000000000001","description":"云间茶铺/明前 & 龙井","amount":{"total":888,"currency":"CNY"}}`
)

// request is a call with its mistake, as POST diagnose and the gateway get it.
func (w *world) request(m mistake) (method, target, body string, header map[string]string) {
	w.t.Helper()
	id := w.identity()
	or := func(values ...string) string {
		for _, v := range values {
			if v != "" {
				return v
			}
		}
		return ""
	}
	m.method, m.target = or(m.method, "POST"), or(m.target, sentTarget)
	if m.body == "" && m.method == "POST" {
		m.body = sentBody
	}
	now := fmt.Sprint(time.Now().Unix())
	m.at, m.nonce = or(m.at, now), or(m.nonce, testNonce)
	signed := or(m.sBody, m.body)
	if m.noBody {
		signed = ""
	}
	lines := []string{or(m.sMethod, m.method), or(m.sTarget, m.target), or(m.sAt, m.at), or(m.sNonce, m.nonce), signed}
	text := strings.Join(lines, "\n") + "\n"
	if m.text != nil {
		text = m.text(lines)
	}
	sign := ""
	if m.sign != nil {
		sign = m.sign(text)
	} else {
		sign = signText(w.t, privateKey(w.t, id.MerchantPrivateKey), text)
	}
	auth := fmt.Sprintf(`WECHATPAY2-SHA256-RSA2048 mchid="%s",nonce_str="%s",timestamp="%s",serial_no="%s",signature="%s"`,
		or(m.mchID, id.MchID), m.nonce, m.at, or(m.serial, id.MerchantSerialNo), sign)
	if m.header != nil {
		auth = m.header(auth)
	}
	return m.method, m.target, m.body, map[string]string{"Authorization": auth, "Accept": "application/json", "User-Agent": "test", "Content-Type": "application/json"}
}

type foundReply struct {
	Valid           bool   `json:"valid"`
	Cause           string `json:"cause"`
	Explanation     string `json:"explanation"`
	StringToSign    string `json:"string_to_sign"`
	Expected        string `json:"expected"`
	Received        string `json:"received"`
	Signed          string `json:"signed"`
	FirstDifference int    `json:"first_difference"`
}

func (w *world) diagnosed(in diagnoseJSON) (got foundReply) {
	w.t.Helper()
	in.API = "v3"
	b, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	w.api("POST", "diagnose", string(b), 200, &got)
	return got
}

// Every mistake that is known to be made with requests of API v3, found both
// on the refused call and in the pasted message.
func TestDoctorRequestsV3(t *testing.T) {
	w := newWorld(t, Options{})
	merchant := privateKey(t, w.identity().MerchantPrivateKey)
	now := time.Now().Unix()
	const id = "/v3/pay/transactions/out-trade-no/a%7Cb%2Ac-1"
	const query = id + "?mchid=1900000001"
	pretty := "{\n  \"appid\": \"wxf000000000000001\",\n  \"description\": \"云间茶铺/明前 & 龙井\",\n  \"amount\": {\n    \"total\": 888,\n    \"currency\": \"CNY\"\n  }\n}"
	other := strings.NewReplacer
	tests := map[string]mistake{
		"query missing":         {method: "GET", target: query, sTarget: id, cause: "wrong-url", says: "查询串"},
		"full URL":              {sTarget: "https://api.mch.weixin.qq.com" + sentTarget, cause: "wrong-url", says: "整个网址", difference: 5},
		"full URL of the sim":   {method: "GET", target: query, sTarget: "http://localhost:8081" + query, cause: "wrong-url"},
		"another method":        {sMethod: "GET", cause: "wrong-url"},
		"lower-case method":     {sMethod: "post", cause: "lower-case"},
		"query sorted":          {method: "GET", target: "/v3/certificates?b=1&a=2", sTarget: "/v3/certificates?a=2&b=1", cause: "wrong-url"},
		"path unescaped":        {method: "GET", target: query, sTarget: "/v3/pay/transactions/out-trade-no/a|b*c-1?mchid=1900000001", cause: "escaped-values"},
		"path escaped":          {method: "GET", target: "/v3/pay/transactions/out-trade-no/a|b*c-1?mchid=1900000001", sTarget: query, cause: "escaped-values"},
		"milliseconds":          {at: fmt.Sprint(now * 1000), cause: "timestamp", says: "毫秒"},
		"milliseconds signed":   {at: fmt.Sprint(now), sAt: fmt.Sprint(now) + "000", cause: "timestamp", says: "签的是毫秒"},
		"clock read twice":      {at: fmt.Sprint(now), sAt: fmt.Sprint(now - 1), cause: "timestamp", says: "两次"},
		"time zone":             {at: fmt.Sprint(now + 8*3600), cause: "timestamp", says: "时区"},
		"not a number":          {at: "now", cause: "timestamp"},
		"last line feed":        {text: func(l []string) string { return strings.Join(l, "\n") }, cause: "line-endings", says: "最后一行"},
		"no empty line":         {method: "GET", target: query, text: func(l []string) string { return strings.Join(l[:4], "\n") + "\n" }, cause: "line-endings", says: "GET"},
		"CRLF":                  {text: func(l []string) string { return strings.Join(l, "\r\n") + "\r\n" }, cause: "line-endings", says: "CRLF"},
		"backslash n":           {text: func(l []string) string { return strings.Join(l, `\n`) + `\n` }, cause: "line-endings", says: "单引号"},
		"body with line feed":   {sBody: sentBody + "\n", cause: "line-endings", says: "json.Encoder"},
		"body without":          {body: sentBody + "\n", sBody: sentBody, cause: "line-endings"},
		"body not signed":       {noBody: true, cause: "body-reserialised", says: "没有签进去"},
		"a GET's body":          {method: "GET", target: query, sBody: "{}", cause: "body-reserialised", says: "GET 没有正文"},
		"body pretty":           {sBody: pretty, cause: "body-reserialised", says: "JSON"},
		"body of PHP":           {sBody: other("/", `\/`, "云间茶铺", `\u4e91\u95f4\u8336\u94fa`, "明前", `\u660e\u524d`, "龙井", `\u9f99\u4e95`).Replace(sentBody), cause: "body-reserialised"},
		"body of Python":        {sBody: other(`":`, `": `, `,"`, `, "`, "云间茶铺", `\u4e91\u95f4\u8336\u94fa`, "明前", `\u660e\u524d`, "龙井", `\u9f99\u4e95`).Replace(sentBody), cause: "body-reserialised"},
		"body of Go":            {sBody: other("&", `\u0026`).Replace(sentBody) + "\n", cause: "body-reserialised"},
		"body sorted":           {sBody: `{"amount":{"currency":"CNY","total":888},"appid":"wxf000000000000001","description":"云间茶铺/明前 & 龙井"}`, cause: "body-reserialised"},
		"two mistakes":          {method: "GET", target: query, sTarget: id, text: func(l []string) string { return strings.Join(l, "\n") }, cause: "wrong-url", says: "换行"},
		"nonce in lower case":   {sNonce: strings.ToLower(testNonce), cause: "escaped-values", says: "随机串"},
		"SHA-1":                 {sign: func(text string) string { return rsaOf(t, merchant, crypto.SHA1, text) }, cause: "wrong-algorithm", says: "openssl_sign"},
		"SHA-1 and no line end": {sign: func(text string) string { return rsaOf(t, merchant, crypto.SHA1, strings.TrimSuffix(text, "\n")) }, cause: "wrong-algorithm", says: "最后一行"},
		"PSS":                   {sign: func(text string) string { return pssOf(t, merchant, text) }, cause: "wrong-algorithm", says: "PSS"},
		"bare digest":           {sign: func(text string) string { return rsaOf(t, merchant, 0, text) }, cause: "wrong-algorithm", says: "算法标识"},
		"v2 signature":          {sign: func(text string) string { return fmt.Sprintf("%X", sha256.Sum256([]byte(text))) }, cause: "wrong-algorithm", says: "v2"},
		"hexadecimal":           {sign: func(text string) string { return hexOf(t, signText(t, merchant, text)) }, cause: "wrong-algorithm", says: "Base64"},
		"for URLs":              {sign: func(text string) string { return other("+", "-", "/", "_").Replace(signText(t, merchant, text)) }, cause: "escaped-values", says: "Base64"},
		"nonsense":              {sign: func(string) string { return "?" }, cause: "wrong-algorithm"},
		"strange key":           {sign: func(text string) string { return signText(t, strangeKey(t), text) }, cause: "wrong-key", says: "apiclient_key.pem"},
		"another body":          {sBody: `{"total":1}`, cause: "body-reserialised", says: "多半"},
		"lower-case serial":     {serial: strings.ToLower(w.identity().MerchantSerialNo), cause: "wrong-serial", says: "大写"},
		"platform serial":       {serial: w.identity().PlatformSerialNo, cause: "wrong-serial", says: "平台证书"},
		"public key id":         {serial: w.identity().PlatformPublicKeyID, cause: "wrong-serial", says: "公钥 ID"},
		"unknown serial":        {serial: strings.Repeat("7", 40), cause: "wrong-serial", says: "换过证书"},
		"stranger":              {mchID: "1900009999", cause: "wrong-mchid", says: "1900009999"},
		"blanks":                {header: func(a string) string { return strings.ReplaceAll(a, ",", ", ") }, cause: "not-a-message", says: "逗号后不空格"},
		"no quotes":             {header: func(a string) string { return strings.ReplaceAll(a, `"`, "") }, cause: "not-a-message", says: "双引号"},
		"a field missing":       {header: func(a string) string { return strings.Replace(a, "serial_no", "serial", 1) }, cause: "not-a-message", says: "缺 serial_no"},
		"another scheme":        {header: func(a string) string { return strings.Replace(a, "SHA256-RSA2048", "SM2-WITH-SM3", 1) }, cause: "wrong-algorithm", says: "认证类型"},
		"none":                  {header: func(string) string { return "" }, cause: "missing-sign"},
	}
	for name, m := range tests {
		t.Run(name, func(t *testing.T) {
			w.t = t
			method, target, body, header := w.request(m)
			pasted := w.diagnosed(diagnoseJSON{Direction: "request", Method: method, URL: target, Headers: header, Body: body})
			if name == "time zone" {
				if !pasted.Valid { // how old a pasted message is says nothing about its signature
					t.Errorf("pasted: %+v", pasted)
				}
			} else if pasted.Valid || pasted.Cause != m.cause {
				t.Errorf("pasted: %s, want %s: %s", pasted.Cause, m.cause, pasted.Explanation)
			}
			var pairs []string
			for k, v := range header {
				pairs = append(pairs, k, v)
			}
			if rec := w.do(method, target, body, pairs...); rec.Code != 401 {
				t.Errorf("the gateway answers %d %s", rec.Code, rec.Body)
			}
			d := w.sim.calls.latest(1)[0].Diagnosis
			if d == nil {
				t.Fatal("no diagnosis of the refused call")
			}
			if d.Cause != m.cause || !strings.Contains(d.Explanation, m.says) || m.difference > 0 && d.FirstDifference != m.difference {
				t.Errorf("%s, want %s: %s (%d)\n%q", d.Cause, m.cause, d.Explanation, d.FirstDifference, d.Signed)
			}
			if m.serial == "" && m.mchID == "" && d.Expected != "" && m.header == nil && name != "not a number" && name != "milliseconds" {
				right := strings.TrimSuffix(d.StringToSign, "\n")
				if signText(t, merchant, right+"\n") != d.Expected {
					t.Error("what is expected is not the signature of the string to sign")
				}
			}
		})
	}
	w.t = t
	method, target, body, header := w.request(mistake{})
	if got := w.diagnosed(diagnoseJSON{Direction: "request", Method: method, URL: "https://api.mch.weixin.qq.com" + target, Headers: header, Body: body}); !got.Valid || got.StringToSign == "" {
		t.Errorf("a good request: %+v", got)
	}
}

func rsaOf(t *testing.T, key *rsa.PrivateKey, hash crypto.Hash, text string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	digest := sum[:]
	if hash == crypto.SHA1 {
		old := sha1.Sum([]byte(text))
		digest = old[:]
	}
	sign, err := rsa.SignPKCS1v15(nil, key, hash, digest)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(sign)
}

func pssOf(t *testing.T, key *rsa.PrivateKey, text string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	sign, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], nil)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(sign)
}

func hexOf(t *testing.T, sign string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(sign)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(raw)
}

// strangeKey is a key of nobody here: the throw-away one of a further
// platform certificate.
func strangeKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := testKeys.key(keyPlatform + 2)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// headersOf are headers as a program in another language may write them.
func headersOf(h http.Header) map[string]string {
	out := map[string]string{}
	for name := range h {
		out[strings.ToLower(name)] = h.Get(name)
	}
	return out
}

// Answers and notifications that do not verify, and those that do.
func TestDoctorAnswersV3(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		time.Sleep(time.Until(time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)))
		w.shop.answerWith(refusal)
		w.placeV3("forge00001")
		genuine := w.pay("forge00001").Notifications[0]
		w.api("POST", "notifications/"+genuine+"/resend", "", 200, nil)
		note := w.shop.notifications()[0]
		look := func(direction string, n received, change ...string) foundReply {
			t.Helper()
			h := headersOf(n.header)
			for i := 0; i+1 < len(change); i += 2 {
				h[change[i]] = change[i+1]
			}
			return w.diagnosed(diagnoseJSON{Direction: direction, Headers: h, Body: n.body})
		}
		if got := look("notification", note); !got.Valid || !strings.Contains(got.Explanation, w.id.PlatformPublicKeyID) || got.Expected != "" {
			t.Errorf("genuine: %+v", got)
		}
		want := func(name, cause, says string, got foundReply) {
			t.Helper()
			if got.Valid || got.Cause != cause || !strings.Contains(got.Explanation, says) {
				t.Errorf("%s: %s, want %s: %s", name, got.Cause, cause, got.Explanation)
			}
		}
		for kind, cause := range map[string]string{
			"unsigned": "missing-sign", "wrong_key": "wrong-key", "wrong_serial": "wrong-serial", "signtest": "signature-probe",
			"short_nonce": "not-a-message", "xxe": "not-a-message", "truncated": "not-a-message",
		} {
			want(kind, cause, "", look("notification", w.forged(kind, "")))
		}
		with := func(body string) received { return received{header: note.header, body: body} }
		var any map[string]any
		if err := json.Unmarshal([]byte(note.body), &any); err != nil {
			t.Fatal(err)
		}
		again, _ := json.MarshalIndent(any, "", "  ")
		want("written anew", "body-reserialised", "", look("notification", with(string(again))))
		want("line feed added", "line-endings", "", look("notification", with(note.body+"\n")))
		want("no body", "body-reserialised", "多半", look("notification", with("")))
		want("milliseconds", "timestamp", "毫秒", look("notification", note, "wechatpay-timestamp", note.header.Get("Wechatpay-Timestamp")+"000"))
		want("header dropped", "not-a-message", "proxy", look("notification", note, "wechatpay-nonce", ""))
		want("the other key's name", "wrong-serial", "公钥", look("notification", note, "wechatpay-serial", w.identity().PlatformSerialNo))
		want("another merchant's id", "wrong-serial", w.id.PlatformPublicKeyID, look("notification", note, "wechatpay-serial", "PUB_KEY_ID_01"))
		want("spoilt", "escaped-values", "URL", look("notification", note, "wechatpay-signature", strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(note.header.Get("Wechatpay-Signature"))))
		time.Sleep(time.Hour)
		if got := look("notification", note); !got.Valid || !strings.Contains(got.Explanation, "5 分钟") {
			t.Errorf("an hour later: %+v", got)
		}
		w.keys(`{"api_v3_key":"next"}`, 200)
		want("APIv3 key changed", "wrong-key", "APIv3", look("notification", note))
		w.setMode("certificate")
		rec := w.v3("GET", "/v3/certificates", "")
		answer := received{header: rec.Header(), body: rec.Body.String()}
		if got := look("answer", answer); !got.Valid {
			t.Errorf("answer: %+v", got)
		}
		want("answer to somebody else", "body-reserialised", "", look("answer", with(answer.body)))
		want("no headers", "missing-sign", "伪造", w.diagnosed(diagnoseJSON{Direction: "answer", Body: "{}"}))
	})
}

// The parameters of a pay sheet of API v3.
func TestDoctorSheetV3(t *testing.T) {
	w := newWorld(t, Options{})
	key := privateKey(t, w.identity().MerchantPrivateKey)
	w.placeV3("sheet00001")
	pkg := "prepay_id=" + w.sim.ledger.orders["sheet00001"].latest().ID
	right := []string{w.id.AppID, "1554208460", testNonce, pkg}
	for name, tt := range map[string]struct {
		text, signType, at, cause string
	}{
		"right":         {text: strings.Join(right, "\n") + "\n"},
		"bare id":       {text: strings.Join([]string{right[0], right[1], right[2], strings.TrimPrefix(pkg, "prepay_id=")}, "\n") + "\n", cause: "escaped-values"},
		"sign type":     {text: strings.Join(append(right[:4:4], "RSA"), "\n") + "\n", cause: "sign-type-mismatch"},
		"mini program":  {text: strings.Join([]string{w.id.MiniAppID, right[1], right[2], pkg}, "\n") + "\n", cause: "unsigned-field"},
		"last line":     {text: strings.Join(right, "\n"), cause: "line-endings"},
		"of v2":         {text: "appId=" + right[0] + "&nonceStr=" + right[2] + "&package=" + pkg + "&signType=RSA&timeStamp=" + right[1], cause: "wrong-algorithm"},
		"MD5 announced": {text: strings.Join(right, "\n") + "\n", signType: "MD5", cause: "sign-type-mismatch"},
		"milliseconds":  {text: strings.Join(right, "\n") + "\n", at: "1554208460000", cause: "timestamp"},
	} {
		if tt.signType == "" {
			tt.signType = "RSA"
		}
		if tt.at == "" {
			tt.at = right[1]
		}
		body := fmt.Sprintf(`{"appId":%q,"timeStamp":%q,"nonceStr":%q,"package":%q,"signType":%q,"paySign":%q}`, right[0], tt.at, right[2], pkg, tt.signType, signText(t, key, tt.text))
		if got := w.diagnosed(diagnoseJSON{Direction: "request", Body: body}); got.Cause != tt.cause || got.Valid != (tt.cause == "") {
			t.Errorf("%s: %s, want %s: %s", name, got.Cause, tt.cause, got.Explanation)
		}
	}
}
