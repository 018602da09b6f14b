package models

import (
	"context"
	"fmt"
)

// event appends one line to an order's history.
func (tx *Tx) event(e Event) error {
	_, err := tx.exec(`INSERT INTO events(order_id, at, actor, kind, from_state, to_state, amount, out_trade_no, transaction_id, note)
		VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.OrderID, e.At, e.Actor, e.Kind, e.From, e.To, e.Amount, e.OutTradeNo, e.TransactionID, e.Note)
	return err
}

// messages appends exchanges with WeChat.
func (tx *Tx) messages(msgs []Message, now Time) error {
	for _, m := range msgs {
		if m.At.IsZero() {
			m.At = now
		}
		_, err := tx.exec(`INSERT INTO messages(out_trade_no, at, op, direction, request, answer, err, took_ms)
			VALUES(?, ?, ?, ?, ?, ?, ?, ?)`, m.OutTradeNo, m.At, m.Op, m.Direction, m.Request, m.Answer, m.Err, m.TookMS)
		if err != nil {
			return err
		}
	}
	return nil
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
