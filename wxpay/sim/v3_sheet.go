package sim

// paySignText is what a merchant signs for the pay sheet: four lines, each
// ended by a line feed; signType is not among them (WeChat Pay v3, "JSAPI调起支付").
func paySignText(p bridgeParams) string {
	return p.appID + "\n" + p.timeStamp + "\n" + p.nonceStr + "\n" + p.pkg + "\n"
}

// checkPaySignV3 checks the paySign of a prepay_id of API v3 with the
// merchant's public key.
func (s *Sim) checkPaySignV3(p bridgeParams) error {
	ring, err := s.ids.keyring()
	if err != nil {
		return err
	}
	if p.signType == algRSA && rsaHolds(&ring.merchant.PublicKey, paySignText(p), p.paySign) {
		return nil
	}
	return &unverifiedSheet{payUnverifiedV3, s.diagnoseSheetV3(p)}
}

var payUnverifiedV3 = &payRefusal{payUnverified.text,
	"paySign is the RSA signature, made with the merchant's private key, of appId, timeStamp, nonceStr and package, each on a line of its own; signType is RSA"}
