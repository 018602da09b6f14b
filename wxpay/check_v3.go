package wxpay

import "errors"

// Where a merchant finds what v3 needs.
const (
	doKeyV3    = "set 32 letters and digits at pay.weixin.qq.com: 账户中心 → API安全 → APIv3密钥, and the same here"
	doPlatform = "get the file and the id from pay.weixin.qq.com: 账户中心 → API安全 → 微信支付公钥 (pub_key.pem, PUB_KEY_ID_…)"
)

// checkV3 looks at the settings of API v3 without asking anybody.
func checkV3(c Config) []Finding {
	out := []Finding{
		verdictOf("cfg.keyv3", checkAPIKey("APIv3 key", c.APIv3Key), doKeyV3, "32 letters and digits"),
		verdictOf("cfg.serial", checkSerial(c.SerialNo), doCert, "serial number %s", c.SerialNo),
		verdictOf("cfg.private", checkRSA("merchant's private key", c.PrivateKey != nil, c.privateBits()), doCert, "RSA %d", c.privateBits()),
		verdictOf("cfg.platform", c.validateKeyMode(), doPlatform, "%s", platformWords(c)),
	}
	if c.NextAPIv3Key != "" {
		err := checkAPIKey("next APIv3 key", c.NextAPIv3Key)
		if err == nil && c.NextAPIv3Key == c.APIv3Key {
			err = errors.New("the next APIv3 key is the one that is in force")
		}
		out = append(out, verdictOf("cfg.keyv3.next", err, doKeyV3, "32 letters and digits"))
	}
	return out
}

func platformWords(c Config) string {
	switch c.KeyMode {
	case CertificateMode:
		return "WeChat is known by its platform certificates, which are downloaded"
	case MixedMode:
		return "WeChat is known by " + c.PlatformKeyID + " and by its platform certificates"
	}
	return "WeChat is known by " + c.PlatformKeyID
}
