package sim

import (
	"net/http"
	"slices"
	"strconv"

	"wxshop/wxpay/sim/console"
)

// pageRows is how many rows of the timeline a page shows.
const pageRows = 100

// showLive is the timeline.
func (s *Sim) showLive(w http.ResponseWriter, r *http.Request) {
	f, status := s.frame(w, r)
	q := r.URL.Query()
	v := console.LiveView{
		Frame: f, Filter: q.Get("f"), Clock: s.consoleClock(f), Faults: s.consoleFaults(f), Users: s.people(),
	}
	chosen, before, after := number(q.Get("e")), number(q.Get("before")), number(q.Get("after"))
	all, _ := s.events.since(0)
	for _, h := range slices.Backward(all) {
		if h.entry.Title == "" {
			continue
		}
		v.Total++
		if h.seq == chosen {
			v.Chosen = pane(h)
		}
		if !h.entry.Matches(v.Filter) {
			continue
		}
		v.Matching++
		switch {
		case before != 0 && h.seq >= before || h.seq <= after:
		case len(v.Entries) == pageRows:
			v.Older = true
		default:
			v.Entries = append(v.Entries, h.entry)
		}
	}
	s.page(w, r, status, console.CSP, console.Live(v))
}

func pane(h happening) *console.Exchange {
	x := console.Exchange{}
	if h.detail != nil {
		x = *h.detail
	}
	x.Entry = h.entry
	return &x
}

// number reads a number of the timeline; 0 is none.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// showTransactions lists orders, the newest first.
func (s *Sim) showTransactions(w http.ResponseWriter, r *http.Request) {
	f, status := s.frame(w, r)
	v := console.TransactionsView{Frame: f, Filter: r.URL.Query().Get("f")}
	s.mu.Lock()
	s.ripenAll()
	for _, o := range slices.Backward(s.ledger.recent) {
		if row := s.transactionRow(o); row.Matches(v.Filter) && len(v.Rows) < pageRows {
			v.Rows = append(v.Rows, row)
		}
	}
	s.mu.Unlock()
	s.page(w, r, status, console.CSP, console.Transactions(v))
}

// transactionRow is a line of the list. s.mu is held.
func (s *Sim) transactionRow(o *order) console.TransactionRow {
	row := console.TransactionRow{
		OutTradeNo: o.No, At: o.Created, Description: o.Body, Total: o.Total, State: o.state(), TradeType: o.TradeType, API: "v2",
	}
	if u := s.payer(o); u != nil {
		row.Nickname = u.Nickname
	}
	return row
}

// payer is who paid an order or must pay it; nil: anybody. s.mu is held.
func (s *Sim) payer(o *order) *user {
	if o.payment != nil {
		return s.ledger.userByID(o.payment.User)
	}
	return s.ledger.payer(o)
}

// showTransaction is one order with its history and notifications.
func (s *Sim) showTransaction(w http.ResponseWriter, r *http.Request) {
	f, status := s.frame(w, r)
	v, ok := s.transactionPage(r.PathValue("no"))
	if !ok {
		s.showTransactions(trouble{w, noTransaction(r.PathValue("no"))}, r)
		return
	}
	v.Frame = f
	s.page(w, r, status, console.CSP, console.Transaction(v))
}

func (s *Sim) transactionPage(no string) (console.TransactionView, bool) {
	people := s.people()
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.ledger.orders[no]
	if o == nil {
		return console.TransactionView{}, false
	}
	now := s.clock.Now()
	s.ripen(o, now)
	view := s.transactionView(o)
	v := console.TransactionView{
		Row: s.transactionRow(o), PrepayID: view.PrepayID, OpenID: view.OpenID, AppID: o.AppID, MchID: o.MchID,
		Attach: o.Attach, NotifyURL: o.NotifyURL, CreatedAt: o.Created, ExpiresAt: o.Expires,
		CanPay: payable(o, o.latest().ID, now, false) == nil, ForgeKinds: forgeKindsOf(o.API),
		Steps: s.steps(o),
	}
	if o.NotifyURL == "" {
		v.ForgeKinds = nil
	}
	if o.payment != nil {
		v.TransactionID, v.PaidAt = o.payment.TransactionID, o.payment.At
		v.CanRefund = s.refundable(o, 1) == nil
	}
	for _, r := range slices.Backward(o.refunds) {
		v.Refunds = append(v.Refunds, console.RefundRow{
			OutRefundNo: r.OutRefundNo, RefundID: r.RefundID, Amount: r.Amount, State: r.State, At: r.Created, Due: r.Due,
		})
	}
	for _, p := range people {
		if u := s.ledger.userByID(p.ID); u != nil && o.mayPay(u) {
			p.OpenID = u.openIDFor(o.AppID)
			v.Users = append(v.Users, p)
		}
	}
	for _, n := range slices.Backward(o.notes) {
		v.Notifications = append(v.Notifications, s.consoleNotification(n))
	}
	return v, true
}

// steps are the states an order went through, the newest first. s.mu is held.
func (s *Sim) steps(o *order) []console.Step {
	out := []console.Step{{At: o.Created, State: stateNotPay, What: "商户下单 " + yuan(o.Total)}}
	if p := o.payment; p != nil {
		out = append(out, console.Step{At: p.At, State: stateSuccess, What: s.payer(o).Nickname + "付了 " + yuan(o.Total), Tone: console.Good})
	}
	if !o.closed.IsZero() {
		out = append(out, console.Step{At: o.closed, State: stateClosed, What: "商户关了订单", Tone: console.Bad})
	}
	if o.failed != "" {
		out = append(out, console.Step{At: o.Created, State: statePayError, What: o.failed, Tone: console.Bad})
	} else if o.Asks {
		out = slices.Insert(out, 1, console.Step{At: o.Created, State: stateUserPaying, What: "等他输密码"})
	}
	out = append(out, refundSteps(o)...)
	if !o.reversed.IsZero() {
		out = append(out, console.Step{At: o.reversed, State: stateRevoked, What: "撤销了", Tone: console.Bad})
	}
	slices.SortStableFunc(out, func(a, b console.Step) int { return a.At.Compare(b.At) })
	slices.Reverse(out)
	return out
}

// refundSteps are the states of an order's refunds.
func refundSteps(o *order) []console.Step {
	var out []console.Step
	for _, r := range o.refunds {
		out = append(out, console.Step{At: r.Created, State: "退款 " + refundProcessing, What: "退 " + yuan(r.Amount) + "，" + r.OutRefundNo})
		if !r.Ended.IsZero() {
			step := console.Step{At: r.Ended, State: "退款 " + r.State, What: r.OutRefundNo, Tone: console.Bad}
			if r.State == refundSuccess {
				step.What, step.Tone = yuan(r.Amount)+" 回到零钱", console.Good
			}
			out = append(out, step)
		}
	}
	return out
}

// consoleNotification is a delivery as pages show it. s.mu is held.
func (s *Sim) consoleNotification(n *notification) console.Notification {
	v := console.Notification{ID: n.ID, Kind: n.Kind, URL: n.URL, State: n.State}
	if n.State == notePending {
		v.NextAt = n.Due
		v.NextIn = max(0, n.Due.Sub(s.clock.Now()))
		v.Left = len(ladder) + 1 - n.Step
	}
	for i, a := range n.attempts {
		answer := a.ResponseBody
		if !a.OK && a.Why != "" && a.Status != 0 {
			answer = a.Why + "：" + answer
		}
		if len([]rune(answer)) > 200 {
			answer = string([]rune(answer)[:200]) + "…"
		}
		v.Attempts = append(v.Attempts, console.Attempt{
			Number: i + 1, At: a.At, Status: a.Status, Answer: answer, Took: a.Took, OK: a.OK, Seq: a.seq,
		})
	}
	slices.Reverse(v.Attempts)
	return v
}
