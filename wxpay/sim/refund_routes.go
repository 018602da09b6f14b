package sim

import "net/http"

// moneyRoutes are the endpoints of cash desks, refunds and bills.
func (s *Sim) moneyRoutes(mux *http.ServeMux) {
	mux.Handle("/pay/micropay", s.v2(s.micropay))
	mux.Handle("/secapi/pay/reverse", s.certified(s.v2(s.reverseOrder)))
	mux.Handle("/pay/facepay", s.v2(s.facepay))
	mux.Handle("/pay/facepayquery", s.v2(s.orderQuery))
	mux.Handle("/secapi/pay/facepayreverse", s.certified(s.v2(s.reverseOrder)))
	mux.HandleFunc("/face/get_wxpayface_authinfo", s.faceAuthInfo)
	mux.Handle("/tools/authcodetoopenid", s.v2(s.authCodeToOpenID))
	mux.Handle("/tools/shorturl", s.v2(s.shortURL))
	mux.Handle("/payitil/report", s.v2(s.report))

	mux.Handle("/secapi/pay/refund", s.certified(s.v2(s.refundOrder)))
	mux.Handle("/secapi/pay/refundv2", s.certified(s.v2(s.refundOrder)))
	mux.Handle("/pay/refundquery", s.v2(s.refundQuery))
	mux.Handle("/pay/refundqueryv2", s.v2(s.refundQuery))

	cross := http.NewCrossOriginProtection()
	mux.HandleFunc("GET "+h5Path, s.showH5)
	mux.Handle("POST "+h5Path, cross.Handler(http.HandlerFunc(s.answerH5)))

	mux.HandleFunc("/pay/downloadbill", s.downloadBill)
	mux.Handle("/pay/downloadfundflow", s.certified(http.HandlerFunc(s.downloadFundFlow)))
}
