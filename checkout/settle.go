package checkout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"wxshop/models"
	"wxshop/wxpay"
)

// notifying bounds a notification: WeChat waits five seconds in all (P27).
const notifying = 3500 * time.Millisecond

// errRefused marks what must not be believed, as against what could not be
// stored.
var errRefused = errors.New("refused")

// Notify takes a payment notification in: verify, settle, and only after the
// commit acknowledge. What does not verify and what could not be stored is
// rejected, so that WeChat sends it again; what verifies but does not fit is
// stored for a person and acknowledged.
func (s *Service) Notify(ctx context.Context, v wxpay.Version, h http.Header, body []byte) wxpay.Reply {
	return s.notified(ctx, v, func(ctx context.Context, g wxpay.Gateway) error {
		t, err := g.ParseNotify(h, body)
		if err != nil {
			return fmt.Errorf("%w: %w", errRefused, err)
		}
		msg := models.Message{
			OutTradeNo: t.OutTradeNo, At: models.At(s.now()), Op: "notify", Direction: "in", Request: rawText(t.Raw()),
		}
		out, err := s.Settle(ctx, t, "notify", []models.Message{msg})
		if errors.Is(err, errCrossed) {
			out, err = s.crossed(ctx, t, msg)
		}
		if errors.Is(err, wxpay.ErrSignature) {
			return fmt.Errorf("%w: %w", errRefused, err)
		}
		if err == nil {
			s.count("notify." + string(out))
		}
		return err
	})
}

// notified answers a notification: the acknowledgement is written in this one
// place, once take has come back without an error (security P26).
func (s *Service) notified(ctx context.Context, v wxpay.Version, take func(context.Context, wxpay.Gateway) error) wxpay.Reply {
	g, ok := s.gates[v]
	if !ok {
		return wxpay.Reply{Status: http.StatusNotFound}
	}
	left := notifying
	if end, ok := ctx.Deadline(); ok { // the body took its share
		left = min(left, time.Until(end))
	}
	ctx, cancel := outlive(ctx, left)
	defer cancel()
	switch err := take(ctx, g); {
	case errors.Is(err, errRefused):
		s.count("notify.badsig")
		s.log.Warn("notify refused", "op", "notify", "err", err)
		return g.Reject("签名失败")
	case err != nil:
		s.count("notify.error")
		s.log.Error("notify not stored", "op", "notify", "err", err)
		return g.Reject("处理失败")
	}
	return g.Accept()
}

// errCrossed says that WeChat's word came by another version of the API than
// the payment was made with.
var errCrossed = errors.New("by another version of the API than it was made with")

// crossed deals with a notification that verifies, but in the other version's
// form. WeChat tells of an order in the form of the API that placed it, so this
// is either a change there that nobody told us of, or somebody who has one of
// the two keys and not the other: a merchant who left v2 because its key was
// known must not be paid by that key. So it counts as a hint: the payment's own
// version is asked, and only its answer settles. Without a clear one WeChat is
// to send it again.
func (s *Service) crossed(ctx context.Context, t wxpay.Transaction, msg models.Message) (models.Outcome, error) {
	s.count("notify.crossed")
	s.log.Warn("notification by another version of the API; WeChat is asked", "op", "notify", "txn", t.TransactionID)
	p, err := s.store.Payment(ctx, t.OutTradeNo)
	if err != nil {
		return "", err
	}
	if err := s.store.RecordMessages(ctx, []models.Message{msg}); err != nil {
		return "", err
	}
	if p.TransactionID != nil && *p.TransactionID == t.TransactionID {
		return models.OutcomeRepeated, nil
	}
	switch found, err := s.sync(ctx, p, "query"); {
	case err != nil:
		return "", err
	case found == FoundPaid:
		return models.OutcomePaid, nil
	case found == FoundMisfit:
		return models.OutcomeMisfit, nil
	}
	return "", fmt.Errorf("%w: %s is not paid, says %s", errRefused, t.OutTradeNo, p.API)
}

// Settle is the only way to "paid". It takes WeChat's verified word about one
// payment, compares it with our own row (amount, currency, app, merchant,
// channel, payer: WeChat Pay v2, payment notification) and applies it. Calling
// it again, at once or later, changes nothing more. What does not fit becomes
// a row of payments to check, never a paid order.
func (s *Service) Settle(ctx context.Context, t wxpay.Transaction, actor string, msgs []models.Message) (models.Outcome, error) {
	if !t.State.Paid() {
		return "", fmt.Errorf("settle %s: %s is not paid", t.OutTradeNo, t.State)
	}
	p, err := s.store.Payment(ctx, t.OutTradeNo)
	if errors.Is(err, models.ErrNotFound) {
		return s.misfit(ctx, t, nil, difference{"unknown", t.OutTradeNo, "one of our numbers"}, msgs)
	}
	if err != nil {
		return "", err
	}
	if string(t.Version) != p.API {
		return "", fmt.Errorf("settle %s: %s: %w", t.OutTradeNo, t.Version, errCrossed)
	}
	// A weaker algorithm than the order was placed with is a forgery (P3).
	if t.Version == wxpay.V2 && t.SignType != wxpay.SignType(p.SignType) {
		return "", fmt.Errorf("settle %s: signed with %s: %w", t.OutTradeNo, t.SignType, wxpay.ErrSignature)
	}
	if d := compare(t, p); d.reason != "" {
		return s.misfit(ctx, t, p, d, msgs)
	}
	// We refund only what we know to be paid. Money that went back before we
	// heard of it was given back by somebody else, and hands no goods over.
	if t.State == wxpay.Refunded && p.TransactionID == nil && p.State != models.PayReversing {
		return s.misfit(ctx, t, p, difference{"refunded", string(t.State), "paid, and nothing given back"}, msgs)
	}
	out, o, err := s.store.ApplyPaid(ctx, models.PaidFact{
		OutTradeNo: t.OutTradeNo, TransactionID: t.TransactionID, PaidAt: t.PaidAt, OpenID: t.OpenID,
		Cash: models.Fen(t.Cash), BankType: t.BankType, Actor: actor, Msgs: msgs,
	})
	if err != nil {
		return "", fmt.Errorf("settle %s: %w", t.OutTradeNo, err)
	}
	s.settled(out, o, t, actor)
	return out, nil
}

// settled tells the log and the metrics; every line about money has its
// order and its transaction.
func (s *Service) settled(out models.Outcome, o *models.Order, t wxpay.Transaction, actor string) {
	s.count("settle." + string(out))
	log := s.log.With("order", o.No, "txn", t.TransactionID, "fen", t.Total, "cause", actor)
	switch out {
	case models.OutcomePaid:
		log.Info("order paid")
	case models.OutcomeRevived:
		log.Warn("order revived by a late payment")
	case models.OutcomeRepeated:
		log.Debug("payment known already")
	case models.OutcomeLate, models.OutcomeDouble:
		log.Warn("payment has to be refunded", "to", string(out))
	case models.OutcomeReversing:
		log.Info("payment is being taken back")
	case models.OutcomeMisfit:
		s.count("misfit.second")
		log.Error("one attempt has two transactions; see payments to check")
	}
}

// difference is the first thing in which WeChat's word and our row disagree.
type difference struct{ reason, got, want string }

// compare checks everything that a payer or a neighbour with a valid payment
// of their own could get wrong (P6, P7). cash_fee is not compared: coupons
// make it smaller, rightly.
func compare(t wxpay.Transaction, p *models.Payment) difference {
	switch {
	case t.Total != int64(p.Total):
		got := strconv.FormatInt(t.Total, 10)
		if t.Total < 0 {
			got = t.Raw()[map[wxpay.Version]string{wxpay.V2: "total_fee", wxpay.V3: "amount.total"}[t.Version]]
		}
		return difference{"amount", got, strconv.FormatInt(int64(p.Total), 10)}
	case t.Currency != p.Currency:
		return difference{"currency", t.Currency, p.Currency}
	case t.AppID != p.AppID:
		return difference{"appid", t.AppID, p.AppID}
	case t.MchID != p.MchID:
		return difference{"mchid", t.MchID, p.MchID}
	case string(t.TradeType) != p.Channel:
		return difference{"trade_type", string(t.TradeType), p.Channel}
	case t.TradeType == wxpay.JSAPI && t.OpenID != p.OpenID:
		return difference{"openid", tail(t.OpenID), tail(p.OpenID)}
	case t.TransactionID == "":
		return difference{"transaction", "", "a transaction id"}
	}
	return difference{}
}

func (s *Service) misfit(ctx context.Context, t wxpay.Transaction, p *models.Payment, d difference, msgs []models.Message) (models.Outcome, error) {
	m := models.Misfit{
		TransactionID: t.TransactionID, Reason: d.reason, OutTradeNo: t.OutTradeNo, Got: d.got, Want: d.want,
		Total: models.Fen(t.Total), Raw: rawText(t.Raw()),
	}
	if p != nil {
		m.OrderID = p.OrderID
	}
	fresh, err := s.store.RecordMisfit(ctx, m, msgs)
	if err != nil {
		return "", fmt.Errorf("keep misfit %s: %w", t.OutTradeNo, err)
	}
	if fresh {
		s.count("misfit." + d.reason)
		s.log.Error("payment does not fit; see payments to check",
			"txn", t.TransactionID, "op", "settle", "fen", t.Total, "cause", d.reason)
	}
	return models.OutcomeMisfit, nil
}

func tail(openid string) string {
	if len(openid) <= 4 {
		return openid
	}
	return "…" + openid[len(openid)-4:]
}

func rawText(raw map[string]string) string {
	b, err := json.Marshal(raw) // a map of strings always marshals, keys sorted
	if err != nil {
		return ""
	}
	return string(b)
}
