package console

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/a-h/templ"
)

// at is a moment of the sample evening, Beijing time.
func at(h, m, s int) time.Time { return time.Date(2026, 11, 19, h, m, s, 482e6, beijing) }

var people = []User{
	{"1", "林晓溪", "oF0a1LinXiaoxi7Qm2Zs9TbKQk3w", "oM0a1LinXiaoxi7Qm2Zs9TbKQk3w", "uL1", 52000},
	{"2", "周予安", "oF0a1ZhouYuan5Rv8Hd3WnCxE2tg", "oM0a1ZhouYuan5Rv8Hd3WnCxE2tg", "uZ2", 320},
}

var frame = Frame{Gateway: "http://localhost:8081", Browser: "http://127.0.0.1:8082", App: "http://localhost:8080", Seed: 20261119}

const sampleNo = "P261119H4WB6YK2N8FJ3TSV"

func sampleEntries() []Entry {
	return []Entry{
		{9, at(20, 31, 7), Out, "付款通知，第 1 次", "…3TSV · 你的店答 200 SUCCESS，38 ms", "收下", Good, sampleNo},
		{8, at(20, 31, 6), Actor, "林晓溪付了 ¥284.00", "…3TSV · JSAPI · 零钱", "已付", Good, sampleNo},
		{7, at(20, 30, 41), In, "getBrandWCPayRequest", "prepay_id=wx19203016482b700", "调用支付JSAPI缺少参数：total_fee", Bad, sampleNo},
		{6, at(20, 30, 16), In, "POST /pay/unifiedorder", "…3TSV · 12 ms", "成功", Good, sampleNo},
		{5, at(20, 30, 15), In, "POST /pay/unifiedorder", "…3TSV · 签名错误，9 ms", "签名错", Bad, sampleNo},
		{4, at(20, 29, 58), In, "GET /sns/oauth2/access_token", "code 换 openid，4 ms", "成功", Good, ""},
		{3, at(20, 29, 58), Actor, "静默授权 snsapi_base", "林晓溪 → oF0a…Qk3w", "授权", Busy, people[0].OpenID},
		{2, at(20, 29, 25), Out, "付款通知，第 4 次", "…5081 · 你的店答 500，20:32:25 再来", "再试", Wait, ""},
		{1, at(20, 24, 11).AddDate(0, 0, -1), Fault, "故障：丢掉付款通知", "…9R6H · 种子 20261119 第 14 次", "故障", Plain, ""},
	}
}

func sampleExchange() *Exchange {
	body := "<xml><appid>wxf000000000000001</appid><attach></attach><body>云间茶铺-明前龙井 等3件</body><mch_id>1900000001</mch_id><sign>5AD9B52ED200C31735EC8FC9919B296A</sign></xml>"
	return &Exchange{
		Entry: sampleEntries()[4], Method: "POST", URL: "http://localhost:8081/pay/unifiedorder", OutTradeNo: sampleNo, Took: 9 * time.Millisecond,
		RequestHeaders: []Fact{{"Content-Type", "text/xml; charset=utf-8"}}, RequestBody: body, Status: 200,
		ResponseHeaders: []Fact{{"Content-Type", "text/plain"}}, ResponseBody: "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[签名错误]]></return_msg></xml>",
		Diagnosis: &Diagnosis{Cause: "empty-parameters", Explanation: "空参数也签进去了。微信只签有值的参数：去掉空参数再签，或者不要发它。",
			StringToSign: "appid=wxf000000000000001&body=云间茶铺-明前龙井 等3件&mch_id=1900000001&key=（APIv2 密钥）",
			Expected:     "2D9E8E4AF6A058768E71DE9909E61782", Received: "5AD9B52ED200C31735EC8FC9919B296A", FirstDifference: 25},
	}
}

func sampleFaults() FaultsView {
	return FaultsView{Frame: frame, Preset: "gentle", Presets: []string{"none", "gentle", "harsh"}, Seed: 20261119,
		Faults: []FaultRow{{"notify-drop", 20, 0, 14}, {"notify-delay", 10, 0, 3}, {"notify-duplicate", 10, 1, 7}}}
}

func sampleLive() LiveView {
	e := sampleEntries()
	return LiveView{Frame: frame, Entries: e, Total: len(e), Matching: len(e), Users: people,
		Clock: ClockView{Now: at(20, 31, 22), Rate: 1}, Faults: sampleFaults()}
}

func sampleTransaction() TransactionView {
	row := TransactionRow{sampleNo, at(20, 30, 16), "明前龙井 等3件", 28400, "SUCCESS", "JSAPI", "v2", "林晓溪"}
	return TransactionView{Frame: frame, Row: row, TransactionID: "4200002463202611182095174638", PrepayID: "wx19203016482b700", OpenID: people[0].OpenID,
		AppID: "wxf000000000000001", MchID: "1900000001", NotifyURL: "http://localhost:8080/notify/v2/pay", CreatedAt: at(20, 30, 16), ExpiresAt: at(21, 0, 16), PaidAt: at(20, 31, 6),
		CanPay: true, Users: people, ForgeKinds: []string{"unsigned", "wrong_key", "replayed"},
		Steps: []Step{{at(20, 31, 6), "SUCCESS", "林晓溪付了 ¥284.00", Good}, {at(20, 30, 16), "NOTPAY", "统一下单", Plain}},
		Notifications: []Notification{{ID: "n31", Kind: "payment", URL: "http://localhost:8080/notify/v2/pay", State: "pending", NextAt: at(20, 32, 25), NextIn: 63 * time.Second, Left: 12,
			Attempts: []Attempt{{2, at(20, 31, 22), 500, "FAIL, db locked", 41 * time.Millisecond, false, 9}, {1, at(20, 31, 7), 0, "超时，5 秒没有应答", 5 * time.Second, false, 0}}}}}
}

func sampleIdentity() IdentityView {
	return IdentityView{Frame: frame, Users: people, Rows: []IdentityRow{
		{"网关地址", "base_url", "http://localhost:8081", false}, {"微信浏览器", "browser_url", "http://127.0.0.1:8082", false},
		{"公众号 appid", "app_id", "wxf000000000000001", false}, {"公众号密钥", "app_secret", "2bb80d537b1da3e38bd30361aa855686", false},
		{"商户号", "mch_id", "1900000001", false}, {"v2 密钥", "api_key", "fb04dcb6970e4c3d1873de51fd5a50d7", true},
		{"商户私钥", "merchant_private_key", "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n", false}}}
}

func sampleConsent() ConsentView {
	return ConsentView{Action: "/_sim/consent", Ticket: "t", Merchant: "云间茶铺", AppID: "wxf000000000000001", Scope: "snsapi_userinfo", State: "9f3cb217",
		RedirectURI: "http://localhost:8080/auth/wechat/callback", DomainOK: true, Users: people}
}

func sampleRefunds() TransactionView {
	v := sampleTransaction()
	v.Row.State, v.CanPay, v.CanRefund = "REFUND", false, true
	v.Refunds = []RefundRow{
		{"R261119E5VJ2KX9RD3FB7MS", "50000404922026111902468056157", 8800, "PROCESSING", at(20, 28, 19), at(20, 28, 22)},
		{"R261119K3XQ7WM2TD9ZC5VN", "50000404922026111902468056158", 5800, "ABNORMAL", at(20, 18, 19), time.Time{}},
		{"R261119A7XQ7WM2TD9ZC5VN", "50000404922026111902468056159", 100, "SUCCESS", at(20, 8, 19), time.Time{}},
		{"R261119B7XQ7WM2TD9ZC5VN", "50000404922026111902468056160", 200, "CLOSED", at(20, 7, 19), time.Time{}},
	}
	return v
}

func sampleScan() ScanView {
	return ScanView{Frame: frame, User: people[0], Users: people, Pasted: "weixin://wxpay/bizpayurl?pr=7JKx2Qe00", Found: "P261119T4LW",
		Codes: []ScanCode{{"P261119T4LW", "2019 勐海熟饼", 16800, "weixin://wxpay/bizpayurl?pr=7JKx2Qe00", 1384 * time.Second, false},
			{"P261119C6MFA", "付款码收款", 9800, "", 38 * time.Second, true}},
		Paycode: "130000264817094821", Left: 41 * time.Second, Bars: []Bar{{0, 2}, {3, 1}, {6, 1}}}
}

func sampleH5() H5View {
	return H5View{Action: "/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx1&package=2", Merchant: "云间茶铺", OutTradeNo: "P261119Z3VQ7NC2XD6K8WRB",
		Description: "云间茶铺-明前龙井 等3件", Total: 28400, Users: people, From: "http://localhost:8080/", Checks: []H5Check{
			{OK: true, What: "从店里的页面来", Why: "Referer 是 http://localhost:8080/"}, {OK: true, What: "链接没过期", Left: 281 * time.Second},
			{OK: true, What: "在微信外面打开", Why: "User-Agent 里没有 MicroMessenger"}, {What: "付款的人就是下单的人", Why: "IP 是 9.9.9.9"}}}
}

// samples is every page with something on it.
func samples() map[string]templ.Component {
	chosen := sampleLive()
	chosen.Chosen = sampleExchange()
	list := TransactionsView{Frame: frame, Rows: []TransactionRow{sampleTransaction().Row,
		{"P261119T4LW", at(20, 24, 10), "2019 勐海熟饼", 16800, "NOTPAY", "NATIVE", "v3", ""}, {"P261118D7XN", at(20, 15, 48).AddDate(0, 0, -1), "安溪铁观音 等2件", 17600, "REFUND", "JSAPI", "v3", "周予安"}}}
	all := map[string]templ.Component{
		"live": Live(sampleLive()), "chosen": Live(chosen), "nothing": Live(LiveView{Frame: frame, Clock: ClockView{Rate: 1}}),
		"transactions": Transactions(list), "transaction": Transaction(sampleTransaction()),
		"users": Users(UsersView{Frame{Error: "没有这个人。", Seed: 1}, people}), "clock": Clock(ClockView{Frame: frame, Now: at(20, 31, 22), Offset: 86400e9, Rate: 1000}),
		"faults": Faults(sampleFaults()), "identity": Identity(sampleIdentity()), "consent": Consent(sampleConsent()),
		"refunds": Transaction(sampleRefunds()), "scan": Scan(sampleScan()), "quiet-phone": Scan(ScanView{Frame: frame, User: people[0], Users: people}),
		"h5": H5(sampleH5()), "h5-refused": H5(H5View{Refused: "支付请求已失效，请重新发起支付", Why: "没有这个 prepay_id", Checks: sampleH5().Checks}),
		"denied": Consent(ConsentView{Denied: true}), "error": AuthorizeError(AuthorizeErrorView{10003, "redirect_uri域名与后台配置不一致", "把 localhost 加进网页授权域名。", "http://127.0.0.1:8082"}),
	}
	maps.Copy(all, accountSamples())
	return all
}

// demo is a server with the sample pages and a timeline that grows by grow.
type demo struct {
	mu      sync.Mutex
	entries []Entry
	bells   map[chan struct{}]bool
	broken  bool // the stream answers 500
}

func (d *demo) grow(titles ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, title := range titles {
		seq := d.entries[0].Seq + 1
		d.entries = append([]Entry{{seq, at(20, 40, int(seq)%60), In, title, "", "成功", Good, "openid" + strconv.FormatInt(seq, 10)}}, d.entries...)
	}
	for bell := range d.bells {
		select {
		case bell <- struct{}{}:
		default:
		}
	}
}

func (d *demo) live(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	v := sampleLive()
	v.Filter = r.FormValue("f")
	v.Entries, v.Total, v.Matching = nil, len(d.entries), 0
	after, _ := strconv.ParseInt(r.FormValue("after"), 10, 64)
	for _, e := range d.entries {
		if e.Matches(v.Filter) {
			v.Matching++
			if e.Seq > after {
				v.Entries = append(v.Entries, e)
			}
		}
	}
	d.mu.Unlock()
	if r.FormValue("e") != "" {
		v.Chosen = sampleExchange()
		v.Chosen.Entry.Seq, _ = strconv.ParseInt(r.FormValue("e"), 10, 64)
	}
	show(w, r, CSP, Live(v))
}

func (d *demo) events(w http.ResponseWriter, r *http.Request) {
	bell := make(chan struct{}, 1)
	d.mu.Lock()
	broken := d.broken
	d.bells[bell] = true
	d.mu.Unlock()
	if broken {
		http.Error(w, "broken", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.(http.Flusher).Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-bell:
			fmt.Fprint(w, "event: transaction\nid: 1\ndata: {}\n\n")
			w.(http.Flusher).Flush()
		}
	}
}

func show(w http.ResponseWriter, r *http.Request, policy string, page templ.Component) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	if err := page.Render(r.Context(), w); err != nil {
		panic(err)
	}
}

// scan is a phone on which a code waits for every entry that grew.
func (d *demo) scan(w http.ResponseWriter, r *http.Request) {
	v := sampleScan()
	d.mu.Lock()
	for range len(d.entries) - len(sampleEntries()) {
		v.Codes = append(v.Codes, v.Codes[0])
	}
	d.mu.Unlock()
	show(w, r, CSP, Scan(v))
}

func newDemo(t *testing.T) (*demo, string) {
	t.Helper()
	d := &demo{entries: sampleEntries(), bells: map[chan struct{}]bool{}}
	mux := http.NewServeMux()
	mux.Handle(StaticPath, Static())
	mux.HandleFunc("/_sim/{$}", d.live)
	mux.HandleFunc("/_sim/api/events", d.events)
	mux.HandleFunc("/_sim/scan", d.scan)
	mux.HandleFunc("/ask", func(w http.ResponseWriter, r *http.Request) { show(w, r, ConsentCSP, Consent(sampleConsent())) })
	mux.HandleFunc("POST /_sim/consent", func(w http.ResponseWriter, r *http.Request) {
		// Another host name is another origin, as the shop is.
		_, port, _ := strings.Cut(r.Host, ":")
		http.Redirect(w, r, "http://localhost:"+port+"/back?u="+r.FormValue("u")+"&op="+r.FormValue("op"), http.StatusFound)
	})
	for name, page := range samples() {
		mux.HandleFunc("/sample/"+name, func(w http.ResponseWriter, r *http.Request) { show(w, r, CSP, page) })
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return d, s.URL
}
