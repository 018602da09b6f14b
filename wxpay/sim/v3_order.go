package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"time"
)

// algRSA is the sign_type of prepay ids of API v3.
const algRSA = "RSA"

func invalidRequest(message string, number int) *v3Fail {
	return &v3Fail{status: http.StatusBadRequest, code: "INVALID_REQUEST", message: message, number: number}
}

// The refusals of orders (WeChat Pay v3, "JSAPI下单", "查询订单", "关闭订单").
var (
	errBoundV3    = &v3Fail{status: http.StatusBadRequest, code: "APPID_MCHID_NOT_MATCH", message: "appid和mch_id不匹配", number: 268445527}
	errNoMchV3    = &v3Fail{status: http.StatusBadRequest, code: "MCH_NOT_EXISTS", message: "商户号不存在"}
	errPaidV3     = &v3Fail{status: http.StatusBadRequest, code: "ORDERPAID", message: "该订单已支付", number: 268449538}
	errClosedV3   = &v3Fail{status: http.StatusBadRequest, code: "ORDER_CLOSED", message: "订单已关闭", number: 268447914}
	errNoOrderV3  = &v3Fail{status: http.StatusNotFound, code: "ORDER_NOT_EXIST", message: "订单不存在", number: 268512771}
	errNoUsedV3   = &v3Fail{status: http.StatusForbidden, code: "OUT_TRADE_NO_USED", message: "商户订单号重复", number: numberReentry}
	errReentryV3  = invalidRequest("请求重入时，参数与首次请求时不一致", numberReentry)
	errStrangerV3 = invalidRequest("商户号和订单不匹配", 268447843)
	errOpenIDV3   = paramError("appid和openid不匹配")
	errNoOpenIDV3 = &v3Fail{status: http.StatusBadRequest, code: "PARAM_ERROR", message: "JSAPI支付必须传openid", number: 268501013}
)

const numberReentry = 268498688

// translated puts a refusal of the code that v2 shares into v3's words; nil:
// it is none.
func translated(err error) *v3Fail {
	var own *v3Fail
	if errors.As(err, &own) {
		return own
	}
	for _, pair := range []struct {
		v2 error
		v3 *v3Fail
	}{
		{errOrderPaid, errPaidV3}, {errClosePaid, errPaidV3}, {errOrderClosed, errClosedV3}, {errNoUsed, errReentryV3}, {errNoOrder, errNoOrderV3},
		{errOpenID, errOpenIDV3}, {errSubOpenID, errOpenIDV3}, {failMismatch, errBoundV3}, {errNoAuth, errNoAuthV3},
		{errRefundMismatch, errRefundMismatchV3}, {errRefundTooMuch, errRefundTooMuchV3}, {errRefundedWhole, errRefundedWholeV3},
		{errRefundTooOften, errRefundTooOftenV3}, {errRefundOverdue, errRefundOverdueV3}, {errRefundFunds, errRefundFundsV3},
	} {
		if errors.Is(err, pair.v2) {
			return pair.v3
		}
	}
	return nil
}

// reentryV3 is how a number is refused that comes again with other parameters.
func reentryV3(setting string) *v3Fail {
	switch setting {
	case reentryRepeated:
		return invalidRequest("201 商户订单号重复", numberReentry)
	case reentryUsed:
		return errNoUsedV3
	}
	return errReentryV3
}

// prepayJSON is an order as it comes, of a merchant or of a provider.
type prepayJSON struct {
	AppID       string          `json:"appid"`
	SpAppID     string          `json:"sp_appid"`
	SubAppID    string          `json:"sub_appid"`
	SubMchID    string          `json:"sub_mchid"`
	Description string          `json:"description"`
	OutTradeNo  string          `json:"out_trade_no"`
	TimeExpire  string          `json:"time_expire"`
	Attach      string          `json:"attach"`
	NotifyURL   string          `json:"notify_url"`
	Detail      json.RawMessage `json:"detail"`
	Amount      struct {
		Total int64 `json:"total"`
	} `json:"amount"`
	Payer struct {
		OpenID    string `json:"openid"`
		SpOpenID  string `json:"sp_openid"`
		SubOpenID string `json:"sub_openid"`
	} `json:"payer"`
	SceneInfo struct {
		IP       string `json:"payer_client_ip"`
		DeviceID string `json:"device_id"`
	} `json:"scene_info"`
}

// prepayV3 places an order, or the same order again.
func (s *Sim) prepayV3(q v3Request, tradeType string) (v3Answer, error) {
	var in prepayJSON
	if err := q.read(&in); err != nil {
		return v3Answer{}, err
	}
	o, expires, err := s.readOrderV3(q, in, tradeType)
	if err != nil {
		return v3Answer{}, err
	}
	if err := s.mayPlaceV3(o); err != nil {
		return v3Answer{}, err
	}
	s.race(faultOrderPaidRace, o.No)
	s.mu.Lock()
	known := s.ledger.orders[o.No] != nil
	s.mu.Unlock()
	if !known && s.faultFires(faultNoUsed, o.No) {
		return v3Answer{}, errNoUsedV3
	}
	p, err := s.place(o, expires)
	if errors.Is(err, errNoUsed) {
		return v3Answer{}, reentryV3(s.account().Reentry)
	}
	if err != nil {
		return v3Answer{}, err
	}
	a := v3Answer{no: o.No}
	switch o.TradeType {
	case "NATIVE":
		code := o.CodeURL
		if p.CodeURL != "" {
			code = p.CodeURL
		}
		a.body = map[string]string{"code_url": code}
	case "MWEB":
		a.body = map[string]string{"h5_url": s.mwebURL(o, p.ID)}
	default:
		a.body = map[string]string{"prepay_id": p.ID}
	}
	return a, nil
}

// readOrderV3 checks what the form of single fields does not say. It also
// returns the last moment to pay, or zero.
func (s *Sim) readOrderV3(q v3Request, in prepayJSON, tradeType string) (*order, time.Time, error) {
	bad := func(name, words, value string) error {
		c := &fieldCheck{source: "body"}
		return c.fail(numberIllegal, value, "输入源“/body/%s”映射到值字段“%s”字符串规则校验失败，格式不正确", name, words)
	}
	if !plainURL(in.NotifyURL) {
		return nil, time.Time{}, bad("notify_url", "通知地址", in.NotifyURL)
	}
	if ip, err := netip.ParseAddr(in.SceneInfo.IP); in.SceneInfo.IP != "" && (err != nil || ip.Zone() != "") {
		return nil, time.Time{}, bad("scene_info/payer_client_ip", "用户终端IP", in.SceneInfo.IP)
	}
	var expires time.Time
	if in.TimeExpire != "" {
		at, err := time.Parse(time.RFC3339, in.TimeExpire)
		if err != nil {
			return nil, time.Time{}, bad("time_expire", "交易结束时间", in.TimeExpire)
		}
		if expires = at; expires.Before(s.opts.Now().Add(minExpiry)) { // lifted, not refused
			expires = s.opts.Now().Add(minExpiry)
		}
	}
	if len(in.Detail) > 6144 {
		return nil, time.Time{}, bad("detail", "优惠功能", "")
	}
	var detail bytes.Buffer
	if len(in.Detail) > 0 {
		if err := json.Compact(&detail, in.Detail); err != nil {
			return nil, time.Time{}, err
		}
	}
	o := &order{
		API: apiV3, No: in.OutTradeNo, AppID: in.AppID, MchID: s.ids.view().MchID, TradeType: tradeType, OpenID: in.Payer.OpenID,
		Body: in.Description, Detail: detail.String(), Attach: in.Attach, DeviceInfo: in.SceneInfo.DeviceID, Total: in.Amount.Total,
		NotifyURL: in.NotifyURL, SignType: algRSA, Expire: in.TimeExpire, IP: in.SceneInfo.IP,
	}
	if q.partner {
		o.AppID, o.SubAppID, o.SubMchID, o.OpenID, o.SubOpenID = in.SpAppID, in.SubAppID, in.SubMchID, in.Payer.SpOpenID, in.Payer.SubOpenID
	}
	if tradeType == "JSAPI" && o.OpenID == "" && o.SubOpenID == "" {
		return nil, time.Time{}, errNoOpenIDV3
	}
	return o, expires, nil
}

// mayPlaceV3 checks the bindings of a new order, and the product.
func (s *Sim) mayPlaceV3(o *order) error {
	id := s.ids.view()
	known := func(appID string) bool { return appID == id.AppID || appID == id.MiniAppID }
	switch {
	case !known(o.AppID), o.SubAppID != "" && !known(o.SubAppID):
		return errBoundV3
	case o.SubMchID != "" && o.SubMchID != id.SubMchID:
		return errNoMchV3
	case o.SubOpenID != "" && o.SubAppID == "":
		return (&fieldCheck{source: "body"}).fail(numberIllegal, "", "输入源“/body/sub_appid”映射到字段“子商户公众号ID”必填性规则校验失败，此字段为必填项")
	}
	if err := s.bound(o.AppID); err != nil {
		return err
	}
	return s.hasProduct(o.TradeType, errNoAuth)
}
