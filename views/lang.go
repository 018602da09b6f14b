package views

// Lang is a language of the shop. The zero value is Chinese.
type Lang uint8

// The languages.
const (
	ZH Lang = iota
	EN
)

// Tag is the language as HTML and HTTP write it.
func (l Lang) Tag() string {
	if l == EN {
		return "en"
	}
	return "zh-CN"
}

// ParseLang reads the value of Tag or its first part ("zh", "en"), and reports
// whether it knew it.
func ParseLang(s string) (Lang, bool) {
	switch s {
	case "zh-CN", "zh":
		return ZH, true
	case "en":
		return EN, true
	}
	return ZH, false
}
