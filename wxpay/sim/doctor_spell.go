package sim

import (
	"encoding/json"
	"html"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
)

// param is a name with its value, as it is written into the string to sign.
type param struct{ name, value string }

func (m signedMessage) sorted() []param {
	var out []param
	for _, name := range slices.Sorted(maps.Keys(m.fields)) {
		if name != m.signName() && m.fields[name] != "" {
			out = append(out, param{name, m.fields[name]})
		}
	}
	return out
}

// signName is the field that carries the signature.
func (m signedMessage) signName() string {
	if m.bridge {
		return "paySign"
	}
	return "sign"
}

func join(pairs []param) string {
	var b strings.Builder
	for _, p := range pairs {
		b.WriteString(p.name + "=" + p.value + "&")
	}
	return b.String()
}

// with returns pairs in which one name has another value, sorted in if new.
func with(pairs []param, name, value string) []param {
	out := without(pairs, name)
	out = append(out, param{name, value})
	slices.SortStableFunc(out, func(a, b param) int { return strings.Compare(a.name, b.name) })
	return out
}

func without(pairs []param, name string) []param {
	return slices.DeleteFunc(slices.Clone(pairs), func(p param) bool { return p.name == name })
}

func each(pairs []param, change func(string) string) []param {
	out := slices.Clone(pairs)
	for i := range out {
		out[i].value = change(out[i].value)
	}
	return out
}

// spellings are the right string first, then every way to get it wrong that
// was ever met.
func spellings(m signedMessage) []spelling {
	right := m.sorted()
	out := []spelling{{text: join(right)}}
	add := func(cause, words string, pairs []param, alg string) {
		if text := join(pairs); !slices.ContainsFunc(out, func(s spelling) bool { return s.text == text && s.alg == alg }) {
			out = append(out, spelling{cause, words, text, alg})
		}
	}
	if m.bridge {
		bridgeSpellings(m, right, add)
	} else {
		signTypeSpellings(m, right, add)
	}
	emptySpellings(m, right, add)
	escapedSpellings(m, right, add)
	orderSpellings(m, right, add)
	for _, p := range right {
		add(causeUnsigned, p.name+" 是签完名以后才加上或改掉的。"+p.name+" was added, or changed, after signing: sign exactly the fields that you send.", without(right, p.name), "")
	}
	return out
}

type adder func(cause, words string, pairs []param, alg string)

func signTypeSpellings(m signedMessage, right []param, add adder) {
	if _, sent := m.fields["sign_type"]; sent {
		add(causeSignType, "sign_type 发了，却没有签进去。sign_type was sent but not signed; it is a field like any other.", without(right, "sign_type"), "")
	}
	for _, alg := range []string{algMD5, algHMAC} {
		if m.fields["sign_type"] != alg {
			add(causeSignType, "sign_type="+alg+" 签了，却没有照样发出来。sign_type="+alg+" was signed but not sent like that.", with(right, "sign_type", alg), alg)
			add(causeSignType, "sign_type="+alg+" 签了，却没有照样发出来。sign_type="+alg+" was signed but not sent like that.", with(right, "sign_type", alg), "")
		}
	}
}

// optional are fields that a program may sign empty and then not send.
var optional = []string{
	"attach", "detail", "device_info", "fee_type", "goods_tag", "limit_pay", "openid", "product_id", "receipt", "scene_info", "sign",
	"sub_appid", "sub_mch_id", "sub_openid", "time_expire", "time_start", "transaction_id",
}

func emptySpellings(m signedMessage, right []param, add adder) {
	const words = "空参数也签进去了。Empty parameters were signed; WeChat signs only those with a value. 去掉空参数再签，或者不要发它。"
	var empty []string
	for name, value := range m.fields {
		if value == "" && name != m.signName() {
			empty = append(empty, name)
		}
	}
	for _, nothing := range []string{"", "null", "undefined", "None", "nil", "<nil>"} {
		all := right
		for _, name := range empty {
			all = with(all, name, nothing)
			add(causeEmpty, words, with(right, name, nothing), "")
		}
		add(causeEmpty, words, all, "")
		add(causeEmpty, words, with(all, m.signName(), nothing), "")
	}
	if m.bridge {
		return
	}
	for i, a := range optional {
		if m.fields[a] != "" {
			continue
		}
		one := with(right, a, "")
		add(causeEmpty, words, one, "")
		for _, b := range optional[i+1:] {
			if m.fields[b] == "" {
				add(causeEmpty, words, with(one, b, ""), "")
			}
		}
	}
}

// escapes are what programs do to values before they sign them.
var escapes = []func(string) string{
	url.QueryEscape,
	func(v string) string { return strings.ReplaceAll(url.QueryEscape(v), "+", "%20") },
	encodeURI,
	func(v string) string { return strings.ToLower(url.QueryEscape(v)) },
	html.EscapeString,
	func(v string) string {
		return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;").Replace(v)
	},
	func(v string) string { return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(v) },
	func(v string) string { return "<![CDATA[" + v + "]]>" },
	quotedJSON, asciiJSON,
	strings.TrimSpace, strings.ToLower, strings.ToUpper,
	func(v string) string { return strings.ReplaceAll(v, " ", "") },
	func(v string) string { return strings.ReplaceAll(v, " ", "+") },
	func(v string) string { return strings.ReplaceAll(v, "/", `\/`) },
	unescaped,
}

func unescaped(v string) string {
	if plain, err := url.QueryUnescape(v); err == nil {
		return plain
	}
	return v
}

// encodeURI is encodeURIComponent of JavaScript.
func encodeURI(v string) string {
	return strings.NewReplacer("+", "%20", "%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*", "%7E", "~").Replace(url.QueryEscape(v))
}

func quotedJSON(v string) string {
	b, err := json.Marshal(v)
	if err != nil {
		return v
	}
	return strings.Trim(string(b), `"`)
}

// asciiJSON is what Python and PHP make of Chinese in JSON.
func asciiJSON(v string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(v)) {
		if u < 0x80 {
			b.WriteByte(byte(u))
			continue
		}
		b.WriteString(`\u`)
		for shift := 12; shift >= 0; shift -= 4 {
			b.WriteByte(hex[u>>shift&15])
		}
	}
	return b.String()
}

func escapedSpellings(m signedMessage, right []param, add adder) {
	const words = "值在签名以前被转义或改写了。Values were escaped (URL, XML, CDATA, JSON) or changed before signing: sign the plain values, escape only what goes into the document."
	if len(m.raw) > 0 {
		raw := slices.Clone(right)
		for i := range raw {
			raw[i].value = m.raw[raw[i].name]
		}
		add(causeEscaped, words, raw, "")
	}
	for _, escape := range escapes {
		add(causeEscaped, words, each(right, escape), "")
	}
	for _, escape := range escapes {
		for _, p := range right {
			if changed := escape(p.value); changed != p.value {
				add(causeEscaped, words, with(right, p.name, changed), "")
			}
		}
	}
}

func orderSpellings(m signedMessage, right []param, add adder) {
	const words = "参数没有按名字的字节顺序排。The parameters were not sorted by the bytes of their names (upper case before lower case)."
	var came []param
	for _, name := range m.names {
		if i := slices.IndexFunc(right, func(p param) bool { return p.name == name }); i >= 0 {
			came = append(came, right[i])
		}
	}
	if len(came) == len(right) {
		add(causeOrder, words, came, "")
	}
	folded := slices.Clone(right)
	slices.SortStableFunc(folded, func(a, b param) int { return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) })
	add(causeOrder, words, folded, "")
	back := slices.Clone(right)
	slices.Reverse(back)
	add(causeOrder, words, back, "")
}

// bridgeSpellings are the mistakes around the pay sheet, whose names are
// spelled differently in every corner of the documents.
func bridgeSpellings(m signedMessage, right []param, add adder) {
	rename := func(pairs []param, from, to string) []param {
		out := slices.Clone(pairs)
		for i := range out {
			if out[i].name == from {
				out[i].name = to
			}
		}
		slices.SortStableFunc(out, func(a, b param) int { return strings.Compare(a.name, b.name) })
		return out
	}
	const words = "参数名的大小写签错了。paySign is over appId, nonceStr, package, signType and timeStamp, in exactly this case."
	odd := [][2]string{{"timeStamp", "timestamp"}, {"appId", "appid"}, {"nonceStr", "noncestr"}, {"nonceStr", "nonce_str"}, {"signType", "sign_type"}, {"package", "prepay_id"}}
	all := right
	for i, o := range odd {
		add(causeNames, words, rename(right, o[0], o[1]), "")
		if i < 3 {
			all = rename(all, o[0], o[1])
			add(causeNames, words, all, "")
		}
	}
	add(causeSignType, "signType 没有签进去。signType was sent but not signed.", without(right, "signType"), "")
	for _, alg := range []string{algMD5, algHMAC} {
		if m.fields["signType"] != alg {
			add(causeSignType, "signType 签的和发的不一样。Another signType was signed than sent; it must be that of the unifiedorder.", with(right, "signType", alg), alg)
		}
	}
	if id, ok := strings.CutPrefix(m.fields["package"], "prepay_id="); ok {
		add(causeEscaped, "package 要连同 prepay_id= 一起签。package was signed without prepay_id=.", with(right, "package", id), "")
	}
	stamp := m.fields["timeStamp"]
	const late = "timeStamp 签的和发的不一样：应是秒，10 位，字符串。timeStamp was signed otherwise than sent; it is in seconds, ten digits, a string."
	if len(stamp) == 13 {
		add(causeTime, late, with(right, "timeStamp", stamp[:10]), "")
	}
	if len(stamp) == 10 {
		add(causeTime, late, with(right, "timeStamp", stamp+"000"), "")
	}
}

var elementForm = regexp.MustCompile(`(?s)<([A-Za-z_][A-Za-z0-9_]*)>(.*?)</`)

// rawElements are the names in their order and the values with their markup.
func rawElements(doc string) (names []string, raw map[string]string) {
	raw = map[string]string{}
	_, inside, ok := strings.Cut(doc, "<xml>")
	if !ok {
		return nil, raw
	}
	for _, found := range elementForm.FindAllStringSubmatch(inside, maxFields) {
		names, raw[found[1]] = append(names, found[1]), found[2]
	}
	return names, raw
}
