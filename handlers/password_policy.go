package handlers

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// Bounds of a password in characters (security A2). There is no rule of
// composition and no forced change: length is what counts.
const (
	passwordMin = 12
	passwordMax = 128
)

// Refusals of CheckPassword, by which pages choose their words.
var (
	ErrPasswordShort  = errors.New("a password has at least 12 characters")
	ErrPasswordLong   = errors.New("a password has at most 128 characters")
	ErrPasswordCommon = errors.New("this password is among the first that anybody would try")
	ErrPasswordNamed  = errors.New("a password must not contain the name of the shop or of the user")
)

// CheckPassword says whether a new password may be used. Names are those of
// the shop and of its owner; the password must contain none of them.
func CheckPassword(password string, names ...string) error {
	n := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password) || n > passwordMax:
		return ErrPasswordLong
	case n < passwordMin:
		return ErrPasswordShort
	}
	lower := strings.ToLower(password)
	for _, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		if utf8.RuneCountInString(name) >= 2 && strings.Contains(lower, name) {
			return ErrPasswordNamed
		}
	}
	if isCommon(lower) {
		return ErrPasswordCommon
	}
	return nil
}

// decoration is how many figures and signs around known words do not help: a
// year, a birthday, an exclamation mark.
const decoration = 8

// isCommon finds what people type when 12 characters are asked for: one piece
// over and over, a walk along the keyboard or the alphabet, or up to three
// known words with figures between them. By taking the decoration away, the
// short list covers many thousand passwords.
func isCommon(lower string) bool {
	if repeats(lower) || walks(lower) {
		return true
	}
	letters := onlyLetters(lower)
	if utf8.RuneCountInString(lower)-len(letters) > decoration {
		return false
	}
	spelt := unleet.Replace(strings.Trim(lower, signs)) // p@ssw0rd2026
	return madeOf(letters, commonWords, 3) || madeOf(onlyLetters(spelt), commonWords, 3)
}

const signs = "0123456789 !@#$%^&*()-_=+.,?/"

func onlyLetters(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(signs, r) {
			return -1
		}
		return r
	}, s)
}

// repeats: the same piece of at most 6 characters over and over.
func repeats(s string) bool {
	for n := 1; n <= 6 && n*2 <= len(s); n++ {
		if strings.HasPrefix(strings.Repeat(s[:n], len(s)/n+1), s) {
			return true
		}
	}
	return false
}

// walks: nothing but runs of at least 3 characters along the rows, forwards or
// backwards: "qwertyuiop12", "abcdef123456", "1q2w3e4r5t6y".
func walks(s string) bool {
	for len(s) > 0 {
		n := 0
		for _, row := range rows {
			n = max(n, run(s, row))
		}
		if n < 3 {
			return len(s) < 3
		}
		s = s[n:]
	}
	return true
}

// run is the length of the longest beginning of s that lies in row.
func run(s, row string) int {
	n := 0
	for n < len(s) && strings.Contains(row, s[:n+1]) {
		n++
	}
	return n
}

// madeOf reports whether s is nothing but words of the list, at most so many
// of them; single letters do not count. Greedy is enough: the longest word at
// each place.
func madeOf(s string, words []string, most int) bool {
	if s == "" {
		return false
	}
	for s != "" {
		longest := 0
		for _, w := range words {
			if len(w) > longest && strings.HasPrefix(s, w) {
				longest = len(w)
			}
		}
		if longest == 0 {
			return false
		}
		if longest > 1 {
			most--
		}
		s = s[longest:]
	}
	return most >= 0
}

var unleet = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i")

var rows = []string{
	"01234567890", "09876543210", "abcdefghijklmnopqrstuvwxyz", "zyxwvutsrqponmlkjihgfedcba",
	"qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", "poiuytrewq", "lkjhgfdsa", "mnbvcxz",
	"1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0", "1qaz2wsx3edc4rfv5tgb6yhn7ujm", "qazwsxedcrfvtgbyhnujm",
	"!@#$%^&*()", "147258369", "123321", "112233445566778899", "aabbccddeeff",
}

// commonWords are the words of the commonest passwords, Chinese ones in
// pinyin among them; single letters that people add are there as well.
var commonWords = strings.Fields(`
a i s x y z qq ww aa abc abcd abcde xyz
password passwort passwd pass passcode parola secret geheim letmein welcome hello hi login signin
admin administrator root user username guest test tester testing demo sample default changeme change me temp
qwerty qwert qwertyuiop asdf asdfgh asdfghjkl zxcv zxcvbn zxcvbnm qaz wsx edc qazwsx
iloveyou ilove love lover loveyou you baby angel princess prince sunshine flower sweet honey darling
monkey dragon tiger lion eagle panda cat dog puppy kitty horse bear fish
superman batman spiderman ironman starwars pokemon naruto pikachu matrix master shadow ninja samurai
football soccer baseball basketball hockey tennis liverpool chelsea arsenal barcelona madrid
michael jordan jennifer jessica ashley daniel thomas robert andrew charlie george harley hunter
summer winter spring autumn monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september october november december
computer internet windows microsoft google apple samsung android iphone huawei xiaomi tencent wechat weixin alipay taobao baidu
company office work money cash bank dollar yuan gold silver rich lucky happy forever freedom trust no one
blue red green black white orange purple yellow pink
shop store market goods order pay payment tea teahouse merchant owner staff manager boss service
woaini woaiwo aini wo ai ni woshi shishei nihao mima wodemima zhongguo china beijing shanghai guangzhou shenzhen hangzhou
zhang wang liu chen yang zhao huang zhou wu xu sun ma zhu lin guo
wangwei zhangwei liwei xiaoming laoban dianpu shangdian fuwu guanli guanliyuan chaye chapu gongxi facai gongxifacai baobei laopo laogong mama baba
super power strong new old my your the this that is best good bad cool hot big
correcthorsebatterystaple correct horse battery staple
`)
