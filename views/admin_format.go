package views

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"wxshop/models"
	"wxshop/static"
)

var adminSheet templ.Component = markup(`<link rel="stylesheet" href="` + static.URL("admin.css") + `" integrity="` + static.Integrity("admin.css") + `">`)

// adminYuan is an amount in a table of the merchant, "3,284.00".
func adminYuan(f models.Fen) string {
	s, sign := f.String(), ""
	if strings.HasPrefix(s, "-") {
		s, sign = s[1:], "−"
	}
	whole, frac, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return sign + whole + "." + frac
}

// adminYuanFull is an amount in a sentence of the merchant, "¥3,284.00".
func adminYuanFull(f models.Fen) string {
	if f < 0 {
		return "−¥" + adminYuan(-f)
	}
	return "¥" + adminYuan(f)
}

// adminInstant is a time to the second, "11-19 20:31:07".
func adminInstant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(beijing).Format("01-02 15:04:05")
}

// adminMoment is a time to the minute, "" when it has not come.
func adminMoment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return short(t)
}

// date is a whole day with its name, "11 月 20 日，星期五".
func (p *AdminPage) date() string {
	t := p.Now.In(beijing)
	return fill(p.w().Frame.FullDay, t.Format(p.w().Frame.Day), p.w().Frame.Weekdays[t.Weekday()])
}

// since is how long something waits: minutes, hours, days.
func (p *AdminPage) since(t time.Time) string {
	d, w := p.Now.Sub(t), p.w().Frame
	switch {
	case d < time.Hour:
		return fill(w.Minutes, int64(max(d, 0)/time.Minute))
	case d < 48*time.Hour:
		return fill(w.Hours, int64(d/time.Hour))
	}
	return fill(w.Days, int64(d/(24*time.Hour)))
}

// person is a name as the reader may see it.
func (p *AdminPage) person(name string) string {
	if !p.Masked() {
		return name
	}
	for i := range name { // the first character and nothing of the length
		if i > 0 {
			return name[:i] + "**"
		}
	}
	return "**"
}

// place is an address as the reader may see it: a viewer down to the district.
func (p *AdminPage) place(r models.Receiver) string {
	if p.Masked() {
		return places(r.Province, r.City, r.District)
	}
	return places(r.Province, r.City, r.District, r.Street)
}

// phoneTail is how a buyer is told apart in a list.
func (p *AdminPage) phoneTail(phone string) string {
	if p.Masked() || phone == "" {
		return ""
	}
	return fill(p.w().Orders.Tail, tail(phone))
}

// goodsOf names what was bought in one line.
func (p *AdminPage) goodsOf(items []models.OrderItem) string {
	if len(items) == 0 {
		return ""
	}
	var pieces int64
	for i := range items {
		pieces += items[i].Qty
	}
	name := p.itemName(&items[0])
	if pieces > 1 {
		return fill(p.w().Orders.AndMore, name, pieces)
	}
	return name
}

func (p *AdminPage) itemName(i *models.OrderItem) string {
	if p.Lang == EN && i.NameEN != "" {
		return i.NameEN
	}
	return i.NameZH
}

func (p *AdminPage) itemOption(i *models.OrderItem) string {
	if p.Lang == EN && i.OptionEN != "" {
		return i.OptionEN
	}
	return i.OptionZH
}

// actor is who did something: a person of the shop by name, everything else in words.
func (p *AdminPage) actor(a string) string {
	if name, ok := strings.CutPrefix(a, "staff:"); ok {
		return name
	}
	return word(p.w().Actors, a)
}

// adminSaid is what was exchanged with WeChat for people to read: JSON on several
// lines, everything else as it is.
func adminSaid(s string) string {
	if !strings.HasPrefix(s, "{") {
		return s
	}
	var b bytes.Buffer
	if json.Indent(&b, []byte(s), "", "  ") != nil {
		return s
	}
	return b.String()
}

func (p *AdminPage) otherLang() Lang {
	if p.Lang == ZH {
		return EN
	}
	return ZH
}

// adminOrderPath is the page of an order; a part is an action on it.
func adminOrderPath(no string, part ...string) string {
	return "/admin/orders/" + url.PathEscape(no) + strings.Join(append([]string{""}, part...), "/")
}

func adminCheckPath(id int64, part AdminAction) string {
	return "/admin/check/" + strconv.FormatInt(id, 10) + "/" + string(part)
}
