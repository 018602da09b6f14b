package sim

// transactionJSON is an order in the control API.
type transactionJSON struct {
	OutTradeNo    string       `json:"out_trade_no"`
	TransactionID *string      `json:"transaction_id"`
	PrepayID      string       `json:"prepay_id"`
	CodeURL       string       `json:"code_url"`
	MWebURL       string       `json:"mweb_url"`
	TradeType     string       `json:"trade_type"`
	API           string       `json:"api"`
	AppID         string       `json:"app_id"`
	MchID         string       `json:"mch_id"`
	SubMchID      string       `json:"sub_mch_id"`
	OpenID        string       `json:"openid"`
	Description   string       `json:"description"`
	Attach        string       `json:"attach"`
	Total         int64        `json:"total"` // fen
	Currency      string       `json:"currency"`
	State         string       `json:"state"`
	NotifyURL     string       `json:"notify_url"`
	CreatedAt     stamp        `json:"created_at"`
	ExpiresAt     stamp        `json:"expires_at"`
	PaidAt        stamp        `json:"paid_at"`
	Refunds       []refundJSON `json:"refunds"`
	Notifications []string     `json:"notifications"`
}

// refundJSON is a refund in the control API.
type refundJSON struct {
	OutRefundNo string `json:"out_refund_no"`
	RefundID    string `json:"refund_id"`
	Amount      int64  `json:"amount"` // fen
	State       string `json:"state"`
	CreatedAt   stamp  `json:"created_at"`
	SuccessAt   stamp  `json:"success_at"`
}

// transactionView describes an order. s.mu is held.
func (s *Sim) transactionView(o *order) transactionJSON {
	v := transactionJSON{
		OutTradeNo: o.No, PrepayID: o.latest().ID, CodeURL: o.CodeURL, MWebURL: s.mwebURL(o, o.latest().ID),
		TradeType: o.TradeType, API: apiName(o.API), AppID: o.AppID, MchID: o.MchID, SubMchID: o.SubMchID,
		OpenID: o.OpenID, Description: o.Body, Attach: o.Attach, Total: o.Total, Currency: "CNY",
		State: o.state(), NotifyURL: o.NotifyURL, CreatedAt: stamp(o.Created), ExpiresAt: stamp(o.Expires),
		Refunds: []refundJSON{}, Notifications: []string{},
	}
	if p := o.payment; p != nil {
		v.TransactionID, v.PaidAt, v.OpenID = &p.TransactionID, stamp(p.At), p.OpenID
	}
	for _, r := range o.refunds {
		v.Refunds = append(v.Refunds, refundView(r))
	}
	for _, n := range o.notes {
		v.Notifications = append(v.Notifications, n.ID)
	}
	return v
}

// transactionViews are the newest orders first.
func (s *Sim) transactionViews(limit int) []transactionJSON {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ripenAll()
	out := []transactionJSON{}
	for i := len(s.ledger.recent) - 1; i >= 0 && len(out) < limit; i-- {
		out = append(out, s.transactionView(s.ledger.recent[i]))
	}
	return out
}

// notificationJSON is a notification in the control API.
type notificationJSON struct {
	ID         string        `json:"id"`
	Kind       string        `json:"kind"`
	API        string        `json:"api"`
	OutTradeNo string        `json:"out_trade_no"`
	URL        string        `json:"url"`
	State      string        `json:"state"`
	NextAt     stamp         `json:"next_at"`
	Attempts   []attemptJSON `json:"attempts"`
}

// attemptJSON is one try. Without an answer its status is 0 and
// response_body says why.
type attemptJSON struct {
	At             stamp             `json:"at"`
	RequestHeaders map[string]string `json:"request_headers"`
	RequestBody    string            `json:"request_body"`
	Status         int               `json:"status"`
	ResponseBody   string            `json:"response_body"`
	OK             bool              `json:"ok"`
}

// notificationView describes a notification. s.mu is held.
func (s *Sim) notificationView(n *notification) notificationJSON {
	v := notificationJSON{
		ID: n.ID, Kind: n.Kind, API: apiName(n.API), OutTradeNo: n.No, URL: n.URL, State: n.State, Attempts: []attemptJSON{},
	}
	if n.State == notePending {
		v.NextAt = stamp(n.Due)
	}
	for _, a := range n.attempts {
		v.Attempts = append(v.Attempts, attemptJSON{stamp(a.At), a.RequestHeaders, a.RequestBody, a.Status, a.ResponseBody, a.OK})
	}
	return v
}

// notificationViews are the newest notifications first.
func (s *Sim) notificationViews(limit int) []notificationJSON {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []notificationJSON{}
	for i := len(s.ledger.noted) - 1; i >= 0 && len(out) < limit; i-- {
		out = append(out, s.notificationView(s.ledger.noted[i]))
	}
	return out
}
