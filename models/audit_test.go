package models

import (
	"slices"
	"testing"

	"wxshop/models/modelstest"
)

// audited is a whole pass.
func audited(t testing.TB, s *Store) []Violation {
	t.Helper()
	var all []Violation
	for after := int64(0); ; {
		found, next, err := s.AuditOrders(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, found...); next == 0 {
			break
		}
		after = next
	}
	found, err := s.AuditSums(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return append(all, found...)
}

// D8: a shop that only did what it may has no violation, and each thing that
// somebody does to the rows behind its back is found.
func TestAuditFindsWhatContradictsItself(t *testing.T) {
	c := prepared(t)
	s := openWith(t, c, Options{})
	seed(t, s, 9)
	u, err := s.SignIn(t.Context(), "wxf000000000000001", "o-first", 0)
	if err != nil {
		t.Fatal(err)
	}
	waits, _ := place(t, s, checkout(u.ID, "waits", Line{1, 1}))
	paid, p := place(t, s, checkout(u.ID, "paid", Line{1, 1}, Line{3, 2}))
	late, lateP := place(t, s, checkout(u.ID, "late", Line{2, 1}))
	if err := s.CloseOrder(t.Context(), late.ID, ByShopper, "shopper", ""); err != nil {
		t.Fatal(err)
	}
	for txn, p := range map[string]*Payment{"4201": p, "4202": lateP} {
		if _, _, err := s.ApplyPaid(t.Context(), pays(p, txn)); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err = s.CreateRefund(t.Context(), NewRefund{OutTradeNo: p.OutTradeNo, Amount: 100, Token: "r", Actor: "staff:a"})
	if err != nil {
		t.Fatal(err)
	}
	if found := audited(t, s); len(found) != 0 {
		t.Fatalf("a clean shop: %v", found)
	}

	cases := []struct {
		rule, what, do, undo string
		arg                  any
	}{
		{"total", paid.No, `UPDATE orders SET delivery_fee = delivery_fee + 1 WHERE no = ?`, `UPDATE orders SET delivery_fee = delivery_fee - 1 WHERE no = ?`, paid.No},
		{"lines", paid.No, `UPDATE order_items SET qty = qty + 1 WHERE order_id = ?`, `UPDATE order_items SET qty = qty - 1 WHERE order_id = ?`, paid.ID},
		{"paid", waits.No, `UPDATE orders SET state = 'paid' WHERE no = ?`, `UPDATE orders SET state = 'unpaid' WHERE no = ?`, waits.No},
		{"paid", paid.No, `UPDATE orders SET state = 'closed' WHERE no = ?`, `UPDATE orders SET state = 'paid' WHERE no = ?`, paid.No},
		{"paid", late.No, `UPDATE refunds SET reason = 'merchant' WHERE order_id = ?`, `UPDATE refunds SET reason = 'late' WHERE order_id = ?`, late.ID},
		{"history", paid.No, `UPDATE orders SET state = 'shipped' WHERE no = ?`, `UPDATE orders SET state = 'paid' WHERE no = ?`, paid.No},
		{"counts", "shipped", `UPDATE orders SET state = 'shipped' WHERE no = ?`, `UPDATE orders SET state = 'paid' WHERE no = ?`, paid.No},
		{"attempt", paid.No, `UPDATE payments SET total = total + 1 WHERE order_id = ?`, `UPDATE payments SET total = total - 1 WHERE order_id = ?`, paid.ID},
		{"attempt", paid.No, `UPDATE payments SET transaction_id = NULL WHERE order_id = ?`, `UPDATE payments SET transaction_id = '4201' WHERE order_id = ?`, paid.ID},
		{"live", waits.No, `UPDATE payments SET live_order_id = NULL WHERE order_id = ?`, `UPDATE payments SET live_order_id = order_id WHERE order_id = ?`, waits.ID},
		{"live", paid.No, `UPDATE payments SET live_order_id = order_id WHERE order_id = ?`, `UPDATE payments SET live_order_id = NULL WHERE order_id = ?`, paid.ID},
		{"refunds", paid.No, `UPDATE refunds SET amount = amount + 100000 WHERE order_id = ?`, `UPDATE refunds SET amount = amount - 100000 WHERE order_id = ?`, paid.ID},
		{"counts", "closed", `UPDATE order_counts SET n = n + 1 WHERE state LIKE ?`, `UPDATE order_counts SET n = n - 1 WHERE state LIKE ?`, "closed%"},
	}
	for _, x := range cases {
		modelstest.Exec(t, c.Driver, c.DSN, x.do, x.arg)
		if found := audited(t, s); !slices.Contains(found, Violation{x.rule, x.what}) {
			t.Errorf("%s: found %v, want %s of %s", x.do, found, x.rule, x.what)
		}
		modelstest.Exec(t, c.Driver, c.DSN, x.undo, x.arg)
	}
	if found := audited(t, s); len(found) != 0 {
		t.Fatalf("all undone: %v", found)
	}
}

// D8: stock below nothing, which the column itself refuses.
func TestAuditFindsStockBelowNothing(t *testing.T) {
	path := emptyFile(t)
	s := openAt(t, path, Options{})
	seed(t, s, 1)
	modelstest.Exec(t, "sqlite", path, `PRAGMA ignore_check_constraints = 1; UPDATE skus SET stock = -1 WHERE id = 1`)
	if found := audited(t, s); !slices.Equal(found, []Violation{{"stock", "LJ-50"}}) {
		t.Fatalf("found %v", found)
	}
}

// D8: a pass goes in batches and sees every order once.
func TestAuditGoesOnWhereItStopped(t *testing.T) {
	s := openStore(t, Options{})
	const n = AuditBatch + 1
	err := s.write(t.Context(), func(tx *Tx) error {
		for i := range int64(n) {
			_, err := tx.exec(`INSERT INTO orders(no, user_id, form_token, state, goods_total, delivery_fee, total)
				VALUES(?, ?, 't', 'closed', 1, 0, 1)`, number("", s.now()), i+1)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, next, err := s.AuditOrders(t.Context(), 0)
	if err != nil || next == 0 {
		t.Fatalf("after the first batch: %d %v", next, err)
	}
	found, next, err := s.AuditOrders(t.Context(), next)
	if err != nil || next != 0 || len(found) != 2 { // the last order: no lines, no history
		t.Fatalf("the last batch: %v %d %v", found, next, err)
	}
}
