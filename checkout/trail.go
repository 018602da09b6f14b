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

// Record is what wxpay.Config.Record is set to: it adds a request, or the
// answer to the one before, to the workflow that ctx belongs to. wxpay has
// redacted both.
func Record(ctx context.Context, m wxpay.Message) {
	if t, ok := ctx.Value(trailKey{}).(*trail); ok {
		t.add(m)
	}
}

func (t *trail) add(m wxpay.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m.Direction == wxpay.Sent {
		t.msgs = append(t.msgs, models.Message{
			OutTradeNo: m.OutTradeNo, At: models.At(m.At), Op: m.Op, Direction: "out", Request: m.Body,
		})
		return
	}
	if len(t.msgs) == 0 {
		return
	}
	last := &t.msgs[len(t.msgs)-1]
	last.Answer, last.Err, last.TookMS = m.Body, m.Err, m.Took.Milliseconds()
}
