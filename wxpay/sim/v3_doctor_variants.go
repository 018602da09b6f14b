package sim

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// variant is one way to write a part of a string, and what is wrong with it.
type variant struct{ cause, words, value string }

// partV3 is a part of a string to sign: the right value first, then every way
// to get it wrong.
type partV3 []variant

// layoutV3 is a way to join the parts.
type layoutV3 struct {
	cause, words string
	join         func(parts []string) string
}

const longText = 4 << 10 // of a body, beyond which every try is dear

// search looks for what was signed: one mistake first, then two at once.
func (p patientV3) search(o openedSign, f *finding) bool {
	n := len(p.parts)
	at := make([]int, n+1) // which variant of each part; the last: which layout
	size := func(i int) int {
		if i == n {
			return len(p.layouts)
		}
		return len(p.parts[i])
	}
	try := func() bool {
		values := make([]string, n)
		for i, part := range p.parts {
			values[i] = part[at[i]].value
		}
		text := p.layouts[at[n]].join(values)
		if !o.over(text) {
			return false
		}
		f.text = text
		for i, part := range p.parts {
			f.blame(part[at[i]].cause, part[at[i]].words)
		}
		f.blame(p.layouts[at[n]].cause, p.layouts[at[n]].words)
		return true
	}
	for i := range at {
		for at[i] = 1; at[i] < size(i); at[i]++ {
			if try() {
				return true
			}
		}
		at[i] = 0
	}
	if p.brief {
		return false
	}
	for i := range at {
		for j := range i {
			for at[i] = 1; at[i] < size(i); at[i]++ {
				for at[j] = 1; at[j] < size(j); at[j]++ {
					if try() {
						return true
					}
				}
			}
			at[i], at[j] = 0, 0
		}
	}
	return false
}

// lineLayouts are the ways to end lines, the right one first. empty: the last
// line is.
func lineLayouts(empty bool) []layoutV3 {
	last := "最后一行少了换行。The last line lacks its line feed: every line ends with one, the last and an empty one too."
	if empty {
		last = "GET 的正文是空的，那一行的换行也要。The empty line of the body is missing: without a body the string ends with two line feeds."
	}
	join := func(sep, end string) func([]string) string {
		return func(parts []string) string { return strings.Join(parts, sep) + end }
	}
	return []layoutV3{
		{"", "", join("\n", "\n")},
		{causeLines, last, join("\n", "")},
		{causeLines, "换行用了 CRLF，要 LF。Lines end with CRLF; they must end with LF.", join("\r\n", "\r\n")},
		{causeLines, "换行用了 CRLF，最后还少一个。Lines are joined by CRLF; each must end with LF.", join("\r\n", "")},
		{causeLines, `换行写成了反斜杠加 n 两个字符（PHP 的单引号？）。The line feeds are a backslash and an n, two characters: in PHP write "\n" in double quotes.`, join(`\n`, `\n`)},
		{causeLines, "行之间没有换行。The parts are joined without line feeds.", join("", "")},
		{causeLines, "末尾多了一个换行。There is a line feed too many at the end.", join("\n", "\n\n")},
	}
}

// requestPatient is a request before the doctor.
func requestPatient(method, target string, a authV3, body []byte, base string) patientV3 {
	return patientV3{
		parts: []partV3{methodPart(method), targetPart(target, base), timePart(a.timestamp), noncePart(a.nonce), bodyPart(body, method)}, layouts: lineLayouts(len(body) == 0),
		text: requestText(method, target, a.timestamp, a.nonce, body), sign: a.signature, brief: len(body) > longText,
	}
}

// answerPatient is an answer or a notification before the doctor.
func answerPatient(at, nonce, sign string, body []byte) patientV3 {
	return patientV3{
		parts: []partV3{timePart(at), noncePart(nonce), bodyPart(body, "")}, layouts: lineLayouts(len(body) == 0),
		text: answerText(at, nonce, body), sign: sign, brief: len(body) > longText,
	}
}

func methodPart(method string) partV3 {
	out := partV3{{"", "", method}}
	if lower := strings.ToLower(method); lower != method {
		out = append(out, variant{causeLower, "请求方法签成了小写。The method was signed in lower case.", lower})
	}
	for _, other := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		if other != method {
			out = append(out, variant{causeURL, "签的方法是 " + other + "，发的是 " + method + "。Another method was signed than sent.", other})
		}
	}
	return out
}

// targetPart are the ways to write the second line.
func targetPart(target, base string) partV3 {
	out := partV3{{"", "", target}}
	add := func(cause, words, value string) {
		if !slices.ContainsFunc(out, func(v variant) bool { return v.value == value }) {
			out = append(out, variant{cause, words, value})
		}
	}
	path, query, _ := strings.Cut(target, "?")
	if query != "" {
		const words = "查询串没有签进去。The query string was not signed; it belongs to the second line."
		add(causeURL, words, path)
		add(causeURL, words, path+"?")
	}
	const full = "签了整个网址，只要路径和查询串。The full URL was signed; the second line is path and query only."
	for _, host := range []string{base, "https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com", "http://api.mch.weixin.qq.com", "api.mch.weixin.qq.com"} {
		add(causeURL, full, host+target)
		add(causeURL, full, host+path)
	}
	add(causeURL, "路径少了开头的斜杠。The path lacks its slash in front.", strings.TrimPrefix(target, "/"))
	add(causeURL, "路径少了 /v3。The path lacks /v3.", strings.TrimPrefix(target, "/v3"))
	add(causeURL, "路径末尾多了斜杠或问号。There is a slash or a question mark too many.", target+"/")
	add(causeURL, "路径末尾多了斜杠或问号。There is a slash or a question mark too many.", target+"?")
	const escaped = "路径或查询串的转义和发出去的不一样。Path or query were escaped otherwise than on the request line: sign the very bytes that go out."
	escape := strings.NewReplacer("|", "%7C", "*", "%2A")
	add(causeEscaped, escaped, escape.Replace(target))
	add(causeEscaped, escaped, strings.NewReplacer("%7C", "|", "%2A", "*", "%7c", "|", "%2a", "*").Replace(target))
	add(causeEscaped, escaped, strings.NewReplacer("%7C", "|", "%7c", "|").Replace(target))
	if plain, err := url.PathUnescape(target); err == nil {
		add(causeEscaped, escaped, plain)
	}
	add(causeEscaped, escaped, url.QueryEscape(target))
	if values, err := url.ParseQuery(query); err == nil && query != "" {
		add(causeURL, "查询参数的次序和发出去的不一样。The query parameters were signed in another order than sent.", path+"?"+values.Encode())
	}
	return out
}

// timePart are the ways to write a timestamp.
func timePart(at string) partV3 {
	out := partV3{{"", "", at}}
	switch len(at) {
	case 10:
		out = append(out, variant{causeTime, "签的是毫秒，发的是秒。Milliseconds were signed, seconds were sent.", at + "000"})
	case 13:
		out = append(out, variant{causeTime, "签的是秒，发的是毫秒。Seconds were signed, milliseconds were sent.", at[:10]})
	}
	n, err := strconv.ParseInt(at, 10, 64)
	for off := int64(1); err == nil && off <= 3; off++ {
		for _, other := range []int64{n - off, n + off} {
			out = append(out, variant{causeTime, "时间戳取了两次，签的和发的不是同一个。The clock was read twice: another timestamp was signed than sent.", strconv.FormatInt(other, 10)})
		}
	}
	return out
}

func noncePart(nonce string) partV3 {
	out := partV3{{"", "", nonce}}
	for _, other := range []string{strings.ToLower(nonce), strings.ToUpper(nonce), ""} {
		if other != nonce {
			out = append(out, variant{causeEscaped, "随机串签的和发的不一样。Another nonce was signed than sent.", other})
		}
	}
	return out
}

// bodyPart are the ways to change a body between signing and sending.
func bodyPart(body []byte, method string) partV3 {
	text := string(body)
	out := partV3{{"", "", text}}
	add := func(cause, words, value string) {
		if !slices.ContainsFunc(out, func(v variant) bool { return v.value == value }) {
			out = append(out, variant{cause, words, value})
		}
	}
	const lines = "正文末尾的换行，签的和发的不一样。The body was signed with a line feed at its end and sent without, or the other way; Go's json.Encoder adds one."
	trimmed := strings.TrimRight(text, "\r\n")
	for _, other := range []string{trimmed, trimmed + "\n", trimmed + "\r\n"} {
		add(causeLines, lines, other)
	}
	unix := strings.ReplaceAll(text, "\r\n", "\n")
	add(causeLines, "正文里的换行，签的是 LF，发的是 CRLF。The body was signed with LF and sent with CRLF.", unix)
	add(causeLines, "正文里的换行，签的是 CRLF，发的是 LF。The body was signed with CRLF and sent with LF.", strings.ReplaceAll(unix, "\n", "\r\n"))
	if method == http.MethodGet {
		const words = "GET 没有正文，却签了一个。A body was signed, but a GET has none: the line is empty."
		for _, other := range []string{"{}", "null", "[]", `""`} {
			add(causeReserialised, words, other)
		}
	} else {
		add(causeReserialised, "正文没有签进去。The body was not signed.", "")
	}
	add(causeReserialised, "正文前多了 BOM，或头尾的空白不一样。There is a BOM, or other blanks around the body.", strings.TrimSpace(text))
	add(causeReserialised, "正文前多了 BOM，或头尾的空白不一样。There is a BOM, or other blanks around the body.", strings.TrimPrefix(text, "\ufeff"))
	if len(body) <= maxRecorded {
		for _, other := range reserialised(body) {
			add(causeReserialised, "正文的 JSON 签名前后写得不一样（空格、次序、转义）。The JSON was written anew between signing and sending (blanks, order of keys, escapes): make the bytes once, sign them, send them.", other)
		}
	}
	return out
}
