package views

import (
	"net/url"
	"strconv"

	"wxshop/models"
)

// misfitWords say what differs, why that may be, and what the two values are.
type misfitWords struct{ Title, Why, What string }

func (p *AdminPage) misfit(reason string) misfitWords {
	if w, ok := p.w().Misfits[reason]; ok {
		return w
	}
	return misfitWords{Title: reason, What: reason}
}

// misfitTitle says by how much, if it is about the amount, or how much came.
func (p *AdminPage) misfitTitle(m *AdminMisfit) string {
	want, err := strconv.ParseInt(m.Want, 10, 64)
	switch {
	case m.Reason != "amount" || err != nil || m.Total < 0:
		return fill(p.w().Check.Total, p.sum(m))
	case m.Total < models.Fen(want):
		return fill(p.w().Check.Less, adminYuanFull(models.Fen(want)-m.Total))
	}
	return fill(p.w().Check.More, adminYuanFull(m.Total-models.Fen(want)))
}

// sum is what WeChat says was ordered.
func (p *AdminPage) sum(m *AdminMisfit) string {
	if m.Total < 0 {
		return p.w().Check.Unreadable
	}
	return adminYuanFull(m.Total)
}

// ours is our side of the difference. Where we have nothing to compare with,
// the row says so in a sentence for the log; people read "none".
func (p *AdminPage) ours(m *AdminMisfit) string {
	if m.Reason == "unknown" || m.Reason == "transaction" {
		return p.w().Check.Nothing
	}
	return p.value(m, m.Want)
}

func (p *AdminPage) theirs(m *AdminMisfit) string { return p.value(m, m.Got) }

// value is one side of the difference; amounts were noted in fen.
func (p *AdminPage) value(m *AdminMisfit, s string) string {
	if n, err := strconv.ParseInt(s, 10, 64); m.Reason == "amount" && err == nil {
		return adminYuan(models.Fen(n))
	}
	if s == "" {
		return "–"
	}
	return s
}

// refundable reports whether this money can be given back here, and by the
// reader. Without an amount or a number WeChat cannot be asked to.
func (p *AdminCheckPage) refundable(m *AdminMisfit) bool {
	return m.Total > 0 && m.OutTradeNo != "" && (p.Limit == nil || m.Total <= *p.Limit)
}

// typed and trouble belong to the form that was sent back.
func (p *AdminCheckPage) typed(id int64) string {
	if p.At != id {
		return ""
	}
	return p.Note
}

func (p *AdminCheckPage) trouble(id int64) string {
	if p.At != id {
		return ""
	}
	return p.w().Problems[p.Problem]
}

// AdminOrdersPath is the address of a list of orders: a state, what was
// searched for, and where in the list ("" the newest).
func AdminOrdersPath(s models.State, query, at string) string {
	q := url.Values{}
	for key, v := range map[string]string{"state": string(s), "q": query, "at": at} {
		if v != "" {
			q.Set(key, v)
		}
	}
	if len(q) == 0 {
		return "/admin/orders"
	}
	return "/admin/orders?" + q.Encode()
}

func (p *AdminErrorPage) words() struct{ Title, Text string } {
	if w, ok := p.w().Errors[strconv.Itoa(p.Status)]; ok {
		return w
	}
	return p.w().Errors["500"]
}

func (p *AdminErrorPage) title() string { return p.words().Title }
func (p *AdminErrorPage) text() string  { return p.words().Text }
