package sim

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

var errSealed = errors.New("not a message that was encrypted with this key for this appid")

const messageBlock = 32 // padding of encrypted messages, not that of AES

func messageCipher(key string) (cipher.Block, []byte, error) {
	raw, err := base64.StdEncoding.DecodeString(key + "=")
	if err != nil || len(raw) != 32 {
		return nil, nil, errSealed
	}
	block, err := aes.NewCipher(raw)
	return block, raw[:aes.BlockSize], err
}

// sealMessage encrypts a message of the official account: 16 random bytes,
// length, message and appid, padded to 32, AES-256-CBC (official accounts,
// "消息加解密说明").
func sealMessage(key, appID string, random, msg []byte) (string, error) {
	block, iv, err := messageCipher(key)
	if err != nil {
		return "", err
	}
	text := append([]byte(nil), random...)
	text = binary.BigEndian.AppendUint32(text, uint32(len(msg)))
	text = append(append(text, msg...), appID...)
	pad := messageBlock - len(text)%messageBlock
	text = append(text, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(text, text)
	return base64.StdEncoding.EncodeToString(text), nil
}

// openMessage decrypts what sealMessage made, or the shop's code for it.
func openMessage(key, appID, sealed string) ([]byte, error) {
	block, iv, err := messageCipher(key)
	if err != nil {
		return nil, err
	}
	text, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(text) == 0 || len(text)%aes.BlockSize != 0 {
		return nil, errSealed
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(text, text)
	pad := int(text[len(text)-1])
	if pad < 1 || pad > messageBlock || pad > len(text)-20 {
		return nil, errSealed
	}
	text = text[:len(text)-pad]
	n := int(binary.BigEndian.Uint32(text[16:20]))
	if n < 0 || n > len(text)-20 || string(text[20+n:]) != appID {
		return nil, errSealed
	}
	return text[20 : 20+n], nil
}
