package sim

import (
	"net/http"
)

// errNoCertificate is for merchants who have the public key instead.
var errNoCertificate = &v3Fail{status: http.StatusNotFound, code: "RESOURCE_NOT_EXISTS",
	message: "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。可查看指引https://pay.weixin.qq.com/docs/merchant/products/platform-certificate/wxp-pub-key-guide.html",
	advice:  "这个商户用微信支付公钥，没有平台证书。This merchant verifies with the public key; configure platform_public_key_id and platform_public_key, or set key_mode to certificate.",
}

// certificateV3 is an entry of GET /v3/certificates.
type certificateV3 struct {
	SerialNo  string   `json:"serial_no"`
	Effective string   `json:"effective_time"`
	Expire    string   `json:"expire_time"`
	Sealed    sealedV3 `json:"encrypt_certificate"`
}

// certificates lists the platform certificates, sealed with the APIv3 key
// (WeChat Pay v3, "下载平台证书").
func (s *Sim) certificates(w http.ResponseWriter, r *http.Request) {
	if e := s.verifyV3(r, nil); e != nil {
		s.refuseV3(w, r, e, "", false)
		return
	}
	body, err := s.certificateList(r.URL.Query().Get("algorithm_type"))
	switch e := err.(type) {
	case nil:
		s.answerV3(w, r, http.StatusOK, body)
	case *v3Fail:
		s.refuseV3(w, r, e, "", true)
	default:
		s.log.Error("certificates not listed", "err", err)
		s.refuseV3(w, r, errSystemV3, "", true)
	}
}

// errSystemV3 is what nobody foresaw.
var errSystemV3 = &v3Fail{status: http.StatusInternalServerError, code: "SYSTEM_ERROR", message: "系统繁忙，请稍后重试"}

func (s *Sim) certificateList(algorithm string) ([]byte, error) {
	id := s.ids.view()
	switch {
	case algorithm != "" && algorithm != "RSA" && algorithm != "ALL" && algorithm != "SM2":
		return nil, &v3Fail{status: http.StatusBadRequest, code: "PARAM_ERROR", message: "输入源“/query/algorithm_type”映射到字段“算法类型”枚举规则校验失败"}
	case id.KeyMode == modePublicKey || algorithm == "SM2":
		return nil, errNoCertificate
	}
	ring, err := s.ids.keyring()
	if err != nil {
		return nil, err
	}
	list := struct {
		Data []certificateV3 `json:"data"`
	}{}
	for _, c := range ring.listed(s.clock.Now()) {
		nonce := pick(s.draw("certificate"), lowerHex, sealNonce)
		cipher, err := sealGCM(id.APIv3Key, nonce, "certificate", []byte(c.Certificate))
		if err != nil {
			return nil, err
		}
		list.Data = append(list.Data, certificateV3{c.Serial, timeV3(c.cert.NotBefore), timeV3(c.cert.NotAfter), sealedV3{
			Algorithm: "AEAD_AES_256_GCM", Nonce: nonce, AssociatedData: "certificate", Ciphertext: cipher,
		}})
	}
	return plainJSON(list), nil
}
