package views

import (
	"time"

	"wxshop/models"
	"wxshop/static"
)

// storyOrder is the order of the story, unpaid.
func storyOrder() Order {
	return Order{
		No: "261119K7M3QX9T4HRV7056", State: models.Unpaid, To: storyReceiver(), CanRefund: true,
		Items: []Item{
			{Slug: "longjing", Name: "明前龙井", Option: "100 克", Picture: static.URL("longjing.svg"), Price: 16800, Qty: 1},
			{Slug: "jasmine", Name: "茉莉飘雪", Option: "100 克", Picture: static.URL("jasmine.svg"), Price: 5800, Qty: 2},
		},
		GoodsTotal: 28400, Total: 28400,
		CreatedAt: storyTime(11, 19, 20, 30, 15), Deadline: storyTime(11, 19, 21, 0, 15),
	}
}

func (o Order) with(change func(*Order)) Order {
	o.Items = append([]Item(nil), o.Items...)
	change(&o)
	return o
}

func paidOrder() Order {
	return storyOrder().with(func(o *Order) {
		o.State, o.PaidAt, o.TransactionID = models.Paid, storyTime(11, 19, 20, 31, 6), "4200002468202611195730281946"
	})
}

func shippedOrder() Order {
	return paidOrder().with(func(o *Order) {
		o.State, o.ShippedAt, o.ArrivesAt = models.Shipped, storyTime(11, 20, 17, 5, 0), storyTime(11, 22, 18, 0, 0)
		o.Carrier, o.TrackingNo, o.Refunded, o.Items[1].Refunded = "顺丰速运", "SF1395 2204 7781", 5800, 1
		o.Track = []Track{
			{storyTime(11, 21, 6, 12, 0), "已到达 杭州西溪转运中心"},
			{storyTime(11, 20, 19, 40, 0), "离开 安溪集散点"},
			{storyTime(11, 20, 17, 5, 0), "店家已交给快递"},
		}
	})
}

func closedOrder(why models.CloseReason) Order {
	return storyOrder().with(func(o *Order) {
		o.State, o.CloseReason, o.ClosedAt = models.Closed, why, storyTime(11, 19, 21, 0, 20)
	})
}

// refundedOrder is an older one of hers, refunded whole.
func refundedOrder() Order {
	return paidOrder().with(func(o *Order) {
		o.No, o.TransactionID = "2609187TRB5MXJ4WC2H9KD", "4200002391202609188046617253"
		o.Items = []Item{{Slug: "biluochun", Name: "洞庭碧螺春", Option: "100 克", Picture: static.URL("biluochun.svg"), Price: 15800, Qty: 1}}
		o.GoodsTotal, o.Total, o.Refunded = 15800, 15800, 15800
		o.CreatedAt, o.PaidAt = storyTime(9, 18, 18, 45, 0), storyTime(9, 18, 18, 46, 0)
		o.Refund = Refund{State: models.RefundSucceeded, Amount: 15800, No: "R260919V3XJ8KN5TZ2D4WQ7", At: storyTime(9, 19, 10, 2, 0)}
		o.Refunds = []Refund{o.Refund}
	})
}

func orderSamples() []Sample {
	one := func(name string, o Order) Sample {
		return Sample{"order-" + name, OrderDetail(OrderPage{Page: storyPage(ZH, orderPath(o.No)), Order: o})}
	}
	return []Sample{
		one("unpaid", storyOrder()),
		one("checking", storyOrder().with(func(o *Order) { o.Checking = true })),
		one("to-check", storyOrder().with(func(o *Order) { o.ToCheck = true })),
		one("paid", paidOrder()),
		one("paid-twice", paidOrder().with(func(o *Order) { o.Extra = 28400 })),
		one("revived", paidOrder().with(func(o *Order) { o.Revived = true })),
		one("shipped", shippedOrder()),
		one("done", shippedOrder().with(func(o *Order) {
			o.State, o.DoneAt, o.Refunded, o.Note = models.Done, storyTime(11, 22, 19, 10, 0), 0, "送人，请不要放价格单"
			o.Track, o.Items[1].Refunded = nil, 0
		})),
		one("closed-late", closedOrder(models.ByTimeout)),
		one("cancelled", closedOrder(models.ByShopper)),
		one("cancelled-by-shop", closedOrder(models.ByMerchant)),
		one("late-no-stock", closedOrder(models.ByTimeout).with(func(o *Order) {
			o.Late, o.PaidAt, o.TransactionID = true, storyTime(11, 19, 21, 1, 2), "4200002468202611195730281946"
			o.Refund = Refund{State: models.RefundPending, Amount: 28400, No: "R261119V3XJ8KN5TZ2D4WQ7"}
			o.Refunds = []Refund{o.Refund}
		})),
		one("refund-asked", paidOrder().with(func(o *Order) { o.Refund = Refund{Asked: true, Amount: 5800} })),
		one("refunding", paidOrder().with(func(o *Order) {
			o.Refund = Refund{State: models.RefundProcessing, Amount: 5800, No: "R261120V3XJ8KN5TZ2D4WQ7"}
			o.Refunds = []Refund{o.Refund, {State: models.RefundSucceeded, Amount: 1000, No: "R261120Z9KQ2M7XT4VB8HC3"}}
			o.Refunded = 1000
		})),
		one("refunded", refundedOrder()),
		one("refund-abnormal", paidOrder().with(func(o *Order) {
			o.Refund = Refund{State: models.RefundAbnormal, Amount: 5800, No: "R261120V3XJ8KN5TZ2D4WQ7"}
			o.Refunds = []Refund{o.Refund}
		})),
		one("refund-refused", paidOrder().with(func(o *Order) {
			o.Refund = Refund{State: models.RefundClosed, Amount: 5800, Reason: "已超过 7 天"}
		})),
		one("refund-failed", paidOrder().with(func(o *Order) {
			o.Refund = Refund{State: models.RefundClosed, Amount: 5800, No: "R261120V3XJ8KN5TZ2D4WQ7"}
			o.Refunds = []Refund{o.Refund}
		})),
		{"order-cancel", ConfirmCancel(OrderPage{Page: storyPage(ZH, "/orders/261119K7M3QX9T4HRV7056/cancel"), Order: storyOrder()})},
	}
}

func paySamples() []Sample {
	pay := PayPage{Page: storyPage(ZH, "/pay/261119K7M3QX9T4HRV7056"), Order: storyOrder(), Bridge: &Bridge{
		AppID: "wxf000000000000001", TimeStamp: "1795091434", NonceStr: "5K8264ILTKCH16CQ2502SI8ZNMTM67VS",
		Package: "prepay_id=wx192030151234567890abcdef0000000000", SignType: "HMAC-SHA256",
		PaySign: "6A9AE1657590FD6257D693A078E1C3E4BB6BA4DC30B23E0EE2496E54170DACD6",
	}}
	pay.Now = storyTime(11, 19, 20, 30, 34)
	again := pay
	again.Bridge, again.Why = nil, NotEnough
	expired := pay
	expired.Bridge, expired.Order = nil, pay.Order.with(func(o *Order) { o.Attempt = models.PayClosed })
	open := OpenPage{
		Page: storyPage(ZH, "/pay/261119K7M3QX9T4HRV7056"), Order: storyOrder(), QR: "/orders/261119K7M3QX9T4HRV7056/qr.svg",
		URL: "http://localhost:8080/c/W8ZC4NK2TQ7XJ5B9MD3RV6HG", Until: storyTime(11, 19, 20, 45, 45),
	}
	open.SignedIn, open.InWeChat = false, false
	return append(channelSamples(), []Sample{
		{"pay", Pay(pay)}, {"pay-again", Pay(again)}, {"pay-expired", Pay(expired)}, {"open-wechat", OpenInWeChat(open)},
		{"claim", Claim(ClaimPage{Page: storyPage(ZH, "/c/W8ZC4NK2TQ7XJ5B9MD3RV6HG"), Token: "W8ZC4NK2TQ7XJ5B9MD3RV6HG", Order: storyOrder()})},
	}...)
}

// channelSamples are the ways to pay outside WeChat.
func channelSamples() []Sample {
	order := storyOrder()
	order.Attempt = models.PayPrepaid
	frame := storyPage(ZH, payPath(order.No))
	frame.Now, frame.SignedIn, frame.InWeChat = storyTime(11, 19, 20, 30, 34), false, false
	code := CodePage{Page: frame, Order: order, Code: payPath(order.No) + "/code.svg", Until: order.Deadline}
	gone, unsure := code, code
	gone.Code = ""
	unsure.Why, unsure.Code, unsure.Lang, unsure.Care = Unanswered, "", EN, true
	h5 := H5Page{Page: frame, Order: order, Link: "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx19203015&package=1037687096&redirect_url=https%3A%2F%2Fshop.example%2Fpay%2F" + order.No + "%2Fback"}
	first, english := h5, h5
	first.Link, english.Lang, english.Care = "", EN, true
	back := OrderPage{Page: frame, Order: order}
	back.Now = storyTime(11, 19, 20, 34, 3)
	return []Sample{
		{"pay-code", PayByCode(code)}, {"pay-code-expired", PayByCode(gone)}, {"pay-code-unsure-en-care", PayByCode(unsure)},
		{"pay-h5", PayByH5(h5)}, {"pay-h5-first", PayByH5(first)}, {"pay-h5-en-care", PayByH5(english)}, {"pay-h5-back", PayBack(back)},
	}
}

// storyOrders are her four orders, what needs her on top.
func storyOrders() []Order {
	pot := storyOrder().with(func(o *Order) {
		o.No, o.Total, o.GoodsTotal = "261120Q2W9ZB6C8MTN4K3D", 39800, 39800
		o.Items = []Item{{Slug: "zisha", Name: "紫砂小壶", Option: "160 毫升", Picture: static.URL("zisha.svg"), Price: 39800, Qty: 1}}
		o.CreatedAt, o.Deadline = storyTime(11, 20, 15, 41, 0), storyTime(11, 20, 16, 11, 0)
	})
	cake := paidOrder().with(func(o *Order) {
		o.No, o.State, o.Total, o.GoodsTotal = "261002M8XKT5ZQ3V7BW2J6", models.Done, 16800, 16800
		o.Items = []Item{{Slug: "puer", Name: "2019 勐海熟饼", Option: "2019 年", Picture: static.URL("puer.svg"), Price: 16800, Qty: 1}}
		o.CreatedAt = storyTime(10, 2, 9, 8, 0)
	})
	paid := paidOrder().with(func(o *Order) {
		o.Refund = Refund{State: models.RefundProcessing, Amount: 5800, No: "R261120V3XJ8KN5TZ2D4WQ7"}
	})
	return []Order{pot, paid, cake, refundedOrder()}
}

func otherSamples() []Sample {
	orders := OrdersPage{Page: storyPage(ZH, "/orders"), Orders: storyOrders(), Counts: Counts{Unpaid: 1, Paid: 1, Refund: 1, All: 4}, Older: "/orders?before=2609187TRB5MXJ4WC2H9KD"}
	orders.Now = storyTime(11, 20, 15, 46, 52)
	none := OrdersPage{Page: storyPage(ZH, "/orders?s=shipped"), Tab: TabShipped}
	me := MePage{Page: storyPage(ZH, "/me"), Name: "林晓溪", Counts: orders.Counts, Pending: &orders.Orders[0]}
	me.Now = orders.Now
	guest := MePage{Page: storyPage(ZH, "/me")}
	guest.SignedIn, guest.InWeChat = false, false
	page := storyPage(ZH, "/rules")
	refused := LoginRefusedPage{Page: storyPage(ZH, "/auth/wechat/callback"), Retry: "/auth/wechat?to=/orders", Ref: "7F3K-92QD"}
	refused.SignedIn = false
	return append([]Sample{
		{"orders", Orders(orders)}, {"orders-empty", Orders(none)}, {"me", Me(me)}, {"me-guest", Me(guest)},
		{"sign-in", SignIn(SignInPage{Page: storyPage(ZH, "/checkout"), Next: "/auth/wechat?to=/checkout"})},
		{"login-refused", LoginRefused(refused)},
		{"rules", Rules(page)}, {"privacy", Privacy(page)}, {"licence", Licence(page)},
	}, errorSamples()...)
}

func errorSamples() []Sample {
	one := func(name string, status int, r Reason, no string) Sample {
		p := ErrorPage{Page: storyPage(ZH, "/orders/261119K7M3QX9T4HRV7056"), Status: status, Reason: r, Ref: "7F3K-92QD", OrderNo: no, Retry: "/checkout"}
		p.CartCount = 3
		return Sample{"error-" + name, Error(p)}
	}
	return []Sample{
		one("order", 404, NotFound, ""),
		one("page", 404, "", ""),
		one("fast", 429, "", ""),
		one("link", 410, LinkUsed, ""),
		one("form", 403, "", ""),
		one("changed", 409, TooLate, storyOrder().No),
		one("unknown", 202, Unknown, storyOrder().No),
		one("broken", 500, "", ""),
		one("broken-paying", 500, BrokenMaybe, storyOrder().No),
	}
}

// englishSamples are the longest pages in the other language, with large text.
func englishSamples() []Sample {
	var all []Sample
	for _, s := range goodsSamples(EN) {
		if s.Name == "home" || s.Name == "product" {
			all = append(all, Sample{s.Name + "-en", s.Component})
		}
	}
	frame := func(path string, care bool) Page {
		p := storyPage(EN, path)
		p.Care = care
		return p
	}
	checkout := CheckoutPage{Page: frame("/checkout", true), Token: "W8ZC4NK2TQ7XJ5B9", Lines: storyLines(), Sums: Sums{Goods: 28400, Total: 28400, Count: 3}}
	order := storyOrder()
	pay := PayPage{Page: frame(payPath(order.No), true), Order: order}
	pay.Now = order.CreatedAt.Add(19 * time.Second)
	return append(all,
		Sample{"checkout-en-care", Checkout(checkout)},
		Sample{"pay-en-care", Pay(pay)},
		Sample{"order-unpaid-en", OrderDetail(OrderPage{Page: frame(orderPath(order.No), false), Order: order})},
		Sample{"order-shipped-en-care", OrderDetail(OrderPage{Page: frame(orderPath(order.No), true), Order: shippedOrder()})},
		Sample{"error-broken-en", Error(ErrorPage{Page: frame("/checkout", false), Status: 500, Ref: "7F3K-92QD", Retry: "/checkout"})},
	)
}
