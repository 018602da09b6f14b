package handlers

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"wxshop/models"
	"wxshop/wxpay"
)

// codes are a fresh payment code and a face code of the first user, and whose.
func (w *world) codes() (paycode, facecode, openid string) {
	w.t.Helper()
	var users []struct{ OpenID string }
	w.api("GET", "users", nil, &users)
	if len(users) == 0 {
		w.t.Fatal("the simulator has no users")
	}
	openid = users[0].OpenID
	var x struct{ Paycode, Facecode string }
	if status := w.api("GET", "users/"+openid+"/paycode", nil, &x); status != http.StatusOK {
		w.t.Fatalf("paycode = %d", status)
	}
	return x.Paycode, x.Facecode, openid
}

func (c *client) deskForm(amount, code string) url.Values {
	c.t.Helper()
	res := c.do("GET", "/admin/cashdesk", nil)
	token := between(res.body, `name="token" value="`, `"`)
	if res.StatusCode != http.StatusOK || !isToken(token) {
		c.t.Fatalf("GET cashdesk = %d, token %q", res.StatusCode, token)
	}
	return url.Values{"amount": {amount}, "code": {code}, "token": {token}}
}

var salePath = regexp.MustCompile(`^/admin/cashdesk/([0-9A-Z]{20,32})$`)

// sells submits the form and gives the number of the sale.
func (c *client) sells(form url.Values) string {
	c.t.Helper()
	res := c.do("POST", "/admin/cashdesk", form)
	m := salePath.FindStringSubmatch(res.Header.Get("Location"))
	if res.StatusCode != http.StatusSeeOther || m == nil {
		c.t.Fatalf("sale = %d %q\n%s", res.StatusCode, res.Header.Get("Location"), res.body)
	}
	return m[1]
}

func (c *client) saleState(no string) string {
	c.t.Helper()
	return between(c.do("POST", "/admin/cashdesk/"+no+"/status", url.Values{}).body, `"state":"`, `"`)
}

// A code pays at once; the same form again is the same sale; the next code
// with an old form charges nobody.
func TestAdminDeskPaid(t *testing.T) {
	w := newWorld(t)
	w.hire("小满", "staff")
	c := w.outside().enters("小满")
	code, _, _ := w.codes()
	form := c.deskForm("98", code[:6]+" "+code[6:])
	no := c.sells(form)
	w.wantState(t, no, models.Done)
	page := c.do("GET", "/admin/cashdesk/"+no, nil)
	for _, want := range []string{"收到了", "¥98.00", *w.attempt(no).TransactionID, "收到 1 笔，¥98.00", "下一位"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page does not show %q\n%s", want, page.body)
		}
	}
	if strings.Contains(page.body, "http-equiv") || strings.Contains(page.body, code) {
		t.Error("the page refreshes for ever, or shows the code")
	}
	if twice := c.sells(form); twice != no {
		t.Errorf("the scanner fired twice and sold %s and %s", no, twice)
	}
	next, _, _ := w.codes()
	form.Set("code", next)
	if res := c.do("POST", "/admin/cashdesk", form); res.StatusCode != http.StatusConflict || !strings.Contains(res.body, "这一次没有收款") || strings.Contains(res.body, form.Get("token")) {
		t.Errorf("the next code with a used form = %d", res.StatusCode)
	}
	if res := c.do("GET", "/admin/orders", nil); !strings.Contains(res.body, ">收银台</a> <span") {
		t.Error("the list of orders does not say cash desk")
	}
	if res := c.do("GET", "/admin/orders/"+no, nil); !strings.Contains(res.body, "当面交货") || !strings.Contains(res.body, "/refund\"") {
		t.Errorf("the order of the cash desk\n%s", res.body)
	}
	if res := c.do("POST", "/admin/cashdesk/"+no+"/reverse", url.Values{}); res.StatusCode != http.StatusSeeOther {
		t.Errorf("taking back what is paid = %d", res.StatusCode)
	}
	w.wantState(t, no, models.Done)
	for _, secret := range []string{code, next} {
		if strings.Contains(w.log.String(), secret) {
			t.Error("a payment code is in the log")
		}
	}
}

// What cannot be a payment code is refused before WeChat hears of it; one that
// WeChat refuses ends as "nothing charged".
func TestAdminDeskRefuses(t *testing.T) {
	w := newWorld(t)
	w.hire("小满", "staff")
	c := w.outside().enters("小满")
	code, _, _ := w.codes()
	for _, test := range []struct{ name, amount, code, want string }{
		{"no amount", "", code, "请写金额"}, {"nothing", "0", code, "请写金额"}, {"too much", "100000.01", code, "请写金额"}, {"code as amount", code, "", "请写金额"},
		{"letters", "1", "https://example.com", "这不是付款码"}, {"short", "1", code[:17], "这不是付款码"}, {"other wallet", "1", "28" + code[2:], "这不是付款码"}, {"no code", "1", "", "这不是付款码"},
	} {
		res := c.do("POST", "/admin/cashdesk", c.deskForm(test.amount, test.code))
		if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(res.body, test.want) {
			t.Errorf("%s = %d", test.name, res.StatusCode)
		}
	}
	if sum, err := w.store.SalesSum(t.Context(), time.Now().Add(-time.Hour)); err != nil || sum != (models.SalesSum{}) {
		t.Errorf("something was sold: %+v, %v", sum, err)
	}
	no := c.sells(c.deskForm("5", "130000000000000001"))
	if res := c.do("GET", "/admin/cashdesk/"+no, nil); !strings.Contains(res.body, "没收成，没有扣钱") || !strings.Contains(res.body, "/admin/cashdesk?amount=5.00") {
		t.Errorf("a refused code\n%s", res.body)
	}
	web := w.inside("1").signIn().buy("LJ-50g")
	for _, path := range []string{"", "/status", "/reverse"} {
		method, form := "POST", url.Values{}
		if path == "" {
			method, form = "GET", nil
		}
		if res := c.do(method, "/admin/cashdesk/"+web+path, form); res.StatusCode != http.StatusNotFound {
			t.Errorf("an order of the web at the cash desk%s = %d, want 404", path, res.StatusCode)
		}
	}
}

// Over 1000 yuan WeChat asks for the password: typed, it is paid; not typed,
// it is taken back, by itself or by the button.
func TestAdminDeskPassword(t *testing.T) {
	for _, end := range []string{"paid", "timeout", "button"} {
		t.Run(end, func(t *testing.T) {
			w := newWorld(t)
			forward := w.stopNow()
			w.hire("小满", "staff")
			c := w.outside().enters("小满")
			code, _, _ := w.codes()
			no := c.sells(c.deskForm("1001", code))
			page := c.do("GET", "/admin/cashdesk/"+no, nil)
			for _, want := range []string{"等买家输密码", "<b>不要再扫一次</b>", "•• " + code[14:], "现在撤销", `http-equiv="refresh"`, "desk."} {
				if !strings.Contains(page.body, want) {
					t.Errorf("the waiting page does not show %q", want)
				}
			}
			if got := c.saleState(no); got != "waiting" {
				t.Fatalf("state = %q", got)
			}
			switch end {
			case "paid":
				if status := w.api("POST", "transactions/"+w.attempt(no).OutTradeNo+"/pay", map[string]any{}, nil); status != http.StatusOK {
					t.Fatalf("typing the password = %d", status)
				}
				forward(11 * time.Second)
				if got := c.saleState(no); got != "paid" {
					t.Errorf("state = %q", got)
				}
				w.wantState(t, no, models.Done)
				return
			case "timeout":
				forward(46 * time.Second)
				c.saleState(no)
			case "button":
				c.submit("/admin/cashdesk/"+no+"/reverse", url.Values{})
			}
			for range 5 {
				forward(11 * time.Second)
				c.saleState(no)
			}
			w.wantState(t, no, models.Closed)
			if res := c.do("GET", "/admin/cashdesk/"+no, nil); !strings.Contains(res.body, "已撤销，没有收到钱") || !strings.Contains(res.body, "再扫一次 ¥1,001.00") {
				t.Errorf("the end\n%s", res.body)
			}
		})
	}
}

// stopNow sets the clock to this moment and gives a function that moves it.
func (w *world) stopNow() func(time.Duration) {
	now := time.Now()
	w.clock = func() time.Time { return now }
	return func(d time.Duration) { now = now.Add(d) }
}

// Decision 25: without an answer the page says so, and that nobody may leave.
func TestAdminDeskReversing(t *testing.T) {
	w := newWorld(t)
	forward := w.stopNow()
	w.hire("小满", "staff")
	c := w.outside().enters("小满")
	code, _, _ := w.codes()
	w.gateway = func(rw http.ResponseWriter, r *http.Request) bool { rw.WriteHeader(http.StatusBadGateway); return true }
	no := c.sells(c.deskForm("98", code))
	if res := c.do("GET", "/admin/cashdesk/"+no, nil); !strings.Contains(res.body, "微信还没有答复") {
		t.Errorf("no answer\n%s", res.body)
	}
	forward(50 * time.Second)
	if got := c.saleState(no); got != "reversing" {
		t.Fatalf("state = %q", got)
	}
	res := c.submit("/admin/cashdesk/"+no+"/reverse", url.Values{})
	if res.StatusCode != http.StatusOK || !strings.Contains(res.body, "还在撤销，先别让客人走") {
		t.Errorf("pressing the button = %d\n%s", res.StatusCode, res.body)
	}
	w.gateway = nil
	forward(45 * time.Second) // a charge on its way can no longer arrive
	if got := c.saleState(no); got != "reversed" {
		t.Errorf("state = %q", got)
	}
}

// A face pays as well, with the openid that the terminal gives.
func TestAdminDeskFace(t *testing.T) {
	w := newWorld(t)
	w.hire("小满", "staff")
	c := w.outside().enters("小满")
	_, face, openid := w.codes()
	form := c.deskForm("12.50", "")
	form.Set("face", "1")
	if res := c.do("POST", "/admin/cashdesk", form); res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(res.body, "请填买家的 openid") {
		t.Errorf("without an openid = %d", res.StatusCode)
	}
	form.Set("openid", openid)
	form.Set("code", face)
	w.wantState(t, c.sells(form), models.Done)
}

// v3 has no payment codes: a shop without an APIv2 key says so before anybody
// scans, and charges nothing.
func TestAdminDeskWithoutV2(t *testing.T) {
	w := startWorld(&world{t: t, speaks: wxpay.V3, simData: t.TempDir(), withoutV2: true})
	w.hire("mei", "owner")
	c := w.outside().enters("mei")
	res := c.do("GET", "/admin/cashdesk", nil)
	if res.StatusCode != 200 || !strings.Contains(res.body, "pay.api_key") {
		t.Errorf("the desk does not say what is missing: %d\n%s", res.StatusCode, res.body)
	}
	before := w.dump()
	res = c.do("POST", "/admin/cashdesk", url.Values{"amount": {"12.34"}, "code": {"130000000000000000"}, "token": {newSecret()[:32]}})
	if res.StatusCode != 409 || !strings.Contains(res.body, "pay.api_key") {
		t.Errorf("scanning = %d\n%s", res.StatusCode, res.body)
	}
	unchanged(t, before, w.dump(), "sessions")
}
