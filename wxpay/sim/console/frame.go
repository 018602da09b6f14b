package console

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
)

// pages are the entries of the bar, in its order.
var pages = []struct{ name, path string }{
	{"现场", "/_sim/"},
	{"交易", "/_sim/transactions"},
	{"扫码", "/_sim/scan"},
	{"微信里的人", "/_sim/users"},
	{"时钟", "/_sim/clock"},
	{"故障", "/_sim/faults"},
	{"签名医生", "/_sim/doctor"},
	{"公众号", "/_sim/messages"},
	{"接入参数", "/_sim/identity"},
	{"账号设置", "/_sim/account"},
}

// current marks the page or the row that one is looking at.
func current(yes bool) templ.Attributes {
	if !yes {
		return nil
	}
	return templ.Attributes{"aria-current": "page"}
}

// bare is an origin without its scheme.
func bare(origin string) string {
	_, rest, ok := strings.Cut(origin, "://")
	if !ok {
		return origin
	}
	return strings.TrimSuffix(rest, "/")
}

func transactionPath(no string) string { return "/_sim/transactions/" + url.PathEscape(no) }

func action(parts ...string) templ.SafeURL {
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return templ.SafeURL("/_sim/" + strings.Join(parts, "/"))
}

// livePath is the live page with one entry chosen, the filter kept.
func livePath(filter string, chosen, before int64) string {
	q := url.Values{}
	if filter != "" {
		q.Set("f", filter)
	}
	if chosen != 0 {
		q.Set("e", strconv.FormatInt(chosen, 10))
	}
	if before != 0 {
		q.Set("before", strconv.FormatInt(before, 10))
	}
	if len(q) == 0 {
		return "/_sim/"
	}
	return "/_sim/?" + q.Encode()
}

// chosenSeq is the entry in the pane, 0 when there is none.
func (v LiveView) chosenSeq() int64 {
	if v.Chosen == nil {
		return 0
	}
	return v.Chosen.Entry.Seq
}

// last is the newest entry's number.
func (v LiveView) last() int64 {
	if len(v.Entries) == 0 {
		return 0
	}
	return v.Entries[0].Seq
}

func problemTone(x Exchange) string {
	if x.Entry.Tone == Bad {
		return string(Bad)
	}
	return string(Wait)
}

func first(explanation string) string { s, _ := lead(explanation); return s }

func second(explanation string) string { _, s := lead(explanation); return s }

// advances are the buttons of the clock.
var advances = []struct{ label, value string }{
	{"+15 秒", "15s"}, {"+15 分", "15m"}, {"+1 小时", "1h"}, {"+1 天", "24h"},
}

func notificationKind(kind string) string {
	if kind == "refund" {
		return "退款通知"
	}
	return "付款通知"
}

// stepClass colours the dot of a step.
func stepClass(t Tone) templ.Attributes {
	switch t {
	case Good:
		return templ.Attributes{"class": "g"}
	case Bad:
		return templ.Attributes{"class": "r"}
	}
	return nil
}

// facts are the numbers of a transaction, without the empty ones.
func (v TransactionView) facts() []Fact {
	all := []Fact{
		{"商户单号", v.Row.OutTradeNo}, {"微信交易", v.TransactionID}, {"prepay_id", v.PrepayID}, {"付款人", v.OpenID},
		{"appid", v.AppID}, {"商户号", v.MchID}, {"attach", v.Attach}, {"通知地址", v.NotifyURL},
		{"接口", v.Row.API + " " + v.Row.TradeType}, {"下单", day(v.CreatedAt)}, {"到期", day(v.ExpiresAt)}, {"付款", day(v.PaidAt)},
	}
	return slices.DeleteFunc(all, func(f Fact) bool { return f.Value == "" })
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return stamp(t)
}
