package sim

import (
	"strings"
	"testing"
)

// The form of the doctor takes API v3, though browsers and people change the
// ends of what is pasted.
func TestDoctorPageV3(t *testing.T) {
	w := newWorld(t, Options{})
	ask := func(direction, url, headers, body string) string {
		t.Helper()
		status, _, page := w.form("/_sim/doctor", "api", "v3", "direction", direction, "url", url, "headers", headers, "body", body)
		if status != 200 {
			t.Errorf("%d %s", status, page)
		}
		return page
	}
	for _, body := range []string{sentBody, sentBody + "\n", "{\n  \"a\": 1\n}\n"} {
		_, target, _, header := w.request(mistake{body: body})
		auth := "Authorization: " + header["Authorization"]
		for _, pasted := range []string{body, strings.TrimSpace(body), strings.ReplaceAll(body, "\n", "\r\n") + "\r\n"} {
			if page := ask("request", "POST "+target, auth, pasted); !strings.Contains(page, "验得过") {
				t.Errorf("%q, pasted as %q: a good message does not pass", body, pasted)
			}
		}
	}
	method, target, _, header := w.request(mistake{method: "GET", target: "/v3/certificates?algorithm_type=RSA", sTarget: "/v3/certificates"})
	if page := ask("request", method+" "+target, "Authorization: "+header["Authorization"], ""); !strings.Contains(page, "wrong-url") || !strings.Contains(page, "查询串没有签进去") {
		t.Error("a query string that was not signed is not found")
	}
	if status, _, page := w.form("/_sim/doctor", "api", "v3", "direction", "request", "url", "", "body", ""); status != 400 || !strings.Contains(page, `role="alert"`) {
		t.Errorf("nothing pasted: %d", status)
	}
}

// Calls of API v3 stand in the timeline with their diagnosis.
func TestConsoleShowsV3(t *testing.T) {
	w := newWorld(t, Options{})
	method, target, body, header := w.request(mistake{text: func(l []string) string { return strings.Join(l, "\n") }})
	if rec := w.do(method, target, body, "Authorization", header["Authorization"]); rec.Code != 401 {
		t.Fatalf("status %d", rec.Code)
	}
	all, _ := w.sim.events.since(0)
	last := all[len(all)-1]
	if last.entry.Title != "POST /v3/pay/transactions/jsapi" || last.detail == nil || last.detail.Diagnosis == nil || last.detail.Diagnosis.Cause != "line-endings" {
		t.Errorf("entry %+v, detail %+v", last.entry, last.detail)
	}
}

// Keys are changed from the page of settings, where the next step is offered.
func TestKeysPage(t *testing.T) {
	w := newWorld(t, Options{})
	before := w.identity().APIv3Key
	if status, to, _ := w.form("/_sim/keys", "api_v3_key", "next", "back", "/_sim/account"); status != 303 || to != "/_sim/account?said=keys" || w.identity().APIv3Key == before {
		t.Errorf("APIv3 key: %d %s", status, to)
	}
	if status, _, page := w.form("/_sim/keys", "rotate", "start", "back", "/_sim/account"); status != 409 || strings.Contains(page, `value="start"`) {
		t.Errorf("nothing to rotate: %d", status)
	}
	w.setMode("certificate")
	for _, step := range []string{"start", "switch", "finish", "now"} {
		if page := w.do("GET", "/_sim/account", "").Body.String(); !strings.Contains(page, `value="`+step+`"`) || !strings.Contains(page, w.identity().PlatformSerialNo) {
			t.Errorf("the page does not offer %s", step)
		}
		if status, to, _ := w.form("/_sim/keys", "rotate", step, "back", "/_sim/account"); status != 303 || to != "/_sim/account?said=keys" {
			t.Errorf("%s: %d %s", step, status, to)
		}
	}
	if status, _, _ := w.form("/_sim/keys"); status != 400 {
		t.Errorf("an empty form: %d", status)
	}
}
