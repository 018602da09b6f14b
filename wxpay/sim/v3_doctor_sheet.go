package sim

import "strings"

// sheetPatient are the parameters of a pay sheet before the doctor.
func sheetPatient(p bridgeParams) patientV3 {
	appID := partV3{{"", "", p.appID}}
	for _, other := range []string{appID1, miniAppID1} {
		if other != p.appID {
			appID = append(appID, variant{causeUnsigned, "签的 appId 和交出来的不是同一个（公众号和小程序弄混了？）。Another appId was signed than handed over: the official account's and the mini program's were mixed up.", other})
		}
	}
	pkg := partV3{{"", "", p.pkg}}
	if id, ok := strings.CutPrefix(p.pkg, "prepay_id="); ok {
		pkg = append(pkg, variant{causeEscaped, "第四行要连同 prepay_id= 一起签（只有 App 支付签裸的 prepay_id）。The fourth line is the whole package with prepay_id=; only App payments sign the bare id.", id})
	}
	layouts := append(lineLayouts(false),
		layoutV3{causeSignType, "signType 不用签，只签四行。signType is not signed: there are four lines only.", func(parts []string) string {
			return strings.Join(append(parts, algRSA), "\n") + "\n"
		}},
		layoutV3{causeAlgorithm, "签的串还是 v2 的写法（key=value&…）。The string is that of v2; API v3 signs four bare lines.", func(parts []string) string {
			return "appId=" + parts[0] + "&nonceStr=" + parts[2] + "&package=" + parts[3] + "&signType=RSA&timeStamp=" + parts[1]
		}},
	)
	return patientV3{parts: []partV3{appID, timePart(p.timeStamp), noncePart(p.nonceStr), pkg}, layouts: layouts, text: paySignText(p), sign: p.paySign}
}

// diagnoseSheetV3 explains a refused paySign of API v3.
func (s *Sim) diagnoseSheetV3(p bridgeParams) *diagnosisJSON {
	patient := sheetPatient(p)
	var f finding
	if p.signType != algRSA {
		f.blame(causeSignType, "API v3 下的单，signType 要写 RSA，不是 "+p.signType+"。The order was placed with API v3: signType must be RSA.")
	}
	if len(p.timeStamp) == 13 {
		f.blame(causeTime, "timeStamp 应是秒，10 位，字符串。timeStamp is in seconds, ten digits, and a string in quotes.")
	}
	ring, err := s.ids.keyring()
	if err == nil {
		t := s.treat(patient, &ring.merchant.PublicKey, s.strangeKeySaid(ring, p.paySign))
		f.causes, f.words, f.text = append(f.causes, t.causes...), append(f.words, t.words...), t.text
	}
	d := s.diagnosisOf(patient, f)
	if !s.opts.Public && d.Cause != "" && err == nil { // or anybody could have anything signed
		d.Expected, _ = rsaSign(ring.merchant, patient.text) // our own key signs
	}
	return &d
}
