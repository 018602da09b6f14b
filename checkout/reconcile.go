package checkout

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"wxshop/models"
	"wxshop/wxpay"
)

// beijing is the zone of WeChat's days; China keeps one offset all year.
var beijing = time.FixedZone("CST", 8*3600)

// What may keep a day from being compared, beside an error on the way.
var (
	// ErrBillWaits: WeChat makes the bill of a day the next morning, and gives
	// it out from 10:00 in Beijing.
	ErrBillWaits = errors.New("WeChat has not made the bill of this day yet; it is there from 10:00 of the next day (Beijing)")
	// ErrBillGone: WeChat keeps bills for three months, and then says the same
	// as about a day without money.
	ErrBillGone = errors.New("WeChat keeps bills for three months only")
	// ErrBillBusy: another process, or another person, compares the same day.
	ErrBillBusy = errors.New("this day is being compared right now")
)

const (
	billRetry  = 30 * time.Minute
	billReady  = 34 * time.Hour      // from the begin of a day to its bill
	billNear   = 10 * time.Minute    // from midnight: another day's bill may have it
	billKept   = 89 * 24 * time.Hour // by WeChat, at least
	backwards  = 7 * 24 * time.Hour  // how far the bill with a refund is searched
	staleLines = 24 * time.Hour      // of a run that never ended
	longest    = 2 * time.Hour       // of one run
	billLease  = "bill "             // and the day
	dayLayout  = "2006-01-02"
)

// dayOf is the begin of the day in Beijing that t is in.
func dayOf(t time.Time) time.Time {
	y, m, d := t.In(beijing).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, beijing)
}

// DayName is how a day is written, "2026-11-19".
func DayName(t time.Time) string { return t.In(beijing).Format(dayLayout) }

// ParseDay reads a day of Beijing.
func ParseDay(s string) (time.Time, error) { return time.ParseInLocation(dayLayout, s, beijing) }

// comparison is one run over one day.
type comparison struct {
	*Service
	day   time.Time // its begin
	run   string
	began time.Time
	out   models.BillDay
	fresh int64
	seen  map[models.DiffKind]int64
	beat  time.Time // when the lease was last renewed
}

// Reconcile compares WeChat's bill of the day that at is in with our rows and
// stores what differs; a second run of the same day gives the same rows. It
// changes no payment and no refund. The whole bill is taken in and verified
// before any line of it is believed (security I12), some hundred lines at a
// time, through a table of the database.
//
// ErrBillWaits: ask again later; ErrBillGone: too long ago; ErrBillBusy:
// somebody else is at it.
func (s *Service) Reconcile(ctx context.Context, at time.Time) (*models.BillDay, error) {
	day, run := dayOf(at), rand.Text()
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	ok, err := s.store.Lease(ctx, billLease+DayName(day), run, leaseFor)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrBillBusy
	}
	c := &comparison{Service: s, day: day, run: run, began: s.now(), beat: s.now(), seen: map[models.DiffKind]int64{},
		out: models.BillDay{Day: DayName(day), State: models.BillDone}}
	defer c.cleanUp(ctx)
	if err := c.compare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("reconcile %s: %w", c.out.Day, err), c.postpone(ctx, err))
	}
	c.tell()
	return s.store.BillDay(ctx, c.out.Day)
}

// cleanUp forgets the lines and gives the day's lease back.
func (c *comparison) cleanUp(ctx context.Context) {
	ctx, cancel := outlive(ctx, time.Minute)
	defer cancel()
	err := errors.Join(c.store.DropBill(ctx, c.run), c.store.Release(ctx, billLease+c.out.Day, c.run))
	if err != nil {
		c.log.Warn("lines of a bill not cleaned up", "op", "reconcile", "err", err)
	}
}

// postpone notes why there is no answer and when to try again.
func (c *comparison) postpone(ctx context.Context, cause error) error {
	if errors.Is(cause, ErrBillGone) {
		return nil
	}
	ctx, cancel := outlive(ctx, asking)
	defer cancel()
	state, problem := models.BillFailed, clip(cause.Error(), 500)
	if errors.Is(cause, ErrBillWaits) {
		state, problem = models.BillWaits, ""
	}
	return c.store.PostponeBill(ctx, c.out.Day, state, problem, c.now().Add(billRetry))
}

// clip cuts a text to whole characters of at most n bytes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

func (c *comparison) compare(ctx context.Context) error {
	if err := c.store.SweepBills(ctx, c.began.Add(-staleLines)); err != nil {
		return err
	}
	twice, err := c.takeIn(ctx)
	if err != nil {
		return err
	}
	if err := c.keep(ctx, twice); err != nil {
		return err
	}
	for _, kind := range []models.LineKind{models.LinePaid, models.LineReversed, models.LineRefund} {
		if err := c.theirSide(ctx, kind); err != nil {
			return err
		}
	}
	if err := c.ourSide(ctx); err != nil {
		return err
	}
	if err := c.store.SumDay(ctx, &c.out, c.run, c.cfg.MchID, c.day, c.end()); err != nil {
		return err
	}
	if c.out.Waiting > 0 { // the next day's bill will tell
		next := c.end().Add(billReady)
		if soon := c.now().Add(billRetry); next.Before(soon) {
			next = soon
		}
		c.out.NextAt = models.At(next)
	}
	return c.store.CloseBill(ctx, c.out, c.run, c.began)
}

func (c *comparison) end() time.Time { return c.day.AddDate(0, 0, 1) }

// theirSide holds every line of the bill against our rows.
func (c *comparison) theirSide(ctx context.Context, kind models.LineKind) error {
	for after := ""; ; {
		lines, err := c.store.BillLines(ctx, c.run, kind, after)
		if err != nil || len(lines) == 0 {
			return err
		}
		books, err := c.store.BooksOf(ctx, c.run, lines)
		if err != nil {
			return err
		}
		var found, late []models.BillDifference
		for i := range lines {
			d, known := judge(&lines[i], books)
			switch {
			case known:
				c.out.Known++
			case d != nil && c.mayBeReversed(&lines[i], books):
				late = append(late, *d)
			case d != nil:
				found = append(found, *d)
			}
		}
		if late, err = c.notReversedLater(ctx, late); err != nil {
			return err
		}
		found = append(found, late...)
		if err := c.keep(ctx, found); err != nil {
			return err
		}
		c.renew(ctx)
		after = lines[len(lines)-1].Number
	}
}

// mayBeReversed: a sale of the cash desk that ended here was paid so shortly
// before midnight that its reversal stands in the next day's bill.
func (c *comparison) mayBeReversed(l *models.BillLine, b *models.Books) bool {
	p := b.Payments[l.OutTradeNo]
	return l.Kind == models.LinePaid && p != nil && p.State != models.PayPaid && atDesk(p) && l.At.After(c.end().Add(-billNear))
}

// notReversedLater are those that the next day's bill does not take back. While
// there is none, they wait for it.
func (c *comparison) notReversedLater(ctx context.Context, late []models.BillDifference) ([]models.BillDifference, error) {
	if len(late) == 0 {
		return nil, nil
	}
	want := map[string]bool{}
	for i := range late {
		want[late[i].Number] = true
	}
	there, err := c.listed(ctx, c.end(), models.LineReversed, want)
	switch {
	case errors.Is(err, ErrBillWaits):
		c.out.Waiting += int64(len(late))
		return nil, nil
	case err != nil && !errors.Is(err, wxpay.ErrNoBill) && !errors.Is(err, ErrBillGone):
		return nil, err
	}
	c.out.Known += int64(len(there))
	return slices.DeleteFunc(late, func(d models.BillDifference) bool { return slices.Contains(there, d.Number) }), nil
}

func atDesk(p *models.Payment) bool {
	t := wxpay.TradeType(p.Channel)
	return t == wxpay.Micropay || t == wxpay.Facepay
}

// keep stores differences; nil ones are none.
func (c *comparison) keep(ctx context.Context, found []models.BillDifference) error {
	if len(found) == 0 {
		return nil
	}
	for i := range found {
		found[i].Day, found[i].Run = c.out.Day, c.run
		c.seen[found[i].Kind]++
	}
	fresh, err := c.store.KeepDifferences(ctx, found)
	for i := range fresh {
		c.fresh++
		c.count("bill." + string(fresh[i].Kind))
	}
	return err
}

// renew keeps the lease of a long run. Losing it does no harm: two runs of one
// day find the same rows.
func (c *comparison) renew(ctx context.Context) {
	if c.now().Sub(c.beat) < leaseFor/3 {
		return
	}
	c.beat = c.now()
	if _, err := c.store.Lease(ctx, billLease+c.out.Day, c.run, leaseFor); err != nil {
		c.log.Warn("lease not renewed", "op", "reconcile", "err", err)
	}
	c.pulse.beat("reconcile", c.now().Add(billTick+hung))
}

// tell puts the outcome into the log and the metrics. Differences are an alert.
func (c *comparison) tell() {
	c.count("bill.compared")
	var n int64
	for _, k := range c.seen {
		n += k
	}
	log := c.log.With("op", "reconcile", "to", c.out.Day, "count", n, "took", c.now().Sub(c.began))
	switch {
	case c.fresh > 0:
		log.Error("WeChat's bill and our books differ; see reconciliation", "cause", fmt.Sprint(c.seen))
	case n > 0:
		log.Warn("WeChat's bill and our books still differ; see reconciliation", "cause", fmt.Sprint(c.seen))
	default:
		log.Info("WeChat's bill and our books agree")
	}
}
