package sim

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/url"
	"sort"
	"strings"
	"testing"
)

// sloppy is a client of v2 with one habit that is wrong. Its zero value signs
// as the document says.
type sloppy struct {
	key      func(id Identity) string
	alg      string // really used; empty: MD5
	says     string // sign_type sent
	leaveOut string // a field that is not signed
	signAlso map[string]string
	empties  bool // empty values are signed
	value    func(string) string
	lower    bool
	unsorted bool
	tail     string // instead of "&key="
}

// call signs and sends a unifiedorder in its own way.
func (c sloppy) call(w *world, fields map[string]string) string {
	key := w.id.APIKey
	if c.key != nil {
		key = c.key(w.id)
	}
	sent := map[string]string{"appid": w.id.AppID, "mch_id": w.id.MchID, "nonce_str": "5K8264ILTKCH16CQ2502SI8ZNMTM67VS"}
	maps.Copy(sent, fields)
	if c.says != "" {
		sent["sign_type"] = c.says
	}
	signed := maps.Clone(sent)
	maps.Copy(signed, c.signAlso)
	delete(signed, c.leaveOut)
	var names []string
	for name, value := range signed {
		if value != "" || c.empties {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	if c.unsorted {
		sort.Sort(sort.Reverse(sort.StringSlice(names)))
	}
	var pairs []string
	for _, name := range names {
		value := signed[name]
		if c.value != nil {
			value = c.value(value)
		}
		pairs = append(pairs, name+"="+value)
	}
	tail := "&key="
	if c.tail != "" {
		tail = c.tail
	}
	text := strings.Join(pairs, "&") + tail + key
	switch c.alg {
	case "HMAC-SHA256":
		h := hmac.New(sha256.New, []byte(key))
		h.Write([]byte(text))
		sent["sign"] = fmt.Sprintf("%X", h.Sum(nil))
	case "SHA256":
		sent["sign"] = fmt.Sprintf("%X", sha256.Sum256([]byte(text)))
	case "SHA1":
		sent["sign"] = fmt.Sprintf("%X", sha1.Sum([]byte(text)))
	default:
		sent["sign"] = fmt.Sprintf("%X", md5.Sum([]byte(text)))
	}
	if c.lower {
		sent["sign"] = strings.ToLower(sent["sign"])
	}
	return w.do("POST", "/pay/unifiedorder", toXML(sent)).Body.String()
}

// Each cause, provoked by a client that is really wrong in this way.
func TestDoctorNamesTheCause(t *testing.T) {
	key := func(f func(id Identity) string) func(Identity) string { return f }
	tests := []struct {
		name   string
		client sloppy
		cause  string
		say    string // must be in the explanation
	}{
		{"app secret", sloppy{key: key(func(id Identity) string { return id.AppSecret })}, "wrong-key", "AppSecret"},
		{"v3 key", sloppy{key: key(func(id Identity) string { return id.APIv3Key })}, "wrong-key", "APIv3"},
		{"secret of the mini program", sloppy{key: key(func(id Identity) string { return id.MiniAppSecret })}, "wrong-key", "小程序"},
		{"v3 key with HMAC", sloppy{key: key(func(id Identity) string { return id.APIv3Key }), alg: "HMAC-SHA256", says: "HMAC-SHA256"}, "wrong-key", "APIv3"},
		{"somebody else's key", sloppy{key: key(func(Identity) string { return "0123456789abcdef0123456789abcdef" })}, "wrong-key", "密钥"},
		{"no key", sloppy{key: key(func(Identity) string { return "" })}, "wrong-key", "空"},
		{"key in lower case", sloppy{key: key(func(id Identity) string { return strings.ToLower(id.APIKey) })}, "wrong-key", "大小写"},
		{"WeCom's secret=", sloppy{tail: "&secret="}, "wrong-key", "secret"},
		{"line break after the key", sloppy{key: key(func(id Identity) string { return id.APIKey + "\n" })}, "key-has-blanks", "换行"},
		{"CRLF after the key", sloppy{key: key(func(id Identity) string { return id.APIKey + "\r\n" }), alg: "HMAC-SHA256", says: "HMAC-SHA256"}, "key-has-blanks", "换行"},
		{"blank before the key", sloppy{key: key(func(id Identity) string { return " " + id.APIKey })}, "key-has-blanks", "空格"},
		{"BOM before the key", sloppy{key: key(func(id Identity) string { return "\ufeff" + id.APIKey })}, "key-has-blanks", "BOM"},
		{"HMAC without saying so", sloppy{alg: "HMAC-SHA256"}, "wrong-algorithm", "HMAC-SHA256"},
		{"says HMAC, does MD5", sloppy{says: "HMAC-SHA256"}, "wrong-algorithm", "MD5"},
		{"plain SHA-256", sloppy{alg: "SHA256", says: "HMAC-SHA256"}, "wrong-algorithm", "SHA-256"},
		{"SHA-1", sloppy{alg: "SHA1"}, "wrong-algorithm", "SHA-1"},
		{"sign_type sent, not signed", sloppy{says: "HMAC-SHA256", alg: "HMAC-SHA256", leaveOut: "sign_type"}, "sign-type-mismatch", "没有签"},
		{"MD5 sent, not signed", sloppy{says: "MD5", leaveOut: "sign_type"}, "sign-type-mismatch", "没有签"},
		{"sign_type signed, not sent", sloppy{signAlso: map[string]string{"sign_type": "MD5"}}, "sign-type-mismatch", "没有照样发"},
		{"HMAC signed, not sent", sloppy{alg: "HMAC-SHA256", signAlso: map[string]string{"sign_type": "HMAC-SHA256"}}, "sign-type-mismatch", "HMAC-SHA256"},
		{"empty attach signed", sloppy{empties: true}, "empty-parameters", "空参数"},
		{"empty detail signed, not sent", sloppy{empties: true, signAlso: map[string]string{"detail": ""}}, "empty-parameters", "空参数"},
		{"null signed", sloppy{empties: true, value: func(v string) string {
			if v == "" {
				return "null"
			}
			return v
		}}, "empty-parameters", "空参数"},
		{"lower case", sloppy{lower: true}, "lower-case", "小写"},
		{"lower case HMAC", sloppy{lower: true, alg: "HMAC-SHA256", says: "HMAC-SHA256"}, "lower-case", "小写"},
		{"URL-encoded", sloppy{value: url.QueryEscape}, "escaped-values", "转义"},
		{"percent-encoded", sloppy{value: func(v string) string { return strings.ReplaceAll(url.QueryEscape(v), "+", "%20") }}, "escaped-values", "转义"},
		{"XML-escaped", sloppy{value: html.EscapeString}, "escaped-values", "转义"},
		{"CDATA", sloppy{value: func(v string) string { return "<![CDATA[" + v + "]]>" }}, "escaped-values", "转义"},
		{"JSON-escaped", sloppy{value: func(v string) string { return strings.Trim(fmt.Sprintf("%+q", v), `"`) }}, "escaped-values", "转义"},
		{"only the URL encoded", sloppy{value: func(v string) string {
			if strings.HasPrefix(v, "http") {
				return url.QueryEscape(v)
			}
			return v
		}}, "escaped-values", "转义"},
		{"a field added later", sloppy{leaveOut: "spbill_create_ip"}, "unsigned-field", "spbill_create_ip"},
		{"not sorted", sloppy{unsorted: true}, "parameter-order", "顺序"},
		{"app secret, HMAC undeclared", sloppy{key: key(func(id Identity) string { return id.AppSecret }), alg: "HMAC-SHA256"}, "wrong-key", "另外"},
		{"empties and lower case", sloppy{empties: true, lower: true}, "empty-parameters", "小写"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			fields := w.orderFields("doctor0001")
			fields["attach"] = ""
			if answer := tt.client.call(w, fields); answer != string(v2Fail(failSign)) {
				t.Fatalf("answered %s", answer)
			}
			d := w.sim.calls.latest(1)[0].Diagnosis
			if d == nil {
				t.Fatal("no diagnosis")
			}
			if d.Cause != tt.cause || !strings.Contains(d.Explanation, tt.say) || !strings.Contains(d.Explanation, "。") {
				t.Errorf("cause %q: %s", d.Cause, d.Explanation)
			}
			wantNoSecret(t, w, d)
			if len(d.Expected) != 32 && len(d.Expected) != 64 || !strings.HasPrefix(d.StringToSign, "appid=wxf") {
				t.Errorf("expected %q of %q", d.Expected, d.StringToSign)
			}
			if d.FirstDifference > len(d.StringToSign) {
				t.Errorf("first difference %d in %d bytes", d.FirstDifference, len(d.StringToSign))
			}
		})
	}
}

func wantNoSecret(t *testing.T, w *world, v any) {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{w.id.APIKey, w.id.APIv3Key, w.id.AppSecret, w.id.MiniAppSecret} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("a secret is in %s", raw)
		}
	}
}

// The first difference is the byte where one should look.
func TestDoctorPointsAtTheByte(t *testing.T) {
	w := newWorld(t, Options{})
	fields := w.orderFields("point00001")
	fields["attach"] = ""
	sloppy{empties: true}.call(w, fields)
	d := w.sim.calls.latest(1)[0].Diagnosis
	if want := len("appid=" + w.id.AppID + "&"); d.FirstDifference != want+1 { // attach against body: a, then b
		if d.FirstDifference != want {
			t.Errorf("first difference %d, want %d in %s", d.FirstDifference, want, d.StringToSign)
		}
	}
	sloppy{key: func(id Identity) string { return id.AppSecret }}.call(w, fields)
	d = w.sim.calls.latest(1)[0].Diagnosis
	if want := strings.Index(d.StringToSign, "&key=") + len("&key="); d.FirstDifference != want {
		t.Errorf("wrong key: first difference %d, want %d", d.FirstDifference, want)
	}
	sloppy{lower: true}.call(w, fields)
	if d = w.sim.calls.latest(1)[0].Diagnosis; d.FirstDifference != -1 || !strings.EqualFold(d.Expected, d.Received) {
		t.Errorf("lower case: %+v", d)
	}
}

// A public demo explains, but signs nothing for anybody. // decision 31
func TestDoctorInPublicGivesNoSignature(t *testing.T) {
	w := newWorld(t, Options{Public: true, BaseURL: "http://demo.example"})
	sloppy{lower: true}.call(w, w.orderFields("public0001"))
	d := w.sim.calls.latest(1)[0].Diagnosis
	if d == nil || d.Cause != "lower-case" || d.Expected != "" {
		t.Errorf("got %+v", d)
	}
}

// The pay sheet: what pages get wrong.
func TestDoctorOfThePaySheet(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(w *world, f map[string]string) // changes what is signed
		then  func(p *bridgeParams)               // changes what is sent
		key   func(id Identity) string
		alg   string
		cause string
	}{
		{"app secret", nil, nil, func(id Identity) string { return id.AppSecret }, "", "wrong-key"},
		{"timestamp", func(_ *world, f map[string]string) { f["timestamp"] = f["timeStamp"]; delete(f, "timeStamp") }, nil, nil, "", "parameter-names"},
		{"milliseconds sent", nil, func(p *bridgeParams) { p.timeStamp += "000" }, nil, "", "timestamp"},
		{"package without prepay_id=", func(_ *world, f map[string]string) { f["package"] = strings.TrimPrefix(f["package"], "prepay_id=") }, nil, nil, "", "escaped-values"},
		{"signType not signed", func(_ *world, f map[string]string) { delete(f, "signType") }, nil, nil, "", "sign-type-mismatch"},
		{"HMAC for an order with MD5", func(_ *world, f map[string]string) { f["signType"] = "HMAC-SHA256" }, func(p *bridgeParams) { p.signType = "HMAC-SHA256" }, nil, "HMAC-SHA256", "sign-type-mismatch"},
		{"lower case", nil, func(p *bridgeParams) { p.paySign = strings.ToLower(p.paySign) }, nil, "", "lower-case"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			p := w.bridge(w.order("sheet00001"), "")
			f := map[string]string{"appId": p.appID, "timeStamp": p.timeStamp, "nonceStr": p.nonceStr, "package": p.pkg, "signType": p.signType}
			if tt.spoil != nil {
				tt.spoil(w, f)
			}
			key := w.id.APIKey
			if tt.key != nil {
				key = tt.key(w.id)
			}
			p.paySign = signFields(f, key, tt.alg)
			if tt.then != nil {
				tt.then(&p)
			}
			_, err := w.sim.openSheet(p, "1")
			if err == nil || !strings.HasPrefix(err.Error(), "支付验证签名失败") {
				t.Fatalf("got %v", err)
			}
			w.sim.timelineRefusedSheet(p.pkg, err)
			d := w.sim.calls.latest(1)[0].Diagnosis
			if d == nil || d.Cause != tt.cause {
				t.Fatalf("diagnosis %+v, want %s", d, tt.cause)
			}
			wantNoSecret(t, w, d)
			if page := w.do("GET", "/_sim/?e="+fmt.Sprint(w.sim.events.last()), "").Body.String(); !strings.Contains(page, tt.cause) {
				t.Error("the console does not show it")
			}
		})
	}
}

type found struct {
	Valid        bool   `json:"valid"`
	Cause        string `json:"cause"`
	Explanation  string `json:"explanation"`
	StringToSign string `json:"string_to_sign"`
}

// Messages that are pasted: requests, our answers, our notifications.
func TestDiagnose(t *testing.T) {
	w := newWorld(t, Options{})
	w.order("paste00001")
	id := w.pay("paste00001").Notifications[0]
	w.api("POST", "notifications/"+id+"/resend", "", 200, nil)
	note := w.shop.notifications()[0].body
	answer := w.call("/pay/orderquery", map[string]string{"out_trade_no": "paste00001"}, "HMAC-SHA256")
	query := map[string]string{"out_trade_no": "paste00001"}
	noteFields := fromXML(t, note)
	bridge := w.bridge(w.order("paste00002"), "")
	six := fmt.Sprintf(`{"appId":%q,"timeStamp":%q,"nonceStr":%q,"package":%q,"signType":%q,"paySign":%q}`,
		bridge.appID, bridge.timeStamp, bridge.nonceStr, bridge.pkg, bridge.signType, bridge.paySign)
	tests := []struct {
		name, direction, body, computed string
		valid                           bool
		cause                           string
	}{
		{"good request", "request", toXML(w.signed(query, "")), "", true, ""},
		{"good request, HMAC", "request", toXML(w.signed(query, "HMAC-SHA256")), "", true, ""},
		{"request with the app secret", "request", toXML(w.signed(map[string]string{"out_trade_no": "x", "sign": signFields(w.signed(map[string]string{"out_trade_no": "x", "sign": "-"}, ""), w.id.AppSecret, "")}, "")), "", false, "wrong-key"},
		{"good answer", "answer", answer, "", true, ""},
		{"answer, verified with MD5", "answer", answer, signFields(fromXML(t, answer), w.id.APIKey, ""), false, "wrong-algorithm"},
		{"answer, damaged", "answer", strings.Replace(answer, "<total_fee>", "<total_fee>1", 1), "", false, "wrong-key"},
		{"good notification", "notification", note, "", true, ""},
		{"notification, verified without new fields", "notification", note, signFields(withoutNew(noteFields), w.id.APIKey, ""), false, "unsigned-field"},
		{"notification, verified with the v3 key", "notification", note, signFields(noteFields, w.id.APIv3Key, ""), false, "wrong-key"},
		{"refusal", "answer", string(v2Fail(failSign)), "", false, "nothing-is-signed"},
		{"unsigned yes", "answer", string(withoutSign([]byte(answer))), "", false, "missing-sign"},
		{"not XML", "request", "hello", "", false, "not-a-message"},
		{"entities", "notification", `<!DOCTYPE xml><xml></xml>`, "", false, "not-a-message"},
		{"good sheet", "request", six, "", true, ""},
		{"sheet in ms", "request", strings.Replace(six, bridge.timeStamp, bridge.timeStamp+"000", 1), "", false, "timestamp"},
		{"sheet, a number", "request", strings.Replace(six, `"`+bridge.timeStamp+`"`, bridge.timeStamp, 1), "", false, "timestamp"},
		{"sheet, lower case", "request", strings.Replace(six, bridge.paySign, strings.ToLower(bridge.paySign), 1), "", false, "lower-case"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in, err := json.Marshal(map[string]any{"api": "v2", "direction": tt.direction, "method": "POST", "url": "/pay/x", "headers": map[string]string{}, "body": tt.body, "computed": tt.computed})
			if err != nil {
				t.Fatal(err)
			}
			var got found
			w.api("POST", "diagnose", string(in), 200, &got)
			if got.Valid != tt.valid || got.Cause != tt.cause || got.Explanation == "" {
				t.Errorf("got %+v", got)
			}
			wantNoSecret(t, w, got)
		})
	}
}

// withoutNew drops the field that nobody knows, as clients with fixed structs do.
func withoutNew(fields map[string]string) map[string]string {
	out := maps.Clone(fields)
	for _, name := range newFieldNames {
		delete(out, name)
	}
	return out
}

// An unknown key costs the longest search; it must not become a way to keep
// the simulator busy.
func TestDoctorIsBounded(t *testing.T) {
	w := newWorld(t, Options{})
	fields := w.signed(w.orderFields("bound00001", "detail", strings.Repeat("茶", 5000), "sign", strings.Repeat("A", 32)), "")
	m := requestMessage(toXML(fields), fields, "MD5", "")
	if n := len(spellings(m)) * len(w.sim.endings(m)); n > 40_000 {
		t.Errorf("%d variants", n)
	}
	if _, found := w.sim.find(m); found {
		t.Error("a made-up signature was explained")
	}
}
