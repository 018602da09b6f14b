package views

import (
	"testing"

	"wxshop/models"
)

// row is a line of the table of states: what is, and the two next steps.
type row struct {
	name    string
	order   Order
	attempt bool // ask AttemptOf
	note    bool // the words are those of the note beside the state
	face    Face
	key     string
	zh, en  [4]string // title, text, primary, secondary
	href    [2]string
	post    [2]bool
}

const (
	storyNo   = "261119K7M3QX9T4HRV7056"
	storyPath = "/orders/" + storyNo
	storyPay  = "/pay/" + storyNo
	storyTel  = "tel:400-000-0000"
)

// stateTable is what the shop has promised to say in each state.
func stateTable() []row {
	refund := func(s models.RefundState) Order {
		return paidOrder().with(func(o *Order) { o.Refund = Refund{State: s, Amount: 5800, Reason: "已超过 7 天"} })
	}
	attempt := func(s models.PayState) Order {
		return storyOrder().with(func(o *Order) { o.Attempt = s })
	}
	return []row{
		{name: "unpaid", order: storyOrder(), face: FaceUnpaid, key: "unpaid",
			zh:   [4]string{"待付款", "请在 21:00 前 付款，到时订单自动取消，商品放回货架。", "微信支付 ¥284.00", "取消订单"},
			en:   [4]string{"Waiting for payment", "Pay by 21:00, or the order is cancelled and the goods go back.", "Pay ¥284.00", "Cancel"},
			href: [2]string{storyPay, storyPath + "/cancel"}, post: [2]bool{true, false}},
		{name: "outcome not known", order: storyOrder().with(func(o *Order) { o.Checking = true }), face: FaceChecking, key: "checking",
			zh:   [4]string{"正在向微信确认", "你可能已经付过款了，请先不要再付。这一页会自己更新。", "看看结果", "联系客服"},
			en:   [4]string{"Checking with WeChat", "You may have paid already. Please do not pay again; this page updates itself.", "Check now", "Contact us"},
			href: [2]string{storyPath, storyTel}},
		{name: "paid", order: paidOrder(), face: FacePaid, key: "paid",
			zh:   [4]string{"付款成功", "已收到 ¥284.00，我们会在 48 小时内发出。", "继续逛逛", "申请退款"},
			en:   [4]string{"Paid, to be shipped", "We received ¥284.00 and ship within 48 hours.", "Keep looking", "Ask for a refund"},
			href: [2]string{"/", storyPath + "/refund"}},
		{name: "shipped", order: shippedOrder().with(func(o *Order) { o.Refunded = 0 }), face: FaceShipped, key: "shipped",
			zh:   [4]string{"茶在路上了", "顺丰速运，预计 11 月 22 日 送到。", "确认收货", "申请退款"},
			en:   [4]string{"On its way", "顺丰速运, expected 22 November.", "Received", "Ask for a refund"},
			href: [2]string{storyPath + "/confirm", storyPath + "/refund"}, post: [2]bool{true, false}},
		{name: "done", order: paidOrder().with(func(o *Order) { o.State = models.Done }), face: FaceDone, key: "done",
			zh:   [4]string{"已完成", "谢谢你。签收后 7 天内，未开封可退。", "再买一次", "申请退款"},
			en:   [4]string{"Completed", "Thank you. Unopened goods can be returned within 7 days.", "Buy again", "Ask for a refund"},
			href: [2]string{storyPath + "/again", storyPath + "/refund"}, post: [2]bool{true, false}},
		{name: "closed, too late", order: closedOrder(models.ByTimeout), face: FaceClosedLate, key: "closed",
			zh:   [4]string{"已关闭", "30 分钟内没有付款，订单取消了，没有扣钱。", "再买一次", "看看别的"},
			en:   [4]string{"Closed", "Not paid within 30 minutes. You were not charged.", "Order again", "Keep looking"},
			href: [2]string{storyPath + "/again", "/"}, post: [2]bool{true, false}},
		{name: "closed by the shopper", order: closedOrder(models.ByShopper), face: FaceClosedShopper, key: "closed",
			zh:   [4]string{"已取消", "你取消了这个订单，没有扣钱。", "再买一次", "看看别的"},
			en:   [4]string{"Cancelled", "You cancelled this order. You were not charged.", "Order again", "Keep looking"},
			href: [2]string{storyPath + "/again", "/"}, post: [2]bool{true, false}},
		{name: "late payment, revived", order: paidOrder().with(func(o *Order) { o.Revived = true }), face: FaceRevived, key: "paid",
			zh:   [4]string{"付款成功", "付款来得晚了些，货还在，我们照常发出。", "继续逛逛", "申请退款"},
			en:   [4]string{"Paid", "Your payment came late; the goods were still here and will be shipped.", "Keep looking", "Ask for a refund"},
			href: [2]string{"/", storyPath + "/refund"}},
		{name: "late payment, no stock", order: closedOrder(models.ByTimeout).with(func(o *Order) {
			o.Late, o.Refund = true, Refund{State: models.RefundPending, Amount: 28400}
		}), face: FaceLate, key: "refund",
			zh:   [4]string{"已关闭，款项退回", "付款到达时货已卖完，¥284.00 正原路退回。", "看看别的", "联系客服"},
			en:   [4]string{"Closed, being refunded", "The goods were gone when your payment came. ¥284.00 is going back to you.", "Keep looking", "Contact us"},
			href: [2]string{"/", storyTel}},
		{name: "paid twice", order: paidOrder().with(func(o *Order) { o.Extra = 28400 }), note: true, face: FaceTwice, key: "paid",
			zh: [4]string{"已多付，正在退", "你付了两次，多的 ¥284.00 正原路退回，订单不受影响。"},
			en: [4]string{"Extra payment on its way back", "You paid twice. The extra ¥284.00 is going back; your order is fine."}},
		{name: "payment prepaid", order: attempt(models.PayPrepaid), attempt: true, face: FacePrepaid, key: "unpaid",
			zh:   [4]string{"微信支付", "付款窗口由微信打开。没有弹出？再点一次按钮。", "微信支付 ¥284.00", "换一种付款方式"},
			en:   [4]string{"Pay", "WeChat opens the payment window. Nothing there? Tap again.", "Pay ¥284.00", "Another way"},
			href: [2]string{storyPay, storyPay + "?open=1"}, post: [2]bool{true, false}},
		{name: "payment closed", order: attempt(models.PayClosed), attempt: true, face: FacePayClosed, key: "unpaid",
			zh:   [4]string{"这次付款已过期", "订单还在，重新付款即可。", "重新付款", "取消订单"},
			en:   [4]string{"This attempt expired", "Your order is still here; just pay again.", "Pay again", "Cancel"},
			href: [2]string{storyPay, storyPath + "/cancel"}, post: [2]bool{true, false}},
		{name: "payment failed", order: attempt(models.PayFailed), attempt: true, face: FacePayFailed, key: "unpaid",
			zh:   [4]string{"没有付成", "微信没有扣钱。可以换一张卡，或稍后再付。", "重新付款", "稍后再付"},
			en:   [4]string{"Not paid", "You were not charged. Try another card, or pay later.", "Pay again", "Later"},
			href: [2]string{storyPay, storyPath}, post: [2]bool{true, false}},
		{name: "payment to check", order: storyOrder().with(func(o *Order) { o.ToCheck = true }), face: FaceToCheck, key: "to_check",
			zh:   [4]string{"付款核对中", "收到的金额和订单不一致，店家正在核对，最迟明天答复。", "联系客服", "看订单"},
			en:   [4]string{"Payment under review", "The sum differs from the order; we are looking and answer by tomorrow.", "Contact us", "See order"},
			href: [2]string{storyTel, storyPath}},
		{name: "refund asked", order: paidOrder().with(func(o *Order) { o.Refund.Asked = true }), face: FaceRefundAsked, key: "refund",
			zh:   [4]string{"退款申请中", "店家会在 24 小时内答复。", "撤回申请", "联系客服"},
			en:   [4]string{"Refund requested", "We answer within 24 hours.", "Withdraw", "Contact us"},
			href: [2]string{storyPath + "/refund/withdraw", storyTel}, post: [2]bool{true, false}},
		{name: "refund pending", order: refund(models.RefundPending), face: FaceRefunding, key: "refund",
			zh:   [4]string{"退款中", "¥58.00 已交给微信，零钱立即到账，银行卡 1–3 个工作日。", "看进度", "联系客服"},
			en:   [4]string{"Refund in progress", "¥58.00 is with WeChat now: balance at once, bank card 1–3 working days.", "See progress", "Contact us"},
			href: [2]string{storyPath + "#refund", storyTel}},
		{name: "refund whole", order: refundedOrder().with(func(o *Order) { o.No, o.Total, o.Refunded = storyNo, 28400, 28400 }), face: FaceRefunded, key: "refund",
			zh:   [4]string{"已退款 ¥284.00", "钱已退回零钱，可在微信账单里查到。", "再买一次", "联系客服"},
			en:   [4]string{"Refunded ¥284.00", "Back in your WeChat balance; see your WeChat bill.", "Buy again", "Contact us"},
			href: [2]string{storyPath + "/again", storyTel}, post: [2]bool{true, false}},
		{name: "refund in part", order: shippedOrder(), note: true, face: FaceRefundedPart, key: "shipped",
			zh: [4]string{"部分退款 ¥58.00", "其余商品照常。"},
			en: [4]string{"Partly refunded ¥58.00", "The rest of the order goes on."}},
		{name: "refund abnormal", order: refund(models.RefundAbnormal), face: FaceRefundAbnormal, key: "refund",
			zh:   [4]string{"退款遇到问题", "原来的卡收不了这笔钱，客服会联系你换一种退法。", "联系客服", "看订单"},
			en:   [4]string{"Refund held up", "The card cannot take it; we will contact you for another way.", "Contact us", "See order"},
			href: [2]string{storyTel, storyPath}},
		{name: "refund refused", order: refund(models.RefundClosed), note: true, face: FaceRefundClosed, key: "paid",
			zh: [4]string{"退款未成", "原因：已超过 7 天。有疑问请联系客服。"},
			en: [4]string{"Not refunded", "Reason: 已超过 7 天. Please ask us."}},
	}
}

func TestStateOf(t *testing.T) {
	for _, r := range stateTable() {
		t.Run(r.name, func(t *testing.T) {
			r.check(t, ZH, r.zh)
			r.check(t, EN, r.en)
		})
	}
}

func (r row) check(t *testing.T, l Lang, want [4]string) {
	t.Helper()
	p := storyPage(l, storyPath)
	s := StateOf(&p, &r.order)
	if r.attempt {
		s = AttemptOf(&p, &r.order)
	}
	got := [4]string{s.Title, s.Message, s.Primary.Label, s.Secondary.Label}
	face := s.Face
	if r.note {
		if s.Note == nil {
			t.Fatalf("%s: no note", l.Tag())
		}
		got, face = [4]string{s.Note.Title, plain(s.Note.Text, "")}, s.Note.Face
	}
	if got != want {
		t.Errorf("%s:\n got %q\nwant %q", l.Tag(), got, want)
	}
	if face != r.face || s.Key != r.key {
		t.Errorf("face %s, key %s; want %s, %s", face, s.Key, r.face, r.key)
	}
	if r.note {
		return
	}
	if h := [2]string{s.Primary.Href, s.Secondary.Href}; h != r.href {
		t.Errorf("steps lead to %q, want %q", h, r.href)
	}
	if b := [2]bool{s.Primary.Post, s.Secondary.Post}; b != r.post {
		t.Errorf("steps post: %v, want %v", b, r.post)
	}
}

// TestOneNextStep: whatever is true of an order, there is exactly one next
// step, it has words, and "do not pay again" never stands beside a button that
// pays.
func TestOneNextStep(t *testing.T) {
	p := storyPage(ZH, storyPath)
	for _, o := range everyOrder() {
		s := StateOf(&p, &o)
		if s.Title == "" || s.Message == "" || s.Primary.Label == "" || s.Primary.Href == "" {
			t.Errorf("%+v: incomplete %+v", o, s)
		}
		if (o.Checking || o.ToCheck) && o.State == models.Unpaid && s.Primary.Href == payPath(o.No) {
			t.Errorf("%s offers to pay again", s.Face)
		}
		if s.Poll != (o.State == models.Unpaid) {
			t.Errorf("%s: poll is %v", s.Face, s.Poll)
		}
	}
}

// everyOrder is each combination of what decides the words.
func everyOrder() []Order {
	var all []Order
	bools := []bool{false, true}
	for _, state := range []models.State{models.Unpaid, models.Paid, models.Shipped, models.Done, models.Closed} {
		for _, why := range []models.CloseReason{models.ByTimeout, models.ByShopper, models.ByMerchant} {
			for _, refund := range []models.RefundState{"", models.RefundPending, models.RefundProcessing, models.RefundSucceeded, models.RefundAbnormal, models.RefundClosed} {
				for _, back := range []models.Fen{0, 5800, 28400} {
					for _, flag := range bools {
						for _, odd := range bools {
							o := storyOrder()
							o.State, o.CloseReason, o.Refunded = state, why, back
							o.Refund = Refund{State: refund, Amount: 5800, Asked: odd}
							o.Checking, o.Revived, o.Late, o.ToCheck = flag, flag, flag, odd && flag
							all = append(all, o)
						}
					}
				}
			}
		}
	}
	return all
}

// TestNoPhone: a shop without a telephone offers no way that leads nowhere.
func TestNoPhone(t *testing.T) {
	p := storyPage(ZH, storyPath)
	p.Shop.Phone = ""
	o := storyOrder().with(func(o *Order) { o.Checking = true })
	if s := StateOf(&p, &o); s.Secondary != (Action{}) {
		t.Errorf("secondary is %+v", s.Secondary)
	}
	odd := storyOrder().with(func(o *Order) { o.ToCheck = true })
	if s := StateOf(&p, &odd); s.Primary != (Action{Label: "我的订单", Href: "/orders"}) {
		t.Errorf("primary is %+v", s.Primary)
	}
	paid := paidOrder().with(func(o *Order) { o.CanRefund = false })
	if s := StateOf(&p, &paid); s.Secondary != (Action{}) {
		t.Errorf("secondary is %+v", s.Secondary)
	}
}
