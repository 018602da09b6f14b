package views

import (
	"time"

	"wxshop/models"
)

// AdminSamples is every page of the merchant in every state that looks
// different, with the data of the same story as Samples, for golden files and
// for looking at.
func AdminSamples() []Sample {
	owner, viewer := adminStoryPage(ZH, "陆掌柜", "owner"), adminStoryPage(ZH, "看看", "viewer")
	english := adminStoryPage(EN, "xiaoman", "staff")
	return append(append(adminMoneySamples(), adminBillSamples()...), []Sample{
		{"signin", AdminSignIn(AdminSignInPage{AdminPage: AdminPage{Now: owner.Now}, Name: "owner", Problem: AdminWrong})},
		{"signin-wait", AdminSignIn(AdminSignInPage{AdminPage: AdminPage{Now: owner.Now}, Problem: AdminWait, Wait: 40 * time.Second, Next: "/admin/orders"})},
		{"signin-en", AdminSignIn(AdminSignInPage{AdminPage: AdminPage{Lang: EN, Now: owner.Now}, Problem: AdminEnded})},
		{"password", AdminPassword(AdminPasswordPage{AdminPage: owner.at(AdminMenuAccount), Problem: AdminPasswordShort})},
		{"password-must", AdminPassword(AdminPasswordPage{AdminPage: owner.at(""), Must: true})},
		{"today", AdminToday(adminStoryToday(owner))},
		{"today-empty", AdminToday(AdminTodayPage{AdminPage: adminStoryQuiet(owner).at(AdminMenuToday)})},
		{"today-en", AdminToday(adminStoryToday(english))},
		{"today-play", AdminToday(adminStoryToday(adminStoryPlay(owner)))},
		{"orders", AdminOrders(adminStoryOrders(owner))},
		{"orders-viewer", AdminOrders(adminStoryOrders(viewer))},
		{"orders-none", AdminOrders(AdminOrdersPage{AdminPage: owner.at(AdminMenuOrders), Query: `<b>"42`, State: models.Paid})},
		{"order-paid", AdminOrder(adminStoryDossier(owner))},
		{"order-paid-viewer", AdminOrder(adminStoryDossier(viewer))},
		{"order-paid-en", AdminOrder(adminStoryDossier(english))},
		{"order-unpaid", AdminOrder(adminStoryUnpaid(owner))},
		{"order-late", AdminOrder(adminStoryLate(owner))},
		{"order-hostile", AdminOrder(adminStoryHostile(owner))},
		{"check", AdminCheck(adminStoryCheck(owner))},
		{"check-viewer", AdminCheck(adminStoryCheck(viewer))},
		{"check-none", AdminCheck(AdminCheckPage{AdminPage: adminStoryQuiet(owner).at(AdminMenuCheck)})},
		{"error-409", AdminError(AdminErrorPage{AdminPage: owner.at(AdminMenuOrders), Status: 409, OrderNo: adminStoryNo, State: models.Closed})},
		{"error-500", AdminError(AdminErrorPage{AdminPage: owner.at(AdminMenuOrders), Status: 500, Ref: "7F3K-92QD", Back: "/admin/check"})},
	}...)
}

const (
	adminStoryNo     = "261119K7M3QX9T4HRV7056"
	adminStoryOutNo  = "P261119H4WB6YK2N8FJ3TSV"
	adminStoryTxn    = "4200002468202611195730281946"
	adminStoryOpenID = "oF0aXk2LmN9pQrStUvWxYzAbQk3w"
)

func adminStoryPage(l Lang, user, role string) AdminPage {
	return AdminPage{
		Lang: l, Path: "/admin", Now: storyTime(11, 20, 16, 5, 0), Who: user, Role: role,
		Menu: AdminMenuOrders, ToShip: 6, ToCheck: 1, Refunding: 2, Differences: 4,
	}
}

func adminStoryPlay(p AdminPage) AdminPage {
	p.Banner = "模拟支付，不会真的扣款 · Simulated payments, no real money"
	return p
}

func adminStoryQuiet(p AdminPage) AdminPage {
	p.ToShip, p.ToCheck, p.Refunding, p.Differences = 0, 0, 0, 0
	return p
}

func (p AdminPage) at(m AdminMenu) AdminPage {
	p.Menu = m
	return p
}

func adminStoryToday(p AdminPage) AdminTodayPage {
	return AdminTodayPage{
		AdminPage: p.at(AdminMenuToday), Counts: adminStoryCounts(), RefundsSum: 32640_00, Newest: adminStoryRows()[:5],
	}
}

func adminStoryCounts() map[models.State]int64 {
	return map[models.State]int64{models.Unpaid: 3, models.Paid: 6, models.Shipped: 11, models.Done: 40, models.Closed: 7}
}

func adminStoryOrders(p AdminPage) AdminOrdersPage {
	return AdminOrdersPage{
		AdminPage: p, Counts: adminStoryCounts(), Rows: adminStoryRows(), First: 21,
		Prev: "/admin/orders", Next: "/admin/orders?at=140.120",
	}
}

func adminStoryRows() []models.OrderRow {
	row := func(no, name, phone, goods, goodsEN string, qty, total int64, s models.State, day, hour, minute int) models.OrderRow {
		return models.OrderRow{Order: models.Order{
			No: no, State: s, Total: models.Fen(total), CreatedAt: models.At(storyTime(11, day, hour, minute, 0)),
			Receiver: models.Receiver{Name: name, Phone: phone},
			Items:    []models.OrderItem{{NameZH: goods, NameEN: goodsEN, Qty: qty}},
		}}
	}
	rows := []models.OrderRow{
		row("261120R8VX2JH6DN5Q0028", "周予安", "13900006620", "2019 勐海熟饼", "2019 Menghai ripe cake", 1, 168_00, models.Paid, 20, 16, 4),
		row("261120CW3M9ETB4KX67733", "陈一诺", "13900000917", "云间礼盒 两罐", "Gift box, two tins", 1, 268_00, models.Paid, 20, 15, 58),
		row("2611205YGZ7PN2HSDA1947", "林晓溪", "13800001234", "紫砂小壶", "Small Yixing pot", 1, 398_00, models.Unpaid, 20, 15, 41),
		row("261120T6QF4BW9RJM30081", "何青", "13900003358", "安溪铁观音", "Anxi Tieguanyin", 2, 176_00, models.Shipped, 20, 15, 3),
		row(adminStoryNo, "林晓溪", "13800001234", "明前龙井", "Pre-Qingming Longjing", 3, 284_00, models.Paid, 19, 20, 30),
		row("261119XD2KV8ZN5HC75504", "吴桐", "13900007701", "青瓷盖碗", "Celadon gaiwan", 1, 128_00, models.Closed, 19, 18, 22),
		row("2611194PJE9SW6TQB80349", "沈南枝", "13900002045", "茉莉飘雪", "Jasmine snow", 200, 11600_00, models.Done, 19, 11, 7),
	}
	rows[4].Refunds, rows[2].Misfits = 1, 1
	return rows
}
