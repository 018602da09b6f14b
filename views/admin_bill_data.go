package views

import (
	"time"

	"wxshop/models"
)

var iconScale = icon("i", "M12 4v16M7 20h10M5 7h14M5 7l-2.5 6h5zM19 7l-2.5 6h5z")

// AdminBillsPage is the list of days on which WeChat's bill was compared with
// our books.
type AdminBillsPage struct {
	AdminPage
	Rows []models.BillDayRow
	More string // address of older ones, "" none
	// What was typed to compare a day, and what is wrong with it.
	Day     string
	Problem AdminProblem
}

// AdminBillPage is one day with everything that differs.
type AdminBillPage struct {
	AdminPage
	Day    models.BillDay
	Counts []models.DiffCount
	Open   []AdminDiff // by kind
	Closed []AdminDiff // the newest
	Left   int64       // open ones that the page has no room for
	// When a note was not accepted: whose, what was typed, and why.
	At      int64
	Note    string
	Problem AdminProblem
	Limit   *models.Fen // of one refund by the reader; nil: none
}

// AdminDiff is a difference with the number of its order.
type AdminDiff struct {
	models.BillDifference
	OrderNo string // "" none of ours
}

// What may be done about a difference, the last part of its address.
const (
	AdminSettle AdminAction = "settle"
	AdminRun    AdminAction = "run"
)

// AdminBillPath is the page of a day.
func AdminBillPath(day string) string { return "/admin/reconcile/" + day }

func adminDiffPath(d *AdminDiff, part AdminAction) string {
	return AdminBillPath(d.Day) + "/" + count(d.ID) + "/" + string(part)
}

// diffWords say what differs, why that may be, and what is best done.
type diffWords struct{ Title, Why, Do string }

func (p *AdminPage) diff(k models.DiffKind) diffWords {
	if w, ok := p.w().Diffs[string(k)]; ok {
		return w
	}
	return diffWords{Title: string(k)}
}

// open is how many differences of the day wait.
func (p *AdminBillPage) open() (n int64) {
	for _, c := range p.Counts {
		if c.State == models.DiffOpen {
			n += c.N
		}
	}
	return n
}

// kinds are the counts of what waits, by kind.
func (p *AdminBillPage) kinds() (cs []models.DiffCount) {
	for _, k := range models.DiffKinds {
		for _, c := range p.Counts {
			if c.Kind == k && c.State == models.DiffOpen {
				cs = append(cs, c)
			}
		}
	}
	return cs
}

// firstOf is where the first difference of a kind stands on the page.
func (p *AdminBillPage) firstOf(k models.DiffKind) string {
	for i := range p.Open {
		if p.Open[i].Kind == k {
			return "#d" + count(p.Open[i].ID)
		}
	}
	return "#left"
}

// settles reports whether asking WeChat is the way to bring the money in.
func settles(k models.DiffKind) bool { return k == models.DiffUnsettled || k == models.DiffUnknown }

func askOf(k models.DiffKind) AdminAction {
	if settles(k) {
		return AdminSettle
	}
	return AdminAsk
}

func (p *AdminBillPage) askButton(k models.DiffKind) string {
	if settles(k) {
		return p.w().Bills.SettleButton
	}
	return p.w().Bills.AskButton
}

// refundable reports whether the money can be given back from here, by the
// reader.
func (p *AdminBillPage) refundable(d *AdminDiff) bool {
	return settles(d.Kind) && d.Theirs > 0 && (p.Limit == nil || d.Theirs <= *p.Limit)
}

// side is an amount of one side with where it stands there.
func (p *AdminPage) side(f models.Fen, state string) string {
	if f < 0 {
		return p.w().Bills.Nothing
	}
	if state == "" {
		return adminYuan(f)
	}
	return adminYuan(f) + " · " + state
}

func (p *AdminPage) theirSide(d *AdminDiff) string {
	return p.side(d.Theirs, word(p.w().BillStates, d.TheirState))
}

func (p *AdminPage) ourSide(d *AdminDiff) string {
	state := word(p.w().PayStates, models.PayState(d.OurState))
	if w, ok := p.w().RefundStates[models.RefundState(d.OurState)]; ok && d.RefundID != "" {
		state = w
	}
	return p.side(d.Ours, state)
}

// ending is why a difference is closed.
func (p *AdminPage) ending(d *AdminDiff) string {
	if d.State == models.DiffExplained {
		return d.Note
	}
	return word(p.w().DiffNotes, d.Note)
}

func (p *AdminBillPage) typed(id int64) string {
	if p.At != id {
		return ""
	}
	return p.Note
}

func (p *AdminBillPage) trouble(id int64) string {
	if p.At != id {
		return ""
	}
	return p.w().Problems[p.Problem]
}

func adminBillTint(d *models.BillDay, open int64) string {
	switch {
	case open > 0, d.State == models.BillFailed:
		return string(Bad)
	case d.State == models.BillWaits:
		return string(Wait)
	case d.State == models.BillNone:
		return ""
	}
	return string(OK)
}

// billState is how a day stands, in a word.
func (p *AdminPage) billState(d *models.BillDay, open int64) string {
	if open > 0 {
		return fill(p.w().Bills.Differ, open)
	}
	return word(p.w().BillSteps, d.State)
}

// daySum is an amount of a day, if there is an answer about it.
func (p *AdminPage) daySum(d *models.BillDay, f models.Fen) string {
	if !d.State.Compared() {
		return "–"
	}
	return adminYuan(f)
}

// yesterday is the newest day that WeChat may have a bill of.
func (p *AdminBillsPage) yesterday() string {
	return p.Now.In(beijing).Add(-24 * time.Hour).Format("2006-01-02")
}

func (p *AdminBillsPage) typedDay() string {
	if p.Day != "" {
		return p.Day
	}
	return p.yesterday()
}
