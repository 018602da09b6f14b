package console

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

var beijing = time.FixedZone("CST", 8*3600)

// Matches reports whether the filter finds the entry: plain text, whatever
// the case, in what the row shows and in its Words.
func (e Entry) Matches(filter string) bool {
	filter = strings.ToLower(strings.TrimSpace(filter))
	return filter == "" || strings.Contains(strings.ToLower(e.text()), filter)
}

func (e Entry) text() string { return strings.Join([]string{e.Title, e.Hint, e.Verdict, e.Words}, " ") }

// Matches does the same for a transaction.
func (r TransactionRow) Matches(filter string) bool {
	filter = strings.ToLower(strings.TrimSpace(filter))
	text := strings.Join([]string{r.OutTradeNo, r.Description, r.State, r.TradeType, r.API, r.Nickname, yuan(r.Total)}, " ")
	return filter == "" || strings.Contains(strings.ToLower(text), filter)
}

// said are the sentences after a form.
var said = map[string]string{
	"paid":      "付好了。通知正在路上。",
	"cancelled": "用户关掉了付款窗口，没有付。",
	"failed":    "这次付款失败了。",
	"notenough": "零钱不够，没有付成。",
	"refund":    "退款有结果了。",
	"refunded":  "退款受理了。",
	"paycode":   "换了新的付款码。",
	"resent":    "又发了一次，结果在这一页。",
	"dropped":   "不再发这条通知了。",
	"forged":    "坏通知发出去了，结果在这一页。",
	"user":      "微信里多了一个人。",
	"balance":   "零钱改好了。",
	"clock":     "时钟拨好了。",
	"faults":    "故障设好了。",
	"scenario":  "剧本改好了。",
	"account":   "账号设置保存了。",
	"keys":      "密钥换好了。",
	"server":    "验证通过，服务器配置启用了。",
	"pushed":    "发过去了，店答了什么在这一页。",
	"reset":     "除了密钥，全都忘掉了。",
}

// Said is the sentence for a code of ?said=, empty for an unknown one: the
// code comes from the address, so nobody can put words on the page with it.
func Said(code string) string { return said[code] }

// Back is where to go after a form: path if it is a page of the console, else
// the live page.
func Back(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/_sim/") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/_sim/"
	}
	return u.RequestURI()
}

// BackSaying is Back with a code for Said.
func BackSaying(path, code string) string {
	u, err := url.Parse(Back(path))
	if err != nil {
		return "/_sim/"
	}
	q := u.Query()
	q.Set("said", code)
	u.RawQuery = q.Encode()
	return u.RequestURI()
}

var errYuan = errors.New("write an amount such as 236.00")

// ParseYuan reads an amount that a person typed, "236", "236.5" or "236.50",
// as fen.
func ParseYuan(s string) (int64, error) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "¥")
	whole, part, _ := strings.Cut(s, ".")
	if len(part) > 2 || len(whole) == 0 || len(whole) > 12 {
		return 0, fmt.Errorf("%q: %w", s, errYuan)
	}
	digits := whole + (part + "00")[:2]
	if strings.Trim(digits, "0123456789") != "" {
		return 0, fmt.Errorf("%q: %w", s, errYuan)
	}
	fen, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q: %w", s, errYuan)
	}
	return fen, nil
}

// yuan writes fen as "284.00".
func yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s%d.%02d", sign, fen/100, fen%100)
}

func clock(t time.Time) string { return t.In(beijing).Format("15:04:05") }

func stamp(t time.Time) string { return t.In(beijing).Format("01-02 15:04:05") }

func exact(t time.Time) string { return t.In(beijing).Format("2006-01-02 15:04:05.000") }

// rowTime is the time of day, or the day for what is older than the newest row.
func rowTime(t, newest time.Time) string {
	if t.In(beijing).Format(time.DateOnly) == newest.In(beijing).Format(time.DateOnly) {
		return clock(t)
	}
	return t.In(beijing).Format("01-02")
}

// span writes a duration for people: "38 ms", "63 秒", "10 分", "3 小时", "2 天".
func span(d time.Duration) string {
	d = d.Abs()
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d 秒", int64(d/time.Second))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d 分", int64(d/time.Minute))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d 小时", int64(d/time.Hour))
	}
	return fmt.Sprintf("%d 天", int64(d/(24*time.Hour)))
}

// ahead says how far business time is from real time.
func ahead(d time.Duration) string {
	switch {
	case d.Abs() < time.Second:
		return "和真实时间一样"
	case d < 0:
		return "比真实时间慢 " + span(d)
	}
	return "比真实时间快 " + span(d)
}

// tail is the end of a long number, enough to tell it from its neighbours.
func tail(s string) string {
	if len(s) <= 8 {
		return s
	}
	return "…" + s[len(s)-4:]
}

// shortID keeps both ends of an openid.
func shortID(s string) string {
	if len(s) <= 12 {
		return s
	}
	return s[:4] + "…" + s[len(s)-4:]
}

// raw is the request as it went over the wire.
func (x Exchange) raw() string {
	var b strings.Builder
	target, host := x.URL, ""
	if u, err := url.Parse(x.URL); err == nil {
		target, host = u.RequestURI(), u.Host
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\n", x.Method, target)
	if host != "" && !slices.ContainsFunc(x.RequestHeaders, isHeader("Host")) {
		fmt.Fprintf(&b, "Host: %s\n", host)
	}
	writeHeaders(&b, x.RequestHeaders)
	return b.String() + "\n" + x.RequestBody
}

// rawAnswer is the answer as it went over the wire.
func (x Exchange) rawAnswer() string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d\n", x.Status)
	writeHeaders(&b, x.ResponseHeaders)
	return b.String() + "\n" + x.ResponseBody
}

func writeHeaders(b *strings.Builder, headers []Fact) {
	for _, h := range headers {
		fmt.Fprintf(b, "%s: %s\n", h.Name, h.Value)
	}
}

func isHeader(name string) func(Fact) bool {
	return func(f Fact) bool { return strings.EqualFold(f.Name, name) }
}

// Curl is the request as a command for a shell.
func (x Exchange) Curl() string {
	parts := []string{"curl -i -X " + quote(x.Method) + " " + quote(x.URL)}
	for _, h := range x.RequestHeaders {
		switch strings.ToLower(h.Name) {
		case "host", "content-length", "accept-encoding", "connection":
			continue // curl knows better
		}
		parts = append(parts, "-H "+quote(h.Name+": "+h.Value))
	}
	if x.RequestBody != "" {
		parts = append(parts, "--data-binary "+quote(x.RequestBody))
	}
	return strings.Join(parts, " \\\n  ")
}

// quote makes one word of s for a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// lead is the first sentence, rest what follows.
func lead(s string) (first, rest string) {
	if i := strings.Index(s, "。"); i >= 0 {
		return s[:i+len("。")], strings.TrimSpace(s[i+len("。"):])
	}
	return s, ""
}

// markAt splits s around the first difference: from that byte to the end of
// its parameter or line. Without one, everything is before.
func markAt(s string, at int) (before, marked, after string) {
	if at < 0 || at >= len(s) {
		return s, "", ""
	}
	for at > 0 && !utf8.RuneStart(s[at]) {
		at--
	}
	_, n := utf8.DecodeRuneInString(s[at:])
	end := at + n
	if i := strings.IndexAny(s[end:], "&\n"); i >= 0 {
		end += i
	} else {
		end = len(s)
	}
	return s[:at], s[at:end], s[end:]
}

var states = map[string]Tone{
	"SUCCESS": Good, "NOTPAY": Wait, "USERPAYING": Busy, "REFUND": Bad, "PAYERROR": Bad, "PROCESSING": Busy, "ABNORMAL": Bad,
	"pending": Wait, "delivered": Good, "gave-up": Bad,
}

var stateWords = map[string]string{"pending": "等着", "delivered": "收下", "dropped": "不发了", "gave-up": "放弃了"}

func stateTone(state string) Tone { return states[state] }

// stateWord is what people read; WeChat's own words stay as they are.
func stateWord(state string) string {
	if w, ok := stateWords[state]; ok {
		return w
	}
	return state
}

var faultWords = map[string]string{
	"notify-drop": "丢掉付款通知", "notify-delay": "付款通知来得晚", "notify-duplicate": "付款通知来两次",
	"notify-reorder": "通知颠倒次序", "notify-before-answer": "通知先于应答", "notify-concurrent": "同时来几条通知",
	"notify-forged": "先来一条伪造的", "notify-wrong-amount": "先来一条金额不对的", "notify-stale": "先来条过时的（v3）",
	"connection-refused": "连不上", "host-down": "主域名停了", "reset-before-commit": "没做就断线", "reset-after-commit": "做完后断线",
	"answer-slow": "应答很慢", "answer-truncated": "应答只有一半", "answer-5xx": "应答 502", "answer-html": "应答是网页",
	"answer-unsigned": "应答没有签名", "answer-wrong-signature": "应答签错了", "system-error": "系统错误", "frequency-limited": "太频繁",
	"order-paid-race": "重下单时已付", "out-trade-no-used": "单号说用过了", "close-pay-race": "关单时抢着付了", "close-ignored": "五分钟内关单没用（v2）", "not-enough": "余额不足",
	"user-paying": "输密码要一分钟", "refund-processing": "退款要几小时", "refund-abnormal": "退款异常",
	"bill-not-ready": "账单还没出", "bill-missing": "账单少一笔", "bill-extra": "账单多一笔", "bill-amount": "账单差一分", "bill-refund-missing": "账单少一笔退款", "key-rotation": "换平台证书（v3）",
}

func faultWord(name string) string {
	if w, ok := faultWords[name]; ok {
		return w
	}
	return name
}

var presetWords = map[string]string{"none": "没有 none", "gentle": "温和 gentle", "harsh": "凶狠 harsh"}

func presetWord(name string) string {
	if w, ok := presetWords[name]; ok {
		return w
	}
	return name
}

var kindWords = map[string]string{
	"unsigned": "没有签名", "wrong_key": "签错的", "wrong_amount": "金额不对", "wrong_appid": "appid 不对", "wrong_mchid": "商户号不对",
	"unknown_order": "没有这个单", "stale": "过时的", "replayed": "重放", "xxe": "带外部实体", "truncated": "截断的",
	"wrong_serial": "序列号不对", "short_nonce": "随机串太短", "signtest": "签名探测",
}

func kindWord(kind string) string { return strings.TrimSpace(kind + " " + kindWords[kind]) }
