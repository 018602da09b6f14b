package sim

import (
	"errors"
	"regexp"
	"strings"
)

// diagnoseRequest explains a refused request. pasted: it was not sent just
// now, so its age says nothing.
func (s *Sim) diagnoseRequest(method, target, authorization string, body []byte, pasted bool) *diagnosisJSON {
	a, form := s.readAuthorization(authorization)
	p := requestPatient(method, target, a, body, s.opts.BaseURL)
	p.brief = p.brief || s.opts.Public // strangers must not keep us busy
	ring, err := s.ids.keyring()
	if err != nil || authorization == "" {
		d := s.diagnosisOf(p, finding{})
		d.Cause, d.Explanation = causeMissing, "没有 Authorization 头。There is no Authorization header; API v3 is signed there."
		return &d
	}
	id := s.ids.view()
	var f finding
	f.blame(form.cause, form.words)
	if a.mchID != "" && a.mchID != id.MchID {
		f.blame(causeMerchant, "没有商户号 "+a.mchID+"，这里的是 "+id.MchID+"。No such merchant number here: mch_id of GET /_sim/api/identity is "+id.MchID+".")
	}
	if a.serial != "" && a.serial != id.MerchantSerialNo {
		f.blame(causeSerial, s.serialSaid(a.serial, id))
	}
	if words := skewSaid(a.timestamp, s.opts.Now()); words != "" && a.timestamp != "" && (!pasted || len(a.timestamp) != 10) {
		f.blame(causeTime, words)
	}
	if a.signature != "" {
		t := s.treat(p, &ring.merchant.PublicKey, s.strangeKeySaid(ring, a.signature))
		f.causes, f.words, f.text = append(f.causes, t.causes...), append(f.words, t.words...), t.text
	}
	d := s.diagnosisOf(p, f)
	if !s.opts.Public && d.Cause != "" { // or anybody could have anything signed
		d.Expected, _ = rsaSign(ring.merchant, p.text) // our own key signs
	}
	return &d
}

// strangeKeySaid says whose key signed when it was not the merchant's.
func (s *Sim) strangeKeySaid(ring *keyring, sign string) string {
	if who := ring.signer(sign); who != "" {
		return "这是" + who + "签的，请求要用商户私钥。The request is signed by a key of WeChat's; it must be the merchant's private key."
	}
	return "不是这张商户证书的私钥签的：apiclient_key.pem 要和 serial_no 是一对（换过证书？拿错了文件？）。The private key belongs to another certificate than serial_no names: " +
		"use apiclient_key.pem that came with it; merchant_private_key of GET /_sim/api/identity."
}

// serialSaid says what a wrong serial_no is.
func (s *Sim) serialSaid(serial string, id Identity) string {
	right := " 应是 " + id.MerchantSerialNo + "。"
	plain := strings.ToUpper(strings.TrimLeft(strings.ReplaceAll(strings.TrimPrefix(strings.ToLower(serial), "0x"), ":", ""), "0"))
	switch {
	case plain == id.MerchantSerialNo:
		return "serial_no 要 40 位大写十六进制，不带冒号和 0x。serial_no is 40 hexadecimal digits in upper case, without colons or 0x." + right
	case isPublicKeyID(serial):
		return "serial_no 填成了微信支付公钥 ID，要填商户证书的序列号。serial_no is the id of WeChat's public key; it must be the serial number of the merchant's certificate." + right
	case serial == id.PlatformSerialNo || serial == s.Identity().PlatformSerialNo:
		return "serial_no 填成了平台证书的序列号，要填商户证书的。serial_no names WeChat's certificate; it must name the merchant's." + right
	}
	return "serial_no 不是这个商户的证书（换过证书，或模拟器换了数据目录？）。serial_no is no certificate of this merchant." + right
}

// flaw is a mistake of form.
type flaw struct{ cause, words string }

var looseForm = regexp.MustCompile(`([A-Za-z_]+)\s*[=:]\s*(?:"([^"]*)"|'([^']*)'|([^\s,"']+))`)

// readAuthorization reads a header as well as it can, and says what is wrong
// with its form.
func (s *Sim) readAuthorization(text string) (authV3, flaw) {
	a, err := parseAuthorization(text)
	if err == nil || text == "" {
		return a, flaw{}
	}
	a = authV3{}
	to := map[string]*string{
		"mchid": &a.mchID, "nonce_str": &a.nonce, "timestamp": &a.timestamp, "serial_no": &a.serial, "signature": &a.signature,
	}
	for _, m := range looseForm.FindAllStringSubmatch(text[:min(len(text), maxAuthorization)], 20) {
		if v := to[m[1]]; v != nil && *v == "" {
			*v = m[2] + m[3] + m[4]
		}
	}
	if errors.Is(err, errAuthScheme) {
		return a, flaw{causeAlgorithm, "Authorization 的认证类型要是 " + schemeV3 + "。The scheme of Authorization must be " + schemeV3 + "."}
	}
	var missing []string
	for _, name := range []string{"mchid", "nonce_str", "timestamp", "serial_no", "signature"} {
		if *to[name] == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return a, flaw{causeUnreadable, "Authorization 里缺 " + strings.Join(missing, "、") + "。Authorization lacks " + strings.Join(missing, ", ") + "."}
	}
	return a, flaw{causeUnreadable, `Authorization 要写成：` + schemeV3 + ` mchid="…",nonce_str="…",timestamp="…",serial_no="…",signature="…"：一个空格，双引号，逗号后不空格。` +
		`Authorization is the scheme, one blank, and five pairs name="value" joined by commas without blanks.`}
}

// signer names the key of WeChat's, or the merchant's, that made a signature;
// "": none of them.
func (k *keyring) signer(sign string) string {
	raw, _ := decodeSign(sign)
	if _, ok := openSign(&k.public.key.PublicKey, raw); ok {
		return "微信支付公钥的私钥（" + k.public.serial + "）"
	}
	for _, c := range k.platform {
		if _, ok := openSign(&c.key.PublicKey, raw); ok {
			return "平台证书（" + c.Serial + "）"
		}
	}
	if _, ok := openSign(&k.merchant.PublicKey, raw); ok {
		return "商户自己的私钥"
	}
	return ""
}
