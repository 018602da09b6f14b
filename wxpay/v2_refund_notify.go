package wxpay

import (
	"crypto/aes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
)

// ParseRefundNotify reads a refund notification (WeChat Pay v2, refund result
// notification). It is only a HINT (P18): nothing is signed, and the cipher is
// AES-256 in ECB mode, whose blocks anybody may repeat or put together anew
// from notifications that they have seen. Ask QueryRefund about OutRefundNo
// and believe that.
func (c *V2Client) ParseRefundNotify(_ http.Header, body []byte) (Refund, error) {
	outer, err := decode(string(body), maxNotify, nil)
	if err != nil {
		return Refund{}, fmt.Errorf("%w: %w", ErrBadNotify, err)
	}
	if outer.get("return_code") != "SUCCESS" {
		return Refund{}, fmt.Errorf("%w: return_code is not SUCCESS", ErrBadNotify)
	}
	if outer.get("mch_id") != c.cfg.MchID || outer.get("sub_mch_id") != c.cfg.SubMchID {
		return Refund{}, errAnothers
	}
	inner, err := c.openRefund(outer.get("req_info"))
	if err != nil {
		return Refund{}, fmt.Errorf("%w: req_info: %w", ErrBadNotify, err)
	}
	return c.hinted(outer, inner)
}

var errAnothers = fmt.Errorf("%w: it is another merchant's", ErrBadNotify)

func (c *V2Client) hinted(outer, inner message) (Refund, error) {
	for _, name := range []string{"out_refund_no", "refund_id", "out_trade_no", "transaction_id", "refund_status"} {
		if inner.get(name) == "" {
			return Refund{}, fmt.Errorf("%w: no %s", ErrBadNotify, name)
		}
	}
	r := c.refund(inner, "")
	r.AppID, r.MchID, r.SubMchID = outer.get("appid"), outer.get("mch_id"), outer.get("sub_mch_id")
	if sub := outer.get("sub_appid"); sub != "" && c.cfg.SubMchID != "" {
		r.AppID = sub
	}
	r.SucceededAt = parseRefundTime(inner.get("success_time"))
	return r, nil
}

// openRefund decrypts req_info with whichever of our keys fits.
func (c *V2Client) openRefund(text string) (message, error) {
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("not base64")
	}
	for _, key := range c.keys.keys {
		var plain []byte
		if plain, err = openECB(sealed, refundKey(key)); err != nil {
			continue
		}
		var m message
		if m, err = decodeRoot(string(plain), maxNotify, "root", nil); err == nil {
			return m, nil
		}
	}
	return nil, err
}

// refundKey is the AES key of refund notifications: the 32 letters of the
// lower-case hex MD5 of the API key, not the 16 bytes that they stand for.
func refundKey(key string) []byte {
	sum := md5.Sum([]byte(key))
	return []byte(hex.EncodeToString(sum[:]))
}

var errPadding = errors.New("does not open with our key")

// openECB decrypts AES in ECB mode with PKCS#7 padding. crypto/cipher has no
// such mode, for good reason.
func openECB(sealed, key []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) == 0 || len(sealed)%aes.BlockSize != 0 {
		return nil, errors.New("not a whole number of blocks")
	}
	plain := make([]byte, len(sealed))
	for i := 0; i < len(sealed); i += aes.BlockSize {
		block.Decrypt(plain[i:], sealed[i:])
	}
	return unpad(plain, aes.BlockSize)
}

// unpad takes PKCS#7 padding of 1 to size bytes off.
func unpad(b []byte, size int) ([]byte, error) {
	if len(b) == 0 {
		return nil, errPadding
	}
	n := int(b[len(b)-1])
	if n < 1 || n > size || n > len(b) {
		return nil, errPadding
	}
	for _, c := range b[len(b)-n:] {
		if int(c) != n {
			return nil, errPadding
		}
	}
	return b[:len(b)-n], nil
}

// pad appends PKCS#7 padding of 1 to size bytes.
func pad(b []byte, size int) []byte {
	n := size - len(b)%size
	for range n {
		b = append(b, byte(n))
	}
	return b
}
