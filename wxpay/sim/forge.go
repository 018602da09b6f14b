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
)

func forgeKinds() []string {
	return []string{forgeUnsigned, forgeWrongKey, forgeWrongAmount, forgeWrongAppID, forgeWrongMchID, forgeUnknownOrder, forgeReplayed, forgeXXE, forgeTruncated}
}

// forgeKindsV3 are about what only API v3 has.
func forgeKindsV3() []string { return []string{"stale", "wrong_serial", "short_nonce"} }

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
	switch {
	case slices.Contains(forgeKindsV3(), kind):
		return forgedJSON{}, notYet("%s is about headers of API v3, which is not there yet; v2 has %s", kind, strings.Join(forgeKinds(), ", "))
	case !slices.Contains(forgeKinds(), kind):
		return forgedJSON{}, badRequest("unknown kind %q; choose %s", kind, strings.Join(forgeKinds(), ", "))
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
	if kind == forgeReplayed {
		last := lastSent(o, "")
		if last == "" {
			return message{}, "", conflict("nothing was sent about %s yet that could be replayed; pay it and wait for its notification", no)
		}
		return newMessage([]byte(last), r), o.NotifyURL, nil
	}
	p := o.payment
	if p == nil {
		now := s.clock.Now()
		openID := o.OpenID
		if openID == "" {
			openID = s.ledger.users[0].openIDFor(o.AppID)
		}
		p = &payment{TransactionID: s.newTransactionID(now), OpenID: openID, BankType: "OTHERS", At: now}
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
// about one of its refunds.
func lastSent(o *order, refundNo string) string {
	last := ""
	for _, n := range o.notes {
		if n.Refund != refundNo {
			continue
		}
		for _, a := range n.attempts {
			if a.Why != errDroppedByFault.Error() {
				last = a.RequestBody
			}
		}
	}
	return last
}
