package sim

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// The kinds of forged notification. A shop must refuse the first group, and
// record the second for a person to look at, without any other effect;
// replayed must have no second effect.
const (
	forgeUnsigned     = "unsigned"
	forgeWrongKey     = "wrong_key"
	forgeXXE          = "xxe"
	forgeTruncated    = "truncated"
	forgeWrongAmount  = "wrong_amount"
	forgeWrongAppID   = "wrong_appid"
	forgeWrongMchID   = "wrong_mchid"
	forgeUnknownOrder = "unknown_order"
	forgeReplayed     = "replayed"

	// Of API v3 only, all to be refused.
	forgeStale       = "stale"        // signed ten minutes ago
	forgeWrongSerial = "wrong_serial" // by a key that nobody knows
	forgeShortNonce  = "short_nonce"  // which libraries of AES-GCM panic on
	forgeSignTest    = "signtest"     // WeChat's own probe
)

func forgeKinds() []string {
	return []string{forgeUnsigned, forgeWrongKey, forgeWrongAmount, forgeWrongAppID, forgeWrongMchID, forgeUnknownOrder, forgeReplayed, forgeXXE, forgeTruncated}
}

// forgeKindsV3 are about what only API v3 has.
func forgeKindsV3() []string {
	return []string{forgeStale, forgeWrongSerial, forgeShortNonce, forgeSignTest}
}

// forgeKindsOf are those of an API.
func forgeKindsOf(api string) []string {
	if api == apiV3 {
		return slices.Concat(forgeKinds(), forgeKindsV3())
	}
	return forgeKinds()
}

// forgedJSON is what the shop said to a forged notification.
type forgedJSON struct {
	Status       int    `json:"status"` // 0: no answer
	Body         string `json:"body"`
	Acknowledged bool   `json:"acknowledged"`
}

// forge sends the shop a bad notification about an order, once, and tells
// what it answered. Nothing changes here.
func (s *Sim) forge(ctx context.Context, no, kind string) (forgedJSON, error) {
	return s.forgeAbout(ctx, no, "", kind)
}

// forgeAbout forges the notification of a refund, or with no refund's number
// that of the payment.
func (s *Sim) forgeAbout(ctx context.Context, no, refundNo, kind string) (forgedJSON, error) {
	if all := forgeKindsOf(apiV3); !slices.Contains(all, kind) {
		return forgedJSON{}, badRequest("unknown kind %q; choose %s", kind, strings.Join(all, ", "))
	}
	msg, url, err := s.forgedMessage(no, refundNo, kind)
	if err != nil {
		return forgedJSON{}, err
	}
	got := s.post(context.WithoutCancel(ctx), url, msg)
	a := got.attempt(msg)
	forged := notification{Refund: refundNo}
	s.timelineForged(forged.word(), no, kind, url, a)
	s.log.Info("forged notification sent", "order", no, "kind", kind, "status", a.Status, "ok", a.OK)
	return forgedJSON{Status: a.Status, Body: a.ResponseBody, Acknowledged: a.OK}, nil
}

// forgedMessage writes the message. For an order that is not paid it claims a
// payment that never was.
func (s *Sim) forgedMessage(no, refundNo, kind string) (message, string, error) {
	r := s.draw("forged " + kind)
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.ledger.orders[no]
	if o == nil {
		return message{}, "", noTransaction(no)
	}
	if refundNo != "" {
		return s.forgedRefund(o, refundNo, kind, r)
	}
	if o.NotifyURL == "" {
		return message{}, "", conflict("transaction %s was taken at a cash desk, which gets no notifications", no)
	}
	p := s.claimedPayment(o)
	if o.API == apiV3 {
		m, err := s.forgedV3(paymentEvent(o, p), lastSent(o, ""), kind, r)
		return m, o.NotifyURL, err
	}
	if slices.Contains(forgeKindsV3(), kind) {
		return message{}, "", onlyV3(kind)
	}
	if kind == forgeReplayed {
		last := lastSent(o, "")
		if last == nil {
			return message{}, "", conflict("nothing was sent about %s yet that could be replayed; pay it and wait for its notification", no)
		}
		return newMessage([]byte(last.RequestBody), r), o.NotifyURL, nil
	}
	fields := paymentFields(o, p)
	fields["nonce_str"] = pick(r, alphanum, 32)
	key := s.ids.view().APIKey
	switch kind {
	case forgeWrongAmount:
		wrong := strconv.FormatInt(o.Total+1, 10)
		fields["total_fee"], fields["cash_fee"] = wrong, wrong
	case forgeWrongAppID:
		fields["appid"] = "wxf00000000000beef"
	case forgeWrongMchID:
		fields["mch_id"] = "1900009999"
	case forgeUnknownOrder:
		fields["out_trade_no"] = "X" + pick(r, digits, 20)
	case forgeWrongKey:
		key = pick(r, alphanum, 32)
	}
	body := shuffled(fields, key, o.SignType, r)
	return newMessage(broken(body, kind), r), o.NotifyURL, nil
}

// claimedPayment is the payment of an order, or for one that is not paid one
// that never was. s.mu is held.
func (s *Sim) claimedPayment(o *order) *payment {
	if o.payment != nil {
		return o.payment
	}
	now, openID := s.clock.Now(), o.OpenID
	if openID == "" {
		openID = s.ledger.users[0].openIDFor(o.AppID)
	}
	return &payment{TransactionID: s.newTransactionID(now), OpenID: openID, SubOpenID: o.SubOpenID, BankType: "OTHERS", At: now}
}

func onlyV3(kind string) error {
	return notYet("%s is about headers of API v3, and this was asked for by v2, which has %s", kind, strings.Join(forgeKinds(), ", "))
}

// broken damages a well-signed document.
func broken(body []byte, kind string) []byte {
	text := string(body)
	switch kind {
	case forgeUnsigned:
		before, rest, _ := strings.Cut(text, "<sign>")
		_, after, _ := strings.Cut(rest, "</sign>\n")
		return []byte(before + after)
	case forgeXXE:
		return []byte(`<!DOCTYPE xml [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + "\n" +
			strings.Replace(text, "</xml>", "<extra>&x;</extra>\n</xml>", 1))
	case forgeTruncated:
		return body[:len(body)-len("</xml>")-1]
	}
	return body
}

// lastSent is the latest genuine notification that went out about an order, or
// about one of its refunds; nil: none did.
func lastSent(o *order, refundNo string) (last *attempt) {
	for _, n := range o.notes {
		if n.Refund != refundNo {
			continue
		}
		for i := range n.attempts {
			if n.attempts[i].Why != errDroppedByFault.Error() {
				last = &n.attempts[i]
			}
		}
	}
	return last
}
