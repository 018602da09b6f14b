package views

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"wxshop/models"
)

// hostile is what someone may have typed, or a merchant's catalogue may hold.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>' javascript:alert(3) ` + "\u202e" + `%s {timer} ** </textarea></style>`

// poison sets every string in v, which belongs to people, to hostile.
func poison(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.CanSet() && v.Type().PkgPath() == "" { // named types are our own words
			v.SetString(hostile)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			poison(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem())
		}
	}
}

func poisoned[T any](p T) T {
	poison(reflect.ValueOf(&p).Elem())
	return p
}

// TestHostileText fills every string of every page with markup and looks at
// what a browser makes of it. // I5
func TestHostileText(t *testing.T) {
	frame := storyPage(ZH, "/")
	frame.Flash = &Flash{Tint: OK, Text: "x"}
	order := shippedOrder()
	order.Refund = Refund{State: models.RefundClosed, No: "x", Reason: "x", Amount: 1}
	unpaid := storyOrder()
	product := sampleProductPage(ZH, readSampleGoods().Goods[0])
	home := HomePage{Page: frame, Categories: []Category{{ID: "x", Name: "x"}}, Cards: []Card{{Name: "x"}}}
	pages := map[string]templ.Component{
		"home":    Home(poisoned(home)),
		"none":    Home(poisoned(HomePage{Page: frame, Query: "x", Words: []string{"x"}})),
		"product": Product(poisoned(product)),
		"cart":    Cart(poisoned(CartPage{Page: frame, Notes: []string{"x"}, Lines: storyLines()})),
		"checkout": Checkout(poisoned(CheckoutPage{Page: frame, Token: "x", To: storyReceiver(), Note: "x", Lines: storyLines(),
			Errors: []FieldError{{FieldPhone, NoPhone, 3}}})),
		"saved":   Checkout(poisoned(CheckoutPage{Page: frame, Token: "x", To: storyReceiver(), Saved: true, Lines: storyLines()})),
		"pay":     Pay(poisoned(PayPage{Page: frame, Order: unpaid, Bridge: &Bridge{}})),
		"start":   Pay(poisoned(PayPage{Page: frame, Order: unpaid})),
		"open":    OpenInWeChat(poisoned(OpenPage{Page: frame, Order: unpaid, URL: "x", QR: "x"})),
		"claim":   Claim(poisoned(ClaimPage{Page: frame, Token: "x", Order: unpaid})),
		"order":   OrderDetail(poisoned(OrderPage{Page: frame, Order: order})),
		"unpaid":  OrderDetail(poisoned(OrderPage{Page: frame, Order: unpaid})),
		"cancel":  ConfirmCancel(poisoned(OrderPage{Page: frame, Order: unpaid})),
		"orders":  Orders(poisoned(OrdersPage{Page: frame, Orders: []Order{order, unpaid}, Older: "x"})),
		"me":      Me(poisoned(MePage{Page: frame, Name: "x", Pending: &unpaid})),
		"error":   Error(poisoned(ErrorPage{Page: frame, Status: 500, Ref: "x", OrderNo: "x", Retry: "x"})),
		"refused": LoginRefused(poisoned(LoginRefusedPage{Page: frame, Retry: "x", Ref: "x"})),
		"sign-in": SignIn(poisoned(SignInPage{Page: frame, Next: "x"})),
		"licence": Licence(poisoned(frame)),
	}
	for name, c := range pages {
		t.Run(name, func(t *testing.T) { checkHarmless(t, draw(t, c)) })
	}
}

func checkHarmless(t *testing.T, page string) {
	t.Helper()
	told := false
	for _, e := range elements(t, page) {
		if e.tag == "script" && e.attr["src"] == "" && e.attr["type"] != "application/json" {
			t.Errorf("a script came in: %q", e.text)
		}
		if e.tag == "img" && e.attr["src"] == "x" {
			t.Error("an element came in")
		}
		for k, v := range e.attr {
			if strings.HasPrefix(k, "on") {
				t.Errorf("a handler came in: <%s %s>", e.tag, k)
			}
			if (k == "href" || k == "action" || k == "formaction") && strings.HasPrefix(strings.ToLower(strings.TrimSpace(v)), "javascript:") {
				t.Errorf("<%s %s=%q>", e.tag, k, v)
			}
		}
		told = told || strings.Contains(e.text, "<script>alert(1)</script>")
	}
	if !told {
		t.Error("the text is not there at all, so the test proves nothing")
	}
}

// TestRetryIsALink: an address that came from outside may not be a program.
func TestRetryIsALink(t *testing.T) {
	for _, retry := range []string{"javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", " javascript:x"} {
		p := ErrorPage{Page: storyPage(ZH, "/"), Status: 500, Retry: retry}
		if page := draw(t, Error(p)); strings.Contains(page, retry) {
			t.Errorf("Retry %q reached the page", retry)
		}
	}
}
