package sim

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// apiRoutes is the control API, for people and programs in any language.
func (s *Sim) apiRoutes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, h func(r *http.Request) (any, error)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.Handle(method+" /_sim/api/"+path, s.api(h))
	}
	handle("GET identity", s.apiIdentity)
	handle("GET users", s.apiUsers)
	handle("POST users", s.apiAddUser)
	handle("GET users/{openid}/paycode", s.apiPaycode)
	handle("GET transactions", s.apiTransactions)
	handle("GET transactions/{no}", s.apiTransaction)
	handle("POST transactions/{no}/pay", s.apiPay)
	handle("POST transactions/{no}/refunds/{refund}", s.apiDecideRefund)
	handle("GET requests", s.apiRequests)
	handle("GET notifications", s.apiNotifications)
	handle("POST notifications/{id}/resend", func(r *http.Request) (any, error) { return s.resend(r.Context(), r.PathValue("id")) })
	handle("POST notifications/{id}/drop", func(r *http.Request) (any, error) { return s.drop(r.PathValue("id")) })
	handle("POST notifications/forge", s.apiForge)
	handle("GET account", func(*http.Request) (any, error) { return s.account(), nil })
	handle("PUT account", s.apiSetAccount)
	handle("GET keys", func(*http.Request) (any, error) { return s.keysView() })
	handle("POST keys", s.apiSetKeys)
	handle("POST users/{openid}/jscode", s.apiJSCode)
	handle("GET server", func(*http.Request) (any, error) { return s.serverView(), nil })
	handle("PUT server", s.apiSetServer)
	handle("POST server/push", s.apiPush)
	handle("GET faults", func(*http.Request) (any, error) { return s.faults.view(), nil })
	handle("PUT faults", s.apiSetFaults)
	handle("GET clock", func(*http.Request) (any, error) { return s.clockView(), nil })
	handle("POST clock", s.apiSetClock)
	handle("GET scenario", func(*http.Request) (any, error) { return s.scenarios.list(), nil })
	handle("POST scenario", s.apiAddScenario)
	handle("DELETE scenario", s.apiForgetScenarios)
	handle("DELETE scenario/{id}", s.apiForgetScenarios)
	handle("POST diagnose", s.apiDiagnose)
	handle("POST reset", func(*http.Request) (any, error) { return struct{}{}, s.reset() })
	mux.HandleFunc("GET /_sim/api/events", s.streamEvents)
	mux.HandleFunc("/_sim/api/", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusNotFound, errorJSON{"there is no " + r.Method + " " + r.URL.Path + "; the README lists the calls"})
	})
	return mux
}

// api answers a call with JSON, or with its error and the status that fits.
func (s *Sim) api(h func(r *http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		v, err := h(r)
		if err != nil {
			status := statusOf(err)
			if status == http.StatusInternalServerError {
				s.log.Error("control call broke", "path", r.URL.Path, "err", err)
			}
			writeJSON(w, status, errorJSON{err.Error()})
			return
		}
		writeJSON(w, http.StatusOK, v)
	})
}

// readBody reads a JSON object with known fields only; an empty body is {}.
func readBody(r *http.Request, into any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return badRequest("the body is not the JSON expected here: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return badRequest("there is something after the JSON object; send one object")
	}
	return nil
}

// limit reads ?limit=, 100 by default.
func limit(r *http.Request) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return 100, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 10_000 {
		return 0, badRequest("limit must be a number from 1 to 10000")
	}
	return n, nil
}

func (s *Sim) apiIdentity(*http.Request) (any, error) {
	id, err := s.IdentityWithKeys()
	if s.opts.Public {
		id = id.withoutSecrets()
	}
	return id, err
}

func (s *Sim) apiUsers(r *http.Request) (any, error) {
	n, err := limit(r)
	return s.userViews(n), err
}

func (s *Sim) apiAddUser(r *http.Request) (any, error) {
	var in struct {
		Nickname string `json:"nickname"`
		Balance  int64  `json:"balance"`
	}
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	return s.addUser(in.Nickname, in.Balance)
}

func (s *Sim) apiTransactions(r *http.Request) (any, error) {
	n, err := limit(r)
	return s.transactionViews(n), err
}

func (s *Sim) apiTransaction(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.ledger.orders[r.PathValue("no")]
	if o == nil {
		return nil, noTransaction(r.PathValue("no"))
	}
	s.ripen(o, s.clock.Now())
	return s.transactionView(o), nil
}

func (s *Sim) apiPay(r *http.Request) (any, error) {
	var in struct {
		OpenID  string `json:"openid"`
		Outcome string `json:"outcome"`
	}
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	return s.pay(r.PathValue("no"), in.OpenID, in.Outcome)
}

func (s *Sim) apiRequests(r *http.Request) (any, error) {
	n, err := limit(r)
	return s.calls.latest(n), err
}

func (s *Sim) apiNotifications(r *http.Request) (any, error) {
	n, err := limit(r)
	return s.notificationViews(n), err
}

func (s *Sim) apiForge(r *http.Request) (any, error) {
	var in struct {
		OutTradeNo  string `json:"out_trade_no"`
		OutRefundNo string `json:"out_refund_no"` // of a refund; empty: of the payment
		Kind        string `json:"kind"`
	}
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	return s.forgeAbout(r.Context(), in.OutTradeNo, in.OutRefundNo, in.Kind)
}

func (s *Sim) apiSetFaults(r *http.Request) (any, error) {
	var in faultsChange
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	if err := s.setFaults(in); err != nil {
		return nil, err
	}
	return s.faults.view(), nil
}

func (s *Sim) setFaults(c faultsChange) error {
	if err := s.faults.change(c); err != nil {
		return err
	}
	s.timelineFaultsSet()
	return nil
}

// clockJSON is GET /_sim/api/clock.
type clockJSON struct {
	Now     stamp `json:"now"`
	OffsetS int64 `json:"offset_s"` // whole seconds ahead of honest time
	Rate    int64 `json:"rate"`
}

func (s *Sim) clockView() clockJSON {
	now, ahead, rate := s.clock.read()
	return clockJSON{Now: stamp(now), OffsetS: int64(ahead / time.Second), Rate: rate}
}

func (s *Sim) apiSetClock(r *http.Request) (any, error) {
	var in struct {
		Advance *string `json:"advance"`
		Rate    *int64  `json:"rate"`
	}
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	switch {
	case (in.Advance == nil) == (in.Rate == nil):
		return nil, badRequest(`send either {"advance":"24h"} or {"rate":1000}`)
	case in.Advance != nil:
		if err := s.advance(*in.Advance); err != nil {
			return nil, err
		}
	default:
		if err := s.setRate(*in.Rate); err != nil {
			return nil, err
		}
	}
	return s.clockView(), nil
}

// advance moves business time forward by a duration as Go writes it.
func (s *Sim) advance(text string) error {
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil {
		return badRequest("%s", errAdvance)
	}
	if err := s.clock.Advance(d); err != nil {
		return badRequest("%s", err)
	}
	return s.clockChanged("时钟快进 " + d.String())
}

func (s *Sim) setRate(n int64) error {
	if err := s.clock.SetRate(n); err != nil {
		return badRequest("%s", err)
	}
	return s.clockChanged("时钟以 " + strconv.FormatInt(n, 10) + " 倍速走")
}

// clockChanged writes the new offset down.
func (s *Sim) clockChanged(what string) error {
	s.mu.Lock()
	err := s.commit(&record{Kind: recClock})
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.timelineClock(what)
	return s.journal.sync()
}

// healthz answers when the simulator is ready, which it is from the start.
func (s *Sim) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "ok\n")
}
