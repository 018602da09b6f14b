package sim

// The refusals that only faults make (WeChat Pay v2, "错误码").
var (
	errSystem    = businessFail{"SYSTEMERROR", "system error"}
	errFrequency = businessFail{"FREQUENCY_LIMITED", "频率限制，请稍后重试"}
)

// raced lets the payer be quicker than a call, or another number be taken.
func (s *Sim) raced(q v2Request) error {
	no := q.in["out_trade_no"]
	switch q.path {
	case "/pay/unifiedorder", "/pay/micropay", "/pay/facepay":
		if q.path == "/pay/unifiedorder" {
			s.race(faultOrderPaidRace, no)
		}
		s.mu.Lock()
		known := s.ledger.orders[no] != nil
		s.mu.Unlock()
		if !known && s.faultFires(faultNoUsed, no) {
			return errNoUsed
		}
	case "/pay/closeorder":
		s.race(faultClosePayRace, no)
	}
	return nil
}

// race makes the payer pay an open order right now, if the fault strikes. The
// call then finds a paid order.
func (s *Sim) race(name, no string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.ledger.orders[no]
	if o == nil || o.byCode() {
		return
	}
	payer := s.ledger.payer(o)
	if payer == nil {
		payer = s.ledger.users[0]
	}
	if payable(o, o.latest().ID, s.clock.Now(), false) != nil || payer.Balance < o.Total || !s.faultFires(name, no) {
		return
	}
	if err := s.act(o, o.latest().ID, payer, outcomeSuccess, false); err != nil {
		s.log.Error("payer did not win the race", "order", no, "err", err)
	}
}
