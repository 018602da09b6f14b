package wxpay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Refund asks for money to be given back (WeChat Pay v2, refund). The answer
// says that WeChat took the order to do so, no more.
func (c *V2Client) Refund(ctx context.Context, o RefundOrder) (Refund, error) {
	m, err := refundFields(o)
	if err != nil {
		return Refund{}, &Error{Op: opRefund, Message: err.Error()}
	}
	a, err := c.call(ctx, request{
		op: opRefund, no: o.OutTradeNo, refundNo: o.OutRefundNo, appID: o.AppID, sign: o.SignType, fields: m,
	})
	if err != nil {
		return Refund{}, err
	}
	r := c.refund(a, "")
	r.State = RefundProcessing
	switch {
	case r.OutRefundNo != o.OutRefundNo, r.OutTradeNo != o.OutTradeNo, r.Amount != o.Amount:
		return Refund{}, &Error{Op: opRefund, HTTPStatus: 200, Message: "the answer is about another refund", Unknown: true}
	case r.RefundID == "":
		return Refund{}, &Error{Op: opRefund, HTTPStatus: 200, Message: "the answer is incomplete", Unknown: true}
	}
	return r, nil
}

// refundFields turns o into the fields of refund. That call refuses names that
// it does not know, so it gets no more than it needs.
func refundFields(o RefundOrder) (message, error) {
	if err := checkRefund(o); err != nil {
		return nil, err
	}
	return withoutEmpty(message{
		{"notify_url", o.NotifyURL},
		{"out_refund_no", o.OutRefundNo},
		{"out_trade_no", o.OutTradeNo},
		{"refund_desc", cleanText(o.Reason, maxReason)},
		{"refund_fee", strconv.FormatInt(o.Amount, 10)},
		{"total_fee", strconv.FormatInt(o.Total, 10)},
	}), nil
}

// maxReason is the length of refund_desc in bytes, read as small as it can be.
const maxReason = 80

func checkRefund(o RefundOrder) error {
	switch {
	case !goodTradeNo(o.OutTradeNo):
		return badTradeNo(o.OutTradeNo)
	case !goodRefundNo(o.OutRefundNo):
		return badRefundNo(o.OutRefundNo)
	case o.Amount < 1 || o.Amount > o.Total:
		return fmt.Errorf("a refund of %d fen is not between 1 and the order's %d", o.Amount, o.Total)
	case o.NotifyURL != "":
		return checkNotifyURL(o.NotifyURL)
	}
	return nil
}

// goodRefundNo: 1 to 64 of what an order number may have, and @.
func goodRefundNo(s string) bool {
	return len(s) <= 64 && alphanumeric(strings.Map(func(r rune) rune {
		if strings.ContainsRune("_-|*@", r) {
			return '0'
		}
		return r
	}, s))
}

func badRefundNo(s string) error {
	return fmt.Errorf("out_refund_no %q is not 1 to 64 of 0-9 A-Z a-z _ - | * @", s)
}

// QueryRefund asks what became of one refund (WeChat Pay v2, refundquery).
func (c *V2Client) QueryRefund(ctx context.Context, r RefundRef) (Refund, error) {
	if !goodRefundNo(r.OutRefundNo) {
		return Refund{}, &Error{Op: opRefundAsk, Message: badRefundNo(r.OutRefundNo).Error()}
	}
	a, err := c.call(ctx, request{
		op: opRefundAsk, refundNo: r.OutRefundNo, appID: r.AppID, sign: r.SignType,
		fields: message{{"out_refund_no", r.OutRefundNo}},
	})
	if err != nil {
		return Refund{}, err
	}
	page, err := c.refundsOf(a)
	if err != nil {
		return Refund{}, err
	}
	for _, x := range page {
		if x.OutRefundNo == r.OutRefundNo {
			return x, nil
		}
	}
	return Refund{}, &Error{Op: opRefundAsk, HTTPStatus: 200, Message: "the answer is about another refund", Unknown: true}
}

// maxRefunds is how many refunds one order may have.
const maxRefunds = 50

// Refunds lists all refunds of one order, oldest first, asking for page after
// page. None is no error.
func (c *V2Client) Refunds(ctx context.Context, r Ref) ([]Refund, error) {
	if !goodTradeNo(r.OutTradeNo) {
		return nil, &Error{Op: opRefundAsk, Message: badTradeNo(r.OutTradeNo).Error()}
	}
	var all []Refund
	seen := make(map[string]bool)
	for {
		page, total, err := c.refundPage(ctx, r, len(all))
		if errors.Is(err, ErrNoSuchRefund) && len(all) == 0 {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		before := len(all)
		for _, x := range page { // pages may overlap by one: the documentation counts both ways
			if !seen[x.OutRefundNo] {
				seen[x.OutRefundNo] = true
				all = append(all, x)
			}
		}
		switch {
		case len(all) >= total && len(all) <= maxRefunds:
			return all, nil
		case len(all) == before || len(all) > maxRefunds:
			return nil, &Error{Op: opRefundAsk, HTTPStatus: 200, Message: "the pages do not make up one list", Unknown: true}
		}
	}
}

func (c *V2Client) refundPage(ctx context.Context, r Ref, offset int) (page []Refund, total int, err error) {
	m := message{{"out_trade_no", r.OutTradeNo}}
	if offset > 0 {
		m = append(m, field{"offset", strconv.Itoa(offset)})
	}
	a, err := c.call(ctx, request{op: opRefundAsk, no: r.OutTradeNo, appID: r.AppID, sign: r.SignType, fields: m})
	if err != nil {
		return nil, 0, err
	}
	if a.get("out_trade_no") != r.OutTradeNo {
		return nil, 0, &Error{Op: opRefundAsk, HTTPStatus: 200, Message: "the answer is about another order", Unknown: true}
	}
	page, err = c.refundsOf(a)
	return page, int(fen(a.get("total_refund_count"))), err
}

// refundsOf reads the records of an answer: their fields end in _0, _1, ...
func (c *V2Client) refundsOf(a message) ([]Refund, error) {
	n := fen(a.get("refund_count"))
	if n < 1 || n > maxRefunds {
		return nil, &Error{Op: opRefundAsk, HTTPStatus: 200, Message: "the answer does not say how many refunds it lists", Unknown: true}
	}
	page := make([]Refund, n)
	for i := range page {
		x := c.refund(a, "_"+strconv.Itoa(i))
		if x.State == "" || x.OutRefundNo == "" || x.RefundID == "" {
			return nil, &Error{Op: opRefundAsk, HTTPStatus: 200, Message: "the answer is incomplete", Unknown: true}
		}
		page[i] = x
	}
	return page, nil
}

// refund reads one refund: its own fields end in suffix, the order's do not.
func (c *V2Client) refund(m message, suffix string) Refund {
	own := func(name string) string { return m.get(name + suffix) }
	r := Refund{
		Version:       V2,
		State:         refundState(own("refund_status")),
		AppID:         m.get("appid"),
		MchID:         m.get("mch_id"),
		SubMchID:      m.get("sub_mch_id"),
		OutRefundNo:   own("out_refund_no"),
		RefundID:      own("refund_id"),
		OutTradeNo:    m.get("out_trade_no"),
		TransactionID: m.get("transaction_id"),
		Total:         present(m.get("total_fee")),
		Amount:        present(own("refund_fee")),
		SucceededAt:   parseRefundTime(own("refund_success_time")),
		Account:       own("refund_recv_accout"), // sic
		Raw:           redactedMap(m),
	}
	if sub := m.get("sub_appid"); sub != "" && c.cfg.SubMchID != "" {
		r.AppID = sub
	}
	return r
}

// refundState translates v2's words. A word of tomorrow stays as it is.
func refundState(s string) RefundState {
	switch s {
	case "REFUNDCLOSE":
		return RefundClosed
	case "CHANGE":
		return RefundAbnormal
	}
	return RefundState(s)
}

// present reads an amount that must be there.
func present(s string) int64 {
	if s == "" {
		return unreadable
	}
	return fen(s)
}

// parseRefundTime reads yyyy-MM-dd HH:mm:ss of Beijing, which refunds and bills
// use and payments do not; zero when it is not one.
func parseRefundTime(s string) time.Time {
	t, err := time.ParseInLocation(time.DateTime, s, beijing)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
