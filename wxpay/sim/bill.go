package sim

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// The kinds of trade bill (bill_type).
const (
	billAll      = "ALL"
	billSuccess  = "SUCCESS"
	billRefund   = "REFUND"
	billRecharge = "RECHARGE_REFUND" // nobody here has coupons: always empty
)

// billFail is a refusal of downloadbill, which has a form of its own:
// unsigned, with error_code (WeChat Pay v2, "下载交易账单").
type billFail struct {
	code int // 0: the ordinary first layer
	text string
}

func (e billFail) Error() string { return e.text }

// The refusals of downloadbill.
var (
	billMissingParam = billFail{20001, "missing parameter"}
	billBadSign      = billFail{20001, "sign error"}
	billBadType      = billFail{20001, "invalid bill_type"}
	billBadFormat    = billFail{20001, "data format error"}
	billNone         = billFail{20002, "No Bill Exist"}
	billCreating     = billFail{20100, "Bill Creating"}
)

func (e billFail) body() []byte {
	list := []field{{"return_code", "FAIL"}, {"return_msg", e.text}}
	if e.code != 0 {
		list = append(list, field{"error_code", strconv.Itoa(e.code)})
	}
	return writeXML(list, nil)
}

// billReady is when the bill of a day can be fetched: at ten the next morning.
func billReady(day time.Time) time.Time { return day.Add(34 * time.Hour) }

// billMade is when WeChat begins to make it: what happens later is not in it.
func billMade(day time.Time) time.Time { return day.Add(33 * time.Hour) }

// downloadBill is the bill of a day as a file.
func (s *Sim) downloadBill(w http.ResponseWriter, r *http.Request) {
	q, err := s.readV2(w, r)
	var text []byte
	if err == nil {
		text, err = s.tradeBill(q.in)
	}
	if err != nil {
		fail := s.billFailOf(err)
		say(r, s.refusal(q, err, fail.text))
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write(fail.body())
		return
	}
	sendBill(w, text, q.in["tar_type"])
}

// refusal is what the log of calls says about a refused call that is not
// answered like the others.
func (s *Sim) refusal(q v2Request, err error, text string) verdict {
	v := verdict{problem: text}
	if errors.Is(err, failSign) {
		v.diagnosis = s.diagnose(requestMessage(q.doc, q.in, q.alg, q.key))
	}
	var mistaken *accountMistake
	if errors.As(err, &mistaken) {
		v.advice = mistaken.advice
	}
	return v
}

// billFailOf puts a refusal into the words of downloadbill.
func (s *Sim) billFailOf(err error) billFail {
	var fail billFail
	var protocol protocolFail
	switch {
	case errors.As(err, &fail):
		return fail
	case errors.Is(err, failSign):
		return billBadSign
	case errors.Is(err, failMissing):
		return billMissingParam
	case errors.As(err, &protocol):
		return billFail{text: string(protocol)}
	default:
		s.log.Error("bill not made", "err", err)
		return billFail{100, "SYSTEMERROR"}
	}
}

func sendBill(w http.ResponseWriter, text []byte, tarType string) {
	kind := "text/plain; charset=utf-8"
	if tarType == "GZIP" {
		kind, text = "application/x-gzip", zipped(text)
	}
	w.Header().Set("Content-Type", kind)
	w.Write(text)
}

func zipped(text []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(text) // into memory: cannot fail
	z.Close()
	return b.Bytes()
}

// tradeBill checks what was asked for and makes it.
func (s *Sim) tradeBill(in map[string]string) ([]byte, error) {
	kind := in["bill_type"]
	if kind == "" {
		kind = billAll
	}
	day, err := time.ParseInLocation("20060102", in["bill_date"], beijing)
	switch {
	case in["bill_date"] == "":
		return nil, billMissingParam
	case err != nil, in["tar_type"] != "" && in["tar_type"] != "GZIP":
		return nil, billBadFormat
	case !slices.Contains([]string{billAll, billSuccess, billRefund, billRecharge}, kind):
		return nil, billBadType
	}
	now := s.clock.Now()
	switch {
	case now.Before(billReady(day)), s.faultFires(faultBillNotReady, ""):
		return nil, billCreating
	case !now.Before(day.AddDate(0, 3, 1)), kind == billRecharge:
		return nil, billNone
	}
	return s.writeTrades(kind, day, in["sub_mch_id"], billV2)
}

// writeTrades is the trade bill of a day; billNone when nothing happened.
func (s *Sim) writeTrades(kind string, day time.Time, subMchID string, style billStyle) ([]byte, error) {
	s.mu.Lock()
	rows, err := s.plantedMoves(day, subMchID)
	text := writeBill(kind, day, rows, style)
	s.mu.Unlock()
	switch {
	case err != nil:
		return nil, err
	case text == nil:
		return nil, billNone
	}
	return text, s.journal.sync()
}
