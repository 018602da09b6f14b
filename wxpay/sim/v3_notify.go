package sim

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// sealNonce is the length of the nonce of AES-GCM.
const sealNonce = 12

// sealedV3 is something encrypted with the APIv3 key (WeChat Pay v3,
// "回调报文解密", "下载平台证书").
type sealedV3 struct {
	OriginalType   string `json:"original_type,omitempty"`
	Algorithm      string `json:"algorithm"`
	Ciphertext     string `json:"ciphertext"`
	AssociatedData string `json:"associated_data"`
	Nonce          string `json:"nonce"`
}

// envelopeV3 is the body of a notification.
type envelopeV3 struct {
	ID           string   `json:"id"`
	CreateTime   string   `json:"create_time"`
	ResourceType string   `json:"resource_type"`
	EventType    string   `json:"event_type"`
	Summary      string   `json:"summary"`
	Resource     sealedV3 `json:"resource"`
}

// sealGCM encrypts with AES-256-GCM under the APIv3 key. The nonce is text.
func sealGCM(key, nonce, associated string, plain []byte) (string, error) {
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		return "", fmt.Errorf("APIv3 key: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(gcm.Seal(nil, []byte(nonce), plain, []byte(associated))), nil
}

// eventV3 is what a notification tells, before it is sealed.
type eventV3 struct {
	id       string
	created  time.Time // business time
	original string    // transaction, refund
	kind     string    // event_type
	summary  string
	content  map[string]any
}

// paymentEvent is the notification of a payment: the order as a query answers it.
func paymentEvent(o *order, p *payment) eventV3 {
	return eventV3{original: "transaction", kind: "TRANSACTION.SUCCESS", summary: "支付成功", content: claimV3(o, p)}
}

// refundEvent is the notification of a refund, which is flatter than the
// answer of a query (WeChat Pay v3, "退款结果通知").
func refundEvent(r *refund) eventV3 {
	o := r.order
	m := map[string]any{
		"mchid": o.MchID, "transaction_id": o.payment.TransactionID, "out_trade_no": o.No,
		"refund_id": r.RefundID, "out_refund_no": r.OutRefundNo, "refund_status": r.State, "user_received_account": refundRecipient,
		"amount": map[string]any{"total": o.Total, "refund": r.Amount, "payer_total": o.Total, "payer_refund": r.Amount},
	}
	if o.SubMchID != "" {
		delete(m, "mchid")
		m["sp_mchid"], m["sub_mchid"] = o.MchID, o.SubMchID
	}
	if r.State == refundSuccess {
		m["success_time"] = timeV3(r.Success)
	}
	summary := map[string]string{refundSuccess: "退款成功", refundAbnormal: "退款异常", refundClosed: "退款关闭"}[r.State]
	return eventV3{original: "refund", kind: "REFUND." + r.State, summary: summary, content: m}
}

// eventOf is what a notification tells now. s.mu is held.
func (s *Sim) eventOf(n *notification) eventV3 {
	o := s.ledger.orders[n.No]
	e := paymentEvent(o, o.payment)
	if n.Refund != "" {
		e = refundEvent(s.ledger.refunds[n.Refund])
	}
	e.id, e.created = s.eventID(n.ID, n.Created), n.Created
	return e
}

// eventID is the id of a notification, the same at each repetition.
func (s *Sim) eventID(what string, created time.Time) string {
	r := chance(s.seed, "event "+what, uint64(created.UnixNano()))
	return "EV-" + created.In(beijing).Format("20060102150405") + pick(r, digits, 12)
}

// sealEvent writes the body of a notification.
func (s *Sim) sealEvent(e eventV3, nonce string) ([]byte, error) {
	r := s.draw("event")
	e.content[newFieldNames[r.IntN(len(newFieldNames))]] = pick(r, alphanum, 8)
	cipher, err := sealGCM(s.ids.view().APIv3Key, nonce, e.original, plainJSON(e.content))
	if err != nil {
		return nil, err
	}
	return plainJSON(envelopeV3{
		ID: e.id, CreateTime: timeV3(e.created), ResourceType: "encrypt-resource", EventType: e.kind, Summary: e.summary,
		Resource: sealedV3{OriginalType: e.original, Algorithm: "AEAD_AES_256_GCM", Ciphertext: cipher, AssociatedData: e.original, Nonce: nonce},
	}), nil
}

// noteV3 writes a notification, signed anew for this delivery.
func (s *Sim) noteV3(e eventV3) (message, error) {
	body, err := s.sealEvent(e, pick(s.draw("event nonce"), alphanum, sealNonce))
	if err != nil {
		return message{}, err
	}
	key, err := s.notifyKey()
	if err != nil {
		return message{}, err
	}
	return s.signedNote(body, key, s.opts.Now())
}

// signedNote signs the body of a notification as of an honest time.
func (s *Sim) signedNote(body []byte, key wechatKey, at time.Time) (message, error) {
	r := s.draw("notification v3")
	h := http.Header{}
	if err := sealV3(h, body, key, strconv.FormatInt(at.Unix(), 10), pick(r, lowerHex, 32)); err != nil {
		return message{}, err
	}
	m := newMessage(body, r)
	m.v3 = true
	m.headers["Content-Type"] = "application/json"
	for name, value := range flat(h) {
		m.headers[name] = value
	}
	return m, nil
}

// mixedShare is how much of a merchant's notifications the public key signs
// while it switches to it.
const mixedShare = 0.5

// notifyKey is the key that signs a notification. In mixed mode chance
// chooses, as WeChat moves them step by step.
func (s *Sim) notifyKey() (wechatKey, error) {
	ring, err := s.ids.keyring()
	if err != nil {
		return wechatKey{}, err
	}
	mode := s.ids.view().KeyMode
	if mode == modePublicKey || mode == modeMixed && s.draw("key of a notification").Float64() < mixedShare {
		return ring.public, nil
	}
	return s.platformKey()
}

// acknowledgedV3 reports whether an answer ends the retries: any status of
// success does, whatever the body (WeChat Pay v3, "支付成功回调通知").
func acknowledgedV3(status int) (ok bool, why string) {
	if status/100 == 2 {
		return true, ""
	}
	return false, "the status is " + strconv.Itoa(status) + ", not 200 or 204"
}
