package sim

import (
	"slices"
	"time"

	"wxshop/wxpay/sim/console"
)

// plant is what was falsified in a day's bill; it stays so for that day.
type plant struct {
	Day           string `json:"day"`                      // 20060102, Beijing
	Missing       string `json:"missing,omitempty"`        // out_trade_no of a payment that is left out
	Amount        string `json:"amount,omitempty"`         // out_trade_no of a payment that is a fen too high
	RefundMissing string `json:"refund_missing,omitempty"` // out_refund_no of a refund that is left out
	Extra         *order `json:"extra,omitempty"`          // an order that never was

	ExtraPaid *payment `json:"extra_paid,omitempty"`
}

// plantedMoves are a day's lines with the differences that the faults plant.
// s.mu is held.
func (s *Sim) plantedMoves(day time.Time, subMchID string) ([]move, error) {
	all := s.moves(day, "")
	p, err := s.plantsOf(day, all)
	if err != nil {
		return nil, err
	}
	out := slices.DeleteFunc(all, func(m move) bool {
		return m.back == nil && m.o.No == p.Missing || m.status == stateRefund && m.back.OutRefundNo == p.RefundMissing ||
			subMchID != "" && m.o.SubMchID != subMchID
	})
	for i := range out {
		if out[i].back == nil && out[i].o.No == p.Amount {
			out[i].total++
		}
	}
	if p.Extra != nil && (subMchID == "" || subMchID == p.Extra.SubMchID) {
		out = append(out, move{at: p.ExtraPaid.At, o: p.Extra, p: p.ExtraPaid, status: stateSuccess, total: p.Extra.Total})
		slices.SortStableFunc(out, func(a, b move) int { return b.at.Compare(a.at) })
	}
	return out, nil
}

// plantsOf asks the faults what to falsify, at most once of each kind and day.
// s.mu is held.
func (s *Sim) plantsOf(day time.Time, all []move) (plant, error) {
	p := plant{Day: day.Format("20060102")}
	if known := s.ledger.plants[p.Day]; known != nil {
		p = *known
	}
	r := s.idChance("plant", day)
	var paid, back []string
	for _, m := range all {
		switch {
		case m.back == nil:
			paid = append(paid, m.o.No)
		case m.status == stateRefund:
			back = append(back, m.back.OutRefundNo)
		}
	}
	planted := false
	for _, k := range []struct {
		fault string
		field *string
		from  []string
	}{
		{faultBillMissing, &p.Missing, paid},
		{faultBillAmount, &p.Amount, paid},
		{faultBillRefundMissing, &p.RefundMissing, back},
	} {
		from := slices.DeleteFunc(slices.Clone(k.from), func(no string) bool { return no == p.Missing })
		if *k.field == "" && len(from) > 0 && s.faultFires(k.fault, "") {
			*k.field, planted = from[r.IntN(len(from))], true
		}
	}
	if p.Extra == nil && s.faultFires(faultBillExtra, "") {
		s.plantExtra(&p, day, int64(100+r.IntN(99_900)))
		planted = true
	}
	if !planted {
		return p, nil
	}
	s.events.add(happening{entry: console.Entry{Direction: console.Fault, Title: "账单里埋了差异", Hint: p.Day,
		Words: p.Missing + " " + p.Amount + " " + p.RefundMissing}})
	return p, s.commit(&record{Kind: recPlant, Plant: &p})
}

// plantExtra makes up a payment at noon that nobody made. s.mu is held.
func (s *Sim) plantExtra(p *plant, day time.Time, fen int64) {
	noon := day.Add(12 * time.Hour)
	u := s.ledger.users[0]
	p.Extra = &order{
		No: "EXTRA" + pick(s.idChance("extra", noon), digits, 16), AppID: appID1, MchID: mchID1, TradeType: "JSAPI",
		OpenID: u.OpenID, Body: "没有人下过的单", Total: fen, Created: noon,
	}
	p.ExtraPaid = &payment{TransactionID: s.newTransactionID(noon), OpenID: u.OpenID, User: u.ID, BankType: "OTHERS", At: noon}
}
