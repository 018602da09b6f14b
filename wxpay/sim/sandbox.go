package sim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// The prefixes of WeChat's two sandboxes (WeChat Pay v2, "支付验收指引").
const (
	oldSandbox = "/sandboxnew"
	newSandbox = "/xdc/apiv2sandbox"
)

type sandboxMark struct{}

func inSandbox(r *http.Request) bool { return r.Context().Value(sandboxMark{}) != nil }

// sandboxKey signs calls of the sandbox; getsignkey hands it out.
func (s *Sim) sandboxKey() string {
	sum := sha256.Sum256([]byte("sandbox " + s.ids.view().APIKey))
	return hex.EncodeToString(sum[:16])
}

// sandboxRoutes serve the gateway once more under the sandboxes' prefixes.
func (s *Sim) sandboxRoutes(mux *http.ServeMux) {
	mux.HandleFunc(oldSandbox+"/pay/getsignkey", s.getSignKey)
	mux.HandleFunc("/xdc/apiv2getsignkey/sign/getsignkey", s.getSignKey)
	mux.Handle(oldSandbox+"/", s.sandboxed(oldSandbox, mux))
	for _, path := range []string{"/pay/micropay", "/pay/orderquery"} { // all that the new one has
		mux.Handle(newSandbox+path, s.sandboxed(newSandbox, mux))
	}
}

// sandboxed hands a call on without its prefix. Refunds need no certificate
// there and no /secapi.
func (s *Sim) sandboxed(prefix string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, prefix)
		if path == "/pay/refund" || path == "/pay/reverse" {
			path = "/secapi" + path
		}
		if !isPayPath(path) || strings.HasPrefix(path, oldSandbox) || strings.HasPrefix(path, "/v3/") { // API v3 never had one
			s.unknownPath(w, r)
			return
		}
		in := r.Clone(context.WithValue(r.Context(), sandboxMark{}, true))
		in.URL.Path, in.URL.RawPath, in.TLS = path, "", nil
		next.ServeHTTP(w, in)
	})
}

// getSignKey hands out the sandbox's key to who can sign with the real one.
func (s *Sim) getSignKey(w http.ResponseWriter, r *http.Request) {
	in, no := s.readSignKey(w, r)
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	if no != "" {
		v := verdict{problem: string(no)}
		if no == failSign {
			v.diagnosis = s.diagnose(requestMessage("", in, algMD5, ""))
		}
		say(r, v)
		w.Write(v2Fail(no))
		return
	}
	w.Write(writeXML([]field{
		{"return_code", "SUCCESS"}, {"return_msg", "ok"}, {"mch_id", in["mch_id"]}, {"sandbox_signkey", s.sandboxKey()},
	}, nil))
}

func (s *Sim) readSignKey(w http.ResponseWriter, r *http.Request) (map[string]string, protocolFail) {
	id := s.ids.view()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, failXML
	}
	in, err := readXML(body)
	switch {
	case err != nil:
		return in, failXML
	case in["mch_id"] == "" || in["nonce_str"] == "" || in["sign"] == "":
		return in, failMissing
	case in["mch_id"] != id.MchID:
		return in, failFormat("mch_id")
	case !signedBy(in, in["sign"], id.APIKey, algMD5):
		return in, failSign
	}
	return in, ""
}

// The amounts of the old sandbox, in fen.
const (
	sandboxPaid        = 101
	sandboxCoupons     = 102
	sandboxSilent      = 130
	sandboxFails       = 131
	sandboxRepeated    = 132
	sandboxBadSign     = 133
	sandboxWrongAmount = 134
)

// sandboxRefuses checks the amount, which chooses the case.
func (s *Sim) sandboxRefuses(q v2Request) error {
	if !q.sandbox || q.path != "/pay/unifiedorder" {
		return nil
	}
	switch fee := q.in["total_fee"]; fee {
	case "101", "102", "130", "131", "132", "133", "134":
		return nil
	default:
		return protocolFail("沙箱支付金额(" + fee + ")无效，请检查需要验收的case")
	}
}

// sandboxPays plays the payer, who comes by as soon as an order is placed.
func (s *Sim) sandboxPays(q v2Request) error {
	if !q.sandbox || q.path != "/pay/unifiedorder" {
		return nil
	}
	s.mu.Lock()
	o := s.ledger.orders[q.in["out_trade_no"]]
	if o == nil || !o.Sandbox || o.payment != nil || o.failed != "" {
		s.mu.Unlock()
		return nil
	}
	err := s.playPayer(o)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.journal.sync()
}

// playPayer does what the amount of an order says. s.mu is held.
func (s *Sim) playPayer(o *order) error {
	if o.Total == sandboxFails {
		return s.commitOrder(&record{Kind: recFail, No: o.No, Why: "支付失败"})
	}
	payer := s.ledger.payer(o)
	if payer == nil {
		payer = s.ledger.users[0]
	}
	outcome := outcomeSuccess
	if o.Total == sandboxSilent {
		outcome = outcomeSilent
	}
	return s.act(o, o.latest().ID, payer, outcome, false)
}

// sandboxKeyOf is what signs notifications about an order.
func (s *Sim) sandboxKeyOf(o *order) string {
	switch {
	case !o.Sandbox:
		return s.ids.view().APIKey
	case o.Total == sandboxBadSign:
		return strings.Repeat("0", 32)
	default:
		return s.sandboxKey()
	}
}

// sandboxFields is what the case of an order does to its fields: coupons, or
// a notification that names another amount.
func sandboxFields(o *order, fields map[string]string, toShop bool) {
	if !o.Sandbox {
		return
	}
	switch {
	case o.Total == sandboxCoupons:
		fields["coupon_fee"], fields["coupon_count"] = "3", "2"
		fields["coupon_id_0"], fields["coupon_fee_0"], fields["coupon_type_0"] = "10000", "1", "CASH"
		fields["coupon_id_1"], fields["coupon_fee_1"], fields["coupon_type_1"] = "10001", "2", "NO_CASH"
		fields["cash_fee"] = strconv.FormatInt(o.Total-3, 10)
	case o.Total == sandboxWrongAmount && toShop:
		wrong := strconv.FormatInt(o.Total+1, 10)
		fields["total_fee"], fields["cash_fee"] = wrong, wrong
	}
}
