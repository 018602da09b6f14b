package checkout

import (
	"context"
	"sync"

	"wxshop/models"
	"wxshop/wxpay"
)

// trail collects what was said to WeChat during one workflow, so that the
// transaction which keeps the result keeps the conversation too.
type trail struct {
	mu   sync.Mutex
	msgs []models.Message
}

type trailKey struct{}

func withTrail(ctx context.Context) (context.Context, *trail) {
	t := &trail{}
	return context.WithValue(ctx, trailKey{}, t), t
}

func (t *trail) take() []models.Message {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.msgs
	t.msgs = nil
	return m
}

// Record is what wxpay.Config.Record is set to: it adds an exchange, redacted
// by wxpay already, to the workflow that ctx belongs to.
func Record(ctx context.Context, m wxpay.Message) {
	t, ok := ctx.Value(trailKey{}).(*trail)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.msgs = append(t.msgs, models.Message{
		OutTradeNo: m.OutTradeNo, At: models.At(m.At), Op: m.Op, Direction: "out",
		Request: m.Request, Answer: m.Answer, Err: m.Err, TookMS: m.Took.Milliseconds(),
	})
}
