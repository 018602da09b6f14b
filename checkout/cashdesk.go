package checkout

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"wxshop/models"
	"wxshop/wxpay"
)

// The cash desk takes money from somebody who stands in front of it. There is
// no notification: the answer comes at once, by query, or not at all; and an
// attempt without an answer is taken back, so that nobody leaves with goods or
// without money unnoticed (WeChat Pay v2, payment code).
const (
	saleLife    = 10 * time.Minute // an unpaid sale is closed then, if all else failed
	askAfter    = 5 * time.Second  // of no answer
	askEvery    = 10 * time.Second // while the payer types the password
	reverseFrom = 45 * time.Second // WeChat gives up itself then
	codeLife    = 90 * time.Second // no charge that is still on its way is taken after that: a code lives one minute
)

// paymentCode is what a payer's screen shows: 18 digits, 10 to 15 first.
var paymentCode = regexp.MustCompile(`^1[0-5][0-9]{16}$`)

// ErrNoPaymentCode says that what was scanned is not a payment code.
var ErrNoPaymentCode = errors.New("not a payment code of WeChat: 18 digits that begin with 10 to 15")

// ErrNoCashDesk says that there is no API with payment codes and face codes:
// v3 has neither for ordinary merchants, so the desk goes by v2 whatever the
// shop's new payments go by.
var ErrNoCashDesk = errors.New("the cash desk needs v2: fill in pay.api_key")

// HasCashDesk reports whether Sell can charge anybody.
func (s *Service) HasCashDesk() bool {
	_, ok := s.gates[wxpay.V2].(wxpay.CashDesk)
	return ok
}

// SaleRequest is one scan at the cash desk.
type SaleRequest struct {
	StaffID  int64
	Token    string // of the form: a scanner that fires twice charges once
	Amount   models.Fen
	Code     string // the payment code; or the face code, with OpenID
	OpenID   string // of the payer, for a face code only
	Face     bool
	ClientIP string
}

// Sell charges a payment code or a face code. The sale stands whatever comes:
// paid, failed, or open, and then Attend and the loop see to its end.
func (s *Service) Sell(ctx context.Context, q SaleRequest) (*models.Order, error) {
	desk, ok := s.gates[wxpay.V2].(wxpay.CashDesk)
	if !ok {
		return nil, ErrNoCashDesk
	}
	if !q.Face && !paymentCode.MatchString(q.Code) || q.Face && q.Code == "" {
		return nil, ErrNoPaymentCode
	}
	ctx, cancel := outlive(ctx, placing)
	defer cancel()
	o, p, repeated, err := s.store.CreateSale(ctx, s.sale(q))
	if err != nil || repeated {
		return o, err
	}
	s.count("sale.made")
	call, trail := withTrail(ctx)
	w := asWeChatOrder(p)
	w.NotifyURL = ""
	var t wxpay.Transaction
	if q.Face {
		t, err = desk.Facepay(call, w, q.Code)
	} else {
		t, err = desk.Micropay(call, w, q.Code)
	}
	return o, s.sold(ctx, p, t, err, trail.take())
}

// sale freezes what is charged. The code itself is not kept: it is good once
// and for a minute, and is never sent again.
func (s *Service) sale(q SaleRequest) models.NewSale {
	n := models.NewPayment{
		API: string(wxpay.V2), Channel: string(wxpay.Micropay), SignType: string(s.cfg.SignType), AppID: s.cfg.AppID,
		MchID: s.cfg.MchID, Currency: "CNY", ClientIP: q.ClientIP, QueryAfter: askAfter, Describe: s.describe,
	}
	tail := q.Code
	if q.Face {
		n.Channel, n.OpenID, tail = string(wxpay.Facepay), q.OpenID, ""
		n.SignType = string(wxpay.HMACSHA256) // the only one that facepay takes
	}
	return models.NewSale{
		StaffID: q.StaffID, Token: q.Token, Amount: q.Amount, Title: "到店付款", CodeTail: tail[max(0, len(tail)-4):],
		Expire: saleLife, Payment: n,
	}
}

// sold applies the answer to a charge.
func (s *Service) sold(ctx context.Context, p *models.Payment, t wxpay.Transaction, err error, msgs []models.Message) error {
	switch {
	case err == nil:
		_, err := s.Settle(ctx, t, "query", msgs)
		return err
	case errors.Is(err, wxpay.ErrUserPaying):
		return s.store.Postpone(ctx, p.ID, s.now().Add(askEvery), "", msgs)
	case wxpay.IsUnknown(err), errors.Is(err, wxpay.ErrAlreadyPaid), errors.Is(err, wxpay.ErrNumberUsed),
		errors.Is(err, wxpay.ErrClosed), errors.Is(err, wxpay.ErrReversed):
		// WeChat knows the number: only a query tells what became of it.
		s.log.Warn("charge not answered", "op", "micropay", "err", err)
		return s.store.Postpone(ctx, p.ID, s.now().Add(askAfter), err.Error(), msgs)
	}
	s.count("sale.refused")
	if end := s.store.EndPayment(ctx, p.ID, models.PayFailed, "query", err.Error(), msgs); end != nil {
		return end
	}
	return s.store.CloseOrder(ctx, p.OrderID, models.ByMerchant, "system", "")
}

// Attend looks after one open sale: ask, and when 45 s have passed take it
// back. The cash desk's page calls it while it waits, the loop otherwise.
func (s *Service) Attend(ctx context.Context, no string) error {
	ctx, cancel := outlive(ctx, 2*asking)
	defer cancel()
	o, err := s.store.AnyOrder(ctx, no)
	if err != nil {
		return err
	}
	p, err := s.store.LivePayment(ctx, o.ID)
	switch {
	case errors.Is(err, models.ErrNotFound) && o.State == models.Unpaid: // killed between the two ends
		return s.closeSale(ctx, o)
	case errors.Is(err, models.ErrNotFound), err == nil && s.now().Before(p.NextQueryAt.Time):
		return nil
	case err != nil:
		return err
	}
	return s.attend(ctx, o, p)
}

func (s *Service) attend(ctx context.Context, o *models.Order, p *models.Payment) error {
	if p.State == models.PayReversing {
		return s.reverse(ctx, o, p)
	}
	found, err := s.sync(ctx, p, "query")
	switch {
	case err == nil && found == FoundPaid:
		return nil
	case err == nil && (found == FoundDead || found == FoundMisfit):
		return s.closeSale(ctx, o)
	case s.now().Sub(p.CreatedAt.Time) < reverseFrom:
		return err
	}
	switch err := s.store.Reversing(ctx, p.ID, "system", "no answer in 45 s"); {
	case errors.Is(err, models.ErrStale): // it ended while we asked
		return nil
	case err != nil:
		return err
	}
	return s.reverse(ctx, o, p)
}

// Reverse takes an open sale back at once, for a person who presses the
// button. One that turned out to be paid: models.ErrBadMove.
func (s *Service) Reverse(ctx context.Context, no, actor string) error {
	ctx, cancel := outlive(ctx, 2*asking)
	defer cancel()
	o, err := s.store.AnyOrder(ctx, no)
	if err != nil {
		return err
	}
	p, err := s.store.LivePayment(ctx, o.ID)
	if errors.Is(err, models.ErrNotFound) {
		return fmt.Errorf("reverse %s: it has ended: %w", no, models.ErrBadMove)
	}
	if err != nil {
		return err
	}
	switch err := s.store.Reversing(ctx, p.ID, actor, ""); {
	case errors.Is(err, models.ErrStale):
		return fmt.Errorf("reverse %s: it has ended: %w", no, models.ErrBadMove)
	case err != nil:
		return err
	}
	return s.reverse(ctx, o, p)
}

// reverse asks WeChat to take an attempt back until it says that it need not
// be asked again; only then is the sale over here.
func (s *Service) reverse(ctx context.Context, o *models.Order, p *models.Payment) error {
	g, err := s.gateway(p)
	if err != nil { // sync puts it off, and gives it up in the end
		found, err := s.sync(ctx, p, "query")
		if err == nil && found == FoundDead {
			return s.closeSale(ctx, o)
		}
		return err
	}
	desk, ok := g.(wxpay.CashDesk)
	if !ok {
		return ErrNoCashDesk
	}
	call, trail := withTrail(ctx)
	again, err := desk.Reverse(call, ref(p))
	msgs := trail.take()
	if err == nil && again { // it stays visible as being taken back; the loop goes on
		return s.store.Postpone(ctx, p.ID, s.now().Add(askAfter), "WeChat wants to be asked again", msgs)
	}
	missing := errors.Is(err, wxpay.ErrNoSuchOrder)
	if err != nil && !missing {
		return s.notReversed(ctx, o, p, err, msgs)
	}
	if missing && s.now().Sub(p.CreatedAt.Time) < codeLife { // the charge may still be on its way
		return s.store.Postpone(ctx, p.ID, s.now().Add(askAfter), "WeChat does not know it yet", msgs)
	}
	paid, err := s.store.Reversed(ctx, p.ID, msgs)
	if err != nil {
		return err
	}
	if paid { // told so between our two words: the goods may be gone
		s.count("misfit.reversed")
		s.log.Error("a sale was reversed at WeChat after it was paid here; see payments to check", "order", o.No)
		return nil
	}
	s.count("sale.reversed")
	s.log.Info("sale taken back", "order", o.No)
	return s.closeSale(ctx, o)
}

// notReversed keeps an attempt that could not be taken back. Without an answer
// it stays so, whatever it is by now: the reversal may still be on its way, and
// what it finds paid it gives back. A refusal means that it was paid for good
// or has ended; then it is asked about like any other.
func (s *Service) notReversed(ctx context.Context, o *models.Order, p *models.Payment, cause error, msgs []models.Message) error {
	keep := s.store.Postpone(ctx, p.ID, s.now().Add(askAfter), cause.Error(), msgs)
	again := wxpay.Retryable(cause) && !errors.Is(cause, wxpay.ErrNoCertificate)
	cause = errors.Join(fmt.Errorf("reverse %s: %w", p.OutTradeNo, cause), keep)
	if again {
		return cause
	}
	if err := s.store.NotReversed(ctx, p.ID, "WeChat does not take it back"); err != nil {
		return errors.Join(cause, err)
	}
	switch found, err := s.sync(ctx, p, "query"); {
	case err != nil:
		return errors.Join(cause, err)
	case found == FoundPaid:
		return nil
	case found == FoundDead, found == FoundMisfit:
		return s.closeSale(ctx, o)
	}
	return cause
}

// closeSale ends the order of a sale whose attempt is dead.
func (s *Service) closeSale(ctx context.Context, o *models.Order) error {
	err := s.store.CloseOrder(ctx, o.ID, models.ByMerchant, "system", "")
	if errors.Is(err, models.ErrStale) {
		return nil
	}
	return err
}
