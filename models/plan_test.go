package models

import (
	"database/sql"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"gorm.io/gorm"

	"wxshop/models/modelstest"
)

// hotQueries are what is asked often, as this database is asked it.
func hotQueries(s *Store) map[string]string {
	g := s.g.Session(&gorm.Session{DryRun: true})
	dry := func(tx *gorm.DB) string {
		return s.g.Dialector.Explain(tx.Statement.SQL.String(), tx.Statement.Vars...)
	}
	tokens := knownTokens + `(VALUES (1, 'a'), (2, 'b'))`
	if s.far != nil {
		tokens = knownTokens + `((1, 'a'), (2, 'b'))`
	}
	queries := map[string]string{
		"order":      `SELECT ` + orderColumns + ` FROM orders WHERE no = ? AND user_id = ?`,
		"items":      itemsOf,
		"live":       liveOf,
		"payment":    `SELECT ` + paymentCols + ` FROM payments WHERE out_trade_no = ?`,
		"payments":   `SELECT ` + paymentCols + ` FROM payments WHERE order_id = ? ORDER BY id`,
		"due":        dueQueries,
		"status":     statusOf,
		"session":    sessionOf,
		"tokens":     tokens,
		"counts":     `SELECT state, count(*) FROM orders WHERE user_id = ? GROUP BY state`,
		"all counts": stateCounts,
		"misfits":    `SELECT count(*) FROM misfits WHERE state = 'open'`,
		"due orders": dry(g.Where("state = ? AND expires_at < ?", Unpaid, 5).Order("expires_at").Limit(5).Find(&[]Order{})),
		"confirm":    dry(g.Where("state = ? AND shipped_at < ?", Shipped, 5).Order("id").Limit(5).Find(&[]Order{})),
		"address":    lastAddress,
		"mine":       dry(g.Where("user_id = 1 AND id < 5").Order("id DESC").Limit(5).Find(&[]Order{})),
		"by state":   dry(g.Where("state = 'paid' AND id < 5").Order("id DESC").Limit(5).Find(&[]Order{})),
		"search":     dry(g.Where(anyNumber, map[string]any{"n": "X", "typed": "x"}).Where("id < 5").Order("id DESC").Limit(5).Find(&[]Order{})),
		"events":     dry(g.Where("order_id = 1").Order("id").Find(&[]Event{})),
		"messages":   dry(g.Where("out_trade_no IN ?", []string{"a", "b"}).Order("id").Find(&[]Message{})),
		"refunds":    dry(g.Where("state = 'pending'").Order("next_at").Limit(5).Find(&[]Refund{})),
		"refund":     `SELECT ` + refundCols + ` FROM refunds WHERE out_refund_no = 'x'`,
		"token":      `SELECT ` + refundCols + ` FROM refunds WHERE token = 'x'`,
		"unbilled":   unbilledPaid,
		"no refund":  unbilledBack,
		"paid sum":   sumPaid,
		"bill lines": billLines,
		"staged":     stagedOf + `'a', 'b')`,
		"differ":     `SELECT count(*) FROM bill_differences WHERE state = 'open'`,
		"left":       `SELECT coalesce(sum(amount), 0), count(*) FROM refunds WHERE out_trade_no = 'x' AND state <> 'closed'`,
		"audit next": auditNext,
		"audit sum":  auditCount,
	}
	for _, rule := range auditRules {
		queries["audit "+rule.name] = auditOf + rule.wrong + ` ORDER BY o.id LIMIT ?`
	}
	return queries
}

// What is asked often must not read whole tables.
func TestQueriesUseIndexes(t *testing.T) {
	s := openStore(t, Options{})
	if s.far != nil {
		fillTables(t, s)
	}
	explain := map[string]func(testing.TB, *sql.Conn, string) (string, bool){
		"sqlite": sqlitePlan, "postgres": postgresPlan, "mysql": mysqlPlan}[modelstest.Driver()]
	conn, err := s.readers.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	asked := 0
	for name, q := range hotQueries(s) {
		for strings.Contains(q, "LIMIT ?") {
			q = strings.Replace(q, "LIMIT ?", "LIMIT 5", 1)
		}
		plan, ok := explain(t, conn, strings.ReplaceAll(q, "?", "'1'"))
		if asked++; !ok || strings.Contains(plan, "TEMP B-TREE FOR ORDER BY") && name != "messages" && name != "search" {
			t.Errorf("%s: %s\n%s", name, q, plan)
		}
	}
	if asked < 20 {
		t.Fatalf("asked %d queries", asked)
	}
}

// growing are the tables that grow, and what queries call them.
const growing = `o|orders|p|payments|e|events|messages|i|order_items|misfits|refunds|m|r|sessions|skus|s`

var (
	sqliteScan = regexp.MustCompile(`\bSCAN (` + growing + `)\b`)
	seqScan    = regexp.MustCompile(`Seq Scan on (` + growing + `)\b`)
	indexScan  = regexp.MustCompile(`(Index (Only )?Scan (Backward )?using .* on (` + growing + `)|Bitmap Index Scan on)\b`)
	bigTable   = regexp.MustCompile(`^(` + growing + `)$`)
)

func sqlitePlan(t testing.TB, conn *sql.Conn, q string) (string, bool) {
	t.Helper()
	plan := strings.Join(table(t, conn, "EXPLAIN QUERY PLAN "+q), "\n")
	return plan, !sqliteScan.MatchString(plan)
}

// postgresPlan is the plan for tables that have grown: small ones are read as a
// whole by right. Every index must be entered by a condition.
func postgresPlan(t testing.TB, conn *sql.Conn, q string) (string, bool) {
	t.Helper()
	if _, err := conn.ExecContext(t.Context(), `SET enable_seqscan = off`); err != nil {
		t.Fatal(err)
	}
	lines := table(t, conn, "EXPLAIN "+q)
	ok := true
	for i, line := range lines {
		bare := indexScan.MatchString(line) && (i+1 == len(lines) || !strings.Contains(lines[i+1], "Index Cond"))
		ok = ok && !bare && !seqScan.MatchString(line)
	}
	return strings.Join(lines, "\n"), ok
}

// mysqlPlan looks at each table's line: id, select_type, table, type, …
func mysqlPlan(t testing.TB, conn *sql.Conn, q string) (string, bool) {
	t.Helper()
	lines := table(t, conn, "EXPLAIN "+q)
	ok := true
	for _, line := range lines {
		cells := strings.Split(line, "\t")
		whole := cells[3] == "ALL" || cells[3] == "index"
		ok = ok && !(whole && bigTable.MatchString(cells[2]))
	}
	return strings.Join(lines, "\n"), ok
}

// table is what q gives, a line for each row.
func table(t testing.TB, conn *sql.Conn, q string) []string {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), q)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		cells, to := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range cells {
			to[i] = &cells[i]
		}
		if err := rows.Scan(to...); err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, c := range cells {
			texts = append(texts, c.String)
		}
		lines = append(lines, strings.Join(texts, "\t"))
	}
	return lines
}

// fillTables makes tables big enough for a server to use its indexes.
func fillTables(t testing.TB, s *Store) {
	t.Helper()
	const n = 2000
	bulk := func(into, row string, args func(i int) []any) {
		t.Helper()
		var all []any
		for i := 1; i <= n; i++ {
			all = append(all, args(i)...)
		}
		err := s.write(t.Context(), func(tx *Tx) error { return tx.insertRows(into, row, all, nil) })
		if err != nil {
			t.Fatal(err)
		}
	}
	no := func(prefix string, i int) string { return fmt.Sprintf("%s%05d", prefix, i) }
	state := func(i int, few, rest string) string {
		if i%100 == 0 {
			return few
		}
		return rest
	}
	bulk(`orders(no, user_id, form_token, state, total, phone, tracking_no, created_at, expires_at, shipped_at)`, `(?,?,?,?,1,?,?,1,?,1)`, func(i int) []any {
		return []any{no("N", i), i % 500, no("f", i), state(i, []string{"unpaid", "paid", "shipped"}[i/100%3], "closed"), no("1", i), no("t", i), i}
	})
	bulk(`order_items(order_id, sku_id, price, qty)`, `(?,1,1,1)`, func(i int) []any { return []any{i} })
	bulk(`payments(order_id, live_order_id, out_trade_no, total, state, next_query_at)`, `(?,?,?,1,?,?)`, func(i int) []any {
		return []any{i, i, no("P", i), state(i, "created", "paid"), i}
	})
	bulk(`refunds(order_id, token, out_trade_no, out_refund_no, total, amount, state, next_at)`, `(?,?,?,?,1,1,?,?)`, func(i int) []any {
		return []any{i, no("r", i), no("P", i), no("R", i), state(i, "pending", "succeeded"), i}
	})
	bulk(`events(order_id, at, kind)`, `(?,1,'placed')`, func(i int) []any { return []any{i} })
	bulk(`messages(out_trade_no, at)`, `(?,1)`, func(i int) []any { return []any{no("P", i)} })
	bulk(`misfits(transaction_id, reason, out_trade_no, order_id, state)`, `(?,'unknown',?,?,?)`, func(i int) []any {
		return []any{no("T", i), no("P", i), i, state(i, "open", "explained")}
	})
	bulk(`sessions(hash, kind, expires_at)`, `(?,'shop',9)`, func(i int) []any { return []any{no("h", i)} })
	analyze := map[string]string{"postgres": `ANALYZE`, "mysql": `ANALYZE TABLE orders, order_items, payments, refunds, events, messages, misfits, sessions`}
	if _, err := s.writer.ExecContext(t.Context(), analyze[modelstest.Driver()]); err != nil {
		t.Fatal(err)
	}
}
