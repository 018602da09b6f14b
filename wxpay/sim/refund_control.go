package sim

import (
	"net/http"
	"strconv"
)

// refundOutcomes are what a person can make of a refund.
var refundOutcomes = map[string]string{"success": refundSuccess, "fail": refundClosed, "abnormal": refundAbnormal}

// decideRefund ends a refund as somebody wants: a running one in any way, an
// abnormal one by success or failure. What ended well or was closed stays.
func (s *Sim) decideRefund(no, refundNo, outcome string) (transactionJSON, error) {
	state, ok := refundOutcomes[outcome]
	if !ok {
		return transactionJSON{}, badRequest("unknown outcome %q of a refund; choose success, fail, abnormal", outcome)
	}
	s.mu.Lock()
	view, err := s.decideRefundLocked(no, refundNo, state)
	s.mu.Unlock()
	if err != nil {
		return transactionJSON{}, err
	}
	return view, s.journal.sync()
}

func (s *Sim) decideRefundLocked(no, refundNo, state string) (transactionJSON, error) {
	o, r := s.ledger.orders[no], s.ledger.refunds[refundNo]
	if o == nil {
		return transactionJSON{}, noTransaction(no)
	}
	if r == nil || r.order != o {
		return transactionJSON{}, notFound("transaction %s has no refund %q", no, refundNo)
	}
	now := s.clock.Now()
	s.ripen(o, now)
	if r.State != refundProcessing && (r.State != refundAbnormal || state == refundAbnormal) {
		return transactionJSON{}, conflict("refund %s is %s; only one that is PROCESSING or ABNORMAL can be decided", refundNo, r.State)
	}
	if err := s.endRefund(r, state, now); err != nil {
		return transactionJSON{}, err
	}
	return s.transactionView(o), nil
}

// refundByHand is a refund that the merchant makes on the merchant platform.
func (s *Sim) refundByHand(no string, fen int64) (transactionJSON, error) {
	s.mu.Lock()
	view, err := s.refundByHandLocked(no, fen)
	s.mu.Unlock()
	if err != nil {
		return transactionJSON{}, err
	}
	return view, s.journal.sync()
}

func (s *Sim) refundByHandLocked(no string, fen int64) (transactionJSON, error) {
	o := s.ledger.orders[no]
	if o == nil {
		return transactionJSON{}, noTransaction(no)
	}
	s.ripen(o, s.clock.Now())
	switch {
	case o.payment == nil:
		return transactionJSON{}, conflict("transaction %s is not paid", no)
	case fen < 1:
		return transactionJSON{}, badRequest("a refund is at least ¥0.01")
	}
	if err := s.refundable(o, fen); err != nil {
		return transactionJSON{}, conflict("%s", err)
	}
	r := &refund{
		OutRefundNo: "SHOP" + strconv.FormatUint(s.ledger.seq+1, 10) + pick(s.idChance("by hand", s.clock.Now()), digits, 12),
		Amount:      fen, Source: sourcePlatform, NotifyURL: o.refundURL(),
	}
	if _, err := s.acceptRefund(o, r); err != nil {
		return transactionJSON{}, err
	}
	return s.transactionView(o), nil
}

// refundURL is where the merchant wanted to hear of the order's latest refund.
func (o *order) refundURL() string {
	for i := len(o.refunds) - 1; i >= 0; i-- {
		if url := o.refunds[i].NotifyURL; url != "" {
			return url
		}
	}
	return ""
}

func (s *Sim) apiDecideRefund(r *http.Request) (any, error) {
	var in struct {
		Outcome string `json:"outcome"`
	}
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	return s.decideRefund(r.PathValue("no"), r.PathValue("refund"), in.Outcome)
}

func (s *Sim) formDecideRefund(r *http.Request) (string, error) {
	_, err := s.decideRefund(r.PathValue("no"), r.PathValue("refund"), r.PostFormValue("outcome"))
	return "refund", err
}

func (s *Sim) formRefund(r *http.Request) (string, error) {
	fen, err := formYuan(r)
	if err != nil {
		return "", err
	}
	_, err = s.refundByHand(r.PathValue("no"), fen)
	return "refunded", err
}
