package main

// Where tests of workflows are: the bubbles with both sides in them.
const (
	inModels   = "./models ."
	inWxpay    = "./wxpay ."
	inSettle   = "./checkout Settle|Found|Paid|Notif|Forged|Second|Late|Twice"
	inClose    = "./checkout Cancel|Clos|Expire|Twice|Paid|Crash"
	inPrepay   = "./checkout Unknown|Retry|Refused|Lost|Parallel|Foreign"
	inRefund   = "./checkout Refund"
	inNotify   = "./handlers Notify|Forge"
	freezeLive = "OrderID: o.ID, LiveOrderID: &o.ID,"
)

var mutants = []mutant{
	{"no lease: every replica takes every turn", []edit{{"models/lease.go",
		`AND (holder = ? OR until <= ?)`, `AND (1 = 1 OR holder = ? OR until <= ?)`}}, []string{inModels}},
	{"two live attempts to pay one order", []edit{
		{"models/payment.go", "return fmt.Errorf(\"order %s: %w\", o.No, ErrLive)", "p, err = tx.openAttempt(o, n, now)\n\t\t\t\treturn err"},
		{"models/payment.go", freezeLive, "OrderID: o.ID,"},
	}, []string{inModels, inClose}},
	{"no comparison of the amount", []edit{{"checkout/settle.go", `case t.Total != int64(p.Total):`, `case t.Total < 0:`}}, []string{inSettle}},
	{"no comparison of the app", []edit{{"checkout/settle.go", `case t.AppID != p.AppID:`, `case t.AppID == "":`}}, []string{inSettle}},
	{"no comparison of the merchant", []edit{{"checkout/settle.go", `case t.MchID != p.MchID:`, `case t.MchID == "":`}}, []string{inSettle}},
	{"no comparison of the currency", []edit{{"checkout/settle.go", `case t.Currency != p.Currency:`, `case t.Currency == "":`}}, []string{inSettle}},
	{"no comparison of the payer", []edit{{"checkout/settle.go", `t.OpenID != p.OpenID:`, `t.OpenID == "":`}}, []string{inSettle}},
	{"v2: a notification needs no signature", []edit{{"wxpay/v2_notify.go", `return t, c.keys.verify(m, t)`, `return t, nil`}}, []string{inWxpay}},
	{"v2: MD5 is good enough where HMAC was agreed", []edit{
		{"wxpay/v2_notify.go", `if t == MD5 && c.cfg.SignType != MD5 {`, `if t == "none" {`}}, []string{inWxpay}},
	{"v3: a notification needs no signature", []edit{{"wxpay/v3_notify.go",
		`if err := g.keys.verify(context.Background(), h, body); err != nil {`, `if err := g.keys.verify(context.Background(), h, body); err != nil && len(body) == 0 {`}}, []string{inWxpay}},
	{"v3: an answer needs no signature", []edit{{"wxpay/v3_call.go",
		`if err := g.keys.verify(ctx, a.header, []byte(a.body)); err != nil {`, `if err := g.keys.verify(ctx, a.header, []byte(a.body)); err != nil && a.status == 0 {`}}, []string{inWxpay}},
	{"v3: an old signature is as good as a new one", []edit{{"wxpay/v3_sign.go",
		`at <= 0 || apart >= maxAge || apart <= -maxAge`, `at <= 0 || apart >= 1000*maxAge`}}, []string{inWxpay}},
	{"one version's key settles the other's payments", []edit{{"checkout/settle.go", `if string(t.Version) != p.API {`, `if p.API == "" {`}}, []string{"./handlers NotifyCrossed"}},
	{"a retry goes under a new number", []edit{
		{"checkout/place.go", `got, err := g.Prepay(call, asWeChatOrder(p))`, "again := asWeChatOrder(p)\n\tif s.now().Sub(p.CreatedAt.Time) > time.Second {\n\t\tagain.OutTradeNo += \"R\"\n\t}\n\tgot, err := g.Prepay(call, again)"}}, []string{inPrepay}},
	{"what WeChat did not answer counts as a no", []edit{{"checkout/place.go",
		`case wxpay.IsUnknown(cause), p.State != models.PayCreated, p.LastError != "":`, `case p.State != models.PayCreated:`}}, []string{inPrepay}},
	{"acknowledged, though it could not be stored", []edit{{"checkout/settle.go", `return g.Reject("处理失败")`, `return g.Accept()`}}, []string{"./checkout NotStored|Notif"}},
	{"callers are answered before the commit", []edit{{"models/commit.go",
		"	failed, crash := c.commit(len(batch))\n", "	c.answer(batch)\n	failed, crash := c.commit(len(batch))\n"}}, []string{inModels}},
	{"a commit need not reach the disk", []edit{{"models/sqlite.go", `{"synchronous", "FULL", "2"}`, `{"synchronous", "NORMAL", "1"}`}}, []string{inModels}},
	{"stock is read first and written later", []edit{
		{"models/convoy.go", `if left := f.left - f.sold; l.Qty > left {`, `if left := f.left; l.Qty > left {`},
		{"models/convoy_store.go", `SET stock = stock - sold.n FROM sold WHERE skus.id = sold.id AND skus.stock >= sold.n`, `SET stock = max(stock - sold.n, 0) FROM sold WHERE skus.id = sold.id`},
	}, []string{inModels}},
	{"an order revives without its goods", []edit{{"models/settle.go", `err == nil && left < l.Qty {`, `err == nil && left < 0 {`},
		{"models/settle.go", `UPDATE skus SET stock = stock - ? WHERE id = ?`, `UPDATE skus SET stock = max(stock - ?, 0) WHERE id = ?`}}, []string{inModels, inClose}},
	{"a refund has no cap", []edit{{"models/refund.go", `if n.Amount > left {`, `if n.Amount > p.Total {`}}, []string{inModels, inRefund}},
	{"closed here without asking WeChat", []edit{{"checkout/close.go",
		"	if err == nil {\n		err = s.endAttempt(ctx, p, actor)\n	}", "	if err == nil {\n		err = s.store.EndPayment(ctx, p.ID, models.PayClosed, actor, \"\", nil)\n	}"}}, []string{inClose}},
	{"a second payment of an order is kept", []edit{{"models/settle.go",
		`return OutcomeDouble, tx.owe(o, p, f, now, RefundDouble)`, `return OutcomeDouble, tx.move(p, PayPaid, nil)`}}, []string{inModels, inClose}},
	{"money for a closed order is kept", []edit{{"models/settle.go",
		`return OutcomeLate, tx.owe(o, p, f, now, RefundLate)`, `return OutcomeLate, tx.move(p, PayPaid, nil)`}}, []string{inModels, inClose}},
	{"a notification that comes twice pays twice", []edit{{"models/settle.go",
		`case p.TransactionID != nil && *p.TransactionID == f.TransactionID:`, `case p.TransactionID != nil && *p.TransactionID == "":`}}, []string{inModels}},
	{"a form that is sent twice is two orders", []edit{
		{"models/convoy.go", "	if id, ok := c.known[t]; ok {", "	t.form = c.tx.number(\"\", c.now)\n	x.n.FormToken = t.form\n	if id, ok := c.known[t]; ok {"}}, []string{inModels}},
	{"everybody may see and pay everybody's order", []edit{{"models/order.go",
		"` FROM orders WHERE no = ? AND user_id = ?`, no, user)", "` FROM orders WHERE no = ? AND ? <> 0`, no, user)"}}, []string{"./models Order|Owner|People", "./checkout Foreign"}},
	{"after a crash or a restore nobody asks what came", []edit{{"models/payment.go",
		`err != nil || !s.unclean {`, `err != nil || s.unclean || !s.unclean {`}}, []string{"./models Wake|Restore"}},
}
