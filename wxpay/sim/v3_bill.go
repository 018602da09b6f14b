package sim

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// billFilePath is where bills are fetched.
const billFilePath = "/v3/billdownload/file"

// canonicalHost is the gateway of the real WeChat Pay.
const canonicalHost = "https://api.mch.weixin.qq.com"

// The refusals of bills (WeChat Pay v3, "申请交易账单", "下载账单").
var (
	errBillNoneV3     = &v3Fail{status: http.StatusBadRequest, code: "NO_STATEMENT_EXIST", message: "账单文件不存在"}
	errBillCreatingV3 = &v3Fail{status: http.StatusBadRequest, code: "STATEMENT_CREATING", message: "账单生成中"}
	errBillTokenV3    = invalidRequest("账单下载地址已失效，请重新申请账单", 0)
)

// billURLLife is how long a bill can be fetched, in honest time.
const billURLLife = 5 * time.Minute

// maxBillFiles is how many bills wait at most; the oldest goes first.
const maxBillFiles = 64

// billFiles are the bills that were asked for.
type billFiles struct {
	mu    sync.Mutex
	ready []billFileV3
}

type billFileV3 struct {
	token string
	at    time.Time
	text  []byte
	gzip  bool
}

func newBillFiles() *billFiles { return &billFiles{} }

func (b *billFiles) add(f billFileV3) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ready) >= maxBillFiles {
		b.ready = append([]billFileV3(nil), b.ready[len(b.ready)-maxBillFiles+1:]...)
	}
	b.ready = append(b.ready, f)
}

func (b *billFiles) get(token string, now time.Time) (billFileV3, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.ready {
		if f.token == token && now.Sub(f.at) < billURLLife {
			return f, true
		}
	}
	return billFileV3{}, false
}

func (b *billFiles) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready = nil
}

// tradeBillV3 makes the trade bill of a day ready for download. It holds the
// orders of v2 too (WeChat Pay v3, "申请交易账单").
func (s *Sim) tradeBillV3(q v3Request) (v3Answer, error) {
	day, err := s.billDay(q)
	if err != nil {
		return v3Answer{}, err
	}
	kind := q.query.Get("bill_type")
	if kind == "" {
		kind = billAll
	}
	text, err := s.writeTrades(kind, day, q.subMchID(), billV3)
	return s.offerBill(q, text, err)
}

// fundBillV3 does so with the statement of the merchant's account. Everything
// goes through the basic account (WeChat Pay v3, "申请资金账单").
func (s *Sim) fundBillV3(q v3Request) (v3Answer, error) {
	day, err := s.billDay(q)
	if err != nil {
		return v3Answer{}, err
	}
	if kind := q.query.Get("account_type"); kind != "" && kind != "BASIC" {
		return v3Answer{}, errBillNoneV3
	}
	text, err := s.writeFlows(day, billV3)
	return s.offerBill(q, text, err)
}

// billDay is the day that is asked for, if its bill is there: from ten the
// next morning, for three months.
func (s *Sim) billDay(q v3Request) (time.Time, error) {
	day, err := time.ParseInLocation(time.DateOnly, q.query.Get("bill_date"), beijing)
	now := s.clock.Now()
	switch {
	case err != nil:
		return day, (&fieldCheck{source: "query"}).fail(numberIllegal, q.query.Get("bill_date"), "输入源“/query/bill_date”映射到值字段“账单日期”字符串规则校验失败，格式不正确")
	case now.Before(billReady(day)), s.faultFires(faultBillNotReady, ""):
		return day, errBillCreatingV3
	case !now.Before(day.AddDate(0, 3, 1)):
		return day, errBillNoneV3
	}
	return day, nil
}

// offerBill answers with the address of a bill and the digest of its text,
// which is that of the plain file, zipped or not.
func (s *Sim) offerBill(q v3Request, text []byte, err error) (v3Answer, error) {
	if errors.Is(err, billNone) || errors.Is(err, errFundNone) {
		return v3Answer{}, errBillNoneV3
	}
	if err != nil {
		return v3Answer{}, err
	}
	f := billFileV3{token: pick(s.draw("bill token"), alphanum, 64), at: s.opts.Now(), text: text, gzip: q.query.Get("tar_type") == "GZIP"}
	s.billFiles.add(f)
	url := s.opts.BaseURL
	if s.account().BillHost == "canonical" {
		url = canonicalHost
	}
	url += billFilePath + "?token=" + f.token
	if f.gzip {
		url += "&tartype=gzip"
	}
	sum := sha1.Sum(text)
	return v3Answer{body: map[string]string{"hash_type": "SHA1", "hash_value": hex.EncodeToString(sum[:]), "download_url": url}}, nil
}

// billFile hands out a bill: the request is signed like any other, the answer
// is not (WeChat Pay v3, "下载账单").
func (s *Sim) billFile(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		s.refuseV3(w, r, errBodyV3, "", false)
		return
	}
	if e := s.verifyV3(r, body); e != nil {
		s.refuseV3(w, r, e, "", false)
		return
	}
	f, ok := s.billFiles.get(r.URL.Query().Get("token"), s.opts.Now())
	if !ok {
		s.refuseV3(w, r, errBillTokenV3, "", true)
		return
	}
	tarType := ""
	if f.gzip {
		tarType = "GZIP"
	}
	w.Header().Set("Server", "nginx")
	sendBill(w, f.text, tarType)
}
