package views

import (
	"time"

	"wxshop/models"
)

// adminBillSamples are the pages of the reconciliation.
func adminBillSamples() []Sample {
	owner, viewer, english := adminStoryPage(ZH, "陆掌柜", "owner"), adminStoryPage(ZH, "看看", "viewer"), adminStoryPage(EN, "xiaoman", "staff")
	trouble := adminStoryBill(english)
	trouble.At, trouble.Problem, trouble.Left = 2, AdminNoteMissing, 12
	return []Sample{
		{"bills", AdminBills(adminStoryBills(owner))},
		{"bills-viewer", AdminBills(adminStoryBills(viewer))},
		{"bills-none", AdminBills(AdminBillsPage{AdminPage: adminStoryQuiet(owner).at(AdminMenuBills), Day: "x", Problem: AdminBillDay})},
		{"bill", AdminBill(adminStoryBill(owner))},
		{"bill-viewer", AdminBill(adminStoryBill(viewer))},
		{"bill-en", AdminBill(trouble)},
		{"bill-agrees", AdminBill(AdminBillPage{AdminPage: adminStoryQuiet(owner).at(AdminMenuBills), Day: adminStoryBillDay("2026-11-18", models.BillDone)})},
		{"bill-waits", AdminBill(AdminBillPage{AdminPage: adminStoryQuiet(owner).at(AdminMenuBills), Day: models.BillDay{
			Day: "2026-11-19", State: models.BillWaits, CheckedAt: models.At(storyTime(11, 20, 10, 0, 3))}})},
	}
}

func adminStoryBillDay(day string, s models.BillStep) models.BillDay {
	return models.BillDay{
		Day: day, State: s, API: "v3", CheckedAt: models.At(storyTime(11, 20, 10, 0, 3)), Payments: 42, Paid: 7128_00, Refunds: 3, Refunded: 284_00,
		OurPayments: 42, OurPaid: 7128_00, OurRefunds: 3, OurRefunded: 284_00, Known: 1, Reversed: 1,
	}
}

func adminStoryBills(p AdminPage) AdminBillsPage {
	open := models.BillDayRow{BillDay: adminStoryBillDay("2026-11-19", models.BillDone), Open: 4, Closed: 1}
	open.OurPaid -= 168_00
	failed := models.BillDayRow{BillDay: models.BillDay{Day: "2026-11-17", State: models.BillFailed, CheckedAt: models.At(storyTime(11, 18, 12, 30, 0)),
		Problem: "no bill from WeChat: downloadbill: HTTP 502 (outcome unknown)"}}
	return AdminBillsPage{
		AdminPage: p.at(AdminMenuBills), More: "/admin/reconcile?before=2026-11-16",
		Rows: []models.BillDayRow{open, {BillDay: adminStoryBillDay("2026-11-18", models.BillDone)}, failed,
			{BillDay: models.BillDay{Day: "2026-11-16", State: models.BillNone, CheckedAt: models.At(storyTime(11, 17, 10, 0, 0))}}},
	}
}

func adminStoryBill(p AdminPage) AdminBillPage {
	diff := func(id int64, k models.DiffKind, number string, theirs, ours models.Fen, their, our string) AdminDiff {
		return AdminDiff{BillDifference: models.BillDifference{
			ID: id, Day: "2026-11-19", Kind: k, Number: number, OutTradeNo: adminStoryOutNo, TransactionID: adminStoryTxn, Theirs: theirs, Ours: ours,
			TheirState: their, OurState: our, State: models.DiffOpen, At: models.At(storyTime(11, 19, 20, 31, 7).Add(time.Duration(id) * time.Minute)),
		}}
	}
	unsettled := diff(1, models.DiffUnsettled, adminStoryOutNo, 168_00, 168_00, "SUCCESS", "prepaid")
	unsettled.OrderNo = adminStoryNo
	unknown := diff(2, models.DiffUnknown, "EXTRA5036718842917364", 58_00, -1, "SUCCESS", "")
	unknown.OutTradeNo = unknown.Number
	missing := diff(3, models.DiffMissing, adminStoryOutNo, -1, 128_00, "", "paid")
	back := diff(4, models.DiffRefundMissing, "R261119E5VJ2KX9RD3FB7MS", -1, 58_00, "", "succeeded")
	back.RefundID, back.OrderNo = "50000709672026111908420787722", adminStoryNo
	done := diff(5, models.DiffAmount, adminStoryOutNo, 168_01, 168_00, "SUCCESS", "paid")
	done.State, done.Note, done.ClosedBy, done.ClosedAt = models.DiffExplained, "微信客服确认是账单的错", "staff:陆掌柜", models.At(storyTime(11, 20, 15, 2, 0))
	gone := diff(6, models.DiffRefundState, "R261120QZ5D8MTC1XW7EB4G", 6_00, 6_00, "SUCCESS", "processing")
	gone.State, gone.Note, gone.ClosedBy, gone.ClosedAt = models.DiffResolved, models.NoteAgrees, "system", models.At(storyTime(11, 20, 15, 30, 0))
	x := AdminBillPage{AdminPage: p.at(AdminMenuBills), Day: adminStoryBillDay("2026-11-19", models.BillDone),
		Open: []AdminDiff{unsettled, unknown, missing, back}, Closed: []AdminDiff{done, gone}}
	x.Day.OurPaid, x.Day.OurPayments, x.Day.Waiting = x.Day.OurPaid-168_00, 41, 2
	for _, d := range x.Open {
		x.Counts = append(x.Counts, models.DiffCount{Kind: d.Kind, State: models.DiffOpen, N: 1})
	}
	return x
}
