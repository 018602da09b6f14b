package wxpay

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// P20: run every call, well and badly, and look for what nobody may read in
// the log, in the recorded messages and in the errors.
func TestNothingSecretIsTold(t *testing.T) {
	var told bytes.Buffer
	log := slog.New(slog.NewTextHandler(&told, &slog.HandlerOptions{Level: slog.LevelDebug}))
	next := strings.Repeat("N", 32)
	var signs []string
	var mu sync.Mutex
	answers := []func(http.ResponseWriter, *http.Request, message){
		always(placed()),
		always(signedAnswer(message{{"result_code", "SUCCESS"}, {"authinfo", "credentialCanary"}, {"expires_in", "60"}, {"out_trade_no", testNo}}, HMACSHA256, vectorKey)),
		always(business("ORDERPAID", "该订单已支付")),
		always(protocolFail("签名错误")),
		func(w http.ResponseWriter, _ *http.Request, m message) { // an error page that repeats the request
			fmt.Fprintf(w, "<html>%s %s %s %s", vectorKey, next, m.get("sign"), m.get("openid"))
			fmt.Fprintln(w, m.get("auth_code"), m.get("face_code"), m.get("rawdata"))
		},
		func(w http.ResponseWriter, _ *http.Request, m message) { w.Write(encode(m)) },
		func(w http.ResponseWriter, _ *http.Request, m message) { w.WriteHeader(502) },
	}
	for _, answer := range answers {
		g := newGateway(t, func(w http.ResponseWriter, r *http.Request, m message) {
			mu.Lock()
			signs = append(signs, m.get("sign"))
			mu.Unlock()
			answer(w, r, m)
		})
		cfg := testConfig(g.URL, g.URL)
		cfg.NextAPIKey, cfg.Log = next, log
		cfg.Record = func(_ context.Context, m Message) { fmt.Fprintf(&told, "%+v\n", m) }
		c := newTestClient(t, cfg)
		p, prepay := c.Prepay(t.Context(), testOrder())
		x, query := c.Query(t.Context(), Ref{OutTradeNo: testNo})
		fmt.Fprintf(&told, "%+v %+v %+v %#v\n", p, prepay, x, query)
		fmt.Fprintln(&told, c.Close(t.Context(), Ref{OutTradeNo: testNo}))
		tellTheRest(t, &told, c)
		fmt.Fprintf(&told, "%v %+v %#v\n", cfg, cfg, cfg)
		log.Info("configured", "config", cfg)
	}
	mu.Lock()
	defer mu.Unlock()
	good := signed(notice(t), HMACSHA256, vectorKey)
	signs = append(signs, good.get("sign"))
	c := newTestClient(t, testConfig())
	x, _ := c.ParseNotify(nil, notifyBody(good))
	fmt.Fprintln(&told, x.Raw())
	_, err := c.ParseNotify(nil, notifyBody(replaced(good, "total_fee", "1")))
	fmt.Fprintln(&told, err)

	key, _ := c.ParseRefundNotify(nil, refundNotice(a1Sealed))
	fmt.Fprintf(&told, "%+v\n", key)
	server := MPServerConfig{AppID: testApp, Token: "serverTokenCanary", EncodingAESKey: mpAES}
	q, body := pushed(t, subscribe, mpAES, mpApp)
	message, err := testMPServer(mpAES, "").Read(q, body)
	_, bad := testMPServer(strings.Repeat("x", 43), "").Read(q, body)
	lent := MPToken{Value: "tokenCanary", Until: time.Now()}
	auth := FaceAuth{Info: "credentialCanary", ExpiresIn: 1}
	fmt.Fprintf(&told, "%v %+v %#v %+v %v %v %v %+v %#v %v %+v %#v %v\n", server, server, server, message, message.Raw, err, bad, lent, lent, auth, auth, auth, &lent)
	log.Info("wired", "server", server, "message", message, "token", lent, "face", auth)

	mp := MPConfig{AppID: testApp, AppSecret: testSecret}
	user := MPUser{OpenID: testOrder().OpenID, AccessToken: "63_canary"}
	fmt.Fprintf(&told, "%v %+v %#v %v %+v %#v\n", mp, mp, mp, user, user, user)
	log.Info("signed in", "user", user, "account", mp)

	canaries := []string{
		vectorKey, next, testSecret, "63_canary", testOrder().OpenID, testCode18, "faceCanary", "rawCanary", "credentialCanary",
		"serverTokenCanary", mpAES, "tokenCanary", "oTEST0000000000000000000001", a1Sealed,
	}
	for _, secret := range append(signs, canaries...) {
		if secret != "" && strings.Contains(told.String(), secret) {
			t.Errorf("%q was told", secret)
		}
	}
	for _, wanted := range []string{"prepay_id", "签名错误", "…eS6o", "failed over"} {
		if !strings.Contains(told.String(), wanted) {
			t.Errorf("%q was not told; the test looks at nothing", wanted)
		}
	}
}

// tellTheRest makes the other calls and tells what they say.
func tellTheRest(t *testing.T, told io.Writer, c *V2Client) {
	t.Helper()
	r, err := c.Refund(t.Context(), testRefund())
	fmt.Fprintf(told, "%+v %v %#v\n", r, err, err)
	r, err = c.QueryRefund(t.Context(), testRefund().Ref())
	fmt.Fprintf(told, "%+v %v\n", r, err)
	_, micro := c.Micropay(t.Context(), testOrder(), testCode18)
	_, face := c.Facepay(t.Context(), testOrder(), "faceCanary")
	_, again := c.Reverse(t.Context(), testOrder().Ref())
	auth, info := c.AuthInfo(t.Context(), FaceDevice{StoreID: "s", StoreName: "n", DeviceID: "d", RawData: "rawCanary"})
	_, whose := c.AuthCodeToOpenID(t.Context(), testCode18)
	_, bill := c.Bill(t.Context(), BillRequest{Day: time.Now()})
	_, flow := c.FundFlow(t.Context(), FundFlowRequest{Day: time.Now()})
	fmt.Fprintf(told, "%v %v %v %+v %v %v %v %v\n", micro, face, again, auth, info, whose, bill, flow)
	for _, findings := range [][]Finding{c.ProbeOrder(t.Context()), c.ProbeBill(t.Context()), c.ProbeCertificate(t.Context()), CheckConfig(c.cfg)} {
		fmt.Fprintf(told, "%+v\n", findings)
	}
}

func TestRecord(t *testing.T) {
	main := newGateway(t, func(w http.ResponseWriter, _ *http.Request, _ message) {
		w.WriteHeader(502)
		io.WriteString(w, "<html>bad")
	})
	backup := newGateway(t, always(placed()))
	cfg := testConfig(main.URL, backup.URL)
	var got []Message
	cfg.Record = func(ctx context.Context, m Message) {
		if ctx.Err() != nil {
			t.Error("the recorder's context ends with the caller's")
		}
		got = append(got, m)
	}
	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	cfg.Now = func() time.Time { return at }
	if _, err := newTestClient(t, cfg).Prepay(t.Context(), testOrder()); err != nil {
		t.Fatal(err)
	}
	want := []struct {
		direction Direction
		url       string
		status    int
		has, err  string
	}{
		{Sent, main.URL, 0, "<total_fee>888</total_fee>", ""},
		{Received, main.URL, 502, "<html>bad", "unifiedorder: HTTP 502 (outcome unknown)"},
		{Sent, backup.URL, 0, "<body>测试店-图书 &amp; &lt;茶&gt;</body>", ""},
		{Received, backup.URL, 200, "<prepay_id>wx0612534600</prepay_id>", ""},
	}
	if len(got) != len(want) {
		t.Fatalf("%d messages, want %d", len(got), len(want))
	}
	for i, w := range want {
		m := got[i]
		if m.Op != opPlace || m.OutTradeNo != testNo || m.Direction != w.direction || m.URL != w.url+"/pay/unifiedorder" ||
			m.Status != w.status || !strings.Contains(m.Body, w.has) || !m.At.Equal(at) || m.Err != w.err {
			t.Errorf("message %d: %+v", i, m)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	left := newGateway(t, func(_ http.ResponseWriter, r *http.Request, _ message) { cancel(); <-r.Context().Done() })
	got, cfg.Hosts = nil, []string{left.URL}
	_, _ = newTestClient(t, cfg).Query(ctx, Ref{OutTradeNo: testNo})
	if len(got) != 2 || got[1].Err != "context canceled" || got[1].Status != 0 {
		t.Errorf("an answer that never came: %+v", got)
	}
}

func TestExcerpt(t *testing.T) {
	long := strings.Repeat("茶", 400)
	if got := excerpt("a\x00\x1b\xff\nsecret "+long, "secret", ""); len(got) > excerptLength || !strings.HasPrefix(got, "a\n… 茶") {
		t.Errorf("excerpt = %q", got)
	}
}

// What a refusal repeats of our own request is no reason to show it.
func TestRefusalsRepeatNoOpenID(t *testing.T) {
	const openid = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
	for _, body := range []string{
		`{"code":"PARAM_ERROR","detail":{"location":"body","value":"` + openid + `"},"message":"输入源“/body/payer/openid”映射到值字段“用户标识”失败"}`,
		`{"code":"PARAM_ERROR","detail":{"field":"/payer/OpenID","value":"` + openid + `","issue":"x"},"message":"参数错误"}`,
		`{"code":"SIGN_ERROR","detail":{"sign_information":{"truncated_sign_message":"POST\n{\"payer\":{\"openid\":\"` + openid + `\"}}"}},"message":"签名错误"}`,
	} {
		if got := redactedJSON(body); strings.Contains(got, openid) || !strings.Contains(got, "_ERROR") {
			t.Errorf("shown: %s", got)
		}
	}
	for _, body := range []string{`{"detail":null}`, `{"detail":{"value":7}}`, `{"detail":[]}`, `{"detail":{"value":"wx1"},"message":"appid"}`} {
		if got := redactedJSON(body); !strings.Contains(got, "detail") {
			t.Errorf("%s is shown as %s", body, got)
		}
	}
}
