package wxpay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// stream is an answer that is read bit by bit and may take long, but not
// without a byte for billStall.
type stream struct {
	res    *http.Response
	watch  *time.Timer
	cancel context.CancelCauseFunc
}

var errStalled = errors.New("the gateway stopped sending")

func (s *stream) Read(p []byte) (int, error) {
	s.watch.Reset(billStall)
	n, err := s.res.Body.Read(p)
	if err != nil && s.res.Request != nil && errors.Is(context.Cause(s.res.Request.Context()), errStalled) {
		err = errStalled
	}
	return n, err
}

// Close lets the connection go.
func (s *stream) Close() error {
	s.watch.Stop()
	s.cancel(nil)
	return s.res.Body.Close()
}

// open sends o to the preferred host, or to the next one if that fails, and
// gives the answer before its body is read.
func (n *network) open(ctx context.Context, o outgoing, seen func(answer, Direction)) (*stream, error) {
	if !n.breaker.closed(n.now()) {
		return nil, errResting
	}
	first := n.route.pick(n.now())
	var err error
	for i := range n.hosts {
		var s *stream
		if s, err = n.openAt(ctx, n.hosts[(first+i)%len(n.hosts)], o, seen); err == nil || ctx.Err() != nil {
			return s, err
		}
	}
	return nil, err
}

func (n *network) openAt(ctx context.Context, host string, o outgoing, seen func(answer, Direction)) (*stream, error) {
	a := answer{url: host + o.path}
	seen(a, Sent)
	start := n.now()
	ctx, cancel := context.WithCancelCause(ctx)
	s := &stream{watch: time.AfterFunc(billStall, func() { cancel(errStalled) }), cancel: cancel}
	req, err := o.to(ctx, host)
	if err == nil {
		req.Header.Set("User-Agent", "wxshop")
		s.res, err = n.by(o.op).RoundTrip(req)
	}
	a.took = n.now().Sub(start)
	if err != nil {
		s.watch.Stop()
		cancel(nil)
		a.err = withoutURL(err)
		seen(a, Received)
		return nil, a.err
	}
	a.status = s.res.StatusCode
	seen(a, Received)
	if a.status >= http.StatusInternalServerError {
		s.Close()
		return nil, fmt.Errorf("HTTP %d", a.status)
	}
	return s, nil
}
