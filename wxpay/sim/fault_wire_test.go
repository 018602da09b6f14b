package sim

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// send makes a signed v2 call over a transport without sockets and returns
// what a client gets: the error of a broken connection, or status and body.
func (w *world) send(path string, fields map[string]string, header ...string) (int, string, error) {
	w.t.Helper()
	return w.sendTo("localhost:8081", path, fields, header...)
}

func (w *world) sendTo(host, path string, fields map[string]string, header ...string) (int, string, error) {
	w.t.Helper()
	r, err := http.NewRequest("POST", "http://"+host+path, strings.NewReader(toXML(w.signed(fields, ""))))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := Direct(w.sim.Gateway()).RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, string(body), err
}

// insist repeats a call until its verified answer has one of the values
// ("name=value"), as a client must that meets faults.
func (w *world) insist(path string, fields map[string]string, wanted ...string) {
	w.t.Helper()
	for range 60 {
		status, body, err := w.send(path, fields)
		if err == nil && status == 200 {
			got := softXML(body)
			for _, want := range wanted {
				name, value, _ := strings.Cut(want, "=")
				if got["sign"] == signFields(got, w.id.APIKey, "") && got[name] == value {
					return
				}
			}
		}
		time.Sleep(time.Second)
	}
	w.t.Fatalf("%s never said %s", path, wanted)
}

// softXML is fromXML for documents that may be cut or HTML.
func softXML(doc string) map[string]string {
	var v struct {
		XMLName xml.Name `xml:"xml"`
		Fields  []struct {
			XMLName xml.Name
			Value   string `xml:",chardata"`
		} `xml:",any"`
	}
	if xml.Unmarshal([]byte(doc), &v) != nil {
		return nil
	}
	out := map[string]string{}
	for _, f := range v.Fields {
		out[f.XMLName.Local] = f.Value
	}
	return out
}

// next arms a fault for its next occasions.
func (w *world) next(name string, n int) {
	w.t.Helper()
	w.api("PUT", "faults", fmt.Sprintf(`{"next":{%q:%d}}`, name, n), 200, nil)
}

// Each fault on the way of a call: what the client gets, and whether the call
// was carried out.
func TestFaultsOfCalls(t *testing.T) {
	tests := []struct {
		name string
		done bool
		want func(status int, body string, err error) bool
	}{
		{"connection-refused", false, func(_ int, _ string, err error) bool { return errors.Is(err, errCut) }},
		{"host-down", false, func(_ int, _ string, err error) bool { return errors.Is(err, errCut) }},
		{"reset-before-commit", false, func(_ int, _ string, err error) bool { return errors.Is(err, errCut) }},
		{"reset-after-commit", true, func(_ int, _ string, err error) bool { return errors.Is(err, errCut) }},
		{"answer-5xx", false, func(status int, body string, _ error) bool { return status == 502 && strings.Contains(body, "<html>") }},
		{"answer-html", true, func(status int, body string, _ error) bool { return status == 200 && strings.HasPrefix(body, "<html>") }},
		{"answer-truncated", true, func(status int, body string, _ error) bool {
			return status == 200 && strings.HasPrefix(body, "<xml>") && softXML(body) == nil
		}},
		{"answer-unsigned", true, func(status int, body string, _ error) bool {
			got := softXML(body)
			return status == 200 && got["result_code"] == "SUCCESS" && got["sign"] == ""
		}},
		{"answer-wrong-signature", true, func(status int, body string, _ error) bool {
			got := softXML(body)
			return got["result_code"] == "SUCCESS" && len(got["sign"]) == 32 && got["sign"] != signFields(got, "", "")
		}},
		{"frequency-limited", false, func(_ int, body string, _ error) bool { return softXML(body)["err_code"] == "FREQUENCY_LIMITED" }},
		{"out-trade-no-used", false, func(_ int, body string, _ error) bool { return softXML(body)["err_code"] == "OUT_TRADE_NO_USED" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			w.next(tt.name, 1)
			status, body, err := w.send("/pay/unifiedorder", w.orderFields("fault00001"))
			if !tt.want(status, body, err) {
				t.Errorf("got %d %q %v", status, body, err)
			}
			if tt.name == "answer-wrong-signature" && softXML(body)["sign"] == signFields(softXML(body), w.id.APIKey, "") {
				t.Error("the signature holds")
			}
			if _, known := w.sim.ledger.orders["fault00001"]; known != tt.done {
				t.Errorf("carried out: %v, want %v", known, tt.done)
			}
			wantFired(t, w, tt.name, 1)
			w.insist("/pay/unifiedorder", w.orderFields("fault00001"), "result_code=SUCCESS")
			wantFired(t, w, tt.name, 1)
			first := w.sim.calls.latest(10)
			if c := first[len(first)-1]; c.Verdict != "refused" || c.Error == "" || errors.Is(err, errCut) != (c.Status == 0) {
				t.Errorf("in the log: %d %s %q", c.Status, c.Verdict, c.Error)
			}
		})
	}
}

// A spare host is up while the main one is down; other faults spare nobody.
func TestHostDownSparesTheOtherHost(t *testing.T) {
	w := newWorld(t, Options{})
	w.api("PUT", "faults", `{"rates":{"host-down":1}}`, 200, nil)
	if _, _, err := w.send("/pay/unifiedorder", w.orderFields("spare00001")); !errors.Is(err, errCut) {
		t.Errorf("the main host answers: %v", err)
	}
	if _, body, err := w.sendTo("127.0.0.1:8081", "/pay/unifiedorder", w.orderFields("spare00001")); err != nil || softXML(body)["result_code"] != "SUCCESS" {
		t.Errorf("the spare host: %v %s", err, body)
	}
	if rec := w.do("GET", "/sns/auth", ""); rec.Code != 200 {
		t.Errorf("OAuth suffers too: %d", rec.Code)
	}
}

func TestAnswerSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.next("answer-slow", 1)
		start := time.Now()
		if _, body, err := w.send("/pay/unifiedorder", w.orderFields("slow000001")); err != nil || softXML(body)["result_code"] != "SUCCESS" {
			t.Errorf("%v %s", err, body)
		}
		if took := time.Since(start); took != slowAnswer {
			t.Errorf("took %s", took)
		}
		wantFired(t, w, "answer-slow", 1)
	})
}

// SYSTEMERROR leaves it open whether the call was carried out.
func TestSystemError(t *testing.T) {
	w := newWorld(t, Options{})
	w.next("system-error", 40)
	done := 0
	for i := range 40 {
		no := fmt.Sprintf("system%04d", i)
		_, body, _ := w.send("/pay/unifiedorder", w.orderFields(no))
		if got := softXML(body); got["err_code"] != "SYSTEMERROR" || got["sign"] != signFields(got, w.id.APIKey, "") {
			t.Fatalf("got %s", body)
		}
		if w.sim.ledger.orders[no] != nil {
			done++
		}
	}
	if done == 0 || done == 40 {
		t.Errorf("%d of 40 were carried out, want some and not all", done)
	}
	wantFired(t, w, "system-error", 40)
}

// The payer is quicker than a repeated order, and than a close.
func TestRaces(t *testing.T) {
	w := newWorld(t, Options{})
	w.next("order-paid-race", 1)
	w.order("race000001")
	if n := w.sim.faults.view().Fired["order-paid-race"]; n != 0 {
		t.Errorf("fired %d times: nobody can pay what is not placed", n)
	}
	_, body, _ := w.send("/pay/unifiedorder", w.orderFields("race000001"))
	if softXML(body)["err_code"] != "ORDERPAID" || w.state("race000001") != "SUCCESS" {
		t.Errorf("placed again: %s, %s", body, w.state("race000001"))
	}
	wantFired(t, w, "order-paid-race", 1)
	w.next("close-pay-race", 1)
	w.order("race000002")
	_, body, _ = w.send("/pay/closeorder", map[string]string{"out_trade_no": "race000002"})
	if softXML(body)["err_code"] != "ORDERPAID" || w.state("race000002") != "SUCCESS" {
		t.Errorf("closed: %s, %s", body, w.state("race000002"))
	}
	wantFired(t, w, "close-pay-race", 1)
}

// A close within five minutes of the order may be answered SUCCESS in vain.
func TestCloseIgnored(t *testing.T) {
	w := newWorld(t, Options{})
	w.order("young00001")
	w.next("close-ignored", 1)
	for _, want := range []string{"NOTPAY", "CLOSED"} {
		_, body, _ := w.send("/pay/closeorder", map[string]string{"out_trade_no": "young00001"})
		if got := w.state("young00001"); softXML(body)["result_code"] != "SUCCESS" || got != want {
			t.Errorf("closed: %s, the order is %s, want %s", body, got, want)
		}
	}
	wantFired(t, w, "close-ignored", 1)
}

func TestNotEnough(t *testing.T) {
	w := newWorld(t, Options{})
	w.order("poor000001")
	w.next("not-enough", 1)
	w.api("POST", "transactions/poor000001/pay", "", 409, nil)
	w.pay("poor000001")
	wantFired(t, w, "not-enough", 1)
}

// Over a real socket a cut connection is a cut connection, and the server lives.
func TestCutOverASocket(t *testing.T) {
	w := newWorld(t, Options{})
	server := httptest.NewServer(w.sim.Gateway())
	defer server.Close()
	w.next("reset-after-commit", 1)
	body := toXML(w.signed(w.orderFields("socket0001"), ""))
	if res, err := http.Post(server.URL+"/pay/unifiedorder", "text/xml", strings.NewReader(body)); err == nil {
		res.Body.Close()
		t.Error("there was an answer")
	}
	res, err := http.Post(server.URL+"/pay/unifiedorder", "text/xml", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if w.sim.ledger.orders["socket0001"] == nil {
		t.Error("it was not carried out")
	}
}
