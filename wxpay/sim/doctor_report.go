package sim

import (
	"slices"
	"strconv"
	"strings"

	"wxshop/wxpay/sim/console"
)

// diagnose explains why the signature of a message does not hold.
func (s *Sim) diagnose(m signedMessage) *diagnosisJSON {
	right := s.endings(m)[0]
	text := join(m.sorted()) + right.tail
	d := &diagnosisJSON{StringToSign: s.masked(text), Received: s.masked(m.sign), FirstDifference: -1}
	if !s.opts.Public { // or anybody could have anything signed
		fields := m.fields
		if m.bridge {
			fields = bridgeFields(m)
		}
		d.Expected = signature(fields, right.key, m.alg)
	}
	f, found := s.find(m)
	switch {
	case found && len(f.causes) > 0:
		d.Cause, d.Explanation = f.causes[0], sentence(f.words)
		d.FirstDifference = firstDifference(text, f.text, len(text)-len(right.key))
		if f.text != text {
			d.Signed = s.maskedKey(f.text)
		}
	case len(m.sign) != len(signature(nil, "", m.alg)):
		d.Cause = causeAlgorithm
		d.Explanation = "签名有 " + strconv.Itoa(len(m.sign)) + " 个字符，" + m.alg + " 的应有 " + strconv.Itoa(len(signature(nil, "", m.alg))) +
			" 个。The signature is not as long as one of " + m.alg + "; besides, none of the known keys leads to it."
	default:
		d.Cause = causeKey
		d.Explanation = "没有一种变体对得上，多半是密钥不对。None of the variants leads to this signature: most likely the key is another merchant's or an old one" +
			" (or a field was changed after signing). 对一遍下面这个串，再对一遍密钥。"
	}
	return d
}

// sentence says all that was found; the first stands in bold.
func sentence(words []string) string {
	return strings.Join(slices.Compact(words), " 另外 also: ")
}

// firstDifference is the first byte in which two strings differ, at the
// latest where the key begins; −1: they do not.
func firstDifference(right, wrong string, key int) int {
	for i := range min(len(right), len(wrong)) {
		if right[i] != wrong[i] {
			return min(i, key)
		}
	}
	if len(right) == len(wrong) {
		return -1
	}
	return min(len(right), len(wrong), key)
}

// masked shows no secret: each is replaced by its name.
func (s *Sim) masked(text string) string {
	id := s.ids.view()
	for _, k := range []knownKey{
		{"APIv2 密钥", id.APIKey}, {"APIv3 密钥", id.APIv3Key}, {"公众号 AppSecret", id.AppSecret},
		{"小程序 AppSecret", id.MiniAppSecret}, {"沙箱密钥", s.sandboxKey()},
	} {
		text = strings.ReplaceAll(text, k.value, "（"+k.word+"）")
	}
	return text
}

// maskedKey is masked for a string that was really signed: whatever stands as
// the key in it is a secret, changed or not.
func (s *Sim) maskedKey(text string) string {
	shown := s.masked(text)
	for _, k := range s.knownKeys()[:4] {
		for _, changed := range []string{strings.ToLower(k.value), strings.ToUpper(k.value), hexLower(k.value)} {
			shown = strings.ReplaceAll(shown, changed, "（改过的"+k.word+"）")
		}
	}
	return strings.NewReplacer("\n", "⏎", "\r", "␍", "\t", "⇥", "\u00a0", "␣", "\ufeff", "（BOM）").Replace(shown)
}

// shownDiagnosis is a diagnosis for the console.
func shownDiagnosis(d *diagnosisJSON) *console.Diagnosis {
	if d == nil {
		return nil
	}
	return &console.Diagnosis{
		Cause: d.Cause, Explanation: d.Explanation, StringToSign: d.StringToSign, Expected: d.Expected,
		Received: d.Received, Signed: d.Signed, FirstDifference: d.FirstDifference,
	}
}

// requestMessage is a call of v2 for the doctor.
func requestMessage(doc string, fields map[string]string, alg, key string) signedMessage {
	names, raw := rawElements(doc)
	return signedMessage{fields: fields, names: names, raw: raw, sign: fields["sign"], alg: alg, rightly: key}
}

// bridgeMessage is a getBrandWCPayRequest for the doctor.
func bridgeMessage(p bridgeParams, alg, key string) signedMessage {
	return signedMessage{bridge: true, sign: p.paySign, alg: alg, rightly: key, fields: map[string]string{
		"appId": p.appID, "timeStamp": p.timeStamp, "nonceStr": p.nonceStr, "package": p.pkg, "signType": p.signType, "paySign": p.paySign,
	}}
}

// bridgeFields are what paySign is over.
func bridgeFields(m signedMessage) map[string]string {
	out := map[string]string{}
	for name, value := range m.fields {
		if name != "paySign" {
			out[name] = value
		}
	}
	return out
}

// diagnoseSheet explains a refused paySign. Without a wrong signature it is
// the signType that differs from the order's.
func (s *Sim) diagnoseSheet(p bridgeParams, alg, key string) *diagnosisJSON {
	m := bridgeMessage(p, alg, key)
	if p.signType == alg {
		return s.diagnose(m)
	}
	d := s.diagnose(m)
	if signedBy(bridgeFields(m), p.paySign, s.endings(m)[0].key, p.signType) || d.Cause == causeAlgorithm || d.Cause == causeSignType {
		d.Cause = causeSignType
		d.Explanation = "下单用的是 " + alg + "，付款窗口用的是 " + p.signType + "，两处必须一样。The order was placed with " + alg +
			", the pay sheet asks with " + p.signType + ": both must be the same."
	}
	return d
}
