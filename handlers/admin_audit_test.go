package handlers

import (
	"strings"
	"testing"
)

// D8: books that contradict themselves are said on the first page of the desk.
func TestAdminSaysThatBooksContradictThemselves(t *testing.T) {
	w := newWorld(t)
	w.hire("owner", "owner")
	owner := w.outside().enters("owner")
	no := w.settledOrder(w.inside("1").signIn(), "LJ-50g")
	const words = "账目自相矛盾"
	if strings.Contains(owner.do("GET", "/admin", nil).body, words) {
		t.Error("said of good books")
	}
	w.exec(`UPDATE orders SET goods_total = goods_total + 1 WHERE no = ?`, no)
	if err := w.srv.Checkout.AuditOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	owner.says("/admin", words)
}
