package sim

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// examineV3 looks at a pasted message of API v3.
func (s *Sim) examineV3(in diagnoseJSON) (foundJSON, error) {
	h := http.Header{}
	for name, value := range in.Headers {
		h.Set(strings.TrimSpace(name), value)
	}
	if in.Direction != "request" {
		return s.examineAnswer(in, h)
	}
	if strings.HasPrefix(strings.TrimSpace(in.Body), "{") && strings.Contains(in.Body, "paySign") {
		return s.examineBridge(in.Body)
	}
	target := in.URL
	if u, err := url.Parse(in.URL); err == nil && u.Host != "" {
		target = u.RequestURI()
	}
	if in.Method == "" || !strings.HasPrefix(target, "/") {
		return foundJSON{}, badRequest(`a request of API v3 is looked at with its method and url, such as {"method":"GET","url":"/v3/certificates"}, its headers and its body`)
	}
	d := s.diagnoseRequest(strings.ToUpper(in.Method), target, h.Get("Authorization"), []byte(in.Body), true)
	if d.Cause != "" {
		return foundJSON{diagnosisJSON: *d}, nil
	}
	d.Explanation = "签名是对的。The signature holds."
	a, _ := parseAuthorization(h.Get("Authorization"))
	if words := skewSaid(a.timestamp, s.opts.Now()); words != "" {
		d.Explanation += " 现在重发会被拒绝：Sent now it would be refused: " + words
	}
	return foundJSON{Valid: true, diagnosisJSON: *d}, nil
}

// The words about messages that cannot be verified.
const (
	saidUnsigned = "没有 Wechatpay-Signature。There is no signature. 2xx 应答和通知没有签名就是伪造的（也可能被代理、CDN 或应用服务器去掉了头）；401、400 和账单文件本来就不签。" +
		"A 2xx or a notification without one is forged, unless a proxy dropped the headers; refusals and bill files are not signed."
	saidProbe = "这是微信的签名探测：按验签失败处理，应答 4xx 或 5xx，微信会再发一次签对的。This is WeChat's signature probe: refuse it like any wrong signature, it comes again rightly signed."
	saidHolds = "签名是对的，用的是 "
	saidUsual = "。The signature holds. 如果你的程序说不对，常见的是：正文先被框架解析又写回（要用收到的原始字节）；拿商户证书当了平台证书；没按 Wechatpay-Serial 选公钥。" +
		"If your program disagrees: verify the raw bytes of the body, with the key that Wechatpay-Serial names, and never with the merchant's own certificate."
)

// examineAnswer looks at an answer or a notification of API v3.
func (s *Sim) examineAnswer(in diagnoseJSON, h http.Header) (foundJSON, error) {
	at, nonce, serial, sign := h.Get("Wechatpay-Timestamp"), h.Get("Wechatpay-Nonce"), h.Get("Wechatpay-Serial"), h.Get("Wechatpay-Signature")
	p := answerPatient(at, nonce, sign, []byte(in.Body))
	p.brief = p.brief || s.opts.Public
	ring, err := s.ids.keyring()
	if err != nil {
		return foundJSON{}, err
	}
	said := func(cause, words string) (foundJSON, error) {
		d := s.diagnosisOf(p, finding{causes: []string{cause}, words: []string{words}})
		return foundJSON{diagnosisJSON: d}, nil
	}
	key, words := ring.named(serial)
	switch {
	case sign == "":
		return said(causeMissing, saidUnsigned)
	case strings.HasPrefix(sign, probePrefix):
		return said(causeProbe, saidProbe)
	case at == "" || nonce == "" || serial == "":
		return said(causeUnreadable, "缺 Wechatpay-Timestamp、Wechatpay-Nonce 或 Wechatpay-Serial。One of the headers Wechatpay-Timestamp, -Nonce and -Serial is missing: paste them all; a proxy may have dropped them.")
	case key == nil:
		if who := ring.signer(sign); who != "" {
			words += " 签名其实是" + who + "的。"
		}
		return said(causeSerial, words)
	}
	return s.judgeAnswer(in, p, ring, key, serial, at), nil
}

// judgeAnswer verifies a message whose headers are all there.
func (s *Sim) judgeAnswer(in diagnoseJSON, p patientV3, ring *keyring, key *rsa.PublicKey, serial, at string) foundJSON {
	f := s.treat(p, key, "不是 "+serial+" 的私钥签的。It is not signed by the key that Wechatpay-Serial names: treat it as forged.")
	if who := ring.signer(p.sign); len(f.causes) > 0 && f.causes[0] == causeKey && who != "" {
		if f.words[0] += " 签名是" + who + "的。"; !strings.Contains(who, "商户") {
			f.causes[0] = causeSerial
		}
	}
	if skew := skewSaid(at, s.opts.Now()); len(at) != 10 && skew != "" {
		f.blame(causeTime, skew)
	}
	d := s.diagnosisOf(p, f)
	if d.Cause != "" {
		return foundJSON{diagnosisJSON: d}
	}
	if flaw := s.unsealable(in); flaw.cause != "" {
		d.Cause, d.Explanation = flaw.cause, flaw.words
		return foundJSON{diagnosisJSON: d}
	}
	d.Explanation = saidHolds + serial + saidUsual
	if skew := skewSaid(at, s.opts.Now()); skew != "" {
		d.Explanation += " 但它过了 5 分钟，现在收到要拒绝：but it is too old to be believed now: " + skew
	}
	return foundJSON{Valid: true, diagnosisJSON: d}
}

// named finds the public half of a key of WeChat's; without one, words say
// what the serial is.
func (k *keyring) named(serial string) (*rsa.PublicKey, string) {
	if serial == k.public.serial {
		return &k.public.key.PublicKey, ""
	}
	for _, c := range k.platform {
		if c.Serial == serial {
			return &c.key.PublicKey, ""
		}
	}
	if isPublicKeyID(serial) {
		return nil, "没有这个微信支付公钥 ID，这里的是 " + k.public.serial + "。No such public key id here: platform_public_key_id of GET /_sim/api/identity."
	}
	return nil, "没有序列号 " + serial + " 的平台证书（换过证书？重新下载 /v3/certificates）。No platform certificate has this serial number: download /v3/certificates again, or refuse the message."
}

// unsealable says why what is sealed in a rightly signed notification cannot
// be opened.
func (s *Sim) unsealable(in diagnoseJSON) flaw {
	if in.Direction != "notification" {
		return flaw{}
	}
	var e envelopeV3
	if err := json.Unmarshal([]byte(in.Body), &e); err != nil || e.Resource.Ciphertext == "" {
		return flaw{causeUnreadable, "签名是对的，正文却不是带 resource 的 JSON。The signature holds, but the body is not JSON with a resource."}
	}
	if len(e.Resource.Nonce) != sealNonce {
		return flaw{causeUnreadable, "resource.nonce 有 " + strconv.Itoa(len(e.Resource.Nonce)) + " 个字节，AES-GCM 要 12 个：先查长度再解密，不然有的库会崩。" +
			"resource.nonce must have 12 bytes: check its length before opening, or libraries panic."}
	}
	if _, err := openGCM(s.ids.view().APIv3Key, e.Resource); err != nil {
		return flaw{causeKey, "签名是对的，但 resource 用现在的 APIv3 密钥解不开（换过密钥？）。The signature holds, but the current APIv3 key does not open resource: was it changed?"}
	}
	return flaw{}
}

// openGCM opens what sealGCM sealed.
func openGCM(key string, sealed sealedV3) ([]byte, error) {
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	text, err := base64.StdEncoding.DecodeString(sealed.Ciphertext)
	if err != nil {
		return nil, err
	}
	return gcm.Open(nil, []byte(sealed.Nonce), text, []byte(sealed.AssociatedData))
}
