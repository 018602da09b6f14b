package handlers

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"wxshop/models"
)

// The merchant sees a paid order, finds it by any number, and sends it.
func TestAdminOrderWalk(t *testing.T) {
	w := newWorld(t)
	w.hire("小满", "staff")
	no := w.settledOrder(w.inside("1").signIn(), "LJ-50g")
	c := w.outside().enters("小满")
	if res := c.do("GET", "/admin", nil); !strings.Contains(res.body, no) || !strings.Contains(res.body, `<span class="pip">1</span>`) {
		t.Errorf("today does not show the order and its badge\n%s", res.body)
	}
	page := c.do("GET", "/admin/orders/"+no, nil)
	p := w.attempt(no)
	for _, want := range []string{
		"明前龙井", "98.00", "106.00", "林晓溪", "13800001234", "文三路 90 号 3 幢 502", p.OutTradeNo, *p.TransactionID,
		"已付款 ¥106.00", "待付款 → 待发货", "公众号", "v2", "<summary>", "prepay_id",
	} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the order page does not show %q", want)
		}
	}
	res := c.submit("/admin/orders/"+no+"/ship", url.Values{"carrier": {"顺丰速运"}, "tracking": {" sf10 2233 4455 "}})
	if res.StatusCode != http.StatusOK || !strings.Contains(res.body, "已发货：顺丰速运 SF1022334455。") {
		t.Fatalf("ship = %d\n%s", res.StatusCode, res.body)
	}
	w.wantState(t, no, models.Shipped)
	if !strings.Contains(res.body, "小满 · 待发货 → 待收货 · 顺丰速运 SF1022334455") || strings.Contains(res.body, `id="ship"`) {
		t.Errorf("history or form are not those of a shipped order\n%s", res.body)
	}
	for name, q := range map[string]string{
		"order": no, "attempt": p.OutTradeNo, "transaction": *p.TransactionID, "tracking": "sf1022334455", "spaced tracking": "SF10 2233 4455",
		"phone": "13800001234", "phone as people write it": "+86 138-0000-1234", "full-width": "１３８００００１２３４",
	} {
		if res := c.do("GET", "/admin/orders?q="+url.QueryEscape(q), nil); !strings.Contains(res.body, "/admin/orders/"+no+`"`) {
			t.Errorf("%s does not find the order", name)
		}
	}
	for name, q := range map[string]string{
		"wildcard": "%", "underscore": "_", "injection": "' OR 1=1--", "part": no[:10], "empty number": "0", "Latin": "zzz",
	} {
		if res := c.do("GET", "/admin/orders?q="+url.QueryEscape(q), nil); res.StatusCode != http.StatusOK || strings.Contains(res.body, "/admin/orders/"+no) { // X20
			t.Errorf("%s = %d and finds the order", name, res.StatusCode)
		}
	}
	if res := c.do("GET", "/admin/orders?state=paid&q="+no, nil); strings.Contains(res.body, "/admin/orders/"+no) {
		t.Error("the filter of states is ignored by the search")
	}
}

// A parcel can be sent once; the same form twice is one parcel.
func TestAdminShip(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	buyer := w.inside("1").signIn()
	unpaid, paid := buyer.buy("LJ-50g"), w.settledOrder(buyer, "LJ-100g")
	c := w.outside().enters("owner")
	for _, test := range []struct{ name, carrier, tracking, want string }{
		{"no carrier", "", "SF1022334455", "请写快递公司"},
		{"long carrier", strings.Repeat("快", 33), "SF1022334455", "请写快递公司"},
		{"control in carrier", "a\x01b", "SF1022334455", "请写快递公司"},
		{"no number", "顺丰", "", "快递单号是"},
		{"short number", "顺丰", "SF1", "快递单号是"},
		{"odd number", "顺丰", "<script>1", "快递单号是"},
		{"long number", "顺丰", strings.Repeat("1", 33), "快递单号是"},
	} {
		res := c.do("POST", "/admin/orders/"+paid+"/ship", url.Values{"carrier": {test.carrier}, "tracking": {test.tracking}})
		if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(res.body, test.want) {
			t.Errorf("%s = %d, want 422 with %q", test.name, res.StatusCode, test.want)
		}
		w.wantState(t, paid, models.Paid)
	}
	form := url.Values{"carrier": {"顺丰"}, "tracking": {"SF1022334455"}}
	res := c.do("POST", "/admin/orders/"+unpaid+"/ship", form)
	if res.StatusCode != http.StatusConflict || !strings.Contains(res.body, "待付款") || !strings.Contains(res.body, "/admin/orders/"+unpaid) {
		t.Errorf("shipping an unpaid order = %d\n%s", res.StatusCode, res.body)
	}
	for i := range 2 {
		if res := c.do("POST", "/admin/orders/"+paid+"/ship", form); res.StatusCode != http.StatusSeeOther {
			t.Errorf("shipping, time %d = %d", i+1, res.StatusCode)
		}
	}
	res = c.do("POST", "/admin/orders/"+paid+"/ship", url.Values{"carrier": {"中通"}, "tracking": {"ZT99887766"}})
	if res.StatusCode != http.StatusConflict || !strings.Contains(res.body, "待收货") {
		t.Errorf("another parcel for a shipped order = %d\n%s", res.StatusCode, res.body)
	}
	if o := w.order(paid); o.TrackingNo != "SF1022334455" {
		t.Errorf("tracking number is %s", o.TrackingNo)
	}
}

// A14, X36: what people typed is shown as text, wherever it is shown.
func TestAdminHostileText(t *testing.T) {
	w := newWorld(t)
	w.hire(`o"<b>wner`, "owner")
	buyer := w.inside("1").signIn()
	buyer.add("LJ-50g", "1")
	form := buyer.checkoutForm()
	const evil = `"><script>alert(1)</script>`
	form.Set("name", `<img src=x onerror=1>`)
	form.Set("detail", `'-alert(1)-' `+evil)
	form.Set("note", evil)
	no := buyer.orderNo(buyer.do("POST", "/checkout", form))
	c := w.outside().enters(`o"<b>wner`)
	if res := c.do("POST", "/admin/orders/"+no+"/note", url.Values{"note": {evil}}); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("note = %d", res.StatusCode)
	}
	for _, path := range []string{"/admin", "/admin/orders", "/admin/orders/" + no, "/admin/orders?q=" + url.QueryEscape(evil)} {
		res := c.do("GET", path, nil)
		if res.StatusCode != http.StatusOK {
			t.Errorf("GET %s = %d", path, res.StatusCode)
		}
		for _, raw := range []string{"<script", "<img src=x", "<b>wner"} {
			if strings.Contains(res.body, raw) {
				t.Errorf("GET %s has %s in it", path, raw)
			}
		}
	}
	if res := c.do("GET", "/admin/orders/"+no, nil); strings.Count(res.body, "&lt;script&gt;alert(1)&lt;/script&gt;") < 3 {
		t.Error("address, note of the buyer and note of the shop are not all shown")
	}
}

// A8, D14: a viewer is shown no buyer; staff see the whole phone number only
// where they ship.
func TestAdminViewerIsMasked(t *testing.T) {
	w := newWorld(t)
	w.hire("viewer", "viewer")
	no := w.settledOrder(w.inside("1").signIn(), "LJ-50g")
	c := w.outside().enters("viewer")
	for _, path := range []string{"/admin", "/admin/orders", "/admin/orders/" + no, "/admin/check"} {
		res := c.do("GET", path, nil)
		if res.StatusCode != http.StatusOK {
			t.Errorf("GET %s = %d", path, res.StatusCode)
		}
		for _, secret := range []string{"林晓溪", "13800001234", "文三路", "prepay_id"} {
			if strings.Contains(res.body, secret) {
				t.Errorf("GET %s shows %s to a viewer", path, secret)
			}
		}
	}
}

// P19: no page shows a key, a signature or a whole openid.
func TestAdminPagesShowNoSecret(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	no := w.settledOrder(w.inside("1").signIn(), "LJ-50g")
	c := w.outside().enters("owner")
	id, p := w.sim.Identity(), w.attempt(no)
	for _, path := range []string{"/admin", "/admin/orders", "/admin/orders/" + no, "/admin/check", "/admin/password", "/admin/nothing"} {
		res := c.do("GET", path, nil)
		for name, secret := range map[string]string{
			"api key": id.APIKey, "app secret": id.AppSecret, "session key": canaryKey[:32], "openid": p.OpenID, "sign": "<sign>",
			"session": c.cookies["admin_sess"], "hash": "argon2id",
		} {
			if secret != "" && strings.Contains(res.body, secret) {
				t.Errorf("GET %s shows the %s", path, name)
			}
		}
	}
}

// The list goes forth and back by its own links.
func TestAdminOrderPages(t *testing.T) {
	w := newWorld(t)
	move := w.stop()
	w.hire("owner", "owner")
	u, err := w.store.CreateGuest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 45 {
		move(time.Second)
		_, _, _, err := w.store.CreateOrder(t.Context(), models.NewOrder{
			UserID: u.ID, FormToken: fmt.Sprintf("TOKEN%011d", i), Lines: []models.Line{{SKUID: w.skuRow("LJ-50g").ID, Qty: 1}},
			Receiver: models.Receiver{Name: fmt.Sprintf("buyer-%02d", i), Phone: "13800001234", Province: "浙江省", City: "杭州市", District: "西湖区", Street: "1"},
			Expire:   time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	c := w.outside().enters("owner")
	path, want := "/admin/orders?state=unpaid", []string{"第 1–20 单", "第 21–40 单", "第 41–45 单"}
	var pages []string
	for i := range want {
		res := c.do("GET", path, nil)
		if !strings.Contains(res.body, want[i]) {
			t.Fatalf("page %d (%s) is not %q\n%s", i+1, path, want[i], res.body)
		}
		if !strings.Contains(res.body, fmt.Sprintf("buyer-%02d<", 44-20*i)) {
			t.Errorf("page %d does not begin with the right order", i+1)
		}
		pages = append(pages, res.body)
		path = linkTo(res.body, "下一页")
	}
	if res := c.do("GET", linkTo(pages[2], "上一页"), nil); !strings.Contains(res.body, want[1]) {
		t.Errorf("newer of the last page (%s) is not %q", linkTo(pages[2], "上一页"), want[1])
	}
	if got := linkTo(pages[1], "上一页"); got != "/admin/orders?state=unpaid" {
		t.Errorf("newer of the second page = %q", got)
	}
	if linkTo(pages[0], "上一页") != "" || linkTo(pages[2], "下一页") != "" {
		t.Error("the ends of the list lead on")
	}
}

// linkTo is the address of the link with that text, "" when it leads nowhere.
func linkTo(body, text string) string {
	m := regexp.MustCompile(`<a [^>]*href="([^"]*)"[^>]*>` + text + `</a>`).FindStringSubmatch(body)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}
