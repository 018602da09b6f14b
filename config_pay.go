package main

import (
	"fmt"
	"regexp"

	"wxshop/wxpay"
)

// speaks says which generations of the API there are credentials for. Each
// payment and each refund goes by the one that it was made with, so both may
// be in use at once.
func (p PayConfig) speaks(v wxpay.Version) bool {
	if v == wxpay.V3 {
		return p.APIv3Key != ""
	}
	return p.APIKey != ""
}

// publicKey reports whether WeChat's public key verifies what it says in v3.
func (p PayConfig) publicKey() bool { return p.PlatformKeyMode != "certificate" }

// The shapes of WeChat's ids and keys.
var (
	appIDShape  = regexp.MustCompile(`^wx[0-9a-f]{16}$`)
	mchIDShape  = regexp.MustCompile(`^[0-9]{8,12}$`)
	key32Shape  = regexp.MustCompile(`^[0-9A-Za-z]{32}$`)
	serialShape = regexp.MustCompile(`^[0-9A-Fa-f]{40}$`)
	pubIDShape  = regexp.MustCompile(`^PUB_KEY_ID_[0-9]+$`)
	fileShape   = regexp.MustCompile(`.`)
)

// need is a sentence for a value that is missing or misspelt. The value itself
// is never in it: it may be a secret.
func (ps *problems) need(key, value string, shape *regexp.Regexp, what string) {
	switch {
	case value == "":
		ps.addf("%s is empty: fill in %s, or set simulator.enabled: true to try the shop without an account", key, what)
	case !shape.MatchString(value):
		ps.addf("%s does not look like %s", key, what)
	}
}

// checkAccount says what is still to be filled in before WeChat can be asked.
func (c *Config) checkAccount(ps *problems) {
	ps.need("wechat.app_id", c.WeChat.AppID, appIDShape, "the AppID of the official account (wx and 16 hex digits)")
	ps.need("wechat.app_secret", c.WeChat.AppSecret, key32Shape, "its AppSecret (32 letters and digits)")
	ps.need("pay.mch_id", c.Pay.MchID, mchIDShape, "the merchant number (8 to 12 digits)")
	if c.Pay.API == "v2" || c.Pay.speaks(wxpay.V2) {
		ps.need("pay.api_key", c.Pay.APIKey, key32Shape, "the APIv2 key (32 letters and digits)")
	}
	if c.Pay.API == "v3" || c.Pay.speaks(wxpay.V3) {
		c.checkV3(ps)
	}
}

// checkV3 names each thing that v3 cannot do without.
func (c *Config) checkV3(ps *problems) {
	p := c.Pay
	ps.need("pay.api_v3_key", p.APIv3Key, key32Shape, "the APIv3 key (32 letters and digits)")
	ps.need("pay.serial_no", p.SerialNo, serialShape, "the serial number of the merchant's certificate (40 hex digits)")
	ps.need("pay.private_key_file", p.PrivateKeyFile, fileShape, "the file of the merchant's private key (apiclient_key.pem)")
	if p.publicKey() {
		ps.need("pay.platform_public_key_id", p.PlatformPublicKeyID, pubIDShape, "the id of WeChat Pay's public key (PUB_KEY_ID_…, the letters are part of it)")
		ps.need("pay.platform_public_key_file", p.PlatformPublicKeyFile, fileShape, "the file of WeChat Pay's public key (pub_key.pem)")
	}
}

// checkNextKeys are about keys that are about to come into force.
func (c *Config) checkNextKeys(ps *problems) {
	for _, k := range []struct{ key, value, now, nowKey string }{
		{"pay.next_api_key", c.Pay.NextAPIKey, c.Pay.APIKey, "pay.api_key"},
		{"pay.next_api_v3_key", c.Pay.NextAPIv3Key, c.Pay.APIv3Key, "pay.api_v3_key"},
	} {
		switch {
		case k.value == "":
		case !key32Shape.MatchString(k.value):
			ps.addf("%s does not look like a key (32 letters and digits)", k.key)
		case k.now == "":
			ps.addf("%s is filled in, but %s is not: the key that counts goes there", k.key, k.nowKey)
		case k.value == k.now:
			ps.addf("%s is the same as %s: empty it", k.key, k.nowKey)
		}
	}
}

// checkKeyFiles refuses private keys that others can read (security P23).
func (c *Config) checkKeyFiles(ps *problems) {
	if f := c.Pay.PrivateKeyFile; f != "" {
		if err := private(f); err != nil {
			ps.addf("pay.private_key_file: %v", err)
		}
	}
}

// lacking is the sentence for payments that nobody can ask about any more.
func (p PayConfig) lacking(v wxpay.Version, open int64) error {
	key := "pay.api_key"
	if v == wxpay.V3 {
		key = "pay.api_v3_key"
	}
	return fmt.Errorf("%d payments and refunds that were made with %s are still open, but %s is empty: "+
		"fill in the credentials of %s until they have ended", open, v, key, v)
}
