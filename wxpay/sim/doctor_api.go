package sim

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// diagnoseJSON is a message to be looked at: POST /_sim/api/diagnose.
type diagnoseJSON struct {
	API       string            `json:"api"`
	Direction string            `json:"direction"` // request, answer, notification
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      string            `json:"body"`
	Computed  string            `json:"computed"` // what the client computed for an answer or notification that it refuses
}

// foundJSON is what the doctor says about it.
type foundJSON struct {
	Valid bool `json:"valid"`
	diagnosisJSON
}

func (s *Sim) apiDiagnose(r *http.Request) (any, error) {
	var in diagnoseJSON
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	return s.examine(in)
}

// examine looks at a pasted message.
func (s *Sim) examine(in diagnoseJSON) (foundJSON, error) {
	if in.Direction == "" {
		in.Direction = "request"
	}
	switch {
	case in.API != "v2" && in.API != "v3":
		return foundJSON{}, badRequest(`api must be "v2" or "v3"`)
	case !slices.Contains([]string{"request", "answer", "notification"}, in.Direction):
		return foundJSON{}, badRequest("direction must be request, answer or notification")
	case in.API == "v3":
		return s.examineV3(in)
	case strings.TrimSpace(in.Body) == "":
		return foundJSON{}, badRequest("body is empty; paste the message as it is, from the first byte to the last")
	}
	if strings.HasPrefix(strings.TrimSpace(in.Body), "{") {
		return s.examineBridge(in.Body)
	}
	fields, err := readXML([]byte(in.Body))
	if err != nil {
		return foundJSON{diagnosisJSON: diagnosisJSON{Cause: causeUnreadable, FirstDifference: -1,
			Explanation: "正文不是微信支付 v2 的 XML。The body is not one flat <xml> document: no DOCTYPE, no attributes, each element once, UTF-8."}}, nil
	}
	return s.examineFields(in, fields), nil
}

// examineFields looks at a v2 document.
func (s *Sim) examineFields(in diagnoseJSON, fields map[string]string) foundJSON {
	m := requestMessage(in.Body, fields, declaredAlg(in, fields), "")
	if strings.Contains(in.URL, oldSandbox+"/") && !strings.HasSuffix(in.URL, "/getsignkey") || strings.Contains(in.URL, newSandbox+"/") {
		m.rightly = s.sandboxKey()
	}
	key := s.endings(m)[0].key
	text := s.masked(join(m.sorted()) + "key=" + key)
	switch {
	case m.sign == "" && fields["req_info"] != "":
		return foundJSON{diagnosisJSON: diagnosisJSON{Cause: causeNoSign, StringToSign: "", FirstDifference: -1,
			Explanation: "退款通知没有签名。A refund notification carries no sign: decrypt req_info with AES-256-ECB and the lower-case MD5 of the API v2 key, then ask WeChat with refundquery."}}
	case m.sign == "" && fields["return_code"] == "FAIL":
		return foundJSON{diagnosisJSON: diagnosisJSON{Cause: causeNoSign, FirstDifference: -1,
			Explanation: "return_code 是 FAIL 的应答没有签名。An answer with return_code FAIL is never signed; read return_msg and believe nothing else in it."}}
	case m.sign == "":
		return foundJSON{diagnosisJSON: diagnosisJSON{Cause: causeMissing, StringToSign: text, FirstDifference: -1,
			Explanation: "没有 sign。There is no sign in the message: treat it as forged."}}
	case !signedBy(fields, m.sign, key, m.alg):
		return foundJSON{diagnosisJSON: *s.diagnose(m)}
	case in.Computed != "" && in.Computed != m.sign:
		m.sign = in.Computed // the message is right; what did the client do?
		return foundJSON{diagnosisJSON: *s.diagnose(m)}
	}
	return foundJSON{Valid: true, diagnosisJSON: diagnosisJSON{StringToSign: text, Received: m.sign, FirstDifference: -1,
		Explanation: "签名是对的。The signature holds. 如果你的程序说不对，把它算出来的签名也填上（computed），医生看它错在哪里。"}}
}

// declaredAlg is the algorithm that a message should be signed with: what it
// says, else for answers and notifications what the length of sign says.
func declaredAlg(in diagnoseJSON, fields map[string]string) string {
	switch alg := fields["sign_type"]; {
	case alg == algMD5 || alg == algHMAC:
		return alg
	case in.Direction != "request" && len(fields["sign"]) == 64:
		return algHMAC
	default:
		return algMD5
	}
}

// examineBridge looks at the parameters of the pay sheet.
func (s *Sim) examineBridge(body string) (foundJSON, error) {
	var p struct{ AppID, TimeStamp, NonceStr, Package, SignType, PaySign json.RawMessage }
	if err := json.Unmarshal([]byte(body), &p); err != nil || p.PaySign == nil {
		return foundJSON{}, badRequest("a v2 message is XML, or the JSON object with appId, timeStamp, nonceStr, package, signType and paySign that the page hands over")
	}
	text := func(raw json.RawMessage) string { return strings.Trim(string(raw), `"`) }
	b := bridgeParams{appID: text(p.AppID), timeStamp: text(p.TimeStamp), nonceStr: text(p.NonceStr), pkg: text(p.Package), signType: text(p.SignType), paySign: text(p.PaySign)}
	if !secondsForm.MatchString(b.timeStamp) || !strings.HasPrefix(string(p.TimeStamp), `"`) {
		return foundJSON{diagnosisJSON: diagnosisJSON{Cause: causeTime, Received: b.timeStamp, FirstDifference: -1,
			Explanation: "timeStamp 应是秒，10 位，字符串。timeStamp is in seconds, ten digits, and a string in quotes."}}, nil
	}
	if b.signType == algRSA || s.placedByV3(b) {
		d := s.diagnoseSheetV3(b)
		if d.Cause == "" {
			d.Explanation = "paySign 是对的。paySign holds."
		}
		return foundJSON{Valid: d.Cause == "", diagnosisJSON: *d}, nil
	}
	alg, key := algMD5, s.ids.view().APIKey
	s.mu.Lock()
	if o := s.ledger.prepays[strings.TrimPrefix(b.pkg, "prepay_id=")]; o != nil {
		alg, key = o.SignType, s.sandboxKeyOf(o)
	} else if b.signType == algHMAC {
		alg = algHMAC
	}
	s.mu.Unlock()
	m := bridgeMessage(b, alg, key)
	if b.signType == alg && signedBy(bridgeFields(m), b.paySign, key, alg) {
		return foundJSON{Valid: true, diagnosisJSON: diagnosisJSON{StringToSign: s.masked(join(m.sorted()) + "key=" + key), Received: b.paySign,
			FirstDifference: -1, Explanation: "paySign 是对的。paySign holds."}}, nil
	}
	return foundJSON{diagnosisJSON: *s.diagnoseSheet(b, alg, key)}, nil
}

// placedByV3 reports whether a prepay_id belongs to API v3.
func (s *Sim) placedByV3(b bridgeParams) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := strings.TrimPrefix(b.pkg, "prepay_id=")
	o := s.ledger.prepays[id]
	if o == nil {
		return false
	}
	pre, _ := o.prepay(id)
	return pre.SignType == algRSA
}

var secondsForm = regexp.MustCompile(`^[0-9]{10}$`)
