package sim

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"slices"
	"strings"
)

// The causes that the signature doctor names.
const (
	causeKey        = "wrong-key"
	causeBlanks     = "key-has-blanks"
	causeAlgorithm  = "wrong-algorithm"
	causeSignType   = "sign-type-mismatch"
	causeEmpty      = "empty-parameters"
	causeLower      = "lower-case"
	causeEscaped    = "escaped-values"
	causeTime       = "timestamp"
	causeNames      = "parameter-names"   // signed under another spelling than sent
	causeOrder      = "parameter-order"   // not sorted by bytes
	causeUnsigned   = "unsigned-field"    // added after signing
	causeMissing    = "missing-sign"      // there is nothing to verify
	causeUnreadable = "not-a-message"     // the body is not what is signed
	causeNoSign     = "nothing-is-signed" // of its kind, as refund notifications
)

// signedMessage is what a signature is about.
type signedMessage struct {
	fields  map[string]string
	names   []string          // in the order in which they came
	raw     map[string]string // values as they stood in the document, markup and all
	sign    string
	alg     string // what it should be signed with
	bridge  bool   // the six parameters of the pay sheet
	rightly string // the right key; empty: the merchant's v2 key
}

// knownKey is a secret that somebody may have taken for the key.
type knownKey struct{ word, value string }

// knownKeys are the right key and then all others that a configuration holds.
func (s *Sim) knownKeys() []knownKey {
	id := s.ids.view()
	return []knownKey{
		{"APIv2 密钥", id.APIKey}, {"APIv3 密钥", id.APIv3Key}, {"公众号 AppSecret", id.AppSecret},
		{"小程序 AppSecret", id.MiniAppSecret}, {"沙箱密钥", s.sandboxKey()}, {"商户号", id.MchID}, {"appid", id.AppID},
		{"商户证书序列号", id.MerchantSerialNo}, {"官方文档里的示例密钥", "192006250b4c09247ec02edce69f6a2d"},
	}
}

// spelling is one way to write what is signed, up to the key.
type spelling struct {
	cause, words string
	text         string // "a=1&b=2&"
	alg          string // implied; empty: whichever
}

// ending is one way to end it, and the key of the HMAC.
type ending struct{ cause, words, tail, key string }

// digest is one algorithm.
type digest struct {
	cause, words, name string
	sum                func(text, key string) string
}

func hexSum(h hash.Hash, text string) string {
	h.Write([]byte(text))
	return strings.ToUpper(hex.EncodeToString(h.Sum(nil)))
}

// digests are those whose result has a length, the declared one first.
func digests(declared string, length int) []digest {
	all := []digest{
		{causeAlgorithm, "签名是 MD5 算的，这里要的不是它。Signed with MD5, but another algorithm was declared.", algMD5, func(t, _ string) string { return hexSum(md5.New(), t) }},
		{causeAlgorithm, "签名是 HMAC-SHA256 算的，却没有声明 sign_type=HMAC-SHA256。Signed with HMAC-SHA256, but MD5 was declared (no sign_type means MD5).", algHMAC,
			func(t, k string) string { return hexSum(hmac.New(sha256.New, []byte(k)), t) }},
		{causeAlgorithm, "签名是不带密钥的 SHA-256，要的是 HMAC-SHA256。Signed with plain SHA-256; HMAC-SHA256 takes the key as its own key, too.", "SHA-256", func(t, _ string) string { return hexSum(sha256.New(), t) }},
		{causeAlgorithm, "签名是 SHA-1 算的，那是 JS-SDK 的 wx.config 用的。Signed with SHA-1, which belongs to wx.config; payments use MD5 or HMAC-SHA256.", "SHA-1", func(t, _ string) string { return hexSum(sha1.New(), t) }},
		{causeAlgorithm, "签名是 HMAC-MD5 算的，微信没有这一种。Signed with HMAC-MD5, which WeChat does not have.", "HMAC-MD5", func(t, k string) string { return hexSum(hmac.New(md5.New, []byte(k)), t) }},
	}
	sizes := map[string]int{algMD5: 32, algHMAC: 64, "SHA-256": 64, "SHA-1": 40, "HMAC-MD5": 32}
	var out []digest
	for _, d := range all {
		if d.name == declared {
			d.cause, d.words = "", ""
		}
		if sizes[d.name] == length {
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b digest) int { return len(a.cause) - len(b.cause) })
	return out
}

// endings are the right key and then everything that is taken for it.
func (s *Sim) endings(m signedMessage) []ending {
	keys := s.knownKeys()
	right := keys[0].value
	if m.rightly != "" {
		right = m.rightly
	}
	out := []ending{{"", "", "key=" + right, right}}
	for _, k := range keys {
		if k.value != "" && k.value != right {
			out = append(out, ending{causeKey, "密钥用成了" + k.word + "，要用商户平台上设的 APIv2 密钥。Signed with another secret than the merchant's API v2 key.", "key=" + k.value, k.value})
		}
	}
	for _, blank := range []string{"\n", "\r\n", " ", "\t", "\r", "\u00a0", "\ufeff"} {
		for _, key := range []string{right + blank, blank + right, blank + right + blank} {
			out = append(out, ending{causeBlanks, "密钥的头或尾多了空格、换行或 BOM。The key has a blank, a line break or a BOM at one of its ends; trim what you read from file or environment.", "key=" + key, key})
		}
	}
	for _, changed := range []string{strings.ToLower(right), strings.ToUpper(right), hexLower(right)} {
		if changed != right {
			out = append(out, ending{causeKey, "密钥被改了大小写，或先做了一次 MD5。The key was changed in case, or hashed, before it was used.", "key=" + changed, changed})
		}
	}
	return append(out,
		ending{causeKey, "串的末尾没有接 &key=密钥。The string to sign lacks &key= and the key at its end.", "", right},
		ending{causeKey, "密钥直接接在了串后面，少了 key=。The key was appended without key= before it.", right, right},
		ending{causeKey, "末尾接的是 &secret=，那是企业微信的。The string ends in &secret=, which belongs to WeCom; it must be &key=.", "secret=" + right, right},
		ending{causeKey, "密钥是空的。The key is empty: is the configuration read at all?", "key=", ""},
	)
}

func hexLower(key string) string {
	sum := md5.Sum([]byte(key))
	return hex.EncodeToString(sum[:])
}

// finding is a way that leads to the signature that came.
type finding struct {
	causes, words []string
	text          string // the whole string that was signed
}

func (f *finding) blame(cause, words string) {
	if cause != "" {
		f.causes, f.words = append(f.causes, cause), append(f.words, words)
	}
}

// find tries one mistake after the other, then two at once.
func (s *Sim) find(m signedMessage) (finding, bool) {
	texts, ends, sums := spellings(m), s.endings(m), digests(m.alg, len(m.sign))
	most := 2
	if len(texts[0].text) > 4<<10 || s.opts.Public {
		most = 1 // a long body makes every try dear, and strangers must not keep us busy
	}
	for mistakes := 0; mistakes <= most; mistakes++ {
		for _, t := range texts {
			for _, e := range ends {
				for _, d := range sums {
					if f, ok := tryOne(m, t, e, d, mistakes); ok {
						return f, true
					}
				}
			}
		}
	}
	return finding{}, false
}

// tryOne computes one variant that has so many mistakes in it.
func tryOne(m signedMessage, t spelling, e ending, d digest, mistakes int) (finding, bool) {
	implied := t.alg != "" && t.alg == d.name
	if t.alg != "" && !implied {
		return finding{}, false
	}
	n := 0
	for _, cause := range []string{t.cause, e.cause} {
		if cause != "" {
			n++
		}
	}
	if d.cause != "" && !implied {
		n++
	}
	if n != mistakes {
		return finding{}, false
	}
	text := t.text + e.tail
	if e.tail == "" || !strings.Contains(e.tail, "=") {
		text = strings.TrimSuffix(t.text, "&") + e.tail
	}
	sum := d.sum(text, e.key)
	if !strings.EqualFold(sum, m.sign) {
		return finding{}, false
	}
	f := finding{text: text}
	f.blame(e.cause, e.words)
	if !implied {
		f.blame(d.cause, d.words)
	}
	f.blame(t.cause, t.words)
	if sum != m.sign {
		f.blame(causeLower, "签名是小写的，要转成大写。The digest is in lower case; WeChat wants upper case.")
	}
	return f, true
}
