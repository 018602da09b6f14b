package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// v3Fail is a refusal of API v3 (WeChat Pay v3, "错误码").
type v3Fail struct {
	status  int
	code    string
	message string
	detail  any // nil: none
	number  int // WeChat's own, at the end of Request-ID

	advice  string         // for the developer: what to change
	finding *diagnosisJSON // why the signature does not hold
}

func (e *v3Fail) Error() string { return e.code + " " + e.message }

// body is the refusal to the byte; WeChat sorts the keys.
func (e *v3Fail) body() []byte {
	return plainJSON(struct {
		Code    string `json:"code"`
		Detail  any    `json:"detail,omitempty"`
		Message string `json:"message"`
	}{e.code, e.detail, e.message})
}

// plainJSON is JSON as WeChat writes it: no HTML escapes, no line feed.
func plainJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // only our own types come here
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// numberSign is WeChat's number of every mistake of a signature.
const numberSign = 268443699

func signError(message string) *v3Fail {
	return &v3Fail{status: http.StatusUnauthorized, code: "SIGN_ERROR", message: message, number: numberSign}
}

// The refusals before the business begins (probed at the live gateway).
const (
	sayHeaders   = "Http头缺少Accept或User-Agent"
	sayFormat    = "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》"
	sayScheme    = "Http头Authorization认证类型不正确"
	sayUnsigned  = "签名信息错误，验签失败"
	sayClock     = "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟"
	sayWrongSign = "签名错误"
	saySerial    = "商户证书序列号有误。"
)

// clockSkew is how far a request's timestamp may be off, either way.
const clockSkew = 5 * time.Minute

// authV3 is an Authorization header.
type authV3 struct{ mchID, nonce, timestamp, serial, signature string }

var (
	errAuthScheme = errors.New("another scheme than " + schemeV3)
	errAuthForm   = errors.New(`not five pairs key="value" joined by commas`)
)

const maxAuthorization = 4 << 10

// parseAuthorization reads an Authorization header: the scheme, one blank, and
// five pairs in any order, each once, joined by commas without blanks (WeChat
// Pay v3, "签名生成").
func parseAuthorization(text string) (authV3, error) {
	var a authV3
	scheme, rest, ok := strings.Cut(text, " ")
	if len(text) > maxAuthorization || !ok {
		return a, errAuthForm
	}
	if scheme != schemeV3 {
		return a, errAuthScheme
	}
	to := map[string]*string{
		"mchid": &a.mchID, "nonce_str": &a.nonce, "timestamp": &a.timestamp, "serial_no": &a.serial, "signature": &a.signature,
	}
	for {
		name, value, ok := strings.Cut(rest, `="`)
		if !ok || to[name] == nil {
			return authV3{}, errAuthForm
		}
		value, rest, ok = strings.Cut(value, `"`)
		if !ok || value == "" || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return authV3{}, errAuthForm
		}
		*to[name] = value
		delete(to, name)
		if rest == "" {
			break
		}
		if rest, ok = strings.CutPrefix(rest, ","); !ok {
			return authV3{}, errAuthForm
		}
	}
	if len(to) > 0 {
		return authV3{}, errAuthForm
	}
	return a, nil
}

// verifyV3 checks who signed a request, in WeChat's order: headers, form of
// Authorization, clock, merchant, serial number, signature. body is the body
// to the byte. The refusal, nil when the signature holds, carries the doctor's
// diagnosis; whether the merchant number fits the body is for the caller.
func (s *Sim) verifyV3(r *http.Request, body []byte) *v3Fail {
	path := r.URL.Path
	picky := strings.HasPrefix(path, "/v3/certificates") || strings.HasPrefix(path, "/v3/refund/") || strings.HasPrefix(path, "/v3/bill")
	if picky && (r.Header.Get("Accept") == "" || r.Header.Get("User-Agent") == "") {
		return &v3Fail{status: http.StatusBadRequest, code: "INVALID_REQUEST", message: sayHeaders,
			advice: "这个接口要 Accept: application/json 和非空的 User-Agent。Send Accept and a User-Agent."}
	}
	e := s.checkAuthorization(r, body, picky)
	if e != nil && e.finding == nil {
		e.finding = s.diagnoseRequest(r.Method, rawTarget(r), r.Header.Get("Authorization"), body, false)
	}
	return e
}

func (s *Sim) checkAuthorization(r *http.Request, body []byte, picky bool) *v3Fail {
	a, err := parseAuthorization(r.Header.Get("Authorization"))
	switch {
	case err != nil && !picky:
		return signError(sayUnsigned)
	case errors.Is(err, errAuthScheme):
		return signError(sayScheme)
	case err != nil:
		return signError(sayFormat)
	}
	at, err := strconv.ParseInt(a.timestamp, 10, 64)
	if err != nil {
		return signError(sayFormat)
	}
	if off := s.opts.Now().Unix() - at; off > int64(clockSkew/time.Second) || off < -int64(clockSkew/time.Second) {
		return signError(sayClock)
	}
	id := s.ids.view()
	if a.mchID != id.MchID {
		return signError(sayWrongSign)
	}
	ring, err := s.ids.keyring()
	if err != nil {
		s.log.Error("no keys for API v3", "err", err)
		return &v3Fail{status: http.StatusInternalServerError, code: "SYSTEM_ERROR", message: "系统繁忙，请稍后重试"}
	}
	target := rawTarget(r)
	text := requestText(r.Method, target, a.timestamp, a.nonce, body)
	if a.serial != id.MerchantSerialNo {
		return signMismatch(saySerial, r.Method, target, a, body, len(text))
	}
	if !rsaHolds(&ring.merchant.PublicKey, text, a.signature) {
		return signMismatch(sayWrongSign, r.Method, target, a, body, len(text))
	}
	return nil
}

// signMismatch tells a merchant what the gateway would have signed, as WeChat
// does: all of it but the body, of which there are eight bytes.
func signMismatch(message, method, target string, a authV3, body []byte, length int) *v3Fail {
	type issue struct {
		Issue string `json:"issue"`
	}
	type information struct {
		Method    string `json:"method"`
		Length    int    `json:"sign_message_length"`
		Truncated string `json:"truncated_sign_message"`
		URL       string `json:"url"`
	}
	e := signError(message)
	e.detail = struct {
		Detail   issue       `json:"detail"`
		Field    string      `json:"field"`
		Location string      `json:"location"`
		Sign     information `json:"sign_information"`
	}{issue{"sign not match"}, "signature", "authorization", information{
		method, length, requestText(method, target, a.timestamp, a.nonce, body[:min(len(body), 8)]), target,
	}}
	return e
}
