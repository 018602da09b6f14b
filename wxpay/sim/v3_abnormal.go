package sim

import (
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"time"
)

// The refusals of refunds that go another way (WeChat Pay v3, "发起异常退款").
var (
	errNotAbnormalV3 = invalidRequest("退款单状态不是退款异常，不能发起异常退款", 0)
	errCardV3        = paramError("type为USER_BANK_CARD时，bank_type、bank_account、real_name必填")
	errSealedV3      = paramError("敏感字段解密失败，请检查Http头Wechatpay-Serial与加密所用的公钥是否一致")
	errSealSerialV3  = paramError("请求包含敏感字段，Http头Wechatpay-Serial必填")
)

// applyAbnormal sends an abnormal refund another way: to another card of the
// payer, or back to the merchant.
func (s *Sim) applyAbnormal(q v3Request) (v3Answer, error) {
	var in struct {
		OutRefundNo string `json:"out_refund_no"`
		Type        string `json:"type"`
		BankType    string `json:"bank_type"`
		BankAccount string `json:"bank_account"`
		RealName    string `json:"real_name"`
	}
	if err := q.read(&in); err != nil {
		return v3Answer{}, err
	}
	if in.Type == "USER_BANK_CARD" && (in.BankType == "" || in.BankAccount == "" || in.RealName == "") {
		return v3Answer{}, errCardV3
	}
	for _, sealed := range []string{in.BankAccount, in.RealName} {
		if sealed == "" {
			continue
		}
		if err := s.openSealed(q.http.Header.Get("Wechatpay-Serial"), sealed); err != nil {
			return v3Answer{}, err
		}
	}
	s.mu.Lock()
	a, err := s.applyAbnormalLocked(q, in.OutRefundNo)
	s.mu.Unlock()
	if err != nil {
		return a, err
	}
	return a, s.journal.sync()
}

func (s *Sim) applyAbnormalLocked(q v3Request, refundNo string) (v3Answer, error) {
	r := s.ledger.byRefundID[q.path["refund_id"]]
	if r == nil || r.OutRefundNo != refundNo || r.order.SubMchID != q.subMchID() {
		return v3Answer{}, errNoRefundV3
	}
	o, now := r.order, s.clock.Now()
	s.ripen(o, now)
	if r.State != refundAbnormal {
		return v3Answer{no: o.No}, errNotAbnormalV3
	}
	again := &refund{OutRefundNo: r.OutRefundNo, Due: now.Add(refundTakes), Ends: refundSuccess}
	if err := s.commit(&record{Kind: recRefundTry, At: now, No: o.No, Refund: again}); err != nil {
		return v3Answer{no: o.No}, err
	}
	s.timelineRefund(r, now)
	s.planRipe(o)
	return v3Answer{body: refundViewV3(r), no: o.No}, nil
}

// tryRefund lets an abnormal refund run again.
func (l *ledger) tryRefund(o *order, r *record) error {
	f := l.refunds[r.Refund.OutRefundNo]
	if f == nil || f.order != o {
		return fmt.Errorf("record %d: no refund %q of %q", r.Seq, r.Refund.OutRefundNo, o.No)
	}
	f.State, f.Due, f.Ends, f.Ended = refundProcessing, r.Refund.Due, r.Refund.Ends, time.Time{}
	return nil
}

// openSealed decrypts a field that only WeChat may read: RSA-OAEP with SHA-1,
// by the key that Wechatpay-Serial names (WeChat Pay v3, "敏感信息加密").
func (s *Sim) openSealed(serial, text string) error {
	ring, err := s.ids.keyring()
	if err != nil {
		return err
	}
	keys := map[string]*rsa.PrivateKey{ring.public.serial: ring.public.key}
	for _, c := range ring.listed(s.clock.Now()) {
		keys[c.Serial] = c.key
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	switch {
	case serial == "":
		return errSealSerialV3
	case err != nil || keys[serial] == nil:
		return errSealedV3
	}
	if _, err := rsa.DecryptOAEP(sha1.New(), nil, keys[serial], raw, nil); err != nil {
		return errSealedV3
	}
	return nil
}
