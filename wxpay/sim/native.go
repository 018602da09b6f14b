package sim

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"wxshop/wxpay/sim/console"
)

// pageUsers is how many people a page offers.
const pageUsers = 30

// showScan is the phone of a person: codes that wait for it, and the payment
// code that it shows to a cash desk.
func (s *Sim) showScan(w http.ResponseWriter, r *http.Request) {
	f, status := s.frame(w, r)
	q := r.URL.Query()
	v := console.ScanView{Frame: f, Users: s.people(), Pasted: strings.TrimSpace(q.Get("url"))}
	v.User = v.Users[0]
	for _, u := range v.Users {
		if u.ID == q.Get("u") {
			v.User = u
		}
	}
	v.Users = v.Users[:min(pageUsers, len(v.Users))]
	if err := s.fillScan(&v); err != nil {
		v.Frame.Error, status = err.Error(), statusOf(err)
	}
	if v.Left > 0 {
		w.Header().Set("Refresh", strconv.Itoa(int(v.Left/time.Second)+1)+";url=/_sim/scan?u="+url.QueryEscape(v.User.ID))
	}
	s.page(w, r, status, console.CSP, console.Scan(v))
}

// fillScan adds what the phone shows. A phone without a good code makes one.
func (s *Sim) fillScan(v *console.ScanView) error {
	s.mu.Lock()
	s.ripenAll()
	now := s.clock.Now()
	u := s.ledger.userByID(v.User.ID)
	for _, o := range slices.Backward(s.ledger.recent) {
		if row, ok := s.scanRow(o, u, now); ok && len(v.Codes) < pageRows {
			v.Codes = append(v.Codes, row)
			if o.CodeURL != "" && o.CodeURL == v.Pasted {
				v.Found = row.OutTradeNo
			}
		}
	}
	v.Paycode, v.Left = s.currentCode(u)
	var err error
	if v.Paycode == "" {
		_, err = s.showCodeLocked(u.OpenID, false)
		v.Paycode, v.Left = s.currentCode(u)
	}
	s.mu.Unlock()
	if err == nil {
		err = s.journal.sync()
	}
	v.Bars = bars(v.Paycode)
	return err
}

// scanRow is an order that waits for a phone: a code to be scanned, or a
// password. s.mu is held.
func (s *Sim) scanRow(o *order, u *user, now time.Time) (console.ScanCode, bool) {
	row := console.ScanCode{OutTradeNo: o.No, Description: o.Body, Total: o.Total, Code: o.CodeURL}
	switch {
	case payable(o, o.latest().ID, now, false) != nil:
		return row, false
	case o.state() == stateUserPaying && o.mayPay(u):
		row.Asks, row.Left = true, o.ripeAt().Sub(now)
		return row, true
	case o.TradeType == "NATIVE":
		row.Left = min(o.Expires.Sub(now), o.latest().At.Add(prepayLife).Sub(now))
		return row, true
	}
	return row, false
}

func (s *Sim) formPaycode(r *http.Request) (string, error) {
	_, err := s.showCode(r.PathValue("openid"), r.PostFormValue("ask") != "")
	return "paycode", err
}
