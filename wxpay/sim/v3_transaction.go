package sim

import "time"

// apiV3 marks orders, refunds and notifications of API v3; those of v2 are not
// marked.
const apiV3 = "v3"

// apiName is the API for the control API.
func apiName(api string) string {
	if api == "" {
		return "v2"
	}
	return api
}

// timeV3 is how API v3 writes times: RFC 3339, in Beijing, whole seconds.
func timeV3(t time.Time) string { return t.In(beijing).Format("2006-01-02T15:04:05-07:00") }

// transactionV3 is an order as a query of API v3 answers it and a notification
// tells it; JSON sorts the keys. s.mu is held.
func transactionV3(o *order) map[string]any { return claimV3(o, o.payment) }

// claimV3 is an order with a payment, which need not have happened; nil: none.
func claimV3(o *order, p *payment) map[string]any {
	state := o.state()
	if state == stateNotPay && p != nil {
		state = stateSuccess
	}
	amount := map[string]any{"total": o.Total, "currency": "CNY"}
	m := map[string]any{
		"out_trade_no": o.No, "trade_state": state, "trade_state_desc": stateDescV3(state), "amount": amount,
	}
	payer := map[string]any{}
	who := [][2]string{{"appid", o.AppID}, {"mchid", o.MchID}}
	if o.SubMchID != "" {
		who = [][2]string{{"sp_appid", o.AppID}, {"sp_mchid", o.MchID}, {"sub_appid", o.SubAppID}, {"sub_mchid", o.SubMchID}}
	}
	for _, w := range who {
		if w[1] != "" {
			m[w[0]] = w[1]
		}
	}
	if o.DeviceInfo != "" {
		m["scene_info"] = map[string]any{"device_id": o.DeviceInfo}
	}
	if p == nil {
		return m
	}
	amount["payer_total"], amount["payer_currency"] = o.Total, "CNY"
	payer["openid"] = p.OpenID
	if o.SubMchID != "" {
		payer = map[string]any{}
		for name, openID := range map[string]string{"sp_openid": p.OpenID, "sub_openid": p.SubOpenID} {
			if openID != "" {
				payer[name] = openID
			}
		}
	}
	m["payer"], m["promotion_detail"], m["attach"] = payer, []any{}, o.Attach
	m["transaction_id"], m["trade_type"], m["bank_type"], m["success_time"] = p.TransactionID, o.TradeType, p.BankType, timeV3(p.At)
	return m
}

// stateDescV3 is trade_state_desc of API v3.
func stateDescV3(state string) string {
	return map[string]string{
		stateNotPay: "订单未支付", stateUserPaying: "用户支付中", stateSuccess: "支付成功", stateRefund: "转入退款",
		stateClosed: "订单已关闭", stateRevoked: "已撤销", statePayError: "支付失败",
	}[state]
}
