package checkout

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"wxshop/models"
	"wxshop/wxpay"
)

// placing bounds everything that one submitted form or one tap on Pay may
// take: two tries at WeChat and two commits.
const placing = 15 * time.Second

// PlaceRequest is one submitted checkout. Prices are not in it: the database
// has them. Expected only serves to refuse when the shopper saw another total.
type PlaceRequest struct {
	User      *models.User
	FormToken string
	Lines     []models.Line // empty: the cart
	Receiver  models.Receiver
	Note      string
	Expected  models.Fen
	Channel   wxpay.TradeType // empty: no attempt yet
	Source    models.Source   // where the shopper ordered
	ClientIP  string
}

// Placed is the order of a form; Repeated when the form had been sent before.
type Placed struct {
	Order    *models.Order
	Repeated bool
}

// Place turns a form into an order and asks WeChat for a prepay id. The order
// stands even when WeChat does not answer: the pay page goes on from there.
// Refusals: *models.StockError, *models.PriceError, models.ErrEmptyCart and
// *models.InputError; nothing is written then.
func (s *Service) Place(ctx context.Context, r PlaceRequest) (Placed, error) {
	ctx, cancel := outlive(ctx, placing)
	defer cancel()
	n := models.NewOrder{
		UserID: r.User.ID, FormToken: r.FormToken, Lines: r.Lines, Receiver: r.Receiver, Note: r.Note,
		Expected: r.Expected, DeliveryFee: s.cfg.DeliveryFee, FreeFrom: s.cfg.FreeFrom, Expire: s.cfg.Expire,
		Source: r.Source,
	}
	if r.Channel != "" && (r.Channel != wxpay.JSAPI || !r.User.Guest()) {
		p := s.newPayment(r.User, r.Channel, r.ClientIP)
		n.Payment = &p
	}
	o, p, repeated, err := s.store.CreateOrder(ctx, n)
	if err != nil {
		return Placed{}, err
	}
	if repeated {
		return Placed{o, true}, nil
	}
	s.count("order.placed")
	s.log.Info("order placed", "order", o.No, "user", o.UserID, "fen", int64(o.Total))
	if p != nil {
		if err := s.prepay(ctx, o, p); err != nil {
			s.log.Warn("prepay not got yet", "order", o.No, "op", "prepay", "err", err)
		}
	}
	return Placed{o, false}, nil
}

// newPayment freezes who pays whom, how; the Store adds number, total, times.
func (s *Service) newPayment(u *models.User, ch wxpay.TradeType, ip string) models.NewPayment {
	n := models.NewPayment{
		API: string(s.cfg.API), Channel: string(ch), SignType: s.signType(s.cfg.API),
		AppID: s.cfg.AppID, MchID: s.cfg.MchID, Currency: "CNY", ClientIP: ip,
		NotifyURL:  s.cfg.NotifyBase + "/notify/" + string(s.cfg.API) + "/pay",
		QueryAfter: s.cfg.ChaseAfter, Describe: s.describe,
	}
	// Only in JSAPI does WeChat want to know who pays: by the openid under the
	// app that signed the user in, which may be the mini program.
	if ch == wxpay.JSAPI && u.OpenID != nil {
		n.OpenID = *u.OpenID
		if u.AppID != nil {
			n.AppID = *u.AppID
		}
	}
	return n
}

// signType is what a payment of v agrees on with WeChat; v3 has one algorithm
// and nothing to agree on.
func (s *Service) signType(v wxpay.Version) string {
	if v == wxpay.V2 {
		return string(s.cfg.SignType)
	}
	return ""
}

// describe is the line on the payer's bill: "shop-first item 等 3 件".
func (s *Service) describe(o *models.Order) string {
	if len(o.Items) == 0 {
		return s.cfg.ShopName
	}
	var n int64
	for _, i := range o.Items {
		n += i.Qty
	}
	name := o.Items[0].NameZH
	if utf8.RuneCountInString(name) > 16 {
		name = string([]rune(name)[:16])
	}
	if n > 1 {
		name = fmt.Sprintf("%s 等 %d 件", name, n)
	}
	return s.cfg.ShopName + "-" + name
}

// Pay readies an order to be paid through a channel: it reuses the open
// attempt, or closes one that no longer fits at WeChat and makes another.
// models.ErrBadMove: the order is not unpaid (any more); models.ErrExpired:
// its deadline passed; wxpay.IsUnknown: WeChat has not answered, try again,
// with the same number.
func (s *Service) Pay(ctx context.Context, u *models.User, no string, ch wxpay.TradeType, ip string) error {
	ctx, cancel := outlive(ctx, placing)
	defer cancel()
	o, err := s.store.Order(ctx, u.ID, no)
	if err != nil {
		return err
	}
	n := s.newPayment(u, ch, ip)
	p, err := s.store.OpenPayment(ctx, o.ID, n)
	if errors.Is(err, models.ErrLive) {
		if err = s.endAttempt(ctx, p, "shopper"); err != nil {
			return err
		}
		p, err = s.store.OpenPayment(ctx, o.ID, n)
	}
	if err != nil {
		return err
	}
	return s.prepay(ctx, o, p)
}

// prepaySlack is how much life a prepay id must have left to be handed out;
// WeChat gives each two hours.
const (
	prepayLife  = 2 * time.Hour
	prepaySlack = 10 * time.Minute
	h5Life      = 5 * time.Minute // of an H5 link
	h5Slack     = time.Minute
)

// prepay places the frozen attempt at WeChat, again if need be: the same
// number and the same contents are the same order there.
func (s *Service) prepay(ctx context.Context, o *models.Order, p *models.Payment) error {
	if s.ready(p) {
		return nil
	}
	g, err := s.gateway(p)
	if err != nil {
		return err
	}
	call, trail := withTrail(ctx)
	got, err := g.Prepay(call, asWeChatOrder(p))
	if err != nil {
		return s.prepayRefused(ctx, o, p, err, trail.take())
	}
	err = s.store.MarkPrepaid(ctx, p.ID, models.Prepay{
		ID: got.PrepayID, Until: s.now().Add(prepayLife), CodeURL: got.CodeURL, H5URL: got.H5URL, H5Until: s.now().Add(h5Life),
	}, trail.take())
	if err != nil {
		return fmt.Errorf("keep prepay id of %s: %w", o.No, err)
	}
	s.log.Info("prepay got", "order", o.No, "op", "prepay")
	return nil
}

// prepayRefused decides what a failed prepay means. Only a definite refusal of
// an attempt that WeChat cannot know from an earlier, unanswered try is a
// failure; everything else stays open under the same number.
func (s *Service) prepayRefused(ctx context.Context, o *models.Order, p *models.Payment, cause error, msgs []models.Message) error {
	s.count("prepay.error")
	switch {
	case errors.Is(cause, wxpay.ErrAlreadyPaid), errors.Is(cause, wxpay.ErrClosed), errors.Is(cause, wxpay.ErrNumberUsed):
		if err := s.store.RecordMessages(ctx, msgs); err != nil {
			return err
		}
		if err := s.endAttempt(ctx, p, "query"); err != nil {
			return err
		}
		return fmt.Errorf("prepay %s: %w", o.No, cause)
	case wxpay.IsUnknown(cause), p.State != models.PayCreated, p.LastError != "":
		err := s.store.Postpone(ctx, p.ID, s.now().Add(s.cfg.ChaseAfter), cause.Error(), msgs)
		return errors.Join(fmt.Errorf("prepay %s: %w", o.No, cause), err)
	default:
		s.log.Error("prepay refused", "order", o.No, "op", "prepay", "err", cause)
		err := s.store.EndPayment(ctx, p.ID, models.PayFailed, "system", cause.Error(), msgs)
		return errors.Join(fmt.Errorf("prepay %s: %w", o.No, cause), err)
	}
}

// asWeChatOrder says the frozen attempt in wxpay's words.
func asWeChatOrder(p *models.Payment) wxpay.Order {
	return wxpay.Order{
		OutTradeNo: p.OutTradeNo, TradeType: wxpay.TradeType(p.Channel), Description: p.Description, AppID: p.AppID,
		Total: int64(p.Total), OpenID: p.OpenID, ClientIP: p.ClientIP, NotifyURL: p.NotifyURL,
		Start: p.StartAt.Time, Expire: p.ExpireAt.Time, SignType: wxpay.SignType(p.SignType),
	}
}

// ready reports whether an attempt can be paid with what WeChat gave us for
// long enough to do so.
func (s *Service) ready(p *models.Payment) bool {
	if p.State != models.PayPrepaid || p.PrepayUntil.Sub(s.now()) <= prepaySlack {
		return false
	}
	return wxpay.TradeType(p.Channel) != wxpay.H5 || p.H5Until.Sub(s.now()) > h5Slack
}

// PayPage is what the pay page shows. Reading it changes nothing.
type PayPage struct {
	Order   *models.Order
	Payment *models.Payment     // nil: no attempt open
	Bridge  *wxpay.BridgeParams // nil: press the button to get one
	CodeURL string              // NATIVE: the text of the QR code
	H5URL   string              // MWEB: where the button leads
	Until   time.Time           // when these three are no longer handed out
	Unsure  bool                // WeChat did not answer; the attempt may exist there
}

// PayPage reads an order of u with the parameters for WeixinJSBridge, if its
// open attempt has a prepay id that lives and is for this payer (P19).
func (s *Service) PayPage(ctx context.Context, u *models.User, no string) (*PayPage, error) {
	o, err := s.store.Order(ctx, u.ID, no)
	if err != nil {
		return nil, err
	}
	page := &PayPage{Order: o}
	p, err := s.store.LivePayment(ctx, o.ID)
	if errors.Is(err, models.ErrNotFound) {
		return page, nil
	}
	if err != nil {
		return nil, err
	}
	page.Payment, page.Unsure = p, p.State == models.PayCreated && p.LastError != ""
	if o.State != models.Unpaid || !s.now().Before(o.ExpiresAt.Time) || !s.ready(p) {
		return page, nil
	}
	page.Until = p.PrepayUntil.Add(-prepaySlack)
	switch wxpay.TradeType(p.Channel) {
	case wxpay.Native:
		page.CodeURL = p.CodeURL
	case wxpay.H5:
		page.H5URL, page.Until = p.H5URL, p.H5Until.Add(-h5Slack)
	case wxpay.JSAPI:
		if u.OpenID != nil && *u.OpenID == p.OpenID {
			page.Bridge, err = s.bridge(p)
		}
	}
	return page, err
}

// bridge signs what the page or the mini program hands to WeChat.
func (s *Service) bridge(p *models.Payment) (*wxpay.BridgeParams, error) {
	g, err := s.gateway(p)
	if err != nil {
		return nil, err
	}
	b, err := g.BridgeFor(p.AppID, p.PrepayID, wxpay.SignType(p.SignType), s.now())
	if err != nil {
		return nil, err
	}
	return &b, nil
}

// AppParams are what the SDK in an app is called with, for an order of u whose
// open attempt is of the app channel.
func (s *Service) AppParams(ctx context.Context, u *models.User, no string) (*wxpay.AppParams, error) {
	page, err := s.PayPage(ctx, u, no)
	if err != nil {
		return nil, err
	}
	p := page.Payment
	if p == nil || !s.ready(p) || wxpay.TradeType(p.Channel) != wxpay.App {
		return nil, fmt.Errorf("app parameters of %s: no open attempt: %w", no, models.ErrBadMove)
	}
	g, err := s.gateway(p)
	if err != nil {
		return nil, err
	}
	x, err := g.App(p.AppID, p.PrepayID, wxpay.SignType(p.SignType), s.now())
	if err != nil {
		return nil, err
	}
	return &x, nil
}
