package sim

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"wxshop/wxpay/sim/console"
)

const (
	h5Path = "/cgi-bin/mmpayweb-bin/checkmweb"
	h5Life = 5 * time.Minute // of an mweb_url
)

// h5Refusal is an error of WeChat's page in front of an H5 payment (WeChat
// Pay v2, "H5支付常见问题").
type h5Refusal struct{ text, why string }

// The errors of the H5 page.
const (
	h5Inside  = "请在微信外打开订单，进行支付"
	h5Late    = "支付请求已失效，请重新发起支付"
	h5Referer = "商家参数格式有误，请联系商家解决"
	h5Domain  = "商家存在未配置的参数，请联系商家解决"
	h5Network = "网络环境未能通过安全验证，请稍后再试"
)

// h5Request is somebody in front of the page.
type h5Request struct {
	prepayID, pkg string
	userAgent     string
	from          string // the shop's page: Referer
	redirect      string // redirect_url
	ip            netip.Addr
}

func readH5(r *http.Request) h5Request {
	q := r.URL.Query()
	h := h5Request{
		prepayID: q.Get("prepay_id"), pkg: q.Get("package"), redirect: q.Get("redirect_url"),
		userAgent: r.UserAgent(), from: r.Referer(),
	}
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		h.ip = ap.Addr().Unmap().WithZone("")
	}
	return h
}

// checkH5 makes WeChat's four checks and tells of each. s.mu is held.
func (s *Sim) checkH5(h h5Request, o *order, now time.Time) []console.H5Check {
	pre, _ := o.prepay(h.prepayID)
	left := pre.At.Add(h5Life).Sub(now)
	age := console.H5Check{OK: left > 0, What: "链接没过期", Left: left, Text: h5Late}
	outside := console.H5Check{
		OK: !strings.Contains(strings.ToLower(h.userAgent), "micromessenger"), What: "在微信外面打开",
		Why: "User-Agent 里没有 MicroMessenger", Text: h5Inside,
	}
	if !outside.OK {
		outside.Why = "User-Agent 里有 MicroMessenger：在微信里要用 JSAPI 支付"
	}
	return []console.H5Check{s.checkReferer(h), age, outside, s.checkIP(h, o)}
}

func (s *Sim) checkReferer(h h5Request) console.H5Check {
	c := console.H5Check{What: "从店里的页面来", Text: h5Referer}
	from, err := url.Parse(h.from)
	switch {
	case h.from == "" || err != nil || from.Host == "":
		c.Why = "没有 Referer：链接要从店里的页面点开，Referrer-Policy 不能是 no-referrer"
		return c
	case !s.h5DomainKnown(from.Hostname()):
		c.Why, c.Text = "Referer 是 "+h.from+"，这个域名没有登记", h5Domain
		return c
	}
	c.OK, c.Why = true, "Referer 是 "+h.from
	if h.redirect == "" {
		return c
	}
	if back, err := url.Parse(h.redirect); err != nil || !absoluteHTTP(h.redirect) || !s.h5DomainKnown(back.Hostname()) {
		c.OK, c.Why, c.Text = false, "redirect_url 是 "+h.redirect+"，要是登记过的域名，编码一次", h5Domain
	}
	return c
}

// h5DomainKnown reports whether a host may start H5 payments: it, or the
// domain above it, has a pay directory. Without enforcement any may. s.mu is
// held.
func (s *Sim) h5DomainKnown(host string) bool {
	account := s.accountLocked()
	return !account.Enforce || slices.ContainsFunc(account.PayDirectories, func(dir string) bool {
		u, err := url.Parse(dir)
		return err == nil && u.Hostname() != "" && (host == u.Hostname() || strings.HasSuffix(host, "."+u.Hostname()))
	})
}

// mayReturn reports whether the page may send somebody there.
func (s *Sim) mayReturn(to string) bool {
	u, err := url.Parse(to)
	s.mu.Lock()
	defer s.mu.Unlock()
	return err == nil && absoluteHTTP(to) && s.h5DomainKnown(u.Hostname())
}

// checkIP compares the payer's address with spbill_create_ip. Addresses of one
// machine or one house count as the same: the shop may see another of them.
func (s *Sim) checkIP(h h5Request, o *order) console.H5Check {
	c := console.H5Check{What: "付款的人就是下单的人", Text: h5Network}
	want, err := netip.ParseAddr(o.IP)
	c.OK = s.opts.Public || err == nil && (want == h.ip || atHome(want) && atHome(h.ip))
	c.Why = "IP 是 " + h.ip.String() + "，下单时的 spbill_create_ip 是 " + o.IP
	return c
}

func atHome(ip netip.Addr) bool { return ip.IsLoopback() || ip.IsPrivate() }

// showH5 is the page that a phone's browser is sent to with an mweb_url.
func (s *Sim) showH5(w http.ResponseWriter, r *http.Request) {
	h := readH5(r)
	v, refused := s.h5View(h)
	if refused.text != "" {
		say(r, verdict{problem: refused.text, no: v.OutTradeNo})
		v.Refused, v.Why = refused.text, refused.why
	}
	v.Action = r.URL.RequestURI()
	s.page(w, r, http.StatusOK, console.ConsentCSP, console.H5(v))
}

// h5View checks a visit; one that passes has its page open in time.
func (s *Sim) h5View(h h5Request) (console.H5View, h5Refusal) {
	people := s.people()
	people = people[:min(pageUsers, len(people))]
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	o := s.ledger.prepays[h.prepayID]
	if o == nil || o.TradeType != "MWEB" || o.MWebPackage != h.pkg {
		return console.H5View{}, h5Refusal{h5Late, "没有这个 prepay_id，或者 package 不是它的"}
	}
	v := console.H5View{
		Merchant: merchantName, OutTradeNo: o.No, Description: o.Body, Total: o.Total, Users: people,
		Checks: s.checkH5(h, o, now), From: h.from,
	}
	for _, c := range v.Checks {
		if !c.OK {
			return v, h5Refusal{c.Text, c.Why}
		}
	}
	var no *payRefusal
	if errors.As(payable(o, h.prepayID, now, false), &no) {
		return v, h5Refusal{no.text, no.advice}
	}
	s.opened(h.prepayID, now)
	return v, h5Refusal{}
}

// answerH5 does what somebody chose on the page, and goes back to the shop
// whatever came of it.
func (s *Sim) answerH5(w http.ResponseWriter, r *http.Request) {
	h := readH5(r)
	h.from = r.PostFormValue("from")
	outcome := r.PostFormValue("op")
	if outcome != outcomeSilent && !slices.Contains(outcomeNames(), outcome) {
		http.Error(w, "there is no such ending", http.StatusBadRequest)
		return
	}
	if err := s.actOnSheet(h.prepayID, r.PostFormValue("u"), outcome); err != nil {
		say(r, verdict{problem: err.Error()})
	}
	to := h.redirect
	if to == "" {
		to = h.from
	}
	if !s.mayReturn(to) {
		http.Error(w, "no redirect_url to return to", http.StatusBadRequest)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
}
