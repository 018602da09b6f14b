package wxpay

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// Encryption between WeChat and the account's server (message encryption and
// decryption guide): AES-256-CBC over 16 random bytes, the length, the text
// and the app id, padded to 32 bytes and not to the cipher's 16.

const (
	mpPadding = 32
	mpRandom  = 16
	mpHead    = mpRandom + 4
)

// mpKey turns the 43 letters of an EncodingAESKey into the key. The last
// letter may carry bits that the key has no room for.
func mpKey(text string) ([]byte, error) {
	if len(text) != 43 || !alphanumeric(text) {
		return nil, errors.New("an AES key has 43 letters and digits")
	}
	return base64.StdEncoding.DecodeString(text + "=")
}

var errSealed = errors.New("does not open with our AES key")

// open decrypts an Encrypt element with whichever of our keys fits.
func (s *MPServer) open(text string) (string, error) {
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(sealed) == 0 || len(sealed)%aes.BlockSize != 0 {
		return "", errSealed
	}
	for _, key := range s.keys {
		if msg, ok := openMP(sealed, key, s.cfg.AppID); ok {
			return msg, nil
		}
	}
	return "", errSealed
}

// openMP decrypts sealed, a whole number of blocks, and checks whom it is for.
func openMP(sealed, key []byte, appID string) (msg string, ok bool) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", false
	}
	plain := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(block, key[:aes.BlockSize]).CryptBlocks(plain, sealed)
	plain, err = unpad(plain, mpPadding)
	if err != nil || len(plain) < mpHead {
		return "", false
	}
	n := int64(binary.BigEndian.Uint32(plain[mpRandom:]))
	plain = plain[mpHead:]
	if n > int64(len(plain)) || string(plain[n:]) != appID {
		return "", false
	}
	return string(plain[:n]), true
}

// sealMP encrypts msg for appID.
func sealMP(msg string, key, random []byte, appID string) (string, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	b := append([]byte(nil), random...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(msg)))
	b = append(append(b, msg...), appID...)
	b = pad(b, mpPadding)
	cipher.NewCBCEncrypter(block, key[:aes.BlockSize]).CryptBlocks(b, b)
	return base64.StdEncoding.EncodeToString(b), nil
}

// seal is a reply in its encrypted form, with a signature of our own.
func (s *MPServer) seal(text, timestamp string) (string, error) {
	random := make([]byte, mpRandom)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	sealed, err := sealMP(text, s.keys[0], random, s.cfg.AppID)
	if err != nil {
		return "", err
	}
	nonce := rand.Text()
	sign := mpSignature(s.cfg.Token, timestamp, nonce, sealed)
	return "<xml>" + cdata("Encrypt", sealed) + "<MsgSignature>" + sign + "</MsgSignature><TimeStamp>" + timestamp +
		"</TimeStamp><Nonce>" + nonce + "</Nonce></xml>", nil
}
