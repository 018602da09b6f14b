package checkout_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"wxshop/models"
	"wxshop/wxpay"
)

func readAll(r *http.Request) []byte {
	b, _ := io.ReadAll(r.Body)
	return b
}

// fault is a way in which an answer gets lost or spoiled. done says whether
// WeChat did what it was asked before.
type fault struct {
	name string
	make func(real http.Handler) http.HandlerFunc
}

// faultsOf are those of a version of the API.
func faultsOf(api wxpay.Version) []fault {
	switch {
	case api == wxpay.V3 && thorough:
		return slices.Concat(faults, faultsV3)
	case api == wxpay.V3:
		return faultsV3[:2]
	}
	return slices.Concat(faults, faultsV2)
}

var faults = []fault{
	{"timeout, not done", func(http.Handler) http.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) { time.Sleep(time.Minute) }
	}},
	{"timeout, done", func(real http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			real.ServeHTTP(httptest.NewRecorder(), r)
			time.Sleep(time.Minute)
		}
	}},
	{"connection cut, done", func(real http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			real.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
	}},
	{"502", func(http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(502) }
	}},
	{"HTML page", func(http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "<!DOCTYPE html><html><body>维护中</body></html>")
		}
	}},
}

var faultsV2 = []fault{
	{"unsigned", rewrite(func(s string) string { return cutTag(s, "sign") })},
	{"wrongly signed", rewrite(func(s string) string {
		return strings.Replace(s, "SUCCESS]]></result_code>", "SUCCESS]]></result_code><more>1</more>", 1)
	})},
	{"cut", rewrite(func(s string) string { return s[:len(s)/2] })},
	{"empty", rewrite(func(string) string { return "" })},
	{"SYSTEMERROR", func(http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "<xml><return_code><![CDATA[FAIL]]></return_code>\n<return_msg><![CDATA[system error]]></return_msg>\n</xml>")
		}
	}},
}

var faultsV3 = []fault{
	{"unsigned", respond(func(rec *httptest.ResponseRecorder) []byte {
		rec.Header().Del("Wechatpay-Signature")
		return rec.Body.Bytes()
	})},
	{"by an unknown key", respond(func(rec *httptest.ResponseRecorder) []byte {
		rec.Header().Set("Wechatpay-Serial", "PUB_KEY_ID_01"+strings.Repeat("9", 28))
		return rec.Body.Bytes()
	})},
	{"wrongly signed", respond(func(rec *httptest.ResponseRecorder) []byte {
		rec.Header().Set("Wechatpay-Nonce", "0123456789abcdef")
		return rec.Body.Bytes()
	})},
	{"another body", respond(func(rec *httptest.ResponseRecorder) []byte { rec.Code = 200; return append(rec.Body.Bytes(), ' ') })},
	{"stale", respond(func(rec *httptest.ResponseRecorder) []byte {
		rec.Header().Set("Wechatpay-Timestamp", strconv.FormatInt(time.Now().Unix()-300, 10))
		return rec.Body.Bytes()
	})},
	{"signature probe", respond(func(rec *httptest.ResponseRecorder) []byte {
		rec.Header().Set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/"+rec.Header().Get("Wechatpay-Signature"))
		return rec.Body.Bytes()
	})},
	{"cut", respond(func(rec *httptest.ResponseRecorder) []byte {
		rec.Header().Set("Wechatpay-Signature", rec.Header().Get("Wechatpay-Signature")[:min(100, len(rec.Header().Get("Wechatpay-Signature")))]) // an answer to a close has no body
		return rec.Body.Bytes()[:rec.Body.Len()/2]
	})},
	{"SYSTEM_ERROR", func(http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(500)
			io.WriteString(w, `{"code":"SYSTEM_ERROR","message":"系统繁忙，请稍后重试"}`)
		}
	}},
}

// respond lets WeChat do it, and spoils headers and body of its answer.
func respond(f func(*httptest.ResponseRecorder) []byte) func(http.Handler) http.HandlerFunc {
	return func(real http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			real.ServeHTTP(rec, r)
			body := f(rec)
			maps.Copy(w.Header(), rec.Header())
			w.WriteHeader(rec.Code)
			if rec.Code != http.StatusNoContent {
				w.Write(body)
			}
		}
	}
}

func rewrite(f func(string) string) func(http.Handler) http.HandlerFunc {
	return func(real http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			real.ServeHTTP(rec, r)
			io.WriteString(w, f(rec.Body.String()))
		}
	}
}

func cutTag(s, tag string) string {
	i := strings.Index(s, "<"+tag+">")
	j := strings.Index(s, "</"+tag+">")
	if i < 0 || j < 0 {
		return s
	}
	return s[:i] + s[j+len(tag)+3:]
}

// An unknown outcome of any gateway call ends in the same out_trade_no and
// never in "failed"; once WeChat answers again, the order can be paid.
func TestUnknownIsNeverFailed(t *testing.T) {
	for _, api := range []wxpay.Version{wxpay.V2, wxpay.V3} {
		for _, call := range []string{callPrepay, callQuery, callClose} {
			for _, f := range faultsOf(api) {
				t.Run(string(api)+" "+call+" "+f.name, func(t *testing.T) {
					inBubbleOf(t, api, func(t *testing.T, w *world) { w.survives(call, f) })
				})
			}
		}
	}
}

// survives spoils every answer to a call, and then none.
func (w *world) survives(call string, f fault) {
	t := w.t
	t.Helper()
	h := f.make(w.sim.Gateway())
	w.setFault(func(path string) http.HandlerFunc {
		if isCall(path, call) {
			return h
		}
		return nil
	})
	o, p := w.buys()
	w.svc.Status(t.Context(), w.user.ID, o.No)
	if err := w.svc.Cancel(t.Context(), w.user.ID, o.No); call != callPrepay && err == nil {
		// Only a close that WeChat answered may close the order here.
		if w.order(o.No).State != models.Unpaid {
			t.Fatalf("cancelled although WeChat did not answer\n%s", w.story(o.No))
		}
	}
	if w.order(o.No).State == models.Closed {
		return // prepay was spoiled, query and close were honest
	}
	later(2 * time.Minute)
	for _, x := range w.payments(o) {
		if x.State == models.PayFailed || x.OutTradeNo != p.OutTradeNo {
			t.Fatalf("attempt is %s %s, want %s still open\n%s", x.OutTradeNo, x.State, p.OutTradeNo, w.story(o.No))
		}
	}
	w.setFault(nil)
	if err := w.svc.Pay(t.Context(), w.user, o.No, wxpay.JSAPI, "127.0.0.1"); err != nil {
		t.Fatalf("Pay afterwards: %v\n%s", err, w.story(o.No))
	}
	live, err := w.store.LivePayment(t.Context(), o.ID)
	if err != nil || live.State != models.PayPrepaid {
		t.Fatalf("live attempt = %+v, %v", live, err)
	}
	if live.OutTradeNo != p.OutTradeNo && w.atWeChat(p.OutTradeNo).State != "CLOSED" {
		t.Errorf("number changed from %s to %s", p.OutTradeNo, live.OutTradeNo)
	}
	if code := w.pays(live.OutTradeNo); code != 200 {
		t.Fatalf("paying = %d\n%s", code, w.story(o.No))
	}
	later(time.Second)
	w.wantState(o.No, models.Paid)
}

// Decision 13: every retry of an attempt says the same.
func TestRetrySaysTheSame(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		var bodies []string
		real := w.sim.Gateway()
		w.setFault(func(p string) http.HandlerFunc {
			if !isCall(p, callPrepay) {
				return nil
			}
			return func(rw http.ResponseWriter, r *http.Request) {
				b := string(readAll(r))
				bodies = append(bodies, b)
				if len(bodies) < 4 {
					rw.WriteHeader(503)
					return
				}
				r.Body = io.NopCloser(strings.NewReader(b))
				real.ServeHTTP(rw, r)
			}
		})
		o, p := w.buys()
		for range 6 {
			later(time.Minute)
			w.svc.Pay(t.Context(), w.user, o.No, wxpay.JSAPI, "9.9.9.9") // another address by now
		}
		if len(bodies) < 4 {
			t.Fatalf("%d calls, want at least 4", len(bodies))
		}
		for i, b := range bodies {
			for _, tag := range []string{"nonce_str", "sign"} {
				b = cutTag(b, tag)
			}
			bodies[i] = b
			if bodies[i] != bodies[0] {
				t.Errorf("call %d says\n%s\nthe first said\n%s", i, bodies[i], bodies[0])
			}
		}
		if live, err := w.store.LivePayment(t.Context(), o.ID); err != nil || live.OutTradeNo != p.OutTradeNo || live.State != models.PayPrepaid {
			t.Errorf("live = %+v, %v", live, err)
		}
	})
}

// A definite refusal fails the attempt, keeps the order, and the next try is a
// new number.
func TestRefusedAttempt(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		w.setFault(func(p string) http.HandlerFunc {
			return func(rw http.ResponseWriter, r *http.Request) {
				if w.speaks == wxpay.V3 {
					rw.WriteHeader(401)
					io.WriteString(rw, `{"code":"SIGN_ERROR","message":"签名错误"}`)
					return
				}
				io.WriteString(rw, "<xml><return_code><![CDATA[FAIL]]></return_code>\n<return_msg><![CDATA[签名错误]]></return_msg>\n</xml>")
			}
		})
		o, p := w.buys()
		if p.State != models.PayFailed {
			t.Fatalf("attempt is %s, want failed", p.State)
		}
		w.wantState(o.No, models.Unpaid)
		w.setFault(nil)
		if err := w.svc.Pay(t.Context(), w.user, o.No, wxpay.JSAPI, "127.0.0.1"); err != nil {
			t.Fatal(err)
		}
		live, err := w.store.LivePayment(t.Context(), o.ID)
		if err != nil || live.OutTradeNo == p.OutTradeNo {
			t.Errorf("live = %+v, %v, want a new number", live, err)
		}
	})
}

// Two taps on Pay, or forty, are one attempt.
func TestPayInParallel(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o, p := w.buys()
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				if err := w.svc.Pay(t.Context(), w.user, o.No, wxpay.JSAPI, "127.0.0.1"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if ps := w.payments(o); len(ps) != 1 || ps[0].OutTradeNo != p.OutTradeNo {
			t.Errorf("%d attempts, want the one", len(ps))
		}
	})
}

// The order of another shopper does not exist (P15).
func TestForeignOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o, _ := w.buys()
		b, err := w.store.SignIn(t.Context(), w.sim.Identity().AppID, w.simUsers()[1].OpenID, 0)
		if err != nil {
			t.Fatal(err)
		}
		calls := map[string]func() error{
			"page":    func() error { _, err := w.svc.PayPage(t.Context(), b, o.No); return err },
			"pay":     func() error { return w.svc.Pay(t.Context(), b, o.No, wxpay.JSAPI, "127.0.0.1") },
			"status":  func() error { _, err := w.svc.Status(t.Context(), b.ID, o.No); return err },
			"cancel":  func() error { return w.svc.Cancel(t.Context(), b.ID, o.No) },
			"confirm": func() error { return w.svc.Confirm(t.Context(), b.ID, o.No) },
			"again":   func() error { _, err := w.svc.Again(t.Context(), b.ID, o.No); return err },
		}
		for name, call := range calls {
			if err := call(); err == nil || !strings.Contains(err.Error(), models.ErrNotFound.Error()) {
				t.Errorf("%s of A's order by B = %v, want not found", name, err)
			}
		}
		w.wantState(o.No, models.Unpaid)
	})
}
