package sim

import (
	"context"
	"errors"
	"net/http"
	"time"

	"wxshop/wxpay/sim/browser"
)

// browserFace wires the WeChat browser to the rest.
func (s *Sim) browserFace() (http.Handler, error) {
	if s.opts.AppURL == "" {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "The WeChat browser shows no shop yet: start the simulator with --app http://127.0.0.1:3000 (the address of your shop).", http.StatusServiceUnavailable)
		}), nil
	}
	transport := s.opts.Transport
	if transport == nil {
		transport = &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute}
	}
	s.toShop = transport
	return browser.New(browser.Options{
		AppURL: s.opts.AppURL, FaceURL: s.opts.BrowserURL, GatewayURL: s.opts.BaseURL,
		WeChat: phone{s}, Log: s.log, Transport: transport, Note: s.timelineNote,
	})
}

// phone is the simulator as the WeChat browser sees it.
type phone struct{ s *Sim }

func (p phone) Users(context.Context) ([]browser.User, error) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	var out []browser.User
	for _, u := range p.s.ledger.users {
		out = append(out, browser.User{ID: u.ID, Nickname: u.Nickname, Balance: u.Balance})
	}
	return out, nil
}

func (p phone) Prepare(_ context.Context, r browser.PayRequest) (browser.Sheet, error) {
	sh, err := p.s.openSheet(bridgeParams{
		appID: r.AppID, timeStamp: r.TimeStamp, nonceStr: r.NonceStr, pkg: r.Package, signType: r.SignType, paySign: r.PaySign, page: r.PageURL,
	}, r.UserID)
	if err != nil {
		p.s.timelineRefusedSheet(r.Package, err)
		return browser.Sheet{}, toPage(err)
	}
	return browser.Sheet{
		Token: sh.prepayID, Merchant: sh.merchant, Description: sh.description, Total: sh.total,
		Nickname: sh.nickname, Balance: sh.balance,
	}, nil
}

func (p phone) Act(_ context.Context, a browser.Act) error {
	err := p.s.actOnSheet(a.Token, a.UserID, a.Outcome)
	// A payer who cancels closes the sheet, whatever became of the order.
	var refused *payRefusal
	if a.Outcome == outcomeCancel && errors.As(err, &refused) {
		return nil
	}
	return toPage(err)
}

// toPage gives a page WeChat's words without the advice.
func toPage(err error) error {
	var refused *payRefusal
	if errors.As(err, &refused) {
		return &browser.Refusal{Desc: refused.text}
	}
	return err
}
