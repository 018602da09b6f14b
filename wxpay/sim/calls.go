package sim

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

const (
	maxBody     = 1 << 20  // of a request to the gateway
	maxRecorded = 64 << 10 // of a body in the log of calls
)

// requestJSON is one call in GET /_sim/api/requests.
type requestJSON struct {
	ID              string            `json:"id"`
	At              stamp             `json:"at"`
	Face            string            `json:"face"`
	Method          string            `json:"method"`
	Target          string            `json:"target"`
	RequestHeaders  map[string]string `json:"request_headers"`
	RequestBody     string            `json:"request_body"`
	Status          int               `json:"status"`
	ResponseHeaders map[string]string `json:"response_headers"`
	ResponseBody    string            `json:"response_body"`
	Verdict         string            `json:"verdict"` // accepted, refused
	Error           string            `json:"error"`   // WeChat's words
	Diagnosis       *diagnosisJSON    `json:"diagnosis"`
}

// diagnosisJSON is why a signature is wrong.
type diagnosisJSON struct {
	Cause           string `json:"cause"`
	Explanation     string `json:"explanation"`
	StringToSign    string `json:"string_to_sign"`
	Expected        string `json:"expected"`
	Received        string `json:"received"`
	Signed          string `json:"signed,omitempty"` // what was signed instead, where a variant fits
	FirstDifference int    `json:"first_difference"`
}

const (
	verdictAccepted = "accepted"
	verdictRefused  = "refused"
)

// callLog remembers the latest calls.
type callLog struct {
	ids  atomic.Int64
	mu   sync.Mutex
	ring []requestJSON // oldest first
}

func newCallLog() *callLog { return &callLog{} }

func (l *callLog) add(c requestJSON) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ring) >= 2*keep {
		l.ring = append([]requestJSON(nil), l.ring[len(l.ring)-keep:]...)
	}
	l.ring = append(l.ring, c)
}

// latest returns the last n calls, the newest first.
func (l *callLog) latest(n int) []requestJSON {
	l.mu.Lock()
	defer l.mu.Unlock()
	n = min(n, keep, len(l.ring))
	out := make([]requestJSON, n)
	for i := range out {
		out[i] = l.ring[len(l.ring)-1-i]
	}
	return out
}

func (l *callLog) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring = nil
}

func (l *callLog) nextID() string { return "r" + strconv.FormatInt(l.ids.Add(1), 10) }

// verdict is what a handler says about the call it answers.
type verdict struct {
	problem   string // WeChat's words; empty: accepted
	no        string // out_trade_no that it was about
	advice    string // for the developer: what to change
	diagnosis *diagnosisJSON
}

type verdictKey struct{}

// say notes the verdict of the call under way.
func say(r *http.Request, v verdict) {
	if to, ok := r.Context().Value(verdictKey{}).(*verdict); ok {
		*to = v
	}
}

// verdictOf is what was said so far.
func verdictOf(r *http.Request) verdict {
	if v, ok := r.Context().Value(verdictKey{}).(*verdict); ok {
		return *v
	}
	return verdict{}
}

// explain adds what a fault made of a call; the call counts as refused.
func explain(r *http.Request, problem, advice string) {
	v := verdictOf(r)
	v.problem, v.advice = problem, advice
	say(r, v)
}

// recorded logs every call to next with its answer.
func (s *Sim) recorded(face string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, at := s.opts.Now(), s.clock.Now()
		var v verdict
		r = r.WithContext(context.WithValue(r.Context(), verdictKey{}, &v))
		body := &bodyTee{from: r.Body}
		if r.Body != nil {
			r.Body = body
		}
		rec := &responseTee{ResponseWriter: w}
		aborted := abortable(next, rec, r)
		c := requestJSON{
			ID: s.calls.nextID(), At: stamp(at), Face: face,
			Method: r.Method, Target: s.withoutSecret(r.URL.RequestURI()),
			RequestHeaders: flat(r.Header), RequestBody: s.withoutSecret(printable(body.copy.Bytes())),
			Status: rec.code(), ResponseHeaders: flat(rec.Header()), ResponseBody: printable(rec.copy.Bytes()),
			Verdict: verdictAccepted, Error: v.problem, Diagnosis: v.diagnosis,
		}
		if aborted != nil {
			c.Status = 0 // no answer
		}
		if v.problem != "" || c.Status >= 400 || c.Status == 0 {
			c.Verdict = verdictRefused
		}
		s.calls.add(c)
		s.timelineCall(c, v, s.opts.Now().Sub(start))
		if aborted != nil {
			panic(aborted)
		}
	})
}

// abortable serves a call and returns what it panicked with, so that a call
// whose connection a fault cuts is recorded like the others.
func abortable(next http.Handler, w http.ResponseWriter, r *http.Request) (aborted any) {
	defer func() { aborted = recover() }()
	next.ServeHTTP(w, r)
	return nil
}

// withoutSecret keeps the app secret off the pages of a public demo.
func (s *Sim) withoutSecret(text string) string {
	if !s.opts.Public {
		return text
	}
	id := s.ids.view()
	return strings.NewReplacer(id.AppSecret, "***", id.MiniAppSecret, "***").Replace(text)
}

// flat joins the values of each header.
func flat(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for name, values := range h {
		out[name] = strings.Join(values, ", ")
	}
	return out
}

// printable is a body as text that JSON can carry.
func printable(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// bodyTee keeps the beginning of what is read through it.
type bodyTee struct {
	from io.ReadCloser
	copy bytes.Buffer
}

func (t *bodyTee) Read(p []byte) (int, error) {
	n, err := t.from.Read(p)
	if room := maxRecorded - t.copy.Len(); room > 0 {
		t.copy.Write(p[:min(n, room)])
	}
	return n, err
}

func (t *bodyTee) Close() error { return t.from.Close() }

// responseTee keeps the beginning of what is written through it.
type responseTee struct {
	http.ResponseWriter
	status int
	copy   bytes.Buffer
}

func (t *responseTee) WriteHeader(status int) {
	if t.status == 0 {
		t.status = status
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *responseTee) Write(p []byte) (int, error) {
	if t.status == 0 {
		t.status = http.StatusOK
	}
	if room := maxRecorded - t.copy.Len(); room > 0 {
		t.copy.Write(p[:min(len(p), room)])
	}
	return t.ResponseWriter.Write(p)
}

func (t *responseTee) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (t *responseTee) code() int {
	if t.status == 0 {
		return http.StatusOK
	}
	return t.status
}

// stamp is a time of the control API: RFC 3339 with milliseconds, in Beijing;
// the zero time is null.
type stamp time.Time

func (t stamp) MarshalJSON() ([]byte, error) {
	if time.Time(t).IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + time.Time(t).In(beijing).Format(apiTime) + `"`), nil
}
