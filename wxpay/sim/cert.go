package sim

import (
	"net/http"
	"strings"
)

// certified keeps out callers over TLS that did not show the merchant's
// certificate; over plain HTTP nobody can, and the check is off.
func (s *Sim) certified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || s.merchantShown(r) {
			next.ServeHTTP(w, r)
			return
		}
		title, advice := "400 No required SSL certificate was sent", "没有带商户证书。Show apiclient_cert.pem with its key; merchant_certificate and merchant_private_key of GET /_sim/api/identity."
		if len(r.TLS.PeerCertificates) > 0 {
			title, advice = "400 The SSL certificate error", "带的不是这个商户号的证书。The certificate is not this merchant's; merchant_certificate of GET /_sim/api/identity is."
		}
		say(r, verdict{problem: title, advice: advice})
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadRequest)
		w.Write([]byte(refusedPage(title)))
	})
}

// refusedPage is the page of the server in front of WeChat Pay.
func refusedPage(title string) string {
	return "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n" +
		"<center><h1>400 Bad Request</h1></center>\r\n<center>" + strings.TrimPrefix(title, "400 ") + "</center>\r\n" +
		"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
}
