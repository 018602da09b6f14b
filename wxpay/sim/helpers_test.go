package sim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
)

// testKeys are made once, at the first use of API v3: making RSA keys is slow.
var testKeys Keys

// world is a simulator and a shop, joined without sockets.
type world struct {
	t    *testing.T
	sim  *Sim
	shop *shop
	id   Identity
}

func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	w := &world{t: t, shop: &shop{answer: goodReply}}
	if o.Transport == nil {
		o.Transport = local{w.shop}
	}
	if o.Seed == 0 {
		o.Seed = 7
	}
	if o.Keys == nil {
		o.Keys = &testKeys
	}
	s, err := New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	w.sim, w.id = s, s.Identity()
	return w
}

// run starts the delivery loop and returns what stops it.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.sim.Run(ctx) }()
	return func() { cancel(); <-done }
}

// shop answers notifications.
type shop struct {
	mu     sync.Mutex
	got    []received
	answer func(w http.ResponseWriter, r *http.Request)
}

type received struct {
	at     time.Time
	header http.Header
	body   string
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.got = append(s.got, received{time.Now(), r.Header, string(body)})
	answer := s.answer
	s.mu.Unlock()
	answer(w, r)
}

func (s *shop) notifications() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.got...)
}

func (s *shop) answerWith(h func(w http.ResponseWriter, r *http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = h
}

func goodReply(w http.ResponseWriter, _ *http.Request) {
	io.WriteString(w, "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>")
}

func badReply(w http.ResponseWriter, _ *http.Request) {
	io.WriteString(w, "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[later]]></return_msg></xml>")
}

// local is a transport to one handler. The caller may give up while the
// handler goes on.
type local struct{ h http.Handler }

func (l local) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI, in.Host = r.URL.RequestURI(), r.URL.Host
	w, done := httptest.NewRecorder(), make(chan struct{})
	go func() { defer close(done); l.h.ServeHTTP(w, in) }()
	select {
	case <-done:
		return w.Result(), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// do sends a request to the gateway.
func (w *world) do(method, target, body string, header ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(method, "http://localhost:8081"+target, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.sim.Gateway().ServeHTTP(rec, r)
	return rec
}

// api calls the control API and decodes the answer.
func (w *world) api(method, path, body string, wantStatus int, into any) {
	w.t.Helper()
	rec := w.do(method, "/_sim/api/"+path, body)
	if rec.Code != wantStatus {
		w.t.Fatalf("%s %s: status %d, want %d: %s", method, path, rec.Code, wantStatus, rec.Body)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(rec.Body.Bytes(), into); err != nil {
		w.t.Fatalf("%s %s: %v in %s", method, path, err, rec.Body)
	}
}

// Signing as the document of WeChat Pay v2 describes it, written anew here so
// that a mistake in the simulator does not hide itself.
func signFields(fields map[string]string, key, alg string) string {
	var names []string
	for name, value := range fields {
		if name != "sign" && value != "" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var pairs []string
	for _, name := range names {
		pairs = append(pairs, name+"="+fields[name])
	}
	text := strings.Join(pairs, "&") + "&key=" + key
	var h hash.Hash = md5.New()
	if alg == "HMAC-SHA256" {
		h = hmac.New(sha256.New, []byte(key))
	}
	io.WriteString(h, text)
	return fmt.Sprintf("%X", h.Sum(nil))
}

// toXML writes fields with entities instead of CDATA.
func toXML(fields map[string]string) string {
	var b bytes.Buffer
	b.WriteString("<xml>\n")
	for k, v := range fields {
		b.WriteString("<" + k + ">")
		xml.EscapeText(&b, []byte(v))
		b.WriteString("</" + k + ">\n")
	}
	b.WriteString("</xml>")
	return b.String()
}

// fromXML reads an answer with the standard library.
func fromXML(t *testing.T, doc string) map[string]string {
	t.Helper()
	var v struct {
		Fields []struct {
			XMLName xml.Name
			Value   string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal([]byte(doc), &v); err != nil {
		t.Fatalf("not XML: %v in %q", err, doc)
	}
	out := map[string]string{}
	for _, f := range v.Fields {
		out[f.XMLName.Local] = f.Value
	}
	return out
}

// signed adds appid, mch_id, nonce_str and sign to fields; a value "-" takes
// a field away.
func (w *world) signed(fields map[string]string, alg string) map[string]string {
	all := map[string]string{"appid": w.id.AppID, "mch_id": w.id.MchID, "nonce_str": "5K8264ILTKCH16CQ2502SI8ZNMTM67VS"}
	if alg != "" {
		all["sign_type"] = alg
	}
	for k, v := range fields {
		if all[k] = v; v == "-" {
			delete(all, k)
		}
	}
	if _, given := fields["sign"]; !given {
		all["sign"] = signFields(all, w.id.APIKey, alg)
	}
	return all
}

// call makes a signed v2 call and returns the raw answer.
func (w *world) call(path string, fields map[string]string, alg string) string {
	w.t.Helper()
	rec := w.do("POST", path, toXML(w.signed(fields, alg)))
	if rec.Code != http.StatusOK {
		w.t.Fatalf("POST %s: status %d", path, rec.Code)
	}
	return rec.Body.String()
}

// ok makes a call that must succeed and verifies the answer.
func (w *world) ok(path string, fields map[string]string, alg string) map[string]string {
	w.t.Helper()
	raw := w.call(path, fields, alg)
	got := fromXML(w.t, raw)
	if got["return_code"] != "SUCCESS" || got["result_code"] != "SUCCESS" {
		w.t.Fatalf("POST %s: %s", path, raw)
	}
	if want := signFields(got, w.id.APIKey, alg); got["sign"] != want {
		w.t.Fatalf("POST %s: answer is signed %s, want %s", path, got["sign"], want)
	}
	return got
}

// openID is the openid of the n-th user.
func (w *world) openID(n int) string {
	w.t.Helper()
	return w.sim.people()[n-1].OpenID
}

// orderFields is a good unifiedorder; pairs change it.
func (w *world) orderFields(no string, pairs ...string) map[string]string {
	f := map[string]string{
		"body": "测试店-图书 & <茶>", "out_trade_no": no, "total_fee": "888", "spbill_create_ip": "123.12.12.123",
		"notify_url": "http://localhost:8080/notify/v2/pay", "trade_type": "JSAPI", "openid": w.openID(1),
		"attach": "a=1&b=2",
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		f[pairs[i]] = pairs[i+1]
	}
	return f
}

// order places a good order and returns the prepay_id.
func (w *world) order(no string, pairs ...string) string {
	w.t.Helper()
	return w.ok("/pay/unifiedorder", w.orderFields(no, pairs...), "")["prepay_id"]
}

// pay makes the right user pay.
func (w *world) pay(no string) transactionReply {
	w.t.Helper()
	var tx transactionReply
	w.api("POST", "transactions/"+url.PathEscape(no)+"/pay", `{"outcome":"success"}`, 200, &tx)
	return tx
}

type transactionReply struct {
	OutTradeNo    string   `json:"out_trade_no"`
	TransactionID string   `json:"transaction_id"`
	State         string   `json:"state"`
	PaidAt        string   `json:"paid_at"`
	OpenID        string   `json:"openid"`
	PrepayID      string   `json:"prepay_id"`
	Notifications []string `json:"notifications"`
}

// state asks orderquery.
func (w *world) state(no string) string {
	w.t.Helper()
	return w.ok("/pay/orderquery", map[string]string{"out_trade_no": no}, "")["trade_state"]
}

type notificationReply struct {
	ID       string  `json:"id"`
	State    string  `json:"state"`
	NextAt   *string `json:"next_at"`
	Attempts []struct {
		At           string `json:"at"`
		RequestBody  string `json:"request_body"`
		Status       int    `json:"status"`
		ResponseBody string `json:"response_body"`
		OK           bool   `json:"ok"`
	} `json:"attempts"`
}

func (w *world) notification(id string) notificationReply {
	w.t.Helper()
	var all []notificationReply
	w.api("GET", "notifications", "", 200, &all)
	for _, n := range all {
		if n.ID == id {
			return n
		}
	}
	w.t.Fatalf("no notification %s among %d", id, len(all))
	return notificationReply{}
}
