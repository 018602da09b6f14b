package sim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	replyDeadline = 5 * time.Second // WeChat Pay v2, "支付结果通知"; honest time
	maxReply      = 8 << 10
)

var (
	errDroppedByFault = errors.New("lost on the way (fault notify-drop)")
	errForgotten      = errors.New("the simulator was reset meanwhile")
	errLongReply      = errors.New("the answer is longer than 8 KiB")
)

// message is a notification as it goes out.
type message struct {
	headers map[string]string
	body    []byte
	v3      bool // any status of success acknowledges it
}

// noteMessage writes a notification.
func (s *Sim) noteMessage(n *notification) (message, error) {
	s.mu.Lock()
	if s.ledger.notes[n.ID] != n {
		s.mu.Unlock()
		return message{}, errForgotten
	}
	if n.API == apiV3 {
		e := s.eventOf(n)
		s.mu.Unlock()
		return s.noteV3(e)
	}
	if n.Refund != "" {
		fields, inner := refundMessage(s.ledger.refunds[n.Refund])
		s.mu.Unlock()
		return s.sealedMessage(fields, inner)
	}
	o := s.ledger.orders[n.No]
	fields, alg, key := paymentFields(o, o.payment), o.SignType, s.sandboxKeyOf(o)
	sandboxFields(o, fields, true)
	s.mu.Unlock()
	return s.paymentMessage(fields, alg, key), nil
}

// paymentMessage writes a payment notification: signed with the order's
// algorithm, without sign_type, and with a field that is new to everybody
// (WeChat Pay v2, "支付结果通知").
func (s *Sim) paymentMessage(fields map[string]string, alg, key string) message {
	r := s.draw("notification")
	fields["nonce_str"] = pick(r, alphanum, 32)
	return newMessage(shuffled(fields, key, alg, r), r)
}

func newMessage(body []byte, r *rand.Rand) message {
	return message{body: body, headers: map[string]string{
		"Content-Type": "text/xml",
		"User-Agent":   "Mozilla/4.0",
		"Accept":       "*/*",
		"Request-ID":   "08" + pick(r, "0123456789ABCDEF", 24) + "-0",
	}}
}

// paymentFields is a payment as notification and orderquery tell it.
func paymentFields(o *order, p *payment) map[string]string {
	total := strconv.FormatInt(o.Total, 10)
	f := map[string]string{
		"return_code": "SUCCESS", "result_code": "SUCCESS",
		"appid": o.AppID, "mch_id": o.MchID,
		"openid": p.OpenID, "is_subscribe": "N", "trade_type": o.TradeType, "bank_type": p.BankType,
		"total_fee": total, "fee_type": "CNY", "cash_fee": total, "cash_fee_type": "CNY",
		"transaction_id": p.TransactionID, "out_trade_no": o.No,
		"time_end": p.At.In(beijing).Format(v2Time),
	}
	if p.SubOpenID != "" {
		f["sub_is_subscribe"] = "N"
	}
	for name, value := range map[string]string{
		"attach": o.Attach, "device_info": o.DeviceInfo, "sub_mch_id": o.SubMchID, "sub_appid": o.SubAppID, "sub_openid": p.SubOpenID,
	} {
		if value != "" {
			f[name] = value
		}
	}
	return f
}

// delivered is what came of one POST to the shop.
type delivered struct {
	at      time.Time // business time
	took    time.Duration
	status  int
	headers http.Header
	body    []byte
	err     error // no answer, or not a whole one
}

// post sends a message to the shop once. Redirects are not followed.
func (s *Sim) post(ctx context.Context, url string, m message) (d delivered) {
	d.at = s.clock.Now()
	start := s.opts.Now()
	defer func() { d.took = s.opts.Now().Sub(start) }()
	ctx, cancel := context.WithTimeout(ctx, replyDeadline)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(m.body))
	if err != nil {
		d.err = err
		return d
	}
	for name, value := range m.headers {
		req.Header.Set(name, value)
	}
	// An empty key is not sent; it lets the transport try again when a
	// connection kept from before the shop's restart turns out to be dead.
	req.Header["Idempotency-Key"] = []string{}
	res, err := s.guard.RoundTrip(req)
	if err != nil {
		d.err = deadlineSaid(ctx, err)
		return d
	}
	defer res.Body.Close()
	d.status, d.headers = res.StatusCode, res.Header
	d.body, err = io.ReadAll(io.LimitReader(res.Body, maxReply+1))
	switch {
	case err != nil:
		d.err = deadlineSaid(ctx, err)
	case len(d.body) > maxReply:
		d.body, d.err = d.body[:maxReply], errLongReply
	}
	return d
}

// deadlineSaid names the deadline instead of the cancelled context.
func deadlineSaid(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.New("no answer within 5 seconds")
	}
	return err
}

// attempt judges the answer.
func (d delivered) attempt(m message) attempt {
	a := attempt{
		At: d.at, RequestHeaders: maps.Clone(m.headers), RequestBody: string(m.body),
		Status: d.status, ResponseBody: printable(d.body), Took: d.took,
	}
	if d.err != nil && !(m.v3 && d.err == errLongReply) {
		a.Why = d.err.Error()
		if d.status == 0 {
			a.ResponseBody = a.Why
		}
		return a
	}
	if m.v3 {
		a.OK, a.Why = acknowledgedV3(d.status)
	} else {
		a.OK, a.Why = acknowledged(d.status, d.body)
	}
	return a
}

// acknowledged reports whether an answer ends the retries: status 200 and
// exactly one flat <xml> document whose return_code is SUCCESS. Empty, "ok",
// JSON, HTML, or XML with anything around it is not (WeChat Pay v2,
// "支付结果通知").
func acknowledged(status int, body []byte) (ok bool, why string) {
	if status != http.StatusOK {
		return false, "the status is " + strconv.Itoa(status) + ", not 200"
	}
	if len(body) == 0 {
		return false, "the answer is empty"
	}
	fields, err := readXML(body)
	if err != nil {
		return false, "the answer is not exactly an <xml> document"
	}
	if code := fields["return_code"]; code != "SUCCESS" {
		return false, "return_code is " + strconv.Quote(code) + ", not SUCCESS"
	}
	return true, ""
}
