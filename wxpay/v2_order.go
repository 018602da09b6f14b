package wxpay

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// beijing is the zone of every time on WeChat's wire; it needs no tzdata.
var beijing = time.FixedZone("CST", 8*3600)

const wireTime = "20060102150405"

// orderFields turns o into the fields of unifiedorder. The gateway never names
// the field that it dislikes, so what can be known to be wrong is named here.
func (c *V2Client) orderFields(o Order) (message, error) {
	if err := errors.Join(checkOrder(o), checkNotifyURL(o.NotifyURL)); err != nil {
		return nil, err
	}
	ip, err := payerIP(o)
	if err != nil {
		return nil, err
	}
	m := message{
		{"attach", o.Attach},
		{"body", cleanDescription(o.Description)},
		{"fee_type", "CNY"},
		{"notify_url", o.NotifyURL},
		{"out_trade_no", o.OutTradeNo},
		{"spbill_create_ip", ip},
		{"time_expire", formatTime(o.Expire)},
		{"time_start", formatTime(o.Start)},
		{"total_fee", strconv.FormatInt(o.Total, 10)},
		{"trade_type", string(o.TradeType)},
	}
	m, err = c.withProduct(m, o)
	return withoutEmpty(m), err
}

// withProduct adds what only one trade type needs.
func (c *V2Client) withProduct(m message, o Order) (message, error) {
	switch o.TradeType {
	case JSAPI:
		if o.OpenID == "" {
			return nil, errors.New("JSAPI needs the payer's openid")
		}
		name := "openid"
		if c.cfg.SubMchID != "" && c.payAppID(o.AppID) != c.cfg.AppID {
			name = "sub_openid"
		}
		return append(m, field{name, o.OpenID}), nil
	case Native:
		return append(m, field{"product_id", o.OutTradeNo}), nil
	case H5:
		return append(m, field{"scene_info", sceneInfo(o.NotifyURL)}), nil
	case App:
		return m, nil
	}
	return nil, fmt.Errorf("trade type %q is not placed with unifiedorder", o.TradeType)
}

func checkOrder(o Order) error {
	switch {
	case !goodTradeNo(o.OutTradeNo):
		return badTradeNo(o.OutTradeNo)
	case o.AppID != "" && checkAppID("app id", o.AppID) != nil:
		return checkAppID("app id", o.AppID)
	case o.Total < 1:
		return fmt.Errorf("total of %d fen is less than 1", o.Total)
	case len(o.Attach) > 127 || strings.ContainsFunc(o.Attach, unprintable):
		return errors.New("attach has more than 127 bytes or characters that XML cannot carry")
	case !o.Start.IsZero() && !o.Expire.IsZero() && !o.Expire.After(o.Start):
		return errors.New("the order expires before it starts")
	}
	return nil
}

func checkNotifyURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("the notify URL is not an absolute http or https URL")
	case u.RawQuery != "" || u.Fragment != "" || len(s) > 256:
		return errors.New("the notify URL has a query, a fragment or more than 256 characters")
	}
	return nil
}

func badTradeNo(s string) error {
	return fmt.Errorf("out_trade_no %q is not 6 to 32 of 0-9 A-Z a-z _ - | *", s)
}

// goodTradeNo: 6 to 32 of the characters that v2 and v3 both allow.
func goodTradeNo(s string) bool {
	return len(s) >= 6 && len(s) <= 32 && alphanumeric(strings.Map(func(r rune) rune {
		if strings.ContainsRune("_-|*", r) {
			return '0'
		}
		return r
	}, s))
}

// payerIP writes the payer's address (ours, where the payer has none) as WeChat likes it: ::ffff:1.2.3.4 and
// zones are refused as "invalid spbill_create_ip".
func payerIP(o Order) (string, error) {
	if o.ClientIP == "" && (o.TradeType == Native || o.TradeType == Micropay || o.TradeType == Facepay) {
		return "127.0.0.1", nil
	}
	ip, err := netip.ParseAddr(o.ClientIP)
	if err != nil {
		return "", fmt.Errorf("the payer's IP %q is not an address", o.ClientIP)
	}
	return ip.Unmap().WithZone("").String(), nil
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(beijing).Format(wireTime)
}

func unprintable(r rune) bool {
	return unicode.IsControl(r) || !legalRune(r) || r == unicode.ReplacementChar
}

// maxBody is the length of body in bytes; pages disagree between 127 and 128
// characters, so this is the smallest reading.
const maxBody = 127

// cleanDescription is s as an order may carry it, and something when nothing
// of it is left: WeChat wants a name.
func cleanDescription(s string) string {
	if s = cleanText(s, maxBody); s == "" {
		return "商品"
	}
	return s
}

// cleanText drops what makes WeChat refuse a text or garble it: control
// characters, and everything beyond the basic plane (emoji) together with the
// joiners and selectors that emoji leave behind. Then it cuts to n bytes.
func cleanText(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if unprintable(r) || r > 0xFFFF || r == 0x200D || r >= 0xFE00 && r <= 0xFE0F {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(cutBytes(strings.TrimSpace(s), n))
}

// sceneInfo names the shop to the H5 cashier. It is derived from the notify
// URL, so a repeated order says the same.
func sceneInfo(notifyURL string) string {
	type h5 struct {
		Type string `json:"type"`
		URL  string `json:"wap_url"`
		Name string `json:"wap_name"`
	}
	u, _ := url.Parse(notifyURL) // checked by checkOrder
	b, _ := json.Marshal(map[string]h5{"h5_info": {Type: "Wap", URL: u.Scheme + "://" + u.Host, Name: u.Hostname()}})
	return string(b)
}

func withoutEmpty(m message) message {
	kept := m[:0]
	for _, f := range m {
		if f.value != "" {
			kept = append(kept, f)
		}
	}
	return kept
}
