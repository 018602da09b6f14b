package sim

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// slowAnswer is how long a slow answer takes, in honest time: longer than the
// five seconds that clients usually wait.
const slowAnswer = 6 * time.Second

// payPaths are the calls of the pay gateway; OAuth and the account's own API
// have no faults.
var payPaths = []string{"/pay/", "/secapi/", "/tools/", "/face/", "/payitil/", "/billcommentsp/", "/v3/", "/sandboxnew/", "/xdc/"}

func isPayPath(path string) bool {
	for _, prefix := range payPaths {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

// unreliable lets calls of the pay gateway suffer on their way. A connection
// that ends is a panic with http.ErrAbortHandler, as net/http has it; a
// transport that calls the gateway without sockets turns it into an error.
func (s *Sim) unreliable(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isPayPath(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		no, undo := s.script(w, r)
		defer undo()
		main := s.mainHost(r.Host)
		for _, name := range []string{faultHostDown, faultConnectionRefused, faultResetBefore} {
			if (name != faultHostDown || main) && s.faultFires(name, no) {
				cut(r, name)
			}
		}
		if s.faultFires(faultAnswer5xx, no) {
			explain(r, "502", "故障 "+faultAnswer5xx+"：什么也没做。The call was not carried out; repeat it.")
			badGateway(w)
			return
		}
		whole := &heldAnswer{header: http.Header{}}
		next.ServeHTTP(whole, r)
		if got := verdictOf(r).no; no == "" {
			no = got
		}
		s.spoil(w, r, whole, no)
	})
}

// script reads what a call is about when somebody scripted something: a
// scenario, or the header Wechatpay-Negative-Test.
func (s *Sim) script(w http.ResponseWriter, r *http.Request) (no string, undo func()) {
	test := r.Header.Get("Wechatpay-Negative-Test")
	if test == "" && !s.scenarios.any.Load() || r.Body == nil {
		return "", func() {}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
	about, ok := subjectOf(body)
	if strings.HasPrefix(r.URL.Path, "/v3/") {
		about, ok = subjectOfV3(r.URL.EscapedPath(), body)
	}
	if !ok {
		return "", func() {}
	}
	s.scenarios.learn(about)
	var undos []func()
	for _, name := range negativeTests(test) {
		undos = append(undos, s.scenarios.once(name, about))
	}
	return about.no, func() {
		for _, u := range undos {
			u()
		}
	}
}

// failing hands on the error that ended a body.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}

// negativeTests are the faults of a case of the v2 sandbox; the simulator's
// own fault names are taken as well.
func negativeTests(name string) []string {
	switch name {
	case "MICROPAY_USERPAYING":
		return []string{faultUserPaying}
	case "MICROPAY_TIMEOUT", "MICROPAY_PAY_QUERY_TIMEOUT":
		return []string{faultAnswerSlow}
	case "MICROPAY_PAYERROR":
		return []string{faultNotEnough, faultAnswerSlow}
	}
	if faultNames[name] {
		return []string{name}
	}
	return nil
}

// mainHost reports whether a call came in by the main host: the name by which
// the first call came. Any other name of this listener (127.0.0.1 beside
// localhost) is the spare one.
func (s *Sim) mainHost(authority string) bool {
	s.firstHost.CompareAndSwap(nil, &authority)
	return strings.EqualFold(*s.firstHost.Load(), authority)
}

// cut ends the connection without an answer.
func cut(r *http.Request, name string) {
	why := "做完以后断线。It was carried out, the answer is lost: repeat the call with the same number, or query."
	if name != faultResetAfter {
		why = "没做就断线。Nothing was done: repeat the call, at the other host if there is one."
	}
	explain(r, "连接断了", "故障 "+name+"："+why)
	panic(http.ErrAbortHandler)
}

func badGateway(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusBadGateway)
	io.WriteString(w, "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n")
}

// heldAnswer keeps an answer until it is known how it goes out.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heldAnswer) Header() http.Header { return h.header }

func (h *heldAnswer) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

func (h *heldAnswer) Write(p []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return h.body.Write(p)
}

// spoil sends an answer, or what a fault leaves of it.
func (s *Sim) spoil(w http.ResponseWriter, r *http.Request, a *heldAnswer, no string) {
	body := a.body.Bytes()
	note := func(name, words string) { explain(r, name, "故障 "+name+"："+words) }
	switch {
	case s.faultFires(faultResetAfter, no):
		cut(r, faultResetAfter)
	case s.faultFires(faultAnswerSlow, no):
		note(faultAnswerSlow, "做完了，"+slowAnswer.String()+" 后才答。It was carried out at once.")
		s.dawdle(r)
	}
	if v3 := isSignedV3(a); v3 || bytes.Contains(body, []byte("<sign>")) {
		switch {
		case s.faultFires(faultAnswerUnsigned, no):
			note(faultAnswerUnsigned, "应答没有签名。It was carried out; never believe an unsigned yes.")
			if body = withoutSign(body); v3 {
				unsignV3(a.header)
			}
		case s.faultFires(faultAnswerWrongSign, no):
			note(faultAnswerWrongSign, "应答的签名不对。It was carried out; never believe an answer that does not verify.")
			if v3 {
				s.missignV3(a.header)
			} else {
				body = wrongSign(body)
			}
		}
	}
	switch {
	case len(body) > 1 && s.faultFires(faultAnswerTruncated, no):
		note(faultAnswerTruncated, "应答只有一半。It was carried out; repeat or query.")
		body = body[:len(body)/2]
	case s.faultFires(faultAnswerHTML, no):
		note(faultAnswerHTML, "应答是一张网页。It was carried out; repeat or query.")
		a.header.Set("Content-Type", "text/html; charset=utf-8")
		if unsignV3(a.header); a.status == http.StatusNoContent {
			a.status = http.StatusOK
		}
		body = []byte("<html><head><title>系统繁忙</title></head><body><p>系统繁忙，请稍后再试</p></body></html>\n")
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if a.status == 0 {
		a.status = http.StatusOK
	}
	w.WriteHeader(a.status)
	w.Write(body) // a client that went away is no news
}

// dawdle waits, unless the client or the simulator has gone.
func (s *Sim) dawdle(r *http.Request) {
	t := time.NewTimer(slowAnswer)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	case <-s.stopping:
	}
}

// withoutSign takes the sign out of a document.
func withoutSign(body []byte) []byte {
	before, rest, signed := bytes.Cut(body, []byte("<sign>"))
	if !signed {
		return body
	}
	_, after, _ := bytes.Cut(rest, []byte("</sign>\n"))
	return append(bytes.Clone(before), after...)
}

// wrongSign turns the sign of a document into another one of the same form.
func wrongSign(body []byte) []byte {
	body = bytes.Clone(body)
	at := bytes.Index(body, []byte("<sign><![CDATA[")) + len("<sign><![CDATA[")
	for i := at; i < len(body) && body[i] != ']'; i++ {
		if body[i]++; body[i] == '9'+1 || body[i] == 'F'+1 {
			body[i] = '0'
		}
	}
	return body
}

// Direct is a transport to a handler without sockets, for programs that run
// shop and simulator in one process: a connection that a fault cuts becomes an
// error, as it does behind a socket.
func Direct(h http.Handler) http.RoundTripper { return direct{h} }

type direct struct{ h http.Handler }

var errCut = errors.New("the connection was cut")

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:1"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	got, done, aborted := &heldAnswer{header: http.Header{}}, make(chan struct{}), false
	go func() {
		defer close(done)
		defer func() {
			switch e := recover(); e {
			case nil:
			case http.ErrAbortHandler:
				aborted = true
			default:
				panic(e)
			}
		}()
		d.h.ServeHTTP(got, in)
	}()
	select {
	case <-done:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if aborted {
		return nil, errCut
	}
	got.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: strconv.Itoa(got.status) + " " + http.StatusText(got.status), StatusCode: got.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: got.header, Request: r,
		Body: io.NopCloser(bytes.NewReader(got.body.Bytes())), ContentLength: int64(got.body.Len()),
	}, nil
}
