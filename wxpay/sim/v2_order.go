package sim

import (
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The refusals of unifiedorder (WeChat Pay v2, "统一下单").
var (
	errOrderPaid   = businessFail{"ORDERPAID", "该订单已支付"}
	errOrderClosed = businessFail{"ORDERCLOSED", "订单已关闭"}
	errNoUsed      = businessFail{"OUT_TRADE_NO_USED", "201 商户订单号重复"}
	errOpenID      = businessFail{"PARAM_ERROR", "appid和openid不匹配"}
	errSubOpenID   = businessFail{"PARAM_ERROR", "sub_appid和sub_openid不匹配"}
)

const (
	defaultExpiry = 7 * 24 * time.Hour // without time_expire
	maxExpiry     = 90 * 24 * time.Hour
	minExpiry     = time.Minute
)

// longest are the greatest lengths, in characters.
var longest = map[string]int{
	"body": 127, "detail": 6000, "attach": 127, "device_info": 32, "goods_tag": 32, "notify_url": 256,
	"product_id": 32, "openid": 128, "sub_openid": 128, "scene_info": 256, "receipt": 8, "version": 32,
}

// forms are the values that have one.
var forms = map[string]*regexp.Regexp{
	"out_trade_no":   regexp.MustCompile(`^[0-9A-Za-z_\-|*]{6,32}$`),
	"total_fee":      regexp.MustCompile(`^[1-9][0-9]{0,9}$`),
	"trade_type":     regexp.MustCompile(`^(JSAPI|NATIVE|APP|MWEB)$`),
	"fee_type":       regexp.MustCompile(`^CNY$`),
	"limit_pay":      regexp.MustCompile(`^no_credit$`),
	"profit_sharing": regexp.MustCompile(`^[YN]$`),
	"time_start":     regexp.MustCompile(`^[0-9]{14}$`),
	"time_expire":    regexp.MustCompile(`^[0-9]{14}$`),
}

// unifiedOrder places an order, or the same order again.
func (s *Sim) unifiedOrder(q v2Request) (map[string]string, string, error) {
	if err := checkUnified(q.in); err != nil {
		return nil, "", err
	}
	o, expires, err := readOrder(q)
	if err != nil {
		return nil, "", err
	}
	p, err := s.place(o, expires)
	if err != nil {
		return nil, "", err
	}
	fields := map[string]string{"trade_type": o.TradeType, "prepay_id": p.ID}
	if o.DeviceInfo != "" {
		fields["device_info"] = o.DeviceInfo
	}
	switch o.TradeType {
	case "NATIVE":
		fields["code_url"] = o.CodeURL
	case "MWEB":
		fields["mweb_url"] = s.mwebURL(o, p.ID)
	}
	return fields, o.No, nil
}

// mwebURL is where an H5 payment goes on; "" for other trade types.
func (s *Sim) mwebURL(o *order, prepayID string) string {
	if o.TradeType != "MWEB" {
		return ""
	}
	return s.opts.BaseURL + h5Path + "?prepay_id=" + prepayID + "&package=" + o.MWebPackage
}

// checkUnified checks what unifiedorder needs beyond the fields of every order.
func checkUnified(in map[string]string) error {
	need := []string{"body", "out_trade_no", "total_fee", "spbill_create_ip", "notify_url", "trade_type"}
	switch in["trade_type"] {
	case "JSAPI":
		if in["openid"] == "" && in["sub_openid"] == "" {
			return failMissing
		}
	case "MWEB":
		need = append(need, "scene_info")
	}
	if in["sub_openid"] != "" {
		need = append(need, "sub_appid", "sub_mch_id")
	}
	for _, name := range need {
		if in[name] == "" {
			return failMissing
		}
	}
	if err := checkForms(in); err != nil {
		return err
	}
	if !plainURL(in["notify_url"]) {
		return failFormat("notify_url")
	}
	return nil
}

// readOrder reads an order whose fields are all there. It also returns the
// moment that time_expire names, or zero.
func readOrder(q v2Request) (*order, time.Time, error) {
	in := q.in
	if err := checkForms(in); err != nil {
		return nil, time.Time{}, err
	}
	total, err := strconv.ParseInt(in["total_fee"], 10, 64)
	if err != nil {
		return nil, time.Time{}, failFormat("total_fee")
	}
	expires, err := readTime(in["time_expire"])
	if err != nil {
		return nil, time.Time{}, failFormat("time_expire")
	}
	if _, err := readTime(in["time_start"]); err != nil {
		return nil, time.Time{}, failFormat("time_start")
	}
	return &order{
		No: in["out_trade_no"], AppID: in["appid"], MchID: in["mch_id"], SubMchID: in["sub_mch_id"], SubAppID: in["sub_appid"],
		TradeType: in["trade_type"], OpenID: in["openid"], SubOpenID: in["sub_openid"], Body: in["body"], Detail: in["detail"],
		Attach: in["attach"], DeviceInfo: in["device_info"], Total: total, NotifyURL: in["notify_url"],
		SignType: q.alg, Expire: in["time_expire"], IP: in["spbill_create_ip"], Sandbox: q.sandbox,
	}, expires, nil
}

func checkForms(in map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(in)) {
		value := in[name]
		if value == "" {
			continue
		}
		if n, ok := longest[name]; ok && utf8.RuneCountInString(value) > n {
			return failFormat(name)
		}
		if form := forms[name]; form != nil && !form.MatchString(value) {
			return failFormat(name)
		}
	}
	if ip, err := netip.ParseAddr(in["spbill_create_ip"]); err != nil || ip.Zone() != "" || ip.Is4In6() {
		return failIP
	}
	return nil
}

// plainURL reports whether a notify_url is absolute http(s) without a query:
// WeChat drops parameters, so a shop must not rely on them.
func plainURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil &&
		!strings.ContainsAny(text, "?# \t\r\n\\")
}

// readTime reads a time of v2; "" is zero.
func readTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.ParseInLocation(v2Time, text, beijing)
}

// place keeps a new order or gives a known one another prepay_id.
func (s *Sim) place(o *order, expires time.Time) (prepay, error) {
	s.mu.Lock()
	p, err := s.placeLocked(o, expires)
	s.mu.Unlock()
	if err != nil {
		return p, err
	}
	return p, s.journal.sync()
}

func (s *Sim) placeLocked(o *order, expires time.Time) (prepay, error) {
	now := s.clock.Now()
	known := s.ledger.orders[o.No]
	if known != nil {
		s.closeForgotten(known, now)
		switch {
		case !known.reversed.IsZero():
			return prepay{}, errOrderClosed
		case known.payment != nil:
			return prepay{}, errOrderPaid
		case !known.closed.IsZero():
			return prepay{}, errOrderClosed
		case !sameOrder(known, o):
			return prepay{}, errNoUsed
		}
	} else if s.ledger.burned[o.No] {
		return prepay{}, errNoUsed
	} else if err := s.checkPayer(o); err != nil {
		return prepay{}, err
	}
	if !expires.IsZero() && expires.Sub(s.opts.Now()) < minExpiry {
		return prepay{}, failExpire
	}
	p := prepay{ID: s.newPrepayID(now), At: now, SignType: o.SignType}
	if known != nil {
		if o.API == apiV3 && o.TradeType == "NATIVE" {
			p.CodeURL = s.newCodeURL(now)
		}
		*o = *known // what the first call said is what counts
		return p, s.commitOrder(&record{Kind: recPrepay, No: o.No, Prepay: &p})
	}
	s.completeOrder(o, expires, now)
	return p, s.commitOrder(&record{Kind: recOrder, Order: o, Prepay: &p})
}

// checkPayer checks that the payer of a JSAPI order exists under its appid. s.mu is held.
func (s *Sim) checkPayer(o *order) error {
	switch {
	case o.TradeType != "JSAPI":
		return nil
	case o.OpenID != "" && s.ledger.user(o.AppID, o.OpenID) == nil:
		return errOpenID
	case o.SubOpenID != "" && s.ledger.user(o.SubAppID, o.SubOpenID) == nil:
		return errSubOpenID
	}
	return nil
}

// completeOrder adds what WeChat decides about a new order.
func (s *Sim) completeOrder(o *order, expires, now time.Time) {
	o.Created = now
	switch {
	case expires.IsZero():
		o.Expires = now.Add(defaultExpiry)
	default:
		o.Expires = s.clock.fromClient(expires)
		if latest := now.Add(maxExpiry); o.Expires.After(latest) {
			o.Expires = latest
		}
	}
	switch o.TradeType {
	case "NATIVE":
		o.CodeURL = s.newCodeURL(now)
	case "MWEB":
		o.MWebPackage = pick(s.idChance("code", now), digits, 10)
	}
}

// newCodeURL is what a QR code for the payer says.
func (s *Sim) newCodeURL(now time.Time) string {
	return "weixin://wxpay/bizpayurl?pr=" + pick(s.idChance("code", now), alphanum, 9)
}

// commitOrder makes a change of an order and tells the timeline. s.mu is held.
func (s *Sim) commitOrder(r *record) error {
	no := r.No
	if r.Order != nil {
		no = r.Order.No
	}
	if err := s.commit(r); err != nil {
		return err
	}
	s.timelineOrder(s.ledger.orders[no], r)
	return nil
}

// sameOrder reports whether an order came again. nonce_str, sign,
// spbill_create_ip and time_start change in every honest repetition and do
// not count; everything that the payer or the merchant would notice does.
func sameOrder(a, b *order) bool {
	return a.AppID == b.AppID && a.MchID == b.MchID && a.SubMchID == b.SubMchID && a.SubAppID == b.SubAppID &&
		a.TradeType == b.TradeType && a.OpenID == b.OpenID && a.SubOpenID == b.SubOpenID && a.Code == b.Code && a.Body == b.Body && a.Detail == b.Detail &&
		a.Attach == b.Attach && a.Total == b.Total && a.NotifyURL == b.NotifyURL && a.Expire == b.Expire
}
