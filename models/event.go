package models

import (
	"context"
	"fmt"
)

// history is what a transaction appends. It is written at its end, the lines
// of all members at once; nothing in a transaction reads them.
type history struct {
	events, messages []any
	counts           map[State]int64
}

// event appends one line to an order's history.
func (tx *Tx) event(e Event) error {
	tx.wrote = true
	tx.history.events = append(tx.history.events, e.OrderID, e.At.UnixMilli(), clip(e.Actor, 64), e.Kind, e.From, e.To,
		int64(e.Amount), e.OutTradeNo, e.TransactionID, e.Note)
	return tx.broken
}

// clip is s as a column of n characters takes it: servers refuse more.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:min(n, len(r))])
}

// messages appends exchanges with WeChat.
func (tx *Tx) messages(msgs []Message, now Time) error {
	for _, m := range msgs {
		tx.wrote = true
		if m.At.IsZero() {
			m.At = now
		}
		tx.history.messages = append(tx.history.messages, m.OutTradeNo, m.At.UnixMilli(), m.Op, m.Direction, m.Request, m.Answer, m.Err, m.TookMS)
	}
	return tx.broken
}

// count keeps how many orders are in a state.
func (tx *Tx) count(state State, n int64) {
	if tx.history.counts == nil {
		tx.history.counts = make(map[State]int64)
	}
	tx.history.counts[state] += n
}

// flush writes the history that was appended.
func (tx *Tx) flush() error {
	if err := tx.flushCounts(); err != nil {
		return err
	}
	err := tx.insertRows(`events(order_id, at, actor, kind, from_state, to_state, amount, out_trade_no, transaction_id, note)`,
		`(?,?,?,?,?,?,?,?,?,?)`, tx.history.events, nil)
	if err == nil {
		err = tx.insertRows(`messages(out_trade_no, at, op, direction, request, answer, err, took_ms)`,
			`(?,?,?,?,?,?,?,?)`, tx.history.messages, nil)
	}
	tx.forget()
	return err
}

// shards is how many rows of order_counts a server adds up for one number:
// with a single one, every commit would wait for the one before.
const shards = 32

// catalogChanges counts, among the orders, how often a server's catalogue
// changed. All programs on it read it; see CatalogVersion.
const catalogChanges State = "catalog"

// counted are the rows of order_counts, in the order in which they are taken.
var counted = [...]State{Unpaid, Paid, Shipped, Done, Closed, catalogChanges}

func (tx *Tx) flushCounts() error {
	if tx.catalog && tx.words != nil {
		tx.count(catalogChanges, 1)
	}
	for _, state := range counted {
		n := tx.history.counts[state]
		if n == 0 {
			continue
		}
		row := string(state)
		if tx.words != nil {
			row = fmt.Sprintf("%s#%d", row, tx.shard)
		}
		known, err := tx.execOne(`UPDATE order_counts SET n = n + ? WHERE state = ?`, n, row)
		if err == nil && !known {
			_, err = tx.exec(`INSERT INTO order_counts(state, n) VALUES(?, ?)`, row, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forget drops what a transaction that ended had to append, and lets go of
// its texts.
func (tx *Tx) forget() {
	clear(tx.history.events)
	clear(tx.history.messages)
	clear(tx.history.counts)
	tx.history.events, tx.history.messages = tx.history.events[:0], tx.history.messages[:0]
}

// RecordMessages keeps exchanges with WeChat that changed nothing here.
func (s *Store) RecordMessages(ctx context.Context, msgs []Message) error {
	if len(msgs) == 0 {
		return nil
	}
	err := s.write(ctx, func(tx *Tx) error { return tx.messages(msgs, s.time()) })
	if err != nil {
		return fmt.Errorf("record messages: %w", err)
	}
	return nil
}
