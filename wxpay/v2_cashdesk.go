package wxpay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Micropay charges a payment code (WeChat Pay v2, micropay). The answer is the
// payment itself; no notification follows.
func (c *V2Client) Micropay(ctx context.Context, o Order, authCode string) (Transaction, error) {
	if !goodAuthCode(authCode) {
		return Transaction{}, &Error{Op: opMicropay, Message: "the payment code is not 18 digits that begin with 10 to 15", Err: ErrAuthCode}
	}
	o.TradeType = Micropay
	return c.charge(ctx, opMicropay, o, field{"auth_code", authCode})
}

// Facepay charges a face code (WeChat Pay v2, facepay), which takes no other
// algorithm than HMAC-SHA256. o is asked for and taken back like a Micropay.
func (c *V2Client) Facepay(ctx context.Context, o Order, faceCode string) (Transaction, error) {
	if faceCode == "" || len(faceCode) > 128 || strings.ContainsFunc(faceCode, unprintable) {
		return Transaction{}, &Error{Op: opFacepay, Message: "the face code is not 1 to 128 characters", Err: ErrAuthCode}
	}
	if o.OpenID == "" {
		return Transaction{}, &Error{Op: opFacepay, Message: "facepay needs the payer's openid"}
	}
	o.TradeType, o.SignType = Facepay, HMACSHA256
	return c.charge(ctx, opFacepay, o, field{"face_code", faceCode}, field{"openid", o.OpenID})
}

// goodAuthCode: 10 to 15, and 16 more digits.
func goodAuthCode(s string) bool {
	return len(s) == 18 && s[0] == '1' && s[1] >= '0' && s[1] <= '5' && strings.Trim(s, "0123456789") == ""
}

// charge takes the money now.
func (c *V2Client) charge(ctx context.Context, op string, o Order, by ...field) (Transaction, error) {
	m, err := chargeFields(o)
	if err != nil {
		return Transaction{}, &Error{Op: op, Message: err.Error()}
	}
	a, err := c.call(ctx, request{op: op, no: o.OutTradeNo, appID: o.AppID, sign: o.SignType, fields: append(m, by...)})
	if err != nil {
		return Transaction{}, err
	}
	t := c.transaction(a, Success)
	t.said = func() map[string]string { return redactedMap(a) }
	t.SignType = c.signType(o.SignType)
	switch {
	case t.OutTradeNo != o.OutTradeNo:
		return Transaction{}, &Error{Op: op, HTTPStatus: 200, Message: "the answer is about another order", Unknown: true}
	case t.TransactionID == "":
		return Transaction{}, &Error{Op: op, HTTPStatus: 200, Message: "the answer is incomplete", Unknown: true}
	}
	return t, nil
}

func chargeFields(o Order) (message, error) {
	if err := checkOrder(o); err != nil {
		return nil, err
	}
	ip, err := payerIP(o)
	if err != nil {
		return nil, err
	}
	return withoutEmpty(message{
		{"attach", o.Attach},
		{"body", cleanDescription(o.Description)},
		{"fee_type", "CNY"},
		{"out_trade_no", o.OutTradeNo},
		{"spbill_create_ip", ip},
		{"time_expire", formatTime(o.Expire)},
		{"time_start", formatTime(o.Start)},
		{"total_fee", strconv.FormatInt(o.Total, 10)},
	}), nil
}

// Reverse takes a charged order back (WeChat Pay v2, reverse). again holds
// whenever WeChat says so, also together with an error.
func (c *V2Client) Reverse(ctx context.Context, r Ref) (again bool, err error) {
	a, err := c.callFor(ctx, opReverse, r)
	again = a.get("recall") == "Y"
	if err == nil && !again && a.get("recall") != "N" {
		return false, &Error{Op: opReverse, HTTPStatus: 200, Message: "the answer does not say whether to call again", Unknown: true}
	}
	return again, err
}

// AuthCodeToOpenID tells whose payment code it is (WeChat Pay v2,
// authcodetoopenid). That call knows no sign_type: it is signed with MD5.
func (c *V2Client) AuthCodeToOpenID(ctx context.Context, authCode string) (string, error) {
	if !goodAuthCode(authCode) {
		return "", &Error{Op: opAuthCode, Message: "the payment code is not 18 digits that begin with 10 to 15", Err: ErrAuthCode}
	}
	a, err := c.call(ctx, request{op: opAuthCode, sign: MD5, fields: message{{"auth_code", authCode}}})
	if err != nil {
		return "", err
	}
	id := a.get("openid")
	if sub := a.get("sub_openid"); c.cfg.SubAppID != "" && sub != "" {
		id = sub
	}
	if id == "" {
		return "", &Error{Op: opAuthCode, HTTPStatus: 200, Message: "the answer names nobody", Unknown: true}
	}
	return id, nil
}

// AuthInfo gets a face device its credential (get_wxpayface_authinfo, which
// lives on a host of its own).
func (c *V2Client) AuthInfo(ctx context.Context, d FaceDevice) (FaceAuth, error) {
	if err := checkDevice(d); err != nil {
		return FaceAuth{}, &Error{Op: opFaceAuth, Message: err.Error()}
	}
	a, err := c.call(ctx, request{op: opFaceAuth, fields: withoutEmpty(message{
		{"attach", d.Attach},
		{"device_id", d.DeviceID},
		{"now", strconv.FormatInt(c.cfg.Now().Unix(), 10)},
		{"rawdata", d.RawData},
		{"store_id", d.StoreID},
		{"store_name", d.StoreName},
		{"version", "1"},
	})})
	if err != nil {
		return FaceAuth{}, err
	}
	auth := FaceAuth{Info: a.get("authinfo"), ExpiresIn: int(fen(a.get("expires_in")))}
	if auth.Info == "" || auth.ExpiresIn < 0 {
		return FaceAuth{}, &Error{Op: opFaceAuth, HTTPStatus: 200, Message: "the answer is incomplete", Unknown: true}
	}
	return auth, nil
}

func checkDevice(d FaceDevice) error {
	for _, f := range []struct {
		name, value string
		max         int
	}{
		{"store id", d.StoreID, 32},
		{"store name", d.StoreName, 128},
		{"device id", d.DeviceID, 32},
		{"raw data", d.RawData, 2048},
	} {
		if f.value == "" || len(f.value) > f.max || strings.ContainsFunc(f.value, unprintable) {
			return fmt.Errorf("the %s is missing, longer than %d or has characters that XML cannot carry", f.name, f.max)
		}
	}
	if strings.ContainsFunc(d.Attach, unprintable) {
		return errors.New("attach has characters that XML cannot carry")
	}
	return nil
}
