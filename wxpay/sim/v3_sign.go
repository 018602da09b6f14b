package sim

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// schemeV3 names the one signature of API v3 that is imitated.
const schemeV3 = "WECHATPAY2-SHA256-RSA2048"

// signV3 signs an answer over exactly the bytes that go out, with the key that
// the request's Wechatpay-Serial asks for (WeChat Pay v3, "签名验证").
func (s *Sim) signV3(h http.Header, body []byte, wanted string) error {
	key, err := s.answerKey(wanted)
	if err != nil {
		return err
	}
	at := strconv.FormatInt(s.opts.Now().Unix(), 10) // honest, or clients would refuse it
	return sealV3(h, body, key, at, pick(s.draw("v3 signature"), lowerHex, 32))
}

// sealV3 sets the headers of a signed answer or notification.
func sealV3(h http.Header, body []byte, key wechatKey, at, nonce string) error {
	sign, err := rsaSign(key.key, answerText(at, nonce, body))
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	h.Set("Wechatpay-Timestamp", at)
	h.Set("Wechatpay-Nonce", nonce)
	h.Set("Wechatpay-Serial", key.serial)
	h.Set("Wechatpay-Signature", sign)
	h.Set("Wechatpay-Signature-Type", schemeV3)
	return nil
}

// answerText is what WeChat signs: three lines, each ended by a line feed.
func answerText(at, nonce string, body []byte) string {
	return at + "\n" + nonce + "\n" + string(body) + "\n"
}

// requestText is what a merchant signs: five lines, each ended by a line feed.
func requestText(method, target, at, nonce string, body []byte) string {
	return method + "\n" + target + "\n" + at + "\n" + nonce + "\n" + string(body) + "\n"
}

// unixText reads seconds; what is not a number is 1970.
func unixText(text string) time.Time {
	n, _ := strconv.ParseInt(text, 10, 64)
	return time.Unix(n, 0)
}

func rsaSign(key *rsa.PrivateKey, text string) (string, error) {
	sum := sha256.Sum256([]byte(text))
	sign, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	return base64.StdEncoding.EncodeToString(sign), err
}

// rsaHolds verifies a signature in standard Base64.
func rsaHolds(key *rsa.PublicKey, text, sign string) bool {
	raw, err := base64.StdEncoding.DecodeString(sign)
	sum := sha256.Sum256([]byte(text))
	return err == nil && rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], raw) == nil
}

// rawTarget is the target as it stood on the request line: URL.RequestURI
// would escape it anew and break the signatures of careful clients.
func rawTarget(r *http.Request) string {
	target := r.RequestURI
	if target == "" {
		return r.URL.RequestURI()
	}
	if _, rest, absolute := strings.Cut(target, "://"); absolute && !strings.HasPrefix(target, "/") {
		if at := strings.IndexByte(rest, '/'); at >= 0 {
			return rest[at:] // as a proxy is asked
		}
		return "/"
	}
	return target
}

// answerV3 sends an answer and signs it.
func (s *Sim) answerV3(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	if err := s.signV3(w.Header(), body, r.Header.Get("Wechatpay-Serial")); err != nil {
		s.log.Error("answer not signed", "err", err)
	}
	s.writeV3(w, status, body, 0)
}

// refuseV3 sends a refusal and notes it for people. It is signed when the
// request's own signature held.
func (s *Sim) refuseV3(w http.ResponseWriter, r *http.Request, e *v3Fail, no string, authentic bool) {
	say(r, verdict{problem: e.Error(), no: no, advice: e.advice, diagnosis: e.finding})
	body := e.body()
	if authentic {
		if err := s.signV3(w.Header(), body, r.Header.Get("Wechatpay-Serial")); err != nil {
			s.log.Error("refusal not signed", "order", no, "err", err)
		}
	}
	s.writeV3(w, e.status, body, e.number)
}

// writeV3 sends bytes with the headers of every answer of API v3. number is
// WeChat's own number of the error, 0 for none.
func (s *Sim) writeV3(w http.ResponseWriter, status int, body []byte, number int) {
	h := w.Header()
	h.Set("Server", "nginx")
	h.Set("Request-Id", "08"+pick(s.draw("request id"), "0123456789ABCDEF", 42)+"-"+strconv.Itoa(number))
	h.Set("Cache-Control", "no-cache, must-revalidate")
	h.Set("X-Content-Type-Options", "nosniff")
	if len(body) > 0 {
		h.Set("Content-Type", "application/json; charset=utf-8")
		h.Set("Content-Language", "zh-CN")
	}
	w.WriteHeader(status)
	w.Write(body) // a client that went away is no news
}
