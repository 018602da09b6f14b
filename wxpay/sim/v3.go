package sim

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// v3Request is a call of WeChat Pay v3 whose signature holds and whose
// parameters are as documented.
type v3Request struct {
	http    *http.Request
	path    map[string]string // what stands for the names in the path
	query   url.Values
	body    []byte // an object; nil for GET
	partner bool   // a service provider calls for a merchant
}

// v3Answer is a yes of API v3.
type v3Answer struct {
	body   any    // nil: none
	no     string // out_trade_no that it was about
	advice string
}

// v3Handler answers a call; a *v3Fail is WeChat's no, a refusal of v2 is put
// into v3's words, and any other error is a system error.
type v3Handler func(q v3Request) (v3Answer, error)

// v3Route is one endpoint of API v3.
type v3Route struct {
	method, path string // a segment {name} stands for any one
	inPath       []fieldV3
	inQuery      []fieldV3
	inBody       []fieldV3 // nil: there is none
	partner      bool
	handle       v3Handler
	raw          http.HandlerFunc // instead of handle: does everything itself
}

// v3Routes are the endpoints that are imitated.
func (s *Sim) v3Routes() []v3Route {
	routes := []v3Route{
		{method: "GET", path: "/v3/certificates", raw: s.certificates},
		{method: "POST", path: "/v3/refund/domestic/refunds", inBody: refundFieldsV3(), handle: s.refundV3},
		{method: "GET", path: "/v3/refund/domestic/refunds/{out_refund_no}", inPath: []fieldV3{fieldOutRefundNo().must()}, inQuery: []fieldV3{fieldSubMchID()}, handle: s.queryRefundV3},
		{method: "POST", path: "/v3/refund/domestic/refunds/{refund_id}/apply-abnormal-refund", inPath: []fieldV3{textField("refund_id", "微信支付退款单号", 32).must()}, inBody: abnormalFields(), handle: s.applyAbnormal},
		{method: "GET", path: "/v3/bill/tradebill", inQuery: tradeBillFields(), handle: s.tradeBillV3},
		{method: "GET", path: "/v3/bill/fundflowbill", inQuery: fundBillFields(), handle: s.fundBillV3},
		{method: "GET", path: billFilePath, raw: s.billFile},
	}
	for _, base := range []string{"/v3/pay/transactions/", "/v3/pay/partner/transactions/"} {
		partner := strings.Contains(base, "partner")
		who := merchantFields(partner)
		for name, tradeType := range map[string]string{"jsapi": "JSAPI", "native": "NATIVE", "app": "APP", "h5": "MWEB"} {
			routes = append(routes, v3Route{method: "POST", path: base + name, inBody: prepayFields(tradeType, partner), partner: partner,
				handle: func(q v3Request) (v3Answer, error) { return s.prepayV3(q, tradeType) }})
		}
		byNo, byID := []fieldV3{fieldOutTradeNo().must()}, []fieldV3{fieldTransactionID().must()}
		routes = append(routes,
			v3Route{method: "GET", path: base + "out-trade-no/{out_trade_no}", inPath: byNo, inQuery: who, partner: partner, handle: s.queryV3},
			v3Route{method: "GET", path: base + "id/{transaction_id}", inPath: byID, inQuery: who, partner: partner, handle: s.queryV3},
			v3Route{method: "POST", path: base + "out-trade-no/{out_trade_no}/close", inPath: byNo, inBody: who, partner: partner, handle: s.closeV3},
			v3Route{method: "POST", path: base + "codepay", raw: s.notOpenedV3},
			v3Route{method: "POST", path: base + "out-trade-no/{out_trade_no}/reverse", raw: s.notOpenedV3},
		)
	}
	return routes
}

// v3 serves every path of API v3.
func (s *Sim) v3() http.HandlerFunc {
	routes := s.v3Routes()
	return func(w http.ResponseWriter, r *http.Request) {
		route, path, status := findRoute(routes, r)
		switch {
		case status != 0:
			say(r, verdict{problem: http.StatusText(status), advice: "API v3 没有 " + r.Method + " " + r.URL.Path + "。Unknown paths and wrong methods have empty answers."})
			s.writeV3(w, status, nil, 0)
		case route.raw != nil:
			route.raw(w, r)
		default:
			s.serveV3(w, r, route, path)
		}
	}
}

// findRoute finds an endpoint by the path as it was sent, so that an escaped
// slash does not part a number. A status other than 0 is the refusal.
func findRoute(routes []v3Route, r *http.Request) (route v3Route, path map[string]string, status int) {
	status = http.StatusNotFound
	for _, route := range routes {
		path, ok := matchPath(route.path, r.URL.EscapedPath())
		switch {
		case ok && route.method == r.Method:
			return route, path, 0
		case ok:
			status = http.StatusMethodNotAllowed
		}
	}
	return v3Route{}, nil, status
}

func matchPath(pattern, escaped string) (map[string]string, bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(escaped, "/")
	if len(want) != len(have) {
		return nil, false
	}
	out := map[string]string{}
	for i, segment := range want {
		value, err := url.PathUnescape(have[i])
		if name, ok := strings.CutPrefix(segment, "{"); ok && err == nil && value != "" {
			out[strings.TrimSuffix(name, "}")] = value
		} else if err != nil || value != segment {
			return nil, false
		}
	}
	return out, true
}

// serveV3 answers one call in WeChat's order: signature, merchant, form,
// business.
func (s *Sim) serveV3(w http.ResponseWriter, r *http.Request, route v3Route, path map[string]string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		s.refuseV3(w, r, errBodyV3, "", false)
		return
	}
	if e := s.verifyV3(r, body); e != nil {
		s.refuseV3(w, r, e, path["out_trade_no"], false)
		return
	}
	q := v3Request{http: r, path: path, query: r.URL.Query(), body: body, partner: route.partner}
	no := q.outTradeNo()
	a, err := s.handleV3(q, route)
	if a.no != "" {
		no = a.no
	}
	if err != nil {
		s.refuseV3(w, r, s.v3FailOf(err, no), no, true)
		return
	}
	say(r, verdict{no: no, advice: a.advice})
	if a.body == nil {
		s.answerV3(w, r, http.StatusNoContent, nil)
		return
	}
	s.answerV3(w, r, http.StatusOK, plainJSON(a.body))
}

// handleV3 checks the parameters and hands the call on, unless the account may
// not make it or a fault is quicker.
func (s *Sim) handleV3(q v3Request, route v3Route) (v3Answer, error) {
	if e := s.checkV3(q, route); e != nil {
		return v3Answer{}, e
	}
	no := q.outTradeNo()
	if s.faultFires(faultFrequencyLimited, no) {
		return v3Answer{}, errFrequencyV3
	}
	broken := s.faultFires(faultSystemError, no)
	if broken && s.draw("system error").IntN(2) == 0 {
		return v3Answer{}, errSystemV3
	}
	a, err := route.handle(q)
	if broken {
		return v3Answer{no: a.no}, errSystemV3
	}
	return a, err
}

// checkV3 checks where the merchant stands twice, and then every parameter.
func (s *Sim) checkV3(q v3Request, route v3Route) *v3Fail {
	if route.inBody != nil && (!utf8.Valid(q.body) || !json.Valid(q.body) || firstByte(q.body) != '{') {
		return errBodyV3
	}
	id := s.ids.view()
	for _, name := range []string{"mchid", "sp_mchid"} {
		if said := q.said(name); said != "" && said != id.MchID {
			return errMerchantV3
		}
	}
	if e := checkFields("uri_template", route.inPath, texts(q.path)); e != nil {
		return e
	}
	if e := checkQuery(route.inQuery, q.query); e != nil {
		return e
	}
	if route.inBody == nil {
		return nil
	}
	for _, f := range route.inPath {
		for _, m := range members(q.body) {
			if m.name == f.name {
				return paramError("无法将输入源“/body/" + f.name + "”映射到目标字段“" + f.words + "”中，此字段并非多重字段但被输入源“/uri_template/" + f.name + "”映射过了。")
			}
		}
	}
	return checkFields("body", route.inBody, q.body)
}

// checkQuery checks the query as checkFields does.
func checkQuery(fields []fieldV3, query url.Values) *v3Fail {
	once := map[string]string{}
	for name, values := range query {
		once[name] = values[0]
		for _, f := range fields {
			if f.name == name && len(values) > 1 {
				return paramError("无法将输入源“/query/" + name + "”映射到目标字段“" + f.words + "”中，此字段并非多重字段但被输入源“/query/" + name + "”映射过了。")
			}
		}
	}
	return checkFields("query", fields, texts(once))
}

// texts is a JSON object of strings.
func texts(m map[string]string) json.RawMessage {
	if m == nil {
		m = map[string]string{}
	}
	return plainJSON(m)
}

func firstByte(body []byte) byte {
	for _, b := range body {
		if b != ' ' && b != '\t' && b != '\r' && b != '\n' {
			return b
		}
	}
	return 0
}

// said is a string of the query or the body, which need not have been checked.
func (q v3Request) said(name string) string {
	if v := q.query.Get(name); v != "" || len(q.body) == 0 {
		return v
	}
	var in map[string]json.RawMessage
	var v string
	if json.Unmarshal(q.body, &in) != nil || json.Unmarshal(in[name], &v) != nil {
		return ""
	}
	return v
}

// outTradeNo is the order that a call names; "" when it names none.
func (q v3Request) outTradeNo() string {
	if no := q.path["out_trade_no"]; no != "" {
		return no
	}
	return q.said("out_trade_no")
}

// subMchID is the merchant for whom a provider calls.
func (q v3Request) subMchID() string { return q.said("sub_mchid") }

// read fills a struct from a body that was checked.
func (q v3Request) read(into any) error { return json.Unmarshal(q.body, into) }

// The refusals of every call (WeChat Pay v3, "错误码").
var (
	errBodyV3      = paramError("请求体不是合法的 JSON 对象")
	errMerchantV3  = paramError("http header中的mchid与post payload中的mchid不匹配")
	errFrequencyV3 = &v3Fail{status: http.StatusTooManyRequests, code: "FREQUENCY_LIMITED", message: "你的操作过于频繁，请稍后再试。", number: 268447840}
	errNoAuthV3    = &v3Fail{status: http.StatusForbidden, code: "NO_AUTH", message: "商户号该产品权限未开通，请前往商户平台>产品中心检查后重试"}
)

// v3FailOf puts an error into v3's words.
func (s *Sim) v3FailOf(err error, no string) *v3Fail {
	advice := ""
	var mistaken *accountMistake
	if errors.As(err, &mistaken) {
		advice, err = mistaken.advice, mistaken.says
	}
	fail := translated(err)
	if fail == nil {
		s.log.Error("call broke", "order", no, "err", err)
		fail = errSystemV3
	}
	if advice != "" {
		said := *fail
		said.advice = advice
		fail = &said
	}
	return fail
}

// notOpenedV3 answers products that a merchant gets only on request: code
// payments are those of v2.
func (s *Sim) notOpenedV3(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		s.refuseV3(w, r, errBodyV3, "", false)
		return
	}
	e := s.verifyV3(r, body)
	authentic := e == nil
	if authentic {
		said := *errNoAuthV3
		said.advice = "付款码支付用 v2 的 /pay/micropay。Code payments belong to v2 here: use micropay and reverse."
		e = &said
	}
	s.refuseV3(w, r, e, "", authentic)
}
