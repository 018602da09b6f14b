package main

import (
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"wxshop/wxpay/sim/browser"
)

// shopper is somebody with a browser, inside WeChat or not, who acts through
// the pages of the shop and pays on the phone.
type shopper struct {
	w       *street
	name    string
	rnd     *rand.Rand
	ua      string
	me      string // number of the simulated user inside WeChat; "" outside
	openID  string // of who pays
	cookies map[string]string
	orders  []string // that this browser knows of
}

// The browsers.
const (
	insideWeChat = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 MicroMessenger/8.0.49(0x18003137) NetType/WIFI Language/zh_CN"
	onPhone      = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1"
	onDesktop    = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36"
)

// chanceOf is an actor's own chance, whatever the others do.
func (w *street) chanceOf(name string) *rand.Rand {
	h := fnv.New64a()
	io.WriteString(h, name)
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

func (w *street) newShopper(i int, openIDs []string) *shopper {
	s := &shopper{w: w, name: fmt.Sprintf("shopper%d", i), cookies: map[string]string{}}
	s.rnd = w.chanceOf(s.name)
	s.openID = openIDs[i%len(openIDs)]
	switch s.rnd.IntN(4) {
	case 0:
		s.ua = onPhone
	case 1:
		s.ua = onDesktop
	default:
		s.ua, s.me = insideWeChat, fmt.Sprint(i%len(openIDs)+1)
	}
	return s
}

// sleep lets the actor's time pass; waking up is a choice.
func (w *street) sleep(who string, d time.Duration) {
	time.Sleep(d)
	w.stage.choose(who, "wakes up")
}

// pause is short mostly and long sometimes.
func pause(r *rand.Rand) time.Duration {
	if r.IntN(8) == 0 {
		return time.Duration(r.Int64N(int64(20 * time.Minute)))
	}
	return time.Duration(r.Int64N(int64(40 * time.Second)))
}

// live acts until the history has had enough of it.
func (s *shopper) live() {
	acts := []struct {
		weight int
		do     func()
	}{
		{1, s.browses}, {6, s.buys}, {6, s.pays}, {3, s.paysEverything}, {1, s.cancels}, {5, s.changesMind}, {3, s.otherWay}, {5, s.paysMeanwhile},
		{1, s.looks}, {1, s.confirms}, {1, s.wrongForm}, {1, s.spies},
	}
	sum := 0
	for _, a := range acts {
		sum += a.weight
	}
	for {
		s.w.sleep(s.name, pause(s.rnd))
		if !s.w.act() {
			return
		}
		n := s.rnd.IntN(sum)
		if len(s.orders) == 0 && n > 2 {
			n = 2
		}
		for _, a := range acts {
			if n -= a.weight; n < 0 {
				a.do()
				break
			}
		}
	}
}

// reply is an answer of the shop.
type reply struct {
	status   int
	location string
	body     string
}

// does sends one request; 0: no answer.
func (s *shopper) does(method, path string, form url.Values) reply {
	return s.doesAs(s.name, method, path, form)
}

func (s *shopper) doesAs(who, method, path string, form url.Values) reply {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(as(who), method, "http://"+shopHost+path, body)
	if err != nil {
		s.w.fail("%s %s: %v", method, path, err)
		return reply{}
	}
	r.Header.Set("User-Agent", s.ua)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range s.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := (&wire{s.w, who, nil}).RoundTrip(r)
	if err != nil {
		return reply{}
	}
	for _, k := range res.Cookies() {
		if k.MaxAge < 0 {
			delete(s.cookies, k.Name)
			continue
		}
		s.cookies[k.Name] = k.Value
	}
	text, _ := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header.Get("Location"), string(text)}
}

// goes follows redirects, also to WeChat's authorize page and back.
func (s *shopper) goes(path string) reply {
	var p reply
	for range 8 {
		p = s.does("GET", path, nil)
		if p.status/100 != 3 || p.location == "" {
			return p
		}
		if path = p.location; strings.Contains(path, "/connect/oauth2/authorize") {
			path = s.authorizes(path)
		}
		path = pathOf(path)
	}
	return p
}

// authorizes is the trip to WeChat; it gives where the way back leads.
func (s *shopper) authorizes(target string) string {
	target, _, _ = strings.Cut(target, "#")
	r, err := http.NewRequestWithContext(as(s.name), "GET", target+"&"+browser.MarkMe+"="+s.me, nil)
	if err != nil {
		s.w.fail("authorize: %v", err)
		return "/"
	}
	r.Header.Set("User-Agent", s.ua)
	res, err := (&wire{s.w, s.name, nil}).RoundTrip(r)
	if err != nil {
		return "/"
	}
	return res.Header.Get("Location")
}

func (s *shopper) browses() {
	s.goes([]string{"/", "/p/longjing", "/p/jasmine", "/cart", "/orders", "/me"}[s.rnd.IntN(6)])
}

var (
	formFields = regexp.MustCompile(`name="(token|expected_total)" value="([^"]*)"`)
	orderPath  = regexp.MustCompile(`^/pay/([0-9A-Z]{22})`)
)

// filled is the checkout page as it would be submitted; nil: it was not shown.
func (s *shopper) filled() url.Values {
	p := s.goes("/checkout")
	f := url.Values{
		"name": {"林晓溪"}, "phone": {"13800001234"}, "province": {"浙江省"}, "city": {"杭州市"},
		"district": {"西湖区"}, "detail": {"文三路 90 号"}, "note": {""},
	}
	for _, m := range formFields.FindAllStringSubmatch(p.body, -1) {
		f.Set(m[1], m[2])
	}
	if p.status != http.StatusOK || f.Get("token") == "" {
		return nil
	}
	return f
}

// buys puts something into the cart and submits the checkout, sometimes more
// than once, at the same time or because no answer came.
func (s *shopper) buys() {
	sku := []string{"1", "1", "1", "1", "2", "3"}[s.rnd.IntN(6)]
	s.does("POST", "/cart/add", url.Values{"sku": {sku}, "qty": {fmt.Sprint(1 + s.rnd.IntN(2))}, "to": {"cart"}})
	form := s.filled()
	if form == nil {
		return
	}
	var twins sync.WaitGroup
	if s.rnd.IntN(5) == 0 {
		for i := range 1 + s.rnd.IntN(2) {
			twins.Go(func() {
				twin := &shopper{w: s.w, name: fmt.Sprintf("%s's tap %d", s.name, i+2), ua: s.ua, cookies: map[string]string{}}
				for k, v := range s.cookies {
					twin.cookies[k] = v
				}
				twin.does("POST", "/checkout", form)
			})
		}
	}
	p := s.does("POST", "/checkout", form)
	for try := 0; p.status == 0 && try < 4; try++ { // the browser's "send again?"
		s.w.sleep(s.name, time.Minute)
		p = s.does("POST", "/checkout", form)
	}
	twins.Wait()
	s.w.stage.choose(s.name, "has tapped")
	if m := orderPath.FindStringSubmatch(p.location); m != nil {
		s.orders = append(s.orders, m[1])
		s.w.book.note(s.name, "has order %s", m[1])
		if s.rnd.IntN(3) > 0 && s.w.act() {
			s.pays()
		}
	}
}

func (s *shopper) any() string { return s.orders[s.rnd.IntN(len(s.orders))] }

// recent is the last order mostly.
func (s *shopper) recent() string {
	if s.rnd.IntN(3) > 0 {
		return s.orders[len(s.orders)-1]
	}
	return s.any()
}

// pays readies the payment on its page, pays on the phone, and looks.
func (s *shopper) pays() {
	no := s.recent()
	p := s.goes("/pay/" + no)
	if p.status != http.StatusOK {
		return
	}
	if s.rnd.IntN(2) == 0 {
		s.does("POST", "/pay/"+no, url.Values{"via": {""}})
		s.goes("/pay/" + no)
	}
	if s.rnd.IntN(4) == 0 { // the phone rings meanwhile
		s.w.sleep(s.name, time.Duration(s.rnd.Int64N(int64(12*time.Minute))))
	}
	ns := s.w.attempts(no)
	if len(ns) == 0 {
		return
	}
	s.acts(ns[len(ns)-1], s.outcome())
	for range s.rnd.IntN(3) {
		s.does("GET", "/orders/"+no+"/status", nil)
		s.w.sleep(s.name, time.Second)
	}
}

// outcome is how the payer gets on with the password.
func (s *shopper) outcome() string {
	return []string{"success", "success", "success", "success", "success", "cancel", "fail", "notenough"}[s.rnd.IntN(8)]
}

// acts is what the payer does on the phone.
func (s *shopper) acts(outTradeNo, outcome string) {
	code := s.w.api(s.name, "POST", "transactions/"+outTradeNo+"/pay", map[string]any{"openid": s.payer(), "outcome": outcome}, nil)
	s.w.book.note(s.name, "pays %s (%s) = %d", outTradeNo, outcome, code)
}

// payer is whose phone it is: inside WeChat the shopper's, else anybody's.
func (s *shopper) payer() string {
	if s.me != "" {
		return ""
	}
	return s.openID
}

// paysEverything tries every attempt to pay that ever was: an old code on one
// phone, the payment window on another.
func (s *shopper) paysEverything() {
	for _, n := range s.w.attempts(s.any()) {
		s.acts(n, s.outcome())
		if s.rnd.IntN(2) == 0 {
			s.w.sleep(s.name, time.Duration(s.rnd.Int64N(int64(5*time.Second))))
		}
	}
}

// paysMeanwhile pays on the phone while the page, at the same time, does
// something that ends the attempt.
func (s *shopper) paysMeanwhile() {
	no := s.recent()
	ns := s.w.attempts(no)
	if len(ns) == 0 {
		return
	}
	phone := &shopper{w: s.w, name: s.name + "'s phone", rnd: s.rnd, me: s.me, openID: s.openID}
	var both sync.WaitGroup
	wait := time.Duration(s.rnd.Int64N(int64(3 * time.Second)))
	outcome := phone.outcome()
	both.Go(func() {
		s.w.sleep(phone.name, wait)
		phone.acts(ns[len(ns)-1], outcome)
	})
	switch s.rnd.IntN(3) {
	case 0:
		s.does("POST", "/orders/"+no+"/cancel", url.Values{})
	case 1:
		s.does("POST", "/pay/"+no, url.Values{"via": {[]string{"native", "h5"}[s.rnd.IntN(2)]}})
	case 2:
		s.does("GET", "/orders/"+no+"/status", nil)
	}
	both.Wait()
	s.w.stage.choose(s.name, "has both")
}

func (s *shopper) cancels() { s.does("POST", "/orders/"+s.recent()+"/cancel", url.Values{}) }

// changesMind orders, cancels at once, and pays all the same.
func (s *shopper) changesMind() {
	s.buys()
	if len(s.orders) == 0 {
		return
	}
	no := s.orders[len(s.orders)-1]
	if s.rnd.IntN(2) == 0 {
		s.does("POST", "/orders/"+no+"/cancel", url.Values{})
	} else {
		s.does("POST", "/pay/"+no, url.Values{"via": {"native"}})
	}
	s.w.sleep(s.name, time.Duration(s.rnd.Int64N(int64(30*time.Second))))
	for _, n := range s.w.attempts(no) {
		s.acts(n, "success")
	}
}

// otherWay changes the channel.
func (s *shopper) otherWay() {
	s.does("POST", "/pay/"+s.recent(), url.Values{"via": {[]string{"jsapi", "native", "h5", "wechat"}[s.rnd.IntN(4)]}})
}

func (s *shopper) looks() {
	no := s.any()
	s.goes([]string{"/orders/" + no, "/pay/" + no + "/back", "/orders"}[s.rnd.IntN(3)])
	s.does("POST", "/pay/"+no+"/back", url.Values{})
}

func (s *shopper) confirms() { s.does("POST", "/orders/"+s.any()+"/confirm", url.Values{}) }

// wrongForm is a form that nobody should get anything for.
func (s *shopper) wrongForm() {
	form := s.filled()
	if form == nil {
		return
	}
	switch s.rnd.IntN(3) {
	case 0:
		form.Set("expected_total", "1")
	case 1:
		form.Del("token")
	case 2:
		form.Set("total", "1")
	}
	p := s.does("POST", "/checkout", form)
	if orderPath.MatchString(p.location) {
		s.w.fail("%s got an order for a wrong form: %v", s.name, form)
	}
}

// spies asks for somebody else's order: there is none (P15).
func (s *shopper) spies() {
	mine := strings.Join(s.orders, " ")
	for _, no := range s.w.placed(as("")) {
		if strings.Contains(mine, no) || s.w.sameUser(no, s.orders) {
			continue
		}
		for _, p := range []reply{s.does("GET", "/orders/"+no, nil), s.does("POST", "/orders/"+no+"/cancel", url.Values{})} {
			if p.status/100 == 2 || p.status/100 == 3 && !strings.HasPrefix(p.location, "/auth/") && !s.signsIn(p) {
				s.w.fail("%s got %d %s for the order %s of somebody else", s.name, p.status, p.location, no)
			}
		}
		return
	}
}

// signsIn: inside WeChat who is not signed in is sent to sign in.
func (s *shopper) signsIn(p reply) bool { return s.me != "" && p.status/100 == 3 }

// attempts are the numbers under which WeChat knows attempts to pay an order.
func (w *street) attempts(no string) []string {
	r := w.shop.Load()
	if r == nil {
		return nil
	}
	o, err := r.shop.Store.AnyOrder(as(""), no)
	if err != nil {
		return nil
	}
	ps, err := r.shop.Store.Payments(as(""), o.ID)
	if err != nil {
		return nil
	}
	var ns []string
	for _, p := range ps {
		ns = append(ns, p.OutTradeNo)
	}
	return ns
}

// sameUser reports whether an order is of whom one of mine is: two browsers of
// one WeChat user share their orders.
func (w *street) sameUser(no string, mine []string) bool {
	r := w.shop.Load()
	if r == nil {
		return true
	}
	user := func(no string) int64 {
		o, err := r.shop.Store.AnyOrder(as(""), no)
		if err != nil {
			return 0
		}
		return o.UserID
	}
	who := user(no)
	for _, m := range mine {
		if user(m) == who {
			return true
		}
	}
	return len(mine) == 0 // nobody knows yet who this is
}

// act takes one from what a history may have.
func (w *street) act() bool {
	if w.tally.Acts >= w.acts || w.t.Failed() {
		return false
	}
	w.tally.Acts++
	return true
}
