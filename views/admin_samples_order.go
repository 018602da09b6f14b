package views

import "wxshop/models"

// adminStoryOrder is the order of the story, paid and not yet shipped.
func adminStoryOrder() *models.Order {
	return &models.Order{
		No: adminStoryNo, State: models.Paid, GoodsTotal: 284_00, Total: 284_00, Note: "送人，请不要放价格单",
		Receiver:  models.Receiver{Name: "林晓溪", Phone: "13800001234", Province: "浙江省", City: "杭州市", District: "西湖区", Street: "文三路 90 号 3 幢 502"},
		CreatedAt: models.At(storyTime(11, 19, 20, 30, 15)), PaidAt: models.At(storyTime(11, 19, 20, 31, 6)),
		ExpiresAt: models.At(storyTime(11, 19, 21, 0, 15)),
		Items: []models.OrderItem{
			{NameZH: "明前龙井", NameEN: "Pre-Qingming Longjing", OptionZH: "100 克", OptionEN: "100 g", Price: 168_00, Qty: 1},
			{NameZH: "茉莉飘雪", NameEN: "Jasmine snow", OptionZH: "100 克", OptionEN: "100 g", Price: 58_00, Qty: 2},
		},
	}
}

func adminStoryDossier(p AdminPage) AdminOrderPage {
	openID, txn := adminStoryOpenID, adminStoryTxn
	return AdminOrderPage{AdminPage: p.at(AdminMenuOrders), Dossier: models.Dossier{
		Order: adminStoryOrder(), User: &models.User{OpenID: &openID},
		Payments: []models.Payment{{
			OutTradeNo: adminStoryOutNo, API: "v2", Channel: "JSAPI", State: models.PayPaid, Total: 284_00, TransactionID: &txn,
			PaidAt: models.At(storyTime(11, 19, 20, 31, 6)),
		}},
		Events:   adminStoryEvents(),
		Messages: adminStoryMessages(),
	}}
}

func adminStoryEvents() []models.Event {
	return []models.Event{
		{At: models.At(storyTime(11, 19, 20, 30, 15)), Actor: "shopper", Kind: "placed", To: "unpaid", Amount: 284_00},
		{At: models.At(storyTime(11, 19, 20, 30, 16)), Actor: "shopper", Kind: "prepay", From: "created", To: "prepaid", OutTradeNo: adminStoryOutNo},
		{At: models.At(storyTime(11, 19, 20, 31, 7)), Actor: "notify", Kind: "paid", From: "unpaid", To: "paid", Amount: 284_00, OutTradeNo: adminStoryOutNo, TransactionID: adminStoryTxn},
		{At: models.At(storyTime(11, 20, 9, 12, 40)), Actor: "staff:小满", Kind: "note", Note: "先等礼盒补货，下午一起寄"},
		{At: models.At(storyTime(11, 20, 9, 13, 0)), Actor: "robot", Kind: "some-later-kind"},
	}
}

func adminStoryMessages() []models.Message {
	return []models.Message{
		{OutTradeNo: adminStoryOutNo, At: models.At(storyTime(11, 19, 20, 30, 15)), Op: "unifiedorder", Direction: "out", TookMS: 112,
			Request: "<xml>\n<appid>wxf000000000000001</appid>\n<body>云间茶铺-明前龙井 等 3 件</body>\n<mch_id>1900000001</mch_id>\n<out_trade_no>" + adminStoryOutNo + "</out_trade_no>\n<total_fee>28400</total_fee>\n</xml>",
			Answer:  "<xml>\n<return_code>SUCCESS</return_code>\n<prepay_id>wx192030150000</prepay_id>\n</xml>"},
		{OutTradeNo: adminStoryOutNo, At: models.At(storyTime(11, 19, 20, 30, 50)), Op: "orderquery", Direction: "out", TookMS: 5000,
			Request: "<xml>\n<out_trade_no>" + adminStoryOutNo + "</out_trade_no>\n</xml>", Err: "no answer in 5s"},
		{OutTradeNo: adminStoryOutNo, At: models.At(storyTime(11, 19, 20, 31, 7)), Op: "notify", Direction: "in",
			Request: `{"appid":"wxf000000000000001","openid":"…Qk3w","out_trade_no":"` + adminStoryOutNo + `","total_fee":"28400","transaction_id":"` + adminStoryTxn + `"}`},
	}
}

func adminStoryUnpaid(p AdminPage) AdminOrderPage {
	x := adminStoryDossier(p)
	x.Order.State, x.Order.PaidAt = models.Unpaid, models.Time{}
	live := int64(1)
	x.Payments = []models.Payment{{
		OutTradeNo: adminStoryOutNo, API: "v2", Channel: "JSAPI", State: models.PayPrepaid, Total: 284_00, LiveOrderID: &live,
		ExpireAt: models.At(storyTime(11, 19, 21, 0, 15)), LastError: "query: no answer in 5s",
	}}
	x.Misfits = []models.Misfit{{ID: 4, State: "open", Reason: "amount"}}
	x.Events, x.User = x.Events[:2], &models.User{}
	x.Form = AdminOrderForm{At: AdminClose, Problem: AdminNoteMissing}
	return x
}

func adminStoryLate(p AdminPage) AdminOrderPage {
	x := adminStoryDossier(p)
	x.Order.State, x.Order.CloseReason = models.Closed, models.ByTimeout
	x.Refunds = []models.Refund{{Reason: "late", OutRefundNo: "R261119W6YB4KH2N8FJ3TSV", Amount: 284_00, State: models.RefundPending, CreatedAt: models.At(storyTime(11, 19, 21, 3, 0))}}
	x.Events = append(x.Events[:2], models.Event{
		At: models.At(storyTime(11, 19, 21, 2, 15)), Actor: "loop", Kind: "closed", From: "unpaid", To: "closed", Note: "timeout",
	}, models.Event{
		At: models.At(storyTime(11, 19, 21, 3, 0)), Actor: "notify", Kind: "refund-due", Amount: 284_00, Note: "late", OutTradeNo: adminStoryOutNo, TransactionID: adminStoryTxn,
	})
	return x
}

// adminStoryHostile is what a hostile shopper, or WeChat on a bad day, could make
// the merchant read (security A14).
func adminStoryHostile(p AdminPage) AdminOrderPage {
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>`
	x := adminStoryDossier(p)
	x.Order.Note, x.Order.Receiver.Name, x.Order.Receiver.Street = evil, evil, "javascript:alert(3)//"+evil
	x.Order.Items[0].NameZH, x.Order.Carrier = evil, evil
	x.Events = append(x.Events, models.Event{Actor: "staff:" + evil, Kind: "note", Note: evil})
	x.Messages[0].Request, x.Messages[0].Err = "</pre>"+evil, evil
	x.Form = AdminOrderForm{At: AdminShip, Problem: AdminTracking, Carrier: evil, Tracking: evil}
	return x
}

func adminStoryCheck(p AdminPage) AdminCheckPage {
	raw := `{"openid":"…M3xq","out_trade_no":"P261120FQW9NB6KXJ8CT4DZ","total_fee":"26800"}`
	return AdminCheckPage{
		AdminPage: p.at(AdminMenuCheck),
		Open: []AdminMisfit{
			{OrderNo: "261120M5RC3XK8VD2T6605", Misfit: models.Misfit{
				ID: 4, Reason: "amount", OutTradeNo: "P261120FQW9NB6KXJ8CT4DZ", TransactionID: "4200002475202611201382946057", OrderID: 9,
				Got: "26800", Want: "24800", Total: 268_00, Raw: raw, State: "open", CreatedAt: models.At(storyTime(11, 20, 12, 3, 41)),
			}},
			{Misfit: models.Misfit{
				ID: 5, Reason: "unknown", OutTradeNo: "Z1", TransactionID: "4200002475202611201382946058",
				Got: "Z1", Want: "one of our numbers", Total: 1_00, Raw: "not JSON <b>", State: "open", CreatedAt: models.At(storyTime(11, 18, 12, 3, 41)),
			}},
		},
		Done: []AdminMisfit{
			{Misfit: models.Misfit{ID: 3, Reason: "openid", Total: 88_00, TransactionID: "4200002475202611121382946057", State: "explained", Note: "夫妻两个手机，电话确认过",
				ClosedAt: models.At(storyTime(11, 12, 10, 36, 0)), ClosedBy: "staff:陆掌柜"}},
			{Misfit: models.Misfit{ID: 2, Reason: "a-new-reason", Total: -1, State: "explained", Note: "在商户平台退了 R1",
				ClosedAt: models.At(storyTime(11, 3, 9, 20, 0)), ClosedBy: "staff:陆掌柜"}},
		},
		More: "/admin/check?before=2",
		At:   5, Note: "", Problem: AdminNoteMissing,
	}
}
