package views

import (
	"time"

	"wxshop/models"
)

// adminMoneySamples are the pages where money goes back or is taken.
func adminMoneySamples() []Sample {
	owner, viewer := adminStoryPage(ZH, "陆掌柜", "owner"), adminStoryPage(ZH, "看看", "viewer")
	staff, english := adminStoryPage(ZH, "小满", "staff"), adminStoryPage(EN, "xiaoman", "staff")
	over := adminStoryRefund(staff)
	limit := models.Fen(100_00)
	over.Problem, over.Limit, over.Amount = AdminRefundLimit, &limit, "168.00"
	capped := adminStoryRefund(owner)
	capped.Problem, capped.Amount = AdminRefundLeft, "284.00"
	none := adminStoryRefund(owner)
	none.Left = 0
	return []Sample{
		{"order-refunds", AdminOrder(adminStoryRefunded(owner))},
		{"refund", AdminRefund(adminStoryRefund(owner))},
		{"refund-cap", AdminRefund(capped)},
		{"refund-limit", AdminRefund(over)},
		{"refund-none", AdminRefund(none)},
		{"refund-en", AdminRefund(adminStoryRefund(english))},
		{"refunds", AdminRefunds(adminStoryRefunds(owner))},
		{"refunds-viewer", AdminRefunds(adminStoryRefunds(viewer))},
		{"refunds-none", AdminRefunds(AdminRefundsPage{AdminPage: adminStoryQuiet(owner).at(AdminMenuRefunds)})},
		{"refunds-closed", AdminRefunds(AdminRefundsPage{AdminPage: owner.at(AdminMenuRefunds), Filter: AdminRefundsClosed})},
		{"cashdesk", AdminDesk(adminStoryDesk(staff))},
		{"cashdesk-letters", AdminDesk(AdminDeskPage{AdminPage: staff.at(AdminMenuDesk), Amount: "98.00", Token: "T", Problem: AdminDeskCode})},
		{"cashdesk-used", AdminDesk(AdminDeskPage{AdminPage: staff.at(AdminMenuDesk), Token: "T", Problem: AdminDeskUsed})},
		{"cashdesk-face", AdminDesk(AdminDeskPage{AdminPage: staff.at(AdminMenuDesk), Amount: "98.00", Face: true, Token: "T"})},
		{"cashdesk-wait", AdminSale(adminStorySale(staff, models.Unpaid, models.PayCreated, ""))},
		{"cashdesk-silent", AdminSale(adminStorySale(staff, models.Unpaid, models.PayCreated, "micropay: no answer"))},
		{"cashdesk-reversing", AdminSale(adminStorySale(staff, models.Unpaid, models.PayReversing, "reverse: no answer"))},
		{"cashdesk-paid", AdminSale(adminStorySale(staff, models.Done, models.PayPaid, ""))},
		{"cashdesk-reversed", AdminSale(adminStorySale(staff, models.Closed, models.PayClosed, ""))},
		{"cashdesk-refused", AdminSale(adminStorySale(staff, models.Closed, models.PayFailed, "micropay: AUTHCODEEXPIRE: 付款码已过期"))},
		{"cashdesk-back", AdminSale(adminStorySale(english, models.Closed, models.PayPaid, ""))},
	}
}

func adminStoryRefund(p AdminPage) AdminRefundPage {
	p.Script = true
	o := adminStoryOrder()
	o.Items[0].ID, o.Items[1].ID, o.Items[1].Qty = 1, 2, 3
	return AdminRefundPage{
		AdminPage: p.at(AdminMenuOrders), Order: o, Paid: 284_00, Left: 226_00, Amount: "226.00", Token: "TOKEN",
		Lines: []AdminRefundLine{{Item: &o.Items[0], Left: 1, Qty: 1, Restock: true}, {Item: &o.Items[1], Left: 2}},
	}
}

func adminStoryRefundOf(no string, s models.RefundState, fen models.Fen, note string) models.Refund {
	return models.Refund{
		Reason: models.RefundMerchant, Note: note, OutRefundNo: no, Amount: fen, State: s, Tries: 2,
		CreatedAt: models.At(storyTime(11, 20, 15, 20, 0)), NextAt: models.At(storyTime(11, 20, 16, 20, 0)),
	}
}

func adminStoryRefunded(p AdminPage) AdminOrderPage {
	x := adminStoryDossier(p)
	done := adminStoryRefundOf("R261119E5VJ2KX9RD3FB7MS", models.RefundSucceeded, 58_00, "打包时压坏一罐")
	done.SucceededAt, done.Account = models.At(storyTime(11, 20, 15, 40, 0)), "支付用户零钱"
	held := adminStoryRefundOf("R2611196WB8ZN4TQ7XM0068", models.RefundAbnormal, 20_00, "差价")
	held.LastError = "refund: USER_ACCOUNT_ABNORMAL: 退款请求失败"
	x.Refunds = []models.Refund{done, adminStoryRefundOf("R261120QZ5D8MTC1XW7EB4G", models.RefundProcessing, 6_00, "运费"), held}
	x.Left = 200_00
	return x
}

func adminStoryRefunds(p AdminPage) AdminRefundsPage {
	x := adminStoryRefunded(p)
	row := func(i int, no, name string, from models.Source) models.RefundRow {
		return models.RefundRow{Refund: x.Refunds[i], OrderNo: no, Name: name, Source: from}
	}
	return AdminRefundsPage{
		AdminPage: p.at(AdminMenuRefunds), Held: []models.RefundRow{row(2, adminStoryNo, "林晓溪", models.FromWeb)},
		Under: []models.RefundRow{row(1, adminStoryNo, "林晓溪", models.FromWeb), row(1, "", "", models.FromWeb)},
		Rows:  []models.RefundRow{row(0, adminStoryNo, "", models.FromCounter)}, More: "/admin/refunds?before=2",
	}
}

func adminStoryDesk(p AdminPage) AdminDeskPage {
	p.Script = true
	return AdminDeskPage{
		AdminPage: p.at(AdminMenuDesk), Amount: "98.00", Token: "TOKEN", AdminDeskToday: adminStorySales(),
		Goods: []AdminDeskGood{{"茉莉飘雪", 58_00}, {"明前龙井", 98_00}, {"青瓷盖碗", 128_00}},
	}
}

func adminStorySaleOf(no string, fen models.Fen, o models.State, s models.PayState, lastError string) models.Sale {
	txn := "4200002481202611206017352894"
	at := storyTime(11, 20, 16, 4, 48)
	x := models.Sale{
		Order: models.Order{No: "261120ZZK7M3QX9T4HRV98", Total: fen, State: o, Source: models.FromCounter, CreatedAt: models.At(at),
			PaidAt: models.At(at.Add(6 * time.Second)), ClosedAt: models.At(at.Add(50 * time.Second))},
		Payment: models.Payment{OutTradeNo: no, Channel: "MICROPAY", State: s, Total: fen, CodeTail: "4821", Queries: 1,
			NextQueryAt: models.At(at.Add(22 * time.Second)), LastError: lastError},
	}
	if s == models.PayPaid {
		x.Payment.TransactionID = &txn
	}
	return x
}

func adminStorySales() AdminDeskToday {
	return AdminDeskToday{
		Sales: []models.Sale{
			adminStorySaleOf("P261120ZMB8RV2NW6QJ1XHT", 128_00, models.Done, models.PayPaid, ""),
			adminStorySaleOf("P261120CDK3TX7FV5SE2WYB", 58_00, models.Closed, models.PayClosed, ""),
			adminStorySaleOf("P2611205XN1QG8ZR4JM7KPD", 398_00, models.Done, models.PayPaid, ""),
		},
		Sum: models.SalesSum{Paid: 2, Sum: 526_00, Ended: 1},
	}
}

func adminStorySale(p AdminPage, o models.State, s models.PayState, lastError string) AdminSalePage {
	p.Script, p.Live = true, o == models.Unpaid
	return AdminSalePage{
		AdminPage: p.at(AdminMenuDesk), Sale: adminStorySaleOf("P2611208KW3NX6QB9VZ2FMR", 98_00, o, s, lastError), AdminDeskToday: adminStorySales(),
	}
}
