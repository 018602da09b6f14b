package models

import "testing"

func TestPlaceAndPay(t *testing.T) {
	s, u := shop(t, 5, Options{})
	ctx := t.Context()
	n := checkout(u.ID, "token", Line{1, 2}, Line{3, 1})
	o, p := place(t, s, n)
	if o.GoodsTotal != 25400 || o.DeliveryFee != 0 || o.Total != 25400 {
		t.Errorf("totals: %+v", o)
	}
	if o.Items[0].OptionZH != "50 克" || o.Items[0].Picture != "longjing.svg" || o.Items[1].OptionZH != "" {
		t.Errorf("items: %+v", o.Items)
	}
	got, err := s.Order(ctx, u.ID, o.No)
	if err != nil || len(got.Items) != 2 || got.Items[1].ID != o.Items[1].ID {
		t.Errorf("order: %+v %v", got, err)
	}
	if stockOf(t, s, 1) != 3 || stockOf(t, s, 3) != 4 {
		t.Error("stock was not taken")
	}
	if err := s.MarkPrepaid(ctx, p.ID, "wx123", s.now(), nil); err != nil {
		t.Fatal(err)
	}
	st, err := s.Status(ctx, u.ID, o.No)
	if err != nil || !st.Live || !st.Prepaid || st.State != Unpaid {
		t.Errorf("status: %+v %v", st, err)
	}
	out, paid, err := s.ApplyPaid(ctx, pays(p, "420001"))
	if err != nil || out != OutcomePaid || paid.State != Paid {
		t.Fatalf("paid: %v %+v %v", out, paid, err)
	}
	d, err := s.Dossier(ctx, o.No)
	if err != nil || len(d.Events) != 3 || len(d.Payments) != 1 || d.Payments[0].State != PayPaid || d.Payments[0].LiveOrderID != nil {
		t.Errorf("dossier: %+v %v", d, err)
	}
	if err := s.Ship(ctx, o.No, "顺丰速运", "SF123", "staff:owner"); err != nil {
		t.Fatal(err)
	}
	if err := s.Confirm(ctx, u.ID, o.No, "shopper"); err != nil {
		t.Fatal(err)
	}
	rows, err := s.FindOrders(ctx, OrderFilter{Query: "sf123"})
	if err != nil || len(rows) != 1 || rows[0].State != Done || len(rows[0].Items) != 2 {
		t.Errorf("find: %+v %v", rows, err)
	}
}
