package models

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"
)

// floorConns is how many connections the floor of a server uses; more are no
// faster, because a server shares commits between connections by itself.
const floorConns = 8

// BenchmarkFloorServer is the least that a durable order can be on PostgreSQL
// or MySQL (WXSHOP_TEST_DRIVER): the rows of the other floors, one transaction
// an order.
func BenchmarkFloorServer(b *testing.B) {
	c := prepared(b)
	if c.Driver == "sqlite" {
		b.Skip("only on a database server")
	}
	server, err := newServer(c)
	if err != nil {
		b.Fatal(err)
	}
	db, err := server.open(false)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(floorConns)
	db.SetMaxIdleConns(floorConns)
	for _, q := range floorTables {
		if _, err := db.Exec(q); err != nil {
			b.Fatal(err)
		}
	}
	op := func(i int64) error { return floorServerOrder(db, server, i) }
	fill(b, op)
	drive(b, func() int64 { return 0 }, op)
}

var floorTables = []string{
	`CREATE TABLE floor_orders(id bigint PRIMARY KEY, out_trade_no varchar(32) UNIQUE, openid varchar(64), status varchar(16), total_fee bigint, created_at bigint)`,
	`CREATE INDEX floor_orders_openid ON floor_orders(openid)`,
	`CREATE TABLE floor_items(id bigint PRIMARY KEY, order_id bigint, product_id bigint, title varchar(64), qty bigint, price bigint)`,
	`CREATE INDEX floor_items_order ON floor_items(order_id)`,
	`CREATE TABLE floor_events(id bigint PRIMARY KEY, order_id bigint, kind varchar(16), data varchar(64), created_at bigint)`,
	`CREATE INDEX floor_events_order ON floor_events(order_id)`,
}

func floorServerOrder(db *sql.DB, server server, i int64) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	ctx, now := context.Background(), time.Now().UnixMilli()
	exec := func(q string, args ...any) error {
		_, err := tx.ExecContext(ctx, server.say(q), args...)
		return err
	}
	if err := exec(`INSERT INTO floor_orders VALUES(?, ?, ?, ?, ?, ?)`, i, fmt.Sprintf("20240101%016d", i), "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "created", 1999, now); err != nil {
		return err
	}
	for k := range int64(2) {
		if err := exec(`INSERT INTO floor_items VALUES(?, ?, ?, ?, ?, ?)`, 2*i+k, i, 7+k, "Spring tea 50 g", 1, 999); err != nil {
			return err
		}
	}
	if err := exec(`INSERT INTO floor_events VALUES(?, ?, ?, ?, ?)`, i, i, "created", `{"from":"","to":"created"}`, now); err != nil {
		return err
	}
	return tx.Commit()
}
