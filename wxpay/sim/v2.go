package sim

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"unicode/utf8"
)

// v2Request is a call of WeChat Pay v2 whose signature holds.
type v2Request struct {
	in      map[string]string
	alg     string // of the request, hence of the answer
	key     string // that signs both
	sandbox bool
	path    string // without the sandbox's prefix
	doc     string // as it came
}

// v2Answer is the answer, and what it says for the log of calls.
type v2Answer struct {
	body    []byte
	problem string // WeChat's words; empty: it is a yes
	no      string // out_trade_no
	advice  string
	finding *diagnosisJSON
}

// protocolFail is a refusal on the first layer: return_code FAIL, unsigned,
// with nothing but return_msg.
type protocolFail string

func (e protocolFail) Error() string { return string(e) }

// The refusals before the business begins (WeChat Pay v2, "错误码").
const (
	failMethod   = protocolFail("请使用post方法")
	failEmpty    = protocolFail("post数据为空")
	failXML      = protocolFail("XML格式错误")
	failUTF8     = protocolFail("请使用UTF-8编码格式")
	failMissing  = protocolFail("缺少参数")
	failMismatch = protocolFail("appid和mch_id不匹配")
	failSub      = protocolFail("sub_mch_id与sub_appid不匹配")
	failSign     = protocolFail("签名错误")
	failSystem   = protocolFail("system error")
	failIP       = protocolFail("invalid spbill_create_ip")
	failExpire   = protocolFail("time_expire时间过短，刷卡至少1分钟，其他5分钟")
)

func failFormat(name string) protocolFail { return protocolFail(name + "参数格式错误") }

// businessFail is a refusal on the second layer: signed, with a code.
type businessFail struct{ code, text string }

func (e businessFail) Error() string { return e.code + " " + e.text }

// v2Handler answers one call; a protocolFail or businessFail is WeChat's no,
// any other error is a system error.
type v2Handler func(q v2Request) (fields map[string]string, no string, err error)

// v2 serves a path of WeChat Pay v2.
func (s *Sim) v2(handle v2Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := s.v2Answer(w, r, handle)
		say(r, verdict{problem: a.problem, no: a.no, advice: a.advice, diagnosis: a.finding})
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		w.Write(a.body)
	})
}

func (s *Sim) v2Answer(w http.ResponseWriter, r *http.Request, handle v2Handler) v2Answer {
	q, err := s.readV2(w, r)
	var fields map[string]string
	no := q.in["out_trade_no"]
	if err == nil {
		var about string
		if fields, about, err = s.handleV2(q, handle); about != "" {
			no = about
		}
	}
	a := v2Answer{no: no}
	var mistaken *accountMistake
	if errors.As(err, &mistaken) {
		a.advice, err = mistaken.advice, mistaken.says
	}
	var protocol protocolFail
	var business businessFail
	switch {
	case err == nil:
		a.body = s.v2Success(q, fields)
		return a
	case errors.As(err, &protocol):
	case errors.As(err, &business):
		a.body, a.problem = s.v2Refusal(q, business), business.Error()
		return a
	default:
		s.log.Error("call broke", "order", no, "err", err)
		protocol = failSystem
	}
	if protocol == failSign {
		a.finding = s.diagnose(requestMessage(q.doc, q.in, q.alg, q.key))
	}
	a.body, a.problem = v2Fail(protocol), string(protocol)
	return a
}

// handleV2 answers a call whose signature holds, unless the account may not
// make it or a fault is quicker.
func (s *Sim) handleV2(q v2Request, handle v2Handler) (map[string]string, string, error) {
	if err := s.mayCall(q); err != nil {
		return nil, "", err
	}
	no := q.in["out_trade_no"]
	if s.faultFires(faultFrequencyLimited, no) {
		return nil, "", errFrequency
	}
	broken := s.faultFires(faultSystemError, no)
	if broken && s.draw("system error").IntN(2) == 0 {
		return nil, "", errSystem
	}
	if err := s.sandboxRefuses(q); err != nil {
		return nil, "", err
	}
	if err := s.raced(q); err != nil {
		return nil, "", err
	}
	fields, about, err := handle(q)
	if err == nil {
		err = s.sandboxPays(q)
	}
	if broken {
		return nil, about, errSystem
	}
	return fields, about, err
}

// v2Fail is the first layer, to the byte.
func v2Fail(msg protocolFail) []byte {
	return writeXML([]field{{"return_code", "FAIL"}, {"return_msg", string(msg)}}, nil)
}

// v2Refusal is the second layer, in WeChat's order.
func (s *Sim) v2Refusal(q v2Request, e businessFail) []byte {
	list := []field{{"return_code", "SUCCESS"}, {"return_msg", "OK"}, {"appid", q.in["appid"]}, {"mch_id", q.in["mch_id"]}}
	for _, name := range subNames {
		if q.in[name] != "" {
			list = append(list, field{name, q.in[name]})
		}
	}
	list = append(list, []field{
		{"nonce_str", pick(s.draw("refusal"), alphanum, 16)}, {"sign", ""},
		{"result_code", "FAIL"}, {"err_code", e.code}, {"err_code_des", e.text},
	}...)
	fields := map[string]string{}
	for _, f := range list {
		fields[f.name] = f.value
	}
	for i := range list {
		if list[i].name == "sign" {
			list[i].value = signature(fields, q.key, q.alg)
		}
	}
	return writeXML(list, nil)
}

// subNames are what a service provider's answers echo.
var subNames = []string{"sub_appid", "sub_mch_id"}

// v2Success signs a yes.
func (s *Sim) v2Success(q v2Request, fields map[string]string) []byte {
	r := s.draw("answer")
	fields["return_code"], fields["return_msg"], fields["result_code"] = "SUCCESS", "OK", "SUCCESS"
	fields["appid"], fields["mch_id"] = q.in["appid"], q.in["mch_id"]
	fields["nonce_str"] = pick(r, alphanum, 16)
	for _, name := range subNames {
		if q.in[name] != "" {
			fields[name] = q.in[name]
		}
	}
	return shuffled(fields, q.key, q.alg, r)
}

var (
	mchIDForm = regexp.MustCompile(`^[0-9]{8,10}$`)
	nonceForm = regexp.MustCompile(`^[0-9A-Za-z]{1,32}$`)
)

// readV2 checks a call in WeChat's order: method, body, XML, charset, common
// fields, account, signature.
func (s *Sim) readV2(w http.ResponseWriter, r *http.Request) (v2Request, error) {
	q := v2Request{path: r.URL.Path, sandbox: inSandbox(r), key: s.ids.view().APIKey}
	if q.sandbox {
		q.key = s.sandboxKey()
	}
	if r.Method != http.MethodPost {
		return q, failMethod
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return q, failXML
	}
	if len(body) == 0 {
		return q, failEmpty
	}
	if q.in, err = readXML([]byte(printable(body))); err != nil {
		return q, failXML
	}
	if !utf8.Valid(body) {
		return q, failUTF8
	}
	q.doc = string(body)
	for _, name := range []string{"appid", "mch_id", "nonce_str", "sign"} {
		if q.in[name] == "" {
			return q, failMissing
		}
	}
	return s.checkAccount(q)
}

// checkAccount checks who calls.
func (s *Sim) checkAccount(q v2Request) (v2Request, error) {
	id := s.ids.view()
	switch {
	case !mchIDForm.MatchString(q.in["mch_id"]):
		return q, failFormat("mch_id")
	case q.in["mch_id"] != id.MchID || q.in["appid"] != id.AppID && q.in["appid"] != id.MiniAppID:
		return q, failMismatch
	}
	if err := s.bound(q.in["appid"]); err != nil {
		return q, err
	}
	q.alg = q.in["sign_type"]
	switch q.alg {
	case "":
		q.alg = algMD5
	case algMD5, algHMAC:
	default:
		return q, failFormat("sign_type")
	}
	switch sub := q.in["sub_mch_id"]; {
	case !signedBy(q.in, q.in["sign"], q.key, q.alg):
		return q, failSign
	case !nonceForm.MatchString(q.in["nonce_str"]):
		return q, failFormat("nonce_str")
	case sub != "" && sub != id.SubMchID:
		return q, failFormat("sub_mch_id")
	case q.in["sub_appid"] != "" && (sub == "" || q.in["sub_appid"] != id.AppID && q.in["sub_appid"] != id.MiniAppID):
		return q, failSub
	}
	return q, nil
}
