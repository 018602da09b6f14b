package sim

import (
	"math/rand/v2"
	"slices"
	"strconv"
)

// forgedRefund writes a bad notification of a refund; one that is still
// running is claimed to have succeeded. A notification of a refund has no
// signature: "unsigned" lacks what is sealed, "wrong_key" was sealed by
// somebody else. s.mu is held.
func (s *Sim) forgedRefund(o *order, refundNo, kind string, r *rand.Rand) (message, string, error) {
	f := s.ledger.refunds[refundNo]
	switch {
	case f == nil || f.order != o:
		return message{}, "", notFound("transaction %s has no refund %q", o.No, refundNo)
	case f.NotifyURL == "":
		return message{}, "", conflict("refund %s was asked for without notify_url", refundNo)
	}
	claim := *f
	if claim.State == refundProcessing {
		claim.State, claim.Success = refundSuccess, s.clock.Now()
	}
	last := lastSent(o, refundNo)
	if f.API == apiV3 {
		m, err := s.forgedV3(refundEvent(&claim), last, kind, r)
		return m, f.NotifyURL, err
	}
	if slices.Contains(forgeKindsV3(), kind) {
		return message{}, "", onlyV3(kind)
	}
	if kind == forgeReplayed {
		if last == nil {
			return message{}, "", conflict("nothing was sent about refund %s yet that could be replayed", refundNo)
		}
		return newMessage([]byte(last.RequestBody), r), f.NotifyURL, nil
	}
	outer, inner := refundMessage(&claim)
	key := s.ids.view().APIKey
	switch kind {
	case forgeWrongAmount:
		wrong := strconv.FormatInt(f.Amount+1, 10)
		inner["refund_fee"], inner["settlement_refund_fee"] = wrong, wrong
	case forgeWrongAppID:
		outer["appid"] = "wxf00000000000beef"
	case forgeWrongMchID:
		outer["mch_id"] = "1900009999"
	case forgeUnknownOrder:
		inner["out_trade_no"], inner["out_refund_no"] = "X"+pick(r, digits, 20), "X"+pick(r, digits, 20)
	case forgeWrongKey:
		key = pick(r, alphanum, 32)
	}
	if kind == forgeUnsigned {
		outer["nonce_str"] = pick(r, alphanum, 32)
		list := []field{}
		for name, value := range outer {
			list = append(list, field{name, value})
		}
		return newMessage(writeXML(list, nil), r), f.NotifyURL, nil
	}
	m, err := s.sealedMessageWith(outer, inner, key)
	m.body = broken(m.body, kind)
	return m, f.NotifyURL, err
}
