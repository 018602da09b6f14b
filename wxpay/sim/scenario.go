package sim

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// subject is what a scenario is matched against: an order, as it is known or
// as a call describes it.
type subject struct {
	no, description, openID string
	amount                  int64 // fen; 0: not said
}

func (o *order) subject() subject {
	return subject{no: o.No, description: o.Body, openID: o.OpenID, amount: o.Total}
}

// scenarioMatch says which orders: all that is given must fit.
type scenarioMatch struct {
	Amount      *int64 `json:"amount,omitempty"`      // fen
	AmountEnds  string `json:"amount_ends,omitempty"` // the last digits of the amount in fen
	Description string `json:"description,omitempty"` // a part of it
	OpenID      string `json:"openid,omitempty"`
}

func (m scenarioMatch) fits(s subject) bool {
	return (m.Amount == nil || *m.Amount == s.amount) &&
		(m.AmountEnds == "" || s.amount > 0 && strings.HasSuffix("0"+strconv.FormatInt(s.amount, 10), m.AmountEnds)) &&
		strings.Contains(s.description, m.Description) &&
		(m.OpenID == "" || m.OpenID == s.openID)
}

// scenarioThen says what happens: the payer who wants to pay does outcome
// instead, or fault strikes at every occasion.
type scenarioThen struct {
	Outcome string `json:"outcome,omitempty"`
	Fault   string `json:"fault,omitempty"`
}

// scenarioJSON is one scripted outcome of POST /_sim/api/scenario.
type scenarioJSON struct {
	ID    string        `json:"id"`
	Match scenarioMatch `json:"match"`
	Then  scenarioThen  `json:"then"`
	Times int           `json:"times"` // strikes at most; 0: always
	Fired int           `json:"fired"`
}

// amountTable are the last digits of an amount in fen that script an outcome,
// as test-card numbers do elsewhere. It is off until somebody asks for it:
// POST /_sim/api/scenario {"table":"amounts"}.
var amountTable = []struct {
	ends  string
	then  scenarioThen
	times int
}{
	{"31", scenarioThen{Outcome: outcomeFail}, 0}, {"32", scenarioThen{Outcome: outcomeCancel}, 0},
	{"33", scenarioThen{Outcome: outcomeNotEnough}, 0}, {"34", scenarioThen{Outcome: outcomeWrongPassword}, 0},
	{"41", scenarioThen{Fault: faultNotifyDrop}, 0}, {"42", scenarioThen{Fault: faultNotifyDuplicate}, 0},
	{"43", scenarioThen{Fault: faultNotifyForged}, 0}, {"44", scenarioThen{Fault: faultNotifyWrongAmount}, 0},
	{"45", scenarioThen{Fault: faultNotifyDelay}, 0}, {"46", scenarioThen{Fault: faultNotifyConcurrent}, 0},
	{"51", scenarioThen{Fault: faultResetAfter}, 1}, {"52", scenarioThen{Fault: faultAnswerSlow}, 1},
	{"53", scenarioThen{Fault: faultSystemError}, 1}, {"54", scenarioThen{Fault: faultAnswer5xx}, 1},
	{"55", scenarioThen{Fault: faultUserPaying}, 0}, {"56", scenarioThen{Fault: faultClosePayRace}, 1},
	{"61", scenarioThen{Fault: faultRefundProcessing}, 0}, {"62", scenarioThen{Fault: faultRefundAbnormal}, 0},
}

// scenarios are the scripted outcomes. Like faults they are forgotten at a
// restart.
type scenarios struct {
	any   atomic.Bool // there are some; spares calls the look
	mu    sync.Mutex
	next  int
	rules []*scenarioJSON
	known map[string]subject // by out_trade_no
}

const (
	maxKnown     = 200_000
	maxScenarios = 1000
)

func newScenarios() *scenarios { return &scenarios{known: map[string]subject{}} }

// learn remembers what an order is about; a fuller description wins.
func (c *scenarios) learn(s subject) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.known[s.no]; ok && (old.description != "" || s.description == "") {
		return
	}
	if len(c.known) >= maxKnown { // calls are looked at before their signature is
		clear(c.known)
	}
	c.known[s.no] = s
}

// strike reports whether a rule says so about an order, and counts it.
func (c *scenarios) strike(no string, wanted func(scenarioThen) bool) (scenarioThen, bool) {
	if no == "" || !c.any.Load() {
		return scenarioThen{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	about, ok := c.known[no]
	if !ok {
		return scenarioThen{}, false
	}
	for _, r := range c.rules {
		if (r.Times == 0 || r.Fired < r.Times) && wanted(r.Then) && r.Match.fits(about) {
			r.Fired++
			return r.Then, true
		}
	}
	return scenarioThen{}, false
}

// fault reports whether a fault is scripted for an order.
func (c *scenarios) fault(name, no string) bool {
	_, hit := c.strike(no, func(t scenarioThen) bool { return t.Fault == name })
	return hit
}

// outcome is what a payer who wants to pay does instead.
func (c *scenarios) outcome(no string) string {
	if then, hit := c.strike(no, func(t scenarioThen) bool { return t.Outcome != "" }); hit {
		return then.Outcome
	}
	return outcomeSuccess
}

// once scripts a fault for the next occasion about one order (the header
// Wechatpay-Negative-Test); undo takes it back when it did not strike.
func (c *scenarios) once(name string, about subject) (undo func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[about.no] = about
	rule := &scenarioJSON{Times: 1, Then: scenarioThen{Fault: name}, Match: scenarioMatch{Description: about.description}}
	amount := about.amount
	rule.Match.Amount = &amount
	c.rules = append(c.rules, rule)
	c.any.Store(true)
	return func() { c.remove(func(r *scenarioJSON) bool { return r == rule }) }
}

func (c *scenarios) add(r scenarioJSON) scenarioJSON {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	r.ID, r.Fired = "s"+strconv.Itoa(c.next), 0
	c.rules = append(c.rules, &r)
	c.any.Store(true)
	return r
}

func (c *scenarios) remove(which func(*scenarioJSON) bool) (removed int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.rules)
	c.rules = slices.DeleteFunc(c.rules, which)
	c.any.Store(len(c.rules) > 0)
	return before - len(c.rules)
}

// list is the newest first.
func (c *scenarios) list() []scenarioJSON {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []scenarioJSON{}
	for _, r := range slices.Backward(c.rules) {
		if r.ID != "" {
			out = append(out, *r)
		}
	}
	return out
}

func (c *scenarios) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rules, c.known = nil, map[string]subject{}
	c.any.Store(false)
}

// apiAddScenario scripts an outcome, or the whole table of amounts.
func (s *Sim) apiAddScenario(r *http.Request) (any, error) {
	var in struct {
		Match *scenarioMatch `json:"match"`
		Then  scenarioThen   `json:"then"`
		Times int            `json:"times"`
		Table string         `json:"table"`
	}
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	switch {
	case in.Table != "" && (in.Table != "amounts" || in.Match != nil || in.Then != scenarioThen{}):
		return nil, badRequest(`the only table is {"table":"amounts"}, and it stands alone`)
	case in.Table != "":
		return s.useAmountTable(), nil
	case in.Match == nil:
		in.Match = &scenarioMatch{}
	}
	return s.addScenario(scenarioJSON{Match: *in.Match, Then: in.Then, Times: in.Times})
}

// addScenario checks and keeps a script.
func (s *Sim) addScenario(in scenarioJSON) (scenarioJSON, error) {
	switch {
	case in.Match == scenarioMatch{}:
		return in, badRequest(`match must say which orders: {"match":{"amount":1234}}, amount_ends, description or openid`)
	case !endsForm.MatchString(in.Match.AmountEnds):
		return in, badRequest("amount_ends are the last digits of the amount in fen, such as 33")
	case (in.Then.Outcome == "") == (in.Then.Fault == ""):
		return in, badRequest(`then must be either {"outcome":"notenough"} or {"fault":"answer-slow"}`)
	case in.Then.Outcome != "" && !slices.Contains(outcomeNames(), in.Then.Outcome):
		return in, badRequest("unknown outcome %q; choose %s", in.Then.Outcome, strings.Join(outcomeNames(), ", "))
	case in.Times < 0 || in.Times > 1_000_000:
		return in, badRequest("times must be from 0 (always) to 1000000")
	}
	if in.Then.Fault != "" {
		if err := checkFault(in.Then.Fault); err != nil {
			return in, err
		}
	}
	if len(s.scenarios.list()) >= maxScenarios {
		return in, conflict("there are %d scenarios already; DELETE /_sim/api/scenario forgets them", maxScenarios)
	}
	s.learnOrders()
	rule := s.scenarios.add(in)
	s.timelineScenario(rule)
	return rule, nil
}

var endsForm = regexp.MustCompile(`^[0-9]{0,10}$`)

// learnOrders lets scenarios know the orders placed before them.
func (s *Sim) learnOrders() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.ledger.orders {
		s.scenarios.learn(o.subject())
	}
}

func (s *Sim) useAmountTable() []scenarioJSON {
	s.learnOrders()
	have := s.scenarios.list()
	for _, row := range amountTable {
		if slices.ContainsFunc(have, func(r scenarioJSON) bool { return r.Match == scenarioMatch{AmountEnds: row.ends} && r.Then == row.then }) {
			continue
		}
		s.scenarios.add(scenarioJSON{Match: scenarioMatch{AmountEnds: row.ends}, Then: row.then, Times: row.times})
	}
	return s.scenarios.list()
}

// apiForgetScenarios takes one away, or all of them.
func (s *Sim) apiForgetScenarios(r *http.Request) (any, error) {
	id := r.PathValue("id")
	n := s.scenarios.remove(func(rule *scenarioJSON) bool { return id == "" || rule.ID == id })
	if id != "" && n == 0 {
		return nil, notFound("there is no scenario %s; GET /_sim/api/scenario lists them", id)
	}
	return s.scenarios.list(), nil
}

// subjectOf reads what a call of v2 is about, as far as it says.
func subjectOf(body []byte) (subject, bool) {
	in, err := readXML(body)
	if err != nil || in["out_trade_no"] == "" {
		return subject{}, false
	}
	amount, err := strconv.ParseInt(in["total_fee"], 10, 64)
	if err != nil {
		amount = 0
	}
	return subject{no: in["out_trade_no"], description: in["body"], openID: in["openid"], amount: amount}, true
}

// words says which orders, for people.
func (m scenarioMatch) words() string {
	var parts []string
	if m.Amount != nil {
		parts = append(parts, "金额 "+yuan(*m.Amount))
	}
	for _, p := range []struct{ name, value string }{{"金额尾数", m.AmountEnds}, {"商品描述含", m.Description}, {"openid", m.OpenID}} {
		if p.value != "" {
			parts = append(parts, p.name+" "+p.value)
		}
	}
	return strings.Join(parts, "，")
}
