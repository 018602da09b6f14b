package checkout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"wxshop/models"
	"wxshop/wxpay"
)

// openBill asks the configured API for a day's trade bill, and the other one
// when that has none to give; a merchant's bill is the same by both. None:
// nothing happened that day, as far as WeChat says.
func (s *Service) openBill(ctx context.Context, day time.Time) (bill io.ReadCloser, by wxpay.Version, err error) {
	versions := []wxpay.Version{s.cfg.API}
	for v := range s.gates {
		if v != s.cfg.API {
			versions = append(versions, v)
		}
	}
	slices.Sort(versions[1:])
	var errs []error
	for _, v := range versions {
		g, ok := s.gates[v]
		if !ok {
			continue
		}
		bill, err := g.Bill(ctx, wxpay.BillRequest{Day: day, Kind: wxpay.BillAll, Gzip: true})
		switch {
		case err == nil:
			return bill, v, nil
		case errors.Is(err, wxpay.ErrBillNotReady), errors.Is(err, wxpay.ErrNoBill) && s.now().Before(day.Add(billReady)):
			// "None" before the hour may mean "not yet": believed, it would
			// close the day, and every payment of it would count as missing.
			return nil, v, ErrBillWaits
		case errors.Is(err, wxpay.ErrNoBill) && s.now().Sub(day) > billKept:
			return nil, v, ErrBillGone
		case errors.Is(err, wxpay.ErrNoBill):
			return nil, v, err
		}
		errs = append(errs, err)
	}
	return nil, "", fmt.Errorf("no bill from WeChat: %w", errors.Join(append(errs, ctx.Err())...))
}

// eachLine gives the lines of a day's bill, some hundred at a time, to take.
// Only when it returns nil was the bill whole; until then nothing of it may be
// believed.
func (s *Service) eachLine(ctx context.Context, day time.Time, take func([]models.BillLine) error) (wxpay.Version, error) {
	bill, by, err := s.openBill(ctx, day)
	if err != nil {
		return by, err
	}
	defer bill.Close()
	r := wxpay.NewBillReader(bill)
	lines := make([]models.BillLine, 0, models.BillBatch)
	for {
		row, err := r.Next()
		if err == io.EOF {
			return by, take(lines)
		}
		if err != nil {
			return by, fmt.Errorf("read the bill: %w", err)
		}
		l, err := asLine(&row)
		if err != nil {
			return by, err
		}
		if lines = append(lines, l); len(lines) == models.BillBatch {
			if err := take(lines); err != nil {
				return by, err
			}
			lines = lines[:0]
		}
	}
}

// asLine is what of a row is compared: what was ordered (订单金额), not what is
// settled, which coupons make smaller (WeChat Pay v3, trade bill).
func asLine(r *wxpay.BillRow) (models.BillLine, error) {
	kind, number, state, amount := models.LinePaid, r.OutTradeNo, r.State, models.Fen(r.Total)
	switch r.State {
	case "REFUND":
		kind, number, state, amount = models.LineRefund, r.OutRefundNo, r.RefundState, models.Fen(r.RefundAsked)
		if amount == 0 { // the old style has one amount
			amount = models.Fen(r.RefundAmount)
		}
	case "REVOKED":
		kind = models.LineReversed
	}
	for _, other := range []string{r.RefundID, r.TransactionID} { // money without a number of ours is still money
		if number == "" {
			number = other
		}
	}
	if number == "" {
		return models.BillLine{}, fmt.Errorf("%w: a line without any number", wxpay.ErrBadBill)
	}
	l := models.BillLine{Kind: kind, Number: number, OutTradeNo: r.OutTradeNo, TransactionID: r.TransactionID,
		RefundID: r.RefundID, Amount: amount, State: clip(state, 32), At: models.At(r.At)}
	for _, s := range []string{l.Number, l.OutTradeNo, l.TransactionID, l.RefundID} {
		if len(s) > 64 {
			return l, fmt.Errorf("%w: a number of %d bytes", wxpay.ErrBadBill, len(s))
		}
	}
	return l, nil
}

// takeIn brings the day's bill into the table. What it lists twice comes back.
func (c *comparison) takeIn(ctx context.Context) (twice []models.BillDifference, err error) {
	by, err := c.eachLine(ctx, c.day, func(lines []models.BillLine) error {
		c.renew(ctx)
		again, err := c.store.StageBill(ctx, c.run, lines)
		for i := range again {
			twice = append(twice, *differ(&again[i], models.DiffTwice))
		}
		if err == nil && len(twice) > manyTwice {
			err = fmt.Errorf("%w: more than %d numbers are listed twice", wxpay.ErrBadBill, manyTwice)
		}
		return err
	})
	c.out.API = string(by)
	if errors.Is(err, wxpay.ErrNoBill) {
		c.out.Nothing()
		return nil, nil
	}
	return twice, err
}

// manyTwice is where a bill is rubbish rather than wrong in places.
const manyTwice = 1000

// ourSide looks for our money of the day that the bill has no line about.
func (c *comparison) ourSide(ctx context.Context) error {
	var last *models.Payment
	for {
		ps, err := c.store.UnbilledPayments(ctx, c.run, c.cfg.MchID, c.day, c.end(), last)
		if err != nil || len(ps) == 0 {
			if err != nil {
				return err
			}
			break
		}
		var missing []absent
		for i := range ps {
			p := &ps[i]
			missing = append(missing, absent{number: p.OutTradeNo, from: p.PaidAt.Time, to: p.PaidAt.Time, diff: missingPayment(p)})
		}
		if err := c.lacking(ctx, models.LinePaid, missing); err != nil {
			return err
		}
		last = &ps[len(ps)-1]
	}
	var lastBack *models.Refund
	for {
		rs, err := c.store.UnbilledRefunds(ctx, c.run, c.day, c.end(), lastBack)
		if err != nil || len(rs) == 0 {
			return err
		}
		var missing []absent
		for i := range rs {
			r := &rs[i]
			// It was taken on after we made it and before we knew: a time on our
			// clock, not WeChat's, and long when answers were lost.
			missing = append(missing, absent{number: r.OutRefundNo, from: r.CreatedAt.Time, to: r.AcceptedAt.Time, diff: missingRefund(r), vague: true})
		}
		if err := c.lacking(ctx, models.LineRefund, missing); err != nil {
			return err
		}
		lastBack = &rs[len(rs)-1]
	}
}

// absent is a row of ours that the day's bill does not have.
type absent struct {
	number   string
	from, to time.Time // when WeChat may have done it
	diff     models.BillDifference
	vague    bool // the times are not WeChat's own
}

// lacking keeps what is really missing: what happened near midnight, or at a
// time that we do not know well, may stand in the bill of another day.
func (c *comparison) lacking(ctx context.Context, kind models.LineKind, missing []absent) error {
	elsewhere := map[string]bool{} // to be found in another day's bill
	waits := map[string]bool{}
	for day, numbers := range c.otherDays(missing) {
		want := map[string]bool{}
		for _, no := range numbers {
			want[no] = true
		}
		there, err := c.listed(ctx, day, kind, want)
		switch {
		case errors.Is(err, ErrBillWaits):
			for no := range want {
				waits[no] = true
			}
		case err != nil && !errors.Is(err, wxpay.ErrNoBill) && !errors.Is(err, ErrBillGone):
			return err
		}
		for _, no := range there {
			elsewhere[no] = true
		}
	}
	var found []models.BillDifference
	for _, m := range missing {
		switch {
		case elsewhere[m.number]:
		case waits[m.number] && m.vague:
			c.out.Waiting++
		default:
			found = append(found, m.diff)
		}
	}
	c.renew(ctx)
	return c.keep(ctx, found)
}

// otherDays are the days, beside the compared one, in whose bills something
// may stand.
func (c *comparison) otherDays(missing []absent) map[time.Time][]string {
	days := map[time.Time][]string{}
	for _, m := range missing {
		from, to := m.from.Add(-billNear), m.to.Add(billNear)
		if oldest := c.day.Add(-backwards); from.Before(oldest) {
			from = oldest
		}
		for day := dayOf(from); !day.After(to); day = day.AddDate(0, 0, 1) {
			if !day.Equal(c.day) {
				days[day] = append(days[day], m.number)
			}
		}
	}
	return days
}

// listed reads another day's bill and says which of the numbers it has. There
// are at most as many as one page of our rows.
func (c *comparison) listed(ctx context.Context, day time.Time, kind models.LineKind, want map[string]bool) (there []string, err error) {
	_, err = c.eachLine(ctx, day, func(lines []models.BillLine) error {
		c.renew(ctx)
		for i := range lines {
			if lines[i].Kind == kind && want[lines[i].Number] {
				there = append(there, lines[i].Number)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return there, nil
}
