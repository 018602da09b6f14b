package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"wxshop/wxpay/sim/console"
)

// What people read in the timeline. Each function adds one happening.

// yuan writes fen for people.
func yuan(fen int64) string { return fmt.Sprintf("¥%d.%02d", fen/100, fen%100) }

// tail is the end of a long number.
func tail(no string) string {
	if len(no) <= 8 {
		return no
	}
	return "…" + no[len(no)-6:]
}

func facts(headers map[string]string) []console.Fact {
	out := []console.Fact{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		out = append(out, console.Fact{Name: name, Value: headers[name]})
	}
	return out
}

// timelineCall tells of a call to the gateway.
func (s *Sim) timelineCall(c requestJSON, v verdict, took time.Duration) {
	no := v.no
	path, _, _ := strings.Cut(c.Target, "?")
	e := console.Entry{
		At: time.Time(c.At), Direction: console.In, Title: c.Method + " " + path, Hint: tail(no),
		Verdict: "成功", Tone: console.Good, Words: no,
	}
	if c.Verdict == verdictRefused {
		e.Verdict, e.Tone = c.Error, console.Bad
		if e.Verdict == "" {
			e.Verdict = strconv.Itoa(c.Status)
		}
	}
	s.events.add(happening{kind: "request", data: c, entry: e, detail: &console.Exchange{
		Method: c.Method, URL: s.opts.BaseURL + c.Target,
		RequestHeaders: facts(c.RequestHeaders), RequestBody: c.RequestBody,
		Status: c.Status, ResponseHeaders: facts(c.ResponseHeaders), ResponseBody: c.ResponseBody,
		Took: took, OutTradeNo: no, Problem: v.advice, Diagnosis: shownDiagnosis(v.diagnosis),
	}})
}

// timelineOrder tells of a change of an order. s.mu is held.
func (s *Sim) timelineOrder(o *order, r *record) {
	h := happening{kind: "transaction", data: s.transactionView(o)}
	if r.Payment != nil {
		u := s.ledger.userByID(r.Payment.User)
		h.entry = console.Entry{
			At: r.At, Direction: console.Actor, Title: u.Nickname + "付了 " + yuan(o.Total), Hint: tail(o.No) + " · " + o.Body,
			Verdict: "支付成功", Tone: console.Good, Words: o.No + " " + r.Payment.TransactionID + " " + r.Payment.OpenID,
		}
		h.detail = orderDetail(o, "微信支付订单号", r.Payment.TransactionID)
	}
	s.events.add(h)
}

func orderDetail(o *order, more ...string) *console.Exchange {
	x := &console.Exchange{OutTradeNo: o.No, Facts: []console.Fact{{Name: "商户订单号", Value: o.No}, {Name: "金额", Value: yuan(o.Total)}}}
	for i := 0; i+1 < len(more); i += 2 {
		x.Facts = append(x.Facts, console.Fact{Name: more[i], Value: more[i+1]})
	}
	return x
}

// timelineAct tells of a payer who did not pay. s.mu is held.
func (s *Sim) timelineAct(o *order, u *user, outcome string) {
	what := map[string]string{
		outcomeCancel:        "关掉了付款窗口",
		outcomeFail:          "付款失败",
		outcomeNotEnough:     "零钱不够，没付成",
		outcomeWrongPassword: "输错了支付密码",
	}[outcome]
	s.events.add(happening{kind: "transaction", data: s.transactionView(o), detail: orderDetail(o), entry: console.Entry{
		Direction: console.Actor, Title: u.Nickname + what, Hint: tail(o.No) + " · " + o.Body,
		Verdict: "没有付", Tone: console.Bad, Words: o.No + " " + u.OpenID,
	}})
}

// timelineRefusedSheet tells of a pay sheet that did not open.
func (s *Sim) timelineRefusedSheet(pkg string, err error) {
	text, advice := err.Error(), ""
	var refused *payRefusal
	if errors.As(err, &refused) {
		text, advice = refused.text, refused.advice
	}
	var finding *diagnosisJSON
	var unverified *unverifiedSheet
	if errors.As(err, &unverified) {
		finding = unverified.finding
	}
	x := &console.Exchange{Problem: advice, Facts: []console.Fact{{Name: "package", Value: pkg}}, Diagnosis: shownDiagnosis(finding)}
	s.calls.add(requestJSON{
		ID: s.calls.nextID(), At: stamp(s.clock.Now()), Face: "browser", Method: "BRIDGE", Target: "getBrandWCPayRequest",
		RequestHeaders: map[string]string{}, RequestBody: pkg, ResponseHeaders: map[string]string{},
		Verdict: verdictRefused, Error: text, Diagnosis: finding,
	})
	s.events.add(happening{detail: x, entry: console.Entry{
		Direction: console.In, Title: "getBrandWCPayRequest", Hint: pkg, Verdict: text, Tone: console.Bad, Words: pkg,
	}})
}

// timelineAttempt tells of the latest attempt of a notification. s.mu is held.
func (s *Sim) timelineAttempt(n *notification) {
	a := &n.attempts[len(n.attempts)-1]
	e := console.Entry{
		At: a.At, Direction: console.Out, Title: fmt.Sprintf("%s，第 %d 次", n.word(), len(n.attempts)),
		Hint:    fmt.Sprintf("%s · 商户答 %d，%d ms", tail(n.No), a.Status, a.Took.Milliseconds()),
		Verdict: "收下", Tone: console.Good, Words: n.No + " " + n.ID,
	}
	if a.Status == 0 {
		e.Hint = tail(n.No) + " · 没有回答"
	}
	if !a.OK {
		e.Verdict, e.Tone = "再试", console.Wait
		if n.State == noteGaveUp {
			e.Verdict, e.Tone = "放弃了", console.Bad
		}
	}
	a.seq = s.events.add(happening{kind: "notification", data: s.notificationView(n), entry: e, detail: attemptDetail(n.URL, n.No, *a)})
}

func attemptDetail(url, no string, a attempt) *console.Exchange {
	x := &console.Exchange{
		Method: "POST", URL: url, RequestHeaders: facts(a.RequestHeaders), RequestBody: a.RequestBody,
		Status: a.Status, ResponseBody: a.ResponseBody, Took: a.Took, Problem: a.Why, OutTradeNo: no,
	}
	if a.Status == 0 {
		x.ResponseBody = ""
	}
	return x
}

// timelineForged tells of a forged notification.
func (s *Sim) timelineForged(what, no, kind, url string, a attempt) {
	e := console.Entry{
		At: a.At, Direction: console.Out, Title: "伪造的" + what + " " + kind, Hint: fmt.Sprintf("%s · 商户答 %d", tail(no), a.Status),
		Verdict: "没有收下", Tone: console.Plain, Words: no,
	}
	c := requestJSON{
		ID: s.calls.nextID(), At: stamp(a.At), Face: "forge", Method: "POST", Target: url,
		RequestHeaders: a.RequestHeaders, RequestBody: a.RequestBody,
		Status: a.Status, ResponseHeaders: map[string]string{}, ResponseBody: a.ResponseBody,
		Verdict: verdictRefused, Error: a.Why,
	}
	if a.OK {
		e.Verdict, c.Verdict = "收下", verdictAccepted
	}
	s.calls.add(c)
	s.events.add(happening{kind: "request", data: c, entry: e, detail: attemptDetail(url, no, a)})
}

// timelineDrop tells of a notification that was given up. s.mu is held.
func (s *Sim) timelineDrop(n *notification) {
	s.events.add(happening{kind: "notification", data: s.notificationView(n), detail: &console.Exchange{OutTradeNo: n.No}, entry: console.Entry{
		Direction: console.Tick, Title: "不再发" + n.word() + " " + n.ID, Hint: tail(n.No), Words: n.No + " " + n.ID,
	}})
}

// faultFires decides about a fault and tells when it strikes.
func (s *Sim) faultFires(name, no string) bool {
	if !s.faults.fires(name) {
		if !s.scenarios.fault(name, no) {
			return false
		}
		s.faults.count(name)
	}
	v := s.faults.view()
	s.events.add(happening{kind: "fault", data: v, entry: console.Entry{
		Direction: console.Fault, Title: name, Hint: tail(no), Verdict: fmt.Sprintf("第 %d 次", v.Fired[name]), Tone: console.Busy, Words: no,
	}, detail: &console.Exchange{OutTradeNo: no, Facts: []console.Fact{{Name: "fired", Value: strconv.Itoa(v.Fired[name])}}}})
	return true
}

func (s *Sim) timelineScenario(r scenarioJSON) {
	s.events.add(happening{kind: "fault", data: s.faults.view(), entry: console.Entry{
		Direction: console.Tick, Title: "剧本 " + r.ID + "：" + r.Then.Outcome + r.Then.Fault, Hint: r.Match.words(),
	}})
}

func (s *Sim) timelineAccount(a accountJSON) {
	hint := "不较真：写错也放行"
	if a.Enforce {
		hint = "像真的一样较真"
	}
	s.events.add(happening{entry: console.Entry{Direction: console.Tick, Title: "账号设置改了", Hint: hint}})
}

// timelinePush tells of a message or event that went to the shop's endpoint.
func (s *Sim) timelinePush(kind, url string, a attempt, p pushedJSON) {
	e := console.Entry{
		At: a.At, Direction: console.Out, Title: "公众号消息 " + kind, Hint: p.words(), Verdict: "没有收下", Tone: console.Bad,
	}
	if p.OK {
		e.Verdict, e.Tone = "收下", console.Good
	}
	x := attemptDetail(url, "", a)
	x.Problem = ""
	if a.Status == 0 {
		x.Problem = a.Why
	}
	if p.Reply != "" {
		x.Facts = []console.Fact{{Name: "他看到", Value: p.Reply}}
	}
	s.events.add(happening{kind: "notification", data: p, entry: e, detail: x})
}

// timelineTemplate tells of a template message that a person got.
func (s *Sim) timelineTemplate(u *user, template, url string, lines []string) {
	slices.Sort(lines)
	x := &console.Exchange{Facts: []console.Fact{{Name: "模板", Value: template}, {Name: "打开", Value: url}}}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "：")
		x.Facts = append(x.Facts, console.Fact{Name: name, Value: value})
	}
	s.events.add(happening{detail: x, entry: console.Entry{
		Direction: console.Actor, Title: u.Nickname + "收到模板消息", Hint: strings.Join(lines, "，"), Verdict: "收到", Tone: console.Good, Words: u.OpenID,
	}})
}

func (s *Sim) timelineFaultsSet() {
	s.events.add(happening{kind: "fault", data: s.faults.view(), entry: console.Entry{Direction: console.Tick, Title: "故障设置改了"}})
}

func (s *Sim) timelineClock(what string) {
	s.events.add(happening{kind: "clock", data: s.clockView(), entry: console.Entry{Direction: console.Tick, Title: what}})
}

func (s *Sim) timelineReset() {
	s.events.add(happening{kind: "clock", data: s.clockView(), entry: console.Entry{Direction: console.Tick, Title: "除了密钥，全都忘掉了"}})
}

// timelineNote passes on what the WeChat browser had to change to a page.
func (s *Sim) timelineNote(text string) {
	s.events.add(happening{entry: console.Entry{Direction: console.Tick, Title: "微信浏览器", Hint: text}})
}
